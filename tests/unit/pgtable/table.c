// SPDX-License-Identifier: MIT
/*
 * The tree: finding, making, visiting and freeing nodes. Every test runs for both formats.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "unit/pgtable/bed.h"

#define RW     (PTE_READ | PTE_WRITE)
#define LEVEL2 (UINT64_C(1) << 30) /* bytes under a node of leaf nodes */
#define LEVEL1 (UINT64_C(1) << 39) /* bytes under an entry of the root */

TEST(pgtable, empty_table_has_its_root_and_no_entry)
{
	struct pt_bed b;
	struct pt_slot slot;

	for (size_t f = 0; f < NFORMATS; f++) {
		pt_bed_open(&b, pt_formats[f], MIB);
		EXPECT_EQ(b.pt.nodes, 1);
		EXPECT_EQ(owner_count(&b.bed.alice, CENSUS_TABLE), 1);
		EXPECT_EQ(pt_walk(&b.pt, 0x1000).bits, 0);
		EXPECT(!pt_find(&b.pt, 0x1000, &slot));
		EXPECT(!pt_find(&b.pt, PT_SPAN - PAGE_BYTES, &slot));
		pt_bed_close(&b);
	}
}

TEST(pgtable, ensure_makes_the_nodes_on_the_way_once)
{
	struct pt_bed b;
	struct pt_slot one, two;

	for (size_t f = 0; f < NFORMATS; f++) {
		pt_bed_open(&b, pt_formats[f], MIB);
		REQUIRE_EQ(pt_ensure(&b.bed.ctx, &b.pt, 0x200000, &one), 0);
		EXPECT_EQ(b.pt.nodes, 4);
		REQUIRE_EQ(pt_ensure(&b.bed.ctx, &b.pt, 0x201fff, &two), 0);
		EXPECT_EQ(b.pt.nodes, 4);
		EXPECT(two.node == one.node);
		EXPECT_EQ(two.entry - one.entry, 1);
		EXPECT(pt_find(&b.pt, 0x200123, &two) && two.entry == one.entry);
		REQUIRE_EQ(pt_ensure(&b.bed.ctx, &b.pt, 0x3ff000, &two), 0);
		EXPECT_EQ(b.pt.nodes, 4);
		REQUIRE_EQ(pt_ensure(&b.bed.ctx, &b.pt, 0x400000, &two), 0);
		EXPECT_EQ(b.pt.nodes, 5);
		EXPECT_EQ(owner_count(&b.bed.alice, CENSUS_TABLE), 5);
		pt_bed_close(&b);
	}
}

TEST(pgtable, quarter_million_pages_are_mapped_and_walked)
{
	enum { NPAGES = 1 << 18 };
	const ksim_addr base = UINT64_C(0x7f0000000000) - 5 * PAGE_BYTES;
	struct pt_bed b;
	size_t wrong = 0;

	for (size_t f = 0; f < NFORMATS; f++) {
		pt_bed_open(&b, pt_formats[f], 16 * MIB);
		for (uint64_t i = 0; i < NPAGES; i++)
			REQUIRE_EQ(pt_bed_map(&b, base + (i << PAGE_SHIFT), PTE_READ | (i % 3 ? PTE_WRITE : 0)), 0);
		EXPECT_EQ(b.pt.nodes, 1 + 2 + 2 + 513); /* the range crosses a border of the root's entries */
		for (uint64_t i = 0; i < NPAGES; i++)
			wrong += pte_flags(b.pt.format, pt_walk(&b.pt, base + (i << PAGE_SHIFT) + i % PAGE_BYTES)) !=
			         (PTE_READ | (i % 3 ? PTE_WRITE : 0u));
		EXPECT_EQ(wrong, 0);
		EXPECT_EQ(pt_walk(&b.pt, base - 1).bits, 0);
		EXPECT_EQ(pt_walk(&b.pt, base + ((uint64_t)NPAGES << PAGE_SHIFT)).bits, 0);
		pt_bed_check(&b);
		EXPECT_EQ(pt_bed_unmap(&b, base, base + ((uint64_t)NPAGES << PAGE_SHIFT), 0, PT_SPAN), NPAGES);
		EXPECT_EQ(b.pt.nodes, 1);
		pt_bed_close(&b);
	}
}

