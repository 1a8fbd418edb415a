// SPDX-License-Identifier: MIT
/*
 * Objects whose pages somebody else keeps: here an array of 16 frames. What such an object sees through all of the
 * kernel is the ABI suite over examples/own_memfd.
 */
#include "fixture.h"
#include "harness.h"
#include "ksim/kernel/object.h"
#include "unit/aborts.h"

#include <errno.h>

enum { SLOTS = 16 };

struct theirs {
	struct ksim_pfn frame[SLOTS];
	bool created, destroyed;
};

static struct ctx *ctx_of(struct ksim_call *call)
{
	return (struct ctx *)call;
}

/* The object's lock is held in every op but create. */
static void enter(struct ksim_call *call)
{
	EXPECT(ctx_of(call)->held >> RANK_OBJECT & 1);
}

static int create(struct ksim_call *call, void *arg, void **object)
{
	struct theirs *t = arg;

	(void)call;
	if (t->created)
		return -ENOMEM;
	t->created = true;
	*object = t;
	return 0;
}

static int page(struct ksim_call *call, void *object, uint64_t index, int make, struct ksim_pfn *out)
{
	struct theirs *t = object;

	enter(call);
	if (index >= SLOTS)
		return make ? -ENOMEM : -ENOENT;
	if (t->frame[index].n == 0) {
		int err = make ? frame_alloc(ctx_of(call), FRAME_FILE, FRAME_ZERO, &t->frame[index]) : -ENOENT;

		if (err < 0) {
			t->frame[index].n = 0;
			return err;
		}
	}
	*out = t->frame[index];
	return 0;
}

static void punch(struct ksim_call *call, void *object, uint64_t first, uint64_t last)
{
	struct theirs *t = object;

	enter(call);
	for (uint64_t i = first; i <= last && i < SLOTS; i++) {
		if (t->frame[i].n != 0)
			frame_put(ctx_of(call), t->frame[i]);
		t->frame[i].n = 0;
	}
}

static void resize(struct ksim_call *call, void *object, uint64_t size)
{
	punch(call, object, pages_of(size), SLOTS - 1);
}

static int next(struct ksim_call *call, void *object, uint64_t *index)
{
	struct theirs *t = object;

	enter(call);
	for (; *index < SLOTS; ++*index)
		if (t->frame[*index].n != 0)
			return 0;
	return -ENOENT;
}

static void destroy(struct ksim_call *call, void *object)
{
	struct theirs *t = object;

	punch(call, object, 0, SLOTS - 1);
	t->destroyed = true;
}

static struct ksim_object_ops ops_of(struct theirs *t)
{
	return (struct ksim_object_ops){
		.bytes = sizeof(struct ksim_object_ops),
		.name = "theirs",
		.arg = t,
		.create = create,
		.page = page,
		.resize = resize,
		.punch = punch,
		.next = next,
		.destroy = destroy,
	};
}

struct bed {
	struct fixture f;
	struct theirs theirs;
	struct ksim_object_ops ops;
	struct object *object;
};

static void open_bed(struct bed *b, uint64_t size)
{
	*b = (struct bed){ .object = NULL };
	fixture_open(&b->f, 64 * PAGE_BYTES);
	b->ops = ops_of(&b->theirs);
	SETUP(object_create_foreign(&b->f.ctx, &b->ops, &b->object) == 0);
	object_resize(&b->f.ctx, b->object, size);
}

static void close_bed(struct bed *b)
{
	expect_sound(&b->f, b->object);
	object_put(&b->f.ctx, b->object);
	ctx_drain(&b->f.ctx);
	EXPECT(b->theirs.destroyed);
	fixture_close(&b->f);
}

TEST(foreign, pages_are_made_read_and_written_through_their_ops)
{
	struct bed b;
	char byte = 0;

	open_bed(&b, 4 * PAGE_BYTES);
	EXPECT_EQ(write_at(&b.f, b.object, PAGE_BYTES + 5, "x", 1), 1);
	EXPECT(b.theirs.frame[1].n != 0 && b.theirs.frame[0].n == 0);
	EXPECT_EQ(read_at(&b.f, b.object, PAGE_BYTES + 5, &byte, 1), 1);
	EXPECT_EQ(byte, 'x');
	EXPECT_EQ(read_at(&b.f, b.object, 0, &byte, 1), 1);
	EXPECT_EQ(byte, 0);
	EXPECT_EQ(object_pages(&b.f.ctx, b.object), 1);
	close_bed(&b);
}

TEST(foreign, pages_beyond_the_size_are_not_asked_for)
{
	struct bed b;
	pfn_t pfn;

	open_bed(&b, 2 * PAGE_BYTES);
	EXPECT_EQ(object_page(&b.f.ctx, b.object, 2, true, &pfn), -ENXIO);
	EXPECT_EQ(b.theirs.frame[2].n, 0);
	close_bed(&b);
}

TEST(foreign, shrinking_takes_pages_away_and_zeroes_the_tail)
{
	struct bed b;

	open_bed(&b, 4 * PAGE_BYTES);
	for (uint64_t at = 0; at < 4 * PAGE_BYTES; at += PAGE_BYTES)
		store_byte(&b.f, b.object, at + 100, 'x');
	object_resize(&b.f.ctx, b.object, PAGE_BYTES + 50);
	EXPECT(b.theirs.frame[1].n != 0 && b.theirs.frame[2].n == 0 && b.theirs.frame[3].n == 0);
	EXPECT_EQ(byte_of(&b.f, b.object, PAGE_BYTES + 100), 0);
	object_resize(&b.f.ctx, b.object, 4 * PAGE_BYTES);
	EXPECT_EQ(byte_of(&b.f, b.object, 2 * PAGE_BYTES + 100), -1);
	close_bed(&b);
}

