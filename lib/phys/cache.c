// SPDX-License-Identifier: MIT
/*
 * Frames that a task has at hand: free, but on no list.
 *
 *	slot   [pfn][pfn][pfn][ 0 ][ 0 ] ...      the task takes and gives at `top`
 *	                   '- top
 *
 * Most frames are taken and given one at a time, by a small mapping that comes and goes. A task that does so finds here
 * the frames that it gave last, warm and often still zeros, and asks nobody: two processes on two host threads share no
 * lock and no cache line for it. An empty cache fetches an aligned block, whose struct frames fill whole cache lines,
 * and more than a few, since processors fetch the next ones ahead and would take those of another task's away from it;
 * a full one gives back its older half.
 *
 * Only the task puts frames in, but everyone may take them out: whoever finds no frame left empties all caches before
 * he gives up. So a slot is filled by a store and emptied by an exchange, and a frame in a cache never makes an
 * allocation fail that could have had it.
 *
 * Where freed frames are poisoned there are no caches: there a frame shall come round to somebody else at once.
 *
 * I1  a frame is in at most one slot; it is FRAME_CACHED, on no list and on nobody's account, and what poison.c says of
 *     free frames holds for it
 * I2  slots at and above `top` are empty; so may be others, of which frames were taken
 *
 * Locking: phys->lock for the list of caches, to fetch, to give back and to empty; `top` is the task's own.
 * Linux: the per-CPU lists of mm/page_alloc.c.
 */
#include "phys/cache.h"

#include "phys/buddy.h"

enum { FETCH_ORDER = 5 };

_Static_assert(1 << FETCH_ORDER < FRAME_CACHE_SLOTS, "what is fetched fits");

static uint64_t empty_slot(struct frame_cache *cache, unsigned slot)
{
	if (__atomic_load_n(&cache->slot[slot], __ATOMIC_RELAXED) == 0)
		return 0;
	return __atomic_exchange_n(&cache->slot[slot], 0, __ATOMIC_ACQUIRE);
}

static void fill_slot(struct frame_cache *cache, unsigned slot, uint64_t pfn)
{
	__atomic_store_n(&cache->slot[slot], (uint32_t)pfn, __ATOMIC_RELEASE);
}

static void give_locked(struct phys *phys, uint64_t pfn)
{
	frame_set_use(&phys->frames[pfn], FRAME_FREE);
	buddy_give_locked(phys, pfn);
}

/* Put a frame in without a look at its use. */
static void push(struct frame_cache *cache, uint64_t pfn)
{
	fill_slot(cache, cache->top++, pfn);
}

void frame_cache_join(struct ctx *ctx, struct phys *phys, struct frame_cache *cache)
{
	if (phys->poison)
		return;
	mutex_lock(ctx, &phys->lock);
	LIST_INSERT_HEAD(&phys->caches, cache, link);
	mutex_unlock(ctx, &phys->lock);
	cache->joined = true;
}

static void drain_locked(struct phys *phys, struct frame_cache *cache)
{
	for (unsigned i = 0; i < FRAME_CACHE_SLOTS; i++) {
		uint64_t pfn = empty_slot(cache, i);

		if (pfn != 0)
			give_locked(phys, pfn);
	}
}

void frame_cache_leave(struct ctx *ctx, struct phys *phys, struct frame_cache *cache)
{
	if (!cache->joined)
		return;
	mutex_lock(ctx, &phys->lock);
	drain_locked(phys, cache);
	LIST_REMOVE(cache, link);
	mutex_unlock(ctx, &phys->lock);
	cache->joined = false;
}

uint64_t frame_cache_take(struct frame_cache *cache)
{
	while (cache->top > 0) {
		uint64_t pfn = empty_slot(cache, --cache->top);

		if (pfn != 0)
			return pfn;
	}
	return 0;
}

uint64_t frame_cache_fetch_locked(struct phys *phys, struct frame_cache *cache)
{
	unsigned order = FETCH_ORDER;
	uint64_t pfn;

	while ((pfn = buddy_take_locked(phys, order)) == 0 && order > 0)
		order--;
	if (pfn == 0)
		return 0;
	for (unsigned i = 0; i < 1u << order; i++)
		frame_set_use(&phys->frames[pfn + i], FRAME_CACHED);
	for (unsigned i = (1u << order) - 1; i > 0; i--)
		push(cache, pfn + i); /* the lowest is taken first, so that pages touched in order lie in order */
	return pfn;
}

/* Make room: the older half goes back, the others move down. */
static void give_back(struct ctx *ctx, struct phys *phys, struct frame_cache *cache)
{
	mutex_lock(ctx, &phys->lock);
	for (unsigned i = 0; i < FRAME_CACHE_SLOTS; i++) {
		uint64_t pfn = empty_slot(cache, i);

		if (i < FRAME_CACHE_SLOTS / 2) {
			if (pfn != 0)
				give_locked(phys, pfn);
		} else {
			fill_slot(cache, i - FRAME_CACHE_SLOTS / 2, pfn);
		}
	}
	mutex_unlock(ctx, &phys->lock);
	cache->top = FRAME_CACHE_SLOTS / 2;
}

void frame_cache_give(struct ctx *ctx, struct phys *phys, struct frame_cache *cache, uint64_t pfn)
{
	if (unlikely(cache->top == FRAME_CACHE_SLOTS))
		give_back(ctx, phys, cache);
	frame_set_use(&phys->frames[pfn], FRAME_CACHED);
	push(cache, pfn);
}

void frame_caches_drain_locked(struct phys *phys)
{
	struct frame_cache *cache;

	LIST_FOREACH(cache, &phys->caches, link)
		drain_locked(phys, cache);
}

uint64_t frame_caches_count_locked(const struct phys *phys)
{
	const struct frame_cache *cache;
	uint64_t n = 0;

	LIST_FOREACH(cache, &phys->caches, link)
		for (unsigned i = 0; i < FRAME_CACHE_SLOTS; i++)
			n += __atomic_load_n(&cache->slot[i], __ATOMIC_RELAXED) != 0;
	return n;
}
