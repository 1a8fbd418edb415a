/* SPDX-License-Identifier: MIT */
/*
 * The inline hit path of loads and stores by user address. Its structs are part of the ABI.
 *
 * A TLB entry says where a page is now: host address = user address + addend, valid while the tag equals the page's
 * address. Between the two stores to `hazard` the page cannot be taken away: whoever unmaps it first invalidates the
 * tag and then waits until no hazard lies in the page. So nothing in between may block or call the kernel.
 *
 * Reads and writes have tags apart, since a page may be readable only. An access's tag keeps the bits that make it
 * unaligned, so it equals no page's, and takes the slow path, which also serves accesses that cross a page.
 */
#ifndef KSIM_CPU_H
#define KSIM_CPU_H

#include <ksim/types.h>

KSIM_BEGIN_DECLS

/** A tag that no access has: neither a page nor misaligned by this much. Not 1, which a 4-byte load at 1 has. */
#define KSIM_TLB_INVALID_ UINT64_C(8)

struct ksim_tlb_entry {
	uint64_t read_tag;
	uint64_t write_tag;
	uintptr_t addend;
	uint64_t pad;
};

/** What a thread of a process accesses memory with. Its TLB's entries follow it in memory. */
struct ksim_cpu {
	uint64_t hazard;     /* the address being accessed, or 0 */
	uint64_t index_mask; /* (entries - 1) * sizeof(struct ksim_tlb_entry) */
	uint64_t pad[6];
};

/** The CPU of the process that this thread acts as; one that always misses when it acts as none. */
extern KSIM_EXPORT __thread struct ksim_cpu *ksim_cpu_self __attribute__((tls_model("initial-exec")));

/* The slow path: gives the host address with the hazard set, or does not return. */
KSIM_EXPORT void *ksim_cpu_read_(struct ksim_cpu *cpu, ksim_addr addr, unsigned size);
/* Likewise; NULL: the store crossed a page and has been done. */
KSIM_EXPORT void *ksim_cpu_write_(struct ksim_cpu *cpu, ksim_addr addr, const void *value, unsigned size);
/* For atomics: naturally aligned and writable, or SIGBUS BUS_ADRALN. */
KSIM_EXPORT void *ksim_cpu_atomic_(struct ksim_cpu *cpu, ksim_addr addr, unsigned size);

#define KSIM_TLB_TAG_(addr, size) ((addr) & (~(uint64_t)(KSIM_PAGE_SIZE - 1) | ((size)-1)))
#define KSIM_CPU_BEGIN_(cpu, addr) \
	(__atomic_store_n(&(cpu)->hazard, (addr), __ATOMIC_RELEASE), __atomic_signal_fence(__ATOMIC_SEQ_CST))
#define KSIM_CPU_END_(cpu) \
	(__atomic_signal_fence(__ATOMIC_SEQ_CST), __atomic_store_n(&(cpu)->hazard, 0, __ATOMIC_RELEASE))

static inline struct ksim_tlb_entry *ksim_tlb_entry_(const struct ksim_cpu *cpu, ksim_addr addr)
{
	/* addr / 4096 * sizeof(entry), reduced */
	return (struct ksim_tlb_entry *)((uintptr_t)(cpu + 1) + ((addr >> 7) & cpu->index_mask));
}

static inline void *ksim_cpu_readable_(struct ksim_cpu *cpu, ksim_addr addr, unsigned size)
{
	struct ksim_tlb_entry *e = ksim_tlb_entry_(cpu, addr);

	KSIM_CPU_BEGIN_(cpu, addr);
	if (__builtin_expect(__atomic_load_n(&e->read_tag, __ATOMIC_RELAXED) == KSIM_TLB_TAG_(addr, size), 1))
		return (void *)(addr + __atomic_load_n(&e->addend, __ATOMIC_RELAXED));
	return ksim_cpu_read_(cpu, addr, size);
}

static inline void *ksim_cpu_atomic_at_(struct ksim_cpu *cpu, ksim_addr addr, unsigned size)
{
	struct ksim_tlb_entry *e = ksim_tlb_entry_(cpu, addr);

	KSIM_CPU_BEGIN_(cpu, addr);
	if (__builtin_expect(__atomic_load_n(&e->write_tag, __ATOMIC_RELAXED) == KSIM_TLB_TAG_(addr, size), 1))
		return (void *)(addr + __atomic_load_n(&e->addend, __ATOMIC_RELAXED));
	return ksim_cpu_atomic_(cpu, addr, size);
}

