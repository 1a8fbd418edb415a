// SPDX-License-Identifier: MIT
/*
 * The address space as a whole: its birth, its end, and those who must hear when a translation ends.
 *
 * I1  every present leaf entry lies in a VMA, holds one reference on its frame and counts in its mappers
 * I2  an entry is cleared or write-protected first, then invalidated at every notifier, and only then is the
 *     frame put; so no translation outlives the call that ended it, and none leads to a recycled frame
 * I3  a node is freed with the map lock exclusive, its VMAs off their objects' lists, after an invalidation of
 *     its whole span
 *
 * Locking: map (shared for faults and copies, exclusive for everything that changes VMAs) > object > leaf >
 * notifier list. Linux: kernel/fork.c (mm_struct), mm/mmu_notifier.c.
 */
#include "mm/vma.h"

#include "host/kmem.h"

#include <errno.h>

#define TOP_GAP (16 * PAGE_BYTES)

int mm_create(struct ctx *ctx, struct mm **out)
{
	struct mm *mm = kmem_alloc(ctx, sizeof(*mm));
	int err;

	if (mm == NULL)
		return -ENOMEM;
	err = pt_init(ctx, &mm->pt, pte_format_of(ctx->env->arch));
	if (err < 0)
		goto undo_alloc;
	ref_init(&mm->ref);
	origin_set(ctx, &mm->origin, CENSUS_MM);
	mm->env = ctx->env;
	mm->bounds = (struct mm_bounds){ .min = MM_MIN, .top = MM_TOP, .max = MM_MAX };
	mm->brk_start = mm->brk = MM_BRK;
	rwlock_init(&mm->map, RANK_MM_MAP);
	ranges_init(&mm->vmas);
	mutex_init(&mm->notifier_lock, RANK_TLB_LIST);
	LIST_INIT(&mm->notifiers);
	*out = mm;
	return 0;

undo_alloc:
	kmem_free(ctx->env, mm, sizeof(*mm));
	return err;
}

void mm_confine(struct mm *mm, ksim_addr min, ksim_addr max)
{
	KSIM_ASSERT(NULL,
	            mm->vmas.count == 0 && MM_MIN <= min && min < max && max <= MM_MAX &&
	                    ((min | max) & ~PAGE_MASK) == 0,
	            "an empty address space is confined to pages of user space", "[%#lx, %#lx)", min, max);
	/* Who runs past the end of the first mapping is still within the bounds, where it can be told. */
	mm->bounds = (struct mm_bounds){ .min = min, .top = max - MIN(TOP_GAP, (max - min) / 2), .max = max };
	/* Whatever has no hint comes down from the other end. */
	mm->brk_start = mm->brk = min;
	mm->eager = true;
}

void mm_get(struct mm *mm)
{
	ref_get(&mm->ref);
}

static void mm_destroy(struct ctx *ctx, struct drop *drop)
{
	struct mm *mm = ref_container(drop, struct mm);
	struct vma *vma;

	KSIM_ASSERT(ctx, LIST_EMPTY(&mm->notifiers), "nobody keeps translations of a dead address space", "%p",
	            (void *)mm);
	while ((vma = ranges_at_or_above(&mm->vmas, 0)) != NULL) {
		mm_zap(ctx, mm, vma->start, vma->end);
		mm_guard_remove(ctx, vma, vma->start, vma->end);
		vma_unlink(ctx, vma);
		vma_release(ctx, vma);
	}
	pt_fini(ctx, &mm->pt);
	vma_unreserve_all(ctx, mm);
	mutex_fini(&mm->notifier_lock);
	rwlock_fini(&mm->map);
	origin_clear(&mm->origin);
	kmem_free(ctx->env, mm, sizeof(*mm));
}

void mm_put(struct ctx *ctx, struct mm *mm)
{
	if (mm != NULL)
		ref_put(ctx, &mm->ref, mm_destroy);
}

void mm_notifiers_lock(struct ctx *ctx, struct mm *mm)
{
	mutex_lock(ctx, &mm->notifier_lock);
}

void mm_notifiers_unlock(struct ctx *ctx, struct mm *mm)
{
	mutex_unlock(ctx, &mm->notifier_lock);
}

void mm_notifier_add(struct ctx *ctx, struct mm *mm, struct mmu_notifier *notifier)
{
	mm_notifiers_lock(ctx, mm);
	LIST_INSERT_HEAD(&mm->notifiers, notifier, link);
	mm_notifiers_unlock(ctx, mm);
}

void mm_notifier_remove(struct ctx *ctx, struct mm *mm, struct mmu_notifier *notifier)
{
	mm_notifiers_lock(ctx, mm);
	LIST_REMOVE(notifier, link);
	mm_notifiers_unlock(ctx, mm);
}

void mm_invalidate(struct ctx *ctx, struct mm *mm, ksim_addr start, ksim_addr end, bool nodes)
{
	struct mmu_notifier *notifier;

	mm_notifiers_lock(ctx, mm);
	LIST_FOREACH(notifier, &mm->notifiers, link)
		notifier->invalidate(ctx, notifier, start, end, nodes);
	mm_notifiers_unlock(ctx, mm);
}

void mm_invalidate_for_copy(struct ctx *ctx, struct mm *mm, ksim_addr start, ksim_addr end)
{
	struct mmu_notifier *notifier;

	mm_notifiers_lock(ctx, mm);
	LIST_FOREACH(notifier, &mm->notifiers, link)
		if (notifier->filled == NULL)
			notifier->invalidate(ctx, notifier, start, end, false);
	mm_notifiers_unlock(ctx, mm);
}

void mm_filled(struct ctx *ctx, struct mm *mm, ksim_addr start, ksim_addr end)
{
	struct mmu_notifier *notifier;

	if (likely(!mm->eager))
		return;
	mm_notifiers_lock(ctx, mm);
	LIST_FOREACH(notifier, &mm->notifiers, link)
		if (notifier->filled != NULL)
			notifier->filled(ctx, notifier, start, end);
	mm_notifiers_unlock(ctx, mm);
}
