// SPDX-License-Identifier: MIT
/*
 * Objects of one size, close to each other.
 *
 * A search among very many objects goes to one that the processor has nowhere at hand; and if they lie far apart, among
 * all else that was made with them, then it does not have the translation of its address either. Here they come from
 * blocks of 2 MiB, which the host is asked to map as one page each:
 *
 *	slab.blocks --> [head][obj][obj][obj][    ] --> [head][obj][obj] ...
 *	slab.free ---------------'---------------------------'
 *
 * Tools that watch each object see blocks only, so this is for whoever has thousands; and the first few of those may
 * still come from elsewhere.
 *
 * I1  a piece of a block is in use and counted in `live`, or on the list `free`, or lies beyond the block's `used`
 * I2  there are blocks only while a piece is in use
 *
 * Locking: the slab's, a spin lock. Linux: mm/slub.c. Not modelled: more than one size, blocks that go one by one.
 */
#include "host/slab.h"

#include <string.h>

#include "host/lock.h"

enum { PIECE_ALIGN = 64 }; /* a cache line */

struct slab_block {
	struct slab_block *next;
	size_t used; /* bytes, with this head; the rest has never been used */
};

struct slab_piece {
	struct slab_piece *next;
};

static size_t stride_of(size_t size)
{
	return (size + PIECE_ALIGN - 1) & ~(size_t)(PIECE_ALIGN - 1);
}

static bool has_room(const struct slab_block *block, size_t size)
{
	return block != NULL && block->used + stride_of(size) <= KMEM_BLOCK_BYTES;
}

/* From a block whose rest has room for it, or from a new one. */
static void *carve_locked(struct ctx *ctx, struct slab *slab, size_t size)
{
	struct slab_block *block = slab->blocks;
	void *piece;

	if (!has_room(block, size)) {
		block = kmem_alloc_block(ctx);
		if (block == NULL)
			return NULL;
		block->used = PIECE_ALIGN;
		block->next = slab->blocks;
		slab->blocks = block;
	}
	piece = (char *)block + block->used;
	block->used += stride_of(size);
	return piece;
}

void *slab_alloc(struct ctx *ctx, struct slab *slab, size_t size)
{
	void *memory;

	spin_lock(ctx, &slab->lock, RANK_SLAB);
	memory = slab->free;
	if (memory != NULL)
		slab->free = slab->free->next;
	else
		memory = carve_locked(ctx, slab, size);
	slab->live += memory != NULL;
	spin_unlock(ctx, &slab->lock, RANK_SLAB);
	if (memory != NULL)
		memset(memory, 0, size);
	return memory;
}

void slab_free(struct ctx *ctx, struct slab *slab, void *memory)
{
	struct slab_block *blocks = NULL;
	struct slab_piece *piece = memory;

	spin_lock(ctx, &slab->lock, RANK_SLAB);
	KSIM_ASSERT(ctx, slab->live > 0, "slab I1: what is given back was in use", "%p", memory);
	piece->next = slab->free;
	slab->free = piece;
	if (--slab->live == 0) {
		blocks = slab->blocks;
		slab->blocks = NULL;
		slab->free = NULL;
	}
	spin_unlock(ctx, &slab->lock, RANK_SLAB);
	while (blocks != NULL) {
		struct slab_block *block = blocks;

		blocks = block->next;
		kmem_free(ctx->env, block, KMEM_BLOCK_BYTES);
	}
}
