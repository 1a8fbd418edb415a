// SPDX-License-Identifier: MIT
/*
 * memfd: a file of shared memory that has no name in any directory.
 *
 * Its pages are an object (object/object.h). Every call that changes size or content through the file holds the inode's
 * lock from its look at size and seals to its end, so a seal, once it is set, has no write behind its back.
 *
 * Which call makes pages, by the machine's policy:
 *
 *	                     COMMIT_ON_TRUNCATE                    COMMIT_ON_TOUCH
 *	ftruncate, growing   all of [old size, new size), or       none
 *	                     ENOMEM and nothing has changed
 *	fallocate            all of the range, or ENOMEM and nothing has changed, under either
 *	write                the pages it reaches, under either
 *
 * I1  ftruncate growth under COMMIT_ON_TRUNCATE is ftruncate and then fallocate of the new part, atomically
 * I2  the size changes under the inode's lock only
 * I3  a failed call has changed nothing but, where it was a write, the times, as on Linux
 *
 * Locking: the inode's lock for changes. Reads take none: the object looks at its size anew at every page.
 * Linux: mm/memfd.c, mm/shmem.c. Not modelled: huge pages, MFD_NOEXEC_SEAL, fallocate's modes other than 0,
 * RLIMIT_FSIZE, the sysctl vm.memfd_noexec.
 */
#include "vfs/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { MEMFD_MODE = 0777 };
enum { WRITE_ZEROES = 0x80 }; /* FALLOC_FL_WRITE_ZEROES, which older headers lack */

/* How much of a write at `at` the seals let through: n or less; 0: nothing. Inode lock held. */
static uint64_t unsealed_locked(const struct ctx *ctx, const struct inode *inode, uint64_t at, uint64_t n)
{
	uint64_t size = object_size(inode->object);

	if (inode->seals & F_SEAL_WRITE)
		return 0;
	if (!(inode->seals & F_SEAL_GROW) || at + n <= size)
		return n;
	/* Linux writes page by page, and refuses the first page that would reach beyond the end. */
	if (ctx->env->profile.seal_grow_partial_write && at < page_down(size))
		return page_down(size) - at;
	return 0;
}

static ssize_t write_locked(struct ctx *ctx, struct inode *inode, uint64_t at, struct uio *uio)
{
	uint64_t n, wanted = uio->resid;
	ssize_t done;

	if (at >= OBJECT_SIZE_MAX)
		return -EFBIG;
	inode_modified_locked(inode);
	n = unsealed_locked(ctx, inode, at, MIN(wanted, OBJECT_SIZE_MAX - at));
	if (n == 0)
		return -EPERM;
	uio->resid = n;
	done = object_write(ctx, inode->object, at, uio);
	uio->resid += wanted - n;
	return done;
}

static ssize_t memfd_write(struct ctx *ctx, struct file *file, struct uio *uio, uint64_t *pos)
{
	struct inode *inode = file->inode;
	uint64_t at = *pos;
	ssize_t n;

	if (uio->resid == 0)
		return 0;
	mutex_lock(ctx, &inode->lock);
	if (file_flags(file) & FILE_APPEND)
		at = object_size(inode->object);
	n = write_locked(ctx, inode, at, uio);
	mutex_unlock(ctx, &inode->lock);
	if (n > 0)
		*pos = at + (uint64_t)n;
	return n;
}

static ssize_t memfd_read(struct ctx *ctx, struct file *file, struct uio *uio, uint64_t *pos)
{
	ssize_t n = object_read(ctx, file->inode->object, *pos, uio);

	if (n > 0)
		*pos += (uint64_t)n;
	if (!(file_flags(file) & FILE_NOATIME))
		inode_accessed(file->inode);
	return n;
}

static int memfd_describe(const struct file *file, char *text, size_t size)
{
	return snprintf(text, size, "/memfd:%s (deleted)", file->inode->name);
}

static const struct file_ops memfd_ops = {
	.name = "memfd",
	.read = memfd_read,
	.write = memfd_write,
	.seekable = true,
	.describe = memfd_describe,
};

int memfd_check_flags(unsigned flags)
{
	const unsigned known = MEMFD_CLOEXEC | MEMFD_ALLOW_SEALING | MEMFD_HUGETLB | MEMFD_EXEC;
	const unsigned huge_size = 0x3fu << 26;

	if (flags & ~(known | (flags & MEMFD_HUGETLB ? huge_size : 0)))
		return -EINVAL;
	return flags & MEMFD_HUGETLB ? -ENOSYS : 0;
}

