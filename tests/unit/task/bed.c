// SPDX-License-Identifier: MIT
/*
 * See bed.h.
 */
#include "bed.h"

#include "host/kmem.h"

static void count(int *calls)
{
	__atomic_fetch_add(calls, 1, __ATOMIC_RELAXED);
}

/* The bed of a ctx: hooks of the laboratory lead there. */
static struct calls *calls_of(struct env *env)
{
	return &((struct bed *)env->hooks.machine)->calls;
}

static int process_born(struct ctx *ctx, struct process *p)
{
	void *memory = kmem_alloc(ctx, 64);

	if (memory == NULL)
		return -ENOMEM;
	p->sim = memory;
	count(&calls_of(ctx->env)->process_born);
	return 0;
}

static void process_gone(struct ctx *ctx, struct process *p)
{
	EXPECT_EQ(process_state(p), PROCESS_ENDING);
	EXPECT(p->mm != NULL && p->files != NULL);
	EXPECT_EQ(ctx->held, 0);
	count(&calls_of(ctx->env)->process_gone);
}

static void process_freed(struct env *env, struct process *p)
{
	kmem_free(env, p->sim, 64);
	count(&calls_of(env)->process_freed);
}

static int task_born(struct ctx *ctx, struct task *task)
{
	task->cpu = kmem_alloc(ctx, 32);
	if (task->cpu == NULL)
		return -ENOMEM;
	count(&calls_of(ctx->env)->task_born);
	return 0;
}

static void task_joined(struct ctx *ctx, struct task *task)
{
	EXPECT(lock_held(ctx, RANK_PROCESS));
	EXPECT_EQ(process_state(task->process), PROCESS_ALIVE);
	count(&calls_of(ctx->env)->task_joined);
}

static void task_gone(struct ctx *ctx, struct task *task)
{
	kmem_free(ctx->env, task->cpu, 32);
	task->cpu = NULL;
	count(&calls_of(ctx->env)->task_gone);
}

static void task_kicked(struct ctx *ctx, struct task *task)
{
	EXPECT(task_attends(task));
	count(&calls_of(ctx->env)->task_kicked);
}

static const struct kernel_sim sim = {
	.process_born = process_born,
	.process_gone = process_gone,
	.process_freed = process_freed,
	.task_born = task_born,
	.task_joined = task_joined,
	.task_gone = task_gone,
	.task_kicked = task_kicked,
};

static bool at_allocation(void *arg, struct ctx *ctx, enum fail_kind kind)
{
	struct bed *b = arg;

	(void)ctx;
	(void)kind;
	if (++b->asked != b->fail_at)
		return false;
	if (b->meanwhile == NULL)
		return true;
	b->meanwhile(b);
	return false;
}

void bed_meanwhile_at(struct bed *b, unsigned n, void (*meanwhile)(struct bed *b))
{
	struct env_hooks *hooks = &b->kernel->env.hooks;

	b->asked = 0;
	b->fail_at = n;
	b->meanwhile = meanwhile;
	hooks->fail_arg = b;
	hooks->fail = n != NEVER ? at_allocation : NULL;
}

void bed_fail_at(struct bed *b, unsigned n)
{
	bed_meanwhile_at(b, n, NULL);
}

struct kernel_config bed_config(enum ksim_arch arch)
{
	return (struct kernel_config){
		.ram_bytes = RAM_BYTES,
		.arch = arch,
		.linux_release = 6018,
		.fd_limit = 1024,
		.poison = true,
	};
}

static void bed_open(struct bed *b, enum ksim_arch arch)
{
	struct kernel_config config = bed_config(arch);
	struct env_hooks hooks = { .machine = b };

	sysctl_init(&config.sysctl);
	memset(b, 0, sizeof(*b));
	SETUP(kernel_create(&config, &hooks, &b->kernel) == 0);
	b->kernel->sim = sim;
	kernel_ctx(b->kernel, &b->ctx, "test");
	waiter_init(&b->waiter, &b->kernel->env.self);
	b->waiter.outside = true;
	b->ctx.waiter = &b->waiter;
}

static void expect_everything_gone(struct bed *b)
{
	for (int kind = 0; kind < CENSUS_KIND_COUNT; kind++)
		EXPECT_MSG(owners_total(&b->kernel->env.owners, kind) == 0, "%ld of kind %s are left",
		           owners_total(&b->kernel->env.owners, kind), census_kind_name(kind));
	EXPECT_EQ(phys_free_frames(&b->ctx), phys_total_frames(b->kernel->env.phys));
	EXPECT_EQ(b->calls.process_gone, b->calls.process_born);
	EXPECT_EQ(b->calls.task_gone, b->calls.task_born);
	EXPECT_EQ(b->ctx.held, 0);
}

static void bed_close(struct bed *b)
{
	bed_fail_at(b, NEVER);
	expect_sound(b);
	kernel_stop(b->kernel);
	expect_everything_gone(b);
	waiter_fini(&b->waiter);
	b->kernel->sim.process_freed = process_freed;
	kernel_destroy(b->kernel);
	EXPECT(b->calls.process_freed >= b->calls.process_born);
}

void on_both(void (*body)(struct bed *b))
{
	static const enum ksim_arch archs[] = { KSIM_ARCH_X86_64, KSIM_ARCH_AARCH64 };
	struct bed b;

	for (size_t i = 0; i < ARRAY_SIZE(archs); i++) {
		bed_open(&b, archs[i]);
		body(&b);
		bed_close(&b);
	}
}

struct census census_now(struct bed *b)
{
	struct census now = { .free_frames = phys_free_frames(&b->ctx) };

	for (int kind = 0; kind < CENSUS_KIND_COUNT; kind++)
		now.kind[kind] = owners_total(&b->kernel->env.owners, kind);
	return now;
}

void expect_same_census(const struct census *before, const struct census *now)
{
	for (int kind = 0; kind < CENSUS_KIND_COUNT; kind++)
		EXPECT_MSG(now->kind[kind] == before->kind[kind], "%s: %ld before, %ld now", census_kind_name(kind),
		           before->kind[kind], now->kind[kind]);
	EXPECT_EQ(now->free_frames, before->free_frames);
}

static void print_broken(void *arg, const char *text)
{
	(void)arg;
	EXPECT_MSG(false, "%s", text);
}

void expect_sound(struct bed *b)
{
	struct check_report report = { .line = print_broken };

	kernel_check(b->kernel, &report);
	EXPECT_EQ(report.broken, 0);
}

struct process *born(struct bed *b, const char *name)
{
	struct process *p = NULL;

	SETUP(process_create(&b->ctx, name, &p) == 0);
	return p;
}

struct process *forked(struct bed *b, struct process *parent)
{
	struct process *p = NULL;

	SETUP(process_fork(&b->ctx, parent, NULL, false, &p) == 0);
	ctx_drain(&b->ctx);
	return p;
}

void exits(struct bed *b, struct process *p, int code)
{
	struct end end = { .code = code };

	end_describe(&end, p, NULL);
	EXPECT(process_end(&b->ctx, p, &end));
}

void expect_exited(struct bed *b, struct process *p, int code)
{
	struct end end = { .code = -1 };

	EXPECT_EQ(process_join(&b->ctx, p, &end), 0);
	EXPECT_EQ(end.signo, 0);
	EXPECT_EQ(end.code, code);
	EXPECT_EQ(process_state(p), PROCESS_REAPED);
}

struct task *entered(struct bed *b, struct process *p)
{
	struct task *task = NULL;

	SETUP(task_enter_any(&b->ctx, p, TASK_ACTOR_PROGRAM, &task) == 0);
	return task;
}
