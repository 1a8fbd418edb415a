// SPDX-License-Identifier: MIT
/*
 * The validators of the two trees, each fed with a tree in which one thing is wrong: it must say which.
 */
#include "base/itree.h"
#include "base/ranges.h"

#include <stdlib.h>

#include "unit/base/bed.h"
#include "unit/finds.h"

enum { NODES = 7 };

/* Seven intervals [10 i, 10 i + 5]. */
static void grow_itree(struct itree *tree, struct itree_node *nodes)
{
	itree_init(tree);
	for (uint64_t i = 0; i < NODES; i++)
		itree_insert(tree, &nodes[i], 10 * i, 10 * i + 5);
}

TEST(itree_check, wrong_bounds_of_a_node_are_named)
{
	struct itree_node nodes[NODES];
	struct itree tree;

	grow_itree(&tree, nodes);
	EXPECT_SOUND(itree_check, &tree);
	EXPECT_FINDS_WHILE(nodes[3].first, 36, "itree: an interval is not empty: [36, 35]", itree_check, &tree);
	EXPECT_FINDS_WHILE(nodes[3].first, 15, "itree I1: nodes ascend by (first, address): 15 after 20", itree_check,
	                   &tree);
	EXPECT_FINDS_WHILE(nodes[3].last, 99, "itree I2: max_last is that of the subtree", itree_check, &tree);
	EXPECT_FINDS_WHILE(tree.root->max_last, 64, "itree I2: max_last is that of the subtree: 64, should be 65",
	                   itree_check, &tree);
}

TEST(itree_check, wrong_shape_is_named)
{
	struct itree_node nodes[NODES], *child;
	struct itree tree;

	grow_itree(&tree, nodes);
	child = tree.root->right;
	SETUP(child != NULL);
	EXPECT_FINDS_WHILE(child->priority, UINT64_MAX, "itree I3: priorities fall downwards", itree_check, &tree);
	EXPECT_FINDS_WHILE(child->parent, NULL, "itree I4: a child's parent pointer leads back", itree_check, &tree);
	EXPECT_FINDS_WHILE(tree.root->parent, child, "itree I4: the root has no parent", itree_check, &tree);
	EXPECT_FINDS_WHILE(tree.count, NODES + 1, "itree I4: count nodes are reachable: 7, count 8", itree_check,
	                   &tree);
	EXPECT_FINDS_WHILE(tree.count, NODES - 2, "itree I4: count nodes are reachable: 6, count 5", itree_check,
	                   &tree);
	EXPECT_FINDS_WHILE(tree.root, NULL, "itree I4: count nodes are reachable: 0, count 7", itree_check, &tree);
}

/* A tie in `first` is decided by the address, so that there is one order only. */
TEST(itree_check, equal_intervals_out_of_address_order_are_named)
{
	struct itree_node nodes[2];
	struct itree tree;

	itree_init(&tree);
	itree_insert(&tree, &nodes[0], 5, 9);
	itree_insert(&tree, &nodes[1], 5, 9);
	EXPECT_SOUND(itree_check, &tree);
	EXPECT(itree_first(&tree, 0, 9) == &nodes[0] && itree_next(&nodes[0], 0, 9) == &nodes[1]);
	EXPECT_FINDS_WHILE(nodes[0].first, 6, "itree I1: nodes ascend by (first, address): 5 after 6", itree_check,
	                   &tree);
}

/* A node as ranges.c draws it, in words. */
enum { WAYS = 16, END = 0, TO = 16, START = 32, GAP = 48, SLOTS = 64, WORDS = 65 };

enum { RANGES = 100 };

/* A hundred ranges [10 i, 10 i + 5), i from 1 on: an inner root over leaves. */
static void grow_ranges(struct ranges *tree)
{
	SETUP(ranges_node_bytes() == WORDS * sizeof(uint64_t));
	ranges_init(tree);
	for (uint64_t i = 1; i <= RANGES; i++) {
		for (unsigned k = ranges_shortage(tree, 1); k > 0; k--) {
			void *node = malloc(ranges_node_bytes());

			SETUP(node != NULL);
			ranges_give(tree, node);
		}
		ranges_insert(tree, 10 * i, 10 * i + 5, tree);
	}
	SETUP(tree->height == 2 && tree->nspares > 1);
}

