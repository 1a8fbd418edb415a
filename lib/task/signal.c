// SPDX-License-Identifier: MIT
/*
 * Signal actions of a process, and what signals are called.
 *
 * Only faults raise signals so far, and sim delivers those; kept here is what sigaction(2) sets and reads.
 * Linux: kernel/signal.c.
 */
#include "task/internal.h"

#include <errno.h>
#include <signal.h>

int process_sigaction(struct ctx *ctx, struct process *p, int signo, const struct sigact *act, struct sigact *old)
{
	if (signo < 1 || signo > SIGNALS || (act != NULL && (signo == SIGKILL || signo == SIGSTOP)))
		return -EINVAL;
	mutex_lock(ctx, &p->signal_lock);
	if (old != NULL)
		*old = p->actions[signo - 1];
	if (act != NULL)
		p->actions[signo - 1] = *act;
	mutex_unlock(ctx, &p->signal_lock);
	return 0;
}

const char *signal_name(int signo, int si_code)
{
	switch (signo) {
	case SIGSEGV:
		return si_code == SEGV_MAPERR   ? "SIGSEGV SEGV_MAPERR"
		       : si_code == SEGV_ACCERR ? "SIGSEGV SEGV_ACCERR"
		                                : "SIGSEGV";
	case SIGBUS:
		return si_code == BUS_ADRERR   ? "SIGBUS BUS_ADRERR"
		       : si_code == BUS_ADRALN ? "SIGBUS BUS_ADRALN"
		                               : "SIGBUS";
	case SIGKILL:
		return "SIGKILL";
	default:
		return "a signal";
	}
}
