/* SPDX-License-Identifier: MIT */
/*
 * How much memory an address space uses, and what stands behind each of its pages: the numbers of /proc.
 */
#ifndef MM_STAT_H
#define MM_STAT_H

#include "mm/mm.h"

/** The fraction bits of proportional sizes. */
#define MM_PSS_SHIFT 12

/**
 * What the page table has, of one mapping or of several; bytes, but pss*: bytes << MM_PSS_SHIFT, each page divided by
 * how many entries of all processes point to it. The frame of zeros counts nowhere.
 */
struct mm_usage {
	uint64_t rss;
	uint64_t rss_anon, rss_shmem; /* what rss is the sum of */
	uint64_t shared_clean, shared_dirty, private_clean, private_dirty;
	uint64_t referenced;
	uint64_t anon_huge, shmem_huge;
	uint64_t shared_hugetlb, private_hugetlb; /* in none of the others */
	uint64_t pss, pss_dirty, pss_anon, pss_shmem, pss_locked;
};

/** What is mapped, in bytes, touched or not. */
struct mm_totals {
	ksim_addr start, end; /* of the first mapping, of the last */
	uint64_t size, peak;  /* now, and the most that it ever was */
	uint64_t locked, data, stack, exec;
	uint64_t tables; /* page-table nodes below the root */
};

/** The first region with end > at, and what it uses. False if there is none. */
bool mm_region_usage(struct ctx *ctx, struct mm *mm, ksim_addr at, struct mm_region *out, struct mm_usage *usage);
/** All of them at one moment. */
void mm_usage_all(struct ctx *ctx, struct mm *mm, struct mm_totals *totals, struct mm_usage *usage);

/** Words of /proc/<pid>/pagemap. The low 55 bits are the pfn. */
#define PAGEMAP_PFN_MASK  ((UINT64_C(1) << 55) - 1)
#define PAGEMAP_EXCLUSIVE (UINT64_C(1) << 56)
#define PAGEMAP_GUARD     (UINT64_C(1) << 58)
#define PAGEMAP_FILE      (UINT64_C(1) << 61)
#define PAGEMAP_SWAPPED   (UINT64_C(1) << 62) /* absent, and not empty: a guard */
#define PAGEMAP_PRESENT   (UINT64_C(1) << 63)

/** The words of n pages from addr on, all below PT_SPAN; without show_pfns their pfns are 0. */
void mm_pagemap(struct ctx *ctx, struct mm *mm, ksim_addr addr, uint64_t *word, size_t n, bool show_pfns);

#endif
