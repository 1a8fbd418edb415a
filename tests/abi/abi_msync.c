// SPDX-License-Identifier: MIT
/*
 * What Linux promises of msync. SEMANTICS.md 70; msync(2).
 */
#include "abi.h"

enum { RW = PROT_READ | PROT_WRITE };

TEST(msync, of_a_shared_mapping_works_with_every_flag)
{
	/* msync(2); 70: flags 0 are fine. */
	static const int flags[] = {
		0, MS_SYNC, MS_ASYNC, MS_INVALIDATE, MS_SYNC | MS_INVALIDATE, MS_ASYNC | MS_INVALIDATE
	};
	int fd = memfd(2);
	addr_t map = map_shared(fd, 2, RW);

	st8(map, 'a');
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		EXPECT_EQ(x_msync(map, 2 * PAGE, flags[i]), 0);
	EXPECT_EQ(byte_at(fd, 0), 'a');
	unmap(map, 2);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(msync, of_private_and_anonymous_memory_works)
{
	/* msync(2) asks for mapped memory only, and POPULATEs nothing. */
	int fd = memfd(1);
	addr_t own = map_private(fd, 1, RW), anonymous = map_anonymous(1, PROT_NONE, MAP_PRIVATE);

	st8(own, 'a');
	EXPECT_EQ(x_msync(own, PAGE, MS_SYNC), 0);
	EXPECT_EQ(byte_at(fd, 0), 0);
	EXPECT_EQ(x_msync(anonymous, PAGE, MS_SYNC), 0);
	unmap(own, 1);
	unmap(anonymous, 1);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(msync, past_the_end_of_the_file_works)
{
	/* msync(2). */
	int fd = memfd(1);
	addr_t map = map_shared(fd, 3, RW);

	EXPECT_EQ(x_msync(map, 3 * PAGE, MS_SYNC), 0);
	EXPECT_EQ(x_msync(map + 2 * PAGE, PAGE, MS_ASYNC), 0);
	unmap(map, 3);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(msync, both_sync_and_async_fails_EINVAL)
{
	/* 70. */
	addr_t map = map_anonymous(1, RW, MAP_SHARED);

	EXPECT_FAILS(x_msync(map, PAGE, MS_SYNC | MS_ASYNC), EINVAL);
	EXPECT_FAILS(x_msync(map, 0, MS_SYNC | MS_ASYNC), EINVAL);
	unmap(map, 1);
}

TEST(msync, with_an_unknown_flag_fails_EINVAL)
{
	/* 70. */
	addr_t map = map_anonymous(1, RW, MAP_SHARED);

	EXPECT_FAILS(x_msync(map, PAGE, 8), EINVAL);
	EXPECT_FAILS(x_msync(map, PAGE, MS_SYNC | 16), EINVAL);
	EXPECT_FAILS(x_msync(map, PAGE, -1), EINVAL);
	EXPECT_FAILS(x_msync(map, 0, 8), EINVAL);
	unmap(map, 1);
}

TEST(msync, at_an_unaligned_address_fails_EINVAL)
{
	/* 70: also for no bytes. */
	addr_t map = map_anonymous(1, RW, MAP_SHARED);

	EXPECT_FAILS(x_msync(map + 1, PAGE, MS_SYNC), EINVAL);
	EXPECT_FAILS(x_msync(map + PAGE - 1, 1, MS_SYNC), EINVAL);
	EXPECT_FAILS(x_msync(map + 1, 0, MS_SYNC), EINVAL);
	unmap(map, 1);
}

TEST(msync, of_no_bytes_does_nothing)
{
	/* msync(2): also where nothing is mapped. A length that rounds up to nothing is none. */
	addr_t map = map_anonymous(1, RW, MAP_SHARED);

	EXPECT_EQ(x_msync(map, 0, MS_SYNC), 0);
	EXPECT_EQ(x_msync(0, 0, MS_SYNC), 0);
	EXPECT_EQ(x_msync(unmapped_page(), 0, MS_ASYNC), 0);
	EXPECT_EQ(x_msync(map, SIZE_MAX, MS_ASYNC), 0);
	unmap(map, 1);
}

TEST(msync, where_nothing_is_mapped_fails_ENOMEM)
{
	/* 70. */
	EXPECT_FAILS(x_msync(unmapped_page(), PAGE, MS_SYNC), ENOMEM);
	EXPECT_FAILS(x_msync(unmapped_page(), PAGE, MS_ASYNC), ENOMEM);
	EXPECT_FAILS(x_msync(unmapped_page(), PAGE, 0), ENOMEM);
	EXPECT_FAILS(x_msync(0, PAGE, MS_SYNC), ENOMEM);
	EXPECT_FAILS(x_msync((addr_t)1 << 47, PAGE, MS_SYNC), ENOMEM);
	EXPECT_FAILS(x_msync((addr_t)-PAGE, PAGE, MS_SYNC), ENOMEM);
}

TEST(msync, over_a_hole_fails_ENOMEM)
{
	/* msync(2), and a range that wraps. */
	addr_t map = map_anonymous(3, RW, MAP_SHARED);

	unmap(map + PAGE, 1);
	EXPECT_FAILS(x_msync(map, 3 * PAGE, MS_SYNC), ENOMEM);
	EXPECT_FAILS(x_msync(map, 3 * PAGE, MS_ASYNC), ENOMEM);
	EXPECT_FAILS(x_msync(map, 3 * PAGE, 0), ENOMEM);
	EXPECT_FAILS(x_msync(map, 2 * PAGE, MS_SYNC), ENOMEM);
	EXPECT_FAILS(x_msync(map, (size_t)-PAGE, MS_SYNC), ENOMEM);
	EXPECT_EQ(x_msync(map + 2 * PAGE, PAGE, MS_SYNC), 0);
	unmap(map, 1);
	unmap(map + 2 * PAGE, 1);
}

TEST(msync, invalidating_locked_memory_fails_EBUSY)
{
	/* 70: also before a hole is found behind it. */
	addr_t map = map_anonymous(3, RW, MAP_SHARED);

	unmap(map + PAGE, 1);
	SETUP(x_mlock(map, PAGE) == 0);
	EXPECT_FAILS(x_msync(map, PAGE, MS_INVALIDATE), EBUSY);
	EXPECT_FAILS(x_msync(map, PAGE, MS_SYNC | MS_INVALIDATE), EBUSY);
	EXPECT_FAILS(x_msync(map, 3 * PAGE, MS_INVALIDATE), EBUSY);
	EXPECT_EQ(x_msync(map, PAGE, MS_SYNC), 0);
	SETUP(x_munlock(map, PAGE) == 0);
	EXPECT_EQ(x_msync(map, PAGE, MS_INVALIDATE), 0);
	unmap(map, 1);
	unmap(map + 2 * PAGE, 1);
}
