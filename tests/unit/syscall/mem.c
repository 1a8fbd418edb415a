// SPDX-License-Identifier: MIT
/*
 * mmap, munmap, mprotect: their checks in Linux's order (measured on 6.18), and that the mechanism gets what was asked.
 */
#include "bed.h"

#include <sys/mman.h>

#define ANON      (MAP_PRIVATE | MAP_ANONYMOUS)
#define X86_32BIT 0x40

TEST(mmap, checks_come_in_the_order_of_Linux)
{
	struct bed bed;
	int fd;

	bed_open(&bed);
	fd = bed_memfd(&bed);
	EXPECT_EQ(CALL(&bed, mmap, 0, 0, PROT_READ, MAP_SHARED, 55, 1), -EINVAL); /* offset before descriptor */
	EXPECT_EQ(CALL(&bed, mmap, 0, 0, PROT_READ, MAP_SHARED, 55, 0), -EBADF);  /* descriptor before length */
	EXPECT_EQ(CALL(&bed, mmap, 0, 0, PROT_READ, 0, fd, 0), -EINVAL);
	EXPECT_EQ(CALL(&bed, mmap, 0, MINUS_ONE, PROT_READ, 0, fd, 0), -ENOMEM); /* length before kind */
	EXPECT_EQ(CALL(&bed, mmap, 0, UINT64_C(1) << 60, PROT_READ, 0, fd, 0), -ENOMEM);
	EXPECT_EQ(CALL(&bed, mmap, 0x1001, 4096, PROT_READ, MAP_FIXED, fd, 0), -EINVAL);
	EXPECT_EQ(CALL(&bed, mmap, MM_MAX, 4096, PROT_READ, MAP_FIXED, fd, 0), -ENOMEM);
	EXPECT_EQ(CALL(&bed, mmap, 0, 4096, PROT_READ, MAP_FIXED, fd, 0), -EPERM);
	EXPECT_EQ(CALL(&bed, mmap, 0, 4096, PROT_READ, 0, fd, UINT64_C(1) << 63), -EOVERFLOW); /* offset before kind */
	bed_close(&bed);
}

TEST(mmap, kinds_are_judged_as_Linux_does)
{
	struct bed bed;
	int fd;

	bed_open(&bed);
	fd = bed_memfd(&bed);
	EXPECT_EQ(CALL(&bed, mmap, 0, 4096, PROT_READ, 0, fd, 0), -EINVAL);
	EXPECT_EQ(CALL(&bed, mmap, 0, 4096, PROT_READ, MAP_ANONYMOUS, MINUS_ONE, 0), -EINVAL);
	EXPECT(CALL(&bed, mmap, 0, 4096, PROT_READ, MAP_SHARED | MAP_PRIVATE, fd, 0) > 0);
	EXPECT_EQ(CALL(&bed, mmap, 0, 4096, PROT_READ, MAP_SHARED | ANON, MINUS_ONE, 0), -EINVAL);
	EXPECT_EQ(CALL(&bed, mmap, 0, 4096, PROT_READ, 4 | MAP_ANONYMOUS, MINUS_ONE, 0), -EINVAL);
	EXPECT_EQ(CALL(&bed, mmap, 0, 4096, PROT_READ, 8, fd, 0), -EINVAL); /* MAP_DROPPABLE */
	EXPECT_EQ(CALL(&bed, mmap, 0, 4096, PROT_READ, 8 | MAP_ANONYMOUS, MINUS_ONE, 0), -EOPNOTSUPP); /* likewise */
	EXPECT(CALL(&bed, mmap, 0, 4096, PROT_READ, ANON, 55, UINT64_C(1) << 63) > 0); /* nobody looks at these */
	bed_close(&bed);
}

