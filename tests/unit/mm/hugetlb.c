// SPDX-License-Identifier: MIT
/*
 * Mappings of huge pages by name, as address spaces see them: promises, copies, robbed children, and threads that want
 * the same page, or the last one.
 */
#include "bed.h"

#include <pthread.h>
#include <unistd.h>

#include "mm/promise.h"
#include "object/hugefile.h"
#include "phys/pool.h"

#define HUGE (2 * MIB)
#define AT   UINT64_C(0x40000000)
#define RAM  (24 * MIB)
enum { PAGES = 4 };

static struct object *huge_file(struct bed *b, uint64_t npages)
{
	struct object *object;

	SETUP(object_create_huge(&b->ctx, npages * HUGE, &object) == 0);
	return object;
}

static struct mm_map huge_at(struct object *object, ksim_addr addr, uint64_t npages, bool shared)
{
	struct mm_map what = file_at(object, addr, npages * HUGE_FRAMES, 0, shared);

	what.flags = VMA_HUGETLB;
	what.backing = NULL;
	return what;
}

static void expect_pool(struct bed *b, uint64_t nfree, uint64_t reserved)
{
	struct pool_numbers n;

	pool_numbers(&b->ctx, &n);
	EXPECT_EQ(n.nfree, nfree);
	EXPECT_EQ(n.reserved, reserved);
}

static void with_pool(struct bed *b, void (*body)(struct bed *b, struct mm *mm, struct object *object))
{
	struct object *object;
	struct mm *mm;

	pool_resize(&b->ctx, PAGES);
	object = huge_file(b, PAGES);
	mm = space(b);
	body(b, mm, object);
	expect_sound(b, mm);
	drop(b, mm);
	file_drop(b, object);
	expect_pool(b, PAGES, 0);
	pool_resize(&b->ctx, 0);
}

static void is_cut(struct bed *b, struct mm *mm, struct object *object)
{
	struct mm_map what = huge_at(object, AT, PAGES, false);

	mapped(b, mm, what);
	expect_pool(b, PAGES, PAGES);
	EXPECT_EQ(st8(b, mm, AT + HUGE + 5, 7), 0);
	EXPECT(mm_is_huge(&b->ctx, mm, AT + HUGE));
	EXPECT_EQ(mm_unmap(&b->ctx, mm, AT + PAGE_BYTES, HUGE), -EINVAL);
	EXPECT_EQ(mm_protect(&b->ctx, mm, AT, PAGE_BYTES, PROT_R), -EINVAL);
	unmapped(b, mm, AT + 2 * HUGE, HUGE_FRAMES);
	expect_pool(b, PAGES - 1, PAGES - 2);
	EXPECT_EQ(mm_protect(&b->ctx, mm, AT, HUGE, PROT_R), 0);
	EXPECT_EQ(mm_protect(&b->ctx, mm, AT, HUGE, RW), 0);
	EXPECT_EQ(nregions(mm), 3); /* they are never joined */
	EXPECT_EQ(ld8(b, mm, AT + HUGE + 5), 7);
	expect_sound(b, mm);
}

static void cut_on(struct bed *b)
{
	with_pool(b, is_cut);
}

TEST(hugetlb, promise_is_cut_with_the_mapping)
{
	on_both_with_ram(RAM, cut_on);
}

static void is_copied(struct bed *b, struct mm *mm, struct object *object)
{
	struct mm *child;
	pfn_t frame;

	mapped(b, mm, huge_at(object, AT, PAGES, false));
	EXPECT_EQ(st8(b, mm, AT, 1), 0);
	EXPECT_EQ(st8(b, mm, AT + HUGE, 2), 0);
	child = forked(b, mm);
	frame = frame_at(b, mm, AT);
	EXPECT_EQ(frame_at(b, child, AT).n, frame.n);
	expect_fault(b, child, AT + 2 * HUGE, ACCESS_READ, SIGBUS, 2 /* BUS_ADRERR */);
	expect_fault(b, child, AT, ACCESS_WRITE, SIGBUS, 2);
	/* All that is left is promised to the parent, for other pages: it takes this one from the child. */
	EXPECT_EQ(st8(b, mm, AT, 3), 0);
	EXPECT_EQ(frame_at(b, mm, AT).n, frame.n);
	expect_fault(b, child, AT, ACCESS_READ, SIGBUS, 2);
	EXPECT_EQ(ld8(b, child, AT + HUGE), 2);
	pool_resize(&b->ctx, PAGES + 2);
	expect_fault(b, child, AT, ACCESS_READ, SIGBUS, 2);
	EXPECT_EQ(st8(b, child, AT + HUGE, 4), 0);
	EXPECT_EQ(ld8(b, mm, AT + HUGE), 2);
	expect_sound(b, child);
	drop(b, child);
	EXPECT_EQ(st8(b, mm, AT + 3 * HUGE, 5), 0);
	pool_resize(&b->ctx, PAGES);
}

static void copied_on(struct bed *b)
{
	with_pool(b, is_copied);
}

