// SPDX-License-Identifier: MIT
/*
 * Frames in use: references, accounts, content, failures on purpose.
 */
#include <pthread.h>

#include "unit/phys/bed.h"

TEST(frame, last_put_frees_and_not_before)
{
	struct bed bed;
	pfn_t pfn;

	bed_open(&bed, MIB, true);
	REQUIRE_EQ(frame_alloc(&bed.ctx, FRAME_ANON, FRAME_ZERO, &pfn), 0);
	EXPECT_EQ(frame_refs(bed.phys, pfn), 1);
	frame_get(bed.phys, pfn);
	EXPECT_EQ(frame_refs(bed.phys, pfn), 2);
	frame_put(&bed.ctx, pfn);
	EXPECT_EQ(phys_free_frames(&bed.ctx), phys_total_frames(bed.phys) - 1);
	frame_put(&bed.ctx, pfn);
	EXPECT_EQ(phys_free_frames(&bed.ctx), phys_total_frames(bed.phys));
	bed_close(&bed);
}

TEST(frame, zeroed_frame_is_zero_fresh_and_recycled)
{
	static const char zeros[KSIM_PAGE_SIZE];
	struct bed bed;
	pfn_t pfn;

	for (int poison = 0; poison < 2; poison++) {
		bed_open(&bed, MIB, poison);
		for (int i = 0; i < 3; i++) {
			REQUIRE_EQ(frame_alloc(&bed.ctx, FRAME_ANON, FRAME_ZERO, &pfn), 0);
			EXPECT_MEMEQ(frame_ptr(bed.phys, pfn), zeros, sizeof(zeros));
			memset(frame_ptr(bed.phys, pfn), 'x', KSIM_PAGE_SIZE);
			frame_put(&bed.ctx, pfn);
		}
		bed_close(&bed);
	}
}

TEST(frame, copy_is_whole)
{
	struct bed bed;
	pfn_t from, to;

	bed_open(&bed, MIB, true);
	REQUIRE_EQ(frame_alloc(&bed.ctx, FRAME_ANON, FRAME_ZERO, &from), 0);
	REQUIRE_EQ(frame_alloc(&bed.ctx, FRAME_ANON, 0, &to), 0);
	for (size_t i = 0; i < KSIM_PAGE_SIZE; i++)
		((uint8_t *)frame_ptr(bed.phys, from))[i] = (uint8_t)(i * 7);
	frame_copy(bed.phys, to, from);
	EXPECT_MEMEQ(frame_ptr(bed.phys, to), frame_ptr(bed.phys, from), KSIM_PAGE_SIZE);
	frame_put(&bed.ctx, from);
	frame_put(&bed.ctx, to);
	bed_close(&bed);
}

TEST(frame, comes_off_the_account_that_paid_whoever_frees_it)
{
	struct bed bed;
	pfn_t anon, table, own;

	bed_open(&bed, MIB, true);
	REQUIRE_EQ(frame_alloc(&bed.ctx, FRAME_ANON, 0, &anon), 0);
	REQUIRE_EQ(frame_alloc(&bed.ctx, FRAME_TABLE, FRAME_ZERO, &table), 0);
	REQUIRE_EQ(frame_alloc(&bed.other, FRAME_FILE, 0, &own), 0);
	EXPECT_EQ(owner_count(&bed.alice, CENSUS_FRAME), 2);
	EXPECT_EQ(owner_count(&bed.alice, CENSUS_TABLE), 1);
	EXPECT_EQ(owner_count(&bed.bob, CENSUS_FRAME), 1);
	frame_put(&bed.other, anon);
	frame_put(&bed.other, table);
	EXPECT_EQ(owner_count(&bed.alice, CENSUS_FRAME), 0);
	EXPECT_EQ(owner_count(&bed.alice, CENSUS_TABLE), 0);
	EXPECT_EQ(owner_count(&bed.bob, CENSUS_FRAME), 1);
	frame_put(&bed.ctx, own);
	EXPECT_EQ(owner_count(&bed.bob, CENSUS_FRAME), 0);
	bed_close(&bed);
}

TEST(frame, of_an_ended_account_comes_off_its_heir)
{
	struct bed bed;
	pfn_t pfn;

	bed_open(&bed, MIB, true);
	REQUIRE_EQ(frame_alloc(&bed.ctx, FRAME_FILE, 0, &pfn), 0);
	owner_fini(&bed.env.owners, &bed.alice, &bed.env.self);
	EXPECT_EQ(owner_count(&bed.env.self, CENSUS_FRAME), 1);
	frame_put(&bed.other, pfn);
	EXPECT_EQ(owner_count(&bed.env.self, CENSUS_FRAME), 0);
	EXPECT_EQ(owner_count(&bed.bob, CENSUS_FRAME), 0);
	owner_init(&bed.env.owners, &bed.alice, 3, "alice again");
	bed_close(&bed);
}

