/* SPDX-License-Identifier: MIT */
/*
 * Reference counts. A put that reaches zero only queues the thing on its caller's drop list (see ctx.h), so
 * that nothing dies under a lock and no chain of puts overflows the stack.
 */
#ifndef BASE_REF_H
#define BASE_REF_H

#include "base/check.h"
#include "base/ctx.h"

struct ref {
	uint32_t count; /* atomic */
	struct drop drop;
};

static inline void ref_init(struct ref *ref)
{
	ref->count = 1;
}

static inline uint32_t ref_count(const struct ref *ref)
{
	return __atomic_load_n(&ref->count, __ATOMIC_RELAXED);
}

/** The caller already holds a reference, or a lock under which the last one cannot go. */
static inline void ref_get(struct ref *ref)
{
	uint32_t was = __atomic_fetch_add(&ref->count, 1, __ATOMIC_RELAXED);

	KSIM_ASSERT(NULL, was != 0 && was < UINT32_MAX, "a reference is taken from a live thing", "count %u", was);
}

/** Take a reference unless the last one has gone. */
static inline bool ref_get_unless_zero(struct ref *ref)
{
	uint32_t was = __atomic_load_n(&ref->count, __ATOMIC_RELAXED);

	while (was != 0)
		if (__atomic_compare_exchange_n(&ref->count, &was, was + 1, true, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			return true;
	return false;
}

static inline void ref_put(struct ctx *ctx, struct ref *ref, void (*destroy)(struct ctx *, struct drop *))
{
	uint32_t was = __atomic_fetch_sub(&ref->count, 1, __ATOMIC_ACQ_REL);

	KSIM_ASSERT(ctx, was != 0, "a reference is put once", "count %u", was);
	if (was == 1)
		ctx_drop(ctx, &ref->drop, destroy);
}

/** The thing in which a queued drop is embedded as member `ref`. */
#define ref_container(drop_ptr, type) \
	((type *)(void *)((char *)(drop_ptr)-offsetof(type, ref) - offsetof(struct ref, drop)))

#endif
