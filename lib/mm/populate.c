// SPDX-License-Identifier: MIT
/*
 * Entries for pages that are there before anybody faults on them.
 *
 * A user who reaches memory by addresses of the host's pays for each fault with a signal, and a system call of the
 * host's that is handed such an address fails where a load would have faulted. So what an object already has is entered
 * when it is mapped, and around a fault: a leaf's run at a time, the object asked once for all of it.
 *
 *	seq = object->seq; pages, with references; leaf lock; seq as it was? set what is absent; unlock; put the rest
 *
 * I1  as a fault's: an entry is set only if nothing was removed from the object since before its size was read
 *
 * Locking: map shared; the object's lock inside object_pages_at only; then the leaf lock.
 * Linux: mm/memory.c (do_fault_around), mm/filemap.c (filemap_map_pages).
 */
#include "mm/vma.h"

/* Set what is absent of a run. A page whose reference an entry has taken over becomes PFN_NONE. */
static void set_absent(struct ctx *ctx, const struct vma *vma, struct pt_slot *slot, pfn_t *pages, size_t n,
                       uint64_t seq)
{
	const struct pgtable *pt = &vma->mm->pt;
	unsigned flags = vma_pte_flags(vma, false);

	pt_lock(ctx, slot);
	for (size_t i = 0; vma_object_is_at(vma, seq) && i < n; i++) {
		if (pages[i].n == 0 || pte_read(&slot->entry[i]).bits != PTE_NONE.bits)
			continue;
		__atomic_fetch_add(&frame_of(pt->phys, pages[i])->mappers, 1, __ATOMIC_RELAXED);
		if (flags & PTE_DIRTY)
			frame_set_dirty(frame_of(pt->phys, pages[i]));
		pte_exchange(&slot->entry[i], pte_make(pt->format, pages[i], flags));
		pages[i] = PFN_NONE;
	}
	pt_unlock(ctx, slot);
}

static bool any_absent(const struct pt_slot *slot, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!pte_present(pte_read(&slot->entry[i])))
			return true;
	return false;
}

/* The pages of one leaf node. false: there are no nodes to be had. */
static bool populate_run(struct ctx *ctx, const struct vma *vma, ksim_addr addr, size_t n)
{
	uint64_t seq = object_seq(vma->object);
	pfn_t pages[PT_ENTRIES];
	struct pt_slot slot;
	bool room;

	n = vma_pages_in_file(vma, addr, n);
	if (n == 0)
		return true;
	if (pt_find(&vma->mm->pt, addr, &slot) && !any_absent(&slot, n))
		return true;
	if (object_pages_at(ctx, vma->object, vma_pgidx(vma, addr), n, pages) == 0)
		return true;
	room = pt_ensure(ctx, &vma->mm->pt, addr, &slot) == 0;
	if (room)
		set_absent(ctx, vma, &slot, pages, n, seq);
	for (size_t i = 0; i < n; i++)
		if (pages[i].n != 0)
			frame_put(ctx, pages[i]);
	return room;
}

bool mm_populate_vma(struct ctx *ctx, const struct vma *vma, ksim_addr start, ksim_addr end)
{
	while (start < end) {
		ksim_addr next = MIN(end, (start | (PT_LEAF_SPAN - 1)) + 1);

		if (next - start == PT_LEAF_SPAN && vma_huge_fits(vma, start) && mm_huge_populate(ctx, vma, start)) {
			start = next;
			continue;
		}
		if (!(vma->flags & VMA_HUGETLB) && !populate_run(ctx, vma, start, (next - start) >> PAGE_SHIFT))
			return false;
		start = next;
	}
	return true;
}

void mm_populate(struct ctx *ctx, struct mm *mm, ksim_addr start, ksim_addr end)
{
	map_read_lock(ctx, mm);
	for (const struct vma *vma = ranges_at_or_above(&mm->vmas, start); vma != NULL && vma->start < end;
	     vma = ranges_at_or_above(&mm->vmas, vma->end))
		if (vma->object != NULL && vma->prot != 0 &&
		    !mm_populate_vma(ctx, vma, MAX(vma->start, start), MIN(vma->end, end)))
			break;
	mm_filled(ctx, mm, start, end);
	map_read_unlock(ctx, mm);
}
