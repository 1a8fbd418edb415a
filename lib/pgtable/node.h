/* SPDX-License-Identifier: MIT */
/*
 * Nodes of a page table, within pgtable. A node's level is the shift of the address bits that index it:
 * 39 is the root, 12 a leaf node.
 */
#ifndef PGTABLE_NODE_H
#define PGTABLE_NODE_H

#include "pgtable/pgtable.h"

#define PT_INDEX_BITS 9
#define PT_ROOT_SHIFT 39
#define PT_LEAF_SHIFT PAGE_SHIFT
#define PT_HUGE_SHIFT (PT_LEAF_SHIFT + PT_INDEX_BITS) /* where huge entries are */

/** Where a walk ends: at the leaf entry, at a huge one, or at an absent entry above the leaves. */
struct stop {
	pte_t *entry;
	pfn_t node;
	unsigned shift; /* of the node */
	bool huge;
};

/** Walk, down to the node of this level at most. */
struct stop pt_stop(const struct pgtable *pt, ksim_addr addr, unsigned lowest);
/** Make a node and hook it where a walk has stopped, unless somebody else has hooked one meanwhile. 0 or -ENOMEM. */
int pt_hook_node(struct ctx *ctx, struct pgtable *pt, struct stop at);

static inline pte_t *node_entries(const struct pgtable *pt, pfn_t node)
{
	return frame_ptr(pt->phys, node);
}

static inline unsigned node_index(ksim_addr addr, unsigned shift)
{
	return addr >> shift & (PT_ENTRIES - 1);
}

/** Bytes of address space under one entry of a node. */
static inline uint64_t entry_span(unsigned shift)
{
	return UINT64_C(1) << shift;
}

/** The first address of the next entry's span. */
static inline ksim_addr entry_end(ksim_addr addr, unsigned shift)
{
	return (addr | (entry_span(shift) - 1)) + 1;
}

#endif
