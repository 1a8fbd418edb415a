// SPDX-License-Identifier: MIT
/*
 * Must fail: proves that a child that nobody waits for is told, with the call that made it. Exit status 1.
 *
 * EXPECT-OUTPUT: leak: shell \(2\) holds process shell \(3\), (alive|a zombie), made by fork
 */
#include <ksim/criterion.h>

static int end_at_once(void *arg)
{
	(void)arg;
	return 0;
}

KSIM_TEST(mustfail, ksim_leaked_process)
{
	struct ksim_process *shell = ksim_process_create(m, "shell");
	uint64_t mark = ksim_mark(m);

	ksim_as(shell)
		cr_assert_eq(ksim_fork_into(end_at_once, NULL), 3);
	cr_expect_eq(ksim_leaks(m, shell, mark), 0);
}
