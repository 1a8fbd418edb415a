// SPDX-License-Identifier: MIT
/*
 * What Linux promises of arguments that libc fills in by itself: sizes of signal sets, and pointers that it looks at
 * first. Made by number.
 */
#include "abi_kernel.h"

#include <limits.h>

enum { SET_BYTES = 8 };

static long nowhere(void)
{
	return of(ubuf(unmapped_page()));
}

TEST(by_number, signal_sets_have_eight_bytes)
{
	/* sigprocmask(2), sigsuspend(2), sigtimedwait(2), sigaction(2): sigsetsize; sigpending(2) takes less. */
	uint64_t set = 0, out = UINT64_MAX;
	const long at = of(&set);

	EXPECT_EQ(KERNEL(rt_sigprocmask, SIG_BLOCK, at, 0, 4), -EINVAL);
	EXPECT_EQ(KERNEL(rt_sigprocmask, SIG_BLOCK, at, 0, 16), -EINVAL);
	EXPECT_EQ(KERNEL(rt_sigprocmask, SIG_BLOCK, at, 0, SET_BYTES), 0);
	EXPECT_EQ(KERNEL(rt_sigprocmask, 77, at, 0, SET_BYTES), -EINVAL);
	EXPECT_EQ(KERNEL(rt_sigprocmask, 77, 0, of(&out), SET_BYTES), 0); /* nothing to be done so */
	EXPECT_EQ(KERNEL(rt_sigsuspend, at, 4), -EINVAL);
	EXPECT_EQ(KERNEL(rt_sigtimedwait, at, 0, 0, 4), -EINVAL);
	EXPECT_EQ(KERNEL(rt_sigaction, SIGUSR1, 0, 0, 4), -EINVAL);
	out = UINT64_MAX;
	EXPECT_EQ(KERNEL(rt_sigpending, of(&out), 9), -EINVAL);
	EXPECT_EQ(KERNEL(rt_sigpending, of(&out), 4), 0);
	EXPECT_EQ(out, UINT64_MAX << 32);
	EXPECT_EQ(KERNEL(rt_sigpending, of(&out), SET_BYTES), 0);
	EXPECT_EQ(out, 0);
}

static void ignore(int signo)
{
	(void)signo;
}

static int waits_for_what_is_there(void *arg)
{
	const int64_t ages[2] = { INT64_MAX / 2, 0 }, bad[][2] = { { -1, 0 }, { 0, -1 }, { 0, 1000000000 } };
	const uint64_t set = UINT64_C(1) << (SIGUSR1 - 1);
	struct sigaction action = { .sa_handler = ignore };
	sigset_t blocked;

	(void)arg;
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR1);
	CHILD_EXPECT(x_sigaction(SIGUSR1, &action, NULL) == 0);
	CHILD_EXPECT(x_sigprocmask(SIG_BLOCK, &blocked, NULL) == 0);
	CHILD_EXPECT(x_kill(x_getpid(), SIGUSR1) == 0);
	for (int i = 0; i < 3; i++)
		CHILD_EXPECT(KERNEL(rt_sigtimedwait, of(&set), 0, of(bad[i]), SET_BYTES) == -EINVAL);
	CHILD_EXPECT(KERNEL(rt_sigtimedwait, of(&set), 0, nowhere(), SET_BYTES) == -EFAULT);
	CHILD_EXPECT(KERNEL(rt_sigtimedwait, of(&set), 0, of(ages), SET_BYTES) == SIGUSR1);
	/* It is taken, though it cannot be told of. */
	CHILD_EXPECT(x_kill(x_getpid(), SIGUSR1) == 0);
	CHILD_EXPECT(KERNEL(rt_sigtimedwait, of(&set), nowhere(), of(ages), SET_BYTES) == -EFAULT);
	CHILD_EXPECT(x_sigpending(&blocked) == 0 && !sigismember(&blocked, SIGUSR1));
	return 0;
}

TEST(by_number, signal_that_is_there_is_taken_whatever_the_timeout)
{
	/* sigtimedwait(2) EINVAL: timeout was invalid. */
	EXPECT_EQ(in_child(waits_for_what_is_there, NULL), 0);
}

static volatile int ncaught;

