// SPDX-License-Identifier: MIT
/*
 * Errors that the manual pages name and that need a situation of their own: limits that a second call meets, sockets
 * that are full, files that were passed on. Most others are in the tables of abi_bad_calls.c and at their calls.
 *
 * These are named in the ERRORS of mmap(2), memfd_create(2), fcntl(2), open(2) and their kin, and are not tested, since
 * no test can have them on any host, or since what they are about is not here:
 *
 *	EIO, EDQUOT, EROFS, EHWPOISON    broken or read-only devices and memory, quotas
 *	ENFILE, EMLINK                   limits of the whole host; a tmpfs counts links without one
 *	ENOMEM of the kernel's own       of ksim: tests/sweep, tests/abi/ksim_commit.c. Likewise EAGAIN of mincore and mlock,
 *	                                 ENOMEM of madvise (WILLNEED, COLLAPSE, POPULATE), of process_vm_readv and of fork
 *	ENOSPC                           of a tmpfs with a limit; of huge pages: abi_hugetlb.c
 *	EINTR of files                   files of memory wait for nobody
 *	ETXTBSY, EBUSY of mount points   no exec, swap files, block devices or mounts of a program's own
 *	EPERM of immutable files         likewise append-only ones: no attributes of that kind
 *	EACCES of open                   fs.protected_regular and protected_fifos are the host's setting
 *	EAGAIN, EDEADLK, ENOLCK of       locks, leases, F_NOTIFY, F_SETPIPE_SZ, F_SETSIG: not here (EINVAL)
 *	fcntl, EWOULDBLOCK of open
 *	EOVERFLOW of stat, open, lseek   programs of 32 bits
 *	ESPIPE of fallocate, splice(2)   pipes; splice is ENOSYS
 *	EPERM of mmap(2), MAP_HUGETLB    Linux has not asked for privilege since 2.6
 *	EBADF, EIO of madvise(2)         older kernels, and those without swap
 *	clone3(2), pidfds, namespaces    EAGAIN of waitid, ENOSPC and EUSERS of clone; those of ksim are EINVAL
 *	openat2(2), pkey_mprotect(2)     ENOSYS
 */
#include "abi_kernel.h"
#include "abi_tree.h"

#include <limits.h>

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x10
#endif

enum { RW = PROT_READ | PROT_WRITE, NOBODY = 65534 };

/* In a child: root no more. */
static int give_up_root(void)
{
	CHILD_EXPECT(x_setgroups(0, NULL) == 0);
	CHILD_EXPECT(x_setresgid(NOBODY, NOBODY, NOBODY) == 0);
	CHILD_EXPECT(x_setresuid(NOBODY, NOBODY, NOBODY) == 0);
	return 0;
}

#define NEEDS_ROOT()                                                      \
	do {                                                              \
		if (x_geteuid() != 0)                                     \
			SKIP("root's rights are needed to give them up"); \
	} while (0)

/* ---- RLIMIT_MEMLOCK ---- */

