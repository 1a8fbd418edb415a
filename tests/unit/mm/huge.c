// SPDX-License-Identifier: MIT
/*
 * Mappings of 2 MiB: where they come to be, and what becomes of them when a part changes.
 */
#include "bed.h"

#include "mm/stat.h"
#include "mm/vma.h"
#include "phys/group.h"

#define AT    UINT64_C(0x40000000)
#define PAGES UINT64_C(512) /* of 2 MiB */

static bool is_huge(struct bed *b, struct mm *mm, ksim_addr addr)
{
	struct mm_translation t = { .page_bytes = 0 };

	return mm_translate(&b->ctx, mm, addr, &t) == 0 && t.page_bytes == PT_LEAF_SPAN;
}

static struct object *committed(struct bed *b, uint64_t pages)
{
	struct object *object = file(b, pages);

	SETUP(object_commit(&b->ctx, object, 0, pages * PAGE_BYTES) == 0);
	return object;
}

static struct mm_map advised(uint64_t pages)
{
	struct mm_map what = anon_at(AT, pages);

	what.flags = VMA_HUGE;
	return what;
}

static void committed_body(struct bed *b)
{
	struct mm *mm = space(b);
	struct object *object = committed(b, 2 * PAGES);
	struct mm_translation t;

	mapped(b, mm, file_at(object, AT, 2 * PAGES, 0, true));
	EXPECT_EQ(st8(b, mm, AT + 5 * PAGE_BYTES, 5), 0);
	EXPECT(is_huge(b, mm, AT));
	EXPECT(!is_huge(b, mm, AT + PT_LEAF_SPAN));
	REQUIRE_EQ(mm_translate(&b->ctx, mm, AT + 5 * PAGE_BYTES, &t), 0);
	EXPECT(t.mappers == 1 && t.refs == 2 && t.use == FRAME_FILE);
	EXPECT_EQ(file_byte(b, object, 5 * PAGE_BYTES), 5);
	mm_populate(&b->ctx, mm, AT, AT + 2 * PT_LEAF_SPAN);
	EXPECT(is_huge(b, mm, AT + PT_LEAF_SPAN));
	EXPECT_EQ(mm->pt.nodes, 3);
	expect_sound(b, mm);
	drop(b, mm);
	file_drop(b, object);
}

TEST(mm_huge, file_committed_as_a_whole_is_mapped_by_blocks)
{
	on_both(committed_body);
}

static void not_body(struct bed *b)
{
	struct mm *mm = space(b);
	struct object *object = committed(b, 2 * PAGES), *sparse = file(b, PAGES);
	struct mm_map never = file_at(object, AT + 64 * MIB, PAGES, 0, true);

	mapped(b, mm, file_at(object, AT + PAGE_BYTES, PAGES, 0, true)); /* not aligned as the addresses are */
	mapped(b, mm, file_at(object, AT + 16 * MIB, PAGES - 1, 0, true));
	mapped(b, mm, file_at(sparse, AT + 32 * MIB, PAGES, 0, true));
	mapped(b, mm, anon_at(AT + 48 * MIB, PAGES));
	never.flags = VMA_NOHUGE;
	mapped(b, mm, never);
	EXPECT_EQ(ld8(b, mm, AT + PAGE_BYTES), 0);
	for (unsigned at = 16; at <= 64; at += 16) {
		EXPECT_EQ(st8(b, mm, AT + at * MIB, 1), 0);
		EXPECT(!is_huge(b, mm, AT + at * MIB));
	}
	EXPECT_EQ(object_pages(&b->ctx, sparse), 1);
	b->env.sysctl.transparent_huge = 0;
	mapped(b, mm, file_at(object, AT + 80 * MIB, PAGES, 0, true));
	EXPECT_EQ(st8(b, mm, AT + 80 * MIB, 1), 0);
	EXPECT(!is_huge(b, mm, AT + 80 * MIB));
	expect_sound(b, mm);
	drop(b, mm);
	file_drop(b, object);
	file_drop(b, sparse);
}

TEST(mm_huge, small_misaligned_sparse_and_unwanted_ranges_have_small_pages)
{
	on_both(not_body);
}

