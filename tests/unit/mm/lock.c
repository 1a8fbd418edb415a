// SPDX-License-Identifier: MIT
/*
 * Locked memory as mm counts it, through everything that cuts, joins, moves and unmaps, and against the caller's limit;
 * and what mincore and msync say of it.
 */
#include "bed.h"
#include "mm/vma.h"

#include "base/creds.h"
#include "base/limits.h"

#include <sys/mman.h>

enum { ATTEMPTS_MAX = 50, NOBODY = 1000 };

static ksim_addr page(unsigned n)
{
	return BASE + n * PAGE_BYTES;
}

static int lock(struct bed *b, struct mm *mm, unsigned first, unsigned n)
{
	return mm_lock(&b->ctx, mm, page(first), n * PAGE_BYTES, 0);
}

static int unlock(struct bed *b, struct mm *mm, unsigned first, unsigned n)
{
	return mm_unlock(&b->ctx, mm, page(first), n * PAGE_BYTES);
}

/* Who calls is somebody with a limit. */
struct nobody {
	struct limits limits;
	struct creds creds;
};

static void become(struct bed *b, struct nobody *nobody, uint64_t bytes)
{
	*nobody = (struct nobody){ .creds = { .euid = NOBODY } };
	for (unsigned i = 0; i < LIMIT_KINDS; i++)
		nobody->limits.of[i] = (struct limit){ LIMIT_NONE, LIMIT_NONE };
	nobody->limits.of[LIMIT_MEMLOCK].soft = bytes;
	b->ctx.limits = &nobody->limits;
	b->ctx.creds = &nobody->creds;
}

static void become_root(struct bed *b)
{
	b->ctx.limits = NULL;
	b->ctx.creds = NULL;
}

/* ---- counting ---- */

static void counting_body(struct bed *b)
{
	struct mm *mm = space(b);

	mapped(b, mm, anon_at(BASE, 8));
	EXPECT_EQ(lock(b, mm, 1, 5), 0);
	EXPECT_EQ(mm->locked, 5);
	EXPECT_EQ(nregions(mm), 3);
	EXPECT_EQ(lock(b, mm, 0, 3), 0);
	EXPECT_EQ(mm->locked, 6);
	EXPECT_EQ(nregions(mm), 2);
	SETUP(mm_protect(&b->ctx, mm, page(2), PAGE_BYTES, PROT_R) == 0);
	EXPECT_EQ(mm->locked, 6);
	SETUP(mm_protect(&b->ctx, mm, page(2), PAGE_BYTES, RW) == 0);
	EXPECT_EQ(mm->locked, 6);
	unmapped(b, mm, page(3), 1);
	EXPECT_EQ(mm->locked, 5);
	EXPECT_EQ(unlock(b, mm, 0, 8), -ENOMEM);
	EXPECT_EQ(mm->locked, 2);
	EXPECT_EQ(unlock(b, mm, 4, 4), 0);
	EXPECT_EQ(mm->locked, 0);
	EXPECT_EQ(nregions(mm), 2);
	expect_sound(b, mm);
	drop(b, mm);
}

TEST(mm_lock, pages_are_counted_through_cutting_joining_and_unmapping)
{
	on_both(counting_body);
}

static void mapping_over_body(struct bed *b)
{
	struct mm *mm = space(b);
	struct mm_map what = anon_at(page(2), 2);
	struct mm_remap remap = {
		.addr = page(0), .old_length = PAGE_BYTES, .length = 3 * PAGE_BYTES, .may_move = true
	};
	ksim_addr at;

	mapped(b, mm, anon_at(BASE, 6));
	EXPECT_EQ(lock(b, mm, 0, 6), 0);
	what.prot = PROT_R;
	mapped(b, mm, what);
	EXPECT_EQ(mm->locked, 4);
	what = anon_at(page(10), 3);
	what.flags = VMA_LOCKED;
	mapped(b, mm, what);
	EXPECT_EQ(mm->locked, 7);
	EXPECT_EQ(mm_remap(&b->ctx, mm, &remap, &at), 0);
	EXPECT_EQ(mm->locked, 9);
	unmapped(b, mm, at, 3);
	EXPECT_EQ(mm->locked, 6);
	expect_sound(b, mm);
	drop(b, mm);
}

