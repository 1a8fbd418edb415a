// SPDX-License-Identifier: MIT
/*
 * What Linux promises of waiting for children: status, waitid, SIGCHLD, and who is waited for. wait(2), waitid(2),
 * wait4(2).
 */
#include "abi.h"

static bool refused(long result, int error)
{
	return result == -1 && errno == error;
}

static int exits_with(void *arg)
{
	x_exit(*(int *)arg);
	return 0;
}

static int kills_itself(void *arg)
{
	x_kill(x_getpid(), *(int *)arg);
	return 99;
}

static pid_t exited(int code)
{
	static int codes[4];
	static unsigned next;
	int *mine = &codes[next++ % 4];
	pid_t pid;

	*mine = code;
	pid = x_fork_into(exits_with, mine);
	SETUP(pid > 0);
	return pid;
}

static int statuses(void *arg)
{
	int signo = SIGTERM;
	pid_t pid = exited(0x1234);
	int status;

	(void)arg;
	CHILD_EXPECT(x_waitpid(pid, &status, 0) == pid);
	CHILD_EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0x34 && status == 0x3400);
	pid = x_fork_into(kills_itself, &signo);
	CHILD_EXPECT(x_wait(&status) == pid);
	CHILD_EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM && !WCOREDUMP(status) && status == SIGTERM);
	CHILD_EXPECT(refused(x_wait(&status), ECHILD));
	return 0;
}

TEST(wait, status_tells_of_exit_or_signal)
{
	/* wait(2). */
	EXPECT_EQ(in_child(statuses, NULL), 0);
}

static int with_waitid(void *arg)
{
	int signo = SIGKILL;
	pid_t pid = exited(5);
	siginfo_t info;

	(void)arg;
	memset(&info, 0x55, sizeof(info));
	CHILD_EXPECT(x_waitid(P_PID, (id_t)pid, &info, WEXITED) == 0);
	CHILD_EXPECT(info.si_signo == SIGCHLD && info.si_code == CLD_EXITED && info.si_status == 5);
	CHILD_EXPECT(info.si_pid == pid && info.si_uid == x_getuid() && info.si_errno == 0);
	pid = x_fork_into(kills_itself, &signo);
	CHILD_EXPECT(x_waitid(P_ALL, 0, &info, WEXITED) == 0);
	CHILD_EXPECT(info.si_code == CLD_KILLED && info.si_status == SIGKILL && info.si_pid == pid);
	CHILD_EXPECT(refused(x_waitid(P_ALL, 0, &info, WEXITED), ECHILD));
	return 0;
}

TEST(wait, waitid_tells_in_a_siginfo)
{
	/* waitid(2). */
	EXPECT_EQ(in_child(with_waitid, NULL), 0);
}

static int leaves_waitable(void *arg)
{
	pid_t pid = exited(6);
	siginfo_t info;
	int status;

	(void)arg;
	for (int i = 0; i < 3; i++) {
		memset(&info, 0, sizeof(info));
		CHILD_EXPECT(x_waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0);
		CHILD_EXPECT(info.si_pid == pid && info.si_status == 6);
	}
	CHILD_EXPECT(x_waitpid(pid, &status, WNOHANG) == pid && WEXITSTATUS(status) == 6);
	CHILD_EXPECT(refused(x_waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), ECHILD));
	return 0;
}

TEST(wait, WNOWAIT_leaves_the_child_waitable)
{
	/* waitid(2). */
	EXPECT_EQ(in_child(leaves_waitable, NULL), 0);
}

static int waits_for_a_byte(void *arg)
{
	char byte;

	return x_recv(*(int *)arg, &byte, 1, 0) == 1 ? byte : 99;
}

