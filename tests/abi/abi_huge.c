// SPDX-License-Identifier: MIT
/*
 * What Linux promises of memory of whatever size its pages are: in ranges that pages of 2 MiB fit, every call on a part
 * does what it does elsewhere. Whether there are such pages is nobody's business here; where the kernel uses them,
 * these are the calls that split them. SEMANTICS.md 45, 47, 53, 54, 56, 66; Documentation/admin-guide/mm/transhuge.rst.
 */
#include "abi_large.h"

/* A file whose pages are all there. */
static int full_memfd(void)
{
	int fd = memfd(0);

	SETUP(x_fallocate(fd, 0, 0, SIZE) == 0);
	return fd;
}

static void map_file(struct place p, int fd, int flags)
{
	SETUP(x_mmap(p.at, SIZE, RW, flags | MAP_FIXED, fd, 0) == p.at);
}

TEST(large_pages, protection_of_one_page_in_the_middle_leaves_the_others_alone)
{
	/* mprotect(2): whole pages, of 4 KiB. */
	struct place p = place();
	int fd = full_memfd();

	map_file(p, fd, MAP_SHARED);
	mark_all(p.at);
	EXPECT_EQ(x_mprotect(p.at + 700 * PAGE, PAGE, PROT_READ), 0);
	EXPECT_STORE_FAULTS(p.at + 700 * PAGE, SIGSEGV, SEGV_ACCERR);
	st8(p.at + 699 * PAGE, 9);
	st8(p.at + 701 * PAGE, 9);
	expect_marks(p.at, 0, NPAGES);
	EXPECT_EQ(x_mprotect(p.at + LARGE, LARGE, PROT_NONE), 0);
	EXPECT_LOAD_FAULTS(p.at + LARGE + 5 * PAGE, SIGSEGV, SEGV_ACCERR);
	EXPECT_EQ(x_mprotect(p.at + LARGE, LARGE, RW), 0);
	expect_marks(p.at, 0, NPAGES);
	st8(p.at + 700 * PAGE, 10);
	EXPECT_EQ(byte_at(fd, 700 * PAGE), 10);
	give_back(p);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(large_pages, unmapping_a_part_leaves_a_hole_and_the_rest)
{
	/* munmap(2); 45. */
	struct place p = place();
	int fd = full_memfd();

	map_file(p, fd, MAP_SHARED);
	mark_all(p.at);
	EXPECT_EQ(x_munmap(p.at + 100 * PAGE, PAGE), 0);
	EXPECT_EQ(x_munmap(p.at + 600 * PAGE, 500 * PAGE), 0);
	EXPECT_LOAD_FAULTS(p.at + 100 * PAGE, SIGSEGV, SEGV_MAPERR);
	EXPECT_LOAD_FAULTS(p.at + 1024 * PAGE, SIGSEGV, SEGV_MAPERR);
	expect_marks(p.at, 0, 100);
	expect_marks(p.at, 101, 600);
	expect_marks(p.at, 1100, NPAGES);
	SETUP(x_mmap(p.at + 600 * PAGE, 500 * PAGE, RW, MAP_SHARED | MAP_FIXED, fd, 600 * PAGE) != NO_MAPPING);
	expect_marks(p.at, 101, NPAGES);
	give_back(p);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(large_pages, truncation_in_the_middle_of_one_takes_what_lies_beyond)
{
	/* ftruncate(2); 53. */
	struct place p = place();
	int fd = full_memfd();

	map_file(p, fd, MAP_SHARED);
	mark_all(p.at);
	EXPECT_EQ(x_ftruncate(fd, 700 * PAGE), 0);
	expect_marks(p.at, 0, 700);
	EXPECT_LOAD_FAULTS(p.at + 700 * PAGE, SIGBUS, BUS_ADRERR);
	EXPECT_STORE_FAULTS(p.at + 2 * LARGE, SIGBUS, BUS_ADRERR);
	EXPECT_EQ(x_ftruncate(fd, SIZE), 0);
	EXPECT_EQ(ld8(p.at + 700 * PAGE + 700), 0);
	st8(p.at + 2 * LARGE, 3);
	EXPECT_EQ(byte_at(fd, 2 * LARGE), 3);
	expect_marks(p.at, 0, 700);
	give_back(p);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(large_pages, private_mapping_of_a_file_copies_only_what_it_writes)
{
	/* 56. */
	struct place p = place(), q = place();
	int fd = full_memfd();

	map_file(p, fd, MAP_SHARED);
	map_file(q, fd, MAP_PRIVATE);
	mark_all(p.at);
	expect_marks(q.at, 0, NPAGES);
	st8(q.at + 10 * PAGE, 200);
	st8(p.at + 10 * PAGE, 100);
	st8(p.at + 11 * PAGE, 111);
	EXPECT_EQ(ld8(q.at + 10 * PAGE), 200);
	EXPECT_EQ(ld8(q.at + 11 * PAGE), 111);
	EXPECT_EQ(byte_at(fd, 10 * PAGE), 100);
	expect_marks(p.at, 0, NPAGES);
	expect_marks(q.at, 0, NPAGES);
	give_back(p);
	give_back(q);
	EXPECT_EQ(x_close(fd), 0);
}

static int child_writes(void *arg)
{
	const struct place *p = arg;

	CHILD_EXPECT(ld8(p[0].at + 40 * PAGE + 40) == mark(40));
	CHILD_EXPECT(ld8(p[1].at + 40 * PAGE + 40) == mark(40));
	st8(p[0].at + 40 * PAGE, 1);
	st8(p[1].at + 40 * PAGE, 2);
	CHILD_EXPECT(ld8(p[1].at + 1500 * PAGE + 1500) == mark(1500));
	CHILD_EXPECT(x_munmap(p[1].at + LARGE, LARGE) == 0);
	return 0;
}

TEST(large_pages, forked_child_shares_what_is_shared_and_copies_what_is_private)
{
	/* fork(2), mmap(2). */
	struct place p[2] = { place(), place() };
	int fd = full_memfd();

	map_file(p[0], fd, MAP_SHARED);
	SETUP(x_mmap(p[1].at, SIZE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p[1].at);
	mark_all(p[0].at);
	mark_all(p[1].at);
	EXPECT_EQ(in_child(child_writes, p), 0);
	EXPECT_EQ(ld8(p[0].at + 40 * PAGE), 1);
	EXPECT_EQ(ld8(p[1].at + 40 * PAGE), 0);
	expect_marks(p[0].at, 0, NPAGES);
	expect_marks(p[1].at, 0, NPAGES);
	give_back(p[0]);
	give_back(p[1]);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(large_pages, calls_read_and_write_through_them)
{
	/* A buffer that begins in one large page and ends in the next. */
	struct place p = place();
	int fd = full_memfd(), other = memfd(0);
	addr_t at = p.at + LARGE - 3 * PAGE + 17;

	map_file(p, fd, MAP_SHARED);
	mark_all(p.at);
	EXPECT_EQ(x_pwrite(other, ubuf(at), 6 * PAGE, 0), 6 * PAGE);
	EXPECT_EQ(x_pread(other, ubuf(p.at + 5), 6 * PAGE, 0), 6 * PAGE);
	EXPECT_EQ(ld8(p.at + 5 + 3 * PAGE + 512 - 17), mark(512));
	EXPECT_EQ(byte_at(fd, 5 + 3 * PAGE + 512 - 17), mark(512));
	EXPECT_EQ(x_mprotect(p.at + LARGE, PAGE, PROT_NONE), 0);
	EXPECT_EQ(x_pwrite(other, ubuf(at), 6 * PAGE, 0), 3 * PAGE - 17);
	give_back(p);
	EXPECT_EQ(x_close(fd), 0);
	EXPECT_EQ(x_close(other), 0);
}

static void map_anonymous_at(struct place p)
{
	SETUP(x_mmap(p.at, SIZE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p.at);
}

static int child_has_copies(void *arg)
{
	const struct place *p = arg;

	CHILD_EXPECT(ld8(p->at + 40 * PAGE + 40) == mark(40));
	st8(p->at + 40 * PAGE + 40, 1);
	CHILD_EXPECT(ld8(p->at + 41 * PAGE + 41) == mark(41));
	CHILD_EXPECT(x_munmap(p->at + LARGE, PAGE) == 0);
	return 0;
}

TEST(large_pages, advised_memory_is_what_it_is_elsewhere)
{
	/* MADV_HUGEPAGE: memory in which the first touch may get a large page. */
	struct place p = place();

	map_anonymous_at(p);
	if (x_madvise(p.at, SIZE, MADV_HUGEPAGE) < 0)
		SKIP("this kernel has no large pages: %s", strerror(errno));
	EXPECT_EQ(ld8(p.at + 5 * PAGE), 0);
	mark_all(p.at);
	EXPECT_EQ(in_child(child_has_copies, &p), 0);
	expect_marks(p.at, 0, NPAGES);
	EXPECT_EQ(x_mprotect(p.at + 700 * PAGE, PAGE, PROT_READ), 0);
	EXPECT_STORE_FAULTS(p.at + 700 * PAGE, SIGSEGV, SEGV_ACCERR);
	EXPECT_EQ(x_madvise(p.at + 100 * PAGE, PAGE, MADV_DONTNEED), 0);
	EXPECT_EQ(ld8(p.at + 100 * PAGE + 100), 0);
	EXPECT_EQ(x_munmap(p.at + 600 * PAGE, PAGE), 0);
	EXPECT_LOAD_FAULTS(p.at + 600 * PAGE, SIGSEGV, SEGV_MAPERR);
	expect_marks(p.at, 0, 100);
	expect_marks(p.at, 101, 600);
	expect_marks(p.at, 601, NPAGES);
	give_back(p);
}
