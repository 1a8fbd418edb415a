// SPDX-License-Identifier: MIT
/*
 * Files of huge pages: shared memory whose pages are blocks of the pool (phys, pool.c).
 *
 * They are kept as those of shared memory are (shmem.c), each block as 512 pages in a row, which come and go together.
 * What is different is where they come from, and that they can be promised:
 *
 *	mmap          promise()   absent -> promised          or ENOMEM, and no page is
 *	first touch   make()      promised -> there           cannot fail for want of pages
 *	                          absent -> there             takes one that nobody was promised; else ENOSPC
 *	truncation    remove()    promised, there -> absent
 *	a hole        remove()    there -> absent             promises stay, as on Linux
 *
 * A promise is the file's: it outlives the mapping for which it was made.
 *
 * The page to be made is taken, and zeroed, without the object's lock. Its promise is marked meanwhile: it has been
 * cashed, so a truncation that comes in between forgets it and leaves the pool alone.
 *
 * I1  a page is there or promised, not both
 * I2  promises that are not marked are counted in the pool
 * I3  one at a time makes a page of a file: nobody finds the pool empty because somebody else holds the page that both want
 *
 * Locking: the making lock over all of make(); the object's lock inside it for slots and promises, under which the pool
 * is asked for promises and never for pages.
 * Linux: fs/hugetlbfs/inode.c, mm/hugetlb.c (hugetlb_reserve_pages, hugetlb_unreserve_pages, the fault mutexes).
 */
#include "object/hugefile.h"

#include <errno.h>

#include "host/kmem.h"
#include "object/shmem.h"
#include "phys/pool.h"

struct hugefile {
	struct shmem shmem;
	struct radix promised; /* o  by huge page; marked: cashed */
	struct mutex making;   /* RANK_OBJECT_MAKING */
};

#define PROMISE ((pfn_t){ 1 }) /* what stands in a slot of promised */

static struct hugefile *hugefile_of(struct object *object)
{
	return container_of(shmem_of(object), struct hugefile, shmem);
}

void hugefile_making_lock(struct ctx *ctx, struct object *object)
{
	mutex_lock(ctx, &hugefile_of(object)->making);
}

void hugefile_making_unlock(struct ctx *ctx, struct object *object)
{
	mutex_unlock(ctx, &hugefile_of(object)->making);
}

static bool is_below_size(const struct object *object, uint64_t first)
{
	return first + HUGE_FRAMES <= object_size(object) >> PAGE_SHIFT;
}

/* ---- making a page ---- */

/* What is to be known before a page is taken. 1: one is needed; 0: it is there; -ENXIO */
static int prepare(struct ctx *ctx, struct object *object, uint64_t first, unsigned how, bool *promised)
{
	struct hugefile *file = hugefile_of(object);
	int needed = -ENXIO;

	mutex_lock(ctx, &object->lock);
	if (how & PAGE_BEYOND || is_below_size(object, first))
		needed = radix_get(&file->shmem.pages, first).n == 0;
	*promised = needed > 0 && radix_get(&file->promised, first >> HUGE_ORDER).n != 0;
	if (*promised)
		radix_mark(&file->promised, first >> HUGE_ORDER);
	mutex_unlock(ctx, &object->lock);
	return needed;
}

/* Put the page into its slots. *kept: the promise it was taken for is still there, and as if it had not been cashed. */
static int install(struct ctx *ctx, struct object *object, uint64_t first, unsigned how, pfn_t head, bool *kept)
{
	struct hugefile *file = hugefile_of(object);
	bool owed, cashed, unused = false;
	pfn_t pfns[HUGE_FRAMES];
	uint64_t used = 0;
	int err = -ENXIO;

	for (uint64_t i = 0; i < HUGE_FRAMES; i++)
		pfns[i].n = head.n + i;
	mutex_lock(ctx, &object->lock);
	if (how & PAGE_BEYOND || is_below_size(object, first))
		err = shmem_install_locked(ctx, object, first, HUGE_FRAMES, how, pfns, &used);
	owed = radix_get(&file->promised, first >> HUGE_ORDER).n != 0;
	cashed = owed && radix_marked(&file->promised, first >> HUGE_ORDER);
	if (err == 0 && owed) {
		radix_clear(&file->promised, first >> HUGE_ORDER);
		unused = !cashed; /* it was made after the page had been taken */
	} else if (cashed) {
		radix_get_unmark(&file->promised, first >> HUGE_ORDER);
	}
	mutex_unlock(ctx, &object->lock);
	if (unused)
		pool_unpromise(ctx, 1);
	*kept = cashed;
	return err;
}

