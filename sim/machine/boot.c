// SPDX-License-Identifier: MIT
/*
 * Machines: checking what is asked for, booting, halting.
 *
 * Halt goes from the outside in: no thread of the program may still act; every process is told to end, which
 * kicks its threads out of what they wait for; the threads are joined, then the processes are zombies and are
 * reaped; the kernel gives back what it holds for itself; and what the census counts then is a leak of ours.
 */
#include "machine/machine.h"

#include "host/kmem.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RAM_DEFAULT       (UINT64_C(64) << 20)
#define RAM_MIN           (UINT64_C(64) << 10)
#define RAM_MAX           (UINT64_C(1) << 44) /* pfns fit in 32 bits */
#define MAP_COUNT_DEFAULT 65530u
#define HUGE_BYTES        (UINT64_C(2) << 20)
#define RELEASE_MIN       3017u  /* the first with memfd_create */
#define RELEASE_MAX       99999u /* what is above is another notation, KERNEL_VERSION() say */
#define FD_LIMIT_DEFAULT  1024u
#define FD_LIMIT_MAX      1048576u
#define TLB_DEFAULT       256u
#define WINDOW_DEFAULT    (UINT64_C(1) << 30)
#define WINDOW_MIN        (UINT64_C(1) << 20)
#define WINDOW_MAX        (UINT64_C(1) << 46)

void machine_abort(const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fprintf(stderr, "ksim: %s\n", text);
	abort();
}

/* ---- what the program is ---- */

static bool posix_in_use, booted;

void ksim_posix_mark_(void)
{
	__atomic_store_n(&posix_in_use, true, __ATOMIC_RELAXED);
}

bool machine_posix_in_use(void)
{
	return __atomic_load_n(&posix_in_use, __ATOMIC_RELAXED);
}

bool machine_booted(void)
{
	return __atomic_load_n(&booted, __ATOMIC_RELAXED);
}

/* ---- what is asked for ---- */

/* Access, and what follows from it. */
static int fill_access(struct ksim_config *c)
{
	bool posix = machine_posix_in_use();

	if (c->access == KSIM_ACCESS_DEFAULT)
		c->access = posix ? KSIM_ACCESS_NATIVE : KSIM_ACCESS_SOFT;
	if (c->window_bytes == 0)
		c->window_bytes = WINDOW_DEFAULT;
	if (c->stdio == 0 && !(posix && c->access == KSIM_ACCESS_NATIVE))
		c->stdio = KSIM_NONE;
	if (c->access != KSIM_ACCESS_SOFT && c->access != KSIM_ACCESS_NATIVE)
		return -EINVAL;
	if (c->window_bytes < WINDOW_MIN || c->window_bytes > WINDOW_MAX || c->window_bytes % KSIM_PAGE_SIZE != 0)
		return -EINVAL;
	return c->stdio == 0 || c->stdio == KSIM_NONE ? 0 : -EINVAL;
}

static int fill_defaults(struct ksim_config *c)
{
	if (c->ram_bytes == 0)
		c->ram_bytes = RAM_DEFAULT;
	if (c->max_map_count == 0)
		c->max_map_count = MAP_COUNT_DEFAULT;
	if (c->arch == KSIM_ARCH_HOST)
		c->arch = machine_host_arch();
	if (c->fd_limit == 0)
		c->fd_limit = FD_LIMIT_DEFAULT;
	if (c->tlb_entries == 0)
		c->tlb_entries = TLB_DEFAULT;
	if (c->ram_bytes < RAM_MIN || c->ram_bytes > RAM_MAX || c->ram_bytes % KSIM_PAGE_SIZE != 0)
		return -EINVAL;
	if (c->arch != KSIM_ARCH_X86_64 && c->arch != KSIM_ARCH_AARCH64)
		return -EINVAL;
	if (c->linux_release != 0 && (c->linux_release < RELEASE_MIN || c->linux_release > RELEASE_MAX))
		return -EINVAL;
	if (c->commit != KSIM_COMMIT_ON_TRUNCATE && c->commit != KSIM_COMMIT_ON_TOUCH)
		return -EINVAL;
	if (c->fd_limit > FD_LIMIT_MAX || (c->poison != 0 && c->poison != KSIM_NONE))
		return -EINVAL;
	if (c->tlb_entries < 16 || c->tlb_entries > 4096 || (c->tlb_entries & (c->tlb_entries - 1)) != 0)
		return -EINVAL;
	if ((c->transparent_huge != 0 && c->transparent_huge != KSIM_NONE) || c->memfd_noexec > 2)
		return -EINVAL;
	if (c->memfd_ops != NULL && !object_ops_complete(c->memfd_ops))
		return -EINVAL;
	if (c->huge_pages > c->ram_bytes / HUGE_BYTES)
		return -EINVAL;
	return fill_access(c);
}

