// SPDX-License-Identifier: MIT
/*
 * What Linux promises of rename, renameat and renameat2: rename(2).
 */
#include "abi_tree.h"

TEST(rename, moves_a_file_and_replaces_another)
{
	/* rename(2): newpath is replaced atomically. */
	ino_t ino;
	int fd;
	struct stat st;

	yard();
	make_dir("d");
	make_file("a", 3);
	make_file("d/b", 5);
	ino = stat_of("a").st_ino;
	EXPECT_EQ(x_rename("a", "c"), 0);
	EXPECT(!is_there("a"));
	EXPECT_EQ(stat_of("c").st_ino, ino);
	fd = opened("d/b", O_RDONLY);
	EXPECT_EQ(x_rename("c", "d/b"), 0);
	EXPECT(!is_there("c"));
	EXPECT_EQ(stat_of("d/b").st_ino, ino);
	EXPECT_EQ(stat_of("d/b").st_nlink, 1);
	EXPECT_EQ(x_fstat(fd, &st), 0);
	EXPECT_EQ(st.st_nlink, 0);
	EXPECT_EQ(st.st_size, 5);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(rename, to_itself_or_another_name_of_the_file_does_nothing)
{
	/* rename(2): if both are hard links to the same file. */
	yard();
	make_file("a", 0);
	EXPECT_EQ(x_link("a", "b"), 0);
	EXPECT_EQ(x_rename("a", "a"), 0);
	EXPECT_EQ(x_rename("a", "b"), 0);
	EXPECT(is_there("a"));
	EXPECT(is_there("b"));
	make_dir("d");
	EXPECT_EQ(x_rename("d", "d"), 0);
	EXPECT_EQ(x_rename("d/", "./d"), 0);
}

TEST(rename, moves_a_directory_with_all_in_it)
{
	/* rename(2): links of both parents change. */
	yard();
	make_dir("a");
	make_dir("a/sub");
	make_file("a/sub/f", 4);
	make_dir("b");
	EXPECT_EQ(x_rename("a/sub", "b/moved/"), 0);
	EXPECT_EQ(stat_of("b/moved/f").st_size, 4);
	EXPECT_EQ(stat_of("a").st_nlink, 2);
	EXPECT_EQ(stat_of("b").st_nlink, 3);
	EXPECT_EQ(stat_of("a").st_size, 40);
	EXPECT_EQ(stat_of("b").st_size, 60);
	EXPECT_EQ(stat_of("b/moved/..").st_ino, stat_of("b").st_ino);
}

TEST(rename, replaces_an_empty_directory_only)
{
	/* rename(2): ENOTEMPTY. */
	int fd;
	struct stat st;

	yard();
	make_dir("a");
	make_dir("b");
	make_file("b/f", 0);
	make_dir("c");
	EXPECT_FAILS(x_rename("a", "b"), ENOTEMPTY);
	fd = opened("c", O_RDONLY);
	EXPECT_EQ(x_rename("b", "c"), 0);
	EXPECT(is_there("c/f"));
	EXPECT_EQ(x_fstat(fd, &st), 0);
	EXPECT_EQ(st.st_nlink, 0);
	EXPECT_EQ(stat_of(".").st_nlink, 4);
	EXPECT_FAILS(x_openat(fd, "x", O_CREAT | O_RDWR, 0644), ENOENT);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(rename, of_the_wrong_kind_fails)
{
	/* rename(2): EISDIR, ENOTDIR. */
	yard();
	make_file("f", 0);
	make_dir("d");
	EXPECT_FAILS(x_rename("f", "d"), EISDIR);
	EXPECT_FAILS(x_rename("d", "f"), ENOTDIR);
	EXPECT_FAILS(x_rename("f/", "x"), ENOTDIR);
	EXPECT_FAILS(x_rename("f", "x/"), ENOTDIR);
	EXPECT_FAILS(x_rename("f", "f/x"), ENOTDIR);
	EXPECT_FAILS(x_rename("f/x", "x"), ENOTDIR);
	EXPECT_EQ(x_rename("d", "x/"), 0);
}

TEST(rename, of_a_directory_into_itself_fails_EINVAL)
{
	/* rename(2): EINVAL; and into what lies above it, ENOTEMPTY. */
	yard();
	make_dir("a");
	make_dir("a/b");
	make_dir("a/b/c");
	EXPECT_FAILS(x_rename("a", "a/x"), EINVAL);
	EXPECT_FAILS(x_rename("a", "a/b/c/x"), EINVAL);
	EXPECT_FAILS(x_rename("a", "a/b"), EINVAL);
	EXPECT_FAILS(x_rename("a/b", "a"), ENOTEMPTY);
	EXPECT_FAILS(x_rename("a/b/c", "a"), ENOTEMPTY);
	EXPECT_FAILS(x_renameat2(AT_FDCWD, "a/b/c", AT_FDCWD, "a", RENAME_EXCHANGE), EINVAL);
	EXPECT_FAILS(x_renameat2(AT_FDCWD, "a", AT_FDCWD, "a/b", RENAME_EXCHANGE), EINVAL);
}

TEST(rename, of_what_is_not_there_fails_ENOENT)
{
	/* rename(2): ENOENT. */
	yard();
	make_file("f", 0);
	EXPECT_FAILS(x_rename("none", "x"), ENOENT);
	EXPECT_FAILS(x_rename("none", "f"), ENOENT);
	EXPECT_FAILS(x_rename("none/a", "x"), ENOENT);
	EXPECT_FAILS(x_rename("f", "none/x"), ENOENT);
	EXPECT_FAILS(x_rename("", "x"), ENOENT);
	EXPECT_FAILS(x_rename("f", ""), ENOENT);
	EXPECT_FAILS(x_renameat(-1, "f", AT_FDCWD, "x"), EBADF);
	EXPECT_FAILS(x_renameat(AT_FDCWD, "f", -1, "x"), EBADF);
}

TEST(rename, of_dots_and_file_systems_fails_EBUSY)
{
	/* rename(2): EBUSY. */
	yard();
	make_dir("d");
	make_file("f", 0);
	EXPECT_FAILS(x_rename(".", "x"), EBUSY);
	EXPECT_FAILS(x_rename("d/..", "x"), EBUSY);
	EXPECT_FAILS(x_rename("d", "."), EBUSY);
	EXPECT_FAILS(x_rename("d", "d/.."), EBUSY);
	EXPECT_FAILS(x_renameat2(AT_FDCWD, "d", AT_FDCWD, ".", RENAME_NOREPLACE), EEXIST);
	EXPECT_FAILS(x_rename("/dev/shm", "/dev/other"), EBUSY);
	EXPECT_FAILS(x_rename("/", "/x"), EBUSY);
	EXPECT_FAILS(x_rmdir("/dev/shm"), EBUSY);
}

TEST(rename, NOREPLACE_of_an_existing_name_fails_EEXIST)
{
	/* rename(2), RENAME_NOREPLACE. */
	yard();
	make_file("a", 1);
	make_file("b", 2);
	make_link("none", "l");
	EXPECT_FAILS(x_renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_NOREPLACE), EEXIST);
	EXPECT_FAILS(x_renameat2(AT_FDCWD, "a", AT_FDCWD, "a", RENAME_NOREPLACE), EEXIST);
	EXPECT_FAILS(x_renameat2(AT_FDCWD, "a", AT_FDCWD, "l", RENAME_NOREPLACE), EEXIST);
	EXPECT_FAILS(x_renameat2(AT_FDCWD, "none", AT_FDCWD, "b", RENAME_NOREPLACE), ENOENT);
	EXPECT_EQ(stat_of("b").st_size, 2);
	EXPECT_EQ(x_renameat2(AT_FDCWD, "a", AT_FDCWD, "c", RENAME_NOREPLACE), 0);
	EXPECT_EQ(stat_of("c").st_size, 1);
}

TEST(rename, EXCHANGE_swaps_whatever_the_two_are)
{
	/* rename(2), RENAME_EXCHANGE. */
	yard();
	make_dir("d");
	make_dir("d/sub");
	make_file("d/sub/g", 2);
	make_file("f", 7);
	EXPECT_EQ(x_renameat2(AT_FDCWD, "d/sub", AT_FDCWD, "f", RENAME_EXCHANGE), 0);
	EXPECT_EQ(stat_of("d/sub").st_size, 7);
	EXPECT_EQ(stat_of("f/g").st_size, 2);
	EXPECT_EQ(stat_of("d").st_nlink, 2);
	EXPECT_EQ(stat_of(".").st_nlink, 4);
	EXPECT_EQ(stat_of("f/..").st_ino, stat_of(".").st_ino);
	EXPECT_FAILS(x_renameat2(AT_FDCWD, "f", AT_FDCWD, "none", RENAME_EXCHANGE), ENOENT);
	EXPECT_FAILS(x_renameat2(AT_FDCWD, "none", AT_FDCWD, "f", RENAME_EXCHANGE), ENOENT);
	EXPECT_FAILS(x_renameat2(AT_FDCWD, "f", AT_FDCWD, "d/sub/", RENAME_EXCHANGE), ENOTDIR);
	make_file("x", 1);
	EXPECT_EQ(x_renameat2(AT_FDCWD, "x", AT_FDCWD, "f", RENAME_EXCHANGE), 0);
	EXPECT_EQ(stat_of("f").st_size, 1);
	EXPECT(is_there("x/g"));
}

TEST(rename, WHITEOUT_leaves_a_device_behind)
{
	/* rename(2), RENAME_WHITEOUT: a character device 0, 0. */
	struct stat st;

	yard();
	make_file("a", 3);
	EXPECT_EQ(x_renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_WHITEOUT), 0);
	st = lstat_of("a");
	EXPECT(S_ISCHR(st.st_mode));
	EXPECT_EQ(st.st_rdev, 0);
	EXPECT_EQ(stat_of("b").st_size, 3);
}