TEST(hugetlb, child_shares_until_one_writes_and_is_robbed_if_the_maker_must)
{
	on_both_with_ram(RAM, copied_on);
}

static void fails(struct bed *b, struct mm *mm, struct object *object)
{
	struct mm_map what = huge_at(object, AT, PAGES, false);
	ksim_addr at;

	for (int i = 0; i < 2; i++) {
		what.shared = i == 1;
		for (unsigned n = 1;; n++) {
			int err;

			bed_fail_at(b, n);
			err = mm_map(&b->ctx, mm, &what, &at);
			bed_fail_at(b, NEVER);
			if (err == 0)
				break;
			EXPECT_EQ(err, -ENOMEM);
			expect_pool(b, PAGES, 0);
			expect_sound(b, mm);
		}
		expect_pool(b, PAGES, PAGES);
		unmapped(b, mm, AT, PAGES * HUGE_FRAMES);
	}
	object_resize(&b->ctx, object, 0); /* a file keeps its promises */
}

static void fails_on(struct bed *b)
{
	with_pool(b, fails);
}

TEST(hugetlb, mapping_that_fails_is_promised_nothing)
{
	on_both_with_ram(RAM, fails_on);
}

#define FROM (AT + 64 * MIB)

/* Small pages move to where huge ones are: these are left whole, or gone. */
static void is_moved_over(struct bed *b, struct mm *mm, struct object *object)
{
	struct mm_remap what = { .addr = FROM, .old_length = 2 * HUGE, .length = 2 * HUGE, .to = AT, .fixed = true };
	ksim_addr at;

	mapped(b, mm, anon_at(FROM, 2 * HUGE_FRAMES));
	for (unsigned n = 1; !harness_failed(); n++) {
		int err;

		mapped(b, mm, huge_at(object, AT, 2, true));
		EXPECT_EQ(st8(b, mm, AT, 'h'), 0);
		EXPECT_EQ(st8(b, mm, FROM, 's'), 0);
		EXPECT_EQ(st8(b, mm, FROM + HUGE, 's'), 0);
		bed_fail_at(b, n);
		err = mm_remap(&b->ctx, mm, &what, &at);
		bed_fail_at(b, NEVER);
		expect_sound(b, mm);
		EXPECT_EQ(ld8(b, mm, AT), err == 0 ? 's' : nregions(mm) == 1 ? -SIGSEGV : 'h');
		if (err == 0)
			break;
		EXPECT_EQ(err, -ENOMEM);
		EXPECT_EQ(ld8(b, mm, FROM + HUGE), 's');
		unmapped(b, mm, AT, 2 * HUGE_FRAMES);
		EXPECT_EQ(mm->pt.nodes, 5); /* those of the small pages */
	}
	object_resize(&b->ctx, object, 0); /* a file keeps its promises */
}

static void moved_over_on(struct bed *b)
{
	with_pool(b, is_moved_over);
}

TEST(hugetlb, huge_pages_that_small_ones_cannot_be_moved_over_are_whole_or_gone)
{
	on_both_with_ram(RAM, moved_over_on);
}

/* ---- a truncation in the middle of a copy ---- */

struct copying {
	struct mmu_notifier notifier;
	struct bed *b;
	struct object *object;
	pthread_t thread;
	bool started;
	uint32_t done; /* a  the truncation is */
};

static void *truncate_file(void *arg)
{
	struct copying *c = arg;
	struct ctx ctx;

	bed_ctx(c->b, &ctx);
	object_resize(&ctx, c->object, 0);
	__atomic_store_n(&c->done, 1, __ATOMIC_RELEASE);
	ctx_drain(&ctx);
	return NULL;
}

/* The entry is clear, its lock held. */
static void truncate_now(struct ctx *ctx, struct mmu_notifier *notifier, ksim_addr start, ksim_addr end, bool nodes)
{
	struct copying *c = container_of(notifier, struct copying, notifier);

	(void)ctx;
	(void)end;
	if (start != AT || nodes || c->started)
		return;
	c->started = true;
	SETUP(pthread_create(&c->thread, NULL, truncate_file, c) == 0);
	for (int ms = 0; ms < 50 && !__atomic_load_n(&c->done, __ATOMIC_ACQUIRE); ms++)
		usleep(1000);
}

static void is_truncated_in_a_copy(struct bed *b, struct mm *mm, struct object *object)
{
	struct copying c = { .notifier = { .invalidate = truncate_now }, .b = b, .object = object };
	struct mm_map what = huge_at(object, AT, PAGES, false);
	pfn_t pfn;

	what.noreserve = true;
	SETUP(object_page(&b->ctx, object, 0, true, &pfn) == 0);
	frame_put(&b->ctx, pfn);
	mapped(b, mm, what);
	EXPECT_EQ(ld8(b, mm, AT), 0);
	mm_notifier_add(&b->ctx, mm, &c.notifier);
	st8(b, mm, AT, 1); /* before the truncation, or SIGBUS after it */
	REQUIRE(c.started);
	pthread_join(c.thread, NULL);
	mm_notifier_remove(&b->ctx, mm, &c.notifier);
	expect_fault(b, mm, AT, ACCESS_READ, SIGBUS, 2 /* BUS_ADRERR */);
}

