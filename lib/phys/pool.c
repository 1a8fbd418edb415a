// SPDX-License-Identifier: MIT
/*
 * The pool of huge pages: blocks of 2 MiB that were taken out of RAM before anybody needs them.
 *
 *	RAM --- resize, surplus ---> [ pool: free, promised ] --- take ---> in use --- last reference ---> pool
 *	    <-- resize, surplus ----                                                                  '--> RAM
 *
 * Promises are what makes mmap of such pages reliable: a promised page is there when it is touched, whoever else asks
 * meanwhile. A promise is for no page in particular; it is a number that keeps others from the last pages.
 *
 * The frames of a free page are in use as far as the allocator of frames goes: they are FRAME_POOL, with a reference
 * each, on the machine's own account; their content is what a free frame's is. While the page is in use its frames are
 * those of their user, and `pooled` tells where they go when their last references are dropped. That may be one by one,
 * since a call that reads a file holds only the frame that it reads: block->home counts those that have come, and with
 * the last one the page is the pool's again.
 *
 * Surplus pages are those beyond what the pool should have: it was made smaller while they were in use, or they were
 * taken on demand. Whichever page comes back while there is a surplus leaves for RAM.
 *
 * I1  nfree pages are on the list; reserved <= nfree <= total; surplus <= total
 * I2  a page on the list is a block of FRAME_POOL frames, pooled, with one reference each
 *
 * Locking: pool->lock, a leaf for the frame allocator's sake: no frame is taken or given under it.
 * Linux: mm/hugetlb.c (set_max_huge_pages, gather_surplus_pages, free_huge_folio). Not modelled: nodes, other sizes
 * than 2 MiB, demotion, pages that are allocated from the boot loader's memory, cgroups of huge pages.
 */
#include "phys/pool.h"

#include <errno.h>

#include "host/kmem.h"
#include "phys/poison.h"

struct pool {
	struct mutex lock;     /* RANK_POOL */
	struct pool_numbers n; /* p */
	uint32_t head; /* p  the first free page, by the number of its first frame, whose `next` is the next one's */
};

typedef unsigned long long ull;

int pool_create(struct ctx *ctx, struct phys *phys)
{
	struct pool *pool = kmem_alloc(ctx, sizeof(*pool));

	if (pool == NULL)
		return -ENOMEM;
	mutex_init(&pool->lock, RANK_POOL);
	phys->pool = pool;
	return 0;
}

void pool_destroy(struct env *env, struct pool *pool)
{
	if (pool == NULL)
		return;
	mutex_fini(&pool->lock);
	kmem_free(env, pool, sizeof(*pool));
}

void pool_numbers(struct ctx *ctx, struct pool_numbers *out)
{
	struct pool *pool = ctx->env->phys->pool;

	mutex_lock(ctx, &pool->lock);
	*out = pool->n;
	mutex_unlock(ctx, &pool->lock);
}

void pool_set_overcommit(struct ctx *ctx, uint64_t npages)
{
	struct pool *pool = ctx->env->phys->pool;

	mutex_lock(ctx, &pool->lock);
	pool->n.overcommit = npages;
	mutex_unlock(ctx, &pool->lock);
}

/* ---- the list ---- */

static void push_locked(struct phys *phys, struct pool *pool, pfn_t head)
{
	frame_of(phys, head)->next = pool->head;
	pool->head = (uint32_t)head.n;
	pool->n.nfree++;
}

static pfn_t pop_locked(struct phys *phys, struct pool *pool)
{
	pfn_t head = { pool->head };

	KSIM_ASSERT(NULL, head.n != 0, "pool I1: free pages are on the list", "%llu free", (ull)pool->n.nfree);
	pool->head = frame_of(phys, head)->next;
	pool->n.nfree--;
	frame_of(phys, head)->next = 0;
	return head;
}

/* ---- from RAM, and back ---- */

/* A block of RAM, as the pool keeps them. 0 or -ENOMEM */
static int fetch(struct ctx *ctx, pfn_t *head)
{
	struct owner *owner = ctx->owner;
	struct env *env = ctx->env;
	int err;

	ctx->owner = &env->self; /* no group of memory is charged for what the pool has */
	err = frame_alloc_block(ctx, FRAME_POOL, HUGE_ORDER, FRAME_AS_IT_IS, head);
	ctx->owner = owner;
	if (err < 0)
		return err;
	for (uint64_t i = 0; i < HUGE_FRAMES; i++)
		frame_set_pooled(frame_of(env->phys, (pfn_t){ head->n + i }), true);
	return 0;
}

/* A page that is on no list. */
static void release(struct ctx *ctx, pfn_t head)
{
	for (uint64_t i = 0; i < HUGE_FRAMES; i++)
		frame_set_pooled(frame_of(ctx->env->phys, (pfn_t){ head.n + i }), false);
	frame_put_block(ctx, head);
}

