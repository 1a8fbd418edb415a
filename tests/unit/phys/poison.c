// SPDX-License-Identifier: MIT
/*
 * The content of frames that nobody holds.
 */
#if defined(HAVE_VALGRIND)
#include <valgrind/memcheck.h>
#endif

#include "unit/phys/bed.h"

__attribute__((weak)) int __asan_address_is_poisoned(void const volatile *addr);

/** What a stale translation would do, unseen by the tools that would report it here already. */
__attribute__((no_sanitize("address", "thread"), noinline)) static uint8_t sneak(uint8_t *at, int store)
{
#if defined(HAVE_VALGRIND)
	VALGRIND_MAKE_MEM_DEFINED(at, 1);
#endif
	if (store >= 0)
		*(volatile uint8_t *)at = (uint8_t)store;
	return *(volatile uint8_t *)at;
}

TEST(poison, freed_frame_holds_the_pattern)
{
	struct bed bed;
	uint8_t *page;
	pfn_t pfn;

	bed_open(&bed, MIB, true);
	REQUIRE_EQ(frame_alloc(&bed.ctx, FRAME_ANON, FRAME_ZERO, &pfn), 0);
	page = frame_ptr(bed.phys, pfn);
	frame_put(&bed.ctx, pfn);
	for (size_t i = 0; i < KSIM_PAGE_SIZE; i++)
		EXPECT_EQ(sneak(page + i, -1), FRAME_POISON);
	bed_close(&bed);
}

TEST(poison, new_frame_that_is_not_zeroed_holds_the_pattern)
{
	struct bed bed;
	pfn_t pfn;

	bed_open(&bed, MIB, true);
	for (int i = 0; i < 2; i++) {
		REQUIRE_EQ(frame_alloc(&bed.ctx, FRAME_ANON, 0, &pfn), 0);
		EXPECT_EQ(sneak(frame_ptr(bed.phys, pfn), -1), FRAME_POISON);
		EXPECT_EQ(sneak((uint8_t *)frame_ptr(bed.phys, pfn) + KSIM_PAGE_SIZE - 1, -1), FRAME_POISON);
		frame_put(&bed.ctx, pfn);
	}
	bed_close(&bed);
}

TEST(poison, frames_skipped_for_alignment_count_as_fresh)
{
	struct bed bed;
	pfn_t block, pfn;

	bed_open(&bed, MIB, true);
	REQUIRE_EQ(frame_alloc_block(&bed.ctx, FRAME_ANON, 4, FRAME_ZERO, &block), 0);
	EXPECT_EQ(block.n, 16);
	REQUIRE_EQ(frame_alloc(&bed.ctx, FRAME_ANON, FRAME_ZERO, &pfn), 0);
	EXPECT(pfn.n < 16);
	EXPECT_EQ(sneak(frame_ptr(bed.phys, pfn), -1), 0);
	frame_put(&bed.ctx, pfn);
	for (uint64_t i = 0; i < 16; i++)
		frame_put(&bed.ctx, (pfn_t){ block.n + i });
	bed_close(&bed);
}

TEST(poison, address_sanitizer_knows_freed_frames)
{
	struct bed bed;
	char *page;
	pfn_t pfn;

	if (__asan_address_is_poisoned == NULL)
		SKIP("this program has no address sanitizer");
	bed_open(&bed, MIB, false);
	REQUIRE_EQ(frame_alloc(&bed.ctx, FRAME_ANON, FRAME_ZERO, &pfn), 0);
	page = frame_ptr(bed.phys, pfn);
	EXPECT(!__asan_address_is_poisoned(page));
	frame_put(&bed.ctx, pfn);
	EXPECT(__asan_address_is_poisoned(page));
	EXPECT(__asan_address_is_poisoned(page + KSIM_PAGE_SIZE - 1));
	bed_close(&bed);
	EXPECT(!__asan_address_is_poisoned(page));
}

static pfn_t stale;

static void write_after_free(void *arg)
{
	struct bed *bed = arg;
	pfn_t pfn;

	sneak((uint8_t *)frame_ptr(bed->phys, stale) + 0x123, 'x');
	for (uint64_t i = 0; i < phys_total_frames(bed->phys); i++)
		if (frame_alloc(&bed->ctx, FRAME_ANON, FRAME_ZERO, &pfn) != 0)
			return;
}

TEST(poison, write_after_free_aborts_at_the_next_use)
{
	struct bed bed;
	char saying[100];
	pfn_t pfn[3];

	bed_open(&bed, 16 * PAGE_BYTES, true);
	REQUIRE_EQ(frame_alloc_many(&bed.ctx, FRAME_ANON, FRAME_ZERO, pfn, 3), 0);
	stale = pfn[1];
	for (size_t i = 0; i < 3; i++)
		frame_put(&bed.ctx, pfn[i]);
	snprintf(saying, sizeof(saying), "a freed frame is not written: pfn %#llx, offset 0x123: 0x78",
	         (unsigned long long)stale.n);
	expect_abort(write_after_free, &bed, saying);
	bed_close(&bed);
}
