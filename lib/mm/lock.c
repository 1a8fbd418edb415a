// SPDX-License-Identifier: MIT
/*
 * Memory that is to stay where it is: mlock and its kin.
 *
 * There is no swap here, so a locked page is one that has been brought in, and nothing more. What programs can see is
 * kept exactly all the same: the pages that count against RLIMIT_MEMLOCK, the VMAs that are cut and joined, and what
 * other calls refuse to do to locked memory.
 *
 *	mlock       flags of the range's VMAs, up to a hole or the end  ->  lock released  ->  pages brought in
 *	mlockall    flags of all VMAs, and of those to come             ->  lock released  ->  pages brought in
 *
 * A range that is over the limit may be locked again by who has locked it already. Pages of 2 MiB from the pool count
 * for nobody: they are never marked.
 *
 * I1  mm->locked is what vma.c counts (vma I5); who is not privileged raises it up to his limit only
 *
 * Locking: map exclusive for flags, then prefault.c's. Linux: mm/mlock.c.
 */
#include "mm/vma.h"

#include "base/creds.h"
#include "base/limits.h"

#include <errno.h>

#define LOCK_MASK ((uint32_t)(VMA_LOCKED | VMA_LOCK_ON_FAULT))

/* Pages that the caller may lock; privileged ones as many as they like. */
static uint64_t lock_limit(const struct ctx *ctx)
{
	return creds_privileged(ctx) ? UINT64_MAX : limit_of(ctx, LIMIT_MEMLOCK) >> PAGE_SHIFT;
}

int mm_may_lock(const struct ctx *ctx)
{
	return creds_privileged(ctx) || limit_of(ctx, LIMIT_MEMLOCK) != 0 ? 0 : -EPERM;
}

bool mm_lock_fits(const struct ctx *ctx, const struct mm *mm, uint32_t flags, uint64_t pages)
{
	return !((flags | mm->lock_future) & VMA_LOCKED) || mm->locked + pages <= lock_limit(ctx);
}

/* Pages of the range that are locked already. */
static uint64_t locked_within(const struct mm *mm, ksim_addr start, ksim_addr end)
{
	const struct vma *vma = ranges_at_or_above(&mm->vmas, start);
	uint64_t pages = 0;

	for (; vma != NULL && vma->start < end; vma = ranges_at_or_above(&mm->vmas, vma->end))
		if (vma->flags & VMA_LOCKED)
			pages += (MIN(end, vma->end) - MAX(start, vma->start)) >> PAGE_SHIFT;
	return pages;
}

/* Give the VMA's part within [start, end) other lock flags. *vma: what it is now. 0 or -ENOMEM */
static int mark(struct ctx *ctx, struct vma **vma, ksim_addr start, ksim_addr end, uint32_t lock)
{
	uint32_t flags = ((*vma)->flags & ~LOCK_MASK) | lock;

	if (flags == (*vma)->flags || (*vma)->flags & VMA_HUGETLB)
		return 0;
	return vma_change_flags(ctx, vma, start, end, flags);
}

/* Up to the first hole. Map lock exclusive. 0 or -ENOMEM */
static int mark_range(struct ctx *ctx, struct mm *mm, ksim_addr start, ksim_addr end, uint32_t lock)
{
	int err = 0;

	while (err == 0 && start < end) {
		struct vma *vma = ranges_find(&mm->vmas, start);
		ksim_addr stop;

		if (vma == NULL)
			return -ENOMEM;
		stop = MIN(end, vma->end);
		err = mark(ctx, &vma, start, stop, lock);
		start = stop;
	}
	return err;
}

/* A range in whole pages; a length that wraps to nothing is nothing. false: the end wraps. */
static bool whole_pages(ksim_addr *addr, uint64_t *length)
{
	*length = page_up(*length + (*addr & ~PAGE_MASK));
	*addr = page_down(*addr);
	return *addr + *length >= *addr;
}

/* Map lock exclusive. */
static int lock_range(struct ctx *ctx, struct mm *mm, ksim_addr addr, uint64_t length, uint32_t lock)
{
	uint64_t pages = mm->locked + (length >> PAGE_SHIFT);

	if (pages > lock_limit(ctx))
		pages -= locked_within(mm, addr, addr + length);
	if (pages > lock_limit(ctx))
		return -ENOMEM;
	return addr + length < addr ? -EINVAL : mark_range(ctx, mm, addr, addr + length, lock);
}

int mm_lock(struct ctx *ctx, struct mm *mm, ksim_addr addr, uint64_t length, unsigned flags)
{
	uint32_t lock = VMA_LOCKED | (flags & MM_LOCK_ON_FAULT ? VMA_LOCK_ON_FAULT : 0);
	int err = mm_may_lock(ctx);

	if (err < 0)
		return err;
	whole_pages(&addr, &length);
	rwlock_write(ctx, &mm->map);
	err = lock_range(ctx, mm, addr, length, lock);
	mm_check_slow(ctx, mm);
	rwlock_write_unlock(ctx, &mm->map);
	if (err < 0)
		return err;
	err = mm_populate_range(ctx, mm, addr, length, POPULATE_STOPS);
	return err == -EFAULT ? -ENOMEM : err == -ENOMEM ? -EAGAIN : err;
}

int mm_unlock(struct ctx *ctx, struct mm *mm, ksim_addr addr, uint64_t length)
{
	int err;

	if (!whole_pages(&addr, &length))
		return -EINVAL;
	rwlock_write(ctx, &mm->map);
	err = mark_range(ctx, mm, addr, addr + length, 0);
	mm_check_slow(ctx, mm);
	rwlock_write_unlock(ctx, &mm->map);
	return err;
}

/* Whole VMAs are marked, which cannot fail. Map lock exclusive. */
static void mark_all(struct ctx *ctx, struct mm *mm, uint32_t lock)
{
	struct vma *vma = ranges_at_or_above(&mm->vmas, 0);

	for (; vma != NULL; vma = ranges_at_or_above(&mm->vmas, vma->end))
		mark(ctx, &vma, vma->start, vma->end, lock);
}

int mm_lock_all(struct ctx *ctx, struct mm *mm, unsigned flags)
{
	const unsigned known = MM_LOCK_CURRENT | MM_LOCK_FUTURE | MM_LOCK_ALL_ON_FAULT;
	uint32_t lock = VMA_LOCKED | (flags & MM_LOCK_ALL_ON_FAULT ? VMA_LOCK_ON_FAULT : 0);
	int err;

	if (flags & ~known || flags == 0 || flags == MM_LOCK_ALL_ON_FAULT)
		return -EINVAL;
	err = mm_may_lock(ctx);
	if (err < 0)
		return err;
	rwlock_write(ctx, &mm->map);
	if (flags & MM_LOCK_CURRENT && mm->pages > lock_limit(ctx)) {
		err = -ENOMEM;
	} else {
		mm->lock_future = flags & MM_LOCK_FUTURE ? lock : 0;
		if (flags & MM_LOCK_CURRENT)
			mark_all(ctx, mm, lock);
		mm_check_slow(ctx, mm);
	}
	rwlock_write_unlock(ctx, &mm->map);
	if (err == 0 && flags & MM_LOCK_CURRENT)
		mm_populate_range(ctx, mm, 0, PT_SPAN, POPULATE_GOES_ON);
	return err;
}

void mm_unlock_all(struct ctx *ctx, struct mm *mm)
{
	rwlock_write(ctx, &mm->map);
	mm->lock_future = 0;
	mark_all(ctx, mm, 0);
	mm_check_slow(ctx, mm);
	rwlock_write_unlock(ctx, &mm->map);
}
