// SPDX-License-Identifier: MIT
/*
 * open(2) of /proc/self/fd/N and its neighbours; every row was measured on Linux 6.18. Files that have names: tree.c.
 */
#include "bed.h"

#include <limits.h>

struct scene {
	struct bed bed;
	struct fdtable *table;
	struct file *memfd; /* fd 0, 100 bytes */
	unsigned released;  /* fd 1 is a stream */
};

static void scene_open(struct scene *s)
{
	s->released = 0;
	bed_open(&s->bed, COMMIT_ON_TOUCH);
	s->table = bed_table(&s->bed, 10);
	bed_tree(&s->bed, s->table);
	s->memfd = bed_memfd(&s->bed, MEMFD_ALLOW_SEALING, 100);
	SETUP(fd_reserve(&s->bed.ctx, s->table, 0, false) == 0);
	fd_install(&s->bed.ctx, s->table, 0, s->memfd);
	SETUP(fd_reserve(&s->bed.ctx, s->table, 0, false) == 1);
	fd_install(&s->bed.ctx, s->table, 1, bed_stream(&s->bed, &s->released));
	SETUP(fd_reserve(&s->bed.ctx, s->table, 0, false) == 2); /* reserved: nobody's yet */
}

static void scene_close(struct scene *s)
{
	fdtable_put(&s->bed.ctx, s->table);
	bed_close(&s->bed);
	EXPECT_EQ(s->released, 1);
}

static int try_open(struct scene *s, const char *path, uint32_t flags, struct file **out)
{
	return bed_open_path(&s->bed.ctx, s->table, path, flags, out);
}

static void expect_open(struct scene *s, const char *path, uint32_t flags, int expected)
{
	struct file *file = NULL;
	struct census before = census_now(&s->bed), now;
	int result = try_open(s, path, flags, &file);

	EXPECT_MSG(result == expected, "open(\"%.60s\", %#o) = %d, not %d", path, flags, result, expected);
	file_put(&s->bed.ctx, file);
	now = census_now(&s->bed);
	expect_same_census(&before, &now);
	EXPECT_EQ(ref_count(&s->memfd->ref), 1);
}

TEST(open, proc_self_fd_makes_a_description_of_its_own)
{
	/* 11. */
	struct scene s;
	struct file *file = NULL;
	char byte = 0;

	scene_open(&s);
	EXPECT_EQ(vfs_lseek(&s.bed.ctx, s.memfd, 7, SEEK_SET), 7);
	EXPECT_EQ(try_open(&s, "/proc/self/fd/0", FILE_RDONLY | FILE_NONBLOCK, &file), 0);
	REQUIRE(file != NULL);
	EXPECT(file != s.memfd && file->inode == s.memfd->inode);
	EXPECT_EQ(file_flags(file), FILE_RDONLY | FILE_NONBLOCK | FILE_LARGEFILE);
	EXPECT_EQ(vfs_lseek(&s.bed.ctx, file, 0, SEEK_CUR), 0);
	EXPECT_EQ(do_pwrite(&s.bed, s.memfd, "a", 1, 0), 1);
	EXPECT_EQ(do_read(&s.bed, file, &byte, 1), 1);
	EXPECT_EQ(byte, 'a');
	EXPECT_EQ(do_write(&s.bed, file, "a", 1), -EBADF);
	EXPECT_EQ(vfs_add_seals(&s.bed.ctx, file, F_SEAL_GROW), -EPERM);
	file_put(&s.bed.ctx, file);
	scene_close(&s);
}

TEST(open, a_read_only_description_may_be_opened_for_writing)
{
	/* 12. */
	struct scene s;
	struct file *reader, *writer = NULL;

	scene_open(&s);
	reader = bed_reopen(&s.bed, s.memfd, FILE_RDONLY);
	SETUP(fd_reserve(&s.bed.ctx, s.table, 0, false) == 3);
	fd_install(&s.bed.ctx, s.table, 3, reader);
	EXPECT_EQ(try_open(&s, "/proc/self/fd/3", FILE_RDWR, &writer), 0);
	REQUIRE(writer != NULL);
	EXPECT_EQ(do_write(&s.bed, writer, "a", 1), 1);
	file_put(&s.bed.ctx, writer);
	scene_close(&s);
}

