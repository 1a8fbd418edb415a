// SPDX-License-Identifier: MIT
/*
 * A task whose process ends notices, though it never misses, never calls and never faults.
 */
#include "bed.h"

struct worker {
	ksim_addr at;
	uint32_t hits; /* a */
};

static int only_hit(void *arg)
{
	struct worker *w = arg;

	for (;;) {
		ksim_store32(w->at, ksim_load32(w->at) + 1);
		__atomic_fetch_add(&w->hits, 1, __ATOMIC_RELAXED);
	}
	return 0;
}

/* End a process as soon as its thread has made so many accesses. */
static void end_one(struct bed *b, bool barrier, unsigned accesses)
{
	struct ksim_process *p = ksim_process_create(b->m, "busy");
	struct worker w = { 0 };
	struct ksim_end end;
	int result = 0;
	pid_t tid;

	SETUP(p != NULL);
	if (!barrier)
		bed_without_barrier(p);
	ksim_as(p)
		w.at = bed_map(1, RW);
	tid = ksim_task_start(p, only_hit, &w);
	SETUP(tid > 0);
	while (__atomic_load_n(&w.hits, __ATOMIC_RELAXED) < accesses)
		sched_yield();
	EXPECT_EQ(ksim_process_end(p, 3), 0);
	EXPECT_EQ(ksim_task_join(p, tid, &result), 0);
	EXPECT_EQ(result, -1);
	EXPECT_EQ(ksim_join(p, &end), 0);
	EXPECT_EQ(end.code, 3);
}

static void barrier_body(struct bed *b)
{
	for (unsigned i = 0; i < 40; i++)
		end_one(b, true, i < 20 ? 1 + i * 50 : 0);
}

TEST(kick, reaches_a_task_that_only_hits)
{
	on_both_outside(true, barrier_body);
}

static void no_barrier_body(struct bed *b)
{
	for (unsigned i = 0; i < 10; i++)
		end_one(b, false, i * 50);
}

TEST(kick, reaches_a_task_without_the_hosts_barrier)
{
	on_both_outside(false, no_barrier_body);
}

static void clear_body(struct bed *b)
{
	struct tlb *other = bed_other(b, true);
	pte_t pte = pte_make(b->p->kernel->mm->pt.format, (pfn_t){ 5 }, PTE_READ | PTE_WRITE);
	struct ctx ctx;

	kernel_ctx(b->m->kernel, &ctx, "test");
	for (ksim_addr page = PAGE; page < PT_SPAN; page = page * 2 + PAGE)
		EXPECT(tlb_fill(other, page, &pte, pte, ACCESS_WRITE));
	other->cpu.hazard = PAGE; /* it is not waited for */
	cpu_task_kicked(&ctx, other->task);
	other->cpu.hazard = 0;
	EXPECT(tlb_is_empty(other));
	bed_other_idle(other);
}

TEST(kick, clears_every_tag_and_waits_for_nobody)
{
	on_both_outside(true, clear_body);
}
