// SPDX-License-Identifier: MIT
/*
 * What Linux promises of madvise: each advice, where it is refused, and what it does on both sides of a hole.
 * SEMANTICS.md 67-69, 72; madvise(2). Poisoning is only ever asked for without privilege.
 */
#include "abi.h"

enum { RW = PROT_READ | PROT_WRITE };

/* What a libc's header may not have yet. */
enum {
	ADVICE_COLD = 20,
	ADVICE_PAGEOUT = 21,
	ADVICE_POPULATE_READ = 22,
	ADVICE_POPULATE_WRITE = 23,
	ADVICE_DONTNEED_LOCKED = 24,
	ADVICE_COLLAPSE = 25,
	ADVICE_HWPOISON = 100,
	ADVICE_SOFT_OFFLINE = 101,
	ADVICE_GUARD_INSTALL = 102,
	ADVICE_GUARD_REMOVE = 103,
};

/* Advices that are taken by all memory alike, and only noted. */
static const int harmless[] = {
	MADV_NORMAL,    MADV_RANDOM,    MADV_SEQUENTIAL,  MADV_WILLNEED,   MADV_DONTFORK,
	MADV_DOFORK,    MADV_DONTDUMP,  MADV_DODUMP,      MADV_KEEPONFORK, ADVICE_COLD,
	ADVICE_PAGEOUT, MADV_MERGEABLE, MADV_UNMERGEABLE, MADV_HUGEPAGE,   MADV_NOHUGEPAGE,
};
enum { NHARMLESS = sizeof(harmless) / sizeof(harmless[0]) };

/* What the kernel may have been built without: then all of it is EINVAL. */
static bool is_there(int advice, addr_t map)
{
	return x_madvise(map, PAGE, advice) == 0 || errno != EINVAL;
}

static void need(int advice, addr_t map, const char *name)
{
	if (!is_there(advice, map)) {
		unmap(map, 1);
		SKIP("this kernel has no %s", name);
	}
}

/* Three pages, of which the middle one is unmapped. */
static addr_t with_hole(void)
{
	addr_t map = map_anonymous(3, RW, MAP_PRIVATE);

	unmap(map + PAGE, 1);
	return map;
}

static void unmap_with_hole(addr_t map)
{
	unmap(map, 1);
	unmap(map + 2 * PAGE, 1);
}

/* Arguments. */

TEST(madvise, unknown_advice_fails_EINVAL)
{
	/* madvise(2): EINVAL, advice is not valid; also for no bytes at all. */
	addr_t map = map_anonymous(1, RW, MAP_PRIVATE);
	static const int unknown[] = { 5, 6, 7, 27, 63, 99, 104, 4096, -1, INT32_MIN };

	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		EXPECT_FAILS(x_madvise(map, PAGE, unknown[i]), EINVAL);
		EXPECT_FAILS(x_madvise(map, 0, unknown[i]), EINVAL);
	}
	unmap(map, 1);
}

TEST(madvise, at_an_unaligned_address_fails_EINVAL)
{
	/* madvise(2): addr is not page-aligned; also for no bytes. */
	addr_t map = map_anonymous(2, RW, MAP_PRIVATE);

	st8(map, 'a');
	EXPECT_FAILS(x_madvise(map + 1, PAGE, MADV_DONTNEED), EINVAL);
	EXPECT_FAILS(x_madvise(map + PAGE - 1, 1, MADV_DONTNEED), EINVAL);
	EXPECT_FAILS(x_madvise(map + 1, 0, MADV_DONTNEED), EINVAL);
	EXPECT_EQ(ld8(map), 'a');
	unmap(map, 2);
}

TEST(madvise, of_no_bytes_does_nothing)
{
	/* madvise(2): whatever is there, or is not. */
	addr_t map = map_anonymous(1, RW, MAP_PRIVATE);

	st8(map, 'a');
	EXPECT_EQ(x_madvise(map, 0, MADV_DONTNEED), 0);
	EXPECT_EQ(ld8(map), 'a');
	EXPECT_EQ(x_madvise(map, 0, MADV_REMOVE), 0);
	EXPECT_EQ(x_madvise(0, 0, MADV_DONTNEED), 0);
	EXPECT_EQ(x_madvise(unmapped_page(), 0, MADV_WILLNEED), 0);
	unmap(map, 1);
}

TEST(madvise, of_a_part_of_a_page_is_of_the_page)
{
	/* madvise(2): length is rounded up. */
	addr_t map = map_anonymous(2, RW, MAP_PRIVATE);

	st8(map + PAGE - 1, 'a');
	st8(map + PAGE, 'b');
	EXPECT_EQ(x_madvise(map, 1, MADV_DONTNEED), 0);
	EXPECT_EQ(ld8(map + PAGE - 1), 0);
	EXPECT_EQ(ld8(map + PAGE), 'b');
	EXPECT_EQ(x_madvise(map, PAGE + 1, MADV_DONTNEED), 0);
	EXPECT_EQ(ld8(map + PAGE), 0);
	unmap(map, 2);
}

