// SPDX-License-Identifier: MIT
/*
 * Names that come and go: mknod, mkdir, symlink, link, unlink, rmdir, rename.
 *
 * Each walks to the directory, makes all that can run out, and then, under the tree's lock for writing, looks the name
 * up again, judges, and changes things by steps that cannot fail. What a change leaves over is put after the lock.
 *
 *	                 the directory            the inode
 *	a name comes     mtime, ctime, size       ctime if it had one already
 *	a name goes      mtime, ctime, size       ctime, nlink
 *	a name moves     both: mtime, ctime       ctime
 *
 * The order of refusals is Linux's: of the walk, EEXIST or ENOENT of the name itself, EXDEV, permission of the
 * directory, kind (ENOTDIR, EISDIR), EBUSY, ENOTEMPTY.
 *
 * I1  a directory comes into no directory that lies in it: rename judges that under the lock under which parents change
 * I2  nlink and size of a directory, and nlink of all others, change under the tree's lock (and the inode's, for stat)
 *
 * Locking: the tree's for writing, then one inode's at a time.
 * Linux: fs/namei.c (filename_create, may_delete, vfs_*), mm/shmem.c, fs/libfs.c. protected_hardlinks is 1. Not
 * modelled: quotas, RLIMIT_FSIZE of names, immutable and append-only files.
 */
#include "vfs/change.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "host/wait.h"

/* ---- what inodes are told; the tree's lock is held for writing ---- */

/* Names have come into a directory or left it. */
static void dir_changed(struct ctx *ctx, struct inode *dir, int names, int subdirs)
{
	mutex_lock(ctx, &dir->lock);
	dir->bytes += (uint64_t)((int64_t)names * NAME_CHARGE);
	dir->nlink += (uint32_t)subdirs;
	inode_modified_locked(dir);
	mutex_unlock(ctx, &dir->lock);
}

static void links_changed(struct ctx *ctx, struct inode *inode, int links)
{
	mutex_lock(ctx, &inode->lock);
	inode->nlink += (uint32_t)links;
	inode_changed_locked(inode);
	mutex_unlock(ctx, &inode->lock);
}

static bool is_dir(const struct dentry *dentry)
{
	return S_ISDIR(inode_mode(dentry->inode));
}

/* List a dentry that nobody knows yet. */
static void list_new(struct ctx *ctx, struct dentry *dentry)
{
	dir_changed(ctx, dentry->parent->inode, 1, is_dir(dentry));
	dir_insert_locked(ctx, dentry);
}

/* Take a name away. The directory's reference on it is put. */
static void take_away(struct ctx *ctx, struct dentry *dentry)
{
	bool dir = is_dir(dentry);

	dir_changed(ctx, dentry->parent->inode, -1, -(int)dir);
	links_changed(ctx, dentry->inode, dir ? -2 : -1);
	if (dir)
		__atomic_store_n(&dentry_dir(dentry)->dead, true, __ATOMIC_RELAXED);
	dir_remove_locked(ctx, dentry);
	dentry_put(ctx, dentry);
}

/* ---- may it be ---- */

static int may_change(const struct ctx *ctx, const struct dentry *dir)
{
	return inode_permission(ctx, dir->inode, MAY_WRITE | MAY_EXEC);
}

/* In a directory with the sticky bit only its owner and the file's may take a name away. */
static bool is_stuck(const struct ctx *ctx, const struct dentry *dir, const struct inode *inode)
{
	return inode_mode(dir->inode) & S_ISVTX && !inode_owned(ctx, inode) && !inode_owned(ctx, dir->inode);
}

/* Whether the caller may take a name off dir; as_dir: by a call that takes directories. */
static int may_delete(const struct ctx *ctx, const struct dentry *dir, const struct dentry *victim, bool as_dir)
{
	int err = may_change(ctx, dir);

	if (err < 0)
		return err;
	if (is_stuck(ctx, dir, victim->inode))
		return -EPERM;
	if (as_dir != is_dir(victim))
		return as_dir ? -ENOTDIR : -EISDIR;
	return 0;
}

/* ---- new inodes ---- */

static int create_listed(struct ctx *ctx, struct dentry *dir, struct component name, struct inode *inode,
                         struct dentry **out)
{
	struct tree *tree = ctx->env->tree;
	struct dentry *dentry;
	int err = dentry_create(ctx, dir, name, inode, &dentry);

