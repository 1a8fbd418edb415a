// SPDX-License-Identifier: MIT
/*
 * What Linux promises of RLIMIT_FSIZE: SEMANTICS.md 59; setrlimit(2), and EFBIG of write(2), ftruncate(2),
 * fallocate(2), copy_file_range(2); signal(7) for SIGXFSZ. Each test runs in a child, whose limit and handler end with
 * it.
 */
#include "abi.h"

enum { LIMIT = 5000, KEEP = FALLOC_FL_KEEP_SIZE, PUNCH = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE };

static volatile int nsignals;

static void on_xfsz(int signo)
{
	nsignals += signo == SIGXFSZ;
}

/* In the child: files may have that many bytes, and SIGXFSZ is counted. */
static int limit_to(rlim_t bytes)
{
	struct sigaction action = { .sa_handler = on_xfsz };
	struct rlimit limit;

	if (x_getrlimit(RLIMIT_FSIZE, &limit) != 0)
		return -1;
	limit.rlim_cur = bytes;
	nsignals = 0;
	return x_sigaction(SIGXFSZ, &action, NULL) != 0 ? -1 : x_setrlimit(RLIMIT_FSIZE, &limit);
}

/* The call fails with EFBIG and one signal, or succeeds with none. */
#define REFUSED(call)        (errno = nsignals = 0, (call) == -1 && errno == EFBIG && nsignals == 1)
#define ALLOWED(call, value) (nsignals = 0, (call) == (value) && nsignals == 0)

static int child_writes(void *arg)
{
	static char buf[100];
	int fd = *(int *)arg;

	CHILD_EXPECT(limit_to(LIMIT) == 0);
	CHILD_EXPECT(ALLOWED(x_pwrite(fd, buf, 100, LIMIT - 100), 100));
	CHILD_EXPECT(ALLOWED(x_pwrite(fd, buf, 100, LIMIT - 40), 40)); /* cut */
	CHILD_EXPECT(ALLOWED(x_pwrite(fd, buf, 0, LIMIT), 0));
	CHILD_EXPECT(REFUSED(x_pwrite(fd, buf, 1, LIMIT)));
	CHILD_EXPECT(REFUSED(x_pwrite(fd, buf, 1, 2 * LIMIT)));
	CHILD_EXPECT(size_of(fd) == LIMIT);
	return 0;
}

TEST(limits_file, FSIZE_cuts_a_write_and_then_refuses_it)
{
	/* 59. */
	int fd = memfd(0);

	EXPECT_EQ(in_child(child_writes, &fd), 0);
	EXPECT_EQ(x_close(fd), 0);
}

static int child_writes_a_larger_file(void *arg)
{
	char byte = 'x';
	struct iovec iov[2] = { { &byte, 1 }, { &byte, 1 } };
	int fd = *(int *)arg;
	addr_t hole = unmapped_page();

	CHILD_EXPECT(limit_to(LIMIT) == 0);
	/* Also inside of what the file has; and before the buffer is looked at. */
	CHILD_EXPECT(REFUSED(x_pwrite(fd, &byte, 1, LIMIT)));
	CHILD_EXPECT(REFUSED(x_pwrite(fd, ubuf(hole), 1, LIMIT)));
	CHILD_EXPECT(ALLOWED(x_pwritev(fd, iov, 2, LIMIT - 1), 1));
	CHILD_EXPECT(x_fcntl(fd, F_SETFL, O_APPEND) == 0);
	CHILD_EXPECT(REFUSED(x_write(fd, &byte, 1)));
	CHILD_EXPECT(x_fcntl(fd, F_SETFL, 0) == 0);
	CHILD_EXPECT(size_of(fd) == 3 * PAGE);
	return 0;
}

TEST(limits_file, FSIZE_counts_from_the_start_of_a_file_that_is_larger)
{
	int fd = memfd(3);

	EXPECT_EQ(in_child(child_writes_a_larger_file, &fd), 0);
	EXPECT_EQ(x_close(fd), 0);
}

static int child_changes_sizes(void *arg)
{
	int fd = *(int *)arg;

	CHILD_EXPECT(limit_to(LIMIT) == 0);
	CHILD_EXPECT(REFUSED(x_ftruncate(fd, LIMIT + 1)));
	CHILD_EXPECT(ALLOWED(x_ftruncate(fd, LIMIT), 0));
	CHILD_EXPECT(REFUSED(x_fallocate(fd, 0, 0, LIMIT + 1)));
	CHILD_EXPECT(REFUSED(x_fallocate(fd, KEEP, LIMIT, 1)));
	CHILD_EXPECT(ALLOWED(x_fallocate(fd, 0, 0, LIMIT), 0));
	CHILD_EXPECT(ALLOWED(x_fallocate(fd, PUNCH, 0, 10 * LIMIT), 0));
	CHILD_EXPECT(size_of(fd) == LIMIT);
	return 0;
}

