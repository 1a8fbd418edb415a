/* SPDX-License-Identifier: MIT */
/*
 * Signals of simulated processes.
 *
 * A handler is a function of the program. It runs as a plain call on the host thread that acts as the task which takes
 * the signal: where that thread enters ksim or leaves it, where it misses its TLB or faults on a window; so a thread
 * that computes without touching ksim takes none meanwhile, and a process that nobody acts as takes its signals when
 * somebody does. What a signal without a handler does is done at once: a process that is killed has ended when
 * ksim_kill() returns, unless other threads act as it, which leave as with ksim_process_end().
 *
 * Handlers may return, which restores the mask; or jump away. siglongjmp restores the mask that sigsetjmp saved,
 * longjmp none, as on Linux. For that, five signals of the host thread's own mask, SIGRTMAX - 6 to SIGRTMAX - 2, are
 * used as a mark: leave them alone, and the host's SIGSEGV unblocked where access is native. A signal that is unblocked
 * by a jump is taken with the next call. A handler that jumps out of a ksim_run() or a ksim_as leaves the thread acting
 * as the process, until ksim_leave() or the end of a block around it.
 *
 * A call that sleeps is interrupted by a signal that is not blocked: it is made again if the first handler's action has
 * SA_RESTART, or if there was none, and is EINTR otherwise, as signal(7) says.
 *
 * Deviations, of all: stop signals do nothing by default, and no child is ever stopped or continued; SA_ONSTACK is
 * accepted, and handlers run on the thread's own stack; no core is dumped. Masks and handlers of processes that share
 * one host thread are apart, though the thread is one.
 */
#ifndef KSIM_SIGNAL_H
#define KSIM_SIGNAL_H

#include <ksim/types.h>
#include <signal.h>
#include <sys/types.h>
#include <time.h>

struct sigaction;

KSIM_BEGIN_DECLS

/**
 * sigaction(2) of the acting process, with the host's struct. Faults on simulated memory raise SIGSEGV and SIGBUS: the
 * handler runs on the thread that faulted, with si_addr the user address as a pointer that must not be dereferenced,
 * and a NULL context. On a machine with native access si_addr is the process's pointer to it, and after an access by a
 * pointer the context is the host's. It may return (the access is retried), map memory, or jump away. Other signals
 * have a context of zeros.
 *
 * @return 0, or -1 with errno EFAULT (act, old), EINVAL (no such signal; SIGKILL or SIGSTOP to be set)
 */
KSIM_EXPORT int ksim_sigaction(int signo, const struct sigaction *act, struct sigaction *old);

/* What names types of POSIX 2008 is there where libc shows those: not with -std=c11 alone. */
#if defined(_POSIX_C_SOURCE) && _POSIX_C_SOURCE >= 200809L
/** sigprocmask(2), of the acting thread. 0, or -1 with errno EFAULT (set, old), EINVAL (how). */
KSIM_EXPORT int ksim_sigprocmask(int how, const sigset_t *set, sigset_t *old);
/** sigpending(2): what waits and is blocked. EFAULT. */
KSIM_EXPORT int ksim_sigpending(sigset_t *set);
/** sigsuspend(2): -1 with errno EINTR after a handler; EFAULT; EDEADLK: nobody is left who could send a signal. */
KSIM_EXPORT int ksim_sigsuspend(const sigset_t *mask);
/**
 * sigtimedwait(2), sigwaitinfo(2) (timeout NULL).
 * @return the signal, or -1 with errno EAGAIN (timeout), EINTR (a handler has run), EINVAL (timeout), EFAULT, EDEADLK
 */
KSIM_EXPORT int ksim_sigtimedwait(const sigset_t *set, siginfo_t *info, const struct timespec *timeout);
/**
 * sigqueue(3): kill with a value. EINVAL, EPERM, ESRCH; EAGAIN: no memory to queue a signal from SIGRTMIN on; one below
 * that is sent without its value then, as any is that kill() sends.
 */
KSIM_EXPORT int ksim_sigqueue(pid_t pid, int signo, union sigval value);
/** sigaltstack(2): kept and told, but not used. EFAULT, EINVAL (flags), ENOMEM (smaller than MINSIGSTKSZ). */
KSIM_EXPORT int ksim_sigaltstack(const stack_t *stack, stack_t *old);
#endif

/** pause(2): as ksim_sigsuspend() with the mask that is. */
KSIM_EXPORT int ksim_pause(void);

/**
 * kill(2): to a process, to the caller's group (0), to all but init and the caller's own (-1), to a group (< -1).
 * Signal 0 only asks whether one could.
 * @return 0, or -1 with errno EINVAL (no such signal), EPERM (another user's), ESRCH (none such)
 */
KSIM_EXPORT int ksim_kill(pid_t pid, int signo);
/** tgkill(2): to one thread. EINVAL (a number below 1, no such signal), EPERM, ESRCH; EAGAIN, as sigqueue(3). */
KSIM_EXPORT int ksim_tgkill(pid_t pid, pid_t tid, int signo);

KSIM_END_DECLS

#endif
