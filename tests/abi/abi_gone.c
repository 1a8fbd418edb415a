// SPDX-License-Identifier: MIT
/*
 * What Linux promises of files in /proc once what they tell of has gone: a process that has ended, one that has been
 * waited for, a descriptor that has been closed. proc(5), and what its files answer.
 */
#include "abi.h"

#include <dirent.h>

static const char *const told[] = { "status", "limits", "cmdline", "comm", "statm", "maps", "smaps", "fdinfo/0" };
static const char *const places[] = { "cwd", "root", "fd/0" };
enum { TOLD = sizeof(told) / sizeof(told[0]), PLACES = sizeof(places) / sizeof(places[0]) };

/* A process that ends when it is told to, and all that can be held of its directory. */
static struct gone {
	pid_t pid;
	int go; /* the end that tells it */
	int dir, fd_dir, info_dir;
	int file[TOLD], rollup, pagemap, place[PLACES];
} gone;

static int its_go, its_fd;

static int waits_to_go(void *arg)
{
	char byte;

	(void)arg;
	x_close(gone.go);
	if (x_fcntl(0, F_GETFD) < 0)
		x_fcntl(its_fd, F_DUPFD, 0);
	return (int)x_recv(its_go, &byte, 1, 0);
}

static int of_it(const char *name, int flags)
{
	int fd = x_openat(gone.dir, name, flags | O_CLOEXEC);

	SETUP(fd >= 0);
	return fd;
}

static void hold_its_files(void)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d", (int)gone.pid);
	gone.dir = x_open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	SETUP(gone.dir >= 0);
	while (x_faccessat(gone.dir, "fd/0", F_OK, AT_SYMLINK_NOFOLLOW) < 0) /* until it has one */
		SETUP(errno == ENOENT);
	gone.fd_dir = of_it("fd", O_RDONLY | O_DIRECTORY);
	gone.info_dir = of_it("fdinfo", O_RDONLY | O_DIRECTORY);
	for (int i = 0; i < TOLD; i++)
		gone.file[i] = of_it(told[i], O_RDONLY);
	gone.rollup = of_it("smaps_rollup", O_RDONLY);
	gone.pagemap = of_it("pagemap", O_RDONLY);
	for (int i = 0; i < PLACES; i++)
		gone.place[i] = of_it(places[i], O_PATH | O_NOFOLLOW);
}

static void begin(void)
{
	int ends[2];

	stream_pair(ends);
	its_fd = memfd(0);
	gone.go = ends[0];
	its_go = ends[1];
	gone.pid = x_fork_into(waits_to_go, NULL);
	SETUP(gone.pid > 0);
	SETUP(x_close(ends[1]) == 0);
	hold_its_files();
}

static void end_it(void)
{
	siginfo_t info;

	SETUP(x_close(gone.go) == 0);
	SETUP(x_waitid(P_PID, (id_t)gone.pid, &info, WEXITED | WNOWAIT) == 0);
}

static void wait_for_it(void)
{
	SETUP(x_waitpid(gone.pid, NULL, 0) == gone.pid);
}

static void let_go(void)
{
	for (int i = 0; i < TOLD; i++)
		x_close(gone.file[i]);
	for (int i = 0; i < PLACES; i++)
		x_close(gone.place[i]);
	x_close(gone.pagemap);
	x_close(gone.rollup);
	x_close(gone.info_dir);
	x_close(gone.fd_dir);
	x_close(gone.dir);
	x_close(its_fd);
}

/* What a read of it gives now: a count, or -errno. */
static int answer(int fd)
{
	char bytes[4096];
	ssize_t n = x_pread(fd, bytes, sizeof(bytes), 0);

	return n < 0 ? -errno : (int)n;
}

/* The same of one that is opened now. */
static int answer_anew(const char *name)
{
	int fd = x_openat(gone.dir, name, O_RDONLY | O_CLOEXEC);
	int n = fd < 0 ? -errno : answer(fd);

	if (fd >= 0)
		x_close(fd);
	return n;
}

static int listed(int dir)
{
	char bytes[4096];
	int n = (int)x_getdents64(dir, bytes, sizeof(bytes));

	return n < 0 ? -errno : n;
}

TEST(gone, zombie_has_a_status_but_neither_memory_nor_descriptors)
{
	char text[64];
	struct stat st;

	begin();
	end_it();
	for (int i = 0; i < TOLD; i++) {
		bool empty = strcmp(told[i], "cmdline") == 0 || strstr(told[i], "maps") != NULL;
		int now = answer(gone.file[i]), anew = answer_anew(told[i]);

		if (strcmp(told[i], "fdinfo/0") == 0)
			EXPECT_MSG(now == -ENOENT && anew == -ENOENT, "%s: %d, %d", told[i], now, anew);
		else
			EXPECT_MSG((empty ? now == 0 : now > 0) && anew == now, "%s: %d, %d", told[i], now, anew);
	}
	EXPECT_EQ(answer(gone.rollup), -ESRCH);
	EXPECT_EQ(answer(gone.pagemap), 0);
	EXPECT_EQ(answer_anew("pagemap"), -ESRCH);
	for (int i = 0; i < PLACES; i++) {
		EXPECT_FAILS(x_readlinkat(gone.place[i], "", text, sizeof(text)), ENOENT);
		EXPECT_FAILS(x_readlinkat(gone.dir, places[i], text, sizeof(text)), ENOENT);
		EXPECT_FAILS(x_fstatat(gone.dir, places[i], &st, 0), ENOENT);
		EXPECT_EQ(x_fstat(gone.place[i], &st), 0);
	}
	wait_for_it();
	let_go();
}

