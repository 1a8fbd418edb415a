// SPDX-License-Identifier: MIT
/*
 * mremap: mappings that grow, shrink, move with their pages, or are mapped once more.
 *
 *	grow where it is     [ vma | more )                             nothing else in the way
 *	shrink               [ vma )~~~~~~~                             as munmap of the rest
 *	move                 [ vma ) - - - - - - - - -> [ fresh | more) entries go over, the rest faults in
 *	keep (DONTUNMAP)     [ vma, no pages )          [ fresh )       neighbours are not joined with it, though they could
 *	once more (size 0)   [ vma )                    [ fresh )       shared: both show the object's pages
 *
 * A move makes a VMA at the destination and puts it on its object's list first; then each leaf's entries are taken out,
 * invalidated and set at the destination, frames and their counts staying as they are; then the source is unmapped. The
 * object's lock is held from the taking of entries to their setting, so that a truncation finds each page at the one
 * place or at the other.
 *
 * A huge entry is split, and goes over as 512 small ones; but that of a huge page from the pool goes over as it is, and
 * with it what the mapping is owed. Such mappings move and shrink by whole huge pages, and do not grow.
 *
 * Nodes of the destination are made before anything is changed, so that nothing can fail in between.
 *
 * I1  when memory of the kernel's own runs out, nothing has changed, but what huge pages were to be moved to is
 *     cleared, and so is what small ones were to be moved to if there are huge ones in it
 * I2  an entry is never present at both places, and no translation of the old one is left when the new one is set
 * I3  limits are asked where Linux asks: what lay at a fixed destination may be gone by then
 *
 * Locking: map exclusive > object > leaf, one at a time > notifier list. Linux: mm/mremap.c.
 */
#include "mm/vma.h"

#include <errno.h>

enum {
	VMAS_MAX =
		6 /* the new one, a half each of the destination's, of the tail's and of the source's; two for guards */
};

struct remap {
	struct mm *mm;
	struct mm_remap what; /* as far as it has not been done */
	struct vma *vma;      /* at what.addr */
	struct vma *spares;   /* VMAS_MAX, for which the tree is reserved, too */
	struct vma *dead;     /* taken out, to be released without the lock */
	ksim_addr to;         /* where it is in the end */
	ksim_addr tail_end;   /* of what was cut off behind it, whose nodes are still there; 0: nothing */
};

static bool implies_new_address(const struct mm_remap *what)
{
	return what->fixed || what->keep;
}

static uint64_t pages_of_bytes(uint64_t bytes)
{
	return bytes >> PAGE_SHIFT;
}

/* ---- entries ---- */

struct carry {
	struct object *object; /* of the VMA, or NULL */
	uint64_t by;           /* destination - source, modulo 2^64 */
};

/* The destination's nodes for a leaf's run of the source. */
static int make_nodes(struct ctx *ctx, struct pgtable *pt, struct pt_slot first, ksim_addr addr, size_t n, void *arg)
{
	const uint64_t *by = arg;
	struct pt_slot slot;

	(void)first;
	if (pt_ensure(ctx, pt, addr + *by, &slot) < 0 ||
	    pt_ensure(ctx, pt, addr + *by + (n - 1) * PAGE_BYTES, &slot) < 0)
		return -ENOMEM;
	return 0;
}

/* Take the entries of a run out. @return whether there were any */
static bool take_entries(struct ctx *ctx, struct pt_slot *first, size_t n, pte_t *entries)
{
	bool any = false;

	pt_lock(ctx, first);
	for (size_t i = 0; i < n; i++) {
		entries[i] = PTE_NONE;
		if (pte_read(&first->entry[i]).bits == PTE_NONE.bits)
			continue;
		entries[i] = pte_exchange(&first->entry[i], PTE_NONE);
		any = true;
	}
	pt_unlock(ctx, first);
	return any;
}

static void set_entries(struct ctx *ctx, struct pgtable *pt, ksim_addr addr, size_t n, const pte_t *entries)
{
	while (n > 0) {
		size_t run = MIN(n, (PT_LEAF_SPAN - (addr & (PT_LEAF_SPAN - 1))) >> PAGE_SHIFT);
		struct pt_slot slot;
		bool found = pt_find(pt, addr, &slot);

		KSIM_ASSERT(ctx, found, "entries are moved to where nodes were made", "%#lx", addr);
		pt_lock(ctx, &slot);
		for (size_t i = 0; i < run; i++)
			if (entries[i].bits != PTE_NONE.bits)
				pte_exchange(&slot.entry[i], entries[i]);
		pt_unlock(ctx, &slot);
		addr += run << PAGE_SHIFT;
		entries += run;
		n -= run;
	}
}

