// SPDX-License-Identifier: MIT
/*
 * Reading the counters.
 *
 * Each task counts for itself (base/event.h), and lives, with its counts, as long as its process's struct, which is as
 * long as the machine: so what a process has done is the sum over all tasks that it ever had, and what a machine has
 * done is the sum over its processes, with what it has done itself. Frames are not counted on the way, but now.
 *
 * Locking: the process table's and each process's, for the lists; numbers are read as they are.
 */
#include "lab/lab.h"

#include "base/event.h"

#include <errno.h>
#include <string.h>

static const struct {
	size_t member;
	enum event_kind kind;
} members[] = {
	{ offsetof(struct ksim_counters, calls), EVENT_CALL },
	{ offsetof(struct ksim_counters, faults_file), EVENT_FAULT_FILE },
	{ offsetof(struct ksim_counters, faults_anon), EVENT_FAULT_ANON },
	{ offsetof(struct ksim_counters, faults_zero), EVENT_FAULT_ZERO },
	{ offsetof(struct ksim_counters, faults_copy), EVENT_FAULT_COPY },
	{ offsetof(struct ksim_counters, faults_reuse), EVENT_FAULT_REUSE },
	{ offsetof(struct ksim_counters, faults_other), EVENT_FAULT_OTHER },
	{ offsetof(struct ksim_counters, faults_segv), EVENT_FAULT_SEGV },
	{ offsetof(struct ksim_counters, faults_bus), EVENT_FAULT_BUS },
	{ offsetof(struct ksim_counters, faults_oom), EVENT_FAULT_OOM },
	{ offsetof(struct ksim_counters, tlb_hits), EVENT_TLB_HIT },
	{ offsetof(struct ksim_counters, tlb_misses), EVENT_TLB_MISS },
	{ offsetof(struct ksim_counters, walks), EVENT_WALK },
	{ offsetof(struct ksim_counters, shootdowns), EVENT_SHOOTDOWN },
	{ offsetof(struct ksim_counters, shootdown_barriers), EVENT_BARRIER },
	{ offsetof(struct ksim_counters, bytes_copied), EVENT_COPIED },
	{ offsetof(struct ksim_counters, blocks), EVENT_BLOCK },
	{ offsetof(struct ksim_counters, wakes), EVENT_WAKE },
};

_Static_assert(sizeof(struct ksim_counters) == (ARRAY_SIZE(members) + 3) * sizeof(uint64_t),
               "each kind has its member, and so have three uses of frames");

/* Adds what one of those who count has. */
static void add_counts(struct ksim_counters *out, const struct event_counts *counts)
{
	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		uint64_t *member = (void *)((char *)out + members[i].member);

		*member += __atomic_load_n(&counts->n[members[i].kind], __ATOMIC_RELAXED);
	}
	out->walks += __atomic_load_n(&counts->n[EVENT_TLB_MISS], __ATOMIC_RELAXED);
}

static void add_process(struct ctx *ctx, struct process *p, struct ksim_counters *out)
{
	const struct task *task;

	mutex_lock(ctx, &p->lock);
	LIST_FOREACH(task, &p->tasks, link)
		add_counts(out, &task->counts);
	mutex_unlock(ctx, &p->lock);
}

static void add_machine(struct ctx *ctx, struct kernel *kernel, struct ksim_counters *out)
{
	struct process *p;

	add_counts(out, &kernel->env.counts);
	mutex_lock(ctx, &kernel->lock);
	TAILQ_FOREACH(p, &kernel->processes, link)
		add_process(ctx, p, out);
	mutex_unlock(ctx, &kernel->lock);
}

static void count_frames(struct ctx *ctx, const uint32_t *owner, struct ksim_counters *out)
{
	uint64_t frames[FRAME_USES];

	phys_tally(ctx, ctx->env->phys, owner, frames);
	out->frames_anon = frames[FRAME_ANON];
	out->frames_file = frames[FRAME_FILE];
	out->frames_tables = frames[FRAME_TABLE];
}

int ksim_count(const struct ksim_machine *m, const struct ksim_process *p, struct ksim_counters *out)
{
	struct ctx ctx;

	kernel_ctx(m->kernel, &ctx, "count");
	memset(out, 0, sizeof(*out));
	count_frames(&ctx, p != NULL ? &p->kernel->owner.id : NULL, out);
	if (p != NULL)
		add_process(&ctx, p->kernel, out);
	else
		add_machine(&ctx, m->kernel, out);
	return (int)machine_result(EVENTS_COMPILED ? 0 : -ENOSYS);
}
