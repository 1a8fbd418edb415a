// SPDX-License-Identifier: MIT
/*
 * fork: private pages are shared until one side stores; shared ones stay shared.
 */
#include "bed.h"

static void cow_body(struct bed *b)
{
	struct mm *parent = space(b), *child;
	uint64_t free_before;
	struct mm_translation t;
	pfn_t page;

	mapped(b, parent, anon_at(BASE, 8)); /* across two leaf nodes */
	for (unsigned i = 0; i < 8; i++)
		EXPECT_EQ(st8(b, parent, BASE + i * PAGE_BYTES, 1 + (int)i), 0);
	page = frame_at(b, parent, BASE);
	child = forked(b, parent);
	free_before = phys_free_frames(&b->ctx);
	expect_sound(b, parent);
	expect_sound(b, child);
	EXPECT_EQ(frame_at(b, child, BASE).n, page.n);
	EXPECT_EQ(mm_translate(&b->ctx, child, BASE, &t), 0);
	EXPECT_EQ(t.mappers, 2);
	EXPECT_EQ(t.refs, 2);
	EXPECT(!(t.flags & PTE_WRITE));
	for (unsigned i = 0; i < 8; i++)
		EXPECT_EQ(ld8(b, child, BASE + i * PAGE_BYTES), 1 + (int)i);
	EXPECT_EQ(phys_free_frames(&b->ctx), free_before);
	EXPECT_EQ(st8(b, parent, BASE, 100), 0);
	EXPECT_EQ(phys_free_frames(&b->ctx), free_before - 1);
	EXPECT_EQ(ld8(b, child, BASE), 1);
	EXPECT_EQ(st8(b, child, BASE, 101), 0); /* its alone now */
	EXPECT_EQ(phys_free_frames(&b->ctx), free_before - 1);
	EXPECT_EQ(frame_at(b, child, BASE).n, page.n);
	EXPECT_EQ(ld8(b, parent, BASE), 100);
	EXPECT_EQ(st8(b, child, BASE + 7 * PAGE_BYTES, 102), 0);
	EXPECT_EQ(ld8(b, parent, BASE + 7 * PAGE_BYTES), 8);
	expect_sound(b, parent);
	expect_sound(b, child);
	drop(b, parent);
	EXPECT_EQ(ld8(b, child, BASE + PAGE_BYTES), 2);
	EXPECT_EQ(st8(b, child, BASE + PAGE_BYTES, 103), 0);
	expect_sound(b, child);
	drop(b, child);
}

/* fork(2): "memory writes ... performed by one of the processes do not affect the other". */
TEST(mm_fork, private_pages_are_copied_when_first_stored_and_reused_by_the_last)
{
	on_both(cow_body);
}

static void back_alone_body(struct bed *b)
{
	struct mm *parent = space(b), *child;
	uint64_t free_before;
	pfn_t page;

	mapped(b, parent, anon_at(BASE, 1));
	EXPECT_EQ(st8(b, parent, BASE, 1), 0);
	page = frame_at(b, parent, BASE);
	free_before = phys_free_frames(&b->ctx);
	child = forked(b, parent);
	drop(b, child);
	EXPECT_EQ(phys_free_frames(&b->ctx), free_before);
	EXPECT_EQ(st8(b, parent, BASE, 2), 0);
	EXPECT_EQ(frame_at(b, parent, BASE).n, page.n);
	EXPECT_EQ(phys_free_frames(&b->ctx), free_before);
	drop(b, parent);
}

TEST(mm_fork, a_page_is_reused_in_place_when_the_child_has_gone)
{
	on_both(back_alone_body);
}

static void shared_body(struct bed *b)
{
	struct mm *parent = space(b), *child;
	struct object *object = file(b, 2);
	struct mm_map what = file_at(object, BASE, 2, 0, true);

	what.backing = &b->file.backing;
	mapped(b, parent, what);
	EXPECT_EQ(st8(b, parent, BASE, 1), 0);
	child = forked(b, parent);
	EXPECT_EQ(b->file.refs, 2);
	EXPECT_EQ(frame_at(b, child, BASE).n, 0); /* found by a fault */
	EXPECT_EQ(ld8(b, child, BASE), 1);
	EXPECT_EQ(frame_at(b, child, BASE).n, frame_at(b, parent, BASE).n);
	EXPECT_EQ(st8(b, child, BASE + PAGE_BYTES, 2), 0);
	EXPECT_EQ(ld8(b, parent, BASE + PAGE_BYTES), 2);
	expect_sound(b, child);
	drop(b, parent);
	EXPECT_EQ(st8(b, child, BASE, 3), 0);
	EXPECT_EQ(file_byte(b, object, 0), 3);
	drop(b, child);
	file_drop(b, object);
}

TEST(mm_fork, shared_memory_stays_shared)
{
	on_both(shared_body);
}