static int carry_leaf(struct ctx *ctx, struct pgtable *pt, struct pt_slot first, ksim_addr addr, size_t n, void *arg)
{
	struct mm *mm = container_of(pt, struct mm, pt);
	const struct carry *carry = arg;
	pte_t entries[PT_ENTRIES];

	if (carry->object != NULL)
		mutex_lock(ctx, &carry->object->lock);
	if (take_entries(ctx, &first, n, entries)) {
		mm_invalidate(ctx, mm, addr, addr + n * PAGE_BYTES, false);
		set_entries(ctx, pt, addr + carry->by, n, entries);
	}
	if (carry->object != NULL)
		mutex_unlock(ctx, &carry->object->lock);
	return 0;
}

static int carry_huge(struct ctx *ctx, struct pgtable *pt, struct pt_slot slot, ksim_addr addr, size_t n, void *arg)
{
	struct mm *mm = container_of(pt, struct mm, pt);
	const struct carry *carry = arg;
	pfn_t node = PFN_NONE;
	pte_t pte;

	(void)n;
	mutex_lock(ctx, &carry->object->lock);
	pte = pt_lock_huge(ctx, pt, &slot);
	if (pte_present(pte))
		pte = pt_clear_huge(pt, &slot, addr, &node);
	pt_unlock(ctx, &slot);
	if (pte_present(pte)) {
		bool set;

		mm_invalidate(ctx, mm, addr, addr + PT_LEAF_SPAN, false);
		set = pt_find_second(pt, addr + carry->by, &slot);
		pt_lock(ctx, &slot);
		set = set && pt_set_huge(pt, &slot, addr + carry->by, pte, &node);
		pt_unlock(ctx, &slot);
		KSIM_ASSERT(ctx, set, "huge entries are moved to where nothing is", "%#lx", addr + carry->by);
	}
	mutex_unlock(ctx, &carry->object->lock);
	return 0;
}

static const struct pt_visitor huge_carrier = { .leaf = carry_leaf, .huge = carry_huge };

/* ---- the parts of a call; map lock exclusive ---- */

static bool is_huge(const struct remap *r)
{
	return r->vma->flags & VMA_HUGETLB;
}

/* Huge pages are moved whole. 0 or -EINVAL */
static int round_to_huge_pages(struct mm_remap *what)
{
	const uint64_t rest = PT_LEAF_SPAN - 1;

	what->old_length = (what->old_length + rest) & ~rest;
	what->length = (what->length + rest) & ~rest;
	if (what->addr & rest || (implies_new_address(what) && what->to & rest) || what->keep)
		return -EINVAL;
	return what->length > what->old_length ? -EINVAL : 0;
}

/* What grows or moves must be one VMA's, and within the limits. */
static int check_vma(struct ctx *ctx, struct remap *r)
{
	const struct mm_remap *what = &r->what;
	const struct vma *vma = r->vma;
	uint64_t more;

	if (vma == NULL)
		return -EFAULT;
	if (unlikely(is_huge(r)) && round_to_huge_pages(&r->what) < 0)
		return -EINVAL;
	more = what->length - what->old_length;
	if (what->length <= what->old_length && !implies_new_address(what))
		return 0;
	if (what->old_length == 0 && !vma->shared)
		return -EINVAL;
	if (what->keep && vma->object != NULL && !ctx->env->profile.mremap_keeps_files)
		return -EINVAL;
	if (MIN(what->old_length, what->length) > vma->end - what->addr)
		return -EFAULT;
	if (what->length <= what->old_length)
		return 0;
	/* Linux's indices wrap 4096 times as far, which takes a program a hundred thousand calls in a row. */
	if (vma->object != NULL && vma_pgidx(vma, what->addr) + pages_of_bytes(what->length) > OBJECT_PGIDX_MAX + 1)
		return -EINVAL;
	if (vma->flags & VMA_LOCKED && !mm_lock_fits(ctx, r->mm, vma->flags, pages_of_bytes(more)))
		return -EAGAIN;
	if (!mm_may_expand(ctx, r->mm, counts_as_data(vma->prot, vma->shared, vma->flags),
	                   (int64_t)pages_of_bytes(more)))
		return -ENOMEM;
	return 0;
}

