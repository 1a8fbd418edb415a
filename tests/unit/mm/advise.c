// SPDX-License-Identifier: MIT
/*
 * madvise as mm does it: flags that cut and join VMAs, pages that go and their frames with them, guards, forks, holes
 * in files without a lock held, and each with allocations failing.
 */
#include "bed.h"
#include "mm/vma.h"

#include <sys/mman.h>

enum { POPULATE_READ = 22, POPULATE_WRITE = 23, DONTNEED_LOCKED = 24, COLLAPSE = 25, GUARD = 102, UNGUARD = 103 };
enum { ATTEMPTS_MAX = 50 };

static ksim_addr page(unsigned n)
{
	return BASE + n * PAGE_BYTES;
}

static int advise(struct bed *b, struct mm *mm, unsigned first, unsigned n, int advice)
{
	return mm_advise(&b->ctx, mm, page(first), n * PAGE_BYTES, advice);
}

static void fill(struct bed *b, struct mm *mm, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		SETUP(st8(b, mm, page(i), (int)(1 + i)) == 0);
}

/* ---- flags ---- */

static uint32_t flags_at(struct bed *b, struct mm *mm, unsigned n)
{
	struct mm_region region;

	SETUP(mm_region(&b->ctx, mm, page(n), &region));
	return region.flags & ~(uint32_t)VMA_ACCOUNT;
}

static void flags_body(struct bed *b)
{
	static const struct {
		int set, clear;
		uint32_t flag;
	} advices[] = {
		{ MADV_RANDOM, MADV_NORMAL, VMA_RANDOM },     { MADV_SEQUENTIAL, MADV_NORMAL, VMA_SEQUENTIAL },
		{ MADV_DONTFORK, MADV_DOFORK, VMA_DONTFORK }, { MADV_MERGEABLE, MADV_UNMERGEABLE, VMA_MERGEABLE },
		{ MADV_DONTDUMP, MADV_DODUMP, VMA_DONTDUMP }, { MADV_WIPEONFORK, MADV_KEEPONFORK, VMA_WIPEONFORK },
	};
	struct mm *mm = space(b);

	mapped(b, mm, anon_at(BASE, 6));
	for (unsigned i = 0; i < ARRAY_SIZE(advices); i++) {
		EXPECT_EQ(advise(b, mm, 2, 2, advices[i].set), 0);
		EXPECT_EQ(nregions(mm), 3);
		EXPECT_EQ(flags_at(b, mm, 1), 0);
		EXPECT_EQ(flags_at(b, mm, 2), advices[i].flag);
		EXPECT_EQ(flags_at(b, mm, 4), 0);
		EXPECT_EQ(advise(b, mm, 0, 6, advices[i].set), 0);
		EXPECT_EQ(nregions(mm), 1);
		EXPECT_EQ(advise(b, mm, 0, 3, advices[i].clear), 0);
		EXPECT_EQ(nregions(mm), 2);
		EXPECT_EQ(advise(b, mm, 3, 3, advices[i].clear), 0);
		EXPECT_EQ(nregions(mm), 1);
	}
	EXPECT_EQ(advise(b, mm, 0, 6, MADV_HUGEPAGE), 0);
	EXPECT_EQ(flags_at(b, mm, 0), VMA_HUGE);
	EXPECT_EQ(advise(b, mm, 0, 6, MADV_NOHUGEPAGE), 0);
	EXPECT_EQ(flags_at(b, mm, 0), VMA_NOHUGE);
	expect_sound(b, mm);
	drop(b, mm);
}

TEST(mm_advise, flags_cut_and_join_vmas)
{
	on_both(flags_body);
}

