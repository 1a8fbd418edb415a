/* SPDX-License-Identifier: MIT */
/*
 * Pages that a window has hidden and that the next window to show them need not ask the host for.
 */
#ifndef NATIVE_LOT_H
#define NATIVE_LOT_H

#include "phys/phys.h"

enum {
	LOT_RUN_MIN = 64, /* pages: below, moving gains nothing */
	LOT_RUNS = 64,    /* it remembers */
	LOT_PIECES = 128, /* mappings of the host's, at most */
};

struct lot;

/**
 * For frames [0, nframes). NULL: no memory. A host without room for it gives one that does nothing.
 * @param account  the host's mappings that it may have are added there, and taken away; atomically
 */
struct lot *lot_create(uint64_t nframes, uint64_t *account);
void lot_destroy(struct lot *lot);

/** Take over a run that a window shows readable and writable, just before it hides it. */
void lot_park(struct lot *lot, char *at, size_t n, pfn_t pfn);
/** Show a run so at `at`. false: it is not there, and nothing is shown at `at`. */
bool lot_take(struct lot *lot, char *at, size_t n, pfn_t pfn);

#endif