static int does_not_hang(void *arg)
{
	siginfo_t info;
	int status = 77;
	int ends[2];
	pid_t pid;

	(void)arg;
	stream_pair(ends);
	pid = x_fork_into(waits_for_a_byte, &ends[1]);
	CHILD_EXPECT(x_waitpid(pid, &status, WNOHANG) == 0 && status == 77);
	CHILD_EXPECT(x_waitpid(-1, &status, WNOHANG) == 0);
	memset(&info, 0x55, sizeof(info));
	CHILD_EXPECT(x_waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG) == 0);
	CHILD_EXPECT(info.si_pid == 0 && info.si_signo == 0);
	CHILD_EXPECT(x_send(ends[0], "\11", 1, 0) == 1);
	CHILD_EXPECT(x_waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 9);
	close_pair(ends);
	return 0;
}

TEST(wait, WNOHANG_returns_at_once)
{
	/* wait(2), waitid(2): si_pid and si_signo are zeroed. */
	EXPECT_EQ(in_child(does_not_hang, NULL), 0);
}

static int bad_waits(void *arg)
{
	addr_t hole = *(addr_t *)arg;
	siginfo_t info;
	pid_t pid;
	int status;

	CHILD_EXPECT(refused(x_waitpid(-1, &status, 0x1000), EINVAL));
	CHILD_EXPECT(refused(x_waitpid(INT32_MIN, &status, 0), ESRCH));
	CHILD_EXPECT(refused(x_waitpid(x_getpid(), &status, 0), ECHILD));
	CHILD_EXPECT(refused(x_waitpid(-1, &status, 0), ECHILD));
	CHILD_EXPECT(refused(x_waitid(P_ALL, 0, &info, 0), EINVAL));
	CHILD_EXPECT(refused(x_waitid(P_ALL, 0, &info, WNOHANG), EINVAL));
	CHILD_EXPECT(refused(x_waitid(P_ALL, 0, &info, WEXITED | 0x1000), EINVAL));
	CHILD_EXPECT(refused(x_waitid((idtype_t)17, 1, &info, WEXITED), EINVAL));
	CHILD_EXPECT(refused(x_waitid(P_PID, 0, &info, WEXITED), EINVAL));
	CHILD_EXPECT(refused(x_waitid(P_PID, (id_t)-5, &info, WEXITED), EINVAL));
	CHILD_EXPECT(refused(x_waitid((idtype_t)3, 4000, &info, WEXITED), EBADF)); /* P_PIDFD */
	pid = exited(1);
	CHILD_EXPECT(refused(x_waitpid(pid, ubuf(hole), 0), EFAULT));
	CHILD_EXPECT(refused(x_waitpid(pid, &status, 0), ECHILD)); /* it has been reaped all the same */
	pid = exited(1);
	CHILD_EXPECT(refused(x_waitid(P_PID, (id_t)pid, ubuf(hole), WEXITED), EFAULT));
	CHILD_EXPECT(refused(x_waitpid(pid, &status, 0), ECHILD));
	return 0;
}

TEST(wait, bad_arguments_are_refused)
{
	/* wait(2): ECHILD, EINVAL, ESRCH; EFAULT comes after the child has gone. */
	addr_t hole = unmapped_page();

	EXPECT_EQ(in_child(bad_waits, &hole), 0);
}

static siginfo_t told;
static int ntold;

static void note(int signo, siginfo_t *info, void *context)
{
	(void)signo;
	(void)context;
	told = *info;
	ntold++;
}

static int is_told(void *arg)
{
	struct sigaction action = { .sa_sigaction = note, .sa_flags = SA_SIGINFO };
	sigset_t chld, old;
	pid_t pid;

	(void)arg;
	ntold = 0;
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	CHILD_EXPECT(x_sigaction(SIGCHLD, &action, NULL) == 0);
	CHILD_EXPECT(x_sigprocmask(SIG_BLOCK, &chld, &old) == 0);
	pid = exited(8);
	while (ntold == 0)
		x_sigsuspend(&old);
	CHILD_EXPECT(ntold == 1 && told.si_signo == SIGCHLD && told.si_code == CLD_EXITED);
	CHILD_EXPECT(told.si_pid == pid && told.si_status == 8 && told.si_uid == x_getuid());
	CHILD_EXPECT(x_waitpid(pid, NULL, WNOHANG) == pid);
	return 0;
}

