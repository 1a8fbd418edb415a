// SPDX-License-Identifier: MIT
/*
 * Files of huge pages: which pages they take from the pool, which they are promised, and what goes with a truncation or
 * a hole.
 */
#include "object/hugefile.h"

#include "fixture.h"
#include "harness.h"
#include "phys/pool.h"

#include <errno.h>

#define HUGE_BYTES (HUGE_FRAMES * PAGE_BYTES)
#define RAM        (10 * HUGE_BYTES)

static struct object *open_file(struct fixture *f, uint64_t npages, uint64_t pool)
{
	struct object *object;

	fixture_open(f, RAM);
	pool_resize(&f->ctx, pool);
	SETUP(object_create_huge(&f->ctx, npages * HUGE_BYTES, &object) == 0);
	return object;
}

static void close_file(struct fixture *f, struct object *object)
{
	expect_sound(f, object);
	object_put(&f->ctx, object);
	pool_resize(&f->ctx, 0);
	fixture_close(f);
}

static void expect_pool(struct fixture *f, uint64_t nfree, uint64_t reserved)
{
	struct pool_numbers n;

	pool_numbers(&f->ctx, &n);
	EXPECT_EQ(n.nfree, nfree);
	EXPECT_EQ(n.reserved, reserved);
}

static int make(struct fixture *f, struct object *object, uint64_t page)
{
	int err;

	hugefile_making_lock(&f->ctx, object);
	err = hugefile_make_locked(&f->ctx, object, page << HUGE_ORDER);
	hugefile_making_unlock(&f->ctx, object);
	return err;
}

TEST(hugefile, page_is_a_block_of_the_pool)
{
	struct fixture f;
	struct object *object = open_file(&f, 3, 2);
	pfn_t head, pfn;

	EXPECT(object_is_huge(object));
	EXPECT_EQ(object_block(&f.ctx, object, HUGE_FRAMES, false).n, 0);
	EXPECT_EQ(make(&f, object, 1), 0);
	EXPECT_EQ(make(&f, object, 1), 0);
	expect_pool(&f, 1, 0);
	head = object_block(&f.ctx, object, HUGE_FRAMES, false);
	EXPECT(frame_pooled(frame_of(f.env.phys, head)));
	REQUIRE_EQ(object_page(&f.ctx, object, HUGE_FRAMES + 9, false, &pfn), 0);
	EXPECT_EQ(pfn.n, head.n + 9);
	frame_put(&f.ctx, pfn);
	EXPECT_EQ(object_pages(&f.ctx, object), HUGE_FRAMES);
	EXPECT_EQ(make(&f, object, 3), -ENXIO);
	EXPECT_EQ(make(&f, object, 2), 0);
	EXPECT_EQ(make(&f, object, 0), -ENOSPC);
	EXPECT_EQ(object_block(&f.ctx, object, 0, true).n, 0);
	close_file(&f, object);
}

TEST(hugefile, promised_page_is_there_for_it_alone)
{
	struct fixture f;
	struct object *object = open_file(&f, 4, 3);
	pfn_t head;

	EXPECT_EQ(object_promise(&f.ctx, object, 0, 4 * HUGE_FRAMES), -ENOMEM);
	EXPECT_EQ(make(&f, object, 1), 0);
	EXPECT_EQ(object_promise(&f.ctx, object, HUGE_FRAMES, 2 * HUGE_FRAMES), 0);
	expect_pool(&f, 2, 1);
	EXPECT_EQ(object_promise(&f.ctx, object, 0, 3 * HUGE_FRAMES), 0);
	expect_pool(&f, 2, 2);
	EXPECT_EQ(make(&f, object, 3), -ENOSPC);
	EXPECT_EQ(pool_take(&f.ctx, FRAME_ANON, 0, false, &head), -ENOMEM);
	EXPECT_EQ(make(&f, object, 0), 0);
	expect_pool(&f, 1, 1);
	close_file(&f, object);
}

TEST(hugefile, truncation_forgets_promises_and_a_hole_does_not)
{
	struct fixture f;
	struct object *object = open_file(&f, 4, 4);

	EXPECT_EQ(object_promise(&f.ctx, object, 0, 4 * HUGE_FRAMES), 0);
	EXPECT_EQ(make(&f, object, 0), 0);
	EXPECT_EQ(make(&f, object, 2), 0);
	object_punch(&f.ctx, object, 0, 4 * HUGE_BYTES);
	expect_pool(&f, 4, 2);
	EXPECT_EQ(make(&f, object, 0), 0);
	object_resize(&f.ctx, object, 2 * HUGE_BYTES);
	expect_pool(&f, 3, 1);
	object_resize(&f.ctx, object, 0);
	expect_pool(&f, 4, 0);
	close_file(&f, object);
}

TEST(hugefile, hole_zeroes_what_it_has_of_a_page)
{
	struct fixture f;
	struct object *object = open_file(&f, 2, 2);

	EXPECT_EQ(make(&f, object, 0), 0);
	EXPECT_EQ(make(&f, object, 1), 0);
	for (uint64_t at = 0; at < 2 * HUGE_BYTES; at += 2 * PAGE_BYTES)
		store_byte(&f, object, at, 1);
	object_punch(&f.ctx, object, 4 * PAGE_BYTES, HUGE_BYTES + PAGE_BYTES);
	EXPECT_EQ(byte_of(&f, object, 2 * PAGE_BYTES), 1);
	EXPECT_EQ(byte_of(&f, object, 4 * PAGE_BYTES), 0);
	EXPECT_EQ(byte_of(&f, object, HUGE_BYTES - 2 * PAGE_BYTES), 0);
	EXPECT_EQ(byte_of(&f, object, HUGE_BYTES), 0);
	EXPECT_EQ(byte_of(&f, object, HUGE_BYTES + 2 * PAGE_BYTES), 1);
	EXPECT_EQ(object_pages(&f.ctx, object), 2 * HUGE_FRAMES);
	close_file(&f, object);
}

TEST(hugefile, commit_takes_what_there_is)
{
	struct fixture f;
	struct object *object = open_file(&f, 1, 2);

	EXPECT_EQ(object_commit(&f.ctx, object, 5, HUGE_BYTES + 1), 0);
	EXPECT_EQ(object_pages(&f.ctx, object), 2 * HUGE_FRAMES);
	expect_sound(&f, object);
	EXPECT_EQ(object_commit(&f.ctx, object, 0, 3 * HUGE_BYTES), -ENOSPC);
	object_resize(&f.ctx, object, 0);
	expect_pool(&f, 2, 0);
	EXPECT_EQ(object_commit(&f.ctx, object, 0, 3 * HUGE_BYTES), -ENOSPC);
	EXPECT_EQ(object_pages(&f.ctx, object), 2 * HUGE_FRAMES);
	close_file(&f, object);
}

TEST(hugefile, failure_at_any_allocation_keeps_promises)
{
	struct fixture f;
	struct object *object = open_file(&f, 2, 2);
	struct census before, now;
	int err;

	EXPECT_EQ(object_promise(&f.ctx, object, 0, 2 * HUGE_FRAMES), 0);
	for (unsigned n = 1;; n++) {
		before = census_now(&f);
		fixture_fail_at(&f, n);
		err = make(&f, object, 1);
		fixture_fail_at(&f, NEVER);
		if (err == 0)
			break;
		EXPECT_EQ(err, -ENOMEM);
		now = census_now(&f);
		expect_same_census(&before, &now);
		expect_pool(&f, 2, 2);
		expect_sound(&f, object);
	}
	expect_pool(&f, 1, 1);
	close_file(&f, object);
}
