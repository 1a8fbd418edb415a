// SPDX-License-Identifier: MIT
/*
 * Taking translations away: which tags go, who is waited for, and what is true afterwards. DESIGN, decision 2.
 *
 * The other task of these tests is acted by nobody: its tags are filled and its hazard is set by hand, so that each
 * moment of a hit can be held still.
 */
#include "bed.h"

#include <pthread.h>
#include <stdlib.h>

#define BASE UINT64_C(0x7f1200000000)

static uint64_t next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void fill(struct bed *b, struct tlb *tlb, ksim_addr page, enum access access)
{
	pte_t pte = pte_make(b->p->kernel->mm->pt.format, (pfn_t){ 5 }, PTE_READ | PTE_WRITE);

	SETUP(tlb_fill(tlb, page, &pte, pte, access));
}

/* ---- which tags ---- */

struct model {
	uint64_t read, write; /* the page, or TLB_INVALID */
};

static size_t entries_of(const struct tlb *tlb)
{
	return tlb->cpu.index_mask / sizeof(struct ksim_tlb_entry) + 1;
}

static void model_fill(struct model *model, size_t n, ksim_addr page, enum access access)
{
	struct model *e = &model[page / PAGE % n];

	if (e->read != page)
		e->write = TLB_INVALID;
	e->read = page;
	if (access == ACCESS_WRITE)
		e->write = page;
}

static void model_clear(struct model *model, size_t n, ksim_addr start, ksim_addr end)
{
	for (size_t i = 0; i < n; i++) {
		if (model[i].read >= start && model[i].read < end)
			model[i].read = TLB_INVALID;
		if (model[i].write >= start && model[i].write < end)
			model[i].write = TLB_INVALID;
	}
}

static void expect_model(const struct tlb *tlb, const struct model *model, ksim_addr start, ksim_addr end)
{
	for (size_t i = 0; i < entries_of(tlb); i++) {
		const struct ksim_tlb_entry *e = &tlb->entries[i];

		EXPECT_MSG(e->read_tag == model[i].read && e->write_tag == model[i].write,
		           "entry %zu after [%#lx, %#lx): %#lx %#lx, not %#lx %#lx", i, start, end, e->read_tag,
		           e->write_tag, model[i].read, model[i].write);
	}
}

/* A range of n pages somewhere over what is filled, some of it outside. */
static void try_range(struct bed *b, struct tlb *tlb, struct model *model, uint64_t npages, uint64_t *random)
{
	size_t n = entries_of(tlb);
	/* NOLINTNEXTLINE(clang-analyzer-core.DivideZero): there is an entry */
	ksim_addr start = BASE + next(random) % (2 * n) * PAGE;
	ksim_addr end = start + npages * PAGE;

	for (size_t i = 0; i < n; i++) {
		ksim_addr page = BASE + next(random) % (2 * n) * PAGE;
		enum access access = next(random) >> 63 ? ACCESS_WRITE : ACCESS_READ;

		fill(b, tlb, page, access);
		model_fill(model, n, page, access);
	}
	bed_invalidate(b, start, end, false);
	model_clear(model, n, start, end);
	expect_model(tlb, model, start, end);
}

static void exactly_body(struct bed *b)
{
	struct tlb *tlb = bed_other(b, true);
	uint64_t n = entries_of(tlb);
	const uint64_t sizes[] = { 1, 2, 5, n - 1, n, n + 1, 2 * n };
	struct model *model = calloc(n, sizeof(*model));
	uint64_t random = 88172645463325252u + n;

	SETUP(model != NULL);
	for (size_t i = 0; i < n; i++)
		model[i] = (struct model){ TLB_INVALID, TLB_INVALID };
	for (unsigned i = 0; i < 7; i++)
		for (unsigned round = 0; round < 4; round++)
			try_range(b, tlb, model, sizes[i], &random);
	bed_invalidate(b, 0, PT_SPAN, false);
	EXPECT(tlb_is_empty(tlb));
	free(model);
	bed_other_idle(tlb);
}

TEST(invalidate, clears_exactly_the_tags_in_the_range)
{
	on_both_sized(16, exactly_body);
	on_both_sized(256, exactly_body);
	on_both_sized(4096, exactly_body);
}

