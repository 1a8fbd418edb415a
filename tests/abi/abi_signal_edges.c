// SPDX-License-Identifier: MIT
/*
 * What Linux promises of signals and of waits where nothing happens: signals whose default is nothing, children that
 * are not meant, states that no child is in. signal(7), waitpid(2), waitid(2), getrlimit(2).
 */
#include "abi.h"

static bool refused(long result, int error)
{
	return result == -1 && errno == error;
}

static bool pends(int signo)
{
	sigset_t set;

	return x_sigpending(&set) == 0 && sigismember(&set, signo) == 1;
}

static int waits_for_nothing(void *arg)
{
	static const int harmless[] = { SIGURG, SIGWINCH, SIGCHLD, SIGCONT };
	sigset_t set;

	(void)arg;
	for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++) {
		sigemptyset(&set);
		sigaddset(&set, harmless[i]);
		CHILD_EXPECT(x_kill(x_getpid(), harmless[i]) == 0);
		CHILD_EXPECT(!pends(harmless[i]));
		CHILD_EXPECT(x_sigprocmask(SIG_BLOCK, &set, NULL) == 0);
		CHILD_EXPECT(x_kill(x_getpid(), harmless[i]) == 0);
		CHILD_EXPECT(pends(harmless[i]));
		CHILD_EXPECT(x_sigprocmask(SIG_UNBLOCK, &set, NULL) == 0);
		CHILD_EXPECT(!pends(harmless[i]));
	}
	return 0;
}

TEST(signal_edges, signal_whose_default_is_nothing_waits_while_it_is_blocked_and_is_gone_then)
{
	/* signal(7). */
	EXPECT_EQ(in_child(waits_for_nothing, NULL), 0);
}

static int both_at_once(void *arg)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	sigset_t set;

	(void)arg;
	/*
	 * Blocked when it comes, ignored when it is unblocked; and one that would end the process in the same moment.
	 */
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGURG);
	CHILD_EXPECT(x_sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	CHILD_EXPECT(x_kill(x_getpid(), SIGURG) == 0 && x_kill(x_getpid(), SIGUSR1) == 0);
	CHILD_EXPECT(x_sigaction(SIGUSR1, &ignore, NULL) == 0);
	CHILD_EXPECT(!pends(SIGUSR1) && pends(SIGURG)); /* sigaction(2): ignoring it forgets it */
	CHILD_EXPECT(x_sigprocmask(SIG_UNBLOCK, &set, NULL) == 0);
	x_sigprocmask(SIG_BLOCK, &set, NULL);
	CHILD_EXPECT(x_kill(x_getpid(), SIGURG) == 0 && x_kill(x_getpid(), SIGTERM) == 0);
	return 1;
}

TEST(signal_edges, ignoring_a_signal_forgets_one_that_waits)
{
	EXPECT_EQ(in_child(both_at_once, NULL), -SIGTERM);
}

static int dies_when_it_may(void *arg)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, *(int *)arg);
	CHILD_EXPECT(x_sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	CHILD_EXPECT(x_kill(x_getpid(), *(int *)arg) == 0);
	CHILD_EXPECT(pends(*(int *)arg));
	x_sigprocmask(SIG_UNBLOCK, &set, NULL);
	return 1;
}

TEST(signal_edges, signal_that_kills_waits_while_it_is_blocked)
{
	/* signal(7). */
	int signo = SIGTERM;

	EXPECT_EQ(in_child(dies_when_it_may, &signo), -SIGTERM);
	signo = SIGRTMIN;
	EXPECT_EQ(in_child(dies_when_it_may, &signo), -SIGRTMIN);
}

static int ends(void *arg)
{
	(void)arg;
	return 5;
}

static int leads_a_group(void *arg)
{
	(void)arg;
	return x_setpgid(0, 0) == 0 ? 6 : 1;
}

