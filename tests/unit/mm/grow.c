// SPDX-License-Identifier: MIT
/*
 * The heap, stacks, and the limits on how much is mapped: mm_brk, mm_grow_down, and what an address space counts.
 */
#include "bed.h"

#include "base/limits.h"
#include "mm/vma.h"

static void limit(struct bed *b, struct limits *limits, enum limit_kind kind, uint64_t pages)
{
	for (unsigned i = 0; i < LIMIT_KINDS; i++)
		limits->of[i] = (struct limit){ LIMIT_NONE, LIMIT_NONE };
	limits->of[kind].soft = pages * PAGE_BYTES;
	b->ctx.limits = limits;
}

static int map_err(struct bed *b, struct mm *mm, struct mm_map what)
{
	ksim_addr at;

	return mm_map(&b->ctx, mm, &what, &at);
}

static struct mm_map stack_at(ksim_addr addr, uint64_t pages)
{
	struct mm_map what = anon_at(addr, pages);

	what.flags = VMA_GROWSDOWN;
	return what;
}

/* ---- the heap ---- */

static void heap_body(struct bed *b)
{
	struct mm *mm = space(b), *child;
	ksim_addr start = mm_brk(&b->ctx, mm, 0);

	EXPECT_EQ(start, MM_BRK);
	EXPECT_EQ(nregions(mm), 0);
	EXPECT_EQ(mm_brk(&b->ctx, mm, start + 1), start + 1);
	expect_region(b, mm, 0, start, start + PAGE_BYTES, RW);
	EXPECT_EQ(mm_brk(&b->ctx, mm, start + PAGE_BYTES), start + PAGE_BYTES);
	EXPECT_EQ(mm_brk(&b->ctx, mm, start + 600 * PAGE_BYTES), start + 600 * PAGE_BYTES);
	expect_region(b, mm, 0, start, start + 600 * PAGE_BYTES, RW); /* still one */
	EXPECT_EQ(st8(b, mm, start + 599 * PAGE_BYTES, 5), 0);
	child = forked(b, mm);
	EXPECT_EQ(mm_brk(&b->ctx, child, 0), start + 600 * PAGE_BYTES);
	EXPECT_EQ(mm_brk(&b->ctx, child, start), start);
	EXPECT_EQ(nregions(child), 0);
	EXPECT_EQ(ld8(b, mm, start + 599 * PAGE_BYTES), 5);
	EXPECT_EQ(mm_brk(&b->ctx, mm, start - 1), start + 600 * PAGE_BYTES);
	EXPECT_EQ(mm_brk(&b->ctx, mm, UINT64_MAX), start + 600 * PAGE_BYTES);
	EXPECT_EQ(mm_brk(&b->ctx, mm, start + 2), start + 2);
	EXPECT_EQ(mm->pages, 1);
	expect_sound(b, mm);
	drop(b, child);
	drop(b, mm);
}

TEST(mm_brk, heap_is_one_mapping_that_grows_and_shrinks)
{
	on_both(heap_body);
}

static void confined_heap_body(struct bed *b)
{
	const ksim_addr min = UINT64_C(0x7e0000001000), max = min + 64 * PAGE_BYTES;
	struct mm *mm = space(b);

	mm_confine(mm, min, max);
	EXPECT_EQ(mm_brk(&b->ctx, mm, 0), min);
	EXPECT_EQ(mm_brk(&b->ctx, mm, min + 30 * PAGE_BYTES), min + 30 * PAGE_BYTES);
	EXPECT_EQ(mm_brk(&b->ctx, mm, max + PAGE_BYTES), min + 30 * PAGE_BYTES);
	EXPECT_EQ(mm_brk(&b->ctx, mm, max), max);
	EXPECT_EQ(map_err(b, mm, anon_at(0, 1)), -ENOMEM);
	drop(b, mm);
}

TEST(mm_brk, heap_of_a_confined_space_begins_at_its_start)
{
	on_both(confined_heap_body);
}

/* ---- stacks ---- */

