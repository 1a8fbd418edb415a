// SPDX-License-Identifier: MIT
/*
 * Kernel objects from the host's malloc.
 *
 * No cache of our own sits in between: each object stays one allocation that the address sanitizer, LeakSanitizer
 * and valgrind know, and a planned failure is asked for before anything else happens. Who has so many of a kind that it
 * matters where they lie in the host's memory asks for a block, and takes it apart.
 *
 * The machine's account is in several parts, so that two processes on two host threads do not write the same cache
 * line. An object's part follows from its address: a malloc gives each thread regions of its own, and whoever frees the
 * object finds the same part. The sum is exact when no call is under way.
 *
 * I1  each part of env->kmem is the sum and the number of its objects not yet freed
 *
 * Locking: none.
 * Linux: mm/slub.c; failslab is FAIL_KMEM.
 */
#include "host/kmem.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* glibc's regions, which are the largest. */
enum { REGION_SHIFT = 26 };

static struct kmem_account *account_of(struct env *env, const void *memory)
{
	return &env->kmem[((uintptr_t)memory >> REGION_SHIFT) % KMEM_ACCOUNTS];
}

static void account(struct env *env, const void *memory, size_t size)
{
	struct kmem_account *account = account_of(env, memory);

	__atomic_fetch_add(&account->bytes, size, __ATOMIC_RELAXED);
	__atomic_fetch_add(&account->count, 1, __ATOMIC_RELAXED);
}

/* Not by calloc, which passes by the cache of small pieces that malloc keeps for each thread; nor may the compiler. */
static void zero(void *memory, size_t size)
{
	__asm__("" : "+r"(memory));
	memset(memory, 0, size);
}

void *kmem_alloc(struct ctx *ctx, size_t size)
{
	void *memory;

	KSIM_ASSERT(ctx, size > 0, "a kernel object has a size", "%zu bytes", size);
	if (env_fails(ctx, FAIL_KMEM))
		return NULL;
	memory = malloc(size);
	if (memory == NULL)
		return NULL;
	zero(memory, size);
	account(ctx->env, memory, size);
	return memory;
}

void *kmem_alloc_block(struct ctx *ctx)
{
	void *memory;

	if (env_fails(ctx, FAIL_KMEM))
		return NULL;
	if (posix_memalign(&memory, KMEM_BLOCK_BYTES, KMEM_BLOCK_BYTES) != 0)
		return NULL;
	madvise(memory, KMEM_BLOCK_BYTES, MADV_HUGEPAGE); /* if it can */
	zero(memory, KMEM_BLOCK_BYTES);
	account(ctx->env, memory, KMEM_BLOCK_BYTES);
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
	zero(memory, size);
	account(ctx->env, memory, size);
	return memory;
}

void kmem_free(struct env *env, void *memory, size_t size)
{
	struct kmem_account *account = account_of(env, memory);
	size_t bytes;

	if (memory == NULL)
		return;
	bytes = __atomic_fetch_sub(&account->bytes, size, __ATOMIC_RELAXED);
	__atomic_fetch_sub(&account->count, 1, __ATOMIC_RELAXED);
	KSIM_ASSERT(NULL, bytes >= size, "kmem I1: no more is freed than was allocated", "%zu of %zu bytes", size,
	            bytes);
	free(memory);
}

size_t kmem_bytes(const struct env *env)
{
	size_t bytes = 0;

	for (unsigned i = 0; i < KMEM_ACCOUNTS; i++)
		bytes += __atomic_load_n(&env->kmem[i].bytes, __ATOMIC_RELAXED);
	return bytes;
}

size_t kmem_count(const struct env *env)
{
	size_t count = 0;

	for (unsigned i = 0; i < KMEM_ACCOUNTS; i++)
		count += __atomic_load_n(&env->kmem[i].count, __ATOMIC_RELAXED);
	return count;
}
