// SPDX-License-Identifier: MIT
/*
 * Processes: birth, fork, end, wait and join, without threads.
 */
#include "bed.h"

#include "phys/group.h"

static void birth_body(struct bed *b)
{
	struct process *a = born(b, "alice"), *z = born(b, "bob");

	EXPECT_EQ(a->owner.id, 2);
	EXPECT_EQ(z->owner.id, 3);
	EXPECT_STREQ(a->owner.name, "alice");
	EXPECT_EQ(process_unix_creds(a).pid, 2);
	EXPECT_EQ(process_state(a), PROCESS_ALIVE);
	EXPECT(process_by_pid(&b->ctx, 2) == a);
	EXPECT(a->mm != z->mm && a->files != z->files);
	EXPECT_EQ(a->owner.count[CENSUS_MM], 1);
	EXPECT_EQ(b->kernel->env.self.count[CENSUS_MM], 0); /* on its own account */
	EXPECT_EQ(b->calls.process_born, 2);
	exits(b, a, 0);
	exits(b, z, 0);
	expect_exited(b, a, 0);
	expect_exited(b, z, 0);
}

TEST(task_process, a_new_process_has_the_next_pid_and_an_account_with_empty_memory_and_files)
{
	on_both(birth_body);
}

static void end_body(struct bed *b)
{
	struct census before = census_now(b), after;
	struct process *p = born(b, "p");
	struct end late = { .code = 9 };

	exits(b, p, 7);
	EXPECT_EQ(process_state(p), PROCESS_ZOMBIE); /* held by the bench: nobody reaps it meanwhile */
	EXPECT(p->mm == NULL && p->files == NULL);
	EXPECT_EQ(b->calls.process_gone, 1);
	EXPECT(process_by_pid(&b->ctx, p->owner.id) == p);
	EXPECT(!process_end(&b->ctx, p, &late));
	expect_exited(b, p, 7);
	EXPECT(process_by_pid(&b->ctx, p->owner.id) == NULL);
	expect_exited(b, p, 7); /* again */
	EXPECT(!process_end(&b->ctx, p, &late));
	process_reap(&b->ctx, p);
	EXPECT_EQ(process_state(p), PROCESS_REAPED);
	after = census_now(b);
	expect_same_census(&before, &after);
}

TEST(task_process, the_first_end_stands_and_can_be_asked_for_again_and_again)
{
	on_both(end_body);
}

static void texts_body(struct bed *b)
{
	struct process *p = born(b, "compositor");
	struct end end = { .code = 300 };

	end_describe(&end, p, NULL);
	EXPECT_STREQ(end.text, "compositor (2) exited with 300");
	EXPECT_EQ(end_status(&end), 300 % 256 << 8);
	end = (struct end){ .signo = SIGBUS, .si_code = BUS_ADRERR };
	end_describe(&end, p, "a store");
	EXPECT_STREQ(end.text, "compositor (2) killed by SIGBUS BUS_ADRERR: a store");
	EXPECT_EQ(end_status(&end), SIGBUS);
	end = (struct end){ .signo = SIGSEGV, .si_code = SEGV_ACCERR };
	end_describe(&end, p, NULL);
	EXPECT_STREQ(end.text, "compositor (2) killed by SIGSEGV SEGV_ACCERR");
	exits(b, p, 0);
	expect_exited(b, p, 0);
}

/* wait(2): WIFEXITED, WEXITSTATUS, WTERMSIG. */
TEST(task_process, an_end_reads_as_a_sentence_and_as_a_status)
{
	on_both(texts_body);
}

