// SPDX-License-Identifier: MIT
/*
 * What Linux promises of memfd_create and of a memfd as a file: names, flags, size, read, write, seek, ftruncate,
 * fallocate, fstat. SEMANTICS.md 1-3, 6, 7, 58; memfd_create(2), read(2), write(2), pread(2), lseek(2), ftruncate(2),
 * fallocate(2), fstat(2), close(2). Seals are in abi_seals.c, several fds on one file in abi_fd.c.
 */
#include "abi.h"

#include <limits.h>

/* memfd_create. */

TEST(memfd, create_without_a_name_fails_EFAULT)
{
	/* 1: name NULL is EFAULT. memfd_create(2). */
	EXPECT_FAILS(x_memfd_create(NULL, 0), EFAULT);
}

TEST(memfd, create_with_an_unmapped_name_fails_EFAULT)
{
	/* memfd_create(2): EFAULT, the address in name points to invalid memory. */
	EXPECT_FAILS(x_memfd_create(ubuf(unmapped_page()), 0), EFAULT);
}

TEST(memfd, create_with_a_name_running_into_an_unmapped_page_fails_EFAULT)
{
	/* memfd_create(2): the whole name must be readable, up to its NUL. */
	addr_t two = map_anonymous(2, PROT_READ | PROT_WRITE, MAP_PRIVATE);

	unmap(two + PAGE, 1);
	st8(two + PAGE - 2, 'a');
	st8(two + PAGE - 1, 'b');
	EXPECT_FAILS(x_memfd_create(ubuf(two + PAGE - 2), 0), EFAULT);
	unmap(two, 1);
}

