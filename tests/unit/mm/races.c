// SPDX-License-Identifier: MIT
/*
 * A truncation, or another fault, in the middle of a fault or of a fork, at places of our choice: each allocation asks
 * the laboratory whether it shall fail, and here the laboratory uses the moment.
 */
#include "bed.h"

#include <pthread.h>
#include <unistd.h>

#include "host/barrier.h"

#define FILE_BASE  BASE /* three pages below the end of a leaf node's span */
#define FILE_PAGES 6

struct plot {
	struct bed *b;
	struct object *object;
	struct mm *mm;
	unsigned at;    /* the number of the frame whose allocation is the moment, counted from 1 */
	unsigned asked; /* frames */
	bool grows;     /* the file gets its old size back at once */
};

/* Empty the file as another process would. */
static bool truncate_meanwhile(void *arg, struct ctx *ctx, enum fail_kind kind)
{
	struct plot *p = arg;
	struct ctx other;

	(void)ctx;
	if (kind != FAIL_FRAME || ++p->asked != p->at)
		return false;
	bed_ctx(p->b, &other);
	object_resize(&other, p->object, 0);
	if (p->grows)
		object_resize(&other, p->object, FILE_PAGES * PAGE_BYTES);
	return false;
}

/* A file of pages that begin with 'f', mapped; the plot thickens at the n-th frame from here on. */
static void plot_open(struct plot *p, struct bed *b, bool shared)
{
	memset(p, 0, sizeof(*p));
	p->b = b;
	p->object = file(b, FILE_PAGES);
	p->mm = space(b);
	mapped(b, p->mm, file_at(p->object, FILE_BASE, FILE_PAGES, 0, shared));
}

static void plot_at(struct plot *p, unsigned n)
{
	p->at = n;
	p->b->env.hooks.fail = n != NEVER ? truncate_meanwhile : NULL;
	p->b->env.hooks.fail_arg = p;
}

static void plot_close(struct plot *p)
{
	plot_at(p, NEVER);
	expect_sound(p->b, p->mm);
	drop(p->b, p->mm);
	file_drop(p->b, p->object);
}

/* Whatever the moment: SIGBUS if the file stays empty, zeros if it grows again; never what was there. */
static void store_during_truncation(struct bed *b, bool shared, bool grows, bool cow)
{
	for (unsigned n = 1; !harness_failed(); n++) {
		struct mm *child = NULL;
		struct plot p;
		int result;

		plot_open(&p, b, shared);
		file_set(b, p.object, 0, 'f');
		if (cow) {
			EXPECT_EQ(st8(b, p.mm, FILE_BASE, 'p'), 0);
			child = forked(b, p.mm);
		}
		p.grows = grows;
		plot_at(&p, n);
		result = st8(b, p.mm, FILE_BASE + 1, 1);
		plot_at(&p, NEVER);
		if (p.asked < n) { /* so many frames are not needed */
			EXPECT(n > 1);
			drop(b, child);
			plot_close(&p);
			return;
		}
		expect_sound(b, p.mm);
		EXPECT_MSG(result == (grows ? 0 : -SIGBUS), "at frame %u: %d", n, result);
		if (result == 0)
			EXPECT_EQ(ld8(b, p.mm, FILE_BASE), 0);
		drop(b, child);
		plot_close(&p);
	}
}

static void fault_body(struct bed *b)
{
	for (int grows = 0; grows < 2; grows++) {
		store_during_truncation(b, true, grows, false);
		store_during_truncation(b, false, grows, false);
		store_during_truncation(b, false, grows, true);
	}
}

/* DESIGN, decision 4. */
TEST(mm_races, a_fault_overtaken_by_a_truncation_sees_the_file_after_it)
{
	on_both(fault_body);
}

static void fork_during_truncation(struct bed *b, bool grows)
{
	for (unsigned n = 1; !harness_failed(); n++) {
		struct mm *child;
		struct plot p;
		bool done;

		plot_open(&p, b, false);
		for (unsigned i = 0; i < FILE_PAGES; i++)
			EXPECT_EQ(st8(b, p.mm, FILE_BASE + i * PAGE_BYTES, 'p'), 0);
		p.grows = grows;
		plot_at(&p, n);
		child = forked(b, p.mm);
		plot_at(&p, NEVER);
		done = p.asked < n;
		expect_sound(b, child);
		for (unsigned i = 0; i < FILE_PAGES && !done; i++)
			EXPECT_EQ(ld8(b, child, FILE_BASE + i * PAGE_BYTES), grows ? 0 : -SIGBUS);
		drop(b, child);
		plot_close(&p);
		if (done) {
			EXPECT(n > 3);
			return;
		}
	}
}

