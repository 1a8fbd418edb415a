// SPDX-License-Identifier: MIT
/*
 * A deadlock is an ordinary result: the calls of two processes that wait for each other give EDEADLK, and the report
 * names both, what they are in, and what they wait for.
 */
#include <ksim/criterion.h>
#include <stdio.h>

static char reported[1024];

static void keep(void *arg, const char *line)
{
	size_t used = strlen(reported);

	(void)arg;
	snprintf(reported + used, sizeof(reported) - used, "%s\n", line);
}

static int wait_for_the_other(void *sock)
{
	char byte;

	return ksim_recv(*(int *)sock, &byte, 1, 0) < 0 ? errno : 0;
}

KSIM_TEST(deadlock, two_processes_that_wait_for_each_other_both_get_EDEADLK_and_are_named, .report = keep)
{
	struct ksim_process *client = ksim_process_create(m, "client");
	struct ksim_process *compositor = ksim_process_create(m, "compositor");
	struct ksim_end end;
	int wl[2], peer;

	cr_assert_eq(ksim_socketpair_between(client, compositor, SOCK_STREAM, wl), 0);
	peer = ksim_fd_copy(compositor, wl[1], client); /* so that one's end is not the other's end of file */
	cr_assert_geq(peer, 0);
	cr_assert_eq(ksim_start(compositor, wait_for_the_other, &wl[1]), 0);
	cr_assert_eq(ksim_run(client, wait_for_the_other, &wl[0], &end), 0);
	cr_expect(end.alive && end.code == EDEADLK, "client: %s, code %d", end.text, end.code);
	cr_assert_eq(ksim_join(compositor, &end), 0);
	cr_expect(end.signo == 0 && end.code == EDEADLK, "%s", end.text);
	cr_expect_not_null(strstr(reported, "client (2)"), "%s", reported);
	cr_expect_not_null(strstr(reported, "compositor (3)"), "%s", reported);
	cr_expect_not_null(strstr(reported, "recvfrom"), "%s", reported);
}
