// SPDX-License-Identifier: MIT
/*
 * What Linux promises of permissions: path_resolution(7), inode(7), chmod(2), chown(2), access(2), utimensat(2),
 * credentials(7). Who is refused is a child that has given root up; so these tests need root to begin with.
 */
#include "abi_tree.h"

enum { ALICE = 1001, BOB = 1002, STAFF = 2001 };

/* Become a user, in a group of the same number and in one more. */
static int become(uid_t uid, gid_t extra)
{
	CHILD_EXPECT(x_setgroups(1, &extra) == 0);
	CHILD_EXPECT(x_setresgid(uid, uid, uid) == 0);
	CHILD_EXPECT(x_setresuid(uid, uid, uid) == 0);
	return 0;
}

#define BECOME(uid)                          \
	do {                                 \
		if (become(uid, STAFF) != 0) \
			return 1;            \
	} while (0)

/* A yard with a file and a directory of Alice's, and some of root's. */
static void shared_yard(void)
{
	if (x_geteuid() != 0)
		SKIP("root's rights are needed to give them up");
	yard();
	make_file("root", 1);
	make_file("alice", 1);
	make_dir("alice_dir");
	SETUP(x_chown("alice", ALICE, ALICE) == 0);
	SETUP(x_chown("alice_dir", ALICE, ALICE) == 0);
	make_file("alice_dir/f", 1);
}

/* ---- opening ---- */

static int opens_by_mode(void *unused)
{
	(void)unused;
	BECOME(ALICE);
	CHILD_FAILS(x_open("alice", O_RDONLY), EACCES);
	CHILD_FAILS(x_open("alice", O_RDWR), EACCES);
	CHILD_EXPECT(x_close(x_open("alice", O_WRONLY)) == 0);
	CHILD_FAILS(x_open("root", O_WRONLY), EACCES);
	CHILD_FAILS(x_open("root", O_RDONLY | O_TRUNC), EACCES);
	CHILD_FAILS(x_open("root", 3), EACCES);
	CHILD_EXPECT(x_close(x_open("root", O_RDONLY)) == 0);
	CHILD_EXPECT(x_close(x_open("alice", O_PATH)) == 0);
	CHILD_FAILS(x_truncate("root", 0), EACCES);
	return 0;
}

TEST(perms, owner_class_decides_for_the_owner_alone)
{
	/* path_resolution(7): the owner's bits count for the owner, even if others have more. */
	shared_yard();
	SETUP(x_chmod("alice", 0266) == 0);
	EXPECT_EQ(in_child(opens_by_mode, NULL), 0);
	EXPECT_EQ(x_close(opened("alice", O_RDWR)), 0);
}

static int opens_by_group(void *unused)
{
	(void)unused;
	BECOME(BOB);
	CHILD_EXPECT(x_close(x_open("staff", O_RDONLY)) == 0);
	CHILD_FAILS(x_open("staff", O_WRONLY), EACCES);
	CHILD_FAILS(x_open("alice", O_RDONLY), EACCES);
	CHILD_EXPECT(x_close(x_open("alice", O_WRONLY)) == 0);
	return 0;
}

TEST(perms, group_class_counts_supplementary_groups)
{
	/* path_resolution(7). */
	shared_yard();
	make_file("staff", 0);
	SETUP(x_chown("staff", 0, STAFF) == 0 && x_chmod("staff", 0646) == 0);
	SETUP(x_chmod("alice", 0642) == 0);
	EXPECT_EQ(in_child(opens_by_group, NULL), 0);
}

