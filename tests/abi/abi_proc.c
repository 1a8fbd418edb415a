// SPDX-License-Identifier: MIT
/*
 * What Linux promises of /proc beside maps (proc(5), admin-guide/mm/pagemap.rst): the words of pagemap and kpagecount,
 * descriptors, status, and what of /proc/sys can be set.
 */
#include "abi_proc.h"

#include <dirent.h>
#include <stdlib.h>

/* ---- pagemap ---- */

#define PM_PFN       ((UINT64_C(1) << 55) - 1)
#define PM_EXCLUSIVE (UINT64_C(1) << 56)
#define PM_FILE      (UINT64_C(1) << 61)
#define PM_PRESENT   (UINT64_C(1) << 63)
#define PM_KINDS     (PM_EXCLUSIVE | PM_FILE | PM_PRESENT)

/* Words of a file of words from number `at` on. */
static void read_words(const char *path, uint64_t at, uint64_t *word, size_t n)
{
	int fd = x_open(path, O_RDONLY | O_CLOEXEC);

	SETUP(fd >= 0);
	EXPECT_EQ(x_pread(fd, word, n * 8, (off_t)(at * 8)), n * 8);
	x_close(fd);
}

static uint64_t word_at(addr_t addr)
{
	uint64_t word = 0;

	read_words("/proc/self/pagemap", addr / PAGE, &word, 1);
	return word;
}

static uint64_t mappings_of(uint64_t word)
{
	uint64_t count = 0;

	EXPECT(word & PM_PFN);
	read_words("/proc/kpagecount", word & PM_PFN, &count, 1);
	return count;
}

