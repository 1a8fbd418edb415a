/* SPDX-License-Identifier: MIT */
/*
 * A four-level radix tree from 48-bit user addresses to entries; its nodes are frames of the simulated RAM.
 * Mechanism only: who may be mapped where is mm's business.
 */
#ifndef PGTABLE_PGTABLE_H
#define PGTABLE_PGTABLE_H

#include "pgtable/pte.h"

#define PT_LEVELS    4
#define PT_ENTRIES   512
#define PT_LEAF_SPAN (PAGE_BYTES * PT_ENTRIES) /* bytes under one leaf node, or one huge entry: 2 MiB */
#define PT_SPAN      (UINT64_C(1) << 47)       /* user addresses lie below: 128 TiB */

struct pgtable {
	const struct pte_format *format; /* c */
	struct phys *phys;               /* c */
	pfn_t root;                      /* c */
	char *ram;                       /* c  of phys */
	pte_t *top;                      /* c  the root's entries */
	uint64_t huge_bit, huge_flip;    /* c  of format */
	uint64_t nodes;                  /* a  hooked nodes, the root included */
	struct frame second;             /* its node_lock guards all huge entries, and: */
	pfn_t reserve;                   /* nodes for their splitting, chained through link */
	uint64_t nreserve;               /* one for each huge entry */
};

/**
 * One entry that maps a page or may do so, and the node it is in, whose lock guards it. That of a huge entry is
 * pt->second, which stands for all nodes of the second level.
 */
struct pt_slot {
	pte_t *entry;
	struct frame *node;
};

/** An empty table: its root is the only node. 0 or -ENOMEM. */
int pt_init(struct ctx *ctx, struct pgtable *pt, const struct pte_format *format);
/** No entry may be present; frees what nodes are left, the root included. */
void pt_fini(struct ctx *ctx, struct pgtable *pt);

static inline pte_t pte_read(const pte_t *entry)
{
	return (pte_t){ __atomic_load_n(&entry->bits, __ATOMIC_ACQUIRE) };
}

/** Replace an entry and return what was there: the only way in which one is cleared, set or write-protected. */
static inline pte_t pte_exchange(pte_t *entry, pte_t pte)
{
	return (pte_t){ __atomic_exchange_n(&entry->bits, pte.bits, __ATOMIC_SEQ_CST) };
}

/** Replace an entry only if it is still as it was: for the accessed and dirty bits, which are set without the lock. */
static inline bool pte_compare_exchange(pte_t *entry, pte_t was, pte_t now)
{
	return __atomic_compare_exchange_n(&entry->bits, &was.bits, now.bits, false, __ATOMIC_SEQ_CST,
	                                   __ATOMIC_ACQUIRE);
}

/** The entry of an address in the node that `table` leads to; shift is the node's level, see node.h. */
static inline pte_t *pt_entry_in(const char *ram, pte_t table, ksim_addr addr, unsigned shift)
{
	uint64_t offset = addr >> (shift - 3) & (PT_ENTRIES - 1) * sizeof(pte_t);

	return (pte_t *)(uintptr_t)(ram + (table.bits & PTE_PFN_MASK) + offset);
}

/**
 * The entry that maps an address, or would: a leaf's, or a huge one. Written out, so that nothing but an index and a
 * mask stands between loads that wait for each other. No lock: the caller keeps nodes alive, by the map lock, by the
 * object's lock, or by a hazard (see cpu).
 * @param slot  out: where it is; entry NULL: a node is absent
 * @return the entry as it was read; one that was seen huge is returned so, whatever has become of it since
 */
static inline pte_t pt_look(const struct pgtable *pt, ksim_addr addr, struct pt_slot *slot)
{
	const char *ram = pt->ram;
	pte_t at = pte_read(&pt->top[addr >> 39 & (PT_ENTRIES - 1)]);
	pte_t *second;

	slot->entry = NULL;
	if (unlikely(!pte_present(at)))
		return PTE_NONE;
	at = pte_read(pt_entry_in(ram, at, addr, 30));
	if (unlikely(!pte_present(at)))
		return PTE_NONE;
	second = pt_entry_in(ram, at, addr, 21);
	at = pte_read(second);
	if (unlikely(!pte_present(at)))
		return PTE_NONE;
	if (unlikely((at.bits ^ pt->huge_flip) & pt->huge_bit)) {
		slot->entry = second;
		slot->node = (struct frame *)&pt->second;
		return at;
	}
	slot->entry = pt_entry_in(ram, at, addr, PAGE_SHIFT);
	slot->node = frame_of(pt->phys, pte_pfn(at));
	return pte_read(slot->entry);
}

