/* SPDX-License-Identifier: MIT */
/*
 * Who a process is, as permission checks see it: through ctx, for the one who calls.
 */
#ifndef BASE_CREDS_H
#define BASE_CREDS_H

#include "base/ctx.h"

#define CREDS_GROUPS_MAX 32

/* a each member; whoever changes several holds the process's signal lock. */
struct creds {
	uint32_t uid, euid, suid, fsuid;
	uint32_t gid, egid, sgid, fsgid;
	uint32_t ngroups;
	uint32_t groups[CREDS_GROUPS_MAX];
	uint64_t serial; /* whose they are, and since which change */
};

static inline uint32_t creds_load(const uint32_t *member)
{
	return __atomic_load_n(member, __ATOMIC_RELAXED);
}

/** Whether the caller may do what Linux asks a capability for (the effective user is root). The machine itself may. */
static inline bool creds_privileged(const struct ctx *ctx)
{
	return ctx->creds == NULL || creds_load(&ctx->creds->euid) == 0;
}

/** The same for what Linux asks of the file system user: CAP_DAC_OVERRIDE, CAP_FOWNER and their kin. */
static inline bool creds_fs_privileged(const struct ctx *ctx)
{
	return ctx->creds == NULL || creds_load(&ctx->creds->fsuid) == 0;
}

#endif
