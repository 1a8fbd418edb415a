/* SPDX-License-Identifier: MIT */
/*
 * Free frames that a task has at hand, so that taking one and giving it back needs no lock.
 */
#ifndef PHYS_CACHE_H
#define PHYS_CACHE_H

#include "phys/phys.h"

#define FRAME_CACHE_SLOTS 256

/* Embedded in a task; all zero is an empty one that has not joined. t of the thread that acts as the task */
struct frame_cache {
	uint32_t slot[FRAME_CACHE_SLOTS] __attribute__((aligned(64))); /* a  a pfn, or 0 */
	unsigned top;                                                  /* t */
	bool joined;                                                   /* c  it is on the list */
	LIST_ENTRY(frame_cache) link;                                  /* f  of phys->caches */
};

/** From here on the cache may be the `frames` of a ctx; nothing where frames are poisoned. */
void frame_cache_join(struct ctx *ctx, struct phys *phys, struct frame_cache *cache);
/** Give all of it back; nobody acts as the task any more. Nothing if it has not joined. */
void frame_cache_leave(struct ctx *ctx, struct phys *phys, struct frame_cache *cache);

/** The frame that was given last; 0: there is none. It is to be marked as used. */
uint64_t frame_cache_take(struct frame_cache *cache);
/** Take a frame, and more for the cache, which is empty: the frame, to be marked as used; 0: none is on the lists. */
uint64_t frame_cache_fetch_locked(struct phys *phys, struct frame_cache *cache);
/** Keep a frame that was freed. */
void frame_cache_give(struct ctx *ctx, struct phys *phys, struct frame_cache *cache, uint64_t pfn);

/** Empty all caches. */
void frame_caches_drain_locked(struct phys *phys);
/** Frames in all caches; exact when no call is under way. */
uint64_t frame_caches_count_locked(const struct phys *phys);

#endif
