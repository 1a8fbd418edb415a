// SPDX-License-Identifier: MIT
/*
 * Calls on files: arguments and their order (measured on 6.18); what the mechanisms do is tested with them.
 */
#include "bed.h"

#include <fcntl.h>
#include <unistd.h>

TEST(read, checks_come_in_the_order_of_Linux)
{
	char buf[8];
	struct bed bed;
	long wo;
	int fd;

	bed_open(&bed);
	fd = bed_memfd(&bed);
	wo = CALL(&bed, open, p("/proc/self/fd/0"), O_WRONLY);
	EXPECT_EQ(CALL(&bed, read, 55, 0, MINUS_ONE), -EBADF);
	EXPECT_EQ(CALL(&bed, read, wo, 0, MINUS_ONE), -EBADF); /* access mode before buffer */
	EXPECT_EQ(CALL(&bed, read, fd, p(buf), MINUS_ONE), -EFAULT);
	EXPECT_EQ(CALL(&bed, read, fd, user(NOWHERE), UINT64_C(1) << 47), -EFAULT);
	EXPECT_EQ(CALL(&bed, read, fd, 0, 10), 0); /* at the end nobody looks at the buffer */
	EXPECT_EQ(CALL(&bed, write, fd, p("hello"), 5), 5);
	EXPECT_EQ(CALL(&bed, lseek, fd, 0, SEEK_SET), 0);
	EXPECT_EQ(CALL(&bed, read, fd, 0, 10), -EFAULT);
	EXPECT_EQ(CALL(&bed, read, fd, user(NOWHERE), 10), -EFAULT);
	EXPECT_EQ(CALL(&bed, read, fd, BAD, 0), 0);
	EXPECT_EQ(CALL(&bed, read, fd, p(buf), 8), 5);
	EXPECT_MEMEQ(buf, "hello", 5);
	bed_close(&bed);
}

TEST(write, checks_come_in_the_order_of_Linux)
{
	struct bed bed;
	long ro;
	int fd;

	bed_open(&bed);
	fd = bed_memfd(&bed);
	ro = CALL(&bed, open, p("/proc/self/fd/0"), O_RDONLY);
	EXPECT_EQ(CALL(&bed, write, ro, 0, MINUS_ONE), -EBADF);
	EXPECT_EQ(CALL(&bed, write, fd, 0, 0), 0);
	EXPECT_EQ(CALL(&bed, write, fd, 0, 1), -EFAULT);
	EXPECT_EQ(CALL(&bed, write, fd, p("x"), MINUS_ONE), -EFAULT);
	bed_close(&bed);
}

TEST(read, transfers_through_user_memory_stop_where_it_ends)
{
	struct bed bed;
	char page[1];
	int fd;

	bed_open(&bed);
	fd = bed_memfd(&bed);
	bed_map(&bed, NOWHERE, 1);
	EXPECT_EQ(CALL(&bed, pwrite64, fd, p("ab"), 2, 4095), 2);
	EXPECT_EQ(CALL(&bed, pread64, fd, user(NOWHERE), 8192, 0), 4096);
	EXPECT_EQ(CALL(&bed, pwrite64, fd, user(NOWHERE + 4095), 1, 0), 1);
	EXPECT_EQ(CALL(&bed, pread64, fd, p(page), 1, 0), 1);
	EXPECT_EQ(page[0], 'a');
	bed_close(&bed);
}

TEST(pread, checks_come_in_the_order_of_Linux)
{
	struct bed bed;
	int pair[2];
	char c;

	bed_open(&bed);
	bed_pair(&bed, pair);
	EXPECT_EQ(CALL(&bed, pread64, 55, p(&c), 1, MINUS_ONE), -EINVAL); /* offset before descriptor */
	EXPECT_EQ(CALL(&bed, pread64, 55, p(&c), 1, 0), -EBADF);
	EXPECT_EQ(CALL(&bed, pread64, pair[0], p(&c), 1, 0), -ESPIPE);
	EXPECT_EQ(CALL(&bed, pread64, pair[0], 0, MINUS_ONE, 0), -ESPIPE); /* kind before buffer */
	EXPECT_EQ(CALL(&bed, pwrite64, pair[0], p(&c), 1, MINUS_ONE), -EINVAL);
	EXPECT_EQ(CALL(&bed, lseek, pair[0], 0, 9), -EINVAL);
	EXPECT_EQ(CALL(&bed, lseek, pair[0], 0, SEEK_SET), -ESPIPE);
	bed_close(&bed);
}

