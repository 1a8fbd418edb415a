// SPDX-License-Identifier: MIT
/*
 * Signals: sending, waiting, taking.
 *
 *	kill ------------------> shared of the process ---.
 *	tgkill, raised by a call --> own of the task -----+--> signal_take: ignored, ends the process, or a handler
 *	a fault -----------------> not queued: signal_take_fault ---'
 *
 * Who sends decides at once what can be decided: a signal that ends a process ends it here, whether anybody acts as it
 * or not, and one that is ignored and not blocked is dropped. What remains is put where it waits, and a task that does
 * not block it is told: TASK_SIGNAL makes it look when it next enters or leaves the kernel or misses its TLB, and a
 * kick ends its sleep. Where every task blocks it, all are told, for one that jumps out of a handler unblocks it
 * without a call; looking costs them little. If nobody acts as the process, who first does takes it.
 *
 * Which signals a task blocks is kept here. But siglongjmp restores a mask of the host's, behind our back: so whoever
 * wants to know asks sim first (mask_read), which keeps a mark in the host's mask. Who sleeps cannot jump, and has
 * looked before.
 *
 * A signal below SIGRTMIN waits at most once; others as often as they were sent. When there is no memory for what a
 * signal tells it tells nothing but its number; but from SIGRTMIN on, sent by another call than kill(), it is not sent,
 * as on Linux.
 *
 * I1  a queued info's signal has its bit in the set; a bit without an info is a signal that tells nothing
 * I2  TASK_SIGNAL is set on a task that has own signals, and on some task, or all, of a process that has shared ones
 * I3  a task's waiter is kicked if a signal that it does not block waits for it, or its process is ending
 * I4  SIGKILL and SIGSTOP are never blocked
 *
 * Locking: process->lock for the tasks, inside it signal_lock for all that waits and for the masks, inside it that of
 * the actions. Linux: kernel/signal.c. Not modelled: stopping (SIGSTOP and its like do nothing, without a handler),
 * core dumps, RLIMIT_SIGPENDING, sessions.
 */
#include "task/internal.h"

#include "host/barrier.h"
#include "host/kmem.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

enum { FIRST_QUEUED = 32 /* signals from here on wait as often as they are sent */ };

#define UNBLOCKABLE (signal_bit(SIGKILL) | signal_bit(SIGSTOP))
#define STOPPING    (signal_bit(SIGSTOP) | signal_bit(SIGTSTP) | signal_bit(SIGTTIN) | signal_bit(SIGTTOU))
/* Those that a fault raises come first. */
#define SYNCHRONOUS                                                                                                 \
	(signal_bit(SIGSEGV) | signal_bit(SIGBUS) | signal_bit(SIGILL) | signal_bit(SIGTRAP) | signal_bit(SIGFPE) | \
	 signal_bit(SIGSYS))

static void free_queued(struct env *env, struct signal_queued *queued)
{
	if (queued != NULL && !queued->embedded)
		kmem_free(env, queued, sizeof(*queued));
}

/* ---- what a signal is ---- */

enum signal_default signal_default_of(int signo)
{
	switch (signo) {
	case SIGCHLD:
	case SIGCONT:
	case SIGURG:
	case SIGWINCH:
		return SIGNAL_IGNORED;
	case SIGSTOP:
	case SIGTSTP:
	case SIGTTIN:
	case SIGTTOU:
		return SIGNAL_STOPS;
	default:
		return SIGNAL_TERMINATES;
	}
}

