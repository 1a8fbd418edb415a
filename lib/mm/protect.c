// SPDX-License-Identifier: MIT
/*
 * mprotect on VMAs.
 *
 * It is partial where Linux is: what lies before a hole, before a range that may not have the protection, or before one
 * that would make too many VMAs, is changed. What it may need (two VMAs and the tree nodes for them) is allocated
 * first.
 *
 * Locked memory that becomes the mapping's own to write is copied at once, for it may not fault later; that is done
 * when the rest is, without the lock, and tells nobody if it fails.
 *
 * I1  when it fails for want of memory of the kernel's own, nothing has changed
 * I2  an entry never allows more than its VMA: what is reduced is invalidated before the call returns
 *
 * Locking: the map lock exclusive. Linux: mm/mprotect.c. Not modelled: protection keys.
 */
#include "mm/vma.h"

#include <errno.h>

struct protect {
	const struct vma *vma;
	bool reduced; /* some entry allows less than it did */
};

static void protect_entry(const struct pgtable *pt, pte_t *entry, struct protect *protect)
{
	pte_t was = pte_read(entry);

	while (pte_present(was)) {
		unsigned old = pte_flags(pt->format, was);
		/* A private page becomes writable by a fault, which knows whether it is the mapping's own. */
		unsigned now = vma_pte_flags(protect->vma, old & PTE_WRITE) | (old & (PTE_ACCESSED | PTE_DIRTY));

		if (now == old)
			break;
		protect->reduced |= (old & ~now) != 0;
		if (pte_compare_exchange(entry, was, pte_with_flags(pt->format, was, now)))
			break;
		was = pte_read(entry);
	}
}

static int protect_leaf(struct ctx *ctx, struct pgtable *pt, struct pt_slot first, ksim_addr addr, size_t n, void *arg)
{
	(void)addr;
	pt_lock(ctx, &first);
	for (size_t i = 0; i < n; i++)
		protect_entry(pt, &first.entry[i], arg);
	pt_unlock(ctx, &first);
	return 0;
}

static int protect_huge(struct ctx *ctx, struct pgtable *pt, struct pt_slot slot, ksim_addr addr, size_t n, void *arg)
{
	bool split = !pte_present(pt_lock_huge(ctx, pt, &slot));

	if (!split)
		protect_entry(pt, slot.entry, arg);
	pt_unlock(ctx, &slot);
	return split ? pt_for_each_leaf(ctx, pt, addr, addr + n * PAGE_BYTES, protect_leaf, arg) : 0;
}

static const struct pt_visitor protector = { .leaf = protect_leaf, .huge = protect_huge };

/* What the VMA's flags are with that protection. */
static uint32_t flags_with(const struct vma *vma, uint8_t prot)
{
	if (prot & PROT_W)
		return vma->prot & PROT_W ? vma->flags
		                          : vma->flags | account_flag(prot, vma->shared, vma->noreserve, vma->flags);
	return vma->object == NULL && vma->anon == 0 ? vma->flags & ~(uint32_t)VMA_ACCOUNT : vma->flags;
}

/* Change one VMA, which lies wholly in the range. */
static void protect_vma(struct ctx *ctx, struct vma *vma, uint8_t prot)
{
	struct protect protect = { .vma = vma };

	vma_set_flags(vma, flags_with(vma, prot));
	vma_set_prot(vma, prot);
	pt_visit(ctx, &vma->mm->pt, vma->start, vma->end, &protector, &protect);
	if (protect.reduced)
		mm_invalidate(ctx, vma->mm, vma->start, vma->end, false);
	mm_filled(ctx, vma->mm, vma->start, vma->end);
}

/* VMAs that changing [addr, end) may cut: one that begins below, one that ends above. */
static unsigned cuts(const struct mm *mm, ksim_addr addr, ksim_addr end)
{
	const struct vma *first = ranges_find(&mm->vmas, addr);
	const struct vma *last = ranges_find(&mm->vmas, end);

	return (first != NULL && first->start < addr) + (last != NULL && last->start < end);
}

/* Make the VMA's part within [addr, end) a VMA of its own. 0; -ENOMEM, if there would be too many; -EINVAL */
static int isolate(struct ctx *ctx, struct vma **vma, ksim_addr addr, ksim_addr end, uint8_t prot, struct vma **spare)
{
	unsigned more = vma_more(*vma, addr, end, prot, flags_with(*vma, prot));
	struct vma *low = *vma;

	if (unlikely(vma_is_cut_badly(low, addr) || (end < low->end && vma_is_cut_badly(low, end))))
		return -EINVAL;
	if (more > 0 && low->mm->vmas.count + more > mm_vmas_max(low->mm))
		return -ENOMEM;
	if (low->start < addr) {
		*vma = vma_chain_take(spare);
		vma_split(ctx, low, addr, *vma);
	}
	if (end < (*vma)->end)
		vma_split(ctx, *vma, end, vma_chain_take(spare));
	return 0;
}

