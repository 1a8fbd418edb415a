// SPDX-License-Identifier: MIT
/*
 * clone(2): children and threads that begin in a function, and share with their maker what its flags say.
 *
 *	clone_check    may fail
 *	the child      process_clone, or a further task of the process
 *	the numbers    to where the flags say; who cannot be written to gets none, as on Linux
 *	thread_start   it runs
 *
 * The child's number is written to its memory by its maker, before it runs: nobody can tell.
 *
 * Locking: none of its own. Linux: clone(2), and glibc's wrapper of it. Not modelled: CLONE_SETTLS, for the
 * thread-local storage is the host thread's; see <ksim/process.h>.
 */
#include "machine/machine.h"

#include <errno.h>
#include <sched.h>

/* Where numbers are written to. */
struct tids {
	struct uptr parent, child;
};

static void put_tid(struct task *task, struct uptr to, uint32_t tid)
{
	task->ctx.call = "clone";
	copy_out_number(&task->ctx, to, &tid, sizeof(tid));
	ctx_drain(&task->ctx);
}

/* The maker's, and the child's, which nobody runs yet. */
static void put_tids(struct task *maker, struct task *child, uint32_t flags, const struct tids *tids)
{
	if (flags & CLONE_PARENT_SETTID)
		put_tid(maker, tids->parent, child->tid);
	if (flags & CLONE_CHILD_SETTID)
		put_tid(child, tids->child, child->tid);
	if (flags & CLONE_CHILD_CLEARTID)
		child->clear_tid = uptr_meant(&child->ctx, tids->child);
}

/* Its number, or -ENOMEM, -EAGAIN, -ESRCH. */
static int clone_thread(struct task *maker, uint32_t flags, const struct tids *tids, int (*fn)(void *), void *arg)
{
	struct ksim_process *p = process_handle(maker->process);
	struct task *task;
	uint32_t tid;
	int err = clone_check_number(&maker->ctx);

	if (err == 0)
		err = acting_claim(p, TASK_ACTOR_OURS, &task);
	if (err != 0)
		return err;
	acting_inherit(task);
	put_tids(maker, task, flags, tids);
	tid = task->tid;
	err = thread_start(p, task, THREAD_ENDS, fn, arg);
	return err < 0 ? err : (int)tid;
}

/* Start what has just been made. */
static int start_child(struct task *maker, struct ksim_process *p, uint32_t flags, const struct tids *tids,
                       int (*fn)(void *), void *arg)
{
	struct task *first;
	int err;

	__atomic_store_n(&p->started, true, __ATOMIC_RELAXED);
	err = acting_claim(p, TASK_ACTOR_OURS, &first);
	if (err < 0)
		return err;
	task_renew(first, p->kernel->first_mask);
	put_tids(maker, first, flags, tids);
	return thread_start(p, first, THREAD_EXITS, fn, arg);
}

static int clone_process(struct task *maker, uint32_t flags, const struct tids *tids, int (*fn)(void *), void *arg)
{
	struct ctx *ctx = &maker->ctx;
	struct process *child;
	uint32_t pid;
	int err = process_clone(ctx, maker->process, NULL, false, flags, &child);

	if (err < 0)
		return err;
	pid = child->owner.id;
	err = start_child(maker, process_handle(child), flags, tids, fn, arg);
	if (err < 0) {
		process_discard(ctx, child);
		return err;
	}
	if (flags & CLONE_VFORK)
		process_vfork_wait(ctx, child);
	return (int)pid;
}

static int clone_of(struct task *task, uint32_t flags, const struct tids *tids, int (*fn)(void *), void *arg)
{
	int err;

	task->ctx.call = "clone";
	err = clone_check(&task->ctx, flags);
	if (err == 0)
		err = flags & CLONE_THREAD ? clone_thread(task, flags, tids, fn, arg)
		                           : clone_process(task, flags, tids, fn, arg);
	ctx_drain(&task->ctx);
	if (task_attends(task))
		signals_deliver(task, NULL);
	return err;
}

struct clone_rest clone_rest_of(int flags, va_list rest)
{
	const unsigned of_child = CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID;
	struct clone_rest found = { NULL, NULL, NULL };

	if ((unsigned)flags & (of_child | CLONE_SETTLS | CLONE_PARENT_SETTID))
		found.parent_tid = va_arg(rest, pid_t *);
	if ((unsigned)flags & (of_child | CLONE_SETTLS))
		found.tls = va_arg(rest, void *);
	if ((unsigned)flags & of_child)
		found.child_tid = va_arg(rest, pid_t *);
	return found;
}

int ksim_clone(int (*fn)(void *), void *stack, int flags, void *arg, ...)
{
	struct task *task = acting_task_for("ksim_clone");
	struct clone_rest found;
	struct tids tids;
	va_list rest;

	va_start(rest, arg);
	found = clone_rest_of(flags, rest);
	va_end(rest);
	if (fn == NULL || stack == NULL)
		return (int)machine_result(-EINVAL);
	tids = (struct tids){ uptr_from(found.parent_tid), uptr_from(found.child_tid) };
	return (int)machine_result(clone_of(task, (uint32_t)flags, &tids, fn, arg));
}