struct visits {
	ksim_addr addr[64];
	size_t nentries[64];
	size_t n;
	size_t stop_at;
};

static int visit(struct ctx *ctx, struct pgtable *pt, struct pt_slot first, ksim_addr addr, size_t nentries, void *arg)
{
	struct visits *v = arg;
	struct pt_slot slot;

	(void)ctx;
	EXPECT(pt_find(pt, addr, &slot) && slot.entry == first.entry && slot.node == first.node);
	REQUIRE(v->n < ARRAY_SIZE(v->addr));
	v->addr[v->n] = addr;
	v->nentries[v->n] = nentries;
	v->n++;
	return v->n == v->stop_at ? -ECANCELED : 0;
}

TEST(pgtable, sparse_addresses_over_47_bits_are_visited_in_order)
{
	struct pt_bed b;

	for (size_t f = 0; f < NFORMATS; f++) {
		struct visits v = { 0 };

		pt_bed_open(&b, pt_formats[f], MIB);
		for (unsigned bit = PAGE_SHIFT; bit < 47; bit++)
			REQUIRE_EQ(pt_bed_map(&b, UINT64_C(1) << bit, RW), 0);
		REQUIRE_EQ(pt_bed_map(&b, PT_SPAN - PAGE_BYTES, RW), 0);
		for (unsigned bit = PAGE_SHIFT; bit < 47; bit++)
			EXPECT_EQ(pte_pfn(pt_walk(&b.pt, UINT64_C(1) << bit)).n, b.page.n);
		EXPECT_EQ(pt_for_each_leaf(&b.bed.ctx, &b.pt, 0, PT_SPAN, visit, &v), 0);
		EXPECT_EQ(v.n, 1 + (47 - 21) + 1);
		for (size_t i = 1; i < v.n; i++)
			EXPECT(v.addr[i] > v.addr[i - 1]);
		for (size_t i = 0; i < v.n; i++)
			EXPECT_EQ(v.nentries[i], PT_ENTRIES);
		EXPECT_EQ(pt_bed_unmap(&b, 0, PT_SPAN, 0, PT_SPAN), 47 - 12 + 1);
		EXPECT_EQ(b.pt.nodes, 1);
		pt_bed_close(&b);
	}
}

TEST(pgtable, visit_is_clipped_to_the_range_and_ends_on_request)
{
	const ksim_addr base = LEVEL2 - PT_LEAF_SPAN;
	struct pt_bed b;

	for (size_t f = 0; f < NFORMATS; f++) {
		struct visits v = { 0 };

		pt_bed_open(&b, pt_formats[f], MIB);
		for (uint64_t i = 0; i < 3; i++)
			REQUIRE_EQ(pt_bed_map(&b, base + i * PT_LEAF_SPAN, RW), 0);
		EXPECT_EQ(pt_for_each_leaf(&b.bed.ctx, &b.pt, base + 3 * PAGE_BYTES,
		                           base + 2 * PT_LEAF_SPAN + 7 * PAGE_BYTES, visit, &v),
		          0);
		REQUIRE_EQ(v.n, 3);
		EXPECT_EQ(v.addr[0], base + 3 * PAGE_BYTES);
		EXPECT_EQ(v.nentries[0], PT_ENTRIES - 3);
		EXPECT_EQ(v.addr[1], base + PT_LEAF_SPAN);
		EXPECT_EQ(v.nentries[1], PT_ENTRIES);
		EXPECT_EQ(v.addr[2], base + 2 * PT_LEAF_SPAN);
		EXPECT_EQ(v.nentries[2], 7);
		v = (struct visits){ .stop_at = 2 };
		EXPECT_EQ(pt_for_each_leaf(&b.bed.ctx, &b.pt, 0, PT_SPAN, visit, &v), -ECANCELED);
		EXPECT_EQ(v.n, 2);
		v = (struct visits){ 0 };
		EXPECT_EQ(pt_for_each_leaf(&b.bed.ctx, &b.pt, base + PAGE_BYTES, base + PAGE_BYTES, visit, &v), 0);
		EXPECT_EQ(pt_for_each_leaf(&b.bed.ctx, &b.pt, 0, base, visit, &v), 0);
		EXPECT_EQ(v.n, 0);
		EXPECT_EQ(pt_bed_unmap(&b, 0, PT_SPAN, 0, PT_SPAN), 3);
		pt_bed_close(&b);
	}
}

