// SPDX-License-Identifier: MIT
/*
 * What Linux promises of fork, exit and wait: which memory and which fds a child shares with its parent, and how its
 * end is told. fork(2), _exit(2), wait(2), mmap(2).
 */
#include "abi.h"

enum { RW = PROT_READ | PROT_WRITE };

/* Memory. */

static int stores_a_C(void *arg)
{
	st8(*(addr_t *)arg, 'C');
	CHILD_EXPECT(ld8(*(addr_t *)arg) == 'C');
	return 0;
}

static int loads(void *arg)
{
	return ld8(*(addr_t *)arg);
}

TEST(fork, anonymous_shared_memory_is_shared_with_the_child)
{
	/* mmap(2): MAP_SHARED|MAP_ANONYMOUS. */
	addr_t map = map_anonymous(1, RW, MAP_SHARED);

	st8(map, 'P');
	EXPECT_EQ(in_child(loads, &map), 'P');
	EXPECT_EQ(in_child(stores_a_C, &map), 0);
	EXPECT_EQ(ld8(map), 'C');
	unmap(map, 1);
}

TEST(fork, untouched_anonymous_shared_memory_is_shared_with_the_child)
{
	/* mmap(2): also where the page comes into being after the fork, in the child. */
	addr_t map = map_anonymous(2, RW, MAP_SHARED);
	addr_t second = map + PAGE;

	EXPECT_EQ(in_child(stores_a_C, &second), 0);
	EXPECT_EQ(ld8(map), 0);
	EXPECT_EQ(ld8(second), 'C');
	unmap(map, 2);
}

TEST(fork, private_memory_is_copied_not_shared)
{
	/* fork(2): the child sees the contents at the time of fork; its writes stay its own. */
	addr_t map = map_anonymous(1, RW, MAP_PRIVATE);

	st8(map, 'P');
	EXPECT_EQ(in_child(loads, &map), 'P');
	EXPECT_EQ(in_child(stores_a_C, &map), 0);
	EXPECT_EQ(ld8(map), 'P');
	unmap(map, 1);
}

static int waits_and_loads(void *arg)
{
	addr_t *args = arg; /* address, the child's end */
	char byte;

	CHILD_EXPECT(x_recv((int)args[1], &byte, 1, 0) == 1);
	return ld8(args[0]);
}

TEST(fork, parents_later_stores_do_not_reach_the_childs_private_memory)
{
	/* fork(2): copy-on-write works in both directions. */
	addr_t map = map_anonymous(1, RW, MAP_PRIVATE);
	struct child *child;
	int ends[2];

	stream_pair(ends);
	st8(map, 'P');
	child = child_start(waits_and_loads, (addr_t[2]){ map, (addr_t)ends[1] });
	st8(map, 'Q');
	EXPECT_EQ(x_send(ends[0], "g", 1, MSG_NOSIGNAL), 1);
	EXPECT_EQ(child_join(child), 'P');
	EXPECT_EQ(ld8(map), 'Q');
	close_pair(ends);
	unmap(map, 1);
}

TEST(fork, parent_may_store_to_private_memory_after_the_child_is_gone)
{
	/* fork(2): the page that both had is the parent's alone again. */
	addr_t map = map_anonymous(1, RW, MAP_PRIVATE);

	st8(map, 'P');
	EXPECT_EQ(in_child(loads, &map), 'P');
	st8(map, 'Q');
	EXPECT_EQ(in_child(loads, &map), 'Q');
	unmap(map, 1);
}

static int forks_a_grandchild(void *arg)
{
	addr_t map = *(addr_t *)arg;

	st8(map, 'C');
	CHILD_EXPECT(in_child(stores_a_C, arg) == 0);
	CHILD_EXPECT(in_child(loads, arg) == 'C');
	st8(map, 'D');
	CHILD_EXPECT(in_child(loads, arg) == 'D');
	return 0;
}

