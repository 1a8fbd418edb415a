// SPDX-License-Identifier: MIT
/*
 * Signals in the kernel: who is told, what waits where, what is decided by the sender. Handlers are numbers here.
 */
#include "bed.h"

enum { HANDLER = 4711 };

static struct signal_info sent(int signo)
{
	return (struct signal_info){ .signo = signo, .code = SI_USER, .pid = 77, .uid = 5 };
}

static void handles(struct bed *b, struct process *p, int signo, uint64_t flags)
{
	struct sigact action = { .handler = HANDLER, .flags = flags };

	EXPECT_EQ(process_sigaction(&b->ctx, p, signo, &action, NULL), 0);
}

static void send(struct bed *b, struct process *p, struct task *task, int signo)
{
	struct signal_info info = sent(signo);

	signal_send(&b->ctx, p, task, &info);
}

static bool is_told(const struct task *task)
{
	return task->pending & TASK_SIGNAL && task_interrupted(task);
}

/* Take one signal, which must be that one and have a handler. */
static void expect_taken(struct task *task, int signo)
{
	struct signal_info info;
	struct sigact action;

	EXPECT_EQ(signal_take(task, &info, &action), SIGNAL_HANDLE);
	EXPECT_EQ(info.signo, signo);
	EXPECT_EQ(info.pid, 77);
	EXPECT_EQ(action.handler, HANDLER);
}

static void expect_none(struct task *task)
{
	struct signal_info info;
	struct sigact action;

	EXPECT_EQ(signal_take(task, &info, &action), SIGNAL_NONE);
}

static void finish(struct bed *b, struct process *p, struct task *first, struct task *second)
{
	exits(b, p, 0);
	task_leave(first);
	if (second != NULL)
		task_leave(second);
	expect_exited(b, p, 0);
}

static void told_body(struct bed *b)
{
	struct process *p = born(b, "p");
	struct task *first = entered(b, p), *second = entered(b, p);

	handles(b, p, SIGUSR1, 0);
	signal_mask_set(first, signal_bit(SIGUSR1) | signal_bit(SIGKILL));
	EXPECT_EQ(signal_mask(first), signal_bit(SIGUSR1)); /* SIGKILL is not blocked */
	send(b, p, NULL, SIGUSR1);
	EXPECT(!is_told(first) && is_told(second));
	expect_none(first);
	expect_taken(second, SIGUSR1);
	EXPECT(!is_told(second));
	expect_sound(b);
	finish(b, p, first, second);
}

TEST(signal, of_a_process_is_told_to_a_task_that_does_not_block_it)
{
	on_both(told_body);
}

static void blocked_body(struct bed *b)
{
	struct process *p = born(b, "p");
	struct task *first = entered(b, p), *second = entered(b, p);

	handles(b, p, SIGUSR1, 0);
	signal_mask_set(first, signal_bit(SIGUSR1));
	signal_mask_set(second, signal_bit(SIGUSR1));
	send(b, p, NULL, SIGUSR1);
	/* Both look when they can, for a jump may unblock it; no sleep is ended. */
	EXPECT(first->pending & TASK_SIGNAL && second->pending & TASK_SIGNAL);
	EXPECT(!task_interrupted(first) && !task_interrupted(second));
	EXPECT_EQ(signal_waiting(first), signal_bit(SIGUSR1));
	signal_mask_set(second, 0);
	EXPECT(is_told(second));
	expect_taken(second, SIGUSR1);
	EXPECT_EQ(signal_waiting(first), 0);
	finish(b, p, first, second);
}

TEST(signal, that_all_block_waits_until_one_does_not)
{
	on_both(blocked_body);
}

static void retarget_body(struct bed *b)
{
	struct process *p = born(b, "p");
	struct task *first = entered(b, p), *second = entered(b, p);

	handles(b, p, SIGUSR1, 0);
	send(b, p, NULL, SIGUSR1);
	EXPECT(is_told(first) && !is_told(second)); /* the first is preferred */
	task_leave(first);
	EXPECT(is_told(second));
	expect_taken(second, SIGUSR1);
	send(b, p, first, SIGUSR1); /* nobody acts as it; it keeps it */
	expect_none(second);
	EXPECT(task_enter(first, TASK_ACTOR_PROGRAM));
	expect_taken(first, SIGUSR1);
	finish(b, p, first, second);
}

TEST(signal, told_to_a_task_that_leaves_is_told_to_another)
{
	on_both(retarget_body);
}