static int searches(void *unused)
{
	struct stat st;

	(void)unused;
	BECOME(ALICE);
	CHILD_FAILS(x_stat("closed/f", &st), EACCES);
	CHILD_FAILS(x_stat("closed/none", &st), EACCES);
	CHILD_FAILS(x_open("closed/f", O_RDONLY), EACCES);
	CHILD_FAILS(x_open("closed/new", O_CREAT | O_RDWR, 0644), EACCES);
	CHILD_FAILS(x_unlink("closed/f"), EACCES);
	CHILD_FAILS(x_rename("closed/f", "x"), EACCES);
	CHILD_FAILS(x_rename("alice_dir/f", "closed/f"), EACCES);
	CHILD_FAILS(x_link("closed/f", "alice_dir/g"), EACCES);
	CHILD_FAILS(x_link("alice_dir/f", "closed/g"), EACCES);
	CHILD_FAILS(x_symlink("x", "closed/g"), EACCES);
	CHILD_FAILS(x_mkdir("closed/g", 0755), EACCES);
	CHILD_FAILS(x_rmdir("closed/g"), EACCES);
	CHILD_FAILS(x_chmod("closed/f", 0644), EACCES);
	CHILD_FAILS(x_chown("closed/f", ALICE, ALICE), EACCES);
	CHILD_FAILS(x_truncate("closed/f", 0), EACCES);
	CHILD_FAILS(x_chdir("closed"), EACCES);
	CHILD_FAILS(x_access("closed/f", F_OK), EACCES);
	CHILD_EXPECT(x_stat("closed", &st) == 0);
	CHILD_EXPECT(x_close(x_open("closed", O_RDONLY)) == 0);
	return 0;
}

TEST(perms, directory_that_may_not_be_searched_fails_EACCES)
{
	/* path_resolution(7): search permission on each directory of the path. */
	shared_yard();
	make_dir("closed");
	make_file("closed/f", 0);
	SETUP(x_chmod("closed", 0744) == 0);
	EXPECT_EQ(in_child(searches, NULL), 0);
}

static int changes_a_directory(void *unused)
{
	(void)unused;
	BECOME(ALICE);
	CHILD_FAILS(x_open("new", O_CREAT | O_RDWR, 0644), EACCES);
	CHILD_FAILS(x_creat("new", 0644), EACCES);
	CHILD_FAILS(x_mkdir("new", 0755), EACCES);
	CHILD_FAILS(x_mknod("new", S_IFREG | 0644, 0), EACCES);
	CHILD_FAILS(x_symlink("x", "new"), EACCES);
	CHILD_FAILS(x_link("alice", "new"), EACCES);
	CHILD_FAILS(x_unlink("alice"), EACCES);
	CHILD_FAILS(x_rmdir("alice_dir"), EACCES);
	CHILD_FAILS(x_rename("alice", "new"), EACCES);
	CHILD_FAILS(x_rename("alice_dir/f", "new"), EACCES);
	CHILD_FAILS(x_open(".", O_TMPFILE | O_RDWR, 0644), EACCES);
	CHILD_FAILS(x_unlink("none"), ENOENT);
	CHILD_FAILS(x_mkdir("alice", 0755), EEXIST);
	CHILD_EXPECT(x_close(x_open("alice", O_CREAT | O_RDWR, 0644)) == 0);
	return 0;
}

TEST(perms, directory_that_may_not_be_written_fails_EACCES)
{
	/* mkdir(2), unlink(2), rename(2) ...: EACCES; what is there can be opened with O_CREAT. */
	shared_yard();
	EXPECT_EQ(in_child(changes_a_directory, NULL), 0);
}

static int makes(void *unused)
{
	struct stat st;

	(void)unused;
	BECOME(ALICE);
	CHILD_EXPECT(x_close(x_open("alice_dir/new", O_CREAT | O_RDWR, 0644)) == 0);
	CHILD_EXPECT(x_stat("alice_dir/new", &st) == 0 && st.st_uid == ALICE && st.st_gid == ALICE);
	CHILD_EXPECT(x_unlink("alice_dir/f") == 0);
	CHILD_EXPECT(x_mknod("alice_dir/p", S_IFIFO | 0600, 0) == 0);
	CHILD_FAILS(x_mknod("alice_dir/c", S_IFCHR | 0600, 0x103), EPERM);
	CHILD_FAILS(x_mknod("alice_dir/b", S_IFBLK | 0600, 0x103), EPERM);
	CHILD_EXPECT(x_mkdir("alice_dir/staff/sub", 0755) == 0);
	CHILD_EXPECT(x_stat("alice_dir/staff/sub", &st) == 0 && st.st_gid == STAFF && st.st_mode & S_ISGID);
	CHILD_EXPECT(x_close(x_open("alice_dir/staff/f", O_CREAT | O_RDWR, 0644)) == 0);
	CHILD_EXPECT(x_stat("alice_dir/staff/f", &st) == 0 && st.st_gid == STAFF);
	return 0;
}

