// SPDX-License-Identifier: MIT
/*
 * open(2): what a path leads to, whether it may be opened so, and the description that comes of it.
 *
 *	last name absent, O_CREAT       made, unless somebody else is faster: then it is there
 *	a link, last                    followed; not with O_NOFOLLOW, nor with O_CREAT and O_EXCL
 *	a regular file of the tree      tmpfs_file_ops: as a memfd (shmfile.c)
 *	a directory                     dir_file_ops: it is listed, not read
 *	anything, O_PATH                path_file_ops: it can only be pointed at
 *	what a magic link leads to      a description of its own of what has no name: opened as it was before
 *
 * The order of the refusals is Linux's: EEXIST, EISDIR, ENOTDIR, ELOOP, then permissions, then ENXIO. Truncation comes
 * last, when nothing else can fail.
 *
 * I1  who makes the file opens it, whatever the mode it gets
 * I2  a failed open has made no file, but where making it was all that succeeded and memory ran out for the description
 *
 * Locking: none of its own.
 * Linux: fs/open.c (build_open_flags), fs/namei.c (open_last_lookups, do_open, do_tmpfile). Not modelled: fifos and
 * devices are not opened (ENXIO); leases.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "vfs/change.h"
#include "vfs/shmfile.h"

/* Flags that F_GETFL shows again, with those of O_PATH. */
#define PATH_FLAGS (FILE_PATH | FILE_DIRECTORY | FILE_NOFOLLOW)
#define NOT_SHOWN  (FILE_CREAT | FILE_EXCL | FILE_NOCTTY | FILE_TRUNC | FILE_CLOEXEC)
#define MODE_BITS  07777u

/* ---- what is opened ---- */

static ssize_t dir_read(struct ctx *ctx, struct file *file, struct uio *uio, uint64_t *pos)
{
	(void)ctx;
	(void)file;
	(void)uio;
	(void)pos;
	return -EISDIR;
}

static int named_describe(const struct file *file, char *text, size_t size)
{
	return dentry_path(file->dentry, text, size);
}

static const struct file_ops tmpfs_file_ops = {
	.name = "file",
	.read = shmfile_read,
	.write = shmfile_write,
	.seekable = true,
	.describe = named_describe,
};

const struct file_ops dir_file_ops = {
	.name = "directory",
	.read = dir_read,
	.seekable = true,
	.endless = true,
	.describe = named_describe,
};

const struct file_ops path_file_ops = {
	.name = "path",
	.describe = named_describe,
};

/* Whether O_DIRECT is for it; huge pages have no such thing. */
static bool can_be_direct(const struct inode *inode)
{
	return inode->object != NULL && inode->huge_bytes == 0;
}

/* A description of what dentry names. */
static int open_dentry(struct ctx *ctx, struct dentry *dentry, uint32_t flags, struct file **out)
{
	struct inode *inode = dentry->inode;
	uint32_t mode = inode_mode(inode);
	int err;

	inode_get(inode);
	if (flags & FILE_PATH)
		err = file_create(ctx, &path_file_ops, inode, flags, out);
	else if (S_ISDIR(mode))
		err = file_create(ctx, &dir_file_ops, inode, flags, out);
	else if (!S_ISREG(mode))
		err = -ENXIO;
	else if (inode->gen != NULL)
		err = gen_file_create(ctx, inode, flags, out);
	else
		err = file_create(ctx, dentry->nameless ? dentry->ops : &tmpfs_file_ops, inode, flags, out);
	if (err < 0) {
		inode_put(ctx, inode);
		return err;
	}
	(*out)->may_be_direct = can_be_direct(inode) && !(flags & FILE_PATH);
	if (!dentry->nameless || flags & FILE_PATH) {
		dentry_get(dentry);
		(*out)->dentry = dentry;
	}
	return 0;
}

/* ---- how ---- */

