// SPDX-License-Identifier: MIT
/*
 * Frames in use: references, accounts, content.
 *
 * A frame is taken and marked under the allocator's lock, or taken from the cache of the task that asks (cache.c); its
 * content is verified and zeroed after that, and poisoned before it is given back, so no page is ever filled under the
 * lock.
 *
 * A frame is charged to ctx->owner and remembers that account's id, for the last reference may be dropped by somebody
 * else: a page of a file by whoever truncates it, a page that fork shared by the child. The usual case, that the owner
 * itself frees it, needs no lock. Otherwise the account is looked up by id; when it has ended, its counts have gone to
 * the machine's own account, and the frame comes off there. An account may be in a group with a limit (group.c): that
 * is asked before a frame is taken, and told when one is freed.
 *
 * I1  a frame in use has at least one reference; its last put frees it, and no page table points to it then
 * I2  a frame in use counts once on one account: that of its `owner`, or the machine's own if that has ended
 *
 * Locking: phys->lock to take and give; references are atomic; no other lock is held for accounts but their own leaf.
 * Linux: mm/page_alloc.c, include/linux/page_ref.h, mm/memcontrol.c. Not modelled: folios.
 */
#include "phys/phys.h"

#include <errno.h>

#include "base/rawcopy.h"
#include "phys/buddy.h"
#include "phys/cache.h"
#include "phys/group.h"
#include "phys/poison.h"
#include "phys/pool.h"

static void charge(struct ctx *ctx, enum frame_use use, long n)
{
	census_add_laned(ctx, ctx->owner, CENSUS_FRAME, n);
	if (use == FRAME_TABLE)
		census_add_laned(ctx, ctx->owner, CENSUS_TABLE, n);
}

static void uncharge(struct ctx *ctx, uint32_t id, enum frame_use use, long n)
{
	struct env *env = ctx->env;

	if (likely(id == ctx->owner->id)) {
		charge(ctx, use, -n);
		return;
	}
	census_add_to(&env->owners, id, &env->self, CENSUS_FRAME, -n);
	if (use == FRAME_TABLE)
		census_add_to(&env->owners, id, &env->self, CENSUS_TABLE, -n);
}

/** Frames that were just taken, by whoever holds the lock or from his cache, become the caller's. */
static void mark_used(struct phys *phys, uint64_t pfn, uint64_t n, enum frame_use use, uint32_t owner)
{
	for (struct frame *frame = &phys->frames[pfn]; n > 0; n--, frame++) {
		frame->refs = 1;
		frame_set_pooled(frame, false);
		__atomic_store_n(&frame->mappers, 0, __ATOMIC_RELAXED);
		__atomic_store_n(&frame->owner, owner, __ATOMIC_RELAXED);
		frame_set_use(frame, use);
	}
}

/** A block from the lists, and if need be from what the caches have. Allocator's lock held. */
static uint64_t take_block_locked(struct ctx *ctx, struct phys *phys, unsigned order)
{
	uint64_t pfn;

	if (order == 0 && ctx->frames != NULL)
		pfn = frame_cache_fetch_locked(phys, ctx->frames);
	else
		pfn = buddy_take_locked(phys, order);
	if (unlikely(pfn == 0)) {
		frame_caches_drain_locked(phys);
		pfn = buddy_take_locked(phys, order);
	}
	return pfn;
}

int frame_alloc(struct ctx *ctx, enum frame_use use, unsigned flags, pfn_t *out)
{
	struct phys *phys = ctx->env->phys;
	uint32_t group;

	if (ctx->frames == NULL)
		return frame_alloc_block(ctx, use, 0, flags, out);
	if (env_fails(ctx, FAIL_FRAME) || group_charge(ctx, 1, true, &group) < 0)
		return -ENOMEM;
	out->n = frame_cache_take(ctx->frames);
	if (out->n != 0) {
		mark_used(phys, out->n, 1, use, ctx->owner->id);
	} else {
		mutex_lock(ctx, &phys->lock);
		out->n = take_block_locked(ctx, phys, 0);
		if (out->n != 0)
			mark_used(phys, out->n, 1, use, ctx->owner->id);
		mutex_unlock(ctx, &phys->lock);
		if (out->n == 0) {
			group_uncharge(phys, group, 1);
			return -ENOMEM;
		}
	}
	group_mark(phys, group, out->n, 1);
	charge(ctx, use, 1);
	poison_lift(ctx, phys, *out, flags);
	return 0;
}