TEST(fork, grandchild_copies_from_the_child)
{
	/* fork(2): pages shared by three. */
	addr_t map = map_anonymous(1, RW, MAP_PRIVATE);

	st8(map, 'P');
	EXPECT_EQ(in_child(forks_a_grandchild, &map), 0);
	EXPECT_EQ(ld8(map), 'P');
	unmap(map, 1);
}

TEST(fork, shared_file_mapping_is_inherited_and_shared)
{
	/* fork(2), mmap(2): the mapping is preserved with its attributes. */
	int fd = memfd(1);
	addr_t map = map_shared(fd, 1, RW);

	EXPECT_EQ(in_child(stores_a_C, &map), 0);
	EXPECT_EQ(ld8(map), 'C');
	EXPECT_EQ(byte_at(fd, 0), 'C');
	unmap(map, 1);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(fork, private_file_copies_are_inherited)
{
	/* 56 and fork(2): the child has the parent's copied page, not the file's. */
	int fd = memfd(1);
	addr_t map = map_private(fd, 1, RW);

	st8(map, 'P');
	EXPECT_EQ(in_child(loads, &map), 'P');
	EXPECT_EQ(in_child(stores_a_C, &map), 0);
	EXPECT_EQ(ld8(map), 'P');
	EXPECT_EQ(byte_at(fd, 0), 0);
	unmap(map, 1);
	EXPECT_EQ(x_close(fd), 0);
}

static int protection_is_inherited(void *arg)
{
	struct fault fault = probe_st8(*(addr_t *)arg, 1);

	CHILD_EXPECT(fault.signo == SIGSEGV && fault.code == SEGV_ACCERR);
	CHILD_EXPECT(x_mprotect(*(addr_t *)arg, PAGE, RW) == 0);
	CHILD_EXPECT(probe_st8(*(addr_t *)arg, 1).signo == 0);
	return 0;
}

TEST(fork, protection_is_inherited_and_then_separate)
{
	/* fork(2): mprotect in the child leaves the parent's mapping. */
	addr_t map = map_anonymous(1, PROT_READ, MAP_PRIVATE);

	EXPECT_EQ(in_child(protection_is_inherited, &map), 0);
	EXPECT_STORE_FAULTS(map, SIGSEGV, SEGV_ACCERR);
	unmap(map, 1);
}

static int maps_at_the_same_place(void *arg)
{
	addr_t page = *(addr_t *)arg;

	CHILD_EXPECT(x_mmap(page, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == page);
	st8(page, 'C');
	return 0;
}

TEST(fork, childs_new_mappings_are_its_own)
{
	/* fork(2). */
	addr_t page = unmapped_page();

	EXPECT_EQ(in_child(maps_at_the_same_place, &page), 0);
	EXPECT_LOAD_FAULTS(page, SIGSEGV, SEGV_MAPERR);
}

TEST(fork, many_pages_are_copied_page_by_page)
{
	/* fork(2): a child that stores to one page of many leaves all of the parent's. */
	addr_t map = map_anonymous(64, RW, MAP_PRIVATE);
	addr_t middle = map + 31 * PAGE;

	for (addr_t i = 0; i < 64; i++)
		st32(map + i * PAGE, (uint32_t)i + 1000);
	EXPECT_EQ(in_child(stores_a_C, &middle), 0);
	for (addr_t i = 0; i < 64; i++)
		EXPECT_EQ(ld32(map + i * PAGE), i + 1000);
	unmap(map, 64);
}

/* File descriptors. */

static int moves_the_offset(void *arg)
{
	int fd = *(int *)arg;

	CHILD_EXPECT(x_lseek(fd, 0, SEEK_CUR) == 7);
	CHILD_EXPECT(x_lseek(fd, 100, SEEK_SET) == 100);
	CHILD_EXPECT(x_fcntl(fd, F_SETFL, O_APPEND) == 0);
	return 0;
}

TEST(fork, descriptions_are_shared_with_their_offset_and_flags)
{
	/* 11; fork(2): the child's fds refer to the same open file descriptions. */
	int fd = memfd(1);

	SETUP(x_lseek(fd, 7, SEEK_SET) == 7);
	EXPECT_EQ(in_child(moves_the_offset, &fd), 0);
	EXPECT_EQ(x_lseek(fd, 0, SEEK_CUR), 100);
	EXPECT((x_fcntl(fd, F_GETFL) & O_APPEND) != 0);
	EXPECT_EQ(x_close(fd), 0);
}

static int closes_it(void *arg)
{
	CHILD_EXPECT(x_close(*(int *)arg) == 0);
	CHILD_EXPECT(x_fcntl(*(int *)arg, F_GETFD) == -1 && errno == EBADF);
	return 0;
}

TEST(fork, child_has_an_fd_table_of_its_own)
{
	/* fork(2): a copy of the set of fds. */
	int fd = memfd(1);

	EXPECT_EQ(in_child(closes_it, &fd), 0);
	EXPECT_EQ(x_fcntl(fd, F_GETFD), FD_CLOEXEC);
	EXPECT_EQ(x_close(fd), 0);
}

static int clears_close_on_exec(void *arg)
{
	CHILD_EXPECT(x_fcntl(*(int *)arg, F_GETFD) == FD_CLOEXEC);
	CHILD_EXPECT(x_fcntl(*(int *)arg, F_SETFD, 0) == 0);
	return 0;
}

TEST(fork, close_on_exec_is_inherited_and_then_separate)
{
	/* fork(2); fcntl(2): fd flags belong to the fd, not to the description. */
	int fd = memfd(1);

	EXPECT_EQ(in_child(clears_close_on_exec, &fd), 0);
	EXPECT_EQ(x_fcntl(fd, F_GETFD), FD_CLOEXEC);
	EXPECT_EQ(x_close(fd), 0);
}

static int leaves_fds_open(void *arg)
{
	(void)arg;
	CHILD_EXPECT(x_memfd_create("left", 0) >= 0);
	return 0;
}

TEST(fork, childs_new_fds_are_its_own)
{
	/* fork(2). */
	int before = lowest_free_fd();

	EXPECT_EQ(in_child(leaves_fds_open, NULL), 0);
	EXPECT_EQ(lowest_free_fd(), before);
}

static int holds_the_peer(void *arg)
{
	int *ends = arg;
	char byte;

	CHILD_EXPECT(x_close(ends[0]) == 0);
	CHILD_EXPECT(x_recv(ends[1], &byte, 1, 0) == 1);
	return 0;
}

TEST(fork, exit_closes_the_childs_fds)
{
	/* _exit(2): any open fds belonging to the process are closed: the peer of its socket sees the end. */
	struct child *child;
	char byte;
	int ends[2];

	stream_pair(ends);
	child = child_start(holds_the_peer, ends);
	EXPECT_EQ(x_close(ends[1]), 0);
	EXPECT_EQ(x_send(ends[0], "x", 1, MSG_NOSIGNAL), 1);
	EXPECT_EQ(x_recv(ends[0], &byte, 1, 0), 0);
	EXPECT_EQ(child_join(child), 0);
	EXPECT_EQ(x_close(ends[0]), 0);
}

/* Ends. */

static int returns_it(void *arg)
{
	return *(int *)arg;
}

static int exits_with_it(void *arg)
{
	x_exit(*(int *)arg);
	return 99;
}

static int dies_of_a_fault(void *arg)
{
	return ld8(*(addr_t *)arg);
}

TEST(fork, exit_code_reaches_the_parent)
{
	/* _exit(2), wait(2). */
	int code = 42;
	int status = -1;
	pid_t pid = x_fork_into(returns_it, &code);

	SETUP(pid > 0);
	EXPECT_EQ(x_waitpid(pid, &status, 0), pid);
	EXPECT(WIFEXITED(status));
	EXPECT_EQ(WEXITSTATUS(status), 42);
}

TEST(fork, exit_ends_the_child_in_the_middle)
{
	/* _exit(2): does not return. */
	int code = 7;

	EXPECT_EQ(in_child(exits_with_it, &code), 7);
}

TEST(fork, exit_code_is_cut_to_8_bits)
{
	/* _exit(2): status & 0xff. */
	int code = 0x1ff;
	int status = -1;
	pid_t pid = x_fork_into(exits_with_it, &code);

	SETUP(pid > 0);
	EXPECT_EQ(x_waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0xff00);
}

TEST(fork, death_by_signal_reaches_the_parent)
{
	/* wait(2): WIFSIGNALED, WTERMSIG. */
	addr_t page = unmapped_page();
	int status = -1;
	pid_t pid = x_fork_into(dies_of_a_fault, &page);

	SETUP(pid > 0);
	EXPECT_EQ(x_waitpid(pid, &status, 0), pid);
	EXPECT(WIFSIGNALED(status));
	EXPECT_EQ(WTERMSIG(status), SIGSEGV);
}

TEST(fork, wait_without_children_fails_ECHILD)
{
	/* wait(2). */
	int status;

	EXPECT_FAILS(x_wait(&status), ECHILD);
	EXPECT_FAILS(x_waitpid(-1, &status, WNOHANG), ECHILD);
}

TEST(fork, waitpid_for_a_stranger_fails_ECHILD)
{
	/* wait(2): not a child of the calling process. */
	int code = 0;
	int status;
	pid_t pid = x_fork_into(returns_it, &code);

	SETUP(pid > 0);
	EXPECT_FAILS(x_waitpid(1 << 24, &status, 0), ECHILD);
	EXPECT_EQ(x_waitpid(pid, &status, 0), pid);
	EXPECT_FAILS(x_waitpid(pid, &status, 0), ECHILD);
}

TEST(fork, waitpid_with_unknown_options_fails_EINVAL)
{
	/* wait(2). */
	int status;

	EXPECT_FAILS(x_waitpid(-1, &status, 0x40), EINVAL);
}

TEST(fork, wait_takes_any_child_and_a_null_status)
{
	/* wait(2): if status is not NULL, it is stored. */
	int code = 0;
	pid_t a = x_fork_into(returns_it, &code);
	pid_t b = x_fork_into(returns_it, &code);
	pid_t first = x_wait(NULL);
	pid_t second = x_wait(NULL);

	EXPECT((first == a && second == b) || (first == b && second == a));
	EXPECT_FAILS(x_wait(NULL), ECHILD);
}

TEST(fork, waitpid_WNOHANG_of_a_running_child_returns_0)
{
	/* wait(2). */
	int ends[2], status = -1;
	pid_t pid;

	stream_pair(ends);
	pid = x_fork_into(holds_the_peer, ends);
	SETUP(pid > 0);
	EXPECT_EQ(x_waitpid(pid, &status, WNOHANG), 0);
	EXPECT_EQ(x_send(ends[0], "x", 1, MSG_NOSIGNAL), 1);
	EXPECT_EQ(x_waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
	close_pair(ends);
}

static int tells_its_pid(void *arg)
{
	pid_t pid = x_getpid();

	CHILD_EXPECT(x_send(*(int *)arg, &pid, sizeof(pid), MSG_NOSIGNAL) == sizeof(pid));
	return 0;
}

TEST(fork, child_has_the_pid_that_fork_returned)
{
	/* fork(2), getpid(2). */
	int ends[2], status;
	pid_t pid, told = 0;

	stream_pair(ends);
	pid = x_fork_into(tells_its_pid, &ends[1]);
	SETUP(pid > 0);
	EXPECT_EQ(x_recv(ends[0], &told, sizeof(told), 0), sizeof(told));
	EXPECT_EQ(told, pid);
	EXPECT(pid != x_getpid());
	EXPECT_EQ(x_waitpid(pid, &status, 0), pid);
	close_pair(ends);
}
