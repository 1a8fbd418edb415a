// SPDX-License-Identifier: MIT
/*
 * The numbers of aarch64: ours, the public ones, and those of the kernel's headers, which are the generic ones.
 *
 * Calls that aarch64 lacks have no public number; -1 stands in for it here.
 */
#include "harness.h"
#include "ksim/nr.h"
#include "syscall/syscall.h"

/* What asm/unistd.h of aarch64 asks of the generic header. */
#define __ARCH_WANT_RENAMEAT
#define __ARCH_WANT_NEW_STAT
#define __ARCH_WANT_SET_GET_RLIMIT
#include <asm-generic/unistd.h>

/* Later than many a host's headers. */
#ifndef __NR_fchmodat2
#define __NR_fchmodat2 452
#endif

#define AARCH64(call) syscall_table[CALL_##call].nr[1]

#if defined(KSIM_NR_AARCH64_open) || defined(KSIM_NR_AARCH64_dup2) || defined(KSIM_NR_AARCH64_unlink)
#error "aarch64 has no such call"
#endif
#define KSIM_NR_AARCH64_open     -1
#define KSIM_NR_AARCH64_dup2     -1
#define KSIM_NR_AARCH64_unlink   -1
#define KSIM_NR_AARCH64_pause    -1
#define KSIM_NR_AARCH64_getpgrp  -1
#define __NR_pause               -1
#define __NR_getpgrp             -1
#define KSIM_NR_AARCH64_creat    -1
#define KSIM_NR_AARCH64_mkdir    -1
#define KSIM_NR_AARCH64_rmdir    -1
#define KSIM_NR_AARCH64_mknod    -1
#define KSIM_NR_AARCH64_link     -1
#define KSIM_NR_AARCH64_symlink  -1
#define KSIM_NR_AARCH64_readlink -1
#define KSIM_NR_AARCH64_rename   -1
#define KSIM_NR_AARCH64_stat     -1
#define KSIM_NR_AARCH64_lstat    -1
#define KSIM_NR_AARCH64_access   -1
#define KSIM_NR_AARCH64_chmod    -1
#define KSIM_NR_AARCH64_chown    -1
#define KSIM_NR_AARCH64_lchown   -1
#define __NR_open                -1
#define __NR_dup2                -1
#define __NR_unlink              -1
#define __NR_creat               -1
#define __NR_mkdir               -1
#define __NR_rmdir               -1
#define __NR_mknod               -1
#define __NR_link                -1
#define __NR_symlink             -1
#define __NR_readlink            -1
#define __NR_rename              -1
#define __NR_stat                -1
#define __NR_lstat               -1
#define __NR_access              -1
#define __NR_chmod               -1
#define __NR_chown               -1
#define __NR_lchown              -1

TEST(nr, public_aarch64_numbers_are_those_of_the_table)
{
#define SYSCALL(name, x86_64, aarch64, nargs, signature) EXPECT_EQ(KSIM_NR_AARCH64_##name, AARCH64(name));
#include "syscall/table.def"
#undef SYSCALL
}

TEST(nr, every_aarch64_number_leads_back_to_its_call)
{
	for (unsigned call = 0; call < CALL_COUNT; call++)
		if (syscall_table[call].nr[1] >= 0)
			EXPECT_EQ(syscall_by_nr(syscall_table[call].nr[1], KSIM_ARCH_AARCH64), call);
	EXPECT_EQ(syscall_by_nr(-1, KSIM_ARCH_AARCH64), CALL_COUNT);
	EXPECT_EQ(syscall_by_nr(-1 - (long)CALL_open, KSIM_ARCH_AARCH64), CALL_COUNT);
}

TEST(nr, aarch64_numbers_are_those_of_the_kernel_headers)
{
#define SYSCALL(name, x86_64, aarch64, nargs, signature) EXPECT_EQ(AARCH64(name), __NR_##name);
#include "syscall/table.def"
#undef SYSCALL
}
