/* A library's own code, unchanged, compiled with -include ksim/posix.h. */
#include <ksim/criterion.h>
#include <errno.h>
#include "pool.h"

static int make_one(void *arg)
{
	struct pool *pool;
	int err = pool_create(1 << 20, &pool); /* memfd_create, ftruncate, mmap inside; 0 or -errno */
	if (err == 0)
		pool_destroy(pool);
	return (void)arg, err;
}
static int scenario(struct ksim_machine *m, void *arg)
{
	struct ksim_process *p = ksim_process_create(m, "client");
	struct ksim_end end;
	if (p == NULL || ksim_run(p, make_one, arg, &end) < 0)
		return -ENOMEM;
	return ksim_leaks(m, p, 0) == 0 && end.alive ? end.code : 1; /* 1 = wrong, not merely exhausted */
}
Test(pool, every_failed_allocation_is_reported_and_undone)
{
	struct ksim_sweep_report report;
	cr_assert_eq(ksim_sweep(NULL, KSIM_FAIL_ANY, scenario, NULL, &report), 0, "%s", report.text);
}
