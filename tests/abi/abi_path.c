// SPDX-License-Identifier: MIT
/*
 * What Linux promises of walks along paths: path_resolution(7), symlink(7), stat(2), readlink(2), chdir(2), getcwd(3).
 */
#include "abi_tree.h"

#include <stdlib.h>
#include <sys/sysmacros.h>

/* ---- the walk ---- */

TEST(path, missing_component_fails_ENOENT)
{
	/* path_resolution(7). */
	struct stat st;

	yard();
	make_dir("d");
	make_link("none", "l");
	EXPECT_FAILS(x_stat("none", &st), ENOENT);
	EXPECT_FAILS(x_stat("none/x", &st), ENOENT);
	EXPECT_FAILS(x_stat("d/none/x", &st), ENOENT);
	EXPECT_FAILS(x_stat("l", &st), ENOENT);
	EXPECT_FAILS(x_stat("l/x", &st), ENOENT);
	EXPECT_FAILS(x_stat("", &st), ENOENT);
	EXPECT_FAILS(x_lstat("", &st), ENOENT);
}

TEST(path, file_used_as_a_directory_fails_ENOTDIR)
{
	/* path_resolution(7); a path that ends in a slash leads to a directory. */
	struct stat st;

	yard();
	make_file("f", 0);
	make_link("f", "l");
	EXPECT_FAILS(x_stat("f/x", &st), ENOTDIR);
	EXPECT_FAILS(x_stat("f/.", &st), ENOTDIR);
	EXPECT_FAILS(x_stat("f/..", &st), ENOTDIR);
	EXPECT_FAILS(x_stat("f/", &st), ENOTDIR);
	EXPECT_FAILS(x_lstat("f/", &st), ENOTDIR);
	EXPECT_FAILS(x_lstat("l/", &st), ENOTDIR);
	EXPECT_FAILS(x_stat("l/x", &st), ENOTDIR);
	EXPECT_FAILS(x_chdir("f"), ENOTDIR);
	EXPECT_FAILS(x_chdir("l/"), ENOTDIR);
}

TEST(path, slashes_and_dots_do_not_count)
{
	/* path_resolution(7): empty components, ".", "..". */
	struct stat st;
	ino_t d;

	yard();
	make_dir("d");
	make_dir("d/e");
	d = stat_of("d").st_ino;
	EXPECT_EQ(stat_of("d/").st_ino, d);
	EXPECT_EQ(stat_of(".//d///").st_ino, d);
	EXPECT_EQ(stat_of("./d/./").st_ino, d);
	EXPECT_EQ(stat_of("d/e/..").st_ino, d);
	EXPECT_EQ(stat_of("d/e/../../d").st_ino, d);
	EXPECT_EQ(stat_of("/..").st_ino, stat_of("/").st_ino);
	EXPECT_EQ(stat_of("/../..//").st_ino, stat_of("/").st_ino);
	EXPECT_FAILS(x_stat("d/none/..", &st), ENOENT);
}

TEST(path, name_of_255_bytes_is_the_longest)
{
	/* path_resolution(7): NAME_MAX; the directory must be there first. */
	char name[300], path[310];
	struct stat st;

	yard();
	make_file(long_name(name, 255), 0);
	EXPECT_EQ(x_stat(name, &st), 0);
	EXPECT_EQ(x_unlink(name), 0);
	long_name(name, 256);
	EXPECT_FAILS(x_stat(name, &st), ENAMETOOLONG);
	EXPECT_FAILS(x_open(name, O_CREAT | O_RDWR, 0644), ENAMETOOLONG);
	EXPECT_FAILS(x_mkdir(name, 0755), ENAMETOOLONG);
	EXPECT_FAILS(x_unlink(name), ENAMETOOLONG);
	EXPECT_FAILS(x_rmdir(name), ENAMETOOLONG);
	EXPECT_FAILS(x_rename(name, "x"), ENAMETOOLONG);
	EXPECT_FAILS(x_symlink("x", name), ENAMETOOLONG);
	snprintf(path, sizeof(path), "none/%s", name);
	EXPECT_FAILS(x_stat(path, &st), ENOENT);
}

