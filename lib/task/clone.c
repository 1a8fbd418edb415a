// SPDX-License-Identifier: MIT
/*
 * Children: what of a process's they share with it, and what they have a copy of.
 *
 *	             fork      CLONE_VM   CLONE_FILES   CLONE_FS   CLONE_SIGHAND
 *	memory       a copy    the same
 *	descriptors  a copy               the same
 *	cwd, umask   a copy                             the same
 *	actions      a copy                                        the same
 *
 * What is shared stays on the account of who made it, and ends with the last who has it. The actions are in the struct
 * of the process that had them first, which stays as long as the machine.
 *
 * I1  a child that could not be completed has left nothing, and nobody has seen it
 *
 * Locking: process->lock to borrow; what has no other lock is the child's, which nobody knows yet.
 * Linux: kernel/fork.c (copy_process). Not modelled: namespaces (EINVAL, as where they are not configured), pidfds
 * (EINVAL). CLONE_IO, CLONE_SYSVSEM, CLONE_PTRACE, CLONE_UNTRACED and CLONE_DETACHED have nothing to act
 * on.
 */
#include "task/internal.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>

#define NAMESPACES (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET)

static bool has_all(uint32_t flags, uint32_t which)
{
	return (flags & which) == which;
}

int clone_check(const struct ctx *ctx, uint32_t flags)
{
	if (has_all(flags, CLONE_NEWNS | CLONE_FS) || has_all(flags, CLONE_NEWUSER | CLONE_FS))
		return -EINVAL;
	if (flags & CLONE_THREAD && !(flags & CLONE_SIGHAND))
		return -EINVAL;
	if (flags & CLONE_SIGHAND && !(flags & CLONE_VM))
		return -EINVAL;
	if (flags & CLONE_THREAD && flags & (CLONE_NEWUSER | CLONE_NEWPID))
		return -EINVAL;
	/* Those that are not here. */
	if (flags & (CLONE_PIDFD | CLONE_NEWUSER))
		return -EINVAL;
	if (flags & NAMESPACES)
		return creds_privileged(ctx) ? -EINVAL : -EPERM;
	if (flags & CLONE_THREAD && !has_all(flags, CLONE_FILES | CLONE_FS))
		return -EINVAL;
	return 0;
}

/* Its threads, if it is the user's and complete: it is one as long as it is not waited for. */
static uint64_t count_threads(struct ctx *ctx, struct process *p, uint32_t uid)
{
	const struct task *task;
	bool its;
	uint64_t n = 0;

	mutex_lock(ctx, &p->lock);
	its = p->born && creds_load(&p->creds.uid) == uid;
	/* One that has exited, and is leaving still, is found by nobody, and counts no more. */
	LIST_FOREACH(task, &p->tasks, link)
		n += __atomic_load_n(&task->busy, __ATOMIC_SEQ_CST) && !__atomic_load_n(&task->ended, __ATOMIC_RELAXED);
	mutex_unlock(ctx, &p->lock);
	return its ? MAX(n, 1u) : 0;
}

static uint64_t count_of_user(struct ctx *ctx, uint32_t uid)
{
	struct kernel *kernel = kernel_of(ctx);
	struct process *p;
	uint64_t n = 0;

	mutex_lock(ctx, &kernel->lock);
	TAILQ_FOREACH(p, &kernel->processes, link)
		if (process_state(p) != PROCESS_REAPED)
			n += count_threads(ctx, p, uid);
	mutex_unlock(ctx, &kernel->lock);
	return n;
}

int clone_check_number(struct ctx *ctx)
{
	uint64_t limit = limit_of(ctx, LIMIT_NPROC);
	uint32_t uid;

	if (likely(limit == LIMIT_NONE) || creds_privileged(ctx))
		return 0;
	uid = creds_load(&ctx->creds->uid);
	return uid != 0 && count_of_user(ctx, uid) >= limit ? -EAGAIN : 0;
}

/* What a process has, with references. */
struct belongings {
	struct mm *mm;
	struct fdtable *files;
	struct fs *fs;
};

static void put_belongings(struct ctx *ctx, const struct belongings *b)
{
	fs_put(ctx, b->fs);
	fdtable_put(ctx, b->files);
	mm_put(ctx, b->mm);
	ctx_drain(ctx);
}