	if (err < 0)
		return err;
	inode_get(inode); /* the caller's, until it knows that this worked */
	rwlock_write(ctx, &tree->lock);
	if (dentry_is_dead(dir))
		err = -ENOENT;
	else if (dir_find_locked(dir, name) != NULL)
		err = -EEXIST;
	else
		list_new(ctx, dentry);
	rwlock_write_unlock(ctx, &tree->lock);
	if (err == 0) {
		inode_put(ctx, inode);
		*out = dentry;
	} else {
		dentry_put(ctx, dentry);
	}
	return err;
}

/*
 * The mode of what the caller makes in a directory. S_ISGID that would be of a group which is not the caller's goes
 * by what it asks for, before the umask has its bits.
 */
static uint32_t mode_in(struct ctx *ctx, const struct inode *dir, uint32_t mode)
{
	const uint32_t both = S_ISGID | S_IXGRP;

	if (S_ISLNK(mode))
		return mode;
	if (!S_ISDIR(mode) && inode_mode(dir) & S_ISGID && (mode & both) == both && !creds_fs_privileged(ctx) &&
	    !caller_in_group(ctx, __atomic_load_n(&dir->gid, __ATOMIC_RELAXED)))
		mode &= ~(uint32_t)S_ISGID;
	return mode & ~fs_umask(ctx);
}

int node_create(struct ctx *ctx, struct dentry *dir, struct component name, uint32_t mode, uint64_t rdev,
                const char *link, struct dentry **out)
{
	struct inode *inode;
	int err;

	KSIM_ASSERT(ctx, name.len <= PATH_NAME_MAX && dir->inode->gen == NULL, "who makes a name has looked for it",
	            "%u", name.len);
	if (dentry_is_dead(dir))
		return -ENOENT;
	err = may_change(ctx, dir);
	if (err < 0)
		return err;
	err = tree_inode_create(ctx, dir->inode, mode_in(ctx, dir->inode, mode), rdev, link, &inode);
	if (err < 0)
		return err;
	err = create_listed(ctx, dir, name, inode, out);
	if (err < 0)
		inode_put(ctx, inode);
	return err;
}

int node_create_nameless(struct ctx *ctx, struct dentry *dir, uint32_t mode, struct dentry **out)
{
	char name[32];
	struct inode *inode;
	int err;

	if (dir->inode->gen != NULL)
		return -EOPNOTSUPP;
	err = tree_inode_create(ctx, dir->inode, mode_in(ctx, dir->inode, mode), 0, NULL, &inode);
	if (err < 0)
		return err;
	inode->nlink = 0;
	snprintf(name, sizeof(name), "#%" PRIu64, inode->ino);
	err = dentry_create(ctx, dir, (struct component){ name, (uint32_t)strlen(name) }, inode, out);
	if (err < 0)
		inode_put(ctx, inode);
	return err;
}

/*
 * Walk to where a name is to be made, and see that it is not there; only directories may be called "x/". walk_end
 * follows in any case.
 */
static int begin_create(struct ctx *ctx, const struct path_at *at, bool dir, struct walk *w)
{
	struct dentry *found;
	int err = walk_begin(w, ctx, at);

	if (err < 0)
		return err;
	if (w->kind != LAST_NAME)
		return -EEXIST;
	err = walk_find_last(w, &found);
	if (err == 0) {
		dentry_put(ctx, found);
		return -EEXIST;
	}
	if (err == -ENOENT && w->at->inode->gen == NULL && !(w->slash && !dir) && !dentry_is_dead(w->at))
		return 0;
	return err;
}

static int make_node(struct ctx *ctx, const struct path_at *at, uint32_t mode, uint64_t rdev, const char *link,
                     struct dentry **out)
{
	struct walk w;
	int err;

	if (*at->path == '\0')
		return -ENOENT;
	err = begin_create(ctx, at, S_ISDIR(mode), &w);
	if (err == 0)
		err = node_create(ctx, w.at, w.last, mode, rdev, link, out);
	walk_end(&w);
	return err;
}

static int make_and_forget(struct ctx *ctx, const struct path_at *at, uint32_t mode, uint64_t rdev, const char *link)
{
	struct dentry *made;
	int err = make_node(ctx, at, mode, rdev, link, &made);

	if (err == 0)
		dentry_put(ctx, made);
	return err;
}

