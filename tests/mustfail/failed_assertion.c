// SPDX-License-Identifier: MIT
/*
 * Must fail: proves that the runner notices a failed assertion. Exit status 1 in both forms.
 *
 * EXPECT-OUTPUT: add\(2, 2\) is 4 \(0x4\), expected 5 = 5
 */
#include "harness.h"

static int add(int a, int b)
{
	return a + b;
}

TEST(mustfail, failed_assertion)
{
	EXPECT_EQ(add(2, 2), 5);
}
