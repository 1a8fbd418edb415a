// SPDX-License-Identifier: MIT
/*
 * The pages of one file or of one shared anonymous mapping, by page index.
 *
 * Everyone who maps, reads or writes the file meets here, so they see the same frames. Where absent pages come from is
 * the business of object->ops (shmem.c); read and write are in io.c. Here are the size, the list of mappings, and what
 * joins them:
 *
 *	shrink:  size, seq  ->  full fence  ->  { slots out  ->  zap the mappings  ->  put the frames } ...
 *	fault:   seq, size  ->  page()      ->  leaf lock, size and seq again     ->  set the entry
 *
 * A hole is punched as a shrink is, but for the size, and the mappings' own copies stay, unless pages have a unit. A
 * shrink goes through the pages in runs of OBJECT_BATCH that it takes out of their slots. What lies between the first
 * page of a run and that of the next is zapped at once, absent pages too, for a private mapping may hold a copy there.
 * So no memory is needed, no frame is reused while a translation to it can exist, and the cost grows with pages and
 * mappings, not with their product. All of it is one hold of the object's lock: nobody sees it half done. Where pages
 * move to other frames (gather.c) they are taken from the mappings likewise.
 *
 * I1  a present slot holds exactly one reference on its frame, which is a FRAME_FILE
 * I2  a slot at or beyond npages(size) is present only if fallocate filled it; and between a write of new pages and the
 *     growth that follows under the same hold of the inode's lock. Nobody else can reach those: page() knows only pages
 *     below the size, and a mapping gets pages from nowhere else
 * I3  every VMA that maps the object is on its mapper list, with its interval of page indices
 * I4  writers >= 0: that many mappings may write; -1: denied for ever
 *
 * Locking: object->lock for slots, mappers and stores to size; taken inside mm->map, outside the page-table lock. size
 * and seq may be read without it. The inode's lock, outside of all, keeps other calls away from size and content, so
 * parts of pages are zeroed with no more than that. page() may find a page without any of these, as long as the frame
 * is safe while it is found (shmem.c). writers is atomic, since it is taken under no lock in particular.
 * Linux: mm/filemap.c, mm/truncate.c, mm/memory.c (unmap_mapping_range), mapping_map_writable in include/linux/fs.h.
 * Not modelled: swap, writeback.
 */
#include "object/object.h"

#include <errno.h>

#include "base/rawcopy.h"
#include "host/barrier.h"
#include "host/kmem.h"

#define OBJECT_BATCH HUGE_FRAMES

typedef unsigned long long ull;

static void object_destroy(struct ctx *ctx, struct drop *drop)
{
	struct object *object = ref_container(drop, struct object);

	KSIM_ASSERT(ctx, object->mappers.count == 0, "an object dies unmapped", "%zu mappings", object->mappers.count);
	object->ops->destroy(ctx, object);
}

void object_get(struct object *object)
{
	ref_get(&object->ref);
}

void object_put(struct ctx *ctx, struct object *object)
{
	if (object != NULL)
		ref_put(ctx, &object->ref, object_destroy);
}

void object_init(struct ctx *ctx, struct object *object, const struct object_ops *ops, uint64_t size)
{
	KSIM_ASSERT(ctx, size <= OBJECT_SIZE_MAX, "a size is at most OBJECT_SIZE_MAX", "%llu", (ull)size);
	ref_init(&object->ref);
	origin_set(ctx, &object->origin, CENSUS_OBJECT);
	object->ops = ops;
	mutex_init(&object->lock, RANK_OBJECT);
	object->size = size;
	itree_init(&object->mappers);
}

void object_fini(struct object *object)
{
	mutex_fini(&object->lock);
	origin_clear(&object->origin);
}

/* Pages. */