TEST(mmap, shared_validate_refuses_unknown_flags_and_shared_ignores_them)
{
	struct bed bed;
	int fd;

	bed_open(&bed);
	fd = bed_memfd(&bed);
	for (int bit = 4; bit < 64; bit++) {
		uint64_t flag = UINT64_C(1) << bit;
		bool legacy = (flag & 0x7c03f8f0) != 0; /* and nothing else, on x86_64 */

		if (flag & (MAP_FIXED | MAP_ANONYMOUS | X86_32BIT | MAP_GROWSDOWN | MAP_HUGETLB | MAP_FIXED_NOREPLACE))
			continue;
		EXPECT_MSG(CALL(&bed, mmap, 0, 4096, PROT_READ, MAP_SHARED | flag, fd, 0) > 0, "bit %d", bit);
		if (legacy)
			EXPECT_MSG(CALL(&bed, mmap, 0, 4096, PROT_READ, 3 | flag, fd, 0) > 0, "bit %d", bit);
		else
			EXPECT_MSG(CALL(&bed, mmap, 0, 4096, PROT_READ, 3 | flag, fd, 0) == -EOPNOTSUPP, "bit %d", bit);
	}
	EXPECT_EQ(CALL(&bed, mmap, NOWHERE, 4096, PROT_READ, 3 | MAP_FIXED_NOREPLACE, fd, 0), -EOPNOTSUPP);
	bed_close(&bed);
}

TEST(mmap, flags_of_stacks_large_pages_and_low_addresses_are_judged_as_Linux_does)
{
	struct mm_region region;
	struct bed bed;
	long low;
	int fd;

	bed_open(&bed);
	fd = bed_memfd(&bed);
	EXPECT_EQ(CALL(&bed, mmap, NOWHERE, 4096, PROT_READ, ANON | MAP_GROWSDOWN | MAP_STACK, MINUS_ONE, 0), NOWHERE);
	REQUIRE(mm_region(&bed.task->ctx, bed.process->mm, NOWHERE, &region));
	EXPECT_EQ(region.flags, VMA_GROWSDOWN | VMA_NOHUGE);
	EXPECT_EQ(CALL(&bed, mmap, 0, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS | MAP_GROWSDOWN, MINUS_ONE, 0),
	          -EINVAL);
	EXPECT_EQ(CALL(&bed, mmap, 0, 4096, PROT_READ, MAP_PRIVATE | MAP_GROWSDOWN, fd, 0), -EINVAL);
	low = CALL(&bed, mmap, 0, 4096, PROT_READ, ANON | X86_32BIT, MINUS_ONE, 0);
	EXPECT(low > 0 && low < INT64_C(0x80000000));
	EXPECT_EQ(CALL(&bed, mmap, 0, 0, PROT_READ, ANON | MAP_HUGETLB, MINUS_ONE, 0), -EINVAL);
	EXPECT_EQ(CALL(&bed, mmap, 0, 4096, PROT_READ, ANON | MAP_HUGETLB, MINUS_ONE, 0), -ENOMEM);
	EXPECT_EQ(CALL(&bed, mmap, 0, 4096, PROT_READ, ANON | MAP_HUGETLB | 5 << 26, MINUS_ONE, 0), -EINVAL);
	EXPECT_EQ(CALL(&bed, mmap, 0, 4096, PROT_READ, MAP_SHARED | MAP_HUGETLB, fd, 0), -EINVAL);
	bed.abi = KSIM_ARCH_AARCH64;
	low = CALL(&bed, mmap, 0, 4096, PROT_READ, ANON | 0x40, MINUS_ONE, 0);
	EXPECT(low > INT64_C(0x80000000)); /* no MAP_32BIT there */
	EXPECT_EQ(CALL(&bed, mmap, 0, 4096, PROT_READ, 3 | 0x40, fd, 0), -EOPNOTSUPP);
	bed_close(&bed);
}

