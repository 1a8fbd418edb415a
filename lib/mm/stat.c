// SPDX-License-Identifier: MIT
/*
 * What an address space uses, told entry by entry.
 *
 *	entry -> frame   use      ANON: private memory, always dirty; FILE: a page of an object
 *	                 mappers  how many entries of all processes point to it: 1 is private, more is shared
 *	                 dirty    of FILE: somebody has written to it, through this entry or not
 *
 * Nothing is counted along the way of a fault, so that a fault writes no counter that others read; who asks pays for
 * the walk. All numbers of one call are of one moment as far as the VMAs go; faults go on meanwhile, and another process
 * that maps or lets go of a page while it is counted shifts its share, as on Linux.
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
static void account(struct mm_usage *usage, const struct vma *vma, const struct frame *frame, unsigned flags,
                    uint64_t bytes)
{
	uint32_t mappers = __atomic_load_n(&frame->mappers, __ATOMIC_RELAXED);
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

static void account_hugetlb(struct mm_usage *usage, const struct frame *frame, uint64_t bytes)
{
	if (__atomic_load_n(&frame->mappers, __ATOMIC_RELAXED) > 1)
		usage->shared_hugetlb += bytes;
	else
		usage->private_hugetlb += bytes;
}

struct count {
	const struct vma *vma;
	struct mm_usage *usage;
};

static int count_leaf(struct ctx *ctx, struct pgtable *pt, struct pt_slot first, ksim_addr addr, size_t n, void *arg)
{
	const struct count *count = arg;

	(void)addr;
	pt_lock(ctx, &first);
	for (size_t i = 0; i < n; i++) {
		pte_t pte = pte_read(&first.entry[i]);
		const struct frame *frame = frame_of(pt->phys, pte_pfn(pte));

		if (!pte_present(pte) || pte_pfn(pte).n == ctx->env->zero_pfn)
			continue;
		if (count->vma->flags & VMA_HUGETLB)
			account_hugetlb(count->usage, frame, PAGE_BYTES);
		else
			account(count->usage, count->vma, frame, pte_flags(pt->format, pte), PAGE_BYTES);
	}
	pt_unlock(ctx, &first);
	return 0;
}

static void count_vma(struct ctx *ctx, const struct vma *vma, struct mm_usage *usage)
{
	struct count count = { .vma = vma, .usage = usage };

	pt_for_each_leaf(ctx, &vma->mm->pt, vma->start, vma->end, count_leaf, &count);
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
	if (usage != NULL)
		*usage = (struct mm_usage){ 0 };
	map_read_lock(ctx, mm);
	for (const struct vma *vma = ranges_at_or_above(&mm->vmas, 0); vma != NULL;
	     vma = ranges_at_or_above(&mm->vmas, vma->end)) {
		add_totals(totals, vma);
		if (usage != NULL)
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

static int tell_leaf(struct ctx *ctx, struct pgtable *pt, struct pt_slot first, ksim_addr addr, size_t n, void *arg)
{
	const struct pagemap *map = arg;
	uint64_t *word = map->word + ((addr - map->start) >> PAGE_SHIFT);

	pt_lock(ctx, &first);
	for (size_t i = 0; i < n; i++) {
		pte_t pte = pte_read(&first.entry[i]);
		const struct frame *frame = frame_of(pt->phys, pte_pfn(pte));

		if (!pte_present(pte))
			continue;
		word[i] = PAGEMAP_PRESENT | (map->show_pfns ? pte_pfn(pte).n : 0);
		if (pte_pfn(pte).n == ctx->env->zero_pfn)
			continue;
		if (frame_use(frame) == FRAME_FILE)
			word[i] |= PAGEMAP_FILE;
		if (__atomic_load_n(&frame->mappers, __ATOMIC_RELAXED) == 1)
			word[i] |= PAGEMAP_EXCLUSIVE;
	}
	pt_unlock(ctx, &first);
	return 0;
}

void mm_pagemap(struct ctx *ctx, struct mm *mm, ksim_addr addr, uint64_t *word, size_t n, bool show_pfns)
{
	struct pagemap map = { .start = addr, .word = word, .show_pfns = show_pfns };

	for (size_t i = 0; i < n; i++)
		word[i] = 0;
	map_read_lock(ctx, mm);
	pt_for_each_leaf(ctx, &mm->pt, addr, addr + n * PAGE_BYTES, tell_leaf, &map);
	map_read_unlock(ctx, mm);
}
