// SPDX-License-Identifier: MIT
/*
 * The libc-shaped calls on processes; contracts in <ksim/process.h>.
 *
 * I1  ksim_exit does not return: its process is dying when the call comes back, whoever decided its end
 */
#include "machine/machine.h"

#include <errno.h>

pid_t ksim_getpid(void)
{
	return machine_call_int(CALL_getpid, 0, 0, 0, 0);
}

pid_t ksim_getppid(void)
{
	return machine_call_int(CALL_getppid, 0, 0, 0, 0);
}

pid_t ksim_gettid(void)
{
	return machine_call_int(CALL_gettid, 0, 0, 0, 0);
}

uid_t ksim_getuid(void)
{
	return (uid_t)machine_call(CALL_getuid, 0, 0, 0, 0, 0, 0);
}

uid_t ksim_geteuid(void)
{
	return (uid_t)machine_call(CALL_geteuid, 0, 0, 0, 0, 0, 0);
}

gid_t ksim_getgid(void)
{
	return (gid_t)machine_call(CALL_getgid, 0, 0, 0, 0, 0, 0);
}

gid_t ksim_getegid(void)
{
	return (gid_t)machine_call(CALL_getegid, 0, 0, 0, 0, 0, 0);
}

/* ---- users and groups ---- */

int ksim_getresuid(uid_t *real, uid_t *effective, uid_t *saved)
{
	return machine_call_int(CALL_getresuid, call_ptr(real), call_ptr(effective), call_ptr(saved), 0);
}

int ksim_getresgid(gid_t *real, gid_t *effective, gid_t *saved)
{
	return machine_call_int(CALL_getresgid, call_ptr(real), call_ptr(effective), call_ptr(saved), 0);
}

int ksim_setuid(uid_t uid)
{
	return machine_call_int(CALL_setuid, uid, 0, 0, 0);
}

int ksim_setgid(gid_t gid)
{
	return machine_call_int(CALL_setgid, gid, 0, 0, 0);
}

int ksim_setreuid(uid_t real, uid_t effective)
{
	return machine_call_int(CALL_setreuid, real, effective, 0, 0);
}

int ksim_setregid(gid_t real, gid_t effective)
{
	return machine_call_int(CALL_setregid, real, effective, 0, 0);
}

int ksim_setresuid(uid_t real, uid_t effective, uid_t saved)
{
	return machine_call_int(CALL_setresuid, real, effective, saved, 0);
}

int ksim_setresgid(gid_t real, gid_t effective, gid_t saved)
{
	return machine_call_int(CALL_setresgid, real, effective, saved, 0);
}

/* libc's refuse -1, which would mean that nothing is to be changed. */
int ksim_seteuid(uid_t effective)
{
	return effective == CREDS_KEEP ? (int)machine_result(-EINVAL)
	                               : ksim_setresuid(CREDS_KEEP, effective, CREDS_KEEP);
}

int ksim_setegid(gid_t effective)
{
	return effective == CREDS_KEEP ? (int)machine_result(-EINVAL)
	                               : ksim_setresgid(CREDS_KEEP, effective, CREDS_KEEP);
}

int ksim_setfsuid(uid_t uid)
{
	return (int)machine_call(CALL_setfsuid, uid, 0, 0, 0, 0, 0);
}

int ksim_setfsgid(gid_t gid)
{
	return (int)machine_call(CALL_setfsgid, gid, 0, 0, 0, 0, 0);
}

int ksim_getgroups(int size, gid_t groups[])
{
	return machine_call_int(CALL_getgroups, call_int(size), call_ptr(groups), 0, 0);
}

int ksim_setgroups(size_t size, const gid_t groups[])
{
	return machine_call_int(CALL_setgroups, size, call_ptr(groups), 0, 0);
}

/* ---- the end, and children ---- */

void ksim_exit(int code)
{
	machine_call(CALL_exit_group, call_int(code), 0, 0, 0, 0, 0);
	acting_die();
}

pid_t ksim_wait(int *status)
{
	return ksim_waitpid(-1, status, 0);
}

pid_t ksim_waitpid(pid_t pid, int *status, int options)
{
	return machine_call_int(CALL_wait4, call_int(pid), call_ptr(status), call_int(options), 0);
}

int ksim_waitid(idtype_t type, id_t id, siginfo_t *info, int options)
{
	return (int)machine_result(machine_call(CALL_waitid, call_int((int)type), call_int((int)id), call_ptr(info),
	                                        call_int(options), 0, 0));
}

/* ---- groups of processes ---- */

pid_t ksim_getpgrp(void)
{
	return ksim_getpgid(0);
}

pid_t ksim_getpgid(pid_t pid)
{
	return machine_call_int(CALL_getpgid, call_int(pid), 0, 0, 0);
}

int ksim_setpgid(pid_t pid, pid_t group)
{
	return machine_call_int(CALL_setpgid, call_int(pid), call_int(group), 0, 0);
}
