// SPDX-License-Identifier: MIT
/*
 * The validator of an address space: every invariant that its files name, one line each.
 * Exact only when no call is under way in any process that shares the space.
 */
#include "mm/vma.h"

struct check {
	struct check_report *report;
	struct mm *mm;
};

static void check_entry(const struct check *check, const struct vma *vma, ksim_addr addr, pte_t pte)
{
	const struct phys *phys = check->mm->pt.phys;
	unsigned flags = pte_flags(check->mm->pt.format, pte);
	const struct frame *frame;

	CHECK_THAT(check->report, vma != NULL, "mm I1: an entry lies in a VMA", "entry %#lx at %#lx", pte.bits, addr);
	if (vma == NULL || pte_pfn(pte).n >= phys->nframes)
		return; /* pt_check reports the frame */
	frame = frame_of(phys, pte_pfn(pte));
	CHECK_THAT(check->report, frame->mappers > 0 && frame->refs >= frame->mappers,
	           "mm I1: an entry holds a reference and counts as a mapper", "pfn %#lx: refs %u, mappers %u",
	           pte_pfn(pte).n, frame->refs, frame->mappers);
	CHECK_THAT(check->report, !vma->shared || frame->use == FRAME_FILE, "a shared VMA maps its object's pages only",
	           "use %u of pfn %#lx at %#lx", frame->use, pte_pfn(pte).n, addr);
	CHECK_THAT(check->report, vma->object != NULL || frame->use == FRAME_ANON,
	           "a VMA without object maps private pages only", "use %u of pfn %#lx at %#lx", frame->use,
	           pte_pfn(pte).n, addr);
	CHECK_THAT(check->report,
	           (flags & ~vma_pte_flags(vma, frame->use == FRAME_ANON && frame->refs == 1) &
	            (PTE_READ | PTE_WRITE | PTE_EXEC)) == 0,
	           "an entry allows no more than its VMA, and writing only to a frame of its own",
	           "flags %#x, prot %#x at %#lx, use %u, refs %u", flags, vma->prot, addr, frame->use, frame->refs);
	CHECK_THAT(check->report, vma_pages_in_file(vma, addr, 1) == 1, "no page past the end of its file is mapped",
	           "page %lu at %#lx", vma_pgidx(vma, addr), addr);
}

static void check_guard(const struct check *check, const struct vma *vma, ksim_addr addr)
{
	CHECK_THAT(check->report, vma != NULL && vma->flags & VMA_GUARD,
	           "guard I1: a guard stands in a VMA that says so", "at %#lx", addr);
}

static int check_leaf(struct ctx *ctx, struct pgtable *pt, struct pt_slot first, ksim_addr addr, size_t n, void *arg)
{
	const struct check *check = arg;

	(void)ctx;
	(void)pt;
	for (size_t i = 0; i < n; i++) {
		ksim_addr at = addr + i * PAGE_BYTES;
		const struct vma *vma;
		pte_t pte = pte_read(&first.entry[i]);

		CHECK_THAT(check->report,
		           !pte_present(pte) || (vma = ranges_find(&check->mm->vmas, at)) == NULL ||
		                   !(vma->flags & VMA_HUGETLB),
		           "hugetlb I2: huge pages are mapped as such", "at %#lx", at);
		if (pte_present(pte))
			check_entry(check, ranges_find(&check->mm->vmas, at), at, pte);
		else if (pte_is_guard(pte))
			check_guard(check, ranges_find(&check->mm->vmas, at), at);
	}
	return 0;
}

static int check_huge(struct ctx *ctx, struct pgtable *pt, struct pt_slot slot, ksim_addr addr, size_t n, void *arg)
{
	const struct check *check = arg;
	const struct vma *vma = ranges_find(&check->mm->vmas, addr);
	pte_t pte = pte_read(slot.entry);
	unsigned flags = pte_flags(pt->format, pte);
	const struct frame *frame;
	bool own;

	(void)ctx;
	(void)n;
	CHECK_THAT(check->report, vma != NULL && addr + PT_LEAF_SPAN <= vma->end, "mm I1: a huge entry lies in one VMA",
	           "entry %#lx at %#lx", pte.bits, addr);
	if (vma == NULL || pte_pfn(pte).n >= pt->phys->nframes)
		return 0; /* pt_check reports the block */
	frame = frame_of(pt->phys, pte_pfn(pte));
	own = frame_block_is_own(pt->phys, pte_pfn(pte));
	CHECK_THAT(check->report,
	           (frame->use == FRAME_FILE) == (vma->object != NULL) || (vma->flags & VMA_HUGETLB && !vma->shared),
	           "a huge entry maps pages of the VMA's object, or private ones", "use %u of pfn %#lx at %#lx",
	           frame->use, pte_pfn(pte).n, addr);
	CHECK_THAT(check->report, frame_pooled(frame) == !!(vma->flags & VMA_HUGETLB),
	           "pages of the pool are where they were asked for, and no others", "pfn %#lx at %#lx", pte_pfn(pte).n,
	           addr);
	CHECK_THAT(check->report, (flags & ~vma_pte_flags(vma, own) & (PTE_READ | PTE_WRITE | PTE_EXEC)) == 0,
	           "a huge entry allows no more than its VMA, and writing only to a block of its own",
	           "flags %#x, prot %#x at %#lx, use %u", flags, vma->prot, addr, frame->use);
	CHECK_THAT(check->report, vma_pages_in_file(vma, addr, PT_ENTRIES) == PT_ENTRIES || vma->flags & VMA_HUGETLB,
	           "no huge entry reaches past the end of its file", "page %lu at %#lx", vma_pgidx(vma, addr), addr);
	return 0;
}