TEST(ftruncate, checks_come_in_the_order_of_Linux)
{
	struct bed bed;
	int pair[2];
	long ro;

	bed_open(&bed);
	bed_memfd(&bed);
	ro = CALL(&bed, open, p("/proc/self/fd/0"), O_RDONLY);
	bed_pair(&bed, pair);
	EXPECT_EQ(CALL(&bed, ftruncate, 55, MINUS_ONE), -EINVAL); /* length before descriptor */
	EXPECT_EQ(CALL(&bed, ftruncate, 55, 0), -EBADF);
	EXPECT_EQ(CALL(&bed, ftruncate, ro, 0), -EINVAL);
	EXPECT_EQ(CALL(&bed, ftruncate, pair[0], 0), -EINVAL);
	EXPECT_EQ(CALL(&bed, fallocate, 55, 0, 0, 0), -EBADF);
	EXPECT_EQ(CALL(&bed, fallocate, ro, 0, 0, 0), -EINVAL);
	EXPECT_EQ(CALL(&bed, fallocate, ro, 0, 0, 1), -EBADF);
	EXPECT_EQ(CALL(&bed, fallocate, pair[0], 0, 0, 1), -ENODEV);
	bed_close(&bed);
}

TEST(fstat, fills_the_layout_of_each_architecture)
{
	uint8_t stat[144];
	uint32_t mode;
	uint64_t size;
	struct bed bed;
	int fd;

	bed_open(&bed);
	fd = bed_memfd(&bed);
	EXPECT_EQ(CALL(&bed, ftruncate, fd, 12345), 0);
	memset(stat, 0xee, sizeof(stat));
	EXPECT_EQ(CALL(&bed, fstat, fd, p(stat)), 0);
	memcpy(&mode, stat + 24, sizeof(mode));
	memcpy(&size, stat + 48, sizeof(size));
	EXPECT_EQ(mode, 0100777);
	EXPECT_EQ(size, 12345);
	memset(stat, 0xee, sizeof(stat));
	bed.abi = KSIM_ARCH_AARCH64;
	EXPECT_EQ(CALL(&bed, fstat, fd, p(stat)), 0);
	memcpy(&mode, stat + 16, sizeof(mode));
	memcpy(&size, stat + 48, sizeof(size));
	EXPECT_EQ(mode, 0100777);
	EXPECT_EQ(size, 12345);
	EXPECT_EQ(stat[128], 0xee); /* and not a byte more */
	EXPECT_EQ(CALL(&bed, fstat, 55, BAD), -EBADF);
	EXPECT_EQ(CALL(&bed, fstat, fd, BAD), -EFAULT);
	bed_close(&bed);
}

TEST(open, checks_come_in_the_order_of_Linux)
{
	char path[5000];
	struct bed bed;
	int fd;

	bed_open(&bed);
	fd = bed_memfd(&bed);
	memset(path, 'a', sizeof(path));
	path[4095] = '\0';
	EXPECT_EQ(CALL(&bed, open, 0, O_CREAT | 0200000), -EINVAL); /* flags before name */
	EXPECT_EQ(CALL(&bed, open, 0, 0), -EFAULT);
	EXPECT_EQ(CALL(&bed, open, p(""), 0), -ENOENT);
	EXPECT_EQ(CALL(&bed, open, p(path), 0), -ENAMETOOLONG); /* one name of more than 255 */
	path[4095] = 'a';
	path[4999] = '\0';
	EXPECT_EQ(CALL(&bed, open, p(path), 0), -ENAMETOOLONG); /* a path of more than 4095 */
	EXPECT_EQ(CALL(&bed, open, p("here"), 0), -ENOENT);
	EXPECT_EQ(CALL(&bed, openat, 55, p("here"), 0), -EBADF);
	EXPECT_EQ(CALL(&bed, openat, fd, p("here"), 0), -ENOTDIR);
	EXPECT_EQ(CALL(&bed, openat, 55, p("/here"), 0), -ENOENT);
	EXPECT_EQ(CALL(&bed, openat, -UINT64_C(100), p("/proc/self/fd/0"), 0), fd + 1);
	bed_close(&bed);
}

