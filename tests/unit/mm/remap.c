// SPDX-License-Identifier: MIT
/*
 * mremap below the calls: what happens to entries, frames, nodes and counts when a mapping moves, what those hear who
 * keep translations, and what a truncation finds that comes between. What it does to pages is the model's business
 * (model.c).
 */
#include "bed.h"

#include <pthread.h>

/* Where things go to: as far from a leaf node's end as BASE is not. */
#define THERE (UINT64_C(0x50000000) + 5 * PAGE_BYTES)

static int remap_err(struct bed *b, struct mm *mm, struct mm_remap what)
{
	ksim_addr at;

	what.old_length <<= PAGE_SHIFT;
	what.length <<= PAGE_SHIFT;
	return mm_remap(&b->ctx, mm, &what, &at);
}

/* Pages, to a fixed place. */
static struct mm_remap move_to(ksim_addr from, uint64_t old, uint64_t pages, ksim_addr to)
{
	return (struct mm_remap){
		.addr = from, .old_length = old, .length = pages, .to = to, .fixed = true, .may_move = true
	};
}

static unsigned entry_flags(struct mm *mm, ksim_addr addr)
{
	pte_t pte = pt_walk(&mm->pt, addr);

	return pte_present(pte) ? pte_flags(mm->pt.format, pte) : 0;
}

static void same_frames_body(struct bed *b)
{
	struct mm *mm = space(b);
	pfn_t first, last;
	uint64_t free_before;

	mapped(b, mm, anon_at(BASE, 8));
	EXPECT_EQ(st8(b, mm, BASE, 1), 0);
	EXPECT_EQ(st8(b, mm, BASE + 7 * PAGE_BYTES, 8), 0);
	first = frame_at(b, mm, BASE);
	last = frame_at(b, mm, BASE + 7 * PAGE_BYTES);
	free_before = phys_free_frames(&b->ctx);
	EXPECT_EQ(remap_err(b, mm, move_to(BASE, 8, 8, THERE)), 0);
	EXPECT_EQ(frame_at(b, mm, THERE).n, first.n);
	EXPECT_EQ(frame_at(b, mm, THERE + 7 * PAGE_BYTES).n, last.n);
	EXPECT_EQ(frame_at(b, mm, BASE).n, 0);
	EXPECT_EQ(frame_refs(b->env.phys, first), 1);
	EXPECT_EQ(frame_of(b->env.phys, first)->mappers, 1);
	EXPECT_MSG(phys_free_frames(&b->ctx) >= free_before, "%lu frames less",
	           (unsigned long)(free_before - phys_free_frames(&b->ctx)));
	EXPECT_EQ(nregions(mm), 1);
	expect_region(b, mm, 0, THERE, THERE + 8 * PAGE_BYTES, RW);
	expect_sound(b, mm);
	drop(b, mm);
}

TEST(mm_remap, move_takes_the_frames_along_and_frees_the_nodes_it_leaves)
{
	on_both(same_frames_body);
}

static void marks_body(struct bed *b)
{
	struct mm *mm = space(b);
	unsigned before;

	mapped(b, mm, anon_at(BASE, 2));
	EXPECT_EQ(st8(b, mm, BASE, 1), 0);
	EXPECT_EQ(ld8(b, mm, BASE + PAGE_BYTES), 0);
	before = entry_flags(mm, BASE);
	EXPECT_EQ(remap_err(b, mm, move_to(BASE, 2, 2, THERE)), 0);
	EXPECT_EQ(entry_flags(mm, THERE), before);
	EXPECT_EQ(frame_at(b, mm, THERE + PAGE_BYTES).n, b->env.zero_pfn);
	drop(b, mm);
}

TEST(mm_remap, entries_keep_their_marks_and_rights)
{
	on_both(marks_body);
}

static void shared_node_body(struct bed *b)
{
	const ksim_addr leaf = BASE + 3 * PAGE_BYTES; /* a node of its own begins there */
	struct mm *mm = space(b);

	mapped(b, mm, anon_at(leaf - 2 * PAGE_BYTES, 4));
	for (unsigned i = 0; i < 4; i++)
		EXPECT_EQ(st8(b, mm, leaf + i * PAGE_BYTES - 2 * PAGE_BYTES, (int)i + 1), 0);
	EXPECT_EQ(remap_err(b, mm, move_to(leaf - 2 * PAGE_BYTES, 4, 2, leaf + 9 * PAGE_BYTES)), 0);
	EXPECT_EQ(ld8(b, mm, leaf + 9 * PAGE_BYTES), 1);
	EXPECT_EQ(ld8(b, mm, leaf + 10 * PAGE_BYTES), 2);
	expect_fault(b, mm, leaf, ACCESS_READ, SIGSEGV, SEGV_MAPERR);
	EXPECT_EQ(nregions(mm), 1);
	expect_sound(b, mm);
	drop(b, mm);
}

