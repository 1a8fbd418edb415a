/* SPDX-License-Identifier: MIT */
/*
 * The host's kernel and ksim under the same names, so that one template is the program for both.
 */
#ifndef BENCH_KERNELS_H
#define BENCH_KERNELS_H

#include "bench.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bench
{

struct Host {
	using addr = char *;

	static int memfd_create(const char *name, unsigned flags)
	{
		return ::memfd_create(name, flags);
	}
	static int ftruncate(int fd, off_t length)
	{
		return ::ftruncate(fd, length);
	}
	static int fallocate(int fd, off_t length)
	{
		return ::fallocate(fd, 0, 0, length);
	}
	static addr mmap(size_t length, int prot, int flags, int fd, off_t offset = 0)
	{
		return static_cast<char *>(::mmap(nullptr, length, prot, flags, fd, offset));
	}
	static ssize_t pread(int fd, void *buf, size_t n, off_t offset)
	{
		return ::pread(fd, buf, n, offset);
	}
	static ssize_t pwrite(int fd, const void *buf, size_t n, off_t offset)
	{
		return ::pwrite(fd, buf, n, offset);
	}
	/** A child that runs fn with arg and exits with 0. */
	static pid_t fork(int (*fn)(void *), void *arg)
	{
		pid_t pid = ::fork();

		if (pid == 0)
			::_exit(fn(arg));
		return pid;
	}
	static pid_t wait(pid_t pid, int *status)
	{
		return ::waitpid(pid, status, 0);
	}
	static bool mapped(addr p)
	{
		return p != MAP_FAILED;
	}
	static int madvise(addr at, size_t length, int advice)
	{
		return ::madvise(at, length, advice);
	}
	static int munmap(addr p, size_t length)
	{
		return ::munmap(p, length);
	}
	static int close(int fd)
	{
		return ::close(fd);
	}
	static ssize_t write(int fd, const void *buf, size_t n)
	{
		return ::write(fd, buf, n);
	}
	static ssize_t read(int fd, void *buf, size_t n)
	{
		return ::read(fd, buf, n);
	}
	static int fstat(int fd, struct stat *st)
	{
		return ::fstat(fd, st);
	}
	static int socketpair(int fds[2])
	{
		return ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds);
	}
	static ssize_t sendmsg(int fd, const struct msghdr *msg)
	{
		return ::sendmsg(fd, msg, 0);
	}
	static ssize_t recvmsg(int fd, struct msghdr *msg)
	{
		return ::recvmsg(fd, msg, MSG_CMSG_CLOEXEC);
	}
	static pid_t getppid()
	{
		return ::getppid();
	}
	static void store(addr p, uint64_t value)
	{
		*reinterpret_cast<volatile uint64_t *>(p) = value;
	}
	static uint64_t load(addr p)
	{
		return *reinterpret_cast<volatile uint64_t *>(p);
	}
};

struct Ksim {
	using addr = ksim_addr;

	static int memfd_create(const char *name, unsigned flags)
	{
		return ksim_memfd_create(name, flags);
	}
	static int ftruncate(int fd, off_t length)
	{
		return ksim_ftruncate(fd, length);
	}
	static int fallocate(int fd, off_t length)
	{
		return ksim_fallocate(fd, 0, 0, length);
	}
	static addr mmap(size_t length, int prot, int flags, int fd, off_t offset = 0)
	{
		return ksim_mmap(0, length, prot, flags, fd, offset);
	}
	static ssize_t pread(int fd, void *buf, size_t n, off_t offset)
	{
		return ksim_pread(fd, buf, n, offset);
	}
	static ssize_t pwrite(int fd, const void *buf, size_t n, off_t offset)
	{
		return ksim_pwrite(fd, buf, n, offset);
	}
	static pid_t fork(int (*fn)(void *), void *arg)
	{
		return ksim_fork_into(fn, arg);
	}
	static pid_t wait(pid_t pid, int *status)
	{
		return ksim_waitpid(pid, status, 0);
	}
	static bool mapped(addr p)
	{
		return p != KSIM_MAP_FAILED;
	}
	static int madvise(addr at, size_t length, int advice)
	{
		return ksim_madvise(at, length, advice);
	}
	static int munmap(addr p, size_t length)
	{
		return ksim_munmap(p, length);
	}
	static int close(int fd)
	{
		return ksim_close(fd);
	}
	static ssize_t write(int fd, const void *buf, size_t n)
	{
		return ksim_write(fd, buf, n);
	}
	static ssize_t read(int fd, void *buf, size_t n)
	{
		return ksim_read(fd, buf, n);
	}
	static int fstat(int fd, struct stat *st)
	{
		return ksim_fstat(fd, st);
	}
	static int socketpair(int fds[2])
	{
		return ksim_socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds);
	}
	static ssize_t sendmsg(int fd, const struct msghdr *msg)
	{
		return ksim_sendmsg(fd, msg, 0);
	}
	static ssize_t recvmsg(int fd, struct msghdr *msg)
	{
		return ksim_recvmsg(fd, msg, MSG_CMSG_CLOEXEC);
	}
	static pid_t getppid()
	{
		return ksim_getppid();
	}
	static void store(addr p, uint64_t value)
	{
		ksim_store64(p, value);
	}
	static uint64_t load(addr p)
	{
		return ksim_load64(p);
	}
};

} // namespace bench

#endif
