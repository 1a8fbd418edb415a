/* SPDX-License-Identifier: MIT */
/*
 * The descriptors of a process: small numbers for open file descriptions.
 */
#ifndef VFS_FDTABLE_H
#define VFS_FDTABLE_H

#include "vfs/file.h"

/** The message by which a descriptor came. */
struct fd_carrier {
	const struct owner *sender; /* NULL: it did not come by a message */
	const char *call;           /* that sent it */
	uint64_t number;            /* the nth of its sender, from 1 on */
};

struct fd_slot {
	struct file *file;         /* NULL: free or reserved */
	const char *call;          /* the call that made this slot */
	uint64_t epoch;            /* and when */
	struct fd_carrier carrier; /* of this slot alone: a dup of it, and a child's copy, did not come by a message */
};

struct fdtable {
	struct ref ref;
	struct mutex lock;     /* RANK_FD_TABLE */
	struct owner *owner;   /* c  whose account its slots are on */
	uint32_t limit;        /* l  RLIMIT_NOFILE */
	uint32_t size;         /* l  slots allocated; grows by doubling */
	uint32_t hint;         /* l  no free number below it */
	struct fd_slot *slots; /* l */
	uint64_t *used;        /* l  bit: in use or reserved */
	uint64_t *cloexec;     /* l */
	uint64_t *full;        /* l  bit: that word of used has no zero */
};

int fdtable_create(struct ctx *ctx, struct owner *owner, uint32_t limit, struct fdtable **out);
/** A copy for fork, charged to another account. 0 or -ENOMEM. */
int fdtable_copy(struct ctx *ctx, struct fdtable *from, struct owner *owner, struct fdtable **out);
void fdtable_get(struct fdtable *table);
/** The last put closes everything. */
void fdtable_put(struct ctx *ctx, struct fdtable *table);

/** Reserve the lowest free number >= from: the number, or -EMFILE, -EINVAL (from at or past the limit), -ENOMEM. */
int fd_reserve(struct ctx *ctx, struct fdtable *table, uint32_t from, bool cloexec);
/** Fill a reserved number; takes over the caller's reference. */
void fd_install(struct ctx *ctx, struct fdtable *table, int fd, struct file *file);
/** The same, by a message. */
void fd_install_received(struct ctx *ctx, struct fdtable *table, int fd, struct file *file,
                         const struct fd_carrier *carrier);
void fd_unreserve(struct ctx *ctx, struct fdtable *table, int fd);
/** The description with a reference for the caller; NULL: -EBADF, also for one that only stands for a path (O_PATH). */
struct file *fd_get(struct ctx *ctx, struct fdtable *table, int fd);
/** The same for the few calls that take an O_PATH one: those that dup it, stat it, pass it, or start at it. */
struct file *fd_get_any(struct ctx *ctx, struct fdtable *table, int fd);
int fd_close(struct ctx *ctx, struct fdtable *table, int fd);
/** dup: lowest number >= from. The number; -EBADF, and as fd_reserve. */
int fd_dup(struct ctx *ctx, struct fdtable *table, int fd, uint32_t from, bool cloexec);
/**
 * dup2/dup3: exactly `to`, closing what is there; fd == to is the caller's business.
 * `to`; -EBADF (fd, or `to` at or past the limit), -EBUSY (`to` is reserved), -ENOMEM.
 */
int fd_dup_to(struct ctx *ctx, struct fdtable *table, int fd, int to, bool cloexec);
int fd_get_cloexec(struct ctx *ctx, struct fdtable *table, int fd);
int fd_set_cloexec(struct ctx *ctx, struct fdtable *table, int fd, bool cloexec);

/** Slots in use, lowest first: the next one >= from; its description with a reference. False: no more. */
bool fdtable_next(struct ctx *ctx, struct fdtable *table, int from, int *fd, struct file **file, struct fd_slot *slot);

void fdtable_check(struct ctx *ctx, struct fdtable *table, struct check_report *report);

#endif
