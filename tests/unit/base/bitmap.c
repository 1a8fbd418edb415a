// SPDX-License-Identifier: MIT
/*
 * Searches in bitmaps against a bit-by-bit model.
 */
#include "base/bitmap.h"

#include "unit/base/bed.h"

static size_t slow_find(const uint64_t *map, size_t nbits, size_t from, bool set)
{
	while (from < nbits && bitmap_test(map, from) != set)
		from++;
	return from < nbits ? from : nbits;
}

static void compare_all(const uint64_t *map, size_t nbits)
{
	for (size_t from = 0; from <= nbits; from++) {
		EXPECT_EQ(bitmap_find_set(map, nbits, from), slow_find(map, nbits, from, true));
		EXPECT_EQ(bitmap_find_clear(map, nbits, from), slow_find(map, nbits, from, false));
	}
}

TEST(bitmap, set_and_clear_touch_one_bit)
{
	uint64_t map[3] = { 0 };

	bitmap_set(map, 64);
	EXPECT_EQ(map[0], 0);
	EXPECT_EQ(map[1], 1);
	EXPECT_EQ(map[2], 0);
	EXPECT(bitmap_test(map, 64) && !bitmap_test(map, 63) && !bitmap_test(map, 65));
	bitmap_clear(map, 64);
	EXPECT_EQ(map[1], 0);
}

TEST(bitmap, find_agrees_with_slow_model_at_every_length)
{
	uint64_t map[4], state = 1;

	for (size_t nbits = 0; nbits <= 200; nbits += 7) {
		for (size_t i = 0; i < 4; i++) {
			map[i] = bed_random(&state);
			map[i] &= bed_random(&state);
			map[i] &= bed_random(&state);
		}
		compare_all(map, nbits);
		for (size_t i = 0; i < 4; i++)
			map[i] = ~map[i];
		compare_all(map, nbits);
	}
}

TEST(bitmap, find_in_full_and_empty_maps_gives_nbits)
{
	uint64_t full[2] = { UINT64_MAX, UINT64_MAX }, empty[2] = { 0 };

	EXPECT_EQ(bitmap_find_clear(full, 100, 0), 100);
	EXPECT_EQ(bitmap_find_set(empty, 128, 3), 128);
	EXPECT_EQ(bitmap_find_set(full, 0, 0), 0);
	EXPECT_EQ(bitmap_find_set(full, 70, 70), 70);
}
