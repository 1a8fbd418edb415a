// SPDX-License-Identifier: MIT
/*
 * The census, as a struct for tests and as the last word on a machine.
 *
 * When the kernel has stopped, every account must be empty: what is still on one was forgotten by the kernel. It is
 * named, and written off, so that the machine can be taken apart all the same. Nodes of page tables are frames too,
 * and are counted once.
 *
 * I1  after census_settle every count is zero
 *
 * Locking: none: owners_total takes the list's; census_settle has the machine for itself.
 */
#include "lab/lab.h"

#include <stddef.h>

static const size_t members[CENSUS_KIND_COUNT] = {
	[CENSUS_FRAME] = offsetof(struct ksim_census, frames),
	[CENSUS_TABLE] = offsetof(struct ksim_census, page_tables),
	[CENSUS_OBJECT] = offsetof(struct ksim_census, objects),
	[CENSUS_INODE] = offsetof(struct ksim_census, inodes),
	[CENSUS_FILE] = offsetof(struct ksim_census, files),
	[CENSUS_FD] = offsetof(struct ksim_census, fds),
	[CENSUS_MM] = offsetof(struct ksim_census, mms),
	[CENSUS_VMA] = offsetof(struct ksim_census, vmas),
	[CENSUS_SOCKET] = offsetof(struct ksim_census, sockets),
	[CENSUS_MESSAGE] = offsetof(struct ksim_census, messages),
	[CENSUS_PROCESS] = offsetof(struct ksim_census, processes),
	[CENSUS_TASK] = offsetof(struct ksim_census, tasks),
};

_Static_assert(sizeof(struct ksim_census) == CENSUS_KIND_COUNT * sizeof(long), "each kind has its member");

void ksim_census(const struct ksim_machine *m, const struct ksim_process *owner, struct ksim_census *out)
{
	for (int kind = 0; kind < CENSUS_KIND_COUNT; kind++) {
		long *count = (void *)((char *)out + members[kind]);

		if (owner != NULL)
			*count = __atomic_load_n(&owner->kernel->owner.count[kind], __ATOMIC_RELAXED);
		else
			*count = owners_total(&lab_env(m)->owners, (enum census_kind)kind);
	}
}

static long settle_kind(struct env *env, struct owner *owner, enum census_kind kind)
{
	long n = __atomic_exchange_n(&owner->count[kind], 0, __ATOMIC_RELAXED);

	if (n == 0)
		return 0;
	env_say(env, "halt: the kernel still holds of kind %s: %ld, on the account of %s (%u)", census_kind_name(kind),
	        n, owner->name, owner->id);
	if (kind == CENSUS_TABLE)
		return 0;
	return n > 0 ? n : -n;
}

long census_settle(struct env *env)
{
	struct owner *owner;
	long left = 0;

	LIST_FOREACH(owner, &env->owners.list, link)
		for (int kind = 0; kind < CENSUS_KIND_COUNT; kind++)
			left += settle_kind(env, owner, (enum census_kind)kind);
	return left;
}
