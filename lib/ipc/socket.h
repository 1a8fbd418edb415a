/* SPDX-License-Identifier: MIT */
/*
 * What the files of ipc know of each other: the socket, the message, and the pieces of calls.
 */
#ifndef IPC_SOCKET_H
#define IPC_SOCKET_H

#include <sys/queue.h>

#include "host/kmem.h"
#include "ipc/unix.h"

/* What Linux gives a socket whose owner says nothing: bytes that may be queued, as `charge` counts them. */
#define SEND_BUFFER_BYTES 212992u
/* Linux wakes a blocked sender once a quarter of that is queued. */
#define SEND_WAKE_BYTES (SEND_BUFFER_BYTES / 4)
/* The longest piece into which a send is cut; see message.c. */
#define MESSAGE_BYTES_MAX 36544u

struct message {
	STAILQ_ENTRY(message) link; /* s, r  of an inbox, of what was taken from it */
	struct origin origin;       /* c  the send that made it */
	uint64_t number;            /* c  the nth of its sender, from 1 on */
	size_t size;                /* c  of the allocation, bytes */
	uint32_t begin;             /* r  the first byte not yet received */
	uint32_t end;               /* c  bytes sent */
	uint32_t charge;            /* c  what Linux would charge its sender for it */
	uint32_t nfiles;            /* r */
	struct file **files;        /* r  our references; they go with the first byte */
	uint8_t *bytes;             /* c */
	uint64_t tail[];            /* c  room for both */
};

STAILQ_HEAD(message_list, message);

enum unix_state {
	UNIX_UNCONNECTED,
	UNIX_LISTENING,
	UNIX_CONNECTED,
};

enum { UNIX_SHUT_RECEIVE = 1, UNIX_SHUT_SEND = 2, UNIX_SHUT_BOTH = 3 };

struct name;

/*
 * c constant, s lock, r read_lock, a atomic (and changed under s where that is said), n names->lock,
 * l names->sockets_lock
 */
struct unix_sock {
	struct ref ref;       /*    one of its file or of its listener's queue, one of its peer, calls under way */
	struct origin origin; /* c  but for accept, which makes the socket the acceptor's */
	TAILQ_ENTRY(unix_sock) link; /* l  of all sockets of the machine */
	struct mutex lock;           /* RANK_SOCKET */
	struct mutex read_lock;      /* RANK_SOCKET_READ */

	uint8_t state;          /* a s  enum unix_state; never goes back */
	uint8_t shutdown;       /* a s  UNIX_SHUT_*; bits are only added */
	bool closed;            /* s    its file is gone */
	int error;              /* a    positive errno that the next call takes away */
	struct unix_sock *peer; /* a s  our reference; set once, until release */

	bool bound;                   /* s  addr is set, for good */
	struct unix_addr addr;        /* s */
	struct name *name;            /* n  our entry; NULL if none, and on accepted sockets */
	struct inode *node;           /* n  the file that we are bound to, our reference; NULL likewise */
	struct unix_creds peer_creds; /* s */

	struct message_list inbox;  /* s  sent, not yet seen by a reader */
	struct message_list taken;  /* r  older than all of inbox */
	uint32_t charge;            /* a  of inbox and taken together */
	struct message *spare;      /* a  a small message, kept for the next sender */
	struct wait_queue readable; /* data, end, error; on a listener, a connection */
	struct wait_queue room;     /* senders to us; on a listener, those who connect */

	TAILQ_HEAD(, unix_sock) pending;     /* s  connections not yet accepted, oldest first; the queue's reference */
	TAILQ_ENTRY(unix_sock) pending_link; /* s of the listener */
	uint32_t npending;                   /* s */
	uint32_t backlog;                    /* s  one more than this may be pending, as on Linux */
};

struct names {
	struct mutex lock;     /* RANK_NAMESPACE */
	struct name **buckets; /* n */
	uint32_t nbuckets;     /* n  a power of two */
	uint32_t count;        /* n */
	uint32_t next_auto;    /* n  where autobind goes on looking */

	struct mutex sockets_lock;       /* RANK_ACCOUNT */
	TAILQ_HEAD(, unix_sock) sockets; /* l  oldest first */
};

static inline struct unix_sock *unix_sock(const struct file *file)
{
	return file->priv;
}

static inline bool unix_nonblocking(const struct file *file)
{
	return file_flags(file) & FILE_NONBLOCK;
}

