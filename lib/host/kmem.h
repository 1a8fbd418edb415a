/* SPDX-License-Identifier: MIT */
/*
 * Kernel objects: host malloc through one wrapper that accounts, can fail on purpose (FAIL_KMEM), and leaves
 * every object visible to the sanitizers and to valgrind.
 */
#ifndef HOST_KMEM_H
#define HOST_KMEM_H

#include "base/env.h"

/** Zeroed memory for one object; NULL when there is none. size > 0, and must be given again to kmem_free. */
void *kmem_alloc(struct ctx *ctx, size_t size) __attribute__((malloc, alloc_size(2), warn_unused_result));
/** Likewise aligned; align is a power of two, a multiple of sizeof(void *). */
void *kmem_alloc_aligned(struct ctx *ctx, size_t size, size_t align) __attribute__((malloc, warn_unused_result));
/** Bytes of a block, and what it is aligned to: what the host may map as one page. */
#define KMEM_BLOCK_BYTES (UINT64_C(2) << 20)
/** A block for many small objects, that the host is asked to map as one page. It counts as one object. */
void *kmem_alloc_block(struct ctx *ctx) __attribute__((malloc, warn_unused_result));
/** NULL is legal. */
void kmem_free(struct env *env, void *memory, size_t size);
/** Kernel objects alive: what was asked for, and how many. */
size_t kmem_bytes(const struct env *env);
size_t kmem_count(const struct env *env);

#endif
