// SPDX-License-Identifier: MIT
/*
 * What the tests of Linux's promises are written in: one source, several kernels under it.
 *
 * Built plainly (abi_linux.c) the x_ calls are libc's and the kernel is the host's: the oracle. Built with -DABI_SOFT
 * or
 * -DABI_NATIVE (abi_ksim.c) they are ksim's, each test on a freshly booted machine, inside a process called "abi".
 * Flags, structs and errno values are the host's in all.
 *
 * An addr_t is where a mapping lies: loads and stores go through ld8(), st8() and so on, and ubuf() makes it a buffer
 * for a call; faulted() tells it of a siginfo_t. Soft, the accesses are ksim's calls. Native, they are plain C, through
 * the pointer that the acting process has for the address: in a forked child another than in its parent.
 *
 * Other processes are functions that run in a child: they share nothing with the test but what they inherit, so they
 * speak by their exit code, by sockets and by shared mappings. Memory of the program itself is not a channel: the
 * host's child has a copy of it.
 */
#ifndef ABI_H
#define ABI_H

#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, NFDS_LIMIT = 1024 };

#if defined(ABI_SOFT) || defined(ABI_NATIVE)
#define ABI_KSIM 1
#endif

#ifdef ABI_KSIM
#include <ksim/ksim.h>

typedef ksim_addr addr_t;

#define ABI_CALL(name) ksim_##name
#define x_exit         ksim_exit
#define NO_MAPPING     KSIM_MAP_FAILED
#define x_mmap         ksim_mmap
#define x_munmap       ksim_munmap
#define x_mprotect     ksim_mprotect
#define x_mremap       ksim_mremap
#define x_brk          ksim_brk
#define x_sbrk         ksim_sbrk
#define x_madvise      ksim_madvise
#define x_msync        ksim_msync
#define x_mincore      ksim_mincore
#define x_mlock        ksim_mlock
#define x_mlock2       ksim_mlock2
#define x_munlock      ksim_munlock
#define x_fork_into    ksim_fork_into

#else
typedef uintptr_t addr_t;

/** The last call of libc's that was made, for who must say which one is missing. */
extern const char *abi_last_call;

static inline void abi_calling(const char *name)
{
	abi_last_call = name;
}

#define ABI_CALL(name) (abi_calling(#name), name)
#define x_exit         _exit
#define NO_MAPPING     ((addr_t)-1)

static inline addr_t x_mmap(addr_t hint, size_t len_bytes, int prot, int flags, int fd, off_t offset)
{
	return (addr_t)mmap((void *)hint, len_bytes, prot, flags, fd, offset);
}

static inline int x_munmap(addr_t addr, size_t len_bytes)
{
	return munmap((void *)addr, len_bytes);
}

static inline int x_mprotect(addr_t addr, size_t len_bytes, int prot)
{
	return mprotect((void *)addr, len_bytes, prot);
}

/* Not libc's, which passes `to` on only with some flags. */
static inline addr_t x_mremap(addr_t old, size_t old_bytes, size_t len_bytes, int flags, addr_t to)
{
	return (addr_t)syscall(SYS_mremap, old, old_bytes, len_bytes, flags, to);
}

static inline int x_brk(addr_t end)
{
	return brk((void *)end);
}

static inline addr_t x_sbrk(intptr_t increment)
{
	return (addr_t)sbrk(increment);
}

static inline int x_madvise(addr_t addr, size_t len_bytes, int advice)
{
	return madvise((void *)addr, len_bytes, advice);
}

static inline int x_msync(addr_t addr, size_t len_bytes, int flags)
{
	return msync((void *)addr, len_bytes, flags);
}

static inline int x_mincore(addr_t addr, size_t len_bytes, unsigned char *resident)
{
	return mincore((void *)addr, len_bytes, resident);
}

static inline int x_mlock(addr_t addr, size_t len_bytes)
{
	return mlock((void *)addr, len_bytes);
}

static inline int x_mlock2(addr_t addr, size_t len_bytes, unsigned flags)
{
	return mlock2((void *)addr, len_bytes, flags);
}

static inline int x_munlock(addr_t addr, size_t len_bytes)
{
	return munlock((void *)addr, len_bytes);
}

