// SPDX-License-Identifier: MIT
/*
 * Groups of processes whose memory is limited; contracts in <ksim/process.h>.
 *
 * A process that ends while it is moved is moved all the same, which matters to nobody: it makes no page any more.
 */
#include "machine/machine.h"

#include <errno.h>

#include "phys/group.h"

static uint64_t group_bytes(uint64_t frames)
{
	return frames == GROUP_UNLIMITED ? UINT64_MAX : frames << PAGE_SHIFT;
}

/* Whether they can be put into one group: 0, -EINVAL, -ESRCH. */
static int check_members(struct ksim_process *const processes[], size_t n)
{
	if (n == 0)
		return -EINVAL;
	for (size_t i = 0; i < n; i++)
		if (processes[i]->machine != processes[0]->machine)
			return -EINVAL;
	for (size_t i = 0; i < n; i++)
		if (process_state(processes[i]->kernel) != PROCESS_ALIVE)
			return -ESRCH;
	return 0;
}

int ksim_limit_memory(struct ksim_process *const processes[], size_t n, uint64_t bytes)
{
	int err = check_members(processes, n);
	uint32_t group;
	struct ctx ctx;

	if (err < 0)
		return (int)machine_result(err);
	kernel_ctx(processes[0]->machine->kernel, &ctx, "limit_memory");
	err = group_create(&ctx, bytes == UINT64_MAX ? GROUP_UNLIMITED : bytes >> PAGE_SHIFT, &group);
	for (size_t i = 0; err == 0 && i < n; i++)
		process_set_memory_group(&ctx, processes[i]->kernel, group);
	return (int)machine_result(err);
}

int ksim_memory_used(const struct ksim_process *p, struct ksim_memory *out)
{
	struct group_look group;

	if (!group_look(p->machine->kernel->env.phys, owner_group(&p->kernel->owner), &group))
		return (int)machine_result(-ENOENT);
	*out = (struct ksim_memory){
		.limit = group_bytes(group.limit),
		.used = group_bytes(group.used),
		.peak = group_bytes(group.peak),
		.refused = group.refused,
	};
	return 0;
}
