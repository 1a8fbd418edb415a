// SPDX-License-Identifier: MIT
/*
 * What a bench does to processes without acting as them, and that a failure of it changes nothing.
 */
#include "bed.h"

TEST(bench, socketpair_between_connects_two_processes)
{
	struct ksim_machine *m = bed_boot(NULL);
	struct ksim_process *a = bed_process(m, "a"), *b = bed_process(m, "b");
	struct ucred cred;
	socklen_t len = sizeof(cred);
	char byte = 0;
	int fds[2];

	ksim_as(b)
		EXPECT_EQ(ksim_memfd_create("first", 0), 0);
	EXPECT_EQ(ksim_socketpair_between(a, b, SOCK_STREAM | SOCK_CLOEXEC, fds), 0);
	EXPECT_EQ(fds[0], 0);
	EXPECT_EQ(fds[1], 1);
	ksim_as(a)
		EXPECT_EQ(ksim_write(fds[0], "x", 1), 1);
	ksim_as(b) {
		EXPECT_EQ(ksim_read(fds[1], &byte, 1), 1);
		EXPECT_EQ(byte, 'x');
		EXPECT_EQ(ksim_fcntl(fds[1], F_GETFD), FD_CLOEXEC);
		EXPECT_EQ(ksim_fcntl(fds[1], F_GETFL), O_RDWR);
		EXPECT_EQ(ksim_getsockopt(fds[1], SOL_SOCKET, SO_PEERCRED, &cred, &len), 0);
		EXPECT_EQ(cred.pid, ksim_process_pid(a));
	}
	EXPECT_EQ(ksim_process_end(a, 0), 0);
	ksim_as(b)
		EXPECT_EQ(ksim_read(fds[1], &byte, 1), 0);
	bed_halt(m);
}

TEST(bench, socketpair_between_a_process_and_itself_gives_two_descriptors)
{
	struct ksim_machine *m = bed_boot(NULL);
	struct ksim_process *p = bed_process(m, "p");
	char byte;
	int fds[2];

	EXPECT_EQ(ksim_socketpair_between(p, p, SOCK_STREAM | SOCK_NONBLOCK, fds), 0);
	EXPECT(fds[0] == 0 && fds[1] == 1);
	ksim_as(p) {
		EXPECT_FAILS(ksim_read(fds[0], &byte, 1), EAGAIN);
		EXPECT_EQ(ksim_write(fds[1], "x", 1), 1);
		EXPECT_EQ(ksim_read(fds[0], &byte, 1), 1);
	}
	bed_halt(m);
}

TEST(bench, socketpair_between_that_cannot_be_changes_nothing)
{
	struct ksim_config config = { .ram_bytes = 1 << 20, .fd_limit = 1 };
	struct ksim_machine *m = bed_boot(&config), *n = bed_boot(&config);
	struct ksim_process *a = bed_process(m, "a"), *full = bed_process(m, "full"), *dead = bed_process(m, "dead");
	struct ksim_process *elsewhere = bed_process(n, "elsewhere");
	struct census before, after;
	int fds[2] = { -7, -7 };

	ksim_as(full)
		EXPECT_EQ(ksim_memfd_create("full", 0), 0);
	EXPECT_EQ(ksim_process_end(dead, 0), 0);
	ksim_as(a) /* so that it has its table */
		EXPECT_EQ(ksim_close(ksim_memfd_create("x", 0)), 0);
	before = census_now(m);
	EXPECT_FAILS(ksim_socketpair_between(a, full, SOCK_STREAM, fds), EMFILE);
	EXPECT_FAILS(ksim_socketpair_between(full, a, SOCK_STREAM, fds), EMFILE);
	EXPECT_FAILS(ksim_socketpair_between(a, a, SOCK_STREAM, fds), EMFILE);
	EXPECT_FAILS(ksim_socketpair_between(a, dead, SOCK_STREAM, fds), ESRCH);
	EXPECT_FAILS(ksim_socketpair_between(dead, a, SOCK_STREAM, fds), ESRCH);
	EXPECT_FAILS(ksim_socketpair_between(a, elsewhere, SOCK_STREAM, fds), EINVAL);
	EXPECT_FAILS(ksim_socketpair_between(a, full, SOCK_STREAM | 0x100, fds), EMFILE);
	EXPECT(fds[0] == -7 && fds[1] == -7);
	after = census_now(m);
	expect_same_census(&before, &after);
	ksim_as(a)
		EXPECT_EQ(ksim_memfd_create("lowest is free", 0), 0);
	bed_halt(n);
	bed_halt(m);
}

