// SPDX-License-Identifier: MIT
/*
 * Calls with two things that are wrong, or with one at the edge of what is: which of them Linux tells of, and what it
 * has done by then. One bad thing at a time: abi_bad_calls.c.
 *
 * Made by number where libc would change an argument or has no name for the call.
 */
#include "abi_kernel.h"

#include <dirent.h>
#include <limits.h>

static long nowhere(void)
{
	return of(ubuf(unmapped_page()));
}

/* ---- rows of buffers ---- */

TEST(bad_order, number_of_buffers_is_the_low_half_of_the_argument)
{
	/* readv(2) says int; the kernel takes a long and looks at 32 bits of it. */
	int fd = memfd(1);
	char bytes[8];
	struct iovec row[2] = { { bytes, 4 }, { bytes, 4 } };

	EXPECT_EQ(KERNEL(preadv, fd, of(row), 1 + (1L << 32), 0), 4);
	EXPECT_EQ(KERNEL(preadv, fd, of(row), LONG_MIN, 0), 0);
	EXPECT_EQ(KERNEL(pwritev, fd, of(row), 2 + (1L << 40), 0), 8);
	EXPECT_EQ(KERNEL(preadv, fd, of(row), 1025, 0), -EINVAL);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(bad_order, negative_length_goes_before_an_earlier_buffer_beyond_all_addresses)
{
	/* readv(2) EINVAL, EFAULT: all lengths are looked at first. */
	int fd = memfd(1);
	char bytes[8];
	struct iovec row[2] = { { bytes, (size_t)1 << 62 }, { bytes, SIZE_MAX } };

	EXPECT_FAILS(x_readv(fd, row, 2), EINVAL);
	EXPECT_FAILS(x_writev(fd, row, 2), EINVAL);
	row[1].iov_len = 4;
	EXPECT_FAILS(x_readv(fd, row, 2), EFAULT);
	EXPECT_FAILS(x_writev(fd, row, 2), EFAULT);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(bad_order, buffer_that_is_alone_is_cut_before_its_end_is_judged)
{
	/* Not so of several, nor of read and write. */
	static char bytes[16]; /* 2 GiB below the end of all addresses, as a stack may not be */
	struct iovec row = { bytes, LONG_MAX };
	int fd = memfd(0);

	SETUP(x_write(fd, "12345", 5) == 5 && x_lseek(fd, 0, SEEK_SET) == 0);
	EXPECT_EQ(x_readv(fd, &row, 1), 5);
	EXPECT_EQ(KERNEL(pread64, fd, of(bytes), LONG_MAX, 0), -EFAULT);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(bad_order, unknown_transfer_flag_goes_before_flags_that_exclude_each_other)
{
	/* preadv2(2) EOPNOTSUPP, EINVAL. */
	enum { APPEND = 0x10, NOAPPEND = 0x20, UNKNOWN = (int)0x80000000 };
	int fd = memfd(1);
	char byte;
	struct iovec row = { &byte, 1 };

	if (linux_release() < 6009)
		SKIP("RWF_NOAPPEND is of 6.9");
	EXPECT_FAILS(x_preadv2(fd, &row, 1, 0, APPEND | NOAPPEND), EINVAL);
	EXPECT_FAILS(x_preadv2(fd, &row, 1, 0, APPEND | NOAPPEND | UNKNOWN), EOPNOTSUPP);
	EXPECT_FAILS(x_preadv2(fd, &row, 1, 0, -1), EOPNOTSUPP);
	EXPECT_FAILS(x_pwritev2(fd, &row, 1, 0, -1), EOPNOTSUPP);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(bad_order, directory_knows_no_transfer_flags_before_it_says_EISDIR)
{
	/* preadv2(2) EOPNOTSUPP; RWF_HIPRI alone is ignored. */
	int fd = x_open("/dev/shm", O_RDONLY | O_DIRECTORY);
	char byte;
	struct iovec row = { &byte, 1 };

	SETUP(fd >= 0);
	EXPECT_FAILS(x_preadv2(fd, &row, 1, 0, 0), EISDIR);
	EXPECT_FAILS(x_preadv2(fd, &row, 1, 0, 1 /* RWF_HIPRI */), EISDIR);
	EXPECT_FAILS(x_preadv2(fd, &row, 1, 0, 2 /* RWF_DSYNC */), EOPNOTSUPP);
	EXPECT_FAILS(x_preadv2(fd, &row, 1, 0, 8 /* RWF_NOWAIT */), EOPNOTSUPP);
	EXPECT_EQ(x_close(fd), 0);
}

/* ---- paths ---- */

TEST(bad_order, link_tells_of_the_old_name_before_it_looks_at_the_new_one)
{
	/* link(2): ENOENT, ENOTDIR of the first; EFAULT, ENAMETOOLONG, ENOENT ("") of the second come after. */
	char path[128], below[160];
	int fd;

	fresh_path(path, sizeof(path));
	snprintf(below, sizeof(below), "%s/below", path);
	fd = x_open(path, O_RDWR | O_CREAT, 0600);
	SETUP(fd >= 0 && x_close(fd) == 0);
	EXPECT_EQ(KERNEL(linkat, AT_FDCWD, of("missing"), AT_FDCWD, nowhere(), 0), -ENOENT);
	EXPECT_EQ(KERNEL(linkat, AT_FDCWD, of(below), AT_FDCWD, nowhere(), 0), -ENOTDIR);
	EXPECT_EQ(KERNEL(linkat, 900, of("x"), AT_FDCWD, of(""), 0), -EBADF);
	EXPECT_EQ(KERNEL(linkat, AT_FDCWD, of(path), AT_FDCWD, nowhere(), 0), -EFAULT);
	EXPECT_EQ(KERNEL(linkat, AT_FDCWD, of(path), AT_FDCWD, of(""), 0), -ENOENT);
	EXPECT_EQ(KERNEL(linkat, AT_FDCWD, nowhere(), AT_FDCWD, of(""), 0), -EFAULT);
	EXPECT_EQ(x_unlink(path), 0);
}

TEST(bad_order, rename_goes_the_way_to_the_old_name_before_it_looks_at_the_new_one)
{
	/* rename(2): what the old name itself is comes after the new path. */
	char path[128], below[160];
	int fd;

	fresh_path(path, sizeof(path));
	snprintf(below, sizeof(below), "%s/below/x", path);
	fd = x_open(path, O_RDWR | O_CREAT, 0600);
	SETUP(fd >= 0 && x_close(fd) == 0);
	EXPECT_EQ(KERNEL(renameat2, AT_FDCWD, of(below), AT_FDCWD, nowhere(), 0), -ENOTDIR);
	EXPECT_EQ(KERNEL(renameat2, AT_FDCWD, of("/missing/x"), AT_FDCWD, of(""), 0), -ENOENT);
	EXPECT_EQ(KERNEL(renameat2, 900, of("x"), AT_FDCWD, nowhere(), 0), -EBADF);
	EXPECT_EQ(KERNEL(renameat2, AT_FDCWD, of("/missing"), AT_FDCWD, nowhere(), 0), -EFAULT);
	EXPECT_EQ(KERNEL(renameat2, AT_FDCWD, of(path), AT_FDCWD, nowhere(), 0), -EFAULT);
	EXPECT_EQ(KERNEL(renameat2, AT_FDCWD, of(path), AT_FDCWD, of(""), 0), -ENOENT);
	EXPECT_EQ(KERNEL(renameat2, AT_FDCWD, nowhere(), 900, of("x"), 8), -EINVAL);
	EXPECT_EQ(x_unlink(path), 0);
}

TEST(bad_order, NULL_is_an_empty_path_for_fstatat_alone)
{
	/*
	 * AT_EMPTY_PATH: with "" all of them work; with NULL fstatat and statx do, from 6.11 on. utimensat: without
	 * flags.
	 */
	struct stat st;
	int fd = memfd(0);

	EXPECT_EQ(KERNEL(newfstatat, fd, 0, of(&st), AT_EMPTY_PATH), linux_release() >= 6011 ? 0 : -EFAULT);
	EXPECT_EQ(KERNEL(newfstatat, fd, of(""), of(&st), AT_EMPTY_PATH), 0);
	EXPECT_EQ(KERNEL(fchownat, fd, 0, 0, 0, AT_EMPTY_PATH), -EFAULT);
	EXPECT_EQ(KERNEL(fchownat, fd, of(""), 0, 0, AT_EMPTY_PATH), 0);
	EXPECT_EQ(KERNEL(faccessat2, fd, 0, 0, AT_EMPTY_PATH), -EFAULT);
	EXPECT_EQ(KERNEL(linkat, fd, 0, AT_FDCWD, of("/missing/x"), AT_EMPTY_PATH), -EFAULT);
	EXPECT_EQ(KERNEL(readlinkat, fd, 0, of(&st), 8), -EFAULT);
	EXPECT_EQ(KERNEL(utimensat, fd, 0, 0, 0), 0);
	EXPECT_EQ(KERNEL(utimensat, fd, 0, 0, AT_EMPTY_PATH), -EINVAL);
	EXPECT_EQ(KERNEL(utimensat, AT_FDCWD, 0, 0, AT_EMPTY_PATH), -EFAULT);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(bad_order, getdents_of_more_than_INT_MAX_bytes_fails_EINVAL)
{
	/* getdents(2) says unsigned; before the buffer is touched. */
	int fd = x_open("/dev/shm", O_RDONLY | O_DIRECTORY);
	char bytes[1024];

	SETUP(fd >= 0);
	EXPECT_EQ(KERNEL(getdents64, fd, of(bytes), -1), -EINVAL);
	EXPECT_EQ(KERNEL(getdents64, fd, nowhere(), (long)INT_MAX + 1), -EINVAL);
	EXPECT_EQ(KERNEL(getdents64, fd, nowhere(), INT_MAX), -EFAULT);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(bad_order, O_DIRECT_of_what_has_no_pages_fails_EINVAL)
{
	/* open(2) EINVAL; not of an O_PATH descriptor. */
	int fd;

	EXPECT_FAILS(x_open("/dev/shm", O_RDONLY | O_DIRECT), EINVAL);
	EXPECT_FAILS(x_open("/proc/self/status", O_RDONLY | O_DIRECT), EINVAL);
	EXPECT_FAILS(x_open("/proc/self/status", O_WRONLY | O_DIRECTORY | O_DIRECT), ENOTDIR);
	fd = x_open("/dev/shm", O_PATH | O_DIRECT);
	EXPECT(fd >= 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(bad_order, files_of_proc_are_never_synced_and_given_away_only_for_a_look)
{
	/* fsync(2) EINVAL; chown(2) of one by root succeeds, and its process owns it again. */
	int fd = x_open("/proc/self/status", O_RDONLY);
	struct stat st;

	SETUP(fd >= 0);
	EXPECT_FAILS(x_fsync(fd), EINVAL);
	EXPECT_FAILS(x_fdatasync(fd), EINVAL);
	EXPECT_EQ(x_fchown(fd, 1000, 1000), 0);
	EXPECT_EQ(x_lchown("/proc/self/fd/0", 1000, 1000), x_lstat("/proc/self/fd/0", &st));
	EXPECT_EQ(x_stat("/proc/self/status", &st), 0);
	EXPECT_EQ(st.st_uid, 0);
	EXPECT_EQ(x_close(fd), 0);
}

/* ---- sockets ---- */

TEST(bad_order, type_that_is_none_goes_before_a_family_that_is_not_there)
{
	/* socket(2) EINVAL, EAFNOSUPPORT; a family beyond all goes first. */
	EXPECT_FAILS(x_socket(AF_UNSPEC, 15, 0), EINVAL);
	EXPECT_FAILS(x_socket(AF_UNSPEC, SOCK_STREAM, 0), EAFNOSUPPORT);
	EXPECT_FAILS(x_socket(100, 15, 0), EAFNOSUPPORT);
	EXPECT_FAILS(x_socket(-1, 15, 0), EAFNOSUPPORT);
	EXPECT_FAILS(x_socket(100, 15 | 1 << 20, 0), EINVAL);
	EXPECT_FAILS(x_socket(AF_UNIX, 15, 77), EINVAL);
	EXPECT_FAILS(x_socket(AF_UNIX, SOCK_STREAM, 77), EPROTONOSUPPORT);
}

/* ---- children and signals ---- */

TEST(bad_order, waitid_that_finds_nobody_writes_that_all_the_same)
{
	/* waitid(2): a bad infop is EFAULT even where the call fails; a good one is set to nobody. */
	siginfo_t info;
	long bad = nowhere();

	EXPECT_EQ(KERNEL(waitid, P_ALL, 0, bad, WEXITED | WNOHANG, 0), -EFAULT);
	EXPECT_EQ(KERNEL(waitid, P_ALL, 0, bad, 0, 0), -EFAULT);
	EXPECT_EQ(KERNEL(waitid, 77, 0, bad, WEXITED, 0), -EFAULT);
	memset(&info, 0x55, sizeof(info));
	EXPECT_EQ(KERNEL(waitid, P_ALL, 0, of(&info), WEXITED | WNOHANG, 0), -ECHILD);
	EXPECT_EQ(info.si_signo, 0);
	EXPECT_EQ(info.si_code, 0);
	EXPECT_EQ(info.si_pid, 0);
	EXPECT_EQ(info.si_status, 0);
	memset(&info, 0x55, sizeof(info));
	EXPECT_EQ(KERNEL(waitid, P_ALL, 0, of(&info), 0, 0), -EINVAL);
	EXPECT_EQ(info.si_signo, 0);
}

TEST(bad_order, siginfo_of_an_unknown_code_may_hold_nothing_that_nobody_knows)
{
	/* rt_sigqueueinfo(2): E2BIG since 5.0, before any other error; of a known code the rest is not looked at. */
	unsigned char raw[128];
	int code = 1000;

	memset(raw, 0, sizeof(raw));
	memcpy(raw + 8, &code, sizeof(code));
	EXPECT_EQ(KERNEL(rt_sigqueueinfo, x_getpid(), 0, of(raw)), 0);
	raw[48] = 1;
	EXPECT_EQ(KERNEL(rt_sigqueueinfo, x_getpid(), 0, of(raw)), -E2BIG);
	EXPECT_EQ(KERNEL(rt_sigqueueinfo, INT_MAX, 77, of(raw)), -E2BIG);
	code = -1; /* SI_QUEUE */
	memcpy(raw + 8, &code, sizeof(code));
	EXPECT_EQ(KERNEL(rt_sigqueueinfo, x_getpid(), 0, of(raw)), 0);
	raw[48] = 0;
	code = CLD_EXITED;
	memcpy(raw + 8, &code, sizeof(code));
	raw[127] = 1;
	EXPECT_EQ(KERNEL(rt_sigqueueinfo, x_getpid(), 0, of(raw)), 0);
	EXPECT_EQ(KERNEL(rt_sigqueueinfo, INT_MAX, SIGCHLD, of(raw)), -EPERM);
}

static int set_stacks(void *arg)
{
	static char room[1 << 16];
	stack_t stack = { .ss_sp = room, .ss_size = sizeof(room) }, small = { .ss_sp = room, .ss_size = 100 };

	(void)arg;
	CHILD_EXPECT(x_sigaltstack(&stack, NULL) == 0);
	CHILD_EXPECT(x_sigaltstack(&small, NULL) == -1 && errno == ENOMEM);
	small.ss_flags = 77;
	CHILD_EXPECT(x_sigaltstack(&small, NULL) == -1 && errno == EINVAL);
	CHILD_EXPECT(x_sigaltstack(&stack, &small) == 0 && small.ss_size == sizeof(room) && small.ss_flags == 0);
	stack = (stack_t){ .ss_flags = SS_DISABLE };
	CHILD_EXPECT(x_sigaltstack(&stack, NULL) == 0);
	CHILD_EXPECT(x_sigaltstack(NULL, &small) == 0 && small.ss_flags == SS_DISABLE);
	stack = (stack_t){ .ss_flags = 0 };
	CHILD_EXPECT(x_sigaltstack(&stack, NULL) == -1 && errno == ENOMEM);
	return 0;
}

TEST(bad_order, sigaltstack_judges_the_size_of_what_changes_something)
{
	/* sigaltstack(2) ENOMEM; what stands there already is no change, whatever its size. */
	EXPECT_EQ(in_child(set_stacks, NULL), 0);
}
