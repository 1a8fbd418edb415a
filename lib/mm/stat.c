// SPDX-License-Identifier: MIT
/*
 * What an address space uses, told entry by entry.
 *
 *	entry -> frame   use      ANON: private memory, always dirty; FILE: a page of an object
 *	                 mappers  how many entries of all processes lead to it: 1 is private, more is shared
 *	                 dirty    of FILE: somebody has written to it, through this entry or not
 *
 * Nothing is counted along the way of a fault, so that a fault writes no counter that others read; who asks pays for
 * the walk. All numbers of one call are of one moment as far as the VMAs go; faults go on meanwhile, and another
 * process that maps or lets go of a page while it is counted shifts its share, as on Linux.
 *
 * Locking: the map lock shared, and each leaf's lock while its entries are read, under which no frame goes.
 * Linux: fs/proc/task_mmu.c (smaps_account, pagemap_read), fs/proc/meminfo.c. Not modelled: soft-dirty bits, which the
 * kernel measured against is built without; swap; folios, so Referenced is what entries say.
 */
#include "mm/stat.h"

#include "mm/vma.h"

static bool is_dirty(const struct frame *frame, unsigned flags)
{
	return frame_use(frame) == FRAME_ANON || flags & PTE_DIRTY || frame_dirty(frame);
}

/* A page that counts in all the sums. */
static void account(struct mm_usage *usage, const struct vma *vma, const struct frame *frame, uint32_t mappers,
                    unsigned flags, uint64_t bytes)
{
	uint64_t pss = (bytes << MM_PSS_SHIFT) / MAX(mappers, 1);
	bool dirty = is_dirty(frame, flags);

	usage->rss += bytes;
	usage->pss += pss;
	if (frame_use(frame) == FRAME_ANON) {
		usage->rss_anon += bytes;
		usage->pss_anon += pss;
	} else {
		usage->rss_shmem += bytes;
		usage->pss_shmem += pss;
	}
	if (flags & PTE_ACCESSED)
		usage->referenced += bytes;
	if (vma->flags & VMA_LOCKED)
		usage->pss_locked += pss;
	if (dirty)
		usage->pss_dirty += pss;
	*(mappers > 1 ? dirty ? &usage->shared_dirty : &usage->shared_clean
	  : dirty     ? &usage->private_dirty
	              : &usage->private_clean) += bytes;
}

static void account_hugetlb(struct mm_usage *usage, uint32_t mappers, uint64_t bytes)
{
	if (mappers > 1)
		usage->shared_hugetlb += bytes;
	else
		usage->private_hugetlb += bytes;
}

struct count {
	const struct vma *vma;
	struct mm_usage *usage;
};

/* The page of an address; the entry's lock is held. */
static void count_page(const struct ctx *ctx, const struct pgtable *pt, const struct count *count, pte_t pte,
                       ksim_addr addr)
{
	pfn_t pfn = pte_pfn_at(pt->format, pte, addr);
	uint32_t mappers = frame_mappers(pt->phys, pfn);

	if (pfn.n == ctx->env->zero_pfn)
		return;
	if (count->vma->flags & VMA_HUGETLB)
		account_hugetlb(count->usage, mappers, PAGE_BYTES);
	else
		account(count->usage, count->vma, frame_of(pt->phys, pfn), mappers, pte_flags(pt->format, pte),
		        PAGE_BYTES);
}

static int count_leaf(struct ctx *ctx, struct pgtable *pt, struct pt_slot first, ksim_addr addr, size_t n, void *arg)
{
	pt_lock(ctx, &first);
	for (size_t i = 0; i < n; i++) {
		pte_t pte = pte_read(&first.entry[i]);

		if (pte_present(pte))
			count_page(ctx, pt, arg, pte, addr + i * PAGE_BYTES);
	}
	pt_unlock(ctx, &first);
	return 0;
}

static int count_huge(struct ctx *ctx, struct pgtable *pt, struct pt_slot slot, ksim_addr addr, size_t n, void *arg)
{
	const struct count *count = arg;
	pte_t pte = pt_lock_huge(ctx, pt, &slot);

	if (pte_present(pte) && !(count->vma->flags & VMA_HUGETLB))
		*(frame_use(frame_of(pt->phys, pte_pfn(pte))) == FRAME_ANON ? &count->usage->anon_huge
		                                                            : &count->usage->shmem_huge) +=
			n * PAGE_BYTES;
	for (size_t i = 0; pte_present(pte) && i < n; i++)
		count_page(ctx, pt, arg, pte, addr + i * PAGE_BYTES);
	pt_unlock(ctx, &slot);
	return pte_present(pte) ? 0 : pt_for_each_leaf(ctx, pt, addr, addr + n * PAGE_BYTES, count_leaf, arg);
}

static const struct pt_visitor counter = { .leaf = count_leaf, .huge = count_huge, .parts = true };