TEST(perms, new_files_belong_to_who_makes_them)
{
	/* open(2), mkdir(2): the group is the directory's where that has S_ISGID. */
	shared_yard();
	make_dir("alice_dir/staff");
	SETUP(x_chown("alice_dir/staff", ALICE, STAFF) == 0 && x_chmod("alice_dir/staff", 02755) == 0);
	EXPECT_EQ(in_child(makes, NULL), 0);
}

/* ---- sticky directories ---- */

static int takes_away_in_sticky(void *unused)
{
	(void)unused;
	BECOME(BOB);
	CHILD_FAILS(x_unlink("sticky/alice"), EPERM);
	CHILD_FAILS(x_rename("sticky/alice", "sticky/x"), EPERM);
	CHILD_FAILS(x_rename("sticky/bob", "sticky/alice"), EPERM);
	CHILD_FAILS(x_rmdir("sticky/alice_dir"), EPERM);
	CHILD_EXPECT(x_rename("sticky/bob", "sticky/bob2") == 0);
	CHILD_EXPECT(x_unlink("sticky/bob2") == 0);
	CHILD_EXPECT(x_close(x_open("sticky/new", O_CREAT | O_RDWR, 0644)) == 0);
	CHILD_EXPECT(x_unlink("bobs/alice") == 0);
	return 0;
}

TEST(perms, sticky_directory_keeps_other_users_names)
{
	/* unlink(2), rename(2): EPERM; the directory's owner may. */
	shared_yard();
	make_dir("sticky");
	make_dir("bobs");
	make_file("sticky/alice", 0);
	make_file("sticky/bob", 0);
	make_file("bobs/alice", 0);
	make_dir("sticky/alice_dir");
	SETUP(x_chmod("sticky", 01777) == 0 && x_chmod("bobs", 01777) == 0 && x_chown("bobs", BOB, BOB) == 0);
	SETUP(x_chown("sticky/alice", ALICE, ALICE) == 0 && x_chown("sticky/bob", BOB, BOB) == 0);
	SETUP(x_chown("sticky/alice_dir", ALICE, ALICE) == 0 && x_chown("bobs/alice", ALICE, ALICE) == 0);
	EXPECT_EQ(in_child(takes_away_in_sticky, NULL), 0);
	EXPECT(is_there("sticky/alice"));
}

static int moves_a_directory(void *unused)
{
	(void)unused;
	BECOME(ALICE);
	CHILD_FAILS(x_rename("alice_dir/roots", "alice_dir/to/roots"), EACCES);
	CHILD_EXPECT(x_rename("alice_dir/roots", "alice_dir/renamed") == 0);
	return 0;
}

TEST(perms, directory_moves_to_another_parent_only_if_it_may_be_written)
{
	/* rename(2): EACCES, it needs to update "..". */
	shared_yard();
	make_dir("alice_dir/roots");
	make_dir("alice_dir/to");
	SETUP(x_chown("alice_dir/to", ALICE, ALICE) == 0);
	EXPECT_EQ(in_child(moves_a_directory, NULL), 0);
}

/* ---- chmod and chown ---- */

TEST(perms, chmod_sets_the_bits_and_stamps)
{
	/* chmod(2). */
	int fd;

	yard();
	make_file("f", 0);
	make_link("f", "l");
	EXPECT_EQ(x_chmod("l", 04751), 0);
	EXPECT_EQ(mode_of("f"), 04751);
	fd = opened("f", O_RDONLY);
	EXPECT_EQ(x_fchmod(fd, S_IFDIR | 0600), 0);
	EXPECT_EQ(stat_of("f").st_mode, S_IFREG | 0600);
	EXPECT_EQ(x_close(fd), 0);
	EXPECT_EQ(x_fchmodat(AT_FDCWD, "f", 0644, 0), 0);
	EXPECT_EQ(mode_of("f"), 0644);
	EXPECT_FAILS(x_chmod("none", 0644), ENOENT);
	EXPECT_FAILS(x_fchmod(-1, 0644), EBADF);
	EXPECT_FAILS(x_fchmodat(-1, "f", 0644, 0), EBADF);
	EXPECT_FAILS(x_chmod("f/", 0644), ENOTDIR);
}

