/* SPDX-License-Identifier: MIT */
/*
 * The tree of names of one machine: dentries, the directories that hold them, and the inodes behind them; and what a
 * folder above provides to have files and directories in it whose content is made up when it is asked for (/proc).
 */
#ifndef VFS_TREE_H
#define VFS_TREE_H

#include "vfs/file.h"

struct dir;
struct gen_ops;
struct tree;

/*
 * A name in a directory, or the root. c constant, t written under tree->lock and tree->paths both, so that either of
 * them is enough to read it.
 */
struct dentry {
	struct ref ref;             /*    its directory's (if it is listed), its children's, files', calls under way */
	struct tree *tree;          /* c */
	struct dentry *parent;      /* t  our reference; the root's is itself */
	struct inode *inode;        /* c  our reference */
	struct dentry *next;        /* t  in its bucket */
	struct itree_node order;    /* t  in its directory: the newest first */
	uint32_t hash;              /* t */
	uint32_t len;               /* t  bytes of name */
	char *name;                 /* t  with a NUL; "" at the root */
	size_t name_bytes;          /* t  allocated */
	bool listed;                /* t  in its directory; else it was removed, or is made up, or is a file's alone */
	bool made_up;               /* c  by gen_ops.lookup: never listed, and not removed */
	bool mounted;               /* c  the root of a file system: it stays */
	const struct file_ops *ops; /* c  nameless: what its files are opened with */
	bool nameless;              /* c  of a file that is in no directory: it has no parent either */
};

/** The tree of a new machine: /, /tmp, /run, /dev, /dev/shm, /proc; sets env->tree. 0 or -ENOMEM. */
int tree_create(struct env *env);
/** Validator; exact when no call is under way. */
void tree_check(struct ctx *ctx, struct check_report *report);
/** Every name goes, as if it were unlinked; what is open stays until it is closed. NULL tree: nothing. */
void tree_empty(struct ctx *ctx);
/** After tree_empty, when nothing is open any more. */
void tree_destroy(struct env *env);

void dentry_get(struct dentry *dentry);
/** NULL is legal. */
void dentry_put(struct ctx *ctx, struct dentry *dentry);
/** A reference on the root. */
struct dentry *tree_root(struct ctx *ctx);
/**
 * The dentry of an open file, with a reference: for magic links that lead to a file. A file that has no name in any
 * directory (a memfd, a socket) gets one of its own. NULL: no memory.
 */
struct dentry *file_dentry(struct ctx *ctx, struct file *file);
/** The absolute path, with " (deleted)" where the name is gone; any lock may be held. @return as snprintf, or
 * -ENAMETOOLONG */
int dentry_path(const struct dentry *dentry, char *text, size_t size);

/* ---- Files and directories that are made up ---- */

/**
 * Text that grows: what a generated file says. Once there is no memory for more it stays as it is and `failed` is
 * set; the read that wanted it is -ENOMEM.
 */
struct text {
	char *bytes;
	size_t len, room; /* bytes */
	bool failed;
};

__attribute__((format(printf, 3, 4))) void text_add(struct ctx *ctx, struct text *text, const char *format, ...);
void text_add_bytes(struct ctx *ctx, struct text *text, const void *bytes, size_t n);

/** Where the entries of a directory go while it is listed. */
struct listing;

/**
 * One entry of a directory.
 * @param type  S_IFDIR, S_IFREG or S_IFLNK
 * @param next  the position at which a listing goes on behind this entry, greater than this entry's own
 * @return false: no room, the listing ends before it; return 0 from gen_ops.list at once
 */
bool listing_add(struct listing *listing, const char *name, uint64_t ino, uint32_t type, uint64_t next);

/**
 * What makes up one kind of generated file. Which of the functions there are says what kind: `lookup` and `list` a
 * directory; `readlink` a symbolic link; `show` or `read_at` a regular file.
 *
 * All are called with no lock of the kernel held and may take any, and may allocate, but they do not block and do
 * not touch user memory, except `read_at` through its uio. The inode that they are given holds what they know of
 * themselves: inode->gen_key, as given to gen_inode_create.
 */
struct gen_ops {
	/** The inode of a name in this directory: 0, with a new reference in *out; -ENOENT, -ESRCH, -ENOMEM ... */
	int (*lookup)(struct ctx *ctx, struct inode *dir, const char *name, struct inode **out);
	/**
	 * The entries from a position on, in the order of their positions; "." and ".." are not among them. Positions
	 * are the directory's own affair, 2 the first (as in: number of a descriptor + 2). 0 or an errno.
	 */
	int (*list)(struct ctx *ctx, struct inode *dir, uint64_t position, struct listing *listing);

	/** What readlink tells: as snprintf, or an errno. */
	int (*readlink)(struct ctx *ctx, struct inode *link, char *text, size_t size);
	/** Where the link leads, with a reference (see file_dentry); NULL here: to the path that readlink tells. */
	int (*follow)(struct ctx *ctx, struct inode *link, struct dentry **out);

	/**
	 * Write the whole content. Called when the file is read from its beginning, and when it is read for the first
	 * time; reads go on in what was written then. 0 or an errno (-ESRCH: the process has gone).
	 */
	int (*show)(struct ctx *ctx, struct inode *inode, struct text *text);
	/**
	 * Instead of show: bytes at a position, for files too large to write down. Bytes moved, 0 at the end, errno.
	 */
	ssize_t (*read_at)(struct ctx *ctx, struct inode *inode, uint64_t at, struct uio *uio);
	/**
	 * Take what was written, n <= PAGE_BYTES bytes with a NUL behind. Bytes taken, or an errno. NULL: -EINVAL where
	 * gen_key[0] says what process it is about, -EIO where that is 0.
	 */
	ssize_t (*write)(struct ctx *ctx, struct inode *inode, const char *bytes, size_t n);
	/** Whether its content can be sent to other files; Linux has not taught that to what is about processes. */
	bool sendable;
	/** Whether the caller may do what its mode refuses; NULL: no. */
	bool (*admits)(const struct ctx *ctx, const struct inode *inode);
	/** Nobody can give it away. */
	bool fixed;
	/** May it be opened so (flags: FILE_*), after its mode has allowed it; NULL: yes. 0 or an errno. */
	int (*open)(struct ctx *ctx, struct inode *inode, uint32_t flags);
};

/**
 * An inode that ops make up, with one reference. It is made anew at each lookup and holds nothing but its keys, so
 * what these name (a process) may go; then its functions answer -ESRCH or -ENOENT.
 *
 * @param mode  with the type: S_IFDIR | 0555, S_IFREG | 0444, S_IFLNK | 0777
 * @param ino   its number, not 0, the same each time for the same thing; see gen_ino
 * @param uid, gid  whose it is; inode->uid and gid may be changed until the inode is handed out
 * 0 or -ENOMEM.
 */
int gen_inode_create(struct ctx *ctx, const struct gen_ops *ops, uint32_t mode, uint64_t ino, const uint64_t key[2],
                     struct inode **out);
/** A number for an inode out of what names it, far away from those that inodes get by themselves. */
uint64_t gen_ino(uint64_t a, uint64_t b, uint64_t c);

/** Say what makes up /proc: ops of a directory. Once, before the first process. */
void tree_set_proc(struct ctx *ctx, const struct gen_ops *ops);

#endif
