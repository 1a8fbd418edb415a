// SPDX-License-Identifier: MIT
/*
 * The census, as a struct for tests, as text for people, and as the last word on a machine.
 *
 * The text has a line for each kind, those of which there is nothing too: so that the same line of two censuses is
 * about the same kind, and diff shows what has changed. Behind them stand the memory groups, if there are any: of the
 * machine all, of a process the one it is in.
 *
 * When the kernel has stopped, every account must be empty: what is still on one was forgotten by the kernel. It is
 * named, and written off, so that the machine can be taken apart all the same. Nodes of page tables are frames too,
 * and are counted once.
 *
 * I1  after census_settle every count is zero, but for what is charged to groups
 *
 * Locking: none: owners_total takes the list's; census_settle has the machine for itself.
 */
#include "lab/lab.h"

#include "phys/group.h"

#include <inttypes.h>
#include <stddef.h>

/* In the order in which they are written: memory, files, who holds them, what is under way, who runs. */
static const struct {
	size_t member;
	const char *text;
} kinds[CENSUS_KIND_COUNT] = {
	[CENSUS_FRAME] = { offsetof(struct ksim_census, frames), "frames" },
	[CENSUS_TABLE] = { offsetof(struct ksim_census, page_tables), "  for page tables" },
	[CENSUS_OBJECT] = { offsetof(struct ksim_census, objects), "objects" },
	[CENSUS_INODE] = { offsetof(struct ksim_census, inodes), "inodes" },
	[CENSUS_FILE] = { offsetof(struct ksim_census, files), "open files" },
	[CENSUS_FD] = { offsetof(struct ksim_census, fds), "descriptors" },
	[CENSUS_MM] = { offsetof(struct ksim_census, mms), "address spaces" },
	[CENSUS_VMA] = { offsetof(struct ksim_census, vmas), "mappings" },
	[CENSUS_SOCKET] = { offsetof(struct ksim_census, sockets), "sockets" },
	[CENSUS_MESSAGE] = { offsetof(struct ksim_census, messages), "messages" },
	[CENSUS_PROCESS] = { offsetof(struct ksim_census, processes), "processes" },
	[CENSUS_TASK] = { offsetof(struct ksim_census, tasks), "tasks" },
};

_Static_assert(sizeof(struct ksim_census) == CENSUS_KIND_COUNT * sizeof(long), "each kind has its member");

void ksim_census(const struct ksim_machine *m, const struct ksim_process *owner, struct ksim_census *out)
{
	for (int kind = 0; kind < CENSUS_KIND_COUNT; kind++) {
		long *count = (void *)((char *)out + kinds[kind].member);

		if (owner != NULL)
			*count = owner_count(&owner->kernel->owner, (enum census_kind)kind);
		else
			*count = owners_total(&lab_env(m)->owners, (enum census_kind)kind);
	}
}

static void dump_group(uint32_t id, const struct group_look *group, FILE *stream)
{
	fprintf(stream, "  memory group %-5u %8" PRIu64, id, group->used);
	if (group->limit != GROUP_UNLIMITED)
		fprintf(stream, " of %" PRIu64, group->limit);
	fprintf(stream, " frames, peak %" PRIu64 ", refused %" PRIu64 "\n", group->peak, group->refused);
}

static void dump_groups(const struct phys *phys, const struct owner *owner, FILE *stream)
{
	struct group_look group;
	uint32_t id;

	if (owner != NULL) {
		id = owner_group(owner);
		if (group_look(phys, id, &group))
			dump_group(id, &group, stream);
		return;
	}
	for (id = 1; group_look(phys, id, &group); id++)
		dump_group(id, &group, stream);
}

int ksim_dump_census(const struct ksim_machine *m, const struct ksim_process *owner, FILE *stream)
{
	const struct owner *account = owner != NULL ? &owner->kernel->owner : &lab_env(m)->self;
	struct ksim_census census;

	ksim_census(m, owner, &census);
	if (owner == NULL)
		fprintf(stream, "census of the machine\n");
	else
		fprintf(stream, "census of %s (%u)\n", account->name, account->id);
	for (int kind = 0; kind < CENSUS_KIND_COUNT; kind++)
		fprintf(stream, "  %-18s %8ld\n", kinds[kind].text,
		        *(const long *)(const void *)((const char *)&census + kinds[kind].member));
	dump_groups(lab_env(m)->phys, owner != NULL ? account : NULL, stream);
	return dump_result(0, stream);
}

static long settle_kind(struct env *env, struct owner *owner, enum census_kind kind)
{
	long n = owner_count_off(owner, (enum census_kind)kind);

	if (n == 0)
		return 0;
	env_say(env, "halt: the kernel still holds of kind %s: %ld, on the account of %s (%u)", census_kind_name(kind),
	        n, owner->name, owner->id);
	if (kind == CENSUS_TABLE)
		return 0;
	return n > 0 ? n : -n;
}

/* No frame is in use any more: is one charged? */
static long settle_groups(struct phys *phys)
{
	uint64_t n = groups_used(phys);

	if (n != 0)
		env_say(phys->env, "halt: memory groups are still charged with frames: %" PRIu64, n);
	return (long)n;
}

long census_settle(struct env *env)
{
	struct owner *owner;
	long left = 0;

	LIST_FOREACH(owner, &env->owners.list, link)
		for (int kind = 0; kind < CENSUS_KIND_COUNT; kind++)
			left += settle_kind(env, owner, (enum census_kind)kind);
	return left != 0 ? left : settle_groups(env->phys);
}
