// SPDX-License-Identifier: MIT
/*
 * The numbers of x86_64: ours, the public ones, and those of the kernel's headers.
 */
#include "harness.h"
#include "ksim/nr.h"
#include "syscall/syscall.h"

#define X86_64(call) syscall_table[CALL_##call].nr[0]

TEST(nr, public_x86_64_numbers_are_those_of_the_table)
{
#define SYSCALL(name, x86_64, aarch64, nargs, signature) EXPECT_EQ(KSIM_NR_X86_64_##name, X86_64(name));
#include "syscall/table.def"
#undef SYSCALL
}

TEST(nr, every_x86_64_number_leads_back_to_its_call)
{
	for (unsigned call = 0; call < CALL_COUNT; call++)
		EXPECT_EQ(syscall_by_nr(syscall_table[call].nr[0], KSIM_ARCH_X86_64), call);
	EXPECT_EQ(syscall_by_nr(-1, KSIM_ARCH_X86_64), CALL_COUNT);
	EXPECT_EQ(syscall_by_nr(600, KSIM_ARCH_X86_64), CALL_COUNT);
}

#ifdef __x86_64__
#include <asm/unistd_64.h>

/* Later than many a host's headers. */
#ifndef __NR_fchmodat2
#define __NR_fchmodat2 452
#endif

TEST(nr, x86_64_numbers_are_those_of_the_kernel_headers)
{
#define SYSCALL(name, x86_64, aarch64, nargs, signature) EXPECT_EQ(X86_64(name), __NR_##name);
#include "syscall/table.def"
#undef SYSCALL
}
#endif
