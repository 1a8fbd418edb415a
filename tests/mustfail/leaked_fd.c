// SPDX-License-Identifier: MIT
/*
 * Must fail: proves that the runner notices a host fd that a test leaves open. Exit status 1 in both forms.
 *
 * EXPECT-OUTPUT: leaked host fd [0-9]+ -> /dev/null
 */
#include "harness.h"

#include <fcntl.h>

TEST(mustfail, leaked_fd)
{
	EXPECT(open("/dev/null", O_RDONLY) >= 0);
}
