// SPDX-License-Identifier: MIT
/*
 * Promises to a private mapping of huge pages.
 *
 *	mmap ------> owed --- cash: touched --------> in the page table
 *	              |  <--- renew: taken away again ---'
 *	              '----- drop: unmapped ----------> nothing
 *
 * VMAs that were one when they were mapped share one promise, by page index, so cutting and moving them costs nothing.
 * Who made the mapping has it; a child of fork has none, and gets what is left in the pool.
 *
 * I1  what is owed is promised by the pool, in number
 *
 * Locking: bits and references are atomic; the pool's lock inside. Linux: struct resv_map in mm/hugetlb.c.
 */
#include "mm/promise.h"

#include <errno.h>

#include "host/kmem.h"
#include "phys/pool.h"

struct promise {
	uint64_t refs;   /* a */
	uint64_t first;  /* c  index of the first page */
	uint64_t npages; /* c */
	uint64_t owed[]; /* a  a bit for each page */
};

static size_t bytes_for(uint64_t npages)
{
	return sizeof(struct promise) + (npages + 63) / 64 * sizeof(uint64_t);
}

static uint64_t *word_of(struct promise *promise, uint64_t page, uint64_t *bit)
{
	uint64_t index = page - promise->first;

	KSIM_ASSERT(NULL, index < promise->npages, "a page of the mapping is asked for", "%llu of %llu",
	            (unsigned long long)index, (unsigned long long)promise->npages);
	*bit = UINT64_C(1) << index % 64;
	return &promise->owed[index / 64];
}

int promise_create(struct ctx *ctx, uint64_t first, uint64_t n, struct promise **out)
{
	struct promise *promise;

	if (pool_promise(ctx, n, true) < 0)
		return -ENOMEM;
	promise = kmem_alloc(ctx, bytes_for(n));
	if (promise == NULL) {
		pool_unpromise(ctx, n);
		return -ENOMEM;
	}
	promise->refs = 1;
	promise->first = first;
	promise->npages = n;
	for (uint64_t i = 0; i < n; i++)
		promise->owed[i / 64] |= UINT64_C(1) << i % 64;
	*out = promise;
	return 0;
}

void promise_get(struct promise *promise)
{
	if (promise != NULL)
		__atomic_fetch_add(&promise->refs, 1, __ATOMIC_RELAXED);
}

void promise_put(struct ctx *ctx, struct promise *promise)
{
	if (promise == NULL || __atomic_sub_fetch(&promise->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	promise_drop(ctx, promise, promise->first, promise->npages);
	kmem_free(ctx->env, promise, bytes_for(promise->npages));
}

bool promise_cash(struct promise *promise, uint64_t page)
{
	uint64_t bit, *word;

	if (promise == NULL)
		return false;
	word = word_of(promise, page, &bit);
	return __atomic_fetch_and(word, ~bit, __ATOMIC_ACQ_REL) & bit;
}

void promise_restore(struct promise *promise, uint64_t page)
{
	uint64_t bit, *word = word_of(promise, page, &bit);

	__atomic_fetch_or(word, bit, __ATOMIC_ACQ_REL);
}

void promise_renew(struct ctx *ctx, struct promise *promise, uint64_t page)
{
	if (promise != NULL && pool_renew(ctx))
		promise_restore(promise, page);
}

void promise_drop(struct ctx *ctx, struct promise *promise, uint64_t first, uint64_t n)
{
	uint64_t dropped = 0;

	for (uint64_t i = 0; promise != NULL && i < n; i++)
		dropped += promise_cash(promise, first + i);
	if (dropped > 0)
		pool_unpromise(ctx, dropped);
}
