/* SPDX-License-Identifier: MIT */
/*
 * What paths of a process depend on: its working directory, its root, its umask. Threads share it, and children of
 * clone(CLONE_FS); fork copies it.
 */
#ifndef VFS_FS_H
#define VFS_FS_H

#include "vfs/tree.h"

struct fs {
	struct ref ref;
	struct mutex lock;   /* RANK_FS */
	struct dentry *root; /* c  our reference */
	struct dentry *cwd;  /* l  our reference */
	uint32_t umask;      /* a  permission bits that new files do not get */
};

#define FS_UMASK 022u /* of a process that nobody has told otherwise */

/** In / with the usual umask. 0 or -ENOMEM. */
int fs_create(struct ctx *ctx, struct fs **out);
/** For fork. 0 or -ENOMEM. */
int fs_copy(struct ctx *ctx, struct fs *from, struct fs **out);
void fs_get(struct fs *fs);
/** NULL is legal. */
void fs_put(struct ctx *ctx, struct fs *fs);

/** The working directory, with a reference; NULL fs: the root. */
struct dentry *fs_cwd(struct ctx *ctx, struct fs *fs);
/** Where absolute paths begin, with a reference. */
struct dentry *fs_root(struct ctx *ctx, struct fs *fs);
/** Set the working directory; takes over the reference. */
void fs_set_cwd(struct ctx *ctx, struct fs *fs, struct dentry *dentry);

/** The caller's umask; 0 for the machine itself. */
static inline uint32_t fs_umask(const struct ctx *ctx)
{
	return ctx->fs != NULL ? __atomic_load_n(&ctx->fs->umask, __ATOMIC_RELAXED) : 0;
}

#endif
