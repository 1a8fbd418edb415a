// SPDX-License-Identifier: MIT
/*
 * Searching an array of bits a word at a time.
 *
 * Locking: the caller's.
 * Linux: lib/find_bit.c.
 */
#include "base/bitmap.h"

/* The first bit in [from, nbits) that is set in map ^ flip. */
static size_t find(const uint64_t *map, size_t nbits, size_t from, uint64_t flip)
{
	uint64_t mask = ~UINT64_C(0) << (from % 64);

	for (size_t i = from / 64; i < BITMAP_WORDS(nbits); i++) {
		uint64_t word = (map[i] ^ flip) & mask;

		if (word != 0) {
			size_t bit = i * 64 + (size_t)__builtin_ctzll(word);

			return bit < nbits ? bit : nbits;
		}
		mask = ~UINT64_C(0);
	}
	return nbits;
}

size_t bitmap_find_clear(const uint64_t *map, size_t nbits, size_t from)
{
	return find(map, nbits, from, ~UINT64_C(0));
}

size_t bitmap_find_set(const uint64_t *map, size_t nbits, size_t from)
{
	return find(map, nbits, from, 0);
}
