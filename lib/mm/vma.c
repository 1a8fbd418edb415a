// SPDX-License-Identifier: MIT
/*
 * VMAs: one mapped range each, made, split, joined and released.
 *
 *   mm->vmas      [--a--][----b----]      [-c-]          by address
 *                            |
 *   object->mappers     pages 4..12                      by page index
 *
 * I1  a VMA in the tree of an address space is on the list of its object, and the reverse
 * I2  its interval there is [pgidx, pgidx + pages), also while it is cut or joined: both change in one
 *     critical section of the object's lock, so that truncation never misses a page that is still mapped
 * I3  each VMA that may write to its object counts once in object->writers
 * I4  neighbours that say the same are one VMA, unless a mark lies between the calls that made them, or one is a stack
 *     that has grown up to the other, or they are of huge pages; a child of fork has the VMAs that its parent had
 * I5  mm->pages, data_pages, stack_pages and locked are sums over the VMAs in the tree
 *
 * VMAs, and the nodes of the tree, are single kernel objects as long as there are not many; from then on they come from
 * slabs of the address space, where they lie close to each other.
 *
 * Locking: the map lock exclusive throughout, but for freeing; the object's lock inside it.
 * Linux: mm/vma.c. Not modelled: VMAs without pages (pfn maps), policies, userfaultfd.
 */
#include "mm/vma.h"

#include "host/kmem.h"

#include <errno.h>

enum { MANY_VMAS = 4096 };

/* Whether new VMAs and nodes shall lie close to each other. */
static bool are_many(const struct mm *mm)
{
	return mm->vmas.count >= MANY_VMAS;
}

struct vma *vma_alloc(struct ctx *ctx, struct mm *mm)
{
	bool in_slab = are_many(mm);
	struct vma *vma = in_slab ? slab_alloc(ctx, &mm->vma_slab, sizeof(*vma)) : kmem_alloc(ctx, sizeof(*vma));

	if (vma == NULL)
		return NULL;
	vma->in_slab = in_slab;
	vma->mm = mm;
	vma->mapper.ops = &vma_mapper_ops;
	origin_set(ctx, &vma->origin, CENSUS_VMA);
	return vma;
}

void vma_free(struct ctx *ctx, struct vma *vma)
{
	if (vma == NULL)
		return;
	origin_clear(&vma->origin);
	if (vma->in_slab)
		slab_free(ctx, &vma->mm->vma_slab, vma);
	else
		kmem_free(ctx->env, vma, sizeof(*vma));
}

static void *node_alloc(struct ctx *ctx, struct mm *mm)
{
	bool in_slab = are_many(mm);
	void *node = in_slab ? slab_alloc(ctx, &mm->nodes, ranges_node_bytes()) : kmem_alloc(ctx, ranges_node_bytes());

	if (node != NULL)
		ranges_node_mark(node, in_slab);
	return node;
}

static void node_free(struct ctx *ctx, struct mm *mm, void *node)
{
	if (ranges_node_is_marked(node))
		slab_free(ctx, &mm->nodes, node);
	else
		kmem_free(ctx->env, node, ranges_node_bytes());
}

int vma_reserve(struct ctx *ctx, struct mm *mm, unsigned inserts)
{
	for (unsigned n = ranges_shortage(&mm->vmas, inserts); n > 0; n--) {
		void *node = node_alloc(ctx, mm);

		if (node == NULL)
			return -ENOMEM;
		ranges_give(&mm->vmas, node);
	}
	return 0;
}

static void unreserve_down_to(struct ctx *ctx, struct mm *mm, unsigned nspares)
{
	while (mm->vmas.nspares > nspares)
		node_free(ctx, mm, ranges_take(&mm->vmas));
}

void vma_unreserve(struct ctx *ctx, struct mm *mm)
{
	unreserve_down_to(ctx, mm, 2 * (mm->vmas.height + 2));
}

void vma_unreserve_all(struct ctx *ctx, struct mm *mm)
{
	unreserve_down_to(ctx, mm, 0);
}

static void mapper_insert(struct vma *vma)
{
	itree_insert(&vma->object->mappers, &vma->mapper.node, vma->pgidx, vma->pgidx + vma_pages(vma) - 1);
}

/* More pages of a VMA of the tree, or (modulo 2^64) fewer. */
static void count_pages(const struct vma *vma, uint64_t pages)
{
	struct mm *mm = vma->mm;

	mm->pages += pages;
	mm->pages_peak = MAX(mm->pages_peak, mm->pages);
	if (counts_as_data(vma->prot, vma->shared, vma->flags))
		mm->data_pages += pages;
	if (unlikely(vma->flags & (VMA_LOCKED | VMA_GROWSDOWN))) {
		mm->locked += vma->flags & VMA_LOCKED ? pages : 0;
		mm->stack_pages += vma->flags & VMA_GROWSDOWN ? pages : 0;
	}
}