static int make_spares(struct ctx *ctx, struct remap *r)
{
	for (unsigned i = 0; i < VMAS_MAX; i++) {
		struct vma *vma = vma_alloc(ctx, r->mm);

		if (vma == NULL)
			return -ENOMEM;
		vma->chain = r->spares;
		r->spares = vma;
	}
	return vma_reserve(ctx, r->mm, VMAS_MAX);
}

static int make_destination_nodes(struct ctx *ctx, struct remap *r, ksim_addr to)
{
	uint64_t bytes = MIN(r->what.old_length, r->what.length);
	uint64_t by = to - r->what.addr;
	struct pt_slot slot;
	int err = 0;

	for (uint64_t at = 0; is_huge(r) && err == 0 && at < bytes; at += PT_LEAF_SPAN)
		err = pt_ensure_second(ctx, &r->mm->pt, to + at, &slot);
	if (is_huge(r))
		return err;
	return pt_for_each_leaf(ctx, &r->mm->pt, r->what.addr, r->what.addr + bytes, make_nodes, &by);
}

/* As munmap, with the VMA that this call has at hand. */
static void cut(struct ctx *ctx, struct remap *r, ksim_addr start, ksim_addr end, bool moved)
{
	struct vma *spare = vma_chain_take(&r->spares);

	(moved ? mm_cut_moved : mm_cut)(ctx, r->mm, start, end, &spare, &r->dead);
	if (spare != NULL) {
		spare->chain = r->spares;
		r->spares = spare;
	}
}

/* Make the VMA at the destination. */
static struct vma *add_fresh(struct ctx *ctx, struct remap *r)
{
	struct vma *fresh = vma_chain_take(&r->spares);
	uint64_t pgidx = vma_pgidx(r->vma, r->what.addr);

	vma_copy_content(fresh, r->vma);
	fresh->origin.call = r->vma->origin.call;
	fresh->origin.epoch = r->vma->origin.epoch;
	fresh->start = r->to;
	fresh->end = r->to + r->what.length;
	fresh->pgidx = fresh->object != NULL || fresh->anon != 0 ? pgidx : fresh->start >> PAGE_SHIFT;
	vma_link(ctx, fresh);
	return fresh;
}

/* What was moved from there stays a mapping, without pages and unlocked. It may be one with what they were moved to. */
static void keep_source(struct remap *r, ksim_addr from, ksim_addr end)
{
	struct vma *vma = ranges_find(&r->mm->vmas, from);

	vma_set_flags(vma, vma->flags & ~(uint32_t)(VMA_LOCKED | VMA_LOCK_ON_FAULT));
	if (vma->start == from && vma->end == end)
		vma_anon_forget(vma);
}

/* Move to r->to, where nothing is mapped and nodes are. What is left of old_length lies in one VMA. */
static void move(struct ctx *ctx, struct remap *r)
{
	ksim_addr from = r->what.addr, end = from + r->what.old_length;
	struct carry carry = { .object = r->vma->object, .by = r->to - from };

	r->vma = vma_merge(ctx, add_fresh(ctx, r));
	if (r->what.old_length > 0) {
		if (unlikely(is_huge(r)))
			pt_visit(ctx, &r->mm->pt, from, end, &huge_carrier, &carry);
		else
			pt_for_each_leaf(ctx, &r->mm->pt, from, end, carry_leaf, &carry);
		if (r->what.keep) {
			keep_source(r, from, end);
		} else {
			cut(ctx, r, from, end, true);
			mm_free_nodes(ctx, r->mm, from, MAX(end, r->tail_end));
		}
	}
	mm_filled(ctx, r->mm, r->to, r->to + r->what.length);
}

/* Whether there can be so many VMAs as a move makes for a moment; by the same reserve as Linux's. */
static bool has_vmas_left(const struct mm *mm, unsigned more)
{
	return mm->vmas.count + more + 3 < mm_vmas_max(mm);
}

/* Where it goes if that is not fixed. 0, -ENOMEM */
static int find_place(struct remap *r, ksim_addr hint)
{
	struct mm_map like = {
		.addr = hint,
		.length = r->what.length,
		.shared = r->vma->shared,
		.pgidx = vma_pgidx(r->vma, r->what.addr),
		.object = r->vma->object,
	};

	return mm_place(r->mm, &like, &r->to);
}

static bool overcommits(const struct remap *r, uint64_t bytes)
{
	const struct vma *vma = r->vma;

	return mm_overcommits(r->mm, vma->prot, vma->shared, vma->noreserve, pages_of_bytes(bytes));
}

