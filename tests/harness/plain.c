// SPDX-License-Identifier: MIT
/*
 * The plain form: runs tests in one process and prints TAP version 13. Its main() is in main.c, so that a program may
 * have one of its own.
 *
 * Tests register themselves from constructors, in the order of the link line and of the file. Failures are printed
 * as `# file:line: what` as they happen, before the `not ok` of their test.
 *
 * A test that dies by a signal takes the program with it, after a `Bail out!` that names it; that line is written by
 * a signal handler which then gives the signal back to whoever had it before (a sanitizer's report, the default), so
 * the exit status stays that of the crash. The handlers are installed once: a test may put its own in front and
 * must put back what it found.
 *
 * I1  only the process that harness_main() started in prints: a forked child that crashes dies silently
 * I2  exit status: 0 = every test that ran passed or was skipped, 1 = not, or nothing matched
 */
#include "harness.h"

#include <fnmatch.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct harness_test *first_test;
static struct harness_test **last_test = &first_test;

static const int crash_signals[] = { SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE };
enum { NCRASH_SIGNALS = sizeof(crash_signals) / sizeof(crash_signals[0]) };
static struct sigaction before[NCRASH_SIGNALS];
static pid_t main_pid;

void harness_plain_add(struct harness_test *test)
{
	*last_test = test;
	last_test = &test->next;
}

void harness_report_failure(const char *file, int line, const char *text)
{
	printf("# %s:%d: %s\n", file, line, text);
}

/* A crash: say which test, give the signal back. */

static void put(const char *text)
{
	ssize_t ignored = write(STDOUT_FILENO, text, strlen(text));

	(void)ignored;
}

static void on_crash(int signo, siginfo_t *info, void *context)
{
	(void)context;
	for (int i = 0; i < NCRASH_SIGNALS; i++)
		if (crash_signals[i] == signo)
			sigaction(signo, &before[i], NULL);
	if (getpid() == main_pid) {
		char digits[] = { (char)('0' + signo / 10), (char)('0' + signo % 10), '\n', '\0' };

		put("Bail out! ");
		put(harness_test_name());
		put(" died by signal ");
		put(digits);
	}
	/* A fault comes again when the instruction is tried again; a signal that was sent must be sent again. */
	if (info->si_code <= 0)
		raise(signo);
}

static void catch_crashes(void)
{
	struct sigaction action = { .sa_sigaction = on_crash, .sa_flags = SA_SIGINFO | SA_ONSTACK };

	main_pid = getpid();
	for (int i = 0; i < NCRASH_SIGNALS; i++)
		sigaction(crash_signals[i], &action, &before[i]);
}

/* Choosing and running. */

static bool pattern_chooses(const char *pattern, const struct harness_test *test)
{
	char name[256];
	size_t len = strlen(pattern);

	snprintf(name, sizeof(name), "%s/%s", test->suite, test->name);
	if (len > 0 && pattern[len - 1] == '/')
		return strncmp(name, pattern, len) == 0;
	return fnmatch(pattern, name, 0) == 0;
}

static bool chosen(const struct harness_test *test, int npatterns, char **patterns)
{
	for (int i = 0; i < npatterns; i++)
		if (pattern_chooses(patterns[i], test))
			return true;
	return npatterns == 0;
}

static bool run_and_print(const struct harness_test *test, int number)
{
	enum harness_verdict verdict = harness_run(test);
	bool good = verdict == HARNESS_PASSED || verdict == HARNESS_SKIPPED;

	printf("%s %d - %s/%s", good ? "ok" : "not ok", number, test->suite, test->name);
	if (verdict == HARNESS_SKIPPED)
		printf(" # SKIP %s", harness_reason());
	else if (verdict == HARNESS_BROKEN)
		printf(" # broken: %s", harness_reason());
	putchar('\n');
	fflush(stdout);
	return good;
}

int harness_main(int argc, char **argv)
{
	bool list = argc > 1 && strcmp(argv[1], "--list") == 0;
	int nchosen = 0, nbad = 0, number = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (list) {
		for (struct harness_test *test = first_test; test != NULL; test = test->next)
			printf("%s/%s\n", test->suite, test->name);
		return 0;
	}
	for (struct harness_test *test = first_test; test != NULL; test = test->next)
		nchosen += chosen(test, argc - 1, argv + 1);
	if (nchosen == 0) {
		fprintf(stderr, "%s: no test matches; --list lists them\n", argv[0]);
		return 1;
	}
	catch_crashes();
	printf("TAP version 13\n1..%d\n", nchosen);
	for (struct harness_test *test = first_test; test != NULL; test = test->next)
		if (chosen(test, argc - 1, argv + 1))
			nbad += !run_and_print(test, ++number);
	if (nbad != 0)
		printf("# %d of %d tests failed\n", nbad, nchosen);
	return nbad != 0;
}
