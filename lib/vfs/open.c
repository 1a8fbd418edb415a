// SPDX-License-Identifier: MIT
/*
 * open(2) of the paths that there are.
 *
 *	/ --- proc --- self  --- fd --- N
 *	             \ <pid> /
 *
 * N stands for the file behind the caller's descriptor N, as the magic links of Linux do: opening it makes a
 * description of its own, with an offset and an access mode of its own, on the same inode. Each name is looked up in
 * the directory that the walk has reached; a directory is known by its depth alone.
 *
 * The walk happens first, then the checks on what it found, in Linux's order: EEXIST, EISDIR, ENOTDIR, ELOOP, ENXIO.
 *
 * I1  a walk that ended on a file holds one reference on it; every other one holds none
 *
 * Locking: none of its own.
 * Linux: fs/namei.c, fs/open.c, fs/proc/fd.c. Not modelled: any other file, so nothing is ever created (ENOENT);
 * opening a directory (ENOENT); O_PATH (EINVAL); a working directory other than /; other processes under /proc.
 */
#include "vfs/fdtable.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

/* Flags that F_GETFL shows again. */
#define STATUS_FLAGS (FILE_ACCMODE | FILE_APPEND | FILE_NONBLOCK | FILE_DSYNC | FILE_DIRECT | FILE_NOATIME | FILE_SYNC)

/* Where a walk has got to; each is the parent of the next. */
enum place { PLACE_ROOT, PLACE_PROC, PLACE_PID, PLACE_FDS, PLACE_FILE };

struct walk {
	struct fdtable *table;
	uint32_t pid;
	enum place at;
	struct file *file; /* PLACE_FILE: our reference */
};

struct name {
	const char *text;
	size_t len;
};

static bool name_is(struct name name, const char *text)
{
	return strlen(text) == name.len && memcmp(name.text, text, name.len) == 0;
}

/* A number as /proc writes it: decimal, no sign, no leading zero. -1: it is none, or not an int. */
static int name_number(struct name name)
{
	int64_t n = 0;

	if (name.len == 0 || name.len > 10 || (name.len > 1 && name.text[0] == '0'))
		return -1;
	for (size_t i = 0; i < name.len; i++) {
		if (name.text[i] < '0' || name.text[i] > '9')
			return -1;
		n = n * 10 + (name.text[i] - '0');
	}
	return n <= INT_MAX ? (int)n : -1;
}

/* Whether the directory that the walk is in has the name; a descriptor's file goes into w->file. */
static bool lookup(struct ctx *ctx, struct walk *w, struct name name)
{
	switch (w->at) {
	case PLACE_ROOT:
		return name_is(name, "proc");
	case PLACE_PROC:
		return name_is(name, "self") || (w->pid != 0 && name_number(name) == (int)w->pid);
	case PLACE_PID:
		return name_is(name, "fd");
	case PLACE_FDS:
		w->file = fd_get(ctx, w->table, name_number(name));
		return w->file != NULL;
	case PLACE_FILE:
		break;
	}
	return false;
}

static int step(struct ctx *ctx, struct walk *w, struct name name)
{
	if (w->at == PLACE_FILE)
		return -ENOTDIR;
	if (name_is(name, "."))
		return 0;
	if (name_is(name, "..")) {
		w->at -= w->at != PLACE_ROOT;
		return 0;
	}
	if (w->at == PLACE_ROOT && name.len > NAME_MAX)
		return -ENAMETOOLONG;
	if (!lookup(ctx, w, name))
		return -ENOENT;
	w->at++;
	return 0;
}

/* Follow the path; the caller puts w->file, also after a failure. */
static int walk(struct ctx *ctx, struct walk *w, const char *path, uint32_t flags)
{
	int err = 0;

	path += strspn(path, "/");
	while (*path != '\0' && err == 0) {
		struct name name = { path, strcspn(path, "/") };
		size_t slashes = strspn(path + name.len, "/");
		bool last = path[name.len + slashes] == '\0';

		/* What ends in a slash is a directory, and open makes none. */
		if (last && slashes > 0 && flags & FILE_CREAT && w->at != PLACE_FILE && !name_is(name, ".") &&
		    !name_is(name, ".."))
			return -EISDIR;
		err = step(ctx, w, name);
		path += name.len + slashes;
		if (err == 0 && last && slashes > 0 && w->at == PLACE_FILE)
			err = -ENOTDIR;
	}
	return err;
}

/* Whether what the walk found may be opened so. */
static int may_open(const struct walk *w, uint32_t flags)
{
	const uint32_t changing = FILE_CREAT | FILE_TRUNC | FILE_ACCMODE;

	if (flags & FILE_CREAT && flags & FILE_EXCL)
		return -EEXIST;
	if (w->at != PLACE_FILE)
		return flags & changing ? -EISDIR : -ENOENT;
	if (flags & FILE_DIRECTORY)
		return -ENOTDIR;
	if (flags & FILE_NOFOLLOW)
		return -ELOOP;
	return S_ISREG(w->file->inode->mode) ? 0 : -ENXIO;
}

static int reopen(struct ctx *ctx, struct file *old, uint32_t flags, struct file **out)
{
	struct file *file;
	int err;

	inode_get(old->inode);
	err = file_create(ctx, old->ops, old->inode, (flags & STATUS_FLAGS) | FILE_LARGEFILE, &file);
	if (err < 0) {
		inode_put(ctx, old->inode);
		return err;
	}
	if (flags & FILE_TRUNC)
		err = inode_truncate(ctx, file->inode, 0);
	if (err < 0) {
		file_put(ctx, file);
		return err;
	}
	*out = file;
	return 0;
}

/* What Linux finds wrong before it looks anything up. */
static int check_open(const char *path, uint32_t flags)
{
	size_t len = strlen(path);

	if (flags & FILE_PATH || (flags & FILE_CREAT && flags & FILE_DIRECTORY))
		return -EINVAL;
	if (len >= PATH_MAX)
		return -ENAMETOOLONG;
	return len > 0 ? 0 : -ENOENT;
}

int vfs_open(struct ctx *ctx, struct fdtable *table, uint32_t pid, const char *path, uint32_t flags, uint32_t mode,
             struct file **out)
{
	struct walk w = { .table = table, .pid = pid };
	int err = check_open(path, flags);

	(void)mode; /* of a file that is created */
	if (err < 0)
		return err;
	err = walk(ctx, &w, path, flags);
	if (err == 0)
		err = may_open(&w, flags);
	if (err == 0)
		err = reopen(ctx, w.file, flags, out);
	file_put(ctx, w.file);
	return err;
}