TEST(bench, socketpair_between_of_other_types_is_refused)
{
	struct ksim_machine *m = bed_boot(NULL);
	struct ksim_process *a = bed_process(m, "a"), *b = bed_process(m, "b");
	int fds[2];

	EXPECT_FAILS(ksim_socketpair_between(a, b, SOCK_DGRAM, fds), ESOCKTNOSUPPORT);
	EXPECT_FAILS(ksim_socketpair_between(a, b, SOCK_STREAM | 0x100, fds), EINVAL);
	EXPECT_EQ(ksim_socketpair_between(a, b, SOCK_STREAM, fds), 0);
	EXPECT(fds[0] == 0 && fds[1] == 0);
	bed_halt(m);
}

TEST(bench, fd_copy_shares_the_description)
{
	struct ksim_machine *m = bed_boot(NULL);
	struct ksim_process *a = bed_process(m, "a"), *b = bed_process(m, "b");
	int fd = -1, copy;

	ksim_as(a) {
		fd = ksim_memfd_create("x", MFD_CLOEXEC);
		EXPECT_EQ(ksim_lseek(fd, 77, SEEK_SET), 77);
	}
	copy = ksim_fd_copy(a, fd, b);
	EXPECT_EQ(copy, 0);
	EXPECT_EQ(ksim_fd_copy(a, fd, b), 1);
	EXPECT_EQ(ksim_fd_copy(a, fd, a), 1);
	ksim_as(b) {
		EXPECT_EQ(ksim_lseek(copy, 0, SEEK_CUR), 77);
		EXPECT_EQ(ksim_fcntl(copy, F_GETFD), 0);
	}
	EXPECT_EQ(ksim_process_end(a, 0), 0);
	ksim_as(b)
		EXPECT_EQ(ksim_write(copy, "still there", 11), 11);
	bed_halt(m);
}

TEST(bench, fd_copy_that_cannot_be_changes_nothing)
{
	struct ksim_config config = { .ram_bytes = 1 << 20, .fd_limit = 1 };
	struct ksim_machine *m = bed_boot(&config), *n = bed_boot(&config);
	struct ksim_process *a = bed_process(m, "a"), *b = bed_process(m, "b"), *dead = bed_process(m, "dead");
	struct census before, after;

	ksim_as(a)
		EXPECT_EQ(ksim_memfd_create("x", 0), 0);
	EXPECT_EQ(ksim_fd_copy(a, 0, b), 0);
	EXPECT_EQ(ksim_process_end(dead, 0), 0);
	before = census_now(m);
	EXPECT_FAILS(ksim_fd_copy(a, 0, b), EMFILE);
	EXPECT_FAILS(ksim_fd_copy(a, 1, b), EBADF);
	EXPECT_FAILS(ksim_fd_copy(a, -1, b), EBADF);
	EXPECT_FAILS(ksim_fd_copy(dead, 0, b), ESRCH);
	EXPECT_FAILS(ksim_fd_copy(a, 0, dead), ESRCH);
	EXPECT_FAILS(ksim_fd_copy(a, 0, bed_process(n, "elsewhere")), EINVAL);
	after = census_now(m);
	expect_same_census(&before, &after);
	bed_halt(n);
	bed_halt(m);
}

