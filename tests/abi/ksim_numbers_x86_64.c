// SPDX-License-Identifier: MIT
/*
 * The system-call numbers that ksim gives to x86_64 are those of the kernel's own header. The list is made from
 * <ksim/nr.h> when this is built, so no number can be missing here.
 */
#include "abi.h"

#include <asm/unistd_64.h>
#include <ksim/nr.h>

/* Later than many a host's headers. */
#ifndef __NR_fchmodat2
#define __NR_fchmodat2 452
#endif

TEST(numbers, of_x86_64_are_those_of_the_kernel_headers)
{
	/* arch/x86/entry/syscalls/syscall_64.tbl. */
#define NUMBER(name) EXPECT_EQ(KSIM_NR_X86_64_##name, __NR_##name);
#include "numbers_x86_64.inc"
#undef NUMBER
}

TEST(numbers, of_an_x86_64_machine_are_those_of_x86_64)
{
	/* ksim_nr answers for the machine, not for the host. */
	if (ksim_arch_of(abi_machine()) != KSIM_ARCH_X86_64)
		SKIP("the machine is an aarch64");
#define NUMBER(name) EXPECT_EQ(ksim_nr(abi_machine(), #name), __NR_##name);
#include "numbers_x86_64.inc"
#undef NUMBER
}
