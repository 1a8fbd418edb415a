// SPDX-License-Identifier: MIT
/*
 * close, dup, dup2, dup3, fcntl, and the flags that the architectures number differently.
 */
#include "bed.h"

#include <fcntl.h>

TEST(dup, duplicates_and_refuses_as_Linux_does)
{
	struct bed bed;
	int fd;

	bed_open(&bed);
	fd = bed_memfd(&bed);
	EXPECT_EQ(CALL(&bed, dup, MINUS_ONE), -EBADF);
	EXPECT_EQ(CALL(&bed, dup, fd), fd + 1);
	EXPECT_EQ(CALL(&bed, close, fd + 1), 0);
	EXPECT_EQ(CALL(&bed, close, fd + 1), -EBADF);
	EXPECT_EQ(CALL(&bed, close, MINUS_ONE), -EBADF);
	bed_close(&bed);
}

TEST(dup2, checks_come_in_the_order_of_Linux)
{
	struct bed bed;
	int fd;

	bed_open(&bed);
	fd = bed_memfd(&bed);
	EXPECT_EQ(CALL(&bed, dup2, 55, 55), -EBADF);
	EXPECT_EQ(CALL(&bed, dup2, 55, fd), -EBADF);
	EXPECT_EQ(CALL(&bed, dup2, fd, MINUS_ONE), -EBADF);
	EXPECT_EQ(CALL(&bed, dup2, fd, BED_FDS), -EBADF);
	EXPECT_EQ(CALL(&bed, dup2, fd, fd), fd);
	EXPECT_EQ(CALL(&bed, dup2, fd, 9), 9);
	EXPECT_EQ(CALL(&bed, dup3, 55, 55, 0), -EINVAL);
	EXPECT_EQ(CALL(&bed, dup3, fd, fd, O_CLOEXEC), -EINVAL);
	EXPECT_EQ(CALL(&bed, dup3, fd, 10, 2), -EINVAL);
	EXPECT_EQ(CALL(&bed, dup3, 55, BED_FDS, 0), -EBADF);
	EXPECT_EQ(CALL(&bed, dup3, fd, 9, O_CLOEXEC), 9);
	EXPECT_EQ(CALL(&bed, fcntl, 9, F_GETFD), FD_CLOEXEC);
	EXPECT_EQ(CALL(&bed, dup2, fd, 9), 9);
	EXPECT_EQ(CALL(&bed, fcntl, 9, F_GETFD), 0);
	bed_close(&bed);
}

TEST(fcntl, dupfd_begins_at_its_argument_and_respects_the_limit)
{
	struct bed bed;
	int fd;

	bed_open(&bed);
	fd = bed_memfd(&bed);
	EXPECT_EQ(CALL(&bed, fcntl, fd, F_DUPFD, 20), 20);
	EXPECT_EQ(CALL(&bed, fcntl, fd, F_DUPFD_CLOEXEC, 20), 21);
	EXPECT_EQ(CALL(&bed, fcntl, 20, F_GETFD), 0);
	EXPECT_EQ(CALL(&bed, fcntl, 21, F_GETFD), FD_CLOEXEC);
	EXPECT_EQ(CALL(&bed, fcntl, fd, F_DUPFD, MINUS_ONE), -EINVAL);
	EXPECT_EQ(CALL(&bed, fcntl, fd, F_DUPFD, BED_FDS), -EINVAL);
	EXPECT_EQ(CALL(&bed, fcntl, fd, F_DUPFD, BED_FDS - 1), BED_FDS - 1);
	EXPECT_EQ(CALL(&bed, fcntl, fd, F_DUPFD, BED_FDS - 1), -EMFILE);
	EXPECT_EQ(CALL(&bed, fcntl, 55, F_DUPFD, MINUS_ONE), -EBADF);
	bed_close(&bed);
}

TEST(fcntl, descriptor_flags_and_unknown_commands)
{
	struct bed bed;
	int fd;

	bed_open(&bed);
	fd = bed_memfd(&bed);
	EXPECT_EQ(CALL(&bed, fcntl, fd, F_SETFD, 0xfffe), 0);
	EXPECT_EQ(CALL(&bed, fcntl, fd, F_GETFD), 0);
	EXPECT_EQ(CALL(&bed, fcntl, fd, F_SETFD, FD_CLOEXEC), 0);
	EXPECT_EQ(CALL(&bed, fcntl, fd, F_GETFD), FD_CLOEXEC);
	EXPECT_EQ(CALL(&bed, fcntl, 55, 77), -EBADF);
	EXPECT_EQ(CALL(&bed, fcntl, fd, 77), -EINVAL);
	bed_close(&bed);
}

TEST(fcntl, status_flags_have_the_numbers_of_the_architecture)
{
	struct bed bed;
	int fd;

	bed_open(&bed);
	fd = bed_memfd(&bed);
	EXPECT_EQ(CALL(&bed, fcntl, fd, F_GETFL), 0100002);         /* O_RDWR | O_LARGEFILE */
	EXPECT_EQ(CALL(&bed, fcntl, fd, F_SETFL, 040000), -EINVAL); /* O_DIRECT */
	EXPECT_EQ(CALL(&bed, fcntl, fd, F_SETFL, 02100), 0);
	EXPECT_EQ(CALL(&bed, fcntl, fd, F_GETFL), 0102002);
	bed.abi = KSIM_ARCH_AARCH64;
	EXPECT_EQ(CALL(&bed, fcntl, fd, F_GETFL), 0402002);
	EXPECT_EQ(CALL(&bed, fcntl, fd, F_SETFL, 040000), 0); /* O_DIRECTORY, which nobody minds */
	EXPECT_EQ(CALL(&bed, fcntl, fd, F_SETFL, 0200000), -EINVAL);
	EXPECT_EQ(CALL(&bed, fcntl, fd, F_GETFL), 0400002);
	bed_close(&bed);
}

TEST(open, directory_and_nofollow_have_the_numbers_of_the_architecture)
{
	const char *path = "/proc/self/fd/0";
	const uint64_t here = -UINT64_C(100);
	struct bed bed;

	bed_open(&bed);
	bed_memfd(&bed);
	EXPECT_EQ(CALL(&bed, openat, here, p(path), 0200000), -ENOTDIR);
	EXPECT_EQ(CALL(&bed, openat, here, p(path), 0400000), -ELOOP);
	bed.abi = KSIM_ARCH_AARCH64;
	EXPECT_EQ(CALL(&bed, openat, here, p(path), 040000), -ENOTDIR);
	EXPECT_EQ(CALL(&bed, openat, here, p(path), 0100000), -ELOOP);
	EXPECT_EQ(CALL(&bed, openat, here, p(path), 0400000), 1); /* O_LARGEFILE there */
	bed_close(&bed);
}

TEST(fcntl, seals_go_through)
{
	struct bed bed;
	int pair[2];
	int fd;

	bed_open(&bed);
	fd = bed_memfd(&bed);
	bed_pair(&bed, pair);
	EXPECT_EQ(CALL(&bed, fcntl, fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	EXPECT_EQ(CALL(&bed, fcntl, fd, F_GET_SEALS), F_SEAL_SHRINK);
	EXPECT_EQ(CALL(&bed, fcntl, fd, F_ADD_SEALS, 0x40), -EINVAL);
	EXPECT_EQ(CALL(&bed, fcntl, pair[0], F_GET_SEALS), -EINVAL);
	EXPECT_EQ(CALL(&bed, fcntl, 55, F_GET_SEALS), -EBADF);
	bed_close(&bed);
}
