// SPDX-License-Identifier: MIT
/*
 * Processes on threads of their own: start, join, fork, wait, and their ends while they wait.
 */
#include "bed.h"

#include <sched.h>
#include <sys/wait.h>

static int give(void *arg)
{
	return *(int *)arg;
}

static int say_pid(void *arg)
{
	(void)arg;
	return ksim_getpid();
}

TEST(threads, join_gives_the_result_of_main_and_reaps)
{
	struct ksim_machine *m = bed_boot(NULL);
	struct ksim_process *p = bed_process(m, "p");
	struct ksim_end end;
	int result = 0x10b;

	EXPECT_EQ(ksim_start(p, give, &result), 0);
	EXPECT_FAILS(ksim_start(p, give, &result), EBUSY);
	EXPECT_EQ(ksim_join(p, &end), 0);
	EXPECT(!end.alive && end.signo == 0);
	EXPECT_EQ(end.code, 0x0b);
	EXPECT_EQ(ksim_join(p, &end), 0);
	EXPECT_EQ(end.code, 0x0b);
	bed_halt(m);
}

static int leave_by_exit(void *arg)
{
	ksim_exit(give(arg));
}

TEST(threads, exit_ends_a_started_process)
{
	struct ksim_machine *m = bed_boot(NULL);
	struct ksim_process *p = bed_process(m, "p");
	struct ksim_end end;
	int code = 3;

	EXPECT_EQ(ksim_start(p, leave_by_exit, &code), 0);
	EXPECT_EQ(ksim_join(p, &end), 0);
	EXPECT_EQ(end.code, 3);
	bed_halt(m);
}

TEST(threads, run_of_a_started_process_is_EBUSY)
{
	struct ksim_machine *m = bed_boot(NULL);
	struct ksim_process *p = bed_process(m, "p");
	int code = 0;

	EXPECT_EQ(ksim_start(p, give, &code), 0);
	EXPECT_FAILS(ksim_run(p, give, &code, NULL), EBUSY);
	EXPECT_EQ(ksim_join(p, NULL), 0);
	bed_halt(m);
}

static int tid_differs(void *arg)
{
	*(pid_t *)arg = ksim_gettid();
	return ksim_gettid() != ksim_getpid();
}

TEST(threads, further_threads_have_tids_of_their_own_and_leave_the_process_alive)
{
	struct ksim_machine *m = bed_boot(NULL);
	struct ksim_process *p = bed_process(m, "p");
	pid_t tids[3], own[3];
	int result = 0;

	ksim_as(p) {
		for (int i = 0; i < 3; i++)
			tids[i] = ksim_task_start(p, tid_differs, &own[i]);
		for (int i = 0; i < 3; i++) {
			EXPECT_EQ(ksim_task_join(p, tids[i], &result), 0);
			EXPECT_EQ(result, 1);
			EXPECT_EQ(own[i], tids[i]);
		}
		EXPECT_FAILS(ksim_task_join(p, tids[0], &result), EINVAL);
		EXPECT_EQ(ksim_getpid(), ksim_process_pid(p));
	}
	bed_halt(m);
}

/* ---- fork and wait ---- */

static int write_to_inherited(void *arg)
{
	return ksim_write(*(int *)arg, "c", 1) == 1 ? 17 : 1;
}

TEST(threads, fork_into_gives_a_child_with_the_descriptors_and_wait_its_status)
{
	struct ksim_machine *m = bed_boot(NULL);
	struct ksim_process *p = bed_process(m, "p");
	int fds[2], status = 0;
	char byte = 0;
	pid_t pid;

	ksim_as(p) {
		EXPECT_EQ(ksim_socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
		pid = ksim_fork_into(write_to_inherited, &fds[1]);
		EXPECT(pid > ksim_getpid());
		EXPECT_EQ(ksim_read(fds[0], &byte, 1), 1);
		EXPECT_EQ(byte, 'c');
		EXPECT_EQ(ksim_wait(&status), pid);
		EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 17);
		EXPECT_FAILS(ksim_wait(&status), ECHILD);
	}
	bed_halt(m);
}

static int wait_for_a_byte(void *arg)
{
	char byte;

	return (int)ksim_read(*(int *)arg, &byte, 1);
}

