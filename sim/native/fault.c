// SPDX-License-Identifier: MIT
/*
 * The host's SIGSEGV: an access to a window, to be resolved or to become a fault of the simulated process.
 *
 *	of a thread that acts as a process,
 *	  in its window           the kernel resolves it, and the instruction runs again; or the process's handler runs,
 *	                          or the process dies and the thread unwinds to its ksim_run
 *	  within 64 KiB of NULL   in either direction, so at MAP_FAILED too: nothing is ever mapped there, on the host as
 *	                          in any process, so it is SIGSEGV of the process
 *	anything else             not ours: to whoever had the signal before
 *
 * The host never raises SIGBUS for a window, since all of RAM's file is there; the process gets its SIGBUS from here.
 * The handler runs in the middle of the program's own code and may call the kernel, which touches no window itself: its
 * copies go by the frames. A handler of the process is called from here as well, with every signal as the program had
 * it, and may fault in turn.
 *
 * I1  the kernel is not under way on this thread: it holds no lock
 * I2  an access that the window already allows is tried again, but not for ever: what the host goes on refusing is
 *     the host's own fault
 *
 * Locking: none of its own. In a program with the thread sanitizer this file is compiled without it.
 * Linux: arch/x86/mm/fault.c, kernel/signal.c.
 */
#include "native/native.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#if defined(HAVE_VALGRIND)
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#endif

#include "base/uio.h"
#include "native/decode.h"
#include "native/server.h"
#include "native/stack.h"

enum { RETRIES_MAX = 10000 };

static struct {
	pthread_mutex_t lock;
	struct sigaction before; /* what the signal did before it was ours */
	bool caught;
} host = { .lock = PTHREAD_MUTEX_INITIALIZER };

static __thread struct {
	uintptr_t at;       /* the last access that the window had allowed already */
	unsigned retries;   /* how often that has been so in a row */
	const void *passed; /* the context that a handler from before was last given, ... */
	const char *frame;  /* ... and from where: it may have jumped away since */
} thread __attribute__((tls_model("initial-exec")));

/* ---- what is not ours ---- */

ON_ALTERNATE_STACK static void say_whose(uintptr_t at)
{
	const struct task *task = acting_task();
	struct window w;
	char text[256];
	int n;

	if (!window_find(at, &w))
		return;
	n = snprintf(text, sizeof(text),
	             "ksim: access to %#" PRIxPTR ", in the window of %s (%u), by a thread that acts as %s\n", at,
	             w.process->kernel->owner.name, w.process->kernel->owner.id,
	             task != NULL ? task->process->owner.name : "no process");
	if (n > 0 && write(STDERR_FILENO, text, MIN((size_t)n, sizeof(text) - 1)) < 0)
		return;
}

ON_ALTERNATE_STACK static void pass_on(int signo, siginfo_t *info, void *context)
{
	const struct sigaction *before = &host.before;
	bool has_handler =
		before->sa_flags & SA_SIGINFO || (before->sa_handler != SIG_DFL && before->sa_handler != SIG_IGN);
	const char *frame = __builtin_frame_address(0);
	sigset_t mask, was;

	if (before->sa_handler == SIG_IGN && info->si_code <= 0)
		return;
	/*
	 * The handler from before may pass on to us what we have passed on to it: the same signal, and a deeper frame.
	 */
	if (!has_handler || (context == thread.passed && frame < thread.frame)) {
		signal(signo, SIG_DFL);
		/* A fault comes again by itself; what somebody has sent does not. */
		if (info->si_code <= 0)
			raise(signo);
		return;
	}
	thread.passed = context;
	thread.frame = frame;
	mask = before->sa_mask;
	if (!(before->sa_flags & SA_NODEFER))
		sigaddset(&mask, signo);
	pthread_sigmask(SIG_BLOCK, &mask, &was);
	if (before->sa_flags & SA_SIGINFO)
		before->sa_sigaction(signo, info, context);
	else
		before->sa_handler(signo);
	pthread_sigmask(SIG_SETMASK, &was, NULL);
	thread.passed = NULL;
}

/* ---- what is ours ---- */

