// SPDX-License-Identifier: MIT
/*
 * The end of nodes.
 *
 * While a node is hooked, or after it was unhooked but before every translation through it has been invalidated,
 * somebody may be walking through it. So the caller first has nodes unhooked, then invalidates, then has them freed.
 * In between they are chained through `link` in their struct frame, and all their entries are absent: a walker who is
 * inside ends at an absent entry as he would have before, perhaps a level earlier. So a node is all zeros when it is
 * freed, and phys is told so.
 *
 * A node between root and leaves knows how many children it has. Taking it apart begins where the range does and ends
 * with the last child, so that what a small mapping used costs no look at thousands of empty entries.
 *
 *   floor                                          ceiling
 *     |      [start       end)                        |      no mapping is left between floor and ceiling
 *     |  x------x------x------x                       |      nodes below which lies nothing else: unhooked
 *   --|---------------x-------------------------------|--    a node that reaches beyond: stays
 *
 * I1  a node is unhooked only if its whole span lies in [floor, ceiling), and then with all that hangs on it
 * I2  an unhooked node has no present entry; a leaf's lock is free
 *
 * Locking: the map lock held exclusive, the mappings off their objects' lists: nobody else locks these nodes' entries.
 * Linux: mm/memory.c (free_pgtables, free_pgd_range), whose floor and ceiling these are.
 */
#include "pgtable/node.h"

struct detach {
	struct ctx *ctx;
	struct pgtable *pt;
	ksim_addr start;
	ksim_addr floor;
	ksim_addr ceiling;
	pfn_t chain; /* newest first */
};

/** Where poison is asked for: looking at 512 entries costs as much as poisoning them. */
static void assert_empty(const struct detach *d, pfn_t node)
{
	const pte_t *entries = node_entries(d->pt, node);

	for (unsigned i = 0; i < PT_ENTRIES; i++)
		KSIM_ASSERT(d->ctx, pte_read(&entries[i]).bits == 0, "an unhooked node has no present entry",
		            "pfn %#llx, entry %u: %#llx", (unsigned long long)node.n, i,
		            (unsigned long long)pte_read(&entries[i]).bits);
}

static void chain_subtree(struct detach *d, pfn_t node, unsigned shift, ksim_addr base);

/** Unhook and chain all nodes below one between root and leaves, whose span begins at base. */
static void chain_children(struct detach *d, pfn_t node, unsigned shift, ksim_addr base)
{
	pte_t *entries = node_entries(d->pt, node);
	struct frame *frame = frame_of(d->pt->phys, node);
	unsigned first = d->start > base ? node_index(d->start, shift) : 0;

	for (unsigned i = 0; frame->children > 0; i++) {
		unsigned at = (first + i) % PT_ENTRIES;
		pte_t pte = pte_read(&entries[at]);

		KSIM_ASSERT(d->ctx,
		            i < PT_ENTRIES &&
		                    (!pte_present(pte) || shift > PT_HUGE_SHIFT || !pte_huge(d->pt->format, pte)),
		            "children are counted, and none is a huge entry", "pfn %#llx: %u more",
		            (unsigned long long)node.n, frame->children);
		if (!pte_present(pte))
			continue;
		pte_exchange(&entries[at], PTE_NONE);
		frame->children--;
		chain_subtree(d, pte_pfn(pte), shift - PT_INDEX_BITS, base + at * entry_span(shift));
	}
}

/** Chain a node that was just unhooked, and all nodes below it. */
static void chain_subtree(struct detach *d, pfn_t node, unsigned shift, ksim_addr base)
{
	struct frame *frame = frame_of(d->pt->phys, node);

	KSIM_ASSERT(d->ctx, frame->use == FRAME_TABLE && (shift > PT_LEAF_SHIFT || frame->node_lock == 0),
	            "an unhooked node is a table and unlocked", "pfn %#llx: use %u, lock %u",
	            (unsigned long long)node.n, frame->use, frame->node_lock);
	if (shift > PT_LEAF_SHIFT)
		chain_children(d, node, shift, base);
	if (d->pt->phys->poison)
		assert_empty(d, node);
	frame->link = (uint32_t)d->chain.n;
	d->chain = node;
	__atomic_fetch_sub(&d->pt->nodes, 1, __ATOMIC_RELAXED);
}

/** Unhook what may go below one node that stays. */
static void detach_below(struct detach *d, pfn_t node, unsigned shift, ksim_addr start, ksim_addr end)
{
	pte_t *entries = node_entries(d->pt, node);
	ksim_addr next;

	for (; start < end; start = next) {
		ksim_addr span_start = start & ~(entry_span(shift) - 1);
		pte_t *entry = &entries[node_index(start, shift)];
		pte_t pte = pte_read(entry);

		next = entry_end(start, shift);
		if (!pte_present(pte))
			continue;
		if (span_start >= d->floor && next <= d->ceiling) {
			pte_exchange(entry, PTE_NONE);
			if (shift < PT_ROOT_SHIFT)
				frame_of(d->pt->phys, node)->children--;
			chain_subtree(d, pte_pfn(pte), shift - PT_INDEX_BITS, span_start);
		} else if (shift - PT_INDEX_BITS > PT_LEAF_SHIFT) {
			detach_below(d, pte_pfn(pte), shift - PT_INDEX_BITS, start, MIN(next, end));
		}
	}
}

pfn_t pt_detach(struct ctx *ctx, struct pgtable *pt, ksim_addr start, ksim_addr end, ksim_addr floor, ksim_addr ceiling)
{
	struct detach d = { .ctx = ctx, .pt = pt, .start = start, .floor = floor, .ceiling = ceiling };

	KSIM_ASSERT(ctx, floor <= start && start <= end && end <= ceiling && ceiling <= PT_SPAN,
	            "floor, start, end, ceiling ascend below PT_SPAN", "%#llx, %#llx, %#llx, %#llx",
	            (unsigned long long)floor, (unsigned long long)start, (unsigned long long)end,
	            (unsigned long long)ceiling);
	detach_below(&d, pt->root, PT_ROOT_SHIFT, start, end);
	return d.chain;
}

void pt_free_detached(struct ctx *ctx, struct pgtable *pt, pfn_t chain)
{
	while (chain.n != 0) {
		struct frame *frame = frame_of(pt->phys, chain);
		pfn_t next = { frame->link };

		frame->link = 0;
		frame_put_zeros(ctx, chain);
		chain = next;
	}
}

void pt_fini(struct ctx *ctx, struct pgtable *pt)
{
	if (pt->root.n == 0)
		return;
	pt_free_detached(ctx, pt, pt_detach(ctx, pt, 0, PT_SPAN, 0, PT_SPAN));
	KSIM_ASSERT(ctx, pt->nodes == 1, "nodes are counted", "%llu beside the root are left",
	            (unsigned long long)pt->nodes - 1);
	frame_put_zeros(ctx, pt->root);
	KSIM_ASSERT(ctx, pt->nreserve == 0, "nodes are kept only for huge entries", "%llu are left",
	            (unsigned long long)pt->nreserve);
	pt->root = PFN_NONE;
	pt->top = NULL;
	pt->nodes = 0;
}
