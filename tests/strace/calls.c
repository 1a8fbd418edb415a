// SPDX-License-Identifier: MIT
/*
 * System calls of every kind with arguments of every kind, for their lines in a trace.
 *
 * Built twice. The host form makes the calls to the host kernel, under strace; the other makes the same calls to ksim
 * and prints ksim's own trace. What the calls do is not looked at here: the lines are compared, by `compare`.
 *
 *	close(12345)     the lines that count begin after this one
 *	...
 *	exit_group(7)    and end with this one
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef WITH_KSIM
#include <ksim/ksim.h>

#define CALL(nr, a, b, c, d, e, f) ksim_syscall(nr, a, b, c, d, e, f)
#else
#define CALL(nr, a, b, c, d, e, f) syscall(nr, a, b, c, d, e, f)
#endif

#define FIRST_SIX(nr, a, b, c, d, e, f, ...) CALL(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
/* C(dup2, 3, 4) */
#define C(name, ...) FIRST_SIX(SYS_##name, ##__VA_ARGS__, 0, 0, 0, 0, 0, 0)

enum { PAGE = 4096 };

#define NOWHERE ((void *)8)
#define AT      0x10000000L /* where nothing is mapped */

static char bytes[8192];
static uint64_t hard; /* most descriptors that this process may have */

static void memfds(void)
{
	C(memfd_create, "pool", MFD_CLOEXEC | MFD_ALLOW_SEALING);                    /* 0 */
	C(memfd_create, "with \"quotes\" \\ and\ttabs\1", 0);                        /* 1 */
	C(memfd_create, "a name of more than thirty-two bytes, it is", MFD_CLOEXEC); /* 2 */
	C(memfd_create, "caf\303\251", MFD_ALLOW_SEALING);                           /* 3 */
	C(memfd_create, "x", 0x1000);
	C(memfd_create, "x", MFD_CLOEXEC | 0x40000);
	C(memfd_create, NULL, MFD_CLOEXEC);
	C(memfd_create, NOWHERE, 0);
	C(memfd_create, "huge", MFD_CLOEXEC | MFD_HUGETLB | (21u << 26) | 0x1000);
	C(ftruncate, 0, 16384);
	C(ftruncate, 0, -1L);
	C(ftruncate, 77, 1);
	C(fallocate, 0, 0, 0, 8192);
	C(fallocate, 77, 3, 0, 4096);
	C(fallocate, 77, 1, 4096, 4096);
	C(fallocate, 77, 0x7c, 0, 4096);
	C(fallocate, 0, 0x100, 0, 4096);
	C(fallocate, 77, 0x101, 0, 4096);
	C(fallocate, 0, 0, -1L, 4096);
	C(fallocate, 77, 0, 0, 0);
}

static void transfers(void)
{
	C(write, 0, "hello", 5);
	C(write, 0, "a\n\r\t\v\f\\\"\0\1\0012\377", 13);
	C(write, 0, "exactly thirty-two bytes, it is.", 32);
	C(write, 0, "more than thirty-two bytes, it is.", 34);
	C(write, 0, "", 0);
	C(write, 0, NOWHERE, 5);
	C(write, 0, NULL, 5);
	C(write, 77, "hi", 2);
	C(write, -1, "hi", 2);
	C(lseek, 0, 0, SEEK_SET);
	C(read, 0, bytes, 5);
	C(read, 0, bytes, 100);
	C(read, 0, bytes, 0);
	C(read, 0, NOWHERE, 5);
	C(read, 77, bytes, 5);
	C(pread64, 0, bytes, 5, 0);
	C(pread64, 0, bytes, 5, -1L);
	C(pread64, 0, bytes, 5, 0x100000000L);
	C(pwrite64, 0, "12", 2, 4096);
	C(pwrite64, 0, "12", 2, -1L);
	C(lseek, 0, 100, SEEK_CUR);
	C(lseek, 0, -1L, SEEK_SET);
	C(lseek, 0, 0, SEEK_END);
	C(lseek, 0, 0, SEEK_DATA);
	C(lseek, 77, 0, SEEK_HOLE);
	C(lseek, 0, 0, 9);
	C(lseek, 77, 0, SEEK_SET);
}

static void descriptors(void)
{
	const struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 4096, .l_pid = 5 };

	C(dup, 0); /* 4 */
	C(dup, 77);
	C(dup2, 0, 9);
	C(dup2, 1, 9);
	C(dup2, 9, 9);
	C(dup2, 77, 9);
	C(dup2, 0, -1L);
	C(dup3, 0, 9, O_CLOEXEC);
	C(dup3, 0, 9, 0);
	C(dup3, 0, 0, 0);
	C(dup3, 0, 9, O_CLOEXEC | O_APPEND);
	C(fcntl, 0, F_GETFD);
	C(fcntl, 9, F_GETFD);
	C(fcntl, 9, F_SETFD, FD_CLOEXEC);
	C(fcntl, 9, F_SETFD, 0);
	C(fcntl, 9, F_SETFD, 7);
	C(fcntl, 0, F_GETFL);
	C(fcntl, 0, F_SETFL, O_RDWR | O_NONBLOCK | O_APPEND);
	C(fcntl, 0, F_GETFL);
	C(fcntl, 0, F_SETFL, O_RDWR);
	C(fcntl, 0, F_DUPFD, 20);
	C(fcntl, 0, F_DUPFD_CLOEXEC, 21);
	C(fcntl, 0, F_DUPFD, -1L);
	C(fcntl, 77, F_GETFL);
	C(fcntl, 77, F_SETFL, O_NONBLOCK);
	C(fcntl, 77, F_SETFL, 0);
	C(fcntl, 0, 4711, 5);
	C(fcntl, 77, F_SETOWN, -5L);
	C(fcntl, 77, F_GETOWN);
	C(fcntl, 77, F_SETSIG, SIGIO);
	C(fcntl, 77, F_GETSIG);
	C(fcntl, 77, F_SETPIPE_SZ, 65536);
	C(fcntl, 77, F_GETPIPE_SZ);
	C(fcntl, 77, F_SETLEASE, F_RDLCK);
	C(fcntl, 77, F_GETLEASE);
	C(fcntl, 77, F_NOTIFY, 5);
	C(fcntl, 77, F_SETLK, NOWHERE);
	C(fcntl, 77, F_GETLK, &lock);
	C(fcntl, 77, F_SETLK, &lock);
	C(fcntl, 77, F_SETLKW, &lock);
	C(fcntl, 77, F_OFD_SETLK, &lock);
	C(fcntl, 77, F_OFD_GETLK, &lock);
	C(fcntl, 77, F_OFD_SETLKW, &lock);
	C(close, 9);
	C(close, 9);
	C(close, 20);
	C(close, 21);
	C(close, 4);
	C(close, -1L);
}