static void fork_body(struct bed *b)
{
	struct process *parent = born(b, "parent"), *child;
	struct sigact act = { .handler = 1234, .flags = 4, .mask = 5 }, found;
	struct file *file, *same;

	SETUP(memfd_create_file(&b->ctx, "f", 0, &file) == 0);
	fd_install(&b->ctx, parent->files, fd_reserve(&b->ctx, parent->files, 5, false), file);
	EXPECT_EQ(process_sigaction(&b->ctx, parent, SIGBUS, &act, NULL), 0);
	parent->creds.uid = 1000;
	child = forked(b, parent);
	EXPECT_STREQ(child->owner.name, "parent");
	EXPECT(child->parent == parent);
	EXPECT_EQ(child->creds.uid, 1000);
	EXPECT_EQ(process_unix_creds(child).pid, child->owner.id);
	same = fd_get(&b->ctx, child->files, 5);
	EXPECT(same == file);
	file_put(&b->ctx, same);
	EXPECT_EQ(child->owner.count[CENSUS_FD], 1);
	EXPECT_EQ(process_sigaction(&b->ctx, child, SIGBUS, NULL, &found), 0);
	EXPECT_MEMEQ(&found, &act, sizeof(act));
	act.handler = 0;
	EXPECT_EQ(process_sigaction(&b->ctx, child, SIGBUS, &act, &found), 0);
	EXPECT_EQ(process_sigaction(&b->ctx, parent, SIGBUS, NULL, &found), 0);
	EXPECT_EQ(found.handler, 1234);
	exits(b, child, 0);
	exits(b, parent, 0);
	EXPECT_EQ(process_state(child), PROCESS_REAPED); /* a zombie without parent */
	expect_exited(b, parent, 0);
	EXPECT_EQ(owners_total(&b->kernel->env.owners, CENSUS_FILE), 0);
}

/* fork(2): copies of the descriptors, of the dispositions and of the credentials. */
TEST(task_process, a_child_has_its_parents_files_signals_and_user)
{
	on_both(fork_body);
}

static void sigaction_body(struct bed *b)
{
	struct process *p = born(b, "p");
	struct sigact act = { .handler = 1 };

	EXPECT_EQ(process_sigaction(&b->ctx, p, 0, &act, NULL), -EINVAL);
	EXPECT_EQ(process_sigaction(&b->ctx, p, SIGNALS + 1, NULL, &act), -EINVAL);
	EXPECT_EQ(process_sigaction(&b->ctx, p, SIGKILL, &act, NULL), -EINVAL);
	EXPECT_EQ(process_sigaction(&b->ctx, p, SIGSTOP, &act, NULL), -EINVAL);
	EXPECT_EQ(process_sigaction(&b->ctx, p, SIGKILL, NULL, &act), 0);
	EXPECT_EQ(process_sigaction(&b->ctx, p, SIGNALS, &act, NULL), 0);
	exits(b, p, 0);
	expect_exited(b, p, 0);
}

/* sigaction(2) EINVAL. */
TEST(task_process, kill_and_stop_have_no_action_to_set)
{
	on_both(sigaction_body);
}

static void wait_body(struct bed *b)
{
	struct process *parent = born(b, "parent"), *stranger = born(b, "stranger"), *child[3];
	struct end end;

	EXPECT_EQ(process_wait(&b->ctx, parent, -1, 0, &end), -ECHILD);
	for (int i = 0; i < 3; i++)
		child[i] = forked(b, parent);
	EXPECT_EQ(process_wait(&b->ctx, parent, -1, 1, &end), 0);
	EXPECT_EQ(process_wait(&b->ctx, parent, (int)child[0]->owner.id, 1, &end), 0);
	EXPECT_EQ(process_wait(&b->ctx, parent, (int)stranger->owner.id, 0, &end), -ECHILD);
	EXPECT_EQ(process_wait(&b->ctx, parent, 12345, 0, &end), -ECHILD);
	EXPECT_EQ(process_wait(&b->ctx, stranger, (int)child[0]->owner.id, 0, &end), -ECHILD);
	exits(b, child[0], 10);
	exits(b, child[1], 11);
	EXPECT_EQ(process_state(child[0]), PROCESS_ZOMBIE);
	EXPECT_EQ(process_wait(&b->ctx, parent, (int)child[1]->owner.id, 0, &end), child[1]->owner.id);
	EXPECT_EQ(end.code, 11);
	EXPECT_EQ(process_state(child[1]), PROCESS_REAPED);
	EXPECT_EQ(process_wait(&b->ctx, parent, (int)child[1]->owner.id, 0, &end), -ECHILD);
	EXPECT_EQ(process_wait(&b->ctx, parent, -1, 0, &end), child[0]->owner.id);
	EXPECT_EQ(end.code, 10);
	EXPECT_EQ(process_wait(&b->ctx, parent, -1, 1, &end), 0);
	exits(b, child[2], 12);
	expect_exited(b, child[2], 12); /* joined by the bench: nothing is left for its parent */
	EXPECT_EQ(process_wait(&b->ctx, parent, -1, 0, &end), -ECHILD);
	exits(b, parent, 0);
	exits(b, stranger, 0);
	expect_exited(b, parent, 0);
	expect_exited(b, stranger, 0);
}

