// SPDX-License-Identifier: MIT
/*
 * Tasks: the threads of a process, and how a host thread becomes one for a while.
 *
 * I1  a task is acted by at most one host thread: whoever changed busy from 0
 * I2  a task is entered only if the state was ALIVE after it was made busy, and whoever decides the end looks for busy
 *     tasks after it has changed the state: so either the thread that enters sees the end, or the one that ends sees
 *     the thread; and who leaves looks at the state after it is busy no more, so the last one out sees the end
 *
 * A thread that ends alone leaves its task behind, for the next. Meanwhile nobody finds it by its number. Who exits is
 * over at once, also where several exit at the same time: the last of them to leave ends the process, if the first
 * thread has gone.
 *
 * Locking: process->lock for the list; none to enter and to leave.
 * Linux: kernel/exit.c (do_exit, mm_release). Not modelled: the wake-up of who waits for a cleared tid, since there are
 * no futexes.
 */
#include "task/internal.h"

#include "host/kmem.h"

#include <errno.h>

static void init_ctx(struct task *task)
{
	struct process *p = task->process;
	struct ctx *ctx = &task->ctx;

	ctx_init(ctx, &p->kernel->env, "");
	ctx->task = task;
	ctx->counts = &task->counts;
	ctx->mm = p->mm;
	ctx->owner = &p->owner;
	ctx->waiter = &task->waiter;
	ctx->user = &mm_user_ops;
	ctx->window = p->window;
	ctx->limits = &p->limits;
	ctx->creds = &p->creds;
	ctx->fs = p->fs;
	ctx->lane = p->lane++;
}

/* Number the task and put it on the list, if the process still lives. */
static int list_task(struct ctx *ctx, struct task *task)
{
	struct process *p = task->process;
	struct kernel *kernel = p->kernel;
	int err = 0;

	mutex_lock(ctx, &kernel->lock);
	mutex_lock(ctx, &p->lock);
	if (process_state(p) != PROCESS_ALIVE)
		err = -ESRCH;
	else if (LIST_EMPTY(&p->tasks))
		task->tid = p->owner.id;
	else
		err = pid_reserve_locked(ctx, kernel, p, &task->tid);
	if (err == 0) {
		task->waiter.tid = task->tid;
		init_ctx(task);
		frame_cache_join(ctx, ctx->env->phys, &task->frames);
		if (task->frames.joined)
			task->ctx.frames = &task->frames;
		LIST_INSERT_HEAD(&p->tasks, task, link);
		signal_join(ctx, task);
		census_add(&p->owner, CENSUS_TASK, 1);
		if (kernel->sim.task_joined != NULL)
			kernel->sim.task_joined(ctx, task);
	}
	mutex_unlock(ctx, &p->lock);
	mutex_unlock(ctx, &kernel->lock);
	return err;
}

int task_create(struct ctx *ctx, struct process *p, struct task **out)
{
	struct kernel *kernel = p->kernel;
	struct task *task = kmem_alloc_aligned(ctx, sizeof(*task), _Alignof(struct task));
	int err;

	if (task == NULL)
		return -ENOMEM;
	task->process = p;
	waiter_init(&task->waiter, &p->owner);
	signal_pending_init(&task->own);
	task->blocked = p->first_mask;
	if (kernel->sim.task_born != NULL) {
		err = kernel->sim.task_born(ctx, task);
		if (err < 0)
			goto undo_waiter;
	}
	err = list_task(ctx, task);
	if (err < 0)
		goto undo_sim;
	*out = task;
	return 0;

undo_sim:
	if (kernel->sim.task_gone != NULL)
		kernel->sim.task_gone(ctx, task);
undo_waiter:
	waiter_fini(&task->waiter);
	kmem_free(ctx->env, task, sizeof(*task));
	return err;
}

/* Another thread has it from now on. */
static void revive(struct task *task)
{
	struct ctx *ctx = &task->ctx;

	mutex_lock(ctx, &task->process->lock);
	__atomic_store_n(&task->ended, false, __ATOMIC_RELAXED);
	__atomic_fetch_and(&task->pending, ~TASK_EXIT, __ATOMIC_SEQ_CST);
	mutex_unlock(ctx, &task->process->lock);
}

