// SPDX-License-Identifier: MIT
/*
 * The numbers of /proc: what a mapping uses, who shares it, and the words of pagemap.
 */
#include "bed.h"

#include "mm/stat.h"

#include <pthread.h>
#include <sched.h>

static struct mm_usage usage_at(struct bed *b, struct mm *mm, ksim_addr addr)
{
	struct mm_region region = { 0 };
	struct mm_usage usage = { 0 };

	SETUP(mm_region_usage(&b->ctx, mm, addr, &region, &usage) && region.start == addr);
	return usage;
}

static void expect_pages(const struct mm_usage *u, unsigned shared_clean, unsigned shared_dirty, unsigned private_clean,
                         unsigned private_dirty)
{
	EXPECT_EQ(u->shared_clean / PAGE_BYTES, shared_clean);
	EXPECT_EQ(u->shared_dirty / PAGE_BYTES, shared_dirty);
	EXPECT_EQ(u->private_clean / PAGE_BYTES, private_clean);
	EXPECT_EQ(u->private_dirty / PAGE_BYTES, private_dirty);
	EXPECT_EQ(u->rss, u->shared_clean + u->shared_dirty + u->private_clean + u->private_dirty);
	EXPECT_EQ(u->rss, u->rss_anon + u->rss_shmem);
	EXPECT_EQ(u->pss, u->pss_anon + u->pss_shmem);
}

#define PSS(pages, of) ((pages) * ((PAGE_BYTES << MM_PSS_SHIFT) / (of)))

static void private_body(struct bed *b)
{
	struct mm *mm = space(b), *child;
	struct mm_usage u;

	mapped(b, mm, anon_at(BASE, 5));
	u = usage_at(b, mm, BASE);
	expect_pages(&u, 0, 0, 0, 0);
	EXPECT_EQ(ld8(b, mm, BASE + 4 * PAGE_BYTES), 0);
	for (unsigned i = 0; i < 3; i++)
		EXPECT_EQ(st8(b, mm, BASE + i * PAGE_BYTES, 1), 0);
	u = usage_at(b, mm, BASE);
	expect_pages(&u, 0, 0, 0, 3);
	EXPECT_EQ(u.rss_anon, 3 * PAGE_BYTES);
	EXPECT_EQ(u.pss, PSS(3, 1));

	child = forked(b, mm);
	EXPECT_EQ(st8(b, child, BASE, 2), 0);
	u = usage_at(b, mm, BASE);
	expect_pages(&u, 0, 2, 0, 1);
	EXPECT_EQ(u.pss, PSS(2, 2) + PSS(1, 1));
	EXPECT_EQ(u.pss_dirty, u.pss);
	u = usage_at(b, child, BASE);
	expect_pages(&u, 0, 2, 0, 1);
	drop(b, child);
	u = usage_at(b, mm, BASE);
	expect_pages(&u, 0, 0, 0, 3);
	drop(b, mm);
}

TEST(mm_stat, private_pages_are_dirty_and_shared_with_a_child_until_written)
{
	on_both(private_body);
}

static void shared_body(struct bed *b)
{
	struct mm *mm = space(b), *third;
	struct object *object = file(b, 4);
	struct mm_usage u;

	mapped(b, mm, file_at(object, BASE, 4, 0, true));
	EXPECT_EQ(ld8(b, mm, BASE), 0);
	EXPECT_EQ(st8(b, mm, BASE + PAGE_BYTES, 1), 0);
	u = usage_at(b, mm, BASE);
	expect_pages(&u, 0, 0, 1, 1);
	EXPECT_EQ(u.rss_shmem, 2 * PAGE_BYTES);

	third = space(b);
	mapped(b, third, file_at(object, BASE, 4, 0, true));
	mapped(b, third, file_at(object, BASE + 8 * PAGE_BYTES, 4, 0, false));
	for (unsigned i = 0; i < 2; i++) {
		EXPECT_EQ(ld8(b, third, BASE + i * PAGE_BYTES), (int)i);
		EXPECT_EQ(ld8(b, third, BASE + (8 + i) * PAGE_BYTES), (int)i);
	}
	u = usage_at(b, mm, BASE);
	expect_pages(&u, 1, 1, 0, 0);
	EXPECT_EQ(u.pss, PSS(2, 3));
	EXPECT_EQ(u.pss_dirty, PSS(1, 3));
	u = usage_at(b, third, BASE + 8 * PAGE_BYTES);
	expect_pages(&u, 1, 1, 0, 0);
	drop(b, third);
	drop(b, mm);
	file_drop(b, object);
}

TEST(mm_stat, pages_of_a_file_are_divided_among_their_mappings)
{
	on_both(shared_body);
}

