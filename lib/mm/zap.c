// SPDX-License-Identifier: MIT
/*
 * Taking pages away from an address space: for munmap and exit, and for truncation through the reverse map.
 *
 *   per leaf node:   lock, exchange entries to 0, unlock  ->  invalidate the run  ->  put its frames
 *
 * I1  a frame is put only after every notifier has forgotten the entry that led to it
 * I2  a zap through the reverse map leaves nodes alone: with only the object's lock held it may not free any
 * I3  when a zap through the reverse map returns, nobody can reach pages of the object there any more, whoever has
 *     cleared the entries
 *
 * A huge entry that lies in the range goes in one step; of one that does not, the part goes, after it was split. Of
 * pages of an object it holds no reference (phys, block.c): so whoever clears one holds its lock until nobody can use
 * it any more, and whoever comes through the reverse map, about to give the pages up, waits for those who hold it:
 *
 *	fault     lock: sequence as it was? set                          the zap waits, and finds the entry
 *	munmap                      lock: clear, invalidate, count       the zap finds none, and waits
 *
 * A fault may fill an entry again between its clearing and the invalidation; the invalidation then also drops
 * the new translation, which costs a miss and harms nobody.
 *
 * Locking: for munmap and exit the map lock exclusive; for the reverse map the object's lock, under which no
 * node below a listed VMA can be freed. Linux: mm/memory.c (zap_page_range, and zap_pmd_range for the waiting).
 */
#include "mm/vma.h"

struct zap {
	struct mm *mm;
	bool private_copies;   /* also pages that belong to this mapping alone */
	const struct vma *vma; /* that stays, and is owed the huge pages that it loses; NULL: none */
	pfn_t only;            /* of private blocks this one alone; PFN_NONE: any */
};

/* What the entry knows of a page of an object that has been written stays with the page. */
static void keep_mark(const struct mm *mm, pte_t pte)
{
	struct frame *frame = frame_of(mm->pt.phys, pte_pfn(pte));

	if (frame->use == FRAME_FILE && !frame_dirty(frame) && pte_flags(mm->pt.format, pte) & PTE_DIRTY)
		frame_set_dirty(frame);
}

/* Clear the wanted entries of a run and collect their frames. @return how many; the run's bounds in lo and hi */
static size_t clear_run(struct ctx *ctx, const struct zap *zap, struct pt_slot first, size_t n, pfn_t *frames,
                        size_t *lo, size_t *hi)
{
	const struct phys *phys = zap->mm->pt.phys;
	size_t count = 0;

	pt_lock(ctx, &first);
	for (size_t i = 0; i < n; i++) {
		pte_t pte = pte_read(&first.entry[i]);

		if (!pte_present(pte))
			continue;
		if (!zap->private_copies && frame_of(phys, pte_pfn(pte))->use == FRAME_ANON)
			continue;
		pte = pte_exchange(&first.entry[i], PTE_NONE);
		if (count == 0)
			*lo = i;
		*hi = i + 1;
		frames[count++] = pte_pfn(pte);
		keep_mark(zap->mm, pte);
	}
	pt_unlock(ctx, &first);
	return count;
}

static int zap_leaf(struct ctx *ctx, struct pgtable *pt, struct pt_slot first, ksim_addr addr, size_t n, void *arg)
{
	const struct zap *zap = arg;
	pfn_t frames[PT_ENTRIES];
	size_t lo = 0, hi = 0;
	size_t count = clear_run(ctx, zap, first, n, frames, &lo, &hi);

	if (count == 0)
		return 0;
	mm_invalidate(ctx, zap->mm, addr + lo * PAGE_BYTES, addr + hi * PAGE_BYTES, false);
	for (size_t i = 0; i < count; i++) {
		__atomic_fetch_sub(&frame_of(pt->phys, frames[i])->mappers, 1, __ATOMIC_RELAXED);
		frame_put(ctx, frames[i]);
	}
	return 0;
}

