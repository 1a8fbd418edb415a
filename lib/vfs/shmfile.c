// SPDX-License-Identifier: MIT
/*
 * Regular files of shared memory: memfds, and the files of a tmpfs.
 *
 * The pages are an object (object/object.h). Every call that changes size or content through the file holds the inode's
 * lock from its look at size and seals to its end, so a seal, once it is set, has no write behind its back.
 *
 * Which call makes pages, by the machine's policy:
 *
 *	                     COMMIT_ON_TRUNCATE                    COMMIT_ON_TOUCH
 *	ftruncate, growing   all of [old size, new size), or       none
 *	                     ENOMEM and nothing has changed
 *	fallocate            all of the range, or ENOMEM and nothing has changed, under either; of huge pages as many as
 *	                     there are, and ENOSPC
 *	write                the pages it reaches, under either
 *
 * What a seal forbids, whoever comes:
 *
 *	                                    WRITE, FUTURE_WRITE     SHRINK      GROW
 *	write, copies into it               EPERM                               EPERM, or cut at the last whole page
 *	punching a hole, MADV_REMOVE        EPERM
 *	ftruncate, O_TRUNC                                          EPERM       EPERM
 *	fallocate                                                               EPERM
 *
 * I1  ftruncate growth under COMMIT_ON_TRUNCATE is ftruncate and then fallocate of the new part, atomically
 * I2  the size changes under the inode's lock only
 * I3  a failed call has changed nothing but, where it was a write, the times, as on Linux
 *
 * Locking: the inode's lock for changes. Reads take none: the object looks at its size anew at every page.
 * Linux: mm/shmem.c, fs/open.c (vfs_fallocate), fs/attr.c (inode_newsize_ok), mm/filemap.c (generic_write_checks).
 * Not modelled: a store through a mapping does not stamp the times; quotas (no RAM left is ENOMEM, where a tmpfs of
 * limited size has ENOSPC).
 */
#include "vfs/shmfile.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#include "base/creds.h"
#include "base/limits.h"
#include "vfs/path.h"

enum { WRITE_ZEROES = 0x80 }; /* FALLOC_FL_WRITE_ZEROES, which older headers lack */

/* The caller's limit of file sizes, bytes; negative ones of Linux's loff_t allow nothing. */
static uint64_t size_limit(const struct ctx *ctx)
{
	uint64_t limit = limit_of(ctx, LIMIT_FSIZE);

	return limit == LIMIT_NONE || limit <= INT64_MAX ? limit : 0;
}

static int beyond_limit(struct ctx *ctx)
{
	ctx_raise(ctx, SIGXFSZ);
	return -EFBIG;
}

/* Whether the file may grow to a size. Inode lock held. */
static int may_grow_to(struct ctx *ctx, const struct inode *inode, uint64_t size)
{
	if (size <= object_size(inode->object))
		return 0;
	if (size > size_limit(ctx))
		return beyond_limit(ctx);
	return inode->seals & F_SEAL_GROW ? -EPERM : 0;
}

/* Whoever is not privileged takes the set-id bits away by writing. Inode lock held. */
static void drop_set_ids_locked(const struct ctx *ctx, struct inode *inode)
{
	uint32_t mode = inode->mode;

	if (!(mode & (S_ISUID | S_ISGID)) || creds_fs_privileged(ctx))
		return;
	mode &= ~(uint32_t)S_ISUID;
	if (mode & S_IXGRP || !caller_in_group(ctx, inode->gid))
		mode &= ~(uint32_t)S_ISGID;
	__atomic_store_n(&inode->mode, mode, __ATOMIC_RELAXED);
}

/* Content. */

/* How much of a write at `at` the limits let through, n or less; -EFBIG. */
static int64_t within_limits(struct ctx *ctx, uint64_t at, uint64_t n)
{
	uint64_t limit = size_limit(ctx);

	if (limit != LIMIT_NONE && at >= limit)
		return beyond_limit(ctx);
	if (at >= OBJECT_SIZE_MAX)
		return -EFBIG;
	return (int64_t)MIN(n, MIN(limit, OBJECT_SIZE_MAX) - at);
}

/* How much of a write at `at` the seals let through: n or less; 0: nothing. Inode lock held. */
static uint64_t unsealed_locked(const struct ctx *ctx, const struct inode *inode, uint64_t at, uint64_t n)
{
	uint64_t size = object_size(inode->object);

	if (inode->seals & (F_SEAL_WRITE | SEAL_FUTURE_WRITE))
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
	size_t wanted = uio->resid;
	int64_t allowed = within_limits(ctx, at, wanted);
	uint64_t n;
	ssize_t done;

	if (allowed < 0)
		return allowed;
	drop_set_ids_locked(ctx, inode);
	inode_modified_locked(inode);
	n = unsealed_locked(ctx, inode, at, (uint64_t)allowed);
	if (n == 0)
		return -EPERM;
	uio->resid = n;
	done = object_write(ctx, inode->object, at, uio);
	uio->resid += wanted - n;
	return done;
}

