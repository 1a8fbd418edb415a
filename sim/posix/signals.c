// SPDX-License-Identifier: MIT
/*
 * Libc's names for signals.
 *
 * Actions, masks and signals are the process's, of the simulated kernel.
 *
 * A program that has become a process as a whole (main.c) is alone in its host process. Signals that nothing simulated
 * raises reach it from the host, so their actions are set there too, and the host's mask follows (mask.c).
 *
 * Locking: none. Linux: libc.
 */
#include "posix/posix.h"

#include <errno.h>
#include <stdarg.h>

/* ---- actions ---- */

static bool only_the_host_sends(int signo)
{
	return signo != SIGSEGV && signo != SIGBUS && posix_is_main(ksim_self());
}

int ksim_posix_sigaction(int signo, const struct sigaction *act, struct sigaction *old)
{
	struct sigaction mine;

	if (!posix_acts())
		return sigaction(signo, act, old);
	if (act != NULL)
		mine = *act; /* which may be where old is */
	if (ksim_sigaction(signo, act, old) < 0)
		return -1;
	if (act != NULL && only_the_host_sends(signo))
		sigaction(signo, &mine, NULL);
	return 0;
}

/* As BSD and glibc have it: the handler stays, and calls are restarted. */
__sighandler_t ksim_posix_signal(int signo, __sighandler_t handler)
{
	struct sigaction act = { .sa_handler = handler, .sa_flags = SA_RESTART }, old;

	if (!posix_acts())
		return signal(signo, handler);
	sigemptyset(&act.sa_mask);
	return ksim_posix_sigaction(signo, &act, &old) < 0 ? SIG_ERR : old.sa_handler;
}

/* ---- the mask, and what waits ---- */

int ksim_posix_sigprocmask(int how, const sigset_t *set, sigset_t *old)
{
	/* Whoever calls libc's means it. NOLINTNEXTLINE(concurrency-mt-unsafe) */
	return posix_acts() ? ksim_sigprocmask(how, set, old) : sigprocmask(how, set, old);
}

/* Gives the error instead of setting it. */
int ksim_posix_pthread_sigmask(int how, const sigset_t *set, sigset_t *old)
{
	int saved = errno;
	int err = 0;

	if (!posix_acts())
		return pthread_sigmask(how, set, old);
	if (ksim_sigprocmask(how, set, old) < 0)
		err = errno;
	errno = saved;
	return err;
}

int ksim_posix_sigpending(sigset_t *set)
{
	return posix_acts() ? ksim_sigpending(set) : sigpending(set);
}

int ksim_posix_sigsuspend(const sigset_t *mask)
{
	/* Likewise. NOLINTNEXTLINE(concurrency-mt-unsafe) */
	return posix_acts() ? ksim_sigsuspend(mask) : sigsuspend(mask);
}

int ksim_posix_pause(void)
{
	return posix_acts() ? ksim_pause() : pause();
}

int ksim_posix_sigtimedwait(const sigset_t *set, siginfo_t *info, const struct timespec *timeout)
{
	return posix_acts() ? ksim_sigtimedwait(set, info, timeout) : sigtimedwait(set, info, timeout);
}

int ksim_posix_sigwaitinfo(const sigset_t *set, siginfo_t *info)
{
	return posix_acts() ? ksim_sigtimedwait(set, info, NULL) : sigwaitinfo(set, info);
}

/* Gives the error, and is not interrupted. */
int ksim_posix_sigwait(const sigset_t *set, int *signo)
{
	int saved = errno;
	int got;

	if (!posix_acts())
		return sigwait(set, signo);
	do
		got = ksim_sigtimedwait(set, NULL, NULL);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		got = errno;
	else
		*signo = got;
	errno = saved;
	return got < 0 || got > SIGNALS ? got : 0;
}

int ksim_posix_sigaltstack(const stack_t *stack, stack_t *old)
{
	return posix_acts() ? ksim_sigaltstack(stack, old) : sigaltstack(stack, old);
}

/* ---- sending ---- */

/* What the program as a whole sends itself is the host's too, where the host has its action. */
int ksim_posix_raise(int signo)
{
	return posix_acts() ? ksim_tgkill(ksim_getpid(), ksim_gettid(), signo) : raise(signo);
}

int ksim_posix_kill(pid_t pid, int signo)
{
	return posix_acts() ? ksim_kill(pid, signo) : kill(pid, signo);
}

int ksim_posix_tgkill(pid_t tgid, pid_t tid, int signo)
{
	return posix_acts() ? ksim_tgkill(tgid, tid, signo) : tgkill(tgid, tid, signo);
}

int ksim_posix_killpg(pid_t group, int signo)
{
	if (!posix_acts())
		return killpg(group, signo);
	if (group < 0) {
		errno = EINVAL;
		return -1;
	}
	return ksim_kill(-group, signo);
}

int ksim_posix_sigqueue(pid_t pid, int signo, const union sigval value)
{
	return posix_acts() ? ksim_sigqueue(pid, signo, value) : sigqueue(pid, signo, value);
}
