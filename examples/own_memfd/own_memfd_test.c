// SPDX-License-Identifier: MIT
/* A kernel author's own memfd object, swapped in. */
#include <ksim/criterion.h>
#include <ksim/kernel/object.h>
#include <sys/mman.h>
extern const struct ksim_object_ops my_memfd_ops; /* C, or Rust with #[repr(C)] */

KSIM_TEST(my_memfd, shrink_then_grow_reads_zero_in_every_mapper, .memfd_ops = &my_memfd_ops)
{
	struct ksim_process *who[2] = { ksim_process_create(m, "a"), ksim_process_create(m, "b") };
	struct ksim_translation at[2];
	ksim_addr map[2];
	int fd[2];

	ksim_as(who[0]) {
		fd[0] = ksim_memfd_create("x", 0);
		cr_assert_eq(ksim_ftruncate(fd[0], 2 * 4096), 0);
	}
	fd[1] = ksim_fd_copy(who[0], fd[0], who[1]);
	for (int i = 0; i < 2; i++)
		ksim_as(who[i]) {
			map[i] = ksim_mmap(0, 2 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd[i], 0);
			ksim_store8(map[i] + 4096, 'x');
			cr_assert_eq(ksim_translate(who[i], map[i] + 4096, &at[i]), 0);
		}
	cr_expect(at[0].pfn.n == at[1].pfn.n && at[1].mappers == 2);
	ksim_as(who[0]) {
		cr_expect_eq(ksim_ftruncate(fd[0], 4096), 0);
		cr_expect_eq(ksim_ftruncate(fd[0], 2 * 4096), 0);
	}
	ksim_as(who[1])
		cr_expect_eq(ksim_load8(map[1] + 4096), 0);
}
