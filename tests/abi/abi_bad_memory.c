// SPDX-License-Identifier: MIT
/*
 * What mmap, munmap, mprotect, mremap and brk answer to arguments that make no sense: misaligned, zero, huge, negative,
 * overflowing, wrapping, NULL and unmapped ones, descriptors that are closed or of the wrong kind, and unknown flags;
 * and that nothing has changed then. mmap(2), mprotect(2), mremap(2); SEMANTICS.md 36-46, 74.
 *
 * What must not change is a witness: three pages of different content and protection with nothing on either side.
 */
#include "abi.h"

#include <stdint.h>

enum { RW = PROT_READ | PROT_WRITE, ANON = MAP_PRIVATE | MAP_ANONYMOUS, KEEP = 4 /* MREMAP_DONTUNMAP */ };

#define USER_END ((addr_t)0x7ffffffff000) /* of 47 bits, the last page apart */
#define TOO_HIGH ((addr_t)1 << 60)
#define LAST     ((addr_t)-PAGE)
#define NEGATIVE ((size_t)-PAGE)

static addr_t at(addr_t map, int page)
{
	return map + (addr_t)page * PAGE;
}

static addr_t witness(void)
{
	addr_t map = map_anonymous(5, RW, MAP_PRIVATE);

	unmap(map, 1);
	unmap(at(map, 4), 1);
	for (int i = 1; i < 4; i++)
		st8(at(map, i), (uint8_t)i);
	SETUP(x_mprotect(at(map, 2), PAGE, PROT_READ) == 0);
	return at(map, 1);
}

static void expect_untouched(addr_t map, const char *what, size_t i)
{
	uint8_t value[3] = { 0 };
	bool same = probe_ld8(at(map, -1), NULL).code == SEGV_MAPERR && probe_ld8(at(map, 3), NULL).code == SEGV_MAPERR;

	for (int page = 0; page < 3; page++)
		same = same && probe_ld8(at(map, page), &value[page]).signo == 0 && value[page] == page + 1;
	same = same && probe_st8(map, 1).signo == 0 && probe_st8(at(map, 2), 3).signo == 0;
	same = same && probe_st8(at(map, 1), 1).code == SEGV_ACCERR;
	EXPECT_MSG(same, "the witness has changed after %s, case %zu", what, i);
}

#define N(array) (sizeof(array) / sizeof((array)[0]))

TEST(bad_memory, munmap_changes_nothing)
{
	/* munmap(2) EINVAL. */
	addr_t map = witness();
	const struct {
		addr_t addr;
		size_t length;
	} cases[] = {
		{ map, 0 },
		{ map + 1, PAGE },
		{ map + PAGE - 1, 1 },
		{ 0, 0 },
		{ 1, PAGE },
		{ map, SIZE_MAX },
		{ map, NEGATIVE },
		{ map, (size_t)1 << 62 },
		{ map, (size_t)1 << 47 },
		{ 0, (size_t)1 << 62 },
		{ USER_END, 2 * PAGE },
		{ TOO_HIGH, PAGE },
		{ LAST, PAGE },
		{ LAST, 2 * PAGE },
		{ ~(addr_t)0, 1 },
		{ (addr_t)1 << 63, PAGE },
	};

	for (size_t i = 0; i < N(cases); i++) {
		int result = x_munmap(cases[i].addr, cases[i].length);

		EXPECT_MSG(result == -1 && errno == EINVAL, "case %zu: %d, errno %d", i, result, errno);
		expect_untouched(map, "munmap", i);
	}
	unmap(map, 3);
}

TEST(bad_memory, munmap_of_nothing_succeeds)
{
	/* 45: wherever in user space it is; a length is rounded up. */
	addr_t map = witness();

	EXPECT_EQ(x_munmap(at(map, -1), 1), 0);
	EXPECT_EQ(x_munmap(at(map, 3), PAGE), 0);
	EXPECT_EQ(x_munmap(0, PAGE), 0);
	EXPECT_EQ(x_munmap(0, 1), 0);
	expect_untouched(map, "munmap", 0);
	unmap(map, 3);
}

