// SPDX-License-Identifier: MIT
/*
 * The mask of a task, and jumps.
 *
 * A simulated task's mask is its own, not that of the host thread: the host's SIGSEGV must stay unblocked for windows
 * to work, libc keeps two signals for itself, a thread may act as several processes in turn, and whoever sends a signal
 * must be able to read the mask of another thread's task. But siglongjmp is libc's and restores a mask of the host's.
 * So there is a mark in that one, of five of its highest signals, a small number that names what the task blocked when
 * it was set:
 *
 *	host mask    . . . . . . | mark 0 |      task blocks {}
 *	handler of SIGUSR1:      | mark 1 |      {USR1}             mark 1 = {USR1}
 *	  siglongjmp -->         | mark 0 |      still {USR1}
 *	next look: the mark is not 1, so what it names, {}, is the mask
 *
 * sigsetjmp with a saved mask keeps the mark, and siglongjmp brings it back; longjmp changes neither, as on Linux. A
 * mark is set whenever a mask is: by a call, and around handlers. It is looked for only where the mask matters: when
 * signals wait, at a fault, before a sleep, and at calls on the mask; a thread that never set one is not looked at.
 *
 * On a thread that acts as several, what belongs to an entry below is not touched by the one on top: its marks are its
 * own, and when it is left the mark is put back that it found.
 *
 * Of a program that has become a process as a whole, the host's mask follows the process's, but for SIGSEGV and SIGBUS:
 * signals of the host's are blocked as it says.
 *
 * I1  marks.now is the mark in the host's mask unless somebody has jumped since
 * I2  task->blocked is what the mark names that stands there, or, for the mark that the entry found, what it blocked then
 *
 * There are 31 marks for a thread, given anew in turn: who jumps back over more than as many different masks keeps the
 * one he has.
 *
 * Locking: none; all of it is the thread's own. Linux: kernel/signal.c (sigreturn), glibc's setjmp/sigjmp.c.
 */
#include "machine/machine.h"

#include <signal.h>
#include <string.h>

/* SIGRTMAX - 6 to SIGRTMAX - 2. */
static int bit_signal(unsigned i)
{
	return SIGRTMAX - 6 + (int)i;
}

static unsigned mark_in(const sigset_t *set)
{
	unsigned bits = 0;

	for (unsigned i = 0; i < MARK_BITS; i++)
		bits |= (unsigned)(sigismember(set, bit_signal(i)) == 1) << i;
	return bits;
}

static void mark_put(sigset_t *set, unsigned bits)
{
	for (unsigned i = 0; i < MARK_BITS; i++)
		if (bits >> i & 1)
			sigaddset(set, bit_signal(i));
		else
			sigdelset(set, bit_signal(i));
}

static void host_mask(sigset_t *set)
{
	pthread_sigmask(SIG_BLOCK, NULL, set);
}

/* All but the mark, as the task has it. */
static void follow(sigset_t *set, const struct task *task)
{
	for (int signo = 1; signo <= SIGNALS; signo++) {
		if (signo == SIGSEGV || signo == SIGBUS)
			continue;
		if (task->blocked & signal_bit(signo))
			sigaddset(set, signo);
		else
			sigdelset(set, signo);
	}
}

static void set_mark(struct mask_marks *marks, unsigned mark, const struct task *task)
{
	sigset_t set;

	host_mask(&set);
	if (!marks->used) {
		marks->used = true;
		marks->initial = mark_in(&set);
	}
	if (task != NULL && process_handle(task->process)->mirrors)
		follow(&set, task);
	mark_put(&set, mark == MARK_INITIAL ? marks->initial : mark);
	pthread_sigmask(SIG_SETMASK, &set, NULL);
	marks->now = mark;
}

static bool names(const struct mask_marks *marks, unsigned mark, const struct task *task)
{
	return marks->of[mark].tid == task->tid && marks->of[mark].process == process_handle(task->process)->number;
}

/* A mark for what the task blocks. */
static unsigned mark_for(struct mask_marks *marks, const struct task *task)
{
	for (unsigned mark = 1; mark <= MARKS; mark++)
		if (names(marks, mark, task) && marks->of[mark].mask == task->blocked)
			return mark;
	do
		marks->last = marks->last % MARKS + 1;
	while ((marks->used && marks->last == marks->initial) || marks->last == marks->now);
	marks->of[marks->last].process = process_handle(task->process)->number;
	marks->of[marks->last].tid = task->tid;
	marks->of[marks->last].mask = task->blocked;
	return marks->last;
}

void mask_read(struct task *task)
{
	const struct mask_mark *found;
	struct mask_marks *marks = acting_marks(task, &found);
	unsigned mark;
	sigset_t set;

	if (marks == NULL || !marks->used)
		return;
	host_mask(&set);
	mark = mark_in(&set);
	if (mark == marks->initial)
		mark = MARK_INITIAL;
	if (mark == marks->now)
		return;
	marks->now = mark;
	if (mark != MARK_INITIAL && names(marks, mark, task))
		signal_blocked_set(task, marks->of[mark].mask);
	else if (mark == found->mark)
		signal_blocked_set(task, found->mask);
}

static void before_sleep(struct ctx *ctx)
{
	/* Who waits with another mask for a while has looked before, and cannot have jumped since. */
	if (ctx->task->really_blocked == 0)
		mask_read(ctx->task);
}

void mask_written(struct task *task)
{
	const struct mask_mark *found;
	struct mask_marks *marks = acting_marks(task, &found);

	if (marks == NULL)
		return;
	task->waiter.settle = before_sleep;
	if (!marks->used) {
		sigset_t set;

		host_mask(&set);
		marks->used = true;
		marks->initial = mark_in(&set);
	}
	set_mark(marks, mark_for(marks, task), task);
}

struct mask_mark mask_begin(struct task *task, uint64_t mask)
{
	const struct mask_mark *found;
	struct mask_marks *marks = acting_marks(task, &found);
	struct mask_mark before = { .mark = MARK_INITIAL };

	mask_read(task);
	if (marks != NULL)
		before.mark = marks->now;
	before.mask = task->restores ? task->restored : task->blocked;
	task->restores = false;
	signal_mask_set(task, mask);
	return before;
}

void mask_end(struct task *task, const struct mask_mark *before)
{
	const struct mask_mark *found;
	struct mask_marks *marks = acting_marks(task, &found);

	signal_blocked_set(task, before->mask);
	if (marks != NULL)
		set_mark(marks, before->mark, task);
}

void mask_unwind(struct mask_marks *marks, unsigned mark, const struct task *outer)
{
	set_mark(marks, mark, outer);
}
