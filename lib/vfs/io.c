// SPDX-License-Identifier: MIT
/*
 * read, write, pread, pwrite and lseek of any file: what is the same for all kinds, before file_ops.
 *
 * The order of the checks is Linux's: a negative offset, no offset at all (ESPIPE), the access mode, a range that ends
 * beyond the largest offset; then the kind of file decides. A transfer is cut at 2 GiB less a page, as on Linux.
 *
 * A file with an offset is read and written at file->pos under pos_lock, so that of two who share the description
 * each gets bytes of its own; the others lock nothing here, for a reader of a socket may wait for a writer.
 *
 * I1  no transfer moves the offset beyond INT64_MAX
 *
 * Locking: pos_lock, outside of the inode's.
 * Linux: fs/read_write.c. Not modelled: RWF_HIPRI, RWF_DSYNC and RWF_SYNC change nothing, for there is no disk.
 */
#include "vfs/file.h"

#include <errno.h>
#include <unistd.h>
#include <sys/stat.h>

#define TRANSFER_MAX ((size_t)INT32_MAX & PAGE_MASK)

typedef ssize_t (*transfer_fn)(struct ctx *ctx, struct file *file, struct uio *uio, uint64_t *pos);

/* At *pos, or without an offset if pos is NULL. */
static ssize_t transfer_at(struct ctx *ctx, struct file *file, transfer_fn op, struct uio *uio, uint64_t *pos)
{
	size_t cut = uio->resid > TRANSFER_MAX ? uio->resid - TRANSFER_MAX : 0;
	ssize_t n;

	if (op == NULL)
		return -EINVAL;
	if (pos != NULL && uio->resid > INT64_MAX - *pos)
		return -EINVAL;
	uio->resid -= cut;
	n = op(ctx, file, uio, pos);
	uio->resid += cut;
	return n;
}

/* What is made up is asked for under no lock: two who share the description may get the same bytes. */
static ssize_t transfer_unlocked(struct ctx *ctx, struct file *file, transfer_fn op, struct uio *uio)
{
	uint64_t pos;
	ssize_t n;

	mutex_lock(ctx, &file->pos_lock);
	pos = file->pos;
	mutex_unlock(ctx, &file->pos_lock);
	n = transfer_at(ctx, file, op, uio, &pos);
	mutex_lock(ctx, &file->pos_lock);
	file->pos = pos;
	mutex_unlock(ctx, &file->pos_lock);
	return n;
}

static ssize_t transfer(struct ctx *ctx, struct file *file, transfer_fn op, struct uio *uio)
{
	ssize_t n;

	if (!file->ops->seekable)
		return transfer_at(ctx, file, op, uio, NULL);
	if (file->ops->unlocked)
		return transfer_unlocked(ctx, file, op, uio);
	mutex_lock(ctx, &file->pos_lock);
	n = transfer_at(ctx, file, op, uio, &file->pos);
	mutex_unlock(ctx, &file->pos_lock);
	return n;
}

ssize_t vfs_read(struct ctx *ctx, struct file *file, struct uio *uio)
{
	return file_readable(file) ? transfer(ctx, file, file->ops->read, uio) : -EBADF;
}

ssize_t vfs_write(struct ctx *ctx, struct file *file, struct uio *uio)
{
	return file_writable(file) ? transfer(ctx, file, file->ops->write, uio) : -EBADF;
}

/* As preadv2(2) numbers them. */
enum {
	RW_HIPRI = 1,
	RW_DSYNC = 2,
	RW_SYNC = 4,
	RW_NOWAIT = 8,
	RW_APPEND = 0x10,
	RW_NOAPPEND = 0x20,
	RW_NOSIGNAL = 0x100,
};

