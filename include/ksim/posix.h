/* SPDX-License-Identifier: MIT */
/*
 * Unmodified programs: libc's names for ksim's calls.
 *
 *	cc -include ksim/posix.h prog.c -lksim
 *
 * It is forced in front of everything, so that a source file need not know of it. From then on mmap, read, close and
 * so on are ksim's where the calling thread acts as a process, and libc's where it acts as none. Names are given by
 * redeclaring libc's functions with another symbol, not by macros: a struct stat, a member called read and the address
 * of close are what they were. Works in C11 and C++17. Feature macros (_GNU_SOURCE, _POSIX_C_SOURCE ...) decide as
 * usual what the headers show that the program includes; those that are included here show all they have.
 * _FORTIFY_SOURCE and _FILE_OFFSET_BITS are undefined, for they would give libc's names to other functions.
 *
 * Who acts as nobody. In a program that has booted a machine, a call of a thread that acts as no process is the
 * host's. A program that has booted none when it makes its first call gets one then: with native access, sparse files
 * (KSIM_COMMIT_ON_TOUCH), 256 MiB of RAM, and a process named as the program is, which the calling thread acts as from
 * then on, and every other thread from its own first call on. So a plain main runs unchanged. When such a program
 * ends, the machine is halted, and what its kernel still holds is a failure: the exit code is not 0. Where the process
 * dies of a signal, the program dies of the same after the sentence has been printed; where it calls _exit, so does
 * the program.
 *
 * Pointers. mmap gives a plain pointer; munmap and mprotect take it (see ksim_ptr() in <ksim/mem.h>). On a machine
 * without native access it is a buffer for calls, as ksim_user() makes it, and cannot be dereferenced.
 *
 * Descriptors 0, 1 and 2 are the host's, unless the machine's config says otherwise (stdio); any other descriptor, and
 * any path, is the simulated machine's alone. stdio writes to the host's descriptors by itself. See ksim_fd_host().
 *
 * pthread_create by a thread that acts as a process makes a thread of that process; joining it, mutexes and all the
 * rest of pthreads are libc's. If the process ends, the thread unwinds to its start. Blocking there is no wait that
 * deadlock detection knows. Threads that a library makes (std::thread, thrd_create) act as nobody in a program with
 * machines of its own; where the program is a process they join it with their first call, or their first access to its
 * memory.
 *
 * Signals. Actions, masks and signals are the process's; kill reaches simulated processes only. In a program that got
 * its machine without asking, the actions of signals that faults do not raise, and the mask, are also the host's: its
 * handler for SIGINT, SIGALRM or SIGCHLD is called as always, also for what the host sends.
 *
 * exit(3), and the return from main, are libc's; _exit and _Exit end the process. clone is ksim_clone(). fork and vfork
 * cannot return twice in one program: they print a sentence and abort where they are called by a process
 * (ksim_fork_into() is what there is). Calls on descriptors or mapped memory that are not implemented, and would reach
 * the host's of the same number or address, give ENOSYS to a process: those listed last below. What is not listed stays
 * libc's, and the host's: stdio and fdopen, dlopen, exec; and what libc makes of paths by calls of its own: fopen,
 * opendir and readdir (a process lists a directory by getdents64), remove, mkstemp, realpath.
 *
 * syscall(2) takes the host's numbers: what is implemented is ksim's, fork and its kin abort, the rest is the host's.
 */
#if !defined(KSIM_POSIX_H) && !defined(__ASSEMBLER__)
#define KSIM_POSIX_H

#undef _FORTIFY_SOURCE
#undef _FILE_OFFSET_BITS
#undef _TIME_BITS