static bool appends(const struct file *file, const struct uio *uio)
{
	return uio->how & UIO_APPEND || (file_flags(file) & FILE_APPEND && !(uio->how & UIO_NOAPPEND));
}

ssize_t shmfile_write(struct ctx *ctx, struct file *file, struct uio *uio, uint64_t *pos)
{
	struct inode *inode = file->inode;
	uint64_t at = *pos;
	ssize_t n;

	if (uio->resid == 0)
		return 0;
	mutex_lock(ctx, &inode->lock);
	if (appends(file, uio))
		at = object_size(inode->object);
	n = write_locked(ctx, inode, at, uio);
	mutex_unlock(ctx, &inode->lock);
	if (n > 0)
		*pos = at + (uint64_t)n;
	return n;
}

ssize_t shmfile_read(struct ctx *ctx, struct file *file, struct uio *uio, uint64_t *pos)
{
	ssize_t n = object_read(ctx, file->inode->object, *pos, uio);

	if (n > 0)
		*pos += (uint64_t)n;
	if (!(file_flags(file) & FILE_NOATIME))
		inode_accessed(file->inode);
	return n;
}

/* Size. */

static int truncate_locked(struct ctx *ctx, struct inode *inode, uint64_t length, bool stamp)
{
	uint64_t size = object_size(inode->object);
	int err;

	if (inode->huge_bytes != 0 && length % inode->huge_bytes != 0)
		return -EINVAL;
	err = may_grow_to(ctx, inode, length);
	if (err < 0)
		return err;
	if (length < size && inode->seals & F_SEAL_SHRINK)
		return -EPERM;
	if (length > size && ctx->env->commit == COMMIT_ON_TRUNCATE && inode->huge_bytes == 0) {
		err = object_commit(ctx, inode->object, size, length);
		if (err < 0)
			return err;
	}
	stamp |= length != size || object_pages(ctx, inode->object) > 0;
	object_resize(ctx, inode->object, length);
	if (length > size && inode->huge_bytes != 0)
		object_resize(ctx, inode->object, length); /* what fallocate has put beyond goes even so */
	drop_set_ids_locked(ctx, inode);
	if (stamp)
		inode_modified_locked(inode);
	return 0;
}

int inode_truncate(struct ctx *ctx, struct inode *inode, uint64_t length, bool stamp)
{
	int err;

	mutex_lock(ctx, &inode->lock);
	err = truncate_locked(ctx, inode, length, stamp);
	mutex_unlock(ctx, &inode->lock);
	return err;
}

void inode_reach(struct ctx *ctx, struct inode *inode, uint64_t length)
{
	mutex_lock(ctx, &inode->lock);
	if (length > object_size(inode->object))
		object_resize(ctx, inode->object, length);
	mutex_unlock(ctx, &inode->lock);
}

int vfs_truncate(struct ctx *ctx, struct file *file, int64_t length)
{
	if (length < 0 || file->inode->object == NULL || !file_writable(file))
		return -EINVAL;
	return inode_truncate(ctx, file->inode, (uint64_t)length, true);
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

static int punch_locked(struct ctx *ctx, struct inode *inode, uint64_t start, uint64_t end)
{
	if (inode->seals & (F_SEAL_WRITE | SEAL_FUTURE_WRITE))
		return -EPERM;
	object_punch(ctx, inode->object, start, end);
	return 0;
}

static int allocate_locked(struct ctx *ctx, struct inode *inode, bool keep_size, uint64_t start, uint64_t end)
{
	int err = may_grow_to(ctx, inode, end);

	if (err == 0)
		err = object_commit(ctx, inode->object, start, end);
	if (err == 0 && !keep_size && end > object_size(inode->object))
		object_resize(ctx, inode->object, end);
	return err;
}

static int fallocate_locked(struct ctx *ctx, struct inode *inode, int mode, uint64_t start, uint64_t end)
{
	int err;

	if (mode & FALLOC_FL_PUNCH_HOLE)
		err = punch_locked(ctx, inode, start, end);
	else
		err = allocate_locked(ctx, inode, mode & FALLOC_FL_KEEP_SIZE, start, end);
	if (err < 0)
		return err;
	drop_set_ids_locked(ctx, inode);
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
		return -ENODEV; /* neither directories nor fifos are open for writing */
	if (length > INT64_MAX - offset)
		return -EFBIG;
	if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE))
		return -EOPNOTSUPP;
	mutex_lock(ctx, &inode->lock);
	err = fallocate_locked(ctx, inode, mode, (uint64_t)offset, (uint64_t)offset + (uint64_t)length);
	mutex_unlock(ctx, &inode->lock);
	return err;
}
