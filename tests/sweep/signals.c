// SPDX-License-Identifier: MIT
/*
 * Signals, swept: queued, blocked, handled, sent to others; faults whose handlers map memory or jump away.
 *
 * What Linux promises where there is no memory to queue a signal: sigqueue(3) is EAGAIN and nothing was sent, from
 * SIGRTMIN on; kill(2) sends the signal all the same, which then does not say by whom (__send_signal_locked in
 * kernel/signal.c).
 */
#include "held.h"

#include <setjmp.h>
#include <sys/wait.h>

enum { MANY = 3 };

/* What handlers see. */
static struct {
	unsigned taken;
	siginfo_t last;
	ksim_addr hole; /* to be mapped by a handler of a fault */
	sigjmp_buf out;
} seen;

static void note(int signo, siginfo_t *info, void *context)
{
	(void)signo;
	(void)context;
	seen.taken++;
	seen.last = *info;
}

static int handle(int signo, void (*handler)(int, siginfo_t *, void *))
{
	struct sigaction action = { .sa_flags = SA_SIGINFO };

	action.sa_sigaction = handler;
	memset(&seen, 0, sizeof(seen));
	return ksim_sigaction(signo, &action, NULL);
}

static int block(int how, int signo)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signo);
	return ksim_sigprocmask(how, &set, NULL);
}

/* What was taken, `times` so far: it says who sent it, if there was memory for that. */
static int expect_from(pid_t pid, unsigned times, const char *call)
{
	MUST(seen.taken == times);
	if (seen.last.si_pid == 0)
		story_absorbs(call);
	MUST(seen.last.si_pid == pid || (story.absorbed && seen.last.si_code == SI_USER));
	return 0;
}

/* ---- to oneself ---- */

static int queue_in_order(void *arg)
{
	const struct timespec now = { 0, 0 };
	const int signo = SIGRTMIN + 1;
	siginfo_t info;
	sigset_t set;

	(void)arg;
	sigemptyset(&set);
	sigaddset(&set, signo);
	MUST(block(SIG_BLOCK, signo) == 0);
	for (int i = 0; i < MANY; i++)
		MUST(RETRY(ksim_sigqueue(ksim_getpid(), signo, (union sigval){ .sival_int = i })) == 0);
	for (int i = 0; i < MANY; i++) {
		MUST(ksim_sigtimedwait(&set, &info, &now) == signo);
		MUST(info.si_value.sival_int == i && info.si_code == SI_QUEUE && info.si_pid == ksim_getpid());
	}
	MUST(ksim_sigtimedwait(&set, &info, &now) == -1 && errno == EAGAIN);
	MUST(block(SIG_UNBLOCK, signo) == 0);
	return 0;
}

TEST(sweep_signals, queued_come_in_order_each_once)
{
	story_sweep(story_of_itself, queue_in_order);
}

static int send_to_oneself(void *arg)
{
	pid_t self = ksim_getpid();
	sigset_t waiting, none;

	(void)arg;
	MUST(handle(SIGUSR1, note) == 0);
	MUST(ksim_kill(self, SIGUSR1) == 0);
	TRY(expect_from(self, 1, "kill"));
	MUST(block(SIG_BLOCK, SIGUSR1) == 0);
	MUST(ksim_kill(self, SIGUSR1) == 0 && ksim_tgkill(self, ksim_gettid(), SIGUSR1) == 0);
	MUST(ksim_sigpending(&waiting) == 0 && sigismember(&waiting, SIGUSR1));
	MUST(seen.taken == 1);
	sigemptyset(&none);
	MUST(ksim_sigsuspend(&none) == -1 && errno == EINTR);
	MUST(seen.taken >= 2);
	/* One waited for the process, one for the thread. */
	MUST(block(SIG_UNBLOCK, SIGUSR1) == 0);
	MUST(seen.taken == 3);
	story_absorbs("kill");
	story_absorbs("tgkill");
	MUST(handle(SIGUSR1, note) == 0);
	MUST(RETRY(ksim_tgkill(self, ksim_gettid(), SIGUSR1)) == 0);
	TRY(expect_from(self, 1, "tgkill"));
	return 0;
}

TEST(sweep_signals, sent_to_oneself_come_whether_they_can_say_by_whom_or_not)
{
	story_sweep(story_of_itself, send_to_oneself);
}

/* ---- of faults ---- */