int vfs_open_flags(uint32_t *flags)
{
	const uint32_t known = FILE_ACCMODE | FILE_CREAT | FILE_EXCL | FILE_NOCTTY | FILE_TRUNC | FILE_APPEND |
	                       FILE_NONBLOCK | FILE_DSYNC | FILE_ASYNC | FILE_DIRECT | FILE_LARGEFILE | FILE_DIRECTORY |
	                       FILE_NOFOLLOW | FILE_NOATIME | FILE_CLOEXEC | FILE_SYNC | FILE_PATH | FILE_TMPFILE;
	uint32_t wanted = *flags & known;

	if (wanted & FILE_PATH)
		wanted &= PATH_FLAGS | FILE_CLOEXEC;
	else
		wanted |= FILE_LARGEFILE;
	if (wanted & FILE_CREAT && wanted & FILE_DIRECTORY)
		return -EINVAL;
	if (wanted & FILE_TMPFILE && (!(wanted & FILE_DIRECTORY) || (wanted & FILE_ACCMODE) == FILE_RDONLY))
		return -EINVAL;
	if (wanted & FILE_SYNC)
		wanted |= FILE_DSYNC;
	*flags = wanted;
	return 0;
}

/* What the access mode needs; truncating is writing. */
static unsigned access_of(uint32_t flags)
{
	static const unsigned needed[] = { MAY_READ, MAY_WRITE, MAY_READ | MAY_WRITE, MAY_READ | MAY_WRITE };

	return needed[flags & FILE_ACCMODE] | (flags & FILE_TRUNC ? MAY_WRITE : 0);
}

/* Whether the caller may open it so; fresh: it has just made it. */
static int may_open(struct ctx *ctx, const struct inode *inode, uint32_t flags, bool fresh)
{
	uint32_t mode = inode_mode(inode);
	unsigned access = fresh ? 0 : access_of(flags);
	int err;

	if (S_ISLNK(mode))
		return -ELOOP;
	if (S_ISDIR(mode) && access & MAY_WRITE)
		return -EISDIR;
	err = inode_permission(ctx, inode, access);
	if (err < 0)
		return err;
	return flags & FILE_NOATIME && !inode_owned(ctx, inode) ? -EPERM : 0;
}

/*
 * Who would make a file in a sticky directory of everybody's, and finds somebody else's name there, is kept from it; from
 * files and fifos only by settings that are off here.
 */
static bool is_trap(const struct ctx *ctx, const struct inode *dir, const struct inode *inode)
{
	const uint32_t shared = S_ISVTX | S_IWOTH;
	uint32_t mode = inode_mode(inode), uid = __atomic_load_n(&inode->uid, __ATOMIC_RELAXED);

	if (dir == NULL || (inode_mode(dir) & shared) != shared || S_ISREG(mode) || S_ISFIFO(mode))
		return false;
	return uid != __atomic_load_n(&dir->uid, __ATOMIC_RELAXED) &&
	       (ctx->creds == NULL || uid != creds_load(&ctx->creds->fsuid));
}

/* The last word on what was found; dir: the directory of the name, NULL: it has none. */
static int open_found(struct ctx *ctx, struct inode *dir, struct dentry *dentry, uint32_t flags, bool fresh,
                      bool must_be_dir, struct file **out)
{
	const struct inode *inode = dentry->inode;
	struct file *file;
	int err = 0;

	if (flags & FILE_CREAT && flags & FILE_EXCL && !fresh)
		return -EEXIST;
	if (flags & FILE_CREAT && S_ISDIR(inode_mode(inode)))
		return -EISDIR;
	if (flags & FILE_CREAT && is_trap(ctx, dir, inode))
		return -EACCES;
	if ((must_be_dir || flags & FILE_DIRECTORY) && !S_ISDIR(inode_mode(inode)))
		return -ENOTDIR;
	if (!(flags & FILE_PATH))
		err = may_open(ctx, inode, flags, fresh);
	if (err == 0 && flags & FILE_DIRECT && !can_be_direct(inode))
		err = -EINVAL;
	if (err == 0)
		err = open_dentry(ctx, dentry, flags & ~(uint32_t)NOT_SHOWN, &file);
	if (err < 0)
		return err;
	if (flags & FILE_TRUNC && !fresh && inode->object != NULL)
		err = inode_truncate(ctx, file->inode, 0, true);
	if (err < 0)
		file_put(ctx, file);
	else
		*out = file;
	return err;
}

