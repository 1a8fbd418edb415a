/* SPDX-License-Identifier: MIT */
/*
 * Frames as runs, for reports: pages that follow each other, in frames that follow each other.
 */
#ifndef PHYS_RUNS_H
#define PHYS_RUNS_H

#include "phys/phys.h"

enum frame_run_kind {
	FRAME_RUN_FILE,    /* of an object */
	FRAME_RUN_PRIVATE, /* private memory, of this address space alone */
	FRAME_RUN_COW,     /* private memory that others map too, until somebody writes */
	FRAME_RUN_ZEROS,   /* one frame for all pages: the machine's frame of zeros */
};

struct frame_run {
	uint64_t page; /* the first one, by its page index */
	uint64_t npages;
	pfn_t pfn; /* of the first one */
	enum frame_run_kind kind;
};

/** Where a walk puts what it finds; all zero is one that only counts. */
struct frame_runs {
	struct frame_run *run;
	size_t room;
	size_t n;              /* found; those past room are counted, not kept */
	struct frame_run last; /* the one that may still grow */
};

/** The next page, in rising order. */
static inline void frame_runs_add(struct frame_runs *runs, uint64_t page, pfn_t pfn, enum frame_run_kind kind)
{
	struct frame_run *last = &runs->last;
	uint64_t step = kind == FRAME_RUN_ZEROS ? 0 : last->npages;

	if (runs->n > 0 && last->kind == kind && last->page + last->npages == page && last->pfn.n + step == pfn.n) {
		last->npages++;
	} else {
		*last = (struct frame_run){ .page = page, .npages = 1, .pfn = pfn, .kind = kind };
		runs->n++;
	}
	if (runs->n <= runs->room)
		runs->run[runs->n - 1] = *last;
}

#endif
