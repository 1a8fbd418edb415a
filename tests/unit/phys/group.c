// SPDX-License-Identifier: MIT
/*
 * Groups of accounts with a limit: what is charged, to whom, for how long, and what the limit does.
 *
 * What Linux promises: Documentation/admin-guide/cgroup-v2.rst, "Memory": memory.max is never exceeded by what this
 * kind of memory needs; what a process has allocated stays charged to the cgroup in which it did so.
 */
#include "phys/group.h"

#include <pthread.h>

#include "phys/cache.h"
#include "unit/finds.h"
#include "unit/phys/bed.h"

enum { LIMIT = 8, MANY = 6, THREADS = 2, ROUNDS = 20000 };

static struct group_look look_at(struct bed *bed, uint32_t id)
{
	struct group_look look = { 0 };

	EXPECT(group_look(bed->phys, id, &look));
	return look;
}

static void expect_used(struct bed *bed, uint32_t id, uint64_t used, uint64_t peak)
{
	EXPECT_EQ(look_at(bed, id).used, used);
	EXPECT_EQ(look_at(bed, id).peak, peak);
	bed_check(bed);
}

/* A new group, with this account in it. */
static uint32_t limited(struct bed *bed, struct owner *owner, uint64_t limit)
{
	uint32_t id = GROUP_NONE;

	REQUIRE_EQ(group_create(&bed->ctx, limit, &id), 0);
	owner_set_group(owner, id);
	return id;
}

static pfn_t take(struct ctx *ctx)
{
	pfn_t pfn = PFN_NONE;

	REQUIRE_EQ(frame_alloc(ctx, FRAME_ANON, FRAME_ZERO, &pfn), 0);
	return pfn;
}

static void put_all(struct ctx *ctx, const pfn_t *pfns, size_t n)
{
	while (n > 0)
		frame_put(ctx, pfns[--n]);
}

TEST(group, without_groups_nothing_is_charged_and_no_table_is_made)
{
	struct group_look look;
	struct bed bed;

	bed_open(&bed, MIB, true);
	frame_put(&bed.ctx, take(&bed.ctx));
	EXPECT(bed.phys->groups == NULL);
	EXPECT(!group_look(bed.phys, GROUP_NONE, &look) && !group_look(bed.phys, 1, &look));
	EXPECT_EQ(groups_used(bed.phys), 0);
	EXPECT(group_has_room(&bed.ctx, UINT64_MAX));
	bed_close(&bed);
}

TEST(group, limit_refuses_the_frame_above_it_and_says_so)
{
	pfn_t pfns[LIMIT], more;
	struct bed bed;
	uint32_t id;

	bed_open(&bed, MIB, true);
	id = limited(&bed, &bed.alice, LIMIT);
	EXPECT_EQ(id, 1);
	for (int i = 0; i < LIMIT; i++)
		pfns[i] = take(&bed.ctx);
	expect_used(&bed, id, LIMIT, LIMIT);
	EXPECT_EQ(bed.ctx.refused, GROUP_NONE);
	EXPECT_EQ(frame_alloc(&bed.ctx, FRAME_TABLE, FRAME_ZERO, &more), -ENOMEM);
	EXPECT_EQ(bed.ctx.refused, id);
	EXPECT_EQ(look_at(&bed, id).refused, 1);
	EXPECT_EQ(look_at(&bed, id).limit, LIMIT);
	frame_put(&bed.other, pfns[0]); /* whoever frees it */
	expect_used(&bed, id, LIMIT - 1, LIMIT);
	pfns[0] = take(&bed.ctx);
	put_all(&bed.ctx, pfns, LIMIT);
	expect_used(&bed, id, 0, LIMIT);
	bed_close(&bed);
}

TEST(group, limit_of_0_refuses_all_and_nothing_to_others)
{
	struct bed bed;
	uint32_t id;
	pfn_t pfn;

	bed_open(&bed, MIB, true);
	id = limited(&bed, &bed.alice, 0);
	EXPECT_EQ(frame_alloc(&bed.ctx, FRAME_ANON, 0, &pfn), -ENOMEM);
	frame_put(&bed.other, take(&bed.other));
	expect_used(&bed, id, 0, 0);
	bed_close(&bed);
}

