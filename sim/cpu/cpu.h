/* SPDX-License-Identifier: MIT */
/*
 * The CPU: user loads and stores through a software TLB, and what becomes of their faults.
 */
#ifndef CPU_CPU_H
#define CPU_CPU_H

#include "machine/machine.h"

/** The TLBs of one process: its tasks', all told of every invalidation of its address space. */
struct tlb_domain {
	struct mmu_notifier notifier;
	LIST_HEAD(, tlb) tlbs; /* RANK_TLB_LIST of the mm */
	bool active;           /* c  this host can make every thread execute a fence; else nothing is ever filled */
};

/** A task's CPU: what is behind it, and, from task->cpu on, what the inline code sees. */
struct tlb {
	struct tlb_domain *domain; /* c */
	struct task *task;         /* c */
	LIST_ENTRY(tlb) link;      /* t */
	bool listed;               /* t */
	uint64_t handled;          /* of its thread: faults for which a handler has been called */
	char split[8];             /* of its thread: a value loaded across two pages */
	struct ksim_cpu cpu __attribute__((aligned(64)));
	struct ksim_tlb_entry entries[];
};
_Static_assert(offsetof(struct tlb, entries) == offsetof(struct tlb, cpu) + sizeof(struct ksim_cpu),
               "the inline code finds the entries behind the CPU");

static inline struct tlb *tlb_of(struct ksim_cpu *cpu)
{
	return container_of(cpu, struct tlb, cpu);
}

#define TLB_INVALID KSIM_TLB_INVALID_

/* Parts of the machine: see machine_parts. */
int cpu_process_born(struct ctx *ctx, struct ksim_process *process);
void cpu_process_gone(struct ctx *ctx, struct ksim_process *process);
int cpu_task_born(struct ctx *ctx, struct task *task);
void cpu_task_joined(struct ctx *ctx, struct task *task);
void cpu_task_gone(struct ctx *ctx, struct task *task);
void cpu_task_kicked(struct ctx *ctx, struct task *task);

/**
 * The host address of a user address for one access within its page, filling the TLB; the hazard is set.
 * Faults are delivered in here; does not return when the process dies of one.
 */
void *cpu_translate(struct tlb *tlb, ksim_addr addr, unsigned size, enum access access);

/** Fill the entry of a page; the hazard is set over it. false: the page-table entry has changed, walk again. */
bool tlb_fill(struct tlb *tlb, ksim_addr addr, const pte_t *entry, pte_t pte, enum access access);

/**
 * Run the handler of a fault, or end the process and leave it. No hazard is set.
 * @param size     bytes of the access; 0: unknown
 * @param context  the handler's third argument
 * @param call     calls a function of the kernel's for this thread; NULL: the thread may do so itself
 */
void fault_deliver(struct tlb *tlb, const struct fault *fault, unsigned size, enum access access, void *context,
                   kernel_call call);

/** What machine is handed of this folder's: machine_parts.cpu. */
#define CPU_PARTS                                                                                               \
	{                                                                                                       \
		.process_born = cpu_process_born, .process_gone = cpu_process_gone, .task_born = cpu_task_born, \
		.task_joined = cpu_task_joined, .task_gone = cpu_task_gone, .task_kicked = cpu_task_kicked,     \
	}

#endif
