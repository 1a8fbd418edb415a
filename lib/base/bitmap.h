/* SPDX-License-Identifier: MIT */
/*
 * Bits in an array of words.
 */
#ifndef BASE_BITMAP_H
#define BASE_BITMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BITMAP_WORDS(nbits) (((nbits) + 63) / 64)

static inline bool bitmap_test(const uint64_t *map, size_t bit)
{
	return map[bit / 64] >> (bit % 64) & 1;
}

static inline void bitmap_set(uint64_t *map, size_t bit)
{
	map[bit / 64] |= UINT64_C(1) << (bit % 64);
}

static inline void bitmap_clear(uint64_t *map, size_t bit)
{
	map[bit / 64] &= ~(UINT64_C(1) << (bit % 64));
}

/** The first clear bit in [from, nbits), or nbits. */
size_t bitmap_find_clear(const uint64_t *map, size_t nbits, size_t from);
/** The first set bit in [from, nbits), or nbits. */
size_t bitmap_find_set(const uint64_t *map, size_t nbits, size_t from);

#endif
