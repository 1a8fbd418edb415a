/* SPDX-License-Identifier: MIT */
/*
 * Kernel objects of one size, of which there are so many that it matters where they lie in the host's memory.
 */
#ifndef HOST_SLAB_H
#define HOST_SLAB_H

#include "host/kmem.h"

struct slab_block;
struct slab_piece;

/* Where it is embedded it is to be zeroed; then it is empty. l slab lock */
struct slab {
	uint32_t lock;             /* RANK_SLAB */
	struct slab_block *blocks; /* l  newest first */
	struct slab_piece *free;   /* l  given back */
	size_t live;               /* l  in use */
};

/** Zeroed memory for one object, aligned to a cache line; NULL: none. size: always the same for a slab. */
void *slab_alloc(struct ctx *ctx, struct slab *slab, size_t size) __attribute__((malloc, warn_unused_result));
/** With the last object the slab gives back all of its memory. */
void slab_free(struct ctx *ctx, struct slab *slab, void *memory);

#endif
