/* SPDX-License-Identifier: MIT */
/*
 * Resource limits of a process, as every folder sees them: through ctx, for the one who calls.
 */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

#include "base/ctx.h"

/** The resources, numbered as Linux does on both architectures. */
enum limit_kind {
	LIMIT_CPU = 0,
	LIMIT_FSIZE = 1,
	LIMIT_DATA = 2,
	LIMIT_STACK = 3,
	LIMIT_CORE = 4,
	LIMIT_RSS = 5,
	LIMIT_NPROC = 6,
	LIMIT_NOFILE = 7,
	LIMIT_MEMLOCK = 8,
	LIMIT_AS = 9,
	LIMIT_KINDS = 16,
};

#define LIMIT_NONE UINT64_MAX

struct limit {
	uint64_t soft, hard; /* a */
};

struct limits {
	struct limit of[LIMIT_KINDS];
};

/** The soft limit of who calls; a caller that is no process has none. */
static inline uint64_t limit_of(const struct ctx *ctx, enum limit_kind kind)
{
	return ctx->limits != NULL ? __atomic_load_n(&ctx->limits->of[kind].soft, __ATOMIC_RELAXED) : LIMIT_NONE;
}

#endif
