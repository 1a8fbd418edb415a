// SPDX-License-Identifier: MIT
/*
 * What Linux promises of process groups and of signals to many: setpgid(2), getpgid(2), kill(2), tkill(2).
 */
#include "abi.h"

#include <sys/syscall.h>

static int own_group(void *unused)
{
	(void)unused;
	CHILD_EXPECT(x_getpgrp() == x_getpgid(0));
	CHILD_EXPECT(x_setpgid(0, 0) == 0);
	CHILD_EXPECT(x_getpgrp() == x_getpid());
	CHILD_EXPECT(x_getpgid(x_getpid()) == x_getpid());
	CHILD_EXPECT(x_setpgid(0, x_getpid()) == 0);
	return 0;
}

TEST(groups, process_may_lead_one_of_its_own)
{
	EXPECT_EQ(in_child(own_group, NULL), 0);
}

static int inherits(void *unused)
{
	pid_t group = x_getpgrp();

	(void)unused;
	return group == x_getpgid(x_getppid()) ? 0 : 1;
}

TEST(groups, child_is_of_its_parents)
{
	EXPECT_EQ(in_child(inherits, NULL), 0);
}

static int asks_wrongly(void *unused)
{
	(void)unused;
	CHILD_EXPECT(x_setpgid(-1, 0) == -1 && errno == EINVAL);
	CHILD_EXPECT(x_setpgid(0, -1) == -1 && errno == EINVAL);
	CHILD_EXPECT(x_setpgid(4194303, 0) == -1 && errno == ESRCH);
	CHILD_EXPECT(x_setpgid(0, 4194303) == -1 && errno == EPERM);
	CHILD_EXPECT(x_getpgid(-1) == -1 && errno == ESRCH);
	CHILD_EXPECT(x_getpgid(4194303) == -1 && errno == ESRCH);
	return 0;
}

TEST(groups, bad_arguments_fail)
{
	EXPECT_EQ(in_child(asks_wrongly, NULL), 0);
}

static volatile int caught;

static void note(int signo)
{
	caught = signo;
}

static int sends_to_its_group(void *unused)
{
	struct sigaction action = { .sa_handler = note };

	(void)unused;
	CHILD_EXPECT(x_setpgid(0, 0) == 0);
	CHILD_EXPECT(x_sigaction(SIGUSR1, &action, NULL) == 0);
	CHILD_EXPECT(x_kill(0, SIGUSR1) == 0);
	CHILD_EXPECT(caught == SIGUSR1);
	caught = 0;
	CHILD_EXPECT(x_kill(-x_getpgrp(), SIGUSR1) == 0);
	CHILD_EXPECT(caught == SIGUSR1);
	CHILD_EXPECT(x_kill(-4194303, SIGUSR1) == -1 && errno == ESRCH);
	return 0;
}

TEST(groups, signal_to_the_group_reaches_the_sender)
{
	EXPECT_EQ(in_child(sends_to_its_group, NULL), 0);
}
