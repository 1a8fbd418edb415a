// SPDX-License-Identifier: MIT
/*
 * Clone: what is one and what is two, on whose account it is, and who gets it last.
 */
#include "bed.h"

#include <sched.h>
#include <sys/mman.h>

#define ALL (CLONE_VM | CLONE_FILES | CLONE_FS | CLONE_SIGHAND)

static struct process *cloned(struct bed *b, struct process *parent, uint32_t flags)
{
	struct process *p = NULL;

	SETUP(process_clone(&b->ctx, parent, "clone", true, flags | SIGCHLD, &p) == 0);
	return p;
}

static void sharing_body(struct bed *b)
{
	static const uint32_t flags[] = { 0, CLONE_VM, CLONE_FILES, CLONE_FS, CLONE_VM | CLONE_SIGHAND, ALL };
	struct process *p = born(b, "p");

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		struct process *child = cloned(b, p, flags[i]);

		EXPECT_EQ(child->mm == p->mm, (flags[i] & CLONE_VM) != 0);
		EXPECT_EQ(child->files == p->files, (flags[i] & CLONE_FILES) != 0);
		EXPECT_EQ(child->fs == p->fs, (flags[i] & CLONE_FS) != 0);
		EXPECT_EQ(child->actions == p->actions, (flags[i] & CLONE_SIGHAND) != 0);
		EXPECT_EQ(child->owner.count[CENSUS_MM], (flags[i] & CLONE_VM) == 0);
		EXPECT(child->maker == p && process_parent(child) == p);
		EXPECT_EQ(process_has_elder(&b->ctx, child, child->mm, NULL), (flags[i] & CLONE_VM) != 0);
		EXPECT_EQ(process_has_elder(&b->ctx, child, NULL, child->files), (flags[i] & CLONE_FILES) != 0);
		EXPECT(!process_has_elder(&b->ctx, p, p->mm, p->files));
		expect_sound(b);
		exits(b, child, 0);
		expect_exited(b, child, 0);
	}
	exits(b, p, 0);
	expect_exited(b, p, 0);
}

TEST(task_clone, each_flag_shares_one_thing_and_the_rest_is_copied)
{
	on_both(sharing_body);
}

/* What it owned outlives it: its account goes on counting. */
static void first_ends_first_body(struct bed *b)
{
	struct census before = census_now(b), after;
	struct process *p = born(b, "p");
	struct process *child = cloned(b, p, ALL);

	exits(b, p, 0);
	expect_exited(b, p, 0);
	EXPECT(p->mm == NULL && child->mm != NULL);
	EXPECT_EQ(p->owner.count[CENSUS_MM], 1);
	expect_sound(b);
	exits(b, child, 3);
	expect_exited(b, child, 3);
	EXPECT_EQ(p->owner.count[CENSUS_MM], 0);
	after = census_now(b);
	expect_same_census(&before, &after);
}

TEST(task_clone, what_is_shared_ends_with_the_last_and_stays_on_the_first_ones_account)
{
	on_both(first_ends_first_body);
}

static void failure_body(struct bed *b)
{
	struct process *p = born(b, "p");
	struct census before = census_now(b), after;
	struct process *child;
	int err = -1;

	for (unsigned n = 1; err != 0; n++) {
		bed_fail_at(b, n);
		err = process_clone(&b->ctx, p, NULL, true, ALL | SIGCHLD, &child);
		bed_fail_at(b, NEVER);
		REQUIRE(err == 0 || err == -ENOMEM);
		if (err < 0) {
			after = census_now(b);
			expect_same_census(&before, &after);
		}
	}
	exits(b, child, 0);
	expect_exited(b, child, 0);
	exits(b, p, 0);
	expect_exited(b, p, 0);
}

TEST(task_clone, clone_without_memory_leaves_nothing)
{
	on_both(failure_body);
}

static void parents_body(struct bed *b)
{
	struct process *p = born(b, "p"), *child, *sibling;

	SETUP(process_clone(&b->ctx, p, NULL, true, SIGURG, &child) == 0);
	SETUP(process_clone(&b->ctx, child, NULL, true, CLONE_PARENT | SIGWINCH, &sibling) == 0);
	EXPECT_EQ(child->exit_signal, SIGURG);
	EXPECT_EQ(sibling->exit_signal, SIGURG);
	EXPECT(process_parent(sibling) == p && sibling->maker == child);
	exits(b, sibling, 0);
	exits(b, child, 0);
	expect_exited(b, sibling, 0);
	expect_exited(b, child, 0);
	exits(b, p, 0);
	expect_exited(b, p, 0);
}

TEST(task_clone, sibling_has_the_parent_and_the_signal_of_its_maker)
{
	on_both(parents_body);
}

static void ended_parent_body(struct bed *b)
{
	struct process *p = born(b, "p"), *child = NULL;

	exits(b, p, 0);
	EXPECT_EQ(process_clone(&b->ctx, p, NULL, true, ALL | SIGCHLD, &child), -ESRCH);
	expect_exited(b, p, 0);
}

TEST(task_clone, clone_of_an_ended_process_is_ESRCH)
{
	on_both(ended_parent_body);
}

