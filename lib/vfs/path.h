/* SPDX-License-Identifier: MIT */
/*
 * The calls that take paths. Errors are those of the manual pages, as Linux gives them on a tmpfs.
 *
 * The caller holds no lock. Paths of relative names start at the caller's working directory (ctx->fs) or at a
 * descriptor; permissions are judged by ctx->creds.
 */
#ifndef VFS_PATH_H
#define VFS_PATH_H

#include "vfs/fdtable.h"
#include "vfs/fs.h"

#define PATH_CWD       (-100) /* AT_FDCWD */
#define PATH_TEXT_MAX  4096   /* PATH_MAX: a path with its NUL */
#define PATH_LINKS_MAX 40     /* symbolic links in one walk */
#define PATH_NAME_MAX  255    /* NAME_MAX */

/** A path, and what it is relative to. */
struct path_at {
	struct fdtable *files; /* where dirfd is looked up; may be NULL with PATH_CWD */
	int dirfd;             /* or PATH_CWD */
	const char *path;      /* may be "" */
};

/** What a call may do with the last name of a path; numbered as Linux does. */
enum {
	AT_NOFOLLOW = 0x100,    /* AT_SYMLINK_NOFOLLOW: of a symbolic link itself */
	AT_RMDIR = 0x200,       /* AT_REMOVEDIR */
	AT_EFFECTIVE = 0x200,   /* AT_EACCESS */
	AT_FOLLOW = 0x400,      /* AT_SYMLINK_FOLLOW */
	AT_NOMOUNT = 0x800,     /* AT_NO_AUTOMOUNT: nothing to be done */
	AT_EMPTY = 0x1000,      /* AT_EMPTY_PATH: "" is what dirfd is open on */
	AT_STATX_SYNC = 0x6000, /* AT_STATX_SYNC_TYPE */
};

/** Permission bits of access(2) and of a mode. */
enum { MAY_EXEC = 1, MAY_WRITE = 2, MAY_READ = 4 };

/**
 * Whether the caller may do what mask says with an inode: 0 or -EACCES. Root may read and write all, and execute what
 * anybody may.
 */
int inode_permission(const struct ctx *ctx, const struct inode *inode, unsigned mask);
/** Whether the caller owns it or is privileged as its owner is. */
bool inode_owned(const struct ctx *ctx, const struct inode *inode);
/** Whether a group is one of the caller's, who is not privileged. */
bool caller_in_group(const struct ctx *ctx, uint32_t gid);

/* namei.c */
/** What a path leads to, with a reference. flags: AT_NOFOLLOW, AT_EMPTY. */
int path_lookup(struct ctx *ctx, const struct path_at *at, unsigned flags, struct dentry **out);
/** Whether the way to the last component can be gone, whatever that is: 0, or why not. */
int path_walk(struct ctx *ctx, const struct path_at *at);

/* open.c */
/** What open makes of its flags before it looks at the path; vfs_open does it too. 0; -EINVAL */
int vfs_open_flags(uint32_t *flags);
/** flags: FILE_*, as open(2) got them; mode of what is created. */
int vfs_open(struct ctx *ctx, const struct path_at *at, uint32_t flags, uint32_t mode, struct file **out);