TEST(mm_lock, pages_are_counted_through_mapping_and_moving)
{
	on_both(mapping_over_body);
}

static void kinds_body(struct bed *b)
{
	struct mm *mm = space(b);

	mapped(b, mm, anon_at(BASE, 4));
	EXPECT_EQ(mm_lock(&b->ctx, mm, page(0), 4 * PAGE_BYTES, MM_LOCK_ON_FAULT), 0);
	EXPECT_EQ(frame_at(b, mm, page(0)).n, PFN_NONE.n);
	EXPECT_EQ(lock(b, mm, 1, 1), 0);
	EXPECT(frame_at(b, mm, page(1)).n != PFN_NONE.n);
	EXPECT_EQ(nregions(mm), 3);
	EXPECT_EQ(mm->locked, 4);
	EXPECT_EQ(lock(b, mm, 0, 4), 0);
	EXPECT_EQ(nregions(mm), 1);
	EXPECT_EQ(mm->locked, 4);
	EXPECT_EQ(mm_lock(&b->ctx, mm, page(0) + 1, UINT64_MAX - 2 * PAGE_BYTES, 0), -EINVAL);
	EXPECT_EQ(mm_unlock(&b->ctx, mm, page(0) + 1, UINT64_MAX - 2 * PAGE_BYTES), -EINVAL);
	expect_sound(b, mm);
	drop(b, mm);
}

TEST(mm_lock, on_fault_is_another_kind_of_lock)
{
	on_both(kinds_body);
}

/* ---- all ---- */

static void all_body(struct bed *b)
{
	struct mm *mm = space(b), *child;
	struct mm_map none = anon_at(page(4), 2);

	none.prot = 0;
	mapped(b, mm, anon_at(BASE, 4));
	mapped(b, mm, none);
	EXPECT_EQ(mm_lock_all(&b->ctx, mm, MM_LOCK_CURRENT | MM_LOCK_FUTURE), 0);
	EXPECT_EQ(mm->locked, 6);
	EXPECT(frame_at(b, mm, page(3)).n != PFN_NONE.n);
	mapped(b, mm, anon_at(page(8), 2));
	EXPECT_EQ(mm->locked, 8);
	child = forked(b, mm);
	EXPECT_EQ(child->locked, 0);
	mapped(b, child, anon_at(page(12), 2));
	EXPECT_EQ(child->locked, 0);
	mm_unlock_all(&b->ctx, mm);
	EXPECT_EQ(mm->locked, 0);
	mapped(b, mm, anon_at(page(12), 2));
	EXPECT_EQ(mm->locked, 0);
	EXPECT_EQ(mm_lock_all(&b->ctx, mm, 0), -EINVAL);
	EXPECT_EQ(mm_lock_all(&b->ctx, mm, MM_LOCK_ALL_ON_FAULT), -EINVAL);
	EXPECT_EQ(mm_lock_all(&b->ctx, mm, 8 | MM_LOCK_CURRENT), -EINVAL);
	expect_sound(b, mm);
	expect_sound(b, child);
	drop(b, child);
	drop(b, mm);
}

TEST(mm_lock, of_all_is_of_what_will_be_mapped_too)
{
	on_both(all_body);
}

/* ---- limits ---- */