TEST(open, flags_that_getfl_shows)
{
	struct scene s;
	struct file *file = NULL;
	uint32_t kept = FILE_RDWR | FILE_APPEND | FILE_NONBLOCK | FILE_SYNC | FILE_DSYNC | FILE_NOATIME | FILE_DIRECT;

	scene_open(&s);
	EXPECT_EQ(try_open(&s, "/proc/self/fd/0", kept | FILE_CREAT | FILE_TRUNC | FILE_CLOEXEC | 040000000, &file), 0);
	REQUIRE(file != NULL);
	EXPECT_EQ(file_flags(file), kept | FILE_LARGEFILE);
	file_put(&s.bed.ctx, file);
	scene_close(&s);
}

TEST(open, paths_are_walked_name_by_name)
{
	static const struct {
		const char *path;
		int result;
	} cases[] = {
		{ "/proc/self/fd/0", 0 },
		{ "/proc/42/fd/0", 0 },
		{ "//proc/./self//fd/../fd/./0", 0 },
		{ "/../proc/self/fd/0", 0 },
		{ "/proc/../proc/self/../42/fd/0", 0 },
		{ "proc/self/fd/0", 0 },
		{ "", -ENOENT },
		{ "/proc/self/fd/2", -ENOENT },
		{ "/proc/self/fd/3", -ENOENT },
		{ "/proc/self/fd/00", -ENOENT },
		{ "/proc/self/fd/-1", -ENOENT },
		{ "/proc/self/fd/+0", -ENOENT },
		{ "/proc/self/fd/ 0", -ENOENT },
		{ "/proc/self/fd/0x", -ENOENT },
		{ "/proc/self/fd/2147483647", -ENOENT },
		{ "/proc/self/fd/4294967296", -ENOENT },
		{ "/proc/self/fd/18446744073709551616", -ENOENT },
		{ "/proc/43/fd/0", -ENOENT },
		{ "/proc/042/fd/0", -ENOENT },
		{ "/proc/0/fd/0", -ENOENT },
		{ "/proc/nosuch/fd/0", -ENOENT },
		{ "/proc/self/nosuch", -ENOENT },
		{ "/nosuch", -ENOENT },
		{ "/proc/self/fd/0/", -ENOTDIR },
		{ "/proc/self/fd/0//", -ENOTDIR },
		{ "/proc/self/fd/0/.", -ENOTDIR },
		{ "/proc/self/fd/0/..", -ENOTDIR },
		{ "/proc/self/fd/0/x", -ENOTDIR },
		{ "/proc/self/fd/3/", -ENOENT },
		{ "/proc/self/fd/3/x", -ENOENT },
		{ "/proc/self/fd", -EISDIR },
		{ "/proc/self/fd/", -EISDIR },
		{ "/proc/self", -EISDIR },
		{ "/", -EISDIR },
	};
	struct scene s;

	scene_open(&s);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		expect_open(&s, cases[i].path, FILE_RDWR, cases[i].result);
	scene_close(&s);
}

TEST(open, flags_are_judged_in_linux_order)
{
	static const struct {
		const char *path;
		uint32_t flags;
		int result;
	} cases[] = {
		{ "/proc/self/fd/0", FILE_DIRECTORY, -ENOTDIR },
		{ "/proc/self/fd/0", FILE_CREAT, 0 },
		{ "/proc/self/fd/0", FILE_CREAT | FILE_EXCL, -EEXIST },
		{ "/proc/self/fd/0", FILE_EXCL, 0 },
		{ "/proc/self/fd/0", FILE_CREAT | FILE_DIRECTORY, -EINVAL },
		{ "/proc/self/fd/0", FILE_NOFOLLOW, -ELOOP },
		{ "/proc/self/fd/0", FILE_NOFOLLOW | FILE_DIRECTORY, -ENOTDIR },
		{ "/proc/self/fd/0", FILE_NOFOLLOW | FILE_CREAT, -ELOOP },
		{ "/proc/self/fd/0", FILE_PATH, 0 },
		{ "/proc/self/fd/0/", FILE_CREAT, -EISDIR },
		{ "/proc/self/fd/0/", FILE_CREAT | FILE_EXCL, -EISDIR },
		{ "/proc/self/fd/0/x/", FILE_CREAT, -ENOTDIR },
		{ "/proc/self/fd/3", FILE_CREAT, -ENOENT },
		{ "/proc/self/fd/3", FILE_CREAT | FILE_EXCL, -ENOENT },
		{ "/proc/self/fd/3/", FILE_CREAT, -EISDIR },
		{ "/proc/self/fd/3", FILE_CREAT | FILE_DIRECTORY, -EINVAL },
		{ "/proc/self/fd/nosuch", FILE_CREAT, -ENOENT },
		{ "/nosuch/x", FILE_CREAT, -ENOENT },
		{ "/nosuch/", FILE_CREAT, -EISDIR },
		{ "/nosuch/x/", FILE_CREAT, -ENOENT },
		{ "/proc/self/fd/1", 0, -ENXIO },
		{ "/proc/self/fd/1", FILE_CREAT, -ENXIO },
		{ "/proc/self/fd/1", FILE_TRUNC, -ENXIO },
		{ "/proc/self/fd/1", FILE_DIRECTORY, -ENOTDIR },
		{ "/proc/self/fd/1", FILE_CREAT | FILE_EXCL, -EEXIST },
		{ "/proc/self/fd/1", FILE_NOFOLLOW, -ELOOP },
		{ "/proc/self/fd/1/", 0, -ENOTDIR },
		{ "/proc/self/fd", FILE_CREAT, -EISDIR },
		{ "/proc/self/fd", FILE_CREAT | FILE_EXCL, -EEXIST },
		{ "/proc/self/fd/.", FILE_CREAT, -EISDIR },
		{ "/proc/self/fd/./", FILE_CREAT | FILE_EXCL, -EEXIST },
		{ "/", FILE_TRUNC, -EISDIR },
		{ "/", FILE_CREAT | FILE_EXCL, -EEXIST },
	};
	struct scene s;

	scene_open(&s);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		expect_open(&s, cases[i].path, cases[i].flags, cases[i].result);
	scene_close(&s);
}

