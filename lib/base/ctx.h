/* SPDX-License-Identifier: MIT */
/*
 * Who calls: the first parameter of every function of the kernel that can allocate, block or drop.
 *
 * There is no thread-local and no global state in lib; what a call must know of its machine and of the task
 * that makes it, it finds here. A task owns one ctx for its life (a task is acted by one host thread at a
 * time); the machine uses one of its own on the stack for work that nobody's task does.
 */
#ifndef BASE_CTX_H
#define BASE_CTX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ksim/types.h"

struct creds;
struct ctx;
struct env;
struct frame_cache;
struct fs;
struct limits;
struct mm;
struct task;
struct waiter;

/** Things whose last reference has gone, waiting to be destroyed with no lock held. */
struct drop {
	struct drop *next;
	void (*destroy)(struct ctx *ctx, struct drop *drop);
};

/** How a buffer in user memory is reached; mm provides it, so that vfs and ipc need not know mm. */
struct user_ops {
	/**
	 * Copy n bytes between user memory at addr and the host buffer.
	 * @return bytes copied from the start; fewer than n: the next byte cannot be accessed (EFAULT).
	 */
	size_t (*copy)(struct ctx *ctx, ksim_addr addr, void *host, size_t n, bool to_user);
};

/** What is counted, and mostly told too: see event.h. */
enum event_kind {
	EVENT_CALL,        /* a system call; told through env_hooks.trace */
	EVENT_FAULT_FILE,  /* a fault has mapped a page of an object */
	EVENT_FAULT_ANON,  /* ... a fresh private page, perhaps in the place of the frame of zeros */
	EVENT_FAULT_ZERO,  /* ... the frame of zeros */
	EVENT_FAULT_COPY,  /* ... a private copy of a page */
	EVENT_FAULT_REUSE, /* ... has allowed the access in place */
	EVENT_FAULT_OTHER, /* ... has found the page there already */
	EVENT_FAULT_SEGV,  /* ... cannot be resolved: SIGSEGV, or EFAULT of a call */
	EVENT_FAULT_BUS,   /* ... likewise: SIGBUS */
	EVENT_FAULT_OOM,   /* ... has found no memory */
	EVENT_TLB_HIT,     /* counted only, and only by accesses that are calls of functions */
	EVENT_TLB_MISS,    /* counted only; the page table is walked for it */
	EVENT_WALK,        /* counted only: a walk of the page table by a CPU after a fault; each miss is one more */
	EVENT_SHOOTDOWN,   /* translations of a range have been taken from the TLBs of a process */
	EVENT_BARRIER,     /* ... and other threads had to execute a barrier for it */
	EVENT_COPIED,      /* counted only: bytes */
	EVENT_BLOCK,       /* a thread goes to sleep */
	EVENT_UNBLOCK,     /* told only: it goes on */
	EVENT_WAKE,        /* a sleep has been ended by somebody */
	EVENT_KIND_COUNT,
};

struct event_counts {
	uint64_t n[EVENT_KIND_COUNT]; /* a  by kind */
};

/** Where the memory of a process appears among the program's own addresses; bytes 0: nowhere. */
struct user_window {
	uint64_t host; /* the address of its first byte */
	uint64_t bytes;
	ksim_addr user; /* the user address of it; another one than host in a forked child */
};

struct ctx {
	struct env *env;             /* the machine, as the lower folders see it */
	struct task *task;           /* who acts; NULL: the machine itself */
	struct mm *mm;               /* its address space, for user; opaque below mm */
	struct owner *owner;         /* on whose account new things go; never NULL */
	struct waiter *waiter;       /* what blocks when this caller blocks; NULL: it must not */
	const struct user_ops *user; /* NULL: there is no user memory, every access is EFAULT */
	struct user_window window;   /* c  which plain pointers are user addresses */
	struct drop *drops;          /* newest first */
	struct frame_cache *frames;  /* of its task: free frames at hand; NULL: none */
	const struct limits *limits; /* of its process; NULL: none, see limits.h */
	const struct creds *creds;   /* of its process; NULL: the machine's, which may do all, see creds.h */
	struct fs *fs;               /* of its process: where its paths begin, its umask; NULL: the root, none */
	struct event_counts *counts; /* where its events are counted: its task's, or the machine's own */
	const char *call;            /* name of the call under way; a string constant */
	uint32_t *roused[4]; /* sleepers to be woken as soon as the locks for it are released: see host/wait.c */
	unsigned nroused;
	uint32_t refused; /* the memory group whose limit has refused a frame since this was set to 0; 0: none */
	uint64_t raised;  /* signals for the caller that its call has raised; bit n - 1 is signal n */
	uint32_t held;    /* lock ranks held, a bit each */
	uint32_t lane;    /* c  where it counts itself as a reader of locks, and frames: host/lock.h, base/origin.h */
	bool interrupted; /* a sleep of the call's has been ended by a signal, or by the end of the caller */
	bool draining;
};

/** Make a caller that is the machine itself. */
void ctx_init(struct ctx *ctx, struct env *env, const char *call);

/** A signal for the caller, which gets it when its call is done (SIGXFSZ, SIGPIPE). */
static inline void ctx_raise(struct ctx *ctx, int signo)
{
	ctx->raised |= UINT64_C(1) << (signo - 1);
}

/** Queue a thing whose last reference has gone. Takes no lock and cannot fail. */
static inline void ctx_drop(struct ctx *ctx, struct drop *drop, void (*destroy)(struct ctx *, struct drop *))
{
	drop->destroy = destroy;
	drop->next = ctx->drops;
	ctx->drops = drop;
}

/** Destroy what is queued, and what that queues, until nothing is left. The caller holds no lock. */
void ctx_drain_slow(struct ctx *ctx);

static inline void ctx_drain(struct ctx *ctx)
{
	if (__builtin_expect(ctx->drops != NULL, 0))
		ctx_drain_slow(ctx);
}

#endif
