/* SPDX-License-Identifier: MIT */
/*
 * The pages of one file or of one shared anonymous mapping, by page index: the place where everyone who maps,
 * reads or writes the file meets, so that all see the same frames.
 */
#ifndef OBJECT_OBJECT_H
#define OBJECT_OBJECT_H

#include "base/itree.h"
#include "base/ref.h"
#include "base/uio.h"
#include "object/backing.h"
#include "phys/runs.h"

#include <errno.h>

struct ksim_object_ops;
struct mapper;
struct object;

/** What a mapping of an object must be able to do; mm provides it. */
struct mapper_ops {
	/**
	 * Take pages [first, last] away from this mapping: clear the entries, invalidate, put the frames.
	 * With private_copies the mapping's own copies go too, as truncation demands.
	 * Called with the object's lock held; cannot fail, allocates nothing. [first, last] lies within the mapping.
	 * The object's size and sequence were stored before, and a full fence stands between: an entry may be
	 * taken for absent only under its leaf lock, or where there is no leaf node. A fault, on its side, sets an
	 * entry under the leaf lock after it has seen size and sequence unchanged there, with a full fence between
	 * linking a new leaf node and that look. An entry for a whole block stands where there is no leaf node, and
	 * holds no reference: what of that sets or clears one, the look at the sequence and the end of all
	 * translations included, is done under the entry's lock, and zap waits for who holds it, both before it looks
	 * and when it has.
	 */
	void (*zap)(struct ctx *ctx, struct mapper *mapper, uint64_t first, uint64_t last, bool private_copies);
};

/** One mapping of an object, embedded in a VMA. Its interval is in page indices. */
struct mapper {
	struct itree_node node;       /* o */
	const struct mapper_ops *ops; /* c */
};

/** How a page is asked for; bits. */
enum page_how {
	PAGE_MAKE = 1,   /* make a zeroed one if it is absent */
	PAGE_TOUCH = 2,  /* it is data from now on: it is mapped, or written to */
	PAGE_BEYOND = 4, /* also if it begins at or beyond the size; the caller holds the inode's lock */
};

/**
 * Where an object's pages come from. Members that may be NULL: `look` (then `page` is asked), `pages` (then `page` is
 * asked for each), `seek` (then a page that is there is data), `check`, `promise`.
 */
struct object_ops {
	const char *name;
	/** Pages that come and go together, a power of two; 0: each alone. */
	uint64_t unit;
	/**
	 * The frame of a page, with a reference for the caller.
	 * @return 0; -ENOENT absent and not to be made; -ENXIO it begins at or beyond the size; -ENOMEM; -ENOSPC what
	 * such pages are made of has run out, and not memory as such
	 */
	int (*page)(struct ctx *ctx, struct object *object, uint64_t pgidx, unsigned how, pfn_t *out);
	/**
	 * The frame of a page that is there, without a reference: it stays there until unlook, which follows at once
	 * and in any case if this succeeds. In between no lock is taken and no fault can happen.
	 * @return false: it is absent, or is to be asked for by `page`
	 */
	bool (*look)(struct ctx *ctx, struct object *object, uint64_t pgidx, pfn_t *out);
	void (*unlook)(struct ctx *ctx, struct object *object);
	/** What there is of pages [first, first + n), see object_pages_at. */
	size_t (*pages)(struct ctx *ctx, struct object *object, uint64_t first, size_t n, pfn_t *out);
	/**
	 * The block of 2 MiB that pages [first, first + HUGE_FRAMES) are: all of them there, below the size, and in
	 * frames that follow each other from a multiple of HUGE_FRAMES on. Without a reference: the caller judges,
	 * under the lock that guards his entry, whether anything was removed since he read the sequence, and may touch
	 * the frames only if not.
	 * @param first  a multiple of HUGE_FRAMES
	 * @param alloc  make it if all of the pages are absent
	 * @return its first frame; PFN_NONE: there is none
	 * NULL: the pages are never mapped so. Where pages have a unit, those that fallocate has put beyond the size
	 * are found.
	 */
	pfn_t (*block)(struct ctx *ctx, struct object *object, uint64_t first, bool alloc);
	/**
	 * Have pages [first, first + HUGE_FRAMES) be a block, those that are there with what is in them and the others,
	 * also beyond the size, as zeros; all of them are data from now on. Mappings lose them and keep their copies.
	 * @param first  a multiple of HUGE_FRAMES
	 * @return 0, also if they were a block; and nothing has changed but that they may be mapped no more: -EINVAL
	 * none is there, or fallocate alone has put one beyond the size; -ENOMEM; -EAGAIN somebody holds one
	 * NULL: the pages stay where they are.
	 */
	int (*gather)(struct ctx *ctx, struct object *object, uint64_t first);
	/**
	 * Allocate zeroed frames for the absent pages of [first, first + n): all or none, also beyond the size. Those
	 * are no data until they are touched; those that were there are data from now on, as on Linux. 0; -ENOMEM; or
	 * -ENOSPC, where pages have a unit, and then those before the one that could not be had are there.
	 */
	int (*commit)(struct ctx *ctx, struct object *object, uint64_t first, uint64_t n);
	/**
	 * Take up to n frames out of the slots of [*next, last], in order, with the slots' references; *next becomes
	 * the index to go on from. last is OBJECT_PGIDX_MAX for a truncation, and for nothing else. Object lock held;
	 * the caller zaps the mappings before it puts the frames.
	 * @return how many; fewer than n: there are no more
	 */
	size_t (*remove)(struct ctx *ctx, struct object *object, uint64_t *next, uint64_t last, pfn_t *out, size_t n);
	/**
	 * Make sure that the pages of [first, first + n) can be had when they are asked for: 0 or -ENOMEM. It lasts
	 * until they are truncated away.
	 */
	int (*promise)(struct ctx *ctx, struct object *object, uint64_t first, uint64_t n);
	/** The first page at or above pgidx that is there; false: none is. Object lock held; no reference is taken. */
	bool (*next)(struct ctx *ctx, struct object *object, uint64_t pgidx, uint64_t *found, pfn_t *pfn);
	/** How many pages are there. Object lock held. */
	uint64_t (*count)(struct ctx *ctx, struct object *object);
	/**
	 * The first page at or above pgidx that is data, or that is none. Object lock held.
	 * @return false: all that follow are the other
	 */
	bool (*seek)(struct ctx *ctx, struct object *object, uint64_t pgidx, bool data, uint64_t *found);
	/** Validator of what is the object's own. Object lock held. */
	void (*check)(struct ctx *ctx, struct object *object, struct check_report *report);
	/** The last reference has gone. */
	void (*destroy)(struct ctx *ctx, struct object *object);
};

