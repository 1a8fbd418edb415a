// SPDX-License-Identifier: MIT
/*
 * Processes: birth, and the way out.
 *
 *        process_end            last task leaves          wait, join, or init
 *   ALIVE ----------> ENDING -------------------> ZOMBIE --------------------> REAPED
 *                     tasks are kicked            memory, files gone            pid gone
 *
 * A struct process lives until its machine is destroyed, so that a handle to it never dangles and can always
 * tell how the process ended.
 *
 * I1  mm and files are there exactly while the state is ALIVE or ENDING (init has neither)
 * I2  exactly one thread tears a process down, after its end was decided and when no task of it is active
 * I3  a process is on its parent's children or zombies list until it is reaped; init is its own root
 * I4  who finds a process in the table uses its mm and files only through process_borrow, which refuses one whose
 *     birth may still fail; if its end is decided meanwhile, it is torn down when it has been born
 *
 * Locking: the process table for family and pids; process->lock for the state and its tasks; nothing is
 * destroyed under either. Linux: kernel/fork.c, kernel/exit.c. Not modelled: sessions, ptrace.
 */
#include "task/internal.h"

#include "host/kmem.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

struct unix_creds process_unix_creds(const struct process *p)
{
	return (struct unix_creds){ p->owner.id, creds_load(&p->creds.euid), creds_load(&p->creds.egid) };
}

static void init_members(struct ctx *ctx, struct process *p, struct kernel *kernel, uint32_t pid, const char *name)
{
	p->kernel = kernel;
	owner_init(&ctx->env->owners, &p->owner, pid, name);
	p->lane = pid;
	census_add(&p->owner, CENSUS_PROCESS, 1);
	LIST_INIT(&p->children);
	LIST_INIT(&p->zombies);
	LIST_INIT(&p->tasks);
	wait_queue_init(&p->ended);
	wait_queue_init(&p->child_ended);
	mutex_init(&p->lock, RANK_PROCESS);
	mutex_init(&p->signal_lock, RANK_SIGNAL);
	mutex_init(&p->own_actions.lock, RANK_SIGNAL_ACTIONS);
	p->actions = &p->own_actions;
	signal_pending_init(&p->shared);
	p->group = pid;
	p->exit_signal = SIGCHLD;
	limits_init(&p->limits, ctx->env->fd_limit);
	creds_give_serial(p);
	p->call = ctx->call;
	p->epoch = __atomic_load_n(&ctx->env->epoch, __ATOMIC_RELAXED);
}

int process_alloc(struct ctx *ctx, const char *name, struct process *parent, bool held_by_bench, struct process **out)
{
	struct kernel *kernel = kernel_of(ctx);
	struct process *p = kmem_alloc(ctx, sizeof(*p));
	uint32_t pid;
	int err;

	if (p == NULL)
		return -ENOMEM;
	mutex_lock(ctx, &kernel->lock);
	err = pid_reserve_locked(ctx, kernel, p, &pid);
	if (err == 0) {
		init_members(ctx, p, kernel, pid, name);
		if (parent != NULL)
			owner_set_group(&p->owner, owner_group(&parent->owner));
		if (parent != NULL && process_state(parent) >= PROCESS_ZOMBIE)
			parent = kernel->init; /* it has given its children away already */
		p->held_by_bench = held_by_bench;
		p->parent = parent;
		TAILQ_INSERT_TAIL(&kernel->processes, p, link);
		if (parent != NULL)
			LIST_INSERT_HEAD(&parent->children, p, sibling);
	}
	mutex_unlock(ctx, &kernel->lock);
	if (err < 0) {
		kmem_free(ctx->env, p, sizeof(*p));
		return err;
	}
	*out = p;
	return 0;
}

void process_set_memory_group(struct ctx *ctx, struct process *p, uint32_t group)
{
	struct kernel *kernel = p->kernel;

	mutex_lock(ctx, &kernel->lock); /* a child is born into the one group or into the other */
	owner_set_group(&p->owner, group);
	mutex_unlock(ctx, &kernel->lock);
}

void process_unalloc(struct ctx *ctx, struct process *p)
{
	struct kernel *kernel = p->kernel;

	mutex_lock(ctx, &kernel->lock);
	process_reap_locked(kernel, p);
	TAILQ_REMOVE(&kernel->processes, p, link);
	wait_wake_all(ctx, &p->parent->child_ended); /* one child fewer to wait for */
	mutex_unlock(ctx, &kernel->lock);
	process_free(kernel, p);
}

