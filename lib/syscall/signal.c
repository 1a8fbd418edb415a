// SPDX-License-Identifier: MIT
/*
 * Calls on signals.
 *
 * What they do to the caller happens when the call is over: sim then takes what waits for the task and calls its
 * handlers.
 *
 * Locking: none of its own. Linux: kernel/signal.c. Not modelled: an alternate stack is kept and told, but handlers run
 * on the stack of the thread; rt_sigqueueinfo's quota.
 */
#include "syscall/handlers.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "syscall/abi.h"

#define NS_PER_S INT64_C(1000000000)

/* ---- actions ---- */

/* Flags that Linux keeps, SA_RESTORER among them. */
#define ACTION_FLAGS                                                                                              \
	(UINT64_C(0x04000000) | SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_ONSTACK | SA_RESTART | SA_NODEFER | \
	 (uint32_t)SA_RESETHAND | 0x00000800)
#define UNBLOCKABLE (signal_bit(SIGKILL) | signal_bit(SIGSTOP))

long sys_rt_sigaction(const struct syscall_frame *frame)
{
	struct uptr from = arg_pointer(frame, 1), to = arg_pointer(frame, 2);
	struct abi_sigaction raw = { 0 };
	struct sigact fresh, old;
	int err;

	if (frame->args[3] != sizeof(raw.mask))
		return -EINVAL;
	if (!uptr_null(from) && copy_in(frame->ctx, &raw, from, sizeof(raw)) < 0)
		return -EFAULT;
	fresh = (struct sigact){ raw.handler, raw.flags & ACTION_FLAGS, raw.mask & ~UNBLOCKABLE, raw.restorer };
	err = process_sigaction(frame->ctx, frame->process, arg_int(frame, 0), uptr_null(from) ? NULL : &fresh, &old);
	if (err < 0 || uptr_null(to))
		return err;
	raw = (struct abi_sigaction){ old.handler, old.flags, old.restorer, old.mask };
	return copy_out(frame->ctx, to, &raw, sizeof(raw));
}

/* ---- the mask ---- */

enum { HOW_BLOCK = 0, HOW_UNBLOCK = 1, HOW_SETMASK = 2 };

long sys_rt_sigprocmask(const struct syscall_frame *frame)
{
	struct uptr from = arg_pointer(frame, 1), to = arg_pointer(frame, 2);
	struct task *task = frame->ctx->task;
	uint64_t old, set;

	if (frame->args[3] != sizeof(set))
		return -EINVAL;
	old = signal_mask(task);
	if (!uptr_null(from)) {
		if (copy_in(frame->ctx, &set, from, sizeof(set)) < 0)
			return -EFAULT;
		switch (arg_int(frame, 0)) {
		case HOW_BLOCK:
			signal_mask_set(task, old | set);
			break;
		case HOW_UNBLOCK:
			signal_mask_set(task, old & ~set);
			break;
		case HOW_SETMASK:
			signal_mask_set(task, set);
			break;
		default:
			return -EINVAL;
		}
	}
	return uptr_null(to) ? 0 : copy_out(frame->ctx, to, &old, sizeof(old));
}

long sys_rt_sigpending(const struct syscall_frame *frame)
{
	uint64_t set;

	if (frame->args[1] > sizeof(set))
		return -EINVAL;
	signal_mask(frame->ctx->task);
	set = signal_waiting(frame->ctx->task);
	return copy_out(frame->ctx, arg_pointer(frame, 0), &set, frame->args[1]);
}

/* ---- waiting for one ---- */

long sys_pause(const struct syscall_frame *frame)
{
	struct task *task = frame->ctx->task;

	return signal_suspend(task, signal_mask(task));
}

long sys_rt_sigsuspend(const struct syscall_frame *frame)
{
	uint64_t set;

	if (frame->args[1] != sizeof(set))
		return -EINVAL;
	if (copy_in(frame->ctx, &set, arg_pointer(frame, 0), sizeof(set)) < 0)
		return -EFAULT;
	return signal_suspend(frame->ctx->task, set);
}

/* A deadline so long from now; 0: do not wait. -EINVAL, -EFAULT */
static int deadline_of(const struct syscall_frame *frame, struct uptr from, uint64_t *deadline_ns)
{
	int64_t time[2];
	uint64_t now = host_clock_ns();

	if (uptr_null(from)) {
		*deadline_ns = WAIT_FOREVER;
		return 0;
	}
	if (copy_in(frame->ctx, time, from, sizeof(time)) < 0)
		return -EFAULT;
	if (time[0] < 0 || time[1] < 0 || time[1] >= NS_PER_S)
		return -EINVAL;
	if (time[0] == 0 && time[1] == 0)
		*deadline_ns = 0;
	else if ((uint64_t)time[0] >= (WAIT_FOREVER - now) / NS_PER_S - 1)
		*deadline_ns = WAIT_FOREVER;
	else
		*deadline_ns = now + (uint64_t)(time[0] * NS_PER_S + time[1]);
	return 0;
}

long sys_rt_sigtimedwait(const struct syscall_frame *frame)
{
	uint8_t raw[ABI_SIGINFO_BYTES];
	struct signal_info info;
	uint64_t set, deadline_ns;
	int signo;
	int err;

	if (frame->args[3] != sizeof(set))
		return -EINVAL;
	if (copy_in(frame->ctx, &set, arg_pointer(frame, 0), sizeof(set)) < 0)
		return -EFAULT;
	err = deadline_of(frame, arg_pointer(frame, 2), &deadline_ns);
	if (err < 0)
		return err;
	signo = signal_await(frame->ctx->task, set, deadline_ns, &info);
	if (signo < 0 || uptr_null(arg_pointer(frame, 1)))
		return signo;
	abi_siginfo(&info, raw);
	return copy_out(frame->ctx, arg_pointer(frame, 1), raw, sizeof(raw)) < 0 ? -EFAULT : signo;
}

