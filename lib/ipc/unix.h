/* SPDX-License-Identifier: MIT */
/*
 * AF_UNIX stream sockets inside one machine, and the passing of descriptors over them.
 *
 * All calls but names_* take files for which unix_is_socket() holds, and hold no lock; those that block wait as
 * host/wait.h says and give -EINTR or -EDEADLK when a wait ends so, unless bytes have moved: then their count.
 * What they drop is on ctx's list when they return. Errors are those of the manual pages.
 */
#ifndef IPC_UNIX_H
#define IPC_UNIX_H

#include "host/wait.h"
#include "vfs/fdtable.h"

/** An address as callers give it: AF_UNIX and a path, an abstract name, or nothing. */
struct unix_addr {
	uint32_t len;   /* bytes in name; 0 and not abstract: unnamed. Out: a path's NUL is not counted */
	bool abstract;  /* name is without the leading NUL, at most 107 bytes */
	char name[108]; /* a path ends at len or at a NUL before it */
};

/** Credentials of a peer, taken at connect, listen and socketpair. */
struct unix_creds {
	uint32_t pid, uid, gid;
};

/** The table of names of a machine; sets env->names. 0 or -ENOMEM. */
int names_create(struct env *env);
/** No socket is left. Nothing if there is no table. */
void names_destroy(struct env *env);
/**
 * The machine ends: drop every queued message, and drain. Sockets that were kept alive only by being queued, on
 * themselves too, are destroyed. No other call is under way.
 */
void unix_purge(struct ctx *ctx);

/**
 * A new socket; type is SOCK_STREAM; flags: FILE_NONBLOCK. -EINVAL (no type at all), -ESOCKTNOSUPPORT,
 * -EPROTONOSUPPORT, -ENOMEM.
 */
int unix_socket(struct ctx *ctx, int type, int protocol, uint32_t flags, struct file **out);
int unix_socketpair(struct ctx *ctx, int type, int protocol, uint32_t flags, struct unix_creds creds,
                    struct file *out[2]);
/** Whether the file is one of ours; else -ENOTSOCK is the caller's answer. */
bool unix_is_socket(const struct file *file);
/** SO_ACCEPTCONN. */
bool unix_is_listening(const struct file *file);
/** SO_ERROR: the error that a peer left, told once; 0 or a negative errno. */
int unix_take_error(const struct file *file);
/** With an unnamed address, autobind: the lowest free five hex digits from where the last one was found. */
int unix_bind(struct ctx *ctx, struct file *file, const struct unix_addr *addr);
int unix_listen(struct ctx *ctx, struct file *file, int backlog, struct unix_creds creds);
/** Blocks while the backlog is full. */
int unix_connect(struct ctx *ctx, struct file *file, const struct unix_addr *addr, struct unix_creds creds);
/** Blocks. flags: FILE_NONBLOCK, for the new file. */
int unix_accept(struct ctx *ctx, struct file *file, uint32_t flags, struct file **out);
/** how: SHUT_RD, SHUT_WR, SHUT_RDWR. */
int unix_shutdown(struct ctx *ctx, struct file *file, int how);
/** Our name, or our peer's: -ENOTCONN. */
int unix_getname(struct ctx *ctx, struct file *file, bool peer, struct unix_addr *out);
/** SO_PEERCRED; 0, -1, -1 where there is no peer. Returns 0. */
int unix_peercred(struct ctx *ctx, struct file *file, struct unix_creds *out);

#define SCM_FILES_MAX 253

/** What sendmsg and recvmsg take and give, in buffers of the caller. */
struct unix_msg {
	struct uio *uio;
	struct uptr control;     /* struct cmsghdr list, 64-bit layout */
	uint64_t control_len;    /* in: room or content, bytes; recv out: bytes filled */
	int flags;               /* in: MSG_*; recv out: msg_flags to report */
	bool has_name;           /* send: an address was given; recv in: it is wanted; out: addr was filled */
	struct unix_addr addr;   /* recv out: who sent, if that socket has a name */
	struct unix_creds creds; /* send: of the caller, what SCM_CREDENTIALS must say */
};

/**
 * Send. Blocks while the receiver's queue is full, unless MSG_DONTWAIT or FILE_NONBLOCK.
 *
 * @param table  whose descriptors SCM_RIGHTS names
 * @return bytes sent, fewer if a wait, a copy or an allocation failed on the way; or, nothing sent:
 *   EINVAL, EBADF, EFAULT, ENOBUFS, EPERM  a control message that is malformed, names no file, cannot be read, is too
 *              long, or carries foreign credentials
 *   EISCONN, EOPNOTSUPP  an address was given
 *   EOPNOTSUPP MSG_OOB
 *   ENOTCONN   never connected
 *   EPIPE      a side is shut or closed; raises SIGPIPE for the caller, unless MSG_NOSIGNAL
 *   ECONNRESET the peer closed with unread data while we waited
 *   EAGAIN, EFAULT, ENOBUFS
 */
ssize_t unix_sendmsg(struct ctx *ctx, struct fdtable *table, struct file *file, struct unix_msg *msg);

/**
 * Receive. Blocks while nothing is queued, unless MSG_DONTWAIT or FILE_NONBLOCK; with MSG_WAITALL until all has come
 * that was asked for, or a message with descriptors ends it.
 *
 * @param table  into which descriptors go
 * @return bytes received, 0 at the end of the stream; or, nothing received and msg not filled:
 *   EINVAL     not connected; MSG_OOB
 *   ECONNRESET the peer closed with unread data; told once
 *   EAGAIN, EFAULT (the message stays)
 */
ssize_t unix_recvmsg(struct ctx *ctx, struct fdtable *table, struct file *file, struct unix_msg *msg);

/** One queued message, for reports of leaks. */
struct unix_queued {
	const struct owner *owner; /* who sent it */
	const char *call;
	uint64_t epoch;
	uint64_t number;           /* the nth of its sender, from 1 on */
	size_t bytes, nfiles;      /* not yet received */
	struct file *const *files; /* nfiles of them; fn may get references, and must not look here later */
};

/**
 * Call fn for each message that is queued on the socket, or (file NULL) on any socket of the machine, and not yet
 * received. fn runs under the socket's lock: it takes none itself but leaves, and calls nothing here.
 */
void unix_for_each_queued(struct ctx *ctx, struct file *file, void (*fn)(void *arg, const struct unix_queued *),
                          void *arg);
/**
 * Who a socket is connected with: identities to be compared, of this end and of the other, NULL where there is none.
 * They are not used again while a reference to a file of the end is held.
 */
void unix_ends(const struct file *file, const void **end, const void **peer);
/** Validate a socket, or (file NULL) all of the machine. */
void unix_check(struct ctx *ctx, struct file *file, struct check_report *report);

#endif
