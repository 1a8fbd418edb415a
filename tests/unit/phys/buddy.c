// SPDX-License-Identifier: MIT
/*
 * Which frames are free: exhaustion, alignment, merging, and a model with every operation followed by the validator.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "unit/phys/bed.h"

#define SMALL_FRAMES 2048

static void put_block(struct bed *bed, pfn_t first, unsigned order)
{
	for (uint64_t i = 0; i < UINT64_C(1) << order; i++)
		frame_put(&bed->ctx, (pfn_t){ first.n + i });
}

static uint64_t listed_frames(const struct phys *phys, unsigned order)
{
	uint64_t n = 0;

	for (uint32_t pfn = phys->free_head[order]; pfn != 0; pfn = phys->frames[pfn].next)
		n += UINT64_C(1) << order;
	return n;
}

TEST(phys, create_with_bad_size_fails_EINVAL)
{
	const uint64_t bad[] = {
		0, 1, PAGE_BYTES, 15 * PAGE_BYTES, 16 * PAGE_BYTES + 1, (PAGE_BYTES << 32) + PAGE_BYTES
	};
	struct bed bed;
	struct phys *phys;

	bed_open(&bed, MIB, true);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_EQ(phys_create(&bed.env, bad[i], &phys), -EINVAL);
	EXPECT(bed.env.phys == bed.phys);
	bed_close(&bed);
}

/* The end of RAM is aligned to nothing: what is left there goes to the lists in smaller pieces. */
TEST(phys, block_that_does_not_fit_behind_the_last_one_leaves_every_frame_to_be_had)
{
	enum { FRAMES = 23 };
	pfn_t pfn[FRAMES], block;
	struct bed bed;

	bed_open(&bed, FRAMES * PAGE_BYTES, true);
	REQUIRE_EQ(frame_alloc_block(&bed.ctx, FRAME_ANON, 3, 0, &block), 0);
	EXPECT_EQ(block.n, 8);
	EXPECT_EQ(frame_alloc_block(&bed.ctx, FRAME_ANON, 3, 0, &pfn[0]), -ENOMEM);
	bed_check(&bed);
	EXPECT_EQ(bed.phys->virgin, FRAMES);
	for (size_t i = 0; i < FRAMES - 1 - 8; i++)
		REQUIRE_EQ(frame_alloc(&bed.ctx, FRAME_ANON, 0, &pfn[i]), 0);
	EXPECT_EQ(phys_free_frames(&bed.ctx), 0);
	for (size_t i = 0; i < FRAMES - 1 - 8; i++)
		frame_put(&bed.ctx, pfn[i]);
	put_block(&bed, block, 3);
	bed_close(&bed);
}

TEST(phys, smallest_machine_gives_every_frame_but_0)
{
	struct bed bed;
	pfn_t pfn[16];

	bed_open(&bed, 16 * PAGE_BYTES, true);
	EXPECT_EQ(phys_total_frames(bed.phys), 15);
	for (size_t i = 0; i < 15; i++) {
		REQUIRE_EQ(frame_alloc(&bed.ctx, FRAME_ANON, 0, &pfn[i]), 0);
		EXPECT(pfn[i].n > 0 && pfn[i].n < 16);
	}
	EXPECT_EQ(frame_alloc(&bed.ctx, FRAME_ANON, 0, &pfn[15]), -ENOMEM);
	bed_check(&bed);
	for (size_t i = 0; i < 15; i++)
		frame_put(&bed.ctx, pfn[i]);
	bed_close(&bed);
}

TEST(phys, exhaustion_fails_ENOMEM_and_all_comes_back_merged)
{
	static pfn_t pfn[SMALL_FRAMES];
	struct bed bed;
	pfn_t block;
	size_t n = 0;

	bed_open(&bed, SMALL_FRAMES * PAGE_BYTES, false);
	while (frame_alloc(&bed.ctx, FRAME_ANON, FRAME_ZERO, &pfn[n]) == 0)
		n++;
	EXPECT_EQ(n, SMALL_FRAMES - 1);
	EXPECT_EQ(phys_free_frames(&bed.ctx), 0);
	for (size_t i = 0; i < n; i += 2)
		frame_put(&bed.ctx, pfn[i]);
	bed_check(&bed);
	EXPECT_EQ(frame_alloc_block(&bed.ctx, FRAME_ANON, 1, 0, &block), -ENOMEM);
	for (size_t i = 1; i < n; i += 2)
		frame_put(&bed.ctx, pfn[i]);
	EXPECT_EQ(listed_frames(bed.phys, FRAME_ORDERS - 1), SMALL_FRAMES - 512);
	for (unsigned order = 0; order < FRAME_ORDERS - 1; order++)
		EXPECT_EQ(listed_frames(bed.phys, order), UINT64_C(1) << order);
	bed_close(&bed);
}

