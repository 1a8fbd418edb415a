// SPDX-License-Identifier: MIT
/*
 * The software TLB: filling it, and taking translations away while other threads use them.
 *
 *   the thread of a task                        whoever ends a translation
 *     hazard = va                                 clear the page-table entry
 *     (compiler barrier)                          full fence
 *     tag == va?  use the addend                  tag == va?  tag = INVALID
 *     load or store                               a tag matched, or nodes go: barrier on every thread
 *     hazard = 0                                  wait until no hazard lies in the range
 *
 * When nodes go, their translations have gone before, and no tag is looked at: only a walk can still be there.
 *
 * A hit costs its thread no fence: the one who invalidates pays for it with a barrier that all running threads
 * execute. After it, a thread that had seen the old tag has its hazard visible, and one whose hazard is not
 * visible will see the new tag.
 *
 *   miss:  hazard = va, walk, write the addend, exchange the tag, full fence, read the page-table entry again
 *
 * If the entry is as it was, it was cleared, if at all, after the tag could be seen; so an invalidation that found
 * no tag to clear may skip the barrier: the one who was filling will notice by himself.
 *
 * A task that nobody acts as has no hazard; entering one is a full fence, so an invalidation that finds it idle
 * after its own fence needs no barrier for it either. The task that invalidates is in the kernel, not accessing.
 *
 * Where the host has no such barrier nothing is ever filled: each access takes the slow path, which fences between
 * its hazard and its walk, and invalidations always wait.
 *
 * I1  a valid tag's addend leads to the frame that the page-table entry led to when it was filled
 * I2  both tags of an entry are of pages with the same addend, or invalid
 * I3  when invalidate returns no thread uses a translation of the range, nor will before it walks again
 *
 * Locking: the notifier lock of the mm for the list; hits, misses and fills take none.
 * Linux: arch/x86/mm/tlb.c (flush_tlb_mm_range).
 */
#include "cpu/cpu.h"

#include "base/event.h"
#include "host/barrier.h"
#include "host/kmem.h"

#include <errno.h>

/* ---- filling ---- */

static void set_tag(uint64_t *tag, uint64_t value)
{
	__atomic_store_n(tag, value, __ATOMIC_RELEASE);
}

bool tlb_fill(struct tlb *tlb, ksim_addr addr, const pte_t *entry, pte_t pte, enum access access)
{
	struct ksim_tlb_entry *e = ksim_tlb_entry_(&tlb->cpu, addr);
	ksim_addr page = page_down(addr);
	const struct pgtable *pt = &tlb->task->ctx.mm->pt;
	uintptr_t addend = (uintptr_t)frame_ptr(pt->phys, pte_pfn_at(pt->format, pte, addr)) - (uintptr_t)page;

	if (!tlb->domain->active)
		return true;
	if (e->addend != addend || __atomic_load_n(&e->read_tag, __ATOMIC_RELAXED) != page) {
		set_tag(&e->read_tag, TLB_INVALID);
		set_tag(&e->write_tag, TLB_INVALID);
		__atomic_store_n(&e->addend, addend, __ATOMIC_RELAXED);
	}
	if (access == ACCESS_WRITE)
		__atomic_exchange_n(&e->write_tag, page, __ATOMIC_SEQ_CST);
	__atomic_exchange_n(&e->read_tag, page, __ATOMIC_SEQ_CST);
	host_fence();
	if (likely(pte_read(entry).bits == pte.bits))
		return true;
	set_tag(&e->read_tag, TLB_INVALID);
	set_tag(&e->write_tag, TLB_INVALID);
	return false;
}

/* ---- invalidating ---- */

/* @return whether there was a tag to clear */
static bool clear_tag(uint64_t *tag, ksim_addr start, ksim_addr end)
{
	/* Acquire: whoever evicted the page from here has finished with it. */
	uint64_t page = __atomic_load_n(tag, __ATOMIC_ACQUIRE);

	if (page == TLB_INVALID || page < start || page >= end)
		return false;
	set_tag(tag, TLB_INVALID);
	return true;
}

static bool clear_entry(struct ksim_tlb_entry *e, ksim_addr start, ksim_addr end)
{
	bool read = clear_tag(&e->read_tag, start, end);
	bool write = clear_tag(&e->write_tag, start, end);

	return read || write;
}

static size_t entries_of(const struct tlb *tlb)
{
	return tlb->cpu.index_mask / sizeof(struct ksim_tlb_entry) + 1;
}

static bool clear_range(struct tlb *tlb, ksim_addr start, ksim_addr end)
{
	size_t nentries = entries_of(tlb);
	bool found = false;

	if ((end - start) >> PAGE_SHIFT < nentries) {
		for (ksim_addr page = start; page < end; page += PAGE_BYTES)
			found |= clear_entry(ksim_tlb_entry_(&tlb->cpu, page), start, end);
	} else {
		for (size_t i = 0; i < nentries; i++)
			found |= clear_entry(&tlb->entries[i], start, end);
	}
	return found;
}

