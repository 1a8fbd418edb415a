// SPDX-License-Identifier: MIT
/*
 * Where there is hardly any room: between stacks, in a space of a few MiB, at its edges; and forks and moves that run
 * out of nodes half way.
 */
#include "bed.h"

#include "mm/stat.h"
#include "mm/vma.h"

#include <sys/mman.h>

enum { GUARD = 102, STACK_GUARD_PAGES = 256 };

#define LARGE PT_LEAF_SPAN
#define LOW   (UINT64_C(0x40000000) + 5 * PAGE_BYTES)

/* A space from LOW on, of so many bytes below the top, and of some more above. */
static struct mm *narrow(struct bed *b, uint64_t below_top, uint64_t above_top)
{
	struct mm *mm = space(b);

	mm->bounds = (struct mm_bounds){ LOW, LOW + below_top, LOW + below_top + above_top };
	return mm;
}

static struct mm_map somewhere(uint64_t pages)
{
	struct mm_map what = anon_at(0, pages);

	what.fixed = false;
	return what;
}

static int map_err(struct bed *b, struct mm *mm, struct mm_map what, ksim_addr *at)
{
	return mm_map(&b->ctx, mm, &what, at);
}

static void unaligned_body(struct bed *b)
{
	struct mm *mm = narrow(b, LARGE + 3 * PAGE_BYTES, PAGE_BYTES);
	struct mm_map huge = somewhere(LARGE >> PAGE_SHIFT);
	ksim_addr at;

	/* Not aligned, where there is no other place; huge pages cannot do with that. */
	EXPECT_EQ(map_err(b, mm, somewhere(LARGE >> PAGE_SHIFT), &at), 0);
	EXPECT_EQ(at, LOW + 3 * PAGE_BYTES);
	unmapped(b, mm, at, LARGE >> PAGE_SHIFT);
	EXPECT_EQ(map_err(b, mm, somewhere((LARGE >> PAGE_SHIFT) + 1), &at), 0);
	EXPECT_EQ(at, LOW + 2 * PAGE_BYTES);
	unmapped(b, mm, at, (LARGE >> PAGE_SHIFT) + 1);
	huge.flags |= VMA_HUGETLB;
	EXPECT_EQ(mm_place(mm, &huge, &at), -ENOMEM);
	expect_sound(b, mm);
	drop(b, mm);
}

TEST(mm_room, large_mapping_without_an_aligned_place_takes_another)
{
	on_both(unaligned_body);
}

static void between_stacks_body(struct bed *b)
{
	const uint64_t guard = STACK_GUARD_PAGES * PAGE_BYTES;
	struct mm *mm = narrow(b, guard + 8 * PAGE_BYTES, 16 * PAGE_BYTES);
	struct mm_map stack = anon_at(LOW + guard + 4 * PAGE_BYTES, 4);
	ksim_addr at;

	/* Below the stack 4 pages are free of its guard; above it there is the rest, above the top. */
	stack.flags |= VMA_GROWSDOWN;
	mapped(b, mm, stack);
	EXPECT_EQ(map_err(b, mm, somewhere(3), &at), 0);
	EXPECT_EQ(at, LOW + PAGE_BYTES);
	EXPECT_EQ(map_err(b, mm, somewhere(3), &at), 0);
	EXPECT_EQ(at, LOW + guard + 8 * PAGE_BYTES);
	EXPECT_EQ(map_err(b, mm, somewhere(13), &at), 0);
	EXPECT_EQ(map_err(b, mm, somewhere(2), &at), -ENOMEM);
	EXPECT_EQ(map_err(b, mm, somewhere(1), &at), 0);
	EXPECT_EQ(at, LOW);
	EXPECT_EQ(map_err(b, mm, somewhere(1), &at), -ENOMEM);
	expect_sound(b, mm);
	drop(b, mm);
}

TEST(mm_room, guard_of_a_stack_is_no_place_and_what_lies_above_it_is)
{
	on_both(between_stacks_body);
}

static int remap_err(struct bed *b, struct mm *mm, ksim_addr from, uint64_t old, uint64_t pages, ksim_addr to)
{
	const struct mm_remap what = {
		.addr = from,
		.old_length = old * PAGE_BYTES,
		.length = pages * PAGE_BYTES,
		.to = to,
		.fixed = to != 0,
		.may_move = to != 0,
	};
	ksim_addr at;

	return mm_remap(&b->ctx, mm, &what, &at);
}

static void edges_body(struct bed *b)
{
	struct mm *mm = narrow(b, 32 * PAGE_BYTES, PAGE_BYTES);
	const ksim_addr end = LOW + 33 * PAGE_BYTES;

	mapped(b, mm, anon_at(LOW, 2));
	mapped(b, mm, anon_at(end - PAGE_BYTES, 1));
	EXPECT_EQ(remap_err(b, mm, LOW, 2, 2, LOW - 4 * PAGE_BYTES), -ENOMEM);
	EXPECT_EQ(remap_err(b, mm, LOW, 2, 2, MM_MIN - 4 * PAGE_BYTES), -EPERM);
	EXPECT_EQ(remap_err(b, mm, LOW, 2, 2, end - PAGE_BYTES), -ENOMEM);
	EXPECT_EQ(remap_err(b, mm, end - PAGE_BYTES, 1, 2, 0), -ENOMEM); /* there is nothing behind the end */
	EXPECT_EQ(remap_err(b, mm, LOW, 2, 3, 0), 0);
	EXPECT_EQ(remap_err(b, mm, LOW, 3, 3, end - 4 * PAGE_BYTES), 0);
	expect_region(b, mm, 0, end - 4 * PAGE_BYTES, end, RW);
	expect_sound(b, mm);
	drop(b, mm);
}

