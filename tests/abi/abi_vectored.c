// SPDX-License-Identifier: MIT
/*
 * What Linux promises of rows of buffers: readv(2) with readv, writev, preadv, pwritev, preadv2, pwritev2. What is
 * moved where, the flags as tmpfs answers them, and every errno with bad rows, buffers, offsets and fds.
 */
#include "abi.h"

#include <limits.h>

#ifndef RWF_NOAPPEND
#define RWF_NOAPPEND 0x20
#endif

enum { IOV_LIMIT = 1024 };

/* The largest offset, and the unknown flag of the future. */
#define FAR     LLONG_MAX
#define UNKNOWN 0x40000000

/* What a compiler would warn of if it saw it. */
static struct iovec *volatile nowhere;
static volatile int minus_1 = -1, least = INT_MIN;

static struct iovec over(void *base, size_t len)
{
	return (struct iovec){ base, len };
}

/* A file that says "0123456789". */
static int digits(void)
{
	int fd = memfd(0);

	SETUP(x_write(fd, "0123456789", 10) == 10 && x_lseek(fd, 0, SEEK_SET) == 0);
	return fd;
}

static void expect_digits(int fd)
{
	char got[16];

	EXPECT_EQ(x_pread(fd, got, sizeof(got), 0), 10);
	EXPECT_MEMEQ(got, "0123456789", 10);
}

