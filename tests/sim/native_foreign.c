// SPDX-License-Identifier: MIT
/*
 * Faults that are not the simulated process's own: they go to whoever had SIGSEGV before ksim, and where nobody had it
 * the program dies as it would have without ksim. And what a user may do wrong: touch a window as nobody, or as another
 * process.
 *
 * Each body runs in a forked child of the program, with no handler but its own, and ends it by _exit or by dying.
 */
#include "native.h"

#include <pthread.h>
#include <setjmp.h>

#include "unit/aborts.h"

/* The child's wait status, and what it said on standard error. */
struct outcome {
	int status;
	char text[4096];
};

static struct outcome outcome;

static void run_in_child(void (*body)(void *), void *arg)
{
	aborts_run(body, arg, outcome.text, sizeof(outcome.text), &outcome.status);
}

#define EXPECT_EXITS(body, code)                                                                          \
	do {                                                                                              \
		run_in_child(body, NULL);                                                                 \
		EXPECT_MSG(WIFEXITED(outcome.status) && WEXITSTATUS(outcome.status) == (code),            \
		           "wait status %#x, expected exit code %d; it said: %s", outcome.status, (code), \
		           outcome.text);                                                                 \
	} while (0)
#define EXPECT_DIES(body)                                                                                   \
	do {                                                                                                \
		run_in_child(body, NULL);                                                                   \
		EXPECT_MSG(WIFSIGNALED(outcome.status) && WTERMSIG(outcome.status) == SIGSEGV,              \
		           "wait status %#x, expected SIGSEGV; it said: %s", outcome.status, outcome.text); \
	} while (0)

/* A machine, booted where nobody handles SIGSEGV but this, if it is not NULL. */
static struct ksim_process *boot_after(void (*handler)(int, siginfo_t *, void *))
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };

	if (handler == NULL)
		action = (struct sigaction){ .sa_handler = SIG_DFL };
	if (sigaction(SIGSEGV, &action, NULL) != 0)
		_exit(100);
	return bed_process(native_boot(), "p");
}

/* A page of the program's own that must not be touched. */
static char *wild_page(void)
{
	char *page = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		_exit(100);
#ifdef HAVE_VALGRIND
	VALGRIND_MAKE_MEM_DEFINED(page,
	                          PAGE); /* or it says of the access what it is, and the child's exit code is its own */
#endif
	return page;
}

/* ---- whoever had the signal before ---- */

static char *wild;
static volatile int times; /* changed by handlers */

static void exit_7_if_wild(int signo, siginfo_t *info, void *context)
{
	_exit(signo == SIGSEGV && info->si_addr == wild + 3 && info->si_code == SEGV_ACCERR && context != NULL ? 7 : 8);
}

static void store_wildly(void *arg)
{
	struct ksim_process *p = boot_after(exit_7_if_wild);

	(void)arg;
	wild = wild_page();
	ksim_as(p) {
		native_store(native_map(1, RW, MAP_PRIVATE));
		native_store(wild + 3);
	}
}

TEST(native_foreign, wild_store_goes_to_the_handler_that_was_there_before)
{
	EXPECT_EXITS(store_wildly, 7);
	EXPECT_MSG(strstr(outcome.text, "ksim:") == NULL, "it said: %s", outcome.text);
}

static void repair(int signo, siginfo_t *info, void *context)
{
	(void)signo;
	(void)info;
	(void)context;
	times++;
	mprotect(wild, PAGE, RW);
}

static void store_wildly_and_go_on(void *arg)
{
	struct ksim_process *p = boot_after(repair);

	(void)arg;
	wild = wild_page();
	ksim_as(p) {
		char *map = native_map(2, RW, MAP_PRIVATE);

		for (int i = 0; i < 3; i++) {
			mprotect(wild, PAGE, PROT_NONE);
			strcpy(wild, "repaired");
			strcpy(map, wild);
		}
		_exit(times == 3 && strcmp(map, "repaired") == 0 ? 7 : 8);
	}
}

TEST(native_foreign, handler_that_was_there_before_may_return)
{
	/* As a garbage collector's write barrier does. */
	EXPECT_EXITS(store_wildly_and_go_on, 7);
}

