// SPDX-License-Identifier: MIT
/*
 * Frames that tasks have at hand: what they took and gave last comes from there, and to everybody else they are free.
 */
#include "phys/cache.h"

#include <pthread.h>

#include "unit/finds.h"
#include "unit/phys/bed.h"

enum { RAM_FRAMES = 64, ROUNDS = 20000 };

/* Two tasks, each with a cache. */
struct tasks {
	struct bed bed;
	struct frame_cache cache[2];
};

static void tasks_open(struct tasks *t, uint64_t nframes, bool poison)
{
	memset(t->cache, 0, sizeof(t->cache));
	bed_open(&t->bed, nframes * KSIM_PAGE_SIZE, poison);
	frame_cache_join(&t->bed.ctx, t->bed.phys, &t->cache[0]);
	frame_cache_join(&t->bed.ctx, t->bed.phys, &t->cache[1]);
	t->bed.ctx.frames = t->cache[0].joined ? &t->cache[0] : NULL;
	t->bed.other.frames = t->cache[1].joined ? &t->cache[1] : NULL;
}

static void tasks_close(struct tasks *t)
{
	t->bed.ctx.frames = t->bed.other.frames = NULL;
	EXPECT_EQ(phys_free_frames(&t->bed.ctx), phys_total_frames(t->bed.phys));
	bed_check(&t->bed);
	frame_cache_leave(&t->bed.ctx, t->bed.phys, &t->cache[0]);
	frame_cache_leave(&t->bed.ctx, t->bed.phys, &t->cache[1]);
	EXPECT(LIST_EMPTY(&t->bed.phys->caches));
	bed_close(&t->bed);
}

static pfn_t take(struct ctx *ctx, unsigned flags)
{
	pfn_t pfn = PFN_NONE;

	REQUIRE_EQ(frame_alloc(ctx, FRAME_FILE, flags, &pfn), 0);
	return pfn;
}

TEST(frame_cache, frame_given_last_is_taken_first_and_lock_free)
{
	struct tasks t;
	uint64_t nfree;
	pfn_t a, b;

	tasks_open(&t, RAM_FRAMES, false);
	a = take(&t.bed.ctx, 0);
	b = take(&t.bed.ctx, 0);
	EXPECT_EQ(b.n, a.n + 1); /* fetched together */
	nfree = t.bed.phys->nfree;
	t.bed.ctx.held = 1u << RANK_FRAME; /* taking the allocator's lock would abort */
	frame_put(&t.bed.ctx, a);
	frame_put(&t.bed.ctx, b);
	EXPECT_EQ(take(&t.bed.ctx, 0).n, b.n);
	EXPECT_EQ(take(&t.bed.ctx, 0).n, a.n);
	t.bed.ctx.held = 0;
	EXPECT_EQ(t.bed.phys->nfree, nfree);
	bed_check(&t.bed);
	frame_put(&t.bed.ctx, a);
	frame_put(&t.bed.ctx, b);
	tasks_close(&t);
}

TEST(frame_cache, cached_frames_are_free_and_on_no_account)
{
	struct tasks t;
	pfn_t pfn;

	tasks_open(&t, RAM_FRAMES, false);
	pfn = take(&t.bed.ctx, 0);
	EXPECT_EQ(owners_total(&t.bed.env.owners, CENSUS_FRAME), 1);
	EXPECT_EQ(phys_free_frames(&t.bed.ctx), phys_total_frames(t.bed.phys) - 1);
	EXPECT(t.bed.phys->nfree < phys_total_frames(t.bed.phys) - 1);
	EXPECT(phys_has_frames(&t.bed.ctx, phys_total_frames(t.bed.phys) - 1));
	EXPECT(!phys_has_frames(&t.bed.ctx, phys_total_frames(t.bed.phys)));
	frame_put(&t.bed.ctx, pfn);
	EXPECT_EQ(owners_total(&t.bed.env.owners, CENSUS_FRAME), 0);
	tasks_close(&t);
}

TEST(frame_cache, no_allocation_fails_for_what_others_have_cached)
{
	struct tasks t;
	pfn_t pfns[RAM_FRAMES], none;
	size_t n = RAM_FRAMES - 1;

	tasks_open(&t, RAM_FRAMES, false);
	/* One by one, all at once, and as a block. */
	frame_put(&t.bed.other, take(&t.bed.other, 0));
	for (size_t i = 0; i < n; i++)
		pfns[i] = take(&t.bed.ctx, 0);
	EXPECT_EQ(frame_alloc(&t.bed.ctx, FRAME_FILE, 0, &none), -ENOMEM);
	EXPECT_EQ(frame_alloc(&t.bed.other, FRAME_FILE, 0, &none), -ENOMEM);
	for (size_t i = 0; i < n; i++)
		frame_put(i % 2 == 0 ? &t.bed.ctx : &t.bed.other, pfns[i]);
	EXPECT_EQ(frame_alloc_many(&t.bed.ctx, FRAME_FILE, 0, pfns, n + 1), -ENOMEM);
	REQUIRE_EQ(frame_alloc_many(&t.bed.ctx, FRAME_FILE, 0, pfns, n), 0);
	for (size_t i = 0; i < n; i++)
		frame_put(i % 2 == 0 ? &t.bed.ctx : &t.bed.other, pfns[i]);
	REQUIRE_EQ(frame_alloc_block(&t.bed.ctx, FRAME_FILE, 5, 0, &none), 0);
	for (uint64_t i = 0; i < 32; i++)
		frame_put(&t.bed.ctx, (pfn_t){ none.n + i });
	tasks_close(&t);
}

