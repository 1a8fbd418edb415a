// SPDX-License-Identifier: MIT
/*
 * What Linux promises of memory calls at an edge: of all addresses, of what may be locked, of a stack, of a file.
 * mremap(2), brk(2), mlockall(2), mprotect(2), mmap(2), proc_pid_pagemap(5).
 */
#include "abi.h"

#include <limits.h>
#include <stdlib.h>

enum { RW = PROT_READ | PROT_WRITE, USER = 64600, HUGE = 2 << 20 };

static bool become_user(void)
{
	return x_setresgid(USER, USER, USER) == 0 && x_setresuid(USER, USER, USER) == 0;
}

static bool may_lock(rlim_t bytes)
{
	const struct rlimit limit = { bytes, bytes };

	return x_setrlimit(RLIMIT_MEMLOCK, &limit) == 0;
}

static bool refused_map(addr_t result, int error)
{
	return result == NO_MAPPING && errno == error;
}

/* ---- mremap ---- */

TEST(memory_edges, mremap_of_nothing_onto_itself_unmaps_it_and_fails_EFAULT)
{
	/* mremap(2): old_size 0 duplicates; the destination is unmapped first, and here it is the source. */
	addr_t map = map_anonymous(2, RW, MAP_SHARED);

	EXPECT(refused_map(x_mremap(map, 0, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, map), EFAULT));
	EXPECT_LOAD_FAULTS(map, SIGSEGV, SEGV_MAPERR);
	EXPECT_LOAD_FAULTS(map + PAGE, SIGSEGV, SEGV_MAPERR);
}

TEST(memory_edges, mremap_that_gives_back_beyond_all_addresses_fails_EINVAL)
{
	addr_t map = map_anonymous(2, RW, MAP_PRIVATE), to = map_anonymous(1, RW, MAP_PRIVATE);
	const size_t much = (size_t)1 << 47;

	st8(map, 1);
	EXPECT(refused_map(x_mremap(map, much, PAGE, 0, 0), EINVAL));
	EXPECT(refused_map(x_mremap(map, much, PAGE, MREMAP_MAYMOVE, 0), EINVAL));
	EXPECT_EQ(ld8(to), 0);
	EXPECT(refused_map(x_mremap(map, much, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to), EINVAL));
	EXPECT_LOAD_FAULTS(to, SIGSEGV, SEGV_MAPERR); /* by then the destination has been unmapped */
	EXPECT_EQ(ld8(map), 1);
	EXPECT_EQ(ld8(map + PAGE), 0);
	unmap(map, 2);
}

TEST(memory_edges, mremap_to_where_no_user_memory_can_be_fails)
{
	/* mremap(2) EINVAL, and what mmap says to a fixed address. */
	addr_t map = map_anonymous(1, RW, MAP_PRIVATE);
	const int fixed = MREMAP_MAYMOVE | MREMAP_FIXED;

	EXPECT(x_mremap(map, PAGE, PAGE, fixed, (addr_t)1 << 63) == NO_MAPPING && errno == EINVAL);
	EXPECT(x_mremap(map, PAGE, PAGE, fixed, ((addr_t)1 << 47) - PAGE) == NO_MAPPING);
	EXPECT(errno == EINVAL || errno == ENOMEM);
	EXPECT(x_mremap(map, PAGE, (size_t)1 << 47, fixed, PAGE * 1024) == NO_MAPPING);
	EXPECT(errno == EINVAL || errno == ENOMEM);
	EXPECT_EQ(ld8(map), 0);
	unmap(map, 1);
}

TEST(memory_edges, mremap_beyond_the_greatest_offset_of_a_file_fails_EINVAL)
{
	int fd = memfd(1);
	addr_t map = x_mmap(0, PAGE, PROT_READ, MAP_SHARED, fd, (off_t)INT64_MAX & -PAGE);

	SETUP(map != NO_MAPPING || errno == EOVERFLOW);
	if (map != NO_MAPPING) {
		EXPECT(x_mremap(map, PAGE, 3 * PAGE, MREMAP_MAYMOVE, 0) != NO_MAPPING || errno == EINVAL);
		x_munmap(map, PAGE);
	}
	EXPECT_EQ(x_close(fd), 0);
}

