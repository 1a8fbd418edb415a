// SPDX-License-Identifier: MIT
/*
 * Holes: marks of the radix tree, what is data and what is not, punching and what mappings are told of it; and an
 * object with few ops.
 */
#include <errno.h>

#include "fixture.h"
#include "harness.h"

#define RAM  (256 * PAGE_BYTES)
#define PAGE (int64_t) PAGE_BYTES

/* ---- marks ---- */

/* A plain array beside the tree. */
enum { INDICES = 300 };
struct model {
	bool filled[INDICES], marked[INDICES];
};

static void expect_model(const struct radix *r, const struct model *m, uint64_t index)
{
	uint64_t data = index, gap = index, found = 0;

	while (data < INDICES && !(m->filled[data] && !m->marked[data]))
		data++;
	while (gap < INDICES && m->filled[gap] && !m->marked[gap])
		gap++;
	EXPECT_EQ(radix_next_unmarked(r, index, &found), data < INDICES);
	EXPECT(data == INDICES || found == data);
	EXPECT_EQ(radix_next_gap(r, index), gap);
	EXPECT_EQ(radix_marked(r, index), m->marked[index]);
}

static void change(struct fixture *f, struct radix *r, struct model *m, uint64_t index, unsigned what)
{
	if (!m->filled[index]) {
		REQUIRE_EQ(radix_reserve(&f->ctx, r, index, 1), 0);
		radix_set(r, index, (pfn_t){ index + 1 });
		m->filled[index] = true;
	} else if (what == 0) {
		EXPECT_EQ(radix_clear(r, index).n, index + 1);
		m->filled[index] = m->marked[index] = false;
	} else if (what == 1) {
		radix_mark(r, index);
		m->marked[index] = true;
	} else {
		EXPECT_EQ(radix_get_unmark(r, index).n, index + 1);
		m->marked[index] = false;
	}
}

TEST(hole, random_marks_agree_with_a_model)
{
	struct check_report report = { 0 };
	struct model m = { 0 };
	struct fixture f;
	struct radix r;
	uint64_t seed = 5;

	fixture_open(&f, RAM);
	radix_init(&r);
	for (int i = 0; i < 20000; i++) {
		change(&f, &r, &m, rnd(&seed) % INDICES, rnd(&seed) % 4);
		if (i % 8 == 0)
			expect_model(&r, &m, rnd(&seed) % INDICES);
	}
	radix_check(&r, &report);
	EXPECT_EQ(report.broken, 0);
	for (uint64_t index = 0; index < INDICES; index++)
		radix_clear(&r, index);
	EXPECT_EQ(r.nmarked, 0);
	radix_fini(&f.env, &r);
	fixture_close(&f);
}

/* ---- what is data ---- */

TEST(hole, committed_pages_are_no_data_until_they_are_touched)
{
	struct fixture f;
	struct object *object;
	pfn_t pfns[4];

	fixture_open(&f, RAM);
	object = fixture_object(&f, 8 * PAGE_BYTES);
	REQUIRE_EQ(object_commit(&f.ctx, object, 0, 8 * PAGE_BYTES), 0);
	EXPECT_EQ(object_seek(&f.ctx, object, 0, true), -ENXIO);
	EXPECT_EQ(object_seek(&f.ctx, object, 3, false), 3);
	EXPECT_EQ(write_at(&f, object, PAGE_BYTES, "x", 1), 1);
	store_byte(&f, object, 3 * PAGE_BYTES, 1);
	EXPECT_EQ(object_seek(&f.ctx, object, 0, true), PAGE);
	EXPECT_EQ(object_seek(&f.ctx, object, PAGE_BYTES, false), 2 * PAGE);
	EXPECT_EQ(object_seek(&f.ctx, object, 2 * PAGE_BYTES, true), 3 * PAGE);
	/* What is mapped many at a time is touched too. */
	EXPECT_EQ(object_pages_at(&f.ctx, object, 4, 2, pfns), 2);
	frame_put(&f.ctx, pfns[0]);
	frame_put(&f.ctx, pfns[1]);
	EXPECT_EQ(object_seek(&f.ctx, object, 3 * PAGE_BYTES, false), 6 * PAGE);
	/* And so is what is committed again. */
	REQUIRE_EQ(object_commit(&f.ctx, object, 6 * PAGE_BYTES, 8 * PAGE_BYTES), 0);
	EXPECT_EQ(object_seek(&f.ctx, object, 3 * PAGE_BYTES, false), 8 * PAGE);
	EXPECT_EQ(object_pages(&f.ctx, object), 8);
	expect_sound(&f, object);
	object_put(&f.ctx, object);
	fixture_close(&f);
}

