// SPDX-License-Identifier: MIT
/*
 * Acting: which process a thread is, how blocks and runs are left, and how a process dies under them.
 */
#include "bed.h"

#include "unit/aborts.h"

/* ---- blocks ---- */

TEST(acting, as_nests_and_gives_back_who_was_before)
{
	struct ksim_machine *m = bed_boot(NULL);
	struct ksim_process *a = bed_process(m, "a"), *b = bed_process(m, "b");

	EXPECT(ksim_self() == NULL);
	ksim_as(a) {
		EXPECT(ksim_self() == a);
		EXPECT_EQ(ksim_getpid(), ksim_process_pid(a));
		ksim_as(b) {
			EXPECT_EQ(ksim_getpid(), ksim_process_pid(b));
			ksim_as(a)
				EXPECT_EQ(ksim_getpid(), ksim_process_pid(a));
			EXPECT(ksim_self() == b);
		}
		EXPECT(ksim_self() == a);
	}
	EXPECT(ksim_self() == NULL);
	bed_halt(m);
}

static int return_out_of(struct ksim_process *p)
{
	ksim_as(p)
		return ksim_getpid();
	return -1;
}

TEST(acting, as_is_left_by_break_continue_return_and_goto)
{
	struct ksim_machine *m = bed_boot(NULL);
	struct ksim_process *p = bed_process(m, "p"), *q = bed_process(m, "q");
	int times = 0;

	ksim_as(p) {
		times++;
		break;
	}
	EXPECT(ksim_self() == NULL);
	ksim_as(p) {
		times++;
		continue; /* NOLINT(readability-redundant-control-flow): that it ends the block is the promise */
	}
	EXPECT(ksim_self() == NULL);
	EXPECT_EQ(return_out_of(p), ksim_process_pid(p));
	EXPECT(ksim_self() == NULL);
	ksim_as(p) {
		ksim_as(q) {
			times++;
			goto out;
		}
		times = -1;
	}
out:
	EXPECT(ksim_self() == NULL);
	EXPECT_EQ(times, 3);
	bed_halt(m);
}

TEST(acting, enter_and_leave_are_a_stack_that_grows)
{
	struct ksim_machine *m = bed_boot(NULL);
	struct ksim_process *p[2] = { bed_process(m, "a"), bed_process(m, "b") };

	for (int i = 0; i < 100; i++)
		ksim_enter(p[i % 2]);
	for (int i = 99; i >= 0; i--) {
		EXPECT(ksim_self() == p[i % 2]);
		ksim_leave();
	}
	EXPECT(ksim_self() == NULL);
	bed_halt(m);
}

TEST(acting, processes_of_two_machines_nest)
{
	struct ksim_machine *m = bed_boot(NULL), *n = bed_boot(NULL);
	struct ksim_process *p = bed_process(m, "p"), *q = bed_process(n, "q");

	EXPECT(ksim_process_machine(p) == m && ksim_process_machine(q) == n);
	ksim_as(p) {
		int fd = ksim_memfd_create("m", 0);

		ksim_as(q)
			EXPECT_FAILS(ksim_close(fd), EBADF);
		EXPECT_EQ(ksim_close(fd), 0);
	}
	bed_halt(m);
	bed_halt(n);
}

TEST(acting, acting_again_finds_the_same_thread_of_the_process)
{
	struct ksim_machine *m = bed_boot(NULL);
	struct ksim_process *p = bed_process(m, "p");
	pid_t tid = 0;

	ksim_as(p)
		tid = ksim_gettid();
	EXPECT_EQ(tid, ksim_process_pid(p));
	for (int i = 0; i < 3; i++)
		ksim_as(p)
			EXPECT_EQ(ksim_gettid(), tid);
	bed_halt(m);
}

/* ---- runs ---- */

static int give(void *arg)
{
	return *(int *)arg;
}

static int leave_by_exit(void *arg)
{
	ksim_exit(*(int *)arg);
}

TEST(acting, run_returns_the_result_and_the_process_lives)
{
	struct ksim_machine *m = bed_boot(NULL);
	struct ksim_process *p = bed_process(m, "p");
	struct ksim_end end;
	int result = 1234;

	EXPECT_EQ(ksim_run(p, give, &result, &end), 0);
	EXPECT(end.alive);
	EXPECT_EQ(end.code, 1234);
	EXPECT_EQ(ksim_run(p, give, &result, NULL), 0);
	EXPECT(ksim_self() == NULL);
	bed_halt(m);
}

