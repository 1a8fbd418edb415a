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

/** Its credentials are its own from now on. */
void creds_give_serial(struct process *process);
/** What a process may have that nobody has limited: Linux's own, of those that limit anything here. */
void limits_init(struct limits *limits, uint32_t fd_limit);

/** The next number, which is the process's from now on. Process-table lock held. -ENOMEM, -EAGAIN */
int pid_reserve_locked(struct ctx *ctx, struct kernel *kernel, struct process *process, uint32_t *pid);
/** The process of a pid, not of other tids; NULL: none. Process-table lock held. */
struct process *process_by_pid_locked(const struct kernel *kernel, uint32_t pid);
/** Things that a call makes are on that account from now on. @return whose they were on until now */
struct owner *process_charge(struct ctx *ctx, struct owner *owner);
/** It has its memory and files: tell sim. 0 or -ENOMEM */
int process_tell_born(struct ctx *ctx, struct process *process);
/** The birth can fail no more. */
void process_set_born(struct ctx *ctx, struct process *process);
/** A task's thread has ended: what waited for it alone is forgotten. */
void signal_leave(struct ctx *ctx, struct task *task);
/** Whether its birth is complete. */
bool process_is_born(struct ctx *ctx, struct process *process);
/** Until signal_release with what this returns, signals for the task wait; but those that end its process do so. */
uint64_t signal_hold(struct task *task);
void signal_release(struct task *task, uint64_t mask);
/** A task comes to its process, whose lock is held: it is told of signals that wait for any. */
void signal_join(struct ctx *ctx, struct task *task);
/**
 * Tell the parent of an ended process by a signal. Process-table lock held.
 * @param info   out: that signal
 * @param fatal  out: it ends the parent, which is left to the caller: signal_end_by
 * @return whether nobody will wait for it
 */
bool signal_parent_locked(struct ctx *ctx, struct process *parent, struct process *child, struct signal_info *info,
                          bool *fatal);
/** End a process by a signal. */
void signal_end_by(struct ctx *ctx, struct process *process, const struct signal_info *info);
void kernel_release_zero_frame(struct kernel *kernel);

#endif