static void full_body(struct bed *b)
{
	struct mm *mm = space(b);

	mapped(b, mm, anon_at(BASE, 6));
	b->env.sysctl.max_map_count = 2;
	EXPECT_EQ(advise(b, mm, 2, 2, MADV_RANDOM), -EAGAIN);
	EXPECT_EQ(nregions(mm), 1);
	EXPECT_EQ(advise(b, mm, 2, 4, MADV_RANDOM), 0);
	EXPECT_EQ(advise(b, mm, 3, 1, MADV_DONTDUMP), -EAGAIN);
	EXPECT_EQ(nregions(mm), 2);
	EXPECT_EQ(advise(b, mm, 1, 1, MADV_RANDOM),
	          0); /* it joins what follows, so there are no more than there were */
	EXPECT_EQ(advise(b, mm, 1, 2, MADV_NORMAL), 0);
	EXPECT_EQ(nregions(mm), 2);
	expect_sound(b, mm);
	drop(b, mm);
}

TEST(mm_advise, that_would_make_too_many_vmas_fails_EAGAIN)
{
	on_both(full_body);
}

/* ---- pages ---- */

static void frames_body(struct bed *b)
{
	struct mm *mm = space(b), *child;
	struct census before;

	mapped(b, mm, anon_at(BASE, 4));
	fill(b, mm, 4);
	before = census_now(b);
	EXPECT_EQ(advise(b, mm, 1, 3, MADV_DONTNEED), 0);
	EXPECT_EQ(census_now(b).free_frames, before.free_frames + 3);
	EXPECT_EQ(ld8(b, mm, page(0)), 1);
	EXPECT_EQ(ld8(b, mm, page(1)), 0);
	child = forked(b, mm);
	EXPECT_EQ(advise(b, child, 0, 4, MADV_DONTNEED), 0);
	EXPECT_EQ(ld8(b, mm, page(0)), 1);
	EXPECT_EQ(ld8(b, child, page(0)), 0);
	expect_sound(b, mm);
	expect_sound(b, child);
	drop(b, child);
	drop(b, mm);
}

TEST(mm_advise, dontneed_gives_the_frames_back)
{
	on_both(frames_body);
}

static void guard_body(struct bed *b)
{
	struct object *object = file(b, 4);
	struct mm *mm = space(b), *child;

	file_set(b, object, PAGE_BYTES, 'f');
	mapped(b, mm, file_at(object, BASE, 4, 0, true));
	EXPECT_EQ(ld8(b, mm, page(1)), 'f');
	EXPECT_EQ(advise(b, mm, 1, 2, GUARD), 0);
	EXPECT_EQ(frame_at(b, mm, page(1)).n, PFN_NONE.n);
	expect_fault(b, mm, page(1), ACCESS_READ, SIGSEGV, SEGV_MAPERR);
	mm_populate(&b->ctx, mm, BASE, page(4));
	EXPECT_EQ(frame_at(b, mm, page(1)).n, PFN_NONE.n);
	EXPECT_EQ(mm_populate_range(&b->ctx, mm, BASE, 4 * PAGE_BYTES, POPULATE_STOPS), -EFAULT);
	EXPECT_EQ(mm_populate_range(&b->ctx, mm, BASE, 4 * PAGE_BYTES, POPULATE_GOES_ON), 0);
	EXPECT_EQ(frame_at(b, mm, page(3)).n, PFN_NONE.n); /* the rest of the VMA is left */
	EXPECT_EQ(advise(b, mm, 1, 2, MADV_DONTNEED), 0);
	object_resize(&b->ctx, object, 0);
	object_resize(&b->ctx, object, 4 * PAGE_BYTES);
	expect_fault(b, mm, page(1), ACCESS_READ, SIGSEGV, SEGV_MAPERR);
	EXPECT_EQ(nregions(mm), 1);
	child = forked(b, mm);
	expect_fault(b, child, page(2), ACCESS_WRITE, SIGSEGV, SEGV_MAPERR);
	EXPECT_EQ(advise(b, child, 0, 4, UNGUARD), 0);
	EXPECT_EQ(ld8(b, child, page(1)), 0);
	expect_sound(b, mm);
	expect_sound(b, child);
	drop(b, child);
	drop(b, mm);
	file_drop(b, object);
}