TEST(open, a_full_table_comes_before_what_the_name_says)
{
	struct bed bed;
	int fd;

	bed_open(&bed);
	fd = bed_memfd(&bed);
	while (CALL(&bed, dup, fd) >= 0)
		;
	EXPECT_EQ(CALL(&bed, open, p("/no/such"), 0), -EMFILE);
	EXPECT_EQ(CALL(&bed, open, 0, 0), -EFAULT);
	EXPECT_EQ(CALL(&bed, memfd_create, p("x"), 0), -EMFILE);
	EXPECT_EQ(CALL(&bed, close, fd), 0);
	EXPECT_EQ(CALL(&bed, open, p("/no/such"), 0), -ENOENT); /* and the number is free again */
	EXPECT_EQ(CALL(&bed, memfd_create, p("x"), 0), fd);
	bed_close(&bed);
}

TEST(unlink, checks_come_in_the_order_of_Linux)
{
	struct bed bed;
	int fd;

	bed_open(&bed);
	fd = bed_memfd(&bed);
	EXPECT_EQ(CALL(&bed, unlink, 0), -EFAULT);
	EXPECT_EQ(CALL(&bed, unlink, p("")), -ENOENT);
	EXPECT_EQ(CALL(&bed, unlink, p("/no/such")), -ENOENT);
	EXPECT_EQ(CALL(&bed, unlinkat, 55, 0, 0x1000), -EINVAL); /* flags before name */
	EXPECT_EQ(CALL(&bed, unlinkat, 55, p("here"), 0), -EBADF);
	EXPECT_EQ(CALL(&bed, unlinkat, fd, p("here"), 0), -ENOTDIR);
	EXPECT_EQ(CALL(&bed, unlinkat, -UINT64_C(100), p("/no/such"), 0x200), -ENOENT);
	bed_close(&bed);
}

TEST(memfd_create, checks_come_in_the_order_of_Linux)
{
	char name[300];
	struct bed bed;

	bed_open(&bed);
	memset(name, 'n', sizeof(name));
	name[250] = '\0';
	EXPECT_EQ(CALL(&bed, memfd_create, 0, 0x1000), -EINVAL); /* flags before name */
	EXPECT_EQ(CALL(&bed, memfd_create, 0, 0), -EFAULT);
	EXPECT_EQ(CALL(&bed, memfd_create, user(NOWHERE), 0), -EFAULT);
	EXPECT_EQ(CALL(&bed, memfd_create, p(name), 0), -EINVAL);
	name[249] = '\0';
	EXPECT_EQ(CALL(&bed, memfd_create, p(name), 0), 0);
	EXPECT_EQ(CALL(&bed, memfd_create, p(""), 0), 1);
	EXPECT_EQ(CALL(&bed, memfd_create, p("a/b"), MEMFD_CLOEXEC), 2);
	EXPECT_EQ(CALL(&bed, fcntl, 2, F_GETFD), FD_CLOEXEC);
	EXPECT_EQ(CALL(&bed, fcntl, 1, F_GETFD), 0);
	bed_close(&bed);
}

TEST(memfd_create, a_name_may_end_at_the_end_of_user_memory)
{
	struct bed bed;
	int fd;

	bed_open(&bed);
	fd = bed_memfd(&bed);
	bed_map(&bed, NOWHERE, 1);
	EXPECT_EQ(CALL(&bed, write, fd, p("ab"), 3), 3);
	EXPECT_EQ(CALL(&bed, pread64, fd, user(NOWHERE + 4093), 3, 0), 3);
	EXPECT_EQ(CALL(&bed, memfd_create, user(NOWHERE + 4093), 0), fd + 1);
	EXPECT_EQ(CALL(&bed, pread64, fd, user(NOWHERE + 4094), 2, 0), 2); /* no NUL any more */
	EXPECT_EQ(CALL(&bed, memfd_create, user(NOWHERE + 4094), 0), -EFAULT);
	bed_close(&bed);
}
