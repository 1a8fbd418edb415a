// SPDX-License-Identifier: MIT
/*
 * What Linux promises of directories: mkdir(2), rmdir(2), getdents(2); sizes and links as tmpfs has them.
 */
#include "abi_tree.h"

#include <limits.h>

/* ---- mkdir and rmdir ---- */

TEST(dirs, mkdir_makes_an_empty_directory)
{
	/* mkdir(2): mode & ~umask & 01777. */
	struct stat st;

	yard();
	EXPECT_EQ(x_mkdir("d", 07777), 0);
	st = stat_of("d");
	EXPECT_EQ(st.st_mode, S_IFDIR | 01755);
	EXPECT_EQ(st.st_nlink, 2);
	EXPECT_EQ(st.st_size, 40);
	EXPECT_EQ(st.st_blocks, 0);
	EXPECT_EQ(stat_of(".").st_nlink, 3);
	EXPECT_EQ(stat_of(".").st_size, 60);
	EXPECT_EQ(stat_of("d/..").st_ino, stat_of(".").st_ino);
	EXPECT_EQ(x_mkdir("e/", 0755), 0);
	EXPECT_EQ(x_mkdir("d/sub//", 0755), 0);
	EXPECT_EQ(stat_of("d").st_nlink, 3);
}

TEST(dirs, mkdir_refusals)
{
	/* mkdir(2): EEXIST, ENOENT, ENOTDIR, EBADF. */
	yard();
	make_file("f", 0);
	make_link("none", "l");
	EXPECT_FAILS(x_mkdir("f", 0755), EEXIST);
	EXPECT_FAILS(x_mkdir("f/", 0755), EEXIST);
	EXPECT_FAILS(x_mkdir("l", 0755), EEXIST);
	EXPECT_FAILS(x_mkdir(".", 0755), EEXIST);
	EXPECT_FAILS(x_mkdir("..", 0755), EEXIST);
	EXPECT_FAILS(x_mkdir("/", 0755), EEXIST);
	EXPECT_FAILS(x_mkdir("", 0755), ENOENT);
	EXPECT_FAILS(x_mkdir("none/d", 0755), ENOENT);
	EXPECT_FAILS(x_mkdir("f/d", 0755), ENOTDIR);
	EXPECT_FAILS(x_mkdirat(-1, "d", 0755), EBADF);
}

TEST(dirs, mkdirat_starts_at_a_directory)
{
	/* mkdir(2). */
	int dir, file;

	yard();
	make_dir("d");
	dir = opened("d", O_RDONLY);
	file = opened("f", O_CREAT | O_RDWR);
	EXPECT_EQ(x_mkdirat(dir, "e", 0755), 0);
	EXPECT(is_there("d/e"));
	EXPECT_FAILS(x_mkdirat(file, "e", 0755), ENOTDIR);
	EXPECT_EQ(x_close(file), 0);
	EXPECT_EQ(x_close(dir), 0);
}

TEST(dirs, rmdir_removes_an_empty_directory_only)
{
	/* rmdir(2): EBUSY, EINVAL, ENOENT, ENOTDIR, ENOTEMPTY. */
	yard();
	make_dir("d");
	make_dir("d/e");
	make_file("f", 0);
	make_link("d", "l");
	EXPECT_FAILS(x_rmdir("d"), ENOTEMPTY);
	EXPECT_FAILS(x_rmdir("f"), ENOTDIR);
	EXPECT_FAILS(x_rmdir("f/x"), ENOTDIR);
	EXPECT_FAILS(x_rmdir("l"), ENOTDIR);
	EXPECT_FAILS(x_rmdir("l/"), ENOTDIR);
	EXPECT_FAILS(x_rmdir("none"), ENOENT);
	EXPECT_FAILS(x_rmdir(""), ENOENT);
	EXPECT_FAILS(x_rmdir("d/."), EINVAL);
	EXPECT_FAILS(x_rmdir("d/e/.."), ENOTEMPTY);
	EXPECT_FAILS(x_rmdir("/"), EBUSY);
	EXPECT_EQ(x_rmdir("d/e/"), 0);
	EXPECT_EQ(stat_of("d").st_nlink, 2);
	EXPECT_EQ(x_rmdir("d"), 0);
	EXPECT(!is_there("d"));
}

TEST(dirs, names_change_size_and_links)
{
	/* mm/shmem.c: 20 bytes a name; a link for each directory in it. */
	yard();
	make_file("f", 0);
	make_link("f", "l");
	make_dir("d");
	EXPECT_EQ(stat_of(".").st_size, 100);
	EXPECT_EQ(stat_of(".").st_nlink, 3);
	EXPECT_EQ(x_unlink("l"), 0);
	EXPECT_EQ(x_rename("f", "d/f"), 0);
	EXPECT_EQ(stat_of(".").st_size, 60);
	EXPECT_EQ(stat_of("d").st_size, 60);
}

