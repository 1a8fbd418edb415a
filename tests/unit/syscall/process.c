// SPDX-License-Identifier: MIT
/*
 * Calls on processes: identity, end, wait, signal actions, limits (errors measured on 6.18).
 */
#include "bed.h"

#include <signal.h>
#include <sys/wait.h>

TEST(process, identity)
{
	struct process *child;
	struct task *task;
	struct bed bed;

	bed_open(&bed);
	EXPECT_EQ(CALL(&bed, getpid, 0), bed.process->owner.id);
	EXPECT_EQ(CALL(&bed, getppid, 0), 1);
	EXPECT_EQ(CALL(&bed, gettid, 0), bed.task->tid);
	EXPECT_EQ(CALL(&bed, getuid, 0), 0);
	EXPECT_EQ(CALL(&bed, geteuid, 0), 0);
	EXPECT_EQ(CALL(&bed, getgid, 0), 0);
	EXPECT_EQ(CALL(&bed, getegid, 0), 0);
	child = bed_fork(&bed);
	SETUP(task_enter_any(&bed.ctx, child, TASK_ACTOR_PROGRAM, &task) == 0);
	EXPECT_EQ(syscall_run(task, CALL_getppid, (uint64_t[6]){ 0 }, KSIM_ARCH_HOST), bed.process->owner.id);
	task_leave(task);
	bed_close(&bed);
}

/* Let a child make an exit call. @return its pid */
static long child_that_exits(struct bed *bed, enum syscall_call call, uint64_t code)
{
	struct process *child = bed_fork(bed);
	const uint64_t args[6] = { code };
	struct task *task;

	SETUP(task_enter_any(&bed->ctx, child, TASK_ACTOR_PROGRAM, &task) == 0);
	syscall_run(task, call, args, KSIM_ARCH_X86_64);
	EXPECT(task_dying(task));
	task_leave(task);
	return child->owner.id;
}

TEST(exit, status_reaches_the_parent)
{
	uint8_t rusage[144];
	struct bed bed;
	int status = -1;
	long pid;

	bed_open(&bed);
	pid = child_that_exits(&bed, CALL_exit_group, 0x107);
	memset(rusage, 0xee, sizeof(rusage));
	EXPECT_EQ(CALL(&bed, wait4, MINUS_ONE, p(&status), 0, p(rusage)), pid);
	EXPECT(WIFEXITED(status));
	EXPECT_EQ(WEXITSTATUS(status), 7);
	EXPECT_EQ(rusage[143], 0);
	pid = child_that_exits(&bed, CALL_exit, 3);
	EXPECT_EQ(CALL(&bed, wait4, (uint64_t)pid, p(&status), 0, 0), pid);
	EXPECT_EQ(WEXITSTATUS(status), 3);
	bed_close(&bed);
}

TEST(wait4, checks_come_in_the_order_of_Linux)
{
	struct bed bed;
	long pid;

	bed_open(&bed);
	EXPECT_EQ(CALL(&bed, wait4, MINUS_ONE, 0, 4, 0), -EINVAL);
	EXPECT_EQ(CALL(&bed, wait4, UINT64_C(0x80000000), 0, 0, 0), -ESRCH);
	EXPECT_EQ(CALL(&bed, wait4, MINUS_ONE, 0, 0, 0), -ECHILD);
	EXPECT_EQ(CALL(&bed, wait4, 1, 0, WNOHANG, 0), -ECHILD);
	bed_fork(&bed);
	EXPECT_EQ(CALL(&bed, wait4, MINUS_ONE, BAD, WNOHANG, BAD), 0); /* nothing to tell, nothing written */
	EXPECT_EQ(CALL(&bed, wait4, MINUS_ONE, 0, UINT64_C(0x80000000), 0), -ECHILD);
	pid = child_that_exits(&bed, CALL_exit_group, 0);
	EXPECT_EQ(CALL(&bed, wait4, (uint64_t)pid, BAD, 0, 0), -EFAULT);
	EXPECT_EQ(CALL(&bed, wait4, (uint64_t)pid, 0, 0, 0), -ECHILD); /* it was reaped all the same */
	bed_close(&bed);
}

/* struct sigaction of the kernel */
struct action {
	uint64_t handler, flags, restorer, mask;
};