static void check_body(struct bed *b)
{
	const uint32_t thread = ALL | CLONE_THREAD;
	struct creds creds = { 0 };

	EXPECT_EQ(clone_check(&b->ctx, ALL), 0);
	EXPECT_EQ(clone_check(&b->ctx, thread), 0);
	EXPECT_EQ(clone_check(&b->ctx, thread & ~(uint32_t)CLONE_FILES), -EINVAL); /* a deviation */
	EXPECT_EQ(clone_check(&b->ctx, thread & ~(uint32_t)CLONE_FS), -EINVAL);    /* likewise */
	EXPECT_EQ(clone_check(&b->ctx, CLONE_PIDFD), -EINVAL);                     /* likewise */
	EXPECT_EQ(clone_check(&b->ctx, CLONE_NEWUSER), -EINVAL);
	EXPECT_EQ(clone_check(&b->ctx, CLONE_NEWNET), -EINVAL);
	creds.euid = 1000;
	b->ctx.creds = &creds;
	EXPECT_EQ(clone_check(&b->ctx, CLONE_NEWUSER), -EINVAL);
	EXPECT_EQ(clone_check(&b->ctx, CLONE_NEWNET), -EPERM);
	b->ctx.creds = NULL;
}

/* As in a kernel that was built without them. */
TEST(task_clone, namespaces_and_pidfds_are_not_there)
{
	on_both(check_body);
}

/* ---- threads ---- */

static void threads_body(struct bed *b)
{
	struct process *p = born(b, "p");
	struct task *first = entered(b, p), *second = entered(b, p);
	uint32_t tid = second->tid;

	EXPECT(process_of_tid(&b->ctx, tid) == p);
	task_exit(second, 5);
	EXPECT(task_dying(second) && task_has_exited(second) && second->exit_code == 5);
	EXPECT(process_of_tid(&b->ctx, tid) == NULL);
	EXPECT_EQ(process_state(p), PROCESS_ALIVE);
	task_leave(second);
	EXPECT_EQ(process_state(p), PROCESS_ALIVE);
	/* The next thread has it, and the number. */
	REQUIRE(task_enter(second, TASK_ACTOR_OURS));
	EXPECT(!task_dying(second));
	EXPECT(process_of_tid(&b->ctx, tid) == p);
	task_end(second, 0);
	EXPECT(!task_dying(second));
	EXPECT(process_of_tid(&b->ctx, tid) == NULL);
	task_leave(second);
	/* The last one's exit is the process's. */
	task_exit(first, 6);
	task_leave(first);
	expect_exited(b, p, 6);
}

TEST(task_clone, thread_that_exits_is_found_no_more_and_the_last_one_ends_the_process)
{
	on_both(threads_body);
}

static void leaderless_body(struct bed *b)
{
	struct process *p = born(b, "p");
	struct task *first = entered(b, p), *second = entered(b, p), *third = entered(b, p);

	EXPECT_EQ(first->tid, p->owner.id);
	task_exit(first, 7);
	task_leave(first);
	EXPECT_EQ(process_state(p), PROCESS_ALIVE);
	EXPECT(process_of_tid(&b->ctx, p->owner.id) == p); /* its number is the process's */
	task_end(second, 8);
	task_leave(second);
	EXPECT_EQ(process_state(p), PROCESS_ALIVE);
	task_end(third, 9);
	task_leave(third);
	expect_exited(b, p, 9);
}

TEST(task_clone, process_without_its_first_thread_ends_with_the_last_and_its_code)
{
	on_both(leaderless_body);
}

static void words_body(struct bed *b)
{
	struct process *p = born(b, "p"), *child = cloned(b, p, CLONE_VM);
	uint32_t threads = 1, childs = 1, alones = 1;
	struct process *alone = forked(b, p);
	struct task *first = entered(b, p), *second = entered(b, p);
	struct task *of_child = entered(b, child), *of_alone = entered(b, alone);

	second->clear_tid = uptr_from(&threads);
	of_child->clear_tid = uptr_from(&childs);
	of_alone->clear_tid = uptr_from(&alones);
	task_end(second, 0);
	EXPECT_EQ(threads, 0);
	task_leave(second);
	exits(b, alone, 0);
	task_leave(of_alone);
	EXPECT_EQ(alones, 1); /* nobody else has its memory */
	exits(b, child, 0);
	EXPECT_EQ(childs, 1);
	task_leave(of_child);
	EXPECT_EQ(childs, 0);
	task_leave(first);
	expect_exited(b, child, 0);
	expect_exited(b, alone, 0);
	exits(b, p, 0);
	expect_exited(b, p, 0);
}

TEST(task_clone, number_is_cleared_where_others_can_see_it)
{
	on_both(words_body);
}

static void signals_body(struct bed *b)
{
	struct process *p = born(b, "p");
	struct task *first = entered(b, p), *second = entered(b, p);
	struct signal_info term = { .signo = SIGTERM };

	signal_blocked_set(first, signal_bit(SIGTERM));
	task_end(second, 0);
	task_leave(second);
	/* The one that has ended blocks nothing, and gets nothing. */
	signal_send(&b->ctx, p, NULL, &term);
	EXPECT_EQ(process_state(p), PROCESS_ALIVE);
	EXPECT_EQ(signal_waiting(first), signal_bit(SIGTERM));
	expect_sound(b);
	task_leave(first);
	exits(b, p, 0);
	expect_exited(b, p, 0);
}

TEST(task_clone, signal_is_not_taken_by_a_thread_that_has_ended)
{
	on_both(signals_body);
}

static void exit_signal_body(struct bed *b)
{
	struct process *p = born(b, "p"), *child;

	SETUP(process_clone(&b->ctx, p, NULL, true, SIGTERM, &child) == 0);
	exits(b, child, 0);
	EXPECT_EQ(process_join(&b->ctx, p, NULL), 0);
	EXPECT_EQ(p->end.signo, SIGTERM);
	expect_exited(b, child, 0);
}

TEST(task_clone, signal_of_the_end_of_a_clone_may_end_its_parent)
{
	on_both(exit_signal_body);
}