/* 0 or -ESRCH */
static int borrow(struct ctx *ctx, struct process *p, struct belongings *out)
{
	int err = process_borrow(ctx, p, &out->mm, &out->files);

	if (err < 0)
		return err;
	out->fs = process_borrow_fs(ctx, p);
	if (out->fs != NULL)
		return 0;
	put_belongings(ctx, out);
	return -ESRCH;
}

static int give_files(struct ctx *ctx, struct process *p, struct fdtable *files, uint32_t flags)
{
	if (!(flags & CLONE_FILES))
		return fdtable_copy(ctx, files, &p->owner, &p->files);
	fdtable_get(p->files = files);
	return 0;
}

static int give_fs(struct ctx *ctx, struct process *p, struct fs *fs, uint32_t flags)
{
	if (!(flags & CLONE_FS))
		return fs_copy(ctx, fs, &p->fs);
	fs_get(p->fs = fs);
	return 0;
}

static int give_mm(struct ctx *ctx, struct process *p, struct mm *mm, uint32_t flags)
{
	if (!(flags & CLONE_VM))
		return mm_fork(ctx, mm, &p->mm);
	mm_get(p->mm = mm);
	return 0;
}

/* 0 or -ENOMEM; on failure the child has none of it. */
static int give(struct ctx *ctx, struct process *p, const struct belongings *b, uint32_t flags)
{
	int err = give_files(ctx, p, b->files, flags);

	if (err < 0)
		return err;
	err = give_fs(ctx, p, b->fs, flags);
	if (err < 0)
		goto undo_files;
	err = give_mm(ctx, p, b->mm, flags);
	if (err < 0)
		goto undo_fs;
	err = process_tell_born(ctx, p);
	if (err < 0)
		goto undo_mm;
	return 0;

undo_mm:
	mm_put(ctx, p->mm);
undo_fs:
	fs_put(ctx, p->fs);
undo_files:
	fdtable_put(ctx, p->files);
	return err;
}

/* What it does at signals and, if a task of its maker makes it, what that one blocks; no signal waits for it. */
static void give_signals(struct ctx *ctx, struct process *to, struct process *from, uint32_t flags)
{
	if (flags & CLONE_SIGHAND) {
		to->actions = from->actions;
	} else {
		mutex_lock(ctx, &from->actions->lock);
		for (int i = 0; i < SIGNALS; i++)
			to->own_actions.of[i] = from->actions->of[i];
		mutex_unlock(ctx, &from->actions->lock);
	}
	to->exit_signal = flags & CLONE_PARENT ? from->exit_signal : (int)(flags & CSIGNAL);
	to->first_mask = ctx_process(ctx) == from ? signal_mask(ctx->task) : from->first_mask;
	to->group = __atomic_load_n(&from->group, __ATOMIC_RELAXED);
}

static void give_creds(struct ctx *ctx, struct process *to, struct process *from)
{
	mutex_lock(ctx, &from->signal_lock);
	to->creds = from->creds;
	creds_give_serial(to);
	to->limits = from->limits;
	mutex_unlock(ctx, &from->signal_lock);
}

int process_clone(struct ctx *ctx, struct process *parent, const char *name, bool held_by_bench, uint32_t flags,
                  struct process **out)
{
	struct process *above = flags & CLONE_PARENT ? __atomic_load_n(&parent->parent, __ATOMIC_ACQUIRE) : parent;
	struct belongings b;
	struct owner *was;
	struct process *p;
	int err = clone_check_number(ctx);

	if (err == 0)
		err = borrow(ctx, parent, &b);
	if (err < 0)
		return err;
	err = process_alloc(ctx, name != NULL ? name : parent->owner.name, above, held_by_bench, &p);
	if (err < 0)
		goto undo_borrow;
	p->maker = parent;
	was = process_charge(ctx, &p->owner);
	err = give(ctx, p, &b, flags);
	/* What has failed may have left things on its account. */
	ctx_drain(ctx);
	process_charge(ctx, was);
	if (err < 0)
		goto undo_alloc;
	give_signals(ctx, p, parent, flags);
	give_creds(ctx, p, parent);
	process_set_born(ctx, p);
	put_belongings(ctx, &b);
	*out = p;
	return 0;

undo_alloc:
	process_unalloc(ctx, p);
undo_borrow:
	put_belongings(ctx, &b);
	return err;
}

int process_fork(struct ctx *ctx, struct process *parent, const char *name, bool held_by_bench, struct process **out)
{
	return process_clone(ctx, parent, name, held_by_bench, SIGCHLD, out);
}