/* ---- where ---- */

/* The last component is not there: make it. -EEXIST: now it is there. */
static int make_last(struct walk *w, uint32_t mode, struct dentry **out)
{
	if (w->at->inode->gen != NULL)
		return -ENOENT;
	return node_create(w->ctx, w->at, w->last, S_IFREG | (mode & MODE_BITS), 0, NULL, out);
}

/* What the last component of the walk is, or becomes. */
static int find_or_make(struct walk *w, uint32_t flags, uint32_t mode, struct dentry **out, bool *fresh)
{
	int err;

	if (flags & FILE_CREAT && w->kind == LAST_NAME && w->slash)
		return -EISDIR;
	do {
		*fresh = false;
		err = walk_find_last(w, out);
		if (err == -ENOENT && flags & FILE_CREAT) { /* what is no name is there */
			err = make_last(w, mode, out);
			*fresh = err == 0;
		}
	} while (err == -EEXIST);
	return err;
}

static int open_walked(struct walk *w, uint32_t flags, uint32_t mode, struct file **out)
{
	bool follow = !(flags & FILE_NOFOLLOW) && !(flags & FILE_CREAT && flags & FILE_EXCL);
	bool must_be_dir = w->slash, jumped = false, fresh;
	struct dentry *found;
	int err = find_or_make(w, flags, mode, &found, &fresh);

	while (err == 0 && !jumped && S_ISLNK(inode_mode(found->inode)) && (follow || must_be_dir)) {
		err = walk_follow(w, found, &jumped);
		dentry_put(w->ctx, found);
		if (err == 0 && jumped)
			w->kind = LAST_ROOT;
		must_be_dir |= w->slash;
		if (err == 0)
			err = find_or_make(w, flags, mode, &found, &fresh);
	}
	if (err < 0)
		return err;
	err = open_found(w->ctx, w->kind == LAST_NAME ? w->at->inode : NULL, found, flags, fresh, must_be_dir, out);
	dentry_put(w->ctx, found);
	return err;
}

/* O_TMPFILE: a file in a directory that does not list it. */
static int open_tmpfile(struct ctx *ctx, const struct path_at *at, uint32_t flags, uint32_t mode, struct file **out)
{
	struct dentry *dir, *dentry;
	int err = path_lookup(ctx, at, flags & FILE_NOFOLLOW ? AT_NOFOLLOW : 0, &dir);

	if (err < 0)
		return err;
	if (!S_ISDIR(inode_mode(dir->inode)))
		err = -ENOTDIR;
	else
		err = inode_permission(ctx, dir->inode, MAY_WRITE | MAY_EXEC);
	if (err == 0)
		err = node_create_nameless(ctx, dir, S_IFREG | (mode & MODE_BITS), &dentry);
	if (err == 0) {
		dentry->inode->linkable = !(flags & FILE_EXCL);
		err = open_dentry(ctx, dentry, flags & ~(uint32_t)NOT_SHOWN, out);
		dentry_put(ctx, dentry);
	}
	dentry_put(ctx, dir);
	return err;
}

int vfs_open(struct ctx *ctx, const struct path_at *at, uint32_t flags, uint32_t mode, struct file **out)
{
	struct walk w;
	int err = vfs_open_flags(&flags);

	if (err < 0)
		return err;
	if (*at->path == '\0')
		return -ENOENT;
	if (flags & FILE_TMPFILE)
		return open_tmpfile(ctx, at, flags, mode, out);
	err = walk_begin(&w, ctx, at);
	if (err == 0)
		err = open_walked(&w, flags, mode, out);
	walk_end(&w);
	return err;
}
