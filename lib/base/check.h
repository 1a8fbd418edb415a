/* SPDX-License-Identifier: MIT */
/*
 * Broken invariants: our own bugs, never a user's mistake. They end the host process with the invariant's
 * name, the values, and the simulated process in whose call it was found.
 */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

#include "base/ctx.h"

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/** Print the invariant, its values and the caller (ctx may be NULL), and abort. */
__attribute__((noreturn, cold, format(printf, 5, 6))) void check_failed(const struct ctx *ctx, const char *invariant,
                                                                        const char *file, int line, const char *format,
                                                                        ...);

/** An invariant that every build checks: ctx or NULL, the condition, its name in words, its values. */
#define KSIM_ASSERT(ctx, cond, invariant, ...)                                             \
	do {                                                                               \
		if (unlikely(!(cond)))                                                     \
			check_failed((ctx), (invariant), __FILE__, __LINE__, __VA_ARGS__); \
	} while (0)

/**
 * What validators write into: one line per broken invariant.
 * A validator takes it as last parameter and returns nothing; report->broken counts.
 */
struct check_report {
	void (*line)(void *arg, const char *text);
	void *arg;
	unsigned broken;
};

/** Report a broken invariant by its name and its values. */
__attribute__((cold, format(printf, 3, 4))) void check_broken(struct check_report *report, const char *invariant,
                                                              const char *format, ...);

#define CHECK_THAT(report, cond, invariant, ...)                          \
	do {                                                              \
		if (unlikely(!(cond)))                                    \
			check_broken((report), (invariant), __VA_ARGS__); \
	} while (0)

#endif
