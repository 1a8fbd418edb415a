// SPDX-License-Identifier: MIT
/*
 * Entries of 2 MiB: how both architectures spell them, who sees them, and their splitting and merging.
 */
#include "bed.h"

#define AT (UINT64_C(0x7f12) << 32)

struct huge_bed {
	struct pt_bed b;
	pfn_t head;
};

enum { RW = PTE_READ | PTE_WRITE };

static void open_bed(struct huge_bed *h, const struct pte_format *format)
{
	pt_bed_open(&h->b, format, 16 * MIB);
	SETUP(frame_alloc_block(&h->b.bed.ctx, FRAME_ANON, HUGE_ORDER, 0, &h->head) == 0);
}

static void map_huge(struct huge_bed *h, ksim_addr addr, unsigned flags)
{
	struct ctx *ctx = &h->b.bed.ctx;
	struct pgtable *pt = &h->b.pt;
	struct pt_slot slot;
	pfn_t node;

	REQUIRE_EQ(pt_ensure_second(ctx, pt, addr, &slot), 0);
	REQUIRE_EQ(pt_node_alloc(ctx, &node), 0);
	pt_lock(ctx, &slot);
	REQUIRE(pt_set_huge(pt, &slot, addr, pte_make_huge(pt->format, h->head, flags), &node));
	pt_unlock(ctx, &slot);
	EXPECT_EQ(node.n, 0);
	frame_block_map(pt->phys, h->head);
}

static void unmap_huge(struct huge_bed *h, ksim_addr addr)
{
	struct ctx *ctx = &h->b.bed.ctx;
	struct pgtable *pt = &h->b.pt;
	struct pt_slot slot;
	pfn_t node = PFN_NONE;

	REQUIRE(pt_find_second(pt, addr, &slot));
	EXPECT(pte_present(pt_lock_huge(ctx, pt, &slot)));
	pt_clear_huge(pt, &slot, addr, &node);
	pt_unlock(ctx, &slot);
	pt_node_free(ctx, node);
	frame_block_unmap(ctx, pt->phys, h->head);
}

/* After a split: clear the entries of the span and drop what they hold. */
static void unmap_small(struct huge_bed *h, ksim_addr addr)
{
	size_t cleared = 0;

	EXPECT_EQ(pt_for_each_leaf(&h->b.bed.ctx, &h->b.pt, addr, addr + PT_LEAF_SPAN, pt_bed_clear_leaf, &cleared), 0);
	EXPECT_EQ(cleared, 512);
	for (uint64_t i = 0; i < HUGE_FRAMES; i++)
		frame_of(h->b.pt.phys, h->head)[i].mappers--;
	frame_put_block(&h->b.bed.ctx, h->head);
}

/*
 * Intel SDM 3A, table 4-18: bit 7 makes an entry of a page directory a 2 MiB page. Arm ARM D8.3.1: a block has bit 1
 * clear.
 */
TEST(pt_huge, entry_is_a_page_directory_entry_with_ps_or_a_block_descriptor)
{
	pfn_t pfn = { 0x12200 };

	EXPECT_EQ(pte_make_huge(&pte_x86_64, pfn, RW | PTE_DIRTY | PTE_ACCESSED).bits, UINT64_C(0x80000000122000e7));
	EXPECT_EQ(pte_make_huge(&pte_aarch64, pfn, PTE_READ).bits & 3, 1);
	for (size_t i = 0; i < NFORMATS; i++)
		for (unsigned flags = 0; flags < 32; flags++) {
			pte_t huge = pte_make_huge(pt_formats[i], pfn, flags);
			pte_t small = pte_make(pt_formats[i], pfn, flags);

			EXPECT(pte_present(huge) && pte_huge(pt_formats[i], huge) && !pte_huge(pt_formats[i], small));
			EXPECT_EQ(pte_flags(pt_formats[i], huge), pte_flags(pt_formats[i], small));
			EXPECT_EQ(pte_with_flags(pt_formats[i], huge, PTE_READ).bits,
			          pte_make_huge(pt_formats[i], pfn, PTE_READ).bits);
			EXPECT_EQ(pte_pfn_at(pt_formats[i], huge, AT + 0x1ff123).n, pfn.n + 511);
			EXPECT_EQ(pte_pfn_at(pt_formats[i], small, AT + 0x1ff123).n, pfn.n);
		}
	for (size_t i = 0; i < NFORMATS; i++)
		EXPECT(!pte_huge(pt_formats[i], (pte_t){ pfn.n << PAGE_SHIFT | pt_formats[i]->table_bits }));
}

