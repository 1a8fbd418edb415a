// SPDX-License-Identifier: MIT
/*
 * /proc, swept: every file read, every link followed, directories listed. What Linux promises: open(2) and read(2) fail
 * with ENOMEM and nothing has changed; the next attempt tells all.
 */
#include "sweep.h"

#include <fcntl.h>

enum { PAGES = 3 };

/* What the process has that there is something to tell of. */
struct shown {
	int fd;
	ksim_addr map;
	pid_t pid;
};

static int make(void *arg)
{
	struct shown *shown = arg;

	shown->pid = ksim_getpid();
	shown->fd = RETRY(ksim_memfd_create("shown", MFD_CLOEXEC));
	MUST(shown->fd == 0);
	MUST(RETRY(ksim_ftruncate(shown->fd, (off_t)PAGES * PAGE)) == 0);
	MUST(RETRY(ksim_fchownat(shown->fd, "", (uid_t)-1, (gid_t)-1, AT_EMPTY_PATH)) == 0);
	shown->map = RETRY(ksim_mmap(0, (size_t)PAGES * PAGE, RW, MAP_SHARED, shown->fd, 0));
	MUST(shown->map != KSIM_MAP_FAILED);
	mem_store8(shown->map, 1);
	return 0;
}

static int undo(void *arg)
{
	const struct shown *shown = arg;

	MUST(ksim_munmap(shown->map, (size_t)PAGES * PAGE) == 0);
	MUST(ksim_close(shown->fd) == 0);
	return 0;
}

/* Its first bytes, which are all that a retried read may differ in; then the rest. */
static int read_whole(const char *path, const char *begins)
{
	int fd = RETRY(ksim_open(path, O_RDONLY | O_CLOEXEC));
	char text[4096];
	ssize_t n;

	MUST(fd > 0);
	n = RETRY(ksim_read(fd, text, sizeof(text)));
	MUST(n >= (ssize_t)strlen(begins) && memcmp(text, begins, strlen(begins)) == 0);
	while (n > 0)
		n = RETRY(ksim_read(fd, text, sizeof(text)));
	MUST(n == 0);
	MUST(ksim_close(fd) == 0);
	return 0;
}

static int read_texts(void *arg)
{
	static const struct {
		const char *path, *begins;
	} file[] = {
		{ "/proc/self/maps", "" },
		{ "/proc/1/maps", "" },
		{ "/proc/self/smaps", "" },
		{ "/proc/self/smaps_rollup", "" },
		{ "/proc/self/status", "Name:\tshown\nUmask:\t0022\nState:\tR (running)\n" },
		{ "/proc/self/statm", "" },
		{ "/proc/self/limits", "Limit " },
		{ "/proc/self/cmdline", "shown" },
		{ "/proc/self/comm", "shown\n" },
		{ "/proc/self/fdinfo/0", "pos:\t0\nflags:\t0" },
		{ "/proc/meminfo", "MemTotal: " },
		{ "/proc/version", "Linux version " },
		{ "/proc/sys/vm/max_map_count", "65530\n" },
	};

	(void)arg;
	for (size_t i = 0; i < sizeof(file) / sizeof(file[0]); i++)
		TRY(read_whole(file[i].path, file[i].begins));
	return 0;
}

