// SPDX-License-Identifier: MIT
/*
 * Faults, reads and growth on threads against truncation and holes: the protocol of object.c, with a mapping whose page
 * table is an array. No access meets a freed frame, and after a shrink has returned nothing beyond the size is mapped.
 */
#include "fixture.h"

#include "base/rawcopy.h"
#include "harness.h"
#include "host/barrier.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#define NPAGES 100
#define ROUNDS 3000
#define RAM    (256 * PAGE_BYTES)

struct mapping {
	struct mapper mapper;
	uint32_t leaf_lock;
	pfn_t entry[NPAGES]; /* l */
};

struct race {
	struct fixture f;
	struct object *object;
	struct mapping map;
	uint64_t seeds; /* a */
	bool stop;      /* a */
};

static void race_zap(struct ctx *ctx, struct mapper *mapper, uint64_t first, uint64_t last, bool private_copies)
{
	struct mapping *map = container_of(mapper, struct mapping, mapper);

	(void)private_copies;
	for (uint64_t pgidx = first; pgidx <= last; pgidx++) {
		pfn_t pfn;

		spin_lock(ctx, &map->leaf_lock, RANK_PT_LEAF);
		pfn = map->entry[pgidx];
		map->entry[pgidx] = PFN_NONE;
		spin_unlock(ctx, &map->leaf_lock, RANK_PT_LEAF);
		if (pfn.n == 0)
			continue;
		__atomic_fetch_sub(&frame_of(ctx->env->phys, pfn)->mappers, 1, __ATOMIC_RELAXED);
		frame_put(ctx, pfn);
	}
}

static const struct mapper_ops race_ops = { .zap = race_zap };

/* Set an entry if the protocol allows it. 0, or -ENXIO: beyond the size. */
static int race_fault(struct ctx *ctx, struct race *race, uint64_t pgidx)
{
	uint64_t seq = object_seq(race->object);
	pfn_t pfn;
	int err;

	if (pgidx >= pages_of(object_size(race->object)))
		return -ENXIO;
	err = object_page(ctx, race->object, pgidx, true, &pfn);
	if (err < 0)
		return err;
	if (pgidx % 4 == 0)
		host_yield();
	spin_lock(ctx, &race->map.leaf_lock, RANK_PT_LEAF);
	if (race->map.entry[pgidx].n == 0 && object_seq(race->object) == seq &&
	    pgidx < pages_of(object_size(race->object))) {
		__atomic_fetch_add(&frame_of(ctx->env->phys, pfn)->mappers, 1, __ATOMIC_RELAXED);
		race->map.entry[pgidx] = pfn;
		pfn = PFN_NONE;
	}
	spin_unlock(ctx, &race->map.leaf_lock, RANK_PT_LEAF);
	if (pfn.n != 0)
		frame_put(ctx, pfn);
	return 0;
}

/* Load and store through an entry, as a TLB hit would: the leaf lock stands for the hazard. */
static void race_access(struct ctx *ctx, struct race *race, uint64_t pgidx)
{
	spin_lock(ctx, &race->map.leaf_lock, RANK_PT_LEAF);
	if (race->map.entry[pgidx].n != 0) {
		uint8_t *page = frame_ptr(ctx->env->phys, race->map.entry[pgidx]), byte, one = 1;

		raw_copy(&byte, page + pgidx, 1);
		EXPECT_MSG(byte <= 1, "page %llu holds %#x", (unsigned long long)pgidx, byte);
		raw_copy(page + pgidx, &one, 1);
	}
	spin_unlock(ctx, &race->map.leaf_lock, RANK_PT_LEAF);
}

static void *run_toucher(void *arg)
{
	struct race *race = arg;
	uint64_t seed = __atomic_add_fetch(&race->seeds, 1, __ATOMIC_RELAXED) * 7919;
	struct ctx ctx;

	ctx_init(&ctx, &race->f.env, "fault");
	while (!__atomic_load_n(&race->stop, __ATOMIC_RELAXED)) {
		uint64_t pgidx = rnd(&seed) % NPAGES;
		int err = race_fault(&ctx, race, pgidx);

		EXPECT_MSG(err == 0 || err == -ENXIO, "fault: %d", err);
		race_access(&ctx, race, pgidx);
	}
	return NULL;
}

static void *run_reader(void *arg)
{
	struct race *race = arg;
	uint64_t seed = __atomic_add_fetch(&race->seeds, 1, __ATOMIC_RELAXED) * 7919;
	char buffer[2 * PAGE_BYTES];
	struct ctx ctx;

	ctx_init(&ctx, &race->f.env, "read");
	while (!__atomic_load_n(&race->stop, __ATOMIC_RELAXED)) {
		struct uio uio;
		ssize_t n;

		uio_init_one(&uio, uptr_from(buffer), sizeof(buffer));
		n = object_read(&ctx, race->object, rnd(&seed) % (NPAGES * PAGE_BYTES), &uio);
		EXPECT_MSG(n >= 0, "read: %zd", n);
		for (ssize_t i = 0; i < n; i++)
			if ((buffer[i] & ~1) != 0)
				EXPECT_MSG(false, "read got %#x", buffer[i]);
	}
	return NULL;
}

