/* SPDX-License-Identifier: MIT */
/*
 * Calls by number, as the kernel gets them: for what libc would judge or change first. @return a count, or -errno.
 */
#ifndef ABI_KERNEL_H
#define ABI_KERNEL_H

#include "abi.h"

#ifdef ABI_KSIM
#define KERNEL(name, ...) kernel(ksim_nr(abi_machine(), #name), (const long[6]){ __VA_ARGS__ })

static inline long kernel(long nr, const long args[6])
{
	return ksim_syscall(nr, args[0], args[1], args[2], args[3], args[4], args[5]);
}
#else
#define KERNEL(name, ...) kernel(SYS_##name, (const long[6]){ __VA_ARGS__ })

static inline long kernel(long nr, const long args[6])
{
	long result = syscall(nr, args[0], args[1], args[2], args[3], args[4], args[5]);

	return result == -1 ? -errno : result;
}
#endif

/** A pointer as such a call takes it. */
static inline long of(const void *pointer)
{
	return (long)(uintptr_t)pointer;
}

#endif
