// SPDX-License-Identifier: MIT
/*
 * What Linux promises of the names of files: link(2), unlink(2), mknod(2), and AF_UNIX names among them, unix(7).
 */
#include "abi_tree.h"

#include <sys/sysmacros.h>

/* ---- link ---- */

TEST(link, second_name_is_of_the_same_file)
{
	/* link(2). */
	struct stat a, b;

	yard();
	make_file("a", 3);
	EXPECT_EQ(x_link("a", "b"), 0);
	a = stat_of("a");
	b = stat_of("b");
	EXPECT_EQ(a.st_ino, b.st_ino);
	EXPECT_EQ(a.st_nlink, 2);
	EXPECT_EQ(x_truncate("b", 9), 0);
	EXPECT_EQ(stat_of("a").st_size, 9);
	EXPECT_EQ(x_unlink("a"), 0);
	EXPECT_EQ(stat_of("b").st_nlink, 1);
	EXPECT_EQ(stat_of("b").st_size, 9);
}

TEST(link, refusals)
{
	/* link(2): EEXIST, ENOENT, ENOTDIR, EPERM. */
	yard();
	make_file("a", 0);
	make_file("b", 0);
	make_dir("d");
	EXPECT_FAILS(x_link("a", "b"), EEXIST);
	EXPECT_FAILS(x_link("a", "a"), EEXIST);
	EXPECT_FAILS(x_link("a", "d"), EEXIST);
	EXPECT_FAILS(x_link("a", "."), EEXIST);
	EXPECT_FAILS(x_link("none", "c"), ENOENT);
	EXPECT_FAILS(x_link("none", "b"), ENOENT);
	EXPECT_FAILS(x_link("a", "none/c"), ENOENT);
	EXPECT_FAILS(x_link("a", "c/"), ENOENT);
	EXPECT_FAILS(x_link("a/", "c"), ENOTDIR);
	EXPECT_FAILS(x_link("a", "b/c"), ENOTDIR);
	EXPECT_FAILS(x_link("", "c"), ENOENT);
	EXPECT_FAILS(x_link("a", ""), ENOENT);
	EXPECT_FAILS(x_link("d", "e"), EPERM);
	EXPECT_FAILS(x_linkat(AT_FDCWD, "a", AT_FDCWD, "c", 1), EINVAL);
	EXPECT_FAILS(x_linkat(-1, "a", AT_FDCWD, "c", 0), EBADF);
	EXPECT_FAILS(x_linkat(AT_FDCWD, "a", -1, "c", 0), EBADF);
	EXPECT_EQ(stat_of("a").st_nlink, 1);
}

TEST(link, between_file_systems_fails_EXDEV)
{
	/* link(2), rename(2). */
	yard();
	make_file("a", 0);
	EXPECT_FAILS(x_link("a", "/tmp/ksim-abi-never-made"), EXDEV);
	EXPECT_FAILS(x_rename("a", "/tmp/ksim-abi-never-made"), EXDEV);
	EXPECT_FAILS(x_link("/proc/self/status", "x"), EXDEV);
}

TEST(link, of_a_symbolic_link_is_of_itself_unless_it_is_followed)
{
	/* link(2): linkat, AT_SYMLINK_FOLLOW. */
	yard();
	make_file("a", 0);
	make_link("a", "l");
	EXPECT_EQ(x_link("l", "m"), 0);
	EXPECT(S_ISLNK(lstat_of("m").st_mode));
	EXPECT_EQ(lstat_of("m").st_ino, lstat_of("l").st_ino);
	EXPECT_EQ(x_linkat(AT_FDCWD, "l", AT_FDCWD, "n", AT_SYMLINK_FOLLOW), 0);
	EXPECT_EQ(lstat_of("n").st_ino, stat_of("a").st_ino);
}