TEST(madvise, of_a_length_that_wraps_fails_EINVAL)
{
	/* madvise(2): a negative length, and a range that goes round the end of the address space. */
	addr_t map = map_anonymous(1, RW, MAP_PRIVATE);

	st8(map, 'a');
	EXPECT_FAILS(x_madvise(map, SIZE_MAX, MADV_DONTNEED), EINVAL);
	EXPECT_FAILS(x_madvise(map, (size_t)-PAGE, MADV_DONTNEED), EINVAL);
	EXPECT_FAILS(x_madvise((addr_t)-PAGE, PAGE, MADV_DONTNEED), EINVAL);
	EXPECT_FAILS(x_madvise((addr_t)-PAGE, 2 * PAGE, MADV_DONTNEED), EINVAL);
	EXPECT_EQ(ld8(map), 'a');
	unmap(map, 1);
}

TEST(madvise, where_nothing_is_mapped_fails_ENOMEM)
{
	/* madvise(2): ENOMEM, addresses in the range are not currently mapped. */
	EXPECT_FAILS(x_madvise(unmapped_page(), PAGE, MADV_DONTNEED), ENOMEM);
	EXPECT_FAILS(x_madvise(0, PAGE, MADV_DONTNEED), ENOMEM);
	EXPECT_FAILS(x_madvise((addr_t)1 << 47, PAGE, MADV_DONTNEED), ENOMEM);
	EXPECT_FAILS(x_madvise((addr_t)1 << 62, PAGE, MADV_DONTNEED), ENOMEM);
	if (linux_release() >= 5014)
		EXPECT_FAILS(x_madvise(unmapped_page(), PAGE, ADVICE_POPULATE_READ), ENOMEM);
}

TEST(madvise, over_a_hole_fails_ENOMEM_for_every_advice)
{
	/* madvise(2). */
	addr_t map = with_hole();

	for (int i = 0; i < NHARMLESS; i++)
		if (is_there(harmless[i], map))
			EXPECT_FAILS(x_madvise(map, 3 * PAGE, harmless[i]), ENOMEM);
	EXPECT_FAILS(x_madvise(map, 3 * PAGE, MADV_DONTNEED), ENOMEM);
	if (linux_release() >= 4005)
		EXPECT_FAILS(x_madvise(map, 3 * PAGE, MADV_FREE), ENOMEM);
	if (linux_release() >= 4014)
		EXPECT_FAILS(x_madvise(map, 3 * PAGE, MADV_WIPEONFORK), ENOMEM);
	if (linux_release() >= 5014) {
		EXPECT_FAILS(x_madvise(map, 3 * PAGE, ADVICE_POPULATE_READ), ENOMEM);
		EXPECT_FAILS(x_madvise(map, 3 * PAGE, ADVICE_POPULATE_WRITE), ENOMEM);
	}
	EXPECT_FAILS(x_madvise(map + PAGE, 2 * PAGE, MADV_DONTNEED), ENOMEM);
	EXPECT_FAILS(x_madvise(map, 2 * PAGE, MADV_DONTNEED), ENOMEM);
	unmap_with_hole(map);
}

TEST(madvise, that_means_nothing_changes_nothing)
{
	/* madvise(2): on private, shared and file memory alike. */
	int fd = memfd(1);
	addr_t maps[] = { map_anonymous(1, RW, MAP_PRIVATE), map_anonymous(1, RW, MAP_SHARED), map_shared(fd, 1, RW),
		          map_private(fd, 1, RW) };

	for (int m = 0; m < 4; m++) {
		st8(maps[m], 'a');
		for (int i = 0; i < NHARMLESS; i++)
			if (is_there(harmless[i], maps[0]))
				EXPECT_EQ(x_madvise(maps[m], PAGE, harmless[i]), 0);
		EXPECT_EQ(ld8(maps[m]), 'a');
		st8(maps[m], 'b');
		EXPECT_EQ(ld8(maps[m]), 'b');
		unmap(maps[m], 1);
	}
	EXPECT_EQ(x_close(fd), 0);
}

TEST(madvise, of_a_page_in_the_middle_leaves_its_neighbours_alone)
{
	/* madvise(2): a mapping is cut where that must be, and one again when the advice is taken back. */
	addr_t map = map_anonymous(3, RW, MAP_PRIVATE);

	for (int i = 0; i < 3; i++)
		st8(map + (addr_t)i * PAGE, (uint8_t)(1 + i));
	EXPECT_EQ(x_madvise(map + PAGE, PAGE, MADV_DONTFORK), 0);
	EXPECT_EQ(x_madvise(map, PAGE, MADV_RANDOM), 0);
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(ld8(map + (addr_t)i * PAGE), 1 + i);
	EXPECT_EQ(x_madvise(map, 3 * PAGE, MADV_DOFORK), 0);
	EXPECT_EQ(x_madvise(map, 3 * PAGE, MADV_NORMAL), 0);
	EXPECT_EQ(x_mprotect(map, 3 * PAGE, PROT_READ), 0);
	unmap(map, 3);
}

