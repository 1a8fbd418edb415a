// SPDX-License-Identifier: MIT
/*
 * What Linux promises of huge pages from the pool: MAP_HUGETLB, MFD_HUGETLB, vm.nr_hugepages. mmap(2), memfd_create(2),
 * Documentation/admin-guide/mm/hugetlbpage.rst, Documentation/mm/hugetlbfs_reserv.rst. SEMANTICS.md 4, 5, 13.
 *
 * Each test asks for a pool of its size, and is skipped where it may not, or where no memory is left in one piece. On
 * the host the pool is what it was when the test has ended.
 */
#include "abi_proc.h"

#include <linux/falloc.h>
#include <stdlib.h>
#include <sys/vfs.h>

#ifndef MFD_HUGETLB
#define MFD_HUGETLB 4U
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x10
#endif

enum { RW = PROT_READ | PROT_WRITE, HUGE = 2 << 20, POOL = 8 };
enum { PRIVATE = MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, SHARED = MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB };
enum { PUNCH = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE };

/* ---- the pool ---- */

static long long sysctl_is(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/sys/vm/%s", name);
	return atoll(proc_slurp(path));
}

/* 0 or -1, with errno. */
static int sysctl_write(const char *name, const char *text)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/vm/%s", name);
	fd = x_open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	n = x_write(fd, text, strlen(text));
	x_close(fd);
	return n == (ssize_t)strlen(text) ? 0 : -1;
}

static int set(const char *name, long long n)
{
	char text[32];

	snprintf(text, sizeof(text), "%lld", n);
	return sysctl_write(name, text);
}

struct numbers {
	long long total, nfree, reserved, surplus;
};

static struct numbers numbers_of_all(void)
{
	const char *text = proc_slurp("/proc/meminfo");

	return (struct numbers){
		.total = proc_number_in(text, "HugePages_Total"),
		.nfree = proc_number_in(text, "HugePages_Free"),
		.reserved = proc_number_in(text, "HugePages_Rsvd"),
		.surplus = proc_number_in(text, "HugePages_Surp"),
	};
}

/* What others have, or are promised: it is taken off all numbers. A host whose kernel has lost count has such, too. */
static struct {
	long long used, reserved;
} others;

static struct numbers numbers(void)
{
	struct numbers n = numbers_of_all();

	n.total -= others.used + others.reserved;
	n.nfree -= others.reserved;
	n.reserved -= others.reserved;
	return n;
}

/* Without those of the others. */
static int set_pool(long long npages)
{
	return set("nr_hugepages", npages + others.used + others.reserved);
}

static long long pool_is(void)
{
	return sysctl_is("nr_hugepages") - others.used - others.reserved;
}

static long long pages_before = -1, overcommit_before;

static void pool_of(long long npages)
{
	struct numbers n = numbers_of_all();

	if (pages_before < 0) {
		pages_before = sysctl_is("nr_hugepages");
		overcommit_before = sysctl_is("nr_overcommit_hugepages");
		others.used = n.total - n.nfree;
		others.reserved = n.reserved;
	}
	if (set_pool(npages) < 0 || set("nr_overcommit_hugepages", 0) < 0)
		SKIP("the pool of huge pages may not be changed: %s", strerror(errno));
	if (pool_is() != npages)
		SKIP("there is no memory for %lld huge pages", npages);
}

#ifdef ABI_KSIM
static void forget_pool(void)
{
	pages_before = -1;
}

static struct harness_hook hook = { "huge pages", forget_pool, NULL, NULL };
#else
static void restore_pool(void)
{
	if (pages_before < 0)
		return;
	set("nr_hugepages", pages_before);
	set("nr_overcommit_hugepages", overcommit_before);
	pages_before = -1;
}

static struct harness_hook hook = { "huge pages", NULL, restore_pool, NULL };
#endif

__attribute__((constructor)) static void add_hook(void)
{
	harness_hook_add(&hook);
}

#define EXPECT_NUMBERS(t, f, r, s)                                                                                  \
	do {                                                                                                        \
		struct numbers is = numbers();                                                                      \
		EXPECT_MSG(is.total == (t) && is.nfree == (f) && is.reserved == (r) && is.surplus == (s),           \
		           "total %lld, free %lld, reserved %lld, surplus %lld; expected %d, %d, %d, %d", is.total, \
		           is.nfree, is.reserved, is.surplus, (int)(t), (int)(f), (int)(r), (int)(s));              \
	} while (0)
/* Of a pool of POOL pages without surplus. */
#define EXPECT_FREE(f, r) EXPECT_NUMBERS(POOL, f, r, 0)

/* ---- mappings and files ---- */

static addr_t map(size_t npages, int prot, int flags)
{
	return x_mmap(0, npages * HUGE, prot, flags, -1, 0);
}

static addr_t map_fd(int fd, size_t npages, int prot, int flags, size_t from)
{
	return x_mmap(0, npages * HUGE, prot, flags, fd, (off_t)(from * HUGE));
}

static void drop(addr_t addr, size_t npages)
{
	EXPECT_EQ(x_munmap(addr, npages * HUGE), 0);
}

static int file(unsigned flags)
{
	int fd = x_memfd_create("huge", MFD_CLOEXEC | MFD_HUGETLB | MFD_ALLOW_SEALING | flags);

	if (fd < 0)
		SKIP("no memfd of huge pages: %s", strerror(errno));
	return fd;
}

static int file_of(int npages)
{
	int fd = file(0);

	SETUP(x_ftruncate(fd, (off_t)npages * HUGE) == 0);
	return fd;
}

static void expect_file(int fd, long long size, long long npages)
{
	struct stat st;

	EXPECT_EQ(x_fstat(fd, &st), 0);
	EXPECT_EQ(st.st_size, size);
	EXPECT_EQ(st.st_blocks, npages * (HUGE / 512));
}

