// SPDX-License-Identifier: MIT
/*
 * The parts of ranked locks that are not inline: making them, waiting for them, and the sentence about an inversion.
 *
 * The bit of a rank is set in ctx->held before the lock is asked for, so an inversion is reported by the caller that
 * would deadlock instead of by nobody. A read-write lock lets a waiting writer go first: a process whose threads
 * fault all the time could otherwise never map anything. That forbids taking one twice, which the ranks forbid anyway.
 *
 * A mutex is a word that is taken by a compare-exchange and released by one exchange: a pair that nobody contends for
 * costs half of what the host's costs, and a call of the kernel takes ten or twenty. Who does not get it spins for a
 * moment, then sets LOCK_AWAITED and sleeps on the word until it is woken:
 *
 *	OPEN -> HELD -> OPEN                    uncontended
 *	HELD -> AWAITED -> OPEN, wake one       who was woken takes it as AWAITED, others may sleep
 *
 * A read-write lock has such a word for its writers, and beside it lanes, each on a cache line of its own, in which
 * readers are counted. So two tasks that fault write nothing that the other reads. A writer pays for it with a look at
 * all lanes:
 *
 *	word      OPEN          HELD ------------------------------> OPEN, wake all
 *	lanes     1 0 2 0 ...   0 0 2 0 ... draining ... 0 0 0 0     nobody comes in
 *
 * Who comes while the word is not open takes his count back and waits for it.
 *
 * Releasing a mutex is the last access to its word: who is woken may end the lock at once. The wake-up itself takes the
 * address only, and to be woken for nothing does no harm. A read-write lock is looked at after a reader has released
 * it.
 *
 * I1  a writer goes on when it has seen every lane 0 after it took the word; a reader, when it has seen the word open
 *     after it was counted
 * I2  whoever is counted out of a lane while the word is not open ends `draining`: so a writer that set it and then saw
 *     readers is woken by the last of them
 *
 * helgrind knows the host's locks only, and the thread sanitizer says more about them; under either the host's are
 * taken. The ranks are the same.
 *
 * Linux: kernel/locking/{mutex,rwsem}.c and lockdep. Not modelled: fairness among those who wait.
 */
#include "host/lock.h"

#include <limits.h>
#include <linux/futex.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>
#if defined(HAVE_VALGRIND)
#include <valgrind/valgrind.h>
#endif

#include "base/util.h"
#include "host/barrier.h"

static const char *const rank_names[RANK_COUNT] = {
	[RANK_PROCESS_TABLE] = "process table",
	[RANK_PROCESS] = "process",
	[RANK_FD_TABLE] = "fd table",
	[RANK_FS] = "working directory",
	[RANK_NAMESPACE] = "namespace",
	[RANK_FILE_POS] = "file position",
	[RANK_TREE] = "tree",
	[RANK_SOCKET_READ] = "socket read",
	[RANK_INODE] = "inode",
	[RANK_SOCKET] = "socket",
	[RANK_SOCKET_PEER] = "socket peer",
	[RANK_MM_MAP] = "mm map",
	[RANK_OBJECT_MAKING] = "making of huge pages",
	[RANK_OBJECT] = "object",
	[RANK_OBJECT_LOOK] = "look at an object",
	[RANK_PT_LEAF] = "page-table leaf",
	[RANK_TLB_LIST] = "tlb list",
	[RANK_POOL] = "pool of huge pages",
	[RANK_FRAME] = "frame allocator",
	[RANK_SIGNAL] = "signal",
	[RANK_SIGNAL_ACTIONS] = "signal actions",
	[RANK_WAIT_QUEUE] = "wait queue",
	[RANK_WAITER] = "waiter",
	[RANK_ACCOUNT] = "account",
	[RANK_SLAB] = "slab",
};

_Static_assert(RANK_COUNT <= 32, "ctx->held has a bit for each rank");

enum { SPINS_BEFORE_YIELD = 64, SPINS_BEFORE_SLEEP = 100, NAMES_BYTES = 256 };

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

/* Of the thread sanitizer, where the program has it, whether this library was compiled with it or not. */
void __tsan_init(void) __attribute__((weak)); /* NOLINT(bugprone-reserved-identifier): its name */

/* Whether a tool watches that must see the host's own locks. */
static bool watched(void)
{
	if (__tsan_init != NULL)
		return true;
#if defined(HAVE_VALGRIND)
	return RUNNING_ON_VALGRIND != 0;
#else
	return false;
#endif
}

static void mutex_init_posix(struct mutex *m, enum lock_rank rank)
{
	*m = (struct mutex){ .rank = (uint8_t)rank, .posix = true };
	require(NULL, pthread_mutex_init(&m->lock, NULL), "pthread_mutex_init");
}

void mutex_init(struct mutex *m, enum lock_rank rank)
{
	if (watched()) {
		mutex_init_posix(m, rank);
		return;
	}
	m->word = LOCK_OPEN;
	m->rank = (uint8_t)rank;
	m->posix = false;
}

void mutex_fini(struct mutex *m)
{
	if (m->posix)
		require(NULL, pthread_mutex_destroy(&m->lock), "pthread_mutex_destroy");
	else
		KSIM_ASSERT(NULL, m->word == LOCK_OPEN, "a lock ends released", "'%s': %#x", rank_name(m->rank),
		            m->word);
}