static void map_hole(int signo, siginfo_t *info, void *context)
{
	(void)signo;
	(void)info;
	(void)context;
	if (++seen.taken == 1 && RETRY(map_at(seen.hole, PAGE, RW, MAP_PRIVATE | MAP_FIXED, -1)) != seen.hole)
		seen.taken = 100;
}

static void jump(int signo, siginfo_t *info, void *context)
{
	(void)signo;
	(void)info;
	(void)context;
	seen.taken++;
	siglongjmp(seen.out, 1);
}

static int fault(void *arg)
{
	struct held *held = arg;

	held->map = RETRY(map_at(0, held->bytes, RW, MAP_PRIVATE, -1));
	MUST(held->map != KSIM_MAP_FAILED);
	MUST(RETRY_UNCHANGED(ksim_munmap(held->map + PAGE, PAGE), (mem_store8(held->map, 1), true)) == 0);
	MUST(handle(SIGSEGV, map_hole) == 0);
	seen.hole = held->map + PAGE;
	mem_store8(seen.hole + 7, 7); /* the handler returns, and the store is done */
	MUST(seen.taken == 1 && mem_load8(seen.hole + 7) == 7);
	MUST(RETRY(ksim_mprotect(held->map, PAGE, PROT_READ)) == 0);
	MUST(handle(SIGSEGV, jump) == 0);
	if (sigsetjmp(seen.out, 1) == 0) {
		mem_store8(held->map, 2);
		MUST(false);
	}
	MUST(seen.taken == 1);
	MUST(RETRY(ksim_mprotect(held->map, PAGE, RW)) == 0);
	mem_store8(held->map, 3);
	return 0;
}

static int tell_fault(int (*act)(void *))
{
	struct held held = { .fd = -1, .bytes = 3 * PAGE };

	return story_of_one(act, held_undo, &held);
}

TEST(sweep_signals, handlers_of_faults_map_memory_and_jump_away)
{
	story_sweep(tell_fault, fault);
}

/* ---- to others ---- */

struct pair {
	pid_t parent, child;
	int status;
};

static int expects_signals(void *arg)
{
	struct pair *pair = arg;

	pair->parent = ksim_getpid();
	MUST(handle(SIGCHLD, note) == 0);
	return 0;
}

static int sends_to_child(void *arg)
{
	struct pair *pair = arg;
	const union sigval value = { .sival_int = 7 };

	MUST(ksim_kill(pair->child, 0) == 0);
	MUST(RETRY(ksim_sigqueue(pair->child, SIGRTMIN + 1, value)) == 0);
	return 0;
}

/* Nobody acted as the child when it was sent; it is taken as soon as somebody does. */
static int took_it(void *arg)
{
	const struct pair *pair = arg;

	MUST(ksim_getppid() == pair->parent);
	MUST(seen.taken == 1 && seen.last.si_value.sival_int == 7);
	return 0;
}

static int handles_value(void *arg)
{
	(void)arg;
	MUST(handle(SIGRTMIN + 1, note) == 0);
	return 0;
}

static int kills_child(void *arg)
{
	struct pair *pair = arg;

	seen.taken = 0;
	MUST(ksim_kill(pair->child, SIGTERM) == 0);
	story_absorbs("kill");
	MUST(seen.taken == 1 && seen.last.si_code == CLD_KILLED &&
	     seen.last.si_status == SIGTERM); /* needs no memory */
	MUST(ksim_waitpid(pair->child, &pair->status, 0) == pair->child);
	MUST(WIFSIGNALED(pair->status) && WTERMSIG(pair->status) == SIGTERM);
	MUST(ksim_kill(pair->child, SIGTERM) == -1 && errno == ESRCH);
	return 0;
}

static int tell_pair(int (*act)(void *))
{
	struct ksim_process *parent = story_process("parent"), *child;
	struct pair pair;

	(void)act;
	MUST(parent != NULL);
	story_begin();
	TRY(story_act(parent, expects_signals, &pair));
	child = story_fork(parent, "child");
	MUST(child != NULL);
	pair.child = ksim_process_pid(child);
	TRY(story_act(child, handles_value, NULL));
	TRY(story_act(parent, sends_to_child, &pair));
	TRY(story_act(child, took_it, &pair));
	TRY(story_act(parent, kills_child, &pair));
	TRY(story_process_ends(child));
	return story_settled();
}

TEST(sweep_signals, sent_to_a_child_that_takes_one_and_dies_of_the_other)
{
	story_sweep(tell_pair, NULL);
}
