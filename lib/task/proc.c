// SPDX-License-Identifier: MIT
/*
 * /proc: its directories, and who may look at what.
 *
 *	/proc --+-- self -> <pid>      thread-self is not there
 *	        +-- meminfo  version  kpagecount  kpageflags
 *	        +-- sys                                            (proc_sys.c)
 *	        '-- <pid> --+-- maps  smaps  smaps_rollup          (proc_maps.c)
 *	                    +-- pagemap                            (proc_pages.c)
 *	                    +-- status  statm  limits  cmdline  comm (proc_status.c)
 *	                    +-- fd  fdinfo                         (proc_fd.c)
 *	                    '-- cwd  root
 *
 * Nothing of it is kept: an inode is made when a name is looked up, and knows the pid and the entry that it is about. A
 * process that has gone since is ESRCH; while it waits to be waited for it has a directory, but neither memory nor
 * files.
 *
 * A file belongs to the effective user of its process. Who may see into a process's memory and through its descriptors
 * is what ptrace's rule says: the process itself, root, and whoever has all its user and group ids.
 *
 * I1  what is done to a process goes through process_borrow, so that it cannot end meanwhile
 *
 * Locking: the process table and process->lock, each for a moment; no lock is held while text is made, but by what
 * makes it.
 * Linux: fs/proc/root.c, fs/proc/base.c, kernel/ptrace.c. Not modelled: everything that is not named above; hidepid;
 * dumpable.
 */
#include "task/proc.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* ---- what all entries share ---- */

int proc_borrow(struct ctx *ctx, const struct inode *inode, struct mm **mm, struct fdtable **files)
{
	struct process *p = proc_process(ctx, inode);

	return p != NULL ? process_borrow(ctx, p, mm, files) : -ESRCH;
}

int proc_may_look(struct ctx *ctx, const struct process *p)
{
	const struct creds *mine = ctx->creds, *his = &p->creds;
	uint32_t uid, gid;

	if (mine == NULL || creds_privileged(ctx) || (ctx->task != NULL && ctx->task->process == p))
		return 0;
	uid = creds_load(&mine->fsuid);
	gid = creds_load(&mine->fsgid);
	return uid == creds_load(&his->uid) && uid == creds_load(&his->euid) && uid == creds_load(&his->suid) &&
	                       gid == creds_load(&his->gid) && gid == creds_load(&his->egid) &&
	                       gid == creds_load(&his->sgid)
	               ? 0
	               : -EACCES;
}

int proc_open_memory(struct ctx *ctx, struct inode *inode, uint32_t flags)
{
	struct process *p = proc_process(ctx, inode);
	int err = p != NULL ? proc_may_look(ctx, p) : -ESRCH;

	(void)flags;
	return err;
}

int proc_open_living_memory(struct ctx *ctx, struct inode *inode, uint32_t flags)
{
	int err = proc_open_memory(ctx, inode, flags);

	return err < 0 ? err : proc_borrow(ctx, inode, NULL, NULL);
}

int proc_inode(struct ctx *ctx, const struct process *p, const struct gen_ops *ops, uint32_t mode, uint64_t key,
               struct inode **out)
{
	const uint64_t keys[2] = { p->owner.id, key | (creds_privileged(ctx) ? PROC_KEY_PRIVILEGED : 0) };
	int err = gen_inode_create(ctx, ops, mode, gen_ino(p->owner.id, key, 0), keys, out);

	if (err == 0) {
		(*out)->uid = creds_load(&p->creds.euid);
		(*out)->gid = creds_load(&p->creds.egid);
	}
	return err;
}

int proc_number(const char *name)
{
	int64_t n = 0;

	if (name[0] == '\0' || strlen(name) > 10 || (name[0] == '0' && name[1] != '\0'))
		return -1;
	for (; *name != '\0'; name++) {
		if (*name < '0' || *name > '9')
			return -1;
		n = n * 10 + (*name - '0');
	}
	return n <= INT_MAX ? (int)n : -1;
}

