// SPDX-License-Identifier: MIT
/*
 * /proc/meminfo, /proc/version, and what there is of /proc/sys.
 *
 *	sys --+-- vm ----- max_map_count  memfd_noexec  mmap_min_addr  nr_hugepages  nr_overcommit_hugepages
 *	      |            overcommit_memory
 *	      +-- fs ----- nr_open
 *	      '-- kernel - osrelease  ostype  pid_max
 *
 * Files of /proc/sys hold one number. What is written is a number with blanks around it; out of range it is EINVAL and
 * nothing changes. The pool of huge pages takes what number it can get, and tells that. The frames of meminfo are
 * counted when somebody asks; those of the pool count for themselves alone.
 *
 * Locking: none: each number is one atomic word.
 * Linux: fs/proc/meminfo.c, kernel/sysctl.c. Deviations: all RAM is available that is free; nr_open and pid_max cannot
 * be written; overcommit_memory is kept and told, and changes nothing: memory is promised as if it were 1.
 */
#include "task/proc.h"

#include "host/kmem.h"
#include "phys/pool.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PIECE = 256, HUGE_KIB = HUGE_FRAMES * (PAGE_BYTES >> 10) };

/* ---- meminfo ---- */

struct frames {
	uint64_t of[FRAME_USES];
	uint64_t mapped; /* of FRAME_FILE, into some process */
};

static void count_frames(struct ctx *ctx, struct frames *frames)
{
	struct frame_look frame[PIECE];
	uint64_t pfn = 0;
	size_t n;

	*frames = (struct frames){ 0 };
	while ((n = phys_look(ctx, ctx->env->phys, pfn, frame, PIECE)) > 0) {
		for (size_t i = 0; i < n; i++) {
			if (frame[i].pooled)
				continue;
			frames->of[frame[i].use]++;
			frames->mapped += frame[i].use == FRAME_FILE && frame[i].mappers > 0;
		}
		pfn += n;
	}
	frames->of[FRAME_ANON]--; /* the frame of zeros */
}

static void add_kib(struct ctx *ctx, struct text *text, const char *name, uint64_t kib)
{
	text_add(ctx, text, "%-16s%8llu kB\n", name, (unsigned long long)kib);
}

static void add_frames(struct ctx *ctx, struct text *text, const char *name, uint64_t frames)
{
	add_kib(ctx, text, name, frames * (PAGE_BYTES >> 10));
}

static void add_number(struct ctx *ctx, struct text *text, const char *name, uint64_t n)
{
	text_add(ctx, text, "%-19s%5llu\n", name, (unsigned long long)n);
}

static int show_meminfo(struct ctx *ctx, struct inode *inode, struct text *text)
{
	uint64_t nfree = phys_free_frames(ctx);
	struct pool_numbers huge;
	struct frames frames;

	(void)inode;
	pool_numbers(ctx, &huge);
	count_frames(ctx, &frames);
	add_frames(ctx, text, "MemTotal:", phys_total_frames(ctx->env->phys));
	add_frames(ctx, text, "MemFree:", nfree);
	add_frames(ctx, text, "MemAvailable:", nfree);
	add_frames(ctx, text, "Buffers:", 0);
	add_frames(ctx, text, "Cached:", frames.of[FRAME_FILE]);
	add_frames(ctx, text, "SwapCached:", 0);
	add_frames(ctx, text, "SwapTotal:", 0);
	add_frames(ctx, text, "SwapFree:", 0);
	add_frames(ctx, text, "Dirty:", 0);
	add_frames(ctx, text, "Writeback:", 0);
	add_frames(ctx, text, "AnonPages:", frames.of[FRAME_ANON]);
	add_frames(ctx, text, "Mapped:", frames.mapped);
	add_frames(ctx, text, "Shmem:", frames.of[FRAME_FILE]);
	add_kib(ctx, text, "Slab:", kmem_bytes(ctx->env) >> 10);
	add_frames(ctx, text, "PageTables:", frames.of[FRAME_TABLE]);
	add_number(ctx, text, "HugePages_Total:", huge.total);
	add_number(ctx, text, "HugePages_Free:", huge.nfree);
	add_number(ctx, text, "HugePages_Rsvd:", huge.reserved);
	add_number(ctx, text, "HugePages_Surp:", huge.surplus);
	add_kib(ctx, text, "Hugepagesize:", HUGE_KIB);
	add_kib(ctx, text, "Hugetlb:", huge.total * HUGE_KIB);
	return 0;
}

