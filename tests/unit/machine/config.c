// SPDX-License-Identifier: MIT
/*
 * What may be asked of a machine, and how a program compiled against another version asks it.
 */
#include "bed.h"

static int check(struct ksim_config config)
{
	struct ksim_config filled;

	return machine_config(&config, sizeof(config), &filled);
}

TEST(config, zero_is_the_default_in_every_field)
{
	struct ksim_config filled;

	EXPECT_EQ(machine_config(NULL, 0, &filled), 0);
	EXPECT_EQ(filled.ram_bytes, 64 << 20);
	EXPECT_EQ(filled.arch, machine_host_arch());
	EXPECT_EQ(filled.commit, KSIM_COMMIT_ON_TRUNCATE);
	EXPECT_EQ(filled.fd_limit, 1024);
	EXPECT_EQ(filled.tlb_entries, 256);
	EXPECT_EQ(filled.access, KSIM_ACCESS_SOFT);
	EXPECT_EQ(filled.window_bytes, 1 << 30);
	EXPECT_EQ(filled.stdio, KSIM_NONE);
}

TEST(config, native_machine_of_a_program_without_posix_h_has_no_stdio)
{
	const struct ksim_config asked = { .access = KSIM_ACCESS_NATIVE, .window_bytes = 1 << 20 };
	struct ksim_config filled;

	EXPECT(!machine_posix_in_use());
	EXPECT_EQ(machine_config(&asked, sizeof(asked), &filled), 0);
	EXPECT_EQ(filled.access, KSIM_ACCESS_NATIVE);
	EXPECT_EQ(filled.window_bytes, 1 << 20);
	EXPECT_EQ(filled.stdio, KSIM_NONE);
}

TEST(config, fields_out_of_their_range_are_EINVAL)
{
	EXPECT_EQ(check((struct ksim_config){ .ram_bytes = 65536 }), 0);
	EXPECT_EQ(check((struct ksim_config){ .ram_bytes = 65536 - PAGE }), -EINVAL);
	EXPECT_EQ(check((struct ksim_config){ .ram_bytes = (4 << 20) + 1 }), -EINVAL);
	EXPECT_EQ(check((struct ksim_config){ .ram_bytes = UINT64_MAX - PAGE + 1 }), -EINVAL);
	EXPECT_EQ(check((struct ksim_config){ .arch = (enum ksim_arch)3 }), -EINVAL);
	EXPECT_EQ(check((struct ksim_config){ .commit = (enum ksim_commit)2 }), -EINVAL);
	EXPECT_EQ(check((struct ksim_config){ .linux_release = 618 }), -EINVAL);
	EXPECT_EQ(check((struct ksim_config){ .linux_release = 6 << 16 | 18 << 8 }), -EINVAL);
	EXPECT_EQ(check((struct ksim_config){ .linux_release = 3017 }), 0);
	EXPECT_EQ(check((struct ksim_config){ .fd_limit = 1048576 }), 0);
	EXPECT_EQ(check((struct ksim_config){ .fd_limit = 1048577 }), -EINVAL);
	EXPECT_EQ(check((struct ksim_config){ .tlb_entries = 8 }), -EINVAL);
	EXPECT_EQ(check((struct ksim_config){ .tlb_entries = 48 }), -EINVAL);
	EXPECT_EQ(check((struct ksim_config){ .tlb_entries = 8192 }), -EINVAL);
	EXPECT_EQ(check((struct ksim_config){ .poison = KSIM_NONE }), 0);
	EXPECT_EQ(check((struct ksim_config){ .poison = 1 }), -EINVAL);
	EXPECT_EQ(check((struct ksim_config){ .access = (enum ksim_access)3 }), -EINVAL);
	EXPECT_EQ(check((struct ksim_config){ .window_bytes = (1 << 20) - PAGE }), -EINVAL);
	EXPECT_EQ(check((struct ksim_config){ .window_bytes = (1 << 20) + 1 }), -EINVAL);
	EXPECT_EQ(check((struct ksim_config){ .window_bytes = UINT64_C(1) << 46 }), 0);
	EXPECT_EQ(check((struct ksim_config){ .window_bytes = (UINT64_C(1) << 46) + PAGE }), -EINVAL);
	EXPECT_EQ(check((struct ksim_config){ .stdio = KSIM_NONE }), 0);
	EXPECT_EQ(check((struct ksim_config){ .stdio = 1 }), -EINVAL);
}

TEST(config, newer_program_may_leave_the_fields_that_we_do_not_know_zero)
{
	struct {
		struct ksim_config config;
		unsigned char newer[24];
	} asked = { .config = { .ram_bytes = 1 << 20 } };
	struct ksim_config filled;

	EXPECT_EQ(machine_config(&asked.config, sizeof(asked), &filled), 0);
	EXPECT_EQ(filled.ram_bytes, 1 << 20);
	asked.newer[23] = 1;
	EXPECT_EQ(machine_config(&asked.config, sizeof(asked), &filled), -E2BIG);
}

TEST(config, older_program_gets_the_defaults_of_the_fields_it_does_not_know)
{
	struct ksim_config asked = { .ram_bytes = 1 << 20, .fd_limit = 5 };
	struct ksim_config filled;

	EXPECT_EQ(machine_config(&asked, offsetof(struct ksim_config, fd_limit), &filled), 0);
	EXPECT_EQ(filled.ram_bytes, 1 << 20);
	EXPECT_EQ(filled.fd_limit, 1024);
}

TEST(config, machine_knows_its_architecture_and_its_numbers)
{
	static const struct {
		enum ksim_arch arch;
		long memfd_create, open;
	} machines[] = { { KSIM_ARCH_X86_64, 319, 2 }, { KSIM_ARCH_AARCH64, 279, -1 } };

	for (int i = 0; i < 2; i++) {
		struct ksim_config config = { .ram_bytes = 1 << 20, .arch = machines[i].arch };
		struct ksim_machine *m = bed_boot(&config);

		EXPECT_EQ(ksim_arch_of(m), machines[i].arch);
		EXPECT_EQ(ksim_nr(m, "memfd_create"), machines[i].memfd_create);
		EXPECT_EQ(ksim_nr(m, "open"), machines[i].open);
		EXPECT_EQ(ksim_nr(m, "reboot"), -1);
		bed_halt(m);
	}
	EXPECT_EQ(ksim_halt(NULL), 0);
	EXPECT_EQ(ksim_version(), 100);
}

TEST(config, boot_that_fails_at_the_first_descriptors_leaves_none)
{
	bed_boot_with_half_stdio();
}