TEST(hole, single_pages_and_many_are_committed_alike)
{
	struct fixture f;
	struct object *object;

	fixture_open(&f, RAM);
	object = fixture_object(&f, 4 * PAGE_BYTES);
	REQUIRE_EQ(object_commit(&f.ctx, object, 0, 1), 0);
	EXPECT_EQ(object_seek(&f.ctx, object, 0, true), -ENXIO);
	REQUIRE_EQ(object_commit(&f.ctx, object, 0, 2 * PAGE_BYTES), 0);
	EXPECT_EQ(object_seek(&f.ctx, object, 0, true), 0);
	EXPECT_EQ(object_seek(&f.ctx, object, 0, false), PAGE);
	REQUIRE_EQ(object_commit(&f.ctx, object, PAGE_BYTES, PAGE_BYTES + 1), 0);
	EXPECT_EQ(object_seek(&f.ctx, object, 0, false), 2 * PAGE);
	object_put(&f.ctx, object);
	fixture_close(&f);
}

TEST(hole, pages_beyond_the_size_wait_unwritten)
{
	struct fixture f;
	struct object *object;
	pfn_t pfn;

	fixture_open(&f, RAM);
	object = fixture_object(&f, PAGE_BYTES);
	REQUIRE_EQ(object_commit(&f.ctx, object, 0, 5 * PAGE_BYTES), 0);
	expect_sound(&f, object);
	EXPECT_EQ(object_page(&f.ctx, object, 1, true, &pfn), -ENXIO);
	EXPECT_EQ(object_pages_at(&f.ctx, object, 1, 1, &pfn), 0);
	object_resize(&f.ctx, object, 3 * PAGE_BYTES);
	EXPECT_EQ(object_pages(&f.ctx, object), 5);
	EXPECT_EQ(object_seek(&f.ctx, object, 0, true), -ENXIO);
	EXPECT_EQ(write_at(&f, object, 4 * PAGE_BYTES, "x", 1), 1);
	EXPECT_EQ(object_pages(&f.ctx, object), 5);
	EXPECT_EQ(object_seek(&f.ctx, object, 0, true), 4 * PAGE);
	expect_sound(&f, object);
	object_resize(&f.ctx, object, PAGE_BYTES);
	EXPECT_EQ(object_pages(&f.ctx, object), 1);
	object_put(&f.ctx, object);
	fixture_close(&f);
}

/* ---- punching ---- */

struct witness {
	struct mapper mapper;
	unsigned nzaps;
	uint64_t first, last;
	bool private_copies;
};

static void witness_zap(struct ctx *ctx, struct mapper *mapper, uint64_t first, uint64_t last, bool private_copies)
{
	struct witness *w = container_of(mapper, struct witness, mapper);

	(void)ctx;
	w->first = w->nzaps++ == 0 ? first : w->first;
	w->last = last;
	w->private_copies |= private_copies;
}

static const struct mapper_ops witness_ops = { .zap = witness_zap };

