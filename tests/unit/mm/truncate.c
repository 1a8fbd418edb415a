// SPDX-License-Identifier: MIT
/*
 * A file that shrinks takes its pages from every mapping in every address space.
 */
#include "bed.h"

static void resize(struct bed *b, struct object *object, uint64_t bytes)
{
	object_resize(&b->ctx, object, bytes);
}

static void all_mappers_body(struct bed *b)
{
	struct mm *a = space(b), *z = space(b);
	struct object *object = file(b, 6);
	ksim_addr second = UINT64_C(0x123456000);
	uint64_t free_before;

	mapped(b, a, file_at(object, BASE, 6, 0, true));
	mapped(b, z, file_at(object, second, 3, 2, true));
	mapped(b, z, file_at(object, BASE, 6, 0, false));
	for (unsigned i = 0; i < 6; i++) {
		EXPECT_EQ(st8(b, a, BASE + i * PAGE_BYTES, 1 + (int)i), 0);
		EXPECT_EQ(ld8(b, z, BASE + i * PAGE_BYTES), 1 + (int)i);
	}
	EXPECT_EQ(ld8(b, z, second), 3);
	free_before = phys_free_frames(&b->ctx);
	resize(b, object, 3 * PAGE_BYTES);
	EXPECT_EQ(phys_free_frames(&b->ctx), free_before + 3);
	expect_sound(b, a);
	expect_sound(b, z);
	EXPECT_EQ(ld8(b, a, BASE + 2 * PAGE_BYTES), 3);
	EXPECT_EQ(ld8(b, z, second), 3);
	expect_fault(b, a, BASE + 3 * PAGE_BYTES, ACCESS_READ, SIGBUS, BUS_ADRERR);
	expect_fault(b, z, second + PAGE_BYTES, ACCESS_WRITE, SIGBUS, BUS_ADRERR);
	expect_fault(b, z, BASE + 5 * PAGE_BYTES, ACCESS_READ, SIGBUS, BUS_ADRERR);
	resize(b, object, 6 * PAGE_BYTES);
	EXPECT_EQ(ld8(b, a, BASE + 3 * PAGE_BYTES), 0);
	EXPECT_EQ(st8(b, z, second + PAGE_BYTES, 9), 0);
	EXPECT_EQ(ld8(b, a, BASE + 3 * PAGE_BYTES), 9);
	EXPECT_EQ(ld8(b, z, BASE + 5 * PAGE_BYTES), 0);
	expect_sound(b, z);
	drop(b, a);
	drop(b, z);
	file_drop(b, object);
}

/* ftruncate(2), mmap(2) SIGBUS; SEMANTICS 53. */
TEST(mm_truncate, shrinking_takes_pages_from_all_mappings_and_growing_gives_zeros)
{
	on_both(all_mappers_body);
}

static void private_body(struct bed *b)
{
	struct mm *parent = space(b), *child;
	struct object *object = file(b, 3);

	mapped(b, parent, file_at(object, BASE, 3, 0, false));
	for (unsigned i = 0; i < 3; i++) {
		EXPECT_EQ(st8(b, parent, BASE + i * PAGE_BYTES, 1 + (int)i), 0);
		EXPECT_EQ(st8(b, parent, BASE + i * PAGE_BYTES + 3000, 1 + (int)i), 0);
	}
	child = forked(b, parent);
	EXPECT_EQ(st8(b, child, BASE + 2 * PAGE_BYTES, 30), 0);
	resize(b, object, PAGE_BYTES + 100);
	expect_sound(b, parent);
	expect_sound(b, child);
	EXPECT_EQ(ld8(b, parent, BASE + PAGE_BYTES), 2); /* contains the new end: kept, tail and all */
	EXPECT_EQ(ld8(b, parent, BASE + PAGE_BYTES + 3000), 2);
	EXPECT_EQ(ld8(b, child, BASE + PAGE_BYTES + 3000), 2);
	expect_fault(b, parent, BASE + 2 * PAGE_BYTES, ACCESS_READ, SIGBUS, BUS_ADRERR);
	expect_fault(b, child, BASE + 2 * PAGE_BYTES, ACCESS_WRITE, SIGBUS, BUS_ADRERR);
	resize(b, object, 3 * PAGE_BYTES);
	EXPECT_EQ(ld8(b, parent, BASE + 2 * PAGE_BYTES), 0);
	EXPECT_EQ(ld8(b, child, BASE + 2 * PAGE_BYTES), 0);
	expect_sound(b, child);
	drop(b, child);
	drop(b, parent);
	file_drop(b, object);
}

