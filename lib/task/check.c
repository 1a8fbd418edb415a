// SPDX-License-Identifier: MIT
/*
 * The validator of a whole machine: every structure's own validator, and the sums that tie them together.
 * Exact when no call is under way; while others run, processes may come and go, but what is half done looks broken.
 */
#include "task/internal.h"

#include <signal.h>

static void check_files(struct ctx *ctx, struct fdtable *files, struct check_report *report)
{
	struct fd_slot slot;
	struct file *file;
	int fd;

	fdtable_check(ctx, files, report);
	for (int from = 0; fdtable_next(ctx, files, from, &fd, &file, &slot); from = fd + 1) {
		if (file->inode != NULL && file->inode->object != NULL)
			object_check(ctx, file->inode->object, report);
		if (unix_is_socket(file))
			unix_check(ctx, file, report);
		file_put(ctx, file);
	}
	ctx_drain(ctx);
}

static void check_pending(const struct signal_pending *pending, const struct process *p, struct check_report *report)
{
	const struct signal_queued *q;

	TAILQ_FOREACH(q, &pending->infos, link)
		CHECK_THAT(report, pending->set & signal_bit(q->info.signo),
		           "signal I1: what a signal tells waits with it", "%s (%u): signal %d", p->owner.name,
		           p->owner.id, q->info.signo);
}

/* process->lock held. */
static void check_signals(struct ctx *ctx, struct process *p, struct check_report *report)
{
	const uint64_t never = signal_bit(SIGKILL) | signal_bit(SIGSTOP);
	const struct task *task;

	mutex_lock(ctx, &p->signal_lock);
	check_pending(&p->shared, p, report);
	LIST_FOREACH(task, &p->tasks, link) {
		check_pending(&task->own, p, report);
		CHECK_THAT(report, task->own.set == 0 || task->pending & TASK_SIGNAL,
		           "signal I2: a task is told of its own signals", "%s (%u): task %u, signals %#lx",
		           p->owner.name, p->owner.id, task->tid, (unsigned long)task->own.set);
		CHECK_THAT(report, (task->blocked & never) == 0, "signal I4: SIGKILL and SIGSTOP are not blocked",
		           "%s (%u): task %u", p->owner.name, p->owner.id, task->tid);
	}
	mutex_unlock(ctx, &p->signal_lock);
}

/* What its own members say; process->lock held. */
static void check_process_locked(struct process *p, struct check_report *report)
{
	enum process_state state = process_state(p);
	unsigned active = process_active_locked(p);

	CHECK_THAT(report, active == 0 || state <= PROCESS_ENDING, "only a living process is acted as",
	           "%s (%u): state %d, active %u", p->owner.name, p->owner.id, state, active);
	CHECK_THAT(report, state <= PROCESS_ENDING || (p->mm == NULL && p->files == NULL),
	           "process I1: a dead process has no memory and no files", "%s (%u)", p->owner.name, p->owner.id);
}

static void check_processes(struct ctx *ctx, struct kernel *kernel, struct check_report *report)
{
	struct fdtable *files;
	struct process *p;
	struct mm *mm;

	mutex_lock(ctx, &kernel->lock);
	TAILQ_FOREACH(p, &kernel->processes, link) {
		mutex_lock(ctx, &p->lock);
		check_process_locked(p, report);
		check_signals(ctx, p, report);
		mutex_unlock(ctx, &p->lock);
	}
	mutex_unlock(ctx, &kernel->lock);
	for (uint32_t after = 0; (p = process_next(ctx, kernel, after, &mm, &files)) != NULL; after = p->owner.id) {
		mm_check(ctx, mm, report);
		check_files(ctx, files, report);
		mm_put(ctx, mm);
		fdtable_put(ctx, files);
		ctx_drain(ctx);
	}
}

void kernel_check(struct kernel *kernel, struct check_report *report)
{
	struct env *env = &kernel->env;
	uint64_t used;
	struct ctx ctx;
	long frames;

	kernel_ctx(kernel, &ctx, "check");
	check_processes(&ctx, kernel, report);
	tree_check(&ctx, report);
	phys_check(env->phys, report);
	used = phys_total_frames(env->phys) - phys_free_frames(&ctx);
	frames = owners_total(&env->owners, CENSUS_FRAME);
	CHECK_THAT(report, (long)used == frames, "the census counts every frame in use", "in use %lu, counted %ld",
	           (unsigned long)used, frames);
}