struct object {
	struct ref ref;
	struct origin origin;         /* c */
	const struct object_ops *ops; /* c */
	struct mutex lock;            /* RANK_OBJECT */
	uint64_t size;                /* a  bytes; written under lock */
	uint64_t seq;         /* a  raised by every removal, after size is stored and before pages go, or move */
	struct itree mappers; /* o */
	int64_t writers;      /* a  mappings that may write, or -1: none may ever be made */
};

#define OBJECT_SIZE_MAX ((uint64_t)INT64_MAX)
/** No page of any object has a greater index. */
#define OBJECT_PGIDX_MAX (UINT64_MAX >> PAGE_SHIFT)

/** The part that all kinds of objects have: of that size, with one reference, on the caller's account. */
void object_init(struct ctx *ctx, struct object *object, const struct object_ops *ops, uint64_t size);
/** Its end, for object_ops.destroy, before the memory goes. */
void object_fini(struct object *object);
/** Whether somebody else's ops are all there; see <ksim/kernel/object.h>. */
bool object_ops_complete(const struct ksim_object_ops *ops);
/** An object, of size 0, whose pages somebody else keeps. 0; -ENOMEM, and what else their create says. */
int object_create_foreign(struct ctx *ctx, const struct ksim_object_ops *ops, struct object **out);
/** An object of shared memory: absent pages read as zeros and are made when touched. 0 or -ENOMEM. */
int object_create_shmem(struct ctx *ctx, uint64_t size, struct object **out);
void object_get(struct object *object);
/** NULL is legal. */
void object_put(struct ctx *ctx, struct object *object);

static inline uint64_t object_size(const struct object *object)
{
	return __atomic_load_n(&object->size, __ATOMIC_ACQUIRE);
}

static inline uint64_t object_seq(const struct object *object)
{
	return __atomic_load_n(&object->seq, __ATOMIC_ACQUIRE);
}

/**
 * The frame of a page that is to be mapped, with a reference; alloc: make it if it is absent. The caller judges the
 * size before and, under the leaf lock, after. Errors as object_ops.page.
 */
static inline int object_page(struct ctx *ctx, struct object *object, uint64_t pgidx, bool alloc, pfn_t *out)
{
	return object->ops->page(ctx, object, pgidx, alloc ? PAGE_MAKE | PAGE_TOUCH : PAGE_TOUCH, out);
}