TEST(link, by_descriptor_names_what_it_is_open_on)
{
	/* link(2), AT_EMPTY_PATH; a file that has lost its last name stays nameless. */
	char self[32];
	int fd;

	yard();
	fd = opened("a", O_CREAT | O_RDWR);
	EXPECT_EQ(x_linkat(fd, "", AT_FDCWD, "b", AT_EMPTY_PATH), 0);
	EXPECT_EQ(stat_of("b").st_nlink, 2);
	EXPECT_FAILS(x_linkat(fd, "", AT_FDCWD, "c", 0), ENOENT);
	EXPECT_EQ(x_unlink("a"), 0);
	EXPECT_EQ(x_unlink("b"), 0);
	EXPECT_FAILS(x_linkat(fd, "", AT_FDCWD, "c", AT_EMPTY_PATH), ENOENT);
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	EXPECT_FAILS(x_linkat(AT_FDCWD, self, AT_FDCWD, "c", AT_SYMLINK_FOLLOW), ENOENT);
	EXPECT_EQ(x_close(fd), 0);
	fd = memfd(1);
	EXPECT_FAILS(x_linkat(fd, "", AT_FDCWD, "c", AT_EMPTY_PATH), EXDEV);
	EXPECT_EQ(x_close(fd), 0);
}

/* ---- unlink ---- */

TEST(link, unlink_refusals)
{
	/* unlink(2): EISDIR, ENOENT, ENOTDIR, EINVAL. */
	yard();
	make_file("f", 0);
	make_dir("d");
	make_link("none", "l");
	make_link("d", "ld");
	EXPECT_FAILS(x_unlink("none"), ENOENT);
	EXPECT_FAILS(x_unlink(""), ENOENT);
	EXPECT_FAILS(x_unlink("none/x"), ENOENT);
	EXPECT_FAILS(x_unlink("none/"), ENOENT);
	EXPECT_FAILS(x_unlink("f/x"), ENOTDIR);
	EXPECT_FAILS(x_unlink("f/"), ENOTDIR);
	EXPECT_FAILS(x_unlink("d"), EISDIR);
	EXPECT_FAILS(x_unlink("d/"), EISDIR);
	EXPECT_FAILS(x_unlink("."), EISDIR);
	EXPECT_FAILS(x_unlink("d/.."), EISDIR);
	EXPECT_FAILS(x_unlink("/"), EISDIR);
	EXPECT_FAILS(x_unlink("ld/"), ENOTDIR);
	EXPECT_FAILS(x_unlinkat(AT_FDCWD, "f", 1), EINVAL);
	EXPECT_FAILS(x_unlinkat(-1, "f", 0), EBADF);
	EXPECT_EQ(x_unlink("l"), 0);
	EXPECT_EQ(x_unlink("ld"), 0);
	EXPECT(is_there("d"));
	EXPECT(is_there("f"));
}

TEST(link, unlinkat_starts_at_a_directory_and_may_remove_one)
{
	/* unlink(2): unlinkat, AT_REMOVEDIR. */
	int dir;

	yard();
	make_dir("d");
	make_file("d/f", 0);
	make_dir("d/e");
	dir = opened("d", O_RDONLY);
	EXPECT_EQ(x_unlinkat(dir, "f", 0), 0);
	EXPECT_FAILS(x_unlinkat(dir, "f", 0), ENOENT);
	EXPECT_FAILS(x_unlinkat(dir, "e", 0), EISDIR);
	EXPECT_EQ(x_unlinkat(dir, "e", AT_REMOVEDIR), 0);
	EXPECT_EQ(x_close(dir), 0);
	EXPECT_EQ(x_rmdir("d"), 0);
}

TEST(link, names_of_proc_cannot_be_removed)
{
	/* fs/proc: no such operation. */
	EXPECT_FAILS(x_unlink("/proc/self/status"), EPERM);
	EXPECT_FAILS(x_unlink("/proc/none"), ENOENT);
	EXPECT_FAILS(x_mkdir("/proc/none", 0755), ENOENT);
	EXPECT_FAILS(x_open("/proc/none", O_CREAT | O_RDWR, 0644), ENOENT);
	EXPECT_FAILS(x_rmdir("/proc/self/fd"), EPERM);
}

