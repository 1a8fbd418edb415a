// SPDX-License-Identifier: MIT
/*
 * An object whose pages somebody else keeps: the other side of <ksim/kernel/object.h>.
 *
 *	struct foreign { struct object: size, sequence, mappers, writers   ours
 *	                 theirs: which frame stands where }                ops->page, punch, ...
 *
 * Every op is called with the object's lock held, so the calls for one object never overlap, and a page that is looked
 * up has its reference for the caller before anyone can take it away. The frames that an op lets go are those that the
 * mappings hold too; so they stay until the caller of remove() has zapped those, and remove() itself hands out none.
 *
 * That a page has been allocated and not yet written (SEEK_DATA) is nothing that they must know: it is remembered here.
 *
 * I1  `unwritten` holds the pages that commit() has made, with their frames, until they are touched or removed
 * I2  an op is called under the object's lock, and for a page within the size unless the caller keeps truncations away
 *
 * Locking: object->lock over every op. Under it the op allocates frames, and zeroes them: slower than shmem.c, where
 * nothing is zeroed under a lock.
 */
#include "object/object.h"

#include <errno.h>

#include "host/kmem.h"
#include "ksim/kernel/object.h"
#include "object/radix.h"

struct foreign {
	struct object object;
	const struct ksim_object_ops *ops; /* c */
	void *theirs;                      /* c */
	struct radix unwritten;            /* o */
};

static struct foreign *foreign_of(struct object *object)
{
	return container_of(object, struct foreign, object);
}

static struct ksim_call *call_of(struct ctx *ctx)
{
	return (struct ksim_call *)ctx;
}

bool object_ops_complete(const struct ksim_object_ops *ops)
{
	return ops->bytes >= sizeof(*ops) && ops->create != NULL && ops->page != NULL && ops->resize != NULL &&
	       ops->punch != NULL && ops->next != NULL && ops->destroy != NULL;
}

/* Without a reference for the caller. */
static int page_locked(struct ctx *ctx, struct foreign *f, uint64_t pgidx, bool make, pfn_t *out)
{
	const struct phys *phys = ctx->env->phys;
	int err = f->ops->page(call_of(ctx), f->theirs, pgidx, make, out);

	KSIM_ASSERT(ctx, err == 0 || err == -ENOMEM || (err == -ENOENT && !make),
	            "page answers 0, -ENOENT where it need not make one, or -ENOMEM", "object %s, page %#llx: %d",
	            f->ops->name, (unsigned long long)pgidx, err);
	KSIM_ASSERT(ctx, err != 0 || (out->n < phys->nframes && frame_use(frame_of(phys, *out)) == FRAME_FILE),
	            "the frame of a page is one from ksim_frame_alloc", "object %s, page %#llx, pfn %#llx",
	            f->ops->name, (unsigned long long)pgidx, (unsigned long long)out->n);
	return err;
}

/* What commit has made of [first, last] is unwritten no more. */
static void forget_unwritten(struct ctx *ctx, struct foreign *f, uint64_t first, uint64_t last)
{
	uint64_t pgidx = first;
	pfn_t pfn;

	while (radix_next(&f->unwritten, pgidx, &pgidx, &pfn) && pgidx <= last)
		radix_clear(&f->unwritten, pgidx++);
	radix_prune(ctx->env, &f->unwritten);
}

static int foreign_page(struct ctx *ctx, struct object *object, uint64_t pgidx, unsigned how, pfn_t *out)
{
	struct foreign *f = foreign_of(object);
	int err = -ENXIO;

	mutex_lock(ctx, &object->lock);
	if (how & PAGE_BEYOND || pgidx < pages_of(object->size))
		err = page_locked(ctx, f, pgidx, how & PAGE_MAKE, out);
	if (err == 0 && how & PAGE_TOUCH && f->unwritten.count > 0)
		forget_unwritten(ctx, f, pgidx, pgidx);
	if (err == 0)
		frame_get(ctx->env->phys, *out);
	mutex_unlock(ctx, &object->lock);
	return err;
}

static bool foreign_next(struct ctx *ctx, struct object *object, uint64_t pgidx, uint64_t *found, pfn_t *pfn)
{
	struct foreign *f = foreign_of(object);
	uint64_t index = pgidx;
	bool there;
	int err = pgidx > KSIM_OBJECT_INDEX_MAX ? -ENOENT : f->ops->next(call_of(ctx), f->theirs, &index);

	KSIM_ASSERT(ctx, err == 0 || err == -ENOENT, "next answers 0 or -ENOENT", "object %s, from %#llx on: %d",
	            f->ops->name, (unsigned long long)pgidx, err);
	if (err < 0)
		return false;
	there = page_locked(ctx, f, index, false, pfn) == 0;
	KSIM_ASSERT(ctx, there && index >= pgidx, "the next page lies ahead and is there",
	            "object %s, from %#llx on: %#llx", f->ops->name, (unsigned long long)pgidx,
	            (unsigned long long)index);
	*found = index;
	return true;
}

static uint64_t foreign_count(struct ctx *ctx, struct object *object)
{
	uint64_t count = 0, pgidx = 0;
	pfn_t pfn;

	for (; foreign_next(ctx, object, pgidx, &pgidx, &pfn); pgidx++)
		count++;
	return count;
}

