/* SPDX-License-Identifier: MIT */
/*
 * Inside mm: making, splitting, joining and emptying of VMAs. Every function wants the map lock exclusive,
 * or an address space that nobody else can reach.
 */
#ifndef MM_VMA_H
#define MM_VMA_H

#include "mm/mm.h"
#include "mm/promise.h"

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
/** Give it other flags, and keep the sums of the address space (vma I5). */
void vma_set_flags(struct vma *vma, uint32_t flags);
/** Likewise another protection; entries are the caller's business. */
void vma_set_prot(struct vma *vma, uint8_t prot);
/** How many VMAs more there are when the VMA's part within [start, end) says this: it may join a neighbour. */
unsigned vma_more(struct vma *vma, ksim_addr start, ksim_addr end, uint8_t prot, uint32_t flags);
/**
 * Give the VMA's part within [start, end) other flags, cutting and joining VMAs as needed; *vma becomes what that part
 * is in.
 * @return 0; and nothing is changed: -ENOMEM no memory, or there would be too many VMAs; -EINVAL a huge page would be
 * cut
 */
int vma_change_flags(struct ctx *ctx, struct vma **vma, ksim_addr start, ksim_addr end, uint32_t flags);
/** Whether high begins where low ends, in pages too, and they differ in nothing but protection and private pages. */
bool vma_continues(const struct vma *low, const struct vma *high);
/** Drop what an unlinked VMA holds, and free it. No leaf or object lock is held. */
void vma_release(struct ctx *ctx, struct vma *vma);

/** What reports tell of it. Either kind of map lock. */
void vma_describe(const struct vma *vma, struct mm_region *out);

/** What a page-table entry of the VMA may allow; write only where a private page is the mapping's own. */
unsigned vma_pte_flags(const struct vma *vma, bool own_page);

/* ---- private pages: anon.c ---- */

void vma_anon_number(struct vma *vma);
/** A private page will be made in the VMA. Either kind of map lock. */
static inline void vma_anon_prepare(struct vma *vma)
{
	if (unlikely(__atomic_load_n(&vma->anon, __ATOMIC_RELAXED) == 0))
		vma_anon_number(vma);
}
/** Its private pages have been moved to another. Map lock exclusive. */
void vma_anon_forget(struct vma *vma);
/** The VMA, in no tree yet, is a child's copy of its parent's. */
void vma_anon_fork(struct vma *child);
/** Whether neighbours may become one, as far as private pages go. */
bool vma_anon_agrees(const struct vma *low, const struct vma *high);
/** They become one. */
void vma_anon_join(struct vma *vma, const struct vma *other);

/* ---- guards: guard.c ---- */

/** Whether a guard stands at an address of a VMA with VMA_GUARD. Either kind of map lock. */
bool mm_is_guard(const struct mm *mm, ksim_addr addr);
/** Guards in the place of all that the range has, which lies in the VMA. 0; -ENOMEM and nothing is changed */
int mm_guard_install(struct ctx *ctx, struct vma *vma, ksim_addr start, ksim_addr end);
/** Take the guards of the range away. */
void mm_guard_remove(struct ctx *ctx, struct vma *vma, ksim_addr start, ksim_addr end);
/** A child of fork has them too. 0 or -ENOMEM */
int mm_guard_copy(struct ctx *ctx, const struct vma *vma, struct mm *child);

/* ---- pages of 2 MiB: huge.c ---- */

/** The first address of the 2 MiB around an address. */
static inline ksim_addr huge_down(ksim_addr addr)
{
	return addr & ~(PT_LEAF_SPAN - 1);
}

/**
 * Whether one entry may map the 2 MiB around an address: they are wanted there, lie in the VMA, and the object's pages
 * are aligned as the addresses are.
 */
static inline bool vma_huge_fits(const struct vma *vma, ksim_addr addr)
{
	ksim_addr start = huge_down(addr);

	if (unlikely(vma->flags & VMA_HUGETLB))
		return true;
	return start >= vma->start && start + PT_LEAF_SPAN <= vma->end && start + PT_LEAF_SPAN > start &&
	       !(vma->flags & VMA_NOHUGE) && (vma->object == NULL || vma_pgidx(vma, start) % HUGE_FRAMES == 0) &&
	       __atomic_load_n(&vma->mm->env->sysctl.transparent_huge, __ATOMIC_RELAXED) != 0;
}

/** What mm_huge_fault says beside 0 and what a fault runs into. */
enum {
	HUGE_RETRY = 1, /* something has changed meanwhile */
	HUGE_NOT = 2,   /* no huge entry: the fault is one of 4 KiB */
	HUGE_COPY = 3,  /* it must not be written through this entry */
};

/** What a fault has done, for those who are told. */
struct huge_fault {
	enum event_kind kind;
	pfn_t pfn;    /* of the page of the address */
	pfn_t copied; /* from which it was copied */
};

