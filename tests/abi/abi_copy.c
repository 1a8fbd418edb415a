// SPDX-License-Identifier: MIT
/*
 * What Linux promises of copy_file_range and sendfile between memfds, and of sendfile to a socket: copy_file_range(2),
 * sendfile(2). What is copied and which offset moves, and every errno with bad offsets, ranges, pointers and fds.
 */
#include "abi.h"

#include <limits.h>

/* A file of n pages with a pattern in it. */
static int patterned(int npages, unsigned first)
{
	static unsigned char page[PAGE];
	int fd = memfd(0);

	for (int i = 0; i < npages; i++) {
		fill_pattern(page, PAGE, first + (unsigned)i * 7);
		SETUP(x_write(fd, page, PAGE) == PAGE);
	}
	SETUP(x_lseek(fd, 0, SEEK_SET) == 0);
	return fd;
}

/* n bytes of a at one offset are those of b at another. */
static void expect_equal(int a, off_t at_a, int b, off_t at_b, size_t n)
{
	static unsigned char x[4 * PAGE], y[4 * PAGE];

	SETUP(n <= sizeof(x));
	EXPECT_EQ(x_pread(a, x, n, at_a), n);
	EXPECT_EQ(x_pread(b, y, n, at_b), n);
	EXPECT_MEMEQ(x, y, n);
}

static long long offset_of(int fd)
{
	return x_lseek(fd, 0, SEEK_CUR);
}

/* copy_file_range. */

TEST(copy, range_at_given_offsets_moves_them_and_not_the_files)
{
	int from = patterned(3, 1), to = memfd(0);
	off_t in = 100, out = 5000;

	EXPECT_EQ(x_copy_file_range(from, &in, to, &out, 2 * PAGE, 0), 2 * PAGE);
	EXPECT_EQ(in, 100 + 2 * PAGE);
	EXPECT_EQ(out, 5000 + 2 * PAGE);
	EXPECT_EQ(offset_of(from), 0);
	EXPECT_EQ(offset_of(to), 0);
	EXPECT_EQ(size_of(to), 5000 + 2 * PAGE);
	EXPECT_EQ(byte_at(to, 4999), 0);
	expect_equal(from, 100, to, 5000, 2 * PAGE);
	EXPECT_EQ(x_close(to), 0);
	EXPECT_EQ(x_close(from), 0);
}

TEST(copy, range_at_the_files_offsets_moves_those)
{
	int from = patterned(1, 1), to = memfd(0);

	SETUP(x_lseek(from, 10, SEEK_SET) == 10 && x_lseek(to, 20, SEEK_SET) == 20);
	EXPECT_EQ(x_copy_file_range(from, NULL, to, NULL, 30, 0), 30);
	EXPECT_EQ(offset_of(from), 40);
	EXPECT_EQ(offset_of(to), 50);
	expect_equal(from, 10, to, 20, 30);
	EXPECT_EQ(x_close(to), 0);
	EXPECT_EQ(x_close(from), 0);
}

TEST(copy, range_ends_at_the_end_of_the_source)
{
	/* copy_file_range(2): 0 if the file offset of fd_in is at or past the end of file. */
	int from = patterned(1, 1), to = memfd(0);
	off_t in = PAGE - 10, out = 0;

	EXPECT_EQ(x_copy_file_range(from, &in, to, &out, 100, 0), 10);
	EXPECT_EQ(in, PAGE);
	EXPECT_EQ(out, 10);
	EXPECT_EQ(x_copy_file_range(from, &in, to, &out, 100, 0), 0);
	in = 10 * PAGE;
	EXPECT_EQ(x_copy_file_range(from, &in, to, &out, 100, 0), 0);
	EXPECT_EQ(in, 10 * PAGE);
	EXPECT_EQ(size_of(to), 10);
	EXPECT_EQ(x_close(to), 0);
	EXPECT_EQ(x_close(from), 0);
}