static void stack_body(struct bed *b)
{
	struct mm *mm = space(b);
	const ksim_addr top = BASE + 2000 * PAGE_BYTES;

	mapped(b, mm, stack_at(top - PAGE_BYTES, 1));
	EXPECT_EQ(mm->stack_pages, 1);
	EXPECT_EQ(mm->data_pages, 0);
	EXPECT_EQ(st8(b, mm, top - 1000 * PAGE_BYTES + 5, 7), 0);
	expect_region(b, mm, 0, top - 1000 * PAGE_BYTES, top, RW);
	EXPECT_EQ(mm->stack_pages, 1000);
	mapped(b, mm, anon_at(BASE, 1));
	EXPECT_EQ(st8(b, mm, BASE + PAGE_BYTES + 256 * PAGE_BYTES, 1), 0);
	expect_fault(b, mm, BASE + 256 * PAGE_BYTES, ACCESS_WRITE, SIGSEGV, SEGV_MAPERR);
	EXPECT_EQ(mm_grow_down(&b->ctx, mm, BASE + 2 * PAGE_BYTES), -ENOMEM);
	EXPECT_EQ(mm_grow_down(&b->ctx, mm, top), -EFAULT);
	EXPECT_EQ(mm_grow_down(&b->ctx, mm, top - 1), 0);
	expect_fault(b, mm, top, ACCESS_READ, SIGSEGV, SEGV_MAPERR);
	unmapped(b, mm, BASE, 1);
	EXPECT_EQ(mm_grow_down(&b->ctx, mm, MM_MIN - 1), -EPERM);
	expect_sound(b, mm);
	drop(b, mm);
}

TEST(mm_grow_down, stack_reaches_down_to_a_touch_and_keeps_its_distance)
{
	on_both(stack_body);
}

static void gap_body(struct bed *b)
{
	struct mm *mm = space(b);
	const ksim_addr stack = MM_TOP - 100 * PAGE_BYTES;
	struct mm_map what = anon_at(0, 101);

	mapped(b, mm, stack_at(stack, 10));
	/* Not in the 90 pages above: nor within a MiB below. */
	EXPECT_EQ(mapped(b, mm, what), stack - STACK_GUARD - 101 * PAGE_BYTES);
	what.length = 90 * PAGE_BYTES;
	EXPECT_EQ(mapped(b, mm, what), stack + 10 * PAGE_BYTES);
	what.addr = stack - STACK_GUARD - PAGE_BYTES;
	what.length = PAGE_BYTES;
	unmapped(b, mm, what.addr, 1);
	EXPECT_EQ(mapped(b, mm, what), what.addr);
	what.addr += PAGE_BYTES;
	EXPECT(mapped(b, mm, what) < what.addr);
	expect_sound(b, mm);
	drop(b, mm);
}

TEST(mm_grow_down, placement_leaves_a_gap_below_a_stack)
{
	on_both(gap_body);
}

static void two_stacks_body(struct bed *b)
{
	struct mm *mm = space(b);

	/* The highest gaps are the guards of two stacks. */
	mapped(b, mm, stack_at(MM_TOP - PAGE_BYTES, 1));
	mapped(b, mm, stack_at(MM_TOP - 101 * PAGE_BYTES, 1));
	EXPECT_EQ(mapped(b, mm, anon_at(0, 2)), MM_TOP - 101 * PAGE_BYTES - STACK_GUARD - 2 * PAGE_BYTES);
	EXPECT_EQ(st8(b, mm, MM_TOP - 2 * PAGE_BYTES, 1), 0);
	EXPECT_EQ(st8(b, mm, MM_TOP - 100 * PAGE_BYTES, 1), 0); /* up to the other stack */
	expect_sound(b, mm);
	drop(b, mm);
}

TEST(mm_grow_down, stacks_may_meet)
{
	on_both(two_stacks_body);
}

static void locked_stack_body(struct bed *b)
{
	struct mm *mm = space(b);
	struct mm_map what = stack_at(BASE + 300 * PAGE_BYTES, 1);

	what.flags |= VMA_LOCKED;
	mapped(b, mm, what);
	EXPECT_EQ(st8(b, mm, BASE + 298 * PAGE_BYTES, 1), 0);
	EXPECT_EQ(mm->locked, 3);
	expect_sound(b, mm);
	drop(b, mm);
}

TEST(mm_grow_down, locked_stack_locks_what_it_grows_by)
{
	on_both(locked_stack_body);
}

/* ---- placement ---- */

static void low_body(struct bed *b)
{
	struct mm *mm = space(b);
	struct mm_map what = anon_at(0, 2);

	what.low = true;
	EXPECT_EQ(mapped(b, mm, what), UINT64_C(0x40000000));
	what.prot = PROT_R;
	EXPECT_EQ(mapped(b, mm, what), UINT64_C(0x40002000));
	what.addr = UINT64_C(0x80000000) - 2 * PAGE_BYTES;
	EXPECT_EQ(mapped(b, mm, what), UINT64_C(0x80000000) - 2 * PAGE_BYTES);
	what.addr = UINT64_C(0x80000000) - PAGE_BYTES;
	EXPECT_EQ(mapped(b, mm, what), UINT64_C(0x40004000));
	what.addr = 0;
	what.length = UINT64_C(0x40000000);
	what.noreserve = true;
	EXPECT_EQ(map_err(b, mm, what), -ENOMEM);
	what.length = UINT64_C(0x80000000) + PAGE_BYTES;
	EXPECT_EQ(map_err(b, mm, what), -ENOMEM);
	drop(b, mm);
}

