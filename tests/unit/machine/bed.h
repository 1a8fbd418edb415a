/* SPDX-License-Identifier: MIT */
/*
 * A machine without CPU and laboratory, for the tests of calls and of acting: nothing can load or store, but calls
 * reach user memory as they always do. What the kernel still holds at the end fails the test.
 */
#ifndef UNIT_MACHINE_BED_H
#define UNIT_MACHINE_BED_H

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "harness.h"
#include "ksim/file.h"
#include "ksim/mem.h"
#include "ksim/socket.h"
#include "machine/machine.h"

enum { PAGE = 4096 };

/** Boot; broken if it cannot. config NULL: the defaults with 4 MiB. */
struct ksim_machine *bed_boot(const struct ksim_config *config);
/** Boot one whose first descriptors cannot be made but for the first. Expects that it fails and leaves nothing. */
void bed_boot_with_half_stdio(void);
/** Validate, halt, and fail the test if anything is left. */
void bed_halt(struct ksim_machine *m);
/** What the machine has reported since it was booted, line by line. */
const char *bed_said(void);

struct ksim_process *bed_process(struct ksim_machine *m, const char *name);
/** Private anonymous memory of the acting process. */
ksim_addr bed_map(int npages);
/** Put bytes there, and compare what is there, by calls. */
void bed_poke(ksim_addr to, const void *bytes, size_t n);
void expect_user_bytes(ksim_addr at, const void *bytes, size_t n);
/** Wait until so many threads sleep in the kernel. */
void bed_await_asleep(struct ksim_machine *m, unsigned n);

/** All that a failed call must leave as it was. */
struct census {
	long counts[CENSUS_KIND_COUNT];
	size_t kmem_count;
};

struct census census_now(struct ksim_machine *m);
void expect_same_census(const struct census *before, const struct census *now);
/** Let the nth question about an allocation be answered with "fail"; 0: none. */
void bed_fail_at(struct ksim_machine *m, unsigned n);
/** Whether that question has been asked. */
bool bed_failed(void);

#endif