static void decided_body(struct bed *b)
{
	struct sigact ignore = { .handler = SIGACT_IGNORE };
	struct process *p = born(b, "p"), *q = born(b, "q");
	struct task *task = entered(b, p);
	struct end end;

	send(b, p, NULL, SIGCHLD);
	EXPECT_EQ(p->shared.set, 0); /* ignored by default: dropped */
	EXPECT_EQ(process_sigaction(&b->ctx, p, SIGTERM, &ignore, NULL), 0);
	send(b, p, NULL, SIGTERM);
	EXPECT_EQ(p->shared.set, 0);
	signal_mask_set(task, signal_bit(SIGTERM));
	send(b, p, NULL, SIGTERM);
	EXPECT_EQ(p->shared.set, signal_bit(SIGTERM)); /* blocked: its action may change */
	EXPECT_EQ(process_sigaction(&b->ctx, p, SIGTERM, &ignore, NULL), 0);
	EXPECT_EQ(p->shared.set, 0);
	send(b, q, NULL, SIGTERM); /* nobody acts as it */
	EXPECT_EQ(process_state(q), PROCESS_ZOMBIE);
	EXPECT_EQ(process_join(&b->ctx, q, &end), 0);
	EXPECT_EQ(end.signo, SIGTERM);
	EXPECT_STREQ(end.text, "q (3) killed by SIGTERM: sent by 77");
	finish(b, p, task, NULL);
}

TEST(signal, that_needs_no_handler_is_decided_by_its_sender)
{
	on_both(decided_body);
}

/* kill(2) loses what it tells; sigqueue(3) and tgkill(2) are EAGAIN, from SIGRTMIN on. */
static void quota_body(struct bed *b)
{
	enum { RT = 34 };
	struct process *p = born(b, "p");
	struct task *task = entered(b, p);
	struct signal_info by_kill = sent(RT), queued = by_kill, small = by_kill;

	queued.code = SI_QUEUE;
	small.code = SI_QUEUE;
	small.signo = SIGUSR1;
	signal_mask_set(task, signal_bit(RT) | signal_bit(SIGUSR1));
	bed_fail_at(b, 1);
	EXPECT_EQ(signal_send(&b->ctx, p, NULL, &queued), -EAGAIN);
	EXPECT_EQ(signal_waiting(task), 0);
	EXPECT_EQ(signal_send(&b->ctx, p, NULL, &queued), 0);
	EXPECT_EQ(signal_waiting(task), signal_bit(RT));
	bed_fail_at(b, 1);
	EXPECT_EQ(signal_send(&b->ctx, p, task, &by_kill), 0);
	bed_fail_at(b, 1);
	EXPECT_EQ(signal_send(&b->ctx, p, NULL, &small), 0);
	EXPECT_EQ(signal_waiting(task), signal_bit(RT) | signal_bit(SIGUSR1));
	bed_fail_at(b, 1);
	EXPECT_EQ(signal_kill(&b->ctx, (int)p->owner.id, &queued), -EAGAIN);
	bed_fail_at(b, 1);
	EXPECT_EQ(signal_kill_task(&b->ctx, 0, task->tid, &queued), -EAGAIN);
	bed_fail_at(b, NEVER);
	finish(b, p, task, NULL);
}

TEST(signal, that_is_queued_fails_without_memory_where_its_value_would_be_lost)
{
	on_both(quota_body);
}

static void memory_body(struct bed *b)
{
	struct process *p = born(b, "p");
	struct task *task = entered(b, p);
	struct signal_info info;
	struct sigact action;

	handles(b, p, SIGUSR1, (uint32_t)SA_RESETHAND);
	bed_fail_at(b, 1);
	send(b, p, NULL, SIGUSR1);
	bed_fail_at(b, NEVER);
	EXPECT_EQ(signal_take(task, &info, &action), SIGNAL_HANDLE);
	EXPECT_EQ(info.signo, SIGUSR1);
	EXPECT_EQ(info.pid, 0); /* what it tells is lost, it is not */
	EXPECT_EQ(process_sigaction(&b->ctx, p, SIGUSR1, NULL, &action), 0);
	EXPECT_EQ(action.handler, SIGACT_DEFAULT);
	finish(b, p, task, NULL);
}

TEST(signal, for_which_there_is_no_memory_comes_without_what_it_tells)
{
	on_both(memory_body);
}