static int waits_by_kind(void *arg)
{
	siginfo_t info;
	pid_t plain, leader, clone;
	int status;

	(void)arg;
	plain = x_fork_into(ends, NULL);
	leader = x_fork_into(leads_a_group, NULL);
	clone = x_clone(ends, 0, NULL, NULL, NULL); /* its end is told by no signal */
	CHILD_EXPECT(plain > 0 && leader > 0 && clone > 0);
	CHILD_EXPECT(x_waitid(P_PID, (id_t)plain, &info, WEXITED | WNOWAIT) == 0);
	CHILD_EXPECT(x_waitid(P_PID, (id_t)leader, &info, WEXITED | WNOWAIT) == 0);
	CHILD_EXPECT(x_waitid(P_PID, (id_t)clone, &info, WEXITED | WNOWAIT | __WCLONE) == 0);

	/* No child stops or goes on any more. */
	CHILD_EXPECT(refused(x_waitid(P_PID, (id_t)plain, &info, WSTOPPED | WNOHANG), ECHILD));
	CHILD_EXPECT(refused(x_waitid(P_ALL, 0, &info, WSTOPPED | WCONTINUED), ECHILD));
	/* Each kind by itself, whoever else has ended. */
	CHILD_EXPECT(refused(x_waitpid(plain, &status, __WCLONE), ECHILD));
	CHILD_EXPECT(refused(x_waitpid(clone, &status, 0), ECHILD));
	CHILD_EXPECT(x_waitpid(-leader, &status, 0) == leader && WEXITSTATUS(status) == 6);
	CHILD_EXPECT(refused(x_waitpid(-leader, &status, 0), ECHILD));
	CHILD_EXPECT(x_waitpid(-1, &status, __WCLONE) == clone && WEXITSTATUS(status) == 5);
	CHILD_EXPECT(refused(x_waitpid(-1, &status, __WCLONE), ECHILD));
	CHILD_EXPECT(x_waitpid(-1, &status, 0) == plain);
	CHILD_EXPECT(refused(x_waitpid(-1, &status, __WALL), ECHILD));
	return 0;
}

TEST(signal_edges, wait_takes_only_children_that_are_meant)
{
	/* waitpid(2), waitid(2): groups, __WCLONE, states. */
	EXPECT_EQ(in_child(waits_by_kind, NULL), 0);
}

static int waits_for_the_oldest(void *arg)
{
	enum { CHILDREN = 5 };
	pid_t children[CHILDREN];
	siginfo_t info;

	(void)arg;
	for (int i = 0; i < CHILDREN; i++)
		CHILD_EXPECT((children[i] = x_fork_into(ends, NULL)) > 0);
	for (int i = CHILDREN - 1; i >= 0; i--)
		CHILD_EXPECT(x_waitid(P_PID, (id_t)children[i], &info, WEXITED | WNOWAIT) == 0);
	for (int i = 0; i < CHILDREN; i++)
		CHILD_EXPECT(x_wait(NULL) == children[i]);
	return 0;
}

TEST(signal_edges, wait_gives_the_oldest_child_that_has_ended)
{
	EXPECT_EQ(in_child(waits_for_the_oldest, NULL), 0);
}

static int raises_hard_limits(void *arg)
{
	struct rlimit limit, low = { 10, 10 };

	(void)arg;
	CHILD_EXPECT(x_getrlimit(RLIMIT_FSIZE, &limit) == 0);
	CHILD_EXPECT(x_setrlimit(RLIMIT_FSIZE, &low) == 0);
	low.rlim_max = 100;
#ifndef ABI_KSIM
	if (x_setrlimit(RLIMIT_FSIZE, &low) == -1 && errno == EPERM)
		return 77;
#endif
	CHILD_EXPECT(x_setrlimit(RLIMIT_FSIZE, &low) == 0);
	CHILD_EXPECT(x_setrlimit(RLIMIT_FSIZE, &limit) == 0);
	CHILD_EXPECT(x_getrlimit(RLIMIT_FSIZE, &low) == 0 && low.rlim_max == limit.rlim_max);
	return 0;
}

TEST(signal_edges, root_raises_hard_limits_again)
{
	/* getrlimit(2): CAP_SYS_RESOURCE. */
	int result;

	if (x_geteuid() != 0)
		SKIP("needs root");
	result = in_child(raises_hard_limits, NULL);
	if (result == 77)
		SKIP("root without CAP_SYS_RESOURCE");
	EXPECT_EQ(result, 0);
}
