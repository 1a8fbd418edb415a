/* SPDX-License-Identifier: MIT */
/*
 * Simulated RAM: one host allocation, and beside it one struct frame for each 4096 bytes.
 */
#ifndef PHYS_PHYS_H
#define PHYS_PHYS_H

#include <string.h>

#include "base/env.h"
#include "base/util.h"
#include "host/lock.h"

typedef struct ksim_pfn pfn_t;

#define PFN_NONE     ((pfn_t){ 0 })
#define FRAME_ORDERS 10 /* 0 to 9: 4 KiB to 2 MiB */

/* A block of 2 MiB, which one entry of a page table can map. */
#define HUGE_ORDER  9
#define HUGE_FRAMES (UINT64_C(1) << HUGE_ORDER)

/** What a frame is used for. */
enum frame_use {
	FRAME_FREE,     /* in the allocator: on a list, or above virgin */
	FRAME_CACHED,   /* free too, but in a task's cache (cache.h) */
	FRAME_RESERVED, /* pfn 0 */
	FRAME_ANON,     /* private memory of one or, after fork, several processes */
	FRAME_FILE,     /* a page of an object */
	FRAME_POOL,     /* of a huge page that waits for somebody to need it (pool.h) */
	FRAME_TABLE,    /* a page-table node */
	FRAME_USES,
};

/**
 * One frame, 16 bytes. Which members hold follows from `use`. All zero is a free frame that was never used.
 *
 * a atomic; f the frame allocator's lock, or whoever took the frame from a cache; p who detached the node;
 * c constant while in use
 */
struct frame {
	union {
		uint32_t refs; /* a  in use: references; the last put frees */
		uint32_t prev; /* f  free: previous of its order's list, a pfn, 0 = none */
	};
	union {
		uint32_t mappers;   /* a  ANON, FILE: entries of page tables that point here */
		uint32_t node_lock; /* a  TABLE, a hooked leaf node: the leaf lock, a spin word */
		uint32_t children;  /* a  TABLE, hooked between root and leaves: its present entries */
		uint32_t link;      /* p  TABLE, detached: next of the list of nodes to free, a pfn */
		uint32_t next;      /* f  free: next of its order's list; POOL, first of a page: the next page */
	};
	uint32_t owner; /* c  in use: id of the account that allocated it (see origin.h) */
	uint8_t use;    /* f a  enum frame_use */
	union {
		uint8_t order;  /* f  head of a free block: its order */
		uint8_t pooled; /* a  in use: it is of a huge page, and goes back to the pool */
	};
	uint8_t recycled; /* f  was freed before */
	union {
		uint8_t zeros; /* f  free: its content is zeros, although it was freed before (see poison.c) */
		uint8_t dirty; /* a  FILE: somebody has written to it, see frame_set_dirty */
	};
};

/* What is kept of an aligned block of 2 MiB, see block.c. */
struct block {
	uint32_t maps; /* a  huge entries that map all of it */
	uint32_t home; /* a  of a huge page in use: frames that nobody holds any more */
};

struct pool;

struct phys {
	char *ram;            /* c  host address of pfn 0 */
	int fd;               /* c  of a file of the host's that it is, from pfn 0 on; -1: it is none */
	struct frame *frames; /* c  indexed by pfn */
	struct block *blocks; /* indexed by pfn / HUGE_FRAMES */
	struct pool *pool;    /* c  of huge pages */
	uint64_t nframes;     /* c  pfn 0 included */
	struct env *env;      /* c */
	bool poison;          /* c */
	/* a  NULL: there has never been one, see group.h */
	struct groups *groups;
	/* On cache lines of its own, for what stands above is read by every walk of a page table. */
	struct mutex lock __attribute__((aligned(64))); /* RANK_FRAME: all f members, lists, virgin, nfree */
	uint64_t virgin;                                /* f  frames from here on were never used and are on no list */
	uint64_t nfree;                   /* f  frames on the lists and above virgin, those in caches not included */
	uint32_t free_head[FRAME_ORDERS]; /* f  first free block of each order, a pfn */
	LIST_HEAD(, frame_cache) caches;  /* f */
};

