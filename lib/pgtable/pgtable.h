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
#define PT_LEAF_SPAN (PAGE_BYTES * PT_ENTRIES) /* bytes under one leaf node: 2 MiB */
#define PT_SPAN      (UINT64_C(1) << 47)       /* user addresses lie below: 128 TiB */

struct pgtable {
	const struct pte_format *format; /* c */
	struct phys *phys;               /* c */
	pfn_t root;                      /* c */
	char *ram;                       /* c  of phys */
	pte_t *top;                      /* c  the root's entries */
	uint64_t nodes;                  /* a  hooked nodes, the root included */
};

/** One leaf entry and the node it is in, whose lock guards it. */
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
 * The leaf entry of an address and the entry that leads to its node; NULL where a node is absent. No lock.
 * Written out, so that nothing but an index and a mask stands between four loads that wait for each other.
 */
static inline pte_t *pt_leaf(const struct pgtable *pt, ksim_addr addr, pte_t *table)
{
	const char *ram = pt->ram;
	pte_t at = pte_read(&pt->top[addr >> 39 & (PT_ENTRIES - 1)]);

	if (unlikely(!pte_present(at)))
		return NULL;
	at = pte_read(pt_entry_in(ram, at, addr, 30));
	if (unlikely(!pte_present(at)))
		return NULL;
	at = pte_read(pt_entry_in(ram, at, addr, 21));
	if (unlikely(!pte_present(at)))
		return NULL;
	*table = at;
	return pt_entry_in(ram, at, addr, PAGE_SHIFT);
}

/**
 * The entry for an address, PTE_NONE where a node is absent. No lock.
 * The caller keeps nodes alive: by the map lock, by the object's lock, or by a hazard (see cpu).
 */
static inline pte_t pt_walk(const struct pgtable *pt, ksim_addr addr)
{
	pte_t table;
	pte_t *entry = pt_leaf(pt, addr, &table);

	return entry != NULL ? pte_read(entry) : PTE_NONE;
}

/** Find the slot of an address below PT_SPAN: false where a node is absent. Nodes are kept alive as for pt_walk. */
static inline bool pt_find(const struct pgtable *pt, ksim_addr addr, struct pt_slot *slot)
{
	pte_t table;

	KSIM_ASSERT(NULL, addr < PT_SPAN, "a slot's address is a user address", "%#llx", (unsigned long long)addr);
	slot->entry = pt_leaf(pt, addr, &table);
	if (unlikely(slot->entry == NULL))
		return false;
	slot->node = frame_of(pt->phys, pte_pfn(table));
	return true;
}

/**
 * Find the slot, making nodes on the way: 0 or -ENOMEM (nodes made so far stay; they are harmless).
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
/** Every present leaf node in [start, end), page aligned, in order; absent subtrees cost one entry. */
int pt_for_each_leaf(struct ctx *ctx, struct pgtable *pt, ksim_addr start, ksim_addr end, pt_leaf_fn *fn, void *arg);

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