TEST(mmap, what_is_wrong_with_the_address_goes_before_what_is_wrong_with_the_file)
{
	struct bed bed;
	int fd;

	bed_open(&bed);
	fd = bed_memfd(&bed);
	EXPECT_EQ(CALL(&bed, mmap, NOWHERE, 4096, PROT_READ, ANON | MAP_FIXED, MINUS_ONE, 0), NOWHERE);
	EXPECT_EQ(CALL(&bed, mmap, NOWHERE, 4096, PROT_READ, 5 | MAP_FIXED_NOREPLACE, fd, 0), -EEXIST);
	EXPECT_EQ(CALL(&bed, mmap, NOWHERE, 4096, PROT_READ, 5 | MAP_FIXED, fd, 0), -EINVAL);
	EXPECT_EQ(CALL(&bed, mmap, UINT64_MAX - 12, 1, PROT_READ, ANON | MAP_FIXED, MINUS_ONE, 0), -13);
	EXPECT_EQ(CALL(&bed, mmap, UINT64_MAX - 4095, 1, PROT_READ, ANON | MAP_FIXED, MINUS_ONE, 0), -ENOMEM);
	bed_close(&bed);
}

TEST(mremap, arguments_are_judged_before_the_map)
{
	enum { MAYMOVE = 1, FIXED = 2, DONTUNMAP = 4 };
	const uint64_t there = NOWHERE + 65536;
	struct bed bed;

	bed_open(&bed);
	EXPECT_EQ(CALL(&bed, mremap, NOWHERE, 4096, 4096, 8, 0), -EINVAL);
	EXPECT_EQ(CALL(&bed, mremap, NOWHERE, 4096, 4096, UINT64_C(1) << 32, 0), -EINVAL);
	EXPECT_EQ(CALL(&bed, mremap, NOWHERE + 1, 4096, 4096, 0, 0), -EINVAL);
	EXPECT_EQ(CALL(&bed, mremap, NOWHERE, 4096, 0, 0, 0), -EINVAL);
	EXPECT_EQ(CALL(&bed, mremap, NOWHERE, 4096, PT_SPAN, 0, 0), -EINVAL);
	EXPECT_EQ(CALL(&bed, mremap, NOWHERE, 4096, 4096, FIXED, there), -EINVAL);
	EXPECT_EQ(CALL(&bed, mremap, NOWHERE, 4096, 4096, DONTUNMAP, there), -EINVAL);
	EXPECT_EQ(CALL(&bed, mremap, NOWHERE, 4096, 8192, DONTUNMAP | MAYMOVE, there), -EINVAL);
	EXPECT_EQ(CALL(&bed, mremap, NOWHERE, 4096, 4096, FIXED | MAYMOVE, there + 1), -EINVAL);
	EXPECT_EQ(CALL(&bed, mremap, NOWHERE, 4096, 4096, FIXED | MAYMOVE, MM_MAX), -EINVAL);
	EXPECT_EQ(CALL(&bed, mremap, NOWHERE, 4096, 4096, FIXED | MAYMOVE, NOWHERE), -EINVAL);
	EXPECT_EQ(CALL(&bed, mremap, NOWHERE, 4096, 4096, FIXED | MAYMOVE, there), -EFAULT);
	EXPECT_EQ(CALL(&bed, mmap, NOWHERE, 4096, PROT_READ, ANON, MINUS_ONE, 0), NOWHERE);
	EXPECT_EQ(CALL(&bed, mremap, NOWHERE, 4096, 4096, FIXED | MAYMOVE, 4096), -EPERM);
	EXPECT_EQ(CALL(&bed, mremap, NOWHERE, 4096, 4096, FIXED | MAYMOVE, there), there);
	EXPECT_EQ(CALL(&bed, mremap, there, 1, 4097, 0, MINUS_ONE), there); /* an address that nobody asked for */
	bed_close(&bed);
}

TEST(brk, returns_where_the_heap_ends_whatever_was_asked_for)
{
	struct bed bed;

	bed_open(&bed);
	EXPECT_EQ(CALL(&bed, brk, 0), MM_BRK);
	EXPECT_EQ(CALL(&bed, brk, MM_BRK + 5000), MM_BRK + 5000);
	EXPECT_EQ(CALL(&bed, brk, MM_BRK - 1), MM_BRK + 5000);
	EXPECT_EQ(CALL(&bed, brk, MINUS_ONE), MM_BRK + 5000);
	EXPECT_EQ(CALL(&bed, brk, MM_BRK), MM_BRK);
	bed_close(&bed);
}

