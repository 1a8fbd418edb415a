// SPDX-License-Identifier: MIT
/*
 * What Linux promises of mlock, mlock2, mlockall, their opposites and MAP_LOCKED: what is brought in, what is counted,
 * and who may. mlock(2), mmap(2), getrlimit(2).
 *
 * Whether a page is locked is told by msync: MS_INVALIDATE of locked memory is EBUSY. Limits are tried in children that
 * have given up root.
 */
#include "abi.h"

enum { RW = PROT_READ | PROT_WRITE, ON_FAULT = 1, ALL_ON_FAULT = 4, NOBODY = 65534 };

static bool is_locked(addr_t page)
{
	return x_msync(page, PAGE, MS_INVALIDATE) == -1 && errno == EBUSY;
}

static bool is_resident(addr_t page)
{
	unsigned char resident = 0;

	SETUP(x_mincore(page, PAGE, &resident) == 0);
	return resident & 1;
}

/* Pages that are locked, and pages that are in memory, as "1" and "0". */
static const char *told(bool (*is)(addr_t page), addr_t addr, int npages)
{
	static char text[32];

	for (int i = 0; i < npages; i++)
		text[i] = is(addr + (addr_t)i * PAGE) ? '1' : '0';
	text[npages] = '\0';
	return text;
}

#define EXPECT_LOCKED(addr, text)   EXPECT_STREQ(told(is_locked, (addr), (int)strlen(text)), text)
#define EXPECT_RESIDENT(addr, text) EXPECT_STREQ(told(is_resident, (addr), (int)strlen(text)), text)

/* What is locked and brought in. */

TEST(mlock, brings_pages_in_and_locks_them)
{
	/* mlock(2): all pages are guaranteed to be in memory when the call returns. */
	addr_t map = map_anonymous(4, RW, MAP_PRIVATE);

	EXPECT_EQ(x_mlock(map + PAGE, 2 * PAGE), 0);
	EXPECT_RESIDENT(map, "0110");
	EXPECT_LOCKED(map, "0110");
	EXPECT_EQ(x_munlock(map + PAGE, 2 * PAGE), 0);
	EXPECT_RESIDENT(map, "0110");
	EXPECT_LOCKED(map, "0000");
	unmap(map, 4);
}

