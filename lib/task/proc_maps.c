// SPDX-License-Identifier: MIT
/*
 * /proc/<pid>/maps, smaps and smaps_rollup.
 *
 *	7fffeffe0000-7fffeffe4000 r--s 00000000 00:01 5                          /memfd:wl_shm (deleted)
 *
 * Names begin in column 73, as if every address had twelve digits. Each mapping is copied out with its numbers under
 * the map lock, the next one is the first that ends above it; so mappings that come and go meanwhile are told or not,
 * but none is told twice or torn.
 *
 * Locking: none of its own. Linux: fs/proc/task_mmu.c. Not modelled: [stack], [vdso], names of anonymous memory.
 */
#include "task/proc.h"

#include "mm/stat.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum { NAME_COLUMN = 73 };

static unsigned long long kib(uint64_t bytes)
{
	return bytes >> 10;
}

static unsigned long long pss_kib(uint64_t pss)
{
	return pss >> (10 + MM_PSS_SHIFT);
}

void proc_add_name(struct ctx *ctx, struct text *text, const char *name)
{
	for (size_t n; *name != '\0'; name += n) {
		n = strcspn(name, "\n");
		if (n > 0) {
			text_add_bytes(ctx, text, name, n);
		} else {
			text_add_bytes(ctx, text, "\\012", 4);
			n = 1;
		}
	}
}

/* The line of maps, as far as a name. @return where it began */
static void add_range(struct ctx *ctx, struct text *text, const struct mm_region *r)
{
	text_add(ctx, text, "%08" PRIx64 "-%08" PRIx64 " %c%c%c%c %08" PRIx64 " %02x:%02x %" PRIu64 " ", r->start,
	         r->end, r->prot & PROT_R ? 'r' : '-', r->prot & PROT_W ? 'w' : '-', r->prot & PROT_X ? 'x' : '-',
	         r->shared ? 's' : 'p', r->offset, (unsigned)(r->dev >> 8 & 0xfff), (unsigned)(r->dev & 0xff),
	         r->inode);
}

static void add_line(struct ctx *ctx, struct text *text, const struct mm_region *r)
{
	size_t began = text->len, len;

	add_range(ctx, text, r);
	len = text->len - began;
	if (r->name[0] != '\0') {
		text_add(ctx, text, "%*s", len < NAME_COLUMN ? (int)(NAME_COLUMN - len) : 1, "");
		proc_add_name(ctx, text, r->name);
	}
	text_add_bytes(ctx, text, "\n", 1);
}

/* The maps of a process that has no memory any more: none, or not even that. */
static int nothing_left(struct ctx *ctx, const struct inode *inode)
{
	return proc_process(ctx, inode) != NULL ? 0 : -ESRCH;
}

static int show_maps(struct ctx *ctx, struct inode *inode, struct text *text)
{
	struct mm_region region;
	struct mm *mm;
	int err = proc_borrow(ctx, inode, &mm, NULL);

	if (err < 0)
		return nothing_left(ctx, inode);
	for (ksim_addr at = 0; !text->failed && mm_region(ctx, mm, at, &region); at = region.end)
		add_line(ctx, text, &region);
	mm_put(ctx, mm);
	return 0;
}

/* The lines that smaps and smaps_rollup share. */
static void add_usage(struct ctx *ctx, struct text *text, const struct mm_usage *u, bool rollup)
{
	text_add(ctx, text, "Rss:            %8llu kB\n", kib(u->rss));
	text_add(ctx, text, "Pss:            %8llu kB\n", pss_kib(u->pss));
	text_add(ctx, text, "Pss_Dirty:      %8llu kB\n", pss_kib(u->pss_dirty));
	if (rollup) {
		text_add(ctx, text, "Pss_Anon:       %8llu kB\n", pss_kib(u->pss_anon));
		text_add(ctx, text, "Pss_File:       %8llu kB\n", 0ull);
		text_add(ctx, text, "Pss_Shmem:      %8llu kB\n", pss_kib(u->pss_shmem));
	}
	text_add(ctx, text, "Shared_Clean:   %8llu kB\n", kib(u->shared_clean));
	text_add(ctx, text, "Shared_Dirty:   %8llu kB\n", kib(u->shared_dirty));
	text_add(ctx, text, "Private_Clean:  %8llu kB\n", kib(u->private_clean));
	text_add(ctx, text, "Private_Dirty:  %8llu kB\n", kib(u->private_dirty));
	text_add(ctx, text, "Referenced:     %8llu kB\n", kib(u->referenced));
	text_add(ctx, text, "Anonymous:      %8llu kB\n", kib(u->rss_anon));
	text_add(ctx, text, "KSM:            %8llu kB\n", 0ull);
	text_add(ctx, text, "LazyFree:       %8llu kB\n", 0ull);
	text_add(ctx, text, "AnonHugePages:  %8llu kB\n", kib(u->anon_huge));
	text_add(ctx, text, "ShmemPmdMapped: %8llu kB\n", kib(u->shmem_huge));
	text_add(ctx, text, "FilePmdMapped:  %8llu kB\n", 0ull);
	text_add(ctx, text, "Shared_Hugetlb: %8llu kB\n", kib(u->shared_hugetlb));
	text_add(ctx, text, "Private_Hugetlb: %7llu kB\n", kib(u->private_hugetlb));
	text_add(ctx, text, "Swap:           %8llu kB\n", 0ull);
	text_add(ctx, text, "SwapPss:        %8llu kB\n", 0ull);
	text_add(ctx, text, "Locked:         %8llu kB\n", pss_kib(u->pss_locked));
}

