// SPDX-License-Identifier: MIT
/*
 * The test layer: one test file, two programs.
 *
 *	TEST(wallet, empty_wallet_pays_nothing)
 *	{
 *		struct wallet *w = wallet_create();
 *
 *		SETUP(w != NULL);
 *		EXPECT_EQ(wallet_pay(w, 5), -ENOSPC);
 *		wallet_destroy(w);
 *	}
 *
 * With -DHARNESS_CRITERION, harness.c + criterion.c and -lcriterion this is a Criterion suite, each test in a process
 * of its own. Without, with harness.c + plain.c + main.c, it is a program that needs libc alone: it runs all its tests
 * in one process and prints TAP, `--list` lists them, `suite/name` (or a pattern, 'suite/' or 'wallet/empty*') runs
 * some.
 *
 * At the end of every test's body, in both forms, the host's open fds are compared with those at its start, and the
 * hooks that the program added are asked to compare what they watch. A test must therefore close what it opens.
 *
 * Results of a test: passed; failed; broken (a precondition did not hold, so nothing was learnt; counts as failed);
 * skipped. EXPECT* report and go on, and may be used from any thread; REQUIRE*, SETUP and SKIP leave the test by
 * longjmp, so only the test's own thread may use them, and only in the process that the test started in.
 */
#ifndef HARNESS_H
#define HARNESS_H

#include <stdbool.h>
#include <stddef.h>

#define HARNESS_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/** What a test's end must find as its start left it; add it from a constructor. Both run on the test's thread. */
struct harness_hook {
	const char *name;
	void (*at_start)(void); /* before the body; may use SETUP and SKIP; NULL = nothing */
	void (*at_end)(void);   /* after the body, also when the body was left early; may use EXPECT and REQUIRE */
	struct harness_hook *next;
};

/** Starts run in the order of addition, ends in the reverse one. Keeps the pointer. */
void harness_hook_add(struct harness_hook *hook);

/**
 * Asked before a failure of the test's own thread is told, errno being what the check found: true, with a reason, if
 * what is tested has nothing to do with it. The test is skipped then.
 */
void harness_excuse_set(bool (*excuse)(char *reason, size_t size));

/** Has the running test failed or been left already? For hooks: what a failed test left behind is no news. */
bool harness_failed(void);

/** "suite/name" of the running test, or "" between tests. */
const char *harness_test_name(void);

/** An EXPECT, a REQUIRE and so on in their function form; `leave` = leave the test after a failure. */
void harness_check(const char *file, int line, const char *expr, bool passed);
void harness_check_msg(const char *file, int line, bool leave, const char *expr, bool passed, const char *fmt, ...)
	HARNESS_PRINTF(6, 7);
void harness_check_eq(const char *file, int line, bool leave, const char *actual_expr, const char *expected_expr,
                      long long actual, long long expected);
void harness_check_streq(const char *file, int line, const char *expr, const char *actual, const char *expected);
void harness_check_contains(const char *file, int line, const char *expr, const char *actual, const char *part);
void harness_check_memeq(const char *file, int line, const char *expr, const void *actual, const void *expected,
                         size_t len_bytes);
void harness_check_fails(const char *file, int line, const char *expr, long long result, int err, int expected_err);
_Noreturn void harness_require_failed(const char *file, int line, const char *expr);
_Noreturn void harness_setup_failed(const char *file, int line, const char *expr);
_Noreturn void harness_skip(const char *fmt, ...) HARNESS_PRINTF(1, 2);

#define EXPECT(cond)          harness_check(__FILE__, __LINE__, #cond, !!(cond))
#define EXPECT_MSG(cond, ...) harness_check_msg(__FILE__, __LINE__, false, #cond, !!(cond), __VA_ARGS__)
#define EXPECT_EQ(actual, expected) \
	harness_check_eq(__FILE__, __LINE__, false, #actual, #expected, (long long)(actual), (long long)(expected))
#define EXPECT_STREQ(actual, expected) harness_check_streq(__FILE__, __LINE__, #actual, (actual), (expected))
#define EXPECT_CONTAINS(text, part)    harness_check_contains(__FILE__, __LINE__, #text, (text), (part))
#define EXPECT_MEMEQ(actual, expected, len_bytes) \
	harness_check_memeq(__FILE__, __LINE__, #actual, (actual), (expected), (len_bytes))

/** The call returns -1 and leaves that errno. */
#define EXPECT_FAILS(call, expected_errno)                                                                          \
	do {                                                                                                        \
		*harness_errno() = 0;                                                                               \
		long long harness_result = (long long)(call);                                                       \
		harness_check_fails(__FILE__, __LINE__, #call, harness_result, *harness_errno(), (expected_errno)); \
	} while (0)

/* Seen whole by the compiler and by the static analysers: after these the condition holds. */
#define REQUIRE(cond)          ((cond) ? (void)0 : harness_require_failed(__FILE__, __LINE__, #cond))
#define REQUIRE_MSG(cond, ...) harness_check_msg(__FILE__, __LINE__, true, #cond, !!(cond), __VA_ARGS__)
#define REQUIRE_EQ(actual, expected) \
	harness_check_eq(__FILE__, __LINE__, true, #actual, #expected, (long long)(actual), (long long)(expected))

#define SETUP(cond) ((cond) ? (void)0 : harness_setup_failed(__FILE__, __LINE__, #cond))
#define SKIP(...)   harness_skip(__VA_ARGS__)

int *harness_errno(void);

/* How the two forms run a body; not for tests. */
enum harness_verdict { HARNESS_PASSED, HARNESS_FAILED, HARNESS_BROKEN, HARNESS_SKIPPED };

struct harness_test {
	const char *suite;
	const char *name;
	void (*body)(void);
	struct harness_test *next;
};

/** Start hooks, body, end hooks. */
enum harness_verdict harness_run(const struct harness_test *test);
/** Why the last test was skipped or broken. */
const char *harness_reason(void);
/** What the form does with one failure; any thread. */
void harness_report_failure(const char *file, int line, const char *text);

#ifdef HARNESS_CRITERION
#include <criterion/criterion.h>

void harness_criterion_run(const struct harness_test *test);

#define TEST(suite, name)                                                                        \
	static void suite##_##name##_body(void);                                                 \
	Test(suite, name)                                                                        \
	{                                                                                        \
		const struct harness_test test = { #suite, #name, suite##_##name##_body, NULL }; \
		harness_criterion_run(&test);                                                    \
	}                                                                                        \
	static void suite##_##name##_body(void)
#else
void harness_plain_add(struct harness_test *test);
/** Run the tests that the arguments choose: the exit status of a program. Installs handlers for crashes. */
int harness_main(int argc, char **argv);

#define TEST(suite, name)                                                                         \
	static void suite##_##name##_body(void);                                                  \
	__attribute__((constructor)) static void suite##_##name##_add(void)                       \
	{                                                                                         \
		static struct harness_test test = { #suite, #name, suite##_##name##_body, NULL }; \
		harness_plain_add(&test);                                                         \
	}                                                                                         \
	static void suite##_##name##_body(void)
#endif

#endif
