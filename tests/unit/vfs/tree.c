// SPDX-License-Identifier: MIT
/*
 * The tree of names from within: positions, references, what is made up, and each change with its allocations failing
 * one by one. What the calls promise is in tests/abi.
 */
#include "bed.h"

#include <stdio.h>

static struct path_at at(const char *path)
{
	return (struct path_at){ NULL, PATH_CWD, path };
}

static int mkdir_at(struct bed *bed, const char *path)
{
	const struct path_at where = at(path);

	return vfs_mkdir(&bed->ctx, &where, 0755);
}

static int mknod_at(struct bed *bed, const char *path)
{
	const struct path_at where = at(path);

	return vfs_mknod(&bed->ctx, &where, S_IFREG | 0644, 0);
}

static int unlink_at(struct bed *bed, const char *path)
{
	const struct path_at where = at(path);

	return vfs_unlink(&bed->ctx, &where);
}

static int rename_at(struct bed *bed, const char *from, const char *to, unsigned flags)
{
	const struct path_at old = at(from), new = at(to);

	return vfs_rename(&bed->ctx, &old, &new, flags);
}

static struct dentry *find(struct bed *bed, const char *path)
{
	const struct path_at where = at(path);
	struct dentry *dentry = NULL;

	SETUP(path_lookup(&bed->ctx, &where, AT_NOFOLLOW, &dentry) == 0);
	return dentry;
}

static void expect_path(struct dentry *dentry, const char *expected)
{
	char text[256];

	EXPECT_EQ(dentry_path(dentry, text, sizeof(text)), strlen(expected));
	EXPECT_STREQ(text, expected);
}

static void expect_sound_tree(struct bed *bed)
{
	struct check_report report = { 0 };

	tree_check(&bed->ctx, &report);
	EXPECT_EQ(report.broken, 0);
}

TEST(tree, is_made_with_the_directories_of_a_machine)
{
	static const struct {
		const char *path;
		uint32_t mode;
	} dirs[] = {
		{ "/", 0755 },    { "/proc", 0555 }, { "/tmp", 01777 },
		{ "/run", 0755 }, { "/dev", 0755 },  { "/dev/shm", 01777 },
	};
	struct bed bed;

	bed_open(&bed, COMMIT_ON_TOUCH);
	bed_tree(&bed, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		struct dentry *dentry = find(&bed, dirs[i].path);

		EXPECT_EQ(dentry->inode->mode, S_IFDIR | dirs[i].mode);
		expect_path(dentry, dirs[i].path);
		dentry_put(&bed.ctx, dentry);
	}
	bed_close(&bed);
}

TEST(tree, that_cannot_be_made_leaves_nothing)
{
	struct bed bed;
	unsigned n = 0;
	int err;

	bed_open(&bed, COMMIT_ON_TOUCH);
	do {
		struct census before = census_now(&bed), now;

		bed_fail_at(&bed, ++n);
		err = tree_create(&bed.env);
		bed_fail_at(&bed, NEVER);
		if (err == 0)
			break;
		EXPECT_EQ(err, -ENOMEM);
		EXPECT(bed.env.tree == NULL);
		now = census_now(&bed);
		expect_same_census(&before, &now);
	} while (n < 100);
	EXPECT(n > 20 && n < 100);
	bed_close(&bed);
}

TEST(tree, path_of_a_dentry_follows_it)
{
	struct dentry *dentry;
	struct bed bed;

	bed_open(&bed, COMMIT_ON_TOUCH);
	bed_tree(&bed, NULL);
	EXPECT_EQ(mkdir_at(&bed, "/tmp/a"), 0);
	EXPECT_EQ(mknod_at(&bed, "/tmp/a/f"), 0);
	dentry = find(&bed, "/tmp/a/f");
	expect_path(dentry, "/tmp/a/f");
	EXPECT_EQ(rename_at(&bed, "/tmp/a", "/tmp/a_longer_name", 0), 0);
	expect_path(dentry, "/tmp/a_longer_name/f");
	EXPECT_EQ(rename_at(&bed, "/tmp/a_longer_name/f", "/tmp/g", 0), 0);
	expect_path(dentry, "/tmp/g");
	EXPECT_EQ(unlink_at(&bed, "/tmp/g"), 0);
	expect_path(dentry, "/tmp/g (deleted)");
	dentry_put(&bed.ctx, dentry);
	bed_close(&bed);
}

