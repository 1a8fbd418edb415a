/* SPDX-License-Identifier: MIT */
/*
 * A pool of memory that can be shared with another process: a sealed memfd, mapped, with a header that both see.
 */
#ifndef POOL_H
#define POOL_H

#include <stddef.h>

struct pool;

/**
 * Make a pool whose size will never change.
 * @param bytes  in all, the header included
 * @return 0, or -errno: EINVAL too small; EMFILE, ENOMEM and the like. Nothing is left behind then
 * Ownership: pool_destroy().
 */
int pool_create(size_t bytes, struct pool **out);
void pool_destroy(struct pool *pool);

/** Zeroed bytes from the pool, aligned to 16; NULL: it is full. They are freed with the pool. */
void *pool_alloc(struct pool *pool, size_t bytes);
/** How many bytes have been given away, the header's included. */
size_t pool_used(const struct pool *pool);
/** The descriptor, to be passed on; it stays the pool's. */
int pool_fd(const struct pool *pool);

#endif
