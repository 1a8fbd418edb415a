// SPDX-License-Identifier: MIT
/*
 * Libc's names for calls on files, memory and sockets.
 *
 *	the program: read(...)  -- by its symbol -->  ksim_posix_read -->  acts as a process: ksim_read
 *	                                                              -->  as nobody:         read, libc's
 *
 * Addresses of mappings are pointers here and user addresses there; everything else has the same type on both sides.
 * The libc-shaped calls find out themselves whether a buffer lies in a window.
 *
 * Locking: none. Linux: libc.
 */
#include "posix/posix.h"

#include <errno.h>
#include <stdarg.h>

#include "ksim/file.h"
#include "ksim/mem.h"
#include "ksim/socket.h"

#define USER_POINTER_BIT (UINT64_C(1) << 63) /* as ksim_user() sets it */

/* ---- content ---- */

ssize_t ksim_posix_read(int fd, void *buf, size_t n)
{
	return posix_acts() ? ksim_read(fd, buf, n) : read(fd, buf, n);
}

ssize_t ksim_posix_write(int fd, const void *buf, size_t n)
{
	return posix_acts() ? ksim_write(fd, buf, n) : write(fd, buf, n);
}

ssize_t ksim_posix_pread(int fd, void *buf, size_t n, off_t offset)
{
	return posix_acts() ? ksim_pread(fd, buf, n, offset) : pread(fd, buf, n, offset);
}

ssize_t ksim_posix_pwrite(int fd, const void *buf, size_t n, off_t offset)
{
	return posix_acts() ? ksim_pwrite(fd, buf, n, offset) : pwrite(fd, buf, n, offset);
}

off_t ksim_posix_lseek(int fd, off_t offset, int whence)
{
	return posix_acts() ? ksim_lseek(fd, offset, whence) : lseek(fd, offset, whence);
}

int ksim_posix_fstat(int fd, struct stat *st)
{
	return posix_acts() ? ksim_fstat(fd, st) : fstat(fd, st);
}

int ksim_posix_ftruncate(int fd, off_t length)
{
	return posix_acts() ? ksim_ftruncate(fd, length) : ftruncate(fd, length);
}

int ksim_posix_fallocate(int fd, int mode, off_t offset, off_t len)
{
	return posix_acts() ? ksim_fallocate(fd, mode, offset, len) : fallocate(fd, mode, offset, len);
}

/* Gives the error instead of setting it. */
int ksim_posix_posix_fallocate(int fd, off_t offset, off_t len)
{
	if (!posix_acts())
		return posix_fallocate(fd, offset, len);
	return (int)-machine_call(CALL_fallocate, call_int(fd), 0, (uint64_t)offset, (uint64_t)len, 0, 0);
}

/* ---- descriptors ---- */

int ksim_posix_close(int fd)
{
	return posix_acts() ? ksim_close(fd) : close(fd);
}

int ksim_posix_dup(int fd)
{
	return posix_acts() ? ksim_dup(fd) : dup(fd);
}

int ksim_posix_dup2(int fd, int newfd)
{
	return posix_acts() ? ksim_dup2(fd, newfd) : dup2(fd, newfd);
}

int ksim_posix_dup3(int fd, int newfd, int flags)
{
	return posix_acts() ? ksim_dup3(fd, newfd, flags) : dup3(fd, newfd, flags);
}

/* Every argument of fcntl fits in a pointer, and one that is not there is not looked at. */
int ksim_posix_fcntl(int fd, int cmd, ...)
{
	va_list rest;
	void *arg;

	va_start(rest, cmd);
	arg = va_arg(rest, void *);
	va_end(rest);
	return posix_acts() ? ksim_fcntl(fd, cmd, (int)(intptr_t)arg) : fcntl(fd, cmd, arg);
}

/* ---- names ---- */

/* Whether open's mode argument is there. */
static bool has_mode(int flags)
{
	return flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE;
}

int ksim_posix_open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list rest;

	va_start(rest, flags);
	if (has_mode(flags))
		mode = va_arg(rest, mode_t);
	va_end(rest);
	return posix_acts() ? ksim_open(path, flags, mode) : open(path, flags, mode);
}

int ksim_posix_openat(int dirfd, const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list rest;

	va_start(rest, flags);
	if (has_mode(flags))
		mode = va_arg(rest, mode_t);
	va_end(rest);
	return posix_acts() ? ksim_openat(dirfd, path, flags, mode) : openat(dirfd, path, flags, mode);
}

int ksim_posix_creat(const char *path, mode_t mode)
{
	return posix_acts() ? ksim_open(path, O_CREAT | O_WRONLY | O_TRUNC, mode) : creat(path, mode);
}

int ksim_posix_unlink(const char *path)
{
	return posix_acts() ? ksim_unlink(path) : unlink(path);
}

int ksim_posix_unlinkat(int dirfd, const char *path, int flags)
{
	return posix_acts() ? ksim_unlinkat(dirfd, path, flags) : unlinkat(dirfd, path, flags);
}

int ksim_posix_memfd_create(const char *name, unsigned int flags)
{
	return posix_acts() ? ksim_memfd_create(name, flags) : memfd_create(name, flags);
}

