// SPDX-License-Identifier: MIT
/*
 * Seals of a memfd, and what a file says to being mapped.
 *
 * F_SEAL_WRITE and shared mappings that may write exclude each other. Both sides meet in one number of the object, and
 * whoever comes second is refused:
 *
 *	mmap         object_writer_get    n -> n + 1     -1: EPERM
 *	F_ADD_SEALS  object_deny_writers  0 -> -1        n > 0: EBUSY
 *
 * vfs_map reads that number only to answer early; mm changes it when the mapping is made, and a seal that came in
 * between is met there. That is why `demote` goes along: what mm shall do when it meets one.
 *
 * I1  seals are only ever added
 * I2  a call that fails has added none
 * I3  a mapping that max_prot lets write a shared file is counted in object->writers
 *
 * Locking: the inode's lock for the seals.
 * Linux: mm/memfd.c, mm/mmap.c (do_mmap). Not modelled yet: F_SEAL_FUTURE_WRITE, F_SEAL_EXEC.
 */
#include "vfs/file.h"

#include <errno.h>
#include <fcntl.h>

enum { KNOWN_SEALS = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE };
enum { READ = 1, WRITE = 2, EXEC = 4 };

static int add_seals_locked(struct inode *inode, uint32_t seals)
{
	int err = 0;

	if (inode->seals & F_SEAL_SEAL)
		return -EPERM;
	if (seals & F_SEAL_WRITE)
		err = object_deny_writers(inode->object);
	if (err == 0)
		inode->seals |= seals;
	return err;
}

int vfs_add_seals(struct ctx *ctx, struct file *file, uint32_t seals)
{
	struct inode *inode = file->inode;
	int err;

	if (!file_writable(file))
		return -EPERM;
	if (seals & ~(uint32_t)KNOWN_SEALS || inode->object == NULL)
		return -EINVAL;
	mutex_lock(ctx, &inode->lock);
	err = add_seals_locked(inode, seals);
	mutex_unlock(ctx, &inode->lock);
	return err;
}

int vfs_get_seals(struct ctx *ctx, struct file *file)
{
	struct inode *inode = file->inode;
	uint32_t seals;

	if (inode->object == NULL)
		return -EINVAL;
	mutex_lock(ctx, &inode->lock);
	seals = inode->seals;
	mutex_unlock(ctx, &inode->lock);
	return (int)seals;
}

/* A shared mapping through a description that may write. */
static int map_writable(struct ctx *ctx, const struct object *object, unsigned prot, struct vfs_mapping *out)
{
	bool denied = __atomic_load_n(&object->writers, __ATOMIC_ACQUIRE) < 0;

	out->demote = ctx->env->profile.write_sealed_map_shared_ro && !(prot & WRITE);
	if (denied && !out->demote)
		return -EPERM;
	if (denied)
		out->max_prot &= (uint8_t)~WRITE;
	return 0;
}

int vfs_map(struct ctx *ctx, struct file *file, unsigned prot, bool shared, struct vfs_mapping *out)
{
	struct object *object = file->inode->object;
	int err = 0;

	if (shared && prot & WRITE && !file_writable(file))
		return -EACCES;
	if (!file_readable(file))
		return -EACCES;
	if (object == NULL)
		return -ENODEV;
	*out = (struct vfs_mapping){
		.object = object,
		.backing = &file->backing,
		.max_prot = READ | WRITE | EXEC,
	};
	if (shared && file_writable(file))
		err = map_writable(ctx, object, prot, out);
	else if (shared)
		out->max_prot &= (uint8_t)~WRITE;
	if (err == 0 && !(file_flags(file) & FILE_NOATIME))
		inode_accessed(file->inode);
	return err;
}
