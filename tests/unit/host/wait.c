// SPDX-License-Identifier: MIT
/*
 * Waiting: who is woken, what a sleep returns, and how a deadlock is told.
 *
 * No test sleeps to let something happen: threads are seen asleep in the registry's count, and deadlines are either
 * long past or beyond any test's patience.
 */
#include "host/wait.h"

#include <errno.h>

#include "unit/aborts.h"
#include "unit/host/bed.h"

#define HOUR_NS UINT64_C(3600000000000)

/* A counter that processes wait for: the thing of wait.h's example. */
static struct {
	struct mutex lock;
	struct wait_queue q;
	struct wait_queue other;
	unsigned items;
	enum wait_mode mode;
	uint64_t deadline_ns;
} thing;

static void thing_open(struct bed *bed, enum wait_mode mode)
{
	bed_open(bed);
	mutex_init(&thing.lock, RANK_SOCKET);
	wait_queue_init(&thing.q);
	wait_queue_init(&thing.other);
	thing.items = 0;
	thing.mode = mode;
	thing.deadline_ns = WAIT_FOREVER;
}

static void thing_close(struct bed *bed)
{
	wait_queue_fini(&thing.other);
	wait_queue_fini(&thing.q);
	mutex_fini(&thing.lock);
	bed_close(bed);
}

/* Take one item, waiting for it. */
static int take(struct bed_process *p)
{
	struct ctx *ctx = &p->ctx;
	struct wait_entry entry = { 0 };
	int err = 0;

	mutex_lock(ctx, &thing.lock);
	while (thing.items == 0 && err == 0) {
		wait_arm(ctx, &thing.q, &entry, thing.mode);
		mutex_unlock(ctx, &thing.lock);
		err = wait_sleep(ctx, &entry, 1, thing.deadline_ns, "an item");
		mutex_lock(ctx, &thing.lock);
	}
	if (err == 0)
		thing.items--;
	mutex_unlock(ctx, &thing.lock);
	return err;
}

static void put(struct bed *bed, unsigned n, unsigned exclusive)
{
	mutex_lock(&bed->ctx, &thing.lock);
	thing.items += n;
	wait_wake(&bed->ctx, &thing.q, exclusive);
	mutex_unlock(&bed->ctx, &thing.lock);
}

static unsigned items_left(struct bed *bed)
{
	unsigned left;

	mutex_lock(&bed->ctx, &thing.lock);
	left = thing.items;
	mutex_unlock(&bed->ctx, &thing.lock);
	return left;
}

TEST(wait, wake_ends_sleep_with_0)
{
	struct bed bed;

	thing_open(&bed, WAIT_ALL);
	wait_hold(&bed.env);
	bed_start(&bed, 0, take);
	bed_until_asleep(&bed, 1);
	put(&bed, 1, ~0u);
	EXPECT_EQ(bed_join(&bed, 0), 0);
	EXPECT_EQ(thing.q.narmed, 0);
	wait_release(&bed.env);
	thing_close(&bed);
}

TEST(wait, exclusive_wake_reaches_as_many_as_asked_and_all_others)
{
	struct bed bed;

	thing_open(&bed, WAIT_EXCLUSIVE);
	wait_hold(&bed.env);
	for (int i = 0; i < 5; i++)
		bed_start(&bed, i, take);
	bed_until_asleep(&bed, 5);
	put(&bed, 2, 2);
	/* The two leave; the others have not been disturbed. */
	while (items_left(&bed) != 0)
		sched_yield();
	EXPECT_EQ(__atomic_load_n(&bed.waits.asleep, __ATOMIC_RELAXED), 3);
	put(&bed, 3, ~0u);
	for (int i = 0; i < 5; i++)
		EXPECT_EQ(bed_join(&bed, i), 0);
	wait_release(&bed.env);
	thing_close(&bed);
}

/* One entry per call, with a callback that counts. */
struct counted {
	struct wait_entry entry;
	unsigned calls;
	bool uses_up;
};