/* Devices are root's to make; who is not hears first what is wrong with the path. */
static int refuse_device(struct ctx *ctx, const struct path_at *at)
{
	struct walk w;
	int err;

	if (*at->path == '\0')
		return -ENOENT;
	err = begin_create(ctx, at, false, &w);
	if (err == 0)
		err = may_change(ctx, w.at);
	walk_end(&w);
	return err < 0 ? err : -EPERM;
}

int vfs_mknod_type(uint32_t mode)
{
	switch (mode & S_IFMT) {
	case 0:
	case S_IFREG:
	case S_IFSOCK:
	case S_IFIFO:
	case S_IFCHR:
	case S_IFBLK:
		return 0;
	case S_IFDIR:
		return -EPERM;
	default:
		return -EINVAL;
	}
}

int vfs_mknod(struct ctx *ctx, const struct path_at *at, uint32_t mode, uint64_t rdev)
{
	uint32_t type = (mode & S_IFMT) != 0 ? mode & S_IFMT : S_IFREG;
	int err = vfs_mknod_type(mode);
	bool device = type == S_IFCHR || type == S_IFBLK;
	bool whiteout = type == S_IFCHR && rdev == 0;

	if (err < 0)
		return err;
	if (device && !whiteout && !creds_privileged(ctx))
		return refuse_device(ctx, at);
	mode = type | (mode & 07777);
	return make_and_forget(ctx, at, mode, device ? rdev : 0, NULL);
}

int vfs_mkdir(struct ctx *ctx, const struct path_at *at, uint32_t mode)
{
	return make_and_forget(ctx, at, S_IFDIR | (mode & 01777), 0, NULL);
}

int vfs_symlink(struct ctx *ctx, const char *target, const struct path_at *at)
{
	if (*target == '\0')
		return -ENOENT;
	return make_and_forget(ctx, at, S_IFLNK | 0777, 0, target);
}

int vfs_bind(struct ctx *ctx, const char *path, uint32_t mode, struct dentry **out)
{
	const struct path_at at = { NULL, PATH_CWD, path };

	return make_node(ctx, &at, S_IFSOCK | (mode & 07777), 0, NULL, out);
}

void vfs_unbind(struct ctx *ctx, struct dentry *dentry)
{
	struct tree *tree = ctx->env->tree;

	rwlock_write(ctx, &tree->lock);
	if (dentry->listed)
		take_away(ctx, dentry);
	rwlock_write_unlock(ctx, &tree->lock);
}

/* ---- hard links ---- */

