/* SPDX-License-Identifier: MIT */
/*
 * Pages of 2 MiB that are set aside for those who ask for such by name: MAP_HUGETLB, MFD_HUGETLB.
 */
#ifndef PHYS_POOL_H
#define PHYS_POOL_H

#include "phys/phys.h"

/** All in pages of 2 MiB. */
struct pool_numbers {
	uint64_t total;      /* that there are, in use or not */
	uint64_t nfree;      /* of these, in nobody's use */
	uint64_t reserved;   /* of the free ones, promised to somebody */
	uint64_t surplus;    /* of all, more than there should be: they leave when they come back */
	uint64_t overcommit; /* the surplus that there may be on demand: vm.nr_overcommit_hugepages */
};

int pool_create(struct ctx *ctx, struct phys *phys);
/** Its pages may still be in it, or in use. NULL is legal. */
void pool_destroy(struct env *env, struct pool *pool);

void pool_numbers(struct ctx *ctx, struct pool_numbers *out);
/**
 * Make the pool have so many pages beside the surplus: as far as RAM has blocks; and of those that are in use or
 * promised as many as are too many become surplus. What vm.nr_hugepages is, total - surplus, tells how far it came.
 */
void pool_resize(struct ctx *ctx, uint64_t npages);
void pool_set_overcommit(struct ctx *ctx, uint64_t npages);

/**
 * Promise n pages, for pool_take. One FAIL_FRAME question, if n > 0.
 * @param  surplus  take more from RAM if need be, as far as the overcommitment allows
 * @return 0; -ENOMEM: not so many are free and unpromised, and nothing is promised
 */
int pool_promise(struct ctx *ctx, uint64_t n, bool surplus);
/** A page has come back that had been promised: promise one again, if one is free and there is no surplus. */
bool pool_renew(struct ctx *ctx);
/** Take a promise back that nobody has used. */
void pool_unpromise(struct ctx *ctx, uint64_t n);

/**
 * Take a page, each of whose frames has one reference then, and is charged to ctx->owner; who drops the last reference
 * to the last frame gives it back.
 * @param use       FRAME_ANON or FRAME_FILE
 * @param flags     FRAME_ZERO
 * @param promised  one that was promised: it cannot fail. Else it asks FAIL_FRAME
 * @return 0 or -ENOMEM
 */
int pool_take(struct ctx *ctx, enum frame_use use, unsigned flags, bool promised, pfn_t *head);
/** Give back what pool_take has just given, of which nobody has heard; promised: it is promised again. */
void pool_untake(struct ctx *ctx, pfn_t head, bool promised);

/** For frame.c: all frames of a page have come back, and are FRAME_POOL. */
void pool_give(struct ctx *ctx, struct phys *phys, pfn_t head);

void pool_check(struct phys *phys, struct check_report *report);

#endif
