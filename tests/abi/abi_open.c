// SPDX-License-Identifier: MIT
/*
 * What Linux promises of open, openat and creat on a tmpfs: open(2), path_resolution(7).
 */
#include "abi_tree.h"

/* ---- making ---- */

TEST(open, CREAT_makes_a_file_with_mode_less_umask)
{
	/* open(2): mode & ~umask; it is the caller's. */
	struct stat st;
	int fd;

	yard();
	x_umask(027);
	fd = x_open("f", O_CREAT | O_RDWR, 0666);
	x_umask(022);
	REQUIRE(fd >= 0);
	EXPECT_EQ(x_fstat(fd, &st), 0);
	EXPECT_EQ(st.st_mode, S_IFREG | 0640);
	EXPECT_EQ(st.st_nlink, 1);
	EXPECT_EQ(st.st_size, 0);
	EXPECT_EQ(st.st_ino, stat_of("f").st_ino);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(open, CREAT_of_an_existing_file_opens_it_and_keeps_its_mode)
{
	/* open(2): mode is for a new file. */
	int fd;

	yard();
	make_file("f", 5);
	fd = x_open("f", O_CREAT | O_RDWR, 0600);
	REQUIRE(fd >= 0);
	EXPECT_EQ(size_of(fd), 5);
	EXPECT_EQ(mode_of("f"), 0644);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(open, of_a_file_that_may_not_be_written_works_for_who_makes_it)
{
	/* open(2): the mode applies to future accesses. */
	int fd;

	yard();
	fd = x_open("f", O_CREAT | O_RDWR, 0400);
	REQUIRE(fd >= 0);
	EXPECT_EQ(x_write(fd, "x", 1), 1);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(open, EXCL_of_an_existing_name_fails_EEXIST)
{
	/* open(2): EEXIST, symbolic links are not followed. */
	yard();
	make_file("f", 0);
	make_dir("d");
	make_link("nowhere", "l");
	EXPECT_FAILS(x_open("f", O_CREAT | O_EXCL | O_RDWR, 0644), EEXIST);
	EXPECT_FAILS(x_open("d", O_CREAT | O_EXCL | O_RDWR, 0644), EEXIST);
	EXPECT_FAILS(x_open("l", O_CREAT | O_EXCL | O_RDWR, 0644), EEXIST);
	EXPECT_FAILS(x_open(".", O_CREAT | O_EXCL | O_RDWR, 0644), EEXIST);
	EXPECT(!is_there("nowhere"));
}

TEST(open, CREAT_through_a_dangling_link_makes_its_target)
{
	/* path_resolution(7): the final component is followed. */
	yard();
	make_dir("d");
	make_link("d/new", "l");
	EXPECT_EQ(x_close(opened("l", O_CREAT | O_RDWR)), 0);
	EXPECT(is_there("d/new"));
	make_link("none/new", "m");
	EXPECT_FAILS(x_open("m", O_CREAT | O_RDWR, 0644), ENOENT);
	EXPECT_FAILS(x_open("m", O_CREAT | O_RDWR | O_NOFOLLOW, 0644), ELOOP);
}

TEST(open, CREAT_of_a_directory_fails_EISDIR)
{
	/* open(2): EISDIR; O_CREAT asks for a file, whatever the access mode. */
	yard();
	make_dir("d");
	EXPECT_FAILS(x_open("d", O_CREAT | O_RDONLY, 0644), EISDIR);
	EXPECT_FAILS(x_open("d/", O_CREAT | O_RDONLY, 0644), EISDIR);
	EXPECT_FAILS(x_open("new/", O_CREAT | O_RDWR, 0644), EISDIR);
	EXPECT_FAILS(x_open(".", O_CREAT | O_RDONLY, 0644), EISDIR);
	EXPECT_FAILS(x_open("..", O_CREAT | O_RDONLY, 0644), EISDIR);
	EXPECT_FAILS(x_open("/", O_CREAT | O_RDONLY, 0644), EISDIR);
	EXPECT(!is_there("new"));
}

TEST(open, CREAT_with_DIRECTORY_fails_EINVAL)
{
	/* fs/open.c, build_open_flags, since 6.4. */
	yard();
	EXPECT_FAILS(x_open("new", O_CREAT | O_DIRECTORY | O_RDWR, 0755), EINVAL);
	EXPECT(!is_there("new"));
}

TEST(open, creat_makes_and_truncates)
{
	/* creat(2): O_CREAT | O_WRONLY | O_TRUNC. */
	char byte;
	int fd;

	yard();
	make_file("f", 7);
	fd = x_creat("f", 0600);
	REQUIRE(fd >= 0);
	EXPECT_EQ(size_of(fd), 0);
	EXPECT_FAILS(x_read(fd, &byte, 1), EBADF);
	EXPECT_EQ(x_close(fd), 0);
	fd = x_creat("g", 0600);
	REQUIRE(fd >= 0);
	EXPECT_EQ(mode_of("g"), 0600);
	EXPECT_EQ(x_close(fd), 0);
}

/* ---- opening ---- */

TEST(open, TRUNC_empties_a_file_whatever_the_access_mode)
{
	/* open(2): O_RDONLY | O_TRUNC is unspecified; Linux truncates. */
	yard();
	make_file("f", 7);
	EXPECT_EQ(x_close(opened("f", O_WRONLY | O_TRUNC)), 0);
	EXPECT_EQ(stat_of("f").st_size, 0);
	make_file("g", 7);
	EXPECT_EQ(x_close(opened("g", O_RDONLY | O_TRUNC)), 0);
	EXPECT_EQ(stat_of("g").st_size, 0);
}

TEST(open, APPEND_writes_at_the_end)
{
	/* open(2): the offset is set to the end before each write. */
	int fd, other;

	yard();
	make_file("f", 3);
	fd = opened("f", O_WRONLY | O_APPEND);
	other = opened("f", O_WRONLY);
	EXPECT_EQ(x_write(fd, "ab", 2), 2);
	EXPECT_EQ(x_lseek(fd, 0, SEEK_CUR), 5);
	EXPECT_EQ(x_pwrite(other, "z", 1, 9), 1);
	EXPECT_EQ(x_lseek(fd, 0, SEEK_SET), 0);
	EXPECT_EQ(x_write(fd, "c", 1), 1);
	EXPECT_EQ(size_of(fd), 11);
	EXPECT_EQ(x_close(other), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(open, access_mode_decides_over_read_and_write)
{
	/* read(2), write(2): EBADF. Mode 3 asks for both permissions and gives neither. */
	const int modes[] = { O_RDONLY, O_WRONLY, O_RDWR, 3 };
	const int may_read[] = { 1, 0, 1, 0 }, may_write[] = { 0, 1, 1, 0 };
	char byte = 0;

	yard();
	make_file("f", 1);
	for (int i = 0; i < 4; i++) {
		int fd = opened("f", modes[i]);

		EXPECT_EQ(x_read(fd, &byte, 1), may_read[i] ? 1 : -1);
		EXPECT_EQ(x_pwrite(fd, &byte, 1, 0), may_write[i] ? 1 : -1);
		EXPECT_EQ(x_close(fd), 0);
	}
}

/* O_LARGEFILE as the kernel has it; libc calls it 0, for its files are always large. */
#ifdef __aarch64__
enum { LARGEFILE = 0400000 };
#else
enum { LARGEFILE = 0100000 };
#endif

TEST(open, GETFL_shows_access_mode_and_status_flags)
{
	/* fcntl(2), F_GETFL: creation flags and O_CLOEXEC are not among them. */
	const int shown = O_WRONLY | O_APPEND | O_NONBLOCK | O_SYNC | O_NOATIME | O_NOFOLLOW;
	int fd;

	yard();
	fd = x_open("f", shown | O_CREAT | O_EXCL | O_TRUNC | O_NOCTTY | O_CLOEXEC, 0644);
	REQUIRE(fd >= 0);
	EXPECT_EQ(x_fcntl(fd, F_GETFL) & ~LARGEFILE, shown);
	EXPECT_EQ(x_fcntl(fd, F_GETFD), FD_CLOEXEC);
	EXPECT_EQ(x_close(fd), 0);
	fd = opened(".", O_RDONLY | O_DIRECTORY);
	EXPECT_EQ(x_fcntl(fd, F_GETFL) & ~LARGEFILE, O_DIRECTORY);
	EXPECT_EQ(x_fcntl(fd, F_GETFD), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(open, of_a_directory_for_writing_fails_EISDIR)
{
	/* open(2): EISDIR. */
	yard();
	make_dir("d");
	EXPECT_FAILS(x_open("d", O_WRONLY), EISDIR);
	EXPECT_FAILS(x_open("d", O_RDWR), EISDIR);
	EXPECT_FAILS(x_open("d", O_RDONLY | O_TRUNC), EISDIR);
	EXPECT_FAILS(x_open("d", 3), EISDIR);
}

TEST(open, directory_is_neither_read_nor_written_nor_mapped)
{
	/* read(2): EISDIR; mmap(2): ENODEV; fcntl(2), F_GET_SEALS: EINVAL. */
	char byte = 0;
	int fd;

	yard();
	fd = opened(".", O_RDONLY);
	EXPECT_FAILS(x_read(fd, &byte, 1), EISDIR);
	EXPECT_FAILS(x_pread(fd, &byte, 1, 0), EISDIR);
	EXPECT_FAILS(x_write(fd, &byte, 1), EBADF);
	EXPECT_FAILS(x_ftruncate(fd, 0), EINVAL);
	EXPECT_FAILS(x_fallocate(fd, 0, 0, 1), EBADF);
	EXPECT_EQ(x_mmap(0, PAGE, PROT_READ, MAP_SHARED, fd, 0), NO_MAPPING);
	EXPECT_EQ(errno, ENODEV);
	EXPECT_FAILS(x_fcntl(fd, F_GET_SEALS), EINVAL);
	EXPECT_FAILS(x_lseek(fd, 0, SEEK_END), EINVAL);
	EXPECT_FAILS(x_lseek(fd, -1, SEEK_SET), EINVAL);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(open, DIRECTORY_of_a_file_fails_ENOTDIR)
{
	/* open(2): ENOTDIR. */
	yard();
	make_file("f", 0);
	make_link("f", "l");
	make_link(".", "ld");
	EXPECT_FAILS(x_open("f", O_RDONLY | O_DIRECTORY), ENOTDIR);
	EXPECT_FAILS(x_open("l", O_RDONLY | O_DIRECTORY), ENOTDIR);
	EXPECT_FAILS(x_open("f/", O_RDONLY), ENOTDIR);
	EXPECT_FAILS(x_open("ld", O_RDONLY | O_DIRECTORY | O_NOFOLLOW), ENOTDIR);
	EXPECT_EQ(x_close(opened("ld", O_RDONLY | O_DIRECTORY)), 0);
}

TEST(open, NOFOLLOW_of_a_link_fails_ELOOP)
{
	/* open(2): ELOOP; links on the way are followed still. */
	yard();
	make_dir("d");
	make_file("d/f", 0);
	make_link("d", "l");
	make_link("d/f", "lf");
	EXPECT_FAILS(x_open("lf", O_RDONLY | O_NOFOLLOW), ELOOP);
	EXPECT_EQ(x_close(opened("l/f", O_RDONLY | O_NOFOLLOW)), 0);
	EXPECT_EQ(x_close(opened("l/", O_RDONLY | O_NOFOLLOW)), 0);
}

TEST(open, of_a_socket_or_a_missing_name_fails)
{
	/* open(2): ENXIO, ENOENT, EFAULT. */
	int sock;
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "s" };

	yard();
	sock = x_socket(AF_UNIX, SOCK_STREAM, 0);
	SETUP(x_bind(sock, (struct sockaddr *)&address, sizeof(address)) == 0);
	EXPECT_FAILS(x_open("s", O_RDWR), ENXIO);
	EXPECT_FAILS(x_open("s", O_RDWR | O_CREAT, 0644), ENXIO);
	EXPECT_FAILS(x_open("none", O_RDONLY), ENOENT);
	EXPECT_FAILS(x_open("", O_RDONLY), ENOENT);
	EXPECT_FAILS(x_open("", O_RDONLY | O_CREAT, 0644), ENOENT);
	EXPECT_FAILS(x_open("none/f", O_RDWR | O_CREAT, 0644), ENOENT);
	EXPECT_FAILS(x_open(ubuf(unmapped_page()), O_RDONLY), EFAULT);
	EXPECT_EQ(x_close(sock), 0);
}

TEST(open, EMFILE_comes_before_what_the_path_says)
{
	/* fs/open.c: the number is reserved before the walk, after the path is read. */
	struct fd_hog hog;
	int free_ones;

	yard();
	hog_fds(&hog, 0);
	EXPECT_FAILS(x_open("none", O_RDONLY), EMFILE);
	EXPECT_FAILS(x_open("new", O_RDWR | O_CREAT, 0644), EMFILE);
	EXPECT_FAILS(x_open("", O_RDONLY), ENOENT);
	EXPECT_FAILS(x_open("x", O_CREAT | O_DIRECTORY, 0644), EINVAL);
	unhog_fds(&hog);
	EXPECT(!is_there("new"));
	free_ones = lowest_free_fd();
	EXPECT_FAILS(x_open("none", O_RDONLY), ENOENT);
	EXPECT_EQ(lowest_free_fd(), free_ones);
}

TEST(open, two_descriptions_of_a_file_share_its_bytes_and_mappings)
{
	/* mmap(2): MAP_SHARED of a file; each open has an offset of its own. */
	unsigned char byte;
	addr_t map;
	int a, b;

	yard();
	a = opened("f", O_CREAT | O_RDWR);
	b = opened("f", O_RDWR);
	EXPECT_EQ(x_ftruncate(a, 2 * PAGE), 0);
	map = map_shared(b, 2, PROT_READ | PROT_WRITE);
	EXPECT_EQ(x_write(a, "A", 1), 1);
	EXPECT_EQ(ld8(map), 'A');
	st8(map + PAGE, 'B');
	EXPECT_EQ(x_pread(a, &byte, 1, PAGE), 1);
	EXPECT_EQ(byte, 'B');
	EXPECT_EQ(x_lseek(b, 0, SEEK_CUR), 0);
	EXPECT_EQ(x_close(a), 0);
	EXPECT_EQ(x_close(b), 0);
	EXPECT_EQ(x_unlink("f"), 0);
	EXPECT_EQ(ld8(map), 'A');
	unmap(map, 2);
}

TEST(open, file_has_the_seal_against_seals)
{
	/* fcntl(2): files of a tmpfs start with F_SEAL_SEAL. */
	int fd;

	yard();
	fd = opened("f", O_CREAT | O_RDWR);
	EXPECT_EQ(seals_of(fd), F_SEAL_SEAL);
	EXPECT_FAILS(x_fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), EPERM);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(open, unlinked_file_lives_until_it_is_closed)
{
	/* unlink(2). */
	struct stat st;
	char byte = 0;
	int fd;

	yard();
	fd = opened("f", O_CREAT | O_RDWR);
	EXPECT_EQ(x_write(fd, "x", 1), 1);
	EXPECT_EQ(x_unlink("f"), 0);
	EXPECT_EQ(x_fstat(fd, &st), 0);
	EXPECT_EQ(st.st_nlink, 0);
	EXPECT_EQ(x_pread(fd, &byte, 1, 0), 1);
	EXPECT_EQ(byte, 'x');
	EXPECT_FAILS(x_open("f", O_RDONLY), ENOENT);
	EXPECT_EQ(x_close(fd), 0);
}

/* ---- openat ---- */

TEST(open, openat_starts_at_the_directory_unless_the_path_is_absolute)
{
	/* open(2), openat. */
	char path[96];
	int dir, fd;

	yard();
	fresh_path(path, sizeof(path));
	make_dir("d");
	make_file("d/f", 3);
	dir = opened("d", O_RDONLY | O_DIRECTORY);
	fd = x_openat(dir, "f", O_RDONLY);
	REQUIRE(fd >= 0);
	EXPECT_EQ(size_of(fd), 3);
	EXPECT_EQ(x_close(fd), 0);
	fd = x_openat(dir, "../d/new", O_RDWR | O_CREAT, 0644);
	REQUIRE(fd >= 0);
	EXPECT_EQ(x_close(fd), 0);
	EXPECT(is_there("d/new"));
	fd = x_openat(99, path, O_RDWR | O_CREAT, 0644);
	REQUIRE(fd >= 0);
	EXPECT_EQ(x_close(fd), 0);
	EXPECT_EQ(x_unlink(path), 0);
	fd = x_openat(AT_FDCWD, "d/f", O_RDONLY);
	REQUIRE(fd >= 0);
	EXPECT_EQ(x_close(fd), 0);
	EXPECT_EQ(x_close(dir), 0);
}

TEST(open, openat_at_what_is_no_directory_fails)
{
	/* open(2): EBADF, ENOTDIR. */
	int fd, mem;

	yard();
	fd = opened("f", O_CREAT | O_RDWR);
	mem = memfd(1);
	EXPECT_FAILS(x_openat(fd, "x", O_RDONLY), ENOTDIR);
	EXPECT_FAILS(x_openat(mem, "x", O_RDONLY), ENOTDIR);
	EXPECT_FAILS(x_openat(-1, "x", O_RDONLY), EBADF);
	EXPECT_FAILS(x_openat(NFDS_LIMIT - 1, "x", O_RDONLY), EBADF);
	EXPECT_FAILS(x_openat(fd, "", O_RDONLY), ENOENT);
	EXPECT_EQ(x_close(mem), 0);
	EXPECT_EQ(x_close(fd), 0);
}

/* ---- O_PATH ---- */

TEST(open, PATH_descriptor_refuses_what_needs_an_open_file)
{
	/* open(2), O_PATH: other operations fail with EBADF. */
	struct timespec now[2] = { { 0, UTIME_NOW }, { 0, UTIME_NOW } };
	char buf[512];
	int fd;

	yard();
	make_file("f", 3);
	fd = x_open("f", O_PATH | O_RDWR | O_CREAT | O_TRUNC, 0644);
	REQUIRE(fd >= 0);
	EXPECT_EQ(stat_of("f").st_size, 3);
	EXPECT_FAILS(x_read(fd, buf, 1), EBADF);
	EXPECT_FAILS(x_pread(fd, buf, 1, 0), EBADF);
	EXPECT_FAILS(x_write(fd, buf, 1), EBADF);
	EXPECT_FAILS(x_pwrite(fd, buf, 1, 0), EBADF);
	EXPECT_FAILS(x_lseek(fd, 0, SEEK_CUR), EBADF);
	EXPECT_FAILS(x_ftruncate(fd, 0), EBADF);
	EXPECT_FAILS(x_fallocate(fd, 0, 0, 1), EBADF);
	EXPECT_FAILS(x_fchmod(fd, 0600), EBADF);
	EXPECT_FAILS(x_fchown(fd, 0, 0), EBADF);
	EXPECT_FAILS(x_futimens(fd, now), EBADF);
	EXPECT_FAILS(x_getdents64(fd, buf, sizeof(buf)), EBADF);
	EXPECT_FAILS(x_fcntl(fd, F_SETFL, O_APPEND), EBADF);
	EXPECT_FAILS(x_fcntl(fd, F_GET_SEALS), EBADF);
	EXPECT_FAILS(x_fcntl(fd, F_ADD_SEALS, 0), EBADF);
	EXPECT_EQ(x_mmap(0, PAGE, PROT_READ, MAP_SHARED, fd, 0), NO_MAPPING);
	EXPECT_EQ(errno, EBADF);
	EXPECT_EQ(x_close(fd), 0);
	EXPECT_FAILS(x_open("none", O_PATH), ENOENT);
	EXPECT_FAILS(x_open("f", O_PATH | O_DIRECTORY), ENOTDIR);
}

TEST(open, PATH_descriptor_can_be_pointed_at)
{
	/* open(2), O_PATH: close, dup, fcntl of the descriptor, fstat, fchdir, F_GETFL, passing it. */
	int dir, fd, copy, ends[2];
	struct arrival arrival;
	struct stat st;
	char byte;

	yard();
	make_dir("d");
	make_file("d/f", 3);
	dir = opened("d", O_PATH);
	fd = opened("d/f", O_PATH | O_CLOEXEC);
	EXPECT_EQ(x_fcntl(fd, F_GETFL), O_PATH);
	EXPECT_EQ(x_fcntl(fd, F_GETFD), FD_CLOEXEC);
	EXPECT_EQ(x_fstat(fd, &st), 0);
	EXPECT_EQ(st.st_size, 3);
	copy = x_dup(fd);
	EXPECT(copy >= 0);
	EXPECT_EQ(x_close(copy), 0);
	copy = x_fcntl(fd, F_DUPFD, 0);
	EXPECT(copy >= 0);
	EXPECT_EQ(x_close(copy), 0);
	copy = x_openat(dir, "f", O_RDONLY);
	EXPECT(copy >= 0);
	EXPECT_EQ(x_close(copy), 0);
	EXPECT_EQ(x_fstatat(fd, "", &st, AT_EMPTY_PATH), 0);
	EXPECT_EQ(st.st_size, 3);
	stream_pair(ends);
	EXPECT_EQ(send_with_fds(ends[0], "x", 1, &fd, 1, MSG_NOSIGNAL), 1);
	arrival = receive(ends[1], &byte, 1, 1, 0);
	EXPECT_EQ(arrival.nfds, 1);
	EXPECT_EQ(x_fcntl(arrival.fds[0], F_GETFL), O_PATH);
	close_arrival(&arrival);
	close_pair(ends);
	EXPECT_EQ(x_fchdir(dir), 0);
	EXPECT(is_there("f"));
	EXPECT_EQ(x_close(fd), 0);
	EXPECT_EQ(x_close(dir), 0);
}

TEST(open, PATH_with_NOFOLLOW_is_the_link_itself)
{
	/* open(2): O_PATH | O_NOFOLLOW; readlinkat(2) with an empty path. */
	struct stat st;
	char text[16];
	int fd;

	yard();
	make_link("target", "l");
	fd = opened("l", O_PATH | O_NOFOLLOW);
	EXPECT_EQ(x_fcntl(fd, F_GETFL), O_PATH | O_NOFOLLOW);
	EXPECT_EQ(x_fstat(fd, &st), 0);
	EXPECT(S_ISLNK(st.st_mode));
	EXPECT_EQ(x_readlinkat(fd, "", text, sizeof(text)), 6);
	EXPECT_EQ(x_close(fd), 0);
	fd = opened(".", O_PATH);
	EXPECT_FAILS(x_readlinkat(fd, "", text, sizeof(text)), ENOENT);
	EXPECT_EQ(x_close(fd), 0);
}

/* ---- O_TMPFILE ---- */

TEST(open, TMPFILE_makes_a_file_without_a_name)
{
	/* open(2), O_TMPFILE. */
	struct stat st;
	char self[32], text[128], cwd[128];
	ssize_t n;
	int fd;

	yard();
	fd = x_open(".", O_TMPFILE | O_RDWR, 0666);
	REQUIRE(fd >= 0);
	EXPECT_EQ(x_fstat(fd, &st), 0);
	EXPECT_EQ(st.st_nlink, 0);
	EXPECT_EQ(st.st_mode, S_IFREG | 0644);
	EXPECT_EQ(x_write(fd, "x", 1), 1);
	EXPECT_EQ(stat_of(".").st_size, 40);
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	n = x_readlink(self, text, sizeof(text) - 1);
	REQUIRE(n > 0);
	text[n] = '\0';
	EXPECT(x_getcwd(cwd, sizeof(cwd)) != NULL);
	EXPECT_EQ(strncmp(text, cwd, strlen(cwd)), 0);
	EXPECT_STREQ(text + n - 10, " (deleted)");
	EXPECT_EQ(x_close(fd), 0);
}

TEST(open, TMPFILE_can_be_given_a_name_unless_EXCL)
{
	/* open(2): linkat with AT_SYMLINK_FOLLOW of /proc/self/fd; O_EXCL prevents it. */
	char self[32];
	int fd;

	yard();
	fd = x_open(".", O_TMPFILE | O_RDWR, 0644);
	REQUIRE(fd >= 0);
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	EXPECT_EQ(x_write(fd, "xyz", 3), 3);
	EXPECT_EQ(x_linkat(AT_FDCWD, self, AT_FDCWD, "named", AT_SYMLINK_FOLLOW), 0);
	EXPECT_EQ(stat_of("named").st_size, 3);
	EXPECT_EQ(stat_of("named").st_nlink, 1);
	EXPECT_EQ(x_close(fd), 0);
	fd = x_open(".", O_TMPFILE | O_RDWR | O_EXCL, 0644);
	REQUIRE(fd >= 0);
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	EXPECT_FAILS(x_linkat(AT_FDCWD, self, AT_FDCWD, "other", AT_SYMLINK_FOLLOW), ENOENT);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(open, TMPFILE_wants_a_directory_and_writing)
{
	/* open(2): EINVAL, ENOENT, ENOTDIR. */
	yard();
	make_file("f", 0);
	EXPECT_FAILS(x_open(".", O_TMPFILE | O_RDONLY, 0644), EINVAL);
	EXPECT_FAILS(x_open(".", (O_TMPFILE & ~O_DIRECTORY) | O_RDWR, 0644), EINVAL);
	EXPECT_FAILS(x_open("none", O_TMPFILE | O_RDWR, 0644), ENOENT);
	EXPECT_FAILS(x_open("f", O_TMPFILE | O_RDWR, 0644), ENOTDIR);
	EXPECT_FAILS(x_open("/proc", O_TMPFILE | O_RDWR, 0644), EOPNOTSUPP);
}

/* ---- magic links ---- */

TEST(open, of_proc_self_fd_of_an_unlinked_file_makes_a_new_description)
{
	/* proc(5), /proc/[pid]/fd. */
	char self[32], text[128], cwd[100], expected[128];
	ssize_t n;
	int fd, again;

	yard();
	fd = opened("f", O_CREAT | O_RDWR);
	EXPECT_EQ(x_write(fd, "abc", 3), 3);
	EXPECT(x_getcwd(cwd, sizeof(cwd)) != NULL);
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	snprintf(expected, sizeof(expected), "%s/f", cwd);
	n = x_readlink(self, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	EXPECT_STREQ(text, expected);
	EXPECT_EQ(x_unlink("f"), 0);
	snprintf(expected, sizeof(expected), "%s/f (deleted)", cwd);
	n = x_readlink(self, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	EXPECT_STREQ(text, expected);
	again = x_open(self, O_RDONLY);
	REQUIRE(again >= 0);
	EXPECT_EQ(x_read(again, text, 8), 3);
	EXPECT_EQ(x_lseek(fd, 0, SEEK_CUR), 3);
	EXPECT_EQ(stat_of(self).st_nlink, 0);
	EXPECT(S_ISLNK(lstat_of(self).st_mode));
	EXPECT_EQ(x_close(again), 0);
	EXPECT_EQ(x_close(fd), 0);
}

TEST(open, of_a_path_descriptor_through_proc_gives_a_real_one)
{
	/* open(2), O_PATH: a later open of /proc/self/fd/N. */
	char self[32], byte;
	int fd, real;

	yard();
	make_file("f", 3);
	fd = opened("f", O_PATH);
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	real = x_open(self, O_RDONLY);
	REQUIRE(real >= 0);
	EXPECT_EQ(x_read(real, &byte, 1), 1);
	EXPECT_EQ(x_close(real), 0);
	EXPECT_EQ(x_close(fd), 0);
}