static void fork_body(struct bed *b)
{
	fork_during_truncation(b, false);
	fork_during_truncation(b, true);
}

/* SEMANTICS 54, for a child that is just being made. */
TEST(mm_races, a_fork_overtaken_by_a_truncation_copies_nothing_that_it_removed)
{
	on_both(fork_body);
}

/*
 * A truncation that has passed the child, but not yet the second half of the parent, when the child is filled:
 *
 *	fork:      child linked, first frame of its table . . . . . . . . . . . . fills the child, done
 *	truncate:                                    child, parent's first leaf . . . . . . . . . . parent's second
 */
struct halfway {
	struct plot plot;
	struct mmu_notifier notifier;
	int stage; /* a  1: the truncation may begin; 2: it is halfway; 3: the fork is done */
};

static void stage_set(struct halfway *h, int stage)
{
	__atomic_store_n(&h->stage, stage, __ATOMIC_RELEASE);
}

static void stage_wait(struct halfway *h, int stage)
{
	while (__atomic_load_n(&h->stage, __ATOMIC_ACQUIRE) < stage)
		host_yield();
}

static bool start_truncation(void *arg, struct ctx *ctx, enum fail_kind kind)
{
	struct halfway *h = arg;

	(void)ctx;
	if (kind == FAIL_FRAME && ++h->plot.asked == 2) { /* the first was the child's root */
		stage_set(h, 1);
		stage_wait(h, 2);
	}
	return false;
}

static void halfway_through(struct ctx *ctx, struct mmu_notifier *notifier, ksim_addr start, ksim_addr end, bool nodes)
{
	struct halfway *h = container_of(notifier, struct halfway, notifier);

	(void)ctx;
	(void)nodes;
	if (start != FILE_BASE || end > FILE_BASE + 3 * PAGE_BYTES)
		return;
	stage_set(h, 2);
	stage_wait(h, 3);
}

static void *truncate_once(void *arg)
{
	struct halfway *h = arg;
	struct ctx ctx;

	bed_ctx(h->plot.b, &ctx);
	stage_wait(h, 1);
	object_resize(&ctx, h->plot.object, 0);
	return NULL;
}

static void halfway_body(struct bed *b)
{
	struct halfway h = { .notifier = { .invalidate = halfway_through } };
	struct mm *first, *child, *hoard = space(b);
	pthread_t thread;

	/*
	 * A hoard of VMAs, freed before the fork: so the child's lies below its parent's and comes first in the list.
	 */
	for (unsigned i = 0; i < 16; i++)
		mapped(b, hoard, anon_at(BASE + 2 * i * PAGE_BYTES, 1));
	plot_open(&h.plot, b, false);
	for (unsigned i = 0; i < FILE_PAGES; i++)
		EXPECT_EQ(st8(b, h.plot.mm, FILE_BASE + i * PAGE_BYTES, 'p'), 0);
	first = forked(b, h.plot.mm); /* so that the next fork protects nothing, and waits for no notifier */
	drop(b, hoard);
	mm_notifier_add(&b->ctx, h.plot.mm, &h.notifier);
	SETUP(pthread_create(&thread, NULL, truncate_once, &h) == 0);
	b->env.hooks.fail = start_truncation;
	b->env.hooks.fail_arg = &h;
	child = forked(b, h.plot.mm);
	stage_set(&h, 3);
	pthread_join(thread, NULL);
	b->env.hooks.fail = NULL;
	expect_sound(b, child);
	expect_sound(b, first);
	EXPECT_EQ(ld8(b, child, FILE_BASE + 5 * PAGE_BYTES), -SIGBUS);
	mm_notifier_remove(&b->ctx, h.plot.mm, &h.notifier);
	drop(b, first);
	drop(b, child);
	plot_close(&h.plot);
}

TEST(mm_races, a_fork_beside_a_truncation_that_has_passed_the_child_leaves_it_without_the_pages)
{
	on_both(halfway_body);
}

/* ---- two tasks at one page of private memory ---- */

