// SPDX-License-Identifier: MIT
/*
 * Events: what is counted where, and who is told.
 */
#include "base/event.h"

#include "bed.h"

struct heard {
	struct event last;
	unsigned n;
};

static void hear(void *arg, struct ctx *ctx, const struct event *event)
{
	struct heard *heard = arg;

	(void)ctx;
	heard->last = *event;
	heard->n++;
}

TEST(event, of_a_task_is_counted_on_it_and_others_on_the_machine)
{
	struct event_counts counts = { { 0 } };
	struct bed bed;

	bed_open(&bed);
	EVENT(&bed.ctx, EVENT_BLOCK, .what = "a test");
	event_count(&bed.ctx, EVENT_COPIED, 7);
	EXPECT_EQ(bed.env.counts.n[EVENT_BLOCK], 1u);
	EXPECT_EQ(bed.env.counts.n[EVENT_COPIED], 7u);
	bed.ctx.task = (struct task *)&counts;
	bed.ctx.counts = &counts;
	event_count(&bed.ctx, EVENT_COPIED, 5);
	EXPECT_EQ(counts.n[EVENT_COPIED], 5u);
	EXPECT_EQ(bed.env.counts.n[EVENT_COPIED], 7u);
	bed_close(&bed);
}

TEST(event, is_told_while_the_hook_is_set_with_what_was_said_of_it_and_nothing_else)
{
	struct heard heard = { .n = 0 };
	struct bed bed;

	bed_open(&bed);
	EVENT(&bed.ctx, EVENT_WAKE, .pid = 2);
	EXPECT_EQ(heard.n, 0u);
	bed.env.hooks.event = hear;
	bed.env.hooks.event_arg = &heard;
	EVENT(&bed.ctx, EVENT_WAKE, .pid = 2, .wake = 9);
	EXPECT_EQ(heard.n, 1u);
	EXPECT_EQ(heard.last.kind, EVENT_WAKE);
	EXPECT_EQ(heard.last.pid, 2u);
	EXPECT_EQ(heard.last.wake, 9u);
	EXPECT_EQ(heard.last.addr, 0u);
	EVENT_TELL(&bed.ctx, EVENT_UNBLOCK);
	EXPECT_EQ(heard.last.kind, EVENT_UNBLOCK);
	event_count(&bed.ctx, EVENT_CALL, 1);
	EXPECT_EQ(heard.n, 2u);
	EXPECT_EQ(bed.env.counts.n[EVENT_WAKE], 2u);
	EXPECT_EQ(bed.env.counts.n[EVENT_UNBLOCK], 0u);
	bed_close(&bed);
}

TEST(event, told_when_the_hook_has_just_been_cleared_reaches_nobody)
{
	const struct event event = { .kind = EVENT_WAKE };
	struct bed bed;

	bed_open(&bed);
	event_tell(&bed.ctx, &event);
	bed_close(&bed);
}