const char *signal_name(int signo, int si_code)
{
	static const char *const names[] = {
		[SIGHUP] = "SIGHUP",   [SIGINT] = "SIGINT",   [SIGQUIT] = "SIGQUIT",     [SIGILL] = "SIGILL",
		[SIGTRAP] = "SIGTRAP", [SIGABRT] = "SIGABRT", [SIGBUS] = "SIGBUS",       [SIGFPE] = "SIGFPE",
		[SIGKILL] = "SIGKILL", [SIGUSR1] = "SIGUSR1", [SIGSEGV] = "SIGSEGV",     [SIGUSR2] = "SIGUSR2",
		[SIGPIPE] = "SIGPIPE", [SIGALRM] = "SIGALRM", [SIGTERM] = "SIGTERM",     [SIGSTKFLT] = "SIGSTKFLT",
		[SIGXCPU] = "SIGXCPU", [SIGXFSZ] = "SIGXFSZ", [SIGVTALRM] = "SIGVTALRM", [SIGPROF] = "SIGPROF",
		[SIGIO] = "SIGIO",     [SIGPWR] = "SIGPWR",   [SIGSYS] = "SIGSYS",
	};

	if (signo == SIGSEGV && si_code == SEGV_MAPERR)
		return "SIGSEGV SEGV_MAPERR";
	if (signo == SIGSEGV && si_code == SEGV_ACCERR)
		return "SIGSEGV SEGV_ACCERR";
	if (signo == SIGBUS && si_code == BUS_ADRERR)
		return "SIGBUS BUS_ADRERR";
	if (signo == SIGBUS && si_code == BUS_ADRALN)
		return "SIGBUS BUS_ADRALN";
	return signo > 0 && signo < (int)ARRAY_SIZE(names) && names[signo] != NULL ? names[signo] : "a signal";
}

/* ---- actions ---- */

static struct sigact action_of(struct ctx *ctx, struct process *p, int signo)
{
	struct sigact action;

	mutex_lock(ctx, &p->actions->lock);
	action = p->actions->of[signo - 1];
	mutex_unlock(ctx, &p->actions->lock);
	return action;
}

/* What is done at it when it is taken. One with SA_RESETHAND is reset. */
static struct sigact use_action(struct ctx *ctx, struct process *p, int signo)
{
	struct sigact action;

	mutex_lock(ctx, &p->actions->lock);
	action = p->actions->of[signo - 1];
	if (action.handler > SIGACT_IGNORE && action.flags & (uint32_t)SA_RESETHAND)
		p->actions->of[signo - 1].handler = SIGACT_DEFAULT;
	mutex_unlock(ctx, &p->actions->lock);
	return action;
}

static bool is_ignored(const struct sigact *action, int signo)
{
	return action->handler == SIGACT_IGNORE ||
	       (action->handler == SIGACT_DEFAULT && signal_default_of(signo) == SIGNAL_IGNORED);
}

/* ---- what waits; signal_lock is held ---- */

void signal_pending_init(struct signal_pending *pending)
{
	pending->set = 0;
	TAILQ_INIT(&pending->infos);
}

static void forget(struct env *env, struct signal_pending *pending, uint64_t set)
{
	struct signal_queued *next;

	for (struct signal_queued *q = TAILQ_FIRST(&pending->infos); q != NULL; q = next) {
		next = TAILQ_NEXT(q, link);
		if (set & signal_bit(q->info.signo)) {
			TAILQ_REMOVE(&pending->infos, q, link);
			free_queued(env, q);
		}
	}
	pending->set &= ~set;
}

void signal_pending_fini(struct env *env, struct signal_pending *pending)
{
	forget(env, pending, UINT64_MAX);
}

static void forget_everywhere(struct env *env, struct process *p, uint64_t set)
{
	struct task *task;

	forget(env, &p->shared, set);
	LIST_FOREACH(task, &p->tasks, link)
		forget(env, &task->own, set);
}

/* Which is to be taken of a set; 0: none. */
static int first_of(uint64_t set)
{
	if (set & SYNCHRONOUS)
		set &= SYNCHRONOUS;
	return set != 0 ? __builtin_ctzll(set) + 1 : 0;
}

static void take_from(struct env *env, struct signal_pending *pending, int signo, struct signal_info *info)
{
	struct signal_queued *found = NULL, *another = NULL;

	*info = (struct signal_info){ .signo = signo };
	for (struct signal_queued *q = TAILQ_FIRST(&pending->infos); q != NULL && another == NULL;
	     q = TAILQ_NEXT(q, link)) {
		if (q->info.signo != signo)
			continue;
		if (found == NULL)
			found = q;
		else
			another = q;
	}
	if (another == NULL)
		pending->set &= ~signal_bit(signo);
	if (found == NULL)
		return;
	*info = found->info;
	TAILQ_REMOVE(&pending->infos, found, link);
	free_queued(env, found);
}