static void advised_body(struct bed *b)
{
	struct mm *mm = space(b);
	struct object *sparse = file(b, PAGES);
	struct mm_map shared = file_at(sparse, AT + 16 * MIB, PAGES, 0, true);
	uint64_t free_before = phys_free_frames(&b->ctx);

	mapped(b, mm, advised(2 * PAGES));
	shared.flags = VMA_HUGE;
	mapped(b, mm, shared);
	EXPECT_EQ(ld8(b, mm, AT + PAGE_BYTES), 0);
	EXPECT_EQ(st8(b, mm, AT + 2 * PAGE_BYTES, 2), 0);
	EXPECT_EQ(st8(b, mm, AT + 16 * MIB, 16), 0);
	EXPECT(is_huge(b, mm, AT) && is_huge(b, mm, AT + 16 * MIB));
	EXPECT_EQ(object_pages(&b->ctx, sparse), PAGES);
	expect_sound(b, mm);
	unmapped(b, mm, AT, 2 * PAGES);
	EXPECT_EQ(free_before - phys_free_frames(&b->ctx), PAGES + 3); /* the sparse one; nodes, one in reserve */
	drop(b, mm);
	file_drop(b, sparse);
}

TEST(mm_huge, advised_memory_gets_a_block_when_it_is_touched)
{
	on_both(advised_body);
}

static void fallback_body(struct bed *b)
{
	struct mm *mm = space(b);

	mapped(b, mm, advised(PAGES));
	EXPECT_EQ(st8(b, mm, AT, 1), 0);
	EXPECT(!is_huge(b, mm, AT));
	EXPECT_EQ(ld8(b, mm, AT), 1);
	expect_sound(b, mm);
	drop(b, mm);
}

TEST(mm_huge, where_no_block_is_free_a_page_will_do)
{
	on_both_with_ram(2 * MIB + 64 * PAGE_BYTES, fallback_body);
}

static struct group_look limited_to(struct bed *b, uint32_t group)
{
	struct group_look look = { 0 };

	EXPECT(group_look(b->env.phys, group, &look));
	EXPECT(look.used <= look.limit);
	return look;
}

/* Private memory: a block, and small pages up to the limit where there is no room for a second one. */
static void limit_body(struct bed *b)
{
	struct mm *mm = space(b), *child;
	uint32_t group;
	unsigned at = 0;

	SETUP(group_create(&b->ctx, PAGES + 10, &group) == 0);
	owner_set_group(&b->process, group);
	mapped(b, mm, advised(2 * PAGES));
	EXPECT_EQ(st8(b, mm, AT, 1), 0);
	EXPECT(is_huge(b, mm, AT));
	EXPECT_EQ(limited_to(b, group).used, PAGES + 3); /* nodes, one in reserve; the root was there before */
	while (st8(b, mm, AT + PT_LEAF_SPAN + at * PAGE_BYTES, 2) == 0)
		at++;
	EXPECT(!is_huge(b, mm, AT + PT_LEAF_SPAN));
	EXPECT_EQ(at, 6); /* and a node */
	EXPECT(b->fault.signo == SIGKILL && b->fault.limited && b->fault.limit == (PAGES + 10) * PAGE_BYTES);
	EXPECT_EQ(limited_to(b, group).refused, 1);
	EXPECT_EQ(mm_fork(&b->ctx, mm, &child), -ENOMEM);
	EXPECT_EQ(st8(b, mm, AT + 7 * PAGE_BYTES, 7), 0);
	EXPECT(is_huge(b, mm, AT));
	unmapped(b, mm, AT + PT_LEAF_SPAN, 1);
	unmapped(b, mm, AT + 100 * PAGE_BYTES, 200);
	EXPECT(!is_huge(b, mm, AT));
	EXPECT_EQ(limited_to(b, group).used, PAGES + 10 - 201);
	EXPECT_EQ(ld8(b, mm, AT + 7 * PAGE_BYTES), 7);
	expect_sound(b, mm);
	drop(b, mm);
	EXPECT_EQ(limited_to(b, group).used, 0);
}

TEST(mm_huge, block_counts_whole_to_the_limit_of_a_group_and_where_it_does_not_fit_a_page_will_do)
{
	on_both(limit_body);
}

