// SPDX-License-Identifier: MIT
/*
 * The validator of a page table: the invariants of pgtable.c, and that every leaf entry is one its format makes.
 *
 * Whether the right frames are mapped where is for the validators of mm and object to say.
 *
 * Locking: none; exact when no call is under way.
 */
#include "pgtable/node.h"

typedef unsigned long long ull;

static bool check_node(const struct pgtable *pt, pfn_t node, struct check_report *report)
{
	const struct frame *frame = frame_of(pt->phys, node);
	bool sound = node.n != 0 && node.n < pt->phys->nframes && frame->use == FRAME_TABLE;

	CHECK_THAT(report, sound, "a node is a frame of use table", "pfn %#llx", (ull)node.n);
	if (!sound)
		return false;
	CHECK_THAT(report, frame_refs(pt->phys, node) == 1, "a node has one reference", "pfn %#llx: %u", (ull)node.n,
	           frame_refs(pt->phys, node));
	return true;
}

static void check_leaf_entry(const struct pgtable *pt, pte_t pte, ksim_addr addr, struct check_report *report)
{
	pfn_t pfn = pte_pfn(pte);
	unsigned use;

	if (pte.bits == 0)
		return;
	CHECK_THAT(report, pte.bits == pte_make(pt->format, pfn, pte_flags(pt->format, pte)).bits,
	           "an entry is 0 or what its format makes", "%s, address %#llx: %#llx", pt->format->name, (ull)addr,
	           (ull)pte.bits);
	use = pfn.n < pt->phys->nframes ? frame_of(pt->phys, pfn)->use : FRAME_FREE;
	CHECK_THAT(report, use == FRAME_ANON || use == FRAME_FILE, "an entry points to a page in use",
	           "address %#llx: pfn %#llx, use %u", (ull)addr, (ull)pfn.n, use);
}

/** @return nodes in this subtree */
static uint64_t check_subtree(const struct pgtable *pt, pfn_t node, unsigned shift, ksim_addr base,
                              struct check_report *report)
{
	const pte_t *entries = node_entries(pt, node);
	const struct frame *frame = frame_of(pt->phys, node);
	uint64_t nodes = 1;
	uint32_t children = 0;

	if (!check_node(pt, node, report))
		return 0;
	for (unsigned i = 0; i < PT_ENTRIES; i++) {
		ksim_addr addr = base + i * entry_span(shift);
		pte_t pte = pte_read(&entries[i]);

		if (shift == PT_LEAF_SHIFT) {
			check_leaf_entry(pt, pte, addr, report);
			continue;
		}
		CHECK_THAT(report, pte.bits == 0 || (pte.bits & ~PTE_PFN_MASK) == pt->format->table_bits,
		           "an entry above the leaves is 0 or a table", "%s, address %#llx, shift %u: %#llx",
		           pt->format->name, (ull)addr, shift, (ull)pte.bits);
		CHECK_THAT(report, pte.bits == 0 || addr < PT_SPAN, "nothing is mapped beyond user addresses",
		           "address %#llx: %#llx", (ull)addr, (ull)pte.bits);
		if (!pte_present(pte))
			continue;
		children++;
		nodes += check_subtree(pt, pte_pfn(pte), shift - PT_INDEX_BITS, addr, report);
	}
	if (shift == PT_LEAF_SHIFT)
		CHECK_THAT(report, frame->node_lock == 0, "a node's lock is free when nobody is at work",
		           "pfn %#llx: %u", (ull)node.n, frame->node_lock);
	else
		CHECK_THAT(report, frame->children == (shift < PT_ROOT_SHIFT ? children : 0), "children are counted",
		           "pfn %#llx: found %u, counted %u", (ull)node.n, children, frame->children);
	return nodes;
}

void pt_check(const struct pgtable *pt, struct check_report *report)
{
	uint64_t nodes = check_subtree(pt, pt->root, PT_ROOT_SHIFT, 0, report);
	uint64_t counted = __atomic_load_n(&pt->nodes, __ATOMIC_RELAXED);

	CHECK_THAT(report, nodes == counted, "nodes are counted", "found %llu, counted %llu", (ull)nodes, (ull)counted);
}