TEST(wait, parent_gets_SIGCHLD)
{
	/* signal(7), sigaction(2): si_status and si_pid. */
	EXPECT_EQ(in_child(is_told, NULL), 0);
}

static int ends_later(void *arg)
{
	(void)arg;
	for (int i = 0; i < 2000; i++)
		sched_yield();
	return 3;
}

static int waits_with_a_handler(void *arg)
{
	struct sigaction action = { .sa_sigaction = note, .sa_flags = SA_SIGINFO };
	int status = 0;
	pid_t pid;

	(void)arg;
	CHILD_EXPECT(x_sigaction(SIGCHLD, &action, NULL) == 0);
	for (int i = 0; i < 5; i++) {
		ntold = 0;
		pid = x_fork_into(ends_later, NULL);
		CHILD_EXPECT(pid > 0);
		CHILD_EXPECT(x_waitpid(pid, &status, 0) == pid);
		CHILD_EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 3);
		CHILD_EXPECT(ntold == 1);
	}
	return 0;
}

TEST(wait, waitpid_that_SIGCHLD_interrupts_returns_the_child_that_sent_it)
{
	/* wait(2) EINTR: not by the signal of the child itself, even if its action is without SA_RESTART. */
	EXPECT_EQ(in_child(waits_with_a_handler, NULL), 0);
}

static int does_not_care(void *arg)
{
	struct sigaction action = { .sa_handler = SIG_IGN };
	int status;

	(void)arg;
	CHILD_EXPECT(x_sigaction(SIGCHLD, &action, NULL) == 0);
	exited(1);
	exited(2);
	CHILD_EXPECT(refused(x_wait(&status), ECHILD)); /* after both have ended */
	return 0;
}

TEST(wait, children_of_one_who_ignores_SIGCHLD_become_no_zombies)
{
	/* wait(2): a wait blocks until all children have terminated, and then fails with ECHILD. */
	EXPECT_EQ(in_child(does_not_care, NULL), 0);
}

static int does_not_care_but_is_told(void *arg)
{
	struct sigaction action = { .sa_sigaction = note, .sa_flags = SA_SIGINFO | SA_NOCLDWAIT };
	int status;

	(void)arg;
	ntold = 0;
	CHILD_EXPECT(x_sigaction(SIGCHLD, &action, NULL) == 0);
	exited(1);
	while (x_wait(&status) == -1 && errno == EINTR)
		;
	CHILD_EXPECT(errno == ECHILD);
	CHILD_EXPECT(ntold == 1 && told.si_status == 1);
	return 0;
}

TEST(wait, SA_NOCLDWAIT_makes_no_zombies_and_tells_still)
{
	/* sigaction(2): Linux sends SIGCHLD. */
	EXPECT_EQ(in_child(does_not_care_but_is_told, NULL), 0);
}

static int sleeps(void *arg)
{
	char byte;

	return x_recv(*(int *)arg, &byte, 1, 0) == 1 ? byte : 99;
}

static int oldest_first(void *arg)
{
	int ends[2];
	pid_t first, second;
	siginfo_t info;
	int status;

	(void)arg;
	stream_pair(ends);
	first = x_fork_into(sleeps, &ends[1]);
	second = exited(2);
	CHILD_EXPECT(x_waitid(P_PID, (id_t)second, &info, WEXITED | WNOWAIT) == 0);
	CHILD_EXPECT(x_send(ends[0], "\1", 1, 0) == 1);
	CHILD_EXPECT(x_waitid(P_PID, (id_t)first, &info, WEXITED | WNOWAIT) == 0);
	CHILD_EXPECT(x_wait(&status) == first);
	CHILD_EXPECT(x_wait(&status) == second);
	close_pair(ends);
	return 0;
}

TEST(wait, of_any_takes_the_oldest_child_that_has_ended)
{
	/* Not in the manual; do_wait goes through the children in the order of their birth. */
	EXPECT_EQ(in_child(oldest_first, NULL), 0);
}