void rwlock_init(struct rwlock *l, enum lock_rank rank)
{
	pthread_rwlockattr_t attr;

	l->word = LOCK_OPEN;
	l->draining = 0;
	l->rank = (uint8_t)rank;
	l->posix = watched();
	for (unsigned i = 0; i < RWLOCK_LANES; i++)
		l->lanes[i].readers = 0;
	if (!l->posix)
		return;
	require(NULL, pthread_rwlockattr_init(&attr), "pthread_rwlockattr_init");
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	require(NULL, pthread_rwlock_init(&l->lock, &attr), "pthread_rwlock_init");
	pthread_rwlockattr_destroy(&attr);
}

/* Not how many they are, but whether there are any. */
static uint32_t readers_of(const struct rwlock *l)
{
	uint32_t readers = 0;

	for (unsigned i = 0; i < RWLOCK_LANES; i++)
		readers |= __atomic_load_n(&l->lanes[i].readers, __ATOMIC_SEQ_CST);
	return readers;
}

void rwlock_fini(struct rwlock *l)
{
	if (l->posix)
		require(NULL, pthread_rwlock_destroy(&l->lock), "pthread_rwlock_destroy");
	else
		KSIM_ASSERT(NULL, l->word == LOCK_OPEN && readers_of(l) == 0, "a lock ends released",
		            "'%s': %#x, readers %#x", rank_name(l->rank), l->word, readers_of(l));
}

/* Waiting for a word. */

static void sleep_while(uint32_t *word, uint32_t value)
{
	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void wake(uint32_t *word, int n)
{
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, n, NULL, NULL, 0);
}

static void pause_briefly(void)
{
#if defined(__x86_64__)
	__asm__ volatile("pause");
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

/* Spin for a moment while a word has any of some bits: most locks are held for less than a sleep takes. */
static uint32_t spin_while(const uint32_t *word, uint32_t bits)
{
	uint32_t value = __atomic_load_n(word, __ATOMIC_RELAXED);

	for (unsigned spins = 0; value & bits && spins < SPINS_BEFORE_SLEEP; spins++) {
		pause_briefly();
		value = __atomic_load_n(word, __ATOMIC_RELAXED);
	}
	return value;
}

void mutex_wait(struct mutex *m)
{
	uint32_t open = LOCK_OPEN;

	if (spin_while(&m->word, ~0u) == LOCK_OPEN &&
	    __atomic_compare_exchange_n(&m->word, &open, LOCK_HELD, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return;
	/* Whoever has slept cannot know that he was the last, so he takes it as one for which others wait. */
	while (__atomic_exchange_n(&m->word, LOCK_AWAITED, __ATOMIC_ACQUIRE) != LOCK_OPEN)
		sleep_while(&m->word, LOCK_AWAITED);
}

void mutex_wake(struct mutex *m)
{
	wake(&m->word, 1);
}

/* Until a writer has gone. */
static void sleep_until_open(struct rwlock *l)
{
	uint32_t was = spin_while(&l->word, ~0u);

	if (was == LOCK_OPEN)
		return;
	if (was == LOCK_AWAITED ||
	    __atomic_compare_exchange_n(&l->word, &was, LOCK_AWAITED, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		sleep_while(&l->word, LOCK_AWAITED);
}

void rwlock_wait_read(struct rwlock *l, uint32_t *readers)
{
	if (l->posix) {
		require(NULL, pthread_rwlock_rdlock(&l->lock), "pthread_rwlock_rdlock");
		return;
	}
	do {
		__atomic_fetch_sub(readers, 1, __ATOMIC_SEQ_CST);
		rwlock_left(l);
		sleep_until_open(l);
		__atomic_fetch_add(readers, 1, __ATOMIC_SEQ_CST);
	} while (__atomic_load_n(&l->word, __ATOMIC_SEQ_CST) != LOCK_OPEN);
}

bool rwlock_try_posix(struct rwlock *l)
{
	return pthread_rwlock_tryrdlock(&l->lock) == 0;
}

void rwlock_wait_write(struct rwlock *l)
{
	uint32_t open = LOCK_OPEN;

	if (l->posix) {
		require(NULL, pthread_rwlock_wrlock(&l->lock), "pthread_rwlock_wrlock");
		return;
	}
	while (!__atomic_compare_exchange_n(&l->word, &open, LOCK_HELD, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {
		sleep_until_open(l);
		open = LOCK_OPEN;
	}
}

/* The word is the caller's: readers only leave. */
void rwlock_drain(struct rwlock *l)
{
	for (unsigned i = 0; i < RWLOCK_LANES; i++)
		spin_while(&l->lanes[i].readers, ~0u);
	while (readers_of(l) != 0) {
		/* Not a store: an emulator may let one and the loads that follow pass each other. */
		__atomic_exchange_n(&l->draining, 1, __ATOMIC_SEQ_CST);
		if (readers_of(l) != 0)
			sleep_while(&l->draining, 1);
	}
	__atomic_store_n(&l->draining, 0, __ATOMIC_RELAXED);
}

void rwlock_left(struct rwlock *l)
{
	if (__atomic_load_n(&l->draining, __ATOMIC_SEQ_CST) != 0 &&
	    __atomic_exchange_n(&l->draining, 0, __ATOMIC_SEQ_CST) != 0)
		wake(&l->draining, 1);
}

void rwlock_wake(struct rwlock *l)
{
	wake(&l->word, INT_MAX);
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
