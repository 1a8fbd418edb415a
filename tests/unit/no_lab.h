/* SPDX-License-Identifier: MIT */
/*
 * What stands for the laboratory in machines of folders below it: it attaches nothing, and nothing may be left.
 */
#ifndef UNIT_NO_LAB_H
#define UNIT_NO_LAB_H

#include "harness.h"
#include "machine/machine.h"

static inline int no_lab_attach(struct ksim_machine *m)
{
	(void)m;
	return 0;
}

static inline int no_lab_detach(struct ksim_machine *m)
{
	int held = 0;

	for (int kind = 0; kind < CENSUS_KIND_COUNT; kind++) {
		long n = owners_total(&m->kernel->env.owners, (enum census_kind)kind);

		EXPECT_MSG(n == 0, "%ld of kind %s are left", n, census_kind_name((enum census_kind)kind));
		held += n != 0;
	}
	return held;
}

#endif