TEST(mmap, hints_are_rounded_down_and_fixed_places_kept)
{
	struct bed bed;
	int fd;

	bed_open(&bed);
	fd = bed_memfd(&bed);
	EXPECT_EQ(CALL(&bed, mmap, NOWHERE + 123, 1, PROT_READ, MAP_SHARED, fd, 0), NOWHERE);
	EXPECT(CALL(&bed, mmap, NOWHERE, 4096, PROT_READ, MAP_SHARED, fd, 0) != (long)NOWHERE);
	EXPECT_EQ(CALL(&bed, mmap, NOWHERE, 4096, PROT_READ, MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0), -EEXIST);
	EXPECT_EQ(CALL(&bed, mmap, NOWHERE + 1, 4096, PROT_READ, MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0), -EINVAL);
	EXPECT_EQ(CALL(&bed, mmap, NOWHERE, 4096, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0), NOWHERE);
	bed_close(&bed);
}

TEST(mmap, unknown_protection_bits_are_ignored)
{
	struct mm_region region;
	struct bed bed;

	bed_open(&bed);
	EXPECT_EQ(CALL(&bed, mmap, NOWHERE, 4096, 0xfffffff9, ANON, MINUS_ONE, 0), NOWHERE);
	REQUIRE(mm_region(&bed.task->ctx, bed.process->mm, NOWHERE, &region));
	EXPECT_EQ(region.prot, PROT_READ);
	bed_close(&bed);
}

TEST(mmap, anonymous_shared_memory_is_an_object_of_its_own)
{
	struct mm_region region;
	struct bed bed;

	bed_open(&bed);
	REQUIRE_EQ(CALL(&bed, mmap, NOWHERE, 8192, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, MINUS_ONE, 4096), NOWHERE);
	EXPECT_EQ(owners_total(&bed.kernel->env.owners, CENSUS_OBJECT), 1);
	REQUIRE(mm_region(&bed.task->ctx, bed.process->mm, NOWHERE, &region));
	EXPECT(region.shared);
	EXPECT_EQ(region.max_prot, PROT_READ | PROT_WRITE | PROT_EXEC);
	EXPECT_EQ(region.offset, 0);
	EXPECT_EQ(CALL(&bed, munmap, NOWHERE, 8192), 0);
	EXPECT_EQ(owners_total(&bed.kernel->env.owners, CENSUS_OBJECT), 0);
	bed_close(&bed);
}

TEST(mmap, populate_brings_pages_in_and_stops_at_the_end_of_the_file)
{
	struct mm_translation at;
	struct bed bed;
	int fd;

	bed_open(&bed);
	fd = bed_memfd(&bed);
	REQUIRE_EQ(CALL(&bed, ftruncate, fd, 8192), 0);
	REQUIRE_EQ(CALL(&bed, mmap, NOWHERE, 4 * 4096, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0), NOWHERE);
	EXPECT_EQ(mm_translate(&bed.task->ctx, bed.process->mm, NOWHERE, &at), 0);
	EXPECT_EQ(mm_translate(&bed.task->ctx, bed.process->mm, NOWHERE + 4096, &at), 0);
	EXPECT_EQ(mm_translate(&bed.task->ctx, bed.process->mm, NOWHERE + 8192, &at), -EFAULT);
	bed_close(&bed);
}

TEST(mmap, access_mode_of_the_file_is_respected)
{
	struct bed bed;
	long ro;

	bed_open(&bed);
	bed_memfd(&bed);
	ro = CALL(&bed, open, p("/proc/self/fd/0"), 0);
	EXPECT_EQ(CALL(&bed, mmap, 0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ro, 0), -EACCES);
	EXPECT(CALL(&bed, mmap, 0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, ro, 0) > 0);
	REQUIRE_EQ(CALL(&bed, mmap, NOWHERE, 4096, PROT_READ, MAP_SHARED, ro, 0), NOWHERE);
	EXPECT_EQ(CALL(&bed, mprotect, NOWHERE, 4096, PROT_WRITE), -EACCES);
	bed_close(&bed);
}