TEST(hole, punching_removes_whole_pages_and_zaps_just_them)
{
	struct witness w = { .mapper.ops = &witness_ops };
	struct fixture f;
	struct object *object;
	uint64_t seq;

	fixture_open(&f, RAM);
	object = fixture_object(&f, 8 * PAGE_BYTES);
	for (uint64_t at = 0; at < 8 * PAGE_BYTES; at += PAGE_BYTES / 2)
		store_byte(&f, object, at, 'a');
	object_map(&f.ctx, object, &w.mapper, 0, 100);
	seq = object_seq(object);
	object_punch(&f.ctx, object, PAGE_BYTES + 1, 5 * PAGE_BYTES + 1);
	EXPECT_EQ(w.nzaps, 1);
	EXPECT_EQ(w.first, 2);
	EXPECT_EQ(w.last, 4);
	EXPECT(!w.private_copies);
	EXPECT(object_seq(object) != seq);
	EXPECT_EQ(object_size(object), 8 * PAGE_BYTES);
	EXPECT_EQ(object_pages(&f.ctx, object), 5);
	EXPECT_EQ(byte_of(&f, object, PAGE_BYTES), 'a');
	EXPECT_EQ(byte_of(&f, object, PAGE_BYTES + PAGE_BYTES / 2), 0);
	EXPECT_EQ(byte_of(&f, object, 2 * PAGE_BYTES), -1);
	EXPECT_EQ(byte_of(&f, object, 5 * PAGE_BYTES), 0);
	EXPECT_EQ(byte_of(&f, object, 5 * PAGE_BYTES + PAGE_BYTES / 2), 'a');
	expect_sound(&f, object);
	object_unmap(&f.ctx, object, &w.mapper);
	object_put(&f.ctx, object);
	fixture_close(&f);
}

TEST(hole, punching_a_part_of_a_page_zaps_nothing)
{
	struct witness w = { .mapper.ops = &witness_ops };
	struct fixture f;
	struct object *object;

	fixture_open(&f, RAM);
	object = fixture_object(&f, 2 * PAGE_BYTES);
	store_byte(&f, object, 10, 'a');
	store_byte(&f, object, 11, 'b');
	object_map(&f.ctx, object, &w.mapper, 0, 100);
	object_punch(&f.ctx, object, 10, 11);
	object_punch(&f.ctx, object, PAGE_BYTES - 1, PAGE_BYTES + 1); /* parts of two, and nothing between */
	EXPECT_EQ(w.nzaps, 0);
	EXPECT_EQ(byte_of(&f, object, 10), 0);
	EXPECT_EQ(byte_of(&f, object, 11), 'b');
	EXPECT_EQ(object_pages(&f.ctx, object), 1);
	object_unmap(&f.ctx, object, &w.mapper);
	object_put(&f.ctx, object);
	fixture_close(&f);
}

TEST(hole, punching_many_pages_takes_the_nodes_too)
{
	struct fixture f;
	struct object *object;
	struct census before, after;

	fixture_open(&f, 1100 * PAGE_BYTES);
	object = fixture_object(&f, UINT64_C(1) << 40);
	before = census_now(&f);
	REQUIRE_EQ(object_commit(&f.ctx, object, 0, 1000 * PAGE_BYTES), 0);
	object_punch(&f.ctx, object, 0, OBJECT_SIZE_MAX);
	after = census_now(&f);
	expect_same_census(&before, &after);
	object_put(&f.ctx, object);
	fixture_close(&f);
}

/* ---- an object with no more than it must have ---- */

/* Four pages, in an array. */
struct plain {
	struct object object;
	pfn_t pages[4];
};

static int plain_page(struct ctx *ctx, struct object *object, uint64_t pgidx, unsigned how, pfn_t *out)
{
	struct plain *plain = container_of(object, struct plain, object);
	int err = 0;

	mutex_lock(ctx, &object->lock);
	if (pgidx >= 4 || (!(how & PAGE_BEYOND) && pgidx >= pages_of(object->size)))
		err = -ENXIO;
	else if (plain->pages[pgidx].n == 0)
		err = how & PAGE_MAKE ? frame_alloc(ctx, FRAME_FILE, FRAME_ZERO, &plain->pages[pgidx]) : -ENOENT;
	if (err == 0) {
		*out = plain->pages[pgidx];
		frame_get(ctx->env->phys, *out);
	}
	mutex_unlock(ctx, &object->lock);
	return err;
}

