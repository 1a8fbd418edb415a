// SPDX-License-Identifier: MIT
/*
 * User accesses past the inline hit path: misses, accesses across pages, copies.
 *
 * I1  the hazard lies in the page accessed from before the walk until after the access, and is 0 whenever the
 *     kernel is entered or a handler runs
 * I2  the page-table entry has its accessed bit, and for a write its dirty bit, before the TLB can serve the access
 * I3  a load or store that crosses a page has been allowed on both, the first one first, before a store changes a
 *     byte; if a handler ran meanwhile it starts again, as the instruction would
 * I4  whoever misses looks for signals first: so a kick, which empties the TLB, makes the task look at its next access
 *
 * Copies go page by page and touch user memory only within one hazard; what they copy to or from is the
 * program's own memory.
 */
#include "cpu/cpu.h"

#include "base/event.h"
#include "host/barrier.h"
#include "ksim/mem.h"

#include <signal.h>
#include <string.h>

static void set_hazard(struct tlb *tlb, ksim_addr addr)
{
	__atomic_store_n(&tlb->cpu.hazard, addr, __ATOMIC_RELEASE);
	if (tlb->domain->active)
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
	else
		host_fence();
}

static void clear_hazard(struct tlb *tlb)
{
	KSIM_CPU_END_(&tlb->cpu);
}

/* Set the accessed and dirty bits that an access implies. false: the entry has changed meanwhile */
static bool mark(const struct pte_format *format, pte_t *entry, pte_t *pte, enum access access)
{
	unsigned flags = pte_flags(format, *pte);
	unsigned wanted = flags | PTE_ACCESSED | (access == ACCESS_WRITE ? PTE_DIRTY : 0);
	pte_t now;

	if (wanted == flags)
		return true;
	now = pte_with_flags(format, *pte, wanted);
	if (!pte_compare_exchange(entry, *pte, now))
		return false;
	*pte = now;
	return true;
}

/* One walk, with the hazard set: the host address, or NULL if the entry does not allow the access. */
static void *walk(struct tlb *tlb, ksim_addr addr, enum access access)
{
	const struct pgtable *pt = &tlb->task->ctx.mm->pt;
	unsigned need = access == ACCESS_WRITE ? PTE_WRITE | PTE_READ : PTE_READ;
	struct pt_slot slot;

	for (;;) {
		pte_t pte = pt_look(pt, addr, &slot);
		char *host = (char *)frame_ptr(pt->phys, pte_pfn_at(pt->format, pte, addr)) + (addr & (PAGE_BYTES - 1));

		if (!pte_present(pte) || (pte_flags(pt->format, pte) & need) != need)
			return NULL;
		/* The fences of filling keep the access itself from beginning. */
		__builtin_prefetch(host);
		if (mark(pt->format, slot.entry, &pte, access) && tlb_fill(tlb, addr, slot.entry, pte, access))
			return host;
	}
}

static struct tlb *cpu_in_use(struct ksim_cpu *cpu, ksim_addr addr)
{
	struct task *task = acting_task();

	if (task == NULL || task->cpu != cpu)
		machine_abort(
			"an access to user address %#llx: this thread acts as no process; use ksim_as, ksim_run or "
			"ksim_start",
			(unsigned long long)addr);
	return tlb_of(cpu);
}

void *cpu_translate(struct tlb *tlb, ksim_addr addr, unsigned size, enum access access)
{
	struct task *task = tlb->task;
	bool attended = false; /* what waits now is blocked, or has come since, and is for the next time */
	struct fault fault;
	void *host;

	event_count_of(&task->counts, EVENT_TLB_MISS, 1);
	for (;;) {
		int err;

		/* Nothing else can be mapped; and a hazard of 0 would protect no walk. */
		if (likely(addr - MM_MIN < MM_MAX - MM_MIN)) {
			set_hazard(tlb, addr);
			host = walk(tlb, addr, access);
			/* After the fill: a kick that this misses finds the tag and clears it. */
			if (likely(host != NULL && (!task_attends(task) || (attended && !task_dying(task)))))
				return host;
		}
		clear_hazard(tlb);
		if (task_attends(task) && !attended) {
			attended = true;
			tlb->handled += signals_deliver(task, NULL) != SIGNALS_NO_HANDLER;
			continue;
		}
		if (task_dying(task))
			acting_die();
		task->ctx.call = "memory access";
		err = mm_fault(&task->ctx, task->ctx.mm, addr, access, &fault);
		ctx_drain(&task->ctx);
		event_count_of(&task->counts, EVENT_WALK, 1);
		if (err < 0)
			fault_deliver(tlb, &fault, size, access, NULL, NULL);
	}
}

/* The part of an access that lies in the page of addr. */
static size_t in_page(ksim_addr addr, size_t n)
{
	return MIN(n, PAGE_BYTES - (addr & (PAGE_BYTES - 1)));
}

