// SPDX-License-Identifier: MIT
/*
 * What runs out, what is misused, and what the validator sees.
 */
#include "unit/pgtable/bed.h"

TEST(pgtable, each_node_that_cannot_be_had_is_ENOMEM_and_the_next_try_goes_on)
{
	struct pt_bed b;
	struct pt_slot slot;

	for (size_t f = 0; f < NFORMATS; f++) {
		struct pgtable pt;

		pt_bed_open(&b, pt_formats[f], MIB);
		bed_fail_after(&b.bed, 0);
		EXPECT_EQ(pt_init(&b.bed.ctx, &pt, pt_formats[f]), -ENOMEM);
		pt_fini(&b.bed.ctx, &pt);
		for (unsigned n = 0; n < 3; n++) {
			bed_fail_after(&b.bed, n);
			EXPECT_EQ(pt_ensure(&b.bed.ctx, &b.pt, n * PT_SPAN / 4, &slot), -ENOMEM);
			EXPECT_EQ(b.bed.asked, n + 1);
			pt_bed_check(&b);
		}
		EXPECT_EQ(b.pt.nodes, 1 + 0 + 1 + 2);
		bed_fail_after(&b.bed, 1);
		EXPECT_EQ(pt_ensure(&b.bed.ctx, &b.pt, 2 * PT_SPAN / 4, &slot), 0);
		bed_fail_after(&b.bed, ~0u);
		pt_bed_close(&b);
	}
}

#define CONTESTED UINT64_C(0x40201000)

/* While one caller allocates its nth node, another makes all that are absent. */
static bool other_is_faster(void *arg, struct ctx *ctx, enum fail_kind kind)
{
	struct pt_bed *b = arg;
	struct pt_slot unused;

	(void)ctx;
	(void)kind;
	if (b->bed.asked++ < b->bed.fail_after)
		return false;
	b->bed.env.hooks.fail = NULL;
	EXPECT_EQ(pt_ensure(&b->bed.other, &b->pt, CONTESTED, &unused), 0);
	return false;
}

TEST(pgtable, node_that_another_makes_first_is_used_and_the_own_one_given_back)
{
	struct pt_slot slot, again;
	struct pt_bed b;

	for (size_t f = 0; f < NFORMATS; f++)
		for (unsigned n = 0; n < 3; n++) {
			pt_bed_open(&b, pt_formats[f], MIB);
			bed_fail_after(&b.bed, n);
			b.bed.env.hooks.fail = other_is_faster;
			b.bed.env.hooks.fail_arg = &b;
			REQUIRE_EQ(pt_ensure(&b.bed.ctx, &b.pt, CONTESTED, &slot), 0);
			EXPECT(b.bed.env.hooks.fail == NULL);
			EXPECT_EQ(b.pt.nodes, 4);
			EXPECT(pt_find(&b.pt, CONTESTED, &again) && again.entry == slot.entry);
			EXPECT_EQ(owners_total(&b.bed.env.owners, CENSUS_TABLE), 4);
			pt_bed_check(&b);
			pt_bed_close(&b);
		}
}

TEST(pgtable, exhausted_ram_is_ENOMEM_and_comes_back)
{
	struct pt_bed b;

	for (size_t f = 0; f < NFORMATS; f++) {
		uint64_t n = 0;

		pt_bed_open(&b, pt_formats[f], 64 * PAGE_BYTES);
		while (pt_bed_map(&b, n * PT_LEAF_SPAN, PTE_READ) == 0)
			n++;
		EXPECT_EQ(phys_free_frames(&b.bed.ctx), 0);
		EXPECT_EQ(n, 64 - 1 - 1 - 3);
		EXPECT_EQ(pt_bed_unmap(&b, 0, PT_SPAN, 0, PT_SPAN), n);
		pt_bed_close(&b);
	}
}

static struct pt_bed bad;

static void find_beyond(void *arg)
{
	struct pt_slot slot;

	(void)arg;
	pt_find(&bad.pt, PT_SPAN, &slot);
}

static void ensure_beyond(void *arg)
{
	struct bed *bed = arg;
	struct pt_slot slot;

	pt_ensure(&bed->ctx, &bad.pt, UINT64_C(1) << 63, &slot);
}

static void end_mapped(void *arg)
{
	struct bed *bed = arg;

	pt_bed_map(&bad, PAGE_BYTES, PTE_READ);
	pt_fini(&bed->ctx, &bad.pt);
}

TEST(pgtable, misuse_aborts_and_says_what)
{
	for (size_t f = 0; f < NFORMATS; f++) {
		pt_bed_open(&bad, pt_formats[f], MIB);
		expect_abort(find_beyond, &bad.bed, "a slot's address is a user address");
		expect_abort(ensure_beyond, &bad.bed, "a slot's address is a user address");
		expect_abort(end_mapped, &bad.bed, "no present entry");
		pt_bed_close(&bad);
	}
}

static unsigned lines(const struct pgtable *pt)
{
	struct check_report report = { 0 };

	pt_check(pt, &report);
	return report.broken;
}

TEST(pgtable, validator_notices_what_is_broken)
{
	struct pt_bed b;
	struct pt_slot slot;

	for (size_t f = 0; f < NFORMATS; f++) {
		pt_bed_open(&b, pt_formats[f], MIB);
		REQUIRE_EQ(pt_bed_map(&b, PAGE_BYTES, PTE_READ), 0);
		REQUIRE(pt_find(&b.pt, PAGE_BYTES, &slot));
		EXPECT_EQ(lines(&b.pt), 0);
		b.pt.nodes++;
		EXPECT_EQ(lines(&b.pt), 1);
		b.pt.nodes--;
		slot.node->node_lock = 1;
		EXPECT_EQ(lines(&b.pt), 1);
		slot.node->node_lock = 0;
		slot.entry->bits ^= UINT64_C(1) << 52;
		EXPECT_EQ(lines(&b.pt), 1);
		*slot.entry = pte_make(b.pt.format, b.pt.root, PTE_READ);
		EXPECT_EQ(lines(&b.pt), 1);
		*slot.entry = (pte_t){ 6 };
		EXPECT_MSG(lines(&b.pt) >= 1, "%u", lines(&b.pt));
		*slot.entry = PTE_NONE;
		EXPECT_EQ(lines(&b.pt), 0);
		pt_bed_close(&b);
	}
}