int memfd_create_file(struct ctx *ctx, const char *name, unsigned flags, struct file **out)
{
	struct object *object;
	struct inode *inode;
	int err = memfd_check_flags(flags);

	if (err < 0)
		return err;
	if (strlen(name) > MEMFD_NAME_MAX)
		return -EINVAL;
	err = object_create_shmem(ctx, 0, &object);
	if (err < 0)
		return err;
	err = inode_create(ctx, S_IFREG | MEMFD_MODE, name, object, &inode);
	if (err < 0)
		goto undo_object;
	inode->nlink = 0;
	inode->seals = flags & MEMFD_ALLOW_SEALING ? 0 : F_SEAL_SEAL;
	err = file_create(ctx, &memfd_ops, inode, FILE_RDWR | FILE_LARGEFILE, out);
	if (err < 0)
		goto undo_inode;
	return 0;
undo_inode:
	inode_put(ctx, inode); /* and the object with it */
	return err;
undo_object:
	object_put(ctx, object);
	return err;
}

/* Size. */

static int truncate_locked(struct ctx *ctx, struct inode *inode, uint64_t length)
{
	uint64_t size = object_size(inode->object);
	int err;

	if (inode->seals & (length < size ? F_SEAL_SHRINK : length > size ? F_SEAL_GROW : 0))
		return -EPERM;
	if (length > size && ctx->env->commit == COMMIT_ON_TRUNCATE) {
		err = object_commit(ctx, inode->object, size, length);
		if (err < 0)
			return err;
	}
	object_resize(ctx, inode->object, length);
	inode_modified_locked(inode);
	return 0;
}

int inode_truncate(struct ctx *ctx, struct inode *inode, uint64_t length)
{
	int err;

	mutex_lock(ctx, &inode->lock);
	err = truncate_locked(ctx, inode, length);
	mutex_unlock(ctx, &inode->lock);
	return err;
}

int vfs_truncate(struct ctx *ctx, struct file *file, int64_t length)
{
	if (length < 0 || file->inode->object == NULL || !file_writable(file))
		return -EINVAL;
	return inode_truncate(ctx, file->inode, (uint64_t)length);
}

/* A mode that Linux knows, for some file system or other; the others are refused before the file is looked at. */
static bool known_mode(int mode)
{
	switch (mode & ~FALLOC_FL_KEEP_SIZE) {
	case 0:
	case FALLOC_FL_ZERO_RANGE:
	case FALLOC_FL_UNSHARE_RANGE:
		return true;
	case FALLOC_FL_PUNCH_HOLE:
		return mode & FALLOC_FL_KEEP_SIZE;
	case FALLOC_FL_COLLAPSE_RANGE:
	case FALLOC_FL_INSERT_RANGE:
	case WRITE_ZEROES:
		return !(mode & FALLOC_FL_KEEP_SIZE);
	default:
		return false;
	}
}

static int fallocate_locked(struct ctx *ctx, struct inode *inode, uint64_t start, uint64_t end)
{
	uint64_t size = object_size(inode->object);
	int err;

	if (end > size && inode->seals & F_SEAL_GROW)
		return -EPERM;
	err = object_commit(ctx, inode->object, start, end);
	if (err < 0)
		return err;
	if (end > size)
		object_resize(ctx, inode->object, end);
	inode_modified_locked(inode);
	return 0;
}

int vfs_fallocate(struct ctx *ctx, struct file *file, int mode, int64_t offset, int64_t length)
{
	struct inode *inode = file->inode;
	int err;

	if (offset < 0 || length <= 0)
		return -EINVAL;
	if (!known_mode(mode))
		return -EOPNOTSUPP;
	if (!file_writable(file))
		return -EBADF;
	if (inode->object == NULL)
		return -ENODEV;
	if (length > INT64_MAX - offset)
		return -EFBIG;
	if (mode != 0)
		return -EOPNOTSUPP;
	mutex_lock(ctx, &inode->lock);
	err = fallocate_locked(ctx, inode, (uint64_t)offset, (uint64_t)offset + (uint64_t)length);
	mutex_unlock(ctx, &inode->lock);
	return err;
}
