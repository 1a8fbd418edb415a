// SPDX-License-Identifier: MIT
/*
 * Calls on names: those that open, make, move and remove what a path says.
 *
 * Flags are judged before the path is read, as on Linux; what opens a file reserves its descriptor before the walk, so
 * EMFILE comes before what the path has to say, and installing cannot fail. The calls without a directory are the
 * others with AT_FDCWD.
 *
 * I1  what a handler reads of its caller is read once
 *
 * Locking: none of its own. Linux: fs/open.c, fs/namei.c. Not modelled: openat2; mount points of a program's own.
 */
#include "syscall/path.h"

#include <errno.h>

#include "syscall/abi.h"

int arg_path(const struct syscall_frame *frame, int dirfd, unsigned i, bool empty, struct arg_path *path)
{
	ssize_t len;

	path->at = (struct path_at){ frame->process->files, dirfd, path->text };
	path->text[0] = '\0';
	len = copy_in_string(frame->ctx, path->text, arg_pointer(frame, i), sizeof(path->text));
	if (len < 0)
		return (int)len;
	return len == 0 && !empty ? -ENOENT : 0;
}

/* ---- open ---- */

static long open_path(const struct syscall_frame *frame, int dirfd, unsigned path, uint32_t flags, uint32_t mode)
{
	struct fdtable *files = frame->process->files;
	struct arg_path at;
	struct file *file;
	int err, fd;

	flags = abi_open_flags(frame->abi, flags);
	err = vfs_open_flags(&flags);
	if (err == 0)
		err = arg_path(frame, dirfd, path, false, &at);
	if (err < 0)
		return err;
	fd = fd_reserve(frame->ctx, files, 0, flags & FILE_CLOEXEC);
	if (fd < 0)
		return fd;
	err = vfs_open(frame->ctx, &at.at, flags, mode, &file);
	if (err < 0) {
		fd_unreserve(frame->ctx, files, fd);
		return err;
	}
	fd_install(frame->ctx, files, fd, file);
	return fd;
}

long sys_open(const struct syscall_frame *frame)
{
	return open_path(frame, AT_CWD, 0, arg_u32(frame, 1), arg_u32(frame, 2));
}

long sys_openat(const struct syscall_frame *frame)
{
	return open_path(frame, arg_int(frame, 0), 1, arg_u32(frame, 2), arg_u32(frame, 3));
}

long sys_creat(const struct syscall_frame *frame)
{
	const uint32_t flags = FILE_CREAT | FILE_WRONLY | FILE_TRUNC; /* the same bits in both ABIs */

	return open_path(frame, AT_CWD, 0, flags, arg_u32(frame, 1));
}

/* ---- make ---- */

static long make_dir(const struct syscall_frame *frame, int dirfd, unsigned path, uint32_t mode)
{
	struct arg_path at;
	int err = arg_path(frame, dirfd, path, false, &at);

	return err < 0 ? err : vfs_mkdir(frame->ctx, &at.at, mode);
}

long sys_mkdir(const struct syscall_frame *frame)
{
	return make_dir(frame, AT_CWD, 0, arg_u32(frame, 1));
}

long sys_mkdirat(const struct syscall_frame *frame)
{
	return make_dir(frame, arg_int(frame, 0), 1, arg_u32(frame, 2));
}

static long make_node(const struct syscall_frame *frame, int dirfd, unsigned path, uint32_t mode, uint32_t dev)
{
	struct arg_path at;
	int err = vfs_mknod_type(mode);

	if (err == 0)
		err = arg_path(frame, dirfd, path, false, &at);
	return err < 0 ? err : vfs_mknod(frame->ctx, &at.at, mode & 0xffff, dev);
}

long sys_mknod(const struct syscall_frame *frame)
{
	return make_node(frame, AT_CWD, 0, arg_u32(frame, 1), arg_u32(frame, 2));
}

long sys_mknodat(const struct syscall_frame *frame)
{
	return make_node(frame, arg_int(frame, 0), 1, arg_u32(frame, 2), arg_u32(frame, 3));
}

static long make_symlink(const struct syscall_frame *frame, unsigned target, int dirfd, unsigned path)
{
	struct arg_path to, at;
	int err = arg_path(frame, AT_CWD, target, false, &to);

	if (err == 0)
		err = arg_path(frame, dirfd, path, false, &at);
	return err < 0 ? err : vfs_symlink(frame->ctx, to.text, &at.at);
}

long sys_symlink(const struct syscall_frame *frame)
{
	return make_symlink(frame, 0, AT_CWD, 1);
}

long sys_symlinkat(const struct syscall_frame *frame)
{
	return make_symlink(frame, 0, arg_int(frame, 1), 2);
}