static bool count_call(struct ctx *ctx, struct wait_entry *entry)
{
	struct counted *c = (struct counted *)(void *)entry;

	EXPECT(lock_held(ctx, RANK_WAIT_QUEUE));
	c->calls++;
	return c->uses_up;
}

TEST(wait, exclusive_wake_goes_past_those_that_cannot_use_it)
{
	struct bed bed;
	struct counted e[4] = { { .uses_up = false }, { .uses_up = true }, { .uses_up = true }, { .uses_up = false } };

	thing_open(&bed, WAIT_ALL);
	for (int i = 0; i < 3; i++)
		wait_arm_callback(&bed.ctx, &thing.q, &e[i].entry, count_call, WAIT_EXCLUSIVE);
	wait_arm_callback(&bed.ctx, &thing.q, &e[3].entry, count_call, WAIT_ALL);
	wait_wake(&bed.ctx, &thing.q, 1);
	EXPECT_EQ(e[0].calls, 1);
	EXPECT_EQ(e[1].calls, 1);
	EXPECT_EQ(e[2].calls, 0);
	EXPECT_EQ(e[3].calls, 1);
	wait_disarm(&bed.ctx, &e[0].entry);
	wait_disarm(&bed.ctx, &e[1].entry);
	wait_disarm(&bed.ctx, &e[1].entry);
	wait_wake(&bed.ctx, &thing.q, 0);
	EXPECT_EQ(e[2].calls, 0);
	EXPECT_EQ(e[3].calls, 2);
	wait_wake_all(&bed.ctx, &thing.q);
	EXPECT_EQ(e[2].calls, 1);
	wait_disarm(&bed.ctx, &e[2].entry);
	wait_disarm(&bed.ctx, &e[3].entry);
	thing_close(&bed);
}

TEST(wait, woken_waiter_leaves_next_exclusive_wake_to_another)
{
	struct bed bed;
	struct wait_entry a = { 0 }, b = { 0 };
	struct ctx *pa, *pb;

	thing_open(&bed, WAIT_EXCLUSIVE);
	pa = &bed.processes[0].ctx;
	pb = &bed.processes[1].ctx;
	wait_arm(pa, &thing.q, &a, WAIT_EXCLUSIVE);
	wait_arm(pb, &thing.q, &b, WAIT_EXCLUSIVE);
	wait_wake(&bed.ctx, &thing.q, 1);
	EXPECT(bed.processes[0].waiter.woken && !bed.processes[1].waiter.woken);
	wait_wake(&bed.ctx, &thing.q, 1);
	EXPECT(bed.processes[1].waiter.woken);
	EXPECT_EQ(wait_sleep(pa, &a, 1, WAIT_FOREVER, "a"), 0);
	EXPECT_EQ(wait_sleep(pb, &b, 1, WAIT_FOREVER, "b"), 0);
	thing_close(&bed);
}

TEST(wait, wake_between_arming_and_sleeping_is_not_lost)
{
	struct bed bed;
	struct wait_entry entries[2] = { 0 };
	struct ctx *p;

	thing_open(&bed, WAIT_ALL);
	p = &bed.processes[0].ctx;
	wait_arm(p, &thing.q, &entries[0], WAIT_ALL);
	wait_arm(p, &thing.other, &entries[1], WAIT_ALL);
	wait_wake_all(&bed.ctx, &thing.other);
	EXPECT_EQ(wait_sleep(p, entries, 2, WAIT_FOREVER, "either"), 0);
	EXPECT(entries[0].queue == NULL && entries[1].queue == NULL);
	EXPECT(!bed.processes[0].waiter.woken);
	thing_close(&bed);
}

