// SPDX-License-Identifier: MIT
/*
 * Pages of 2 MiB: when one entry of the page table maps 512 pages at once.
 *
 * Nobody asks for it and nobody sees it but by its speed; so each of these is only an attempt, and what fails is tried
 * with pages of 4 KiB, which tell what is wrong.
 *
 *	                       object's block is there      is not there
 *	shared                 mapped                       made, if the VMA was advised VMA_HUGE and it is all absent
 *	private file, read     mapped, read-only            likewise
 *	private file, write    4 KiB: it is about a copy
 *	private anonymous                                   made, if the VMA was advised VMA_HUGE
 *
 * So sparse memory stays sparse where nobody has said otherwise, which is what Linux does with its settings `madvise`
 * for anonymous and `advise` for shared memory; and a file whose pages are there in blocks, since it was committed as a
 * whole, is mapped by blocks without being asked. A read of advised anonymous memory gets a block as a write does.
 *
 * What concerns a part splits the entry first (pgtable, huge.c): munmap, mprotect, truncation, the cutting of a VMA,
 * and a write to private memory that others share, which copies 4 KiB. Huge pages that were asked for by name are
 * another matter, and never split: hugetlb.c, which sets its entries by what is here.
 *
 * I1  a huge entry lies in one VMA and maps 512 pages of its object in order, or a block of private memory
 * I2  as for small entries, one is set only if nothing was removed from the object since before its size was read;
 *     until that is known, under the entry's lock, nothing of the block is touched, not even its struct frames
 * I3  a block of private memory is written through an entry only if that is the only thing that leads to it; seen
 *     under the lock under which the entry is changed
 *
 * Locking: map; the object's lock inside object_block only; then the lock of huge entries.
 * Linux: mm/huge_memory.c (do_huge_pmd_anonymous_page, do_huge_pmd_wp_page), mm/memory.c (do_set_pmd). Not modelled:
 * the huge page of zeros, khugepaged, sizes between 4 KiB and 2 MiB.
 */
#include "mm/vma.h"

#include <errno.h>

static bool is_advised(const struct vma *vma)
{
	return vma->flags & VMA_HUGE;
}

/* What an entry needs of the page table: had before a block is made, without which it would be made for nothing. */
struct place {
	struct pt_slot slot;
	pfn_t node; /* for the day it is split */
};

static bool place_get(struct ctx *ctx, const struct vma *vma, ksim_addr addr, struct place *place)
{
	struct pgtable *pt = &vma->mm->pt;

	return pt_ensure_second(ctx, pt, addr, &place->slot) == 0 && pt_node_alloc(ctx, &place->node) == 0;
}

enum { OWN = 1, WRITTEN = 2 };

/* Set the entry that is absent. OWN: to a block of private memory; WRITTEN: to one of an object. Ends the place. */
static int install(struct ctx *ctx, const struct vma *vma, ksim_addr addr, struct place *place, pfn_t head,
                   unsigned how, uint64_t seq)
{
	struct pgtable *pt = &vma->mm->pt;
	int err = HUGE_RETRY;

	pt_lock(ctx, &place->slot);
	if (vma_object_is_at(vma, seq) &&
	    pt_set_huge(pt, &place->slot, addr, pte_make_huge(pt->format, head, vma_pte_flags(vma, how & OWN)),
	                &place->node)) {
		frame_block_map(pt->phys, head);
		if (how & WRITTEN)
			frame_set_dirty(frame_of(pt->phys, head));
		err = 0;
	}
	pt_unlock(ctx, &place->slot);
	pt_node_free(ctx, place->node);
	return err;
}

int mm_huge_install(struct ctx *ctx, const struct vma *vma, ksim_addr addr, pfn_t head, bool own, uint64_t seq)
{
	struct place place;

	return place_get(ctx, vma, addr, &place) ? install(ctx, vma, addr, &place, head, own ? OWN : 0, seq) : HUGE_NOT;
}

static int fault_object(struct ctx *ctx, const struct vma *vma, ksim_addr addr, enum access access, uint64_t seq,
                        struct huge_fault *done)
{
	uint64_t pgidx = vma_pgidx(vma, huge_down(addr));
	struct place place;
	pfn_t head;

	if (!vma->shared && access == ACCESS_WRITE)
		return HUGE_NOT;
	head = object_block(ctx, vma->object, pgidx, false);
	if ((head.n == 0 && !is_advised(vma)) || !place_get(ctx, vma, huge_down(addr), &place))
		return HUGE_NOT;
	if (head.n == 0)
		head = object_block(ctx, vma->object, pgidx, true);
	if (head.n == 0) {
		pt_node_free(ctx, place.node);
		return HUGE_NOT;
	}
	done->kind = EVENT_FAULT_FILE;
	done->pfn.n = head.n + ((addr - huge_down(addr)) >> PAGE_SHIFT);
	return install(ctx, vma, huge_down(addr), &place, head, access == ACCESS_WRITE ? WRITTEN : 0, seq);
}

