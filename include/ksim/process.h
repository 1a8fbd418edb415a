/* SPDX-License-Identifier: MIT */
/*
 * Processes, and how a host thread acts as one: for its life (ksim_start), for a call (ksim_run) or for a block
 * (ksim_as).
 *
 * Handles are borrowed and stay valid until ksim_halt(), dead processes' too. Several host threads may act as one
 * process at once; each is a thread of it, with a tid of its own.
 */
#ifndef KSIM_PROCESS_H
#define KSIM_PROCESS_H

#include <ksim/machine.h>
#include <ksim/signal.h>
#include <sys/types.h>
#include <sys/wait.h>

KSIM_BEGIN_DECLS

/** How a process ended, or that it lives. */
struct ksim_end {
	bool alive;
	int code;    /**< exit status 0 to 255; of ksim_run with alive: what fn returned, or its thread exited with */
	int signo;   /**< the signal that killed it; 0: none */
	int si_code; /**< of a fault: SEGV_MAPERR, SEGV_ACCERR, BUS_ADRERR, BUS_ADRALN */
	ksim_addr addr; /**< of a fault: the exact address */
	/** A sentence: "compositor (3) killed by SIGBUS BUS_ADRERR: read of 4 at 0x7f00003ffc, page 3 of ..." */
	char text[160];
};

/**
 * A process without a thread, with an empty address space and no descriptors; a child of pid 1.
 *
 * @param m     the machine
 * @param name  for people; cut at 31 bytes
 * @return its handle, or NULL with errno ENOMEM, or EAGAIN when pids have run out
 * Threads: any.
 */
KSIM_EXPORT struct ksim_process *ksim_process_create(struct ksim_machine *m, const char *name);

/**
 * A child of parent that exists and does not run yet: copy-on-write memory, a copy of the fd table, the signal
 * actions. Only simulated memory is copied: the host program's variables stay what they are. Act as it with ksim_as,
 * ksim_run or ksim_start.
 *
 * @param name  NULL = the parent's
 * @return its handle, or NULL with errno ENOMEM, EAGAIN, ESRCH (parent has ended)
 * Threads: any. Linux: fork(2), without the running thread.
 */
KSIM_EXPORT struct ksim_process *ksim_process_fork(struct ksim_process *parent, const char *name);

/**
 * As ksim_process_fork(), but some of what the parent has is shared with it, not copied, until the last of them ends.
 *
 * @param flags  any of CLONE_VM, CLONE_FILES (the fd table), CLONE_FS (working directory, umask), CLONE_SIGHAND (signal
 *               actions; with CLONE_VM)
 * @return its handle, or NULL with errno EINVAL (other flags, CLONE_SIGHAND without CLONE_VM), ENOMEM, EAGAIN, ESRCH
 * Threads: any. Linux: clone(2), without the running thread.
 */
KSIM_EXPORT struct ksim_process *ksim_process_clone(struct ksim_process *parent, const char *name, int flags);

/**
 * End a process as if it called _exit(code) now: its descriptors are closed, its memory is freed, its threads return
 * from what they wait for and leave. When another thread acts as it, it is gone when that thread has noticed: at its
 * next call or TLB miss. @return 0, or -1 with errno ESRCH if its end was decided before. Threads: any.
 */
KSIM_EXPORT int ksim_process_end(struct ksim_process *p, int code);

/**
 * Limit the memory that processes may have together, as a memory cgroup does: put them into a new group, into which
 * their children will be born. A process is in one group or in none: put into another it leaves the one before.
 *
 * What is charged is RAM, by whole pages: private pages, pages of files and of shared memory, page tables. A page is
 * charged to the group of the process that makes it come to be, by a call or by being the first to touch it, for as
 * long as it exists: to whomever its file is passed, and whoever frees it; it stays when that process ends or joins
 * another group. A group begins with nothing charged to it.
 *
 * What there is no room for under the limit fails as it does when RAM is used up: a call with ENOMEM, having changed
 * nothing, as ftruncate() under KSIM_COMMIT_ON_TRUNCATE (or EFAULT, where it cannot touch its buffer); at a touch, the
 * process that touches is killed by SIGKILL, and ksim_end.text says that its group's limit is reached. What a process
 * frees, or leaves at its end, the others of the group can have at once. Where a page of 2 MiB does not fit, small ones
 * come instead.
 *
 * @param processes  of one machine; one may be named twice
 * @param n          how many, > 0
 * @param bytes      the limit; rounded down to a page; 0 = not a single page more; UINT64_MAX = none, the pages are counted only
 * @return 0, or -1 with errno, and no process has been moved:
 *   EINVAL  n is 0; they are of different machines
 *   ESRCH   one of them has ended
 *   ENOMEM  the host has no memory
 *   ENOSPC  65535 groups have been made on the machine
 * Threads: any; members may run meanwhile.
 * Linux: Documentation/admin-guide/cgroup-v2.rst, memory.max. Deviations: the OOM killer chooses among all processes of
 * the group and runs for most calls, too, where here they fail; kernel objects (descriptors, mappings, what is queued
 * on sockets) are not charged; a page that process_vm_writev() makes is charged to who calls. No groups in groups.
 */
