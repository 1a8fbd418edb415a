// SPDX-License-Identifier: MIT
/*
 * Calls on paths that another call overtakes. A call looks its path up, gets what it needs, and only then takes the
 * lock under which it changes the tree: what another has made, removed or moved by then decides. The other call is made
 * in the middle of the first one, at each of its allocations in turn.
 */
#include "bed.h"

#include "base/creds.h"
#include "vfs/names.h"

#include <stdio.h>
#include <time.h>

static struct path_at at(const char *path)
{
	return (struct path_at){ NULL, PATH_CWD, path };
}

static int mknod_at(struct bed *bed, const char *path, uint32_t mode)
{
	const struct path_at where = at(path);

	return vfs_mknod(&bed->ctx, &where, mode, 0);
}

static int mkdir_at(struct bed *bed, const char *path)
{
	const struct path_at where = at(path);

	return vfs_mkdir(&bed->ctx, &where, 0755);
}

static int unlink_at(struct bed *bed, const char *path)
{
	const struct path_at where = at(path);

	return vfs_unlink(&bed->ctx, &where);
}

static int rmdir_at(struct bed *bed, const char *path)
{
	const struct path_at where = at(path);

	return vfs_rmdir(&bed->ctx, &where);
}

/* ---- what overtakes, and what is overtaken ---- */

static int make_new(struct bed *bed)
{
	return mknod_at(bed, "/tmp/d/new", S_IFREG | 0600);
}

static int remove_dir(struct bed *bed)
{
	return rmdir_at(bed, "/tmp/d");
}

static int remove_old(struct bed *bed)
{
	return unlink_at(bed, "/tmp/old");
}

static int make_dir(struct bed *bed)
{
	return mkdir_at(bed, "/tmp/d/new");
}

static int make_link(struct bed *bed)
{
	const struct path_at where = at("/tmp/d/new");

	return vfs_symlink(&bed->ctx, "target", &where);
}

static int bind_new(struct bed *bed)
{
	struct dentry *dentry;
	int err = vfs_bind(&bed->ctx, "/tmp/d/new", 0777, &dentry);

	if (err == 0)
		dentry_put(&bed->ctx, dentry);
	return err;
}

static int open_with(struct bed *bed, uint32_t flags)
{
	struct file *file;
	int err = bed_open_path(&bed->ctx, NULL, "/tmp/d/new", flags, &file);

	if (err == 0)
		file_put(&bed->ctx, file);
	return err;
}

static int open_new(struct bed *bed)
{
	return open_with(bed, FILE_CREAT | FILE_WRONLY);
}

static int open_exclusively(struct bed *bed)
{
	return open_with(bed, FILE_CREAT | FILE_EXCL | FILE_WRONLY);
}

static int link_old(struct bed *bed)
{
	const struct path_at old = at("/tmp/old"), new = at("/tmp/d/new");

	return vfs_link(&bed->ctx, &old, &new, 0);
}

static int rename_with(struct bed *bed, unsigned flags)
{
	const struct path_at old = at("/tmp/old"), new = at("/tmp/d/new");

	return vfs_rename(&bed->ctx, &old, &new, flags);
}

static int rename_old(struct bed *bed)
{
	return rename_with(bed, 0);
}

static int rename_to_nothing(struct bed *bed)
{
	return rename_with(bed, RENAME_KEEP);
}

/* ---- in the middle ---- */

static struct {
	int (*meanwhile)(struct bed *bed);
	unsigned asked, at;
	bool done;
} other;

static bool do_meanwhile(void *arg, struct ctx *ctx, enum fail_kind kind)
{
	struct bed *bed = arg;

	(void)kind;
	if (ctx->held != 0 || ++other.asked != other.at)
		return false;
	bed->env.hooks.fail = NULL;
	other.done = other.meanwhile(bed) == 0;
	return false;
}

/* The n-th allocation of a call is overtaken. What the call gave; other.done: if the other one was made, and worked. */
static int overtake(struct bed *bed, int (*call)(struct bed *bed), int (*meanwhile)(struct bed *bed), unsigned n)
{
	bool (*fail)(void *arg, struct ctx *ctx, enum fail_kind kind) = bed->env.hooks.fail;
	void *fail_arg = bed->env.hooks.fail_arg;
	int err;

	other.meanwhile = meanwhile;
	other.asked = 0;
	other.at = n;
	other.done = false;
	bed->env.hooks.fail_arg = bed;
	bed->env.hooks.fail = do_meanwhile;
	err = call(bed);
	bed->env.hooks.fail = fail;
	bed->env.hooks.fail_arg = fail_arg;
	return err;
}

static void make_scene(struct bed *bed)
{
	SETUP(mkdir_at(bed, "/tmp/d") == 0);
	SETUP(mknod_at(bed, "/tmp/old", S_IFREG | 0644) == 0);
}

static void clear_scene(struct bed *bed)
{
	if (unlink_at(bed, "/tmp/d/new") < 0)
		rmdir_at(bed, "/tmp/d/new");
	unlink_at(bed, "/tmp/old");
	rmdir_at(bed, "/tmp/d");
}

