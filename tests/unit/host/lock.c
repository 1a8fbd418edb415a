// SPDX-License-Identifier: MIT
/*
 * Ranked locks: they exclude, and taking them in the wrong order aborts with the names of the ranks.
 */
#include "host/lock.h"

#include "host/barrier.h"
#include "unit/aborts.h"
#include "unit/host/bed.h"

enum { THREADS = 3, ADDITIONS = 3000 };

TEST(lock, held_ranks_are_known)
{
	struct bed bed;
	struct mutex inode, object;
	struct rwlock map;
	uint32_t leaf = 0;

	bed_open(&bed);
	mutex_init(&inode, RANK_INODE);
	mutex_init(&object, RANK_OBJECT);
	rwlock_init(&map, RANK_MM_MAP);
	mutex_lock(&bed.ctx, &inode);
	rwlock_read(&bed.ctx, &map);
	mutex_lock(&bed.ctx, &object);
	spin_lock(&bed.ctx, &leaf, RANK_PT_LEAF);
	EXPECT(lock_held(&bed.ctx, RANK_INODE) && lock_held(&bed.ctx, RANK_PT_LEAF));
	EXPECT(!lock_held(&bed.ctx, RANK_SOCKET));
	EXPECT_EQ(leaf, 1);
	/* They may be released in any order. */
	mutex_unlock(&bed.ctx, &inode);
	spin_unlock(&bed.ctx, &leaf, RANK_PT_LEAF);
	rwlock_read_unlock(&bed.ctx, &map);
	mutex_unlock(&bed.ctx, &object);
	EXPECT_EQ(bed.ctx.held, 0);
	EXPECT_EQ(leaf, 0);
	rwlock_write(&bed.ctx, &map);
	rwlock_write_unlock(&bed.ctx, &map);
	rwlock_fini(&map);
	mutex_fini(&object);
	mutex_fini(&inode);
	bed_close(&bed);
}

TEST(lock, second_of_a_kind_is_taken_as_another_rank)
{
	struct bed bed;
	struct mutex a, b;

	bed_open(&bed);
	mutex_init(&a, RANK_SOCKET);
	mutex_init(&b, RANK_SOCKET);
	mutex_lock(&bed.ctx, &a);
	mutex_lock_as(&bed.ctx, &b, RANK_SOCKET_PEER);
	mutex_unlock_as(&bed.ctx, &b, RANK_SOCKET_PEER);
	mutex_unlock(&bed.ctx, &a);
	EXPECT_EQ(bed.ctx.held, 0);
	mutex_fini(&b);
	mutex_fini(&a);
	bed_close(&bed);
}

static void invert(void *arg)
{
	struct bed *bed = arg;
	struct mutex outer, inner;

	mutex_init(&outer, RANK_INODE);
	mutex_init(&inner, RANK_OBJECT);
	mutex_lock(&bed->ctx, &inner);
	mutex_lock(&bed->ctx, &outer);
}

static void take_twice(void *arg)
{
	struct bed *bed = arg;
	struct rwlock map;

	rwlock_init(&map, RANK_MM_MAP);
	rwlock_read(&bed->ctx, &map);
	rwlock_read(&bed->ctx, &map);
}

static void release_of_another(void *arg)
{
	struct bed *bed = arg;
	struct mutex m;

	mutex_init(&m, RANK_INODE);
	mutex_lock(&bed->ctx, &m);
	mutex_unlock(&bed->processes[0].ctx, &m);
}

static void invert_under_two(void *arg)
{
	struct bed *bed = arg;
	struct mutex inode, object;
	struct rwlock map;

	rwlock_init(&map, RANK_MM_MAP);
	mutex_init(&object, RANK_OBJECT);
	mutex_init(&inode, RANK_INODE);
	rwlock_read(&bed->ctx, &map);
	mutex_lock(&bed->ctx, &object);
	mutex_lock(&bed->ctx, &inode);
}

TEST(lock, inversion_aborts_and_names_both)
{
	struct bed bed;

	bed_open(&bed);
	expect_abort(
		invert, &bed,
		"locks are taken in the order of lockrank.h: 'inode' while holding 'object' [machine (0), in test]");
	expect_abort(invert_under_two, &bed, "'inode' while holding 'mm map', 'object'");
	expect_abort(take_twice, &bed, "'mm map' while holding 'mm map'");
	expect_abort(release_of_another, &bed, "a lock is released by its holder");
	bed_close(&bed);
}

static struct {
	struct mutex mutex;
	struct rwlock rwlock;
	uint32_t word;
	unsigned by_mutex, by_rwlock, by_word;
} counters;

/* So that the others get tired of spinning and sleep. */
static void now_and_then_tarry(int i)
{
	if (i % 64 == 0)
		host_yield();
}

