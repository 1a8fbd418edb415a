// SPDX-License-Identifier: MIT
/*
 * What Linux promises of MADV_COLLAPSE (madvise(2), Documentation/admin-guide/mm/transhuge.rst): pages of 4 KiB become
 * one of 2 MiB, private ones and those of files in shared memory, and nobody sees it but by their number. Which errors
 * there are and after which of them the rest of a range is dealt with is what Linux 6.18 does.
 */
#include "abi_large.h"
#include "abi_proc.h"

#include <stdlib.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

enum { SECTORS = 8 };

static void skip_without_large_pages(void)
{
	addr_t probe = map_anonymous(1, RW, MAP_PRIVATE);
	bool none = x_madvise(probe, PAGE, MADV_NOHUGEPAGE) < 0;

	unmap(probe, 1);
#ifdef ABI_KSIM
	none |= !abi_large_pages();
	if (abi_config != NULL && abi_config->memfd_ops != NULL)
		SKIP("pages of somebody else's memfd stay where they are");
#endif
	if (none || linux_release() < 6001)
		SKIP("this kernel has no large pages, or no MADV_COLLAPSE");
}

static struct place file_place(int fd, int prot, int flags)
{
	struct place p = place();

	SETUP(x_mmap(p.at, SIZE, prot, flags | MAP_FIXED, fd, 0) == p.at);
	return p;
}

static int sparse_file(void)
{
	skip_without_large_pages();
	return memfd(NPAGES);
}

static void put_byte(int fd, unsigned page, uint8_t byte)
{
	SETUP(x_pwrite(fd, &byte, 1, page * (off_t)PAGE) == 1);
}

/* Pages that are there. */
static int pages_of(int fd)
{
	struct stat st;

	SETUP(x_fstat(fd, &st) == 0);
	return (int)(st.st_blocks / SECTORS);
}

/* Pages of the mapping at addr that /proc/self/smaps counts under a key. */
static int mapped(addr_t at, const char *key)
{
	const char *line = proc_line_of(proc_slurp("/proc/self/smaps"), at);

	return line != NULL ? (int)(proc_number_in(line, key) / KIB_PAGE) : -1;
}

/* ---- private memory ---- */

/* Memory whose pages are small so far. */
static struct place small_place(void)
{
	struct place p;

	skip_without_large_pages();
	p = file_place(-1, RW, MAP_PRIVATE | MAP_ANONYMOUS);
	SETUP(x_madvise(p.at, SIZE, MADV_NOHUGEPAGE) == 0);
	return p;
}

TEST(collapse, keeps_what_is_there_and_makes_zeros_of_the_rest)
{
	struct place p = small_place();

	mark_all(p.at);
	EXPECT_EQ(x_madvise(p.at + LARGE, LARGE, MADV_DONTNEED), 0);
	st8(p.at + LARGE + 7 * PAGE, 9);
	EXPECT_EQ(x_madvise(p.at, SIZE, MADV_HUGEPAGE), 0);
	EXPECT_EQ(x_madvise(p.at, SIZE, MADV_COLLAPSE), 0);
	expect_marks(p.at, 0, 512);
	expect_marks(p.at, 1024, NPAGES);
	EXPECT_EQ(ld8(p.at + LARGE + 7 * PAGE), 9);
	EXPECT_EQ(ld8(p.at + LARGE + 8 * PAGE), 0);
	st8(p.at + LARGE + 8 * PAGE, 1);
	EXPECT_EQ(x_madvise(p.at, SIZE, MADV_COLLAPSE), 0);
	EXPECT_EQ(x_madvise(p.at + PAGE, LARGE, MADV_COLLAPSE), 0); /* no whole one is in it */
	give_back(p);
}

TEST(collapse, of_what_was_never_touched_or_may_not_be_fails_EINVAL)
{
	struct place p = small_place();

	st8(p.at + LARGE, 1);
	EXPECT_FAILS(x_madvise(p.at + LARGE, LARGE, MADV_COLLAPSE), EINVAL); /* MADV_NOHUGEPAGE */
	EXPECT_EQ(x_madvise(p.at, SIZE, MADV_HUGEPAGE), 0);
	EXPECT_FAILS(x_madvise(p.at, LARGE, MADV_COLLAPSE), EINVAL);
	EXPECT_FAILS(x_madvise(p.at, SIZE, MADV_COLLAPSE), EINVAL);
	EXPECT_EQ(ld8(p.at + LARGE), 1);
	give_back(p);
}