static int make_locked(struct ctx *ctx, struct object *object, uint64_t first, unsigned how)
{
	bool promised, kept;
	int err = prepare(ctx, object, first, how, &promised);
	pfn_t head;

	if (err <= 0)
		return err;
	if (pool_take(ctx, FRAME_FILE, FRAME_ZERO, promised, &head) < 0)
		return -ENOSPC;
	err = install(ctx, object, first, how, head, &kept);
	if (err < 0)
		pool_untake(ctx, head, kept);
	return err;
}

int hugefile_make_locked(struct ctx *ctx, struct object *object, uint64_t first)
{
	return make_locked(ctx, object, first, PAGE_TOUCH);
}

static int make(struct ctx *ctx, struct object *object, uint64_t first, unsigned how)
{
	int err;

	hugefile_making_lock(ctx, object);
	err = make_locked(ctx, object, first, how);
	hugefile_making_unlock(ctx, object);
	return err;
}

/* ---- object_ops ---- */

static int hugefile_page(struct ctx *ctx, struct object *object, uint64_t pgidx, unsigned how, pfn_t *out)
{
	int err;

	for (;;) {
		mutex_lock(ctx, &object->lock);
		err = shmem_look_locked(ctx, object, pgidx, how, out);
		mutex_unlock(ctx, &object->lock);
		if (err != -ENOENT || !(how & PAGE_MAKE))
			return err;
		err = make(ctx, object, pgidx & ~(HUGE_FRAMES - 1), how);
		if (err < 0)
			return err;
	}
}

static pfn_t hugefile_block(struct ctx *ctx, struct object *object, uint64_t first, bool alloc)
{
	struct radix *pages = &shmem_of(object)->pages;
	pfn_t head;

	if (alloc && make(ctx, object, first, PAGE_TOUCH) < 0)
		return PFN_NONE;
	mutex_lock(ctx, &object->lock);
	head = radix_block(pages, first);
	if (head.n != 0 && is_below_size(object, first)) /* what lies beyond it is no data before the file reaches it */
		for (uint64_t i = 0; pages->nmarked != 0 && i < HUGE_FRAMES; i++)
			radix_get_unmark(pages, first + i);
	mutex_unlock(ctx, &object->lock);
	return head;
}

static int hugefile_commit(struct ctx *ctx, struct object *object, uint64_t first, uint64_t n)
{
	uint64_t end = first + n;
	int err = 0;

	for (uint64_t at = first & ~(HUGE_FRAMES - 1); err == 0 && at < end; at += HUGE_FRAMES)
		err = make(ctx, object, at, PAGE_BEYOND);
	return err;
}

static uint64_t promises_in(const struct radix *promised, uint64_t first, uint64_t last)
{
	uint64_t n = 0;
	pfn_t pfn;

	for (uint64_t at = first; radix_next(promised, at, &at, &pfn) && at <= last; at++)
		n++;
	return n;
}

static uint64_t pages_in(const struct radix *pages, uint64_t first, uint64_t last)
{
	uint64_t n = 0;
	pfn_t pfn;

	for (uint64_t at = first; radix_next(pages, at, &at, &pfn) && at <= last; at += HUGE_FRAMES)
		n++;
	return n;
}

static int promise_locked(struct ctx *ctx, struct hugefile *file, uint64_t first, uint64_t n)
{
	uint64_t last = first + n - 1;
	uint64_t more = n - promises_in(&file->promised, first, last) -
	                pages_in(&file->shmem.pages, first << HUGE_ORDER, (last << HUGE_ORDER) + HUGE_FRAMES - 1);

	if (pool_promise(ctx, more, true) < 0)
		return -ENOMEM;
	if (more > 0 && radix_reserve(ctx, &file->promised, first, n) < 0) {
		pool_unpromise(ctx, more);
		radix_prune(ctx->env, &file->promised);
		return -ENOMEM;
	}
	for (uint64_t at = first; more > 0; at++) {
		if (radix_get(&file->promised, at).n != 0 || radix_get(&file->shmem.pages, at << HUGE_ORDER).n != 0)
			continue;
		radix_set(&file->promised, at, PROMISE);
		more--;
	}
	return 0;
}