void vma_set_flags(struct vma *vma, uint32_t flags)
{
	count_pages(vma, -vma_pages(vma));
	vma->flags = flags;
	count_pages(vma, vma_pages(vma));
}

void vma_set_prot(struct vma *vma, uint8_t prot)
{
	count_pages(vma, -vma_pages(vma));
	vma->prot = prot;
	count_pages(vma, vma_pages(vma));
}

void vma_link(struct ctx *ctx, struct vma *vma)
{
	KSIM_ASSERT(ctx,
	            ((vma->start | vma->end) & ~PAGE_MASK) == 0 && vma->mm->bounds.min <= vma->start &&
	                    vma->end <= vma->mm->bounds.max,
	            "a VMA is a row of user pages", "[%#lx, %#lx)", vma->start, vma->end);
	ranges_insert(&vma->mm->vmas, vma->start, vma->end, vma);
	count_pages(vma, vma_pages(vma));
	if (vma->object != NULL)
		object_map(ctx, vma->object, &vma->mapper, vma->pgidx, vma->pgidx + vma_pages(vma) - 1);
}

void vma_unlink(struct ctx *ctx, struct vma *vma)
{
	ranges_remove(&vma->mm->vmas, vma->start);
	count_pages(vma, -vma_pages(vma));
	if (vma->object != NULL)
		object_unmap(ctx, vma->object, &vma->mapper);
}

static void set_bounds(struct vma *vma, ksim_addr start, ksim_addr end)
{
	vma->pgidx += (uint64_t)((int64_t)(start - vma->start) >> PAGE_SHIFT);
	vma->start = start;
	vma->end = end;
}

void vma_resize(struct ctx *ctx, struct vma *vma, ksim_addr start, ksim_addr end)
{
	ranges_resize(&vma->mm->vmas, vma->start, start, end);
	count_pages(vma, ((end - start) >> PAGE_SHIFT) - vma_pages(vma));
	if (vma->object == NULL) {
		set_bounds(vma, start, end);
		return;
	}
	mutex_lock(ctx, &vma->object->lock);
	itree_remove(&vma->object->mappers, &vma->mapper.node);
	set_bounds(vma, start, end);
	mapper_insert(vma);
	mutex_unlock(ctx, &vma->object->lock);
}

void vma_copy_content(struct vma *fresh, const struct vma *vma)
{
	fresh->start = vma->start;
	fresh->end = vma->end;
	fresh->pgidx = vma->pgidx;
	fresh->prot = vma->prot;
	fresh->max_prot = vma->max_prot;
	fresh->shared = vma->shared;
	fresh->noreserve = vma->noreserve;
	fresh->flags = vma->flags;
	fresh->anon = vma->anon;
	fresh->anon_of_parent = vma->anon_of_parent;
	fresh->robbed = __atomic_load_n(&vma->robbed, __ATOMIC_RELAXED);
	fresh->promise = vma->promise;
	promise_get(fresh->promise);
	fresh->object = vma->object;
	fresh->backing = vma->backing;
	if (fresh->object != NULL)
		object_get(fresh->object);
	if (vma_is_writer(fresh))
		object_writer_dup(fresh->object);
	backing_get(fresh->backing);
}

void vma_split(struct ctx *ctx, struct vma *vma, ksim_addr at, struct vma *fresh)
{
	ksim_addr end = vma->end;

	KSIM_ASSERT(ctx, vma->start < at && at < end, "a VMA is cut inside", "%#lx in [%#lx, %#lx)", at, vma->start,
	            end);
	mm_huge_cut(ctx, vma->mm, at);
	vma_copy_content(fresh, vma);
	fresh->origin.call = vma->origin.call;
	fresh->origin.epoch = vma->origin.epoch;
	set_bounds(fresh, at, end);
	ranges_resize(&vma->mm->vmas, vma->start, vma->start, at);
	ranges_insert(&vma->mm->vmas, at, end, fresh);
	if (vma->object == NULL) {
		vma->end = at;
		return;
	}
	mutex_lock(ctx, &vma->object->lock);
	itree_remove(&vma->object->mappers, &vma->mapper.node);
	vma->end = at;
	mapper_insert(vma);
	mapper_insert(fresh);
	mutex_unlock(ctx, &vma->object->lock);
}

bool vma_continues(const struct vma *low, const struct vma *high)
{
	return low != NULL && high != NULL && low->end == high->start && low->max_prot == high->max_prot &&
	       low->shared == high->shared && low->noreserve == high->noreserve &&
	       ((low->flags ^ high->flags) & ~(uint32_t)VMA_GUARD) == 0 && low->object == high->object &&
	       low->backing == high->backing && low->pgidx + vma_pages(low) == high->pgidx;
}

bool vma_can_merge(const struct vma *low, const struct vma *high)
{
	return vma_continues(low, high) && !(low->flags & VMA_HUGETLB) && low->prot == high->prot &&
	       vma_anon_agrees(low, high) && low->origin.epoch == high->origin.epoch &&
	       low->origin.owner == high->origin.owner;
}

