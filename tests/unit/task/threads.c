// SPDX-License-Identifier: MIT
/*
 * Host threads that enter, leave, wait and end at the same time.
 */
#include "bed.h"

#include <pthread.h>

#include "host/barrier.h"

enum { ACTORS = 3, ROUNDS = 60, WAITERS = 3 };

struct actor {
	struct bed *b;
	struct process *process;
	struct ctx ctx;
	pthread_t thread;
	void (*body)(struct actor *a);
	int result;
	int entered;
	struct end end;
};

/* Enter and leave until the process has ended. */
static void enter_and_leave(struct actor *a)
{
	struct task *task;

	while ((a->result = task_enter_any(&a->ctx, a->process, TASK_ACTOR_OURS, &task)) == 0) {
		struct mm_region region;

		__atomic_fetch_add(&a->entered, 1, __ATOMIC_RELAXED);
		EXPECT(!mm_region(&task->ctx, task->ctx.mm, 0, &region)); /* its memory is there */
		task_leave(task);
	}
}

static void *run(void *arg)
{
	struct actor *a = arg;

	a->body(a);
	wait_acting_end(a->ctx.env);
	return NULL;
}

/* On a host thread that counts as acting, as those of sim do. */
static void start(struct actor *a, struct bed *b, struct process *p, void (*body)(struct actor *a))
{
	a->b = b;
	a->process = p;
	a->body = body;
	kernel_ctx(b->kernel, &a->ctx, "test");
	wait_acting_begin(&b->kernel->env);
	SETUP(pthread_create(&a->thread, NULL, run, a) == 0);
}

static void storm_round(struct bed *b, unsigned round)
{
	struct process *p = born(b, "p");
	struct actor actor[ACTORS] = { 0 };
	int gone = __atomic_load_n(&b->calls.process_gone, __ATOMIC_RELAXED);

	for (int i = 0; i < ACTORS; i++)
		start(&actor[i], b, p, enter_and_leave);
	for (unsigned i = 0; i < round % 5; i++)
		host_yield();
	exits(b, p, (int)round);
	expect_exited(b, p, (int)round);
	EXPECT(p->mm == NULL && p->files == NULL);
	for (int i = 0; i < ACTORS; i++) {
		pthread_join(actor[i].thread, NULL);
		EXPECT_EQ(actor[i].result, -ESRCH);
	}
	EXPECT_EQ(process_active_locked(p), 0);
	EXPECT_EQ(b->calls.process_gone, gone + 1);
	EXPECT_EQ(b->calls.task_gone, b->calls.task_born);
}

static void storm_body(struct bed *b)
{
	for (unsigned round = 0; round < ROUNDS && !harness_failed(); round++)
		storm_round(b, round);
}

/* process.c I2, task.c I2. */
TEST(task_threads, a_process_is_taken_down_once_whoever_enters_leaves_or_ends_it)
{
	on_both(storm_body);
}

/* Decide the end. */
static void end_it(struct actor *a)
{
	a->result = process_end(&a->ctx, a->process, &a->end);
}

static void enders_body(struct bed *b)
{
	for (unsigned round = 0; round < ROUNDS && !harness_failed(); round++) {
		struct process *p = born(b, "p");
		struct actor actor[ACTORS] = { 0 };
		int winner = -1, decided = 0;

		for (int i = 0; i < ACTORS; i++) {
			actor[i].end.code = 10 + i;
			start(&actor[i], b, p, end_it);
		}
		for (int i = 0; i < ACTORS; i++) {
			pthread_join(actor[i].thread, NULL);
			decided += actor[i].result;
			winner = actor[i].result ? i : winner;
		}
		EXPECT_EQ(decided, 1);
		expect_exited(b, p, 10 + winner);
	}
}

TEST(task_threads, of_several_ends_exactly_one_is_decided)
{
	on_both(enders_body);
}

/* Wait for a child as a task of the process. The thread acts, as sim's do. */
static void wait_for_child(struct actor *a)
{
	struct task *task;

	a->result = task_enter_any(&a->ctx, a->process, TASK_ACTOR_OURS, &task);
	if (a->result == 0) {
		__atomic_store_n(&a->entered, 1, __ATOMIC_RELEASE);
		a->result = process_wait(&task->ctx, a->process, -1, 0, &a->end);
		task_leave(task);
	}
}

static void until_entered(struct actor *actor, int n)
{
	for (int i = 0; i < n; i++)
		while (__atomic_load_n(&actor[i].entered, __ATOMIC_ACQUIRE) == 0)
			host_yield();
}