TEST(proc_pagemap, words_say_present_exclusive_and_file)
{
	int fd = proc_named_memfd("words", 2);
	addr_t addr = proc_anonymous_apart(3), file = proc_map_apart(2, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	uint64_t word[5] = { 1, 1, 1, 1, 1 };

	proc_touch(addr, 1);
	EXPECT_EQ(ld8(addr + (addr_t)2 * PAGE), 0);
	proc_touch(file, 1);
	read_words("/proc/self/pagemap", addr / PAGE - 1, word, 5);
	EXPECT_EQ(word[0] & PM_KINDS, 0);
	EXPECT_EQ(word[1] & PM_KINDS, PM_PRESENT | PM_EXCLUSIVE);
	EXPECT_EQ(word[2] & PM_KINDS, 0);
	EXPECT_EQ(word[3] & PM_KINDS, PM_PRESENT); /* the page of zeros */
	EXPECT_EQ(word[4] & PM_KINDS, 0);
	EXPECT_EQ(word_at(file) & PM_KINDS, PM_PRESENT | PM_EXCLUSIVE | PM_FILE);
	EXPECT_EQ(word_at(file + PAGE) & PM_KINDS, 0);
	proc_unmap_apart(addr, 3);
	proc_unmap_apart(file, 2);
	x_close(fd);
}

TEST(proc_pagemap, both_mappings_of_a_page_tell_one_frame_which_is_mapped_twice)
{
	int fd = proc_named_memfd("frame", 1);
	addr_t one = proc_map_apart(1, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	addr_t two = proc_map_apart(1, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), private = proc_anonymous_apart(1);

	proc_touch(one, 1);
	proc_touch(private, 1);
	EXPECT_EQ(mappings_of(word_at(private)), 1);
	proc_touch(two, 1);
	EXPECT_EQ(word_at(one) & PM_PFN, word_at(two) & PM_PFN);
	EXPECT(!(word_at(one) & PM_EXCLUSIVE));
	EXPECT_EQ(mappings_of(word_at(one)), 2);
	proc_unmap_apart(two, 1);
	EXPECT_EQ(word_at(one) & PM_KINDS, PM_PRESENT | PM_EXCLUSIVE | PM_FILE);
	EXPECT_EQ(mappings_of(word_at(one)), 1);
	proc_unmap_apart(one, 1);
	proc_unmap_apart(private, 1);
	x_close(fd);
}

TEST(proc_pagemap, page_shared_with_a_child_is_mapped_twice)
{
	struct proc_watched w = { .private = proc_anonymous_apart(2) };
	pid_t child;

	proc_touch(w.private, 2);
	child = proc_watch(&w);
	EXPECT_EQ(mappings_of(word_at(w.private)), 1); /* the child has written to it */
	EXPECT_EQ(mappings_of(word_at(w.private + PAGE)), 2);
	EXPECT_EQ(word_at(w.private + PAGE) & PM_KINDS, PM_PRESENT);
	proc_unwatch(&w, child);
	EXPECT_EQ(word_at(w.private + PAGE) & PM_KINDS, PM_PRESENT | PM_EXCLUSIVE);
	proc_unmap_apart(w.private, 2);
}

TEST(proc_pagemap, is_read_in_whole_words)
{
	int fd = x_open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t word[2];

	SETUP(fd >= 0);
	EXPECT_EQ(x_pread(fd, word, 7, 0), -1);
	EXPECT_EQ(errno, EINVAL);
	EXPECT_EQ(x_pread(fd, word, 8, 4), -1);
	EXPECT_EQ(errno, EINVAL);
	EXPECT_EQ(x_pread(fd, word, 0, 0), 0);
	EXPECT_EQ(x_pread(fd, word, 16, (off_t)1 << 40), 0);
	EXPECT_EQ(x_lseek(fd, 16, SEEK_SET), 16);
	EXPECT_EQ(x_read(fd, word, 16), 16);
	EXPECT_EQ(x_lseek(fd, 0, SEEK_CUR), 32);
	x_close(fd);
}

/* ---- descriptors ---- */

static void expect_link(const char *path, const char *expected)
{
	char target[128];
	ssize_t n = x_readlink(path, target, sizeof(target) - 1);

	EXPECT_MSG(n >= 0, "readlink %s: errno %d", path, errno);
	target[n < 0 ? 0 : n] = '\0';
	EXPECT_STREQ(target, expected);
}

static void fd_path(char *path, size_t size, const char *directory, int fd)
{
	snprintf(path, size, "/proc/self/%s/%d", directory, fd);
}

TEST(proc_fd, links_tell_what_is_open_and_open_it_again)
{
	int fd = proc_named_memfd("link", 1), ends[2], again;
	char path[64], expected[64];
	struct stat st, seen;

	stream_pair(ends);
	fd_path(path, sizeof(path), "fd", fd);
	expect_link(path, "/memfd:link (deleted)");
	again = x_open(path, O_RDONLY | O_CLOEXEC);
	EXPECT(again >= 0);
	SETUP(x_fstat(fd, &st) == 0 && x_fstat(again, &seen) == 0);
	EXPECT_EQ(seen.st_ino, st.st_ino);
	fd_path(path, sizeof(path), "fd", ends[0]);
	SETUP(x_fstat(ends[0], &st) == 0);
	snprintf(expected, sizeof(expected), "socket:[%llu]", (unsigned long long)st.st_ino);
	expect_link(path, expected);
	x_close(again);
	x_close(fd);
	fd_path(path, sizeof(path), "fd", fd);
	EXPECT_EQ(x_readlink(path, expected, sizeof(expected)), -1);
	EXPECT_EQ(errno, ENOENT);
	close_pair(ends);
}

TEST(proc_fd, self_is_a_link_to_the_pid_whose_links_are_the_same)
{
	char pid[16], path[64];
	int fd = proc_named_memfd("self", 1);

	snprintf(pid, sizeof(pid), "%d", (int)x_getpid());
	expect_link("/proc/self", pid);
	snprintf(path, sizeof(path), "/proc/%s/fd/%d", pid, fd);
	expect_link(path, "/memfd:self (deleted)");
	x_close(fd);
}

TEST(proc_fd, link_of_a_path_descriptor_tells_its_path)
{
	int fd = x_open("/tmp", O_PATH | O_CLOEXEC);
	char path[64];

	EXPECT(fd >= 0);
	fd_path(path, sizeof(path), "fd", fd);
	expect_link(path, "/tmp");
	x_close(fd);
}

TEST(proc_fd, info_tells_offset_flags_and_inode)
{
	int fd = proc_named_memfd("info", 1);
	char path[64];
	long long flags;
	struct stat st;

	SETUP(x_lseek(fd, 123, SEEK_SET) == 123 && x_fcntl(fd, F_SETFL, O_APPEND) == 0 && x_fstat(fd, &st) == 0);
	fd_path(path, sizeof(path), "fdinfo", fd);
	proc_slurp(path);
	EXPECT(strncmp(proc_text, "pos:\t123\nflags:\t0", 17) == 0);
	EXPECT_EQ(proc_number_in(proc_text, "ino"), (long long)st.st_ino);
	EXPECT(proc_number_in(proc_text, "mnt_id") >= 0);
	flags = strtoll(proc_text + 16, NULL, 8);
	EXPECT_EQ(flags & (O_ACCMODE | O_APPEND | O_NONBLOCK | O_CLOEXEC), O_RDWR | O_APPEND | O_CLOEXEC);
	SETUP(x_fcntl(fd, F_SETFD, 0) == 0);
	flags = strtoll(proc_slurp(path) + 16, NULL, 8);
	EXPECT_EQ(flags & O_CLOEXEC, 0);
	x_close(fd);
	EXPECT_EQ(x_open(path, O_RDONLY), -1);
	EXPECT_EQ(errno, ENOENT);
}

/* ---- directories ---- */

/* How often a directory lists a name as something of this type. */
static int listed(const char *path, const char *name, unsigned char type)
{
	int fd = x_open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), times = 0;
	char bytes[512]; /* so few that it takes several calls */
	ssize_t n;

	EXPECT(fd >= 0);
	while ((n = x_getdents64(fd, bytes, sizeof(bytes))) > 0)
		for (ssize_t at = 0; at < n;) {
			const struct dirent64 *entry = (const void *)(bytes + at);

			times += entry->d_type == type && strcmp(entry->d_name, name) == 0;
			at += entry->d_reclen;
		}
	EXPECT_EQ(n, 0);
	x_close(fd);
	return times;
}

TEST(proc_list, descriptors_are_listed_once_each)
{
	char path[64], name[16];
	int fds[40];

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)x_getpid());
	for (int i = 0; i < 40; i++)
		fds[i] = proc_named_memfd("listed", 0);
	EXPECT_EQ(listed(path, ".", DT_DIR), 1);
	EXPECT_EQ(listed(path, "..", DT_DIR), 1);
	for (int i = 0; i < 40; i += 13) {
		snprintf(name, sizeof(name), "%d", fds[i]);
		EXPECT_EQ(listed(path, name, DT_LNK), 1);
		EXPECT_EQ(listed("/proc/self/fdinfo", name, DT_REG), 1);
	}
	for (int i = 0; i < 40; i++)
		x_close(fds[i]);
	EXPECT_EQ(listed(path, name, DT_LNK), 0);
}