static int grows_what_is_locked(void *arg)
{
	struct rlimit limit = { 2 * PAGE, 2 * PAGE };
	addr_t map = map_anonymous(8, RW, MAP_PRIVATE);
	addr_t moved;

	(void)arg;
	CHILD_EXPECT(x_munmap(map + 4 * PAGE, 4 * PAGE) == 0);
	CHILD_EXPECT(x_munmap(map + 2 * PAGE, 2 * PAGE) == 0);
	CHILD_EXPECT(x_setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
	CHILD_EXPECT(x_setresuid(NOBODY, NOBODY, NOBODY) == 0);
	CHILD_EXPECT(x_mlock(map, PAGE) == 0);
	CHILD_EXPECT(x_mremap(map, PAGE, 3 * PAGE, MREMAP_MAYMOVE, 0) == NO_MAPPING && errno == EAGAIN);
	moved = x_mremap(map, PAGE, 2 * PAGE, MREMAP_MAYMOVE, 0);
	CHILD_EXPECT(moved != NO_MAPPING);
	CHILD_EXPECT(x_mremap(moved, 2 * PAGE, 3 * PAGE, MREMAP_MAYMOVE, 0) == NO_MAPPING && errno == EAGAIN);
	CHILD_EXPECT(x_mremap(moved, 2 * PAGE, PAGE, 0, 0) == moved);
	return 0;
}

TEST(errors, mremap_of_locked_memory_beyond_the_limit_fails_EAGAIN)
{
	/* mremap(2) EAGAIN: the pages would have to be locked. */
	EXPECT_EQ(in_child(grows_what_is_locked, NULL), 0);
}

/* ---- a socket that is full ---- */

TEST(errors, sendfile_to_a_full_socket_without_waiting_fails_EAGAIN_and_moves_nothing)
{
	/* sendfile(2) EAGAIN. */
	static const char bytes[4096];
	int fd = memfd(2), ends[2];
	off_t offset = 100;

	SETUP(x_socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);
	while (x_send(ends[0], bytes, sizeof(bytes), 0) > 0)
		;
	SETUP(errno == EAGAIN);
	while (x_send(ends[0], bytes, 1, 0) > 0)
		;
	EXPECT_FAILS(x_sendfile(ends[0], fd, &offset, PAGE), EAGAIN);
	EXPECT_EQ(offset, 100);
	EXPECT_FAILS(x_sendfile(ends[0], fd, NULL, PAGE), EAGAIN);
	EXPECT_EQ(x_lseek(fd, 0, SEEK_CUR), 0);
	close_pair(ends);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(errors, sendfile_to_a_socket_whose_peer_is_gone_fails_EPIPE)
{
	/* send(2) EPIPE, with SIGPIPE. */
	struct sigaction ignore = { .sa_handler = SIG_IGN }, old;
	int fd = memfd(1), ends[2];

	stream_pair(ends);
	SETUP(x_close(ends[1]) == 0 && x_sigaction(SIGPIPE, &ignore, &old) == 0);
	EXPECT_FAILS(x_sendfile(ends[0], fd, NULL, 10), EPIPE);
	EXPECT_EQ(x_lseek(fd, 0, SEEK_CUR), 0);
	SETUP(x_sigaction(SIGPIPE, &old, NULL) == 0);
	EXPECT_EQ(x_close(ends[0]), 0);
	EXPECT_EQ(x_close(fd), 0);
}

/* ---- RLIMIT_FSIZE ---- */

static int grows_by_path(void *arg)
{
	struct rlimit limit = { PAGE, PAGE };
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	const char *path = arg;
	struct stat st;

	CHILD_EXPECT(x_sigaction(SIGXFSZ, &ignore, NULL) == 0);
	CHILD_EXPECT(x_setrlimit(RLIMIT_FSIZE, &limit) == 0);
	CHILD_EXPECT(x_truncate(path, PAGE) == 0);
	CHILD_EXPECT(x_truncate(path, PAGE + 1) == -1 && errno == EFBIG);
	CHILD_EXPECT(x_truncate(path, LONG_MAX) == -1 && errno == EFBIG);
	CHILD_EXPECT(x_stat(path, &st) == 0 && st.st_size == PAGE);
	return 0;
}

TEST(errors, truncate_of_a_path_beyond_RLIMIT_FSIZE_fails_EFBIG)
{
	/* truncate(2) EFBIG; 59. */
	char path[128];
	int fd;

	fresh_path(path, sizeof(path));
	fd = x_open(path, O_RDWR | O_CREAT, 0600);
	SETUP(fd >= 0 && x_close(fd) == 0);
	EXPECT_EQ(in_child(grows_by_path, path), 0);
	EXPECT_EQ(x_unlink(path), 0);
}

/* ---- seals ---- */

TEST(errors, mremap_duplicates_a_mapping_older_than_FUTURE_WRITE_and_the_copy_writes)
{
	/* 30. */
	int fd = memfd(1);
	addr_t map = map_shared(fd, 1, RW);
	addr_t copy;

	if (linux_release() < 5001)
		SKIP("F_SEAL_FUTURE_WRITE is of 5.1");
	SETUP(x_fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE) == 0);
	copy = x_mremap(map, 0, PAGE, MREMAP_MAYMOVE, 0);
	REQUIRE(copy != NO_MAPPING);
	st8(copy, 7);
	EXPECT_EQ(ld8(map), 7);
	EXPECT_EQ(byte_at(fd, 0), 7);
	unmap(map, 1);
	EXPECT_FAILS(x_fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
	unmap(copy, 1);
	EXPECT_EQ(x_fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(errors, F_SEAL_WRITE_lets_mode_and_owner_change)
{
	/* 25. */
	int fd = memfd(1);

	SETUP(x_fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) == 0);
	EXPECT_EQ(x_fchmod(fd, 0400), 0);
	EXPECT_EQ(x_fchown(fd, 1000, 1000), 0);
	EXPECT_EQ(x_futimens(fd, NULL), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(errors, F_SEAL_SHRINK_lets_everything_be_punched_out)
{
	/* 32. */
	enum { PUNCH = 3 /* FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE */ };
	struct stat st;
	int fd = memfd(0);

	SETUP(x_write(fd, "data", 4) == 4 && x_ftruncate(fd, 3 * PAGE) == 0);
	SETUP(x_fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) == 0);
	EXPECT_EQ(x_fallocate(fd, PUNCH, 0, 3 * PAGE), 0);
	EXPECT_EQ(x_fstat(fd, &st), 0);
	EXPECT_EQ(st.st_blocks, 0);
	EXPECT_EQ(st.st_size, 3 * PAGE);
	EXPECT_FAILS(x_ftruncate(fd, 3 * PAGE - 1), EPERM);
	EXPECT_EQ(x_close(fd), 0);
}

/* ---- descriptors that were passed on ---- */

TEST(errors, read_only_descriptor_that_was_passed_can_be_reopened_for_writing)
{
	/* 12. */
	int fd = memfd(1), ends[2], writable;
	int reader = reopen(fd, O_RDONLY);
	struct arrival arrival;
	char byte;

	stream_pair(ends);
	send_one(ends[0], 'x', reader);
	arrival = receive(ends[1], &byte, 1, 1, 0);
	SETUP(arrival.n == 1 && arrival.nfds == 1);
	EXPECT_FAILS(x_write(arrival.fds[0], "y", 1), EBADF);
	writable = reopen(arrival.fds[0], O_RDWR);
	EXPECT_EQ(x_write(writable, "y", 1), 1);
	EXPECT_EQ(byte_at(fd, 0), 'y');
	close_arrival(&arrival);
	close_pair(ends);
	EXPECT_EQ(x_close(writable), 0);
	EXPECT_EQ(x_close(reader), 0);
	EXPECT_EQ(x_close(fd), 0);
}

/* ---- paths ---- */

static int goes_to_a_closed_directory(void *arg)
{
	int dir = *(int *)arg;

	if (give_up_root() != 0)
		return 1;
	CHILD_FAILS(x_fchdir(dir), EACCES);
	CHILD_FAILS(x_openat(dir, "f", O_RDONLY), EACCES);
	CHILD_EXPECT(is_there("d")); /* where it was */
	return 0;
}

TEST(errors, fchdir_to_a_directory_that_may_not_be_searched_fails_EACCES)
{
	/* chdir(2): EACCES of fchdir, whoever has opened the directory. */
	int dir;

	NEEDS_ROOT();
	yard();
	make_dir("d");
	SETUP(x_chmod("d", 0744) == 0);
	dir = opened("d", O_RDONLY | O_DIRECTORY);
	EXPECT_EQ(in_child(goes_to_a_closed_directory, &dir), 0);
	EXPECT_EQ(x_fchdir(dir), 0);
	EXPECT_EQ(x_fchdir(dir), 0);
	EXPECT_EQ(x_chdir(".."), 0);
	EXPECT_EQ(x_close(dir), 0);
}

TEST(errors, getcwd_of_a_path_longer_than_PATH_MAX_fails_ENAMETOOLONG)
{
	/* The call itself, whatever room there is; libc goes on with other means. */
	enum { DEPTH = 17 };
	static char now[2 * PATH_MAX];
	char name[256];
	int i;

	yard();
	long_name(name, 250);
	for (i = 0; i < DEPTH; i++)
		SETUP(x_mkdir(name, 0755) == 0 && x_chdir(name) == 0);
	EXPECT_EQ(KERNEL(getcwd, of(now), sizeof(now)), -ENAMETOOLONG);
	EXPECT_EQ(KERNEL(getcwd, of(now), 10), -ENAMETOOLONG);
	while (i-- > 0)
		SETUP(x_chdir("..") == 0 && x_rmdir(name) == 0);
	EXPECT(KERNEL(getcwd, of(now), sizeof(now)) > 0);
}

TEST(errors, names_in_a_directory_that_was_removed_fail_ENOENT)
{
	/* link(2), symlink(2), mkdir(2), rename(2): ENOENT, a directory that has been deleted. */
	int dir, fd;

	yard();
	make_file("f", 0);
	make_dir("d");
	dir = opened("d", O_RDONLY | O_DIRECTORY);
	SETUP(x_rmdir("d") == 0);
	EXPECT_FAILS(x_linkat(AT_FDCWD, "f", dir, "g", 0), ENOENT);
	EXPECT_FAILS(x_linkat(dir, "g", AT_FDCWD, "g", 0), ENOENT);
	EXPECT_FAILS(x_symlinkat("f", dir, "g"), ENOENT);
	EXPECT_FAILS(x_mkdirat(dir, "g", 0755), ENOENT);
	EXPECT_FAILS(x_mknodat(dir, "g", S_IFREG | 0644, 0), ENOENT);
	EXPECT_FAILS(x_renameat(AT_FDCWD, "f", dir, "g"), ENOENT);
	EXPECT_FAILS(x_renameat(dir, "g", AT_FDCWD, "f"), ENOENT);
	EXPECT_FAILS(x_unlinkat(dir, "g", 0), ENOENT);
	fd = x_openat(dir, ".", O_TMPFILE | O_RDWR, 0600); /* which has no name */
	EXPECT(fd >= 0);
	EXPECT_EQ(x_close(fd), 0);
	EXPECT_EQ(x_close(dir), 0);
}

static int links_by_descriptor(void *arg)
{
	int fd = *(int *)arg;

	if (give_up_root() != 0)
		return 1;
	CHILD_FAILS(x_linkat(fd, "", AT_FDCWD, "open/g", AT_EMPTY_PATH), ENOENT);
	CHILD_EXPECT(!is_there("open/g"));
	return 0;
}

TEST(errors, linkat_of_anothers_descriptor_alone_fails_ENOENT_without_privilege)
{
	/* link(2): ENOENT, AT_EMPTY_PATH without CAP_DAC_READ_SEARCH. Since 6.10 not for who has opened it. */
	int fd;

	NEEDS_ROOT();
	yard();
	make_dir("open");
	SETUP(x_chmod("open", 0777) == 0);
	fd = x_open("f", O_CREAT | O_RDWR, 0666);
	SETUP(fd >= 0 && x_fchmod(fd, 0666) == 0);
	EXPECT_EQ(in_child(links_by_descriptor, &fd), 0);
	EXPECT_EQ(x_linkat(fd, "", AT_FDCWD, "open/g", AT_EMPTY_PATH), 0);
	EXPECT_EQ(x_close(fd), 0);
}

static int links_what_it_has_opened(void *arg)
{
	int fd;

	(void)arg;
	if (give_up_root() != 0)
		return 1;
	fd = x_open("f", O_RDWR);
	CHILD_EXPECT(fd >= 0);
	CHILD_EXPECT(x_linkat(fd, "", AT_FDCWD, "open/g", AT_EMPTY_PATH) == 0);
	CHILD_EXPECT(is_there("open/g"));
	CHILD_EXPECT(x_close(fd) == 0);
	return 0;
}

TEST(errors, linkat_of_a_descriptor_that_was_opened_with_the_same_credentials_works)
{
	/* fs/namei.c, LOOKUP_LINKAT_EMPTY: from 6.10 on. */
	int fd;

	NEEDS_ROOT();
	if (linux_release() < 6010)
		SKIP("of 6.10");
	yard();
	make_dir("open");
	SETUP(x_chmod("open", 0777) == 0);
	fd = x_open("f", O_CREAT | O_RDWR, 0666);
	SETUP(fd >= 0 && x_fchmod(fd, 0666) == 0 && x_close(fd) == 0);
	EXPECT_EQ(in_child(links_what_it_has_opened, NULL), 0);
}

TEST(errors, linkat_of_a_descriptor_of_a_directory_fails_EPERM)
{
	/* link(2): EPERM, AT_EMPTY_PATH and a directory. */
	int dir;

	yard();
	make_dir("d");
	dir = opened("d", O_RDONLY | O_DIRECTORY);
	EXPECT_FAILS(x_linkat(dir, "", AT_FDCWD, "g", AT_EMPTY_PATH), EPERM);
	EXPECT_EQ(x_close(dir), 0);
}

TEST(errors, fifo_without_a_reader_cannot_be_opened_for_writing_ENXIO)
{
	/* open(2): ENXIO, O_NONBLOCK | O_WRONLY of a FIFO that no process has open for reading. */
	yard();
	SETUP(x_mknod("p", S_IFIFO | 0600, 0) == 0);
	EXPECT_FAILS(x_open("p", O_WRONLY | O_NONBLOCK), ENXIO);
}

TEST(errors, device_that_there_is_none_of_cannot_be_opened_ENXIO)
{
	/* open(2): ENXIO, no corresponding device exists. */
	yard();
	if (x_mknod("c", S_IFCHR | 0600, (dev_t)(511 << 8 | 77)) != 0)
		SKIP("devices may not be made here (errno %d)", errno);
	EXPECT_FAILS(x_open("c", O_RDWR), ENXIO);
	EXPECT_FAILS(x_truncate("c", 0), EINVAL);
}

TEST(errors, truncate_of_what_is_no_file_fails_EINVAL)
{
	/* truncate(2): EINVAL. */
	yard();
	SETUP(x_mknod("p", S_IFIFO | 0600, 0) == 0 && x_mknod("s", S_IFSOCK | 0600, 0) == 0);
	EXPECT_FAILS(x_truncate("p", 0), EINVAL);
	EXPECT_FAILS(x_truncate("s", 0), EINVAL);
}

TEST(errors, truncate_of_a_sealed_file_by_path_fails_EPERM)
{
	/* truncate(2): EPERM, prevented by a seal. */
	char path[40];
	int fd = memfd(2);

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	SETUP(x_fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) == 0);
	EXPECT_FAILS(x_truncate(path, PAGE), EPERM);
	SETUP(x_fcntl(fd, F_ADD_SEALS, F_SEAL_GROW) == 0);
	EXPECT_FAILS(x_truncate(path, 3 * PAGE), EPERM);
	EXPECT_EQ(x_truncate(path, 2 * PAGE), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(errors, mode_of_a_symbolic_link_cannot_be_changed_EOPNOTSUPP)
{
	/* fchmodat(2): ENOTSUP. */
	yard();
	make_file("f", 0);
	make_link("f", "l");
	EXPECT_FAILS(x_fchmodat(AT_FDCWD, "l", 0600, AT_SYMLINK_NOFOLLOW), EOPNOTSUPP);
	EXPECT_EQ(mode_of("f"), 0644);
	EXPECT_EQ(mode_of("l"), 0777);
}

TEST(errors, files_of_proc_keep_mode_and_owner)
{
	/* fs/proc: EPERM of chmod, and of chown where the kernel's settings are, and of the directory of a process. */
	EXPECT_FAILS(x_chmod("/proc/self/status", 0444), EPERM);
	EXPECT_FAILS(x_chmod("/proc/self/fd", 0500), EPERM);
	EXPECT_FAILS(x_chmod("/proc/self", 0555), EPERM);
	EXPECT_FAILS(x_chmod("/proc/sys/vm", 0555), EPERM);
	EXPECT_FAILS(x_chmod("/proc/sys/vm/max_map_count", 0644), EPERM);
	EXPECT_FAILS(x_chown("/proc/self", 0, 0), EPERM);
	EXPECT_FAILS(x_chown("/proc/sys/vm", 0, 0), EPERM);
	EXPECT_FAILS(x_chown("/proc/sys/vm/max_map_count", 0, (gid_t)-1), EPERM);
	EXPECT_EQ(x_chown("/proc/self", (uid_t)-1, (gid_t)-1), 0);
	EXPECT_EQ(x_chown("/proc/sys/vm", (uid_t)-1, (gid_t)-1), 0);
}

/* ---- shared memory by name ---- */

static const char *shm_path(char *path, size_t size)
{
	char fresh[96];

	fresh_path(fresh, sizeof(fresh));
	for (char *p = fresh; *p != '\0'; p++)
		if (*p == '/')
			*p = '-';
	snprintf(path, size, "/errors%s-%d", fresh, (int)getpid());
	return path;
}

static int opens_anothers_memory(void *arg)
{
	const char *name = arg;

	if (give_up_root() != 0)
		return 1;
	CHILD_FAILS(x_shm_open(name, O_RDWR, 0), EACCES);
	CHILD_FAILS(x_shm_open(name, O_RDONLY | O_TRUNC, 0), EACCES);
	CHILD_EXPECT(x_close(x_shm_open(name, O_RDONLY, 0)) == 0);
	CHILD_FAILS(x_shm_unlink(name), EACCES);
	return 0;
}

TEST(errors, shm_open_and_shm_unlink_of_anothers_memory_fail_EACCES)
{
	/* shm_open(3): EACCES: not permitted in the mode; O_TRUNC; shm_unlink, where the directory is sticky. */
	char name[160];
	int fd;

	NEEDS_ROOT();
	fd = x_shm_open(shm_path(name, sizeof(name)), O_CREAT | O_EXCL | O_RDWR, 0644);
	SETUP(fd >= 0 && x_ftruncate(fd, PAGE) == 0);
	EXPECT_EQ(in_child(opens_anothers_memory, name), 0);
	EXPECT_EQ(size_of(fd), PAGE);
	EXPECT_EQ(x_close(fd), 0);
	EXPECT_EQ(x_shm_unlink(name), 0);
}

TEST(errors, shm_open_at_the_fd_limit_fails_EMFILE)
{
	/* shm_open(3): EMFILE; and no object is made. */
	static struct fd_hog hog;
	char name[160];

	shm_path(name, sizeof(name));
	hog_fds(&hog, 0);
	EXPECT_FAILS(x_shm_open(name, O_CREAT | O_RDWR, 0600), EMFILE);
	unhog_fds(&hog);
	EXPECT_FAILS(x_shm_unlink(name), ENOENT);
}

/* ---- transfers ---- */

TEST(errors, write_to_a_full_socket_without_waiting_fails_EAGAIN)
{
	/* write(2), writev(2): EAGAIN; read(2), readv(2) of an empty one. */
	static const char bytes[4096];
	char byte;
	struct iovec row = { &byte, 1 };
	int ends[2];

	SETUP(x_socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);
	while (x_write(ends[0], bytes, sizeof(bytes)) > 0)
		;
	SETUP(errno == EAGAIN);
	while (x_write(ends[0], bytes, 1) > 0)
		;
	byte = 'x';
	EXPECT_FAILS(x_write(ends[0], bytes, 1), EAGAIN);
	EXPECT_FAILS(x_writev(ends[0], &row, 1), EAGAIN);
	EXPECT_FAILS(x_read(ends[0], &byte, 1), EAGAIN);
	EXPECT_FAILS(x_readv(ends[0], &row, 1), EAGAIN);
	close_pair(ends);
}

TEST(errors, sendfile_from_beyond_what_its_file_can_hold_fails_EOVERFLOW)
{
	/* sendfile(2): EOVERFLOW. Files of proc have offsets below 2 GiB. */
	int from = x_open("/proc/sys/vm/max_map_count", O_RDONLY), to = memfd(0);
	off_t offset = INT_MAX;

	SETUP(from >= 0);
	EXPECT_FAILS(x_sendfile(to, from, &offset, 10), EOVERFLOW);
	EXPECT_EQ(offset, INT_MAX);
	offset = INT_MAX - 1;
	EXPECT_EQ(x_sendfile(to, from, &offset, 10), 0);
	EXPECT_EQ(x_close(from), 0);
	EXPECT_EQ(x_close(to), 0);
}

TEST(errors, sendfile_from_files_about_processes_fails_EINVAL)
{
	/* sendfile(2): EINVAL. Files that read but do not splice: fs/proc/base.c. */
	static const char *const names[] = {
		"status", "statm", "limits", "maps", "smaps", "cmdline", "comm", "pagemap"
	};
	int to = memfd(0);
	char path[64];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		int from;

		snprintf(path, sizeof(path), "/proc/self/%s", names[i]);
		from = x_open(path, O_RDONLY);
		SETUP(from >= 0);
		EXPECT_FAILS(x_sendfile(to, from, NULL, 10), EINVAL);
		EXPECT_EQ(x_close(from), 0);
	}
	EXPECT_EQ(size_of(to), 0);
	EXPECT_EQ(x_close(to), 0);
}

/* ---- processes ---- */

enum { LONER = 54321 }; /* a user with no other process */

static int ends_at_once(void *arg)
{
	(void)arg;
	return 0;
}

static int forks_too_often(void *arg)
{
	struct rlimit limit = { 1, 1 };
	int status;
	pid_t pid;

	(void)arg;
	CHILD_EXPECT(x_setresuid(LONER, LONER, 0) == 0);
	CHILD_EXPECT(x_setrlimit(RLIMIT_NPROC, &limit) == 0);
	CHILD_FAILS(x_fork_into(ends_at_once, NULL), EAGAIN);
	CHILD_FAILS(x_clone(ends_at_once, SIGCHLD, NULL, NULL, NULL), EAGAIN);
	/* Who is privileged may; and it is the real user that counts. */
	CHILD_EXPECT(x_setresuid(LONER, 0, 0) == 0);
	pid = x_fork_into(ends_at_once, NULL);
	CHILD_EXPECT(pid > 0 && x_waitpid(pid, &status, 0) == pid && status == 0);
	CHILD_EXPECT(x_setresuid(LONER, LONER, 0) == 0);
	CHILD_FAILS(x_fork_into(ends_at_once, NULL), EAGAIN);
	return 0;
}

TEST(errors, fork_and_clone_beyond_RLIMIT_NPROC_fail_EAGAIN)
{
	/* fork(2), clone(2): EAGAIN. */
	NEEDS_ROOT();
	EXPECT_EQ(in_child(forks_too_often, NULL), 0);
}

static int keeps_a_zombie(void *arg)
{
	struct rlimit limit = { 2, 2 };
	siginfo_t info;
	pid_t first, second;
	int status;

	(void)arg;
	CHILD_EXPECT(x_setrlimit(RLIMIT_NPROC, &limit) == 0);
	CHILD_EXPECT(x_setresuid(LONER, LONER, LONER) == 0);
	first = x_fork_into(ends_at_once, NULL);
	CHILD_EXPECT(first > 0 && x_waitid(P_PID, (id_t)first, &info, WEXITED | WNOWAIT) == 0);
	CHILD_FAILS(x_fork_into(ends_at_once, NULL), EAGAIN);
	CHILD_EXPECT(x_waitpid(first, &status, 0) == first);
	second = x_fork_into(ends_at_once, NULL);
	CHILD_EXPECT(second > 0 && x_waitpid(second, &status, 0) == second);
	return 0;
}

TEST(errors, process_counts_to_RLIMIT_NPROC_until_it_is_waited_for)
{
	/* getrlimit(2), RLIMIT_NPROC: extant processes of the real user. */
	NEEDS_ROOT();
	EXPECT_EQ(in_child(keeps_a_zombie, NULL), 0);
}

static int tells_and_waits(void *arg)
{
	struct timespec delay = { 0, 50000000 };
	sigset_t never;

	sigemptyset(&never);
	sigaddset(&never, SIGUSR2);
	x_sigprocmask(SIG_BLOCK, &never, NULL);
	x_sigtimedwait(&never, NULL, &delay);
	CHILD_EXPECT(x_kill(*(pid_t *)arg, SIGUSR1) == 0);
	x_sigtimedwait(&never, NULL, &delay);
	return 0;
}

static volatile sig_atomic_t handled;

static void handle(int signo)
{
	handled = signo;
}

static int waits_for_a_child(void *arg)
{
	struct sigaction action = { .sa_handler = handle };
	pid_t self = x_getpid(), child;
	int status;

	(void)arg;
	handled = 0;
	CHILD_EXPECT(x_sigaction(SIGUSR1, &action, NULL) == 0);
	child = x_fork_into(tells_and_waits, &self);
	CHILD_EXPECT(child > 0);
	CHILD_FAILS(x_waitpid(child, &status, 0), EINTR);
	CHILD_EXPECT(handled == SIGUSR1);
	CHILD_EXPECT(x_waitpid(child, &status, 0) == child && status == 0);
	return 0;
}

TEST(errors, wait_that_a_handler_interrupts_fails_EINTR)
{
	/* wait(2): EINTR, an unblocked signal was caught. */
	EXPECT_EQ(in_child(waits_for_a_child, NULL), 0);
}

TEST(errors, actions_of_SIGKILL_and_SIGSTOP_cannot_be_changed_EINVAL)
{
	/* sigaction(2): EINVAL; what they are may be asked. */
	struct sigaction action = { .sa_handler = SIG_IGN };

	EXPECT_FAILS(x_sigaction(SIGKILL, &action, NULL), EINVAL);
	EXPECT_FAILS(x_sigaction(SIGSTOP, &action, NULL), EINVAL);
	EXPECT_EQ(x_sigaction(SIGSTOP, NULL, &action), 0);
	EXPECT(action.sa_handler == SIG_DFL);
}

TEST(errors, set_of_signals_of_another_size_fails_EINVAL)
{
	/* sigprocmask(2), sigaction(2): EINVAL, the size of the set is not the kernel's. */
	static const uint64_t none[2];
	const long sizes[] = { 0, 4, 16, 128, -1 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		EXPECT_EQ(KERNEL(rt_sigprocmask, SIG_BLOCK, of(none), 0, sizes[i]), -EINVAL);
		EXPECT_EQ(KERNEL(rt_sigaction, SIGUSR1, 0, 0, sizes[i]), -EINVAL);
		EXPECT_EQ(KERNEL(rt_sigsuspend, of(none), sizes[i]), -EINVAL);
		EXPECT_EQ(KERNEL(rt_sigtimedwait, of(none), 0, of(none), sizes[i]), -EINVAL);
	}
	EXPECT_EQ(KERNEL(rt_sigprocmask, SIG_BLOCK, of(none), 0, 8), 0);
	EXPECT_EQ(KERNEL(rt_sigprocmask, 3, of(none), 0, 8), -EINVAL);
}

/* ---- results that reach into memory that is not there ---- */

/* Two pages, of which the second has gone; all of it 'm'. */
static addr_t edge_of_memory(void)
{
	addr_t map = map_anonymous(2, RW, MAP_PRIVATE);

	for (addr_t i = 0; i < 64; i++)
		st8(map + PAGE - 1 - i, 'm');
	unmap(map + PAGE, 1);
	return map + PAGE;
}

static void expect_untouched(addr_t edge, unsigned n, const char *call)
{
	for (unsigned i = 1; i <= n; i++)
		EXPECT_MSG(ld8(edge - i) == 'm', "%s has written %u before the hole", call, i);
}

static int forks_and_waits_badly(void *arg)
{
	addr_t edge = edge_of_memory();
	siginfo_t info;
	pid_t child;

	(void)arg;
	child = x_fork_into(ends_at_once, NULL);
	CHILD_EXPECT(child > 0 && x_waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) == 0);
	CHILD_EXPECT(KERNEL(wait4, child, of(ubuf(edge - 2)), 0, 0) == -EFAULT);
	CHILD_EXPECT(ld8(edge - 1) == 'm' && ld8(edge - 2) == 'm');
	child = x_fork_into(ends_at_once, NULL);
	CHILD_EXPECT(child > 0 && KERNEL(waitid, P_PID, child, of(ubuf(edge - 18)), WEXITED, 0) == -EFAULT);
	CHILD_EXPECT(ld8(edge - 18) == SIGCHLD);                    /* si_signo, errno, code */
	CHILD_EXPECT(ld8(edge - 6) == 'm');                         /* what lies between them */
	CHILD_EXPECT(ld8(edge - 1) == 'm' && ld8(edge - 2) == 'm'); /* si_pid */
	return 0;
}

TEST(errors, number_that_reaches_into_a_hole_is_not_written_at_all)
{
	/* EFAULT of getresuid(2), sendfile(2), socketpair(2), wait(2): each number is one store. */
	addr_t edge = edge_of_memory();
	int fd = memfd(1), free_fd = lowest_free_fd();
	uid_t id;

	EXPECT_EQ(KERNEL(getresuid, of(ubuf(edge - 2)), of(&id), of(&id)), -EFAULT);
	expect_untouched(edge, 2, "getresuid");
	EXPECT_EQ(KERNEL(getresgid, of(&id), of(ubuf(edge - 3)), of(&id)), -EFAULT);
	expect_untouched(edge, 3, "getresgid");
	EXPECT_EQ(KERNEL(socketpair, AF_UNIX, SOCK_STREAM, 0, of(ubuf(edge - 6))), -EFAULT);
	expect_untouched(edge, 2, "socketpair");
	EXPECT_EQ(ld8(edge - 6), free_fd); /* the first of the two */
	EXPECT_EQ(x_close(fd), 0);
	unmap(edge - PAGE, 1);
	EXPECT_EQ(in_child(forks_and_waits_badly, NULL), 0);
}

TEST(errors, times_before_1970_are_kept)
{
	/* utimensat(2). */
	const struct timespec times[2] = { { -5, 7 }, { -1000000000, 999999999 } };
	struct stat st;
	int fd;

	yard();
	fd = x_open("f", O_CREAT | O_RDWR, 0644);
	SETUP(fd >= 0);
	EXPECT_EQ(x_futimens(fd, times), 0);
	EXPECT_EQ(x_fstat(fd, &st), 0);
	EXPECT_EQ(st.st_atim.tv_sec, -5);
	EXPECT_EQ(st.st_atim.tv_nsec, 7);
	EXPECT_EQ(st.st_mtim.tv_sec, -1000000000);
	EXPECT_EQ(st.st_mtim.tv_nsec, 999999999);
	EXPECT_EQ(x_close(fd), 0);
}
