// SPDX-License-Identifier: MIT
/*
 * What an address space has room for, and where: limits of a process, and placement.
 *
 *	min                     brk_start ...              top        max
 *	 |                         [heap -->          <-- mappings |      |
 *	                                    <--[stack], 1 MiB below a stack stays free
 *
 * A mapping goes to its hint if that is free; else into the highest gap below top; else into what is left above. What
 * may be mapped by large pages is aligned to them, where Linux does that: anonymous private memory of whole large pages
 * without a hint, and objects of at least one, where transparent large pages are on, so that page 0 is aligned.
 *
 * I1  no search costs more than the height of the tree, but for the stacks that it has to pass by
 *
 * Locking: the map lock, either kind. Linux: mm/vma.c (unmapped_area_topdown), arch/x86/kernel/sys_x86_64.c,
 * mm/huge_memory.c (thp_get_unmapped_area), mm/shmem.c (shmem_get_unmapped_area), mm/util.c (__vm_enough_memory). Not
 * modelled: randomisation; overcommit beyond the heuristic mode's test of one mapping against all of RAM.
 */
#include "mm/vma.h"

#include "base/limits.h"

#include <errno.h>

#define LOW_MIN  UINT64_C(0x40000000)
#define LOW_MAX  UINT64_C(0x80000000)
#define HIGH_MIN (UINT64_C(1) << 32)

/* ---- how much ---- */

static uint64_t pages_of_limit(const struct ctx *ctx, enum limit_kind kind)
{
	return limit_of(ctx, kind) >> PAGE_SHIFT;
}

static uint64_t hard_data_pages(const struct ctx *ctx)
{
	return __atomic_load_n(&ctx->limits->of[LIMIT_DATA].hard, __ATOMIC_RELAXED) >> PAGE_SHIFT;
}

bool mm_may_expand(const struct ctx *ctx, const struct mm *mm, bool data, int64_t pages)
{
	uint64_t more = pages > 0 ? (uint64_t)pages : 0;

	if (mm->pages + more > pages_of_limit(ctx, LIMIT_AS))
		return false;
	if (!data || mm->data_pages + more <= pages_of_limit(ctx, LIMIT_DATA))
		return true;
	/* A limit of 0 alone stands for the hard one: so Linux has it, for programs that lower only the one. */
	return limit_of(ctx, LIMIT_DATA) == 0 && mm->data_pages + more <= hard_data_pages(ctx);
}

bool mm_overcommits(const struct mm *mm, unsigned prot, bool shared, bool noreserve, uint64_t pages)
{
	return (prot & PROT_W) && !shared && !noreserve && pages > phys_total_frames(mm->env->phys);
}

bool mm_is_free(const struct mm *mm, ksim_addr start, ksim_addr end)
{
	return ranges_first_in(&mm->vmas, start, end) == NULL;
}

uint64_t mm_pages_in(const struct mm *mm, ksim_addr start, ksim_addr end)
{
	uint64_t bytes = 0;

	for (const struct vma *vma = ranges_at_or_above(&mm->vmas, start); vma != NULL && vma->start < end;
	     vma = ranges_at_or_above(&mm->vmas, vma->end))
		bytes += MIN(vma->end, end) - MAX(vma->start, start);
	return bytes >> PAGE_SHIFT;
}

/* ---- where ---- */

/* Where a search may look, and how much it looks for. */
struct search {
	const struct mm *mm;
	ksim_addr lo, hi;
	uint64_t length;
};

/* The stack whose guard gap reaches below `end`, of those above what is free there. NULL: none. */
static const struct vma *stack_in_the_way(const struct mm *mm, ksim_addr start, ksim_addr end)
{
	const struct vma *above;

	if (likely(mm->stack_pages == 0))
		return NULL;
	above = ranges_at_or_above(&mm->vmas, start);
	return above != NULL && end > vma_guarded_start(above) ? above : NULL;
}

static bool find_down(struct search s, ksim_addr *out)
{
	const struct vma *stack;

	while (s.lo < s.hi && ranges_gap_top_down(&s.mm->vmas, s.lo, s.hi, s.length, out)) {
		stack = stack_in_the_way(s.mm, *out, *out + s.length);
		if (stack == NULL)
			return true;
		s.hi = vma_guarded_start(stack);
	}
	return false;
}

static bool find_up(struct search s, ksim_addr *out)
{
	const struct vma *stack;

	while (s.lo < s.hi && ranges_gap_bottom_up(&s.mm->vmas, s.lo, s.hi, s.length, out)) {
		stack = stack_in_the_way(s.mm, *out, *out + s.length);
		if (stack == NULL)
			return true;
		s.lo = stack->end;
	}
	return false;
}

