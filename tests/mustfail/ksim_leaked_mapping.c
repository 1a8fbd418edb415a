// SPDX-License-Identifier: MIT
/*
 * Must fail: proves that a mapping that is never unmapped is told, with the call that made it. Exit status 1.
 *
 * EXPECT-OUTPUT: leak: client \(2\) holds mapping 0x[0-9a-f]+-0x[0-9a-f]+ rw-s of /memfd:pool \(deleted\), made by mmap
 */
#include <ksim/criterion.h>
#include <sys/mman.h>

KSIM_TEST(mustfail, ksim_leaked_mapping)
{
	struct ksim_process *client = ksim_process_create(m, "client");
	uint64_t mark = ksim_mark(m);

	ksim_as(client) {
		int fd = ksim_memfd_create("pool", MFD_CLOEXEC);

		cr_assert_eq(ksim_ftruncate(fd, 4096), 0);
		cr_assert(ksim_mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) != KSIM_MAP_FAILED);
		cr_assert_eq(ksim_close(fd), 0);
	}
	cr_expect_eq(ksim_leaks(m, client, mark), 0);
}
