// SPDX-License-Identifier: MIT
/*
 * ksim_abi_main() over machines of many kinds: some of the tests on each, those that a wrong idea of the machine would
 * fail. What they print is TAP of their own, and thrown away.
 */
#include "harness.h"

#include <fcntl.h>
#include <ksim/abi.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Its result, with the tests that match. */
static int run(const struct ksim_config *config, size_t size, const char *a, const char *b)
{
	char *argv[] = { (char *)"abi", (char *)a, (char *)b, NULL };
	int out, err, null = open("/dev/null", O_WRONLY | O_CLOEXEC), result;

	fflush(NULL);
	out = dup(STDOUT_FILENO);
	err = dup(STDERR_FILENO);
	SETUP(null >= 0 && out >= 0 && err >= 0);
	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	result = ksim_abi_main_sized(b != NULL ? 3 : 2, argv, config, size);
	fflush(NULL);
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	close(null);
	close(out);
	close(err);
	return result;
}

TEST(abi_main, passes_on_machines_of_every_kind)
{
	static const struct {
		struct ksim_config config;
		const char *a, *b;
	} rows[] = {
		{ { 0 }, "memfd/", NULL },
		{ { .access = KSIM_ACCESS_NATIVE }, "hugetlb/mincore*", "mmap_flags/map_32bit*" },
		{ { .transparent_huge = KSIM_NONE }, "large_pages/", NULL },
		{ { .arch = KSIM_ARCH_AARCH64 }, "mmap_flags/", NULL },
		{ { .memfd_noexec = 2 }, "seals/", "stat/" },
		{ { .huge_pages = 8, .max_map_count = 100 }, "limits/", "edges/" },
		{ { .linux_release = 5010 }, "madvise*", "mremap/" },
		{ { .linux_release = 3017 }, "madvise*", "mremap/" },
		{ { .commit = KSIM_COMMIT_ON_TRUNCATE, .fd_limit = 20, .linux_release = 6006 }, "seals/", "fd/" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		EXPECT_MSG(run(&rows[i].config, sizeof(rows[i].config), rows[i].a, rows[i].b) == 0, "row %zu", i);
}

TEST(abi_main, fails_where_no_test_matches_or_there_is_no_such_machine)
{
	struct {
		struct ksim_config config;
		char newer;
	} larger;

	memset(&larger, 0, sizeof(larger));
	EXPECT_EQ(run(NULL, 0, "memfd/no_such_test", NULL), 1);
	EXPECT_EQ(run(&larger.config, sizeof(larger), "memfd/create_without_a_name*", NULL), 0);
	larger.newer = 1;
	EXPECT_EQ(run(&larger.config, sizeof(larger), "memfd/create_without_a_name*", NULL), 1);
	larger.newer = 0;
	larger.config.memfd_noexec = 3;
	EXPECT_EQ(run(&larger.config, sizeof(larger), "memfd/create_without_a_name*", NULL), 1);
}
