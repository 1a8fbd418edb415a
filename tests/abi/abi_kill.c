// SPDX-License-Identifier: MIT
/*
 * What Linux promises of kill and its kin: to whom, who may, and what is refused. kill(2), tgkill(2), sigqueue(3).
 */
#include "abi.h"

static bool refused(long result, int error)
{
	return result == -1 && errno == error;
}

/* A child that sleeps until it is told to end; it answers signals with a byte. */
struct sleeper {
	pid_t pid;
	int end;
};

static int answers_on[64]; /* by pid: here one for all processes, on the host one for each */

static void answer(int signo)
{
	char byte = (char)signo;

	x_send(answers_on[x_getpid() % 64], &byte, 1, 0);
}

static int sleeps(void *arg)
{
	struct sigaction action = { .sa_handler = answer, .sa_flags = SA_RESTART };
	int end = *(int *)arg;
	char byte;

	answers_on[x_getpid() % 64] = end;
	x_sigaction(SIGUSR1, &action, NULL);
	x_send(end, "r", 1, 0);
	return x_recv(end, &byte, 1, 0) == 1 ? byte : 100;
}

static int theirs; /* the sleeper's end; it keeps it */

static struct sleeper sleeper(void)
{
	struct sleeper s;
	char ready;
	int ends[2];

	stream_pair(ends);
	theirs = ends[1];
	s.pid = x_fork_into(sleeps, &theirs);
	SETUP(s.pid > 0);
	s.end = ends[0];
	SETUP(x_recv(s.end, &ready, 1, 0) == 1);
	SETUP(x_close(ends[1]) == 0);
	return s;
}

