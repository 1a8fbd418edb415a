// SPDX-License-Identifier: MIT
/*
 * The tree of ranges against a sorted array, with the validator after each change, and its promise about node buffers:
 * every insertion here has exactly the spares that ranges_shortage asked for.
 */
#include "base/ranges.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "unit/aborts.h"
#include "unit/base/bed.h"

enum { RANGES_MAX = 1500, STEPS = 6000, QUERIES = 4 };
#define SPACE UINT64_C(20000)

struct range {
	uint64_t start, end;
};

struct model {
	struct ranges tree;
	struct range sorted[RANGES_MAX];
	size_t n;
	uint64_t state; /* of the generator */
	uint64_t seed;
	size_t given; /* node buffers that the tree or its spares have */
};

static uint64_t below(struct model *m, uint64_t limit)
{
	return bed_random(&m->state) % limit;
}

/* The value of a range is its start, as a pointer. */
static void *value_of(uint64_t start)
{
	return (void *)(uintptr_t)(start + 1);
}

static void model_init(struct model *m, uint64_t seed)
{
	memset(m, 0, sizeof(*m));
	ranges_init(&m->tree);
	m->seed = m->state = seed;
}

static void give(struct model *m, unsigned inserts)
{
	for (unsigned k = ranges_shortage(&m->tree, inserts); k > 0; k--) {
		void *node = malloc(ranges_node_bytes());

		SETUP(node != NULL);
		ranges_give(&m->tree, node);
		m->given++;
	}
	REQUIRE_EQ(ranges_shortage(&m->tree, inserts), 0);
}

static void take_all(struct model *m)
{
	void *node;

	while ((node = ranges_take(&m->tree)) != NULL) {
		free(node);
		m->given--;
	}
}