int frame_alloc_block(struct ctx *ctx, enum frame_use use, unsigned order, unsigned flags, pfn_t *first)
{
	struct phys *phys = ctx->env->phys;
	uint64_t n = UINT64_C(1) << order;
	uint32_t group;
	uint64_t pfn;

	KSIM_ASSERT(ctx, order < FRAME_ORDERS, "a block's order is below FRAME_ORDERS", "order %u", order);
	if (env_fails(ctx, FAIL_FRAME) || group_charge(ctx, n, order == 0, &group) < 0)
		return -ENOMEM;
	mutex_lock(ctx, &phys->lock);
	pfn = take_block_locked(ctx, phys, order);
	if (likely(pfn != 0))
		mark_used(phys, pfn, n, use, ctx->owner->id);
	mutex_unlock(ctx, &phys->lock);
	if (pfn == 0) {
		group_uncharge(phys, group, n);
		return -ENOMEM;
	}
	group_mark(phys, group, pfn, n);
	charge(ctx, use, (long)n);
	for (uint64_t i = 0; i < n && !(flags & FRAME_AS_IT_IS); i++)
		poison_lift(ctx, phys, (pfn_t){ pfn + i }, flags);
	first->n = pfn;
	return 0;
}

int frame_alloc_many(struct ctx *ctx, enum frame_use use, unsigned flags, pfn_t *out, size_t n)
{
	struct phys *phys = ctx->env->phys;
	uint32_t group;

	for (size_t i = 0; i < n; i++)
		if (env_fails(ctx, FAIL_FRAME))
			return -ENOMEM;
	if (group_charge(ctx, n, true, &group) < 0)
		return -ENOMEM;
	mutex_lock(ctx, &phys->lock);
	if (unlikely(phys->nfree < n))
		frame_caches_drain_locked(phys);
	if (phys->nfree < n) {
		mutex_unlock(ctx, &phys->lock);
		group_uncharge(phys, group, n);
		return -ENOMEM;
	}
	for (size_t done = 0; done < n;) {
		uint64_t got;
		uint64_t pfn = buddy_take_run_locked(phys, n - done, &got);

		KSIM_ASSERT(ctx, pfn != 0, "nfree frames can be allocated", "%zu of %zu, nfree %llu", done, n,
		            (unsigned long long)phys->nfree);
		mark_used(phys, pfn, got, use, ctx->owner->id);
		group_mark(phys, group, pfn, got);
		while (got-- > 0)
			out[done++].n = pfn++;
	}
	mutex_unlock(ctx, &phys->lock);
	charge(ctx, use, (long)n);
	for (size_t i = 0; i < n; i++)
		poison_lift(ctx, phys, out[i], flags);
	return 0;
}

void frame_get(struct phys *phys, pfn_t pfn)
{
	uint32_t was = __atomic_fetch_add(&frame_of(phys, pfn)->refs, 1, __ATOMIC_RELAXED);

	KSIM_ASSERT(NULL, was != 0 && was != UINT32_MAX && frame_of(phys, pfn)->use > FRAME_RESERVED,
	            "a reference is taken of a frame in use", "pfn %#llx, use %u, references %u",
	            (unsigned long long)pfn.n, frame_of(phys, pfn)->use, was);
}

/* Frames of a huge page that nobody holds any more wait in the pool until all of them have come. */
static void rest(struct ctx *ctx, struct phys *phys, pfn_t pfn, uint32_t n)
{
	struct env *env = ctx->env;
	struct block *block = &phys->blocks[pfn.n >> HUGE_ORDER];

	census_add(&env->self, CENSUS_FRAME, n);
	for (struct frame *frame = frame_of(phys, pfn), *end = frame + n; frame < end; frame++) {
		frame->refs = 1;
		__atomic_store_n(&frame->owner, env->self.id, __ATOMIC_RELAXED);
		frame_set_use(frame, FRAME_POOL);
	}
	if (__atomic_add_fetch(&block->home, n, __ATOMIC_ACQ_REL) < HUGE_FRAMES)
		return;
	__atomic_store_n(&block->home, 0, __ATOMIC_RELAXED);
	pool_give(ctx, phys, (pfn_t){ pfn.n & ~(HUGE_FRAMES - 1) });
}

static void free_frame(struct ctx *ctx, struct phys *phys, pfn_t pfn, bool zeros)
{
	struct frame *frame = frame_of(phys, pfn);
	enum frame_use use = frame->use;

	KSIM_ASSERT(ctx, frame->mappers == 0, "a frame is freed unmapped and unlocked",
	            "pfn %#llx, use %u, mappers or lock %u", (unsigned long long)pfn.n, use, frame->mappers);
	uncharge(ctx, frame->owner, use, 1);
	group_forget(phys, pfn.n, 1);
	poison_frame(phys, pfn);
	frame->recycled = true;
	__atomic_store_n(&frame->zeros, zeros && !phys->poison, __ATOMIC_RELAXED);
	if (unlikely(frame_pooled(frame))) {
		rest(ctx, phys, pfn, 1);
		return;
	}
	if (ctx->frames != NULL) {
		frame_cache_give(ctx, phys, ctx->frames, pfn.n);
		return;
	}
	mutex_lock(ctx, &phys->lock);
	frame_set_use(frame, FRAME_FREE);
	buddy_give_locked(phys, pfn.n);
	mutex_unlock(ctx, &phys->lock);
}

