// SPDX-License-Identifier: MIT
/*
 * ksim_clone, ksim_process_clone, and threads that exit alone, as the program sees it. What Linux promises of them is
 * in tests/abi.
 */
#include "bed.h"

#include <sched.h>
#include <signal.h>
#include <sys/wait.h>

#define THREAD (CLONE_VM | CLONE_FILES | CLONE_FS | CLONE_SIGHAND | CLONE_THREAD)

static char no_stack[16];

static int give(void *arg)
{
	return *(int *)arg;
}

static int exit_alone(void *arg)
{
	ksim_syscall(ksim_nr(ksim_process_machine(ksim_self()), "exit"), *(int *)arg, 0, 0, 0, 0, 0);
	return 99;
}

TEST(clone, flags_that_need_a_running_thread_are_not_for_a_process_without_one)
{
	struct ksim_machine *m = bed_boot(NULL);
	struct ksim_process *p = bed_process(m, "p");
	static const int bad[] = { CLONE_THREAD, CLONE_VFORK, CLONE_PARENT, CLONE_NEWNET, SIGCHLD, CLONE_SIGHAND };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		errno = 0;
		EXPECT(ksim_process_clone(p, NULL, bad[i]) == NULL && errno == EINVAL);
	}
	bed_halt(m);
}

TEST(clone, process_that_shares_sees_what_the_other_does)
{
	struct ksim_machine *m = bed_boot(NULL);
	struct ksim_process *p = bed_process(m, "p");
	struct ksim_process *q = ksim_process_clone(p, "q", CLONE_VM | CLONE_FILES);
	ksim_addr at = 0;
	int fd = -1;

	SETUP(q != NULL);
	EXPECT_STREQ(ksim_process_name(q), "q");
	ksim_as(q) {
		at = bed_map(1);
		bed_poke(at, "shared", 6);
		fd = ksim_memfd_create("shared", 0);
	}
	EXPECT_EQ(ksim_process_end(q, 0), 0);
	ksim_as(p) {
		expect_user_bytes(at, "shared", 6);
		EXPECT_EQ(ksim_close(fd), 0);
		EXPECT_EQ(ksim_munmap(at, PAGE), 0);
	}
	bed_halt(m);
}

TEST(clone, run_ends_with_the_code_of_a_thread_that_exits_while_another_acts)
{
	struct ksim_machine *m = bed_boot(NULL);
	struct ksim_process *p = bed_process(m, "p");
	struct ksim_end end;
	int code = 5;

	ksim_as(p) {
		/* The thread that is in the block is not the one that runs. */
		pid_t tid = ksim_task_start(p, exit_alone, &code);
		int result = -1;

		EXPECT(tid > 0);
		EXPECT_EQ(ksim_task_join(p, tid, &result), 0);
		EXPECT_EQ(result, 5);
		EXPECT_EQ(ksim_tgkill(ksim_getpid(), tid, 0), -1);
		EXPECT_EQ(errno, ESRCH);
	}
	code = 6;
	EXPECT_EQ(ksim_run(p, exit_alone, &code, &end), 0);
	EXPECT(!end.alive && end.signo == 0 && end.code == 6);
	bed_halt(m);
}

static int wait_for_end(void *arg)
{
	while (!__atomic_load_n((int *)arg, __ATOMIC_SEQ_CST))
		sched_yield();
	return 0;
}

TEST(clone, run_by_the_program_is_left_by_exit_of_its_thread_and_the_process_lives)
{
	struct ksim_machine *m = bed_boot(NULL);
	struct ksim_process *p = bed_process(m, "p");
	struct ksim_end end;
	int code = 5, over = 0;

	EXPECT(ksim_task_start(p, wait_for_end, &over) > 0);
	EXPECT_EQ(ksim_run(p, exit_alone, &code, &end), 0);
	EXPECT(end.alive);
	EXPECT_EQ(end.code, 5);
	EXPECT(ksim_self() == NULL);
	/* It can be acted as again. */
	__atomic_store_n(&over, 1, __ATOMIC_SEQ_CST);
	EXPECT_EQ(ksim_run(p, give, &code, &end), 0);
	EXPECT(end.alive && end.code == 5);
	EXPECT_EQ(ksim_process_end(p, 0), 0);
	EXPECT_EQ(ksim_join(p, NULL), 0);
	bed_halt(m);
}

static int clones_a_thread(void *arg)
{
	int result = -1;
	pid_t tid = ksim_clone(give, no_stack, THREAD, arg);

	EXPECT(tid > 0);
	EXPECT_EQ(ksim_task_join(ksim_self(), tid, &result), 0);
	EXPECT_EQ(result, *(int *)arg);
	return 0;
}

TEST(clone, thread_of_clone_can_be_joined_for_its_result)
{
	struct ksim_machine *m = bed_boot(NULL);
	struct ksim_process *p = bed_process(m, "p");
	int code = 11;

	EXPECT_EQ(ksim_run(p, clones_a_thread, &code, NULL), 0);
	bed_halt(m);
}

static int clones_by_number(void *arg)
{
	(void)arg;
	EXPECT_EQ(ksim_syscall(56, SIGCHLD, 0, 0, 0, 0, 0), -ENOSYS);
	EXPECT_EQ(ksim_syscall(435, 0, 0, 0, 0, 0, 0), -ENOSYS);
	return 0;
}

/* There is no function to begin in. */
TEST(clone, clone_by_its_number_is_ENOSYS)
{
	struct ksim_machine *m = bed_boot(&(struct ksim_config){ .arch = KSIM_ARCH_X86_64 });
	struct ksim_process *p = bed_process(m, "p");

	EXPECT_EQ(ksim_run(p, clones_by_number, NULL, NULL), 0);
	bed_halt(m);
}

static int clones_without_memory(void *arg)
{
	struct ksim_machine *m = arg;
	pid_t told = 0, pid = -1;
	int code = 4, status;

	for (unsigned n = 1; pid < 0; n++) {
		bed_fail_at(m, n);
		pid = ksim_clone(give, no_stack, CLONE_VM | CLONE_PARENT_SETTID | SIGCHLD, &code, &told);
		bed_fail_at(m, 0);
		REQUIRE(pid > 0 || errno == ENOMEM);
	}
	EXPECT_EQ(told, pid);
	EXPECT_EQ(ksim_waitpid(pid, &status, 0), pid);
	EXPECT_EQ(WEXITSTATUS(status), 4);
	EXPECT_EQ(ksim_waitpid(-1, &status, 0), -1);
	EXPECT_EQ(errno, ECHILD);
	return 0;
}

TEST(clone, clone_that_fails_leaves_no_child)
{
	struct ksim_machine *m = bed_boot(NULL);
	struct ksim_process *p = bed_process(m, "p");

	EXPECT_EQ(ksim_run(p, clones_without_memory, m, NULL), 0);
	bed_halt(m);
}