/* Wherever it is overtaken the answer is one of two: as if the other had come before, or after. */
static void expect_overtaken(int (*call)(struct bed *bed), int (*meanwhile)(struct bed *bed), int before, int after)
{
	unsigned n = 0, nbefore = 0;
	struct bed bed;
	int err;

	bed_open(&bed, COMMIT_ON_TOUCH);
	bed_tree(&bed, NULL);
	do {
		struct check_report report = { 0 };

		make_scene(&bed);
		err = overtake(&bed, call, meanwhile, ++n);
		EXPECT_MSG(err == (other.done ? before : after), "overtaken at allocation %u: %d", n, err);
		nbefore += other.done;
		tree_check(&bed.ctx, &report);
		EXPECT_EQ(report.broken, 0);
		clear_scene(&bed);
	} while (other.asked >= n && n < 50);
	EXPECT_MSG(nbefore > 0 && n < 50, "overtaken %u times in %u", nbefore, n);
	bed_close(&bed);
}

TEST(overtaken, name_that_is_there_by_now_is_EEXIST)
{
	expect_overtaken(make_new, make_dir, -EEXIST, 0);
	expect_overtaken(make_dir, make_new, -EEXIST, 0);
	expect_overtaken(make_link, make_new, -EEXIST, 0);
	expect_overtaken(bind_new, make_new, -EEXIST, 0);
	expect_overtaken(link_old, make_new, -EEXIST, 0);
	expect_overtaken(open_exclusively, make_new, -EEXIST, 0);
	expect_overtaken(rename_to_nothing, make_new, -EEXIST, 0);
}

TEST(overtaken, open_takes_what_another_has_made_meanwhile)
{
	expect_overtaken(open_new, make_new, 0, 0);
}

TEST(overtaken, directory_that_has_been_removed_by_now_is_ENOENT)
{
	expect_overtaken(make_new, remove_dir, -ENOENT, 0);
	expect_overtaken(make_dir, remove_dir, -ENOENT, 0);
	expect_overtaken(make_link, remove_dir, -ENOENT, 0);
	expect_overtaken(link_old, remove_dir, -ENOENT, 0);
	expect_overtaken(rename_old, remove_dir, -ENOENT, 0);
	expect_overtaken(open_exclusively, remove_dir, -ENOENT, 0);
}

TEST(overtaken, file_that_has_been_removed_by_now_is_ENOENT)
{
	expect_overtaken(link_old, remove_old, -ENOENT, 0);
	expect_overtaken(rename_old, remove_old, -ENOENT, 0);
}

/* ---- and what stands at the edge ---- */

TEST(overtaken, no_call_takes_an_empty_path)
{
	const struct path_at none = at(""), old = at("/tmp/old"), new = at("/tmp/new");
	struct dentry *dentry;
	struct file *file;
	struct bed bed;

	bed_open(&bed, COMMIT_ON_TOUCH);
	bed_tree(&bed, NULL);
	make_scene(&bed);
	EXPECT_EQ(path_lookup(&bed.ctx, &none, 0, &dentry), -ENOENT);
	EXPECT_EQ(vfs_open(&bed.ctx, &none, FILE_RDONLY, 0, &file), -ENOENT);
	EXPECT_EQ(vfs_mknod(&bed.ctx, &none, S_IFREG, 0), -ENOENT);
	EXPECT_EQ(vfs_mkdir(&bed.ctx, &none, 0700), -ENOENT);
	EXPECT_EQ(vfs_symlink(&bed.ctx, "target", &none), -ENOENT);
	EXPECT_EQ(vfs_symlink(&bed.ctx, "", &new), -ENOENT);
	EXPECT_EQ(vfs_link(&bed.ctx, &none, &new, 0), -ENOENT);
	EXPECT_EQ(vfs_link(&bed.ctx, &old, &none, 0), -ENOENT);
	EXPECT_EQ(vfs_rename(&bed.ctx, &none, &new, 0), -ENOENT);
	EXPECT_EQ(vfs_rename(&bed.ctx, &old, &none, 0), -ENOENT);
	EXPECT_EQ(vfs_rename(&bed.ctx, &old, &new, 8), -EINVAL);
	EXPECT_EQ(vfs_unlink(&bed.ctx, &none), -ENOENT);
	EXPECT_EQ(vfs_rmdir(&bed.ctx, &none), -ENOENT);
	EXPECT_EQ(vfs_truncate_at(&bed.ctx, &old, -1), -EINVAL);
	EXPECT_EQ(vfs_truncate_at(&bed.ctx, &old, 1), 0);
	clear_scene(&bed);
	bed_close(&bed);
}

