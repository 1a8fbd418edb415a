// SPDX-License-Identifier: MIT
/*
 * Looking at frames one by one, as /proc/kpagecount does, and what is remembered of a page of a file that was written.
 */
#include "bed.h"

static pfn_t take(struct bed *bed, enum frame_use use)
{
	pfn_t pfn = PFN_NONE;

	SETUP(frame_alloc(&bed->ctx, use, FRAME_ZERO, &pfn) == 0);
	return pfn;
}

TEST(phys_look, tells_use_mappers_and_writing_of_each_frame)
{
	struct frame_look look[4];
	struct bed bed;
	pfn_t file, anon, table;

	bed_open(&bed, MIB, true);
	file = take(&bed, FRAME_FILE);
	anon = take(&bed, FRAME_ANON);
	table = take(&bed, FRAME_TABLE);
	frame_of(bed.phys, anon)->mappers = 3;
	frame_of(bed.phys, table)->mappers = 5; /* children of a node, there */
	frame_set_dirty(frame_of(bed.phys, file));
	SETUP(file.n == 1 && anon.n == 2 && table.n == 3);
	EXPECT_EQ(phys_look(&bed.ctx, bed.phys, 0, look, 4), 4);
	EXPECT_EQ(look[0].use, FRAME_RESERVED);
	EXPECT_EQ(look[1].use, FRAME_FILE);
	EXPECT(look[1].dirty);
	EXPECT_EQ(look[2].use, FRAME_ANON);
	EXPECT_EQ(look[2].mappers, 3);
	EXPECT(!look[2].dirty);
	EXPECT_EQ(look[3].use, FRAME_TABLE);
	EXPECT_EQ(look[3].mappers, 0);
	EXPECT_EQ(phys_look(&bed.ctx, bed.phys, 2, look, 4), bed.phys->virgin - 2 < 4 ? bed.phys->virgin - 2 : 4);
	EXPECT_EQ(phys_look(&bed.ctx, bed.phys, bed.phys->nframes, look, 4), 0);
	frame_of(bed.phys, anon)->mappers = 0;
	frame_of(bed.phys, table)->mappers = 0;
	frame_put(&bed.ctx, file);
	frame_put(&bed.ctx, anon);
	frame_put(&bed.ctx, table);
	bed_close(&bed);
}

TEST(phys_look, frame_that_comes_again_has_not_been_written)
{
	struct bed bed;
	pfn_t pfn;

	bed_open(&bed, MIB, false);
	pfn = take(&bed, FRAME_FILE);
	EXPECT(!frame_dirty(frame_of(bed.phys, pfn)));
	frame_set_dirty(frame_of(bed.phys, pfn));
	EXPECT(frame_dirty(frame_of(bed.phys, pfn)));
	frame_put(&bed.ctx, pfn);
	EXPECT_EQ(take(&bed, FRAME_FILE).n, pfn.n);
	EXPECT(!frame_dirty(frame_of(bed.phys, pfn)));
	frame_put_zeros(&bed.ctx, pfn);
	EXPECT_EQ(take(&bed, FRAME_FILE).n, pfn.n);
	EXPECT(!frame_dirty(frame_of(bed.phys, pfn)));
	frame_put(&bed.ctx, pfn);
	bed_close(&bed);
}