/** ram_bytes: a multiple of a page, from 16 to 2^32 pages. 0, -EINVAL, -ENOMEM. Sets env->phys. */
int phys_create(struct env *env, uint64_t ram_bytes, struct phys **out);
/** Frames may still be in use; NULL is legal. Clears env->phys. */
void phys_destroy(struct phys *phys);

/** Frames that could be allocated now. A snapshot; looks at every task's cache. */
uint64_t phys_free_frames(struct ctx *ctx);
/** Whether n frames could be allocated now, by this caller. */
bool phys_has_frames(struct ctx *ctx, uint64_t n);
/** Frames in all that can ever be allocated (pfn 0 is not among them). */
static inline uint64_t phys_total_frames(const struct phys *phys)
{
	return phys->nframes - 1;
}

#define FRAME_ZERO     1u /* zeroed; else its content is undefined (poisoned) */
#define FRAME_AS_IT_IS 2u /* what a free frame's is, and out of bounds: for who keeps it for somebody else */

/** Each byte of a freed frame, and of a new one that is not zeroed, when env->poison is set. */
#define FRAME_POISON 0xdb

/**
 * Allocate one frame with one reference, charged to ctx->owner, and to its group if it has one. Asks
 * env_fails(FAIL_FRAME) first.
 * @return 0 or -ENOMEM
 */
int frame_alloc(struct ctx *ctx, enum frame_use use, unsigned flags, pfn_t *out);
/**
 * Allocate n frames, each with one reference of its own, contiguous where that is possible without
 * effort: all or none. One FAIL_FRAME question per frame. Any lock rank above RANK_FRAME may be held.
 * @return 0 or -ENOMEM
 */
int frame_alloc_many(struct ctx *ctx, enum frame_use use, unsigned flags, pfn_t *out, size_t n);
/**
 * Allocate an aligned block of 2^order frames, order < FRAME_ORDERS; each frame has a reference of its own.
 * One FAIL_FRAME question. Who asks for more than one frame can do with less: that the limit of his group forbids it
 * counts as no refusal.
 * @return 0 or -ENOMEM
 */
int frame_alloc_block(struct ctx *ctx, enum frame_use use, unsigned order, unsigned flags, pfn_t *first);

/** The caller has a reference already, or a lock under which the last one cannot go. */
void frame_get(struct phys *phys, pfn_t pfn);
/** Drop a reference; the last one poisons and frees the frame, at once. */
void frame_put(struct ctx *ctx, pfn_t pfn);
/** Drop the last reference to a frame whose content is all zeros; who gets it next need not zero it. */
void frame_put_zeros(struct ctx *ctx, pfn_t pfn);

static inline enum frame_use frame_use(const struct frame *frame)
{
	return (enum frame_use)__atomic_load_n(&frame->use, __ATOMIC_RELAXED);
}

static inline void frame_set_use(struct frame *frame, enum frame_use use)
{
	__atomic_store_n(&frame->use, (uint8_t)use, __ATOMIC_RELAXED);
}

/** Whether a frame in use is of a huge page of the pool's. */
static inline bool frame_pooled(const struct frame *frame)
{
	return __atomic_load_n(&frame->pooled, __ATOMIC_RELAXED);
}

static inline void frame_set_pooled(struct frame *frame, bool pooled)
{
	__atomic_store_n(&frame->pooled, pooled, __ATOMIC_RELAXED);
}

/** Whether a page of an object has been written to; what entries say that may write to it now is not in it. */
static inline bool frame_dirty(const struct frame *frame)
{
	return __atomic_load_n(&frame->dirty, __ATOMIC_RELAXED);
}

/** The caller has a reference, or a lock under which the last one cannot go. */
static inline void frame_set_dirty(struct frame *frame)
{
	if (!frame_dirty(frame))
		__atomic_store_n(&frame->dirty, true, __ATOMIC_RELAXED);
}

static inline struct frame *frame_of(const struct phys *phys, pfn_t pfn)
{
	return &phys->frames[pfn.n];
}

