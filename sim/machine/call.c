// SPDX-License-Identifier: MIT
/*
 * The way from the program into the kernel.
 *
 *	ksim_write(...)  --> machine_call(CALL_write, ...)  --> syscall_run: trace, handler, drain
 *	ksim_syscall(1)  -->                                    syscall_run_nr
 *
 * A process may be ended by others at any time, or get a signal. Its threads look for that where they enter the kernel
 * and where they come back from it: there they leave, so no call of a dying process returns to the program, and there
 * its handlers run. A call that a signal has interrupted is made again where Linux restarts it.
 *
 * I1  no access to user memory is under way when the kernel is entered: who waits for a hazard to go would wait for
 *     ever, for the kernel may block
 *
 * Locking: none. Linux: the entry code of its architectures, and libc.
 */
#include "machine/machine.h"

#include <errno.h>

/* Libc's errno of a result: -4095 to -1. */
#define ERRNO_LAST 4095

static struct task *kernel_entry(const char *call)
{
	struct task *task = acting_task_for(call);
	const struct ksim_cpu *cpu = task->cpu;

	KSIM_ASSERT(&task->ctx, cpu->hazard == 0, "call I1: no access is under way when the kernel is entered",
	            "%s while %#llx is being accessed", call, (unsigned long long)cpu->hazard);
	if (task_attends(task))
		signals_deliver(task, NULL);
	return task;
}

/* Of a call that was interrupted by a signal: whether it is made again. */
static bool is_restarted(enum syscall_call call, enum signals_outcome outcome)
{
	switch (call) {
	case CALL_rt_sigtimedwait:
		return false;
	case CALL_pause:
	case CALL_rt_sigsuspend:
		return outcome == SIGNALS_NO_HANDLER;
	default:
		return outcome != SIGNALS_INTERRUPT;
	}
}

/* @return whether the call is to be made again */
static __attribute__((noinline, cold)) bool attend(struct task *task, enum syscall_call call, long result)
{
	bool interrupted = result == -EINTR && task->ctx.interrupted;
	enum signals_outcome outcome;

	task->ctx.interrupted = false;
	outcome = signals_deliver(task, NULL);
	return interrupted && is_restarted(call, outcome);
}

static bool kernel_exit(struct task *task, enum syscall_call call, long result)
{
	return (task_attends(task) || unlikely(result == -EINTR)) && attend(task, call, result);
}

long machine_call(enum syscall_call call, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f)
{
	struct task *task = kernel_entry(syscall_table[call].name);
	const uint64_t args[6] = { a, b, c, d, e, f };
	long result;

	do
		result = syscall_run(task, call, args, machine_host_arch());
	while (kernel_exit(task, call, result));
	return result;
}

long machine_result(long result)
{
	if (likely(result >= 0 || result < -ERRNO_LAST))
		return result;
	errno = (int)-result;
	return -1;
}

long ksim_syscall(long nr, long a, long b, long c, long d, long e, long f)
{
	struct task *task = kernel_entry("ksim_syscall");
	const uint64_t args[6] = { (uint64_t)a, (uint64_t)b, (uint64_t)c, (uint64_t)d, (uint64_t)e, (uint64_t)f };
	enum syscall_call call = syscall_by_nr(nr, task->ctx.env->arch);
	long result;

	do
		result = syscall_run_nr(task, nr, args, task->ctx.env->arch);
	while (kernel_exit(task, call, result));
	return result;
}
