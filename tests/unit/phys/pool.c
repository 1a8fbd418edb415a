// SPDX-License-Identifier: MIT
/*
 * The pool of huge pages: its size, what it promises, and how pages come back to it.
 */
#include "phys/pool.h"
#include "unit/phys/bed.h"

#define RAM (32 * MIB)

static void open_pool(struct bed *bed, uint64_t npages)
{
	bed_open(bed, RAM, true);
	pool_resize(&bed->ctx, npages);
}

static void close_pool(struct bed *bed)
{
	bed_check(bed);
	pool_resize(&bed->ctx, 0);
	bed_close(bed);
}

static void expect_numbers(struct bed *bed, uint64_t total, uint64_t nfree, uint64_t reserved, uint64_t surplus)
{
	struct pool_numbers n;

	pool_numbers(&bed->ctx, &n);
	EXPECT_EQ(n.total, total);
	EXPECT_EQ(n.nfree, nfree);
	EXPECT_EQ(n.reserved, reserved);
	EXPECT_EQ(n.surplus, surplus);
	bed_check(bed);
}

static pfn_t take(struct bed *bed, bool promised)
{
	pfn_t head = PFN_NONE;

	EXPECT_EQ(pool_take(&bed->ctx, FRAME_ANON, FRAME_ZERO, promised, &head), 0);
	return head;
}

static long frames_of(const struct owner *owner)
{
	return owner_count(owner, CENSUS_FRAME);
}

TEST(pool, has_the_pages_that_it_was_told_to_have_on_the_machines_account)
{
	struct bed bed;

	open_pool(&bed, 4);
	expect_numbers(&bed, 4, 4, 0, 0);
	EXPECT_EQ(frames_of(&bed.env.self), 4 * (long)HUGE_FRAMES);
	EXPECT_EQ(frames_of(&bed.alice), 0);
	pool_resize(&bed.ctx, 1);
	expect_numbers(&bed, 1, 1, 0, 0);
	close_pool(&bed);
}

TEST(pool, takes_as_many_as_there_is_RAM_for)
{
	struct pool_numbers n;
	struct bed bed;

	open_pool(&bed, 1000);
	pool_numbers(&bed.ctx, &n);
	EXPECT_EQ(n.total, 15); /* the first block has pfn 0 */
	bed_fail_after(&bed, 0);
	pool_resize(&bed.ctx, 2);
	pool_resize(&bed.ctx, 3);
	bed_fail_after(&bed, ~0u);
	expect_numbers(&bed, 2, 2, 0, 0);
	close_pool(&bed);
}

TEST(pool, page_is_its_users_until_the_last_frame_has_come_back)
{
	static const char zeros[PAGE_BYTES];
	struct bed bed;
	pfn_t head;

	open_pool(&bed, 1);
	head = take(&bed, false);
	expect_numbers(&bed, 1, 0, 0, 0);
	EXPECT_EQ(frames_of(&bed.alice), (long)HUGE_FRAMES);
	EXPECT_EQ(frames_of(&bed.env.self), 0);
	EXPECT_MEMEQ(frame_ptr(bed.phys, (pfn_t){ head.n + 511 }), zeros, PAGE_BYTES);
	memset(frame_ptr(bed.phys, head), 1, PAGE_BYTES);
	frame_get(bed.phys, (pfn_t){ head.n + 7 });
	frame_put_block(&bed.other, head);
	expect_numbers(&bed, 1, 0, 0, 0);
	EXPECT_EQ(frames_of(&bed.alice), 1);
	frame_put(&bed.other, (pfn_t){ head.n + 7 });
	expect_numbers(&bed, 1, 1, 0, 0);
	EXPECT_EQ(frames_of(&bed.alice), 0);
	head = take(&bed, false);
	EXPECT_MEMEQ(frame_ptr(bed.phys, head), zeros, PAGE_BYTES);
	frame_put_block(&bed.ctx, head);
	close_pool(&bed);
}

TEST(pool, promised_pages_are_for_who_was_promised_them)
{
	struct bed bed;
	pfn_t head, other;

	open_pool(&bed, 3);
	EXPECT_EQ(pool_promise(&bed.ctx, 4, true), -ENOMEM);
	EXPECT_EQ(pool_promise(&bed.ctx, 2, true), 0);
	EXPECT_EQ(pool_promise(&bed.ctx, 2, true), -ENOMEM);
	expect_numbers(&bed, 3, 3, 2, 0);
	other = take(&bed, false);
	EXPECT_EQ(pool_take(&bed.ctx, FRAME_FILE, 0, false, &head), -ENOMEM);
	head = take(&bed, true);
	expect_numbers(&bed, 3, 1, 1, 0);
	pool_untake(&bed.ctx, head, true);
	expect_numbers(&bed, 3, 2, 2, 0);
	EXPECT(!pool_renew(&bed.ctx));
	pool_untake(&bed.ctx, other, false);
	EXPECT(pool_renew(&bed.ctx));
	pool_unpromise(&bed.ctx, 3);
	expect_numbers(&bed, 3, 3, 0, 0);
	close_pool(&bed);
}