static void seals(void)
{
	C(fcntl, 0, F_GET_SEALS);
	C(fcntl, 1, F_GET_SEALS);
	C(fcntl, 0, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW);
	C(fcntl, 0, F_GET_SEALS);
	C(fcntl, 0, F_ADD_SEALS, 0x40);
	C(fcntl, 0, F_ADD_SEALS, 0);
	C(fcntl, 1, F_ADD_SEALS, F_SEAL_WRITE);
	C(fcntl, 77, F_ADD_SEALS, F_SEAL_FUTURE_WRITE | F_SEAL_SEAL | F_SEAL_WRITE);
	C(fcntl, 3, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_WRITE);
	C(fcntl, 3, F_GET_SEALS);
	C(ftruncate, 0, 0);
}

static void files(void)
{
	struct stat stat;

	C(fstat, 0, &stat);
	C(fstat, 0, NOWHERE);
	C(fstat, 77, &stat);
	C(open, "/proc/self/fd/0", O_RDONLY);                                   /* 4 */
	C(open, "/proc/self/fd/0", O_RDWR | O_CLOEXEC | O_APPEND | O_NONBLOCK); /* 5 */
	C(openat, 77, "none", O_PATH | O_CLOEXEC | O_SYNC | O_DSYNC | O_DIRECT | O_NOATIME | O_ASYNC | O_LARGEFILE);
	C(openat, 77, "none", O_TMPFILE | O_RDWR, 0600);
	C(openat, 77, "none", -1L & ~(0x400000L | O_DIRECTORY), 0600);
	C(open, "/none/such", 3 | 0x10000000, 0600);
	C(open, "/proc/self/fd/77", O_WRONLY);
	C(open, "", O_RDONLY);
	C(open, NOWHERE, O_RDONLY);
	C(open, "/none/such", O_RDWR | O_CREAT | O_EXCL | O_TRUNC, 0644);
	C(open, "/none/such", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NOCTTY);
	C(openat, AT_FDCWD, "/proc/self/fd/0", O_RDONLY | O_CLOEXEC); /* 6 */
	C(openat, AT_FDCWD, "/none/such", O_WRONLY | O_CREAT, 0600);
	C(openat, AT_FDCWD, "/none/such", O_WRONLY | O_CREAT, 0);
	C(openat, 77, "none", O_RDONLY);
	C(openat, 0, "/none/such", O_RDONLY);
	C(unlink, "/none/such");
	C(unlink, NOWHERE);
	C(unlinkat, AT_FDCWD, "/none/such", 0);
	C(unlinkat, AT_FDCWD, "/none/such", AT_REMOVEDIR);
	C(unlinkat, 77, "none", 0x40000000);
	for (int fd = 4; fd <= 6; fd++)
		C(close, fd);
}

static void memory(void)
{
	C(mmap, AT, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, 0, 0);
	C(mmap, NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1L, 0);
	C(mmap, AT + PAGE, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1L, 0);
	C(mmap, AT, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1L, 0);
	C(mmap, NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, 0, 0x2000);
	C(mmap, NULL, PAGE, PROT_READ, MAP_SHARED_VALIDATE, 0, 0);
	C(mmap, NULL, 0, PROT_READ, MAP_SHARED, 0, 0);
	C(mmap, NULL, PAGE, PROT_READ, MAP_SHARED, 77, 0);
	C(mmap, NULL, PAGE, PROT_READ, MAP_SHARED, 0, 1);
	C(mmap, NULL, PAGE, PROT_READ, 0, 0, 0);
	C(mmap, NULL, PAGE, PROT_READ, MAP_ANONYMOUS, -1L, 0);
	C(mmap, NULL, PAGE, PROT_READ, 0x4 | MAP_ANONYMOUS, -1L, 0);
	C(mmap, NULL, PAGE, PROT_READ, MAP_SHARED_VALIDATE | 0x800000, 0, 0);
	C(mmap, NULL, PAGE, PROT_READ | 0x1000008, 0x7fffff2, 77, 0);
	C(mmap, NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_HUGETLB | (21 << 26), 77, 0x1000);
	C(mprotect, AT, PAGE, PROT_READ);
	C(mprotect, AT, PAGE, PROT_NONE);
	C(mprotect, AT, PAGE, PROT_READ | PROT_WRITE);
	C(mprotect, AT, PAGE, 0x400);
	C(mprotect, AT, PAGE, PROT_READ | 0x400);
	C(mprotect, AT + 1, PAGE, PROT_READ);
	C(mprotect, AT + 64 * PAGE, PAGE, PROT_READ);
	C(munmap, AT, 2 * PAGE);
	C(munmap, AT + 1, PAGE);
	C(munmap, AT, 0);
	C(munmap, NULL, 0);
}

