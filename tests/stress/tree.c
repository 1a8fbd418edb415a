// SPDX-License-Identifier: MIT
/*
 * Threads of four processes make, move, link, list and remove names in the same few directories, while others look
 * them up and write the paths of what they have open. Whatever the order, a call gives one of the answers that the
 * names allow; at the end the tree is sound, and empty when all names have been removed.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "ksim/ksim.h"

enum { WORKERS = 4, NAMES = 6, DIRS = 3, ROUNDS = 4000 };

struct worker {
	unsigned number;
	unsigned wrong;
};

static uint64_t next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* A name in one of the directories, some of which are in others. */
static void pick(uint64_t x, char *path, size_t size)
{
	static const char *const dirs[DIRS] = { "/tmp", "/tmp/n0", "/tmp/n1/n2" };

	snprintf(path, size, "%s/n%" PRIu64, dirs[x % DIRS], x / DIRS % NAMES);
}

/* Whether a call gave 0 or one of the errnos that a tree in motion gives. */
static bool is_fair(int result)
{
	static const int fair[] = { ENOENT, EEXIST, ENOTDIR, EISDIR, ENOTEMPTY, EINVAL, EBUSY, EPERM, ELOOP, ENXIO };

	if (result >= 0)
		return true;
	for (size_t i = 0; i < sizeof(fair) / sizeof(fair[0]); i++)
		if (errno == fair[i])
			return true;
	return false;
}

static bool open_and_look(const char *path, const char *other, int flags)
{
	char self[32], text[256], buf[512];
	struct stat st;
	int fd = ksim_open(path, flags, 0644);
	bool fair = is_fair(fd);

	if (fd < 0)
		return fair;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	fair = ksim_readlink(self, text, sizeof(text)) > 4 && ksim_fstat(fd, &st) == 0;
	fair &= is_fair((int)ksim_getdents64(fd, buf, sizeof(buf)));
	fair &= is_fair(ksim_linkat(AT_FDCWD, self, AT_FDCWD, other, AT_SYMLINK_FOLLOW));
	fair &= is_fair(ksim_mkdirat(fd, "n3", 0755));
	return ksim_close(fd) == 0 && fair;
}

static bool act(uint64_t x, const char *a, const char *b)
{
	struct stat st;

	switch (x % 12) {
	case 0:
		return is_fair(ksim_mkdir(a, 0755));
	case 1:
		return is_fair(ksim_rmdir(a));
	case 2:
		return is_fair(ksim_unlink(a));
	case 3:
		return is_fair(ksim_link(a, b));
	case 4:
		return is_fair(ksim_symlink(b, a));
	case 5:
		return is_fair(ksim_rename(a, b));
	case 6:
		return is_fair(ksim_renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE));
	case 7:
		return open_and_look(a, b, O_CREAT | O_RDWR);
	case 8:
		return open_and_look(a, b, O_RDONLY);
	case 9:
		return is_fair(ksim_stat(a, &st));
	case 10:
		return is_fair(ksim_chmod(a, 0700 + x / 12 % 64));
	default:
		return is_fair(ksim_chdir(a)) && is_fair(ksim_stat("../n0", &st)) && ksim_chdir("/") == 0;
	}
}

static int work(void *arg)
{
	struct worker *w = arg;
	uint64_t random = 88172645463325252u + w->number;

	for (int i = 0; i < ROUNDS; i++) {
		uint64_t x = next(&random);
		char a[64], b[64];

		pick(x >> 8, a, sizeof(a));
		pick(x >> 24, b, sizeof(b));
		if (act(x >> 40, a, b))
			continue;
		if (w->wrong++ == 0)
			printf("# %s, %s: call %" PRIu64 " left errno %d\n", a, b, (x >> 40) % 12, errno);
	}
	return 0;
}

/* Remove all that is in a directory, as deep as it is. */
static void clear(const char *dir)
{
	char buf[2048], path[256];
	ssize_t n;
	int fd = ksim_open(dir, O_RDONLY | O_DIRECTORY);

	SETUP(fd >= 0);
	while ((n = ksim_getdents64(fd, buf, sizeof(buf))) > 0)
		for (ssize_t at = 0; at < n;) {
			uint16_t bytes;

			memcpy(&bytes, buf + at + 16, sizeof(bytes));
			snprintf(path, sizeof(path), "%s/%s", dir, buf + at + 19);
			at += bytes;
			if (strcmp(path + strlen(dir), "/.") == 0 || strcmp(path + strlen(dir), "/..") == 0)
				continue;
			if (ksim_unlink(path) == 0)
				continue;
			EXPECT_EQ(errno, EISDIR);
			clear(path);
			EXPECT_EQ(ksim_rmdir(path), 0);
		}
	EXPECT_EQ(n, 0);
	EXPECT_EQ(ksim_close(fd), 0);
}

static int clear_all(void *unused)
{
	struct stat st;

	(void)unused;
	clear("/tmp");
	EXPECT_EQ(ksim_stat("/tmp", &st), 0);
	EXPECT_EQ(st.st_nlink, 2);
	EXPECT_EQ(st.st_size, 40);
	return 0;
}

TEST(tree, names_that_come_and_go_under_everybody_leave_it_sound)
{
	struct ksim_config config = { .ram_bytes = 32 << 20, .commit = KSIM_COMMIT_ON_TOUCH };
	struct ksim_machine *m = ksim_boot(&config);
	struct worker workers[WORKERS] = { 0 };
	struct ksim_process *p[WORKERS];
	struct ksim_end end;

	SETUP(m != NULL);
	for (unsigned i = 0; i < WORKERS; i++) {
		workers[i].number = i;
		p[i] = ksim_process_create(m, "worker");
		SETUP(p[i] != NULL && ksim_start(p[i], work, &workers[i]) == 0);
	}
	for (unsigned i = 0; i < WORKERS; i++) {
		EXPECT_EQ(ksim_join(p[i], &end), 0);
		EXPECT_EQ(end.signo, 0);
		EXPECT_EQ(workers[i].wrong, 0);
	}
	EXPECT_EQ(ksim_check(m), 0);
	p[0] = ksim_process_create(m, "cleaner");
	SETUP(p[0] != NULL && ksim_run(p[0], clear_all, NULL, &end) == 0);
	EXPECT_EQ(ksim_check(m), 0);
	EXPECT_EQ(ksim_process_end(p[0], 0), 0);
	EXPECT_EQ(ksim_join(p[0], &end), 0);
	EXPECT_EQ(ksim_halt(m), 0);
}
