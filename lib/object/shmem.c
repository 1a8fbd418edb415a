// SPDX-License-Identifier: MIT
/*
 * Shared memory: an object whose absent pages are zeros, and whose present ones live in RAM and nowhere else.
 *
 * One page, for a fault or a write: look under the lock, allocate and zero a frame without it, lock and look again;
 * whoever comes second gives his frame back and takes the first one's.
 *
 * Many pages, all or none, for ftruncate and fallocate: count what is absent and refuse what RAM cannot hold before
 * anything is touched, so that an absurd size costs nothing; allocate all frames; then, under one hold of the lock,
 * reserve all nodes and fill the slots, which cannot fail any more. Until then nobody has seen a frame, so undoing is
 * giving frames back and pruning the nodes. Pages that a fault has made meanwhile keep their frames, and ours go back.
 *
 * I1  a frame in a slot was zeroed before it got there
 * I2  page() hands out and makes pages below the size only, and looks at the size under the lock, so it cannot put one
 *     behind the back of a truncation; commit() makes pages beyond it too, for a caller who then grows the object
 *
 * Locking: object->lock, under which frames and nodes may be allocated and no page is ever zeroed.
 * Linux: mm/shmem.c. Not modelled: swap, quotas, huge pages, unwritten pages that fallocate has not zeroed yet.
 */
#include "object/object.h"

#include <errno.h>

#include "host/kmem.h"

enum { FEW = 32, ALLOC_BATCH = 512, REMOVE_BATCH = 64 };

/* Whether a page may lie beyond the size. */
enum reach { WITHIN_SIZE, ANYWHERE };

static int look_locked(struct ctx *ctx, struct object *object, uint64_t pgidx, enum reach reach, pfn_t *out)
{
	pfn_t pfn;

	if (reach == WITHIN_SIZE && pgidx >= pages_of(object->size))
		return -ENXIO;
	pfn = radix_get(&object->pages, pgidx);
	if (pfn.n == 0)
		return -ENOENT;
	frame_get(ctx->env->phys, pfn);
	*out = pfn;
	return 0;
}

static int look(struct ctx *ctx, struct object *object, uint64_t pgidx, enum reach reach, pfn_t *out)
{
	int err;

	mutex_lock(ctx, &object->lock);
	err = look_locked(ctx, object, pgidx, reach, out);
	mutex_unlock(ctx, &object->lock);
	return err;
}

/* Fill [first, first + n): of pfns, the first *used have gone into slots. */
static int install_locked(struct ctx *ctx, struct object *object, uint64_t first, uint64_t n, const pfn_t *pfns,
                          uint64_t *used)
{
	int err = radix_reserve(ctx, &object->pages, first, n);

	*used = 0;
	if (err < 0) {
		radix_prune(ctx->env, &object->pages);
		return err;
	}
	for (uint64_t pgidx = first; pgidx < first + n; pgidx++)
		if (radix_get(&object->pages, pgidx).n == 0)
			radix_set(&object->pages, pgidx, pfns[(*used)++]);
	return 0;
}

/* A page that was absent a moment ago. */
static int make(struct ctx *ctx, struct object *object, uint64_t pgidx, enum reach reach, pfn_t *out)
{
	uint64_t used = 0;
	pfn_t fresh;
	int err;

	if (frame_alloc(ctx, FRAME_FILE, FRAME_ZERO, &fresh) < 0) {
		/* Somebody may have made this very page of the last frame. */
		err = look(ctx, object, pgidx, reach, out);
		return err == -ENOENT ? -ENOMEM : err;
	}
	mutex_lock(ctx, &object->lock);
	err = look_locked(ctx, object, pgidx, reach, out);
	if (err == -ENOENT) {
		err = install_locked(ctx, object, pgidx, 1, &fresh, &used);
		if (err == 0) {
			frame_get(ctx->env->phys, fresh);
			*out = fresh;
		}
	}
	mutex_unlock(ctx, &object->lock);
	if (used == 0)
		frame_put(ctx, fresh);
	return err;
}

static int shmem_page(struct ctx *ctx, struct object *object, uint64_t pgidx, bool alloc, pfn_t *out)
{
	int err = look(ctx, object, pgidx, WITHIN_SIZE, out);

	return err == -ENOENT && alloc ? make(ctx, object, pgidx, WITHIN_SIZE, out) : err;
}

static size_t shmem_pages(struct ctx *ctx, struct object *object, uint64_t first, size_t n, pfn_t *out)
{
	uint64_t pgidx = first, end;
	size_t count = 0;
	pfn_t pfn;

	for (size_t i = 0; i < n; i++)
		out[i] = PFN_NONE;
	mutex_lock(ctx, &object->lock);
	end = MIN(first + n, pages_of(object->size));
	for (; pgidx < end && radix_next(&object->pages, pgidx, &pgidx, &pfn) && pgidx < end; pgidx++) {
		frame_get(ctx->env->phys, pfn);
		out[pgidx - first] = pfn;
		count++;
	}
	mutex_unlock(ctx, &object->lock);
	return count;
}