/* ---- the heap and what is locked ---- */

static int heap_is_locked(void *arg)
{
	unsigned char in[16] = { 0 };
	addr_t end;

	(void)arg;
	CHILD_EXPECT(x_mlockall(MCL_FUTURE) == 0);
	end = x_sbrk(4 * PAGE);
	CHILD_EXPECT(end != NO_MAPPING);
	end = (end + PAGE - 1) & ~(addr_t)(PAGE - 1);
	CHILD_EXPECT(x_mincore(end, 3 * PAGE, in) == 0 && (in[0] & in[1] & in[2] & 1));
	CHILD_EXPECT(may_lock(16 * PAGE) && become_user());
	CHILD_EXPECT(refused_map(x_sbrk(64 * PAGE), ENOMEM));
	CHILD_EXPECT(x_munlockall() == 0);
	CHILD_EXPECT(x_sbrk(64 * PAGE) != NO_MAPPING);
	return 0;
}

TEST(memory_edges, heap_grows_locked_and_no_further_than_may_be_locked)
{
	/* mlockall(2) MCL_FUTURE, brk(2) ENOMEM. */
	if (x_geteuid() != 0)
		SKIP("needs root");
	EXPECT_EQ(in_child(heap_is_locked, NULL), 0);
}

TEST(memory_edges, heap_beyond_all_addresses_fails_ENOMEM)
{
	addr_t now = x_sbrk(0);

	EXPECT(refused_map(x_sbrk((intptr_t)1 << 47), ENOMEM));
	EXPECT_EQ(x_brk((addr_t)1 << 62), -1);
	EXPECT_EQ(errno, ENOMEM);
	EXPECT_EQ(x_sbrk(0), now);
}

static int stack_is_locked(void *arg)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED;
	addr_t room = x_mmap(0, 600 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), stack = room + 590 * PAGE;

	(void)arg;
	CHILD_EXPECT(room != NO_MAPPING && x_munmap(room, 600 * PAGE) == 0);
	CHILD_EXPECT(x_mmap(stack, 2 * PAGE, RW, flags, -1, 0) == stack);
	CHILD_EXPECT(x_mlock(stack, 2 * PAGE) == 0);
	CHILD_EXPECT(may_lock(8 * PAGE) && become_user());
	CHILD_EXPECT(probe_st8(stack - PAGE, 1).signo == 0);
	CHILD_EXPECT(probe_st8(stack - 3 * PAGE, 1).signo == 0);
	CHILD_EXPECT(probe_st8(stack - 20 * PAGE, 1).signo == SIGSEGV);
	CHILD_EXPECT(probe_st8(stack - 4 * PAGE, 1).signo == 0);
	return 0;
}

TEST(memory_edges, locked_stack_grows_no_further_than_may_be_locked)
{
	/* mmap(2) MAP_GROWSDOWN, getrlimit(2) RLIMIT_MEMLOCK. */
	if (x_geteuid() != 0)
		SKIP("needs root");
	EXPECT_EQ(in_child(stack_is_locked, NULL), 0);
}