TEST(phys, block_of_each_order_is_aligned_and_has_a_reference_on_each_frame)
{
	struct bed bed;
	pfn_t first[FRAME_ORDERS];

	bed_open(&bed, 16 * MIB, true);
	for (unsigned order = 0; order < FRAME_ORDERS; order++) {
		REQUIRE_EQ(frame_alloc_block(&bed.ctx, FRAME_FILE, order, FRAME_ZERO, &first[order]), 0);
		EXPECT_EQ(first[order].n % (UINT64_C(1) << order), 0);
		for (uint64_t i = 0; i < UINT64_C(1) << order; i++) {
			EXPECT_EQ(frame_refs(bed.phys, (pfn_t){ first[order].n + i }), 1);
			EXPECT_EQ(frame_of(bed.phys, (pfn_t){ first[order].n + i })->use, FRAME_FILE);
		}
		bed_check(&bed);
	}
	EXPECT_EQ(owner_count(&bed.alice, CENSUS_FRAME), (1 << FRAME_ORDERS) - 1);
	for (unsigned order = 0; order < FRAME_ORDERS; order++)
		put_block(&bed, first[order], order);
	bed_close(&bed);
}

TEST(phys, last_frames_above_virgin_make_a_block_with_a_free_neighbour_below)
{
	struct bed bed;
	pfn_t pfn[17];
	pfn_t block;

	bed_open(&bed, 18 * PAGE_BYTES, true);
	for (size_t i = 0; i < 16; i++)
		REQUIRE_EQ(frame_alloc(&bed.ctx, FRAME_ANON, 0, &pfn[i]), 0);
	EXPECT_EQ(pfn[15].n, 16);
	frame_put(&bed.ctx, pfn[15]);
	REQUIRE_EQ(frame_alloc_block(&bed.ctx, FRAME_ANON, 1, 0, &block), 0);
	EXPECT_EQ(block.n, 16);
	put_block(&bed, block, 1);
	for (size_t i = 0; i < 15; i++)
		frame_put(&bed.ctx, pfn[i]);
	bed_close(&bed);
}

TEST(phys, freed_frame_is_used_again_before_an_untouched_one)
{
	struct bed bed;
	pfn_t pfn;
	uint64_t virgin;

	bed_open(&bed, 64 * MIB, true);
	REQUIRE_EQ(frame_alloc(&bed.ctx, FRAME_ANON, FRAME_ZERO, &pfn), 0);
	frame_put(&bed.ctx, pfn);
	virgin = bed.phys->virgin;
	for (int i = 0; i < 1000; i++) {
		REQUIRE_EQ(frame_alloc(&bed.ctx, FRAME_ANON, FRAME_ZERO, &pfn), 0);
		frame_put(&bed.ctx, pfn);
	}
	EXPECT_EQ(bed.phys->virgin, virgin);
	bed_close(&bed);
}

TEST(phys, alloc_many_is_contiguous_from_untouched_ram)
{
	static pfn_t pfn[3000];
	struct bed bed;

	bed_open(&bed, 16 * MIB, false);
	REQUIRE_EQ(frame_alloc_many(&bed.ctx, FRAME_FILE, FRAME_ZERO, pfn, ARRAY_SIZE(pfn)), 0);
	for (size_t i = 1; i < ARRAY_SIZE(pfn); i++)
		EXPECT_EQ(pfn[i].n, pfn[0].n + i);
	bed_check(&bed);
	EXPECT_EQ(phys_free_frames(&bed.ctx), phys_total_frames(bed.phys) - ARRAY_SIZE(pfn));
	for (size_t i = 0; i < ARRAY_SIZE(pfn); i++)
		frame_put(&bed.ctx, pfn[i]);
	bed_close(&bed);
}

TEST(phys, alloc_many_takes_the_last_scattered_frame_or_nothing)
{
	static pfn_t all[SMALL_FRAMES], some[SMALL_FRAMES];
	struct bed bed;
	size_t n = SMALL_FRAMES - 1;
	size_t nfree = 0;

	bed_open(&bed, SMALL_FRAMES * PAGE_BYTES, true);
	REQUIRE_EQ(frame_alloc_many(&bed.ctx, FRAME_ANON, 0, all, n), 0);
	for (size_t i = 0; i < n; i += 3, nfree++)
		frame_put(&bed.ctx, all[i]);
	EXPECT_EQ(frame_alloc_many(&bed.ctx, FRAME_ANON, 0, some, nfree + 1), -ENOMEM);
	EXPECT_EQ(phys_free_frames(&bed.ctx), nfree);
	REQUIRE_EQ(frame_alloc_many(&bed.ctx, FRAME_ANON, 0, some, nfree), 0);
	EXPECT_EQ(phys_free_frames(&bed.ctx), 0);
	bed_check(&bed);
	for (size_t i = 0; i < nfree; i++)
		frame_put(&bed.ctx, some[i]);
	for (size_t i = 0; i < n; i++)
		if (i % 3 != 0)
			frame_put(&bed.ctx, all[i]);
	bed_close(&bed);
}