TEST(wait, deadline_ends_sleep_with_ETIMEDOUT)
{
	struct bed bed;

	thing_open(&bed, WAIT_ALL);
	thing.deadline_ns = host_clock_ns() + 1000000;
	bed_start(&bed, 0, take);
	EXPECT_EQ(bed_join(&bed, 0), -ETIMEDOUT);
	EXPECT(host_clock_ns() >= thing.deadline_ns);
	thing.deadline_ns = 0;
	bed_start(&bed, 0, take);
	EXPECT_EQ(bed_join(&bed, 0), -ETIMEDOUT);
	EXPECT_STREQ(bed.said, "");
	thing_close(&bed);
}

TEST(wait, wake_before_deadline_wins)
{
	struct bed bed;

	thing_open(&bed, WAIT_ALL);
	thing.deadline_ns = host_clock_ns() + HOUR_NS;
	bed_start(&bed, 0, take);
	bed_until_asleep(&bed, 1);
	mutex_lock(&bed.ctx, &bed.waits.lock);
	EXPECT_EQ(bed.waits.timed, 1);
	mutex_unlock(&bed.ctx, &bed.waits.lock);
	put(&bed, 1, 1);
	EXPECT_EQ(bed_join(&bed, 0), 0);
	thing_close(&bed);
}

TEST(wait, kick_ends_present_and_next_sleep_with_EINTR_until_unkick)
{
	struct bed bed;
	struct waiter *waiter = &bed.processes[0].waiter;

	thing_open(&bed, WAIT_ALL);
	wait_hold(&bed.env);
	bed_start(&bed, 0, take);
	bed_until_asleep(&bed, 1);
	waiter_kick(&bed.ctx, waiter);
	EXPECT_EQ(bed_join(&bed, 0), -EINTR);
	bed_start(&bed, 0, take);
	EXPECT_EQ(bed_join(&bed, 0), -EINTR);
	waiter_unkick(waiter);
	bed_start(&bed, 0, take);
	bed_until_asleep(&bed, 1);
	put(&bed, 1, 1);
	EXPECT_EQ(bed_join(&bed, 0), 0);
	wait_release(&bed.env);
	thing_close(&bed);
}

TEST(wait, wake_is_told_rather_than_the_kick)
{
	struct bed bed;
	struct wait_entry entry = { 0 };
	struct bed_process *p = &bed.processes[0];

	thing_open(&bed, WAIT_EXCLUSIVE);
	wait_arm(&p->ctx, &thing.q, &entry, WAIT_EXCLUSIVE);
	wait_wake(&bed.ctx, &thing.q, 1);
	waiter_kick(&bed.ctx, &p->waiter);
	EXPECT_EQ(wait_sleep(&p->ctx, &entry, 1, WAIT_FOREVER, "both"), 0);
	EXPECT_EQ(wait_sleep(&p->ctx, NULL, 0, WAIT_FOREVER, "nothing"), -EINTR);
	thing_close(&bed);
}

TEST(wait, caller_that_must_not_block_gets_EDEADLK)
{
	struct bed bed;
	struct wait_entry entry = { 0 };

	thing_open(&bed, WAIT_ALL);
	wait_arm(&bed.ctx, &thing.q, &entry, WAIT_ALL);
	wait_wake_all(&bed.ctx, &thing.q);
	EXPECT_EQ(wait_sleep(&bed.ctx, &entry, 1, WAIT_FOREVER, "never"), -EDEADLK);
	EXPECT(entry.queue == NULL);
	thing_close(&bed);
}

