// SPDX-License-Identifier: MIT
/*
 * Must fail: proves that the runner notices an invariant that aborts, as KSIM_ASSERT does. Exit status: not 0 (the
 * plain form dies by SIGABRT).
 *
 * EXPECT-OUTPUT: invariant broken: references of frame 7 are 2, found 1
 */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>

TEST(mustfail, broken_invariant)
{
	fprintf(stderr, "invariant broken: references of frame 7 are 2, found 1\n");
	abort();
}