static void every_task_body(struct bed *b)
{
	struct tlb *tlbs[3] = { bed_other(b, true), bed_other(b, false), bed_tlb() };
	struct ksim_process *stranger = ksim_process_create(b->m, "stranger");

	SETUP(stranger != NULL);
	for (unsigned i = 0; i < 3; i++)
		fill(b, tlbs[i], BASE, ACCESS_WRITE);
	ksim_as(stranger) {
		fill(b, bed_tlb(), BASE, ACCESS_WRITE);
		mm_invalidate(&acting_task()->ctx, b->p->kernel->mm, BASE, BASE + PAGE, false);
		EXPECT(hits_write(BASE)); /* another address space */
	}
	for (unsigned i = 0; i < 3; i++)
		EXPECT(tlb_is_empty(tlbs[i]));
	fill(b, tlbs[0], BASE, ACCESS_WRITE);
	fill(b, tlbs[2], BASE, ACCESS_WRITE);
	mm_invalidate(&acting_task()->ctx, b->p->kernel->mm, BASE, BASE + PAGE, false);
	EXPECT(tlb_is_empty(tlbs[0]));
	EXPECT(tlb_is_empty(tlbs[2])); /* the caller's own */
	bed_other_idle(tlbs[0]);
}

TEST(invalidate, reaches_every_task_of_the_process_and_no_other)
{
	on_both(every_task_body);
}

/* ---- who is waited for ---- */

static void set_hazard(struct tlb *tlb, ksim_addr addr)
{
	__atomic_store_n(&tlb->cpu.hazard, addr, __ATOMIC_RELEASE);
}

static void outside_body(struct bed *b)
{
	struct tlb *tlb = bed_other(b, true);
	const ksim_addr start = BASE + PAGE, end = BASE + 3 * PAGE;
	const ksim_addr outside[] = { 0, 1, start - 1, end, end + 1, PT_SPAN - 1 };

	for (unsigned i = 0; i < sizeof(outside) / sizeof(outside[0]); i++) {
		for (int nodes = 0; nodes < 2; nodes++) {
			fill(b, tlb, start, ACCESS_WRITE);
			set_hazard(tlb, outside[i]);
			bed_invalidate(b, start, end, nodes);
			bed_invalidate(b, start, end, nodes); /* and without a tag */
		}
	}
	set_hazard(tlb, 0);
	fill(b, tlb, start, ACCESS_WRITE);
	bed_invalidate(b, 0, PT_SPAN, true); /* nodes have no tags */
	EXPECT(!tlb_is_empty(tlb));
	bed_invalidate(b, 0, PT_SPAN, false);
	bed_invalidate(b, 0, PAGE, false);
	EXPECT(tlb_is_empty(tlb));
	bed_other_idle(tlb);
}

TEST(invalidate, waits_for_no_hazard_outside_the_range_and_never_for_0)
{
	on_both(outside_body);
}

static void own_body(struct bed *b)
{
	struct tlb *own = bed_tlb(), *other = bed_other(b, true);

	fill(b, other, BASE, ACCESS_READ);
	set_hazard(own, BASE);
	for (int nodes = 0; nodes < 2; nodes++)
		mm_invalidate(&acting_task()->ctx, b->p->kernel->mm, BASE, BASE + PAGE, nodes);
	EXPECT_EQ(own->cpu.hazard, BASE);
	set_hazard(own, 0);
	EXPECT(tlb_is_empty(other));
	bed_other_idle(other);
}

TEST(invalidate, never_waits_for_the_task_that_calls)
{
	on_both(own_body);
}

/* That of an idle task is no access: nobody acts as it. */
static void idle_body(struct bed *b)
{
	struct tlb *idle = bed_other(b, false);

	fill(b, idle, BASE, ACCESS_WRITE);
	set_hazard(idle, BASE);
	bed_invalidate(b, BASE, BASE + PAGE, false);
	EXPECT(tlb_is_empty(idle));
	bed_invalidate(b, BASE, BASE + PAGE, true);
	set_hazard(idle, 0);
}

static void idle_outside_body(struct bed *b)
{
	struct tlb *first = bed_other(b, false);

	idle_body(b);
	EXPECT(tlb_is_empty(first));
}

