// SPDX-License-Identifier: MIT
/*
 * What Linux promises of signals that a process sends itself or gets while it waits: actions and their flags, masks,
 * what waits, what a call that was interrupted does. sigaction(2), sigprocmask(2), sigpending(2), sigsuspend(2),
 * sigtimedwait(2), sigaltstack(2), signal(7). In children, so that nothing stays behind.
 */
#include "abi.h"

#include <setjmp.h>
#include <sys/syscall.h>

#ifndef RWF_NOSIGNAL
#define RWF_NOSIGNAL 0x100
#endif

enum { RW = PROT_READ | PROT_WRITE };

static bool refused(long result, int error)
{
	return result == -1 && errno == error;
}

/* What handlers have seen. */
static struct {
	int count;
	int order[8]; /* signals, as their handlers began */
	siginfo_t info;
	sigset_t mask; /* in the handler */
} seen;

static void note(int signo)
{
	if (seen.count < 8)
		seen.order[seen.count] = signo;
	seen.count++;
	x_sigprocmask(SIG_BLOCK, NULL, &seen.mask);
}

static void note_info(int signo, siginfo_t *info, void *context)
{
	(void)context;
	seen.info = *info;
	note(signo);
}

static void handle(int signo, int flags, int masked)
{
	struct sigaction action = { .sa_handler = note, .sa_flags = flags };

	if (flags & SA_SIGINFO)
		action.sa_sigaction = note_info;
	sigemptyset(&action.sa_mask);
	if (masked != 0)
		sigaddset(&action.sa_mask, masked);
	x_sigaction(signo, &action, NULL);
}

static void act(int signo, void (*handler)(int))
{
	struct sigaction action = { .sa_handler = handler };

	x_sigaction(signo, &action, NULL);
}

static sigset_t set_of(int a, int b)
{
	sigset_t set;

	sigemptyset(&set);
	if (a != 0)
		sigaddset(&set, a);
	if (b != 0)
		sigaddset(&set, b);
	return set;
}

/* Libc's declarations say that its functions call none of the program's, but a handler may run in them. */
static void handlers_may_have_run(void)
{
	__asm__ volatile("" : : : "memory");
}

static int send_self(int signo)
{
	int result = x_kill(x_getpid(), signo);

	handlers_may_have_run();
	return result;
}

static void block(int a, int b)
{
	sigset_t set = set_of(a, b);

	x_sigprocmask(SIG_BLOCK, &set, NULL);
}

static void unblock(int a, int b)
{
	sigset_t set = set_of(a, b);

	x_sigprocmask(SIG_UNBLOCK, &set, NULL);
	handlers_may_have_run();
}

static bool blocks(int signo)
{
	sigset_t set;

	return x_sigprocmask(SIG_BLOCK, NULL, &set) == 0 && sigismember(&set, signo) == 1;
}

/* Run a child with a clean record. */
static int run(int (*fn)(void *), void *arg)
{
	memset(&seen, 0, sizeof(seen));
	return in_child(fn, arg);
}

/* ---- handlers and their flags ---- */

static int calls_its_handler(void *arg)
{
	(void)arg;
	handle(SIGUSR1, SA_SIGINFO, SIGUSR2);
	CHILD_EXPECT(send_self(SIGUSR1) == 0);
	CHILD_EXPECT(seen.count == 1 && seen.order[0] == SIGUSR1);
	CHILD_EXPECT(seen.info.si_signo == SIGUSR1 && seen.info.si_code == SI_USER && seen.info.si_errno == 0);
	CHILD_EXPECT(seen.info.si_pid == x_getpid() && seen.info.si_uid == x_getuid());
	CHILD_EXPECT(sigismember(&seen.mask, SIGUSR1) == 1 && sigismember(&seen.mask, SIGUSR2) == 1);
	CHILD_EXPECT(sigismember(&seen.mask, SIGTERM) == 0);
	CHILD_EXPECT(!blocks(SIGUSR1) && !blocks(SIGUSR2));
	CHILD_EXPECT(send_self(SIGUSR1) == 0);
	CHILD_EXPECT(seen.count == 2);
	return 0;
}

TEST(signals, handler_runs_before_kill_of_oneself_returns)
{
	/* kill(2): at least one signal is delivered before it returns; sigaction(2): the masks of a handler. */
	EXPECT_EQ(run(calls_its_handler, NULL), 0);
}