/* Private memory that fork shares: the copy of a page of it is charged, and refused, alone. */
static void limit_copy_body(struct bed *b)
{
	struct mm *mm = space(b), *child;
	uint32_t group;

	mapped(b, mm, advised(PAGES));
	EXPECT_EQ(st8(b, mm, AT + 9 * PAGE_BYTES, 9), 0);
	child = forked(b, mm);
	SETUP(group_create(&b->ctx, 1, &group) == 0);
	owner_set_group(&b->process, group);
	EXPECT_EQ(st8(b, child, AT, 1), 0);
	EXPECT_EQ(limited_to(b, group).used, 1);
	EXPECT_EQ(st8(b, child, AT + 9 * PAGE_BYTES, 1), -SIGKILL);
	EXPECT_STREQ(b->fault.why, "a private copy of a page");
	EXPECT(b->fault.limited);
	EXPECT_EQ(ld8(b, child, AT + 9 * PAGE_BYTES), 9);
	expect_sound(b, mm);
	expect_sound(b, child);
	drop(b, child);
	EXPECT_EQ(limited_to(b, group).used, 0);
	EXPECT_EQ(st8(b, mm, AT + 9 * PAGE_BYTES, 1), 0);
	drop(b, mm);
}

TEST(mm_huge, copy_of_a_page_of_a_shared_block_is_charged_alone)
{
	on_both(limit_copy_body);
}

/* An object's block: made where it fits, and given back by halves. */
static void limit_object_body(struct bed *b)
{
	struct mm *mm = space(b);
	struct object *object = file(b, 2 * PAGES);
	struct mm_map what = file_at(object, AT, PAGES, 0, true);
	uint32_t group;

	what.flags = VMA_HUGE;
	mapped(b, mm, what);
	mapped(b, mm, file_at(object, AT + PT_LEAF_SPAN, PAGES, PAGES, true));
	EXPECT_EQ(object_commit(&b->ctx, object, PAGES * PAGE_BYTES, PAGE_BYTES), 0);
	EXPECT_EQ(ld8(b, mm, AT + PT_LEAF_SPAN), 0); /* with its nodes */
	SETUP(group_create(&b->ctx, PAGES, &group) == 0);
	owner_set_group(&b->process, group);
	EXPECT_EQ(st8(b, mm, AT + PAGE_BYTES, 1), 0);
	EXPECT(!is_huge(b, mm, AT)); /* there is room for the block or for its entry's node, not for both */
	EXPECT_EQ(object_pages(&b->ctx, object), 2);
	EXPECT_EQ(limited_to(b, group).used, 2);
	unmapped(b, mm, AT, PAGES);
	object_resize(&b->ctx, object, 0);
	object_resize(&b->ctx, object, PAGES * PAGE_BYTES);
	ctx_drain(&b->ctx);
	EXPECT_EQ(limited_to(b, group).used, 0);
	SETUP(group_create(&b->ctx, PAGES + 1, &group) == 0);
	owner_set_group(&b->process, group);
	mapped(b, mm, what);
	EXPECT_EQ(st8(b, mm, AT + PAGE_BYTES, 1), 0);
	EXPECT(is_huge(b, mm, AT));
	EXPECT_EQ(limited_to(b, group).used, PAGES + 1);
	EXPECT_EQ(limited_to(b, group).refused, 0);
	object_resize(&b->ctx, object, PAGES / 2 * PAGE_BYTES);
	ctx_drain(&b->ctx);
	EXPECT_EQ(ld8(b, mm, AT + PAGE_BYTES), 1);
	EXPECT_EQ(limited_to(b, group).used, PAGES / 2 + 1);
	expect_sound(b, mm);
	drop(b, mm);
	file_drop(b, object);
	EXPECT_EQ(limited_to(b, group).used, 0);
}

TEST(mm_huge, block_of_a_file_is_charged_by_pages_and_given_back_by_pages)
{
	on_both(limit_object_body);
}

