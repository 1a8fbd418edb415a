// SPDX-License-Identifier: MIT
/*
 * What Linux promises of set-id bits, and of files that are another user's: who loses the bits by what, and who may be
 * given what. chmod(2), chown(2), write(2), inode(7), link(2), proc(5) (protected_hardlinks).
 */
#include "abi.h"

enum { USER = 64300, OTHER_USER = 64301, GROUP = 64310, OTHER_GROUP = 64311, THIRD_GROUP = 64312 };

/* What a child of USER and GROUP finds. */
struct place {
	char dir[128], file[160];
};

static bool is_root(void)
{
	return x_geteuid() == 0;
}

static bool become_user(void)
{
	const gid_t groups[1] = { OTHER_GROUP };

	return x_setgroups(1, groups) == 0 && x_setresgid(GROUP, GROUP, GROUP) == 0 &&
	       x_setresuid(USER, USER, USER) == 0;
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	return x_stat(path, &st) == 0 ? st.st_mode & 07777 : 0;
}

/* A directory that anybody may use, and a file in it. */
static struct place place_with(mode_t mode, uid_t uid, gid_t gid)
{
	struct place p;
	int fd;

	fresh_path(p.dir, sizeof(p.dir));
	snprintf(p.file, sizeof(p.file), "%s/file", p.dir);
	SETUP(x_mkdir(p.dir, 0777) == 0 && x_chmod(p.dir, 0777) == 0);
	fd = x_open(p.file, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
	SETUP(fd >= 0 && x_write(fd, "text", 4) == 4 && x_close(fd) == 0);
	SETUP(x_chown(p.file, uid, gid) == 0 && x_chmod(p.file, mode) == 0);
	return p;
}

static void remove_place(const struct place *p)
{
	EXPECT_EQ(x_unlink(p->file), 0);
	EXPECT_EQ(x_rmdir(p->dir), 0);
}

static int writes_to_it(void *arg)
{
	const struct place *p = arg;
	int fd;

	CHILD_EXPECT(become_user());
	fd = x_open(p->file, O_WRONLY | O_CLOEXEC);
	CHILD_EXPECT(fd >= 0 && x_write(fd, "x", 1) == 1 && x_close(fd) == 0);
	return 0;
}

static mode_t mode_after_write(mode_t mode, gid_t gid)
{
	struct place p = place_with(mode, OTHER_USER, gid);
	mode_t now;

	EXPECT_EQ(in_child(writes_to_it, &p), 0);
	now = mode_of(p.file);
	remove_place(&p);
	return now;
}

TEST(set_ids, write_by_another_user_takes_them_away)
{
	/*
	 * write(2): S_ISUID goes; S_ISGID goes where the group may execute, and where the writer is not of the group.
	 */
	if (!is_root())
		SKIP("needs root");
	EXPECT_EQ(mode_after_write(04666, THIRD_GROUP), 0666);
	EXPECT_EQ(mode_after_write(06676, GROUP), 0676);
	EXPECT_EQ(mode_after_write(02676, THIRD_GROUP), 0676);
	EXPECT_EQ(mode_after_write(02666, GROUP), 02666);
	EXPECT_EQ(mode_after_write(02666, OTHER_GROUP), 02666);
	EXPECT_EQ(mode_after_write(02666, THIRD_GROUP), 0666);
}

static int gives_it(void *arg)
{
	const struct place *p = arg;

	CHILD_EXPECT(become_user());
	CHILD_EXPECT(x_chown(p->file, (uid_t)-1, THIRD_GROUP) == -1 && errno == EPERM);
	CHILD_EXPECT(x_chown(p->file, OTHER_USER, (gid_t)-1) == -1 && errno == EPERM);
	CHILD_EXPECT(x_chown(p->file, USER, GROUP) == 0); /* what it is already */
	CHILD_EXPECT(x_chown(p->file, USER, OTHER_GROUP) == 0);
	CHILD_EXPECT(x_chown(p->file, (uid_t)-1, GROUP) == 0);
	return 0;
}

TEST(set_ids, owner_gives_a_file_to_groups_of_its_own_alone)
{
	/* chown(2): the owner may change the group to any group of which that owner is a member. */
	struct place p;

	if (!is_root())
		SKIP("needs root");
	p = place_with(0644, USER, GROUP);
	EXPECT_EQ(in_child(gives_it, &p), 0);
	remove_place(&p);
}

static int changes_nothing(void *arg)
{
	const struct place *p = arg;

	CHILD_EXPECT(become_user());
	CHILD_EXPECT(x_chown(p->file, (uid_t)-1, (gid_t)-1) == 0);
	return 0;
}

static mode_t mode_after_chown(mode_t mode, gid_t gid)
{
	struct place p = place_with(mode, USER, gid);
	mode_t now;

	EXPECT_EQ(in_child(changes_nothing, &p), 0);
	now = mode_of(p.file);
	remove_place(&p);
	return now;
}

TEST(set_ids, chown_that_changes_nothing_takes_them_away)
{
	/* chown(2): set-user-ID and set-group-ID bits are cleared; the latter means something else without S_IXGRP. */
	if (!is_root())
		SKIP("needs root");
	EXPECT_EQ(mode_after_chown(04755, GROUP), 0755);
	EXPECT_EQ(mode_after_chown(06755, GROUP), 0755);
	EXPECT_EQ(mode_after_chown(02744, GROUP), 02744);
	if (linux_release() >= 6002)
		EXPECT_EQ(mode_after_chown(02744, THIRD_GROUP), 0744);
}

static int makes_a_file(void *arg)
{
	const struct place *p = arg;
	struct stat st;
	char path[192];
	int fd;

	CHILD_EXPECT(become_user());
	x_umask(0);
	snprintf(path, sizeof(path), "%s/new", p->dir);
	fd = x_open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 02775);
	CHILD_EXPECT(fd >= 0 && x_fstat(fd, &st) == 0 && x_close(fd) == 0 && x_unlink(path) == 0);
	CHILD_EXPECT(st.st_gid == THIRD_GROUP && (st.st_mode & 07777) == 0775);
	fd = x_open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 02765); /* nobody executes it as the group */
	CHILD_EXPECT(fd >= 0 && x_fstat(fd, &st) == 0 && x_close(fd) == 0 && x_unlink(path) == 0);
	CHILD_EXPECT(st.st_gid == THIRD_GROUP && (st.st_mode & 07777) == 02765);
	CHILD_EXPECT(x_mkdir(path, 0755) == 0 && x_stat(path, &st) == 0 && x_rmdir(path) == 0);
	CHILD_EXPECT(st.st_gid == THIRD_GROUP && (st.st_mode & 07777) == 02755);
	return 0;
}