TEST(path, path_of_4095_bytes_is_the_longest)
{
	/* path_resolution(7): PATH_MAX counts the NUL. */
	char path[4200];
	struct stat st;

	yard();
	memset(path, '/', sizeof(path));
	path[0] = '.';
	path[4095] = '\0';
	EXPECT_EQ(x_stat(path, &st), 0);
	path[4095] = '/';
	path[4096] = '\0';
	EXPECT_FAILS(x_stat(path, &st), ENAMETOOLONG);
	EXPECT_FAILS(x_open(path, O_RDONLY), ENAMETOOLONG);
	EXPECT_FAILS(x_unlink(path), ENAMETOOLONG);
	EXPECT_FAILS(x_symlink(path, "l"), ENAMETOOLONG);
	path[4095] = '\0';
	EXPECT_EQ(x_symlink(path, "l"), 0);
	EXPECT_EQ(lstat_of("l").st_size, 4095);
}

TEST(path, that_cannot_be_read_fails_EFAULT)
{
	/* stat(2), unlink(2) ...: EFAULT. */
	addr_t bad = unmapped_page();
	struct stat st;

	yard();
	make_file("f", 0);
	EXPECT_FAILS(x_stat(ubuf(bad), &st), EFAULT);
	EXPECT_FAILS(x_stat("f", ubuf(bad)), EFAULT);
	EXPECT_FAILS(x_lstat("f", ubuf(bad)), EFAULT);
	EXPECT_FAILS(x_unlink(ubuf(bad)), EFAULT);
	EXPECT_FAILS(x_mkdir(ubuf(bad), 0755), EFAULT);
	EXPECT_FAILS(x_rmdir(ubuf(bad)), EFAULT);
	EXPECT_FAILS(x_rename(ubuf(bad), "x"), EFAULT);
	EXPECT_FAILS(x_rename("f", ubuf(bad)), EFAULT);
	EXPECT_FAILS(x_link("f", ubuf(bad)), EFAULT);
	EXPECT_FAILS(x_symlink(ubuf(bad), "x"), EFAULT);
	EXPECT_FAILS(x_chdir(ubuf(bad)), EFAULT);
	EXPECT_FAILS(x_chmod(ubuf(bad), 0644), EFAULT);
	EXPECT_FAILS(x_access(ubuf(bad), F_OK), EFAULT);
	EXPECT_FAILS(x_truncate(ubuf(bad), 0), EFAULT);
	EXPECT(is_there("f"));
}

/* ---- symbolic links ---- */

TEST(path, links_are_followed_on_the_way_and_at_the_end)
{
	/* symlink(7): relative to the directory that the link is in, or absolute. */
	char cwd[128], absolute[160];
	struct stat st;

	yard();
	EXPECT(x_getcwd(cwd, sizeof(cwd)) != NULL);
	snprintf(absolute, sizeof(absolute), "%s/d/f", cwd);
	make_dir("d");
	make_dir("e");
	make_file("d/f", 3);
	make_link("../d", "e/to_d");
	make_link("to_d/f", "e/to_f");
	make_link(absolute, "e/to_absolute");
	make_link("/", "root");
	EXPECT_EQ(stat_of("e/to_f").st_size, 3);
	EXPECT_EQ(stat_of("e/to_d/f").st_size, 3);
	EXPECT_EQ(stat_of("e/to_absolute").st_size, 3);
	EXPECT_EQ(stat_of("e/to_d/../e/to_f").st_size, 3);
	EXPECT_EQ(stat_of("root/").st_ino, stat_of("/").st_ino);
	EXPECT_EQ(stat_of("root").st_ino, stat_of("/").st_ino);
	EXPECT_EQ(x_stat("root/dev/shm", &st), 0);
	EXPECT(S_ISLNK(lstat_of("e/to_d").st_mode));
	EXPECT(S_ISDIR(lstat_of("e/to_d/").st_mode));
}

TEST(path, forty_links_may_be_followed_and_no_more)
{
	/* path_resolution(7): ELOOP at more than 40. */
	char from[16], to[16];
	struct stat st;

	yard();
	make_file("l0", 1);
	for (int i = 1; i <= 41; i++) {
		snprintf(from, sizeof(from), "l%d", i);
		snprintf(to, sizeof(to), "l%d", i - 1);
		make_link(to, from);
	}
	EXPECT_EQ(x_stat("l40", &st), 0);
	EXPECT_FAILS(x_stat("l41", &st), ELOOP);
	EXPECT_EQ(x_lstat("l41", &st), 0);
	EXPECT_FAILS(x_open("l41", O_RDONLY), ELOOP);
}

