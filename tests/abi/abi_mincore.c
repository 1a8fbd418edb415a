// SPDX-License-Identifier: MIT
/*
 * What Linux promises of mincore: which pages it calls resident, and what it refuses. SEMANTICS.md 71; mincore(2).
 */
#include "abi.h"

enum { RW = PROT_READ | PROT_WRITE, UNTOLD = 0xa5 };

/* Expect the pages from addr on to be resident or not, as the text says: "10x", x: it was not told. */
#define EXPECT_RESIDENT(addr, npages, call_result, text)                                                       \
	do {                                                                                                   \
		unsigned char told[16];                                                                        \
		char seen[17] = "";                                                                            \
		memset(told, UNTOLD, sizeof(told));                                                            \
		EXPECT_EQ(x_mincore((addr), (size_t)(npages)*PAGE, told), (call_result));                      \
		for (size_t at = 0; at < strlen(text); at++)                                                   \
			seen[at] = told[at] == UNTOLD ? 'x' : told[at] == 1 ? '1' : told[at] == 0 ? '0' : '?'; \
		EXPECT_STREQ(seen, text);                                                                      \
	} while (0)

TEST(mincore, of_private_memory_tells_what_was_touched)
{
	/* mincore(2): read or written. */
	addr_t map = map_anonymous(4, RW, MAP_PRIVATE);

	EXPECT_RESIDENT(map, 4, 0, "0000x");
	st8(map + PAGE, 'a');
	EXPECT_EQ(ld8(map + 2 * PAGE), 0);
	EXPECT_RESIDENT(map, 4, 0, "0110x");
	SETUP(x_madvise(map + PAGE, PAGE, MADV_DONTNEED) == 0);
	EXPECT_RESIDENT(map, 4, 0, "0010x");
	unmap(map, 4);
}