TEST(group, accounts_of_a_group_share_its_limit)
{
	struct bed bed;
	pfn_t a, b, more;
	uint32_t id;

	bed_open(&bed, MIB, true);
	id = limited(&bed, &bed.alice, 2);
	owner_set_group(&bed.bob, id);
	a = take(&bed.ctx);
	b = take(&bed.other);
	EXPECT_EQ(frame_alloc(&bed.ctx, FRAME_ANON, 0, &more), -ENOMEM);
	EXPECT_EQ(frame_alloc(&bed.other, FRAME_ANON, 0, &more), -ENOMEM);
	EXPECT_EQ(look_at(&bed, id).refused, 2);
	frame_put(&bed.ctx, b);
	more = take(&bed.ctx);
	expect_used(&bed, id, 2, 2);
	frame_put(&bed.ctx, a);
	frame_put(&bed.ctx, more);
	bed_close(&bed);
}

TEST(group, many_frames_are_charged_all_or_none)
{
	pfn_t pfns[LIMIT], block;
	struct bed bed;
	uint32_t id;

	bed_open(&bed, MIB, true);
	id = limited(&bed, &bed.alice, LIMIT);
	REQUIRE_EQ(frame_alloc_many(&bed.ctx, FRAME_FILE, FRAME_ZERO, pfns, MANY), 0);
	expect_used(&bed, id, MANY, MANY);
	EXPECT_EQ(frame_alloc_many(&bed.ctx, FRAME_FILE, FRAME_ZERO, pfns + MANY, LIMIT - MANY + 1), -ENOMEM);
	EXPECT_EQ(frame_alloc_block(&bed.ctx, FRAME_FILE, 2, FRAME_ZERO, &block), -ENOMEM);
	expect_used(&bed, id, MANY, MANY);
	EXPECT(phys_has_frames(&bed.ctx, LIMIT - MANY));
	EXPECT(!phys_has_frames(&bed.ctx, LIMIT - MANY + 1));
	EXPECT_EQ(look_at(&bed, id).refused, 2); /* who asks for a block can do with less */
	REQUIRE_EQ(frame_alloc_block(&bed.ctx, FRAME_FILE, 1, FRAME_ZERO, &block), 0);
	expect_used(&bed, id, LIMIT, LIMIT);
	put_all(&bed.ctx, pfns, MANY);
	frame_put(&bed.ctx, block);
	frame_put(&bed.ctx, (pfn_t){ block.n + 1 });
	expect_used(&bed, id, 0, LIMIT);
	bed_close(&bed);
}

TEST(group, block_is_charged_whole_and_uncharged_whoever_frees_which_part)
{
	struct bed bed;
	uint32_t one, two;
	pfn_t a, b, none;

	bed_open(&bed, 8 * MIB, true);
	one = limited(&bed, &bed.alice, HUGE_FRAMES + 1);
	REQUIRE_EQ(frame_alloc_block(&bed.ctx, FRAME_ANON, HUGE_ORDER, FRAME_ZERO, &a), 0);
	expect_used(&bed, one, HUGE_FRAMES, HUGE_FRAMES);
	EXPECT_EQ(frame_alloc_block(&bed.ctx, FRAME_ANON, HUGE_ORDER, FRAME_ZERO, &none), -ENOMEM);
	EXPECT_EQ(look_at(&bed, one).refused, 0);
	EXPECT_EQ(bed.ctx.refused, GROUP_NONE);
	two = limited(&bed, &bed.alice, HUGE_FRAMES);
	REQUIRE_EQ(frame_alloc_block(&bed.ctx, FRAME_FILE, HUGE_ORDER, FRAME_ZERO, &b), 0);
	expect_used(&bed, two, HUGE_FRAMES, HUGE_FRAMES);
	frame_put_block(&bed.other, a);
	expect_used(&bed, one, 0, HUGE_FRAMES);
	frame_get(bed.phys, (pfn_t){ b.n + 3 });
	frame_put_block(&bed.ctx, b);
	expect_used(&bed, two, 1, HUGE_FRAMES);
	frame_put(&bed.ctx, (pfn_t){ b.n + 3 });
	expect_used(&bed, two, 0, HUGE_FRAMES);
	bed_close(&bed);
}

