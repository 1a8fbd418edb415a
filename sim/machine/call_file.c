// SPDX-License-Identifier: MIT
/*
 * The libc-shaped calls on files and descriptors; contracts in <ksim/file.h>.
 *
 * They speak the host's ABI, whatever is simulated: the kernel's structs of the host are libc's, which is checked here
 * where it is not a matter of course.
 */
#include "machine/machine.h"

#include <stdarg.h>
#include <sys/resource.h>

#include "ksim/file.h"

#define AT(type, member, offset) (offsetof(type, member) == (offset))
#if defined(__aarch64__)
_Static_assert(sizeof(struct stat) == 128 && AT(struct stat, st_mode, 16) && AT(struct stat, st_nlink, 20) &&
                       AT(struct stat, st_uid, 24) && AT(struct stat, st_gid, 28) && AT(struct stat, st_rdev, 32),
               "libc's struct stat is the kernel's");
#else
_Static_assert(sizeof(struct stat) == 144 && AT(struct stat, st_nlink, 16) && AT(struct stat, st_mode, 24) &&
                       AT(struct stat, st_uid, 28) && AT(struct stat, st_gid, 32) && AT(struct stat, st_rdev, 40),
               "libc's struct stat is the kernel's");
#endif
_Static_assert(AT(struct stat, st_dev, 0) && AT(struct stat, st_ino, 8) && AT(struct stat, st_size, 48) &&
                       AT(struct stat, st_blksize, 56) && AT(struct stat, st_blocks, 64) &&
                       AT(struct stat, st_atim, 72) && AT(struct stat, st_mtim, 88) && AT(struct stat, st_ctim, 104),
               "libc's struct stat is the kernel's");
_Static_assert(sizeof(struct iovec) == 16 && AT(struct iovec, iov_len, 8), "libc's struct iovec is the kernel's");
_Static_assert(sizeof(struct rlimit) == 16 && AT(struct rlimit, rlim_max, 8), "libc's struct rlimit is the kernel's");
#undef AT

static ssize_t transfer(enum syscall_call call, int fd, const void *buf, size_t n, off_t offset)
{
	return machine_result(machine_call(call, call_int(fd), call_ptr(buf), n, (uint64_t)offset, 0, 0));
}

static ssize_t row(enum syscall_call call, int fd, const struct iovec *iov, int n, off_t offset, int flags)
{
	return machine_result(
		machine_call(call, call_int(fd), call_ptr(iov), call_int(n), (uint64_t)offset, 0, call_int(flags)));
}

int ksim_memfd_create(const char *name, unsigned int flags)
{
	return machine_call_int(CALL_memfd_create, call_ptr(name), flags, 0, 0);
}

int ksim_close(int fd)
{
	return machine_call_int(CALL_close, call_int(fd), 0, 0, 0);
}

ssize_t ksim_read(int fd, void *buf, size_t n)
{
	return transfer(CALL_read, fd, buf, n, 0);
}

ssize_t ksim_write(int fd, const void *buf, size_t n)
{
	return transfer(CALL_write, fd, buf, n, 0);
}

ssize_t ksim_pread(int fd, void *buf, size_t n, off_t offset)
{
	return transfer(CALL_pread64, fd, buf, n, offset);
}

ssize_t ksim_pwrite(int fd, const void *buf, size_t n, off_t offset)
{
	return transfer(CALL_pwrite64, fd, buf, n, offset);
}

off_t ksim_lseek(int fd, off_t offset, int whence)
{
	return machine_result(machine_call(CALL_lseek, call_int(fd), (uint64_t)offset, call_int(whence), 0, 0, 0));
}

int ksim_fstat(int fd, struct stat *st)
{
	return machine_call_int(CALL_fstat, call_int(fd), call_ptr(st), 0, 0);
}

int ksim_ftruncate(int fd, off_t length)
{
	return machine_call_int(CALL_ftruncate, call_int(fd), (uint64_t)length, 0, 0);
}

