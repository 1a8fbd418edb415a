// SPDX-License-Identifier: MIT
/*
 * The libc-shaped calls on processes and signal actions.
 */
#include "bed.h"

#include <signal.h>

TEST(processes, calls_say_who_acts)
{
	struct ksim_machine *m = bed_boot(NULL);
	struct ksim_process *p = bed_process(m, "a name of its own");

	EXPECT_STREQ(ksim_process_name(p), "a name of its own");
	ksim_as(p) {
		EXPECT_EQ(ksim_getpid(), ksim_process_pid(p));
		EXPECT_EQ(ksim_getppid(), 1);
		EXPECT_EQ(ksim_gettid(), ksim_getpid());
		EXPECT_EQ(ksim_getuid(), 0);
		EXPECT_EQ(ksim_geteuid(), 0);
		EXPECT_EQ(ksim_getgid(), 0);
		EXPECT_EQ(ksim_getegid(), 0);
	}
	bed_halt(m);
}

static void handler(int signo, siginfo_t *info, void *context)
{
	(void)signo;
	(void)info;
	(void)context;
}

static bool same_action(const struct sigaction *a, const struct sigaction *b)
{
	for (int n = 1; n <= 64; n++)
		if (sigismember(&a->sa_mask, n) != sigismember(&b->sa_mask, n))
			return false;
	return a->sa_sigaction == b->sa_sigaction && a->sa_flags == b->sa_flags;
}

TEST(processes, sigaction_gives_back_what_was_set)
{
	struct ksim_machine *m = bed_boot(NULL);
	struct sigaction set = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_NODEFER | (int)SA_RESETHAND };
	struct sigaction old;

	sigaddset(&set.sa_mask, SIGUSR1);
	sigaddset(&set.sa_mask, SIGRTMAX);
	ksim_as(bed_process(m, "p")) {
		memset(&old, 'x', sizeof(old));
		EXPECT_EQ(ksim_sigaction(SIGSEGV, &set, &old), 0);
		EXPECT(old.sa_handler == SIG_DFL && old.sa_flags == 0 && sigismember(&old.sa_mask, SIGUSR1) == 0);
		EXPECT_EQ(ksim_sigaction(SIGSEGV, NULL, &old), 0);
		EXPECT(same_action(&old, &set));
		EXPECT_EQ(ksim_sigaction(SIGBUS, NULL, &old), 0);
		EXPECT(old.sa_handler == SIG_DFL);
		set.sa_handler = SIG_IGN;
		EXPECT_EQ(ksim_sigaction(SIGSEGV, &set, &set), 0);
		EXPECT(set.sa_sigaction == handler);
		EXPECT_EQ(ksim_sigaction(SIGSEGV, NULL, NULL), 0);
	}
	bed_halt(m);
}

TEST(processes, sigaction_refuses_what_is_no_signal_or_no_memory)
{
	struct ksim_machine *m = bed_boot(NULL);
	struct sigaction action = { .sa_handler = SIG_IGN }, old;

	ksim_as(bed_process(m, "p")) {
		ksim_addr at = bed_map(1);

		EXPECT_FAILS(ksim_sigaction(0, &action, NULL), EINVAL);
		EXPECT_FAILS(ksim_sigaction(65, NULL, &old), EINVAL);
		EXPECT_FAILS(ksim_sigaction(SIGKILL, &action, NULL), EINVAL);
		EXPECT_EQ(ksim_sigaction(SIGKILL, NULL, &old), 0);
		EXPECT_FAILS(ksim_sigaction(SIGBUS, ksim_user(at + PAGE), NULL), EFAULT);
		EXPECT_FAILS(ksim_sigaction(SIGBUS, NULL, ksim_user(at + PAGE)), EFAULT);
		bed_poke(at, &action, sizeof(action));
		EXPECT_EQ(ksim_sigaction(SIGBUS, ksim_user(at), NULL), 0);
		EXPECT_EQ(ksim_sigaction(SIGBUS, NULL, &old), 0);
		EXPECT(old.sa_handler == SIG_IGN);
	}
	bed_halt(m);
}

TEST(processes, wait_without_children_is_ECHILD_and_a_bad_status_pointer_EFAULT)
{
	struct ksim_machine *m = bed_boot(NULL);
	struct ksim_process *p = bed_process(m, "p"), *child;

	ksim_as(p) {
		EXPECT_FAILS(ksim_wait(NULL), ECHILD);
		EXPECT_FAILS(ksim_waitpid(12345, NULL, 0), ECHILD);
	}
	child = ksim_process_fork(p, NULL);
	REQUIRE(child != NULL);
	EXPECT_STREQ(ksim_process_name(child), "p");
	EXPECT_EQ(ksim_process_end(child, 0), 0);
	ksim_as(p)
		EXPECT_FAILS(ksim_wait(ksim_user(8)), EFAULT);
	bed_halt(m);
}