TEST(group, frames_of_several_groups_in_one_block_are_each_uncharged_from_their_own)
{
	struct bed bed;
	uint32_t one, two;
	pfn_t head = PFN_NONE;

	bed_open(&bed, 8 * MIB, true);
	one = limited(&bed, &bed.alice, HUGE_FRAMES);
	two = limited(&bed, &bed.bob, HUGE_FRAMES);
	/* Virgin frames come in a row. Those of an aligned block: some of the one, some of the other, some of none. */
	for (uint64_t pfn = 1; pfn < 2 * HUGE_FRAMES; pfn++) {
		struct ctx *ctx = pfn % 5 < 2 ? &bed.ctx : &bed.other;
		pfn_t got;

		owner_set_group(&bed.alice, pfn < HUGE_FRAMES || pfn % 5 == 0 ? GROUP_NONE : one);
		owner_set_group(&bed.bob, pfn < HUGE_FRAMES ? GROUP_NONE : two);
		REQUIRE_EQ(frame_alloc(ctx, FRAME_ANON, FRAME_ZERO, &got), 0);
		if (pfn == HUGE_FRAMES)
			head = got;
		SETUP(got.n == pfn);
	}
	EXPECT(look_at(&bed, one).used > HUGE_FRAMES / 10 && look_at(&bed, two).used > HUGE_FRAMES / 2);
	EXPECT(groups_used(bed.phys) < HUGE_FRAMES);
	frame_put_block(&bed.ctx, head);
	expect_used(&bed, one, 0, look_at(&bed, one).peak);
	expect_used(&bed, two, 0, look_at(&bed, two).peak);
	for (uint64_t pfn = 1; pfn < HUGE_FRAMES; pfn++)
		frame_put(&bed.ctx, (pfn_t){ pfn });
	bed_close(&bed);
}

TEST(group, frames_that_RAM_or_a_plan_refuses_are_not_charged)
{
	pfn_t pfns[64], pfn;
	struct bed bed;
	uint32_t id;
	size_t n = 0;

	bed_open(&bed, 32 * KSIM_PAGE_SIZE, true);
	id = limited(&bed, &bed.alice, 64);
	bed_fail_after(&bed, 0);
	EXPECT_EQ(frame_alloc(&bed.ctx, FRAME_ANON, 0, &pfn), -ENOMEM);
	EXPECT_EQ(frame_alloc_many(&bed.ctx, FRAME_ANON, 0, pfns, 4), -ENOMEM);
	bed_fail_after(&bed, ~0u);
	expect_used(&bed, id, 0, 0);
	EXPECT_EQ(frame_alloc_many(&bed.ctx, FRAME_ANON, 0, pfns, 32), -ENOMEM);
	EXPECT_EQ(frame_alloc_block(&bed.ctx, FRAME_ANON, 5, 0, &pfn), -ENOMEM);
	EXPECT_EQ(look_at(&bed, id).used, 0);
	while (frame_alloc(&bed.ctx, FRAME_ANON, 0, &pfns[n]) == 0)
		n++;
	EXPECT_EQ(look_at(&bed, id).used, 31);
	EXPECT_EQ(look_at(&bed, id).refused, 0);
	EXPECT_EQ(bed.ctx.refused, GROUP_NONE);
	put_all(&bed.ctx, pfns, n);
	bed_close(&bed);
}

TEST(group, frame_stays_charged_where_it_was_made_when_its_account_moves_or_ends)
{
	struct owner guest;
	struct ctx as_guest;
	uint32_t one, two;
	struct bed bed;
	pfn_t a, b, c;

	bed_open(&bed, MIB, true);
	owner_init(&bed.env.owners, &guest, 3, "guest");
	as_guest = bed.ctx;
	as_guest.owner = &guest;
	a = take(&as_guest); /* before it was in any */
	one = limited(&bed, &guest, LIMIT);
	b = take(&as_guest);
	two = limited(&bed, &guest, LIMIT);
	c = take(&as_guest);
	expect_used(&bed, one, 1, 1);
	expect_used(&bed, two, 1, 1);
	owner_fini(&bed.env.owners, &guest, &bed.env.self);
	EXPECT_EQ(groups_used(bed.phys), 2);
	frame_put(&bed.ctx, a);
	EXPECT_EQ(groups_used(bed.phys), 2);
	frame_put(&bed.ctx, b);
	expect_used(&bed, one, 0, 1);
	expect_used(&bed, two, 1, 1);
	frame_put(&bed.ctx, c);
	expect_used(&bed, two, 0, 1);
	bed_close(&bed);
}

