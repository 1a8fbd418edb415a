// SPDX-License-Identifier: MIT
/*
 * Filling the TLB: what an entry may serve afterwards, and when it must not be filled. DESIGN, decisions 2 and 3.
 *
 * Entries are filled by hand here, with page-table entries that are variables of the test: tlb_fill only compares.
 */
#include "bed.h"

#include "host/kmem.h"

#define AT UINT64_C(0x7f1200000000)

enum { ENTRIES = 16 };

static pte_t pte_of(const struct bed *b, uint64_t pfn, unsigned flags)
{
	return pte_make(b->p->kernel->mm->pt.format, (pfn_t){ pfn }, flags);
}

/* The addend that leads from a page to a frame. */
static uintptr_t addend(uint64_t pfn, ksim_addr page)
{
	return (uintptr_t)frame_ptr(acting_task()->ctx.env->phys, (pfn_t){ pfn }) - (uintptr_t)page;
}

static void stale_body(struct bed *b)
{
	for (enum access access = ACCESS_READ; access <= ACCESS_WRITE; access++) {
		pte_t walked = pte_of(b, 5, PTE_READ | PTE_WRITE);
		const pte_t now[] = { PTE_NONE, pte_of(b, 6, PTE_READ | PTE_WRITE), pte_of(b, 5, PTE_READ) };

		for (unsigned i = 0; i < 3; i++) {
			EXPECT(!tlb_fill(bed_tlb(), AT, &now[i], walked, access));
			EXPECT(tlb_is_empty(bed_tlb()));
		}
		EXPECT(tlb_fill(bed_tlb(), AT, &walked, walked, access));
		EXPECT(!tlb_fill(bed_tlb(), AT, &now[0], walked, access));
		EXPECT(tlb_is_empty(bed_tlb()));
	}
}

TEST(fill, of_an_entry_that_has_changed_since_the_walk_leaves_no_tag)
{
	on_both(stale_body);
}

static void tags_body(struct bed *b)
{
	pte_t pte = pte_of(b, 5, PTE_READ | PTE_WRITE);

	EXPECT(tlb_fill(bed_tlb(), AT + 123, &pte, pte, ACCESS_READ));
	EXPECT(hits_read(AT) && !hits_write(AT));
	EXPECT(tlb_fill(bed_tlb(), AT + 123, &pte, pte, ACCESS_WRITE));
	EXPECT(hits_read(AT) && hits_write(AT));
	EXPECT_EQ(bed_entry(AT)->addend, addend(5, AT));
	/* A read leaves what a write has earned. */
	EXPECT(tlb_fill(bed_tlb(), AT, &pte, pte, ACCESS_READ));
	EXPECT(hits_read(AT) && hits_write(AT));
	EXPECT(tlb_fill(bed_tlb(), AT + PAGE, &pte, pte, ACCESS_WRITE));
	EXPECT(hits_read(AT + PAGE) && hits_write(AT + PAGE));
}

TEST(fill, for_a_write_serves_both_and_for_a_read_no_writes)
{
	on_both(tags_body);
}

static void moved_body(struct bed *b)
{
	pte_t before = pte_of(b, 5, PTE_READ | PTE_WRITE), after = pte_of(b, 6, PTE_READ);

	EXPECT(tlb_fill(bed_tlb(), AT, &before, before, ACCESS_WRITE));
	EXPECT(tlb_fill(bed_tlb(), AT, &after, after, ACCESS_READ));
	EXPECT(hits_read(AT) && !hits_write(AT));
	EXPECT_EQ(bed_entry(AT)->addend, addend(6, AT));
}

TEST(fill, of_a_page_that_has_moved_to_another_frame_drops_its_write_tag)
{
	on_both(moved_body);
}

static void conflict_body(struct bed *b)
{
	const ksim_addr other = AT + (ksim_addr)ENTRIES * PAGE;

	for (enum access first = ACCESS_READ; first <= ACCESS_WRITE; first++) {
		for (enum access second = ACCESS_READ; second <= ACCESS_WRITE; second++) {
			pte_t pte = pte_of(b, 5, PTE_READ | PTE_WRITE);
			/* The frame at which both pages would have the same addend. */
			pte_t same = pte_of(b, 5 + ENTRIES, PTE_READ | PTE_WRITE);

			EXPECT(tlb_fill(bed_tlb(), AT, &pte, pte, first));
			EXPECT(tlb_fill(bed_tlb(), other, &same, same, second));
			EXPECT(!hits_read(AT) && !hits_write(AT));
			EXPECT(hits_read(other));
			EXPECT_EQ(hits_write(other), second == ACCESS_WRITE);
			EXPECT(bed_entry(other)->write_tag == other || bed_entry(other)->write_tag == TLB_INVALID);
			EXPECT_EQ(bed_entry(other)->addend, addend(5 + ENTRIES, other));
		}
	}
}

