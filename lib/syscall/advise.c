// SPDX-License-Identifier: MIT
/*
 * Calls that say something of memory that is mapped already, or ask: madvise, msync, mincore, and the locks.
 *
 * All is judged in mm; here only mincore's answer is carried out, in pieces of a page as on Linux: what was told before
 * a hole stays told.
 *
 * Locking: none of its own; none is held while mincore's answer is written. Linux: mm/madvise.c, mm/msync.c,
 * mm/mincore.c, mm/mlock.c.
 */
#include "syscall/handlers.h"

#include <errno.h>

enum { MINCORE_PAGES = 1024, MLOCK_F_ONFAULT = 1 };

long sys_madvise(const struct syscall_frame *frame)
{
	return mm_advise(frame->ctx, frame->process->mm, frame->args[0], frame->args[1], arg_int(frame, 2));
}

long sys_msync(const struct syscall_frame *frame)
{
	return mm_sync(frame->ctx, frame->process->mm, frame->args[0], frame->args[1], arg_int(frame, 2));
}

long sys_mincore(const struct syscall_frame *frame)
{
	struct uptr to = uptr_meant(frame->ctx, arg_pointer(frame, 2));
	ksim_addr addr = frame->args[0];
	uint64_t length = frame->args[1];
	uint64_t pages = (length >> PAGE_SHIFT) + ((length & ~PAGE_MASK) != 0);
	unsigned char resident[MINCORE_PAGES];
	ssize_t n;

	if (addr & ~PAGE_MASK)
		return -EINVAL;
	if (addr > MM_MAX || length > MM_MAX - addr)
		return -ENOMEM;
	if (!range_legal(to, pages))
		return -EFAULT;
	for (; pages > 0; pages -= (uint64_t)n) {
		n = mm_residency(frame->ctx, frame->process->mm, addr, MIN(pages, MINCORE_PAGES), resident);
		if (n < 0)
			return n;
		if (copy_out(frame->ctx, to, resident, (size_t)n) < 0)
			return -EFAULT;
		to = uptr_add(to, (uint64_t)n);
		addr += (uint64_t)n << PAGE_SHIFT;
	}
	return 0;
}

long sys_mlock(const struct syscall_frame *frame)
{
	return mm_lock(frame->ctx, frame->process->mm, frame->args[0], frame->args[1], 0);
}

long sys_mlock2(const struct syscall_frame *frame)
{
	int flags = arg_int(frame, 2);

	if (flags & ~MLOCK_F_ONFAULT)
		return -EINVAL;
	return mm_lock(frame->ctx, frame->process->mm, frame->args[0], frame->args[1],
	               flags != 0 ? MM_LOCK_ON_FAULT : 0);
}

long sys_munlock(const struct syscall_frame *frame)
{
	return mm_unlock(frame->ctx, frame->process->mm, frame->args[0], frame->args[1]);
}

long sys_mlockall(const struct syscall_frame *frame)
{
	return mm_lock_all(frame->ctx, frame->process->mm, arg_u32(frame, 0));
}

long sys_munlockall(const struct syscall_frame *frame)
{
	mm_unlock_all(frame->ctx, frame->process->mm);
	return 0;
}
