// SPDX-License-Identifier: MIT
/*
 * Size, mappings and writers of an object; what the mappings see of a truncation.
 */
#include "object/object.h"

#include "fixture.h"
#include "harness.h"

#include <errno.h>
#include <string.h>

#define RAM (64 * PAGE_BYTES)

TEST(object, shrink_removes_the_pages_and_growing_back_reads_zeros)
{
	struct fixture f;

	fixture_open(&f, RAM);
	struct object *object = fixture_object(&f, 4 * PAGE_BYTES);

	for (uint64_t at = 0; at < 4 * PAGE_BYTES; at += PAGE_BYTES)
		store_byte(&f, object, at + 5, 'x');
	uint64_t seq = object_seq(object);

	object_resize(&f.ctx, object, PAGE_BYTES);
	EXPECT_EQ(object_size(object), PAGE_BYTES);
	EXPECT(object_seq(object) > seq);
	EXPECT_EQ(object_pages(&f.ctx, object), 1);
	EXPECT_EQ(owners_total(&f.env.owners, CENSUS_FRAME), 1);
	seq = object_seq(object);
	object_resize(&f.ctx, object, 4 * PAGE_BYTES);
	EXPECT_EQ(object_seq(object), seq);
	EXPECT_EQ(byte_of(&f, object, 5), 'x');
	EXPECT_EQ(byte_of(&f, object, PAGE_BYTES + 5), -1);
	char byte = 'y';

	EXPECT_EQ(read_at(&f, object, PAGE_BYTES + 5, &byte, 1), 1);
	EXPECT_EQ(byte, 0);
	expect_sound(&f, object);
	object_put(&f.ctx, object);
	fixture_close(&f);
}

/* SEMANTICS 50 to 52; the same size counts as shrinking, as on Linux. */
TEST(object, shrink_zeroes_the_tail_of_the_last_page_and_growth_keeps_it)
{
	struct fixture f;

	fixture_open(&f, RAM);
	struct object *object = fixture_object(&f, 100);

	store_byte(&f, object, 40, 'a');
	store_byte(&f, object, 60, 'b');
	store_byte(&f, object, 200, 'c');
	object_resize(&f.ctx, object, 300);
	EXPECT_EQ(byte_of(&f, object, 200), 'c');
	object_resize(&f.ctx, object, 300);
	EXPECT_EQ(byte_of(&f, object, 200), 'c');
	store_byte(&f, object, 301, 'd');
	object_resize(&f.ctx, object, 300);
	EXPECT_EQ(byte_of(&f, object, 301), 0);
	object_resize(&f.ctx, object, 50);
	object_resize(&f.ctx, object, PAGE_BYTES);
	EXPECT_EQ(byte_of(&f, object, 40), 'a');
	EXPECT_EQ(byte_of(&f, object, 60), 0);
	EXPECT_EQ(byte_of(&f, object, 200), 0);
	store_byte(&f, object, PAGE_BYTES - 1, 'e');
	object_resize(&f.ctx, object, PAGE_BYTES);
	EXPECT_EQ(byte_of(&f, object, PAGE_BYTES - 1), 'e');
	object_put(&f.ctx, object);
	fixture_close(&f);
}

/* A mapping that only writes down how it is zapped. */
struct witness {
	struct mapper mapper;
	struct fixture *f;
	struct object *object;
	pfn_t watched; /* a frame that must not be free during a zap */
	unsigned nzaps;
	uint64_t first, last; /* over all zaps, which must follow each other without a gap */
};

static void witness_zap(struct ctx *ctx, struct mapper *mapper, uint64_t first, uint64_t last, bool private_copies)
{
	struct witness *w = container_of(mapper, struct witness, mapper);
	uint64_t found;
	pfn_t pfn;

	EXPECT(lock_held(ctx, RANK_OBJECT));
	EXPECT(private_copies);
	EXPECT_MSG(first >= mapper->node.first && last <= mapper->node.last && first <= last, "[%#llx, %#llx]",
	           (unsigned long long)first, (unsigned long long)last);
	EXPECT_MSG(first >= pages_of(object_size(w->object)), "page %#llx is zapped before the size is stored",
	           (unsigned long long)first);
	EXPECT_EQ(object_seq(w->object), 1);
	EXPECT(!radix_next(&shmem_of(w->object)->pages, first, &found, &pfn) || found > last);
	EXPECT_EQ(frame_of(w->f->env.phys, w->watched)->use, FRAME_FILE);
	if (w->nzaps++ == 0)
		w->first = first;
	else
		EXPECT_EQ(first, w->last + 1);
	w->last = last;
}

static const struct mapper_ops witness_ops = { .zap = witness_zap };

static void witness_map(struct witness *w, struct fixture *f, struct object *object, uint64_t first, uint64_t last)
{
	*w = (struct witness){ .mapper.ops = &witness_ops, .f = f, .object = object };
	SETUP(object_page(&f->ctx, object, pages_of(object_size(object)) - 1, true, &w->watched) == 0);
	frame_put(&f->ctx, w->watched);
	object_map(&f->ctx, object, &w->mapper, first, last);
}

