// SPDX-License-Identifier: MIT
/*
 * Calls on credentials and limits: what they read and write; who may do what is task/creds.c's.
 *
 * Locking: none of its own. Linux: kernel/sys.c, kernel/groups.c. Not modelled: more than 32 groups, which are ENOMEM.
 */
#include "syscall/handlers.h"

#include <errno.h>

#include "syscall/abi.h"

#define GROUPS_MAX 65536u /* NGROUPS_MAX */

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

static int put_three(const struct syscall_frame *frame, uint32_t real, uint32_t effective, uint32_t saved)
{
	const uint32_t ids[] = { real, effective, saved };

	for (unsigned i = 0; i < ARRAY_SIZE(ids); i++)
		if (copy_out_number(frame->ctx, arg_pointer(frame, i), &ids[i], sizeof(ids[i])) < 0)
			return -EFAULT;
	return 0;
}

long sys_getresuid(const struct syscall_frame *frame)
{
	struct creds creds;

	process_creds(frame->ctx, frame->process, &creds);
	return put_three(frame, creds.uid, creds.euid, creds.suid);
}

long sys_getresgid(const struct syscall_frame *frame)
{
	struct creds creds;

	process_creds(frame->ctx, frame->process, &creds);
	return put_three(frame, creds.gid, creds.egid, creds.sgid);
}

long sys_setuid(const struct syscall_frame *frame)
{
	return process_set_id(frame->ctx, frame->process, CREDS_USER, arg_u32(frame, 0));
}

long sys_setgid(const struct syscall_frame *frame)
{
	return process_set_id(frame->ctx, frame->process, CREDS_GROUP, arg_u32(frame, 0));
}

long sys_setreuid(const struct syscall_frame *frame)
{
	return process_set_reid(frame->ctx, frame->process, CREDS_USER, arg_u32(frame, 0), arg_u32(frame, 1));
}

long sys_setregid(const struct syscall_frame *frame)
{
	return process_set_reid(frame->ctx, frame->process, CREDS_GROUP, arg_u32(frame, 0), arg_u32(frame, 1));
}

long sys_setresuid(const struct syscall_frame *frame)
{
	return process_set_resid(frame->ctx, frame->process, CREDS_USER, arg_u32(frame, 0), arg_u32(frame, 1),
	                         arg_u32(frame, 2));
}

long sys_setresgid(const struct syscall_frame *frame)
{
	return process_set_resid(frame->ctx, frame->process, CREDS_GROUP, arg_u32(frame, 0), arg_u32(frame, 1),
	                         arg_u32(frame, 2));
}

long sys_setfsuid(const struct syscall_frame *frame)
{
	return process_set_fsid(frame->ctx, frame->process, CREDS_USER, arg_u32(frame, 0));
}

long sys_setfsgid(const struct syscall_frame *frame)
{
	return process_set_fsid(frame->ctx, frame->process, CREDS_GROUP, arg_u32(frame, 0));
}

long sys_getgroups(const struct syscall_frame *frame)
{
	int room = arg_int(frame, 0);
	struct creds creds;

	if (room < 0)
		return -EINVAL;
	process_creds(frame->ctx, frame->process, &creds);
	if (room == 0)
		return creds.ngroups;
	if ((uint32_t)room < creds.ngroups)
		return -EINVAL;
	if (copy_out(frame->ctx, arg_pointer(frame, 1), creds.groups, creds.ngroups * sizeof(creds.groups[0])) < 0)
		return -EFAULT;
	return creds.ngroups;
}

long sys_setgroups(const struct syscall_frame *frame)
{
	uint32_t n = arg_u32(frame, 0);
	uint32_t groups[CREDS_GROUPS_MAX];

	if (!creds_privileged(frame->ctx))
		return -EPERM;
	if (n > GROUPS_MAX)
		return -EINVAL;
	if (n > CREDS_GROUPS_MAX)
		return -ENOMEM;
	if (copy_in(frame->ctx, groups, arg_pointer(frame, 1), n * sizeof(groups[0])) < 0)
		return -EFAULT;
	return process_set_groups(frame->ctx, frame->process, groups, n);
}

/* ---- limits ---- */

long sys_getrlimit(const struct syscall_frame *frame)
{
	struct abi_rlimit raw;
	struct limit limit;
	int err = process_limit(frame->ctx, frame->process, arg_u32(frame, 0), NULL, &limit);

	if (err < 0)
		return err;
	raw = (struct abi_rlimit){ limit.soft, limit.hard };
	return copy_out(frame->ctx, arg_pointer(frame, 1), &raw, sizeof(raw));
}

long sys_setrlimit(const struct syscall_frame *frame)
{
	struct abi_rlimit raw;
	struct limit limit;

	if (copy_in(frame->ctx, &raw, arg_pointer(frame, 1), sizeof(raw)) < 0)
		return -EFAULT;
	limit = (struct limit){ raw.soft, raw.hard };
	return process_limit(frame->ctx, frame->process, arg_u32(frame, 0), &limit, NULL);
}

long sys_prlimit64(const struct syscall_frame *frame)
{
	struct uptr from = arg_pointer(frame, 2), to = arg_pointer(frame, 3);
	struct process *p = frame->process;
	struct limit fresh, old;
	struct abi_rlimit raw;
	int err;

	if (!uptr_null(from)) {
		if (copy_in(frame->ctx, &raw, from, sizeof(raw)) < 0)
			return -EFAULT;
		fresh = (struct limit){ raw.soft, raw.hard };
	}
	if (arg_u32(frame, 0) != 0)
		p = process_of_tid(frame->ctx, arg_u32(frame, 0));
	if (p == NULL)
		return -ESRCH;
	err = process_limit(frame->ctx, p, arg_u32(frame, 1), uptr_null(from) ? NULL : &fresh, &old);
	if (err < 0 || uptr_null(to))
		return err;
	raw = (struct abi_rlimit){ old.soft, old.hard };
	return copy_out(frame->ctx, to, &raw, sizeof(raw));
}
