// SPDX-License-Identifier: MIT
/*
 * Calls on processes: who they are, how they end and are waited for, which group they belong to.
 *
 * Locking: none of its own. Linux: kernel/exit.c, kernel/sys.c.
 * Not modelled: clone by its number, which would have to return twice (ENOSYS), stopped children, rusage (zeros),
 * sessions.
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
	task_exit(frame->ctx->task, arg_int(frame, 0));
	return 0;
}

enum {
	WAIT_NOHANG = 1,
	WAIT_UNTRACED = 2,
	WAIT_EXITED = 4,
	WAIT_CONTINUED = 8,
	WAIT_NOWAIT = 0x01000000,
	WAIT_NOTHREAD = 0x20000000,
	WAIT_ALL_KINDS = 0x40000000,
};
#define WAIT_CLONE 0x80000000u

/* What wait4 and waitid have in common. -EINVAL: options that neither knows */
static void set_kinds(struct child_query *query, uint32_t options)
{
	query->no_hang = options & WAIT_NOHANG;
	query->every_kind = options & WAIT_ALL_KINDS;
	query->clones = options & WAIT_CLONE;
}

static int put_rusage(const struct syscall_frame *frame, unsigned i)
{
	static const uint8_t rusage[ABI_RUSAGE_BYTES];

	return uptr_null(arg_pointer(frame, i)) ? 0
	                                        : copy_out(frame->ctx, arg_pointer(frame, i), rusage, sizeof(rusage));
}

long sys_wait4(const struct syscall_frame *frame)
{
	const uint32_t known =
		WAIT_NOHANG | WAIT_UNTRACED | WAIT_CONTINUED | WAIT_NOTHREAD | WAIT_ALL_KINDS | WAIT_CLONE;
	uint32_t options = arg_u32(frame, 2);
	struct child_query query = { .ended = true };
	int pid = arg_int(frame, 0);
	struct child_end child;
	int found, status;

	if (options & ~known)
		return -EINVAL;
	if (pid == INT32_MIN)
		return -ESRCH;
	set_kinds(&query, options);
	query.kind = pid == -1 ? CHILD_ANY : pid > 0 ? CHILD_PID : CHILD_GROUP;
	query.id = pid == 0 ? process_group(frame->process) : (uint32_t)(pid > 0 ? pid : -pid);
	found = process_wait_for(frame->ctx, frame->process, &query, &child);
	if (found <= 0)
		return found;
	status = end_status(&child.end);
	if (!uptr_null(arg_pointer(frame, 1)) &&
	    copy_out_number(frame->ctx, arg_pointer(frame, 1), &status, sizeof(status)) < 0)
		return -EFAULT;
	return put_rusage(frame, 3) < 0 ? -EFAULT : (long)child.pid;
}

enum { ID_ALL = 0, ID_PID = 1, ID_GROUP = 2, ID_PIDFD = 3 };

/* 0; -EINVAL, -EBADF */
static int set_id(const struct syscall_frame *frame, struct child_query *query)
{
	int id = arg_int(frame, 1);

	query->id = (uint32_t)id;
	switch (arg_int(frame, 0)) {
	case ID_ALL:
		query->kind = CHILD_ANY;
		return 0;
	case ID_PID:
		query->kind = CHILD_PID;
		return id > 0 ? 0 : -EINVAL;
	case ID_GROUP:
		query->kind = CHILD_GROUP;
		if (id == 0)
			query->id = process_group(frame->process);
		return id >= 0 ? 0 : -EINVAL;
	case ID_PIDFD:
		return id >= 0 ? -EBADF : -EINVAL; /* there are none */
	default:
		return -EINVAL;
	}
}

/* What waitid finds: how many (0, 1), or a negative errno. */
static int find_child(const struct syscall_frame *frame, struct child_end *child)
{
	const uint32_t states = WAIT_EXITED | WAIT_UNTRACED | WAIT_CONTINUED;
	const uint32_t known = states | WAIT_NOHANG | WAIT_NOWAIT | WAIT_NOTHREAD | WAIT_ALL_KINDS | WAIT_CLONE;
	uint32_t options = arg_u32(frame, 3);
	struct child_query query = { .ended = options & WAIT_EXITED, .stays = options & WAIT_NOWAIT };
	int err;

	if (options & ~known || !(options & states))
		return -EINVAL;
	err = set_id(frame, &query);
	if (err < 0)
		return err;
	set_kinds(&query, options);
	return process_wait_for(frame->ctx, frame->process, &query, child);
}

/* Number by number: what lies between them is the caller's. */
static int put_child_info(struct ctx *ctx, struct uptr to, const uint8_t raw[ABI_SIGINFO_BYTES])
{
	static const uint8_t at[] = { 0, 4, 8, 16, 20, 24 }; /* si_signo, errno, code, pid, uid, status */

	for (unsigned i = 0; i < ARRAY_SIZE(at); i++)
		if (copy_out_number(ctx, uptr_add(to, at[i]), raw + at[i], sizeof(uint32_t)) < 0)
			return -EFAULT;
	return 0;
}

long sys_waitid(const struct syscall_frame *frame)
{
	struct signal_info info = { 0 };
	uint8_t raw[ABI_SIGINFO_BYTES];
	struct child_end child;
	int found = find_child(frame, &child);

	if (found > 0) {
		bool killed = child.end.signo != 0;

		info = (struct signal_info){ .signo = SIGCHLD, .code = killed ? CLD_KILLED : CLD_EXITED };
		info.pid = child.pid;
		info.uid = child.uid;
		info.status = killed ? child.end.signo : child.end.code;
		if (put_rusage(frame, 4) < 0)
			return -EFAULT;
	}
	abi_siginfo(&info, raw);
	/* Linux tells of nobody too, and whatever came of it; what is not told of is left as it is. */
	if (!uptr_null(arg_pointer(frame, 2)) && put_child_info(frame->ctx, arg_pointer(frame, 2), raw) < 0)
		return -EFAULT;
	return MIN(found, 0);
}

/* ---- groups of processes ---- */

long sys_getpgid(const struct syscall_frame *frame)
{
	const struct process *p = frame->process;

	if (arg_u32(frame, 0) != 0)
		p = process_of_tid(frame->ctx, arg_u32(frame, 0));
	return p != NULL ? (long)process_group(p) : -ESRCH;
}

long sys_getpgrp(const struct syscall_frame *frame)
{
	return process_group(frame->process);
}

long sys_setpgid(const struct syscall_frame *frame)
{
	int pid = arg_int(frame, 0), group = arg_int(frame, 1);

	if (pid == 0)
		pid = (int)frame->process->owner.id;
	if (group == 0)
		group = pid;
	return group < 0 ? -EINVAL : process_set_group(frame->ctx, frame->process, (uint32_t)pid, (uint32_t)group);
}
