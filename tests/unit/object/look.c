// SPDX-License-Identifier: MIT
/*
 * Pages are looked up without the object's lock while others make them and take them away: whoever finds one has a
 * frame of the object with what was written to that very page, never one that has been freed, and none is lost or kept.
 */
#include "fixture.h"
#include "harness.h"

#include "base/rawcopy.h"

#include <errno.h>
#include <pthread.h>

#define RAM  (96 * PAGE_BYTES)
#define MARK UINT64_C(0x6b73696d00000000) /* | page */
#define FAR  UINT64_C(300000)             /* for it the tree grows */

enum { LOOKERS = 2, NEAR = 20, FAR_PAGES = 3, ROUNDS = 1500 };

struct looker {
	struct fixture *f;
	struct object *object;
	struct ctx ctx;
	pthread_t thread;
	uint64_t seed;
	const uint32_t *stop; /* a */
	unsigned found, wrong;
};

static uint64_t any_page(uint64_t *seed)
{
	uint64_t n = rnd(seed) % (NEAR + FAR_PAGES);

	return n < NEAR ? n : FAR + n - NEAR;
}

/* What is there while it is held: nothing yet, or the page's own mark. */
static bool is_right(struct looker *l, uint64_t pgidx, pfn_t pfn)
{
	const struct phys *phys = l->f->env.phys;
	uint64_t word;

	raw_copy(&word, frame_ptr(phys, pfn), sizeof(word));
	return frame_use(frame_of(phys, pfn)) == FRAME_FILE && (word == 0 || word == (MARK | pgidx));
}

static void *look(void *arg)
{
	struct looker *l = arg;

	while (!__atomic_load_n(l->stop, __ATOMIC_RELAXED)) {
		uint64_t pgidx = any_page(&l->seed);
		unsigned how = rnd(&l->seed) % 2 ? PAGE_TOUCH : 0;
		pfn_t pfn;
		int err = l->object->ops->page(&l->ctx, l->object, pgidx, how, &pfn);

		if (err == 0) {
			l->found++;
			l->wrong += !is_right(l, pgidx, pfn);
			frame_put(&l->ctx, pfn);
		} else {
			l->wrong += err != -ENOENT && err != -ENXIO;
		}
	}
	return NULL;
}

/* One change of the file. */
static void change(struct fixture *f, struct object *object, uint64_t *seed)
{
	uint64_t pgidx = any_page(seed), mark = MARK | pgidx;

	switch (rnd(seed) % 8) {
	case 0:
		object_resize(&f->ctx, object, rnd(seed) % NEAR * PAGE_BYTES);
		break;
	case 1:
		object_punch(&f->ctx, object, pgidx << PAGE_SHIFT, (pgidx + 3) << PAGE_SHIFT);
		break;
	case 2:
		EXPECT_EQ(object_commit(&f->ctx, object, pgidx << PAGE_SHIFT, (pgidx + 2) << PAGE_SHIFT), 0);
		if (object_size(object) < (pgidx + 2) << PAGE_SHIFT)
			object_resize(&f->ctx, object, (pgidx + 2) << PAGE_SHIFT);
		break;
	case 3: /* nodes that were made for nothing go again */
		fixture_fail_at(f, 3);
		(void)write_at(f, object, pgidx << PAGE_SHIFT, &mark, sizeof(mark));
		fixture_fail_at(f, NEVER);
		break;
	default:
		EXPECT_EQ(write_at(f, object, pgidx << PAGE_SHIFT, &mark, sizeof(mark)), (ssize_t)sizeof(mark));
	}
}

static void start(struct looker *l, struct fixture *f, struct object *object, unsigned number, const uint32_t *stop)
{
	*l = (struct looker){ .f = f, .object = object, .seed = number + 1, .stop = stop };
	ctx_init(&l->ctx, &f->env, "look");
	l->ctx.lane = number;
	SETUP(pthread_create(&l->thread, NULL, look, l) == 0);
}

/* own_lock: by the lock that is our own, also where a tool watches for which it would be the host's. */
static void look_while_it_changes(bool own_lock)
{
	struct looker lookers[LOOKERS];
	uint64_t seed = 20261123;
	struct object *object;
	struct rwlock *looked;
	uint32_t stop = 0;
	struct fixture f;
	bool was;

	fixture_open(&f, RAM);
	object = fixture_object(&f, 0);
	looked = &shmem_of(object)->looked;
	was = looked->posix;
	looked->posix = was && !own_lock;
	for (unsigned i = 0; i < LOOKERS; i++)
		start(&lookers[i], &f, object, i, &stop);
	for (int round = 0; round < ROUNDS; round++)
		change(&f, object, &seed);
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < LOOKERS; i++) {
		SETUP(pthread_join(lookers[i].thread, NULL) == 0);
		EXPECT_EQ(lookers[i].wrong, 0);
	}
	expect_sound(&f, object);
	looked->posix = was;
	object_put(&f.ctx, object);
	fixture_close(&f);
}

TEST(look, page_found_while_others_go_is_the_right_one)
{
	look_while_it_changes(true);
}

TEST(look, page_found_while_others_go_is_the_right_one_by_the_hosts_lock)
{
	look_while_it_changes(false);
}

TEST(look, unwritten_page_is_data_once_it_was_looked_up_to_be_touched)
{
	struct object *object;
	struct fixture f;
	pfn_t pfn;

	fixture_open(&f, RAM);
	object = fixture_object(&f, PAGE_BYTES);
	REQUIRE_EQ(object_commit(&f.ctx, object, 0, PAGE_BYTES), 0);
	EXPECT_EQ(object->ops->page(&f.ctx, object, 0, 0, &pfn), 0);
	frame_put(&f.ctx, pfn);
	EXPECT_EQ(shmem_of(object)->pages.nmarked, 1);
	EXPECT_EQ(object_seek(&f.ctx, object, 0, true), -ENXIO);
	EXPECT_EQ(object->ops->page(&f.ctx, object, 0, PAGE_TOUCH, &pfn), 0);
	frame_put(&f.ctx, pfn);
	EXPECT_EQ(shmem_of(object)->pages.nmarked, 0);
	EXPECT_EQ(object_seek(&f.ctx, object, 0, true), 0);
	object_put(&f.ctx, object);
	fixture_close(&f);
}

TEST(look, page_is_found_under_the_lock_while_others_are_kept_out)
{
	struct object *object;
	struct fixture f;
	struct ctx other;
	pfn_t pfn;

	fixture_open(&f, RAM);
	object = fixture_object(&f, PAGE_BYTES);
	store_byte(&f, object, 0, 7);
	ctx_init(&other, &f.env, "remove");
	rwlock_write(&other, &shmem_of(object)->looked);
	EXPECT_EQ(object->ops->page(&f.ctx, object, 0, PAGE_TOUCH, &pfn), 0);
	EXPECT_EQ(frame_refs(f.env.phys, pfn), 2);
	rwlock_write_unlock(&other, &shmem_of(object)->looked);
	frame_put(&f.ctx, pfn);
	object_put(&f.ctx, object);
	fixture_close(&f);
}
