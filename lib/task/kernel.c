// SPDX-License-Identifier: MIT
/*
 * The kernel of one machine: RAM, accounts, names, the process table, and the order in which they come and go.
 *
 * I1  by_pid[n] is the process whose pid is n, or which has a task of that number, from its birth until it is reaped
 * I2  numbers of processes and tasks come from one counter and are never used twice in the life of a machine; a thread
 *     has the number of its task, which another thread of the process may have had before
 *
 * Linux: init/main.c, kernel/pid.c. Not modelled: pid namespaces; a number's reuse, so PID_MAX births are all.
 */
#include "task/internal.h"

#include "host/kmem.h"
#include "phys/pool.h"
#include "task/proc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int make_zero_frame(struct kernel *kernel)
{
	struct ctx ctx;
	pfn_t zero;
	int err;

	kernel_ctx(kernel, &ctx, "boot");
	err = frame_alloc(&ctx, FRAME_ANON, FRAME_ZERO, &zero);
	kernel->env.zero_pfn = err < 0 ? 0 : zero.n;
	return err;
}

static void make_pool(struct kernel *kernel, uint64_t npages)
{
	struct ctx ctx;

	kernel_ctx(kernel, &ctx, npages > 0 ? "boot" : "halt");
	pool_resize(&ctx, npages);
}

static int make_init(struct kernel *kernel)
{
	struct ctx ctx;

	kernel_ctx(kernel, &ctx, "boot");
	return process_alloc(&ctx, "init", NULL, true, &kernel->init);
}

static int make_tree(struct kernel *kernel)
{
	struct ctx ctx;
	int err = tree_create(&kernel->env);

	if (err < 0)
		return err;
	kernel_ctx(kernel, &ctx, "boot");
	tree_set_proc(&ctx, &proc_root_ops);
	return 0;
}

static void empty_tree(struct kernel *kernel)
{
	struct ctx ctx;

	kernel_ctx(kernel, &ctx, "halt");
	tree_empty(&ctx);
}

int kernel_create(const struct kernel_config *config, const struct env_hooks *hooks, struct kernel **out)
{
	struct kernel *kernel = calloc(1, sizeof(*kernel));
	struct env *env;
	int err;

	if (kernel == NULL)
		return -ENOMEM;
	env = &kernel->env;
	env->kernel = kernel;
	if (hooks != NULL)
		env->hooks = *hooks;
	env->commit = config->commit;
	env->arch = config->arch;
	env->fd_limit = config->fd_limit;
	env->poison = config->poison;
	env->ram_in_file = config->ram_in_file;
	profile_init(&env->profile, config->linux_release);
	env->sysctl = config->sysctl;
	env->memfd_ops = config->memfd_ops;
	owners_init(&env->owners);
	owner_init(&env->owners, &env->self, 0, "machine");
	wait_registry_init(&kernel->waits);
	env->waits = &kernel->waits;
	mutex_init(&kernel->lock, RANK_PROCESS_TABLE);
	TAILQ_INIT(&kernel->processes);
	kernel->next_pid = 1;
	err = phys_create(env, config->ram_bytes, &env->phys);
	if (err < 0)
		goto undo_locks;
	err = make_zero_frame(kernel);
	if (err < 0)
		goto undo_phys;
	make_pool(kernel, config->huge_pages);
	err = names_create(env);
	if (err < 0)
		goto undo_zero;
	err = make_tree(kernel);
	if (err < 0)
		goto undo_names;
	err = make_init(kernel);
	if (err < 0)
		goto undo_tree;
	*out = kernel;
	return 0;

undo_tree:
	empty_tree(kernel);
	tree_destroy(env);
undo_names:
	names_destroy(env);
undo_zero:
	make_pool(kernel, 0);
	kernel_release_zero_frame(kernel);
undo_phys:
	phys_destroy(env->phys);
undo_locks:
	mutex_fini(&kernel->lock);
	wait_registry_fini(&kernel->waits);
	owner_fini(&env->owners, &env->self, NULL);
	owners_fini(&env->owners);
	free(kernel);
	return err;
}

