// SPDX-License-Identifier: MIT
/*
 * The system-call numbers that ksim gives to aarch64 are those of the kernel's generic header, which aarch64 uses. The
 * list is made from <ksim/nr.h> when this is built, so no number can be missing here.
 */
#include "abi.h"

/* What aarch64's <asm/unistd.h> asks of the generic one. */
#define __ARCH_WANT_RENAMEAT
#define __ARCH_WANT_NEW_STAT
#define __ARCH_WANT_SET_GET_RLIMIT
#define __ARCH_WANT_SYS_CLONE3
#include <asm-generic/unistd.h>
#include <ksim/nr.h>

/* Later than many a host's headers. */
#ifndef __NR_fchmodat2
#define __NR_fchmodat2 452
#endif

TEST(numbers, of_aarch64_are_those_of_the_kernel_headers)
{
	/* include/uapi/asm-generic/unistd.h. */
#define NUMBER(name) EXPECT_EQ(KSIM_NR_AARCH64_##name, __NR_##name);
#include "numbers_aarch64.inc"
#undef NUMBER
}

TEST(numbers, of_an_aarch64_machine_are_those_of_aarch64)
{
	/* ksim_nr answers for the machine, not for the host. */
	if (ksim_arch_of(abi_machine()) != KSIM_ARCH_AARCH64)
		SKIP("the machine is an x86_64");
#define NUMBER(name) EXPECT_EQ(ksim_nr(abi_machine(), #name), __NR_##name);
#include "numbers_aarch64.inc"
#undef NUMBER
}

TEST(numbers, of_memfd_create_are_319_and_279)
{
	/* The two that everybody looks up. */
	EXPECT_EQ(KSIM_NR_X86_64_memfd_create, 319);
	EXPECT_EQ(KSIM_NR_AARCH64_memfd_create, 279);
}

TEST(numbers, of_calls_that_are_not_implemented_are_unknown)
{
	/* ksim_nr: -1; ksim_syscall: -ENOSYS. */
	EXPECT_EQ(ksim_nr(abi_machine(), "reboot"), -1);
	EXPECT_EQ(ksim_nr(abi_machine(), "no such call"), -1);
	EXPECT_EQ(ksim_syscall(100000, 0, 0, 0, 0, 0, 0), -ENOSYS);
	EXPECT_EQ(ksim_syscall(-1, 0, 0, 0, 0, 0, 0), -ENOSYS);
}

TEST(numbers, reach_the_calls_they_name)
{
	/* ksim_syscall speaks the machine's numbers, host and user addresses, and gives -errno. */
	struct ksim_machine *m = abi_machine();
	long fd = ksim_syscall(ksim_nr(m, "memfd_create"), (long)(uintptr_t) "by number", 0, 0, 0, 0, 0);
	long rw = PROT_READ | PROT_WRITE;
	long map;

	REQUIRE(fd >= 0);
	EXPECT_EQ(ksim_syscall(ksim_nr(m, "ftruncate"), fd, PAGE, 0, 0, 0, 0), 0);
	map = ksim_syscall(ksim_nr(m, "mmap"), 0, PAGE, rw, MAP_SHARED, fd, 0);
	REQUIRE(map > 0);
	st8((addr_t)map, 'n');
	EXPECT_EQ(byte_at((int)fd, 0), 'n');
	EXPECT_EQ(ksim_syscall(ksim_nr(m, "munmap"), map, PAGE, 0, 0, 0, 0), 0);
	EXPECT_EQ(ksim_syscall(ksim_nr(m, "close"), fd, 0, 0, 0, 0, 0), 0);
	EXPECT_EQ(ksim_syscall(ksim_nr(m, "close"), fd, 0, 0, 0, 0, 0), -EBADF);
	EXPECT_EQ(ksim_syscall(ksim_nr(m, "memfd_create"), 0, 0, 0, 0, 0, 0), -EFAULT);
}
