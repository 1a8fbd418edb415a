// SPDX-License-Identifier: MIT
/*
 * The libc-shaped calls on signals; contracts in <ksim/signal.h>.
 *
 * Libc's struct sigaction is not the kernel's: its mask has 1024 bits, and the members are in another order. The calls
 * convert; a handler is the program's own function, which its thread will call. Of a mask the kernel takes the first 64
 * bits, and nobody has more.
 *
 * Locking: none. Linux: libc.
 */
#include "machine/machine.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "ksim/signal.h"
#include "syscall/abi.h"

#define MASK_BYTES 8

/* ---- signal actions ---- */

static struct abi_sigaction to_kernel(const struct sigaction *host)
{
	struct abi_sigaction action = {
		.handler = (uint64_t)(uintptr_t)host->sa_sigaction, /* which shares its place with sa_handler */
		.flags = (uint32_t)host->sa_flags,
	};

	memcpy(&action.mask, &host->sa_mask, sizeof(action.mask));
	return action;
}

static struct sigaction from_kernel(const struct abi_sigaction *action)
{
	struct sigaction host;

	memset(&host, 0, sizeof(host));
	host.sa_sigaction = (void (*)(int, siginfo_t *, void *))(uintptr_t)action->handler;
	host.sa_flags = (int)(uint32_t)action->flags;
	memcpy(&host.sa_mask, &action->mask, sizeof(action->mask));
	return host;
}

int ksim_sigaction(int signo, const struct sigaction *act, struct sigaction *old)
{
	struct task *task = acting_task_for("ksim_sigaction");
	struct abi_sigaction fresh, was;
	struct sigaction host;
	long err = 0;

	if (act != NULL)
		err = copy_in(&task->ctx, &host, uptr_from(act), sizeof(host));
	if (err == 0) {
		if (act != NULL)
			fresh = to_kernel(&host);
		err = machine_call(CALL_rt_sigaction, call_int(signo), call_ptr(act != NULL ? &fresh : NULL),
		                   call_ptr(&was), sizeof(fresh.mask), 0, 0);
	}
	if (err == 0 && old != NULL) {
		host = from_kernel(&was);
		err = copy_out(&task->ctx, uptr_from(old), &host, sizeof(host));
	}
	ctx_drain(&task->ctx);
	return (int)machine_result(err);
}

/* ---- the mask, and what waits ---- */

int ksim_sigprocmask(int how, const sigset_t *set, sigset_t *old)
{
	return machine_call_int(CALL_rt_sigprocmask, call_int(how), call_ptr(set), call_ptr(old), MASK_BYTES);
}

int ksim_sigpending(sigset_t *set)
{
	return machine_call_int(CALL_rt_sigpending, call_ptr(set), MASK_BYTES, 0, 0);
}

int ksim_sigsuspend(const sigset_t *mask)
{
	return machine_call_int(CALL_rt_sigsuspend, call_ptr(mask), MASK_BYTES, 0, 0);
}

/* Not every architecture has a call of that name. */
int ksim_pause(void)
{
	return machine_call_int(CALL_pause, 0, 0, 0, 0);
}

int ksim_sigtimedwait(const sigset_t *set, siginfo_t *info, const struct timespec *timeout)
{
	return machine_call_int(CALL_rt_sigtimedwait, call_ptr(set), call_ptr(info), call_ptr(timeout), MASK_BYTES);
}

/* ---- sending ---- */

int ksim_kill(pid_t pid, int signo)
{
	return machine_call_int(CALL_kill, call_int(pid), call_int(signo), 0, 0);
}

int ksim_tgkill(pid_t pid, pid_t tid, int signo)
{
	return machine_call_int(CALL_tgkill, call_int(pid), call_int(tid), call_int(signo), 0);
}

int ksim_sigqueue(pid_t pid, int signo, union sigval value)
{
	siginfo_t info;

	memset(&info, 0, sizeof(info));
	info.si_signo = signo;
	info.si_code = SI_QUEUE;
	info.si_pid = ksim_getpid();
	info.si_uid = ksim_getuid();
	info.si_value = value;
	return machine_call_int(CALL_rt_sigqueueinfo, call_int(pid), call_int(signo), call_ptr(&info), 0);
}

int ksim_sigaltstack(const stack_t *stack, stack_t *old)
{
	return machine_call_int(CALL_sigaltstack, call_ptr(stack), call_ptr(old), 0, 0);
}