void process_free(struct kernel *kernel, struct process *p)
{
	struct env *env = &kernel->env;
	struct task *task;

	if (kernel->sim.process_freed != NULL)
		kernel->sim.process_freed(env, p);
	while ((task = LIST_FIRST(&p->tasks)) != NULL) {
		LIST_REMOVE(task, link);
		waiter_fini(&task->waiter);
		signal_pending_fini(env, &task->own);
		kmem_free(env, task, sizeof(*task));
	}
	signal_pending_fini(env, &p->shared);
	mutex_fini(&p->own_actions.lock);
	mutex_fini(&p->signal_lock);
	mutex_fini(&p->lock);
	wait_queue_fini(&p->child_ended);
	wait_queue_fini(&p->ended);
	owner_fini(&env->owners, &p->owner, &env->self);
	kmem_free(env, p, sizeof(*p));
}

/* What a process owns is on its own account, whoever makes it. */
struct owner *process_charge(struct ctx *ctx, struct owner *owner)
{
	struct owner *was = ctx->owner;

	ctx->owner = owner;
	return was;
}

int process_tell_born(struct ctx *ctx, struct process *p)
{
	struct kernel *kernel = kernel_of(ctx);

	return kernel->sim.process_born != NULL ? kernel->sim.process_born(ctx, p) : 0;
}

void process_set_born(struct ctx *ctx, struct process *p)
{
	mutex_lock(ctx, &p->lock);
	p->born = true;
	mutex_unlock(ctx, &p->lock);
	if (unlikely(process_state(p) == PROCESS_ENDING))
		process_tear_down(p->kernel, p);
}

int process_create(struct ctx *ctx, const char *name, struct process **out)
{
	struct owner *was;
	struct process *p;
	int err = process_alloc(ctx, name, kernel_of(ctx)->init, true, &p);

	if (err < 0)
		return err;
	was = process_charge(ctx, &p->owner);
	err = mm_create(ctx, &p->mm);
	if (err < 0)
		goto undo_alloc;
	err = fdtable_create(ctx, &p->owner, ctx->env->fd_limit, &p->files);
	if (err < 0)
		goto undo_mm;
	err = fs_create(ctx, &p->fs);
	if (err < 0)
		goto undo_files;
	err = process_tell_born(ctx, p);
	if (err < 0)
		goto undo_fs;
	process_set_born(ctx, p);
	process_charge(ctx, was);
	*out = p;
	return 0;

undo_fs:
	fs_put(ctx, p->fs);
undo_files:
	fdtable_put(ctx, p->files);
undo_mm:
	mm_put(ctx, p->mm);
	ctx_drain(ctx);
undo_alloc:
	process_charge(ctx, was);
	process_unalloc(ctx, p);
	return err;
}

int process_borrow(struct ctx *ctx, struct process *p, struct mm **mm, struct fdtable **files)
{
	int err = -ESRCH;

	mutex_lock(ctx, &p->lock);
	if (p->born && process_state(p) == PROCESS_ALIVE) {
		if (mm != NULL)
			mm_get(*mm = p->mm);
		if (files != NULL)
			fdtable_get(*files = p->files);
		err = 0;
	}
	mutex_unlock(ctx, &p->lock);
	return err;
}

struct fs *process_borrow_fs(struct ctx *ctx, struct process *p)
{
	struct fs *fs = NULL;

	mutex_lock(ctx, &p->lock);
	if (p->born && process_state(p) == PROCESS_ALIVE)
		fs_get(fs = p->fs);
	mutex_unlock(ctx, &p->lock);
	return fs;
}

struct process *process_next(struct ctx *ctx, struct kernel *kernel, uint32_t after, struct mm **mm,
                             struct fdtable **files)
{
	struct process *found = NULL;

	mutex_lock(ctx, &kernel->lock);
	for (uint32_t pid = after + 1; pid < kernel->by_pid_size && found == NULL; pid++) {
		struct process *p = process_by_pid_locked(kernel, pid);

		if (p != NULL && process_borrow(ctx, p, mm, files) == 0)
			found = p;
	}
	mutex_unlock(ctx, &kernel->lock);
	return found;
}

