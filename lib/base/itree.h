/* SPDX-License-Identifier: MIT */
/*
 * Intervals that may overlap, intrusive: which of them touch [first, last]? The reverse map keeps the mappings
 * of a file in one, by page index.
 */
#ifndef BASE_ITREE_H
#define BASE_ITREE_H

#include <stddef.h>
#include <stdint.h>

#include "base/check.h"

struct itree_node {
	struct itree_node *parent, *left, *right;
	uint64_t first, last; /* inclusive */
	uint64_t max_last;    /* over this subtree */
	uint64_t priority;    /* heap order; from the tree's own generator, so runs repeat */
};

struct itree {
	struct itree_node *root;
	uint64_t seed;
	size_t count;
};

void itree_init(struct itree *t);
/** The node must be in no tree; first <= last. */
void itree_insert(struct itree *t, struct itree_node *node, uint64_t first, uint64_t last);
void itree_remove(struct itree *t, struct itree_node *node);
/** The node that touches [first, last] and comes first by (first, address); NULL if none. */
struct itree_node *itree_first(const struct itree *t, uint64_t first, uint64_t last);
/** The next one in that order. The tree must not have changed since. */
struct itree_node *itree_next(struct itree_node *node, uint64_t first, uint64_t last);
void itree_check(const struct itree *t, struct check_report *report);

#endif