TEST(mm_place, low_mappings_go_up_from_1_GiB_to_2)
{
	on_both(low_body);
}

static void aligned_body(struct bed *b)
{
	struct mm *mm = space(b);
	struct object *object = file(b, 2048);
	struct mm_map what = anon_at(0, 1);

	mapped(b, mm, what);
	what.noreserve = true;
	what.prot = PROT_R;
	what.length = 2 * PT_LEAF_SPAN;
	EXPECT_EQ(mapped(b, mm, what) % PT_LEAF_SPAN, 0);
	what.length += PAGE_BYTES;
	EXPECT(mapped(b, mm, what) % PT_LEAF_SPAN != 0);
	what = file_at(object, 0, 1024, 3, true);
	what.fixed = false;
	EXPECT_EQ(mapped(b, mm, what) % PT_LEAF_SPAN, 3 * PAGE_BYTES);
	what.length = PT_LEAF_SPAN + PAGE_BYTES;
	what.pgidx = 3; /* no large page of the file lies within */
	what.prot = PROT_R;
	EXPECT(mapped(b, mm, what) % PT_LEAF_SPAN != 3 * PAGE_BYTES);
	b->env.sysctl.transparent_huge = 0;
	what.pgidx = 0;
	what.length = PT_LEAF_SPAN;
	what.prot = RW | PROT_X;
	EXPECT(mapped(b, mm, what) % PT_LEAF_SPAN != 0);
	expect_sound(b, mm);
	drop(b, mm);
	file_drop(b, object);
}

/* mm/huge_memory.c, mm/shmem.c: so that large pages fit. */
TEST(mm_place, large_mappings_are_aligned_so_that_large_pages_fit)
{
	on_both(aligned_body);
}

/* ---- limits ---- */

static void as_body(struct bed *b)
{
	struct mm *mm = space(b), *child;
	struct limits limits;
	struct mm_map what = anon_at(BASE, 6);

	limit(b, &limits, LIMIT_AS, 10);
	mapped(b, mm, what);
	EXPECT_EQ(map_err(b, mm, anon_at(0, 5)), -ENOMEM);
	what.prot = PROT_R;
	EXPECT_EQ(map_err(b, mm, what), 0); /* in its own place */
	what.length = 11 * PAGE_BYTES;
	EXPECT_EQ(map_err(b, mm, what), -ENOMEM);
	what.length = 10 * PAGE_BYTES;
	EXPECT_EQ(map_err(b, mm, what), 0);
	EXPECT_EQ(mm->pages, 10);
	EXPECT_EQ(mm_brk(&b->ctx, mm, MM_BRK + 1), MM_BRK);
	child = forked(b, mm);
	EXPECT_EQ(child->pages, 10);
	unmapped(b, child, BASE + 3 * PAGE_BYTES, 2);
	EXPECT_EQ(child->pages, 8);
	EXPECT_EQ(mm_brk(&b->ctx, child, MM_BRK + PAGE_BYTES + 1), MM_BRK + PAGE_BYTES + 1);
	EXPECT_EQ(map_err(b, child, anon_at(0, 1)), -ENOMEM);
	b->ctx.limits = NULL;
	drop(b, child);
	drop(b, mm);
}

TEST(mm_limits, pages_are_counted_and_limited)
{
	on_both(as_body);
}

static void data_body(struct bed *b)
{
	struct mm *mm = space(b);
	struct object *object = file(b, 8);
	struct limits limits;

	limit(b, &limits, LIMIT_DATA, 4);
	mapped(b, mm, anon_at(BASE, 2));
	mapped(b, mm, file_at(object, BASE + 16 * PAGE_BYTES, 8, 0, true));
	EXPECT_EQ(mm->data_pages, 2);
	EXPECT_EQ(map_err(b, mm, file_at(object, BASE + 32 * PAGE_BYTES, 3, 0, false)), -ENOMEM);
	mapped(b, mm, file_at(object, BASE + 32 * PAGE_BYTES, 2, 0, false));
	EXPECT_EQ(mm->data_pages, 4);
	EXPECT_EQ(mm_protect(&b->ctx, mm, BASE, PAGE_BYTES, PROT_R), 0);
	EXPECT_EQ(mm->data_pages, 3);
	mapped(b, mm, anon_at(BASE + 8 * PAGE_BYTES, 1));
	EXPECT_EQ(mm_protect(&b->ctx, mm, BASE, PAGE_BYTES, RW), -ENOMEM);
	limits.of[LIMIT_DATA] = (struct limit){ 0, 5 * PAGE_BYTES }; /* the hard one counts */
	EXPECT_EQ(mm_protect(&b->ctx, mm, BASE, PAGE_BYTES, RW), 0);
	EXPECT_EQ(map_err(b, mm, anon_at(0, 1)), -ENOMEM);
	b->ctx.limits = NULL;
	expect_sound(b, mm);
	drop(b, mm);
	file_drop(b, object);
}