static int commit_one(struct ctx *ctx, struct object *object, uint64_t pgidx)
{
	pfn_t pfn;
	int err = look(ctx, object, pgidx, ANYWHERE, &pfn);

	if (err == -ENOENT)
		err = make(ctx, object, pgidx, ANYWHERE, &pfn);
	if (err == 0)
		frame_put(ctx, pfn);
	return err;
}

/* How many pages of [first, first + n) are absent; -ENOMEM if RAM cannot hold them. */
static int count_absent(struct ctx *ctx, struct object *object, uint64_t first, uint64_t n, uint64_t *absent)
{
	uint64_t pgidx = first;
	pfn_t pfn;

	mutex_lock(ctx, &object->lock);
	*absent = n;
	if (n <= object->pages.count || phys_has_frames(ctx, n - object->pages.count))
		for (; radix_next(&object->pages, pgidx, &pgidx, &pfn) && pgidx - first < n; pgidx++)
			--*absent;
	mutex_unlock(ctx, &object->lock);
	return phys_has_frames(ctx, *absent) ? 0 : -ENOMEM;
}

static void free_frames(struct ctx *ctx, const pfn_t *pfns, uint64_t n)
{
	while (n > 0)
		frame_put(ctx, pfns[--n]);
}

/* All or none, in pieces, so that other allocations get their turn. */
static int alloc_frames(struct ctx *ctx, pfn_t *pfns, uint64_t n)
{
	for (uint64_t done = 0; done < n; done += ALLOC_BATCH) {
		int err = frame_alloc_many(ctx, FRAME_FILE, FRAME_ZERO, pfns + done, MIN(n - done, ALLOC_BATCH));

		if (err < 0) {
			free_frames(ctx, pfns, done);
			return err;
		}
	}
	return 0;
}

/* With room for the numbers of as many frames as are absent. */
static int commit_into(struct ctx *ctx, struct object *object, uint64_t first, uint64_t n, pfn_t *pfns, uint64_t absent)
{
	uint64_t used;
	int err = alloc_frames(ctx, pfns, absent);

	if (err < 0)
		return err;
	mutex_lock(ctx, &object->lock);
	err = install_locked(ctx, object, first, n, pfns, &used);
	mutex_unlock(ctx, &object->lock);
	free_frames(ctx, pfns + used, absent - used);
	return err;
}

static int shmem_commit(struct ctx *ctx, struct object *object, uint64_t first, uint64_t n)
{
	pfn_t few[FEW], *pfns = few;
	uint64_t absent;
	int err;

	if (n == 1)
		return commit_one(ctx, object, first);
	err = count_absent(ctx, object, first, n, &absent);
	if (err < 0 || absent == 0)
		return err;
	if (absent > FEW) {
		pfns = kmem_alloc(ctx, absent * sizeof(*pfns));
		if (pfns == NULL)
			return -ENOMEM;
	}
	err = commit_into(ctx, object, first, n, pfns, absent);
	if (pfns != few)
		kmem_free(ctx->env, pfns, absent * sizeof(*pfns));
	return err;
}

static size_t shmem_remove(struct ctx *ctx, struct object *object, uint64_t *next, uint64_t last, pfn_t *out, size_t n)
{
	size_t done = 0;
	uint64_t pgidx;
	pfn_t pfn;

	(void)ctx;
	while (done < n && radix_next(&object->pages, *next, &pgidx, &pfn) && pgidx <= last) {
		out[done++] = radix_clear(&object->pages, pgidx);
		*next = pgidx + 1;
	}
	return done;
}

static void shmem_destroy(struct ctx *ctx, struct object *object)
{
	pfn_t pfns[REMOVE_BATCH];
	uint64_t next = 0;
	size_t n;

	do {
		n = shmem_remove(ctx, object, &next, OBJECT_PGIDX_MAX, pfns, REMOVE_BATCH);
		free_frames(ctx, pfns, n);
	} while (n != 0);
	radix_fini(ctx->env, &object->pages);
	mutex_fini(&object->lock);
	origin_clear(&object->origin);
	kmem_free(ctx->env, object, sizeof(*object));
}

static const struct object_ops shmem_ops = {
	.name = "shmem",
	.page = shmem_page,
	.pages = shmem_pages,
	.commit = shmem_commit,
	.remove = shmem_remove,
	.destroy = shmem_destroy,
};

int object_create_shmem(struct ctx *ctx, uint64_t size, struct object **out)
{
	struct object *object;

	KSIM_ASSERT(ctx, size <= OBJECT_SIZE_MAX, "a size is at most OBJECT_SIZE_MAX", "%llu",
	            (unsigned long long)size);
	object = kmem_alloc(ctx, sizeof(*object));
	if (object == NULL)
		return -ENOMEM;
	ref_init(&object->ref);
	origin_set(ctx, &object->origin, CENSUS_OBJECT);
	object->ops = &shmem_ops;
	mutex_init(&object->lock, RANK_OBJECT);
	object->size = size;
	radix_init(&object->pages);
	itree_init(&object->mappers);
	*out = object;
	return 0;
}
