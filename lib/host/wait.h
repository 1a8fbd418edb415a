/* SPDX-License-Identifier: MIT */
/*
 * Waiting has one shape. A wait queue is a place where something may happen. A caller arms one entry on each
 * queue it cares about, under the lock that guards the condition, releases that lock and waits; whoever
 * changes the condition wakes the queue, which calls the callback of its entries, usually that of a sleeper.
 *
 *   lock(thing);
 *   while (!condition) {
 *           wait_arm(ctx, &thing->readers, &entry, WAIT_ALL);
 *           unlock(thing);
 *           err = wait_sleep(ctx, &entry, 1, deadline, "data on a unix socket");
 *           lock(thing);
 *           if (err < 0) break;
 *   }
 *   unlock(thing);
 *
 * Deadlock: every host thread that acts as a process of the machine waits here, none has a deadline, and
 * nobody holds detection off. Then every one of those waits returns -EDEADLK, and one report names each
 * process, its call, and what it waits for. The last to wait, to stop acting or to release a hold looks.
 */
#ifndef HOST_WAIT_H
#define HOST_WAIT_H

#include <sys/queue.h>

#include "base/env.h"
#include "host/lock.h"

struct wait_queue {
	struct mutex lock;                  /* RANK_WAIT_QUEUE */
	TAILQ_HEAD(, wait_entry) entries;   /* q */
	struct wait_entry *first_exclusive; /* q  those follow the others */
	unsigned narmed;                    /* q, read without */
};

struct wait_entry {
	TAILQ_ENTRY(wait_entry) link; /* q */
	struct wait_queue *queue;     /* q  NULL: not armed */
	struct waiter *waiter;        /* c  who sleeps, for the default callback */
	/** Called with the queue's lock held. @return true if it used up an exclusive wake-up */
	bool (*wake)(struct ctx *ctx, struct wait_entry *entry);
	bool exclusive; /* c */
};

enum wait_mode { WAIT_ALL, WAIT_EXCLUSIVE };

/** One who can sleep: a task. */
struct waiter {
	uint32_t word;                   /* a  1 while asleep: what it sleeps on */
	LIST_ENTRY(waiter) link;         /* r  of the registry's sleepers */
	struct owner *owner;             /* c */
	uint32_t tid;                    /* c  of the task; 0: none */
	const char *call;                /* r  what it is in */
	const char *what;                /* r  what it waits for */
	bool asleep;                     /* r */
	bool woken;                      /* r */
	bool deadlocked;                 /* r */
	bool has_deadline;               /* r */
	bool outside;                    /* c  of a thread that acts as no process: see wait.c */
	bool kicked;                     /* a  a signal or the end is pending: wait_sleep returns -EINTR */
	void (*settle)(struct ctx *ctx); /* of its thread: called before a sleep, and may kick it; NULL: nothing */
	uint64_t wake;                   /* r  which wake-up has ended its last sleep; 0: none has */
};

struct wait_registry {
	struct mutex lock;            /* RANK_WAITER */
	LIST_HEAD(, waiter) sleepers; /* r */
	unsigned acting;              /* a  host threads that act as a process */
	unsigned asleep;              /* r, read without; of these, asleep */
	unsigned outside;             /* r, read without; sleepers that do not act */
	unsigned timed;               /* r  of these, with a deadline */
	unsigned holds;               /* r */
	uint64_t wakes;               /* r  sleeps that somebody has ended; numbers them */
};

#define WAIT_FOREVER UINT64_MAX

void wait_registry_init(struct wait_registry *reg);
void wait_registry_fini(struct wait_registry *reg);
void waiter_init(struct waiter *waiter, struct owner *owner);
void waiter_fini(struct waiter *waiter);
void wait_queue_init(struct wait_queue *q);
/** Nothing may be armed any more. */
void wait_queue_fini(struct wait_queue *q);

/** Arm an entry that wakes ctx->waiter. The entry must not be armed. */
void wait_arm(struct ctx *ctx, struct wait_queue *q, struct wait_entry *entry, enum wait_mode mode);
/** Arm an entry with a callback of its own. */
void wait_arm_callback(struct ctx *ctx, struct wait_queue *q, struct wait_entry *entry,
                       bool (*wake)(struct ctx *, struct wait_entry *), enum wait_mode mode);
/** Take an entry off its queue; nothing if it is not armed. */
void wait_disarm(struct ctx *ctx, struct wait_entry *entry);

/**
 * Sleep until one of the n armed entries is woken, then disarm all of them.
 * @param deadline_ns  on host_clock_ns(), or WAIT_FOREVER
 * @param what         for the deadlock report; a string constant
 * @return 0 woken, perhaps for another reason than the caller's; -EINTR kicked; -ETIMEDOUT;
 *         -EDEADLK nothing can wake it (or ctx->waiter is NULL). ctx->interrupted says that it was kicked.
 */
int wait_sleep(struct ctx *ctx, struct wait_entry *entries, size_t n, uint64_t deadline_ns, const char *what);

/**
 * Wake all non-exclusive entries and at most `exclusive` exclusive ones, each kind in the order they were armed.
 * The caller has changed the condition under the lock under which entries are armed, and holds it or has released it
 * since: then a queue where nothing is armed costs one load, and no wake-up is lost.
 */
void wait_wake(struct ctx *ctx, struct wait_queue *q, unsigned exclusive);
static inline void wait_wake_all(struct ctx *ctx, struct wait_queue *q)
{
	wait_wake(ctx, q, ~0u);
}

/** Make the waiter's present or next sleep return -EINTR, until waiter_unkick. */
void waiter_kick(struct ctx *ctx, struct waiter *waiter);
void waiter_unkick(struct waiter *waiter);

/** A host thread begins or ends acting as some process of the machine; may find a deadlock. */
void wait_acting_begin(struct env *env);
void wait_acting_end(struct env *env);
/** Hold deadlock detection off, and let it go on. */
void wait_hold(struct env *env);
void wait_release(struct env *env);

/** Nanoseconds of the host's monotonic clock. */
uint64_t host_clock_ns(void);
/** Nanoseconds since the epoch, exact to the host's tick: what files are stamped with. */
uint64_t host_realtime_ns(void);

/** A point at which a scheduler may switch. The caller holds no lock. */
static inline void sched_point(struct ctx *ctx, const char *why)
{
	const struct env_hooks *hooks = &ctx->env->hooks;

	if (unlikely(hooks->sched_point != NULL))
		hooks->sched_point(hooks->sched_arg, ctx, why);
}

#endif