void frame_put(struct ctx *ctx, pfn_t pfn)
{
	struct phys *phys = ctx->env->phys;
	uint32_t was;

	KSIM_ASSERT(ctx, pfn.n < phys->nframes && frame_of(phys, pfn)->use > FRAME_RESERVED,
	            "a reference is put of a frame in use", "pfn %#llx", (unsigned long long)pfn.n);
	was = __atomic_fetch_sub(&frame_of(phys, pfn)->refs, 1, __ATOMIC_ACQ_REL);
	KSIM_ASSERT(ctx, was != 0, "a reference is put once", "pfn %#llx", (unsigned long long)pfn.n);
	if (was == 1)
		free_frame(ctx, phys, pfn, false);
}

void frame_block_rest(struct ctx *ctx, pfn_t head)
{
	struct phys *phys = ctx->env->phys;
	struct frame *frame = frame_of(phys, head);

	for (uint64_t i = 0; i < HUGE_FRAMES; i++) {
		KSIM_ASSERT(ctx, frame[i].mappers == 0, "a frame is freed unmapped", "pfn %#llx, use %u, mappers %u",
		            (unsigned long long)(head.n + i), frame[i].use, frame[i].mappers);
		poison_frame(phys, (pfn_t){ head.n + i });
		frame[i].recycled = true;
		frame[i].zeros = false;
	}
}

/* Frames of an aligned block, whose last references have gone, all of one account. */
static void free_block(struct ctx *ctx, struct phys *phys, pfn_t head)
{
	struct frame *frame = frame_of(phys, head);
	enum frame_use use = frame_use(frame);

	uncharge(ctx, frame->owner, use, (long)HUGE_FRAMES);
	group_forget(phys, head.n, HUGE_FRAMES);
	if (use != FRAME_POOL)
		frame_block_rest(ctx, head);
	if (frame_pooled(frame)) {
		rest(ctx, phys, head, HUGE_FRAMES);
		return;
	}
	mutex_lock(ctx, &phys->lock);
	for (uint64_t i = 0; i < HUGE_FRAMES; i++)
		frame_set_use(&frame[i], FRAME_FREE);
	buddy_give_block_locked(phys, head.n, HUGE_ORDER);
	mutex_unlock(ctx, &phys->lock);
}

void frame_put_block(struct ctx *ctx, pfn_t head)
{
	struct phys *phys = ctx->env->phys;
	struct frame *frame = frame_of(phys, head);
	uint64_t last[HUGE_FRAMES / 64] = { 0 };
	uint64_t nlast = 0, same = 0;

	for (uint64_t i = 0; i < HUGE_FRAMES; i++) {
		uint32_t was = __atomic_fetch_sub(&frame[i].refs, 1, __ATOMIC_ACQ_REL);

		KSIM_ASSERT(ctx, was != 0, "a reference is put once", "pfn %#llx", (unsigned long long)(head.n + i));
		nlast += was == 1;
		last[i / 64] |= (uint64_t)(was == 1) << i % 64;
	}
	while (nlast == HUGE_FRAMES && same < HUGE_FRAMES && frame[same].owner == frame->owner &&
	       frame[same].use == frame->use)
		same++;
	if (same == HUGE_FRAMES) {
		free_block(ctx, phys, head);
		return;
	}
	for (uint64_t i = 0; i < HUGE_FRAMES && nlast > 0; i++)
		if (last[i / 64] >> i % 64 & 1)
			free_frame(ctx, phys, (pfn_t){ head.n + i }, false);
}

void frame_put_zeros(struct ctx *ctx, pfn_t pfn)
{
	struct phys *phys = ctx->env->phys;

	KSIM_ASSERT(ctx, frame_refs(phys, pfn) == 1, "a frame of zeros is given back by its only holder",
	            "pfn %#llx, references %u", (unsigned long long)pfn.n, frame_refs(phys, pfn));
	__atomic_store_n(&frame_of(phys, pfn)->refs, 0, __ATOMIC_RELAXED);
	free_frame(ctx, phys, pfn, true);
}

void frame_copy(const struct phys *phys, pfn_t to, pfn_t from)
{
	raw_copy(frame_ptr(phys, to), frame_ptr(phys, from), PAGE_BYTES);
}
