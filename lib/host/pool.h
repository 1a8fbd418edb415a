/* SPDX-License-Identifier: MIT */
/*
 * Kernel objects of one size, of which there are so many that it matters where they lie in the host's memory.
 */
#ifndef HOST_POOL_H
#define HOST_POOL_H

#include "host/kmem.h"

struct pool_block;
struct pool_piece;

/* Where it is embedded it is to be zeroed; then it is empty. l pool lock */
struct pool {
	uint32_t lock;             /* RANK_POOL */
	struct pool_block *blocks; /* l  newest first */
	struct pool_piece *free;   /* l  given back */
	size_t live;               /* l  in use */
};

/** Zeroed memory for one object, aligned to a cache line; NULL: none. size: always the same for a pool. */
void *pool_alloc(struct ctx *ctx, struct pool *pool, size_t size) __attribute__((malloc, warn_unused_result));
/** With the last object the pool gives back all of its memory. */
void pool_free(struct ctx *ctx, struct pool *pool, void *memory);

#endif
