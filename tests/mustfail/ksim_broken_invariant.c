// SPDX-License-Identifier: MIT
/*
 * Must fail: proves that KSIM_TEST looks for broken invariants when the body has returned, early too. Exit status 1.
 *
 * EXPECT-OUTPUT: ksim_check: broken invariants, see the report: 1
 */
#include <ksim/criterion.h>

#include "machine/machine.h"

KSIM_TEST(mustfail, ksim_broken_invariant)
{
	census_add(&m->kernel->env.self, CENSUS_FRAME, 1);
	if (m->kernel != NULL)
		return;
	cr_assert_fail("not reached");
}