TEST(acting, exit_lands_in_the_run_with_its_code)
{
	struct ksim_machine *m = bed_boot(NULL);
	struct ksim_process *p = bed_process(m, "worker");
	struct ksim_end end;
	int code = 0x107;

	EXPECT_EQ(ksim_run(p, leave_by_exit, &code, &end), 0);
	EXPECT(!end.alive && end.signo == 0);
	EXPECT_EQ(end.code, 7);
	EXPECT_STREQ(end.text, "worker (2) exited with 7");
	EXPECT(ksim_self() == NULL);
	EXPECT_FAILS(ksim_run(p, give, &code, &end), ESRCH);
	EXPECT_FAILS(ksim_start(p, give, &code), ESRCH);
	EXPECT(ksim_process_fork(p, NULL) == NULL && errno == ESRCH);
	EXPECT_FAILS(ksim_process_end(p, 0), ESRCH);
	ksim_process_status(p, &end);
	EXPECT_EQ(end.code, 7);
	EXPECT_EQ(ksim_join(p, &end), 0);
	EXPECT_EQ(end.code, 7);
	bed_halt(m);
}

struct two {
	struct ksim_process *inner, *outer;
	struct ksim_end end;
	int reached;
};

static int exit_inside_blocks(void *arg)
{
	struct two *two = arg;

	ksim_as(two->inner) {
		two->reached++;
		EXPECT_EQ(ksim_process_end(two->outer, 9), 0);
		EXPECT_EQ(ksim_getpid(), ksim_process_pid(two->inner));
	}
	ksim_as(two->outer)
		ksim_getpid();
	two->reached = -1;
	return 0;
}

TEST(acting, process_ended_while_its_thread_is_another_dies_at_its_own_next_call)
{
	struct ksim_machine *m = bed_boot(NULL);
	struct two two = { .inner = bed_process(m, "inner"), .outer = bed_process(m, "outer") };
	struct ksim_end end;

	EXPECT_EQ(ksim_run(two.outer, exit_inside_blocks, &two, &end), 0);
	EXPECT_EQ(two.reached, 1);
	EXPECT(!end.alive);
	EXPECT_EQ(end.code, 9);
	EXPECT(ksim_self() == NULL);
	ksim_as(two.inner)
		EXPECT_EQ(ksim_getppid(), 1);
	bed_halt(m);
}

static int run_twice(void *arg)
{
	struct two *two = arg;
	int code = 3;

	EXPECT_EQ(ksim_run(two->outer, leave_by_exit, &code, &two->end), 0);
	two->reached = 1;
	ksim_getpid();
	two->reached = 2;
	return 0;
}

TEST(acting, death_lands_in_the_innermost_run_first)
{
	struct ksim_machine *m = bed_boot(NULL);
	struct two two = { .outer = bed_process(m, "p") };
	struct ksim_end end;

	EXPECT_EQ(ksim_run(two.outer, run_twice, &two, &end), 0);
	EXPECT_EQ(two.reached, 1);
	EXPECT(!two.end.alive && two.end.code == 3);
	EXPECT(!end.alive && end.code == 3);
	EXPECT_EQ(ksim_join(two.outer, NULL), 0);
	bed_halt(m);
}

/* ---- what cannot be an errno ---- */

static void call_as_nobody(void *arg)
{
	(void)arg;
	ksim_memfd_create("x", 0);
}

static void leave_as_nobody(void *arg)
{
	(void)arg;
	ksim_leave();
}

static void enter(void *arg)
{
	ksim_enter(arg);
}

static void exit_in_a_block(void *arg)
{
	ksim_as(arg)
		ksim_exit(5);
}

static int exit_through_another(void *arg)
{
	struct two *two = arg;

	ksim_as(two->inner)
		ksim_as(two->outer)
			ksim_exit(6);
	return 0;
}

static void run_exit_through_another(void *arg)
{
	struct two *two = arg;

	ksim_run(two->outer, exit_through_another, two, NULL);
}

static void call_within_an_access(void *arg)
{
	ksim_as(arg) {
		ksim_cpu_self->hazard = 0x1000;
		ksim_getpid();
	}
}

TEST(acting, misuse_aborts_with_a_sentence)
{
	struct ksim_machine *m = bed_boot(NULL);
	struct two two = { .inner = bed_process(m, "inner"), .outer = bed_process(m, "outer") };
	struct ksim_process *dead = bed_process(m, "dead");

	expect_abort(call_as_nobody, NULL, "memfd_create: this thread acts as no process");
	expect_abort(leave_as_nobody, NULL, "this thread acts as no process");
	expect_abort(exit_in_a_block, two.inner, "inner (2) exited with 5");
	expect_abort(run_exit_through_another, &two, "outer (3) exited with 6");
	expect_abort(call_within_an_access, two.inner, "no access is under way when the kernel is entered");
	EXPECT_EQ(ksim_process_end(dead, 4), 0);
	expect_abort(enter, dead, "entered a process that has ended: dead (4) exited with 4");
	bed_halt(m);
}

TEST(acting, halt_while_a_thread_acts_is_EBUSY_and_frees_nothing)
{
	struct ksim_machine *m = bed_boot(NULL);
	struct ksim_process *p = bed_process(m, "p");

	ksim_as(p) {
		EXPECT_FAILS(ksim_halt(m), EBUSY);
		EXPECT_EQ(ksim_getpid(), ksim_process_pid(p));
	}
	bed_halt(m);
}
