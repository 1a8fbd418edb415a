// SPDX-License-Identifier: MIT
/*
 * What Linux promises of a memfd's status: which call stamps which time, mode and owner by fchmod and fchown, fsync;
 * SEMANTICS.md 6, 8, 35; fstat(2), inode(7), fchmod(2), fchown(2), fsync(2), and read(2), write(2), mmap(2) for the
 * times.
 */
#include "abi.h"

#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x20
#endif

static struct stat stat_of(int fd)
{
	struct stat st;

	SETUP(x_fstat(fd, &st) == 0);
	return st;
}

static mode_t mode_of(int fd)
{
	return stat_of(fd).st_mode;
}

/* Times. */

/* Which of "amc" a call has stamped; the others are as they were. */
#define EXPECT_STAMPS(fd, call, stamps)                                     \
	do {                                                                \
		struct stat stamps_before = stat_of(fd);                    \
		file_clock_tick();                                          \
		(void)!(call);                                              \
		expect_stamps(__LINE__, #call, &stamps_before, fd, stamps); \
	} while (0)

static void expect_stamps(int line, const char *call, const struct stat *before, int fd, const char *expected)
{
	struct stat st = stat_of(fd);
	char seen[4] = "";

	if (later(st.st_atim, before->st_atim))
		strcat(seen, "a");
	if (later(st.st_mtim, before->st_mtim))
		strcat(seen, "m");
	if (later(st.st_ctim, before->st_ctim))
		strcat(seen, "c");
	EXPECT_MSG(strcmp(seen, expected) == 0, "line %d: %s stamped \"%s\", expected \"%s\"", line, call, seen,
	           expected);
}

TEST(stat, times_of_a_new_file_are_equal)
{
	int fd = memfd(0);
	struct stat st = stat_of(fd);

	EXPECT(!later(st.st_atim, st.st_mtim) && !later(st.st_mtim, st.st_atim));
	EXPECT(!later(st.st_ctim, st.st_mtim) && !later(st.st_mtim, st.st_ctim));
	EXPECT_EQ(x_close(fd), 0);
}

TEST(stat, reads_stamp_the_time_of_access)
{
	/* inode(7). A read that fails or finds nothing too. */
	struct iovec iov;
	int fd = memfd(1);
	addr_t hole = unmapped_page();
	char byte;

	iov = (struct iovec){ &byte, 1 };
	EXPECT_STAMPS(fd, x_read(fd, &byte, 1), "a");
	EXPECT_STAMPS(fd, x_read(fd, &byte, 0), "a");
	EXPECT_STAMPS(fd, x_pread(fd, &byte, 1, PAGE), "a");
	EXPECT_STAMPS(fd, x_pread(fd, ubuf(hole), 1, 0), "a");
	EXPECT_STAMPS(fd, x_preadv(fd, &iov, 1, 0), "a");
	EXPECT_EQ(x_close(fd), 0);
}

TEST(stat, writes_stamp_modification_and_change)
{
	/* inode(7). One that fails with a bad buffer, or is sealed away, too; one of nothing not. */
	struct iovec iov = { (char[]){ "x" }, 1 };
	int fd = memfd(1);
	addr_t hole = unmapped_page();

	EXPECT_STAMPS(fd, x_write(fd, "x", 1), "mc");
	EXPECT_STAMPS(fd, x_write(fd, "x", 0), "");
	EXPECT_STAMPS(fd, x_pwrite(fd, ubuf(hole), 1, 0), "mc");
	EXPECT_STAMPS(fd, x_pwritev(fd, &iov, 1, 0), "mc");
	EXPECT_STAMPS(fd, x_fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), "");
	EXPECT_STAMPS(fd, x_write(fd, "x", 1), "mc");
	EXPECT_EQ(x_close(fd), 0);
}