static void count_vma(struct ctx *ctx, const struct vma *vma, struct mm_usage *usage)
{
	struct count count = { .vma = vma, .usage = usage };

	pt_visit(ctx, &vma->mm->pt, vma->start, vma->end, &counter, &count);
}

bool mm_region_usage(struct ctx *ctx, struct mm *mm, ksim_addr at, struct mm_region *out, struct mm_usage *usage)
{
	const struct vma *vma;

	*usage = (struct mm_usage){ 0 };
	map_read_lock(ctx, mm);
	vma = ranges_at_or_above(&mm->vmas, at);
	if (vma != NULL) {
		vma_describe(vma, out);
		count_vma(ctx, vma, usage);
	}
	map_read_unlock(ctx, mm);
	return vma != NULL;
}

static void add_totals(struct mm_totals *totals, const struct vma *vma)
{
	uint64_t bytes = vma->end - vma->start;

	if (totals->size == 0)
		totals->start = vma->start;
	totals->end = vma->end;
	totals->size += bytes;
	if (vma->flags & VMA_LOCKED)
		totals->locked += bytes;
	if (vma->flags & VMA_GROWSDOWN)
		totals->stack += bytes;
	else if (!vma->shared && vma->prot & PROT_W)
		totals->data += bytes;
	else if (vma->prot & PROT_X && !(vma->prot & PROT_W))
		totals->exec += bytes;
}

void mm_usage_all(struct ctx *ctx, struct mm *mm, struct mm_totals *totals, struct mm_usage *usage)
{
	*totals = (struct mm_totals){ 0 };
	*usage = (struct mm_usage){ 0 };
	map_read_lock(ctx, mm);
	for (const struct vma *vma = ranges_at_or_above(&mm->vmas, 0); vma != NULL;
	     vma = ranges_at_or_above(&mm->vmas, vma->end)) {
		add_totals(totals, vma);
		count_vma(ctx, vma, usage);
	}
	totals->peak = mm->pages_peak << PAGE_SHIFT;
	totals->tables = (__atomic_load_n(&mm->pt.nodes, __ATOMIC_RELAXED) - 1) * PAGE_BYTES;
	map_read_unlock(ctx, mm);
}

struct pagemap {
	ksim_addr start;
	uint64_t *word;
	bool show_pfns;
};

static void tell_page(const struct ctx *ctx, const struct pgtable *pt, const struct pagemap *map, pte_t pte,
                      ksim_addr addr)
{
	uint64_t *word = map->word + ((addr - map->start) >> PAGE_SHIFT);
	pfn_t pfn = pte_pfn_at(pt->format, pte, addr);

	*word = PAGEMAP_PRESENT | (map->show_pfns ? pfn.n : 0);
	if (pfn.n == ctx->env->zero_pfn)
		return;
	if (frame_use(frame_of(pt->phys, pfn)) == FRAME_FILE)
		*word |= PAGEMAP_FILE;
	if (frame_mappers(pt->phys, pfn) == 1)
		*word |= PAGEMAP_EXCLUSIVE;
}

static int tell_leaf(struct ctx *ctx, struct pgtable *pt, struct pt_slot first, ksim_addr addr, size_t n, void *arg)
{
	const struct pagemap *map = arg;

	pt_lock(ctx, &first);
	for (size_t i = 0; i < n; i++) {
		pte_t pte = pte_read(&first.entry[i]);

		if (pte_present(pte))
			tell_page(ctx, pt, arg, pte, addr + i * PAGE_BYTES);
		else if (pte_is_guard(pte))
			map->word[((addr - map->start) >> PAGE_SHIFT) + i] = PAGEMAP_SWAPPED | PAGEMAP_GUARD;
	}
	pt_unlock(ctx, &first);
	return 0;
}

static int tell_huge(struct ctx *ctx, struct pgtable *pt, struct pt_slot slot, ksim_addr addr, size_t n, void *arg)
{
	pte_t pte = pt_lock_huge(ctx, pt, &slot);

	for (size_t i = 0; pte_present(pte) && i < n; i++)
		tell_page(ctx, pt, arg, pte, addr + i * PAGE_BYTES);
	pt_unlock(ctx, &slot);
	return pte_present(pte) ? 0 : pt_for_each_leaf(ctx, pt, addr, addr + n * PAGE_BYTES, tell_leaf, arg);
}

static const struct pt_visitor teller = { .leaf = tell_leaf, .huge = tell_huge, .parts = true };

void mm_pagemap(struct ctx *ctx, struct mm *mm, ksim_addr addr, uint64_t *word, size_t n, bool show_pfns)
{
	struct pagemap map = { .start = addr, .word = word, .show_pfns = show_pfns };

	for (size_t i = 0; i < n; i++)
		word[i] = 0;
	map_read_lock(ctx, mm);
	pt_visit(ctx, &mm->pt, addr, addr + n * PAGE_BYTES, &teller, &map);
	map_read_unlock(ctx, mm);
}
