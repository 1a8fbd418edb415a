// SPDX-License-Identifier: MIT
/*
 * What grows by itself: the heap, by brk, and stacks, by faults below them.
 *
 *	brk_start        brk                     guard gap   vma->start
 *	   [ heap ........ ) -->      |..................... <-- [ stack )
 *	                   one page      256 pages
 *
 * The heap is private memory like any other: what brk maps it may join, and whatever else is in its way stops it, one
 * page before. A stack is a VMA with VMA_GROWSDOWN: a touch anywhere below it, with nothing in between, makes it reach
 * there, as long as RLIMIT_STACK allows, and what lies below keeps its distance or is a stack too, or cannot be
 * touched.
 *
 * I1  brk_start <= brk; brk lies in the page to which the heap was last told to reach, whatever is mapped there
 * I2  when a stack does not grow, nothing has changed
 *
 * Locking: the map lock exclusive; a fault gives up its own hold of it first, and looks again afterwards.
 * Linux: mm/mmap.c (brk), mm/vma.c (expand_downwards, do_brk_flags). Not modelled: stacks that grow up.
 */
#include "mm/vma.h"

#include "base/limits.h"

#include <errno.h>

/* ---- the heap ---- */

/* Map [start, end) as more of the heap. 0; -ENOMEM, -EAGAIN. */
static int heap_extend(struct ctx *ctx, struct mm *mm, ksim_addr start, ksim_addr end)
{
	uint64_t pages = (end - start) >> PAGE_SHIFT;
	struct vma *vma;

	if (end > mm->bounds.max || start < mm->bounds.min || mm->vmas.count > mm_vmas_max(mm) ||
	    !mm_may_expand(ctx, mm, true, (int64_t)pages) || mm_overcommits(mm, PROT_W, false, false, pages))
		return -ENOMEM;
	if (!mm_lock_fits(ctx, mm, 0, pages))
		return -EAGAIN;
	vma = vma_alloc(ctx, mm);
	if (vma == NULL || vma_reserve(ctx, mm, 1) < 0) {
		vma_free(ctx, vma);
		return -ENOMEM;
	}
	vma->start = start;
	vma->end = end;
	vma->pgidx = start >> PAGE_SHIFT;
	vma->prot = PROT_R | PROT_W;
	vma->max_prot = PROT_R | PROT_W | PROT_X;
	vma->flags = mm->lock_future | VMA_ACCOUNT;
	vma_link(ctx, vma);
	vma_merge(ctx, vma);
	vma_unreserve(ctx, mm);
	mm_check_slow(ctx, mm);
	return 0;
}

/* Whether the heap may reach to `end`: a page more must be free, and the guard gap of a stack. */
static bool heap_has_room(const struct mm *mm, ksim_addr start, ksim_addr end)
{
	const struct vma *above = ranges_at_or_above(&mm->vmas, start);

	return above == NULL || end + PAGE_BYTES <= vma_guarded_start(above);
}

static int heap_move_end(struct ctx *ctx, struct mm *mm, ksim_addr to, struct vma **dead)
{
	ksim_addr now = page_up(mm->brk), then = page_up(to);

	if (to < mm->brk_start || to > MM_MAX || to - mm->brk_start > limit_of(ctx, LIMIT_DATA))
		return -ENOMEM;
	if (then == now)
		return 0;
	if (then < now)
		return mm_is_free(mm, then, now) ? -ENOMEM : mm_unmap_locked(ctx, mm, then, now, dead);
	return heap_has_room(mm, now, then) ? heap_extend(ctx, mm, now, then) : -ENOMEM;
}

ksim_addr mm_brk(struct ctx *ctx, struct mm *mm, ksim_addr to)
{
	struct vma *dead = NULL;
	ksim_addr was, is;
	bool locked;

	rwlock_write(ctx, &mm->map);
	was = mm->brk;
	if (heap_move_end(ctx, mm, to, &dead) == 0)
		mm->brk = to;
	is = mm->brk;
	locked = mm->lock_future & VMA_LOCKED;
	rwlock_write_unlock(ctx, &mm->map);
	vma_release_all(ctx, dead);
	if (unlikely(locked) && page_up(is) > page_up(was))
		mm_populate_range(ctx, mm, page_up(was), page_up(is) - page_up(was), POPULATE_GOES_ON);
	return is;
}

/* ---- stacks ---- */

/* Whether a stack may reach down to start: limits, and what lies below. */
static int stack_may_reach(const struct ctx *ctx, const struct mm *mm, const struct vma *stack, ksim_addr start)
{
	const struct vma *below = ranges_below(&mm->vmas, stack->start);
	uint64_t more = (stack->start - start) >> PAGE_SHIFT;

	if (start < mm->bounds.min)
		return -EPERM;
	if (below != NULL && !(below->flags & VMA_GROWSDOWN) && below->prot != 0 && start - below->end < STACK_GUARD)
		return -ENOMEM;
	if (!mm_may_expand(ctx, mm, false, (int64_t)more) || stack->end - start > limit_of(ctx, LIMIT_STACK) ||
	    (stack->flags & VMA_LOCKED && !mm_lock_fits(ctx, mm, stack->flags, more)) ||
	    mm_overcommits(mm, stack->prot, false, stack->noreserve, more))
		return -ENOMEM;
	return 0;
}

int mm_grow_down(struct ctx *ctx, struct mm *mm, ksim_addr addr)
{
	ksim_addr start = page_down(addr);
	struct vma *vma;
	int err = 0;

	rwlock_write(ctx, &mm->map);
	vma = ranges_at_or_above(&mm->vmas, addr);
	if (vma == NULL || !(vma->flags & VMA_GROWSDOWN))
		err = -EFAULT;
	else if (start < vma->start)
		err = stack_may_reach(ctx, mm, vma, start);
	if (err == 0 && start < vma->start) {
		vma_resize(ctx, vma, start, vma->end);
		mm_check_slow(ctx, mm);
	}
	rwlock_write_unlock(ctx, &mm->map);
	return err;
}