TEST(pt_huge, is_seen_by_a_walk_as_the_pages_it_maps)
{
	struct huge_bed h;

	for (size_t i = 0; i < NFORMATS; i++) {
		struct pt_slot slot;
		pte_t pte;

		open_bed(&h, pt_formats[i]);
		map_huge(&h, AT, RW);
		pt_bed_check(&h.b);
		EXPECT_EQ(h.b.pt.nodes, 3);
		EXPECT_EQ(h.b.pt.nreserve, 1);
		for (uint64_t page = 0; page < 512; page += 73)
			EXPECT_EQ(pt_walk(&h.b.pt, AT + page * PAGE_BYTES + 9).bits,
			          pte_make(pt_formats[i], (pfn_t){ h.head.n + page }, RW).bits);
		EXPECT(!pte_present(pt_walk(&h.b.pt, AT - 1)) && !pte_present(pt_walk(&h.b.pt, AT + PT_LEAF_SPAN)));
		EXPECT(!pt_find(&h.b.pt, AT, &slot));
		REQUIRE(pt_lock_entry(&h.b.bed.ctx, &h.b.pt, AT + PAGE_BYTES, &slot, &pte));
		EXPECT(pt_slot_huge(&h.b.pt, &slot) && pte_pfn(pte).n == h.head.n);
		pt_unlock(&h.b.bed.ctx, &slot);
		unmap_huge(&h, AT);
		EXPECT_EQ(h.b.pt.nreserve, 0);
		EXPECT(!pte_present(pt_walk(&h.b.pt, AT)));
		pt_bed_close(&h.b);
	}
}

struct seen {
	unsigned leaves, huge;
	size_t pages;
};

static int see_leaf(struct ctx *ctx, struct pgtable *pt, struct pt_slot first, ksim_addr addr, size_t n, void *arg)
{
	struct seen *seen = arg;

	(void)ctx;
	EXPECT(!pt_slot_huge(pt, &first));
	EXPECT_EQ(pte_read(first.entry).bits, pt_walk(pt, addr).bits);
	seen->leaves++;
	seen->pages += n;
	return 0;
}

static int see_huge(struct ctx *ctx, struct pgtable *pt, struct pt_slot slot, ksim_addr addr, size_t n, void *arg)
{
	struct seen *seen = arg;

	(void)ctx;
	(void)addr;
	EXPECT(pt_slot_huge(pt, &slot));
	seen->huge++;
	seen->pages += n;
	return 0;
}

TEST(pt_huge, is_visited_as_what_it_is_and_split_where_a_part_is_wanted)
{
	struct huge_bed h;

	for (size_t i = 0; i < NFORMATS; i++) {
		struct pt_visitor visitor = { .leaf = see_leaf, .huge = see_huge, .parts = true };
		struct seen seen = { 0 };

		open_bed(&h, pt_formats[i]);
		map_huge(&h, AT, RW);
		EXPECT_EQ(pt_visit(&h.b.bed.ctx, &h.b.pt, AT + PAGE_BYTES, AT + PT_LEAF_SPAN * 2, &visitor, &seen), 0);
		EXPECT(seen.huge == 1 && seen.leaves == 0 && seen.pages == 511);
		visitor.parts = false;
		seen = (struct seen){ 0 };
		EXPECT_EQ(pt_visit(&h.b.bed.ctx, &h.b.pt, AT - PAGE_BYTES, AT + PT_LEAF_SPAN, &visitor, &seen), 0);
		EXPECT(seen.huge == 1 && seen.leaves == 0 && seen.pages == 512);
		EXPECT_EQ(pt_visit(&h.b.bed.ctx, &h.b.pt, AT, AT + PT_LEAF_SPAN - PAGE_BYTES, &visitor, &seen), 0);
		EXPECT(seen.huge == 1 && seen.leaves == 1 && seen.pages == 512 + 511);
		pt_bed_check(&h.b);
		unmap_small(&h, AT);
		pt_bed_close(&h.b);
	}
}

