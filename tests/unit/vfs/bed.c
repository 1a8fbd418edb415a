// SPDX-License-Identifier: MIT
/*
 * See bed.h. What loses its last reference is destroyed when the test drains or the bed is closed.
 */
#include "bed.h"

#include "host/kmem.h"

#include <stdio.h>

enum { RAM_BYTES = 512 * KSIM_PAGE_SIZE };

static bool fail(void *arg, struct ctx *ctx, enum fail_kind kind)
{
	struct bed *bed = arg;

	(void)ctx;
	(void)kind;
	return ++bed->asked == bed->fail_at;
}

void bed_open(struct bed *bed, enum commit_policy commit)
{
	struct phys *phys;

	memset(bed, 0, sizeof(*bed));
	owners_init(&bed->env.owners);
	owner_init(&bed->env.owners, &bed->env.self, 0, "machine");
	owner_init(&bed->env.owners, &bed->child, 2, "child");
	profile_init(&bed->env.profile, 0);
	sysctl_init(&bed->env.sysctl);
	bed->env.poison = true;
	bed->env.commit = commit;
	ctx_init(&bed->ctx, &bed->env, "test");
	SETUP(phys_create(&bed->env, RAM_BYTES, &phys) == 0);
}

static void print_broken(void *arg, const char *text)
{
	(void)arg;
	EXPECT_MSG(false, "%s", text);
}

void bed_close(struct bed *bed)
{
	struct check_report report = { .line = print_broken };

	bed_fail_at(bed, NEVER);
	if (bed->env.tree != NULL) {
		tree_check(&bed->ctx, &report);
		tree_empty(&bed->ctx);
		tree_destroy(&bed->env);
	}
	ctx_drain(&bed->ctx);
	for (int kind = 0; kind < CENSUS_KIND_COUNT; kind++)
		EXPECT_MSG(owners_total(&bed->env.owners, kind) == 0, "%ld of kind %s are left",
		           owners_total(&bed->env.owners, kind), census_kind_name(kind));
	phys_check(bed->env.phys, &report);
	EXPECT_EQ(phys_free_frames(&bed->ctx), phys_total_frames(bed->env.phys));
	phys_destroy(bed->env.phys);
	EXPECT_EQ(kmem_count(&bed->env), 0);
	EXPECT_EQ(kmem_bytes(&bed->env), 0);
	EXPECT_EQ(bed->ctx.held, 0);
	owner_fini(&bed->env.owners, &bed->child, &bed->env.self);
	owner_fini(&bed->env.owners, &bed->env.self, NULL);
	owners_fini(&bed->env.owners);
}

void bed_fail_at(struct bed *bed, unsigned n)
{
	bed->asked = 0;
	bed->fail_at = n;
	bed->env.hooks.fail = n != NEVER ? fail : NULL;
	bed->env.hooks.fail_arg = bed;
}

struct census census_now(struct bed *bed)
{
	struct census census;

	ctx_drain(&bed->ctx);
	for (int kind = 0; kind < CENSUS_KIND_COUNT; kind++)
		census.counts[kind] = owners_total(&bed->env.owners, kind);
	census.free_frames = phys_free_frames(&bed->ctx);
	census.kmem_bytes = kmem_bytes(&bed->env);
	census.kmem_count = kmem_count(&bed->env);
	return census;
}

void expect_same_census(const struct census *before, const struct census *now)
{
	for (int kind = 0; kind < CENSUS_KIND_COUNT; kind++)
		EXPECT_MSG(now->counts[kind] == before->counts[kind], "%s: %ld before, %ld now", census_kind_name(kind),
		           before->counts[kind], now->counts[kind]);
	EXPECT_EQ(now->free_frames, before->free_frames);
	EXPECT_EQ(now->kmem_bytes, before->kmem_bytes);
	EXPECT_EQ(now->kmem_count, before->kmem_count);
}

void expect_sound_file(struct bed *bed, struct file *file)
{
	struct check_report report = { .line = print_broken };

	file_check(&bed->ctx, file, &report);
	EXPECT_EQ(report.broken, 0);
}

void expect_sound_table(struct bed *bed, struct fdtable *table)
{
	struct check_report report = { .line = print_broken };

	fdtable_check(&bed->ctx, table, &report);
	EXPECT_EQ(report.broken, 0);
}

