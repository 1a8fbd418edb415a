// SPDX-License-Identifier: MIT
/*
 * What Linux promises of statx(2), statfs(2) and fstatfs(2), on tmpfs and /proc.
 */
#include "abi_tree.h"

#include <linux/magic.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#define ASKED (STATX_BASIC_STATS | STATX_BTIME)

TEST(statx, tells_what_stat_tells)
{
	struct statx told;
	struct stat st;

	yard();
	make_file("f", 5);
	SETUP(x_stat("f", &st) == 0);
	EXPECT_EQ(x_statx(AT_FDCWD, "f", 0, ASKED, &told), 0);
	EXPECT_EQ(told.stx_mask & STATX_BASIC_STATS, STATX_BASIC_STATS);
	EXPECT_EQ(told.stx_ino, st.st_ino);
	EXPECT_EQ(told.stx_mode, st.st_mode);
	EXPECT_EQ(told.stx_nlink, st.st_nlink);
	EXPECT_EQ(told.stx_size, 5);
	EXPECT_EQ(told.stx_blocks, st.st_blocks);
	EXPECT_EQ(told.stx_blksize, st.st_blksize);
	EXPECT_EQ(told.stx_uid, st.st_uid);
	EXPECT_EQ(told.stx_gid, st.st_gid);
	EXPECT_EQ(told.stx_dev_major, major(st.st_dev));
	EXPECT_EQ(told.stx_dev_minor, minor(st.st_dev));
	EXPECT_EQ(told.stx_mtime.tv_sec, st.st_mtim.tv_sec);
	EXPECT_EQ(told.stx_mtime.tv_nsec, st.st_mtim.tv_nsec);
	EXPECT_EQ(told.stx_ctime.tv_nsec, st.st_ctim.tv_nsec);
}

TEST(statx, knows_the_time_of_birth_which_a_write_does_not_change)
{
	struct statx born, written;
	int fd;

	yard();
	make_file("f", 1);
	fd = x_open("f", O_WRONLY);
	SETUP(fd >= 0 && x_statx(AT_FDCWD, "f", 0, ASKED, &born) == 0);
	EXPECT(born.stx_mask & STATX_BTIME);
	SETUP(x_write(fd, "more", 4) == 4);
	EXPECT_EQ(x_statx(fd, "", AT_EMPTY_PATH, ASKED, &written), 0);
	EXPECT_EQ(written.stx_btime.tv_sec, born.stx_btime.tv_sec);
	EXPECT_EQ(written.stx_btime.tv_nsec, born.stx_btime.tv_nsec);
	EXPECT_EQ(written.stx_size, 4);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(statx, follows_a_link_unless_it_is_told_not_to)
{
	struct statx told;

	yard();
	make_file("f", 3);
	make_link("f", "l");
	EXPECT_EQ(x_statx(AT_FDCWD, "l", 0, ASKED, &told), 0);
	EXPECT_EQ(told.stx_mode & S_IFMT, S_IFREG);
	EXPECT_EQ(x_statx(AT_FDCWD, "l", AT_SYMLINK_NOFOLLOW, ASKED, &told), 0);
	EXPECT_EQ(told.stx_mode & S_IFMT, S_IFLNK);
	EXPECT_EQ(told.stx_size, 1);
}

TEST(statx, bad_arguments_fail)
{
	struct statx told;

	yard();
	make_file("f", 3);
	EXPECT_FAILS(x_statx(AT_FDCWD, "none", 0, ASKED, &told), ENOENT);
	EXPECT_FAILS(x_statx(AT_FDCWD, "", 0, ASKED, &told), ENOENT);
	EXPECT_FAILS(x_statx(AT_FDCWD, "f/x", 0, ASKED, &told), ENOTDIR);
	EXPECT_FAILS(x_statx(99, "f", 0, ASKED, &told), EBADF);
	EXPECT_FAILS(x_statx(AT_FDCWD, "f", 1 << 30, ASKED, &told), EINVAL);
	EXPECT_FAILS(x_statx(AT_FDCWD, "f", 0, STATX__RESERVED, &told), EINVAL);
	EXPECT_FAILS(x_statx(AT_FDCWD, "f", 0, ASKED, ubuf(unmapped_page())), EFAULT);
	EXPECT_FAILS(x_statx(AT_FDCWD, ubuf(unmapped_page()), 0, ASKED, &told), EFAULT);
}

TEST(statfs, tells_the_kind_of_file_system)
{
	struct statfs fs;
	int fd;

	yard();
	make_file("f", 1);
	EXPECT_EQ(x_statfs("f", &fs), 0);
	EXPECT_EQ(fs.f_type, TMPFS_MAGIC);
	EXPECT_EQ(fs.f_bsize, PAGE);
	EXPECT_EQ(fs.f_namelen, 255);
	EXPECT(fs.f_bfree <= fs.f_blocks && fs.f_bavail <= fs.f_bfree);
	EXPECT_EQ(x_statfs("/proc", &fs), 0);
	EXPECT_EQ(fs.f_type, PROC_SUPER_MAGIC);
	fd = x_open("f", O_PATH);
	SETUP(fd >= 0);
	EXPECT_EQ(x_fstatfs(fd, &fs), 0);
	EXPECT_EQ(fs.f_type, TMPFS_MAGIC);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(statfs, of_a_memfd_is_that_of_tmpfs_and_of_a_socket_that_of_sockets)
{
	struct statfs fs;
	int fd = memfd(1), ends[2];

	EXPECT_EQ(x_fstatfs(fd, &fs), 0);
	EXPECT_EQ(fs.f_type, TMPFS_MAGIC);
	stream_pair(ends);
	EXPECT_EQ(x_fstatfs(ends[0], &fs), 0);
	EXPECT_EQ(fs.f_type, SOCKFS_MAGIC);
	close_pair(ends);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(statfs, bad_arguments_fail)
{
	struct statfs fs;

	yard();
	EXPECT_FAILS(x_statfs("none", &fs), ENOENT);
	EXPECT_FAILS(x_statfs("", &fs), ENOENT);
	EXPECT_FAILS(x_statfs(".", ubuf(unmapped_page())), EFAULT);
	EXPECT_FAILS(x_fstatfs(99, &fs), EBADF);
}