static size_t pages_one_by_one(struct ctx *ctx, struct object *object, uint64_t first, size_t n, pfn_t *out)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++) {
		if (object->ops->page(ctx, object, first + i, PAGE_TOUCH, &out[i]) == 0)
			count++;
		else
			out[i] = PFN_NONE;
	}
	return count;
}

size_t object_pages_at(struct ctx *ctx, struct object *object, uint64_t first, size_t n, pfn_t *out)
{
	return (object->ops->pages != NULL ? object->ops->pages : pages_one_by_one)(ctx, object, first, n, out);
}

int object_commit(struct ctx *ctx, struct object *object, uint64_t start, uint64_t end)
{
	uint64_t first = start >> PAGE_SHIFT;

	KSIM_ASSERT(ctx, end <= OBJECT_SIZE_MAX, "a size is at most OBJECT_SIZE_MAX", "%llu", (ull)end);
	if (start >= end)
		return 0;
	return object->ops->commit(ctx, object, first, pages_of(end) - first);
}

uint64_t object_pages(struct ctx *ctx, struct object *object)
{
	uint64_t n;

	mutex_lock(ctx, &object->lock);
	n = object->ops->count(ctx, object);
	mutex_unlock(ctx, &object->lock);
	return n;
}

void object_runs(struct ctx *ctx, struct object *object, struct frame_runs *runs)
{
	uint64_t page = 0;
	pfn_t pfn;

	mutex_lock(ctx, &object->lock);
	for (; object->ops->next(ctx, object, page, &page, &pfn); page++)
		frame_runs_add(runs, page, pfn, FRAME_RUN_FILE);
	mutex_unlock(ctx, &object->lock);
}

/* Where what is there is data. */
static bool seek_present(struct ctx *ctx, struct object *object, uint64_t pgidx, bool data, uint64_t *found)
{
	pfn_t pfn;

	if (data)
		return object->ops->next(ctx, object, pgidx, found, &pfn);
	for (*found = pgidx; object->ops->next(ctx, object, *found, &pgidx, &pfn) && pgidx == *found; ++*found)
		;
	return true;
}

int64_t object_seek(struct ctx *ctx, struct object *object, uint64_t offset, bool data)
{
	uint64_t found = 0, size;
	bool any;

	mutex_lock(ctx, &object->lock);
	size = object->size;
	any = offset < size && (object->ops->seek != NULL ? object->ops->seek : seek_present)(
				       ctx, object, offset >> PAGE_SHIFT, data, &found);
	mutex_unlock(ctx, &object->lock);
	if (offset >= size)
		return -ENXIO;
	if (!any || found >= pages_of(size))
		return data ? -ENXIO : (int64_t)size;
	return (int64_t)MIN(MAX(found << PAGE_SHIFT, offset), size);
}

/* Removal. */

/* Pages [first, last] from all mappings. */
static void zap_locked(struct ctx *ctx, struct object *object, uint64_t first, uint64_t last, bool private_copies)
{
	struct itree_node *node;

	for (node = itree_first(&object->mappers, first, last); node != NULL; node = itree_next(node, first, last)) {
		struct mapper *mapper = container_of(node, struct mapper, node);

		mapper->ops->zap(ctx, mapper, MAX(first, node->first), MIN(last, node->last), private_copies);
	}
}

/* Whoever has looked a page up before does not map it any more. */
static void raise_seq_locked(struct object *object)
{
	__atomic_fetch_add(&object->seq, 1, __ATOMIC_RELEASE);
	host_fence();
}

void object_hide_locked(struct ctx *ctx, struct object *object, uint64_t first, uint64_t last)
{
	raise_seq_locked(object);
	zap_locked(ctx, object, first, last, false);
}

