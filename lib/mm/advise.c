// SPDX-License-Identifier: MIT
/*
 * madvise: what is said of a range, VMA by VMA.
 *
 *	kept in the VMA's flags ... NORMAL, RANDOM, SEQUENTIAL, DONTFORK, WIPEONFORK, DONTDUMP, HUGEPAGE, MERGEABLE,
 *	                            and what takes each back
 *	takes pages away .......... DONTNEED; REMOVE, from the file too; GUARD_INSTALL (guard.c)
 *	brings pages in ........... POPULATE_READ, POPULATE_WRITE (prefault.c)
 *	means nothing here ........ WILLNEED, FREE, COLD, PAGEOUT: without swap every page stays where it is
 *
 * A hole in the range is told of at its end: what lies on both sides has been dealt with. Any other error ends the
 * walk. REMOVE goes through the open file, which knows of seals, with no lock held; the walk goes on at the next
 * address.
 *
 * What was said of memory that is to be merged (MERGEABLE) is kept, and nothing is merged. COLLAPSE makes huge entries
 * of small ones (collapse.c).
 *
 * Locking: map exclusive for flags, guards and COLLAPSE, shared for all else. Linux: mm/madvise.c, hugepage_madvise in
 * mm/khugepaged.c, ksm_madvise in mm/ksm.c. Differs: memory is never poisoned, as by a kernel that was built without
 * CONFIG_MEMORY_FAILURE (HWPOISON and SOFT_OFFLINE are EINVAL).
 */
#include "mm/vma.h"

#include <errno.h>

/* As all architectures here number them. */
enum advice {
	ADVICE_NORMAL = 0,
	ADVICE_RANDOM = 1,
	ADVICE_SEQUENTIAL = 2,
	ADVICE_WILLNEED = 3,
	ADVICE_DONTNEED = 4,
	ADVICE_FREE = 8,
	ADVICE_REMOVE = 9,
	ADVICE_DONTFORK = 10,
	ADVICE_DOFORK = 11,
	ADVICE_MERGEABLE = 12,
	ADVICE_UNMERGEABLE = 13,
	ADVICE_HUGEPAGE = 14,
	ADVICE_NOHUGEPAGE = 15,
	ADVICE_DONTDUMP = 16,
	ADVICE_DODUMP = 17,
	ADVICE_WIPEONFORK = 18,
	ADVICE_KEEPONFORK = 19,
	ADVICE_COLD = 20,
	ADVICE_PAGEOUT = 21,
	ADVICE_POPULATE_READ = 22,
	ADVICE_POPULATE_WRITE = 23,
	ADVICE_DONTNEED_LOCKED = 24,
	ADVICE_COLLAPSE = 25,
	ADVICE_GUARD_INSTALL = 102,
	ADVICE_GUARD_REMOVE = 103,
};

#define HUGE_BYTES (UINT64_C(1) << 21)

/* The part of the range in one VMA. */
struct part {
	struct mm *mm;
	struct vma *vma;
	ksim_addr start, end;
	int advice;
};