/* SEMANTICS 54, 55. */
TEST(mm_truncate, private_copies_beyond_the_end_go_and_the_one_that_contains_it_stays)
{
	on_both(private_body);
}

static void tail_body(struct bed *b)
{
	struct mm *mm = space(b);
	struct object *object = file(b, 1);

	resize(b, object, 10);
	mapped(b, mm, file_at(object, BASE, 2, 0, true));
	EXPECT_EQ(ld8(b, mm, BASE + 10), 0);
	EXPECT_EQ(st8(b, mm, BASE + 11, 5), 0);
	EXPECT_EQ(ld8(b, mm, BASE + 11), 5);
	expect_fault(b, mm, BASE + PAGE_BYTES, ACCESS_READ, SIGBUS, BUS_ADRERR);
	resize(b, object, 2 * PAGE_BYTES);
	EXPECT_EQ(ld8(b, mm, BASE + 11), 5); /* SEMANTICS 51 */
	EXPECT_EQ(ld8(b, mm, BASE + PAGE_BYTES), 0);
	resize(b, object, 11);
	EXPECT_EQ(ld8(b, mm, BASE + 11), 0);
	expect_sound(b, mm);
	drop(b, mm);
	file_drop(b, object);
}

/* SEMANTICS 49 to 52. */
TEST(mm_truncate, bytes_past_the_end_in_the_last_page_are_memory_until_the_file_shrinks)
{
	on_both(tail_body);
}

static void cut_mapping_body(struct bed *b)
{
	struct mm *mm = space(b);
	struct object *object = file(b, 8);

	mapped(b, mm, file_at(object, BASE, 8, 0, true));
	for (unsigned i = 0; i < 8; i++)
		EXPECT_EQ(st8(b, mm, BASE + i * PAGE_BYTES, 1), 0);
	EXPECT_EQ(mm_protect(&b->ctx, mm, BASE + 2 * PAGE_BYTES, 4 * PAGE_BYTES, PROT_R), 0);
	unmapped(b, mm, BASE + 3 * PAGE_BYTES, 1);
	resize(b, object, PAGE_BYTES);
	expect_sound(b, mm);
	for (unsigned i = 1; i < 8; i++)
		EXPECT_EQ(ld8(b, mm, BASE + i * PAGE_BYTES), i == 3 ? -SIGSEGV : -SIGBUS);
	EXPECT_EQ(ld8(b, mm, BASE), 1);
	EXPECT_EQ(object_pages(&b->ctx, object), 1);
	drop(b, mm);
	file_drop(b, object);
}

TEST(mm_truncate, every_part_of_a_mapping_that_was_cut_is_found)
{
	on_both(cut_mapping_body);
}

static void dead_space_body(struct bed *b)
{
	struct mm *mm = space(b);
	struct object *object = file(b, 2);

	mapped(b, mm, file_at(object, BASE, 2, 0, true));
	EXPECT_EQ(st8(b, mm, BASE, 1), 0);
	drop(b, mm);
	EXPECT_EQ(object->mappers.count, 0);
	resize(b, object, 0);
	file_drop(b, object);
}

TEST(mm_truncate, an_ended_address_space_is_off_the_list)
{
	on_both(dead_space_body);
}