static void count(int signo)
{
	(void)signo;
	ncaught++;
}

static int signals_itself(void *arg)
{
	struct sigaction action = { .sa_handler = count };
	addr_t pages = map_anonymous(2, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	addr_t split = pages + PAGE - 48; /* 48 bytes of a siginfo_t that Linux knows, and 80 that it does not */
	const long self = x_getpid(), parent = x_getppid();
	siginfo_t info = { .si_code = SI_QUEUE };

	(void)arg;
	CHILD_EXPECT(x_sigaction(SIGUSR1, &action, NULL) == 0);
	ncaught = 0;
	CHILD_EXPECT(KERNEL(tkill, self, SIGUSR1) == 0 && ncaught == 1);
	CHILD_EXPECT(KERNEL(tkill, self, 65) == -EINVAL);
	CHILD_EXPECT(KERNEL(tkill, 0, SIGUSR1) == -EINVAL);
	CHILD_EXPECT(KERNEL(tkill, -5, SIGUSR1) == -EINVAL);
	CHILD_EXPECT(KERNEL(tkill, 4194303, SIGUSR1) == -ESRCH);

	info.si_code = SI_TKILL; /* to oneself one may pretend everything */
	CHILD_EXPECT(KERNEL(rt_sigqueueinfo, self, SIGUSR1, of(&info)) == 0 && ncaught == 2);
	info.si_code = SI_USER;
	CHILD_EXPECT(KERNEL(rt_sigqueueinfo, self, SIGUSR1, of(&info)) == 0 && ncaught == 3);
	CHILD_EXPECT(KERNEL(rt_sigqueueinfo, parent, 0, of(&info)) == -EPERM);
	info.si_code = SI_TKILL;
	CHILD_EXPECT(KERNEL(rt_sigqueueinfo, parent, 0, of(&info)) == -EPERM);
	info.si_code = SI_QUEUE;
	CHILD_EXPECT(KERNEL(rt_sigqueueinfo, parent, 0, of(&info)) == 0);
	CHILD_EXPECT(KERNEL(rt_sigqueueinfo, -1, SIGUSR1, of(&info)) == -ESRCH);
	CHILD_EXPECT(KERNEL(rt_sigqueueinfo, 0, SIGUSR1, of(&info)) == -ESRCH);
	CHILD_EXPECT(KERNEL(rt_sigqueueinfo, self, SIGUSR1, nowhere()) == -EFAULT);

	CHILD_EXPECT(x_munmap(pages + PAGE, PAGE) == 0);
	st32(split + 8, (uint32_t)SI_QUEUE);
	CHILD_EXPECT(KERNEL(rt_sigqueueinfo, self, SIGUSR1, of(ubuf(split))) == 0 && ncaught == 4);
	st32(split + 8, (uint32_t)-60); /* SI_ASYNCNL */
	CHILD_EXPECT(KERNEL(rt_sigqueueinfo, self, SIGUSR1, of(ubuf(split))) == 0 && ncaught == 5);
	st32(split + 8, (uint32_t)-61);
	CHILD_EXPECT(KERNEL(rt_sigqueueinfo, self, SIGUSR1, of(ubuf(split))) == -EFAULT && ncaught == 5);
	return 0;
}

TEST(by_number, signals_by_tkill_and_with_information_of_the_senders)
{
	/* tkill(2), rt_sigqueueinfo(2). */
	EXPECT_EQ(in_child(signals_itself, NULL), 0);
}

static int ends_with_7(void *arg)
{
	(void)arg;
	return 7;
}

TEST(by_number, waitid_judges_whom_it_waits_for)
{
	/* waitid(2) EINVAL, EBADF, ECHILD. */
	siginfo_t info = { 0 };
	const long to = of(&info);
	pid_t child;

	EXPECT_EQ(KERNEL(waitid, P_PID, 0, to, WEXITED), -EINVAL);
	EXPECT_EQ(KERNEL(waitid, P_PID, -1, to, WEXITED), -EINVAL);
	EXPECT_EQ(KERNEL(waitid, P_PGID, -1, to, WEXITED), -EINVAL);
	EXPECT_EQ(KERNEL(waitid, P_PGID, 0, to, WEXITED), linux_release() >= 5004 ? -ECHILD : -EINVAL);
	EXPECT_EQ(KERNEL(waitid, 3 /* P_PIDFD */, -1, to, WEXITED), -EINVAL);
	EXPECT_EQ(KERNEL(waitid, 3 /* P_PIDFD */, 1000, to, WEXITED), -EBADF);
	EXPECT_EQ(KERNEL(waitid, 77, 1, to, WEXITED), -EINVAL);
	EXPECT_EQ(KERNEL(waitid, P_ALL, 0, to, 0), -EINVAL);
	EXPECT_EQ(KERNEL(waitid, P_ALL, 0, to, WEXITED | 0x100), -EINVAL);

	child = x_fork_into(ends_with_7, NULL);
	SETUP(child > 0);
	EXPECT_EQ(KERNEL(waitid, P_PID, child, to, WEXITED | WNOWAIT, nowhere()), -EFAULT);
	EXPECT_EQ(KERNEL(waitid, P_PID, child, nowhere(), WEXITED | WNOWAIT, 0), -EFAULT);
	EXPECT_EQ(KERNEL(waitid, P_PID, child, to, WEXITED, 0), 0);
	EXPECT_EQ(info.si_pid, child);
	EXPECT_EQ(info.si_status, 7);
	EXPECT_EQ(KERNEL(waitid, P_PID, child, to, WEXITED, 0), -ECHILD);
}

TEST(by_number, what_mincore_and_getgroups_write_must_have_a_place)
{
	/* mincore(2), getgroups(2) EFAULT: beyond all addresses too. */
	addr_t page = map_anonymous(1, PROT_READ, MAP_PRIVATE);
	const long at = (long)page;

	EXPECT_EQ(KERNEL(mincore, at, PAGE, nowhere()), -EFAULT);
	EXPECT_EQ(KERNEL(mincore, at, PAGE, LONG_MIN), -EFAULT);
	EXPECT_EQ(KERNEL(mincore, at + 1, PAGE, LONG_MIN), -EINVAL);
	EXPECT_EQ(KERNEL(mincore, LONG_MIN, PAGE, of(&page)), -ENOMEM);
	EXPECT_EQ(KERNEL(mincore, at, LONG_MIN, of(&page)), -ENOMEM);
	EXPECT_EQ(KERNEL(getgroups, -1, nowhere()), -EINVAL);
	unmap(page, 1);
}

TEST(by_number, group_of_the_caller_is_that_of_getpgid)
{
	/* getpgrp(2), which not every architecture has. */
#ifdef SYS_getpgrp
#ifdef ABI_KSIM
	if (ksim_nr(abi_machine(), "getpgrp") < 0)
		SKIP("an architecture without getpgrp");
#endif
	EXPECT_EQ(KERNEL(getpgrp, 0), x_getpgid(0));
#else
	SKIP("an architecture without getpgrp");
#endif
}

static int changes_stacks(void *arg)
{
	/* A stack_t: where, how, how much. */
	uint64_t stack[3] = { 4096, 0, 65536 }, old[3];

	(void)arg;
	CHILD_EXPECT(KERNEL(sigaltstack, of(stack), 0) == 0);
	for (uint64_t mode = 3; mode < 8; mode++) {
		stack[1] = mode;
		CHILD_EXPECT(KERNEL(sigaltstack, of(stack), 0) == -EINVAL);
	}
	stack[1] = SS_ONSTACK; /* accepted, and the same as 0 */
	CHILD_EXPECT(KERNEL(sigaltstack, of(stack), of(old)) == 0);
	CHILD_EXPECT(old[0] == 4096 && (uint32_t)old[1] == 0 && old[2] == 65536);
	stack[1] = SS_DISABLE;
	CHILD_EXPECT(KERNEL(sigaltstack, of(stack), nowhere()) == -EFAULT); /* and it is done all the same */
	CHILD_EXPECT(KERNEL(sigaltstack, 0, of(old)) == 0);
	CHILD_EXPECT((uint32_t)old[1] == SS_DISABLE && old[2] == 0);
	return 0;
}

TEST(by_number, alternate_stack_is_on_or_disabled)
{
	/* sigaltstack(2) EINVAL. */
	EXPECT_EQ(in_child(changes_stacks, NULL), 0);
}