TEST(proc_list, processes_and_their_files_are_listed_by_type)
{
	struct proc_watched w = { 0 };
	pid_t child = proc_watch(&w);
	char name[16];

	snprintf(name, sizeof(name), "%d", (int)child);
	EXPECT_EQ(listed("/proc", name, DT_DIR), 1);
	EXPECT_EQ(listed("/proc", "1", DT_DIR), 1);
	EXPECT_EQ(listed("/proc", "self", DT_LNK), 1);
	EXPECT_EQ(listed("/proc", "meminfo", DT_REG), 1);
	EXPECT_EQ(listed("/proc/self", "maps", DT_REG), 1);
	EXPECT_EQ(listed("/proc/self", "fd", DT_DIR), 1);
	EXPECT_EQ(listed("/proc/self", "cwd", DT_LNK), 1);
	EXPECT_EQ(listed("/proc/sys", "vm", DT_DIR), 1);
	EXPECT_EQ(listed("/proc/sys/vm", "max_map_count", DT_REG), 1);
	proc_unwatch(&w, child);
	EXPECT_EQ(listed("/proc", name, DT_DIR), 0);
}

TEST(proc_list, modes_and_owners_are_those_of_the_process)
{
	static const struct {
		const char *path;
		mode_t mode;
	} is[] = {
		{ "/proc", S_IFDIR | 0555 },
		{ "/proc/self/fd", S_IFDIR | 0500 },
		{ "/proc/self/fdinfo", S_IFDIR | 0555 },
		{ "/proc/self/maps", S_IFREG | 0444 },
		{ "/proc/self/smaps", S_IFREG | 0444 },
		{ "/proc/self/smaps_rollup", S_IFREG | 0444 },
		{ "/proc/self/pagemap", S_IFREG | 0400 },
		{ "/proc/self/status", S_IFREG | 0444 },
		{ "/proc/self/comm", S_IFREG | 0644 },
		{ "/proc/kpagecount", S_IFREG | 0400 },
		{ "/proc/sys/vm/max_map_count", S_IFREG | 0644 },
	};
	struct stat st;

	for (size_t i = 0; i < sizeof(is) / sizeof(is[0]); i++) {
		EXPECT_EQ(x_stat(is[i].path, &st), 0);
		EXPECT_MSG(st.st_mode == is[i].mode, "%s: 0%o", is[i].path, st.st_mode);
		EXPECT_EQ(st.st_uid, 0);
		EXPECT(S_ISDIR(st.st_mode) || st.st_size == 0);
	}
	EXPECT_EQ(x_lstat("/proc/self", &st), 0);
	EXPECT_EQ(st.st_mode, S_IFLNK | 0777);
}

