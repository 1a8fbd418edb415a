// SPDX-License-Identifier: MIT
/*
 * The libc-shaped calls on memory; contracts in <ksim/mem.h>.
 */
#include "machine/machine.h"

#include <errno.h>

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

ksim_addr ksim_mremap(ksim_addr old, size_t old_length, size_t length, int flags, ksim_addr to)
{
	long result =
		machine_call(CALL_mremap, user_address(old), old_length, length, call_int(flags), user_address(to), 0);

	return machine_result(result) == -1 ? KSIM_MAP_FAILED : (ksim_addr)result;
}

int ksim_brk(ksim_addr end)
{
	ksim_addr wanted = user_address(end);
	long now = machine_call(CALL_brk, wanted, 0, 0, 0, 0, 0);

	if (now >= 0 && (ksim_addr)now < wanted)
		now = -ENOMEM;
	return machine_result(now) == -1 ? -1 : 0;
}

ksim_addr ksim_sbrk(intptr_t increment)
{
	long was = machine_call(CALL_brk, 0, 0, 0, 0, 0, 0);
	ksim_addr end = (ksim_addr)was + (ksim_addr)increment;

	if (machine_result(was) == -1)
		return KSIM_MAP_FAILED;
	if (increment != 0 && (((ksim_addr)was < end) != (increment > 0) || ksim_brk(end) == -1)) {
		errno = ENOMEM;
		return KSIM_MAP_FAILED;
	}
	return (ksim_addr)was;
}

int ksim_madvise(ksim_addr addr, size_t length, int advice)
{
	return machine_call_int(CALL_madvise, user_address(addr), length, call_int(advice), 0);
}

int ksim_msync(ksim_addr addr, size_t length, int flags)
{
	return machine_call_int(CALL_msync, user_address(addr), length, call_int(flags), 0);
}

int ksim_mincore(ksim_addr addr, size_t length, unsigned char *resident)
{
	return machine_call_int(CALL_mincore, user_address(addr), length, call_ptr(resident), 0);
}

int ksim_mlock(ksim_addr addr, size_t length)
{
	return machine_call_int(CALL_mlock, user_address(addr), length, 0, 0);
}

int ksim_mlock2(ksim_addr addr, size_t length, unsigned flags)
{
	return machine_call_int(CALL_mlock2, user_address(addr), length, flags, 0);
}

int ksim_munlock(ksim_addr addr, size_t length)
{
	return machine_call_int(CALL_munlock, user_address(addr), length, 0, 0);
}

int ksim_mlockall(int flags)
{
	return machine_call_int(CALL_mlockall, call_int(flags), 0, 0, 0);
}

int ksim_munlockall(void)
{
	return machine_call_int(CALL_munlockall, 0, 0, 0, 0);
}

ssize_t ksim_process_vm_readv(pid_t pid, const struct iovec *local, unsigned long nlocal, const struct iovec *remote,
                              unsigned long nremote, unsigned long flags)
{
	return machine_result(machine_call(CALL_process_vm_readv, call_int(pid), call_ptr(local), nlocal,
	                                   call_ptr(remote), nremote, flags));
}

ssize_t ksim_process_vm_writev(pid_t pid, const struct iovec *local, unsigned long nlocal, const struct iovec *remote,
                               unsigned long nremote, unsigned long flags)
{
	return machine_result(machine_call(CALL_process_vm_writev, call_int(pid), call_ptr(local), nlocal,
	                                   call_ptr(remote), nremote, flags));
}