/* ---- memory ---- */

/* What munmap and its like mean by a pointer; one without a window is as mmap gave it. */
static ksim_addr address_of(const void *pointer)
{
	return ksim_addr_of(pointer) & ~USER_POINTER_BIT;
}

void *ksim_posix_mmap(void *hint, size_t length, int prot, int flags, int fd, off_t offset)
{
	ksim_addr addr;
	void *pointer;

	if (!posix_acts())
		return mmap(hint, length, prot, flags, fd, offset);
	addr = ksim_mmap(address_of(hint), length, prot, flags, fd, offset);
	if (addr == KSIM_MAP_FAILED)
		return MAP_FAILED;
	pointer = ksim_ptr(addr);
	return pointer != NULL ? pointer : ksim_user(addr);
}

int ksim_posix_munmap(void *addr, size_t length)
{
	return posix_acts() ? ksim_munmap(address_of(addr), length) : munmap(addr, length);
}

int ksim_posix_mprotect(void *addr, size_t length, int prot)
{
	return posix_acts() ? ksim_mprotect(address_of(addr), length, prot) : mprotect(addr, length, prot);
}

/* ---- sockets ---- */

int ksim_posix_socket(int domain, int type, int protocol)
{
	return posix_acts() ? ksim_socket(domain, type, protocol) : socket(domain, type, protocol);
}

int ksim_posix_socketpair(int domain, int type, int protocol, int fds[2])
{
	return posix_acts() ? ksim_socketpair(domain, type, protocol, fds) : socketpair(domain, type, protocol, fds);
}

/* The addresses of sockets are unions of pointers to every kind of them; their first member is the plain one. */
int ksim_posix_bind(int fd, __CONST_SOCKADDR_ARG addr, socklen_t len)
{
	return posix_acts() ? ksim_bind(fd, addr.__sockaddr__, len) : bind(fd, addr, len);
}

int ksim_posix_connect(int fd, __CONST_SOCKADDR_ARG addr, socklen_t len)
{
	return posix_acts() ? ksim_connect(fd, addr.__sockaddr__, len) : connect(fd, addr, len);
}

int ksim_posix_listen(int fd, int backlog)
{
	return posix_acts() ? ksim_listen(fd, backlog) : listen(fd, backlog);
}

int ksim_posix_accept(int fd, __SOCKADDR_ARG addr, socklen_t *len)
{
	return posix_acts() ? ksim_accept(fd, addr.__sockaddr__, len) : accept(fd, addr, len);
}

int ksim_posix_accept4(int fd, __SOCKADDR_ARG addr, socklen_t *len, int flags)
{
	return posix_acts() ? ksim_accept4(fd, addr.__sockaddr__, len, flags) : accept4(fd, addr, len, flags);
}

int ksim_posix_shutdown(int fd, int how)
{
	return posix_acts() ? ksim_shutdown(fd, how) : shutdown(fd, how);
}

ssize_t ksim_posix_send(int fd, const void *buf, size_t n, int flags)
{
	return posix_acts() ? ksim_send(fd, buf, n, flags) : send(fd, buf, n, flags);
}

ssize_t ksim_posix_sendto(int fd, const void *buf, size_t n, int flags, __CONST_SOCKADDR_ARG addr, socklen_t len)
{
	return posix_acts() ? ksim_sendto(fd, buf, n, flags, addr.__sockaddr__, len)
	                    : sendto(fd, buf, n, flags, addr, len);
}

ssize_t ksim_posix_sendmsg(int fd, const struct msghdr *msg, int flags)
{
	return posix_acts() ? ksim_sendmsg(fd, msg, flags) : sendmsg(fd, msg, flags);
}

ssize_t ksim_posix_recv(int fd, void *buf, size_t n, int flags)
{
	return posix_acts() ? ksim_recv(fd, buf, n, flags) : recv(fd, buf, n, flags);
}

ssize_t ksim_posix_recvfrom(int fd, void *buf, size_t n, int flags, __SOCKADDR_ARG addr, socklen_t *len)
{
	return posix_acts() ? ksim_recvfrom(fd, buf, n, flags, addr.__sockaddr__, len)
	                    : recvfrom(fd, buf, n, flags, addr, len);
}

ssize_t ksim_posix_recvmsg(int fd, struct msghdr *msg, int flags)
{
	return posix_acts() ? ksim_recvmsg(fd, msg, flags) : recvmsg(fd, msg, flags);
}

int ksim_posix_getsockname(int fd, __SOCKADDR_ARG addr, socklen_t *len)
{
	return posix_acts() ? ksim_getsockname(fd, addr.__sockaddr__, len) : getsockname(fd, addr, len);
}

int ksim_posix_getpeername(int fd, __SOCKADDR_ARG addr, socklen_t *len)
{
	return posix_acts() ? ksim_getpeername(fd, addr.__sockaddr__, len) : getpeername(fd, addr, len);
}

int ksim_posix_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	return posix_acts() ? ksim_getsockopt(fd, level, name, value, len) : getsockopt(fd, level, name, value, len);
}
