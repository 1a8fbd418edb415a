/* SPDX-License-Identifier: MIT */
/*
 * A machine of nothing but RAM and two accounts, for tests of phys and pgtable.
 */
#ifndef UNIT_PHYS_BED_H
#define UNIT_PHYS_BED_H

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"
#include "host/kmem.h"
#include "phys/phys.h"
#include "unit/aborts.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

struct bed {
	struct env env;
	struct ctx ctx;   /* acts as alice */
	struct ctx other; /* acts as bob */
	struct owner alice;
	struct owner bob;
	struct phys *phys;
	unsigned fail_after; /* FAIL_FRAME questions answered no before the first yes; ~0: never */
	unsigned asked;
	pfn_t head; /* of a block, for who answers the questions */
};

static inline bool bed_fails(void *arg, struct ctx *ctx, enum fail_kind kind)
{
	struct bed *bed = arg;

	(void)ctx;
	return kind == FAIL_FRAME && bed->asked++ >= bed->fail_after;
}

/** Let the nth allocation of a frame from here on fail, 0 = the first, and all after it. ~0: none. */
static inline void bed_fail_after(struct bed *bed, unsigned n)
{
	bed->fail_after = n;
	bed->asked = 0;
	bed->env.hooks.fail_arg = bed;
	bed->env.hooks.fail = n == ~0u ? NULL : bed_fails;
}

/** Boot; skips the test where the host refuses so much memory. */
static inline void bed_open(struct bed *bed, uint64_t ram_bytes, bool poison)
{
	int err;

	memset(bed, 0, sizeof(*bed));
	owners_init(&bed->env.owners);
	owner_init(&bed->env.owners, &bed->env.self, 0, "machine");
	owner_init(&bed->env.owners, &bed->alice, 1, "alice");
	owner_init(&bed->env.owners, &bed->bob, 2, "bob");
	bed->env.poison = poison;
	ctx_init(&bed->ctx, &bed->env, "test");
	bed->other = bed->ctx;
	bed->ctx.owner = &bed->alice;
	bed->other.owner = &bed->bob;
	err = phys_create(&bed->env, ram_bytes, &bed->phys);
	if (err == -ENOMEM && ram_bytes > GIB)
		SKIP("the host refuses %llu GiB", (unsigned long long)(ram_bytes / GIB));
	SETUP(err == 0);
}

static inline void bed_complain(void *arg, const char *text)
{
	(void)arg;
	EXPECT_MSG(false, "%s", text);
}

static inline void bed_check(struct bed *bed)
{
	struct check_report report = { .line = bed_complain };

	phys_check(bed->phys, &report);
}

/** Validate, find every frame free again and every account at 0, and end. */
static inline void bed_close(struct bed *bed)
{
	bed_check(bed);
	EXPECT_EQ(phys_free_frames(&bed->ctx), phys_total_frames(bed->phys));
	EXPECT_EQ(owners_total(&bed->env.owners, CENSUS_FRAME), 0);
	EXPECT_EQ(owners_total(&bed->env.owners, CENSUS_TABLE), 0);
	phys_destroy(bed->phys);
	EXPECT(bed->env.phys == NULL);
	EXPECT_EQ(kmem_count(&bed->env), 0);
	owner_fini(&bed->env.owners, &bed->bob, &bed->env.self);
	owner_fini(&bed->env.owners, &bed->alice, &bed->env.self);
	owner_fini(&bed->env.owners, &bed->env.self, NULL);
	owners_fini(&bed->env.owners);
}

/** A small generator whose runs repeat. */
static inline uint64_t bed_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

#endif