/* ---- times ---- */

TEST(link, changes_stamp_the_file_and_its_directory)
{
	/* link(2), unlink(2), inode(7): ctime of the file, mtime and ctime of the directory. */
	struct stat file, dir, then;

	yard();
	make_dir("d");
	make_file("d/a", 0);
	file = stat_of("d/a");
	dir = stat_of("d");
	file_clock_tick();
	EXPECT_EQ(x_link("d/a", "d/b"), 0);
	EXPECT(later(stat_of("d/a").st_ctim, file.st_ctim));
	EXPECT_EQ(stat_of("d/a").st_mtim.tv_nsec, file.st_mtim.tv_nsec);
	EXPECT(later(stat_of("d").st_mtim, dir.st_mtim));
	EXPECT(later(stat_of("d").st_ctim, dir.st_ctim));
	then = stat_of("d/a");
	dir = stat_of("d");
	file_clock_tick();
	EXPECT_EQ(x_unlink("d/b"), 0);
	EXPECT(later(stat_of("d/a").st_ctim, then.st_ctim));
	EXPECT(later(stat_of("d").st_mtim, dir.st_mtim));
}

/* ---- mknod ---- */

TEST(link, mknod_makes_what_is_no_directory)
{
	/* mknod(2): no type is a regular file; EEXIST, EINVAL, EPERM, ENOENT. */
	yard();
	EXPECT_EQ(x_mknod("r", 0666, 0), 0);
	EXPECT_EQ(lstat_of("r").st_mode, S_IFREG | 0644);
	EXPECT_EQ(x_mknod("r2", S_IFREG | 0600, 0), 0);
	EXPECT_EQ(x_mknod("s", S_IFSOCK | 0777, 0), 0);
	EXPECT_EQ(lstat_of("s").st_mode, S_IFSOCK | 0755);
	EXPECT_EQ(x_mknod("p", S_IFIFO | 0600, 0), 0);
	EXPECT(S_ISFIFO(lstat_of("p").st_mode));
	EXPECT_FAILS(x_mknod("r", S_IFREG | 0600, 0), EEXIST);
	EXPECT_FAILS(x_mknod("d", S_IFDIR | 0700, 0), EPERM);
	EXPECT_FAILS(x_mknod("x", 0150000 | 0700, 0), EINVAL);
	EXPECT_FAILS(x_mknod("none/x", S_IFREG, 0), ENOENT);
	EXPECT_FAILS(x_mknod("x/", S_IFREG, 0), ENOENT);
	EXPECT_FAILS(x_mknod(".", S_IFREG, 0), EEXIST);
	EXPECT_EQ(x_close(opened("r", O_RDWR)), 0);
	EXPECT_FAILS(x_open("s", O_RDWR), ENXIO);
}

/* ---- sockets ---- */

static int bind_path(int sock, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	return x_bind(sock, (struct sockaddr *)&address, sizeof(address));
}

static int connect_path(int sock, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	return x_connect(sock, (struct sockaddr *)&address, sizeof(address));
}

static int stream_socket(void)
{
	int sock = x_socket(AF_UNIX, SOCK_STREAM, 0);

	SETUP(sock >= 0);
	return sock;
}

TEST(link, bind_makes_a_socket_file)
{
	/* unix(7): pathname sockets; the umask counts. */
	int sock = stream_socket();
	struct stat st;

	yard();
	x_umask(027);
	EXPECT_EQ(bind_path(sock, "s"), 0);
	x_umask(022);
	st = lstat_of("s");
	EXPECT_EQ(st.st_mode, S_IFSOCK | 0750);
	EXPECT_EQ(st.st_nlink, 1);
	EXPECT_FAILS(bind_path(sock, "t"), EINVAL);
	EXPECT(!is_there("t"));
	EXPECT_EQ(x_close(sock), 0);
	EXPECT(is_there("s"));
}