static bool find(const struct mm *mm, const struct mm_map *what, uint64_t length, ksim_addr *out)
{
	struct search s = { .mm = mm, .lo = mm->bounds.min, .hi = mm->bounds.top, .length = length };

	if (what->low) {
		s.lo = MAX(s.lo, LOW_MIN);
		s.hi = MIN(mm->bounds.max, LOW_MAX);
		return find_up(s, out);
	}
	if (what->high)
		s.lo = MAX(s.lo, HIGH_MIN);
	if (find_down(s, out))
		return true;
	/* Linux then looks above top as well, where only hints and fixed addresses have gone so far. */
	s.hi = mm->bounds.max;
	return find_up(s, out);
}

/* Whether it should begin at an address that is, modulo a large page, *offset. */
static bool wants_alignment(const struct mm *mm, const struct mm_map *what, uint64_t *offset)
{
	const uint64_t large = PT_LEAF_SPAN;

	*offset = what->object != NULL ? (what->pgidx << PAGE_SHIFT) & (large - 1) : 0;
	if (what->low || what->length < large)
		return false;
	if (what->object == NULL)
		return what->addr == 0 && what->length % large == 0;
	return __atomic_load_n(&mm->env->sysctl.transparent_huge, __ATOMIC_RELAXED) != 0 &&
	       (*offset == 0 || *offset + what->length >= 2 * large);
}

static bool find_aligned(const struct mm *mm, const struct mm_map *what, uint64_t offset, ksim_addr *out)
{
	const uint64_t large = PT_LEAF_SPAN;
	ksim_addr at, up;

	if (!find(mm, what, what->length + large, &at))
		return false;
	/* The highest place in what was found, and in its lowest part if that is where it begins. */
	up = (offset - at) & (large - 1);
	*out = at + (up == 0 ? large : up);
	return true;
}

/* The same of huge pages: the highest place that is aligned. */
static bool find_huge(const struct mm *mm, const struct mm_map *what, ksim_addr *out)
{
	const uint64_t large = PT_LEAF_SPAN;

	if (!find(mm, what, what->length + large - PAGE_BYTES, out))
		return false;
	*out = (*out + large - 1) & ~(large - 1);
	return true;
}

/* A hint that can be taken. Outside of user space, or of the bounds of a window, there is none. */
static bool take_hint(const struct mm *mm, const struct mm_map *what, ksim_addr *out)
{
	const struct mm_bounds *bounds = &mm->bounds;
	const struct vma *above;
	ksim_addr hint = what->addr;

	if (unlikely(what->flags & VMA_HUGETLB))
		hint = (hint + PT_LEAF_SPAN - 1) & ~(PT_LEAF_SPAN - 1);
	if (hint != 0 && hint < MM_MIN)
		hint = MM_MIN;
	if (hint < bounds->min || hint > (what->low ? MIN(bounds->max, LOW_MAX) : bounds->max) - what->length)
		return false;
	above = ranges_at_or_above(&mm->vmas, hint);
	*out = hint;
	return above == NULL || hint + what->length <= vma_guarded_start(above);
}

static int place_exactly(const struct mm *mm, const struct mm_map *what, ksim_addr *out)
{
	const struct mm_bounds *bounds = &mm->bounds;

	if (unlikely(what->flags & VMA_HUGETLB && what->addr % PT_LEAF_SPAN != 0))
		return -EINVAL;
	if (what->addr < MM_MIN)
		return -EPERM;
	if (what->addr < bounds->min || what->addr > bounds->max - what->length)
		return -ENOMEM;
	*out = what->addr;
	return what->noreplace && !mm_is_free(mm, what->addr, what->addr + what->length) ? -EEXIST : 0;
}

int mm_place(const struct mm *mm, const struct mm_map *what, ksim_addr *out)
{
	uint64_t offset;

	if (what->length > mm->bounds.max - mm->bounds.min || (what->low && what->length > LOW_MAX))
		return -ENOMEM;
	if (what->fixed || what->noreplace)
		return place_exactly(mm, what, out);
	if (what->addr != 0 && take_hint(mm, what, out))
		return 0;
	if (unlikely(what->flags & VMA_HUGETLB))
		return find_huge(mm, what, out) ? 0 : -ENOMEM;
	if (wants_alignment(mm, what, &offset) && find_aligned(mm, what, offset, out))
		return 0;
	return find(mm, what, what->length, out) ? 0 : -ENOMEM;
}