TEST(object, shrink_zaps_after_size_and_slots_and_before_frames_go)
{
	struct fixture f;
	struct witness all, some, none;

	fixture_open(&f, RAM);
	struct object *object = fixture_object(&f, 20 * PAGE_BYTES);

	REQUIRE_EQ(object_commit(&f.ctx, object, 0, 10 * PAGE_BYTES), 0);
	witness_map(&all, &f, object, 0, 100);
	witness_map(&some, &f, object, 15, 15);
	witness_map(&none, &f, object, 0, 4);
	expect_sound(&f, object);
	object_resize(&f.ctx, object, 4 * PAGE_BYTES + 1);
	EXPECT_EQ(all.first, 5);
	EXPECT_EQ(all.last, 100);
	EXPECT_EQ(some.first, 15);
	EXPECT_EQ(some.last, 15);
	EXPECT_EQ(none.nzaps, 0);
	EXPECT_EQ(owners_total(&f.env.owners, CENSUS_FRAME), 5);
	object_unmap(&f.ctx, object, &all.mapper);
	object_unmap(&f.ctx, object, &some.mapper);
	object_unmap(&f.ctx, object, &none.mapper);
	object_resize(&f.ctx, object, 0);
	expect_sound(&f, object);
	object_put(&f.ctx, object);
	fixture_close(&f);
}

TEST(object, large_shrink_zaps_in_long_runs_without_a_gap)
{
	const uint64_t n = 20000;
	struct fixture f;
	struct witness w;

	fixture_open(&f, (n + 16) * PAGE_BYTES);
	struct object *object = fixture_object(&f, n * PAGE_BYTES);

	REQUIRE_EQ(object_commit(&f.ctx, object, 0, n * PAGE_BYTES), 0);
	witness_map(&w, &f, object, 0, OBJECT_PGIDX_MAX);
	object_resize(&f.ctx, object, 3 * PAGE_BYTES);
	EXPECT_EQ(w.first, 3);
	EXPECT_EQ(w.last, OBJECT_PGIDX_MAX);
	EXPECT_MSG(w.nzaps <= n / 200, "%u zaps", w.nzaps);
	EXPECT_EQ(owners_total(&f.env.owners, CENSUS_FRAME), 3);
	expect_sound(&f, object);
	object_unmap(&f.ctx, object, &w.mapper);
	object_put(&f.ctx, object);
	fixture_close(&f);
}

TEST(object, sparse_shrink_zaps_what_lies_between_the_pages_too)
{
	struct fixture f;
	struct witness w;

	fixture_open(&f, RAM);
	struct object *object = fixture_object(&f, UINT64_C(1) << 50);

	store_byte(&f, object, 0, 1);
	store_byte(&f, object, UINT64_C(1) << 41, 1);
	witness_map(&w, &f, object, 0, OBJECT_PGIDX_MAX);
	object_resize(&f.ctx, object, 1);
	EXPECT_EQ(w.first, 1);
	EXPECT_EQ(w.last, OBJECT_PGIDX_MAX);
	EXPECT_EQ(w.nzaps, 1);
	object_unmap(&f.ctx, object, &w.mapper);
	object_put(&f.ctx, object);
	fixture_close(&f);
}

TEST(object, writers_are_counted_and_denied_only_at_zero)
{
	struct fixture f;

	fixture_open(&f, RAM);
	struct object *object = fixture_object(&f, 0);

	EXPECT_EQ(object_writer_get(object), 0);
	object_writer_dup(object);
	EXPECT_EQ(object_deny_writers(object), -EBUSY);
	object_writer_put(object);
	EXPECT_EQ(object_deny_writers(object), -EBUSY);
	object_writer_put(object);
	EXPECT_EQ(object_deny_writers(object), 0);
	EXPECT_EQ(object_deny_writers(object), 0);
	EXPECT_EQ(object_writer_get(object), -EPERM);
	expect_sound(&f, object);
	object_put(&f.ctx, object);
	fixture_close(&f);
}

TEST(object, check_names_the_broken_invariant)
{
	struct fixture f;
	struct check_report report = { .broken = 0 };

	fixture_open(&f, RAM);
	struct object *object = fixture_object(&f, PAGE_BYTES);

	store_byte(&f, object, 0, 1);
	object->size = 0;
	object_check(&f.ctx, object, &report);
	EXPECT_EQ(report.broken, 1);
	object->size = PAGE_BYTES;
	shmem_of(object)->pages.count++;
	object_check(&f.ctx, object, &report);
	EXPECT_EQ(report.broken, 2);
	shmem_of(object)->pages.count--;
	expect_sound(&f, object);
	object_put(&f.ctx, object);
	fixture_close(&f);
}