static int changes_modes(void *unused)
{
	(void)unused;
	BECOME(ALICE);
	CHILD_FAILS(x_chmod("root", 0777), EPERM);
	CHILD_EXPECT(x_chmod("alice", 02777) == 0);
	CHILD_EXPECT(mode_of("alice") == 02777);
	CHILD_EXPECT(x_chmod("foreign", 02777) == 0);
	CHILD_EXPECT(mode_of("foreign") == 0777);
	return 0;
}

TEST(perms, chmod_is_the_owners_and_keeps_SGID_in_the_group)
{
	/* chmod(2): EPERM; S_ISGID is dropped if the group is not the caller's. */
	shared_yard();
	make_file("foreign", 0);
	SETUP(x_chown("foreign", ALICE, BOB) == 0);
	EXPECT_EQ(in_child(changes_modes, NULL), 0);
}

TEST(perms, chown_sets_ids_and_takes_set_id_bits_away)
{
	/* chown(2): -1 leaves an id; S_ISUID and S_ISGID of what may be executed go, for root too. */
	struct stat st;

	shared_yard();
	make_link("root", "l");
	SETUP(x_chmod("root", 06755) == 0);
	EXPECT_EQ(x_chown("l", ALICE, (gid_t)-1), 0);
	st = stat_of("root");
	EXPECT_EQ(st.st_uid, ALICE);
	EXPECT_EQ(st.st_gid, 0);
	EXPECT_EQ(st.st_mode & 07777, 0755);
	SETUP(x_chmod("root", 06745) == 0);
	EXPECT_EQ(x_chown("root", (uid_t)-1, STAFF), 0);
	EXPECT_EQ(mode_of("root"), 02745);
	EXPECT_EQ(stat_of("root").st_gid, STAFF);
	EXPECT_EQ(x_lchown("l", BOB, BOB), 0);
	EXPECT_EQ(lstat_of("l").st_uid, BOB);
	EXPECT_EQ(stat_of("root").st_uid, ALICE);
	EXPECT_EQ(x_fchownat(AT_FDCWD, "l", 0, 0, AT_SYMLINK_NOFOLLOW), 0);
	EXPECT_EQ(lstat_of("l").st_uid, 0);
	EXPECT_FAILS(x_fchownat(AT_FDCWD, "l", 0, 0, 1), EINVAL);
	EXPECT_FAILS(x_chown("none", 0, 0), ENOENT);
	EXPECT_FAILS(x_fchown(-1, 0, 0), EBADF);
}

static int changes_owners(void *unused)
{
	(void)unused;
	BECOME(ALICE);
	CHILD_FAILS(x_chown("alice", BOB, (gid_t)-1), EPERM);
	CHILD_FAILS(x_chown("alice", (uid_t)-1, BOB), EPERM);
	CHILD_FAILS(x_chown("root", (uid_t)-1, ALICE), EPERM);
	CHILD_FAILS(x_chown("root", ALICE, (gid_t)-1), EPERM);
	CHILD_EXPECT(x_chown("alice", ALICE, STAFF) == 0);
	CHILD_EXPECT(lstat_of("alice").st_gid == STAFF);
	CHILD_EXPECT(x_chown("root", (uid_t)-1, (gid_t)-1) == 0);
	return 0;
}

TEST(perms, chown_gives_nothing_away)
{
	/* chown(2): EPERM; the owner may give a file to a group of his own. */
	shared_yard();
	EXPECT_EQ(in_child(changes_owners, NULL), 0);
}

static int changes_nothing(void *unused)
{
	(void)unused;
	BECOME(ALICE);
	CHILD_FAILS(x_chown("root", (uid_t)-1, (gid_t)-1), EPERM);
	return 0;
}

