// SPDX-License-Identifier: MIT
/*
 * MADV_COLLAPSE: pages of 4 KiB become one of 2 MiB.
 *
 *	in a block already ........ the entries become one (huge.c), nothing is copied
 *	private anonymous ......... copied into a fresh block, absent ones as zeros, if one page at least is there; then likewise
 *	pages of an object ........ the object copies them likewise (object, gather.c), so that all who map it lose them and
 *	                            find the block at their next touch; the caller's entry is set at once
 *
 * Who shares private pages, a child of fork, keeps them: the block is the caller's own. A private mapping of a file that
 * has copies of its own keeps these, and then no block can be mapped, though the file has one.
 *
 * I1  when there is no block to be had, nothing has changed; when a page of an object is held, entries may be gone
 *
 * Locking: map exclusive, so that nobody faults; the object's lock; the leaf's lock. Linux: madvise_collapse,
 * hpage_collapse_scan_pmd and collapse_pte_mapped_thp in mm/khugepaged.c. Differs: a huge entry never leads beyond the
 * end of a file, so if it ends within the block, pages up to there are mapped one by one, and what lies beyond is
 * SIGBUS; other mappings keep the nodes in which their small entries were, so what they touch again is mapped by such
 * (Linux frees the nodes); and of private memory from which all pages were taken there is nothing to be made, where
 * Linux makes zeros if a node of the page table has happened to stay.
 */
#include "mm/vma.h"

#include <errno.h>

#include "base/rawcopy.h"
#include "phys/group.h"

/* Entries of the span, all of them in one leaf, that lead to pages; -1: a guard is among them. */
static int count_pages(const struct pt_slot *slot)
{
	int n = 0;

	for (size_t i = 0; i < PT_ENTRIES; i++) {
		pte_t pte = pte_read(&slot->entry[i]);

		if (pte_is_guard(pte))
			return -1;
		n += pte_present(pte);
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

/* Have a block behind the span of private anonymous memory. 0; -EINVAL (nothing is there, or a guard), -ENOMEM */
static int gather(struct ctx *ctx, struct vma *vma, ksim_addr at)
{
	struct pgtable *pt = &vma->mm->pt;
	pfn_t old[PT_ENTRIES], head;
	struct pt_slot slot;

	if (vma->anon == 0 || !pt_find(pt, at, &slot) || count_pages(&slot) <= 0)
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

/* Why the entries of an object's span are not one, though its pages are a block: 0 if it ends before they do. */
static int why_apart(const struct vma *vma, ksim_addr at)
{
	const struct pgtable *pt = &vma->mm->pt;
	struct pt_slot slot;

	if (!pt_find(pt, at, &slot))
		return 0;
	for (size_t i = 0; i < PT_ENTRIES; i++) {
		pte_t pte = pte_read(&slot.entry[i]);

		if (pte_is_guard(pte))
			return COLLAPSE_GUARDED;
		if (pte_present(pte) && frame_use(frame_of(pt->phys, pte_pfn(pte))) == FRAME_ANON)
			return -EINVAL;
	}
	return 0;
}

static int collapse_object(struct ctx *ctx, struct vma *vma, ksim_addr at)
{
	int err = object_gather(ctx, vma->object, vma_pgidx(vma, at));

	if (err < 0)
		return err;
	if (!mm_populate_vma(ctx, vma, at, at + PT_LEAF_SPAN))
		return -ENOMEM;
	return mm_huge_merge(ctx, vma, at, at + PT_LEAF_SPAN) ? 0 : why_apart(vma, at);
}

static int collapse_anon(struct ctx *ctx, struct vma *vma, ksim_addr at)
{
	int err = gather(ctx, vma, at);

	return err < 0 || mm_huge_merge(ctx, vma, at, at + PT_LEAF_SPAN) ? err : -EINVAL;
}

/* It counts as used, as what a touch has brought in. */
static void mark_accessed(struct ctx *ctx, struct pgtable *pt, ksim_addr at)
{
	struct pt_slot slot;
	pte_t was;

	if (!pt_find_second(pt, at, &slot))
		return;
	was = pt_lock_huge(ctx, pt, &slot);
	while (pte_present(was) &&
	       !pte_compare_exchange(slot.entry, was,
	                             pte_with_flags(pt->format, was, pte_flags(pt->format, was) | PTE_ACCESSED)))
		was = pte_read(slot.entry);
	pt_unlock(ctx, &slot);
}

int mm_collapse(struct ctx *ctx, struct vma *vma, ksim_addr at)
{
	int err = 0;

	if (!mm_huge_merge(ctx, vma, at, at + PT_LEAF_SPAN))
		err = (vma->object != NULL ? collapse_object : collapse_anon)(ctx, vma, at);
	if (err == 0)
		mark_accessed(ctx, &vma->mm->pt, at);
	mm_filled(ctx, vma->mm, at, at + PT_LEAF_SPAN);
	return err == -ENOMEM && group_is_full(ctx, HUGE_FRAMES) ? -EBUSY : err;
}