TEST(path, links_in_a_ring_fail_ELOOP)
{
	/* path_resolution(7). */
	struct stat st;

	yard();
	make_link("a", "a");
	make_link("c/x", "b");
	make_link("b", "c");
	EXPECT_FAILS(x_stat("a", &st), ELOOP);
	EXPECT_FAILS(x_stat("a/x", &st), ELOOP);
	EXPECT_FAILS(x_stat("b", &st), ELOOP);
	EXPECT_FAILS(x_open("a", O_CREAT | O_RDWR, 0644), ELOOP);
	EXPECT_FAILS(x_chdir("a"), ELOOP);
	EXPECT_FAILS(x_truncate("a", 0), ELOOP);
}

TEST(path, links_in_the_middle_count_too)
{
	/* path_resolution(7): 40 in the whole walk. */
	char path[256] = "";
	struct stat st;

	yard();
	make_link(".", "l");
	for (int i = 0; i < 40; i++)
		strcat(path, "l/");
	EXPECT_EQ(x_stat(path, &st), 0);
	strcat(path, "l/");
	EXPECT_FAILS(x_stat(path, &st), ELOOP);
}

TEST(path, readlink_tells_the_text)
{
	/* readlink(2): no NUL, cut to the size; EINVAL. */
	char text[16] = "----------";

	yard();
	make_link("target", "l");
	make_file("f", 0);
	EXPECT_EQ(x_readlink("l", text, sizeof(text)), 6);
	EXPECT_EQ(memcmp(text, "target----", 10), 0);
	EXPECT_EQ(x_readlink("l", text, 3), 3);
	EXPECT_FAILS(x_readlink("l", text, 0), EINVAL);
	EXPECT_FAILS(x_readlink("f", text, sizeof(text)), EINVAL);
	EXPECT_FAILS(x_readlink(".", text, sizeof(text)), EINVAL);
	EXPECT_FAILS(x_readlink("none", text, sizeof(text)), ENOENT);
	EXPECT_FAILS(x_readlink("l/", text, sizeof(text)), ENOENT);
	EXPECT_FAILS(x_readlink("l", ubuf(unmapped_page()), 8), EFAULT);
	EXPECT_FAILS(x_readlinkat(AT_FDCWD, "", text, sizeof(text)), ENOENT);
}

TEST(path, symlink_makes_a_link_of_any_text)
{
	/* symlink(2): EEXIST, ENOENT; size is the text's length, mode 0777. */
	struct stat st;

	yard();
	x_umask(077);
	EXPECT_EQ(x_symlink("some where/that is/not", "l"), 0);
	x_umask(022);
	st = lstat_of("l");
	EXPECT_EQ(st.st_mode, S_IFLNK | 0777);
	EXPECT_EQ(st.st_size, 22);
	EXPECT_EQ(st.st_nlink, 1);
	EXPECT_FAILS(x_symlink("x", "l"), EEXIST);
	EXPECT_FAILS(x_symlink("x", "."), EEXIST);
	EXPECT_FAILS(x_symlink("", "m"), ENOENT);
	EXPECT_FAILS(x_symlink("x", ""), ENOENT);
	EXPECT_FAILS(x_symlink("x", "none/m"), ENOENT);
	EXPECT_FAILS(x_symlink("x", "m/"), ENOENT);
	EXPECT_FAILS(x_symlink("x", "l/m"), ENOENT);
	EXPECT_EQ(x_symlinkat("x", AT_FDCWD, "m"), 0);
}

TEST(path, long_link_takes_a_block)
{
	/* mm/shmem.c: a text of 128 bytes and more has a page. */
	char text[200];

	yard();
	make_link(long_name(text, 127), "short");
	make_link(long_name(text, 128), "long");
	EXPECT_EQ(lstat_of("short").st_blocks, 0);
	EXPECT_EQ(lstat_of("long").st_blocks, 8);
}

/* ---- stat ---- */

