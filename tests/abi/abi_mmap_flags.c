// SPDX-License-Identifier: MIT
/*
 * What Linux promises of mmap's flags one by one, and of the order in which what is wrong is found: mmap(2), mm/mmap.c
 * (do_mmap). SEMANTICS.md 36-44. MAP_POPULATE and MAP_LOCKED are in abi_mlock.c.
 */
#include "abi.h"

#include <stdint.h>

enum { RW = PROT_READ | PROT_WRITE, ANON = MAP_PRIVATE | MAP_ANONYMOUS };

#ifndef MAP_SHARED_VALIDATE
#define MAP_SHARED_VALIDATE 3
#endif

static addr_t at(addr_t map, int page)
{
	return map + (addr_t)page * PAGE;
}

static addr_t try_map(addr_t hint, int prot, int flags, int fd)
{
	return x_mmap(hint, PAGE, prot, flags, fd, 0);
}

TEST(mmap, shared_writable_of_an_appending_fd_succeeds)
{
	/* 41: pwrite ignores the offset and appends; a mapping does not. */
	int fd = memfd(1), appending = reopen(fd, O_RDWR | O_APPEND);
	addr_t map = map_shared(appending, 2, RW);

	st8(map, 'm');
	EXPECT_EQ(byte_at(fd, 0), 'm');
	EXPECT_EQ(x_pwrite(appending, "a", 1, 0), 1);
	EXPECT_EQ(byte_at(fd, 0), 'm');
	EXPECT_EQ(ld8(at(map, 1)), 'a');
	unmap(map, 2);
	EXPECT_EQ(x_close(appending), 0);
	EXPECT_EQ(x_close(fd), 0);
}

/* Flags that change nothing that can be seen. */

TEST(mmap_flags, that_are_hints_only_are_accepted)
{
	/* mmap(2): MAP_NORESERVE, MAP_STACK, and the two that are ignored. */
	const int flags[] = { MAP_NORESERVE,
		              MAP_STACK,
		              MAP_DENYWRITE,
		              MAP_EXECUTABLE,
		              MAP_POPULATE,
		              MAP_NONBLOCK,
		              MAP_POPULATE | MAP_NONBLOCK };
	int fd = memfd(1);

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		addr_t a = try_map(0, RW, ANON | flags[i], -1), b = try_map(0, RW, MAP_SHARED | flags[i], fd);

		EXPECT_MSG(a != NO_MAPPING && b != NO_MAPPING, "flag %#x, errno %d", (unsigned)flags[i], errno);
		st8(a, 1);
		st8(b, 1);
		unmap(a, 1);
		unmap(b, 1);
	}
	EXPECT_EQ(x_close(fd), 0);
}

TEST(mmap_flags, unknown_ones_are_ignored_of_private_memory)
{
	/* 39: only MAP_SHARED_VALIDATE looks. */
	addr_t map = try_map(0, RW, ANON | 0x800000, -1);

	EXPECT(map != NO_MAPPING);
	unmap(map, 1);
}

TEST(mmap_flags, shared_validate_accepts_what_it_knows)
{
	/* mmap(2). */
	const int flags[] = { MAP_NORESERVE, MAP_STACK, MAP_DENYWRITE, MAP_EXECUTABLE, MAP_POPULATE, MAP_NONBLOCK };
	int fd = memfd(1);

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		addr_t map = try_map(0, RW, MAP_SHARED_VALIDATE | flags[i], fd);

		EXPECT_MSG(map != NO_MAPPING, "flag %#x, errno %d", (unsigned)flags[i], errno);
		unmap(map, 1);
	}
	EXPECT_EQ(x_close(fd), 0);
}

