// SPDX-License-Identifier: MIT
/*
 * What Linux promises of files in /proc to calls that make, move and change files: next to nothing. proc(5) and the
 * pages of the calls.
 */
#include "abi.h"

#include <dirent.h>

/* rename(2), renameat2(2). What is missing is told before what is forbidden. */
TEST(made_up, is_not_moved)
{
	char path[128];

	fresh_path(path, sizeof(path));
	EXPECT_FAILS(x_rename("/proc/version", "/proc/meminfo"), EPERM);
	EXPECT_FAILS(x_rename("/proc/version", "/proc/none"), ENOENT);
	EXPECT_FAILS(x_rename("/proc/none", "/proc/version"), ENOENT);
	EXPECT_FAILS(x_rename("/proc/self/status", "/proc/self/maps"), EPERM);
	EXPECT_FAILS(x_rename("/proc/self/status", "/proc/self/none"), ENOENT);
	EXPECT_FAILS(x_rename("/proc/version", path), EXDEV);
	EXPECT_FAILS(x_renameat2(AT_FDCWD, "/proc/self/status", AT_FDCWD, "/proc/self/maps", RENAME_EXCHANGE), EPERM);
	EXPECT_FAILS(x_renameat2(AT_FDCWD, "/proc/self/status", AT_FDCWD, "/proc/self/maps", RENAME_NOREPLACE), EEXIST);
	EXPECT_FAILS(x_renameat2(AT_FDCWD, "/proc/self/status", AT_FDCWD, "/proc/self/none", RENAME_NOREPLACE), ENOENT);
	EXPECT_EQ(x_access("/proc/version", F_OK), 0);
}

TEST(made_up, nothing_is_made_beside_it)
{
	char name[400] = "/proc/";

	memset(name + 6, 'a', sizeof(name) - 7);
	EXPECT_FAILS(x_open("/proc/none", O_CREAT | O_WRONLY, 0600), ENOENT);
	EXPECT_FAILS(x_open("/proc/self/none", O_CREAT | O_WRONLY, 0600), ENOENT);
	EXPECT_FAILS(x_open("/proc/version", O_CREAT | O_EXCL | O_RDONLY, 0600), EEXIST);
	EXPECT_FAILS(x_open("/proc", O_TMPFILE | O_WRONLY, 0600), EOPNOTSUPP);
	EXPECT_FAILS(x_link("/proc/version", "/proc/none"), ENOENT);
	EXPECT_FAILS(x_link("/proc/version", "/proc/meminfo"), EEXIST);
	EXPECT_FAILS(x_symlink("version", "/proc/none"), ENOENT);
	EXPECT_FAILS(x_mkdir("/proc/none", 0700), ENOENT);
	EXPECT_FAILS(x_open(name, O_RDONLY), ENOENT); /* longer than any name may be */
}

/* chmod(2) EPERM. */
TEST(made_up, mode_and_owner_of_what_belongs_to_a_process_or_a_setting_stay)
{
	struct stat before, now;

	EXPECT_EQ(x_stat("/proc/self/status", &before), 0);
	EXPECT_FAILS(x_chmod("/proc/self/status", 0600), EPERM);
	EXPECT_FAILS(x_chmod("/proc/self/fd", 0700), EPERM);
	EXPECT_FAILS(x_chmod("/proc/sys/vm/max_map_count", 0600), EPERM);
	EXPECT_FAILS(x_chown("/proc/sys/vm/max_map_count", 0, 0), EPERM);
	EXPECT_EQ(x_stat("/proc/self/status", &now), 0);
	EXPECT_EQ(now.st_mode, before.st_mode);
	EXPECT_EQ(now.st_uid, before.st_uid);
}

/* Writes what has no way to be written to. */
static int writes(const char *path, int error)
{
	int fd = x_open(path, O_WRONLY | O_CLOEXEC);

	CHILD_EXPECT(fd >= 0);
	CHILD_EXPECT(x_write(fd, "x", 1) == -1 && errno == error);
	CHILD_EXPECT(x_close(fd) == 0);
	return 0;
}

