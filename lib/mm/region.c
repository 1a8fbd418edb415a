// SPDX-License-Identifier: MIT
/*
 * Looking at an address space: its regions as /proc/pid/maps lists them, and what stands behind an address.
 *
 * Each answer is copied out under the map lock; nothing of it is valid longer than a snapshot is.
 */
#include "mm/vma.h"

#include <errno.h>
#include <stdio.h>

bool mm_region(struct ctx *ctx, struct mm *mm, ksim_addr at, struct mm_region *out)
{
	const struct vma *vma;

	map_read_lock(ctx, mm);
	vma = ranges_at_or_above(&mm->vmas, at);
	if (vma != NULL) {
		*out = (struct mm_region){
			.start = vma->start,
			.end = vma->end,
			.prot = vma->prot,
			.max_prot = vma->max_prot,
			.shared = vma->shared,
			.offset = vma->object != NULL ? vma->pgidx << PAGE_SHIFT : 0,
			.has_object = vma->object != NULL,
			.object_size = vma->object != NULL ? object_size(vma->object) : 0,
			.owner = vma->origin.owner,
			.call = vma->origin.call,
			.epoch = vma->origin.epoch,
		};
		if (vma->backing != NULL)
			vma->backing->ops->describe(vma->backing, out->name, sizeof(out->name), &out->inode);
		else if (vma->object != NULL)
			snprintf(out->name, sizeof(out->name), "/dev/zero (deleted)");
	}
	map_read_unlock(ctx, mm);
	return vma != NULL;
}

int mm_translate(struct ctx *ctx, struct mm *mm, ksim_addr addr, struct mm_translation *out)
{
	struct pt_slot slot;
	int err = -EFAULT;

	if (addr >= PT_SPAN)
		return -EFAULT;
	map_read_lock(ctx, mm);
	if (pt_find(&mm->pt, addr, &slot)) {
		pte_t pte;

		pt_lock(ctx, &slot);
		pte = pte_read(slot.entry);
		if (pte_present(pte)) {
			const struct frame *frame = frame_of(mm->pt.phys, pte_pfn(pte));

			*out = (struct mm_translation){
				.pfn = pte_pfn(pte),
				.flags = pte_flags(mm->pt.format, pte),
				.refs = __atomic_load_n(&frame->refs, __ATOMIC_RELAXED),
				.mappers = __atomic_load_n(&frame->mappers, __ATOMIC_RELAXED),
				.use = (enum frame_use)frame->use,
			};
			err = 0;
		}
		pt_unlock(ctx, &slot);
	}
	map_read_unlock(ctx, mm);
	return err;
}