static void remaps(void)
{
	C(mmap, AT, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1L, 0);
	C(mmap, NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_STACK, -1L, 0);
	C(mprotect, AT, PAGE, PROT_READ | PROT_GROWSDOWN);
	C(mprotect, AT, PAGE, PROT_GROWSUP | PROT_GROWSDOWN);
	C(mremap, AT, 2 * PAGE, 4 * PAGE, 0, 0);
	C(mremap, AT, 4 * PAGE, 3 * PAGE, MREMAP_MAYMOVE, 0);
	C(mremap, AT, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, AT + 8 * PAGE);
	C(mremap, AT + 8 * PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, AT + 9 * PAGE);
	C(mremap, AT + 8 * PAGE, PAGE, PAGE, MREMAP_FIXED, AT);
	C(mremap, AT, PAGE, PAGE, 8, 0);
	C(mremap, AT, PAGE, PAGE, 9, 0);
	C(mremap, NULL, 0, 0, 0, 0);
	C(munmap, AT, 10 * PAGE);
	C(brk, 0);
	C(brk, 1);
}

/* Of memory that is mapped already. */
static void advice(void)
{
	static unsigned char in[64];

	C(mmap, AT, 40 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1L, 0);
	for (long i = 0; i <= 25; i++)
		C(madvise, AT + 8, PAGE, i);
	C(madvise, AT, PAGE, MADV_RANDOM);
	C(madvise, AT, PAGE, MADV_NORMAL);
	C(madvise, AT, 41 * PAGE, MADV_DONTNEED);
	C(madvise, AT, PAGE, -1);
	C(madvise, NULL, 0, 99);
	C(msync, AT, PAGE, MS_SYNC);
	C(msync, AT, PAGE, MS_ASYNC | MS_INVALIDATE);
	C(msync, AT, PAGE, 0);
	C(msync, AT, PAGE, 15);
	C(msync, AT, PAGE, 8);
	C(madvise, AT + PAGE, PAGE, 23);
	C(mincore, AT, 3 * PAGE, in);
	C(mincore, AT, 40 * PAGE, in);
	C(mincore, AT, 1, in);
	C(mincore, AT, 0, in);
	C(mincore, AT, 0, NULL);
	C(mincore, AT + 1, 1, in);
	C(mincore, AT, 1, NOWHERE);
	C(mincore, AT, 1, NULL);
	C(mlock, AT, 10);
	C(munlock, AT, 10);
	C(mlock2, AT, 10, 0);
	C(mlock2, AT, 10, 1);
	C(mlock2, AT, 10, 3);
	C(mlock2, AT, 10, 2);
	C(mlockall, 0);
	C(mlockall, 15);
	C(mlockall, 8);
	C(munlockall);
	C(munlock, NULL, 1);
}

static void copies_between_processes(void)
{
	static char three[4];
	const struct iovec here[] = { { (void *)(uintptr_t) "hello", 5 }, { three, 3 } };
	const struct iovec there[] = { { (void *)AT, 5 }, { (void *)(AT + 8), 4 } };
	const long pid = CALL(SYS_getpid, 0, 0, 0, 0, 0, 0);
	struct iovec many[40];

	for (int i = 0; i < 40; i++)
		many[i] = there[1];
	C(process_vm_writev, pid, here, 2, there, 2, 0);
	C(process_vm_readv, pid, here + 1, 1, there, 1, 0);
	C(process_vm_readv, pid, here + 1, 1, there, 2, 0);
	C(process_vm_readv, pid, here + 1, 1, many, 40, 0);
	C(process_vm_readv, pid, here, 1, there, 1, 9);
	C(process_vm_readv, pid, NOWHERE, 1, NOWHERE, 1, 0);
	C(process_vm_readv, -1, here, 0, there, 0, 0);
	C(process_vm_readv, pid, NULL, 0, NULL, 0, 0);
	C(process_vm_writev, -1, here, 1, there, 1, -1L);
	C(munmap, AT, 40 * PAGE);
}

