// SPDX-License-Identifier: MIT
/*
 * Blocks of 2 MiB as huge entries count them: what they hold of the frames, and what a frame tells of them.
 */
#include "unit/phys/bed.h"

static pfn_t block(struct bed *bed, enum frame_use use)
{
	pfn_t head;

	SETUP(frame_alloc_block(&bed->ctx, use, HUGE_ORDER, FRAME_ZERO, &head) == 0);
	return head;
}

static pfn_t nth(pfn_t head, uint64_t n)
{
	return (pfn_t){ head.n + n };
}

TEST(block, of_private_memory_is_freed_by_its_last_huge_entry)
{
	struct bed bed;
	pfn_t head;

	bed_open(&bed, 8 * MIB, true);
	head = block(&bed, FRAME_ANON);
	frame_block_map(bed.phys, head);
	EXPECT(frame_block_is_own(bed.phys, head));
	EXPECT_EQ(frame_mappers(bed.phys, nth(head, 511)), 1);
	EXPECT_EQ(frame_holders(bed.phys, nth(head, 511)), 1);
	frame_block_map(bed.phys, head);
	EXPECT(!frame_block_is_own(bed.phys, head));
	EXPECT_EQ(frame_mappers(bed.phys, nth(head, 7)), 2);
	EXPECT_EQ(frame_holders(bed.phys, nth(head, 7)), 2);
	frame_block_unmap(&bed.ctx, bed.phys, head);
	EXPECT_EQ(frame_use(frame_of(bed.phys, head)), FRAME_ANON);
	frame_block_unmap(&bed.other, bed.phys, head);
	EXPECT_EQ(frame_use(frame_of(bed.phys, head)), FRAME_FREE);
	bed_close(&bed);
}

TEST(block, of_an_object_is_not_held_by_huge_entries)
{
	struct bed bed;
	pfn_t head;

	bed_open(&bed, 8 * MIB, true);
	head = block(&bed, FRAME_FILE);
	frame_block_map(bed.phys, head);
	EXPECT_EQ(frame_refs(bed.phys, head), 1);
	EXPECT_EQ(frame_holders(bed.phys, head), 2);
	EXPECT(!frame_block_is_own(bed.phys, head));
	frame_block_unmap(&bed.ctx, bed.phys, head);
	EXPECT_EQ(frame_refs(bed.phys, head), 1);
	frame_put_block(&bed.ctx, head);
	bed_close(&bed);
}

static void expect_counts(const struct bed *bed, pfn_t head, uint32_t refs, uint32_t mappers, uint32_t huge)
{
	uint64_t wrong = 0;

	for (uint64_t i = 0; i < HUGE_FRAMES; i++)
		wrong += frame_refs(bed->phys, nth(head, i)) != refs ||
		         frame_of(bed->phys, nth(head, i))->mappers != mappers;
	EXPECT_EQ(wrong, 0);
	EXPECT_EQ(frame_huge_mappers(bed->phys, head), huge);
}

static void unmap_frames(struct bed *bed, pfn_t head)
{
	for (uint64_t i = 0; i < HUGE_FRAMES; i++)
		__atomic_fetch_sub(&frame_of(bed->phys, nth(head, i))->mappers, 1, __ATOMIC_RELAXED);
	frame_put_block(&bed->ctx, head);
}

TEST(block, spread_and_gathered_again_counts_the_same)
{
	struct bed bed;
	pfn_t head;

	bed_open(&bed, 8 * MIB, true);
	head = block(&bed, FRAME_ANON);
	frame_block_map(bed.phys, head);
	frame_block_spread(&bed.ctx, bed.phys, head);
	expect_counts(&bed, head, 1, 1, 0);
	frame_block_gather(&bed.ctx, bed.phys, head);
	expect_counts(&bed, head, 1, 0, 1);
	frame_block_map(bed.phys, head); /* as fork does */
	frame_block_spread(&bed.ctx, bed.phys, head);
	expect_counts(&bed, head, 2, 1, 1);
	frame_block_spread(&bed.ctx, bed.phys, head);
	expect_counts(&bed, head, 2, 2, 0);
	frame_block_gather(&bed.ctx, bed.phys, head);
	frame_block_gather(&bed.ctx, bed.phys, head);
	expect_counts(&bed, head, 1, 0, 2);
	frame_block_spread(&bed.ctx, bed.phys, head);
	unmap_frames(&bed, head);
	expect_counts(&bed, head, 1, 0, 1);
	frame_block_unmap(&bed.ctx, bed.phys, head);
	head = block(&bed, FRAME_FILE);
	frame_block_map(bed.phys, head);
	frame_block_spread(&bed.ctx, bed.phys, head);
	expect_counts(&bed, head, 2, 1, 0);
	frame_block_gather(&bed.ctx, bed.phys, head);
	expect_counts(&bed, head, 1, 0, 1);
	frame_block_unmap(&bed.ctx, bed.phys, head);
	frame_put_block(&bed.ctx, head);
	bed_close(&bed);
}

TEST(block, put_while_some_of_its_frames_are_held_frees_the_others)
{
	struct bed bed;
	uint64_t free_before;
	pfn_t head;

	bed_open(&bed, 8 * MIB, true);
	head = block(&bed, FRAME_ANON);
	free_before = phys_free_frames(&bed.ctx);
	frame_get(bed.phys, nth(head, 3));
	frame_get(bed.phys, nth(head, 511));
	frame_put_block(&bed.ctx, head);
	EXPECT_EQ(phys_free_frames(&bed.ctx), free_before + 510);
	bed_check(&bed);
	frame_put(&bed.ctx, nth(head, 3));
	frame_put(&bed.ctx, nth(head, 511));
	EXPECT_EQ(block(&bed, FRAME_ANON).n, head.n);
	frame_put_block(&bed.ctx, head);
	bed_close(&bed);
}

TEST(block, many_frames_of_its_size_are_one_where_such_are_wanted)
{
	struct bed bed;
	pfn_t pfns[HUGE_FRAMES];

	for (unsigned wanted = 0; wanted < 2; wanted++) {
		bed_open(&bed, 8 * MIB, true);
		bed.env.sysctl.transparent_huge = wanted;
		SETUP(frame_alloc_many(&bed.ctx, FRAME_FILE, 0, pfns, HUGE_FRAMES) == 0);
		EXPECT_EQ(pfns[0].n % HUGE_FRAMES == 0, wanted);
		EXPECT_EQ(pfns[HUGE_FRAMES - 1].n, pfns[0].n + HUGE_FRAMES - 1);
		for (uint64_t i = 0; i < HUGE_FRAMES; i++)
			frame_put(&bed.ctx, pfns[i]);
		bed_close(&bed);
	}
}
