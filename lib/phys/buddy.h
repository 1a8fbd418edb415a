/* SPDX-License-Identifier: MIT */
/*
 * The free frames of a machine, within phys. The caller of every function here holds phys->lock.
 */
#ifndef PHYS_BUDDY_H
#define PHYS_BUDDY_H

#include "phys/phys.h"

/**
 * Take an aligned block of 2^order frames.
 * The caller marks them as used before it lets go of the lock or calls any other function of this file.
 * @return the first pfn; 0 if there is no such block
 */
uint64_t buddy_take_locked(struct phys *phys, unsigned order);

/**
 * Take a run of 1 to n frames, as long as is easily had; n > 0. To be marked as above. Where n is that of a block of
 * 2 MiB, and such are wanted, it is an aligned one if there is any.
 * @param got  out: its length
 * @return the first pfn; 0 if no frame is free
 */
uint64_t buddy_take_run_locked(struct phys *phys, uint64_t n, uint64_t *got);

/** Give one frame back whose `use` is FRAME_FREE again. */
void buddy_give_locked(struct phys *phys, uint64_t pfn);
/** Give an aligned block of 2^order frames back, likewise. */
void buddy_give_block_locked(struct phys *phys, uint64_t pfn, unsigned order);

#endif
