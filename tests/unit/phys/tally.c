// SPDX-License-Identifier: MIT
/*
 * Frames counted by use.
 */
#include "bed.h"

TEST(tally, counts_frames_by_use_for_one_account_and_for_all)
{
	const uint32_t nobody = 77;
	uint64_t count[FRAME_USES];
	struct bed bed, *b = &bed;
	pfn_t anon[3], file, table;
	uint32_t owner;

	bed_open(b, MIB, false);
	owner = b->alice.id;
	for (int i = 0; i < 3; i++)
		REQUIRE_EQ(frame_alloc(&b->ctx, FRAME_ANON, 0, &anon[i]), 0);
	REQUIRE_EQ(frame_alloc(&b->ctx, FRAME_FILE, 0, &file), 0);
	REQUIRE_EQ(frame_alloc(&b->ctx, FRAME_TABLE, FRAME_ZERO, &table), 0);
	frame_put(&b->ctx, anon[1]);
	phys_tally(&b->ctx, b->phys, &owner, count);
	EXPECT_EQ(count[FRAME_ANON], 2u);
	EXPECT_EQ(count[FRAME_FILE], 1u);
	EXPECT_EQ(count[FRAME_TABLE], 1u);
	phys_tally(&b->ctx, b->phys, NULL, count);
	EXPECT_EQ(count[FRAME_ANON], 2u);
	EXPECT_EQ(count[FRAME_RESERVED], 1u);
	phys_tally(&b->ctx, b->phys, &nobody, count);
	EXPECT_EQ(count[FRAME_ANON] + count[FRAME_FILE] + count[FRAME_TABLE], 0u);
	frame_put(&b->ctx, anon[0]);
	frame_put(&b->ctx, anon[2]);
	frame_put(&b->ctx, file);
	frame_put(&b->ctx, table);
	bed_close(b);
}