/* ---- getdents ---- */

/* One entry, as the kernel lays it out. */
struct entry {
	uint64_t ino;
	int64_t off;
	uint16_t reclen;
	uint8_t type;
	char name[1];
} __attribute__((packed));

/* The next entry in buf, or NULL. */
static const struct entry *entry_at(const char *buf, ssize_t n, ssize_t at)
{
	return at < n ? (const struct entry *)(const void *)(buf + at) : NULL;
}

/* Names from the descriptor's offset on, each with a space behind. */
static void names_of(int fd, char *names, size_t size, size_t bufsize)
{
	char buf[1024];
	ssize_t n;

	names[0] = '\0';
	while ((n = x_getdents64(fd, buf, bufsize)) > 0)
		for (ssize_t at = 0; at < n; at += entry_at(buf, n, at)->reclen) {
			strncat(names, entry_at(buf, n, at)->name, size - strlen(names) - 1);
			strncat(names, " ", size - strlen(names) - 1);
		}
	EXPECT_EQ(n, 0);
}

TEST(dirs, getdents_tells_of_all_entries_the_newest_first)
{
	/* getdents(2); the order is that of tmpfs, fs/libfs.c. */
	char names[256];
	int fd;

	if (linux_release() < 6007)
		SKIP("tmpfs lists in another order before 6.7");
	yard();
	fd = opened(".", O_RDONLY);
	names_of(fd, names, sizeof(names), 512);
	EXPECT_STREQ(names, ". .. ");
	make_file("a", 0);
	make_dir("b");
	make_link("x", "c");
	EXPECT_EQ(x_lseek(fd, 0, SEEK_SET), 0);
	names_of(fd, names, sizeof(names), 512);
	EXPECT_STREQ(names, ". .. c b a ");
	EXPECT_EQ(x_lseek(fd, 0, SEEK_SET), 0);
	names_of(fd, names, sizeof(names), 24);
	EXPECT_STREQ(names, ". .. c b a ");
	EXPECT_EQ(x_close(fd), 0);
}

TEST(dirs, getdents_tells_number_type_and_length)
{
	/* getdents(2): d_ino, d_type, d_reclen. */
	const struct entry *entry;
	char buf[512];
	ssize_t n, at = 0;
	int fd, seen = 0;

	yard();
	make_file("a_longer_name", 0);
	make_dir("b");
	make_link("x", "c");
	fd = opened(".", O_RDONLY);
	n = x_getdents64(fd, buf, sizeof(buf));
	while ((entry = entry_at(buf, n, at)) != NULL) {
		struct stat st = lstat_of(entry->name);

		EXPECT_EQ(entry->ino, st.st_ino);
		EXPECT_EQ(entry->type, IFTODT(st.st_mode));
		EXPECT_EQ(entry->reclen, (19 + strlen(entry->name) + 1 + 7) / 8 * 8);
		at += entry->reclen;
		seen++;
	}
	EXPECT_EQ(seen, 5);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(dirs, offset_of_an_entry_leads_behind_it)
{
	/* getdents(2): d_off; seekdir(3). */
	char buf[512], again[512];
	ssize_t n, rest;
	int fd;

	yard();
	for (char name[2] = "a"; name[0] <= 'f'; name[0]++)
		make_file(name, 0);
	fd = opened(".", O_RDONLY);
	n = x_getdents64(fd, buf, sizeof(buf));
	REQUIRE(n > 0);
	for (ssize_t at = 0; at < n; at += entry_at(buf, n, at)->reclen) {
		const struct entry *entry = entry_at(buf, n, at);

		EXPECT_EQ(x_lseek(fd, entry->off, SEEK_SET), entry->off);
		rest = x_getdents64(fd, again, sizeof(again));
		EXPECT_EQ(rest, n - at - entry->reclen);
		if (rest > 0)
			EXPECT_STREQ(entry_at(again, rest, 0)->name, entry_at(buf, n, at + entry->reclen)->name);
	}
	EXPECT_EQ(x_close(fd), 0);
}

TEST(dirs, removing_while_listing_loses_no_other_entry)
{
	/* readdir(3): files that are removed or added meanwhile may be told of or not; the others are. */
	char buf[64], names[64] = "", name[2] = "a";
	ssize_t n;
	int fd;

	yard();
	for (; name[0] <= 'j'; name[0]++)
		make_file(name, 0);
	fd = opened(".", O_RDONLY);
	while ((n = x_getdents64(fd, buf, 48)) > 0)
		for (ssize_t at = 0; at < n; at += entry_at(buf, n, at)->reclen) {
			const struct entry *entry = entry_at(buf, n, at);

			if (entry->name[0] == '.')
				continue;
			strcat(names, entry->name);
			EXPECT_EQ(x_unlink(entry->name), 0);
		}
	EXPECT_EQ(n, 0);
	EXPECT_EQ(strlen(names), 10);
	EXPECT_EQ(x_close(fd), 0);
	EXPECT_EQ(stat_of(".").st_size, 40);
}

TEST(dirs, getdents_refusals)
{
	/* getdents(2): EBADF, EFAULT, EINVAL, ENOENT, ENOTDIR. */
	char buf[64];
	int fd, file;

	yard();
	make_dir("d");
	fd = opened("d", O_RDONLY);
	file = opened("f", O_CREAT | O_RDWR);
	EXPECT_FAILS(x_getdents64(fd, buf, 8), EINVAL);
	EXPECT_FAILS(x_getdents64(fd, ubuf(unmapped_page()), 64), EFAULT);
	EXPECT_FAILS(x_getdents64(file, buf, sizeof(buf)), ENOTDIR);
	EXPECT_FAILS(x_getdents64(-1, buf, sizeof(buf)), EBADF);
	EXPECT_EQ(x_rmdir("d"), 0);
	EXPECT_FAILS(x_getdents64(fd, buf, sizeof(buf)), ENOENT);
	EXPECT_EQ(x_close(file), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(dirs, many_names_are_all_found)
{
	/* Any directory holds as many names as there is memory for. */
	enum { MANY = 1000 };
	char name[16], buf[4096];
	int fd, seen = 0;
	ssize_t n;

	yard();
	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "file%d", i);
		SETUP(x_mknod(name, S_IFREG | 0644, 0) == 0);
	}
	fd = opened(".", O_RDONLY);
	while ((n = x_getdents64(fd, buf, sizeof(buf))) > 0)
		for (ssize_t at = 0; at < n; at += entry_at(buf, n, at)->reclen)
			seen++;
	EXPECT_EQ(seen, MANY + 2);
	EXPECT_EQ(x_close(fd), 0);
	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "file%d", i);
		EXPECT_EQ(x_unlink(name), 0);
	}
	EXPECT_EQ(stat_of(".").st_size, 40);
}

