// SPDX-License-Identifier: MIT
/*
 * Mappings of huge pages by name (MAP_HUGETLB): nothing in them is ever smaller than 2 MiB.
 *
 * Every entry is a huge one, every address where something begins or ends is a multiple of 2 MiB, and pages come from
 * the pool (phys, pool.c), which may have none left:
 *
 *	                     the object has the page        it has none
 *	shared               mapped                         made there: SIGBUS if it cannot be
 *	private, read        mapped, read-only              the mapping's own, zeros: SIGBUS if there is none
 *	private, write       copied: SIGBUS ...             the mapping's own, zeros: SIGBUS ...
 *
 * So a private mapping never puts a page into the object, and once it has one of its own does not see what comes there
 * later. A private anonymous mapping has an object, too, in which nothing ever is: through it those who inherit the
 * mapping find each other.
 *
 * Who made a private mapping was promised its pages, and a child of fork has to get along with what is left. If the
 * maker writes to a page that it shares with children, and there is none for the copy, the page is taken from them
 * (rob), and what they touch of their mapping from then on and do not have is SIGBUS.
 *
 * What lies beyond the end of the file, if only in part, cannot be made; but what fallocate has put there can be
 * mapped.
 *
 * A shared mapping is promised its pages by the object (hugefile.c), a private one by itself (promise.c).
 *
 * I1  a VMA of huge pages begins, ends, and is cut at multiples of 2 MiB; its page index is such a multiple
 * I2  no table of 4 KiB entries stands below a VMA of huge pages
 * I3  of those who share an object one at a time takes pages from the pool for it (hugefile I3)
 *
 * Locking: map shared > the object's making lock > object > the lock of huge entries.
 * Linux: mm/hugetlb.c (hugetlb_no_page, hugetlb_wp, unmap_ref_private). Not modelled: page tables shared by processes,
 * which nobody sees; poisoned pages; userfaultfd.
 */
#include "mm/vma.h"

#include <errno.h>

#include "object/hugefile.h"
#include "phys/pool.h"

struct touch {
	const struct vma *vma;
	ksim_addr addr; /* of the page */
	enum access access;
	uint64_t seq; /* of the object, from before its size was read */
	struct huge_fault *done;
};

static uint64_t page_of(const struct vma *vma, ksim_addr addr)
{
	return vma_pgidx(vma, addr) >> HUGE_ORDER;
}

/* ---- pages of a mapping's own ---- */

/* A page for the mapping alone. *promised: it was owed to it. 0 or -EFAULT (SIGBUS) */
static int take(struct ctx *ctx, const struct touch *t, unsigned flags, bool *promised, pfn_t *head)
{
	*promised = promise_cash(t->vma->promise, page_of(t->vma, t->addr));
	return pool_take(ctx, FRAME_ANON, flags, *promised, head) < 0 ? -EFAULT : 0;
}

static void untake(struct ctx *ctx, const struct touch *t, pfn_t head, bool promised)
{
	pool_untake(ctx, head, promised);
	if (promised)
		promise_restore(t->vma->promise, page_of(t->vma, t->addr));
}

static int fault_own(struct ctx *ctx, const struct touch *t)
{
	bool promised;
	pfn_t head;
	int err;

	if (__atomic_load_n(&t->vma->robbed, __ATOMIC_ACQUIRE))
		return -EFAULT;
	err = take(ctx, t, FRAME_ZERO, &promised, &head);
	if (err < 0)
		return err;
	t->done->kind = EVENT_FAULT_ANON;
	t->done->pfn = head;
	err = mm_huge_install(ctx, t->vma, t->addr, head, true, t->seq);
	if (err != 0)
		untake(ctx, t, head, promised);
	return err == HUGE_NOT ? -ENOMEM : err;
}

