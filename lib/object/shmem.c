// SPDX-License-Identifier: MIT
/*
 * Shared memory: an object whose absent pages are zeros, and whose present ones live in RAM and nowhere else.
 *
 * One page, for a fault or a write: look without the lock, allocate and zero a frame, lock and look again; whoever
 * comes second gives his frame back and takes the first one's. Pages that are there are so found by any number of tasks
 * at once, which write to nothing that another one reads:
 *
 *	look      looked shared: size, slot, one more reference
 *	remove    lock: size and sequence stored .. looked exclusive: slots emptied, nodes freed .. frames put
 *
 * Whoever is kept out meanwhile, or has to take a mark off, looks under the lock.
 *
 * Many pages, all or none, for ftruncate and fallocate: count what is absent and refuse what RAM cannot hold before
 * anything is touched, so that an absurd size costs nothing; allocate all frames; then, under one hold of the lock,
 * reserve all nodes and fill the slots, which cannot fail any more. Until then nobody has seen a frame, so undoing is
 * giving frames back and pruning the nodes. Pages that a fault has made meanwhile keep their frames, and ours go back.
 *
 * What a page is to SEEK_DATA:
 *
 *	absent ----- page() MAKE, TOUCH ----------------------------------------> data
 *	   '-------- commit() ----> unwritten: marked -- page() TOUCH, commit() --^
 *
 * Both unwritten pages and data count in st_blocks; both go absent by remove(). What gather() copies (gather.c) is data.
 *
 * I1  a frame in a slot was zeroed before it got there
 * I2  page() hands out and makes pages below the size only, and makes one only if it sees so under the lock, so it
 *     cannot put one behind the back of a truncation; with PAGE_BEYOND, and commit(), beyond it too, for a caller who
 *     keeps truncations away
 * I3  beyond the size there are pages of zeros only: unwritten ones, what a write made that failed, and what a block
 *     needed to be whole
 * I4  no slot is emptied and no node freed but under the lock and `looked`, so that a frame found under either has the
 *     slot's reference until the caller has one of his own
 *
 * Locking: object->lock, under which frames and nodes may be allocated and no page is zeroed but by gather(); inside it
 * `looked`.
 * Linux: mm/shmem.c. Not modelled: swap, quotas.
 */
#include "object/shmem.h"

#include <errno.h>

#include "host/kmem.h"

enum { FEW = 32, ALLOC_BATCH = HUGE_FRAMES, REMOVE_BATCH = 64 };

static struct radix *radix_of(struct object *object)
{
	return &shmem_of(object)->pages;
}

int shmem_look_locked(struct ctx *ctx, struct object *object, uint64_t pgidx, unsigned how, pfn_t *out)
{
	struct radix *pages = radix_of(object);
	pfn_t pfn;

	if (!(how & PAGE_BEYOND) && pgidx >= pages_of(object->size))
		return -ENXIO;
	pfn = how & PAGE_TOUCH ? radix_get_unmark(pages, pgidx) : radix_get(pages, pgidx);
	if (pfn.n == 0)
		return -ENOENT;
	frame_get(ctx->env->phys, pfn);
	*out = pfn;
	return 0;
}

enum { LOOK_LOCKED = 1 };

/* @return what look_locked would, or LOOK_LOCKED */
static int look_unlocked(struct ctx *ctx, struct object *object, uint64_t pgidx, unsigned how, pfn_t *out)
{
	struct shmem *shmem = shmem_of(object);
	int err = 0;
	bool marked;

	if (unlikely(!rwlock_try_read(ctx, &shmem->looked)))
		return LOOK_LOCKED;
	if (!(how & PAGE_BEYOND) && pgidx >= pages_of(object_size(object)))
		err = -ENXIO;
	else if ((*out = radix_peek(&shmem->pages, pgidx, &marked)).n == 0)
		err = -ENOENT;
	else if (marked && how & PAGE_TOUCH)
		err = LOOK_LOCKED;
	else
		frame_get(ctx->env->phys, *out);
	rwlock_read_unlock(ctx, &shmem->looked);
	return err;
}

static bool shmem_look(struct ctx *ctx, struct object *object, uint64_t pgidx, pfn_t *out)
{
	struct shmem *shmem = shmem_of(object);
	bool marked;

	if (unlikely(!rwlock_try_read(ctx, &shmem->looked)))
		return false;
	if (pgidx < pages_of(object_size(object))) {
		*out = radix_peek(&shmem->pages, pgidx, &marked);
		if (out->n != 0)
			return true;
	}
	rwlock_read_unlock(ctx, &shmem->looked);
	return false;
}