/** fork(); the child starts in fn and exits with what it returns. */
pid_t x_fork_into(int (*fn)(void *), void *arg);

#endif

#ifdef ABI_SOFT
static inline void *ubuf(addr_t addr)
{
	return ksim_user(addr);
}

static inline addr_t faulted(const siginfo_t *info)
{
	return ksim_addr_of(info->si_addr);
}

#define ABI_ACCESSORS(bits)                                            \
	static inline uint##bits##_t ld##bits(addr_t addr)             \
	{                                                              \
		return ksim_load##bits(addr);                          \
	}                                                              \
	static inline void st##bits(addr_t addr, uint##bits##_t value) \
	{                                                              \
		ksim_store##bits(addr, value);                         \
	}
#else
#ifdef ABI_NATIVE
/** The pointer to it; where there is no window, at NULL, the address itself. */
static inline void *ubuf(addr_t addr)
{
	void *pointer = ksim_ptr(addr);

	return pointer != NULL ? pointer : (void *)(uintptr_t)addr;
}

static inline addr_t faulted(const siginfo_t *info)
{
	return ksim_addr_of(info->si_addr);
}
#else
static inline void *ubuf(addr_t addr)
{
	return (void *)addr;
}

static inline addr_t faulted(const siginfo_t *info)
{
	return (addr_t)info->si_addr;
}
#endif

