// SPDX-License-Identifier: MIT
/*
 * Tasks: entered by one host thread at a time, told of the end, and the last to leave takes the process down.
 */
#include "bed.h"

static void numbers_body(struct bed *b)
{
	struct process *p = born(b, "p");
	struct task *first, *second;

	SETUP(task_create(&b->ctx, p, &first) == 0);
	SETUP(task_create(&b->ctx, p, &second) == 0);
	EXPECT_EQ(first->tid, p->owner.id);
	EXPECT_EQ(second->tid, p->owner.id + 1);
	EXPECT_EQ(p->owner.count[CENSUS_TASK], 2);
	EXPECT(first->ctx.mm == p->mm && first->ctx.owner == &p->owner && first->ctx.task == first);
	EXPECT_EQ(born(b, "next")->owner.id, second->tid + 1);
	EXPECT_EQ(b->calls.task_joined, 2);
	exits(b, process_by_pid(&b->ctx, second->tid + 1), 0);
	expect_exited(b, process_by_pid(&b->ctx, second->tid + 1), 0);
	exits(b, p, 0);
	EXPECT_EQ(b->calls.task_gone, 2);
	EXPECT_EQ(p->owner.count[CENSUS_TASK], 0);
	expect_exited(b, p, 0);
}

/* gettid(2): "in a single-threaded process, the thread ID is equal to the process ID". */
TEST(task_task, the_first_task_has_the_pid_and_others_numbers_of_their_own)
{
	on_both(numbers_body);
}

static void enter_body(struct bed *b)
{
	struct process *p = born(b, "p");
	struct task *a = entered(b, p), *z;

	EXPECT_EQ(process_active_locked(p), 1);
	EXPECT(!task_enter(a, TASK_ACTOR_OURS));
	EXPECT_EQ(process_active_locked(p), 1);
	EXPECT_EQ(a->busy, TASK_ACTOR_PROGRAM);
	z = entered(b, p); /* all were busy */
	EXPECT(z != a);
	task_leave(a);
	EXPECT(entered(b, p) == a); /* none is made in vain */
	task_leave(a);
	task_leave(z);
	EXPECT_EQ(process_active_locked(p), 0);
	EXPECT_EQ(process_state(p), PROCESS_ALIVE);
	EXPECT_EQ(b->calls.task_born, 2);
	exits(b, p, 0);
	expect_exited(b, p, 0);
}

TEST(task_task, a_task_is_acted_by_one_thread_and_used_again_when_idle)
{
	on_both(enter_body);
}

static void last_leaves_body(struct bed *b)
{
	struct process *p = born(b, "p");
	struct task *a = entered(b, p), *z = entered(b, p), *idle;

	SETUP(task_create(&b->ctx, p, &idle) == 0);
	exits(b, p, 5);
	EXPECT_EQ(process_state(p), PROCESS_ENDING);
	EXPECT(p->mm != NULL);
	EXPECT(task_dying(a) && task_dying(z) && task_dying(idle));
	EXPECT_EQ(b->calls.task_kicked, 3);
	EXPECT(!task_enter(idle, TASK_ACTOR_OURS));
	EXPECT_EQ(process_state(p), PROCESS_ENDING);
	task_leave(z);
	EXPECT_EQ(process_state(p), PROCESS_ENDING);
	task_leave(a);
	EXPECT_EQ(process_state(p), PROCESS_ZOMBIE);
	EXPECT_EQ(b->calls.process_gone, 1);
	EXPECT(!task_enter(a, TASK_ACTOR_OURS));
	expect_exited(b, p, 5);
}

TEST(task_task, a_process_ends_when_its_last_task_leaves)
{
	on_both(last_leaves_body);
}

static void failures_body(struct bed *b)
{
	struct process *p = born(b, "p");
	struct task *task;
	unsigned n = 1;
	int err;

	task_leave(entered(b, p));
	b->kernel->next_pid = b->kernel->by_pid_size; /* the table of pids must grow for the second task */
	for (;; n++) {
		struct census before = census_now(b), after;

		bed_fail_at(b, n);
		err = task_create(&b->ctx, p, &task);
		bed_fail_at(b, NEVER);
		if (err != -ENOMEM)
			break;
		after = census_now(b);
		expect_same_census(&before, &after);
		EXPECT_EQ(b->calls.task_born - b->calls.task_gone, p->owner.count[CENSUS_TASK]);
		expect_sound(b);
	}
	EXPECT_EQ(err, 0);
	EXPECT_EQ(n, 4);
	exits(b, p, 0);
	expect_exited(b, p, 0);
}

TEST(task_task, a_task_that_runs_out_of_memory_is_not_there)
{
	on_both(failures_body);
}

static void join_nothing_body(struct bed *b)
{
	struct process *p = born(b, "p"), *parent = born(b, "parent"), *child = forked(b, parent);
	struct ctx nobody = b->ctx;
	struct task *task;
	struct end end;

	nobody.waiter = NULL;
	EXPECT_EQ(process_join(&nobody, p, &end), -EDEADLK);
	EXPECT_EQ(process_wait(&nobody, parent, -1, 0, &end), -EDEADLK);
	task = entered(b, parent);
	exits(b, parent, 1);
	EXPECT_EQ(process_wait(&task->ctx, parent, -1, 0, &end), -EINTR); /* it is ending itself */
	EXPECT_EQ(process_join(&task->ctx, p, &end), -EINTR);
	task_leave(task);
	exits(b, p, 2);
	EXPECT_EQ(process_join(&nobody, p, &end), 0); /* nothing to wait for */
	EXPECT_EQ(end.code, 2);
	expect_exited(b, parent, 1);
	exits(b, child, 0);
}

TEST(task_task, who_must_not_sleep_gets_EDEADLK_and_who_is_ending_EINTR)
{
	on_both(join_nothing_body);
}