/* wait4(2): pid, -1, WNOHANG, ECHILD. */
TEST(task_process, wait_finds_the_children_of_the_caller_and_reaps_each_once)
{
	on_both(wait_body);
}

static void orphans_body(struct bed *b)
{
	struct process *parent = born(b, "parent"), *alive = forked(b, parent), *zombie = forked(b, parent), *held;
	struct process *grandchild = forked(b, alive);

	SETUP(process_fork(&b->ctx, parent, "held", true, &held) == 0);
	exits(b, zombie, 1);
	exits(b, held, 2);
	exits(b, parent, 3);
	EXPECT(alive->parent == b->kernel->init);
	EXPECT(grandchild->parent == alive);
	EXPECT_EQ(process_state(zombie), PROCESS_REAPED); /* by init */
	EXPECT_EQ(process_state(held), PROCESS_ZOMBIE);   /* by nobody but the bench */
	EXPECT(held->parent == b->kernel->init);
	exits(b, alive, 4);
	EXPECT_EQ(process_state(alive), PROCESS_REAPED);
	EXPECT(grandchild->parent == b->kernel->init);
	exits(b, grandchild, 5);
	EXPECT_EQ(process_state(grandchild), PROCESS_REAPED);
	expect_exited(b, grandchild, 5);
	expect_exited(b, held, 2);
	expect_exited(b, parent, 3);
}

/* wait(2): "children are adopted by init ... which performs a wait"; the bench's own are kept for its join. */
TEST(task_process, orphans_go_to_init_which_reaps_what_the_bench_does_not_hold)
{
	on_both(orphans_body);
}

static void fork_dead_body(struct bed *b)
{
	struct process *p = born(b, "p"), *child = NULL;
	struct task *task;

	exits(b, p, 0);
	EXPECT_EQ(process_fork(&b->ctx, p, NULL, false, &child), -ESRCH);
	EXPECT_EQ(process_fork(&b->ctx, b->kernel->init, NULL, false, &child), -ESRCH);
	EXPECT_EQ(task_create(&b->ctx, p, &task), -ESRCH);
	EXPECT_EQ(task_enter_any(&b->ctx, p, TASK_ACTOR_OURS, &task), -ESRCH);
	expect_exited(b, p, 0);
}

TEST(task_process, a_dead_process_has_no_children_and_no_tasks_any_more)
{
	on_both(fork_dead_body);
}

static void end_and_reap(struct bed *b)
{
	exits(b, b->process, 1);
	process_reap(&b->ctx, b->process);
}

/* The parent ends at the n-th allocation of its fork. */
static void fork_overtaken_body(struct bed *b)
{
	for (unsigned n = 1; !harness_failed(); n++) {
		struct process *child;
		unsigned asked;

		b->process = born(b, "parent");
		bed_meanwhile_at(b, n, end_and_reap);
		child = forked(b, b->process);
		asked = b->asked;
		bed_fail_at(b, NEVER);
		if (asked < n)
			exits(b, b->process, 1);
		EXPECT(child->parent == b->kernel->init);
		expect_exited(b, b->process, 1);
		EXPECT_EQ(process_state(child), PROCESS_ALIVE);
		exits(b, child, 2);
		EXPECT_EQ(process_state(child), PROCESS_REAPED);
		if (asked < n) {
			EXPECT(n > 3);
			return;
		}
	}
}

TEST(task_process, a_child_whose_parent_ends_during_the_fork_is_inits)
{
	on_both(fork_overtaken_body);
}

static void failures_body(struct bed *b)
{
	struct process *parent = born(b, "parent"), *p = NULL;
	struct file *file;
	int err = -ENOMEM;

	SETUP(memfd_create_file(&b->ctx, "f", 0, &file) == 0);
	fd_install(&b->ctx, parent->files, fd_reserve(&b->ctx, parent->files, 0, false), file);
	for (int fork = 0; fork < 2; fork++, err = -ENOMEM) {
		unsigned n;

		for (n = 1; err == -ENOMEM && n < 100; n++) {
			struct census before = census_now(b), after;

			bed_fail_at(b, n);
			err = fork ? process_fork(&b->ctx, parent, NULL, true, &p) : process_create(&b->ctx, "p", &p);
			bed_fail_at(b, NEVER);
			if (err == 0)
				break;
			EXPECT_EQ(err, -ENOMEM);
			after = census_now(b);
			expect_same_census(&before, &after);
			expect_sound(b);
			EXPECT(b->ctx.owner == &b->kernel->env.self);
		}
		EXPECT_MSG(err == 0 && n > 4, "%d after %u allocations", err, n - 1);
		exits(b, p, 0);
		expect_exited(b, p, 0);
	}
	exits(b, parent, 0);
	expect_exited(b, parent, 0);
}

