// SPDX-License-Identifier: MIT
/*
 * Who may send a signal to whom: kill(2) and its kin.
 *
 * Several processes are found one after the other, by the table of pids, which is not held while one gets its signal:
 * who is born meanwhile, with a pid that has been passed, may not get it.
 *
 * Locking: the process table to find, then as signal_send. Linux: kernel/signal.c (kill_something_info). Not modelled:
 * sessions, so SIGCONT wants the permission that every signal wants.
 */
#include "task/internal.h"

#include <errno.h>

/* The caller is to send it: 0; -EINVAL, -EPERM. */
static int may_send(struct ctx *ctx, struct process *to, int signo)
{
	struct creds theirs;
	uint32_t euid, uid;

	if (signo < 0 || signo > SIGNALS)
		return -EINVAL;
	if (ctx->creds == &to->creds || creds_privileged(ctx))
		return 0;
	process_creds(ctx, to, &theirs);
	euid = creds_load(&ctx->creds->euid);
	uid = creds_load(&ctx->creds->uid);
	return euid == theirs.suid || euid == theirs.uid || uid == theirs.suid || uid == theirs.uid ? 0 : -EPERM;
}

static int send_to(struct ctx *ctx, struct process *to, const struct signal_info *info)
{
	int err = may_send(ctx, to, info->signo);

	return err == 0 && info->signo != 0 ? signal_send(ctx, to, NULL, info) : err;
}

/* The process with the lowest pid > after, of a group (0: of any); NULL: none. */
static struct process *next_of(struct ctx *ctx, uint32_t after, uint32_t group)
{
	struct kernel *kernel = kernel_of(ctx);
	struct process *found = NULL;

	mutex_lock(ctx, &kernel->lock);
	for (uint32_t pid = after + 1; pid < kernel->by_pid_size && found == NULL; pid++) {
		struct process *p = process_by_pid_locked(kernel, pid);

		if (p != NULL && process_is_born(ctx, p) && (group == 0 || p->group == group))
			found = p;
	}
	mutex_unlock(ctx, &kernel->lock);
	return found;
}

int process_set_group(struct ctx *ctx, struct process *by, uint32_t pid, uint32_t group)
{
	struct kernel *kernel = by->kernel;
	bool exists = group == pid;
	struct process *p;
	int err = 0;

	mutex_lock(ctx, &kernel->lock);
	p = process_by_pid_locked(kernel, pid);
	for (uint32_t i = 2; !exists && i < kernel->by_pid_size; i++) {
		const struct process *other = process_by_pid_locked(kernel, i);

		exists = other != NULL && other->group == group;
	}
	if (p == NULL || (p != by && p->parent != by))
		err = -ESRCH;
	else if (!exists)
		err = -EPERM;
	else
		__atomic_store_n(&p->group, group, __ATOMIC_RELAXED);
	mutex_unlock(ctx, &kernel->lock);
	return err;
}

static int send_to_group(struct ctx *ctx, uint32_t group, const struct signal_info *info)
{
	struct process *p = NULL;
	int result = -ESRCH;

	while ((p = next_of(ctx, p != NULL ? p->owner.id : 0, group)) != NULL) {
		int err = send_to(ctx, p, info);

		if (result != 0)
			result = err;
	}
	return result;
}

/* All but init and the caller's own. */
static int send_to_all(struct ctx *ctx, const struct signal_info *info)
{
	struct process *p = ctx_process(ctx);
	struct process *self = p;
	int result = -ESRCH;
	bool found = false;

	for (p = next_of(ctx, 1, 0); p != NULL; p = next_of(ctx, p->owner.id, 0)) {
		int err;

		if (p == self)
			continue;
		err = send_to(ctx, p, info);
		if (!found)
			result = 0;
		found = true;
		if (err != -EPERM)
			result = err;
	}
	return result;
}

int signal_kill(struct ctx *ctx, int pid, const struct signal_info *info)
{
	struct process *p;

	if (pid == -1)
		return send_to_all(ctx, info);
	if (pid == INT32_MIN)
		return -ESRCH;
	if (pid <= 0) {
		p = ctx_process(ctx);
		return send_to_group(ctx, pid < 0 ? (uint32_t)-pid : p->group, info);
	}
	p = process_of_tid(ctx, (uint32_t)pid);
	return p != NULL ? send_to(ctx, p, info) : -ESRCH;
}

int signal_kill_task(struct ctx *ctx, uint32_t tgid, uint32_t tid, const struct signal_info *info)
{
	struct process *p = process_of_tid(ctx, tid);
	struct task *task;
	int err;

	if (p == NULL || (tgid != 0 && p->owner.id != tgid))
		return -ESRCH;
	err = may_send(ctx, p, info->signo);
	if (err < 0 || info->signo == 0)
		return err;
	mutex_lock(ctx, &p->lock);
	LIST_FOREACH(task, &p->tasks, link)
		if (task->tid == tid)
			break;
	mutex_unlock(ctx, &p->lock);
	/*
	 * Nobody has acted as the process yet: its first thread will have this number. One that has ended gets nothing.
	 */
	if (task != NULL && __atomic_load_n(&task->ended, __ATOMIC_RELAXED))
		return 0;
	return signal_send(ctx, p, task, info);
}
