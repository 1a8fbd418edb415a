// SPDX-License-Identifier: MIT
/*
 * Must fail: proves that the runner notices a test that crashes. Exit status: not 0 (the plain form dies by SIGSEGV
 * or by the sanitizer that reports it).
 *
 * EXPECT-OUTPUT: (Bail out! mustfail/crash died by signal (06|11)|mustfail::crash: CRASH|Sanitizer: SEGV)
 */
#include "harness.h"

TEST(mustfail, crash)
{
	int *volatile nowhere = NULL;

	*(volatile int *)nowhere = 1; /* NOLINT(clang-analyzer-core.NullDereference): that is the point */
}
