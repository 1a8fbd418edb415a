// SPDX-License-Identifier: MIT
/*
 * Must fail: proves that KSIM_TEST notices a machine that cannot be halted, since the test still acts as a process.
 * Exit status 1.
 *
 * EXPECT-OUTPUT: ksim_halt: the test has ended, and a thread still acts as a process
 */
#include <ksim/criterion.h>

KSIM_TEST(mustfail, ksim_left_acting)
{
	ksim_enter(ksim_process_create(m, "client"));
}