TEST(limits_file, FSIZE_refuses_growth_by_ftruncate_and_fallocate)
{
	/* 59. */
	int fd = memfd(0);

	EXPECT_EQ(in_child(child_changes_sizes, &fd), 0);
	EXPECT_EQ(x_close(fd), 0);
}

static int child_shrinks(void *arg)
{
	int fd = *(int *)arg;

	CHILD_EXPECT(limit_to(LIMIT) == 0);
	CHILD_EXPECT(ALLOWED(x_ftruncate(fd, 2 * PAGE), 0));
	CHILD_EXPECT(REFUSED(x_ftruncate(fd, 2 * PAGE + 1)));
	CHILD_EXPECT(ALLOWED(x_fallocate(fd, 0, 0, 2 * PAGE), 0));
	CHILD_EXPECT(REFUSED(x_fallocate(fd, 0, 0, 2 * PAGE + 1)));
	return 0;
}

TEST(limits_file, FSIZE_lets_a_larger_file_shrink_to_more_than_it)
{
	int fd = memfd(3);

	EXPECT_EQ(in_child(child_shrinks, &fd), 0);
	EXPECT_EQ(x_close(fd), 0);
}

static int child_copies(void *arg)
{
	const int *fds = arg;
	off_t in = 0, out = LIMIT - 3;

	CHILD_EXPECT(limit_to(LIMIT) == 0);
	CHILD_EXPECT(ALLOWED(x_copy_file_range(fds[0], &in, fds[1], &out, 10, 0), 3));
	CHILD_EXPECT(REFUSED(x_copy_file_range(fds[0], &in, fds[1], &out, 10, 0)));
	in = PAGE; /* nothing to copy, and still */
	CHILD_EXPECT(REFUSED(x_copy_file_range(fds[0], &in, fds[1], &out, 10, 0)));
	CHILD_EXPECT(x_lseek(fds[1], LIMIT - 5, SEEK_SET) == LIMIT - 5);
	in = 0;
	nsignals = 0;
	CHILD_EXPECT(x_sendfile(fds[1], fds[0], &in, 10) == 5 && nsignals == 1); /* it tries to go on */
	CHILD_EXPECT(REFUSED(x_sendfile(fds[1], fds[0], &in, 10)));
	CHILD_EXPECT(size_of(fds[1]) == LIMIT);
	return 0;
}

TEST(limits_file, FSIZE_cuts_copies_and_then_refuses_them)
{
	int fds[2] = { memfd(1), memfd(0) };

	EXPECT_EQ(in_child(child_copies, fds), 0);
	EXPECT_EQ(x_close(fds[1]), 0);
	EXPECT_EQ(x_close(fds[0]), 0);
}

static int child_of_a_sealed_file(void *arg)
{
	char byte = 'x';
	int fd = *(int *)arg;

	CHILD_EXPECT(limit_to(0) == 0);
	CHILD_EXPECT(REFUSED(x_pwrite(fd, &byte, 1, 0)));
	CHILD_EXPECT(REFUSED(x_ftruncate(fd, 3 * PAGE)));
	CHILD_EXPECT(REFUSED(x_fallocate(fd, 0, 0, 3 * PAGE)));
	return 0;
}

TEST(limits_file, FSIZE_is_judged_before_seals)
{
	int fd = memfd(2);

	SETUP(x_fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_WRITE) == 0);
	EXPECT_EQ(in_child(child_of_a_sealed_file, &fd), 0);
	EXPECT_EQ(size_of(fd), 2 * PAGE);
	EXPECT_EQ(x_close(fd), 0);
}

static int child_maps(void *arg)
{
	int fd = *(int *)arg;
	addr_t map;

	CHILD_EXPECT(limit_to(0) == 0);
	map = x_mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHILD_EXPECT(map != NO_MAPPING);
	st8(map, 'm');
	CHILD_EXPECT(nsignals == 0 && byte_at(fd, 0) == 'm');
	CHILD_EXPECT(x_munmap(map, PAGE) == 0);
	return 0;
}

TEST(limits_file, FSIZE_is_not_about_mappings)
{
	int fd = memfd(1);

	EXPECT_EQ(in_child(child_maps, &fd), 0);
	EXPECT_EQ(x_close(fd), 0);
}

static int child_does_not_catch_it(void *arg)
{
	struct rlimit limit = { 0, 0 };

	if (x_setrlimit(RLIMIT_FSIZE, &limit) == 0)
		(void)!x_write(*(int *)arg, "x", 1);
	return 1;
}

TEST(limits_file, SIGXFSZ_ends_who_does_not_catch_it)
{
	/* signal(7): the default action is to end the process. */
	int fd = memfd(0);

	EXPECT_EQ(in_child(child_does_not_catch_it, &fd), -SIGXFSZ);
	EXPECT_EQ(size_of(fd), 0);
	EXPECT_EQ(x_close(fd), 0);
}
