// SPDX-License-Identifier: MIT
/*
 * What is in memory, and whether it is in step with its file: mincore and msync.
 *
 * A page is resident if the page table has it, or if its file has data there, whoever brought it in: mincore tells of
 * the page cache, not of this mapping; but of huge pages by the page table alone, as on Linux. What fallocate has set
 * aside and nobody has written yet is no data. Everything is read under the map lock and the leaf's, and is old news
 * when it is told. Files live in memory only, so there is nothing for msync to do but to say what is wrong with what it
 * was asked.
 *
 * Locking: map shared; leaf and object locks inside, one at a time. Linux: mm/mincore.c, mm/msync.c.
 */
#include "mm/vma.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

struct answer {
	ksim_addr addr; /* of the first page */
	unsigned char *resident;
};

static int mark_present(struct ctx *ctx, struct pgtable *pt, struct pt_slot first, ksim_addr addr, size_t n, void *arg)
{
	const struct answer *answer = arg;
	unsigned char *resident = answer->resident + ((addr - answer->addr) >> PAGE_SHIFT);

	(void)pt;
	pt_lock(ctx, &first);
	for (size_t i = 0; i < n; i++)
		if (pte_present(pte_read(&first.entry[i])))
			resident[i] = 1;
	pt_unlock(ctx, &first);
	return 0;
}

static int mark_huge(struct ctx *ctx, struct pgtable *pt, struct pt_slot slot, ksim_addr addr, size_t n, void *arg)
{
	const struct answer *answer = arg;

	(void)ctx;
	(void)pt;
	(void)slot; /* present when it was seen, and as good an answer as any */
	memset(answer->resident + ((addr - answer->addr) >> PAGE_SHIFT), 1, n);
	return 0;
}

static const struct pt_visitor marker = { .leaf = mark_present, .huge = mark_huge, .parts = true };

static void mark_data(struct ctx *ctx, struct object *object, uint64_t pgidx, size_t n, unsigned char *resident)
{
	uint64_t at = pgidx << PAGE_SHIFT, end = (pgidx + n) << PAGE_SHIFT;

	while (at < end) {
		int64_t data = object_seek(ctx, object, at, true);
		int64_t hole = data >= 0 ? object_seek(ctx, object, (uint64_t)data, false) : -1;

		if (hole < 0 || (uint64_t)data >= end)
			return; /* or truncated in between */
		at = MIN(page_up((uint64_t)hole), end);
		memset(resident + (((uint64_t)data >> PAGE_SHIFT) - pgidx), 1,
		       (at - page_down((uint64_t)data)) >> PAGE_SHIFT);
	}
}

ssize_t mm_residency(struct ctx *ctx, struct mm *mm, ksim_addr addr, size_t n, unsigned char *out)
{
	struct answer answer = { addr, out };
	const struct vma *vma;

	map_read_lock(ctx, mm);
	vma = ranges_find(&mm->vmas, addr);
	if (vma != NULL) {
		n = MIN(n, (vma->end - addr) >> PAGE_SHIFT);
		memset(out, 0, n);
		if (vma->object != NULL && !(vma->flags & VMA_HUGETLB))
			mark_data(ctx, vma->object, vma_pgidx(vma, addr), n, out);
		pt_visit(ctx, &mm->pt, addr, addr + n * PAGE_BYTES, &marker, &answer);
	}
	map_read_unlock(ctx, mm);
	return vma != NULL ? (ssize_t)n : -ENOMEM;
}

/* Map lock held. */
static int sync_range(const struct mm *mm, ksim_addr start, ksim_addr end, int flags)
{
	bool hole = false;

	while (start < end) {
		const struct vma *vma = ranges_at_or_above(&mm->vmas, start);

		if (vma == NULL || vma->start >= end || (vma->start > start && flags == MS_ASYNC))
			return -ENOMEM;
		hole |= vma->start > start;
		if (flags & MS_INVALIDATE && vma->flags & VMA_LOCKED)
			return -EBUSY;
		start = vma->end;
	}
	return hole ? -ENOMEM : 0;
}

int mm_sync(struct ctx *ctx, struct mm *mm, ksim_addr addr, uint64_t length, int flags)
{
	ksim_addr end = addr + page_up(length);
	int err;

	if (flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC) || addr & ~PAGE_MASK ||
	    (flags & (MS_ASYNC | MS_SYNC)) == (MS_ASYNC | MS_SYNC))
		return -EINVAL;
	if (end < addr)
		return -ENOMEM;
	map_read_lock(ctx, mm);
	err = sync_range(mm, addr, end, flags);
	map_read_unlock(ctx, mm);
	return err;
}