/* All that libc has, in the headers that declare the names below. */
#pragma push_macro("_GNU_SOURCE")
#pragma push_macro("_DEFAULT_SOURCE")
#pragma push_macro("_POSIX_SOURCE")
#pragma push_macro("_POSIX_C_SOURCE")
#pragma push_macro("_XOPEN_SOURCE")
#pragma push_macro("_XOPEN_SOURCE_EXTENDED")
#pragma push_macro("_ISOC95_SOURCE")
#pragma push_macro("_ISOC99_SOURCE")
#pragma push_macro("_ISOC11_SOURCE")
#pragma push_macro("_ISOC2X_SOURCE")
#pragma push_macro("_LARGEFILE_SOURCE")
#pragma push_macro("_LARGEFILE64_SOURCE")
#pragma push_macro("_ATFILE_SOURCE")
#pragma push_macro("_DYNAMIC_STACK_SIZE_SOURCE")
#undef _GNU_SOURCE
#define _GNU_SOURCE 1
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/timerfd.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#pragma pop_macro("_DYNAMIC_STACK_SIZE_SOURCE")
#pragma pop_macro("_ATFILE_SOURCE")
#pragma pop_macro("_LARGEFILE64_SOURCE")
#pragma pop_macro("_LARGEFILE_SOURCE")
#pragma pop_macro("_ISOC2X_SOURCE")
#pragma pop_macro("_ISOC11_SOURCE")
#pragma pop_macro("_ISOC99_SOURCE")
#pragma pop_macro("_ISOC95_SOURCE")
#pragma pop_macro("_XOPEN_SOURCE_EXTENDED")
#pragma pop_macro("_XOPEN_SOURCE")
#pragma pop_macro("_POSIX_C_SOURCE")
#pragma pop_macro("_POSIX_SOURCE")
#pragma pop_macro("_DEFAULT_SOURCE")
#pragma pop_macro("_GNU_SOURCE")
/* The program's own headers ask again which features it wants. */
#undef _FEATURES_H

/*
 * KSIM_POSIX_NAME_(name): libc's name is ksim_posix_name. KSIM_POSIX_ALSO_(name, function): it is ksim_posix_function.
 * KSIM_POSIX_REFUSED_(name): not implemented; libc's where nobody acts. The library itself defines them otherwise.
 */
#ifndef KSIM_POSIX_NAME_
#define KSIM_POSIX_NAME_(name)           KSIM_POSIX_ALSO_(name, name)
#define KSIM_POSIX_ALSO_(name, function) extern __typeof__(name) name __asm__("ksim_posix_" #function);
#define KSIM_POSIX_REFUSED_(name)        KSIM_POSIX_ALSO_(name, name)
#define KSIM_POSIX_USER_
#endif

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wredundant-decls"

/* Files and descriptors. */
KSIM_POSIX_NAME_(read)
KSIM_POSIX_NAME_(write)
KSIM_POSIX_NAME_(pread)
KSIM_POSIX_NAME_(pwrite)
KSIM_POSIX_NAME_(readv)
KSIM_POSIX_NAME_(writev)
KSIM_POSIX_NAME_(preadv)
KSIM_POSIX_NAME_(pwritev)
KSIM_POSIX_NAME_(preadv2)
KSIM_POSIX_NAME_(pwritev2)
KSIM_POSIX_NAME_(copy_file_range)
KSIM_POSIX_NAME_(sendfile)
KSIM_POSIX_NAME_(fsync)
KSIM_POSIX_NAME_(fdatasync)
KSIM_POSIX_NAME_(close)
KSIM_POSIX_NAME_(lseek)
KSIM_POSIX_NAME_(fstat)
KSIM_POSIX_NAME_(ftruncate)
KSIM_POSIX_NAME_(fallocate)
KSIM_POSIX_NAME_(posix_fallocate)
KSIM_POSIX_NAME_(dup)
KSIM_POSIX_NAME_(dup2)
KSIM_POSIX_NAME_(dup3)
KSIM_POSIX_NAME_(fcntl)
KSIM_POSIX_NAME_(memfd_create)
KSIM_POSIX_NAME_(getrlimit)
KSIM_POSIX_NAME_(setrlimit)
KSIM_POSIX_NAME_(prlimit)

/* Paths. */
KSIM_POSIX_NAME_(open)
KSIM_POSIX_NAME_(openat)
KSIM_POSIX_NAME_(creat)
KSIM_POSIX_NAME_(shm_open)
KSIM_POSIX_NAME_(shm_unlink)
KSIM_POSIX_NAME_(unlink)
KSIM_POSIX_NAME_(unlinkat)
KSIM_POSIX_NAME_(mkdir)
KSIM_POSIX_NAME_(mkdirat)
KSIM_POSIX_NAME_(rmdir)
KSIM_POSIX_NAME_(link)
KSIM_POSIX_NAME_(linkat)
KSIM_POSIX_NAME_(symlink)
KSIM_POSIX_NAME_(symlinkat)
KSIM_POSIX_NAME_(readlink)
KSIM_POSIX_NAME_(readlinkat)
KSIM_POSIX_NAME_(rename)
KSIM_POSIX_NAME_(renameat)
KSIM_POSIX_NAME_(renameat2)
KSIM_POSIX_NAME_(mknod)
KSIM_POSIX_NAME_(mknodat)
KSIM_POSIX_NAME_(stat)
KSIM_POSIX_NAME_(lstat)
KSIM_POSIX_NAME_(fstatat)
KSIM_POSIX_NAME_(statx)
KSIM_POSIX_NAME_(statfs)
KSIM_POSIX_NAME_(fstatfs)
KSIM_POSIX_NAME_(getdents64)
KSIM_POSIX_NAME_(access)
KSIM_POSIX_NAME_(faccessat)
KSIM_POSIX_NAME_(chdir)
KSIM_POSIX_NAME_(fchdir)
KSIM_POSIX_NAME_(getcwd)
KSIM_POSIX_NAME_(umask)
KSIM_POSIX_NAME_(chmod)
KSIM_POSIX_NAME_(fchmod)
KSIM_POSIX_NAME_(fchmodat)
KSIM_POSIX_NAME_(chown)
KSIM_POSIX_NAME_(lchown)
KSIM_POSIX_NAME_(fchown)
KSIM_POSIX_NAME_(fchownat)
KSIM_POSIX_NAME_(utimensat)
KSIM_POSIX_NAME_(futimens)
KSIM_POSIX_NAME_(truncate)