TEST(open, long_names_and_paths_fail_ENAMETOOLONG)
{
	struct scene s;
	char path[PATH_MAX + 1];

	scene_open(&s);
	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[PATH_MAX] = '\0';
	expect_open(&s, path, 0, -ENAMETOOLONG);
	path[256] = '\0';
	expect_open(&s, path, 0, -ENOENT); /* 255 bytes */
	path[256] = 'a';
	path[257] = '\0';
	expect_open(&s, path, 0, -ENAMETOOLONG);
	memcpy(path, "/proc/self/fd/", 14); /* /proc has no limit of its own */
	path[257] = 'a';
	path[300] = '\0';
	expect_open(&s, path, 0, -ENOENT);
	memset(path, '/', PATH_MAX);
	memcpy(path + PATH_MAX - 16, "proc/self/fd/0", 15);
	expect_open(&s, path, 0, 0);
	scene_close(&s);
}

TEST(open, truncation_obeys_seals_and_needs_no_write_access)
{
	/* 25, 32. */
	struct scene s;

	scene_open(&s);
	expect_open(&s, "/proc/self/fd/0", FILE_RDONLY | FILE_TRUNC, 0);
	EXPECT_EQ(size_of(&s.bed, s.memfd), 0);
	EXPECT_EQ(vfs_truncate(&s.bed.ctx, s.memfd, 100), 0);
	EXPECT_EQ(vfs_add_seals(&s.bed.ctx, s.memfd, F_SEAL_WRITE | F_SEAL_GROW), 0);
	expect_open(&s, "/proc/self/fd/0", FILE_RDWR | FILE_TRUNC | FILE_NOFOLLOW, -ELOOP);
	EXPECT_EQ(size_of(&s.bed, s.memfd), 100);
	EXPECT_EQ(vfs_add_seals(&s.bed.ctx, s.memfd, F_SEAL_SHRINK), 0);
	expect_open(&s, "/proc/self/fd/0", FILE_RDWR | FILE_TRUNC, -EPERM);
	expect_open(&s, "/proc/self/fd/0", FILE_RDONLY | FILE_TRUNC, -EPERM);
	EXPECT_EQ(size_of(&s.bed, s.memfd), 100);
	scene_close(&s);
}

TEST(open, truncation_of_a_write_sealed_file_succeeds)
{
	/* 25; and with F_SEAL_SHRINK there is nothing to refuse in an empty file. */
	struct scene s;

	scene_open(&s);
	EXPECT_EQ(vfs_add_seals(&s.bed.ctx, s.memfd, F_SEAL_WRITE), 0);
	expect_open(&s, "/proc/self/fd/0", FILE_RDWR | FILE_TRUNC, 0);
	EXPECT_EQ(size_of(&s.bed, s.memfd), 0);
	EXPECT_EQ(vfs_add_seals(&s.bed.ctx, s.memfd, F_SEAL_SHRINK), 0);
	expect_open(&s, "/proc/self/fd/0", FILE_RDWR | FILE_TRUNC, 0);
	scene_close(&s);
}
