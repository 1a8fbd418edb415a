/* SPDX-License-Identifier: MIT */
/*
 * Stories about mappings: what their process holds, and how it is undone.
 */
#ifndef SWEEP_HELD_H
#define SWEEP_HELD_H

#include "sweep.h"

#include <fcntl.h>

/** What a story's process has. Members that are 0, and -1 as fd, are not there. */
struct held {
	int fd;
	bool shared;          /* another process maps the file still */
	size_t bytes;         /* of each mapping */
	ksim_addr map, other; /* mappings */
};

static inline ksim_addr map_at(ksim_addr at, size_t bytes, int prot, int flags, int fd)
{
	return ksim_mmap(at, bytes, prot, flags | (fd < 0 ? MAP_ANONYMOUS : 0), fd, 0);
}

/** One byte a page, its number plus `first`. */
static inline void fill(ksim_addr map, int npages, uint8_t first)
{
	for (int i = 0; i < npages; i++)
		mem_store8(map + (ksim_addr)i * PAGE, (uint8_t)(first + i));
}

static inline bool holds(ksim_addr map, int npages, uint8_t first)
{
	for (int i = 0; i < npages; i++)
		if (mem_load8(map + (ksim_addr)i * PAGE) != (uint8_t)(first + i))
			return false;
	return true;
}

static inline bool is_zero(ksim_addr map, int npages)
{
	for (int i = 0; i < npages; i++)
		if (mem_load8(map + (ksim_addr)i * PAGE) != 0)
			return false;
	return true;
}

/** Unmap all, close the file; nothing has stayed behind of what failed. */
static inline int held_undo(void *arg)
{
	const struct held *held = arg;

	if (held->map != 0)
		MUST(ksim_munmap(held->map, held->bytes) == 0);
	if (held->other != 0)
		MUST(ksim_munmap(held->other, held->bytes) == 0);
	if (held->fd >= 0) {
		/* Nobody is counted as a writer who could not become one: else EBUSY. */
		if (!held->shared)
			MUST(RETRY(ksim_fcntl(held->fd, F_ADD_SEALS, F_SEAL_WRITE)) == 0);
		MUST(ksim_close(held->fd) == 0);
	}
	/* No number stayed reserved. */
	MUST(RETRY(ksim_memfd_create("last", 0)) == 0);
	MUST(ksim_close(0) == 0);
	return 0;
}

/** A story of one process whose `act` is given a struct held, and ends with what that has. */
static inline int held_by_one(int (*act)(void *), size_t bytes)
{
	struct held held = { .fd = -1, .bytes = bytes };

	return story_of_one(act, held_undo, &held);
}

#endif