#define KSIM_CPU_ACCESS_(bits)                                                                                       \
	typedef uint##bits##_t __attribute__((aligned(1), may_alias)) ksim_any##bits##_;                             \
                                                                                                                     \
	static inline uint##bits##_t ksim_cpu_load##bits(struct ksim_cpu *cpu, ksim_addr addr)                       \
	{                                                                                                            \
		const void *p = ksim_cpu_readable_(cpu, addr, bits / 8);                                             \
		uint##bits##_t value = *(const volatile ksim_any##bits##_ *)p;                                       \
                                                                                                                     \
		KSIM_CPU_END_(cpu);                                                                                  \
		return value;                                                                                        \
	}                                                                                                            \
                                                                                                                     \
	static inline void ksim_cpu_store##bits(struct ksim_cpu *cpu, ksim_addr addr, uint##bits##_t value)          \
	{                                                                                                            \
		struct ksim_tlb_entry *e = ksim_tlb_entry_(cpu, addr);                                               \
		uint##bits##_t copy; /* so that value itself may stay in a register */                               \
		void *p;                                                                                             \
                                                                                                                     \
		KSIM_CPU_BEGIN_(cpu, addr);                                                                          \
		if (__builtin_expect(                                                                                \
			    __atomic_load_n(&e->write_tag, __ATOMIC_RELAXED) == KSIM_TLB_TAG_(addr, bits / 8), 1)) { \
			p = (void *)(addr + __atomic_load_n(&e->addend, __ATOMIC_RELAXED));                          \
			*(volatile ksim_any##bits##_ *)p = value;                                                    \
			KSIM_CPU_END_(cpu);                                                                          \
			return;                                                                                      \
		}                                                                                                    \
		copy = value;                                                                                        \
		p = ksim_cpu_write_(cpu, addr, &copy, bits / 8);                                                     \
		if (p != NULL) {                                                                                     \
			*(volatile ksim_any##bits##_ *)p = value;                                                    \
			KSIM_CPU_END_(cpu);                                                                          \
		}                                                                                                    \
	}

#define KSIM_CPU_ATOMICS_(bits)                                                                                     \
	static inline uint##bits##_t ksim_cpu_atomic_load##bits(struct ksim_cpu *cpu, ksim_addr addr)               \
	{                                                                                                           \
		const void *p = ksim_cpu_atomic_at_(cpu, addr, bits / 8);                                           \
		uint##bits##_t value = __atomic_load_n((const uint##bits##_t *)p, __ATOMIC_SEQ_CST);                \
                                                                                                                    \
		KSIM_CPU_END_(cpu);                                                                                 \
		return value;                                                                                       \
	}                                                                                                           \
                                                                                                                    \
	static inline void ksim_cpu_atomic_store##bits(struct ksim_cpu *cpu, ksim_addr addr, uint##bits##_t value)  \
	{                                                                                                           \
		void *p = ksim_cpu_atomic_at_(cpu, addr, bits / 8);                                                 \
                                                                                                                    \
		__atomic_store_n((uint##bits##_t *)p, value, __ATOMIC_SEQ_CST);                                     \
		KSIM_CPU_END_(cpu);                                                                                 \
	}                                                                                                           \
                                                                                                                    \
	static inline uint##bits##_t ksim_cpu_atomic_exchange##bits(struct ksim_cpu *cpu, ksim_addr addr,           \
	                                                            uint##bits##_t value)                           \
	{                                                                                                           \
		void *p = ksim_cpu_atomic_at_(cpu, addr, bits / 8);                                                 \
		uint##bits##_t was = __atomic_exchange_n((uint##bits##_t *)p, value, __ATOMIC_SEQ_CST);             \
                                                                                                                    \
		KSIM_CPU_END_(cpu);                                                                                 \
		return was;                                                                                         \
	}                                                                                                           \
                                                                                                                    \
	static inline uint##bits##_t ksim_cpu_atomic_fetch_add##bits(struct ksim_cpu *cpu, ksim_addr addr,          \
	                                                             uint##bits##_t value)                          \
	{                                                                                                           \
		void *p = ksim_cpu_atomic_at_(cpu, addr, bits / 8);                                                 \
		uint##bits##_t was = __atomic_fetch_add((uint##bits##_t *)p, value, __ATOMIC_SEQ_CST);              \
                                                                                                                    \
		KSIM_CPU_END_(cpu);                                                                                 \
		return was;                                                                                         \
	}                                                                                                           \
                                                                                                                    \
	static inline bool ksim_cpu_atomic_compare_exchange##bits(struct ksim_cpu *cpu, ksim_addr addr,             \
	                                                          uint##bits##_t *expected, uint##bits##_t desired) \
	{                                                                                                           \
		void *p = ksim_cpu_atomic_at_(cpu, addr, bits / 8);                                                 \
		bool done = __atomic_compare_exchange_n((uint##bits##_t *)p, expected, desired, false,              \
		                                        __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);                        \
                                                                                                                    \
		KSIM_CPU_END_(cpu);                                                                                 \
		return done;                                                                                        \
	}

KSIM_CPU_ACCESS_(8)
KSIM_CPU_ACCESS_(16)
KSIM_CPU_ACCESS_(32)
KSIM_CPU_ACCESS_(64)
KSIM_CPU_ATOMICS_(8)
KSIM_CPU_ATOMICS_(16)
KSIM_CPU_ATOMICS_(32)
KSIM_CPU_ATOMICS_(64)

KSIM_END_DECLS

#endif