static inline pfn_t frame_pfn(const struct phys *phys, const struct frame *frame)
{
	return (pfn_t){ (uint64_t)(frame - phys->frames) };
}

/** Host address of a frame's 4096 bytes. */
static inline void *frame_ptr(const struct phys *phys, pfn_t pfn)
{
	return phys->ram + (pfn.n << PAGE_SHIFT);
}

/** Whether it holds zeros only. */
static inline bool frame_is_zero(const struct phys *phys, pfn_t pfn)
{
	const char *bytes = frame_ptr(phys, pfn);

	return bytes[0] == 0 && memcmp(bytes, bytes + 1, PAGE_BYTES - 1) == 0;
}

static inline uint32_t frame_refs(const struct phys *phys, pfn_t pfn)
{
	return __atomic_load_n(&frame_of(phys, pfn)->refs, __ATOMIC_ACQUIRE);
}

/**
 * Blocks that huge entries map, by their first frame, a multiple of HUGE_FRAMES: see block.c.
 * One more huge entry maps the block. Its frames are in use; whoever holds them keeps them until it is told of.
 */
void frame_block_map(struct phys *phys, pfn_t head);
/** One less. Of private memory, the last one drops the frames. */
void frame_block_unmap(struct ctx *ctx, struct phys *phys, pfn_t head);
/** One huge entry becomes an entry for each frame, each with a reference of its own and counted as a mapper. */
void frame_block_spread(struct ctx *ctx, struct phys *phys, pfn_t head);
/** The reverse: entries of all its frames become one huge entry. */
void frame_block_gather(struct ctx *ctx, struct phys *phys, pfn_t head);
/** Whether the block is private memory to which nothing leads but one huge entry. */
bool frame_block_is_own(const struct phys *phys, pfn_t head);
/** Take or drop a reference of each frame of the block. */
void frame_get_block(struct phys *phys, pfn_t head);
void frame_put_block(struct ctx *ctx, pfn_t head);
/** Make the content of a huge page that its only holder gives up what a free frame's is. */
void frame_block_rest(struct ctx *ctx, pfn_t head);

/** Huge entries that map the block around a frame. */
static inline uint32_t frame_huge_mappers(const struct phys *phys, pfn_t pfn)
{
	return __atomic_load_n(&phys->blocks[pfn.n >> HUGE_ORDER].maps, __ATOMIC_RELAXED);
}

/** Entries of page tables that lead to a frame, huge ones too. */
static inline uint32_t frame_mappers(const struct phys *phys, pfn_t pfn)
{
	return __atomic_load_n(&frame_of(phys, pfn)->mappers, __ATOMIC_RELAXED) + frame_huge_mappers(phys, pfn);
}

/** References of a frame, each huge entry counted as one. */
static inline uint32_t frame_holders(const struct phys *phys, pfn_t pfn)
{
	uint32_t huge = frame_huge_mappers(phys, pfn);

	return frame_refs(phys, pfn) + huge - (huge > 0 && frame_use(frame_of(phys, pfn)) == FRAME_ANON);
}

/** Copy a whole frame; other processes may store to the source meanwhile. */
void frame_copy(const struct phys *phys, pfn_t to, pfn_t from);

/** How many frames are used for what, of the account with this id or (NULL) in all. FRAME_FREE: those on lists. */
void phys_tally(struct ctx *ctx, struct phys *phys, const uint32_t *owner, uint64_t count[FRAME_USES]);

/** What a frame is at some moment. */
struct frame_look {
	enum frame_use use;
	bool dirty;       /* FILE */
	bool pooled;      /* of a huge page of the pool's, whatever its use */
	uint32_t mappers; /* ANON, FILE */
};

/** Look at n frames from pfn on. @return how many; those behind them were never used, or there are none */
size_t phys_look(struct ctx *ctx, struct phys *phys, uint64_t pfn, struct frame_look *out, size_t n);

/** Validator; exact when no call is under way. */
void phys_check(struct phys *phys, struct check_report *report);

#endif
