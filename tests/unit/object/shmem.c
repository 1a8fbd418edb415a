// SPDX-License-Identifier: MIT
/*
 * Where the pages of shared memory come from: one at a time, and many or none.
 */
#include "fixture.h"

#include "harness.h"

#include <errno.h>
#include <string.h>

#define RAM (256 * PAGE_BYTES)

static bool all_zero(struct fixture *f, pfn_t pfn)
{
	static const char zeros[PAGE_BYTES];

	return memcmp(frame_ptr(f->env.phys, pfn), zeros, PAGE_BYTES) == 0;
}

TEST(shmem, every_lookup_of_a_page_gives_the_same_zeroed_frame)
{
	struct fixture f;
	pfn_t first, second, third;

	fixture_open(&f, RAM);
	struct object *object = fixture_object(&f, 3 * PAGE_BYTES);

	EXPECT_EQ(object_page(&f.ctx, object, 2, false, &first), -ENOENT);
	REQUIRE_EQ(object_page(&f.ctx, object, 2, true, &first), 0);
	REQUIRE_EQ(object_page(&f.ctx, object, 2, true, &second), 0);
	REQUIRE_EQ(object_page(&f.ctx, object, 2, false, &third), 0);
	EXPECT_EQ(second.n, first.n);
	EXPECT_EQ(third.n, first.n);
	EXPECT_EQ(frame_refs(f.env.phys, first), 4);
	EXPECT_EQ(frame_of(f.env.phys, first)->use, FRAME_FILE);
	EXPECT(all_zero(&f, first));
	EXPECT_EQ(object_pages(&f.ctx, object), 1);
	for (int i = 0; i < 3; i++)
		frame_put(&f.ctx, first);
	expect_sound(&f, object);
	object_put(&f.ctx, object);
	fixture_close(&f);
}

TEST(shmem, page_at_or_beyond_the_size_is_ENXIO_and_is_not_made)
{
	struct fixture f;
	pfn_t pfn;

	fixture_open(&f, RAM);
	struct object *object = fixture_object(&f, PAGE_BYTES + 1);

	EXPECT_EQ(object_page(&f.ctx, object, 2, true, &pfn), -ENXIO);
	EXPECT_EQ(object_page(&f.ctx, object, OBJECT_PGIDX_MAX, true, &pfn), -ENXIO);
	EXPECT_EQ(object_page(&f.ctx, object, 2, false, &pfn), -ENXIO);
	EXPECT_EQ(object_pages(&f.ctx, object), 0);
	REQUIRE_EQ(object_page(&f.ctx, object, 1, true, &pfn), 0);
	frame_put(&f.ctx, pfn);
	object_put(&f.ctx, object);
	fixture_close(&f);
}

TEST(shmem, page_without_memory_fails_ENOMEM_and_leaves_nothing)
{
	struct fixture f;
	unsigned n = 0;
	pfn_t pfn;
	int err;

	fixture_open(&f, RAM);
	struct object *object = fixture_object(&f, UINT64_C(1) << 40);

	store_byte(&f, object, 0, 1);
	struct census before = census_now(&f);

	for (;;) {
		fixture_fail_at(&f, ++n);
		REQUIRE_MSG(n < 100, "still failing after %u allocations", n);
		err = object_page(&f.ctx, object, 1 << 20, true, &pfn);
		if (err == 0)
			break;
		struct census now = census_now(&f);

		EXPECT_EQ(err, -ENOMEM);
		expect_same_census(&before, &now);
		expect_sound(&f, object);
	}
	EXPECT_MSG(n > 4, "%u allocations", n);
	frame_put(&f.ctx, pfn);
	object_put(&f.ctx, object);
	fixture_close(&f);
}

