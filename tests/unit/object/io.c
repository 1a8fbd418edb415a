// SPDX-License-Identifier: MIT
/*
 * read() and write(): across pages and holes, at the end, and with buffers that are only partly there.
 */
#include "fixture.h"

#include "harness.h"

#include <errno.h>
#include <string.h>

#define RAM (64 * PAGE_BYTES)

TEST(io, write_then_read_across_pages_returns_the_same_bytes)
{
	char data[3 * PAGE_BYTES], back[sizeof(data)];
	struct fixture f;

	fixture_open(&f, RAM);
	struct object *object = fixture_object(&f, 0);

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i * 7 + i / 256);
	EXPECT_EQ(write_at(&f, object, 1000, data, sizeof(data)), sizeof(data));
	EXPECT_EQ(object_size(object), 1000 + sizeof(data));
	EXPECT_EQ(object_pages(&f.ctx, object), 4);
	EXPECT_EQ(read_at(&f, object, 1000, back, sizeof(back)), sizeof(back));
	EXPECT_MEMEQ(back, data, sizeof(data));
	EXPECT_EQ(read_at(&f, object, 1001, back, sizeof(back)), sizeof(back) - 1);
	EXPECT_MEMEQ(back, data + 1, sizeof(data) - 1);
	EXPECT_EQ(read_at(&f, object, 0, back, 1000), 1000);
	EXPECT_EQ(back[0] | back[999], 0);
	EXPECT_EQ(write_at(&f, object, 2000, "mid", 3), 3);
	EXPECT_EQ(object_size(object), 1000 + sizeof(data));
	expect_sound(&f, object);
	object_put(&f.ctx, object);
	fixture_close(&f);
}

/* SEMANTICS 61, first clause. */
TEST(io, read_of_a_hole_gives_zeros_and_makes_no_page)
{
	char back[3 * PAGE_BYTES];
	struct fixture f;

	fixture_open(&f, RAM);
	struct object *object = fixture_object(&f, 3 * PAGE_BYTES);

	store_byte(&f, object, PAGE_BYTES, 'x');
	memset(back, 'y', sizeof(back));
	EXPECT_EQ(read_at(&f, object, 0, back, sizeof(back)), sizeof(back));
	for (size_t i = 0; i < sizeof(back); i++)
		if (back[i] != (i == PAGE_BYTES ? 'x' : 0))
			EXPECT_EQ(i, sizeof(back));
	EXPECT_EQ(object_pages(&f.ctx, object), 1);
	object_put(&f.ctx, object);
	fixture_close(&f);
}

/* SEMANTICS 50 and 51. */
TEST(io, read_stops_at_the_size_though_the_page_goes_on)
{
	char back[20] = "";
	struct fixture f;

	fixture_open(&f, RAM);
	struct object *object = fixture_object(&f, 0);

	EXPECT_EQ(write_at(&f, object, 0, "hello", 5), 5);
	store_byte(&f, object, 7, '!');
	EXPECT_EQ(read_at(&f, object, 2, back, sizeof(back)), 3);
	EXPECT_STREQ(back, "llo");
	EXPECT_EQ(read_at(&f, object, 5, back, sizeof(back)), 0);
	EXPECT_EQ(read_at(&f, object, OBJECT_SIZE_MAX, back, sizeof(back)), 0);
	EXPECT_EQ(read_at(&f, object, 0, NULL, 0), 0);
	EXPECT_EQ(write_at(&f, object, 9, "x", 1), 1);
	EXPECT_EQ(read_at(&f, object, 5, back, sizeof(back)), 5);
	EXPECT_MEMEQ(back, "\0\0!\0x", 5);
	object_put(&f.ctx, object);
	fixture_close(&f);
}