/* What is not the caller's may be linked only if the caller could read and change it anyway. */
static bool is_safe_to_link(const struct ctx *ctx, const struct inode *inode)
{
	uint32_t mode = inode_mode(inode);

	if (inode_owned(ctx, inode))
		return true;
	if (!S_ISREG(mode) || mode & S_ISUID || (mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
		return false;
	return inode_permission(ctx, inode, MAY_READ | MAY_WRITE) == 0;
}

static int may_link(struct ctx *ctx, const struct dentry *dir, const struct inode *inode)
{
	int err;

	if (inode->dev != dir->inode->dev)
		return -EXDEV;
	if (!is_safe_to_link(ctx, inode))
		return -EPERM;
	err = may_change(ctx, dir);
	if (err < 0)
		return err;
	return S_ISDIR(inode_mode(inode)) ? -EPERM : 0;
}

static int list_link(struct ctx *ctx, struct dentry *dentry)
{
	struct tree *tree = ctx->env->tree;
	int err = 0;

	rwlock_write(ctx, &tree->lock);
	if (!dentry_is_dead(dentry->parent) &&
	    dir_find_locked(dentry->parent, (struct component){ dentry->name, dentry->len }) != NULL)
		err = -EEXIST;
	else if (dentry_is_dead(dentry->parent) || (dentry->inode->nlink == 0 && !dentry->inode->linkable))
		err = -ENOENT;
	if (err == 0) {
		dentry->inode->linkable = false;
		links_changed(ctx, dentry->inode, 1);
		list_new(ctx, dentry);
	}
	rwlock_write_unlock(ctx, &tree->lock);
	return err;
}

static int make_link(struct walk *w, struct inode *inode)
{
	struct dentry *dentry;
	int err = may_link(w->ctx, w->at, inode);

	if (err < 0)
		return err;
	err = dentry_create(w->ctx, w->at, w->last, inode, &dentry);
	if (err < 0)
		return err;
	inode_get(inode);
	err = list_link(w->ctx, dentry);
	dentry_put(w->ctx, dentry);
	return err;
}

/*
 * A descriptor alone names a file for a link only of who has opened it, with the credentials of now, or who is
 * privileged; before 6.10 only of the latter. Linux asks so of every path that begins at a descriptor. 0; -ENOENT
 */
static int may_link_from(struct ctx *ctx, const struct path_at *at)
{
	bool opener = false;
	struct file *file;

	if (creds_fs_privileged(ctx) || *at->path == '/')
		return 0;
	if (!ctx->env->profile.link_by_opener)
		return -ENOENT;
	if (at->dirfd == PATH_CWD)
		return 0;
	file = fd_get_any(ctx, at->files, at->dirfd);
	if (file == NULL)
		return -EBADF;
	opener = file->creds == __atomic_load_n(&ctx->creds->serial, __ATOMIC_RELAXED);
	file_put(ctx, file);
	return opener ? 0 : -ENOENT;
}

int vfs_link_from(struct ctx *ctx, const struct path_at *from, unsigned flags, struct dentry **out)
{
	unsigned how = (flags & AT_FOLLOW ? 0 : AT_NOFOLLOW) | (flags & AT_EMPTY);
	int err = flags & AT_EMPTY ? may_link_from(ctx, from) : 0;

	return err < 0 ? err : path_lookup(ctx, from, how, out);
}

int vfs_link(struct ctx *ctx, const struct path_at *from, const struct path_at *to, unsigned flags)
{
	struct dentry *old;
	struct walk w;
	int err = vfs_link_from(ctx, from, flags, &old);

	if (err < 0)
		return err;
	if (*to->path == '\0') {
		dentry_put(ctx, old);
		return -ENOENT;
	}
	err = begin_create(ctx, to, false, &w);
	if (err == 0)
		err = make_link(&w, old->inode);
	walk_end(&w);
	dentry_put(ctx, old);
	return err;
}

/* ---- taking away ---- */

static struct dentry *find_listed_locked(const struct walk *w)
{
	return dentry_is_dead(w->at) ? NULL : dir_find_locked(w->at, w->last);
}

static int unlink_locked(struct walk *w)
{
	struct dentry *victim = find_listed_locked(w);
	int err;

	if (victim == NULL)
		return -ENOENT;
	if (w->slash)
		return is_dir(victim) ? -EISDIR : -ENOTDIR;
	err = may_delete(w->ctx, w->at, victim, false);
	if (err == 0)
		take_away(w->ctx, victim);
	return err;
}

static int rmdir_locked(struct walk *w)
{
	struct dentry *victim = find_listed_locked(w);
	int err;

	if (victim == NULL)
		return -ENOENT;
	err = may_delete(w->ctx, w->at, victim, true);
	if (err < 0)
		return err;
	if (victim->mounted)
		return -EBUSY;
	if (dentry_dir(victim)->count > 0)
		return -ENOTEMPTY;
	take_away(w->ctx, victim);
	return 0;
}

/* Of what is made up nothing can be removed; dir: by a call that takes directories. */
static int refuse_made_up(struct walk *w, bool dir)
{
	struct dentry *victim;
	int err = walk_find_last(w, &victim);

	if (err < 0)
		return err;
	err = may_delete(w->ctx, w->at, victim, dir);
	dentry_put(w->ctx, victim);
	return err < 0 ? err : -EPERM;
}

static int remove_last(struct walk *w, bool dir)
{
	struct tree *tree = w->ctx->env->tree;
	int err;

	if (w->at->inode->gen != NULL)
		return refuse_made_up(w, dir);
	if (w->last.len > PATH_NAME_MAX)
		return -ENAMETOOLONG;
	rwlock_write(w->ctx, &tree->lock);
	err = dir ? rmdir_locked(w) : unlink_locked(w);
	rwlock_write_unlock(w->ctx, &tree->lock);
	return err;
}

int vfs_unlink(struct ctx *ctx, const struct path_at *at)
{
	struct walk w;
	int err;

	if (*at->path == '\0')
		return -ENOENT;
	err = walk_begin(&w, ctx, at);
	if (err == 0)
		err = w.kind == LAST_NAME ? remove_last(&w, false) : -EISDIR;
	walk_end(&w);
	return err;
}

int vfs_rmdir(struct ctx *ctx, const struct path_at *at)
{
	static const int answers[] = { [LAST_ROOT] = -EBUSY, [LAST_DOT] = -EINVAL, [LAST_DOTDOT] = -ENOTEMPTY };
	struct walk w;
	int err;

	if (*at->path == '\0')
		return -ENOENT;
	err = walk_begin(&w, ctx, at);
	if (err == 0)
		err = w.kind == LAST_NAME ? remove_last(&w, true) : answers[w.kind];
	walk_end(&w);
	return err;
}

/* ---- rename ---- */

/* Both ends of a rename, and what it needs. */
struct renaming {
	struct ctx *ctx;
	struct walk from, to;
	unsigned flags;
	char *name; /* a copy of to.last */
	size_t name_bytes;
	struct dentry *whiteout; /* RENAME_LEAVE_WHITEOUT: to be listed at from; our reference */
	struct old_place left;   /* what goes after the lock */
};

/* Slashes behind a name that is no directory's. */
static int check_slashes(const struct renaming *r, const struct dentry *old, const struct dentry *new)
{
	bool swap = r->flags & RENAME_SWAP;

	if (swap && !is_dir(new) && r->to.slash)
		return -ENOTDIR;
	if (!is_dir(old) && (r->from.slash || (!swap && r->to.slash)))
		return -ENOTDIR;
	return 0;
}

static int may_rename(const struct renaming *r, const struct dentry *old, const struct dentry *new)
{
	bool swap = r->flags & RENAME_SWAP;
	struct ctx *ctx = r->ctx;
	int err = may_delete(ctx, r->from.at, old, is_dir(old));

	if (err == 0 && new == NULL)
		err = may_change(ctx, r->to.at);
	else if (err == 0)
		err = may_delete(ctx, r->to.at, new, swap ? is_dir(new) : is_dir(old));
	if (err < 0 || r->from.at == r->to.at)
		return err;
	/* Who moves a directory changes its "..". */
	if (is_dir(old))
		err = inode_permission(ctx, old->inode, MAY_WRITE);
	if (err == 0 && swap && is_dir(new))
		err = inode_permission(ctx, new->inode, MAY_WRITE);
	return err;
}

/* 0: go on; 1: there is nothing to be done; an errno. */
static int judge_locked(const struct renaming *r, const struct dentry *old, const struct dentry *new)
{
	bool swap = r->flags & RENAME_SWAP;
	int err;

	if (old == NULL || dentry_is_dead(r->to.at))
		return -ENOENT;
	if (r->to.last.len > PATH_NAME_MAX)
		return -ENAMETOOLONG;
	if (new != NULL && r->flags &RENAME_KEEP)
		return -EEXIST;
	if (new == NULL && swap)
		return -ENOENT;
	err = check_slashes(r, old, new);
	if (err < 0)
		return err;
	if (r->from.at != r->to.at && dentry_within_locked(r->to.at, old))
		return -EINVAL;
	if (r->from.at != r->to.at && new != NULL && dentry_within_locked(r->from.at, new))
		return swap ? -EINVAL : -ENOTEMPTY;
	if (new != NULL &&new->inode == old->inode)
		return 1;
	err = may_rename(r, old, new);
	if (err < 0)
		return err;
	if (old->mounted || (new != NULL &&new->mounted))
		return -EBUSY;
	if (new != NULL && !swap && is_dir(new) && dentry_dir(new)->count > 0)
		return -ENOTEMPTY;
	return 0;
}

static void swap_locked(struct renaming *r, struct dentry *old, struct dentry *new)
{
	struct old_place was;
	int moved = (int)is_dir(old) - (int)is_dir(new);

	dentry_get(r->to.at);
	dir_move_locked(r->ctx, old, r->to.at, r->name, r->name_bytes, &was);
	dir_move_locked(r->ctx, new, was.parent, was.name, was.name_bytes, &r->left);
	dir_renew_locked(r->ctx, old); /* Linux moves it last */
	dir_changed(r->ctx, r->from.at->inode, 0, -moved);
	dir_changed(r->ctx, r->to.at->inode, 0, moved);
	links_changed(r->ctx, old->inode, 0);
	links_changed(r->ctx, new->inode, 0);
}

static void move_locked(struct renaming *r, struct dentry *old, struct dentry *new)
{
	if (new != NULL)
		take_away(r->ctx, new);
	if (r->whiteout != NULL)
		list_new(r->ctx, r->whiteout);
	dentry_get(r->to.at);
	dir_move_locked(r->ctx, old, r->to.at, r->name, r->name_bytes, &r->left);
	dir_changed(r->ctx, r->from.at->inode, -1, -(int)is_dir(old));
	dir_changed(r->ctx, r->to.at->inode, 1, is_dir(old));
	links_changed(r->ctx, old->inode, 0);
}

static int rename_locked(struct renaming *r)
{
	struct dentry *old = find_listed_locked(&r->from);
	struct dentry *new = find_listed_locked(&r->to);
	int err = judge_locked(r, old, new);

	if (err != 0)
		return MIN(err, 0);
	if (r->flags & RENAME_SWAP)
		swap_locked(r, old, new);
	else
		move_locked(r, old, new);
	r->name = NULL; /* it is the dentry's now */
	return 0;
}

/* All that can run out. */
static int prepare(struct renaming *r)
{
	struct inode *inode;
	int err;

	r->name_bytes = (size_t)r->to.last.len + 1;
	r->name = kmem_alloc(r->ctx, r->name_bytes);
	if (r->name == NULL)
		return -ENOMEM;
	memcpy(r->name, r->to.last.text, r->to.last.len);
	if (!(r->flags & RENAME_LEAVE_WHITEOUT))
		return 0;
	err = tree_inode_create(r->ctx, r->from.at->inode, S_IFCHR, 0, NULL, &inode);
	if (err < 0)
		return err;
	err = dentry_create(r->ctx, r->from.at, r->from.last, inode, &r->whiteout);
	if (err < 0)
		inode_put(r->ctx, inode);
	return err;
}

static int check_ends(const struct renaming *r)
{
	const struct inode *from = r->from.at->inode, *to = r->to.at->inode;

	if (from->dev != to->dev)
		return -EXDEV;
	if (r->from.kind != LAST_NAME)
		return -EBUSY;
	if (r->to.kind != LAST_NAME)
		return r->flags & RENAME_KEEP ? -EEXIST : -EBUSY;
	return 0;
}

/* What is made up is not moved; but first of all it must be there. */
static int refuse_made_up_rename(struct renaming *r)
{
	struct dentry *found;
	int err = walk_find_last(&r->from, &found);

	if (err < 0)
		return err;
	dentry_put(r->ctx, found);
	err = walk_find_last(&r->to, &found);
	if (err < 0)
		return err;
	dentry_put(r->ctx, found);
	return r->flags & RENAME_KEEP ? -EEXIST : -EPERM;
}

static int rename_walked(struct renaming *r)
{
	struct tree *tree = r->ctx->env->tree;
	int err = check_ends(r);

	if (err < 0)
		return err;
	if (r->from.at->inode->gen != NULL)
		return refuse_made_up_rename(r);
	if (r->from.last.len > PATH_NAME_MAX)
		return dentry_is_dead(r->from.at) ? -ENOENT : -ENAMETOOLONG;
	err = prepare(r);
	if (err == 0) {
		rwlock_write(r->ctx, &tree->lock);
		err = rename_locked(r);
		rwlock_write_unlock(r->ctx, &tree->lock);
	}
	if (r->name != NULL)
		kmem_free(r->ctx->env, r->name, r->name_bytes);
	kmem_free(r->ctx->env, r->left.name, r->left.name_bytes);
	dentry_put(r->ctx, r->left.parent);
	dentry_put(r->ctx, r->whiteout);
	return err;
}

int vfs_rename_flags(unsigned flags)
{
	if (flags & ~(unsigned)(RENAME_KEEP | RENAME_SWAP | RENAME_LEAVE_WHITEOUT))
		return -EINVAL;
	return flags & RENAME_SWAP && flags & (RENAME_KEEP | RENAME_LEAVE_WHITEOUT) ? -EINVAL : 0;
}

int vfs_rename(struct ctx *ctx, const struct path_at *from, const struct path_at *to, unsigned flags)
{
	struct renaming r;
	int err = vfs_rename_flags(flags);

	if (err < 0)
		return err;
	if (*from->path == '\0' || *to->path == '\0')
		return -ENOENT;
	r.ctx = ctx;
	r.flags = flags;
	r.name = NULL;
	r.whiteout = NULL;
	r.left = (struct old_place){ 0 };
	err = walk_begin(&r.from, ctx, from);
	if (err == 0) {
		err = walk_begin(&r.to, ctx, to);
		if (err == 0)
			err = rename_walked(&r);
		walk_end(&r.to);
	}
	walk_end(&r.from);
	return err;
}