TEST(mm_advise, nothing_is_mapped_in_a_guard)
{
	on_both(guard_body);
}

static void populate_body(struct bed *b)
{
	struct object *object = file(b, 2);
	struct mm *mm = space(b);
	struct mm_map ro = anon_at(page(6), 1);

	ro.prot = PROT_R;
	mapped(b, mm, anon_at(BASE, 2));
	mapped(b, mm, file_at(object, page(2), 4, 0, true));
	mapped(b, mm, ro);
	EXPECT_EQ(advise(b, mm, 0, 1, POPULATE_READ), 0);
	EXPECT_EQ(frame_at(b, mm, page(0)).n, b->env.zero_pfn);
	EXPECT_EQ(advise(b, mm, 0, 2, POPULATE_WRITE), 0);
	EXPECT(frame_at(b, mm, page(0)).n != b->env.zero_pfn && frame_at(b, mm, page(1)).n != PFN_NONE.n);
	EXPECT_EQ(advise(b, mm, 2, 4, POPULATE_WRITE), -EFAULT);
	EXPECT_EQ(object_pages(&b->ctx, object), 2);
	EXPECT_EQ(advise(b, mm, 6, 1, POPULATE_WRITE), -EINVAL);
	EXPECT_EQ(advise(b, mm, 6, 2, POPULATE_READ), -ENOMEM);
	EXPECT_EQ(frame_at(b, mm, page(6)).n, b->env.zero_pfn);
	expect_sound(b, mm);
	drop(b, mm);
	file_drop(b, object);
}

TEST(mm_advise, populate_brings_in_what_may_be_had)
{
	on_both(populate_body);
}

static void refused_body(struct bed *b)
{
	static const int unknown[] = { -1, 5, 7, 26, 100, 101, 104 };
	struct object *object = file(b, 2);
	struct mm *mm = space(b);

	mapped(b, mm, anon_at(BASE, 2));
	mapped(b, mm, file_at(object, page(2), 2, 0, false));
	for (unsigned i = 0; i < ARRAY_SIZE(unknown); i++)
		EXPECT_EQ(advise(b, mm, 0, 2, unknown[i]), -EINVAL);
	EXPECT_EQ(mm_advise(&b->ctx, mm, BASE + 1, 0, MADV_NORMAL), -EINVAL);
	EXPECT_EQ(mm_advise(&b->ctx, mm, BASE, UINT64_MAX, MADV_NORMAL), -EINVAL);
	EXPECT_EQ(mm_advise(&b->ctx, mm, BASE, -PAGE_BYTES, MADV_NORMAL), -EINVAL);
	EXPECT_EQ(advise(b, mm, 0, 2, COLLAPSE), -EINVAL);
	EXPECT_EQ(advise(b, mm, 2, 2, MADV_FREE), -EINVAL);
	EXPECT_EQ(advise(b, mm, 2, 2, MADV_WIPEONFORK), -EINVAL);
	EXPECT_EQ(advise(b, mm, 2, 2, MADV_REMOVE), -EACCES);
	EXPECT_EQ(advise(b, mm, 0, 2, MADV_REMOVE), -EINVAL);
	EXPECT_EQ(advise(b, mm, 0, 9, MADV_WILLNEED), -ENOMEM);
	EXPECT_EQ(advise(b, mm, 8, 1, MADV_WILLNEED), -ENOMEM);
	drop(b, mm);
	file_drop(b, object);
}

TEST(mm_advise, is_refused_where_linux_refuses_it)
{
	on_both(refused_body);
}