TEST(madvise, that_would_make_too_many_mappings_fails_EAGAIN)
{
	/*
	 * madvise(2): EAGAIN, a kernel resource was temporarily unavailable; mlock2(2): ENOMEM. vm.max_map_count is the
	 * limit.
	 */
	enum { MOST = 70000 };
	size_t len_bytes = (size_t)2 * MOST * PAGE;
	addr_t map, at;
	int n = 0;

	NEEDS_ADDRESSES(len_bytes);
	map = x_mmap(0, len_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	SETUP(map != NO_MAPPING);
	while (n < MOST && x_madvise(map + (addr_t)(2 * n + 1) * PAGE, PAGE, MADV_RANDOM) == 0)
		n++;
	if (n == MOST) {
		EXPECT_EQ(x_munmap(map, len_bytes), 0);
		SKIP("this kernel allows more than %d mappings", 2 * MOST);
	}
	EXPECT_EQ(errno, EAGAIN);
	EXPECT_MSG(n > 30000, "%d", n);
	at = map + (addr_t)(2 * n + 3) * PAGE;
	EXPECT_FAILS(x_mlock2(at, PAGE, 1), ENOMEM);
	EXPECT_EQ(x_madvise(map + (addr_t)(2 * n) * PAGE, PAGE, MADV_RANDOM), 0); /* joins the one below */
	EXPECT_EQ(x_munmap(map, len_bytes), 0);
}

/* DONTNEED. */

TEST(madvise_dontneed, of_private_anonymous_memory_makes_it_zero)
{
	/* madvise(2): subsequent accesses give zero-fill pages. */
	addr_t map = map_anonymous(2, RW, MAP_PRIVATE);

	st8(map, 'a');
	st8(map + PAGE, 'b');
	EXPECT_EQ(x_madvise(map, PAGE, MADV_DONTNEED), 0);
	EXPECT_EQ(ld8(map), 0);
	EXPECT_EQ(ld8(map + PAGE), 'b');
	st8(map, 'c');
	EXPECT_EQ(ld8(map), 'c');
	unmap(map, 2);
}

TEST(madvise_dontneed, of_shared_memory_keeps_the_data)
{
	/* 67. */
	int fd = memfd(1);
	addr_t map = map_shared(fd, 1, RW), anonymous = map_anonymous(1, RW, MAP_SHARED);

	st8(map, 'a');
	st8(anonymous, 'b');
	EXPECT_EQ(x_madvise(map, PAGE, MADV_DONTNEED), 0);
	EXPECT_EQ(x_madvise(anonymous, PAGE, MADV_DONTNEED), 0);
	EXPECT_EQ(ld8(map), 'a');
	EXPECT_EQ(ld8(anonymous), 'b');
	EXPECT_EQ(byte_at(fd, 0), 'a');
	unmap(map, 1);
	unmap(anonymous, 1);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(madvise_dontneed, of_a_private_file_mapping_goes_back_to_the_file)
{
	/* 67. */
	int fd = memfd(1);
	addr_t map = map_private(fd, 1, RW);

	SETUP(x_pwrite(fd, "f", 1, 0) == 1);
	st8(map, 'p');
	SETUP(x_pwrite(fd, "g", 1, 0) == 1);
	EXPECT_EQ(ld8(map), 'p');
	EXPECT_EQ(x_madvise(map, PAGE, MADV_DONTNEED), 0);
	EXPECT_EQ(ld8(map), 'g');
	SETUP(x_pwrite(fd, "h", 1, 0) == 1);
	EXPECT_EQ(ld8(map), 'h');
	unmap(map, 1);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(madvise_dontneed, works_whatever_the_protection_is)
{
	/* madvise(2) names none. */
	addr_t map = map_anonymous(1, RW, MAP_PRIVATE);

	st8(map, 'a');
	SETUP(x_mprotect(map, PAGE, PROT_NONE) == 0);
	EXPECT_EQ(x_madvise(map, PAGE, MADV_DONTNEED), 0);
	SETUP(x_mprotect(map, PAGE, PROT_READ) == 0);
	EXPECT_EQ(ld8(map), 0);
	unmap(map, 1);
}

TEST(madvise_dontneed, of_locked_memory_fails_EINVAL)
{
	/* 67; MADV_DONTNEED_LOCKED (5.18) does it. */
	addr_t map = map_anonymous(2, RW, MAP_PRIVATE);

	st8(map, 'a');
	SETUP(x_mlock(map, PAGE) == 0);
	EXPECT_FAILS(x_madvise(map, PAGE, MADV_DONTNEED), EINVAL);
	EXPECT_FAILS(x_madvise(map, PAGE, MADV_FREE), EINVAL);
	EXPECT_FAILS(x_madvise(map, PAGE, ADVICE_COLD), EINVAL);
	EXPECT_FAILS(x_madvise(map, PAGE, ADVICE_PAGEOUT), EINVAL);
	EXPECT_FAILS(x_madvise(map, PAGE, MADV_REMOVE), EINVAL);
	EXPECT_EQ(ld8(map), 'a');
	if (linux_release() >= 5018) {
		EXPECT_EQ(x_madvise(map, PAGE, ADVICE_DONTNEED_LOCKED), 0);
		EXPECT_EQ(ld8(map), 0);
	}
	SETUP(x_munlock(map, PAGE) == 0);
	EXPECT_EQ(x_madvise(map, PAGE, MADV_DONTNEED), 0);
	unmap(map, 2);
}

TEST(madvise_dontneed, stops_at_locked_memory_with_what_lies_before_it_gone)
{
	/* madvise(2); the walk ends where an advice is refused. */
	addr_t map = map_anonymous(3, RW, MAP_PRIVATE);

	for (int i = 0; i < 3; i++)
		st8(map + (addr_t)i * PAGE, 'a');
	SETUP(x_mlock(map + PAGE, PAGE) == 0);
	EXPECT_FAILS(x_madvise(map, 3 * PAGE, MADV_DONTNEED), EINVAL);
	EXPECT_EQ(ld8(map), 0);
	EXPECT_EQ(ld8(map + PAGE), 'a');
	EXPECT_EQ(ld8(map + 2 * PAGE), 'a');
	SETUP(x_munlock(map, 3 * PAGE) == 0);
	unmap(map, 3);
}

TEST(madvise_dontneed, over_a_hole_fails_ENOMEM_with_both_sides_gone)
{
	/* 67. */
	addr_t map = with_hole();

	st8(map, 'a');
	st8(map + 2 * PAGE, 'b');
	EXPECT_FAILS(x_madvise(map, 3 * PAGE, MADV_DONTNEED), ENOMEM);
	EXPECT_EQ(ld8(map), 0);
	EXPECT_EQ(ld8(map + 2 * PAGE), 0);
	unmap_with_hole(map);
}

static int drops_and_stores(void *arg)
{
	addr_t map = *(addr_t *)arg;

	CHILD_EXPECT(ld8(map) == 'a');
	CHILD_EXPECT(x_madvise(map, PAGE, MADV_DONTNEED) == 0);
	CHILD_EXPECT(ld8(map) == 0);
	st8(map, 'c');
	return 0;
}

TEST(madvise_dontneed, in_a_child_leaves_the_parents_pages)
{
	/* madvise(2) speaks of this mapping only, though fork shares the frames. */
	addr_t map = map_anonymous(1, RW, MAP_PRIVATE);

	st8(map, 'a');
	EXPECT_EQ(in_child(drops_and_stores, &map), 0);
	EXPECT_EQ(ld8(map), 'a');
	unmap(map, 1);
}

/* FREE. */

TEST(madvise_free, of_private_anonymous_memory_keeps_or_zeroes_it)
{
	/* madvise(2): until it is written again, the kernel may free it; a write after that stays. */
	addr_t map = map_anonymous(1, RW, MAP_PRIVATE);
	uint8_t seen;

	NEEDS_RELEASE(4005, "MADV_FREE");
	st8(map, 'a');
	EXPECT_EQ(x_madvise(map, PAGE, MADV_FREE), 0);
	seen = ld8(map);
	EXPECT_MSG(seen == 'a' || seen == 0, "%d", seen);
	st8(map, 'b');
	EXPECT_EQ(ld8(map), 'b');
	unmap(map, 1);
}

TEST(madvise_free, of_any_other_memory_fails_EINVAL)
{
	/* 69. */
	int fd = memfd(1);
	addr_t maps[] = { map_anonymous(1, RW, MAP_SHARED), map_shared(fd, 1, RW), map_private(fd, 1, RW) };

	for (int i = 0; i < 3; i++) {
		st8(maps[i], 'a');
		EXPECT_FAILS(x_madvise(maps[i], PAGE, MADV_FREE), EINVAL);
		EXPECT_EQ(ld8(maps[i]), 'a');
		unmap(maps[i], 1);
	}
	EXPECT_EQ(x_close(fd), 0);
}

/* REMOVE. */

TEST(madvise_remove, of_shared_memory_makes_a_hole_in_the_file)
{
	/* 68: seen through every mapping and by read; the size stays. */
	int fd = memfd(3);
	addr_t map = map_shared(fd, 3, RW), other = map_shared(fd, 3, PROT_READ);
	struct stat st;

	for (int i = 0; i < 3; i++)
		st8(map + (addr_t)i * PAGE, 'a');
	EXPECT_EQ(ld8(other + PAGE), 'a');
	EXPECT_EQ(x_madvise(map + PAGE, PAGE, MADV_REMOVE), 0);
	SETUP(x_fstat(fd, &st) == 0);
	EXPECT_EQ(st.st_size, 3 * PAGE);
	EXPECT_EQ(st.st_blocks, 2 * 8);
	EXPECT_EQ(ld8(other + PAGE), 0);
	EXPECT_EQ(byte_at(fd, PAGE), 0);
	EXPECT_EQ(ld8(map), 'a');
	EXPECT_EQ(ld8(map + 2 * PAGE), 'a');
	st8(map + PAGE, 'b');
	EXPECT_EQ(ld8(other + PAGE), 'b');
	unmap(map, 3);
	unmap(other, 3);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(madvise_remove, leaves_private_copies)
{
	/* 66, which says the same of a punched hole. */
	int fd = memfd(2);
	addr_t map = map_shared(fd, 2, RW), own = map_private(fd, 2, RW);

	st8(map, 'a');
	st8(map + PAGE, 'b');
	st8(own, 'p');
	EXPECT_EQ(ld8(own + PAGE), 'b');
	EXPECT_EQ(x_madvise(map, 2 * PAGE, MADV_REMOVE), 0);
	EXPECT_EQ(ld8(own), 'p');
	EXPECT_EQ(ld8(own + PAGE), 0);
	unmap(map, 2);
	unmap(own, 2);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(madvise_remove, is_of_the_part_of_the_file_that_is_mapped_there)
{
	/* 68: a mapping that does not begin at the file's first page. */
	int fd = memfd(4);
	addr_t map;

	for (int i = 0; i < 4; i++)
		SETUP(x_pwrite(fd, "a", 1, (off_t)i * PAGE) == 1);
	map = x_mmap(0, 2 * PAGE, RW, MAP_SHARED, fd, 2 * PAGE);
	SETUP(map != NO_MAPPING);
	EXPECT_EQ(x_madvise(map + PAGE, PAGE, MADV_REMOVE), 0);
	EXPECT_EQ(byte_at(fd, PAGE), 'a');
	EXPECT_EQ(byte_at(fd, 2 * PAGE), 'a');
	EXPECT_EQ(byte_at(fd, 3 * PAGE), 0);
	unmap(map, 2);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(madvise_remove, of_shared_anonymous_memory_makes_it_zero)
{
	/* 68. */
	addr_t map = map_anonymous(2, RW, MAP_SHARED);

	st8(map, 'a');
	st8(map + PAGE, 'b');
	EXPECT_EQ(x_madvise(map, PAGE, MADV_REMOVE), 0);
	EXPECT_EQ(ld8(map), 0);
	EXPECT_EQ(ld8(map + PAGE), 'b');
	unmap(map, 2);
}

TEST(madvise_remove, past_the_end_of_the_file_does_nothing)
{
	/* madvise(2) names no error. */
	int fd = memfd(1);
	addr_t map = map_shared(fd, 3, RW);

	st8(map, 'a');
	EXPECT_EQ(x_madvise(map + PAGE, 2 * PAGE, MADV_REMOVE), 0);
	EXPECT_EQ(ld8(map), 'a');
	EXPECT_EQ(size_of(fd), PAGE);
	unmap(map, 3);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(madvise_remove, of_a_mapping_that_is_only_read_through_a_writable_fd_works)
{
	/* 68: what counts is whether it may become writable. */
	int fd = memfd(1);
	addr_t map = map_shared(fd, 1, PROT_READ);

	SETUP(x_pwrite(fd, "a", 1, 0) == 1);
	EXPECT_EQ(x_madvise(map, PAGE, MADV_REMOVE), 0);
	EXPECT_EQ(byte_at(fd, 0), 0);
	unmap(map, 1);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(madvise_remove, of_a_read_only_shared_mapping_fails_EACCES)
{
	/* 68. */
	int fd = memfd(1), ro = reopen(fd, O_RDONLY);
	addr_t map = map_shared(ro, 1, PROT_READ);

	SETUP(x_pwrite(fd, "a", 1, 0) == 1);
	EXPECT_FAILS(x_madvise(map, PAGE, MADV_REMOVE), EACCES);
	EXPECT_EQ(byte_at(fd, 0), 'a');
	unmap(map, 1);
	EXPECT_EQ(x_close(ro), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(madvise_remove, of_a_private_file_mapping_fails_EACCES)
{
	/* 68. */
	int fd = memfd(1);
	addr_t map = map_private(fd, 1, RW);

	SETUP(x_pwrite(fd, "a", 1, 0) == 1);
	EXPECT_FAILS(x_madvise(map, PAGE, MADV_REMOVE), EACCES);
	EXPECT_EQ(byte_at(fd, 0), 'a');
	unmap(map, 1);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(madvise_remove, of_private_anonymous_memory_fails_EINVAL)
{
	/* 68. */
	addr_t map = map_anonymous(1, RW, MAP_PRIVATE);

	st8(map, 'a');
	EXPECT_FAILS(x_madvise(map, PAGE, MADV_REMOVE), EINVAL);
	EXPECT_EQ(ld8(map), 'a');
	unmap(map, 1);
}

TEST(madvise_remove, of_a_file_sealed_for_the_future_fails_EPERM)
{
	/* 30: through a writable mapping from before. */
	int fd = memfd(1);
	addr_t map = map_shared(fd, 1, RW);

	st8(map, 'a');
	if (x_fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE) != 0) {
		unmap(map, 1);
		SKIP("this kernel has no F_SEAL_FUTURE_WRITE");
	}
	EXPECT_FAILS(x_madvise(map, PAGE, MADV_REMOVE), EPERM);
	EXPECT_EQ(ld8(map), 'a');
	unmap(map, 1);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(madvise_remove, works_after_the_fd_was_closed)
{
	/* 48: the mapping keeps the file open. */
	int fd = memfd(1), other = reopen(fd, O_RDWR);
	addr_t map = map_shared(fd, 1, RW);

	st8(map, 'a');
	EXPECT_EQ(x_close(fd), 0);
	EXPECT_EQ(x_madvise(map, PAGE, MADV_REMOVE), 0);
	EXPECT_EQ(byte_at(other, 0), 0);
	unmap(map, 1);
	EXPECT_EQ(x_close(other), 0);
}

/* Forks. */

static int load_faults(void *arg)
{
	struct fault fault = probe_ld8(*(addr_t *)arg, NULL);

	CHILD_EXPECT(fault.signo == SIGSEGV && fault.code == SEGV_MAPERR);
	return 0;
}

static int loads(void *arg)
{
	return ld8(*(addr_t *)arg);
}

TEST(madvise_dontfork, leaves_the_range_out_of_a_child)
{
	/* 69; MADV_DOFORK takes it back. */
	addr_t map = map_anonymous(3, RW, MAP_PRIVATE), middle = map + PAGE;

	for (int i = 0; i < 3; i++)
		st8(map + (addr_t)i * PAGE, (uint8_t)(1 + i));
	EXPECT_EQ(x_madvise(middle, PAGE, MADV_DONTFORK), 0);
	EXPECT_EQ(in_child(loads, &map), 1);
	EXPECT_EQ(in_child(load_faults, &middle), 0);
	EXPECT_EQ(ld8(middle), 2);
	EXPECT_EQ(x_madvise(middle, PAGE, MADV_DOFORK), 0);
	EXPECT_EQ(in_child(loads, &middle), 2);
	unmap(map, 3);
}

TEST(madvise_dontfork, of_shared_file_memory_leaves_it_out_too)
{
	/* madvise(2) makes no difference. */
	int fd = memfd(1);
	addr_t map = map_shared(fd, 1, RW);

	st8(map, 'a');
	EXPECT_EQ(x_madvise(map, PAGE, MADV_DONTFORK), 0);
	EXPECT_EQ(in_child(load_faults, &map), 0);
	EXPECT_EQ(ld8(map), 'a');
	unmap(map, 1);
	EXPECT_EQ(x_close(fd), 0);
}

static int wiped_in_a_grandchild(void *arg)
{
	addr_t map = *(addr_t *)arg;

	CHILD_EXPECT(ld8(map) == 0);
	st8(map, 'c');
	CHILD_EXPECT(in_child(loads, arg) == 0);
	CHILD_EXPECT(ld8(map) == 'c');
	return 0;
}

TEST(madvise_wipeonfork, gives_a_child_zeros)
{
	/* madvise(2): and the child keeps the advice. */
	addr_t map = map_anonymous(2, RW, MAP_PRIVATE), second = map + PAGE;

	NEEDS_RELEASE(4014, "MADV_WIPEONFORK");
	st8(map, 'a');
	st8(second, 'b');
	EXPECT_EQ(x_madvise(map, PAGE, MADV_WIPEONFORK), 0);
	EXPECT_EQ(in_child(wiped_in_a_grandchild, &map), 0);
	EXPECT_EQ(in_child(loads, &second), 'b');
	EXPECT_EQ(ld8(map), 'a');
	EXPECT_EQ(x_madvise(map, PAGE, MADV_KEEPONFORK), 0);
	EXPECT_EQ(in_child(loads, &map), 'a');
	unmap(map, 2);
}

TEST(madvise_wipeonfork, of_what_is_not_private_and_anonymous_fails_EINVAL)
{
	/* 69. */
	int fd = memfd(1);
	addr_t maps[] = { map_anonymous(1, RW, MAP_SHARED), map_shared(fd, 1, RW), map_private(fd, 1, RW) };

	NEEDS_RELEASE(4014, "MADV_WIPEONFORK");
	for (int i = 0; i < 3; i++) {
		EXPECT_FAILS(x_madvise(maps[i], PAGE, MADV_WIPEONFORK), EINVAL);
		EXPECT_EQ(x_madvise(maps[i], PAGE, MADV_KEEPONFORK), 0);
		unmap(maps[i], 1);
	}
	EXPECT_EQ(x_close(fd), 0);
}

/* POPULATE. */

static bool is_resident(addr_t page)
{
	unsigned char resident = 0;

	SETUP(x_mincore(page, PAGE, &resident) == 0);
	return resident & 1;
}

TEST(madvise_populate, brings_pages_in)
{
	/* madvise(2), 5.14: prefault page tables readable or writable. */
	addr_t map = map_anonymous(4, RW, MAP_PRIVATE);

	need(ADVICE_POPULATE_READ, map, "MADV_POPULATE_READ");
	EXPECT_EQ(x_madvise(map + PAGE, PAGE, ADVICE_POPULATE_READ), 0);
	EXPECT_EQ(x_madvise(map + 2 * PAGE, PAGE, ADVICE_POPULATE_WRITE), 0);
	EXPECT(is_resident(map + PAGE));
	EXPECT(is_resident(map + 2 * PAGE));
	EXPECT(!is_resident(map + 3 * PAGE));
	EXPECT_EQ(ld8(map + 2 * PAGE), 0);
	unmap(map, 4);
}

TEST(madvise_populate, keeps_what_is_there)
{
	/* madvise(2): as if each page was read, or written to without changing it. */
	int fd = memfd(1);
	addr_t map = map_private(fd, 1, RW);

	NEEDS_RELEASE(5014, "MADV_POPULATE_READ");
	SETUP(x_pwrite(fd, "f", 1, 0) == 1);
	EXPECT_EQ(x_madvise(map, PAGE, ADVICE_POPULATE_WRITE), 0);
	SETUP(x_pwrite(fd, "g", 1, 0) == 1);
	EXPECT_EQ(ld8(map), 'f'); /* copied by then */
	unmap(map, 1);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(madvise_populate, against_the_protection_fails_EINVAL)
{
	/* madvise(2): EINVAL; what may be written need not be readable. */
	addr_t ro = map_anonymous(1, PROT_READ, MAP_PRIVATE), wo = map_anonymous(1, PROT_WRITE, MAP_PRIVATE);
	addr_t xo = map_anonymous(1, PROT_EXEC, MAP_PRIVATE), none = map_anonymous(1, PROT_NONE, MAP_PRIVATE);

	NEEDS_RELEASE(5014, "MADV_POPULATE_READ");
	EXPECT_EQ(x_madvise(ro, PAGE, ADVICE_POPULATE_READ), 0);
	EXPECT_FAILS(x_madvise(ro, PAGE, ADVICE_POPULATE_WRITE), EINVAL);
	EXPECT_FAILS(x_madvise(wo, PAGE, ADVICE_POPULATE_READ), EINVAL);
	EXPECT_EQ(x_madvise(wo, PAGE, ADVICE_POPULATE_WRITE), 0);
	EXPECT_FAILS(x_madvise(xo, PAGE, ADVICE_POPULATE_READ), EINVAL);
	EXPECT_FAILS(x_madvise(none, PAGE, ADVICE_POPULATE_READ), EINVAL);
	EXPECT_FAILS(x_madvise(none, PAGE, ADVICE_POPULATE_WRITE), EINVAL);
	unmap(ro, 1);
	unmap(wo, 1);
	unmap(xo, 1);
	unmap(none, 1);
}

TEST(madvise_populate, past_the_end_of_the_file_fails_EFAULT)
{
	/* 72; what lies before it has been brought in. */
	int fd = memfd(1);
	addr_t map = map_shared(fd, 2, RW);

	NEEDS_RELEASE(5014, "MADV_POPULATE_READ");
	EXPECT_FAILS(x_madvise(map, 2 * PAGE, ADVICE_POPULATE_WRITE), EFAULT);
	EXPECT(is_resident(map));
	EXPECT_FAILS(x_madvise(map + PAGE, PAGE, ADVICE_POPULATE_READ), EFAULT);
	unmap(map, 2);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(madvise_populate, up_to_a_hole_brings_in_what_lies_before_it)
{
	/* madvise(2): ENOMEM; nothing behind the hole is touched. */
	addr_t map = with_hole();

	NEEDS_RELEASE(5014, "MADV_POPULATE_READ");
	EXPECT_FAILS(x_madvise(map, 3 * PAGE, ADVICE_POPULATE_WRITE), ENOMEM);
	EXPECT(is_resident(map));
	EXPECT(!is_resident(map + 2 * PAGE));
	unmap_with_hole(map);
}

TEST(madvise_populate, fills_the_holes_of_a_file)
{
	/* 72, and 61: a fault of either kind allocates. */
	int fd = memfd(2);
	addr_t map = map_shared(fd, 2, RW);
	struct stat st;

	NEEDS_RELEASE(5014, "MADV_POPULATE_READ");
	EXPECT_EQ(x_madvise(map, 2 * PAGE, ADVICE_POPULATE_READ), 0);
	SETUP(x_fstat(fd, &st) == 0);
	EXPECT_EQ(st.st_blocks, 2 * 8);
	unmap(map, 2);
	EXPECT_EQ(x_close(fd), 0);
}

/* Huge pages. */

TEST(madvise_collapse, where_no_huge_page_fits_fails_EINVAL)
{
	/* madvise(2): the mapping must hold an aligned huge page. */
	addr_t map = map_anonymous(2, RW, MAP_PRIVATE);

	st8(map, 'a');
	EXPECT_FAILS(x_madvise(map, 2 * PAGE, ADVICE_COLLAPSE), EINVAL);
	EXPECT_EQ(ld8(map), 'a');
	unmap(map, 2);
}

/* Guards. */

TEST(madvise_guard, makes_every_access_SIGSEGV_until_it_is_removed)
{
	/* madvise(2), 6.13: what was there is gone. */
	addr_t map = map_anonymous(3, RW, MAP_PRIVATE);

	need(ADVICE_GUARD_REMOVE, map, "MADV_GUARD_INSTALL");
	for (int i = 0; i < 3; i++)
		st8(map + (addr_t)i * PAGE, 'a');
	EXPECT_EQ(x_madvise(map + PAGE, PAGE, ADVICE_GUARD_INSTALL), 0);
	EXPECT_EQ(x_madvise(map + PAGE, PAGE, ADVICE_GUARD_INSTALL), 0);
	EXPECT_LOAD_FAULTS(map + PAGE, SIGSEGV, SEGV_MAPERR);
	EXPECT_STORE_FAULTS(map + 2 * PAGE - 1, SIGSEGV, SEGV_MAPERR);
	EXPECT_EQ(ld8(map), 'a');
	EXPECT_EQ(ld8(map + 2 * PAGE), 'a');
	EXPECT_EQ(x_madvise(map, 3 * PAGE, MADV_DONTNEED), 0);
	EXPECT_LOAD_FAULTS(map + PAGE, SIGSEGV, SEGV_MAPERR);
	EXPECT_EQ(x_madvise(map, 3 * PAGE, ADVICE_GUARD_REMOVE), 0);
	EXPECT_EQ(ld8(map + PAGE), 0);
	st8(map + PAGE, 'b');
	EXPECT_EQ(ld8(map + PAGE), 'b');
	unmap(map, 3);
}

TEST(madvise_guard, goes_along_with_its_page_and_cuts_no_mapping)
{
	/*
	 * mm/madvise.c: guards stand in page tables; the mapping around them stays one, which mremap moves as a whole.
	 */
	addr_t map = map_anonymous(3, RW, MAP_PRIVATE), moved;

	need(ADVICE_GUARD_REMOVE, map, "MADV_GUARD_INSTALL");
	st8(map, 'a');
	EXPECT_EQ(x_madvise(map + PAGE, PAGE, ADVICE_GUARD_INSTALL), 0);
	moved = x_mremap(map, 3 * PAGE, 5 * PAGE, MREMAP_MAYMOVE, 0);
	REQUIRE(moved != NO_MAPPING);
	EXPECT_EQ(ld8(moved), 'a');
	EXPECT_LOAD_FAULTS(moved + PAGE, SIGSEGV, SEGV_MAPERR);
	EXPECT_EQ(ld8(moved + 2 * PAGE), 0);
	EXPECT_EQ(ld8(moved + 4 * PAGE), 0);
	/* What was mapped over it, or unmapped, is no guard any more. */
	EXPECT_EQ(x_munmap(moved + PAGE, PAGE), 0);
	EXPECT_EQ(x_mmap(moved + PAGE, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), moved + PAGE);
	EXPECT_EQ(ld8(moved + PAGE), 0);
	unmap(moved, 5);
}

TEST(madvise_guard, is_EFAULT_for_calls_and_cannot_be_brought_in)
{
	/* madvise(2). */
	addr_t map = map_anonymous(1, RW, MAP_PRIVATE);
	int fd = memfd(1);

	need(ADVICE_GUARD_REMOVE, map, "MADV_GUARD_INSTALL");
	EXPECT_EQ(x_madvise(map, PAGE, ADVICE_GUARD_INSTALL), 0);
	EXPECT_FAILS(x_pread(fd, ubuf(map), 1, 0), EFAULT);
	EXPECT_FAILS(x_madvise(map, PAGE, ADVICE_POPULATE_READ), EFAULT);
	unmap(map, 1);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(madvise_guard, is_inherited_unless_the_range_is_wiped)
{
	/* madvise(2). */
	addr_t map = map_anonymous(2, RW, MAP_PRIVATE), second = map + PAGE;

	need(ADVICE_GUARD_REMOVE, map, "MADV_GUARD_INSTALL");
	EXPECT_EQ(x_madvise(map, 2 * PAGE, ADVICE_GUARD_INSTALL), 0);
	EXPECT_EQ(x_madvise(second, PAGE, MADV_WIPEONFORK), 0);
	EXPECT_EQ(in_child(load_faults, &map), 0);
	EXPECT_EQ(in_child(loads, &second), 0);
	EXPECT_LOAD_FAULTS(second, SIGSEGV, SEGV_MAPERR);
	unmap(map, 2);
}

TEST(madvise_guard, in_locked_memory_fails_EINVAL)
{
	/* madvise(2): to install; to remove is fine. */
	addr_t map = map_anonymous(1, RW, MAP_PRIVATE);

	need(ADVICE_GUARD_REMOVE, map, "MADV_GUARD_INSTALL");
	SETUP(x_mlock(map, PAGE) == 0);
	EXPECT_FAILS(x_madvise(map, PAGE, ADVICE_GUARD_INSTALL), EINVAL);
	EXPECT_EQ(x_madvise(map, PAGE, ADVICE_GUARD_REMOVE), 0);
	SETUP(x_munlock(map, PAGE) == 0);
	unmap(map, 1);
}

TEST(madvise_guard, over_file_memory_hides_it_and_leaves_the_file)
{
	/* madvise(2), 6.15. */
	int fd = memfd(1);
	addr_t map = map_shared(fd, 1, RW);

	if (linux_release() < 6015) {
		unmap(map, 1);
		SKIP("guards over files are younger than this kernel");
	}
	st8(map, 'a');
	EXPECT_EQ(x_madvise(map, PAGE, ADVICE_GUARD_INSTALL), 0);
	EXPECT_LOAD_FAULTS(map, SIGSEGV, SEGV_MAPERR);
	EXPECT_EQ(byte_at(fd, 0), 'a');
	EXPECT_EQ(x_madvise(map, PAGE, ADVICE_GUARD_REMOVE), 0);
	EXPECT_EQ(ld8(map), 'a');
	unmap(map, 1);
	EXPECT_EQ(x_close(fd), 0);
}

/* Poison. */

static int may_not_poison(void *arg)
{
	addr_t map = *(addr_t *)arg;

	CHILD_EXPECT(x_setresgid(65534, 65534, 65534) == 0 && x_setresuid(65534, 65534, 65534) == 0);
	CHILD_EXPECT(x_geteuid() == 65534);
	if (x_geteuid() != 65534)
		return 2;
	CHILD_EXPECT(x_madvise(map, PAGE, ADVICE_HWPOISON) == -1 && (errno == EPERM || errno == EINVAL));
	CHILD_EXPECT(x_madvise(map, PAGE, ADVICE_SOFT_OFFLINE) == -1 && (errno == EPERM || errno == EINVAL));
	CHILD_EXPECT(ld8(map) == 'a');
	return 0;
}

TEST(madvise_poison, without_privilege_fails)
{
	/* madvise(2): EPERM; EINVAL where the kernel was built without it. */
	addr_t map = map_anonymous(1, RW, MAP_PRIVATE);

	if (x_geteuid() != 0) {
		unmap(map, 1);
		SKIP("not root, so nobody else either");
	}
	st8(map, 'a');
	EXPECT_EQ(in_child(may_not_poison, &map), 0);
	unmap(map, 1);
}
