// SPDX-License-Identifier: MIT
/*
 * Huge entries: one of the second level that maps 2 MiB, in the place of a leaf node.
 *
 *	level 2   | huge: pfn 512 k, flags |   <-- split --   -- merge -->   | table |
 *	                                                                        |
 *	leaf                                                 | pfn 512 k | 512 k + 1 | ... | 512 k + 511 |
 *
 * A part of what it maps may have to go, or to change, where nothing may fail: in munmap, in a truncation that comes
 * through the reverse map. So for each huge entry there is a node in reserve from before it was set, as Linux deposits
 * one. A split fills a node before anybody can see it and exchanges the one entry for the other, so nothing is unmapped
 * in between; whoever has marked the huge entry accessed or dirty meanwhile makes the exchange fail, and it is done
 * again. TLBs keep what they have, for it stays true.
 *
 * A merge unhooks a leaf node under those who may still walk through it and mark its entries. So the node is looked at
 * once more when nobody can, before it goes to the reserve.
 *
 * I1  the nodes in reserve are as many as the huge entries of the table
 * I2  a node in reserve is all zeros, and its struct frame's link is the next one's
 * I3  a huge entry counts in `children` of its node as a table does, and in its block (phys, block.c)
 *
 * Locking: pt->second's node_lock, one for all huge entries of a table and for the reserve: it is held for a few
 * instructions, while a split fills a node, or over one invalidation. Of leaf locks at most one is held at a time; a
 * merge takes none, since it shuts out all others who would.
 * Linux: mm/huge_memory.c (__split_huge_pmd_locked, pgtable_trans_huge_deposit), mm/khugepaged.c (collapse).
 */
#include "pgtable/node.h"

static bool is_huge(const struct pgtable *pt, pte_t pte)
{
	return pte_present(pte) && pte_huge(pt->format, pte);
}

static pte_t table_entry(const struct pgtable *pt, pfn_t node)
{
	return (pte_t){ node.n << PAGE_SHIFT | pt->format->table_bits };
}

bool pt_find_second(const struct pgtable *pt, ksim_addr addr, struct pt_slot *slot)
{
	struct stop at = pt_stop(pt, addr, PT_HUGE_SHIFT);

	*slot = (struct pt_slot){ at.entry, (struct frame *)&pt->second };
	return at.shift == PT_HUGE_SHIFT;
}

int pt_ensure_second(struct ctx *ctx, struct pgtable *pt, ksim_addr addr, struct pt_slot *slot)
{
	while (!pt_find_second(pt, addr, slot)) {
		struct stop at = pt_stop(pt, addr, PT_HUGE_SHIFT);
		int err = at.shift != PT_HUGE_SHIFT ? pt_hook_node(ctx, pt, at) : 0;

		if (err < 0)
			return err;
	}
	return 0;
}

pte_t pt_lock_huge(struct ctx *ctx, struct pgtable *pt, struct pt_slot *slot)
{
	pte_t pte;

	pt_lock(ctx, slot);
	pte = pte_read(slot->entry);
	return is_huge(pt, pte) ? pte : PTE_NONE;
}

void pt_settle_huge(struct ctx *ctx, struct pgtable *pt)
{
	struct pt_slot any = { NULL, (struct frame *)&pt->second };

	pt_lock(ctx, &any);
	pt_unlock(ctx, &any);
}

/* ---- the reserve ---- */

int pt_node_alloc(struct ctx *ctx, pfn_t *node)
{
	return frame_alloc(ctx, FRAME_TABLE, FRAME_ZERO, node);
}

void pt_node_free(struct ctx *ctx, pfn_t node)
{
	if (node.n != 0)
		frame_put_zeros(ctx, node);
}

static void keep(struct pgtable *pt, pfn_t node)
{
	frame_of(pt->phys, node)->link = (uint32_t)pt->reserve.n;
	pt->reserve = node;
	pt->nreserve++;
}

static pfn_t take(struct pgtable *pt)
{
	pfn_t node = pt->reserve;

	KSIM_ASSERT(NULL, node.n != 0, "huge I1: a node is kept for each huge entry", "%llu are left",
	            (unsigned long long)pt->nreserve);
	pt->reserve.n = frame_of(pt->phys, node)->link;
	pt->nreserve--;
	frame_of(pt->phys, node)->link = 0;
	return node;
}

/* ---- setting and clearing ---- */

/* The struct frame of the node of the second level that an address has. */
static struct frame *node_of(const struct pgtable *pt, ksim_addr addr)
{
	return frame_of(pt->phys, pt_stop(pt, addr, PT_HUGE_SHIFT).node);
}

bool pt_set_huge(struct pgtable *pt, struct pt_slot *slot, ksim_addr addr, pte_t pte, pfn_t *node)
{
	if (!pte_compare_exchange(slot->entry, PTE_NONE, pte))
		return false; /* tables are hooked without the lock */
	__atomic_fetch_add(&node_of(pt, addr)->children, 1, __ATOMIC_RELAXED);
	keep(pt, *node);
	*node = PFN_NONE;
	return true;
}