/* madvise(2), each side of the release that brought it. */
static void releases_body(struct bed *b)
{
	static const struct {
		int advice;
		unsigned since;
	} rows[] = {
		{ MADV_FREE, 4005 },
		{ MADV_WIPEONFORK, 4014 },
		{ MADV_KEEPONFORK, 4014 },
		{ 20, 5004 },
		{ 21, 5004 },
		{ 22, 5014 },
		{ 23, 5014 },
		{ 24, 5018 },
		{ 102, 6013 },
		{ 103, 6013 },
	};
	struct object *object = file(b, 2);
	struct mm *mm = space(b);

	mapped(b, mm, anon_at(BASE, 2));
	mapped(b, mm, file_at(object, page(2), 2, 0, true));
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		profile_init(&b->env.profile, rows[i].since - 1);
		EXPECT_EQ(advise(b, mm, 0, 2, rows[i].advice), -EINVAL);
		profile_init(&b->env.profile, rows[i].since);
		EXPECT_EQ(advise(b, mm, 0, 2, rows[i].advice), 0);
	}
	profile_init(&b->env.profile, 6000);
	EXPECT_EQ(advise(b, mm, 0, 2, COLLAPSE), -EINVAL);
	profile_init(&b->env.profile, 6014);
	EXPECT_EQ(advise(b, mm, 2, 2, 102), -EINVAL);
	profile_init(&b->env.profile, 6015);
	EXPECT_EQ(advise(b, mm, 2, 2, 102), 0);
	drop(b, mm);
	file_drop(b, object);
}

TEST(mm_advise, is_known_from_its_release_on)
{
	on_both(releases_body);
}

/* ---- fork ---- */

static void fork_body(struct bed *b)
{
	struct mm *mm = space(b), *child;

	mapped(b, mm, anon_at(BASE, 4));
	fill(b, mm, 4);
	EXPECT_EQ(advise(b, mm, 1, 1, MADV_DONTFORK), 0);
	EXPECT_EQ(advise(b, mm, 2, 1, MADV_WIPEONFORK), 0);
	SETUP(mm_lock(&b->ctx, mm, page(3), PAGE_BYTES, 0) == 0);
	child = forked(b, mm);
	EXPECT_EQ(nregions(child), 3);
	EXPECT_EQ(ld8(b, child, page(0)), 1);
	expect_fault(b, child, page(1), ACCESS_READ, SIGSEGV, SEGV_MAPERR);
	EXPECT_EQ(ld8(b, child, page(2)), 0);
	EXPECT_EQ(ld8(b, child, page(3)), 4);
	EXPECT_EQ(ld8(b, mm, page(2)), 3);
	EXPECT_EQ(child->locked, 0);
	EXPECT_EQ(mm->locked, 1);
	expect_sound(b, mm);
	expect_sound(b, child);
	drop(b, child);
	drop(b, mm);
}

TEST(mm_advise, fork_leaves_out_wipes_and_unlocks)
{
	on_both(fork_body);
}

/* ---- holes ---- */

/* A file whose punching is told, and done to an object. */
struct punched {
	struct backing backing;
	struct object *object;
	uint64_t offset, length;
	unsigned calls;
	int refs;
	int result;
};

static void punched_get(struct backing *backing)
{
	container_of(backing, struct punched, backing)->refs++;
}

static void punched_put(struct ctx *ctx, struct backing *backing)
{
	(void)ctx;
	container_of(backing, struct punched, backing)->refs--;
}

static int punched_punch(struct ctx *ctx, struct backing *backing, uint64_t offset, uint64_t length)
{
	struct punched *p = container_of(backing, struct punched, backing);

	EXPECT_EQ(ctx->held, 0);
	p->offset = offset;
	p->length = length;
	p->calls++;
	if (p->result == 0)
		object_punch(ctx, p->object, offset, offset + length);
	return p->result;
}

static const struct backing_ops punched_ops = { .get = punched_get, .put = punched_put, .punch = punched_punch };