/* Memory. */
KSIM_POSIX_NAME_(mmap)
KSIM_POSIX_NAME_(munmap)
KSIM_POSIX_NAME_(mprotect)
KSIM_POSIX_NAME_(mremap)
KSIM_POSIX_NAME_(brk)
KSIM_POSIX_NAME_(sbrk)
KSIM_POSIX_NAME_(madvise)
KSIM_POSIX_NAME_(posix_madvise)
KSIM_POSIX_NAME_(msync)
KSIM_POSIX_NAME_(mincore)
KSIM_POSIX_NAME_(mlock)
KSIM_POSIX_NAME_(mlock2)
KSIM_POSIX_NAME_(munlock)
KSIM_POSIX_NAME_(mlockall)
KSIM_POSIX_NAME_(munlockall)
KSIM_POSIX_NAME_(process_vm_readv)
KSIM_POSIX_NAME_(process_vm_writev)

/* Sockets. */
KSIM_POSIX_NAME_(socket)
KSIM_POSIX_NAME_(socketpair)
KSIM_POSIX_NAME_(bind)
KSIM_POSIX_NAME_(listen)
KSIM_POSIX_NAME_(accept)
KSIM_POSIX_NAME_(accept4)
KSIM_POSIX_NAME_(connect)
KSIM_POSIX_NAME_(shutdown)
KSIM_POSIX_NAME_(send)
KSIM_POSIX_NAME_(sendto)
KSIM_POSIX_NAME_(sendmsg)
KSIM_POSIX_NAME_(recv)
KSIM_POSIX_NAME_(recvfrom)
KSIM_POSIX_NAME_(recvmsg)
KSIM_POSIX_NAME_(getsockname)
KSIM_POSIX_NAME_(getpeername)
KSIM_POSIX_NAME_(getsockopt)

/* Processes, threads, signals. */
KSIM_POSIX_NAME_(getpid)
KSIM_POSIX_NAME_(getppid)
KSIM_POSIX_NAME_(gettid)
KSIM_POSIX_NAME_(getuid)
KSIM_POSIX_NAME_(geteuid)
KSIM_POSIX_NAME_(getgid)
KSIM_POSIX_NAME_(getegid)
KSIM_POSIX_NAME_(getresuid)
KSIM_POSIX_NAME_(getresgid)
KSIM_POSIX_NAME_(setuid)
KSIM_POSIX_NAME_(setgid)
KSIM_POSIX_NAME_(seteuid)
KSIM_POSIX_NAME_(setegid)
KSIM_POSIX_NAME_(setreuid)
KSIM_POSIX_NAME_(setregid)
KSIM_POSIX_NAME_(setresuid)
KSIM_POSIX_NAME_(setresgid)
KSIM_POSIX_NAME_(setfsuid)
KSIM_POSIX_NAME_(setfsgid)
KSIM_POSIX_NAME_(getgroups)
KSIM_POSIX_NAME_(setgroups)
KSIM_POSIX_NAME_(_exit)
KSIM_POSIX_NAME_(_Exit)
KSIM_POSIX_NAME_(wait)
KSIM_POSIX_NAME_(waitpid)
KSIM_POSIX_NAME_(wait3)
KSIM_POSIX_NAME_(wait4)
KSIM_POSIX_NAME_(fork)
KSIM_POSIX_NAME_(vfork)
KSIM_POSIX_NAME_(clone)
KSIM_POSIX_NAME_(pthread_create)
KSIM_POSIX_NAME_(sigaction)
KSIM_POSIX_NAME_(signal)
KSIM_POSIX_NAME_(raise)
KSIM_POSIX_NAME_(kill)
KSIM_POSIX_NAME_(sigprocmask)
KSIM_POSIX_NAME_(pthread_sigmask)
KSIM_POSIX_NAME_(sigpending)
KSIM_POSIX_NAME_(sigsuspend)
KSIM_POSIX_NAME_(pause)
KSIM_POSIX_NAME_(sigtimedwait)
KSIM_POSIX_NAME_(sigwaitinfo)
KSIM_POSIX_NAME_(sigwait)
KSIM_POSIX_NAME_(sigaltstack)
KSIM_POSIX_NAME_(tgkill)
KSIM_POSIX_NAME_(killpg)
KSIM_POSIX_NAME_(sigqueue)
KSIM_POSIX_NAME_(waitid)
KSIM_POSIX_NAME_(getpgrp)
KSIM_POSIX_NAME_(getpgid)
KSIM_POSIX_NAME_(setpgid)
KSIM_POSIX_NAME_(syscall)