/* Nothing is mapped there. */
static int fault_absent(struct ctx *ctx, const struct touch *t)
{
	struct object *object = t->vma->object;
	uint64_t first = vma_pgidx(t->vma, t->addr);
	pfn_t head = object_block(ctx, object, first, false);
	int err;

	if (head.n == 0 && page_of(t->vma, t->addr) >= object_size(object) >> (PAGE_SHIFT + HUGE_ORDER))
		return -EFAULT;
	if (head.n == 0 && !t->vma->shared)
		return fault_own(ctx, t);
	if (head.n == 0) {
		err = hugefile_make_locked(ctx, object, first);
		if (err < 0)
			return err == -ENXIO ? HUGE_RETRY : err == -ENOSPC ? -EFAULT : err;
		head = object_block(ctx, object, first, false);
		if (head.n == 0)
			return HUGE_RETRY;
	}
	t->done->kind = EVENT_FAULT_FILE;
	t->done->pfn = head;
	err = mm_huge_install(ctx, t->vma, t->addr, head, false, t->seq);
	if (err != 0)
		return err == HUGE_NOT ? -ENOMEM : err;
	return t->access == ACCESS_WRITE && !t->vma->shared ? HUGE_RETRY : 0; /* for a copy of it */
}

/* ---- copies ---- */

/* The entry's page, with a reference on each frame, if the entry is still there. */
static pte_t hold(struct ctx *ctx, struct pgtable *pt, struct pt_slot *slot)
{
	pte_t was = pt_lock_huge(ctx, pt, slot);

	if (pte_present(was))
		frame_get_block(pt->phys, pte_pfn(was));
	pt_unlock(ctx, slot);
	return was;
}

/* Put the filled page in the place of the one that is mapped. HUGE_RETRY: something has changed */
static int replace(struct ctx *ctx, const struct touch *t, struct pt_slot *slot, pte_t was, pfn_t fresh)
{
	struct pgtable *pt = &t->vma->mm->pt;
	ksim_addr end = t->addr + PT_LEAF_SPAN;
	pte_t now = pt_lock_huge(ctx, pt, slot);
	const unsigned marks = PTE_ACCESSED | PTE_DIRTY;

	if (!pte_present(now) || pte_pfn(now).n != pte_pfn(was).n || !vma_object_is_at(t->vma, t->seq) ||
	    ((pte_flags(pt->format, now) ^ pte_flags(pt->format, was)) & ~marks)) {
		pt_unlock(ctx, slot);
		return HUGE_RETRY;
	}
	pte_exchange(slot->entry, PTE_NONE);
	mm_invalidate_for_copy(ctx, t->vma->mm, t->addr, end);
	frame_block_map(pt->phys, fresh);
	pte_exchange(slot->entry, pte_make_huge(pt->format, fresh, vma_pte_flags(t->vma, true)));
	mm_filled(ctx, t->vma->mm, t->addr, end);
	pt_unlock(ctx, slot);
	frame_block_unmap(ctx, pt->phys, pte_pfn(was));
	return 0;
}

/* Take the page from who inherited the mapping, and tell them not to expect another. */
static void rob(struct ctx *ctx, const struct touch *t, pfn_t head)
{
	struct object *object = t->vma->object;
	uint64_t first = vma_pgidx(t->vma, t->addr), last = first + HUGE_FRAMES - 1;
	struct itree_node *node;

	mutex_lock(ctx, &object->lock);
	for (node = itree_first(&object->mappers, first, last); node != NULL; node = itree_next(node, first, last)) {
		struct vma *vma = container_of(container_of(node, struct mapper, node), struct vma, mapper);

		if (vma == t->vma || vma->shared || vma->promise != NULL)
			continue;
		__atomic_store_n(&vma->robbed, true, __ATOMIC_RELEASE);
		mm_zap_block(ctx, vma, vma->start + ((first - vma->pgidx) << PAGE_SHIFT), head);
	}
	mutex_unlock(ctx, &object->lock);
}