TEST(frame_cache, planned_failure_is_asked_for_first)
{
	struct tasks t;
	pfn_t pfn;

	tasks_open(&t, RAM_FRAMES, false);
	frame_put(&t.bed.ctx, take(&t.bed.ctx, 0));
	bed_fail_after(&t.bed, 0);
	EXPECT_EQ(frame_alloc(&t.bed.ctx, FRAME_FILE, 0, &pfn), -ENOMEM);
	bed_fail_after(&t.bed, ~0u);
	tasks_close(&t);
}

TEST(frame_cache, poisoned_frames_are_not_cached)
{
	struct tasks t;

	tasks_open(&t, RAM_FRAMES, true);
	EXPECT(t.bed.ctx.frames == NULL);
	frame_put(&t.bed.ctx, take(&t.bed.ctx, 0));
	EXPECT_EQ(t.bed.phys->nfree, phys_total_frames(t.bed.phys));
	tasks_close(&t);
}

TEST(frame_cache, frame_given_back_as_zeros_is_handed_out_as_it_is)
{
	struct tasks t;
	uint8_t *page;
	pfn_t pfn;

	tasks_open(&t, RAM_FRAMES, false);
	pfn = take(&t.bed.ctx, FRAME_ZERO);
	page = frame_ptr(t.bed.phys, pfn);
	frame_put_zeros(&t.bed.ctx, pfn);
	EXPECT(frame_of(t.bed.phys, pfn)->zeros);
	EXPECT_EQ(take(&t.bed.ctx, FRAME_ZERO).n, pfn.n);
	for (size_t i = 0; i < KSIM_PAGE_SIZE; i++)
		EXPECT_EQ(page[i], 0);
	memset(page, 1, KSIM_PAGE_SIZE);
	frame_put(&t.bed.ctx, pfn);
	EXPECT(!frame_of(t.bed.phys, pfn)->zeros);
	EXPECT_EQ(take(&t.bed.ctx, FRAME_ZERO).n, pfn.n);
	EXPECT_EQ(page[0], 0);
	EXPECT_EQ(page[KSIM_PAGE_SIZE - 1], 0);
	frame_put(&t.bed.ctx, pfn);
	tasks_close(&t);
}

TEST(frame_cache, broken_caches_are_named)
{
	struct tasks t;
	pfn_t pfn;

	tasks_open(&t, RAM_FRAMES, false);
	pfn = take(&t.bed.ctx, 0);
	EXPECT_SOUND(phys_check, t.bed.phys);
	EXPECT_FINDS_WHILE(t.cache[1].slot[0], (uint32_t)pfn.n, "frame cache I1: a slot has a cached frame", phys_check,
	                   t.bed.phys);
	EXPECT_FINDS_WHILE(t.cache[0].slot[0], 0, "frame cache I1: a cached frame is in one slot", phys_check,
	                   t.bed.phys);
	EXPECT_FINDS_WHILE(t.cache[0].top, 0, "frame cache I2: slots from top on are empty", phys_check, t.bed.phys);
	frame_put(&t.bed.ctx, pfn);
	tasks_close(&t);
}

/* ---- several threads ---- */

struct worker {
	struct tasks *t;
	struct ctx *ctx;
	uint64_t seed;
	unsigned refused, wrong;
};

/* More than both together can have: each empties the other's cache now and then. */
static void *take_and_give(void *arg)
{
	enum { WANTED = RAM_FRAMES * 2 / 3 };
	struct worker *w = arg;
	struct phys *phys = w->t->bed.phys;
	pfn_t have[WANTED];
	unsigned n = 0;

	for (unsigned i = 0; i < ROUNDS; i++) {
		if (n < WANTED && bed_random(&w->seed) % 5 < 3) {
			if (frame_alloc(w->ctx, FRAME_FILE, FRAME_ZERO, &have[n]) < 0) {
				w->refused++;
				continue;
			}
			w->wrong += *(uint64_t *)frame_ptr(phys, have[n]) != 0;
			*(uint64_t *)frame_ptr(phys, have[n]) = w->seed | 1;
			n++;
		} else if (n > 0) {
			pfn_t pfn = have[--n];

			*(uint64_t *)frame_ptr(phys, pfn) = 0;
			if (i % 2 == 0)
				frame_put_zeros(w->ctx, pfn);
			else
				frame_put(w->ctx, pfn);
		}
	}
	while (n > 0)
		frame_put(w->ctx, have[--n]);
	return NULL;
}

TEST(frame_cache, two_threads_share_scarce_frames_and_none_gets_lost)
{
	struct tasks t;
	struct worker w[2] = { { .t = &t, .ctx = &t.bed.ctx, .seed = 42 },
		               { .t = &t, .ctx = &t.bed.other, .seed = 7 } };
	pthread_t thread;

	tasks_open(&t, RAM_FRAMES, false);
	SETUP(pthread_create(&thread, NULL, take_and_give, &w[1]) == 0);
	take_and_give(&w[0]);
	pthread_join(thread, NULL);
	EXPECT_EQ(w[0].wrong + w[1].wrong, 0);
	tasks_close(&t);
}