static void sweep_body(struct bed *b)
{
	/* A fault asks for what it could do without; each such failure leaves a page of 4 KiB. */
	for (unsigned n = 1; n <= 6; n++) {
		struct mm *mm = space(b);

		mapped(b, mm, advised(PAGES));
		bed_fail_at(b, n);
		EXPECT_EQ(st8(b, mm, AT + 9, 1), 0);
		bed_fail_at(b, NEVER);
		EXPECT_EQ(is_huge(b, mm, AT), n > 4);
		EXPECT_EQ(ld8(b, mm, AT + 9), 1);
		expect_sound(b, mm);
		drop(b, mm);
	}
}

TEST(mm_huge, fault_that_finds_no_memory_for_a_block_is_one_of_a_page)
{
	on_both(sweep_body);
}

static void parts_body(struct bed *b)
{
	struct mm *mm = space(b);
	struct object *object = committed(b, PAGES);

	mapped(b, mm, file_at(object, AT, PAGES, 0, true));
	for (unsigned i = 0; i < PAGES; i++)
		EXPECT_EQ(st8(b, mm, AT + i * PAGE_BYTES, (int)i & 127), 0);
	EXPECT(is_huge(b, mm, AT));
	EXPECT_EQ(mm_protect(&b->ctx, mm, AT + 100 * PAGE_BYTES, PAGE_BYTES, PROT_R), 0);
	EXPECT(!is_huge(b, mm, AT));
	expect_fault(b, mm, AT + 100 * PAGE_BYTES, ACCESS_WRITE, SIGSEGV, SEGV_ACCERR);
	EXPECT_EQ(st8(b, mm, AT + 99 * PAGE_BYTES, 99), 0);
	EXPECT_EQ(ld8(b, mm, AT + 100 * PAGE_BYTES), 100);
	expect_sound(b, mm);
	EXPECT_EQ(mm_protect(&b->ctx, mm, AT, PT_LEAF_SPAN, PROT_R), 0);
	EXPECT(mm_huge_merge(&b->ctx, ranges_find(&mm->vmas, AT), AT, AT + PT_LEAF_SPAN));
	EXPECT(is_huge(b, mm, AT));
	EXPECT_EQ(mm_protect(&b->ctx, mm, AT, PT_LEAF_SPAN, RW), 0);
	EXPECT(is_huge(b, mm, AT));
	EXPECT_EQ(st8(b, mm, AT + 511 * PAGE_BYTES, 1), 0);
	expect_sound(b, mm);
	unmapped(b, mm, AT + 7 * PAGE_BYTES, 1);
	EXPECT(!is_huge(b, mm, AT));
	expect_fault(b, mm, AT + 7 * PAGE_BYTES, ACCESS_READ, SIGSEGV, SEGV_MAPERR);
	EXPECT_EQ(ld8(b, mm, AT + 8 * PAGE_BYTES), 8);
	expect_sound(b, mm);
	drop(b, mm);
	file_drop(b, object);
}

TEST(mm_huge, is_split_by_a_change_of_a_part_and_merged_when_all_agree_again)
{
	on_both(parts_body);
}

static void truncate_body(struct bed *b)
{
	struct mm *mm = space(b), *other = space(b);
	struct object *object = committed(b, 2 * PAGES);
	uint64_t free_before;

	mapped(b, mm, file_at(object, AT, 2 * PAGES, 0, true));
	mapped(b, other, file_at(object, AT, 2 * PAGES, 0, false));
	for (unsigned i = 0; i < 2 * PAGES; i += 64) {
		EXPECT_EQ(st8(b, mm, AT + i * PAGE_BYTES, 1), 0);
		EXPECT_EQ(ld8(b, other, AT + i * PAGE_BYTES), 1);
	}
	EXPECT(is_huge(b, mm, AT) && is_huge(b, other, AT));
	free_before = phys_free_frames(&b->ctx);
	bed_fail_at(b, 1);
	object_resize(&b->ctx, object, 100 * PAGE_BYTES);
	EXPECT_EQ(b->asked, 0);
	bed_fail_at(b, NEVER);
	/* The first block was split into nodes in reserve; those of the second one came back. */
	EXPECT_EQ(phys_free_frames(&b->ctx), free_before + 2 * PAGES - 100 + 2);
	expect_sound(b, mm);
	expect_sound(b, other);
	EXPECT_EQ(ld8(b, mm, AT + 64 * PAGE_BYTES), 1);
	expect_fault(b, mm, AT + 100 * PAGE_BYTES, ACCESS_READ, SIGBUS, BUS_ADRERR);
	expect_fault(b, other, AT + PT_LEAF_SPAN, ACCESS_READ, SIGBUS, BUS_ADRERR);
	object_resize(&b->ctx, object, 2 * PT_LEAF_SPAN);
	EXPECT_EQ(ld8(b, other, AT + 128 * PAGE_BYTES), 0);
	drop(b, other);
	drop(b, mm);
	file_drop(b, object);
}