static int nodefer(void *arg)
{
	(void)arg;
	handle(SIGUSR1, SA_NODEFER, 0);
	CHILD_EXPECT(send_self(SIGUSR1) == 0);
	CHILD_EXPECT(seen.count == 1 && sigismember(&seen.mask, SIGUSR1) == 0);
	return 0;
}

TEST(signals, SA_NODEFER_does_not_block_the_signal_in_its_handler)
{
	/* sigaction(2). */
	EXPECT_EQ(run(nodefer, NULL), 0);
}

static int resethand(void *arg)
{
	struct sigaction now;

	(void)arg;
	handle(SIGUSR1, (int)SA_RESETHAND, 0);
	CHILD_EXPECT(send_self(SIGUSR1) == 0);
	CHILD_EXPECT(seen.count == 1);
	CHILD_EXPECT(x_sigaction(SIGUSR1, NULL, &now) == 0 && now.sa_handler == SIG_DFL);
	send_self(SIGUSR1);
	return 99;
}

TEST(signals, SA_RESETHAND_restores_the_default_action)
{
	/* sigaction(2). */
	EXPECT_EQ(run(resethand, NULL), -SIGUSR1);
}

static int onstack(void *arg)
{
	static char stack[32768];
	stack_t mine = { .ss_sp = stack, .ss_size = sizeof(stack) };

	(void)arg;
	CHILD_EXPECT(x_sigaltstack(&mine, NULL) == 0);
	handle(SIGUSR1, SA_ONSTACK, 0);
	CHILD_EXPECT(send_self(SIGUSR1) == 0);
	CHILD_EXPECT(seen.count == 1);
	return 0;
}

TEST(signals, SA_ONSTACK_handler_runs_and_returns)
{
	/* sigaltstack(2). */
	EXPECT_EQ(run(onstack, NULL), 0);
}

static int several_at_once(void *arg)
{
	(void)arg;
	handle(SIGUSR1, 0, 0);
	handle(SIGUSR2, 0, 0);
	handle(SIGTERM, 0, 0);
	block(SIGUSR1, SIGUSR2);
	block(SIGTERM, 0);
	CHILD_EXPECT(send_self(SIGTERM) == 0 && send_self(SIGUSR1) == 0 && send_self(SIGUSR2) == 0);
	CHILD_EXPECT(seen.count == 0);
	{
		sigset_t none = set_of(0, 0);

		CHILD_EXPECT(x_sigprocmask(SIG_SETMASK, &none, NULL) == 0);
		handlers_may_have_run();
	}
	CHILD_EXPECT(seen.count == 3);
	/* Frames are laid for the lowest number first, so the highest runs first. */
	CHILD_EXPECT(seen.order[0] == SIGTERM && seen.order[1] == SIGUSR2 && seen.order[2] == SIGUSR1);
	return 0;
}

TEST(signals, several_that_become_deliverable_at_once_nest)
{
	/* signal(7): execution of handlers; the lowest-numbered is delivered first, and interrupted by the next. */
	EXPECT_EQ(run(several_at_once, NULL), 0);
}

/* ---- default actions ---- */

static int sends_itself(void *arg)
{
	/* Whoever started the program may have had it ignore some, as nohup does. */
	if (*(int *)arg != SIGKILL)
		act(*(int *)arg, SIG_DFL);
	send_self(*(int *)arg);
	return 42;
}

TEST(signals, default_actions_are_those_of_signal_7)
{
	/* signal(7): standard signals. */
	static const int fatal[] = { SIGHUP,  SIGINT,  SIGQUIT,   SIGILL,  SIGTRAP, SIGABRT, SIGBUS,  SIGFPE,
		                     SIGKILL, SIGUSR1, SIGSEGV,   SIGUSR2, SIGPIPE, SIGALRM, SIGTERM, SIGSTKFLT,
		                     SIGXCPU, SIGXFSZ, SIGVTALRM, SIGPROF, SIGIO,   SIGPWR,  SIGSYS };
	static const int harmless[] = { SIGCHLD, SIGURG, SIGWINCH, SIGCONT };
	struct rlimit core, none;

	SETUP(x_getrlimit(RLIMIT_CORE, &core) == 0);
	none = (struct rlimit){ 0, core.rlim_max };
	SETUP(x_setrlimit(RLIMIT_CORE, &none) == 0);
	for (size_t i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++) {
		int signo = fatal[i];

		EXPECT_EQ(run(sends_itself, &signo), -signo);
	}
	for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++) {
		int signo = harmless[i];

		EXPECT_EQ(run(sends_itself, &signo), 42);
	}
	{
		int signo = SIGRTMIN + 3;

		EXPECT_EQ(run(sends_itself, &signo), -signo);
	}
	EXPECT_EQ(x_setrlimit(RLIMIT_CORE, &core), 0);
}

