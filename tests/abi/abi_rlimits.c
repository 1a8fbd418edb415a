// SPDX-License-Identifier: MIT
/*
 * What Linux promises of resource limits as such: who may set which, and who has them. getrlimit(2). What they limit is
 * told where the calls are that they limit.
 */
#include "abi.h"

static bool refused(int result, int error)
{
	return result == -1 && errno == error;
}

static int every_kind(void *arg)
{
	(void)arg;
	for (int kind = 0; kind < 16; kind++) {
		struct rlimit was, lower, now;

		CHILD_EXPECT(x_getrlimit(kind, &was) == 0);
		CHILD_EXPECT(was.rlim_cur <= was.rlim_max);
		lower = (struct rlimit){ was.rlim_cur > 100 ? was.rlim_cur - 1 : was.rlim_cur, was.rlim_max };
		CHILD_EXPECT(x_setrlimit(kind, &lower) == 0);
		CHILD_EXPECT(x_getrlimit(kind, &now) == 0);
		CHILD_EXPECT(now.rlim_cur == lower.rlim_cur && now.rlim_max == was.rlim_max);
		CHILD_EXPECT(x_prlimit(0, kind, &was, &now) == 0);
		CHILD_EXPECT(now.rlim_cur == lower.rlim_cur);
	}
	return 0;
}

TEST(rlimits, every_limit_can_be_read_lowered_and_raised_again)
{
	/* getrlimit(2): a soft limit may be set to anything up to the hard one. */
	EXPECT_EQ(in_child(every_kind, NULL), 0);
}

TEST(rlimits, limit_that_is_none_fails_EINVAL)
{
	/* getrlimit(2): the value specified in resource is not valid. */
	struct rlimit limit = { 1, 1 };

	EXPECT_FAILS(x_getrlimit(16, &limit), EINVAL);
	EXPECT_FAILS(x_setrlimit(16, &limit), EINVAL);
	EXPECT_FAILS(x_prlimit(0, 16, NULL, &limit), EINVAL);
	EXPECT_FAILS(x_getrlimit(-1, &limit), EINVAL);
}

TEST(rlimits, soft_limit_above_the_hard_one_fails_EINVAL)
{
	/* getrlimit(2). */
	struct rlimit limit = { 11, 10 }, was, now;

	EXPECT_EQ(x_getrlimit(RLIMIT_CORE, &was), 0);
	EXPECT_FAILS(x_setrlimit(RLIMIT_CORE, &limit), EINVAL);
	EXPECT_FAILS(x_prlimit(0, RLIMIT_CORE, &limit, &now), EINVAL);
	EXPECT_EQ(x_getrlimit(RLIMIT_CORE, &now), 0);
	EXPECT_EQ(now.rlim_cur, was.rlim_cur);
	EXPECT_EQ(now.rlim_max, was.rlim_max);
}

TEST(rlimits, limit_in_unmapped_memory_fails_EFAULT)
{
	/* getrlimit(2). */
	addr_t hole = unmapped_page();
	struct rlimit was, now;

	EXPECT_EQ(x_getrlimit(RLIMIT_CORE, &was), 0);
	EXPECT_FAILS(x_getrlimit(RLIMIT_CORE, ubuf(hole)), EFAULT);
	EXPECT_FAILS(x_setrlimit(RLIMIT_CORE, ubuf(hole)), EFAULT);
	EXPECT_FAILS(x_prlimit(0, RLIMIT_CORE, NULL, ubuf(hole)), EFAULT);
	EXPECT_FAILS(x_prlimit(0, RLIMIT_CORE, ubuf(hole), &now), EFAULT);
	EXPECT_EQ(x_getrlimit(RLIMIT_CORE, &now), 0);
	EXPECT_EQ(now.rlim_cur, was.rlim_cur);
}

TEST(rlimits, descriptors_beyond_nr_open_fail_EPERM)
{
	/* getrlimit(2): RLIMIT_NOFILE above /proc/sys/fs/nr_open. */
	struct rlimit limit = { 100, RLIM_INFINITY };

	EXPECT_FAILS(x_setrlimit(RLIMIT_NOFILE, &limit), EPERM);
}

static int lowers_for_good(void *arg)
{
	struct rlimit limit = { 100, 200 }, now;

	(void)arg;
	if (x_geteuid() == 0)
		CHILD_EXPECT(x_setuid(1000) == 0);
	CHILD_EXPECT(x_setrlimit(RLIMIT_FSIZE, &limit) == 0);
	limit.rlim_max = 201;
	CHILD_EXPECT(refused(x_setrlimit(RLIMIT_FSIZE, &limit), EPERM));
	CHILD_EXPECT(x_getrlimit(RLIMIT_FSIZE, &now) == 0);
	CHILD_EXPECT(now.rlim_cur == 100 && now.rlim_max == 200);
	limit = (struct rlimit){ 150, 150 };
	CHILD_EXPECT(x_prlimit(x_getpid(), RLIMIT_FSIZE, &limit, &now) == 0);
	CHILD_EXPECT(now.rlim_cur == 100 && now.rlim_max == 200);
	return 0;
}

