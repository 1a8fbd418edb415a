// SPDX-License-Identifier: MIT
/*
 * Must fail: proves that a descriptor of the simulated process that is never closed is told, with the call that made
 * it. Exit status 1.
 *
 * EXPECT-OUTPUT: leak: client \(2\) holds fd 0 -> /memfd:forgotten \(deleted\), made by memfd_create
 */
#include <ksim/criterion.h>
#include <sys/mman.h>

KSIM_TEST(mustfail, ksim_leaked_fd)
{
	struct ksim_process *client = ksim_process_create(m, "client");
	uint64_t mark = ksim_mark(m);

	ksim_as(client)
		cr_assert_eq(ksim_memfd_create("forgotten", MFD_CLOEXEC), 0);
	cr_expect_eq(ksim_leaks(m, client, mark), 0);
}
