/* SPDX-License-Identifier: MIT */
/*
 * The census: how many things of each kind there are and on whose account, and for each of the things that
 * a program can leak, the call that made it and when.
 *
 * Counts are kept per owner only, so that two processes on two host threads never write the same cache line, and
 * those of frames, which come and go with every fault, in lanes besides, so that neither do two tasks of a process;
 * a machine's totals are sums over its owners. They are exact when no call is under way.
 */
#ifndef BASE_ORIGIN_H
#define BASE_ORIGIN_H

#include <pthread.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/ctx.h"

enum census_kind {
	CENSUS_FRAME,  /* frames in use, page-table nodes included */
	CENSUS_TABLE,  /* of these, page-table nodes */
	CENSUS_OBJECT, /* page collections */
	CENSUS_INODE,
	CENSUS_FILE, /* open file descriptions */
	CENSUS_FD,   /* slots in use */
	CENSUS_MM,
	CENSUS_VMA,
	CENSUS_SOCKET,
	CENSUS_MESSAGE, /* queued, not yet received */
	CENSUS_PROCESS,
	CENSUS_TASK,
	CENSUS_KIND_COUNT,
	CENSUS_LANED = CENSUS_OBJECT, /* kinds below it are counted in lanes, too */
};

/** Name of a kind for reports: "frame", "page table", ... */
const char *census_kind_name(enum census_kind kind);

#define CENSUS_LANES 8 /* a power of two */

/* What tasks of a lane (ctx->lane) have counted; a lane's words lie on no other's cache line. */
struct census_lane {
	_Alignas(16) long count[CENSUS_LANED]; /* a */
	long apart[8 - CENSUS_LANED];
};
_Static_assert(sizeof(struct census_lane) == 64 && sizeof(long[CENSUS_LANED]) == 16, "a lane fills a cache line");

/** An account. Each process has one, and so has the machine; an account outlives all that is on it. */
struct owner {
	LIST_ENTRY(owner) link;        /* l  of struct owners */
	LIST_ENTRY(owner) hash;        /* l  of its bucket */
	uint32_t id;                   /* c  pid; 0 is the machine. Never given again in the machine's life */
	uint32_t memory_group;         /* a  whose limit its frames count to, see phys/group.h; 0: none */
	char name[32];                 /* c */
	long count[CENSUS_KIND_COUNT]; /* a  without what is in the lanes */
	uint64_t messages;             /* a  sent so far, which numbers them */
	uint64_t next_ino;             /* a  of the numbers it has at hand for new inodes: see vfs/inode.c */
	struct census_lane lanes[CENSUS_LANES];
};

#define OWNER_BUCKETS 64 /* a power of two */

struct owners {
	pthread_mutex_t lock; /* a leaf */
	LIST_HEAD(, owner) list;
	LIST_HEAD(, owner) buckets[OWNER_BUCKETS]; /* by id */
};

void owners_init(struct owners *owners);
void owners_fini(struct owners *owners);
void owner_init(struct owners *owners, struct owner *owner, uint32_t id, const char *name);
/** Take an account off the list; its counts must be zero, or are added to heir's. */
void owner_fini(struct owners *owners, struct owner *owner, struct owner *heir);
/** The group whose limit new frames on the account count to; 0: none. */
static inline uint32_t owner_group(const struct owner *owner)
{
	return __atomic_load_n(&owner->memory_group, __ATOMIC_ACQUIRE);
}

static inline void owner_set_group(struct owner *owner, uint32_t group)
{
	__atomic_store_n(&owner->memory_group, group, __ATOMIC_RELEASE);
}

/** How many of a kind are on an account. */
long owner_count(const struct owner *owner, enum census_kind kind);
/** The same; none are from now on. */
long owner_count_off(struct owner *owner, enum census_kind kind);
/** The machine's total of a kind. */
long owners_total(struct owners *owners, enum census_kind kind);

static inline void census_add(struct owner *owner, enum census_kind kind, long n)
{
	__atomic_fetch_add(&owner->count[kind], n, __ATOMIC_RELAXED);
}

/** The same for a kind below CENSUS_LANED, which other tasks of the owner's may count at the same time. */
static inline void census_add_laned(const struct ctx *ctx, struct owner *owner, enum census_kind kind, long n)
{
	__atomic_fetch_add(&owner->lanes[ctx->lane % CENSUS_LANES].count[kind], n, __ATOMIC_RELAXED);
}

/**
 * Count n on the account with this id, or on heir's if it has ended: for things that are too small to hold a pointer
 * to their owner. All accounts that have such things are taken off the list with the same heir.
 */
void census_add_to(struct owners *owners, uint32_t id, struct owner *heir, enum census_kind kind, long n);

/** Where a thing comes from; embedded in everything that is counted one by one. */
struct origin {
	struct owner *owner; /* c */
	const char *call;    /* c  name of the call that made it */
	uint64_t epoch;      /* c  env->epoch at its birth */
	uint8_t kind;        /* c  enum census_kind */
};

/** Count a new thing on the caller's account. */
void origin_set(struct ctx *ctx, struct origin *origin, enum census_kind kind);
/** The thing is gone. */
void origin_clear(struct origin *origin);

#endif
