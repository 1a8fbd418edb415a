// SPDX-License-Identifier: MIT
/*
 * /proc/<pid>/status, statm, limits, cmdline and comm: what a process is and what it may use.
 *
 * A process that has ended and not been waited for has a status, without the lines about memory. Its memory is counted
 * when somebody asks (mm/stat.c); so the most that it ever had in RAM (VmHWM) is not known and not told, and neither is
 * what there is not: capabilities beside root's, namespaces, CPUs, seccomp.
 *
 * Locking: process->lock, signal_lock inside it, and that of the actions, for a moment each.
 * Linux: fs/proc/array.c, fs/proc/base.c (proc_pid_limits). Not modelled: arguments: cmdline is the name alone.
 */
#include "task/proc.h"

#include "mm/stat.h"

#include <errno.h>
#include <string.h>

enum { COMM_MAX = 15 };

static void add_kib(struct ctx *ctx, struct text *text, const char *name, uint64_t bytes)
{
	text_add(ctx, text, "%s:\t%8llu kB\n", name, (unsigned long long)(bytes >> 10));
}

static int comm_len(const struct process *p)
{
	return (int)strnlen(p->owner.name, COMM_MAX);
}

/* Lines are lines, so what would end one is written in letters. */
static void add_comm(struct ctx *ctx, struct text *text, const struct process *p)
{
	for (int i = 0; i < comm_len(p); i++) {
		char c = p->owner.name[i];

		if (c == '\n' || c == '\\')
			text_add(ctx, text, "\\%c", c == '\n' ? 'n' : c);
		else
			text_add_bytes(ctx, text, &c, 1);
	}
}

static void add_umask(struct ctx *ctx, struct text *text, struct process *p)
{
	struct fs *fs = process_borrow_fs(ctx, p);

	text_add(ctx, text, "\n");
	if (fs != NULL)
		text_add(ctx, text, "Umask:\t%04o\n", __atomic_load_n(&fs->umask, __ATOMIC_RELAXED));
	fs_put(ctx, fs);
}

/* Its threads that somebody acts as; one that nobody acts as now still has its first one. */
static unsigned count_threads(struct ctx *ctx, struct process *p, bool *running)
{
	const struct task *task;
	unsigned active = 0;

	*running = false;
	mutex_lock(ctx, &p->lock);
	LIST_FOREACH(task, &p->tasks, link) {
		if (__atomic_load_n(&task->busy, __ATOMIC_RELAXED) == 0)
			continue;
		active++;
		if (__atomic_load_n(&task->waiter.word, __ATOMIC_RELAXED) == 0)
			*running = true;
	}
	/* A first one that has exited alone counts until the process ends. */
	active += p->leaderless;
	mutex_unlock(ctx, &p->lock);
	return MAX(active, 1);
}

static const char *state_name(const struct process *p, bool running)
{
	return process_state(p) >= PROCESS_ZOMBIE ? "Z (zombie)" : running ? "R (running)" : "S (sleeping)";
}

static void add_creds(struct ctx *ctx, struct text *text, struct process *p)
{
	struct creds c;

	process_creds(ctx, p, &c);
	text_add(ctx, text, "Uid:\t%u\t%u\t%u\t%u\n", c.uid, c.euid, c.suid, c.fsuid);
	text_add(ctx, text, "Gid:\t%u\t%u\t%u\t%u\n", c.gid, c.egid, c.sgid, c.fsgid);
}

static void add_groups(struct ctx *ctx, struct text *text, struct process *p)
{
	struct creds c;

	process_creds(ctx, p, &c);
	text_add(ctx, text, "Groups:\t");
	for (uint32_t i = 0; i < c.ngroups; i++)
		text_add(ctx, text, "%s%u", i > 0 ? " " : "", c.groups[i]);
	text_add(ctx, text, " \n");
}

static unsigned fd_size(struct ctx *ctx, struct fdtable *files)
{
	unsigned size;

	mutex_lock(ctx, &files->lock);
	size = files->size;
	mutex_unlock(ctx, &files->lock);
	return size;
}

