/* SPDX-License-Identifier: MIT */
/*
 * A machine for the laboratory's tests, put together as libksim does it, whose report is kept.
 */
#ifndef UNIT_LAB_BED_H
#define UNIT_LAB_BED_H

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "harness.h"
#include "ksim/ksim.h"
#include "lab/lab.h"

struct bed {
	struct ksim_machine *m;
	char report[8192]; /* all lines, each with a newline */
};

/** Boot; config may be NULL; its report is replaced. SETUP fails if it cannot. */
void bed_boot(struct bed *bed, const struct ksim_config *config);
/** The machine is sound, and halting it leaves nothing. */
void bed_halt(struct bed *bed);
struct ksim_process *bed_process(struct bed *bed, const char *name);

/** A memfd of the acting process, of n pages. */
int bed_memfd(const char *name, int npages);
/** Its pages, mapped shared for reading and writing. */
ksim_addr bed_map(int fd, int npages);

/** Expect the report to be exactly this text, and forget it. */
#define BED_REPORTED(bed, text)                      \
	do {                                         \
		EXPECT_STREQ((bed)->report, (text)); \
		(bed)->report[0] = '\0';             \
	} while (0)

#endif