TEST(mm_huge, truncation_takes_whole_blocks_and_parts_from_all_mappings)
{
	on_both(truncate_body);
}

static void private_body(struct bed *b)
{
	struct mm *mm = space(b);
	struct object *object = committed(b, PAGES);

	file_set(b, object, 3 * PAGE_BYTES, 3);
	mapped(b, mm, file_at(object, AT, PAGES, 0, false));
	EXPECT_EQ(ld8(b, mm, AT + 3 * PAGE_BYTES), 3);
	EXPECT(is_huge(b, mm, AT));
	EXPECT_EQ(st8(b, mm, AT + 3 * PAGE_BYTES + 1, 4), 0);
	EXPECT(!is_huge(b, mm, AT));
	EXPECT_EQ(ld8(b, mm, AT + 3 * PAGE_BYTES), 3);
	EXPECT_EQ(file_byte(b, object, 3 * PAGE_BYTES + 1), 0);
	expect_sound(b, mm);
	drop(b, mm);
	file_drop(b, object);
}

TEST(mm_huge, private_mapping_of_a_file_copies_4_kib)
{
	on_both(private_body);
}

static void fork_body(struct bed *b)
{
	struct mm *mm = space(b), *child;
	uint64_t free_before;
	pfn_t head;

	mapped(b, mm, advised(PAGES));
	for (unsigned i = 0; i < PAGES; i++)
		EXPECT_EQ(st8(b, mm, AT + i * PAGE_BYTES, (int)i & 127), 0);
	head = frame_at(b, mm, AT);
	free_before = phys_free_frames(&b->ctx);
	child = forked(b, mm);
	EXPECT_EQ(free_before - phys_free_frames(&b->ctx), 4);
	EXPECT(is_huge(b, mm, AT) && is_huge(b, child, AT));
	EXPECT_EQ(frame_at(b, child, AT).n, head.n);
	expect_sound(b, mm);
	expect_sound(b, child);
	EXPECT_EQ(st8(b, child, AT + 9 * PAGE_BYTES, 100), 0);
	EXPECT(!is_huge(b, child, AT) && is_huge(b, mm, AT));
	EXPECT_EQ(ld8(b, mm, AT + 9 * PAGE_BYTES), 9);
	expect_sound(b, mm);
	expect_sound(b, child);
	drop(b, child);
	/* Alone again: in place, by the whole. */
	EXPECT_EQ(st8(b, mm, AT + 10 * PAGE_BYTES, 11), 0);
	EXPECT(is_huge(b, mm, AT));
	EXPECT_EQ(frame_at(b, mm, AT).n, head.n);
	child = forked(b, mm);
	unmapped(b, mm, AT, PAGES);
	EXPECT_EQ(ld8(b, child, AT + 10 * PAGE_BYTES), 11);
	EXPECT_EQ(st8(b, child, AT, 1), 0);
	EXPECT(is_huge(b, child, AT));
	expect_sound(b, child);
	drop(b, child);
	drop(b, mm);
}

TEST(mm_huge, fork_shares_blocks_until_one_side_writes)
{
	on_both(fork_body);
}