/* ---- the directory of a process ---- */

/* Where it is, and what it takes for /: with a reference. */
static int get_place(struct ctx *ctx, const struct inode *link, bool root, struct dentry **out)
{
	struct process *p = proc_process(ctx, link);
	struct fs *fs;
	int err = p != NULL ? proc_may_look(ctx, p) : -ENOENT;

	if (err < 0)
		return err;
	fs = process_borrow_fs(ctx, p);
	if (fs == NULL)
		return -ENOENT;
	*out = root ? fs_root(ctx, fs) : fs_cwd(ctx, fs);
	fs_put(ctx, fs);
	return 0;
}

static int place_path(struct ctx *ctx, const struct inode *link, bool root, char *text, size_t size)
{
	struct dentry *place;
	int n = get_place(ctx, link, root, &place);

	if (n < 0)
		return n;
	n = dentry_path(place, text, size);
	dentry_put(ctx, place);
	return n;
}

static int cwd_readlink(struct ctx *ctx, struct inode *link, char *text, size_t size)
{
	return place_path(ctx, link, false, text, size);
}

static int cwd_follow(struct ctx *ctx, struct inode *link, struct dentry **out)
{
	return get_place(ctx, link, false, out);
}

static int root_readlink(struct ctx *ctx, struct inode *link, char *text, size_t size)
{
	return place_path(ctx, link, true, text, size);
}

static int root_follow(struct ctx *ctx, struct inode *link, struct dentry **out)
{
	return get_place(ctx, link, true, out);
}

static const struct gen_ops cwd_ops = { .readlink = cwd_readlink, .follow = cwd_follow };
static const struct gen_ops root_ops = { .readlink = root_readlink, .follow = root_follow };

static const struct entry {
	const char *name;
	const struct gen_ops *ops;
	uint32_t mode;
} process_entries[] = {
	{ "fd", &proc_fd_ops, S_IFDIR | 0500 },
	{ "fdinfo", &proc_fdinfo_ops, S_IFDIR | 0555 },
	{ "cwd", &cwd_ops, S_IFLNK | 0777 },
	{ "root", &root_ops, S_IFLNK | 0777 },
	{ "status", &proc_status_ops, S_IFREG | 0444 },
	{ "limits", &proc_limits_ops, S_IFREG | 0444 },
	{ "comm", &proc_comm_ops, S_IFREG | 0644 },
	{ "cmdline", &proc_cmdline_ops, S_IFREG | 0444 },
	{ "statm", &proc_statm_ops, S_IFREG | 0444 },
	{ "maps", &proc_maps_ops, S_IFREG | 0444 },
	{ "smaps", &proc_smaps_ops, S_IFREG | 0444 },
	{ "smaps_rollup", &proc_smaps_rollup_ops, S_IFREG | 0444 },
	{ "pagemap", &proc_pagemap_ops, S_IFREG | 0400 },
};

/* Of an entry's inode; the directory itself has 0. */
static uint64_t entry_key(uint64_t index)
{
	return index + 1;
}

static int process_lookup(struct ctx *ctx, struct inode *dir, const char *name, struct inode **out)
{
	const struct process *p = proc_process(ctx, dir);

	if (p == NULL)
		return -ESRCH;
	for (uint64_t i = 0; i < ARRAY_SIZE(process_entries); i++)
		if (strcmp(process_entries[i].name, name) == 0)
			return proc_inode(ctx, p, process_entries[i].ops, process_entries[i].mode, entry_key(i), out);
	return -ENOENT;
}

static int process_list(struct ctx *ctx, struct inode *dir, uint64_t position, struct listing *listing)
{
	if (proc_process(ctx, dir) == NULL)
		return -ENOENT;
	for (uint64_t i = position - PROC_FIRST; i < ARRAY_SIZE(process_entries); i++)
		if (!listing_add(listing, process_entries[i].name, gen_ino(proc_pid(dir), entry_key(i), 0),
		                 process_entries[i].mode & S_IFMT, i + 1 + PROC_FIRST))
			break;
	return 0;
}

