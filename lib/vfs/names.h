/* SPDX-License-Identifier: MIT */
/*
 * Between the files of the tree (tree.c, namei.c, open.c, change.c, attr.c, listing.c, generated.c) only.
 */
#ifndef VFS_NAMES_H
#define VFS_NAMES_H

#include "base/creds.h"
#include "host/kmem.h"
#include "vfs/path.h"

struct tree {
	struct rwlock lock;    /* RANK_TREE: t members of dentries and directories */
	pthread_mutex_t paths; /* a leaf: parent, name and listed of dentries, also */
	struct dentry *root;   /* c  our reference */
};

/** The names of one directory; t each. */
struct dir {
	struct dentry **buckets;
	uint32_t nbuckets; /* a power of two */
	uint32_t count;
	struct itree order; /* by LISTING_END - position: the newest first */
	uint64_t next_position;
	bool dead; /* a  removed: nothing comes in any more; set under t */
};

/* Positions of a listing, as Linux numbers them. */
#define LISTING_FIRST 2u
#define LISTING_END   ((uint64_t)INT32_MAX)
/* What Linux charges a directory of a tmpfs for a name. */
#define NAME_CHARGE 20u

/* A component of a path, not terminated. */
struct component {
	const char *text;
	uint32_t len;
};

/* ---- tree.c ---- */

/** A dentry with one reference that is in no directory; takes over inode, on success only. parent NULL: none. */
int dentry_create(struct ctx *ctx, struct dentry *parent, struct component name, struct inode *inode,
                  struct dentry **out);
static inline struct dir *dentry_dir(const struct dentry *dentry)
{
	return dentry->inode->dir;
}
/** Whether it is a directory that has been removed; for good only if the tree's lock is held. */
static inline bool dentry_is_dead(const struct dentry *dentry)
{
	return dentry_dir(dentry) != NULL && __atomic_load_n(&dentry_dir(dentry)->dead, __ATOMIC_RELAXED);
}

/* The tree's lock is held, for reading. */
struct dentry *dir_find_locked(const struct dentry *parent, struct component name);
struct dentry *dir_at_locked(const struct dentry *parent, uint64_t position);
uint64_t dir_position(const struct dentry *dentry);
/* The tree's lock is held, for writing. */
/** List a dentry in its parent, which gets a reference of its own; cannot fail. */
void dir_insert_locked(struct ctx *ctx, struct dentry *dentry);
/** Take it off; the directory's reference becomes the caller's. */
void dir_remove_locked(struct ctx *ctx, struct dentry *dentry);
/**
 * Give a listed dentry another place: takes over the reference on parent and the buffer of the name, and gives back
 * what it had in *old.
 */
struct old_place {
	struct dentry *parent; /* a reference */
	char *name;
	size_t name_bytes;
};
void dir_move_locked(struct ctx *ctx, struct dentry *dentry, struct dentry *parent, char *name, size_t name_bytes,
                     struct old_place *old);
/** Have a listed dentry come first in listings, as if it were new. */
void dir_renew_locked(struct ctx *ctx, struct dentry *dentry);
/** Whether `above` is dentry or one of the directories that it is in. */
bool dentry_within_locked(const struct dentry *dentry, const struct dentry *above);

/**
 * A new inode as if made in dir by the caller: owner, group, device; mode as it is to be. link: of S_IFLNK. Its nlink is 1, of a directory 2. 0 or -ENOMEM.
 */
int tree_inode_create(struct ctx *ctx, const struct inode *dir, uint32_t mode, uint64_t rdev, const char *link,
                      struct inode **out);
/** Free what only inodes of the tree have. */
void tree_inode_fini(struct ctx *ctx, struct inode *inode);

/* ---- namei.c ---- */

enum last_kind { LAST_ROOT, LAST_DOT, LAST_DOTDOT, LAST_NAME };

/* A walk along a path. */
struct walk {
	struct ctx *ctx;
	struct dentry *at;     /* where it has got to; our reference, NULL before walk_begin has succeeded */
	const char *text;      /* what is still to be walked of the text under way */
	enum last_kind kind;   /* what the last component is */
	struct component last; /* LAST_NAME: it; what follows it is slashes, if `slash` */
	bool slash;
	unsigned depth, nlinks;
	const char *rest[PATH_LINKS_MAX]; /* of the texts in which the links under way were met */
	struct link_text {
		struct inode *inode; /* our reference: it holds the text */
		char *made_up;       /* or this does */
	} links[PATH_LINKS_MAX];
};

/**
 * Find where a path begins, and walk to the directory of its last component. 0, with w->kind, w->last and w->slash
 * set; an errno. walk_end follows in any case.
 */
int walk_begin(struct walk *w, struct ctx *ctx, const struct path_at *at);
void walk_end(struct walk *w);
/** What the last component names, with a reference; a link is not followed. -ENOENT ... */
int walk_find_last(struct walk *w, struct dentry **out);
/**
 * Go on along a link that is the last component: to the directory of its own last component, or (*jumped) to its end.
 */
int walk_follow(struct walk *w, struct dentry *link, bool *jumped);
/** Look a name up: 0 with a reference, -ENOENT, -ENAMETOOLONG, -ENOTDIR. */
int dentry_lookup(struct ctx *ctx, struct dentry *parent, struct component name, struct dentry **out);
/** The caller may look names up in it, and it is a directory: 0; -ENOTDIR, -EACCES. */
int may_search(const struct ctx *ctx, const struct dentry *dir);

/* ---- attr.c ---- */

/** Whether a mount with relatime stamps an access now. */
bool node_access_counts(const struct inode *inode);
/** st_blocks of a directory or a link. */
uint64_t node_blocks(const struct inode *inode);

/* ---- open.c ---- */

extern const struct file_ops dir_file_ops;
extern const struct file_ops path_file_ops;

/* ---- generated.c ---- */

int gen_file_create(struct ctx *ctx, struct inode *inode, uint32_t flags, struct file **out);

#endif