static void shmem_unlook(struct ctx *ctx, struct object *object)
{
	rwlock_read_unlock(ctx, &shmem_of(object)->looked);
}

static int look(struct ctx *ctx, struct object *object, uint64_t pgidx, unsigned how, pfn_t *out)
{
	int err = look_unlocked(ctx, object, pgidx, how, out);

	if (likely(err != LOOK_LOCKED))
		return err;
	mutex_lock(ctx, &object->lock);
	err = shmem_look_locked(ctx, object, pgidx, how, out);
	mutex_unlock(ctx, &object->lock);
	return err;
}

void shmem_prune_locked(struct ctx *ctx, struct object *object)
{
	rwlock_write(ctx, &shmem_of(object)->looked);
	radix_prune(ctx->env, radix_of(object));
	rwlock_write_unlock(ctx, &shmem_of(object)->looked);
}

int shmem_install_locked(struct ctx *ctx, struct object *object, uint64_t first, uint64_t n, unsigned how,
                         const pfn_t *pfns, uint64_t *used)
{
	struct radix *pages = radix_of(object);
	int err = radix_reserve(ctx, pages, first, n);

	*used = 0;
	if (err < 0) {
		shmem_prune_locked(ctx, object);
		return err;
	}
	for (uint64_t pgidx = first; pgidx < first + n; pgidx++) {
		if (radix_get_unmark(pages, pgidx).n != 0)
			continue;
		(how & PAGE_TOUCH ? radix_set : radix_set_marked)(pages, pgidx, pfns[(*used)++]);
	}
	return 0;
}