/* Any alignment, and any address: it is the kernel that judges it, not a sanitizer. */
#define ABI_UNJUDGED __attribute__((no_sanitize("undefined")))
#define ABI_ACCESSORS(bits)                                                               \
	typedef volatile uint##bits##_t __attribute__((aligned(1), may_alias)) any##bits; \
	ABI_UNJUDGED static inline uint##bits##_t ld##bits(addr_t addr)                   \
	{                                                                                 \
		return *(any##bits *)ubuf(addr);                                          \
	}                                                                                 \
	ABI_UNJUDGED static inline void st##bits(addr_t addr, uint##bits##_t value)       \
	{                                                                                 \
		*(any##bits *)ubuf(addr) = value;                                         \
	}
#endif

ABI_ACCESSORS(8)
ABI_ACCESSORS(16)
ABI_ACCESSORS(32)
ABI_ACCESSORS(64)

#define x_mlockall        ABI_CALL(mlockall)
#define x_munlockall      ABI_CALL(munlockall)
#define x_ftruncate       ABI_CALL(ftruncate)
#define x_fallocate       ABI_CALL(fallocate)
#define x_read            ABI_CALL(read)
#define x_write           ABI_CALL(write)
#define x_pread           ABI_CALL(pread)
#define x_pwrite          ABI_CALL(pwrite)
#define x_readv           ABI_CALL(readv)
#define x_writev          ABI_CALL(writev)
#define x_preadv          ABI_CALL(preadv)
#define x_pwritev         ABI_CALL(pwritev)
#define x_preadv2         ABI_CALL(preadv2)
#define x_pwritev2        ABI_CALL(pwritev2)
#define x_copy_file_range ABI_CALL(copy_file_range)
#define x_sendfile        ABI_CALL(sendfile)
#define x_fsync           ABI_CALL(fsync)
#define x_fdatasync       ABI_CALL(fdatasync)
#define x_lseek           ABI_CALL(lseek)
#define x_fchmod          ABI_CALL(fchmod)
#define x_fchown          ABI_CALL(fchown)
#define x_futimens        ABI_CALL(futimens)
#define x_fstat           ABI_CALL(fstat)
#define x_open            ABI_CALL(open)
#define x_openat          ABI_CALL(openat)
#define x_creat           ABI_CALL(creat)
#define x_shm_open        ABI_CALL(shm_open)
#define x_shm_unlink      ABI_CALL(shm_unlink)
#define x_unlink          ABI_CALL(unlink)
#define x_unlinkat        ABI_CALL(unlinkat)
#define x_mkdir           ABI_CALL(mkdir)
#define x_mkdirat         ABI_CALL(mkdirat)
#define x_rmdir           ABI_CALL(rmdir)
#define x_link            ABI_CALL(link)
#define x_linkat          ABI_CALL(linkat)
#define x_symlink         ABI_CALL(symlink)
#define x_symlinkat       ABI_CALL(symlinkat)
#define x_readlink        ABI_CALL(readlink)
#define x_readlinkat      ABI_CALL(readlinkat)
#define x_rename          ABI_CALL(rename)
#define x_renameat        ABI_CALL(renameat)
#define x_renameat2       ABI_CALL(renameat2)
#define x_mknod           ABI_CALL(mknod)
#define x_mknodat         ABI_CALL(mknodat)
#define x_stat            ABI_CALL(stat)
#define x_statx           ABI_CALL(statx)
#define x_statfs          ABI_CALL(statfs)
#define x_fstatfs         ABI_CALL(fstatfs)
#define x_lstat           ABI_CALL(lstat)
#define x_fstatat         ABI_CALL(fstatat)
#define x_getdents64      ABI_CALL(getdents64)
#define x_access          ABI_CALL(access)
#define x_faccessat       ABI_CALL(faccessat)
#define x_chdir           ABI_CALL(chdir)
#define x_fchdir          ABI_CALL(fchdir)
#define x_getcwd          ABI_CALL(getcwd)
#define x_umask           ABI_CALL(umask)
#define x_chmod           ABI_CALL(chmod)
#define x_fchmodat        ABI_CALL(fchmodat)
#define x_chown           ABI_CALL(chown)
#define x_lchown          ABI_CALL(lchown)
#define x_fchown          ABI_CALL(fchown)
#define x_fchownat        ABI_CALL(fchownat)
#define x_utimensat       ABI_CALL(utimensat)
#define x_futimens        ABI_CALL(futimens)
#define x_truncate        ABI_CALL(truncate)
#define x_close           ABI_CALL(close)
#define x_dup             ABI_CALL(dup)
#define x_fcntl           ABI_CALL(fcntl)
#define x_socket          ABI_CALL(socket)
#define x_socketpair      ABI_CALL(socketpair)
#define x_bind            ABI_CALL(bind)
#define x_listen          ABI_CALL(listen)
#define x_accept          ABI_CALL(accept)
#define x_accept4         ABI_CALL(accept4)
#define x_connect         ABI_CALL(connect)
#define x_shutdown        ABI_CALL(shutdown)
#define x_getsockname     ABI_CALL(getsockname)
#define x_getpeername     ABI_CALL(getpeername)
#define x_getsockopt      ABI_CALL(getsockopt)
#define x_send            ABI_CALL(send)
#define x_recv            ABI_CALL(recv)
#define x_sendmsg         ABI_CALL(sendmsg)
#define x_recvmsg         ABI_CALL(recvmsg)
#define x_getpid          ABI_CALL(getpid)
#define x_wait            ABI_CALL(wait)
#define x_waitpid         ABI_CALL(waitpid)
#define x_sigaction       ABI_CALL(sigaction)
#define x_getppid         ABI_CALL(getppid)
#define x_gettid          ABI_CALL(gettid)
#define x_waitid          ABI_CALL(waitid)
#define x_getpgrp         ABI_CALL(getpgrp)
#define x_getpgid         ABI_CALL(getpgid)
#define x_setpgid         ABI_CALL(setpgid)
#define x_sigprocmask     ABI_CALL(sigprocmask)
#define x_sigpending      ABI_CALL(sigpending)
#define x_sigsuspend      ABI_CALL(sigsuspend)
#define x_sigtimedwait    ABI_CALL(sigtimedwait)
#define x_pause           ABI_CALL(pause)
#define x_kill            ABI_CALL(kill)
#define x_tgkill          ABI_CALL(tgkill)
#define x_sigqueue        ABI_CALL(sigqueue)
#define x_sigaltstack     ABI_CALL(sigaltstack)
#define x_getuid          ABI_CALL(getuid)
#define x_geteuid         ABI_CALL(geteuid)
#define x_getgid          ABI_CALL(getgid)
#define x_getegid         ABI_CALL(getegid)
#define x_getresuid       ABI_CALL(getresuid)
#define x_getresgid       ABI_CALL(getresgid)
#define x_setuid          ABI_CALL(setuid)
#define x_setgid          ABI_CALL(setgid)
#define x_seteuid         ABI_CALL(seteuid)
#define x_setegid         ABI_CALL(setegid)
#define x_setreuid        ABI_CALL(setreuid)
#define x_setregid        ABI_CALL(setregid)
#define x_setresuid       ABI_CALL(setresuid)
#define x_setresgid       ABI_CALL(setresgid)
#define x_setfsuid        ABI_CALL(setfsuid)
#define x_setfsgid        ABI_CALL(setfsgid)
#define x_getgroups       ABI_CALL(getgroups)
#define x_setgroups       ABI_CALL(setgroups)
#define x_getrlimit       ABI_CALL(getrlimit)
#define x_setrlimit       ABI_CALL(setrlimit)
#define x_prlimit         ABI_CALL(prlimit)

#define x_process_vm_readv  ABI_CALL(process_vm_readv)
#define x_process_vm_writev ABI_CALL(process_vm_writev)

#ifdef ABI_KSIM
#define x_memfd_create ABI_CALL(memfd_create)
#else
/** As with vm.memfd_noexec 0, also on a kernel where it is 1. */
int x_memfd_create(const char *name, unsigned flags);
#endif

/** Major * 1000 + minor of the Linux whose behaviour is expected. */
int linux_release(void);
/** Whether a process can map so much; a test of more is skipped by NEEDS_ADDRESSES. */
bool has_addresses(uint64_t bytes);
#define NEEDS_ADDRESSES(bytes)                                                                  \
	do {                                                                                    \
		if (!has_addresses(bytes))                                                      \
			SKIP("needs %llu MiB of addresses, of which processes have fewer here", \
			     (unsigned long long)(bytes) >> 20);                                \
	} while (0)

#define NEEDS_RELEASE(release, what)                                                          \
	do {                                                                                  \
		if (linux_release() < (release))                                              \
			SKIP("%s came with %d.%d", what, (release) / 1000, (release) % 1000); \
	} while (0)

/* What every variant provides (abi_linux.c, abi_ksim.c). */

/** Run fn in a child made by fork, to its end. @return its exit code, or -signo if a signal killed it. */
int in_child(int (*fn)(void *), void *arg);

/** The same, where it may change settings of /proc/sys/vm that are not everybody's: skipped where that is refused. */
int in_child_with_settings(int (*fn)(void *), void *arg);

/** The same at the same time as the caller; child_join waits for the end and returns what in_child does. */
struct child;
struct child *child_start(int (*fn)(void *), void *arg);
int child_join(struct child *child);

/**
 * clone(2) with libc's wrapper and a stack of its own; tids may be NULL if the flags do not ask for them. In memory
 * that is shared, what a child changes of the program's variables is a channel, unlike in others.
 */
pid_t x_clone(int (*fn)(void *), int flags, void *arg, pid_t *parent_tid, pid_t *child_tid);
/** exit(2) itself: the end of the calling thread alone. */
__attribute__((noreturn)) void x_exit_thread(int code);

/** A path that no file has yet; whatever a test leaves there is removed after it. */
void fresh_path(char *path, size_t size);

/** In a child: say what did not hold, and give the exit code 1; or this one, if a call is not there. */
enum { CHILD_LACKS_CALL = 98 };
#define CHILD_EXPECT(cond)                                                                                           \
	do {                                                                                                         \
		if (!(cond)) {                                                                                       \
			if (errno == ENOSYS)                                                                         \
				return CHILD_LACKS_CALL;                                                             \
			fprintf(stderr, "# %s:%d: in the child: %s (errno %d)\n", __FILE__, __LINE__, #cond, errno); \
			return 1;                                                                                    \
		}                                                                                                    \
	} while (0)

#ifdef ABI_KSIM
/** How memory is touched here. */
#ifdef ABI_NATIVE
#define ABI_ACCESS KSIM_ACCESS_NATIVE
#else
#define ABI_ACCESS KSIM_ACCESS_SOFT
#endif

/** What every machine shall be; NULL: see abi_ksim.c. */
extern const struct ksim_config *abi_config;

/** The machine of the running test, and the architecture that is asked for. */
struct ksim_machine *abi_machine(void);
enum ksim_arch abi_arch(void);
/** Whether the machines have windows, however memory is touched; whether they have 2 MiB mappings unasked for. */
bool abi_native(void);
bool abi_large_pages(void);
#endif

/* Helpers that are the same everywhere (abi_helpers.c). They SETUP: a test goes on only if they worked. */

/** signo 0: the access went through. */
struct fault {
	int signo;
	int code;
	addr_t addr;
};

struct fault probe_ld8(addr_t addr, uint8_t *value);
struct fault probe_st8(addr_t addr, uint8_t value);
struct fault probe_ld64(addr_t addr, uint64_t *value);
struct fault probe_st64(addr_t addr, uint64_t value);

/** A one-byte load (or store) raises that signal with that code and exactly that address. */
#define EXPECT_LOAD_FAULTS(where, sig, sicode)  EXPECT_FAULT(probe_ld8((where), NULL), (where), sig, sicode)
#define EXPECT_STORE_FAULTS(where, sig, sicode) EXPECT_FAULT(probe_st8((where), 1), (where), sig, sicode)
#define EXPECT_FAULT(probe, where, sig, sicode)                                                                  \
	do {                                                                                                     \
		struct fault seen = (probe);                                                                     \
		EXPECT_MSG(seen.signo == (sig) && seen.code == (sicode) && seen.addr == (where),                 \
		           "signal %d, code %d, address 0x%llx; expected %s, %s, 0x%llx", seen.signo, seen.code, \
		           (unsigned long long)seen.addr, #sig, #sicode, (unsigned long long)(where));           \
	} while (0)

/** A memfd that may be sealed, close-on-exec, of that many pages. */
int memfd(int npages);
/** A new description of the same file, through /proc/self/fd. */
int reopen(int fd, int flags);
addr_t map_shared(int fd, int npages, int prot);
addr_t map_private(int fd, int npages, int prot);
/** flags: MAP_SHARED or MAP_PRIVATE. */
addr_t map_anonymous(int npages, int prot, int flags);
void unmap(addr_t addr, int npages);
/** A page at which nothing is mapped; nobody maps anything there until the next mmap. */
addr_t unmapped_page(void);
off_t size_of(int fd);
/** Whether a is later than b. */
bool later(struct timespec a, struct timespec b);
/** Wait until the clock of files has gone on: what is stamped from now on is later than all before. */
void file_clock_tick(void);
int seals_of(int fd);
/** The byte at an offset of a file, or -1 past its end. */
int byte_at(int fd, off_t offset);
/** Pattern i, i + 1, ... into a buffer. */
void fill_pattern(unsigned char *buf, size_t len_bytes, unsigned first);
/** The lowest fd number that is free. */
int lowest_free_fd(void);

/** Take every free fd number but n. */
struct fd_hog {
	int nfds;
	int fds[NFDS_LIMIT];
};
void hog_fds(struct fd_hog *hog, int nleft);
void unhog_fds(struct fd_hog *hog);

/* Sockets: all AF_UNIX, SOCK_STREAM. */
void stream_pair(int ends[2]);
void close_pair(const int ends[2]);
socklen_t abstract_address(struct sockaddr_un *address);
socklen_t path_address(struct sockaddr_un *address);
/** A listening socket at a fresh abstract address. */
int listener(struct sockaddr_un *address, socklen_t *len, int backlog);
int connected_to(const struct sockaddr_un *address, socklen_t len);

/** Send len bytes with nfds fds attached; what sendmsg returns. */
ssize_t send_with_fds(int sock, const void *data, size_t len, const int *fds, int nfds, int flags);

/** What one recvmsg gave. */
struct arrival {
	ssize_t n; /* what recvmsg returned */
	int err;   /* errno if -1 */
	int flags; /* msg_flags */
	int nfds;
	int fds[256];
	size_t controllen;
};

/** recvmsg into a buffer, with room for nfds_max fds (0: no control buffer). */
struct arrival receive(int sock, void *data, size_t len, int nfds_max, int flags);
void close_arrival(struct arrival *arrival);
/** Send one byte with one fd. */
void send_one(int sock, char byte, int fd);
/** Do both refer to the same open file description? By their offset: only for memfds. */
bool same_description(int a, int b);

#endif
