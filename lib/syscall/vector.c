// SPDX-License-Identifier: MIT
/*
 * Content by rows of buffers (readv and its kin), and from file to file (sendfile, copy_file_range); fsync.
 *
 *	readv, writev                 at the file's offset
 *	preadv, pwritev               at an offset of the call's
 *	preadv2, pwritev2             either (offset -1: the file's), with flags for this one transfer
 *
 * A row of no bytes is a transfer of nothing, before anybody looks at flags or at where the file stands. How many
 * buffers there are is said by the low half of the argument, as on Linux.
 *
 * I1  every handler puts the references that it took, on every way out
 *
 * Locking: none of its own. Linux: fs/read_write.c, fs/sync.c. Not modelled: preadv2's offset is one argument, whose
 * upper half on 32-bit machines is not looked at.
 */
#include "syscall/row.h"

#include <errno.h>

enum { ARG_OFFSET = 3, ARG_RW_FLAGS = 5 };

/* ---- rows ---- */

/* How a row is moved. */
struct transfer {
	bool write;
	bool positioned; /* at args[ARG_OFFSET] */
	uint32_t flags;  /* RWF_* */
};

static long move_row(const struct syscall_frame *frame, const struct transfer *t, struct file *file, struct uio *uio)
{
	int64_t offset = (int64_t)frame->args[ARG_OFFSET];
	int err = vfs_rw_flags(frame->ctx, file, t->flags, uio);

	if (err < 0)
		return err;
	if (t->positioned)
		return (t->write ? vfs_pwrite : vfs_pread)(frame->ctx, file, uio, offset);
	return (t->write ? vfs_write : vfs_read)(frame->ctx, file, uio);
}

static long transfer_row(const struct syscall_frame *frame, const struct transfer *t, struct file *file)
{
	struct row row;
	long n;

	if (t->positioned && !file->ops->seekable)
		return -ESPIPE;
	if (!(t->write ? file_writable(file) : file_readable(file)))
		return -EBADF;
	if ((t->write ? file->ops->write : file->ops->read) == NULL || arg_u32(frame, 2) > IOV_MAX_SEGS)
		return -EINVAL;
	n = row_init(frame->ctx, &row, arg_pointer(frame, 1), arg_u32(frame, 2));
	if (n < 0)
		return n;
	if (row.uio.resid > 0)
		n = move_row(frame, t, file, &row.uio);
	row_fini(frame->ctx, &row);
	return n;
}

static long vectored(const struct syscall_frame *frame, const struct transfer *t)
{
	struct file *file;
	long n;

	if (t->positioned && (int64_t)frame->args[ARG_OFFSET] < 0)
		return -EINVAL;
	file = arg_file(frame, 0);
	if (file == NULL)
		return -EBADF;
	n = transfer_row(frame, t, file);
	file_put(frame->ctx, file);
	return n;
}

long sys_readv(const struct syscall_frame *frame)
{
	return vectored(frame, &(struct transfer){ .write = false });
}

long sys_writev(const struct syscall_frame *frame)
{
	return vectored(frame, &(struct transfer){ .write = true });
}

long sys_preadv(const struct syscall_frame *frame)
{
	return vectored(frame, &(struct transfer){ .positioned = true });
}

long sys_pwritev(const struct syscall_frame *frame)
{
	return vectored(frame, &(struct transfer){ .write = true, .positioned = true });
}

static long vectored2(const struct syscall_frame *frame, bool write)
{
	struct transfer t = {
		.write = write,
		.positioned = (int64_t)frame->args[ARG_OFFSET] != -1,
		.flags = arg_u32(frame, ARG_RW_FLAGS),
	};

	return vectored(frame, &t);
}

long sys_preadv2(const struct syscall_frame *frame)
{
	return vectored2(frame, false);
}

long sys_pwritev2(const struct syscall_frame *frame)
{
	return vectored2(frame, true);
}

/* ---- from file to file ---- */

/* A position: the caller's word, or the file's own offset. */
struct position {
	struct file *file;
	struct uptr word; /* NULL: the file's own */
	uint64_t at;
};