TEST(stat, sizes_and_blocks_stamp_modification_and_change)
{
	/* The same size counts for ftruncate; what fails changes no time. */
	int again, fd = memfd(2);

	EXPECT_STAMPS(fd, x_ftruncate(fd, 2 * PAGE), "mc");
	EXPECT_STAMPS(fd, x_ftruncate(fd, PAGE), "mc");
	EXPECT_STAMPS(fd, x_ftruncate(fd, 2 * PAGE), "mc");
	EXPECT_STAMPS(fd, x_ftruncate(fd, -1), "");
	EXPECT_STAMPS(fd, x_fallocate(fd, 0, 0, PAGE), "mc");
	EXPECT_STAMPS(fd, x_fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 8 * PAGE), "mc");
	EXPECT_STAMPS(fd, x_fallocate(fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 0, PAGE), "mc");
	EXPECT_STAMPS(fd, x_fallocate(fd, 0, 0, 0), "");
	EXPECT_STAMPS(fd, again = reopen(fd, O_RDWR), "");
	EXPECT_EQ(x_close(again), 0);
	EXPECT_STAMPS(fd, again = reopen(fd, O_RDWR | O_TRUNC), "mc");
	EXPECT_EQ(x_close(again), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(stat, copies_stamp_both_files)
{
	int from = memfd(1), to = memfd(1);
	off_t in = 0, out = 0;

	EXPECT_STAMPS(from, x_copy_file_range(from, &in, to, &out, 10, 0), "a");
	EXPECT_STAMPS(to, x_copy_file_range(from, &in, to, &out, 10, 0), "mc");
	EXPECT_STAMPS(from, x_copy_file_range(from, &in, to, &out, 0, 0), "");
	EXPECT_STAMPS(from, x_sendfile(to, from, NULL, 10), "a");
	EXPECT_STAMPS(to, x_sendfile(to, from, NULL, 10), "mc");
	EXPECT_EQ(x_close(to), 0);
	EXPECT_EQ(x_close(from), 0);
}

TEST(stat, mappings_stamp_access_when_they_are_made)
{
	int fd = memfd(1);
	addr_t map;

	EXPECT_STAMPS(fd, map = map_shared(fd, 1, PROT_READ | PROT_WRITE), "a");
	EXPECT_STAMPS(fd, ld8(map), "");
	EXPECT_STAMPS(fd, x_munmap(map, PAGE), "");
	EXPECT_STAMPS(fd, x_lseek(fd, 0, SEEK_DATA), "");
	EXPECT_STAMPS(fd, x_fsync(fd), "");
	EXPECT_EQ(x_close(fd), 0);
}

TEST(stat, modes_and_owners_stamp_change)
{
	int fd = memfd(1);

	EXPECT_STAMPS(fd, x_fchmod(fd, 0600), "c");
	EXPECT_STAMPS(fd, x_fchmod(fd, 0600), "c");
	EXPECT_STAMPS(fd, x_fchown(fd, (uid_t)-1, (gid_t)-1), "c");
	EXPECT_EQ(x_close(fd), 0);
}

/* Modes and owners. */

TEST(stat, fchmod_sets_the_permission_bits_and_no_others)
{
	/* fchmod(2): also through a description that may only be read. */
	int fd = memfd(0), readonly = reopen(fd, O_RDONLY);

	EXPECT_EQ(x_fchmod(fd, 0), 0);
	EXPECT_EQ(mode_of(fd), S_IFREG);
	EXPECT_EQ(x_fchmod(fd, 0177777), 0);
	EXPECT_EQ(mode_of(fd), S_IFREG | 07777);
	EXPECT_EQ(x_fchmod(readonly, S_IFDIR | 0640), 0);
	EXPECT_EQ(mode_of(fd), S_IFREG | 0640);
	EXPECT_EQ(x_close(readonly), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(stat, fchmod_works_on_sockets)
{
	int ends[2];

	stream_pair(ends);
	EXPECT_EQ(x_fchmod(ends[0], 0600), 0);
	EXPECT_EQ(mode_of(ends[0]), S_IFSOCK | 0600);
	EXPECT_EQ(mode_of(ends[1]), S_IFSOCK | 0777);
	close_pair(ends);
}

TEST(stat, fchmod_and_fchown_of_a_closed_fd_fail_EBADF)
{
	int closed = lowest_free_fd();

	EXPECT_FAILS(x_fchmod(closed, 0600), EBADF);
	EXPECT_FAILS(x_fchown(closed, 0, 0), EBADF);
	EXPECT_FAILS(x_fchmod(-1, 0600), EBADF);
	EXPECT_FAILS(x_fchown(-1, 0, 0), EBADF);
}

TEST(stat, fchown_of_nothing_takes_set_id_bits_away)
{
	/* fchown(2): -1 leaves an id as it is; the set-user-ID and set-group-ID bits of an executable are cleared. */
	int fd = memfd(0);
	struct stat st = stat_of(fd);

	SETUP(x_fchmod(fd, 06777) == 0);
	EXPECT_EQ(x_fchown(fd, (uid_t)-1, (gid_t)-1), 0);
	EXPECT_EQ(mode_of(fd), S_IFREG | 0777);
	EXPECT_EQ(stat_of(fd).st_uid, st.st_uid);
	EXPECT_EQ(stat_of(fd).st_gid, st.st_gid);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(stat, fchown_gives_a_file_away)
{
	/* fchown(2): root may. */
	int fd = memfd(0);

	if (getuid() != 0)
		SKIP("not root");
	EXPECT_EQ(x_fchown(fd, 5, 6), 0);
	EXPECT_EQ(stat_of(fd).st_uid, 5);
	EXPECT_EQ(stat_of(fd).st_gid, 6);
	EXPECT_EQ(x_fchown(fd, (uid_t)-1, 7), 0);
	EXPECT_EQ(stat_of(fd).st_uid, 5);
	EXPECT_EQ(stat_of(fd).st_gid, 7);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(stat, writes_of_root_leave_set_id_bits)
{
	int fd = memfd(0);

	if (getuid() != 0)
		SKIP("not root");
	SETUP(x_fchmod(fd, 06777) == 0);
	EXPECT_EQ(x_write(fd, "x", 1), 1);
	EXPECT_EQ(x_ftruncate(fd, PAGE), 0);
	EXPECT_EQ(mode_of(fd), S_IFREG | 06777);
	EXPECT_EQ(x_close(fd), 0);
}

static int child_writes_as_somebody(void *arg)
{
	const int *fds = arg;

	CHILD_EXPECT(x_setgid(1234) == 0 && x_setuid(1234) == 0);
	CHILD_EXPECT(x_write(fds[0], "x", 1) == 1);
	CHILD_EXPECT(x_ftruncate(fds[1], PAGE) == 0);
	CHILD_EXPECT(x_fallocate(fds[2], 0, 0, PAGE) == 0);
	CHILD_EXPECT(x_fchmod(fds[0], 0777) < 0 && errno == EPERM);
	CHILD_EXPECT(x_fchown(fds[0], 1234, 1234) < 0 && errno == EPERM);
	return 0;
}

TEST(stat, writes_of_others_take_set_id_bits_away)
{
	/*
	 * write(2), inode(7): S_ISUID, and S_ISGID of what its group may execute. fchmod(2), fchown(2): EPERM, not the
	 * owner.
	 */
	int fds[3];

	if (getuid() != 0)
		SKIP("not root");
	for (int i = 0; i < 3; i++) {
		fds[i] = memfd(0);
		SETUP(x_fchmod(fds[i], 06777) == 0);
	}
	EXPECT_EQ(in_child(child_writes_as_somebody, fds), 0);
	for (int i = 0; i < 3; i++) {
		EXPECT_EQ(mode_of(fds[i]), S_IFREG | 0777);
		EXPECT_EQ(x_close(fds[i]), 0);
	}
}

/* fsync. */

TEST(stat, fsync_of_a_memfd_has_nothing_to_do)
{
	/* fsync(2): EINVAL, bound to something that does not support synchronization; EBADF. */
	int fd = memfd(1), readonly = reopen(fd, O_RDONLY), ends[2];

	stream_pair(ends);
	EXPECT_EQ(x_fsync(fd), 0);
	EXPECT_EQ(x_fdatasync(fd), 0);
	EXPECT_EQ(x_fsync(readonly), 0);
	EXPECT_FAILS(x_fsync(ends[0]), EINVAL);
	EXPECT_FAILS(x_fdatasync(ends[0]), EINVAL);
	close_pair(ends);
	EXPECT_FAILS(x_fsync(-1), EBADF);
	EXPECT_FAILS(x_fdatasync(lowest_free_fd()), EBADF);
	EXPECT_EQ(x_close(readonly), 0);
	EXPECT_EQ(x_close(fd), 0);
}

/* A descriptor that only names the file. */

TEST(stat, calls_on_an_O_PATH_descriptor_fail_EBADF_but_fstat)
{
	/* open(2), O_PATH: other file operations fail with the error EBADF. 17. */
	int fd = memfd(1), path = reopen(fd, O_PATH);
	char byte = 'x';
	struct iovec iov = { &byte, 1 };
	off_t in = 0, out = 0;

	EXPECT_FAILS(x_read(path, &byte, 1), EBADF);
	EXPECT_FAILS(x_write(path, &byte, 1), EBADF);
	EXPECT_FAILS(x_pread(path, &byte, 1, 0), EBADF);
	EXPECT_FAILS(x_pwrite(path, &byte, 1, 0), EBADF);
	EXPECT_FAILS(x_readv(path, &iov, 1), EBADF);
	EXPECT_FAILS(x_pwritev(path, &iov, 1, 0), EBADF);
	EXPECT_FAILS(x_lseek(path, 0, SEEK_DATA), EBADF);
	EXPECT_FAILS(x_ftruncate(path, 0), EBADF);
	EXPECT_FAILS(x_fallocate(path, 0, 0, PAGE), EBADF);
	EXPECT_FAILS(x_fsync(path), EBADF);
	EXPECT_FAILS(x_fchmod(path, 0600), EBADF);
	EXPECT_FAILS(x_fchown(path, 0, 0), EBADF);
	EXPECT_FAILS(x_fcntl(path, F_GET_SEALS), EBADF);
	EXPECT_FAILS(x_fcntl(path, F_ADD_SEALS, F_SEAL_GROW), EBADF);
	EXPECT_FAILS(x_copy_file_range(path, &in, fd, &out, 1, 0), EBADF);
	EXPECT_FAILS(x_copy_file_range(fd, &in, path, &out, 1, 0), EBADF);
	EXPECT_FAILS(x_sendfile(path, fd, &in, 1), EBADF);
	EXPECT_FAILS(x_sendfile(fd, path, &in, 1), EBADF);
	EXPECT_FAILS(x_mmap(0, PAGE, PROT_READ, MAP_SHARED, path, 0), EBADF);
	EXPECT_EQ(size_of(path), PAGE);
	EXPECT_EQ(seals_of(fd), 0);
	EXPECT_EQ(x_close(path), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(stat, seals_of_an_ordinary_file_of_a_tmpfs_are_exactly_SEAL)
{
	/* 17. */
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/dev/shm/ksim-abi-%d", (int)x_getpid());
	fd = x_open(path, O_CREAT | O_EXCL | O_RDWR, 0600);
	if (fd < 0)
		SKIP("no file in /dev/shm: %s", strerror(errno));
	SETUP(x_unlink(path) == 0);
	if (seals_of(fd) < 0 && errno == EINVAL) {
		SETUP(x_close(fd) == 0);
		SKIP("/dev/shm is no tmpfs");
	}
	EXPECT_EQ(seals_of(fd), F_SEAL_SEAL);
	EXPECT_FAILS(x_fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), EPERM);
	EXPECT_EQ(x_fallocate(fd, 0, 0, PAGE), 0);
	EXPECT_FAILS(x_lseek(fd, 0, SEEK_DATA), ENXIO);
	EXPECT_EQ(x_pwrite(fd, "x", 1, 0), 1);
	EXPECT_EQ(x_fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE), 0);
	EXPECT_EQ(byte_at(fd, 0), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(stat, copies_between_file_systems_fail_EXDEV)
{
	/* copy_file_range(2): since 5.19 not even by reading and writing; sendfile does. */
	char path[64];
	off_t in = 0, out = 0;
	int from, to;

	if (linux_release() < 5019)
		SKIP("differs before 5.19");
	snprintf(path, sizeof(path), "/dev/shm/ksim-abi-%d", (int)x_getpid());
	to = x_open(path, O_CREAT | O_EXCL | O_RDWR, 0600);
	if (to < 0)
		SKIP("no file in /dev/shm: %s", strerror(errno));
	SETUP(x_unlink(path) == 0);
	from = memfd(1);
	EXPECT_FAILS(x_copy_file_range(from, &in, to, &out, 1, 0), EXDEV);
	EXPECT_EQ(size_of(to), 0);
	EXPECT_EQ(x_sendfile(to, from, &in, 10), 10);
	EXPECT_EQ(size_of(to), 10);
	EXPECT_EQ(x_close(from), 0);
	EXPECT_EQ(x_close(to), 0);
}