static void waiters_body(struct bed *b)
{
	wait_acting_begin(&b->kernel->env); /* this thread can still end the child */
	for (unsigned round = 0; round < ROUNDS / 3 && !harness_failed(); round++) {
		struct process *parent = born(b, "parent"), *child = forked(b, parent);
		struct actor actor[WAITERS] = { 0 };
		int got = 0;

		for (int i = 0; i < WAITERS; i++)
			start(&actor[i], b, parent, wait_for_child);
		if (round % 2)
			until_entered(actor, WAITERS);
		exits(b, child, 6);
		for (int i = 0; i < WAITERS; i++) {
			pthread_join(actor[i].thread, NULL);
			if (actor[i].result == (int)child->owner.id) {
				EXPECT_EQ(actor[i].end.code, 6);
				got++;
			} else {
				EXPECT_EQ(actor[i].result, -ECHILD);
			}
		}
		EXPECT_EQ(got, 1);
		exits(b, parent, 0);
		expect_exited(b, parent, 0);
	}
	wait_acting_end(&b->kernel->env);
}

TEST(task_threads, of_several_who_wait_for_a_child_one_gets_it_and_the_others_ECHILD)
{
	on_both(waiters_body);
}

static void killed_body(struct bed *b)
{
	wait_acting_begin(&b->kernel->env);
	for (unsigned round = 0; round < ROUNDS / 3 && !harness_failed(); round++) {
		struct process *parent = born(b, "parent"), *child = forked(b, parent);
		struct actor actor = { 0 };

		start(&actor, b, parent, wait_for_child);
		if (round % 2)
			until_entered(&actor, 1);
		exits(b, parent, 7);
		pthread_join(actor.thread, NULL);
		EXPECT_MSG(actor.result == -EINTR || actor.result == -ESRCH, "%d", actor.result);
		expect_exited(b, parent, 7);
		exits(b, child, 0);
		EXPECT_EQ(process_state(child), PROCESS_REAPED);
	}
	wait_acting_end(&b->kernel->env);
}

TEST(task_threads, the_end_of_a_process_interrupts_its_waits)
{
	on_both(killed_body);
}

/* Leave a process that is ending after a while. */
static void leave_late(struct actor *a)
{
	struct task *task;

	a->result = task_enter_any(&a->ctx, a->process, TASK_ACTOR_OURS, &task);
	__atomic_store_n(&a->entered, 1, __ATOMIC_RELEASE);
	while (a->result == 0 && !task_dying(task))
		host_yield();
	if (a->result == 0)
		task_leave(task);
}

static void join_body(struct bed *b)
{
	wait_acting_begin(&b->kernel->env); /* somebody else: so a join that is not woken hangs */
	for (unsigned round = 0; round < ROUNDS / 3 && !harness_failed(); round++) {
		struct process *p = born(b, "p");
		struct actor actor = { 0 };

		start(&actor, b, p, leave_late);
		until_entered(&actor, 1);
		exits(b, p, 8);
		expect_exited(b, p, 8); /* this thread acts as nobody, and sleeps until the other has left */
		pthread_join(actor.thread, NULL);
	}
	wait_acting_end(&b->kernel->env);
}

TEST(task_threads, a_thread_that_acts_as_no_process_can_join_one)
{
	on_both(join_body);
}

/* Fork and end children while the parent's end comes. */
static void fork_children(struct actor *a)
{
	struct process *child;

	while ((a->result = process_fork(&a->ctx, a->process, NULL, false, &child)) == 0) {
		struct end end = { .code = 1 };

		__atomic_fetch_add(&a->entered, 1, __ATOMIC_RELAXED);
		process_end(&a->ctx, child, &end);
		ctx_drain(&a->ctx);
	}
}

static void family_body(struct bed *b)
{
	for (unsigned round = 0; round < ROUNDS / 3 && !harness_failed(); round++) {
		struct process *p = born(b, "p");
		struct actor actor[2] = { 0 };

		for (int i = 0; i < 2; i++)
			start(&actor[i], b, p, fork_children);
		for (unsigned i = 0; i < round % 7; i++)
			host_yield();
		exits(b, p, 1);
		for (int i = 0; i < 2; i++) {
			pthread_join(actor[i].thread, NULL);
			EXPECT_EQ(actor[i].result, -ESRCH);
		}
		expect_exited(b, p, 1);
		EXPECT_EQ(owners_total(&b->kernel->env.owners, CENSUS_PROCESS), 1);
		EXPECT_EQ(owners_total(&b->kernel->env.owners, CENSUS_MM), 0);
	}
}

TEST(task_threads, children_forked_while_their_parent_ends_are_all_reaped)
{
	on_both(family_body);
}