static void remove_locked(struct ctx *ctx, struct object *object, uint64_t first, uint64_t last, bool private_copies)
{
	pfn_t pfns[OBJECT_BATCH];
	uint64_t next = first;
	size_t n, most;

	raise_seq_locked(object);
	do {
		most = OBJECT_BATCH - next % OBJECT_BATCH; /* where pages lie close, up to where a block begins */
		n = object->ops->remove(ctx, object, &next, last, pfns, most);
		zap_locked(ctx, object, first, n == most ? next - 1 : last, private_copies);
		for (size_t i = 0; i < n; i++)
			frame_put(ctx, pfns[i]);
		first = next;
	} while (n == most && first <= last);
}

/* Bytes [from, to) of the page that `from` lies in, if it is there. */
static void zero_part(struct ctx *ctx, struct object *object, uint64_t from, uint64_t to)
{
	pfn_t pfn;

	if (from >= to || object->ops->page(ctx, object, from >> PAGE_SHIFT, 0, &pfn) < 0)
		return;
	raw_zero((char *)frame_ptr(ctx->env->phys, pfn) + from % PAGE_BYTES, to - from);
	frame_put(ctx, pfn);
}

/* The same of several pages. */
static void zero_parts(struct ctx *ctx, struct object *object, uint64_t from, uint64_t to)
{
	for (uint64_t next; from < to; from = next) {
		next = MIN(to, page_down(from) + PAGE_BYTES);
		zero_part(ctx, object, from, next);
	}
}

static void check_locked(struct ctx *ctx, struct object *object, bool quiet, struct check_report *report);

#ifdef KSIM_CHECK_SLOW
static void broken(void *ctx, const char *text)
{
	KSIM_ASSERT(ctx, false, "an object is sound after pages were removed or it was resized", "%s", text);
}
#endif

static void check_slow_locked(struct ctx *ctx, struct object *object)
{
#ifdef KSIM_CHECK_SLOW
	check_locked(ctx, object, false, &(struct check_report){ .line = broken, .arg = ctx });
#else
	(void)ctx;
	(void)object;
#endif
}

void object_resize(struct ctx *ctx, struct object *object, uint64_t size)
{
	bool grows;

	KSIM_ASSERT(ctx, size <= OBJECT_SIZE_MAX, "a size is at most OBJECT_SIZE_MAX", "%llu", (ull)size);
	mutex_lock(ctx, &object->lock);
	grows = size > object->size;
	__atomic_store_n(&object->size, size, __ATOMIC_RELEASE);
	if (!grows)
		remove_locked(ctx, object, pages_of(size), OBJECT_PGIDX_MAX, true);
	check_slow_locked(ctx, object);
	mutex_unlock(ctx, &object->lock);
	if (!grows)
		zero_part(ctx, object, size, page_up(size));
}

void object_punch(struct ctx *ctx, struct object *object, uint64_t start, uint64_t end)
{
	uint64_t unit = MAX(object->ops->unit, 1) << PAGE_SHIFT;
	uint64_t first = (start + unit - 1) & ~(unit - 1), beyond = end & ~(unit - 1);

	KSIM_ASSERT(ctx, start < end && end <= OBJECT_SIZE_MAX, "a hole is of bytes that can exist", "[%llu, %llu)",
	            (ull)start, (ull)end);
	if (first > beyond) { /* all in one page */
		zero_parts(ctx, object, start, end);
		return;
	}
	zero_parts(ctx, object, start, first);
	zero_parts(ctx, object, beyond, end);
	if (first == beyond)
		return;
	mutex_lock(ctx, &object->lock);
	remove_locked(ctx, object, first >> PAGE_SHIFT, (beyond >> PAGE_SHIFT) - 1, unit != PAGE_BYTES);
	check_slow_locked(ctx, object);
	mutex_unlock(ctx, &object->lock);
}

/* Mappings that may write. */

