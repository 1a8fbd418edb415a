/* SPDX-License-Identifier: MIT */
/*
 * What the tests of whole machines start and end with.
 */
#ifndef SIM_BED_H
#define SIM_BED_H

#include <ksim/ksim.h>

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "access.h"
#include "harness.h"

enum { PAGE = 4096, RW = PROT_READ | PROT_WRITE };

/** A machine of 4 MiB, with the access that the environment asks for; broken if it does not boot. */
static inline struct ksim_machine *bed_boot(void)
{
	const struct ksim_config config = { .ram_bytes = 4 << 20, .access = access_wanted() };
	struct ksim_machine *m = ksim_boot(&config);

	SETUP(m != NULL);
	return m;
}

/** Every invariant holds, and the kernel gives back all. */
static inline void bed_halt(struct ksim_machine *m)
{
	EXPECT_EQ(ksim_check(m), 0);
	EXPECT_EQ(ksim_halt(m), 0);
}

static inline struct ksim_process *bed_process(struct ksim_machine *m, const char *name)
{
	struct ksim_process *p = ksim_process_create(m, name);

	SETUP(p != NULL);
	return p;
}

/** Anonymous memory of the acting process. kind: MAP_PRIVATE or MAP_SHARED. */
static inline ksim_addr bed_map(int npages, int prot, int kind)
{
	ksim_addr at = ksim_mmap(0, (size_t)npages * PAGE, prot, kind | MAP_ANONYMOUS, -1, 0);

	SETUP(at != KSIM_MAP_FAILED);
	return at;
}

#endif