/* The mask that the program had, some of which a sanitizer may have taken while this handler runs. */
static void restore_mask(const ucontext_t *context)
{
	sigset_t before;

	sigemptyset(&before);
	memcpy(&before, &context->uc_sigmask, 8);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void deliver(struct task *task, const struct fault *fault, enum access access, ucontext_t *context)
{
	restore_mask(context);
	fault_deliver(tlb_of(task->cpu), fault, 0, access, context, server_call);
}

/* What the kernel is asked for by an access. */
struct question {
	struct task *task;
	ksim_addr addr;
	enum access access;
	struct fault fault;
	int err;
};

static void ask(void *arg)
{
	struct question *q = arg;

	q->err = window_resolve(q->task, q->addr, q->access, &q->fault);
}

ON_ALTERNATE_STACK static bool is_at_null(const siginfo_t *info)
{
	return (uintptr_t)info->si_addr + UPTR_HOST_MIN < 2 * UPTR_HOST_MIN && info->si_code == SEGV_MAPERR;
}

ON_ALTERNATE_STACK static bool is_ours(const struct task *task, const siginfo_t *info)
{
	const struct user_window *w = &task->process->window;

	return w->bytes != 0 && info->si_code > 0 &&
	       (is_at_null(info) || (uintptr_t)info->si_addr - w->host < w->bytes);
}

/* @return whether the access is to be tried again; false: the host's own fault, I2 */
static bool resolve(void *arg, siginfo_t *info, void *context)
{
	struct task *task = arg;
	const struct user_window *w = &task->process->window;
	uintptr_t at = (uintptr_t)info->si_addr;
	struct question q = { .task = task, .access = decode_access(context, at) };

	if (is_at_null(info)) {
		q.fault = (struct fault){ .signo = SIGSEGV, .code = SEGV_MAPERR, .addr = at };
		deliver(task, &q.fault, q.access, context);
		return true;
	}
	KSIM_ASSERT(&task->ctx, task->ctx.held == 0, "fault I1: the kernel touches no window",
	            "%#" PRIxPTR ", holding %#x", at, task->ctx.held);
	q.addr = at - w->host + w->user;
	server_call(ask, &q);
	if (q.err == WINDOW_SHOWED && at == thread.at)
		return ++thread.retries < RETRIES_MAX;
	thread.at = at;
	thread.retries = 0;
	if (q.err < 0)
		deliver(task, &q.fault, q.access, context);
	/* A kick that did not find these pages shown has come before they were. */
	if (task_attends(task)) {
		restore_mask(context);
		signals_deliver(task, server_call);
	}
	return true;
}

static bool adopt(void *arg, siginfo_t *info, void *context)
{
	const struct ksim_process *process = arg;

	(void)info;
	(void)context;
	return process->adopt();
}

/*
 * Who acts on this thread; NULL: nobody. A thread that the program has made behind our back, in a program that is a
 * process as a whole, may touch its window before it makes its first call.
 */
ON_ALTERNATE_STACK static struct task *whose(siginfo_t *info, void *context)
{
	struct task *task = acting_task();
	struct window w;

	if (task == NULL && window_find((uintptr_t)info->si_addr, &w) && w.process->adopt != NULL &&
	    stack_call_interrupted(adopt, w.process, info, context))
		task = acting_task();
	return task;
}

ON_ALTERNATE_STACK static void on_fault(int signo, siginfo_t *info, void *context)
{
	int saved = errno;
	struct task *task = whose(info, context);

	if (task == NULL || !is_ours(task, info) || !stack_call_interrupted(resolve, task, info, context)) {
		if (info->si_code > 0)
			say_whose((uintptr_t)info->si_addr);
		pass_on(signo, info, context);
	}
	errno = saved;
}

int native_catch(void)
{
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK };
	struct sigaction now;
	int err = 0;

	/* Its own frames of signals never extend the main stack where this flag is set, alternate stack or not. */
	if (RUNNING_ON_VALGRIND)
		action.sa_flags &= ~SA_ONSTACK;
	sigemptyset(&action.sa_mask);
	pthread_mutex_lock(&host.lock);
	/* Somebody may have taken it since. */
	if (sigaction(SIGSEGV, NULL, &now) < 0)
		err = -ENOSYS;
	else if (!(now.sa_flags & SA_SIGINFO) || now.sa_sigaction != on_fault) {
		host.before = now;
		if (sigaction(SIGSEGV, &action, NULL) < 0)
			err = -ENOSYS;
	}
	pthread_mutex_unlock(&host.lock);
	return err;
}