TEST(perms, chown_that_changes_nobody_takes_no_set_id_bits_from_a_stranger)
{
	/* chown(2): EPERM; who may not change the mode may not take S_ISUID or S_ISGID away either. */
	shared_yard();
	SETUP(x_chmod("root", 04755) == 0);
	EXPECT_EQ(in_child(changes_nothing, NULL), 0);
	EXPECT_EQ(mode_of("root"), 04755);
	SETUP(x_chmod("root", 02755) == 0);
	EXPECT_EQ(in_child(changes_nothing, NULL), 0);
	EXPECT_EQ(mode_of("root"), 02755);
}

/* ---- what has no name ---- */

static bool belongs_to(int fd, uid_t uid)
{
	struct stat st;

	return x_fstat(fd, &st) == 0 && st.st_uid == uid && st.st_gid == uid;
}

static int makes_nameless_files(void *unused)
{
	int fd, ends[2];

	(void)unused;
	BECOME(ALICE);
	fd = x_memfd_create("alice's", 0);
	CHILD_EXPECT(fd >= 0 && belongs_to(fd, ALICE));
	CHILD_EXPECT(x_fchmod(fd, 0600) == 0);
	CHILD_EXPECT(x_fchown(fd, (uid_t)-1, STAFF) == 0);
	CHILD_FAILS(x_fchown(fd, BOB, (gid_t)-1), EPERM);
	CHILD_EXPECT(x_socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
	CHILD_EXPECT(belongs_to(ends[0], ALICE) && belongs_to(ends[1], ALICE));
	CHILD_EXPECT(x_fchmod(ends[0], 0600) == 0);
	return 0;
}

TEST(perms, memfd_and_socket_belong_to_who_made_them)
{
	/* inode(7): the owner of a new file is the file-system user of who makes it. */
	shared_yard();
	EXPECT_EQ(in_child(makes_nameless_files, NULL), 0);
}

static int changes_a_strangers_memfd(void *fd)
{
	BECOME(BOB);
	CHILD_FAILS(x_fchmod(*(int *)fd, 0600), EPERM);
	CHILD_FAILS(x_fcntl(*(int *)fd, F_SETFL, O_NOATIME), EPERM);
	return 0;
}

TEST(perms, memfd_of_somebody_else_keeps_its_mode_and_its_access_times)
{
	/* chmod(2), fcntl(2) O_NOATIME: EPERM. */
	int fd = -1;

	shared_yard();
	fd = x_memfd_create("root's", 0);
	SETUP(fd >= 0);
	EXPECT_EQ(in_child(changes_a_strangers_memfd, &fd), 0);
	EXPECT_EQ(x_close(fd), 0);
}

/* ---- access ---- */

static int asks(void *unused)
{
	(void)unused;
	CHILD_EXPECT(x_setresuid(ALICE, 0, 0) == 0);
	/* Real user Alice, effective root. */
	CHILD_FAILS(x_access("root", W_OK), EACCES);
	CHILD_EXPECT(x_access("root", R_OK) == 0);
	CHILD_EXPECT(x_access("root", F_OK) == 0);
	CHILD_EXPECT(x_faccessat(AT_FDCWD, "root", W_OK, AT_EACCESS) == 0);
	CHILD_FAILS(x_faccessat(AT_FDCWD, "root", W_OK, 0), EACCES);
	CHILD_FAILS(x_access("root", X_OK), EACCES);
	CHILD_FAILS(x_access("none", F_OK), ENOENT);
	return 0;
}

TEST(perms, access_asks_for_the_real_user)
{
	/* access(2): AT_EACCESS for the effective one. */
	shared_yard();
	EXPECT_EQ(in_child(asks, NULL), 0);
}

TEST(perms, root_may_execute_only_what_somebody_may)
{
	/* access(2): X_OK of a privileged process needs one execute bit. */
	shared_yard();
	EXPECT_FAILS(x_access("root", X_OK), EACCES);
	SETUP(x_chmod("root", 0001) == 0);
	EXPECT_EQ(x_access("root", R_OK | W_OK | X_OK), 0);
	SETUP(x_chmod("alice_dir", 0) == 0);
	EXPECT_EQ(x_access("alice_dir", X_OK), 0);
	EXPECT_EQ(x_access("alice_dir/f", R_OK), 0);
	EXPECT_FAILS(x_access("root", 8), EINVAL);
	EXPECT_FAILS(x_access("none", 8), EINVAL);
	EXPECT_FAILS(x_faccessat(AT_FDCWD, "root", R_OK, 1), EINVAL);
	EXPECT_FAILS(x_faccessat(-1, "root", R_OK, 0), EBADF);
}

/* ---- times ---- */

TEST(perms, utimensat_sets_times)
{
	/* utimensat(2): UTIME_NOW, UTIME_OMIT, EINVAL. */
	struct timespec times[2] = { { 1000, 5 }, { 2000, 999999999 } };
	struct stat st;
	int fd;

	yard();
	make_file("f", 0);
	make_link("f", "l");
	EXPECT_EQ(x_utimensat(AT_FDCWD, "l", times, 0), 0);
	st = stat_of("f");
	EXPECT_EQ(st.st_atim.tv_sec, 1000);
	EXPECT_EQ(st.st_atim.tv_nsec, 5);
	EXPECT_EQ(st.st_mtim.tv_sec, 2000);
	EXPECT_EQ(st.st_mtim.tv_nsec, 999999999);
	EXPECT(st.st_ctim.tv_sec > 2000);
	times[0] = (struct timespec){ 0, UTIME_OMIT };
	times[1] = (struct timespec){ 0, UTIME_NOW };
	EXPECT_EQ(x_utimensat(AT_FDCWD, "f", times, 0), 0);
	EXPECT_EQ(stat_of("f").st_atim.tv_sec, 1000);
	EXPECT(stat_of("f").st_mtim.tv_sec > 2000);
	times[0].tv_sec = times[1].tv_sec = 77;
	times[0].tv_nsec = times[1].tv_nsec = 0;
	EXPECT_EQ(x_utimensat(AT_FDCWD, "l", times, AT_SYMLINK_NOFOLLOW), 0);
	EXPECT_EQ(lstat_of("l").st_mtim.tv_sec, 77);
	EXPECT(stat_of("f").st_mtim.tv_sec > 2000);
	fd = opened("f", O_RDONLY);
	EXPECT_EQ(x_futimens(fd, times), 0);
	EXPECT_EQ(stat_of("f").st_mtim.tv_sec, 77);
	EXPECT_EQ(x_close(fd), 0);
	EXPECT_EQ(x_utimensat(AT_FDCWD, "f", NULL, 0), 0);
	EXPECT(stat_of("f").st_atim.tv_sec > 2000);
}

TEST(perms, utimensat_refusals)
{
	/* utimensat(2). */
	struct timespec times[2] = { { 1, 1000000000 }, { 1, 0 } };
	struct timespec omit[2] = { { 0, UTIME_OMIT }, { 0, UTIME_OMIT } };

	yard();
	make_file("f", 0);
	EXPECT_FAILS(x_utimensat(AT_FDCWD, "f", times, 0), EINVAL);
	EXPECT_FAILS(x_utimensat(AT_FDCWD, "none", times, 0), ENOENT);
	EXPECT_FAILS(x_utimensat(AT_FDCWD, "none", NULL, 0), ENOENT);
	EXPECT_FAILS(x_utimensat(AT_FDCWD, "f", NULL, 1), EINVAL);
	EXPECT_FAILS(x_utimensat(-1, "f", NULL, 0), EBADF);
	EXPECT_FAILS(x_futimens(-1, NULL), EBADF);
	EXPECT_FAILS(x_utimensat(AT_FDCWD, no_path(), NULL, 0), EINVAL); /* libc says so */
	EXPECT_EQ(x_utimensat(AT_FDCWD, "none", omit, 0), 0);
	EXPECT_FAILS(x_utimensat(AT_FDCWD, "f", ubuf(unmapped_page()), 0), EFAULT);
}

static int touches(void *unused)
{
	struct timespec times[2] = { { 1, 0 }, { 1, 0 } };
	struct timespec half[2] = { { 0, UTIME_NOW }, { 0, UTIME_OMIT } };

	(void)unused;
	BECOME(ALICE);
	CHILD_FAILS(x_utimensat(AT_FDCWD, "root", NULL, 0), EACCES);
	CHILD_FAILS(x_utimensat(AT_FDCWD, "root", times, 0), EPERM);
	CHILD_EXPECT(x_utimensat(AT_FDCWD, "writable", NULL, 0) == 0);
	CHILD_FAILS(x_utimensat(AT_FDCWD, "writable", times, 0), EPERM);
	CHILD_FAILS(x_utimensat(AT_FDCWD, "writable", half, 0), EPERM);
	CHILD_EXPECT(x_utimensat(AT_FDCWD, "alice", times, 0) == 0);
	CHILD_FAILS(x_open("root", O_RDONLY | O_NOATIME), EPERM);
	CHILD_EXPECT(x_close(x_open("alice", O_RDONLY | O_NOATIME)) == 0);
	return 0;
}

TEST(perms, times_are_the_owners_and_now_is_who_may_write)
{
	/* utimensat(2): EACCES, EPERM; open(2), O_NOATIME: EPERM. */
	shared_yard();
	make_file("writable", 0);
	SETUP(x_chmod("writable", 0666) == 0);
	EXPECT_EQ(in_child(touches, NULL), 0);
}

/* ---- links and sockets ---- */

static int links_foreign_files(void *unused)
{
	(void)unused;
	BECOME(ALICE);
	CHILD_FAILS(x_link("root", "alice_dir/a"), EPERM);
	CHILD_EXPECT(x_link("writable", "alice_dir/b") == 0);
	CHILD_FAILS(x_link("setuid", "alice_dir/c"), EPERM);
	CHILD_EXPECT(x_link("alice", "alice_dir/d") == 0);
	return 0;
}

TEST(perms, other_users_files_are_linked_only_if_they_may_be_changed)
{
	/* proc(5), protected_hardlinks. */
	char set = '1';
	int fd;

	shared_yard();
	fd = x_open("/proc/sys/fs/protected_hardlinks", O_RDONLY);
	if (fd >= 0) {
		EXPECT_EQ(x_read(fd, &set, 1), 1);
		EXPECT_EQ(x_close(fd), 0);
	}
	if (set != '1')
		SKIP("protected_hardlinks is off");
	make_file("writable", 0);
	make_file("setuid", 0);
	SETUP(x_chmod("writable", 0666) == 0 && x_chmod("setuid", 04777) == 0);
	EXPECT_EQ(in_child(links_foreign_files, NULL), 0);
}

static int uses_sockets(void *unused)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "s" };
	int sock = x_socket(AF_UNIX, SOCK_STREAM, 0);

	(void)unused;
	CHILD_EXPECT(sock >= 0);
	BECOME(ALICE);
	CHILD_FAILS(x_connect(sock, (struct sockaddr *)&address, sizeof(address)), EACCES);
	strcpy(address.sun_path, "open");
	CHILD_EXPECT(x_connect(sock, (struct sockaddr *)&address, sizeof(address)) == 0);
	CHILD_EXPECT(x_close(sock) == 0);
	sock = x_socket(AF_UNIX, SOCK_STREAM, 0);
	strcpy(address.sun_path, "new");
	CHILD_FAILS(x_bind(sock, (struct sockaddr *)&address, sizeof(address)), EACCES);
	strcpy(address.sun_path, "alice_dir/s");
	CHILD_EXPECT(x_bind(sock, (struct sockaddr *)&address, sizeof(address)) == 0);
	CHILD_EXPECT(x_close(sock) == 0);
	return 0;
}