static size_t foreign_remove(struct ctx *ctx, struct object *object, uint64_t *next, uint64_t last, pfn_t *out,
                             size_t n)
{
	struct foreign *f = foreign_of(object);

	(void)out;
	(void)n;
	if (last > KSIM_OBJECT_INDEX_MAX && *next == pages_of(object->size))
		f->ops->resize(call_of(ctx), f->theirs, object->size);
	else if (*next <= KSIM_OBJECT_INDEX_MAX)
		f->ops->punch(call_of(ctx), f->theirs, *next, MIN(last, KSIM_OBJECT_INDEX_MAX));
	forget_unwritten(ctx, f, *next, last);
	*next = last + 1;
	return 0;
}

static bool is_data(struct ctx *ctx, struct foreign *f, uint64_t pgidx)
{
	pfn_t pfn;

	return page_locked(ctx, f, pgidx, false, &pfn) == 0 && radix_get(&f->unwritten, pgidx).n == 0;
}

static bool foreign_seek(struct ctx *ctx, struct object *object, uint64_t pgidx, bool data, uint64_t *found)
{
	struct foreign *f = foreign_of(object);
	pfn_t pfn;

	*found = pgidx;
	if (data) {
		while (foreign_next(ctx, object, *found, found, &pfn)) {
			if (radix_get(&f->unwritten, *found).n == 0)
				return true;
			++*found;
		}
		return false;
	}
	while (is_data(ctx, f, *found))
		++*found;
	return true;
}

/* Whether commit has found a page, rather than made it: a bit for each page of its range. */
static bool was_there(const uint64_t *was, uint64_t i)
{
	return was[i / 64] >> (i % 64) & 1;
}

static int commit_locked(struct ctx *ctx, struct foreign *f, uint64_t first, uint64_t n, uint64_t *was)
{
	int err = radix_reserve(ctx, &f->unwritten, first, n);
	uint64_t i = 0;
	pfn_t pfn;

	for (; i < n && err == 0; i++) {
		if (page_locked(ctx, f, first + i, false, &pfn) == 0)
			was[i / 64] |= UINT64_C(1) << (i % 64);
		else
			err = page_locked(ctx, f, first + i, true, &pfn);
	}
	if (err < 0) {
		while (i-- > 0)
			if (!was_there(was, i))
				f->ops->punch(call_of(ctx), f->theirs, first + i, first + i);
		radix_prune(ctx->env, &f->unwritten);
		return err;
	}
	for (i = 0; i < n; i++) {
		radix_clear(&f->unwritten, first + i);
		if (was_there(was, i) || page_locked(ctx, f, first + i, false, &pfn) < 0)
			continue;
		frame_set_dirty(frame_of(ctx->env->phys, pfn)); /* as in shmem.c */
		radix_set(&f->unwritten, first + i, pfn);
	}
	radix_prune(ctx->env, &f->unwritten);
	return 0;
}

static int foreign_commit(struct ctx *ctx, struct object *object, uint64_t first, uint64_t n)
{
	size_t bytes = (n + 63) / 64 * sizeof(uint64_t);
	uint64_t *was;
	int err;

	if (n > phys_total_frames(ctx->env->phys))
		return -ENOMEM;
	was = kmem_alloc(ctx, bytes);
	if (was == NULL)
		return -ENOMEM;
	mutex_lock(ctx, &object->lock);
	err = commit_locked(ctx, foreign_of(object), first, n, was);
	mutex_unlock(ctx, &object->lock);
	kmem_free(ctx->env, was, bytes);
	return err;
}

static void foreign_check(struct ctx *ctx, struct object *object, struct check_report *report)
{
	struct foreign *f = foreign_of(object);
	uint64_t pgidx = 0;
	pfn_t pfn, there;

	radix_check(&f->unwritten, report);
	for (; radix_next(&f->unwritten, pgidx, &pgidx, &pfn); pgidx++)
		CHECK_THAT(report, page_locked(ctx, f, pgidx, false, &there) == 0 && there.n == pfn.n,
		           "foreign I1: an unwritten page is there", "object %s, page %#llx, pfn %#llx", f->ops->name,
		           (unsigned long long)pgidx, (unsigned long long)pfn.n);
}

static void foreign_destroy(struct ctx *ctx, struct object *object)
{
	struct foreign *f = foreign_of(object);

	mutex_lock(ctx, &object->lock);
	f->ops->destroy(call_of(ctx), f->theirs);
	forget_unwritten(ctx, f, 0, OBJECT_PGIDX_MAX);
	mutex_unlock(ctx, &object->lock);
	radix_fini(ctx->env, &f->unwritten);
	object_fini(object);
	kmem_free(ctx->env, f, sizeof(*f));
}

static const struct object_ops foreign_ops = {
	.name = "foreign",
	.page = foreign_page,
	.commit = foreign_commit,
	.remove = foreign_remove,
	.next = foreign_next,
	.count = foreign_count,
	.seek = foreign_seek,
	.check = foreign_check,
	.destroy = foreign_destroy,
};

int object_create_foreign(struct ctx *ctx, const struct ksim_object_ops *ops, struct object **out)
{
	struct foreign *f = kmem_alloc(ctx, sizeof(*f));
	int err;

	if (f == NULL)
		return -ENOMEM;
	err = ops->create(call_of(ctx), ops->arg, &f->theirs);
	KSIM_ASSERT(ctx, err <= 0, "create answers 0 or a negative errno", "object %s: %d", ops->name, err);
	if (err < 0) {
		kmem_free(ctx->env, f, sizeof(*f));
		return err;
	}
	f->ops = ops;
	radix_init(&f->unwritten);
	object_init(ctx, &f->object, &foreign_ops, 0);
	*out = &f->object;
	return 0;
}
