/* SPDX-License-Identifier: MIT */
/*
 * A machine with RAM, a frame of zeros and two accounts, for the tests of address spaces. Loads and stores go the way
 * a CPU without TLB would: walk, and fault if the entry does not allow the access.
 */
#ifndef UNIT_MM_BED_H
#define UNIT_MM_BED_H

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "harness.h"
#include "mm/mm.h"

#define NEVER 0
#define MIB   (UINT64_C(1) << 20)
/** Where tests put things: three pages below the end of a leaf node's span. */
#define BASE (UINT64_C(0x40000000) - 3 * PAGE_BYTES)

enum { RW = PROT_R | PROT_W };

/* An open file as mm sees it. */
struct fake_file {
	struct backing backing;
	int refs; /* a */
};

/* What can be counted of a machine, to compare before and after. */
struct census {
	long kind[CENSUS_KIND_COUNT];
	uint64_t free_frames;
	size_t kmem_count;
};

struct bed {
	struct env env;
	struct owner process; /* on whose account things go */
	struct owner other;
	struct ctx ctx;
	struct fake_file file;
	struct fault fault; /* of the last load or store that failed */
	unsigned asked;     /* allocations asked for since fail_at was set */
	unsigned fail_at;   /* the number of the one that fails, counted from 1 */
};

/** Run a test body on a machine of each architecture; afterwards nothing may be left. */
void on_both(void (*body)(struct bed *b));
void on_both_with_ram(uint64_t ram_bytes, void (*body)(struct bed *b));

/** A caller of its own for another thread. */
void bed_ctx(struct bed *b, struct ctx *ctx);
void bed_fail_at(struct bed *b, unsigned n);
struct census census_now(struct bed *b);
/** `cached`: node buffers that an address space may keep. */
void expect_same_census(const struct census *before, const struct census *now, size_t cached);

struct mm *space(struct bed *b);
/** Put and drain. */
void drop(struct bed *b, struct mm *mm);
struct mm *forked(struct bed *b, struct mm *parent);
struct object *file(struct bed *b, uint64_t pages);
void file_drop(struct bed *b, struct object *object);
/** Byte `at` of a file; -1 if its page is absent. */
int file_byte(struct bed *b, struct object *object, uint64_t at);
void file_set(struct bed *b, struct object *object, uint64_t at, int byte);

/** What to map: private anonymous memory there, readable and writable, exactly. */
struct mm_map anon_at(ksim_addr addr, uint64_t pages);
/** Pages of a file from pgidx on, shared or private, readable and writable, exactly there. */
struct mm_map file_at(struct object *object, ksim_addr addr, uint64_t pages, uint64_t pgidx, bool shared);
/** Map it; broken if it cannot. @return where */
ksim_addr mapped(struct bed *b, struct mm *mm, struct mm_map what);
void unmapped(struct bed *b, struct mm *mm, ksim_addr addr, uint64_t pages);

/** The byte, or -signal (b->fault says more). */
int ld8(struct bed *b, struct mm *mm, ksim_addr addr);
/** 0 or -signal. */
int st8(struct bed *b, struct mm *mm, ksim_addr addr, int value);
/** Expect an access to run into this, at this very address. */
void expect_fault(struct bed *b, struct mm *mm, ksim_addr addr, enum access access, int signo, int code);

/** How many VMAs; that the i-th is [start, end). */
size_t nregions(struct mm *mm);
void expect_region(struct bed *b, struct mm *mm, ksim_addr at, ksim_addr start, ksim_addr end, unsigned prot);
/** The frame behind an address, PFN_NONE if none. */
pfn_t frame_at(struct bed *b, struct mm *mm, ksim_addr addr);

void expect_sound(struct bed *b, struct mm *mm);
uint64_t rnd(uint64_t *seed);

#endif