/** Whether a slot is of the second level: what was huge there may have been split or have gone meanwhile. */
static inline bool pt_slot_huge(const struct pgtable *pt, const struct pt_slot *slot)
{
	return slot->node == &pt->second;
}

/** The entry for an address, PTE_NONE where a node is absent; of a huge one, what a leaf would have. No lock. */
static inline pte_t pt_walk(const struct pgtable *pt, ksim_addr addr)
{
	struct pt_slot slot;
	pte_t pte = pt_look(pt, addr, &slot);

	if (likely(slot.entry == NULL || !pt_slot_huge(pt, &slot)))
		return pte;
	return pte_make(pt->format, pte_pfn_at(pt->format, pte, addr), pte_flags(pt->format, pte));
}

/**
 * Find the leaf's slot of an address below PT_SPAN: false where a node is absent, or a huge entry stands in its place.
 * Nodes are kept alive as for pt_look.
 */
static inline bool pt_find(const struct pgtable *pt, ksim_addr addr, struct pt_slot *slot)
{
	KSIM_ASSERT(NULL, addr < PT_SPAN, "a slot's address is a user address", "%#llx", (unsigned long long)addr);
	pt_look(pt, addr, slot);
	return likely(slot->entry != NULL) && likely(!pt_slot_huge(pt, slot));
}

/**
 * Find the leaf's slot, making nodes on the way and splitting a huge entry that is there: 0 or -ENOMEM (nodes made so
 * far stay; they are harmless).
 * Several callers may do so at once (map lock shared).
 */
int pt_ensure(struct ctx *ctx, struct pgtable *pt, ksim_addr addr, struct pt_slot *slot);

static inline void pt_lock(struct ctx *ctx, struct pt_slot *slot)
{
	spin_lock(ctx, &slot->node->node_lock, RANK_PT_LEAF);
}

static inline void pt_unlock(struct ctx *ctx, struct pt_slot *slot)
{
	spin_unlock(ctx, &slot->node->node_lock, RANK_PT_LEAF);
}

/**
 * A run of entries of one leaf node within the wanted range: entries[0] is that of `addr`.
 * The callback locks and unlocks the node itself if it edits. Non-zero ends the iteration and is returned.
 */
typedef int pt_leaf_fn(struct ctx *ctx, struct pgtable *pt, struct pt_slot first, ksim_addr addr, size_t nentries,
                       void *arg);
/**
 * Every present leaf node in [start, end), page aligned, in order; absent subtrees cost one entry. Huge entries are
 * split, and visited as the leaf nodes that they become.
 */
int pt_for_each_leaf(struct ctx *ctx, struct pgtable *pt, ksim_addr start, ksim_addr end, pt_leaf_fn *fn, void *arg);

/* ---- huge entries: huge.c ---- */

/**
 * Who visits huge entries as what they are. `slot` is that of the entry, as it was seen without the lock; [addr,
 * addr + n pages) is what of it lies in the wanted range.
 */
typedef int pt_huge_fn(struct ctx *ctx, struct pgtable *pt, struct pt_slot slot, ksim_addr addr, size_t n, void *arg);

struct pt_visitor {
	pt_leaf_fn *leaf;
	pt_huge_fn *huge;
	bool parts; /* huge is called also for a part of an entry; else that is split */
};

/** As pt_for_each_leaf, with huge entries visited as such. */
int pt_visit(struct ctx *ctx, struct pgtable *pt, ksim_addr start, ksim_addr end, const struct pt_visitor *visitor,
             void *arg);

/**
 * The slot in which a huge entry for the address stands or may be set, whatever is there: absent, huge or a table.
 * pt_find_second: false where a node is absent; pt_ensure_second makes them: 0 or -ENOMEM.
 */