TEST(proc_list, links_of_descriptors_have_the_rights_of_their_files)
{
	int fd = proc_named_memfd("rights", 0), readable = reopen(fd, O_RDONLY), writable = reopen(fd, O_WRONLY);
	const struct {
		int fd;
		mode_t mode;
	} is[] = { { fd, 0700 }, { readable, 0500 }, { writable, 0300 }, { reopen(fd, O_PATH), 0 } };
	struct stat st;
	char path[64];

	for (int i = 0; i < 4; i++) {
		fd_path(path, sizeof(path), "fd", is[i].fd);
		EXPECT_EQ(x_lstat(path, &st), 0);
		EXPECT_EQ(st.st_mode, S_IFLNK | is[i].mode);
		x_close(is[i].fd);
	}
}

TEST(proc_list, cwd_and_root_lead_to_directories)
{
	char target[16];
	ssize_t n = x_readlink("/proc/self/root", target, sizeof(target));
	struct stat at, seen;

	EXPECT_EQ(n, 1);
	EXPECT_EQ(target[0], '/');
	EXPECT_EQ(x_stat("/proc/self/cwd", &seen), 0);
	EXPECT_EQ(x_stat(".", &at), 0);
	EXPECT_EQ(seen.st_ino, at.st_ino);
	EXPECT_EQ(x_stat("/proc/self/root/proc/self/maps", &seen), 0);
}

TEST(proc_list, nothing_can_be_made_or_removed)
{
	EXPECT_EQ(x_open("/proc/new", O_CREAT | O_RDWR, 0600), -1);
	EXPECT_EQ(errno, ENOENT);
	EXPECT_EQ(x_mkdir("/proc/new", 0700), -1);
	EXPECT_EQ(errno, ENOENT);
	EXPECT_EQ(x_unlink("/proc/self/maps"), -1);
	EXPECT_EQ(errno, EPERM);
	EXPECT_EQ(x_unlink("/proc/meminfo"), -1);
	EXPECT_EQ(errno, EPERM);
}

/* ---- processes ---- */

static void ignore(int signo)
{
	(void)signo;
}

TEST(proc_status, tells_ids_threads_and_signal_actions)
{
	struct sigaction act = { .sa_handler = ignore }, ignored = { .sa_handler = SIG_IGN }, was[2];
	const char *line;

	SETUP(x_sigaction(SIGUSR1, &act, &was[0]) == 0 && x_sigaction(SIGUSR2, &ignored, &was[1]) == 0);
	proc_slurp("/proc/self/status");
	EXPECT(strncmp(proc_text, "Name:\t", 6) == 0);
	EXPECT(strstr(proc_text, "\nUmask:\t0") != NULL);
	EXPECT(strstr(proc_text, "\nState:\tR (running)\n") != NULL);
	EXPECT_EQ(proc_number_in(proc_text, "Pid"), x_getpid());
	EXPECT_EQ(proc_number_in(proc_text, "Tgid"), x_getpid());
	EXPECT(strstr(proc_text, "\nUid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\n") != NULL);
	EXPECT(proc_number_in(proc_text, "FDSize") > 0);
	EXPECT_EQ(proc_number_in(proc_text, "Threads"), 1);
	line = strstr(proc_text, "\nSigIgn:\t");
	EXPECT(line != NULL && strtoull(line + 9, NULL, 16) & UINT64_C(1) << (SIGUSR2 - 1));
	line = strstr(proc_text, "\nSigCgt:\t");
	EXPECT(line != NULL && strtoull(line + 9, NULL, 16) & UINT64_C(1) << (SIGUSR1 - 1));
	SETUP(x_sigaction(SIGUSR1, &was[0], NULL) == 0 && x_sigaction(SIGUSR2, &was[1], NULL) == 0);
}