int vfs_rw_flags(const struct ctx *ctx, const struct file *file, uint32_t flags, struct uio *uio)
{
	const struct profile *profile = &ctx->env->profile;
	/* Of the others that Linux knows, none is for a file that is here. */
	const uint32_t known = RW_HIPRI | RW_DSYNC | RW_SYNC | RW_NOWAIT | RW_APPEND |
	                       (profile->rw_noappend ? RW_NOAPPEND : 0) | (profile->rw_nosignal ? RW_NOSIGNAL : 0);

	if (flags & ~known || (S_ISDIR(file->inode->mode) && flags & ~(uint32_t)RW_HIPRI))
		return -EOPNOTSUPP;
	if (flags & RW_APPEND && flags & RW_NOAPPEND)
		return -EINVAL;
	if (flags & RW_NOWAIT && file->ops->seekable)
		return -EOPNOTSUPP;
	uio->how = (flags & RW_NOWAIT ? UIO_NOWAIT : 0) | (flags & RW_APPEND ? UIO_APPEND : 0) |
	           (flags & RW_NOAPPEND ? UIO_NOAPPEND : 0) | (flags & RW_NOSIGNAL ? UIO_NOSIGNAL : 0);
	return 0;
}

int vfs_sync(struct file *file)
{
	return file->ops->seekable && file->inode->gen == NULL ? 0 : -EINVAL;
}

/* Whether pread and pwrite may be asked at all. */
static int check_offset(const struct file *file, int64_t offset)
{
	if (offset < 0)
		return -EINVAL;
	return file->ops->seekable ? 0 : -ESPIPE;
}

ssize_t vfs_pread(struct ctx *ctx, struct file *file, struct uio *uio, int64_t offset)
{
	uint64_t pos = (uint64_t)offset;
	int err = check_offset(file, offset);

	if (err < 0)
		return err;
	if (!file_readable(file))
		return -EBADF;
	return transfer_at(ctx, file, file->ops->read, uio, &pos);
}

ssize_t vfs_pwrite(struct ctx *ctx, struct file *file, struct uio *uio, int64_t offset)
{
	uint64_t pos = (uint64_t)offset;
	int err = check_offset(file, offset);

	if (err < 0)
		return err;
	if (!file_writable(file))
		return -EBADF;
	return transfer_at(ctx, file, file->ops->write, uio, &pos);
}

static int64_t offset_from(uint64_t base, int64_t offset)
{
	int64_t target;

	if (__builtin_add_overflow((int64_t)base, offset, &target) || target < 0)
		return -EINVAL;
	return target;
}

/* Where lseek goes; pos_lock is held. */
static int64_t seek_target_locked(struct ctx *ctx, struct file *file, int64_t offset, int whence)
{
	uint64_t size = file->inode->object != NULL ? object_size(file->inode->object) : 0;

	switch (whence) {
	case SEEK_SET:
		return offset_from(0, offset);
	case SEEK_CUR:
		return offset_from(file->pos, offset);
	case SEEK_END:
		return offset_from(size, offset);
	default: /* SEEK_DATA, SEEK_HOLE; a negative offset lies beyond every end */
		if ((uint64_t)offset >= size)
			return -ENXIO;
		if (file->inode->huge_bytes != 0)
			return whence == SEEK_DATA ? offset : (int64_t)size;
		return object_seek(ctx, file->inode->object, (uint64_t)offset, whence == SEEK_DATA);
	}
}

int64_t vfs_lseek(struct ctx *ctx, struct file *file, int64_t offset, int whence)
{
	int64_t target;

	if (whence < SEEK_SET || whence > SEEK_HOLE)
		return -EINVAL;
	if (!file->ops->seekable)
		return -ESPIPE;
	if (file->ops->endless && whence > SEEK_CUR)
		return -EINVAL;
	mutex_lock(ctx, &file->pos_lock);
	target = seek_target_locked(ctx, file, offset, whence);
	if (target >= 0)
		file->pos = (uint64_t)target;
	mutex_unlock(ctx, &file->pos_lock);
	return target;
}
