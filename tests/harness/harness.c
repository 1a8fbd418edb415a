// SPDX-License-Identifier: MIT
/*
 * One test's life, the same in both forms: start hooks, body, end hooks, verdict; and the checks that report.
 *
 *	harness_run -> [fds counted] -> hook 1 start -> hook 2 start -> body -> hook 2 end -> hook 1 end -> [fds compared]
 *
 * REQUIRE, SETUP and SKIP jump to the innermost running part (a start, the body or an end), so an end always runs
 * when its start has run: a test that is left early still gives its machine back.
 *
 * I1  a check counts a failure exactly once and reports it exactly once
 * I2  only the thread and the process that entered harness_run jump; another thread that tries aborts the program, a
 *     forked child that tries exits with 99
 * I3  what a failed test left open is not reported as a leak: it had no chance to close it
 *
 * Locking: none. Failures are counted atomically; reports go out in one stdio call each.
 */
#include "harness.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NFDS_WATCHED = 4096, NFDS_NAMED = 16, EXIT_LEFT_IN_CHILD = 99 };

static struct {
	struct harness_hook *hooks; /* newest last */
	bool (*excuse)(char *reason, size_t size);
	jmp_buf leave;              /* of the part that runs now */
	pthread_t thread;           /* that entered harness_run */
	pid_t pid;                  /* likewise */
	int failures;               /* atomic; of the running test */
	bool left;                  /* the body was left early */
	enum harness_verdict early; /* with which verdict */
	char reason[256];
	char name[256];
	unsigned char fds[NFDS_WATCHED]; /* open at the start */
} run;

/* Present in programs that LeakSanitizer watches. Criterion's children leave without its check at exit. */
extern int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

void harness_hook_add(struct harness_hook *hook)
{
	struct harness_hook **last = &run.hooks;

	while (*last != NULL)
		last = &(*last)->next;
	hook->next = NULL;
	*last = hook;
}

bool harness_failed(void)
{
	return __atomic_load_n(&run.failures, __ATOMIC_RELAXED) != 0 || run.left;
}

const char *harness_test_name(void)
{
	return run.name;
}

const char *harness_reason(void)
{
	return run.reason;
}

int *harness_errno(void)
{
	return &errno;
}

_Noreturn static void leave(enum harness_verdict verdict)
{
	if (getpid() != run.pid)
		_exit(EXIT_LEFT_IN_CHILD);
	if (!pthread_equal(pthread_self(), run.thread)) {
		fprintf(stderr, "harness: %s: REQUIRE, SETUP or SKIP on a thread that is not the test's own\n",
		        run.name);
		abort();
	}
	run.left = true;
	if (run.early == HARNESS_PASSED)
		run.early = verdict;
	longjmp(run.leave, 1);
}

void harness_excuse_set(bool (*excuse)(char *reason, size_t size))
{
	run.excuse = excuse;
}

/* Skip the test if there is an excuse for what is about to be called a failure. */
static void ask_for_excuse(void)
{
	if (run.excuse != NULL && getpid() == run.pid && pthread_equal(pthread_self(), run.thread) &&
	    run.excuse(run.reason, sizeof(run.reason)))
		leave(HARNESS_SKIPPED);
}

/* The checks. */

static void fail(const char *file, int line, const char *text)
{
	ask_for_excuse();
	__atomic_fetch_add(&run.failures, 1, __ATOMIC_RELAXED);
	harness_report_failure(file, line, text);
}

void harness_check(const char *file, int line, const char *expr, bool passed)
{
	if (!passed)
		fail(file, line, expr);
}

void harness_require_failed(const char *file, int line, const char *expr)
{
	fail(file, line, expr);
	leave(HARNESS_FAILED);
}

void harness_check_msg(const char *file, int line, bool leave_test, const char *expr, bool passed, const char *fmt, ...)
{
	char text[1024];
	va_list args;
	int len;

	if (passed)
		return;
	len = snprintf(text, sizeof(text), "%s: ", expr);
	if (len < 0 || (size_t)len >= sizeof(text))
		len = 0;
	va_start(args, fmt);
	vsnprintf(text + len, sizeof(text) - (size_t)len, fmt, args);
	va_end(args);
	fail(file, line, text);
	if (leave_test)
		leave(HARNESS_FAILED);
}

static const char *errno_name(long long err)
{
#ifdef __GLIBC__
	return err > 0 && err < 4096 ? strerrorname_np((int)err) : NULL;
#else
	return err > 0 && err < 4096 ? strerror((int)err) : NULL;
#endif
}

/* "-12 (0xfffffffffffffff4, -ENOMEM)": the name where the number is likely an errno. */
static void print_integer(char *text, size_t size, long long value, bool is_errno)
{
	const char *name = NULL;

	if (is_errno)
		name = errno_name(value);
	else if (value < -1)
		name = errno_name(-value);
	if (name != NULL)
		snprintf(text, size, "%lld (0x%llx, %s%s)", value, (unsigned long long)value, value < 0 ? "-" : "",
		         name);
	else
		snprintf(text, size, "%lld (0x%llx)", value, (unsigned long long)value);
}

void harness_check_eq(const char *file, int line, bool leave_test, const char *actual_expr, const char *expected_expr,
                      long long actual, long long expected)
{
	bool is_errno = strstr(actual_expr, "errno") != NULL;
	char got[96], want[96], text[1024];

	if (actual == expected)
		return;
	print_integer(got, sizeof(got), actual, is_errno);
	print_integer(want, sizeof(want), expected, is_errno);
	snprintf(text, sizeof(text), "%s is %s, expected %s = %s", actual_expr, got, expected_expr, want);
	fail(file, line, text);
	if (leave_test)
		leave(HARNESS_FAILED);
}