static void truncated_in_a_copy_on(struct bed *b)
{
	with_pool(b, is_truncated_in_a_copy);
}

TEST(hugetlb, truncation_in_the_middle_of_a_copy_takes_the_copy_too)
{
	on_both_with_ram(RAM, truncated_in_a_copy_on);
}

/* ---- threads ---- */

enum { THREADS = 3, ROUNDS = 20 };

struct toucher {
	struct bed *b;
	struct mm *mm;
	pthread_barrier_t *barrier;
	pthread_t thread;
	unsigned wrong;
};

static void *touch_all(void *arg)
{
	struct toucher *t = arg;
	struct ctx ctx;

	bed_ctx(t->b, &ctx);
	for (int round = 0; round < ROUNDS; round++) {
		pthread_barrier_wait(t->barrier);
		for (ksim_addr i = 0; i < PAGES; i++) {
			struct fault fault;

			t->wrong += mm_fault(&ctx, t->mm, AT + i * HUGE, ACCESS_WRITE, &fault) != 0;
		}
		pthread_barrier_wait(t->barrier);
		pthread_barrier_wait(t->barrier);
	}
	ctx_drain(&ctx);
	return NULL;
}

static void is_touched_by_all(struct bed *b, struct mm *mm, struct object *object)
{
	struct toucher touchers[THREADS];
	pthread_barrier_t barrier;

	pthread_barrier_init(&barrier, NULL, THREADS + 1);
	for (int i = 0; i < THREADS; i++) {
		touchers[i] = (struct toucher){ .b = b, .mm = mm, .barrier = &barrier };
		SETUP(pthread_create(&touchers[i].thread, NULL, touch_all, &touchers[i]) == 0);
	}
	for (int round = 0; round < ROUNDS; round++) {
		mapped(b, mm, huge_at(object, AT, PAGES, round % 2));
		pthread_barrier_wait(&barrier);
		pthread_barrier_wait(&barrier);
		expect_pool(b, 0, 0);
		unmapped(b, mm, AT, PAGES * HUGE_FRAMES);
		object_punch(&b->ctx, object, 0, PAGES * HUGE);
		object_resize(&b->ctx, object, 0);
		object_resize(&b->ctx, object, PAGES * HUGE);
		expect_pool(b, PAGES, 0);
		pthread_barrier_wait(&barrier);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(touchers[i].thread, NULL);
		EXPECT_EQ(touchers[i].wrong, 0);
	}
	pthread_barrier_destroy(&barrier);
}

static void touched_on(struct bed *b)
{
	with_pool(b, is_touched_by_all);
}

TEST(hugetlb, threads_that_touch_the_last_pages_together_all_get_them)
{
	on_both_with_ram(RAM, touched_on);
}

struct cutter {
	struct bed *b;
	struct object *object;
	int done;
};

static void *cut_and_grow(void *arg)
{
	struct cutter *c = arg;
	struct ctx ctx;

	bed_ctx(c->b, &ctx);
	for (int round = 0; round < 40; round++) {
		object_resize(&ctx, c->object, HUGE * (uint64_t)(round % PAGES));
		object_resize(&ctx, c->object, PAGES * HUGE);
		object_punch(&ctx, c->object, HUGE, 3 * HUGE);
	}
	__atomic_store_n(&c->done, 1, __ATOMIC_RELEASE);
	ctx_drain(&ctx);
	return NULL;
}

static void is_truncated_meanwhile(struct bed *b, struct mm *mm, struct object *object)
{
	struct cutter c = { .b = b, .object = object };
	struct mm_map what = huge_at(object, AT, PAGES, true);
	struct fault fault;
	pthread_t thread;

	what.noreserve = true;
	mapped(b, mm, what);
	what = huge_at(object, AT + 2 * PAGES * HUGE, PAGES, false);
	what.noreserve = true;
	mapped(b, mm, what);
	SETUP(pthread_create(&thread, NULL, cut_and_grow, &c) == 0);
	for (ksim_addr i = 0; !__atomic_load_n(&c.done, __ATOMIC_ACQUIRE); i++) {
		ksim_addr at = AT + i % (3 * PAGES) * HUGE;

		if (i % (3 * PAGES) < PAGES || i % (3 * PAGES) >= 2 * PAGES)
			mm_fault(&b->ctx, mm, at, i % 2 ? ACCESS_WRITE : ACCESS_READ, &fault);
		if (i % 64 == 0) {
			struct mm *child = forked(b, mm);

			mm_fault(&b->ctx, child, AT + 2 * PAGES * HUGE, ACCESS_WRITE, &fault);
			drop(b, child);
		}
	}
	pthread_join(thread, NULL);
}

static void truncated_on(struct bed *b)
{
	with_pool(b, is_truncated_meanwhile);
}

TEST(hugetlb, truncation_holes_and_forks_race_with_faults)
{
	on_both_with_ram(RAM, truncated_on);
}
