// SPDX-License-Identifier: MIT
/*
 * Calls on files: content, size, status; and memfd_create. Those that take paths are in path.c and status.c.
 *
 * I1  every handler puts the reference that it took, on every way out
 *
 * Locking: none of its own. Linux: fs/read_write.c, fs/open.c, fs/stat.c, mm/memfd.c.
 */
#include "syscall/handlers.h"

#include <errno.h>

#include "syscall/abi.h"

/* ---- content ---- */

/* A buffer of argument i, i + 1; an access mode that does not allow the transfer comes first. */
static int buffer_init(const struct syscall_frame *frame, unsigned i, bool allowed, struct uio *uio)
{
	uint64_t size = frame->args[i + 1];

	if (!allowed)
		return -EBADF;
	if (!range_legal(arg_pointer(frame, i), size))
		return -EFAULT;
	uio_init_one(uio, arg_pointer(frame, i), size);
	return 0;
}

long sys_read(const struct syscall_frame *frame)
{
	struct file *file = arg_file(frame, 0);
	struct uio uio;
	long n;

	if (file == NULL)
		return -EBADF;
	n = buffer_init(frame, 1, file_readable(file), &uio);
	if (n == 0)
		n = vfs_read(frame->ctx, file, &uio);
	file_put(frame->ctx, file);
	return n;
}

long sys_write(const struct syscall_frame *frame)
{
	struct file *file = arg_file(frame, 0);
	struct uio uio;
	long n;

	if (file == NULL)
		return -EBADF;
	n = buffer_init(frame, 1, file_writable(file), &uio);
	if (n == 0)
		n = vfs_write(frame->ctx, file, &uio);
	file_put(frame->ctx, file);
	return n;
}

/* The file of a transfer at an offset. 0; -EINVAL, -EBADF, -ESPIPE, in this order */
static int positioned_file(const struct syscall_frame *frame, struct file **out)
{
	if ((int64_t)frame->args[3] < 0)
		return -EINVAL;
	*out = arg_file(frame, 0);
	if (*out == NULL)
		return -EBADF;
	if ((*out)->ops->seekable)
		return 0;
	file_put(frame->ctx, *out);
	return -ESPIPE;
}

long sys_pread64(const struct syscall_frame *frame)
{
	struct file *file;
	struct uio uio;
	long n = positioned_file(frame, &file);

	if (n < 0)
		return n;
	n = buffer_init(frame, 1, file_readable(file), &uio);
	if (n == 0)
		n = vfs_pread(frame->ctx, file, &uio, (int64_t)frame->args[3]);
	file_put(frame->ctx, file);
	return n;
}

long sys_pwrite64(const struct syscall_frame *frame)
{
	struct file *file;
	struct uio uio;
	long n = positioned_file(frame, &file);

	if (n < 0)
		return n;
	n = buffer_init(frame, 1, file_writable(file), &uio);
	if (n == 0)
		n = vfs_pwrite(frame->ctx, file, &uio, (int64_t)frame->args[3]);
	file_put(frame->ctx, file);
	return n;
}

long sys_lseek(const struct syscall_frame *frame)
{
	struct file *file = arg_file(frame, 0);
	long offset;

	if (file == NULL)
		return -EBADF;
	offset = vfs_lseek(frame->ctx, file, (int64_t)frame->args[1], arg_int(frame, 2));
	file_put(frame->ctx, file);
	return offset;
}

/* ---- size and status ---- */

long sys_ftruncate(const struct syscall_frame *frame)
{
	struct file *file;
	int err;

	if ((int64_t)frame->args[1] < 0)
		return -EINVAL;
	file = arg_file(frame, 0);
	if (file == NULL)
		return -EBADF;
	err = vfs_truncate(frame->ctx, file, (int64_t)frame->args[1]);
	file_put(frame->ctx, file);
	return err;
}

long sys_fallocate(const struct syscall_frame *frame)
{
	struct file *file = arg_file(frame, 0);
	int err;

	if (file == NULL)
		return -EBADF;
	err = vfs_fallocate(frame->ctx, file, arg_int(frame, 1), (int64_t)frame->args[2], (int64_t)frame->args[3]);
	file_put(frame->ctx, file);
	return err;
}

long sys_fstat(const struct syscall_frame *frame)
{
	struct file *file = fd_get_any(frame->ctx, frame->process->files, arg_int(frame, 0));
	uint8_t out[ABI_STAT_MAX];
	struct kstat stat;
	size_t size;

	if (file == NULL)
		return -EBADF;
	vfs_stat(frame->ctx, file, &stat);
	file_put(frame->ctx, file);
	size = abi_stat(frame->abi, &stat, out);
	return copy_out(frame->ctx, arg_pointer(frame, 1), out, size);
}

/* ---- memfd ---- */

/* Install on success, give the number back on failure. */
static long finish_fd(const struct syscall_frame *frame, int fd, int err, struct file *file)
{
	if (err < 0) {
		fd_unreserve(frame->ctx, frame->process->files, fd);
		return err;
	}
	fd_install(frame->ctx, frame->process->files, fd, file);
	return fd;
}

long sys_memfd_create(const struct syscall_frame *frame)
{
	uint32_t flags = arg_u32(frame, 1);
	char name[MEMFD_NAME_MAX + 1];
	struct file *file = NULL;
	int err = memfd_check_flags(frame->ctx, &flags);
	ssize_t len;
	int fd;

	if (err < 0)
		return err;
	len = copy_in_string(frame->ctx, name, arg_pointer(frame, 0), sizeof(name));
	if (len < 0)
		return len == -ENAMETOOLONG ? -EINVAL : len;
	fd = fd_reserve(frame->ctx, frame->process->files, 0, flags & MEMFD_CLOEXEC);
	if (fd < 0)
		return fd;
	err = memfd_create_file(frame->ctx, name, flags, &file);
	return finish_fd(frame, fd, err, file);
}
