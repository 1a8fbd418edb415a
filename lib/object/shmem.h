/* SPDX-License-Identifier: MIT */
/*
 * What an object of shared memory is made of, for shmem.c, its validators, and files of huge pages, which keep theirs
 * the same way. Everybody else goes by object_ops.
 */
#ifndef OBJECT_SHMEM_H
#define OBJECT_SHMEM_H

#include "object/object.h"
#include "object/radix.h"

struct shmem {
	struct object object;
	struct radix pages;   /* o  marked: fallocate made it, and nobody has touched it since */
	struct rwlock looked; /* RANK_OBJECT_LOOK, exclusive only under o: while pages or nodes of the tree go */
};

static inline struct shmem *shmem_of(struct object *object)
{
	return container_of(object, struct shmem, object);
}

void shmem_init(struct ctx *ctx, struct shmem *shmem, const struct object_ops *ops, uint64_t size);
/** Its end, pages and all, but for the memory of the struct. */
void shmem_fini(struct ctx *ctx, struct shmem *shmem);
/** What object_ops.page answers for a page that is not to be made. Object lock held. */
int shmem_look_locked(struct ctx *ctx, struct object *object, uint64_t pgidx, unsigned how, pfn_t *out);
/**
 * Fill what is absent of [first, first + n): of pfns, the first *used have gone into slots. Object lock held. 0 or
 * -ENOMEM, and none has.
 */
int shmem_install_locked(struct ctx *ctx, struct object *object, uint64_t first, uint64_t n, unsigned how,
                         const pfn_t *pfns, uint64_t *used);

/** Free the nodes that hold nothing. Object lock held, `looked` not. */
void shmem_prune_locked(struct ctx *ctx, struct object *object);

/* Of object_ops. */
int shmem_gather(struct ctx *ctx, struct object *object, uint64_t first);
size_t shmem_remove(struct ctx *ctx, struct object *object, uint64_t *next, uint64_t last, pfn_t *out, size_t n);
bool shmem_next(struct ctx *ctx, struct object *object, uint64_t pgidx, uint64_t *found, pfn_t *pfn);
uint64_t shmem_count(struct ctx *ctx, struct object *object);
void shmem_check(struct ctx *ctx, struct object *object, struct check_report *report);

#endif
