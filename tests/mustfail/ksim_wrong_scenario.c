// SPDX-License-Identifier: MIT
/*
 * Must fail: proves that a sweep finds the one failed allocation after which a program leaves something behind, and
 * says how to see it again. Exit status 1.
 *
 * EXPECT-OUTPUT: scenario returned 1
 * EXPECT-OUTPUT: KSIM_FAIL=any:[0-9]+
 * EXPECT-OUTPUT: leak: client \(2\) holds fd 0 -> /memfd:pool \(deleted\), made by memfd_create
 */
#include <ksim/criterion.h>
#include <sys/mman.h>

/* Forgets the file when there is no memory for its pages. */
static int make_pool(void *arg)
{
	int fd = ksim_memfd_create("pool", MFD_CLOEXEC);

	(void)arg;
	if (fd < 0)
		return errno;
	if (ksim_ftruncate(fd, 4096) < 0)
		return errno;
	ksim_close(fd);
	return 0;
}

static int scenario(struct ksim_machine *m, void *arg)
{
	struct ksim_process *client = ksim_process_create(m, "client");
	struct ksim_end end;

	if (client == NULL || ksim_run(client, make_pool, arg, &end) < 0)
		return -ENOMEM;
	return ksim_leaks(m, client, 0) == 0 && end.alive ? -end.code : 1;
}

Test(mustfail, ksim_wrong_scenario)
{
	struct ksim_sweep_report report;

	cr_assert_eq(ksim_sweep(NULL, KSIM_FAIL_ANY, scenario, NULL, &report), 0, "%s", report.text);
}
