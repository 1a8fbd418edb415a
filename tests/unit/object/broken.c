// SPDX-License-Identifier: MIT
/*
 * The validators of objects and of their radix trees, fed with structures in which one thing is wrong: they must say
 * which.
 */
#include "fixture.h"

#include "unit/aborts.h"
#include "unit/finds.h"

#define RAM (64 * PAGE_BYTES)

/* The nodes of a tree as radix.c lays them out. */
struct node {
	void *parent;
	void *idle[2];
	uint64_t present;
	uint8_t level, slot;
};

struct leaf {
	struct node head;
	uint32_t pfn[64];
	uint64_t marked;
};

struct branch {
	struct node head;
	struct node *child[64];
};

/* An object with pages 0, 3 and 70: a root over two leaves. */
struct bed {
	struct fixture f;
	struct object *object;
	struct branch *root;
	struct leaf *leaf; /* the first */
};

static void bed_open(struct bed *b)
{
	fixture_open(&b->f, RAM);
	b->object = fixture_object(&b->f, 71 * PAGE_BYTES);
	store_byte(&b->f, b->object, 0, 1);
	store_byte(&b->f, b->object, 3 * PAGE_BYTES, 1);
	store_byte(&b->f, b->object, 70 * PAGE_BYTES, 1);
	b->root = (struct branch *)(void *)shmem_of(b->object)->pages.root;
	SETUP(shmem_of(b->object)->pages.height == 2 && b->root->head.level == 1 && b->root->head.present == 3);
	b->leaf = (struct leaf *)(void *)b->root->child[0];
	SETUP(b->leaf->head.parent == b->root && b->leaf->head.present == 9 && b->leaf->pfn[0] != 0);
	EXPECT_SOUND(radix_check, &shmem_of(b->object)->pages);
	EXPECT_SOUND(object_check, &b->f.ctx, b->object);
}

static void bed_close(struct bed *b)
{
	EXPECT_SOUND(object_check, &b->f.ctx, b->object);
	object_put(&b->f.ctx, b->object);
	fixture_close(&b->f);
}

TEST(radix_check, bits_that_do_not_fit_the_slots_are_named)
{
	struct radix *pages;
	struct bed b;

	bed_open(&b);
	pages = &shmem_of(b.object)->pages;
	EXPECT_FINDS_WHILE(b.leaf->head.present, 1, "radix I1: a bit for each page: slot 3, bit 0", radix_check, pages);
	EXPECT_FINDS_WHILE(b.leaf->head.present, 11, "radix I1: a bit for each page: slot 1, bit 1, pfn 0", radix_check,
	                   pages);
	EXPECT_FINDS_WHILE(b.root->head.present, 1, "radix I1: a bit for each child: level 1, slot 1", radix_check,
	                   pages);
	EXPECT_FINDS_WHILE(b.root->child[1], NULL, "radix I1: a bit for each child: level 1, slot 1", radix_check,
	                   pages);
	bed_close(&b);
}

TEST(radix_check, nodes_in_the_wrong_place_are_named)
{
	struct radix *pages;
	struct bed b;

	bed_open(&b);
	pages = &shmem_of(b.object)->pages;
	EXPECT_FINDS_WHILE(b.leaf->head.parent, NULL, "radix I3: a child is one level down and knows where",
	                   radix_check, pages);
	EXPECT_FINDS_WHILE(b.leaf->head.slot, 5, "radix I3: a child is one level down and knows where: level 1, slot 0",
	                   radix_check, pages);
	EXPECT_FINDS_WHILE(b.leaf->head.level, 1, "radix I3: a child is one level down and knows where", radix_check,
	                   pages);
	EXPECT_FINDS_WHILE(pages->height, 3, "radix I3: the root is the highest level: height 3", radix_check, pages);
	EXPECT_FINDS_WHILE(pages->root, NULL, "radix I3: the root is the highest level: height 2", radix_check, pages);
	bed_close(&b);
}