static int show_version(struct ctx *ctx, struct inode *inode, struct text *text)
{
	unsigned release = ctx->env->profile.release;

	(void)inode;
	text_add(ctx, text, "Linux version %u.%u.0 (ksim) #1 SMP\n", release / 1000, release % 1000);
	return 0;
}

const struct gen_ops proc_meminfo_ops = { .show = show_meminfo, .sendable = true };
const struct gen_ops proc_version_ops = { .show = show_version, .sendable = true };

/* ---- sys ---- */

enum setting {
	SYS_ROOT,
	SYS_VM,
	SYS_FS,
	SYS_KERNEL,
	VM_MAX_MAP_COUNT,
	VM_MEMFD_NOEXEC,
	VM_MMAP_MIN_ADDR,
	VM_NR_HUGEPAGES,
	VM_NR_OVERCOMMIT_HUGEPAGES,
	VM_OVERCOMMIT_MEMORY,
	FS_NR_OPEN,
	KERNEL_OSRELEASE,
	KERNEL_OSTYPE,
	KERNEL_PID_MAX,
	SETTINGS,
};

/* gen_key[1] of an inode is its index. */
static const struct {
	const char *name;
	enum setting dir;
	uint32_t mode;
	uint64_t max; /* of what may be written */
} settings[SETTINGS] = {
	[SYS_ROOT] = { "", SETTINGS, S_IFDIR | 0555, 0 },
	[SYS_VM] = { "vm", SYS_ROOT, S_IFDIR | 0555, 0 },
	[SYS_FS] = { "fs", SYS_ROOT, S_IFDIR | 0555, 0 },
	[SYS_KERNEL] = { "kernel", SYS_ROOT, S_IFDIR | 0555, 0 },
	[VM_MAX_MAP_COUNT] = { "max_map_count", SYS_VM, S_IFREG | 0644, INT32_MAX },
	[VM_MEMFD_NOEXEC] = { "memfd_noexec", SYS_VM, S_IFREG | 0644, 2 },
	[VM_MMAP_MIN_ADDR] = { "mmap_min_addr", SYS_VM, S_IFREG | 0444, 0 },
	[VM_NR_HUGEPAGES] = { "nr_hugepages", SYS_VM, S_IFREG | 0644, UINT64_MAX },
	[VM_NR_OVERCOMMIT_HUGEPAGES] = { "nr_overcommit_hugepages", SYS_VM, S_IFREG | 0644, UINT64_MAX },
	[VM_OVERCOMMIT_MEMORY] = { "overcommit_memory", SYS_VM, S_IFREG | 0644, 2 },
	[FS_NR_OPEN] = { "nr_open", SYS_FS, S_IFREG | 0444, 0 },
	[KERNEL_OSRELEASE] = { "osrelease", SYS_KERNEL, S_IFREG | 0444, 0 },
	[KERNEL_OSTYPE] = { "ostype", SYS_KERNEL, S_IFREG | 0444, 0 },
	[KERNEL_PID_MAX] = { "pid_max", SYS_KERNEL, S_IFREG | 0444, 0 },
};

static enum setting setting_of(const struct inode *inode)
{
	return (enum setting)inode->gen_key[1];
}

static uint64_t get_pool_setting(struct ctx *ctx, enum setting which)
{
	struct pool_numbers n;

	pool_numbers(ctx, &n);
	return which == VM_NR_HUGEPAGES ? n.total - n.surplus : n.overcommit;
}

static uint64_t get_setting(struct ctx *ctx, enum setting which)
{
	const struct sysctl *sysctl = &ctx->env->sysctl;

	switch (which) {
	case VM_MAX_MAP_COUNT:
		return __atomic_load_n(&sysctl->max_map_count, __ATOMIC_RELAXED);
	case VM_MEMFD_NOEXEC:
		return __atomic_load_n(&sysctl->memfd_noexec, __ATOMIC_RELAXED);
	case VM_NR_HUGEPAGES:
	case VM_NR_OVERCOMMIT_HUGEPAGES:
		return get_pool_setting(ctx, which);
	case VM_OVERCOMMIT_MEMORY:
		return __atomic_load_n(&sysctl->overcommit_memory, __ATOMIC_RELAXED);
	case VM_MMAP_MIN_ADDR:
		return MM_MIN;
	case FS_NR_OPEN:
		return NR_OPEN;
	default:
		return PID_MAX;
	}
}