TEST(path, fstatat_knows_its_flags)
{
	/* stat(2), fstatat. */
	struct stat st;
	int dir;

	yard();
	make_dir("d");
	make_file("d/f", 3);
	make_link("f", "d/l");
	dir = opened("d", O_RDONLY);
	EXPECT_EQ(x_fstatat(dir, "f", &st, 0), 0);
	EXPECT_EQ(st.st_size, 3);
	EXPECT_EQ(x_fstatat(dir, "l", &st, 0), 0);
	EXPECT(S_ISREG(st.st_mode));
	EXPECT_EQ(x_fstatat(dir, "l", &st, AT_SYMLINK_NOFOLLOW), 0);
	EXPECT(S_ISLNK(st.st_mode));
	EXPECT_EQ(x_fstatat(dir, "", &st, AT_EMPTY_PATH), 0);
	EXPECT(S_ISDIR(st.st_mode));
	EXPECT_EQ(x_fstatat(AT_FDCWD, "", &st, AT_EMPTY_PATH), 0);
	EXPECT_EQ(st.st_ino, stat_of(".").st_ino);
	EXPECT_FAILS(x_fstatat(dir, "", &st, 0), ENOENT);
	EXPECT_FAILS(x_fstatat(dir, "f", &st, 0x8), EINVAL);
	EXPECT_FAILS(x_fstatat(-1, "f", &st, 0), EBADF);
	EXPECT_FAILS(x_fstatat(-1, "", &st, AT_EMPTY_PATH), EBADF);
	EXPECT_EQ(x_close(dir), 0);
}

TEST(path, stat_tells_what_fstat_tells)
{
	/* stat(2). */
	struct stat by_fd, by_path;
	int fd;

	yard();
	fd = opened("f", O_CREAT | O_RDWR);
	EXPECT_EQ(x_write(fd, "12345", 5), 5);
	EXPECT_EQ(x_fstat(fd, &by_fd), 0);
	by_path = stat_of("f");
	EXPECT_EQ(by_path.st_dev, by_fd.st_dev);
	EXPECT_EQ(by_path.st_ino, by_fd.st_ino);
	EXPECT_EQ(by_path.st_size, 5);
	EXPECT_EQ(by_path.st_blocks, 8);
	EXPECT_EQ(by_path.st_blksize, PAGE);
	EXPECT_EQ(by_path.st_mtim.tv_nsec, by_fd.st_mtim.tv_nsec);
	EXPECT_EQ(by_path.st_dev, stat_of(".").st_dev);
	EXPECT_EQ(x_close(fd), 0);
}

/* ---- the working directory ---- */

TEST(path, chdir_and_getcwd_agree)
{
	/* chdir(2), getcwd(3). */
	char first[128], now[160], expected[160];
	int dir;

	yard();
	make_dir("d");
	make_dir("d/e");
	EXPECT(x_getcwd(first, sizeof(first)) != NULL);
	EXPECT_EQ(x_chdir("d/e"), 0);
	snprintf(expected, sizeof(expected), "%s/d/e", first);
	EXPECT(x_getcwd(now, sizeof(now)) != NULL);
	EXPECT_STREQ(now, expected);
	dir = opened("..", O_RDONLY);
	EXPECT_EQ(x_chdir("/"), 0);
	EXPECT(x_getcwd(now, sizeof(now)) != NULL);
	EXPECT_STREQ(now, "/");
	EXPECT_EQ(x_fchdir(dir), 0);
	EXPECT(is_there("e"));
	EXPECT_EQ(x_close(dir), 0);
	EXPECT_FAILS(x_chdir("none"), ENOENT);
	EXPECT_FAILS(x_chdir(""), ENOENT);
	EXPECT_FAILS(x_fchdir(-1), EBADF);
}

