// SPDX-License-Identifier: MIT
/*
 * The validator of an address space: every invariant that its files name, one line each.
 * Exact only when no call is under way in any process that shares the space.
 */
#include "mm/vma.h"

struct check {
	struct check_report *report;
	struct mm           *mm;
};

static void check_entry(const struct check *check, const struct vma *vma, ksim_addr addr, pte_t pte)
{
	const struct phys *phys = check->mm->pt.phys;
	const struct frame *frame = frame_of(phys, pte_pfn(pte));
	unsigned flags = pte_flags(check->mm->pt.format, pte);
	bool own = frame->use == FRAME_ANON && frame->refs == 1;

	CHECK_THAT(check->report, vma != NULL, "mm I1: an entry lies in a VMA", "entry %#lx at %#lx", pte.bits, addr);
	CHECK_THAT(check->report, frame->use == FRAME_ANON || frame->use == FRAME_FILE,
	           "mm I1: an entry leads to a data frame", "use %u of pfn %#lx at %#lx", frame->use, pte_pfn(pte).n, addr);
	CHECK_THAT(check->report, frame->mappers > 0 && frame->refs >= frame->mappers,
	           "mm I1: an entry holds a reference and counts as a mapper", "pfn %#lx: refs %u, mappers %u",
	           pte_pfn(pte).n, frame->refs, frame->mappers);
	if (vma == NULL)
		return;
	CHECK_THAT(check->report, (flags & ~vma_pte_flags(vma, own) & (PTE_READ | PTE_WRITE | PTE_EXEC)) == 0,
	           "an entry allows no more than its VMA", "flags %#x, prot %#x at %#lx", flags, vma->prot, addr);
	CHECK_THAT(check->report, vma->object == NULL || vma_pgidx(vma, addr) < pages_of(object_size(vma->object)),
	           "no page past the end of its file is mapped", "page %lu at %#lx", vma_pgidx(vma, addr), addr);
}

static int check_leaf(struct ctx *ctx, struct pgtable *pt, struct pt_slot first, ksim_addr addr, size_t n, void *arg)
{
	const struct check *check = arg;

	(void)ctx;
	(void)pt;
	for (size_t i = 0; i < n; i++) {
		ksim_addr at = addr + i * PAGE_BYTES;
		pte_t pte = pte_read(&first.entry[i]);

		if (pte_present(pte))
			check_entry(check, ranges_find(&check->mm->vmas, at), at, pte);
	}
	return 0;
}

static void check_vma(struct ctx *ctx, struct check_report *report, const struct vma *vma, const struct vma *next)
{
	CHECK_THAT(report, vma->start < vma->end && ((vma->start | vma->end) & (PAGE_BYTES - 1)) == 0,
	           "a VMA is a row of pages", "[%#lx, %#lx)", vma->start, vma->end);
	CHECK_THAT(report, next == NULL || vma->end <= next->start, "VMAs are disjoint", "%#lx, %#lx", vma->end,
	           next->start);
	CHECK_THAT(report, (vma->prot & ~vma->max_prot) == 0, "prot lies within max_prot", "%#x, %#x", vma->prot,
	           vma->max_prot);
	CHECK_THAT(report, !vma->shared || vma->object != NULL, "a shared VMA has an object", "at %#lx", vma->start);
	if (vma->object == NULL)
		return;
	mutex_lock(ctx, &vma->object->lock);
	CHECK_THAT(report,
	           vma->mapper.node.first == vma->pgidx && vma->mapper.node.last == vma->pgidx + vma_pages(vma) - 1,
	           "vma I2: the interval on the object's list is the VMA's", "[%lu, %lu], page %lu", vma->mapper.node.first,
	           vma->mapper.node.last, vma->pgidx);
	CHECK_THAT(report, !vma_is_writer(vma) || vma->object->writers > 0, "vma I3: a VMA that may write is counted",
	           "writers %ld", (long)vma->object->writers);
	mutex_unlock(ctx, &vma->object->lock);
}

void mm_check(struct ctx *ctx, struct mm *mm, struct check_report *report)
{
	struct check check = {.report = report, .mm = mm};

	rwlock_read(ctx, &mm->map);
	ranges_check(&mm->vmas, report);
	for (const struct vma *vma = ranges_at_or_above(&mm->vmas, 0), *next; vma != NULL; vma = next) {
		next = ranges_at_or_above(&mm->vmas, vma->end);
		check_vma(ctx, report, vma, next);
	}
	pt_check(&mm->pt, report);
	pt_for_each_leaf(ctx, &mm->pt, 0, PT_SPAN, check_leaf, &check);
	rwlock_read_unlock(ctx, &mm->map);
}
