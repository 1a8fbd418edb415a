// SPDX-License-Identifier: MIT
/*
 * getdents64: the entries of a directory.
 *
 *	position   0    1    then the newest entry's, and down to the oldest's    LISTING_END
 *	entry      .    ..
 *
 * An entry's position is its directory's count of names when it came; it stays while the entry is there. So a listing
 * that goes on at a position meets each entry once, whatever comes and goes meanwhile: what is new has positions behind
 * it, what is gone is passed over.
 *
 * Entries are gathered under the tree's lock, in a buffer of the call's own, and copied out when it is released; then
 * the next ones, while the caller has room.
 *
 * I1  d_off of an entry is the position of the next one
 * I2  the offset of the file is where the next call goes on, and moves only if its entries have been copied out
 *
 * Locking: the offset's lock around the tree's; of a directory that is made up, neither, as for its files.
 * Linux: fs/readdir.c, fs/libfs.c (offset_readdir).
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "vfs/names.h"

enum { LISTING_BYTES = 4096 };

struct listing {
	size_t len;        /* bytes filled */
	size_t room;       /* bytes that the caller has room for, at most LISTING_BYTES */
	uint64_t position; /* where the next call goes on */
	bool full;         /* an entry did not fit */
	uint8_t bytes[LISTING_BYTES];
};

/* struct linux_dirent64, without its name. */
struct entry {
	uint64_t ino;
	int64_t next;
	uint16_t bytes;
	uint8_t type;
	char name[5]; /* and more */
};

#define ENTRY_NAME offsetof(struct entry, name)

_Static_assert(ENTRY_NAME == 19 && sizeof(struct entry) == 24, "struct linux_dirent64");

bool listing_add(struct listing *listing, const char *name, uint64_t ino, uint32_t type, uint64_t next)
{
	size_t len = strlen(name);
	size_t bytes = (ENTRY_NAME + len + 1 + 7) & ~(size_t)7;
	struct entry entry = { .ino = ino, .next = (int64_t)next, .bytes = (uint16_t)bytes, .type = type >> 12 & 15 };

	listing->full |= bytes > listing->room - listing->len;
	if (listing->full)
		return false;
	memset(listing->bytes + listing->len, 0, bytes);
	memcpy(listing->bytes + listing->len, &entry, ENTRY_NAME);
	memcpy(listing->bytes + listing->len + ENTRY_NAME, name, len);
	listing->len += bytes;
	listing->position = next;
	return true;
}

static uint64_t position_of(const struct dentry *dentry)
{
	return dentry != NULL ? dir_position(dentry) : LISTING_END;
}

/* The entry behind this one; the tree's lock is held. */
static const struct dentry *next_entry(const struct dentry *dentry)
{
	struct itree_node *node = itree_next((struct itree_node *)(uintptr_t)&dentry->order, 0, LISTING_END);

	return node != NULL ? container_of(node, struct dentry, order) : NULL;
}

static void list_names(struct ctx *ctx, struct dentry *dir, struct listing *listing)
{
	struct tree *tree = ctx->env->tree;
	const struct dentry *at = NULL, *next;

	rwlock_read(ctx, &tree->lock);
	if (listing->position == LISTING_FIRST)
		at = dir_at_locked(dir, LISTING_END);
	else if (listing->position < LISTING_END)
		at = dir_at_locked(dir, listing->position);
	for (; at != NULL; at = next) {
		next = next_entry(at);
		if (!listing_add(listing, at->name, at->inode->ino, inode_mode(at->inode), position_of(next)))
			break;
	}
	if (at == NULL)
		listing->position = LISTING_END;
	rwlock_read_unlock(ctx, &tree->lock);
}

/* "." and "..". */
static void list_dots(struct ctx *ctx, struct dentry *dir, struct listing *listing)
{
	struct tree *tree = ctx->env->tree;
	uint64_t parent;

	rwlock_read(ctx, &tree->lock);
	parent = dir->parent->inode->ino;
	rwlock_read_unlock(ctx, &tree->lock);
	if (listing->position == 0)
		listing_add(listing, ".", dir->inode->ino, S_IFDIR, 1);
	if (listing->position == 1)
		listing_add(listing, "..", parent, S_IFDIR, LISTING_FIRST);
}

static int fill(struct ctx *ctx, struct dentry *dir, struct listing *listing)
{
	uint64_t from = listing->position;

	if (dentry_is_dead(dir))
		return -ENOENT;
	if (from < LISTING_FIRST)
		list_dots(ctx, dir, listing);
	if (listing->full)
		return 0;
	if (dir->inode->gen != NULL)
		return dir->inode->gen->list(ctx, dir->inode, listing->position, listing);
	list_names(ctx, dir, listing);
	return 0;
}

/* One call's worth from *position on, to the caller's buffer. */
static ssize_t list(struct ctx *ctx, struct file *file, uint64_t *position, struct uptr to, size_t size)
{
	struct listing listing;
	int err;

	listing.len = 0;
	listing.full = false;
	listing.room = MIN(size, sizeof(listing.bytes));
	listing.position = *position;
	err = fill(ctx, file->dentry, &listing);
	if (err < 0)
		return err;
	if (listing.len == 0 && listing.full)
		return -EINVAL;
	err = copy_out(ctx, to, listing.bytes, listing.len);
	if (err < 0)
		return err;
	*position = listing.position;
	if (!(file_flags(file) & FILE_NOATIME))
		inode_accessed(file->inode);
	return (ssize_t)listing.len;
}

/* Batch after batch, until the buffer or the directory ends. */
static ssize_t list_all(struct ctx *ctx, struct file *file, uint64_t *position, struct uptr to, size_t size)
{
	size_t done = 0;
	ssize_t n;

	do {
		n = list(ctx, file, position, uptr_add(to, done), size - done);
		if (n > 0)
			done += (size_t)n;
	} while (n > 0 && done < size);
	return done > 0 ? (ssize_t)done : n;
}

ssize_t vfs_getdents(struct ctx *ctx, struct file *file, struct uptr to, size_t size)
{
	bool made_up = file->inode->gen != NULL;
	uint64_t position;
	ssize_t n;

	if (file->ops != &dir_file_ops)
		return -ENOTDIR;
	mutex_lock(ctx, &file->pos_lock);
	position = file->pos;
	if (made_up)
		mutex_unlock(ctx, &file->pos_lock);
	n = list_all(ctx, file, &position, to, size);
	if (made_up)
		mutex_lock(ctx, &file->pos_lock);
	if (n >= 0)
		file->pos = position;
	mutex_unlock(ctx, &file->pos_lock);
	return n;
}