static int ignores(void *arg)
{
	sigset_t waits;

	(void)arg;
	act(SIGTERM, SIG_IGN);
	CHILD_EXPECT(send_self(SIGTERM) == 0);
	block(SIGUSR1, SIGTERM);
	CHILD_EXPECT(send_self(SIGUSR1) == 0 && send_self(SIGTERM) == 0);
	CHILD_EXPECT(x_sigpending(&waits) == 0);
	CHILD_EXPECT(sigismember(&waits, SIGUSR1) == 1);
	CHILD_EXPECT(sigismember(&waits, SIGTERM) == 1); /* a blocked one waits, for its action may change */
	act(SIGUSR1, SIG_IGN);
	CHILD_EXPECT(x_sigpending(&waits) == 0 && sigismember(&waits, SIGUSR1) == 0);
	act(SIGUSR1, SIG_DFL);
	unblock(SIGUSR1, SIGTERM);
	return 0;
}

TEST(signals, ignoring_discards_what_waits)
{
	/* sigaction(2), POSIX: setting a signal action to SIG_IGN for a pending signal causes it to be discarded. */
	EXPECT_EQ(run(ignores, NULL), 0);
}

static int tries_to_stay(void *arg)
{
	sigset_t all;

	(void)arg;
	sigfillset(&all);
	CHILD_EXPECT(x_sigprocmask(SIG_SETMASK, &all, NULL) == 0);
	CHILD_EXPECT(!blocks(SIGKILL) && !blocks(SIGSTOP) && blocks(SIGTERM));
	send_self(SIGKILL);
	return 42;
}

TEST(signals, SIGKILL_cannot_be_blocked)
{
	/* sigprocmask(2): attempts to do so are silently ignored. */
	EXPECT_EQ(run(tries_to_stay, NULL), -SIGKILL);
}

/* ---- the mask ---- */

static int masks(void *arg)
{
	sigset_t set = set_of(SIGUSR1, SIGUSR2), old;

	(void)arg;
	CHILD_EXPECT(x_sigprocmask(SIG_BLOCK, &set, &old) == 0 && sigismember(&old, SIGUSR1) == 0);
	CHILD_EXPECT(blocks(SIGUSR1) && blocks(SIGUSR2));
	set = set_of(SIGUSR2, SIGTERM);
	CHILD_EXPECT(x_sigprocmask(SIG_UNBLOCK, &set, &old) == 0);
	CHILD_EXPECT(sigismember(&old, SIGUSR1) == 1 && sigismember(&old, SIGUSR2) == 1);
	CHILD_EXPECT(blocks(SIGUSR1) && !blocks(SIGUSR2));
	set = set_of(SIGTERM, 0);
	CHILD_EXPECT(x_sigprocmask(SIG_SETMASK, &set, NULL) == 0);
	CHILD_EXPECT(!blocks(SIGUSR1) && blocks(SIGTERM));
	CHILD_EXPECT(refused(x_sigprocmask(17, &set, NULL), EINVAL));
	CHILD_EXPECT(x_sigprocmask(17, NULL, &old) == 0); /* nothing is to be done */
	CHILD_EXPECT(blocks(SIGTERM));
	return 0;
}

TEST(signals, mask_is_blocked_unblocked_and_set)
{
	/* sigprocmask(2). */
	EXPECT_EQ(run(masks, NULL), 0);
}

static int waits_blocked(void *arg)
{
	sigset_t waits;

	(void)arg;
	handle(SIGUSR1, 0, 0);
	block(SIGUSR1, 0);
	for (int i = 0; i < 3; i++)
		CHILD_EXPECT(send_self(SIGUSR1) == 0);
	CHILD_EXPECT(seen.count == 0);
	CHILD_EXPECT(x_sigpending(&waits) == 0 && sigismember(&waits, SIGUSR1) == 1 &&
	             sigismember(&waits, SIGUSR2) == 0);
	unblock(SIGUSR1, 0);
	CHILD_EXPECT(seen.count == 1); /* a standard signal waits once */
	CHILD_EXPECT(x_sigpending(&waits) == 0 && sigismember(&waits, SIGUSR1) == 0);
	return 0;
}