/* How many ranges of the model end at or before `at`: the index of the first above it. */
static size_t index_above(const struct model *m, uint64_t at)
{
	size_t lo = 0, hi = m->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (m->sorted[mid].end <= at)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool model_free(const struct model *m, uint64_t start, uint64_t end)
{
	size_t i = index_above(m, start);

	return i == m->n || m->sorted[i].start >= end;
}

static void insert(struct model *m, uint64_t start, uint64_t end)
{
	size_t i = index_above(m, start);

	memmove(&m->sorted[i + 1], &m->sorted[i], (m->n - i) * sizeof(m->sorted[0]));
	m->sorted[i] = (struct range){ start, end };
	m->n++;
	ranges_insert(&m->tree, start, end, value_of(start));
}

static void remove_index(struct model *m, size_t i)
{
	uint64_t start = m->sorted[i].start;

	REQUIRE_MSG(ranges_remove(&m->tree, start) != NULL, "seed %" PRIu64, m->seed);
	memmove(&m->sorted[i], &m->sorted[i + 1], (m->n - i - 1) * sizeof(m->sorted[0]));
	m->n--;
}

static void check(struct model *m)
{
	struct check_report report = bed_report();

	ranges_check(&m->tree, &report);
	REQUIRE_MSG(report.broken == 0 && m->tree.count == m->n, "seed %" PRIu64 ": %zu ranges, not %zu", m->seed,
	            m->tree.count, m->n);
}

/* Removes everything, and sees that every buffer comes back. */
static void model_fini(struct model *m)
{
	while (m->n > 0) {
		remove_index(m, below(m, m->n));
		if (m->n % 64 == 0)
			check(m);
	}
	EXPECT_EQ(m->tree.height, 0);
	take_all(m);
	EXPECT_EQ(m->given, 0);
	EXPECT_EQ(m->tree.nspares, 0);
}

static bool slow_gap(const struct model *m, uint64_t lo, uint64_t hi, uint64_t len, bool top, uint64_t *start)
{
	bool found = false;

	for (size_t i = 0; i <= m->n; i++) {
		uint64_t from = MAX(lo, i > 0 ? m->sorted[i - 1].end : 0);
		uint64_t to = MIN(hi, i < m->n ? m->sorted[i].start : UINT64_MAX);

		if (from >= to || to - from < len)
			continue;
		*start = top ? to - len : from;
		found = true;
		if (!top)
			break;
	}
	return found;
}

static void compare_gaps(struct model *m)
{
	uint64_t lo = below(m, SPACE), hi = lo + below(m, below(m, 4) == 0 ? 60 : SPACE), len = 1 + below(m, 40);
	uint64_t expected = 0, got = 0;

	if (below(m, 16) == 0)
		hi = UINT64_MAX;
	for (int top = 0; top < 2; top++) {
		bool there = slow_gap(m, lo, hi, len, top, &expected);
		bool found = top ? ranges_gap_top_down(&m->tree, lo, hi, len, &got)
		                 : ranges_gap_bottom_up(&m->tree, lo, hi, len, &got);

		REQUIRE_MSG(found == there && (!there || got == expected),
		            "seed %" PRIu64 ": gap of %" PRIu64 " in [%" PRIu64 ", %" PRIu64 ") %s: %d at %" PRIu64
		            ", not %d at %" PRIu64,
		            m->seed, len, lo, hi, top ? "from the top" : "from the bottom", found, got, there,
		            expected);
	}
}

/* Of [at, at + a little): k ranges begin below at, the one of index i is the first that ends above it. */
static void compare_surroundings(struct model *m, uint64_t at, size_t k, size_t i)
{
	uint64_t to = at < SPACE ? at + below(m, 50) : at, floor, ceiling;
	size_t above = index_above(m, to);
	void *in = i < m->n && m->sorted[i].start < to ? value_of(m->sorted[i].start) : NULL;

	REQUIRE_MSG(ranges_first_in(&m->tree, at, to) == in, "seed %" PRIu64 ": in [%" PRIu64 ", %" PRIu64 ")", m->seed,
	            at, to);
	ranges_around(&m->tree, at, to, &floor, &ceiling);
	REQUIRE_MSG(floor == (k > 0 ? m->sorted[k - 1].end : 0) &&
	                    ceiling == (above < m->n ? m->sorted[above].start : UINT64_MAX),
	            "seed %" PRIu64 ": around [%" PRIu64 ", %" PRIu64 "): %" PRIu64 ", %" PRIu64, m->seed, at, to,
	            floor, ceiling);
}

static void compare_lookups(struct model *m)
{
	uint64_t at = below(m, 32) == 0 ? UINT64_MAX : below(m, SPACE + 100);
	size_t i = index_above(m, at), k = m->n;
	void *above = i < m->n ? value_of(m->sorted[i].start) : NULL;
	void *containing = i < m->n && m->sorted[i].start <= at ? above : NULL;

	while (k > 0 && m->sorted[k - 1].start >= at)
		k--;
	REQUIRE_MSG(ranges_find(&m->tree, at) == containing, "seed %" PRIu64 ": find %" PRIu64, m->seed, at);
	REQUIRE_MSG(ranges_at_or_above(&m->tree, at) == above, "seed %" PRIu64 ": above %" PRIu64, m->seed, at);
	REQUIRE_MSG(ranges_below(&m->tree, at) == (k > 0 ? value_of(m->sorted[k - 1].start) : NULL),
	            "seed %" PRIu64 ": below %" PRIu64, m->seed, at);
	compare_surroundings(m, at, k, i);
}

/* Where the next range might go: anywhere, or near what is there, upwards or downwards. */
static uint64_t some_place(struct model *m, unsigned habit)
{
	uint64_t step = below(m, 10);
	size_t i;

	if (m->n == 0 || habit == 0)
		return below(m, SPACE);
	i = habit == 1 ? m->n - 1 : habit == 2 ? 0 : below(m, m->n);
	if (habit == 2)
		return m->sorted[i].start - MIN(m->sorted[i].start, step + 1);
	return MIN(m->sorted[i].end + step % 3, SPACE);
}

static void insert_some(struct model *m)
{
	uint64_t start = some_place(m, (unsigned)below(m, 4)), end = start + 1 + below(m, 8);

	if (m->n == RANGES_MAX || !model_free(m, start, end))
		return;
	take_all(m);
	give(m, 1);
	insert(m, start, end);
}

static void resize_some(struct model *m)
{
	size_t i = below(m, m->n);
	uint64_t lo = i > 0 ? m->sorted[i - 1].end : 0;
	uint64_t hi = i + 1 < m->n ? m->sorted[i + 1].start : m->sorted[i].end + 50;
	uint64_t start = lo + below(m, hi - lo), end = start + 1 + below(m, hi - start);

	REQUIRE(ranges_remove(&m->tree, m->sorted[i].start) == value_of(m->sorted[i].start));
	give(m, 1);
	ranges_insert(&m->tree, m->sorted[i].start, m->sorted[i].end, value_of(start));
	ranges_resize(&m->tree, m->sorted[i].start, start, end);
	m->sorted[i] = (struct range){ start, end };
}

static void random_steps(struct model *m, unsigned inserts_of_8)
{
	for (int step = 0; step < STEPS; step++) {
		unsigned what = (unsigned)below(m, 8);

		if (what < inserts_of_8)
			insert_some(m);
		else if (m->n > 0 && what == 7)
			resize_some(m);
		else if (m->n > 0)
			remove_index(m, below(m, m->n));
		if (step % 8 == 0)
			check(m);
		for (int q = 0; q < QUERIES; q++) {
			compare_lookups(m);
			compare_gaps(m);
		}
	}
}

TEST(ranges, agrees_with_sorted_array_over_random_changes)
{
	struct model *m = malloc(sizeof(*m));

	SETUP(m != NULL);
	for (uint64_t seed = 1; seed <= 3; seed++) {
		model_init(m, seed);
		random_steps(m, 6);
		random_steps(m, 2);
		random_steps(m, 5);
		model_fini(m);
	}
	free(m);
}

/* Inserts n ranges in an order; the spares asked for must do each time. */
static void fill(struct model *m, size_t n, int order)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t at = order == 0 ? i : order == 1 ? n - 1 - i : i % 2 ? i : 2 * n - i;

		take_all(m);
		give(m, 1);
		insert(m, at * 4, at * 4 + 3);
		check(m);
	}
}