/* Take one of a set; false: none waits. */
static bool take_of(struct task *task, uint64_t set, struct signal_info *info)
{
	struct signal_pending *from = &task->own;
	int signo = first_of(from->set & set);

	if (signo == 0) {
		from = &task->process->shared;
		signo = first_of(from->set & set);
	}
	if (signo != 0)
		take_from(task->ctx.env, from, signo, info);
	return signo != 0;
}

/* I2 and I3 of a task, after what waits for it or what it blocks has changed. */
static void settle(struct ctx *ctx, struct task *task)
{
	uint64_t waits = task->own.set | task->process->shared.set;

	if (waits != 0)
		__atomic_fetch_or(&task->pending, TASK_SIGNAL, __ATOMIC_SEQ_CST);
	else
		__atomic_fetch_and(&task->pending, ~TASK_SIGNAL, __ATOMIC_SEQ_CST);
	if (waits & ~task->blocked) {
		waiter_kick(ctx, &task->waiter);
		return;
	}
	waiter_unkick(&task->waiter);
	/* Whoever ends the process says so first and kicks then. */
	host_fence();
	if (task_dying(task))
		waiter_kick(ctx, &task->waiter);
}

/* ---- sending ---- */

static bool is_busy(const struct task *task)
{
	return __atomic_load_n(&task->busy, __ATOMIC_SEQ_CST) != 0;
}

static bool has_ended(const struct task *task)
{
	return __atomic_load_n(&task->ended, __ATOMIC_RELAXED);
}

/* Some thread of the process has not ended. */
static bool has_thread(const struct process *p)
{
	const struct task *task;

	LIST_FOREACH(task, &p->tasks, link)
		if (!has_ended(task))
			return true;
	return false;
}

/* Whether a task blocks it; to_end: a signal that ends its process. */
static bool is_blocked(const struct task *task, uint64_t bit, bool to_end)
{
	return task->blocked & ~(to_end ? task->held : 0) & bit;
}

/* Who shall have it: one that acts and does not block it, the first task best; else one that does not block it. */
static struct task *choose(struct process *p, uint64_t bit, bool to_end)
{
	bool any = !has_thread(p);
	struct task *best = NULL;
	struct task *task;

	LIST_FOREACH(task, &p->tasks, link) {
		if (is_blocked(task, bit, to_end) || (has_ended(task) && !any))
			continue;
		/* The first task is the last of the list. */
		if (best == NULL || is_busy(task) >= is_busy(best))
			best = task;
	}
	return best;
}

/* What the sender does beside queueing. */
enum sending { DROPPED, QUEUED, FATAL, NO_ROOM };

struct sending_to {
	struct process *process;
	struct task *task;   /* it alone; NULL: any */
	struct task *chosen; /* out: who is told; NULL: all */
};

/* Of a signal that ends the process where there is no handler: whether nothing keeps it from that. */
static bool is_fatal(const struct sending_to *to, uint64_t bit)
{
	struct process *p = to->process;
	const struct task *task = to->task;

	if (task == NULL && LIST_EMPTY(&p->tasks))
		return !(p->first_mask & bit);
	if (task == NULL)
		task = choose(p, bit, true);
	return task != NULL && !is_blocked(task, bit, true) && !(task->really_blocked & bit);
}

static uint64_t really_blocked_of(const struct sending_to *to)
{
	const struct task *task = to->task != NULL ? to->task : LIST_FIRST(&to->process->tasks);

	if (task == NULL)
		return to->process->first_mask;
	while (to->task == NULL && LIST_NEXT(task, link) != NULL)
		task = LIST_NEXT(task, link);
	return task->blocked | task->really_blocked;
}

/* Both locks are held. queued: room for what it tells, or NULL; taken over if QUEUED. */
static enum sending send_locked(struct ctx *ctx, struct sending_to *to, const struct signal_info *info,
                                struct signal_queued *queued)
{
	struct process *p = to->process;
	struct signal_pending *pending = to->task != NULL ? &to->task->own : &p->shared;
	uint64_t bit = signal_bit(info->signo);
	struct sigact action = action_of(ctx, p, info->signo);

