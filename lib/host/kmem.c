// SPDX-License-Identifier: MIT
/*
 * Kernel objects from the host's malloc.
 *
 * No cache of our own sits in between: each object stays one allocation that the address sanitizer, LeakSanitizer
 * and valgrind know, and a planned failure is asked for before anything else happens. The account is two words of
 * the machine, exact when no call is under way.
 *
 * I1  env->kmem_bytes and env->kmem_count are the sum and the number of the objects not yet freed
 *
 * Locking: none.
 * Linux: mm/slub.c; failslab is FAIL_KMEM.
 */
#include "host/kmem.h"

#include <stdlib.h>
#include <string.h>

static void account(struct env *env, size_t size)
{
	__atomic_fetch_add(&env->kmem_bytes, size, __ATOMIC_RELAXED);
	__atomic_fetch_add(&env->kmem_count, 1, __ATOMIC_RELAXED);
}

void *kmem_alloc(struct ctx *ctx, size_t size)
{
	void *memory;

	KSIM_ASSERT(ctx, size > 0, "a kernel object has a size", "%zu bytes", size);
	if (env_fails(ctx, FAIL_KMEM))
		return NULL;
	memory = calloc(1, size);
	if (memory != NULL)
		account(ctx->env, size);
	return memory;
}

void *kmem_alloc_aligned(struct ctx *ctx, size_t size, size_t align)
{
	void *memory;

	KSIM_ASSERT(ctx, size > 0, "a kernel object has a size", "%zu bytes", size);
	if (env_fails(ctx, FAIL_KMEM))
		return NULL;
	if (posix_memalign(&memory, align, size) != 0)
		return NULL;
	memset(memory, 0, size);
	account(ctx->env, size);
	return memory;
}

void kmem_free(struct env *env, void *memory, size_t size)
{
	size_t bytes;

	if (memory == NULL)
		return;
	bytes = __atomic_fetch_sub(&env->kmem_bytes, size, __ATOMIC_RELAXED);
	__atomic_fetch_sub(&env->kmem_count, 1, __ATOMIC_RELAXED);
	KSIM_ASSERT(NULL, bytes >= size, "kmem I1: no more is freed than was allocated", "%zu of %zu bytes", size,
	            bytes);
	free(memory);
}