TEST(signals, blocked_signal_waits_once_and_comes_when_it_is_unblocked)
{
	/* signal(7), sigpending(2). */
	EXPECT_EQ(run(waits_blocked, NULL), 0);
}

static volatile int values[8], nvalues;

static void note_value(int signo, siginfo_t *info, void *context)
{
	(void)signo;
	(void)context;
	if (nvalues < 8)
		values[nvalues++] = info->si_value.sival_int;
}

static int queues(void *arg)
{
	struct sigaction action = { .sa_sigaction = note_value, .sa_flags = SA_SIGINFO };

	(void)arg;
	nvalues = 0;
	/* One at a time, so that the order is seen. */
	x_sigaction(SIGRTMIN + 1, &action, NULL);
	block(SIGRTMIN + 1, 0);
	for (int i = 0; i < 3; i++)
		CHILD_EXPECT(x_sigqueue(x_getpid(), SIGRTMIN + 1, (union sigval){ .sival_int = 10 + i }) == 0);
	unblock(SIGRTMIN + 1, 0);
	CHILD_EXPECT(nvalues == 3 && values[0] == 10 && values[1] == 11 && values[2] == 12);
	return 0;
}

TEST(signals, real_time_signals_are_queued_in_order)
{
	/* signal(7): multiple instances can be queued, delivered in the order they were sent; sigqueue(3). */
	EXPECT_EQ(run(queues, NULL), 0);
}

static int child_has_mask(void *arg)
{
	sigset_t waits;

	(void)arg;
	CHILD_EXPECT(blocks(SIGUSR1));
	CHILD_EXPECT(x_sigpending(&waits) == 0 && sigismember(&waits, SIGUSR1) == 0);
	unblock(SIGUSR1, 0);
	return 0;
}

static int mask_and_child(void *arg)
{
	(void)arg;
	block(SIGUSR1, 0);
	CHILD_EXPECT(send_self(SIGUSR1) == 0);
	CHILD_EXPECT(in_child(child_has_mask, NULL) == 0);
	CHILD_EXPECT(blocks(SIGUSR1));
	act(SIGUSR1, SIG_IGN);
	return 0;
}

TEST(signals, child_has_its_parents_mask_and_nothing_that_waits)
{
	/* fork(2): pending signals are cleared; sigprocmask(2): a child inherits a copy of the mask. */
	EXPECT_EQ(run(mask_and_child, NULL), 0);
}

/* ---- jumps out of handlers ---- */

static sigjmp_buf away;
static jmp_buf plainly_away;

static void jump(int signo)
{
	(void)signo;
	siglongjmp(away, 1);
}

static void jump_plainly(int signo)
{
	(void)signo;
	longjmp(plainly_away, 1);
}

static int siglongjmps(void *arg)
{
	volatile int jumps = 0;

	(void)arg;
	act(SIGUSR1, jump);
	while (jumps < 3) {
		if (sigsetjmp(away, 1) == 0)
			send_self(SIGUSR1);
		else
			jumps++;
		CHILD_EXPECT(!blocks(SIGUSR1));
	}
	block(SIGUSR2, 0);
	if (sigsetjmp(away, 1) == 0)
		send_self(SIGUSR1);
	CHILD_EXPECT(!blocks(SIGUSR1) && blocks(SIGUSR2));
	return 0;
}

TEST(signals, siglongjmp_out_of_a_handler_restores_the_saved_mask)
{
	/* sigsetjmp(3). */
	EXPECT_EQ(run(siglongjmps, NULL), 0);
}

static int siglongjmps_without_handler(void *arg)
{
	(void)arg;
	block(SIGUSR1, 0);
	if (sigsetjmp(away, 1) == 0) {
		unblock(SIGUSR1, 0);
		block(SIGUSR2, 0);
		siglongjmp(away, 1);
	}
	CHILD_EXPECT(blocks(SIGUSR1) && !blocks(SIGUSR2));
	return 0;
}