TEST(mmap_flags, shared_validate_does_not_know_fixed_noreplace)
{
	/* mm/mmap.c: LEGACY_MAP_MASK has no MAP_FIXED_NOREPLACE. */
	int fd = memfd(1);

	EXPECT_FAILS(try_map(unmapped_page(), RW, MAP_SHARED_VALIDATE | MAP_FIXED_NOREPLACE, fd), EOPNOTSUPP);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(mmap_flags, sync_of_a_file_in_memory_fails_EOPNOTSUPP)
{
	/* mmap(2): MAP_SYNC is for DAX. */
	int fd = memfd(1);

	EXPECT_FAILS(try_map(0, RW, MAP_SHARED_VALIDATE | MAP_SYNC, fd), EOPNOTSUPP);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(mmap_flags, unused_kinds_fail_EINVAL)
{
	/* mm/mmap.c: MAP_TYPE is four bits. */
	int fd = memfd(1);

	for (int kind = 4; kind < 16; kind++) {
		if (kind != 8) /* MAP_DROPPABLE, since 6.11 */
			EXPECT_FAILS(try_map(0, RW, kind | MAP_ANONYMOUS, -1), EINVAL);
		EXPECT_FAILS(try_map(0, RW, kind, fd), EINVAL);
	}
	EXPECT_FAILS(try_map(0, RW, MAP_SHARED_VALIDATE | MAP_ANONYMOUS, -1), EINVAL);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(mmap_flags, unknown_protection_bits_are_ignored)
{
	/* Unlike mprotect's. */
	addr_t map = try_map(0, PROT_READ | 0x40, ANON, -1);

	EXPECT(map != NO_MAPPING);
	EXPECT_STORE_FAULTS(map, SIGSEGV, SEGV_ACCERR);
	unmap(map, 1);
}

TEST(mmap_flags, protections_allow_what_they_say)
{
	/* 47: SIGSEGV codes; what may be written or executed can be read. */
	addr_t none = try_map(0, PROT_NONE, ANON, -1), r = try_map(0, PROT_READ, ANON, -1),
	       w = try_map(0, PROT_WRITE, ANON, -1);

	SETUP(none != NO_MAPPING && r != NO_MAPPING && w != NO_MAPPING);
	EXPECT_LOAD_FAULTS(none, SIGSEGV, SEGV_ACCERR);
	EXPECT_STORE_FAULTS(none, SIGSEGV, SEGV_ACCERR);
	EXPECT_EQ(ld8(r), 0);
	EXPECT_STORE_FAULTS(r, SIGSEGV, SEGV_ACCERR);
	st8(w, 1);
	EXPECT_EQ(ld8(w), 1);
	unmap(none, 1);
	unmap(r, 1);
	unmap(w, 1);
}

/* MAP_HUGETLB: only the arguments, on a machine with no such page set aside. */

TEST(mmap_flags, hugetlb_of_a_size_that_there_is_not_fails_EINVAL)
{
	/* mmap(2): MAP_HUGE_SHIFT. */
	for (int log2 = 1; log2 < 64; log2++)
		if (log2 != 16 && log2 != 21 && log2 != 25 && log2 != 29 && log2 != 30 &&
		    log2 != 34) /* of any machine */
			EXPECT_FAILS(x_mmap(0, 1 << 21, RW, ANON | MAP_HUGETLB | (int)((unsigned)log2 << 26), -1, 0),
			             EINVAL);
}

TEST(mmap_flags, hugetlb_of_a_file_of_small_pages_fails_EINVAL)
{
	/* mm/mmap.c: ksys_mmap_pgoff. */
	int fd = memfd(1);

	EXPECT_FAILS(try_map(0, RW, MAP_SHARED | MAP_HUGETLB, fd), EINVAL);
	EXPECT_FAILS(try_map(0, RW, MAP_PRIVATE | MAP_HUGETLB, fd), EINVAL);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(mmap_flags, hugetlb_of_length_0_fails_EINVAL)
{
	/* 36: before there is too little memory for it. */
	EXPECT_FAILS(x_mmap(0, 0, RW, ANON | MAP_HUGETLB, -1, 0), EINVAL);
}

/* MAP_32BIT and MAP_ABOVE4G, of x86_64. */

#if defined(__x86_64__) && !defined(ABI_NATIVE)
static bool has_32bit(void)
{
#ifdef ABI_KSIM
	return ksim_arch_of(abi_machine()) == KSIM_ARCH_X86_64 && !abi_native();
#else
	return true;
#endif
}

TEST(mmap_flags, map_32bit_maps_below_2_GiB)
{
	/* mmap(2): in the first 2 Gigabytes of the process address space. */
	addr_t map, hinted;

	if (!has_32bit())
		SKIP("a flag of x86_64, and where there are addresses below 2 GiB");
	map = try_map(0, RW, ANON | MAP_32BIT, -1);
	SETUP(map != NO_MAPPING);
	EXPECT_MSG(map < 0x80000000, "at %#llx", (unsigned long long)map);
	st8(map, 1);
	unmap(map, 1);
	hinted = try_map(map, RW, ANON | MAP_32BIT, -1);
	EXPECT_EQ(hinted, map);
	unmap(hinted, 1);
	hinted = try_map((addr_t)1 << 40, RW, ANON | MAP_32BIT, -1);
	EXPECT_MSG(hinted < 0x80000000, "at %#llx", (unsigned long long)hinted);
	unmap(hinted, 1);
	EXPECT_FAILS(x_mmap(0, (size_t)1 << 31, RW, ANON | MAP_32BIT | MAP_NORESERVE, -1, 0), ENOMEM);
}

TEST(mmap_flags, map_above4g_maps_above_4_GiB)
{
	/* Linux 6.6. */
	addr_t map;

	if (!has_32bit())
		SKIP("a flag of x86_64, and where there are addresses below 2 GiB");
	map = try_map(0, RW, ANON | 0x80, -1);
	SETUP(map != NO_MAPPING);
	EXPECT(map >= (addr_t)1 << 32);
	unmap(map, 1);
}
#endif

/* MAP_GROWSDOWN. */

/* A stack of one page in the middle of nothing: `below` free pages under it. Its only page is at the top. */
static addr_t stack(int below)
{
	addr_t room = map_anonymous(below + 2, PROT_NONE, MAP_PRIVATE | MAP_NORESERVE);
	addr_t page = at(room, below);

	unmap(room, below + 2);
	SETUP(x_mmap(page, PAGE, RW, ANON | MAP_GROWSDOWN | MAP_FIXED, -1, 0) == page);
	return page;
}

TEST(mmap_flags, growsdown_mapping_grows_to_a_touch_below_it)
{
	/* mmap(2): touching an address below the mapping makes it grow; any distance, since 6.5 at the latest. */
	addr_t page = stack(600);

	st8(page, 1);
	st8(page - 1, 2);
	EXPECT_EQ(ld8(page - PAGE), 0);
	st8(at(page, -40), 3);
	EXPECT_EQ(ld8(at(page, -39)), 0);
	EXPECT_EQ(ld8(at(page, -1)), 0);
	EXPECT_EQ(ld8(page - 1), 2);
	EXPECT_EQ(ld8(page), 1);
	EXPECT_EQ(x_munmap(at(page, -40), 41 * PAGE), 0);
	EXPECT_LOAD_FAULTS(page, SIGSEGV, SEGV_MAPERR);
}

TEST(mmap_flags, growsdown_mapping_grows_for_a_call_too)
{
	/* The kernel's own accesses are faults like any other. */
	addr_t page = stack(600);
	int fd = memfd(1);

	EXPECT_EQ(x_pwrite(fd, "stack", 5, 0), 5);
	EXPECT_EQ(x_pread(fd, ubuf(page - 5), 5, 0), 5);
	EXPECT_EQ(ld8(page - 5), 's');
	EXPECT_EQ(x_munmap(page - PAGE, 2 * PAGE), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(mmap_flags, growsdown_mapping_keeps_its_distance)
{
	/* mm/vma.c, expand_downwards: 256 pages to whatever can be accessed below. */
	addr_t page = stack(600), below = at(page, -300);

	SETUP(x_mmap(below, PAGE, PROT_READ, ANON | MAP_FIXED, -1, 0) == below);
	st8(at(page, -43), 1); /* 300 - 1 - 256 pages further down is the last that may be */
	EXPECT_LOAD_FAULTS(at(page, -44), SIGSEGV, SEGV_MAPERR);
	SETUP(x_mprotect(below, PAGE, PROT_NONE) == 0);
	st8(at(page, -44), 1); /* what cannot be accessed is a guard itself */
	st8(at(page, -299), 1);
	EXPECT_LOAD_FAULTS(below, SIGSEGV, SEGV_ACCERR);
	EXPECT_EQ(x_munmap(below, 301 * PAGE), 0);
}

TEST(mmap_flags, growsdown_mapping_may_meet_another_one)
{
	/* mm/vma.c, expand_downwards: stacks need no gap between them. */
	addr_t page = stack(600), below = at(page, -3);

	SETUP(x_mmap(below, PAGE, RW, ANON | MAP_GROWSDOWN | MAP_FIXED, -1, 0) == below);
	st8(at(page, -2), 1);
	st8(at(page, -1), 1);
	st8(below, 1);
	st8(at(below, -1), 1);
	EXPECT_EQ(x_munmap(at(below, -1), 5 * PAGE), 0);
}

TEST(mmap_flags, hint_within_the_guard_gap_of_a_stack_is_not_taken)
{
	/* mm/mmap.c: vm_start_gap. A fixed address is. */
	addr_t page = stack(600), hint = at(page, -256), map;

	map = try_map(at(hint, -1), RW, ANON, -1);
	EXPECT_EQ(map, at(hint, -1));
	unmap(map, 1);
	map = try_map(hint, RW, ANON, -1);
	EXPECT(map != hint && map != NO_MAPPING);
	unmap(map, 1);
	EXPECT_EQ(try_map(hint, RW, ANON | MAP_FIXED_NOREPLACE, -1), hint);
	unmap(hint, 1);
	unmap(page, 1);
}

TEST(mmap_flags, growsdown_of_shared_memory_or_a_file_fails_EINVAL)
{
	/* mm/mmap.c. */
	int fd = memfd(1);

	EXPECT_FAILS(try_map(0, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_GROWSDOWN, -1), EINVAL);
	EXPECT_FAILS(try_map(0, RW, MAP_SHARED | MAP_GROWSDOWN, fd), EINVAL);
	EXPECT_FAILS(try_map(0, RW, MAP_PRIVATE | MAP_GROWSDOWN, fd), EINVAL);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(mprotect, growsdown_changes_from_the_start_of_the_stack)
{
	/* mprotect(2): PROT_GROWSDOWN. */
	addr_t page = stack(600);

	st8(at(page, -3), 1);
	EXPECT_EQ(x_mprotect(page, PAGE, PROT_READ | PROT_GROWSDOWN), 0);
	EXPECT_STORE_FAULTS(at(page, -3), SIGSEGV, SEGV_ACCERR);
	EXPECT_STORE_FAULTS(page, SIGSEGV, SEGV_ACCERR);
	EXPECT_EQ(x_mprotect(at(page, -1), PAGE, RW | PROT_GROWSDOWN), 0);
	st8(at(page, -3), 2);
	EXPECT_STORE_FAULTS(page, SIGSEGV, SEGV_ACCERR);
	EXPECT_EQ(x_munmap(at(page, -3), 4 * PAGE), 0);
}

TEST(mprotect, growsdown_and_growsup_where_nothing_grows_fail_EINVAL)
{
	/* mprotect(2). */
	addr_t map = map_anonymous(2, RW, MAP_PRIVATE);

	EXPECT_FAILS(x_mprotect(map, PAGE, PROT_READ | PROT_GROWSDOWN), EINVAL);
	EXPECT_FAILS(x_mprotect(map, PAGE, PROT_READ | PROT_GROWSUP), EINVAL);
	EXPECT_FAILS(x_mprotect(map, PAGE, PROT_READ | PROT_GROWSDOWN | PROT_GROWSUP), EINVAL);
	EXPECT_FAILS(x_mprotect(map, 0, PROT_READ | PROT_GROWSDOWN | PROT_GROWSUP), EINVAL);
	EXPECT_EQ(x_mprotect(map, 0, PROT_READ | PROT_GROWSDOWN), 0);
	st8(map, 1);
	unmap(map, 2);
}

TEST(mprotect, growsdown_or_growsup_over_a_hole_fails_ENOMEM)
{
	/* mm/mprotect.c. */
	addr_t page = unmapped_page();

	EXPECT_FAILS(x_mprotect(page, PAGE, PROT_READ | PROT_GROWSDOWN), ENOMEM);
	EXPECT_FAILS(x_mprotect(page, PAGE, PROT_READ | PROT_GROWSUP), ENOMEM);
}

/* What is found first. */

TEST(mmap_order, offset_goes_before_the_descriptor)
{
	/* arch: sys_mmap. */
	EXPECT_FAILS(x_mmap(0, PAGE, PROT_READ, MAP_SHARED, lowest_free_fd(), 1), EINVAL);
}

TEST(mmap_order, descriptor_goes_before_the_length)
{
	/* 37. */
	EXPECT_FAILS(x_mmap(0, 0, PROT_READ, MAP_SHARED, lowest_free_fd(), 0), EBADF);
	EXPECT_FAILS(x_mmap(8, SIZE_MAX, PROT_READ, MAP_SHARED | MAP_FIXED, lowest_free_fd(), 0), EBADF);
}

TEST(mmap_order, what_is_there_goes_before_the_kind)
{
	/* mm/mmap.c: the address is settled before the flags are looked at. */
	addr_t map = map_anonymous(1, RW, MAP_PRIVATE);
	int flags = MAP_FIXED_NOREPLACE;

	EXPECT_FAILS(try_map(map, RW, flags | MAP_ANONYMOUS, -1), EEXIST);
	EXPECT_FAILS(try_map(map, RW, flags | MAP_ANONYMOUS | MAP_SHARED | MAP_PRIVATE, -1), EEXIST);
	st8(map, 1);
	unmap(map, 1);
}

TEST(mmap_order, what_is_there_goes_before_what_the_file_allows)
{
	/* mm/mmap.c. */
	int fd = memfd(1), readonly = reopen(fd, O_RDONLY), ends[2];
	addr_t map = map_anonymous(1, RW, MAP_PRIVATE);

	stream_pair(ends);
	EXPECT_FAILS(try_map(map, RW, MAP_SHARED | MAP_FIXED_NOREPLACE, readonly), EEXIST);
	EXPECT_FAILS(try_map(map, RW, MAP_SHARED | MAP_FIXED_NOREPLACE, ends[0]), EEXIST);
	EXPECT_FAILS(x_mmap(0, (size_t)1 << 62, RW, MAP_SHARED, readonly, 0), ENOMEM);
	EXPECT_EQ(x_fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
	EXPECT_FAILS(try_map(map, RW, MAP_SHARED | MAP_FIXED_NOREPLACE, fd), EEXIST);
	EXPECT_FAILS(try_map(0, RW, MAP_SHARED, fd), EPERM);
	unmap(map, 1);
	close_pair(ends);
	EXPECT_EQ(x_close(readonly), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(mmap_order, offset_overflow_goes_before_the_access_mode)
{
	/* mm/mmap.c: file_mmap_ok. */
	int fd = memfd(1), readonly = reopen(fd, O_RDONLY);

	EXPECT_FAILS(x_mmap(0, 2 * PAGE, RW, MAP_SHARED, readonly, (off_t)(UINT64_MAX - PAGE + 1)), EOVERFLOW);
	EXPECT_EQ(x_close(readonly), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(mmap_order, access_mode_goes_before_the_type_of_the_file)
{
	/* mm/mmap.c: EACCES before ENODEV. */
	int fd = memfd(1), writeonly = reopen(fd, O_WRONLY), ends[2];

	stream_pair(ends);
	EXPECT_FAILS(try_map(0, PROT_READ, MAP_PRIVATE, ends[0]), ENODEV);
	EXPECT_FAILS(try_map(0, PROT_READ, MAP_PRIVATE | MAP_GROWSDOWN, writeonly), EACCES);
	close_pair(ends);
	EXPECT_EQ(x_close(writeonly), 0);
	EXPECT_EQ(x_close(fd), 0);
}
