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

ssize_t ksim_posix_readv(int fd, const struct iovec *iov, int n)
{
	return posix_acts() ? ksim_readv(fd, iov, n) : readv(fd, iov, n);
}

ssize_t ksim_posix_writev(int fd, const struct iovec *iov, int n)
{
	return posix_acts() ? ksim_writev(fd, iov, n) : writev(fd, iov, n);
}

ssize_t ksim_posix_preadv(int fd, const struct iovec *iov, int n, off_t offset)
{
	return posix_acts() ? ksim_preadv(fd, iov, n, offset) : preadv(fd, iov, n, offset);
}

ssize_t ksim_posix_pwritev(int fd, const struct iovec *iov, int n, off_t offset)
{
	return posix_acts() ? ksim_pwritev(fd, iov, n, offset) : pwritev(fd, iov, n, offset);
}

ssize_t ksim_posix_preadv2(int fd, const struct iovec *iov, int n, off_t offset, int flags)
{
	return posix_acts() ? ksim_preadv2(fd, iov, n, offset, flags) : preadv2(fd, iov, n, offset, flags);
}

ssize_t ksim_posix_pwritev2(int fd, const struct iovec *iov, int n, off_t offset, int flags)
{
	return posix_acts() ? ksim_pwritev2(fd, iov, n, offset, flags) : pwritev2(fd, iov, n, offset, flags);
}

ssize_t ksim_posix_copy_file_range(int fd_in, off_t *off_in, int fd_out, off_t *off_out, size_t n, unsigned flags)
{
	return posix_acts() ? ksim_copy_file_range(fd_in, off_in, fd_out, off_out, n, flags)
	                    : copy_file_range(fd_in, off_in, fd_out, off_out, n, flags);
}

ssize_t ksim_posix_sendfile(int fd_out, int fd_in, off_t *offset, size_t n)
{
	return posix_acts() ? ksim_sendfile(fd_out, fd_in, offset, n) : sendfile(fd_out, fd_in, offset, n);
}

int ksim_posix_fsync(int fd)
{
	return posix_acts() ? ksim_fsync(fd) : fsync(fd);
}

int ksim_posix_fdatasync(int fd)
{
	return posix_acts() ? ksim_fdatasync(fd) : fdatasync(fd);
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

/* The reverse. */
static void *pointer_to(ksim_addr addr)
{
	void *pointer;

	if (addr == KSIM_MAP_FAILED)
		return MAP_FAILED;
	pointer = ksim_ptr(addr);
	return pointer != NULL ? pointer : ksim_user(addr);
}

void *ksim_posix_mmap(void *hint, size_t length, int prot, int flags, int fd, off_t offset)
{
	if (!posix_acts())
		return mmap(hint, length, prot, flags, fd, offset);
	return pointer_to(ksim_mmap(address_of(hint), length, prot, flags, fd, offset));
}

int ksim_posix_munmap(void *addr, size_t length)
{
	return posix_acts() ? ksim_munmap(address_of(addr), length) : munmap(addr, length);
}

void *ksim_posix_mremap(void *old, size_t old_length, size_t length, int flags, ...)
{
	void *to = NULL;
	va_list rest;

	va_start(rest, flags);
	if (flags & (MREMAP_FIXED | MREMAP_DONTUNMAP))
		to = va_arg(rest, void *);
	va_end(rest);
	if (!posix_acts())
		return mremap(old, old_length, length, flags, to);
	return pointer_to(ksim_mremap(address_of(old), old_length, length, flags, address_of(to)));
}

int ksim_posix_brk(void *end)
{
	return posix_acts() ? ksim_brk(address_of(end)) : brk(end);
}

void *ksim_posix_sbrk(intptr_t increment)
{
	return posix_acts() ? pointer_to(ksim_sbrk(increment)) : sbrk(increment);
}

int ksim_posix_mprotect(void *addr, size_t length, int prot)
{
	return posix_acts() ? ksim_mprotect(address_of(addr), length, prot) : mprotect(addr, length, prot);
}

int ksim_posix_madvise(void *addr, size_t length, int advice)
{
	return posix_acts() ? ksim_madvise(address_of(addr), length, advice) : madvise(addr, length, advice);
}

/* Gives the error instead of setting it; POSIX's DONTNEED may not lose anything, so it is nothing. */
int ksim_posix_posix_madvise(void *addr, size_t length, int advice)
{
	if (!posix_acts())
		return posix_madvise(addr, length, advice);
	if (advice == POSIX_MADV_DONTNEED)
		return 0;
	return (int)-machine_call(CALL_madvise, address_of(addr), length, call_int(advice), 0, 0, 0);
}

int ksim_posix_msync(void *addr, size_t length, int flags)
{
	return posix_acts() ? ksim_msync(address_of(addr), length, flags) : msync(addr, length, flags);
}

int ksim_posix_mincore(void *addr, size_t length, unsigned char *resident)
{
	return posix_acts() ? ksim_mincore(address_of(addr), length, resident) : mincore(addr, length, resident);
}

int ksim_posix_mlock(const void *addr, size_t length)
{
	return posix_acts() ? ksim_mlock(address_of(addr), length) : mlock(addr, length);
}

int ksim_posix_mlock2(const void *addr, size_t length, unsigned flags)
{
	return posix_acts() ? ksim_mlock2(address_of(addr), length, flags) : mlock2(addr, length, flags);
}

int ksim_posix_munlock(const void *addr, size_t length)
{
	return posix_acts() ? ksim_munlock(address_of(addr), length) : munlock(addr, length);
}

int ksim_posix_mlockall(int flags)
{
	return posix_acts() ? ksim_mlockall(flags) : mlockall(flags);
}

int ksim_posix_munlockall(void)
{
	return posix_acts() ? ksim_munlockall() : munlockall();
}

ssize_t ksim_posix_process_vm_readv(pid_t pid, const struct iovec *local, unsigned long nlocal,
                                    const struct iovec *remote, unsigned long nremote, unsigned long flags)
{
	return posix_acts() ? ksim_process_vm_readv(pid, local, nlocal, remote, nremote, flags)
	                    : process_vm_readv(pid, local, nlocal, remote, nremote, flags);
}

ssize_t ksim_posix_process_vm_writev(pid_t pid, const struct iovec *local, unsigned long nlocal,
                                     const struct iovec *remote, unsigned long nremote, unsigned long flags)
{
	return posix_acts() ? ksim_process_vm_writev(pid, local, nlocal, remote, nremote, flags)
	                    : process_vm_writev(pid, local, nlocal, remote, nremote, flags);
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