static bool is_too_large(const struct pool_numbers *n, uint64_t npages)
{
	return n->total - n->surplus > npages;
}

/* Less surplus, or one page more from RAM. @return whether that could be */
static bool grow(struct ctx *ctx, struct pool *pool)
{
	bool relabelled;
	pfn_t head;

	mutex_lock(ctx, &pool->lock);
	relabelled = pool->n.surplus > 0;
	pool->n.surplus -= relabelled;
	mutex_unlock(ctx, &pool->lock);
	if (relabelled)
		return true;
	if (fetch(ctx, &head) < 0)
		return false;
	mutex_lock(ctx, &pool->lock);
	pool->n.total++;
	push_locked(ctx->env->phys, pool, head);
	mutex_unlock(ctx, &pool->lock);
	return true;
}

/* One page less: a free one, or one that becomes surplus. */
static void shrink(struct ctx *ctx, struct pool *pool)
{
	pfn_t head = PFN_NONE;

	mutex_lock(ctx, &pool->lock);
	if (pool->n.nfree > pool->n.reserved) {
		head = pop_locked(ctx->env->phys, pool);
		pool->n.total--;
	} else {
		pool->n.surplus++;
	}
	mutex_unlock(ctx, &pool->lock);
	if (head.n != 0)
		release(ctx, head);
}

void pool_resize(struct ctx *ctx, uint64_t npages)
{
	struct pool *pool = ctx->env->phys->pool;
	struct pool_numbers n;

	for (pool_numbers(ctx, &n); n.total - n.surplus < npages && grow(ctx, pool); pool_numbers(ctx, &n))
		;
	for (; is_too_large(&n, npages); pool_numbers(ctx, &n))
		shrink(ctx, pool);
}

/* ---- promises ---- */

/* One more page as surplus. It goes to whoever asks, so the caller looks again. */
static bool add_surplus(struct ctx *ctx, struct pool *pool)
{
	bool allowed, got;
	pfn_t head;

	mutex_lock(ctx, &pool->lock);
	allowed = pool->n.surplus < pool->n.overcommit;
	if (allowed) { /* counted first, so that there are never more */
		pool->n.surplus++;
		pool->n.total++;
	}
	mutex_unlock(ctx, &pool->lock);
	got = allowed && fetch(ctx, &head) == 0;
	if (!allowed)
		return false;
	mutex_lock(ctx, &pool->lock);
	if (got) {
		push_locked(ctx->env->phys, pool, head);
	} else {
		pool->n.surplus -= pool->n.surplus > 0; /* unless somebody has made up for it with another page */
		pool->n.total--;
	}
	mutex_unlock(ctx, &pool->lock);
	return got;
}

/* What is free, promised to nobody, and surplus. */
static void drop_surplus(struct ctx *ctx, struct pool *pool, uint64_t most)
{
	while (most-- > 0) {
		pfn_t head = PFN_NONE;

		mutex_lock(ctx, &pool->lock);
		if (pool->n.surplus > 0 && pool->n.nfree > pool->n.reserved) {
			head = pop_locked(ctx->env->phys, pool);
			pool->n.surplus--;
			pool->n.total--;
		}
		mutex_unlock(ctx, &pool->lock);
		if (head.n == 0)
			return;
		release(ctx, head);
	}
}

int pool_promise(struct ctx *ctx, uint64_t n, bool surplus)
{
	struct pool *pool = ctx->env->phys->pool;
	uint64_t added = 0;
	bool promised;

	if (n > 0 && env_fails(ctx, FAIL_FRAME))
		return -ENOMEM;
	for (;;) {
		mutex_lock(ctx, &pool->lock);
		promised = n <= pool->n.nfree - pool->n.reserved;
		if (promised)
			pool->n.reserved += n;
		mutex_unlock(ctx, &pool->lock);
		if (promised || !surplus || !add_surplus(ctx, pool))
			break;
		added++;
	}
	if (!promised)
		drop_surplus(ctx, pool, added);
	return promised ? 0 : -ENOMEM;
}

bool pool_renew(struct ctx *ctx)
{
	struct pool *pool = ctx->env->phys->pool;
	bool renewed;

	mutex_lock(ctx, &pool->lock);
	renewed = pool->n.surplus == 0 && pool->n.nfree > pool->n.reserved;
	pool->n.reserved += renewed;
	mutex_unlock(ctx, &pool->lock);
	return renewed;
}

void pool_unpromise(struct ctx *ctx, uint64_t n)
{
	struct pool *pool = ctx->env->phys->pool;

	mutex_lock(ctx, &pool->lock);
	KSIM_ASSERT(ctx, n <= pool->n.reserved, "what is taken back was promised", "%llu of %llu", (ull)n,
	            (ull)pool->n.reserved);
	pool->n.reserved -= n;
	mutex_unlock(ctx, &pool->lock);
	drop_surplus(ctx, pool, n);
}