TEST(pgtable, nodes_that_reach_beyond_floor_or_ceiling_stay)
{
	const ksim_addr base = 3 * LEVEL1 + 5 * LEVEL2;
	const ksim_addr leaf2 = base + PT_LEAF_SPAN;
	struct pt_bed b;

	for (size_t f = 0; f < NFORMATS; f++) {
		pt_bed_open(&b, pt_formats[f], MIB);
		for (uint64_t i = 0; i < 3; i++)
			REQUIRE_EQ(pt_bed_map(&b, base + i * PT_LEAF_SPAN, RW), 0);
		EXPECT_EQ(b.pt.nodes, 6);
		/* The neighbours end inside of the same leaf node: it stays. */
		pt_bed_unmap(&b, leaf2, leaf2 + PAGE_BYTES, leaf2 - PAGE_BYTES, leaf2 + PT_LEAF_SPAN - PAGE_BYTES);
		EXPECT_EQ(b.pt.nodes, 6);
		pt_bed_unmap(&b, leaf2, leaf2 + PAGE_BYTES, leaf2, leaf2 + PT_LEAF_SPAN - PAGE_BYTES);
		EXPECT_EQ(b.pt.nodes, 6);
		/* They end at its borders: it goes, its parent stays. */
		pt_bed_unmap(&b, leaf2, leaf2 + PAGE_BYTES, leaf2, leaf2 + PT_LEAF_SPAN);
		EXPECT_EQ(b.pt.nodes, 5);
		EXPECT_EQ(pte_pfn(pt_walk(&b.pt, base)).n, b.page.n);
		EXPECT_EQ(pte_pfn(pt_walk(&b.pt, base + 2 * PT_LEAF_SPAN)).n, b.page.n);
		pt_bed_check(&b);
		/* All is empty but floor forbids the first node of leaf nodes. */
		pt_bed_unmap(&b, base, base + 3 * PT_LEAF_SPAN, base + PAGE_BYTES - PAGE_BYTES,
		             base + LEVEL2 - PAGE_BYTES);
		EXPECT_EQ(b.pt.nodes, 3);
		pt_bed_unmap(&b, base, base + PAGE_BYTES, base, base + LEVEL2);
		EXPECT_EQ(b.pt.nodes, 2);
		pt_bed_unmap(&b, base, base + PAGE_BYTES, 3 * LEVEL1, 4 * LEVEL1);
		EXPECT_EQ(b.pt.nodes, 1);
		pt_bed_close(&b);
	}
}

TEST(pgtable, unhooked_node_takes_along_the_empty_nodes_beside_the_range)
{
	struct pt_bed b;
	struct pt_slot slot;

	for (size_t f = 0; f < NFORMATS; f++) {
		pt_bed_open(&b, pt_formats[f], MIB);
		for (uint64_t i = 0; i < 5; i++)
			REQUIRE_EQ(pt_ensure(&b.bed.ctx, &b.pt, LEVEL2 + i * 100 * PT_LEAF_SPAN, &slot), 0);
		EXPECT_EQ(b.pt.nodes, 8);
		pt_bed_unmap(&b, LEVEL2, LEVEL2 + PAGE_BYTES, LEVEL2, 2 * LEVEL2);
		EXPECT_EQ(b.pt.nodes, 2);
		pt_bed_close(&b);
	}
}

