// SPDX-License-Identifier: MIT
/*
 * See bed.h.
 */
#include "bed.h"

#include <sys/mman.h>
#include <sys/socket.h>

static bool bed_fails(void *arg, struct ctx *ctx, enum fail_kind kind)
{
	struct bed *bed = arg;

	(void)ctx;
	(void)kind;
	return ++bed->asked == bed->fail_at;
}

static void bed_traced(void *arg, struct ctx *ctx, unsigned call, const uint64_t *args, long result, bool done)
{
	struct bed *bed = arg;

	if (!done) {
		bed->nbegun++;
		return;
	}
	bed->ndone++;
	syscall_format(ctx, call, args, KSIM_ARCH_HOST, result, bed->line, sizeof(bed->line));
}

void bed_open(struct bed *bed)
{
	struct kernel_config config = {
		.ram_bytes = 8 << 20,
		.arch = KSIM_ARCH_X86_64,
		.commit = COMMIT_ON_TOUCH,
		.fd_limit = BED_FDS,
		.poison = true,
	};

	sysctl_init(&config.sysctl);
	memset(bed, 0, sizeof(*bed));
	bed->abi = KSIM_ARCH_X86_64;
	SETUP(kernel_create(&config, NULL, &bed->kernel) == 0);
	kernel_ctx(bed->kernel, &bed->ctx, "test");
	SETUP(process_create(&bed->ctx, "tester", &bed->process) == 0);
	SETUP(task_create(&bed->ctx, bed->process, &bed->task) == 0);
	SETUP(task_enter(bed->task, TASK_ACTOR_PROGRAM));
}

void bed_trace(struct bed *bed)
{
	bed->kernel->env.hooks.trace_arg = bed;
	bed->kernel->env.hooks.trace = bed_traced;
}

void bed_fail_at(struct bed *bed, unsigned n)
{
	bed->asked = 0;
	bed->fail_at = n;
	bed->kernel->env.hooks.fail_arg = bed;
	bed->kernel->env.hooks.fail = n == 0 ? NULL : bed_fails;
}

static void broken(void *arg, const char *text)
{
	(void)arg;
	EXPECT_MSG(false, "%s", text);
}

static void end_children(struct bed *bed)
{
	struct process *child;

	while ((child = LIST_FIRST(&bed->process->children)) != NULL ||
	       (child = LIST_FIRST(&bed->process->zombies)) != NULL) {
		struct end end = { 0 };

		process_end(&bed->ctx, child, &end);
		process_reap(&bed->ctx, child);
	}
}

void bed_close(struct bed *bed)
{
	struct check_report report = { .line = broken };
	struct end end = { 0 };

	bed_fail_at(bed, 0);
	kernel_check(bed->kernel, &report);
	end_children(bed);
	task_leave(bed->task);
	process_end(&bed->ctx, bed->process, &end);
	process_reap(&bed->ctx, bed->process);
	ctx_drain(&bed->ctx);
	kernel_stop(bed->kernel);
	for (int kind = 0; kind < CENSUS_KIND_COUNT; kind++)
		EXPECT_MSG(owners_total(&bed->kernel->env.owners, kind) == 0, "%ld of kind %s are left",
		           owners_total(&bed->kernel->env.owners, kind), census_kind_name(kind));
	kernel_destroy(bed->kernel);
}

long bed_call(struct bed *bed, enum syscall_call call, const uint64_t args[6])
{
	return syscall_run(bed->task, call, args, bed->abi);
}

struct process *bed_fork(struct bed *bed)
{
	struct process *child;

	SETUP(process_fork(&bed->ctx, bed->process, NULL, false, &child) == 0);
	return child;
}

int bed_memfd(struct bed *bed)
{
	long fd = CALL(bed, memfd_create, p("x"), MEMFD_ALLOW_SEALING);

	SETUP(fd >= 0);
	return (int)fd;
}

void bed_pair(struct bed *bed, int fds[2])
{
	SETUP(CALL(bed, socketpair, AF_UNIX, SOCK_STREAM, 0, p(fds)) == 0);
}

uint64_t bed_map(struct bed *bed, uint64_t addr, unsigned npages)
{
	long at = CALL(bed, mmap, addr, npages * PAGE_BYTES, PROT_READ | PROT_WRITE,
	               MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, MINUS_ONE, 0);

	SETUP(at == (long)addr);
	return addr;
}