TEST(vectored, readv_fills_the_buffers_in_turn)
{
	char a[3], b[1], c[20];
	struct iovec iov[4] = { over(a, 3), over(NULL, 0), over(b, 1), over(c, 20) };
	int fd = digits();

	EXPECT_EQ(x_readv(fd, iov, 4), 10);
	EXPECT_MEMEQ(a, "012", 3);
	EXPECT_MEMEQ(b, "3", 1);
	EXPECT_MEMEQ(c, "456789", 6);
	EXPECT_EQ(x_lseek(fd, 0, SEEK_CUR), 10);
	EXPECT_EQ(x_readv(fd, iov, 4), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(vectored, writev_gathers_the_buffers_in_turn)
{
	struct iovec iov[3] = { over((char[]){ "01234" }, 5), over((char[]){ "5" }, 1), over((char[]){ "6789" }, 4) };
	int fd = memfd(0);

	EXPECT_EQ(x_writev(fd, iov, 3), 10);
	EXPECT_EQ(x_lseek(fd, 0, SEEK_CUR), 10);
	expect_digits(fd);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(vectored, preadv_and_pwritev_leave_the_offset_alone)
{
	char a[2], b[2];
	struct iovec in[2] = { over(a, 2), over(b, 2) },
		     out[2] = { over((char[]){ "ab" }, 2), over((char[]){ "cd" }, 2) };
	int fd = digits();

	EXPECT_EQ(x_preadv(fd, in, 2, 3), 4);
	EXPECT_MEMEQ(a, "34", 2);
	EXPECT_MEMEQ(b, "56", 2);
	EXPECT_EQ(x_pwritev(fd, out, 2, 100), 4);
	EXPECT_EQ(size_of(fd), 104);
	EXPECT_EQ(byte_at(fd, 103), 'd');
	EXPECT_EQ(x_lseek(fd, 0, SEEK_CUR), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(vectored, offset_of_minus_1_is_the_files_own_for_the_2_calls_only)
{
	/* readv(2): preadv2 and pwritev2. */
	char a[4];
	struct iovec iov = over(a, 4);
	int fd = digits();

	EXPECT_EQ(x_preadv2(fd, &iov, 1, -1, 0), 4);
	EXPECT_EQ(x_lseek(fd, 0, SEEK_CUR), 4);
	EXPECT_EQ(x_pwritev2(fd, &iov, 1, -1, 0), 4);
	EXPECT_EQ(byte_at(fd, 4), '0');
	EXPECT_EQ(x_lseek(fd, 0, SEEK_CUR), 8);
	EXPECT_FAILS(x_preadv(fd, &iov, 1, -1), EINVAL);
	EXPECT_FAILS(x_pwritev(fd, &iov, 1, -1), EINVAL);
	EXPECT_FAILS(x_preadv2(fd, &iov, 1, -2, 0), EINVAL);
	EXPECT_FAILS(x_pwritev2(fd, &iov, 1, LLONG_MIN, 0), EINVAL);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(vectored, many_buffers_are_moved_as_one)
{
	/* More than a page, and as many buffers as may be. */
	static char bytes[IOV_LIMIT * 5], got[IOV_LIMIT * 5];
	static struct iovec iov[IOV_LIMIT], back[IOV_LIMIT];
	int fd = memfd(0);

	fill_pattern((unsigned char *)bytes, sizeof(bytes), 3);
	for (int i = 0; i < IOV_LIMIT; i++) {
		iov[i] = over(bytes + 5 * i, 5);
		back[i] = over(got + 5 * i, 5);
	}
	EXPECT_EQ(x_writev(fd, iov, IOV_LIMIT), sizeof(bytes));
	EXPECT_EQ(x_preadv(fd, back, IOV_LIMIT, 0), sizeof(bytes));
	EXPECT_MEMEQ(got, bytes, sizeof(bytes));
	EXPECT_EQ(x_close(fd), 0);
}

/* Flags. */

TEST(vectored, RWF_APPEND_writes_at_the_end_whatever_the_offset)
{
	/* readv(2): the offset argument does not affect the write; with -1 the file's offset is updated. */
	struct iovec iov = over((char[]){ "ab" }, 2);
	int fd = digits();

	EXPECT_EQ(x_pwritev2(fd, &iov, 1, 3, RWF_APPEND), 2);
	EXPECT_EQ(size_of(fd), 12);
	EXPECT_EQ(x_lseek(fd, 0, SEEK_CUR), 0);
	EXPECT_EQ(x_pwritev2(fd, &iov, 1, -1, RWF_APPEND), 2);
	EXPECT_EQ(x_lseek(fd, 0, SEEK_CUR), 14);
	EXPECT_EQ(x_preadv2(fd, &iov, 1, 0, RWF_APPEND), 2);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(vectored, RWF_NOAPPEND_writes_at_the_offset_of_an_appending_fd)
{
	struct iovec iov = over((char[]){ "ab" }, 2);
	int fd, appending;

	if (linux_release() < 6009)
		SKIP("RWF_NOAPPEND came with 6.9");
	fd = digits();
	appending = reopen(fd, O_RDWR | O_APPEND);
	EXPECT_EQ(x_pwritev2(appending, &iov, 1, 0, RWF_NOAPPEND), 2);
	EXPECT_EQ(size_of(fd), 10);
	EXPECT_EQ(byte_at(fd, 1), 'b');
	EXPECT_EQ(x_pwritev2(appending, &iov, 1, -1, RWF_NOAPPEND), 2);
	EXPECT_EQ(x_lseek(appending, 0, SEEK_CUR), 2);
	EXPECT_EQ(x_pwritev2(appending, &iov, 1, 0, 0), 2);
	EXPECT_EQ(size_of(fd), 12);
	EXPECT_FAILS(x_pwritev2(appending, &iov, 1, 0, RWF_APPEND | RWF_NOAPPEND), EINVAL);
	EXPECT_FAILS(x_preadv2(appending, &iov, 1, 0, RWF_APPEND | RWF_NOAPPEND), EINVAL);
	EXPECT_EQ(size_of(fd), 12);
	EXPECT_EQ(x_close(appending), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(vectored, flags_about_disks_change_nothing)
{
	static const int flags[] = { RWF_HIPRI, RWF_DSYNC, RWF_SYNC, RWF_HIPRI | RWF_DSYNC | RWF_SYNC };
	char byte = '0';
	struct iovec iov = over(&byte, 1);
	int fd = digits();

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		EXPECT_EQ(x_pwritev2(fd, &iov, 1, 0, flags[i]), 1);
		EXPECT_EQ(x_preadv2(fd, &iov, 1, 0, flags[i]), 1);
	}
	expect_digits(fd);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(vectored, flags_that_tmpfs_does_not_have_fail_EOPNOTSUPP)
{
	/*
	 * readv(2): an unknown flag is specified; RWF_NOWAIT, RWF_ATOMIC (0x40) and RWF_DONTCACHE (0x80) are not for
	 * tmpfs.
	 */
	static const int flags[] = { RWF_NOWAIT, 0x40, 0x80, UNKNOWN, UNKNOWN | RWF_HIPRI, INT_MIN };
	char byte = 'x';
	struct iovec iov = over(&byte, 1);
	int fd = digits();

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		EXPECT_FAILS(x_pwritev2(fd, &iov, 1, 0, flags[i]), EOPNOTSUPP);
		EXPECT_FAILS(x_preadv2(fd, &iov, 1, 0, flags[i]), EOPNOTSUPP);
		EXPECT_FAILS(x_pwritev2(fd, &iov, 1, -1, flags[i]), EOPNOTSUPP);
	}
	expect_digits(fd);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(vectored, flags_are_not_looked_at_for_no_bytes)
{
	/* vfs_writev: a row of no bytes is done before the flags are read. */
	struct iovec iov = over(NULL, 0);
	int fd = digits();

	EXPECT_EQ(x_pwritev2(fd, &iov, 1, 0, UNKNOWN), 0);
	EXPECT_EQ(x_preadv2(fd, nowhere, 0, 0, UNKNOWN), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(vectored, RWF_NOWAIT_of_an_empty_socket_fails_EAGAIN)
{
	char byte = 'x';
	struct iovec iov = over(&byte, 1);
	int ends[2];

	stream_pair(ends);
	EXPECT_FAILS(x_preadv2(ends[1], &iov, 1, -1, RWF_NOWAIT), EAGAIN);
	EXPECT_EQ(x_pwritev2(ends[0], &iov, 1, -1, RWF_NOWAIT), 1);
	byte = 0;
	EXPECT_EQ(x_preadv2(ends[1], &iov, 1, -1, RWF_NOWAIT), 1);
	EXPECT_EQ(byte, 'x');
	EXPECT_FAILS(x_pwritev2(ends[0], &iov, 1, -1, UNKNOWN), EOPNOTSUPP);
	close_pair(ends);
}

/* Bad fds. */

TEST(vectored, calls_on_bad_fds_fail)
{
	/* readv(2), preadv(2): EBADF, ESPIPE. A negative offset is seen first. */
	char byte;
	struct iovec iov = over(&byte, 1);
	int fd = digits(), readonly = reopen(fd, O_RDONLY), writeonly = reopen(fd, O_WRONLY);
	int closed = lowest_free_fd(), ends[2];

	EXPECT_FAILS(x_readv(closed, &iov, 1), EBADF);
	EXPECT_FAILS(x_writev(-1, &iov, 1), EBADF);
	EXPECT_FAILS(x_preadv(closed, &iov, 1, 0), EBADF);
	EXPECT_FAILS(x_pwritev2(closed, &iov, 1, -1, UNKNOWN), EBADF);
	EXPECT_FAILS(x_preadv(closed, &iov, 1, -1), EINVAL);
	EXPECT_FAILS(x_readv(writeonly, &iov, 1), EBADF);
	EXPECT_FAILS(x_preadv2(writeonly, &iov, 1, 0, UNKNOWN), EBADF);
	EXPECT_FAILS(x_writev(readonly, &iov, 1), EBADF);
	EXPECT_FAILS(x_pwritev(readonly, &iov, 1, 0), EBADF);
	EXPECT_FAILS(x_writev(readonly, nowhere, minus_1), EBADF);
	stream_pair(ends);
	EXPECT_FAILS(x_preadv(ends[0], &iov, 1, 0), ESPIPE);
	EXPECT_FAILS(x_pwritev2(ends[0], &iov, 1, 0, 0), ESPIPE);
	EXPECT_FAILS(x_preadv(ends[0], &iov, 1, -1), EINVAL);
	close_pair(ends);
	expect_digits(fd);
	EXPECT_EQ(x_close(writeonly), 0);
	EXPECT_EQ(x_close(readonly), 0);
	EXPECT_EQ(x_close(fd), 0);
}

/* Bad rows. */

TEST(vectored, rows_of_a_bad_number_of_buffers_fail_EINVAL)
{
	/* readv(2): iovcnt is less than zero or greater than the permitted maximum. */
	static struct iovec iov[IOV_LIMIT + 1];
	char byte = 'x';
	int fd = digits();

	for (int i = 0; i <= IOV_LIMIT; i++)
		iov[i] = over(&byte, 1);
	EXPECT_FAILS(x_readv(fd, iov, IOV_LIMIT + 1), EINVAL);
	EXPECT_FAILS(x_writev(fd, iov, IOV_LIMIT + 1), EINVAL);
	EXPECT_FAILS(x_pwritev(fd, iov, minus_1, 0), EINVAL);
	EXPECT_FAILS(x_preadv2(fd, iov, least, 0, 0), EINVAL);
	EXPECT_EQ(x_writev(fd, iov, 0), 0);
	EXPECT_EQ(x_readv(fd, nowhere, 0), 0);
	expect_digits(fd);
	EXPECT_EQ(x_lseek(fd, 0, SEEK_CUR), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(vectored, rows_with_a_negative_length_fail_EINVAL)
{
	/* readv(2): the sum of the iov_len values overflows an ssize_t value; Linux looks at each. */
	char byte = 'x';
	struct iovec iov[2] = { over(&byte, 1), over(&byte, (size_t)-1) };
	int fd = digits();

	EXPECT_FAILS(x_readv(fd, iov, 2), EINVAL);
	EXPECT_FAILS(x_writev(fd, iov, 2), EINVAL);
	EXPECT_FAILS(x_writev(fd, iov + 1, 1), EINVAL);
	iov[1].iov_len = (size_t)SSIZE_MAX + 1;
	EXPECT_FAILS(x_pwritev(fd, iov, 2, 0), EINVAL);
	EXPECT_FAILS(x_preadv2(fd, iov, 2, 0, UNKNOWN), EINVAL);
	expect_digits(fd);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(vectored, rows_at_bad_addresses_fail_EFAULT)
{
	addr_t two = map_anonymous(2, PROT_READ | PROT_WRITE, MAP_PRIVATE), hole = unmapped_page();
	int fd = digits();

	EXPECT_FAILS(x_readv(fd, nowhere, 1), EFAULT);
	EXPECT_FAILS(x_writev(fd, nowhere, 1), EFAULT);
	EXPECT_FAILS(x_readv(fd, ubuf(hole), 1), EFAULT);
	EXPECT_FAILS(x_writev(fd, ubuf(hole + PAGE - 8), 1), EFAULT);
	/* Half of the second one is there. */
	unmap(two + PAGE, 1);
	EXPECT_FAILS(x_pwritev(fd, ubuf(two + PAGE - 24), 2, 0), EFAULT);
	expect_digits(fd);
	unmap(two, 1);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(vectored, rows_in_mapped_memory_may_be_anywhere_readable)
{
	/* Unaligned, read-only, at the very end of a mapping. */
	addr_t two = map_anonymous(2, PROT_READ | PROT_WRITE, MAP_PRIVATE), at = two + PAGE - sizeof(struct iovec);
	char got[4];
	struct iovec iov = over(got, 4);
	int fd = digits();

	unmap(two + PAGE, 1);
	for (size_t i = 0; i < sizeof(iov); i++)
		st8(at + i, ((unsigned char *)&iov)[i]);
	SETUP(x_mprotect(two, PAGE, PROT_READ) == 0);
	EXPECT_EQ(x_readv(fd, ubuf(at), 1), 4);
	EXPECT_MEMEQ(got, "0123", 4);
	unmap(two, 1);
	EXPECT_EQ(x_close(fd), 0);
}

/* Bad buffers. */

TEST(vectored, buffers_that_cannot_be_accessed_end_the_transfer)
{
	/* EFAULT if nothing was moved, else a short count. */
	addr_t readonly = map_anonymous(1, PROT_READ, MAP_PRIVATE), hole = unmapped_page();
	char a[2] = { 'A', 'B' };
	struct iovec iov[2] = { over(a, 2), over(ubuf(hole), 3) };
	int fd = digits();

	EXPECT_FAILS(x_readv(fd, iov + 1, 1), EFAULT);
	EXPECT_FAILS(x_writev(fd, iov + 1, 1), EFAULT);
	EXPECT_EQ(x_preadv(fd, iov, 2, 0), 2);
	EXPECT_EQ(x_pwritev(fd, iov, 2, 0), 2);
	expect_digits(fd);
	iov[1] = over(ubuf(readonly), 3);
	EXPECT_EQ(x_preadv(fd, iov, 2, 0), 2);
	EXPECT_FAILS(x_preadv(fd, iov + 1, 1, 0), EFAULT);
	EXPECT_EQ(x_pwritev(fd, iov, 2, 0), 5);
	EXPECT_EQ(byte_at(fd, 2), 0);
	EXPECT_EQ(x_lseek(fd, 0, SEEK_CUR), 0);
	unmap(readonly, 1);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(vectored, buffers_beyond_all_addresses_fail_EFAULT_before_anything_moves)
{
	char a[2] = { 'A', 'B' };
	struct iovec iov[2] = { over(a, 2), over(ubuf((addr_t)1 << 62), 3) };
	int fd = digits();

	EXPECT_FAILS(x_pwritev(fd, iov, 2, 0), EFAULT);
	EXPECT_FAILS(x_preadv(fd, iov, 2, 0), EFAULT);
	expect_digits(fd);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(vectored, buffers_past_the_end_of_a_mapped_file_fail_EFAULT)
{
	/* 57: no signal. */
	int fd = digits(), mapped = memfd(1);
	addr_t map = map_shared(mapped, 2, PROT_READ | PROT_WRITE);
	struct iovec iov = over(ubuf(map + PAGE - 2), 4), past = over(ubuf(map + PAGE), 1);

	EXPECT_EQ(x_preadv(fd, &iov, 1, 0), 2);
	EXPECT_EQ(ld8(map + PAGE - 1), '1');
	EXPECT_FAILS(x_preadv(fd, &past, 1, 0), EFAULT);
	EXPECT_FAILS(x_pwritev(fd, &past, 1, 0), EFAULT);
	expect_digits(fd);
	unmap(map, 2);
	EXPECT_EQ(x_close(mapped), 0);
	EXPECT_EQ(x_close(fd), 0);
}

/* Bad offsets. */

TEST(vectored, offsets_that_would_overflow_fail_EINVAL)
{
	char bytes[2] = { 0, 0 };
	struct iovec iov = over(bytes, 2);
	int fd = digits();

	EXPECT_FAILS(x_preadv(fd, &iov, 1, FAR - 1), EINVAL);
	EXPECT_FAILS(x_pwritev(fd, &iov, 1, FAR - 1), EINVAL);
	EXPECT_FAILS(x_pwritev2(fd, &iov, 1, FAR, 0), EINVAL);
	EXPECT_EQ(x_preadv(fd, &iov, 1, FAR - 2), 0);
	expect_digits(fd);
	EXPECT_EQ(x_close(fd), 0);
}
