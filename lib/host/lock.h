/* SPDX-License-Identifier: MIT */
/*
 * Ranked locks. Every acquisition is checked against base/lockrank.h by the bits in ctx->held and aborts on an
 * inversion, in every build: the check is a shift and a branch.
 *
 * There are three kinds: a mutex; a read-write lock; and a spin lock of one 32-bit word for page-table leaves,
 * whose word lives in a struct frame and is held for a few instructions or one invalidation.
 */
#ifndef HOST_LOCK_H
#define HOST_LOCK_H

#include <pthread.h>

#include "base/check.h"
#include "base/lockrank.h"

struct mutex {
	pthread_mutex_t lock;
	uint8_t rank;
};

struct rwlock {
	pthread_rwlock_t lock;
	uint8_t rank;
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

/** Take as the rank it was made with. */
static inline void mutex_lock(struct ctx *ctx, struct mutex *m)
{
	lock_rank_enter(ctx, m->rank);
	pthread_mutex_lock(&m->lock);
}

static inline void mutex_unlock(struct ctx *ctx, struct mutex *m)
{
	pthread_mutex_unlock(&m->lock);
	lock_rank_leave(ctx, m->rank);
}

/** Take as another rank: the second lock of two of a kind. */
static inline void mutex_lock_as(struct ctx *ctx, struct mutex *m, enum lock_rank rank)
{
	lock_rank_enter(ctx, rank);
	pthread_mutex_lock(&m->lock);
}

static inline void mutex_unlock_as(struct ctx *ctx, struct mutex *m, enum lock_rank rank)
{
	pthread_mutex_unlock(&m->lock);
	lock_rank_leave(ctx, rank);
}

void rwlock_read(struct ctx *ctx, struct rwlock *l);
void rwlock_read_unlock(struct ctx *ctx, struct rwlock *l);
void rwlock_write(struct ctx *ctx, struct rwlock *l);
void rwlock_write_unlock(struct ctx *ctx, struct rwlock *l);
void rwlock_write_as(struct ctx *ctx, struct rwlock *l, enum lock_rank rank);
void rwlock_write_unlock_as(struct ctx *ctx, struct rwlock *l, enum lock_rank rank);

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
