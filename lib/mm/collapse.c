// SPDX-License-Identifier: MIT
/*
 * MADV_COLLAPSE: pages of 4 KiB become one of 2 MiB.
 *
 *	in a block already ........ the entries become one (huge.c), nothing is copied
 *	private anonymous ......... copied into a fresh block, absent ones as zeros, if one page at least is there; then likewise
 *	pages of an object ........ if they do not lie in a block, they stay as they are
 *
 * Who shares the pages, a child of fork, keeps them: the block is the caller's own.
 *
 * I1  when there is no block to be had, nothing has changed
 *
 * Locking: map exclusive, so that nobody faults; the leaf's lock. Linux: madvise_collapse in mm/khugepaged.c, where
 * pages of shared memory are copied, too.
 */
#include "mm/vma.h"

#include <errno.h>

#include "base/rawcopy.h"

/* Entries of the span, all of them in one leaf, that lead to pages of the mapping's. */
static unsigned count_pages(const struct ctx *ctx, const struct pt_slot *slot)
{
	unsigned n = 0;

	for (size_t i = 0; i < PT_ENTRIES; i++) {
		pte_t pte = pte_read(&slot->entry[i]);

		n += pte_present(pte) && pte_pfn(pte).n != ctx->env->zero_pfn;
	}
	return n;
}

/* What was mapped there; PFN_NONE: nothing. */
static void take_out(struct ctx *ctx, struct pt_slot *slot, pfn_t *old)
{
	pt_lock(ctx, slot);
	for (size_t i = 0; i < PT_ENTRIES; i++) {
		pte_t pte = pte_exchange(&slot->entry[i], PTE_NONE);

		old[i] = pte_present(pte) ? pte_pfn(pte) : PFN_NONE;
	}
	pt_unlock(ctx, slot);
}

static void put_in(struct ctx *ctx, const struct vma *vma, struct pt_slot *slot, pfn_t head)
{
	const struct pgtable *pt = &vma->mm->pt;
	unsigned flags = vma_pte_flags(vma, true);

	pt_lock(ctx, slot);
	for (uint64_t i = 0; i < PT_ENTRIES; i++) {
		pfn_t pfn = { head.n + i };

		__atomic_fetch_add(&frame_of(pt->phys, pfn)->mappers, 1, __ATOMIC_RELAXED);
		pte_exchange(&slot->entry[i], pte_make(pt->format, pfn, flags));
	}
	pt_unlock(ctx, slot);
}

static void move_content(struct ctx *ctx, const struct phys *phys, pfn_t head, const pfn_t *old)
{
	for (uint64_t i = 0; i < PT_ENTRIES; i++) {
		pfn_t pfn = { head.n + i };

		if (old[i].n == 0 || old[i].n == ctx->env->zero_pfn)
			raw_zero(frame_ptr(phys, pfn), PAGE_BYTES);
		else
			frame_copy(phys, pfn, old[i]);
	}
}

/* Have a block behind the span of private anonymous memory. 0; -EINVAL (nothing is there), -ENOMEM */
static int gather(struct ctx *ctx, struct vma *vma, ksim_addr at)
{
	struct pgtable *pt = &vma->mm->pt;
	pfn_t old[PT_ENTRIES], head;
	struct pt_slot slot;

	if (vma->prot == 0 || !pt_find(pt, at, &slot) || count_pages(ctx, &slot) == 0)
		return -EINVAL;
	if (frame_alloc_block(ctx, FRAME_ANON, HUGE_ORDER, 0, &head) < 0)
		return -ENOMEM;
	take_out(ctx, &slot, old);
	mm_invalidate(ctx, vma->mm, at, at + PT_LEAF_SPAN, false);
	move_content(ctx, pt->phys, head, old);
	put_in(ctx, vma, &slot, head);
	for (size_t i = 0; i < PT_ENTRIES; i++) {
		if (old[i].n == 0)
			continue;
		__atomic_fetch_sub(&frame_of(pt->phys, old[i])->mappers, 1, __ATOMIC_RELAXED);
		frame_put(ctx, old[i]);
	}
	return 0;
}

int mm_collapse(struct ctx *ctx, struct vma *vma, ksim_addr at)
{
	int err;

	if (mm_huge_merge(ctx, vma, at, at + PT_LEAF_SPAN))
		return 0;
	if (vma->object != NULL)
		return -EINVAL;
	err = gather(ctx, vma, at);
	if (err == 0 && !mm_huge_merge(ctx, vma, at, at + PT_LEAF_SPAN))
		err = -EINVAL;
	mm_filled(ctx, vma->mm, at, at + PT_LEAF_SPAN);
	return err;
}
