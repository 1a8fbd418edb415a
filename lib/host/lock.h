/* SPDX-License-Identifier: MIT */
/*
 * Ranked locks. Every acquisition is checked against base/lockrank.h by the bits in ctx->held and aborts on an
 * inversion, in every build: the check is a shift and a branch.
 *
 * There are three kinds: a mutex; a read-write lock, whose readers do not disturb each other; and a spin lock of one
 * 32-bit word for page-table leaves, whose word lives in a struct frame and is held for a few instructions or one
 * invalidation.
 *
 * The first two are words of our own as well, on which waiters sleep; but where a tool watches that knows only the
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

#define RWLOCK_LANES 8 /* a power of two */

/* Readers count themselves by ctx->lane: those of one lane write the same cache line, others do not. */
struct rwlock_lane {
	uint32_t readers; /* a */
	uint32_t apart[15];
};

struct rwlock {
	uint32_t word;     /* a  of writers, as a mutex's; readers look at it. Unused if posix */
	uint32_t draining; /* a  the writer may sleep until a reader leaves */
	uint8_t rank;      /* c */
	bool posix;        /* c */
	pthread_rwlock_t lock;
	struct rwlock_lane lanes[RWLOCK_LANES];
};
_Static_assert(offsetof(struct rwlock, lanes) >= 64 && sizeof(struct rwlock_lane) == 64,
               "no reader writes the cache line of the word, nor that of another lane");

enum {
	LOCK_OPEN = 0,
	LOCK_HELD = 1,
	LOCK_AWAITED = 1 << 30, /* somebody may sleep */
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
void rwlock_wait_read(struct rwlock *l, uint32_t *readers);
bool rwlock_try_posix(struct rwlock *l);
void rwlock_wait_write(struct rwlock *l);
void rwlock_drain(struct rwlock *l);
void rwlock_left(struct rwlock *l);
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

static inline uint32_t *rwlock_readers(const struct ctx *ctx, struct rwlock *l)
{
	return &l->lanes[ctx->lane % RWLOCK_LANES].readers;
}

/*
 * A reader first counts itself and then looks whether there is a writer; a writer first says that it is there and then
 * looks for readers. All four are sequentially consistent, so that one of them sees the other.
 */

static inline void rwlock_read(struct ctx *ctx, struct rwlock *l)
{
	uint32_t *readers = rwlock_readers(ctx, l);

	lock_rank_enter(ctx, l->rank);
	if (likely(!l->posix))
		__atomic_fetch_add(readers, 1, __ATOMIC_SEQ_CST);
	if (unlikely(l->posix || __atomic_load_n(&l->word, __ATOMIC_SEQ_CST) != LOCK_OPEN))
		rwlock_wait_read(l, readers);
}

/** The memory of the lock outlasts the call by something else than the lock: it is looked at after it is released. */
static inline void rwlock_read_unlock(struct ctx *ctx, struct rwlock *l)
{
	if (unlikely(l->posix)) {
		pthread_rwlock_unlock(&l->lock);
	} else {
		__atomic_fetch_sub(rwlock_readers(ctx, l), 1, __ATOMIC_SEQ_CST);
		if (unlikely(__atomic_load_n(&l->word, __ATOMIC_SEQ_CST) != LOCK_OPEN))
			rwlock_left(l);
	}
	lock_rank_leave(ctx, l->rank);
}

/** rwlock_read, but not if a writer is there or waits. */
static inline bool rwlock_try_read(struct ctx *ctx, struct rwlock *l)
{
	lock_rank_enter(ctx, l->rank);
	if (unlikely(l->posix)) {
		if (rwlock_try_posix(l))
			return true;
		lock_rank_leave(ctx, l->rank);
		return false;
	}
	__atomic_fetch_add(rwlock_readers(ctx, l), 1, __ATOMIC_SEQ_CST);
	if (likely(__atomic_load_n(&l->word, __ATOMIC_SEQ_CST) == LOCK_OPEN))
		return true;
	rwlock_read_unlock(ctx, l);
	return false;
}

static inline void rwlock_write(struct ctx *ctx, struct rwlock *l)
{
	uint32_t open = LOCK_OPEN, readers = 0;

	lock_rank_enter(ctx, l->rank);
	if (unlikely(l->posix || !__atomic_compare_exchange_n(&l->word, &open, LOCK_HELD, false, __ATOMIC_SEQ_CST,
	                                                      __ATOMIC_RELAXED)))
		rwlock_wait_write(l);
	for (unsigned i = 0; i < RWLOCK_LANES; i++)
		readers |= __atomic_load_n(&l->lanes[i].readers, __ATOMIC_SEQ_CST);
	if (unlikely(readers != 0))
		rwlock_drain(l);
}

static inline void rwlock_write_unlock(struct ctx *ctx, struct rwlock *l)
{
	unsigned rank = l->rank;

	if (unlikely(l->posix))
		pthread_rwlock_unlock(&l->lock);
	else if (unlikely(__atomic_exchange_n(&l->word, LOCK_OPEN, __ATOMIC_RELEASE) != LOCK_HELD))
		rwlock_wake(l);
	lock_rank_leave(ctx, rank);
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