KSIM_EXPORT int ksim_limit_memory(struct ksim_process *const processes[], size_t n, uint64_t bytes);

/** How a group that ksim_limit_memory() has made stands; bytes, multiples of a page. */
struct ksim_memory {
	uint64_t limit;   /**< UINT64_MAX: none */
	uint64_t used;    /**< memory.current */
	uint64_t peak;    /**< memory.peak: the most that was used at once */
	uint64_t refused; /**< times that the limit refused memory */
};

/**
 * Look at the group that a process is in, or was in when it ended.
 * @return 0, or -1 with errno ENOENT: it is in none
 * Threads: any. While members run it is a snapshot; used never is above the limit.
 */
KSIM_EXPORT int ksim_memory_used(const struct ksim_process *p, struct ksim_memory *out);

KSIM_EXPORT pid_t ksim_process_pid(const struct ksim_process *p);
KSIM_EXPORT const char *ksim_process_name(const struct ksim_process *p);
KSIM_EXPORT struct ksim_machine *ksim_process_machine(const struct ksim_process *p);
/** The process that this thread acts as; NULL: none. */
KSIM_EXPORT struct ksim_process *ksim_self(void);

/**
 * Act as p from now on, until the matching ksim_leave(); a stack per thread. Acting again as a process finds its TLB
 * warm. Entering a process that has ended, and running out of memory for its first thread, prints why and aborts.
 * Threads: any, but each enter and its leave on the same one.
 */
KSIM_EXPORT void ksim_enter(struct ksim_process *p);
/** Act as what this thread acted as before. */
KSIM_EXPORT void ksim_leave(void);

/** What ksim_as keeps; not for direct use. */
struct ksim_as_scope {
	unsigned depth;
	int open;
};
KSIM_EXPORT struct ksim_as_scope ksim_as_begin_(struct ksim_process *p);
KSIM_EXPORT void ksim_as_end_(struct ksim_as_scope *scope);
/** So that the compiler, too, sees that a block is entered: what it sets is set. */
static inline struct ksim_as_scope ksim_as_open_(struct ksim_process *p)
{
	struct ksim_as_scope scope = ksim_as_begin_(p);

	scope.open = 1;
	return scope;
}

/**
 * ksim_as(p) { ... }: act as p in the block. It is left on fall-through, break, continue, return, goto and by C++
 * exceptions. Nests; break and continue inside belong to it.
 */
