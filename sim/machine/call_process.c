// SPDX-License-Identifier: MIT
/*
 * The libc-shaped calls on processes and signals; contracts in <ksim/process.h>.
 *
 * A struct sigaction of libc is not the kernel's: its mask has 1024 bits, and the members are in another order. The
 * calls convert; a handler is the program's own function, which the CPU will call.
 *
 * I1  ksim_exit does not return: its process is dying when the call comes back, whoever decided its end
 */
#include "machine/machine.h"

#include <signal.h>
#include <string.h>

#include "syscall/abi.h"

pid_t ksim_getpid(void)
{
	return machine_call_int(CALL_getpid, 0, 0, 0, 0);
}

pid_t ksim_getppid(void)
{
	return machine_call_int(CALL_getppid, 0, 0, 0, 0);
}

pid_t ksim_gettid(void)
{
	return machine_call_int(CALL_gettid, 0, 0, 0, 0);
}

uid_t ksim_getuid(void)
{
	return (uid_t)machine_call(CALL_getuid, 0, 0, 0, 0, 0, 0);
}

uid_t ksim_geteuid(void)
{
	return (uid_t)machine_call(CALL_geteuid, 0, 0, 0, 0, 0, 0);
}

gid_t ksim_getgid(void)
{
	return (gid_t)machine_call(CALL_getgid, 0, 0, 0, 0, 0, 0);
}

gid_t ksim_getegid(void)
{
	return (gid_t)machine_call(CALL_getegid, 0, 0, 0, 0, 0, 0);
}

void ksim_exit(int code)
{
	machine_call(CALL_exit_group, call_int(code), 0, 0, 0, 0, 0);
	acting_die();
}

pid_t ksim_wait(int *status)
{
	return ksim_waitpid(-1, status, 0);
}

pid_t ksim_waitpid(pid_t pid, int *status, int options)
{
	return machine_call_int(CALL_wait4, call_int(pid), call_ptr(status), call_int(options), 0);
}

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