static sigjmp_buf out;

static void jump(int signo)
{
	times++;
	siglongjmp(out, signo);
}

static void store_wildly_and_jump(void *arg)
{
	struct sigaction action = { .sa_handler = jump };
	struct ksim_process *p;
	char *nowhere;

	(void)arg;
	sigaction(SIGSEGV, &action, NULL);
	p = bed_process(native_boot(), "p");
	wild = wild_page();
	ksim_as(p) {
		nowhere = native_map(1, RW, MAP_PRIVATE);
		for (volatile int i = 0; i < 10; i++)
			if (sigsetjmp(out, 1) == 0)
				native_store(i % 2 ? wild : wild + i);
		native_store(nowhere);
		_exit(times == 10 ? 7 : 8);
	}
}

TEST(native_foreign, handler_that_was_there_before_may_jump_away_again_and_again)
{
	EXPECT_EXITS(store_wildly_and_jump, 7);
}

static void store_wildly_without_a_handler(void *arg)
{
	struct ksim_process *p = boot_after(NULL);

	(void)arg;
	ksim_as(p)
		native_store(wild_page());
}

static int store(void *arg)
{
	return native_store(arg);
}

static void store_wildly_in_a_run(void *arg)
{
	struct ksim_end end;

	(void)arg;
	ksim_run(boot_after(NULL), store, wild_page(), &end);
}

TEST(native_foreign, wild_store_without_a_handler_kills_the_program_as_without_ksim)
{
	/* It is the program's bug, not the simulated process's death. */
	EXPECT_DIES(store_wildly_without_a_handler);
	EXPECT_DIES(store_wildly_in_a_run);
	EXPECT_MSG(strstr(outcome.text, "ksim:") == NULL, "it said: %s", outcome.text);
}

#if defined(__x86_64__) /* aarch64 ignores an address's highest bits */
static void dereference_ksim_user(void *arg)
{
	struct ksim_process *p = boot_after(NULL);

	(void)arg;
	ksim_as(p)
		native_store(ksim_user(bed_map(1, RW, MAP_PRIVATE)));
}
#endif

static void fault_after_halt(void *arg)
{
	struct ksim_process *p = boot_after(NULL);
	char *map = NULL;

	(void)arg;
	ksim_as(p) {
		map = native_map(1, RW, MAP_PRIVATE);
		native_store(map);
	}
	ksim_halt(ksim_process_machine(p));
	native_load(map);
}

TEST(native_foreign, address_that_is_no_address_and_one_of_a_halted_machine_are_wild)
{
	/* ksim_user(): must not be dereferenced. */
#if defined(__x86_64__)
	EXPECT_DIES(dereference_ksim_user);
#endif
	EXPECT_DIES(fault_after_halt);
	EXPECT_MSG(strstr(outcome.text, "ksim:") == NULL, "it said: %s", outcome.text);
}

/* ---- signals that are sent ---- */

static void note_sent(int signo, siginfo_t *info, void *context)
{
	(void)context;
	times += signo == SIGSEGV && info->si_code <= 0;
}

static void raise_with_a_handler(void *arg)
{
	struct ksim_process *p = boot_after(note_sent);

	(void)arg;
	ksim_as(p) {
		native_store(native_map(1, RW, MAP_PRIVATE));
		raise(SIGSEGV);
		pthread_kill(pthread_self(), SIGSEGV);
		native_store(native_map(1, RW, MAP_PRIVATE));
		_exit(times == 2 ? 7 : 8);
	}
}

static void raise_without_a_handler(void *arg)
{
	struct ksim_process *p = boot_after(NULL);

	(void)arg;
	ksim_as(p)
		raise(SIGSEGV);
	_exit(9);
}

TEST(native_foreign, signal_that_somebody_sends_is_no_fault)
{
	EXPECT_EXITS(raise_with_a_handler, 7);
	EXPECT_DIES(raise_without_a_handler);
}

/* ---- who takes the signal afterwards ---- */