static const struct gen_ops process_ops = { .lookup = process_lookup, .list = process_list, .fixed = true };

/* ---- the root ---- */

static uint32_t caller_pid(const struct ctx *ctx)
{
	return ctx->task != NULL ? ctx->task->process->owner.id : 0;
}

static int self_readlink(struct ctx *ctx, struct inode *link, char *text, size_t size)
{
	(void)link;
	return caller_pid(ctx) != 0 ? snprintf(text, size, "%u", caller_pid(ctx)) : -ENOENT;
}

static const struct gen_ops self_ops = { .readlink = self_readlink };

static const struct entry root_entries[] = {
	{ "self", &self_ops, S_IFLNK | 0777 },
	{ "meminfo", &proc_meminfo_ops, S_IFREG | 0444 },
	{ "version", &proc_version_ops, S_IFREG | 0444 },
	{ "kpagecount", &proc_kpagecount_ops, S_IFREG | 0400 },
	{ "kpageflags", &proc_kpageflags_ops, S_IFREG | 0400 },
	{ "sys", &proc_sys_ops, S_IFDIR | 0555 },
};

/* A process has a directory from its birth until it is reaped; so has init. */
static bool is_listed(struct ctx *ctx, struct process *p)
{
	bool born;

	mutex_lock(ctx, &p->lock);
	born = p->born || p == p->kernel->init;
	mutex_unlock(ctx, &p->lock);
	return born;
}

static int root_lookup(struct ctx *ctx, struct inode *dir, const char *name, struct inode **out)
{
	static const uint64_t no_key[2];
	int pid = proc_number(name);
	struct process *p;

	(void)dir;
	for (uint64_t i = 0; i < ARRAY_SIZE(root_entries); i++)
		if (strcmp(root_entries[i].name, name) == 0)
			return gen_inode_create(ctx, root_entries[i].ops, root_entries[i].mode,
			                        gen_ino(0, PROC_ROOT, i), no_key, out);
	p = pid > 0 ? process_by_pid(ctx, (uint32_t)pid) : NULL;
	if (p == NULL || !is_listed(ctx, p))
		return -ENOENT;
	return proc_inode(ctx, p, &process_ops, S_IFDIR | 0555, 0, out);
}

/* The first process with a pid >= from that has a directory. NULL: none. */
static struct process *next_process(struct ctx *ctx, uint64_t from)
{
	struct kernel *kernel = kernel_of(ctx);
	struct process *found = NULL;

	mutex_lock(ctx, &kernel->lock);
	for (uint64_t pid = from; pid < kernel->by_pid_size && found == NULL; pid++) {
		struct process *p = kernel->by_pid[pid];

		if (p != NULL && p->owner.id == pid && is_listed(ctx, p))
			found = p;
	}
	mutex_unlock(ctx, &kernel->lock);
	return found;
}

static int root_list(struct ctx *ctx, struct inode *dir, uint64_t position, struct listing *listing)
{
	const uint64_t first_pid = PROC_FIRST + ARRAY_SIZE(root_entries);
	const struct process *p;
	char name[16];

	(void)dir;
	for (; position < first_pid; position++) {
		uint64_t i = position - PROC_FIRST;

		if (!listing_add(listing, root_entries[i].name, gen_ino(0, PROC_ROOT, i), root_entries[i].mode & S_IFMT,
		                 position + 1))
			return 0;
	}
	/* A process stands at first_pid + its pid. */
	for (uint64_t pid = position - first_pid; (p = next_process(ctx, pid)) != NULL; pid = p->owner.id + 1u) {
		snprintf(name, sizeof(name), "%u", p->owner.id);
		if (!listing_add(listing, name, gen_ino(p->owner.id, 0, 0), S_IFDIR, first_pid + p->owner.id + 1))
			return 0;
	}
	return 0;
}

const struct gen_ops proc_root_ops = { .lookup = root_lookup, .list = root_list };
