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

	if (pte.bits == 0 || pte_is_guard(pte))
		return;
	CHECK_THAT(report, pte.bits == pte_make(pt->format, pfn, pte_flags(pt->format, pte)).bits,
	           "an entry is 0, a guard or what its format makes", "%s, address %#llx: %#llx", pt->format->name,
	           (ull)addr, (ull)pte.bits);
	use = pfn.n < pt->phys->nframes ? frame_of(pt->phys, pfn)->use : FRAME_FREE;
	CHECK_THAT(report, use == FRAME_ANON || use == FRAME_FILE, "an entry points to a page in use",
	           "address %#llx: pfn %#llx, use %u", (ull)addr, (ull)pfn.n, use);
}

static void check_huge_entry(const struct pgtable *pt, pte_t pte, ksim_addr addr, struct check_report *report)
{
	pfn_t pfn = pte_pfn(pte);
	bool sound = pfn.n % HUGE_FRAMES == 0 && pfn.n != 0 && pfn.n + HUGE_FRAMES <= pt->phys->nframes;
	unsigned use = sound ? frame_use(frame_of(pt->phys, pfn)) : FRAME_FREE;

	CHECK_THAT(report, pte.bits == pte_make_huge(pt->format, pfn, pte_flags(pt->format, pte)).bits,
	           "a huge entry is what its format makes", "%s, address %#llx: %#llx", pt->format->name, (ull)addr,
	           (ull)pte.bits);
	CHECK_THAT(report, use == FRAME_ANON || use == FRAME_FILE, "a huge entry points to a block of pages in use",
	           "address %#llx: pfn %#llx, use %u", (ull)addr, (ull)pfn.n, use);
	CHECK_THAT(report, !sound || frame_huge_mappers(pt->phys, pfn) > 0, "a huge entry counts as one of its block's",
	           "address %#llx: pfn %#llx", (ull)addr, (ull)pfn.n);
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
		if (shift == PT_HUGE_SHIFT && pte_present(pte) && pte_huge(pt->format, pte)) {
			check_huge_entry(pt, pte, addr, report);
			children++;
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

static uint64_t count_huge(const struct pgtable *pt, pfn_t node, unsigned shift)
{
	const pte_t *entries = node_entries(pt, node);
	uint64_t n = 0;

	for (unsigned i = 0; i < PT_ENTRIES; i++) {
		pte_t pte = pte_read(&entries[i]);

		if (pte_present(pte) && pte_pfn(pte).n < pt->phys->nframes)
			n += shift > PT_HUGE_SHIFT ? count_huge(pt, pte_pfn(pte), shift - PT_INDEX_BITS)
			                           : pte_huge(pt->format, pte);
	}
	return n;
}

static void check_reserve(const struct pgtable *pt, struct check_report *report)
{
	uint64_t huge = count_huge(pt, pt->root, PT_ROOT_SHIFT), n = 0;

	for (pfn_t node = pt->reserve; node.n != 0 && n <= pt->nreserve; node.n = frame_of(pt->phys, node)->link, n++)
		if (!check_node(pt, node, report))
			break;
	CHECK_THAT(report, n == pt->nreserve && n == huge, "huge I1: a node is kept for each huge entry",
	           "%llu kept, %llu counted, %llu huge entries", (ull)n, (ull)pt->nreserve, (ull)huge);
	CHECK_THAT(report, pt->second.node_lock == 0, "the lock of huge entries is free when nobody is at work", "%u",
	           pt->second.node_lock);
}

void pt_check(const struct pgtable *pt, struct check_report *report)
{
	uint64_t nodes = check_subtree(pt, pt->root, PT_ROOT_SHIFT, 0, report);
	uint64_t counted = __atomic_load_n(&pt->nodes, __ATOMIC_RELAXED);

	CHECK_THAT(report, nodes == counted, "nodes are counted", "found %llu, counted %llu", (ull)nodes, (ull)counted);
	check_reserve(pt, report);
}