/**
 * A fault where vma_huge_fits, the access being allowed and the page below the file's end: by a huge entry if there is
 * one, or can be. Map lock shared. @param seq  of the object, from before its size was read
 * @return 0, HUGE_RETRY, HUGE_NOT
 */
int mm_huge_fault(struct ctx *ctx, struct vma *vma, ksim_addr addr, enum access access, uint64_t seq,
                  struct huge_fault *done);
/**
 * Set the entry for the 2 MiB from addr on, which is absent, to a block: of the object, if nothing was removed from it
 * since its sequence was read; or (own) of private memory, which the entry takes over if this succeeds.
 * @return 0, HUGE_RETRY, HUGE_NOT (no node is to be had)
 */
int mm_huge_install(struct ctx *ctx, const struct vma *vma, ksim_addr addr, pfn_t head, bool own, uint64_t seq);
/** Have an entry that is there allow what is needed (PTE_*), the block staying: 0, HUGE_RETRY, HUGE_COPY. */
int mm_huge_allow(struct ctx *ctx, const struct vma *vma, ksim_addr addr, struct pt_slot *slot, unsigned need,
                  uint64_t seq, struct huge_fault *done);
/**
 * Set a huge entry for the 2 MiB from addr on, where vma_huge_fits, if the object has a block there and no node is in
 * the way. Map lock. @return whether one is there now
 */
bool mm_huge_populate(struct ctx *ctx, const struct vma *vma, ksim_addr addr);
/** No huge entry reaches across the address: for who cuts a VMA there. Map lock exclusive. */
void mm_huge_cut(struct ctx *ctx, struct mm *mm, ksim_addr at);
/**
 * Make huge entries of what small ones of the VMA map within [start, end), where they are all there for a block and
 * agree. Map lock exclusive; the object's lock not held. @return whether huge entries map all of it that they could
 */
bool mm_huge_merge(struct ctx *ctx, struct vma *vma, ksim_addr start, ksim_addr end);

/**
 * collapse.c: have one entry map the 2 MiB from `at` on, where vma_huge_fits, or as much of it as the file has. Map
 * lock exclusive.
 * @return 0; COLLAPSE_GUARDED; -EINVAL (nothing is there, or copies of the mapping's own), -ENOMEM, -EBUSY (a memory
 * group's limit), -EAGAIN (somebody holds a page)
 */
enum { COLLAPSE_GUARDED = 1 /* the object's pages are in a block, but a guard stands where it would be mapped */ };
int mm_collapse(struct ctx *ctx, struct vma *vma, ksim_addr at);

/* ---- huge pages from the pool: hugetlb.c ---- */

/** A fault in a VMA with VMA_HUGETLB, as mm_huge_fault. 0, HUGE_RETRY, -EFAULT (SIGBUS), -ENOMEM */
int mm_hugetlb_fault(struct ctx *ctx, const struct vma *vma, ksim_addr addr, enum access access, uint64_t seq,
                     struct huge_fault *done);
/** See that a filled-in VMA that is in no tree yet can have its pages, unless it is noreserve. 0 or -ENOMEM */
int mm_hugetlb_promise(struct ctx *ctx, struct vma *vma);
/** Pages [pgidx, pgidx + npages) of what a VMA with that promise mapped are mapped no more. */
void mm_hugetlb_drop(struct ctx *ctx, struct promise *promise, uint64_t pgidx, uint64_t npages);
/** Whether one cannot begin or end there because it lies inside of a page of the VMA. The VMA may be NULL. */
bool vma_is_cut_badly(const struct vma *vma, ksim_addr at);
/** Whether [start, end) can be taken out: 0, or -EINVAL if it cuts a huge page. Map lock, either kind. */
int mm_check_cut(const struct mm *mm, ksim_addr start, ksim_addr end);

/* ---- room.c: what there is room for, and where ---- */

/** Whether private memory is accounted for: Linux's VM_ACCOUNT. */
static inline uint32_t account_flag(unsigned prot, bool shared, bool noreserve, uint32_t flags)
{
	return (prot & PROT_W) && !shared && !noreserve && !(flags & VMA_HUGETLB) ? VMA_ACCOUNT : 0;
}

/** What stays free below a stack. */
#define STACK_GUARD (256 * PAGE_BYTES)

/** Where what lies below a VMA must end. */
static inline ksim_addr vma_guarded_start(const struct vma *vma)
{
	if (likely(!(vma->flags & VMA_GROWSDOWN)))
		return vma->start;
	return vma->start > STACK_GUARD ? vma->start - STACK_GUARD : 0;
}

/** Whether such pages count for RLIMIT_DATA. */
static inline bool counts_as_data(unsigned prot, bool shared, uint32_t flags)
{
	return (prot & PROT_W) && !shared && !(flags & VMA_GROWSDOWN);
}