TEST(pgtable, walk_from_inside_an_unhooked_node_finds_absent_entries)
{
	struct pt_bed b;
	struct pt_slot slot;
	pfn_t chain;

	for (size_t f = 0; f < NFORMATS; f++) {
		struct pgtable before;

		pt_bed_open(&b, pt_formats[f], MIB);
		REQUIRE_EQ(pt_ensure(&b.bed.ctx, &b.pt, LEVEL2, &slot), 0);
		before = b.pt;
		chain = pt_detach(&b.bed.ctx, &b.pt, LEVEL2, LEVEL2 + PAGE_BYTES, 0, PT_SPAN);
		EXPECT(chain.n != 0);
		EXPECT_EQ(b.pt.nodes, 1);
		EXPECT_EQ(owner_count(&b.bed.alice, CENSUS_TABLE), 4);
		EXPECT_EQ(pte_read(slot.entry).bits, 0);
		EXPECT_EQ(pt_walk(&before, LEVEL2).bits, 0);
		pt_free_detached(&b.bed.ctx, &b.pt, chain);
		EXPECT_EQ(owner_count(&b.bed.alice, CENSUS_TABLE), 1);
		EXPECT_EQ(pt_detach(&b.bed.ctx, &b.pt, 0, PT_SPAN, 0, PT_SPAN).n, 0);
		pt_free_detached(&b.bed.ctx, &b.pt, PFN_NONE);
		pt_bed_close(&b);
	}
}

TEST(pgtable, random_maps_and_unmaps_agree_with_a_model)
{
	enum { NPAGES = 4096 };
	static uint8_t mapped[NPAGES];
	const char *given = getenv("KSIM_SEED");
	struct pt_bed b;

	for (size_t f = 0; f < NFORMATS; f++) {
		uint64_t seed = given != NULL ? strtoull(given, NULL, 0) : 42 + f;
		const ksim_addr base = LEVEL1 - NPAGES / 2 * PAGE_BYTES;

		fprintf(stderr, "# KSIM_SEED=%#" PRIx64 "\n", seed);
		memset(mapped, 0, sizeof(mapped));
		pt_bed_open(&b, pt_formats[f], MIB);
		for (int step = 0; step < 300; step++) {
			uint64_t first = bed_random(&seed) % NPAGES;
			uint64_t span = bed_random(&seed) % 1500;
			uint64_t last = MIN(first + span, NPAGES - 1u);
			ksim_addr start = base + (first << PAGE_SHIFT);
			ksim_addr end = base + ((last + 1) << PAGE_SHIFT);
			uint64_t floor = first, ceiling = last + 1;
			size_t present = 0;

			if (step % 2 == 0) {
				for (uint64_t i = first; i <= last; i += 1 + bed_random(&seed) % 700) {
					REQUIRE_EQ(pt_bed_map(&b, base + (i << PAGE_SHIFT), RW), 0);
					mapped[i] = 1;
				}
				continue;
			}
			for (uint64_t i = first; i <= last; i++)
				present += mapped[i];
			memset(mapped + first, 0, last + 1 - first);
			while (floor > 0 && !mapped[floor - 1])
				floor--;
			while (ceiling < NPAGES && !mapped[ceiling])
				ceiling++;
			EXPECT_EQ(pt_bed_unmap(&b, start, end, floor == 0 ? 0 : base + (floor << PAGE_SHIFT),
			                       ceiling == NPAGES ? PT_SPAN : base + (ceiling << PAGE_SHIFT)),
			          present);
			for (uint64_t i = 0; i < NPAGES; i++)
				EXPECT_EQ(pte_present(pt_walk(&b.pt, base + (i << PAGE_SHIFT))), mapped[i]);
			pt_bed_check(&b);
			REQUIRE_MSG(!harness_failed(), "step %d", step);
		}
		pt_bed_unmap(&b, 0, PT_SPAN, 0, PT_SPAN);
		EXPECT_EQ(b.pt.nodes, 1);
		pt_bed_close(&b);
	}
}