	if (bit & STOPPING)
		forget_everywhere(ctx->env, p, signal_bit(SIGCONT));
	if (info->signo == SIGCONT)
		forget_everywhere(ctx->env, p, STOPPING);
	if (info->signo == SIGKILL)
		return FATAL;
	if (!(really_blocked_of(to) & bit) && is_ignored(&action, info->signo))
		return DROPPED;
	if (queued == NULL && info->signo >= FIRST_QUEUED && info->code != SI_USER)
		return NO_ROOM;
	to->chosen = to->task != NULL && !(to->task->blocked & bit) ? to->task : NULL;
	if (to->task == NULL)
		to->chosen = choose(p, bit, false);
	if (action.handler == SIGACT_DEFAULT && signal_default_of(info->signo) == SIGNAL_TERMINATES &&
	    is_fatal(to, bit))
		return FATAL;
	if (info->signo < FIRST_QUEUED && pending->set & bit)
		return DROPPED;
	pending->set |= bit;
	if (queued != NULL) {
		queued->info = *info;
		TAILQ_INSERT_TAIL(&pending->infos, queued, link);
	}
	return QUEUED;
}

/* Tell whoever may take it. Both locks are held. */
static void tell(struct ctx *ctx, const struct sending_to *to)
{
	struct task *task;

	if (to->task != NULL) {
		settle(ctx, to->task);
		return;
	}
	if (to->chosen != NULL && is_busy(to->chosen)) {
		settle(ctx, to->chosen);
		/* Else it is leaving, and may not have seen it. */
		if (is_busy(to->chosen))
			return;
	}
	LIST_FOREACH(task, &to->process->tasks, link)
		settle(ctx, task);
}

void signal_end_by(struct ctx *ctx, struct process *p, const struct signal_info *info)
{
	struct end end = { .signo = info->signo };
	char what[sizeof(end.text)];
	struct process *sender = process_by_pid(ctx, info->pid);

	if (info->pid == p->owner.id)
		snprintf(what, sizeof(what), "it sent that itself");
	else if (sender != NULL)
		snprintf(what, sizeof(what), "sent by %s (%u)", sender->owner.name, info->pid);
	else
		snprintf(what, sizeof(what), "sent by %u", info->pid);
	end_describe(&end, p, what);
	process_end(ctx, p, &end);
}

/* Queue it or not. queued is given away; without NULL it tells nothing. */
static enum sending send_with(struct ctx *ctx, struct process *p, struct task *task, const struct signal_info *info,
                              struct signal_queued *queued)
{
	struct sending_to to = { .process = p, .task = task };
	enum sending done = DROPPED;

	mutex_lock(ctx, &p->lock);
	if (process_state(p) == PROCESS_ALIVE && p != p->kernel->init) {
		mutex_lock(ctx, &p->signal_lock);
		done = send_locked(ctx, &to, info, queued);
		if (done == QUEUED)
			tell(ctx, &to);
		mutex_unlock(ctx, &p->signal_lock);
	}
	/* Not under signal_lock, which is inside of all that this takes. */
	if (done == QUEUED && to.chosen != NULL && to.chosen != ctx->task && is_busy(to.chosen) &&
	    p->kernel->sim.task_kicked != NULL)
		p->kernel->sim.task_kicked(ctx, to.chosen);
	mutex_unlock(ctx, &p->lock);
	if (done != QUEUED)
		free_queued(ctx->env, queued);
	return done;
}

int signal_send(struct ctx *ctx, struct process *p, struct task *task, const struct signal_info *info)
{
	struct signal_queued *queued = kmem_alloc(ctx, sizeof(*queued));
	enum sending done = send_with(ctx, p, task, info, queued);

	if (done == FATAL)
		signal_end_by(ctx, p, info);
	return done == NO_ROOM ? -EAGAIN : 0;
}

bool signal_parent_locked(struct ctx *ctx, struct process *parent, struct process *child, struct signal_info *info,
                          bool *fatal)
{
	struct sigact action = action_of(ctx, parent, SIGCHLD);
	bool tells = child->exit_signal == SIGCHLD;
	bool unwanted = tells && (action.handler == SIGACT_IGNORE || action.flags & SA_NOCLDWAIT);

	*info = (struct signal_info){
		.signo = child->exit_signal,
		.code = child->end.signo != 0 ? CLD_KILLED : CLD_EXITED,
		.pid = child->owner.id,
		.uid = creds_load(&child->creds.uid),
		.status = child->end.signo != 0 ? child->end.signo : child->end.code,
	};
	child->told.embedded = true;
	*fatal = info->signo > 0 && info->signo <= SIGNALS && !(tells && action.handler == SIGACT_IGNORE) &&
	         send_with(ctx, parent, NULL, info, &child->told) == FATAL;
	return unwanted;
}

