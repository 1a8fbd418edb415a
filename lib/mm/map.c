// SPDX-License-Identifier: MIT
/*
 * mmap and munmap on VMAs.
 *
 * Each call first checks and allocates what it may need (at most two VMAs and the tree nodes for them), and
 * then changes things by steps that cannot fail.
 *
 * A range is emptied before it is taken out of the tree: the map lock keeps faults from filling it again, and a
 * truncation that ends in between has still found whatever was left of its pages.
 *
 * I1  when a call fails for want of memory, nothing has changed; but when the pool cannot promise huge pages, what was to be
 *     replaced is gone
 * I2  a new mapping that may write is in object->writers before anyone can see it
 *
 * Locking: the map lock exclusive. Linux: mm/mmap.c, mm/vma.c.
 */
#include "mm/vma.h"

#include <errno.h>

/* ---- cutting a range out ---- */

struct vma *vma_chain_take(struct vma **chain)
{
	struct vma *vma = *chain;

	if (vma != NULL) {
		*chain = vma->chain;
		vma->chain = NULL;
	}
	return vma;
}

void vma_release_all(struct ctx *ctx, struct vma *dead)
{
	struct vma *vma;

	while ((vma = vma_chain_take(&dead)) != NULL)
		vma_release(ctx, vma);
}

bool mm_cuts_a_hole(const struct mm *mm, ksim_addr start, ksim_addr end)
{
	const struct vma *vma = ranges_find(&mm->vmas, start);

	return vma != NULL && vma->start < start && end < vma->end;
}

static void cut(struct ctx *ctx, struct mm *mm, ksim_addr start, ksim_addr end, bool moved, struct vma **spare,
                struct vma **dead)
{
	struct vma *vma;

	mm_zap(ctx, mm, start, end);
	while ((vma = ranges_first_in(&mm->vmas, start, end)) != NULL) {
		ksim_addr first = MAX(start, vma->start), beyond = MIN(end, vma->end);
		uint64_t pgidx = vma_pgidx(vma, first);
		struct promise *promise = vma->promise;

		mm_guard_remove(ctx, vma, first, beyond);
		if (vma->start < start && end < vma->end) {
			KSIM_ASSERT(ctx, *spare != NULL, "a cut has the VMA it needs", "[%#lx, %#lx)", start, end);
			vma_split(ctx, vma, end, *spare);
			*spare = NULL;
		}
		if (vma->start < start) {
			vma_resize(ctx, vma, vma->start, start);
		} else if (end < vma->end) {
			vma_resize(ctx, vma, end, vma->end);
		} else {
			vma_unlink(ctx, vma);
			vma->chain = *dead;
			*dead = vma;
		}
		/* Now that no truncation renews it any more. */
		if (unlikely(promise != NULL) && !moved)
			mm_hugetlb_drop(ctx, promise, pgidx, (beyond - first) >> PAGE_SHIFT);
	}
}

void mm_cut(struct ctx *ctx, struct mm *mm, ksim_addr start, ksim_addr end, struct vma **spare, struct vma **dead)
{
	cut(ctx, mm, start, end, false, spare, dead);
}

void mm_cut_moved(struct ctx *ctx, struct mm *mm, ksim_addr start, ksim_addr end, struct vma **spare, struct vma **dead)
{
	cut(ctx, mm, start, end, true, spare, dead);
}

int mm_unmap_locked(struct ctx *ctx, struct mm *mm, ksim_addr start, ksim_addr end, struct vma **dead)
{
	struct vma *spare = NULL;

	if (unlikely(mm_check_cut(mm, start, end) < 0))
		return -EINVAL;
	if (mm_cuts_a_hole(mm, start, end)) {
		if (mm->vmas.count >= mm_vmas_max(mm) || (spare = vma_alloc(ctx, mm)) == NULL)
			return -ENOMEM;
		if (vma_reserve(ctx, mm, 1) < 0) {
			vma_free(ctx, spare);
			return -ENOMEM;
		}
	}
	mm_cut(ctx, mm, start, end, &spare, dead);
	mm_free_nodes(ctx, mm, start, end);
	vma_unreserve(ctx, mm);
	mm_check_slow(ctx, mm);
	return 0;
}