TEST(gone, zombies_directories_list_its_files_but_no_descriptor)
{
	begin();
	end_it();
	EXPECT(listed(gone.dir) > 100);
	EXPECT_EQ(listed(gone.fd_dir), 48); /* "." and ".." */
	EXPECT_EQ(listed(gone.info_dir), 48);
	EXPECT_FAILS(x_openat(gone.fd_dir, "0", O_RDONLY), ENOENT);
	EXPECT_FAILS(x_openat(gone.info_dir, "0", O_RDONLY), ENOENT);
	wait_for_it();
	let_go();
}

TEST(gone, files_of_who_has_been_waited_for_are_ESRCH)
{
	struct stat st;
	char text[64];

	begin();
	end_it();
	wait_for_it();
	for (int i = 0; i < TOLD; i++) {
		int now = answer(gone.file[i]), anew = answer_anew(told[i]);

		EXPECT_MSG(now == (strcmp(told[i], "fdinfo/0") == 0 ? -ENOENT : -ESRCH) && anew == -ESRCH, "%s: %d, %d",
		           told[i], now, anew);
	}
	EXPECT_EQ(answer(gone.rollup), -ESRCH);
	EXPECT_EQ(answer(gone.pagemap), 0);
	EXPECT_EQ(answer_anew("pagemap"), -ESRCH);
	EXPECT_EQ(answer_anew("none"), -ESRCH);
	for (int i = 0; i < PLACES; i++) {
		EXPECT_FAILS(x_readlinkat(gone.place[i], "", text, sizeof(text)), ENOENT);
		EXPECT_FAILS(x_readlinkat(gone.dir, places[i], text, sizeof(text)), ESRCH);
		EXPECT_FAILS(x_fstatat(gone.dir, places[i], &st, 0), ESRCH);
		EXPECT_EQ(x_fstat(gone.place[i], &st), 0);
	}
	EXPECT_EQ(x_fstat(gone.dir, &st), 0);
	let_go();
}

TEST(gone, directories_of_who_has_been_waited_for_are_ENOENT)
{
	begin();
	end_it();
	wait_for_it();
	EXPECT_EQ(listed(gone.dir), -ENOENT);
	EXPECT_EQ(listed(gone.fd_dir), -ENOENT);
	EXPECT_EQ(listed(gone.info_dir), -ENOENT);
	EXPECT_FAILS(x_openat(gone.fd_dir, "0", O_RDONLY), ENOENT);
	EXPECT_FAILS(x_openat(gone.info_dir, "0", O_RDONLY), ESRCH);
	let_go();
}

TEST(gone, limits_of_a_zombie_can_be_read_and_set)
{
	/* prlimit(2): ESRCH only when there is no such process. */
	struct rlimit fresh = { 20, 30 }, old;

	begin();
	end_it();
	EXPECT_EQ(x_prlimit(gone.pid, RLIMIT_CORE, NULL, &old), 0);
	EXPECT_EQ(x_prlimit(gone.pid, RLIMIT_NOFILE, &fresh, &old), 0);
	EXPECT_EQ(x_prlimit(gone.pid, RLIMIT_NOFILE, NULL, &old), 0);
	EXPECT_EQ(old.rlim_cur, 20);
	wait_for_it();
	EXPECT_FAILS(x_prlimit(gone.pid, RLIMIT_NOFILE, &fresh, &old), ESRCH);
	let_go();
}

TEST(gone, link_and_fdinfo_of_a_closed_descriptor_are_ENOENT)
{
	int fd = memfd(1), link, info;
	char path[32], text[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	link = x_open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	info = x_open(path, O_RDONLY | O_CLOEXEC);
	SETUP(link >= 0 && info >= 0);
	EXPECT(answer(info) > 0);
	EXPECT(x_readlinkat(link, "", text, sizeof(text)) > 0);
	SETUP(x_fcntl(link, F_DUPFD, fd + 10) >= fd + 10); /* there are some behind it */
	SETUP(x_close(fd) == 0);
	EXPECT_EQ(answer(info), -ENOENT);
	EXPECT_FAILS(x_readlinkat(link, "", text, sizeof(text)), ENOENT);
	EXPECT_EQ(x_fstat(link, &st), 0);
	x_close(link);
	x_close(info);
	for (int other = fd + 10; other < fd + 20; other++)
		x_close(other);
}

TEST(gone, link_and_fdinfo_of_the_last_descriptor_are_ENOENT_once_it_is_closed)
{
	int low = memfd(1), fd = x_fcntl(low, F_DUPFD, 200), link, info;
	char path[32], text[64];

	SETUP(fd >= 200);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	link = x_open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	info = x_open(path, O_RDONLY | O_CLOEXEC);
	SETUP(link >= 0 && link < fd && info >= 0 && info < fd);
	SETUP(x_close(fd) == 0);
	EXPECT_EQ(answer(info), -ENOENT);
	EXPECT_FAILS(x_readlinkat(link, "", text, sizeof(text)), ENOENT);
	x_close(link);
	x_close(info);
	x_close(low);
}