int machine_config(const struct ksim_config *config, size_t size, struct ksim_config *out)
{
	const unsigned char *bytes = (const unsigned char *)config;

	memset(out, 0, sizeof(*out));
	if (config != NULL)
		memcpy(out, config, MIN(size, sizeof(*out)));
	for (size_t i = sizeof(*out); config != NULL && i < size; i++)
		if (bytes[i] != 0)
			return -E2BIG;
	return fill_defaults(out);
}

/* ---- what the kernel tells sim ---- */

/* Of processes of all machines: what tells a handle from an older one at the same address. */
static uint64_t last_number;

static int lab_process_born(struct ksim_process *handle)
{
	const struct process *maker = handle->kernel->maker;
	const struct machine_parts *parts = handle->machine->parts;

	if (parts->lab.process_born == NULL)
		return 0;
	return parts->lab.process_born(handle, maker != NULL ? process_handle(maker) : NULL);
}

static int native_process_born(struct ctx *ctx, struct ksim_process *handle)
{
	return handle->machine->native != NULL ? handle->machine->parts->native.process_born(ctx, handle) : 0;
}

static void native_process_gone(struct ctx *ctx, struct ksim_process *handle)
{
	if (handle->native != NULL)
		handle->machine->parts->native.process_gone(ctx, handle);
}

static void task_kicked(struct ctx *ctx, struct task *task)
{
	struct ksim_process *handle = process_handle(task->process);

	handle->machine->parts->cpu.task_kicked(ctx, task);
	if (handle->native != NULL)
		handle->machine->parts->native.process_kicked(ctx, handle);
}

/* What this gives goes with the process's files. */
static int posix_process_born(struct ctx *ctx, struct ksim_process *handle)
{
	const struct ksim_machine *m = handle->machine;

	return m->config.stdio == 0 && m->parts->posix.process_born != NULL ? m->parts->posix.process_born(ctx, handle)
	                                                                    : 0;
}

static int posix_boot(struct ksim_machine *m)
{
	return m->config.stdio == 0 && m->parts->posix.boot != NULL ? m->parts->posix.boot(m) : 0;
}

static void posix_halt(struct ksim_machine *m)
{
	if (m->parts->posix.halt != NULL)
		m->parts->posix.halt(m);
}

static int process_born(struct ctx *ctx, struct process *process)
{
	struct ksim_machine *m = ctx->env->hooks.machine;
	struct ksim_process *handle = kmem_alloc(ctx, sizeof(*handle));
	int err;

	if (handle == NULL)
		return -ENOMEM;
	handle->kernel = process;
	handle->machine = m;
	handle->number = __atomic_add_fetch(&last_number, 1, __ATOMIC_RELAXED);
	LIST_INIT(&handle->threads);
	process->sim = handle;
	err = m->parts->cpu.process_born(ctx, handle);
	if (err < 0)
		goto undo_handle;
	err = native_process_born(ctx, handle);
	if (err < 0)
		goto undo_cpu;
	err = posix_process_born(ctx, handle);
	if (err < 0)
		goto undo_native;
	err = lab_process_born(handle);
	if (err < 0)
		goto undo_native;
	return 0;

undo_native:
	native_process_gone(ctx, handle);
undo_cpu:
	m->parts->cpu.process_gone(ctx, handle);
undo_handle:
	process->sim = NULL;
	kmem_free(ctx->env, handle, sizeof(*handle));
	return err;
}