TEST(dirs, one_call_fills_a_large_buffer)
{
	/* getdents(2): as many as there is room for. */
	enum { FILES = 200, ROOM = 40 * FILES };
	_Alignas(8) static char room[ROOM];
	char name[16];
	int fd;

	yard();
	for (int i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "file%03d", i);
		make_file(name, 0);
	}
	fd = opened(".", O_RDONLY | O_DIRECTORY);
	EXPECT_EQ(x_getdents64(fd, room, sizeof(room)), 2 * 24 + FILES * 32);
	EXPECT_EQ(x_lseek(fd, 0, SEEK_CUR), INT_MAX); /* the end of any directory of a tmpfs */
	EXPECT_EQ(x_getdents64(fd, room, sizeof(room)), 0);
	EXPECT_FAILS(x_read(fd, room, 10), EISDIR);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(dirs, listing_with_NOATIME_stamps_nothing)
{
	/* open(2), O_NOATIME. */
	const struct timespec long_ago[2] = { { 1000, 0 }, { 2000, 0 } };
	_Alignas(8) char room[500];
	int fd;

	yard();
	make_dir("d");
	SETUP(x_utimensat(AT_FDCWD, "d", long_ago, 0) == 0);
	fd = opened("d", O_RDONLY | O_DIRECTORY | O_NOATIME);
	EXPECT(x_getdents64(fd, room, sizeof(room)) > 0);
	EXPECT_EQ(stat_of("d").st_atim.tv_sec, 1000);
	EXPECT_EQ(x_close(fd), 0);
	fd = opened("d", O_RDONLY | O_DIRECTORY);
	EXPECT(x_getdents64(fd, room, sizeof(room)) > 0);
	EXPECT(stat_of("d").st_atim.tv_sec > 2000);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(dirs, truncate_by_path_of_an_empty_file_to_nothing_stamps_nothing)
{
	/*
	 * Unlike ftruncate and O_TRUNC (fs/open.c, do_truncate), and of a file with pages (mm/shmem.c, shmem_setattr).
	 */
	const struct timespec long_ago[2] = { { 1000, 0 }, { 2000, 0 } };
	int fd;

	yard();
	make_file("f", 0);
	SETUP(x_utimensat(AT_FDCWD, "f", long_ago, 0) == 0);
	EXPECT_EQ(x_truncate("f", 0), 0);
	EXPECT_EQ(stat_of("f").st_mtim.tv_sec, 2000);
	fd = opened("f", O_RDWR);
	EXPECT_EQ(x_ftruncate(fd, 0), 0);
	EXPECT(stat_of("f").st_mtim.tv_sec > 2000);
	SETUP(x_write(fd, "x", 1) == 1 && x_futimens(fd, long_ago) == 0);
	EXPECT_EQ(x_truncate("f", 1), 0);
	EXPECT(stat_of("f").st_mtim.tv_sec > 2000);
	EXPECT_EQ(x_close(fd), 0);
}