TEST(threads, waitpid_waits_for_that_child_and_looks_with_WNOHANG)
{
	struct ksim_machine *m = bed_boot(NULL);
	struct ksim_process *p = bed_process(m, "p");
	int fds[2], status = 0;
	pid_t slow, quick;
	int five = 5;

	ksim_as(p) {
		EXPECT_EQ(ksim_socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
		slow = ksim_fork_into(wait_for_a_byte, &fds[0]);
		quick = ksim_fork_into(give, &five);
		EXPECT_EQ(ksim_waitpid(quick, &status, 0), quick);
		EXPECT_EQ(WEXITSTATUS(status), 5);
		EXPECT_EQ(ksim_waitpid(slow, &status, WNOHANG), 0);
		EXPECT_EQ(ksim_write(fds[1], "x", 1), 1);
		EXPECT_EQ(ksim_waitpid(-1, NULL, 0), slow);
		EXPECT_FAILS(ksim_waitpid(slow, &status, WNOHANG), ECHILD);
		EXPECT_FAILS(ksim_waitpid(-1, &status, ~0), EINVAL);
	}
	bed_halt(m);
}

TEST(threads, process_fork_is_a_child_that_the_bench_runs)
{
	struct ksim_machine *m = bed_boot(NULL);
	struct ksim_process *p = bed_process(m, "p"), *child;
	struct ksim_end end;
	int fd = -1;

	ksim_as(p)
		fd = ksim_memfd_create("inherited", 0);
	child = ksim_process_fork(p, "child");
	REQUIRE(child != NULL);
	EXPECT_STREQ(ksim_process_name(child), "child");
	ksim_as(child) {
		EXPECT_EQ(ksim_getppid(), ksim_process_pid(p));
		EXPECT_EQ(ksim_close(fd), 0);
	}
	ksim_as(p)
		EXPECT_EQ(ksim_close(fd), 0);
	EXPECT_EQ(ksim_run(child, say_pid, NULL, &end), 0);
	EXPECT_EQ(end.code, ksim_process_pid(child));
	EXPECT_EQ(ksim_process_end(child, 0), 0);
	EXPECT_EQ(ksim_join(child, &end), 0);
	bed_halt(m);
}

/* ---- ends while they wait ---- */

/* In p: a pair whose first end never has anything to read. */
static void quiet_pair(struct ksim_process *p, int fds[2])
{
	ksim_as(p)
		SETUP(ksim_socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
}

TEST(threads, process_end_ends_one_that_waits_in_a_call)
{
	struct ksim_machine *m = bed_boot(NULL);
	struct ksim_process *p = bed_process(m, "p");
	struct ksim_end end;
	int fds[2];

	quiet_pair(p, fds);
	ksim_hold(m);
	EXPECT_EQ(ksim_start(p, wait_for_a_byte, &fds[0]), 0);
	bed_await_asleep(m, 1);
	EXPECT_EQ(ksim_process_end(p, 42), 0);
	EXPECT_EQ(ksim_join(p, &end), 0);
	EXPECT_EQ(end.code, 42);
	ksim_release(m);
	bed_halt(m);
}

TEST(threads, task_that_is_ended_with_its_process_has_the_result_minus_1)
{
	struct ksim_machine *m = bed_boot(NULL);
	struct ksim_process *p = bed_process(m, "p");
	int fds[2], result = 0;
	pid_t tid;

	quiet_pair(p, fds);
	ksim_hold(m);
	tid = ksim_task_start(p, wait_for_a_byte, &fds[0]);
	EXPECT(tid > 0);
	bed_await_asleep(m, 1);
	EXPECT_EQ(ksim_process_end(p, 0), 0);
	EXPECT_EQ(ksim_task_join(p, tid, &result), 0);
	EXPECT_EQ(result, -1);
	ksim_release(m);
	bed_halt(m);
}

TEST(threads, halt_ends_those_who_wait)
{
	struct ksim_machine *m = bed_boot(NULL);
	int fds[3][2];

	ksim_hold(m);
	for (int i = 0; i < 3; i++) {
		struct ksim_process *p = bed_process(m, "p");

		quiet_pair(p, fds[i]);
		EXPECT_EQ(ksim_start(p, wait_for_a_byte, &fds[i][0]), 0);
	}
	bed_await_asleep(m, 3);
	bed_halt(m);
}

static int expect_deadlock(void *arg)
{
	char byte;

	EXPECT_FAILS(ksim_read(*(int *)arg, &byte, 1), EDEADLK);
	return 0;
}

TEST(threads, wait_that_nothing_can_end_is_EDEADLK_and_the_report_names_it)
{
	struct ksim_machine *m = bed_boot(NULL);
	struct ksim_process *p = bed_process(m, "compositor");
	struct ksim_end end;
	int fds[2];

	quiet_pair(p, fds);
	EXPECT_EQ(ksim_run(p, expect_deadlock, &fds[0], &end), 0);
	EXPECT(end.alive);
	EXPECT_MSG(strstr(bed_said(), "compositor (2)") != NULL && strstr(bed_said(), "read") != NULL, "%s",
	           bed_said());
	bed_halt(m);
}

struct stuck {
	int fd;
	unsigned *told; /* how many know of the deadlock */
};

/* Does not end, and so wake the other one, before both know. */
static int expect_deadlock_of_two(void *arg)
{
	struct stuck *stuck = arg;
	int wrong = expect_deadlock(&stuck->fd);

	__atomic_fetch_add(stuck->told, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(stuck->told, __ATOMIC_SEQ_CST) < 2)
		sched_yield();
	return wrong;
}

TEST(threads, two_who_wait_for_each_other_both_get_EDEADLK)
{
	struct ksim_machine *m = bed_boot(NULL);
	struct ksim_process *p[2] = { bed_process(m, "a"), bed_process(m, "b") };
	unsigned told = 0;
	struct stuck stuck[2] = { { .told = &told }, { .told = &told } };
	struct ksim_end end;
	int fds[2];

	EXPECT_EQ(ksim_socketpair_between(p[0], p[1], SOCK_STREAM, fds), 0);
	ksim_hold(m);
	for (int i = 0; i < 2; i++) {
		stuck[i].fd = fds[i];
		EXPECT_EQ(ksim_start(p[i], expect_deadlock_of_two, &stuck[i]), 0);
	}
	bed_await_asleep(m, 2);
	ksim_release(m);
	for (int i = 0; i < 2; i++) {
		EXPECT_EQ(ksim_join(p[i], &end), 0);
		EXPECT_EQ(end.code, 0);
	}
	EXPECT_MSG(strstr(bed_said(), "a (2)") != NULL && strstr(bed_said(), "b (3)") != NULL, "%s", bed_said());
	bed_halt(m);
}

TEST(threads, join_of_one_that_nobody_acts_as_is_EDEADLK)
{
	struct ksim_machine *m = bed_boot(NULL);
	struct ksim_process *p = bed_process(m, "p");
	struct ksim_end end;

	EXPECT_FAILS(ksim_join(p, &end), EDEADLK);
	EXPECT_EQ(ksim_process_end(p, 1), 0);
	EXPECT_EQ(ksim_join(p, &end), 0);
	EXPECT_EQ(end.code, 1);
	bed_halt(m);
}