TEST(sigaction, sets_and_reads_back)
{
	struct action set = { 0x1234, UINT64_MAX, 0x5678, UINT64_MAX }, got;
	struct bed bed;

	bed_open(&bed);
	EXPECT_EQ(CALL(&bed, rt_sigaction, SIGBUS, p(&set), p(&got), 8), 0);
	EXPECT_EQ(got.handler, 0);
	EXPECT_EQ(CALL(&bed, rt_sigaction, SIGBUS, 0, p(&got), 8), 0);
	EXPECT_EQ(got.handler, 0x1234);
	EXPECT_EQ(got.restorer, 0x5678);
	EXPECT_EQ(got.flags, 0xdc000807); /* the unknown ones are gone */
	EXPECT_EQ(got.mask, ~(UINT64_C(1) << (SIGKILL - 1) | UINT64_C(1) << (SIGSTOP - 1)));
	bed_close(&bed);
}

TEST(sigaction, checks_come_in_the_order_of_Linux)
{
	struct action set = { 1, 0, 0, 0 }, got;
	struct bed bed;

	bed_open(&bed);
	EXPECT_EQ(CALL(&bed, rt_sigaction, 99, BAD, 0, 4), -EINVAL);
	EXPECT_EQ(CALL(&bed, rt_sigaction, 99, BAD, 0, 8), -EFAULT); /* pointer before signal */
	EXPECT_EQ(CALL(&bed, rt_sigaction, 0, 0, 0, 8), -EINVAL);
	EXPECT_EQ(CALL(&bed, rt_sigaction, 65, 0, 0, 8), -EINVAL);
	EXPECT_EQ(CALL(&bed, rt_sigaction, 64, 0, 0, 8), 0);
	EXPECT_EQ(CALL(&bed, rt_sigaction, SIGKILL, p(&set), 0, 8), -EINVAL);
	EXPECT_EQ(CALL(&bed, rt_sigaction, SIGKILL, 0, p(&got), 8), 0);
	EXPECT_EQ(CALL(&bed, rt_sigaction, SIGUSR1, p(&set), BAD, 8), -EFAULT);
	EXPECT_EQ(CALL(&bed, rt_sigaction, SIGUSR1, 0, p(&got), 8), 0);
	EXPECT_EQ(got.handler, 1); /* and yet it was set */
	bed_close(&bed);
}

TEST(rlimit, limit_of_descriptors_is_read_and_set)
{
	struct rlimit_pair {
		uint64_t soft, hard;
	} limit = { 0 };
	struct bed bed;

	bed_open(&bed);
	EXPECT_EQ(CALL(&bed, getrlimit, 7, p(&limit)), 0);
	EXPECT_EQ(limit.soft, BED_FDS);
	EXPECT_EQ(limit.hard, 1048576);
	limit.soft = 2;
	EXPECT_EQ(CALL(&bed, setrlimit, 7, p(&limit)), 0);
	EXPECT_EQ(CALL(&bed, memfd_create, p("x"), 0), 0);
	EXPECT_EQ(CALL(&bed, dup, 0), 1);
	EXPECT_EQ(CALL(&bed, dup, 0), -EMFILE);
	EXPECT_EQ(CALL(&bed, dup2, 0, 2), -EBADF);
	limit.soft = 3;
	EXPECT_EQ(CALL(&bed, prlimit64, bed.process->owner.id, 7, p(&limit), p(&limit)), 0);
	EXPECT_EQ(limit.soft, 2);
	EXPECT_EQ(CALL(&bed, dup, 0), 2);
	bed_close(&bed);
}

TEST(rlimit, checks_come_in_the_order_of_Linux)
{
	uint64_t limit[2] = { 20, 10 };
	struct bed bed;

	bed_open(&bed);
	EXPECT_EQ(CALL(&bed, getrlimit, 16, BAD), -EINVAL);
	EXPECT_EQ(CALL(&bed, getrlimit, 7, BAD), -EFAULT);
	EXPECT_EQ(CALL(&bed, setrlimit, 16, BAD), -EFAULT);
	EXPECT_EQ(CALL(&bed, setrlimit, 7, p(limit)), -EINVAL);
	limit[1] = 1 << 21;
	EXPECT_EQ(CALL(&bed, setrlimit, 7, p(limit)), -EPERM);
	EXPECT_EQ(CALL(&bed, setrlimit, 9, p(limit)), 0);
	EXPECT_EQ(CALL(&bed, getrlimit, 9, p(limit)), 0);
	EXPECT_EQ(limit[0], 20);
	EXPECT_EQ(CALL(&bed, prlimit64, 9999, 16, BAD, 0), -EFAULT);
	EXPECT_EQ(CALL(&bed, prlimit64, 9999, 16, 0, 0), -ESRCH);
	EXPECT_EQ(CALL(&bed, prlimit64, 1, 7, 0, 0), 0); /* root may */
	EXPECT_EQ(CALL(&bed, prlimit64, 0, 16, 0, 0), -EINVAL);
	EXPECT_EQ(CALL(&bed, prlimit64, 0, 7, 0, 0), 0);
	bed_close(&bed);
}