static void await_hazard(const struct tlb *tlb, ksim_addr start, ksim_addr end)
{
	for (unsigned spins = 0;; spins++) {
		uint64_t hazard = __atomic_load_n(&tlb->cpu.hazard, __ATOMIC_ACQUIRE);

		if (hazard == 0 || hazard < start || hazard >= end)
			return;
		if (spins % 256 == 255)
			host_yield();
	}
}

static void invalidate(struct ctx *ctx, struct mmu_notifier *notifier, ksim_addr start, ksim_addr end, bool nodes)
{
	struct tlb_domain *domain = container_of(notifier, struct tlb_domain, notifier);
	bool others = false;
	bool barrier = false;
	struct tlb *tlb;

	EVENT(ctx, EVENT_SHOOTDOWN, .addr = start, .end = end);
	host_fence();
	LIST_FOREACH(tlb, &domain->tlbs, link) {
		bool found = !nodes && clear_range(tlb, start, end);

		if (tlb->task == ctx->task)
			continue;
		others = true;
		barrier |= found || nodes;
	}
	if (!others)
		return;
	if (barrier && domain->active) {
		bool busy = false;

		host_fence();
		LIST_FOREACH(tlb, &domain->tlbs, link)
			busy |= tlb->task != ctx->task && __atomic_load_n(&tlb->task->busy, __ATOMIC_SEQ_CST) != 0;
		if (!busy)
			return;
		EVENT(ctx, EVENT_BARRIER, .addr = start, .end = end);
		host_barrier_all();
	}
	LIST_FOREACH(tlb, &domain->tlbs, link)
		if (tlb->task != ctx->task)
			await_hazard(tlb, start, end);
}

/* ---- coming and going ---- */

int cpu_process_born(struct ctx *ctx, struct ksim_process *process)
{
	struct tlb_domain *domain = kmem_alloc(ctx, sizeof(*domain));

	if (domain == NULL)
		return -ENOMEM;
	domain->notifier.invalidate = invalidate;
	domain->active = host_barrier_available();
	LIST_INIT(&domain->tlbs);
	process->cpu = domain;
	mm_notifier_add(ctx, process->kernel->mm, &domain->notifier);
	return 0;
}

void cpu_process_gone(struct ctx *ctx, struct ksim_process *process)
{
	struct tlb_domain *domain = process->cpu;

	mm_notifier_remove(ctx, process->kernel->mm, &domain->notifier);
	kmem_free(ctx->env, domain, sizeof(*domain));
	process->cpu = NULL;
}

static size_t tlb_bytes(size_t nentries)
{
	return sizeof(struct tlb) + nentries * sizeof(struct ksim_tlb_entry);
}

int cpu_task_born(struct ctx *ctx, struct task *task)
{
	struct ksim_process *process = process_handle(task->process);
	size_t nentries = process->machine->config.tlb_entries;
	struct tlb *tlb = kmem_alloc_aligned(ctx, tlb_bytes(nentries), 64);

	if (tlb == NULL)
		return -ENOMEM;
	tlb->cpu.index_mask = (nentries - 1) * sizeof(struct ksim_tlb_entry);
	for (size_t i = 0; i < nentries; i++)
		tlb->entries[i] = (struct ksim_tlb_entry){ .read_tag = TLB_INVALID, .write_tag = TLB_INVALID };
	tlb->domain = process->cpu;
	tlb->task = task;
	task->cpu = &tlb->cpu;
	return 0;
}

void cpu_task_joined(struct ctx *ctx, struct task *task)
{
	struct tlb *tlb = tlb_of(task->cpu);
	struct mm *mm = task->process->mm;

	mm_notifiers_lock(ctx, mm);
	LIST_INSERT_HEAD(&tlb->domain->tlbs, tlb, link);
	tlb->listed = true;
	mm_notifiers_unlock(ctx, mm);
}

void cpu_task_gone(struct ctx *ctx, struct task *task)
{
	struct tlb *tlb = tlb_of(task->cpu);

	if (tlb->listed) {
		mm_notifiers_lock(ctx, task->process->mm);
		LIST_REMOVE(tlb, link);
		mm_notifiers_unlock(ctx, task->process->mm);
	}
	kmem_free(ctx->env, tlb, tlb_bytes(entries_of(tlb)));
	task->cpu = NULL;
}

void cpu_task_kicked(struct ctx *ctx, struct task *task)
{
	/* Its next access misses, and the slow path looks at task->pending. */
	(void)ctx;
	host_fence();
	clear_range(tlb_of(task->cpu), 0, PT_SPAN);
}