int mm_unmap(struct ctx *ctx, struct mm *mm, ksim_addr addr, uint64_t length)
{
	struct vma *dead = NULL;
	int err;

	if (length > PT_SPAN || addr > PT_SPAN - length)
		return -EINVAL;
	rwlock_write(ctx, &mm->map);
	err = mm_unmap_locked(ctx, mm, addr, addr + length, &dead);
	rwlock_write_unlock(ctx, &mm->map);
	vma_release_all(ctx, dead);
	return err;
}

/* ---- mmap ---- */

static bool is_exact(const struct mm_map *what)
{
	return what->fixed || what->noreplace;
}

/* What is asked before the file is looked at. Map lock held. */
static int admit(const struct ctx *ctx, const struct mm *mm, const struct mm_map *what, ksim_addr *start)
{
	int err;

	/* One more than the limit may be there: Linux asks before it adds. */
	if (mm->vmas.count > mm_vmas_max(mm))
		return -ENOMEM;
	err = mm_place(mm, what, start);
	if (err == 0 && unlikely(what->flags & VMA_LOCKED))
		err = mm_may_lock(ctx);
	if (err == 0 && unlikely((what->flags | mm->lock_future) & VMA_LOCKED) &&
	    !mm_lock_fits(ctx, mm, what->flags, what->length >> PAGE_SHIFT))
		err = -EAGAIN;
	return err;
}

int mm_map_refused(struct ctx *ctx, struct mm *mm, const struct mm_map *what)
{
	ksim_addr start;
	int err;

	map_read_lock(ctx, mm);
	err = admit(ctx, mm, what, &start);
	map_read_unlock(ctx, mm);
	return err;
}

/* Limits, which what is replaced counts for. */
static bool is_affordable(const struct ctx *ctx, const struct mm *mm, const struct mm_map *what, ksim_addr start)
{
	uint64_t pages = what->length >> PAGE_SHIFT;
	bool data = counts_as_data(what->prot, what->shared, what->flags);
	bool anonymous = what->shared && what->backing == NULL; /* shared by nobody's file, it is charged as private */

	if (!mm_may_expand(ctx, mm, data, (int64_t)pages) &&
	    !(is_exact(what) &&
	      mm_may_expand(ctx, mm, data, (int64_t)(pages - mm_pages_in(mm, start, start + what->length)))))
		return false;
	if (unlikely(what->flags & VMA_HUGETLB))
		return true; /* the pool is asked for its pages */
	return !mm_overcommits(mm, anonymous ? PROT_W : what->prot, what->shared && !anonymous, what->noreserve, pages);
}

static void check_whole(const struct ctx *ctx, const struct mm_map *what)
{
	KSIM_ASSERT(ctx, what->length > 0 && ((what->addr | what->length) & ~PAGE_MASK) == 0,
	            "a mapping is of whole pages", "%#lx, %#lx bytes", what->addr, what->length);
	KSIM_ASSERT(ctx, (what->prot & ~what->max_prot) == 0 && (!what->shared || what->object != NULL),
	            "a mapping allows what it may, and shares what is there", "prot %#x, max_prot %#x", what->prot,
	            what->max_prot);
}

static void fill(struct vma *vma, const struct mm_map *what, ksim_addr start, uint8_t max_prot)
{
	vma->start = start;
	vma->end = start + what->length;
	vma->prot = what->prot;
	vma->max_prot = max_prot;
	vma->shared = what->shared;
	vma->noreserve = what->noreserve;
	vma->flags = what->flags | vma->mm->lock_future | (max_prot != what->max_prot ? VMA_DEMOTED : 0) |
	             account_flag(what->prot, what->shared, what->noreserve, what->flags);
	if (unlikely(vma->flags & VMA_HUGETLB))
		vma->flags &= ~(uint32_t)(VMA_LOCKED | VMA_LOCK_ON_FAULT); /* they stay anyway */
	vma->pgidx = what->object != NULL ? what->pgidx : start >> PAGE_SHIFT;
	vma->object = what->object;
	vma->backing = what->backing;
	if (vma->object != NULL)
		object_get(vma->object);
	backing_get(vma->backing);
}