TEST(copy, range_within_one_file_may_touch_but_not_overlap)
{
	/* copy_file_range(2): EINVAL, the source and target ranges overlap. */
	int fd = patterned(2, 1);
	off_t in = 0, out = 100;

	EXPECT_FAILS(x_copy_file_range(fd, &in, fd, &out, 101, 0), EINVAL);
	in = 100, out = 0;
	EXPECT_FAILS(x_copy_file_range(fd, &in, fd, &out, 101, 0), EINVAL);
	in = out = 0;
	EXPECT_FAILS(x_copy_file_range(fd, &in, fd, &out, 1, 0), EINVAL);
	EXPECT_EQ(x_copy_file_range(fd, &in, fd, &out, 0, 0), 0);
	in = 0, out = 100;
	EXPECT_EQ(x_copy_file_range(fd, &in, fd, &out, 100, 0), 100);
	expect_equal(fd, 0, fd, 100, 100);
	/* Overlap is judged after the range has been cut at the end. */
	in = 2 * PAGE - 10, out = 2 * PAGE;
	EXPECT_EQ(x_copy_file_range(fd, &in, fd, &out, PAGE, 0), 10);
	EXPECT_EQ(size_of(fd), 2 * PAGE + 10);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(copy, range_through_a_second_description_is_the_same_file)
{
	int fd = patterned(1, 1), again = reopen(fd, O_RDWR);
	off_t in = 0, out = 1;

	EXPECT_FAILS(x_copy_file_range(fd, &in, again, &out, 2, 0), EINVAL);
	EXPECT_EQ(x_close(again), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(copy, range_is_seen_by_mappings_of_the_target)
{
	int from = patterned(1, 1), to = memfd(1);
	addr_t map = map_shared(to, 1, PROT_READ);
	off_t in = 0, out = 0;

	EXPECT_EQ(ld8(map + 5), 0);
	EXPECT_EQ(x_copy_file_range(from, &in, to, &out, 10, 0), 10);
	EXPECT_EQ(ld8(map + 5), 6);
	unmap(map, 1);
	EXPECT_EQ(x_close(to), 0);
	EXPECT_EQ(x_close(from), 0);
}

TEST(copy, range_with_bad_arguments_fails)
{
	/* copy_file_range(2). Nothing is changed. */
	int from = patterned(1, 1), to = memfd(0);
	off_t in = 0, out = 0;

	EXPECT_FAILS(x_copy_file_range(from, &in, to, &out, 1, 1), EINVAL);
	EXPECT_FAILS(x_copy_file_range(from, &in, to, &out, 1, 0x80000000), EINVAL);
	in = -1;
	EXPECT_FAILS(x_copy_file_range(from, &in, to, &out, 0, 0), EINVAL);
	in = 0, out = -1;
	EXPECT_FAILS(x_copy_file_range(from, &in, to, &out, 0, 0), EINVAL);
	out = LLONG_MAX;
	EXPECT_FAILS(x_copy_file_range(from, &in, to, &out, 1, 0), EFBIG);
	out = 0;
	EXPECT_FAILS(x_copy_file_range(from, &in, to, &out, SIZE_MAX, 0x10), EINVAL);
	EXPECT_EQ(in, 0);
	EXPECT_EQ(size_of(to), 0);
	EXPECT_EQ(x_close(to), 0);
	EXPECT_EQ(x_close(from), 0);
}

TEST(copy, range_that_wraps_fails_EOVERFLOW)
{
	/* copy_file_range(2): the requested source or destination range is too large. */
	int from = patterned(1, 1), to = memfd(0);
	off_t in = 1, out = 1;

	EXPECT_FAILS(x_copy_file_range(from, &in, to, &out, SIZE_MAX, 0), EOVERFLOW);
	in = out = 0;
	EXPECT_EQ(x_copy_file_range(from, &in, to, &out, SIZE_MAX, 0), PAGE);
	EXPECT_EQ(x_close(to), 0);
	EXPECT_EQ(x_close(from), 0);
}

TEST(copy, range_with_bad_pointers_fails_EFAULT)
{
	int from = patterned(1, 1), to = memfd(0);
	addr_t readonly = map_anonymous(1, PROT_READ, MAP_PRIVATE), hole = unmapped_page();
	off_t in = 0;

	EXPECT_FAILS(x_copy_file_range(from, ubuf(hole), to, NULL, 1, 0), EFAULT);
	EXPECT_FAILS(x_copy_file_range(from, &in, to, ubuf(hole), 1, 7), EFAULT);
	EXPECT_FAILS(x_copy_file_range(from, ubuf(hole - 4), to, &in, 1, 0), EFAULT);
	EXPECT_EQ(size_of(to), 0);
	/* Where it cannot be written back the bytes have been copied. */
	EXPECT_FAILS(x_copy_file_range(from, ubuf(readonly), to, NULL, 3, 0), EFAULT);
	EXPECT_EQ(size_of(to), 3);
	unmap(readonly, 1);
	EXPECT_EQ(x_close(to), 0);
	EXPECT_EQ(x_close(from), 0);
}

TEST(copy, range_of_bad_fds_fails)
{
	/* copy_file_range(2): EBADF, EINVAL (not a regular file). */
	int from = patterned(1, 1), to = memfd(0), closed, ends[2];
	int readonly = reopen(to, O_RDONLY), writeonly = reopen(from, O_WRONLY),
	    appending = reopen(to, O_WRONLY | O_APPEND);
	addr_t hole = unmapped_page();

	stream_pair(ends);
	closed = lowest_free_fd();
	EXPECT_FAILS(x_copy_file_range(closed, ubuf(hole), to, NULL, 1, 1), EBADF);
	EXPECT_FAILS(x_copy_file_range(from, NULL, -1, NULL, 1, 1), EBADF);
	EXPECT_FAILS(x_copy_file_range(from, NULL, readonly, NULL, 1, 0), EBADF);
	EXPECT_FAILS(x_copy_file_range(writeonly, NULL, to, NULL, 1, 0), EBADF);
	EXPECT_FAILS(x_copy_file_range(from, NULL, appending, NULL, 1, 0), EBADF);
	EXPECT_FAILS(x_copy_file_range(from, NULL, ends[0], NULL, 1, 0), EINVAL);
	EXPECT_FAILS(x_copy_file_range(ends[0], NULL, to, NULL, 1, 0), EINVAL);
	EXPECT_EQ(size_of(to), 0);
	close_pair(ends);
	EXPECT_EQ(x_close(appending), 0);
	EXPECT_EQ(x_close(writeonly), 0);
	EXPECT_EQ(x_close(readonly), 0);
	EXPECT_EQ(x_close(to), 0);
	EXPECT_EQ(x_close(from), 0);
}

/* sendfile. */

TEST(copy, sendfile_with_an_offset_moves_that_and_the_target)
{
	int from = patterned(3, 1), to = memfd(0);
	off_t at = 100;

	SETUP(x_lseek(to, 50, SEEK_SET) == 50);
	EXPECT_EQ(x_sendfile(to, from, &at, 2 * PAGE), 2 * PAGE);
	EXPECT_EQ(at, 100 + 2 * PAGE);
	EXPECT_EQ(offset_of(from), 0);
	EXPECT_EQ(offset_of(to), 50 + 2 * PAGE);
	expect_equal(from, 100, to, 50, 2 * PAGE);
	EXPECT_EQ(x_close(to), 0);
	EXPECT_EQ(x_close(from), 0);
}

TEST(copy, sendfile_without_an_offset_moves_both_files)
{
	int from = patterned(1, 1), to = memfd(0);

	SETUP(x_lseek(from, PAGE - 5, SEEK_SET) == PAGE - 5);
	EXPECT_EQ(x_sendfile(to, from, NULL, 100), 5);
	EXPECT_EQ(offset_of(from), PAGE);
	EXPECT_EQ(offset_of(to), 5);
	EXPECT_EQ(x_sendfile(to, from, NULL, 100), 0);
	expect_equal(from, PAGE - 5, to, 0, 5);
	EXPECT_EQ(x_close(to), 0);
	EXPECT_EQ(x_close(from), 0);
}

TEST(copy, sendfile_to_a_socket_sends_the_bytes)
{
	int from = patterned(2, 1), ends[2];
	static unsigned char sent[2 * PAGE], got[2 * PAGE];
	off_t at = 1;

	stream_pair(ends);
	EXPECT_EQ(x_sendfile(ends[0], from, &at, PAGE), PAGE);
	EXPECT_EQ(at, PAGE + 1);
	EXPECT_EQ(x_recv(ends[1], got, sizeof(got), 0), PAGE);
	EXPECT_EQ(x_pread(from, sent, PAGE, 1), PAGE);
	EXPECT_MEMEQ(got, sent, PAGE);
	close_pair(ends);
	EXPECT_EQ(x_close(from), 0);
}

TEST(copy, sendfile_of_a_hole_sends_zeros)
{
	int from = memfd(2), to = memfd(0);

	EXPECT_EQ(x_sendfile(to, from, NULL, 2 * PAGE), 2 * PAGE);
	EXPECT_EQ(size_of(to), 2 * PAGE);
	EXPECT_EQ(byte_at(to, PAGE), 0);
	EXPECT_EQ(x_close(to), 0);
	EXPECT_EQ(x_close(from), 0);
}

TEST(copy, sendfile_into_the_same_file_goes_on_at_its_end)
{
	int fd = patterned(1, 1);
	off_t at = 0;

	SETUP(x_lseek(fd, PAGE, SEEK_SET) == PAGE);
	EXPECT_EQ(x_sendfile(fd, fd, &at, PAGE), PAGE);
	EXPECT_EQ(size_of(fd), 2 * PAGE);
	expect_equal(fd, 0, fd, PAGE, PAGE);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(copy, sendfile_with_bad_arguments_fails)
{
	/* sendfile(2). */
	int from = patterned(1, 1), to = memfd(0);
	addr_t readonly = map_anonymous(1, PROT_READ, MAP_PRIVATE), hole = unmapped_page();
	off_t at = -1;

	EXPECT_FAILS(x_sendfile(to, from, &at, 1), EINVAL);
	at = LLONG_MAX;
	EXPECT_FAILS(x_sendfile(to, from, &at, 2), EINVAL);
	at = 0;
	EXPECT_FAILS(x_sendfile(to, from, &at, (size_t)-1), EINVAL);
	EXPECT_FAILS(x_sendfile(to, from, NULL, (size_t)SSIZE_MAX + 1), EINVAL);
	EXPECT_FAILS(x_sendfile(to, from, ubuf(hole), 1), EFAULT);
	EXPECT_EQ(x_sendfile(to, from, &at, 0), 0);
	EXPECT_EQ(size_of(to), 0);
	/* The bytes are sent, and then the offset cannot be told. */
	EXPECT_FAILS(x_sendfile(to, from, ubuf(readonly), 3), EFAULT);
	EXPECT_EQ(size_of(to), 3);
	unmap(readonly, 1);
	EXPECT_EQ(x_close(to), 0);
	EXPECT_EQ(x_close(from), 0);
}

TEST(copy, sendfile_of_bad_fds_fails)
{
	/*
	 * sendfile(2): EBADF; EINVAL, in_fd is a socket, or out_fd appends; ESPIPE, it cannot seek and offset is not
	 * NULL.
	 */
	int from = patterned(1, 1), to = memfd(0), closed, ends[2];
	int readonly = reopen(to, O_RDONLY), writeonly = reopen(from, O_WRONLY),
	    appending = reopen(to, O_WRONLY | O_APPEND);
	addr_t hole = unmapped_page();
	off_t at = 0;

	stream_pair(ends);
	closed = lowest_free_fd();
	EXPECT_FAILS(x_sendfile(to, closed, NULL, 1), EBADF);
	EXPECT_FAILS(x_sendfile(closed, from, NULL, 1), EBADF);
	EXPECT_FAILS(x_sendfile(closed, from, NULL, (size_t)-1), EINVAL);
	EXPECT_FAILS(x_sendfile(-1, -1, ubuf(hole), 1), EFAULT);
	EXPECT_FAILS(x_sendfile(readonly, from, NULL, 1), EBADF);
	EXPECT_FAILS(x_sendfile(to, writeonly, NULL, 1), EBADF);
	EXPECT_FAILS(x_sendfile(appending, from, NULL, 1), EINVAL);
	EXPECT_FAILS(x_sendfile(to, ends[0], NULL, 1), EINVAL);
	EXPECT_FAILS(x_sendfile(to, ends[0], &at, 1), ESPIPE);
	EXPECT_EQ(size_of(to), 0);
	EXPECT_EQ(offset_of(from), 0);
	close_pair(ends);
	EXPECT_EQ(x_close(appending), 0);
	EXPECT_EQ(x_close(writeonly), 0);
	EXPECT_EQ(x_close(readonly), 0);
	EXPECT_EQ(x_close(to), 0);
	EXPECT_EQ(x_close(from), 0);
}
