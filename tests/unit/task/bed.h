/* SPDX-License-Identifier: MIT */
/*
 * A kernel without a machine around it: no TLBs and no host threads of its own, but the callbacks of sim are counted.
 */
#ifndef UNIT_TASK_BED_H
#define UNIT_TASK_BED_H

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "harness.h"
#include "task/process.h"

#define NEVER     0
#define BASE      UINT64_C(0x40000000)
#define RAM_BYTES (UINT64_C(16) << 20)

/* How often the kernel called back; all atomic. */
struct calls {
	int process_born, process_gone, process_freed;
	int task_born, task_joined, task_gone, task_kicked;
};

struct census {
	long kind[CENSUS_KIND_COUNT];
	uint64_t free_frames;
};

struct bed {
	struct kernel *kernel;
	struct ctx ctx;       /* the machine's own, which may sleep */
	struct waiter waiter; /* of ctx: acts as no process */
	struct calls calls;
	unsigned asked;
	unsigned fail_at;
	void (*meanwhile)(struct bed *b); /* run at the fail_at-th allocation, which then works */
	struct process *process;          /* for it */
};

/** Run a body on a kernel of each architecture; all processes must have been reaped, and nothing may be left. */
void on_both(void (*body)(struct bed *b));
void bed_fail_at(struct bed *b, unsigned n);
void bed_meanwhile_at(struct bed *b, unsigned n, void (*meanwhile)(struct bed *b));
struct kernel_config bed_config(enum ksim_arch arch);

struct census census_now(struct bed *b);
void expect_same_census(const struct census *before, const struct census *now);
/** Every validator is content. */
void expect_sound(struct bed *b);

struct process *born(struct bed *b, const char *name);
struct process *forked(struct bed *b, struct process *parent);
/** Let it exit with a code. */
void exits(struct bed *b, struct process *p, int code);
/** Join it, and expect that it exited with the code. */
void expect_exited(struct bed *b, struct process *p, int code);
/** Some task of the process, entered. */
struct task *entered(struct bed *b, struct process *p);

#endif
