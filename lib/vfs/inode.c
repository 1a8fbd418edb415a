// SPDX-License-Identifier: MIT
/*
 * Inodes: identity, times, and for files the object that holds their pages.
 *
 * An inode lives as long as a description is open on it or a name leads to it (tree.c). The object is the inode's own;
 * mappings hold references of their own to object and description, so neither goes under their feet.
 *
 * A process takes numbers for its inodes in batches, so that two that make files at the same time do not write one
 * counter in turns.
 *
 * I1  ino is unique in the machine and never 0
 * I2  an inode with an object holds exactly one reference on it
 *
 * Locking: inode->lock for what may change. Its holder may copy from user memory, so it is taken under no map lock.
 * The access time is an atomic word of its own, so that readers of one file do not queue up for it.
 * Linux: fs/inode.c (get_next_ino), fs/stat.c.
 */
#include "vfs/inode.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "host/kmem.h"
#include "host/wait.h"
#include "vfs/names.h"

/* Devices as fstat shows them: 00:01 holds memfds on Linux, sockets have a device of their own. */
enum { DEV_SOCKETS = 8 };
enum { INO_BATCH = 64 };

static void inode_destroy(struct ctx *ctx, struct drop *drop)
{
	struct inode *inode = ref_container(drop, struct inode);

	object_put(ctx, inode->object);
	tree_inode_fini(ctx, inode);
	mutex_fini(&inode->lock);
	origin_clear(&inode->origin);
	kmem_free(ctx->env, inode, sizeof(*inode));
}

/* The next of the batch that the caller's process has; at its end, the first of a new one. */
static uint64_t new_ino(struct ctx *ctx)
{
	uint64_t *next = &ctx->owner->next_ino;
	uint64_t was = __atomic_load_n(next, __ATOMIC_RELAXED);
	uint64_t ino;

	do {
		ino = was;
		if (ino % INO_BATCH == 0)
			ino = __atomic_add_fetch(&ctx->env->ino_batches, 1, __ATOMIC_RELAXED) * INO_BATCH;
	} while (!__atomic_compare_exchange_n(next, &was, ino + 1, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	return ino;
}

int inode_create(struct ctx *ctx, uint32_t mode, const char *name, struct object *object, struct inode **out)
{
	struct inode *inode = kmem_alloc(ctx, sizeof(*inode));

	if (inode == NULL)
		return -ENOMEM;
	ref_init(&inode->ref);
	origin_set(ctx, &inode->origin, CENSUS_INODE);
	mutex_init(&inode->lock, RANK_INODE);
	inode->ino = new_ino(ctx);
	inode->mode = mode;
	inode->nlink = 1;
	inode->object = object;
	inode->uid = ctx->creds != NULL ? creds_load(&ctx->creds->fsuid) : 0;
	inode->gid = ctx->creds != NULL ? creds_load(&ctx->creds->fsgid) : 0;
	inode->atime_ns = inode->mtime_ns = inode->ctime_ns = host_realtime_ns();
	memcpy(inode->name, name, strnlen(name, sizeof(inode->name) - 1));
	*out = inode;
	return 0;
}

void inode_get(struct inode *inode)
{
	ref_get(&inode->ref);
}

void inode_put(struct ctx *ctx, struct inode *inode)
{
	if (inode != NULL)
		ref_put(ctx, &inode->ref, inode_destroy);
}

void inode_accessed(struct inode *inode)
{
	if (inode->dev != 0 && !node_access_counts(inode))
		return;
	__atomic_store_n(&inode->atime_ns, host_realtime_ns(), __ATOMIC_RELAXED);
}

void inode_modified_locked(struct inode *inode)
{
	uint64_t now = host_realtime_ns();

	__atomic_store_n(&inode->mtime_ns, now, __ATOMIC_RELAXED);
	__atomic_store_n(&inode->ctime_ns, now, __ATOMIC_RELAXED);
}

void inode_changed_locked(struct inode *inode)
{
	__atomic_store_n(&inode->ctime_ns, host_realtime_ns(), __ATOMIC_RELAXED);
}

void inode_stat(struct ctx *ctx, struct inode *inode, struct kstat *out)
{
	mutex_lock(ctx, &inode->lock);
	*out = (struct kstat){
		.dev = inode->object == NULL    ? DEV_SOCKETS
		       : inode->huge_bytes != 0 ? DEV_HUGE
		                                : DEV_MEMORY,
		.ino = inode->ino,
		.nlink = inode->nlink,
		.blksize = PAGE_BYTES,
		.mode = inode->mode,
		.uid = inode->uid,
		.gid = inode->gid,
		.atime_ns = __atomic_load_n(&inode->atime_ns, __ATOMIC_RELAXED),
		.mtime_ns = inode->mtime_ns,
		.ctime_ns = inode->ctime_ns,
	};
	if (inode->dev != 0) {
		out->dev = inode->dev;
		out->rdev = inode->rdev;
		out->btime_ns = inode->btime_ns;
		out->size = inode->bytes;
		out->blocks = node_blocks(inode);
	}
	if (inode->object != NULL) {
		out->size = object_size(inode->object);
		out->blksize = inode->huge_bytes != 0 ? inode->huge_bytes : PAGE_BYTES;
		out->blocks = object_pages(ctx, inode->object) * (PAGE_BYTES / S_BLKSIZE);
	}
	mutex_unlock(ctx, &inode->lock);
}
