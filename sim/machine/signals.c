// SPDX-License-Identifier: MIT
/*
 * Handlers: what a host thread does at the signals of the task that it acts as.
 *
 * It looks where it enters the kernel and leaves it, and where it misses its TLB or faults on a window; a handler runs
 * there, as a plain call on the thread's own stack. It may return, and what was under way goes on or is begun again; or
 * jump away.
 *
 *	several that can be handled at once: the kernel lays their frames one on the other, so that the last one taken runs first
 *
 *	take USR1  -> mask with USR1
 *	  take USR2  -> mask with both
 *	    handler of USR2
 *	  handler of USR1
 *
 * A call that was interrupted is made again, or is EINTR, as the action of the first that is taken says (SA_RESTART),
 * and made again if there was no handler.
 *
 * Locking: none. Linux: kernel/entry/common.c, arch/x86/kernel/signal.c. Not modelled: SA_ONSTACK, which is accepted.
 */
#include "machine/machine.h"

#include <signal.h>
#include <string.h>
#include <ucontext.h>

#include "syscall/abi.h"

_Static_assert(sizeof(siginfo_t) == ABI_SIGINFO_BYTES, "libc's siginfo_t is the kernel's");

/* What the kernel is asked for. */
struct taking {
	struct task *task;
	enum signal_verdict verdict;
	struct signal_info info;
	struct sigact action;
};

static void take(void *arg)
{
	struct taking *t = arg;

	t->verdict = signal_take(t->task, &t->info, &t->action);
}

static void call_handler(const struct sigact *action, const struct signal_info *info, void *context)
{
	uint8_t raw[ABI_SIGINFO_BYTES];
	siginfo_t host;

	if (!(action->flags & SA_SIGINFO)) {
		((void (*)(int))(uintptr_t)action->handler)(info->signo);
		return;
	}
	abi_siginfo(info, raw);
	memcpy(&host, raw, sizeof(host));
	((void (*)(int, siginfo_t *, void *))(uintptr_t)action->handler)(info->signo, &host, context);
}

void signals_handle(struct task *task, const struct sigact *action, const struct signal_info *info, void *context,
                    kernel_call call)
{
	uint64_t own = action->flags & SA_NODEFER ? 0 : signal_bit(info->signo);
	struct mask_mark before = mask_begin(task, task->blocked | action->mask | own);

	if (task_attends(task))
		signals_deliver(task, call);
	call_handler(action, info, context);
	mask_end(task, &before);
}

enum signals_outcome signals_deliver(struct task *task, kernel_call call)
{
	enum signals_outcome outcome = SIGNALS_NO_HANDLER;
	struct taking t = { .task = task };
	ucontext_t context;

	for (;;) {
		mask_read(task);
		if (call != NULL)
			call(take, &t);
		else
			take(&t);
		if (unlikely(task_dying(task)))
			acting_die();
		if (t.verdict == SIGNAL_NONE)
			break;
		if (outcome == SIGNALS_NO_HANDLER)
			outcome = t.action.flags & SA_RESTART ? SIGNALS_RESTART : SIGNALS_INTERRUPT;
		memset(&context, 0, sizeof(context));
		signals_handle(task, &t.action, &t.info, &context, call);
	}
	if (task->restores) {
		task->restores = false;
		signal_blocked_set(task, task->restored);
	}
	return outcome;
}