/*
 * A name for what has one. What is wrong with the second as a path is told after what is wrong with the way to the
 * first.
 */
struct two_paths {
	struct arg_path from, to;
	int to_err;
};

static int two_paths(const struct syscall_frame *frame, bool at, bool empty, struct two_paths *paths)
{
	int err = arg_path(frame, at ? arg_int(frame, 0) : AT_CWD, at ? 1 : 0, empty, &paths->from);

	if (err == 0)
		paths->to_err = arg_path(frame, at ? arg_int(frame, 2) : AT_CWD, at ? 3 : 1, false, &paths->to);
	return err;
}

static long link_paths(const struct syscall_frame *frame, bool at, uint32_t flags)
{
	struct ctx *ctx = frame->ctx;
	struct dentry *found;
	struct two_paths paths;
	int err = two_paths(frame, at, flags & AT_EMPTY, &paths);

	if (err < 0 || paths.to_err == 0)
		return err < 0 ? err : vfs_link(ctx, &paths.from.at, &paths.to.at, flags);
	err = vfs_link_from(ctx, &paths.from.at, flags, &found);
	if (err < 0)
		return err;
	dentry_put(ctx, found);
	return paths.to_err;
}

long sys_link(const struct syscall_frame *frame)
{
	return link_paths(frame, false, 0);
}

long sys_linkat(const struct syscall_frame *frame)
{
	uint32_t flags = arg_u32(frame, 4);

	if (flags & ~(uint32_t)(AT_FOLLOW | AT_EMPTY))
		return -EINVAL;
	return link_paths(frame, true, flags);
}

static long rename_paths(const struct syscall_frame *frame, bool at, uint32_t flags)
{
	struct two_paths paths;
	int err = vfs_rename_flags(flags);

	if (err == 0)
		err = two_paths(frame, at, false, &paths);
	if (err == 0 && paths.to_err < 0) {
		err = path_walk(frame->ctx, &paths.from.at);
		return err < 0 ? err : paths.to_err;
	}
	return err < 0 ? err : vfs_rename(frame->ctx, &paths.from.at, &paths.to.at, flags);
}

long sys_rename(const struct syscall_frame *frame)
{
	return rename_paths(frame, false, 0);
}

long sys_renameat(const struct syscall_frame *frame)
{
	return rename_paths(frame, true, 0);
}

long sys_renameat2(const struct syscall_frame *frame)
{
	return rename_paths(frame, true, arg_u32(frame, 4));
}

/* ---- remove ---- */

static long remove_path(const struct syscall_frame *frame, int dirfd, unsigned path, bool directory)
{
	struct arg_path at;
	int err = arg_path(frame, dirfd, path, false, &at);

	if (err < 0)
		return err;
	return directory ? vfs_rmdir(frame->ctx, &at.at) : vfs_unlink(frame->ctx, &at.at);
}

long sys_unlink(const struct syscall_frame *frame)
{
	return remove_path(frame, AT_CWD, 0, false);
}

long sys_rmdir(const struct syscall_frame *frame)
{
	return remove_path(frame, AT_CWD, 0, true);
}

long sys_unlinkat(const struct syscall_frame *frame)
{
	uint32_t flags = arg_u32(frame, 2);

	if (flags & ~(uint32_t)AT_RMDIR)
		return -EINVAL;
	return remove_path(frame, arg_int(frame, 0), 1, flags & AT_RMDIR);
}

/* ---- read ---- */

static long read_link(const struct syscall_frame *frame, int dirfd, unsigned path)
{
	char text[PATH_BYTES];
	struct arg_path at;
	ssize_t n;
	int err;

	if (arg_int(frame, path + 2) <= 0)
		return -EINVAL;
	err = arg_path(frame, dirfd, path, true, &at);
	if (err < 0)
		return err;
	n = vfs_readlink(frame->ctx, &at.at, text, MIN((size_t)arg_int(frame, path + 2), sizeof(text)));
	if (n > 0)
		err = copy_out(frame->ctx, arg_pointer(frame, path + 1), text, (size_t)n);
	return err < 0 ? err : n;
}

long sys_readlink(const struct syscall_frame *frame)
{
	return read_link(frame, AT_CWD, 0);
}

long sys_readlinkat(const struct syscall_frame *frame)
{
	return read_link(frame, arg_int(frame, 0), 1);
}

long sys_getdents64(const struct syscall_frame *frame)
{
	struct file *file = arg_file(frame, 0);
	ssize_t n;

	if (file == NULL)
		return -EBADF;
	/* More than an int holds is negative to Linux, and so too little for any entry. */
	n = vfs_getdents(frame->ctx, file, arg_pointer(frame, 1), arg_int(frame, 2) < 0 ? 0 : arg_u32(frame, 2));
	file_put(frame->ctx, file);
	return n;
}
