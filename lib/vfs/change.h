/* SPDX-License-Identifier: MIT */
/*
 * Inside the tree: how names come and go, for open and for the calls that do nothing else.
 */
#ifndef VFS_CHANGE_H
#define VFS_CHANGE_H

#include "vfs/names.h"

/**
 * A new inode under a new name, made by the caller; mode before the umask has its bits.
 * 0 with a reference; -EEXIST, -ENOENT (the directory was removed), -EACCES, -ENAMETOOLONG, -EPERM, -ENOMEM
 */
int node_create(struct ctx *ctx, struct dentry *dir, struct component name, uint32_t mode, uint64_t rdev,
                const char *link, struct dentry **out);
/** The same of O_TMPFILE: with a dentry that dir does not list, and no links. 0; -EOPNOTSUPP, -ENOMEM */
int node_create_nameless(struct ctx *ctx, struct dentry *dir, uint32_t mode, struct dentry **out);

#endif