TEST(link, bind_refusals)
{
	/* unix(7), bind(2): EADDRINUSE, ENOENT, ENOTDIR. */
	int sock = stream_socket();

	yard();
	make_file("f", 0);
	make_dir("d");
	make_link("none", "l");
	EXPECT_FAILS(bind_path(sock, "f"), EADDRINUSE);
	EXPECT_FAILS(bind_path(sock, "d"), EADDRINUSE);
	EXPECT_FAILS(bind_path(sock, "l"), EADDRINUSE);
	EXPECT_FAILS(bind_path(sock, "none/s"), ENOENT);
	EXPECT_FAILS(bind_path(sock, "f/s"), ENOTDIR);
	EXPECT_FAILS(bind_path(sock, "s/"), ENOENT);
	EXPECT_EQ(bind_path(sock, "s"), 0);
	EXPECT_EQ(x_close(sock), 0);
}

TEST(link, connect_looks_the_file_up)
{
	/* unix(7), connect(2): ECONNREFUSED, ENOENT; by another path, a link, a second name, after a rename. */
	int server = stream_socket(), dead = stream_socket(), client;

	yard();
	make_dir("d");
	make_file("f", 0);
	make_link("../s", "d/l");
	EXPECT_EQ(bind_path(server, "s"), 0);
	EXPECT_EQ(x_listen(server, 8), 0);
	EXPECT_EQ(bind_path(dead, "dead"), 0);
	EXPECT_EQ(x_close(dead), 0);
	client = stream_socket();
	EXPECT_FAILS(connect_path(client, "none"), ENOENT);
	EXPECT_FAILS(connect_path(client, "f"), ECONNREFUSED);
	EXPECT_FAILS(connect_path(client, "d"), ECONNREFUSED);
	EXPECT_FAILS(connect_path(client, "dead"), ECONNREFUSED);
	EXPECT_EQ(connect_path(client, "d/../s"), 0);
	EXPECT_EQ(x_close(client), 0);
	client = stream_socket();
	EXPECT_EQ(connect_path(client, "d/l"), 0);
	EXPECT_EQ(x_close(client), 0);
	EXPECT_EQ(x_link("s", "second"), 0);
	EXPECT_EQ(x_rename("s", "d/moved"), 0);
	client = stream_socket();
	EXPECT_FAILS(connect_path(client, "s"), ENOENT);
	EXPECT_EQ(connect_path(client, "second"), 0);
	EXPECT_EQ(x_close(client), 0);
	client = stream_socket();
	EXPECT_EQ(connect_path(client, "d/moved"), 0);
	EXPECT_EQ(x_close(client), 0);
	EXPECT_EQ(x_close(server), 0);
}

TEST(link, name_of_a_closed_socket_can_be_removed_and_bound_again)
{
	/* unix(7): unlink before bind. */
	int sock = stream_socket(), client;

	yard();
	EXPECT_EQ(bind_path(sock, "s"), 0);
	EXPECT_EQ(x_close(sock), 0);
	sock = stream_socket();
	EXPECT_FAILS(bind_path(sock, "s"), EADDRINUSE);
	EXPECT_EQ(x_unlink("s"), 0);
	EXPECT_EQ(bind_path(sock, "s"), 0);
	EXPECT_EQ(x_listen(sock, 1), 0);
	client = stream_socket();
	EXPECT_EQ(connect_path(client, "s"), 0);
	EXPECT_EQ(x_close(client), 0);
	EXPECT_EQ(x_unlink("s"), 0);
	client = stream_socket();
	EXPECT_FAILS(connect_path(client, "s"), ENOENT);
	EXPECT_EQ(x_close(client), 0);
	EXPECT_EQ(x_close(sock), 0);
}