TEST(frame, each_failure_on_purpose_is_ENOMEM_and_takes_nothing)
{
	struct bed bed;
	pfn_t pfn[8];

	bed_open(&bed, MIB, true);
	for (unsigned n = 0; n < 8; n++) {
		bed_fail_after(&bed, n);
		EXPECT_EQ(frame_alloc_many(&bed.ctx, FRAME_ANON, FRAME_ZERO, pfn, 8), -ENOMEM);
		EXPECT_EQ(bed.asked, n + 1);
		EXPECT_EQ(phys_free_frames(&bed.ctx), phys_total_frames(bed.phys));
		EXPECT_EQ(owner_count(&bed.alice, CENSUS_FRAME), 0);
	}
	bed_fail_after(&bed, 0);
	EXPECT_EQ(frame_alloc(&bed.ctx, FRAME_ANON, 0, pfn), -ENOMEM);
	EXPECT_EQ(frame_alloc_block(&bed.ctx, FRAME_ANON, 3, 0, pfn), -ENOMEM);
	EXPECT_EQ(frame_alloc_many(&bed.ctx, FRAME_ANON, 0, pfn, 0), 0);
	bed_fail_after(&bed, 8);
	REQUIRE_EQ(frame_alloc_many(&bed.ctx, FRAME_ANON, FRAME_ZERO, pfn, 8), 0);
	for (size_t i = 0; i < 8; i++)
		frame_put(&bed.ctx, pfn[i]);
	bed_close(&bed);
}

static void put_twice(void *arg)
{
	struct bed *bed = arg;
	pfn_t pfn;

	if (frame_alloc(&bed->ctx, FRAME_ANON, 0, &pfn) != 0)
		return;
	frame_put(&bed->ctx, pfn);
	frame_put(&bed->ctx, pfn);
}

static void put_mapped(void *arg)
{
	struct bed *bed = arg;
	pfn_t pfn;

	if (frame_alloc(&bed->ctx, FRAME_ANON, 0, &pfn) != 0)
		return;
	frame_of(bed->phys, pfn)->mappers = 1;
	frame_put(&bed->ctx, pfn);
}

static void get_reserved(void *arg)
{
	struct bed *bed = arg;

	frame_get(bed->phys, PFN_NONE);
}

TEST(frame, misuse_aborts_and_says_what)
{
	struct bed bed;

	bed_open(&bed, MIB, true);
	expect_abort(put_twice, &bed, "a reference is put of a frame in use");
	expect_abort(put_mapped, &bed, "a frame is freed unmapped");
	expect_abort(get_reserved, &bed, "a reference is taken of a frame in use");
	bed_close(&bed);
}

static unsigned broken;

static void count_broken(void *arg, const char *text)
{
	(void)arg;
	(void)text;
	broken++;
}

TEST(frame, validator_notices_what_is_broken)
{
	struct check_report report = { .line = count_broken };
	struct bed bed;
	struct frame *frame, saved;
	pfn_t pfn[2];

	bed_open(&bed, MIB, true);
	REQUIRE_EQ(frame_alloc_many(&bed.ctx, FRAME_ANON, 0, pfn, 2), 0);
	broken = 0;
	bed.phys->nfree--;
	phys_check(bed.phys, &report);
	EXPECT_EQ(broken, 1);
	bed.phys->nfree++;
	frame = frame_of(bed.phys, pfn[0]);
	saved = *frame;
	frame->refs = 0;
	phys_check(bed.phys, &report);
	EXPECT_EQ(broken, 2);
	frame->use = FRAME_FREE;
	phys_check(bed.phys, &report);
	EXPECT_MSG(broken >= 4, "a lost frame: %u lines", broken);
	*frame = saved;
	frame_put(&bed.ctx, pfn[0]);
	frame_put(&bed.ctx, pfn[1]);
	bed_close(&bed);
}

/* Threads: one frame whose references come and go everywhere, and frames of one's own. */

#define NTHREADS 4
#define NROUNDS  5000

struct worker {
	struct bed *bed;
	struct ctx ctx;
	pfn_t shared;
	pthread_t thread;
	long errors;
};

static void *work(void *arg)
{
	struct worker *w = arg;
	uint64_t state = (uintptr_t)w | 1;

	for (int i = 0; i < NROUNDS; i++) {
		uint64_t size = bed_random(&state) % 5 + 1;
		pfn_t pfn[5];

		frame_get(w->bed->phys, w->shared);
		if (frame_alloc_many(&w->ctx, FRAME_ANON, i % 2 ? FRAME_ZERO : 0, pfn, size) == 0) {
			for (size_t k = 0; k < size; k++)
				*(uint64_t *)frame_ptr(w->bed->phys, pfn[k]) = state + k;
			for (size_t k = 0; k < size; k++)
				w->errors += *(uint64_t *)frame_ptr(w->bed->phys, pfn[k]) != state + k;
			for (size_t k = 0; k < size; k++)
				frame_put(&w->ctx, pfn[k]);
		}
		frame_put(&w->ctx, w->shared);
	}
	frame_put(&w->ctx, w->shared);
	return NULL;
}

TEST(frame, references_and_frames_are_exact_across_threads)
{
	struct worker w[NTHREADS];
	struct bed bed;
	pfn_t shared;

	bed_open(&bed, 24 * PAGE_BYTES, true);
	REQUIRE_EQ(frame_alloc(&bed.ctx, FRAME_FILE, FRAME_ZERO, &shared), 0);
	for (int i = 0; i < NTHREADS; i++) {
		w[i] = (struct worker){ .bed = &bed, .ctx = i % 2 ? bed.other : bed.ctx, .shared = shared };
		frame_get(bed.phys, shared);
		SETUP(pthread_create(&w[i].thread, NULL, work, &w[i]) == 0);
	}
	frame_put(&bed.ctx, shared);
	for (int i = 0; i < NTHREADS; i++) {
		pthread_join(w[i].thread, NULL);
		EXPECT_EQ(w[i].errors, 0);
	}
	bed_close(&bed);
}