TEST(invalidate, asks_no_barrier_of_tasks_that_nobody_acts_as)
{
	on_both_outside(true, idle_outside_body);
}

struct call {
	struct bed *b;
	ksim_addr start, end;
	bool nodes;
	uint32_t released; /* a  the hazard is about to go */
	uint32_t returned; /* a */
	uint32_t early;    /* it returned before */
};

static void *call_main(void *arg)
{
	struct call *call = arg;

	bed_invalidate(call->b, call->start, call->end, call->nodes);
	call->early = !__atomic_load_n(&call->released, __ATOMIC_SEQ_CST);
	__atomic_store_n(&call->returned, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

/* An invalidation by another thread while tlb is in the middle of an access to `hazard`. */
static void expect_wait(struct call call, struct tlb *tlb, ksim_addr hazard)
{
	pthread_t thread;

	set_hazard(tlb, hazard);
	SETUP(pthread_create(&thread, NULL, call_main, &call) == 0);
	for (unsigned i = 0; i < 200 && !__atomic_load_n(&call.returned, __ATOMIC_SEQ_CST); i++)
		sched_yield();
	__atomic_store_n(&call.released, 1, __ATOMIC_SEQ_CST);
	set_hazard(tlb, 0);
	pthread_join(thread, NULL);
	EXPECT_MSG(!call.early, "[%#lx, %#lx) nodes %d returned while %#lx was being accessed", call.start, call.end,
	           call.nodes, hazard);
	EXPECT(tlb_is_empty(tlb));
}

static void wait_body(struct bed *b)
{
	struct tlb *tlb = bed_other(b, true);
	struct call call = { .b = b, .start = BASE, .end = BASE + 2 * PAGE };
	const ksim_addr hazards[] = { BASE, BASE + 1, BASE + PAGE, BASE + 2 * PAGE - 1 };

	for (unsigned i = 0; i < 4; i++) {
		/* A hit; a walk, which has no tag yet; a walk through nodes about to go. */
		fill(b, tlb, page_down(hazards[i]), ACCESS_READ);
		expect_wait(call, tlb, hazards[i]);
		expect_wait(call, tlb, hazards[i]);
		call.nodes = true;
		expect_wait(call, tlb, hazards[i]);
		call.nodes = false;
	}
	call.start = 0;
	call.end = PT_SPAN;
	expect_wait(call, tlb, BASE);
	bed_other_idle(tlb);
}

TEST(invalidate, waits_for_hits_and_walks_in_the_range)
{
	on_both_outside(true, wait_body);
}

TEST(invalidate, waits_for_accesses_in_the_range_without_the_hosts_barrier)
{
	on_both_outside(false, wait_body);
}

static void among_body(struct bed *b)
{
	struct tlb *tlbs[3];
	struct call call = { .b = b, .start = BASE, .end = BASE + PAGE };

	for (unsigned i = 0; i < 3; i++)
		tlbs[i] = bed_other(b, true);
	for (unsigned i = 0; i < 3; i++) {
		fill(b, tlbs[0], BASE, ACCESS_WRITE);
		expect_wait(call, tlbs[i], BASE + 8);
		EXPECT(tlb_is_empty(tlbs[0]));
	}
	for (unsigned i = 0; i < 3; i++)
		bed_other_idle(tlbs[i]);
}

TEST(invalidate, waits_for_one_task_though_another_had_the_tag)
{
	on_both_outside(true, among_body);
}

/* ---- afterwards ---- */

static void load(ksim_addr addr)
{
	ksim_load8(addr);
}

static void store(ksim_addr addr)
{
	ksim_store8(addr, 1);
}

static void afterwards_body(struct bed *b)
{
	ksim_addr at;
	int fd;

	(void)b;
	bed_catch();
	at = bed_map(1, RW);
	ksim_store8(at, 7);
	EXPECT_EQ(ksim_mprotect(at, PAGE, PROT_READ), 0);
	EXPECT(!hits_read(at) && !hits_write(at));
	EXPECT_FAULT(store, at, SIGSEGV, SEGV_ACCERR, at);
	EXPECT_EQ(ksim_load8(at), 7);
	EXPECT_EQ(ksim_mprotect(at, PAGE, PROT_NONE), 0);
	EXPECT(!hits_read(at));
	EXPECT_FAULT(load, at, SIGSEGV, SEGV_ACCERR, at);
	EXPECT_EQ(ksim_mprotect(at, PAGE, RW), 0);
	EXPECT_EQ(ksim_load8(at), 7);
	bed_map_at(at, 1, RW);
	EXPECT(!hits_read(at));
	EXPECT_EQ(ksim_load8(at), 0);
	EXPECT_EQ(ksim_munmap(at, PAGE), 0);
	EXPECT(!hits_read(at));
	EXPECT_FAULT(load, at, SIGSEGV, SEGV_MAPERR, at);
	at = bed_map_file(2, RW, &fd);
	ksim_store8(at + PAGE, 7);
	EXPECT_EQ(ksim_ftruncate(fd, PAGE), 0);
	EXPECT(!hits_read(at + PAGE));
	EXPECT_FAULT(load, at + PAGE, SIGBUS, BUS_ADRERR, at + PAGE);
}

TEST(invalidate, by_a_call_that_has_returned_leaves_no_hit)
{
	on_both(afterwards_body);
}

static void fork_body(struct bed *b)
{
	ksim_addr at = bed_map(1, RW);
	struct ksim_process *child;

	ksim_store8(at, 1);
	child = ksim_process_fork(b->p, "child");
	SETUP(child != NULL);
	EXPECT(!hits_write(at));
	ksim_store8(at, 2);
	ksim_as(child) {
		EXPECT(tlb_is_empty(bed_tlb()));
		EXPECT_EQ(ksim_load8(at), 1);
		ksim_store8(at, 3);
	}
	EXPECT_EQ(ksim_load8(at), 2);
	EXPECT_EQ(ksim_process_end(child, 0), 0);
	EXPECT_EQ(ksim_join(child, NULL), 0);
}

TEST(invalidate, at_fork_makes_the_parents_next_store_copy)
{
	on_both(fork_body);
}

static void copied_body(struct bed *b)
{
	ksim_addr at = bed_map(1, RW);
	struct tlb *other = bed_other(b, true);
	pte_t pte;

	/* The other task reads the frame of zeros; a write gives the page a frame of its own. */
	EXPECT_EQ(ksim_load8(at), 0);
	pte = pt_walk(&b->p->kernel->mm->pt, at);
	EXPECT(tlb_fill(other, at, &pte, pte, ACCESS_READ));
	ksim_store8(at, 7);
	EXPECT(tlb_is_empty(other));
	EXPECT(hits_write(at));
	bed_other_idle(other);
}

TEST(invalidate, at_copy_on_write_takes_the_old_frame_from_the_other_tasks)
{
	on_both(copied_body);
}

/* ---- two processes with one memory ---- */

static void shared_body(struct bed *b)
{
	struct ksim_process *sharer = ksim_process_clone(b->p, "sharer", CLONE_VM);
	ksim_addr at = bed_map(2, RW);

	SETUP(sharer != NULL);
	ksim_store8(at, 1);
	EXPECT(hits_write(at));
	ksim_as(sharer) {
		EXPECT(!hits_read(at)); /* its own TLB */
		EXPECT_EQ(ksim_load8(at), 1);
		ksim_store8(at, 2);
		EXPECT(hits_write(at));
	}
	EXPECT_EQ(ksim_load8(at), 2);
	/* Whoever of them ends a translation ends it for both. */
	EXPECT_EQ(ksim_mprotect(at, PAGE, PROT_READ), 0);
	EXPECT(!hits_write(at));
	ksim_as(sharer) {
		EXPECT(!hits_write(at));
		EXPECT_EQ(ksim_load8(at), 2);
		EXPECT_EQ(ksim_munmap(at, PAGE), 0);
		EXPECT(!hits_read(at));
	}
	EXPECT(!hits_read(at));
	EXPECT_EQ(ksim_process_end(sharer, 0), 0);
	ksim_store8(at + PAGE, 3);
	EXPECT_EQ(ksim_load8(at + PAGE), 3);
}

TEST(invalidate, translation_ends_in_every_process_that_shares_the_memory)
{
	on_both(shared_body);
}
