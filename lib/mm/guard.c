// SPDX-License-Identifier: MIT
/*
 * Guards: pages that nobody may touch, whatever their mapping allows (MADV_GUARD_INSTALL).
 *
 *	entry    PTE_NONE ---- install ----> PTE_GUARD ---- remove, munmap, exit ----> PTE_NONE
 *
 * A guard is an entry of a leaf node that is not present and not empty, so it stands where a page would, goes along
 * when entries are moved, and outlasts what takes pages away: DONTNEED, truncation, holes. A VMA that has ever had one
 * says so by VMA_GUARD, and faults in others need not look; it is never cut for their sake.
 *
 * I1  a guard stands in a VMA with VMA_GUARD only
 *
 * Locking: the map lock exclusive; shared for mm_is_guard, since whatever sets guards or takes them away has it
 * exclusive.
 * Linux: mm/madvise.c (madvise_guard_install), from 6.13 on.
 */
#include "mm/vma.h"

#include <errno.h>

bool mm_is_guard(const struct mm *mm, ksim_addr addr)
{
	struct pt_slot slot;

	return pt_find(&mm->pt, addr, &slot) && pte_is_guard(pte_read(slot.entry));
}

/* A leaf node for every page of the range, and no huge entry. 0 or -ENOMEM */
static int make_leaves(struct ctx *ctx, struct mm *mm, ksim_addr start, ksim_addr end)
{
	struct pt_slot slot;

	for (ksim_addr at = start; at < end; at = huge_down(at) + PT_LEAF_SPAN)
		if (pt_ensure(ctx, &mm->pt, at, &slot) < 0)
			return -ENOMEM;
	return 0;
}

static int set_leaf(struct ctx *ctx, struct pgtable *pt, struct pt_slot first, ksim_addr addr, size_t n, void *arg)
{
	(void)pt;
	(void)addr;
	(void)arg;
	pt_lock(ctx, &first);
	for (size_t i = 0; i < n; i++)
		pte_exchange(&first.entry[i], PTE_GUARD);
	pt_unlock(ctx, &first);
	return 0;
}

int mm_guard_install(struct ctx *ctx, struct vma *vma, ksim_addr start, ksim_addr end)
{
	struct mm *mm = vma->mm;

	if (make_leaves(ctx, mm, start, end) < 0)
		return -ENOMEM;
	vma_anon_prepare(vma); /* as if pages came there */
	vma_set_flags(vma, vma->flags | VMA_GUARD);
	mm_zap(ctx, mm, start, end);
	pt_for_each_leaf(ctx, &mm->pt, start, end, set_leaf, NULL);
	return 0;
}

static int clear_leaf(struct ctx *ctx, struct pgtable *pt, struct pt_slot first, ksim_addr addr, size_t n, void *arg)
{
	(void)pt;
	(void)addr;
	(void)arg;
	pt_lock(ctx, &first);
	for (size_t i = 0; i < n; i++)
		if (pte_is_guard(pte_read(&first.entry[i])))
			pte_exchange(&first.entry[i], PTE_NONE);
	pt_unlock(ctx, &first);
	return 0;
}

void mm_guard_remove(struct ctx *ctx, struct vma *vma, ksim_addr start, ksim_addr end)
{
	if (vma->flags & VMA_GUARD)
		pt_for_each_leaf(ctx, &vma->mm->pt, start, end, clear_leaf, NULL);
}

/* Give the child the guards of a run. */
static int copy_leaf(struct ctx *ctx, struct pgtable *pt, struct pt_slot first, ksim_addr addr, size_t n, void *arg)
{
	struct mm *child = arg;
	struct pt_slot slot;

	(void)pt;
	for (size_t i = 0; i < n; i++) {
		if (!pte_is_guard(pte_read(&first.entry[i])))
			continue;
		if (pt_ensure(ctx, &child->pt, addr + i * PAGE_BYTES, &slot) < 0)
			return -ENOMEM;
		pte_exchange(slot.entry, PTE_GUARD);
	}
	return 0;
}

int mm_guard_copy(struct ctx *ctx, const struct vma *vma, struct mm *child)
{
	if (!(vma->flags & VMA_GUARD))
		return 0;
	return pt_for_each_leaf(ctx, &vma->mm->pt, vma->start, vma->end, copy_leaf, child);
}