TEST(rename, unknown_flags_fail_EINVAL)
{
	/* rename(2): EINVAL. */
	yard();
	make_file("a", 0);
	EXPECT_FAILS(x_renameat2(AT_FDCWD, "a", AT_FDCWD, "b", 8), EINVAL);
	EXPECT_FAILS(x_renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_NOREPLACE | RENAME_EXCHANGE), EINVAL);
	EXPECT_FAILS(x_renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_WHITEOUT | RENAME_EXCHANGE), EINVAL);
	EXPECT_FAILS(x_renameat2(AT_FDCWD, "none", AT_FDCWD, "b", 8), EINVAL);
	EXPECT(is_there("a"));
}

TEST(rename, keeps_descriptors_and_changes_their_path)
{
	/* proc(5), /proc/[pid]/fd. */
	char self[32], text[128], cwd[96], expected[112];
	ssize_t n;
	int fd, dir;

	yard();
	EXPECT(x_getcwd(cwd, sizeof(cwd)) != NULL);
	make_dir("d");
	make_file("a", 1);
	fd = opened("a", O_RDONLY);
	dir = opened("d", O_RDONLY);
	EXPECT_EQ(x_renameat(AT_FDCWD, "a", dir, "b"), 0);
	EXPECT_EQ(x_rename("d", "e"), 0);
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	snprintf(expected, sizeof(expected), "%s/e/b", cwd);
	n = x_readlink(self, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	EXPECT_STREQ(text, expected);
	EXPECT_EQ(x_unlinkat(dir, "b", 0), 0);
	EXPECT_EQ(x_close(dir), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(rename, links_are_moved_not_followed)
{
	/* rename(2): a link as oldpath is renamed, as newpath overwritten. */
	yard();
	make_file("f", 5);
	make_link("f", "l");
	make_file("g", 6);
	EXPECT_EQ(x_rename("l", "m"), 0);
	EXPECT(S_ISLNK(lstat_of("m").st_mode));
	EXPECT_EQ(x_rename("g", "m"), 0);
	EXPECT(S_ISREG(lstat_of("m").st_mode));
	EXPECT_EQ(stat_of("f").st_size, 5);
}

TEST(rename, missing_name_goes_before_a_new_name_that_is_too_long)
{
	/* rename(2): ENOENT, ENAMETOOLONG. */
	char name[300];

	yard();
	make_file("f", 0);
	long_name(name, 256);
	EXPECT_FAILS(x_rename("none", name), ENOENT);
	EXPECT_FAILS(x_rename("f", name), ENAMETOOLONG);
	EXPECT_FAILS(x_renameat2(AT_FDCWD, "f", AT_FDCWD, name, RENAME_EXCHANGE), ENAMETOOLONG);
	EXPECT(is_there("f"));
}