void signal_join(struct ctx *ctx, struct task *task)
{
	mutex_lock(ctx, &task->process->signal_lock);
	settle(ctx, task);
	mutex_unlock(ctx, &task->process->signal_lock);
}

void signal_leave(struct ctx *ctx, struct task *task)
{
	mutex_lock(ctx, &task->process->signal_lock);
	signal_pending_fini(ctx->env, &task->own);
	settle(ctx, task);
	mutex_unlock(ctx, &task->process->signal_lock);
}

void signal_raise(struct ctx *ctx)
{
	struct task *task = ctx->task;

	for (int signo = 1; ctx->raised != 0 && signo <= SIGNALS; signo++) {
		struct signal_info info = { .signo = signo };

		if (!(ctx->raised & signal_bit(signo)))
			continue;
		ctx->raised &= ~signal_bit(signo);
		if (task == NULL)
			continue;
		info.pid = task->process->owner.id;
		info.uid = creds_load(&task->process->creds.uid);
		signal_send(ctx, task->process, task, &info);
	}
	ctx->raised = 0;
}

void signal_retarget(struct process *p)
{
	struct task *task;
	struct ctx ctx;

	kernel_ctx(p->kernel, &ctx, "leave");
	mutex_lock(&ctx, &p->lock);
	if (process_state(p) == PROCESS_ALIVE) {
		mutex_lock(&ctx, &p->signal_lock);
		LIST_FOREACH(task, &p->tasks, link)
			settle(&ctx, task);
		mutex_unlock(&ctx, &p->signal_lock);
	}
	mutex_unlock(&ctx, &p->lock);
}

int process_sigaction(struct ctx *ctx, struct process *p, int signo, const struct sigact *fresh, struct sigact *old)
{
	if (signo < 1 || signo > SIGNALS || (fresh != NULL && (signo == SIGKILL || signo == SIGSTOP)))
		return -EINVAL;
	mutex_lock(ctx, &p->actions->lock);
	if (old != NULL)
		*old = p->actions->of[signo - 1];
	if (fresh != NULL)
		p->actions->of[signo - 1] = *fresh;
	mutex_unlock(ctx, &p->actions->lock);
	if (fresh == NULL || !is_ignored(fresh, signo))
		return 0;
	/* What waits, even blocked, is ignored too. */
	mutex_lock(ctx, &p->lock);
	mutex_lock(ctx, &p->signal_lock);
	forget_everywhere(ctx->env, p, signal_bit(signo));
	mutex_unlock(ctx, &p->signal_lock);
	mutex_unlock(ctx, &p->lock);
	return 0;
}

/* ---- taking ---- */

enum signal_verdict signal_take(struct task *task, struct signal_info *info, struct sigact *action)
{
	struct process *p = task->process;
	struct ctx *ctx = &task->ctx;

	for (;;) {
		bool taken;

		mutex_lock(ctx, &p->signal_lock);
		taken = take_of(task, ~task->blocked, info);
		settle(ctx, task);
		mutex_unlock(ctx, &p->signal_lock);
		if (!taken)
			return SIGNAL_NONE;
		*action = use_action(ctx, p, info->signo);
		if (action->handler > SIGACT_IGNORE)
			return SIGNAL_HANDLE;
		if (action->handler == SIGACT_DEFAULT && signal_default_of(info->signo) == SIGNAL_TERMINATES) {
			signal_end_by(ctx, p, info);
			return SIGNAL_NONE;
		}
	}
}

bool signal_take_fault(struct task *task, int signo, struct sigact *action)
{
	if (task->blocked & signal_bit(signo))
		return false;
	*action = use_action(&task->ctx, task->process, signo);
	return action->handler > SIGACT_IGNORE;
}