static void copies_body(struct bed *b)
{
	struct mm *mm = space(b);
	struct mm_region region;
	struct frame_run runs[4];
	struct frame_runs found = { .run = runs, .room = 4 };
	struct object *none;
	char text[3 * PAGE_BYTES];

	mapped(b, mm, advised(PAGES));
	memset(text, 'x', sizeof(text));
	b->ctx.mm = mm;
	EXPECT_EQ(mm_user_ops.copy(&b->ctx, AT + 100, text, sizeof(text), true), sizeof(text));
	memset(text, 0, sizeof(text));
	EXPECT_EQ(mm_user_ops.copy(&b->ctx, AT + 100, text, sizeof(text), false), sizeof(text));
	EXPECT(text[0] == 'x' && text[sizeof(text) - 1] == 'x');
	b->ctx.mm = NULL;
	EXPECT(is_huge(b, mm, AT));
	EXPECT(mm_region_runs(&b->ctx, mm, AT, &region, &found, &none));
	EXPECT(found.n == 1 && runs[0].npages == PAGES && runs[0].kind == FRAME_RUN_PRIVATE);
	drop(b, mm);
}

TEST(mm_huge, kernel_copies_and_reports_see_its_pages)
{
	on_both(copies_body);
}

enum { ADVICE_HUGEPAGE = 14, ADVICE_POPULATE_WRITE = 23, ADVICE_COLLAPSE = 25 };

static void looks_body(struct bed *b)
{
	struct mm *mm = space(b);
	struct object *object = committed(b, PAGES);
	struct mm_usage usage;
	struct mm_region region;
	struct frame_look look;
	unsigned char resident[9];
	uint64_t word[2] = { 0 };

	mapped(b, mm, file_at(object, AT, PAGES, 0, true));
	mapped(b, mm, file_at(object, AT + 16 * MIB, PAGES, 0, true));
	mapped(b, mm, anon_at(AT + 32 * MIB, PAGES));
	EXPECT_EQ(mm_advise(&b->ctx, mm, AT + 32 * MIB, PT_LEAF_SPAN, ADVICE_HUGEPAGE), 0);
	for (unsigned at = 0; at <= 32; at += 16)
		EXPECT_EQ(st8(b, mm, AT + at * MIB, 1), 0);
	REQUIRE(mm_region_usage(&b->ctx, mm, AT, &region, &usage));
	EXPECT_EQ(usage.rss_shmem, PT_LEAF_SPAN);
	EXPECT_EQ(usage.shared_dirty, PT_LEAF_SPAN);
	EXPECT_EQ(usage.pss, (PT_LEAF_SPAN << MM_PSS_SHIFT) / 2);
	EXPECT(usage.shmem_huge == PT_LEAF_SPAN && usage.anon_huge == 0);
	REQUIRE(mm_region_usage(&b->ctx, mm, AT + 32 * MIB, &region, &usage));
	EXPECT(usage.private_dirty == PT_LEAF_SPAN && usage.anon_huge == PT_LEAF_SPAN);
	EXPECT_EQ(mm_residency(&b->ctx, mm, AT + 32 * MIB + 7 * PAGE_BYTES, 9, resident), 9);
	for (unsigned i = 0; i < 9; i++)
		EXPECT_EQ(resident[i], 1);
	mm_pagemap(&b->ctx, mm, AT + 7 * PAGE_BYTES, word, 2, true);
	EXPECT_EQ(word[1] - word[0], 1);
	EXPECT_EQ(word[0] & ((UINT64_C(1) << 55) - 1), frame_at(b, mm, AT).n + 7);
	EXPECT_EQ(phys_look(&b->ctx, b->env.phys, frame_at(b, mm, AT).n + 8, &look, 1), 1);
	EXPECT_EQ(look.mappers, 2);
	for (unsigned at = 0; at <= 32; at += 16)
		EXPECT(is_huge(b, mm, AT + at * MIB));
	expect_sound(b, mm);
	drop(b, mm);
	file_drop(b, object);
}

TEST(mm_huge, is_counted_page_by_page_and_not_split_by_who_looks)
{
	on_both(looks_body);
}

