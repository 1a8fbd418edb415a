// SPDX-License-Identifier: MIT
/*
 * What an inode says of itself and is told: stat, access, chmod, chown, times; and where a process is.
 *
 * Who may change what, as Linux has it on a tmpfs:
 *
 *	mode            its owner; S_ISGID only who is in its group too
 *	user            root; to itself its owner
 *	group           its owner, to a group of its own
 *	times, now      its owner, or who may write it
 *	times, others   its owner
 *
 * and root all of it. A change of owner takes S_ISUID away from what is no directory, and S_ISGID if its group may
 * execute it; so does one that changes neither user nor group, which anybody may ask for where there is no such bit.
 *
 * An access is stamped as by a mount with relatime: if the last one is not younger than the last change, or a day old.
 *
 * I1  mode, uid, gid and the times of a change are written under the inode's lock
 *
 * Locking: the inode's lock.
 * Linux: fs/stat.c, fs/open.c (do_faccessat, chmod_common, chown_common), fs/attr.c, fs/utimes.c, fs/inode.c,
 * fs/d_path.c.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "host/wait.h"
#include "phys/phys.h"
#include "vfs/names.h"

#define NS_PER_S INT64_C(1000000000)
#define DAY_S    (INT64_C(24) * 3600)

enum { MODE_BITS = 07777 };
enum { SHORT_LINK = 128 }; /* tmpfs keeps a longer text in a page */

bool node_access_counts(const struct inode *inode)
{
	int64_t atime = (int64_t)__atomic_load_n(&inode->atime_ns, __ATOMIC_RELAXED);
	int64_t mtime = (int64_t)__atomic_load_n(&inode->mtime_ns, __ATOMIC_RELAXED);
	int64_t ctime = (int64_t)__atomic_load_n(&inode->ctime_ns, __ATOMIC_RELAXED);

	return atime <= mtime || atime <= ctime || (int64_t)host_realtime_ns() / NS_PER_S - atime / NS_PER_S >= DAY_S;
}

uint64_t node_blocks(const struct inode *inode)
{
	return inode->link != NULL && inode->bytes >= SHORT_LINK ? PAGE_BYTES / S_BLKSIZE : 0;
}

/* ---- looking ---- */

int vfs_stat_at(struct ctx *ctx, const struct path_at *at, unsigned flags, struct kstat *out)
{
	struct dentry *dentry;
	int err = path_lookup(ctx, at, flags, &dentry);

	if (err < 0)
		return err;
	inode_stat(ctx, dentry->inode, out);
	dentry_put(ctx, dentry);
	return 0;
}

static ssize_t link_text(struct ctx *ctx, struct inode *inode, char *text, size_t size)
{
	char made_up[PATH_TEXT_MAX];
	size_t n;
	int len;

	inode_accessed(inode);
	if (inode->link != NULL) {
		n = MIN(strlen(inode->link), size);
		memcpy(text, inode->link, n);
		return (ssize_t)n;
	}
	len = inode->gen->readlink(ctx, inode, made_up, sizeof(made_up));
	if (len < 0)
		return len;
	n = MIN((size_t)len, MIN(sizeof(made_up) - 1, size));
	memcpy(text, made_up, n);
	return (ssize_t)n;
}

ssize_t vfs_readlink(struct ctx *ctx, const struct path_at *at, char *text, size_t size)
{
	struct dentry *dentry;
	ssize_t n = path_lookup(ctx, at, AT_NOFOLLOW | AT_EMPTY, &dentry);

	/* An empty path is for a link that is open, and for nothing else. */
	if (n == 0 && *at->path == '\0' && at->dirfd == PATH_CWD) {
		dentry_put(ctx, dentry);
		return -ENOENT;
	}
	if (n < 0)
		return n;
	if (S_ISLNK(inode_mode(dentry->inode)))
		n = link_text(ctx, dentry->inode, text, size);
	else
		n = *at->path == '\0' ? -ENOENT : -EINVAL;
	dentry_put(ctx, dentry);
	return n;
}

/* The same caller, as its real user and group; another thread of it may be changing them. */
static void copy_real(const struct creds *from, struct creds *real)
{
	*real = (struct creds){ .uid = creds_load(&from->uid), .gid = creds_load(&from->gid) };
	real->fsuid = real->uid;
	real->fsgid = real->gid;
	real->euid = creds_load(&from->euid);
	real->egid = creds_load(&from->egid);
	real->ngroups = creds_load(&from->ngroups);
	real->serial = __atomic_load_n(&from->serial, __ATOMIC_RELAXED);
	for (uint32_t i = 0; i < real->ngroups; i++)
		real->groups[i] = creds_load(&from->groups[i]);
}