TEST(task_process, a_birth_that_runs_out_of_memory_leaves_no_process_and_works_when_tried_again)
{
	on_both(failures_body);
}

static void pids_body(struct bed *b)
{
	struct process *p[40], *none;
	struct census before, after;
	struct task *task;

	for (int i = 0; i < 40; i++) { /* the table of pids grows */
		p[i] = born(b, "p");
		EXPECT_EQ(p[i]->owner.id, 2 + i);
	}
	for (int i = 0; i < 40; i++) {
		EXPECT(process_by_pid(&b->ctx, (uint32_t)(2 + i)) == p[i]);
		if (i > 0)
			exits(b, p[i], i);
	}
	for (int i = 1; i < 40; i++)
		expect_exited(b, p[i], i);
	SETUP(task_create(&b->ctx, p[0], &task) == 0); /* its number is the pid */
	before = census_now(b);
	b->kernel->next_pid = PID_MAX;
	EXPECT_EQ(process_create(&b->ctx, "p", &none), -EAGAIN);
	EXPECT_EQ(process_fork(&b->ctx, p[0], NULL, false, &none), -EAGAIN);
	EXPECT_EQ(task_create(&b->ctx, p[0], &task), -EAGAIN);
	after = census_now(b);
	expect_same_census(&before, &after);
	exits(b, p[0], 0);
	expect_exited(b, p[0], 0);
}

/* fork(2) EAGAIN. */
TEST(task_process, numbers_are_never_used_twice_and_run_out_with_EAGAIN)
{
	on_both(pids_body);
}

static struct group_look group_of(struct bed *b, const struct process *p)
{
	struct group_look look = { 0 };

	EXPECT(group_look(b->kernel->env.phys, owner_group(&p->owner), &look));
	return look;
}

static void memory_group_body(struct bed *b)
{
	struct process *parent = born(b, "parent"), *other = born(b, "other"), *child, *grandchild, *none;
	struct census before, after;
	uint32_t group, small;

	SETUP(group_create(&b->ctx, 64, &group) == 0 && group_create(&b->ctx, 0, &small) == 0);
	process_set_memory_group(&b->ctx, parent, group);
	EXPECT_EQ(group_of(b, parent).used, 0); /* what it has already is not charged */
	child = forked(b, parent);
	EXPECT_EQ(owner_group(&child->owner), group);
	EXPECT(group_of(b, child).used > 0);
	grandchild = forked(b, child);
	EXPECT_EQ(owner_group(&grandchild->owner), group);
	EXPECT_EQ(owner_group(&other->owner), GROUP_NONE);
	process_set_memory_group(&b->ctx, child, small);
	before = census_now(b);
	EXPECT_EQ(process_fork(&b->ctx, child, NULL, false, &none), -ENOMEM);
	after = census_now(b);
	expect_same_census(&before, &after);
	EXPECT_EQ(group_of(b, child).refused, 1);
	expect_sound(b);
	exits(b, grandchild, 0);
	exits(b, child, 0);
	EXPECT_EQ(group_of(b, parent).used, 0);
	exits(b, parent, 0);
	exits(b, other, 0);
	expect_exited(b, parent, 0);
	expect_exited(b, other, 0);
}

/* cgroups(7): a child created by fork(2) is in the cgroup of its parent. */
TEST(task_process, a_child_is_born_into_the_memory_group_of_its_parent_and_fork_fails_at_its_limit)
{
	on_both(memory_group_body);
}