/* Append a component of n letters, and make the directory. */
static void sink(struct bed *bed, char *path, char letter, size_t n)
{
	size_t len = strlen(path);

	path[len] = '/';
	memset(path + len + 1, letter, n);
	path[len + 1 + n] = '\0';
	SETUP(mkdir_at(bed, path) == 0);
}

TEST(tree, path_longer_than_a_path_may_be_is_not_told)
{
	/* A deep directory that is moved down below another one. */
	char deep[PATH_TEXT_MAX] = "/tmp", below[PATH_TEXT_MAX] = "/tmp", text[16];
	struct dentry *dentry;
	struct bed bed;

	bed_open(&bed, COMMIT_ON_TOUCH);
	bed_tree(&bed, NULL);
	for (int i = 0; i < 19; i++)
		sink(&bed, deep, 'd', 200);
	for (int i = 0; i < 3; i++)
		sink(&bed, below, 'b', 200);
	dentry = find(&bed, deep);
	EXPECT_EQ(dentry_path(dentry, text, sizeof(text)), strlen(deep));
	deep[4 + 201] = '\0';
	strcat(below, "/x");
	EXPECT_EQ(rename_at(&bed, deep, below, 0), 0);
	EXPECT_EQ(dentry_path(dentry, text, sizeof(text)), -ENAMETOOLONG);
	dentry_put(&bed.ctx, dentry);
	bed_close(&bed);
}

TEST(tree, emptied_under_open_files_lets_them_live)
{
	struct dentry *dentry;
	struct file *file = NULL;
	struct bed bed;
	char byte = 'x';

	bed_open(&bed, COMMIT_ON_TOUCH);
	bed_tree(&bed, NULL);
	EXPECT_EQ(mkdir_at(&bed, "/tmp/a"), 0);
	EXPECT_EQ(bed_open_path(&bed.ctx, NULL, "/tmp/a/f", FILE_CREAT | FILE_RDWR, &file), 0);
	dentry = find(&bed, "/tmp/a");
	tree_empty(&bed.ctx);
	EXPECT_EQ(do_pwrite(&bed, file, &byte, 1, 0), 1);
	EXPECT_EQ(size_of(&bed, file), 1);
	expect_path(dentry, "/tmp/a (deleted)");
	file_put(&bed.ctx, file);
	dentry_put(&bed.ctx, dentry);
	tree_destroy(&bed.env);
	bed_close(&bed);
}

/* ---- listing ---- */

static ssize_t dents(struct bed *bed, struct file *dir, uint8_t *buf, size_t size)
{
	return vfs_getdents(&bed->ctx, dir, uptr_from(buf), size);
}

TEST(tree, made_up_directory_is_listed_from_where_it_was)
{
	struct file *dir = NULL;
	struct fdtable *table;
	uint8_t buf[64];
	struct bed bed;

	bed_open(&bed, COMMIT_ON_TOUCH);
	table = bed_table(&bed, 10);
	bed_tree(&bed, table);
	for (int i = 0; i < 3; i++) {
		SETUP(fd_reserve(&bed.ctx, table, 0, false) == i);
		fd_install(&bed.ctx, table, i, bed_memfd(&bed, 0, 0));
	}
	EXPECT_EQ(bed_open_path(&bed.ctx, table, "/proc/self/fd", FILE_RDONLY, &dir), 0);
	EXPECT_EQ(dents(&bed, dir, buf, 48), 48); /* . and .. */
	EXPECT_EQ(dents(&bed, dir, buf, 24), 24);
	EXPECT_STREQ((char *)buf + 19, "0");
	EXPECT_EQ(fd_close(&bed.ctx, table, 1), 0);
	EXPECT_EQ(dents(&bed, dir, buf, 64), 24);
	EXPECT_STREQ((char *)buf + 19, "2");
	EXPECT_EQ(dents(&bed, dir, buf, 64), 0);
	file_put(&bed.ctx, dir);
	fdtable_put(&bed.ctx, table);
	bed_close(&bed);
}