/* A page that was absent a moment ago. */
static int make(struct ctx *ctx, struct object *object, uint64_t pgidx, unsigned how, pfn_t *out)
{
	uint64_t used = 0;
	pfn_t fresh;
	int err;

	if (frame_alloc(ctx, FRAME_FILE, FRAME_ZERO, &fresh) < 0) {
		/* Somebody may have made this very page of the last frame. */
		err = look(ctx, object, pgidx, how, out);
		return err == -ENOENT ? -ENOMEM : err;
	}
	mutex_lock(ctx, &object->lock);
	err = shmem_look_locked(ctx, object, pgidx, how, out);
	if (err == -ENOENT) {
		err = shmem_install_locked(ctx, object, pgidx, 1, how, &fresh, &used);
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

static int shmem_page(struct ctx *ctx, struct object *object, uint64_t pgidx, unsigned how, pfn_t *out)
{
	int err = look(ctx, object, pgidx, how, out);

	return err == -ENOENT && how & PAGE_MAKE ? make(ctx, object, pgidx, how, out) : err;
}

/*
 * A block for pages none of which was there a moment ago: none if there is no memory for it, for there may be for less.
 */
static void make_block(struct ctx *ctx, struct object *object, uint64_t first)
{
	pfn_t pfns[HUGE_FRAMES];
	struct radix *pages = radix_of(object);
	uint64_t used = 0, found;
	pfn_t head, pfn;

	if (frame_alloc_block(ctx, FRAME_FILE, HUGE_ORDER, FRAME_ZERO, &head) < 0)
		return;
	for (uint64_t i = 0; i < HUGE_FRAMES; i++)
		pfns[i].n = head.n + i;
	mutex_lock(ctx, &object->lock);
	if (first + HUGE_FRAMES <= pages_of(object->size) &&
	    !(radix_next(pages, first, &found, &pfn) && found < first + HUGE_FRAMES))
		shmem_install_locked(ctx, object, first, HUGE_FRAMES, PAGE_TOUCH, pfns, &used);
	mutex_unlock(ctx, &object->lock);
	if (used == 0)
		frame_put_block(ctx, head);
}

static pfn_t look_block(struct ctx *ctx, struct object *object, uint64_t first, bool *absent)
{
	struct radix *pages = radix_of(object);
	pfn_t head = PFN_NONE, pfn;
	uint64_t found;

	mutex_lock(ctx, &object->lock);
	if (first + HUGE_FRAMES <= pages_of(object->size)) {
		head = radix_block(pages, first);
		for (uint64_t i = 0; head.n != 0 && pages->nmarked != 0 && i < HUGE_FRAMES; i++)
			radix_get_unmark(pages, first + i); /* to be mapped: data from now on */
		*absent = head.n == 0 && !(radix_next(pages, first, &found, &pfn) && found < first + HUGE_FRAMES);
	}
	mutex_unlock(ctx, &object->lock);
	return head;
}

static pfn_t shmem_block(struct ctx *ctx, struct object *object, uint64_t first, bool alloc)
{
	bool absent = false;
	pfn_t head = look_block(ctx, object, first, &absent);

	if (!alloc || !absent)
		return head;
	make_block(ctx, object, first);
	return look_block(ctx, object, first, &absent);
}

static size_t shmem_pages(struct ctx *ctx, struct object *object, uint64_t first, size_t n, pfn_t *out)
{
	struct radix *pages = radix_of(object);
	uint64_t pgidx = first, end;
	size_t count = 0;
	pfn_t pfn;

	for (size_t i = 0; i < n; i++)
		out[i] = PFN_NONE;
	mutex_lock(ctx, &object->lock);
	end = MIN(first + n, pages_of(object->size));
	for (; pgidx < end && radix_next(pages, pgidx, &pgidx, &pfn) && pgidx < end; pgidx++) {
		if (pages->nmarked != 0) {
			/*
			 * As on Linux, where a fault maps what lies around it: what fallocate set aside is no data by
			 * that.
			 */
			if (ctx->env->commit == COMMIT_ON_TOUCH && radix_marked(pages, pgidx))
				continue;
			radix_get_unmark(pages, pgidx);
		}
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
	int err = look(ctx, object, pgidx, PAGE_BEYOND | PAGE_TOUCH, &pfn);

	if (err == -ENOENT)
		err = make(ctx, object, pgidx, PAGE_BEYOND, &pfn);
	if (err == 0) {
		frame_set_dirty(frame_of(ctx->env->phys, pfn)); /* as whoever commits a page means to keep it */
		frame_put(ctx, pfn);
	}
	return err;
}

/* How many pages of [first, first + n) are absent; -ENOMEM if RAM, or the caller's share of it, cannot hold them. */
static int count_absent(struct ctx *ctx, struct object *object, uint64_t first, uint64_t n, uint64_t *absent)
{
	struct radix *pages = radix_of(object);
	uint64_t pgidx = first;
	bool has;
	pfn_t pfn;

	mutex_lock(ctx, &object->lock);
	has = n <= pages->count || phys_has_frames(ctx, n - pages->count);
	*absent = n;
	for (; has && radix_next(pages, pgidx, &pgidx, &pfn) && pgidx - first < n; pgidx++)
		--*absent;
	mutex_unlock(ctx, &object->lock);
	return has && phys_has_frames(ctx, *absent) ? 0 : -ENOMEM;
}

static void free_frames(struct ctx *ctx, const pfn_t *pfns, uint64_t n)
{
	while (n > 0)
		frame_put(ctx, pfns[--n]);
}

/*
 * All or none, in pieces, so that other allocations get their turn. A piece ends where a block of pages may begin, if
 * the frames are for pages in a row from `first` on.
 */
static int alloc_frames(struct ctx *ctx, uint64_t first, pfn_t *pfns, uint64_t n)
{
	uint64_t part;

	for (uint64_t done = 0; done < n; done += part) {
		int err;

		part = MIN(n - done, ALLOC_BATCH - (first + done) % ALLOC_BATCH);
		err = frame_alloc_many(ctx, FRAME_FILE, FRAME_ZERO, pfns + done, part);
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
	int err = alloc_frames(ctx, first, pfns, absent);

	if (err < 0)
		return err;
	for (uint64_t i = 0; i < absent; i++)
		frame_set_dirty(frame_of(ctx->env->phys, pfns[i]));
	mutex_lock(ctx, &object->lock);
	err = shmem_install_locked(ctx, object, first, n, 0, pfns, &used);
	mutex_unlock(ctx, &object->lock);
	free_frames(ctx, pfns + used, absent - used);
	return err;
}

/* All there are already: they become data. */
static void touch(struct ctx *ctx, struct object *object, uint64_t first, uint64_t n)
{
	struct radix *pages = radix_of(object);

	mutex_lock(ctx, &object->lock);
	for (uint64_t pgidx = first; pages->nmarked != 0 && pgidx < first + n; pgidx++)
		radix_get_unmark(pages, pgidx);
	mutex_unlock(ctx, &object->lock);
}

static int shmem_commit(struct ctx *ctx, struct object *object, uint64_t first, uint64_t n)
{
	pfn_t few[FEW], *pfns = few;
	uint64_t absent;
	int err;

	if (n == 1)
		return commit_one(ctx, object, first);
	err = count_absent(ctx, object, first, n, &absent);
	if (err < 0)
		return err;
	if (absent == 0) {
		touch(ctx, object, first, n);
		return 0;
	}
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

/* Nobody looks. */
static size_t take_out(struct ctx *ctx, struct radix *pages, uint64_t *next, uint64_t last, pfn_t *out, size_t n)
{
	size_t done = 0;
	uint64_t pgidx;
	pfn_t pfn;

	while (done < n && radix_next(pages, *next, &pgidx, &pfn) && pgidx <= last) {
		out[done++] = radix_clear(pages, pgidx);
		*next = pgidx + 1;
	}
	if (done < n)
		radix_prune(ctx->env, pages);
	return done;
}

size_t shmem_remove(struct ctx *ctx, struct object *object, uint64_t *next, uint64_t last, pfn_t *out, size_t n)
{
	size_t done;

	rwlock_write(ctx, &shmem_of(object)->looked);
	done = take_out(ctx, radix_of(object), next, last, out, n);
	rwlock_write_unlock(ctx, &shmem_of(object)->looked);
	return done;
}

bool shmem_next(struct ctx *ctx, struct object *object, uint64_t pgidx, uint64_t *found, pfn_t *pfn)
{
	(void)ctx;
	return radix_next(radix_of(object), pgidx, found, pfn);
}

uint64_t shmem_count(struct ctx *ctx, struct object *object)
{
	(void)ctx;
	return radix_of(object)->count;
}

static bool shmem_seek(struct ctx *ctx, struct object *object, uint64_t pgidx, bool data, uint64_t *found)
{
	(void)ctx;
	if (data)
		return radix_next_unmarked(radix_of(object), pgidx, found);
	*found = radix_next_gap(radix_of(object), pgidx);
	return true;
}

void shmem_check(struct ctx *ctx, struct object *object, struct check_report *report)
{
	struct radix *pages = radix_of(object);
	uint64_t pgidx = pages_of(object->size);

	radix_check(pages, report);
	for (; radix_next_unmarked(pages, pgidx, &pgidx); pgidx++)
		CHECK_THAT(report, frame_is_zero(ctx->env->phys, radix_get(pages, pgidx)),
		           "shmem I3: beyond the size are pages of zeros only", "page %#llx, size %llu bytes",
		           (unsigned long long)pgidx, (unsigned long long)object->size);
}

void shmem_fini(struct ctx *ctx, struct shmem *shmem)
{
	pfn_t pfns[REMOVE_BATCH];
	uint64_t next = 0;
	size_t n;

	do {
		n = take_out(ctx, &shmem->pages, &next, OBJECT_PGIDX_MAX, pfns, REMOVE_BATCH);
		free_frames(ctx, pfns, n);
	} while (n != 0);
	radix_fini(ctx->env, &shmem->pages);
	rwlock_fini(&shmem->looked);
	object_fini(&shmem->object);
}

static void shmem_destroy(struct ctx *ctx, struct object *object)
{
	shmem_fini(ctx, shmem_of(object));
	kmem_free(ctx->env, shmem_of(object), sizeof(struct shmem));
}

static const struct object_ops shmem_ops = {
	.name = "shmem",
	.page = shmem_page,
	.look = shmem_look,
	.unlook = shmem_unlook,
	.pages = shmem_pages,
	.block = shmem_block,
	.gather = shmem_gather,
	.commit = shmem_commit,
	.remove = shmem_remove,
	.next = shmem_next,
	.count = shmem_count,
	.seek = shmem_seek,
	.check = shmem_check,
	.destroy = shmem_destroy,
};

void shmem_init(struct ctx *ctx, struct shmem *shmem, const struct object_ops *ops, uint64_t size)
{
	object_init(ctx, &shmem->object, ops, size);
	radix_init(&shmem->pages);
	rwlock_init(&shmem->looked, RANK_OBJECT_LOOK);
}

int object_create_shmem(struct ctx *ctx, uint64_t size, struct object **out)
{
	struct shmem *shmem = kmem_alloc(ctx, sizeof(*shmem));

	if (shmem == NULL)
		return -ENOMEM;
	shmem_init(ctx, shmem, &shmem_ops, size);
	*out = &shmem->object;
	return 0;
}
