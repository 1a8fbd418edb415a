// SPDX-License-Identifier: MIT
/*
 * Working directory, root and umask of a process.
 *
 * I1  root and cwd are directories, and held
 *
 * Locking: fs->lock for cwd, a moment only; the umask is an atomic word; root never changes.
 * Linux: fs/fs_struct.c. Not modelled: chroot.
 */
#include "vfs/fs.h"

#include <errno.h>

#include "host/kmem.h"

static struct fs *fs_alloc(struct ctx *ctx, uint32_t umask)
{
	struct fs *fs = kmem_alloc(ctx, sizeof(*fs));

	if (fs == NULL)
		return NULL;
	ref_init(&fs->ref);
	mutex_init(&fs->lock, RANK_FS);
	fs->umask = umask;
	return fs;
}

int fs_create(struct ctx *ctx, struct fs **out)
{
	struct fs *fs = fs_alloc(ctx, FS_UMASK);

	if (fs == NULL)
		return -ENOMEM;
	fs->root = tree_root(ctx);
	fs->cwd = tree_root(ctx);
	*out = fs;
	return 0;
}

int fs_copy(struct ctx *ctx, struct fs *from, struct fs **out)
{
	struct fs *fs = fs_alloc(ctx, __atomic_load_n(&from->umask, __ATOMIC_RELAXED));

	if (fs == NULL)
		return -ENOMEM;
	fs->root = fs_root(ctx, from);
	fs->cwd = fs_cwd(ctx, from);
	*out = fs;
	return 0;
}

static void fs_destroy(struct ctx *ctx, struct drop *drop)
{
	struct fs *fs = ref_container(drop, struct fs);

	dentry_put(ctx, fs->root);
	dentry_put(ctx, fs->cwd);
	mutex_fini(&fs->lock);
	kmem_free(ctx->env, fs, sizeof(*fs));
}

void fs_get(struct fs *fs)
{
	ref_get(&fs->ref);
}

void fs_put(struct ctx *ctx, struct fs *fs)
{
	if (fs != NULL)
		ref_put(ctx, &fs->ref, fs_destroy);
}

struct dentry *fs_cwd(struct ctx *ctx, struct fs *fs)
{
	struct dentry *cwd;

	if (fs == NULL)
		return tree_root(ctx);
	mutex_lock(ctx, &fs->lock);
	cwd = fs->cwd;
	dentry_get(cwd);
	mutex_unlock(ctx, &fs->lock);
	return cwd;
}

struct dentry *fs_root(struct ctx *ctx, struct fs *fs)
{
	if (fs == NULL)
		return tree_root(ctx);
	dentry_get(fs->root);
	return fs->root;
}

void fs_set_cwd(struct ctx *ctx, struct fs *fs, struct dentry *dentry)
{
	struct dentry *was;

	mutex_lock(ctx, &fs->lock);
	was = fs->cwd;
	fs->cwd = dentry;
	mutex_unlock(ctx, &fs->lock);
	dentry_put(ctx, was);
}
