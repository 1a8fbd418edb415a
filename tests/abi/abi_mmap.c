// SPDX-License-Identifier: MIT
/*
 * What Linux promises of mmap, munmap and mprotect: arguments, permissions, placement, and which mappings see what.
 * SEMANTICS.md 36-40, 42-48; mmap(2), mprotect(2). End of file is in abi_eof.c, private ones in abi_private.c.
 */
#include "abi.h"

#include <stdint.h>

enum { RW = PROT_READ | PROT_WRITE };

/* Arguments of mmap. */

TEST(mmap, of_length_0_fails_EINVAL)
{
	/* 36. */
	int fd = memfd(1);

	EXPECT_FAILS(x_mmap(0, 0, PROT_READ, MAP_SHARED, fd, 0), EINVAL);
	EXPECT_FAILS(x_mmap(0, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), EINVAL);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(mmap, at_an_unaligned_offset_fails_EINVAL)
{
	/* 36: also for anonymous memory. */
	int fd = memfd(2);

	EXPECT_FAILS(x_mmap(0, PAGE, PROT_READ, MAP_SHARED, fd, 1), EINVAL);
	EXPECT_FAILS(x_mmap(0, PAGE, PROT_READ, MAP_SHARED, fd, PAGE + 512), EINVAL);
	EXPECT_FAILS(x_mmap(0, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 1), EINVAL);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(mmap, of_an_absurd_length_fails_ENOMEM)
{
	/* 36: larger than any address space, also where rounding it up overflows. */
	int fd = memfd(1);

	EXPECT_FAILS(x_mmap(0, (size_t)1 << 62, PROT_READ, MAP_SHARED, fd, 0), ENOMEM);
	EXPECT_FAILS(x_mmap(0, SIZE_MAX, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(mmap, of_pages_beyond_the_largest_offset_fails_EOVERFLOW)
{
	/* mmap(2): EOVERFLOW, the pages of offset and length together overflow. */
	int fd = memfd(1);

	EXPECT_FAILS(x_mmap(0, 2 * PAGE, PROT_READ, MAP_SHARED, fd, (off_t)(UINT64_MAX - PAGE + 1)), EOVERFLOW);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(mmap, of_a_closed_fd_fails_EBADF)
{
	/* 37: even with length 0. */
	int closed = lowest_free_fd();

	EXPECT_FAILS(x_mmap(0, PAGE, PROT_READ, MAP_SHARED, closed, 0), EBADF);
	EXPECT_FAILS(x_mmap(0, PAGE, PROT_READ, MAP_PRIVATE, -1, 0), EBADF);
	EXPECT_FAILS(x_mmap(0, 0, PROT_READ, MAP_SHARED, closed, 0), EBADF);
}

TEST(mmap, of_anonymous_memory_ignores_the_fd)
{
	/* mmap(2): the fd argument is ignored. */
	addr_t map = x_mmap(0, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, 1 << 30, 0);

	EXPECT(map != NO_MAPPING);
	unmap(map, 1);
}

TEST(mmap, of_a_socket_fails_ENODEV)
{
	/* mmap(2): the file's type does not support memory mapping. */
	int ends[2];

	stream_pair(ends);
	EXPECT_FAILS(x_mmap(0, PAGE, PROT_READ, MAP_SHARED, ends[0], 0), ENODEV);
	close_pair(ends);
}

TEST(mmap, neither_shared_nor_private_fails_EINVAL)
{
	/* 38. */
	int fd = memfd(1);

	EXPECT_FAILS(x_mmap(0, PAGE, PROT_READ, 0, fd, 0), EINVAL);
	EXPECT_FAILS(x_mmap(0, PAGE, PROT_READ, MAP_ANONYMOUS, -1, 0), EINVAL);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(mmap, both_shared_and_private_of_a_file_is_shared)
{
	/* 38: the two bits are MAP_SHARED_VALIDATE. */
	int fd = memfd(1);
	addr_t map = x_mmap(0, PAGE, RW, MAP_SHARED | MAP_PRIVATE, fd, 0);

	SETUP(map != NO_MAPPING);
	st8(map, 's');
	EXPECT_EQ(byte_at(fd, 0), 's');
	unmap(map, 1);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(mmap, validated_with_an_unknown_flag_fails_EOPNOTSUPP)
{
	/* 39: plain MAP_SHARED ignores it. */
	enum { UNKNOWN = 0x800000 };
	int fd = memfd(1);
	addr_t map = x_mmap(0, PAGE, RW, MAP_SHARED | UNKNOWN, fd, 0);

	EXPECT(map != NO_MAPPING);
	EXPECT_FAILS(x_mmap(0, PAGE, RW, MAP_SHARED_VALIDATE | UNKNOWN, fd, 0), EOPNOTSUPP);
	unmap(map, 1);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(mmap, both_shared_and_private_of_anonymous_memory_fails_EINVAL)
{
	/* 38. */
	EXPECT_FAILS(x_mmap(0, PAGE, RW, MAP_SHARED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), EINVAL);
}

TEST(mmap, fixed_at_an_unaligned_address_fails_EINVAL)
{
	/* 43. */
	addr_t page = unmapped_page();

	EXPECT_FAILS(x_mmap(page + 8, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), EINVAL);
}

TEST(mmap, fixed_beyond_the_address_space_fails_ENOMEM)
{
	/* mmap(2): ENOMEM, the range exceeds the address space of a process (48 bits at the least, 56 at most). */
	addr_t beyond = (addr_t)1 << 60;

	EXPECT_FAILS(x_mmap(beyond, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), ENOMEM);
}

/* Permissions of the fd: 40, 42. */

TEST(mmap, shared_writable_of_a_read_only_fd_fails_EACCES)
{
	/* 40. */
	int fd = memfd(1);
	int readonly = reopen(fd, O_RDONLY);

	EXPECT_FAILS(x_mmap(0, PAGE, RW, MAP_SHARED, readonly, 0), EACCES);
	EXPECT_FAILS(x_mmap(0, PAGE, PROT_WRITE, MAP_SHARED, readonly, 0), EACCES);
	EXPECT_EQ(x_close(readonly), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(mmap, private_writable_of_a_read_only_fd_succeeds)
{
	/* 40: its writes never reach the file. */
	int fd = memfd(1);
	int readonly = reopen(fd, O_RDONLY);
	addr_t map = map_private(readonly, 1, RW);

	st8(map, 'p');
	EXPECT_EQ(ld8(map), 'p');
	EXPECT_EQ(byte_at(fd, 0), 0);
	unmap(map, 1);
	EXPECT_EQ(x_close(readonly), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(mmap, of_a_write_only_fd_fails_EACCES)
{
	/* 40: any mapping; a page that can be written can be read. */
	int fd = memfd(1);
	int writeonly = reopen(fd, O_WRONLY);

	EXPECT_FAILS(x_mmap(0, PAGE, PROT_READ, MAP_SHARED, writeonly, 0), EACCES);
	EXPECT_FAILS(x_mmap(0, PAGE, PROT_WRITE, MAP_SHARED, writeonly, 0), EACCES);
	EXPECT_FAILS(x_mmap(0, PAGE, PROT_NONE, MAP_SHARED, writeonly, 0), EACCES);
	EXPECT_FAILS(x_mmap(0, PAGE, PROT_READ, MAP_PRIVATE, writeonly, 0), EACCES);
	EXPECT_EQ(x_close(writeonly), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(mmap, mprotect_to_writable_of_a_read_only_fds_mapping_fails_EACCES)
{
	/* 42. */
	int fd = memfd(1);
	int readonly = reopen(fd, O_RDONLY);
	addr_t map = map_shared(readonly, 1, PROT_READ);

	EXPECT_FAILS(x_mprotect(map, PAGE, RW), EACCES);
	EXPECT_STORE_FAULTS(map, SIGSEGV, SEGV_ACCERR);
	EXPECT_EQ(ld8(map), 0);
	unmap(map, 1);
	EXPECT_EQ(x_close(readonly), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(mmap, mprotect_to_writable_outlives_the_fd_it_needs)
{
	/* mprotect(2): what counts is how the file was opened at mmap time. */
	int fd = memfd(1);
	addr_t map = map_shared(fd, 1, PROT_READ);

	EXPECT_EQ(x_close(fd), 0);
	EXPECT_EQ(x_mprotect(map, PAGE, RW), 0);
	st8(map, 'w');
	EXPECT_EQ(ld8(map), 'w');
	unmap(map, 1);
}

/* Placement: 43, 44. */

TEST(mmap, without_a_hint_finds_room_of_its_own)
{
	/* mmap(2): the kernel chooses a page-aligned address; mappings do not overlap. */
	addr_t a = map_anonymous(2, RW, MAP_PRIVATE);
	addr_t b = map_anonymous(2, RW, MAP_PRIVATE);

	EXPECT_EQ(a % PAGE, 0);
	EXPECT_EQ(b % PAGE, 0);
	EXPECT(a + 2 * PAGE <= b || b + 2 * PAGE <= a);
	EXPECT(a != 0 && b != 0);
	unmap(a, 2);
	unmap(b, 2);
}

TEST(mmap, at_a_free_hint_uses_it)
{
	/* mmap(2): the hint is taken when nothing is there. */
	addr_t page = unmapped_page();

	EXPECT_EQ(x_mmap(page, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), page);
	unmap(page, 1);
}

TEST(mmap, at_an_unaligned_hint_rounds_it_down)
{
	/* 44. */
	addr_t page = unmapped_page();

	EXPECT_EQ(x_mmap(page + 100, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), page);
	unmap(page, 1);
}

TEST(mmap, at_an_occupied_hint_moves)
{
	/* 44: silently, and what is there stays. */
	addr_t first = map_anonymous(1, RW, MAP_PRIVATE);
	addr_t second = x_mmap(first, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	st8(first, '1');
	EXPECT(second != NO_MAPPING && second != first);
	EXPECT_EQ(ld8(second), 0);
	EXPECT_EQ(ld8(first), '1');
	unmap(first, 1);
	unmap(second, 1);
}

TEST(mmap, fixed_replaces_what_is_there)
{
	/* mmap(2): the overlapped part is discarded; its neighbours are not. */
	addr_t map = map_anonymous(3, RW, MAP_PRIVATE);

	for (int i = 0; i < 3; i++)
		st8(map + (addr_t)i * PAGE, 'o');
	EXPECT_EQ(x_mmap(map + PAGE, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), map + PAGE);
	EXPECT_EQ(ld8(map), 'o');
	EXPECT_EQ(ld8(map + PAGE), 0);
	EXPECT_EQ(ld8(map + 2 * PAGE), 'o');
	unmap(map, 3);
}

TEST(mmap, fixed_of_a_file_over_anonymous_memory_shows_the_file)
{
	/* mmap(2). */
	addr_t map = map_anonymous(3, RW, MAP_PRIVATE);
	int fd = memfd(1);

	st8(map + PAGE, 'a');
	EXPECT_EQ(x_pwrite(fd, "f", 1, 0), 1);
	EXPECT_EQ(x_mmap(map + PAGE, PAGE, RW, MAP_SHARED | MAP_FIXED, fd, 0), map + PAGE);
	EXPECT_EQ(ld8(map + PAGE), 'f');
	unmap(map, 3);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(mmap, fixed_that_fails_on_a_bad_fd_unmaps_nothing)
{
	/* Arguments are checked before the range is cleared. */
	addr_t map = map_anonymous(1, RW, MAP_PRIVATE);

	st8(map, 'k');
	EXPECT_FAILS(x_mmap(map, PAGE, RW, MAP_SHARED | MAP_FIXED, lowest_free_fd(), 0), EBADF);
	EXPECT_EQ(ld8(map), 'k');
	unmap(map, 1);
}

TEST(mmap, fixed_noreplace_over_a_mapping_fails_EEXIST)
{
	/* 43: even together with MAP_FIXED; unaligned: EINVAL; over nothing it maps. */
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
	addr_t map = map_anonymous(2, RW, MAP_PRIVATE);

	st8(map, 'k');
	EXPECT_FAILS(x_mmap(map, PAGE, RW, flags, -1, 0), EEXIST);
	EXPECT_FAILS(x_mmap(map, 2 * PAGE, RW, flags | MAP_FIXED, -1, 0), EEXIST);
	EXPECT_FAILS(x_mmap(map + 8, PAGE, RW, flags, -1, 0), EINVAL);
	EXPECT_EQ(ld8(map), 'k');
	unmap(map, 1);
	EXPECT_EQ(x_mmap(map, PAGE, RW, flags, -1, 0), map);
	EXPECT_EQ(ld8(map), 0);
	unmap(map, 2);
}

TEST(mmap, length_is_rounded_up_to_a_page)
{
	/* mmap(2): the remaining bytes of the last page are mapped too. */
	addr_t map = x_mmap(0, PAGE + 1, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	SETUP(map != NO_MAPPING);
	st8(map + 2 * PAGE - 1, 'z');
	EXPECT_EQ(ld8(map + 2 * PAGE - 1), 'z');
	unmap(map, 2);
}

TEST(mmap, of_an_offset_shows_that_part_of_the_file)
{
	/* mmap(2). */
	int fd = memfd(4);
	addr_t map = x_mmap(0, 2 * PAGE, PROT_READ, MAP_SHARED, fd, 2 * PAGE);

	SETUP(map != NO_MAPPING);
	EXPECT_EQ(x_pwrite(fd, "2", 1, 2 * PAGE), 1);
	EXPECT_EQ(x_pwrite(fd, "3", 1, 3 * PAGE), 1);
	EXPECT_EQ(ld8(map), '2');
	EXPECT_EQ(ld8(map + PAGE), '3');
	unmap(map, 2);
	EXPECT_EQ(x_close(fd), 0);
}

/* What shared mappings show. */

TEST(mmap, anonymous_memory_is_zero)
{
	/* mmap(2): its contents are initialized to zero, of new and of recycled pages. */
	addr_t map = map_anonymous(2, RW, MAP_PRIVATE);

	st64(map, ~0ull);
	st64(map + PAGE, ~0ull);
	unmap(map, 2);
	map = map_anonymous(2, RW, MAP_PRIVATE);
	for (addr_t at = 0; at < 2 * PAGE; at += 8)
		if (ld64(map + at) != 0)
			EXPECT_EQ(ld64(map + at), 0);
	unmap(map, 2);
}

TEST(mmap, shared_sees_writes_made_through_the_fd)
{
	/* mmap(2): updates are visible to other users of the file. tmpfs has one set of pages. */
	int fd = memfd(1);
	addr_t map = map_shared(fd, 1, PROT_READ);

	EXPECT_EQ(ld8(map + 5), 0);
	EXPECT_EQ(x_pwrite(fd, "hello", 5, 5), 5);
	EXPECT_EQ(ld8(map + 5), 'h');
	EXPECT_EQ(ld8(map + 9), 'o');
	unmap(map, 1);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(mmap, shared_stores_are_read_through_the_fd)
{
	/* mmap(2): without msync; and they do not change the size. */
	int fd = memfd(2);
	addr_t map = map_shared(fd, 2, RW);

	st32(map + PAGE - 2, 0x64636261);
	EXPECT_EQ(byte_at(fd, PAGE - 2), ld8(map + PAGE - 2));
	EXPECT_EQ(byte_at(fd, PAGE + 1), ld8(map + PAGE + 1));
	EXPECT_EQ(size_of(fd), 2 * PAGE);
	unmap(map, 2);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(mmap, two_shared_mappings_of_a_file_are_the_same_memory)
{
	/* mmap(2): also through different descriptions, of different length and offset. */
	int fd = memfd(4);
	int again = reopen(fd, O_RDWR);
	addr_t all = map_shared(fd, 4, RW);
	addr_t tail = x_mmap(0, PAGE, RW, MAP_SHARED, again, 3 * PAGE);

	SETUP(tail != NO_MAPPING);
	st64(all + 3 * PAGE + 8, 0x0123456789abcdef);
	EXPECT_EQ(ld64(tail + 8), 0x0123456789abcdef);
	st8(tail, 't');
	EXPECT_EQ(ld8(all + 3 * PAGE), 't');
	unmap(all, 4);
	unmap(tail, 1);
	EXPECT_EQ(x_close(again), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(mmap, hello_written_through_one_mapping_is_read_through_a_read_only_one)
{
	/* The first promise of this project: memfd_create, ftruncate, map, write, map again, read. */
	static const char hello[] = "hello";
	int fd = memfd(1);
	addr_t writer = map_shared(fd, 1, RW);
	addr_t reader;

	for (size_t i = 0; i < sizeof(hello); i++)
		st8(writer + i, (uint8_t)hello[i]);
	reader = map_shared(fd, 1, PROT_READ);
	for (size_t i = 0; i < sizeof(hello); i++)
		EXPECT_EQ(ld8(reader + i), hello[i]);
	EXPECT_STORE_FAULTS(reader, SIGSEGV, SEGV_ACCERR);
	unmap(writer, 1);
	unmap(reader, 1);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(mmap, mapping_keeps_the_file_after_close)
{
	/* 48. */
	int fd = memfd(1);
	addr_t map = map_shared(fd, 1, RW);

	EXPECT_EQ(x_pwrite(fd, "k", 1, 0), 1);
	EXPECT_EQ(x_close(fd), 0);
	EXPECT_EQ(ld8(map), 'k');
	st8(map + 1, 'm');
	EXPECT_EQ(ld8(map + 1), 'm');
	unmap(map, 1);
}

/* munmap: 45. */

TEST(munmap, of_length_0_or_at_an_unaligned_address_fails_EINVAL)
{
	/* 45. */
	addr_t map = map_anonymous(2, RW, MAP_PRIVATE);

	EXPECT_FAILS(x_munmap(map, 0), EINVAL);
	EXPECT_FAILS(x_munmap(map + 1, PAGE), EINVAL);
	st8(map, 1);
	unmap(map, 2);
}

TEST(munmap, beyond_the_address_space_fails_EINVAL)
{
	/* munmap(2); mm/vma.c: the range must lie below TASK_SIZE. */
	EXPECT_FAILS(x_munmap((addr_t)1 << 60, PAGE), EINVAL);
	EXPECT_FAILS(x_munmap(PAGE, (size_t)1 << 60), EINVAL);
}

TEST(munmap, of_a_hole_succeeds)
{
	/* 45. */
	EXPECT_EQ(x_munmap(unmapped_page(), PAGE), 0);
}

TEST(munmap, across_holes_removes_all_mappings_in_the_range)
{
	/* 45. */
	addr_t map = map_anonymous(5, RW, MAP_PRIVATE);

	unmap(map + PAGE, 1);
	unmap(map + 3 * PAGE, 1);
	EXPECT_EQ(x_munmap(map, 5 * PAGE), 0);
	for (int i = 0; i < 5; i++)
		EXPECT_LOAD_FAULTS(map + (addr_t)i * PAGE, SIGSEGV, SEGV_MAPERR);
}

TEST(munmap, of_one_byte_drops_the_whole_page)
{
	/* 45. */
	addr_t map = map_anonymous(2, RW, MAP_PRIVATE);

	st8(map + PAGE, 'n');
	EXPECT_EQ(x_munmap(map, 1), 0);
	EXPECT_LOAD_FAULTS(map + PAGE - 1, SIGSEGV, SEGV_MAPERR);
	EXPECT_EQ(ld8(map + PAGE), 'n');
	unmap(map + PAGE, 1);
}

TEST(munmap, of_middle_page_splits_mapping_in_two)
{
	/* munmap(2): both sides stay as they were. */
	int fd = memfd(3);
	addr_t map = map_shared(fd, 3, RW);

	st8(map, 'a');
	st8(map + PAGE, 'b');
	st8(map + 2 * PAGE, 'c');
	EXPECT_EQ(x_munmap(map + PAGE, PAGE), 0);
	EXPECT_EQ(ld8(map), 'a');
	EXPECT_LOAD_FAULTS(map + PAGE, SIGSEGV, SEGV_MAPERR);
	EXPECT_EQ(ld8(map + 2 * PAGE), 'c');
	EXPECT_EQ(x_pwrite(fd, "C", 1, 2 * PAGE), 1);
	EXPECT_EQ(ld8(map + 2 * PAGE), 'C');
	unmap(map, 3);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(munmap, keeps_what_the_file_holds)
{
	/* mmap(2): stores to a shared mapping are carried through to the file. */
	int fd = memfd(1);
	addr_t map = map_shared(fd, 1, RW);

	st8(map + 9, 's');
	unmap(map, 1);
	EXPECT_EQ(byte_at(fd, 9), 's');
	map = map_shared(fd, 1, PROT_READ);
	EXPECT_EQ(ld8(map + 9), 's');
	unmap(map, 1);
	EXPECT_EQ(x_close(fd), 0);
}

/* mprotect: 46, 47. */

TEST(mprotect, at_an_unaligned_address_fails_EINVAL)
{
	/* mprotect(2). */
	addr_t map = map_anonymous(1, RW, MAP_PRIVATE);

	EXPECT_FAILS(x_mprotect(map + 1, PAGE, PROT_READ), EINVAL);
	st8(map, 1);
	unmap(map, 1);
}

TEST(mprotect, with_unknown_protection_bits_fails_EINVAL)
{
	/* mprotect(2). */
	addr_t map = map_anonymous(1, RW, MAP_PRIVATE);

	EXPECT_FAILS(x_mprotect(map, PAGE, 0x100), EINVAL);
	EXPECT_FAILS(x_mprotect(map, PAGE, PROT_READ | PROT_GROWSDOWN | PROT_GROWSUP), EINVAL);
	st8(map, 1);
	unmap(map, 1);
}

TEST(mprotect, of_nothing_succeeds)
{
	/* mm/mprotect.c: length 0 is no error, wherever. */
	EXPECT_EQ(x_mprotect(unmapped_page(), 0, PROT_READ), 0);
}

TEST(mprotect, of_unmapped_memory_fails_ENOMEM)
{
	/* mprotect(2); also where the end wraps. */
	EXPECT_FAILS(x_mprotect(unmapped_page(), PAGE, PROT_READ), ENOMEM);
	EXPECT_FAILS(x_mprotect(unmapped_page(), SIZE_MAX - PAGE + 1, PROT_READ), ENOMEM);
}

TEST(mprotect, over_a_hole_fails_ENOMEM_and_has_changed_the_pages_before_it)
{
	/* 46. */
	addr_t map = map_anonymous(3, RW, MAP_PRIVATE);

	unmap(map + PAGE, 1);
	EXPECT_FAILS(x_mprotect(map, 3 * PAGE, PROT_READ), ENOMEM);
	EXPECT_STORE_FAULTS(map, SIGSEGV, SEGV_ACCERR);
	EXPECT_EQ(probe_st8(map + 2 * PAGE, 1).signo, 0);
	unmap(map, 3);
}

TEST(mprotect, that_starts_in_a_hole_fails_ENOMEM_and_changes_nothing)
{
	/* 46. */
	addr_t map = map_anonymous(2, RW, MAP_PRIVATE);

	unmap(map, 1);
	EXPECT_FAILS(x_mprotect(map, 2 * PAGE, PROT_READ), ENOMEM);
	EXPECT_EQ(probe_st8(map + PAGE, 1).signo, 0);
	unmap(map + PAGE, 1);
}

TEST(mprotect, to_read_only_and_back_keeps_the_data)
{
	/* mprotect(2). */
	addr_t map = map_anonymous(1, RW, MAP_PRIVATE);

	st8(map, 'd');
	EXPECT_EQ(x_mprotect(map, PAGE, PROT_READ), 0);
	EXPECT_STORE_FAULTS(map, SIGSEGV, SEGV_ACCERR);
	EXPECT_EQ(ld8(map), 'd');
	EXPECT_EQ(x_mprotect(map, PAGE, RW), 0);
	st8(map + 1, 'e');
	EXPECT_EQ(ld8(map), 'd');
	EXPECT_EQ(ld8(map + 1), 'e');
	unmap(map, 1);
}

TEST(mprotect, of_the_middle_page_leaves_its_neighbours)
{
	/* mprotect(2): exactly the pages of the range. */
	addr_t map = map_anonymous(3, RW, MAP_PRIVATE);

	EXPECT_EQ(x_mprotect(map + PAGE, 1, PROT_NONE), 0);
	EXPECT_EQ(probe_st8(map + PAGE - 1, 1).signo, 0);
	EXPECT_LOAD_FAULTS(map + PAGE, SIGSEGV, SEGV_ACCERR);
	EXPECT_LOAD_FAULTS(map + 2 * PAGE - 1, SIGSEGV, SEGV_ACCERR);
	EXPECT_EQ(probe_st8(map + 2 * PAGE, 1).signo, 0);
	unmap(map, 3);
}

TEST(mprotect, across_two_mappings_changes_both)
{
	/* mprotect(2): a range may span several mappings. */
	int fd = memfd(1);
	addr_t map = map_anonymous(2, RW, MAP_PRIVATE);

	SETUP(x_mmap(map + PAGE, PAGE, RW, MAP_SHARED | MAP_FIXED, fd, 0) == map + PAGE);
	EXPECT_EQ(x_mprotect(map, 2 * PAGE, PROT_READ), 0);
	EXPECT_STORE_FAULTS(map, SIGSEGV, SEGV_ACCERR);
	EXPECT_STORE_FAULTS(map + PAGE, SIGSEGV, SEGV_ACCERR);
	unmap(map, 2);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(mprotect, that_fails_on_the_second_mapping_has_changed_the_first)
{
	/* 42, 46: mapping by mapping. */
	int fd = memfd(1);
	int readonly = reopen(fd, O_RDONLY);
	addr_t map = map_anonymous(2, PROT_READ, MAP_PRIVATE);

	SETUP(x_mmap(map + PAGE, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, readonly, 0) == map + PAGE);
	EXPECT_FAILS(x_mprotect(map, 2 * PAGE, RW), EACCES);
	EXPECT_EQ(probe_st8(map, 1).signo, 0);
	EXPECT_STORE_FAULTS(map + PAGE, SIGSEGV, SEGV_ACCERR);
	unmap(map, 2);
	EXPECT_EQ(x_close(readonly), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(mprotect, to_writable_of_a_shared_mapping_reaches_the_file)
{
	/* mprotect(2): the fd was open for writing. */
	int fd = memfd(1);
	addr_t map = map_shared(fd, 1, PROT_READ);

	EXPECT_STORE_FAULTS(map, SIGSEGV, SEGV_ACCERR);
	EXPECT_EQ(x_mprotect(map, PAGE, RW), 0);
	st8(map, 'w');
	EXPECT_EQ(byte_at(fd, 0), 'w');
	unmap(map, 1);
	EXPECT_EQ(x_close(fd), 0);
}