static inline enum unix_state sock_state(const struct unix_sock *sock)
{
	return __atomic_load_n(&sock->state, __ATOMIC_ACQUIRE);
}

static inline uint8_t sock_shutdown(const struct unix_sock *sock)
{
	return __atomic_load_n(&sock->shutdown, __ATOMIC_RELAXED);
}

/** The other end, or NULL; it stays while the caller holds this one's file. */
static inline struct unix_sock *sock_peer(const struct unix_sock *sock)
{
	return __atomic_load_n(&sock->peer, __ATOMIC_ACQUIRE);
}

/** Take the error that a peer left: 0 or a negative errno, once. */
static inline int sock_take_error(struct unix_sock *sock)
{
	if (likely(__atomic_load_n(&sock->error, __ATOMIC_RELAXED) == 0))
		return 0;
	return -__atomic_exchange_n(&sock->error, 0, __ATOMIC_RELAXED);
}

/* unix.c */
extern const struct file_ops unix_file_ops;
/** A socket without file: one reference. NULL: no memory. */
struct unix_sock *sock_create(struct ctx *ctx);
void sock_put(struct ctx *ctx, struct unix_sock *sock);
/** Give a socket its file, which takes over the caller's reference on success. 0 or -ENOMEM. */
int sock_file_create(struct ctx *ctx, struct unix_sock *sock, uint32_t flags, struct file **out);
/** The two become each other's peers. Both are locked, or unreachable. */
void sock_join(struct unix_sock *a, struct unix_sock *b);
/** Lock two sockets, or one if they are the same. */
void sock_lock_two(struct ctx *ctx, struct unix_sock *a, struct unix_sock *b);
void sock_unlock_two(struct ctx *ctx, struct unix_sock *a, struct unix_sock *b);
/** Wake those who send to the socket, after a change that was not made under its lock. */
void sock_wake_senders(struct ctx *ctx, struct unix_sock *sock);

/* names.c */
void names_add_socket(struct ctx *ctx, struct unix_sock *sock);
void names_remove_socket(struct ctx *ctx, struct unix_sock *sock);
/** The next socket of the machine, with a reference for the caller; puts prev. NULL at the end. */
struct unix_sock *names_next_socket(struct ctx *ctx, struct unix_sock *prev);
/** Who is bound to addr, with a reference for the caller. 0; -ECONNREFUSED nobody; and as walks along paths fail. */
int names_find(struct ctx *ctx, const struct unix_addr *addr, struct unix_sock **out);
/** The socket closes: nobody finds it any more. */
void names_forget(struct ctx *ctx, struct unix_sock *sock);

/* message.c */
/** A message of that size with nothing in it, from `to`'s spare or new. NULL: no room for messages. */
struct message *message_create(struct ctx *ctx, struct unix_sock *to, uint32_t nbytes, uint32_t nfiles);
/** Put its files and free it; `to` may keep the memory for the next one. */
void message_destroy(struct ctx *ctx, struct unix_sock *to, struct message *message);
/** Likewise for all of a list. */
void message_list_destroy(struct ctx *ctx, struct unix_sock *to, struct message_list *list);
/** Move everything that is queued on a socket to an empty list. */
void message_list_detach(struct ctx *ctx, struct unix_sock *sock, struct message_list *list);

/* scm.c */
/** Files on their way out of a table or into one. */
struct scm {
	unsigned nfiles;
	struct file *files[SCM_FILES_MAX]; /* references */
	struct fd_carrier carrier;         /* on the way in: the message they came by */
};

/** Read a control buffer. 0; -EINVAL, -EBADF, -EFAULT, -ENOBUFS, -EPERM; scm is empty then. */
int scm_send(struct ctx *ctx, struct fdtable *table, const struct unix_msg *msg, struct scm *scm);
/** Install what fits, put the rest, fill msg->flags and msg->control_len. Cannot fail. */
void scm_receive(struct ctx *ctx, struct fdtable *table, struct unix_msg *msg, struct scm *scm);
void scm_put(struct ctx *ctx, struct scm *scm);

/* stream.c */
ssize_t stream_read(struct ctx *ctx, struct file *file, struct uio *uio, uint64_t *pos);
ssize_t stream_write(struct ctx *ctx, struct file *file, struct uio *uio, uint64_t *pos);

#endif