TEST(pt_huge, split_says_the_same_page_by_page_and_needs_no_memory)
{
	struct huge_bed h;

	for (size_t i = 0; i < NFORMATS; i++) {
		uint64_t wrong = 0;

		open_bed(&h, pt_formats[i]);
		map_huge(&h, AT, RW | PTE_ACCESSED | PTE_DIRTY);
		bed_fail_after(&h.b.bed, 0);
		pt_split(&h.b.bed.ctx, &h.b.pt, AT + 5 * PAGE_BYTES);
		pt_split(&h.b.bed.ctx, &h.b.pt, AT);
		bed_fail_after(&h.b.bed, ~0u);
		EXPECT(h.b.pt.nodes == 4 && h.b.pt.nreserve == 0);
		for (uint64_t page = 0; page < 512; page++) {
			struct pt_slot slot;

			wrong += !pt_find(&h.b.pt, AT + page * PAGE_BYTES, &slot) ||
			         pte_read(slot.entry).bits != pte_make(pt_formats[i], (pfn_t){ h.head.n + page },
			                                               RW | PTE_ACCESSED | PTE_DIRTY)
			                                              .bits ||
			         frame_mappers(h.b.pt.phys, (pfn_t){ h.head.n + page }) != 1;
		}
		EXPECT_EQ(wrong, 0);
		pt_bed_check(&h.b);
		unmap_small(&h, AT);
		pt_bed_close(&h.b);
	}
}

TEST(pt_huge, merge_of_a_split_keeps_what_was_marked_meanwhile)
{
	struct huge_bed h;

	for (size_t i = 0; i < NFORMATS; i++) {
		struct pt_slot slot, other;
		pfn_t node;

		open_bed(&h, pt_formats[i]);
		map_huge(&h, AT, RW);
		pt_split(&h.b.bed.ctx, &h.b.pt, AT);
		REQUIRE(pt_find(&h.b.pt, AT + 17 * PAGE_BYTES, &slot));
		REQUIRE(pt_find(&h.b.pt, AT + 18 * PAGE_BYTES, &other));
		pte_exchange(slot.entry, pte_with_flags(pt_formats[i], pte_read(slot.entry), PTE_READ));
		EXPECT_EQ(pt_merge(&h.b.bed.ctx, &h.b.pt, AT, FRAME_ANON).n, 0); /* one says something else */
		pte_exchange(slot.entry, pte_with_flags(pt_formats[i], pte_read(slot.entry), RW | PTE_ACCESSED));
		EXPECT_EQ(pt_merge(&h.b.bed.ctx, &h.b.pt, AT, FRAME_FILE).n, 0); /* they are something else */
		node = pt_merge(&h.b.bed.ctx, &h.b.pt, AT, FRAME_ANON);
		REQUIRE(node.n != 0);
		/* A walk that was on its way. */
		pte_exchange(other.entry, pte_with_flags(pt_formats[i], pte_read(other.entry), RW | PTE_DIRTY));
		pt_merged(&h.b.bed.ctx, &h.b.pt, AT, node);
		EXPECT_EQ(pte_flags(pt_formats[i], pt_walk(&h.b.pt, AT)), RW | PTE_ACCESSED | PTE_DIRTY);
		EXPECT_EQ(frame_refs(h.b.pt.phys, h.head), 1);
		EXPECT(frame_block_is_own(h.b.pt.phys, h.head));
		pt_bed_check(&h.b);
		unmap_huge(&h, AT);
		pt_bed_close(&h.b);
	}
}

TEST(pt_huge, is_not_set_where_a_table_is)
{
	struct huge_bed h;
	struct pt_slot slot;
	pfn_t node;

	open_bed(&h, &pte_x86_64);
	REQUIRE_EQ(pt_bed_map(&h.b, AT + PAGE_BYTES, RW), 0);
	REQUIRE_EQ(pt_ensure_second(&h.b.bed.ctx, &h.b.pt, AT, &slot), 0);
	REQUIRE_EQ(pt_node_alloc(&h.b.bed.ctx, &node), 0);
	pt_lock(&h.b.bed.ctx, &slot);
	EXPECT(!pt_set_huge(&h.b.pt, &slot, AT, pte_make_huge(&pte_x86_64, h.head, RW), &node));
	pt_unlock(&h.b.bed.ctx, &slot);
	EXPECT(node.n != 0);
	pt_node_free(&h.b.bed.ctx, node);
	EXPECT_EQ(pt_merge(&h.b.bed.ctx, &h.b.pt, AT, FRAME_ANON).n, 0);
	pt_bed_unmap(&h.b, AT, AT + PT_LEAF_SPAN, 0, PT_SPAN);
	frame_put_block(&h.b.bed.ctx, h.head);
	pt_bed_close(&h.b);
}