/* Store 'o' as another task would. */
static bool touch_meanwhile(void *arg, struct ctx *ctx, enum fail_kind kind)
{
	struct plot *p = arg;
	struct fault fault;
	struct ctx other;

	(void)ctx;
	if (kind != FAIL_FRAME || ++p->asked != p->at)
		return false;
	bed_ctx(p->b, &other);
	EXPECT_EQ(mm_fault(&other, p->mm, BASE, ACCESS_WRITE, &fault), 0);
	*(char *)frame_ptr(p->b->env.phys, pte_pfn(pt_walk(&p->mm->pt, BASE))) = 'o';
	return false;
}

static void first_touches_body(struct bed *b)
{
	for (unsigned n = 1; !harness_failed(); n++) {
		struct plot p = { .b = b, .mm = space(b), .at = n };

		mapped(b, p.mm, anon_at(BASE, 1));
		b->env.hooks.fail = touch_meanwhile;
		b->env.hooks.fail_arg = &p;
		EXPECT_EQ(st8(b, p.mm, BASE + 1, 'a'), 0);
		b->env.hooks.fail = NULL;
		expect_sound(b, p.mm);
		EXPECT_EQ(ld8(b, p.mm, BASE), p.asked < n ? 0 : 'o');
		EXPECT_EQ(ld8(b, p.mm, BASE + 1), 'a');
		drop(b, p.mm);
		if (p.asked < n) { /* so many frames are not needed */
			EXPECT(n > 2);
			return;
		}
	}
}

TEST(mm_races, a_first_touch_overtaken_by_another_keeps_what_that_one_stored)
{
	on_both(first_touches_body);
}

/* Who hears of a page that is being copied, and has another task touch it before it has come back. */
struct witness {
	struct mmu_notifier notifier;
	struct bed *b;
	struct mm *mm;
	pthread_t thread;
	bool started;
	uint32_t touching; /* a */
	int result;        /* of the other's fault */
};

static void *touch(void *arg)
{
	struct witness *w = arg;
	struct fault fault;
	struct ctx ctx;

	bed_ctx(w->b, &ctx);
	__atomic_store_n(&w->touching, 1, __ATOMIC_RELEASE);
	w->result = mm_fault(&ctx, w->mm, BASE, ACCESS_WRITE, &fault);
	return NULL;
}

static void let_touch(struct ctx *ctx, struct mmu_notifier *notifier, ksim_addr start, ksim_addr end, bool nodes)
{
	struct witness *w = container_of(notifier, struct witness, notifier);

	(void)ctx;
	(void)end;
	if (start != BASE || nodes || w->started)
		return;
	w->started = true;
	EXPECT(pte_is_busy(pt_walk(&w->mm->pt, BASE)));
	SETUP(pthread_create(&w->thread, NULL, touch, w) == 0);
	while (!__atomic_load_n(&w->touching, __ATOMIC_ACQUIRE))
		host_yield();
	for (int i = 0; i < 100; i++)
		host_yield(); /* it finds the page busy, most times */
}

static void busy_body(struct bed *b)
{
	struct witness w = { .notifier = { .invalidate = let_touch }, .b = b, .mm = space(b), .result = -1 };
	struct mm *child;

	mapped(b, w.mm, anon_at(BASE, 1));
	EXPECT_EQ(st8(b, w.mm, BASE, 'p'), 0);
	child = forked(b, w.mm);
	mm_notifier_add(&b->ctx, w.mm, &w.notifier);
	EXPECT_EQ(st8(b, w.mm, BASE + 1, 'q'), 0);
	REQUIRE(w.started);
	pthread_join(w.thread, NULL);
	EXPECT_EQ(w.result, 0);
	EXPECT_EQ(ld8(b, w.mm, BASE), 'p');
	EXPECT_EQ(ld8(b, w.mm, BASE + 1), 'q');
	expect_sound(b, w.mm);
	mm_notifier_remove(&b->ctx, w.mm, &w.notifier);
	drop(b, child);
	drop(b, w.mm);
}

TEST(mm_races, a_touch_of_a_page_that_is_being_copied_waits_for_the_copy)
{
	on_both(busy_body);
}

/* ---- blocks of a file ---- */

#define BLOCK_AT UINT64_C(0x40000000)