static void dirty_body(struct bed *b)
{
	struct mm *writer = space(b), *reader = space(b);
	struct object *object = file(b, 4);
	struct mm_usage u;

	mapped(b, writer, file_at(object, BASE, 4, 0, true));
	mapped(b, reader, file_at(object, BASE, 4, 0, true));
	EXPECT_EQ(st8(b, writer, BASE, 1), 0);
	drop(b, writer);
	EXPECT_EQ(object_commit(&b->ctx, object, PAGE_BYTES, 2 * PAGE_BYTES), 0);
	for (unsigned i = 0; i < 3; i++)
		EXPECT_EQ(ld8(b, reader, BASE + i * PAGE_BYTES), i == 0);
	u = usage_at(b, reader, BASE);
	expect_pages(&u, 0, 0, 1, 2);
	drop(b, reader);
	file_drop(b, object);
}

TEST(mm_stat, page_of_a_file_stays_dirty_when_its_writer_has_gone)
{
	on_both(dirty_body);
}

static void totals_body(struct bed *b)
{
	struct mm *mm = space(b);
	struct object *object = file(b, 4);
	struct mm_map readable = anon_at(BASE + 100 * PAGE_BYTES, 3), locked = anon_at(BASE + 200 * PAGE_BYTES, 2);
	struct mm_totals t;
	struct mm_usage u;

	mm_usage_all(&b->ctx, mm, &t, &u);
	EXPECT_EQ(t.size, 0);
	EXPECT_EQ(t.tables, 0);
	readable.prot = PROT_R | PROT_X;
	locked.flags = VMA_LOCKED | VMA_LOCK_ON_FAULT;
	mapped(b, mm, anon_at(BASE, 5));
	mapped(b, mm, file_at(object, BASE + 50 * PAGE_BYTES, 4, 0, true));
	mapped(b, mm, readable);
	mapped(b, mm, locked);
	EXPECT_EQ(st8(b, mm, BASE, 1), 0);
	EXPECT_EQ(st8(b, mm, BASE + 50 * PAGE_BYTES, 1), 0);
	EXPECT_EQ(st8(b, mm, BASE + 200 * PAGE_BYTES, 1), 0);
	mm_usage_all(&b->ctx, mm, &t, &u);
	EXPECT_EQ(t.start, BASE);
	EXPECT_EQ(t.end, BASE + 202 * PAGE_BYTES);
	EXPECT_EQ(t.size, 14 * PAGE_BYTES);
	EXPECT_EQ(t.data, 7 * PAGE_BYTES);
	EXPECT_EQ(t.exec, 3 * PAGE_BYTES);
	EXPECT_EQ(t.locked, 2 * PAGE_BYTES);
	EXPECT_EQ(u.rss_anon, 2 * PAGE_BYTES);
	EXPECT_EQ(u.rss_shmem, PAGE_BYTES);
	EXPECT_EQ(u.pss_locked, PSS(1, 1));
	EXPECT_MSG(t.tables >= 3 * PAGE_BYTES, "%llu", (unsigned long long)t.tables);
	drop(b, mm);
	file_drop(b, object);
}

TEST(mm_stat, totals_tell_mappings_by_kind)
{
	on_both(totals_body);
}

static void pagemap_body(struct bed *b)
{
	struct mm *mm = space(b), *child;
	struct object *object = file(b, 2);
	uint64_t word[6], shown[6];

	mapped(b, mm, anon_at(BASE, 4));
	mapped(b, mm, file_at(object, BASE + 4 * PAGE_BYTES, 2, 0, true));
	EXPECT_EQ(st8(b, mm, BASE + PAGE_BYTES, 1), 0);
	EXPECT_EQ(ld8(b, mm, BASE + 2 * PAGE_BYTES), 0);
	EXPECT_EQ(st8(b, mm, BASE + 3 * PAGE_BYTES, 1), 0);
	EXPECT_EQ(st8(b, mm, BASE + 5 * PAGE_BYTES, 1), 0);
	child = forked(b, mm);
	EXPECT_EQ(st8(b, child, BASE + 3 * PAGE_BYTES, 2), 0);
	mm_pagemap(&b->ctx, mm, BASE, word, 6, false);
	EXPECT_EQ(word[0], 0);
	EXPECT_EQ(word[1], PAGEMAP_PRESENT);
	EXPECT_EQ(word[2], PAGEMAP_PRESENT);
	EXPECT_EQ(word[3], PAGEMAP_PRESENT | PAGEMAP_EXCLUSIVE);
	EXPECT_EQ(word[4], 0);
	EXPECT_EQ(word[5], PAGEMAP_PRESENT | PAGEMAP_FILE | PAGEMAP_EXCLUSIVE);
	mm_pagemap(&b->ctx, mm, BASE, shown, 6, true);
	for (unsigned i = 0; i < 6; i++) {
		EXPECT_EQ(shown[i] & ~PAGEMAP_PFN_MASK, word[i]);
		EXPECT_EQ(shown[i] & PAGEMAP_PFN_MASK, frame_at(b, mm, BASE + i * PAGE_BYTES).n);
	}
	drop(b, child);
	drop(b, mm);
	file_drop(b, object);
}

