// SPDX-License-Identifier: MIT
/*
 * Errors that the manual pages name and that need a situation of their own: limits that a second call meets, sockets
 * that are full, files that were passed on.
 */
#include "abi.h"

#include <limits.h>

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x10
#endif

enum { RW = PROT_READ | PROT_WRITE, NOBODY = 65534 };

/* ---- RLIMIT_MEMLOCK ---- */

static int grows_what_is_locked(void *arg)
{
	struct rlimit limit = { 2 * PAGE, 2 * PAGE };
	addr_t map = map_anonymous(8, RW, MAP_PRIVATE);
	addr_t moved;

	(void)arg;
	CHILD_EXPECT(x_munmap(map + 4 * PAGE, 4 * PAGE) == 0);
	CHILD_EXPECT(x_munmap(map + 2 * PAGE, 2 * PAGE) == 0);
	CHILD_EXPECT(x_setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
	CHILD_EXPECT(x_setresuid(NOBODY, NOBODY, NOBODY) == 0);
	CHILD_EXPECT(x_mlock(map, PAGE) == 0);
	CHILD_EXPECT(x_mremap(map, PAGE, 3 * PAGE, MREMAP_MAYMOVE, 0) == NO_MAPPING && errno == EAGAIN);
	moved = x_mremap(map, PAGE, 2 * PAGE, MREMAP_MAYMOVE, 0);
	CHILD_EXPECT(moved != NO_MAPPING);
	CHILD_EXPECT(x_mremap(moved, 2 * PAGE, 3 * PAGE, MREMAP_MAYMOVE, 0) == NO_MAPPING && errno == EAGAIN);
	CHILD_EXPECT(x_mremap(moved, 2 * PAGE, PAGE, 0, 0) == moved);
	return 0;
}

TEST(errors, mremap_of_locked_memory_beyond_the_limit_fails_EAGAIN)
{
	/* mremap(2) EAGAIN: the pages would have to be locked. */
	EXPECT_EQ(in_child(grows_what_is_locked, NULL), 0);
}

/* ---- a socket that is full ---- */

TEST(errors, sendfile_to_a_full_socket_without_waiting_fails_EAGAIN_and_moves_nothing)
{
	/* sendfile(2) EAGAIN. */
	static const char bytes[4096];
	int fd = memfd(2), ends[2];
	off_t offset = 100;

	SETUP(x_socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);
	while (x_send(ends[0], bytes, sizeof(bytes), 0) > 0)
		;
	SETUP(errno == EAGAIN);
	while (x_send(ends[0], bytes, 1, 0) > 0)
		;
	EXPECT_FAILS(x_sendfile(ends[0], fd, &offset, PAGE), EAGAIN);
	EXPECT_EQ(offset, 100);
	EXPECT_FAILS(x_sendfile(ends[0], fd, NULL, PAGE), EAGAIN);
	EXPECT_EQ(x_lseek(fd, 0, SEEK_CUR), 0);
	close_pair(ends);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(errors, sendfile_to_a_socket_whose_peer_is_gone_fails_EPIPE)
{
	/* send(2) EPIPE, with SIGPIPE. */
	struct sigaction ignore = { .sa_handler = SIG_IGN }, old;
	int fd = memfd(1), ends[2];

	stream_pair(ends);
	SETUP(x_close(ends[1]) == 0 && x_sigaction(SIGPIPE, &ignore, &old) == 0);
	EXPECT_FAILS(x_sendfile(ends[0], fd, NULL, 10), EPIPE);
	EXPECT_EQ(x_lseek(fd, 0, SEEK_CUR), 0);
	SETUP(x_sigaction(SIGPIPE, &old, NULL) == 0);
	EXPECT_EQ(x_close(ends[0]), 0);
	EXPECT_EQ(x_close(fd), 0);
}

/* ---- RLIMIT_FSIZE ---- */

static int grows_by_path(void *arg)
{
	struct rlimit limit = { PAGE, PAGE };
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	const char *path = arg;
	struct stat st;

	CHILD_EXPECT(x_sigaction(SIGXFSZ, &ignore, NULL) == 0);
	CHILD_EXPECT(x_setrlimit(RLIMIT_FSIZE, &limit) == 0);
	CHILD_EXPECT(x_truncate(path, PAGE) == 0);
	CHILD_EXPECT(x_truncate(path, PAGE + 1) == -1 && errno == EFBIG);
	CHILD_EXPECT(x_truncate(path, LONG_MAX) == -1 && errno == EFBIG);
	CHILD_EXPECT(x_stat(path, &st) == 0 && st.st_size == PAGE);
	return 0;
}

TEST(errors, truncate_of_a_path_beyond_RLIMIT_FSIZE_fails_EFBIG)
{
	/* truncate(2) EFBIG; 59. */
	char path[128];
	int fd;

	fresh_path(path, sizeof(path));
	fd = x_open(path, O_RDWR | O_CREAT, 0600);
	SETUP(fd >= 0 && x_close(fd) == 0);
	EXPECT_EQ(in_child(grows_by_path, path), 0);
	EXPECT_EQ(x_unlink(path), 0);
}

/* ---- seals ---- */

TEST(errors, mremap_duplicates_a_mapping_older_than_FUTURE_WRITE_and_the_copy_writes)
{
	/* 30. */
	int fd = memfd(1);
	addr_t map = map_shared(fd, 1, RW);
	addr_t copy;

	if (linux_release() < 5001)
		SKIP("F_SEAL_FUTURE_WRITE is of 5.1");
	SETUP(x_fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE) == 0);
	copy = x_mremap(map, 0, PAGE, MREMAP_MAYMOVE, 0);
	REQUIRE(copy != NO_MAPPING);
	st8(copy, 7);
	EXPECT_EQ(ld8(map), 7);
	EXPECT_EQ(byte_at(fd, 0), 7);
	unmap(map, 1);
	EXPECT_FAILS(x_fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
	unmap(copy, 1);
	EXPECT_EQ(x_fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(errors, F_SEAL_WRITE_lets_mode_and_owner_change)
{
	/* 25. */
	int fd = memfd(1);

	SETUP(x_fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) == 0);
	EXPECT_EQ(x_fchmod(fd, 0400), 0);
	EXPECT_EQ(x_fchown(fd, 1000, 1000), 0);
	EXPECT_EQ(x_futimens(fd, NULL), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(errors, F_SEAL_SHRINK_lets_everything_be_punched_out)
{
	/* 32. */
	enum { PUNCH = 3 /* FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE */ };
	struct stat st;
	int fd = memfd(0);

	SETUP(x_write(fd, "data", 4) == 4 && x_ftruncate(fd, 3 * PAGE) == 0);
	SETUP(x_fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) == 0);
	EXPECT_EQ(x_fallocate(fd, PUNCH, 0, 3 * PAGE), 0);
	EXPECT_EQ(x_fstat(fd, &st), 0);
	EXPECT_EQ(st.st_blocks, 0);
	EXPECT_EQ(st.st_size, 3 * PAGE);
	EXPECT_FAILS(x_ftruncate(fd, 3 * PAGE - 1), EPERM);
	EXPECT_EQ(x_close(fd), 0);
}

/* ---- descriptors that were passed on ---- */

TEST(errors, read_only_descriptor_that_was_passed_can_be_reopened_for_writing)
{
	/* 12. */
	int fd = memfd(1), ends[2], writable;
	int reader = reopen(fd, O_RDONLY);
	struct arrival arrival;
	char byte;

	stream_pair(ends);
	send_one(ends[0], 'x', reader);
	arrival = receive(ends[1], &byte, 1, 1, 0);
	SETUP(arrival.n == 1 && arrival.nfds == 1);
	EXPECT_FAILS(x_write(arrival.fds[0], "y", 1), EBADF);
	writable = reopen(arrival.fds[0], O_RDWR);
	EXPECT_EQ(x_write(writable, "y", 1), 1);
	EXPECT_EQ(byte_at(fd, 0), 'y');
	close_arrival(&arrival);
	close_pair(ends);
	EXPECT_EQ(x_close(writable), 0);
	EXPECT_EQ(x_close(reader), 0);
	EXPECT_EQ(x_close(fd), 0);
}
