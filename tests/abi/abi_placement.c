// SPDX-License-Identifier: MIT
/*
 * Where Linux puts what has no place of its own: top-down, into the highest gap that is large enough, and large memory
 * on a boundary of large pages. mmap(2); mm/mmap.c, arch_get_unmapped_area_topdown; mm/huge_memory.c. SEMANTICS.md 44.
 *
 * Every test makes gaps of its own, below everything that is mapped already, since of the rest nothing is known.
 */
#include "abi.h"

enum { RW = PROT_READ | PROT_WRITE, ANON = MAP_PRIVATE | MAP_ANONYMOUS };

#define LARGE ((size_t)2 << 20)

static addr_t at(addr_t map, int page)
{
	return map + (addr_t)page * PAGE;
}

/* A mapping without a hint. */
static addr_t placed(size_t npages, int prot)
{
	addr_t map = x_mmap(0, npages * PAGE, prot, ANON | MAP_NORESERVE, -1, 0);

	SETUP(map != NO_MAPPING);
	return map;
}

/*
 * Fill every gap of at least a page that lies above what comes out: from then on, mappings go where the test wants
 * them. Instead of filling it, one large mapping is made, inside of which the test makes its gaps; gaps elsewhere that
 * are as high are smaller than any that a test asks for: so it asks for at least GRAIN pages.
 */
enum { GRAIN = 64, ROOM = 16 * GRAIN };

/* Whether a mapping of n pages goes to where it is expected, or else to some higher gap that is not this test's. */
static bool goes_to(size_t npages, addr_t expected, addr_t room_end)
{
	addr_t map = placed(npages, RW);
	bool right = map == expected || map >= room_end;

	unmap(map, (int)npages);
	return right;
}

TEST(placement, of_the_next_mapping_is_below_the_last)
{
	/* Top-down: in a process with no gap that large. */
	addr_t first = placed(ROOM, PROT_READ), second = placed(ROOM, RW), third = placed(ROOM, PROT_READ);

	EXPECT_EQ(second, first - ROOM * PAGE);
	EXPECT_EQ(third, second - ROOM * PAGE);
	unmap(third, 3 * ROOM);
}

TEST(placement, takes_the_highest_gap_that_is_large_enough)
{
	/* mm/vma.c: unmapped_area_topdown. */
	addr_t room = placed(ROOM, PROT_READ), end = at(room, ROOM);

	unmap(at(room, 2 * GRAIN), 3 * GRAIN);
	unmap(at(room, 8 * GRAIN), 2 * GRAIN);
	unmap(at(room, 12 * GRAIN), GRAIN);
	EXPECT(goes_to(GRAIN, at(room, 12 * GRAIN), end));
	EXPECT(goes_to(2 * GRAIN, at(room, 8 * GRAIN), end));
	EXPECT(goes_to(2 * GRAIN - 1, at(room, 8 * GRAIN + 1), end));
	EXPECT(goes_to(3 * GRAIN, at(room, 2 * GRAIN), end));
	unmap(room, ROOM);
}

TEST(placement, goes_to_the_top_of_a_gap)
{
	/* And leaves the rest of it below. */
	addr_t room = placed(ROOM, PROT_READ), end = at(room, ROOM), map;

	unmap(at(room, 4 * GRAIN), 8 * GRAIN);
	map = placed(3 * GRAIN, RW);
	EXPECT(map == at(room, 9 * GRAIN) || map >= end);
	if (map == at(room, 9 * GRAIN))
		EXPECT(goes_to(5 * GRAIN, at(room, 4 * GRAIN), end));
	unmap(map, 3 * GRAIN);
	unmap(room, ROOM);
}

TEST(placement, of_what_was_unmapped_is_there_again)
{
	/* A gap that has just been made is the highest one, if nothing was mapped above it since. */
	addr_t map = placed(ROOM, RW);

	unmap(map, ROOM);
	EXPECT_EQ(placed(ROOM, RW), map);
	unmap(map, ROOM);
}

TEST(placement, hint_in_a_gap_is_taken_where_it_fits)
{
	/* mmap(2): "a nearby page boundary", which is the hint's own if it is free to the end. */
	addr_t room = placed(ROOM, PROT_READ);
	addr_t hint = at(room, 5 * GRAIN), map;

	unmap(at(room, 4 * GRAIN), 4 * GRAIN);
	map = x_mmap(hint, 3 * GRAIN * PAGE, RW, ANON, -1, 0);
	EXPECT_EQ(map, hint);
	unmap(map, 3 * GRAIN);
	map = x_mmap(hint, 3 * GRAIN * PAGE + 1, RW, ANON, -1, 0);
	EXPECT(map != hint && map != NO_MAPPING);
	unmap(map, 3 * GRAIN + 1);
	map = x_mmap(at(room, 1), PAGE, RW, ANON, -1, 0);
	EXPECT(map != at(room, 1) && map != NO_MAPPING);
	unmap(map, 1);
	unmap(room, ROOM);
}

TEST(placement, hint_beyond_the_address_space_is_ignored)
{
	/* arch/x86: mmap_address_hint_valid. (An address space of 57 bits or more would take the first.) */
	addr_t map = x_mmap(~(addr_t)0, PAGE, RW, ANON, -1, 0);

	SETUP(map != NO_MAPPING);
	st8(map, 1);
	unmap(map, 1);
	map = x_mmap((addr_t)1 << 63, PAGE, RW, ANON, -1, 0);
	SETUP(map != NO_MAPPING);
	unmap(map, 1);
}

TEST(placement, hint_of_a_low_address_is_no_null_pointer)
{
	/* mmap(2): a hint below vm.mmap_min_addr is raised to it, or nothing is. */
	addr_t map = x_mmap(8, PAGE, RW, ANON, -1, 0);

	SETUP(map != NO_MAPPING);
	EXPECT(map >= PAGE);
	st8(map, 1);
	unmap(map, 1);
}

TEST(placement, of_private_memory_of_whole_large_pages_is_aligned)
{
	/*
	 * Since 6.7: mm/huge_memory.c, thp_get_unmapped_area; whether large pages are on or not. Since 6.12 of such
	 * lengths only.
	 */
	addr_t page = placed(1, RW), one, three;

	if (linux_release() < 6007)
		SKIP("not before 6.7");
	one = placed(LARGE / PAGE, RW);
	three = placed(3 * LARGE / PAGE, PROT_READ);
	EXPECT_EQ(one % LARGE, 0);
	EXPECT_EQ(three % LARGE, 0);
	unmap(page, 1);
	unmap(one, (int)(LARGE / PAGE));
	unmap(three, (int)(3 * LARGE / PAGE));
}

TEST(placement, of_other_private_memory_is_packed)
{
	/* mm/mmap.c: only what is a multiple of a large page is aligned; and nothing that has a hint. */
	enum { N = 2 * ROOM + 1 };
	addr_t a = placed(N, PROT_READ), b = placed(N, RW);

	EXPECT_EQ(b, a - N * PAGE);
	unmap(b, 2 * N);
}
