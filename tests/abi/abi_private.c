// SPDX-License-Identifier: MIT
/*
 * What Linux promises of MAP_PRIVATE: copies on write, and their life when the file shrinks. SEMANTICS.md 54-56;
 * mmap(2). Copies made by fork are in abi_fork.c.
 */
#include "abi.h"

enum { RW = PROT_READ | PROT_WRITE };

TEST(private, shows_the_file_until_it_is_written)
{
	/* 56: later writes to the file are seen while the page is not copied. */
	int fd = memfd(1);
	addr_t map = map_private(fd, 1, RW);

	EXPECT_EQ(ld8(map), 0);
	EXPECT_EQ(x_pwrite(fd, "f", 1, 0), 1);
	EXPECT_EQ(ld8(map), 'f');
	unmap(map, 1);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(private, page_once_copied_ignores_the_file)
{
	/* 56: the whole page, not only the bytes that were written. */
	int fd = memfd(1);
	addr_t map = map_private(fd, 1, RW);

	SETUP(x_pwrite(fd, "abc", 3, 0) == 3);
	st8(map + 1, 'P');
	EXPECT_EQ(x_pwrite(fd, "xyz", 3, 0), 3);
	EXPECT_EQ(ld8(map), 'a');
	EXPECT_EQ(ld8(map + 1), 'P');
	EXPECT_EQ(ld8(map + 2), 'c');
	unmap(map, 1);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(private, other_pages_go_on_showing_the_file)
{
	/* 56: copies are made page by page. */
	int fd = memfd(2);
	addr_t map = map_private(fd, 2, RW);

	st8(map, 'P');
	EXPECT_EQ(x_pwrite(fd, "f", 1, PAGE), 1);
	EXPECT_EQ(ld8(map + PAGE), 'f');
	unmap(map, 2);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(private, stores_never_reach_the_file)
{
	/* 56; mmap(2): not carried through, not visible to others. */
	int fd = memfd(1);
	addr_t shared = map_shared(fd, 1, RW);
	addr_t map = map_private(fd, 1, RW);

	st8(shared, 's');
	st8(map, 'p');
	EXPECT_EQ(ld8(shared), 's');
	EXPECT_EQ(byte_at(fd, 0), 's');
	EXPECT_EQ(ld8(map), 'p');
	unmap(map, 1);
	unmap(shared, 1);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(private, read_before_the_store_changes_nothing_about_it)
{
	/* 56: the frame of the file was mapped first, then copied. */
	int fd = memfd(1);
	addr_t map = map_private(fd, 1, RW);

	SETUP(x_pwrite(fd, "ab", 2, 0) == 2);
	EXPECT_EQ(ld8(map), 'a');
	st8(map, 'P');
	EXPECT_EQ(ld8(map), 'P');
	EXPECT_EQ(ld8(map + 1), 'b');
	EXPECT_EQ(byte_at(fd, 0), 'a');
	unmap(map, 1);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(private, store_to_a_hole_leaves_the_file_a_hole)
{
	/* 56: a copy of nothing is a page of zeros of its own. */
	int fd = memfd(1);
	addr_t map = map_private(fd, 1, RW);

	st8(map + 10, 'P');
	EXPECT_EQ(ld8(map + 9), 0);
	EXPECT_EQ(byte_at(fd, 10), 0);
	unmap(map, 1);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(private, two_private_mappings_have_copies_of_their_own)
{
	/* 56. */
	int fd = memfd(1);
	addr_t a = map_private(fd, 1, RW);
	addr_t b = map_private(fd, 1, RW);

	st8(a, 'a');
	EXPECT_EQ(ld8(b), 0);
	st8(b, 'b');
	EXPECT_EQ(ld8(a), 'a');
	unmap(a, 1);
	unmap(b, 1);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(private, read_only_mapping_may_be_made_writable)
{
	/* mprotect(2), 40: a private mapping needs a readable fd only. */
	int fd = memfd(1);
	int readonly = reopen(fd, O_RDONLY);
	addr_t map = map_private(readonly, 1, PROT_READ);

	EXPECT_EQ(ld8(map), 0);
	EXPECT_EQ(x_mprotect(map, PAGE, RW), 0);
	st8(map, 'P');
	EXPECT_EQ(byte_at(fd, 0), 0);
	EXPECT_EQ(ld8(map), 'P');
	unmap(map, 1);
	EXPECT_EQ(x_close(readonly), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(private, copy_survives_mprotect_to_READ_and_NONE)
{
	/* mprotect(2): protection is not data. */
	int fd = memfd(1);
	addr_t map = map_private(fd, 1, RW);

	st8(map, 'P');
	EXPECT_EQ(x_mprotect(map, PAGE, PROT_NONE), 0);
	EXPECT_EQ(x_mprotect(map, PAGE, PROT_READ), 0);
	EXPECT_EQ(x_pwrite(fd, "f", 1, 0), 1);
	EXPECT_EQ(ld8(map), 'P');
	unmap(map, 1);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(private, copy_dies_with_its_mapping)
{
	/* mmap(2): a new private mapping shows the file again. */
	int fd = memfd(1);
	addr_t map = map_private(fd, 1, RW);

	st8(map, 'P');
	unmap(map, 1);
	map = map_private(fd, 1, RW);
	EXPECT_EQ(ld8(map), 0);
	unmap(map, 1);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(private, system_call_into_it_copies_as_a_store_does)
{
	/* 56: read() into a private mapping. */
	int fd = memfd(1), from = memfd(0);
	addr_t map = map_private(fd, 1, RW);

	SETUP(x_write(from, "k", 1) == 1);
	EXPECT_EQ(x_pread(from, ubuf(map), 1, 0), 1);
	EXPECT_EQ(ld8(map), 'k');
	EXPECT_EQ(byte_at(fd, 0), 0);
	unmap(map, 1);
	EXPECT_EQ(x_close(fd), 0);
	EXPECT_EQ(x_close(from), 0);
}

/* Truncation: 54, 55. */

TEST(private, shrinking_destroys_copies_beyond_the_end)
{
	/* 54: SIGBUS, and after growth they read 0. */
	int fd = memfd(2);
	addr_t map = map_private(fd, 2, RW);

	st8(map + PAGE, 'P');
	EXPECT_EQ(x_ftruncate(fd, PAGE), 0);
	EXPECT_LOAD_FAULTS(map + PAGE, SIGBUS, BUS_ADRERR);
	EXPECT_EQ(x_ftruncate(fd, 2 * PAGE), 0);
	EXPECT_EQ(ld8(map + PAGE), 0);
	unmap(map, 2);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(private, shrinking_keeps_the_copy_that_contains_the_new_end)
{
	/* 55: its tail is not zeroed. */
	int fd = memfd(1);
	addr_t map = map_private(fd, 1, RW);

	st8(map + 10, 'P');
	st8(map + 2000, 'Q');
	EXPECT_EQ(x_ftruncate(fd, 100), 0);
	EXPECT_EQ(ld8(map + 10), 'P');
	EXPECT_EQ(ld8(map + 2000), 'Q');
	unmap(map, 1);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(private, shrinking_to_a_page_boundary_keeps_the_copy_before_it)
{
	/* 54, 55. */
	int fd = memfd(2);
	addr_t map = map_private(fd, 2, RW);

	st8(map + PAGE - 1, 'P');
	EXPECT_EQ(x_ftruncate(fd, PAGE), 0);
	EXPECT_EQ(ld8(map + PAGE - 1), 'P');
	unmap(map, 2);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(private, anonymous_memory_is_its_own)
{
	/* mmap(2): MAP_PRIVATE|MAP_ANONYMOUS, two of them share nothing. */
	addr_t a = map_anonymous(1, RW, MAP_PRIVATE);
	addr_t b = map_anonymous(1, RW, MAP_PRIVATE);

	st8(a, 'a');
	EXPECT_EQ(ld8(b), 0);
	unmap(a, 1);
	unmap(b, 1);
}

TEST(private, anonymous_page_read_first_takes_a_store_later)
{
	/* mmap(2): a read sees zeros (a shared page of zeros on Linux), a later store gets a page of its own. */
	addr_t a = map_anonymous(1, RW, MAP_PRIVATE);
	addr_t b = map_anonymous(1, RW, MAP_PRIVATE);

	EXPECT_EQ(ld8(a) | ld8(b), 0);
	st8(a, 'a');
	EXPECT_EQ(ld8(a), 'a');
	EXPECT_EQ(ld8(b), 0);
	unmap(a, 1);
	unmap(b, 1);
}