/* Upwards, downwards, and from both sides towards the middle. */
TEST(ranges, insertion_in_order_fills_nodes)
{
	struct model *m = malloc(sizeof(*m));

	SETUP(m != NULL);
	for (int order = 0; order < 3; order++) {
		model_init(m, 1);
		fill(m, 1000, order);
		take_all(m);
		EXPECT_MSG(m->given <= (order < 2 ? 90 : 150), "order %d: %zu nodes for 1000 ranges", order, m->given);
		model_fini(m);
	}
	free(m);
}

/* Many insertions promised at once, with removals between them that shrink the tree and make its nodes full. */
TEST(ranges, promise_for_many_insertions_holds_across_removals)
{
	struct model *m = malloc(sizeof(*m));

	SETUP(m != NULL);
	model_init(m, 7);
	for (int round = 0; round < 400; round++) {
		unsigned promised = 1 + (unsigned)below(m, 40);

		take_all(m);
		give(m, promised);
		while (promised > 0 && m->n < RANGES_MAX) {
			uint64_t start = some_place(m, (unsigned)below(m, 4)), end = start + 1 + below(m, 4);

			if (model_free(m, start, end)) {
				insert(m, start, end);
				promised--;
			}
			for (uint64_t k = below(m, round % 50 < 25 ? 2 : 4); k > 0 && m->n > 0; k--)
				remove_index(m, below(m, m->n));
		}
		check(m);
		if (m->n == RANGES_MAX)
			break;
	}
	model_fini(m);
	free(m);
}

