// SPDX-License-Identifier: MIT
/*
 * What Linux promises of the heap's end: brk(2), sbrk(3).
 *
 * Between two calls of a test nobody else may move it, so no test allocates in between. Libc's malloc does not mind
 * pages beyond what it knows of, as long as they are gone again.
 */
#include "abi.h"

enum { RW = PROT_READ | PROT_WRITE };

static addr_t page_after(addr_t at)
{
	return (at + PAGE - 1) & ~(addr_t)(PAGE - 1);
}

/* The end of the heap, moved to the end of its page. */
static addr_t heap_end(void)
{
	addr_t end = page_after(x_sbrk(0));

	SETUP(x_brk(end) == 0 && x_sbrk(0) == end);
	return end;
}

TEST(brk, sbrk_0_tells_the_end_and_moves_nothing)
{
	/* sbrk(3). */
	addr_t end = x_sbrk(0);

	EXPECT(end != 0 && end != NO_MAPPING);
	EXPECT_EQ(x_sbrk(0), end);
}

TEST(brk, upwards_gives_zeroed_writable_memory)
{
	/* brk(2). */
	addr_t was = x_sbrk(0), end = heap_end();

	EXPECT_EQ(x_brk(end + 3 * PAGE), 0);
	EXPECT_EQ(x_sbrk(0), end + 3 * PAGE);
	for (int i = 0; i < 3; i++) {
		EXPECT_EQ(ld8(end + (addr_t)i * PAGE), 0);
		st8(end + (addr_t)i * PAGE, 1);
	}
	EXPECT_LOAD_FAULTS(end + 3 * PAGE, SIGSEGV, SEGV_MAPERR);
	EXPECT_EQ(x_brk(was), 0);
}

TEST(brk, downwards_takes_the_memory_away)
{
	/* brk(2). Growing again gives zeros. */
	addr_t was = x_sbrk(0), end = heap_end();

	SETUP(x_brk(end + 2 * PAGE) == 0);
	st8(end, 1);
	st8(end + PAGE, 2);
	EXPECT_EQ(x_brk(end + PAGE), 0);
	EXPECT_EQ(ld8(end), 1);
	EXPECT_LOAD_FAULTS(end + PAGE, SIGSEGV, SEGV_MAPERR);
	EXPECT_EQ(x_brk(end + 2 * PAGE), 0);
	EXPECT_EQ(ld8(end), 1);
	EXPECT_EQ(ld8(end + PAGE), 0);
	EXPECT_EQ(x_brk(was), 0);
}

TEST(brk, counts_bytes_and_maps_pages)
{
	/* brk(2): the end need not be page aligned; the memory reaches to the end of its page. */
	addr_t was = x_sbrk(0), end = heap_end();

	EXPECT_EQ(x_brk(end + 1), 0);
	EXPECT_EQ(x_sbrk(0), end + 1);
	st8(end + PAGE - 1, 1);
	EXPECT_EQ(x_brk(end + 100), 0);
	EXPECT_EQ(ld8(end + PAGE - 1), 1);
	EXPECT_EQ(x_sbrk(0), end + 100);
	EXPECT_EQ(x_brk(end), 0);
	EXPECT_LOAD_FAULTS(end, SIGSEGV, SEGV_MAPERR);
	EXPECT_EQ(x_brk(was), 0);
}

TEST(brk, sbrk_returns_where_the_end_was)
{
	/* sbrk(3). */
	addr_t was = x_sbrk(0), end = heap_end();

	EXPECT_EQ(x_sbrk(2 * PAGE), end);
	st8(end + 2 * PAGE - 1, 1);
	EXPECT_EQ(x_sbrk(-PAGE), end + 2 * PAGE);
	EXPECT_EQ(x_sbrk(0), end + PAGE);
	EXPECT_EQ(x_brk(was), 0);
}

TEST(brk, below_the_start_of_the_heap_moves_nothing)
{
	/* mm/mmap.c: min_brk. Libc is content with an end that lies higher than asked for. */
	addr_t was = x_sbrk(0);

	EXPECT_EQ(x_brk(PAGE), 0);
	EXPECT_EQ(x_sbrk(0), was);
	EXPECT_EQ(x_brk(0), 0);
	EXPECT_EQ(x_sbrk(0), was);
}