static void take_it_and_boot_again(void *arg)
{
	struct sigaction action = { .sa_sigaction = exit_7_if_wild, .sa_flags = SA_SIGINFO };
	struct ksim_process *p = boot_after(NULL), *q;

	(void)arg;
	wild = wild_page();
	sigaction(SIGSEGV, &action, NULL);
	q = bed_process(native_boot(), "q");
	ksim_as(p)
		strcpy(native_map(1, RW, MAP_PRIVATE), "p");
	ksim_as(q) {
		strcpy(native_map(1, RW, MAP_PRIVATE), "q");
		native_store(wild + 3);
	}
}

static struct sigaction ksims;

static void ask_ksim(int signo, siginfo_t *info, void *context)
{
	times++;
	if (ksims.sa_flags & SA_SIGINFO)
		ksims.sa_sigaction(signo, info, context);
}

static void take_it_and_pass_on(void *arg)
{
	struct sigaction action = { .sa_sigaction = ask_ksim, .sa_flags = SA_SIGINFO };
	struct ksim_process *p = boot_after(NULL);
	char *map;

	(void)arg;
	sigaction(SIGSEGV, &action, &ksims);
	ksim_as(p) {
		map = native_map(2, RW, MAP_PRIVATE);
		strcpy(map + PAGE - 2, "across");
		native_settle();
		if (times == 0 || strcmp(map + PAGE - 2, "across") != 0)
			_exit(8);
		/* Now each would pass it on to the other. */
		bed_process(native_boot(), "q");
		native_store(wild_page());
	}
}

TEST(native_foreign, handler_that_comes_after_ksims_may_pass_faults_on)
{
	/* The next boot takes the signal back; and two who pass on to each other do not do so for ever. */
	EXPECT_EXITS(take_it_and_boot_again, 7);
	EXPECT_DIES(take_it_and_pass_on);
}

/* ---- the wrong process ---- */

static void touch_as_nobody(void *arg)
{
	struct ksim_process *p = boot_after(NULL);
	char *map = NULL;

	(void)arg;
	ksim_as(p)
		map = native_map(1, RW, MAP_PRIVATE);
	native_store(map);
}

static void null_as_nobody(void *arg)
{
	char *null = NULL;

	access_expect_null();
	(void)arg;
	__asm__("" : "+r"(null));
	boot_after(NULL);
	native_store(null);
}

TEST(native_foreign, touching_a_window_as_nobody_kills_the_program_and_says_why)
{
	EXPECT_DIES(touch_as_nobody);
	EXPECT_CONTAINS(outcome.text, "in the window of p (2), by a thread that acts as no process");
	EXPECT_DIES(null_as_nobody);
	EXPECT_MSG(strstr(outcome.text, "ksim:") == NULL, "it said: %s", outcome.text);
}

static void exit_9(int signo)
{
	(void)signo;
	_exit(9);
}

static void touch_as_another(void *arg)
{
	struct sigaction action = { .sa_handler = exit_9 };
	struct ksim_process *p = boot_after(NULL), *q = bed_process(ksim_process_machine(p), "other");
	char *map = NULL;

	(void)arg;
	ksim_as(p)
		map = native_map(1, RW, MAP_PRIVATE);
	ksim_as(q) {
		ksim_sigaction(SIGSEGV, &action, NULL);
		native_store(map);
	}
}

static void pass_as_another(void *arg)
{
	struct ksim_process *p = boot_after(NULL), *q = bed_process(ksim_process_machine(p), "other");
	char *map = NULL;

	(void)arg;
	ksim_as(p)
		map = native_map(1, RW, MAP_PRIVATE);
	ksim_as(q)
		ksim_write(native_file(0), map, 1);
}

TEST(native_foreign, touching_the_window_of_another_process_kills_the_program_and_says_whose_it_is)
{
	/* No handler of either process sees it. */
	EXPECT_DIES(touch_as_another);
	EXPECT_CONTAINS(outcome.text, "in the window of p (2), by a thread that acts as other");
	/* To a call it is memory of the program, which is not there. */
	EXPECT_DIES(pass_as_another);
	EXPECT_CONTAINS(outcome.text, "in the window of p (2), by a thread that acts as other");
}