/* Room that huge pages fit in, unmapped again. */
static addr_t room(size_t npages)
{
	size_t bytes = (npages + 1) * HUGE;
	addr_t at = x_mmap(0, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	SETUP(at != NO_MAPPING);
	EXPECT_EQ(x_munmap(at, bytes), 0);
	return (at + HUGE - 1) & ~(addr_t)(HUGE - 1);
}

static int mapped(addr_t addr)
{
	unsigned char vec;

	return x_mincore(addr, PAGE, &vec) == 0;
}

/* ---- the pool's size ---- */

TEST(hugetlb, pool_is_as_large_as_it_was_set)
{
	pool_of(POOL);
	EXPECT_FREE(POOL, 0);
	EXPECT_EQ(proc_number_in(proc_slurp("/proc/meminfo"), "Hugepagesize"), HUGE / 1024);
	EXPECT_EQ(proc_number_in(proc_text, "Hugetlb"), proc_number_in(proc_text, "HugePages_Total") * (HUGE / 1024));
	pool_of(3);
	EXPECT_NUMBERS(3, 3, 0, 0);
	pool_of(0);
	EXPECT_NUMBERS(0, 0, 0, 0);
	EXPECT_EQ(sysctl_is("nr_overcommit_hugepages"), 0);
}

TEST(hugetlb, pool_is_set_to_numbers_only_EINVAL)
{
	char text[32];

	pool_of(2);
	EXPECT_FAILS(sysctl_write("nr_hugepages", "many"), EINVAL);
	EXPECT_FAILS(sysctl_write("nr_hugepages", "-1"), EINVAL);
	EXPECT_FAILS(sysctl_write("nr_hugepages", "1x"), EINVAL);
	EXPECT_EQ(pool_is(), 2);
	snprintf(text, sizeof(text), " %lld\n", sysctl_is("nr_hugepages") - 1);
	EXPECT_EQ(sysctl_write("nr_hugepages", text), 0);
	EXPECT_EQ(pool_is(), 1);
}

TEST(hugetlb, pool_that_is_made_smaller_keeps_what_is_used_or_promised_as_surplus)
{
	addr_t at;

	pool_of(POOL);
	at = map(6, RW, PRIVATE);
	SETUP(at != NO_MAPPING);
	for (int i = 0; i < 4; i++)
		st8(at + (addr_t)i * HUGE, 1);
	EXPECT_FREE(4, 2);
	EXPECT_EQ(set_pool(3), 0);
	EXPECT_NUMBERS(6, 2, 2, 3);
	EXPECT_EQ(pool_is(), 3);
	EXPECT_EQ(set_pool(5), 0);
	EXPECT_NUMBERS(6, 2, 2, 1);
	EXPECT_EQ(set_pool(0), 0);
	EXPECT_NUMBERS(6, 2, 2, 6);
	drop(at, 1);
	EXPECT_NUMBERS(5, 2, 2, 5);
	EXPECT_EQ(x_madvise(at + HUGE, HUGE, MADV_DONTNEED), 0);
	EXPECT_NUMBERS(4, 2, 2, 4);
	drop(at + HUGE, 5);
	EXPECT_NUMBERS(0, 0, 0, 0);
}

TEST(hugetlb, overcommitment_takes_pages_on_demand)
{
	addr_t at;

	pool_of(2);
	SETUP(set("nr_overcommit_hugepages", 2) == 0);
	at = map(4, RW, PRIVATE);
	SETUP(at != NO_MAPPING);
	EXPECT_NUMBERS(4, 4, 4, 2);
	EXPECT_FAILS(map(5, RW, PRIVATE), ENOMEM);
	EXPECT_NUMBERS(4, 4, 4, 2);
	st8(at, 1);
	EXPECT_NUMBERS(4, 3, 3, 2);
	drop(at + 2 * HUGE, 2);
	EXPECT_NUMBERS(2, 1, 1, 0);
	drop(at, 2);
	EXPECT_NUMBERS(2, 2, 0, 0);
	at = map(5, RW, PRIVATE | MAP_NORESERVE);
	SETUP(at != NO_MAPPING);
	for (int i = 0; i < 4; i++)
		st8(at + (addr_t)i * HUGE, 1);
	EXPECT_NUMBERS(4, 0, 0, 2);
	EXPECT_STORE_FAULTS(at + 4 * HUGE, SIGBUS, BUS_ADRERR);
	drop(at, 1);
	EXPECT_NUMBERS(3, 0, 0, 1);
	drop(at + HUGE, 4);
	EXPECT_NUMBERS(2, 2, 0, 0);
}

/* ---- promises ---- */

TEST(hugetlb, private_mapping_is_promised_its_pages_and_takes_them_by_touching)
{
	addr_t at;

	pool_of(POOL);
	at = map(3, RW, PRIVATE);
	SETUP(at != NO_MAPPING);
	EXPECT_EQ(at % HUGE, 0);
	EXPECT_FREE(POOL, 3);
	EXPECT_EQ(ld8(at + 12345), 0);
	EXPECT_FREE(POOL - 1, 2);
	st8(at + HUGE + 77, 5);
	st8(at + 2 * HUGE - 1, 6);
	EXPECT_FREE(POOL - 2, 1);
	EXPECT_EQ(ld8(at + HUGE + 77), 5);
	EXPECT_EQ(ld8(at + HUGE), 0);
	drop(at + HUGE, 1);
	EXPECT_FREE(POOL - 1, 1);
	drop(at, 1);
	drop(at + 2 * HUGE, 1);
	EXPECT_FREE(POOL, 0);
	at = map(1, RW, PRIVATE);
	EXPECT_EQ(ld8(at + 77), 0);
	drop(at, 1);
}

TEST(hugetlb, mapping_that_cannot_be_promised_fails_ENOMEM)
{
	addr_t at;

	pool_of(POOL);
	EXPECT_FAILS(map(POOL + 1, RW, PRIVATE), ENOMEM);
	EXPECT_FAILS(map(POOL + 1, PROT_NONE, SHARED), ENOMEM);
	at = map(POOL - 1, PROT_READ, PRIVATE);
	SETUP(at != NO_MAPPING);
	EXPECT_FAILS(map(2, RW, SHARED), ENOMEM);
	EXPECT_FREE(POOL, POOL - 1);
	drop(at, POOL - 1);
	EXPECT_FREE(POOL, 0);
}

TEST(hugetlb, mapping_without_promise_faults_when_none_is_left)
{
	/* MAP_NORESERVE: SIGBUS at the touch. */
	char byte;
	addr_t at;
	int fd;

	pool_of(2);
	fd = memfd(1);
	at = map(3, RW, PRIVATE | MAP_NORESERVE);
	SETUP(at != NO_MAPPING);
	EXPECT_NUMBERS(2, 2, 0, 0);
	st8(at, 1);
	st8(at + 2 * HUGE, 3);
	EXPECT_NUMBERS(2, 0, 0, 0);
	EXPECT_STORE_FAULTS(at + HUGE + 5000, SIGBUS, BUS_ADRERR);
	EXPECT_LOAD_FAULTS(at + HUGE, SIGBUS, BUS_ADRERR);
	EXPECT_FAILS(x_read(fd, ubuf(at + HUGE), 8), EFAULT);
	EXPECT_FAILS(x_mlock(at, 3 * HUGE), ENOMEM);
	if (linux_release() >= 5014)
		EXPECT_FAILS(x_madvise(at, 3 * HUGE, MADV_POPULATE_READ), EFAULT);
	drop(at, 1);
	EXPECT_EQ(x_pread(fd, &byte, 1, 0), 1);
	st8(at + HUGE, 2);
	EXPECT_EQ(ld8(at + 2 * HUGE), 3);
	drop(at + HUGE, 2);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(hugetlb, forgotten_page_of_a_private_mapping_is_promised_again)
{
	/* MADV_DONTNEED. */
	addr_t at;

	pool_of(POOL);
	at = map(2, RW, PRIVATE);
	SETUP(at != NO_MAPPING);
	st8(at, 1);
	st8(at + HUGE, 2);
	EXPECT_FREE(POOL - 2, 0);
	EXPECT_EQ(x_madvise(at, HUGE, MADV_DONTNEED), 0);
	EXPECT_FREE(POOL - 1, 1);
	EXPECT_EQ(ld8(at), 0);
	EXPECT_EQ(ld8(at + HUGE), 2);
	EXPECT_FREE(POOL - 2, 0);
	drop(at, 2);
	EXPECT_FREE(POOL, 0);
}

TEST(hugetlb, promise_to_a_file_outlives_the_mapping)
{
	addr_t at, other;
	int fd;

	pool_of(POOL);
	fd = file_of(8);
	at = map_fd(fd, 6, RW, MAP_SHARED, 0);
	other = map_fd(fd, 6, PROT_READ, MAP_SHARED, 2);
	SETUP(at != NO_MAPPING && other != NO_MAPPING);
	EXPECT_FREE(POOL, 8);
	st8(at + 5 * HUGE, 1);
	EXPECT_EQ(ld8(other + 3 * HUGE), 1);
	EXPECT_FREE(POOL - 1, 7);
	EXPECT_FAILS(map(1, RW, PRIVATE), ENOMEM);
	drop(at, 6);
	drop(other, 6);
	EXPECT_FREE(POOL - 1, 7);
	EXPECT_EQ(x_ftruncate(fd, 3 * HUGE), 0);
	EXPECT_FREE(POOL, 3);
	EXPECT_EQ(x_fallocate(fd, PUNCH, HUGE, HUGE), 0);
	EXPECT_FREE(POOL, 3);
	EXPECT_EQ(x_close(fd), 0);
	EXPECT_FREE(POOL, 0);
}

TEST(hugetlb, file_is_promised_only_what_it_has_not)
{
	addr_t at, other;
	int fd;

	pool_of(POOL);
	fd = file_of(8);
	at = map_fd(fd, 8, RW, MAP_SHARED | MAP_NORESERVE, 0);
	SETUP(at != NO_MAPPING);
	st8(at, 1);
	EXPECT_FREE(POOL - 1, 0);
	other = map_fd(fd, 8, RW, MAP_SHARED, 0);
	SETUP(other != NO_MAPPING);
	EXPECT_FREE(POOL - 1, POOL - 1);
	st8(at + 5 * HUGE, 1);
	EXPECT_FREE(POOL - 2, POOL - 2);
	drop(at, 8);
	drop(other, 8);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(hugetlb, fixed_mapping_has_the_promises_of_what_it_replaces)
{
	addr_t at;

	pool_of(POOL);
	at = room(POOL + 1);
	SETUP(x_mmap(at, 6 * HUGE, RW, PRIVATE | MAP_FIXED, -1, 0) == at);
	EXPECT_EQ(x_mmap(at, 6 * HUGE, RW, PRIVATE | MAP_FIXED, -1, 0), at);
	EXPECT_FREE(POOL, 6);
	EXPECT_FAILS(x_mmap(at, (POOL + 1) * HUGE, RW, PRIVATE | MAP_FIXED, -1, 0), ENOMEM);
	EXPECT_FREE(POOL, 0);
	EXPECT(!mapped(at));
}

/* ---- whole pages ---- */

TEST(hugetlb, length_is_rounded_up_to_whole_pages)
{
	addr_t at;
	int fd;

	pool_of(POOL);
	at = x_mmap(0, PAGE, RW, PRIVATE, -1, 0);
	SETUP(at != NO_MAPPING);
	EXPECT_FREE(POOL, 1);
	st8(at + HUGE - 1, 1);
	drop(at, 1);
	fd = file_of(2);
	at = x_mmap(0, HUGE + 1, RW, MAP_SHARED, fd, 0);
	SETUP(at != NO_MAPPING);
	st8(at + 2 * HUGE - 1, 1);
	drop(at, 2);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(hugetlb, hint_is_rounded_up_and_a_fixed_address_must_be_whole_EINVAL)
{
	addr_t at, place;
	int fd;

	pool_of(POOL);
	place = room(4);
	at = x_mmap(place + PAGE, HUGE, RW, PRIVATE, -1, 0);
	EXPECT_EQ(at, place + HUGE);
	EXPECT_FAILS(x_mmap(place + PAGE, HUGE, RW, PRIVATE | MAP_FIXED, -1, 0), EINVAL);
	EXPECT_FAILS(x_mmap(place + 3 * HUGE + PAGE, PAGE, RW, PRIVATE | MAP_FIXED_NOREPLACE, -1, 0), EINVAL);
	EXPECT_FAILS(x_mmap(0, HUGE, RW, PRIVATE, -1, PAGE), EINVAL);
	drop(at, 1);
	fd = file_of(2);
	EXPECT_FAILS(x_mmap(0, HUGE, RW, MAP_SHARED, fd, PAGE), EINVAL);
	EXPECT_FAILS(x_mmap(place + PAGE, HUGE, RW, MAP_SHARED | MAP_FIXED, fd, 0), EINVAL);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(hugetlb, calls_on_a_part_of_a_page_fail_EINVAL)
{
	addr_t at;

	pool_of(POOL);
	at = map(2, RW, PRIVATE);
	SETUP(at != NO_MAPPING);
	st8(at, 1);
	EXPECT_FAILS(x_munmap(at + PAGE, HUGE), EINVAL);
	EXPECT_FAILS(x_munmap(at, PAGE), EINVAL);
	EXPECT_FAILS(x_munmap(at, HUGE + PAGE), EINVAL);
	EXPECT_FAILS(x_mprotect(at + PAGE, PAGE, PROT_READ), EINVAL);
	EXPECT_FAILS(x_mprotect(at, PAGE, PROT_READ), EINVAL);
	EXPECT_EQ(x_mprotect(at, PAGE, RW), 0);
	EXPECT_FAILS(x_madvise(at + PAGE, HUGE, MADV_DONTNEED), EINVAL);
	EXPECT_FAILS(x_madvise(at + PAGE, PAGE, MADV_DONTFORK), EINVAL);
	EXPECT_FAILS(x_mmap(at + PAGE, PAGE, RW, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), EINVAL);
	EXPECT_FAILS(x_mmap(at + HUGE, PAGE, RW, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), EINVAL);
	EXPECT_EQ(ld8(at), 1);
	EXPECT_EQ(x_madvise(at, PAGE, MADV_DONTNEED), 0);
	EXPECT_EQ(ld8(at), 1);
	EXPECT_EQ(x_madvise(at, HUGE + PAGE, MADV_DONTNEED), 0);
	EXPECT_EQ(ld8(at), 0);
	EXPECT_EQ(x_mmap(at + HUGE, HUGE, RW, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), at + HUGE);
	st8(at + HUGE + PAGE, 1);
	drop(at, 2);
	EXPECT_FREE(POOL, 0);
}

TEST(hugetlb, protection_of_whole_pages_changes)
{
	addr_t at;

	pool_of(POOL);
	at = map(3, RW, PRIVATE);
	SETUP(at != NO_MAPPING);
	st8(at + HUGE, 1);
	EXPECT_EQ(x_mprotect(at + HUGE, HUGE, PROT_READ), 0);
	EXPECT_STORE_FAULTS(at + HUGE + PAGE, SIGSEGV, SEGV_ACCERR);
	EXPECT_EQ(ld8(at + HUGE), 1);
	EXPECT_EQ(x_mprotect(at, 3 * HUGE, PROT_NONE), 0);
	EXPECT_LOAD_FAULTS(at, SIGSEGV, SEGV_ACCERR);
	EXPECT_EQ(x_mprotect(at, 3 * HUGE, RW), 0);
	st8(at + HUGE + PAGE, 2);
	EXPECT_EQ(ld8(at + HUGE), 1);
	drop(at, 3);
}

TEST(hugetlb, small_pages_may_be_where_huge_ones_were_and_the_reverse)
{
	addr_t at;

	pool_of(POOL);
	at = room(3);
	SETUP(x_mmap(at, 3 * HUGE, RW, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == at);
	for (int i = 0; i < 3; i++)
		st8(at + (addr_t)i * HUGE + 3 * PAGE, 7);
	EXPECT_EQ(x_mmap(at + HUGE, HUGE, RW, MAP_FIXED | PRIVATE, -1, 0), at + HUGE);
	EXPECT_EQ(ld8(at + HUGE + 3 * PAGE), 0);
	st8(at + HUGE, 1);
	EXPECT_EQ(ld8(at + 3 * PAGE), 7);
	EXPECT_EQ(ld8(at + 2 * HUGE + 3 * PAGE), 7);
	EXPECT_EQ(x_mmap(at + HUGE, HUGE, RW, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), at + HUGE);
	EXPECT_EQ(ld8(at + HUGE), 0);
	st8(at + HUGE + PAGE, 1);
	drop(at, 3);
	EXPECT_FREE(POOL, 0);
}

/* ---- flags ---- */

TEST(hugetlb, anonymous_mapping_is_judged_as_one_of_a_file)
{
	const int anonymous = MAP_ANONYMOUS | MAP_HUGETLB;
	addr_t at;

	pool_of(POOL);
	at = map(1, RW, MAP_SHARED_VALIDATE | anonymous);
	EXPECT(at != NO_MAPPING);
	drop(at, 1);
	EXPECT_FAILS(map(1, RW, MAP_SHARED_VALIDATE | anonymous | 0x200000), EOPNOTSUPP);
	EXPECT_FAILS(map(1, RW, PRIVATE | MAP_GROWSDOWN), EINVAL);
	EXPECT_FAILS(map(1, RW, anonymous), EINVAL);
	EXPECT_FAILS(map(1, RW, anonymous | 8), EINVAL);
	EXPECT_FAILS(map(1, RW, PRIVATE | 20 << 26), EINVAL);
	at = map(1, RW, PRIVATE | 21 << 26);
	EXPECT(at != NO_MAPPING);
	drop(at, 1);
	EXPECT_FREE(POOL, 0);
}

TEST(hugetlb, file_of_huge_pages_needs_no_flag_and_heeds_no_size)
{
	addr_t at;
	int fd;

	pool_of(POOL);
	fd = file_of(1);
	at = map_fd(fd, 1, RW, MAP_SHARED | MAP_HUGETLB, 0);
	EXPECT(at != NO_MAPPING);
	drop(at, 1);
	at = map_fd(fd, 1, RW, MAP_SHARED | MAP_HUGETLB | 20 << 26, 0);
	EXPECT(at != NO_MAPPING);
	drop(at, 1);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(hugetlb, populated_and_locked_mappings_have_their_pages_at_once_and_count_as_locked_for_nobody)
{
	addr_t at;

	pool_of(POOL);
	at = map(2, RW, PRIVATE | MAP_POPULATE);
	EXPECT_FREE(POOL - 2, 0);
	drop(at, 2);
	at = map(2, RW, SHARED | MAP_LOCKED);
	EXPECT_FREE(POOL - 2, 0);
	EXPECT_EQ(proc_number_in(proc_slurp("/proc/self/status"), "VmLck"), 0);
	drop(at, 2);
	at = map(2, RW, PRIVATE);
	EXPECT_EQ(x_mlock(at, PAGE), 0);
	EXPECT_FREE(POOL - 1, 1);
	EXPECT_EQ(x_mlock(at, 2 * HUGE), 0);
	EXPECT_FREE(POOL - 2, 0);
	EXPECT_EQ(proc_number_in(proc_slurp("/proc/self/status"), "VmLck"), 0);
	EXPECT_EQ(x_munlock(at, 2 * HUGE), 0);
	drop(at, 2);
}

TEST(hugetlb, advice_is_taken_or_refused)
{
	static const struct {
		int advice, err;
	} cases[] = {
		{ MADV_FREE, EINVAL },     { MADV_REMOVE, EACCES },     { MADV_HUGEPAGE, 0 },  { MADV_NOHUGEPAGE, 0 },
		{ MADV_COLLAPSE, EINVAL }, { MADV_WIPEONFORK, EINVAL }, { MADV_COLD, EINVAL }, { MADV_PAGEOUT, EINVAL },
		{ MADV_MERGEABLE, 0 },     { MADV_DONTNEED_LOCKED, 0 }, { MADV_WILLNEED, 0 },  { MADV_DONTDUMP, 0 },
		{ MADV_DODUMP, 0 },        { MADV_DONTFORK, 0 },        { MADV_DOFORK, 0 },    { 102, EINVAL },
		{ 103, EINVAL },           { MADV_POPULATE_READ, 0 },
	};
	addr_t at;

	NEEDS_RELEASE(5018, "the youngest of these advices that is taken");
	pool_of(POOL);
	at = map(1, RW, PRIVATE);
	SETUP(at != NO_MAPPING);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int result = x_madvise(at, HUGE, cases[i].advice) == 0 ? 0 : errno;

		EXPECT_MSG(result == cases[i].err, "advice %d: %d, expected %d", cases[i].advice, result, cases[i].err);
	}
	EXPECT_FREE(POOL - 1, 0);
	drop(at, 1);
}

TEST(hugetlb, fixed_mapping_that_is_refused_by_its_file_has_unmapped_what_was_there)
{
	addr_t at;
	int fd;

	pool_of(POOL);
	fd = file_of(2);
	at = map(1, RW, PRIVATE);
	SETUP(at != NO_MAPPING);
	st8(at, 1);
	EXPECT_EQ(x_mmap(at, HUGE + PAGE, RW, PRIVATE | MAP_FIXED, -1, 100), NO_MAPPING); /* judged before */
	EXPECT_EQ(x_mmap(at, HUGE, RW, MAP_SHARED | MAP_FIXED, fd, 100), NO_MAPPING);
	EXPECT_EQ(ld8(at), 1);
	EXPECT_EQ(x_mmap(at, HUGE, RW, MAP_SHARED | MAP_FIXED, fd, PAGE), NO_MAPPING);
	EXPECT_EQ(errno, EINVAL);
	EXPECT(!mapped(at));
	EXPECT_FREE(POOL, 0);
	EXPECT_EQ(x_close(fd), 0);
}

/* ---- mremap ---- */

TEST(hugetlb, mapping_moves_and_shrinks_by_whole_pages_and_does_not_grow)
{
	addr_t at, to;

	pool_of(POOL);
	at = map(3, RW, PRIVATE);
	SETUP(at != NO_MAPPING);
	st8(at, 5);
	st8(at + HUGE, 6); /* 6.18 loses what it owes to the rest of a mapping of which a part is moved */
	EXPECT_EQ(x_mremap(at, 3 * HUGE, 2 * HUGE, 0, 0), at);
	EXPECT_FREE(POOL - 2, 0);
	EXPECT_FAILS(x_mremap(at, 2 * HUGE, 3 * HUGE, 0, 0), EINVAL);
	EXPECT_FAILS(x_mremap(at, 2 * HUGE, 3 * HUGE, MREMAP_MAYMOVE, 0), EINVAL);
	EXPECT_FAILS(x_mremap(at, HUGE, HUGE, MREMAP_MAYMOVE | 4, 0), EINVAL);
	EXPECT_FAILS(x_mremap(at, 0, HUGE, MREMAP_MAYMOVE, 0), EINVAL);
	to = room(4);
	EXPECT_FAILS(x_mremap(at, HUGE, HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, to + PAGE), EINVAL);
	EXPECT_FAILS(x_mremap(at + PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to), EINVAL);
	EXPECT_EQ(x_mremap(at, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to), to);
	EXPECT_EQ(ld8(to), 5);
	EXPECT(!mapped(at));
	EXPECT_FREE(POOL - 2, 0);
	EXPECT_EQ(x_mremap(to, PAGE, 2 * PAGE, MREMAP_MAYMOVE, 0), to);
	EXPECT_EQ(x_mremap(at + HUGE, HUGE, HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, to + HUGE), to + HUGE);
	EXPECT_EQ(ld8(to + HUGE), 6);
	drop(to, 2);
	EXPECT_FREE(POOL, 0);
}

TEST(hugetlb, moved_mapping_is_still_promised_its_pages)
{
	addr_t at, to;

	pool_of(POOL);
	at = map(2, RW, PRIVATE);
	to = room(2);
	SETUP(at != NO_MAPPING);
	st8(at, 1);
	EXPECT_EQ(x_mremap(at, 2 * HUGE, 2 * HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, to), to);
	EXPECT_FREE(POOL - 1, 1);
	EXPECT_EQ(ld8(to), 1);
	st8(to + HUGE, 2);
	EXPECT_FREE(POOL - 2, 0);
	drop(to, 2);
	EXPECT_FREE(POOL, 0);
}

TEST(hugetlb, moved_mapping_replaces_small_pages)
{
	addr_t at, to;
	int fd;

	pool_of(POOL);
	fd = file_of(2);
	at = map_fd(fd, 2, RW, MAP_SHARED, 0);
	to = room(3);
	SETUP(at != NO_MAPPING && x_mmap(to, 3 * HUGE, RW, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == to);
	for (int i = 0; i < 3; i++)
		st8(to + (addr_t)i * HUGE, 9);
	st8(at + HUGE, 4);
	EXPECT_EQ(x_mremap(at + HUGE, HUGE, HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, to + HUGE), to + HUGE);
	EXPECT_EQ(ld8(to + HUGE), 4);
	EXPECT_EQ(ld8(to), 9);
	EXPECT_EQ(ld8(to + 2 * HUGE), 9);
	EXPECT_EQ(byte_at(fd, HUGE), 4);
	drop(at, 1);
	drop(to, 3);
	EXPECT_EQ(x_close(fd), 0);
	EXPECT_FREE(POOL, 0);
}

/* ---- files ---- */

TEST(hugetlb, file_has_blocks_of_huge_pages_on_a_device_of_its_own)
{
	struct statfs fs;
	struct stat st, small;
	int fd, other;

	pool_of(POOL);
	fd = file(0);
	other = memfd(0);
	EXPECT_EQ(x_fstat(fd, &st), 0);
	EXPECT_EQ(x_fstat(other, &small), 0);
	EXPECT_EQ(st.st_blksize, HUGE);
	EXPECT(st.st_dev != small.st_dev);
	EXPECT_EQ(x_fstatfs(fd, &fs), 0);
	EXPECT_EQ((unsigned)fs.f_type, 0x958458f6u);
	EXPECT_EQ(fs.f_bsize, HUGE);
	EXPECT_EQ(fs.f_frsize, HUGE);
	EXPECT_EQ(fs.f_namelen, 255);
	EXPECT_EQ(fs.f_blocks, 0);
	EXPECT_EQ(x_close(fd), 0);
	EXPECT_EQ(x_close(other), 0);
}

TEST(hugetlb, writable_mapping_makes_the_file_as_long_as_it_reaches)
{
	addr_t at;
	int fd;

	pool_of(POOL);
	fd = file(0);
	at = map_fd(fd, 1, PROT_READ, MAP_SHARED, 0);
	SETUP(at != NO_MAPPING);
	expect_file(fd, 0, 0);
	EXPECT_FREE(POOL, 1);
	EXPECT_LOAD_FAULTS(at + PAGE, SIGBUS, BUS_ADRERR);
	drop(at, 1);
	EXPECT_FAILS(map_fd(fd, POOL + 1, RW, MAP_SHARED, 0), ENOMEM);
	expect_file(fd, 0, 0);
	at = map_fd(fd, 1, RW, MAP_SHARED, 1);
	SETUP(at != NO_MAPPING);
	expect_file(fd, 2 * HUGE, 0);
	st8(at, 1);
	expect_file(fd, 2 * HUGE, 1);
	drop(at, 1);
	EXPECT_EQ(x_fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), 0);
	at = map_fd(fd, 3, RW, MAP_PRIVATE | MAP_POPULATE, 0);
	SETUP(at != NO_MAPPING);
	expect_file(fd, 3 * HUGE, 1);
	drop(at, 3);
	EXPECT_EQ(x_close(fd), 0);
	EXPECT_FREE(POOL, 0);
}

TEST(hugetlb, mappings_of_a_file_see_the_same_pages_and_so_does_read)
{
	unsigned char byte[2] = { 0 };
	addr_t at, other;
	int fd;

	pool_of(POOL);
	fd = file_of(3);
	at = map_fd(fd, 2, RW, MAP_SHARED, 1);
	other = map_fd(fd, 3, RW, MAP_SHARED, 0);
	SETUP(at != NO_MAPPING && other != NO_MAPPING);
	st8(at + PAGE, 3);
	EXPECT_EQ(ld8(other + HUGE + PAGE), 3);
	st8(other + 2 * HUGE, 4);
	EXPECT_EQ(ld8(at + HUGE), 4);
	EXPECT_EQ(x_pread(fd, byte, 2, HUGE + PAGE), 2);
	EXPECT_EQ(byte[0], 3);
	EXPECT_EQ(x_pread(fd, byte, 2, 5), 2);
	EXPECT_EQ(byte[0], 0);
	EXPECT_EQ(x_pread(fd, byte, 2, 3 * HUGE - 1), 1);
	EXPECT_EQ(x_pread(fd, byte, 2, 3 * HUGE), 0);
	expect_file(fd, 3 * HUGE, 2);
	EXPECT_EQ(x_madvise(at, HUGE, MADV_DONTNEED), 0);
	EXPECT_EQ(ld8(at + PAGE), 3);
	drop(at, 2);
	drop(other, 3);
	EXPECT_EQ(x_close(fd), 0);
	EXPECT_FREE(POOL, 0);
}

TEST(hugetlb, file_is_written_to_by_no_call_EINVAL)
{
	char byte = 1;
	loff_t at = 0;
	int fd, small;

	pool_of(POOL);
	fd = file_of(1);
	small = memfd(1);
	EXPECT_FAILS(x_write(fd, &byte, 1), EINVAL);
	EXPECT_FAILS(x_pwrite(fd, &byte, 1, 0), EINVAL);
	EXPECT_FAILS(x_sendfile(fd, small, NULL, 1), EINVAL);
	EXPECT_FAILS(x_sendfile(small, fd, NULL, 1), EINVAL);
	EXPECT_FAILS(x_copy_file_range(fd, &at, small, NULL, 1, 0), EXDEV);
	EXPECT_FAILS(x_copy_file_range(small, &at, fd, NULL, 1, 0), EXDEV);
	EXPECT_EQ(x_fsync(fd), 0);
	EXPECT_EQ(x_close(fd), 0);
	EXPECT_EQ(x_close(small), 0);
}

TEST(hugetlb, file_is_all_data_to_lseek)
{
	int fd;

	pool_of(POOL);
	fd = file_of(2);
	EXPECT_EQ(x_lseek(fd, 0, SEEK_DATA), 0);
	EXPECT_EQ(x_lseek(fd, HUGE + 5, SEEK_DATA), HUGE + 5);
	EXPECT_EQ(x_lseek(fd, HUGE, SEEK_HOLE), 2 * HUGE);
	EXPECT_FAILS(x_lseek(fd, 2 * HUGE, SEEK_DATA), ENXIO);
	EXPECT_FAILS(x_lseek(fd, 2 * HUGE, SEEK_HOLE), ENXIO);
	EXPECT_EQ(x_lseek(fd, 0, SEEK_END), 2 * HUGE);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(hugetlb, private_mapping_of_a_file_has_pages_of_its_own)
{
	addr_t own, shared;
	int fd;

	pool_of(POOL);
	fd = file_of(2);
	own = map_fd(fd, 2, RW, MAP_PRIVATE, 0);
	SETUP(own != NO_MAPPING);
	EXPECT_FREE(POOL, 2);
	EXPECT_EQ(ld8(own), 0);
	expect_file(fd, 2 * HUGE, 0);
	shared = map_fd(fd, 2, RW, MAP_SHARED, 0);
	SETUP(shared != NO_MAPPING);
	EXPECT_FREE(POOL - 1, 3);
	st8(shared, 1);
	st8(shared + HUGE, 1);
	EXPECT_EQ(ld8(own), 0); /* it had one already when it was only read */
	EXPECT_EQ(ld8(own + HUGE), 1);
	EXPECT_FREE(POOL - 3, 1);
	st8(shared + HUGE, 2);
	EXPECT_EQ(ld8(own + HUGE), 2);
	st8(own + HUGE + PAGE, 7);
	EXPECT_FREE(POOL - 4, 0);
	st8(shared + HUGE, 3);
	EXPECT_EQ(ld8(own + HUGE), 2);
	EXPECT_EQ(ld8(shared + HUGE + PAGE), 0);
	drop(own, 2);
	drop(shared, 2);
	expect_file(fd, 2 * HUGE, 2);
	EXPECT_EQ(x_close(fd), 0);
	EXPECT_FREE(POOL, 0);
}

TEST(hugetlb, hole_takes_whole_pages_from_all_mappings_private_copies_too)
{
	addr_t own, shared;
	int fd;

	pool_of(POOL);
	fd = file_of(3);
	shared = map_fd(fd, 3, RW, MAP_SHARED, 0);
	own = map_fd(fd, 3, RW, MAP_PRIVATE, 0);
	SETUP(shared != NO_MAPPING && own != NO_MAPPING);
	for (int i = 0; i < 3; i++) {
		st8(shared + (addr_t)i * HUGE + PAGE, 1);
		st8(own + (addr_t)i * HUGE + PAGE, 2);
	}
	EXPECT_FREE(POOL - 6, 0);
	EXPECT_EQ(x_fallocate(fd, PUNCH, PAGE, 2 * HUGE), 0);
	expect_file(fd, 3 * HUGE, 2);
	EXPECT_FREE(POOL - 4, 1); /* the copy is promised again */
	EXPECT_EQ(ld8(own + PAGE), 2);
	EXPECT_EQ(byte_at(fd, PAGE), 0);
	EXPECT_EQ(ld8(shared + 2 * HUGE + PAGE), 1);
	EXPECT_EQ(ld8(own + HUGE + PAGE), 0);
	EXPECT_EQ(ld8(shared + HUGE + PAGE), 0);
	EXPECT_EQ(x_madvise(shared, HUGE, MADV_REMOVE), 0);
	EXPECT_EQ(ld8(own + PAGE), 0);
	EXPECT_EQ(x_madvise(shared + 2 * HUGE + PAGE, PAGE, MADV_REMOVE), 0);
	EXPECT_EQ(ld8(shared + 2 * HUGE + PAGE), 0);
	drop(own, 3);
	drop(shared, 3);
	EXPECT_EQ(x_close(fd), 0);
	EXPECT_FREE(POOL, 0);
}

TEST(hugetlb, truncation_takes_pages_from_all_mappings)
{
	addr_t own, shared;
	int fd;

	pool_of(POOL);
	fd = file_of(3);
	shared = map_fd(fd, 3, RW, MAP_SHARED, 0);
	own = map_fd(fd, 3, RW, MAP_PRIVATE, 0);
	SETUP(shared != NO_MAPPING && own != NO_MAPPING);
	for (int i = 0; i < 3; i++) {
		st8(shared + (addr_t)i * HUGE, 1);
		st8(own + (addr_t)i * HUGE, 2);
	}
	EXPECT_FAILS(x_ftruncate(fd, HUGE + PAGE), EINVAL);
	EXPECT_EQ(x_ftruncate(fd, HUGE), 0);
	EXPECT_LOAD_FAULTS(shared + HUGE, SIGBUS, BUS_ADRERR);
	EXPECT_STORE_FAULTS(own + 2 * HUGE + PAGE, SIGBUS, BUS_ADRERR);
	EXPECT_EQ(ld8(own), 2);
	expect_file(fd, HUGE, 1);
	EXPECT_FREE(POOL - 2, 2);
	EXPECT_EQ(x_ftruncate(fd, 3 * HUGE), 0);
	EXPECT_EQ(ld8(shared + HUGE), 0);
	drop(own, 3);
	drop(shared, 3);
	EXPECT_EQ(x_close(fd), 0);
	EXPECT_FREE(POOL, 0);
}

TEST(hugetlb, truncation_that_makes_a_file_longer_takes_what_lies_beyond)
{
	int fd;

	pool_of(POOL);
	fd = file_of(1);
	EXPECT_EQ(x_fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 4 * HUGE), 0);
	expect_file(fd, HUGE, 4);
	EXPECT_EQ(x_ftruncate(fd, 2 * HUGE), 0);
	expect_file(fd, 2 * HUGE, 2);
	EXPECT_FREE(POOL - 2, 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(hugetlb, fallocate_takes_whole_pages_and_fails_ENOSPC_when_there_are_no_more)
{
	addr_t at;
	int fd;

	pool_of(POOL);
	fd = file(0);
	EXPECT_EQ(x_fallocate(fd, 0, 0, PAGE), 0);
	expect_file(fd, PAGE, 1);
	at = map_fd(fd, 2, PROT_READ, MAP_SHARED | MAP_NORESERVE, 0);
	EXPECT_EQ(ld8(at + PAGE), 0); /* what there is can be had, even beyond the end */
	EXPECT_LOAD_FAULTS(at + HUGE, SIGBUS, BUS_ADRERR);
	drop(at, 2);
	EXPECT_EQ(x_fallocate(fd, 0, HUGE - 1, 2), 0);
	expect_file(fd, HUGE + 1, 2);
	EXPECT_EQ(x_fallocate(fd, FALLOC_FL_KEEP_SIZE, 4 * HUGE, HUGE), 0);
	expect_file(fd, HUGE + 1, 3);
	at = map_fd(fd, 5, PROT_READ, MAP_SHARED | MAP_NORESERVE, 0);
	EXPECT_EQ(ld8(at + 4 * HUGE + PAGE), 0);
	EXPECT_EQ(ld8(at + HUGE + PAGE), 0);
	EXPECT_LOAD_FAULTS(at + 3 * HUGE, SIGBUS, BUS_ADRERR);
	drop(at, 5);
	at = map_fd(fd, 5, PROT_READ, MAP_PRIVATE | MAP_NORESERVE, 0);
	EXPECT_EQ(ld8(at + 4 * HUGE + PAGE), 0);
	EXPECT_LOAD_FAULTS(at + 3 * HUGE, SIGBUS, BUS_ADRERR);
	drop(at, 5);
	EXPECT_FAILS(x_fallocate(fd, 0, 0, 12 * HUGE), ENOSPC);
	expect_file(fd, HUGE + 1, 8);
	EXPECT_FREE(0, 0);
	EXPECT_EQ(x_fallocate(fd, PUNCH, 0, 16 * HUGE), 0);
	expect_file(fd, HUGE + 1, 0);
	EXPECT_FREE(POOL, 0);
	EXPECT_FAILS(x_fallocate(fd, FALLOC_FL_ZERO_RANGE, 0, HUGE), EOPNOTSUPP);
	EXPECT_FAILS(x_fallocate(fd, 0, 5 * HUGE, 0), EINVAL);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(hugetlb, fallocate_takes_what_was_promised_to_the_file_and_nobody_elses)
{
	addr_t at;
	int fd;

	pool_of(POOL);
	fd = file_of(POOL);
	at = map_fd(fd, 4, RW, MAP_SHARED, 0);
	SETUP(at != NO_MAPPING);
	EXPECT_EQ(x_fallocate(fd, 0, 0, POOL * HUGE), 0);
	EXPECT_FREE(0, 0);
	drop(at, 4);
	EXPECT_EQ(x_close(fd), 0);
	fd = file_of(POOL);
	at = map_fd(fd, 6, RW, MAP_PRIVATE, 0);
	SETUP(at != NO_MAPPING);
	EXPECT_FAILS(x_fallocate(fd, 0, 0, POOL * HUGE), ENOSPC);
	EXPECT_FREE(6, 6);
	st8(at, 1);
	st8(at + 3 * HUGE, 1);
	EXPECT_FREE(4, 4);
	drop(at, 6);
	EXPECT_EQ(x_close(fd), 0);
	EXPECT_FREE(POOL, 0);
}

TEST(hugetlb, mincore_tells_of_the_mapping_alone)
{
	unsigned char vec[2 * HUGE / PAGE];
	addr_t at, other;
	int fd;

	pool_of(POOL);
	fd = file_of(2);
	at = map_fd(fd, 2, RW, MAP_SHARED, 0);
	SETUP(at != NO_MAPPING);
	st8(at + HUGE, 1);
	EXPECT_EQ(x_mincore(at, 2 * HUGE, vec), 0);
	EXPECT_EQ(vec[0] & 1, 0);
	EXPECT_EQ(vec[512] & 1, 1);
	EXPECT_EQ(vec[1023] & 1, 1);
	other = map_fd(fd, 2, RW, MAP_SHARED, 0);
	SETUP(other != NO_MAPPING);
	EXPECT_EQ(x_mincore(other, 2 * HUGE, vec), 0);
#ifdef ABI_KSIM
	EXPECT_EQ(vec[512] & 1, abi_native()); /* what there is, a window shows at once */
#else
	EXPECT_EQ(vec[512] & 1, 0);
#endif
	drop(at, 2);
	drop(other, 2);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(hugetlb, seals_hold)
{
	addr_t at;
	int fd;

	pool_of(POOL);
	fd = file_of(1);
	at = map_fd(fd, 1, RW, MAP_SHARED, 0);
	EXPECT_FAILS(x_fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
	drop(at, 1);
	EXPECT_EQ(x_fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK), 0);
	EXPECT_FAILS(map_fd(fd, 1, RW, MAP_SHARED, 0), EPERM);
	EXPECT_FAILS(x_fallocate(fd, PUNCH, 0, HUGE), EPERM);
	EXPECT_FAILS(x_ftruncate(fd, 0), EPERM);
	EXPECT_EQ(x_fallocate(fd, 0, 0, HUGE), 0);
	at = map_fd(fd, 1, RW, MAP_PRIVATE, 0);
	st8(at, 1);
	EXPECT_EQ(byte_at(fd, 0), 0);
	drop(at, 1);
	EXPECT_EQ(x_close(fd), 0);
}

/* ---- fork ---- */

static int child_copies(void *arg)
{
	const addr_t at = *(const addr_t *)arg;
	struct numbers n;

	CHILD_EXPECT(ld8(at) == 5);
	st8(at, 9);
	n = numbers();
	CHILD_EXPECT(n.nfree == POOL - 2 && n.reserved == 1);
	CHILD_EXPECT(ld8(at + HUGE) == 0); /* not one that was promised to the parent */
	n = numbers();
	CHILD_EXPECT(n.nfree == POOL - 3 && n.reserved == 1);
	return 0;
}

TEST(hugetlb, forked_child_has_copies_and_no_promises)
{
	addr_t at;

	pool_of(POOL);
	at = map(2, RW, PRIVATE);
	SETUP(at != NO_MAPPING);
	st8(at, 5);
	EXPECT_EQ(in_child(child_copies, &at), 0);
	EXPECT_FREE(POOL - 1, 1);
	EXPECT_EQ(ld8(at), 5);
	st8(at, 6);
	EXPECT_FREE(POOL - 1, 1);
	drop(at, 2);
}

static int child_shares(void *arg)
{
	const addr_t at = *(const addr_t *)arg;

	CHILD_EXPECT(ld8(at) == 5);
	st8(at, 6);
	st8(at + HUGE, 7);
	return 0;
}

static int child_has_what_lies_beyond(void *arg)
{
	const addr_t at = *(const addr_t *)arg;

	CHILD_EXPECT(ld8(at) == 1 && ld8(at + HUGE) == 2);
	st8(at + HUGE, 3);
	CHILD_EXPECT(ld8(at + HUGE) == 3);
	return 0;
}

TEST(hugetlb, forked_child_has_copies_of_what_lies_beyond_the_end)
{
	addr_t at;
	int fd;

	pool_of(POOL);
	fd = file_of(2);
	at = map_fd(fd, 2, RW, MAP_PRIVATE, 0);
	EXPECT_EQ(x_ftruncate(fd, 0), 0);
	EXPECT_EQ(x_fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 2 * HUGE), 0);
	st8(at, 1);
	st8(at + HUGE, 2);
	EXPECT_EQ(in_child(child_has_what_lies_beyond, &at), 0);
	EXPECT_EQ(ld8(at + HUGE), 2);
	drop(at, 2);
	EXPECT_EQ(x_close(fd), 0);
	EXPECT_FREE(POOL, 0);
}

TEST(hugetlb, forked_child_shares_what_is_shared)
{
	addr_t at;

	pool_of(2);
	at = map(2, RW, SHARED);
	SETUP(at != NO_MAPPING);
	st8(at, 5);
	EXPECT_EQ(in_child(child_shares, &at), 0);
	EXPECT_EQ(ld8(at), 6);
	EXPECT_EQ(ld8(at + HUGE), 7);
	EXPECT_NUMBERS(2, 0, 0, 0);
	drop(at, 2);
	EXPECT_NUMBERS(2, 2, 0, 0);
}

static int child_touches_the_last(void *arg)
{
	const addr_t at = *(const addr_t *)arg;
	struct fault fault = probe_st8(at + HUGE, 1);

	CHILD_EXPECT(fault.signo == SIGBUS && fault.code == BUS_ADRERR);
	CHILD_EXPECT(ld8(at) == 5);
	fault = probe_st8(at, 1);
	CHILD_EXPECT(fault.signo == SIGBUS && fault.code == BUS_ADRERR);
	return 0;
}

TEST(hugetlb, forked_child_faults_where_all_that_is_left_is_promised)
{
	addr_t at;

	pool_of(2);
	at = map(2, RW, PRIVATE);
	SETUP(at != NO_MAPPING);
	st8(at, 5);
	EXPECT_EQ(in_child(child_touches_the_last, &at), 0);
	st8(at + HUGE, 6);
	EXPECT_EQ(ld8(at), 5);
	drop(at, 2);
}

struct heirs {
	addr_t at;
	int ends[2];
};

static int child_is_robbed(void *arg)
{
	const struct heirs *h = arg;
	struct fault fault;
	char byte = 0;

	CHILD_EXPECT(ld8(h->at) == 5 && ld8(h->at + HUGE) == 6);
	CHILD_EXPECT(x_write(h->ends[1], &byte, 1) == 1 && x_read(h->ends[1], &byte, 1) == 1);
	fault = probe_ld8(h->at, NULL);
	CHILD_EXPECT(fault.signo == SIGBUS && fault.code == BUS_ADRERR && fault.addr == h->at);
	CHILD_EXPECT(ld8(h->at + HUGE) == 6);
	CHILD_EXPECT(x_write(h->ends[1], &byte, 1) == 1 && x_read(h->ends[1], &byte, 1) == 1);
	fault = probe_ld8(h->at, NULL); /* for ever, although there are free ones now */
	CHILD_EXPECT(fault.signo == SIGBUS && fault.code == BUS_ADRERR);
	st8(h->at + HUGE, 1);
	return 0;
}

TEST(hugetlb, who_made_the_mapping_takes_pages_from_its_children_when_there_are_none_for_a_copy)
{
	struct heirs h;
	struct child *child;
	char byte;

	pool_of(2);
	stream_pair(h.ends);
	h.at = map(2, RW, PRIVATE);
	SETUP(h.at != NO_MAPPING);
	st8(h.at, 5);
	st8(h.at + HUGE, 6);
	child = child_start(child_is_robbed, &h);
	SETUP(x_read(h.ends[0], &byte, 1) == 1);
	st8(h.at, 7);
	EXPECT_NUMBERS(2, 0, 0, 0);
	SETUP(x_write(h.ends[0], "", 1) == 1 && x_read(h.ends[0], &byte, 1) == 1);
	SETUP(set_pool(4) == 0);
	SETUP(x_write(h.ends[0], "", 1) == 1);
	EXPECT_EQ(child_join(child), 0);
	EXPECT_EQ(ld8(h.at), 7);
	EXPECT_EQ(ld8(h.at + HUGE), 6);
	drop(h.at, 2);
	close_pair(h.ends);
}

/* ---- /proc ---- */

TEST(hugetlb, proc_tells_of_huge_pages_apart)
{
	const char *line;
	addr_t at, other;
	int fd;

	pool_of(POOL);
	at = map(3, RW, PRIVATE);
	SETUP(at != NO_MAPPING);
	st8(at, 1);
	st8(at + HUGE, 1);
	line = proc_line_of(proc_slurp("/proc/self/smaps"), at);
	SETUP(line != NULL);
	EXPECT(strstr(line, "/anon_hugepage (deleted)\n") < strstr(line, "Size:"));
	EXPECT_EQ(proc_number_in(line, "KernelPageSize"), HUGE / 1024);
	EXPECT_EQ(proc_number_in(line, "MMUPageSize"), HUGE / 1024);
	EXPECT_EQ(proc_number_in(line, "Rss"), 0);
	EXPECT_EQ(proc_number_in(line, "Private_Hugetlb"), 2 * HUGE / 1024);
	EXPECT_EQ(proc_number_in(line, "Shared_Hugetlb"), 0);
	EXPECT_EQ(proc_number_in(line, "AnonHugePages"), 0);
	EXPECT_EQ(proc_number_in(line, "THPeligible"), 0);
	line = strstr(line, "VmFlags:");
	EXPECT_MSG(strncmp(line, "VmFlags: rd wr mr mw me de ht \n", 31) == 0, "%.40s", line);
	EXPECT_EQ(proc_number_in(proc_slurp("/proc/self/status"), "HugetlbPages"), 2 * HUGE / 1024);
	drop(at, 3);
	fd = file_of(1);
	at = map_fd(fd, 1, RW, MAP_SHARED, 0);
	other = map_fd(fd, 1, PROT_READ, MAP_SHARED, 0);
	st8(at, 1);
	EXPECT_EQ(ld8(other), 1);
	line = proc_line_of(proc_slurp("/proc/self/smaps"), at);
	SETUP(line != NULL);
	EXPECT(strstr(line, "/memfd:huge (deleted)\n") < strstr(line, "Size:"));
	EXPECT_EQ(proc_number_in(line, "Shared_Hugetlb"), HUGE / 1024);
	drop(at, 1);
	drop(other, 1);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(hugetlb, calls_read_and_write_through_huge_pages)
{
	addr_t at;
	int fd;

	pool_of(POOL);
	fd = memfd(0);
	at = map(2, RW, PRIVATE);
	SETUP(at != NO_MAPPING);
	st8(at + HUGE - 1, 1);
	st8(at + HUGE, 2);
	EXPECT_EQ(x_pwrite(fd, ubuf(at + HUGE - 3 * PAGE), 6 * PAGE, 0), 6 * PAGE);
	EXPECT_EQ(byte_at(fd, 3 * PAGE - 1), 1);
	EXPECT_EQ(x_pread(fd, ubuf(at + 5), 6 * PAGE, 0), 6 * PAGE);
	EXPECT_EQ(ld8(at + 5 + 3 * PAGE), 2);
	drop(at, 2);
	EXPECT_EQ(x_close(fd), 0);
}
