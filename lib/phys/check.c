// SPDX-License-Identifier: MIT
/*
 * The validator of RAM: the invariants of buddy.c, frame.c and group.c, each frame looked at once.
 *
 * Two views are compared. The walk follows each list, and sees what the allocator would hand out. The scan steps
 * through all frames below virgin, from block to block, and sees what is there. A block that the scan finds must hang
 * on its predecessor of the same list, and both must find equally many of each order. Likewise for the frames that are
 * in caches.
 *
 * Locking: phys->lock over all of it.
 */
#include "phys/cache.h"
#include "phys/group.h"
#include "phys/pool.h"

typedef unsigned long long ull;

static void check_lists(const struct phys *phys, uint64_t nblocks[FRAME_ORDERS], struct check_report *report)
{
	for (unsigned order = 0; order < FRAME_ORDERS; order++) {
		uint32_t prev = 0;

		for (uint32_t pfn = phys->free_head[order]; pfn != 0; prev = pfn, pfn = phys->frames[pfn].next) {
			const struct frame *frame = &phys->frames[pfn < phys->virgin ? pfn : 0];
			bool sound = frame->use == FRAME_FREE && frame->order == order && frame->prev == prev &&
			             nblocks[order] <= phys->nframes;

			CHECK_THAT(report, sound, "a list has free blocks of its order, linked both ways",
			           "list %u, pfn %#x after %#x: use %u, order %u, prev %#x", order, pfn, prev,
			           frame->use, frame->order, frame->prev);
			if (!sound)
				break;
			nblocks[order]++;
		}
	}
}

/** The free block that begins at pfn. @return its frames, 1 if it is not one */
static uint64_t check_block(const struct phys *phys, uint64_t pfn, struct check_report *report)
{
	const struct frame *frame = &phys->frames[pfn];
	unsigned order = frame->order;
	uint64_t size = UINT64_C(1) << MIN(order, FRAME_ORDERS - 1u);
	const struct frame *buddy = &phys->frames[pfn ^ size];
	bool sound = order < FRAME_ORDERS && pfn % size == 0 && pfn + size <= phys->virgin;

	CHECK_THAT(report, sound, "a free block is aligned and below virgin", "pfn %#llx, order %u, virgin %#llx",
	           (ull)pfn, order, (ull)phys->virgin);
	if (!sound)
		return 1;
	CHECK_THAT(report,
	           frame->prev == 0 ? phys->free_head[order] == pfn
	                            : frame->prev < phys->virgin && phys->frames[frame->prev].next == pfn,
	           "a free block is on its list", "pfn %#llx, order %u, prev %#x", (ull)pfn, order, frame->prev);
	for (uint64_t i = 1; i < size; i++)
		CHECK_THAT(report, frame[i].use == FRAME_FREE, "all frames of a free block are free",
		           "pfn %#llx of block %#llx, order %u: use %u", (ull)(pfn + i), (ull)pfn, order, frame[i].use);
	CHECK_THAT(report,
	           order == FRAME_ORDERS - 1 || (pfn ^ size) >= phys->virgin || buddy->use != FRAME_FREE ||
	                   buddy->order != order,
	           "free buddies are merged", "pfn %#llx and %#llx, order %u", (ull)pfn, (ull)(pfn ^ size), order);
	return size;
}

static void check_used(const struct phys *phys, uint64_t pfn, struct check_report *report)
{
	const struct frame *frame = &phys->frames[pfn];

	CHECK_THAT(report, frame->use > FRAME_RESERVED && frame->use < FRAME_USES,
	           "a frame in use has a use; only pfn 0 is reserved", "pfn %#llx: use %u", (ull)pfn, frame->use);
	CHECK_THAT(report, __atomic_load_n(&frame->refs, __ATOMIC_RELAXED) != 0, "a frame in use has a reference",
	           "pfn %#llx: use %u", (ull)pfn, frame->use);
}

