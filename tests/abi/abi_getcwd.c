// SPDX-License-Identifier: MIT
/*
 * What Linux promises of where a process is, when that is far down, has gone, or does not fit. getcwd(2).
 */
#include "abi_kernel.h"

enum { LEVELS = 20, NAME_BYTES = 250, PATH_BYTES = 4096 };

TEST(getcwd, buffer_without_room_fails_ERANGE)
{
	/* getcwd(2): size is less than the length of the path and its NUL; EINVAL where it is 0. */
	char path[128], cwd[256], exact[128];

	fresh_path(path, sizeof(path));
	SETUP(x_getcwd(cwd, sizeof(cwd)) != NULL);
	SETUP(x_mkdir(path, 0700) == 0 && x_chdir(path) == 0);
	memset(exact, 'x', sizeof(exact));
	errno = 0;
	EXPECT(x_getcwd(exact, strlen(path)) == NULL);
	EXPECT_EQ(errno, ERANGE);
	errno = 0;
	EXPECT(x_getcwd(exact, 1) == NULL);
	EXPECT_EQ(errno, ERANGE);
	EXPECT(exact[0] == 'x');
	EXPECT(x_getcwd(exact, strlen(path) + 1) == exact);
	EXPECT_STREQ(exact, path);
	EXPECT_EQ(KERNEL(getcwd, of(exact), 0), -ERANGE); /* libc says EINVAL */
	EXPECT_EQ(KERNEL(getcwd, of(exact), sizeof(exact)), (long)strlen(path) + 1);
	EXPECT_EQ(x_chdir(cwd), 0);
	EXPECT_EQ(x_rmdir(path), 0);
}

static int is_nowhere(void *arg)
{
	const char *path = arg;
	char text[256];
	struct stat st;
	ssize_t n;
	int fd;

	CHILD_EXPECT(x_mkdir(path, 0700) == 0 && x_chdir(path) == 0 && x_rmdir(path) == 0);
	CHILD_EXPECT(KERNEL(getcwd, of(text), sizeof(text)) == -ENOENT);
	CHILD_EXPECT(KERNEL(getcwd, of(text), 1) == -ENOENT);
	n = x_readlink("/proc/self/cwd", text, sizeof(text) - 1);
	CHILD_EXPECT(n > 10);
	text[n] = '\0';
	CHILD_EXPECT(strcmp(text + n - 10, " (deleted)") == 0 && strncmp(text, path, strlen(path)) == 0);
	CHILD_EXPECT(x_stat(".", &st) == 0 && st.st_nlink == 0);
	CHILD_EXPECT(x_open("new", O_CREAT | O_WRONLY, 0600) == -1 && errno == ENOENT);
	CHILD_EXPECT(x_mkdir("new", 0700) == -1 && errno == ENOENT);
	CHILD_EXPECT(x_symlink("x", "new") == -1 && errno == ENOENT);
	CHILD_EXPECT(x_link("/proc/version", "new") == -1 && (errno == ENOENT || errno == EXDEV));
	CHILD_EXPECT(x_unlink("none") == -1 && errno == ENOENT);
	CHILD_EXPECT(x_rmdir("none") == -1 && errno == ENOENT);
	CHILD_EXPECT(x_rename("none", "new") == -1 && errno == ENOENT);
	fd = x_open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHILD_EXPECT(fd >= 0);
	CHILD_EXPECT(KERNEL(getdents64, fd, of(text), sizeof(text)) == -ENOENT);
	return 0;
}

TEST(getcwd, of_a_directory_that_has_been_removed_fails_ENOENT)
{
	/* getcwd(2): the current directory has been unlinked. Nothing can be made there. */
	char path[128];

	fresh_path(path, sizeof(path));
	EXPECT_EQ(in_child(is_nowhere, path), 0);
}

/* Down as far as it goes, and up again: what is seen from there. */
static int is_far_down(void *arg)
{
	char name[NAME_BYTES + 1], text[PATH_BYTES + 100], way[64];
	int fd, levels = 0;

	CHILD_EXPECT(x_mkdir(arg, 0700) == 0 && x_chdir(arg) == 0);
	memset(name, 'd', NAME_BYTES);
	name[NAME_BYTES] = '\0';
	for (; levels < LEVELS; levels++)
		CHILD_EXPECT(x_mkdir(name, 0700) == 0 && x_chdir(name) == 0);
	fd = x_open("file", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	CHILD_EXPECT(fd >= 0);
	CHILD_EXPECT(KERNEL(getcwd, of(text), sizeof(text)) == -ENAMETOOLONG);
	CHILD_EXPECT(KERNEL(getcwd, of(text), 1) == -ENAMETOOLONG);
	CHILD_EXPECT(x_readlink("/proc/self/cwd", text, sizeof(text)) == -1 && errno == ENAMETOOLONG);
	snprintf(way, sizeof(way), "/proc/self/fd/%d", fd);
	CHILD_EXPECT(x_readlink(way, text, sizeof(text)) == -1 && errno == ENAMETOOLONG);
	CHILD_EXPECT(x_access(way, R_OK) == 0 && x_chdir("/proc/self/cwd") == 0); /* they lead there all the same */
	CHILD_EXPECT(x_close(fd) == 0 && x_unlink("file") == 0);
	while (levels-- > 0)
		CHILD_EXPECT(x_chdir("..") == 0 && x_rmdir(name) == 0);
	CHILD_EXPECT(x_chdir("/") == 0 && x_rmdir(arg) == 0);
	return 0;
}

TEST(getcwd, of_more_than_a_path_may_have_fails_ENAMETOOLONG)
{
	/* getcwd(2): the path exceeds PATH_MAX bytes. */
	char path[128];

	fresh_path(path, sizeof(path));
	EXPECT_EQ(in_child(is_far_down, path), 0);
}