TEST(brk, beyond_the_address_space_fails_ENOMEM)
{
	/* brk(2); nothing moves. */
	addr_t was = x_sbrk(0);

	EXPECT_FAILS(x_brk((addr_t)1 << 60), ENOMEM);
	EXPECT_FAILS(x_brk(~(addr_t)0), ENOMEM);
	EXPECT_EQ(x_sbrk(INTPTR_MAX), NO_MAPPING);
	EXPECT_EQ(errno, ENOMEM);
	EXPECT_EQ(x_sbrk(0), was);
}

TEST(brk, stops_a_page_before_another_mapping)
{
	/* mm/mmap.c: newbrk + PAGE_SIZE must be free. */
	addr_t was = x_sbrk(0), end = heap_end();
	addr_t map = x_mmap(end + 4 * PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	SETUP(map == end + 4 * PAGE);
	EXPECT_FAILS(x_brk(end + 5 * PAGE), ENOMEM);
	EXPECT_FAILS(x_brk(end + 4 * PAGE), ENOMEM);
	EXPECT_FAILS(x_brk(end + 3 * PAGE + 1), ENOMEM);
	EXPECT_EQ(x_sbrk(0), end);
	EXPECT_LOAD_FAULTS(end, SIGSEGV, SEGV_MAPERR);
	EXPECT_EQ(x_brk(end + 3 * PAGE), 0);
	st8(end + 3 * PAGE - 1, 1);
	EXPECT_EQ(ld8(map), 0);
	unmap(map, 1);
	EXPECT_EQ(x_brk(was), 0);
}

TEST(brk, downwards_over_what_was_unmapped_moves_nothing)
{
	/* mm/mmap.c: there is nothing of the heap to take away. */
	addr_t was = x_sbrk(0), end = heap_end();

	SETUP(x_brk(end + 3 * PAGE) == 0);
	unmap(end + PAGE, 2);
	EXPECT_EQ(x_brk(end + 2 * PAGE), 0);
	EXPECT_EQ(x_sbrk(0), end + 3 * PAGE);
	EXPECT_EQ(x_brk(end), 0); /* part of it is there */
	EXPECT_LOAD_FAULTS(end, SIGSEGV, SEGV_MAPERR);
	EXPECT_EQ(x_brk(was), 0);
}

TEST(brk, downwards_takes_away_whatever_was_mapped_there_meanwhile)
{
	/* mm/mmap.c. */
	addr_t was = x_sbrk(0), end = heap_end();
	int fd = memfd(1);

	SETUP(x_brk(end + 2 * PAGE) == 0);
	SETUP(x_mmap(end + PAGE, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) == end + PAGE);
	EXPECT_EQ(x_brk(end), 0);
	EXPECT_LOAD_FAULTS(end + PAGE, SIGSEGV, SEGV_MAPERR);
	EXPECT_EQ(x_close(fd), 0);
	EXPECT_EQ(x_brk(was), 0);
}

static int child_grows(void *arg)
{
	addr_t end = *(const addr_t *)arg;

	CHILD_EXPECT(x_sbrk(0) == end + PAGE);
	CHILD_EXPECT(ld8(end) == 7);
	CHILD_EXPECT(x_brk(end + 2 * PAGE) == 0);
	st8(end, 8);
	st8(end + PAGE, 9);
	return 0;
}

TEST(brk, of_a_child_is_its_own)
{
	/* fork(2): it begins where the parent's is. */
	addr_t was = x_sbrk(0), end = heap_end();

	SETUP(x_brk(end + PAGE) == 0);
	st8(end, 7);
	EXPECT_EQ(in_child(child_grows, &end), 0);
	EXPECT_EQ(x_sbrk(0), end + PAGE);
	EXPECT_EQ(ld8(end), 7);
	EXPECT_LOAD_FAULTS(end + PAGE, SIGSEGV, SEGV_MAPERR);
	EXPECT_EQ(x_brk(was), 0);
}

TEST(brk, memory_can_be_protected_and_unmapped_as_any_other)
{
	/* brk(2): it is private anonymous memory. */
	addr_t was = x_sbrk(0), end = heap_end();

	SETUP(x_brk(end + 2 * PAGE) == 0);
	EXPECT_EQ(x_mprotect(end, PAGE, PROT_READ), 0);
	EXPECT_STORE_FAULTS(end, SIGSEGV, SEGV_ACCERR);
	EXPECT_EQ(x_mprotect(end, PAGE, RW | PROT_EXEC), 0);
	st8(end, 1);
	unmap(end + PAGE, 1);
	EXPECT_LOAD_FAULTS(end + PAGE, SIGSEGV, SEGV_MAPERR);
	EXPECT_EQ(x_brk(end), 0);
	EXPECT_EQ(x_brk(was), 0);
}