static void process_gone(struct ctx *ctx, struct process *process)
{
	struct ksim_process *handle = process_handle(process);
	const struct machine_parts *parts;

	if (handle == NULL)
		return;
	parts = handle->machine->parts;
	native_process_gone(ctx, handle);
	parts->cpu.process_gone(ctx, handle);
	if (parts->lab.process_gone != NULL)
		parts->lab.process_gone(handle);
}

static void process_freed(struct env *env, struct process *process)
{
	kmem_free(env, process->sim, sizeof(struct ksim_process));
}

struct ksim_machine *machine_boot(const struct ksim_config *config, const struct machine_parts *parts)
{
	struct kernel_config kernel_config = {
		.ram_bytes = config->ram_bytes,
		.arch = config->arch,
		.commit = config->commit == KSIM_COMMIT_ON_TOUCH ? COMMIT_ON_TOUCH : COMMIT_ON_TRUNCATE,
		.linux_release = config->linux_release,
		.fd_limit = config->fd_limit,
		.poison = config->poison != KSIM_NONE,
		.ram_in_file = config->access == KSIM_ACCESS_NATIVE,
		.sysctl = {
			.max_map_count = config->max_map_count,
			.memfd_noexec = config->memfd_noexec,
			.transparent_huge = config->transparent_huge != KSIM_NONE,
		},
		.huge_pages = config->huge_pages,
		.memfd_ops = config->memfd_ops,
	};
	struct ksim_machine *m = calloc(1, sizeof(*m));
	struct env_hooks hooks = { .say = config->report, .say_arg = config->report_arg, .machine = m };
	int err = -ENOMEM;

	if (m == NULL)
		goto fail;
	m->config = *config;
	m->parts = parts;
	pthread_mutex_init(&m->lock, NULL);
	crew_init(&m->crew);
	err = kernel_create(&kernel_config, &hooks, &m->kernel);
	if (err < 0)
		goto undo_alloc;
	m->kernel->sim = (struct kernel_sim){
		.process_born = process_born,
		.process_gone = process_gone,
		.process_freed = process_freed,
		.task_born = parts->cpu.task_born,
		.task_joined = parts->cpu.task_joined,
		.task_gone = parts->cpu.task_gone,
		.task_kicked = task_kicked,
		.mask_read = mask_read,
		.mask_written = mask_written,
	};
	if (config->access == KSIM_ACCESS_NATIVE) {
		err = parts->native.boot(m);
		if (err < 0)
			goto undo_kernel;
	}
	err = posix_boot(m);
	if (err < 0)
		goto undo_posix;
	err = parts->lab.attach(m);
	if (err < 0)
		goto undo_posix;
	__atomic_store_n(&booted, true, __ATOMIC_RELAXED);
	return m;

undo_posix:
	posix_halt(m); /* of what it had made */
	if (m->native != NULL)
		parts->native.halt(m);
undo_kernel:
	kernel_stop(m->kernel);
	kernel_destroy(m->kernel);
undo_alloc:
	crew_fini(&m->crew);
	pthread_mutex_destroy(&m->lock);
	free(m);
fail:
	errno = -err;
	return NULL;
}

/* ---- halt ---- */

/* Whether a thread of that kind acts as a process. */
static bool somebody_acts_as(struct ctx *ctx, struct process *p, enum task_actor kind)
{
	bool acts = false;
	struct task *task;

	mutex_lock(ctx, &p->lock);
	LIST_FOREACH(task, &p->tasks, link)
		acts |= __atomic_load_n(&task->busy, __ATOMIC_ACQUIRE) == (uint32_t)kind;
	mutex_unlock(ctx, &p->lock);
	return acts;
}