TEST(io, write_from_a_bad_address_makes_the_page_and_grows_the_file_up_to_it)
{
	struct fixture f;

	fixture_open(&f, RAM);
	struct object *object = fixture_object(&f, 10);

	EXPECT_EQ(write_at(&f, object, 9 * PAGE_BYTES + 5, (void *)8, 10), -EFAULT);
	EXPECT_EQ(object_size(object), 9 * PAGE_BYTES + 5);
	EXPECT_EQ(object_pages(&f.ctx, object), 1);
	EXPECT_EQ(write_at(&f, object, 11 * PAGE_BYTES, (void *)8, 10), -EFAULT);
	EXPECT_EQ(object_size(object), 11 * PAGE_BYTES);
	EXPECT_EQ(object_pages(&f.ctx, object), 2);
	expect_sound(&f, object);
	object_put(&f.ctx, object);
	fixture_close(&f);
}

TEST(io, write_from_a_bad_address_before_6_18_changes_nothing)
{
	struct fixture f;

	fixture_open(&f, RAM);
	f.env.profile.write_makes_first = false;
	struct object *object = fixture_object(&f, 2 * PAGE_BYTES);
	struct census before = census_now(&f);

	EXPECT_EQ(write_at(&f, object, 9 * PAGE_BYTES, (void *)8, 10), -EFAULT);
	EXPECT_EQ(write_at(&f, object, 10, (void *)8, 10), -EFAULT);
	EXPECT_EQ(write_user(&f, object, 9 * PAGE_BYTES + 1, USER_BASE + USER_BYTES, 10), -EFAULT);
	EXPECT_EQ(write_user(&f, object, 0, USER_BASE - 1, 10), -EFAULT);
	EXPECT_EQ(write_at(&f, object, 9 * PAGE_BYTES, "", 0), 0);
	struct census now = census_now(&f);

	expect_same_census(&before, &now);
	EXPECT_EQ(object_size(object), 2 * PAGE_BYTES);
	EXPECT_EQ(write_at(&f, object, OBJECT_SIZE_MAX, "x", 1), -EFBIG);
	EXPECT_EQ(write_at(&f, object, OBJECT_SIZE_MAX - 1, "xy", 2), 1);
	EXPECT_EQ(object_size(object), OBJECT_SIZE_MAX);
	expect_sound(&f, object);
	object_put(&f.ctx, object);
	fixture_close(&f);
}

TEST(io, write_from_a_buffer_that_ends_early_is_partial)
{
	struct fixture f;

	fixture_open(&f, RAM);
	struct object *object = fixture_object(&f, 0);

	memset(f.user, 'u', USER_BYTES);
	f.user_bytes = PAGE_BYTES + 100;
	EXPECT_EQ(write_user(&f, object, PAGE_BYTES, USER_BASE, 3 * PAGE_BYTES), PAGE_BYTES + 100);
	EXPECT_EQ(object_size(object), 2 * PAGE_BYTES + 100);
	EXPECT_EQ(object_pages(&f.ctx, object), 2);
	EXPECT_EQ(byte_of(&f, object, 2 * PAGE_BYTES + 99), 'u');
	EXPECT_EQ(byte_of(&f, object, 2 * PAGE_BYTES + 100), 0);
	f.user_bytes = PAGE_BYTES;
	EXPECT_EQ(write_user(&f, object, 4 * PAGE_BYTES, USER_BASE, 3 * PAGE_BYTES), PAGE_BYTES);
	EXPECT_EQ(object_size(object), 5 * PAGE_BYTES);
	EXPECT_EQ(object_pages(&f.ctx, object), 4); /* with one for what did not arrive */
	expect_sound(&f, object);
	object_put(&f.ctx, object);
	fixture_close(&f);
}

TEST(io, read_into_a_buffer_that_ends_early_is_partial)
{
	struct fixture f;

	fixture_open(&f, RAM);
	struct object *object = fixture_object(&f, 4 * PAGE_BYTES);

	store_byte(&f, object, 99, 'o');
	f.user_bytes = 100;
	EXPECT_EQ(read_user(&f, object, 0, USER_BASE, PAGE_BYTES), 100);
	EXPECT_EQ(f.user[99], 'o');
	EXPECT_EQ(read_user(&f, object, PAGE_BYTES, USER_BASE, PAGE_BYTES), 100);
	EXPECT_EQ(f.user[99], 0);
	EXPECT_EQ(read_user(&f, object, 0, USER_BASE + 100, 1), -EFAULT);
	EXPECT_EQ(read_user(&f, object, PAGE_BYTES, USER_BASE + 100, 1), -EFAULT);
	EXPECT_EQ(read_user(&f, object, 4 * PAGE_BYTES, USER_BASE + 100, 1), 0);
	EXPECT_EQ(object_pages(&f.ctx, object), 1);
	object_put(&f.ctx, object);
	fixture_close(&f);
}