static void limit_body(struct bed *b)
{
	struct nobody nobody;
	struct mm *mm = space(b);

	mapped(b, mm, anon_at(BASE, 6));
	become(b, &nobody, 2 * PAGE_BYTES + 1);
	EXPECT_EQ(lock(b, mm, 0, 3), -ENOMEM);
	EXPECT_EQ(lock(b, mm, 0, 2), 0);
	EXPECT_EQ(lock(b, mm, 1, 2), -ENOMEM);
	EXPECT_EQ(lock(b, mm, 0, 2), 0);
	EXPECT(mm_lock_fits(&b->ctx, mm, 0, 100));
	EXPECT(!mm_lock_fits(&b->ctx, mm, VMA_LOCKED, 1));
	EXPECT(mm_lock_fits(&b->ctx, mm, VMA_LOCKED, 0));
	EXPECT_EQ(mm_lock_all(&b->ctx, mm, MM_LOCK_CURRENT), -ENOMEM);
	EXPECT_EQ(mm_lock_all(&b->ctx, mm, MM_LOCK_FUTURE), 0);
	EXPECT(!mm_lock_fits(&b->ctx, mm, 0, 1));
	become(b, &nobody, 0);
	EXPECT_EQ(mm_may_lock(&b->ctx), -EPERM);
	EXPECT_EQ(lock(b, mm, 0, 0), -EPERM);
	EXPECT_EQ(mm_lock_all(&b->ctx, mm, MM_LOCK_FUTURE), -EPERM);
	EXPECT_EQ(unlock(b, mm, 0, 1), 0);
	EXPECT_EQ(mm->locked, 1);
	nobody.creds.euid = 0;
	EXPECT_EQ(lock(b, mm, 0, 6), 0);
	become_root(b);
	expect_sound(b, mm);
	drop(b, mm);
}

TEST(mm_lock, is_limited_for_who_is_not_root)
{
	on_both(limit_body);
}

static void failing_body(struct bed *b)
{
	struct mm *mm = space(b);
	int err = -1;

	mapped(b, mm, anon_at(BASE, 6));
	for (unsigned n = 1; err != 0 && n < ATTEMPTS_MAX; n++) {
		bed_fail_at(b, n);
		err = lock(b, mm, 2, 2);
		bed_fail_at(b, NEVER);
		EXPECT(err == 0 || err == -ENOMEM || err == -EAGAIN);
		EXPECT_EQ(mm->locked, err == -ENOMEM ? 0 : 2);
		expect_sound(b, mm);
		SETUP(unlock(b, mm, 0, 6) == 0);
	}
	EXPECT_EQ(err, 0);
	drop(b, mm);
}

TEST(mm_lock, whose_allocations_fail_can_be_tried_again)
{
	on_both(failing_body);
}

/* ---- mincore and msync ---- */

static void residency_body(struct bed *b)
{
	struct object *object = file(b, 6);
	struct mm *mm = space(b);
	unsigned char in[16];

	mapped(b, mm, file_at(object, BASE, 8, 0, false));
	mapped(b, mm, anon_at(page(8), 2));
	file_set(b, object, 0, 'a');
	file_set(b, object, 3 * PAGE_BYTES, 'b');
	SETUP(st8(b, mm, page(5), 'p') == 0);
	SETUP(ld8(b, mm, page(9)) == 0);
	EXPECT_EQ(mm_residency(&b->ctx, mm, page(0), 16, in), 8);
	EXPECT_MEMEQ(in, "\1\0\0\1\0\1\0\0", 8);
	EXPECT_EQ(mm_residency(&b->ctx, mm, page(3), 2, in), 2);
	EXPECT_MEMEQ(in, "\1\0", 2);
	EXPECT_EQ(mm_residency(&b->ctx, mm, page(8), 16, in), 2);
	EXPECT_MEMEQ(in, "\0\1", 2);
	EXPECT_EQ(mm_residency(&b->ctx, mm, page(10), 16, in), -ENOMEM);
	drop(b, mm);
	file_drop(b, object);
}

TEST(mm_residency, is_of_the_page_table_and_of_the_file)
{
	on_both(residency_body);
}

