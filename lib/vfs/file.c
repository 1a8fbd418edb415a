// SPDX-License-Identifier: MIT
/*
 * Open file descriptions: what dup, fork and SCM_RIGHTS share.
 *
 *	slot ---.
 *	slot ----> file ---> inode ---> object
 *	VMA  ---'  (through file->backing, all that mm knows)
 *
 * Whoever holds a reference keeps the file open: slots of fd tables, mappings, messages in flight, calls under way.
 * The last put only queues the file (see ref.h), so release runs under no lock and may put what it likes.
 *
 * I1  references = slots + mappings + messages in flight + calls under way
 * I2  the access mode never changes; of the flags FILE_APPEND, FILE_NONBLOCK, FILE_DIRECT and FILE_NOATIME do
 * I3  pos <= INT64_MAX
 * I4  an inode's F_SEAL_WRITE and its object's denial of writers come together, but where an older release's F_SEAL_EXEC
 *     brought the seal
 *
 * Locking: pos under pos_lock; flags are atomic.
 * Linux: fs/file_table.c, fs/fcntl.c (setfl). Not modelled: O_ASYNC, locks, leases.
 */
#include "vfs/file.h"

#include <errno.h>
#include <fcntl.h>

#include "base/creds.h"
#include "host/kmem.h"
#include "vfs/path.h"
#include "vfs/tree.h"

static struct file *file_of(struct backing *backing)
{
	return container_of(backing, struct file, backing);
}

static void backing_file_get(struct backing *backing)
{
	file_get(file_of(backing));
}

static void backing_file_put(struct ctx *ctx, struct backing *backing)
{
	file_put(ctx, file_of(backing));
}

static int backing_file_describe(const struct backing *backing, char *text, size_t size, uint64_t *inode)
{
	const struct file *file = (const void *)((const char *)backing - offsetof(struct file, backing));

	*inode = file->inode->ino;
	return file->ops->describe(file, text, size);
}

static uint64_t backing_file_dev(const struct backing *backing)
{
	const struct file *file = (const void *)((const char *)backing - offsetof(struct file, backing));

	if (file->inode->dev != 0)
		return file->inode->dev;
	return file->inode->huge_bytes != 0 ? DEV_HUGE : DEV_MEMORY;
}

static int backing_file_punch(struct ctx *ctx, struct backing *backing, uint64_t offset, uint64_t length)
{
	return vfs_fallocate(ctx, file_of(backing), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (int64_t)offset,
	                     (int64_t)length);
}

static void backing_file_reach(struct ctx *ctx, struct backing *backing, uint64_t end)
{
	inode_reach(ctx, file_of(backing)->inode, end);
}

static const struct backing_ops file_backing_ops = {
	.get = backing_file_get,
	.put = backing_file_put,
	.describe = backing_file_describe,
	.dev = backing_file_dev,
	.punch = backing_file_punch,
	.reach = backing_file_reach,
};

static void file_destroy(struct ctx *ctx, struct drop *drop)
{
	struct file *file = ref_container(drop, struct file);

	if (file->ops->release != NULL)
		file->ops->release(ctx, file);
	inode_put(ctx, file->inode);
	dentry_put(ctx, file->dentry);
	mutex_fini(&file->pos_lock);
	origin_clear(&file->origin);
	kmem_free(ctx->env, file, sizeof(*file));
}

int file_create(struct ctx *ctx, const struct file_ops *ops, struct inode *inode, uint32_t flags, struct file **out)
{
	struct file *file = kmem_alloc(ctx, sizeof(*file));

	if (file == NULL)
		return -ENOMEM;
	ref_init(&file->ref);
	origin_set(ctx, &file->origin, CENSUS_FILE);
	mutex_init(&file->pos_lock, RANK_FILE_POS);
	file->ops = ops;
	file->inode = inode;
	file->flags = flags;
	file->backing.ops = &file_backing_ops;
	file->creds = ctx->creds != NULL ? __atomic_load_n(&ctx->creds->serial, __ATOMIC_RELAXED) : 0;
	*out = file;
	return 0;
}

void file_get(struct file *file)
{
	ref_get(&file->ref);
}

void file_put(struct ctx *ctx, struct file *file)
{
	if (file != NULL)
		ref_put(ctx, &file->ref, file_destroy);
}

void vfs_stat(struct ctx *ctx, struct file *file, struct kstat *out)
{
	inode_stat(ctx, file->inode, out);
	if (file->ops->stat != NULL)
		file->ops->stat(file, out);
}

int vfs_set_flags(struct ctx *ctx, struct file *file, uint32_t flags)
{
	const uint32_t changeable = FILE_APPEND | FILE_NONBLOCK | FILE_DIRECT | FILE_NOATIME;
	uint32_t was = file_flags(file);

	if (flags & ~was & FILE_NOATIME && !inode_owned(ctx, file->inode))
		return -EPERM;
	if (flags & FILE_DIRECT && !file->may_be_direct)
		return -EINVAL;
	while (!__atomic_compare_exchange_n(&file->flags, &was, (was & ~changeable) | (flags & changeable), true,
	                                    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
	return 0;
}

static void inode_check(struct ctx *ctx, struct inode *inode, struct check_report *report)
{
	int64_t writers;

	CHECK_THAT(report, ref_count(&inode->ref) > 0 && inode->ino != 0, "inode I1: a live inode has a number",
	           "references %u, inode %llu", ref_count(&inode->ref), (unsigned long long)inode->ino);
	if (inode->object == NULL)
		return;
	mutex_lock(ctx, &inode->lock);
	writers = __atomic_load_n(&inode->object->writers, __ATOMIC_RELAXED);
	CHECK_THAT(report, !(inode->seals & F_SEAL_WRITE) == (writers >= 0) || inode->seals & SEAL_EXEC,
	           "file I4: F_SEAL_WRITE and the denial of writers come together",
	           "inode %llu: seals %#x, writers %lld", (unsigned long long)inode->ino, inode->seals,
	           (long long)writers);
	object_check(ctx, inode->object, report);
	mutex_unlock(ctx, &inode->lock);
}

void file_check(struct ctx *ctx, struct file *file, struct check_report *report)
{
	CHECK_THAT(report, ref_count(&file->ref) > 0, "file I1: a file in reach has a reference", "%s",
	           file->ops->name);
	mutex_lock(ctx, &file->pos_lock);
	CHECK_THAT(report, file->pos <= INT64_MAX, "file I3: the offset is not negative", "%s: offset %#llx",
	           file->ops->name, (unsigned long long)file->pos);
	mutex_unlock(ctx, &file->pos_lock);
	inode_check(ctx, file->inode, report);
}
