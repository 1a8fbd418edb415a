// SPDX-License-Identifier: MIT
/*
 * Libc's names for the calls on paths: ksim's where the thread acts as a process, else the host's.
 *
 * Locking: none.
 */
#include "posix/posix.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ksim/path.h"

#define PATH_CALL(type, name, parameters, arguments)                          \
	type ksim_posix_##name parameters                                     \
	{                                                                     \
		return posix_acts() ? ksim_##name arguments : name arguments; \
	}

int ksim_posix_open(const char *path, int flags, ...)
{
	mode_t mode;

	OPEN_MODE(mode, flags);
	return posix_acts() ? ksim_open(path, flags, mode) : open(path, flags, mode);
}

int ksim_posix_openat(int dirfd, const char *path, int flags, ...)
{
	mode_t mode;

	OPEN_MODE(mode, flags);
	return posix_acts() ? ksim_openat(dirfd, path, flags, mode) : openat(dirfd, path, flags, mode);
}

PATH_CALL(int, creat, (const char *path, mode_t mode), (path, mode))
PATH_CALL(int, shm_open, (const char *name, int flags, mode_t mode), (name, flags, mode))
PATH_CALL(int, shm_unlink, (const char *name), (name))
PATH_CALL(int, unlink, (const char *path), (path))
PATH_CALL(int, unlinkat, (int dirfd, const char *path, int flags), (dirfd, path, flags))
PATH_CALL(int, mkdir, (const char *path, mode_t mode), (path, mode))
PATH_CALL(int, mkdirat, (int dirfd, const char *path, mode_t mode), (dirfd, path, mode))
PATH_CALL(int, rmdir, (const char *path), (path))
PATH_CALL(int, link, (const char *from, const char *to), (from, to))
PATH_CALL(int, linkat, (int fromfd, const char *from, int tofd, const char *to, int flags),
          (fromfd, from, tofd, to, flags))
PATH_CALL(int, symlink, (const char *target, const char *path), (target, path))
PATH_CALL(int, symlinkat, (const char *target, int dirfd, const char *path), (target, dirfd, path))
PATH_CALL(ssize_t, readlink, (const char *path, char *buf, size_t size), (path, buf, size))
PATH_CALL(ssize_t, readlinkat, (int dirfd, const char *path, char *buf, size_t size), (dirfd, path, buf, size))
PATH_CALL(int, rename, (const char *from, const char *to), (from, to))
PATH_CALL(int, renameat, (int fromfd, const char *from, int tofd, const char *to), (fromfd, from, tofd, to))
PATH_CALL(int, renameat2, (int fromfd, const char *from, int tofd, const char *to, unsigned int flags),
          (fromfd, from, tofd, to, flags))
PATH_CALL(int, mknod, (const char *path, mode_t mode, dev_t dev), (path, mode, dev))
PATH_CALL(int, mknodat, (int dirfd, const char *path, mode_t mode, dev_t dev), (dirfd, path, mode, dev))
PATH_CALL(int, stat, (const char *path, struct stat *st), (path, st))
PATH_CALL(int, lstat, (const char *path, struct stat *st), (path, st))
PATH_CALL(int, fstatat, (int dirfd, const char *path, struct stat *st, int flags), (dirfd, path, st, flags))
PATH_CALL(int, statx, (int dirfd, const char *path, int flags, unsigned int mask, struct statx *stx),
          (dirfd, path, flags, mask, stx))
PATH_CALL(int, statfs, (const char *path, struct statfs *fs), (path, fs))
PATH_CALL(int, fstatfs, (int fd, struct statfs *fs), (fd, fs))
PATH_CALL(ssize_t, getdents64, (int fd, void *buf, size_t size), (fd, buf, size))
PATH_CALL(int, access, (const char *path, int mode), (path, mode))
PATH_CALL(int, faccessat, (int dirfd, const char *path, int mode, int flags), (dirfd, path, mode, flags))
PATH_CALL(int, chdir, (const char *path), (path))
PATH_CALL(int, fchdir, (int fd), (fd))
PATH_CALL(mode_t, umask, (mode_t mask), (mask))
PATH_CALL(int, chmod, (const char *path, mode_t mode), (path, mode))
PATH_CALL(int, fchmod, (int fd, mode_t mode), (fd, mode))
PATH_CALL(int, fchmodat, (int dirfd, const char *path, mode_t mode, int flags), (dirfd, path, mode, flags))
PATH_CALL(int, chown, (const char *path, uid_t uid, gid_t gid), (path, uid, gid))
PATH_CALL(int, lchown, (const char *path, uid_t uid, gid_t gid), (path, uid, gid))
PATH_CALL(int, fchown, (int fd, uid_t uid, gid_t gid), (fd, uid, gid))
PATH_CALL(int, fchownat, (int dirfd, const char *path, uid_t uid, gid_t gid, int flags), (dirfd, path, uid, gid, flags))
PATH_CALL(int, utimensat, (int dirfd, const char *path, const struct timespec times[2], int flags),
          (dirfd, path, times, flags))
PATH_CALL(int, futimens, (int fd, const struct timespec times[2]), (fd, times))
PATH_CALL(int, truncate, (const char *path, off_t length), (path, length))

/* As glibc, make room where there is no buffer. */
static char *allocated_cwd(size_t size)
{
	char path[4096];
	size_t len;
	char *out;

	if (ksim_getcwd(path, sizeof(path)) == NULL)
		return NULL;
	len = strlen(path) + 1;
	if (size != 0 && size < len) {
		errno = ERANGE;
		return NULL;
	}
	out = malloc(size != 0 ? size : len);
	if (out != NULL)
		memcpy(out, path, len);
	return out;
}

char *ksim_posix_getcwd(char *buf, size_t size)
{
	if (!posix_acts())
		return getcwd(buf, size);
	return buf == NULL ? allocated_cwd(size) : ksim_getcwd(buf, size);
}
