/* SPDX-License-Identifier: MIT */
/*
 * Frame numbers by page index: a radix tree of 64-way nodes that is only as high as its highest index needs.
 * A slot holds a frame number or 0, and a filled one may be marked. Mechanism only; the caller locks and counts
 * references.
 */
#ifndef OBJECT_RADIX_H
#define OBJECT_RADIX_H

#include <sys/queue.h>

#include "phys/phys.h"

struct radix_node;

struct radix {
	struct radix_node *root;      /* NULL: empty */
	unsigned height;              /* levels below and including the root */
	uint64_t count;               /* slots that are not 0 */
	uint64_t nmarked;             /* of these, marked */
	LIST_HEAD(, radix_node) idle; /* nodes that hold nothing: what a prune frees */
};

void radix_init(struct radix *r);
/** The slot's frame, PFN_NONE if empty. */
pfn_t radix_get(const struct radix *r, uint64_t index);
/**
 * The same for one who does not keep others from filling and marking slots, but does keep them from clearing slots and
 * pruning. A slot that is being filled is seen empty, or filled with its mark.
 */
pfn_t radix_peek(const struct radix *r, uint64_t index, bool *marked);
/**
 * Make the nodes for [first, first + n), n > 0, so that radix_set there cannot fail.
 * 0 or -ENOMEM (extra nodes stay until radix_prune).
 */
int radix_reserve(struct ctx *ctx, struct radix *r, uint64_t first, uint64_t n);
/** Fill an empty slot whose nodes exist; it is not marked. */
void radix_set(struct radix *r, uint64_t index, pfn_t pfn);
/** Empty a slot and return what was there. */
pfn_t radix_clear(struct radix *r, uint64_t index);
/**
 * Whether the HUGE_FRAMES slots from index on, a multiple of that, hold a block: frames that follow each other from a
 * multiple of HUGE_FRAMES on. @return the first one, else PFN_NONE
 */
pfn_t radix_block(const struct radix *r, uint64_t index);
/** The first filled slot at or above index; false if there is none. O(height) over absent subtrees. */
bool radix_next(const struct radix *r, uint64_t index, uint64_t *found, pfn_t *pfn);
/** The same, and it is marked. */
void radix_set_marked(struct radix *r, uint64_t index, pfn_t pfn);
/** Mark a filled slot. */
void radix_mark(struct radix *r, uint64_t index);
bool radix_marked(const struct radix *r, uint64_t index);
/** radix_get, and the slot is not marked any more. */
pfn_t radix_get_unmark(struct radix *r, uint64_t index);
/** The first filled slot at or above index that is not marked; false if there is none. */
bool radix_next_unmarked(const struct radix *r, uint64_t index, uint64_t *found);
/** The first index at or above index whose slot is empty or marked. */
uint64_t radix_next_gap(const struct radix *r, uint64_t index);
/** Free nodes that hold nothing; all of them when the tree is empty. O(nodes freed). */
void radix_prune(struct env *env, struct radix *r);
/** Free all nodes; no slot may be filled. */
void radix_fini(struct env *env, struct radix *r);
void radix_check(const struct radix *r, struct check_report *report);

#endif
