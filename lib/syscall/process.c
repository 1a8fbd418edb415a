// SPDX-License-Identifier: MIT
/*
 * Calls on processes: who they are, how they end and are waited for, what they do at signals, what they may have.
 *
 * Of the limits only RLIMIT_NOFILE limits anything: its soft value is the fd table's limit. The hard one is Linux's
 * fs.nr_open, whatever has been set, for every process here is privileged and may raise it again. The others are what
 * is true: unlimited.
 *
 * Locking: the fd table's for its limit. Linux: kernel/exit.c, kernel/signal.c, kernel/sys.c.
 * Not modelled: the end of one thread alone (exit is exit_group), process groups (a pid of 0 or below -1 stands for any
 * child), stopped children, rusage (zeros).
 */
#include "syscall/handlers.h"

#include <errno.h>
#include <signal.h>

#include "syscall/abi.h"

/* ---- who ---- */

long sys_getpid(const struct syscall_frame *frame)
{
	return frame->process->owner.id;
}

long sys_getppid(const struct syscall_frame *frame)
{
	const struct process *parent = process_parent(frame->process);

	return parent != NULL ? parent->owner.id : 0;
}

long sys_gettid(const struct syscall_frame *frame)
{
	return frame->ctx->task->tid;
}

long sys_getuid(const struct syscall_frame *frame)
{
	return creds_load(&frame->process->creds.uid);
}

long sys_geteuid(const struct syscall_frame *frame)
{
	return creds_load(&frame->process->creds.euid);
}

long sys_getgid(const struct syscall_frame *frame)
{
	return creds_load(&frame->process->creds.gid);
}

long sys_getegid(const struct syscall_frame *frame)
{
	return creds_load(&frame->process->creds.egid);
}

/* ---- the end ---- */

long sys_exit_group(const struct syscall_frame *frame)
{
	struct end end = { .code = arg_int(frame, 0) & 0xff };

	end_describe(&end, frame->process, NULL);
	process_end(frame->ctx, frame->process, &end);
	return 0;
}

long sys_exit(const struct syscall_frame *frame)
{
	return sys_exit_group(frame);
}

enum {
	WAIT_NOHANG = 1,
	WAIT_UNTRACED = 2,
	WAIT_CONTINUED = 8,
	WAIT_NOTHREAD = 0x20000000,
	WAIT_ALL_KINDS = 0x40000000,
};
#define WAIT_CLONE 0x80000000u

long sys_wait4(const struct syscall_frame *frame)
{
	static const uint8_t rusage[ABI_RUSAGE_BYTES];
	const uint32_t known =
		WAIT_NOHANG | WAIT_UNTRACED | WAIT_CONTINUED | WAIT_NOTHREAD | WAIT_ALL_KINDS | WAIT_CLONE;
	uint32_t options = arg_u32(frame, 2);
	int pid = arg_int(frame, 0);
	struct end end;
	int status;

	if (options & ~known)
		return -EINVAL;
	if (pid == INT32_MIN)
		return -ESRCH;
	if ((options & (WAIT_CLONE | WAIT_ALL_KINDS)) == WAIT_CLONE)
		return -ECHILD; /* there are no children of that kind */
	pid = process_wait(frame->ctx, frame->process, pid > 0 ? pid : -1, (int)(options & WAIT_NOHANG), &end);
	if (pid <= 0)
		return pid;
	status = end_status(&end);
	if (!uptr_null(arg_pointer(frame, 1)) &&
	    copy_out(frame->ctx, arg_pointer(frame, 1), &status, sizeof(status)) < 0)
		return -EFAULT;
	if (!uptr_null(arg_pointer(frame, 3)) &&
	    copy_out(frame->ctx, arg_pointer(frame, 3), rusage, sizeof(rusage)) < 0)
		return -EFAULT;
	return pid;
}

/* ---- signals ---- */

/* Flags that Linux keeps, SA_RESTORER among them. */
#define ACTION_FLAGS                                                                                              \
	(UINT64_C(0x04000000) | SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_ONSTACK | SA_RESTART | SA_NODEFER | \
	 (uint32_t)SA_RESETHAND | 0x00000800)
#define UNBLOCKABLE (UINT64_C(1) << (SIGKILL - 1) | UINT64_C(1) << (SIGSTOP - 1))

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

/* ---- limits ---- */

static struct abi_rlimit get_limit(const struct syscall_frame *frame, uint32_t resource)
{
	struct fdtable *files = frame->process->files;
	struct abi_rlimit limit = { UINT64_MAX, UINT64_MAX };

	if (resource != LIMIT_NOFILE)
		return limit;
	mutex_lock(frame->ctx, &files->lock);
	limit = (struct abi_rlimit){ files->limit, NR_OPEN };
	mutex_unlock(frame->ctx, &files->lock);
	return limit;
}

static int set_limit(const struct syscall_frame *frame, uint32_t resource, const struct abi_rlimit *limit)
{
	struct fdtable *files = frame->process->files;

	if (limit->soft > limit->hard)
		return -EINVAL;
	if (resource != LIMIT_NOFILE)
		return limit->soft == UINT64_MAX ? 0 : -EINVAL;
	if (limit->hard > NR_OPEN)
		return -EPERM;
	mutex_lock(frame->ctx, &files->lock);
	files->limit = (uint32_t)limit->soft;
	mutex_unlock(frame->ctx, &files->lock);
	return 0;
}

long sys_getrlimit(const struct syscall_frame *frame)
{
	struct abi_rlimit limit;

	if (arg_u32(frame, 0) >= LIMIT_KINDS)
		return -EINVAL;
	limit = get_limit(frame, arg_u32(frame, 0));
	return copy_out(frame->ctx, arg_pointer(frame, 1), &limit, sizeof(limit));
}

long sys_setrlimit(const struct syscall_frame *frame)
{
	struct abi_rlimit limit;

	if (copy_in(frame->ctx, &limit, arg_pointer(frame, 1), sizeof(limit)) < 0)
		return -EFAULT;
	return arg_u32(frame, 0) >= LIMIT_KINDS ? -EINVAL : set_limit(frame, arg_u32(frame, 0), &limit);
}

long sys_prlimit64(const struct syscall_frame *frame)
{
	struct uptr from = arg_pointer(frame, 2), to = arg_pointer(frame, 3);
	uint32_t pid = arg_u32(frame, 0), resource = arg_u32(frame, 1);
	struct abi_rlimit fresh, old;
	int err = 0;

	if (!uptr_null(from) && copy_in(frame->ctx, &fresh, from, sizeof(fresh)) < 0)
		return -EFAULT;
	if (pid != 0 && pid != frame->process->owner.id)
		return process_by_pid(frame->ctx, pid) != NULL ? -EPERM : -ESRCH;
	if (resource >= LIMIT_KINDS)
		return -EINVAL;
	old = get_limit(frame, resource);
	if (!uptr_null(from))
		err = set_limit(frame, resource, &fresh);
	if (err < 0 || uptr_null(to))
		return err;
	return copy_out(frame->ctx, to, &old, sizeof(old));
}