/* Root may open them so. write(2) EINVAL: an object unsuitable for writing; EIO. */
TEST(made_up, is_not_written)
{
	int fd;

	if (x_geteuid() != 0)
		SKIP("only root opens them for writing");
	EXPECT_EQ(writes("/proc/self/status", EINVAL), 0);
	EXPECT_EQ(writes("/proc/self/maps", EINVAL), 0);
	EXPECT_EQ(writes("/proc/version", EIO), 0);
	EXPECT_EQ(x_truncate("/proc/version", 0), 0); /* nothing happens */
	EXPECT_EQ(x_truncate("/proc/self/status", 10), 0);
	EXPECT_FAILS(x_truncate("/proc/version", -1), EINVAL);
	fd = x_open("/proc/version", O_RDONLY | O_TRUNC | O_CLOEXEC);
	EXPECT(fd >= 0 && x_read(fd, &(char){ 0 }, 1) == 1);
	EXPECT_FAILS(x_write(fd, "x", 1), EBADF);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(made_up, setting_takes_what_can_be_read)
{
	addr_t hole = unmapped_page();
	int fd = x_open("/proc/sys/vm/max_map_count", O_RDWR | O_CLOEXEC);
	char before[32] = "", now[32] = "";

	if (fd < 0)
		SKIP("only root changes settings");
	EXPECT(x_pread(fd, before, sizeof(before) - 1, 0) > 0);
	EXPECT_EQ(x_write(fd, "7", 0), 0);
	EXPECT_FAILS(x_write(fd, ubuf(hole), 3), EFAULT);
	EXPECT_FAILS(x_pread(fd, ubuf(hole), 3, 0), EFAULT);
	EXPECT(x_pread(fd, now, sizeof(now) - 1, 0) > 0);
	EXPECT_STREQ(now, before);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(made_up, numbers_are_names_in_one_way_only)
{
	static const char *const none[] = { "00", "9999999999", "4294967296", "-1", "0x0", "+0", "99999999999" };
	char path[64];

	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		snprintf(path, sizeof(path), "/proc/self/fd/%s", none[i]);
		EXPECT_FAILS(x_open(path, O_RDONLY), ENOENT);
		snprintf(path, sizeof(path), "/proc/%s", none[i]);
		EXPECT_FAILS(x_open(path, O_RDONLY), ENOENT);
	}
}

TEST(made_up, words_of_pages_are_read_whole_and_to_where_there_is_memory)
{
	addr_t hole = unmapped_page();
	int fd = x_open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	char word[16];

	SETUP(fd >= 0);
	EXPECT_FAILS(x_pread(fd, word, 8, 4), EINVAL);
	EXPECT_FAILS(x_pread(fd, word, 7, 0), EINVAL);
	EXPECT_FAILS(x_pread(fd, ubuf(hole), 8, 0), EFAULT);
	EXPECT_EQ(x_close(fd), 0);
}

/* chmod(2), open(2) ELOOP, truncate(2) EINVAL: a link that is itself what is meant. */
TEST(made_up, link_to_an_open_symlink_leads_to_the_symlink_itself)
{
	char path[128], way[64];
	struct stat st;
	int fd;

	fresh_path(path, sizeof(path));
	SETUP(x_symlink("target", path) == 0);
	fd = x_open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	SETUP(fd >= 0);
	snprintf(way, sizeof(way), "/proc/self/fd/%d", fd);
	EXPECT_EQ(x_stat(way, &st), 0);
	EXPECT(S_ISLNK(st.st_mode));
	EXPECT_FAILS(x_chmod(way, 0600), EOPNOTSUPP);
	EXPECT_FAILS(x_truncate(way, 0), EINVAL);
	EXPECT_FAILS(x_open(way, O_RDONLY), ELOOP);
	EXPECT_EQ(x_close(fd), 0);
	EXPECT_EQ(x_unlink(path), 0);
}

/* The names in a directory, read by so many bytes: how many, and whether one is among them. */
static int names_in(const char *path, size_t size, const char *name, bool *found)
{
	char bytes[4096];
	int fd = x_open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), n = 0;
	ssize_t len;

	SETUP(fd >= 0);
	*found = false;
	while ((len = x_getdents64(fd, bytes, size)) > 0)
		for (ssize_t at = 0; at < len; n++) {
			const struct dirent64 *entry = (const void *)(bytes + at);

			*found |= strcmp(entry->d_name, name) == 0;
			at += entry->d_reclen;
		}
	EXPECT_EQ(len, 0);
	EXPECT_EQ(x_close(fd), 0);
	return n;
}