/** Whether RLIMIT_AS, and RLIMIT_DATA if they are data, allow more pages; a negative number counts as none. */
bool mm_may_expand(const struct ctx *ctx, const struct mm *mm, bool data, int64_t pages);
/**
 * Whether RAM must be able to hold such private pages, and it could not, were it empty: the heuristic of overcommit.
 */
bool mm_overcommits(const struct mm *mm, unsigned prot, bool shared, bool noreserve, uint64_t pages);
/** Whether nothing is mapped in [start, end). */
bool mm_is_free(const struct mm *mm, ksim_addr start, ksim_addr end);
/** Pages mapped in [start, end). */
uint64_t mm_pages_in(const struct mm *mm, ksim_addr start, ksim_addr end);
/**
 * Where a mapping goes. 0; -ENOMEM (no room, out of bounds), -EPERM (below MM_MIN), -EEXIST. Map lock, either kind.
 */
int mm_place(const struct mm *mm, const struct mm_map *what, ksim_addr *out);

/**
 * prefault.c: MADV_POPULATE_READ and MADV_POPULATE_WRITE. 0; -ENOMEM (a hole, no memory), -EINVAL (the VMA does not
 * allow it), -EFAULT (past the end of the file). What comes before is brought in.
 */
int mm_populate_advised(struct ctx *ctx, struct mm *mm, ksim_addr start, ksim_addr end, bool write);

/**
 * populate.c: set the entries of a range of the VMA, which has an object, for what is there already. Map lock.
 * @return false: no nodes are to be had
 */
bool mm_populate_vma(struct ctx *ctx, const struct vma *vma, ksim_addr start, ksim_addr end);

/* ---- map.c: taking ranges out ---- */

/** Whether [start, end) lies strictly inside one VMA, so that taking it out leaves two. */
bool mm_cuts_a_hole(const struct mm *mm, ksim_addr start, ksim_addr end);
/**
 * Empty the range and take it out of the tree. What lies wholly in it is put on *dead, for vma_release_all. *spare is
 * used up (set to NULL) if a hole is cut, for which the tree has been reserved. Nodes stay.
 */
void mm_cut(struct ctx *ctx, struct mm *mm, ksim_addr start, ksim_addr end, struct vma **spare, struct vma **dead);
/** The same of what has been mapped elsewhere: promises go with it. */
void mm_cut_moved(struct ctx *ctx, struct mm *mm, ksim_addr start, ksim_addr end, struct vma **spare,
                  struct vma **dead);
/** All of munmap under the map lock. 0, -ENOMEM, -EINVAL */
int mm_unmap_locked(struct ctx *ctx, struct mm *mm, ksim_addr start, ksim_addr end, struct vma **dead);
/** The first of a chain, taken off it; NULL if it is empty. */
struct vma *vma_chain_take(struct vma **chain);
/** vma_release of a chain. */
void vma_release_all(struct ctx *ctx, struct vma *dead);

/** Whether two neighbours could be one VMA. Either may be NULL. */
bool vma_can_merge(const struct vma *low, const struct vma *high);

extern const struct mapper_ops vma_mapper_ops;

/** Clear every entry in [start, end), invalidate, put the frames. Nobody else can set entries there. */
void mm_zap(struct ctx *ctx, struct mm *mm, ksim_addr start, ksim_addr end);
/** The same of a part of a VMA that stays, and is owed what it had. Either kind of map lock. */
void mm_zap_part(struct ctx *ctx, struct vma *vma, ksim_addr start, ksim_addr end);
/** Clear the huge entry at addr if it maps this private block. The lock of the VMA's object is held. */
void mm_zap_block(struct ctx *ctx, struct vma *vma, ksim_addr addr, pfn_t head);
/** Free the nodes that [start, end) no longer needs; the range has been zapped and holds no VMA. */
void mm_free_nodes(struct ctx *ctx, struct mm *mm, ksim_addr start, ksim_addr end);
/** Tell every notifier. */
void mm_invalidate(struct ctx *ctx, struct mm *mm, ksim_addr start, ksim_addr end, bool nodes);
/** Tell those who want to know that entries have been set. */
void mm_filled(struct ctx *ctx, struct mm *mm, ksim_addr start, ksim_addr end);
/**
 * A page, of whatever size, is about to be replaced by a copy, its entry being clear and its leaf locked: tell those
 * who will not be told by mm_filled, when the entry leads to the copy.
 */
void mm_invalidate_for_copy(struct ctx *ctx, struct mm *mm, ksim_addr start, ksim_addr end);

/** Where every change is checked (KSIM_CHECK_SLOW): validate the VMAs, unless they are many. */
void mm_check_slow(struct ctx *ctx, struct mm *mm);

/*
 * The map lock for those who only need the VMAs to stay as they are. Tasks that hold it so at once, since they fault,
 * do not write to the same cache lines for it.
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
