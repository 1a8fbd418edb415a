// SPDX-License-Identifier: MIT
/*
 * What Linux promises of file seals: SEMANTICS.md 7, 8, 14-16, 18-35; fcntl(2), F_ADD_SEALS and F_GET_SEALS;
 * memfd_create(2). What each seal does to each way of changing a file is in abi_seal_table.c.
 */
#include "abi.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x10
#endif
#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x20
#endif
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8U
#define MFD_EXEC        16U
#endif

enum { ALL = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE };

static void add(int fd, int seals)
{
	SETUP(x_fcntl(fd, F_ADD_SEALS, seals) == 0);
}

/* Which fds and which bits. */

TEST(seals, of_a_new_sealable_memfd_are_none)
{
	/* memfd_create(2): with MFD_ALLOW_SEALING the initial set of seals is empty. */
	int fd = memfd(0);

	EXPECT_EQ(seals_of(fd), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(seals, of_a_plain_memfd_are_exactly_SEAL)
{
	/* 7. */
	int fd = x_memfd_create("abi", 0);

	EXPECT_EQ(seals_of(fd), F_SEAL_SEAL);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(seals, cannot_be_added_to_a_plain_memfd_EPERM)
{
	/* 7: any F_ADD_SEALS, even of 0. */
	int fd = x_memfd_create("abi", 0);

	EXPECT_FAILS(x_fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), EPERM);
	EXPECT_FAILS(x_fcntl(fd, F_ADD_SEALS, 0), EPERM);
	EXPECT_EQ(seals_of(fd), F_SEAL_SEAL);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(seals, add_up)
{
	/* fcntl(2): F_ADD_SEALS adds to the set. */
	int fd = memfd(0);

	EXPECT_EQ(x_fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	EXPECT_EQ(seals_of(fd), F_SEAL_SHRINK);
	EXPECT_EQ(x_fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_WRITE), 0);
	EXPECT_EQ(seals_of(fd), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
	EXPECT_EQ(x_fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL), 0);
	EXPECT_EQ(seals_of(fd), ALL);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(seals, present_may_be_added_again)
{
	/* 16: a no-op. */
	int fd = memfd(0);

	add(fd, F_SEAL_SHRINK);
	EXPECT_EQ(x_fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	EXPECT_EQ(x_fcntl(fd, F_ADD_SEALS, 0), 0);
	EXPECT_EQ(seals_of(fd), F_SEAL_SHRINK);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(seals, cannot_be_added_after_SEAL_EPERM)
{
	/* 16: every add, of a seal that is present and of 0 too. */
	int fd = memfd(0);

	add(fd, F_SEAL_SHRINK | F_SEAL_SEAL);
	EXPECT_FAILS(x_fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), EPERM);
	EXPECT_FAILS(x_fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), EPERM);
	EXPECT_FAILS(x_fcntl(fd, F_ADD_SEALS, 0), EPERM);
	EXPECT_EQ(seals_of(fd), F_SEAL_SHRINK | F_SEAL_SEAL);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(seals, with_an_unknown_bit_are_refused_EINVAL)
{
	/* 15, 19: and the known one beside it is not set. */
	int fd = memfd(0);

	EXPECT_FAILS(x_fcntl(fd, F_ADD_SEALS, 0x40), EINVAL);
	EXPECT_FAILS(x_fcntl(fd, F_ADD_SEALS, 0x80), EINVAL);
	EXPECT_FAILS(x_fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | 0x40), EINVAL);
	EXPECT_EQ(seals_of(fd), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(seals, cannot_be_added_through_a_read_only_fd_EPERM)
{
	/* 14: decided before unknown bits. */
	int fd = memfd(0);
	int readonly = reopen(fd, O_RDONLY);

	EXPECT_FAILS(x_fcntl(readonly, F_ADD_SEALS, F_SEAL_SHRINK), EPERM);
	EXPECT_FAILS(x_fcntl(readonly, F_ADD_SEALS, 0x80), EPERM);
	EXPECT_EQ(seals_of(readonly), 0);
	EXPECT_EQ(x_close(readonly), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(seals, can_be_added_through_a_write_only_fd)
{
	/* fcntl(2): the fd must be writable, no more. */
	int fd = memfd(0);
	int writeonly = reopen(fd, O_WRONLY);

	EXPECT_EQ(x_fcntl(writeonly, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	EXPECT_EQ(seals_of(fd), F_SEAL_SHRINK);
	EXPECT_EQ(x_close(writeonly), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(seals, of_a_socket_are_refused_EINVAL)
{
	/* 17, fcntl(2): the file system does not support sealing. */
	int ends[2];

	stream_pair(ends);
	EXPECT_FAILS(x_fcntl(ends[0], F_GET_SEALS), EINVAL);
	EXPECT_FAILS(x_fcntl(ends[0], F_ADD_SEALS, F_SEAL_SHRINK), EINVAL);
	close_pair(ends);
}

TEST(seals, of_a_closed_fd_are_refused_EBADF)
{
	/* fcntl(2). */
	EXPECT_FAILS(x_fcntl(lowest_free_fd(), F_GET_SEALS), EBADF);
	EXPECT_FAILS(x_fcntl(lowest_free_fd(), F_ADD_SEALS, F_SEAL_SHRINK), EBADF);
}

/* 18: seals belong to the inode. */

TEST(seals, are_seen_through_dup_and_reopen)
{
	/* 18. */
	int fd = memfd(0);
	int copy = x_dup(fd);
	int again = reopen(fd, O_RDWR);

	add(copy, F_SEAL_GROW);
	EXPECT_EQ(seals_of(fd), F_SEAL_GROW);
	EXPECT_EQ(seals_of(again), F_SEAL_GROW);
	EXPECT_EQ(x_close(again), 0);
	EXPECT_EQ(x_close(copy), 0);
	EXPECT_EQ(x_close(fd), 0);
}

static int child_seals_against_growth(void *arg)
{
	int fd = *(int *)arg;

	CHILD_EXPECT(seals_of(fd) == F_SEAL_SHRINK);
	CHILD_EXPECT(x_fcntl(fd, F_ADD_SEALS, F_SEAL_GROW) == 0);
	return 0;
}

TEST(seals, are_shared_with_a_child)
{
	/* 18: in both directions. */
	int fd = memfd(0);

	add(fd, F_SEAL_SHRINK);
	EXPECT_EQ(in_child(child_seals_against_growth, &fd), 0);
	EXPECT_EQ(seals_of(fd), F_SEAL_SHRINK | F_SEAL_GROW);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(seals, are_seen_through_a_passed_fd)
{
	/* 18. */
	int fd = memfd(0);
	struct arrival got;
	int ends[2];
	char byte;

	stream_pair(ends);
	SETUP(send_with_fds(ends[0], "x", 1, &fd, 1, 0) == 1);
	add(fd, F_SEAL_SHRINK); /* while it is in flight */
	got = receive(ends[1], &byte, 1, 1, 0);
	SETUP(got.nfds == 1);
	EXPECT_EQ(seals_of(got.fds[0]), F_SEAL_SHRINK);
	close_arrival(&got);
	close_pair(ends);
	EXPECT_EQ(x_close(fd), 0);
}

/* F_SEAL_WRITE against mappings: 19 to 23. */

TEST(seals, WRITE_with_a_writable_shared_mapping_fails_EBUSY)
{
	/* 20: allowed once it is gone. */
	int fd = memfd(1);
	addr_t map = map_shared(fd, 1, PROT_READ | PROT_WRITE);

	EXPECT_FAILS(x_fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
	EXPECT_EQ(seals_of(fd), 0);
	unmap(map, 1);
	EXPECT_EQ(x_fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(seals, refused_with_EBUSY_add_none_of_those_asked_for)
{
	/* 19. */
	int fd = memfd(1);
	addr_t map = map_shared(fd, 1, PROT_READ | PROT_WRITE);

	EXPECT_FAILS(x_fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_WRITE), EBUSY);
	EXPECT_EQ(seals_of(fd), 0);
	st8(map, 'w');
	EXPECT_EQ(byte_at(fd, 0), 'w');
	unmap(map, 1);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(seals, other_than_WRITE_ignore_mappings)
{
	/* fcntl(2): only F_SEAL_WRITE conflicts with a mapping. */
	int fd = memfd(1);
	addr_t map = map_shared(fd, 1, PROT_READ | PROT_WRITE);

	EXPECT_EQ(x_fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
	unmap(map, 1);
	EXPECT_EQ(x_close(fd), 0);
}

static int child_maps_and_parent_seals(void *arg)
{
	int *fds = arg; /* the memfd, the child's end */
	addr_t map = x_mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fds[0], 0);
	char byte;

	CHILD_EXPECT(map != NO_MAPPING);
	CHILD_EXPECT(x_send(fds[1], "m", 1, MSG_NOSIGNAL) == 1);
	CHILD_EXPECT(x_recv(fds[1], &byte, 1, 0) == 1); /* until the parent has tried */
	return 0;
}

TEST(seals, WRITE_sees_the_mapping_of_another_process_until_it_exits)
{
	/* 20: in any process; gone by exit. */
	int ends[2], fd = memfd(1);
	struct child *child;
	char byte;

	stream_pair(ends);
	child = child_start(child_maps_and_parent_seals, (int[2]){ fd, ends[1] });
	EXPECT_EQ(x_recv(ends[0], &byte, 1, 0), 1);
	EXPECT_FAILS(x_fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
	EXPECT_EQ(x_send(ends[0], "x", 1, MSG_NOSIGNAL), 1);
	EXPECT_EQ(child_join(child), 0);
	EXPECT_EQ(x_fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
	close_pair(ends);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(seals, WRITE_with_a_read_only_mapping_of_a_writable_fd_fails_EBUSY)
{
	/* 21: it may be made writable by mprotect. */
	int fd = memfd(1);
	addr_t map = map_shared(fd, 1, PROT_READ);

	EXPECT_FAILS(x_fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
	unmap(map, 1);
	EXPECT_EQ(x_fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(seals, WRITE_after_mprotect_of_the_mapping_to_READ_or_NONE_fails_EBUSY)
{
	/* 21. */
	int fd = memfd(1);
	addr_t map = map_shared(fd, 1, PROT_READ | PROT_WRITE);

	EXPECT_EQ(x_mprotect(map, PAGE, PROT_READ), 0);
	EXPECT_FAILS(x_fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
	EXPECT_EQ(x_mprotect(map, PAGE, PROT_NONE), 0);
	EXPECT_FAILS(x_fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
	unmap(map, 1);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(seals, WRITE_with_half_of_the_mapping_left_fails_EBUSY)
{
	/* 21: each part that is left counts; the last one to go frees the file. */
	int fd = memfd(3);
	addr_t map = map_shared(fd, 3, PROT_READ | PROT_WRITE);

	unmap(map + PAGE, 1);
	EXPECT_FAILS(x_fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
	unmap(map, 1);
	EXPECT_FAILS(x_fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
	unmap(map + 2 * PAGE, 1);
	EXPECT_EQ(x_fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(seals, WRITE_ignores_a_mapping_through_a_read_only_fd)
{
	/* 22: that one can never write. */
	int fd = memfd(1);
	int readonly = reopen(fd, O_RDONLY);
	addr_t map = map_shared(readonly, 1, PROT_READ);

	EXPECT_EQ(x_fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
	EXPECT_EQ(ld8(map), 0);
	unmap(map, 1);
	EXPECT_EQ(x_close(readonly), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(seals, WRITE_ignores_private_mappings)
{
	/* 23: writable and dirtied ones too; they go on working. */
	int fd = memfd(1);
	addr_t map = map_private(fd, 1, PROT_READ | PROT_WRITE);

	st8(map, 'p');
	EXPECT_EQ(x_fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
	st8(map + 1, 'q');
	EXPECT_EQ(ld8(map), 'p');
	EXPECT_EQ(byte_at(fd, 0), 0);
	unmap(map, 1);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(seals, WRITE_ignores_a_replaced_mapping)
{
	/* mmap(2): MAP_FIXED unmaps what was there. */
	int fd = memfd(1);
	addr_t map = map_shared(fd, 1, PROT_READ | PROT_WRITE);

	EXPECT_EQ(x_mmap(map, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), map);
	EXPECT_EQ(x_fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
	unmap(map, 1);
	EXPECT_EQ(x_close(fd), 0);
}

/* F_SEAL_WRITE afterwards: 24 to 27. */

TEST(seals, WRITE_stops_write_and_pwrite_EPERM)
{
	/* 24. */
	int fd = memfd(1);

	add(fd, F_SEAL_WRITE);
	EXPECT_FAILS(x_write(fd, "x", 1), EPERM);
	EXPECT_FAILS(x_pwrite(fd, "x", 1, 10), EPERM);
	EXPECT_FAILS(x_pwrite(fd, "x", 1, PAGE), EPERM);
	EXPECT_EQ(size_of(fd), PAGE);
	EXPECT_EQ(byte_at(fd, 0), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(seals, WRITE_lets_a_write_of_nothing_through)
{
	/* 24: a zero-length write returns 0. */
	int fd = memfd(1);

	add(fd, F_SEAL_WRITE);
	EXPECT_EQ(x_write(fd, "x", 0), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(seals, WRITE_stops_writes_through_every_description)
{
	/* 18, 24. */
	int fd = memfd(1);
	int again = reopen(fd, O_RDWR);

	add(fd, F_SEAL_WRITE);
	EXPECT_FAILS(x_write(again, "x", 1), EPERM);
	EXPECT_EQ(x_close(again), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(seals, WRITE_lets_the_size_change)
{
	/* 25: ftruncate both ways, fallocate mode 0. */
	int fd = memfd(1);

	add(fd, F_SEAL_WRITE);
	EXPECT_EQ(x_ftruncate(fd, 2 * PAGE), 0);
	EXPECT_EQ(x_ftruncate(fd, 100), 0);
	EXPECT_EQ(x_fallocate(fd, 0, 0, 3 * PAGE), 0);
	EXPECT_EQ(size_of(fd), 3 * PAGE);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(seals, WRITE_lets_an_O_TRUNC_open_through)
{
	/* 25. */
	int again, fd = memfd(1);

	add(fd, F_SEAL_WRITE);
	again = reopen(fd, O_RDWR | O_TRUNC);
	EXPECT_EQ(size_of(fd), 0);
	EXPECT_EQ(x_close(again), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(seals, WRITE_refuses_a_writable_shared_mapping_EPERM)
{
	/* 26. */
	int fd = memfd(1);

	add(fd, F_SEAL_WRITE);
	EXPECT_FAILS(x_mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), EPERM);
	EXPECT_FAILS(x_mmap(0, PAGE, PROT_WRITE, MAP_SHARED, fd, 0), EPERM);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(seals, WRITE_lets_a_writable_private_mapping_through)
{
	/* 26. */
	int fd = memfd(1);
	addr_t map;

	add(fd, F_SEAL_WRITE);
	map = map_private(fd, 1, PROT_READ | PROT_WRITE);
	st8(map, 'p');
	EXPECT_EQ(ld8(map), 'p');
	EXPECT_EQ(byte_at(fd, 0), 0);
	unmap(map, 1);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(seals, WRITE_and_a_read_only_shared_mapping_of_a_writable_fd)
{
	/* 27: EPERM before 6.7 and in 6.12, else allowed, and never writable afterwards: EACCES. */
	bool allowed = linux_release() >= 6007 && linux_release() != 6012;
	int fd = memfd(1);
	addr_t map;

	add(fd, F_SEAL_WRITE);
	if (allowed) {
		map = map_shared(fd, 1, PROT_READ);
		EXPECT_EQ(ld8(map), 0);
		EXPECT_FAILS(x_mprotect(map, PAGE, PROT_READ | PROT_WRITE), EACCES);
		unmap(map, 1);
	} else {
		EXPECT_FAILS(x_mmap(0, PAGE, PROT_READ, MAP_SHARED, fd, 0), EPERM);
	}
	EXPECT_EQ(x_close(fd), 0);
}

/* F_SEAL_SHRINK: 32. */

TEST(seals, SHRINK_stops_a_smaller_size_EPERM)
{
	/* 32. */
	int fd = memfd(2);

	add(fd, F_SEAL_SHRINK);
	EXPECT_FAILS(x_ftruncate(fd, 2 * PAGE - 1), EPERM);
	EXPECT_FAILS(x_ftruncate(fd, 0), EPERM);
	EXPECT_EQ(size_of(fd), 2 * PAGE);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(seals, SHRINK_stops_an_O_TRUNC_open_EPERM)
{
	/* 32. */
	int fd = memfd(1);
	char path[64];

	add(fd, F_SEAL_SHRINK);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	EXPECT_FAILS(x_open(path, O_RDWR | O_TRUNC), EPERM);
	EXPECT_EQ(size_of(fd), PAGE);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(seals, SHRINK_lets_the_same_and_a_larger_size_through)
{
	/* 32. */
	int fd = memfd(1);

	add(fd, F_SEAL_SHRINK);
	EXPECT_EQ(x_ftruncate(fd, PAGE), 0);
	EXPECT_EQ(x_ftruncate(fd, 2 * PAGE), 0);
	EXPECT_FAILS(x_ftruncate(fd, PAGE), EPERM);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(seals, SHRINK_lets_writes_through)
{
	/* 32: data is not its concern, nor is growth by writing. */
	int fd = memfd(1);

	add(fd, F_SEAL_SHRINK);
	EXPECT_EQ(x_pwrite(fd, "xy", 2, PAGE - 1), 2);
	EXPECT_EQ(size_of(fd), PAGE + 1);
	EXPECT_EQ(x_close(fd), 0);
}

/* F_SEAL_GROW: 33, 34. */

TEST(seals, GROW_stops_a_larger_size_EPERM)
{
	/* 33: ftruncate up, a write at the end, fallocate past it. */
	int fd = memfd(1);

	add(fd, F_SEAL_GROW);
	EXPECT_FAILS(x_ftruncate(fd, PAGE + 1), EPERM);
	EXPECT_FAILS(x_pwrite(fd, "x", 1, PAGE), EPERM);
	EXPECT_FAILS(x_pwrite(fd, "x", 1, 10 * PAGE), EPERM);
	EXPECT_FAILS(x_fallocate(fd, 0, 0, PAGE + 1), EPERM);
	EXPECT_EQ(size_of(fd), PAGE);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(seals, GROW_stops_the_first_write_to_an_empty_file_EPERM)
{
	/* 33. */
	int fd = memfd(0);

	add(fd, F_SEAL_GROW);
	EXPECT_FAILS(x_write(fd, "x", 1), EPERM);
	EXPECT_EQ(size_of(fd), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(seals, GROW_stops_an_append_EPERM)
{
	/* 33: O_APPEND always writes at the end. */
	int fd = memfd(1);

	add(fd, F_SEAL_GROW);
	EXPECT_EQ(x_fcntl(fd, F_SETFL, O_APPEND), 0);
	EXPECT_FAILS(x_write(fd, "x", 1), EPERM);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(seals, GROW_lets_writes_and_fallocate_inside_the_file_through)
{
	/* 33. */
	int fd = memfd(2);

	add(fd, F_SEAL_GROW);
	EXPECT_EQ(x_pwrite(fd, "xyz", 3, 2 * PAGE - 3), 3);
	EXPECT_EQ(x_fallocate(fd, 0, 0, 2 * PAGE), 0);
	EXPECT_EQ(byte_at(fd, 2 * PAGE - 1), 'z');
	EXPECT_EQ(x_close(fd), 0);
}

TEST(seals, GROW_lets_the_file_shrink_but_not_back)
{
	/* 33. */
	int fd = memfd(2);

	add(fd, F_SEAL_GROW);
	EXPECT_EQ(x_ftruncate(fd, PAGE), 0);
	EXPECT_FAILS(x_ftruncate(fd, 2 * PAGE), EPERM);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(seals, GROW_cuts_a_write_across_a_page_aligned_end)
{
	/* 34: a partial count on 6.18 (pages are written one by one); before, EPERM. */
	static char data[2 * PAGE];
	int fd = memfd(1);

	if (linux_release() < 6018)
		SKIP("differs by release, known for 6.18");
	add(fd, F_SEAL_GROW);
	memset(data, 'd', sizeof(data));
	EXPECT_EQ(x_pwrite(fd, data, 2 * PAGE, 10), PAGE - 10);
	EXPECT_EQ(size_of(fd), PAGE);
	EXPECT_EQ(byte_at(fd, PAGE - 1), 'd');
	EXPECT_EQ(x_close(fd), 0);
}

TEST(seals, GROW_stops_a_write_across_an_end_inside_a_page_EPERM)
{
	/* 34: nothing is written. */
	int fd = memfd(0);

	SETUP(x_ftruncate(fd, 100) == 0);
	add(fd, F_SEAL_GROW);
	EXPECT_FAILS(x_pwrite(fd, "0123456789", 10, 95), EPERM);
	EXPECT_EQ(size_of(fd), 100);
	EXPECT_EQ(byte_at(fd, 95), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(seals, GROW_and_a_mapping_beyond_the_end)
{
	/* Seals are about the file: a mapping that is longer than it is allowed, and useless. */
	int fd = memfd(1);
	addr_t map;

	add(fd, F_SEAL_GROW);
	map = map_shared(fd, 2, PROT_READ | PROT_WRITE);
	EXPECT_STORE_FAULTS(map + PAGE, SIGBUS, BUS_ADRERR);
	unmap(map, 2);
	EXPECT_EQ(x_close(fd), 0);
}

/* F_SEAL_FUTURE_WRITE: 28 to 31. */

static int child_stores_through_the_mapping(void *arg)
{
	addr_t map = *(addr_t *)arg;

	st8(map + 1, 'c');
	return ld8(map) == 'p' ? 0 : 1;
}

TEST(seals, FUTURE_WRITE_lets_older_mappings_write_also_in_children)
{
	/* 28. */
	int fd;
	addr_t map;

	NEEDS_RELEASE(5001, "F_SEAL_FUTURE_WRITE");
	fd = memfd(1);
	map = map_shared(fd, 1, PROT_READ | PROT_WRITE);
	add(fd, F_SEAL_FUTURE_WRITE);
	st8(map, 'p');
	EXPECT_EQ(in_child(child_stores_through_the_mapping, &map), 0);
	EXPECT_EQ(byte_at(fd, 0), 'p');
	EXPECT_EQ(byte_at(fd, 1), 'c');
	EXPECT_FAILS(x_pwrite(fd, "x", 1, 0), EPERM);
	EXPECT_FAILS(x_mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), EPERM);
	unmap(map, 1);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(seals, FUTURE_WRITE_and_mprotect_of_read_only_mappings)
{
	/* 29: one made before may become writable, one made after may not: EACCES. */
	int fd;
	addr_t before, after;

	NEEDS_RELEASE(5001, "F_SEAL_FUTURE_WRITE");
	fd = memfd(1);
	before = map_shared(fd, 1, PROT_READ);
	add(fd, F_SEAL_FUTURE_WRITE);
	after = map_shared(fd, 1, PROT_READ);
	EXPECT_FAILS(x_mprotect(after, PAGE, PROT_READ | PROT_WRITE), EACCES);
	EXPECT_EQ(x_mprotect(before, PAGE, PROT_READ | PROT_WRITE), 0);
	st8(before, 'b');
	EXPECT_EQ(ld8(after), 'b');
	unmap(after, 1);
	unmap(before, 1);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(seals, FUTURE_WRITE_then_WRITE_while_an_older_mapping_may_write_fails_EBUSY)
{
	/* 20, 31: allowed while only read-only mappings made after the first seal exist. */
	int fd;
	addr_t before, after;

	NEEDS_RELEASE(6007, "a count of mappings that may write");
	fd = memfd(1);
	before = map_shared(fd, 1, PROT_READ | PROT_WRITE);
	add(fd, F_SEAL_FUTURE_WRITE);
	after = map_shared(fd, 1, PROT_READ);
	EXPECT_FAILS(x_fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
	EXPECT_EQ(seals_of(fd), F_SEAL_FUTURE_WRITE);
	unmap(before, 1);
	EXPECT_EQ(x_fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
	EXPECT_EQ(seals_of(fd), F_SEAL_FUTURE_WRITE | F_SEAL_WRITE);
	EXPECT_EQ(ld8(after), 0);
	unmap(after, 1);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(seals, FUTURE_WRITE_ignores_mappings)
{
	/* memfd_create(2): unlike F_SEAL_WRITE. */
	int fd;
	addr_t map;

	NEEDS_RELEASE(5001, "F_SEAL_FUTURE_WRITE");
	fd = memfd(1);
	map = map_shared(fd, 1, PROT_READ | PROT_WRITE);
	EXPECT_EQ(x_fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), 0);
	EXPECT_EQ(x_fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), 0);
	unmap(map, 1);
	EXPECT_EQ(x_close(fd), 0);
}

/* F_SEAL_EXEC and the flags that bring it: 8, 35. */

static mode_t permissions(int fd)
{
	struct stat st;

	SETUP(x_fstat(fd, &st) == 0);
	return st.st_mode & 07777;
}

TEST(seals, of_a_memfd_made_with_NOEXEC_SEAL_are_exactly_EXEC)
{
	/* 6, 8: it implies that sealing is allowed. */
	int fd;

	NEEDS_RELEASE(6003, "MFD_NOEXEC_SEAL");
	fd = x_memfd_create("abi", MFD_NOEXEC_SEAL);
	EXPECT_EQ(seals_of(fd), F_SEAL_EXEC);
	EXPECT_EQ(permissions(fd), 0666);
	EXPECT_FAILS(x_fchmod(fd, 0766), EPERM);
	EXPECT_EQ(x_fchmod(fd, 06600), 0);
	EXPECT_EQ(permissions(fd), 06600);
	EXPECT_EQ(x_fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), 0);
	EXPECT_EQ(seals_of(fd), F_SEAL_EXEC | F_SEAL_GROW);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(seals, of_a_memfd_made_with_EXEC_depend_on_ALLOW_SEALING)
{
	/* 7. */
	int plain, sealable;

	NEEDS_RELEASE(6003, "MFD_EXEC");
	plain = x_memfd_create("abi", MFD_EXEC);
	sealable = x_memfd_create("abi", MFD_EXEC | MFD_ALLOW_SEALING);
	EXPECT_EQ(seals_of(plain), F_SEAL_SEAL);
	EXPECT_EQ(seals_of(sealable), 0);
	EXPECT_EQ(permissions(plain), 0777);
	EXPECT_EQ(x_close(sealable), 0);
	EXPECT_EQ(x_close(plain), 0);
}

TEST(seals, EXEC_of_an_executable_brings_all_that_keep_its_content)
{
	/* 35: 0x3e. */
	int fd;

	NEEDS_RELEASE(6003, "F_SEAL_EXEC");
	fd = memfd(1);
	SETUP(x_fchmod(fd, 0711) == 0);
	EXPECT_EQ(x_fcntl(fd, F_ADD_SEALS, F_SEAL_EXEC), 0);
	EXPECT_EQ(seals_of(fd), 0x3e);
	EXPECT_FAILS(x_fchmod(fd, 0710), EPERM);
	EXPECT_FAILS(x_fchmod(fd, 0), EPERM);
	EXPECT_EQ(x_fchmod(fd, 0511), 0);
	EXPECT_EQ(permissions(fd), 0511);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(seals, EXEC_of_an_executable_with_a_writable_shared_mapping_fails_EBUSY)
{
	/* 35, on 6.18; without x bits the mapping does not matter. */
	int fd;
	addr_t map;

	NEEDS_RELEASE(6018, "F_SEAL_EXEC that looks at mappings");
	fd = memfd(1);
	map = map_shared(fd, 1, PROT_READ | PROT_WRITE);
	EXPECT_FAILS(x_fcntl(fd, F_ADD_SEALS, F_SEAL_EXEC), EBUSY);
	EXPECT_EQ(seals_of(fd), 0);
	SETUP(x_fchmod(fd, 0600) == 0);
	EXPECT_EQ(x_fcntl(fd, F_ADD_SEALS, F_SEAL_EXEC), 0);
	EXPECT_EQ(seals_of(fd), F_SEAL_EXEC);
	unmap(map, 1);
	EXPECT_EQ(x_close(fd), 0);
}
