// SPDX-License-Identifier: MIT
/*
 * Processes on host threads: their birth, start, end and joining.
 *
 * A thread is counted as acting from before it is created, so that nobody who waits for it is told of a deadlock
 * while it is on its way; and until after its process has been torn down, if it was the last.
 *
 * A thread that the program made itself, and that acts as a process for its life, is the program's to join. The machine
 * counts such guests, and halt waits for them to notice that their process has ended.
 *
 * I1  a started thread is on its process's list until it has been joined, exactly once
 * I2  a guest does not touch its machine after it has been counted out
 */
#include "machine/machine.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>

struct ksim_process *ksim_process_create(struct ksim_machine *m, const char *name)
{
	struct process *process;
	struct ctx ctx;
	int err;

	kernel_ctx(m->kernel, &ctx, "process_create");
	err = process_create(&ctx, name != NULL ? name : "process", &process);
	ctx_drain(&ctx);
	if (err < 0) {
		errno = -err;
		return NULL;
	}
	return process_handle(process);
}

static struct ksim_process *process_copy(struct ksim_process *parent, const char *name, const char *call, int flags)
{
	struct process *process = NULL;
	struct ctx ctx;
	int err;

	kernel_ctx(parent->machine->kernel, &ctx, call);
	err = clone_check(&ctx, (uint32_t)flags);
	if (err == 0)
		err = process_clone(&ctx, parent->kernel, name, true, (uint32_t)(flags | SIGCHLD), &process);
	ctx_drain(&ctx);
	if (process == NULL) {
		errno = -err;
		return NULL;
	}
	/* Nobody has entered it yet. */
	if (ksim_self() == parent)
		process->first_mask = signal_mask(acting_task());
	return process_handle(process);
}

struct ksim_process *ksim_process_fork(struct ksim_process *parent, const char *name)
{
	return process_copy(parent, name, "process_fork", 0);
}

struct ksim_process *ksim_process_clone(struct ksim_process *parent, const char *name, int flags)
{
	const int known = CLONE_VM | CLONE_FILES | CLONE_FS | CLONE_SIGHAND;

	if (flags & ~known) {
		errno = EINVAL;
		return NULL;
	}
	return process_copy(parent, name, "process_clone", flags);
}

int ksim_process_end(struct ksim_process *p, int code)
{
	struct end end = { .code = code & 0xff };
	struct ctx ctx;
	bool decided;

	kernel_ctx(p->machine->kernel, &ctx, "process_end");
	end_describe(&end, p->kernel, NULL);
	decided = process_end(&ctx, p->kernel, &end);
	ctx_drain(&ctx);
	if (!decided)
		errno = ESRCH;
	return decided ? 0 : -1;
}

pid_t ksim_process_pid(const struct ksim_process *p)
{
	return (pid_t)p->kernel->owner.id;
}

const char *ksim_process_name(const struct ksim_process *p)
{
	return p->kernel->owner.name;
}

struct ksim_machine *ksim_process_machine(const struct ksim_process *p)
{
	return p->machine;
}

/* ---- threads ---- */

/* fn has returned. */
static void thread_returned(struct machine_thread *t)
{
	switch (t->at_return) {
	case THREAD_ENDS_PROCESS:
		ksim_process_end(t->process, t->result);
		break;
	case THREAD_EXITS:
		task_exit(t->task, t->result);
		ctx_drain(&t->task->ctx);
		break;
	case THREAD_ENDS:
		task_end(t->task, t->result);
		break;
	}
}

static void thread_main(struct crew_job *job)
{
	struct machine_thread *t = container_of(job, struct machine_thread, job);

	if (acting_call(t->process, t->task, TASK_ACTOR_OURS, t->fn, t->arg, &t->result))
		thread_returned(t);
	else
		t->result = task_has_exited(t->task) ? t->task->exit_code : -1;
	acting_leave();
}

int thread_start(struct ksim_process *p, struct task *task, enum thread_return at_return, int (*fn)(void *), void *arg)
{
	struct env *env = &p->machine->kernel->env;
	struct machine_thread *t = calloc(1, sizeof(*t));
	int err = -ENOMEM;

	if (t != NULL) {
		*t = (struct machine_thread){ .process = p, .task = task, .fn = fn, .arg = arg };
		t->at_return = at_return;
		wait_acting_begin(env);
		pthread_mutex_lock(&p->machine->lock);
		err = crew_start(&p->machine->crew, &t->job, thread_main);
		if (err == 0)
			LIST_INSERT_HEAD(&p->threads, t, link);
		pthread_mutex_unlock(&p->machine->lock);
	}
	if (err != 0) {
		task_leave(task);
		if (t != NULL)
			wait_acting_end(env);
		free(t);
	}
	return err;
}

