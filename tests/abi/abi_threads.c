// SPDX-License-Identifier: MIT
/*
 * What Linux promises of threads: they are tasks of one process, with numbers of their own, which end one by one.
 * clone(2), _exit(2), exit(2), tgkill(2). Their variables are the program's, which they share.
 */
#include "abi.h"

enum {
	RW = PROT_READ | PROT_WRITE,
	THREAD = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM,
};

static uint32_t step; /* a  of the test: what has happened */

static void reach(uint32_t n)
{
	__atomic_store_n(&step, n, __ATOMIC_SEQ_CST);
}

static void await(uint32_t n)
{
	while (__atomic_load_n(&step, __ATOMIC_SEQ_CST) < n)
		sched_yield();
}

/* Until its number is nobody's. */
static void await_end(pid_t tid)
{
	while (x_tgkill(x_getpid(), tid, 0) == 0)
		sched_yield();
	EXPECT_EQ(errno, ESRCH);
}

static struct {
	pid_t pid, ppid, tid;
	int fd;
} told;

static int tells_who_it_is(void *arg)
{
	told.pid = x_getpid();
	told.ppid = x_getppid();
	told.tid = x_gettid();
	told.fd = x_memfd_create("threads", 0);
	st8(*(addr_t *)arg, 'T');
	return 0;
}

TEST(threads, thread_has_the_pid_the_files_and_the_memory_and_a_number_of_its_own)
{
	/* clone(2), CLONE_THREAD. */
	addr_t map = map_anonymous(1, RW, MAP_PRIVATE);
	pid_t tid = x_clone(tells_who_it_is, THREAD, &map, NULL, NULL);

	SETUP(tid > 0);
	await_end(tid);
	EXPECT_EQ(told.pid, x_getpid());
	EXPECT_EQ(told.ppid, x_getppid());
	EXPECT_EQ(told.tid, tid);
	EXPECT(tid != x_gettid());
	EXPECT_EQ(ld8(map), 'T');
	EXPECT_EQ(x_close(told.fd), 0);
	unmap(map, 1);
}

static int ends_at_a_word(void *arg)
{
	(void)arg;
	reach(1);
	await(2);
	return 0;
}

TEST(threads, thread_is_no_child)
{
	/* clone(2), CLONE_THREAD: a thread cannot be waited for, and its end sends no signal. */
	struct sigaction fresh = { .sa_handler = SIG_DFL };
	sigset_t chld, old, pending;
	pid_t tid;

	reach(0);
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	SETUP(x_sigaction(SIGCHLD, &fresh, NULL) == 0 && x_sigprocmask(SIG_BLOCK, &chld, &old) == 0);
	tid = x_clone(ends_at_a_word, THREAD | SIGCHLD, NULL, NULL, NULL);
	SETUP(tid > 0);
	await(1);
	EXPECT_EQ(x_waitpid(tid, NULL, __WALL), -1);
	EXPECT_EQ(errno, ECHILD);
	reach(2);
	await_end(tid);
	EXPECT_EQ(x_sigpending(&pending), 0);
	EXPECT(!sigismember(&pending, SIGCHLD));
	EXPECT_EQ(x_sigprocmask(SIG_SETMASK, &old, NULL), 0);
}

TEST(threads, number_of_a_thread_names_its_process_until_it_ends)
{
	/* kill(2), getpgid(2) find a process by any of its threads; ESRCH afterwards. */
	pid_t tid;

	reach(0);
	tid = x_clone(ends_at_a_word, THREAD, NULL, NULL, NULL);
	SETUP(tid > 0);
	await(1);
	EXPECT_EQ(x_kill(tid, 0), 0);
	EXPECT_EQ(x_getpgid(tid), x_getpgid(0));
	EXPECT_EQ(x_tgkill(tid, tid, 0), -1);
	EXPECT_EQ(errno, ESRCH);
	reach(2);
	await_end(tid);
	EXPECT_EQ(x_kill(tid, 0), -1);
	EXPECT_EQ(errno, ESRCH);
	EXPECT_EQ(x_getpgid(tid), -1);
	EXPECT_EQ(errno, ESRCH);
}

static int exits_alone(void *arg)
{
	(void)arg;
	x_exit_thread(5);
}

TEST(threads, exit_of_a_thread_is_its_own)
{
	/* _exit(2), notes: the raw exit ends only the calling thread. */
	pid_t tid = x_clone(exits_alone, THREAD, NULL, NULL, NULL);

	SETUP(tid > 0);
	await_end(tid);
}

TEST(threads, numbers_of_threads_are_written_and_cleared)
{
	/* clone(2), CLONE_PARENT_SETTID, CLONE_CHILD_SETTID, CLONE_CHILD_CLEARTID. */
	addr_t map = map_anonymous(1, RW, MAP_PRIVATE);
	pid_t parents = 0, tid;

	reach(0);
	tid = x_clone(ends_at_a_word, THREAD | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID, NULL,
	              &parents, ubuf(map));
	SETUP(tid > 0);
	EXPECT_EQ(parents, tid);
	await(1);
	EXPECT_EQ(ld32(map), tid);
	reach(2);
	await_end(tid);
	EXPECT_EQ(ld32(map), 0);
	unmap(map, 1);
}