/* ---- pages ---- */

/* The frames change hands between the pool and a user. */
static void hand_over(struct ctx *ctx, pfn_t head, enum frame_use use, struct owner *owner)
{
	for (uint64_t i = 0; i < HUGE_FRAMES; i++) {
		struct frame *frame = frame_of(ctx->env->phys, (pfn_t){ head.n + i });

		__atomic_store_n(&frame->owner, owner->id, __ATOMIC_RELAXED);
		frame_set_use(frame, use);
	}
}

static bool try_take(struct ctx *ctx, struct pool *pool, bool promised, pfn_t *head)
{
	bool has;

	mutex_lock(ctx, &pool->lock);
	has = promised || pool->n.nfree > pool->n.reserved;
	if (has) {
		*head = pop_locked(ctx->env->phys, pool);
		pool->n.reserved -= promised;
	}
	mutex_unlock(ctx, &pool->lock);
	return has;
}

int pool_take(struct ctx *ctx, enum frame_use use, unsigned flags, bool promised, pfn_t *head)
{
	struct phys *phys = ctx->env->phys;

	if (!promised && env_fails(ctx, FAIL_FRAME))
		return -ENOMEM;
	while (!try_take(ctx, phys->pool, promised, head))
		if (!add_surplus(ctx, phys->pool))
			return -ENOMEM;
	census_add(&ctx->env->self, CENSUS_FRAME, -(long)HUGE_FRAMES);
	census_add(ctx->owner, CENSUS_FRAME, HUGE_FRAMES);
	hand_over(ctx, *head, use, ctx->owner);
	for (uint64_t i = 0; i < HUGE_FRAMES; i++)
		poison_lift(ctx, phys, (pfn_t){ head->n + i }, flags);
	return 0;
}

void pool_untake(struct ctx *ctx, pfn_t head, bool promised)
{
	struct pool *pool = ctx->env->phys->pool;

	if (!promised) {
		frame_put_block(ctx, head);
		return;
	}
	frame_block_rest(ctx, head);
	census_add(ctx->owner, CENSUS_FRAME, -(long)HUGE_FRAMES);
	census_add(&ctx->env->self, CENSUS_FRAME, HUGE_FRAMES);
	hand_over(ctx, head, FRAME_POOL, &ctx->env->self);
	mutex_lock(ctx, &pool->lock);
	push_locked(ctx->env->phys, pool, head);
	pool->n.reserved++;
	mutex_unlock(ctx, &pool->lock);
}

void pool_give(struct ctx *ctx, struct phys *phys, pfn_t head)
{
	struct pool *pool = phys->pool;
	bool leaves;

	mutex_lock(ctx, &pool->lock);
	leaves = pool->n.surplus > 0;
	if (leaves) {
		pool->n.surplus--;
		pool->n.total--;
	} else {
		push_locked(phys, pool, head);
	}
	mutex_unlock(ctx, &pool->lock);
	if (leaves)
		release(ctx, head);
}

/* ---- validator ---- */

static void check_page(const struct phys *phys, uint64_t head, struct check_report *report)
{
	uint64_t sound = 0;

	while (sound < HUGE_FRAMES) {
		const struct frame *frame = &phys->frames[head + sound];

		if (frame_use(frame) != FRAME_POOL || !frame_pooled(frame) || frame->refs != 1)
			break;
		sound++;
	}
	CHECK_THAT(report, sound == HUGE_FRAMES, "pool I2: a free page is a block of the pool's frames",
	           "pfn %#llx of page %#llx", (ull)(head + sound), (ull)head);
}

void pool_check(struct phys *phys, struct check_report *report)
{
	struct pool *pool = phys->pool;
	const struct pool_numbers *n = &pool->n;
	uint64_t listed = 0;
	struct ctx ctx;

	ctx_init(&ctx, phys->env, "check");
	mutex_lock(&ctx, &pool->lock);
	for (uint64_t head = pool->head; head != 0 && listed <= n->total; head = phys->frames[head].next, listed++) {
		if (head % HUGE_FRAMES != 0 || head + HUGE_FRAMES > phys->nframes)
			break;
		check_page(phys, head, report);
	}
	CHECK_THAT(report,
	           listed == n->nfree && n->reserved <= n->nfree && n->nfree <= n->total && n->surplus <= n->total,
	           "pool I1: its numbers are those of its pages",
	           "%llu listed; total %llu, free %llu, reserved %llu, surplus %llu", (ull)listed, (ull)n->total,
	           (ull)n->nfree, (ull)n->reserved, (ull)n->surplus);
	mutex_unlock(&ctx, &pool->lock);
}