TEST(bad_memory, mprotect_changes_nothing)
{
	/* mprotect(2) EINVAL, ENOMEM, in that order of what is looked at. */
	enum { SEM = 8, UNKNOWN = 0x40, BOTH = PROT_GROWSDOWN | PROT_GROWSUP };
	addr_t map = witness();
	const struct {
		addr_t addr;
		size_t length;
		int prot;
		int result; /* errno, or 0 */
	} cases[] = {
		{ map, 0, PROT_NONE, 0 },
		{ map, 0, UNKNOWN, 0 },
		{ map, 0, BOTH, EINVAL },
		{ map + 1, 0, PROT_NONE, EINVAL },
		{ map + 1, PAGE, PROT_NONE, EINVAL },
		{ map, PAGE, UNKNOWN, EINVAL },
		{ map, PAGE, (int)0x80000000, EINVAL },
		{ map, PAGE, -1, EINVAL },
		{ map, PAGE, BOTH, EINVAL },
		{ map, SIZE_MAX, PROT_NONE, ENOMEM },
		{ map, SIZE_MAX, UNKNOWN, ENOMEM },
		{ map, NEGATIVE, PROT_NONE, ENOMEM },
		{ 0, PAGE, PROT_READ, ENOMEM },
		{ 0, 0, PROT_READ, 0 },
		{ at(map, -1), PAGE, PROT_READ, ENOMEM },
		{ at(map, -1), 2 * PAGE, PROT_NONE, ENOMEM },
		{ at(map, 3), PAGE, PROT_READ, ENOMEM },
		{ TOO_HIGH, PAGE, PROT_READ, ENOMEM },
		{ USER_END, PAGE, PROT_READ, ENOMEM },
		{ LAST, PAGE, PROT_READ, ENOMEM },
		{ LAST, 0, PROT_READ, 0 },
		{ LAST, 2 * PAGE, PROT_READ, ENOMEM },
		{ at(map, 1), PAGE, PROT_READ | SEM, 0 },
	};

	for (size_t i = 0; i < N(cases); i++) {
		int result = x_mprotect(cases[i].addr, cases[i].length, cases[i].prot);
		int err = result == 0 ? 0 : errno;

		EXPECT_MSG(err == cases[i].result, "case %zu: errno %d, not %d", i, err, cases[i].result);
		expect_untouched(map, "mprotect", i);
	}
	unmap(map, 3);
}

TEST(bad_memory, mprotect_up_to_beyond_the_address_space_changes_what_is_before_the_hole)
{
	/* 46. */
	addr_t map = witness();

	EXPECT_FAILS(x_mprotect(map, (size_t)1 << 62, PROT_READ), ENOMEM);
	EXPECT_STORE_FAULTS(map, SIGSEGV, SEGV_ACCERR);
	EXPECT_STORE_FAULTS(at(map, 2), SIGSEGV, SEGV_ACCERR);
	unmap(map, 3);
}

TEST(bad_memory, mremap_changes_nothing)
{
	/* mremap(2) EINVAL, EFAULT, ENOMEM. */
	enum { MOVE = MREMAP_MAYMOVE, FIXED = MREMAP_MAYMOVE | MREMAP_FIXED };
	addr_t map = witness();
	const struct {
		addr_t addr;
		size_t old_length, length;
		int flags;
		addr_t to;
		int result;
	} cases[] = {
		{ map + 1, PAGE, PAGE, 0, 0, EINVAL },
		{ map, PAGE, 0, MOVE, 0, EINVAL },
		{ map, 0, 0, MOVE, 0, EINVAL },
		{ map, 0, PAGE, MOVE, 0, EINVAL },
		{ map, SIZE_MAX, PAGE, MOVE, 0, EINVAL }, /* rounded up it is 0, and private */
		{ map, PAGE, SIZE_MAX, MOVE, 0, EINVAL },
		{ map, PAGE, NEGATIVE, MOVE, 0, EINVAL },
		{ map, NEGATIVE, PAGE, MOVE, 0, EINVAL },
		{ map, (size_t)1 << 62, PAGE, 0, 0, EINVAL },
		{ map, PAGE, PAGE, 8, 0, EINVAL },
		{ map, PAGE, PAGE, -1, 0, EINVAL },
		{ map, PAGE, PAGE, MREMAP_FIXED, at(map, -9), EINVAL },
		{ map, PAGE, PAGE, KEEP, 0, EINVAL },
		{ map, PAGE, 2 * PAGE, MOVE | KEEP, 0, EINVAL },
		{ map, PAGE, PAGE, FIXED, at(map, -9) + 1, EINVAL },
		{ map, PAGE, PAGE, FIXED, map, EINVAL },
		{ map, 3 * PAGE, PAGE, FIXED, at(map, 2), EINVAL },
		{ at(map, 1), PAGE, 2 * PAGE, FIXED, map, EINVAL },
		{ map, PAGE, PAGE, FIXED, TOO_HIGH, EINVAL },
		{ map, PAGE, PAGE, FIXED, USER_END, EINVAL },
		{ map, PAGE, PAGE, FIXED, LAST, EINVAL },
		{ map, PAGE, PAGE, FIXED, ~(addr_t)0, EINVAL },
		{ at(map, 3), PAGE, PAGE, 0, 0, EFAULT },
		{ at(map, 3), PAGE, 2 * PAGE, MOVE, 0, EFAULT },
		{ at(map, -1), 2 * PAGE, 3 * PAGE, MOVE, 0, EFAULT },
		{ 0, PAGE, PAGE, MOVE, 0, EFAULT },
		{ TOO_HIGH, PAGE, PAGE, MOVE, 0, EFAULT },
		{ LAST, PAGE, 2 * PAGE, MOVE, 0, EFAULT },
		{ map, 2 * PAGE, 3 * PAGE, MOVE, 0, EFAULT },
		{ map, 3 * PAGE, 2 * PAGE, FIXED, at(map, -9), EFAULT },
		{ at(map, 2), 2 * PAGE, 3 * PAGE, MOVE, 0, EFAULT },
		{ map, PAGE, 2 * PAGE, 0, 0, ENOMEM },
		{ map, PAGE, (size_t)1 << 46, 0, 0, ENOMEM },
	};

	for (size_t i = 0; i < N(cases); i++) {
		addr_t result =
			x_mremap(cases[i].addr, cases[i].old_length, cases[i].length, cases[i].flags, cases[i].to);

		EXPECT_MSG(result == NO_MAPPING && errno == cases[i].result, "case %zu: errno %d, not %d", i, errno,
		           cases[i].result);
		expect_untouched(map, "mremap", i);
	}
	unmap(map, 3);
}

