// SPDX-License-Identifier: MIT
/*
 * pthread_create of a thread that acts as a process: the new thread is one of that process.
 *
 * The task is claimed before the thread exists, so that want of memory is pthread_create's error, and the thread counts
 * as acting from then on, so that nobody who waits for it is told of a deadlock while it is on its way. It stops acting
 * whichever way it ends: its function returns, pthread_exit, pthread_cancel, exit(2), or the end of the process, which
 * unwinds to here. It is the program's to join: halt can only wait for it to notice that its process has ended.
 *
 * Locking: none. Linux: clone(2) with CLONE_THREAD, pthread_create(3). Not modelled: robust lists.
 */
#include "posix/posix.h"

#include <errno.h>
#include <stdlib.h>

struct birth {
	struct ksim_process *process;
	struct task *task;
	void *(*fn)(void *);
	void *arg;
	void *result;
};

static int call(void *arg)
{
	struct birth *birth = arg;

	birth->result = birth->fn(birth->arg);
	return 0;
}

static void leave(void *of)
{
	const struct birth *birth = of;
	struct ksim_process *p = birth->process;
	bool ended = process_state(p->kernel) != PROCESS_ALIVE;

	if (!ended && !task_has_exited(birth->task))
		task_end(birth->task, 0);
	acting_leave_all();
	if (ended)
		posix_died(p);
	guest_end(p->machine);
}

static void *thread_main(void *arg)
{
	struct birth birth = *(struct birth *)arg;
	int unused;

	free(arg);
	pthread_cleanup_push(leave, &birth);
	acting_call(birth.process, birth.task, TASK_ACTOR_THREAD, call, &birth, &unused);
	pthread_cleanup_pop(1);
	return birth.result;
}

/* 0, or the positive error. */
static int create(pthread_t *thread, const pthread_attr_t *attr, const struct birth *from)
{
	struct env *env = &from->process->machine->kernel->env;
	struct birth *birth = malloc(sizeof(*birth));
	int err = EAGAIN;

	wait_acting_begin(env);
	guest_begin(from->process->machine);
	if (birth != NULL) {
		*birth = *from;
		err = pthread_create(thread, attr, thread_main, birth);
	}
	if (err != 0) {
		task_leave(from->task);
		wait_acting_end(env);
		guest_end(from->process->machine);
		free(birth);
	}
	return err;
}

int ksim_posix_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *), void *arg)
{
	struct birth birth = { .fn = fn, .arg = arg };
	int err;

	if (!posix_acts())
		return pthread_create(thread, attr, fn, arg);
	birth.process = ksim_self();
	err = clone_check_number(&acting_task()->ctx);
	if (err == 0)
		err = acting_claim(birth.process, TASK_ACTOR_THREAD, &birth.task);
	if (err == -ESRCH)
		acting_die();
	if (err == 0)
		acting_inherit(birth.task);
	return err < 0 ? EAGAIN : create(thread, attr, &birth);
}
