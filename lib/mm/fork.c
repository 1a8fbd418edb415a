// SPDX-License-Identifier: MIT
/*
 * fork: a copy of an address space in which private pages are shared until one side writes.
 *
 *   parent [vma]---entries RW -> RO---> frames  <---entries RO---[vma] child
 *
 * The child's VMAs are on their objects' lists before any entry is copied, so a truncation reaches it from the
 * start; entries that it removes from the parent must not appear in the child after it has looked there. Two things
 * see to that. The object's sequence is read before the parent's entries and compared under the child's leaf lock:
 * so a truncation that begins meanwhile is noticed. And its size is read after the sequence, and pages beyond it are
 * left alone: they are what a truncation that had begun before has still to remove. But huge pages by name may have been
 * copied from what fallocate has put beyond the end; of these each is copied under the object's lock, so that a
 * truncation comes before it or after it.
 * Shared pages, and private pages still equal to the file's, are not copied: the child faults them in.
 *
 * MADV_DONTFORK leaves a VMA out, MADV_WIPEONFORK its pages (and guards in it). Nothing is locked in the child.
 *
 * I1  before mm_fork returns, every entry copied is read-only on both sides and the parent's notifiers know it
 * I2  no page beyond the end of its file is copied, but huge ones by name that no truncation has taken
 * I3  when it fails the parent maps what it did; entries left read-only are reused in place by the next write
 *
 * Locking: the parent's map exclusive; of huge pages by name the object's lock. The child's map is not taken: nobody
 * can reach it. Of leaf locks only one is held at a time. Linux: kernel/fork.c (dup_mmap), mm/memory.c (copy_page_range).
 */
#include "mm/vma.h"

#include <errno.h>

struct fork {
	struct mm *child;
	const struct vma *vma; /* the child's */
	bool protected;        /* some entry of the parent lost its write permission */
};

struct copied {
	size_t count;
	struct {
		uint16_t index;
		pfn_t pfn;
	} page[PT_ENTRIES];
};

/* Write-protect the private pages of a run of the parent and take a reference on each. */
static void collect(struct ctx *ctx, struct fork *fork, struct pgtable *pt, struct pt_slot first, size_t n,
                    struct copied *copied)
{
	copied->count = 0;
	pt_lock(ctx, &first);
	for (size_t i = 0; i < n; i++) {
		pte_t was = pte_read(&first.entry[i]);
		unsigned flags;

		if (!pte_present(was) || frame_of(pt->phys, pte_pfn(was))->use != FRAME_ANON)
			continue;
		while ((flags = pte_flags(pt->format, was)) & PTE_WRITE) {
			fork->protected = true;
			if (pte_compare_exchange(&first.entry[i], was,
			                         pte_make(pt->format, pte_pfn(was), flags & ~(unsigned)PTE_WRITE)))
				break;
			was = pte_read(&first.entry[i]);
		}
		frame_get(pt->phys, pte_pfn(was));
		copied->page[copied->count].index = (uint16_t)i;
		copied->page[copied->count++].pfn = pte_pfn(was);
	}
	pt_unlock(ctx, &first);
}

static void put_all(struct ctx *ctx, const struct copied *copied)
{
	for (size_t i = 0; i < copied->count; i++)
		frame_put(ctx, copied->page[i].pfn);
}

/* Copy one run of entries. Repeats while truncation interferes. */
static int copy_leaf(struct ctx *ctx, struct pgtable *pt, struct pt_slot first, ksim_addr addr, size_t n, void *arg)
{
	struct fork *fork = arg;
	struct pgtable *child = &fork->child->pt;
	struct object *object = fork->vma->object;
	struct copied copied;
	struct pt_slot slot;

	for (;;) {
		uint64_t seq = object != NULL ? object_seq(object) : 0;
		bool current;

		collect(ctx, fork, pt, first, vma_pages_in_file(fork->vma, addr, n), &copied);
		if (copied.count == 0)
			return 0;
		if (pt_ensure(ctx, child, addr, &slot) < 0) {
			put_all(ctx, &copied);
			return -ENOMEM;
		}
		pt_lock(ctx, &slot);
		current = vma_object_is_at(fork->vma, seq);
		for (size_t i = 0; current && i < copied.count; i++) {
			pfn_t pfn = copied.page[i].pfn;

			__atomic_fetch_add(&frame_of(pt->phys, pfn)->mappers, 1, __ATOMIC_RELAXED);
			pte_exchange(&slot.entry[copied.page[i].index],
			             pte_make(child->format, pfn, vma_pte_flags(fork->vma, false)));
		}
		pt_unlock(ctx, &slot);
		if (current)
			return 0;
		put_all(ctx, &copied);
	}
}

/*
 * Write-protect a huge entry of the parent if it is of private memory, for one more that maps the block. PFN_NONE: it
 * is not
 */
