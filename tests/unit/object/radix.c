// SPDX-License-Identifier: MIT
/*
 * The radix tree alone, against a model that is a plain array of (index, frame number).
 */
#include "object/radix.h"

#include "fixture.h"
#include "harness.h"

#include <errno.h>

#define RAM        (64 * PAGE_BYTES)
#define MODEL_SIZE 512

static void expect_tree_sound(const struct radix *r)
{
	struct check_report report = { .broken = 0 };

	radix_check(r, &report);
	EXPECT_EQ(report.broken, 0);
}

static void set(struct fixture *f, struct radix *r, uint64_t index, uint64_t pfn)
{
	REQUIRE_EQ(radix_reserve(&f->ctx, r, index, 1), 0);
	radix_set(r, index, (pfn_t){ pfn });
}

/* Indices of a model lie dense, then ever farther apart, up to the end of 64 bits. */
static uint64_t model_index(unsigned i)
{
	return i < 256 ? i : i < 448 ? (uint64_t)(i - 256) * 997 + 300 : UINT64_MAX - (UINT64_C(1) << (i - 448)) + 1;
}

static void compare_with_model(const struct radix *r, const uint64_t *model)
{
	uint64_t count = 0, found, at = 0;
	bool marked;
	pfn_t pfn;

	for (unsigned i = 0; i < MODEL_SIZE; i++) {
		count += model[i] != 0;
		EXPECT_EQ(radix_get(r, model_index(i)).n, model[i]);
		EXPECT_EQ(radix_peek(r, model_index(i), &marked).n, model[i]);
		EXPECT(!marked);
	}
	EXPECT_EQ(r->count, count);
	for (; count > 0 && radix_next(r, at, &found, &pfn); at = found + 1, count--) {
		REQUIRE_MSG(found >= at, "next of %#llx is %#llx", (unsigned long long)at, (unsigned long long)found);
		EXPECT_EQ(radix_get(r, found).n, pfn.n);
		EXPECT(pfn.n != 0);
	}
	EXPECT_EQ(count, 0);
}

static void random_steps(struct fixture *f, struct radix *r, uint64_t *model, uint64_t *seed, unsigned n)
{
	while (n-- > 0) {
		unsigned i = rnd(seed) % MODEL_SIZE;

		if (model[i] != 0) {
			EXPECT_EQ(radix_clear(r, model_index(i)).n, model[i]);
			model[i] = 0;
		} else {
			model[i] = 1 + rnd(seed) % 1000;
			set(f, r, model_index(i), model[i]);
		}
		if (rnd(seed) % 16 == 0)
			radix_prune(&f->env, r);
	}
}

TEST(radix, random_sets_and_clears_agree_with_a_model)
{
	uint64_t model[MODEL_SIZE] = { 0 }, seed = 20240229;
	struct fixture f;
	struct radix r;

	fixture_open(&f, RAM);
	struct census before = census_now(&f);

	radix_init(&r);
	for (unsigned round = 0; round < 200; round++) {
		random_steps(&f, &r, model, &seed, 64);
		expect_tree_sound(&r);
		compare_with_model(&r, model);
	}
	for (unsigned i = 0; i < MODEL_SIZE; i++)
		radix_clear(&r, model_index(i));
	radix_fini(&f.env, &r);
	struct census now = census_now(&f);

	expect_same_census(&before, &now);
	fixture_close(&f);
}

TEST(radix, next_over_an_absent_range_finds_the_first_page_after_it)
{
	struct fixture f;
	struct radix r;
	uint64_t found = 0;
	pfn_t pfn;

	fixture_open(&f, RAM);
	radix_init(&r);
	EXPECT(!radix_next(&r, 0, &found, &pfn));
	set(&f, &r, 3, 7);
	set(&f, &r, UINT64_C(1) << 40, 8);
	EXPECT(radix_next(&r, 4, &found, &pfn));
	EXPECT_EQ(found, UINT64_C(1) << 40);
	EXPECT_EQ(pfn.n, 8);
	EXPECT(!radix_next(&r, found + 1, &found, &pfn));
	EXPECT(!radix_next(&r, UINT64_MAX, &found, &pfn));
	radix_clear(&r, 3);
	radix_clear(&r, UINT64_C(1) << 40);
	radix_fini(&f.env, &r);
	fixture_close(&f);
}

TEST(radix, prune_after_removal_of_the_far_pages_gives_their_nodes_and_the_height_back)
{
	struct fixture f;
	struct radix r;

	fixture_open(&f, RAM);
	radix_init(&r);
	set(&f, &r, 5, 9);
	struct census before = census_now(&f);

	EXPECT_EQ(r.height, 1);
	set(&f, &r, 1000000, 10);
	EXPECT_EQ(r.height, 4);
	EXPECT_EQ(radix_clear(&r, 1000000).n, 10);
	EXPECT(kmem_count(&f.env) > before.kmem_count);
	radix_prune(&f.env, &r);
	struct census now = census_now(&f);

	expect_same_census(&before, &now);
	EXPECT_EQ(r.height, 1);
	EXPECT_EQ(radix_get(&r, 5).n, 9);
	EXPECT_EQ(radix_clear(&r, 6).n, 0);
	radix_clear(&r, 5);
	radix_fini(&f.env, &r);
	fixture_close(&f);
}

TEST(radix, reserve_without_memory_fails_ENOMEM_and_prune_undoes_it)
{
	struct fixture f;
	struct radix r;
	unsigned n = 0;
	int err;

	fixture_open(&f, RAM);
	radix_init(&r);
	set(&f, &r, 5, 9);
	struct census before = census_now(&f);

	do {
		fixture_fail_at(&f, ++n);
		REQUIRE_MSG(n < 1000, "still failing after %u allocations", n);
		err = radix_reserve(&f.ctx, &r, 60, 5000);
		expect_tree_sound(&r);
		radix_prune(&f.env, &r);
		struct census now = census_now(&f);

		expect_same_census(&before, &now);
		EXPECT_EQ(radix_get(&r, 5).n, 9);
	} while (err == -ENOMEM);
	EXPECT_EQ(err, 0);
	EXPECT_MSG(n > 5060 / 64, "%u allocations", n);
	radix_clear(&r, 5);
	radix_fini(&f.env, &r);
	fixture_close(&f);
}

/* The last slot of the highest level ends at 2^64: what lies behind it is the end, not index 0. */
TEST(radix, next_behind_the_last_page_of_all_indices_finds_nothing)
{
	struct fixture f;
	struct radix r;
	uint64_t found = 7;
	pfn_t pfn;

	fixture_open(&f, RAM);
	radix_init(&r);
	set(&f, &r, 5, 6);
	set(&f, &r, UINT64_MAX << 60, 7);
	REQUIRE(radix_next(&r, 6, &found, &pfn));
	EXPECT_EQ(found, UINT64_MAX << 60);
	EXPECT(!radix_next(&r, found + 1, &found, &pfn));
	EXPECT(!radix_next(&r, UINT64_MAX, &found, &pfn));
	radix_clear(&r, 5);
	radix_clear(&r, UINT64_MAX << 60);
	radix_fini(&f.env, &r);
	fixture_close(&f);
}