TEST(perms, connect_needs_write_permission_on_the_socket)
{
	/* unix(7), connect(2), bind(2): EACCES. */
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "s" };
	int closed, open;

	shared_yard();
	closed = x_socket(AF_UNIX, SOCK_STREAM, 0);
	SETUP(x_bind(closed, (struct sockaddr *)&address, sizeof(address)) == 0);
	SETUP(x_listen(closed, 1) == 0);
	strcpy(address.sun_path, "open");
	open = x_socket(AF_UNIX, SOCK_STREAM, 0);
	SETUP(x_bind(open, (struct sockaddr *)&address, sizeof(address)) == 0);
	SETUP(x_listen(open, 1) == 0 && x_chmod("open", 0777) == 0);
	EXPECT_EQ(in_child(uses_sockets, NULL), 0);
	EXPECT_EQ(x_close(open), 0);
	EXPECT_EQ(x_close(closed), 0);
}

static int changes_nothing_of_set_id_files(void *unused)
{
	(void)unused;
	BECOME(BOB);
	CHILD_EXPECT(x_chown("alice", (uid_t)-1, (gid_t)-1) == 0);
	CHILD_FAILS(x_chown("setuid", (uid_t)-1, (gid_t)-1), EPERM);
	CHILD_FAILS(x_chown("setgid", (uid_t)-1, (gid_t)-1), EPERM);
	return 0;
}

