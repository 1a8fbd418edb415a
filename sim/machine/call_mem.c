// SPDX-License-Identifier: MIT
/*
 * The libc-shaped calls on memory; contracts in <ksim/mem.h>.
 */
#include "machine/machine.h"

#include "ksim/mem.h"

/* A pointer of the acting process's own is as good as the user address: in a forked child the two differ. */
static ksim_addr user_address(ksim_addr addr)
{
	const struct task *task = acting_task();
	ksim_addr offset = task != NULL ? addr - task->process->window.host : 0;

	return task != NULL && offset < task->process->window.bytes ? offset + task->process->window.user : addr;
}

ksim_addr ksim_mmap(ksim_addr hint, size_t length, int prot, int flags, int fd, off_t offset)
{
	long result = machine_call(CALL_mmap, user_address(hint), length, call_int(prot), call_int(flags), call_int(fd),
	                           (uint64_t)offset);

	return machine_result(result) == -1 ? KSIM_MAP_FAILED : (ksim_addr)result;
}

int ksim_munmap(ksim_addr addr, size_t length)
{
	return machine_call_int(CALL_munmap, user_address(addr), length, 0, 0);
}

int ksim_mprotect(ksim_addr addr, size_t length, int prot)
{
	return machine_call_int(CALL_mprotect, user_address(addr), length, call_int(prot), 0);
}