int object_writer_get(struct object *object)
{
	int64_t was = __atomic_load_n(&object->writers, __ATOMIC_RELAXED);

	do
		if (was < 0)
			return -EPERM;
	while (!__atomic_compare_exchange_n(&object->writers, &was, was + 1, true, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
	return 0;
}

void object_writer_dup(struct object *object)
{
	int64_t was = __atomic_fetch_add(&object->writers, 1, __ATOMIC_ACQ_REL);

	KSIM_ASSERT(NULL, was > 0, "a writing mapping is copied from one", "writers %lld", (long long)was);
}

void object_writer_put(struct object *object)
{
	int64_t was = __atomic_fetch_sub(&object->writers, 1, __ATOMIC_ACQ_REL);

	KSIM_ASSERT(NULL, was > 0, "a writing mapping is counted until it ends", "writers %lld", (long long)was);
}

int object_deny_writers(struct object *object)
{
	int64_t none = 0;

	if (__atomic_compare_exchange_n(&object->writers, &none, -1, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return 0;
	return none < 0 ? 0 : -EBUSY;
}

/* Mappings. */

void object_map(struct ctx *ctx, struct object *object, struct mapper *mapper, uint64_t first, uint64_t last)
{
	KSIM_ASSERT(ctx, first <= last && last <= OBJECT_PGIDX_MAX, "a mapping is of pages that can exist",
	            "[%#llx, %#llx]", (ull)first, (ull)last);
	mutex_lock(ctx, &object->lock);
	itree_insert(&object->mappers, &mapper->node, first, last);
	mutex_unlock(ctx, &object->lock);
}

void object_unmap(struct ctx *ctx, struct object *object, struct mapper *mapper)
{
	mutex_lock(ctx, &object->lock);
	itree_remove(&object->mappers, &mapper->node);
	mutex_unlock(ctx, &object->lock);
}

/* Validator. */

static void check_page(struct ctx *ctx, uint64_t pgidx, pfn_t pfn, bool quiet, struct check_report *report)
{
	const struct phys *phys = ctx->env->phys;
	const struct frame *frame = frame_of(phys, pfn);
	uint32_t refs, mappers;

	CHECK_THAT(report, pfn.n < phys->nframes && frame->use == FRAME_FILE, "object I1: a page is a FRAME_FILE",
	           "page %#llx, pfn %#llx", (ull)pgidx, (ull)pfn.n);
	if (pfn.n >= phys->nframes)
		return;
	refs = frame_refs(phys, pfn);
	mappers = __atomic_load_n(&frame->mappers, __ATOMIC_RELAXED);
	CHECK_THAT(report, refs >= 1 && (!quiet || refs > mappers),
	           "object I1: the slot has one reference, each entry of a page table another",
	           "page %#llx, pfn %#llx: %u references, %u mappers", (ull)pgidx, (ull)pfn.n, refs, mappers);
}

static void check_locked(struct ctx *ctx, struct object *object, bool quiet, struct check_report *report)
{
	struct itree_node *node;
	uint64_t pgidx = 0;
	pfn_t pfn;

	if (object->ops->check != NULL)
		object->ops->check(ctx, object, report);
	for (; object->ops->next(ctx, object, pgidx, &pgidx, &pfn); pgidx++)
		check_page(ctx, pgidx, pfn, quiet, report);
	itree_check(&object->mappers, report);
	for (node = itree_first(&object->mappers, 0, UINT64_MAX); node != NULL; node = itree_next(node, 0, UINT64_MAX))
		CHECK_THAT(report,
		           node->last <= OBJECT_PGIDX_MAX && container_of(node, struct mapper, node)->ops != NULL,
		           "object I3: a mapper is a mapping of pages that can exist", "[%#llx, %#llx]",
		           (ull)node->first, (ull)node->last);
	CHECK_THAT(report, __atomic_load_n(&object->writers, __ATOMIC_RELAXED) >= -1,
	           "object I4: writers are counted or denied", "%lld", (long long)object->writers);
}

void object_check(struct ctx *ctx, struct object *object, struct check_report *report)
{
	mutex_lock(ctx, &object->lock);
	check_locked(ctx, object, true, report);
	mutex_unlock(ctx, &object->lock);
}