/* The page is mapped, and others have it, too. */
static int fault_copy(struct ctx *ctx, const struct touch *t, struct pt_slot *slot)
{
	const struct vma *vma = t->vma;
	const struct phys *phys = vma->mm->pt.phys;
	pte_t was = hold(ctx, &vma->mm->pt, slot);
	pfn_t old = pte_pfn(was), fresh;
	bool promised = false, inherited;
	int err;

	if (!pte_present(was))
		return HUGE_RETRY;
	/* What is owed to the maker is for what it has not touched, not for what others share with it. */
	inherited = vma->promise != NULL && frame_use(frame_of(phys, old)) == FRAME_ANON;
	err = inherited ? pool_take(ctx, FRAME_ANON, 0, false, &fresh) : take(ctx, t, 0, &promised, &fresh);
	if (err == 0) {
		for (uint64_t i = 0; i < HUGE_FRAMES; i++)
			frame_copy(phys, (pfn_t){ fresh.n + i }, (pfn_t){ old.n + i });
		t->done->kind = EVENT_FAULT_COPY;
		t->done->pfn = fresh;
		t->done->copied = old;
		err = replace(ctx, t, slot, was, fresh);
		if (err != 0)
			untake(ctx, t, fresh, promised);
	} else if (inherited) {
		rob(ctx, t, old);
		err = HUGE_RETRY;
	} else {
		err = -EFAULT;
	}
	frame_put_block(ctx, old);
	return err;
}

/* ---- faults ---- */

/* The making lock is held. */
static int fault_once(struct ctx *ctx, const struct touch *t, struct pt_slot *slot)
{
	unsigned need = t->access == ACCESS_WRITE ? PTE_WRITE : t->access == ACCESS_EXEC ? PTE_EXEC : PTE_READ;
	int err;

	if (!pte_present(pte_read(slot->entry)))
		return fault_absent(ctx, t);
	err = mm_huge_allow(ctx, t->vma, t->addr, slot, need, t->seq, t->done);
	return err == HUGE_COPY ? fault_copy(ctx, t, slot) : err;
}

int mm_hugetlb_fault(struct ctx *ctx, const struct vma *vma, ksim_addr addr, enum access access, uint64_t seq,
                     struct huge_fault *done)
{
	struct touch t = { .vma = vma, .addr = huge_down(addr), .access = access, .seq = seq, .done = done };
	struct pt_slot slot;
	int err;

	if (pt_ensure_second(ctx, &vma->mm->pt, addr, &slot) < 0)
		return -ENOMEM;
	hugefile_making_lock(ctx, vma->object);
	err = fault_once(ctx, &t, &slot);
	hugefile_making_unlock(ctx, vma->object);
	if (err == 0 && done->pfn.n != 0)
		done->pfn.n += (addr - t.addr) >> PAGE_SHIFT;
	return err;
}

/* ---- promises ---- */

int mm_hugetlb_promise(struct ctx *ctx, struct vma *vma)
{
	uint64_t pages = vma_pages(vma);

	if (vma->noreserve)
		return 0;
	if (vma->shared)
		return object_promise(ctx, vma->object, vma->pgidx, pages);
	return promise_create(ctx, vma->pgidx >> HUGE_ORDER, pages >> HUGE_ORDER, &vma->promise);
}

void mm_hugetlb_drop(struct ctx *ctx, struct promise *promise, uint64_t pgidx, uint64_t npages)
{
	promise_drop(ctx, promise, pgidx >> HUGE_ORDER, npages >> HUGE_ORDER);
}

/* ---- where it may be cut ---- */

bool vma_is_cut_badly(const struct vma *vma, ksim_addr at)
{
	return vma != NULL && vma->flags & VMA_HUGETLB && at % PT_LEAF_SPAN != 0;
}

int mm_check_cut(const struct mm *mm, ksim_addr start, ksim_addr end)
{
	return vma_is_cut_badly(ranges_find(&mm->vmas, start), start) ||
	                       vma_is_cut_badly(ranges_find(&mm->vmas, end), end)
	               ? -EINVAL
	               : 0;
}
