// SPDX-License-Identifier: MIT
/*
 * Pages brought in before anybody touches them: for mlock, MAP_POPULATE and MADV_POPULATE_*.
 *
 * Each page is faulted in as a load or a store of its process would do it, so all that is true of faults is true here,
 * and no lock is held from one page to the next. What a VMA wants is read under the map lock before its pages are
 * faulted; one that is changed meanwhile is found so by the fault.
 *
 *	                      private and writable   PROT_NONE    past the end of the file   a hole
 *	mm_populate_range     written to             an error     an error                   passed over
 *	mm_populate_advised   as the advice says     -EINVAL      -EFAULT                    -ENOMEM
 *
 * An error of mm_populate_range ends it, or only the VMA that it is in: what mlock tells and mmap does not.
 *
 * Locking: map shared, for each page anew. Linux: __mm_populate and faultin_page_range in mm/gup.c.
 */
#include "mm/vma.h"

#include <errno.h>

/* What is to be known of a VMA when its lock is gone. */
struct wanted {
	ksim_addr start, end; /* of the range, in one VMA */
	uint32_t flags;
	uint8_t prot;
	bool shared;
};

/* The first VMA that [start, end) has a page in. */
static bool next_wanted(struct ctx *ctx, struct mm *mm, ksim_addr start, ksim_addr end, struct wanted *out)
{
	const struct vma *vma;
	bool found;

	map_read_lock(ctx, mm);
	vma = ranges_at_or_above(&mm->vmas, start);
	found = vma != NULL && vma->start < end;
	if (found)
		*out = (struct wanted){ MAX(start, vma->start), MIN(end, vma->end), vma->flags, vma->prot,
			                vma->shared };
	map_read_unlock(ctx, mm);
	return found;
}

/* 0; -EFAULT, -ENOMEM */
static int fault_all(struct ctx *ctx, struct mm *mm, const struct wanted *w, enum access access)
{
	struct fault fault;
	int err = 0;

	for (ksim_addr at = w->start, step; at < w->end && err == 0; at += step) {
		err = mm_fault(ctx, mm, at, access, &fault);
		step = at % PT_LEAF_SPAN == 0 && err == 0 && mm_is_huge(ctx, mm, at) ? PT_LEAF_SPAN : PAGE_BYTES;
	}
	return err;
}

/* Who reaches memory by addresses of the host's is shown what there is now. */
static void show(struct ctx *ctx, struct mm *mm, ksim_addr start, ksim_addr end)
{
	if (!mm->eager)
		return;
	map_read_lock(ctx, mm);
	mm_filled(ctx, mm, start, end);
	map_read_unlock(ctx, mm);
}

int mm_populate_range(struct ctx *ctx, struct mm *mm, ksim_addr start, uint64_t length, enum populate_errors errors)
{
	ksim_addr at = start, end = start + length;
	struct wanted w;
	int err = 0;

	while (err == 0 && at < end && next_wanted(ctx, mm, at, end, &w)) {
		enum access access = (w.prot & PROT_W) && !w.shared ? ACCESS_WRITE : ACCESS_READ;

		if (!(w.flags & VMA_LOCK_ON_FAULT))
			err = w.prot != 0 ? fault_all(ctx, mm, &w, access) : -EFAULT;
		if (errors == POPULATE_GOES_ON)
			err = 0;
		at = w.end;
	}
	show(ctx, mm, start, end);
	return err;
}

int mm_populate_advised(struct ctx *ctx, struct mm *mm, ksim_addr start, ksim_addr end, bool write)
{
	ksim_addr at = start;
	struct wanted w;
	int err = 0;

	while (err == 0 && at < end) {
		if (!next_wanted(ctx, mm, at, end, &w) || w.start != at)
			return -ENOMEM;
		if (!(w.prot & (write ? PROT_W : PROT_R)))
			return -EINVAL;
		err = fault_all(ctx, mm, &w, write ? ACCESS_WRITE : ACCESS_READ);
		show(ctx, mm, at, w.end);
		at = w.end;
	}
	return err;
}