static int says_what_it_blocks(void *arg)
{
	sigset_t now;

	(void)arg;
	x_sigprocmask(SIG_BLOCK, NULL, &now);
	told.fd = sigismember(&now, SIGUSR1);
	sigaddset(&now, SIGUSR2);
	x_sigprocmask(SIG_SETMASK, &now, NULL);
	return 0;
}

TEST(threads, mask_is_inherited_and_then_its_own)
{
	/* clone(2); pthreads(7): the signal mask is per thread. */
	sigset_t set, old;
	pid_t tid;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	SETUP(x_sigprocmask(SIG_BLOCK, &set, &old) == 0);
	tid = x_clone(says_what_it_blocks, THREAD, NULL, NULL, NULL);
	SETUP(tid > 0);
	await_end(tid);
	EXPECT_EQ(told.fd, 1);
	EXPECT_EQ(x_sigprocmask(SIG_SETMASK, &old, &set), 0);
	EXPECT(!sigismember(&set, SIGUSR2));
}

/* The first thread goes before the others. */

static int goes_on(void *arg)
{
	pid_t leader = x_getpid();

	await(1);
	for (int i = 0; i < 100; i++)
		sched_yield();
	/* Its number is that of the process, which lives. */
	if (x_tgkill(leader, leader, 0) != 0 || x_kill(leader, 0) != 0)
		return 99;
	st8(*(addr_t *)arg, 'L');
	return 9;
}

static int leaves_a_thread(void *arg)
{
	reach(0);
	CHILD_EXPECT(x_clone(goes_on, THREAD, arg, NULL, NULL) > 0);
	reach(1);
	x_exit_thread(7);
}

TEST(threads, process_lives_until_its_last_thread_ends_with_that_ones_code)
{
	/* exit(2); wait(2) tells nothing before. Until 6.0 the code was the first thread's. */
	addr_t map = map_anonymous(1, RW, MAP_SHARED);
	int code = child_join(child_start(leaves_a_thread, &map));

	EXPECT_EQ(ld8(map), 'L');
	if (linux_release() >= 6000)
		EXPECT_EQ(code, 9);
	unmap(map, 1);
}

static int sleeps_for_ever(void *arg)
{
	(void)arg;
	reach(1);
	while (x_pause() < 0)
		;
	return 1;
}

static int is_killed_without_its_first_thread(void *arg)
{
	(void)arg;
	reach(0);
	CHILD_EXPECT(x_clone(sleeps_for_ever, THREAD, NULL, NULL, NULL) > 0);
	await(1);
	x_exit_thread(7);
}

TEST(threads, process_without_its_first_thread_can_be_killed)
{
	/* signal(7): by a signal to the process, which any thread takes. */
	pid_t pid = x_fork_into(is_killed_without_its_first_thread, NULL);
	int status;

	SETUP(pid > 0);
	for (int i = 0; i < 200; i++)
		sched_yield();
	EXPECT_EQ(x_waitpid(pid, &status, WNOHANG), 0);
	EXPECT_EQ(x_kill(pid, SIGTERM), 0);
	EXPECT_EQ(x_waitpid(pid, &status, 0), pid);
	EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

static int ends_the_process(void *arg)
{
	(void)arg;
	x_exit(6);
}

static int has_a_thread_that_exits(void *arg)
{
	(void)arg;
	CHILD_EXPECT(x_clone(ends_the_process, THREAD, NULL, NULL, NULL) > 0);
	while (x_pause() < 0)
		;
	return 1;
}

TEST(threads, exit_group_by_any_thread_ends_all)
{
	/* _exit(2): terminates all threads. */
	EXPECT_EQ(child_join(child_start(has_a_thread_that_exits, NULL)), 6);
}

/* A child of clone that is no thread has threads too. */

static int child_with_a_thread(void *arg)
{
	reach(0);
	CHILD_EXPECT(x_clone(goes_on, THREAD, arg, NULL, NULL) > 0);
	reach(1);
	return 3;
}

TEST(threads, function_of_a_cloned_child_returns_to_exit_of_its_thread)
{
	/* clone(2): when fn returns, the child terminates as by exit(2). */
	addr_t map = map_anonymous(1, RW, MAP_SHARED);
	pid_t pid = x_clone(child_with_a_thread, CLONE_VM | SIGCHLD, &map, NULL, NULL);
	int status;

	SETUP(pid > 0);
	EXPECT_EQ(x_waitpid(pid, &status, 0), pid);
	EXPECT_EQ(ld8(map), 'L');
	if (linux_release() >= 6000)
		EXPECT_EQ(WEXITSTATUS(status), 9);
	unmap(map, 1);
}