TEST(fill, of_a_page_in_the_same_entry_drops_both_tags_of_the_other)
{
	on_both_sized(ENTRIES, conflict_body);
}

static void neighbours_body(struct bed *b)
{
	unsigned n = b->m->config.tlb_entries;
	pte_t pte = pte_of(b, 5, PTE_READ | PTE_WRITE);

	for (unsigned i = 0; i < n; i++)
		EXPECT(tlb_fill(bed_tlb(), AT + (ksim_addr)i * PAGE, &pte, pte, ACCESS_WRITE));
	for (unsigned i = 0; i < n; i++)
		EXPECT(hits_read(AT + (ksim_addr)i * PAGE) && hits_write(AT + (ksim_addr)i * PAGE));
}

TEST(fill, of_as_many_neighbouring_pages_as_there_are_entries_keeps_them_all)
{
	on_both_sized(16, neighbours_body);
	on_both_sized(256, neighbours_body);
	on_both_sized(4096, neighbours_body);
}

/* ---- what is true when an entry is filled ---- */

static void marks_body(struct bed *b)
{
	ksim_addr at = bed_map(1, RW);
	unsigned flags;

	(void)b;
	EXPECT_EQ(bed_pte_flags(at), 0);
	EXPECT_EQ(ksim_load8(at), 0);
	EXPECT(hits_read(at) && !hits_write(at));
	EXPECT_EQ(bed_pte_flags(at), PTE_READ | PTE_ACCESSED); /* the frame of zeros */
	ksim_store8(at, 1);
	EXPECT(hits_read(at) && hits_write(at));
	EXPECT_EQ(bed_pte_flags(at), PTE_READ | PTE_WRITE | PTE_ACCESSED | PTE_DIRTY);
	/* Written by the kernel, which does not go through the entry: not dirty until the CPU writes. */
	at = bed_map_file(1, RW, &(int){ 0 });
	EXPECT_EQ(ksim_load8(at), 0);
	EXPECT(hits_read(at) && !hits_write(at));
	flags = bed_pte_flags(at);
	EXPECT_EQ(flags, PTE_READ | PTE_WRITE | PTE_ACCESSED);
	ksim_store8(at, 1);
	EXPECT_EQ(bed_pte_flags(at), flags | PTE_DIRTY);
	EXPECT(hits_write(at));
}

TEST(fill, comes_after_the_accessed_and_dirty_bits)
{
	on_both(marks_body);
}

static void atomic_marks_body(struct bed *b)
{
	ksim_addr at = bed_map_file(1, RW, &(int){ 0 });
	uint32_t expected = 1;

	(void)b;
	EXPECT(!ksim_atomic_compare_exchange32(at, &expected, 2));
	EXPECT_EQ(expected, 0);
	EXPECT(hits_read(at) && hits_write(at));
	EXPECT(bed_pte_flags(at) & PTE_DIRTY);
}

TEST(fill, for_a_failing_compare_exchange_is_one_for_a_write)
{
	on_both(atomic_marks_body);
}

static void hits_body(struct bed *b)
{
	ksim_addr at = bed_map(1, PROT_READ);
	uint64_t misses;

	(void)b;
	EXPECT_EQ(ksim_load64(at + 8), 0);
	misses = bed_misses();
	for (unsigned i = 0; i < 4096; i += 8)
		EXPECT_EQ(ksim_load64(at + i), 0);
	EXPECT_EQ(ksim_load8(at + 4095), 0);
	EXPECT_EQ(ksim_load16(at + 4094), 0);
	EXPECT_EQ(ksim_load32(at + 4092), 0);
	EXPECT_EQ(bed_misses(), misses);
	EXPECT_EQ(ksim_load32(at + 1), 0);
	EXPECT_EQ(bed_misses(), misses + 1);
	EXPECT_EQ(bed_tlb()->cpu.hazard, 0);
}

TEST(fill, makes_every_aligned_access_to_the_page_a_hit)
{
	on_both(hits_body);
}

/* ---- where the host has no barrier ---- */