/* ---- the mask ---- */

void signal_blocked_set(struct task *task, uint64_t mask)
{
	struct ctx *ctx = &task->ctx;

	if (task->blocked == mask)
		return;
	mutex_lock(ctx, &task->process->signal_lock);
	__atomic_store_n(&task->blocked, mask & ~UNBLOCKABLE, __ATOMIC_RELAXED);
	settle(ctx, task);
	mutex_unlock(ctx, &task->process->signal_lock);
}

static void set_held(struct task *task, uint64_t held)
{
	mutex_lock(&task->ctx, &task->process->signal_lock);
	task->held = held;
	mutex_unlock(&task->ctx, &task->process->signal_lock);
}

uint64_t signal_hold(struct task *task)
{
	uint64_t was = signal_mask(task);

	set_held(task, ~was);
	signal_blocked_set(task, UINT64_MAX);
	return was;
}

void signal_release(struct task *task, uint64_t mask)
{
	signal_blocked_set(task, mask);
	set_held(task, 0);
}

void task_renew(struct task *task, uint64_t mask)
{
	struct ctx *ctx = &task->ctx;

	mutex_lock(ctx, &task->process->signal_lock);
	signal_pending_fini(ctx->env, &task->own);
	__atomic_store_n(&task->blocked, mask & ~UNBLOCKABLE, __ATOMIC_RELAXED);
	settle(ctx, task);
	mutex_unlock(ctx, &task->process->signal_lock);
	task->altstack.sp = task->altstack.size = 0;
	task->altstack.flags = 0;
	task->restores = false;
	task->clear_tid = (struct uptr){ 0 };
}

uint64_t signal_mask(struct task *task)
{
	const struct kernel *kernel = task->process->kernel;

	if (kernel->sim.mask_read != NULL)
		kernel->sim.mask_read(task);
	return task->blocked;
}

void signal_mask_set(struct task *task, uint64_t mask)
{
	const struct kernel *kernel = task->process->kernel;

	signal_blocked_set(task, mask & ~UNBLOCKABLE);
	if (kernel->sim.mask_written != NULL)
		kernel->sim.mask_written(task);
}

uint64_t signal_waiting(struct task *task)
{
	struct process *p = task->process;
	uint64_t set;

	mutex_lock(&task->ctx, &p->signal_lock);
	set = (task->own.set | p->shared.set) & task->blocked;
	mutex_unlock(&task->ctx, &p->signal_lock);
	return set;
}

int signal_suspend(struct task *task, uint64_t mask)
{
	uint64_t was = signal_mask(task);
	int err;

	signal_blocked_set(task, mask & ~UNBLOCKABLE);
	do
		err = wait_sleep(&task->ctx, NULL, 0, WAIT_FOREVER, "a signal");
	while (err == 0);
	if (err != -EINTR) {
		signal_blocked_set(task, was);
		return err;
	}
	/* The signal is handled with this mask; whoever handles it restores the other. */
	task->restored = was;
	task->restores = true;
	return err;
}

int signal_await(struct task *task, uint64_t set, uint64_t deadline_ns, struct signal_info *info)
{
	struct process *p = task->process;
	struct ctx *ctx = &task->ctx;
	uint64_t was = signal_mask(task);
	bool taken;
	int err = 0;

	set &= ~UNBLOCKABLE;
	mutex_lock(ctx, &p->signal_lock);
	taken = take_of(task, set, info);
	if (!taken && deadline_ns != 0) {
		task->really_blocked = was;
		__atomic_store_n(&task->blocked, was & ~set, __ATOMIC_RELAXED);
		settle(ctx, task);
		mutex_unlock(ctx, &p->signal_lock);
		do
			err = wait_sleep(ctx, NULL, 0, deadline_ns, "a signal");
		while (err == 0);
		mutex_lock(ctx, &p->signal_lock);
		task->really_blocked = 0;
		__atomic_store_n(&task->blocked, was, __ATOMIC_RELAXED);
		taken = take_of(task, set, info);
	}
	settle(ctx, task);
	mutex_unlock(ctx, &p->signal_lock);
	if (taken)
		return info->signo;
	return err == 0 || err == -ETIMEDOUT ? -EAGAIN : err;
}
