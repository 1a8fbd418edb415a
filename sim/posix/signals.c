// SPDX-License-Identifier: MIT
/*
 * Libc's names for signals.
 *
 * Actions are the process's. Only faults raise signals in the simulated machine so far, so what a process sends to itself
 * is done on the spot: its handler is called, or it ends. The mask is the host thread's; where memory is in windows,
 * SIGSEGV and SIGBUS must stay unblocked on the host, for it is their handler that makes pages appear, and two other
 * signals stand for them there (machine_stand_in).
 *
 * A program that has become a process as a whole (main.c) is alone in its host process. Signals that nothing simulated
 * raises reach it from the host, so their actions are set there too.
 *
 * I1  no mask of the host's has SIGSEGV or SIGBUS while its thread acts as a process with a window, by a call made here
 *
 * Locking: none. Linux: kernel/signal.c. Not modelled: signals that wait until they are unblocked (ENOSYS), stopping.
 */
#include "posix/posix.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <ucontext.h>

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

/* ---- the mask ---- */

static const int kept[] = { SIGSEGV, SIGBUS };

static bool has_window(void)
{
	return acting_task()->process->window.bytes != 0;
}

/* A program's mask, as the host shall have it. */
static sigset_t mask_in(const sigset_t *set)
{
	sigset_t out = *set;

	for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
		sigdelset(&out, kept[i]);
		sigdelset(&out, machine_stand_in(kept[i]));
		if (sigismember(set, kept[i]) == 1)
			sigaddset(&out, machine_stand_in(kept[i]));
	}
	return out;
}

static void mask_out(sigset_t *set)
{
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
		if (sigismember(set, machine_stand_in(kept[i])) == 1)
			sigaddset(set, kept[i]);
		sigdelset(set, machine_stand_in(kept[i]));
	}
}

int ksim_posix_pthread_sigmask(int how, const sigset_t *set, sigset_t *old)
{
	sigset_t in, out;
	int err;

	if (!posix_acts() || !has_window())
		return pthread_sigmask(how, set, old);
	if (set != NULL)
		in = mask_in(set);
	err = pthread_sigmask(how, set != NULL ? &in : NULL, &out);
	if (err == 0 && old != NULL) {
		mask_out(&out);
		*old = out;
	}
	return err;
}

int ksim_posix_sigprocmask(int how, const sigset_t *set, sigset_t *old)
{
	int err = ksim_posix_pthread_sigmask(how, set, old);

	if (err != 0)
		errno = err;
	return err == 0 ? 0 : -1;
}

/* ---- sending one to oneself ---- */

static bool is_blocked(int signo)
{
	sigset_t mask;

	return ksim_posix_pthread_sigmask(SIG_BLOCK, NULL, &mask) == 0 && sigismember(&mask, signo) == 1;
}

static void call_handler(int signo, const struct sigaction *act)
{
	siginfo_t info = { .si_signo = signo, .si_code = SI_TKILL };
	sigset_t mask = act->sa_mask, before;
	ucontext_t context;

	info.si_pid = ksim_getpid();
	memset(&context, 0, sizeof(context));
	if (!(act->sa_flags & SA_NODEFER))
		sigaddset(&mask, signo);
	ksim_posix_pthread_sigmask(SIG_BLOCK, &mask, &before);
	if (act->sa_flags & (int)SA_RESETHAND)
		ksim_posix_signal(signo, SIG_DFL);
	if (act->sa_flags & SA_SIGINFO)
		act->sa_sigaction(signo, &info, &context);
	else
		act->sa_handler(signo);
	ksim_posix_pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static __attribute__((noreturn)) void die_of(int signo)
{
	struct task *task = acting_task();
	struct end end = { .signo = signo };
	char what[64];

	snprintf(what, sizeof(what), "it sent itself signal %d, %s", signo, sigdescr_np(signo));
	end_describe(&end, task->process, what);
	process_end(&task->ctx, task->process, &end);
	acting_die();
}

static int send_to_self(int signo)
{
	struct sigaction act;

	if (signo == 0)
		return 0;
	if (signo == SIGKILL)
		die_of(signo);
	if (ksim_sigaction(signo, NULL, &act) < 0)
		return -1;
	if (only_the_host_sends(signo))
		return raise(signo);
	if (act.sa_handler == SIG_IGN)
		return 0;
	if (is_blocked(signo))
		goto unable;
	if (act.sa_handler != SIG_DFL) {
		call_handler(signo, &act);
		return 0;
	}
	switch (signo) {
	case SIGCHLD:
	case SIGCONT:
	case SIGURG:
	case SIGWINCH:
		return 0;
	case SIGSTOP:
	case SIGTSTP:
	case SIGTTIN:
	case SIGTTOU:
		goto unable;
	default:
		die_of(signo);
	}
unable:
	errno = ENOSYS;
	return -1;
}

int ksim_posix_raise(int signo)
{
	return posix_acts() ? send_to_self(signo) : raise(signo);
}

int ksim_posix_kill(pid_t pid, int signo)
{
	if (!posix_acts())
		return kill(pid, signo);
	if (pid == ksim_getpid())
		return send_to_self(signo);
	errno = pid > 0 && process_by_pid(&acting_task()->ctx, (uint32_t)pid) == NULL ? ESRCH : ENOSYS;
	return -1;
}