TEST(mm_remap, node_that_the_shrinking_empties_is_there_for_the_move)
{
	on_both(shared_node_body);
}

/* ---- who keeps translations ---- */

struct watcher {
	struct mmu_notifier notifier;
	struct mm *mm;
	ksim_addr from, to;
	unsigned invalidated; /* how often `from` was, nodes apart */
	unsigned filled;      /* how often `to` was */
	bool early, late;     /* what was wrong with it */
};

static void on_invalidate(struct ctx *ctx, struct mmu_notifier *notifier, ksim_addr start, ksim_addr end, bool nodes)
{
	struct watcher *w = container_of(notifier, struct watcher, notifier);

	(void)ctx;
	if (nodes || w->from < start || w->from >= end)
		return;
	w->invalidated++;
	w->late |= pte_present(pt_walk(&w->mm->pt, w->from));
	w->early |= pte_present(pt_walk(&w->mm->pt, w->to));
}

static void on_filled(struct ctx *ctx, struct mmu_notifier *notifier, ksim_addr start, ksim_addr end)
{
	struct watcher *w = container_of(notifier, struct watcher, notifier);

	(void)ctx;
	w->filled += start <= w->to && w->to < end && pte_present(pt_walk(&w->mm->pt, w->to));
}

static void notifier_body(struct bed *b)
{
	struct mm *mm = space(b);
	struct watcher w = {
		.notifier = { .invalidate = on_invalidate, .filled = on_filled }, .mm = mm, .from = BASE, .to = THERE
	};

	mm->eager = true;
	mapped(b, mm, anon_at(BASE, 600));
	EXPECT_EQ(st8(b, mm, BASE, 1), 0);
	mm_notifier_add(&b->ctx, mm, &w.notifier);
	EXPECT_EQ(remap_err(b, mm, move_to(BASE, 600, 600, THERE)), 0);
	EXPECT_EQ(w.invalidated, 1);
	EXPECT_MSG(!w.late, "the old entry was still there");
	EXPECT_MSG(!w.early, "the new entry was there already");
	EXPECT(w.filled > 0);
	mm_notifier_remove(&b->ctx, mm, &w.notifier);
	drop(b, mm);
}

/* remap I2: a translation of the old entry would let a page be written that is somebody else's by then. */
TEST(mm_remap, old_entry_is_cleared_then_invalidated_then_the_new_one_is_set_and_told)
{
	on_both(notifier_body);
}

/* ---- files ---- */

static void mapper_body(struct bed *b)
{
	struct mm *mm = space(b);
	struct object *object = file(b, 8);

	mapped(b, mm, file_at(object, BASE, 8, 0, true));
	for (unsigned i = 0; i < 8; i++)
		EXPECT_EQ(st8(b, mm, BASE + i * PAGE_BYTES, (int)i + 1), 0);
	EXPECT_EQ(object->writers, 1);
	EXPECT_EQ(remap_err(b, mm, move_to(BASE + 2 * PAGE_BYTES, 3, 3, THERE)), 0);
	EXPECT_EQ(object->writers, 3);
	expect_sound(b, mm);
	object_resize(&b->ctx, object, 3 * PAGE_BYTES);
	EXPECT_EQ(ld8(b, mm, THERE), 3);
	expect_fault(b, mm, THERE + PAGE_BYTES, ACCESS_READ, SIGBUS, BUS_ADRERR);
	expect_sound(b, mm);
	EXPECT_EQ(remap_err(b, mm, move_to(THERE, 3, 3, BASE + 2 * PAGE_BYTES)), 0);
	EXPECT_EQ(object->writers, 1); /* one again */
	EXPECT_EQ(nregions(mm), 1);
	drop(b, mm);
	EXPECT_EQ(object->writers, 0);
	file_drop(b, object);
}

TEST(mm_remap, moved_part_of_a_file_is_a_mapping_of_its_own_that_truncation_finds)
{
	on_both(mapper_body);
}

enum { RACE_PAGES = 24, RACE_ROUNDS = 400 };

struct race {
	struct bed *b;
	struct mm *mm;
	struct object *object;
	uint32_t done;
};