TEST(shmem, commit_makes_the_absent_pages_zeroed_and_keeps_the_present_ones)
{
	struct fixture f;
	pfn_t before, after;

	fixture_open(&f, RAM);
	struct object *object = fixture_object(&f, 100 * PAGE_BYTES);

	store_byte(&f, object, 50 * PAGE_BYTES, 'x');
	REQUIRE_EQ(object_page(&f.ctx, object, 50, false, &before), 0);
	EXPECT_EQ(object_commit(&f.ctx, object, PAGE_BYTES + 7, 99 * PAGE_BYTES + 1), 0);
	EXPECT_EQ(object_pages(&f.ctx, object), 99);
	EXPECT_EQ(byte_of(&f, object, 0), -1);
	for (uint64_t pgidx = 1; pgidx < 100; pgidx++) {
		REQUIRE_EQ(object_page(&f.ctx, object, pgidx, false, &after), 0);
		EXPECT(pgidx == 50 ? after.n == before.n : all_zero(&f, after));
		EXPECT_EQ(frame_refs(f.env.phys, after), pgidx == 50 ? 3 : 2);
		frame_put(&f.ctx, after);
	}
	frame_put(&f.ctx, before);
	struct census full = census_now(&f);

	EXPECT_EQ(object_commit(&f.ctx, object, PAGE_BYTES, 100 * PAGE_BYTES), 0);
	EXPECT_EQ(object_commit(&f.ctx, object, 5, 5), 0);
	struct census now = census_now(&f);

	expect_same_census(&full, &now);
	expect_sound(&f, object);
	object_put(&f.ctx, object);
	fixture_close(&f);
}

TEST(shmem, commit_beyond_the_size_is_out_of_reach_until_the_object_grows)
{
	struct fixture f;
	pfn_t pfn;

	fixture_open(&f, RAM);
	struct object *object = fixture_object(&f, 0);

	EXPECT_EQ(object_commit(&f.ctx, object, 0, 10 * PAGE_BYTES), 0);
	EXPECT_EQ(object_page(&f.ctx, object, 0, true, &pfn), -ENXIO);
	EXPECT_EQ(object_pages(&f.ctx, object), 10);
	object_resize(&f.ctx, object, 10 * PAGE_BYTES);
	EXPECT_EQ(byte_of(&f, object, 9 * PAGE_BYTES), 0);
	EXPECT_EQ(object_pages(&f.ctx, object), 10);
	expect_sound(&f, object);
	object_put(&f.ctx, object);
	fixture_close(&f);
}

TEST(shmem, commit_of_more_than_RAM_fails_ENOMEM_before_any_allocation)
{
	struct fixture f;

	fixture_open(&f, RAM);
	struct object *object = fixture_object(&f, 0);
	struct census before = census_now(&f);

	fixture_fail_at(&f, ~0u);
	EXPECT_EQ(object_commit(&f.ctx, object, 0, UINT64_C(1) << 40), -ENOMEM);
	EXPECT_EQ(object_commit(&f.ctx, object, 0, OBJECT_SIZE_MAX), -ENOMEM);
	EXPECT_EQ(object_commit(&f.ctx, object, 0, (before.free_frames + 1) * PAGE_BYTES), -ENOMEM);
	EXPECT_EQ(f.asked, 0);
	fixture_fail_at(&f, NEVER);
	EXPECT_EQ(object_commit(&f.ctx, object, 0, before.free_frames * PAGE_BYTES), 0);
	EXPECT_EQ(phys_free_frames(&f.ctx), 0);
	EXPECT_EQ(object_commit(&f.ctx, object, 0, before.free_frames * PAGE_BYTES), 0);
	object_resize(&f.ctx, object, 0);
	struct census now = census_now(&f);

	expect_same_census(&before, &now);
	object_put(&f.ctx, object);
	fixture_close(&f);
}