bool task_enter(struct task *task, enum task_actor actor)
{
	struct process *p = task->process;
	uint32_t idle = 0;

	if (!__atomic_compare_exchange_n(&task->busy, &idle, actor, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
		return false;
	if (unlikely(__atomic_load_n(&task->ended, __ATOMIC_RELAXED)))
		revive(task);
	if (likely(process_state(p) == PROCESS_ALIVE))
		return true;
	task_leave(task);
	return false;
}

/* The last thread has left a process whose first has exited alone. */
static void end_if_empty(struct process *p)
{
	struct end end = { 0 };
	struct ctx ctx;
	bool empty;

	kernel_ctx(p->kernel, &ctx, "exit");
	mutex_lock(&ctx, &p->lock);
	empty = process_state(p) == PROCESS_ALIVE && process_active_locked(p) == 0;
	end.code = p->last_code;
	mutex_unlock(&ctx, &p->lock);
	if (empty) {
		end_describe(&end, p, NULL);
		process_end(&ctx, p, &end);
	} else {
		signal_retarget(p);
	}
}

void task_leave(struct task *task)
{
	struct process *p = task->process;

	__atomic_exchange_n(&task->busy, 0, __ATOMIC_SEQ_CST);
	if (unlikely(process_state(p) == PROCESS_ENDING))
		process_tear_down(p->kernel, p);
	else if (unlikely(__atomic_load_n(&p->leaderless, __ATOMIC_SEQ_CST)))
		end_if_empty(p);
	else if (unlikely(__atomic_load_n(&task->pending, __ATOMIC_SEQ_CST) & TASK_SIGNAL))
		signal_retarget(p);
}

unsigned process_active_locked(const struct process *p)
{
	const struct task *task;
	unsigned active = 0;

	LIST_FOREACH(task, &p->tasks, link)
		active += __atomic_load_n(&task->busy, __ATOMIC_SEQ_CST) != 0;
	return active;
}

/* Enter an idle task of the list; NULL if all are busy. */
static struct task *enter_idle(struct ctx *ctx, struct process *p, enum task_actor actor)
{
	struct task *task;

	mutex_lock(ctx, &p->lock);
	LIST_FOREACH(task, &p->tasks, link)
		if (__atomic_load_n(&task->busy, __ATOMIC_RELAXED) == 0)
			break;
	mutex_unlock(ctx, &p->lock);
	return task != NULL && task_enter(task, actor) ? task : NULL;
}

int task_enter_any(struct ctx *ctx, struct process *p, enum task_actor actor, struct task **out)
{
	for (;;) {
		struct task *task;
		int err;

		if (process_state(p) != PROCESS_ALIVE)
			return -ESRCH;
		task = enter_idle(ctx, p, actor);
		if (task == NULL) {
			err = task_create(ctx, p, &task);
			if (err < 0)
				return err;
			if (!task_enter(task, actor))
				continue;
		}
		*out = task;
		return 0;
	}
}

/* ---- the end of one thread ---- */

/* Whoever waits for its number to go finds it gone, and the word cleared before. */
static void clear_tid(struct task *task)
{
	static const uint32_t none;

	if (!uptr_null(task->clear_tid))
		copy_out(&task->ctx, task->clear_tid, &none, sizeof(none));
	task->clear_tid = (struct uptr){ 0 };
}

void task_end(struct task *task, int code)
{
	struct process *p = task->process;
	struct ctx *ctx = &task->ctx;

	clear_tid(task);
	mutex_lock(ctx, &p->lock);
	__atomic_store_n(&task->ended, true, __ATOMIC_RELAXED);
	p->last_code = code & 0xff;
	signal_leave(ctx, task);
	mutex_unlock(ctx, &p->lock);
	ctx_drain(ctx);
}

/* false: it is the only one, or the process is ending. */
static bool exit_alone(struct task *task)
{
	struct process *p = task->process;
	bool alone;

	mutex_lock(&task->ctx, &p->lock);
	alone = process_state(p) == PROCESS_ALIVE && process_active_locked(p) > 1;
	if (alone && task->tid == p->owner.id)
		__atomic_store_n(&p->leaderless, true, __ATOMIC_SEQ_CST);
	mutex_unlock(&task->ctx, &p->lock);
	return alone;
}

void task_exit(struct task *task, int code)
{
	struct end end = { .code = code & 0xff };

	if (exit_alone(task)) {
		task->exit_code = code & 0xff;
		__atomic_fetch_or(&task->pending, TASK_EXIT, __ATOMIC_SEQ_CST);
		task_end(task, code);
		return;
	}
	end_describe(&end, task->process, NULL);
	process_end(&task->ctx, task->process, &end);
}