TEST(group, unlimited_group_counts_only)
{
	struct bed bed;
	uint32_t id;
	pfn_t pfn;

	bed_open(&bed, MIB, true);
	id = limited(&bed, &bed.alice, GROUP_UNLIMITED);
	pfn = take(&bed.ctx);
	expect_used(&bed, id, 1, 1);
	EXPECT(!phys_has_frames(&bed.ctx, UINT64_C(1) << 40)); /* for want of RAM */
	EXPECT_EQ(look_at(&bed, id).refused, 0);
	frame_put(&bed.ctx, pfn);
	bed_close(&bed);
}

TEST(group, frames_in_a_task_s_cache_are_charged_to_nobody)
{
	struct frame_cache cache;
	pfn_t pfns[2], more;
	struct bed bed;
	uint32_t id;

	memset(&cache, 0, sizeof(cache));
	bed_open(&bed, MIB, false);
	frame_cache_join(&bed.ctx, bed.phys, &cache);
	bed.ctx.frames = &cache;
	id = limited(&bed, &bed.alice, 2);
	for (int i = 0; i < 2; i++)
		pfns[i] = take(&bed.ctx); /* fetches many more */
	expect_used(&bed, id, 2, 2);
	EXPECT_EQ(frame_alloc(&bed.ctx, FRAME_ANON, 0, &more), -ENOMEM);
	frame_put(&bed.ctx, pfns[1]);
	expect_used(&bed, id, 1, 2);
	pfns[1] = take(&bed.ctx);
	put_all(&bed.ctx, pfns, 2);
	expect_used(&bed, id, 0, 2);
	bed.ctx.frames = NULL;
	frame_cache_leave(&bed.ctx, bed.phys, &cache);
	bed_close(&bed);
}

static bool kmem_fails(void *arg, struct ctx *ctx, enum fail_kind kind)
{
	(void)arg;
	(void)ctx;
	return kind == FAIL_KMEM;
}

TEST(group, without_memory_or_ids_none_is_made)
{
	struct bed bed;
	uint32_t id = 7;

	bed_open(&bed, MIB, true);
	bed.env.hooks.fail = kmem_fails;
	EXPECT_EQ(group_create(&bed.ctx, LIMIT, &id), -ENOMEM);
	EXPECT(bed.phys->groups == NULL);
	EXPECT_EQ(id, 7);
	bed.env.hooks.fail = NULL;
	EXPECT_EQ(group_create(&bed.ctx, LIMIT, &id), 0);
	EXPECT_EQ(id, 1);
	bed.phys->groups->last = GROUP_IDS - 2;
	EXPECT_EQ(group_create(&bed.ctx, LIMIT, &id), 0);
	EXPECT_EQ(id, GROUP_IDS - 1);
	EXPECT_EQ(group_create(&bed.ctx, LIMIT, &id), -ENOSPC);
	owner_set_group(&bed.alice, id);
	frame_put(&bed.ctx, take(&bed.ctx));
	bed.phys->groups->last = 0;
	bed_close(&bed);
}

TEST(group, validator_names_what_is_wrong)
{
	struct groups *groups;
	struct bed bed;
	uint32_t id;
	pfn_t pfn;

	bed_open(&bed, MIB, true);
	id = limited(&bed, &bed.alice, LIMIT);
	pfn = take(&bed.ctx);
	groups = bed.phys->groups;
	EXPECT_SOUND(phys_check, bed.phys);
	EXPECT_FINDS_WHILE(groups->group[id].used, 2, "group I1: the frames of a group are counted", phys_check,
	                   bed.phys);
	EXPECT_FINDS_WHILE(groups->group[id].limit, 0, "group 1: 1 found, 1 counted, limit 0", phys_check, bed.phys);
	EXPECT_FINDS_WHILE(groups->group[id].peak, 0, "group I3: the peak lies between", phys_check, bed.phys);
	EXPECT_FINDS_WHILE(groups->of[pfn.n], 2, "group I2: what is charged to a group is a frame in use", phys_check,
	                   bed.phys);
	frame_put(&bed.ctx, pfn);
	EXPECT_FINDS_WHILE(groups->of[pfn.n], id, "group I2: what is charged to a group is a frame in use", phys_check,
	                   bed.phys);
	bed_close(&bed);
}

static void put_uncharged(void *arg)
{
	struct bed *bed = arg;
	pfn_t pfn = take(&bed->ctx);

	bed->phys->groups->group[1].used = 0;
	frame_put(&bed->ctx, pfn);
}

