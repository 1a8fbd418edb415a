// SPDX-License-Identifier: MIT
/*
 * Blocks of 2 MiB that a single entry of a page table maps.
 *
 * A block is 512 frames, each of which is held and freed by itself, as any other: what is done to a part of a block
 * asks nobody. But to touch 512 struct frames each time the block is mapped and unmapped would cost more than the entry
 * saves. So huge entries are counted once for the block, beside the frames:
 *
 *	blocks[pfn / 512].maps    huge entries that map the block
 *	frame.mappers             entries of 4 KiB that map the frame
 *
 * and together these are all entries that lead to a frame: frame_mappers(). As to references:
 *
 * I1  of pages of an object a huge entry holds none: the object's slots hold them, and a slot gives its reference up
 *     only after the mappings have been zapped
 * I2  of private memory all huge entries of a block together hold one reference on each frame, which the last of them
 *     drops
 * I3  maps is 0 for a block whose frames are not all in use
 *
 * Spreading makes of one huge entry what 512 small ones are: a reference and a mapper on each frame; gathering is the
 * reverse. The only one who leads to a block of private memory can be joined by others only through fork, under its
 * map lock held exclusive.
 *
 * Locking: counts are atomic; whoever changes an entry holds the lock that guards it.
 * Linux: include/linux/mm_types.h (_entire_mapcount of a folio), mm/huge_memory.c (__split_huge_pmd_locked).
 */
#include "phys/phys.h"

static uint32_t *maps_of(const struct phys *phys, pfn_t head)
{
	KSIM_ASSERT(NULL, head.n % HUGE_FRAMES == 0 && head.n != 0 && head.n + HUGE_FRAMES <= phys->nframes,
	            "a block is aligned and lies in RAM", "pfn %#llx", (unsigned long long)head.n);
	return &phys->blocks[head.n >> HUGE_ORDER].maps;
}

static bool is_private(const struct phys *phys, pfn_t head)
{
	return frame_use(frame_of(phys, head)) == FRAME_ANON;
}

void frame_block_map(struct phys *phys, pfn_t head)
{
	__atomic_fetch_add(maps_of(phys, head), 1, __ATOMIC_RELAXED);
}

void frame_block_unmap(struct ctx *ctx, struct phys *phys, pfn_t head)
{
	bool private = is_private(phys, head);
	uint32_t was = __atomic_fetch_sub(maps_of(phys, head), 1, __ATOMIC_ACQ_REL);

	KSIM_ASSERT(ctx, was != 0, "a huge entry is counted until it ends", "pfn %#llx", (unsigned long long)head.n);
	if (private && was == 1)
		frame_put_block(ctx, head);
}

void frame_block_spread(struct ctx *ctx, struct phys *phys, pfn_t head)
{
	bool alone = is_private(phys, head) && frame_huge_mappers(phys, head) == 1;
	struct frame *frame = frame_of(phys, head);

	for (uint64_t i = 0; i < HUGE_FRAMES; i++) {
		if (!alone)
			frame_get(phys, (pfn_t){ head.n + i });
		__atomic_fetch_add(&frame[i].mappers, 1, __ATOMIC_RELAXED);
	}
	if (alone)
		__atomic_fetch_sub(maps_of(phys, head), 1, __ATOMIC_RELAXED);
	else
		frame_block_unmap(ctx, phys, head);
}

void frame_block_gather(struct ctx *ctx, struct phys *phys, pfn_t head)
{
	struct frame *frame = frame_of(phys, head);
	bool first = __atomic_fetch_add(maps_of(phys, head), 1, __ATOMIC_RELAXED) == 0;

	for (uint64_t i = 0; i < HUGE_FRAMES; i++)
		__atomic_fetch_sub(&frame[i].mappers, 1, __ATOMIC_RELAXED);
	if (!is_private(phys, head) || !first)
		frame_put_block(ctx, head);
}

void frame_get_block(struct phys *phys, pfn_t head)
{
	for (uint64_t i = 0; i < HUGE_FRAMES; i++)
		frame_get(phys, (pfn_t){ head.n + i });
}

bool frame_block_is_own(const struct phys *phys, pfn_t head)
{
	if (!is_private(phys, head) || frame_huge_mappers(phys, head) != 1)
		return false;
	for (uint64_t i = 0; i < HUGE_FRAMES; i++)
		if (frame_refs(phys, (pfn_t){ head.n + i }) != 1)
			return false;
	return true;
}