static int fault_anon(struct ctx *ctx, struct vma *vma, ksim_addr addr, struct huge_fault *done)
{
	struct place place;
	pfn_t head;
	int err;

	if (!is_advised(vma) || !place_get(ctx, vma, huge_down(addr), &place))
		return HUGE_NOT;
	if (frame_alloc_block(ctx, FRAME_ANON, HUGE_ORDER, FRAME_ZERO, &head) < 0) {
		pt_node_free(ctx, place.node);
		return HUGE_NOT;
	}
	vma_anon_prepare(vma);
	done->kind = EVENT_FAULT_ANON;
	done->pfn.n = head.n + ((addr - huge_down(addr)) >> PAGE_SHIFT);
	err = install(ctx, vma, huge_down(addr), &place, head, OWN, 0);
	if (err != 0)
		frame_put_block(ctx, head);
	return err;
}

int mm_huge_allow(struct ctx *ctx, const struct vma *vma, ksim_addr addr, struct pt_slot *slot, unsigned need,
                  uint64_t seq, struct huge_fault *done)
{
	struct pgtable *pt = &vma->mm->pt;
	pte_t was = pt_lock_huge(ctx, pt, slot);
	unsigned old = pte_present(was) ? pte_flags(pt->format, was) : 0;
	bool changed = !pte_present(was) || !vma_object_is_at(vma, seq);
	unsigned now;

	if (changed || old & need) {
		pt_unlock(ctx, slot);
		return changed ? HUGE_RETRY : 0;
	}
	now = vma_pte_flags(vma, frame_block_is_own(pt->phys, pte_pfn(was))) | (old & (PTE_ACCESSED | PTE_DIRTY));
	if (now & need)
		changed = !pte_compare_exchange(slot->entry, was, pte_with_flags(pt->format, was, now));
	pt_unlock(ctx, slot);
	if (!(now & need))
		return HUGE_COPY;
	done->kind = EVENT_FAULT_REUSE;
	done->pfn = pte_pfn_at(pt->format, was, addr);
	return changed ? HUGE_RETRY : 0;
}

/* An entry is there. What must be copied is copied by 4 KiB. */
static int fault_present(struct ctx *ctx, const struct vma *vma, ksim_addr addr, struct pt_slot *slot, unsigned need,
                         uint64_t seq, struct huge_fault *done)
{
	int err = mm_huge_allow(ctx, vma, addr, slot, need, seq, done);

	if (err != HUGE_COPY)
		return err;
	pt_split(ctx, &vma->mm->pt, addr);
	return HUGE_NOT;
}

int mm_huge_fault(struct ctx *ctx, struct vma *vma, ksim_addr addr, enum access access, uint64_t seq,
                  struct huge_fault *done)
{
	struct pgtable *pt = &vma->mm->pt;
	struct pt_slot slot;

	if (pt_find_second(pt, addr, &slot)) {
		pte_t pte = pte_read(slot.entry);
		unsigned need = access == ACCESS_WRITE ? PTE_WRITE : access == ACCESS_EXEC ? PTE_EXEC : PTE_READ;

		if (pte_present(pte))
			return pte_huge(pt->format, pte) ? fault_present(ctx, vma, addr, &slot, need, seq, done)
			                                 : HUGE_NOT;
	}
	return vma->object != NULL ? fault_object(ctx, vma, addr, access, seq, done) : fault_anon(ctx, vma, addr, done);
}

bool mm_huge_populate(struct ctx *ctx, const struct vma *vma, ksim_addr addr)
{
	uint64_t seq = object_seq(vma->object);
	struct pgtable *pt = &vma->mm->pt;
	struct pt_slot slot;
	struct place place;
	pfn_t head;

	if (pt_find_second(pt, addr, &slot)) {
		pte_t pte = pte_read(slot.entry);

		if (pte_present(pte))
			return pte_huge(pt->format, pte);
	}
	head = object_block(ctx, vma->object, vma_pgidx(vma, addr), false);
	return head.n != 0 && place_get(ctx, vma, addr, &place) && install(ctx, vma, addr, &place, head, 0, seq) == 0;
}

bool mm_is_huge(struct ctx *ctx, struct mm *mm, ksim_addr addr)
{
	struct pt_slot slot;
	bool huge;

	map_read_lock(ctx, mm);
	pt_look(&mm->pt, addr, &slot);
	huge = slot.entry != NULL && pt_slot_huge(&mm->pt, &slot);
	map_read_unlock(ctx, mm);
	return huge;
}

void mm_huge_cut(struct ctx *ctx, struct mm *mm, ksim_addr at)
{
	if (at % PT_LEAF_SPAN != 0)
		pt_split(ctx, &mm->pt, at);
}

bool mm_huge_merge(struct ctx *ctx, struct vma *vma, ksim_addr start, ksim_addr end)
{
	struct pgtable *pt = &vma->mm->pt;
	bool all = true;

	for (ksim_addr at = huge_down(start + PT_LEAF_SPAN - 1); at + PT_LEAF_SPAN <= end; at += PT_LEAF_SPAN) {
		struct pt_slot slot;
		pfn_t node;

		if (!vma_huge_fits(vma, at))
			continue;
		if (vma->object != NULL)
			mutex_lock(ctx, &vma->object->lock);
		node = pt_merge(ctx, pt, at, vma->object != NULL ? FRAME_FILE : FRAME_ANON);
		if (node.n != 0) {
			mm_invalidate(ctx, vma->mm, at, at + PT_LEAF_SPAN, true);
			pt_merged(ctx, pt, at, node);
		}
		if (vma->object != NULL)
			mutex_unlock(ctx, &vma->object->lock);
		pt_look(pt, at, &slot);
		all = all && slot.entry != NULL && pt_slot_huge(pt, &slot);
	}
	return all;
}