TEST(munmap, bad_ranges_are_EINVAL_and_holes_are_fine)
{
	struct bed bed;

	bed_open(&bed);
	EXPECT_EQ(CALL(&bed, munmap, 1, 4096), -EINVAL);
	EXPECT_EQ(CALL(&bed, munmap, NOWHERE, 0), -EINVAL);
	EXPECT_EQ(CALL(&bed, munmap, 0, MINUS_ONE), -EINVAL);
	EXPECT_EQ(CALL(&bed, munmap, 4096, -UINT64_C(4096)), -EINVAL);
	EXPECT_EQ(CALL(&bed, munmap, UINT64_C(1) << 47, 4096), -EINVAL);
	EXPECT_EQ(CALL(&bed, munmap, MM_MAX - 4096, 4097), -EINVAL);
	EXPECT_EQ(CALL(&bed, munmap, MM_MAX - 4096, 4096), 0);
	EXPECT_EQ(CALL(&bed, munmap, NOWHERE, 1), 0);
	bed_close(&bed);
}

TEST(mprotect, checks_come_in_the_order_of_Linux)
{
	const uint64_t down = 0x01000000, up = 0x02000000;
	struct bed bed;

	bed_open(&bed);
	bed_map(&bed, NOWHERE, 2);
	EXPECT_EQ(CALL(&bed, mprotect, NOWHERE + 1, 4096, PROT_READ), -EINVAL);
	EXPECT_EQ(CALL(&bed, mprotect, NOWHERE, 0, 0x99), 0); /* length 0 before protection */
	EXPECT_EQ(CALL(&bed, mprotect, NOWHERE, 0, down | up), -EINVAL);
	EXPECT_EQ(CALL(&bed, mprotect, NOWHERE, MINUS_ONE, 0x99), -ENOMEM); /* overflow before protection */
	EXPECT_EQ(CALL(&bed, mprotect, -UINT64_C(4096), 4096, PROT_READ), -ENOMEM);
	EXPECT_EQ(CALL(&bed, mprotect, NOWHERE, 4096, 0x10), -EINVAL);
	EXPECT_EQ(CALL(&bed, mprotect, NOWHERE, 4096, PROT_READ | 8), 0); /* PROT_SEM */
	EXPECT_EQ(CALL(&bed, mprotect, NOWHERE, 4096, PROT_READ | down), -EINVAL);
	EXPECT_EQ(CALL(&bed, mprotect, NOWHERE, 4096, PROT_READ | up), -EINVAL);
	EXPECT_EQ(CALL(&bed, mprotect, UINT64_C(1) << 47, 4096, PROT_READ), -ENOMEM);
	bed_close(&bed);
}

TEST(mprotect, over_a_hole_changes_what_lies_before_it)
{
	struct mm_region region;
	struct bed bed;

	bed_open(&bed);
	bed_map(&bed, NOWHERE, 2);
	EXPECT_EQ(CALL(&bed, mprotect, NOWHERE, UINT64_C(1) << 50, PROT_READ), -ENOMEM);
	REQUIRE(mm_region(&bed.task->ctx, bed.process->mm, NOWHERE, &region));
	EXPECT_EQ(region.prot, PROT_READ);
	EXPECT_EQ(region.end, NOWHERE + 8192);
	bed_close(&bed);
}

TEST(mem, mincore_beyond_all_user_addresses_is_EFAULT)
{
	struct bed bed;
	uint64_t at;

	bed_open(&bed);
	at = bed_map(&bed, NOWHERE, 1);
	EXPECT_EQ(CALL(&bed, mincore, at, 4096, user(UINT64_MAX >> 2)), -EFAULT);
	EXPECT_EQ(CALL(&bed, mincore, at, 4096, user(at)), 0);
	bed_close(&bed);
}