TEST(perms, chown_of_nothing_takes_set_id_bits_and_so_is_the_owners)
{
	/* chown(2): the bits go whenever an unprivileged user changes the owner, even to what it was. */
	shared_yard();
	make_file("setuid", 1);
	make_file("setgid", 1);
	SETUP(x_chmod("setuid", 04644) == 0 && x_chmod("setgid", 02755) == 0);
	EXPECT_EQ(in_child(changes_nothing_of_set_id_files, NULL), 0);
	EXPECT_EQ(mode_of("setuid"), 04644);
	EXPECT_EQ(x_chown("setuid", (uid_t)-1, (gid_t)-1), 0);
	EXPECT_EQ(mode_of("setuid"), 0644);
}

static int makes_set_gid_files(void *unused)
{
	(void)unused;
	BECOME(BOB);
	x_umask(0777);
	CHILD_EXPECT(x_close(x_open("d/f", O_CREAT | O_RDWR, 07777)) == 0);
	CHILD_EXPECT(mode_of("d/f") == 05000);
	CHILD_EXPECT(x_close(x_open("d/g", O_CREAT | O_RDWR, 07767)) == 0);
	CHILD_EXPECT(mode_of("d/g") == 07000);
	return 0;
}

TEST(perms, SGID_of_anothers_group_goes_by_the_mode_before_the_umask)
{
	/* inode(7), S_ISGID; fs/inode.c, mode_strip_sgid. */
	shared_yard();
	make_dir("d");
	SETUP(x_chmod("d", 02777) == 0);
	EXPECT_EQ(in_child(makes_set_gid_files, NULL), 0);
}