struct fdtable *bed_table(struct bed *bed, uint32_t limit)
{
	struct fdtable *table = NULL;

	SETUP(fdtable_create(&bed->ctx, &bed->env.self, limit, &table) == 0);
	return table;
}

struct file *bed_memfd(struct bed *bed, unsigned flags, uint64_t size)
{
	struct file *file = NULL;

	SETUP(memfd_create_file(&bed->ctx, "x", flags, &file) == 0);
	SETUP(vfs_truncate(&bed->ctx, file, (int64_t)size) == 0);
	return file;
}

struct file *bed_reopen(struct bed *bed, struct file *file, uint32_t flags)
{
	struct file *again = NULL;

	inode_get(file->inode);
	SETUP(file_create(&bed->ctx, file->ops, file->inode, flags, &again) == 0);
	return again;
}

/* A small /proc: what the key says is the table, and which file it is. */

enum { IN_ROOT, IN_PID, IN_FDS };

static int number(const char *name)
{
	int n = 0;

	if (name[0] == '\0' || strlen(name) > 3 || (name[0] == '0' && name[1] != '\0'))
		return -1;
	for (; *name != '\0'; name++) {
		if (*name < '0' || *name > '9')
			return -1;
		n = n * 10 + (*name - '0');
	}
	return n;
}

static int self_text(struct ctx *ctx, struct inode *link, char *text, size_t size)
{
	(void)ctx;
	(void)link;
	return snprintf(text, size, "%d", BED_PID);
}

static int fd_text(struct ctx *ctx, struct inode *link, char *text, size_t size)
{
	struct fdtable *table = (struct fdtable *)(uintptr_t)link->gen_key[0];
	struct file *file = fd_get_any(ctx, table, (int)link->gen_key[1]);
	int n;

	if (file == NULL)
		return -ENOENT;
	n = file->ops->describe(file, text, size);
	file_put(ctx, file);
	return n;
}

static int fd_follow(struct ctx *ctx, struct inode *link, struct dentry **out)
{
	struct fdtable *table = (struct fdtable *)(uintptr_t)link->gen_key[0];
	struct file *file = fd_get_any(ctx, table, (int)link->gen_key[1]);

	if (file == NULL)
		return -ENOENT;
	*out = file_dentry(ctx, file);
	file_put(ctx, file);
	return *out != NULL ? 0 : -ENOMEM;
}

static const struct gen_ops self_ops = { .readlink = self_text };
static const struct gen_ops fd_ops = { .readlink = fd_text, .follow = fd_follow };

static int fds_lookup(struct ctx *ctx, struct inode *dir, const char *name, struct inode **out)
{
	struct fdtable *table = (struct fdtable *)(uintptr_t)dir->gen_key[0];
	const uint64_t key[2] = { dir->gen_key[0], (uint64_t)number(name) };
	struct file *file = number(name) >= 0 ? fd_get_any(ctx, table, number(name)) : NULL;

	if (file == NULL)
		return -ENOENT;
	file_put(ctx, file);
	return gen_inode_create(ctx, &fd_ops, S_IFLNK | 0700, gen_ino(BED_PID, IN_FDS, key[1]), key, out);
}

static int fds_list(struct ctx *ctx, struct inode *dir, uint64_t position, struct listing *listing)
{
	struct fdtable *table = (struct fdtable *)(uintptr_t)dir->gen_key[0];
	struct file *file;
	char name[16];
	int fd = (int)position - 2;

	for (; fdtable_next(ctx, table, fd, &fd, &file, NULL); fd++) {
		snprintf(name, sizeof(name), "%d", fd);
		file_put(ctx, file);
		if (!listing_add(listing, name, gen_ino(BED_PID, IN_FDS, (uint64_t)fd), S_IFLNK, (uint64_t)fd + 3))
			break;
	}
	return 0;
}

static const struct gen_ops fds_ops = { .lookup = fds_lookup, .list = fds_list };

static int pid_lookup(struct ctx *ctx, struct inode *dir, const char *name, struct inode **out)
{
	if (strcmp(name, "fd") != 0)
		return -ENOENT;
	return gen_inode_create(ctx, &fds_ops, S_IFDIR | 0500, gen_ino(BED_PID, IN_PID, 0), dir->gen_key, out);
}

static const struct gen_ops pid_ops = { .lookup = pid_lookup };