/* 4, 5: connected; 6: listens */
static void sockets(void)
{
	struct sockaddr_un abstract = { AF_UNIX, "\0ksim-lines" }, none = { AF_UNIX, "\0none" };
	struct sockaddr_un full = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(abstract);
	int pair[2];

	memset(full.sun_path, 'x', sizeof(full.sun_path));
	full.sun_path[2] = '\n';

	C(socketpair, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair);
	C(socketpair, AF_UNIX, SOCK_STREAM, 0, NOWHERE);
	C(socketpair, 99, SOCK_STREAM | 0x40, 3, pair);
	C(socket, AF_UNIX, SOCK_STREAM, 0);
	C(socket, AF_UNIX, 99, 0);
	C(socket, AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 7);
	C(bind, 6, &abstract, 2 + 11);
	C(bind, 6, &abstract, 2 + 11);
	C(bind, 6, &abstract, 1);
	C(bind, 6, NOWHERE, 13);
	C(bind, 77, &abstract, 13);
	C(bind, 77, &abstract, 3);
	C(bind, 77, &abstract, 2);
	C(bind, 77, &abstract, sizeof(abstract));
	C(bind, 77, &abstract, 4711);
	C(bind, 77, &full, sizeof(full));
	C(bind, 77, &full, 5);
	C(listen, 6, 5);
	C(listen, 77, -1L);
	C(getsockname, 6, &abstract, &len);
	len = 5;
	C(getsockname, 6, &abstract, &len);
	len = sizeof(abstract);
	C(getsockname, 4, &abstract, &len);
	C(getpeername, 6, &abstract, &len);
	C(getpeername, 4, NULL, NULL);
	len = sizeof(abstract);
	C(getpeername, 4, &abstract, &len);
	C(getsockname, 77, &abstract, &len);
	C(connect, 77, &none, 2 + 5);
	C(connect, 6, NULL, 0);
	C(accept, 4, NULL, NULL);
	C(accept4, 4, NULL, NULL, SOCK_CLOEXEC);
	C(accept4, 4, NULL, NULL, 0x4000);
	C(accept4, 77, &abstract, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

static void connections(void)
{
	struct sockaddr_un name = { AF_UNIX, "\0ksim-lines" }, none = { AF_UNIX, "\0none" };
	struct sockaddr_un path = { AF_UNIX, "/ksim-none/socket" };
	socklen_t len = sizeof(name);

	C(socket, AF_UNIX, SOCK_STREAM, 0); /* 7 */
	C(connect, 7, &none, 2 + 5);
	C(connect, 7, &path, sizeof(path));
	C(connect, 7, &path, 2 + 5);
	C(connect, 7, &name, 2 + 11);
	C(accept4, 6, &name, &len, SOCK_CLOEXEC); /* 8 */
	len = sizeof(name);
	C(getpeername, 7, &name, &len);
	name.sun_family = 99;
	C(connect, 7, &name, 2 + 11);
	name.sun_family = 0;
	C(connect, 7, &name, 2);
	C(shutdown, 8, SHUT_RD);
	C(shutdown, 8, SHUT_WR);
	C(shutdown, 8, SHUT_RDWR);
	C(shutdown, 8, 9);
	C(shutdown, 77, 0);
	C(close, 7);
	C(close, 8);
}

static void options(void)
{
	socklen_t len = sizeof(int);
	struct ucred creds;
	char tail[8] = "";
	int value;

	C(getsockopt, 4, SOL_SOCKET, SO_TYPE, &value, &len);
	C(getsockopt, 4, SOL_SOCKET, SO_ERROR, &value, &len);
	C(getsockopt, 6, SOL_SOCKET, SO_ACCEPTCONN, &value, &len);
	C(getsockopt, 4, SOL_SOCKET, SO_PROTOCOL, &value, &len);
	C(getsockopt, 4, SOL_SOCKET, SO_DOMAIN, &value, &len);
	len = 2;
	C(getsockopt, 4, SOL_SOCKET, SO_TYPE, tail, &len);
	len = 8;
	C(getsockopt, 4, SOL_SOCKET, SO_TYPE, tail, &len);
	len = sizeof(creds);
	C(getsockopt, 4, SOL_SOCKET, SO_PEERCRED, &creds, &len);
	len = 4;
	C(getsockopt, 4, SOL_SOCKET, 4711, &value, &len);
	C(getsockopt, 4, 4711, 1, &value, &len);
	C(getsockopt, 77, SOL_SOCKET, SO_SNDBUF, &value, &len);
	C(getsockopt, 77, SOL_SOCKET, SO_PASSCRED, &value, &len);
	C(getsockopt, 77, SOL_SOCKET, SO_LINGER, &value, &len);
	C(getsockopt, 77, SOL_SOCKET, SO_RCVTIMEO, &value, &len);
	len = -1;
	C(getsockopt, 4, SOL_SOCKET, SO_TYPE, &value, &len);
	len = 0;
	C(getsockopt, 4, SOL_SOCKET, SO_TYPE, &value, &len);
	len = 4;
	C(getsockopt, 4, SOL_SOCKET, SO_TYPE, NOWHERE, &len);
	C(getsockopt, 4, SOL_SOCKET, SO_TYPE, &value, NULL);
	C(getsockopt, 77, SOL_SOCKET, SO_TYPE, &value, &len);
	C(getsockopt, 0, SOL_SOCKET, SO_TYPE, &value, &len);
}

static void datas(void)
{
	struct sockaddr_un name;
	socklen_t len = sizeof(name);

	C(sendto, 4, "hello", 5, MSG_NOSIGNAL, NULL, 0);
	C(recvfrom, 5, bytes, 3, MSG_PEEK, NULL, NULL);
	C(recvfrom, 5, bytes, 3, 0, &name, &len);
	len = sizeof(name);
	C(recvfrom, 5, bytes, 100, MSG_DONTWAIT | MSG_WAITALL, &name, &len);
	C(recvfrom, 5, bytes, 100, MSG_DONTWAIT, NULL, NULL);
	C(recvfrom, 77, bytes, 100, 0, NULL, NULL);
	C(recvfrom, 77, bytes, 100, 0, &name, &len);
	C(recvfrom, 77, bytes, 100, 0, &name, NULL);
	C(recvfrom, 77, bytes, 100, 0, &name, NOWHERE);
	name = (struct sockaddr_un){ AF_UNIX, "\0to" };
	C(sendto, 77, "hello", 5, 0, &name, 5);
	C(sendto, 77, "hello", 5, 0, NOWHERE, 5);
	C(sendto, 77, "hello", 5, -1L, NULL, 0);
	C(sendto, 77, "hello", 5, MSG_DONTWAIT | MSG_EOR | MSG_MORE, NULL, 0);
	C(sendto, 4, NOWHERE, 5, 0x800000, NULL, 0);
	C(write, 4, "abc", 3);
	C(read, 5, bytes, 100);
}

/* Rows that are too long to be shown. */
static void rows(void)
{
	char control[CMSG_SPACE(40 * sizeof(int))] __attribute__((aligned(8))) = { 0 };
	struct cmsghdr *cmsg = (struct cmsghdr *)(void *)control;
	struct msghdr msg = { .msg_control = control, .msg_controllen = sizeof(control) };
	struct iovec iov[40];

	for (int i = 0; i < 40; i++)
		iov[i] = (struct iovec){ bytes, i == 5 ? 100 : 1 };
	msg.msg_iov = iov;
	msg.msg_iovlen = 40;
	cmsg->cmsg_len = CMSG_LEN(40 * sizeof(int));
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	C(sendmsg, 77, &msg, 0);
	for (size_t at = 0; at + 16 <= sizeof(control); at += 16) {
		cmsg = (struct cmsghdr *)(void *)(control + at);
		*cmsg = (struct cmsghdr){ .cmsg_len = 16, .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
	}
	C(sendmsg, 77, &msg, 0);
}

static void moves(void)
{
	struct iovec iov[3] = { { bytes, 5 }, { bytes + 100, 0 }, { bytes + 200, 40 } };
	long from = C(memfd_create, "from", 0), to = C(memfd_create, "to", 0);
	off_t in = 0, out = 6;

	memset(bytes, 'b', 300);
	C(writev, from, iov, 3);
	C(writev, from, iov, 0);
	C(writev, from, NOWHERE, 1);
	C(writev, 77, iov, 1);
	C(lseek, from, 0, SEEK_SET);
	C(readv, from, iov, 3);
	C(readv, from, iov, 3);
	C(preadv, from, iov, 1, 2, 0);
	C(preadv, 77, iov, 1, 2, 0);
	C(pwritev, from, iov, 2, 4, 0);
	C(pwritev, from, iov, 2, -1L, 0);
	C(preadv2, from, iov, 1, 1, 0, 0);
	C(pwritev2, from, iov, 1, 1, 0, RWF_APPEND | RWF_HIPRI);
	C(pwritev2, from, iov, 1, 1, 0, RWF_NOWAIT);
	C(pwritev2, from, iov, 1, 1, 0, 0x10000000);
	C(sendfile, to, from, &in, 10);
	C(sendfile, to, from, NULL, 10);
	C(sendfile, to, 77, NOWHERE, 10);
	C(sendfile, 77, from, &in, 10);
	C(copy_file_range, from, &in, to, &out, 3, 0);
	C(copy_file_range, from, NULL, to, NULL, 3, 0);
	C(copy_file_range, 77, &in, to, &out, 3, 0);
	C(copy_file_range, 77, NOWHERE, to, NULL, 3, 1);
	C(fsync, from);
	C(fdatasync, 77);
	C(close, from);
	C(close, to);
}

static struct cmsghdr *rights(char *control, const int *fds, size_t n)
{
	struct cmsghdr *cmsg = (struct cmsghdr *)(void *)control;

	cmsg->cmsg_len = CMSG_LEN(n * sizeof(int));
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	memcpy(CMSG_DATA(cmsg), fds, n * sizeof(int));
	return cmsg;
}

static void messages(void)
{
	char control[256] __attribute__((aligned(8))) = { 0 };
	struct iovec iov[3] = { { (void *)(uintptr_t) "head", 4 }, { NULL, 0 }, { (void *)(uintptr_t) "tail", 4 } };
	struct sockaddr_un name = { AF_UNIX, "\0to" };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 3 };
	const int fds[3] = { 0, 4, 1 }, bad[1] = { 77 };
	struct cmsghdr *cmsg;

	C(sendmsg, 4, &msg, 0);
	msg.msg_control = control;
	msg.msg_controllen = CMSG_SPACE(sizeof(fds));
	cmsg = rights(control, fds, 3);
	C(sendmsg, 4, &msg, MSG_NOSIGNAL);
	cmsg = rights(control, bad, 1);
	msg.msg_controllen = CMSG_SPACE(sizeof(bad));
	C(sendmsg, 4, &msg, 0);
	cmsg->cmsg_type = 99;
	C(sendmsg, 4, &msg, 0);
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = 5;
	C(sendmsg, 4, &msg, 0);
	cmsg->cmsg_len = 4000;
	C(sendmsg, 4, &msg, 0);
	cmsg = rights(control, fds, 0);
	msg.msg_controllen = CMSG_SPACE(0);
	C(sendmsg, 4, &msg, 0);
	cmsg = rights(control, fds, 1);
	cmsg->cmsg_level = 4711;
	msg.msg_controllen = CMSG_SPACE(sizeof(int));
	C(sendmsg, 4, &msg, MSG_NOSIGNAL);
	C(sendmsg, 77, &msg, 0);
	cmsg->cmsg_level = SOL_SOCKET;
	for (size_t len = 17; len < 26; len += 3) {
		cmsg->cmsg_len = len;
		msg.msg_controllen = 29;
		C(sendmsg, 77, &msg, 0);
	}
	cmsg->cmsg_type = SCM_CREDENTIALS;
	cmsg->cmsg_len = CMSG_LEN(12);
	memset(CMSG_DATA(cmsg), 0, 12);
	msg.msg_controllen = CMSG_SPACE(12);
	C(sendmsg, 77, &msg, 0);
	msg.msg_name = &name;
	msg.msg_namelen = 5;
	C(sendmsg, 77, &msg, 0);
	msg.msg_name = NULL;
	msg.msg_namelen = 0;
	C(sendmsg, 4, NOWHERE, 0);
	msg.msg_control = NULL;
	msg.msg_controllen = 0;
	msg.msg_iovlen = 0;
	C(sendmsg, 4, &msg, 0);
	msg.msg_iov = NOWHERE;
	msg.msg_iovlen = 2;
	C(sendmsg, 4, &msg, 0);
	msg.msg_iovlen = 5000;
	C(sendmsg, 4, &msg, 0);
	msg = (struct msghdr){ .msg_iov = iov, .msg_iovlen = 1, .msg_control = NOWHERE, .msg_controllen = 24 };
	C(sendmsg, 4, &msg, 0);
	msg.msg_controllen = 5;
	C(sendmsg, 4, &msg, 0);
}

static void receiving(void)
{
	char control[256] __attribute__((aligned(8))), a[4], b[100];
	struct iovec iov[2] = { { a, sizeof(a) }, { b, sizeof(b) } };
	struct sockaddr_un name;
	struct msghdr msg = {
		.msg_name = &name,
		.msg_namelen = sizeof(name),
		.msg_iov = iov,
		.msg_iovlen = 2,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};

	C(recvmsg, 5, &msg, MSG_PEEK);
	msg.msg_controllen = sizeof(control);
	C(recvmsg, 5, &msg, MSG_CMSG_CLOEXEC);
	msg.msg_controllen = CMSG_LEN(sizeof(int));
	C(recvmsg, 5, &msg, 0);
	C(recvmsg, 5, &msg, MSG_DONTWAIT);
	C(recvmsg, 5, &msg, MSG_DONTWAIT);
	C(recvmsg, 77, &msg, 0);
	C(recvmsg, 5, NOWHERE, 0);
	C(sendto, 4, "abc", 3, 0, NULL, 0);
	msg = (struct msghdr){ .msg_iov = iov, .msg_iovlen = 1 };
	C(recvmsg, 5, &msg, 0);
	C(shutdown, 4, SHUT_WR);
	C(recvmsg, 5, &msg, 0);
	C(recvfrom, 5, bytes, 10, 0, NULL, NULL);
}

static void actions(void)
{
	/* As the kernel has it: handler, flags, restorer, mask. */
	uint64_t action[4] = { 0x1234, SA_SIGINFO | SA_RESTART | 0x04000000, 0x5678, 0 }, old[4];

	C(rt_sigaction, SIGUSR1, action, NULL, 8);
	C(rt_sigaction, SIGUSR1, NULL, old, 8);
	action[1] =
		0x04000000 | SA_NODEFER | SA_ONSTACK | SA_NOCLDSTOP | SA_NOCLDWAIT | (uint64_t)(unsigned)SA_RESETHAND;
	action[3] = 1u << (SIGINT - 1) | 1u << (SIGBUS - 1) | UINT64_C(1) << 33;
	C(rt_sigaction, SIGUSR2, action, old, 8);
	C(rt_sigaction, SIGUSR2, NULL, old, 8);
	action[1] = 0x04000000;
	action[3] = ~UINT64_C(0);
	C(rt_sigaction, SIGRTMIN, action, NULL, 8);
	action[3] = ~(UINT64_C(1) << (SIGTERM - 1));
	C(rt_sigaction, 63, action, NULL, 8);
	action[0] = 1;
	action[1] = action[2] = action[3] = 0;
	C(rt_sigaction, SIGBUS, action, old, 8);
	action[0] = 0;
	C(rt_sigaction, SIGBUS, action, old, 8);
	C(rt_sigaction, SIGKILL, action, NULL, 8);
	C(rt_sigaction, 0, NULL, NULL, 8);
	C(rt_sigaction, 65, NULL, old, 8);
	C(rt_sigaction, SIGUSR1, NOWHERE, NULL, 8);
	C(rt_sigaction, SIGUSR1, NULL, NOWHERE, 8);
	C(rt_sigaction, SIGUSR1, NULL, NULL, 4);
	action[1] = 0x20000 | 0x400;
	C(rt_sigaction, SIGUSR1, action, NULL, 4);
}

static void limits(void)
{
	uint64_t limits[2] = { 100, hard }, old[2];

	C(setrlimit, RLIMIT_NOFILE, limits);
	C(getrlimit, RLIMIT_NOFILE, old);
	limits[0] = 64;
	C(prlimit64, 0, RLIMIT_NOFILE, limits, old);
	C(prlimit64, 0, RLIMIT_NOFILE, NULL, old);
	C(prlimit64, 0, RLIMIT_NOFILE, NULL, NULL);
	C(getrlimit, RLIMIT_NOFILE, NOWHERE);
	C(getrlimit, 99, old);
	C(setrlimit, RLIMIT_NOFILE, NOWHERE);
	limits[0] = UINT64_MAX;
	limits[1] = 3;
	C(setrlimit, RLIMIT_NOFILE, limits);
	C(prlimit64, 0, 99, limits, old);
	C(prlimit64, 4000000, RLIMIT_NOFILE, NULL, old);
	for (int n = 0; n < 5; n++) {
		limits[0] = (uint64_t)n * 512;
		limits[1] = (UINT64_C(1) << 63) - 1 + (uint64_t)n;
		C(prlimit64, 4000000, RLIMIT_NOFILE, limits, NULL);
	}
}

static void processes(void)
{
	int status = 0;
	struct rusage usage;

	C(getpid);
	C(getppid);
	C(gettid);
	C(getuid);
	C(geteuid);
	C(getgid);
	C(getegid);
	C(wait4, -1L, &status, 0, NULL);
	C(wait4, -1L, &status, WNOHANG, &usage);
	C(wait4, -1L, NULL, WNOHANG | 2 | 8 | 0x40000000 | 0x80000000, NULL);
	C(wait4, 0, NULL, 0x40, NULL);
	C(wait4, 4000000, NULL, 0, NULL);
}

static uint64_t bit_of(int signo)
{
	return UINT64_C(1) << (signo - 1);
}

/* What a siginfo_t of the kernel's says, from each who may send one. */
static void signals(void)
{
	const long pid = CALL(SYS_getpid, 0, 0, 0, 0, 0, 0);
	const int64_t zero[2] = { 0, 0 }, bad[2] = { -1, 5 }, short_time[2] = { 0, 1000 };
	uint64_t set = bit_of(SIGUSR1) | bit_of(SIGCHLD), old;
	siginfo_t info;

	C(rt_sigprocmask, SIG_BLOCK, &set, &old, 8);
	C(rt_sigprocmask, SIG_UNBLOCK, NULL, &old, 8);
	C(rt_sigprocmask, SIG_SETMASK, NULL, NULL, 4);
	C(rt_sigprocmask, 9, &set, NULL, 8);
	C(rt_sigprocmask, SIG_BLOCK, NOWHERE, NULL, 8);
	C(rt_sigpending, &old, 8);
	C(kill, pid, SIGUSR1);
	C(rt_sigpending, &old, 8);
	C(rt_sigpending, &old, 9);
	C(rt_sigtimedwait, &set, &info, zero, 8);
	C(rt_sigtimedwait, &set, &info, zero, 8);
	C(tkill, pid, SIGUSR1);
	C(rt_sigtimedwait, &set, &info, NULL, 8);
	C(tgkill, pid, pid, SIGUSR1);
	C(rt_sigtimedwait, &set, NULL, short_time, 8);
	C(rt_sigtimedwait, &set, NULL, short_time, 8);
	C(rt_sigtimedwait, &set, &info, bad, 8);
	C(rt_sigtimedwait, &set, &info, NOWHERE, 8);
	C(kill, 4000000, 0);
	C(tkill, 4000000, SIGTERM);
	C(tgkill, 4000000, 4000000, 99);
	C(rt_sigtimedwait, &set, &info, zero, 4);
	C(rt_sigsuspend, NOWHERE, 8);
	C(rt_sigsuspend, &set, 4);
	C(rt_sigqueueinfo, 4000000, SIGUSR1, NOWHERE);
}

static void stacks(void)
{
	uint64_t stack[3] = { 0x10000000, 0, 65536 }, old[3];

	C(sigaltstack, stack, NULL);
	C(sigaltstack, NULL, old);
	stack[1] = SS_DISABLE;
	C(sigaltstack, stack, old);
	stack[1] = SS_ONSTACK;
	stack[2] = 100;
	C(sigaltstack, stack, old);
	stack[1] = 5;
	C(sigaltstack, stack, NULL);
	stack[1] = 0x80000000;
	C(sigaltstack, stack, NULL);
	stack[1] = 0x40;
	C(sigaltstack, stack, NULL);
	C(sigaltstack, NOWHERE, NULL);
}

/* Of files that are not there. */
static void paths(void)
{
	struct timespec now[2] = { { 0, UTIME_NOW }, { 0, UTIME_OMIT } };

	C(utimensat, 77, "none", now, 0);
	now[0].tv_nsec = UTIME_OMIT;
	now[1].tv_nsec = UTIME_NOW;
	C(utimensat, 77, "none", now, AT_SYMLINK_NOFOLLOW);
	C(utimensat, 77, "none", NULL, 0);
	C(utimensat, 77, "none", NOWHERE, 0);
	C(mknod, "none/such", S_IFCHR | 0600, 0x503);
	C(mknod, "none/such", S_IFBLK | 0640, 0x12305);
	C(mknod, "none/such", S_IFIFO | 0600, 7);
	C(mknodat, 77, "none", S_IFREG | 0600, 7);
	C(getcwd, bytes, 4096);
	C(getcwd, bytes, 1);
	C(getcwd, NOWHERE, 100);
	C(chdir, "none/such");
	C(fchdir, 77);
	C(readlink, "none/such", bytes, 100);
	C(readlinkat, 77, "none", bytes, 100);
	C(truncate, "none/such", 5);
	C(access, "none/such", R_OK | W_OK | X_OK);
	C(faccessat, 77, "none", F_OK);
	C(mkdir, "none/such", 0755);
	C(mkdirat, 77, "none", 0700);
	C(rmdir, "none/such");
	C(link, "none/such", "other");
	C(linkat, 77, "none", 77, "other", AT_SYMLINK_FOLLOW);
	C(symlink, "target", "none/such");
	C(symlinkat, "target", 77, "none");
	C(rename, "none/such", "other");
	C(renameat2, 77, "none", 77, "other", 1);
	C(chmod, "none/such", 04755);
	C(chown, "none/such", 5, -1L);
	C(lchown, "none/such", -1L, 5);
	C(fchownat, 77, "none", 1, 2, AT_SYMLINK_NOFOLLOW);
	C(getdents64, 77, bytes, 100);
}

static void ids(void)
{
	static const uint32_t groups[3] = { 9, 4, 7 };
	uint32_t out[64];

	C(getresuid, out, out + 1, out + 2);
	C(getresgid, out, NOWHERE, out + 2);
	C(setgroups, 3, groups);
	C(getgroups, 64, out);
	C(getgroups, 0, NULL);
	C(getgroups, 1, out);
	C(setgroups, 0, NULL);
	C(getgroups, 64, out);
	C(setgroups, 3, NOWHERE);
	C(setresuid, -1L, 0, -1L);
	C(setresgid, 0, -1L, -1L);
}

/* Every number that has a name, or might have one, where it makes the call fail in the same way everywhere. */
static void names_of_files(void)
{
	/*
	 * What strace 6.1 has no names for is left out, as are flags that a kernel may refuse before it looks further.
	 */
	for (int bit = 0; bit < 32; bit++)
		if (bit < 2 || bit > 4)
			C(memfd_create, NULL, 1u << bit);
	for (int bit = 0; bit < 32; bit++)
		C(unlinkat, 77, "none", 1u << bit & ~0x200u);
	C(unlinkat, 77, "none", -1L);
	for (int bit = 0; bit < 32; bit++)
		C(fallocate, 77, 1u << bit, 0, 1);
	C(fallocate, 77, -1L, 0, 1);
	for (int bit = 0; bit < 32; bit++)
		if (bit != 22)
			C(openat, 77, "none", 1u << bit, 0640);
	for (int whence = 0; whence < 6; whence++)
		C(lseek, 77, 0, whence);
	for (int command = 0; command < 18; command++)
		C(fcntl, 77, command, 0);
	for (int command = 1024; command < 1044; command++)
		C(fcntl, 77, command, 0);
	for (int bit = 0; bit < 8; bit++)
		if (bit != 5)
			C(fcntl, 77, F_ADD_SEALS, 1 << bit);
	C(fcntl, 77, F_SETFD, -1L);
	C(fcntl, 77, F_NOTIFY, -1L);
}

static void names_of_memory(void)
{
	for (int bit = 0; bit < 32; bit++)
		C(mmap, NULL, 0, 1u << bit, MAP_PRIVATE, 77, 0);
	C(mmap, NULL, 0, -1L, MAP_PRIVATE, 77, 0);
	for (int kind = 0; kind < 16; kind++)
		if (kind != 8)
			C(mmap, NULL, 0, 0, kind, 77, 0);
	for (int bit = 4; bit < 32; bit++)
		C(mmap, NULL, 0, 0, MAP_SHARED | 1u << bit, 77, 0);
}

static void names_of_sockets(void)
{
	socklen_t len = 4;

	for (int family = 0; family < 48; family++)
		C(socketpair, family, SOCK_STREAM | 0x40, 3, NOWHERE);
	for (int type = 0; type < 16; type++)
		C(socketpair, AF_UNIX, type | 0x40 | SOCK_CLOEXEC | SOCK_NONBLOCK, 3, NOWHERE);
	for (int bit = 4; bit < 32; bit++)
		C(accept4, 77, NULL, NULL, 1u << bit);
	for (int how = 0; how < 4; how++)
		C(shutdown, 77, how);
	for (int bit = 0; bit < 32; bit++)
		C(sendto, 77, "", 0, 1u << bit, NULL, 0);
	for (int option = 0; option < 80; option++)
		C(getsockopt, 77, SOL_SOCKET, option, NULL, &len);
}

static void names_of_processes(void)
{
	uint64_t action[4] = { 0x1234, 0, 0, 0 };

	for (int bit = 0; bit < 32; bit++) {
		action[1] = 1u << bit & ~0x04000000u;
		C(rt_sigaction, 0, action, NULL, 8);
	}
	action[1] = UINT64_MAX & ~UINT64_C(0x04000000);
	C(rt_sigaction, 0, action, NULL, 8);
	action[1] = 0;
	for (int bit = 0; bit < 64; bit++) {
		action[3] = UINT64_C(1) << bit;
		C(rt_sigaction, 0, action, NULL, 8);
	}
	for (int n = 0; n < 64; n += 3) {
		action[3] = (UINT64_C(1) << n) - 1;
		C(rt_sigaction, 0, action, NULL, 8);
	}
	for (int signo = -1; signo < 67; signo++)
		C(rt_sigaction, signo, NULL, NULL, 4);
	for (int bit = 0; bit < 32; bit++)
		C(wait4, 4000000, NULL, 1u << bit, NULL);
	C(wait4, 4000000, NULL, -1L, NULL);
	for (int resource = 0; resource < 18; resource++)
		C(prlimit64, 4000000, resource, NULL, NULL);
}

/* Children that exit, and one that is killed; the host's fork is not shown. */
static int exit_with_3(void *arg)
{
	(void)arg;
	C(exit_group, 3);
	return 0;
}

static int die(void *arg)
{
	(void)arg;
#ifdef WITH_KSIM
	ksim_store8(0, 1);
#else
	struct rlimit no_core = { 0, 0 };

	setrlimit(RLIMIT_CORE, &no_core);
	raise(SIGSEGV);
#endif
	return 0;
}

static void child(int (*fn)(void *))
{
#ifdef WITH_KSIM
	ksim_fork_into(fn, NULL);
#else
	if (fork() == 0)
		_exit(fn(NULL));
#endif
}

static void children(void)
{
	const uint64_t set = bit_of(SIGCHLD);
	struct rusage usage;
	siginfo_t info;
	int status = 0;

	child(exit_with_3);
	C(wait4, -1L, &status, 0, NULL);
	child(die);
	C(wait4, -1L, &status, 0, &usage);
	child(exit_with_3);
	C(wait4, -1L, NULL, 0, NULL);
	child(exit_with_3);
	C(waitid, P_ALL, 0, &info, WEXITED, NULL);
	child(die);
	C(waitid, P_ALL, 0, &info, WEXITED, NULL);
	C(waitid, P_PID, 4000000, &info, WEXITED | WNOHANG, NULL);
	C(waitid, P_PGID, -1L, NULL, 0, NULL);
	C(rt_sigtimedwait, &set, &info, NULL, 8);
}

static int calls(void *arg)
{
	(void)arg;
	C(close, 12345);
	memfds();
	transfers();
	descriptors();
	seals();
	files();
	memory();
	remaps();
	advice();
	copies_between_processes();
	sockets();
	connections();
	options();
	datas();
	messages();
	rows();
	moves();
	receiving();
	actions();
	limits();
	processes();
	signals();
	stacks();
	paths();
	ids();
	names_of_files();
	names_of_memory();
	names_of_sockets();
	names_of_processes();
	children();
	FIRST_SIX(9999, 1, 2, 3, 4, 5, 6, 0);
	C(exit_group, 7);
	return 0;
}

#ifdef WITH_KSIM
int main(void)
{
	const struct ksim_config config = { .arch = KSIM_ARCH_X86_64, .commit = KSIM_COMMIT_ON_TOUCH };
	struct ksim_machine *m = ksim_boot(&config);
	struct ksim_process *p = m != NULL ? ksim_process_create(m, "calls") : NULL;

	if (p == NULL || ksim_trace_process(p, stdout) < 0)
		return 1;
	hard = 1 << 20;
	ksim_run(p, calls, NULL, NULL);
	return ksim_halt(m) == 0 ? 0 : 1;
}
#else
int main(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		hard = limit.rlim_max;
	for (int fd = 0; fd < 20; fd++)
		close(fd);
	return calls(NULL);
}
#endif