static void set_setting(struct ctx *ctx, enum setting which, uint64_t value)
{
	struct sysctl *sysctl = &ctx->env->sysctl;

	if (which == VM_MAX_MAP_COUNT)
		__atomic_store_n(&sysctl->max_map_count, (uint32_t)value, __ATOMIC_RELAXED);
	else if (which == VM_MEMFD_NOEXEC)
		__atomic_store_n(&sysctl->memfd_noexec, (uint32_t)value, __ATOMIC_RELAXED);
	else if (which == VM_OVERCOMMIT_MEMORY)
		__atomic_store_n(&sysctl->overcommit_memory, (uint32_t)value, __ATOMIC_RELAXED);
	else if (which == VM_NR_HUGEPAGES)
		pool_resize(ctx, value);
	else
		pool_set_overcommit(ctx, value);
}

static int sys_show(struct ctx *ctx, struct inode *inode, struct text *text)
{
	enum setting which = setting_of(inode);
	unsigned release = ctx->env->profile.release;

	if (which == KERNEL_OSRELEASE)
		text_add(ctx, text, "%u.%u.0\n", release / 1000, release % 1000);
	else if (which == KERNEL_OSTYPE)
		text_add(ctx, text, "Linux\n");
	else
		text_add(ctx, text, "%llu\n", (unsigned long long)get_setting(ctx, which));
	return 0;
}

/* A number with nothing but blanks around it, in any base that C knows: 0 or -EINVAL. */
static int parse(const char *bytes, uint64_t *value)
{
	char *end;

	while (isspace((unsigned char)*bytes))
		bytes++;
	if (!isdigit((unsigned char)*bytes))
		return -EINVAL;
	errno = 0;
	*value = strtoull(bytes, &end, 0);
	while (isspace((unsigned char)*end))
		end++;
	return *end == '\0' && errno == 0 ? 0 : -EINVAL;
}

static ssize_t sys_write(struct ctx *ctx, struct inode *inode, const char *bytes, size_t n)
{
	enum setting which = setting_of(inode);
	uint64_t value;
	int err;

	KSIM_ASSERT(ctx, settings[which].mode & S_IWUSR, "only what can be set is open for writing", "%s",
	            settings[which].name);
	if (n == 0)
		return 0;
	err = parse(bytes, &value);
	if (err == 0 && value > settings[which].max)
		err = -EINVAL;
	if (err < 0)
		return err;
	set_setting(ctx, which, value);
	return (ssize_t)n;
}

/* What cannot be set nobody opens for writing, root neither. */
static int sys_open(struct ctx *ctx, struct inode *inode, uint32_t flags)
{
	(void)ctx;
	return flags & FILE_ACCMODE && !(settings[setting_of(inode)].mode & S_IWUSR) ? -EACCES : 0;
}

static const struct gen_ops setting_ops = { .show = sys_show,
	                                    .write = sys_write,
	                                    .open = sys_open,
	                                    .sendable = true,
	                                    .fixed = true };

static int sys_lookup(struct ctx *ctx, struct inode *dir, const char *name, struct inode **out)
{
	for (unsigned i = 0; i < SETTINGS; i++) {
		const uint64_t key[2] = { 0, i };

		if (settings[i].dir == setting_of(dir) && strcmp(settings[i].name, name) == 0)
			return gen_inode_create(ctx, S_ISDIR(settings[i].mode) ? &proc_sys_ops : &setting_ops,
			                        settings[i].mode, gen_ino(0, PROC_SYS, i), key, out);
	}
	return -ENOENT;
}

static int sys_list(struct ctx *ctx, struct inode *dir, uint64_t position, struct listing *listing)
{
	(void)ctx;
	for (uint64_t i = position - PROC_FIRST; i < SETTINGS; i++)
		if (settings[i].dir == setting_of(dir) &&
		    !listing_add(listing, settings[i].name, gen_ino(0, PROC_SYS, i), settings[i].mode & S_IFMT,
		                 i + 1 + PROC_FIRST))
			break;
	return 0;
}

const struct gen_ops proc_sys_ops = { .lookup = sys_lookup, .list = sys_list, .fixed = true };
