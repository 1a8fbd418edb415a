// SPDX-License-Identifier: MIT
/*
 * The bed of the laboratory's tests: the parts of a machine wired by hand, for boot.c is above this folder.
 */
#include "bed.h"

#include "cpu/cpu.h"

static const struct machine_parts parts = {
	.cpu = CPU_PARTS,
	.lab = LAB_PARTS,
};

static void keep(void *arg, const char *line)
{
	struct bed *bed = arg;
	size_t used = strlen(bed->report);

	snprintf(bed->report + used, sizeof(bed->report) - used, "%s\n", line);
}

void bed_boot(struct bed *bed, const struct ksim_config *config)
{
	struct ksim_config complete;

	bed->report[0] = '\0';
	SETUP(machine_config(config, config != NULL ? sizeof(*config) : 0, &complete) == 0);
	complete.report = keep;
	complete.report_arg = bed;
	bed->m = machine_boot(&complete, &parts);
	SETUP(bed->m != NULL);
}

void bed_halt(struct bed *bed)
{
	EXPECT_EQ(ksim_check(bed->m), 0);
	EXPECT_EQ(ksim_halt(bed->m), 0);
	EXPECT_STREQ(bed->report, "");
}

struct ksim_process *bed_process(struct bed *bed, const char *name)
{
	struct ksim_process *p = ksim_process_create(bed->m, name);

	SETUP(p != NULL);
	return p;
}

int bed_memfd(const char *name, int npages)
{
	int fd = ksim_memfd_create(name, MFD_CLOEXEC);

	SETUP(fd >= 0);
	SETUP(ksim_ftruncate(fd, npages * 4096) == 0);
	return fd;
}

ksim_addr bed_map(int fd, int npages)
{
	ksim_addr addr = ksim_mmap(0, (size_t)npages * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	SETUP(addr != KSIM_MAP_FAILED);
	return addr;
}