static int sync_pages(struct bed *b, struct mm *mm, unsigned first, unsigned n, int flags)
{
	return mm_sync(&b->ctx, mm, page(first), n * PAGE_BYTES, flags);
}

static void sync_body(struct bed *b)
{
	struct mm *mm = space(b);

	mapped(b, mm, anon_at(BASE, 4));
	EXPECT_EQ(sync_pages(b, mm, 0, 4, MS_SYNC | MS_INVALIDATE), 0);
	EXPECT_EQ(sync_pages(b, mm, 0, 4, MS_SYNC | MS_ASYNC), -EINVAL);
	EXPECT_EQ(sync_pages(b, mm, 0, 4, 8), -EINVAL);
	EXPECT_EQ(mm_sync(&b->ctx, mm, BASE + 1, 0, 0), -EINVAL);
	EXPECT_EQ(mm_sync(&b->ctx, mm, BASE, -PAGE_BYTES, 0), -ENOMEM);
	EXPECT_EQ(mm_sync(&b->ctx, mm, BASE, UINT64_MAX, 0), 0);
	EXPECT_EQ(sync_pages(b, mm, 0, 5, MS_SYNC), -ENOMEM);
	EXPECT_EQ(sync_pages(b, mm, 9, 1, MS_ASYNC), -ENOMEM);
	SETUP(lock(b, mm, 3, 1) == 0);
	EXPECT_EQ(sync_pages(b, mm, 0, 3, MS_INVALIDATE), 0);
	EXPECT_EQ(sync_pages(b, mm, 0, 4, MS_INVALIDATE), -EBUSY);
	unmapped(b, mm, page(1), 1);
	EXPECT_EQ(sync_pages(b, mm, 0, 4, MS_INVALIDATE), -EBUSY);
	EXPECT_EQ(sync_pages(b, mm, 0, 3, MS_INVALIDATE), -ENOMEM);
	EXPECT_EQ(sync_pages(b, mm, 0, 4, MS_ASYNC), -ENOMEM);
	drop(b, mm);
}

TEST(mm_sync, tells_what_is_wrong_with_the_range)
{
	on_both(sync_body);
}

/* ---- copies between address spaces ---- */

static void remote_body(struct bed *b)
{
	struct mm *mm = space(b);
	struct mm_map wo = anon_at(page(2), 1), ro = anon_at(page(3), 1);
	char text[16] = "";

	wo.prot = PROT_W;
	ro.prot = PROT_R;
	mapped(b, mm, anon_at(BASE, 2));
	mapped(b, mm, wo);
	mapped(b, mm, ro);
	EXPECT_EQ(mm_copy_remote(&b->ctx, mm, page(1) - 3, (char[]){ "hello" }, 6, true), 6);
	EXPECT_EQ(mm_copy_remote(&b->ctx, mm, page(1) - 3, text, 6, false), 6);
	EXPECT_STREQ(text, "hello");
	EXPECT_EQ(mm_copy_remote(&b->ctx, mm, page(2) - 2, text, 6, false), 2);
	EXPECT_EQ(mm_copy_remote(&b->ctx, mm, page(2) - 2, text, 6, true), 6);
	EXPECT_EQ(mm_copy_remote(&b->ctx, mm, page(3), text, 1, false), 1);
	EXPECT_EQ(mm_copy_remote(&b->ctx, mm, page(3), text, 1, true), 0);
	EXPECT_EQ(mm_copy_remote(&b->ctx, mm, page(4), text, 1, false), 0);
	EXPECT_EQ(mm_copy_remote(&b->ctx, mm, PT_SPAN, text, 1, false), 0);
	EXPECT_EQ(mm_copy_remote(&b->ctx, mm, UINT64_MAX, text, 9, false), 0);
	expect_sound(b, mm);
	drop(b, mm);
}

TEST(mm_copy_remote, asks_the_vma_and_stops_where_it_must)
{
	on_both(remote_body);
}