TEST(rlimits, hard_limit_cannot_be_raised_without_privilege)
{
	/* getrlimit(2): an unprivileged process may (irreversibly) lower its hard limit. */
	EXPECT_EQ(in_child(lowers_for_good, NULL), 0);
}

static int has_its_parents(void *arg)
{
	struct rlimit now;

	(void)arg;
	return x_getrlimit(RLIMIT_DATA, &now) == 0 && now.rlim_cur == 123 << 20 ? 0 : 1;
}

static int limits_and_forks(void *arg)
{
	struct rlimit limit;

	(void)arg;
	CHILD_EXPECT(x_getrlimit(RLIMIT_DATA, &limit) == 0);
	limit.rlim_cur = 123 << 20;
	CHILD_EXPECT(x_setrlimit(RLIMIT_DATA, &limit) == 0);
	return in_child(has_its_parents, NULL);
}

TEST(rlimits, child_has_its_parents_limits)
{
	/* getrlimit(2): a child process inherits its parent's resource limits. */
	struct rlimit before, after;

	EXPECT_EQ(x_getrlimit(RLIMIT_DATA, &before), 0);
	EXPECT_EQ(in_child(limits_and_forks, NULL), 0);
	EXPECT_EQ(x_getrlimit(RLIMIT_DATA, &after), 0);
	EXPECT_EQ(before.rlim_cur, after.rlim_cur);
}

static int waits_for_an_end(void *arg)
{
	char byte;

	x_recv(*(int *)arg, &byte, 1, 0);
	return 0;
}

TEST(rlimits, limits_of_another_process_can_be_read_and_set)
{
	/* prlimit(2). */
	struct rlimit limit, old;
	pid_t pid;
	int ends[2];

	stream_pair(ends);
	pid = x_fork_into(waits_for_an_end, &ends[1]);
	SETUP(pid > 0);
	EXPECT_EQ(x_prlimit(pid, RLIMIT_FSIZE, NULL, &limit), 0);
	limit.rlim_cur = 4711;
	EXPECT_EQ(x_prlimit(pid, RLIMIT_FSIZE, &limit, NULL), 0);
	EXPECT_EQ(x_prlimit(pid, RLIMIT_FSIZE, NULL, &old), 0);
	EXPECT_EQ(old.rlim_cur, 4711);
	EXPECT_EQ(x_getrlimit(RLIMIT_FSIZE, &old), 0);
	EXPECT(old.rlim_cur != 4711);
	EXPECT_EQ(x_send(ends[0], "x", 1, 0), 1);
	EXPECT_EQ(x_waitpid(pid, NULL, 0), pid);
	EXPECT_FAILS(x_prlimit(pid, RLIMIT_FSIZE, NULL, &old), ESRCH);
	EXPECT_FAILS(x_prlimit(-1, RLIMIT_FSIZE, NULL, &old), ESRCH);
	close_pair(ends);
}

static int looks_at_its_parent(void *arg)
{
	struct rlimit limit;
	pid_t parent = *(pid_t *)arg;

	CHILD_EXPECT(x_setresuid(1000, 1000, 1000) == 0);
	CHILD_EXPECT(refused(x_prlimit(parent, RLIMIT_FSIZE, NULL, &limit), EPERM));
	CHILD_EXPECT(refused(x_prlimit(parent, 99, NULL, &limit), EPERM));
	CHILD_EXPECT(x_prlimit(x_getpid(), RLIMIT_FSIZE, NULL, &limit) == 0);
	return 0;
}

TEST(rlimits, limits_of_another_users_process_fail_EPERM)
{
	/* prlimit(2). */
	pid_t pid = x_getpid();

	if (x_geteuid() != 0)
		SKIP("not root");
	EXPECT_EQ(in_child(looks_at_its_parent, &pid), 0);
}

static int has_two_descriptors(void *arg)
{
	struct rlimit limit;
	int fd = lowest_free_fd();

	(void)arg;
	CHILD_EXPECT(x_getrlimit(RLIMIT_NOFILE, &limit) == 0);
	limit.rlim_cur = (rlim_t)fd + 1;
	CHILD_EXPECT(x_setrlimit(RLIMIT_NOFILE, &limit) == 0);
	CHILD_EXPECT(x_memfd_create("last", 0) == fd);
	CHILD_EXPECT(refused(x_memfd_create("beyond", 0), EMFILE));
	CHILD_EXPECT(refused(x_fcntl(fd, F_DUPFD, fd + 1), EINVAL));
	limit.rlim_cur = 0;
	CHILD_EXPECT(x_setrlimit(RLIMIT_NOFILE, &limit) == 0);
	CHILD_EXPECT(x_close(fd) == 0); /* what is open stays open */
	return 0;
}

TEST(rlimits, descriptors_are_below_RLIMIT_NOFILE)
{
	/* getrlimit(2). */
	EXPECT_EQ(in_child(has_two_descriptors, NULL), 0);
}
