/* SPDX-License-Identifier: MIT */
/*
 * Disjoint ranges [start, end) of 64-bit numbers, each with a value, in a B-tree that also knows the largest
 * gap below every child. Address spaces keep their VMAs in one.
 *
 * Insertion allocates nothing by itself: the owner asks for the shortage first, gives that many node buffers,
 * and then inserts without being able to fail.
 */
#ifndef BASE_RANGES_H
#define BASE_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"

struct ranges_node;

struct ranges {
	struct ranges_node *root;   /* NULL: empty */
	struct ranges_node *spares; /* given, not yet used; linked */
	unsigned nspares;
	unsigned height; /* 0: empty; 1: the root is a leaf */
	size_t count;    /* ranges */
};

/** Bytes of one node buffer. */
size_t ranges_node_bytes(void);

/** Something that the owner wants to know of a node buffer when it is given back; what is zeroed is not marked. */
void ranges_node_mark(void *node, bool marked);
bool ranges_node_is_marked(const void *node);

void ranges_init(struct ranges *r);
/** How many node buffers must be given before `inserts` insertions (with any removals between them) cannot fail. */
unsigned ranges_shortage(const struct ranges *r, unsigned inserts);
void ranges_give(struct ranges *r, void *node);
/** Get a spare buffer back, NULL when there is none. Removal puts emptied nodes among the spares. */
void *ranges_take(struct ranges *r);

/** Insert; start < end, and nothing present may overlap. Spares must suffice. */
void ranges_insert(struct ranges *r, uint64_t start, uint64_t end, void *value);
/** Remove the range that begins at start; it must be there. @return its value */
void *ranges_remove(struct ranges *r, uint64_t start);
/** Give the range that begins at start new bounds that overlap no other and keep the order. Cannot fail. */
void ranges_resize(struct ranges *r, uint64_t start, uint64_t new_start, uint64_t new_end);

/** The value of the range that contains `at`, or NULL. */
void *ranges_find(const struct ranges *r, uint64_t at);
/** The value of the first range with end > at (it contains `at` or lies above), or NULL. */
void *ranges_at_or_above(const struct ranges *r, uint64_t at);
/** The value of the first range that reaches into [from, to), or NULL. */
void *ranges_first_in(const struct ranges *r, uint64_t from, uint64_t to);
/**
 * Where the last range with start < from ends, 0 if there is none, and where the first one with end > to begins,
 * UINT64_MAX if there is none; without a look at the values.
 */
void ranges_around(const struct ranges *r, uint64_t from, uint64_t to, uint64_t *floor, uint64_t *ceiling);
/** The value of the last range with start < at, or NULL. */
void *ranges_below(const struct ranges *r, uint64_t at);

/** Highest start of a free gap of len within [lo, hi): false if there is none. O(height). */
bool ranges_gap_top_down(const struct ranges *r, uint64_t lo, uint64_t hi, uint64_t len, uint64_t *start);
/** Lowest start, likewise. */
bool ranges_gap_bottom_up(const struct ranges *r, uint64_t lo, uint64_t hi, uint64_t len, uint64_t *start);

/** Validator. */
void ranges_check(const struct ranges *r, struct check_report *report);

#endif
