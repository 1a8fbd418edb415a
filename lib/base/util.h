/* SPDX-License-Identifier: MIT */
/*
 * Arithmetic on pages and on powers of two, and the containing struct of a member.
 */
#ifndef BASE_UTIL_H
#define BASE_UTIL_H

#include <stddef.h>
#include <stdint.h>

#include "ksim/types.h"

#define PAGE_SHIFT 12
#define PAGE_BYTES ((uint64_t)KSIM_PAGE_SIZE)
#define PAGE_MASK  (~(PAGE_BYTES - 1))

#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))
#define ARRAY_SIZE(a)                   (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)                       ((a) < (b) ? (a) : (b))
#define MAX(a, b)                       ((a) > (b) ? (a) : (b))

static inline uint64_t page_down(uint64_t bytes)
{
	return bytes & PAGE_MASK;
}

/** Wraps to 0 within the last page of 64 bits; callers check the length first. */
static inline uint64_t page_up(uint64_t bytes)
{
	return (bytes + PAGE_BYTES - 1) & PAGE_MASK;
}

static inline uint64_t pages_of(uint64_t bytes)
{
	return (bytes >> PAGE_SHIFT) + ((bytes & (PAGE_BYTES - 1)) != 0);
}

#endif