void harness_check_fails(const char *file, int line, const char *expr, long long result, int err, int expected_err)
{
	char got[96], want[96], text[1024];

	if (result == -1 && err == expected_err)
		return;
	print_integer(want, sizeof(want), expected_err, true);
	print_integer(got, sizeof(got), err, true);
	if (result != -1)
		snprintf(text, sizeof(text), "%s returned %lld (0x%llx), expected -1 and errno %s", expr, result,
		         (unsigned long long)result, want);
	else
		snprintf(text, sizeof(text), "%s left errno %s, expected %s", expr, got, want);
	fail(file, line, text);
}

void harness_check_streq(const char *file, int line, const char *expr, const char *actual, const char *expected)
{
	char text[1024];

	if (actual != NULL && expected != NULL ? strcmp(actual, expected) == 0 : actual == expected)
		return;
	snprintf(text, sizeof(text), "%s is \"%s\", expected \"%s\"", expr, actual != NULL ? actual : "(null)",
	         expected != NULL ? expected : "(null)");
	fail(file, line, text);
}

void harness_check_contains(const char *file, int line, const char *expr, const char *actual, const char *part)
{
	char text[4096];

	if (actual != NULL && strstr(actual, part) != NULL)
		return;
	snprintf(text, sizeof(text), "%s lacks \"%s\", it is\n%s", expr, part, actual != NULL ? actual : "(null)");
	fail(file, line, text);
}

void harness_check_memeq(const char *file, int line, const char *expr, const void *actual, const void *expected,
                         size_t len_bytes)
{
	const unsigned char *a = actual, *b = expected;
	char text[1024];

	for (size_t i = 0; i < len_bytes; i++) {
		if (a[i] == b[i])
			continue;
		snprintf(text, sizeof(text), "%s: byte %zu of %zu is 0x%02x, expected 0x%02x", expr, i, len_bytes, a[i],
		         b[i]);
		fail(file, line, text);
		return;
	}
}

void harness_setup_failed(const char *file, int line, const char *expr)
{
	int err = errno;

	ask_for_excuse();
	snprintf(run.reason, sizeof(run.reason), "%s does not hold at %s:%d, errno %d (%s)", expr, file, line, err,
	         errno_name(err) != NULL ? errno_name(err) : "none");
	leave(HARNESS_BROKEN);
}

void harness_skip(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(run.reason, sizeof(run.reason), fmt, args);
	va_end(args);
	leave(HARNESS_SKIPPED);
}

/* The host's fds. */

/* Marks the open ones in open[]; false where the host does not tell. */
static bool list_fds(unsigned char *open)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;

	memset(open, 0, NFDS_WATCHED);
	if (dir == NULL)
		return false;
	while ((entry = readdir(dir)) != NULL) {
		int fd = atoi(entry->d_name);

		if (entry->d_name[0] != '.' && fd != dirfd(dir) && fd >= 0 && fd < NFDS_WATCHED)
			open[fd] = 1;
	}
	closedir(dir);
	return true;
}

static void report_leaked_fd(int fd)
{
	char path[64], target[256], text[512];
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	len = readlink(path, target, sizeof(target) - 1);
	target[len > 0 ? len : 0] = '\0';
	snprintf(text, sizeof(text), "leaked host fd %d -> %s", fd, target);
	fail("at the end of the test", 0, text);
}

static void compare_fds(void)
{
	unsigned char now[NFDS_WATCHED];
	int nreported = 0;

	if (harness_failed() || !list_fds(now))
		return;
	for (int fd = 0; fd < NFDS_WATCHED && nreported < NFDS_NAMED; fd++) {
		if (now[fd] && !run.fds[fd]) {
			report_leaked_fd(fd);
			nreported++;
		} else if (!now[fd] && run.fds[fd]) {
			fail("at the end of the test", 0, "closed a host fd that was open before it");
			nreported++;
		}
	}
}

/* The life of a test. */

/* Run one part; false if it was left early. */
static bool run_part(void (*part)(void))
{
	if (setjmp(run.leave) != 0)
		return false;
	part();
	return true;
}

/* Starts hook and those after it, then the body, then the ends in the reverse order. */
static void run_inside(struct harness_hook *hook, void (*body)(void))
{
	if (hook == NULL) {
		run_part(body);
		return;
	}
	if (hook->at_start != NULL && !run_part(hook->at_start))
		return;
	run_inside(hook->next, body);
	if (hook->at_end != NULL)
		run_part(hook->at_end);
}

enum harness_verdict harness_run(const struct harness_test *test)
{
	bool counted = list_fds(run.fds);

	snprintf(run.name, sizeof(run.name), "%s/%s", test->suite, test->name);
	run.thread = pthread_self();
	run.pid = getpid();
	run.failures = 0;
	run.left = false;
	run.early = HARNESS_PASSED;
	run.reason[0] = '\0';
	run_inside(run.hooks, test->body);
	if (counted)
		compare_fds();
#ifdef HARNESS_CRITERION
	if (__lsan_do_recoverable_leak_check != NULL && !harness_failed() && __lsan_do_recoverable_leak_check() != 0)
		fail("at the end of the test", 0, "leaked memory, see LeakSanitizer's report");
#endif
	run.name[0] = '\0';
	if (__atomic_load_n(&run.failures, __ATOMIC_RELAXED) != 0)
		return HARNESS_FAILED;
	return run.early;
}