int vfs_access(struct ctx *ctx, const struct path_at *at, unsigned mask, unsigned flags, bool effective)
{
	const struct creds *was = ctx->creds;
	struct dentry *dentry;
	struct creds real;
	int err;

	if (!effective && was != NULL) {
		copy_real(was, &real);
		ctx->creds = &real;
	}
	err = path_lookup(ctx, at, flags, &dentry);
	if (err == 0) {
		err = inode_permission(ctx, dentry->inode, mask);
		dentry_put(ctx, dentry);
	}
	ctx->creds = was;
	return err;
}

void inode_statfs(struct ctx *ctx, const struct inode *inode, struct kstatfs *out)
{
	enum { TMPFS = 0x01021994, PROC = 0x9fa0, SOCKETS = 0x534f434b, HUGE = 0x958458f6 };
	enum { VALID = 0x20, RELATIME = 0x1000 };

	*out = (struct kstatfs){
		.bsize = PAGE_BYTES,
		.frsize = PAGE_BYTES,
		.namelen = PATH_NAME_MAX,
		.flags = VALID | RELATIME,
		.fsid = inode->dev,
	};
	if (inode->gen != NULL) {
		out->type = PROC;
	} else if (S_ISSOCK(inode_mode(inode)) && inode->dev == 0) {
		out->type = SOCKETS;
	} else if (inode->huge_bytes != 0) {
		out->type = HUGE;
		out->bsize = out->frsize = inode->huge_bytes;
		out->flags = VALID;
	} else {
		out->type = TMPFS;
		out->blocks = phys_total_frames(ctx->env->phys);
		out->bfree = out->bavail = phys_free_frames(ctx);
	}
}

/* ---- where the caller is ---- */

/* Takes over the reference. */
static int enter_dir(struct ctx *ctx, struct dentry *dir)
{
	int err = may_search(ctx, dir);

	if (err < 0 || ctx->fs == NULL)
		dentry_put(ctx, dir);
	else
		fs_set_cwd(ctx, ctx->fs, dir);
	return err;
}

int vfs_chdir(struct ctx *ctx, const struct path_at *at)
{
	struct dentry *dir;
	int err = path_lookup(ctx, at, 0, &dir);

	return err < 0 ? err : enter_dir(ctx, dir);
}

int vfs_fchdir(struct ctx *ctx, struct file *file)
{
	if (file->dentry == NULL)
		return -ENOTDIR;
	dentry_get(file->dentry);
	return enter_dir(ctx, file->dentry);
}

ssize_t vfs_getcwd(struct ctx *ctx, char *text, size_t size)
{
	struct dentry *cwd = fs_cwd(ctx, ctx->fs);
	char path[PATH_TEXT_MAX + sizeof(" (deleted)")];
	int n = dentry_path(cwd, path, sizeof(path));
	bool gone;

	rwlock_read(ctx, &ctx->env->tree->lock);
	gone = !cwd->listed && !cwd->made_up && cwd->parent != cwd;
	rwlock_read_unlock(ctx, &ctx->env->tree->lock);
	dentry_put(ctx, cwd);
	if (gone)
		return -ENOENT;
	if (n < 0)
		return n;
	if ((size_t)n + 1 > size)
		return -ERANGE;
	memcpy(text, path, (size_t)n + 1);
	return n + 1;
}

/* ---- changing ---- */

static void set_locked(uint32_t *member, uint32_t value)
{
	__atomic_store_n(member, value, __ATOMIC_RELAXED);
}

static int chmod_locked(struct ctx *ctx, struct inode *inode, uint32_t mode)
{
	if (!inode_owned(ctx, inode))
		return -EPERM;
	if (inode->object != NULL && inode->seals & SEAL_EXEC && (mode ^ inode->mode) & 0111)
		return -EPERM;
	if (!creds_fs_privileged(ctx) && !caller_in_group(ctx, inode->gid))
		mode &= ~(uint32_t)S_ISGID;
	set_locked(&inode->mode, (inode->mode & S_IFMT) | (mode & MODE_BITS));
	inode_changed_locked(inode);
	return 0;
}

int inode_chmod(struct ctx *ctx, struct inode *inode, uint32_t mode)
{
	int err;

	if (S_ISLNK(inode_mode(inode)))
		return -EOPNOTSUPP;
	if (inode->gen != NULL)
		return -EPERM;
	mutex_lock(ctx, &inode->lock);
	err = chmod_locked(ctx, inode, mode);
	mutex_unlock(ctx, &inode->lock);
	return err;
}

int vfs_chmod_at(struct ctx *ctx, const struct path_at *at, uint32_t mode, unsigned flags)
{
	struct dentry *dentry;
	int err = path_lookup(ctx, at, flags, &dentry);

	if (err < 0)
		return err;
	err = inode_chmod(ctx, dentry->inode, mode);
	dentry_put(ctx, dentry);
	return err;
}

