// SPDX-License-Identifier: MIT
/*
 * Loads and stores as functions, for programs compiled with KSIM_NO_INLINE and for other languages.
 *
 * These count their hits, which the inline path cannot: an access that has not changed the number of misses was one.
 * The TLB is looked at only after the access, for a thread that acts as no process has none, and does not come back.
 */
#define KSIM_NO_INLINE
#include "ksim/mem.h"

#include "base/event.h"
#include "cpu/cpu.h"

static uint64_t misses_of(const struct ksim_cpu *cpu)
{
	const struct tlb *tlb = container_of(cpu, struct tlb, cpu);

	/* A CPU that always misses has no task; what is said of it here is never looked at. */
	return cpu->index_mask != 0 ? tlb->task->counts.n[EVENT_TLB_MISS] : 0;
}

static void count_hit(struct ksim_cpu *cpu, uint64_t misses)
{
	if (misses_of(cpu) == misses)
		event_count_of(&tlb_of(cpu)->task->counts, EVENT_TLB_HIT, 1);
}

#define ACCESS_FUNCTIONS(bits)                                         \
	uint##bits##_t ksim_load##bits(ksim_addr addr)                 \
	{                                                              \
		struct ksim_cpu *cpu = ksim_cpu_self;                  \
		uint64_t misses = misses_of(cpu);                      \
		uint##bits##_t value = ksim_cpu_load##bits(cpu, addr); \
                                                                       \
		count_hit(cpu, misses);                                \
		return value;                                          \
	}                                                              \
                                                                       \
	void ksim_store##bits(ksim_addr addr, uint##bits##_t value)    \
	{                                                              \
		struct ksim_cpu *cpu = ksim_cpu_self;                  \
		uint64_t misses = misses_of(cpu);                      \
                                                                       \
		ksim_cpu_store##bits(cpu, addr, value);                \
		count_hit(cpu, misses);                                \
	}

ACCESS_FUNCTIONS(8)
ACCESS_FUNCTIONS(16)
ACCESS_FUNCTIONS(32)
ACCESS_FUNCTIONS(64)
