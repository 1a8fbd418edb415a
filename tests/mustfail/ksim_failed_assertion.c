// SPDX-License-Identifier: MIT
/*
 * Must fail: proves that an assertion counts that fails while the test acts as a process, in a call of ksim_run.
 * Exit status 1.
 *
 * EXPECT-OUTPUT: the pool has 4096 bytes
 */
#include <ksim/criterion.h>
#include <sys/mman.h>

static int check_size(void *arg)
{
	struct stat st;

	(void)arg;
	cr_assert_eq(ksim_fstat(0, &st), 0);
	cr_assert_eq(st.st_size, 8192, "the pool has %ld bytes", (long)st.st_size);
	return 0;
}

KSIM_TEST(mustfail, ksim_failed_assertion)
{
	struct ksim_process *client = ksim_process_create(m, "client");

	ksim_as(client)
		cr_assert_eq(ksim_ftruncate(ksim_memfd_create("pool", MFD_CLOEXEC), 4096), 0);
	cr_assert_eq(ksim_run(client, check_size, NULL, NULL), 0);
}
