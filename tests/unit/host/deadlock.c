// SPDX-License-Identifier: MIT
/*
 * What may happen while a deadlock is being told: its report is written with the registry unlocked, so wake-ups and
 * kicks can come to a sleeper that has been counted as stuck. Here they come from the report's reader itself.
 */
#include <errno.h>

#include "unit/host/bed.h"

static struct {
	struct wait_queue q;
	void (*meanwhile)(struct bed *bed); /* once, at the report's first line */
	int other_woken;
} stuck;

static void hear(void *arg, const char *line)
{
	struct bed *bed = arg;
	void (*meanwhile)(struct bed *) = stuck.meanwhile;

	bed_hear(arg, line);
	stuck.meanwhile = NULL;
	if (meanwhile != NULL)
		meanwhile(bed);
}

static int wait_for_ever(struct bed_process *p)
{
	struct wait_entry entry = { 0 };

	wait_arm(&p->ctx, &stuck.q, &entry, WAIT_EXCLUSIVE);
	return wait_sleep(&p->ctx, &entry, 1, WAIT_FOREVER, "Godot");
}

/* p1 sleeps alone; the deadlock is found, and `meanwhile` happens while it is told. @return what p1's sleep returned */
static int sleep_stuck(struct bed *bed, void (*meanwhile)(struct bed *bed))
{
	int result;

	bed_open(bed);
	bed->env.hooks.say = hear;
	wait_queue_init(&stuck.q);
	stuck.meanwhile = meanwhile;
	stuck.other_woken = 0;
	wait_hold(&bed->env);
	bed_start(bed, 0, wait_for_ever);
	bed_until_asleep(bed, 1);
	wait_release(&bed->env);
	result = bed_join(bed, 0);
	EXPECT(stuck.meanwhile == NULL);
	EXPECT_EQ(stuck.q.narmed, 0);
	return result;
}

static void stuck_close(struct bed *bed)
{
	wait_queue_fini(&stuck.q);
	bed_close(bed);
}

static bool count_wake(struct ctx *ctx, struct wait_entry *entry)
{
	(void)ctx;
	(void)entry;
	stuck.other_woken++;
	return true;
}

/* An exclusive wake-up is for one that can use it: not for a sleeper whose sleep has just been ended otherwise. */
static void wake_one(struct bed *bed)
{
	struct wait_entry other = { 0 };

	wait_arm_callback(&bed->ctx, &stuck.q, &other, count_wake, WAIT_EXCLUSIVE);
	wait_wake(&bed->ctx, &stuck.q, 1);
	wait_disarm(&bed->ctx, &other);
}

TEST(deadlock, exclusive_wake_that_comes_during_the_report_goes_to_another)
{
	struct bed bed;

	EXPECT_EQ(sleep_stuck(&bed, wake_one), -EDEADLK);
	EXPECT_EQ(stuck.other_woken, 1);
	stuck_close(&bed);
}

static void kick(struct bed *bed)
{
	waiter_kick(&bed->ctx, &bed->processes[0].waiter);
}

/* A process that is being killed is not told of a deadlock: it could not do anything about it. */
TEST(deadlock, kick_that_comes_during_the_report_is_told_instead)
{
	struct bed bed;

	EXPECT_EQ(sleep_stuck(&bed, kick), -EINTR);
	waiter_unkick(&bed.processes[0].waiter);
	stuck_close(&bed);
}

TEST(deadlock, sleeper_outside_any_call_is_reported_so)
{
	struct bed bed;

	bed_open(&bed);
	wait_queue_init(&stuck.q);
	bed.processes[0].ctx.call = NULL;
	bed_start(&bed, 0, wait_for_ever);
	EXPECT_EQ(bed_join(&bed, 0), -EDEADLK);
	EXPECT_MSG(strstr(bed.said, "p1 (1) in no call waits for Godot\n") != NULL, "it said: %s", bed.said);
	stuck_close(&bed);
}
