// SPDX-License-Identifier: MIT
/*
 * Objects of one size, close to each other.
 *
 * A search among very many objects goes to one that the processor has nowhere at hand; and if they lie far apart, among
 * all else that was made with them, then it does not have the translation of its address either. Here they come from
 * blocks of 2 MiB, which the host is asked to map as one page each:
 *
 *	pool.blocks --> [head][obj][obj][obj][    ] --> [head][obj][obj] ...
 *	pool.free ---------------'---------------------------'
 *
 * Tools that watch each object see blocks only, so this is for whoever has thousands; and the first few of those may
 * still come from elsewhere.
 *
 * I1  a piece of a block is in use and counted in `live`, or on the list `free`, or lies beyond the block's `used`
 * I2  there are blocks only while a piece is in use
 *
 * Locking: the pool's, a spin lock. Linux: mm/slub.c. Not modelled: more than one size, blocks that go one by one.
 */
#include "host/pool.h"

#include <string.h>

#include "host/lock.h"

enum { PIECE_ALIGN = 64 }; /* a cache line */

struct pool_block {
	struct pool_block *next;
	size_t used; /* bytes, with this head; the rest has never been used */
};

struct pool_piece {
	struct pool_piece *next;
};

static size_t stride_of(size_t size)
{
	return (size + PIECE_ALIGN - 1) & ~(size_t)(PIECE_ALIGN - 1);
}

static bool has_room(const struct pool_block *block, size_t size)
{
	return block != NULL && block->used + stride_of(size) <= KMEM_BLOCK_BYTES;
}

/* From a block whose rest has room for it, or from a new one. */
static void *carve_locked(struct ctx *ctx, struct pool *pool, size_t size)
{
	struct pool_block *block = pool->blocks;
	void *piece;

	if (!has_room(block, size)) {
		block = kmem_alloc_block(ctx);
		if (block == NULL)
			return NULL;
		block->used = PIECE_ALIGN;
		block->next = pool->blocks;
		pool->blocks = block;
	}
	piece = (char *)block + block->used;
	block->used += stride_of(size);
	return piece;
}

void *pool_alloc(struct ctx *ctx, struct pool *pool, size_t size)
{
	void *memory;

	spin_lock(ctx, &pool->lock, RANK_POOL);
	memory = pool->free;
	if (memory != NULL)
		pool->free = pool->free->next;
	else
		memory = carve_locked(ctx, pool, size);
	pool->live += memory != NULL;
	spin_unlock(ctx, &pool->lock, RANK_POOL);
	if (memory != NULL)
		memset(memory, 0, size);
	return memory;
}

void pool_free(struct ctx *ctx, struct pool *pool, void *memory)
{
	struct pool_block *blocks = NULL;
	struct pool_piece *piece = memory;

	spin_lock(ctx, &pool->lock, RANK_POOL);
	KSIM_ASSERT(ctx, pool->live > 0, "pool I1: what is given back was in use", "%p", memory);
	piece->next = pool->free;
	pool->free = piece;
	if (--pool->live == 0) {
		blocks = pool->blocks;
		pool->blocks = NULL;
		pool->free = NULL;
	}
	spin_unlock(ctx, &pool->lock, RANK_POOL);
	while (blocks != NULL) {
		struct pool_block *block = blocks;

		blocks = block->next;
		kmem_free(ctx->env, block, KMEM_BLOCK_BYTES);
	}
}
