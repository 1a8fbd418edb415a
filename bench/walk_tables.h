/* SPDX-License-Identifier: MIT */
/*
 * What a page walk is compared with, in C: ksim's page table by its own functions, and two walks written by hand.
 *
 * Every table maps page keys[i] to the value i + 1. A run looks up `order`, one key after the other, and folds what it
 * finds. In a dependent run each key waits for the value found before it: the order holds key ^ previous value then.
 */
#ifndef BENCH_WALK_TABLES_H
#define BENCH_WALK_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct page_table;

/** x86_64's entries, or aarch64's. */
struct page_table *page_table_create(const uint64_t *keys, size_t n, int aarch64);
uint64_t page_table_bytes(const struct page_table *t);

/** pt_walk, which gives the entry. */
uint64_t page_table_walk(const struct page_table *t, const uint64_t *order, size_t n, bool dependent);
/** pt_find, which gives the slot, then reading it. */
uint64_t page_table_find(const struct page_table *t, const uint64_t *order, size_t n, bool dependent);
/** By hand, on the same nodes: four times present?, mask, index. */
uint64_t page_table_bare(const struct page_table *t, const uint64_t *order, size_t n, bool dependent);

/** By hand, on nodes of its own that hold host pointers: no frame numbers, no attributes. */
struct pointer_table;

struct pointer_table *pointer_table_create(const uint64_t *keys, size_t n);
uint64_t pointer_table_run(const struct pointer_table *t, const uint64_t *order, size_t n, bool dependent);

/** The body of every run, for all that is compared: find(key_) is the value. */
#define LOOKUP_LOOP(find)                                          \
	do {                                                       \
		uint64_t sum_ = 0, last_ = 0;                      \
		if (dependent) {                                   \
			for (size_t i_ = 0; i_ < n; i_++) {        \
				uint64_t key_ = order[i_] ^ last_; \
				last_ = (find);                    \
				sum_ += last_;                     \
			}                                          \
		} else {                                           \
			for (size_t i_ = 0; i_ < n; i_++) {        \
				uint64_t key_ = order[i_];         \
				sum_ += (find);                    \
			}                                          \
		}                                                  \
		return sum_;                                       \
	} while (0)

#ifdef __cplusplus
}
#endif

#endif