TEST(foreign, what_fallocate_makes_is_no_data_until_it_is_touched)
{
	struct bed b;

	open_bed(&b, 4 * PAGE_BYTES);
	store_byte(&b.f, b.object, PAGE_BYTES, 'x');
	EXPECT_EQ(object_commit(&b.f.ctx, b.object, 0, 4 * PAGE_BYTES), 0);
	EXPECT_EQ(object_pages(&b.f.ctx, b.object), 4);
	EXPECT_EQ(object_seek(&b.f.ctx, b.object, 0, true), PAGE_BYTES);
	EXPECT_EQ(object_seek(&b.f.ctx, b.object, PAGE_BYTES, false), 2 * PAGE_BYTES);
	store_byte(&b.f, b.object, 2 * PAGE_BYTES, 'x');
	EXPECT_EQ(object_seek(&b.f.ctx, b.object, PAGE_BYTES, false), 3 * PAGE_BYTES);
	object_punch(&b.f.ctx, b.object, 0, 4 * PAGE_BYTES);
	EXPECT_EQ(object_pages(&b.f.ctx, b.object), 0);
	EXPECT_EQ(object_seek(&b.f.ctx, b.object, 0, true), -ENXIO);
	close_bed(&b);
}

TEST(foreign, commit_makes_all_pages_or_none)
{
	struct bed b;

	open_bed(&b, 8 * PAGE_BYTES);
	store_byte(&b.f, b.object, 2 * PAGE_BYTES, 'x');
	for (unsigned n = 1;; n++) {
		struct census before = census_now(&b.f), now;
		int err;

		fixture_fail_at(&b.f, n);
		err = object_commit(&b.f.ctx, b.object, 0, 8 * PAGE_BYTES);
		fixture_fail_at(&b.f, NEVER);
		if (err == 0)
			break;
		EXPECT_EQ(err, -ENOMEM);
		now = census_now(&b.f);
		expect_same_census(&before, &now);
		EXPECT_EQ(object_pages(&b.f.ctx, b.object), 1);
		expect_sound(&b.f, b.object);
		REQUIRE(n < 100);
	}
	EXPECT_EQ(object_pages(&b.f.ctx, b.object), 8);
	close_bed(&b);
}

TEST(foreign, more_pages_than_RAM_has_are_refused_at_once)
{
	struct bed b;

	open_bed(&b, UINT64_C(1) << 40);
	EXPECT_EQ(object_commit(&b.f.ctx, b.object, 0, UINT64_C(1) << 40), -ENOMEM);
	close_bed(&b);
}

TEST(foreign, create_may_refuse)
{
	struct bed b;
	struct object *second;

	open_bed(&b, 0);
	EXPECT_EQ(object_create_foreign(&b.f.ctx, &b.ops, &second), -ENOMEM); /* there is one of theirs only */
	close_bed(&b);
}

TEST(foreign, ops_are_complete_or_refused)
{
	struct theirs t = { .created = false };
	struct ksim_object_ops ops = ops_of(&t);

	EXPECT(object_ops_complete(&ops));
	ops.bytes--;
	EXPECT(!object_ops_complete(&ops));
	ops = ops_of(&t);
	ops.punch = NULL;
	EXPECT(!object_ops_complete(&ops));
	ops = ops_of(&t);
	ops.next = NULL;
	EXPECT(!object_ops_complete(&ops));
}

/* Those whose authors forgot the minus. */

static int wrong_create(struct ksim_call *call, void *arg, void **object)
{
	(void)call;
	(void)arg;
	(void)object;
	return ENOMEM;
}

static int wrong_page(struct ksim_call *call, void *object, uint64_t index, int make, struct ksim_pfn *out)
{
	int err = page(call, object, index, make, out);

	return err < 0 ? -err : err;
}

static int wrong_next(struct ksim_call *call, void *object, uint64_t *index)
{
	int err = next(call, object, index);

	return err < 0 ? -err : err;
}

static void create_one(void *arg)
{
	struct bed *b = arg;
	struct object *second;

	object_create_foreign(&b->f.ctx, &b->ops, &second);
}

static void look_up(void *arg)
{
	struct bed *b = arg;
	pfn_t pfn;

	object_page(&b->f.ctx, b->object, 0, false, &pfn);
}

static void count(void *arg)
{
	struct bed *b = arg;

	object_pages(&b->f.ctx, b->object);
}

TEST(foreign, an_answer_that_is_none_ends_the_program_with_a_sentence)
{
	struct bed b;

	open_bed(&b, PAGE_BYTES);
	b.ops.create = wrong_create;
	expect_abort(create_one, &b, "create answers 0 or a negative errno");
	b.ops.page = wrong_page;
	expect_abort(look_up, &b, "page answers 0, -ENOENT");
	b.ops = ops_of(&b.theirs);
	b.ops.next = wrong_next;
	expect_abort(count, &b, "next answers 0 or -ENOENT");
	b.ops = ops_of(&b.theirs);
	close_bed(&b);
}