static bool may_chown(const struct ctx *ctx, const struct inode *inode, uint32_t uid, uint32_t gid)
{
	bool mine;

	if (creds_fs_privileged(ctx))
		return true;
	mine = creds_load(&ctx->creds->fsuid) == inode->uid;
	if (uid != UINT32_MAX && !(mine && uid == inode->uid))
		return false;
	return gid == UINT32_MAX || (mine && (gid == inode->gid || caller_in_group(ctx, gid)));
}

/* The mode after a change of owner. */
static uint32_t tame(const struct ctx *ctx, const struct inode *inode)
{
	uint32_t mode = inode->mode;

	if (S_ISDIR(mode))
		return mode;
	if (mode & S_ISGID && (mode & S_IXGRP || (!creds_fs_privileged(ctx) && !caller_in_group(ctx, inode->gid))))
		mode &= ~(uint32_t)S_ISGID;
	return mode & ~(uint32_t)S_ISUID;
}

static int chown_locked(struct ctx *ctx, struct inode *inode, uint32_t uid, uint32_t gid)
{
	uint32_t mode = tame(ctx, inode);

	/* Even a change of nothing takes the bits away, and may be refused for that. */
	if (!may_chown(ctx, inode, uid, gid) || (mode != inode->mode && !inode_owned(ctx, inode)))
		return -EPERM;
	set_locked(&inode->mode, mode);
	if (uid != UINT32_MAX)
		set_locked(&inode->uid, uid);
	if (gid != UINT32_MAX)
		set_locked(&inode->gid, gid);
	inode_changed_locked(inode);
	return 0;
}

int inode_chown(struct ctx *ctx, struct inode *inode, uint32_t uid, uint32_t gid)
{
	int err;

	if (inode->gen != NULL && inode->gen->fixed && (uid != UINT32_MAX || gid != UINT32_MAX))
		return -EPERM;
	/* Whose it is, the process it is about says anew at every look. */
	if (inode->gen != NULL)
		return may_chown(ctx, inode, uid, gid) ? 0 : -EPERM;
	mutex_lock(ctx, &inode->lock);
	err = chown_locked(ctx, inode, uid, gid);
	mutex_unlock(ctx, &inode->lock);
	return err;
}

int vfs_chown_at(struct ctx *ctx, const struct path_at *at, uint32_t uid, uint32_t gid, unsigned flags)
{
	struct dentry *dentry;
	int err = path_lookup(ctx, at, flags, &dentry);

	if (err < 0)
		return err;
	err = inode_chown(ctx, dentry->inode, uid, gid);
	dentry_put(ctx, dentry);
	return err;
}

static uint64_t time_of(uint64_t wanted, uint64_t was, uint64_t now)
{
	return wanted == TIME_NOW ? now : wanted == TIME_OMIT ? was : wanted;
}

int inode_set_times(struct ctx *ctx, struct inode *inode, const struct times *times)
{
	uint64_t now = host_realtime_ns();
	bool touch = times->atime_ns == TIME_NOW && times->mtime_ns == TIME_NOW;
	uint64_t was;

	if (times->invalid)
		return -EINVAL;
	if (!inode_owned(ctx, inode)) {
		if (!touch)
			return -EPERM;
		if (inode_permission(ctx, inode, MAY_WRITE) < 0)
			return -EACCES;
	}
	mutex_lock(ctx, &inode->lock);
	was = __atomic_load_n(&inode->atime_ns, __ATOMIC_RELAXED);
	__atomic_store_n(&inode->atime_ns, time_of(times->atime_ns, was, now), __ATOMIC_RELAXED);
	__atomic_store_n(&inode->mtime_ns, time_of(times->mtime_ns, inode->mtime_ns, now), __ATOMIC_RELAXED);
	inode_changed_locked(inode);
	mutex_unlock(ctx, &inode->lock);
	return 0;
}

int vfs_utimens_at(struct ctx *ctx, const struct path_at *at, const struct times *times, unsigned flags)
{
	struct dentry *dentry;
	int err = path_lookup(ctx, at, flags, &dentry);

	if (err < 0)
		return err;
	err = inode_set_times(ctx, dentry->inode, times);
	dentry_put(ctx, dentry);
	return err;
}

int vfs_truncate_at(struct ctx *ctx, const struct path_at *at, int64_t length)
{
	struct dentry *dentry;
	uint32_t mode;
	int err;

	if (length < 0)
		return -EINVAL;
	err = path_lookup(ctx, at, 0, &dentry);
	if (err < 0)
		return err;
	mode = inode_mode(dentry->inode);
	if (S_ISDIR(mode))
		err = -EISDIR;
	else if (!S_ISREG(mode))
		err = -EINVAL;
	else
		err = inode_permission(ctx, dentry->inode, MAY_WRITE);
	if (err == 0 && dentry->inode->gen == NULL)
		err = inode_truncate(ctx, dentry->inode, (uint64_t)length, false);
	dentry_put(ctx, dentry);
	return err;
}