/* Whether nobody writes while it is read. */
static bool stays(int i)
{
	unsigned was = counters.by_rwlock;

	now_and_then_tarry(i + 2);
	return counters.by_rwlock == was;
}

static int add(struct bed_process *p)
{
	unsigned torn = 0;

	for (int i = 0; i < ADDITIONS; i++) {
		mutex_lock(&p->ctx, &counters.mutex);
		counters.by_mutex++;
		now_and_then_tarry(i);
		mutex_unlock(&p->ctx, &counters.mutex);
		rwlock_write(&p->ctx, &counters.rwlock);
		counters.by_rwlock++;
		now_and_then_tarry(i + 1);
		rwlock_write_unlock(&p->ctx, &counters.rwlock);
		rwlock_read(&p->ctx, &counters.rwlock);
		torn += counters.by_rwlock == 0 || !stays(i);
		rwlock_read_unlock(&p->ctx, &counters.rwlock);
		if (rwlock_try_read(&p->ctx, &counters.rwlock)) {
			torn += !stays(i + 1);
			rwlock_read_unlock(&p->ctx, &counters.rwlock);
		}
		spin_lock(&p->ctx, &counters.word, RANK_PT_LEAF);
		counters.by_word++;
		spin_unlock(&p->ctx, &counters.word, RANK_PT_LEAF);
	}
	return (int)torn;
}

static void add_together(struct mutex mutex, struct rwlock rwlock)
{
	struct bed bed;

	bed_open(&bed);
	memset(&counters, 0, sizeof(counters));
	counters.mutex = mutex;
	counters.rwlock = rwlock;
	for (int i = 0; i < THREADS; i++)
		bed_start(&bed, i, add);
	for (int i = 0; i < THREADS; i++)
		EXPECT_EQ(bed_join(&bed, i), 0);
	EXPECT_EQ(counters.by_mutex, THREADS * ADDITIONS);
	EXPECT_EQ(counters.by_rwlock, THREADS * ADDITIONS);
	EXPECT_EQ(counters.by_word, THREADS * ADDITIONS);
	rwlock_fini(&counters.rwlock);
	mutex_fini(&counters.mutex);
	bed_close(&bed);
}

TEST(lock, every_kind_excludes)
{
	add_together((struct mutex){ .rank = RANK_OBJECT }, (struct rwlock){ .rank = RANK_MM_MAP });
}

/* What is used where a tool watches, and in part everywhere. */
TEST(lock, every_kind_excludes_as_the_hosts_locks)
{
	add_together((struct mutex){ .rank = RANK_OBJECT, .posix = true, .lock = PTHREAD_MUTEX_INITIALIZER },
	             (struct rwlock){ .rank = RANK_MM_MAP, .posix = true, .lock = PTHREAD_RWLOCK_INITIALIZER });
}

static void try_beside_others(struct rwlock lock)
{
	struct bed bed;
	struct ctx *reader, *other;

	bed_open(&bed);
	reader = &bed.processes[0].ctx;
	other = &bed.processes[1].ctx;
	rwlock_write(&bed.ctx, &lock);
	EXPECT(!rwlock_try_read(reader, &lock));
	EXPECT_EQ(reader->held, 0);
	rwlock_write_unlock(&bed.ctx, &lock);
	EXPECT(rwlock_try_read(reader, &lock));
	EXPECT(lock_held(reader, RANK_MM_MAP));
	EXPECT(rwlock_try_read(other, &lock));
	rwlock_read_unlock(reader, &lock);
	rwlock_read_unlock(other, &lock);
	rwlock_write(&bed.ctx, &lock);
	rwlock_write_unlock(&bed.ctx, &lock);
	rwlock_fini(&lock);
	bed_close(&bed);
}

TEST(lock, trying_to_read_fails_while_a_writer_is_there_and_leaves_nothing)
{
	try_beside_others((struct rwlock){ .rank = RANK_MM_MAP });
	try_beside_others((struct rwlock){ .rank = RANK_MM_MAP, .posix = true, .lock = PTHREAD_RWLOCK_INITIALIZER });
}

static void end_a_held_mutex(void *arg)
{
	struct bed *bed = arg;
	struct mutex m = { .rank = RANK_INODE };

	mutex_lock(&bed->ctx, &m);
	mutex_fini(&m);
}

static void end_a_held_rwlock(void *arg)
{
	struct bed *bed = arg;
	struct rwlock l = { .rank = RANK_MM_MAP };

	rwlock_read(&bed->ctx, &l);
	rwlock_fini(&l);
}

TEST(lock, one_that_ends_while_it_is_held_aborts)
{
	struct bed bed;

	bed_open(&bed);
	expect_abort(end_a_held_mutex, &bed, "a lock ends released: 'inode'");
	expect_abort(end_a_held_rwlock, &bed, "a lock ends released: 'mm map'");
	bed_close(&bed);
}
