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
 * F_SEAL_FUTURE_WRITE leaves mappings alone that may write already; one that is made later may not, ever.
 * F_SEAL_EXEC of a file that may be executed brings all the others that keep it as it is.
 *
 * I1  seals are only ever added
 * I2  a call that fails has added none
 * I3  a mapping that max_prot lets write a shared file is counted in object->writers
 *
 * Locking: the inode's lock to add seals; mmap looks at them without, as on Linux.
 * Linux: mm/memfd.c, mm/mmap.c (do_mmap). Not modelled: before 6.7, a mapping that F_SEAL_FUTURE_WRITE has made
 * read-only keeps F_SEAL_WRITE away (EBUSY).
 */
#include "vfs/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

enum { READ = 1, WRITE = 2, EXEC = 4 };
enum { EXEC_BITS = 0111, SEALS_OF_EXEC = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | SEAL_FUTURE_WRITE };

static uint32_t known_seals(const struct ctx *ctx)
{
	return F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE |
	       (ctx->env->profile.seal_future_write ? SEAL_FUTURE_WRITE : 0) |
	       (ctx->env->profile.memfd_noexec ? SEAL_EXEC : 0);
}

static int add_seals_locked(const struct ctx *ctx, struct inode *inode, uint32_t seals)
{
	uint32_t implied = seals & SEAL_EXEC && inode->mode & EXEC_BITS ? SEALS_OF_EXEC : 0;
	int err = 0;

	if (inode->seals & F_SEAL_SEAL)
		return -EPERM;
	if (ctx->env->profile.seal_exec_denies_writers)
		seals |= implied;
	if (seals & F_SEAL_WRITE)
		err = object_deny_writers(inode->object);
	if (err == 0)
		__atomic_fetch_or(&inode->seals, seals | implied, __ATOMIC_RELEASE);
	return err;
}

int vfs_add_seals(struct ctx *ctx, struct file *file, uint32_t seals)
{
	struct inode *inode = file->inode;
	int err;

	if (!file_writable(file))
		return -EPERM;
	if (seals & ~known_seals(ctx) || inode->object == NULL)
		return -EINVAL;
	mutex_lock(ctx, &inode->lock);
	err = add_seals_locked(ctx, inode, seals);
	mutex_unlock(ctx, &inode->lock);
	return err;
}

int vfs_get_seals(struct ctx *ctx, struct file *file)
{
	const struct inode *inode = file->inode;

	(void)ctx;
	return inode->object != NULL ? (int)__atomic_load_n(&inode->seals, __ATOMIC_ACQUIRE) : -EINVAL;
}

/* A shared mapping through a description that may write. */
static int map_writable(struct ctx *ctx, const struct inode *inode, unsigned prot, struct vfs_mapping *out)
{
	const uint32_t seals = __atomic_load_n(&inode->seals, __ATOMIC_ACQUIRE);
	bool denied = __atomic_load_n(&inode->object->writers, __ATOMIC_ACQUIRE) < 0 || seals & F_SEAL_WRITE;

	out->demote = ctx->env->profile.write_sealed_map_shared_ro && !(prot & WRITE);
	if (denied && !out->demote)
		return -EPERM;
	if (seals & SEAL_FUTURE_WRITE && prot & WRITE)
		return -EPERM;
	if (denied || seals & SEAL_FUTURE_WRITE)
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
		return prot & EXEC && S_ISSOCK(file->inode->mode) ? -EPERM
		                                                  : -ENODEV; /* sockets are on a noexec mount */
	*out = (struct vfs_mapping){
		.object = object,
		.backing = &file->backing,
		.max_prot = READ | WRITE | EXEC,
		.huge = file->inode->huge_bytes != 0,
	};
	if (shared && file_writable(file))
		err = map_writable(ctx, file->inode, prot, out);
	else if (shared)
		out->max_prot &= (uint8_t)~WRITE;
	if (err == 0 && !(file_flags(file) & FILE_NOATIME))
		inode_accessed(file->inode);
	return err;
}
