// SPDX-License-Identifier: MIT
/*
 * A kernel that nobody looks at, births that others overtake, ends that read oddly.
 */
#include "bed.h"

static void bare_body(struct bed *b)
{
	struct kernel_sim sim = b->kernel->sim;
	struct process *p, *child;
	struct task *task;

	b->kernel->sim = (struct kernel_sim){ 0 };
	p = born(b, "bare");
	child = forked(b, p);
	task = entered(b, p);
	EXPECT(task != NULL && task->cpu == NULL && p->sim == NULL);
	exits(b, child, 1);
	exits(b, p, 2);
	EXPECT_EQ(process_state(p), PROCESS_ENDING);
	EXPECT_EQ(task_create(&b->ctx, p, &task), -ESRCH);
	task_leave(LIST_FIRST(&p->tasks));
	expect_exited(b, p, 2);
	EXPECT_EQ(process_state(child), PROCESS_REAPED);
	EXPECT_EQ(b->calls.process_born + b->calls.task_born, 0);
	b->kernel->sim = sim;
}

/* struct kernel_sim: each of its calls may be NULL. */
TEST(task_kernel, processes_and_tasks_come_and_go_without_a_sim)
{
	on_both(bare_body);
}

/* Fails the first allocation that a process makes once it is listed, after another process has been born meanwhile. */
static struct {
	struct process *other;
	unsigned asked;
} overtaken;

static bool fails_overtaken(void *arg, struct ctx *ctx, enum fail_kind kind)
{
	struct bed *b = arg;

	(void)kind;
	if (ctx->held != 0 || ++overtaken.asked != 2)
		return false;
	b->kernel->env.hooks.fail = NULL;
	overtaken.other = born(b, "other");
	return true;
}

static void overtaken_body(struct bed *b)
{
	struct process *p = NULL, *last;

	overtaken.asked = 0;
	overtaken.other = NULL;
	b->kernel->env.hooks.fail_arg = b;
	b->kernel->env.hooks.fail = fails_overtaken;
	EXPECT_EQ(process_create(&b->ctx, "late", &p), -ENOMEM);
	REQUIRE(overtaken.other != NULL);
	expect_sound(b);
	last = born(b, "last");
	EXPECT(process_by_pid(&b->ctx, overtaken.other->owner.id) == overtaken.other);
	EXPECT(process_by_pid(&b->ctx, overtaken.other->owner.id - 1) == NULL);
	exits(b, overtaken.other, 1);
	exits(b, last, 2);
	expect_exited(b, overtaken.other, 1);
	expect_exited(b, last, 2);
}

TEST(task_process, birth_that_fails_after_another_has_overtaken_it_leaves_the_other)
{
	on_both(overtaken_body);
}

static void sentences_body(struct bed *b)
{
	static const struct {
		int signo, si_code;
		const char *text;
	} cases[] = {
		{ SIGSEGV, SEGV_MAPERR, "p (2) killed by SIGSEGV SEGV_MAPERR" },
		{ SIGSEGV, 0, "p (2) killed by SIGSEGV" },
		{ SIGBUS, BUS_ADRALN, "p (2) killed by SIGBUS BUS_ADRALN" },
		{ SIGBUS, 0, "p (2) killed by SIGBUS" },
		{ SIGKILL, 0, "p (2) killed by SIGKILL" },
		{ SIGTERM, 0, "p (2) killed by SIGTERM" },
	};
	struct process *p = born(b, "p");

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct end end = { .signo = cases[i].signo, .si_code = cases[i].si_code };

		end_describe(&end, p, NULL);
		EXPECT_STREQ(end.text, cases[i].text);
		EXPECT_EQ(end_status(&end), cases[i].signo);
	}
	exits(b, p, 0);
	EXPECT_EQ(process_join(&b->ctx, p, NULL), 0);
	EXPECT_EQ(process_state(p), PROCESS_REAPED);
}

TEST(task_process, every_end_reads_as_a_sentence)
{
	on_both(sentences_body);
}

static unsigned nlisted(struct bed *b, const struct process *parent)
{
	struct process_child child = { .pid = 0 };
	unsigned n = 0;

	while (process_next_child(&b->ctx, b->kernel, parent, child.pid, &child))
		n++;
	return n;
}

static void expect_unborn_unlisted(struct bed *b)
{
	EXPECT_EQ(nlisted(b, b->process), 1);
}

static void children_body(struct bed *b)
{
	struct process *a = born(b, "a"), *other = born(b, "other"), *child = forked(b, a), *cousin = forked(b, other);
	struct process *late;

	EXPECT_EQ(nlisted(b, a), 1);
	EXPECT_EQ(nlisted(b, child), 0);
	EXPECT_EQ(nlisted(b, NULL), 2); /* those of the bench are its own */
	b->process = a;
	bed_meanwhile_at(b, 3, expect_unborn_unlisted);
	late = forked(b, a);
	EXPECT(b->asked >= 3);
	bed_fail_at(b, NEVER);
	EXPECT_EQ(nlisted(b, a), 2);
	exits(b, late, 0);
	exits(b, child, 0);
	exits(b, cousin, 0);
	exits(b, a, 0);
	exits(b, other, 0);
	expect_exited(b, a, 0);
	expect_exited(b, other, 0);
}

TEST(task_process, children_are_listed_by_parent_once_they_are_born)
{
	on_both(children_body);
}