static bool is_known(const struct ctx *ctx, int advice)
{
	static const struct {
		int first, last;
		unsigned since; /* release */
	} known[] = {
		{ ADVICE_NORMAL, ADVICE_DONTNEED, 0 },
		{ ADVICE_FREE, ADVICE_FREE, 4005 },
		{ ADVICE_REMOVE, ADVICE_DODUMP, 0 },
		{ ADVICE_WIPEONFORK, ADVICE_KEEPONFORK, 4014 },
		{ ADVICE_COLD, ADVICE_PAGEOUT, 5004 },
		{ ADVICE_POPULATE_READ, ADVICE_POPULATE_WRITE, 5014 },
		{ ADVICE_DONTNEED_LOCKED, ADVICE_DONTNEED_LOCKED, 5018 },
		{ ADVICE_COLLAPSE, ADVICE_COLLAPSE, 6001 },
		{ ADVICE_GUARD_INSTALL, ADVICE_GUARD_REMOVE, 6013 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (advice >= known[i].first && advice <= known[i].last)
			return ctx->env->profile.release >= known[i].since;
	return false;
}

/* ---- what is kept in flags ---- */

/* What an advice sets in a VMA's flags, and what it clears. */
static bool flags_of(int advice, uint32_t *set, uint32_t *clear)
{
	static const struct {
		int advice;
		uint32_t set, clear;
	} changes[] = {
		{ ADVICE_NORMAL, 0, VMA_SEQUENTIAL | VMA_RANDOM },
		{ ADVICE_RANDOM, VMA_RANDOM, VMA_SEQUENTIAL },
		{ ADVICE_SEQUENTIAL, VMA_SEQUENTIAL, VMA_RANDOM },
		{ ADVICE_DONTFORK, VMA_DONTFORK, 0 },
		{ ADVICE_DOFORK, 0, VMA_DONTFORK },
		{ ADVICE_MERGEABLE, VMA_MERGEABLE, 0 },
		{ ADVICE_UNMERGEABLE, 0, VMA_MERGEABLE },
		{ ADVICE_HUGEPAGE, VMA_HUGE, VMA_NOHUGE },
		{ ADVICE_NOHUGEPAGE, VMA_NOHUGE, VMA_HUGE },
		{ ADVICE_DONTDUMP, VMA_DONTDUMP, 0 },
		{ ADVICE_DODUMP, 0, VMA_DONTDUMP },
		{ ADVICE_WIPEONFORK, VMA_WIPEONFORK, 0 },
		{ ADVICE_KEEPONFORK, 0, VMA_WIPEONFORK },
	};

	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		if (changes[i].advice != advice)
			continue;
		*set = changes[i].set;
		*clear = changes[i].clear;
		return true;
	}
	return false;
}

static bool is_private_anonymous(const struct vma *vma)
{
	return vma->object == NULL && !(vma->flags & VMA_HUGETLB);
}

/* Whether it may be said of the VMA: 0 or -EINVAL; *ignored: it may, and is not kept. */
static int check_flags(const struct vma *vma, int advice, bool *ignored)
{
	*ignored = false;
	switch (advice) {
	case ADVICE_WIPEONFORK:
		return is_private_anonymous(vma) ? 0 : -EINVAL;
	case ADVICE_MERGEABLE:
		*ignored = vma->shared || vma->flags & VMA_HUGETLB;
		return 0;
	default:
		return 0;
	}
}

static int change_flags(struct ctx *ctx, struct part *part, uint32_t set, uint32_t clear)
{
	uint32_t flags = (part->vma->flags & ~clear) | set;
	bool ignored;
	int err = check_flags(part->vma, part->advice, &ignored);

	if (err < 0 || ignored || flags == part->vma->flags)
		return err;
	err = vma_change_flags(ctx, &part->vma, part->start, part->end, flags);
	if (err < 0)
		return err == -ENOMEM ? -EAGAIN : err;
	return 0;
}

/* ---- what is done to pages ---- */

/* Huge pages are dealt with whole: what does not begin with one is refused, what does not end with one is left. */
static int whole_huge_pages(struct part *part)
{
	if (!(part->vma->flags & VMA_HUGETLB))
		return 0;
	part->end &= ~(HUGE_BYTES - 1);
	return part->start & (HUGE_BYTES - 1) ? -EINVAL : 0;
}

/* Shared pages stay in their object; private ones are gone, and with them what was copied from the file. */
static int forget_pages(struct ctx *ctx, struct part *part)
{
	int err = whole_huge_pages(part);

	if (err < 0 ||
	    (part->advice == ADVICE_DONTNEED && !(part->vma->flags & VMA_HUGETLB) && part->vma->flags & VMA_LOCKED))
		return -EINVAL;
	if (part->start < part->end)
		mm_zap_part(ctx, part->vma, part->start, part->end);
	return 0;
}

/* Of a VMA that is to lose its pages, or to have them moved to swap. */
static int check_reclaim(const struct part *part)
{
	if (part->vma->flags & (VMA_LOCKED | VMA_HUGETLB))
		return -EINVAL;
	return part->advice == ADVICE_FREE && !is_private_anonymous(part->vma) ? -EINVAL : 0;
}

/*
 * A run of pages as huge ones: there is nothing to be done if none fits whole. A page that is held, or a guard over a
 * file, does not keep the others from it. Map lock exclusive.
 */
static int collapse(struct ctx *ctx, const struct part *part)
{
	ksim_addr first = (part->vma->start + HUGE_BYTES - 1) & ~(HUGE_BYTES - 1);
	ksim_addr start = (part->start + HUGE_BYTES - 1) & ~(HUGE_BYTES - 1);
	bool fits = first + HUGE_BYTES <= part->vma->end;
	int err = 0, last = 0;

	if (!fits || part->vma->flags & VMA_HUGETLB || !vma_huge_fits(part->vma, first))
		return -EINVAL;
	if (start >= (part->end & ~(HUGE_BYTES - 1)))
		return start == (part->end & ~(HUGE_BYTES - 1)) ? 0 : -EINVAL;
	for (; start + HUGE_BYTES <= part->end && (err >= 0 || err == -EAGAIN); start += HUGE_BYTES) {
		err = mm_collapse(ctx, part->vma, start);
		if (err != 0)
			last = err == COLLAPSE_GUARDED ? -EINVAL : err;
	}
	return last;
}

static int guard(struct ctx *ctx, const struct part *part)
{
	const bool install = part->advice == ADVICE_GUARD_INSTALL;

	if (part->vma->flags & (install ? VMA_LOCKED | VMA_HUGETLB : VMA_HUGETLB))
		return -EINVAL;
	if (!is_private_anonymous(part->vma) && !ctx->env->profile.guards_files)
		return -EINVAL;
	if (install)
		return mm_guard_install(ctx, part->vma, part->start, part->end);
	mm_guard_remove(ctx, part->vma, part->start, part->end);
	return 0;
}

/* Make a hole in what the VMA maps. The map lock is released, and held again when this returns. */
static int remove_pages(struct ctx *ctx, struct part *part)
{
	const struct vma *vma = part->vma;
	uint64_t offset = vma_pgidx(vma, part->start) << PAGE_SHIFT, length = part->end - part->start;
	struct object *object = vma->object;
	struct backing *backing = vma->backing;
	int err;

	if (vma->flags & VMA_LOCKED || object == NULL)
		return -EINVAL;
	if (!vma->shared || !(vma->max_prot & PROT_W))
		return -EACCES;
	if (backing != NULL && backing->ops->punch == NULL)
		return -EOPNOTSUPP;
	object_get(object);
	backing_get(backing);
	map_read_unlock(ctx, part->mm);
	if (backing != NULL) {
		err = backing->ops->punch(ctx, backing, offset, length);
	} else {
		object_punch(ctx, object, offset, offset + length);
		err = 0;
	}
	backing_put(ctx, backing);
	object_put(ctx, object);
	map_read_lock(ctx, part->mm);
	return err;
}

static int advise_part(struct ctx *ctx, struct part *part)
{
	uint32_t set, clear;

	if (flags_of(part->advice, &set, &clear))
		return change_flags(ctx, part, set, clear);
	switch (part->advice) {
	case ADVICE_DONTNEED:
	case ADVICE_DONTNEED_LOCKED:
		return forget_pages(ctx, part);
	case ADVICE_REMOVE:
		return remove_pages(ctx, part);
	case ADVICE_FREE:
	case ADVICE_COLD:
	case ADVICE_PAGEOUT:
		return check_reclaim(part);
	case ADVICE_COLLAPSE:
		return collapse(ctx, part);
	case ADVICE_GUARD_INSTALL:
	case ADVICE_GUARD_REMOVE:
		return guard(ctx, part);
	default:
		return 0;
	}
}

/* The map lock is held, of the kind that the advice needs. */
static int walk(struct ctx *ctx, struct mm *mm, ksim_addr start, ksim_addr end, int advice)
{
	bool hole = false;

	while (start < end) {
		struct part part = { mm, ranges_at_or_above(&mm->vmas, start), 0, 0, advice };
		int err;

		if (part.vma == NULL || part.vma->start >= end)
			return -ENOMEM;
		hole |= start < part.vma->start;
		part.start = MAX(start, part.vma->start);
		part.end = start = MIN(end, part.vma->end);
		err = advise_part(ctx, &part);
		if (err < 0)
			return err;
	}
	return hole ? -ENOMEM : 0;
}

int mm_advise(struct ctx *ctx, struct mm *mm, ksim_addr addr, uint64_t length, int advice)
{
	ksim_addr end = addr + page_up(length);
	uint32_t set, clear;
	int err;

	if (!is_known(ctx, advice) || addr & ~PAGE_MASK || page_up(length) < length || end < addr)
		return -EINVAL;
	if (end == addr)
		return 0;
	if (advice == ADVICE_POPULATE_READ || advice == ADVICE_POPULATE_WRITE)
		return mm_populate_advised(ctx, mm, addr, end, advice == ADVICE_POPULATE_WRITE);
	if (flags_of(advice, &set, &clear) || advice >= ADVICE_COLLAPSE) {
		rwlock_write(ctx, &mm->map);
		err = walk(ctx, mm, addr, end, advice);
		mm_check_slow(ctx, mm);
		rwlock_write_unlock(ctx, &mm->map);
	} else {
		map_read_lock(ctx, mm);
		err = walk(ctx, mm, addr, end, advice);
		map_read_unlock(ctx, mm);
	}
	return err;
}