/* Nothing beyond the size is mapped, though faults go on, and what is mapped is what the object has. */
static void expect_coherent(struct race *race)
{
	struct ctx *ctx = &race->f.ctx;
	uint64_t npages = pages_of(object_size(race->object));

	mutex_lock(ctx, &race->object->lock);
	spin_lock(ctx, &race->map.leaf_lock, RANK_PT_LEAF);
	for (uint64_t pgidx = 0; pgidx < NPAGES; pgidx++) {
		uint64_t entry = race->map.entry[pgidx].n, slot = radix_get(&shmem_of(race->object)->pages, pgidx).n;

		EXPECT_MSG(entry == 0 || (pgidx < npages && entry == slot),
		           "page %llu of %llu is mapped to pfn %#llx, the object has %#llx", (unsigned long long)pgidx,
		           (unsigned long long)npages, (unsigned long long)entry, (unsigned long long)slot);
	}
	spin_unlock(ctx, &race->map.leaf_lock, RANK_PT_LEAF);
	mutex_unlock(ctx, &race->object->lock);
}

static void resize_at_random(struct race *race, uint64_t *seed)
{
	uint64_t size = rnd(seed) % (NPAGES * PAGE_BYTES), now = object_size(race->object);
	char one = 1;

	switch (rnd(seed) % 4) {
	case 0:
		if (size > now)
			EXPECT_EQ(object_commit(&race->f.ctx, race->object, now, size), 0);
		break;
	case 1:
		EXPECT_EQ(write_at(&race->f, race->object, size, &one, 1), 1);
		return;
	case 2:
		object_punch(&race->f.ctx, race->object, size / 2, size + 1);
		expect_coherent(race);
		return;
	}
	object_resize(&race->f.ctx, race->object, size);
	expect_coherent(race);
}

TEST(truncation, races_with_faults_and_reads_without_a_stale_frame)
{
	static struct race race;
	pthread_t touchers[2], reader;
	uint64_t seed = 4711;

	memset(&race, 0, sizeof(race));
	fixture_open(&race.f, RAM);
	race.object = fixture_object(&race.f, 0);
	race.map.mapper.ops = &race_ops;
	object_map(&race.f.ctx, race.object, &race.map.mapper, 0, NPAGES - 1);
	for (int i = 0; i < 2; i++)
		SETUP(pthread_create(&touchers[i], NULL, run_toucher, &race) == 0);
	SETUP(pthread_create(&reader, NULL, run_reader, &race) == 0);
	for (int i = 0; i < ROUNDS; i++) {
		resize_at_random(&race, &seed);
		if (i % 50 == 0)
			host_yield();
	}
	__atomic_store_n(&race.stop, true, __ATOMIC_RELAXED);
	for (int i = 0; i < 2; i++)
		pthread_join(touchers[i], NULL);
	pthread_join(reader, NULL);
	expect_sound(&race.f, race.object);
	object_resize(&race.f.ctx, race.object, 0);
	object_unmap(&race.f.ctx, race.object, &race.map.mapper);
	object_put(&race.f.ctx, race.object);
	fixture_close(&race.f);
}

struct maker {
	struct race *race;
	pfn_t got[NPAGES];
};

static void *run_maker(void *arg)
{
	struct maker *maker = arg;
	struct ctx ctx;

	ctx_init(&ctx, &maker->race->f.env, "make");
	for (uint64_t pgidx = 0; pgidx < NPAGES; pgidx++)
		if (object_page(&ctx, maker->race->object, pgidx, true, &maker->got[pgidx]) < 0)
			maker->got[pgidx] = PFN_NONE;
	return NULL;
}

TEST(truncation, page_and_commit_at_once_agree_on_every_frame)
{
	static struct race race;
	static struct maker makers[2];
	pthread_t threads[2];

	memset(&race, 0, sizeof(race));
	fixture_open(&race.f, RAM * 2);
	for (int round = 0; round < 50; round++) {
		race.object = fixture_object(&race.f, NPAGES * PAGE_BYTES);
		for (int i = 0; i < 2; i++) {
			makers[i].race = &race;
			SETUP(pthread_create(&threads[i], NULL, run_maker, &makers[i]) == 0);
		}
		EXPECT_EQ(object_commit(&race.f.ctx, race.object, 0, NPAGES * PAGE_BYTES), 0);
		for (int i = 0; i < 2; i++)
			pthread_join(threads[i], NULL);
		for (int pgidx = 0; pgidx < NPAGES; pgidx++) {
			REQUIRE(makers[0].got[pgidx].n != 0);
			EXPECT_EQ(makers[0].got[pgidx].n, makers[1].got[pgidx].n);
			frame_put(&race.f.ctx, makers[0].got[pgidx]);
			frame_put(&race.f.ctx, makers[1].got[pgidx]);
		}
		EXPECT_EQ(owners_total(&race.f.env.owners, CENSUS_FRAME), NPAGES);
		expect_sound(&race.f, race.object);
		object_put(&race.f.ctx, race.object);
		ctx_drain(&race.f.ctx);
	}
	fixture_close(&race.f);
}
