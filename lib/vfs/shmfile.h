/* SPDX-License-Identifier: MIT */
/*
 * A regular file whose pages are an object, with or without a name in a directory: content and size, under the inode's
 * lock, held to its seals and to the caller's limit of file sizes.
 */
#ifndef VFS_SHMFILE_H
#define VFS_SHMFILE_H

#include "vfs/file.h"

/** For file_ops, of any file that has an object and is seekable. */
ssize_t shmfile_read(struct ctx *ctx, struct file *file, struct uio *uio, uint64_t *pos);
ssize_t shmfile_write(struct ctx *ctx, struct file *file, struct uio *uio, uint64_t *pos);

#endif