/* A set of signals in proc_text. */
static unsigned long long signals_in(const char *key)
{
	const char *line = strstr(proc_text, key);

	EXPECT(line != NULL);
	return line != NULL ? strtoull(line + strlen(key), NULL, 16) : 0;
}

TEST(proc_status, tells_signals_that_are_blocked_and_that_wait)
{
	const unsigned long long bit = 1ull << (SIGUSR1 - 1);
	struct sigaction act = { .sa_handler = ignore }, was;
	sigset_t set, old;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	SETUP(x_sigaction(SIGUSR1, &act, &was) == 0 && x_sigprocmask(SIG_BLOCK, &set, &old) == 0);
	proc_slurp("/proc/self/status");
	EXPECT(signals_in("\nSigBlk:\t") & bit);
	EXPECT(!(signals_in("\nShdPnd:\t") & bit));
	SETUP(x_kill(x_getpid(), SIGUSR1) == 0);
	proc_slurp("/proc/self/status");
	EXPECT(signals_in("\nShdPnd:\t") & bit);
	EXPECT(!(signals_in("\nSigPnd:\t") & bit));
	SETUP(x_sigprocmask(SIG_SETMASK, &old, NULL) == 0);
	proc_slurp("/proc/self/status");
	EXPECT(!((signals_in("\nSigBlk:\t") | signals_in("\nShdPnd:\t")) & bit));
	SETUP(x_sigaction(SIGUSR1, &was, NULL) == 0);
}

TEST(proc_status, tells_memory_mapped_and_touched)
{
	static const char *const key[] = { "VmSize", "VmData", "RssAnon", "RssShmem", "VmRSS" };
	int fd = proc_named_memfd("status", 4);
	long long before[5], size;
	addr_t private, shared;

	proc_slurp("/proc/self/status");
	for (int i = 0; i < 5; i++)
		before[i] = proc_number_in(proc_text, key[i]);
	private = proc_anonymous_apart(6);
	shared = proc_map_apart(4, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	proc_touch(private, 3);
	proc_touch(shared, 4);
	proc_slurp("/proc/self/status");
	size = proc_number_in(proc_text, "VmSize");
	EXPECT_EQ(size - before[0], (6 + 2 + 4 + 2) * KIB_PAGE);
	EXPECT_EQ(proc_number_in(proc_text, "VmData") - before[1], 6 * KIB_PAGE);
	EXPECT_EQ(proc_number_in(proc_text, "RssAnon") - before[2], 3 * KIB_PAGE);
	EXPECT_EQ(proc_number_in(proc_text, "RssShmem") - before[3], 4 * KIB_PAGE);
	EXPECT_EQ(proc_number_in(proc_text, "VmRSS") - before[4], 7 * KIB_PAGE);
	EXPECT_EQ(atoll(proc_slurp("/proc/self/statm")) * KIB_PAGE, size);
	proc_unmap_apart(private, 6);
	proc_unmap_apart(shared, 4);
	EXPECT_EQ(proc_number_in(proc_slurp("/proc/self/status"), "VmSize"), before[0]);
	EXPECT(proc_number_in(proc_text, "VmPeak") >= size);
	x_close(fd);
}

static int end_at_once(void *arg)
{
	(void)arg;
	return 0;
}

TEST(proc_status, child_is_there_until_it_is_waited_for)
{
	struct proc_watched w = { 0 };
	pid_t child = proc_watch(&w);
	char path[64];

	EXPECT_EQ(proc_number_in(proc_slurp_of(child, "status"), "PPid"), x_getpid());
	EXPECT_EQ(proc_number_in(proc_text, "Pid"), child);
	proc_unwatch(&w, child);
	snprintf(path, sizeof(path), "/proc/%d/status", (int)child);
	EXPECT_EQ(x_open(path, O_RDONLY), -1);
	EXPECT_EQ(errno, ENOENT);
	EXPECT_EQ(x_open("/proc/4194305/status", O_RDONLY), -1);
	EXPECT_EQ(errno, ENOENT);

	child = x_fork_into(end_at_once, NULL);
	SETUP(child > 0);
	do
		proc_slurp_of(child, "status");
	while (strstr(proc_text, "\nState:\tZ (zombie)\n") == NULL && strstr(proc_text, "\nState:\t") != NULL);
	EXPECT(strstr(proc_text, "\nState:\tZ (zombie)\n") != NULL);
	EXPECT_EQ(proc_number_in(proc_text, "VmSize"), -1);
	EXPECT_EQ(x_waitpid(child, NULL, 0), child);
}

TEST(proc_status, file_of_a_process_that_has_gone_is_ESRCH)
{
	struct proc_watched w = { 0 };
	pid_t child = proc_watch(&w);
	char path[64], byte;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)child);
	fd = x_open(path, O_RDONLY | O_CLOEXEC);
	SETUP(fd >= 0);
	proc_unwatch(&w, child);
	EXPECT_EQ(x_read(fd, &byte, 1), -1);
	EXPECT_EQ(errno, ESRCH);
	x_close(fd);
}