static void collapse_body(struct bed *b)
{
	struct mm *mm = space(b);
	struct object *object = committed(b, PAGES);
	struct mm_remap move = { .addr = AT, .to = AT + 32 * MIB + PAGE_BYTES, .fixed = true, .may_move = true };
	ksim_addr to;
	pfn_t head;

	move.old_length = move.length = PT_LEAF_SPAN;
	mapped(b, mm, file_at(object, AT, PAGES, 0, true));
	EXPECT_EQ(mm_advise(&b->ctx, mm, AT, PT_LEAF_SPAN, ADVICE_POPULATE_WRITE), 0);
	EXPECT(is_huge(b, mm, AT));
	EXPECT_EQ(mm_protect(&b->ctx, mm, AT, PAGE_BYTES, PROT_R), 0);
	EXPECT_EQ(mm_protect(&b->ctx, mm, AT, PAGE_BYTES, RW), 0);
	EXPECT(!is_huge(b, mm, AT));
	mm_populate(&b->ctx, mm, AT, AT + PT_LEAF_SPAN);
	/* A store has made the first page's entry writable as the others are. */
	EXPECT_EQ(st8(b, mm, AT, 7), 0);
	EXPECT_EQ(mm_advise(&b->ctx, mm, AT, PT_LEAF_SPAN, ADVICE_COLLAPSE), 0);
	EXPECT(is_huge(b, mm, AT));
	EXPECT_EQ(mm_advise(&b->ctx, mm, AT, PT_LEAF_SPAN, ADVICE_COLLAPSE), 0);
	expect_sound(b, mm);
	head = frame_at(b, mm, AT);
	EXPECT_EQ(mm_remap(&b->ctx, mm, &move, &to), 0);
	EXPECT(!is_huge(b, mm, AT + 32 * MIB + PAGE_BYTES));
	EXPECT_EQ(frame_at(b, mm, AT + 32 * MIB + 4 * PAGE_BYTES).n, head.n + 3);
	EXPECT_EQ(ld8(b, mm, AT + 32 * MIB + PAGE_BYTES), 7);
	expect_sound(b, mm);
	mapped(b, mm, anon_at(AT, PAGES));
	EXPECT_EQ(mm_advise(&b->ctx, mm, AT, PT_LEAF_SPAN, ADVICE_COLLAPSE), -EINVAL);
	EXPECT_EQ(st8(b, mm, AT + PAGE_BYTES, 1), 0);
	bed_fail_at(b, 1);
	EXPECT_EQ(mm_advise(&b->ctx, mm, AT, PT_LEAF_SPAN, ADVICE_COLLAPSE), -ENOMEM);
	bed_fail_at(b, NEVER);
	EXPECT(!is_huge(b, mm, AT));
	EXPECT_EQ(mm_advise(&b->ctx, mm, AT, PT_LEAF_SPAN, ADVICE_COLLAPSE), 0);
	EXPECT(is_huge(b, mm, AT));
	EXPECT_EQ(ld8(b, mm, AT + PAGE_BYTES), 1);
	EXPECT_EQ(ld8(b, mm, AT + 9 * PAGE_BYTES), 0);
	mapped(b, mm, file_at(object, AT + 64 * MIB, PAGES - 1, 1, true));
	EXPECT_EQ(mm_advise(&b->ctx, mm, AT + 64 * MIB, PAGE_BYTES, ADVICE_COLLAPSE), -EINVAL);
	expect_sound(b, mm);
	drop(b, mm);
	file_drop(b, object);
}

TEST(mm_huge, advice_collapses_what_lies_in_a_block_and_a_move_splits_it)
{
	on_both(collapse_body);
}