TEST(signals, siglongjmp_restores_the_mask_that_calls_have_changed)
{
	/* sigsetjmp(3). */
	EXPECT_EQ(run(siglongjmps_without_handler, NULL), 0);
}

static int longjmps(void *arg)
{
	(void)arg;
	act(SIGUSR1, jump_plainly);
	if (sigsetjmp(plainly_away, 0) == 0)
		send_self(SIGUSR1);
	CHILD_EXPECT(blocks(SIGUSR1));
	return 0;
}

TEST(signals, longjmp_out_of_a_handler_leaves_the_signal_blocked)
{
	/* sigsetjmp(3): without savemask the mask is not restored. */
	EXPECT_EQ(run(longjmps, NULL), 0);
}

static int fault_after_longjmp(void *arg)
{
	addr_t page = *(addr_t *)arg;

	act(SIGSEGV, jump_plainly);
	if (sigsetjmp(plainly_away, 0) == 0)
		st8(page, 1);
	st8(page, 1); /* which is blocked now */
	return 42;
}

TEST(signals, fault_whose_signal_is_blocked_kills)
{
	/* sigprocmask(2): undefined by POSIX; Linux kills (force_sig). */
	addr_t page = unmapped_page();

	EXPECT_EQ(run(fault_after_longjmp, &page), -SIGSEGV);
}

static int jump_unblocks(void *arg)
{
	(void)arg;
	handle(SIGUSR2, 0, 0);
	act(SIGUSR1, jump);
	if (sigsetjmp(away, 1) == 0) {
		block(SIGUSR2, 0);
		send_self(SIGUSR2);
		send_self(SIGUSR1);
	}
	x_getpid(); /* a call at the latest */
	handlers_may_have_run();
	CHILD_EXPECT(seen.count == 1 && seen.order[0] == SIGUSR2);
	return 0;
}

TEST(signals, signal_that_a_jump_unblocks_is_delivered)
{
	/* sigsetjmp(3) and signal(7). */
	EXPECT_EQ(run(jump_unblocks, NULL), 0);
}

static addr_t faulty;

static void fault_in_handler(int signo)
{
	note(signo);
	if (seen.count == 1)
		st8(faulty, 1);
}