TEST(proc_status, limits_are_a_table)
{
	static const char header[] = "Limit                     Soft Limit           Hard Limit           Units     \n";

	proc_slurp("/proc/self/limits");
	EXPECT(strncmp(proc_text, header, strlen(header)) == 0);
	EXPECT(strstr(proc_text,
	              "\nMax cpu time              unlimited            unlimited            seconds   \n") != NULL);
	EXPECT(strstr(proc_text, "\nMax open files            ") != NULL);
	EXPECT(strstr(proc_text, "\nMax address space         ") != NULL);
}

TEST(proc_status, comm_and_cmdline_name_the_process)
{
	size_t len = strlen(proc_slurp("/proc/self/comm"));

	EXPECT(len > 1 && len <= 16 && proc_text[len - 1] == '\n');
	len = proc_slurp_by("/proc/self/cmdline", proc_text, sizeof(proc_text), 4096);
	EXPECT(len > 1 && proc_text[len - 1] == '\0');
}

/* As another user than root: what becomes of opening a file of a process. */
static int open_as_user(pid_t pid, const char *file)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	fd = x_open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	x_close(fd);
	return 0;
}

static int look_at_roots_process(void *arg)
{
	static const char *const closed[] = { "maps", "smaps", "smaps_rollup", "pagemap", "fd/0" };
	static const char *const told[] = { "status", "statm", "limits", "cmdline", "comm" };
	pid_t root = *(const pid_t *)arg;

	CHILD_EXPECT(x_setresgid(1000, 1000, 1000) == 0 && x_setresuid(1000, 1000, 1000) == 0);
	for (size_t i = 0; i < sizeof(closed) / sizeof(closed[0]); i++)
		CHILD_EXPECT(open_as_user(root, closed[i]) == EACCES);
	for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++)
		CHILD_EXPECT(open_as_user(root, told[i]) == 0);
	CHILD_EXPECT(x_open("/proc/kpagecount", O_RDONLY) == -1 && errno == EACCES);
	CHILD_EXPECT(x_open("/proc/sys/vm/max_map_count", O_WRONLY) == -1 && errno == EACCES);
	CHILD_EXPECT(x_open("/proc/self/maps", O_RDONLY | O_CLOEXEC) >= 0);
	return 0;
}

TEST(proc_status, memory_and_descriptors_of_another_users_process_are_EACCES)
{
	pid_t me = x_getpid();

	EXPECT_EQ(in_child(look_at_roots_process, &me), 0);
}

/* ---- the machine ---- */