bool pt_find_second(const struct pgtable *pt, ksim_addr addr, struct pt_slot *slot);
int pt_ensure_second(struct ctx *ctx, struct pgtable *pt, ksim_addr addr, struct pt_slot *slot);

/** Lock the slot of a huge entry, and see whether one is there: its entry, else PTE_NONE. Locked in any case. */
pte_t pt_lock_huge(struct ctx *ctx, struct pgtable *pt, struct pt_slot *slot);

/** Whoever was setting or clearing a huge entry when this was called has done it when it returns. */
void pt_settle_huge(struct ctx *ctx, struct pgtable *pt);

/** A node for pt_set_huge to keep: 0 or -ENOMEM. */
int pt_node_alloc(struct ctx *ctx, pfn_t *node);
/** Free one that was not kept, or was given back. PFN_NONE is legal. */
void pt_node_free(struct ctx *ctx, pfn_t node);
/**
 * Set a huge entry where none and no table is: slot locked. node, which it takes over, is what the entry will be split
 * into. @return false: something is there, nothing was done
 */
bool pt_set_huge(struct pgtable *pt, struct pt_slot *slot, ksim_addr addr, pte_t pte, pfn_t *node);
/** Clear a huge entry that is there; slot locked. @return what it was; *node: what was kept for it, to be freed */
pte_t pt_clear_huge(struct pgtable *pt, struct pt_slot *slot, ksim_addr addr, pfn_t *node);
/**
 * If a huge entry maps the address, make of it a leaf node of 512 entries that say the same, and have the frames'
 * counts follow. Nobody loses a translation, nor an accessed or dirty bit. Cannot fail. The map lock (shared will do)
 * or the object's lock is held, the slot's is not.
 */
void pt_split(struct ctx *ctx, struct pgtable *pt, ksim_addr addr);
/**
 * The reverse, for a leaf node whose entries all map the frames of one block in a row, used for this, and allow the
 * same. Nobody else sets or clears entries there: the map lock is held exclusive, and the lock of the object, if the
 * VMA has one. When it succeeds the caller invalidates the span's nodes, then calls pt_merged.
 * @return the unhooked node; PFN_NONE: it cannot be
 */
pfn_t pt_merge(struct ctx *ctx, struct pgtable *pt, ksim_addr addr, enum frame_use use);
/** Nobody walks through the node any more: what they have marked there goes to the huge entry. */
void pt_merged(struct ctx *ctx, struct pgtable *pt, ksim_addr addr, pfn_t node);

/**
 * Find and lock the entry that maps an address, huge or not. Nodes are kept alive as for pt_look.
 * @return false: a node is absent, and nothing is locked; else *pte is what the entry is
 */
static inline bool pt_lock_entry(struct ctx *ctx, struct pgtable *pt, ksim_addr addr, struct pt_slot *slot, pte_t *pte)
{
	for (;;) {
		pt_look(pt, addr, slot);
		if (slot->entry == NULL)
			return false;
		pt_lock(ctx, slot);
		*pte = pte_read(slot->entry);
		if (likely(!pt_slot_huge(pt, slot)) || (pte_present(*pte) && pte_huge(pt->format, *pte)))
			return true;
		pt_unlock(ctx, slot);
	}
}

/**
 * Unhook every node below the root whose whole span lies in [floor, ceiling) and touches [start, end), for
 * pt_free_detached once nobody can walk through them any more. What is below an unhooked node goes with it.
 * All four are page aligned. The caller holds the map lock exclusive; no entry of these nodes is present, and no
 * mapping is left in [floor, ceiling).
 * @return the nodes, chained; PFN_NONE if there is none
 */
pfn_t pt_detach(struct ctx *ctx, struct pgtable *pt, ksim_addr start, ksim_addr end, ksim_addr floor,
                ksim_addr ceiling);
/** Free what pt_detach returned, after an invalidate of [floor, ceiling). */
void pt_free_detached(struct ctx *ctx, struct pgtable *pt, pfn_t chain);

/** Validator: shape, node kinds and counts. */
void pt_check(const struct pgtable *pt, struct check_report *report);

#endif
