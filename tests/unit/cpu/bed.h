/* SPDX-License-Identifier: MIT */
/*
 * A machine with a CPU and no laboratory, one process in it, and what the tests of the CPU look at: page-table
 * entries, TLB entries, faults caught.
 */
#ifndef UNIT_CPU_BED_H
#define UNIT_CPU_BED_H

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "cpu/cpu.h"
#include "harness.h"
#include "ksim/file.h"
#include "ksim/mem.h"
#include "mm/vma.h"

enum { PAGE = 4096, RW = PROT_READ | PROT_WRITE };

struct bed {
	struct ksim_machine *m;
	struct ksim_process *p;
};

typedef void bed_body(struct bed *b);

/** Run the body acting as a process "p" of a fresh machine with 4 MiB, once for each architecture. */
void on_both(bed_body *body);
/** Likewise with so many TLB entries. */
void on_both_sized(unsigned tlb_entries, bed_body *body);
/** Likewise, acting as none, and where the host has no barrier if so wanted. */
void on_both_outside(bool barrier, bed_body *body);

/** A process on a host without the barrier; nobody has acted as it yet. */
void bed_without_barrier(struct ksim_process *p);

/** Memory of the acting process: private anonymous; pages of a new file, shared; at an address and nowhere else. */
ksim_addr bed_map(int npages, int prot);
ksim_addr bed_map_file(int npages, int prot, int *fd);
void bed_map_at(ksim_addr at, int npages, int prot);
/** Two pages, of which these can be accessed so. */
ksim_addr bed_two_pages(int first_prot, int second_prot);

/* ---- looking ---- */

/** The acting task's TLB, and its entry for an address. */
struct tlb *bed_tlb(void);
/** How often it has missed. */
uint64_t bed_misses(void);
struct ksim_tlb_entry *bed_entry(ksim_addr addr);
/** Whether the acting task would hit. */
bool hits_read(ksim_addr addr);
bool hits_write(ksim_addr addr);
bool tlb_is_empty(const struct tlb *tlb);
/** What the acting process's page table says of an address; 0: nothing is present. */
unsigned bed_pte_flags(ksim_addr addr);
/** User memory as a system call reads it, without the TLB. */
void expect_user_bytes(ksim_addr at, const void *bytes, size_t n);

/** Another task of the process, which no thread acts as: idle, or busy as if one did. */
struct tlb *bed_other(struct bed *b, bool busy);
/** Before the machine is halted. */
void bed_other_idle(struct tlb *tlb);

/** For a range, with the machine's own ctx, as a call of another process does. */
void bed_invalidate(struct bed *b, ksim_addr start, ksim_addr end, bool nodes);

/* ---- faults ---- */

struct caught {
	int signo, code;
	ksim_addr addr;
};

/** Catch SIGSEGV and SIGBUS of the acting process from now on, for expect_fault. */
void bed_catch(void);
/** Do op(addr): whether it faulted, and how. Between, nothing is cleaned up. */
bool bed_try(void (*op)(ksim_addr addr), ksim_addr addr, struct caught *caught);
/** op(addr) faults so, at `where`; or does not. */
#define EXPECT_FAULT(op, addr, signo, code, where) \
	expect_fault(__FILE__, __LINE__, #op, (op), (addr), (signo), (code), (where))
#define EXPECT_NO_FAULT(op, addr) expect_fault(__FILE__, __LINE__, #op, (op), (addr), 0, 0, 0)
void expect_fault(const char *file, int line, const char *name, void (*op)(ksim_addr), ksim_addr addr, int signo,
                  int code, ksim_addr where);

/** The nth allocation of this kind from now on fails; 0: none does. */
void bed_fail_at(struct bed *b, enum fail_kind kind, unsigned n);
/** Whether that one has been asked for. */
bool bed_failed(void);

#endif
