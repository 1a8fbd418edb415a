// SPDX-License-Identifier: MIT
/*
 * The parts of ranked locks that are not inline: making them, the read-write kind, waiting for a spin word, and the
 * sentence about an inversion.
 *
 * The bit of a rank is set in ctx->held before the lock is asked for, so an inversion is reported by the caller that
 * would deadlock instead of by nobody. A read-write lock lets a waiting writer go first: a process whose threads
 * fault all the time could otherwise never map anything. That forbids taking one twice, which the ranks forbid anyway.
 *
 * Linux: kernel/locking/{mutex,rwsem}.c and lockdep.
 */
#include "host/lock.h"

#include <stdio.h>

#include "base/util.h"
#include "host/barrier.h"

static const char *const rank_names[RANK_COUNT] = {
	[RANK_PROCESS_TABLE] = "process table",
	[RANK_PROCESS] = "process",
	[RANK_FD_TABLE] = "fd table",
	[RANK_NAMESPACE] = "namespace",
	[RANK_FILE_POS] = "file position",
	[RANK_SOCKET_READ] = "socket read",
	[RANK_INODE] = "inode",
	[RANK_SOCKET] = "socket",
	[RANK_SOCKET_PEER] = "socket peer",
	[RANK_MM_MAP] = "mm map",
	[RANK_MM_MAP_CHILD] = "mm map of a child",
	[RANK_OBJECT] = "object",
	[RANK_PT_LEAF] = "page-table leaf",
	[RANK_TLB_LIST] = "tlb list",
	[RANK_FRAME] = "frame allocator",
	[RANK_SIGNAL] = "signal",
	[RANK_WAIT_QUEUE] = "wait queue",
	[RANK_WAITER] = "waiter",
	[RANK_ACCOUNT] = "account",
};

_Static_assert(RANK_COUNT <= 32, "ctx->held has a bit for each rank");

enum { SPINS_BEFORE_YIELD = 64, NAMES_BYTES = 256 };

static void require(const struct ctx *ctx, int err, const char *what)
{
	KSIM_ASSERT(ctx, err == 0, "the host's locks work", "%s: error %d", what, err);
}

static const char *rank_name(unsigned rank)
{
	return rank < RANK_COUNT && rank_names[rank] != NULL ? rank_names[rank] : "unnamed";
}

void lock_inverted(struct ctx *ctx, unsigned rank)
{
	char names[NAMES_BYTES] = "";
	size_t used = 0;

	for (unsigned held = 0; held < RANK_COUNT && used < sizeof(names); held++)
		if (ctx->held >> held & 1)
			used += (size_t)snprintf(names + used, sizeof(names) - used, "%s'%s'", used > 0 ? ", " : "",
			                         rank_name(held));
	check_failed(ctx, "locks are taken in the order of lockrank.h", __FILE__, __LINE__, "'%s' while holding %s",
	             rank_name(rank), names);
}

void mutex_init(struct mutex *m, enum lock_rank rank)
{
	require(NULL, pthread_mutex_init(&m->lock, NULL), "pthread_mutex_init");
	m->rank = (uint8_t)rank;
}

void mutex_fini(struct mutex *m)
{
	require(NULL, pthread_mutex_destroy(&m->lock), "pthread_mutex_destroy");
}

void rwlock_init(struct rwlock *l, enum lock_rank rank)
{
	pthread_rwlockattr_t attr;

	require(NULL, pthread_rwlockattr_init(&attr), "pthread_rwlockattr_init");
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	require(NULL, pthread_rwlock_init(&l->lock, &attr), "pthread_rwlock_init");
	pthread_rwlockattr_destroy(&attr);
	l->rank = (uint8_t)rank;
}

void rwlock_fini(struct rwlock *l)
{
	require(NULL, pthread_rwlock_destroy(&l->lock), "pthread_rwlock_destroy");
}

void rwlock_read(struct ctx *ctx, struct rwlock *l)
{
	lock_rank_enter(ctx, l->rank);
	require(ctx, pthread_rwlock_rdlock(&l->lock), "pthread_rwlock_rdlock");
}

void rwlock_read_unlock(struct ctx *ctx, struct rwlock *l)
{
	pthread_rwlock_unlock(&l->lock);
	lock_rank_leave(ctx, l->rank);
}

void rwlock_write(struct ctx *ctx, struct rwlock *l)
{
	rwlock_write_as(ctx, l, (enum lock_rank)l->rank);
}

void rwlock_write_unlock(struct ctx *ctx, struct rwlock *l)
{
	rwlock_write_unlock_as(ctx, l, (enum lock_rank)l->rank);
}

void rwlock_write_as(struct ctx *ctx, struct rwlock *l, enum lock_rank rank)
{
	lock_rank_enter(ctx, rank);
	require(ctx, pthread_rwlock_wrlock(&l->lock), "pthread_rwlock_wrlock");
}

void rwlock_write_unlock_as(struct ctx *ctx, struct rwlock *l, enum lock_rank rank)
{
	pthread_rwlock_unlock(&l->lock);
	lock_rank_leave(ctx, rank);
}

static void pause_briefly(void)
{
#if defined(__x86_64__)
	__asm__ volatile("pause");
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

void spin_wait(uint32_t *word)
{
	for (unsigned spins = 0;; spins++) {
		uint32_t open = 0;

		if (__atomic_load_n(word, __ATOMIC_RELAXED) == 0 &&
		    __atomic_compare_exchange_n(word, &open, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			return;
		if (spins < SPINS_BEFORE_YIELD)
			pause_briefly();
		else
			host_yield();
	}
}