TEST(proc_sys, meminfo_counts_what_is_touched)
{
	int fd = proc_named_memfd("meminfo", 1024);
	addr_t addr = proc_map_apart(1024, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	long long before = proc_number_in(proc_slurp("/proc/meminfo"), "Shmem");

	EXPECT(strncmp(proc_text, "MemTotal:       ", 16) == 0);
	EXPECT(proc_number_in(proc_text, "MemFree") > 0 &&
	       proc_number_in(proc_text, "MemFree") < proc_number_in(proc_text, "MemTotal"));
	EXPECT(proc_number_in(proc_text, "MemAvailable") > 0);
	EXPECT_EQ(proc_number_in(proc_text, "Hugepagesize"), 2048);
	EXPECT(proc_number_in(proc_text, "HugePages_Total") >= 0);
	proc_touch(addr, 1024);
	/* What others on the machine do, and counts that are kept per processor, may hide some. */
	EXPECT(proc_number_in(proc_slurp("/proc/meminfo"), "Shmem") - before >= 512 * KIB_PAGE);
	EXPECT(proc_number_in(proc_text, "Mapped") >= 512 * KIB_PAGE);
	proc_unmap_apart(addr, 1024);
	x_close(fd);
}

/* What happens to a setting when that is written: 0 or an errno; it is read again into *now. */
static int set(const char *path, const char *value, char *now, size_t size)
{
	int fd = x_open(path, O_WRONLY | O_CLOEXEC), err = 0;

	SETUP(fd >= 0);
	if (x_write(fd, value, strlen(value)) != (ssize_t)strlen(value))
		err = errno;
	x_close(fd);
	proc_slurp_by(path, now, size, size);
	return err;
}

TEST(proc_sys, number_that_is_written_is_read_again)
{
	static const char *const path[] = { "/proc/sys/vm/max_map_count", "/proc/sys/vm/memfd_noexec",
		                            "/proc/sys/vm/overcommit_memory" };
	char was[32], now[32], blanks[40];

	for (int i = 0; i < 3; i++) {
		SETUP(proc_slurp_by(path[i], was, sizeof(was), sizeof(was)) > 1);
		EXPECT(was[strlen(was) - 1] == '\n');
		EXPECT_EQ(set(path[i], was, now, sizeof(now)), 0);
		EXPECT_STREQ(now, was);
		snprintf(blanks, sizeof(blanks), " \t%s", was);
		EXPECT_EQ(set(path[i], blanks, now, sizeof(now)), 0);
		EXPECT_STREQ(now, was);
	}
}

TEST(proc_sys, what_is_no_number_or_out_of_range_is_EINVAL_and_changes_nothing)
{
	static const struct {
		const char *path, *value;
	} wrong[] = {
		{ "/proc/sys/vm/max_map_count", "many\n" },  { "/proc/sys/vm/max_map_count", "12x" },
		{ "/proc/sys/vm/max_map_count", "-1" },      { "/proc/sys/vm/max_map_count", "4294967296" },
		{ "/proc/sys/vm/memfd_noexec", "3" },        { "/proc/sys/vm/memfd_noexec", "-1" },
		{ "/proc/sys/vm/overcommit_memory", "3\n" },
	};
	char was[32], now[32];

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		SETUP(proc_slurp_by(wrong[i].path, was, sizeof(was), sizeof(was)) > 1);
		EXPECT_MSG(set(wrong[i].path, wrong[i].value, now, sizeof(now)) == EINVAL, "%s to %s", wrong[i].path,
		           wrong[i].value);
		EXPECT_STREQ(now, was);
	}
}

TEST(proc_sys, settings_are_where_linux_has_them)
{
	EXPECT(atoll(proc_slurp("/proc/sys/vm/max_map_count")) > 0);
	EXPECT(atoll(proc_slurp("/proc/sys/vm/nr_hugepages")) >= 0);
	EXPECT(atoll(proc_slurp("/proc/sys/fs/nr_open")) >= 1024);
	EXPECT(atoll(proc_slurp("/proc/sys/kernel/pid_max")) > 0);
	EXPECT(strchr(proc_slurp("/proc/sys/kernel/osrelease"), '.') != NULL);
	EXPECT(strncmp(proc_slurp("/proc/version"), "Linux version ", 14) == 0);
}