static pfn_t collect_huge(struct ctx *ctx, struct fork *fork, struct pgtable *pt, struct pt_slot *slot, bool *split)
{
	pte_t was = pt_lock_huge(ctx, pt, slot);
	pfn_t head = pte_pfn(was);

	*split = !pte_present(was);
	if (*split || frame_use(frame_of(pt->phys, head)) != FRAME_ANON) {
		pt_unlock(ctx, slot);
		return PFN_NONE;
	}
	while (pte_flags(pt->format, was) & PTE_WRITE) {
		unsigned flags = pte_flags(pt->format, was) & ~(unsigned)PTE_WRITE;

		fork->protected = true;
		if (pte_compare_exchange(slot->entry, was, pte_with_flags(pt->format, was, flags)))
			break;
		was = pte_read(slot->entry);
	}
	frame_block_map(pt->phys, head);
	pt_unlock(ctx, slot);
	return head;
}

struct huge_copy {
	struct pt_slot from, to;
	ksim_addr addr;
	pfn_t node; /* for the child's entry */
	bool split; /* there is no huge entry any more */
};

/*
 * A huge entry of private memory: the child gets one too, both may only read. @return whether no truncation interfered
 */
static bool share_huge(struct ctx *ctx, struct fork *fork, struct pgtable *pt, struct huge_copy *copy)
{
	const struct vma *vma = fork->vma;
	struct pgtable *child = &fork->child->pt;
	uint64_t seq = vma->object != NULL ? object_seq(vma->object) : 0;
	pfn_t head = PFN_NONE;
	bool done;

	copy->split = false;
	if (vma->flags & VMA_HUGETLB || vma_pages_in_file(vma, copy->addr, PT_ENTRIES) == PT_ENTRIES)
		head = collect_huge(ctx, fork, pt, &copy->from, &copy->split);
	if (head.n == 0)
		return true;
	pt_lock(ctx, &copy->to);
	done = vma_object_is_at(vma, seq) &&
	       pt_set_huge(child, &copy->to, copy->addr, pte_make_huge(child->format, head, vma_pte_flags(vma, false)),
	                   &copy->node);
	pt_unlock(ctx, &copy->to);
	if (!done)
		frame_block_unmap(ctx, pt->phys, head);
	return done;
}

static int copy_huge(struct ctx *ctx, struct pgtable *pt, struct pt_slot slot, ksim_addr addr, size_t n, void *arg)
{
	struct fork *fork = arg;
	struct mutex *lock = fork->vma->flags & VMA_HUGETLB ? &fork->vma->object->lock : NULL;
	struct huge_copy copy = { .from = slot, .addr = addr };

	if (pt_ensure_second(ctx, &fork->child->pt, addr, &copy.to) < 0 || pt_node_alloc(ctx, &copy.node) < 0)
		return -ENOMEM;
	if (lock != NULL)
		mutex_lock(ctx, lock);
	while (!share_huge(ctx, fork, pt, &copy))
		;
	if (lock != NULL)
		mutex_unlock(ctx, lock);
	pt_node_free(ctx, copy.node);
	return copy.split ? pt_for_each_leaf(ctx, pt, addr, addr + n * PAGE_BYTES, copy_leaf, arg) : 0;
}

static const struct pt_visitor copier = { .leaf = copy_leaf, .huge = copy_huge };

/* A VMA of the child that says what the parent's says. */
static struct vma *copy_vma(struct ctx *ctx, struct mm *child, const struct vma *from)
{
	struct vma *vma = vma_alloc(ctx, child);

	if (vma == NULL || vma_reserve(ctx, child, 1) < 0) {
		vma_free(ctx, vma);
		return NULL;
	}
	vma_copy_content(vma, from);
	promise_put(ctx, vma->promise); /* it was made to the parent */
	vma->promise = NULL;
	vma->robbed = false;
	vma->flags &= ~(uint32_t)(VMA_LOCKED | VMA_LOCK_ON_FAULT);
	if (vma->flags & VMA_WIPEONFORK)
		vma_anon_forget(vma);
	vma_anon_fork(vma);
	vma_link(ctx, vma);
	return vma;
}

static int copy_all(struct ctx *ctx, struct mm *parent, struct fork *fork)
{
	for (struct vma *vma = ranges_at_or_above(&parent->vmas, 0); vma != NULL;
	     vma = ranges_at_or_above(&parent->vmas, vma->end)) {
		if (vma->flags & VMA_DONTFORK)
			continue;
		fork->vma = copy_vma(ctx, fork->child, vma);
		if (fork->vma == NULL)
			return -ENOMEM;
		if (vma->flags & VMA_WIPEONFORK)
			continue;
		if (mm_guard_copy(ctx, vma, fork->child) < 0)
			return -ENOMEM;
		if (!vma->shared && pt_visit(ctx, &parent->pt, vma->start, vma->end, &copier, fork) < 0)
			return -ENOMEM;
	}
	return 0;
}

int mm_fork(struct ctx *ctx, struct mm *parent, struct mm **out)
{
	struct fork fork = { 0 };
	int err = mm_create(ctx, &fork.child);

	if (err < 0)
		return err;
	fork.child->bounds = parent->bounds;
	fork.child->eager = parent->eager;
	rwlock_write(ctx, &parent->map);
	fork.child->brk_start = parent->brk_start;
	fork.child->brk = parent->brk;
	err = copy_all(ctx, parent, &fork);
	if (fork.protected)
		mm_invalidate(ctx, parent, 0, PT_SPAN, false);
	rwlock_write_unlock(ctx, &parent->map);
	if (err < 0) {
		mm_put(ctx, fork.child);
		return err;
	}
	*out = fork.child;
	return 0;
}
