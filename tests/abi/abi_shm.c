// SPDX-License-Identifier: MIT
/*
 * What libc promises of shared memory by name: shm_open(3), shm_overview(7).
 */
#include "abi_tree.h"

/* A name that nobody else uses. */
static void shm_name(char *name, size_t size)
{
	char path[96];

	fresh_path(path, sizeof(path));
	for (char *p = path; *p != '\0'; p++)
		if (*p == '/')
			*p = '-';
	snprintf(name, size, "/ksim%s-%d", path, (int)getpid());
}

TEST(shm, open_makes_memory_that_others_find_by_name)
{
	/* shm_open(3): length 0, FD_CLOEXEC, mode less umask. */
	struct stat st;
	char name[160];
	int fd, other;
	addr_t map;

	shm_name(name, sizeof(name));
	fd = x_shm_open(name, O_CREAT | O_EXCL | O_RDWR, 0666);
	REQUIRE(fd >= 0);
	EXPECT_EQ(x_fcntl(fd, F_GETFD), FD_CLOEXEC);
	EXPECT_EQ(x_fstat(fd, &st), 0);
	EXPECT_EQ(st.st_size, 0);
	EXPECT_EQ(st.st_mode, S_IFREG | 0644);
	EXPECT_EQ(x_ftruncate(fd, PAGE), 0);
	map = map_shared(fd, 1, PROT_READ | PROT_WRITE);
	st8(map, 42);
	other = x_shm_open(name + 1, O_RDONLY, 0);
	REQUIRE(other >= 0);
	EXPECT_EQ(byte_at(other, 0), 42);
	EXPECT_FAILS(x_ftruncate(other, 0), EINVAL);
	EXPECT_EQ(x_shm_unlink(name), 0);
	EXPECT_FAILS(x_shm_open(name, O_RDWR, 0), ENOENT);
	EXPECT_EQ(byte_at(other, 0), 42);
	EXPECT_EQ(x_close(other), 0);
	EXPECT_EQ(x_close(fd), 0);
	unmap(map, 1);
}

TEST(shm, refusals)
{
	/* shm_open(3): EEXIST, EINVAL, ENOENT, ENAMETOOLONG. */
	char name[160], longer[300];
	int fd;

	shm_name(name, sizeof(name));
	EXPECT_FAILS(x_shm_open(name, O_RDWR, 0), ENOENT);
	EXPECT_FAILS(x_shm_unlink(name), ENOENT);
	fd = x_shm_open(name, O_CREAT | O_EXCL | O_RDWR, 0600);
	REQUIRE(fd >= 0);
	EXPECT_FAILS(x_shm_open(name, O_CREAT | O_EXCL | O_RDWR, 0600), EEXIST);
	EXPECT_EQ(x_close(fd), 0);
	EXPECT_EQ(x_shm_unlink(name), 0);
	EXPECT_FAILS(x_shm_open("/", O_CREAT | O_RDWR, 0600), EINVAL);
	EXPECT_FAILS(x_shm_open("", O_CREAT | O_RDWR, 0600), EINVAL);
	EXPECT_FAILS(x_shm_open("/a/b", O_CREAT | O_RDWR, 0600), EINVAL);
	EXPECT_FAILS(x_shm_unlink("/a/b"), ENOENT);
	EXPECT_FAILS(x_shm_unlink(""), ENOENT);
	EXPECT_FAILS(x_shm_open("..", O_RDWR, 0), EINVAL);
	EXPECT_FAILS(x_shm_open(long_name(longer, 255), O_RDWR, 0600), ENOENT);
	EXPECT_FAILS(x_shm_open(long_name(longer, 256), O_CREAT | O_RDWR, 0600), ENAMETOOLONG);
	EXPECT_FAILS(x_shm_unlink(longer), ENAMETOOLONG);
}

TEST(shm, TRUNC_empties_and_a_link_is_not_followed)
{
	/* shm_open(3): O_TRUNC; glibc opens with O_NOFOLLOW. */
	char name[160], path[180];
	int fd;

	shm_name(name, sizeof(name));
	fd = x_shm_open(name, O_CREAT | O_RDWR, 0600);
	REQUIRE(fd >= 0);
	EXPECT_EQ(x_ftruncate(fd, PAGE), 0);
	EXPECT_EQ(x_close(x_shm_open(name, O_RDWR | O_TRUNC, 0)), 0);
	EXPECT_EQ(size_of(fd), 0);
	EXPECT_EQ(x_close(fd), 0);
	EXPECT_EQ(x_shm_unlink(name), 0);
	snprintf(path, sizeof(path), "/dev/shm%s", name);
	SETUP(x_symlink("none", path) == 0);
	EXPECT_FAILS(x_shm_open(name, O_RDWR, 0), ELOOP);
	EXPECT_EQ(x_shm_unlink(name), 0);
}