/* Whether a 2 MiB page could stand somewhere in it. */
static bool huge_eligible(const struct ctx *ctx, const struct mm_region *r)
{
	uint64_t huge = PT_LEAF_SPAN;
	ksim_addr start = (r->start + huge - 1) & ~(huge - 1);

	if (__atomic_load_n(&ctx->env->sysctl.transparent_huge, __ATOMIC_RELAXED) == 0)
		return false;
	if (r->flags & (VMA_HUGETLB | VMA_NOHUGE))
		return false;
	if (r->has_object && (r->offset - r->start) % huge != 0)
		return false;
	return start < r->end && r->end - start >= huge;
}

/* In the order of the bits that Linux has for them. */
static void add_flags(struct ctx *ctx, struct text *text, const struct mm_region *r)
{
	const struct {
		bool set;
		char name[4];
	} flag[] = {
		{ r->prot & PROT_R, "rd " },
		{ r->prot & PROT_W, "wr " },
		{ r->prot & PROT_X, "ex " },
		{ r->shared && (r->max_prot & PROT_W || r->flags & VMA_DEMOTED), "sh " },
		{ r->max_prot & PROT_R, "mr " },
		{ r->max_prot & PROT_W, "mw " },
		{ r->max_prot & PROT_X, "me " },
		{ r->shared, "ms " },
		{ r->flags & VMA_GROWSDOWN, "gd " },
		{ r->flags & VMA_GUARD, "gu " },
		{ r->flags & VMA_LOCKED, "lo " },
		{ r->flags & VMA_SEQUENTIAL, "sr " },
		{ r->flags & VMA_RANDOM, "rr " },
		{ r->flags & VMA_DONTFORK, "dc " },
		{ r->flags & VMA_HUGETLB, "de " },
		{ r->flags & VMA_LOCK_ON_FAULT, "lf " },
		{ r->flags & VMA_ACCOUNT, "ac " },
		{ r->noreserve, "nr " },
		{ r->flags & VMA_HUGETLB, "ht " },
		{ r->flags & VMA_WIPEONFORK, "wf " },
		{ r->flags & VMA_DONTDUMP, "dd " },
		{ r->flags & VMA_HUGE, "hg " },
		{ r->flags & VMA_NOHUGE, "nh " },
		{ r->flags & VMA_MERGEABLE, "mg " },
	};

	text_add(ctx, text, "VmFlags: ");
	for (size_t i = 0; i < ARRAY_SIZE(flag); i++)
		if (flag[i].set)
			text_add_bytes(ctx, text, flag[i].name, 3);
	text_add_bytes(ctx, text, "\n", 1);
}

static void add_smap(struct ctx *ctx, struct text *text, const struct mm_region *r, const struct mm_usage *u)
{
	unsigned long long page = kib(r->flags & VMA_HUGETLB ? PT_LEAF_SPAN : PAGE_BYTES);

	add_line(ctx, text, r);
	text_add(ctx, text, "Size:           %8llu kB\n", kib(r->end - r->start));
	text_add(ctx, text, "KernelPageSize: %8llu kB\n", page);
	text_add(ctx, text, "MMUPageSize:    %8llu kB\n", page);
	add_usage(ctx, text, u, false);
	text_add(ctx, text, "THPeligible:    %8u\n", huge_eligible(ctx, r));
	add_flags(ctx, text, r);
}

static int show_smaps(struct ctx *ctx, struct inode *inode, struct text *text)
{
	struct mm_region region;
	struct mm_usage usage;
	struct mm *mm;
	int err = proc_borrow(ctx, inode, &mm, NULL);

	if (err < 0)
		return nothing_left(ctx, inode);
	for (ksim_addr at = 0; !text->failed && mm_region_usage(ctx, mm, at, &region, &usage); at = region.end)
		add_smap(ctx, text, &region, &usage);
	mm_put(ctx, mm);
	return 0;
}

static int show_smaps_rollup(struct ctx *ctx, struct inode *inode, struct text *text)
{
	struct mm_region all = { .name = "[rollup]" };
	struct mm_totals totals;
	struct mm_usage usage;
	struct mm *mm;
	int err = proc_borrow(ctx, inode, &mm, NULL);

	if (err < 0)
		return err;
	mm_usage_all(ctx, mm, &totals, &usage);
	mm_put(ctx, mm);
	all.start = totals.start;
	all.end = totals.end;
	add_line(ctx, text, &all);
	add_usage(ctx, text, &usage, true);
	return 0;
}

const struct gen_ops proc_maps_ops = { .show = show_maps, .open = proc_open_memory };
const struct gen_ops proc_smaps_ops = { .show = show_smaps, .open = proc_open_memory };
const struct gen_ops proc_smaps_rollup_ops = { .show = show_smaps_rollup, .open = proc_open_living_memory };
