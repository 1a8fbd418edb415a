// SPDX-License-Identifier: MIT
/*
 * What Linux promises of mremap: growth, shrinking, moves with their pages, duplicates, and every errno of its manual
 * page. SEMANTICS.md 73-76; mremap(2).
 */
#include "abi.h"

#include <stdint.h>

enum { RW = PROT_READ | PROT_WRITE, MOVE = MREMAP_MAYMOVE, FIXED = MREMAP_MAYMOVE | MREMAP_FIXED };

/* Of an older <sys/mman.h>. */
enum { KEEP = MREMAP_MAYMOVE | 4 };

/* So many pages of private memory in the middle of nothing: `around` free pages on both sides of it. */
static addr_t lonely(int npages, int around, int prot)
{
	addr_t map = map_anonymous(npages + 2 * around, prot, MAP_PRIVATE);

	unmap(map, around);
	unmap(map + (addr_t)(around + npages) * PAGE, around);
	return map + (addr_t)around * PAGE;
}

static addr_t at(addr_t map, int page)
{
	return map + (addr_t)page * PAGE;
}

static void mark(addr_t map, int npages, int first)
{
	for (int i = 0; i < npages; i++)
		st8(at(map, i), (uint8_t)(first + i));
}

static bool marked(addr_t map, int npages, int first)
{
	for (int i = 0; i < npages; i++)
		if (ld8(at(map, i)) != (uint8_t)(first + i))
			return false;
	return true;
}

#define EXPECT_NOTHING_AT(where) EXPECT_LOAD_FAULTS(where, SIGSEGV, SEGV_MAPERR)

/* Growth and shrinking in place. */

TEST(mremap, grows_in_place_where_there_is_room)
{
	/* mremap(2): without MREMAP_MAYMOVE, too. The new part is zero. */
	addr_t map = lonely(2, 4, RW);

	mark(map, 2, 1);
	EXPECT_EQ(x_mremap(map, 2 * PAGE, 5 * PAGE, 0, 0), map);
	EXPECT(marked(map, 2, 1));
	EXPECT_EQ(ld8(at(map, 2)), 0);
	st8(at(map, 4), 5);
	EXPECT_EQ(ld8(at(map, 4)), 5);
	EXPECT_NOTHING_AT(at(map, 5));
	unmap(map, 5);
}

TEST(mremap, shrinks_in_place)
{
	/* mremap(2): the pages at the end are unmapped. */
	addr_t map = lonely(4, 1, RW);

	mark(map, 4, 1);
	EXPECT_EQ(x_mremap(map, 4 * PAGE, 2 * PAGE, 0, 0), map);
	EXPECT(marked(map, 2, 1));
	EXPECT_NOTHING_AT(at(map, 2));
	EXPECT_NOTHING_AT(at(map, 3));
	unmap(map, 2);
}

TEST(mremap, shrinking_cuts_a_piece_out_of_a_mapping)
{
	/* mremap(2): old_address need not be the start, nor old_size reach the end. */
	addr_t map = lonely(6, 1, RW);

	mark(map, 6, 1);
	EXPECT_EQ(x_mremap(at(map, 1), 3 * PAGE, PAGE, 0, 0), at(map, 1));
	EXPECT(marked(map, 2, 1));
	EXPECT_NOTHING_AT(at(map, 2));
	EXPECT_NOTHING_AT(at(map, 3));
	EXPECT(marked(at(map, 4), 2, 5));
	unmap(map, 6);
}

TEST(mremap, shrinking_over_holes_and_other_mappings_unmaps_them)
{
	/* It is munmap of the rest: only the first page is asked for. */
	addr_t map = lonely(6, 1, RW);

	unmap(at(map, 2), 1);
	SETUP(x_mprotect(at(map, 3), PAGE, PROT_READ) == 0);
	EXPECT_EQ(x_mremap(map, 5 * PAGE, PAGE, 0, 0), map);
	st8(map, 1);
	for (int i = 1; i < 5; i++)
		EXPECT_NOTHING_AT(at(map, i));
	st8(at(map, 5), 1);
	unmap(map, 6);
}

TEST(mremap, to_the_same_size_changes_nothing)
{
	/* mremap(2); not even the end of the range is looked at. */
	addr_t map = lonely(2, 1, RW);

	mark(map, 2, 1);
	EXPECT_EQ(x_mremap(map, 2 * PAGE, 2 * PAGE, 0, 0), map);
	EXPECT_EQ(x_mremap(map, 9 * PAGE, 9 * PAGE, MOVE, 0), map);
	EXPECT_EQ(x_mremap(map, PAGE + 1, 2 * PAGE, 0, 0), map);
	EXPECT(marked(map, 2, 1));
	unmap(map, 2);
}