static void add_memory(struct ctx *ctx, struct text *text, struct mm *mm)
{
	struct mm_totals t;
	struct mm_usage u;

	mm_usage_all(ctx, mm, &t, &u);
	add_kib(ctx, text, "VmPeak", t.peak);
	add_kib(ctx, text, "VmSize", t.size);
	add_kib(ctx, text, "VmLck", t.locked);
	add_kib(ctx, text, "VmPin", 0);
	add_kib(ctx, text, "VmRSS", u.rss);
	add_kib(ctx, text, "RssAnon", u.rss_anon);
	add_kib(ctx, text, "RssFile", 0);
	add_kib(ctx, text, "RssShmem", u.rss_shmem);
	add_kib(ctx, text, "VmData", t.data);
	add_kib(ctx, text, "VmStk", t.stack);
	add_kib(ctx, text, "VmExe", 0);
	add_kib(ctx, text, "VmLib", t.exec);
	add_kib(ctx, text, "VmPTE", t.tables);
	add_kib(ctx, text, "VmSwap", 0);
	add_kib(ctx, text, "HugetlbPages", u.shared_hugetlb + u.private_hugetlb);
	text_add(ctx, text, "THP_enabled:\t%u\n", ctx->env->sysctl.transparent_huge != 0);
}

static void add_set(struct ctx *ctx, struct text *text, const char *name, uint64_t set)
{
	text_add(ctx, text, "%s:\t%016llx\n", name, (unsigned long long)set);
}

/* What waits for its first thread and for any, and what that one blocks. */
static void add_pending(struct ctx *ctx, struct text *text, struct process *p)
{
	uint64_t own = 0, shared, blocked = p->first_mask;
	const struct task *task;

	mutex_lock(ctx, &p->lock);
	mutex_lock(ctx, &p->signal_lock);
	shared = p->shared.set;
	LIST_FOREACH(task, &p->tasks, link)
		if (task->tid == p->owner.id) {
			own = task->own.set;
			blocked = task->blocked & ~task->held;
		}
	mutex_unlock(ctx, &p->signal_lock);
	mutex_unlock(ctx, &p->lock);
	add_set(ctx, text, "SigPnd", own);
	add_set(ctx, text, "ShdPnd", shared);
	add_set(ctx, text, "SigBlk", blocked);
}

static void add_signals(struct ctx *ctx, struct text *text, struct process *p)
{
	uint64_t ignored = 0, caught = 0;

	add_pending(ctx, text, p);
	mutex_lock(ctx, &p->actions->lock);
	for (int i = 0; i < SIGNALS; i++) {
		ignored |= (uint64_t)(p->actions->of[i].handler == 1) << i;
		caught |= (uint64_t)(p->actions->of[i].handler > 1) << i;
	}
	mutex_unlock(ctx, &p->actions->lock);
	add_set(ctx, text, "SigIgn", ignored);
	add_set(ctx, text, "SigCgt", caught);
}

static int show_status(struct ctx *ctx, struct inode *inode, struct text *text)
{
	struct process *p = proc_process(ctx, inode);
	const struct process *parent;
	struct fdtable *files = NULL;
	struct mm *mm = NULL;
	const char *state;
	unsigned threads;
	bool running;

	if (p == NULL)
		return -ESRCH;
	parent = process_parent(p);
	threads = count_threads(ctx, p, &running);
	state = state_name(p, running); /* before its memory is looked for: a zombie has none */
	if (process_borrow(ctx, p, &mm, &files) < 0)
		mm = NULL;
	text_add(ctx, text, "Name:\t");
	add_comm(ctx, text, p);
	add_umask(ctx, text, p);
	text_add(ctx, text, "State:\t%s\n", state);
	text_add(ctx, text, "Tgid:\t%u\nNgid:\t0\nPid:\t%u\n", p->owner.id, p->owner.id);
	text_add(ctx, text, "PPid:\t%u\nTracerPid:\t0\n", parent != NULL ? parent->owner.id : 0);
	add_creds(ctx, text, p);
	text_add(ctx, text, "FDSize:\t%u\n", mm != NULL ? fd_size(ctx, files) : 0);
	add_groups(ctx, text, p);
	if (mm != NULL) {
		add_memory(ctx, text, mm);
		mm_put(ctx, mm);
		fdtable_put(ctx, files);
	}
	text_add(ctx, text, "Threads:\t%u\n", threads);
	add_signals(ctx, text, p);
	return 0;
}

