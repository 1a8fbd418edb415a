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

/** Whether it counts as a mapping that may write to its object. */
static inline bool vma_is_writer(const struct vma *vma)
{
	return vma->object != NULL && vma->shared && (vma->max_prot & PROT_W);
}

/** A blank VMA, counted on the caller's account. NULL: no memory. */
struct vma *vma_alloc(struct ctx *ctx, struct mm *mm);
/** Give back a blank one, or one that has been released. NULL is legal. */
void vma_free(struct ctx *ctx, struct vma *vma);
/** Make sure that `inserts` insertions into mm->vmas cannot fail. 0 or -ENOMEM. */
int vma_reserve(struct ctx *ctx, struct mm *mm, unsigned inserts);
/** Give back the node buffers that vma_reserve left over. */
void vma_unreserve(struct ctx *ctx, struct mm *mm);

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

/** Clear every entry in [start, end), invalidate, put the frames. */
void mm_zap(struct ctx *ctx, struct mm *mm, ksim_addr start, ksim_addr end);
/** Free the nodes that [start, end) no longer needs; the range has been zapped and holds no VMA. */
void mm_free_nodes(struct ctx *ctx, struct mm *mm, ksim_addr start, ksim_addr end);
/** Tell every notifier. */
void mm_invalidate(struct ctx *ctx, struct mm *mm, ksim_addr start, ksim_addr end, bool nodes);

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