/** The model: which frames are taken, found by looking at what was handed out. */
struct model {
	uint8_t taken[SMALL_FRAMES];
	struct {
		pfn_t first;
		unsigned order;
	} block[SMALL_FRAMES];
	size_t nblocks;
	uint64_t nfree;
};

static void model_alloc(struct bed *bed, struct model *m, unsigned order)
{
	uint64_t size = UINT64_C(1) << order;
	bool possible = false;
	pfn_t first;
	int err = frame_alloc_block(&bed->ctx, FRAME_ANON, order, 0, &first);

	for (uint64_t at = 0; at < SMALL_FRAMES && !possible; at += size)
		possible = memchr(&m->taken[at], 1, size) == NULL;
	REQUIRE_EQ(err, possible ? 0 : -ENOMEM);
	if (err != 0)
		return;
	REQUIRE(first.n % size == 0 && first.n + size <= SMALL_FRAMES);
	REQUIRE(memchr(&m->taken[first.n], 1, size) == NULL);
	memset(&m->taken[first.n], 1, size);
	m->block[m->nblocks].first = first;
	m->block[m->nblocks++].order = order;
	m->nfree -= size;
}

static void model_free(struct bed *bed, struct model *m, size_t which)
{
	uint64_t size = UINT64_C(1) << m->block[which].order;

	put_block(bed, m->block[which].first, m->block[which].order);
	memset(&m->taken[m->block[which].first.n], 0, size);
	m->block[which] = m->block[--m->nblocks];
	m->nfree += size;
}

TEST(phys, random_blocks_agree_with_a_model)
{
	const char *given = getenv("KSIM_SEED");
	uint64_t seed = given != NULL ? strtoull(given, NULL, 0) : UINT64_C(0x9e3779b97f4a7c15);
	static struct model m;
	struct bed bed;

	fprintf(stderr, "# KSIM_SEED=%#" PRIx64 "\n", seed);
	bed_open(&bed, SMALL_FRAMES * PAGE_BYTES, false);
	memset(&m, 0, sizeof(m));
	m.taken[0] = 1;
	m.nfree = SMALL_FRAMES - 1;
	for (int step = 0; step < 4000; step++) {
		uint64_t random = bed_random(&seed);
		bool filling = step / 500 % 2 == 0;

		if (m.nblocks == 0 || random % 8 < (filling ? 6 : 2))
			model_alloc(&bed, &m, (unsigned)(random >> 8) % (random % 3 ? 4 : FRAME_ORDERS));
		else
			model_free(&bed, &m, (random >> 8) % m.nblocks);
		EXPECT_EQ(bed.phys->nfree, m.nfree);
		bed_check(&bed);
		REQUIRE_MSG(!harness_failed(), "step %d", step);
	}
	while (m.nblocks > 0)
		model_free(&bed, &m, m.nblocks - 1);
	bed_close(&bed);
}

/** Bytes of a host range that are backed by memory. */
static uint64_t resident(void *start, uint64_t bytes)
{
	static unsigned char map[65536];
	uint64_t n = 0;

	for (uint64_t at = 0; at < bytes; at += sizeof(map) * PAGE_BYTES) {
		uint64_t part = MIN(bytes - at, sizeof(map) * PAGE_BYTES);

		SETUP(mincore((char *)start + at, part, map) == 0);
		for (uint64_t i = 0; i < pages_of(part); i++)
			n += map[i] & 1;
	}
	return n * PAGE_BYTES;
}

TEST(phys, machine_of_64_gib_touches_little)
{
	struct bed bed;
	pfn_t small, huge;
	uint64_t bytes;

	bed_open(&bed, 64 * GIB, true);
	EXPECT_EQ(phys_total_frames(bed.phys), 16777215);
	REQUIRE_EQ(frame_alloc(&bed.ctx, FRAME_ANON, FRAME_ZERO, &small), 0);
	REQUIRE_EQ(frame_alloc_block(&bed.ctx, FRAME_ANON, FRAME_ORDERS - 1, FRAME_ZERO, &huge), 0);
	put_block(&bed, huge, FRAME_ORDERS - 1);
	bytes = resident(bed.phys->frames, bed.phys->nframes * sizeof(struct frame));
	EXPECT_MSG(bytes <= 64 * 1024, "%" PRIu64 " bytes of frame array", bytes);
	frame_put(&bed.ctx, small);
	bytes = resident(bed.phys->ram, bed.phys->nframes * PAGE_BYTES);
	EXPECT_MSG(bytes <= 4 * MIB, "%" PRIu64 " bytes of RAM, 2 MiB + 4 KiB of it poisoned", bytes);
	bed_close(&bed);
}
