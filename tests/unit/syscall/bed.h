/* SPDX-License-Identifier: MIT */
/*
 * A kernel with one process and one task, for the tests of system calls.
 *
 * Calls are made by syscall_run, with host pointers as buffers, or user addresses through user().
 */
#ifndef UNIT_SYSCALL_BED_H
#define UNIT_SYSCALL_BED_H

#include <errno.h>
#include <string.h>

#include "harness.h"
#include "syscall/syscall.h"

/** Descriptors a process of a bed may have. */
#define BED_FDS 64

struct bed {
	struct kernel *kernel;
	struct ctx ctx; /* the machine's */
	struct process *process;
	struct task *task;
	enum ksim_arch abi; /* of the calls; KSIM_ARCH_X86_64 at first */
	unsigned asked;     /* allocations asked for since bed_fail_at */
	unsigned fail_at;   /* the number of the one that fails, counted from 1; 0: none */
	char line[2048];    /* the last call in strace's notation, if bed_trace was called */
	unsigned nbegun, ndone;
};

/** Boot; broken if it cannot. Nothing is committed before it is touched. */
void bed_open(struct bed *bed);
/** End the process; fails the test if anything is left, or an invariant is broken. */
void bed_close(struct bed *bed);
/** From here on bed->line is kept. */
void bed_trace(struct bed *bed);
/** Let the nth question about an allocation be answered with "fail"; 0: none. */
void bed_fail_at(struct bed *bed, unsigned n);
long bed_call(struct bed *bed, enum syscall_call call, const uint64_t args[6]);
/** A child of the bed's process, without a task. */
struct process *bed_fork(struct bed *bed);

/** CALL(&bed, dup2, 3, 4) */
#define CALL(bed, name, ...) bed_call((bed), CALL_##name, (const uint64_t[6]){ __VA_ARGS__ })

/** A pointer as an argument. */
static inline uint64_t p(const void *pointer)
{
	return (uintptr_t)pointer;
}

/** A user address as a buffer. */
static inline uint64_t user(uint64_t addr)
{
	return addr | UPTR_USER_BIT;
}

#define NOWHERE   UINT64_C(0x20000000) /* user address: nothing is mapped there */
#define BAD       UINT64_C(8)          /* not even a pointer */
#define MINUS_ONE UINT64_MAX

/** An empty memfd that may be sealed. */
int bed_memfd(struct bed *bed);
/** Two connected sockets. */
void bed_pair(struct bed *bed, int fds[2]);
/** npages of private memory, readable and writable, at that address. */
uint64_t bed_map(struct bed *bed, uint64_t addr, unsigned npages);

#endif
