// SPDX-License-Identifier: MIT
/*
 * Calls on descriptors: close, dup and its kin, fcntl; and the look-ups that all handlers use.
 *
 * Locking: none of its own; the table's lock is inside each mechanism. Linux: fs/fcntl.c, fs/file.c.
 * Not modelled: record locks, leases, owners and signals of files (fcntl: EINVAL).
 */
#include "syscall/handlers.h"

#include <errno.h>
#include <fcntl.h>

#include "syscall/abi.h"

int arg_socket(const struct syscall_frame *frame, unsigned i, struct file **out)
{
	struct file *file = arg_file(frame, i);

	if (file == NULL)
		return -EBADF;
	if (!unix_is_socket(file)) {
		file_put(frame->ctx, file);
		return -ENOTSOCK;
	}
	*out = file;
	return 0;
}

int new_fd(const struct syscall_frame *frame, struct file *file, bool cloexec)
{
	int fd = fd_reserve(frame->ctx, frame->process->files, 0, cloexec);

	if (fd < 0)
		file_put(frame->ctx, file);
	else
		fd_install(frame->ctx, frame->process->files, fd, file);
	return fd;
}

long sys_close(const struct syscall_frame *frame)
{
	return fd_close(frame->ctx, frame->process->files, arg_int(frame, 0));
}

long sys_dup(const struct syscall_frame *frame)
{
	return fd_dup(frame->ctx, frame->process->files, arg_int(frame, 0), 0, false);
}

long sys_dup2(const struct syscall_frame *frame)
{
	int from = arg_int(frame, 0), to = arg_int(frame, 1);
	struct file *file;

	if (from != to)
		return fd_dup_to(frame->ctx, frame->process->files, from, to, false);
	file = fd_get_any(frame->ctx, frame->process->files, from);
	if (file == NULL)
		return -EBADF;
	file_put(frame->ctx, file);
	return to;
}

long sys_dup3(const struct syscall_frame *frame)
{
	uint32_t flags = arg_u32(frame, 2);

	if (flags & ~(uint32_t)FILE_CLOEXEC || arg_int(frame, 0) == arg_int(frame, 1))
		return -EINVAL;
	return fd_dup_to(frame->ctx, frame->process->files, arg_int(frame, 0), arg_int(frame, 1), flags & FILE_CLOEXEC);
}

/* The commands that are about the description, not the descriptor. */
static long fcntl_file(const struct syscall_frame *frame, struct file *file, int command)
{
	uint32_t arg = arg_u32(frame, 2);

	if (command == F_GETFL)
		return abi_open_flags_out(frame->abi, file_flags(file));
	switch (command) {
	case F_SETFL:
		return vfs_set_flags(frame->ctx, file, abi_open_flags(frame->abi, arg));
	case F_ADD_SEALS:
		return vfs_add_seals(frame->ctx, file, arg);
	case F_GET_SEALS:
		return vfs_get_seals(frame->ctx, file);
	default:
		return -EINVAL;
	}
}

long sys_fcntl(const struct syscall_frame *frame)
{
	struct fdtable *files = frame->process->files;
	int fd = arg_int(frame, 0), command = arg_int(frame, 1);
	struct file *file;
	long result;

	switch (command) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		return fd_dup(frame->ctx, files, fd, arg_u32(frame, 2), command == F_DUPFD_CLOEXEC);
	case F_GETFD:
		return fd_get_cloexec(frame->ctx, files, fd);
	case F_SETFD:
		return fd_set_cloexec(frame->ctx, files, fd, arg_u32(frame, 2) & FD_CLOEXEC);
	default:
		break;
	}
	/* Of one that only stands for a path the flags may be seen, and no more. */
	file = command == F_GETFL ? fd_get_any(frame->ctx, files, fd) : arg_file(frame, 0);
	if (file == NULL)
		return -EBADF;
	result = fcntl_file(frame, file, command);
	file_put(frame->ctx, file);
	return result;
}
