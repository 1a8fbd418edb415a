// SPDX-License-Identifier: MIT
/*
 * The libc-shaped calls on paths; contracts in <ksim/path.h>.
 *
 * They speak the host's ABI, whatever is simulated. shm_open and shm_unlink are libc's own work over open and unlink,
 * and so they are here.
 */
#include "machine/machine.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "ksim/path.h"

int ksim_open(const char *path, int flags, ...)
{
	mode_t mode;

	OPEN_MODE(mode, flags);
	return machine_call_int(CALL_open, call_ptr(path), call_int(flags), mode, 0);
}

int ksim_openat(int dirfd, const char *path, int flags, ...)
{
	mode_t mode;

	OPEN_MODE(mode, flags);
	return machine_call_int(CALL_openat, call_int(dirfd), call_ptr(path), call_int(flags), mode);
}

int ksim_creat(const char *path, mode_t mode)
{
	return machine_call_int(CALL_creat, call_ptr(path), mode, 0, 0);
}

/* ---- shared memory by name ---- */

/* The path of a name, as glibc makes it. 0 or an errno. */
static int shm_path(const char *name, char *path, size_t size)
{
	while (*name == '/')
		name++;
	if (*name == '\0' || strchr(name, '/') != NULL)
		return EINVAL;
	if (strlen(name) > NAME_MAX)
		return ENAMETOOLONG;
	snprintf(path, size, "/dev/shm/%s", name);
	return 0;
}

int ksim_shm_open(const char *name, int flags, mode_t mode)
{
	char path[NAME_MAX + 16];
	int err = shm_path(name, path, sizeof(path));
	int fd;

	if (err != 0) {
		errno = err;
		return -1;
	}
	fd = ksim_open(path, flags | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd < 0 && errno == EISDIR)
		errno = EINVAL; /* a directory is just another name that will not do */
	return fd;
}

int ksim_shm_unlink(const char *name)
{
	char path[NAME_MAX + 16];
	int err = shm_path(name, path, sizeof(path));
	int result;

	if (err != 0) {
		errno = err == EINVAL ? ENOENT : err;
		return -1;
	}
	result = ksim_unlink(path);
	if (result < 0 && errno == EPERM)
		errno = EACCES;
	return result;
}

/* ---- names ---- */

int ksim_unlink(const char *path)
{
	return machine_call_int(CALL_unlink, call_ptr(path), 0, 0, 0);
}

int ksim_unlinkat(int dirfd, const char *path, int flags)
{
	return machine_call_int(CALL_unlinkat, call_int(dirfd), call_ptr(path), call_int(flags), 0);
}

int ksim_mkdir(const char *path, mode_t mode)
{
	return machine_call_int(CALL_mkdir, call_ptr(path), mode, 0, 0);
}

int ksim_mkdirat(int dirfd, const char *path, mode_t mode)
{
	return machine_call_int(CALL_mkdirat, call_int(dirfd), call_ptr(path), mode, 0);
}

int ksim_rmdir(const char *path)
{
	return machine_call_int(CALL_rmdir, call_ptr(path), 0, 0, 0);
}

int ksim_link(const char *oldpath, const char *newpath)
{
	return machine_call_int(CALL_link, call_ptr(oldpath), call_ptr(newpath), 0, 0);
}

int ksim_linkat(int olddirfd, const char *oldpath, int newdirfd, const char *newpath, int flags)
{
	return (int)machine_result(machine_call(CALL_linkat, call_int(olddirfd), call_ptr(oldpath), call_int(newdirfd),
	                                        call_ptr(newpath), call_int(flags), 0));
}

int ksim_symlink(const char *target, const char *path)
{
	return machine_call_int(CALL_symlink, call_ptr(target), call_ptr(path), 0, 0);
}

int ksim_symlinkat(const char *target, int dirfd, const char *path)
{
	return machine_call_int(CALL_symlinkat, call_ptr(target), call_int(dirfd), call_ptr(path), 0);
}

/* The kernel takes an int, and gives no more than a path. */
static uint64_t room(size_t size)
{
	return size > INT32_MAX ? INT32_MAX : size;
}

ssize_t ksim_readlink(const char *path, char *buf, size_t size)
{
	return machine_result(machine_call(CALL_readlink, call_ptr(path), call_ptr(buf), room(size), 0, 0, 0));
}

ssize_t ksim_readlinkat(int dirfd, const char *path, char *buf, size_t size)
{
	return machine_result(
		machine_call(CALL_readlinkat, call_int(dirfd), call_ptr(path), call_ptr(buf), room(size), 0, 0));
}

int ksim_rename(const char *oldpath, const char *newpath)
{
	return machine_call_int(CALL_rename, call_ptr(oldpath), call_ptr(newpath), 0, 0);
}

int ksim_renameat(int olddirfd, const char *oldpath, int newdirfd, const char *newpath)
{
	return machine_call_int(CALL_renameat, call_int(olddirfd), call_ptr(oldpath), call_int(newdirfd),
	                        call_ptr(newpath));
}