static void gather_body(struct bed *b)
{
	struct mm *mm = space(b), *other = space(b);
	struct object *object = file(b, 3 * PAGES);
	pfn_t held;

	mapped(b, mm, file_at(object, AT, 3 * PAGES, 0, true));
	mapped(b, other, file_at(object, AT, 3 * PAGES, 0, false));
	for (unsigned i = 0; i < 3; i++) {
		EXPECT_EQ(st8(b, mm, AT + i * PT_LEAF_SPAN + 7 * PAGE_BYTES, (uint8_t)(1 + i)), 0);
		EXPECT_EQ(ld8(b, other, AT + i * PT_LEAF_SPAN + 7 * PAGE_BYTES), 1 + i);
	}
	SETUP(object_page(&b->ctx, object, PAGES + 7, false, &held) == 0);
	bed_fail_at(b, 1);
	EXPECT_EQ(mm_advise(&b->ctx, mm, AT, 3 * PT_LEAF_SPAN, ADVICE_COLLAPSE), -ENOMEM);
	bed_fail_at(b, NEVER);
	EXPECT(frame_at(b, mm, AT + 7 * PAGE_BYTES).n != 0 && frame_at(b, other, AT + 7 * PAGE_BYTES).n != 0);
	EXPECT_EQ(mm_advise(&b->ctx, mm, AT, 3 * PT_LEAF_SPAN, ADVICE_COLLAPSE), -EAGAIN);
	EXPECT(is_huge(b, mm, AT) && !is_huge(b, mm, AT + PT_LEAF_SPAN) && is_huge(b, mm, AT + 2 * PT_LEAF_SPAN));
	EXPECT_EQ(object_pages(&b->ctx, object), 2 * PAGES + 1);
	*(char *)frame_ptr(b->env.phys, held) = 9;
	EXPECT_EQ(ld8(b, mm, AT + PT_LEAF_SPAN + 7 * PAGE_BYTES), 9);
	EXPECT_EQ(ld8(b, other, AT + PT_LEAF_SPAN + 7 * PAGE_BYTES), 9);
	expect_sound(b, mm);
	expect_sound(b, other);
	frame_put(&b->ctx, held);
	EXPECT_EQ(mm_advise(&b->ctx, other, AT, 3 * PT_LEAF_SPAN, ADVICE_COLLAPSE), 0);
	for (unsigned i = 0; i < 3; i++) {
		EXPECT(is_huge(b, other, AT + i * PT_LEAF_SPAN));
		EXPECT_EQ(ld8(b, mm, AT + i * PT_LEAF_SPAN + 7 * PAGE_BYTES), i == 1 ? 9 : 1 + i);
		EXPECT_EQ(file_byte(b, object, (i * PAGES + 7) * PAGE_BYTES), i == 1 ? 9 : 1 + i);
		EXPECT_EQ(is_huge(b, mm, AT + i * PT_LEAF_SPAN), i != 1); /* where small pages were, a node is left */
	}
	expect_sound(b, mm);
	expect_sound(b, other);
	drop(b, mm);
	drop(b, other);
	file_drop(b, object);
}

TEST(mm_huge, advice_gathers_a_files_pages_but_where_one_is_held)
{
	on_both(gather_body);
}

static void gather_limited_body(struct bed *b)
{
	struct mm *mm = space(b);
	struct object *object = file(b, PAGES);
	uint32_t group;

	SETUP(group_create(&b->ctx, PAGES + 9, &group) == 0);
	owner_set_group(&b->process, group);
	mapped(b, mm, file_at(object, AT, PAGES, 0, true));
	mapped(b, mm, anon_at(AT + PT_LEAF_SPAN, PAGES));
	for (unsigned i = 0; i < 5; i++) {
		EXPECT_EQ(st8(b, mm, AT + i * PAGE_BYTES, 1), 0);
		EXPECT_EQ(st8(b, mm, AT + PT_LEAF_SPAN + i * PAGE_BYTES, 2), 0);
	}
	EXPECT_EQ(mm_advise(&b->ctx, mm, AT, PT_LEAF_SPAN, ADVICE_COLLAPSE), -EBUSY);
	EXPECT_EQ(mm_advise(&b->ctx, mm, AT + PT_LEAF_SPAN, PT_LEAF_SPAN, ADVICE_COLLAPSE), -EBUSY);
	EXPECT_EQ(limited_to(b, group).refused, 0);
	EXPECT(ld8(b, mm, AT) == 1 && ld8(b, mm, AT + PT_LEAF_SPAN) == 2);
	unmapped(b, mm, AT + PT_LEAF_SPAN, PAGES);
	EXPECT_EQ(mm_advise(&b->ctx, mm, AT, PT_LEAF_SPAN, ADVICE_COLLAPSE), 0);
	EXPECT_EQ(limited_to(b, group).used, PAGES + 3); /* nodes, one of them in reserve */
	expect_sound(b, mm);
	drop(b, mm);
	file_drop(b, object);
	EXPECT_EQ(limited_to(b, group).used, 0);
}

TEST(mm_huge, advice_gathers_nothing_beyond_the_limit_of_a_group)
{
	on_both(gather_limited_body);
}
