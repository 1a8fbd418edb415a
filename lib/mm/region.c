// SPDX-License-Identifier: MIT
/*
 * Looking at an address space: its regions as /proc/pid/maps lists them, and what stands behind an address.
 *
 * Each answer is copied out under the map lock, held shared: faults go on meanwhile, and truncation may take pages.
 * So entries are read leaf by leaf under the leaf's lock, where a frame that is mapped cannot go. Nothing of an answer
 * is valid longer than a snapshot is.
 */
#include "mm/vma.h"

#include <errno.h>
#include <stdio.h>

/* Anonymous memory that has an object is on the device of memfds with such pages. */
static uint64_t device_of(const struct vma *vma)
{
	const struct backing *backing = vma->backing;

	if (backing != NULL && backing->ops->dev != NULL)
		return backing->ops->dev(backing);
	return vma->flags & VMA_HUGETLB ? OBJECT_DEV_HUGE : OBJECT_DEV_SMALL;
}

void vma_describe(const struct vma *vma, struct mm_region *out)
{
	*out = (struct mm_region){
		.start = vma->start,
		.end = vma->end,
		.prot = vma->prot,
		.max_prot = vma->max_prot,
		.shared = vma->shared,
		.noreserve = vma->noreserve,
		.flags = vma->flags,
		.offset = vma->object != NULL ? vma->pgidx << PAGE_SHIFT : 0,
		.has_object = vma->object != NULL,
		.object_size = vma->object != NULL ? object_size(vma->object) : 0,
		.owner = vma->origin.owner,
		.call = vma->origin.call,
		.epoch = vma->origin.epoch,
	};
	if (vma->object != NULL)
		out->dev = device_of(vma);
	if (vma->backing != NULL)
		vma->backing->ops->describe(vma->backing, out->name, sizeof(out->name), &out->inode);
	else if (vma->object != NULL)
		snprintf(out->name, sizeof(out->name), "/%s (deleted)",
		         vma->flags & VMA_HUGETLB ? "anon_hugepage" : "dev/zero");
	else if (vma->start < vma->mm->brk && vma->end > vma->mm->brk_start)
		snprintf(out->name, sizeof(out->name), "[heap]");
}

bool mm_region(struct ctx *ctx, struct mm *mm, ksim_addr at, struct mm_region *out)
{
	const struct vma *vma;

	map_read_lock(ctx, mm);
	vma = ranges_at_or_above(&mm->vmas, at);
	if (vma != NULL)
		vma_describe(vma, out);
	map_read_unlock(ctx, mm);
	return vma != NULL;
}

struct walk {
	const struct vma *vma;
	struct frame_runs *runs;
};

/* What an entry points to. Leaf lock held, so that the frame stays. */
static enum frame_run_kind kind_of(const struct ctx *ctx, const struct phys *phys, pfn_t pfn)
{
	const struct frame *frame = frame_of(phys, pfn);

	if (pfn.n == ctx->env->zero_pfn)
		return FRAME_RUN_ZEROS;
	if (frame->use == FRAME_FILE)
		return FRAME_RUN_FILE;
	return frame_holders(phys, pfn) > 1 ? FRAME_RUN_COW : FRAME_RUN_PRIVATE;
}

static int add_leaf(struct ctx *ctx, struct pgtable *pt, struct pt_slot first, ksim_addr addr, size_t n, void *arg)
{
	const struct walk *walk = arg;
	const struct vma *vma = walk->vma;
	uint64_t page = (addr - vma->start) >> PAGE_SHIFT;

	if (vma->object != NULL)
		page += vma->pgidx;
	pt_lock(ctx, &first);
	for (size_t i = 0; i < n; i++) {
		pte_t pte = pte_read(&first.entry[i]);

		if (pte_present(pte))
			frame_runs_add(walk->runs, page + i, pte_pfn(pte), kind_of(ctx, pt->phys, pte_pfn(pte)));
	}
	pt_unlock(ctx, &first);
	return 0;
}

static int add_huge(struct ctx *ctx, struct pgtable *pt, struct pt_slot slot, ksim_addr addr, size_t n, void *arg)
{
	const struct walk *walk = arg;
	const struct vma *vma = walk->vma;
	uint64_t page = ((addr - vma->start) >> PAGE_SHIFT) + (vma->object != NULL ? vma->pgidx : 0);
	pte_t pte = pt_lock_huge(ctx, pt, &slot);

	for (size_t i = 0; pte_present(pte) && i < n; i++) {
		pfn_t pfn = pte_pfn_at(pt->format, pte, addr + i * PAGE_BYTES);

		frame_runs_add(walk->runs, page + i, pfn, kind_of(ctx, pt->phys, pfn));
	}
	pt_unlock(ctx, &slot);
	return pte_present(pte) ? 0 : pt_for_each_leaf(ctx, pt, addr, addr + n * PAGE_BYTES, add_leaf, arg);
}

static const struct pt_visitor adder = { .leaf = add_leaf, .huge = add_huge, .parts = true };

bool mm_region_runs(struct ctx *ctx, struct mm *mm, ksim_addr at, struct mm_region *out, struct frame_runs *runs,
                    struct object **object)
{
	struct walk walk = { .runs = runs };

	map_read_lock(ctx, mm);
	walk.vma = ranges_at_or_above(&mm->vmas, at);
	if (walk.vma != NULL) {
		vma_describe(walk.vma, out);
		pt_visit(ctx, &mm->pt, out->start, out->end, &adder, &walk);
		*object = walk.vma->object;
		if (*object != NULL)
			object_get(*object);
	}
	map_read_unlock(ctx, mm);
	return walk.vma != NULL;
}

int mm_translate(struct ctx *ctx, struct mm *mm, ksim_addr addr, struct mm_translation *out)
{
	struct pt_slot slot;
	int err = -EFAULT;
	pte_t pte;

	if (addr >= PT_SPAN)
		return -EFAULT;
	map_read_lock(ctx, mm);
	if (pt_lock_entry(ctx, &mm->pt, addr, &slot, &pte)) {
		if (pte_present(pte)) {
			const struct phys *phys = mm->pt.phys;
			pfn_t pfn = pte_pfn_at(mm->pt.format, pte, addr);

			*out = (struct mm_translation){
				.pfn = pfn,
				.flags = pte_flags(mm->pt.format, pte),
				.page_bytes = pt_slot_huge(&mm->pt, &slot) ? PT_LEAF_SPAN : PAGE_BYTES,
				.refs = frame_holders(phys, pfn),
				.mappers = frame_mappers(phys, pfn),
				.use = frame_use(frame_of(phys, pfn)),
			};
			err = 0;
		}
		pt_unlock(ctx, &slot);
	}
	map_read_unlock(ctx, mm);
	return err;
}