static int child_sees_marks(void *arg)
{
	const struct place *p = arg;

	for (unsigned i = 0; i < 512; i++)
		CHILD_EXPECT(ld8(p->at + i * PAGE + i) == mark(i));
	CHILD_EXPECT(x_madvise(p->at, LARGE, MADV_COLLAPSE) == 0);
	st8(p->at + 5 * PAGE + 5, 1);
	CHILD_EXPECT(ld8(p->at + 6 * PAGE + 6) == mark(6));
	return 0;
}

TEST(collapse, of_what_a_child_shares_is_the_callers_alone)
{
	struct place p = small_place();

	mark_all(p.at);
	EXPECT_EQ(x_madvise(p.at, SIZE, MADV_HUGEPAGE), 0);
	EXPECT_EQ(in_child(child_sees_marks, &p), 0);
	expect_marks(p.at, 0, NPAGES);
	EXPECT_EQ(x_mprotect(p.at, LARGE, PROT_READ), 0);
	EXPECT_EQ(x_madvise(p.at, LARGE, MADV_COLLAPSE), 0);
	EXPECT_STORE_FAULTS(p.at, SIGSEGV, SEGV_ACCERR);
	expect_marks(p.at, 0, NPAGES);
	give_back(p);
}

TEST(collapse, of_private_memory_ends_where_nothing_is_and_what_comes_before_is_done)
{
	struct place p = small_place();

	EXPECT_EQ(x_madvise(p.at, SIZE, MADV_HUGEPAGE), 0);
	EXPECT_EQ(x_madvise(p.at, SIZE, MADV_NOHUGEPAGE), 0);
	st8(p.at + 5 * PAGE, 5);
	st8(p.at + 2 * LARGE, 6);
	EXPECT_EQ(x_madvise(p.at, SIZE, MADV_HUGEPAGE), 0);
	EXPECT_FAILS(x_madvise(p.at, SIZE, MADV_COLLAPSE), EINVAL);
	EXPECT_EQ(mapped(p.at, "AnonHugePages"), SPAN);
	EXPECT_EQ(mapped(p.at, "Rss"), SPAN + 1);
	EXPECT_EQ(ld8(p.at + 5 * PAGE), 5);
	EXPECT_EQ(ld8(p.at + 2 * LARGE), 6);
	give_back(p);
}

TEST(collapse, of_private_memory_that_was_only_read_makes_zeros_if_its_mapping_has_other_pages)
{
	struct place p = small_place();

	EXPECT_EQ(ld8(p.at + 3 * PAGE), 0);
	EXPECT_EQ(x_madvise(p.at, SIZE, MADV_HUGEPAGE), 0);
	EXPECT_FAILS(x_madvise(p.at, LARGE, MADV_COLLAPSE), EINVAL);
	EXPECT_EQ(x_madvise(p.at, SIZE, MADV_NOHUGEPAGE), 0);
	st8(p.at + LARGE, 1);
	EXPECT_EQ(x_madvise(p.at, SIZE, MADV_HUGEPAGE), 0);
	EXPECT_EQ(x_madvise(p.at, LARGE, MADV_COLLAPSE), 0);
	EXPECT_EQ(mapped(p.at, "AnonHugePages"), SPAN);
	EXPECT_EQ(mapped(p.at, "Private_Dirty"), SPAN + 1);
	EXPECT_EQ(ld8(p.at + 3 * PAGE), 0);
	give_back(p);
}

