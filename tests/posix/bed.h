/* SPDX-License-Identifier: MIT */
/*
 * What the benches here start and end with. Their sources are compiled with <ksim/posix.h>: between bed_boot and
 * bed_halt libc's names are the host's outside of a process, and ksim's inside.
 */
#ifndef POSIX_BED_H
#define POSIX_BED_H

#include <ksim/ksim.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "harness.h"

enum { PAGE = 4096 };

/** A machine with the defaults; broken if it does not boot. */
static inline struct ksim_machine *bed_boot(void)
{
	struct ksim_machine *m = ksim_boot(NULL);

	SETUP(m != NULL);
	return m;
}

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

/** fn as a process of its own on a fresh machine: it must return 0. */
static inline void bed_run(int (*fn)(void *), void *arg)
{
	struct ksim_machine *m = bed_boot();
	struct ksim_process *p = bed_process(m, "program");
	struct ksim_end end;

	EXPECT_EQ(ksim_run(p, fn, arg, &end), 0);
	EXPECT_MSG(end.alive && end.code == 0, "%s, line %d", end.text, end.code);
	bed_halt(m);
}

/** In a process: go back with the line at which something did not hold. */
#define IN(cond)                         \
	do {                             \
		if (!(cond))             \
			return __LINE__; \
	} while (0)

/** A call fails with that errno. */
#define IN_FAILS(call, error)                               \
	do {                                                \
		errno = 0;                                  \
		if ((long)(call) != -1 || errno != (error)) \
			return __LINE__;                    \
	} while (0)

#endif
