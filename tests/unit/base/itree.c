// SPDX-License-Identifier: MIT
/*
 * The interval tree against an array that is searched from end to end, with the validator after each change.
 */
#include "base/itree.h"

#include <inttypes.h>

#include "unit/base/bed.h"

enum { NODES = 200, STEPS = 6000, SEEDS = 3, LIMIT = 1000 };

struct model {
	struct itree tree;
	struct itree_node nodes[NODES];
	bool present[NODES];
	uint64_t state; /* of the generator */
	uint64_t seed;
};

static bool earlier(const struct itree_node *a, const struct itree_node *b)
{
	return a->first != b->first ? a->first < b->first : (uintptr_t)a < (uintptr_t)b;
}

/* The first that touches [first, last] and comes after `after` (NULL: any). */
static struct itree_node *slow_next(struct model *m, const struct itree_node *after, uint64_t first, uint64_t last)
{
	struct itree_node *best = NULL;

	for (int i = 0; i < NODES; i++) {
		struct itree_node *node = &m->nodes[i];

		if (!m->present[i] || node->first > last || node->last < first)
			continue;
		if (after != NULL && !earlier(after, node))
			continue;
		if (best == NULL || earlier(node, best))
			best = node;
	}
	return best;
}

static void compare_query(struct model *m, uint64_t first, uint64_t last)
{
	struct itree_node *got = itree_first(&m->tree, first, last), *expected = slow_next(m, NULL, first, last);

	for (;;) {
		REQUIRE_MSG(got == expected, "seed %" PRIu64 ": [%" PRIu64 ", %" PRIu64 "] gives %p, not %p", m->seed,
		            first, last, (void *)got, (void *)expected);
		if (got == NULL)
			return;
		got = itree_next(got, first, last);
		expected = slow_next(m, expected, first, last);
	}
}

static void change(struct model *m)
{
	int i = (int)(bed_random(&m->state) % NODES);
	struct check_report report = bed_report();

	if (m->present[i]) {
		itree_remove(&m->tree, &m->nodes[i]);
	} else {
		uint64_t first = bed_random(&m->state) % LIMIT;
		uint64_t span = bed_random(&m->state) % (bed_random(&m->state) % 8 == 0 ? LIMIT : 20);

		itree_insert(&m->tree, &m->nodes[i], first, first + span);
	}
	m->present[i] = !m->present[i];
	itree_check(&m->tree, &report);
	REQUIRE_MSG(report.broken == 0, "seed %" PRIu64, m->seed);
}

TEST(itree, agrees_with_array_over_random_changes)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct model m = { .state = seed, .seed = seed };

		itree_init(&m.tree);
		for (int step = 0; step < STEPS; step++) {
			change(&m);
			if (step % 16 == 0) {
				uint64_t first = bed_random(&m.state) % (LIMIT + 20);

				compare_query(&m, first, first + bed_random(&m.state) % 50);
			}
		}
		compare_query(&m, 0, UINT64_MAX);
	}
}

TEST(itree, equal_intervals_come_in_order_of_address)
{
	struct itree_node nodes[5];
	struct itree_node *node;
	struct itree t;
	int n = 0;

	itree_init(&t);
	EXPECT(itree_first(&t, 0, UINT64_MAX) == NULL);
	for (int i = 4; i >= 0; i--)
		itree_insert(&t, &nodes[i], 7, 7);
	for (node = itree_first(&t, 7, 7); node != NULL; node = itree_next(node, 7, 7))
		EXPECT(node == &nodes[n++]);
	EXPECT_EQ(n, 5);
	EXPECT(itree_first(&t, 8, UINT64_MAX) == NULL);
	EXPECT(itree_first(&t, 0, 6) == NULL);
	for (int i = 0; i < 5; i++)
		itree_remove(&t, &nodes[i]);
	EXPECT(t.root == NULL);
	EXPECT_EQ(t.count, 0);
}

TEST(itree, interval_to_the_last_number_is_found)
{
	struct itree_node node;
	struct itree t;

	itree_init(&t);
	itree_insert(&t, &node, UINT64_MAX, UINT64_MAX);
	EXPECT(itree_first(&t, UINT64_MAX, UINT64_MAX) == &node);
	EXPECT(itree_next(&node, 0, UINT64_MAX) == NULL);
	EXPECT(itree_first(&t, 0, UINT64_MAX - 1) == NULL);
}

TEST(itree, validator_notices_a_wrong_maximum)
{
	struct itree_node nodes[3];
	struct check_report report = { 0 };
	struct itree t;

	itree_init(&t);
	for (uint64_t i = 0; i < 3; i++)
		itree_insert(&t, &nodes[i], i, i + 10);
	t.root->max_last++;
	itree_check(&t, &report);
	EXPECT_EQ(report.broken, 1);
}