/* The names of large files, which glibc has beside the plain ones. */
#ifdef __GLIBC__
KSIM_POSIX_ALSO_(pread64, pread)
KSIM_POSIX_ALSO_(pwrite64, pwrite)
KSIM_POSIX_ALSO_(preadv64, preadv)
KSIM_POSIX_ALSO_(pwritev64, pwritev)
KSIM_POSIX_ALSO_(preadv64v2, preadv2)
KSIM_POSIX_ALSO_(pwritev64v2, pwritev2)
KSIM_POSIX_ALSO_(sendfile64, sendfile)
KSIM_POSIX_ALSO_(lseek64, lseek)
KSIM_POSIX_ALSO_(fstat64, fstat)
KSIM_POSIX_ALSO_(ftruncate64, ftruncate)
KSIM_POSIX_ALSO_(fallocate64, fallocate)
KSIM_POSIX_ALSO_(posix_fallocate64, posix_fallocate)
KSIM_POSIX_ALSO_(fcntl64, fcntl)
KSIM_POSIX_ALSO_(open64, open)
KSIM_POSIX_ALSO_(openat64, openat)
KSIM_POSIX_ALSO_(creat64, creat)
KSIM_POSIX_ALSO_(stat64, stat)
KSIM_POSIX_ALSO_(lstat64, lstat)
KSIM_POSIX_ALSO_(fstatat64, fstatat)
KSIM_POSIX_ALSO_(statfs64, statfs)
KSIM_POSIX_ALSO_(fstatfs64, fstatfs)
KSIM_POSIX_ALSO_(truncate64, truncate)
KSIM_POSIX_ALSO_(getrlimit64, getrlimit)
KSIM_POSIX_ALSO_(setrlimit64, setrlimit)
KSIM_POSIX_ALSO_(prlimit64, prlimit)
KSIM_POSIX_ALSO_(mmap64, mmap)
#endif

/* Not implemented, and ENOSYS for a process. */
KSIM_POSIX_REFUSED_(pipe)
KSIM_POSIX_REFUSED_(pipe2)
KSIM_POSIX_REFUSED_(poll)
KSIM_POSIX_REFUSED_(ppoll)
KSIM_POSIX_REFUSED_(select)
KSIM_POSIX_REFUSED_(pselect)
KSIM_POSIX_REFUSED_(epoll_create)
KSIM_POSIX_REFUSED_(epoll_create1)
KSIM_POSIX_REFUSED_(epoll_ctl)
KSIM_POSIX_REFUSED_(epoll_wait)
KSIM_POSIX_REFUSED_(eventfd)
KSIM_POSIX_REFUSED_(timerfd_create)
KSIM_POSIX_REFUSED_(signalfd)
KSIM_POSIX_REFUSED_(setsockopt)

#pragma GCC diagnostic pop

#ifdef KSIM_POSIX_USER_
/* Machines of a program that has this in it are native by default. */
__attribute__((visibility("default"))) void ksim_posix_mark_(void);
static __attribute__((constructor(101), unused)) void ksim_posix_mark_this_program_(void)
{
	ksim_posix_mark_();
}
#undef KSIM_POSIX_USER_
#endif
#ifdef __cplusplus
}
#endif

#undef KSIM_POSIX_NAME_
#undef KSIM_POSIX_ALSO_
#undef KSIM_POSIX_REFUSED_

#endif