/**
 * The frames of pages [first, first + n), to be mapped, each with a reference for the caller; PFN_NONE for a page that
 * is absent or begins at or beyond the size, or, where files are sparse, is no data yet. @return how many there are
 */
size_t object_pages_at(struct ctx *ctx, struct object *object, uint64_t first, size_t n, pfn_t *out);

/** As object_ops.promise; 0 where no object ever promises. */
static inline int object_promise(struct ctx *ctx, struct object *object, uint64_t first, uint64_t n)
{
	return object->ops->promise != NULL ? object->ops->promise(ctx, object, first, n) : 0;
}

/** Whether its pages are of 2 MiB, see hugefile.h. */
static inline bool object_is_huge(const struct object *object)
{
	return object->ops->unit == HUGE_FRAMES;
}

/** As object_ops.block. */
static inline pfn_t object_block(struct ctx *ctx, struct object *object, uint64_t first, bool alloc)
{
	return object->ops->block != NULL ? object->ops->block(ctx, object, first, alloc) : PFN_NONE;
}

/** As object_ops.gather; -EINVAL of objects without it. */
static inline int object_gather(struct ctx *ctx, struct object *object, uint64_t first)
{
	return object->ops->gather != NULL ? object->ops->gather(ctx, object, first) : -EINVAL;
}

/**
 * Take pages [first, last] from every mapping though they stay in their slots; the mappings' own copies stay. From then
 * on a fault that has looked one up before maps it no more. Object lock held.
 */
void object_hide_locked(struct ctx *ctx, struct object *object, uint64_t first, uint64_t last);

/**
 * Give the object a new size, in bytes. Shrinking, or the same size again, zeroes the tail of the last page, removes
 * the pages beyond and takes them from every mapping, private copies included; it cannot fail. Growing changes the
 * size only. The inode's lock (or none else growing) serialises callers.
 */
void object_resize(struct ctx *ctx, struct object *object, uint64_t size);
/**
 * Allocate the absent pages that cover bytes [start, end): all or none. Pages beyond the size stay unreachable until
 * object_resize has grown it. The inode's lock is held. 0 or -ENOMEM.
 */
int object_commit(struct ctx *ctx, struct object *object, uint64_t start, uint64_t end);
/**
 * Make bytes [start, end) a hole: whole pages go, from every mapping too, but private copies stay; what is left of the
 * first and the last page is zeroed. Where pages have a unit, whole ones of these go, and private copies with them. The
 * size stays. The inode's lock is held; it cannot fail.
 */
void object_punch(struct ctx *ctx, struct object *object, uint64_t start, uint64_t end);
/**
 * Where at or beyond offset, bytes, the next data is, or the next hole, the one at the end included.
 * @return the offset; -ENXIO offset is at or beyond the size, or no data follows
 */
int64_t object_seek(struct ctx *ctx, struct object *object, uint64_t offset, bool data);

/** Pages present. A snapshot. */
uint64_t object_pages(struct ctx *ctx, struct object *object);
/** Which they are. A snapshot; the frames are not held. */
void object_runs(struct ctx *ctx, struct object *object, struct frame_runs *runs);

/**
 * Copy out of the object, up to its size; absent pages read as zeros and stay absent.
 * @return bytes moved, 0 at or past the end; -EFAULT if the first byte cannot be stored
 */
ssize_t object_read(struct ctx *ctx, struct object *object, uint64_t offset, struct uio *uio);
/**
 * Copy into the object, making pages as needed and growing the size with each page done.
 * The inode's lock is held. @return bytes moved; -EFAULT, -ENOMEM, -EFBIG (at OBJECT_SIZE_MAX) if none could be
 */
ssize_t object_write(struct ctx *ctx, struct object *object, uint64_t offset, struct uio *uio);

/** One more mapping that may write: 0 or -EPERM. */
int object_writer_get(struct object *object);
/** One more for a mapping that is being split or copied, which may write already. */
void object_writer_dup(struct object *object);
void object_writer_put(struct object *object);
/** Forbid writing mappings for ever: 0, or -EBUSY while there are any. Idempotent. */
int object_deny_writers(struct object *object);

/** Put a mapping of pages [first, last] on the object's list, and take it off; object lock not held. */
void object_map(struct ctx *ctx, struct object *object, struct mapper *mapper, uint64_t first, uint64_t last);
void object_unmap(struct ctx *ctx, struct object *object, struct mapper *mapper);

void object_check(struct ctx *ctx, struct object *object, struct check_report *report);

#endif