static void remove_body(struct bed *b)
{
	struct punched p = { .backing.ops = &punched_ops, .object = file(b, 8) };
	struct mm *mm = space(b), *child;
	struct mm_map what = file_at(p.object, BASE, 4, 3, true);

	what.backing = &p.backing;
	mapped(b, mm, what);
	fill(b, mm, 4);
	child = forked(b, mm);
	EXPECT_EQ(ld8(b, child, page(2)), 3);
	EXPECT_EQ(advise(b, mm, 1, 2, MADV_REMOVE), 0);
	EXPECT_EQ(p.offset, 4 * PAGE_BYTES);
	EXPECT_EQ(p.length, 2 * PAGE_BYTES);
	EXPECT_EQ(ld8(b, child, page(2)), 0);
	EXPECT_EQ(ld8(b, mm, page(3)), 4);
	unmapped(b, mm, page(1), 1);
	EXPECT_EQ(advise(b, mm, 0, 4, MADV_REMOVE), -ENOMEM);
	EXPECT_EQ(p.calls, 3); /* on both sides of the hole */
	p.result = -EPERM;
	EXPECT_EQ(advise(b, mm, 0, 4, MADV_REMOVE), -EPERM);
	EXPECT_EQ(p.calls, 4); /* not behind what was refused */
	expect_sound(b, mm);
	drop(b, child);
	drop(b, mm);
	EXPECT_EQ(p.refs, 0);
	file_drop(b, p.object);
}

TEST(mm_advise, remove_goes_through_the_open_file_with_no_lock_held)
{
	on_both(remove_body);
}

static void remove_anonymous_body(struct bed *b)
{
	struct object *object = file(b, 4);
	struct mm *mm = space(b);
	struct mm_map ro = file_at(object, page(4), 2, 0, true);

	ro.max_prot = ro.prot = PROT_R;
	mapped(b, mm, file_at(object, BASE, 4, 0, true));
	mapped(b, mm, ro);
	fill(b, mm, 4);
	EXPECT_EQ(object_pages(&b->ctx, object), 4);
	EXPECT_EQ(advise(b, mm, 1, 2, MADV_REMOVE), 0);
	EXPECT_EQ(object_pages(&b->ctx, object), 2);
	EXPECT_EQ(ld8(b, mm, page(1)), 0);
	EXPECT_EQ(ld8(b, mm, page(3)), 4);
	EXPECT_EQ(advise(b, mm, 4, 1, MADV_REMOVE), -EACCES);
	drop(b, mm);
	file_drop(b, object);
}

TEST(mm_advise, remove_of_shared_anonymous_memory_punches_the_object)
{
	on_both(remove_anonymous_body);
}

/* ---- failing ---- */

static void failing_body(struct bed *b)
{
	static const int advices[] = { MADV_DONTFORK, GUARD, POPULATE_WRITE };
	struct mm *mm = space(b);
	unsigned tried = 0;

	mapped(b, mm, anon_at(BASE, 6));
	for (unsigned i = 0; i < ARRAY_SIZE(advices); i++) {
		int err = -1;

		for (unsigned n = 1; err != 0 && n < ATTEMPTS_MAX; n++, tried++) {
			bed_fail_at(b, n);
			err = advise(b, mm, 2, 2, advices[i]);
			bed_fail_at(b, NEVER);
			EXPECT(err == 0 || err == (advices[i] == MADV_DONTFORK ? -EAGAIN : -ENOMEM));
			EXPECT(err == 0 || nregions(mm) == 1);
			expect_sound(b, mm);
		}
		EXPECT_EQ(err, 0);
		EXPECT_EQ(advise(b, mm, 0, 6, MADV_DOFORK), 0);
		EXPECT_EQ(advise(b, mm, 0, 6, UNGUARD), 0);
		EXPECT_EQ(nregions(mm), 1);
	}
	EXPECT(tried > ARRAY_SIZE(advices));
	drop(b, mm);
}

TEST(mm_advise, whose_allocations_fail_changes_nothing_and_can_be_tried_again)
{
	on_both(failing_body);
}