int ksim_start(struct ksim_process *p, int (*fn)(void *), void *arg)
{
	struct task *task;
	int err = -EBUSY;

	if (!__atomic_exchange_n(&p->started, true, __ATOMIC_RELAXED)) {
		err = acting_claim(p, TASK_ACTOR_OURS, &task);
		if (err == 0) {
			task_renew(task, p->kernel->first_mask);
			err = thread_start(p, task, THREAD_ENDS_PROCESS, fn, arg);
		}
		if (err < 0)
			__atomic_store_n(&p->started, false, __ATOMIC_RELAXED);
	}
	if (err < 0)
		errno = -err;
	return err < 0 ? -1 : 0;
}

pid_t ksim_task_start(struct ksim_process *p, int (*fn)(void *), void *arg)
{
	struct task *task;
	pid_t tid = -1;
	int err = acting_claim(p, TASK_ACTOR_OURS, &task);

	if (err == 0) {
		tid = (pid_t)task->tid;
		acting_inherit(task);
		err = thread_start(p, task, THREAD_ENDS, fn, arg);
	}
	if (err < 0)
		errno = -err;
	return err < 0 ? -1 : tid;
}

/* Take a thread off the list: the one of a tid, or any (0). */
static struct machine_thread *take_thread(struct ksim_process *p, uint32_t tid)
{
	struct machine_thread *t;

	pthread_mutex_lock(&p->machine->lock);
	LIST_FOREACH(t, &p->threads, link)
		if (tid == 0 || (t->task->tid == tid && t->at_return == THREAD_ENDS))
			break;
	if (t != NULL)
		LIST_REMOVE(t, link);
	pthread_mutex_unlock(&p->machine->lock);
	return t;
}

int ksim_task_join(struct ksim_process *p, pid_t tid, int *result)
{
	struct machine_thread *t = tid > 0 ? take_thread(p, (uint32_t)tid) : NULL;

	if (t == NULL) {
		errno = EINVAL;
		return -1;
	}
	crew_wait(&t->job);
	if (result != NULL)
		*result = t->result;
	free(t);
	return 0;
}

void threads_join(struct ksim_process *p)
{
	struct machine_thread *t;

	while ((t = take_thread(p, 0)) != NULL) {
		crew_wait(&t->job);
		free(t);
	}
}

/* ---- threads of the program's ---- */

enum { GUEST_PATIENCE_S = 5 };

/* Not the machine's, which may be freed as soon as the last of its guests is counted out. */
static struct {
	pthread_mutex_t lock; /* g */
	pthread_cond_t fewer;
} guests = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER };

void guest_begin(struct ksim_machine *m)
{
	pthread_mutex_lock(&guests.lock);
	m->guests++;
	pthread_mutex_unlock(&guests.lock);
}

void guest_end(struct ksim_machine *m)
{
	pthread_mutex_lock(&guests.lock);
	m->guests--;
	pthread_cond_broadcast(&guests.fewer);
	pthread_mutex_unlock(&guests.lock);
}

bool guests_await(struct ksim_machine *m)
{
	struct timespec until;
	int err = 0;
	bool none;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += GUEST_PATIENCE_S;
	pthread_mutex_lock(&guests.lock);
	while (m->guests > 0 && err == 0)
		err = pthread_cond_timedwait(&guests.fewer, &guests.lock, &until);
	none = m->guests == 0;
	pthread_mutex_unlock(&guests.lock);
	return none;
}

/* ---- waiting for the end ---- */

int ksim_join(struct ksim_process *p, struct ksim_end *end)
{
	struct kernel *kernel = p->machine->kernel;
	struct task *task = acting_task();
	struct waiter waiter;
	struct ctx ctx;
	struct end how;
	int err;

	if (task != NULL && task->process->kernel == kernel) {
		do {
			task->ctx.call = "join";
			err = process_join(&task->ctx, p->kernel, &how);
			if (task_attends(task))
				signals_deliver(task, NULL);
		} while (err == -EINTR);
	} else {
		kernel_ctx(kernel, &ctx, "join");
		waiter_init(&waiter, ctx.owner);
		waiter.outside = true;
		ctx.waiter = &waiter;
		err = process_join(&ctx, p->kernel, &how);
		waiter_fini(&waiter);
	}
	if (err < 0) {
		errno = -err;
		return -1;
	}
	threads_join(p);
	if (end != NULL)
		end_export(p->kernel, end);
	return 0;
}

pid_t ksim_fork_into(int (*fn)(void *), void *arg)
{
	struct task *task = acting_task_for("ksim_fork_into");
	struct process *child;
	int err;

	task->ctx.call = "fork";
	err = process_fork(&task->ctx, task->process, NULL, false, &child);
	ctx_drain(&task->ctx);
	if (err == 0 && ksim_start(process_handle(child), fn, arg) < 0) {
		err = -errno;
		process_discard(&task->ctx, child);
	}
	if (err < 0) {
		errno = -err;
		return -1;
	}
	return (pid_t)child->owner.id;
}
