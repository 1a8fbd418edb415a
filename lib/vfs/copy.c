// SPDX-License-Identifier: MIT
/*
 * sendfile and copy_file_range: from one file into another.
 *
 * Bytes go piece by piece through a page of the kernel's own, no piece across the end of a page on either side. So what
 * the destination refuses, or cuts, it refuses after the pieces that it has taken, and the call is partial; and nothing
 * of one file is locked while the other is.
 *
 *	sendfile          in: any file with an offset     out: any file that does not append; it may block
 *	copy_file_range   in, out: regular files of one file system; two ranges of one file must not overlap
 *
 * I1  the positions advance over what has been written, not over what has been read
 *
 * Locking: none of its own; those of the files' read and write, one after the other.
 * Linux: do_sendfile in fs/read_write.c, fs/splice.c, vfs_copy_file_range. Not modelled: 64 KiB at a time, so bytes of
 * overlapping ranges may differ from what Linux makes of them.
 */
#include "vfs/file.h"

#include <errno.h>
#include <signal.h>
#include <sys/stat.h>

#include "base/limits.h"
#include "vfs/tree.h"

#define TRANSFER_MAX ((size_t)INT32_MAX & PAGE_MASK)

int vfs_check_range(uint64_t pos, size_t n)
{
	return n > INT64_MAX || pos > INT64_MAX || n > INT64_MAX - pos ? -EINVAL : 0;
}

/* Of at most n bytes, the piece that crosses no page; read at *in_pos, which stays. */
static ssize_t read_piece(struct ctx *ctx, struct file *in, uint64_t in_pos, const uint64_t *out_pos, size_t n,
                          char page[PAGE_BYTES])
{
	struct uio uio;

	n = MIN(n, PAGE_BYTES - in_pos % PAGE_BYTES);
	if (out_pos != NULL)
		n = MIN(n, PAGE_BYTES - *out_pos % PAGE_BYTES);
	uio_init_one(&uio, uptr_from(page), n);
	return in->ops->read != NULL ? in->ops->read(ctx, in, &uio, &in_pos) : -EINVAL;
}

static ssize_t write_piece(struct ctx *ctx, struct file *out, uint64_t *out_pos, char page[PAGE_BYTES], size_t n)
{
	struct uio uio;

	uio_init_one(&uio, uptr_from(page), n);
	return out->ops->write != NULL ? out->ops->write(ctx, out, &uio, out_pos) : -EINVAL;
}

static ssize_t copy(struct ctx *ctx, struct file *in, uint64_t *in_pos, struct file *out, uint64_t *out_pos, size_t n)
{
	char page[PAGE_BYTES];
	size_t done = 0;
	ssize_t moved = 0;

	if (!out->ops->seekable)
		out_pos = NULL;
	while (done < n) {
		moved = read_piece(ctx, in, *in_pos, out_pos, n - done, page);
		if (moved > 0)
			moved = write_piece(ctx, out, out_pos, page, (size_t)moved);
		if (moved <= 0)
			break;
		*in_pos += (uint64_t)moved;
		done += (size_t)moved;
	}
	return done > 0 ? (ssize_t)done : moved;
}

/* Files of proc have offsets below 2 GiB, and not all of them can be sent. */
static int check_generated(const struct file *in, uint64_t in_pos, size_t *n)
{
	const struct gen_ops *gen = in->inode->gen;

	if (gen == NULL)
		return 0;
	if (in_pos + *n > INT32_MAX) {
		if (in_pos >= INT32_MAX)
			return -EOVERFLOW;
		*n = INT32_MAX - in_pos;
	}
	return gen->sendable ? 0 : -EINVAL;
}

ssize_t vfs_sendfile(struct ctx *ctx, struct file *in, uint64_t *in_pos, struct file *out, uint64_t *out_pos, size_t n)
{
	int err;

	n = MIN(n, TRANSFER_MAX);
	if (out->ops->seekable && vfs_check_range(*out_pos, n) < 0)
		return -EINVAL;
	err = check_generated(in, *in_pos, &n);
	if (err < 0)
		return err;
	if (file_flags(out) & FILE_APPEND || !in->ops->seekable || in->inode->huge_bytes != 0 ||
	    S_ISDIR(in->inode->mode))
		return -EINVAL;
	return copy(ctx, in, in_pos, out, out_pos, n);
}

/* What copy_file_range wants of its files. */
static int check_files(const struct file *in, const struct file *out)
{
	if (S_ISDIR(in->inode->mode) || S_ISDIR(out->inode->mode))
		return -EISDIR;
	if (!S_ISREG(in->inode->mode) || !S_ISREG(out->inode->mode))
		return -EINVAL;
	if (!file_readable(in) || !file_writable(out) || file_flags(out) & FILE_APPEND)
		return -EBADF;
	return in->inode->dev == out->inode->dev && in->inode->huge_bytes == out->inode->huge_bytes ? 0 : -EXDEV;
}

/* Cut *n at the end of `in` and at the limit of the caller's files; a negative position is no concern of these. */
static int shorten(struct ctx *ctx, const struct file *in, uint64_t in_pos, uint64_t out_pos, size_t *n)
{
	uint64_t size = in->inode->object != NULL ? object_size(in->inode->object) : 0;
	uint64_t limit = limit_of(ctx, LIMIT_FSIZE);

	*n = in_pos < size ? MIN(*n, size - in_pos) : 0;
	if (out_pos > INT64_MAX)
		return 0;
	if (limit != LIMIT_NONE) {
		if (limit > INT64_MAX || out_pos >= limit) {
			ctx_raise(ctx, SIGXFSZ);
			return -EFBIG;
		}
		*n = MIN(*n, limit - out_pos);
	}
	if (out_pos >= OBJECT_SIZE_MAX)
		return -EFBIG;
	*n = MIN(*n, OBJECT_SIZE_MAX - out_pos);
	return 0;
}

ssize_t vfs_copy_range(struct ctx *ctx, struct file *in, uint64_t *in_pos, struct file *out, uint64_t *out_pos,
                       size_t n)
{
	int err = check_files(in, out);

	if (err < 0)
		return err;
	if (*in_pos + n < *in_pos || *out_pos + n < *out_pos)
		return -EOVERFLOW;
	err = shorten(ctx, in, *in_pos, *out_pos, &n);
	if (err < 0)
		return err;
	if (in->inode == out->inode && *out_pos + n > *in_pos && *out_pos < *in_pos + n)
		return -EINVAL;
	if (vfs_check_range(*in_pos, n) < 0 || vfs_check_range(*out_pos, n) < 0)
		return -EINVAL;
	return copy(ctx, in, in_pos, out, out_pos, MIN(n, TRANSFER_MAX));
}
