// SPDX-License-Identifier: MIT
/*
 * Very many mappings: their memory comes from slabs then, and goes back to where it is from, whatever their number is
 * when they go.
 */
#include "bed.h"

enum { MAPPINGS = 6000, CACHED = 32 };

#define PLACE(i) (BASE + (uint64_t)(i)*2 * PAGE_BYTES)

static void map_some(struct bed *b, struct mm *mm, unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++)
		mapped(b, mm, anon_at(PLACE(i), 1));
}

static void many_go_in_any_order(struct bed *b)
{
	struct mm *mm = space(b);
	struct census before = census_now(b), now;

	b->env.sysctl.max_map_count = 2 * MAPPINGS;
	map_some(b, mm, 0, MAPPINGS);
	EXPECT_EQ(mm->vmas.count, MAPPINGS);
	EXPECT(mm->nodes.live > 0 && mm->vma_slab.live > 0);
	expect_sound(b, mm);
	/* The older half, which is not all from the slabs, and so that there are few again. */
	for (unsigned i = 0; i < MAPPINGS / 2; i++)
		unmapped(b, mm, PLACE(i), 1);
	expect_sound(b, mm);
	map_some(b, mm, 0, 100);
	EXPECT_EQ(st8(b, mm, PLACE(MAPPINGS - 1), 7), 0);
	EXPECT_EQ(ld8(b, mm, PLACE(MAPPINGS - 1)), 7);
	unmapped(b, mm, PLACE(0), 2 * MAPPINGS);
	EXPECT(mm->vma_slab.live == 0 && mm->vma_slab.blocks == NULL);
	now = census_now(b);
	/* As many buffers as a call may want at the greatest height, and a block if one of them is in it. */
	EXPECT_MSG(now.kmem_count <= before.kmem_count + CACHED, "%zu, before %zu", now.kmem_count, before.kmem_count);
	drop(b, mm);
}

TEST(many, mappings_take_memory_from_pools_and_give_it_back_where_it_is_from)
{
	on_both_with_ram(16 * MIB, many_go_in_any_order);
}

static void fork_of_many(struct bed *b)
{
	struct mm *mm = space(b), *child;

	b->env.sysctl.max_map_count = 2 * MAPPINGS;
	map_some(b, mm, 0, MAPPINGS);
	child = forked(b, mm);
	EXPECT_EQ(child->vmas.count, MAPPINGS);
	EXPECT(child->vma_slab.live > 0);
	drop(b, mm);
	expect_sound(b, child);
	drop(b, child);
}

TEST(many, mappings_of_a_child_are_from_pools_of_its_own)
{
	on_both_with_ram(16 * MIB, fork_of_many);
}

static void no_block(struct bed *b)
{
	struct mm *mm = space(b);
	struct mm_map what = anon_at(PLACE(4096), 1);
	ksim_addr at;

	b->env.sysctl.max_map_count = 2 * MAPPINGS;
	map_some(b, mm, 0, 4096);
	EXPECT_EQ(mm->vma_slab.live, 0);
	bed_fail_at(b, 1); /* the block of the first VMA that is of the slab */
	EXPECT_EQ(mm_map(&b->ctx, mm, &what, &at), -ENOMEM);
	bed_fail_at(b, NEVER);
	EXPECT_EQ(mm->vmas.count, 4096);
	EXPECT(mm->vma_slab.live == 0 && mm->vma_slab.blocks == NULL);
	expect_sound(b, mm);
	EXPECT_EQ(mm_map(&b->ctx, mm, &what, &at), 0);
	EXPECT_EQ(mm->vma_slab.live, 1);
	drop(b, mm);
}

TEST(many, mapping_without_memory_for_a_block_fails_ENOMEM_and_changes_nothing)
{
	on_both_with_ram(16 * MIB, no_block);
}
