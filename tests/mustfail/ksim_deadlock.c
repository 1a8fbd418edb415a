// SPDX-License-Identifier: MIT
/*
 * Must fail, and not hang: proves that two processes that wait for each other end a test that did not expect it, and
 * that the report names what they wait for. Exit status 1.
 *
 * EXPECT-OUTPUT: the client got errno 35 in the place of an answer
 * EXPECT-OUTPUT: client \(2\)
 * EXPECT-OUTPUT: compositor \(3\).*recvfrom
 */
#include <ksim/criterion.h>

static int wait_for_the_other(void *sock)
{
	char byte;

	return ksim_recv(*(int *)sock, &byte, 1, 0) == 1 ? 0 : errno;
}

KSIM_TEST(mustfail, ksim_deadlock)
{
	struct ksim_process *client = ksim_process_create(m, "client");
	struct ksim_process *compositor = ksim_process_create(m, "compositor");
	struct ksim_end end;
	int wl[2];

	cr_assert_eq(ksim_socketpair_between(client, compositor, SOCK_STREAM, wl), 0);
	/* With an end of each in both, one that gives up is not the other's end of file. */
	cr_assert_geq(ksim_fd_copy(compositor, wl[1], client), 0);
	cr_assert_geq(ksim_fd_copy(client, wl[0], compositor), 0);
	cr_assert_eq(ksim_start(compositor, wait_for_the_other, &wl[1]), 0);
	cr_assert_eq(ksim_run(client, wait_for_the_other, &wl[0], &end), 0);
	cr_expect_eq(end.code, 0, "the client got errno %d in the place of an answer", end.code);
	cr_assert_eq(ksim_join(compositor, &end), 0);
	cr_expect_eq(end.code, 0, "%s", end.text);
}