static void copy_in_pages(struct tlb *tlb, void *to, ksim_addr from, size_t n, unsigned size)
{
	char *out = to;

	while (n > 0) {
		size_t part = in_page(from, n);

		memcpy(out, cpu_translate(tlb, from, size, ACCESS_READ), part);
		clear_hazard(tlb);
		out += part;
		from += part;
		n -= part;
	}
}

static void copy_out_pages(struct tlb *tlb, ksim_addr to, const void *from, size_t n, unsigned size)
{
	const char *in = from;

	while (n > 0) {
		size_t part = in_page(to, n);

		memcpy(cpu_translate(tlb, to, size, ACCESS_WRITE), in, part);
		clear_hazard(tlb);
		in += part;
		to += part;
		n -= part;
	}
}

/* A load from two pages into split, which a handler that loads across pages uses too. */
static void load_across(struct tlb *tlb, ksim_addr addr, unsigned size)
{
	uint64_t handled;

	do {
		handled = tlb->handled;
		copy_in_pages(tlb, tlb->split, addr, size, size);
	} while (tlb->handled != handled);
}

static void store_across(struct tlb *tlb, ksim_addr addr, const void *value, unsigned size)
{
	uint64_t handled;

	do {
		handled = tlb->handled;
		cpu_translate(tlb, addr, size, ACCESS_WRITE);
		clear_hazard(tlb);
		cpu_translate(tlb, addr + in_page(addr, size), size, ACCESS_WRITE);
		clear_hazard(tlb);
		if (tlb->handled == handled)
			copy_out_pages(tlb, addr, value, size, size);
	} while (tlb->handled != handled);
}

void *ksim_cpu_read_(struct ksim_cpu *cpu, ksim_addr addr, unsigned size)
{
	struct tlb *tlb = cpu_in_use(cpu, addr);

	if (in_page(addr, size) == size)
		return cpu_translate(tlb, addr, size, ACCESS_READ);
	clear_hazard(tlb);
	load_across(tlb, addr, size);
	return tlb->split;
}

void *ksim_cpu_write_(struct ksim_cpu *cpu, ksim_addr addr, const void *value, unsigned size)
{
	struct tlb *tlb = cpu_in_use(cpu, addr);

	if (in_page(addr, size) == size)
		return cpu_translate(tlb, addr, size, ACCESS_WRITE);
	clear_hazard(tlb);
	store_across(tlb, addr, value, size);
	return NULL;
}

void *ksim_cpu_atomic_(struct ksim_cpu *cpu, ksim_addr addr, unsigned size)
{
	struct tlb *tlb = cpu_in_use(cpu, addr);

	/* A handler that returns meets the same access again. NOLINTNEXTLINE(bugprone-infinite-loop) */
	while ((addr & (size - 1)) != 0) {
		struct fault fault = { .signo = SIGBUS, .code = BUS_ADRALN, .addr = addr };

		clear_hazard(tlb);
		EVENT(&tlb->task->ctx, EVENT_FAULT_BUS, .addr = addr, .write = true);
		fault_deliver(tlb, &fault, size, ACCESS_WRITE, NULL, NULL);
	}
	return cpu_translate(tlb, addr, size, ACCESS_WRITE);
}

/* ---- copies ---- */

static struct tlb *acting_tlb(ksim_addr addr)
{
	return cpu_in_use(ksim_cpu_self, addr);
}

void ksim_copy_from(void *to, ksim_addr from, size_t n)
{
	struct tlb *tlb = acting_tlb(from);

	copy_in_pages(tlb, to, from, n, 1);
	event_count_of(&tlb->task->counts, EVENT_COPIED, n);
}

void ksim_copy_to(ksim_addr to, const void *from, size_t n)
{
	struct tlb *tlb = acting_tlb(to);

	copy_out_pages(tlb, to, from, n, 1);
	event_count_of(&tlb->task->counts, EVENT_COPIED, n);
}

void ksim_fill(ksim_addr to, int byte, size_t n)
{
	struct tlb *tlb = acting_tlb(to);

	while (n > 0) {
		size_t part = in_page(to, n);

		memset(cpu_translate(tlb, to, 1, ACCESS_WRITE), byte, part);
		clear_hazard(tlb);
		to += part;
		n -= part;
	}
}

size_t ksim_strlen(ksim_addr string)
{
	struct tlb *tlb = acting_tlb(string);
	size_t len = 0;

	for (;;) {
		size_t part = in_page(string + len, PAGE_BYTES);
		const char *page = cpu_translate(tlb, string + len, 1, ACCESS_READ);
		size_t here = strnlen(page, part);

		clear_hazard(tlb);
		len += here;
		if (here < part)
			return len;
	}
}