static int proc_lookup(struct ctx *ctx, struct inode *dir, const char *name, struct inode **out)
{
	if (strcmp(name, "self") == 0)
		return gen_inode_create(ctx, &self_ops, S_IFLNK | 0777, gen_ino(IN_ROOT, 0, 0), dir->gen_key, out);
	if (number(name) != BED_PID)
		return -ENOENT;
	return gen_inode_create(ctx, &pid_ops, S_IFDIR | 0555, gen_ino(BED_PID, IN_ROOT, 0), dir->gen_key, out);
}

static const struct gen_ops proc_ops = { .lookup = proc_lookup };

void bed_tree(struct bed *bed, struct fdtable *table)
{
	const struct path_at proc = { NULL, PATH_CWD, "/proc" };
	struct dentry *dentry = NULL;

	SETUP(tree_create(&bed->env) == 0);
	tree_set_proc(&bed->ctx, &proc_ops);
	SETUP(path_lookup(&bed->ctx, &proc, 0, &dentry) == 0);
	dentry->inode->gen_key[0] = (uintptr_t)table;
	dentry_put(&bed->ctx, dentry);
	ctx_drain(&bed->ctx);
}

int bed_open_path(struct ctx *ctx, struct fdtable *table, const char *path, uint32_t flags, struct file **out)
{
	const struct path_at at = { table, PATH_CWD, path };

	return vfs_open(ctx, &at, flags, 0644, out);
}

uint64_t size_of(struct bed *bed, struct file *file)
{
	struct kstat st;

	vfs_stat(&bed->ctx, file, &st);
	return st.size;
}

uint64_t blocks_of(struct bed *bed, struct file *file)
{
	struct kstat st;

	vfs_stat(&bed->ctx, file, &st);
	return st.blocks;
}

static void stream_release(struct ctx *ctx, struct file *file)
{
	unsigned *released = file->priv;

	EXPECT_MSG(ctx->held == 0, "locks %#x are held in release", ctx->held);
	++*released;
}

static int stream_describe(const struct file *file, char *text, size_t size)
{
	return snprintf(text, size, "stream:[%llu]", (unsigned long long)file->inode->ino);
}

const struct file_ops stream_ops = {
	.name = "stream",
	.release = stream_release,
	.describe = stream_describe,
};

struct file *bed_stream(struct bed *bed, unsigned *released)
{
	struct inode *inode = NULL;
	struct file *file = NULL;

	SETUP(inode_create(&bed->ctx, S_IFSOCK | 0777, "", NULL, &inode) == 0);
	SETUP(file_create(&bed->ctx, &stream_ops, inode, FILE_RDWR, &file) == 0);
	file->priv = released;
	return file;
}

ssize_t do_read(struct bed *bed, struct file *file, void *data, size_t n)
{
	struct uio uio;

	uio_init_one(&uio, uptr_from(data), n);
	return vfs_read(&bed->ctx, file, &uio);
}

ssize_t do_write(struct bed *bed, struct file *file, const void *data, size_t n)
{
	struct uio uio;

	uio_init_one(&uio, uptr_from(data), n);
	return vfs_write(&bed->ctx, file, &uio);
}

ssize_t do_pread(struct bed *bed, struct file *file, void *data, size_t n, int64_t offset)
{
	struct uio uio;

	uio_init_one(&uio, uptr_from(data), n);
	return vfs_pread(&bed->ctx, file, &uio, offset);
}

ssize_t do_pwrite(struct bed *bed, struct file *file, const void *data, size_t n, int64_t offset)
{
	struct uio uio;

	uio_init_one(&uio, uptr_from(data), n);
	return vfs_pwrite(&bed->ctx, file, &uio, offset);
}

ssize_t do_pread_bad(struct bed *bed, struct file *file, size_t n, int64_t offset)
{
	struct uio uio;

	uio_init_one(&uio, uptr_user(FORBIDDEN_USER_ADDRESS), n);
	return vfs_pread(&bed->ctx, file, &uio, offset);
}

ssize_t do_pwrite_bad(struct bed *bed, struct file *file, size_t n, int64_t offset)
{
	struct uio uio;

	uio_init_one(&uio, uptr_user(FORBIDDEN_USER_ADDRESS), n);
	return vfs_pwrite(&bed->ctx, file, &uio, offset);
}

uint64_t rnd(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}