TEST(collapse, of_private_memory_without_access_or_locked_is_as_of_any)
{
	struct place p = small_place();

	mark_all(p.at);
	EXPECT_EQ(x_madvise(p.at, SIZE, MADV_HUGEPAGE), 0);
	EXPECT_EQ(x_mprotect(p.at, SIZE, PROT_NONE), 0);
	EXPECT_EQ(x_madvise(p.at, LARGE, MADV_COLLAPSE), 0);
	EXPECT_EQ(mapped(p.at, "AnonHugePages"), SPAN);
	EXPECT_LOAD_FAULTS(p.at + PAGE, SIGSEGV, SEGV_ACCERR);
	EXPECT_EQ(x_mprotect(p.at, SIZE, RW), 0);
	expect_marks(p.at, 0, NPAGES);
	EXPECT_EQ(x_mlock(p.at + LARGE, LARGE), 0);
	EXPECT_EQ(x_madvise(p.at + LARGE, LARGE, MADV_COLLAPSE), 0);
	EXPECT_EQ(mapped(p.at + LARGE, "AnonHugePages"), SPAN);
	expect_marks(p.at, 0, NPAGES);
	give_back(p);
}

TEST(collapse, of_private_memory_with_a_guard_fails_EINVAL_and_ends)
{
	struct place p = small_place();

	mark_all(p.at);
	if (x_madvise(p.at + 3 * PAGE, PAGE, MADV_GUARD_INSTALL) < 0) {
		give_back(p);
		SKIP("this kernel has no guards");
	}
	EXPECT_EQ(x_madvise(p.at, SIZE, MADV_HUGEPAGE), 0);
	EXPECT_FAILS(x_madvise(p.at, SIZE, MADV_COLLAPSE), EINVAL);
	EXPECT_EQ(mapped(p.at, "AnonHugePages"), 0);
	EXPECT_LOAD_FAULTS(p.at + 3 * PAGE, SIGSEGV, SEGV_MAPERR);
	expect_marks(p.at, 4, NPAGES);
	EXPECT_EQ(x_madvise(p.at + LARGE, 2 * LARGE, MADV_COLLAPSE), 0);
	expect_marks(p.at, 4, NPAGES);
	give_back(p);
}

/* ---- files ---- */

