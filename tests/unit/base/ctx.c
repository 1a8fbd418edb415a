// SPDX-License-Identifier: MIT
/*
 * The drop list: when things die, and on how much stack.
 */
#include "base/ref.h"
#include "unit/aborts.h"
#include "unit/base/bed.h"

#define CHAIN 100000

/* A thing that holds a reference on the next one. */
struct link {
	struct ref ref;
	struct link *next;
	unsigned *alive;
};

static void link_destroy(struct ctx *ctx, struct drop *drop)
{
	struct link *link = ref_container(drop, struct link);

	if (link->next != NULL)
		ref_put(ctx, &link->next->ref, link_destroy);
	--*link->alive;
	/* As a call would: its own outermost drain must do no harm within another. */
	ctx_drain(ctx);
}

static void chain_make(struct link *links, size_t n, unsigned *alive)
{
	*alive = (unsigned)n;
	for (size_t i = 0; i < n; i++) {
		ref_init(&links[i].ref);
		links[i].next = i + 1 < n ? &links[i + 1] : NULL;
		links[i].alive = alive;
	}
}

TEST(ctx, put_to_zero_destroys_only_at_drain)
{
	struct bed bed;
	struct link link;
	unsigned alive;

	bed_open(&bed);
	chain_make(&link, 1, &alive);
	ref_get(&link.ref);
	ref_put(&bed.ctx, &link.ref, link_destroy);
	EXPECT(bed.ctx.drops == NULL);
	ref_put(&bed.ctx, &link.ref, link_destroy);
	EXPECT_EQ(alive, 1);
	EXPECT(!ref_get_unless_zero(&link.ref));
	ctx_drain(&bed.ctx);
	EXPECT_EQ(alive, 0);
	EXPECT(bed.ctx.drops == NULL);
	bed_close(&bed);
}

TEST(ctx, drain_of_long_chain_needs_no_stack)
{
	struct link *links = calloc(CHAIN, sizeof(*links));
	struct bed bed;
	unsigned alive;

	SETUP(links != NULL);
	bed_open(&bed);
	chain_make(links, CHAIN, &alive);
	ref_put(&bed.ctx, &links[0].ref, link_destroy);
	ctx_drain(&bed.ctx);
	EXPECT_EQ(alive, 0);
	EXPECT(!bed.ctx.draining);
	bed_close(&bed);
	free(links);
}

static void drain_under_lock(void *arg)
{
	struct bed *bed = arg;
	struct link link;
	unsigned alive;

	chain_make(&link, 1, &alive);
	ref_put(&bed->ctx, &link.ref, link_destroy);
	bed->ctx.held = 4;
	ctx_drain(&bed->ctx);
}

TEST(ctx, drain_under_lock_aborts)
{
	struct bed bed;

	bed_open(&bed);
	expect_abort(drain_under_lock, &bed, "nothing is destroyed under a lock: ranks held 0x4");
	bed_close(&bed);
}

static void put_once_too_often(void *arg)
{
	struct bed *bed = arg;
	struct link link;
	unsigned alive;

	chain_make(&link, 1, &alive);
	ref_put(&bed->ctx, &link.ref, link_destroy);
	ctx_drain(&bed->ctx);
	ref_put(&bed->ctx, &link.ref, link_destroy);
	ctx_drain(&bed->ctx);
}

TEST(ctx, put_of_dead_thing_aborts)
{
	struct bed bed;

	bed_open(&bed);
	expect_abort(put_once_too_often, &bed, "a reference is put once: count 0");
	bed_close(&bed);
}
