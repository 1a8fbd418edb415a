// SPDX-License-Identifier: MIT
/*
 * mmap, munmap and mprotect on VMAs.
 *
 * Each call first checks and allocates what it may need (at most two VMAs and the tree nodes for them), and
 * then changes things by steps that cannot fail. mprotect is partial where Linux is: what lies before a hole
 * or before a range that may not have the protection is changed.
 *
 * A range is emptied before it is taken out of the tree: the map lock keeps faults from filling it again, and a
 * truncation that ends in between has still found whatever was left of its pages.
 *
 * I1  when a call fails for want of memory, nothing has changed
 * I2  a new mapping that may write is in object->writers before anyone can see it
 *
 * Locking: the map lock exclusive. Linux: mm/mmap.c, mm/vma.c, mm/mprotect.c. Not modelled: RLIMIT_AS, and
 * overcommit beyond the heuristic mode's test of one mapping against all of RAM.
 */
#include "mm/vma.h"

#include <errno.h>

/* ---- cutting a range out ---- */

static struct vma *take(struct vma **chain)
{
	struct vma *vma = *chain;

	KSIM_ASSERT(NULL, vma != NULL, "a cut has the VMAs it needs", "none is left");
	*chain = vma->chain;
	vma->chain = NULL;
	return vma;
}

/* Whether [start, end) lies strictly inside one VMA, so that taking it out leaves two. */
static bool cuts_a_hole(const struct mm *mm, ksim_addr start, ksim_addr end)
{
	const struct vma *vma = ranges_find(&mm->vmas, start);

	return vma != NULL && vma->start < start && end < vma->end;
}

/*
 * Empty the range and take it out of the tree. spare is used up (set to NULL) if a hole is cut.
 * @return the VMAs that lay wholly in it, for release_all
 */
static struct vma *cut(struct ctx *ctx, struct mm *mm, ksim_addr start, ksim_addr end, struct vma **spare)
{
	struct vma *dead = NULL;
	struct vma *vma;

	mm_zap(ctx, mm, start, end);
	while ((vma = ranges_at_or_above(&mm->vmas, start)) != NULL && vma->start < end) {
		if (vma->start < start && end < vma->end) {
			vma_split(ctx, vma, end, *spare);
			*spare = NULL;
		}
		if (vma->start < start) {
			vma_resize(ctx, vma, vma->start, start);
		} else if (end < vma->end) {
			vma_resize(ctx, vma, end, vma->end);
		} else {
			vma_unlink(ctx, vma);
			vma->chain = dead;
			dead = vma;
		}
	}
	return dead;
}

static void release_all(struct ctx *ctx, struct vma *dead)
{
	while (dead != NULL)
		vma_release(ctx, take(&dead));
}

int mm_unmap(struct ctx *ctx, struct mm *mm, ksim_addr addr, uint64_t length)
{
	ksim_addr end = addr + length;
	struct vma *spare = NULL;
	struct vma *dead = NULL;
	int err = 0;

	if (length > PT_SPAN || addr > PT_SPAN - length)
		return -EINVAL;
	rwlock_write(ctx, &mm->map);
	if (cuts_a_hole(mm, addr, end)) {
		if (mm->vmas.count >= mm_vmas_max(mm) || (spare = vma_alloc(ctx, mm)) == NULL ||
		    vma_reserve(ctx, mm, 1) < 0) {
			err = -ENOMEM;
			goto out;
		}
	}
	dead = cut(ctx, mm, addr, end, &spare);
	mm_free_nodes(ctx, mm, addr, end);
	vma_unreserve(ctx, mm);
	mm_check_slow(ctx, mm);
out:
	rwlock_write_unlock(ctx, &mm->map);
	release_all(ctx, dead);
	vma_free(ctx, spare);
	return err;
}

/* ---- mmap ---- */

static bool range_is_free(const struct mm *mm, ksim_addr start, uint64_t length)
{
	const struct vma *vma = ranges_at_or_above(&mm->vmas, start);

	return vma == NULL || vma->start >= start + length;
}

static bool is_exact(const struct mm_map *what)
{
	return what->fixed || what->noreplace;
}