TEST(collapse_of_file, keeps_every_byte_and_fills_its_holes)
{
	int fd = sparse_file();
	struct place p = file_place(fd, RW, MAP_SHARED);
	unsigned char resident[SPAN];

	for (unsigned i = 0; i < SPAN; i += 3)
		st8(p.at + i * PAGE + i, mark(i));
	put_byte(fd, 4, 44);
	EXPECT_EQ(x_madvise(p.at, LARGE, MADV_COLLAPSE), 0);
	EXPECT_EQ(pages_of(fd), SPAN);
	EXPECT_EQ(mapped(p.at, "Rss"), SPAN);
	EXPECT_EQ(mapped(p.at, "ShmemPmdMapped"), SPAN);
	EXPECT_EQ(mapped(p.at, "Private_Dirty"), SPAN);
	EXPECT_EQ(mapped(p.at, "Referenced"), SPAN);
	EXPECT_EQ(mapped(p.at, "FilePmdMapped"), 0);
	EXPECT_EQ(x_mincore(p.at, LARGE, resident), 0);
	for (unsigned i = 0; i < SPAN; i++)
		EXPECT_EQ(resident[i] & 1, 1);
	for (unsigned i = 0; i < SPAN; i += 3)
		EXPECT_EQ(byte_at(fd, i * PAGE + i), mark(i));
	EXPECT_EQ(ld8(p.at + 4 * PAGE), 44);
	EXPECT_EQ(ld8(p.at + 5 * PAGE), 0);
	EXPECT_EQ(x_lseek(fd, 0, SEEK_HOLE), LARGE);
	st8(p.at + 5 * PAGE, 55);
	put_byte(fd, 7, 77);
	EXPECT_EQ(byte_at(fd, 5 * PAGE), 55);
	EXPECT_EQ(ld8(p.at + 7 * PAGE), 77);
	EXPECT_EQ(x_madvise(p.at, LARGE, MADV_COLLAPSE), 0);
	EXPECT_EQ(ld8(p.at + 7 * PAGE), 77);
	give_back(p);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(collapse_of_file, that_nobody_has_touched_maps_it)
{
	int fd = sparse_file();
	struct place p = file_place(fd, RW, MAP_SHARED), q = file_place(fd, PROT_READ, MAP_PRIVATE);

	for (unsigned i = 0; i < NPAGES; i++)
		put_byte(fd, i, mark(i));
	EXPECT_EQ(x_madvise(p.at, SIZE, MADV_COLLAPSE), 0);
	EXPECT_EQ(mapped(p.at, "ShmemPmdMapped"), NPAGES);
	EXPECT_EQ(mapped(q.at, "Rss"), 0);
	EXPECT_EQ(x_madvise(q.at, SIZE, MADV_COLLAPSE), 0);
	EXPECT_EQ(mapped(q.at, "ShmemPmdMapped"), NPAGES);
	EXPECT_EQ(mapped(q.at, "Shared_Dirty"), NPAGES);
	EXPECT_EQ(mapped(p.at, "Private_Dirty"), 0);
	for (unsigned i = 0; i < NPAGES; i++)
		EXPECT_EQ(ld8(q.at + i * PAGE), mark(i));
	give_back(p);
	give_back(q);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(collapse_of_file, that_has_nothing_there_fails_EINVAL_and_ends)
{
	int fd = sparse_file();
	struct place p = file_place(fd, RW, MAP_SHARED);

	EXPECT_FAILS(x_madvise(p.at, LARGE, MADV_COLLAPSE), EINVAL);
	st8(p.at, 1);
	st8(p.at + 2 * LARGE, 2);
	EXPECT_FAILS(x_madvise(p.at, SIZE, MADV_COLLAPSE), EINVAL);
	EXPECT_EQ(pages_of(fd), SPAN + 1);
	EXPECT_EQ(mapped(p.at, "ShmemPmdMapped"), SPAN);
	EXPECT_EQ(ld8(p.at + 2 * LARGE), 2);
	give_back(p);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(collapse_of_file, takes_the_pages_from_all_who_map_it_and_they_find_them_again)
{
	int fd = sparse_file();
	struct place p = file_place(fd, RW, MAP_SHARED), q = file_place(fd, PROT_READ, MAP_SHARED);
	struct place r = file_place(fd, RW, MAP_PRIVATE);

	mark_all(p.at);
	expect_marks(q.at, 0, NPAGES);
	expect_marks(r.at, 0, NPAGES);
	st8(r.at + 4 * PAGE + 4, 99);
	EXPECT_EQ(x_madvise(p.at, LARGE, MADV_COLLAPSE), 0);
	EXPECT_EQ(mapped(q.at, "Rss"), NPAGES - SPAN);
	EXPECT_EQ(mapped(r.at, "Rss"), NPAGES - SPAN + 1);
	EXPECT_EQ(mapped(r.at, "Anonymous"), 1);
	expect_marks(q.at, 0, NPAGES);
	expect_marks(r.at, 0, 4);
	expect_marks(r.at, 5, NPAGES);
	EXPECT_EQ(ld8(r.at + 4 * PAGE + 4), 99);
	st8(p.at + 9 * PAGE + 9, 9);
	EXPECT_EQ(ld8(q.at + 9 * PAGE + 9), 9);
	EXPECT_EQ(ld8(r.at + 9 * PAGE + 9), 9);
	EXPECT_STORE_FAULTS(q.at + 9 * PAGE, SIGSEGV, SEGV_ACCERR);
	EXPECT_EQ(x_madvise(q.at, LARGE, MADV_COLLAPSE), 0);
	EXPECT_FAILS(x_madvise(r.at, LARGE, MADV_COLLAPSE), EINVAL);
	EXPECT_EQ(ld8(r.at + 4 * PAGE + 4), 99);
	give_back(p);
	give_back(q);
	give_back(r);
	EXPECT_EQ(x_close(fd), 0);
}

static int child_collapses(void *arg)
{
	const struct place *p = arg;

	CHILD_EXPECT(x_madvise(p->at, SIZE, MADV_COLLAPSE) == 0);
	CHILD_EXPECT(ld8(p->at + 5 * PAGE + 5) == mark(5));
	st8(p->at + 6 * PAGE, 66);
	return 0;
}

TEST(collapse_of_file, by_a_child_is_seen_by_nobody)
{
	int fd = sparse_file();
	struct place p = file_place(fd, RW, MAP_SHARED);

	mark_all(p.at);
	EXPECT_EQ(in_child(child_collapses, &p), 0);
	expect_marks(p.at, 0, NPAGES);
	EXPECT_EQ(ld8(p.at + 6 * PAGE), 66);
	EXPECT_EQ(byte_at(fd, 6 * PAGE), 66);
	give_back(p);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(collapse_of_file, of_a_private_mapping_with_copies_fails_EINVAL_and_puts_the_files_pages_together)
{
	int fd = sparse_file();
	struct place p = file_place(fd, RW, MAP_PRIVATE);

	put_byte(fd, 9, 1);
	put_byte(fd, SPAN, 2);
	EXPECT_EQ(x_madvise(p.at, LARGE, MADV_COLLAPSE), 0);
	EXPECT_EQ(mapped(p.at, "ShmemPmdMapped"), SPAN);
	st8(p.at + LARGE + PAGE, 3);
	EXPECT_EQ(x_madvise(p.at, LARGE, MADV_COLLAPSE), 0);
	EXPECT_FAILS(x_madvise(p.at + LARGE, LARGE, MADV_COLLAPSE), EINVAL);
	EXPECT_EQ(pages_of(fd), 2 * SPAN);
	EXPECT_EQ(mapped(p.at, "Anonymous"), 1);
	EXPECT_EQ(ld8(p.at + LARGE), 2);
	EXPECT_EQ(ld8(p.at + LARGE + PAGE), 3);
	EXPECT_EQ(x_madvise(p.at + LARGE, LARGE, MADV_DONTNEED), 0);
	EXPECT_EQ(x_madvise(p.at + LARGE, LARGE, MADV_COLLAPSE), 0);
	EXPECT_EQ(mapped(p.at, "ShmemPmdMapped"), 2 * SPAN);
	EXPECT_EQ(ld8(p.at + LARGE + PAGE), 0);
	give_back(p);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(collapse_of_file, of_a_private_mapping_with_copies_ends_there)
{
	int fd = sparse_file();
	struct place p = file_place(fd, RW, MAP_PRIVATE);

	st8(p.at, 1);
	st8(p.at + LARGE, 2);
	EXPECT_FAILS(x_madvise(p.at, SIZE, MADV_COLLAPSE), EINVAL);
	EXPECT_EQ(pages_of(fd), SPAN + 1);
	EXPECT_EQ(ld8(p.at), 1);
	EXPECT_EQ(ld8(p.at + LARGE), 2);
	give_back(p);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(collapse_of_file, can_be_undone_by_holes_and_truncation)
{
	int fd = sparse_file();
	struct place p = file_place(fd, RW, MAP_SHARED);

	mark_all(p.at);
	EXPECT_EQ(x_madvise(p.at, SIZE, MADV_COLLAPSE), 0);
	EXPECT_EQ(x_fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 10 * PAGE, 2 * PAGE), 0);
	EXPECT_EQ(pages_of(fd), NPAGES - 2);
	EXPECT_EQ(x_lseek(fd, 0, SEEK_HOLE), 10 * PAGE);
	EXPECT_EQ(ld8(p.at + 10 * PAGE + 10), 0);
	expect_marks(p.at, 12, NPAGES);
	EXPECT_EQ(x_madvise(p.at, SIZE, MADV_COLLAPSE), 0);
	EXPECT_EQ(pages_of(fd), NPAGES);
	EXPECT_EQ(mapped(p.at, "ShmemPmdMapped"), NPAGES);
	EXPECT_EQ(ld8(p.at + 10 * PAGE + 10), 0);
	EXPECT_EQ(x_ftruncate(fd, LARGE + 100 * PAGE), 0);
	EXPECT_EQ(pages_of(fd), SPAN + 100);
	EXPECT_LOAD_FAULTS(p.at + LARGE + 100 * PAGE, SIGBUS, BUS_ADRERR);
	expect_marks(p.at, 12, SPAN + 100);
	give_back(p);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(collapse_of_file, that_ends_within_a_large_page_makes_pages_of_zeros_beyond_its_end)
{
	int fd = sparse_file();
	struct place p = file_place(fd, RW, MAP_SHARED);

	EXPECT_EQ(x_ftruncate(fd, 100 * PAGE), 0);
	st8(p.at + 5 * PAGE, 5);
	EXPECT_EQ(x_madvise(p.at, LARGE, MADV_COLLAPSE), 0);
	EXPECT_FAILS(x_madvise(p.at, SIZE, MADV_COLLAPSE), EINVAL);
	EXPECT_EQ(pages_of(fd), SPAN);
	EXPECT_EQ(size_of(fd), 100 * PAGE);
	EXPECT_EQ(ld8(p.at + 5 * PAGE), 5);
	EXPECT_EQ(ld8(p.at + 99 * PAGE), 0);
	EXPECT_EQ(byte_at(fd, 5 * PAGE), 5);
	EXPECT_EQ(x_lseek(fd, 0, SEEK_HOLE), 100 * PAGE);
	EXPECT_EQ(x_ftruncate(fd, 200 * PAGE), 0);
	EXPECT_EQ(pages_of(fd), SPAN);
	EXPECT_EQ(ld8(p.at + 150 * PAGE), 0);
	EXPECT_EQ(x_lseek(fd, 0, SEEK_HOLE), 200 * PAGE);
	EXPECT_EQ(x_ftruncate(fd, 50 * PAGE), 0);
	EXPECT_EQ(pages_of(fd), 50);
	EXPECT_LOAD_FAULTS(p.at + 60 * PAGE, SIGBUS, BUS_ADRERR);
	EXPECT_EQ(ld8(p.at + 5 * PAGE), 5);
	give_back(p);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(collapse_of_file, makes_data_of_what_fallocate_has_set_aside)
{
	int fd = sparse_file();
	struct place p = file_place(fd, RW, MAP_SHARED);

	EXPECT_EQ(x_fallocate(fd, 0, 0, LARGE), 0);
	EXPECT_EQ(x_fallocate(fd, 0, LARGE, 20 * PAGE), 0);
	EXPECT_FAILS(x_lseek(fd, 0, SEEK_DATA), ENXIO);
	EXPECT_EQ(x_madvise(p.at, 2 * LARGE, MADV_COLLAPSE), 0);
	EXPECT_EQ(pages_of(fd), 2 * SPAN);
	EXPECT_EQ(x_lseek(fd, 0, SEEK_DATA), 0);
	EXPECT_EQ(x_lseek(fd, 0, SEEK_HOLE), 2 * LARGE);
	EXPECT_EQ(ld8(p.at + PAGE), 0);
	give_back(p);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(collapse_of_file, with_pages_beyond_its_end_that_fallocate_set_aside_once_fails_EINVAL)
{
	int fd = sparse_file();
	struct place p = file_place(fd, RW, MAP_SHARED);

	EXPECT_EQ(x_ftruncate(fd, 100 * PAGE), 0);
	EXPECT_EQ(x_fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 200 * PAGE), 0);
	EXPECT_FAILS(x_madvise(p.at, LARGE, MADV_COLLAPSE), EINVAL);
	EXPECT_EQ(pages_of(fd), 200);
	EXPECT_EQ(x_fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 200 * PAGE), 0);
	EXPECT_EQ(x_madvise(p.at, LARGE, MADV_COLLAPSE), 0);
	EXPECT_EQ(pages_of(fd), SPAN);
	give_back(p);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(collapse_of_file, with_a_guard_fails_EINVAL_and_goes_on)
{
	int fd = sparse_file();
	struct place p = file_place(fd, RW, MAP_SHARED);

	mark_all(p.at);
	if (x_madvise(p.at + 3 * PAGE, PAGE, MADV_GUARD_INSTALL) < 0) {
		give_back(p);
		SKIP("this kernel has no guards over files");
	}
	EXPECT_FAILS(x_madvise(p.at, SIZE, MADV_COLLAPSE), EINVAL);
	EXPECT_EQ(mapped(p.at, "ShmemPmdMapped"), 2 * SPAN);
	EXPECT_LOAD_FAULTS(p.at + 3 * PAGE, SIGSEGV, SEGV_MAPERR);
	expect_marks(p.at, 4, NPAGES);
	EXPECT_EQ(byte_at(fd, 3 * PAGE + 3), mark(3));
	give_back(p);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(collapse_of_file, needs_neither_access_nor_the_right_to_write)
{
	int fd = sparse_file(), reader;
	struct place p, q;

	put_byte(fd, 9, 1);
	SETUP(x_fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) == 0);
	reader = reopen(fd, O_RDONLY);
	p = file_place(reader, PROT_NONE, MAP_SHARED);
	EXPECT_EQ(x_madvise(p.at, LARGE, MADV_COLLAPSE), 0);
	EXPECT_EQ(pages_of(fd), SPAN);
	EXPECT_EQ(mapped(p.at, "ShmemPmdMapped"), SPAN);
	EXPECT_LOAD_FAULTS(p.at, SIGSEGV, SEGV_ACCERR);
	EXPECT_EQ(x_mprotect(p.at, SIZE, PROT_READ), 0);
	EXPECT_EQ(ld8(p.at + 9 * PAGE), 1);
	q = file_place(reader, PROT_READ, MAP_SHARED);
	EXPECT_EQ(x_madvise(q.at, LARGE, MADV_COLLAPSE), 0);
	EXPECT_STORE_FAULTS(q.at, SIGSEGV, SEGV_ACCERR);
	give_back(p);
	give_back(q);
	EXPECT_EQ(x_close(reader), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(collapse_of_file, of_locked_memory_leaves_it_locked)
{
	int fd = sparse_file();
	struct place p = file_place(fd, RW, MAP_SHARED);

	EXPECT_EQ(x_mlock(p.at, LARGE), 0);
	st8(p.at + 5 * PAGE, 5);
	EXPECT_EQ(x_madvise(p.at, LARGE, MADV_COLLAPSE), 0);
	EXPECT_EQ(mapped(p.at, "Locked"), SPAN);
	EXPECT_EQ(mapped(p.at, "ShmemPmdMapped"), SPAN);
	EXPECT_EQ(ld8(p.at + 5 * PAGE), 5);
	give_back(p);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(collapse_of_file, stamps_no_time)
{
	int fd = sparse_file();
	struct place p = file_place(fd, RW, MAP_SHARED);
	struct stat before, after;

	st8(p.at, 1);
	SETUP(x_fstat(fd, &before) == 0);
	file_clock_tick();
	EXPECT_EQ(x_madvise(p.at, LARGE, MADV_COLLAPSE), 0);
	SETUP(x_fstat(fd, &after) == 0);
	EXPECT(!later(after.st_mtim, before.st_mtim));
	EXPECT(!later(after.st_ctim, before.st_ctim));
	give_back(p);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(collapse_of_file, of_shared_anonymous_memory_is_as_of_any)
{
	struct place p;

	skip_without_large_pages();
	p = file_place(-1, RW, MAP_SHARED | MAP_ANONYMOUS);
	EXPECT_FAILS(x_madvise(p.at, LARGE, MADV_COLLAPSE), EINVAL);
	mark_all(p.at);
	EXPECT_EQ(x_madvise(p.at, SIZE, MADV_COLLAPSE), 0);
	EXPECT_EQ(mapped(p.at, "ShmemPmdMapped"), NPAGES);
	expect_marks(p.at, 0, NPAGES);
	EXPECT_EQ(x_madvise(p.at, SIZE, MADV_NOHUGEPAGE), 0);
	EXPECT_FAILS(x_madvise(p.at, SIZE, MADV_COLLAPSE), EINVAL);
	EXPECT_EQ(x_madvise(p.at, SIZE, MADV_HUGEPAGE), 0);
	EXPECT_EQ(x_madvise(p.at, SIZE, MADV_COLLAPSE), 0);
	give_back(p);
}

TEST(collapse_of_file, that_was_told_NOHUGEPAGE_in_one_mapping_goes_by_another)
{
	int fd = sparse_file();
	struct place p = file_place(fd, RW, MAP_SHARED), q = file_place(fd, RW, MAP_SHARED);

	mark_all(p.at);
	if (x_madvise(p.at, SIZE, MADV_NOHUGEPAGE) == 0) {
		EXPECT_FAILS(x_madvise(p.at, SIZE, MADV_COLLAPSE), EINVAL);
		EXPECT_EQ(x_madvise(q.at, SIZE, MADV_COLLAPSE), 0);
		EXPECT_EQ(mapped(q.at, "ShmemPmdMapped"), NPAGES);
		expect_marks(p.at, 0, NPAGES);
		EXPECT_EQ(mapped(p.at, "ShmemPmdMapped"), 0);
	}
	give_back(p);
	give_back(q);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(collapse_of_file, is_of_the_large_pages_that_lie_whole_in_the_range)
{
	int fd = sparse_file();
	struct place p = file_place(fd, RW, MAP_SHARED);

	mark_all(p.at);
	EXPECT_EQ(x_madvise(p.at, 0, MADV_COLLAPSE), 0);
	EXPECT_EQ(x_madvise(p.at, PAGE, MADV_COLLAPSE), 0);
	EXPECT_EQ(x_madvise(p.at + PAGE, LARGE, MADV_COLLAPSE), 0);
	EXPECT_FAILS(x_madvise(p.at + PAGE, PAGE, MADV_COLLAPSE), EINVAL);
	EXPECT_FAILS(x_madvise(p.at + 1, LARGE, MADV_COLLAPSE), EINVAL);
	EXPECT_EQ(mapped(p.at, "ShmemPmdMapped"), 0);
	EXPECT_EQ(x_madvise(p.at + PAGE, 2 * LARGE, MADV_COLLAPSE), 0);
	EXPECT_EQ(mapped(p.at, "ShmemPmdMapped"), SPAN);
	EXPECT_EQ(x_madvise(p.at, LARGE - 1, MADV_COLLAPSE), 0);
	EXPECT_EQ(mapped(p.at, "ShmemPmdMapped"), 2 * SPAN);
	expect_marks(p.at, 0, NPAGES);
	give_back(p);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(collapse_of_file, goes_mapping_by_mapping_and_ends_where_none_fits)
{
	int fd = sparse_file();
	struct place p = file_place(fd, RW, MAP_SHARED);

	mark_all(p.at);
	EXPECT_EQ(x_mprotect(p.at + LARGE, LARGE, PROT_READ), 0);
	EXPECT_EQ(x_mprotect(p.at + 2 * LARGE + PAGE, PAGE, PROT_READ), 0);
	EXPECT_FAILS(x_madvise(p.at, SIZE, MADV_COLLAPSE), EINVAL);
	EXPECT_EQ(mapped(p.at, "ShmemPmdMapped"), SPAN);
	EXPECT_EQ(mapped(p.at + LARGE, "ShmemPmdMapped"), SPAN);
	expect_marks(p.at, 0, NPAGES);
	EXPECT_EQ(x_munmap(p.at + 2 * LARGE, LARGE), 0);
	EXPECT_FAILS(x_madvise(p.at, SIZE, MADV_COLLAPSE), ENOMEM);
	give_back(p);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(collapse_of_file, mapped_at_another_offset_within_large_pages_fails_EINVAL)
{
	int fd = sparse_file();
	struct place p = place();

	SETUP(x_mmap(p.at, 2 * LARGE, RW, MAP_SHARED | MAP_FIXED, fd, PAGE) == p.at);
	st8(p.at, 1);
	EXPECT_FAILS(x_madvise(p.at, LARGE, MADV_COLLAPSE), EINVAL);
	EXPECT_EQ(pages_of(fd), 1);
	SETUP(x_mmap(p.at, LARGE, RW, MAP_SHARED | MAP_FIXED, fd, LARGE) == p.at);
	st8(p.at, 2);
	EXPECT_EQ(x_madvise(p.at, LARGE, MADV_COLLAPSE), 0);
	EXPECT_EQ(pages_of(fd), SPAN + 1);
	EXPECT_EQ(byte_at(fd, LARGE), 2);
	give_back(p);
	EXPECT_EQ(x_close(fd), 0);
}
