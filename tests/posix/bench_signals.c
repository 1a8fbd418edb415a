// SPDX-License-Identifier: MIT
/*
 * Signals of processes that are plain C: faults on their mappings, what they send themselves, their mask; and fork.
 */
#include "bed.h"

#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>

#include "../unit/aborts.h"

static char *map_page(void)
{
	return mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static int die_of_truncation(void *unused)
{
	int fd = memfd_create("pool", 0);
	volatile char *p;

	(void)unused;
	IN(ftruncate(fd, PAGE) == 0);
	p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	IN(p != MAP_FAILED);
	p[0] = 1;
	IN(ftruncate(fd, 0) == 0);
	p[0] = 2;
	return __LINE__;
}

TEST(posix_signals, fault_ends_the_process_alone)
{
	struct ksim_machine *m = bed_boot();
	struct ksim_process *p = bed_process(m, "naive");
	struct ksim_end end;

	EXPECT_EQ(ksim_run(p, die_of_truncation, NULL, &end), 0);
	EXPECT_MSG(end.signo == SIGBUS && end.si_code == BUS_ADRERR, "%s", end.text);
	EXPECT_CONTAINS(end.text, "page 0 of /memfd:pool");
	bed_halt(m);
}

static sigjmp_buf away;
static void *volatile fault_at;
static volatile int handled;

static void jump_away(int signo, siginfo_t *info, void *context)
{
	(void)context;
	fault_at = info->si_addr;
	siglongjmp(away, signo);
}

static int jump_out_of_a_fault(void *unused)
{
	struct sigaction act = { .sa_sigaction = jump_away, .sa_flags = SA_SIGINFO }, old;
	volatile char *p = map_page();

	(void)unused;
	IN(sigaction(SIGSEGV, &act, NULL) == 0);
	IN(munmap((void *)p, PAGE) == 0);
	if (sigsetjmp(away, 1) == 0) {
		p[5] = 1;
		return __LINE__;
	}
	IN(fault_at == (void *)(p + 5));
	IN(sigaction(SIGSEGV, NULL, &old) == 0 && old.sa_sigaction == jump_away);
	IN(signal(SIGSEGV, SIG_DFL) != SIG_ERR);
	return 0;
}

TEST(posix_signals, handler_sees_the_pointer_and_may_jump_away)
{
	bed_run(jump_out_of_a_fault, NULL);
}

static int block_faults(void *unused)
{
	sigset_t set, old, all;
	volatile char *p;

	(void)unused;
	sigemptyset(&set);
	sigaddset(&set, SIGSEGV);
	IN(sigprocmask(SIG_BLOCK, &set, &old) == 0 && sigismember(&old, SIGSEGV) == 0);
	p = map_page();
	p[0] = 1; /* a page appears although the signal is blocked */
	IN(pthread_sigmask(SIG_BLOCK, NULL, &set) == 0 && sigismember(&set, SIGSEGV) == 1);
	IN(sigismember(&set, SIGBUS) == 0);
	IN(sigprocmask(SIG_SETMASK, &old, NULL) == 0);
	sigfillset(&all);
	sigdelset(&all, SIGSEGV);
	IN(sigprocmask(SIG_SETMASK, &all, &set) == 0 && sigismember(&set, SIGSEGV) == 0);
	IN(sigprocmask(SIG_SETMASK, &old, &set) == 0);
	IN(sigismember(&set, SIGSEGV) == 0 && sigismember(&set, SIGBUS) == 1 && sigismember(&set, SIGTERM) == 1);
	return munmap((void *)p, PAGE);
}

TEST(posix_signals, blocked_SIGSEGV_does_not_stop_pages_from_appearing)
{
	bed_run(block_faults, NULL);
}

static int fault_while_blocked(void *unused)
{
	sigset_t set;
	volatile char *p = map_page();

	(void)unused;
	signal(SIGSEGV, (void (*)(int))abort);
	sigemptyset(&set);
	sigaddset(&set, SIGSEGV);
	sigprocmask(SIG_BLOCK, &set, NULL);
	munmap((void *)p, PAGE);
	p[0] = 1;
	return __LINE__;
}

TEST(posix_signals, fault_whose_signal_is_blocked_ends_the_process)
{
	struct ksim_machine *m = bed_boot();
	struct ksim_end end;

	EXPECT_EQ(ksim_run(bed_process(m, "p"), fault_while_blocked, NULL, &end), 0);
	EXPECT_MSG(end.signo == SIGSEGV, "%s", end.text);
	bed_halt(m);
}

static void count(int signo)
{
	handled += signo;
}

static int send_oneself(void *unused)
{
	sigset_t set;

	(void)unused;
	handled = 0;
	IN(signal(SIGUSR1, count) == SIG_DFL && raise(SIGUSR1) == 0 && handled == SIGUSR1);
	IN(kill(getpid(), SIGUSR1) == 0 && handled == 2 * SIGUSR1);
	IN(signal(SIGUSR1, SIG_IGN) == count && raise(SIGUSR1) == 0 && handled == 2 * SIGUSR1);
	IN(raise(SIGCHLD) == 0 && kill(getpid(), 0) == 0);
	IN_FAILS(raise(-1), EINVAL);
	IN(raise(SIGTSTP) == 0); /* nothing stops here */
	signal(SIGUSR1, count);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	IN(raise(SIGUSR1) == 0 && handled == 2 * SIGUSR1);
	IN(sigpending(&set) == 0 && sigismember(&set, SIGUSR1) == 1);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	IN(handled == 3 * SIGUSR1);
	return 0;
}

TEST(posix_signals, process_sends_itself_what_it_handles)
{
	bed_run(send_oneself, NULL);
}

static int raise_it(void *signo)
{
	raise(*(int *)signo);
	return __LINE__;
}

TEST(posix_signals, default_action_of_raise_ends_the_process_alone)
{
	static const int deadly[] = { SIGTERM, SIGBUS, SIGSEGV, SIGKILL };
	struct ksim_machine *m = bed_boot();

	for (size_t i = 0; i < sizeof(deadly) / sizeof(deadly[0]); i++) {
		int signo = deadly[i];
		struct ksim_end end;

		EXPECT_EQ(ksim_run(bed_process(m, "p"), raise_it, &signo, &end), 0);
		EXPECT_EQ(end.signo, signo);
	}
	bed_halt(m);
}

static int forks(void *unused)
{
	(void)unused;
	return fork();
}

static void run_fork(void *arg)
{
	ksim_run(arg, forks, NULL, NULL);
}

TEST(posix_signals, fork_by_a_process_says_what_there_is_instead)
{
	struct ksim_machine *m;

#ifdef TESTS_COVERED
	SKIP("where coverage is counted the compiler calls a fork of its own");
#endif
	m = bed_boot();
	expect_abort(run_fork, bed_process(m, "forker"), "fork by forker (2): a simulated process cannot return twice");
	bed_halt(m);
}
