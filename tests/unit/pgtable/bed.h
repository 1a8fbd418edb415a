/* SPDX-License-Identifier: MIT */
/*
 * A page table in a machine of RAM, once for each format.
 */
#ifndef UNIT_PGTABLE_BED_H
#define UNIT_PGTABLE_BED_H

#include "pgtable/pgtable.h"
#include "unit/phys/bed.h"

static const struct pte_format *const pt_formats[] = { &pte_x86_64, &pte_aarch64 };
#define NFORMATS ARRAY_SIZE(pt_formats)

struct pt_bed {
	struct bed bed;
	struct pgtable pt;
	pfn_t page; /* what entries point to */
};

static inline void pt_bed_open(struct pt_bed *b, const struct pte_format *format, uint64_t ram_bytes)
{
	bed_open(&b->bed, ram_bytes, true);
	SETUP(frame_alloc(&b->bed.ctx, FRAME_ANON, FRAME_ZERO, &b->page) == 0);
	SETUP(pt_init(&b->bed.ctx, &b->pt, format) == 0);
}

static inline void pt_bed_check(struct pt_bed *b)
{
	struct check_report report = { .line = bed_complain };

	pt_check(&b->pt, &report);
	bed_check(&b->bed);
}

static inline void pt_bed_close(struct pt_bed *b)
{
	pt_bed_check(b);
	pt_fini(&b->bed.ctx, &b->pt);
	frame_put(&b->bed.ctx, b->page);
	bed_close(&b->bed);
}

/** Map the page at an address, with flags that tell addresses apart. */
static inline int pt_bed_map(struct pt_bed *b, ksim_addr addr, unsigned flags)
{
	struct pt_slot slot;
	int err = pt_ensure(&b->bed.ctx, &b->pt, addr, &slot);

	if (err < 0)
		return err;
	pt_lock(&b->bed.ctx, &slot);
	pte_exchange(slot.entry, pte_make(b->pt.format, b->page, flags));
	pt_unlock(&b->bed.ctx, &slot);
	return 0;
}

static inline int pt_bed_clear_leaf(struct ctx *ctx, struct pgtable *pt, struct pt_slot first, ksim_addr addr,
                                    size_t nentries, void *arg)
{
	size_t *cleared = arg;

	(void)pt;
	(void)addr;
	pt_lock(ctx, &first);
	for (size_t i = 0; i < nentries; i++)
		*cleared += pte_present(pte_exchange(&first.entry[i], PTE_NONE));
	pt_unlock(ctx, &first);
	return 0;
}

/** Clear a range, and free the nodes that floor and ceiling allow. @return entries that were present */
static inline size_t pt_bed_unmap(struct pt_bed *b, ksim_addr start, ksim_addr end, ksim_addr floor, ksim_addr ceiling)
{
	struct ctx *ctx = &b->bed.ctx;
	size_t cleared = 0;

	EXPECT_EQ(pt_for_each_leaf(ctx, &b->pt, start, end, pt_bed_clear_leaf, &cleared), 0);
	pt_free_detached(ctx, &b->pt, pt_detach(ctx, &b->pt, start, end, floor, ceiling));
	return cleared;
}

#endif
