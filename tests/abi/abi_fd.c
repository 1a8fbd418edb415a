// SPDX-License-Identifier: MIT
/*
 * What Linux promises of file descriptors: dup, fcntl, open of /proc/self/fd/N; which state belongs to the fd, which to
 * the open file description, which to the file. SEMANTICS.md 11, 12; dup(2), fcntl(2), open(2), proc(5).
 */
#include "abi.h"

#include <limits.h>

static int fails_to_open(int fd, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return x_open(path, flags);
}

/* dup. */

TEST(fd, dup_shares_the_offset)
{
	/* 11, dup(2): the same open file description. */
	int fd = memfd(1);
	int copy = x_dup(fd);

	EXPECT_EQ(x_write(fd, "abc", 3), 3);
	EXPECT_EQ(x_lseek(copy, 0, SEEK_CUR), 3);
	EXPECT_EQ(x_lseek(copy, 50, SEEK_SET), 50);
	EXPECT_EQ(x_lseek(fd, 0, SEEK_CUR), 50);
	EXPECT_EQ(x_close(copy), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(fd, dup_shares_the_status_flags)
{
	/* dup(2), fcntl(2): F_SETFL works on the description. */
	int fd = memfd(1);
	int copy = x_dup(fd);

	EXPECT_EQ(x_fcntl(copy, F_SETFL, O_APPEND), 0);
	EXPECT((x_fcntl(fd, F_GETFL) & O_APPEND) != 0);
	EXPECT_EQ(x_close(copy), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(fd, dup_does_not_share_close_on_exec)
{
	/* dup(2): the flag is off for the duplicate. */
	int fd = memfd(1);
	int copy = x_dup(fd);

	EXPECT_EQ(x_fcntl(fd, F_GETFD), FD_CLOEXEC);
	EXPECT_EQ(x_fcntl(copy, F_GETFD), 0);
	EXPECT_EQ(x_close(copy), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(fd, dup_takes_the_lowest_free_fd)
{
	/* dup(2): the lowest-numbered fd that is unused. */
	int fds[3] = { memfd(0), memfd(0), memfd(0) };

	EXPECT_EQ(x_close(fds[0]), 0);
	EXPECT_EQ(x_dup(fds[2]), fds[0]);
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(x_close(fds[i]), 0);
}

TEST(fd, dup_keeps_the_file_when_the_first_is_closed)
{
	/* close(2): the description is freed with the last fd. */
	int fd = memfd(0);
	int copy = x_dup(fd);

	EXPECT_EQ(x_write(fd, "abc", 3), 3);
	EXPECT_EQ(x_close(fd), 0);
	EXPECT_EQ(size_of(copy), 3);
	EXPECT_EQ(byte_at(copy, 2), 'c');
	EXPECT_EQ(x_close(copy), 0);
}

TEST(fd, dup_of_a_closed_fd_fails_EBADF)
{
	/* dup(2). */
	EXPECT_FAILS(x_dup(lowest_free_fd()), EBADF);
	EXPECT_FAILS(x_dup(-1), EBADF);
	EXPECT_FAILS(x_dup(INT_MAX), EBADF);
}

TEST(fd, dup_at_the_limit_fails_EMFILE)
{
	/* dup(2). */
	struct fd_hog hog;

	hog_fds(&hog, 0);
	EXPECT_FAILS(x_dup(hog.fds[0]), EMFILE);
	unhog_fds(&hog);
}

TEST(fd, numbers_run_up_to_the_limit)
{
	/* getrlimit(2): RLIMIT_NOFILE is one greater than the largest fd. */
	struct fd_hog hog;
	int largest = 0;

	hog_fds(&hog, 0);
	for (int i = 0; i < hog.nfds; i++)
		largest = hog.fds[i] > largest ? hog.fds[i] : largest;
	EXPECT_EQ(largest, NFDS_LIMIT - 1);
	unhog_fds(&hog);
}

/* fcntl. */

TEST(fd, F_DUPFD_takes_the_lowest_free_fd_from_its_argument_on)
{
	/* fcntl(2). */
	int fd = memfd(1);
	int first = x_fcntl(fd, F_DUPFD, 500);
	int second = x_fcntl(fd, F_DUPFD, 500);
	int low = x_fcntl(fd, F_DUPFD, 0);

	EXPECT_EQ(first, 500);
	EXPECT_EQ(second, 501);
	EXPECT(low < 500 && low != fd);
	EXPECT_EQ(x_fcntl(first, F_GETFD), 0);
	EXPECT_EQ(x_close(low), 0);
	EXPECT_EQ(x_close(first), 0);
	EXPECT_EQ(x_close(second), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(fd, F_DUPFD_CLOEXEC_sets_close_on_exec)
{
	/* fcntl(2). */
	int fd = x_memfd_create("abi", 0);
	int copy = x_fcntl(fd, F_DUPFD_CLOEXEC, 100);

	EXPECT_EQ(copy, 100);
	EXPECT_EQ(x_fcntl(copy, F_GETFD), FD_CLOEXEC);
	EXPECT_EQ(x_fcntl(fd, F_GETFD), 0);
	EXPECT_EQ(x_close(copy), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(fd, F_DUPFD_beyond_the_limit_fails_EINVAL)
{
	/* fcntl(2): arg is negative, or not less than RLIMIT_NOFILE. */
	int fd = memfd(1);

	EXPECT_FAILS(x_fcntl(fd, F_DUPFD, NFDS_LIMIT), EINVAL);
	EXPECT_FAILS(x_fcntl(fd, F_DUPFD, -1), EINVAL);
	EXPECT_FAILS(x_fcntl(fd, F_DUPFD_CLOEXEC, NFDS_LIMIT), EINVAL);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(fd, F_DUPFD_with_no_free_fd_from_its_argument_on_fails_EMFILE)
{
	/* fcntl(2): although lower ones are free. */
	int fd = memfd(1);
	int last = x_fcntl(fd, F_DUPFD, NFDS_LIMIT - 1);

	EXPECT_EQ(last, NFDS_LIMIT - 1);
	EXPECT_FAILS(x_fcntl(fd, F_DUPFD, NFDS_LIMIT - 1), EMFILE);
	EXPECT_EQ(x_close(last), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(fd, F_SETFD_sets_and_clears_close_on_exec)
{
	/* fcntl(2): other bits are ignored. */
	int fd = x_memfd_create("abi", 0);

	EXPECT_EQ(x_fcntl(fd, F_SETFD, FD_CLOEXEC), 0);
	EXPECT_EQ(x_fcntl(fd, F_GETFD), FD_CLOEXEC);
	EXPECT_EQ(x_fcntl(fd, F_SETFD, 2), 0);
	EXPECT_EQ(x_fcntl(fd, F_GETFD), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(fd, F_SETFL_changes_status_flags_only)
{
	/* fcntl(2): access mode and creation flags in arg are ignored. */
	int fd = memfd(0);
	int before = x_fcntl(fd, F_GETFL);

	EXPECT_EQ(x_fcntl(fd, F_SETFL, O_WRONLY | O_TRUNC | O_NONBLOCK), 0);
	EXPECT_EQ(x_fcntl(fd, F_GETFL), before | O_NONBLOCK);
	EXPECT_EQ(x_fcntl(fd, F_SETFL, 0), 0);
	EXPECT_EQ(x_fcntl(fd, F_GETFL), before);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(fd, F_SETFL_sets_O_NOATIME_and_clears_it)
{
	/* fcntl(2). */
	int fd = memfd(0);
	int before = x_fcntl(fd, F_GETFL);

	EXPECT_EQ(x_fcntl(fd, F_SETFL, O_NOATIME | O_APPEND), 0);
	EXPECT_EQ(x_fcntl(fd, F_GETFL), before | O_NOATIME | O_APPEND);
	EXPECT_EQ(x_fcntl(fd, F_SETFL, 0), 0);
	EXPECT_EQ(x_fcntl(fd, F_GETFL), before);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(fd, F_SETFL_sets_O_DIRECT_of_what_was_opened_and_fails_EINVAL_for_all_else)
{
	/* fcntl(2), open(2) EINVAL. A new memfd was not opened; the same file, opened, may be O_DIRECT. */
	int ends[2], fd, again, before;

	if (linux_release() < 6006)
		SKIP("O_DIRECT of a tmpfs came with 6.6");
	fd = memfd(0);
	stream_pair(ends);
	EXPECT_FAILS(x_fcntl(fd, F_SETFL, O_DIRECT), EINVAL);
	EXPECT_FAILS(x_fcntl(ends[0], F_SETFL, O_DIRECT), EINVAL);
	again = reopen(fd, O_RDWR);
	before = x_fcntl(again, F_GETFL);
	EXPECT_EQ(x_fcntl(again, F_SETFL, O_DIRECT), 0);
	EXPECT_EQ(x_fcntl(again, F_GETFL), before | O_DIRECT);
	EXPECT_EQ(x_fcntl(again, F_SETFL, 0), 0);
	EXPECT_EQ(x_fcntl(again, F_GETFL), before);
	x_close(again);
	x_close(fd);
	x_close(ends[0]);
	x_close(ends[1]);
}

TEST(fd, fcntl_of_a_closed_fd_fails_EBADF)
{
	/* fcntl(2). */
	int closed = lowest_free_fd();

	EXPECT_FAILS(x_fcntl(closed, F_GETFD), EBADF);
	EXPECT_FAILS(x_fcntl(closed, F_SETFD, 0), EBADF);
	EXPECT_FAILS(x_fcntl(closed, F_GETFL), EBADF);
	EXPECT_FAILS(x_fcntl(closed, F_SETFL, 0), EBADF);
	EXPECT_FAILS(x_fcntl(closed, F_DUPFD, 0), EBADF);
	EXPECT_FAILS(x_fcntl(-1, F_DUPFD_CLOEXEC, 0), EBADF);
}

TEST(fd, fcntl_with_an_unknown_command_fails_EINVAL)
{
	/* fcntl(2). */
	int fd = memfd(0);

	EXPECT_FAILS(x_fcntl(fd, 7777, 0), EINVAL);
	EXPECT_EQ(x_close(fd), 0);
}

/* open("/proc/self/fd/N"): 11, 12. */

TEST(fd, reopened_has_an_offset_of_its_own)
{
	/* 11: a new open file description of the same file. */
	int fd = memfd(0);
	int again;
	char byte;

	EXPECT_EQ(x_write(fd, "abc", 3), 3);
	again = reopen(fd, O_RDWR);
	EXPECT_EQ(x_lseek(again, 0, SEEK_CUR), 0);
	EXPECT_EQ(x_read(again, &byte, 1), 1);
	EXPECT_EQ(byte, 'a');
	EXPECT_EQ(x_lseek(fd, 0, SEEK_CUR), 3);
	EXPECT_EQ(x_close(again), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(fd, reopened_is_the_same_file)
{
	/* 11: size, data and inode are shared. */
	struct stat a, b;
	int fd = memfd(0);
	int again = reopen(fd, O_RDWR);

	EXPECT_EQ(x_write(again, "xyz", 3), 3);
	EXPECT_EQ(size_of(fd), 3);
	EXPECT_EQ(x_fstat(fd, &a), 0);
	EXPECT_EQ(x_fstat(again, &b), 0);
	EXPECT_EQ(a.st_ino, b.st_ino);
	EXPECT_EQ(x_close(again), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(fd, reopened_has_status_flags_of_its_own)
{
	/* 11. */
	int fd = memfd(0);
	int again = reopen(fd, O_RDWR | O_APPEND);

	EXPECT((x_fcntl(again, F_GETFL) & O_APPEND) != 0);
	EXPECT((x_fcntl(fd, F_GETFL) & O_APPEND) == 0);
	EXPECT_EQ(x_close(again), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(fd, reopened_read_only_refuses_writes_EBADF)
{
	/* 11, write(2): not open for writing. */
	int fd = memfd(1);
	int readonly = reopen(fd, O_RDONLY);
	char byte;

	EXPECT_EQ(x_fcntl(readonly, F_GETFL) & O_ACCMODE, O_RDONLY);
	EXPECT_FAILS(x_write(readonly, "x", 1), EBADF);
	EXPECT_FAILS(x_pwrite(readonly, "x", 1, 0), EBADF);
	EXPECT_EQ(x_read(readonly, &byte, 1), 1);
	EXPECT_EQ(x_close(readonly), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(fd, reopened_write_only_refuses_reads_EBADF)
{
	/* 11, read(2): not open for reading. */
	int fd = memfd(1);
	int writeonly = reopen(fd, O_WRONLY);
	char byte;

	EXPECT_EQ(x_fcntl(writeonly, F_GETFL) & O_ACCMODE, O_WRONLY);
	EXPECT_FAILS(x_read(writeonly, &byte, 1), EBADF);
	EXPECT_FAILS(x_pread(writeonly, &byte, 1, 0), EBADF);
	EXPECT_EQ(x_write(writeonly, "x", 1), 1);
	EXPECT_EQ(x_close(writeonly), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(fd, read_only_may_be_reopened_for_writing)
{
	/* 12: mode permitting. */
	int fd = memfd(1);
	int readonly = reopen(fd, O_RDONLY);
	int writable = reopen(readonly, O_RDWR);

	EXPECT_EQ(x_write(writable, "x", 1), 1);
	EXPECT_EQ(byte_at(readonly, 0), 'x');
	EXPECT_EQ(x_close(writable), 0);
	EXPECT_EQ(x_close(readonly), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(fd, reopened_outlives_the_first)
{
	/* 11: each description keeps the file. */
	int fd = memfd(0);
	int again = reopen(fd, O_RDWR);

	EXPECT_EQ(x_write(fd, "abc", 3), 3);
	EXPECT_EQ(x_close(fd), 0);
	EXPECT_EQ(size_of(again), 3);
	EXPECT_EQ(x_close(again), 0);
}

TEST(fd, reopened_with_O_CLOEXEC_has_close_on_exec)
{
	/* open(2). */
	int fd = memfd(0);
	int with = reopen(fd, O_RDWR | O_CLOEXEC);
	int without = reopen(fd, O_RDWR);

	EXPECT_EQ(x_fcntl(with, F_GETFD), FD_CLOEXEC);
	EXPECT_EQ(x_fcntl(without, F_GETFD), 0);
	EXPECT_EQ(x_close(with), 0);
	EXPECT_EQ(x_close(without), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(fd, reopened_with_O_TRUNC_is_empty)
{
	/* open(2): truncated to length 0. */
	int fd = memfd(2);
	int again = reopen(fd, O_RDWR | O_TRUNC);

	EXPECT_EQ(size_of(fd), 0);
	EXPECT_EQ(x_close(again), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(fd, open_of_a_closed_fd_fails_ENOENT)
{
	/* proc(5): there is an entry for each fd that is open. */
	EXPECT_FAILS(fails_to_open(lowest_free_fd(), O_RDWR), ENOENT);
	EXPECT_FAILS(fails_to_open(1 << 29, O_RDWR), ENOENT);
}

TEST(fd, open_of_something_that_is_no_fd_fails_ENOENT)
{
	/* proc(5). */
	EXPECT_FAILS(x_open("/proc/self/fd/x", O_RDWR), ENOENT);
	EXPECT_FAILS(x_open("/proc/self/fd/-1", O_RDWR), ENOENT);
	EXPECT_FAILS(x_open("/proc/self/fd/99999999999", O_RDWR), ENOENT);
}

TEST(fd, open_of_an_empty_path_fails_ENOENT)
{
	/* path_resolution(7). */
	EXPECT_FAILS(x_open("", O_RDONLY), ENOENT);
}

TEST(fd, open_of_an_unmapped_path_fails_EFAULT)
{
	/* open(2). */
	EXPECT_FAILS(x_open(ubuf(unmapped_page()), O_RDONLY), EFAULT);
}

TEST(fd, open_of_an_endless_path_fails_ENAMETOOLONG)
{
	/* open(2): longer than PATH_MAX. */
	static char path[PATH_MAX + 10];

	memset(path, '/', sizeof(path) - 1);
	EXPECT_FAILS(x_open(path, O_RDONLY), ENAMETOOLONG);
}

TEST(fd, open_of_a_socket_fails_ENXIO)
{
	/* open(2): a UNIX domain socket. */
	int ends[2];

	stream_pair(ends);
	EXPECT_FAILS(fails_to_open(ends[0], O_RDWR), ENXIO);
	close_pair(ends);
}

TEST(fd, open_at_the_limit_fails_EMFILE)
{
	/* open(2). */
	struct fd_hog hog;

	hog_fds(&hog, 0);
	EXPECT_FAILS(fails_to_open(hog.fds[0], O_RDWR), EMFILE);
	unhog_fds(&hog);
}

TEST(fd, open_of_a_file_as_a_directory_fails_ENOTDIR)
{
	/* open(2): O_DIRECTORY. */
	int fd = memfd(0);

	EXPECT_FAILS(fails_to_open(fd, O_RDONLY | O_DIRECTORY), ENOTDIR);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(fd, open_that_must_create_fails_EEXIST)
{
	/* open(2): O_CREAT and O_EXCL. */
	int fd = memfd(0);

	EXPECT_FAILS(fails_to_open(fd, O_RDWR | O_CREAT | O_EXCL), EEXIST);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(fd, open_that_does_not_follow_links_fails_ELOOP)
{
	/* open(2): O_NOFOLLOW; an entry of /proc/self/fd is a link. */
	int fd = memfd(0);

	EXPECT_FAILS(fails_to_open(fd, O_RDWR | O_NOFOLLOW), ELOOP);
	EXPECT_EQ(x_close(fd), 0);
}

/* What is no file has no offset. */

TEST(fd, seeking_calls_on_a_socket_fail_ESPIPE)
{
	/* lseek(2), pread(2): associated with a socket. */
	int ends[2];
	char byte = 0;

	stream_pair(ends);
	EXPECT_FAILS(x_lseek(ends[0], 0, SEEK_CUR), ESPIPE);
	EXPECT_FAILS(x_pread(ends[0], &byte, 1, 0), ESPIPE);
	EXPECT_FAILS(x_pwrite(ends[0], &byte, 1, 0), ESPIPE);
	close_pair(ends);
}

TEST(fd, sizing_calls_on_a_socket_fail)
{
	/* ftruncate(2): EINVAL; fallocate(2): ENODEV, neither a file nor a directory. */
	int ends[2];

	stream_pair(ends);
	EXPECT_FAILS(x_ftruncate(ends[0], 0), EINVAL);
	EXPECT_FAILS(x_fallocate(ends[0], 0, 0, 1), ENODEV);
	close_pair(ends);
}

TEST(fd, fstat_of_a_socket_says_socket)
{
	/* stat(3type), S_ISSOCK. */
	struct stat st;
	int ends[2];

	stream_pair(ends);
	EXPECT_EQ(x_fstat(ends[0], &st), 0);
	EXPECT(S_ISSOCK(st.st_mode));
	EXPECT_EQ(st.st_size, 0);
	close_pair(ends);
}