/* ---- files that are made up ---- */

struct maker {
	unsigned shown; /* how often */
	int error;      /* of show */
	size_t lines;
	char written[32];
};

static struct maker *maker_of(const struct inode *inode)
{
	return (struct maker *)(uintptr_t)inode->gen_key[0];
}

static int show(struct ctx *ctx, struct inode *inode, struct text *text)
{
	struct maker *maker = maker_of(inode);

	EXPECT_EQ(ctx->held, 0);
	maker->shown++;
	for (size_t i = 0; i < maker->lines; i++)
		text_add(ctx, text, "%u: line %zu\n", maker->shown, i);
	text_add_bytes(ctx, text, "end", 3);
	return maker->error;
}

static ssize_t take(struct ctx *ctx, struct inode *inode, const char *bytes, size_t n)
{
	(void)ctx;
	snprintf(maker_of(inode)->written, sizeof(maker_of(inode)->written), "%.*s", (int)n, bytes);
	return (ssize_t)n;
}

static const struct gen_ops made_up_ops = { .show = show, .write = take };

static int made_up_lookup(struct ctx *ctx, struct inode *dir, const char *name, struct inode **out)
{
	if (strcmp(name, "made_up") != 0)
		return -ENOENT;
	return gen_inode_create(ctx, &made_up_ops, S_IFREG | 0644, gen_ino(1, 2, 3), dir->gen_key, out);
}

static const struct gen_ops root_ops = { .lookup = made_up_lookup };

static void maker_open(struct bed *bed, struct maker *maker)
{
	struct dentry *proc;

	memset(maker, 0, sizeof(*maker));
	SETUP(tree_create(&bed->env) == 0);
	tree_set_proc(&bed->ctx, &root_ops);
	proc = find(bed, "/proc");
	proc->inode->gen_key[0] = (uintptr_t)maker;
	dentry_put(&bed->ctx, proc);
}

TEST(generated, text_is_made_at_the_beginning_and_kept)
{
	struct file *file = NULL;
	struct maker maker;
	struct bed bed;
	char buf[16] = "";

	bed_open(&bed, COMMIT_ON_TOUCH);
	maker_open(&bed, &maker);
	maker.lines = 1000;
	EXPECT_EQ(bed_open_path(&bed.ctx, NULL, "/proc/made_up", FILE_RDWR, &file), 0);
	EXPECT_EQ(maker.shown, 0);
	EXPECT_EQ(do_read(&bed, file, buf, 9), 9);
	EXPECT_STREQ(buf, "1: line 0");
	EXPECT_EQ(do_read(&bed, file, buf, 10), 10);
	EXPECT_MEMEQ(buf, "\n1: line 1", 10);
	EXPECT_EQ(maker.shown, 1);
	EXPECT_EQ(do_pread(&bed, file, buf, 9, 0), 9);
	EXPECT_MEMEQ(buf, "2: line 0", 9);
	EXPECT_EQ(do_pread(&bed, file, buf, 16, 1 << 20), 0);
	EXPECT_EQ(vfs_lseek(&bed.ctx, file, 0, SEEK_END), -EINVAL);
	EXPECT_EQ(do_write(&bed, file, "hello", 5), 5);
	EXPECT_STREQ(maker.written, "hello");
	EXPECT_EQ(do_pread_bad(&bed, file, 4, 0), -EFAULT);
	maker.error = -ESRCH;
	EXPECT_EQ(do_pread(&bed, file, buf, 9, 0), -ESRCH);
	file_put(&bed.ctx, file);
	bed_close(&bed);
}