/* Where a mapping goes. Exact addresses have been checked against the bounds. */
static int place(const struct mm *mm, const struct mm_map *what, ksim_addr *out)
{
	ksim_addr hint = what->addr;

	if (is_exact(what)) {
		*out = what->addr;
		return what->noreplace && !range_is_free(mm, what->addr, what->length) ? -EEXIST : 0;
	}
	if (hint != 0) {
		if (hint < mm->bounds.min)
			hint = mm->bounds.min;
		if (hint <= mm->bounds.max - what->length && range_is_free(mm, hint, what->length)) {
			*out = hint;
			return 0;
		}
	}
	if (ranges_gap_top_down(&mm->vmas, mm->bounds.min, mm->bounds.top, what->length, out))
		return 0;
	/* Linux then looks above as well, where only hints and fixed addresses have gone so far. */
	return ranges_gap_bottom_up(&mm->vmas, mm->bounds.top, mm->bounds.max, what->length, out) ? 0 : -ENOMEM;
}

/* Whether RAM must be able to hold it: memory that no file accounts for. */
static bool is_charged(const struct mm_map *what)
{
	return !what->noreserve && (what->shared ? what->backing == NULL : (what->prot & PROT_W) != 0);
}

static int check_bounds(const struct ctx *ctx, const struct mm *mm, const struct mm_map *what)
{
	const struct mm_bounds *bounds = &mm->bounds;

	KSIM_ASSERT(ctx, what->length > 0 && ((what->addr | what->length) & ~PAGE_MASK) == 0,
	            "a mapping is of whole pages", "%#lx, %#lx bytes", what->addr, what->length);
	KSIM_ASSERT(ctx, (what->prot & ~what->max_prot) == 0 && (!what->shared || what->object != NULL),
	            "a mapping allows what it may, and shares what is there", "prot %#x, max_prot %#x", what->prot,
	            what->max_prot);
	if (what->length > bounds->max - bounds->min)
		return -ENOMEM;
	if (is_exact(what) && what->addr < MM_MIN)
		return -EPERM;
	if (is_exact(what) && (what->addr < bounds->min || what->addr > bounds->max - what->length))
		return -ENOMEM;
	if (is_charged(what) && what->length >> PAGE_SHIFT > phys_total_frames(ctx->env->phys))
		return -ENOMEM;
	return 0;
}