void kernel_release_zero_frame(struct kernel *kernel)
{
	struct ctx ctx;

	kernel_ctx(kernel, &ctx, "halt");
	frame_put(&ctx, (pfn_t){ kernel->env.zero_pfn });
	kernel->env.zero_pfn = 0;
}

void kernel_stop(struct kernel *kernel)
{
	struct ctx ctx;

	kernel_ctx(kernel, &ctx, "halt");
	unix_purge(&ctx);
	ctx_drain(&ctx);
	empty_tree(kernel);
	make_pool(kernel, 0);
	kernel_release_zero_frame(kernel);
	mutex_lock(&ctx, &kernel->lock);
	process_reap_locked(kernel, kernel->init);
	mutex_unlock(&ctx, &kernel->lock);
}

void kernel_destroy(struct kernel *kernel)
{
	struct process *process;
	struct env *env = &kernel->env;

	while ((process = TAILQ_FIRST(&kernel->processes)) != NULL) {
		TAILQ_REMOVE(&kernel->processes, process, link);
		process_free(kernel, process);
	}
	kmem_free(env, kernel->by_pid, kernel->by_pid_size * sizeof(struct process *));
	tree_destroy(env);
	names_destroy(env);
	phys_destroy(env->phys);
	mutex_fini(&kernel->lock);
	wait_registry_fini(&kernel->waits);
	owner_fini(&env->owners, &env->self, NULL);
	owners_fini(&env->owners);
	free(kernel);
}

int pid_reserve_locked(struct ctx *ctx, struct kernel *kernel, struct process *process, uint32_t *pid)
{
	uint32_t size = kernel->by_pid_size;
	struct process **grown;

	if (kernel->next_pid >= PID_MAX)
		return -EAGAIN;
	if (kernel->next_pid >= size) {
		uint32_t new_size = size == 0 ? 16 : size * 2;

		grown = kmem_alloc(ctx, new_size * sizeof(*grown));
		if (grown == NULL)
			return -ENOMEM;
		if (size != 0)
			memcpy(grown, kernel->by_pid, size * sizeof(*grown));
		kmem_free(ctx->env, kernel->by_pid, size * sizeof(*grown));
		kernel->by_pid = grown;
		kernel->by_pid_size = new_size;
	}
	*pid = kernel->next_pid++;
	kernel->by_pid[*pid] = process;
	return 0;
}

/* Process-table lock held. */
static bool thread_has_ended(struct ctx *ctx, struct process *process, uint32_t tid)
{
	const struct task *task;
	bool ended;

	mutex_lock(ctx, &process->lock);
	LIST_FOREACH(task, &process->tasks, link)
		if (task->tid == tid)
			break;
	ended = task != NULL && task->ended;
	mutex_unlock(ctx, &process->lock);
	return ended;
}

/* One that is being made is nobody's business yet, and may be taken back. Process-table lock held. */
static struct process *if_born(struct ctx *ctx, struct process *process)
{
	if (process == NULL || process == process->kernel->init)
		return process;
	return process_is_born(ctx, process) ? process : NULL;
}

struct process *process_of_tid(struct ctx *ctx, uint32_t tid)
{
	struct kernel *kernel = kernel_of(ctx);
	struct process *process = NULL;

	mutex_lock(ctx, &kernel->lock);
	if (tid < kernel->by_pid_size)
		process = kernel->by_pid[tid];
	if (process != NULL && process->owner.id != tid && thread_has_ended(ctx, process, tid))
		process = NULL;
	process = if_born(ctx, process);
	mutex_unlock(ctx, &kernel->lock);
	return process;
}

struct process *process_by_pid_locked(const struct kernel *kernel, uint32_t pid)
{
	struct process *process = pid < kernel->by_pid_size ? kernel->by_pid[pid] : NULL;

	return process != NULL && process->owner.id == pid ? process : NULL;
}

struct process *process_by_pid(struct ctx *ctx, uint32_t pid)
{
	struct kernel *kernel = kernel_of(ctx);
	struct process *process;

	mutex_lock(ctx, &kernel->lock);
	process = if_born(ctx, process_by_pid_locked(kernel, pid));
	mutex_unlock(ctx, &kernel->lock);
	return process;
}
