// SPDX-License-Identifier: MIT
/*
 * A fence in every running thread of this host process, by membarrier(2).
 *
 * A host process must register once before it may ask for the cheap form. Whether that worked belongs to the host
 * process and to no machine, so this is the one variable of lib at file scope: written once, the same value by
 * whoever is first. A forked child inherits the variable but perhaps not the registration; the call then says EPERM,
 * and registers again.
 *
 * Locking: none.
 */
#include "host/barrier.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/check.h"

enum { UNKNOWN, AVAILABLE, MISSING };

static int registration; /* atomic */

static int membarrier(int command)
{
	return (int)syscall(SYS_membarrier, command, 0, 0);
}

bool host_barrier_available(void)
{
	int state = __atomic_load_n(&registration, __ATOMIC_ACQUIRE);

	if (unlikely(state == UNKNOWN)) {
		state = membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0 ? AVAILABLE : MISSING;
		__atomic_store_n(&registration, state, __ATOMIC_RELEASE);
	}
	return state == AVAILABLE;
}

void host_barrier_all(void)
{
	int err = membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);

	if (unlikely(err != 0) && errno == EPERM && membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0)
		err = membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
	KSIM_ASSERT(NULL, err == 0, "membarrier works once it has worked", "errno %d", errno);
}

void host_yield(void)
{
	sched_yield();
}