static void fill(struct vma *vma, const struct mm_map *what, ksim_addr start, uint8_t max_prot)
{
	vma->start = start;
	vma->end = start + what->length;
	vma->prot = what->prot;
	vma->max_prot = max_prot;
	vma->shared = what->shared;
	vma->noreserve = what->noreserve;
	vma->flags = what->flags;
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

int mm_map(struct ctx *ctx, struct mm *mm, const struct mm_map *what, ksim_addr *out)
{
	struct vma *vma = NULL, *spare = NULL, *dead = NULL;
	uint8_t max_prot;
	ksim_addr start;
	bool hole;
	int err = check_bounds(ctx, mm, what);

	if (err < 0)
		return err;
	err = become_writer(what, &max_prot);
	if (err < 0)
		return err;
	rwlock_write(ctx, &mm->map);
	err = place(mm, what, &start);
	if (err < 0)
		goto undo;
	err = -ENOMEM;
	hole = is_exact(what) && cuts_a_hole(mm, start, start + what->length);
	if (mm->vmas.count + hole >= mm_vmas_max(mm))
		goto undo;
	if (hole && (spare = vma_alloc(ctx, mm)) == NULL)
		goto undo;
	if ((vma = vma_alloc(ctx, mm)) == NULL || vma_reserve(ctx, mm, 2) < 0)
		goto undo;
	if (is_exact(what))
		dead = cut(ctx, mm, start, start + what->length, &spare);
	fill(vma, what, start, max_prot);
	vma_link(ctx, vma);
	vma_merge(ctx, vma);
	vma_unreserve(ctx, mm);
	mm_check_slow(ctx, mm);
	rwlock_write_unlock(ctx, &mm->map);
	release_all(ctx, dead);
	if (mm->eager && what->object != NULL)
		mm_populate(ctx, mm, start, start + what->length);
	*out = start;
	return 0;

undo:
	rwlock_write_unlock(ctx, &mm->map);
	vma_free(ctx, vma);
	vma_free(ctx, spare);
	if (what->object != NULL && what->shared && (max_prot & PROT_W))
		object_writer_put(what->object);
	return err;
}

/* ---- mprotect ---- */

struct protect {
	const struct vma *vma;
	bool reduced; /* some entry allows less than it did */
};

static int protect_leaf(struct ctx *ctx, struct pgtable *pt, struct pt_slot first, ksim_addr addr, size_t n, void *arg)
{
	struct protect *protect = arg;

	(void)addr;
	pt_lock(ctx, &first);
	for (size_t i = 0; i < n; i++) {
		pte_t was = pte_read(&first.entry[i]);

		while (pte_present(was)) {
			unsigned old = pte_flags(pt->format, was);
			/* A private page becomes writable by a fault, which knows whether it is the mapping's own. */
			unsigned now =
				vma_pte_flags(protect->vma, old & PTE_WRITE) | (old & (PTE_ACCESSED | PTE_DIRTY));

			if (now == old)
				break;
			protect->reduced |= (old & ~now) != 0;
			if (pte_compare_exchange(&first.entry[i], was, pte_make(pt->format, pte_pfn(was), now)))
				break;
			was = pte_read(&first.entry[i]);
		}
	}
	pt_unlock(ctx, &first);
	return 0;
}

/* Change one VMA, which lies wholly in the range. */
static void protect_vma(struct ctx *ctx, struct vma *vma, uint8_t prot)
{
	struct protect protect = { .vma = vma };

	vma->prot = prot;
	pt_for_each_leaf(ctx, &vma->mm->pt, vma->start, vma->end, protect_leaf, &protect);
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

/* Make the VMA's part within [addr, end) a VMA of its own. 0 or -ENOMEM, if there would be too many. */
static int isolate(struct ctx *ctx, struct vma **vma, ksim_addr addr, ksim_addr end, struct vma **spare)
{
	unsigned more = ((*vma)->start < addr) + (end < (*vma)->end);
	struct vma *low = *vma;

	if (low->mm->vmas.count + more > mm_vmas_max(low->mm))
		return -ENOMEM;
	if (low->start < addr) {
		*vma = take(spare);
		vma_split(ctx, low, addr, *vma);
	}
	if (end < (*vma)->end)
		vma_split(ctx, *vma, end, take(spare));
	return 0;
}

static int protect_range(struct ctx *ctx, struct mm *mm, ksim_addr addr, ksim_addr end, uint8_t prot,
                         struct vma **spare)
{
	int err;

	while (addr < end) {
		struct vma *vma = ranges_find(&mm->vmas, addr);

		if (vma == NULL)
			return -ENOMEM;
		if (prot & ~vma->max_prot)
			return -EACCES;
		if (vma->prot == prot) {
			addr = vma->end;
			continue;
		}
		err = isolate(ctx, &vma, addr, end, spare);
		if (err < 0)
			return err;
		addr = vma->end;
		protect_vma(ctx, vma, prot);
		vma_merge(ctx, vma);
	}
	return 0;
}

int mm_protect(struct ctx *ctx, struct mm *mm, ksim_addr addr, uint64_t length, unsigned prot)
{
	struct vma *spare = NULL;
	ksim_addr end = addr + length;
	int err = -ENOMEM;
	unsigned n;

	if (length > PT_SPAN || addr > PT_SPAN - length)
		return -ENOMEM;
	rwlock_write(ctx, &mm->map);
	n = cuts(mm, addr, end);
	for (unsigned i = 0; i < n; i++) {
		struct vma *vma = vma_alloc(ctx, mm);

		if (vma == NULL)
			goto out;
		vma->chain = spare;
		spare = vma;
	}
	if (n > 0 && vma_reserve(ctx, mm, n) < 0)
		goto out;
	err = protect_range(ctx, mm, addr, end, (uint8_t)prot, &spare);
	vma_unreserve(ctx, mm);
	mm_check_slow(ctx, mm);
out:
	rwlock_write_unlock(ctx, &mm->map);
	while (spare != NULL)
		vma_free(ctx, take(&spare));
	return err;
}