TEST(set_ids, new_file_is_of_a_set_gid_directorys_group_but_does_not_run_as_it)
{
	/*
	 * inode(7), open(2): S_ISGID of a directory; a file that its group may execute keeps no S_ISGID from a
	 * stranger.
	 */
	struct place p;

	if (!is_root())
		SKIP("needs root");
	p = place_with(0644, USER, GROUP);
	EXPECT_EQ(x_chown(p.dir, 0, THIRD_GROUP), 0);
	EXPECT_EQ(x_chmod(p.dir, 02777), 0);
	EXPECT_EQ(in_child(makes_a_file, &p), 0);
	remove_place(&p);
}

static int links_it(void *arg)
{
	const struct place *p = arg;
	char path[192];
	int err = 0;

	CHILD_EXPECT(become_user());
	snprintf(path, sizeof(path), "%s/link", p->dir);
	if (x_link(p->file, path) < 0)
		err = errno;
	else
		CHILD_EXPECT(x_unlink(path) == 0);
	return err;
}

static int linking(mode_t mode)
{
	struct place p = place_with(mode, OTHER_USER, OTHER_GROUP);
	int err = in_child(links_it, &p);

	remove_place(&p);
	return err;
}

/* proc(5): whether the kernel protects links at all. */
static bool protects_links(void)
{
	char byte = '1';
	int fd = x_open("/proc/sys/fs/protected_hardlinks", O_RDONLY | O_CLOEXEC);

	if (fd >= 0) {
		SETUP(x_read(fd, &byte, 1) == 1);
		x_close(fd);
	}
	return byte == '1';
}

