// SPDX-License-Identifier: MIT
/*
 * What becomes of a fault: a handler runs on the thread that faulted, or the process ends.
 *
 * The kernel returned a fault as a value; here it meets the process's signal actions. A handler runs as a plain
 * call: it may return, and the access is tried again; map memory first, so that it then succeeds; or jump away.
 *
 * Which signals are blocked is the host thread's own signal mask, of which a handler's are added while it runs: so
 * siglongjmp out of a handler restores them if its sigsetjmp saved the mask, and longjmp does not, as on Linux. Where a
 * process has a window, other signals stand there for SIGSEGV and SIGBUS (machine_stand_in).
 *
 * Linux: kernel/signal.c (force_sig_fault), signal(7). A fault whose signal is blocked or ignored ends the process.
 */
#include "cpu/cpu.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ACTION_DEFAULT = 0, ACTION_IGNORE = 1 };

static int in_mask(const struct task *task, int signo)
{
	return task->process->window.bytes != 0 ? machine_stand_in(signo) : signo;
}

static bool is_blocked(const struct task *task, int signo)
{
	sigset_t mask;

	return pthread_sigmask(SIG_BLOCK, NULL, &mask) == 0 && sigismember(&mask, in_mask(task, signo)) == 1;
}

/* Block what a handler's action says, and remember the mask from before. */
static void block_for(const struct task *task, const struct sigact *action, int signo, sigset_t *before)
{
	sigset_t mask;

	sigemptyset(&mask);
	for (int n = 1; n <= SIGNALS; n++)
		if (action->mask >> (n - 1) & 1)
			sigaddset(&mask, in_mask(task, n));
	if (!(action->flags & SA_NODEFER))
		sigaddset(&mask, in_mask(task, signo));
	pthread_sigmask(SIG_BLOCK, &mask, before);
}

/* The action for a signal; one with SA_RESETHAND is reset by this. */
static struct sigact take_action(struct task *task, int signo)
{
	struct process *p = task->process;
	struct sigact action;

	mutex_lock(&task->ctx, &p->signal_lock);
	action = p->actions[signo - 1];
	if (action.flags & (uint64_t)(unsigned)SA_RESETHAND)
		p->actions[signo - 1].handler = ACTION_DEFAULT;
	mutex_unlock(&task->ctx, &p->signal_lock);
	return action;
}

static void call_handler(const struct task *task, const struct sigact *action, const struct fault *fault, void *context)
{
	uintptr_t host = window_address(&task->process->window, fault->addr);
	siginfo_t info;

	if (!(action->flags & SA_SIGINFO)) {
		((void (*)(int))(uintptr_t)action->handler)(fault->signo);
		return;
	}
	memset(&info, 0, sizeof(info));
	info.si_signo = fault->signo;
	info.si_code = fault->code;
	info.si_addr = (void *)(host != 0 ? host : (uintptr_t)fault->addr);
	((void (*)(int, siginfo_t *, void *))(uintptr_t)action->handler)(fault->signo, &info, context);
}

/* "read of 4 at 0x7f00003ffc, page 3 of /memfd:wl_shm, size 16384" */
static void describe_access(struct task *task, const struct fault *fault, unsigned size, enum access access, char *text,
                            size_t room)
{
	static const char *const verbs[] = {
		[ACCESS_READ] = "read", [ACCESS_WRITE] = "write", [ACCESS_EXEC] = "execution"
	};
	const char *verb = verbs[access];
	struct mm_region region;
	int n;

	if (fault->signo == SIGKILL) {
		snprintf(text, room, "no memory for %s: %s at %#" PRIx64, fault->why, verb, fault->addr);
		return;
	}
	n = size != 0 ? snprintf(text, room, "%s of %u at %#" PRIx64, verb, size, fault->addr)
	              : snprintf(text, room, "%s at %#" PRIx64, verb, fault->addr);
	if (n < 0 || (size_t)n >= room)
		return;
	if (fault->signo == SIGBUS && fault->code == BUS_ADRALN) {
		snprintf(text + n, room - (size_t)n, ", which is no multiple of %u", size);
		return;
	}
	if (!mm_region(&task->ctx, task->ctx.mm, fault->addr, &region) || region.start > fault->addr) {
		snprintf(text + n, room - (size_t)n, ", where nothing is mapped");
		return;
	}
	if (region.name[0] != '\0')
		n += snprintf(text + n, room - (size_t)n, ", page %" PRIu64 " of %s",
		              (region.offset + fault->addr - region.start) >> PAGE_SHIFT, region.name);
	if ((size_t)n < room && fault->signo == SIGBUS && region.has_object)
		snprintf(text + n, room - (size_t)n, ", size %" PRIu64, region.object_size);
	else if ((size_t)n < room && fault->signo == SIGSEGV)
		snprintf(text + n, room - (size_t)n, ", mapped %c%c%c", region.prot & PROT_R ? 'r' : '-',
		         region.prot & PROT_W ? 'w' : '-', region.prot & PROT_X ? 'x' : '-');
}

/* What becomes of a fault. */
struct delivery {
	struct task *task;
	const struct fault *fault;
	unsigned size;
	enum access access;
	bool blocked;         /* the fault's signal, for this thread */
	bool dies;            /* out: no handler; the process's end is decided */
	struct sigact action; /* out: else, what to call */
};

static void end_of(const struct delivery *d)
{
	const struct fault *fault = d->fault;
	struct end end = { .signo = fault->signo, .si_code = fault->code, .addr = fault->addr };
	char what[sizeof(end.text)];

	describe_access(d->task, fault, d->size, d->access, what, sizeof(what));
	end_describe(&end, d->task->process, what);
	process_end(&d->task->ctx, d->task->process, &end);
}

static void decide(void *arg)
{
	struct delivery *d = arg;

	d->dies = d->fault->signo == SIGKILL || d->blocked;
	if (!d->dies) {
		d->action = take_action(d->task, d->fault->signo);
		d->dies = d->action.handler == ACTION_DEFAULT || d->action.handler == ACTION_IGNORE;
	}
	if (d->dies)
		end_of(d);
}

void fault_deliver(struct tlb *tlb, const struct fault *fault, unsigned size, enum access access, void *context,
                   void (*call)(void (*fn)(void *arg), void *arg))
{
	struct task *task = tlb->task;
	struct delivery d = { .task = task, .fault = fault, .size = size, .access = access };
	sigset_t before;

	d.blocked = is_blocked(task, fault->signo);
	if (call != NULL)
		call(decide, &d);
	else
		decide(&d);
	if (d.dies)
		acting_die();
	tlb->handled++;
	block_for(task, &d.action, fault->signo, &before);
	call_handler(task, &d.action, fault, context);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (task_dying(task))
		acting_die();
}