/* change.c */
/** What mknod says of a mode before it looks at the path, and vfs_mknod does too: 0; -EPERM (a directory), -EINVAL. */
int vfs_mknod_type(uint32_t mode);
/** type in mode: S_IFREG (0 too), S_IFSOCK, S_IFIFO, S_IFCHR, S_IFBLK; umask is applied. */
int vfs_mknod(struct ctx *ctx, const struct path_at *at, uint32_t mode, uint64_t rdev);
/** A socket's name, umask applied, and its inode with a reference. */
int vfs_bind(struct ctx *ctx, const char *path, uint32_t mode, struct dentry **out);
/** Take a name away again that vfs_bind made, if it is still there. */
void vfs_unbind(struct ctx *ctx, struct dentry *dentry);
int vfs_mkdir(struct ctx *ctx, const struct path_at *at, uint32_t mode);
int vfs_symlink(struct ctx *ctx, const char *target, const struct path_at *at);
/** What vfs_link gives a name to, with a reference, or why it may not. */
int vfs_link_from(struct ctx *ctx, const struct path_at *from, unsigned flags, struct dentry **out);
/** flags: AT_FOLLOW, AT_EMPTY. */
int vfs_link(struct ctx *ctx, const struct path_at *from, const struct path_at *to, unsigned flags);
int vfs_unlink(struct ctx *ctx, const struct path_at *at);
int vfs_rmdir(struct ctx *ctx, const struct path_at *at);
enum { RENAME_KEEP = 1, RENAME_SWAP = 2, RENAME_LEAVE_WHITEOUT = 4 }; /* RENAME_NOREPLACE, _EXCHANGE, _WHITEOUT */
/** Likewise of rename's flags: 0 or -EINVAL. */
int vfs_rename_flags(unsigned flags);
int vfs_rename(struct ctx *ctx, const struct path_at *from, const struct path_at *to, unsigned flags);

/* attr.c */
/** flags: AT_NOFOLLOW, AT_EMPTY. */
int vfs_stat_at(struct ctx *ctx, const struct path_at *at, unsigned flags, struct kstat *out);
/** Bytes of the target that fit, without NUL. */
ssize_t vfs_readlink(struct ctx *ctx, const struct path_at *at, char *text, size_t size);
/** mask: MAY_*; effective: by the ids that count for files, else by the real ones. flags: AT_NOFOLLOW, AT_EMPTY. */
int vfs_access(struct ctx *ctx, const struct path_at *at, unsigned mask, unsigned flags, bool effective);
int vfs_chdir(struct ctx *ctx, const struct path_at *at);
int vfs_fchdir(struct ctx *ctx, struct file *file);
/** With its NUL. Bytes; -ERANGE, -ENOENT (it was removed), -ENAMETOOLONG. */
ssize_t vfs_getcwd(struct ctx *ctx, char *text, size_t size);
/** mode: permission bits. */
int inode_chmod(struct ctx *ctx, struct inode *inode, uint32_t mode);
int vfs_chmod_at(struct ctx *ctx, const struct path_at *at, uint32_t mode, unsigned flags);
/** -1 leaves an id as it is. */
int inode_chown(struct ctx *ctx, struct inode *inode, uint32_t uid, uint32_t gid);
int vfs_chown_at(struct ctx *ctx, const struct path_at *at, uint32_t uid, uint32_t gid, unsigned flags);

#define TIME_NOW  (UINT64_C(1) << 63) /* UTIME_NOW */
#define TIME_OMIT (TIME_NOW + 1)      /* UTIME_OMIT */

/** What utimensat sets; realtime in ns, negative (as an int64_t) before 1970, or TIME_*. */
struct times {
	uint64_t atime_ns, mtime_ns;
	bool invalid; /* one of them is no time: -EINVAL, once the path is found */
};
int inode_set_times(struct ctx *ctx, struct inode *inode, const struct times *times);
int vfs_utimens_at(struct ctx *ctx, const struct path_at *at, const struct times *times, unsigned flags);
int vfs_truncate_at(struct ctx *ctx, const struct path_at *at, int64_t length);

/** statfs(2), of no architecture. */
struct kstatfs {
	uint64_t type, bsize, blocks, bfree, bavail, files, ffree, namelen, frsize, flags;
	uint64_t fsid;
};
void inode_statfs(struct ctx *ctx, const struct inode *inode, struct kstatfs *out);

/* listing.c */
/**
 * getdents64: entries from the file's offset on, as struct linux_dirent64.
 * @return bytes written to `to`; 0 at the end; -EFAULT, -ENOTDIR, -ENOENT (removed), -EINVAL (no room for the first)
 */
ssize_t vfs_getdents(struct ctx *ctx, struct file *file, struct uptr to, size_t size);

#endif