/* Whether there are huge pages from the pool in the range. */
static bool has_huge(const struct mm *mm, ksim_addr start, ksim_addr end)
{
	const struct vma *vma = ranges_at_or_above(&mm->vmas, start);

	while (vma != NULL && vma->start < end && !(vma->flags & VMA_HUGETLB))
		vma = ranges_at_or_above(&mm->vmas, vma->end);
	return vma != NULL && vma->start < end;
}

/* Clear the destination, and what is to shrink. 0; -EFAULT, -ENOMEM, -EINVAL (it is cleared then, as on Linux) */
static int clear_destination(struct ctx *ctx, struct remap *r)
{
	struct mm_remap *what = &r->what;
	/* A huge entry stands where a leaf node would, and is not split: nodes come when the destination is clear. */
	bool huge = is_huge(r) || has_huge(r->mm, what->to, what->to + what->length);
	int err = mm_check_cut(r->mm, what->to, what->to + what->length);

	if (err == 0 && what->old_length > what->length && what->old_length <= MM_MAX - what->addr)
		err = mm_check_cut(r->mm, what->addr + what->length, what->addr + what->old_length);
	if (err == 0 && !huge)
		err = make_destination_nodes(ctx, r, what->to);
	if (err < 0)
		return err;
	cut(ctx, r, what->to, what->to + what->length, false);
	r->vma = ranges_find(&r->mm->vmas, what->addr);
	if (r->vma == NULL)
		return -EFAULT;
	if (what->old_length > what->length) {
		if (what->old_length > MM_MAX - what->addr)
			return -EINVAL;
		/* Its nodes may be the destination's, too: they go when that is mapped. */
		r->tail_end = what->addr + what->old_length;
		cut(ctx, r, what->addr + what->length, r->tail_end, false);
		what->old_length = what->length;
	}
	r->to = what->to;
	if (likely(!huge))
		return 0;
	mm_free_nodes(ctx, r->mm, r->to, r->to + what->length);
	return make_destination_nodes(ctx, r, r->to);
}

/* Whether the limits allow a range to be kept that has moved. */
static bool can_keep(const struct ctx *ctx, const struct remap *r)
{
	const struct vma *vma = r->vma;

	return !r->what.keep || mm_may_expand(ctx, r->mm, counts_as_data(vma->prot, vma->shared, vma->flags),
	                                      (int64_t)pages_of_bytes(r->what.length));
}

/* After a failure: of what has been cleared, or was to be moved to. */
static void free_unused_nodes(struct ctx *ctx, struct remap *r)
{
	const struct mm_remap *what = &r->what;
	ksim_addr to = what->fixed ? what->to : r->to;

	if (mm_is_free(r->mm, to, to + what->length))
		mm_free_nodes(ctx, r->mm, to, to + what->length);
	if (r->tail_end != 0)
		mm_free_nodes(ctx, r->mm, what->addr + what->length, r->tail_end);
}

/* MREMAP_FIXED and MREMAP_DONTUNMAP. */
static int remap_to(struct ctx *ctx, struct remap *r)
{
	const struct mm_remap *what = &r->what;
	int err;

	if (what->fixed) {
		if (what->to < r->mm->bounds.min)
			return what->to < MM_MIN ? -EPERM : -ENOMEM;
		if (what->to > r->mm->bounds.max - what->length)
			return -ENOMEM;
	}
	err = make_spares(ctx, r);
	if (err == 0 && what->fixed)
		err = clear_destination(ctx, r);
	if (err == 0 && (!can_keep(ctx, r) || !has_vmas_left(r->mm, 0) ||
	                 overcommits(r, what->keep ? what->length : what->length - what->old_length)))
		err = -ENOMEM;
	if (err == 0 && !what->fixed)
		err = find_place(r, what->to);
	if (err == 0 && !what->fixed)
		err = make_destination_nodes(ctx, r, r->to);
	if (err == 0)
		move(ctx, r);
	else
		free_unused_nodes(ctx, r);
	return err;
}