TEST(memory_edges, locked_pages_of_a_file_are_copied_when_they_may_be_written)
{
	/* mlock(2), mmap(2): a page that is locked is the process's own once it may write to it, in every mapping. */
	enum { PAGES = 40 };
	int fd = memfd(PAGES);
	addr_t map = map_private(fd, PAGES, PROT_READ);

	for (int i = 0; i < PAGES; i++)
		EXPECT_EQ(x_pwrite(fd, "1", 1, (off_t)i * PAGE), 1);
	for (int i = 0; i < PAGES; i += 2)
		SETUP(x_mlock(map + (addr_t)i * PAGE, PAGE) == 0);
	EXPECT_EQ(x_mprotect(map, PAGES * PAGE, RW), 0);
	for (int i = 0; i < PAGES; i++)
		EXPECT_EQ(x_pwrite(fd, "2", 1, (off_t)i * PAGE), 1);
	for (int i = 0; i < PAGES; i += 2)
		EXPECT_EQ(ld8(map + (addr_t)i * PAGE), '1');
	unmap(map, PAGES);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(memory_edges, protection_to_a_stacks_start_needs_a_stack)
{
	/*
	 * mprotect(2) PROT_GROWSDOWN, PROT_GROWSUP: EINVAL where the mapping does not grow, ENOMEM where there is none.
	 */
	addr_t map = map_anonymous(4, RW, MAP_PRIVATE);

	unmap(map, 2);
	EXPECT_FAILS(x_mprotect(map, PAGE, PROT_READ | PROT_GROWSDOWN), ENOMEM);
	EXPECT_FAILS(x_mprotect(map, 3 * PAGE, PROT_READ | PROT_GROWSDOWN), EINVAL);
	EXPECT_FAILS(x_mprotect(map, PAGE, PROT_READ | PROT_GROWSUP), ENOMEM);
	EXPECT_FAILS(x_mprotect(map, 3 * PAGE, PROT_READ | PROT_GROWSUP), ENOMEM);
	EXPECT_FAILS(x_mprotect(map + 2 * PAGE, PAGE, PROT_READ | PROT_GROWSUP), EINVAL);
	EXPECT_FAILS(x_mprotect(map + 2 * PAGE, PAGE, PROT_READ | PROT_GROWSUP | PROT_GROWSDOWN), EINVAL);
	st8(map + 2 * PAGE, 1);
	unmap(map + 2 * PAGE, 2);
}

/* ---- what is told ---- */

static long long status_kib(const char *key)
{
	char text[8192] = "";
	const char *at;
	int fd = x_open("/proc/self/status", O_RDONLY | O_CLOEXEC);

	SETUP(fd >= 0 && x_read(fd, text, sizeof(text) - 1) > 0 && x_close(fd) == 0);
	at = strstr(text, key);
	return at != NULL ? atoll(at + strlen(key)) : -1;
}

TEST(memory_edges, status_counts_stacks_apart)
{
	/* proc_pid_status(5): VmStk, VmData. */
	long long stack = status_kib("\nVmStk:"), data = status_kib("\nVmData:");
	addr_t map = map_anonymous(8, RW, MAP_PRIVATE | MAP_GROWSDOWN);

	EXPECT_EQ(status_kib("\nVmStk:"), stack + 32);
	EXPECT_EQ(status_kib("\nVmData:"), data);
	unmap(map, 8);
	map = map_anonymous(8, RW, MAP_PRIVATE);
	EXPECT_EQ(status_kib("\nVmStk:"), stack);
	EXPECT_EQ(status_kib("\nVmData:"), data + 32);
	unmap(map, 8);
}

TEST(memory_edges, pagemap_tells_guards)
{
	/* proc_pid_pagemap(5): bit 58, since 6.15; MADV_GUARD_INSTALL since 6.13. */
	const int install = 102;
	addr_t map = map_anonymous(3, RW, MAP_PRIVATE);
	uint64_t word[3];
	int fd;

	if (linux_release() < 6015)
		SKIP("before Linux 6.15");
	st8(map, 1);
	st8(map + PAGE, 1);
	EXPECT_EQ(x_madvise(map + PAGE, PAGE, install), 0);
	fd = x_open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	SETUP(fd >= 0);
	EXPECT_EQ(x_pread(fd, word, sizeof(word), (off_t)(map / PAGE * 8)), sizeof(word));
	EXPECT_EQ(word[0] >> 58, 0x20 | (word[0] >> 58 & 0xf)); /* present; soft-dirty and exclusive lie below */
	EXPECT_EQ(word[1] >> 58 & 1, 1);
	EXPECT_EQ(word[1] >> 63, 0);
	EXPECT_EQ(word[2], 0);
	EXPECT_EQ(x_close(fd), 0);
	unmap(map, 3);
}

/* ---- large pages ---- */

TEST(memory_edges, first_store_to_a_private_mapping_of_a_large_file_page_copies_what_it_touches)
{
	/* mmap(2) MAP_PRIVATE, whatever the size of the pages behind. */
	int fd = memfd(2 * HUGE / PAGE);
	addr_t shared = map_shared(fd, 2 * HUGE / PAGE, RW), own;

	for (addr_t at = 0; at < 2 * HUGE; at += PAGE)
		st8(shared + at, 's');
	own = map_private(fd, 2 * HUGE / PAGE, RW);
	st8(own + HUGE + 5, 'o');
	EXPECT_EQ(ld8(own + HUGE), 's');
	EXPECT_EQ(ld8(own + HUGE + 5), 'o');
	EXPECT_EQ(ld8(shared + HUGE + 5), 0);
	st8(shared + HUGE, 't');
	st8(shared + HUGE + PAGE, 't');
	EXPECT_EQ(ld8(own + HUGE), 's');
	EXPECT_EQ(ld8(own + HUGE + PAGE), 't');
	unmap(shared, 2 * HUGE / PAGE);
	unmap(own, 2 * HUGE / PAGE);
	EXPECT_EQ(x_close(fd), 0);
}

/* ---- positions ---- */

TEST(memory_edges, copies_beyond_the_greatest_position_fail)
{
	/* sendfile(2) EINVAL, copy_file_range(2) EOVERFLOW. */
	int in = memfd(1), out = memfd(1);
	off_t from = 0, to = INT64_MAX - 5;

	EXPECT_EQ(x_lseek(out, to, SEEK_SET), to);
	EXPECT_FAILS(x_sendfile(out, in, &from, 100), EINVAL);
	EXPECT_EQ(from, 0);
	EXPECT_EQ(x_lseek(out, 0, SEEK_CUR), to);
	EXPECT_FAILS(x_copy_file_range(in, &from, out, &to, (size_t)INT64_MAX + 100, 0), EOVERFLOW);
	EXPECT_FAILS(x_copy_file_range(in, &to, out, &from, (size_t)INT64_MAX + 100, 0), EOVERFLOW);
	EXPECT_EQ(size_of(out), PAGE);
	EXPECT_EQ(x_close(in), 0);
	EXPECT_EQ(x_close(out), 0);
}

TEST(memory_edges, file_of_huge_pages_is_all_data)
{
	/* lseek(2): the simplest implementation treats the whole file as data. */
	int fd = x_memfd_create("huge", MFD_HUGETLB | 21u << 26);
	char byte = 'x';

	if (fd < 0)
		SKIP("no huge pages: errno %d", errno);
	EXPECT_EQ(x_ftruncate(fd, 2 * HUGE), 0);
	EXPECT_EQ(x_lseek(fd, 5, SEEK_DATA), 5);
	EXPECT_EQ(x_lseek(fd, 5, SEEK_HOLE), 2 * HUGE);
	EXPECT_EQ(x_lseek(fd, 2 * HUGE - 1, SEEK_DATA), 2 * HUGE - 1);
	EXPECT_FAILS(x_lseek(fd, 2 * HUGE, SEEK_DATA), ENXIO);
	EXPECT_FAILS(x_lseek(fd, 2 * HUGE, SEEK_HOLE), ENXIO);
	EXPECT_EQ(x_pread(fd, &byte, 1, HUGE + 7), 1);
	EXPECT_EQ(byte, 0);
	EXPECT_EQ(x_close(fd), 0);
}
