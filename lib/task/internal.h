/* SPDX-License-Identifier: MIT */
/*
 * Between the files of lib/task only.
 */
#ifndef TASK_INTERNAL_H
#define TASK_INTERNAL_H

#include "task/process.h"

/** A process without memory and files, in the table, under its parent (NULL: it is init). -ENOMEM, -EAGAIN */
int process_alloc(struct ctx *ctx, const char *name, struct process *parent, bool held_by_bench, struct process **out);
/** Undo process_alloc for one that nobody has seen. */
void process_unalloc(struct ctx *ctx, struct process *process);
/** Free the memory of a reaped process; the machine is going down. */
void process_free(struct kernel *kernel, struct process *process);
/** Take an ended process off its parent and out of the table of pids. Process-table lock held. */
void process_reap_locked(struct kernel *kernel, struct process *process);
/** Make an ending process that nobody acts as any more a zombie; only the first call does anything. */
void process_tear_down(struct kernel *kernel, struct process *process);

/** The next number; by_pid has room for it. Process-table lock held. */
int pid_reserve_locked(struct ctx *ctx, struct kernel *kernel, uint32_t *pid);
/** "SIGBUS BUS_ADRERR" and the like. */
const char *signal_name(int signo, int si_code);
void kernel_release_zero_frame(struct kernel *kernel);

#endif
