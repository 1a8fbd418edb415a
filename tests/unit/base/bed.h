/* SPDX-License-Identifier: MIT */
/*
 * The least a function of lib/base wants to know: a machine without anything, and a caller.
 */
#ifndef UNIT_BASE_BED_H
#define UNIT_BASE_BED_H

#include "base/env.h"
#include "harness.h"

struct bed {
	struct env env;
	struct ctx ctx;
};

static inline void bed_open(struct bed *bed)
{
	*bed = (struct bed){ 0 };
	owners_init(&bed->env.owners);
	owner_init(&bed->env.owners, &bed->env.self, 0, "machine");
	profile_init(&bed->env.profile, 0);
	sysctl_init(&bed->env.sysctl);
	ctx_init(&bed->ctx, &bed->env, "test");
}

static inline void bed_close(struct bed *bed)
{
	owner_fini(&bed->env.owners, &bed->env.self, NULL);
	owners_fini(&bed->env.owners);
}

/** Validators write here; a broken invariant is a failure of the test. */
static inline void bed_complain(void *arg, const char *text)
{
	(void)arg;
	EXPECT_MSG(false, "%s", text);
}

static inline struct check_report bed_report(void)
{
	return (struct check_report){ .line = bed_complain };
}

/** Random numbers that depend on the seed alone (xorshift64*). */
static inline uint64_t bed_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(2685821657736338717);
}

#endif
