// SPDX-License-Identifier: MIT
/*
 * What Linux promises where a mapping meets the end of its file: SEMANTICS.md 49-53, 57; mmap(2), ftruncate(2).
 */
#include "abi.h"

enum { RW = PROT_READ | PROT_WRITE };

/* Mappings that reach beyond the end: 49. */

TEST(eof, mapping_of_an_empty_file_succeeds_and_access_is_SIGBUS)
{
	/* 49: with the exact address. */
	int fd = memfd(0);
	addr_t map = map_shared(fd, 2, RW);

	EXPECT_LOAD_FAULTS(map, SIGBUS, BUS_ADRERR);
	EXPECT_LOAD_FAULTS(map + PAGE + 77, SIGBUS, BUS_ADRERR);
	EXPECT_STORE_FAULTS(map + 2 * PAGE - 1, SIGBUS, BUS_ADRERR);
	EXPECT_EQ(size_of(fd), 0);
	unmap(map, 2);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(eof, mapping_wholly_beyond_the_end_works_once_the_file_has_grown)
{
	/* 49. */
	int fd = memfd(1);
	addr_t map = x_mmap(0, PAGE, RW, MAP_SHARED, fd, 4 * PAGE);

	SETUP(map != NO_MAPPING);
	EXPECT_LOAD_FAULTS(map + 5, SIGBUS, BUS_ADRERR);
	EXPECT_EQ(x_ftruncate(fd, 5 * PAGE), 0);
	EXPECT_EQ(ld8(map + 5), 0);
	st8(map + 5, 'g');
	EXPECT_EQ(byte_at(fd, 4 * PAGE + 5), 'g');
	unmap(map, 1);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(eof, mapping_beyond_the_end_works_once_written_to)
{
	/* 49: growth by write is growth too. */
	int fd = memfd(0);
	addr_t map = map_shared(fd, 1, PROT_READ);

	EXPECT_LOAD_FAULTS(map, SIGBUS, BUS_ADRERR);
	EXPECT_EQ(x_write(fd, "w", 1), 1);
	EXPECT_EQ(ld8(map), 'w');
	EXPECT_EQ(ld8(map + PAGE - 1), 0);
	unmap(map, 1);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(eof, private_mapping_beyond_the_end_is_SIGBUS)
{
	/* 49. */
	int fd = memfd(1);
	addr_t map = map_private(fd, 2, RW);

	EXPECT_EQ(ld8(map + PAGE - 1), 0);
	EXPECT_LOAD_FAULTS(map + PAGE, SIGBUS, BUS_ADRERR);
	EXPECT_STORE_FAULTS(map + PAGE, SIGBUS, BUS_ADRERR);
	unmap(map, 2);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(eof, protection_is_checked_before_the_end_of_file)
{
	/* 47, 49: a store to a read-only mapping beyond the end is SIGSEGV. */
	int fd = memfd(0);
	addr_t map = map_shared(fd, 1, PROT_READ);

	EXPECT_STORE_FAULTS(map, SIGSEGV, SEGV_ACCERR);
	EXPECT_LOAD_FAULTS(map, SIGBUS, BUS_ADRERR);
	unmap(map, 1);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(eof, last_byte_of_the_last_page_is_mapped_the_next_is_not)
{
	/* 49: the end counts by whole pages. */
	int fd = memfd(0);
	addr_t map;

	SETUP(x_ftruncate(fd, PAGE + 1) == 0);
	map = map_shared(fd, 3, RW);
	EXPECT_EQ(ld8(map + 2 * PAGE - 1), 0);
	EXPECT_LOAD_FAULTS(map + 2 * PAGE, SIGBUS, BUS_ADRERR);
	unmap(map, 3);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(eof, store_across_the_end_of_file_is_SIGBUS_in_the_second_page)
{
	/* 49: and changes nothing in the first. */
	int fd = memfd(1);
	addr_t map = map_shared(fd, 2, RW);
	struct fault fault = probe_st64(map + PAGE - 4, ~0ull);

	EXPECT_EQ(fault.signo, SIGBUS);
	EXPECT_EQ(fault.code, BUS_ADRERR);
	EXPECT(fault.addr >= map + PAGE - 4 && fault.addr <= map + PAGE);
	EXPECT_EQ(byte_at(fd, PAGE - 4), 0);
	unmap(map, 2);
	EXPECT_EQ(x_close(fd), 0);
}

/* Bytes past the end in the last page: 50 to 52. */

TEST(eof, bytes_past_the_end_in_the_last_page_read_0_and_take_writes)
{
	/* 50: read() never returns them, the size stays. */
	int fd = memfd(0);
	addr_t map;
	char got[8];

	SETUP(x_write(fd, "abc", 3) == 3);
	map = map_shared(fd, 1, RW);
	EXPECT_EQ(ld8(map + 3), 0);
	st8(map + 3, 'X');
	EXPECT_EQ(ld8(map + 3), 'X');
	EXPECT_EQ(size_of(fd), 3);
	EXPECT_EQ(x_pread(fd, got, sizeof(got), 0), 3);
	EXPECT_EQ(x_pread(fd, got, sizeof(got), 3), 0);
	unmap(map, 1);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(eof, bytes_past_the_end_are_seen_by_other_mappings)
{
	/* 50: it is one page for all. */
	int fd = memfd(0);
	addr_t a, b;

	SETUP(x_write(fd, "abc", 3) == 3);
	a = map_shared(fd, 1, RW);
	b = map_shared(fd, 1, PROT_READ);
	st8(a + 100, 'X');
	EXPECT_EQ(ld8(b + 100), 'X');
	unmap(a, 1);
	unmap(b, 1);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(eof, bytes_stored_past_the_end_show_up_when_ftruncate_grows_the_file)
{
	/* 51: on 6.18's tmpfs, where POSIX says zero. */
	int fd = memfd(0);
	addr_t map;

	if (linux_release() != 6018)
		SKIP("differs by release, known for 6.18");
	SETUP(x_write(fd, "abc", 3) == 3);
	map = map_shared(fd, 1, RW);
	st8(map + 10, 'X');
	EXPECT_EQ(x_ftruncate(fd, 20), 0);
	EXPECT_EQ(byte_at(fd, 10), 'X');
	EXPECT_EQ(byte_at(fd, 9), 0);
	unmap(map, 1);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(eof, bytes_stored_past_the_end_show_up_when_a_write_grows_the_file)
{
	/* 51: growth by write, behind the stored byte. */
	int fd = memfd(0);
	addr_t map;

	if (linux_release() != 6018)
		SKIP("differs by release, known for 6.18");
	SETUP(x_write(fd, "abc", 3) == 3);
	map = map_shared(fd, 1, RW);
	st8(map + 10, 'X');
	EXPECT_EQ(x_pwrite(fd, "e", 1, 20), 1);
	EXPECT_EQ(byte_at(fd, 10), 'X');
	unmap(map, 1);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(eof, shrinking_inside_a_page_zeroes_its_tail)
{
	/* 52: seen at once through the mapping, and after growing back. */
	int fd = memfd(1);
	addr_t map = map_shared(fd, 1, RW);

	for (addr_t i = 0; i < PAGE; i += 64)
		st8(map + i, 'x');
	EXPECT_EQ(x_ftruncate(fd, 65), 0);
	EXPECT_EQ(ld8(map + 64), 'x');
	EXPECT_EQ(ld8(map + 128), 0);
	EXPECT_EQ(ld8(map + PAGE - 64), 0);
	EXPECT_EQ(x_ftruncate(fd, PAGE), 0);
	EXPECT_EQ(ld8(map + 64), 'x');
	EXPECT_EQ(byte_at(fd, 128), 0);
	EXPECT_EQ(byte_at(fd, PAGE - 64), 0);
	unmap(map, 1);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(eof, shrinking_zeroes_a_tail_stored_past_the_old_end)
{
	/* 52: the tail of the last page is zeroed from the new end on, wherever the old one was. */
	int fd = memfd(0);
	addr_t map;

	SETUP(x_ftruncate(fd, 100) == 0);
	map = map_shared(fd, 1, RW);
	st8(map + 200, 'X');
	EXPECT_EQ(x_ftruncate(fd, 50), 0);
	EXPECT_EQ(ld8(map + 200), 0);
	unmap(map, 1);
	EXPECT_EQ(x_close(fd), 0);
}

/* Truncation under a mapping: 53. */

TEST(eof, shrinking_removes_pages_from_a_mapping)
{
	/* 53: the pages that are left stay. */
	int fd = memfd(3);
	addr_t map = map_shared(fd, 3, RW);

	for (addr_t i = 0; i < 3; i++)
		st8(map + i * PAGE, (uint8_t)('0' + i));
	EXPECT_EQ(x_ftruncate(fd, PAGE), 0);
	EXPECT_EQ(ld8(map), '0');
	EXPECT_LOAD_FAULTS(map + PAGE, SIGBUS, BUS_ADRERR);
	EXPECT_STORE_FAULTS(map + 2 * PAGE + 9, SIGBUS, BUS_ADRERR);
	unmap(map, 3);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(eof, shrink_then_grow_reads_zero_in_every_mapper)
{
	/* 53: the same mappings work again, zeroed. */
	int fd = memfd(2);
	addr_t a = map_shared(fd, 2, RW);
	addr_t b = map_shared(fd, 2, PROT_READ);

	st8(a + PAGE, 'x');
	EXPECT_EQ(ld8(b + PAGE), 'x');
	EXPECT_EQ(x_ftruncate(fd, PAGE), 0);
	EXPECT_EQ(x_ftruncate(fd, 2 * PAGE), 0);
	EXPECT_EQ(ld8(b + PAGE), 0);
	EXPECT_EQ(ld8(a + PAGE), 0);
	st8(a + PAGE, 'y');
	EXPECT_EQ(ld8(b + PAGE), 'y');
	unmap(a, 2);
	unmap(b, 2);
	EXPECT_EQ(x_close(fd), 0);
}

static int loads_after_the_parent_has_shrunk(void *arg)
{
	int *args = arg; /* memfd, the child's end */
	addr_t map = x_mmap(0, 2 * PAGE, RW, MAP_SHARED, args[0], 0);
	struct fault fault;
	char byte;

	CHILD_EXPECT(map != NO_MAPPING);
	st8(map + PAGE, 'x');
	CHILD_EXPECT(x_send(args[1], "r", 1, MSG_NOSIGNAL) == 1);
	CHILD_EXPECT(x_recv(args[1], &byte, 1, 0) == 1);
	fault = probe_ld8(map + PAGE, NULL);
	CHILD_EXPECT(fault.signo == SIGBUS && fault.code == BUS_ADRERR && fault.addr == map + PAGE);
	CHILD_EXPECT(x_send(args[1], "r", 1, MSG_NOSIGNAL) == 1);
	CHILD_EXPECT(x_recv(args[1], &byte, 1, 0) == 1);
	CHILD_EXPECT(ld8(map + PAGE) == 0);
	return 0;
}

TEST(eof, shrinking_removes_pages_from_the_mappings_of_other_processes)
{
	/* 53: SIGBUS there after ftruncate has returned here; zeros after growth. */
	int ends[2], fd = memfd(2);
	struct child *child;
	char byte;

	stream_pair(ends);
	child = child_start(loads_after_the_parent_has_shrunk, (int[2]){ fd, ends[1] });
	EXPECT_EQ(x_recv(ends[0], &byte, 1, 0), 1);
	EXPECT_EQ(byte_at(fd, PAGE), 'x');
	EXPECT_EQ(x_ftruncate(fd, PAGE), 0);
	EXPECT_EQ(x_send(ends[0], "s", 1, MSG_NOSIGNAL), 1);
	EXPECT_EQ(x_recv(ends[0], &byte, 1, 0), 1);
	EXPECT_EQ(x_ftruncate(fd, 2 * PAGE), 0);
	EXPECT_EQ(x_send(ends[0], "g", 1, MSG_NOSIGNAL), 1);
	EXPECT_EQ(child_join(child), 0);
	close_pair(ends);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(eof, shrinking_reaches_mappings_at_other_offsets)
{
	/* 53: each mapping by its own offset; MAP_PRIVATE that was only read too. */
	int fd = memfd(4);
	addr_t tail = x_mmap(0, 2 * PAGE, PROT_READ, MAP_SHARED, fd, 2 * PAGE);
	addr_t copy = map_private(fd, 4, PROT_READ);

	SETUP(tail != NO_MAPPING);
	EXPECT_EQ(ld8(tail + PAGE), 0);
	EXPECT_EQ(ld8(copy + 3 * PAGE), 0);
	EXPECT_EQ(x_ftruncate(fd, 3 * PAGE), 0);
	EXPECT_EQ(ld8(tail), 0);
	EXPECT_LOAD_FAULTS(tail + PAGE, SIGBUS, BUS_ADRERR);
	EXPECT_EQ(ld8(copy + 2 * PAGE), 0);
	EXPECT_LOAD_FAULTS(copy + 3 * PAGE, SIGBUS, BUS_ADRERR);
	unmap(tail, 2);
	unmap(copy, 4);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(eof, O_TRUNC_open_removes_pages_from_mappings)
{
	/* open(2): the length is truncated to 0; 53. */
	int again, fd = memfd(1);
	addr_t map = map_shared(fd, 1, RW);

	st8(map, 'x');
	again = reopen(fd, O_RDWR | O_TRUNC);
	EXPECT_EQ(size_of(fd), 0);
	EXPECT_LOAD_FAULTS(map, SIGBUS, BUS_ADRERR);
	unmap(map, 1);
	EXPECT_EQ(x_close(again), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(eof, ftruncate_to_the_same_size_changes_no_mapping)
{
	/* ftruncate(2). */
	int fd = memfd(2);
	addr_t map = map_shared(fd, 2, RW);

	st8(map + 2 * PAGE - 1, 'x');
	EXPECT_EQ(x_ftruncate(fd, 2 * PAGE), 0);
	EXPECT_EQ(ld8(map + 2 * PAGE - 1), 'x');
	unmap(map, 2);
	EXPECT_EQ(x_close(fd), 0);
}

/* System calls that meet the end: 57. */

TEST(eof, write_from_a_mapping_beyond_the_end_fails_EFAULT)
{
	/* 57: no signal. */
	int from = memfd(1), to = memfd(0);
	addr_t map = map_shared(from, 2, RW);

	EXPECT_FAILS(x_write(to, ubuf(map + PAGE), 10), EFAULT);
	EXPECT_EQ(size_of(to), 0);
	unmap(map, 2);
	EXPECT_EQ(x_close(from), 0);
	EXPECT_EQ(x_close(to), 0);
}

TEST(eof, failed_write_beyond_the_end_makes_the_page_and_grows_the_file_up_to_it)
{
	/* mm/filemap.c: generic_perform_write; from 6.18 on the buffer is looked at last. */
	addr_t nowhere = unmapped_page();
	int fd = memfd(0);
	struct stat st;

	if (linux_release() < 6018)
		SKIP("differs by release, known for 6.18");
	EXPECT_FAILS(x_pwrite(fd, ubuf(nowhere), 10, 3 * PAGE + 5), EFAULT);
	EXPECT_EQ(size_of(fd), 3 * PAGE + 5);
	EXPECT_EQ(x_fstat(fd, &st), 0);
	EXPECT_EQ(st.st_blocks, PAGE / 512);
	/* One that begins with a page leaves it beyond the end. */
	EXPECT_FAILS(x_pwrite(fd, ubuf(nowhere), 10, 5 * PAGE), EFAULT);
	EXPECT_EQ(size_of(fd), 5 * PAGE);
	EXPECT_EQ(x_fstat(fd, &st), 0);
	EXPECT_EQ(st.st_blocks, 2 * PAGE / 512);
	EXPECT_EQ(x_ftruncate(fd, 8 * PAGE), 0);
	EXPECT_EQ(x_lseek(fd, 4 * PAGE, SEEK_DATA), 5 * PAGE);
	EXPECT_EQ(byte_at(fd, 5 * PAGE), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(eof, write_from_where_no_user_memory_can_be_changes_nothing)
{
	/* lib/iov_iter.c: import_ubuf asks access_ok before anything is done. */
	int fd = memfd(0);

#ifdef ABI_NATIVE
	SKIP("a pointer outside of the window is the program's own");
#endif

	EXPECT_FAILS(x_pwrite(fd, ubuf(((addr_t)1 << 47) - 5), 10, 3 * PAGE), EFAULT);
	EXPECT_EQ(size_of(fd), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(eof, read_into_a_mapping_beyond_the_end_fails_EFAULT)
{
	/* 57. */
	int from = memfd(1), into = memfd(1);
	addr_t map = map_shared(into, 2, RW);

	EXPECT_FAILS(x_read(from, ubuf(map + PAGE), 10), EFAULT);
	EXPECT_EQ(size_of(into), PAGE);
	unmap(map, 2);
	EXPECT_EQ(x_close(from), 0);
	EXPECT_EQ(x_close(into), 0);
}

TEST(eof, send_from_a_buffer_that_straddles_the_end_fails_EFAULT)
{
	/* 57: a stream of one buffer is all or nothing here. */
	int ends[2], fd = memfd(1);
	addr_t map = map_shared(fd, 2, RW);
	char byte;

	stream_pair(ends);
	EXPECT_FAILS(x_send(ends[0], ubuf(map + PAGE - 4), 8, MSG_NOSIGNAL), EFAULT);
	EXPECT_FAILS(x_recv(ends[1], &byte, 1, MSG_DONTWAIT), EAGAIN);
	close_pair(ends);
	unmap(map, 2);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(eof, memfd_create_with_a_name_beyond_the_end_fails_EFAULT)
{
	/* 57. */
	int fd = memfd(1);
	addr_t map = map_shared(fd, 2, RW);

	EXPECT_FAILS(x_memfd_create(ubuf(map + PAGE), 0), EFAULT);
	unmap(map, 2);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(eof, fstat_into_a_buffer_that_straddles_the_end_fails_EFAULT)
{
	/* 57. */
	int fd = memfd(1);
	addr_t map = map_shared(fd, 2, RW);

	EXPECT_FAILS(x_fstat(fd, ubuf(map + PAGE - 8)), EFAULT);
	unmap(map, 2);
	EXPECT_EQ(x_close(fd), 0);
}
