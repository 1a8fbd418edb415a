/* SPDX-License-Identifier: MIT */
/*
 * The thing that an open file description is open on: identity, mode, seals, and for files their pages.
 */
#ifndef VFS_INODE_H
#define VFS_INODE_H

#include "base/ref.h"
#include "object/object.h"

struct dir;
struct gen_ops;

/* st_dev of memfds, and of those of huge pages. */
enum { DEV_MEMORY = OBJECT_DEV_SMALL, DEV_HUGE = OBJECT_DEV_HUGE };

struct inode {
	struct ref ref;
	struct origin origin;        /* c */
	struct mutex lock;           /* RANK_INODE: size, content through calls, seals, mode, times */
	uint64_t ino;                /* c  unique in the machine */
	uint32_t mode;               /* a  S_IFREG | 0777, S_IFSOCK | 0777; the type is c; written under i */
	uint32_t nlink;              /* i */
	uint32_t uid, gid;           /* a  written under i */
	uint32_t seals;              /* a  F_SEAL_*, written under lock; meaningful where there is an object */
	struct object *object;       /* c  our reference; NULL where there are no pages */
	uint64_t atime_ns;           /* a  realtime; a read takes no lock for it */
	uint64_t mtime_ns, ctime_ns; /* a  realtime; written under i */
	uint32_t huge_bytes;         /* c  its pages are huge ones of that size; 0: they are not */
	char name[256];              /* c  the memfd's name, for debugging; "" */

	/* What the tree keeps of it (see tree.h); nothing for files that are in no directory. */
	struct dir *dir;           /* c  S_IFDIR: its names; NULL: they are made up */
	char *link;                /* c  S_IFLNK: where to, with a NUL; NULL: that is made up */
	void *bound;               /* n  S_IFSOCK: the socket that is bound to it, of ipc */
	const struct gen_ops *gen; /* c  what makes it up; NULL: it is what it is */
	uint64_t gen_key[2];       /* c  of gen */
	uint64_t dev, rdev;        /* c  0: as inode.c says */
	uint64_t btime_ns;         /* c  its birth, realtime */
	uint64_t bytes;            /* i  st_size of a directory or a link */
	bool linkable; /* t  it has no name, but may get one: O_TMPFILE without O_EXCL; under the tree's lock */
};

/**
 * A new inode with one reference and one link; object may be NULL, and its reference is taken over, on success only.
 * 0 or -ENOMEM.
 */
int inode_create(struct ctx *ctx, uint32_t mode, const char *name, struct object *object, struct inode **out);
static inline uint32_t inode_mode(const struct inode *inode)
{
	return __atomic_load_n(&inode->mode, __ATOMIC_RELAXED);
}

void inode_get(struct inode *inode);
/** NULL is legal. */
void inode_put(struct ctx *ctx, struct inode *inode);

/** stat(2), of no architecture. */
struct kstat {
	uint64_t dev, ino, nlink, rdev, size, blksize, blocks; /* blocks of 512 bytes */
	uint32_t mode, uid, gid;
	uint64_t atime_ns, mtime_ns, ctime_ns, btime_ns;
};

void inode_stat(struct ctx *ctx, struct inode *inode, struct kstat *out);

/** Seals that older headers do not know. */
enum { SEAL_FUTURE_WRITE = 0x10, SEAL_EXEC = 0x20 };

/** Stamp an access; no lock needed. */
void inode_accessed(struct inode *inode);
/** Stamp a modification; inode lock held. */
void inode_modified_locked(struct inode *inode);
/** Stamp a change of what is not content; inode lock held. */
void inode_changed_locked(struct inode *inode);

/**
 * ftruncate and O_TRUNC of an inode with pages, whatever the access mode: what the machine's commit policy says.
 * length <= OBJECT_SIZE_MAX. 0; -EPERM (seals), -EFBIG (the caller's limit, with SIGXFSZ), -EINVAL (huge pages: not a
 * multiple of them), -ENOMEM: nothing has changed. stamp: also if it had that size and no
 * pages.
 */
int inode_truncate(struct ctx *ctx, struct inode *inode, uint64_t length, bool stamp);
/** Make an inode with pages at least that long, whatever anybody forbids: for a mapping of huge pages. */
void inode_reach(struct ctx *ctx, struct inode *inode, uint64_t length);

#endif