TEST(ranges, empty_tree_answers)
{
	struct ranges r;
	uint64_t start = 1;

	ranges_init(&r);
	EXPECT(ranges_find(&r, 0) == NULL);
	EXPECT(ranges_at_or_above(&r, 0) == NULL);
	EXPECT(ranges_below(&r, UINT64_MAX) == NULL);
	EXPECT(ranges_take(&r) == NULL);
	EXPECT_EQ(ranges_shortage(&r, 1), 1);
	EXPECT(ranges_gap_top_down(&r, 100, 200, 10, &start));
	EXPECT_EQ(start, 190);
	EXPECT(ranges_gap_bottom_up(&r, 100, 200, 100, &start));
	EXPECT_EQ(start, 100);
	EXPECT(!ranges_gap_bottom_up(&r, 100, 200, 101, &start));
	EXPECT(!ranges_gap_top_down(&r, 200, 100, 1, &start));
}

TEST(ranges, touching_neighbours_stay_apart)
{
	struct model *m = malloc(sizeof(*m));
	uint64_t start;

	SETUP(m != NULL);
	model_init(m, 1);
	for (uint64_t i = 0; i < 40; i++) {
		give(m, 1);
		insert(m, 10 * i, 10 * i + 10);
	}
	EXPECT(ranges_find(&m->tree, 9) == value_of(0));
	EXPECT(ranges_find(&m->tree, 10) == value_of(10));
	EXPECT(!ranges_gap_bottom_up(&m->tree, 0, 400, 1, &start));
	ranges_resize(&m->tree, 200, 203, 207);
	m->sorted[20] = (struct range){ 203, 207 };
	check(m);
	EXPECT(ranges_gap_bottom_up(&m->tree, 0, 400, 3, &start));
	EXPECT_EQ(start, 200);
	EXPECT(ranges_gap_top_down(&m->tree, 0, 400, 2, &start));
	EXPECT_EQ(start, 208);
	model_fini(m);
	free(m);
}

static void insert_overlapping(void *arg)
{
	struct model *m = arg;

	give(m, 1);
	ranges_insert(&m->tree, 15, 25, m);
}

static void insert_without_spare(void *arg)
{
	struct model *m = arg;

	ranges_insert(&m->tree, 15, 25, m);
}

TEST(ranges, overlap_and_missing_spare_abort)
{
	struct model *m = malloc(sizeof(*m));

	SETUP(m != NULL);
	model_init(m, 1);
	expect_abort(insert_without_spare, m, "an insertion has been given the nodes it needs");
	give(m, 1);
	insert(m, 10, 20);
	expect_abort(insert_overlapping, m, "a new range overlaps none: [0xf, 0x19) over [0xa, 0x14)");
	model_fini(m);
	free(m);
}

/*
 * In front of every leaf of a tree whose leaves are all full, at three levels: the newcomer finds no room on its left,
 * so each leaf splits where it begins.
 */
TEST(ranges, insertions_in_front_of_full_leaves_split_them_where_they_begin)
{
	enum { FULL = 800, LEAF = 16 };
	static const unsigned strides[] = { LEAF, 1, LEAF + 1 };
	static struct model m;

	for (size_t s = 0; s < ARRAY_SIZE(strides); s++) {
		model_init(&m, 1);
		for (uint64_t i = 0; i < FULL; i++) {
			give(&m, 1);
			insert(&m, 20 * i, 20 * i + 5);
		}
		SETUP(m.tree.height == 3);
		for (uint64_t i = strides[s]; i < FULL && m.n < RANGES_MAX; i += strides[s]) {
			give(&m, 1);
			insert(&m, 20 * i - 7, 20 * i - 5);
			check(&m);
		}
		model_fini(&m);
	}
}