#define ksim_as(p)     KSIM_AS_(p, __COUNTER__)
#define KSIM_AS_(p, n) KSIM_AS_2_(p, n)
#define KSIM_AS_2_(p, n)                                                                                    \
	for (struct ksim_as_scope ksim_scope_##n __attribute__((cleanup(ksim_as_end_))) = ksim_as_open_(p); \
	     ksim_scope_##n.open; ksim_scope_##n.open = 0)

/**
 * Call fn as p on this thread. When fn returns, p lives on and end says alive, with fn's result as code; exit and
 * fatal signals of p land here, unwinding everything in between as _exit would: nothing of it runs.
 *
 * @param end  out, may be NULL
 * @return 0, or -1 with errno: ESRCH p has ended before; EBUSY p was started with ksim_start(); ENOMEM
 * Threads: any. Host resources that fn held when p died are the program's to release.
 */
KSIM_EXPORT int ksim_run(struct ksim_process *p, int (*fn)(void *), void *arg, struct ksim_end *end);

/**
 * Start p's main on a new host thread: when fn returns, p exits with its result.
 * @return 0, or -1 with errno: ESRCH p has ended; EBUSY started before; EAGAIN no host thread; ENOMEM
 * Ownership: the thread is joined by ksim_join() or ksim_halt().
 */
KSIM_EXPORT int ksim_start(struct ksim_process *p, int (*fn)(void *), void *arg);

/**
 * A further thread of p on a new host thread. When fn returns, the thread ends and p lives on, unless its first thread
 * has exited before, and this was the last. The number of a thread that has ended is ESRCH; a later thread may get it.
 * @return its tid, or -1 with errno ESRCH, EAGAIN, ENOMEM
 */
KSIM_EXPORT pid_t ksim_task_start(struct ksim_process *p, int (*fn)(void *), void *arg);
/** Wait for a thread of ksim_task_start() and get fn's result (-1 if it was ended with its process). -1: EINVAL. */
KSIM_EXPORT int ksim_task_join(struct ksim_process *p, pid_t tid, int *result);

/**
 * Wait for p's end and reap it. Returns at once what is known when it has been reaped already.
 * @return 0, or -1 with errno: EDEADLK p lives, and no thread acts as any process that could end it; EINTR the
 * process this thread acts as is ending
 * Threads: any; blocks.
 */
KSIM_EXPORT int ksim_join(struct ksim_process *p, struct ksim_end *end);

/** How p stands now, without waiting. */
KSIM_EXPORT void ksim_process_status(const struct ksim_process *p, struct ksim_end *end);

/**
 * fork(2) as far as threads can: the child has a copy-on-write copy of the acting process's memory and a copy of its
 * fd table, and starts in fn on a new host thread; it exits with fn's result. The host program's variables are
 * shared, not copied.
 * @return the child's pid, or -1 with errno ENOMEM, EAGAIN (no number; RLIMIT_NPROC, and the user is not 0)
 */
KSIM_EXPORT pid_t ksim_fork_into(int (*fn)(void *), void *arg);

/**
 * clone(2), shaped as glibc's wrapper: a child, or with CLONE_THREAD a thread of the acting process, begins in fn on a
 * new host thread. What fn returns it exits with: by itself, as with exit(2), so that threads which it has made live
 * on.
 *
 * @param fn     not NULL
 * @param stack  not NULL, and not used: the child has the stack of its host thread
 * @param flags  the signal of its end in the low byte (0: none), and any of
 *   CLONE_VM, CLONE_FILES, CLONE_FS, CLONE_SIGHAND  what is shared; what is not is copied
 *   CLONE_THREAD          with CLONE_SIGHAND and CLONE_VM, and, a deviation, CLONE_FILES and CLONE_FS
 *   CLONE_PARENT          its parent is the caller's, which gets the signal that it gets of the caller's end
 *   CLONE_VFORK           return when the child has ended; with CLONE_THREAD ignored, a deviation
 *   CLONE_PARENT_SETTID   write its number to *parent_tid
 *   CLONE_CHILD_SETTID    write its number to *child_tid, in its own memory
 *   CLONE_CHILD_CLEARTID  clear *child_tid when it ends, if others have its memory too
 *   CLONE_SETTLS, CLONE_SYSVSEM, CLONE_IO, CLONE_PTRACE, CLONE_UNTRACED, CLONE_DETACHED  accepted, and nothing done
 * @param ...    pid_t *parent_tid, void *tls, pid_t *child_tid, as far as the flags need them: pointers as calls take them
 * @return its pid, or tid, or -1 with errno: EAGAIN no host thread, or no number, or RLIMIT_NPROC; ENOMEM;
 *   EINVAL fn or stack is NULL, CLONE_SIGHAND without CLONE_VM, CLONE_THREAD without CLONE_SIGHAND (CLONE_FILES, CLONE_FS), CLONE_FS with
 *   CLONE_NEWNS or CLONE_NEWUSER, CLONE_NEWUSER, CLONE_PIDFD; a namespace: EPERM, or EINVAL for who is privileged
 * Ownership: a thread can be waited for with ksim_task_join(); its host thread is joined with the process's.
 * Threads: any that acts as a process; blocks with CLONE_VFORK.
 * Linux: clone(2). Deviations: those above; thread-local storage, errno too, is the host thread's; there are no
 * namespaces and no pidfds, as in a kernel without them; no futex is woken when a number is cleared, since there are no
 * futexes; a signal that ends the caller by default does so after CLONE_VFORK's wait, but for SIGKILL. By its number,
 * ksim_syscall(), clone is ENOSYS: there is no function to begin in.
 */
KSIM_EXPORT int ksim_clone(int (*fn)(void *), void *stack, int flags, void *arg, ...);

/** _exit(2): the acting process ends; lands in the innermost ksim_run or thread start. */
KSIM_EXPORT __attribute__((noreturn)) void ksim_exit(int code);

/**
 * wait(2), waitpid(2), waitid(2): children made by ksim_fork_into and ksim_process_fork. ECHILD, EFAULT, EINTR, EINVAL,
 * EDEADLK. Deviations: no child is ever stopped or continued.
 */
KSIM_EXPORT pid_t ksim_wait(int *status);
KSIM_EXPORT pid_t ksim_waitpid(pid_t pid, int *status, int options);
#if defined(_POSIX_C_SOURCE) && _POSIX_C_SOURCE >= 200809L
KSIM_EXPORT int ksim_waitid(idtype_t type, id_t id, siginfo_t *info, int options);
#endif

KSIM_EXPORT pid_t ksim_getpid(void);
KSIM_EXPORT pid_t ksim_getppid(void);
KSIM_EXPORT pid_t ksim_gettid(void);
/**
 * getpgrp(2), setpgid(2): groups of processes, to which kill and wait may speak. A process that the bench creates is a
 * group of its own, a child is in its parent's. EINVAL (negative), EPERM (no such group), ESRCH (no such process; not
 * the caller's child). Deviations: no sessions, no terminals.
 */
KSIM_EXPORT pid_t ksim_getpgrp(void);
KSIM_EXPORT pid_t ksim_getpgid(pid_t pid);
KSIM_EXPORT int ksim_setpgid(pid_t pid, pid_t group);
/**
 * Who the acting process is: users and groups as on Linux, 0 and without further groups to begin with; a child has what
 * its parent has. Whose effective user is 0 may do what root may.
 */
KSIM_EXPORT uid_t ksim_getuid(void);
KSIM_EXPORT uid_t ksim_geteuid(void);
KSIM_EXPORT gid_t ksim_getgid(void);
KSIM_EXPORT gid_t ksim_getegid(void);
/** @return 0, or -1 with errno EFAULT */
KSIM_EXPORT int ksim_getresuid(uid_t *real, uid_t *effective, uid_t *saved);
KSIM_EXPORT int ksim_getresgid(gid_t *real, gid_t *effective, gid_t *saved);
/**
 * Change them. -1 stands for what is to stay, where there are several.
 * @return 0, or -1 with errno EINVAL (-1, where there is but one), EPERM (not privileged, and no id that it may take)
 * Linux: setuid(2), setreuid(2), setresuid(2). As libc's: all threads of the process change at once.
 * Deviations: no capabilities but those of the effective user 0.
 */
KSIM_EXPORT int ksim_setuid(uid_t uid);
KSIM_EXPORT int ksim_setgid(gid_t gid);
KSIM_EXPORT int ksim_setreuid(uid_t real, uid_t effective);
KSIM_EXPORT int ksim_setregid(gid_t real, gid_t effective);
KSIM_EXPORT int ksim_setresuid(uid_t real, uid_t effective, uid_t saved);
KSIM_EXPORT int ksim_setresgid(gid_t real, gid_t effective, gid_t saved);
/** seteuid(3), setegid(3): the effective one alone. EINVAL, EPERM. */
KSIM_EXPORT int ksim_seteuid(uid_t effective);
KSIM_EXPORT int ksim_setegid(gid_t effective);
/** Whom file permissions are checked for. @return the former, whether it has been changed or not. setfsuid(2) */
KSIM_EXPORT int ksim_setfsuid(uid_t uid);
KSIM_EXPORT int ksim_setfsgid(gid_t gid);
/**
 * Further groups, in ascending order. size 0: only how many there are.
 * @return how many, or -1 with errno EFAULT, EINVAL (size is negative, or too small)
 */
KSIM_EXPORT int ksim_getgroups(int size, gid_t groups[]);
/**
 * @return 0, or -1 with errno EFAULT; EINVAL (size above 65536, a group of -1); EPERM (not privileged); ENOMEM (size
 * above 32: a deviation)
 */
KSIM_EXPORT int ksim_setgroups(size_t size, const gid_t groups[]);

/**
 * A system call of the simulated architecture by its number: six arguments in the kernel's own ABI, numbers, flag
 * values and layouts. Pointers are host pointers or ksim_user() addresses.
 *
 * exit(2) by its number ends the thread, and the process only if no other acts as it; when the first thread has ended
 * so, the process ends with the last one, and with that one's code. A thread of the program's unwinds to its
 * ksim_run(), with that code in struct ksim_end, and p alive.
 * @return the value, or -errno; -ENOSYS for a call that is not implemented
 */
KSIM_EXPORT long ksim_syscall(long nr, long a, long b, long c, long d, long e, long f);

KSIM_END_DECLS

#endif