TEST(set_ids, file_of_another_user_that_has_them_or_is_special_is_not_linked)
{
	struct place p;

	if (!is_root() || !protects_links())
		SKIP("needs root, and a kernel that protects links");
	EXPECT_EQ(linking(0666), 0);
	EXPECT_EQ(linking(0664), 0);
	EXPECT_EQ(linking(0644), EPERM);
	EXPECT_EQ(linking(04666), EPERM);
	EXPECT_EQ(linking(02676), EPERM);
	EXPECT_EQ(linking(02666), 0);
	p = place_with(0666, OTHER_USER, OTHER_GROUP);
	SETUP(x_unlink(p.file) == 0 && x_mknod(p.file, S_IFIFO | 0666, 0) == 0 && x_chmod(p.file, 0666) == 0);
	SETUP(x_chown(p.file, OTHER_USER, OTHER_GROUP) == 0);
	EXPECT_EQ(in_child(links_it, &p), EPERM);
	remove_place(&p);
}

static int groups_are_told(void *arg)
{
	const gid_t groups[3] = { 9, 4, 7 };
	char text[4096] = "";
	int fd;

	(void)arg;
	CHILD_EXPECT(x_setgroups(3, groups) == 0);
	fd = x_open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	CHILD_EXPECT(fd >= 0 && x_read(fd, text, sizeof(text) - 1) > 0 && x_close(fd) == 0);
	CHILD_EXPECT(strstr(text, "\nGroups:\t4 7 9 \n") != NULL);
	CHILD_EXPECT(x_setgroups(0, NULL) == 0);
	fd = x_open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	memset(text, 0, sizeof(text));
	CHILD_EXPECT(fd >= 0 && x_read(fd, text, sizeof(text) - 1) > 0 && x_close(fd) == 0);
	CHILD_EXPECT(strstr(text, "\nGroups:\t \n") != NULL);
	return 0;
}

TEST(set_ids, status_lists_the_supplementary_groups)
{
	/* proc_pid_status(5). */
	if (!is_root())
		SKIP("needs root");
	EXPECT_EQ(in_child(groups_are_told, NULL), 0);
}

static int sets_real_and_effective(void *arg)
{
	(void)arg;
	CHILD_EXPECT(x_setresgid(GROUP, OTHER_GROUP, THIRD_GROUP) == 0);
	CHILD_EXPECT(x_setresuid(USER, OTHER_USER, USER + 5) == 0);
	/* Real: to the real or effective one. Effective: to any of the three. */
	CHILD_EXPECT(x_setregid(THIRD_GROUP, (gid_t)-1) == -1 && errno == EPERM);
	CHILD_EXPECT(x_setregid((gid_t)-1, GROUP + 7) == -1 && errno == EPERM);
	CHILD_EXPECT(x_setregid(GROUP, THIRD_GROUP) == 0 && x_getgid() == GROUP && x_getegid() == THIRD_GROUP);
	CHILD_EXPECT(x_setregid(GROUP, GROUP) == 0);
	CHILD_EXPECT(x_setreuid(USER + 5, (uid_t)-1) == -1 && errno == EPERM);
	CHILD_EXPECT(x_setreuid(OTHER_USER, USER + 5) == 0 && x_getuid() == OTHER_USER && x_geteuid() == USER + 5);
	CHILD_EXPECT(x_setresuid((uid_t)-1, (uid_t)-1, USER) == -1 && errno == EPERM);
	CHILD_EXPECT(x_setresuid((uid_t)-1, USER, (uid_t)-1) == -1 && errno == EPERM);
	CHILD_EXPECT(x_setfsuid(OTHER_USER) == USER + 5 && x_setfsuid((uid_t)-1) == OTHER_USER);
	CHILD_EXPECT(x_setfsuid(USER) == OTHER_USER && x_setfsuid((uid_t)-1) == OTHER_USER); /* may not: it stays */
	CHILD_EXPECT(x_setfsuid(OTHER_USER) == OTHER_USER);
	CHILD_EXPECT(x_setgroups(0, NULL) == -1 && errno == EPERM);
	return 0;
}

TEST(set_ids, unprivileged_process_trades_the_ids_that_it_has)
{
	/* setreuid(2), setresuid(2), setfsuid(2). */
	if (!is_root())
		SKIP("needs root");
	EXPECT_EQ(in_child(sets_real_and_effective, NULL), 0);
}

TEST(set_ids, more_groups_than_there_may_be_fail_EINVAL)
{
	/* setgroups(2): size is greater than NGROUPS_MAX. */
	static gid_t groups[65537];

	if (!is_root())
		SKIP("needs root");
	EXPECT_FAILS(x_setgroups(65537, groups), EINVAL);
}