TEST(mm_limits, private_writable_pages_are_data)
{
	on_both(data_body);
}

static void stack_limit_body(struct bed *b)
{
	struct mm *mm = space(b);
	const ksim_addr stack = BASE + 500 * PAGE_BYTES;
	struct limits limits;

	limit(b, &limits, LIMIT_STACK, 8);
	mapped(b, mm, stack_at(stack, 1));
	EXPECT_EQ(mm_grow_down(&b->ctx, mm, stack - 8 * PAGE_BYTES), -ENOMEM);
	EXPECT_EQ(mm_grow_down(&b->ctx, mm, stack - 7 * PAGE_BYTES), 0);
	expect_fault(b, mm, stack - 8 * PAGE_BYTES, ACCESS_READ, SIGSEGV, SEGV_MAPERR);
	limit(b, &limits, LIMIT_AS, 9);
	EXPECT_EQ(mm_grow_down(&b->ctx, mm, stack - 9 * PAGE_BYTES), -ENOMEM);
	EXPECT_EQ(mm_grow_down(&b->ctx, mm, stack - 8 * PAGE_BYTES), 0);
	b->ctx.limits = NULL;
	drop(b, mm);
}

TEST(mm_limits, stack_grows_as_far_as_its_limit)
{
	on_both(stack_limit_body);
}

static void few_body(struct bed *b)
{
	struct mm *mm = space(b);

	b->env.sysctl.max_map_count = 4;
	for (unsigned i = 0; i < 5; i++)
		EXPECT_EQ(map_err(b, mm, anon_at(BASE + 8 * i * PAGE_BYTES, 3)), 0);
	EXPECT_EQ(map_err(b, mm, anon_at(0, 1)), -ENOMEM);
	EXPECT_EQ(mm_brk(&b->ctx, mm, MM_BRK + 1), MM_BRK);
	EXPECT_EQ(mm_unmap(&b->ctx, mm, BASE + PAGE_BYTES, PAGE_BYTES), -ENOMEM);
	EXPECT_EQ(mm_protect(&b->ctx, mm, BASE, PAGE_BYTES, PROT_R), -ENOMEM);
	b->env.sysctl.max_map_count = 6;
	EXPECT_EQ(mm_protect(&b->ctx, mm, BASE, PAGE_BYTES, PROT_R), 0);
	EXPECT_EQ(mm_protect(&b->ctx, mm, BASE + PAGE_BYTES, PAGE_BYTES, PROT_R), 0); /* their border moves */
	EXPECT_EQ(mm_protect(&b->ctx, mm, BASE, PAGE_BYTES, RW), -ENOMEM);
	EXPECT_EQ(nregions(mm), 6);
	EXPECT_EQ(mm_brk(&b->ctx, mm, MM_BRK + 1), MM_BRK + 1);
	expect_sound(b, mm);
	drop(b, mm);
}

TEST(mm_limits, number_of_mappings_is_what_sysctl_says)
{
	on_both(few_body);
}

static void overcommit_body(struct bed *b)
{
	struct mm *mm = space(b);
	uint64_t all = phys_total_frames(b->env.phys);
	struct mm_map what = anon_at(BASE, all + 1);
	struct mm_remap grow = { .addr = BASE, .old_length = PAGE_BYTES, .length = (all + 2) * PAGE_BYTES };
	ksim_addr at;

	EXPECT_EQ(map_err(b, mm, what), -ENOMEM);
	EXPECT_EQ(mm_brk(&b->ctx, mm, MM_BRK + (all + 1) * PAGE_BYTES), MM_BRK);
	what.prot = PROT_R;
	mapped(b, mm, what);
	EXPECT_EQ(mm_protect(&b->ctx, mm, BASE, what.length, RW), -ENOMEM);
	unmapped(b, mm, BASE, all + 1);
	mapped(b, mm, anon_at(BASE, 1));
	EXPECT_EQ(mm_remap(&b->ctx, mm, &grow, &at), -ENOMEM);
	grow.length -= PAGE_BYTES;
	EXPECT_EQ(mm_remap(&b->ctx, mm, &grow, &at), 0);
	drop(b, mm);
}

/* mm/util.c, __vm_enough_memory: OVERCOMMIT_GUESS. */
TEST(mm_limits, no_one_request_is_larger_than_all_of_RAM)
{
	on_both(overcommit_body);
}