/* A commit that fails at each of its allocations in turn. @return how many there were */
static unsigned commit_failing_everywhere(struct fixture *f, struct object *object, uint64_t end)
{
	struct census before = census_now(f);
	uint64_t pages = object_pages(&f->ctx, object);
	unsigned n = 0;

	for (;;) {
		fixture_fail_at(f, ++n);
		REQUIRE_MSG(n < 1000, "still failing after %u allocations", n);
		int err = object_commit(&f->ctx, object, 0, end);
		struct census now = census_now(f);

		if (err == 0)
			break;
		EXPECT_EQ(err, -ENOMEM);
		EXPECT_EQ(object_pages(&f->ctx, object), pages);
		expect_same_census(&before, &now);
		expect_sound(f, object);
	}
	fixture_fail_at(f, NEVER);
	return n;
}

TEST(shmem, commit_failing_at_any_allocation_changes_nothing)
{
	struct fixture f;

	fixture_open(&f, RAM);
	struct object *object = fixture_object(&f, 200 * PAGE_BYTES);

	store_byte(&f, object, 3 * PAGE_BYTES, 'x');
	unsigned n = commit_failing_everywhere(&f, object, 10 * PAGE_BYTES);

	EXPECT_MSG(n > 9, "%u allocations", n);
	n = commit_failing_everywhere(&f, object, 200 * PAGE_BYTES);
	EXPECT_MSG(n > 190, "%u allocations", n);
	EXPECT_EQ(byte_of(&f, object, 3 * PAGE_BYTES), 'x');
	expect_sound(&f, object);
	object_put(&f.ctx, object);
	fixture_close(&f);
}

TEST(shmem, commit_failing_after_many_frames_gives_them_all_back)
{
	struct fixture f;

	fixture_open(&f, 4 * RAM);
	struct object *object = fixture_object(&f, 0);
	struct census before = census_now(&f);

	for (unsigned n = 500; n < 1000; n += 131) {
		fixture_fail_at(&f, n);
		EXPECT_EQ(object_commit(&f.ctx, object, 0, 1000 * PAGE_BYTES), -ENOMEM);
		struct census now = census_now(&f);

		expect_same_census(&before, &now);
	}
	fixture_fail_at(&f, NEVER);
	EXPECT_EQ(object_commit(&f.ctx, object, 0, 1000 * PAGE_BYTES), 0);
	object_resize(&f.ctx, object, 0);
	object_put(&f.ctx, object);
	fixture_close(&f);
}

/* Somebody else makes page 3 while we are about to allocate a frame for it. */
struct rival {
	struct object *object;
	bool fails; /* and then there is no frame for us */
	pfn_t pfn;
};

static bool rival_first(void *arg, struct ctx *ctx, enum fail_kind kind)
{
	struct rival *rival = arg;

	EXPECT_EQ(kind, FAIL_FRAME);
	ctx->env->hooks.fail = NULL;
	SETUP(object_page(ctx, rival->object, 3, true, &rival->pfn) == 0);
	return rival->fails;
}

static void race_with_rival(bool fails)
{
	struct fixture f;
	pfn_t pfn;

	fixture_open(&f, RAM);
	struct rival rival = { .object = fixture_object(&f, 8 * PAGE_BYTES), .fails = fails };

	f.env.hooks.fail = rival_first;
	f.env.hooks.fail_arg = &rival;
	REQUIRE_EQ(object_page(&f.ctx, rival.object, 3, true, &pfn), 0);
	EXPECT_EQ(pfn.n, rival.pfn.n);
	EXPECT_EQ(frame_refs(f.env.phys, pfn), 3);
	EXPECT_EQ(owners_total(&f.env.owners, CENSUS_FRAME), 1);
	frame_put(&f.ctx, pfn);
	frame_put(&f.ctx, pfn);
	object_put(&f.ctx, rival.object);
	fixture_close(&f);
}

TEST(shmem, page_that_another_makes_first_is_shared_and_our_frame_goes_back)
{
	race_with_rival(false);
}

TEST(shmem, page_that_another_makes_of_the_last_frame_is_shared)
{
	race_with_rival(true);
}