static int show_statm(struct ctx *ctx, struct inode *inode, struct text *text)
{
	struct mm_totals t = { 0 };
	struct mm_usage u = { 0 };
	struct mm *mm;

	if (proc_process(ctx, inode) == NULL)
		return -ESRCH;
	if (proc_borrow(ctx, inode, &mm, NULL) == 0) {
		mm_usage_all(ctx, mm, &t, &u);
		mm_put(ctx, mm);
	}
	text_add(ctx, text, "%llu %llu %llu 0 0 %llu 0\n", (unsigned long long)(t.size >> PAGE_SHIFT),
	         (unsigned long long)(u.rss >> PAGE_SHIFT), (unsigned long long)(u.rss_shmem >> PAGE_SHIFT),
	         (unsigned long long)((t.data + t.stack) >> PAGE_SHIFT));
	return 0;
}

static void add_limit(struct ctx *ctx, struct text *text, uint64_t value)
{
	if (value == LIMIT_NONE)
		text_add(ctx, text, "%-20s ", "unlimited");
	else
		text_add(ctx, text, "%-20llu ", (unsigned long long)value);
}

static int show_limits(struct ctx *ctx, struct inode *inode, struct text *text)
{
	static const struct {
		char name[24], unit[12];
	} kind[LIMIT_KINDS] = {
		[LIMIT_CPU] = { "Max cpu time", "seconds" },
		[LIMIT_FSIZE] = { "Max file size", "bytes" },
		[LIMIT_DATA] = { "Max data size", "bytes" },
		[LIMIT_STACK] = { "Max stack size", "bytes" },
		[LIMIT_CORE] = { "Max core file size", "bytes" },
		[LIMIT_RSS] = { "Max resident set", "bytes" },
		[LIMIT_NPROC] = { "Max processes", "processes" },
		[LIMIT_NOFILE] = { "Max open files", "files" },
		[LIMIT_MEMLOCK] = { "Max locked memory", "bytes" },
		[LIMIT_AS] = { "Max address space", "bytes" },
		[10] = { "Max file locks", "locks" },
		[11] = { "Max pending signals", "signals" },
		[12] = { "Max msgqueue size", "bytes" },
		[13] = { "Max nice priority", "" },
		[14] = { "Max realtime priority", "" },
		[15] = { "Max realtime timeout", "us" },
	};
	struct process *p = proc_process(ctx, inode);

	if (p == NULL)
		return -ESRCH;
	text_add(ctx, text, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
	for (unsigned i = 0; i < LIMIT_KINDS; i++) {
		text_add(ctx, text, "%-25s ", kind[i].name);
		add_limit(ctx, text, __atomic_load_n(&p->limits.of[i].soft, __ATOMIC_RELAXED));
		add_limit(ctx, text, __atomic_load_n(&p->limits.of[i].hard, __ATOMIC_RELAXED));
		if (kind[i].unit[0] != '\0')
			text_add(ctx, text, "%-10s", kind[i].unit);
		text_add_bytes(ctx, text, "\n", 1);
	}
	return 0;
}

static int show_cmdline(struct ctx *ctx, struct inode *inode, struct text *text)
{
	const struct process *p = proc_process(ctx, inode);

	if (p == NULL)
		return -ESRCH;
	if (process_state(p) < PROCESS_ZOMBIE)
		text_add_bytes(ctx, text, p->owner.name, strlen(p->owner.name) + 1);
	return 0;
}

static int show_comm(struct ctx *ctx, struct inode *inode, struct text *text)
{
	const struct process *p = proc_process(ctx, inode);

	if (p == NULL)
		return -ESRCH;
	text_add(ctx, text, "%.*s\n", comm_len(p), p->owner.name);
	return 0;
}

const struct gen_ops proc_status_ops = { .show = show_status };
const struct gen_ops proc_statm_ops = { .show = show_statm };
const struct gen_ops proc_limits_ops = { .show = show_limits };
const struct gen_ops proc_cmdline_ops = { .show = show_cmdline };
const struct gen_ops proc_comm_ops = { .show = show_comm };