static void queue_body(struct bed *b)
{
	struct process *p = born(b, "p");
	struct task *task = entered(b, p);

	for (int signo = 1; signo <= SIGNALS; signo++)
		if (signo != SIGKILL && signo != SIGSTOP)
			handles(b, p, signo, 0);
	for (int i = 0; i < 3; i++) {
		send(b, p, NULL, SIGUSR2);
		send(b, p, NULL, 40);
	}
	send(b, p, NULL, SIGSEGV);
	send(b, p, NULL, SIGHUP);
	expect_taken(task, SIGSEGV); /* those of faults first, then by number */
	expect_taken(task, SIGHUP);
	expect_taken(task, SIGUSR2);
	for (int i = 0; i < 3; i++)
		expect_taken(task, 40);
	expect_none(task);
	send(b, p, task, SIGCONT);
	send(b, p, NULL, SIGTSTP); /* which takes SIGCONT away, and the other way round */
	EXPECT_EQ(task->own.set, 0);
	send(b, p, task, SIGCONT);
	EXPECT_EQ(p->shared.set, 0);
	expect_taken(task, SIGCONT);
	send(b, p, task, 50);
	task_renew(task, 0); /* a new thread has nothing of the old one's */
	expect_none(task);
	finish(b, p, task, NULL);
}

TEST(signal, order_is_that_of_Linux)
{
	on_both(queue_body);
}

static void parent_body(struct bed *b)
{
	struct sigact action = { .handler = HANDLER, .flags = SA_NOCLDWAIT };
	struct process *p = born(b, "p"), *child;
	struct task *task = entered(b, p);
	struct signal_info info;
	struct end end;

	handles(b, p, SIGCHLD, 0);
	child = forked(b, p);
	bed_fail_at(b, 1);
	exits(b, child, 9); /* needs no memory */
	bed_fail_at(b, NEVER);
	EXPECT_EQ(signal_take(task, &info, &action), SIGNAL_HANDLE);
	EXPECT(info.signo == SIGCHLD && info.code == CLD_EXITED && info.status == 9 && info.pid == child->owner.id);
	EXPECT_EQ(process_state(child), PROCESS_ZOMBIE);
	EXPECT_EQ(process_join(&b->ctx, child, &end), 0);
	action = (struct sigact){ .handler = SIGACT_IGNORE };
	EXPECT_EQ(process_sigaction(&b->ctx, p, SIGCHLD, &action, NULL), 0);
	child = forked(b, p);
	exits(b, child, 9);
	EXPECT_EQ(process_state(child), PROCESS_REAPED);
	EXPECT_EQ(p->shared.set, 0);
	finish(b, p, task, NULL);
}

TEST(signal, of_a_childs_end_tells_how_it_ended)
{
	on_both(parent_body);
}

static void nobody_acts_body(struct bed *b)
{
	struct signal_info info = sent(SIGUSR1);
	struct process *p = born(b, "p"), *q = born(b, "q");
	struct task *task;

	/* The thread that is to have that number is not there yet: the signal waits for whoever will be it. */
	handles(b, p, SIGUSR1, 0);
	EXPECT_EQ(signal_kill_task(&b->ctx, p->owner.id, p->owner.id, &info), 0);
	task = entered(b, p);
	expect_taken(task, SIGUSR1);
	expect_none(task);
	finish(b, p, task, NULL);
	/* Nobody has said what to do with it: the process has ended before anybody acted as it. */
	EXPECT_EQ(signal_kill_task(&b->ctx, 0, q->owner.id, &info), 0);
	EXPECT_EQ(process_join(&b->ctx, q, NULL), 0);
	EXPECT_EQ(process_state(q), PROCESS_REAPED);
}

TEST(signal, of_a_thread_that_is_not_there_yet_wait_for_it)
{
	on_both(nobody_acts_body);
}

static void machine_raises_body(struct bed *b)
{
	b->ctx.raised = signal_bit(SIGXFSZ);
	signal_raise(&b->ctx);
	EXPECT_EQ(b->ctx.raised, 0);
}

TEST(signal, that_the_machine_itself_raises_are_nobodys)
{
	on_both(machine_raises_body);
}

static void init_body(struct bed *b)
{
	struct signal_info info = sent(SIGKILL);

	EXPECT_EQ(signal_kill(&b->ctx, 1, &info), 0);
	EXPECT_EQ(signal_kill_task(&b->ctx, 1, 1, &info), 0);
	EXPECT_EQ(process_state(b->kernel->init), PROCESS_ALIVE);
	expect_sound(b);
}

/* kill(2): only signals for which init has installed a handler can be sent to it. */
TEST(signal, of_every_kind_leave_init_as_it_is)
{
	on_both(init_body);
}
