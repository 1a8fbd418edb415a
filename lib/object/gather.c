// SPDX-License-Identifier: MIT
/*
 * Gathering: 512 pages of shared memory, wherever their frames are, become a block of 2 MiB.
 *
 *	slots    [ a ][   ][ b ] ...    size, seq  ->  fence  ->  looked exclusive  ->  zap the mappings
 *	           |         |
 *	block    [ a'][ 0 ][ b'] ...    nobody but the slots holds a, b?  copy  ->  slots lead to the block  ->  put a, b
 *
 * It is what a truncation is to those who map the pages: entries go, and a fault that was under way begins again. But
 * what is in the pages must arrive in the block, so nobody may write to them behind our back: neither through an entry,
 * of which none is left, nor by a reference, which nobody gets while `looked` is held. Whoever had one before may be
 * writing still; then all stays in its slot, and who asked is told to try again.
 *
 * Absent pages come to be as zeros, also beyond the size if the last one of the block lies there, and all of them are
 * data from now on. What fallocate has set aside beyond the size is in the way as long as it is nothing but that.
 *
 * I1  old frames are put, and the block's are in their slots, only if each slot had the one reference on its frame
 * I2  when it fails all slots are what they were
 *
 * Locking: object->lock and inside it `looked`, held while 2 MiB are copied. Linux: collapse_file in mm/khugepaged.c.
 */
#include "object/shmem.h"

#include <errno.h>

#include "base/rawcopy.h"

/* What there is of the span. @return how many pages; -EINVAL one beyond the size is in the way */
static int look_at(struct radix *pages, uint64_t first, uint64_t size, pfn_t *old)
{
	int count = 0;

	for (uint64_t i = 0; i < HUGE_FRAMES; i++) {
		old[i] = radix_get(pages, first + i);
		if (old[i].n == 0)
			continue;
		if (first + i >= pages_of(size) && radix_marked(pages, first + i))
			return -EINVAL;
		count++;
	}
	return count;
}

static bool are_free_to_move(const struct phys *phys, const pfn_t *old)
{
	for (uint64_t i = 0; i < HUGE_FRAMES; i++)
		if (old[i].n != 0 && frame_refs(phys, old[i]) != 1)
			return false;
	return true;
}

/* Nobody looks, and nobody holds the pages but their slots. */
static void move(const struct phys *phys, struct radix *pages, uint64_t first, const pfn_t *old, pfn_t head)
{
	for (uint64_t i = 0; i < HUGE_FRAMES; i++) {
		pfn_t pfn = { head.n + i };

		if (old[i].n != 0) {
			frame_copy(phys, pfn, old[i]);
			radix_clear(pages, first + i);
		} else {
			raw_zero(frame_ptr(phys, pfn), PAGE_BYTES);
		}
		frame_set_dirty(frame_of(phys, pfn));
		radix_set(pages, first + i, pfn);
	}
}

/* Nodes are there, and the block. 0, -EAGAIN */
static int exchange_locked(struct ctx *ctx, struct object *object, uint64_t first, const pfn_t *old, pfn_t head)
{
	struct shmem *shmem = shmem_of(object);
	int err = -EAGAIN;

	rwlock_write(ctx, &shmem->looked);
	object_hide_locked(ctx, object, first, first + HUGE_FRAMES - 1);
	if (are_free_to_move(ctx->env->phys, old)) {
		move(ctx->env->phys, &shmem->pages, first, old, head);
		err = 0;
	}
	rwlock_write_unlock(ctx, &shmem->looked);
	return err;
}

static int gather_locked(struct ctx *ctx, struct object *object, uint64_t first, const pfn_t *old)
{
	pfn_t head;
	int err;

	if (frame_alloc_block(ctx, FRAME_FILE, HUGE_ORDER, 0, &head) < 0)
		return -ENOMEM;
	err = radix_reserve(ctx, &shmem_of(object)->pages, first, HUGE_FRAMES);
	if (err == 0)
		err = exchange_locked(ctx, object, first, old, head);
	if (err < 0) {
		shmem_prune_locked(ctx, object);
		frame_put_block(ctx, head);
		return err;
	}
	for (uint64_t i = 0; i < HUGE_FRAMES; i++)
		if (old[i].n != 0)
			frame_put(ctx, old[i]);
	return 0;
}

int shmem_gather(struct ctx *ctx, struct object *object, uint64_t first)
{
	struct radix *pages = &shmem_of(object)->pages;
	pfn_t old[HUGE_FRAMES];
	int err;

	mutex_lock(ctx, &object->lock);
	err = look_at(pages, first, object->size, old);
	if (err == 0)
		err = -EINVAL;
	else if (err == HUGE_FRAMES && radix_block(pages, first).n != 0)
		for (uint64_t i = err = 0; pages->nmarked != 0 && i < HUGE_FRAMES; i++)
			radix_get_unmark(pages, first + i);
	else if (err > 0)
		err = gather_locked(ctx, object, first, old);
	mutex_unlock(ctx, &object->lock);
	return err;
}
