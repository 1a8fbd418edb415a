// SPDX-License-Identifier: MIT
/*
 * What the tests of paths have in common: a directory of their own, and short words for what they expect.
 */
#ifndef ABI_TREE_H
#define ABI_TREE_H

#include "abi.h"

#include <dirent.h>

#ifndef AT_EMPTY_PATH
#define AT_EMPTY_PATH 0x1000
#endif
#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#define RENAME_EXCHANGE  2
#define RENAME_WHITEOUT  4
#endif

/** In a child. */
#define CHILD_FAILS(call, error) CHILD_EXPECT((call) == -1 && errno == (error))

/** No path at all, which the host's headers do not see through. */
static inline const char *no_path(void)
{
	const char *volatile none = NULL;

	return none;
}

/** A new empty directory, which becomes the working directory. */
static inline void yard(void)
{
	char path[96];

	fresh_path(path, sizeof(path));
	SETUP(x_mkdir(path, 0755) == 0);
	SETUP(x_chdir(path) == 0);
}

/** A file with that many bytes. */
static inline void make_file(const char *path, size_t len_bytes)
{
	char bytes[64] = "";
	int fd = x_open(path, O_CREAT | O_EXCL | O_WRONLY, 0644);

	SETUP(fd >= 0 && len_bytes <= sizeof(bytes));
	SETUP(x_write(fd, bytes, len_bytes) == (ssize_t)len_bytes);
	SETUP(x_close(fd) == 0);
}

static inline void make_dir(const char *path)
{
	SETUP(x_mkdir(path, 0755) == 0);
}

static inline void make_link(const char *target, const char *path)
{
	SETUP(x_symlink(target, path) == 0);
}

/** An open that must work; close it. */
static inline int opened(const char *path, int flags)
{
	int fd = x_open(path, flags, 0644);

	SETUP(fd >= 0);
	return fd;
}

static inline struct stat stat_of(const char *path)
{
	struct stat st;

	SETUP(x_stat(path, &st) == 0);
	return st;
}

static inline struct stat lstat_of(const char *path)
{
	struct stat st;

	SETUP(x_lstat(path, &st) == 0);
	return st;
}

static inline bool is_there(const char *path)
{
	struct stat st;

	return x_lstat(path, &st) == 0;
}

static inline mode_t mode_of(const char *path)
{
	return lstat_of(path).st_mode & 07777;
}

/** A name of n letters. */
static inline const char *long_name(char *buf, size_t n)
{
	memset(buf, 'n', n);
	buf[n] = '\0';
	return buf;
}

#endif