TEST(memfd, create_reads_its_name_from_mapped_memory)
{
	/* memfd_create(2): any readable memory will do, up to the last byte of a page. */
	addr_t two = map_anonymous(2, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	int fd;

	unmap(two + PAGE, 1);
	st8(two + PAGE - 2, 'a');
	st8(two + PAGE - 1, '\0');
	fd = x_memfd_create(ubuf(two + PAGE - 2), 0);
	EXPECT(fd >= 0);
	EXPECT_EQ(x_close(fd), 0);
	unmap(two, 1);
}

TEST(memfd, create_accepts_a_name_of_249_bytes)
{
	/* 1: the limit is 249 bytes without the NUL. memfd_create(2). */
	char name[250];
	int fd;

	memset(name, 'n', 249);
	name[249] = '\0';
	fd = x_memfd_create(name, 0);
	EXPECT(fd >= 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(memfd, create_with_a_name_of_250_bytes_fails_EINVAL)
{
	/* 1: one byte more. */
	char name[251];

	memset(name, 'n', 250);
	name[250] = '\0';
	EXPECT_FAILS(x_memfd_create(name, 0), EINVAL);
}

TEST(memfd, create_accepts_the_empty_name)
{
	/* 2. */
	int fd = x_memfd_create("", 0);

	EXPECT(fd >= 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(memfd, create_accepts_a_name_with_slashes)
{
	/* 2: the name is for debugging, not a path. */
	int fd = x_memfd_create("/a/../b/", 0);

	EXPECT(fd >= 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(memfd, create_with_an_unknown_flag_fails_EINVAL)
{
	/* 3. */
	EXPECT_FAILS(x_memfd_create("abi", 0x40), EINVAL);
	EXPECT_FAILS(x_memfd_create("abi", MFD_CLOEXEC | 0x1000), EINVAL);
}

TEST(memfd, create_with_both_exec_flags_fails_EINVAL)
{
	/* 3: MFD_EXEC (0x10) with MFD_NOEXEC_SEAL (0x8); kernels before 6.3 know neither. */
	EXPECT_FAILS(x_memfd_create("abi", 0x18), EINVAL);
}

TEST(memfd, create_with_huge_page_size_bits_alone_fails_EINVAL)
{
	/* 4: size bits without MFD_HUGETLB. */
	EXPECT_FAILS(x_memfd_create("abi", 21u << 26), EINVAL);
}

TEST(memfd, create_checks_flags_before_the_name)
{
	/* mm/memfd.c: flags first, then the name. */
	EXPECT_FAILS(x_memfd_create(NULL, 0x40), EINVAL);
}

TEST(memfd, create_at_the_fd_limit_fails_EMFILE)
{
	/* memfd_create(2): EMFILE, the per-process limit has been reached. */
	struct fd_hog hog;

	hog_fds(&hog, 0);
	EXPECT_FAILS(x_memfd_create("abi", 0), EMFILE);
	unhog_fds(&hog);
}

TEST(memfd, create_takes_the_lowest_free_fd)
{
	/* POSIX: a new fd is the lowest number that is not open. */
	int low = memfd(0);
	int high = memfd(0);
	int again;

	EXPECT(high > low);
	EXPECT_EQ(x_close(low), 0);
	again = memfd(0);
	EXPECT_EQ(again, low);
	EXPECT_EQ(x_close(again), 0);
	EXPECT_EQ(x_close(high), 0);
}

TEST(memfd, create_sets_close_on_exec_only_when_asked)
{
	/* memfd_create(2): MFD_CLOEXEC. */
	int with = x_memfd_create("abi", MFD_CLOEXEC);
	int without = x_memfd_create("abi", 0);

	EXPECT_EQ(x_fcntl(with, F_GETFD), FD_CLOEXEC);
	EXPECT_EQ(x_fcntl(without, F_GETFD), 0);
	EXPECT_EQ(x_close(with), 0);
	EXPECT_EQ(x_close(without), 0);
}

TEST(memfd, of_equal_name_are_different_files)
{
	/* memfd_create(2): names do not matter, several files may have the same. */
	int a = x_memfd_create("same", 0);
	int b = x_memfd_create("same", 0);

	EXPECT_EQ(x_write(a, "x", 1), 1);
	EXPECT_EQ(size_of(b), 0);
	EXPECT_EQ(x_close(a), 0);
	EXPECT_EQ(x_close(b), 0);
}

/* Huge pages: 4, 5, 13. Whether there are any is not asked here. */

#ifndef MFD_HUGETLB
#define MFD_HUGETLB 4U
#endif
enum { HUGE_2M = 21, HUGE_SHIFT = 26 };

/* -1: this kernel has none of 2 MiB. */
static int huge_memfd(void)
{
	int fd = x_memfd_create("huge", MFD_HUGETLB | MFD_ALLOW_SEALING | (HUGE_2M << HUGE_SHIFT));

	if (fd < 0)
		SKIP("no huge pages of 2 MiB: %s", strerror(errno));
	return fd;
}

TEST(memfd, create_of_huge_pages_of_an_unsupported_size_fails_ENODEV)
{
	/* 4: after the name has been read. */
	EXPECT_FAILS(x_memfd_create("abi", MFD_HUGETLB | 20u << HUGE_SHIFT), ENODEV);
	EXPECT_FAILS(x_memfd_create("abi", MFD_HUGETLB | 63u << HUGE_SHIFT), ENODEV);
	EXPECT_FAILS(x_memfd_create(NULL, MFD_HUGETLB | 63u << HUGE_SHIFT), EFAULT);
	EXPECT_FAILS(x_memfd_create("abi", MFD_HUGETLB | 0x40), EINVAL);
}

TEST(memfd, of_huge_pages_has_blocks_of_them)
{
	/* 13. */
	int fd = huge_memfd();
	struct stat st;

	EXPECT_EQ(x_fstat(fd, &st), 0);
	EXPECT_EQ(st.st_blksize, 2 << 20);
	EXPECT_EQ(st.st_mode, S_IFREG | 0777);
	EXPECT_EQ(st.st_blocks, 0);
	EXPECT_EQ(seals_of(fd), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(memfd, of_huge_pages_cannot_be_written_to_EINVAL)
{
	/* 13: not even with nothing. */
	int fd = huge_memfd();
	struct iovec iov = { (char[]){ "x" }, 1 };

	EXPECT_FAILS(x_write(fd, "x", 1), EINVAL);
	EXPECT_FAILS(x_write(fd, "x", 0), EINVAL);
	EXPECT_FAILS(x_pwrite(fd, "x", 1, 0), EINVAL);
	EXPECT_FAILS(x_writev(fd, &iov, 1), EINVAL);
	EXPECT_EQ(size_of(fd), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(memfd, of_huge_pages_has_a_size_of_whole_ones)
{
	/* 13: an unaligned ftruncate is EINVAL, before seals are looked at. */
	int fd = huge_memfd();
	char byte = 'x';

	EXPECT_FAILS(x_ftruncate(fd, PAGE), EINVAL);
	EXPECT_EQ(x_ftruncate(fd, 4 << 20), 0);
	EXPECT_EQ(x_ftruncate(fd, 2 << 20), 0);
	EXPECT_EQ(x_read(fd, &byte, 1), 1);
	EXPECT_EQ(byte, 0);
	SETUP(x_fcntl(fd, F_ADD_SEALS, F_SEAL_GROW) == 0);
	EXPECT_FAILS(x_ftruncate(fd, 4 << 20), EPERM);
	EXPECT_FAILS(x_ftruncate(fd, (4 << 20) + 1), EINVAL);
	EXPECT_EQ(x_close(fd), 0);
}

/* fstat. */

TEST(memfd, new_file_is_empty_unlinked_and_mode_0777)
{
	/* 6: size 0, nlink 0, mode 0777. */
	int fd = x_memfd_create("abi", 0);
	struct stat st;

	EXPECT_EQ(x_fstat(fd, &st), 0);
	EXPECT_EQ(st.st_size, 0);
	EXPECT_EQ(st.st_nlink, 0);
	EXPECT_EQ(st.st_mode, S_IFREG | 0777);
	EXPECT_EQ(st.st_blocks, 0);
	EXPECT_EQ(st.st_blksize, PAGE);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(memfd, new_file_is_open_for_reading_and_writing_of_large_files)
{
	/* 6: O_RDWR|O_LARGEFILE. libc hides the kernel's O_LARGEFILE, so it stands here per architecture. */
#ifdef __aarch64__
	int large = 0400000;
#else
	int large = 0100000;
#endif
	int fd = x_memfd_create("abi", 0);

	EXPECT_EQ(x_fcntl(fd, F_GETFL), O_RDWR | large);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(memfd, fstat_tells_inodes_apart)
{
	/* inode(7): device and inode number together name a file. */
	struct stat a, b, a_again;
	int fds[2] = { memfd(0), memfd(0) };
	int dup_of_a = x_dup(fds[0]);

	EXPECT_EQ(x_fstat(fds[0], &a), 0);
	EXPECT_EQ(x_fstat(fds[1], &b), 0);
	EXPECT_EQ(x_fstat(dup_of_a, &a_again), 0);
	EXPECT(a.st_dev == b.st_dev && a.st_ino != b.st_ino);
	EXPECT(a.st_dev == a_again.st_dev && a.st_ino == a_again.st_ino);
	EXPECT_EQ(x_close(dup_of_a), 0);
	EXPECT_EQ(x_close(fds[0]), 0);
	EXPECT_EQ(x_close(fds[1]), 0);
}

TEST(memfd, fstat_counts_blocks_of_written_pages_only)
{
	/* stat(3type): st_blocks in units of 512 bytes; tmpfs allocates by page, on writing. */
	int fd = memfd(16);
	struct stat st;

	EXPECT_EQ(x_pwrite(fd, "x", 1, 5 * PAGE), 1);
	EXPECT_EQ(x_fstat(fd, &st), 0);
	EXPECT_EQ(st.st_blocks, 8);
	EXPECT_EQ(x_pwrite(fd, "xy", 2, 8 * PAGE - 1), 2);
	EXPECT_EQ(x_fstat(fd, &st), 0);
	EXPECT_EQ(st.st_blocks, 24);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(memfd, fstat_of_a_closed_fd_fails_EBADF)
{
	/* fstat(2). */
	struct stat st;

	EXPECT_FAILS(x_fstat(-1, &st), EBADF);
	EXPECT_FAILS(x_fstat(lowest_free_fd(), &st), EBADF);
}

TEST(memfd, fstat_into_unmapped_memory_fails_EFAULT)
{
	/* fstat(2). */
	int fd = memfd(0);

	EXPECT_FAILS(x_fstat(fd, ubuf(unmapped_page())), EFAULT);
	EXPECT_EQ(x_close(fd), 0);
}

/* read and write. */

TEST(memfd, write_moves_the_offset_and_grows_the_file)
{
	/* write(2). */
	int fd = memfd(0);

	EXPECT_EQ(x_write(fd, "hello", 5), 5);
	EXPECT_EQ(x_write(fd, "world", 5), 5);
	EXPECT_EQ(size_of(fd), 10);
	EXPECT_EQ(x_lseek(fd, 0, SEEK_CUR), 10);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(memfd, read_returns_what_was_written)
{
	/* read(2): reads up to count bytes from the offset, which it moves. */
	int fd = memfd(0);
	char got[10] = "";

	EXPECT_EQ(x_write(fd, "helloworld", 10), 10);
	EXPECT_EQ(x_lseek(fd, 3, SEEK_SET), 3);
	EXPECT_EQ(x_read(fd, got, 4), 4);
	EXPECT_MEMEQ(got, "lowo", 4);
	EXPECT_EQ(x_lseek(fd, 0, SEEK_CUR), 7);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(memfd, write_and_read_across_many_pages_agree)
{
	/* write(2), read(2): neither offset nor length need be aligned. */
	static unsigned char out[5 * PAGE], in[5 * PAGE];
	int fd = memfd(0);

	fill_pattern(out, sizeof(out), 7);
	EXPECT_EQ(x_pwrite(fd, out, sizeof(out), 1234), sizeof(out));
	EXPECT_EQ(x_pread(fd, in, sizeof(in), 1234), sizeof(in));
	EXPECT_MEMEQ(in, out, sizeof(in));
	EXPECT_EQ(byte_at(fd, 1233), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(memfd, read_stops_at_end_of_file)
{
	/* read(2): a short count before the end, 0 at it and beyond it. */
	int fd = memfd(0);
	char got[8];

	EXPECT_EQ(x_write(fd, "abc", 3), 3);
	EXPECT_EQ(x_pread(fd, got, 8, 1), 2);
	EXPECT_EQ(x_read(fd, got, 8), 0);
	EXPECT_EQ(x_pread(fd, got, 8, 3), 0);
	EXPECT_EQ(x_pread(fd, got, 8, 1 << 20), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(memfd, pread_and_pwrite_leave_the_offset_alone)
{
	/* pread(2). */
	int fd = memfd(1);
	char got[4];

	EXPECT_EQ(x_lseek(fd, 17, SEEK_SET), 17);
	EXPECT_EQ(x_pwrite(fd, "abcd", 4, 100), 4);
	EXPECT_EQ(x_pread(fd, got, 4, 100), 4);
	EXPECT_MEMEQ(got, "abcd", 4);
	EXPECT_EQ(x_lseek(fd, 0, SEEK_CUR), 17);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(memfd, write_beyond_the_end_leaves_zeros_between)
{
	/* lseek(2): data written beyond the end; reads of the gap return zeros. */
	int fd = memfd(0);
	unsigned char got[16], zeros[16] = { 0 };

	EXPECT_EQ(x_write(fd, "a", 1), 1);
	EXPECT_EQ(x_pwrite(fd, "z", 1, 3 * PAGE), 1);
	EXPECT_EQ(size_of(fd), 3 * PAGE + 1);
	EXPECT_EQ(x_pread(fd, got, sizeof(got), 1), sizeof(got));
	EXPECT_MEMEQ(got, zeros, sizeof(got));
	EXPECT_EQ(x_pread(fd, got, sizeof(got), 2 * PAGE - 8), sizeof(got));
	EXPECT_MEMEQ(got, zeros, sizeof(got));
	EXPECT_EQ(x_close(fd), 0);
}

TEST(memfd, read_and_write_of_nothing_return_0)
{
	/* read(2), write(2): with count 0 nothing happens to a regular file, whatever the buffer. */
	int fd = memfd(1);

	EXPECT_EQ(x_read(fd, ubuf(unmapped_page()), 0), 0);
	EXPECT_EQ(x_pwrite(fd, ubuf(unmapped_page()), 0, 2 * PAGE), 0);
	EXPECT_EQ(size_of(fd), PAGE);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(memfd, read_and_write_of_a_closed_fd_fail_EBADF)
{
	/* read(2), write(2), pread(2). */
	int closed = lowest_free_fd();
	char byte = 0;

	EXPECT_FAILS(x_read(closed, &byte, 1), EBADF);
	EXPECT_FAILS(x_write(closed, &byte, 1), EBADF);
	EXPECT_FAILS(x_pread(closed, &byte, 1, 0), EBADF);
	EXPECT_FAILS(x_pwrite(closed, &byte, 1, 0), EBADF);
	EXPECT_FAILS(x_read(-1, &byte, 1), EBADF);
	EXPECT_FAILS(x_write(1 << 30, &byte, 1), EBADF);
}

TEST(memfd, read_into_unmapped_memory_fails_EFAULT)
{
	/* read(2). The offset does not move. */
	int fd = memfd(1);

	EXPECT_FAILS(x_read(fd, ubuf(unmapped_page()), 1), EFAULT);
	EXPECT_EQ(x_lseek(fd, 0, SEEK_CUR), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(memfd, read_into_read_only_memory_fails_EFAULT)
{
	/* read(2): outside your accessible address space, for writing. */
	int fd = memfd(1);
	addr_t page = map_anonymous(1, PROT_READ, MAP_PRIVATE);

	EXPECT_FAILS(x_read(fd, ubuf(page), 1), EFAULT);
	unmap(page, 1);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(memfd, write_from_unmapped_memory_fails_EFAULT_and_changes_nothing)
{
	/* write(2). */
	int fd = memfd(0);

	EXPECT_FAILS(x_write(fd, ubuf(unmapped_page()), 100), EFAULT);
	EXPECT_EQ(size_of(fd), 0);
	EXPECT_EQ(x_lseek(fd, 0, SEEK_CUR), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(memfd, read_into_memory_that_ends_is_partial)
{
	/* Linux counts the bytes copied before the bad address. */
	int fd = memfd(2);
	addr_t two = map_anonymous(2, PROT_READ | PROT_WRITE, MAP_PRIVATE);

	unmap(two + PAGE, 1);
	EXPECT_EQ(x_pwrite(fd, "end", 3, PAGE - 3), 3);
	EXPECT_EQ(x_pread(fd, ubuf(two), 2 * PAGE, 0), PAGE);
	EXPECT_EQ(ld8(two + PAGE - 1), 'd');
	unmap(two, 1);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(memfd, write_from_memory_that_ends_is_partial)
{
	/* Linux counts the bytes copied before the bad address, and the file has grown by them. */
	int fd = memfd(0);
	addr_t two = map_anonymous(2, PROT_READ | PROT_WRITE, MAP_PRIVATE);

	unmap(two + PAGE, 1);
	st8(two + PAGE - 1, 'e');
	EXPECT_EQ(x_write(fd, ubuf(two), 2 * PAGE), PAGE);
	EXPECT_EQ(size_of(fd), PAGE);
	EXPECT_EQ(byte_at(fd, PAGE - 1), 'e');
	unmap(two, 1);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(memfd, read_and_write_use_mapped_memory_as_buffers)
{
	/* read(2), write(2): a buffer may straddle pages, and be a mapping of the very same file. */
	int fd = memfd(4);
	addr_t map = map_shared(fd, 4, PROT_READ | PROT_WRITE);

	st64(map + PAGE - 4, 0x1122334455667788);
	EXPECT_EQ(x_pwrite(fd, ubuf(map + PAGE - 4), 8, 2 * PAGE - 3), 8);
	EXPECT_EQ(x_pread(fd, ubuf(map + 3 * PAGE - 5), 8, 2 * PAGE - 3), 8);
	EXPECT_EQ(ld64(map + 2 * PAGE - 3), 0x1122334455667788);
	EXPECT_EQ(ld64(map + 3 * PAGE - 5), 0x1122334455667788);
	unmap(map, 4);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(memfd, pread_and_pwrite_at_a_negative_offset_fail_EINVAL)
{
	/* pread(2), with lseek(2)'s EINVAL. */
	int fd = memfd(1);
	char byte = 0;

	EXPECT_FAILS(x_pread(fd, &byte, 1, -1), EINVAL);
	EXPECT_FAILS(x_pwrite(fd, &byte, 1, -1), EINVAL);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(memfd, read_and_write_running_over_the_largest_offset_fail_EINVAL)
{
	/* fs/read_write.c, rw_verify_area: offset + count must not overflow. EFBIG would need a lower maximum. */
	int fd = memfd(0);
	char byte;

	EXPECT_FAILS(x_pwrite(fd, "x", 1, LLONG_MAX), EINVAL);
	EXPECT_FAILS(x_pread(fd, &byte, 1, LLONG_MAX), EINVAL);
	EXPECT_EQ(size_of(fd), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(memfd, append_writes_at_the_end_wherever_the_offset_is)
{
	/* open(2): O_APPEND; the offset then stands behind what was written. */
	int fd = memfd(0);

	EXPECT_EQ(x_write(fd, "abc", 3), 3);
	EXPECT_EQ(x_fcntl(fd, F_SETFL, O_APPEND), 0);
	EXPECT_EQ(x_lseek(fd, 0, SEEK_SET), 0);
	EXPECT_EQ(x_write(fd, "de", 2), 2);
	EXPECT_EQ(x_lseek(fd, 0, SEEK_CUR), 5);
	EXPECT_EQ(byte_at(fd, 0), 'a');
	EXPECT_EQ(byte_at(fd, 4), 'e');
	EXPECT_EQ(x_close(fd), 0);
}

TEST(memfd, pwrite_to_an_appending_fd_appends)
{
	/* pread(2), BUGS: with O_APPEND the data goes to the end, whatever the offset. */
	int fd = memfd(0);

	EXPECT_EQ(x_write(fd, "abc", 3), 3);
	EXPECT_EQ(x_fcntl(fd, F_SETFL, O_APPEND), 0);
	EXPECT_EQ(x_pwrite(fd, "d", 1, 0), 1);
	EXPECT_EQ(size_of(fd), 4);
	EXPECT_EQ(byte_at(fd, 3), 'd');
	EXPECT_EQ(x_close(fd), 0);
}

/* lseek. */

TEST(memfd, lseek_counts_from_start_offset_and_end)
{
	/* lseek(2). */
	int fd = memfd(1);

	EXPECT_EQ(x_lseek(fd, 10, SEEK_SET), 10);
	EXPECT_EQ(x_lseek(fd, -3, SEEK_CUR), 7);
	EXPECT_EQ(x_lseek(fd, -1, SEEK_END), PAGE - 1);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(memfd, lseek_beyond_the_end_does_not_grow_the_file)
{
	/* lseek(2): the size changes only when data is written there. */
	int fd = memfd(1);

	EXPECT_EQ(x_lseek(fd, 100, SEEK_END), PAGE + 100);
	EXPECT_EQ(size_of(fd), PAGE);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(memfd, lseek_before_the_start_fails_EINVAL)
{
	/* lseek(2): the resulting offset would be negative. The offset stays. */
	int fd = memfd(1);

	EXPECT_EQ(x_lseek(fd, 5, SEEK_SET), 5);
	EXPECT_FAILS(x_lseek(fd, -1, SEEK_SET), EINVAL);
	EXPECT_FAILS(x_lseek(fd, -6, SEEK_CUR), EINVAL);
	EXPECT_FAILS(x_lseek(fd, -PAGE - 1, SEEK_END), EINVAL);
	EXPECT_EQ(x_lseek(fd, 0, SEEK_CUR), 5);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(memfd, lseek_with_an_unknown_whence_fails_EINVAL)
{
	/* lseek(2). */
	int fd = memfd(1);

	EXPECT_FAILS(x_lseek(fd, 0, 99), EINVAL);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(memfd, lseek_of_a_closed_fd_fails_EBADF)
{
	/* lseek(2). */
	EXPECT_FAILS(x_lseek(lowest_free_fd(), 0, SEEK_SET), EBADF);
}

/* ftruncate. */

TEST(memfd, ftruncate_sets_the_size_and_leaves_the_offset)
{
	/* ftruncate(2). */
	int fd = memfd(0);

	EXPECT_EQ(x_write(fd, "abc", 3), 3);
	EXPECT_EQ(x_ftruncate(fd, 10000), 0);
	EXPECT_EQ(size_of(fd), 10000);
	EXPECT_EQ(x_ftruncate(fd, 1), 0);
	EXPECT_EQ(size_of(fd), 1);
	EXPECT_EQ(x_lseek(fd, 0, SEEK_CUR), 3);
	EXPECT_EQ(byte_at(fd, 0), 'a');
	EXPECT_EQ(x_close(fd), 0);
}

TEST(memfd, ftruncate_extends_with_zeros)
{
	/* ftruncate(2): the extended part reads as null bytes, also where other data was before. */
	int fd = memfd(0);

	EXPECT_EQ(x_write(fd, "abc", 3), 3);
	EXPECT_EQ(x_ftruncate(fd, 1), 0);
	EXPECT_EQ(x_ftruncate(fd, 3), 0);
	EXPECT_EQ(byte_at(fd, 0), 'a');
	EXPECT_EQ(byte_at(fd, 1), 0);
	EXPECT_EQ(byte_at(fd, 2), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(memfd, ftruncate_frees_the_pages_beyond)
{
	/* ftruncate(2), st_blocks. */
	int fd = memfd(0);
	static const char page[4 * PAGE];
	struct stat st;

	EXPECT_EQ(x_write(fd, page, sizeof(page)), sizeof(page));
	EXPECT_EQ(x_ftruncate(fd, PAGE + 1), 0);
	EXPECT_EQ(x_fstat(fd, &st), 0);
	EXPECT_EQ(st.st_blocks, 16);
	EXPECT_EQ(x_ftruncate(fd, 0), 0);
	EXPECT_EQ(x_fstat(fd, &st), 0);
	EXPECT_EQ(st.st_blocks, 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(memfd, ftruncate_to_the_largest_size_succeeds)
{
	/* A memfd is sparse: size costs nothing, and its hole reads as zeros. */
	int fd = memfd(0);

	EXPECT_EQ(x_ftruncate(fd, LLONG_MAX), 0);
	EXPECT_EQ(size_of(fd), LLONG_MAX);
	EXPECT_EQ(byte_at(fd, LLONG_MAX - 2), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(memfd, ftruncate_to_a_negative_size_fails_EINVAL)
{
	/* 58. */
	int fd = memfd(1);

	EXPECT_FAILS(x_ftruncate(fd, -1), EINVAL);
	EXPECT_EQ(size_of(fd), PAGE);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(memfd, ftruncate_of_a_read_only_fd_fails_EINVAL)
{
	/* 58. */
	int fd = memfd(1);
	int readonly = reopen(fd, O_RDONLY);

	EXPECT_FAILS(x_ftruncate(readonly, 0), EINVAL);
	EXPECT_EQ(size_of(fd), PAGE);
	EXPECT_EQ(x_close(readonly), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(memfd, ftruncate_of_a_closed_fd_fails_EBADF)
{
	/* ftruncate(2). A negative length is found first. */
	EXPECT_FAILS(x_ftruncate(lowest_free_fd(), 0), EBADF);
	EXPECT_FAILS(x_ftruncate(lowest_free_fd(), -1), EINVAL);
}

/* fallocate, mode 0. */

TEST(memfd, fallocate_allocates_zeroed_pages_and_grows_the_file)
{
	/* fallocate(2): the default mode allocates; the size becomes offset + len if that is greater. */
	int fd = memfd(0);
	struct stat st;

	EXPECT_EQ(x_fallocate(fd, 0, PAGE, 2 * PAGE), 0);
	EXPECT_EQ(x_fstat(fd, &st), 0);
	EXPECT_EQ(st.st_size, 3 * PAGE);
	EXPECT_EQ(st.st_blocks, 16);
	EXPECT_EQ(byte_at(fd, 2 * PAGE), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(memfd, fallocate_keeps_data_and_a_larger_size)
{
	/* fallocate(2): regions of existing data stay unchanged. */
	int fd = memfd(4);

	EXPECT_EQ(x_pwrite(fd, "data", 4, PAGE), 4);
	EXPECT_EQ(x_fallocate(fd, 0, 0, 2 * PAGE), 0);
	EXPECT_EQ(size_of(fd), 4 * PAGE);
	EXPECT_EQ(byte_at(fd, PAGE), 'd');
	EXPECT_EQ(x_close(fd), 0);
}

TEST(memfd, fallocate_of_part_of_a_page_sets_a_size_to_the_byte)
{
	/* fallocate(2): offset and len need not be aligned. */
	int fd = memfd(0);
	struct stat st;

	EXPECT_EQ(x_fallocate(fd, 0, PAGE - 1, 2), 0);
	EXPECT_EQ(x_fstat(fd, &st), 0);
	EXPECT_EQ(st.st_size, PAGE + 1);
	EXPECT_EQ(st.st_blocks, 16);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(memfd, fallocate_of_a_bad_range_fails_EINVAL)
{
	/* fallocate(2): offset less than 0, or len less than or equal to 0. */
	int fd = memfd(0);

	EXPECT_FAILS(x_fallocate(fd, 0, -1, 1), EINVAL);
	EXPECT_FAILS(x_fallocate(fd, 0, 0, 0), EINVAL);
	EXPECT_FAILS(x_fallocate(fd, 0, 0, -1), EINVAL);
	EXPECT_EQ(size_of(fd), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(memfd, fallocate_beyond_the_largest_size_fails_EFBIG)
{
	/* fallocate(2): offset+len exceeds the maximum file size. */
	int fd = memfd(0);

	EXPECT_FAILS(x_fallocate(fd, 0, LLONG_MAX - 1, 2), EFBIG);
	EXPECT_EQ(size_of(fd), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(memfd, fallocate_with_an_unknown_mode_fails_EOPNOTSUPP)
{
	/* fallocate(2). */
	int fd = memfd(0);

	EXPECT_FAILS(x_fallocate(fd, 0x4000, 0, PAGE), EOPNOTSUPP);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(memfd, fallocate_of_a_read_only_or_closed_fd_fails_EBADF)
{
	/* fallocate(2): not a valid file descriptor, or not opened for writing. */
	int fd = memfd(1);
	int readonly = reopen(fd, O_RDONLY);

	EXPECT_FAILS(x_fallocate(readonly, 0, 0, PAGE), EBADF);
	EXPECT_EQ(x_close(readonly), 0);
	EXPECT_FAILS(x_fallocate(readonly, 0, 0, PAGE), EBADF);
	EXPECT_EQ(x_close(fd), 0);
}

/* close. */

TEST(memfd, close_of_a_closed_fd_fails_EBADF)
{
	/* close(2). */
	int fd = memfd(0);

	EXPECT_EQ(x_close(fd), 0);
	EXPECT_FAILS(x_close(fd), EBADF);
	EXPECT_FAILS(x_close(-1), EBADF);
	EXPECT_FAILS(x_close(1 << 30), EBADF);
}