static void map_it(int signo, siginfo_t *info, void *context)
{
	note_info(signo, info, context);
	x_mmap(faulty, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

static int faults_in_handler(void *arg)
{
	struct sigaction action = { .sa_sigaction = map_it, .sa_flags = SA_SIGINFO };

	faulty = *(addr_t *)arg;
	act(SIGUSR1, fault_in_handler);
	x_sigaction(SIGSEGV, &action, NULL);
	CHILD_EXPECT(send_self(SIGUSR1) == 0);
	CHILD_EXPECT(seen.count == 2 && seen.order[1] == SIGSEGV);
	CHILD_EXPECT(sigismember(&seen.mask, SIGUSR1) == 1 && sigismember(&seen.mask, SIGSEGV) == 1);
	CHILD_EXPECT(faulted(&seen.info) == faulty && seen.info.si_code == SEGV_MAPERR && seen.info.si_errno == 0);
	CHILD_EXPECT(ld8(faulty) == 1);
	return 0;
}

TEST(signals, fault_in_a_handler_is_handled_in_turn)
{
	/* sigaction(2). */
	addr_t page = unmapped_page();

	EXPECT_EQ(run(faults_in_handler, &page), 0);
}

/* ---- interrupted calls ---- */

struct pair_and_pid {
	int end;
	pid_t pid;
	int signo;
};

/* Wait until the other is likely asleep, then send. */
static int pokes(void *arg)
{
	const struct pair_and_pid *p = arg;
	sigset_t none = set_of(SIGUSR2, 0);
	struct timespec delay = { 0, 50000000 };

	block(SIGUSR2, 0);
	x_sigtimedwait(&none, NULL, &delay);
	CHILD_EXPECT(x_kill(p->pid, p->signo) == 0);
	x_sigtimedwait(&none, NULL, &delay);
	CHILD_EXPECT(x_send(p->end, "x", 1, MSG_NOSIGNAL) == 1 || errno == EPIPE);
	return 0;
}

/* recv while a child sends a signal and, later, a byte. What recv returned, or -errno. */
static int poked_recv(int signo)
{
	struct pair_and_pid p = { .pid = x_getpid(), .signo = signo };
	struct child *child;
	int ends[2];
	char byte;
	int n;

	stream_pair(ends);
	p.end = ends[1];
	child = child_start(pokes, &p);
	n = (int)x_recv(ends[0], &byte, 1, 0);
	if (n < 0)
		n = -errno;
	if (n < 0)
		x_recv(ends[0], &byte, 1, 0);
	if (child_join(child) != 0)
		n = -1000;
	close_pair(ends);
	return n;
}

static int is_interrupted(void *arg)
{
	(void)arg;
	handle(SIGUSR1, 0, 0);
	CHILD_EXPECT(poked_recv(SIGUSR1) == -EINTR);
	CHILD_EXPECT(seen.count == 1);
	return 0;
}

TEST(signals, sleeping_call_is_interrupted_by_a_handler)
{
	/* signal(7): EINTR without SA_RESTART. */
	EXPECT_EQ(run(is_interrupted, NULL), 0);
}

static int is_restarted(void *arg)
{
	(void)arg;
	handle(SIGUSR1, SA_RESTART, 0);
	CHILD_EXPECT(poked_recv(SIGUSR1) == 1);
	CHILD_EXPECT(seen.count == 1);
	return 0;
}

TEST(signals, SA_RESTART_makes_the_call_again)
{
	/* signal(7): interruption of system calls: socket interfaces without a timeout. */
	EXPECT_EQ(run(is_restarted, NULL), 0);
}

static int is_not_disturbed(void *arg)
{
	(void)arg;
	act(SIGUSR1, SIG_IGN);
	CHILD_EXPECT(poked_recv(SIGUSR1) == 1);
	CHILD_EXPECT(poked_recv(SIGWINCH) == 1);
	block(SIGTERM, 0);
	CHILD_EXPECT(poked_recv(SIGTERM) == 1);
	CHILD_EXPECT(seen.count == 0);
	act(SIGTERM, SIG_IGN);
	return 0;
}

TEST(signals, ignored_and_blocked_signals_interrupt_nothing)
{
	/* signal(7). */
	EXPECT_EQ(run(is_not_disturbed, NULL), 0);
}

/* Who pokes outlives the one that is killed, so what it is given does too. */
static int is_killed(void *arg)
{
	static struct pair_and_pid p;
	int ends[2];
	char byte;

	(void)arg;
	stream_pair(ends);
	p = (struct pair_and_pid){ .end = ends[1], .pid = x_getpid(), .signo = SIGTERM };
	CHILD_EXPECT(x_fork_into(pokes, &p) > 0);
	x_recv(ends[0], &byte, 1, 0);
	return 42;
}

TEST(signals, sleeping_process_is_killed)
{
	/* signal(7). */
	EXPECT_EQ(run(is_killed, NULL), -SIGTERM);
}

/* ---- waiting for signals ---- */

static int suspends(void *arg)
{
	sigset_t mask = set_of(SIGUSR2, 0);

	(void)arg;
	handle(SIGUSR1, SA_RESTART, 0);
	block(SIGUSR1, 0);
	CHILD_EXPECT(send_self(SIGUSR1) == 0 && seen.count == 0);
	CHILD_EXPECT(refused(x_sigsuspend(&mask), EINTR));
	CHILD_EXPECT(seen.count == 1);
	CHILD_EXPECT(sigismember(&seen.mask, SIGUSR1) == 1 && sigismember(&seen.mask, SIGUSR2) == 1);
	CHILD_EXPECT(blocks(SIGUSR1) && !blocks(SIGUSR2));
	return 0;
}

TEST(signals, sigsuspend_handles_what_its_mask_allows_and_restores_the_mask)
{
	/* sigsuspend(2): always EINTR, with SA_RESTART too. */
	EXPECT_EQ(run(suspends, NULL), 0);
}

static int pauses(void *arg)
{
	struct pair_and_pid p = { .pid = x_getpid(), .signo = SIGUSR1 };
	struct child *child;
	int ends[2];

	(void)arg;
	stream_pair(ends);
	p.end = ends[1];
	handle(SIGUSR1, SA_RESTART, 0);
	child = child_start(pokes, &p);
	CHILD_EXPECT(refused(x_pause(), EINTR));
	CHILD_EXPECT(seen.count == 1);
	CHILD_EXPECT(child_join(child) == 0);
	close_pair(ends);
	return 0;
}

TEST(signals, pause_returns_EINTR_after_a_handler)
{
	/* pause(2). */
	EXPECT_EQ(run(pauses, NULL), 0);
}

static int takes_synchronously(void *arg)
{
	sigset_t set = set_of(SIGUSR1, SIGUSR2);
	struct timespec now = { 0, 0 }, soon = { 0, 20000000 }, bad = { 0, 1000000000 };
	addr_t hole = *(addr_t *)arg;
	siginfo_t info;

	block(SIGUSR1, SIGUSR2);
	CHILD_EXPECT(refused(x_sigtimedwait(&set, NULL, &now), EAGAIN));
	CHILD_EXPECT(refused(x_sigtimedwait(&set, NULL, &soon), EAGAIN));
	CHILD_EXPECT(refused(x_sigtimedwait(&set, NULL, &bad), EINVAL));
	CHILD_EXPECT(refused(x_sigtimedwait(ubuf(hole), NULL, &now), EFAULT));
	CHILD_EXPECT(refused(x_sigtimedwait(&set, NULL, ubuf(hole)), EFAULT));
	CHILD_EXPECT(send_self(SIGUSR2) == 0 && send_self(SIGUSR1) == 0);
	CHILD_EXPECT(x_sigtimedwait(&set, &info, &now) == SIGUSR1);
	CHILD_EXPECT(info.si_signo == SIGUSR1 && info.si_code == SI_USER && info.si_pid == x_getpid());
	CHILD_EXPECT(x_sigtimedwait(&set, NULL, NULL) == SIGUSR2);
	CHILD_EXPECT(refused(x_sigtimedwait(&set, NULL, &now), EAGAIN));
	CHILD_EXPECT(blocks(SIGUSR1) && blocks(SIGUSR2));
	return 0;
}

TEST(signals, sigtimedwait_takes_what_waits_lowest_first)
{
	/* sigtimedwait(2). */
	addr_t hole = unmapped_page();

	EXPECT_EQ(run(takes_synchronously, &hole), 0);
}

static int waits_for(struct pair_and_pid *p, sigset_t *set, struct timespec *timeout)
{
	struct child *child;
	int result;
	int ends[2];

	stream_pair(ends);
	p->end = ends[1];
	p->pid = x_getpid();
	child = child_start(pokes, p);
	result = x_sigtimedwait(set, NULL, timeout);
	if (result < 0)
		result = -errno;
	if (child_join(child) != 0)
		result = -1000;
	close_pair(ends);
	return result;
}

static int sleeps_for_a_signal(void *arg)
{
	struct pair_and_pid awaited = { .signo = SIGUSR1 }, other = { .signo = SIGTERM };
	struct timespec long_enough = { 5, 0 };
	sigset_t set = set_of(SIGUSR1, 0);

	(void)arg;
	block(SIGUSR1, 0);
	CHILD_EXPECT(waits_for(&awaited, &set, &long_enough) == SIGUSR1);
	handle(SIGTERM, SA_RESTART, 0);
	CHILD_EXPECT(waits_for(&other, &set, &long_enough) == -EINTR);
	CHILD_EXPECT(seen.count == 1 && seen.order[0] == SIGTERM);
	return 0;
}

TEST(signals, sigtimedwait_sleeps_until_the_signal_comes_or_another_is_handled)
{
	/* sigtimedwait(2): EINTR, never restarted. */
	EXPECT_EQ(run(sleeps_for_a_signal, NULL), 0);
}

/* ---- bad input ---- */

TEST(signals, masks_in_unmapped_memory_fail_EFAULT)
{
	/* sigprocmask(2), sigpending(2), sigsuspend(2), sigaltstack(2). */
	addr_t hole = unmapped_page();
	sigset_t set = set_of(0, 0);

#ifdef ABI_KSIM
	EXPECT_FAILS(ksim_sigprocmask(SIG_BLOCK, ubuf(hole), NULL), EFAULT);
#else
	EXPECT_FAILS(syscall(SYS_rt_sigprocmask, SIG_BLOCK, ubuf(hole), NULL, 8), EFAULT); /* libc looks itself */
#endif
	EXPECT_FAILS(x_sigprocmask(SIG_BLOCK, &set, ubuf(hole)), EFAULT);
	EXPECT_FAILS(x_sigpending(ubuf(hole)), EFAULT);
	EXPECT_FAILS(x_sigsuspend(ubuf(hole)), EFAULT);
	EXPECT_FAILS(x_sigaltstack(ubuf(hole), NULL), EFAULT);
}

static int alternate_stacks(void *arg)
{
	static char stack[65536];
	stack_t none = { .ss_flags = SS_DISABLE }, mine = { .ss_sp = stack, .ss_size = sizeof(stack) }, old;
	stack_t small = { .ss_sp = stack, .ss_size = 1024 },
		odd = { .ss_sp = stack, .ss_size = sizeof(stack), .ss_flags = 4 };

	(void)arg;
	CHILD_EXPECT(x_sigaltstack(&none, NULL) == 0);
	CHILD_EXPECT(x_sigaltstack(NULL, &old) == 0 && old.ss_flags == SS_DISABLE && old.ss_size == 0);
	CHILD_EXPECT(x_sigaltstack(&mine, &old) == 0 && old.ss_flags == SS_DISABLE);
	CHILD_EXPECT(refused(x_sigaltstack(&small, NULL), ENOMEM));
	CHILD_EXPECT(refused(x_sigaltstack(&odd, NULL), EINVAL));
	CHILD_EXPECT(x_sigaltstack(NULL, &old) == 0);
	CHILD_EXPECT(old.ss_sp == stack && old.ss_size == sizeof(stack) && old.ss_flags == 0);
	CHILD_EXPECT(x_sigaltstack(&none, &old) == 0 && old.ss_sp == stack);
	return 0;
}

TEST(signals, sigaltstack_keeps_what_it_is_told)
{
	/* sigaltstack(2): EINVAL, ENOMEM. */
	EXPECT_EQ(run(alternate_stacks, NULL), 0);
}

static void count(int signo)
{
	(void)signo;
	seen.count++;
}

static int breaks_a_pipe(void *arg)
{
	int flags = *(int *)arg;
	int ends[2];

	act(SIGPIPE, count);
	stream_pair(ends);
	CHILD_EXPECT(x_close(ends[1]) == 0);
	CHILD_EXPECT(refused(x_send(ends[0], "x", 1, flags), EPIPE));
	CHILD_EXPECT(seen.count == (flags == 0));
	CHILD_EXPECT(refused(x_write(ends[0], "x", 1), EPIPE));
	CHILD_EXPECT(seen.count == 1 + (flags == 0));
	CHILD_EXPECT(x_close(ends[0]) == 0);
	return 0;
}

TEST(signals, EPIPE_of_a_socket_comes_with_SIGPIPE_unless_MSG_NOSIGNAL)
{
	/* send(2), signal(7). */
	int flags = 0;

	EXPECT_EQ(run(breaks_a_pipe, &flags), 0);
	flags = MSG_NOSIGNAL;
	EXPECT_EQ(run(breaks_a_pipe, &flags), 0);
}

static int writes_without_a_signal(void *arg)
{
	char byte = 'x';
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	int ends[2];

	(void)arg;
	act(SIGPIPE, count);
	stream_pair(ends);
	CHILD_EXPECT(x_close(ends[1]) == 0);
	CHILD_EXPECT(refused(x_pwritev2(ends[0], &iov, 1, -1, RWF_NOSIGNAL), EPIPE));
	CHILD_EXPECT(seen.count == 0);
	CHILD_EXPECT(refused(x_pwritev2(ends[0], &iov, 1, -1, 0), EPIPE));
	CHILD_EXPECT(seen.count == 1);
	CHILD_EXPECT(x_close(ends[0]) == 0);
	return 0;
}

TEST(signals, EPIPE_comes_without_SIGPIPE_with_RWF_NOSIGNAL)
{
	/* readv(2), RWF_NOSIGNAL. */
	if (linux_release() < 6018)
		SKIP("RWF_NOSIGNAL came with 6.18");
	EXPECT_EQ(run(writes_without_a_signal, NULL), 0);
}

static int dies_of_a_pipe(void *arg)
{
	int ends[2];

	(void)arg;
	stream_pair(ends);
	x_close(ends[1]);
	x_send(ends[0], "x", 1, 0);
	return 42;
}

TEST(signals, SIGPIPE_kills_by_default)
{
	/* signal(7). */
	EXPECT_EQ(run(dies_of_a_pipe, NULL), -SIGPIPE);
}