/* Limits, for a VMA of which so much becomes data. */
static bool is_affordable(const struct ctx *ctx, const struct vma *vma, uint8_t prot, uint64_t pages)
{
	const struct mm *mm = vma->mm;
	bool is = counts_as_data(prot, vma->shared, vma->flags);
	bool was = counts_as_data(vma->prot, vma->shared, vma->flags);

	if (!(prot & PROT_W))
		return true;
	if (!mm_may_expand(ctx, mm, is, (int64_t)pages) && mm_may_expand(ctx, mm, was, (int64_t)pages))
		return false;
	return vma->prot & PROT_W || vma->flags & (VMA_ACCOUNT | VMA_HUGETLB) ||
	       !mm_overcommits(mm, prot, vma->shared, vma->noreserve, pages);
}

/* Ranges of locked memory that was only read until now; those beyond the last one that fits become one with it. */
struct to_copy {
	unsigned n;
	struct {
		ksim_addr start, end;
	} range[8];
};

static void add_to_copy(struct to_copy *c, const struct vma *vma, ksim_addr start, ksim_addr end, uint8_t prot)
{
	const bool locked = (vma->flags & (VMA_LOCKED | VMA_LOCK_ON_FAULT)) == VMA_LOCKED;

	if (!locked || vma->shared || vma->prot & PROT_W || !(prot & PROT_W))
		return;
	if (c->n > 0 && (c->range[c->n - 1].end == start || c->n == ARRAY_SIZE(c->range)))
		c->n--;
	else
		c->range[c->n].start = start;
	c->range[c->n++].end = end;
}

/* From addr to the end of the VMA there, or to `end`. @return how far it went, through *addr */
static int protect_next(struct ctx *ctx, struct mm *mm, ksim_addr *addr, ksim_addr end, uint8_t prot,
                        struct vma **spare, struct to_copy *copy)
{
	struct vma *vma = ranges_find(&mm->vmas, *addr);
	ksim_addr stop;
	int err;

	if (vma == NULL)
		return -ENOMEM;
	if (prot & ~vma->max_prot)
		return -EACCES;
	stop = MIN(vma->end, end);
	if (vma->prot != prot) {
		if (!is_affordable(ctx, vma, prot, (stop - *addr) >> PAGE_SHIFT))
			return -ENOMEM;
		err = isolate(ctx, &vma, *addr, end, prot, spare);
		if (err < 0)
			return err;
		add_to_copy(copy, vma, *addr, stop, prot);
		protect_vma(ctx, vma, prot);
		vma_merge(ctx, vma);
	}
	*addr = stop;
	return 0;
}

static int protect_range(struct ctx *ctx, struct mm *mm, ksim_addr addr, ksim_addr end, uint8_t prot,
                         struct to_copy *copy)
{
	unsigned n = cuts(mm, addr, end);
	struct vma *spare = NULL;
	int err = -ENOMEM;

	for (unsigned i = 0; i < n; i++) {
		struct vma *vma = vma_alloc(ctx, mm);

		if (vma == NULL)
			goto out;
		vma->chain = spare;
		spare = vma;
	}
	if (n > 0 && vma_reserve(ctx, mm, n) < 0)
		goto out;
	err = 0;
	while (err == 0 && addr < end)
		err = protect_next(ctx, mm, &addr, end, prot, &spare, copy);
	vma_unreserve(ctx, mm);
	mm_check_slow(ctx, mm);
out:
	while (spare != NULL)
		vma_free(ctx, vma_chain_take(&spare));
	return err;
}

/* From where to where, if it is to begin or end with the VMA. 0; -ENOMEM (there is none), -EINVAL (it does not grow) */
static int whole_stack(const struct mm *mm, ksim_addr *addr, ksim_addr end, unsigned prot)
{
	const struct vma *vma = ranges_at_or_above(&mm->vmas, *addr);

	if (vma == NULL || vma->start >= end)
		return -ENOMEM;
	if (prot & PROT_TO_STACK_END)
		return vma->start > *addr ? -ENOMEM : -EINVAL; /* no architecture here has stacks that grow up */
	*addr = vma->start;
	return vma->flags & VMA_GROWSDOWN ? 0 : -EINVAL;
}

int mm_protect(struct ctx *ctx, struct mm *mm, ksim_addr addr, uint64_t length, unsigned prot)
{
	struct to_copy copy = { .n = 0 };
	ksim_addr end = addr + length;
	int err = 0;

	if (length > PT_SPAN || addr > PT_SPAN - length)
		return -ENOMEM;
	rwlock_write(ctx, &mm->map);
	if (unlikely(prot & (PROT_FROM_STACK_START | PROT_TO_STACK_END)))
		err = whole_stack(mm, &addr, end, prot);
	if (err == 0)
		err = protect_range(ctx, mm, addr, end, (uint8_t)prot, &copy);
	rwlock_write_unlock(ctx, &mm->map);
	for (unsigned i = 0; i < copy.n; i++)
		mm_populate_range(ctx, mm, copy.range[i].start, copy.range[i].end - copy.range[i].start,
		                  POPULATE_GOES_ON);
	return err;
}