TEST(radix_check, wrong_counts_are_named)
{
	struct radix *pages;
	struct bed b;

	bed_open(&b);
	pages = &shmem_of(b.object)->pages;
	EXPECT_FINDS_WHILE(pages->count, 2, "radix I4: count pages are in the leaves: 3, count 2", radix_check, pages);
	EXPECT_FINDS_WHILE(b.leaf->head.present, 0, "radix I2: the nodes that hold nothing are idle: 1, listed 0",
	                   radix_check, pages);
	bed_close(&b);
}

TEST(object_check, broken_page_is_named)
{
	struct frame *frame;
	struct bed b;
	struct ctx *ctx = &b.f.ctx;

	bed_open(&b);
	frame = frame_of(b.f.env.phys, (pfn_t){ b.leaf->pfn[0] });
	EXPECT_FINDS_WHILE(frame->use, FRAME_ANON, "object I1: a page is a FRAME_FILE: page 0", object_check, ctx,
	                   b.object);
	EXPECT_FINDS_WHILE(b.leaf->pfn[3], 0x7fffffff, "object I1: a page is a FRAME_FILE: page 0x3, pfn 0x7fffffff",
	                   object_check, ctx, b.object);
	EXPECT_FINDS_WHILE(frame->refs, 0, "object I1: the slot has one reference", object_check, ctx, b.object);
	EXPECT_FINDS_WHILE(frame->mappers, 1,
	                   "object I1: the slot has one reference, each entry of a page table another", object_check,
	                   ctx, b.object);
	*(char *)frame_ptr(b.f.env.phys, (pfn_t){ b.leaf->pfn[3] }) = 1;
	EXPECT_FINDS_WHILE(b.object->size, PAGE_BYTES,
	                   "shmem I3: beyond the size are pages of zeros only: page 0x3, size 4096", object_check, ctx,
	                   b.object);
	bed_close(&b);
}

static void zap_nothing(struct ctx *ctx, struct mapper *mapper, uint64_t first, uint64_t last, bool private_copies)
{
	(void)ctx;
	(void)mapper;
	(void)first;
	(void)last;
	(void)private_copies;
}

static const struct mapper_ops mapper_ops = { .zap = zap_nothing };

TEST(object_check, broken_mapper_or_count_of_writers_is_named)
{
	struct mapper mapper = { .ops = &mapper_ops };
	struct bed b;
	struct ctx *ctx = &b.f.ctx;

	bed_open(&b);
	object_map(ctx, b.object, &mapper, 0, 9);
	EXPECT_SOUND(object_check, ctx, b.object);
	EXPECT_FINDS_WHILE(mapper.ops, NULL, "object I3: a mapper is a mapping of pages that can exist: [0, 0x9]",
	                   object_check, ctx, b.object);
	EXPECT_FINDS_WHILE(mapper.node.max_last, 8, "itree I2", object_check, ctx, b.object);
	mapper.node.last = mapper.node.max_last = UINT64_MAX;
	EXPECT_FINDS("object I3: a mapper is a mapping of pages that can exist", object_check, ctx, b.object);
	mapper.node.last = 9;
	mapper.node.max_last = 9;
	EXPECT_FINDS_WHILE(b.object->writers, -2, "object I4: writers are counted or denied: -2", object_check, ctx,
	                   b.object);
	object_unmap(ctx, b.object, &mapper);
	bed_close(&b);
}

#ifdef KSIM_CHECK_SLOW
static void resize_broken(void *arg)
{
	struct bed *b = arg;

	shmem_of(b->object)->pages.count++;
	object_resize(&b->f.ctx, b->object, 80 * PAGE_BYTES);
}

TEST(object_check, resize_of_broken_object_aborts_where_every_change_is_checked)
{
	struct bed b;

	bed_open(&b);
	expect_abort(
		resize_broken, &b,
		"an object is sound after pages were removed or it was resized: broken invariant: radix I4: count pages are in the leaves: "
		"3, count 4 [machine (0), in test]");
	bed_close(&b);
}
#endif