static int plain_commit(struct ctx *ctx, struct object *object, uint64_t first, uint64_t n)
{
	pfn_t pfn;

	for (uint64_t i = first; i < first + n; i++) {
		if (plain_page(ctx, object, i, PAGE_MAKE | PAGE_BEYOND, &pfn) < 0)
			return -ENOMEM;
		frame_put(ctx, pfn);
	}
	return 0;
}

static bool plain_next(struct ctx *ctx, struct object *object, uint64_t pgidx, uint64_t *found, pfn_t *pfn)
{
	struct plain *plain = container_of(object, struct plain, object);

	(void)ctx;
	for (*found = pgidx; *found < 4; ++*found) {
		*pfn = plain->pages[*found];
		if (pfn->n != 0)
			return true;
	}
	return false;
}

static size_t plain_remove(struct ctx *ctx, struct object *object, uint64_t *next, uint64_t last, pfn_t *out, size_t n)
{
	struct plain *plain = container_of(object, struct plain, object);
	size_t done = 0;

	while (done < n && plain_next(ctx, object, *next, next, out + done) && *next <= last) {
		plain->pages[(*next)++] = PFN_NONE;
		done++;
	}
	return done;
}

static uint64_t plain_count(struct ctx *ctx, struct object *object)
{
	uint64_t n = 0;
	pfn_t pfn;

	for (uint64_t at = 0; plain_next(ctx, object, at, &at, &pfn); at++)
		n++;
	return n;
}

static void plain_destroy(struct ctx *ctx, struct object *object)
{
	object_fini(object);
	kmem_free(ctx->env, container_of(object, struct plain, object), sizeof(struct plain));
}

static const struct object_ops plain_ops = {
	.name = "plain",
	.page = plain_page,
	.commit = plain_commit,
	.remove = plain_remove,
	.next = plain_next,
	.count = plain_count,
	.destroy = plain_destroy,
};

TEST(hole, object_with_few_ops_works_through_them)
{
	struct fixture f;
	struct plain *plain;
	struct object *object;
	char text[4] = "";
	pfn_t pfns[4];

	fixture_open(&f, RAM);
	plain = kmem_alloc(&f.ctx, sizeof(*plain));
	SETUP(plain != NULL);
	object = &plain->object;
	object_init(&f.ctx, object, &plain_ops, 0);
	EXPECT_EQ(write_at(&f, object, PAGE_BYTES - 1, "abc", 3), 3);
	EXPECT_EQ(read_at(&f, object, PAGE_BYTES - 1, text, 3), 3);
	EXPECT_STREQ(text, "abc");
	object_resize(&f.ctx, object, 4 * PAGE_BYTES);
	EXPECT_EQ(object_seek(&f.ctx, object, 0, false), 2 * PAGE);
	EXPECT_EQ(object_seek(&f.ctx, object, 2 * PAGE_BYTES, true), -ENXIO);
	EXPECT_EQ(object_commit(&f.ctx, object, 3 * PAGE_BYTES, 4 * PAGE_BYTES), 0);
	EXPECT_EQ(object_seek(&f.ctx, object, 2 * PAGE_BYTES, true), 3 * PAGE);
	EXPECT_EQ(object_pages_at(&f.ctx, object, 0, 4, pfns), 3);
	EXPECT_EQ(pfns[2].n, 0);
	for (int i = 0; i < 4; i++)
		if (pfns[i].n != 0)
			frame_put(&f.ctx, pfns[i]);
	object_punch(&f.ctx, object, 1, 2 * PAGE_BYTES);
	EXPECT_EQ(object_pages(&f.ctx, object), 2);
	EXPECT_EQ(byte_of(&f, object, PAGE_BYTES - 1), 0);
	expect_sound(&f, object);
	object_resize(&f.ctx, object, 0);
	EXPECT_EQ(object_pages(&f.ctx, object), 0);
	EXPECT_EQ(write_at(&f, object, 4 * PAGE_BYTES, "x", 1), -ENXIO);
	object_put(&f.ctx, object);
	fixture_close(&f);
}