TEST(wait, last_to_sleep_finds_deadlock_and_report_names_all)
{
	struct bed bed;

	thing_open(&bed, WAIT_ALL);
	wait_acting_begin(&bed.env); /* this thread, so that the first does not sleep alone */
	bed.processes[0].ctx.call = "recvmsg";
	bed_start(&bed, 0, take);
	bed_start(&bed, 1, take);
	bed_until_asleep(&bed, 2);
	EXPECT_STREQ(bed.said, "");
	EXPECT_EQ(take(&bed.processes[2]), -EDEADLK);
	EXPECT(strstr(bed.said, "deadlock") != NULL);
	EXPECT_MSG(strstr(bed.said, "p1 (1) in recvmsg waits for an item\n") != NULL, "it said: %s", bed.said);
	EXPECT_MSG(strstr(bed.said, "p2 (2) in read waits for an item\n") != NULL, "it said: %s", bed.said);
	EXPECT_MSG(strstr(bed.said, "p3 (3) in read waits for an item\n") != NULL, "it said: %s", bed.said);
	EXPECT_EQ(bed_join(&bed, 0), -EDEADLK);
	EXPECT_EQ(bed_join(&bed, 1), -EDEADLK);
	wait_acting_end(&bed.env);
	thing_close(&bed);
}

/* As ksim_join from a thread that acts as nobody. */
static int take_outside(struct bed_process *p)
{
	p->waiter.outside = true;
	wait_acting_end(&p->bed->env);
	p->result = take(p);
	wait_acting_begin(&p->bed->env);
	return p->result;
}

TEST(wait, sleeper_outside_is_told_only_when_nobody_acts)
{
	struct bed bed;

	thing_open(&bed, WAIT_ALL);
	wait_acting_begin(&bed.env);
	bed_start(&bed, 1, take_outside);
	while (__atomic_load_n(&bed.waits.outside, __ATOMIC_ACQUIRE) == 0)
		sched_yield();
	EXPECT_EQ(take(&bed.processes[0]), -EDEADLK);
	EXPECT_MSG(strstr(bed.said, "p1 (1)") != NULL && strstr(bed.said, "p2 (2)") == NULL, "it said: %s", bed.said);
	EXPECT_EQ(__atomic_load_n(&bed.waits.outside, __ATOMIC_ACQUIRE), 1);
	wait_acting_end(&bed.env);
	EXPECT_EQ(bed_join(&bed, 1), -EDEADLK);
	EXPECT_MSG(strstr(bed.said, "p2 (2)") != NULL, "it said: %s", bed.said);
	thing_close(&bed);
}

TEST(wait, end_of_acting_finds_deadlock)
{
	struct bed bed;

	thing_open(&bed, WAIT_ALL);
	wait_acting_begin(&bed.env);
	bed_start(&bed, 0, take);
	bed_until_asleep(&bed, 1);
	EXPECT_STREQ(bed.said, "");
	wait_acting_end(&bed.env);
	EXPECT_EQ(bed_join(&bed, 0), -EDEADLK);
	EXPECT(strstr(bed.said, "p1 (1)") != NULL);
	thing_close(&bed);
}

TEST(wait, hold_keeps_deadlock_off_and_release_finds_it)
{
	struct bed bed;

	thing_open(&bed, WAIT_ALL);
	wait_hold(&bed.env);
	wait_hold(&bed.env);
	bed_start(&bed, 0, take);
	bed_until_asleep(&bed, 1);
	wait_release(&bed.env);
	EXPECT_STREQ(bed.said, "");
	EXPECT_EQ(bed.waits.asleep, 1);
	wait_release(&bed.env);
	EXPECT_EQ(bed_join(&bed, 0), -EDEADLK);
	EXPECT(strstr(bed.said, "p1 (1)") != NULL);
	thing_close(&bed);
}

TEST(wait, sleeper_with_deadline_is_no_deadlock)
{
	struct bed bed;

	thing_open(&bed, WAIT_ALL);
	thing.deadline_ns = host_clock_ns() + HOUR_NS;
	bed_start(&bed, 0, take);
	bed_until_asleep(&bed, 1);
	wait_acting_begin(&bed.env);
	wait_acting_end(&bed.env);
	EXPECT_STREQ(bed.said, "");
	put(&bed, 1, 1);
	EXPECT_EQ(bed_join(&bed, 0), 0);
	thing_close(&bed);
}

/* Two processes hand one item to and fro; each is nearly always the only one awake. */
enum { ROUNDS = 3000 };