static void check_caches(const struct phys *phys, uint64_t found, struct check_report *report)
{
	const struct frame_cache *cache;
	uint64_t slots = frame_caches_count_locked(phys);

	LIST_FOREACH(cache, &phys->caches, link)
		for (unsigned i = 0; i < FRAME_CACHE_SLOTS; i++) {
			uint64_t pfn = __atomic_load_n(&cache->slot[i], __ATOMIC_RELAXED);

			CHECK_THAT(report, pfn == 0 || (pfn < phys->virgin && phys->frames[pfn].use == FRAME_CACHED),
			           "frame cache I1: a slot has a cached frame", "slot %u, pfn %#llx", i, (ull)pfn);
			CHECK_THAT(report, pfn == 0 || i < cache->top, "frame cache I2: slots from top on are empty",
			           "slot %u, top %u", i, cache->top);
		}
	CHECK_THAT(report, slots == found, "frame cache I1: a cached frame is in one slot", "%llu found, %llu in slots",
	           (ull)found, (ull)slots);
}

static void check_blocks(const struct phys *phys, struct check_report *report)
{
	for (uint64_t block = 0; block <= (phys->virgin - 1) >> HUGE_ORDER; block++) {
		uint64_t first = block << HUGE_ORDER;
		unsigned use = frame_use(&phys->frames[first]);
		uint64_t used = 0;

		if (phys->blocks[block].maps == 0)
			continue;
		while (used < HUGE_FRAMES && first + used < phys->virgin && (use == FRAME_ANON || use == FRAME_FILE) &&
		       frame_use(&phys->frames[first + used]) == use)
			used++;
		CHECK_THAT(report, used == HUGE_FRAMES, "block I3: a block that is mapped is in use as a whole",
		           "pfn %#llx: %u huge entries, %llu frames", (ull)first, phys->blocks[block].maps, (ull)used);
	}
}

static void check_locked(const struct phys *phys, struct check_report *report)
{
	uint64_t listed[FRAME_ORDERS] = { 0 };
	uint64_t found[FRAME_ORDERS] = { 0 };
	uint64_t nfree = 0;
	uint64_t ncached = 0;
	uint64_t step;
	bool bounded = phys->virgin >= 1 && phys->virgin <= phys->nframes;

	CHECK_THAT(report, phys->frames[0].use == FRAME_RESERVED, "pfn 0 is reserved", "use %u", phys->frames[0].use);
	CHECK_THAT(report, bounded, "virgin is within RAM", "virgin %#llx of %#llx", (ull)phys->virgin,
	           (ull)phys->nframes);
	if (!bounded)
		return;
	check_lists(phys, listed, report);
	for (uint64_t pfn = 1; pfn < phys->virgin; pfn += step) {
		step = 1;
		if (phys->frames[pfn].use == FRAME_CACHED) {
			ncached++;
			continue;
		}
		if (phys->frames[pfn].use != FRAME_FREE) {
			check_used(phys, pfn, report);
			continue;
		}
		step = check_block(phys, pfn, report);
		found[__builtin_ctzll(step)]++;
		nfree += step;
	}
	for (unsigned order = 0; order < FRAME_ORDERS; order++)
		CHECK_THAT(report, listed[order] == found[order], "every free block is on its list once",
		           "order %u: %llu listed, %llu found", order, (ull)listed[order], (ull)found[order]);
	check_caches(phys, ncached, report);
	check_blocks(phys, report);
	nfree += phys->nframes - phys->virgin;
	CHECK_THAT(report, nfree == phys->nfree, "nfree is exact", "counted %llu, nfree %llu", (ull)nfree,
	           (ull)phys->nfree);
}

void phys_check(struct phys *phys, struct check_report *report)
{
	struct ctx ctx;

	pool_check(phys, report);
	ctx_init(&ctx, phys->env, "check");
	mutex_lock(&ctx, &phys->lock);
	check_locked(phys, report);
	groups_check_locked(phys, report);
	mutex_unlock(&ctx, &phys->lock);
}