static int position_load(struct ctx *ctx, struct position *p)
{
	if (!uptr_null(p->word))
		return copy_in(ctx, &p->at, p->word, sizeof(p->at));
	mutex_lock(ctx, &p->file->pos_lock);
	p->at = p->file->pos;
	mutex_unlock(ctx, &p->file->pos_lock);
	return 0;
}

static int position_store(struct ctx *ctx, const struct position *p)
{
	if (!uptr_null(p->word))
		return copy_out(ctx, p->word, &p->at, sizeof(p->at));
	mutex_lock(ctx, &p->file->pos_lock);
	p->file->pos = p->at;
	mutex_unlock(ctx, &p->file->pos_lock);
	return 0;
}

/* The files are there; from->at is known where the caller said it. */
static long send_file(const struct syscall_frame *frame, struct position *from, struct position *to)
{
	struct ctx *ctx = frame->ctx;
	size_t n = frame->args[3];
	long moved;

	if (!file_readable(from->file))
		return -EBADF;
	if (uptr_null(from->word))
		position_load(ctx, from);
	else if (!from->file->ops->seekable)
		return -ESPIPE;
	moved = vfs_check_range(from->at, n);
	if (moved < 0)
		return moved;
	if (to->file == NULL || !file_writable(to->file))
		return -EBADF;
	position_load(ctx, to);
	moved = vfs_sendfile(ctx, from->file, &from->at, to->file, &to->at, n);
	if (moved <= 0)
		return moved;
	if (to->file->ops->seekable)
		position_store(ctx, to);
	if (uptr_null(from->word))
		position_store(ctx, from);
	return moved;
}

long sys_sendfile(const struct syscall_frame *frame)
{
	struct position to = { .word = { 0 } }, from = { .word = arg_pointer(frame, 2) };
	struct ctx *ctx = frame->ctx;
	long moved;

	if (!uptr_null(from.word) && position_load(ctx, &from) < 0)
		return -EFAULT;
	from.file = arg_file(frame, 1);
	to.file = arg_file(frame, 0);
	moved = from.file != NULL ? send_file(frame, &from, &to) : -EBADF;
	file_put(ctx, from.file);
	file_put(ctx, to.file);
	/* Linux writes the word whatever came of it. */
	if (!uptr_null(from.word) && copy_out_number(ctx, from.word, &from.at, sizeof(from.at)) < 0)
		return -EFAULT;
	return moved;
}

static long copy_range(const struct syscall_frame *frame, struct position *from, struct position *to)
{
	struct ctx *ctx = frame->ctx;
	long moved;

	if (position_load(ctx, from) < 0 || position_load(ctx, to) < 0)
		return -EFAULT;
	if (arg_u32(frame, 5) != 0)
		return -EINVAL;
	moved = vfs_copy_range(ctx, from->file, &from->at, to->file, &to->at, frame->args[4]);
	if (moved <= 0)
		return moved;
	if (position_store(ctx, from) < 0)
		moved = -EFAULT;
	return position_store(ctx, to) < 0 ? -EFAULT : moved;
}

long sys_copy_file_range(const struct syscall_frame *frame)
{
	struct position from = { .file = arg_file(frame, 0), .word = arg_pointer(frame, 1) };
	struct position to = { .file = arg_file(frame, 2), .word = arg_pointer(frame, 3) };
	long moved = -EBADF;

	if (from.file != NULL && to.file != NULL)
		moved = copy_range(frame, &from, &to);
	file_put(frame->ctx, from.file);
	file_put(frame->ctx, to.file);
	return moved;
}

/* ---- to a disk that there is not ---- */

long sys_fsync(const struct syscall_frame *frame)
{
	struct file *file = arg_file(frame, 0);
	int err;

	if (file == NULL)
		return -EBADF;
	err = vfs_sync(file);
	file_put(frame->ctx, file);
	return err;
}

long sys_fdatasync(const struct syscall_frame *frame)
{
	return sys_fsync(frame);
}