TEST(pool, made_smaller_lets_what_is_used_go_when_it_comes_back)
{
	struct bed bed;
	pfn_t head[2];

	open_pool(&bed, 3);
	head[0] = take(&bed, false);
	head[1] = take(&bed, false);
	EXPECT_EQ(pool_promise(&bed.ctx, 1, false), 0);
	pool_resize(&bed.ctx, 1);
	expect_numbers(&bed, 3, 1, 1, 2);
	EXPECT(!pool_renew(&bed.ctx));
	frame_put_block(&bed.ctx, head[0]);
	expect_numbers(&bed, 2, 1, 1, 1);
	pool_resize(&bed.ctx, 2);
	expect_numbers(&bed, 2, 1, 1, 0);
	frame_put_block(&bed.ctx, head[1]);
	pool_unpromise(&bed.ctx, 1);
	expect_numbers(&bed, 2, 2, 0, 0);
	close_pool(&bed);
}

TEST(pool, overcommitment_is_for_a_promise_and_for_a_touch_and_goes_again)
{
	struct bed bed;
	pfn_t head;

	open_pool(&bed, 1);
	pool_set_overcommit(&bed.ctx, 2);
	EXPECT_EQ(pool_promise(&bed.ctx, 4, true), -ENOMEM);
	expect_numbers(&bed, 1, 1, 0, 0);
	EXPECT_EQ(pool_promise(&bed.ctx, 2, true), 0);
	expect_numbers(&bed, 2, 2, 2, 1);
	head = take(&bed, false);
	expect_numbers(&bed, 3, 2, 2, 2);
	EXPECT_EQ(pool_take(&bed.ctx, FRAME_FILE, 0, false, &head), -ENOMEM);
	frame_put_block(&bed.ctx, head);
	pool_unpromise(&bed.ctx, 2);
	expect_numbers(&bed, 1, 1, 0, 0);
	close_pool(&bed);
}

/* RAM has no block for the surplus page that is being made; meanwhile the pool is to have one more. */
static bool enlarge_meanwhile(void *arg, struct ctx *ctx, enum fail_kind kind)
{
	struct bed *bed = arg;
	struct pool_numbers n;

	(void)ctx;
	if (kind != FAIL_FRAME || ++bed->asked != 2)
		return false;
	pool_numbers(&bed->other, &n);
	pool_resize(&bed->other, n.total - n.surplus + 1);
	return true;
}

/* Likewise; meanwhile a page comes back. */
static bool give_meanwhile(void *arg, struct ctx *ctx, enum fail_kind kind)
{
	struct bed *bed = arg;

	(void)ctx;
	if (kind != FAIL_FRAME || ++bed->asked != 2)
		return false;
	frame_put_block(&bed->other, bed->head);
	return true;
}

TEST(pool, surplus_page_that_cannot_be_had_is_counted_for_nobody)
{
	struct bed bed;

	open_pool(&bed, 1);
	pool_set_overcommit(&bed.ctx, 1);
	bed.asked = 0;
	bed.env.hooks.fail_arg = &bed;
	bed.env.hooks.fail = enlarge_meanwhile;
	EXPECT_EQ(pool_promise(&bed.ctx, 2, true), -ENOMEM);
	bed.env.hooks.fail = NULL;
	expect_numbers(&bed, 1, 1, 0, 0);
	bed.head = take(&bed, false);
	bed.asked = 0;
	bed.env.hooks.fail = give_meanwhile;
	EXPECT_EQ(pool_promise(&bed.ctx, 1, true), -ENOMEM);
	bed.env.hooks.fail = NULL;
	expect_numbers(&bed, 0, 0, 0, 0);
	close_pool(&bed);
}

TEST(pool, asks_whether_it_shall_fail_but_for_what_was_promised)
{
	struct bed bed;
	pfn_t head;

	open_pool(&bed, 2);
	EXPECT_EQ(pool_promise(&bed.ctx, 1, true), 0);
	bed_fail_after(&bed, 0);
	EXPECT_EQ(pool_promise(&bed.ctx, 1, true), -ENOMEM);
	EXPECT_EQ(pool_take(&bed.ctx, FRAME_FILE, 0, false, &head), -ENOMEM);
	EXPECT_EQ(pool_take(&bed.ctx, FRAME_FILE, 0, true, &head), 0);
	bed_fail_after(&bed, ~0u);
	frame_put_block(&bed.ctx, head);
	close_pool(&bed);
}