TEST(mm_room, nothing_moves_or_grows_over_the_edge)
{
	on_both(edges_body);
}

/* ---- out of nodes ---- */

static void move_across_body(struct bed *b)
{
	const ksim_addr to = BASE + 64 * MIB + 2 * PAGE_BYTES; /* one page below the end of a leaf's span */
	struct mm *mm = space(b);
	unsigned n = 0;
	int err;

	mapped(b, mm, anon_at(BASE, 3));
	for (uint64_t i = 0; i < 3; i++)
		SETUP(st8(b, mm, BASE + i * PAGE_BYTES, (int)i + 1) == 0);
	do {
		bed_fail_at(b, ++n);
		err = remap_err(b, mm, BASE, 3, 3, to);
		bed_fail_at(b, NEVER);
		EXPECT_MSG(err == 0 || err == -ENOMEM, "with allocation %u failing: %d", n, err);
		for (uint64_t i = 0; i < 3; i++)
			EXPECT_EQ(ld8(b, mm, (err == 0 ? to : BASE) + i * PAGE_BYTES), i + 1);
		expect_sound(b, mm);
	} while (err < 0 && n < 50);
	EXPECT(n > 4 && n < 50);
	drop(b, mm);
}

TEST(mm_room, move_across_the_end_of_a_node_fails_as_a_whole)
{
	on_both(move_across_body);
}

/* A fork with each of its allocations failing, until none does: the parent has what it had, and so has the child. */
static void forks(struct bed *b, struct mm *mm, ksim_addr addr, int byte)
{
	struct mm *child = NULL;
	unsigned n = 0;
	int err;

	do {
		bed_fail_at(b, ++n);
		err = mm_fork(&b->ctx, mm, &child);
		bed_fail_at(b, NEVER);
		ctx_drain(&b->ctx);
		EXPECT_MSG(err == 0 || err == -ENOMEM, "with allocation %u failing: %d", n, err);
		EXPECT_EQ(ld8(b, mm, addr), byte);
		expect_sound(b, mm);
	} while (err < 0 && n < 100);
	EXPECT(n > 1 && n < 100);
	REQUIRE(err == 0);
	EXPECT_EQ(ld8(b, child, addr), byte);
	expect_sound(b, child);
	drop(b, child);
}

static void fork_guards_body(struct bed *b)
{
	struct mm *mm = space(b);

	mapped(b, mm, anon_at(BASE, 6));
	SETUP(st8(b, mm, BASE + 5 * PAGE_BYTES, 5) == 0);
	EXPECT_EQ(mm_advise(&b->ctx, mm, BASE, 2 * PAGE_BYTES, GUARD), 0);
	forks(b, mm, BASE, -SIGSEGV);
	EXPECT_EQ(ld8(b, mm, BASE + 5 * PAGE_BYTES), 5);
	drop(b, mm);
}

TEST(mm_room, fork_of_guards_without_memory_is_ENOMEM)
{
	on_both(fork_guards_body);
}

static void fork_block_body(struct bed *b)
{
	struct mm *mm = space(b);
	struct mm_map what = anon_at(64 * LARGE, LARGE >> PAGE_SHIFT);

	what.flags |= VMA_HUGE;
	mapped(b, mm, what);
	SETUP(st8(b, mm, 64 * LARGE + 7 * PAGE_BYTES, 7) == 0);
	EXPECT(mm_is_huge(&b->ctx, mm, 64 * LARGE));
	forks(b, mm, 64 * LARGE + 7 * PAGE_BYTES, 7);
	drop(b, mm);
}

TEST(mm_room, fork_of_a_large_page_without_memory_is_ENOMEM)
{
	on_both_with_ram(16 * MIB, fork_block_body);
}

/* ---- what counts as what ---- */

static void totals_body(struct bed *b)
{
	struct mm *mm = space(b);
	struct mm_map what = anon_at(BASE, 1);
	struct mm_totals totals;
	struct mm_usage usage;
	struct object *object = file(b, 8);

	what.prot = PROT_R | PROT_X;
	mapped(b, mm, what);
	what = file_at(object, BASE + 16 * PAGE_BYTES, 2, 0, true);
	what.prot = RW | PROT_X;
	mapped(b, mm, what);
	what = anon_at(BASE + 32 * PAGE_BYTES, 4);
	mapped(b, mm, what);
	what = anon_at(BASE + 1024 * PAGE_BYTES, 8);
	what.flags |= VMA_GROWSDOWN;
	mapped(b, mm, what);
	mm_usage_all(&b->ctx, mm, &totals, &usage);
	EXPECT_EQ(totals.size, 15 * PAGE_BYTES);
	EXPECT_EQ(totals.exec, PAGE_BYTES);
	EXPECT_EQ(totals.data, 4 * PAGE_BYTES);
	EXPECT_EQ(totals.stack, 8 * PAGE_BYTES);
	/* Only stacks grow down. */
	EXPECT_EQ(mm_grow_down(&b->ctx, mm, BASE - PAGE_BYTES), -EFAULT);
	EXPECT_EQ(mm_grow_down(&b->ctx, mm, BASE + 1023 * PAGE_BYTES), 0);
	EXPECT_EQ(mm_grow_down(&b->ctx, mm, BASE + 4096 * PAGE_BYTES), -EFAULT);
	expect_sound(b, mm);
	drop(b, mm);
	file_drop(b, object);
}

TEST(mm_room, code_data_and_stacks_are_told_apart)
{
	on_both(totals_body);
}