static void *truncate_and_grow(void *arg)
{
	struct race *race = arg;
	struct ctx ctx;
	uint64_t seed = 7;

	bed_ctx(race->b, &ctx);
	while (!__atomic_load_n(&race->done, __ATOMIC_ACQUIRE)) {
		object_resize(&ctx, race->object, (rnd(&seed) >> 20) % RACE_PAGES * PAGE_BYTES);
		object_resize(&ctx, race->object, RACE_PAGES * PAGE_BYTES);
		ctx_drain(&ctx);
	}
	return NULL;
}

static void *touch(void *arg)
{
	struct race *race = arg;
	struct fault fault;
	struct ctx ctx;
	uint64_t seed = 11;

	bed_ctx(race->b, &ctx);
	while (!__atomic_load_n(&race->done, __ATOMIC_ACQUIRE)) {
		ksim_addr page = (rnd(&seed) >> 20) % RACE_PAGES * PAGE_BYTES;

		mm_fault(&ctx, race->mm, BASE + page, ACCESS_WRITE, &fault);
		mm_fault(&ctx, race->mm, THERE + page, ACCESS_READ, &fault);
		ctx_drain(&ctx);
	}
	return NULL;
}

static void race_body(struct bed *b)
{
	struct race race = { .b = b, .mm = space(b), .object = file(b, RACE_PAGES) };
	pthread_t threads[2];

	for (int shared = 0; shared < 2; shared++) {
		mapped(b, race.mm, file_at(race.object, BASE, RACE_PAGES, 0, shared));
		race.done = 0;
		SETUP(pthread_create(&threads[0], NULL, truncate_and_grow, &race) == 0);
		SETUP(pthread_create(&threads[1], NULL, touch, &race) == 0);
		for (unsigned i = 0; i < RACE_ROUNDS; i++) {
			ksim_addr from = i % 2 ? THERE : BASE, to = i % 2 ? BASE : THERE;

			EXPECT_EQ(remap_err(b, race.mm, move_to(from, RACE_PAGES, RACE_PAGES, to)), 0);
		}
		__atomic_store_n(&race.done, 1, __ATOMIC_RELEASE);
		pthread_join(threads[0], NULL);
		pthread_join(threads[1], NULL);
		expect_sound(b, race.mm);
		unmapped(b, race.mm, BASE, RACE_PAGES);
	}
	drop(b, race.mm);
	file_drop(b, race.object);
}

/* remap, the object's lock: a page that a truncation removes is mapped at neither place afterwards. */
TEST(mm_remap, moves_while_others_truncate_and_touch)
{
	on_both(race_body);
}

/* ---- duplicates ---- */

static void duplicate_body(struct bed *b)
{
	struct mm *mm = space(b);
	struct object *object = file(b, 4);

	mapped(b, mm, file_at(object, BASE, 4, 0, true));
	EXPECT_EQ(st8(b, mm, BASE + PAGE_BYTES, 5), 0);
	EXPECT_EQ(remap_err(b, mm, move_to(BASE + PAGE_BYTES, 0, 2, THERE)), 0);
	EXPECT_EQ(ld8(b, mm, THERE), 5);
	EXPECT_EQ(frame_at(b, mm, THERE).n, frame_at(b, mm, BASE + PAGE_BYTES).n);
	EXPECT_EQ(object->writers, 2);
	EXPECT_EQ(nregions(mm), 2);
	expect_sound(b, mm);
	drop(b, mm);
	file_drop(b, object);
}

TEST(mm_remap, of_length_0_is_a_second_mapping_that_counts_as_a_writer)
{
	on_both(duplicate_body);
}

/* ---- what stays ---- */

static void keep_locked_body(struct bed *b)
{
	struct mm *mm = space(b);
	struct mm_map what = anon_at(BASE, 4);
	struct mm_remap keep = move_to(BASE, 4, 4, THERE);

	what.flags = VMA_LOCKED;
	keep.keep = true;
	mapped(b, mm, what);
	EXPECT_EQ(mm->locked, 4);
	EXPECT_EQ(remap_err(b, mm, keep), 0);
	EXPECT_EQ(mm->locked, 4); /* the new one alone */
	EXPECT_EQ(mm->pages, 8);
	EXPECT_EQ(nregions(mm), 2);
	expect_sound(b, mm);
	drop(b, mm);
}

/* mm/mremap.c: VM_LOCKED is always cleared on what stays. */
TEST(mm_remap, what_is_left_behind_is_not_locked)
{
	on_both(keep_locked_body);
}