/* ---- sending ---- */

static struct signal_info sent_by(const struct syscall_frame *frame, int signo, int code)
{
	return (struct signal_info){
		.signo = signo,
		.code = code,
		.pid = frame->process->owner.id,
		.uid = creds_load(&frame->process->creds.uid),
	};
}

long sys_kill(const struct syscall_frame *frame)
{
	struct signal_info info = sent_by(frame, arg_int(frame, 1), SI_USER);

	return signal_kill(frame->ctx, arg_int(frame, 0), &info);
}

long sys_tgkill(const struct syscall_frame *frame)
{
	struct signal_info info = sent_by(frame, arg_int(frame, 2), SI_TKILL);

	if (arg_int(frame, 0) <= 0 || arg_int(frame, 1) <= 0)
		return -EINVAL;
	return signal_kill_task(frame->ctx, arg_u32(frame, 0), arg_u32(frame, 1), &info);
}

long sys_tkill(const struct syscall_frame *frame)
{
	struct signal_info info = sent_by(frame, arg_int(frame, 1), SI_TKILL);

	return arg_int(frame, 0) <= 0 ? -EINVAL : signal_kill_task(frame->ctx, 0, arg_u32(frame, 0), &info);
}

/* Whether Linux knows what such a siginfo_t holds: it is not longer then than ABI_SIGINFO_KNOWN_BYTES. */
static bool code_is_known(int signo, int code)
{
	enum { KERNEL = 0x80, ASYNCNL = -60, FIRST = -7, POLL_LAST = 6 };
	static const struct {
		int signo, last;
	} own[] = { { SIGILL, 11 }, { SIGFPE, 15 }, { SIGSEGV, 10 }, { SIGBUS, 5 },
		    { SIGTRAP, 6 }, { SIGCHLD, 6 }, { SIGSYS, 2 } };

	if (code <= 0)
		return code >= FIRST || code == ASYNCNL;
	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		if (own[i].signo == signo && code <= own[i].last)
			return true;
	return code <= POLL_LAST || code == KERNEL;
}

/* 0; -EFAULT; -E2BIG: there is something behind what is known */
static int copy_in_siginfo(const struct syscall_frame *frame, unsigned i, int signo, struct signal_info *info)
{
	const size_t known = ABI_SIGINFO_KNOWN_BYTES;
	uint8_t raw[ABI_SIGINFO_BYTES] = { 0 };

	if (copy_in(frame->ctx, raw, arg_pointer(frame, i), known) < 0)
		return -EFAULT;
	abi_siginfo_read(raw, info);
	info->signo = signo;
	if (code_is_known(signo, info->code))
		return 0;
	if (copy_in(frame->ctx, raw, arg_pointer(frame, i), sizeof(raw)) < 0)
		return -EFAULT;
	for (size_t at = known; at < sizeof(raw); at++)
		if (raw[at] != 0)
			return -E2BIG;
	return 0;
}

long sys_rt_sigqueueinfo(const struct syscall_frame *frame)
{
	struct signal_info info;
	int err = copy_in_siginfo(frame, 2, arg_int(frame, 1), &info);

	if (err < 0)
		return err;
	/* Nobody may say that the kernel, or kill, has sent it. */
	if ((info.code >= 0 || info.code == SI_TKILL) && arg_u32(frame, 0) != frame->process->owner.id)
		return -EPERM;
	return arg_int(frame, 0) <= 0 ? -ESRCH : signal_kill(frame->ctx, arg_int(frame, 0), &info);
}

/* ---- the alternate stack ---- */

enum { STACK_ONSTACK = 1, STACK_DISABLE = 2 };
#define STACK_AUTODISARM 0x80000000u

struct abi_stack {
	uint64_t sp;
	uint32_t flags;
	uint32_t pad;
	uint64_t size;
};

long sys_sigaltstack(const struct syscall_frame *frame)
{
	struct uptr from = arg_pointer(frame, 0), to = arg_pointer(frame, 1);
	const uint64_t least = frame->abi == KSIM_ARCH_AARCH64 ? 5120 : 2048;
	struct task *task = frame->ctx->task;
	struct abi_stack old = { task->altstack.sp, task->altstack.flags & STACK_AUTODISARM, 0, task->altstack.size };
	bool same;
	struct abi_stack fresh;
	uint32_t mode;

	if (old.size == 0)
		old.flags |= STACK_DISABLE;
	if (!uptr_null(from)) {
		if (copy_in(frame->ctx, &fresh, from, sizeof(fresh)) < 0)
			return -EFAULT;
		mode = fresh.flags & ~STACK_AUTODISARM;
		if (mode != STACK_DISABLE && mode != STACK_ONSTACK && mode != 0)
			return -EINVAL;
		/* What changes nothing is not judged further. */
		same = fresh.sp == task->altstack.sp && fresh.size == task->altstack.size &&
		       fresh.flags == task->altstack.flags;
		if (mode == STACK_DISABLE)
			fresh.sp = fresh.size = 0;
		else if (!same && fresh.size < least)
			return -ENOMEM;
		task->altstack.sp = fresh.sp;
		task->altstack.size = fresh.size;
		task->altstack.flags = fresh.flags;
	}
	return uptr_null(to) ? 0 : copy_out(frame->ctx, to, &old, sizeof(old));
}