int ksim_renameat2(int olddirfd, const char *oldpath, int newdirfd, const char *newpath, unsigned int flags)
{
	return (int)machine_result(machine_call(CALL_renameat2, call_int(olddirfd), call_ptr(oldpath),
	                                        call_int(newdirfd), call_ptr(newpath), flags, 0));
}

int ksim_mknod(const char *path, mode_t mode, dev_t dev)
{
	return machine_call_int(CALL_mknod, call_ptr(path), mode, dev, 0);
}

int ksim_mknodat(int dirfd, const char *path, mode_t mode, dev_t dev)
{
	return machine_call_int(CALL_mknodat, call_int(dirfd), call_ptr(path), mode, dev);
}

ssize_t ksim_getdents64(int fd, void *buf, size_t size)
{
	return machine_result(machine_call(CALL_getdents64, call_int(fd), call_ptr(buf), room(size), 0, 0, 0));
}

/* ---- status ---- */

int ksim_stat(const char *path, struct stat *st)
{
	return machine_call_int(CALL_stat, call_ptr(path), call_ptr(st), 0, 0);
}

int ksim_lstat(const char *path, struct stat *st)
{
	return machine_call_int(CALL_lstat, call_ptr(path), call_ptr(st), 0, 0);
}

int ksim_fstatat(int dirfd, const char *path, struct stat *st, int flags)
{
	return machine_call_int(CALL_newfstatat, call_int(dirfd), call_ptr(path), call_ptr(st), call_int(flags));
}

int ksim_statx(int dirfd, const char *path, int flags, unsigned int mask, struct statx *stx)
{
	return (int)machine_result(
		machine_call(CALL_statx, call_int(dirfd), call_ptr(path), call_int(flags), mask, call_ptr(stx), 0));
}

int ksim_statfs(const char *path, struct statfs *fs)
{
	return machine_call_int(CALL_statfs, call_ptr(path), call_ptr(fs), 0, 0);
}

int ksim_fstatfs(int fd, struct statfs *fs)
{
	return machine_call_int(CALL_fstatfs, call_int(fd), call_ptr(fs), 0, 0);
}

int ksim_access(const char *path, int mode)
{
	return machine_call_int(CALL_access, call_ptr(path), call_int(mode), 0, 0);
}

int ksim_faccessat(int dirfd, const char *path, int mode, int flags)
{
	return machine_call_int(CALL_faccessat2, call_int(dirfd), call_ptr(path), call_int(mode), call_int(flags));
}

int ksim_chdir(const char *path)
{
	return machine_call_int(CALL_chdir, call_ptr(path), 0, 0, 0);
}

int ksim_fchdir(int fd)
{
	return machine_call_int(CALL_fchdir, call_int(fd), 0, 0, 0);
}

char *ksim_getcwd(char *buf, size_t size)
{
	if (buf == NULL || size == 0) {
		errno = EINVAL;
		return NULL;
	}
	return machine_call_int(CALL_getcwd, call_ptr(buf), size, 0, 0) < 0 ? NULL : buf;
}

mode_t ksim_umask(mode_t mask)
{
	return (mode_t)machine_call_int(CALL_umask, mask, 0, 0, 0);
}

int ksim_chmod(const char *path, mode_t mode)
{
	return machine_call_int(CALL_chmod, call_ptr(path), mode, 0, 0);
}

int ksim_fchmod(int fd, mode_t mode)
{
	return machine_call_int(CALL_fchmod, call_int(fd), mode, 0, 0);
}

int ksim_fchmodat(int dirfd, const char *path, mode_t mode, int flags)
{
	return machine_call_int(CALL_fchmodat2, call_int(dirfd), call_ptr(path), mode, call_int(flags));
}

int ksim_chown(const char *path, uid_t uid, gid_t gid)
{
	return machine_call_int(CALL_chown, call_ptr(path), uid, gid, 0);
}

int ksim_lchown(const char *path, uid_t uid, gid_t gid)
{
	return machine_call_int(CALL_lchown, call_ptr(path), uid, gid, 0);
}

int ksim_fchown(int fd, uid_t uid, gid_t gid)
{
	return machine_call_int(CALL_fchown, call_int(fd), uid, gid, 0);
}

int ksim_fchownat(int dirfd, const char *path, uid_t uid, gid_t gid, int flags)
{
	return (int)machine_result(
		machine_call(CALL_fchownat, call_int(dirfd), call_ptr(path), uid, gid, call_int(flags), 0));
}

int ksim_utimensat(int dirfd, const char *path, const struct timespec times[2], int flags)
{
	if (path == NULL) {
		errno = EINVAL; /* to the kernel it would mean dirfd itself */
		return -1;
	}
	return machine_call_int(CALL_utimensat, call_int(dirfd), call_ptr(path), call_ptr(times), call_int(flags));
}

int ksim_futimens(int fd, const struct timespec times[2])
{
	return machine_call_int(CALL_utimensat, call_int(fd), 0, call_ptr(times), 0);
}

int ksim_truncate(const char *path, off_t length)
{
	return machine_call_int(CALL_truncate, call_ptr(path), (uint64_t)length, 0, 0);
}