TEST(mincore, of_a_file_tells_what_the_file_has)
{
	/* 71: where this mapping never faulted; past the end there is nothing. */
	int fd = memfd(3);
	addr_t map = map_shared(fd, 5, RW), own = map_private(fd, 5, RW);

	SETUP(x_pwrite(fd, "a", 1, PAGE) == 1);
	EXPECT_RESIDENT(map, 5, 0, "01000x");
	EXPECT_RESIDENT(own, 5, 0, "01000x");
	st8(own + 2 * PAGE, 'p');
	EXPECT_RESIDENT(own, 5, 0, "01100x");
	EXPECT_RESIDENT(map, 5, 0, "01100x"); /* what was copied had been brought in */
	SETUP(x_ftruncate(fd, PAGE) == 0);
	EXPECT_RESIDENT(map, 5, 0, "00000x");
	EXPECT_RESIDENT(own, 5, 0, "00000x");
	unmap(map, 5);
	unmap(own, 5);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(mincore, does_not_count_what_was_set_aside_and_never_written)
{
	/* fallocate(2), 62: until it is touched. */
	int fd = memfd(2);
	addr_t map = map_shared(fd, 2, RW);

	SETUP(x_fallocate(fd, 0, 0, 2 * PAGE) == 0);
	EXPECT_RESIDENT(map, 2, 0, "00x");
	EXPECT_EQ(ld8(map), 0);
	EXPECT_RESIDENT(map, 2, 0, "10x");
	unmap(map, 2);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(mincore, of_a_mapping_that_does_not_begin_the_file)
{
	/* 71. */
	int fd = memfd(4);
	addr_t map = x_mmap(0, 2 * PAGE, PROT_READ, MAP_SHARED, fd, 2 * PAGE);

	SETUP(map != NO_MAPPING);
	SETUP(x_pwrite(fd, "a", 1, 3 * PAGE) == 1);
	EXPECT_RESIDENT(map, 2, 0, "01x");
	EXPECT_RESIDENT(map + PAGE, 1, 0, "1x");
	unmap(map, 2);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(mincore, works_whatever_the_protection_is)
{
	/* mincore(2) names none. */
	addr_t map = map_anonymous(2, RW, MAP_PRIVATE);

	st8(map, 'a');
	SETUP(x_mprotect(map, 2 * PAGE, PROT_NONE) == 0);
	EXPECT_RESIDENT(map, 2, 0, "10x");
	unmap(map, 2);
}

TEST(mincore, tells_of_several_mappings_in_one_call)
{
	/* mincore(2). */
	addr_t map = map_anonymous(3, RW, MAP_PRIVATE);

	st8(map + 2 * PAGE, 'a');
	SETUP(x_mprotect(map + PAGE, PAGE, PROT_READ) == 0);
	EXPECT_RESIDENT(map, 3, 0, "001x");
	unmap(map, 3);
}

TEST(mincore, rounds_a_length_up)
{
	/* mincore(2): (length + 4095) / 4096 bytes are written. */
	addr_t map = map_anonymous(2, RW, MAP_PRIVATE);
	unsigned char told[3] = { UNTOLD, UNTOLD, UNTOLD };

	EXPECT_EQ(x_mincore(map, 1, told), 0);
	EXPECT_EQ(told[0], 0);
	EXPECT_EQ(told[1], UNTOLD);
	EXPECT_EQ(x_mincore(map, PAGE + 1, told), 0);
	EXPECT_EQ(told[1], 0);
	EXPECT_EQ(told[2], UNTOLD);
	unmap(map, 2);
}

TEST(mincore, of_no_bytes_is_nothing)
{
	/* 71: whatever the vector is, and wherever in user space. */
	addr_t map = map_anonymous(1, RW, MAP_PRIVATE);
	unsigned char told = UNTOLD;

	EXPECT_EQ(x_mincore(map, 0, &told), 0);
	EXPECT_EQ(x_mincore(map, 0, NULL), 0);
	EXPECT_EQ(x_mincore(unmapped_page(), 0, &told), 0);
	EXPECT_EQ(told, UNTOLD);
	unmap(map, 1);
}

TEST(mincore, at_an_unaligned_address_fails_EINVAL)
{
	/* mincore(2): before anything else is looked at. */
	addr_t map = map_anonymous(1, RW, MAP_PRIVATE);
	unsigned char told = UNTOLD;

	EXPECT_FAILS(x_mincore(map + 1, PAGE, &told), EINVAL);
	EXPECT_FAILS(x_mincore(map + 1, 0, &told), EINVAL);
	EXPECT_FAILS(x_mincore(map + 1, PAGE, NULL), EINVAL);
	EXPECT_FAILS(x_mincore((addr_t)-1, 0, &told), EINVAL);
	unmap(map, 1);
}

TEST(mincore, where_nothing_is_mapped_fails_ENOMEM)
{
	/* 71. */
	unsigned char told = UNTOLD;

	EXPECT_FAILS(x_mincore(unmapped_page(), PAGE, &told), ENOMEM);
	EXPECT_FAILS(x_mincore(0, PAGE, &told), ENOMEM);
	EXPECT_FAILS(x_mincore(0, PAGE, NULL), ENOMEM);
	EXPECT_EQ(told, UNTOLD);
}

TEST(mincore, beyond_user_space_fails_ENOMEM)
{
	/* mincore(2): also for no bytes, and where the range wraps. */
	addr_t map = map_anonymous(1, RW, MAP_PRIVATE);
	unsigned char told = UNTOLD;

	if (sizeof(void *) == 8 && linux_release() != 0) {
		EXPECT_FAILS(x_mincore((addr_t)1 << 62, PAGE, &told), ENOMEM);
		EXPECT_FAILS(x_mincore((addr_t)1 << 62, 0, &told), ENOMEM);
	}
	EXPECT_FAILS(x_mincore(map, SIZE_MAX, &told), ENOMEM);
	EXPECT_FAILS(x_mincore((addr_t)-PAGE, PAGE, &told), ENOMEM);
	EXPECT_FAILS(x_mincore((addr_t)-PAGE, 2 * PAGE, &told), ENOMEM);
	EXPECT_EQ(told, UNTOLD);
	unmap(map, 1);
}

TEST(mincore, up_to_a_hole_tells_and_fails_ENOMEM)
{
	/* mincore(2): addr to addr + length contained unmapped memory. */
	addr_t map = map_anonymous(3, RW, MAP_PRIVATE);

	unmap(map + PAGE, 1);
	st8(map, 'a');
	st8(map + 2 * PAGE, 'b');
	EXPECT_RESIDENT(map, 3, -1, "1xx");
	unmap(map, 1);
	unmap(map + 2 * PAGE, 1);
}

TEST(mincore, into_a_bad_vector_fails_EFAULT)
{
	/* 71. */
	addr_t map = map_anonymous(2, RW, MAP_PRIVATE), ro = map_anonymous(1, PROT_READ, MAP_PRIVATE);

	EXPECT_FAILS(x_mincore(map, PAGE, NULL), EFAULT);
	EXPECT_FAILS(x_mincore(map, PAGE, ubuf(unmapped_page())), EFAULT);
	EXPECT_FAILS(x_mincore(map, PAGE, ubuf(ro)), EFAULT);
	EXPECT_EQ(ld8(ro), 0);
	unmap(map, 2);
	unmap(ro, 1);
}

TEST(mincore, into_a_vector_in_mapped_memory)
{
	/* mincore(2): the vector may lie in what it tells of. */
	addr_t map = map_anonymous(2, RW, MAP_PRIVATE);

	st8(map + 1, UNTOLD);
	EXPECT_EQ(x_mincore(map, 2 * PAGE, ubuf(map)), 0);
	EXPECT_EQ(ld8(map), 1);
	EXPECT_EQ(ld8(map + 1), 0);
	unmap(map, 2);
}

TEST(mincore, of_many_pages)
{
	/* mincore(2): more than fit into one of the kernel's own pages. */
	enum { MANY = 5000 };
	static unsigned char told[MANY];
	addr_t map = map_anonymous(MANY, RW, MAP_PRIVATE);
	int resident = 0;

	SETUP(x_madvise(map, (size_t)MANY * PAGE, MADV_NOHUGEPAGE) == 0 || errno == EINVAL);
	for (int i = 0; i < MANY; i += 100)
		st8(map + (addr_t)i * PAGE, 'a');
	memset(told, UNTOLD, sizeof(told));
	EXPECT_EQ(x_mincore(map, (size_t)MANY * PAGE, told), 0);
	for (int i = 0; i < MANY; i++) {
		resident += told[i];
		EXPECT_EQ(told[i], i % 100 == 0);
	}
	EXPECT_EQ(resident, MANY / 100);
	unmap(map, MANY);
}