static int finish(struct sleeper *s)
{
	int status;

	x_send(s->end, "\7", 1, MSG_NOSIGNAL);
	SETUP(x_waitpid(s->pid, &status, 0) == s->pid);
	SETUP(x_close(s->end) == 0);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

TEST(kill, reaches_another_process)
{
	/* kill(2). */
	struct sleeper s = sleeper();
	char byte = 0;

	EXPECT_EQ(x_kill(s.pid, SIGUSR1), 0);
	EXPECT_EQ(x_recv(s.end, &byte, 1, 0), 1);
	EXPECT_EQ(byte, SIGUSR1);
	EXPECT_EQ(finish(&s), 7);
}

TEST(kill, kills_another_process)
{
	/* kill(2), signal(7). */
	struct sleeper s = sleeper();

	EXPECT_EQ(x_kill(s.pid, SIGKILL), 0);
	EXPECT_EQ(finish(&s), -SIGKILL);
	s = sleeper();
	EXPECT_EQ(x_kill(s.pid, SIGTERM), 0);
	EXPECT_EQ(finish(&s), -SIGTERM);
}

TEST(kill, signal_0_asks_whether_there_is_somebody)
{
	/* kill(2): no signal is sent, but existence and permission checks are still performed. */
	struct sleeper s = sleeper();

	EXPECT_EQ(x_kill(s.pid, 0), 0);
	EXPECT_EQ(x_tgkill(s.pid, s.pid, 0), 0);
	x_send(s.end, "\3", 1, 0);
	EXPECT_EQ(x_recv(s.end, &(char){ 0 }, 1, 0), 0);
	EXPECT_EQ(x_kill(s.pid, 0), 0); /* a zombie is somebody */
	EXPECT_EQ(x_kill(s.pid, SIGKILL), 0);
	EXPECT_EQ(finish(&s), 3);
	EXPECT_FAILS(x_kill(s.pid, 0), ESRCH);
	EXPECT_FAILS(x_tgkill(s.pid, s.pid, 0), ESRCH);
}

TEST(kill, nobody_is_ESRCH)
{
	/* kill(2). */
	EXPECT_FAILS(x_kill(4000000, SIGTERM), ESRCH);
	EXPECT_FAILS(x_kill(4000000, 100), ESRCH); /* before the signal is looked at */
	EXPECT_FAILS(x_kill(-4000000, SIGTERM), ESRCH);
	EXPECT_FAILS(x_kill(INT32_MIN, SIGTERM), ESRCH);
	EXPECT_FAILS(x_tgkill(x_getpid(), 4000000, SIGTERM), ESRCH);
}

TEST(kill, signal_that_is_none_is_EINVAL)
{
	/* kill(2), tgkill(2). */
	EXPECT_FAILS(x_kill(x_getpid(), 65), EINVAL);
	EXPECT_FAILS(x_kill(x_getpid(), -1), EINVAL);
	EXPECT_FAILS(x_tgkill(x_getpid(), x_gettid(), 65), EINVAL);
	EXPECT_FAILS(x_tgkill(0, x_gettid(), 0), EINVAL);
	EXPECT_FAILS(x_tgkill(x_getpid(), 0, 0), EINVAL);
	EXPECT_FAILS(x_tgkill(x_getpid(), -1, 0), EINVAL);
	EXPECT_EQ(x_tgkill(x_getpid(), x_gettid(), 0), 0);
}

static int is_nobody(void *arg)
{
	const struct sleeper *s = arg;
	union sigval value = { 0 };

	CHILD_EXPECT(x_setresuid(1000, 1000, 1000) == 0);
	CHILD_EXPECT(refused(x_kill(s->pid, SIGTERM), EPERM));
	CHILD_EXPECT(refused(x_kill(s->pid, 0), EPERM));
	CHILD_EXPECT(refused(x_tgkill(s->pid, s->pid, SIGTERM), EPERM));
	CHILD_EXPECT(refused(x_sigqueue(s->pid, SIGTERM, value), EPERM));
	CHILD_EXPECT(refused(x_kill(s->pid, 65), EINVAL));
	CHILD_EXPECT(x_kill(x_getpid(), 0) == 0);
	return 0;
}

TEST(kill, another_users_process_is_EPERM)
{
	/* kill(2). */
	struct sleeper s;

	if (x_geteuid() != 0)
		SKIP("not root");
	s = sleeper();
	EXPECT_EQ(in_child(is_nobody, &s), 0);
	EXPECT_EQ(finish(&s), 7);
}

static int becomes_nobody_and_sleeps(void *arg)
{
	x_setresuid(1000, 1001, 1002);
	return sleeps(arg);
}

static int sends_as(void *arg)
{
	const struct {
		pid_t pid;
		uid_t real, effective;
		int error;
	} *a = arg;

	CHILD_EXPECT(x_setresuid(a->real, a->effective, a->effective) == 0);
	if (a->error == 0)
		CHILD_EXPECT(x_kill(a->pid, 0) == 0);
	else
		CHILD_EXPECT(refused(x_kill(a->pid, 0), a->error));
	return 0;
}

TEST(kill, real_or_effective_user_must_be_the_real_or_saved_one)
{
	/* kill(2). */
	struct {
		pid_t pid;
		uid_t real, effective;
		int error;
	} a = { 0 };
	char byte;
	int ends[2];

	if (x_geteuid() != 0)
		SKIP("not root");
	stream_pair(ends);
	a.pid = x_fork_into(becomes_nobody_and_sleeps, &ends[1]);
	SETUP(a.pid > 0);
	SETUP(x_recv(ends[0], &byte, 1, 0) == 1);
	a.real = 1000, a.effective = 5; /* the real one */
	EXPECT_EQ(in_child(sends_as, &a), 0);
	a.real = 5, a.effective = 1002; /* the saved one */
	EXPECT_EQ(in_child(sends_as, &a), 0);
	a.real = 1001, a.effective = 1001, a.error = EPERM; /* the effective one does not count */
	EXPECT_EQ(in_child(sends_as, &a), 0);
	EXPECT_EQ(x_send(ends[0], "\7", 1, 0), 1);
	EXPECT_EQ(x_waitpid(a.pid, NULL, 0), a.pid);
	close_pair(ends);
}

static int groups(void *arg)
{
	struct sleeper a, b;
	pid_t self = x_getpid();
	char byte;

	(void)arg;
	CHILD_EXPECT(x_setpgid(0, 0) == 0);
	CHILD_EXPECT(x_getpgrp() == self && x_getpgid(0) == self && x_getpgid(self) == self);
	a = sleeper();
	b = sleeper();
	CHILD_EXPECT(x_getpgid(a.pid) == self);
	CHILD_EXPECT(x_setpgid(a.pid, 0) == 0);
	CHILD_EXPECT(x_getpgid(a.pid) == a.pid);
	CHILD_EXPECT(x_setpgid(b.pid, a.pid) == 0);
	CHILD_EXPECT(x_kill(-a.pid, SIGUSR1) == 0);
	CHILD_EXPECT(x_recv(a.end, &byte, 1, 0) == 1 && x_recv(b.end, &byte, 1, 0) == 1);
	CHILD_EXPECT(x_setpgid(b.pid, self) == 0);
	CHILD_EXPECT(x_kill(-a.pid, SIGUSR1) == 0);
	CHILD_EXPECT(x_recv(a.end, &byte, 1, 0) == 1);
	CHILD_EXPECT(refused(x_recv(b.end, &byte, 1, MSG_DONTWAIT), EAGAIN));
	CHILD_EXPECT(x_waitpid(-b.pid, NULL, 0) == -1 && errno == ECHILD);
	CHILD_EXPECT(x_send(a.end, "\7", 1, 0) == 1);
	CHILD_EXPECT(x_waitpid(-a.pid, NULL, 0) == a.pid);
	CHILD_EXPECT(refused(x_kill(-a.pid, 0), ESRCH));
	CHILD_EXPECT(x_send(b.end, "\7", 1, 0) == 1);
	CHILD_EXPECT(x_waitpid(0, NULL, 0) == b.pid);
	CHILD_EXPECT(x_close(a.end) == 0 && x_close(b.end) == 0);
	return 0;
}

TEST(kill, negative_pid_is_a_group)
{
	/* kill(2), setpgid(2), waitpid(2). */
	EXPECT_EQ(in_child(groups, NULL), 0);
}

static int own_group(void *arg)
{
	struct sigaction action = { .sa_handler = SIG_IGN };
	struct sleeper s;

	(void)arg;
	CHILD_EXPECT(x_setpgid(0, 0) == 0);
	s = sleeper();
	x_sigaction(SIGTERM, &action, NULL);
	CHILD_EXPECT(x_kill(0, SIGTERM) == 0);
	CHILD_EXPECT(finish(&s) == -SIGTERM);
	return 0;
}

TEST(kill, pid_0_is_the_callers_group)
{
	/* kill(2). */
	EXPECT_EQ(in_child(own_group, NULL), 0);
}

static int bad_groups(void *arg)
{
	(void)arg;
	CHILD_EXPECT(x_setpgid(0, 0) == 0);
	CHILD_EXPECT(refused(x_setpgid(0, -1), EINVAL));
	CHILD_EXPECT(refused(x_setpgid(0, 4000000), EPERM));
	CHILD_EXPECT(refused(x_setpgid(4000000, 0), ESRCH));
	CHILD_EXPECT(refused(x_setpgid(x_getppid(), 0), ESRCH));
	CHILD_EXPECT(refused(x_getpgid(4000000), ESRCH));
	return 0;
}

TEST(kill, setpgid_knows_only_oneself_and_children)
{
	/* setpgid(2). */
	EXPECT_EQ(in_child(bad_groups, NULL), 0);
}