TEST(bad_memory, mmap_of_anonymous_memory_changes_nothing)
{
	/* mmap(2) EINVAL, ENOMEM, EEXIST. */
	enum { FIXED = ANON | MAP_FIXED, NEW = ANON | MAP_FIXED_NOREPLACE };
	addr_t map = witness();
	const struct {
		addr_t addr;
		size_t length;
		int flags;
		off_t offset;
		int result;
	} cases[] = {
		{ 0, 0, ANON, 0, EINVAL },
		{ map, 0, FIXED, 0, EINVAL },
		{ map, PAGE, FIXED, 1, EINVAL },
		{ map, PAGE, FIXED, -1, EINVAL },
		{ map, PAGE, FIXED, 4095, EINVAL },
		{ map + 1, PAGE, FIXED, 0, EINVAL },
		{ map + 1, PAGE, NEW, 0, EINVAL },
		{ map, PAGE, MAP_ANONYMOUS | MAP_FIXED, 0, EINVAL },
		{ map, PAGE, MAP_SHARED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, 0, EINVAL },
		{ 0, SIZE_MAX, ANON, 0, ENOMEM },
		{ 0, NEGATIVE, ANON, 0, ENOMEM },
		{ 0, (size_t)1 << 62, ANON, 0, ENOMEM },
		{ 0, (size_t)1 << 62, MAP_SHARED | MAP_ANONYMOUS, 0, ENOMEM },
		{ map, SIZE_MAX, FIXED, 0, ENOMEM },
		{ map, (size_t)1 << 62, FIXED, 0, ENOMEM },
		{ map + 1, (size_t)1 << 62, FIXED, 0, ENOMEM },
		{ TOO_HIGH, PAGE, FIXED, 0, ENOMEM },
		{ TOO_HIGH + 1, PAGE, FIXED, 0, ENOMEM },
		{ LAST, PAGE, FIXED, 0, ENOMEM },
		{ LAST, 2 * PAGE, FIXED, 0, ENOMEM },
		{ ~(addr_t)0, 1, FIXED, 0, EPERM }, /* Linux takes the address itself for an errno */
		{ ~(addr_t)21, 1, FIXED, 0, EINVAL },
		{ map, PAGE, NEW, 0, EEXIST },
		{ at(map, -1), 2 * PAGE, NEW, 0, EEXIST },
		{ at(map, 2), 2 * PAGE, NEW | MAP_FIXED, 0, EEXIST },
		{ at(map, 2), 1, NEW, 0, EEXIST },
	};

	for (size_t i = 0; i < N(cases); i++) {
		addr_t result = x_mmap(cases[i].addr, cases[i].length, RW, cases[i].flags, -1, cases[i].offset);

		EXPECT_MSG(result == NO_MAPPING && errno == cases[i].result, "case %zu: errno %d, not %d", i, errno,
		           cases[i].result);
		expect_untouched(map, "mmap", i);
	}
	unmap(map, 3);
}