TEST(io, write_that_runs_out_of_frames_is_partial_then_ENOMEM)
{
	char data[3 * PAGE_BYTES];
	struct fixture f;

	fixture_open(&f, RAM);
	struct object *object = fixture_object(&f, 0);
	struct object *hog = fixture_object(&f, 0);

	memset(data, 'd', sizeof(data));
	REQUIRE_EQ(object_commit(&f.ctx, hog, 0, (phys_free_frames(&f.ctx) - 2) * PAGE_BYTES), 0);
	EXPECT_EQ(write_at(&f, object, 100, data, sizeof(data)), 2 * PAGE_BYTES - 100);
	EXPECT_EQ(object_size(object), 2 * PAGE_BYTES);
	EXPECT_EQ(write_at(&f, object, 2 * PAGE_BYTES, data, sizeof(data)), -ENOMEM);
	EXPECT_EQ(write_at(&f, object, PAGE_BYTES, "x", 1), 1);
	expect_sound(&f, object);
	object_resize(&f.ctx, hog, 0);
	object_put(&f.ctx, hog);
	object_put(&f.ctx, object);
	fixture_close(&f);
}

TEST(io, buffer_that_is_a_mapping_of_the_same_page_works)
{
	struct fixture f;

	fixture_open(&f, RAM);
	struct object *object = fixture_object(&f, PAGE_BYTES);

	REQUIRE_EQ(write_at(&f, object, 0, "abcdefgh", 8), 8);
	REQUIRE_EQ(object_page(&f.ctx, object, 0, false, &f.alias), 0);
	f.user_bytes = PAGE_BYTES;
	EXPECT_EQ(read_user(&f, object, 0, USER_BASE, PAGE_BYTES), PAGE_BYTES);
	EXPECT_EQ(write_user(&f, object, 0, USER_BASE, PAGE_BYTES), PAGE_BYTES);
	EXPECT_EQ(write_user(&f, object, 100, USER_BASE + 4, 4), 4);
	EXPECT_EQ(byte_of(&f, object, 100), 'e');
	EXPECT_EQ(read_user(&f, object, 2, USER_BASE, 6), 6);
	EXPECT_EQ(byte_of(&f, object, 0), 'c');
	EXPECT_EQ(write_user(&f, object, 2 * PAGE_BYTES, USER_BASE, 2), 2);
	EXPECT_EQ(byte_of(&f, object, 2 * PAGE_BYTES), 'c');
	EXPECT_EQ(frame_refs(f.env.phys, f.alias), 2);
	frame_put(&f.ctx, f.alias);
	object_put(&f.ctx, object);
	fixture_close(&f);
}

TEST(io, several_buffers_are_moved_as_one)
{
	char one[3] = { 'a', 'b', 'c' }, two[PAGE_BYTES], three[2] = { 'y', 'z' }, back[PAGE_BYTES + 5];
	struct uio_seg segs[] = {
		{ uptr_from(one), 3 }, { uptr_from(NULL), 0 }, { uptr_from(two), PAGE_BYTES }, { uptr_from(three), 2 }
	};
	struct fixture f;
	struct uio uio;

	fixture_open(&f, RAM);
	struct object *object = fixture_object(&f, 0);

	memset(two, '-', sizeof(two));
	uio_init(&uio, segs, 4);
	EXPECT_EQ(object_write(&f.ctx, object, 0, &uio), PAGE_BYTES + 5);
	EXPECT_EQ(uio.resid, 0);
	EXPECT_EQ(read_at(&f, object, 0, back, sizeof(back)), sizeof(back));
	EXPECT_MEMEQ(back, "abc-", 4);
	EXPECT_MEMEQ(back + PAGE_BYTES + 2, "-yz", 3);
	object_put(&f.ctx, object);
	fixture_close(&f);
}