static const struct pt_visitor checker = { .leaf = check_leaf, .huge = check_huge, .parts = true };

/* The mappings of an object that may write are as many as it counts. Object lock held. */
static void check_writers_locked(struct check_report *report, const struct object *object)
{
	const struct itree_node *node;
	int64_t writers = 0;

	for (node = itree_first(&object->mappers, 0, UINT64_MAX); node != NULL;
	     node = itree_next((struct itree_node *)node, 0, UINT64_MAX)) {
		const struct mapper *mapper = container_of(node, const struct mapper, node);

		if (mapper->ops == &vma_mapper_ops)
			writers += vma_is_writer(container_of(mapper, const struct vma, mapper));
	}
	CHECK_THAT(report, MAX(object->writers, 0) == writers, "vma I3: each VMA that may write is counted once",
	           "%ld on the list, %ld counted", (long)writers, (long)object->writers);
}

static void check_vma(struct ctx *ctx, struct check_report *report, const struct vma *vma, const struct vma *next,
                      bool quiet)
{
	struct object *object = vma->object;

	CHECK_THAT(report, vma->start < vma->end && ((vma->start | vma->end) & ~PAGE_MASK) == 0,
	           "a VMA is a row of pages", "[%#lx, %#lx)", vma->start, vma->end);
	CHECK_THAT(report, next == NULL || vma->end <= next->start, "VMAs are disjoint", "%#lx, %#lx", vma->end,
	           next->start);
	CHECK_THAT(report, (vma->prot & ~vma->max_prot) == 0, "prot lies within max_prot", "%#x, %#x", vma->prot,
	           vma->max_prot);
	CHECK_THAT(report,
	           !(vma->flags & VMA_HUGETLB) ||
	                   (object != NULL && object_is_huge(object) &&
	                    ((vma->start | vma->end | vma->pgidx << PAGE_SHIFT) % PT_LEAF_SPAN) == 0),
	           "hugetlb I1: a VMA of huge pages is of whole ones", "[%#lx, %#lx), page %#lx", vma->start, vma->end,
	           vma->pgidx);
	CHECK_THAT(report, !vma->shared || object != NULL, "a shared VMA has an object", "at %#lx", vma->start);
	if (object == NULL)
		return;
	mutex_lock(ctx, &object->lock);
	CHECK_THAT(report,
	           vma->mapper.node.first == vma->pgidx && vma->mapper.node.last == vma->pgidx + vma_pages(vma) - 1,
	           "vma I2: the interval on the object's list is the VMA's", "[%lu, %lu], page %lu",
	           vma->mapper.node.first, vma->mapper.node.last, vma->pgidx);
	if (quiet && itree_first(&object->mappers, 0, UINT64_MAX) == &vma->mapper.node)
		check_writers_locked(report, object);
	mutex_unlock(ctx, &object->lock);
}

static bool fills_its_range(const struct ranges *vmas, const struct vma *vma)
{
	return ranges_find(vmas, vma->start) == vma && ranges_find(vmas, vma->start - 1) != vma &&
	       ranges_find(vmas, vma->end - 1) == vma && ranges_find(vmas, vma->end) != vma;
}

/* quiet: no call is under way in any process. Map lock held. */
static void check_vmas(struct ctx *ctx, struct mm *mm, bool quiet, struct check_report *report)
{
	const struct vma *vma, *next;
	struct mm sums = { .pages = 0 };

	ranges_check(&mm->vmas, report);
	vma = ranges_at_or_above(&mm->vmas, 0);
	for (size_t n = 0; vma != NULL && n < mm->vmas.count; n++, vma = next) {
		next = ranges_at_or_above(&mm->vmas, vma->end);
		CHECK_THAT(report, fills_its_range(&mm->vmas, vma), "a VMA's bounds are those of its range in the tree",
		           "[%#lx, %#lx)", vma->start, vma->end);
		check_vma(ctx, report, vma, next, quiet);
		sums.pages += vma_pages(vma);
		sums.data_pages += counts_as_data(vma->prot, vma->shared, vma->flags) ? vma_pages(vma) : 0;
		sums.stack_pages += vma->flags & VMA_GROWSDOWN ? vma_pages(vma) : 0;
		sums.locked += vma->flags & VMA_LOCKED ? vma_pages(vma) : 0;
	}
	CHECK_THAT(report,
	           mm->pages == sums.pages && mm->data_pages == sums.data_pages &&
	                   mm->stack_pages == sums.stack_pages && mm->locked == sums.locked,
	           "vma I5: an address space has the sums over its VMAs",
	           "%lu of %lu, data %lu of %lu, locked %lu of %lu", mm->pages, sums.pages, mm->data_pages,
	           sums.data_pages, mm->locked, sums.locked);
}

void mm_check(struct ctx *ctx, struct mm *mm, struct check_report *report)
{
	struct check check = { .report = report, .mm = mm };

	map_read_lock(ctx, mm);
	check_vmas(ctx, mm, true, report);
	pt_check(&mm->pt, report);
	pt_visit(ctx, &mm->pt, 0, PT_SPAN, &checker, &check);
	map_read_unlock(ctx, mm);
}

#ifdef KSIM_CHECK_SLOW
enum { FEW_VMAS = 64 };

static void broken(void *ctx, const char *text)
{
	KSIM_ASSERT(ctx, false, "an address space is sound after it was changed", "%s", text);
}
#endif

void mm_check_slow(struct ctx *ctx, struct mm *mm)
{
#ifdef KSIM_CHECK_SLOW
	if (mm->vmas.count <= FEW_VMAS)
		check_vmas(ctx, mm, false, &(struct check_report){ .line = broken, .arg = ctx });
#else
	(void)ctx;
	(void)mm;
#endif
}
