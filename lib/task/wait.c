// SPDX-License-Identifier: MIT
/*
 * Waiting for the end of processes, and the status words that tell of it.
 *
 * Locking: the process table guards family and state; a waiter arms its entry under it.
 * Linux: kernel/exit.c (wait4). Not modelled: stopped and continued children, groups.
 */
#include "task/internal.h"

#include <errno.h>

enum { OPTION_NOHANG = 1 };

/* A zombie child that matches, reaped; or what to answer instead: RETRY_LATER if there may be one later. */
#define RETRY_LATER 1
static int take_zombie(struct kernel *kernel, struct process *parent, int pid, struct process **out)
{
	struct process *child;

	if (pid > 0) {
		child = (uint32_t)pid < kernel->by_pid_size ? kernel->by_pid[pid] : NULL;
		if (child == NULL || child->parent != parent)
			return -ECHILD;
		if (process_state(child) != PROCESS_ZOMBIE)
			return RETRY_LATER;
	} else {
		child = LIST_FIRST(&parent->zombies);
		if (child == NULL)
			return LIST_EMPTY(&parent->children) ? -ECHILD : RETRY_LATER;
	}
	process_reap_locked(kernel, child);
	*out = child;
	return 0;
}

int process_wait(struct ctx *ctx, struct process *parent, int pid, int options, struct end *end)
{
	struct kernel *kernel = kernel_of(ctx);
	struct wait_entry entry = { 0 };
	struct process *child = NULL;
	int err;

	mutex_lock(ctx, &kernel->lock);
	while ((err = take_zombie(kernel, parent, pid, &child)) == RETRY_LATER) {
		if (options & OPTION_NOHANG)
			break;
		wait_arm(ctx, &parent->child_ended, &entry, WAIT_ALL);
		mutex_unlock(ctx, &kernel->lock);
		err = wait_sleep(ctx, &entry, 1, WAIT_FOREVER, "the end of a child");
		mutex_lock(ctx, &kernel->lock);
		if (err < 0)
			break;
	}
	mutex_unlock(ctx, &kernel->lock);
	if (err == RETRY_LATER)
		return 0;
	if (err < 0)
		return err;
	*end = child->end;
	return (int)child->owner.id;
}

int process_join(struct ctx *ctx, struct process *process, struct end *end)
{
	struct kernel *kernel = kernel_of(ctx);
	struct wait_entry entry = { 0 };
	int err = 0;

	mutex_lock(ctx, &kernel->lock);
	while (process_state(process) < PROCESS_ZOMBIE) {
		wait_arm(ctx, &process->ended, &entry, WAIT_ALL);
		mutex_unlock(ctx, &kernel->lock);
		err = wait_sleep(ctx, &entry, 1, WAIT_FOREVER, "the end of a process");
		mutex_lock(ctx, &kernel->lock);
		if (err < 0)
			break;
	}
	if (process_state(process) == PROCESS_ZOMBIE)
		process_reap_locked(kernel, process);
	if (process_state(process) == PROCESS_REAPED)
		err = 0;
	mutex_unlock(ctx, &kernel->lock);
	if (err == 0 && end != NULL)
		*end = process->end;
	return err;
}

int end_status(const struct end *end)
{
	return end->signo != 0 ? end->signo & 0x7f : (end->code & 0xff) << 8;
}