TEST(shmem, create_without_memory_fails_ENOMEM)
{
	struct fixture f;
	struct object *object = NULL;

	fixture_open(&f, RAM);
	fixture_fail_at(&f, 1);
	EXPECT_EQ(object_create_shmem(&f.ctx, 1, &object), -ENOMEM);
	EXPECT(object == NULL);
	object_put(&f.ctx, NULL);
	fixture_close(&f);
}

TEST(shmem, last_put_destroys_at_the_drain)
{
	struct fixture f;

	fixture_open(&f, RAM);
	struct census before = census_now(&f);
	struct object *object = fixture_object(&f, 300 * PAGE_BYTES);

	REQUIRE_EQ(object_commit(&f.ctx, object, 0, 200 * PAGE_BYTES), 0);
	EXPECT_EQ(owners_total(&f.env.owners, CENSUS_OBJECT), 1);
	EXPECT_STREQ(object->origin.call, "test");
	object_get(object);
	object_put(&f.ctx, object);
	ctx_drain(&f.ctx);
	EXPECT_EQ(object_pages(&f.ctx, object), 200);
	object_put(&f.ctx, object);
	EXPECT_EQ(owners_total(&f.env.owners, CENSUS_OBJECT), 1);
	ctx_drain(&f.ctx);
	struct census now = census_now(&f);

	expect_same_census(&before, &now);
	fixture_close(&f);
}

TEST(shmem, commit_below_a_present_page_makes_every_absent_page)
{
	struct fixture f;

	fixture_open(&f, RAM);
	struct object *object = fixture_object(&f, 10 * PAGE_BYTES);

	store_byte(&f, object, 2 * PAGE_BYTES, 1);
	store_byte(&f, object, 7 * PAGE_BYTES, 1);
	REQUIRE_EQ(object_commit(&f.ctx, object, 0, 5 * PAGE_BYTES), 0);
	EXPECT_EQ(object_pages(&f.ctx, object), 6);
	for (uint64_t page = 0; page < 10; page++)
		EXPECT_EQ(byte_of(&f, object, page * PAGE_BYTES), page == 2 || page == 7 ? 1 : page < 5 ? 0 : -1);
	expect_sound(&f, object);
	object_put(&f.ctx, object);
	fixture_close(&f);
}

TEST(shmem, remove_takes_the_pages_up_to_the_last_wanted_and_says_where_to_go_on)
{
	struct fixture f;
	uint64_t next = 1;
	pfn_t taken[4];
	size_t n;

	fixture_open(&f, RAM);
	struct object *object = fixture_object(&f, 10 * PAGE_BYTES);

	for (uint64_t page = 0; page < 10; page += 3)
		store_byte(&f, object, page * PAGE_BYTES, 1);
	mutex_lock(&f.ctx, &object->lock);
	n = object->ops->remove(&f.ctx, object, &next, 8, taken, ARRAY_SIZE(taken));
	mutex_unlock(&f.ctx, &object->lock);
	REQUIRE_EQ(n, 2);
	EXPECT_EQ(next, 7);
	while (n > 0)
		frame_put(&f.ctx, taken[--n]);
	for (uint64_t page = 0; page < 10; page += 3)
		EXPECT_EQ(byte_of(&f, object, page * PAGE_BYTES), page == 3 || page == 6 ? -1 : 1);
	object_put(&f.ctx, object);
	fixture_close(&f);
}

/* ---- what there is of a run ---- */

enum { RUN_MAX = 16 };

/* Puts what a look gave; the frames' references are as before. */
static void put_run(struct fixture *f, const pfn_t *pages, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (pages[i].n != 0)
			frame_put(&f->ctx, pages[i]);
}