static struct wait_queue ball_q[2];
static unsigned ball_at;

static int play(struct bed_process *p)
{
	unsigned me = p->owner.id - 1;
	struct wait_entry entry = { 0 };

	for (int round = 0; round < ROUNDS; round++) {
		mutex_lock(&p->ctx, &thing.lock);
		while (ball_at != me) {
			int err;

			wait_arm(&p->ctx, &ball_q[me], &entry, WAIT_EXCLUSIVE);
			mutex_unlock(&p->ctx, &thing.lock);
			err = wait_sleep(&p->ctx, &entry, 1, WAIT_FOREVER, "the ball");
			if (err != 0)
				return err;
			mutex_lock(&p->ctx, &thing.lock);
		}
		ball_at = !me;
		mutex_unlock(&p->ctx, &thing.lock);
		wait_wake(&p->ctx, &ball_q[!me], 1);
	}
	return 0;
}

TEST(wait, ping_pong_is_never_taken_for_deadlock)
{
	struct bed bed;

	thing_open(&bed, WAIT_ALL);
	ball_at = 0;
	for (int i = 0; i < 2; i++)
		wait_queue_init(&ball_q[i]);
	wait_acting_begin(&bed.env);
	for (int i = 0; i < 2; i++)
		bed_start(&bed, i, play);
	wait_acting_end(&bed.env);
	for (int i = 0; i < 2; i++)
		EXPECT_EQ(bed_join(&bed, i), 0);
	EXPECT_STREQ(bed.said, "");
	for (int i = 0; i < 2; i++)
		wait_queue_fini(&ball_q[i]);
	thing_close(&bed);
}

/* Exclusive sleepers that give up all the time must not swallow the wake-up of one who stays. */
static int take_impatiently(struct bed_process *p)
{
	int taken = 0;

	while (__atomic_load_n(&ball_at, __ATOMIC_RELAXED) == 0)
		taken += take(p) == 0;
	return taken;
}

TEST(wait, wake_up_is_not_lost_in_one_who_times_out)
{
	struct bed bed;
	int taken = 0, items = 2000;

	thing_open(&bed, WAIT_EXCLUSIVE);
	ball_at = 0;
	thing.deadline_ns = 0;
	wait_hold(&bed.env);
	for (int i = 0; i < 3; i++)
		bed_start(&bed, i, take_impatiently);
	for (int i = 0; i < items; i++)
		put(&bed, 1, 1);
	while (items_left(&bed) != 0)
		sched_yield();
	__atomic_store_n(&ball_at, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < 3; i++)
		taken += bed_join(&bed, i);
	EXPECT_EQ(taken, items);
	wait_release(&bed.env);
	thing_close(&bed);
}

static void sleep_under_lock(void *arg)
{
	struct bed_process *p = arg;

	mutex_lock(&p->ctx, &thing.lock);
	wait_sleep(&p->ctx, NULL, 0, WAIT_FOREVER, "trouble");
}

TEST(wait, sleep_under_lock_aborts)
{
	struct bed bed;

	thing_open(&bed, WAIT_ALL);
	expect_abort(sleep_under_lock, &bed.processes[0], "nobody sleeps under a lock");
	thing_close(&bed);
}

static void note_point(void *arg, struct ctx *ctx, const char *why)
{
	(void)ctx;
	*(const char **)arg = why;
}

TEST(wait, sleep_is_a_point_for_a_scheduler)
{
	struct bed bed;
	const char *seen = NULL;

	thing_open(&bed, WAIT_ALL);
	bed.env.hooks.sched_point = note_point;
	bed.env.hooks.sched_arg = &seen;
	EXPECT_EQ(wait_sleep(&bed.processes[0].ctx, NULL, 0, 0, "a deadline"), -ETIMEDOUT);
	EXPECT_STREQ(seen, "a deadline");
	thing_close(&bed);
}
