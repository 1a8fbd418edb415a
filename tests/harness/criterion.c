// SPDX-License-Identifier: MIT
/*
 * The Criterion form: each test runs in a process that re-executes the program, main() is the library's.
 *
 * The body, the hooks and the comparison of fds all run inside the Criterion test itself, since a failed assertion in
 * a .fini would pass silently. Failures become Criterion assertions that do not abort, as they happen; leaving a test
 * is ours.
 */
#include "harness.h"

void harness_report_failure(const char *file, int line, const char *text)
{
	struct criterion_assert_stats failure = {
		.passed = false,
		.message = text,
		.line = (unsigned)line,
		.file = file,
	};

	criterion_send_assert(&failure);
}

void harness_criterion_run(const struct harness_test *test)
{
	enum harness_verdict verdict = harness_run(test);

	if (verdict == HARNESS_SKIPPED)
		criterion_skip_test("%s", harness_reason());
	if (verdict == HARNESS_BROKEN)
		cr_expect(false, "broken: %s", harness_reason());
}
