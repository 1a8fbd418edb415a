/* SPDX-License-Identifier: MIT */
/*
 * Inside syscall: paths of callers.
 */
#ifndef SYSCALL_PATH_H
#define SYSCALL_PATH_H

#include "syscall/handlers.h"
#include "vfs/path.h"

/** A path of a caller, copied in. */
struct arg_path {
	struct path_at at; /* path is text */
	char text[PATH_BYTES];
};

/**
 * Copy argument i in as a path relative to dirfd.
 * @param empty  whether "" is a path (AT_EMPTY_PATH)
 * 0; -EFAULT, -ENAMETOOLONG, -ENOENT (it is empty); of these path->text is then ""
 */
int arg_path(const struct syscall_frame *frame, int dirfd, unsigned i, bool empty, struct arg_path *path);

#endif