TEST(shmem, look_at_a_run_gives_what_is_there_and_leaves_the_holes)
{
	struct fixture f;
	pfn_t run[RUN_MAX], page;

	fixture_open(&f, RAM);
	struct object *object = fixture_object(&f, 10 * PAGE_BYTES);

	for (int i = 2; i < 10; i += 3)
		store_byte(&f, object, (uint64_t)i * PAGE_BYTES, i);
	memset(run, 0xff, sizeof(run));
	EXPECT_EQ(object_pages_at(&f.ctx, object, 1, 8, run), 3);
	for (uint64_t i = 0; i < 8; i++) {
		bool there = (i + 1) % 3 == 2;

		EXPECT_EQ(object_page(&f.ctx, object, i + 1, false, &page), there ? 0 : -ENOENT);
		EXPECT_EQ(run[i].n, there ? page.n : 0);
		if (there)
			frame_put(&f.ctx, page);
	}
	EXPECT_EQ(object_pages(&f.ctx, object), 3);
	put_run(&f, run, 8);
	expect_sound(&f, object);
	object_put(&f.ctx, object);
	fixture_close(&f);
}

TEST(shmem, look_at_a_run_takes_one_reference_on_each_frame)
{
	struct fixture f;
	pfn_t run[RUN_MAX];

	fixture_open(&f, RAM);
	struct object *object = fixture_object(&f, 4 * PAGE_BYTES);

	REQUIRE_EQ(object_commit(&f.ctx, object, 0, 4 * PAGE_BYTES), 0);
	REQUIRE_EQ(object_pages_at(&f.ctx, object, 0, 4, run), 4);
	for (int i = 0; i < 4; i++)
		EXPECT_EQ(frame_refs(f.env.phys, run[i]), 2);
	put_run(&f, run, 4);
	EXPECT_EQ(frame_refs(f.env.phys, run[0]), 1);
	object_put(&f.ctx, object);
	fixture_close(&f);
}

TEST(shmem, look_at_a_run_ends_at_the_size_though_pages_go_on)
{
	struct fixture f;
	pfn_t run[RUN_MAX];

	fixture_open(&f, RAM);
	struct object *object = fixture_object(&f, 2 * PAGE_BYTES + 1);

	REQUIRE_EQ(object_commit(&f.ctx, object, 0, 6 * PAGE_BYTES), 0); /* before it grows */
	EXPECT_EQ(object_pages_at(&f.ctx, object, 0, 6, run), 3);
	EXPECT(run[2].n != 0 && run[3].n == 0 && run[5].n == 0);
	put_run(&f, run, 6);
	EXPECT_EQ(object_pages_at(&f.ctx, object, 3, 3, run), 0);
	EXPECT(run[0].n == 0 && run[1].n == 0 && run[2].n == 0);
	EXPECT_EQ(object_pages_at(&f.ctx, object, OBJECT_PGIDX_MAX, 1, run), 0);
	object_resize(&f.ctx, object, 6 * PAGE_BYTES); /* now they are within reach */
	EXPECT_EQ(object_pages_at(&f.ctx, object, 3, 3, run), 3);
	put_run(&f, run, 3);
	object_put(&f.ctx, object);
	fixture_close(&f);
}

TEST(shmem, look_at_a_run_of_a_sparse_file_goes_past_the_last_page)
{
	struct fixture f;
	pfn_t run[RUN_MAX];

	fixture_open(&f, RAM);
	struct object *object = fixture_object(&f, UINT64_C(1) << 40);

	store_byte(&f, object, 3 * PAGE_BYTES, 'x');
	EXPECT_EQ(object_pages_at(&f.ctx, object, 4, 8, run), 0); /* nothing more at all */
	store_byte(&f, object, UINT64_C(1) << 30, 'y');
	EXPECT_EQ(object_pages_at(&f.ctx, object, 4, 8, run), 0); /* the next is behind the run */
	EXPECT_EQ(object_pages_at(&f.ctx, object, 2, 2, run), 1);
	EXPECT(run[0].n == 0 && run[1].n != 0);
	put_run(&f, run, 2);
	object_put(&f.ctx, object);
	fixture_close(&f);
}