pte_t pt_clear_huge(struct pgtable *pt, struct pt_slot *slot, ksim_addr addr, pfn_t *node)
{
	pte_t was = pte_exchange(slot->entry, PTE_NONE);

	__atomic_fetch_sub(&node_of(pt, addr)->children, 1, __ATOMIC_RELAXED);
	*node = take(pt);
	return was;
}

/* ---- splitting and merging ---- */

static void fill(const struct pgtable *pt, pfn_t node, pte_t huge)
{
	pte_t *entries = node_entries(pt, node);
	uint64_t bits = pte_make(pt->format, pte_pfn(huge), pte_flags(pt->format, huge)).bits;

	for (uint64_t i = 0; i < PT_ENTRIES; i++)
		__atomic_store_n(&entries[i].bits, bits + (i << PAGE_SHIFT), __ATOMIC_RELAXED);
}

void pt_split(struct ctx *ctx, struct pgtable *pt, ksim_addr addr)
{
	struct pt_slot slot;
	pfn_t node;
	pte_t was;

	if (!pt_find_second(pt, addr, &slot) || !is_huge(pt, pte_read(slot.entry)))
		return;
	was = pt_lock_huge(ctx, pt, &slot);
	if (pte_present(was)) {
		node = take(pt);
		frame_block_spread(ctx, pt->phys, pte_pfn(was));
		for (fill(pt, node, was); !pte_compare_exchange(slot.entry, was, table_entry(pt, node));
		     fill(pt, node, was))
			was = pte_read(slot.entry); /* marked meanwhile */
		__atomic_fetch_add(&pt->nodes, 1, __ATOMIC_RELAXED);
	}
	pt_unlock(ctx, &slot);
}

/*
 * The flags that all entries of a node agree on, marks of any of them included, if they map a block in a row; else -1.
 */
static int flags_in_common(const struct pgtable *pt, pfn_t node, pfn_t *head)
{
	const pte_t *entries = node_entries(pt, node);
	const unsigned marks = PTE_ACCESSED | PTE_DIRTY;
	pte_t first = pte_read(&entries[0]);
	unsigned flags, allowed;

	*head = pte_pfn(first);
	if (!pte_present(first) || head->n % HUGE_FRAMES != 0)
		return -1;
	flags = pte_flags(pt->format, first);
	allowed = flags & ~marks;
	for (uint64_t i = 1; i < PT_ENTRIES; i++) {
		pte_t pte = pte_read(&entries[i]);

		if (!pte_present(pte) || pte_pfn(pte).n != head->n + i ||
		    (pte_flags(pt->format, pte) & ~marks) != allowed)
			return -1;
		flags |= pte_flags(pt->format, pte) & marks;
	}
	return (int)flags;
}

static bool are_used_as(const struct pgtable *pt, pfn_t head, enum frame_use use)
{
	for (uint64_t i = 0; i < HUGE_FRAMES; i++)
		if (frame_use(frame_of(pt->phys, (pfn_t){ head.n + i })) != use)
			return false;
	return true;
}

pfn_t pt_merge(struct ctx *ctx, struct pgtable *pt, ksim_addr addr, enum frame_use use)
{
	struct pt_slot slot;
	pte_t table;
	pfn_t head, node;
	int flags;

	if (!pt_find_second(pt, addr, &slot))
		return PFN_NONE;
	table = pte_read(slot.entry);
	if (!pte_present(table) || is_huge(pt, table))
		return PFN_NONE;
	node = pte_pfn(table);
	flags = flags_in_common(pt, node, &head);
	if (flags < 0 || !are_used_as(pt, head, use))
		return PFN_NONE;
	pt_lock(ctx, &slot);
	pte_exchange(slot.entry, pte_make_huge(pt->format, head, (unsigned)flags));
	pt_unlock(ctx, &slot);
	__atomic_fetch_sub(&pt->nodes, 1, __ATOMIC_RELAXED);
	return node;
}

void pt_merged(struct ctx *ctx, struct pgtable *pt, ksim_addr addr, pfn_t node)
{
	pte_t *entries = node_entries(pt, node);
	struct pt_slot slot;
	unsigned marks = 0;
	pte_t was;

	for (uint64_t i = 0; i < PT_ENTRIES; i++)
		marks |= pte_flags(pt->format, pte_exchange(&entries[i], PTE_NONE)) & (PTE_ACCESSED | PTE_DIRTY);
	pt_find_second(pt, addr, &slot);
	was = pt_lock_huge(ctx, pt, &slot);
	KSIM_ASSERT(ctx, pte_present(was), "a merged entry is there until the merge is done", "at %#llx",
	            (unsigned long long)addr);
	frame_block_gather(ctx, pt->phys, pte_pfn(was));
	while (!pte_compare_exchange(slot.entry, was,
	                             pte_with_flags(pt->format, was, pte_flags(pt->format, was) | marks)))
		was = pte_read(slot.entry);
	keep(pt, node);
	pt_unlock(ctx, &slot);
}