static void without_body(struct bed *b)
{
	ksim_as(b->p) {
		ksim_addr at = bed_map(3, RW);
		uint64_t misses = bed_misses();

		for (unsigned i = 0; i < 3 * PAGE; i += 256)
			ksim_store32(at + i, i);
		for (unsigned i = 0; i < 3 * PAGE; i += 256)
			EXPECT_EQ(ksim_load32(at + i), i);
		ksim_store64(at + PAGE - 3, 0x0807060504030201);
		EXPECT_EQ(ksim_load64(at + PAGE - 3), 0x0807060504030201);
		EXPECT_EQ(ksim_atomic_fetch_add32(at, 7), 0);
		EXPECT_EQ(ksim_atomic_load32(at), 7);
		ksim_fill(at, 9, (size_t)3 * PAGE);
		EXPECT_EQ(ksim_load8(at + 2 * PAGE + 4095), 9);
		EXPECT(tlb_is_empty(bed_tlb()));
		EXPECT(bed_misses() >= misses + 100);
		EXPECT_EQ(bed_tlb()->cpu.hazard, 0);
	}
}

TEST(fill, never_happens_without_the_hosts_barrier_and_accesses_work)
{
	on_both_outside(false, without_body);
}

struct races {
	ksim_addr base;
	uint32_t stop;
	uint32_t wrong;
};

/* Every word holds 0 or its page's number; a freed frame, or another page's, does not. */
static int race_reader(void *arg)
{
	struct races *r = arg;

	for (uint64_t i = 0; !__atomic_load_n(&r->stop, __ATOMIC_RELAXED); i++) {
		uint64_t page = i % 4;
		ksim_addr at = r->base + page * PAGE + i % 512 * 8;
		uint64_t value = ksim_load64(at);

		if (value != 0 && value != page + 1)
			__atomic_fetch_add(&r->wrong, 1, __ATOMIC_RELAXED);
		ksim_store64(at, page + 1);
	}
	return 0;
}

static void replace_pages_under_a_reader(struct bed *b)
{
	struct races r = { 0 };
	int result = -1;
	pid_t tid;

	ksim_as(b->p) {
		r.base = bed_map(4, RW);
		tid = ksim_task_start(b->p, race_reader, &r);
		SETUP(tid > 0);
		for (unsigned i = 0; i < 1500; i++)
			bed_map_at(r.base + (ksim_addr)(i % 4) * PAGE, 1, RW);
		__atomic_store_n(&r.stop, 1, __ATOMIC_RELAXED);
		EXPECT_EQ(ksim_task_join(b->p, tid, &result), 0);
	}
	EXPECT_EQ(result, 0);
	EXPECT_EQ(r.wrong, 0);
}

TEST(fill, that_never_happens_leaves_removal_of_pages_waiting_for_their_users)
{
	on_both_outside(false, replace_pages_under_a_reader);
}

TEST(fill, that_races_with_removal_of_the_page_is_never_stale)
{
	on_both_outside(true, replace_pages_under_a_reader);
}

/* ---- coming and going ---- */

static void exhausted_body(struct bed *b)
{
	struct task *task = NULL;
	size_t before = kmem_count(&b->m->kernel->env);
	unsigned n = 1;

	/* No thread has acted as p yet, so its first task is made. */
	for (;; n++) {
		int err;

		bed_fail_at(b, FAIL_KMEM, n);
		err = acting_claim(b->p, TASK_ACTOR_PROGRAM, &task);
		if (err == 0)
			break;
		EXPECT_EQ(err, -ENOMEM);
		EXPECT_EQ(kmem_count(&b->m->kernel->env), before);
	}
	EXPECT(n > 2); /* the task, its TLB */
	bed_fail_at(b, FAIL_KMEM, 0);
	task_leave(task);
}

TEST(fill, of_a_task_that_could_not_be_made_leaves_nothing)
{
	on_both_outside(true, exhausted_body);
}

static void unborn_body(struct bed *b)
{
	struct ksim_process *p;
	size_t before = kmem_count(&b->m->kernel->env);

	for (unsigned n = 1;; n++) {
		bed_fail_at(b, FAIL_KMEM, n);
		p = ksim_process_create(b->m, "q");
		if (p != NULL)
			break;
		EXPECT_EQ(errno, ENOMEM);
		EXPECT_EQ(kmem_count(&b->m->kernel->env), before);
	}
	bed_fail_at(b, FAIL_KMEM, 0);
}

TEST(fill, of_a_process_that_could_not_be_made_leaves_nothing)
{
	on_both_outside(true, unborn_body);
}
