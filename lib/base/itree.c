// SPDX-License-Identifier: MIT
/*
 * Intervals that may overlap: a treap ordered by (first, address), where each node knows the largest `last` below it.
 *
 *	               [10,90] max 95
 *	              /              \
 *	     [5,20] max 95         [40,50] max 50
 *	           \
 *	        [7,95] max 95
 *
 * A search enters a subtree only if its max_last reaches the wanted interval, so it finds each answer in O(log n).
 * Priorities come from the tree's own generator, so the shape depends only on the sequence of calls and addresses.
 * Nothing recurses; the walks use the parent pointers.
 *
 * I1  in-order, the nodes ascend by (first, address)
 * I2  max_last is the largest last of the subtree
 * I3  no child has a greater priority than its parent
 * I4  a child's parent pointer leads back; count nodes are reachable
 *
 * Locking: the caller's.
 * Linux: lib/interval_tree.c, there a red-black tree.
 */
#include "base/itree.h"

#include <inttypes.h>

#include "base/util.h"

void itree_init(struct itree *t)
{
	t->root = NULL;
	t->seed = UINT64_C(0x9e3779b97f4a7c15);
	t->count = 0;
}

/* splitmix64 */
static uint64_t next_priority(struct itree *t)
{
	uint64_t z = t->seed += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static bool before(const struct itree_node *a, const struct itree_node *b)
{
	return a->first != b->first ? a->first < b->first : (uintptr_t)a < (uintptr_t)b;
}

static uint64_t computed_max(const struct itree_node *node)
{
	uint64_t max = node->last;

	if (node->left != NULL)
		max = MAX(max, node->left->max_last);
	if (node->right != NULL)
		max = MAX(max, node->right->max_last);
	return max;
}

/* Put `child` (or NULL) where `old` hangs. */
static void replace(struct itree *t, struct itree_node *old, struct itree_node *child)
{
	struct itree_node *parent = old->parent;

	if (parent == NULL)
		t->root = child;
	else if (parent->left == old)
		parent->left = child;
	else
		parent->right = child;
	if (child != NULL)
		child->parent = parent;
}

/* Lift a node above its parent; keeps the order and I2 of both. */
static void rotate_up(struct itree *t, struct itree_node *node)
{
	struct itree_node *parent = node->parent, *moved;

	replace(t, parent, node);
	if (parent->left == node) {
		moved = node->right;
		parent->left = moved;
		node->right = parent;
	} else {
		moved = node->left;
		parent->right = moved;
		node->left = parent;
	}
	if (moved != NULL)
		moved->parent = parent;
	parent->parent = node;
	node->max_last = parent->max_last;
	parent->max_last = computed_max(parent);
}

void itree_insert(struct itree *t, struct itree_node *node, uint64_t first, uint64_t last)
{
	struct itree_node **link = &t->root, *parent = NULL;

	KSIM_ASSERT(NULL, first <= last, "an interval is not empty", "first %" PRIu64 ", last %" PRIu64, first, last);
	*node = (struct itree_node){ .first = first, .last = last, .max_last = last, .priority = next_priority(t) };
	while (*link != NULL) {
		parent = *link;
		parent->max_last = MAX(parent->max_last, last);
		link = before(node, parent) ? &parent->left : &parent->right;
	}
	node->parent = parent;
	*link = node;
	while (node->parent != NULL && node->priority > node->parent->priority)
		rotate_up(t, node);
	t->count++;
}

void itree_remove(struct itree *t, struct itree_node *node)
{
	struct itree_node *above;

	while (node->left != NULL && node->right != NULL)
		rotate_up(t, node->left->priority > node->right->priority ? node->left : node->right);
	replace(t, node, node->left != NULL ? node->left : node->right);
	for (above = node->parent; above != NULL; above = above->parent)
		above->max_last = computed_max(above);
	node->parent = node->left = node->right = NULL;
	t->count--;
}

/* The first answer below a node whose max_last >= first. */
static struct itree_node *search(struct itree_node *node, uint64_t first, uint64_t last)
{
	for (;;) {
		/* If something on the left ends late enough, the first answer is there or begins too late as all do. */
		if (node->left != NULL && node->left->max_last >= first) {
			node = node->left;
			continue;
		}
		if (node->first > last)
			return NULL;
		if (node->last >= first)
			return node;
		/* Neither on the left nor here, so on the right. */
		node = node->right;
		KSIM_ASSERT(NULL, node != NULL, "itree I2: max_last is that of the subtree", "nothing ends at %" PRIu64,
		            first);
	}
}

struct itree_node *itree_first(const struct itree *t, uint64_t first, uint64_t last)
{
	if (t->root == NULL || t->root->max_last < first)
		return NULL;
	return search(t->root, first, last);
}

struct itree_node *itree_next(struct itree_node *node, uint64_t first, uint64_t last)
{
	for (;;) {
		const struct itree_node *from;

		if (node->right != NULL && node->right->max_last >= first)
			return search(node->right, first, last);
		do {
			from = node;
			node = node->parent;
			if (node == NULL)
				return NULL;
		} while (node->right == from);
		if (node->first > last)
			return NULL;
		if (node->last >= first)
			return node;
	}
}

static struct itree_node *leftmost(struct itree_node *node)
{
	while (node != NULL && node->left != NULL)
		node = node->left;
	return node;
}

static struct itree_node *successor(struct itree_node *node)
{
	if (node->right != NULL)
		return leftmost(node->right);
	while (node->parent != NULL && node->parent->right == node)
		node = node->parent;
	return node->parent;
}

static void check_child(const struct itree_node *node, const struct itree_node *child, struct check_report *report)
{
	if (child == NULL)
		return;
	CHECK_THAT(report, child->parent == node, "itree I4: a child's parent pointer leads back", "at %" PRIu64,
	           child->first);
	CHECK_THAT(report, child->priority <= node->priority, "itree I3: priorities fall downwards",
	           "%" PRIu64 " over %" PRIu64, node->priority, child->priority);
}

void itree_check(const struct itree *t, struct check_report *report)
{
	const struct itree_node *previous = NULL;
	size_t n = 0;

	CHECK_THAT(report, t->root == NULL || t->root->parent == NULL, "itree I4: the root has no parent", "at %p",
	           (void *)t->root);
	for (struct itree_node *node = leftmost(t->root); node != NULL && n <= t->count; node = successor(node)) {
		n++;
		CHECK_THAT(report, node->first <= node->last, "itree: an interval is not empty",
		           "[%" PRIu64 ", %" PRIu64 "]", node->first, node->last);
		CHECK_THAT(report, previous == NULL || before(previous, node),
		           "itree I1: nodes ascend by (first, address)", "%" PRIu64 " after %" PRIu64, node->first,
		           previous->first);
		CHECK_THAT(report, node->max_last == computed_max(node), "itree I2: max_last is that of the subtree",
		           "%" PRIu64 ", should be %" PRIu64, node->max_last, computed_max(node));
		check_child(node, node->left, report);
		check_child(node, node->right, report);
		previous = node;
	}
	CHECK_THAT(report, n == t->count, "itree I4: count nodes are reachable", "%zu, count %zu", n, t->count);
}