TEST(group, uncharging_what_was_not_charged_aborts)
{
	struct bed bed;

	bed_open(&bed, MIB, true);
	limited(&bed, &bed.alice, LIMIT);
	expect_abort(put_uncharged, &bed, "group I1");
	bed_close(&bed);
}

/* ---- several at once ---- */

struct crowd {
	struct bed bed;
	struct frame_cache cache[THREADS];
	uint32_t id;
	uint64_t over; /* a  looks at which more was used than the limit allows */
};

struct member {
	struct crowd *crowd;
	struct ctx *ctx;
	struct frame_cache *cache;
};

/* Take one or some until the limit refuses more, then give all back: so it is met all the time. */
static void *take_and_give(void *arg)
{
	const struct member *member = arg;
	struct crowd *crowd = member->crowd;
	pfn_t pfns[LIMIT + 3];
	size_t n = 0;

	for (uint32_t round = 0; round < ROUNDS; round++) {
		size_t want = 1 + round % 3;
		struct group_look look;
		int err = want == 1 ? frame_alloc(member->ctx, FRAME_ANON, 0, &pfns[n])
		                    : frame_alloc_many(member->ctx, FRAME_ANON, 0, &pfns[n], want);

		if (err == 0) {
			n += want;
		} else {
			put_all(member->ctx, pfns, n);
			n = 0;
		}
		if (!group_look(crowd->bed.phys, crowd->id, &look) || look.used > LIMIT || look.peak > LIMIT)
			__atomic_fetch_add(&crowd->over, 1, __ATOMIC_RELAXED);
	}
	put_all(member->ctx, pfns, n);
	return NULL;
}

TEST(group, threads_at_the_limit_never_exceed_it)
{
	struct crowd crowd = { 0 };
	struct member members[THREADS] = { { &crowd, &crowd.bed.ctx, &crowd.cache[0] },
		                           { &crowd, &crowd.bed.other, &crowd.cache[1] } };
	pthread_t threads[THREADS];

	bed_open(&crowd.bed, MIB, false);
	crowd.id = limited(&crowd.bed, &crowd.bed.alice, LIMIT);
	owner_set_group(&crowd.bed.bob, crowd.id);
	for (int i = 0; i < THREADS; i++) {
		frame_cache_join(&crowd.bed.ctx, crowd.bed.phys, &crowd.cache[i]);
		members[i].ctx->frames = &crowd.cache[i];
	}
	for (int i = 0; i < THREADS; i++)
		SETUP(pthread_create(&threads[i], NULL, take_and_give, &members[i]) == 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	EXPECT_EQ(crowd.over, 0);
	EXPECT(look_at(&crowd.bed, crowd.id).refused > 0);
	expect_used(&crowd.bed, crowd.id, 0, look_at(&crowd.bed, crowd.id).peak);
	for (int i = 0; i < THREADS; i++) {
		members[i].ctx->frames = NULL;
		frame_cache_leave(&crowd.bed.ctx, crowd.bed.phys, &crowd.cache[i]);
	}
	bed_close(&crowd.bed);
}

static struct {
	bool asked;
	uint32_t id;
} first;

/* In the middle of making the table somebody else makes it, and a group. */
static bool another_comes(void *arg, struct ctx *ctx, enum fail_kind kind)
{
	struct bed *bed = arg;

	(void)ctx;
	(void)kind;
	if (!first.asked) {
		first.asked = true;
		REQUIRE_EQ(group_create(&bed->other, 3 * PAGE_BYTES, &first.id), 0);
	}
	return false;
}

TEST(group, table_that_two_make_at_once_is_the_firsts)
{
	struct bed bed;
	uint32_t id = GROUP_NONE;

	bed_open(&bed, MIB, false);
	first.asked = false;
	bed.env.hooks.fail_arg = &bed;
	bed.env.hooks.fail = another_comes;
	EXPECT_EQ(group_create(&bed.ctx, 5 * PAGE_BYTES, &id), 0);
	bed.env.hooks.fail = NULL;
	EXPECT(first.asked && id != first.id);
	owner_set_group(&bed.alice, id);
	put_all(&bed.ctx, &(pfn_t){ take(&bed.ctx).n }, 1);
	expect_used(&bed, id, 0, 1);
	expect_used(&bed, first.id, 0, 0);
	bed_close(&bed);
}
