/* SPDX-License-Identifier: MIT */
/*
 * What an object of shared memory is made of, for shmem.c and its validators. Everybody else goes by object_ops.
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

#endif