TEST(perms, anothers_link_in_a_sticky_directory_is_not_opened_for_creating)
{
	/* fs/namei.c, may_create_in_sticky: links, sockets and devices, whatever the settings; root is not exempt. */
	shared_yard();
	make_dir("d");
	make_link("f", "d/l");
	SETUP(x_chmod("d", 01777) == 0 && x_lchown("d/l", ALICE, ALICE) == 0);
	EXPECT_FAILS(x_open("d/l", O_RDWR | O_CREAT | O_NOFOLLOW, 0644), EACCES);
	EXPECT_FAILS(x_open("d/l", O_RDWR | O_NOFOLLOW), ELOOP);
	SETUP(x_lchown("d/l", 0, 0) == 0);
	EXPECT_FAILS(x_open("d/l", O_RDWR | O_CREAT | O_NOFOLLOW, 0644), ELOOP);
}

static int looks_at_its_own_descriptors(void *unused)
{
	char text[100];

	(void)unused;
	CHILD_EXPECT(x_setfsuid(BOB) == 0);
	CHILD_EXPECT(x_readlink("/proc/self/fd/100", text, sizeof(text)) > 0);
	CHILD_EXPECT(x_close(x_open("/proc/self/fd", O_RDONLY | O_DIRECTORY)) == 0);
	return 0;
}

TEST(perms, descriptors_in_proc_are_their_processs_with_any_ids)
{
	/* proc(5); fs/proc/fd.c, proc_fd_permission. */
	int fd;

	shared_yard();
	fd = x_open("root", O_RDONLY);
	SETUP(x_fcntl(fd, F_DUPFD, 100) == 100);
	EXPECT_EQ(in_child(looks_at_its_own_descriptors, NULL), 0);
	EXPECT_EQ(x_close(fd), 0);
	EXPECT_EQ(x_close(100), 0);
}