TEST(overtaken, devices_and_directories_by_mknod)
{
	struct creds nobody = {
		.uid = 7, .euid = 7, .suid = 7, .fsuid = 7, .gid = 7, .egid = 7, .sgid = 7, .fsgid = 7
	};
	const struct path_at none = at(""), new = at("/tmp/new"), old = at("/tmp/old");
	struct kstat stat;
	struct bed bed;

	bed_open(&bed, COMMIT_ON_TOUCH);
	bed_tree(&bed, NULL);
	make_scene(&bed);
	EXPECT_EQ(vfs_mknod(&bed.ctx, &new, S_IFDIR | 0700, 0), -EPERM);
	EXPECT_EQ(vfs_mknod(&bed.ctx, &new, S_IFLNK | 0700, 0), -EINVAL);
	EXPECT_EQ(vfs_mknod(&bed.ctx, &new, S_IFCHR | 0600, 0x103), 0);
	EXPECT_EQ(vfs_stat_at(&bed.ctx, &new, 0, &stat), 0);
	EXPECT_EQ(stat.rdev, 0x103);
	EXPECT_EQ(vfs_unlink(&bed.ctx, &new), 0);
	bed.ctx.creds = &nobody;
	EXPECT_EQ(vfs_mknod(&bed.ctx, &new, S_IFBLK | 0600, 0x103), -EPERM);
	EXPECT_EQ(vfs_mknod(&bed.ctx, &new, S_IFBLK | 0600, 0), -EPERM);
	EXPECT_EQ(vfs_mknod(&bed.ctx, &old, S_IFCHR | 0600, 0x103), -EEXIST);
	EXPECT_EQ(vfs_mknod(&bed.ctx, &none, S_IFCHR | 0600, 0x103), -ENOENT);
	EXPECT_EQ(vfs_mknod(&bed.ctx, &new, S_IFCHR | 0600, 0), 0); /* a whiteout */
	bed.ctx.creds = NULL;
	EXPECT_EQ(vfs_unlink(&bed.ctx, &new), 0);
	clear_scene(&bed);
	bed_close(&bed);
}

TEST(overtaken, directory_where_another_file_system_begins_is_EBUSY)
{
	const struct path_at dir = at("/dev/d"), shm = at("/dev/shm");
	struct bed bed;

	bed_open(&bed, COMMIT_ON_TOUCH);
	bed_tree(&bed, NULL);
	SETUP(vfs_mkdir(&bed.ctx, &dir, 0700) == 0);
	EXPECT_EQ(vfs_rename(&bed.ctx, &dir, &shm, 0), -EBUSY);
	EXPECT_EQ(vfs_rename(&bed.ctx, &dir, &shm, RENAME_SWAP), -EBUSY);
	EXPECT_EQ(vfs_rename(&bed.ctx, &shm, &dir, 0), -EBUSY);
	EXPECT_EQ(vfs_rmdir(&bed.ctx, &shm), -EBUSY);
	EXPECT_EQ(vfs_rmdir(&bed.ctx, &dir), 0);
	bed_close(&bed);
}

/* mount(8), relatime: an access counts once a day, or when something has changed since; never back from the future. */
TEST(overtaken, access_of_yesterday_is_forgotten_and_one_of_tomorrow_stays)
{
	const uint64_t hour = UINT64_C(3600) * 1000000000;
	struct timespec time;
	struct inode inode = { 0 };
	uint64_t now;

	clock_gettime(CLOCK_REALTIME, &time);
	now = (uint64_t)time.tv_sec * 1000000000;
	inode.mtime_ns = inode.ctime_ns = now - 30 * hour;
	inode.atime_ns = now - 25 * hour;
	EXPECT(node_access_counts(&inode));
	inode.atime_ns = now - 23 * hour;
	EXPECT(!node_access_counts(&inode));
	inode.atime_ns = now + 2 * hour;
	EXPECT(!node_access_counts(&inode));
	inode.mtime_ns = now + 3 * hour;
	EXPECT(node_access_counts(&inode));
	inode.mtime_ns = 0;
	inode.ctime_ns = now + 3 * hour;
	EXPECT(node_access_counts(&inode));
}

/* A table of names that cannot grow holds all the same. */
TEST(overtaken, directory_without_memory_to_grow_keeps_its_names)
{
	enum { FILES = 100 };
	struct bed bed;
	char path[32];
	unsigned most = 0, grown = 0;

	bed_open(&bed, COMMIT_ON_TOUCH);
	bed_tree(&bed, NULL);
	for (unsigned i = 0; i < FILES; i++) {
		snprintf(path, sizeof(path), "/tmp/%u", i);
		bed_fail_at(&bed, i > 0 ? most + 1 : 1000); /* more than a usual one asks for: the table's */
		EXPECT_EQ(mknod_at(&bed, path, S_IFREG), 0);
		if (i == 0)
			most = bed.asked;
		grown += bed.asked > most;
	}
	bed_fail_at(&bed, NEVER);
	EXPECT(grown > 0);
	for (unsigned i = 0; i < FILES; i++) {
		struct check_report report = { 0 };

		snprintf(path, sizeof(path), "/tmp/%u", i);
		EXPECT_EQ(unlink_at(&bed, path), 0);
		tree_check(&bed.ctx, &report);
		EXPECT_EQ(report.broken, 0);
	}
	bed_close(&bed);
}

TEST(overtaken, tree_that_was_never_made_is_destroyed_by_doing_nothing)
{
	struct bed bed;

	bed_open(&bed, COMMIT_ON_TOUCH);
	SETUP(bed.env.tree == NULL);
	tree_destroy(&bed.env);
	bed_close(&bed);
}