static int zap_huge(struct ctx *ctx, struct pgtable *pt, struct pt_slot slot, ksim_addr addr, size_t n, void *arg)
{
	const struct zap *zap = arg;
	pfn_t node, head;
	pte_t pte = pt_lock_huge(ctx, pt, &slot);
	bool own;

	if (!pte_present(pte)) {
		pt_unlock(ctx, &slot);
		return pt_for_each_leaf(ctx, pt, addr, addr + n * PAGE_BYTES, zap_leaf, arg);
	}
	head = pte_pfn(pte);
	own = frame_use(frame_of(pt->phys, head)) == FRAME_ANON;
	if ((!zap->private_copies && own) || (zap->only.n != 0 && zap->only.n != head.n)) {
		pt_unlock(ctx, &slot);
		return 0;
	}
	pte = pt_clear_huge(pt, &slot, addr, &node);
	mm_invalidate(ctx, zap->mm, addr, addr + PT_LEAF_SPAN, false);
	if (pte_flags(pt->format, pte) & PTE_DIRTY && !own)
		for (uint64_t i = 0; i < HUGE_FRAMES; i++)
			frame_set_dirty(frame_of(pt->phys, (pfn_t){ head.n + i }));
	if (!own)
		frame_block_unmap(ctx, pt->phys, head);
	pt_unlock(ctx, &slot);
	if (own)
		frame_block_unmap(ctx, pt->phys, head);
	pt_node_free(ctx, node);
	if (own && zap->vma != NULL && zap->vma->promise != NULL)
		promise_renew(ctx, zap->vma->promise, vma_pgidx(zap->vma, addr) >> HUGE_ORDER);
	return 0;
}

static const struct pt_visitor zapper = { .leaf = zap_leaf, .huge = zap_huge };

void mm_zap(struct ctx *ctx, struct mm *mm, ksim_addr start, ksim_addr end)
{
	struct zap zap = { .mm = mm, .private_copies = true };

	pt_visit(ctx, &mm->pt, start, end, &zapper, &zap);
}

void mm_zap_part(struct ctx *ctx, struct vma *vma, ksim_addr start, ksim_addr end)
{
	struct zap zap = { .mm = vma->mm, .private_copies = true, .vma = vma };

	pt_visit(ctx, &vma->mm->pt, start, end, &zapper, &zap);
}

void mm_zap_block(struct ctx *ctx, struct vma *vma, ksim_addr addr, pfn_t head)
{
	struct zap zap = { .mm = vma->mm, .private_copies = true, .only = head };

	pt_visit(ctx, &vma->mm->pt, addr, addr + PT_LEAF_SPAN, &zapper, &zap);
}

static void zap_mapper(struct ctx *ctx, struct mapper *mapper, uint64_t first, uint64_t last, bool private_copies)
{
	struct vma *vma = container_of(mapper, struct vma, mapper);
	uint64_t vma_last = vma->pgidx + vma_pages(vma) - 1;
	struct zap zap = { .mm = vma->mm, .private_copies = private_copies, .vma = vma };

	KSIM_ASSERT(ctx, vma->pgidx <= first && first <= last && last <= vma_last,
	            "pages are taken from a mapping of them", "[%#lx, %#lx] of [%#lx, %#lx]", first, last, vma->pgidx,
	            vma_last);
	pt_settle_huge(ctx, &vma->mm->pt);
	pt_visit(ctx, &vma->mm->pt, vma->start + ((first - vma->pgidx) << PAGE_SHIFT),
	         vma->start + ((last + 1 - vma->pgidx) << PAGE_SHIFT), &zapper, &zap);
	pt_settle_huge(ctx, &vma->mm->pt);
}

const struct mapper_ops vma_mapper_ops = { .zap = zap_mapper };

void mm_free_nodes(struct ctx *ctx, struct mm *mm, ksim_addr start, ksim_addr end)
{
	ksim_addr floor, ceiling;
	pfn_t chain;

	ranges_around(&mm->vmas, start, end, &floor, &ceiling);
	ceiling = MIN(ceiling, PT_SPAN);
	chain = pt_detach(ctx, &mm->pt, start, end, floor, ceiling);
	if (chain.n == 0)
		return;
	mm_invalidate(ctx, mm, floor, ceiling, true);
	pt_free_detached(ctx, &mm->pt, chain);
}
