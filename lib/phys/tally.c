// SPDX-License-Identifier: MIT
/*
 * How many frames are used for what: asked for rarely, so counted then and not on the way.
 *
 * One pass over the frames below virgin, in pieces, the lock released in between: what changes meanwhile is seen as it
 * was or as it is.
 *
 * Locking: phys->lock, a piece at a time, for virgin and the lists; frames of a task's cache change without it.
 */
#include "phys/phys.h"

enum { PIECE = 4096 };

/* From pfn on. @return where to go on; 0: that was all */
static uint64_t tally_piece(struct ctx *ctx, struct phys *phys, uint64_t pfn, const uint32_t *owner,
                            uint64_t count[FRAME_USES])
{
	uint64_t end;

	mutex_lock(ctx, &phys->lock);
	end = MIN(pfn + PIECE, phys->virgin);
	for (; pfn < end; pfn++) {
		const struct frame *frame = &phys->frames[pfn];
		enum frame_use use = frame_use(frame);

		if (owner == NULL ||
		    (use > FRAME_RESERVED && __atomic_load_n(&frame->owner, __ATOMIC_RELAXED) == *owner))
			count[use]++;
	}
	end = pfn < phys->virgin ? pfn : 0;
	mutex_unlock(ctx, &phys->lock);
	return end;
}

void phys_tally(struct ctx *ctx, struct phys *phys, const uint32_t *owner, uint64_t count[FRAME_USES])
{
	uint64_t pfn = 0;

	for (int use = 0; use < FRAME_USES; use++)
		count[use] = 0;
	do
		pfn = tally_piece(ctx, phys, pfn, owner, count);
	while (pfn != 0);
}

size_t phys_look(struct ctx *ctx, struct phys *phys, uint64_t pfn, struct frame_look *out, size_t n)
{
	mutex_lock(ctx, &phys->lock);
	n = pfn < phys->virgin ? MIN(n, phys->virgin - pfn) : 0;
	for (size_t i = 0; i < n; i++) {
		const struct frame *frame = &phys->frames[pfn + i];
		enum frame_use use = frame_use(frame);
		bool mapped = use == FRAME_ANON || use == FRAME_FILE;

		out[i] = (struct frame_look){
			.use = use,
			.pooled = use > FRAME_RESERVED && frame_pooled(frame),
			.dirty = use == FRAME_FILE && frame_dirty(frame),
			.mappers = mapped ? frame_mappers(phys, (pfn_t){ pfn + i }) : 0,
		};
	}
	mutex_unlock(ctx, &phys->lock);
	return n;
}