static int expand(struct ctx *ctx, struct remap *r)
{
	const struct mm_remap *what = &r->what;
	ksim_addr end = what->addr + what->length;
	struct vma *vma = r->vma;
	int err;

	if (what->old_length == vma->end - what->addr && end <= r->mm->bounds.max && end > what->addr &&
	    mm_is_free(r->mm, vma->end, end)) {
		if (overcommits(r, end - vma->end))
			return -ENOMEM;
		vma_resize(ctx, vma, vma->start, end);
		vma_merge(ctx, vma);
		return 0;
	}
	if (!what->may_move)
		return -ENOMEM;
	err = find_place(r, 0);
	if (err == 0 && (!has_vmas_left(r->mm, 0) || overcommits(r, what->length - what->old_length)))
		err = -ENOMEM;
	if (err == 0)
		err = make_spares(ctx, r);
	if (err == 0)
		err = make_destination_nodes(ctx, r, r->to);
	if (err == 0)
		move(ctx, r);
	else
		free_unused_nodes(ctx, r);
	return err;
}

static int shrink(struct ctx *ctx, struct remap *r)
{
	ksim_addr start = r->what.addr + r->what.length;
	uint64_t length = r->what.old_length - r->what.length;

	if (length > MM_MAX || start > MM_MAX - length)
		return -EINVAL;
	return mm_unmap_locked(ctx, r->mm, start, start + length, &r->dead);
}

/* One VMA. On success r->to is where it is. */
static int remap_one(struct ctx *ctx, struct remap *r)
{
	int err = check_vma(ctx, r);

	if (err < 0)
		return err;
	r->to = r->what.addr;
	if (implies_new_address(&r->what))
		err = remap_to(ctx, r);
	else if (r->what.length > r->what.old_length)
		err = expand(ctx, r);
	else if (r->what.length < r->what.old_length)
		err = shrink(ctx, r);
	while (r->spares != NULL)
		vma_free(ctx, vma_chain_take(&r->spares));
	vma_unreserve(ctx, r->mm);
	return err;
}

/*
 * A move to a fixed place without a change of size takes all VMAs of the range, with the gaps between them. Those
 * before the one that fails have been moved. 0; -EFAULT (a hole at the start), and what remap_one says
 */
static int remap_all(struct ctx *ctx, struct remap *r)
{
	const struct mm_remap what = r->what;
	ksim_addr at = what.addr, end = what.addr + what.old_length;
	int err = -EFAULT;

	while (at < end && (r->vma = ranges_at_or_above(&r->mm->vmas, at)) != NULL && r->vma->start < end) {
		ksim_addr start = MAX(r->vma->start, at), stop = MIN(r->vma->end, end);

		if (at == what.addr && start > at)
			return -EFAULT;
		r->what.addr = start;
		r->what.to = what.to + (start - what.addr);
		r->what.old_length = r->what.length = stop - start;
		err = remap_one(ctx, r);
		if (err < 0)
			return err;
		at = stop;
	}
	r->to = what.to;
	return err;
}

static bool overlap(const struct mm_remap *what)
{
	return what->addr < what->to + what->length && what->to < what->addr + what->old_length;
}

/* What needs the map but no VMA. */
static int check_new_address(const struct mm *mm, const struct mm_remap *what)
{
	if (!implies_new_address(what))
		return 0;
	if (overlap(what))
		return -EINVAL;
	/* Two more, should both the source and the destination be cut out of the middle of one. */
	return has_vmas_left(mm, 2) ? 0 : -ENOMEM;
}

/* For what has grown and can be seen. */
static void bring_in(struct ctx *ctx, struct mm *mm, ksim_addr start, ksim_addr end, bool locked)
{
	if (mm->eager)
		mm_populate(ctx, mm, start, end);
	if (unlikely(locked))
		mm_populate_range(ctx, mm, start, end - start, POPULATE_GOES_ON);
}

int mm_remap(struct ctx *ctx, struct mm *mm, const struct mm_remap *what, ksim_addr *out)
{
	struct remap r = { .mm = mm, .what = *what };
	bool locked = false;
	int err;

	rwlock_write(ctx, &mm->map);
	err = check_new_address(mm, what);
	if (err == 0) {
		r.vma = what->addr < PT_SPAN ? ranges_find(&mm->vmas, what->addr) : NULL;
		locked = r.vma != NULL && r.vma->flags & VMA_LOCKED;
		if (what->fixed && what->old_length == what->length && ctx->env->profile.mremap_moves_many)
			err = remap_all(ctx, &r);
		else
			err = remap_one(ctx, &r);
		mm_check_slow(ctx, mm);
	}
	rwlock_write_unlock(ctx, &mm->map);
	vma_release_all(ctx, r.dead);
	if (err < 0)
		return err;
	if (what->length > what->old_length)
		bring_in(ctx, mm, r.to + what->old_length, r.to + what->length, locked);
	*out = r.to;
	return 0;
}