static void zero_body(struct bed *b)
{
	struct mm *parent = space(b), *child;

	mapped(b, parent, anon_at(BASE, 2));
	EXPECT_EQ(ld8(b, parent, BASE), 0);
	child = forked(b, parent);
	EXPECT_EQ(frame_refs(b->env.phys, (pfn_t){ b->env.zero_pfn }), 3);
	EXPECT_EQ(st8(b, child, BASE, 1), 0);
	EXPECT_EQ(st8(b, parent, BASE + PAGE_BYTES, 2), 0);
	EXPECT_EQ(ld8(b, parent, BASE), 0);
	EXPECT_EQ(ld8(b, child, BASE + PAGE_BYTES), 0);
	drop(b, parent);
	EXPECT_EQ(st8(b, child, BASE + PAGE_BYTES, 3), 0);
	EXPECT_EQ(frame_refs(b->env.phys, (pfn_t){ b->env.zero_pfn }), 1);
	expect_sound(b, child);
	drop(b, child);
}

TEST(mm_fork, the_frame_of_zeros_is_never_stored_to)
{
	on_both(zero_body);
}

static void private_file_body(struct bed *b)
{
	struct mm *parent = space(b), *child, *grandchild;
	struct object *object = file(b, 3);

	file_set(b, object, 0, 1);
	file_set(b, object, PAGE_BYTES, 2);
	mapped(b, parent, file_at(object, BASE, 3, 0, false));
	EXPECT_EQ(ld8(b, parent, BASE), 1);
	EXPECT_EQ(st8(b, parent, BASE + PAGE_BYTES, 20), 0);
	child = forked(b, parent);
	EXPECT_EQ(ld8(b, child, BASE + PAGE_BYTES), 20);
	file_set(b, object, 0, 11);
	EXPECT_EQ(ld8(b, child, BASE), 11);
	EXPECT_EQ(st8(b, child, BASE + PAGE_BYTES, 21), 0);
	grandchild = forked(b, child);
	EXPECT_EQ(st8(b, grandchild, BASE + PAGE_BYTES, 22), 0);
	EXPECT_EQ(ld8(b, parent, BASE + PAGE_BYTES), 20);
	EXPECT_EQ(ld8(b, child, BASE + PAGE_BYTES), 21);
	EXPECT_EQ(file_byte(b, object, PAGE_BYTES), 2);
	expect_sound(b, grandchild);
	drop(b, child);
	drop(b, grandchild);
	drop(b, parent);
	file_drop(b, object);
}

TEST(mm_fork, private_copies_of_file_pages_are_inherited)
{
	on_both(private_file_body);
}

static void many_body(struct bed *b)
{
	enum { CHILDREN = 6 };
	struct mm *mm[CHILDREN + 1] = { space(b) };
	uint64_t free_before;

	mapped(b, mm[0], anon_at(BASE, 1));
	EXPECT_EQ(st8(b, mm[0], BASE, 1), 0);
	for (int i = 1; i <= CHILDREN; i++)
		mm[i] = forked(b, mm[(i - 1) / 2]);
	free_before = phys_free_frames(&b->ctx);
	EXPECT_EQ(frame_refs(b->env.phys, frame_at(b, mm[3], BASE)), CHILDREN + 1);
	for (int i = 0; i <= CHILDREN; i++)
		EXPECT_EQ(st8(b, mm[i], BASE, 10 + i), 0);
	EXPECT_EQ(phys_free_frames(&b->ctx), free_before - CHILDREN);
	for (int i = 0; i <= CHILDREN; i++) {
		EXPECT_EQ(ld8(b, mm[i], BASE), 10 + i);
		expect_sound(b, mm[i]);
		drop(b, mm[i]);
	}
}

TEST(mm_fork, a_family_of_n_needs_n_copies_at_most)
{
	on_both(many_body);
}

static void account_body(struct bed *b)
{
	struct mm *parent = space(b), *child;

	mapped(b, parent, anon_at(BASE, 2));
	EXPECT_EQ(st8(b, parent, BASE, 1), 0);
	b->ctx.owner = &b->other;
	child = forked(b, parent);
	EXPECT_EQ(b->other.count[CENSUS_MM], 1);
	EXPECT_EQ(b->other.count[CENSUS_VMA], 1);
	EXPECT_EQ(owner_count(&b->other, CENSUS_FRAME), owner_count(&b->other, CENSUS_TABLE));
	EXPECT_EQ(st8(b, child, BASE, 1), 0);
	EXPECT_EQ(owner_count(&b->other, CENSUS_FRAME), owner_count(&b->other, CENSUS_TABLE) + 1);
	drop(b, child);
	EXPECT_EQ(owner_count(&b->other, CENSUS_FRAME), 0);
	b->ctx.owner = &b->process;
	drop(b, parent);
}

TEST(mm_fork, what_the_child_has_is_on_its_account)
{
	on_both(account_body);
}