TEST(made_up, directories_are_listed_whole_whatever_the_buffer)
{
	/* getdents(2). */
	static const struct {
		const char *path, *name;
	} dirs[] = {
		{ "/proc/self", "status" },
		{ "/proc/sys/vm", "max_map_count" },
		{ "/proc/sys", "vm" },
		{ "/proc/self/fd", "0" },
	};
	bool found;
	char self[16];
	int fd = x_memfd_create("zero", 0);

	SETUP(fd >= 0);
	snprintf(self, sizeof(self), "%d", (int)x_getpid());
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		int all = names_in(dirs[i].path, 4096, dirs[i].name, &found);

		EXPECT_MSG(found, "%s in %s", dirs[i].name, dirs[i].path);
		for (size_t size = 64; size < 512; size *= 2) {
			EXPECT_EQ(names_in(dirs[i].path, size, dirs[i].name, &found), all);
			EXPECT_MSG(found, "%s in %s by %zu bytes", dirs[i].name, dirs[i].path, size);
		}
	}
	/* Of /proc itself the processes come and go. */
	names_in("/proc", 64, self, &found);
	EXPECT_MSG(found, "%s in /proc", self);
	names_in("/proc", 64, "meminfo", &found);
	EXPECT(found);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(made_up, path_descriptor_of_what_has_no_name_tells_what_it_is)
{
	/* proc_pid_fd(5). */
	int fd = memfd(1), ends[2], path;
	char way[64], text[64] = "", same[64] = "";

	stream_pair(ends);
	snprintf(way, sizeof(way), "/proc/self/fd/%d", fd);
	path = x_open(way, O_PATH | O_CLOEXEC);
	EXPECT(path >= 0);
	snprintf(way, sizeof(way), "/proc/self/fd/%d", path);
	EXPECT(x_readlink(way, text, sizeof(text) - 1) > 0);
	EXPECT_STREQ(text, "/memfd:abi (deleted)");
	EXPECT_EQ(x_close(path), 0);
	snprintf(way, sizeof(way), "/proc/self/fd/%d", ends[0]);
	memset(text, 0, sizeof(text));
	EXPECT(x_readlink(way, text, sizeof(text) - 1) > 0);
	path = x_open(way, O_PATH | O_CLOEXEC);
	EXPECT(path >= 0);
	snprintf(way, sizeof(way), "/proc/self/fd/%d", path);
	EXPECT(x_readlink(way, same, sizeof(same) - 1) > 0);
	EXPECT_STREQ(same, text);
	EXPECT(strncmp(text, "socket:[", 8) == 0);
	EXPECT_EQ(x_close(path), 0);
	close_pair(ends);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(made_up, kind_of_the_kernel_is_told_and_not_changed)
{
	/* proc_sys_kernel(5). */
	char text[16] = "";
	int fd = x_open("/proc/sys/kernel/ostype", O_RDONLY | O_CLOEXEC);

	SETUP(fd >= 0);
	EXPECT_EQ(x_read(fd, text, sizeof(text) - 1), 6);
	EXPECT_STREQ(text, "Linux\n");
	EXPECT_EQ(x_close(fd), 0);
	EXPECT_FAILS(x_open("/proc/sys/kernel/ostype", O_WRONLY), EACCES);
	EXPECT_FAILS(x_open("/proc/sys/kernel/ostype", O_RDWR), EACCES);
}

TEST(made_up, link_of_an_open_file_of_proc_tells_its_path)
{
	/* proc_pid_fd(5). */
	char way[64], text[64] = "", expected[64];
	int fd = x_open("/proc/self/status", O_RDONLY | O_CLOEXEC);

	SETUP(fd >= 0);
	snprintf(way, sizeof(way), "/proc/self/fd/%d", fd);
	snprintf(expected, sizeof(expected), "/proc/%d/status", (int)x_getpid());
	EXPECT(x_readlink(way, text, sizeof(text) - 1) > 0);
	EXPECT_STREQ(text, expected);
	EXPECT_EQ(x_close(fd), 0);
}
