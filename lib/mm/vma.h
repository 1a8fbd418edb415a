/* SPDX-License-Identifier: MIT */
/*
 * Inside mm: making, splitting, joining and emptying of VMAs. Every function wants the map lock exclusive,
 * or an address space that nobody else can reach.
 */
#ifndef MM_VMA_H
#define MM_VMA_H

#include "mm/mm.h"

static inline uint64_t vma_pages(const struct vma *vma)
{
	return (vma->end - vma->start) >> PAGE_SHIFT;
}

/** Page index of an address in the VMA. */
static inline uint64_t vma_pgidx(const struct vma *vma, ksim_addr addr)
{
	return vma->pgidx + ((addr - vma->start) >> PAGE_SHIFT);
}

/** VMAs that the address space may have. */
static inline size_t mm_vmas_max(const struct mm *mm)
{
	return __atomic_load_n(&mm->env->sysctl.max_map_count, __ATOMIC_RELAXED);
}

/** Whether it counts as a mapping that may write to its object. */
static inline bool vma_is_writer(const struct vma *vma)
{
	return vma->object != NULL && vma->shared && (vma->max_prot & PROT_W);
}

/** How many of the n pages from addr on begin below the end of the VMA's file; n if it has none. */
static inline size_t vma_pages_in_file(const struct vma *vma, ksim_addr addr, size_t n)
{
	uint64_t first, pages;

	if (vma->object == NULL)
		return n;
	first = vma_pgidx(vma, addr);
	pages = pages_of(object_size(vma->object));
	return first < pages ? MIN(n, pages - first) : 0;
}

/**
 * Whether nothing has been removed from the VMA's object since its sequence was read; asked under the leaf lock
 * before an entry is set. Sequentially consistent, so that it comes after the linking of a new leaf node: either
 * this sees the removal, or the removal's zap sees the node (struct mapper_ops).
 */
static inline bool vma_object_is_at(const struct vma *vma, uint64_t seq)
{
	return vma->object == NULL || __atomic_load_n(&vma->object->seq, __ATOMIC_SEQ_CST) == seq;
}

/** A blank VMA, counted on the caller's account. NULL: no memory. */
struct vma *vma_alloc(struct ctx *ctx, struct mm *mm);
/** Give back a blank one, or one that has been released. NULL is legal. */
void vma_free(struct ctx *ctx, struct vma *vma);
/** Make sure that `inserts` insertions into mm->vmas cannot fail. 0 or -ENOMEM. */
int vma_reserve(struct ctx *ctx, struct mm *mm, unsigned inserts);
/** Give back the node buffers that the tree has left over, but for those that the next calls will ask for. */
void vma_unreserve(struct ctx *ctx, struct mm *mm);
/** Give back all of them. */
void vma_unreserve_all(struct ctx *ctx, struct mm *mm);

/** Make a blank VMA say what another says, with references of its own; bounds included. */
void vma_copy_content(struct vma *fresh, const struct vma *vma);
/** Put a filled-in VMA into the tree and on its object's list. */
void vma_link(struct ctx *ctx, struct vma *vma);
/** Take it off both; its page-table entries are still there. */
void vma_unlink(struct ctx *ctx, struct vma *vma);
/** Give it other bounds, start's page index following. */
void vma_resize(struct ctx *ctx, struct vma *vma, ksim_addr start, ksim_addr end);
/** Cut at an address inside: the VMA keeps what lies below, fresh (blank) becomes the rest. */
void vma_split(struct ctx *ctx, struct vma *vma, ksim_addr at, struct vma *fresh);
/** Join the VMA with its neighbours where they say the same. @return the VMA that is left in its place */
struct vma *vma_merge(struct ctx *ctx, struct vma *vma);
/** Drop what an unlinked VMA holds, and free it. No leaf or object lock is held. */
void vma_release(struct ctx *ctx, struct vma *vma);

/** What a page-table entry of the VMA may allow; write only where a private page is the mapping's own. */
unsigned vma_pte_flags(const struct vma *vma, bool own_page);

extern const struct mapper_ops vma_mapper_ops;

/** Clear every entry in [start, end), invalidate, put the frames. Nobody else can set entries there. */
void mm_zap(struct ctx *ctx, struct mm *mm, ksim_addr start, ksim_addr end);
/** Free the nodes that [start, end) no longer needs; the range has been zapped and holds no VMA. */
void mm_free_nodes(struct ctx *ctx, struct mm *mm, ksim_addr start, ksim_addr end);
/** Tell every notifier. */
void mm_invalidate(struct ctx *ctx, struct mm *mm, ksim_addr start, ksim_addr end, bool nodes);
/** Tell those who want to know that entries have been set. */
void mm_filled(struct ctx *ctx, struct mm *mm, ksim_addr start, ksim_addr end);
/**
 * A page is about to be replaced by a copy, its entry being clear and its leaf locked: tell those who will not be told
 * by mm_filled, when the entry leads to the copy.
 */
void mm_invalidate_for_copy(struct ctx *ctx, struct mm *mm, ksim_addr page);

/** Where every change is checked (KSIM_CHECK_SLOW): validate the VMAs, unless they are many. */
void mm_check_slow(struct ctx *ctx, struct mm *mm);

/*
 * The map lock for those who only need the VMAs to stay as they are. A kind of its own, so that it can be made
 * cheaper here alone.
 */
static inline void map_read_lock(struct ctx *ctx, struct mm *mm)
{
	rwlock_read(ctx, &mm->map);
}

static inline void map_read_unlock(struct ctx *ctx, struct mm *mm)
{
	rwlock_read_unlock(ctx, &mm->map);
}

#endif
