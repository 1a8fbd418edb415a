// SPDX-License-Identifier: MIT
/*
 * The host's clocks: monotonic for waiting, the time of day for files.
 *
 * The time of day is the coarse one, as in Linux's own time stamps: a few nanoseconds to read, a tick exact.
 *
 * Locking: none.
 */
#include "host/wait.h"

#include <time.h>

static uint64_t read_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

uint64_t host_clock_ns(void)
{
	return read_ns(CLOCK_MONOTONIC);
}

uint64_t host_realtime_ns(void)
{
	return read_ns(CLOCK_REALTIME_COARSE);
}
