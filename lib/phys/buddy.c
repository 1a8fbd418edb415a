// SPDX-License-Identifier: MIT
/*
 * Which frames are free.
 *
 *   pfn 0     1                                virgin                     nframes
 *   reserved  | used before: in use or on a list | never used, on no list |
 *
 * Below virgin this is a binary buddy allocator: a free block of order k is 2^k frames, aligned to its size, and
 * stands on the list of its order, linked by pfn through its first frame. A block whose buddy (the other half of the
 * block of the next order) is free as well is merged with it. Above virgin a frame costs nothing: neither its content
 * nor its struct frame has been touched. Virgin is raised only when the lists cannot serve; what alignment skips goes
 * to the lists.
 *
 * I1  every frame from 1 to virgin is in use, in a task's cache, or in exactly one block on a list
 * I2  a block on list k: `order` of its first frame is k, it is aligned to 2^k and ends at or below virgin
 * I3  two free buddies of an order below the highest are merged
 * I4  nfree = frames in blocks on the lists + nframes - virgin
 *
 * The buddy of a block that is being given is never in the middle of a larger free block, since that would contain
 * the given block too. So `use` and `order` of its first frame tell all, and the other frames' `order` may be stale.
 * That holds only while no free frame below virgin is off the lists: virgin is raised piece by piece, and who takes
 * frames marks them before anything is given.
 *
 * Locking: phys->lock for everything here.
 * Linux: mm/page_alloc.c. Not modelled: zones, migration types, watermarks.
 */
#include "phys/buddy.h"

static uint64_t frames_of(unsigned order)
{
	return UINT64_C(1) << order;
}

static void list_push(struct phys *phys, uint64_t pfn, unsigned order)
{
	struct frame *frame = &phys->frames[pfn];
	uint32_t next = phys->free_head[order];

	frame->prev = 0;
	frame->next = next;
	frame->order = (uint8_t)order;
	if (next != 0)
		phys->frames[next].prev = (uint32_t)pfn;
	phys->free_head[order] = (uint32_t)pfn;
}

static void list_remove(struct phys *phys, uint64_t pfn, unsigned order)
{
	const struct frame *frame = &phys->frames[pfn];

	if (frame->prev != 0)
		phys->frames[frame->prev].next = frame->next;
	else
		phys->free_head[order] = frame->next;
	if (frame->next != 0)
		phys->frames[frame->next].prev = frame->prev;
}

/** Put a block on its list, merged with its buddies. Does not count it. */
static void put_block(struct phys *phys, uint64_t pfn, unsigned order)
{
	while (order < FRAME_ORDERS - 1) {
		uint64_t buddy = pfn ^ frames_of(order);
		const struct frame *frame = &phys->frames[buddy];

		if (buddy >= phys->virgin || frame_use(frame) != FRAME_FREE || frame->order != order)
			break;
		list_remove(phys, buddy, order);
		pfn &= ~frames_of(order);
		order++;
	}
	list_push(phys, pfn, order);
}

/** Take a block off the lists, cutting a larger one if need be: 0 if there is none. */
static uint64_t take_listed(struct phys *phys, unsigned order)
{
	unsigned have = order;
	uint64_t pfn;

	while (have < FRAME_ORDERS && phys->free_head[have] == 0)
		have++;
	if (have == FRAME_ORDERS)
		return 0;
	pfn = phys->free_head[have];
	list_remove(phys, pfn, have);
	while (have > order) {
		have--;
		list_push(phys, pfn + frames_of(have), have);
	}
	return pfn;
}

/** Raise virgin to `to`; the frames it passes go to the lists, each piece as large as alignment allows. */
static void raise_virgin(struct phys *phys, uint64_t to)
{
	while (phys->virgin < to) {
		uint64_t pfn = phys->virgin;
		unsigned order = MIN((unsigned)__builtin_ctzll(pfn), FRAME_ORDERS - 1u);

		while (pfn + frames_of(order) > to)
			order--;
		phys->virgin = pfn + frames_of(order);
		put_block(phys, pfn, order);
	}
}

/** Take a block from above virgin. Where the rest is too short it joins the lists, which may then have the block. */
static uint64_t take_virgin(struct phys *phys, unsigned order)
{
	uint64_t pfn = (phys->virgin + frames_of(order) - 1) & ~(frames_of(order) - 1);

	if (phys->virgin == phys->nframes)
		return 0;
	if (pfn + frames_of(order) > phys->nframes) {
		raise_virgin(phys, phys->nframes);
		return take_listed(phys, order);
	}
	raise_virgin(phys, pfn);
	phys->virgin = pfn + frames_of(order);
	return pfn;
}

uint64_t buddy_take_locked(struct phys *phys, unsigned order)
{
	uint64_t pfn = take_listed(phys, order);

	if (pfn == 0)
		pfn = take_virgin(phys, order);
	if (pfn != 0)
		phys->nfree -= frames_of(order);
	return pfn;
}

uint64_t buddy_take_run_locked(struct phys *phys, uint64_t n, uint64_t *got)
{
	unsigned order = MIN(63u - (unsigned)__builtin_clzll(n), FRAME_ORDERS - 1u);
	bool aligned = n == HUGE_FRAMES && phys->env->sysctl.transparent_huge != 0;
	uint64_t pfn = take_listed(phys, order);

	*got = frames_of(order);
	if (pfn == 0 && aligned)
		pfn = take_virgin(phys, order);
	if (pfn == 0 && phys->virgin < phys->nframes) {
		pfn = phys->virgin;
		*got = MIN(n, phys->nframes - pfn);
		phys->virgin += *got;
	}
	while (pfn == 0 && order > 0) {
		order--;
		pfn = take_listed(phys, order);
		*got = frames_of(order);
	}
	if (pfn != 0)
		phys->nfree -= *got;
	return pfn;
}

void buddy_give_block_locked(struct phys *phys, uint64_t pfn, unsigned order)
{
	put_block(phys, pfn, order);
	phys->nfree += frames_of(order);
}

void buddy_give_locked(struct phys *phys, uint64_t pfn)
{
	buddy_give_block_locked(phys, pfn, 0);
}
