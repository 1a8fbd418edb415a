// SPDX-License-Identifier: MIT
/*
 * What Linux promises of fallocate on a memfd: SEMANTICS.md 59-64; fallocate(2). Sizes, blocks and content of each
 * mode, what mappings see of a hole, and every errno.
 */
#include "abi.h"

#include <limits.h>

enum { KEEP = FALLOC_FL_KEEP_SIZE, PUNCH = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE };

static long long blocks_of(int fd)
{
	struct stat st;

	SETUP(x_fstat(fd, &st) == 0);
	return st.st_blocks;
}

/* A file of n pages, each filled with its own letter, from 'a' on. */
static int lettered(int npages)
{
	char page[PAGE];
	int fd = memfd(npages);

	for (int i = 0; i < npages; i++) {
		memset(page, 'a' + i, PAGE);
		SETUP(x_pwrite(fd, page, PAGE, (off_t)i * PAGE) == PAGE);
	}
	return fd;
}

/* KEEP_SIZE. */

TEST(fallocate, KEEP_SIZE_beyond_the_end_allocates_and_keeps_the_size)
{
	/* fallocate(2): allocated blocks beyond the end of file. */
	int fd = memfd(1);

	EXPECT_EQ(x_fallocate(fd, KEEP, PAGE, 3 * PAGE), 0);
	EXPECT_EQ(size_of(fd), PAGE);
	EXPECT_EQ(blocks_of(fd), 24);
	EXPECT_EQ(byte_at(fd, PAGE), -1);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(fallocate, KEEP_SIZE_pages_are_not_mapped_before_the_file_reaches_them)
{
	/* 49: the size decides what is SIGBUS, not what is allocated. */
	int fd = memfd(1);
	addr_t map = map_shared(fd, 2, PROT_READ | PROT_WRITE);

	EXPECT_EQ(x_fallocate(fd, KEEP, PAGE, PAGE), 0);
	EXPECT_LOAD_FAULTS(map + PAGE, SIGBUS, BUS_ADRERR);
	EXPECT_EQ(x_ftruncate(fd, 2 * PAGE), 0);
	EXPECT_EQ(ld8(map + PAGE), 0);
	EXPECT_EQ(blocks_of(fd), 8);
	unmap(map, 2);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(fallocate, KEEP_SIZE_pages_survive_growth_and_read_zero)
{
	int fd = memfd(0);
	char byte = 'x';

	EXPECT_EQ(x_fallocate(fd, KEEP, 0, 4 * PAGE), 0);
	EXPECT_EQ(x_ftruncate(fd, 2 * PAGE), 0);
	EXPECT_EQ(blocks_of(fd), 32);
	EXPECT_EQ(x_pread(fd, &byte, 1, PAGE + 5), 1);
	EXPECT_EQ(byte, 0);
	EXPECT_EQ(x_pwrite(fd, "z", 1, 4 * PAGE - 1), 1);
	EXPECT_EQ(blocks_of(fd), 32);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(fallocate, KEEP_SIZE_pages_go_with_an_ftruncate_to_the_same_size)
{
	/* 60. */
	int fd = memfd(1);

	EXPECT_EQ(x_fallocate(fd, KEEP, 0, 8 * PAGE), 0);
	EXPECT_EQ(blocks_of(fd), 64);
	EXPECT_EQ(x_ftruncate(fd, PAGE), 0);
	EXPECT_EQ(blocks_of(fd), 8);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(fallocate, KEEP_SIZE_of_the_last_page_of_all_offsets_fails_EFBIG)
{
	int fd = memfd(1);

	EXPECT_FAILS(x_fallocate(fd, KEEP, LLONG_MAX, 1), EFBIG);
	EXPECT_FAILS(x_fallocate(fd, KEEP, 1, LLONG_MAX), EFBIG);
	EXPECT_EQ(blocks_of(fd), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(fallocate, of_pages_that_are_there_changes_no_byte)
{
	int fd = lettered(2);

	EXPECT_EQ(x_fallocate(fd, 0, 1, PAGE), 0);
	EXPECT_EQ(x_fallocate(fd, KEEP, 0, 2 * PAGE), 0);
	EXPECT_EQ(byte_at(fd, 0), 'a');
	EXPECT_EQ(byte_at(fd, PAGE), 'b');
	EXPECT_EQ(blocks_of(fd), 16);
	EXPECT_EQ(x_close(fd), 0);
}

/* PUNCH_HOLE. */

TEST(fallocate, PUNCH_HOLE_frees_whole_pages_and_zeroes_parts)
{
	/* fallocate(2): partial blocks are zeroed, whole ones removed; afterwards reads return zeros. */
	int fd = lettered(4);

	EXPECT_EQ(x_fallocate(fd, PUNCH, 100, 2 * PAGE), 0);
	EXPECT_EQ(blocks_of(fd), 24);
	EXPECT_EQ(size_of(fd), 4 * PAGE);
	EXPECT_EQ(byte_at(fd, 99), 'a');
	EXPECT_EQ(byte_at(fd, 100), 0);
	EXPECT_EQ(byte_at(fd, PAGE - 1), 0);
	EXPECT_EQ(byte_at(fd, PAGE), 0);
	EXPECT_EQ(byte_at(fd, 2 * PAGE + 99), 0);
	EXPECT_EQ(byte_at(fd, 2 * PAGE + 100), 'c');
	EXPECT_EQ(byte_at(fd, 3 * PAGE), 'd');
	EXPECT_EQ(x_close(fd), 0);
}

TEST(fallocate, PUNCH_HOLE_within_one_page_zeroes_it_there)
{
	int fd = lettered(1);

	EXPECT_EQ(x_fallocate(fd, PUNCH, 10, 20), 0);
	EXPECT_EQ(byte_at(fd, 9), 'a');
	EXPECT_EQ(byte_at(fd, 10), 0);
	EXPECT_EQ(byte_at(fd, 29), 0);
	EXPECT_EQ(byte_at(fd, 30), 'a');
	EXPECT_EQ(blocks_of(fd), 8);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(fallocate, PUNCH_HOLE_is_seen_by_shared_mappings)
{
	/* The page is gone from the mapping; a touch makes a new one, of zeros, which the file has. */
	int fd = lettered(3);
	addr_t map = map_shared(fd, 3, PROT_READ | PROT_WRITE);

	EXPECT_EQ(ld8(map + PAGE), 'b');
	EXPECT_EQ(x_fallocate(fd, PUNCH, PAGE / 2, 2 * PAGE), 0);
	EXPECT_EQ(ld8(map + PAGE / 2 - 1), 'a');
	EXPECT_EQ(ld8(map + PAGE / 2), 0);
	EXPECT_EQ(ld8(map + PAGE), 0);
	EXPECT_EQ(ld8(map + 2 * PAGE), 0);
	EXPECT_EQ(ld8(map + 3 * PAGE - 1), 'c');
	st8(map + PAGE, 'n');
	EXPECT_EQ(byte_at(fd, PAGE), 'n');
	unmap(map, 3);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(fallocate, PUNCH_HOLE_leaves_private_copies_alone)
{
	/* fallocate(2), mmap(2): a private copy is the mapping's own; what was not copied is the file's, a hole now. */
	int fd = lettered(2);
	addr_t map = map_private(fd, 2, PROT_READ | PROT_WRITE);

	st8(map, 'p');
	EXPECT_EQ(ld8(map + PAGE), 'b');
	EXPECT_EQ(x_fallocate(fd, PUNCH, 0, 2 * PAGE), 0);
	EXPECT_EQ(ld8(map), 'p');
	EXPECT_EQ(ld8(map + 1), 'a');
	EXPECT_EQ(ld8(map + PAGE), 0);
	unmap(map, 2);
	EXPECT_EQ(x_close(fd), 0);
}

static int child_sees_the_hole(void *arg)
{
	const addr_t *map = arg;

	CHILD_EXPECT(ld8(*map) == 'a');
	CHILD_EXPECT(x_fallocate((int)map[1], PUNCH, 0, PAGE) == 0);
	CHILD_EXPECT(ld8(*map) == 0);
	return 0;
}

TEST(fallocate, PUNCH_HOLE_reaches_the_mappings_of_other_processes)
{
	int fd = lettered(1);
	addr_t arg[2] = { map_shared(fd, 1, PROT_READ), (addr_t)fd };

	EXPECT_EQ(ld8(arg[0]), 'a');
	EXPECT_EQ(in_child(child_sees_the_hole, arg), 0);
	EXPECT_EQ(ld8(arg[0]), 0);
	unmap(arg[0], 1);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(fallocate, PUNCH_HOLE_beyond_the_end_frees_what_was_allocated_there)
{
	int fd = memfd(1);

	EXPECT_EQ(x_fallocate(fd, KEEP, PAGE, 4 * PAGE), 0);
	EXPECT_EQ(x_fallocate(fd, PUNCH, 2 * PAGE, 100 * PAGE), 0);
	EXPECT_EQ(blocks_of(fd), 8);
	EXPECT_EQ(size_of(fd), PAGE);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(fallocate, PUNCH_HOLE_of_everything_to_the_largest_offset)
{
	int fd = lettered(3);

	EXPECT_EQ(x_fallocate(fd, PUNCH, 0, LLONG_MAX), 0);
	EXPECT_EQ(blocks_of(fd), 0);
	EXPECT_EQ(size_of(fd), 3 * PAGE);
	EXPECT_EQ(byte_at(fd, 3 * PAGE - 1), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(fallocate, PUNCH_HOLE_of_a_hole_does_nothing)
{
	int fd = memfd(4);

	EXPECT_EQ(x_fallocate(fd, PUNCH, 1, 3 * PAGE), 0);
	EXPECT_EQ(blocks_of(fd), 0);
	EXPECT_EQ(x_close(fd), 0);
}

/* Bad input: the errno, and nothing changed. */

static void expect_untouched(int fd)
{
	EXPECT_EQ(size_of(fd), 2 * PAGE);
	EXPECT_EQ(blocks_of(fd), 16);
	EXPECT_EQ(byte_at(fd, 0), 'a');
	EXPECT_EQ(byte_at(fd, PAGE), 'b');
}

TEST(fallocate, of_a_bad_range_fails_EINVAL_in_every_mode)
{
	/* 64; fallocate(2): offset was less than 0, or len was less than or equal to 0. Judged before the mode. */
	static const int modes[] = { 0, KEEP, PUNCH, FALLOC_FL_ZERO_RANGE, 0x1000 };
	int fd = lettered(2);

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		EXPECT_FAILS(x_fallocate(fd, modes[i], 0, 0), EINVAL);
		EXPECT_FAILS(x_fallocate(fd, modes[i], 0, -1), EINVAL);
		EXPECT_FAILS(x_fallocate(fd, modes[i], -1, 1), EINVAL);
		EXPECT_FAILS(x_fallocate(fd, modes[i], LLONG_MIN, LLONG_MIN), EINVAL);
	}
	expect_untouched(fd);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(fallocate, in_a_mode_that_tmpfs_does_not_have_fails_EOPNOTSUPP)
{
	/* 64; fallocate(2). */
	static const int modes[] = {
		FALLOC_FL_PUNCH_HOLE,
		FALLOC_FL_ZERO_RANGE,
		FALLOC_FL_ZERO_RANGE | KEEP,
		FALLOC_FL_COLLAPSE_RANGE,
		FALLOC_FL_COLLAPSE_RANGE | KEEP,
		FALLOC_FL_INSERT_RANGE,
		FALLOC_FL_INSERT_RANGE | KEEP,
		FALLOC_FL_UNSHARE_RANGE,
		PUNCH | FALLOC_FL_ZERO_RANGE,
		0x04,
		0x100,
		-1,
	};
	int fd = lettered(2);

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		EXPECT_FAILS(x_fallocate(fd, modes[i], 0, PAGE), EOPNOTSUPP);
	expect_untouched(fd);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(fallocate, of_a_range_that_overflows_fails_EFBIG)
{
	/* 64. A hole that ends at the largest offset is none that overflows. */
	int fd = lettered(2);

	EXPECT_FAILS(x_fallocate(fd, 0, 1, LLONG_MAX), EFBIG);
	EXPECT_FAILS(x_fallocate(fd, KEEP, LLONG_MAX, 1), EFBIG);
	EXPECT_FAILS(x_fallocate(fd, PUNCH, 1, LLONG_MAX), EFBIG);
	EXPECT_FAILS(x_fallocate(fd, PUNCH, LLONG_MAX, 1), EFBIG);
	/* Modes that tmpfs refuses are refused later. */
	EXPECT_FAILS(x_fallocate(fd, FALLOC_FL_ZERO_RANGE, 1, LLONG_MAX), EFBIG);
	expect_untouched(fd);
	EXPECT_EQ(x_fallocate(fd, PUNCH, 2 * PAGE, LLONG_MAX - 2 * PAGE), 0);
	expect_untouched(fd);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(fallocate, through_a_bad_fd_fails_as_for_its_kind)
{
	/* fallocate(2): EBADF not open for writing; ENODEV not a regular file. */
	int fd = lettered(2), readonly = reopen(fd, O_RDONLY), writeonly = reopen(fd, O_WRONLY);
	int ends[2];

	stream_pair(ends);
	EXPECT_FAILS(x_fallocate(readonly, 0, 0, PAGE), EBADF);
	EXPECT_FAILS(x_fallocate(readonly, PUNCH, 0, PAGE), EBADF);
	EXPECT_FAILS(x_fallocate(readonly, FALLOC_FL_ZERO_RANGE, 0, PAGE), EBADF);
	EXPECT_FAILS(x_fallocate(readonly, 0x1000, 0, PAGE), EOPNOTSUPP);
	EXPECT_FAILS(x_fallocate(-1, 0, -1, 0), EBADF);
	EXPECT_FAILS(x_fallocate(lowest_free_fd(), PUNCH, 0, PAGE), EBADF);
	EXPECT_FAILS(x_fallocate(ends[0], 0, 0, PAGE), ENODEV);
	EXPECT_FAILS(x_fallocate(ends[0], PUNCH, 0, LLONG_MAX), ENODEV);
	expect_untouched(fd);
	EXPECT_EQ(x_fallocate(writeonly, 0, 0, PAGE), 0);
	close_pair(ends);
	EXPECT_EQ(x_close(writeonly), 0);
	EXPECT_EQ(x_close(readonly), 0);
	EXPECT_EQ(x_close(fd), 0);
}