static void grow_locked_body(struct bed *b)
{
	struct mm *mm = space(b);
	struct mm_map what = anon_at(BASE, 1);
	struct mm_remap grow = { .addr = BASE, .old_length = 1, .length = 3 };

	what.flags = VMA_LOCKED;
	mapped(b, mm, what);
	EXPECT_EQ(remap_err(b, mm, grow), 0);
	EXPECT_EQ(mm->locked, 3);
	EXPECT(frame_at(b, mm, BASE + 2 * PAGE_BYTES).n != 0);
	drop(b, mm);
}

TEST(mm_remap, what_is_locked_and_grows_is_brought_in)
{
	on_both(grow_locked_body);
}

static void joins_body(struct bed *b)
{
	struct mm *mm = space(b);

	mapped(b, mm, anon_at(BASE, 2));
	mapped(b, mm, anon_at(BASE + 4 * PAGE_BYTES, 1));
	EXPECT_EQ(remap_err(b, mm, (struct mm_remap){ .addr = BASE, .old_length = 2, .length = 4 }), 0);
	expect_region(b, mm, BASE, BASE, BASE + 5 * PAGE_BYTES, RW);
	EXPECT_EQ(remap_err(b, mm, move_to(BASE, 2, 2, BASE + 5 * PAGE_BYTES)), 0);
	expect_region(b, mm, BASE, BASE + 2 * PAGE_BYTES, BASE + 7 * PAGE_BYTES, RW);
	EXPECT_EQ(nregions(mm), 1);
	drop(b, mm);
}

TEST(mm_remap, what_grows_or_arrives_beside_its_like_is_one_with_it)
{
	on_both(joins_body);
}

/* Before 6.17. */
static void one_at_a_time_body(struct bed *b)
{
	struct mm *mm = space(b);

	b->env.profile.mremap_moves_many = false;
	mapped(b, mm, anon_at(BASE, 2));
	EXPECT_EQ(mm_protect(&b->ctx, mm, BASE, PAGE_BYTES, PROT_R), 0);
	EXPECT_EQ(remap_err(b, mm, move_to(BASE, 2, 2, THERE)), -EFAULT);
	b->env.profile.mremap_moves_many = true;
	EXPECT_EQ(remap_err(b, mm, move_to(BASE, 2, 2, THERE)), 0);
	EXPECT_EQ(nregions(mm), 2);
	drop(b, mm);
}

TEST(mm_remap, several_mappings_move_together_since_6_17)
{
	on_both(one_at_a_time_body);
}

static void last_page_body(struct bed *b)
{
	struct mm *mm = space(b);
	struct object *object = file(b, 1);
	struct mm_remap grow = { .addr = BASE, .old_length = 1, .length = 2 };

	mapped(b, mm, file_at(object, BASE, 1, OBJECT_PGIDX_MAX - 1, true));
	EXPECT_EQ(remap_err(b, mm, grow), 0);
	expect_fault(b, mm, BASE + PAGE_BYTES, ACCESS_READ, SIGBUS, 2 /* BUS_ADRERR */);
	grow.old_length = 2;
	grow.length = 3;
	EXPECT_EQ(remap_err(b, mm, grow), -EINVAL);
	object_resize(&b->ctx, object, 0);
	expect_sound(b, mm);
	drop(b, mm);
	file_drop(b, object);
}

TEST(mm_remap, goes_no_further_than_pages_have_numbers)
{
	on_both(last_page_body);
}

/* 75. */
static void keeps_files_body(struct bed *b)
{
	struct object *object = file(b, 1);
	struct mm *mm = space(b);
	struct mm_remap file = move_to(BASE, 1, 1, THERE),
			anon = move_to(BASE + 2 * PAGE_BYTES, 1, 1, THERE + 2 * PAGE_BYTES);

	file.keep = anon.keep = true;
	mapped(b, mm, file_at(object, BASE, 1, 0, true));
	mapped(b, mm, anon_at(BASE + 2 * PAGE_BYTES, 1));
	profile_init(&b->env.profile, 5012);
	EXPECT_EQ(remap_err(b, mm, file), -EINVAL);
	EXPECT_EQ(remap_err(b, mm, anon), 0);
	EXPECT_EQ(nregions(mm), 3);
	profile_init(&b->env.profile, 5013);
	EXPECT_EQ(remap_err(b, mm, file), 0);
	drop(b, mm);
	file_drop(b, object);
}

TEST(mm_remap, pages_of_a_file_leave_their_mapping_behind_since_5_13)
{
	on_both(keeps_files_body);
}