static int read_words(void *arg)
{
	const struct shown *shown = arg;
	int fd = RETRY(ksim_open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
	uint64_t word, count;

	MUST(fd > 0);
	MUST(RETRY(ksim_pread(fd, &word, sizeof(word), (off_t)(shown->map / PAGE * sizeof(word)))) == sizeof(word));
	MUST(word >> 63);
	MUST(ksim_close(fd) == 0);
	fd = RETRY(ksim_open("/proc/kpagecount", O_RDONLY | O_CLOEXEC));
	MUST(fd > 0);
	word &= (UINT64_C(1) << 55) - 1;
	MUST(RETRY(ksim_pread(fd, &count, sizeof(count), (off_t)(word * sizeof(count)))) == sizeof(count));
	MUST(count == 1);
	MUST(ksim_close(fd) == 0);
	return 0;
}

static int follow_links(void *arg)
{
	const struct shown *shown = arg;
	char target[64];
	int fd;

	MUST(RETRY(ksim_readlink("/proc/self/fd/0", target, sizeof(target))) == 22);
	MUST(memcmp(target, "/memfd:shown (deleted)", 22) == 0);
	MUST(RETRY(ksim_readlink("/proc/self/cwd", target, sizeof(target))) == 1);
	fd = RETRY(ksim_open("/proc/self/fd/0", O_RDWR | O_CLOEXEC));
	MUST(fd > shown->fd);
	MUST(ksim_close(fd) == 0);
	return 0;
}

static int list(const char *path, const char *has)
{
	int fd = RETRY(ksim_open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	const size_t len = strlen(has) + 1;
	char buf[2048];
	ssize_t n;
	bool found = false;

	MUST(fd > 0);
	while ((n = RETRY(ksim_getdents64(fd, buf, sizeof(buf)))) > 0)
		found = found || memmem(buf, (size_t)n, has, len) != NULL;
	MUST(n == 0 && found);
	MUST(ksim_close(fd) == 0);
	return 0;
}

static int list_all(void *arg)
{
	(void)arg;
	TRY(list("/proc", "meminfo"));
	TRY(list("/proc/self", "smaps"));
	TRY(list("/proc/self/fd", "0"));
	TRY(list("/proc/self/fdinfo", "0"));
	return list("/proc/sys/vm", "max_map_count");
}

/* What another shows. */
static int look_at_other(void *arg)
{
	const struct shown *shown = arg;
	char path[64], target[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/fd/0", shown->pid);
	MUST(RETRY(ksim_readlink(path, target, sizeof(target))) == 22);
	fd = RETRY(ksim_open(path, O_RDWR | O_CLOEXEC));
	MUST(fd == 0);
	MUST(RETRY(ksim_pread(fd, target, 1, 0)) == 1 && target[0] == 1);
	snprintf(path, sizeof(path), "/proc/%d/maps", shown->pid);
	TRY(read_whole(path, ""));
	snprintf(path, sizeof(path), "/proc/%d/status", shown->pid);
	TRY(read_whole(path, "Name:\tshown\n"));
	MUST(ksim_close(fd) == 0);
	return 0;
}

static int write_setting(void *arg)
{
	int fd = RETRY(ksim_open("/proc/sys/vm/overcommit_memory", O_WRONLY | O_CLOEXEC));

	(void)arg;
	MUST(fd > 0);
	MUST(RETRY(ksim_write(fd, "1\n", 2)) == 2);
	MUST(ksim_close(fd) == 0);
	return read_whole("/proc/sys/vm/overcommit_memory", "1\n");
}

static int tell(int (*act)(void *))
{
	struct ksim_process *p = story_process("shown");
	struct shown shown = { .fd = -1 };

	MUST(p != NULL);
	story_begin();
	TRY(story_act(p, make, &shown));
	TRY(story_act(p, act, &shown));
	TRY(story_act(p, undo, &shown));
	return story_settled();
}

/* The entries of a process go when it is gone. */
static int tell_of_other(int (*act)(void *))
{
	struct ksim_process *p = story_process("shown"), *other = p != NULL ? story_process("other") : NULL;
	struct shown shown = { .fd = -1 };

	(void)act;
	MUST(other != NULL);
	story_begin();
	TRY(story_act(p, make, &shown));
	TRY(story_act(other, look_at_other, &shown));
	TRY(story_act(p, undo, &shown));
	return story_settled();
}

TEST(sweep_proc, of_every_text)
{
	story_sweep(tell, read_texts);
}

TEST(sweep_proc, of_pagemap_and_kpagecount)
{
	story_sweep(tell, read_words);
}

TEST(sweep_proc, of_links)
{
	story_sweep(tell, follow_links);
}

TEST(sweep_proc, of_a_setting)
{
	story_sweep(tell, write_setting);
}

TEST(sweep_proc, of_directories)
{
	story_sweep(tell, list_all);
}

TEST(sweep_proc, of_another_process)
{
	story_sweep(tell_of_other, NULL);
}
