// SPDX-License-Identifier: MIT
/*
 * Must fail: proves that KSIM_TEST notices what the kernel still holds when every process has ended. Exit status 1.
 *
 * EXPECT-OUTPUT: ksim_halt: things of the kernel left, see the report: 1
 */
#include <ksim/criterion.h>

#include "machine/machine.h"

KSIM_TEST(mustfail, ksim_leaked_object)
{
	census_add(&m->kernel->env.self, CENSUS_OBJECT, 1);
}