bool process_has_elder(struct ctx *ctx, const struct process *process, const struct mm *mm, const struct fdtable *files)
{
	struct kernel *kernel = process->kernel;
	bool found = false;

	mutex_lock(ctx, &kernel->lock);
	for (uint32_t pid = 2; pid < process->owner.id && !found; pid++) {
		struct process *p = process_by_pid_locked(kernel, pid);

		if (p == NULL)
			continue;
		mutex_lock(ctx, &p->lock);
		found = process_state(p) == PROCESS_ALIVE && p->born &&
		        ((mm != NULL && p->mm == mm) || (files != NULL && p->files == files));
		mutex_unlock(ctx, &p->lock);
	}
	mutex_unlock(ctx, &kernel->lock);
	return found;
}

bool process_is_born(struct ctx *ctx, struct process *p)
{
	bool born;

	mutex_lock(ctx, &p->lock);
	born = p->born;
	mutex_unlock(ctx, &p->lock);
	return born;
}

bool process_next_child(struct ctx *ctx, struct kernel *kernel, const struct process *parent, uint32_t after,
                        struct process_child *out)
{
	bool found = false;

	mutex_lock(ctx, &kernel->lock);
	for (uint32_t pid = after + 1; pid < kernel->by_pid_size && !found; pid++) {
		struct process *p = process_by_pid_locked(kernel, pid);

		found = p != NULL && !p->held_by_bench && (parent == NULL || p->parent == parent) &&
		        process_is_born(ctx, p);
		if (found)
			*out = (struct process_child){
				.pid = pid,
				.parent = &p->parent->owner,
				.child = &p->owner,
				.call = p->call,
				.epoch = p->epoch,
				.ended = process_state(p) != PROCESS_ALIVE,
			};
	}
	mutex_unlock(ctx, &kernel->lock);
	return found;
}

bool process_end(struct ctx *ctx, struct process *p, const struct end *end)
{
	struct kernel *kernel = p->kernel;
	struct task *task;
	bool active;

	mutex_lock(ctx, &p->lock);
	if (process_state(p) != PROCESS_ALIVE) {
		mutex_unlock(ctx, &p->lock);
		return false;
	}
	p->end = *end;
	__atomic_store_n(&p->state, PROCESS_ENDING, __ATOMIC_SEQ_CST);
	LIST_FOREACH(task, &p->tasks, link) {
		__atomic_fetch_or(&task->pending, TASK_DIE, __ATOMIC_SEQ_CST);
		if (kernel->sim.task_kicked != NULL)
			kernel->sim.task_kicked(ctx, task);
		waiter_kick(ctx, &task->waiter);
	}
	active = process_active_locked(p) > 0 || !p->born;
	mutex_unlock(ctx, &p->lock);
	if (!active)
		process_tear_down(kernel, p);
	return true;
}

/* Give the children to init, which waits for all that nobody else holds. Process-table lock held. */
static void orphan_children_locked(struct kernel *kernel, struct process *p)
{
	struct process *init = kernel->init;
	struct process *child;

	while ((child = LIST_FIRST(&p->children)) != NULL) {
		LIST_REMOVE(child, sibling);
		__atomic_store_n(&child->parent, init, __ATOMIC_RELEASE);
		LIST_INSERT_HEAD(&init->children, child, sibling);
	}
	while ((child = LIST_FIRST(&p->zombies)) != NULL) {
		LIST_REMOVE(child, sibling);
		__atomic_store_n(&child->parent, init, __ATOMIC_RELEASE);
		LIST_INSERT_HEAD(&init->zombies, child, sibling);
		if (!child->held_by_bench)
			process_reap_locked(kernel, child);
	}
}

void process_reap_locked(struct kernel *kernel, struct process *p)
{
	struct task *task;

	if (p->parent != NULL)
		LIST_REMOVE(p, sibling);
	kernel->by_pid[p->owner.id] = NULL;
	LIST_FOREACH(task, &p->tasks, link)
		kernel->by_pid[task->tid] = NULL;
	census_add(&p->owner, CENSUS_PROCESS, -1);
	__atomic_store_n(&p->state, PROCESS_REAPED, __ATOMIC_SEQ_CST);
}

void process_reap(struct ctx *ctx, struct process *p)
{
	struct kernel *kernel = p->kernel;

	mutex_lock(ctx, &kernel->lock);
	if (process_state(p) == PROCESS_ZOMBIE)
		process_reap_locked(kernel, p);
	mutex_unlock(ctx, &kernel->lock);
}