TEST(mremap, sizes_are_rounded_up_to_pages)
{
	/* mremap(2). */
	addr_t map = lonely(1, 2, RW);

	EXPECT_EQ(x_mremap(map, 1, PAGE + 1, 0, 0), map);
	st8(map + 2 * PAGE - 1, 1);
	EXPECT_EQ(x_mremap(map, 2 * PAGE, 1, 0, 0), map);
	EXPECT_NOTHING_AT(at(map, 1));
	unmap(map, 1);
}

TEST(mremap, without_room_or_leave_to_move_fails_ENOMEM)
{
	/* mremap(2): the memory area cannot be expanded at the current address, and MREMAP_MAYMOVE is not set. */
	addr_t map = lonely(3, 1, RW);

	SETUP(x_mprotect(at(map, 1), 2 * PAGE, PROT_READ) == 0);
	st8(map, 1);
	EXPECT_EQ(x_mremap(map, PAGE, 2 * PAGE, 0, 0), NO_MAPPING);
	EXPECT_EQ(errno, ENOMEM);
	EXPECT_EQ(ld8(map), 1);
	unmap(map, 3);
}

TEST(mremap, of_less_than_the_whole_mapping_cannot_grow_in_place)
{
	/* mm/mremap.c: only what ends where the mapping ends. */
	addr_t map = lonely(3, 3, RW);

	EXPECT_EQ(x_mremap(map, PAGE, 2 * PAGE, 0, 0), NO_MAPPING);
	EXPECT_EQ(errno, ENOMEM);
	EXPECT_EQ(x_mremap(at(map, 1), 2 * PAGE, 3 * PAGE, 0, 0), at(map, 1));
	st8(at(map, 3), 1);
	unmap(map, 4);
}

/* Moves. */

TEST(mremap, moves_with_the_pages_where_there_is_no_room)
{
	/* mremap(2): MREMAP_MAYMOVE. */
	addr_t map = lonely(3, 1, RW), moved;

	mark(map, 3, 1);
	SETUP(x_mprotect(at(map, 2), PAGE, PROT_READ) == 0);
	moved = x_mremap(map, 2 * PAGE, 4 * PAGE, MOVE, 0);
	SETUP(moved != NO_MAPPING);
	EXPECT(moved != map);
	EXPECT_EQ(moved % PAGE, 0);
	EXPECT(marked(moved, 2, 1));
	EXPECT_EQ(ld8(at(moved, 2)), 0);
	EXPECT_EQ(ld8(at(moved, 3)), 0);
	st8(at(moved, 3), 9);
	EXPECT_NOTHING_AT(map);
	EXPECT_NOTHING_AT(at(map, 1));
	EXPECT_EQ(ld8(at(map, 2)), 3);
	unmap(moved, 4);
	unmap(map, 3);
}

TEST(mremap, moves_the_middle_of_a_mapping)
{
	/* The rest stays, in two. */
	addr_t map = lonely(5, 1, RW), to = lonely(3, 1, RW);

	mark(map, 5, 1);
	unmap(to, 3);
	EXPECT_EQ(x_mremap(at(map, 1), 2 * PAGE, 2 * PAGE, FIXED, to), to);
	EXPECT(marked(to, 2, 2));
	EXPECT(marked(map, 1, 1));
	EXPECT_NOTHING_AT(at(map, 1));
	EXPECT_NOTHING_AT(at(map, 2));
	EXPECT(marked(at(map, 3), 2, 4));
	unmap(to, 2);
	unmap(map, 5);
}

TEST(mremap, fixed_replaces_what_is_at_the_destination)
{
	/* mremap(2): MREMAP_FIXED, as MAP_FIXED; its neighbours stay. */
	addr_t map = lonely(2, 1, RW), to = lonely(4, 1, RW);

	mark(map, 2, 1);
	mark(to, 4, 50);
	EXPECT_EQ(x_mremap(map, 2 * PAGE, 2 * PAGE, FIXED, at(to, 1)), at(to, 1));
	EXPECT_EQ(ld8(to), 50);
	EXPECT(marked(at(to, 1), 2, 1));
	EXPECT_EQ(ld8(at(to, 3)), 53);
	EXPECT_NOTHING_AT(map);
	unmap(to, 4);
}

