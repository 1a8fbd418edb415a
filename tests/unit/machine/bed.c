// SPDX-License-Identifier: MIT
/*
 * See bed.h. Tests run one after the other, so what is said and what shall fail is kept in one place.
 */
#include "bed.h"

#include "../no_lab.h"
#include <sched.h>

#include "host/kmem.h"

/* ---- the parts that are missing ---- */

struct blind_cpu {
	struct ksim_cpu cpu;
	struct ksim_tlb_entry entry; /* behind it, where the inline code looks: always misses */
};

static int process_born(struct ctx *ctx, struct ksim_process *process)
{
	(void)ctx;
	(void)process;
	return 0;
}

static void process_gone(struct ctx *ctx, struct ksim_process *process)
{
	(void)ctx;
	(void)process;
}

static int task_born(struct ctx *ctx, struct task *task)
{
	struct blind_cpu *cpu = kmem_alloc(ctx, sizeof(*cpu));

	if (cpu == NULL)
		return -ENOMEM;
	cpu->entry = (struct ksim_tlb_entry){ .read_tag = KSIM_TLB_INVALID_, .write_tag = KSIM_TLB_INVALID_ };
	task->cpu = cpu;
	return 0;
}

static void task_gone(struct ctx *ctx, struct task *task)
{
	kmem_free(ctx->env, task->cpu, sizeof(struct blind_cpu));
	task->cpu = NULL;
}

static void task_unconcerned(struct ctx *ctx, struct task *task)
{
	(void)ctx;
	(void)task;
}

static const struct machine_parts parts = {
	.cpu = { process_born, process_gone, task_born, task_unconcerned, task_gone, task_unconcerned },
	.lab = { .attach = no_lab_attach, .detach = no_lab_detach },
};

/* ---- life ---- */

static char said[4096];

static void report(void *arg, const char *line)
{
	size_t len = strlen(said);

	(void)arg;
	snprintf(said + len, sizeof(said) - len, "%s\n", line);
}

const char *bed_said(void)
{
	return said;
}

struct ksim_machine *bed_boot(const struct ksim_config *config)
{
	const struct ksim_config small = { .ram_bytes = 4 << 20 };
	struct ksim_config filled;
	struct ksim_machine *m;

	said[0] = '\0';
	SETUP(machine_config(config != NULL ? config : &small, sizeof(*config), &filled) == 0);
	filled.report = report;
	m = machine_boot(&filled, &parts);
	SETUP(m != NULL);
	return m;
}

/* Something that only its halt gives back. */
static int half_stdio_boot(struct ksim_machine *m)
{
	static const struct file_ops no_ops;
	struct inode *inode;
	struct ctx ctx;
	int err;

	kernel_ctx(m->kernel, &ctx, "boot");
	err = inode_create(&ctx, 0, "", NULL, &inode);
	if (err == 0)
		err = file_create(&ctx, &no_ops, inode, 0, &m->stdio[0]);
	return err == 0 ? -ENOMEM : err;
}

static void half_stdio_halt(struct ksim_machine *m)
{
	struct ctx ctx;

	kernel_ctx(m->kernel, &ctx, "halt");
	file_put(&ctx, m->stdio[0]);
	ctx_drain(&ctx);
	m->stdio[0] = NULL;
	snprintf(said, sizeof(said), "files left: %ld", m->kernel->env.self.count[CENSUS_FILE]);
}

void bed_boot_with_half_stdio(void)
{
	struct machine_parts half = parts;
	struct ksim_config filled;

	half.posix.boot = half_stdio_boot;
	half.posix.halt = half_stdio_halt;
	SETUP(machine_config(NULL, 0, &filled) == 0);
	filled.stdio = 0;
	said[0] = '\0';
	EXPECT(machine_boot(&filled, &half) == NULL);
	EXPECT_EQ(errno, ENOMEM);
	EXPECT_STREQ(said, "files left: 0");
}

static void print_broken(void *arg, const char *text)
{
	(void)arg;
	EXPECT_MSG(false, "%s", text);
}

void bed_halt(struct ksim_machine *m)
{
	struct check_report checked = { .line = print_broken };

	kernel_check(m->kernel, &checked);
	EXPECT_EQ(ksim_halt(m), 0);
}

struct ksim_process *bed_process(struct ksim_machine *m, const char *name)
{
	struct ksim_process *p = ksim_process_create(m, name);

	SETUP(p != NULL);
	return p;
}

/* ---- user memory ---- */

ksim_addr bed_map(int npages)
{
	ksim_addr at = ksim_mmap(0, (size_t)npages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	SETUP(at != KSIM_MAP_FAILED);
	return at;
}

void bed_poke(ksim_addr to, const void *bytes, size_t n)
{
	struct task *task = acting_task();

	SETUP(copy_out(&task->ctx, uptr_user(to), bytes, n) == 0);
	ctx_drain(&task->ctx);
}

void expect_user_bytes(ksim_addr at, const void *bytes, size_t n)
{
	struct task *task = acting_task();
	char found[256];

	SETUP(n <= sizeof(found) && copy_in(&task->ctx, found, uptr_user(at), n) == 0);
	ctx_drain(&task->ctx);
	EXPECT_MEMEQ(found, bytes, n);
}

void bed_await_asleep(struct ksim_machine *m, unsigned n)
{
	while (__atomic_load_n(&m->kernel->waits.asleep, __ATOMIC_ACQUIRE) < n)
		sched_yield();
}

/* ---- failure ---- */

static unsigned asked, fail_number;

static bool fail(void *arg, struct ctx *ctx, enum fail_kind kind)
{
	(void)arg;
	(void)ctx;
	(void)kind;
	return ++asked == fail_number;
}

void bed_fail_at(struct ksim_machine *m, unsigned n)
{
	asked = 0;
	fail_number = n;
	m->kernel->env.hooks.fail = n != 0 ? fail : NULL;
}

bool bed_failed(void)
{
	return asked >= fail_number;
}

struct census census_now(struct ksim_machine *m)
{
	struct census census;

	for (int kind = 0; kind < CENSUS_KIND_COUNT; kind++)
		census.counts[kind] = owners_total(&m->kernel->env.owners, (enum census_kind)kind);
	census.kmem_count = kmem_count(&m->kernel->env);
	return census;
}

void expect_same_census(const struct census *before, const struct census *now)
{
	for (int kind = 0; kind < CENSUS_KIND_COUNT; kind++)
		EXPECT_MSG(now->counts[kind] == before->counts[kind], "%s: %ld before, %ld now",
		           census_kind_name((enum census_kind)kind), before->counts[kind], now->counts[kind]);
	EXPECT_EQ(now->kmem_count, before->kmem_count);
}