/* Join two neighbours into the lower one and release the other. */
static struct vma *join(struct ctx *ctx, struct vma *low, struct vma *high)
{
	struct mm *mm = low->mm;
	ksim_addr end = high->end;

	vma_anon_join(low, high);
	low->flags |= high->flags & VMA_GUARD;
	ranges_remove(&mm->vmas, high->start);
	ranges_resize(&mm->vmas, low->start, low->start, end);
	if (low->object == NULL) {
		low->end = end;
	} else {
		mutex_lock(ctx, &low->object->lock);
		itree_remove(&low->object->mappers, &high->mapper.node);
		itree_remove(&low->object->mappers, &low->mapper.node);
		low->end = end;
		mapper_insert(low);
		mutex_unlock(ctx, &low->object->lock);
	}
	vma_release(ctx, high);
	return low;
}

struct vma *vma_merge(struct ctx *ctx, struct vma *vma)
{
	struct vma *low = ranges_below(&vma->mm->vmas, vma->start);
	struct vma *high = ranges_find(&vma->mm->vmas, vma->end);

	/* Below first: where both could be joined with it, and not with each other, it is that one. */
	if (vma_can_merge(low, vma))
		vma = join(ctx, low, vma);
	if (vma_can_merge(vma, high))
		vma = join(ctx, vma, high);
	return vma;
}

/* Whether the part of a VMA at that side, saying that, is one with the neighbour there. */
static bool joins(struct vma *vma, bool below, uint8_t prot, uint32_t flags)
{
	const struct ranges *vmas = &vma->mm->vmas;
	const uint32_t old_flags = vma->flags;
	const uint8_t old_prot = vma->prot;
	bool one;

	vma->prot = prot;
	vma->flags = flags;
	one = below ? vma_can_merge(ranges_below(vmas, vma->start), vma)
	            : vma_can_merge(vma, ranges_find(vmas, vma->end));
	vma->prot = old_prot;
	vma->flags = old_flags;
	return one;
}

unsigned vma_more(struct vma *vma, ksim_addr start, ksim_addr end, uint8_t prot, uint32_t flags)
{
	bool below = vma->start < start, above = end < vma->end;

	if (below && above)
		return 2;
	if (below)
		return !joins(vma, false, prot, flags);
	return above && !joins(vma, true, prot, flags);
}

/* Make the VMA's part within [start, end) a VMA of its own, which *vma becomes. 0 or -ENOMEM */
static int isolate(struct ctx *ctx, struct vma **vma, ksim_addr start, ksim_addr end)
{
	struct vma *whole = *vma, *fresh[2] = { NULL, NULL };
	bool below = whole->start < start, above = end < whole->end;

	if ((below && (fresh[0] = vma_alloc(ctx, whole->mm)) == NULL) ||
	    (above && (fresh[1] = vma_alloc(ctx, whole->mm)) == NULL) ||
	    vma_reserve(ctx, whole->mm, (unsigned)below + above) < 0) {
		vma_free(ctx, fresh[0]);
		vma_free(ctx, fresh[1]);
		return -ENOMEM;
	}
	if (below) {
		*vma = fresh[0];
		vma_split(ctx, whole, start, *vma);
	}
	if (above)
		vma_split(ctx, *vma, end, fresh[1]);
	vma_unreserve(ctx, whole->mm);
	return 0;
}

int vma_change_flags(struct ctx *ctx, struct vma **vma, ksim_addr start, ksim_addr end, uint32_t flags)
{
	struct mm *mm = (*vma)->mm;
	unsigned more;

	if (unlikely(vma_is_cut_badly(*vma, start) || (end < (*vma)->end && vma_is_cut_badly(*vma, end))))
		return -EINVAL;
	more = vma_more(*vma, start, end, (*vma)->prot, flags);
	if (more > 0 && mm->vmas.count + more > mm_vmas_max(mm))
		return -ENOMEM;
	if (((*vma)->start < start || end < (*vma)->end) && isolate(ctx, vma, start, end) < 0)
		return -ENOMEM;
	vma_set_flags(*vma, flags);
	*vma = vma_merge(ctx, *vma);
	return 0;
}

void vma_release(struct ctx *ctx, struct vma *vma)
{
	if (vma_is_writer(vma))
		object_writer_put(vma->object);
	promise_put(ctx, vma->promise);
	object_put(ctx, vma->object);
	backing_put(ctx, vma->backing);
	vma_free(ctx, vma);
}

unsigned vma_pte_flags(const struct vma *vma, bool own_page)
{
	unsigned flags = 0;

	if (vma->prot != 0)
		flags |= PTE_READ; /* writable or executable implies readable, as on both architectures */
	if ((vma->prot & PROT_W) && (vma->shared || own_page))
		flags |= PTE_WRITE;
	if (vma->prot & PROT_X)
		flags |= PTE_EXEC;
	if (vma->mm->eager)
		flags |= PTE_ACCESSED | (flags & PTE_WRITE ? PTE_DIRTY : 0);
	return flags;
}