TEST(mremap, fixed_grows_and_shrinks_on_the_way)
{
	/* mremap(2). */
	addr_t map = lonely(3, 1, RW), to = lonely(5, 1, RW);

	mark(map, 3, 1);
	EXPECT_EQ(x_mremap(map, 3 * PAGE, 2 * PAGE, FIXED, to), to);
	EXPECT(marked(to, 2, 1));
	EXPECT_EQ(ld8(at(to, 2)), 0);
	EXPECT_NOTHING_AT(at(map, 2));
	EXPECT_EQ(x_mremap(to, 2 * PAGE, 3 * PAGE, FIXED, map), map);
	EXPECT(marked(map, 2, 1));
	EXPECT_EQ(ld8(at(map, 2)), 0);
	EXPECT_NOTHING_AT(to);
	unmap(map, 3);
	unmap(to, 5);
}

TEST(mremap, moves_a_shared_mapping_of_a_file)
{
	/* mremap(2): it maps the same pages, and the file still sees the writes. */
	int fd = memfd(4);
	addr_t map = x_mmap(0, 2 * PAGE, RW, MAP_SHARED, fd, PAGE), to = lonely(3, 1, RW);

	SETUP(map != NO_MAPPING);
	mark(map, 2, 1);
	EXPECT_EQ(x_mremap(map, 2 * PAGE, 3 * PAGE, FIXED, to), to);
	EXPECT(marked(to, 2, 1));
	st8(at(to, 2), 3);
	for (int i = 1; i < 4; i++)
		EXPECT_EQ(byte_at(fd, (off_t)i * PAGE), i);
	EXPECT_NOTHING_AT(map);
	EXPECT_EQ(x_pwrite(fd, "x", 1, PAGE), 1);
	EXPECT_EQ(ld8(to), 'x');
	unmap(to, 3);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(mremap, moves_private_copies_of_a_file_with_their_mapping)
{
	/* Copied pages move, others still show the file. */
	int fd = memfd(3);
	addr_t map = map_private(fd, 3, RW), to = lonely(3, 1, RW);

	EXPECT_EQ(ld8(map), 0);
	st8(at(map, 1), 'c');
	EXPECT_EQ(x_mremap(map, 3 * PAGE, 3 * PAGE, FIXED, to), to);
	EXPECT_EQ(x_pwrite(fd, "f", 1, 0), 1);
	EXPECT_EQ(x_pwrite(fd, "f", 1, PAGE), 1);
	EXPECT_EQ(x_pwrite(fd, "f", 1, 2 * PAGE), 1);
	EXPECT_EQ(ld8(to), 'f');
	EXPECT_EQ(ld8(at(to, 1)), 'c');
	EXPECT_EQ(ld8(at(to, 2)), 'f');
	unmap(to, 3);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(mremap, truncation_finds_the_pages_of_a_moved_mapping)
{
	/* 53: every mapping of the file, wherever it has gone. */
	int fd = memfd(2);
	addr_t map = map_shared(fd, 2, RW), to = lonely(2, 1, RW);

	mark(map, 2, 1);
	EXPECT_EQ(x_mremap(map, 2 * PAGE, 2 * PAGE, FIXED, to), to);
	EXPECT_EQ(x_ftruncate(fd, PAGE), 0);
	EXPECT_EQ(ld8(to), 1);
	EXPECT_LOAD_FAULTS(at(to, 1), SIGBUS, BUS_ADRERR);
	EXPECT_EQ(x_ftruncate(fd, 2 * PAGE), 0);
	EXPECT_EQ(ld8(at(to, 1)), 0);
	unmap(to, 2);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(mremap, keeps_the_protection)
{
	/* And what mprotect may still allow. */
	int fd = memfd(1), readonly = reopen(fd, O_RDONLY);
	addr_t map = map_shared(readonly, 1, PROT_READ), to = lonely(1, 1, RW);

	EXPECT_EQ(x_mremap(map, PAGE, PAGE, FIXED, to), to);
	EXPECT_STORE_FAULTS(to, SIGSEGV, SEGV_ACCERR);
	EXPECT_FAILS(x_mprotect(to, PAGE, RW), EACCES);
	unmap(to, 1);
	EXPECT_EQ(x_close(readonly), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(mremap, moves_copy_on_write_pages_that_a_child_shares)
{
	/* fork(2): neither sees what the other writes afterwards. */
	addr_t map = lonely(2, 1, RW), to = lonely(2, 1, RW);
	int fd = memfd(1);
	addr_t link = map_shared(fd, 1, RW);

	(void)link;
	mark(map, 2, 1);
	SETUP(x_mremap(map, 2 * PAGE, 2 * PAGE, FIXED, to) == to);
	st8(to, 7);
	EXPECT(ld8(to) == 7 && ld8(at(to, 1)) == 2);
	unmap(to, 2);
	unmap(link, 1);
	EXPECT_EQ(x_close(fd), 0);
}

static int child_moves(void *arg)
{
	const addr_t *map = arg;

	CHILD_EXPECT(x_mremap(map[0], 2 * PAGE, 2 * PAGE, FIXED, map[1]) == map[1]);
	CHILD_EXPECT(marked(map[1], 2, 1));
	st8(map[1], 99);
	CHILD_EXPECT(ld8(map[1]) == 99);
	CHILD_EXPECT(probe_ld8(map[0], NULL).code == SEGV_MAPERR);
	return 0;
}

TEST(mremap, in_a_child_leaves_the_parents_memory)
{
	/* fork(2): pages are shared until written, also when they have moved in between. */
	addr_t map[2] = { lonely(2, 1, RW), lonely(2, 1, RW) };

	mark(map[0], 2, 1);
	mark(map[1], 2, 30);
	EXPECT_EQ(in_child(child_moves, map), 0);
	EXPECT(marked(map[0], 2, 1));
	EXPECT(marked(map[1], 2, 30));
	st8(map[0], 5);
	EXPECT_EQ(ld8(map[0]), 5);
	unmap(map[0], 2);
	unmap(map[1], 2);
}

TEST(mremap, moves_many_pages)
{
	/* Across the pages of a page table, to where they lie otherwise. */
	enum { MANY = 1500 };
	addr_t map = map_anonymous(MANY, RW, MAP_PRIVATE), to = map_anonymous(MANY + 7, RW, MAP_PRIVATE);

	mark(map, MANY, 3);
	EXPECT_EQ(x_mremap(map, MANY * PAGE, MANY * PAGE, FIXED, at(to, 7)), at(to, 7));
	EXPECT(marked(at(to, 7), MANY, 3));
	EXPECT_NOTHING_AT(map);
	EXPECT_NOTHING_AT(at(map, MANY - 1));
	unmap(to, MANY + 7);
}

TEST(mremap, fixed_moves_several_mappings_and_the_gaps_between)
{
	/* Since 6.17, if the size stays: mm/mremap.c, remap_move. Before: EFAULT. */
	addr_t map = lonely(5, 1, RW), to = lonely(5, 1, RW);

	mark(map, 5, 1);
	SETUP(x_mprotect(at(map, 1), PAGE, PROT_READ) == 0);
	unmap(at(map, 3), 1);
	if (linux_release() < 6017) {
		EXPECT_EQ(x_mremap(map, 5 * PAGE, 5 * PAGE, FIXED, to), NO_MAPPING);
		EXPECT_EQ(errno, EFAULT);
	} else {
		EXPECT_EQ(x_mremap(map, 5 * PAGE, 5 * PAGE, FIXED, to), to);
		EXPECT(marked(to, 3, 1));
		EXPECT_STORE_FAULTS(at(to, 1), SIGSEGV, SEGV_ACCERR);
		EXPECT_EQ(ld8(at(to, 4)), 5);
		EXPECT_NOTHING_AT(map);
		EXPECT_NOTHING_AT(at(map, 4));
	}
	unmap(map, 5);
	unmap(to, 5);
}

TEST(mremap, fixed_across_a_gap_leaves_what_is_mapped_at_the_gaps_destination)
{
	/* Mapping by mapping: each clears its own destination only. */
	addr_t map = lonely(3, 1, RW), to = lonely(3, 1, RW);

	if (linux_release() < 6017)
		SKIP("one mapping at a time");
	mark(map, 3, 1);
	mark(to, 3, 30);
	unmap(at(map, 1), 1);
	EXPECT_EQ(x_mremap(map, 3 * PAGE, 3 * PAGE, FIXED, to), to);
	EXPECT_EQ(ld8(to), 1);
	EXPECT_EQ(ld8(at(to, 1)), 31);
	EXPECT_EQ(ld8(at(to, 2)), 3);
	unmap(to, 3);
}

TEST(mremap, fixed_of_several_mappings_cannot_begin_in_a_hole)
{
	/* mm/mremap.c: no gap permitted at the start of the range. */
	addr_t map = lonely(3, 1, RW), to = lonely(3, 1, RW);

	mark(map, 3, 1);
	unmap(map, 1);
	EXPECT_EQ(x_mremap(map, 3 * PAGE, 3 * PAGE, FIXED, to), NO_MAPPING);
	EXPECT_EQ(errno, EFAULT);
	EXPECT(marked(at(map, 1), 2, 2));
	st8(to, 1);
	unmap(map, 3);
	unmap(to, 3);
}

TEST(mremap, fixed_shrinking_looks_only_at_what_is_left)
{
	/* mm/mremap.c: of what is to be unmapped, nothing is asked. */
	addr_t map = lonely(5, 1, RW), to = lonely(3, 1, RW);

	mark(map, 5, 1);
	mark(to, 3, 30);
	SETUP(x_mprotect(at(map, 1), PAGE, PROT_READ) == 0);
	EXPECT_EQ(x_mremap(map, 4 * PAGE, 2 * PAGE, FIXED, to), NO_MAPPING);
	EXPECT_EQ(errno, EFAULT);
	EXPECT(marked(map, 5, 1));
	EXPECT(marked(to, 3, 30));
	EXPECT_EQ(x_mremap(map, 4 * PAGE, PAGE, FIXED, to), to);
	EXPECT_EQ(ld8(to), 1);
	EXPECT_EQ(ld8(at(to, 1)), 31);
	for (int i = 0; i < 4; i++)
		EXPECT_NOTHING_AT(at(map, i));
	EXPECT_EQ(ld8(at(map, 4)), 5);
	unmap(map, 5);
	unmap(to, 3);
}

/* DONTUNMAP: 75. */

TEST(mremap, dontunmap_leaves_the_old_range_mapped_and_empty)
{
	/* mremap(2): MREMAP_DONTUNMAP. */
	addr_t map = lonely(2, 1, RW), to;

	NEEDS_RELEASE(5007, "MREMAP_DONTUNMAP");
	mark(map, 2, 1);
	to = x_mremap(map, 2 * PAGE, 2 * PAGE, KEEP, 0);
	SETUP(to != NO_MAPPING);
	EXPECT(to != map);
	EXPECT(marked(to, 2, 1));
	EXPECT_EQ(ld8(map), 0);
	st8(at(map, 1), 9);
	EXPECT_EQ(ld8(at(to, 1)), 2);
	unmap(to, 2);
	unmap(map, 2);
}

TEST(mremap, dontunmap_takes_a_fixed_address)
{
	/* mremap(2): it can be used with MREMAP_FIXED. */
	addr_t map = lonely(3, 1, RW), to = lonely(2, 1, RW);

	NEEDS_RELEASE(5007, "MREMAP_DONTUNMAP");
	mark(map, 3, 1);
	EXPECT_EQ(x_mremap(at(map, 1), 2 * PAGE, 2 * PAGE, KEEP | MREMAP_FIXED, to), to);
	EXPECT(marked(to, 2, 2));
	EXPECT(marked(map, 1, 1));
	EXPECT_EQ(ld8(at(map, 1)), 0);
	EXPECT_EQ(ld8(at(map, 2)), 0);
	unmap(to, 2);
	unmap(map, 3);
}

TEST(mremap, dontunmap_takes_the_address_as_a_hint)
{
	/* Without MREMAP_FIXED: a free place is taken, an occupied one is not. */
	addr_t map = lonely(1, 1, RW), to = lonely(3, 1, RW), moved;

	NEEDS_RELEASE(5007, "MREMAP_DONTUNMAP");
	unmap(at(to, 1), 1);
	EXPECT_EQ(x_mremap(map, PAGE, PAGE, KEEP, at(to, 1)), at(to, 1));
	unmap(at(to, 1), 1);
	moved = x_mremap(map, PAGE, PAGE, KEEP, to);
	EXPECT(moved != NO_MAPPING && moved != to);
	unmap(moved, 1);
	unmap(map, 1);
	unmap(to, 3);
}

TEST(mremap, dontunmap_of_a_shared_file_mapping_leaves_both)
{
	/* 75: since 5.13, EINVAL before. Both show the file. */
	int fd = memfd(1);
	addr_t map = map_shared(fd, 1, RW), to;

	st8(map, 'a');
	to = x_mremap(map, PAGE, PAGE, KEEP, 0);
	if (linux_release() < 5013) {
		EXPECT(to == NO_MAPPING && errno == EINVAL);
		unmap(map, 1);
		EXPECT_EQ(x_close(fd), 0);
		return;
	}
	SETUP(to != NO_MAPPING);
	EXPECT_EQ(ld8(to), 'a');
	st8(map, 'b');
	EXPECT_EQ(ld8(to), 'b');
	unmap(to, 1);
	unmap(map, 1);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(mremap, dontunmap_with_another_size_fails_EINVAL)
{
	/* 75. */
	addr_t map = lonely(2, 2, RW);

	EXPECT_EQ(x_mremap(map, 2 * PAGE, 3 * PAGE, KEEP, 0), NO_MAPPING);
	EXPECT_EQ(errno, EINVAL);
	EXPECT_EQ(x_mremap(map, 2 * PAGE, PAGE, KEEP, 0), NO_MAPPING);
	EXPECT_EQ(errno, EINVAL);
	EXPECT_EQ(x_mremap(map, 2 * PAGE, 2 * PAGE, 4, 0), NO_MAPPING); /* without MREMAP_MAYMOVE */
	EXPECT_EQ(errno, EINVAL);
	st8(at(map, 1), 1);
	unmap(map, 2);
}

/* Old size 0: 73. */

TEST(mremap, of_old_size_0_maps_shared_pages_once_more)
{
	/* 73. */
	int fd = memfd(3);
	addr_t map = map_shared(fd, 3, RW);
	addr_t again = x_mremap(at(map, 1), 0, 2 * PAGE, MOVE, 0);

	SETUP(again != NO_MAPPING);
	st8(at(map, 1), 1);
	EXPECT_EQ(ld8(again), 1);
	st8(at(again, 1), 2);
	EXPECT_EQ(ld8(at(map, 2)), 2);
	unmap(map, 3);
	EXPECT_EQ(ld8(again), 1);
	unmap(again, 2);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(mremap, of_old_size_0_maps_shared_anonymous_pages_once_more)
{
	/* 73. */
	addr_t map = map_anonymous(1, RW, MAP_SHARED);
	addr_t again = x_mremap(map, 0, PAGE, MOVE, 0);

	SETUP(again != NO_MAPPING);
	st8(map, 'x');
	EXPECT_EQ(ld8(again), 'x');
	unmap(again, 1);
	unmap(map, 1);
}

TEST(mremap, of_old_size_0_to_a_fixed_address)
{
	/* 73. */
	int fd = memfd(1);
	addr_t map = map_shared(fd, 1, RW), to = lonely(1, 1, RW);

	st8(map, 'y');
	EXPECT_EQ(x_mremap(map, 0, PAGE, FIXED, to), to);
	EXPECT_EQ(ld8(to), 'y');
	EXPECT_EQ(ld8(map), 'y');
	unmap(to, 1);
	unmap(map, 1);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(mremap, a_duplicate_of_a_writable_mapping_keeps_F_SEAL_WRITE_off)
{
	/* 20: it is a writable mapping like any other. */
	int fd = memfd(1);
	addr_t map = map_shared(fd, 1, RW), again = x_mremap(map, 0, PAGE, MOVE, 0);

	SETUP(again != NO_MAPPING);
	unmap(map, 1);
	EXPECT_FAILS(x_fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
	unmap(again, 1);
	EXPECT_EQ(x_fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(mremap, of_old_size_0_of_private_memory_fails_EINVAL)
{
	/* 73. */
	int fd = memfd(1);
	addr_t map = map_private(fd, 1, RW);

	EXPECT_EQ(x_mremap(map, 0, PAGE, MOVE, 0), NO_MAPPING);
	EXPECT_EQ(errno, EINVAL);
	EXPECT_EQ(x_mremap(map, 0, PAGE, 0, 0), NO_MAPPING);
	EXPECT_EQ(errno, EINVAL);
	unmap(map, 1);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(mremap, of_old_size_0_without_maymove_fails_ENOMEM)
{
	/* 73. */
	addr_t map = map_anonymous(1, RW, MAP_SHARED);

	EXPECT_EQ(x_mremap(map, 0, PAGE, 0, 0), NO_MAPPING);
	EXPECT_EQ(errno, ENOMEM);
	unmap(map, 1);
}

TEST(mremap, of_shared_anonymous_memory_does_not_make_it_longer)
{
	/* 76. */
	addr_t map = map_anonymous(1, RW, MAP_SHARED), grown;

	st8(map, 's');
	grown = x_mremap(map, PAGE, 2 * PAGE, MOVE, 0);
	SETUP(grown != NO_MAPPING);
	EXPECT_EQ(ld8(grown), 's');
	EXPECT_LOAD_FAULTS(at(grown, 1), SIGBUS, BUS_ADRERR);
	unmap(grown, 2);
}

/* Errors. */

TEST(mremap, to_size_0_fails_EINVAL)
{
	/* 74. */
	addr_t map = lonely(1, 1, RW);

	EXPECT_EQ(x_mremap(map, PAGE, 0, MOVE, 0), NO_MAPPING);
	EXPECT_EQ(errno, EINVAL);
	st8(map, 1);
	unmap(map, 1);
}

TEST(mremap, of_an_unaligned_address_fails_EINVAL)
{
	/* 74: the old one and the new one. */
	addr_t map = lonely(2, 1, RW), to = lonely(3, 1, RW);

	EXPECT_EQ(x_mremap(map + 1, PAGE, 2 * PAGE, MOVE, 0), NO_MAPPING);
	EXPECT_EQ(errno, EINVAL);
	EXPECT_EQ(x_mremap(map, PAGE, PAGE, FIXED, to + 8), NO_MAPPING);
	EXPECT_EQ(errno, EINVAL);
	EXPECT_EQ(x_mremap(map, PAGE, PAGE, KEEP, to + 8), NO_MAPPING);
	EXPECT_EQ(errno, EINVAL);
	st8(map, 1);
	st8(to, 1);
	unmap(map, 2);
	unmap(to, 3);
}

TEST(mremap, with_an_unknown_flag_fails_EINVAL)
{
	/* 74. */
	addr_t map = lonely(1, 1, RW);

	EXPECT_EQ(x_mremap(map, PAGE, PAGE, 8, 0), NO_MAPPING);
	EXPECT_EQ(errno, EINVAL);
	EXPECT_EQ(x_mremap(map, PAGE, PAGE, MOVE | (int)0x80000000, 0), NO_MAPPING);
	EXPECT_EQ(errno, EINVAL);
	unmap(map, 1);
}

TEST(mremap, fixed_without_maymove_fails_EINVAL)
{
	/* 74. */
	addr_t map = lonely(1, 1, RW), to = lonely(1, 1, RW);

	EXPECT_EQ(x_mremap(map, PAGE, PAGE, MREMAP_FIXED, to), NO_MAPPING);
	EXPECT_EQ(errno, EINVAL);
	unmap(map, 1);
	unmap(to, 1);
}

TEST(mremap, onto_itself_fails_EINVAL)
{
	/* 74: the ranges must not overlap, by what they are told to be. */
	addr_t map = lonely(4, 4, RW);

	mark(map, 4, 1);
	EXPECT_EQ(x_mremap(map, 4 * PAGE, 4 * PAGE, FIXED, map), NO_MAPPING);
	EXPECT_EQ(errno, EINVAL);
	EXPECT_EQ(x_mremap(map, 4 * PAGE, 4 * PAGE, FIXED, at(map, 3)), NO_MAPPING);
	EXPECT_EQ(errno, EINVAL);
	EXPECT_EQ(x_mremap(at(map, 1), PAGE, 2 * PAGE, FIXED, map), NO_MAPPING);
	EXPECT_EQ(errno, EINVAL);
	EXPECT(marked(map, 4, 1));
	EXPECT_EQ(x_mremap(map, PAGE, PAGE, FIXED, at(map, 1)), at(map, 1)); /* within the mapping, but beside */
	EXPECT_EQ(ld8(at(map, 1)), 1);
	EXPECT_EQ(ld8(at(map, 2)), 3);
	EXPECT_NOTHING_AT(map);
	unmap(map, 4);
}

TEST(mremap, of_nothing_fails_EFAULT)
{
	/* 74. */
	addr_t page = unmapped_page();

	EXPECT_EQ(x_mremap(page, PAGE, 2 * PAGE, MOVE, 0), NO_MAPPING);
	EXPECT_EQ(errno, EFAULT);
	EXPECT_EQ(x_mremap(page, PAGE, PAGE, 0, 0), NO_MAPPING);
	EXPECT_EQ(errno, EFAULT);
	EXPECT_EQ(x_mremap(0, PAGE, PAGE, 0, 0), NO_MAPPING);
	EXPECT_EQ(errno, EFAULT);
	EXPECT_EQ(x_mremap((addr_t)1 << 60, PAGE, 2 * PAGE, MOVE, 0), NO_MAPPING);
	EXPECT_EQ(errno, EFAULT);
}

TEST(mremap, growth_over_two_mappings_fails_EFAULT)
{
	/* 74. */
	addr_t map = lonely(2, 4, RW);

	mark(map, 2, 1);
	SETUP(x_mprotect(at(map, 1), PAGE, PROT_READ) == 0);
	EXPECT_EQ(x_mremap(map, 2 * PAGE, 3 * PAGE, MOVE, 0), NO_MAPPING);
	EXPECT_EQ(errno, EFAULT);
	EXPECT_EQ(x_mremap(map, 3 * PAGE, 2 * PAGE, FIXED, at(map, 3)), NO_MAPPING); /* the size changes */
	EXPECT_EQ(errno, EFAULT);
	EXPECT(marked(map, 2, 1));
	unmap(map, 2);
}

TEST(mremap, to_a_size_larger_than_the_address_space_fails)
{
	/* mremap(2): EINVAL since 6.17, ENOMEM before; beyond the address space at a fixed address, EINVAL. */
	addr_t map = lonely(1, 1, RW);

	EXPECT_EQ(x_mremap(map, PAGE, (size_t)1 << 62, MOVE, 0), NO_MAPPING);
	EXPECT(errno == EINVAL || errno == ENOMEM);
	EXPECT_EQ(x_mremap(map, PAGE, SIZE_MAX, MOVE, 0), NO_MAPPING);
	EXPECT_EQ(errno, EINVAL);
	EXPECT_EQ(x_mremap(map, PAGE, PAGE, FIXED, (addr_t)1 << 60), NO_MAPPING);
	EXPECT_EQ(errno, EINVAL);
	EXPECT_EQ(x_mremap(map, PAGE, PAGE, FIXED, (addr_t)-PAGE), NO_MAPPING);
	EXPECT_EQ(errno, EINVAL);
	EXPECT_EQ(x_mremap(map, PAGE, 2 * PAGE, 0, ~(addr_t)0), map); /* an address that nobody asked for */
	EXPECT_EQ(x_mremap(map, (size_t)1 << 62, PAGE, 0, 0), NO_MAPPING);
	EXPECT_EQ(errno, EINVAL);
	st8(map, 1);
	unmap(map, 2);
}

TEST(mremap, may_grow_a_mapping_past_the_last_byte_that_a_file_can_have)
{
	/* mmap would be EOVERFLOW there; what is asked of such pages afterwards has an answer all the same. */
	const uint64_t last = (uint64_t)INT64_MAX - (uint64_t)INT64_MAX % PAGE - PAGE;
	int fd = memfd(1);
	addr_t map = x_mmap(0, PAGE, RW, MAP_SHARED, fd, (off_t)last);
	unsigned char in_memory[4] = { 1, 1, 1, 1 };

	SETUP(map != NO_MAPPING);
	map = x_mremap(map, PAGE, 4 * PAGE, MOVE, 0);
	REQUIRE(map != NO_MAPPING);
	for (int i = 0; i < 4; i++)
		EXPECT_LOAD_FAULTS(at(map, i), SIGBUS, BUS_ADRERR);
	EXPECT_FAILS(x_madvise(at(map, 2), PAGE, MADV_REMOVE), EINVAL);
	EXPECT_FAILS(x_madvise(map, 4 * PAGE, MADV_REMOVE), EFBIG);
	EXPECT_EQ(x_mincore(map, 4 * PAGE, in_memory), 0);
	EXPECT(!((in_memory[0] | in_memory[1] | in_memory[2] | in_memory[3]) & 1));
	EXPECT_EQ(x_msync(map, 4 * PAGE, MS_SYNC), 0);
	EXPECT_EQ(x_madvise(map, 4 * PAGE, MADV_DONTNEED), 0);
	if (linux_release() >= 5014)
		EXPECT_FAILS(x_madvise(map, 4 * PAGE, MADV_POPULATE_READ), EFAULT);
	EXPECT_EQ(x_mprotect(at(map, 1), PAGE, PROT_READ), 0);
	EXPECT_EQ(x_ftruncate(fd, 0), 0);
	EXPECT_EQ(x_munmap(at(map, 2), PAGE), 0);
	EXPECT_EQ(x_munmap(map, 4 * PAGE), 0);
	EXPECT_EQ(x_close(fd), 0);
}
