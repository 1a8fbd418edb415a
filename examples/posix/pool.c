// SPDX-License-Identifier: MIT
/*
 * A library's own code, as it is written for Linux.
 *
 *	| header | allocation | allocation | ...    |
 *	0        32           used                  bytes
 *
 * What others see of the pool is the mapping; what only its owner may trust (the descriptor, how much is used) is in
 * memory of its own.
 */
#define _GNU_SOURCE
#include "pool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define MAGIC UINT64_C(0x4c4f4f504c4f4f50) /* POOLPOOL */

enum { ALIGNMENT = 16 };

/* At the start of the mapping, for whoever else maps it. */
struct header {
	uint64_t magic;
	uint64_t bytes;
	uint64_t used;
	uint64_t allocations;
};

struct pool {
	struct header *header;
	size_t bytes;
	size_t used;
	int fd;
};

int pool_create(size_t bytes, struct pool **out)
{
	struct header *header;
	struct pool *pool;
	int fd, err;

	if (bytes < sizeof(*header))
		return -EINVAL;
	fd = memfd_create("pool", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)bytes) < 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
		err = -errno;
		goto undo_memfd;
	}
	header = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (header == MAP_FAILED) {
		err = -errno;
		goto undo_memfd;
	}
	*header = (struct header){ .magic = MAGIC, .bytes = bytes, .used = sizeof(*header) };
	pool = malloc(sizeof(*pool));
	if (pool == NULL) {
		err = -ENOMEM;
		goto undo_mmap;
	}
	*pool = (struct pool){ .header = header, .bytes = bytes, .used = sizeof(*header), .fd = fd };
	*out = pool;
	return 0;

undo_mmap:
	munmap(header, bytes);
undo_memfd:
	close(fd);
	return err;
}

void pool_destroy(struct pool *pool)
{
	if (pool == NULL)
		return;
	munmap(pool->header, pool->bytes);
	close(pool->fd);
	free(pool);
}

void *pool_alloc(struct pool *pool, size_t bytes)
{
	char *allocation = (char *)pool->header + pool->used;
	size_t rounded = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;

	if (rounded < bytes || rounded > pool->bytes - pool->used)
		return NULL;
	pool->used += rounded;
	pool->header->used = pool->used;
	pool->header->allocations++;
	return allocation;
}

size_t pool_used(const struct pool *pool)
{
	return pool->used;
}

int pool_fd(const struct pool *pool)
{
	return pool->fd;
}
