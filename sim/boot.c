// SPDX-License-Identifier: MIT
/*
 * Where the machine is put together: machine knows neither cpu nor lab, which lie above it, so it is handed their
 * parts here. Linux's counterpart is a board's setup code.
 */
#include "cpu/cpu.h"
#include "lab/lab.h"
#include "machine/machine.h"
#include "native/native.h"
#include "posix/posix.h"

#include <errno.h>

static const struct machine_parts parts = {
	.cpu = CPU_PARTS,
	.native = NATIVE_PARTS,
	.posix = {
		.boot = posix_boot,
		.halt = posix_halt,
		.process_born = posix_process_born,
	},
	.lab = LAB_PARTS,
};

struct ksim_machine *ksim_boot_sized(const struct ksim_config *config, size_t size)
{
	struct ksim_config filled;
	int err = machine_config(config, size, &filled);

	if (err < 0) {
		errno = -err;
		return NULL;
	}
	return machine_boot(&filled, &parts);
}

int ksim_sweep_sized(const struct ksim_config *config, size_t size, unsigned kinds,
                     int (*scenario)(struct ksim_machine *m, void *arg), void *arg, struct ksim_sweep_report *report)
{
	return sweep_run(&parts, config, size, kinds, scenario, arg, report);
}
