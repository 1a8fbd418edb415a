// SPDX-License-Identifier: MIT
/*
 * Libc's names for calls on processes and limits, and syscall(2).
 *
 * fork is where a simulated process cannot do what a real one does: its two returns need two stacks, and its child a
 * copy of all variables. A program that went on with an error might kill(-1) next, so it is told, and stopped.
 *
 * Locking: none. Linux: libc.
 */
#include "posix/posix.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <sys/syscall.h>

#include "ksim/file.h"

/* ---- who ---- */

pid_t ksim_posix_getpid(void)
{
	return posix_acts() ? ksim_getpid() : getpid();
}

pid_t ksim_posix_getppid(void)
{
	return posix_acts() ? ksim_getppid() : getppid();
}

pid_t ksim_posix_gettid(void)
{
	return posix_acts() ? ksim_gettid() : gettid();
}

uid_t ksim_posix_getuid(void)
{
	return posix_acts() ? ksim_getuid() : getuid();
}

uid_t ksim_posix_geteuid(void)
{
	return posix_acts() ? ksim_geteuid() : geteuid();
}

gid_t ksim_posix_getgid(void)
{
	return posix_acts() ? ksim_getgid() : getgid();
}

gid_t ksim_posix_getegid(void)
{
	return posix_acts() ? ksim_getegid() : getegid();
}

int ksim_posix_getresuid(uid_t *real, uid_t *effective, uid_t *saved)
{
	return posix_acts() ? ksim_getresuid(real, effective, saved) : getresuid(real, effective, saved);
}

int ksim_posix_getresgid(gid_t *real, gid_t *effective, gid_t *saved)
{
	return posix_acts() ? ksim_getresgid(real, effective, saved) : getresgid(real, effective, saved);
}

int ksim_posix_setuid(uid_t uid)
{
	return posix_acts() ? ksim_setuid(uid) : setuid(uid);
}

int ksim_posix_setgid(gid_t gid)
{
	return posix_acts() ? ksim_setgid(gid) : setgid(gid);
}

int ksim_posix_seteuid(uid_t effective)
{
	return posix_acts() ? ksim_seteuid(effective) : seteuid(effective);
}

int ksim_posix_setegid(gid_t effective)
{
	return posix_acts() ? ksim_setegid(effective) : setegid(effective);
}

int ksim_posix_setreuid(uid_t real, uid_t effective)
{
	return posix_acts() ? ksim_setreuid(real, effective) : setreuid(real, effective);
}

int ksim_posix_setregid(gid_t real, gid_t effective)
{
	return posix_acts() ? ksim_setregid(real, effective) : setregid(real, effective);
}

int ksim_posix_setresuid(uid_t real, uid_t effective, uid_t saved)
{
	return posix_acts() ? ksim_setresuid(real, effective, saved) : setresuid(real, effective, saved);
}

int ksim_posix_setresgid(gid_t real, gid_t effective, gid_t saved)
{
	return posix_acts() ? ksim_setresgid(real, effective, saved) : setresgid(real, effective, saved);
}

int ksim_posix_setfsuid(uid_t uid)
{
	return posix_acts() ? ksim_setfsuid(uid) : setfsuid(uid);
}

int ksim_posix_setfsgid(gid_t gid)
{
	return posix_acts() ? ksim_setfsgid(gid) : setfsgid(gid);
}

int ksim_posix_getgroups(int size, gid_t groups[])
{
	return posix_acts() ? ksim_getgroups(size, groups) : getgroups(size, groups);
}

int ksim_posix_setgroups(size_t size, const gid_t *groups)
{
	return posix_acts() ? ksim_setgroups(size, groups) : setgroups(size, groups);
}

/* ---- the end, and children ---- */

/* A thread that acts as nobody ends the program, as it always did, and boots nothing for it. */
void ksim_posix__exit(int code)
{
	if (acting_task() != NULL)
		ksim_exit(code);
	_exit(code);
}

void ksim_posix__Exit(int code)
{
	ksim_posix__exit(code);
}

static pid_t wait_for(pid_t pid, int *status, int options, struct rusage *usage)
{
	return machine_call_int(CALL_wait4, call_int(pid), call_ptr(status), call_int(options), call_ptr(usage));
}

pid_t ksim_posix_wait(int *status)
{
	return posix_acts() ? wait_for(-1, status, 0, NULL) : wait(status);
}

pid_t ksim_posix_waitpid(pid_t pid, int *status, int options)
{
	return posix_acts() ? wait_for(pid, status, options, NULL) : waitpid(pid, status, options);
}

pid_t ksim_posix_wait3(int *status, int options, struct rusage *usage)
{
	return posix_acts() ? wait_for(-1, status, options, usage) : wait3(status, options, usage);
}

