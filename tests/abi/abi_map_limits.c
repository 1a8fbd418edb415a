// SPDX-License-Identifier: MIT
/*
 * What Linux promises of limits on memory: RLIMIT_AS, RLIMIT_DATA, RLIMIT_STACK, and the number of mappings.
 * getrlimit(2); mmap(2), mprotect(2), mremap(2), brk(2) ENOMEM; mm/mmap.c (may_expand_vm).
 *
 * A limit is lowered in a child, to what it has mapped and so many pages more: how much that is, is found by asking.
 */
#include "abi.h"

#include <stdint.h>

enum { RW = PROT_READ | PROT_WRITE, ANON = MAP_PRIVATE | MAP_ANONYMOUS };

static addr_t at(addr_t map, int page)
{
	return map + (addr_t)page * PAGE;
}

static bool limit_to(int resource, uint64_t pages)
{
	struct rlimit limit;

	if (x_getrlimit(resource, &limit) < 0)
		return false;
	limit.rlim_cur = pages * PAGE;
	return x_setrlimit(resource, &limit) == 0;
}

/* Whether a page of that protection can be mapped. */
static bool can_map(int prot)
{
	addr_t map = x_mmap(0, PAGE, prot, ANON, -1, 0);

	return map != NO_MAPPING && x_munmap(map, PAGE) == 0;
}

/* Limit the resource to what there is and `more` pages, where pages of that protection count for it. */
static bool limit_to_more(int resource, uint64_t more, int prot)
{
	uint64_t low = 0, high = (uint64_t)1 << 40; /* high is enough for one more, low is not */

	while (high - low > 1) {
		uint64_t middle = low + (high - low) / 2;

		if (!limit_to(resource, middle))
			return false;
		if (can_map(prot))
			high = middle;
		else
			low = middle;
	}
	return limit_to(resource, low + more);
}

/* RLIMIT_AS. */