/* A file that is one block, of bytes 'f'. */
static struct object *block_file(struct bed *b, bool mapped_by_block, struct mm *mm)
{
	struct object *object = file(b, HUGE_FRAMES);
	pfn_t pfn;

	SETUP(object_commit(&b->ctx, object, 0, PT_LEAF_SPAN) == 0);
	for (uint64_t i = 0; i < HUGE_FRAMES; i++) {
		SETUP(object_page(&b->ctx, object, i, false, &pfn) == 0);
		memset(frame_ptr(b->env.phys, pfn), 'f', PAGE_BYTES);
		frame_put(&b->ctx, pfn);
	}
	mapped(b, mm, file_at(object, BLOCK_AT, HUGE_FRAMES, 0, true));
	if (mapped_by_block)
		EXPECT_EQ(st8(b, mm, BLOCK_AT, 'p'), 0);
	EXPECT_EQ(mm_is_huge(&b->ctx, mm, BLOCK_AT), mapped_by_block);
	return object;
}

static void block_lost_body(struct bed *b)
{
	for (unsigned n = 1; !harness_failed(); n++) {
		struct plot p = { .b = b, .mm = space(b) };
		int result;
		pfn_t head;

		p.object = block_file(b, false, p.mm);
		head = object_block(&b->ctx, p.object, 0, false);
		REQUIRE(head.n != 0);
		plot_at(&p, n);
		result = st8(b, p.mm, BLOCK_AT, 1);
		plot_at(&p, NEVER);
		EXPECT_EQ(result, p.asked < n ? 0 : -SIGBUS);
		if (p.asked >= n) {
			EXPECT_EQ(frame_of(b->env.phys, head)->use, FRAME_FREE);
			EXPECT_MSG(!frame_of(b->env.phys, head)->zeros, "at frame %u: the page's bytes pass for zeros",
			           n);
		}
		plot_close(&p);
		if (p.asked < n) { /* so many frames are not needed */
			EXPECT(n > 3);
			return;
		}
	}
}

TEST(mm_races, a_store_overtaken_by_the_truncation_of_its_block_leaves_no_mark_on_what_is_free)
{
	on_both(block_lost_body);
}

/* Who hears that a block is mapped no more, and has the file truncated before it has come back. */
struct bystander {
	struct mmu_notifier notifier;
	struct bed *b;
	struct object *object;
	pthread_t thread;
	bool started;
	uint32_t done; /* a  the truncation is */
	bool waited;   /* it was not, when this came back */
};

static void *truncate_beside(void *arg)
{
	struct bystander *w = arg;
	struct ctx ctx;

	bed_ctx(w->b, &ctx);
	object_resize(&ctx, w->object, 0);
	__atomic_store_n(&w->done, 1, __ATOMIC_RELEASE);
	ctx_drain(&ctx);
	return NULL;
}

static void let_truncate(struct ctx *ctx, struct mmu_notifier *notifier, ksim_addr start, ksim_addr end, bool nodes)
{
	struct bystander *w = container_of(notifier, struct bystander, notifier);

	(void)ctx;
	(void)end;
	if (start != BLOCK_AT || nodes || w->started)
		return;
	w->started = true;
	SETUP(pthread_create(&w->thread, NULL, truncate_beside, w) == 0);
	for (int ms = 0; ms < 50 && !__atomic_load_n(&w->done, __ATOMIC_ACQUIRE); ms++)
		usleep(1000);
	w->waited = !__atomic_load_n(&w->done, __ATOMIC_ACQUIRE);
}

static void unmap_beside_body(struct bed *b)
{
	struct bystander w = { .notifier = { .invalidate = let_truncate }, .b = b };
	struct mm *mm = space(b);

	w.object = block_file(b, true, mm);
	mm_notifier_add(&b->ctx, mm, &w.notifier);
	unmapped(b, mm, BLOCK_AT, HUGE_FRAMES);
	REQUIRE(w.started);
	pthread_join(w.thread, NULL);
	EXPECT_MSG(w.waited, "the frames were free while somebody could still reach them");
	expect_sound(b, mm);
	mm_notifier_remove(&b->ctx, mm, &w.notifier);
	drop(b, mm);
	file_drop(b, w.object);
}

/* DESIGN: no load ever returns bytes of a frame that was recycled. */
TEST(mm_races, a_truncation_frees_a_block_only_when_who_unmaps_it_has_told_everybody)
{
	on_both(unmap_beside_body);
}