TEST(mlock, keeps_what_is_there)
{
	/* mlock(2): a private file mapping is copied then, as if it had been written to. */
	int fd = memfd(1);
	addr_t own = map_private(fd, 1, RW), ro = map_private(fd, 1, PROT_READ);

	SETUP(x_pwrite(fd, "f", 1, 0) == 1);
	EXPECT_EQ(x_mlock(own, PAGE), 0);
	EXPECT_EQ(x_mlock(ro, PAGE), 0);
	SETUP(x_pwrite(fd, "g", 1, 0) == 1);
	EXPECT_EQ(ld8(own), 'f');
	EXPECT_EQ(ld8(ro), 'g');
	unmap(own, 1);
	unmap(ro, 1);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(mlock, allocates_the_pages_of_a_file)
{
	/* mlock(2). */
	int fd = memfd(2);
	addr_t map = map_shared(fd, 2, PROT_READ);
	struct stat st;

	EXPECT_EQ(x_mlock(map, 2 * PAGE), 0);
	SETUP(x_fstat(fd, &st) == 0);
	EXPECT_EQ(st.st_blocks, 2 * 8);
	unmap(map, 2);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(mlock, is_of_whole_pages)
{
	/* mlock(2): all pages that contain a part of the range; addr need not be aligned. */
	addr_t map = map_anonymous(4, RW, MAP_PRIVATE);

	EXPECT_EQ(x_mlock(map + PAGE + 5, 1), 0);
	EXPECT_LOCKED(map, "0100");
	EXPECT_EQ(x_mlock(map + 2 * PAGE - 1, 2), 0);
	EXPECT_LOCKED(map, "0110");
	EXPECT_EQ(x_munlock(map + 2 * PAGE + 7, PAGE), 0);
	EXPECT_LOCKED(map, "0100");
	unmap(map, 4);
}

TEST(mlock, of_no_bytes_does_nothing)
{
	/* mlock(2): wherever that is. */
	addr_t map = map_anonymous(1, RW, MAP_PRIVATE);

	EXPECT_EQ(x_mlock(map, 0), 0);
	EXPECT_LOCKED(map, "0");
	EXPECT_EQ(x_mlock(0, 0), 0);
	EXPECT_EQ(x_mlock(unmapped_page(), 0), 0);
	EXPECT_EQ(x_munlock(0, 0), 0);
	unmap(map, 1);
}

TEST(mlock, of_a_length_that_rounds_up_to_nothing_does_nothing)
{
	/* 6.18: the page count wraps before anything is compared. */
	addr_t map = map_anonymous(1, RW, MAP_PRIVATE);

	EXPECT_EQ(x_mlock(map, SIZE_MAX), 0);
	EXPECT_EQ(x_munlock(map, SIZE_MAX), 0);
	EXPECT_LOCKED(map, "0");
	unmap(map, 1);
}

TEST(mlock, of_a_range_that_wraps_fails)
{
	/* mlock(2): EINVAL, addr + length is less than addr; ENOMEM first for whom the limit holds. */
	addr_t map = map_anonymous(1, RW, MAP_PRIVATE);
	int expected = x_geteuid() == 0 ? EINVAL : ENOMEM;

	EXPECT_FAILS(x_mlock(map, (size_t)-PAGE), expected);
	EXPECT_FAILS(x_mlock((addr_t)-PAGE, 2 * PAGE), EINVAL);
	EXPECT_FAILS(x_munlock(map, (size_t)-PAGE), EINVAL);
	EXPECT_FAILS(x_munlock((addr_t)-PAGE, 2 * PAGE), EINVAL);
	EXPECT_LOCKED(map, "0");
	unmap(map, 1);
}

TEST(mlock, where_nothing_is_mapped_fails_ENOMEM)
{
	/* mlock(2). */
	EXPECT_FAILS(x_mlock(unmapped_page(), PAGE), ENOMEM);
	EXPECT_FAILS(x_mlock(0, PAGE), ENOMEM);
	EXPECT_FAILS(x_mlock((addr_t)1 << 47, PAGE), ENOMEM);
	EXPECT_FAILS(x_munlock(unmapped_page(), PAGE), ENOMEM);
	EXPECT_FAILS(x_munlock(0, PAGE), ENOMEM);
}

TEST(mlock, up_to_a_hole_locks_and_fails_ENOMEM)
{
	/* mlock(2): some of the range is not mapped. What lies before the hole is locked, but not brought in. */
	addr_t map = map_anonymous(3, RW, MAP_PRIVATE);

	unmap(map + PAGE, 1);
	EXPECT_FAILS(x_mlock(map, 3 * PAGE), ENOMEM);
	EXPECT(is_locked(map));
	EXPECT(!is_resident(map));
	EXPECT(!is_locked(map + 2 * PAGE));
	SETUP(x_mlock(map + 2 * PAGE, PAGE) == 0);
	EXPECT_FAILS(x_munlock(map, 3 * PAGE), ENOMEM);
	EXPECT(!is_locked(map));
	EXPECT(is_locked(map + 2 * PAGE));
	unmap(map, 1);
	unmap(map + 2 * PAGE, 1);
}

TEST(mlock, of_memory_without_access_locks_and_fails_ENOMEM)
{
	/* mlock(2): pages that cannot be brought in; write-only and execute-only ones can. */
	addr_t none = map_anonymous(1, PROT_NONE, MAP_PRIVATE), wo = map_anonymous(1, PROT_WRITE, MAP_PRIVATE);
	addr_t xo = map_anonymous(1, PROT_EXEC, MAP_PRIVATE);

	EXPECT_FAILS(x_mlock(none, PAGE), ENOMEM);
	EXPECT(is_locked(none));
	EXPECT_EQ(x_mlock(wo, PAGE), 0);
	EXPECT_EQ(x_mlock(xo, PAGE), 0);
	EXPECT(is_resident(wo) && is_resident(xo));
	unmap(none, 1);
	unmap(wo, 1);
	unmap(xo, 1);
}

TEST(mlock, past_the_end_of_the_file_locks_and_fails_ENOMEM)
{
	/* mlock(2): likewise. */
	int fd = memfd(1);
	addr_t map = map_shared(fd, 2, RW);

	EXPECT_FAILS(x_mlock(map, 2 * PAGE), ENOMEM);
	EXPECT_LOCKED(map, "11");
	EXPECT_RESIDENT(map, "10");
	unmap(map, 2);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(mlock, does_not_nest)
{
	/* mlock(2): one munlock takes back any number of locks. */
	addr_t map = map_anonymous(2, RW, MAP_PRIVATE);

	EXPECT_EQ(x_mlock(map, 2 * PAGE), 0);
	EXPECT_EQ(x_mlock(map, 2 * PAGE), 0);
	EXPECT_EQ(x_munlock(map, PAGE), 0);
	EXPECT_LOCKED(map, "01");
	EXPECT_EQ(x_munlock(map, 2 * PAGE), 0);
	EXPECT_LOCKED(map, "00");
	unmap(map, 2);
}

static int is_not_locked(void *arg)
{
	addr_t map = *(addr_t *)arg;

	CHILD_EXPECT(!is_locked(map));
	CHILD_EXPECT(ld8(map) == 'a');
	CHILD_EXPECT(x_madvise(map, PAGE, MADV_DONTNEED) == 0);
	return 0;
}

TEST(mlock, is_not_inherited)
{
	/* mlock(2). */
	addr_t map = map_anonymous(1, RW, MAP_PRIVATE);

	st8(map, 'a');
	EXPECT_EQ(x_mlock(map, PAGE), 0);
	EXPECT_EQ(in_child(is_not_locked, &map), 0);
	EXPECT(is_locked(map));
	unmap(map, 1);
}

TEST(mlock, outlasts_a_change_of_protection)
{
	/* mlock(2): the range stays locked, cut or not. */
	addr_t map = map_anonymous(3, RW, MAP_PRIVATE);

	EXPECT_EQ(x_mlock(map, 3 * PAGE), 0);
	SETUP(x_mprotect(map + PAGE, PAGE, PROT_READ) == 0);
	EXPECT_LOCKED(map, "111");
	unmap(map + PAGE, 1);
	EXPECT(is_locked(map) && is_locked(map + 2 * PAGE));
	unmap(map, 1);
	unmap(map + 2 * PAGE, 1);
}

TEST(mlock, taken_back_so_that_there_are_too_many_mappings_fails_ENOMEM)
{
	/* munlock(2): ENOMEM, unlocking in the middle of a mapping would exceed vm.max_map_count. */
	enum { MOST = 70000 };
	size_t len_bytes = (size_t)2 * MOST * PAGE;
	addr_t map;
	int n = 0;

	if (x_geteuid() != 0)
		SKIP("not root, and so much may not be locked");
	NEEDS_ADDRESSES(len_bytes);
	map = x_mmap(0, len_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	SETUP(map != NO_MAPPING);
	EXPECT_EQ(x_mlock2(map, len_bytes, ON_FAULT), 0);
	while (n < MOST && x_munlock(map + (addr_t)(2 * n + 1) * PAGE, PAGE) == 0)
		n++;
	if (n == MOST) {
		EXPECT_EQ(x_munmap(map, len_bytes), 0);
		SKIP("this kernel allows more than %d mappings", 2 * MOST);
	}
	EXPECT_EQ(errno, ENOMEM);
	EXPECT(is_locked(map + (addr_t)(2 * n + 1) * PAGE));
	EXPECT_EQ(x_munmap(map, len_bytes), 0);
}

/* mlock2. */

TEST(mlock2, on_fault_locks_without_bringing_in)
{
	/* mlock2(2): MLOCK_ONFAULT. */
	addr_t map = map_anonymous(3, RW, MAP_PRIVATE);

	EXPECT_EQ(x_mlock2(map, 2 * PAGE, ON_FAULT), 0);
	EXPECT_LOCKED(map, "110");
	EXPECT_RESIDENT(map, "000");
	st8(map, 'a');
	EXPECT_RESIDENT(map, "100");
	EXPECT_EQ(x_mlock(map, 2 * PAGE), 0);
	EXPECT_RESIDENT(map, "110");
	EXPECT_EQ(x_mlock2(map + 2 * PAGE, PAGE, 0), 0);
	EXPECT_RESIDENT(map, "111");
	unmap(map, 3);
}

TEST(mlock2, on_fault_of_memory_without_access_works)
{
	/* mlock2(2): nothing is to be brought in. */
	addr_t map = map_anonymous(1, PROT_NONE, MAP_PRIVATE);

	EXPECT_EQ(x_mlock2(map, PAGE, ON_FAULT), 0);
	EXPECT(is_locked(map));
	unmap(map, 1);
}

TEST(mlock2, with_an_unknown_flag_fails_EINVAL)
{
	/* mlock2(2): before anything else. */
	addr_t map = map_anonymous(1, RW, MAP_PRIVATE);

	EXPECT_FAILS(x_mlock2(map, PAGE, 2), EINVAL);
	EXPECT_FAILS(x_mlock2(map, PAGE, ON_FAULT | 8), EINVAL);
	EXPECT_FAILS(x_mlock2(map, 0, 2), EINVAL);
	EXPECT_FAILS(x_mlock2(unmapped_page(), PAGE, UINT32_MAX), EINVAL);
	EXPECT_LOCKED(map, "0");
	unmap(map, 1);
}

/* mlockall, in children, for it is of the whole process. */

TEST(mlockall, with_flags_that_make_no_sense_fails_EINVAL)
{
	/* mlockall(2): none, unknown ones, MCL_ONFAULT alone. */
	EXPECT_FAILS(x_mlockall(0), EINVAL);
	EXPECT_FAILS(x_mlockall(8), EINVAL);
	EXPECT_FAILS(x_mlockall(MCL_CURRENT | 8), EINVAL);
	EXPECT_FAILS(x_mlockall(ALL_ON_FAULT), EINVAL);
	EXPECT_FAILS(x_mlockall(-1), EINVAL);
	EXPECT_EQ(x_munlockall(), 0);
}

static int locks_current(void *arg)
{
	addr_t map = *(addr_t *)arg, fresh;

	CHILD_EXPECT(x_mlockall(MCL_CURRENT) == 0);
	CHILD_EXPECT(is_locked(map) && is_resident(map) && is_resident(map + PAGE));
	fresh = x_mmap(0, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHILD_EXPECT(!is_locked(fresh) && !is_resident(fresh));
	CHILD_EXPECT(x_munlockall() == 0);
	CHILD_EXPECT(!is_locked(map));
	return 0;
}

static int locks_future(void *arg)
{
	addr_t map = *(addr_t *)arg, fresh, none;

	CHILD_EXPECT(x_mlockall(MCL_FUTURE) == 0);
	CHILD_EXPECT(!is_locked(map));
	fresh = x_mmap(0, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHILD_EXPECT(is_locked(fresh) && is_resident(fresh));
	none = x_mmap(0, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHILD_EXPECT(none != NO_MAPPING && is_locked(none));
	CHILD_EXPECT(x_mlockall(MCL_FUTURE | ALL_ON_FAULT) == 0);
	fresh = x_mmap(0, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHILD_EXPECT(is_locked(fresh) && !is_resident(fresh));
	CHILD_EXPECT(x_mlockall(MCL_CURRENT) == 0); /* and no longer what is to come */
	CHILD_EXPECT(is_locked(map));
	fresh = x_mmap(0, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHILD_EXPECT(!is_locked(fresh));
	CHILD_EXPECT(x_mlockall(MCL_FUTURE) == 0 && x_munlockall() == 0);
	fresh = x_mmap(0, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHILD_EXPECT(!is_locked(fresh) && !is_locked(map));
	return 0;
}

static int locks_on_fault(void *arg)
{
	addr_t map = *(addr_t *)arg;

	CHILD_EXPECT(x_mlockall(MCL_CURRENT | ALL_ON_FAULT) == 0);
	CHILD_EXPECT(is_locked(map) && !is_resident(map));
	return 0;
}

TEST(mlockall, locks_what_is_mapped)
{
	/* mlockall(2): MCL_CURRENT; what cannot be brought in is passed over. */
	addr_t map = map_anonymous(2, RW, MAP_PRIVATE), none = map_anonymous(1, PROT_NONE, MAP_PRIVATE);

	EXPECT_EQ(in_child(locks_current, &map), 0);
	EXPECT_LOCKED(map, "00");
	unmap(map, 2);
	unmap(none, 1);
}

TEST(mlockall, locks_what_will_be_mapped)
{
	/* mlockall(2): MCL_FUTURE. */
	addr_t map = map_anonymous(1, RW, MAP_PRIVATE);

	EXPECT_EQ(in_child(locks_future, &map), 0);
	unmap(map, 1);
}

TEST(mlockall, on_fault_brings_nothing_in)
{
	/* mlockall(2): MCL_ONFAULT. */
	addr_t map = map_anonymous(1, RW, MAP_PRIVATE);

	EXPECT_EQ(in_child(locks_on_fault, &map), 0);
	unmap(map, 1);
}

/* MAP_LOCKED and MAP_POPULATE. */

static addr_t map_with(int fd, int npages, int prot, int flags)
{
	return x_mmap(0, (size_t)npages * PAGE, prot, flags | (fd < 0 ? MAP_ANONYMOUS : 0), fd, 0);
}

TEST(map_locked, locks_and_brings_in)
{
	/* mmap(2): as mlock. */
	addr_t map = map_with(-1, 2, RW, MAP_PRIVATE | MAP_LOCKED);

	SETUP(map != NO_MAPPING);
	EXPECT_LOCKED(map, "11");
	EXPECT_RESIDENT(map, "11");
	unmap(map, 2);
}

TEST(map_locked, does_not_fail_for_pages_that_cannot_be_had)
{
	/* mmap(2): unlike mlock. */
	int fd = memfd(1);
	addr_t map = map_with(fd, 2, RW, MAP_SHARED | MAP_LOCKED),
	       none = map_with(-1, 1, PROT_NONE, MAP_PRIVATE | MAP_LOCKED);

	EXPECT(map != NO_MAPPING && none != NO_MAPPING);
	EXPECT_LOCKED(map, "11");
	EXPECT_RESIDENT(map, "10");
	EXPECT_LOCKED(none, "1");
	unmap(map, 2);
	unmap(none, 1);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(map_populate, brings_in_and_locks_nothing)
{
	/* mmap(2); 72: holes are filled, and past the end of the file nothing fails. */
	int fd = memfd(1);
	addr_t map = map_with(fd, 2, RW, MAP_SHARED | MAP_POPULATE),
	       own = map_with(-1, 1, RW, MAP_PRIVATE | MAP_POPULATE);
	struct stat st;

	EXPECT(map != NO_MAPPING && own != NO_MAPPING);
	EXPECT_LOCKED(map, "00");
	EXPECT_RESIDENT(map, "10");
	EXPECT_RESIDENT(own, "1");
	SETUP(x_fstat(fd, &st) == 0);
	EXPECT_EQ(st.st_blocks, 8);
	unmap(map, 2);
	unmap(own, 1);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(map_populate, of_a_writable_private_mapping_copies_the_file)
{
	/* mmap(2): as if it had been written to. */
	int fd = memfd(1);
	addr_t map;

	SETUP(x_pwrite(fd, "f", 1, 0) == 1);
	map = map_with(fd, 1, RW, MAP_PRIVATE | MAP_POPULATE);
	SETUP(map != NO_MAPPING);
	SETUP(x_pwrite(fd, "g", 1, 0) == 1);
	EXPECT_EQ(ld8(map), 'f');
	unmap(map, 1);
	EXPECT_EQ(x_close(fd), 0);
}

/* Limits. */

static int limit_to(size_t bytes)
{
	struct rlimit limit;

	if (x_getrlimit(RLIMIT_MEMLOCK, &limit) != 0)
		return -1;
	limit.rlim_cur = bytes;
	return x_setrlimit(RLIMIT_MEMLOCK, &limit);
}

static int become_nobody(void)
{
	if (x_geteuid() != 0)
		return 0;
	return x_setresgid(NOBODY, NOBODY, NOBODY) == 0 && x_setresuid(NOBODY, NOBODY, NOBODY) == 0 ? 0 : -1;
}

static int is_limited(void *arg)
{
	addr_t map = *(addr_t *)arg; /* six pages */

	CHILD_EXPECT(limit_to(2 * PAGE + 100) == 0 && become_nobody() == 0);
	CHILD_EXPECT(x_mlock(map, 3 * PAGE) == -1 && errno == ENOMEM);
	CHILD_EXPECT(!is_locked(map));
	CHILD_EXPECT(x_mlock(map, 2 * PAGE) == 0);
	CHILD_EXPECT(x_mlock(map + PAGE, 2 * PAGE) == -1 && errno == ENOMEM);
	CHILD_EXPECT(x_mlock(map, 2 * PAGE) == 0); /* it is counted once */
	CHILD_EXPECT(x_mlock2(map + 4 * PAGE, PAGE, ON_FAULT) == -1 && errno == ENOMEM);
	CHILD_EXPECT(x_mlock(map, (size_t)-PAGE) == -1 && errno == ENOMEM);
	CHILD_EXPECT(x_munlock(map, PAGE) == 0);
	CHILD_EXPECT(x_mlock(map + 5 * PAGE, PAGE) == 0);
	CHILD_EXPECT(x_mlock(map + 3 * PAGE, PAGE) == -1 && errno == ENOMEM);
	/* Cutting what is locked leaves the count as it is; unmapping lowers it. */
	CHILD_EXPECT(x_mprotect(map + PAGE, PAGE, PROT_READ) == 0);
	CHILD_EXPECT(x_mlock(map + 3 * PAGE, PAGE) == -1 && errno == ENOMEM);
	CHILD_EXPECT(x_munmap(map + PAGE, PAGE) == 0);
	CHILD_EXPECT(x_mlock(map + 3 * PAGE, PAGE) == 0);
	CHILD_EXPECT(x_mlock(map + 2 * PAGE, PAGE) == -1 && errno == ENOMEM);
	return 0;
}

static int is_limited_in_mmap(void *arg)
{
	addr_t map = *(addr_t *)arg, locked;

	CHILD_EXPECT(limit_to(2 * PAGE) == 0 && become_nobody() == 0);
	CHILD_EXPECT(x_mlock(map, PAGE) == 0);
	CHILD_EXPECT(map_with(-1, 2, RW, MAP_PRIVATE | MAP_LOCKED) == NO_MAPPING && errno == EAGAIN);
	locked = map_with(-1, 1, RW, MAP_PRIVATE | MAP_LOCKED);
	CHILD_EXPECT(locked != NO_MAPPING);
	CHILD_EXPECT(map_with(-1, 1, RW, MAP_PRIVATE | MAP_LOCKED) == NO_MAPPING && errno == EAGAIN);
	CHILD_EXPECT(x_munmap(locked, PAGE) == 0);
	CHILD_EXPECT(x_mlockall(MCL_FUTURE) == 0);
	CHILD_EXPECT(map_with(-1, 2, RW, MAP_PRIVATE) == NO_MAPPING && errno == EAGAIN);
	CHILD_EXPECT(map_with(-1, 1, RW, MAP_PRIVATE) != NO_MAPPING);
	CHILD_EXPECT(map_with(-1, 1, PROT_NONE, MAP_PRIVATE) == NO_MAPPING && errno == EAGAIN);
	CHILD_EXPECT(x_mlockall(MCL_CURRENT) == -1 && errno == ENOMEM);
	CHILD_EXPECT(x_mlockall(MCL_CURRENT | MCL_FUTURE) == -1 && errno == ENOMEM);
	CHILD_EXPECT(x_munlockall() == 0);
	CHILD_EXPECT(map_with(-1, 3, RW, MAP_PRIVATE) != NO_MAPPING);
	CHILD_EXPECT(x_mlockall(8) == -1 && errno == EINVAL);
	return 0;
}

static int may_not_lock(void *arg)
{
	addr_t map = *(addr_t *)arg;

	CHILD_EXPECT(x_mlock(map, PAGE) == 0);
	CHILD_EXPECT(limit_to(0) == 0 && become_nobody() == 0);
	CHILD_EXPECT(x_mlock(map + PAGE, PAGE) == -1 && errno == EPERM);
	CHILD_EXPECT(x_mlock(map, 0) == -1 && errno == EPERM);
	CHILD_EXPECT(x_mlock(0, PAGE) == -1 && errno == EPERM);
	CHILD_EXPECT(x_mlock2(map, PAGE, ON_FAULT) == -1 && errno == EPERM);
	CHILD_EXPECT(x_mlock2(map, PAGE, 2) == -1 && errno == EINVAL);
	CHILD_EXPECT(x_mlockall(MCL_CURRENT) == -1 && errno == EPERM);
	CHILD_EXPECT(x_mlockall(MCL_FUTURE) == -1 && errno == EPERM);
	CHILD_EXPECT(x_mlockall(0) == -1 && errno == EINVAL);
	CHILD_EXPECT(map_with(-1, 1, RW, MAP_PRIVATE | MAP_LOCKED) == NO_MAPPING && errno == EPERM);
	CHILD_EXPECT(is_locked(map));
	CHILD_EXPECT(x_munlock(map, PAGE) == 0);
	CHILD_EXPECT(!is_locked(map));
	CHILD_EXPECT(x_munlockall() == 0);
	return 0;
}

static int root_is_not_limited(void *arg)
{
	addr_t map = *(addr_t *)arg;

	CHILD_EXPECT(limit_to(0) == 0);
	CHILD_EXPECT(x_mlock(map, 6 * PAGE) == 0);
	CHILD_EXPECT(map_with(-1, 1, RW, MAP_PRIVATE | MAP_LOCKED) != NO_MAPPING);
	CHILD_EXPECT(x_mlockall(MCL_CURRENT) == 0);
	return 0;
}

TEST(mlock_limit, is_in_whole_pages_and_counts_each_once)
{
	/* mlock(2): ENOMEM, more than RLIMIT_MEMLOCK. */
	addr_t map = map_anonymous(6, RW, MAP_PRIVATE);

	EXPECT_EQ(in_child(is_limited, &map), 0);
	unmap(map, 6);
}

TEST(mlock_limit, holds_for_mmap_and_mlockall)
{
	/* mmap(2): EAGAIN, too much memory has been locked; mlockall(2): ENOMEM. */
	addr_t map = map_anonymous(6, RW, MAP_PRIVATE);

	EXPECT_EQ(in_child(is_limited_in_mmap, &map), 0);
	unmap(map, 6);
}

TEST(mlock_limit, of_0_forbids_all_with_EPERM)
{
	/* mlock(2), mmap(2): EPERM; to unlock is always allowed. */
	addr_t map = map_anonymous(2, RW, MAP_PRIVATE);

	EXPECT_EQ(in_child(may_not_lock, &map), 0);
	unmap(map, 2);
}

TEST(mlock_limit, does_not_hold_for_root)
{
	/* mlock(2): CAP_IPC_LOCK. */
	addr_t map = map_anonymous(6, RW, MAP_PRIVATE);

	if (x_geteuid() != 0) {
		unmap(map, 6);
		SKIP("not root");
	}
	EXPECT_EQ(in_child(root_is_not_limited, &map), 0);
	unmap(map, 6);
}
