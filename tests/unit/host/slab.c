// SPDX-License-Identifier: MIT
/*
 * Objects of one size from blocks: zeroed, apart from each other, and no block is left when none is in use.
 */
#include "host/slab.h"

#include "unit/host/bed.h"

enum { SIZE = 200, OBJECTS = 12000, THREADS = 3, ROUNDS = 400, HELD = 8 };

static bool is_all(const unsigned char *object, int byte)
{
	for (unsigned i = 0; i < SIZE; i++)
		if (object[i] != byte)
			return false;
	return true;
}

TEST(slab, objects_are_zeroed_and_apart_and_the_last_one_gives_the_memory_back)
{
	static unsigned char *objects[OBJECTS];
	struct slab slab = { .live = 0 };
	struct bed bed;

	bed_open(&bed);
	for (unsigned i = 0; i < OBJECTS; i++) {
		objects[i] = slab_alloc(&bed.ctx, &slab, SIZE);
		REQUIRE(objects[i] != NULL && is_all(objects[i], 0));
		EXPECT_EQ((uintptr_t)objects[i] % 64, 0);
		memset(objects[i], (int)(i % 251) + 1, SIZE);
	}
	EXPECT_EQ(slab.live, OBJECTS);
	EXPECT_EQ(kmem_count(&bed.env), 2);
	for (unsigned i = 0; i < OBJECTS; i++) {
		EXPECT(is_all(objects[i], (int)(i % 251) + 1));
		slab_free(&bed.ctx, &slab, objects[i]);
	}
	EXPECT(slab.live == 0 && slab.blocks == NULL && slab.free == NULL);
	bed_close(&bed);
}

TEST(slab, object_that_was_given_back_is_the_next_one_and_zeroed)
{
	struct slab slab = { .live = 0 };
	struct bed bed;
	void *kept, *again;

	bed_open(&bed);
	kept = slab_alloc(&bed.ctx, &slab, SIZE);
	again = slab_alloc(&bed.ctx, &slab, SIZE);
	REQUIRE(kept != NULL && again != NULL);
	memset(again, 1, SIZE);
	slab_free(&bed.ctx, &slab, again);
	EXPECT(slab_alloc(&bed.ctx, &slab, SIZE) == again);
	EXPECT(is_all(again, 0));
	slab_free(&bed.ctx, &slab, again);
	slab_free(&bed.ctx, &slab, kept);
	bed_close(&bed);
}

static bool always(void *arg, struct ctx *ctx, enum fail_kind kind)
{
	(void)arg;
	(void)ctx;
	return kind == FAIL_KMEM;
}

TEST(slab, without_memory_for_a_block_there_is_no_object)
{
	struct slab slab = { .live = 0 };
	struct bed bed;

	bed_open(&bed);
	bed.env.hooks.fail = always;
	EXPECT(slab_alloc(&bed.ctx, &slab, SIZE) == NULL);
	EXPECT(slab.live == 0 && slab.blocks == NULL);
	bed_close(&bed);
}

static struct slab together;

/* Each holds some, with a mark of its own in them. @return how often it found another's */
static int take_and_give(struct bed_process *p)
{
	unsigned char *held[HELD] = { NULL };
	int wrong = 0;

	for (int round = 0; round < ROUNDS; round++) {
		unsigned char **slot = &held[round % HELD];

		if (*slot != NULL) {
			wrong += !is_all(*slot, (int)p->owner.id);
			slab_free(&p->ctx, &together, *slot);
		}
		*slot = slab_alloc(&p->ctx, &together, SIZE);
		wrong += *slot == NULL || !is_all(*slot, 0);
		if (*slot != NULL)
			memset(*slot, (int)p->owner.id, SIZE);
	}
	for (int i = 0; i < HELD; i++)
		slab_free(&p->ctx, &together, held[i]);
	return wrong;
}

TEST(slab, threads_get_objects_of_their_own)
{
	struct bed bed;

	bed_open(&bed);
	for (int i = 0; i < THREADS; i++)
		bed_start(&bed, i, take_and_give);
	for (int i = 0; i < THREADS; i++)
		EXPECT_EQ(bed_join(&bed, i), 0);
	EXPECT(together.live == 0 && together.blocks == NULL);
	bed_close(&bed);
}