TEST(bad_memory, mmap_of_a_bad_descriptor_changes_nothing)
{
	/* 37: EBADF whatever else is wrong, but for the offset; mmap(2) EACCES, ENODEV. */
	addr_t map = witness();
	int file = memfd(1), readonly = reopen(file, O_RDONLY), writeonly = reopen(file, O_WRONLY), ends[2];
	const int closed = lowest_free_fd();
	stream_pair(ends);
	const struct {
		int fd;
		size_t length;
		int prot, flags, result;
	} cases[] = {
		{ -1, PAGE, PROT_READ, MAP_SHARED, EBADF },
		{ -1, PAGE, PROT_READ, MAP_PRIVATE, EBADF },
		{ -1, 0, PROT_READ, MAP_SHARED, EBADF },
		{ -1, SIZE_MAX, PROT_READ, 0, EBADF },
		{ INT32_MIN, PAGE, PROT_READ, MAP_SHARED, EBADF },
		{ INT32_MAX, PAGE, PROT_READ, MAP_SHARED, EBADF },
		{ closed + 100, PAGE, PROT_READ, MAP_SHARED, EBADF },
		{ writeonly, PAGE, PROT_READ, MAP_SHARED, EACCES },
		{ writeonly, PAGE, PROT_WRITE, MAP_PRIVATE, EACCES },
		{ writeonly, PAGE, PROT_NONE, MAP_PRIVATE, EACCES },
		{ readonly, PAGE, PROT_WRITE, MAP_SHARED, EACCES },
		{ readonly, PAGE, RW, MAP_SHARED_VALIDATE, EACCES },
		{ ends[0], PAGE, PROT_READ, MAP_SHARED, ENODEV },
		{ ends[0], PAGE, PROT_READ, MAP_PRIVATE, ENODEV },
		{ ends[0], 0, PROT_READ, MAP_PRIVATE, EINVAL },
		{ file, 0, RW, MAP_SHARED, EINVAL },
		{ file, PAGE, RW, 0, EINVAL },
		{ file, PAGE, RW, 15, EINVAL },
		{ file, SIZE_MAX, RW, MAP_SHARED, ENOMEM },
		{ file, (size_t)1 << 62, RW, MAP_SHARED, ENOMEM },
		{ file, PAGE, RW, MAP_SHARED_VALIDATE | 0x800000, EOPNOTSUPP },
	};

	for (size_t i = 0; i < N(cases); i++) {
		/* Where a socket is to be mapped, Linux unmaps first and fails then. */
		int fixed = cases[i].fd == ends[0] ? 0 : MAP_FIXED;
		addr_t result = x_mmap(map, cases[i].length, cases[i].prot, cases[i].flags | fixed, cases[i].fd, 0);

		EXPECT_MSG(result == NO_MAPPING && errno == cases[i].result, "case %zu: errno %d, not %d", i, errno,
		           cases[i].result);
		expect_untouched(map, "mmap", i);
	}
	unmap(map, 3);
	close_pair(ends);
	EXPECT_EQ(x_close(writeonly), 0);
	EXPECT_EQ(x_close(readonly), 0);
	EXPECT_EQ(x_close(file), 0);
}

TEST(bad_memory, mmap_of_an_O_PATH_descriptor_fails_EBADF)
{
	/* 37. */
	int file = memfd(1), path = reopen(file, O_PATH);

	EXPECT_FAILS(x_mmap(0, PAGE, PROT_READ, MAP_SHARED, path, 0), EBADF);
	EXPECT_FAILS(x_mmap(0, 0, PROT_READ, MAP_PRIVATE, path, 0), EBADF);
	EXPECT_EQ(x_close(path), 0);
	EXPECT_EQ(x_close(file), 0);
}

TEST(bad_memory, mmap_of_a_directory_fails_ENODEV)
{
	/* 37. */
	int fd = x_open("/tmp", O_RDONLY | O_DIRECTORY);

	SETUP(fd >= 0);
	EXPECT_FAILS(x_mmap(0, PAGE, PROT_READ, MAP_SHARED, fd, 0), ENODEV);
	EXPECT_FAILS(x_mmap(0, PAGE, PROT_READ, MAP_PRIVATE, fd, 0), ENODEV);
	EXPECT_FAILS(x_mmap(0, 0, PROT_READ, MAP_PRIVATE, fd, 0), EINVAL);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(bad_memory, mmap_at_NULL_for_who_may_not_fails_EPERM)
{
	/* mmap(2): below vm.mmap_min_addr; root may, where that is allowed at all, so nobody else is asked. */
	addr_t map;

	if (x_geteuid() == 0)
		SKIP("root may");
	map = x_mmap(0, PAGE, PROT_READ, ANON | MAP_FIXED, -1, 0);
	EXPECT(map == NO_MAPPING && errno == EPERM);
}