static void fell_ranges(struct ranges *tree)
{
	void *node;

	EXPECT_SOUND(ranges_check, tree);
	for (uint64_t i = 1; i <= RANGES; i++)
		ranges_remove(tree, 10 * i);
	while ((node = ranges_take(tree)) != NULL)
		free(node);
}

static uint64_t *root_words(struct ranges *tree)
{
	return (uint64_t *)(void *)tree->root;
}

static uint64_t *leaf_words(struct ranges *tree, unsigned slot)
{
	return (uint64_t *)(uintptr_t)root_words(tree)[TO + slot];
}

static uint32_t *slots_used(uint64_t *node)
{
	return (uint32_t *)(void *)&node[SLOTS];
}

TEST(ranges_check, wrong_slots_of_a_leaf_are_named)
{
	struct ranges tree;
	uint64_t *leaf;
	uint32_t unused;

	grow_ranges(&tree);
	EXPECT_SOUND(ranges_check, &tree);
	leaf = leaf_words(&tree, 0);
	EXPECT_FINDS_WHILE(leaf[START + 1], 25, "ranges I1: a range is not empty: [0x19, 0x19)", ranges_check, &tree);
	EXPECT_FINDS_WHILE(leaf[START + 1], 14, "ranges I1: slots ascend: 0xe after 0xf", ranges_check, &tree);
	leaf = leaf_words(&tree, *slots_used(root_words(&tree)) - 1);
	unused = *slots_used(leaf);
	SETUP(unused < WAYS);
	EXPECT_FINDS_WHILE(leaf[START + unused], 7, "ranges I4: unused slots are at the end of all addresses",
	                   ranges_check, &tree);
	EXPECT_FINDS_WHILE(leaf[END + unused], 7, "ranges I4: unused slots are at the end of all addresses",
	                   ranges_check, &tree);
	fell_ranges(&tree);
}

TEST(ranges_check, wrong_summary_of_a_child_is_named)
{
	struct ranges tree;
	uint64_t *root;

	grow_ranges(&tree);
	root = root_words(&tree);
	EXPECT_FINDS_WHILE(root[START], 9, "ranges I2: a slot is its child's summary: [0x9, ", ranges_check, &tree);
	EXPECT_FINDS_WHILE(root[END], root[END] + 1, "ranges I2: a slot is its child's summary", ranges_check, &tree);
	EXPECT_FINDS_WHILE(root[GAP], 6, "gap 0x6, child [0xa, ", ranges_check, &tree);
	fell_ranges(&tree);
}

TEST(ranges_check, wrong_shape_is_named)
{
	struct ranges tree;
	uint64_t *leaf;

	grow_ranges(&tree);
	leaf = leaf_words(&tree, 1);
	EXPECT_FINDS_WHILE(*slots_used(leaf), 0, "ranges I3: a node has 1 to 16 slots: 0", ranges_check, &tree);
	EXPECT_FINDS_WHILE(*slots_used(leaf), WAYS + 1, "ranges I3: a node has 1 to 16 slots: 17", ranges_check, &tree);
	EXPECT_FINDS_WHILE(*slots_used(root_words(&tree)), 1, "ranges I3: an inner root has two slots: 1", ranges_check,
	                   &tree);
	EXPECT_FINDS_WHILE(tree.height, 0, "ranges I3: the height is that of the tree: height 0", ranges_check, &tree);
	EXPECT_FINDS_WHILE(tree.root, NULL, "ranges I3: the height is that of the tree: height 2", ranges_check, &tree);
	fell_ranges(&tree);
}

TEST(ranges_check, wrong_counts_are_named)
{
	struct ranges tree;

	grow_ranges(&tree);
	EXPECT_FINDS_WHILE(tree.count, 99, "ranges I5: the leaves hold count ranges: 100, count 99", ranges_check,
	                   &tree);
	EXPECT_FINDS_WHILE(tree.nspares, tree.nspares + 1, "ranges I5: the spares number nspares", ranges_check, &tree);
	EXPECT_FINDS_WHILE(tree.nspares, tree.nspares - 1, "ranges I5: the spares number nspares", ranges_check, &tree);
	EXPECT_FINDS_WHILE(tree.nspares, 0, "ranges I5: the spares number nspares: 1, not 0", ranges_check, &tree);
	EXPECT_FINDS_WHILE(tree.spares, NULL, "ranges I5: the spares number nspares: 0, not", ranges_check, &tree);
	fell_ranges(&tree);
}