void process_discard(struct ctx *ctx, struct process *p)
{
	struct kernel *kernel = p->kernel;
	struct end end = { .code = 0 };

	mutex_lock(ctx, &kernel->lock);
	p->exit_signal = 0;
	mutex_unlock(ctx, &kernel->lock);
	end_describe(&end, p, NULL);
	process_end(ctx, p, &end);
	process_reap(ctx, p);
}

/* The end is complete: tell those who wait for it. */
static void become_zombie(struct ctx *ctx, struct process *p)
{
	struct kernel *kernel = p->kernel;
	struct process *parent;
	struct signal_info info;
	bool fatal = false;
	bool unwanted;

	mutex_lock(ctx, &kernel->lock);
	orphan_children_locked(kernel, p);
	parent = p->parent;
	KSIM_ASSERT(ctx, parent != NULL, "process I3: init has no end", "%s", p->owner.name);
	LIST_REMOVE(p, sibling);
	LIST_INSERT_HEAD(&parent->zombies, p, sibling);
	__atomic_store_n(&p->state, PROCESS_ZOMBIE, __ATOMIC_SEQ_CST);
	if (parent == kernel->init)
		unwanted = !p->held_by_bench;
	else
		unwanted = signal_parent_locked(ctx, parent, p, &info, &fatal);
	if (unwanted)
		process_reap_locked(kernel, p);
	wait_wake_all(ctx, &parent->child_ended);
	wait_wake_all(ctx, &p->ended);
	mutex_unlock(ctx, &kernel->lock);
	if (fatal)
		signal_end_by(ctx, parent, &info);
}

/* Where others have its memory too, they are told of the ends of its threads. */
static void clear_tids(const struct ctx *from, struct process *p)
{
	static const uint32_t none;
	const struct task *task;
	struct ctx ctx = *from;

	if (ref_count(&p->mm->ref) == 1)
		return;
	ctx.mm = p->mm;
	ctx.user = &mm_user_ops;
	ctx.window = p->window;
	ctx.owner = &p->owner;
	LIST_FOREACH(task, &p->tasks, link)
		if (!uptr_null(task->clear_tid))
			copy_out(&ctx, task->clear_tid, &none, sizeof(none));
	ctx_drain(&ctx);
}

void process_tear_down(struct kernel *kernel, struct process *p)
{
	struct fdtable *files;
	struct task *task;
	struct mm *mm;
	struct fs *fs;
	struct ctx ctx;
	bool mine;

	kernel_ctx(kernel, &ctx, "exit");
	mutex_lock(&ctx, &p->lock);
	mine = !p->torn && p->born && process_state(p) == PROCESS_ENDING && process_active_locked(p) == 0;
	if (mine)
		p->torn = true;
	mutex_unlock(&ctx, &p->lock);
	if (!mine)
		return;
	/* From here on nobody enters: task_enter sees the state, and tasks are made under the lock while ALIVE. */
	clear_tids(&ctx, p);
	LIST_FOREACH(task, &p->tasks, link) {
		if (kernel->sim.task_gone != NULL)
			kernel->sim.task_gone(&ctx, task);
		task->ctx.frames = NULL;
		frame_cache_leave(&ctx, ctx.env->phys, &task->frames);
		census_add(&p->owner, CENSUS_TASK, -1);
	}
	if (kernel->sim.process_gone != NULL)
		kernel->sim.process_gone(&ctx, p);
	mutex_lock(&ctx, &p->lock);
	mm = p->mm;
	files = p->files;
	fs = p->fs;
	p->mm = NULL;
	p->files = NULL;
	p->fs = NULL;
	mutex_unlock(&ctx, &p->lock);
	fdtable_put(&ctx, files);
	fs_put(&ctx, fs);
	mm_put(&ctx, mm);
	ctx_drain(&ctx);
	become_zombie(&ctx, p);
}

void end_describe(struct end *end, const struct process *p, const char *what)
{
	const char *name = p->owner.name;
	uint32_t pid = p->owner.id;

	if (end->signo == 0)
		snprintf(end->text, sizeof(end->text), "%s (%u) exited with %d", name, pid, end->code);
	else
		snprintf(end->text, sizeof(end->text), "%s (%u) killed by %s%s%s", name, pid,
		         signal_name(end->signo, end->si_code), what != NULL ? ": " : "", what != NULL ? what : "");
}