static int child_as(void *arg)
{
	addr_t map, more;

	(void)arg;
	map = x_mmap(0, 48 * PAGE, RW, ANON, -1, 0);
	CHILD_EXPECT(map != NO_MAPPING && x_munmap(at(map, 8), 40 * PAGE) == 0);
	CHILD_EXPECT(limit_to_more(RLIMIT_AS, 4, PROT_NONE));
	errno = 0;
	CHILD_EXPECT(x_mmap(0, 5 * PAGE, PROT_NONE, ANON | MAP_NORESERVE, -1, 0) == NO_MAPPING && errno == ENOMEM);
	more = x_mmap(at(map, 30), 3 * PAGE, PROT_READ, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	CHILD_EXPECT(more != NO_MAPPING);
	CHILD_EXPECT(x_mmap(0, 2 * PAGE, RW, ANON, -1, 0) == NO_MAPPING && errno == ENOMEM);
	CHILD_EXPECT(x_munmap(more, PAGE) == 0);
	more = at(more, 1);
	/* What is replaced is not counted twice. */
	CHILD_EXPECT(x_mmap(map, 8 * PAGE, PROT_READ, ANON | MAP_FIXED, -1, 0) == map);
	errno = 0;
	CHILD_EXPECT(x_mmap(at(map, 7), 4 * PAGE, PROT_READ, ANON | MAP_FIXED, -1, 0) == NO_MAPPING && errno == ENOMEM);
	/* Protection changes nothing; what grows does. */
	CHILD_EXPECT(x_mprotect(map, 8 * PAGE, RW) == 0);
	errno = 0;
	CHILD_EXPECT(x_mremap(map, 8 * PAGE, 11 * PAGE, MREMAP_MAYMOVE, 0) == NO_MAPPING && errno == ENOMEM);
	map = x_mremap(map, 8 * PAGE, 10 * PAGE, MREMAP_MAYMOVE, 0);
	CHILD_EXPECT(map != NO_MAPPING);
	CHILD_EXPECT(!can_map(PROT_READ));
	CHILD_EXPECT(x_mremap(map, 10 * PAGE, 8 * PAGE, 0, 0) == map);
	CHILD_EXPECT(x_munmap(map, 4 * PAGE) == 0);
	map = x_mmap(0, 6 * PAGE, RW, ANON, -1, 0);
	CHILD_EXPECT(map != NO_MAPPING);
	CHILD_EXPECT(!can_map(PROT_READ));
	errno = 0;
	if (linux_release() >= 5007)
		CHILD_EXPECT(x_mremap(map, PAGE, PAGE, MREMAP_MAYMOVE | 4, 0) == NO_MAPPING && errno == ENOMEM);
	return 0;
}

TEST(limits, RLIMIT_AS_is_on_all_that_is_mapped)
{
	/* getrlimit(2): mmap, mremap and brk fail with ENOMEM upon exceeding it. */
	EXPECT_EQ(in_child(child_as, NULL), 0);
}

static int child_dontunmap_fixed(void *arg)
{
	addr_t map = x_mmap(0, 4 * PAGE, RW, ANON, -1, 0), to = x_mmap(0, 2 * PAGE, RW, ANON, -1, 0);

	(void)arg;
	CHILD_EXPECT(map != NO_MAPPING && to != NO_MAPPING);
	st8(map, 1);
	CHILD_EXPECT(x_mprotect(to, PAGE, PROT_READ) == 0);
	CHILD_EXPECT(limit_to_more(RLIMIT_AS, 1, PROT_NONE));
	CHILD_EXPECT(x_mremap(map, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED | 4, at(to, 1)) == NO_MAPPING);
	CHILD_EXPECT(ld8(map) == 1);
	CHILD_EXPECT(ld8(to) == 0);
	return 0;
}

TEST(limits, RLIMIT_AS_holds_for_what_mremap_leaves_behind)
{
	/* mm/mremap.c: MREMAP_DONTUNMAP expands by the old length. */
	EXPECT_EQ(in_child(child_dontunmap_fixed, NULL), 0);
}

static int child_as_below(void *arg)
{
	addr_t map = x_mmap(0, 4 * PAGE, RW, ANON, -1, 0);

	(void)arg;
	CHILD_EXPECT(map != NO_MAPPING);
	CHILD_EXPECT(limit_to(RLIMIT_AS, 1));
	CHILD_EXPECT(!can_map(PROT_READ));
	errno = 0;
	CHILD_EXPECT(x_mmap(map, PAGE, RW, ANON | MAP_FIXED, -1, 0) == NO_MAPPING && errno == ENOMEM);
	st8(map, 1);
	CHILD_EXPECT(x_mprotect(map, PAGE, PROT_READ) == 0);
	CHILD_EXPECT(x_mprotect(map, PAGE, RW) == 0);
	CHILD_EXPECT(x_mremap(map, 4 * PAGE, 3 * PAGE, 0, 0) == map);
	CHILD_EXPECT(x_munmap(map, PAGE) == 0);
	return 0;
}

TEST(limits, RLIMIT_AS_below_what_is_mapped_takes_nothing_away)
{
	/* getrlimit(2). */
	EXPECT_EQ(in_child(child_as_below, NULL), 0);
}

static int child_limit_is_inherited(void *arg)
{
	CHILD_EXPECT(!can_map(PROT_READ));
	return *(int *)arg;
}

static int child_forks(void *arg)
{
	int code = 5;

	(void)arg;
	CHILD_EXPECT(limit_to_more(RLIMIT_AS, 0, PROT_NONE));
	return in_child(child_limit_is_inherited, &code);
}

TEST(limits, RLIMIT_AS_counts_in_a_child_what_it_has_inherited)
{
	/* fork(2), getrlimit(2). */
	EXPECT_EQ(in_child(child_forks, NULL), 5);
}

/* RLIMIT_DATA. */

static int child_data(void *arg)
{
	addr_t readable, map;
	int fd = memfd(8);

	(void)arg;
	readable = x_mmap(0, 8 * PAGE, PROT_READ, ANON, -1, 0);
	CHILD_EXPECT(readable != NO_MAPPING);
	CHILD_EXPECT(limit_to_more(RLIMIT_DATA, 4, RW));
	errno = 0;
	CHILD_EXPECT(x_mmap(0, 5 * PAGE, RW, ANON, -1, 0) == NO_MAPPING && errno == ENOMEM);
	CHILD_EXPECT(x_mmap(0, 5 * PAGE, RW, MAP_PRIVATE, fd, 0) == NO_MAPPING && errno == ENOMEM);
	CHILD_EXPECT(x_mprotect(readable, 5 * PAGE, RW) == -1 && errno == ENOMEM);
	CHILD_EXPECT(probe_st8(readable, 1).signo == SIGSEGV);
	/* Neither shared memory nor what is only read is data. */
	CHILD_EXPECT(x_mmap(0, 5 * PAGE, RW, MAP_SHARED, fd, 0) != NO_MAPPING);
	CHILD_EXPECT(x_mmap(0, 5 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0) != NO_MAPPING);
	CHILD_EXPECT(x_mmap(0, 5 * PAGE, PROT_READ, ANON, -1, 0) != NO_MAPPING);
	CHILD_EXPECT(x_mmap(0, 5 * PAGE, RW, ANON | MAP_GROWSDOWN, -1, 0) != NO_MAPPING);
	CHILD_EXPECT(x_mprotect(readable, 2 * PAGE, RW) == 0);
	map = x_mmap(0, 2 * PAGE, RW, ANON, -1, 0);
	CHILD_EXPECT(map != NO_MAPPING);
	CHILD_EXPECT(!can_map(RW));
	CHILD_EXPECT(x_mremap(map, 2 * PAGE, 3 * PAGE, MREMAP_MAYMOVE, 0) == NO_MAPPING && errno == ENOMEM);
	CHILD_EXPECT(x_mprotect(readable, PAGE, PROT_READ) == 0);
	map = x_mremap(map, 2 * PAGE, 3 * PAGE, MREMAP_MAYMOVE, 0);
	CHILD_EXPECT(map != NO_MAPPING);
	CHILD_EXPECT(!can_map(RW));
	return 0;
}

TEST(limits, RLIMIT_DATA_is_on_private_writable_memory)
{
	/* getrlimit(2): since 4.7 it is applied to mmap, too. */
	EXPECT_EQ(in_child(child_data, NULL), 0);
}

static int child_brk(void *arg)
{
	addr_t end = (x_sbrk(0) + PAGE - 1) & ~(addr_t)(PAGE - 1);

	(void)arg;
	CHILD_EXPECT(x_brk(end) == 0);
	CHILD_EXPECT(limit_to_more(RLIMIT_DATA, 2, RW));
	CHILD_EXPECT(x_brk(end + 3 * PAGE) == -1 && errno == ENOMEM);
	CHILD_EXPECT(x_brk(end + 2 * PAGE) == 0);
	CHILD_EXPECT(x_brk(end) == 0);
	CHILD_EXPECT(limit_to(RLIMIT_DATA, 1 << 20));
	CHILD_EXPECT(limit_to_more(RLIMIT_AS, 2, PROT_NONE));
	CHILD_EXPECT(x_brk(end + 3 * PAGE) == -1 && errno == ENOMEM);
	CHILD_EXPECT(x_brk(end + 2 * PAGE) == 0);
	return 0;
}

TEST(limits, RLIMIT_DATA_and_RLIMIT_AS_hold_for_brk)
{
	/* brk(2), getrlimit(2). */
	EXPECT_EQ(in_child(child_brk, NULL), 0);
}

/* RLIMIT_STACK. */

static int child_stack(void *arg)
{
	addr_t room = map_anonymous(600, PROT_NONE, MAP_PRIVATE), page = at(room, 599);

	(void)arg;
	CHILD_EXPECT(x_munmap(room, 600 * PAGE) == 0);
	CHILD_EXPECT(x_mmap(page, PAGE, RW, ANON | MAP_GROWSDOWN | MAP_FIXED, -1, 0) == page);
	CHILD_EXPECT(limit_to(RLIMIT_STACK, 10));
	st8(at(page, -9), 1);
	CHILD_EXPECT(probe_st8(at(page, -10), 1).code == SEGV_MAPERR);
	CHILD_EXPECT(limit_to(RLIMIT_STACK, 12));
	st8(at(page, -11), 1);
	CHILD_EXPECT(probe_st8(at(page, -12), 1).code == SEGV_MAPERR);
	return 0;
}

TEST(limits, RLIMIT_STACK_is_on_what_a_stack_grows_to)
{
	/* getrlimit(2): upon reaching it, SIGSEGV. */
	EXPECT_EQ(in_child(child_stack, NULL), 0);
}

static int child_stack_as(void *arg)
{
	addr_t room = map_anonymous(600, PROT_NONE, MAP_PRIVATE), page = at(room, 599);

	(void)arg;
	CHILD_EXPECT(x_munmap(room, 600 * PAGE) == 0);
	CHILD_EXPECT(x_mmap(page, PAGE, RW, ANON | MAP_GROWSDOWN | MAP_FIXED, -1, 0) == page);
	CHILD_EXPECT(limit_to_more(RLIMIT_AS, 2, PROT_NONE));
	CHILD_EXPECT(probe_st8(at(page, -3), 1).code == SEGV_MAPERR);
	st8(at(page, -2), 1);
	return 0;
}

TEST(limits, RLIMIT_AS_holds_for_stacks)
{
	/* getrlimit(2): also automatic stack expansion fails. */
	EXPECT_EQ(in_child(child_stack_as, NULL), 0);
}

/* The number of mappings: vm.max_map_count. */

#define UNTIL_FULL_BYTES ((size_t)200000 * PAGE)

/*
 * Pages that cannot be joined with each other, one below the other, until no more can be mapped. @return how many; a
 * page of its own, `spare` of three, is mapped before
 */
static int map_until_full(addr_t *spare)
{
	addr_t room = x_mmap(0, UNTIL_FULL_BYTES, PROT_NONE, ANON | MAP_NORESERVE, -1, 0);
	int n = 0;

	if (room == NO_MAPPING || x_munmap(room, UNTIL_FULL_BYTES) != 0)
		return -1;
	*spare = x_mmap(at(room, 199990), 3 * PAGE, RW, ANON | MAP_FIXED, -1, 0);
	while (n < 199000 &&
	       x_mmap(at(room, n), PAGE, n % 2 ? PROT_READ : PROT_NONE, ANON | MAP_FIXED, -1, 0) != NO_MAPPING)
		n++;
	return errno == ENOMEM ? n : -1;
}

static int child_full(void *arg)
{
	addr_t map, last;
	int n = map_until_full(&map);

	(void)arg;
	CHILD_EXPECT(n > 60000 && n < 70000);
	last = at(map, -199990 + n - 1);
	/* Now there is one more than there may be. Not even what could be joined can be mapped. */
	CHILD_EXPECT(x_mmap(0, PAGE, RW, ANON, -1, 0) == NO_MAPPING && errno == ENOMEM);
	CHILD_EXPECT(x_mmap(at(last, 1), PAGE, n % 2 ? PROT_NONE : PROT_READ, ANON | MAP_FIXED, -1, 0) == NO_MAPPING);
	CHILD_EXPECT(x_munmap(at(map, 1), PAGE) == -1 && errno == ENOMEM);
	CHILD_EXPECT(x_mprotect(map, PAGE, PROT_READ) == -1 && errno == ENOMEM);
	CHILD_EXPECT(x_mlock(map, PAGE) == -1 && errno == ENOMEM);
	CHILD_EXPECT(x_madvise(map, PAGE, MADV_DONTFORK) == -1 && errno == EAGAIN);
	CHILD_EXPECT(x_mremap(at(map, 1), PAGE, 2 * PAGE, MREMAP_MAYMOVE, 0) == NO_MAPPING && errno == ENOMEM);
	CHILD_EXPECT(x_mprotect(map, 3 * PAGE, PROT_READ) == 0); /* a whole one */
	CHILD_EXPECT(x_mprotect(map, 3 * PAGE, RW) == 0);
	/* One less: as many as there may be. What ends with one more is possible only by mmap. */
	CHILD_EXPECT(x_munmap(last, PAGE) == 0);
	CHILD_EXPECT(x_munmap(at(map, 1), PAGE) == -1 && errno == ENOMEM);
	CHILD_EXPECT(x_mprotect(map, PAGE, PROT_READ) == -1 && errno == ENOMEM);
	CHILD_EXPECT(x_mmap(at(map, 1), PAGE, PROT_READ, ANON | MAP_FIXED, -1, 0) == NO_MAPPING && errno == ENOMEM);
	CHILD_EXPECT(x_mmap(map, PAGE, PROT_READ, ANON | MAP_FIXED, -1, 0) == map);
	CHILD_EXPECT(x_mmap(0, PAGE, RW, ANON, -1, 0) == NO_MAPPING && errno == ENOMEM);
	/* A boundary that moves makes no new one. */
	CHILD_EXPECT(x_mprotect(at(map, 1), PAGE, PROT_READ) == 0);
	CHILD_EXPECT(x_mprotect(at(map, 1), PAGE, RW) == 0);
	CHILD_EXPECT(x_munmap(map, PAGE) == 0);
	CHILD_EXPECT(x_munmap(at(last, -1), PAGE) == 0);
	CHILD_EXPECT(x_mprotect(at(map, 1), PAGE, PROT_READ) == 0);
	CHILD_EXPECT(x_munmap(at(map, 1), PAGE) == 0);
	return 0;
}

TEST(limits, number_of_mappings_is_one_more_than_max_map_count)
{
	/*
	 * mmap(2), munmap(2), mprotect(2), mlock(2) ENOMEM, madvise(2) EAGAIN; mm/mmap.c asks before it adds, and is
	 * content with as many as there may be.
	 */
	NEEDS_ADDRESSES(UNTIL_FULL_BYTES);
	EXPECT_EQ(in_child(child_full, NULL), 0);
}

static int child_full_mremap(void *arg)
{
	addr_t map, last;
	int n = map_until_full(&map);

	(void)arg;
	CHILD_EXPECT(n > 60000);
	last = at(map, -199990 + n - 1);
	st8(map, 1);
	/* A move wants room for more than it needs in the end: 4 below the limit, and 6 to a place of its own. */
	for (int left = -1; left < 8; left++, last = at(last, -1)) {
		addr_t moved = x_mremap(map, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at(map, 5));

		CHILD_EXPECT((moved != NO_MAPPING) == (left >= 6));
		CHILD_EXPECT(moved != NO_MAPPING || errno == ENOMEM);
		if (moved != NO_MAPPING)
			CHILD_EXPECT(ld8(moved) == 1 && x_munmap(moved, PAGE) == 0 &&
			             x_mmap(map, PAGE, RW, ANON | MAP_FIXED, -1, 0) == map);
		st8(map, 1);
		moved = x_mremap(map, PAGE, 2 * PAGE, MREMAP_MAYMOVE, 0);
		CHILD_EXPECT((moved != NO_MAPPING) == (left >= 4));
		if (moved != NO_MAPPING)
			CHILD_EXPECT(ld8(moved) == 1 && x_munmap(moved, 2 * PAGE) == 0 &&
			             x_mmap(map, PAGE, RW, ANON | MAP_FIXED, -1, 0) == map);
		st8(map, 1);
		CHILD_EXPECT(x_munmap(last, PAGE) == 0);
	}
	return 0;
}

TEST(limits, mremap_keeps_away_from_the_number_of_mappings)
{
	/* mm/mremap.c: check_mremap_params, prep_move_vma. */
	NEEDS_ADDRESSES(UNTIL_FULL_BYTES);
	EXPECT_EQ(in_child(child_full_mremap, NULL), 0);
}