/* Two processes whose tables have room already, for what a table has grown by stays with it. */
static void two_processes(struct ksim_machine *m, struct ksim_process *p[2])
{
	for (int i = 0; i < 2; i++) {
		p[i] = bed_process(m, "p");
		ksim_as(p[i]) {
			SETUP(ksim_memfd_create("kept", 0) == 0);
			SETUP(ksim_dup(0) == 1 && ksim_close(1) == 0);
		}
	}
}

static int pair(struct ksim_process *p[2])
{
	int fds[2];

	return ksim_socketpair_between(p[0], p[1], SOCK_STREAM, fds);
}

static int copy(struct ksim_process *p[2])
{
	return ksim_fd_copy(p[0], 0, p[1]) < 0 ? -1 : 0;
}

/* Let the first, the second ... allocation fail, until none does. How many there were. */
static unsigned fail_each(int (*call)(struct ksim_process *p[2]))
{
	struct ksim_machine *m = bed_boot(NULL);
	struct ksim_process *p[2];
	unsigned nth = 0;
	int result = -1;

	two_processes(m, p);
	while (result < 0 && nth < 100) {
		struct census before = census_now(m), after;

		bed_fail_at(m, ++nth);
		result = call(p);
		EXPECT_EQ(result, bed_failed() ? -1 : 0);
		EXPECT(result == 0 || errno == ENOMEM || errno == EMFILE);
		bed_fail_at(m, 0);
		after = census_now(m);
		if (result < 0)
			expect_same_census(&before, &after);
	}
	bed_halt(m);
	return nth - 1;
}

TEST(bench, every_failed_allocation_is_undone)
{
	EXPECT(fail_each(pair) >= 6); /* two numbers, two sockets, two files */
	EXPECT(fail_each(copy) >= 1);
}

TEST(bench, translate_says_what_stands_behind_an_address)
{
	struct ksim_machine *m = bed_boot(NULL);
	struct ksim_process *a = bed_process(m, "a"), *b = bed_process(m, "b");
	struct ksim_translation at[2];
	ksim_addr map[2] = { 0, 0 };
	int fd = -1;

	ksim_as(a) {
		fd = ksim_memfd_create("x", 0);
		EXPECT_EQ(ksim_ftruncate(fd, 2 * PAGE), 0);
		map[0] = ksim_mmap(0, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		EXPECT_FAILS(ksim_translate(a, map[0], &at[0]), EFAULT);
		bed_poke(map[0] + PAGE, "x", 1);
	}
	ksim_as(b) {
		map[1] = ksim_mmap(0, PAGE, PROT_READ, MAP_SHARED, ksim_fd_copy(a, fd, b), PAGE);
		expect_user_bytes(map[1], "x", 1);
	}
	EXPECT_EQ(ksim_translate(a, map[0] + PAGE + 5, &at[0]), 0);
	EXPECT_EQ(ksim_translate(b, map[1], &at[1]), 0);
	EXPECT(at[0].pfn.n != 0 && at[0].pfn.n == at[1].pfn.n);
	EXPECT_EQ(at[0].mappers, 2);
	EXPECT_EQ(at[0].references, 3);
	EXPECT_EQ(at[0].page_size, PAGE);
	EXPECT_EQ(at[0].prot, PROT_READ | PROT_WRITE);
	EXPECT_EQ(at[1].prot, PROT_READ);
	EXPECT_FAILS(ksim_translate(a, map[0], &at[0]), EFAULT);
	EXPECT_FAILS(ksim_translate(a, UINT64_MAX, &at[0]), EFAULT);
	EXPECT_EQ(ksim_process_end(b, 0), 0);
	EXPECT_FAILS(ksim_translate(b, map[1], &at[1]), ESRCH);
	EXPECT_EQ(ksim_translate(a, map[0] + PAGE, &at[0]), 0);
	EXPECT_EQ(at[0].mappers, 1);
	bed_halt(m);
}
