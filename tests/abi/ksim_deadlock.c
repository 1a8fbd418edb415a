// SPDX-License-Identifier: MIT
/*
 * A test never hangs: a call that nothing can wake returns EDEADLK, where Linux would wait for ever, and the report
 * names each process, its call and what it waits for. The report goes to a callback here.
 */
#include "abi.h"

static char reported[8192];

static void keep(void *arg, const char *line)
{
	size_t used = strlen(reported);

	(void)arg;
	snprintf(reported + used, sizeof(reported) - used, "%s\n", line);
}

static struct ksim_machine *boot(void)
{
	struct ksim_config config = { .arch = abi_arch(), .access = ABI_ACCESS, .report = keep };
	struct ksim_machine *m = ksim_boot(&config);

	SETUP(m != NULL);
	reported[0] = '\0';
	return m;
}

TEST(deadlock, recv_that_nobody_can_answer_fails_EDEADLK_and_says_who_waits)
{
	/* The only process waits for a message from itself. */
	struct ksim_machine *m = boot();
	struct ksim_process *lonely = ksim_process_create(m, "lonely");
	char byte;

	SETUP(lonely != NULL);
	ksim_as(lonely) {
		int ends[2];

		stream_pair(ends);
		EXPECT_FAILS(x_recv(ends[0], &byte, 1, 0), EDEADLK);
		EXPECT_EQ(x_send(ends[1], "x", 1, MSG_NOSIGNAL), 1);
		EXPECT_EQ(x_recv(ends[0], &byte, 1, 0), 1);
		close_pair(ends);
	}
	EXPECT_MSG(strstr(reported, "lonely") != NULL, "the report is: %s", reported);
	EXPECT_MSG(strstr(reported, "recv") != NULL, "the report is: %s", reported);
	EXPECT_EQ(ksim_halt(m), 0);
}

TEST(deadlock, accept_that_nobody_can_answer_fails_EDEADLK)
{
	/* The same for a listening socket. */
	struct ksim_machine *m = boot();
	struct ksim_process *lonely = ksim_process_create(m, "lonely");

	SETUP(lonely != NULL);
	ksim_as(lonely) {
		struct sockaddr_un address;
		socklen_t len;
		int server = listener(&address, &len, 1);

		EXPECT_FAILS(x_accept(server, NULL, NULL), EDEADLK);
		EXPECT_EQ(x_close(server), 0);
	}
	EXPECT_EQ(ksim_halt(m), 0);
}

TEST(deadlock, wait_for_a_signal_that_nobody_can_send_fails_EDEADLK)
{
	/* pause(2), sigsuspend(2), sigtimedwait(2) without a timeout. The mask is what it was before. */
	struct ksim_machine *m = boot();
	struct ksim_process *lonely = ksim_process_create(m, "lonely");

	SETUP(lonely != NULL);
	ksim_as(lonely) {
		sigset_t set, now;

		sigemptyset(&set);
		EXPECT_FAILS(x_pause(), EDEADLK);
		sigaddset(&set, SIGUSR1);
		EXPECT_FAILS(x_sigsuspend(&set), EDEADLK);
		EXPECT_EQ(x_sigprocmask(SIG_BLOCK, NULL, &now), 0);
		EXPECT_EQ(sigismember(&now, SIGUSR1), 0);
		EXPECT_FAILS(x_sigtimedwait(&set, NULL, NULL), EDEADLK);
	}
	EXPECT_MSG(strstr(reported, "a signal") != NULL, "the report is: %s", reported);
	EXPECT_EQ(ksim_halt(m), 0);
}

static int waits_for_the_other(void *arg)
{
	char byte;

	return x_recv(*(int *)arg, &byte, 1, 0) == -1 && errno == EDEADLK ? 0 : 1;
}

TEST(deadlock, two_processes_that_wait_for_each_other_both_get_EDEADLK)
{
	/* Neither can go on before the other does. */
	struct ksim_machine *m = boot();
	struct ksim_process *left = ksim_process_create(m, "left"), *right = ksim_process_create(m, "right");
	struct ksim_end end;
	int ends[2], copies[2];

	SETUP(left != NULL && right != NULL);
	SETUP(ksim_socketpair_between(left, right, SOCK_STREAM, ends) == 0);
	copies[0] = ksim_fd_copy(left, ends[0], right); /* so that the end of one is not the other's answer */
	copies[1] = ksim_fd_copy(right, ends[1], left);
	SETUP(copies[0] >= 0 && copies[1] >= 0);
	SETUP(ksim_start(right, waits_for_the_other, &ends[1]) == 0);
	EXPECT_EQ(ksim_run(left, waits_for_the_other, &ends[0], &end), 0);
	EXPECT_MSG(end.alive && end.code == 0, "left: %s", end.text);
	EXPECT_EQ(ksim_join(right, &end), 0);
	EXPECT_MSG(end.code == 0 && end.signo == 0, "right: %s", end.text);
	EXPECT_EQ(ksim_halt(m), 0);
}

TEST(deadlock, join_of_a_process_that_nobody_runs_fails_EDEADLK)
{
	/* It lives, and nobody acts as it. */
	struct ksim_machine *m = boot();
	struct ksim_process *idle = ksim_process_create(m, "idle");
	struct ksim_end end;

	SETUP(idle != NULL);
	EXPECT_FAILS(ksim_join(idle, &end), EDEADLK);
	EXPECT_EQ(ksim_process_end(idle, 3), 0);
	EXPECT_EQ(ksim_join(idle, &end), 0);
	EXPECT_EQ(end.code, 3);
	EXPECT_EQ(ksim_halt(m), 0);
}
