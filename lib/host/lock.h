/* SPDX-License-Identifier: MIT */
/*
 * Ranked locks. Every acquisition is checked against base/lockrank.h by the bits in ctx->held and aborts on an
 * inversion, in every build: the check is a shift and a branch.
 *
 * There are three kinds: a mutex; a read-write lock; and a spin lock of one 32-bit word for page-table leaves,
 * whose word lives in a struct frame and is held for a few instructions or one invalidation.
 *
 * The first two are one word each as well, on which waiters sleep; but where a tool watches that knows only the
 * host's locks, they are the host's (see lock.c).
 */
#ifndef HOST_LOCK_H
#define HOST_LOCK_H

#include <pthread.h>

#include "base/check.h"
#include "base/lockrank.h"

struct mutex {
	uint32_t word; /* a  LOCK_*; unused if posix */
	uint8_t rank;  /* c */
	bool posix;    /* c  lock is taken instead of word */
	pthread_mutex_t lock;
};

struct rwlock {
	uint32_t word; /* a  LOCK_WRITER, LOCK_AWAITED, and how many read; unused if posix */
	uint8_t rank;  /* c */
	bool posix;    /* c */
	pthread_rwlock_t lock;
};

enum {
	LOCK_OPEN = 0,
	LOCK_HELD = 1,
	LOCK_AWAITED = 1 << 30, /* somebody may sleep */
	LOCK_WRITER = 1 << 29,
};

void mutex_init(struct mutex *m, enum lock_rank rank);
void mutex_fini(struct mutex *m);
void rwlock_init(struct rwlock *l, enum lock_rank rank);
void rwlock_fini(struct rwlock *l);

__attribute__((noreturn, cold)) void lock_inverted(struct ctx *ctx, unsigned rank);

static inline void lock_rank_enter(struct ctx *ctx, unsigned rank)
{
	if (unlikely(ctx->held >> rank != 0))
		lock_inverted(ctx, rank);
	ctx->held |= 1u << rank;
}

static inline void lock_rank_leave(struct ctx *ctx, unsigned rank)
{
	KSIM_ASSERT(ctx, ctx->held >> rank & 1, "a lock is released by its holder", "rank %u, held %#x", rank,
	            ctx->held);
	ctx->held &= ~(1u << rank);
}

static inline bool lock_held(const struct ctx *ctx, enum lock_rank rank)
{
	return ctx->held >> rank & 1;
}

/* What the inline functions leave to be done. */
void mutex_wait(struct mutex *m);
void mutex_wake(struct mutex *m);
void rwlock_wait(struct rwlock *l, bool write);
void rwlock_wake(struct rwlock *l);

/** Take as another rank: the second lock of two of a kind. */
static inline void mutex_lock_as(struct ctx *ctx, struct mutex *m, enum lock_rank rank)
{
	uint32_t open = LOCK_OPEN;

	lock_rank_enter(ctx, rank);
	if (unlikely(m->posix))
		pthread_mutex_lock(&m->lock);
	else if (unlikely(!__atomic_compare_exchange_n(&m->word, &open, LOCK_HELD, false, __ATOMIC_ACQUIRE,
	                                               __ATOMIC_RELAXED)))
		mutex_wait(m);
}

static inline void mutex_unlock_as(struct ctx *ctx, struct mutex *m, enum lock_rank rank)
{
	if (unlikely(m->posix))
		pthread_mutex_unlock(&m->lock);
	else if (unlikely(__atomic_exchange_n(&m->word, LOCK_OPEN, __ATOMIC_RELEASE) != LOCK_HELD))
		mutex_wake(m);
	lock_rank_leave(ctx, rank);
}

/** Take as the rank it was made with. */
static inline void mutex_lock(struct ctx *ctx, struct mutex *m)
{
	mutex_lock_as(ctx, m, (enum lock_rank)m->rank);
}

static inline void mutex_unlock(struct ctx *ctx, struct mutex *m)
{
	mutex_unlock_as(ctx, m, (enum lock_rank)m->rank);
}

static inline void rwlock_read(struct ctx *ctx, struct rwlock *l)
{
	uint32_t was = __atomic_load_n(&l->word, __ATOMIC_RELAXED);

	lock_rank_enter(ctx, l->rank);
	if (unlikely(l->posix || was >= LOCK_WRITER ||
	             !__atomic_compare_exchange_n(&l->word, &was, was + 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)))
		rwlock_wait(l, false);
}

static inline void rwlock_read_unlock(struct ctx *ctx, struct rwlock *l)
{
	uint32_t was = __atomic_load_n(&l->word, __ATOMIC_RELAXED);
	uint32_t last = LOCK_AWAITED | 1;

	if (unlikely(l->posix)) {
		pthread_rwlock_unlock(&l->lock);
	} else {
		while (!__atomic_compare_exchange_n(&l->word, &was, was == last ? LOCK_OPEN : was - 1, false,
		                                    __ATOMIC_RELEASE, __ATOMIC_RELAXED))
			;
		if (unlikely(was == last))
			rwlock_wake(l);
	}
	lock_rank_leave(ctx, l->rank);
}

static inline void rwlock_write_as(struct ctx *ctx, struct rwlock *l, enum lock_rank rank)
{
	uint32_t open = LOCK_OPEN;

	lock_rank_enter(ctx, rank);
	if (unlikely(l->posix || !__atomic_compare_exchange_n(&l->word, &open, LOCK_WRITER, false, __ATOMIC_ACQUIRE,
	                                                      __ATOMIC_RELAXED)))
		rwlock_wait(l, true);
}

static inline void rwlock_write_unlock_as(struct ctx *ctx, struct rwlock *l, enum lock_rank rank)
{
	if (unlikely(l->posix))
		pthread_rwlock_unlock(&l->lock);
	else if (unlikely(__atomic_exchange_n(&l->word, LOCK_OPEN, __ATOMIC_RELEASE) != LOCK_WRITER))
		rwlock_wake(l);
	lock_rank_leave(ctx, rank);
}

static inline void rwlock_write(struct ctx *ctx, struct rwlock *l)
{
	rwlock_write_as(ctx, l, (enum lock_rank)l->rank);
}

static inline void rwlock_write_unlock(struct ctx *ctx, struct rwlock *l)
{
	rwlock_write_unlock_as(ctx, l, (enum lock_rank)l->rank);
}

/** Wait until the word is 0 and make it 1: spins, then yields the host CPU. */
void spin_wait(uint32_t *word);

static inline void spin_lock(struct ctx *ctx, uint32_t *word, enum lock_rank rank)
{
	uint32_t open = 0;

	lock_rank_enter(ctx, rank);
	if (unlikely(!__atomic_compare_exchange_n(word, &open, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)))
		spin_wait(word);
}

static inline void spin_unlock(struct ctx *ctx, uint32_t *word, enum lock_rank rank)
{
	__atomic_store_n(word, 0, __ATOMIC_RELEASE);
	lock_rank_leave(ctx, rank);
}

#endif