TEST(mm_stat, pagemap_says_present_file_exclusive_and_to_the_privileged_the_frame)
{
	on_both(pagemap_body);
}

/* ---- while everything changes ---- */

struct looked_at {
	struct bed *b;
	struct mm *mm;
	struct object *object;
	bool stop; /* a */
	pthread_t thread;
	uint64_t looks; /* a */
	uint64_t wrong;
};

static void *look_all_the_time(void *arg)
{
	struct looked_at *l = arg;
	struct frame_look frame[64];
	struct mm_region region;
	struct mm_totals totals;
	struct mm_usage usage;
	uint64_t word[24];
	struct ctx ctx;

	bed_ctx(l->b, &ctx);
	/* Not for ever: who looks all the time may keep who changes things from its lock. */
	for (unsigned n = 0; n < 1000 && !__atomic_load_n(&l->stop, __ATOMIC_RELAXED); n++) {
		mm_usage_all(&ctx, l->mm, &totals, &usage);
		l->wrong += usage.rss > totals.size || usage.pss > usage.rss << MM_PSS_SHIFT;
		for (ksim_addr at = 0; mm_region_usage(&ctx, l->mm, at, &region, &usage); at = region.end)
			l->wrong += usage.rss > region.end - region.start;
		mm_pagemap(&ctx, l->mm, BASE, word, ARRAY_SIZE(word), true);
		for (size_t i = 0; i < ARRAY_SIZE(word); i++)
			l->wrong += word[i] != 0 && !(word[i] & PAGEMAP_PRESENT);
		phys_look(&ctx, l->b->env.phys, 0, frame, ARRAY_SIZE(frame));
		__atomic_fetch_add(&l->looks, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void meanwhile_body(struct bed *b)
{
	struct looked_at l = { .b = b, .mm = space(b), .object = file(b, 8) };

	SETUP(pthread_create(&l.thread, NULL, look_all_the_time, &l) == 0);
	/* It is under way before anything changes: the locks promise nobody a turn. */
	while (__atomic_load_n(&l.looks, __ATOMIC_RELAXED) == 0)
		sched_yield();
	for (unsigned round = 0; round < 300; round++) {
		struct mm *child;

		mapped(b, l.mm, anon_at(BASE, 8));
		mapped(b, l.mm, file_at(l.object, BASE + 10 * PAGE_BYTES, 8, 0, true));
		for (unsigned i = 0; i < 8; i++) {
			SETUP(st8(b, l.mm, BASE + i * PAGE_BYTES, 1) == 0);
			SETUP(st8(b, l.mm, BASE + (10 + i) * PAGE_BYTES, 1) == 0);
		}
		child = forked(b, l.mm);
		SETUP(st8(b, child, BASE + (round % 8) * PAGE_BYTES, 2) == 0);
		object_resize(&b->ctx, l.object, 3 * PAGE_BYTES);
		object_resize(&b->ctx, l.object, 8 * PAGE_BYTES);
		drop(b, child);
		unmapped(b, l.mm, BASE, 18);
	}
	__atomic_store_n(&l.stop, true, __ATOMIC_RELAXED);
	pthread_join(l.thread, NULL);
	EXPECT_EQ(l.wrong, 0);
	EXPECT(l.looks > 0);
	drop(b, l.mm);
	file_drop(b, l.object);
}

TEST(mm_stat, numbers_hold_together_while_pages_come_and_go)
{
	on_both(meanwhile_body);
}

static void eager_body(struct bed *b)
{
	struct mm *writer = space(b), *reader = space(b);
	struct object *object = file(b, 2);
	struct mm_map readable = file_at(object, BASE, 2, 0, true);
	struct mm_usage u;

	/* Nobody sees the accesses of the one who may write: what is shown to it is written. */
	mm_confine(writer, BASE, BASE + MIB);
	readable.prot = PROT_R;
	mapped(b, reader, readable);
	EXPECT_EQ(ld8(b, reader, BASE), 0);
	u = usage_at(b, reader, BASE);
	expect_pages(&u, 0, 0, 1, 0);
	mapped(b, writer, file_at(object, BASE, 2, 0, true));
	mm_populate(&b->ctx, writer, BASE, BASE + 2 * PAGE_BYTES);
	u = usage_at(b, writer, BASE);
	expect_pages(&u, 0, 1, 0, 0);
	EXPECT_EQ(u.referenced, PAGE_BYTES);
	drop(b, writer);
	u = usage_at(b, reader, BASE);
	expect_pages(&u, 0, 0, 0, 1);
	drop(b, reader);
	file_drop(b, object);
}

TEST(mm_stat, what_is_shown_to_a_window_that_may_write_is_dirty)
{
	on_both(eager_body);
}