TEST(path, fchdir_of_what_is_no_directory_fails)
{
	/* chdir(2): ENOTDIR, EBADF. */
	int fd;

	yard();
	fd = opened("f", O_CREAT | O_RDWR);
	EXPECT_FAILS(x_fchdir(fd), ENOTDIR);
	EXPECT_EQ(x_close(fd), 0);
	EXPECT_FAILS(x_fchdir(fd), EBADF);
	fd = memfd(1);
	EXPECT_FAILS(x_fchdir(fd), ENOTDIR);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(path, getcwd_needs_room)
{
	/* getcwd(3): ERANGE; EINVAL for no room at all. */
	char now[160];
	size_t len;

	yard();
	EXPECT(x_getcwd(now, sizeof(now)) != NULL);
	len = strlen(now);
	EXPECT(x_getcwd(now, len + 1) != NULL);
	EXPECT(x_getcwd(now, len) == NULL);
	EXPECT_EQ(errno, ERANGE);
	EXPECT(x_getcwd(now, 1) == NULL);
	EXPECT_EQ(errno, ERANGE);
	EXPECT(x_getcwd(now, 0) == NULL);
	EXPECT_EQ(errno, EINVAL);
}

TEST(path, working_directory_that_was_removed_is_dead)
{
	/* rmdir(2), getcwd(3): ENOENT; nothing can be made there; ".." leads on. */
	char now[160];
	struct stat st;

	yard();
	make_dir("d");
	EXPECT_EQ(x_chdir("d"), 0);
	EXPECT_EQ(x_rmdir("../d"), 0);
	EXPECT(x_getcwd(now, sizeof(now)) == NULL);
	EXPECT_EQ(errno, ENOENT);
	EXPECT_FAILS(x_open("f", O_CREAT | O_RDWR, 0644), ENOENT);
	EXPECT_FAILS(x_mkdir("e", 0755), ENOENT);
	EXPECT_FAILS(x_symlink("x", "l"), ENOENT);
	EXPECT_FAILS(x_stat("f", &st), ENOENT);
	EXPECT_EQ(x_stat(".", &st), 0);
	EXPECT_EQ(st.st_nlink, 0);
	EXPECT_EQ(x_chdir(".."), 0);
	EXPECT(!is_there("d"));
}

TEST(path, getcwd_follows_renames)
{
	/* getcwd(3): the path as it is now. */
	char first[128], now[160], expected[160];

	yard();
	EXPECT(x_getcwd(first, sizeof(first)) != NULL);
	make_dir("a");
	make_dir("a/b");
	make_dir("c");
	EXPECT_EQ(x_chdir("a/b"), 0);
	EXPECT_EQ(x_rename("../../a", "../../c/moved"), 0);
	EXPECT(x_getcwd(now, sizeof(now)) != NULL);
	snprintf(expected, sizeof(expected), "%s/c/moved/b", first);
	EXPECT_STREQ(now, expected);
	EXPECT_EQ(stat_of("../..").st_ino, stat_of(first).st_ino == 0 ? 0 : stat_of("../../../c").st_ino);
}

static int child_moves(void *unused)
{
	char now[160];

	(void)unused;
	CHILD_EXPECT(x_getcwd(now, sizeof(now)) != NULL);
	CHILD_EXPECT(is_there("d"));
	CHILD_EXPECT(x_chdir("d") == 0);
	CHILD_EXPECT(x_umask(0) == 077);
	return 0;
}

TEST(path, fork_copies_working_directory_and_umask)
{
	/* fork(2): what the child changes is its own. */
	yard();
	make_dir("d");
	x_umask(077);
	EXPECT_EQ(in_child(child_moves, NULL), 0);
	EXPECT(is_there("d"));
	EXPECT_EQ(x_umask(022), 077);
}

TEST(path, umask_gives_the_old_one_and_keeps_permission_bits)
{
	/* umask(2). */
	x_umask(022);
	EXPECT_EQ(x_umask(07777), 022);
	EXPECT_EQ(x_umask(022), 0777);
}

/* ---- truncate ---- */

TEST(path, truncate_sets_the_size)
{
	/* truncate(2): EINVAL, EISDIR, ENOENT. */
	char byte = 1;
	int fd;

	yard();
	make_file("f", 8);
	make_dir("d");
	make_link("f", "l");
	EXPECT_EQ(x_truncate("l", 3), 0);
	EXPECT_EQ(stat_of("f").st_size, 3);
	EXPECT_EQ(x_truncate("f", 5000), 0);
	fd = opened("f", O_RDONLY);
	EXPECT_EQ(x_pread(fd, &byte, 1, 4999), 1);
	EXPECT_EQ(byte, 0);
	EXPECT_EQ(x_close(fd), 0);
	EXPECT_FAILS(x_truncate("f", -1), EINVAL);
	EXPECT_FAILS(x_truncate("none", -1), EINVAL);
	EXPECT_FAILS(x_truncate("none", 0), ENOENT);
	EXPECT_FAILS(x_truncate("d", 0), EISDIR);
	EXPECT_FAILS(x_truncate("f/", 0), ENOTDIR);
	EXPECT_EQ(x_mknod("s", S_IFSOCK | 0644, 0), 0);
	EXPECT_FAILS(x_truncate("s", 0), EINVAL);
}