static bool somebody_acts(struct ctx *ctx, struct kernel *kernel, enum task_actor kind)
{
	struct process *p;
	bool acts = false;

	mutex_lock(ctx, &kernel->lock);
	TAILQ_FOREACH(p, &kernel->processes, link)
		acts |= somebody_acts_as(ctx, p, kind);
	mutex_unlock(ctx, &kernel->lock);
	return acts;
}

bool machine_acts(struct ksim_machine *m)
{
	struct ctx ctx;

	kernel_ctx(m->kernel, &ctx, "acts");
	return somebody_acts(&ctx, m->kernel, TASK_ACTOR_PROGRAM) || somebody_acts(&ctx, m->kernel, TASK_ACTOR_THREAD);
}

/* The next that lives and is wholly born. */
static struct process *next_living(struct ctx *ctx, struct kernel *kernel, uint32_t after)
{
	return process_next(ctx, kernel, after, NULL, NULL);
}

static void halt_process(struct ctx *ctx, struct process *p)
{
	struct end end = { .signo = SIGKILL };

	end_describe(&end, p, "the machine was halted");
	process_end(ctx, p, &end);
}

/*
 * End the processes that threads of the program's are threads of, for nobody can join those here; true: all have left.
 */
static bool guests_left(struct ctx *ctx, struct ksim_machine *m)
{
	struct process *p;

	for (uint32_t after = 0; (p = next_living(ctx, m->kernel, after)) != NULL; after = p->owner.id)
		if (somebody_acts_as(ctx, p, TASK_ACTOR_THREAD))
			halt_process(ctx, p);
	return guests_await(m);
}

/* The next process in the order of their making; NULL: prev was the last. */
static struct process *next_made(struct ctx *ctx, struct kernel *kernel, struct process *prev)
{
	struct process *next;

	mutex_lock(ctx, &kernel->lock);
	next = TAILQ_NEXT(prev, link);
	mutex_unlock(ctx, &kernel->lock);
	return next;
}

/* Threads may be making children meanwhile: these come behind their makers, whose threads have been joined by then. */
static void end_all(struct ctx *ctx, struct kernel *kernel)
{
	struct process *p;

	for (uint32_t after = 0; (p = next_living(ctx, kernel, after)) != NULL; after = p->owner.id)
		halt_process(ctx, p);
	for (p = kernel->init; (p = next_made(ctx, kernel, p)) != NULL;) {
		halt_process(ctx, p);
		threads_join(process_handle(p));
		process_reap(ctx, p);
	}
}

int ksim_halt(struct ksim_machine *m)
{
	struct ctx ctx;
	int left;

	if (m == NULL)
		return 0;
	kernel_ctx(m->kernel, &ctx, "halt");
	if ((acting_task() != NULL && acting_task()->process->kernel == m->kernel) ||
	    somebody_acts(&ctx, m->kernel, TASK_ACTOR_PROGRAM) || !guests_left(&ctx, m)) {
		errno = EBUSY;
		return -1;
	}
	end_all(&ctx, m->kernel);
	crew_fini(&m->crew);
	posix_halt(m);
	kernel_stop(m->kernel);
	if (m->native != NULL)
		m->parts->native.halt(m);
	left = m->parts->lab.detach(m);
	kernel_destroy(m->kernel);
	pthread_mutex_destroy(&m->lock);
	free(m);
	return left;
}

void ksim_hold(struct ksim_machine *m)
{
	wait_hold(&m->kernel->env);
}

void ksim_release(struct ksim_machine *m)
{
	wait_release(&m->kernel->env);
}

unsigned ksim_version(void)
{
	return KSIM_VERSION_MAJOR * 10000 + KSIM_VERSION_MINOR * 100 + KSIM_VERSION_PATCH;
}

enum ksim_arch ksim_arch_of(const struct ksim_machine *m)
{
	return m->config.arch;
}

long ksim_nr(const struct ksim_machine *m, const char *name)
{
	enum syscall_call call = syscall_by_name(name);

	return call == CALL_COUNT ? -1 : syscall_table[call].nr[m->config.arch == KSIM_ARCH_AARCH64];
}
