// SPDX-License-Identifier: MIT
/*
 * The validator of a page table, fed with tables in which one entry, node or count is wrong: it must say which.
 */
#include "pgtable/node.h"
#include "unit/finds.h"
#include "unit/pgtable/bed.h"

#define ADDR UINT64_C(0x40201000)
#define RW   (PTE_READ | PTE_WRITE)

/* The entry for ADDR in the node of that level. */
static pte_t *entry_of(struct pt_bed *b, unsigned level_shift)
{
	pfn_t node = b->pt.root;

	for (unsigned shift = PT_ROOT_SHIFT; shift > level_shift; shift -= PT_INDEX_BITS)
		node = pte_pfn(node_entries(&b->pt, node)[node_index(ADDR, shift)]);
	return &node_entries(&b->pt, node)[node_index(ADDR, level_shift)];
}

/* For each format, with one page mapped at ADDR. */
static void on_both(void (*body)(struct pt_bed *b))
{
	struct pt_bed b;

	for (size_t f = 0; f < NFORMATS; f++) {
		pt_bed_open(&b, pt_formats[f], MIB);
		SETUP(pt_bed_map(&b, ADDR, RW) == 0 && b.pt.nodes == 4);
		EXPECT_SOUND(pt_check, &b.pt);
		body(&b);
		EXPECT_EQ(pt_bed_unmap(&b, 0, PT_SPAN, 0, PT_SPAN), 1);
		pt_bed_close(&b);
	}
}

static void node_body(struct pt_bed *b)
{
	uint64_t table_bits = b->pt.format->table_bits, no_frame = b->bed.phys->nframes << PAGE_SHIFT;
	pte_t *leaf_node = entry_of(b, PT_LEAF_SHIFT + PT_INDEX_BITS);
	struct frame *frame = frame_of(b->bed.phys, pte_pfn(*leaf_node));

	EXPECT_FINDS_WHILE(leaf_node->bits, no_frame | table_bits, "a node is a frame of use table: pfn 0x100",
	                   pt_check, &b->pt);
	EXPECT_FINDS_WHILE(leaf_node->bits, table_bits, "a node is a frame of use table: pfn 0", pt_check, &b->pt);
	EXPECT_FINDS_WHILE(leaf_node->bits, b->page.n << PAGE_SHIFT | table_bits, "a node is a frame of use table",
	                   pt_check, &b->pt);
	EXPECT_FINDS_WHILE(frame->refs, 2, "a node has one reference", pt_check, &b->pt);
	EXPECT_FINDS_WHILE(frame->node_lock, 1, "a node's lock is free when nobody is at work", pt_check, &b->pt);
	EXPECT_FINDS_WHILE(b->pt.nodes, 5, "nodes are counted: found 4, counted 5", pt_check, &b->pt);
}

TEST(pt_check, broken_node_is_named)
{
	on_both(node_body);
}

static void table_entry_body(struct pt_bed *b)
{
	pte_t *upper = entry_of(b, PT_ROOT_SHIFT);
	pte_t *beyond = &node_entries(&b->pt, b->pt.root)[PT_ENTRIES / 2];

	EXPECT_FINDS_WHILE(upper->bits, upper->bits & ~UINT64_C(2), "an entry above the leaves is 0 or a table",
	                   pt_check, &b->pt);
	EXPECT_FINDS_WHILE(upper->bits, upper->bits & ~PTE_PRESENT, "an entry above the leaves is 0 or a table",
	                   pt_check, &b->pt);
	EXPECT_FINDS_WHILE(beyond->bits, upper->bits, "nothing is mapped beyond user addresses: address 0x800000000000",
	                   pt_check, &b->pt);
}

TEST(pt_check, broken_entry_above_the_leaves_is_named)
{
	on_both(table_entry_body);
}

static void leaf_entry_body(struct pt_bed *b)
{
	uint64_t no_frame = b->bed.phys->nframes << PAGE_SHIFT;
	pte_t *entry = entry_of(b, PT_LEAF_SHIFT);
	const struct pte_format *format = b->pt.format;

	EXPECT_FINDS_WHILE(entry->bits, entry->bits & ~PTE_PRESENT, "an entry is 0, a guard or what its format makes",
	                   pt_check, &b->pt);
	EXPECT_FINDS_WHILE(entry->bits, entry->bits | UINT64_C(1) << 48,
	                   "an entry is 0, a guard or what its format makes", pt_check, &b->pt);
	EXPECT_FINDS_WHILE(entry->bits, pte_make(format, PFN_NONE, RW).bits,
	                   "an entry points to a page in use: address 0x40201000: pfn 0, use 2", pt_check, &b->pt);
	EXPECT_FINDS_WHILE(entry->bits, pte_make(format, b->pt.root, RW).bits, "an entry points to a page in use",
	                   pt_check, &b->pt);
	EXPECT_FINDS_WHILE(entry->bits, entry->bits | no_frame, "an entry points to a page in use", pt_check, &b->pt);
}

TEST(pt_check, broken_leaf_entry_is_named)
{
	on_both(leaf_entry_body);
}