static void borrow_body(struct bed *b)
{
	struct process *p = born(b, "p");
	struct fdtable *files;
	struct mm *mm;

	EXPECT(process_next(&b->ctx, b->kernel, 0, NULL, NULL) == p); /* init has neither memory nor files */
	EXPECT(process_next(&b->ctx, b->kernel, p->owner.id, NULL, NULL) == NULL);
	EXPECT_EQ(process_borrow(&b->ctx, p, &mm, &files), 0);
	exits(b, p, 0);
	EXPECT_EQ(owners_total(&b->kernel->env.owners, CENSUS_MM), 1); /* until it is given back */
	EXPECT_EQ(process_borrow(&b->ctx, p, &mm, &files), -ESRCH);
	mm_put(&b->ctx, mm);
	fdtable_put(&b->ctx, files);
	ctx_drain(&b->ctx);
	EXPECT_EQ(owners_total(&b->kernel->env.owners, CENSUS_MM), 0);
	expect_exited(b, p, 0);
}

TEST(task_process, borrowed_memory_and_files_outlive_their_process)
{
	on_both(borrow_body);
}

/* The process that is being made; NULL: there is none yet. */
static struct process *unborn(struct bed *b)
{
	struct process *p;

	TAILQ_FOREACH(p, &b->kernel->processes, link)
		if (!p->born && p != b->kernel->init)
			break;
	return p;
}

static void kill_the_unborn(struct bed *b)
{
	const struct signal_info info = { .signo = SIGKILL };
	const struct process *p = unborn(b);

	if (p == NULL)
		return;
	EXPECT_EQ(signal_kill(&b->ctx, (int)p->owner.id, &info), -ESRCH);
	EXPECT_EQ(signal_kill_task(&b->ctx, 0, p->owner.id, &info), -ESRCH);
	EXPECT(process_by_pid(&b->ctx, p->owner.id) == NULL);
}

static void killed_early_body(struct bed *b)
{
	struct process *parent = born(b, "parent");
	unsigned n = 0;

	do {
		struct process *child;

		bed_meanwhile_at(b, ++n, kill_the_unborn);
		child = forked(b, parent);
		EXPECT_EQ(process_state(child), PROCESS_ALIVE);
		exits(b, child, 2);
		EXPECT_EQ(process_wait(&b->ctx, parent, -1, 0, &child->end), (int)child->owner.id);
	} while (b->asked >= n && !harness_failed());
	bed_fail_at(b, NEVER);
	EXPECT(n > 3);
	exits(b, parent, 1);
	expect_exited(b, parent, 1);
}

/* fork(2): nobody knows its number before. */
TEST(task_process, a_child_that_is_being_made_gets_no_signals)
{
	on_both(killed_early_body);
}

static void end_the_unborn(struct bed *b)
{
	struct process *p = unborn(b);
	struct end end = { .code = 3 };

	if (p != NULL)
		EXPECT(process_end(&b->ctx, p, &end));
}

/* And then its birth fails. */
static void end_the_unborn_and_fail(struct bed *b)
{
	if (unborn(b) == NULL)
		return;
	end_the_unborn(b);
	bed_fail_at(b, 1);
}

/* Its end is decided at the n-th allocation of its fork. @return whether there were as many */
static bool end_early(struct bed *b, unsigned n, void (*meanwhile)(struct bed *b))
{
	struct process *child = NULL;
	struct end end = { .code = 9 };
	int err;

	bed_meanwhile_at(b, n, meanwhile);
	err = process_fork(&b->ctx, b->process, NULL, false, &child);
	if (err == 0 && process_state(child) == PROCESS_ALIVE)
		exits(b, child, 9);
	if (err == 0) {
		EXPECT_EQ(process_state(child), PROCESS_ZOMBIE);
		EXPECT(child->mm == NULL && child->files == NULL && child->fs == NULL);
		EXPECT_EQ(process_wait(&b->ctx, b->process, -1, 0, &end), (int)child->owner.id);
	} else {
		EXPECT_EQ(err, -ENOMEM);
	}
	return end.code == 3 || err < 0 || n < 3;
}

static void ended_early_body(struct bed *b)
{
	b->process = born(b, "parent");
	for (unsigned n = 1; end_early(b, n, end_the_unborn) && !harness_failed(); n++)
		;
	for (unsigned n = 1; end_early(b, n, end_the_unborn_and_fail) && !harness_failed(); n++)
		;
	bed_fail_at(b, NEVER);
	exits(b, b->process, 1);
	expect_exited(b, b->process, 1);
}

TEST(task_process, a_child_whose_end_is_decided_while_it_is_made_ends_when_it_is_born)
{
	on_both(ended_early_body);
}