/* Become a writer of the object if the mapping may ever write. */
static int become_writer(const struct mm_map *what, uint8_t *max_prot)
{
	int err;

	*max_prot = what->max_prot;
	if (what->object == NULL || !what->shared || !(*max_prot & PROT_W))
		return 0;
	err = object_writer_get(what->object);
	if (err < 0 && what->demote && !(what->prot & PROT_W)) {
		*max_prot &= (uint8_t)~PROT_W;
		return 0;
	}
	return err;
}

/* For what has been mapped and can be seen. */
static void bring_in(struct ctx *ctx, struct mm *mm, const struct mm_map *what, ksim_addr start, bool locked)
{
	if (unlikely(what->flags & VMA_HUGETLB) && what->prot & PROT_W && what->backing != NULL)
		what->backing->ops->reach(ctx, what->backing, (what->pgidx << PAGE_SHIFT) + what->length);
	if (mm->eager && what->object != NULL)
		mm_populate(ctx, mm, start, start + what->length);
	if (unlikely(what->populate || locked))
		mm_populate_range(ctx, mm, start, what->length, POPULATE_GOES_ON);
}

/*
 * What a VMA of huge pages needs before it can be seen: as on Linux, where the file is asked so late, what was there
 * before is gone even if it is refused. 0, -EINVAL, -ENOMEM
 */
static int prepare_huge(struct ctx *ctx, struct vma *vma)
{
	if (vma->pgidx % HUGE_FRAMES != 0)
		return -EINVAL;
	mm_free_nodes(ctx, vma->mm, vma->start, vma->end); /* a huge entry stands where a leaf node would */
	return mm_hugetlb_promise(ctx, vma);
}

/* A VMA that was filled in; its writer is not counted. */
static void release_unlinked(struct ctx *ctx, struct vma *vma)
{
	object_put(ctx, vma->object);
	backing_put(ctx, vma->backing);
	vma_free(ctx, vma);
}

int mm_map(struct ctx *ctx, struct mm *mm, const struct mm_map *what, ksim_addr *out)
{
	struct vma *vma = NULL, *spare = NULL, *dead = NULL;
	bool hole, locked;
	uint8_t max_prot;
	ksim_addr start;
	int err;

	check_whole(ctx, what);
	err = become_writer(what, &max_prot);
	if (err < 0) {
		int refused = mm_map_refused(ctx, mm, what);

		return refused < 0 ? refused : err;
	}
	rwlock_write(ctx, &mm->map);
	err = admit(ctx, mm, what, &start);
	if (err < 0)
		goto undo;
	err = is_exact(what) ? mm_check_cut(mm, start, start + what->length) : 0;
	if (unlikely(err < 0))
		goto undo;
	err = -ENOMEM;
	hole = is_exact(what) && mm_cuts_a_hole(mm, start, start + what->length);
	if ((hole && mm->vmas.count >= mm_vmas_max(mm)) || !is_affordable(ctx, mm, what, start))
		goto undo;
	if (hole && (spare = vma_alloc(ctx, mm)) == NULL)
		goto undo;
	if ((vma = vma_alloc(ctx, mm)) == NULL || vma_reserve(ctx, mm, 2) < 0)
		goto undo;
	if (is_exact(what))
		mm_cut(ctx, mm, start, start + what->length, &spare, &dead);
	fill(vma, what, start, max_prot);
	if (unlikely(what->flags & VMA_HUGETLB)) {
		err = prepare_huge(ctx, vma);
		if (err < 0) {
			release_unlinked(ctx, vma);
			vma = NULL;
			goto undo;
		}
	}
	locked = (what->flags | mm->lock_future) & VMA_LOCKED;
	vma_link(ctx, vma);
	vma_merge(ctx, vma);
	vma_unreserve(ctx, mm);
	mm_check_slow(ctx, mm);
	rwlock_write_unlock(ctx, &mm->map);
	vma_release_all(ctx, dead);
	bring_in(ctx, mm, what, start, locked);
	*out = start;
	return 0;

undo:
	rwlock_write_unlock(ctx, &mm->map);
	vma_release_all(ctx, dead);
	vma_free(ctx, vma);
	vma_free(ctx, spare);
	if (what->object != NULL && what->shared && (max_prot & PROT_W))
		object_writer_put(what->object);
	return err;
}