TEST(generated, text_that_memory_does_not_suffice_for_is_ENOMEM_and_can_be_asked_again)
{
	struct file *file = NULL;
	struct maker maker;
	struct bed bed;
	unsigned n = 0;
	char buf[8];
	ssize_t got;

	bed_open(&bed, COMMIT_ON_TOUCH);
	maker_open(&bed, &maker);
	maker.lines = 500;
	EXPECT_EQ(bed_open_path(&bed.ctx, NULL, "/proc/made_up", FILE_RDONLY, &file), 0);
	do {
		bed_fail_at(&bed, ++n);
		got = do_pread(&bed, file, buf, sizeof(buf), 5);
		bed_fail_at(&bed, NEVER);
		EXPECT(got == -ENOMEM || got == sizeof(buf));
	} while (got < 0 && n < 50);
	EXPECT_EQ(got, sizeof(buf));
	EXPECT(n > 3);
	file_put(&bed.ctx, file);
	bed_close(&bed);
}

/* ---- failure ---- */

/* One change and its undoing; 0 or an errno of the change. */
static int change_mkdir(struct bed *bed)
{
	const struct path_at dir = at("/tmp/new");
	int err = mkdir_at(bed, "/tmp/new");

	return err < 0 ? err : vfs_rmdir(&bed->ctx, &dir);
}

static int change_mknod(struct bed *bed)
{
	int err = mknod_at(bed, "/tmp/new");

	return err < 0 ? err : unlink_at(bed, "/tmp/new");
}

static int change_symlink(struct bed *bed)
{
	const struct path_at link = at("/tmp/new");
	int err = vfs_symlink(&bed->ctx, "target", &link);

	return err < 0 ? err : unlink_at(bed, "/tmp/new");
}

static int change_link(struct bed *bed)
{
	const struct path_at old = at("/tmp/f"), new = at("/tmp/new");
	int err = vfs_link(&bed->ctx, &old, &new, 0);

	return err < 0 ? err : unlink_at(bed, "/tmp/new");
}

static int change_rename(struct bed *bed)
{
	int err = rename_at(bed, "/tmp/f", "/tmp/g", 0);

	if (err < 0)
		return err;
	bed_fail_at(bed, NEVER);
	return rename_at(bed, "/tmp/g", "/tmp/f", 0);
}

static int change_whiteout(struct bed *bed)
{
	int err = rename_at(bed, "/tmp/f", "/tmp/g", RENAME_LEAVE_WHITEOUT);

	if (err < 0)
		return err;
	bed_fail_at(bed, NEVER);
	return rename_at(bed, "/tmp/g", "/tmp/f", 0);
}

static int change_swap(struct bed *bed)
{
	int err = rename_at(bed, "/tmp/f", "/tmp/d", RENAME_SWAP);

	if (err < 0)
		return err;
	bed_fail_at(bed, NEVER);
	return rename_at(bed, "/tmp/f", "/tmp/d", RENAME_SWAP);
}

TEST(tree, change_that_fails_leaves_it_as_it_was)
{
	static const struct {
		const char *name;
		int (*run)(struct bed *bed);
	} changes[] = {
		{ "mkdir", change_mkdir },   { "mknod", change_mknod },   { "symlink", change_symlink },
		{ "link", change_link },     { "rename", change_rename }, { "whiteout", change_whiteout },
		{ "exchange", change_swap },
	};
	struct bed bed;

	bed_open(&bed, COMMIT_ON_TOUCH);
	bed_tree(&bed, NULL);
	EXPECT_EQ(mknod_at(&bed, "/tmp/f"), 0);
	EXPECT_EQ(mkdir_at(&bed, "/tmp/d"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		unsigned n = 0;
		int err;

		do {
			struct census before = census_now(&bed), now;

			bed_fail_at(&bed, ++n);
			err = changes[i].run(&bed);
			bed_fail_at(&bed, NEVER);
			now = census_now(&bed);
			EXPECT_MSG(err == 0 || err == -ENOMEM, "%s with allocation %u failing: %d", changes[i].name, n,
			           err);
			if (err < 0)
				expect_same_census(&before, &now);
			expect_sound_tree(&bed);
		} while (err < 0 && n < 50);
		EXPECT_MSG(n > 1 && n < 50, "%s took %u allocations", changes[i].name, n);
	}
	bed_close(&bed);
}