ssize_t ksim_readv(int fd, const struct iovec *iov, int n)
{
	return row(CALL_readv, fd, iov, n, 0, 0);
}

ssize_t ksim_writev(int fd, const struct iovec *iov, int n)
{
	return row(CALL_writev, fd, iov, n, 0, 0);
}

ssize_t ksim_preadv(int fd, const struct iovec *iov, int n, off_t offset)
{
	return row(CALL_preadv, fd, iov, n, offset, 0);
}

ssize_t ksim_pwritev(int fd, const struct iovec *iov, int n, off_t offset)
{
	return row(CALL_pwritev, fd, iov, n, offset, 0);
}

ssize_t ksim_preadv2(int fd, const struct iovec *iov, int n, off_t offset, int flags)
{
	return row(CALL_preadv2, fd, iov, n, offset, flags);
}

ssize_t ksim_pwritev2(int fd, const struct iovec *iov, int n, off_t offset, int flags)
{
	return row(CALL_pwritev2, fd, iov, n, offset, flags);
}

ssize_t ksim_copy_file_range(int fd_in, off_t *off_in, int fd_out, off_t *off_out, size_t n, unsigned flags)
{
	return machine_result(machine_call(CALL_copy_file_range, call_int(fd_in), call_ptr(off_in), call_int(fd_out),
	                                   call_ptr(off_out), n, flags));
}

ssize_t ksim_sendfile(int fd_out, int fd_in, off_t *offset, size_t n)
{
	return machine_result(
		machine_call(CALL_sendfile, call_int(fd_out), call_int(fd_in), call_ptr(offset), n, 0, 0));
}

int ksim_fsync(int fd)
{
	return machine_call_int(CALL_fsync, call_int(fd), 0, 0, 0);
}

int ksim_fdatasync(int fd)
{
	return machine_call_int(CALL_fdatasync, call_int(fd), 0, 0, 0);
}

int ksim_fallocate(int fd, int mode, off_t offset, off_t len)
{
	return machine_call_int(CALL_fallocate, call_int(fd), call_int(mode), (uint64_t)offset, (uint64_t)len);
}

int ksim_dup(int fd)
{
	return machine_call_int(CALL_dup, call_int(fd), 0, 0, 0);
}

int ksim_dup2(int fd, int newfd)
{
	return machine_call_int(CALL_dup2, call_int(fd), call_int(newfd), 0, 0);
}

int ksim_dup3(int fd, int newfd, int flags)
{
	return machine_call_int(CALL_dup3, call_int(fd), call_int(newfd), call_int(flags), 0);
}

int ksim_fcntl(int fd, int cmd, ...)
{
	uint64_t arg = 0;
	va_list rest;

	va_start(rest, cmd);
	switch (cmd) {
	case F_GETFD:
	case F_GETFL:
	case F_GET_SEALS:
		break;
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
	case F_SETFD:
	case F_SETFL:
	case F_ADD_SEALS:
		arg = call_int(va_arg(rest, int));
		break;
	default: /* none that is implemented; whether there is an argument, nobody knows */
		break;
	}
	va_end(rest);
	return machine_call_int(CALL_fcntl, call_int(fd), call_int(cmd), arg, 0);
}

int ksim_getrlimit(int resource, struct rlimit *limit)
{
	return machine_call_int(CALL_getrlimit, call_int(resource), call_ptr(limit), 0, 0);
}

int ksim_prlimit(pid_t pid, int resource, const struct rlimit *limit, struct rlimit *old)
{
	return machine_call_int(CALL_prlimit64, call_int(pid), call_int(resource), call_ptr(limit), call_ptr(old));
}

int ksim_setrlimit(int resource, const struct rlimit *limit)
{
	return machine_call_int(CALL_setrlimit, call_int(resource), call_ptr(limit), 0, 0);
}
