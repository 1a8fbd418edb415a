// SPDX-License-Identifier: MIT
/*
 * RAM in a file of the host's: the same frames at further addresses, and nothing left afterwards. That no descriptor
 * is left is what the test layer sees to.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "unit/phys/bed.h"

/* As bed_open, with RAM in a file. */
static void ramfile_open(struct bed *bed, bool poison)
{
	bed_open(bed, MIB, poison);
	phys_destroy(bed->phys);
	bed->env.ram_in_file = true;
	SETUP(phys_create(&bed->env, MIB, &bed->phys) == 0);
}

TEST(ramfile, without_being_asked_for_there_is_no_file)
{
	struct bed bed;

	bed_open(&bed, MIB, false);
	EXPECT_EQ(bed.phys->fd, -1);
	bed_close(&bed);
}

TEST(ramfile, file_is_as_long_as_ram_and_not_inherited_by_programs)
{
	struct bed bed;
	struct stat st;

	ramfile_open(&bed, false);
	SETUP(fstat(bed.phys->fd, &st) == 0);
	EXPECT_EQ(st.st_size, MIB);
	EXPECT(fcntl(bed.phys->fd, F_GETFD) & FD_CLOEXEC);
	bed_close(&bed);
}

TEST(ramfile, frame_shown_elsewhere_has_the_same_bytes)
{
	struct bed bed;
	pfn_t pfn;
	char *other;

	for (int poison = 0; poison < 2; poison++) {
		ramfile_open(&bed, poison);
		REQUIRE_EQ(frame_alloc(&bed.ctx, FRAME_ANON, FRAME_ZERO, &pfn), 0);
		other = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, bed.phys->fd,
		             (off_t)(pfn.n << PAGE_SHIFT));
		SETUP(other != MAP_FAILED);
		EXPECT_EQ(other[9], 0);
		((char *)frame_ptr(bed.phys, pfn))[9] = 'r';
		EXPECT_EQ(other[9], 'r');
		other[PAGE_BYTES - 1] = 'o';
		EXPECT_EQ(((char *)frame_ptr(bed.phys, pfn))[PAGE_BYTES - 1], 'o');
		munmap(other, PAGE_BYTES);
		frame_put(&bed.ctx, pfn);
		bed_close(&bed);
	}
}

TEST(ramfile, zeroed_frame_is_zero_fresh_and_recycled)
{
	static const char zeros[KSIM_PAGE_SIZE];
	struct bed bed;
	pfn_t pfn;

	ramfile_open(&bed, false);
	for (int i = 0; i < 3; i++) {
		REQUIRE_EQ(frame_alloc(&bed.ctx, FRAME_ANON, FRAME_ZERO, &pfn), 0);
		EXPECT_MEMEQ(frame_ptr(bed.phys, pfn), zeros, sizeof(zeros));
		memset(frame_ptr(bed.phys, pfn), 'x', KSIM_PAGE_SIZE);
		frame_put(&bed.ctx, pfn);
	}
	bed_close(&bed);
}

TEST(ramfile, create_without_a_descriptor_fails_ENOMEM_and_leaves_nothing)
{
	struct phys *phys = NULL;
	struct rlimit was, none;
	struct bed bed;
	size_t nobjects;
	int err;

	bed_open(&bed, MIB, false);
	nobjects = kmem_count(&bed.env);
	bed.env.ram_in_file = true;
	SETUP(getrlimit(RLIMIT_NOFILE, &was) == 0);
	none = was;
	none.rlim_cur = 0;
	SETUP(setrlimit(RLIMIT_NOFILE, &none) == 0);
	err = phys_create(&bed.env, MIB, &phys);
	SETUP(setrlimit(RLIMIT_NOFILE, &was) == 0);
	EXPECT_EQ(err, -ENOMEM);
	EXPECT(phys == NULL && bed.env.phys == bed.phys);
	EXPECT_EQ(kmem_count(&bed.env), nobjects);
	bed_close(&bed);
}
