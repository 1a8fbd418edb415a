/* SPDX-License-Identifier: MIT */
/*
 * Between the files of /proc: what a generated inode's key says, and the kinds of files that each of them provides.
 */
#ifndef TASK_PROC_H
#define TASK_PROC_H

#include "task/process.h"
#include "vfs/tree.h"

/** What gen_key[1] holds beside the entry's own number. */
#define PROC_KEY_PRIVILEGED (UINT64_C(1) << 63) /* who looked it up may see pfns */

/** The first position of a listing. */
#define PROC_FIRST 2u

/* What gen_ino gets in the place of a pid's entry, for what belongs to no process. */
enum { PROC_ROOT = 1, PROC_SYS = 2 };

/** The process that an inode is about: its pid. */
static inline uint32_t proc_pid(const struct inode *inode)
{
	return (uint32_t)inode->gen_key[0];
}

/** Its struct, dead or alive, until it is reaped; NULL: no more. */
static inline struct process *proc_process(struct ctx *ctx, const struct inode *inode)
{
	return process_by_pid(ctx, proc_pid(inode));
}

/** Its memory, its files (NULL: not wanted), with references. 0 or -ESRCH. */
int proc_borrow(struct ctx *ctx, const struct inode *inode, struct mm **mm, struct fdtable **files);
/** Whether the caller may look into a process, as ptrace's permissions say: 0 or -EACCES. */
int proc_may_look(struct ctx *ctx, const struct process *process);
/** For gen_ops.open of files about a process's memory: -EACCES, or -ESRCH when it has gone ... */
int proc_open_memory(struct ctx *ctx, struct inode *inode, uint32_t flags);
/** ... or when it has ended. */
int proc_open_living_memory(struct ctx *ctx, struct inode *inode, uint32_t flags);
/**
 * A new inode of a process's entry: owned by the process's user. key[1] tells entries apart, and `sub` things within
 * one. 0 or -ENOMEM
 */
int proc_inode(struct ctx *ctx, const struct process *process, const struct gen_ops *ops, uint32_t mode, uint64_t key,
               struct inode **out);
/** A number as /proc writes names: decimal, no sign, no leading zero. -1: it is none, or not an int. */
int proc_number(const char *name);
/** Put a name down as seq_file does: a newline would end the line. */
void proc_add_name(struct ctx *ctx, struct text *text, const char *name);

/* proc.c */
/** /proc itself. */
extern const struct gen_ops proc_root_ops;
/* proc_maps.c */
extern const struct gen_ops proc_maps_ops, proc_smaps_ops, proc_smaps_rollup_ops;
/* proc_pages.c */
extern const struct gen_ops proc_pagemap_ops, proc_kpagecount_ops, proc_kpageflags_ops;
/* proc_status.c */
extern const struct gen_ops proc_status_ops, proc_statm_ops, proc_limits_ops, proc_cmdline_ops, proc_comm_ops;
/* proc_fd.c */
extern const struct gen_ops proc_fd_ops, proc_fdinfo_ops;
/* proc_sys.c */
extern const struct gen_ops proc_meminfo_ops, proc_version_ops, proc_sys_ops;

#endif