pid_t ksim_posix_wait4(pid_t pid, int *status, int options, struct rusage *usage)
{
	return posix_acts() ? wait_for(pid, status, options, usage) : wait4(pid, status, options, usage);
}

int ksim_posix_waitid(idtype_t type, id_t id, siginfo_t *info, int options)
{
	return posix_acts() ? ksim_waitid(type, id, info, options) : waitid(type, id, info, options);
}

pid_t ksim_posix_getpgrp(void)
{
	return posix_acts() ? ksim_getpgrp() : getpgrp();
}

pid_t ksim_posix_getpgid(pid_t pid)
{
	return posix_acts() ? ksim_getpgid(pid) : getpgid(pid);
}

int ksim_posix_setpgid(pid_t pid, pid_t group)
{
	return posix_acts() ? ksim_setpgid(pid, group) : setpgid(pid, group);
}

void posix_refuse_fork(const char *name)
{
	if (posix_acts())
		machine_abort("%s by %s (%d): a simulated process cannot return twice; see ksim_fork_into()", name,
		              ksim_process_name(ksim_self()), ksim_process_pid(ksim_self()));
}

pid_t ksim_posix_fork(void)
{
	posix_refuse_fork("fork");
	return fork();
}

/* Its child would return from here, and take this frame away from its parent. */
pid_t ksim_posix_vfork(void)
{
	posix_refuse_fork("vfork");
	return fork();
}

int ksim_posix_clone(int (*fn)(void *), void *stack, int flags, void *arg, ...)
{
	struct clone_rest found;
	va_list rest;

	va_start(rest, arg);
	found = clone_rest_of(flags, rest);
	va_end(rest);
	return posix_acts() ? ksim_clone(fn, stack, flags, arg, found.parent_tid, found.tls, found.child_tid)
	                    : clone(fn, stack, flags, arg, found.parent_tid, found.tls, found.child_tid);
}

/* ---- limits ---- */

int ksim_posix_getrlimit(__rlimit_resource_t resource, struct rlimit *limit)
{
	return posix_acts() ? ksim_getrlimit((int)resource, limit) : getrlimit(resource, limit);
}

int ksim_posix_setrlimit(__rlimit_resource_t resource, const struct rlimit *limit)
{
	return posix_acts() ? ksim_setrlimit((int)resource, limit) : setrlimit(resource, limit);
}

int ksim_posix_prlimit(pid_t pid, __rlimit_resource_t resource, const struct rlimit *limit, struct rlimit *old)
{
	return posix_acts() ? ksim_prlimit(pid, (int)resource, limit, old) : prlimit(pid, resource, limit, old);
}

/* ---- by number ---- */

static bool is_fork(long nr)
{
	switch (nr) {
#ifdef SYS_fork
	case SYS_fork:
	case SYS_vfork:
#endif
	case SYS_clone:
#ifdef SYS_clone3
	case SYS_clone3:
#endif
		return true;
	default:
		return false;
	}
}

/* Of the host's numbers, by a process. */
static long call_by_number(long nr, const long a[6])
{
	enum syscall_call call = syscall_by_nr(nr, machine_host_arch());

	switch (call) {
	case CALL_COUNT:
		if (is_fork(nr))
			posix_refuse_fork("syscall(2) that forks");
		return syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
	case CALL_mmap:
		return (long)ksim_posix_mmap((void *)a[0], (size_t)a[1], (int)a[2], (int)a[3], (int)a[4], a[5]);
	case CALL_munmap:
		return ksim_posix_munmap((void *)a[0], (size_t)a[1]);
	case CALL_mprotect:
		return ksim_posix_mprotect((void *)a[0], (size_t)a[1], (int)a[2]);
	case CALL_mremap:
		return (long)ksim_posix_mremap((void *)a[0], (size_t)a[1], (size_t)a[2], (int)a[3], (void *)a[4]);
	case CALL_brk:
		ksim_posix_brk((void *)a[0]);
		return (long)ksim_posix_sbrk(0);
	case CALL_exit_group:
		ksim_exit((int)a[0]);
	default:
		return machine_result(machine_call(call, (uint64_t)a[0], (uint64_t)a[1], (uint64_t)a[2], (uint64_t)a[3],
		                                   (uint64_t)a[4], (uint64_t)a[5]));
	}
}

long ksim_posix_syscall(long nr, ...)
{
	long a[6];
	va_list rest;

	va_start(rest, nr);
	for (size_t i = 0; i < ARRAY_SIZE(a); i++)
		a[i] = va_arg(rest, long);
	va_end(rest);
	return posix_acts() ? call_by_number(nr, a) : syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
}
