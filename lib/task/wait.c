// SPDX-License-Identifier: MIT
/*
 * Waiting for the end of processes, and the status words that tell of it.
 *
 * Locking: the process table guards family and state; a waiter arms its entry under it.
 * Linux: kernel/exit.c (wait4, waitid). Not modelled: stopped and continued children; __WNOTHREAD, since children are
 * the process's here and not a thread's.
 */
#include "task/internal.h"

#include <errno.h>
#include <signal.h>

enum { OPTION_NOHANG = 1 };

static bool is_meant(const struct process *child, const struct child_query *query)
{
	if (query->kind == CHILD_GROUP && __atomic_load_n(&child->group, __ATOMIC_RELAXED) != query->id)
		return false;
	return query->every_kind || (child->exit_signal != SIGCHLD) == query->clones;
}

/* A zombie child that is meant, the oldest; or what to answer instead: RETRY_LATER if there may be one later. */
#define RETRY_LATER 1
static int find_zombie(const struct process *parent, const struct child_query *query, struct process **out)
{
	struct process *best = NULL;
	struct process *child;

	if (query->kind == CHILD_PID) {
		child = process_by_pid_locked(parent->kernel, query->id);
		*out = child;
		if (child == NULL || child->parent != parent || !is_meant(child, query))
			return -ECHILD;
		if (process_state(child) != PROCESS_ZOMBIE)
			return RETRY_LATER;
		return query->ended ? 0 : -ECHILD;
	}
	if (query->ended) {
		LIST_FOREACH(child, &parent->zombies, sibling)
			if (is_meant(child, query) && (best == NULL || child->owner.id < best->owner.id))
				best = child;
	}
	*out = best;
	if (best != NULL)
		return 0;
	LIST_FOREACH(child, &parent->children, sibling)
		if (is_meant(child, query))
			return RETRY_LATER;
	return -ECHILD;
}

int process_wait_for(struct ctx *ctx, struct process *parent, const struct child_query *query, struct child_end *out)
{
	struct kernel *kernel = kernel_of(ctx);
	struct wait_entry entry = { 0 };
	struct process *child;
	int err, ended = 0;

	mutex_lock(ctx, &kernel->lock);
	/* A signal is often that of the very child, so what has ended the wait is told only if nobody is found then. */
	while ((err = find_zombie(parent, query, &child)) == RETRY_LATER && !query->no_hang && ended == 0) {
		wait_arm(ctx, &parent->child_ended, &entry, WAIT_ALL);
		mutex_unlock(ctx, &kernel->lock);
		ended = wait_sleep(ctx, &entry, 1, WAIT_FOREVER, "the end of a child");
		mutex_lock(ctx, &kernel->lock);
	}
	if (err == 0) {
		*out = (struct child_end){ child->owner.id, creds_load(&child->creds.uid), child->end };
		if (!query->stays)
			process_reap_locked(kernel, child);
	}
	mutex_unlock(ctx, &kernel->lock);
	if (err == RETRY_LATER)
		return ended;
	return err == 0 ? 1 : err;
}

int process_wait(struct ctx *ctx, struct process *parent, int pid, int options, struct end *end)
{
	struct child_query query = {
		.kind = pid > 0 ? CHILD_PID : CHILD_ANY,
		.id = (uint32_t)pid,
		.ended = true,
		.no_hang = options & OPTION_NOHANG,
	};
	struct child_end child = { 0 };
	int found = process_wait_for(ctx, parent, &query, &child);

	if (found <= 0)
		return found;
	*end = child.end;
	return (int)child.pid;
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

int process_vfork_wait(struct ctx *ctx, struct process *child)
{
	struct kernel *kernel = kernel_of(ctx);
	uint64_t was = signal_hold(ctx->task);
	struct wait_entry entry = { 0 };
	int err = 0;

	mutex_lock(ctx, &kernel->lock);
	while (err == 0 && process_state(child) < PROCESS_ZOMBIE) {
		wait_arm(ctx, &child->ended, &entry, WAIT_ALL);
		mutex_unlock(ctx, &kernel->lock);
		err = wait_sleep(ctx, &entry, 1, WAIT_FOREVER, "the end of a vfork child");
		mutex_lock(ctx, &kernel->lock);
	}
	mutex_unlock(ctx, &kernel->lock);
	signal_release(ctx->task, was);
	return err;
}

int end_status(const struct end *end)
{
	return end->signo != 0 ? end->signo & 0x7f : (end->code & 0xff) << 8;
}