static int hugefile_promise(struct ctx *ctx, struct object *object, uint64_t first, uint64_t n)
{
	int err;

	KSIM_ASSERT(ctx, n > 0 && (first | n) % HUGE_FRAMES == 0, "whole pages are promised", "[%#llx, + %#llx)",
	            (unsigned long long)first, (unsigned long long)n);
	mutex_lock(ctx, &object->lock);
	err = promise_locked(ctx, hugefile_of(object), first >> HUGE_ORDER, n >> HUGE_ORDER);
	mutex_unlock(ctx, &object->lock);
	return err;
}

/* Pages [first, last], in huge ones, will not be asked for. */
static void drop_promises(struct ctx *ctx, struct hugefile *file, uint64_t first, uint64_t last)
{
	struct radix *promised = &file->promised;
	uint64_t n = 0;
	pfn_t pfn;

	for (uint64_t at = first; radix_next(promised, at, &at, &pfn) && at <= last; at++) {
		n += !radix_marked(promised, at);
		radix_clear(promised, at);
	}
	radix_prune(ctx->env, promised);
	if (n > 0)
		pool_unpromise(ctx, n);
}

static size_t hugefile_remove(struct ctx *ctx, struct object *object, uint64_t *next, uint64_t last, pfn_t *out,
                              size_t n)
{
	uint64_t first = *next;
	size_t done = shmem_remove(ctx, object, next, last, out, n);

	if (last == OBJECT_PGIDX_MAX)
		drop_promises(ctx, hugefile_of(object), first >> HUGE_ORDER,
		              (done == n ? *next - 1 : last) >> HUGE_ORDER);
	return done;
}

static void hugefile_check(struct ctx *ctx, struct object *object, struct check_report *report)
{
	struct hugefile *file = hugefile_of(object);
	const struct radix *pages = &file->shmem.pages;
	uint64_t at = 0;
	pfn_t pfn;

	shmem_check(ctx, object, report);
	radix_check(&file->promised, report);
	for (; radix_next(&file->promised, at, &at, &pfn); at++)
		CHECK_THAT(report, radix_get(pages, at << HUGE_ORDER).n == 0,
		           "hugefile I1: what is there is not promised", "page %#llx", (unsigned long long)at);
	for (at = 0; radix_next(pages, at, &at, &pfn); at = (at | (HUGE_FRAMES - 1)) + 1)
		CHECK_THAT(report,
		           at % HUGE_FRAMES == 0 && radix_block(pages, at).n == pfn.n &&
		                   frame_pooled(frame_of(ctx->env->phys, pfn)),
		           "a file of huge pages is made of blocks of the pool", "page %#llx, pfn %#llx",
		           (unsigned long long)at, (unsigned long long)pfn.n);
}

static void hugefile_destroy(struct ctx *ctx, struct object *object)
{
	struct hugefile *file = hugefile_of(object);

	drop_promises(ctx, file, 0, OBJECT_PGIDX_MAX);
	radix_fini(ctx->env, &file->promised);
	shmem_fini(ctx, &file->shmem);
	mutex_fini(&file->making);
	kmem_free(ctx->env, file, sizeof(*file));
}

static const struct object_ops hugefile_ops = {
	.name = "hugefile",
	.unit = HUGE_FRAMES,
	.page = hugefile_page,
	.block = hugefile_block,
	.commit = hugefile_commit,
	.promise = hugefile_promise,
	.remove = hugefile_remove,
	.next = shmem_next,
	.count = shmem_count,
	.check = hugefile_check,
	.destroy = hugefile_destroy,
};

int object_create_huge(struct ctx *ctx, uint64_t size, struct object **out)
{
	struct hugefile *file = kmem_alloc(ctx, sizeof(*file));

	if (file == NULL)
		return -ENOMEM;
	shmem_init(ctx, &file->shmem, &hugefile_ops, size);
	radix_init(&file->promised);
	mutex_init(&file->making, RANK_OBJECT_MAKING);
	*out = &file->shmem.object;
	return 0;
}
