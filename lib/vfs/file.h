/* SPDX-License-Identifier: MIT */
/*
 * An open file description: offset, status flags, access mode. What dup, fork and SCM_RIGHTS share.
 *
 * References of a file = slots of fd tables + mappings + messages in flight + calls under way.
 */
#ifndef VFS_FILE_H
#define VFS_FILE_H

#include "object/backing.h"
#include "vfs/inode.h"

struct dentry;
struct file;

/** What kinds of files differ in. A NULL entry answers as Linux does for files without it. */
struct file_ops {
	const char *name;
	/** At *pos, which advances; pos is NULL for files without one. */
	ssize_t (*read)(struct ctx *ctx, struct file *file, struct uio *uio, uint64_t *pos);
	ssize_t (*write)(struct ctx *ctx, struct file *file, struct uio *uio, uint64_t *pos);
	bool seekable;
	bool unlocked; /* read and write are called under no lock, not even that of the offset */
	bool endless;  /* there is no end that lseek could count from */
	/** The last reference has gone. No lock is held. */
	void (*release)(struct ctx *ctx, struct file *file);
	/** What fstat tells; NULL: what the inode knows. */
	void (*stat)(struct file *file, struct kstat *out);
	/** As /proc/self/fd shows it: "/memfd:x (deleted)", "socket:[7]". @return as snprintf */
	int (*describe)(const struct file *file, char *text, size_t size);
};

struct file {
	struct ref ref;
	struct origin origin;       /* c  the call that opened it */
	const struct file_ops *ops; /* c */
	struct inode *inode;        /* c  our reference */
	uint32_t flags;             /* a  O_* as the x86_64 kernel numbers them; the access mode never changes */
	struct mutex pos_lock;      /* RANK_FILE_POS */
	uint64_t pos;               /* p */
	struct backing backing;     /* c  what mappings hold */
	void *priv;                 /* c  of ops */
	uint64_t creds;             /* c  which credentials opened it: their serial; 0: the machine's */
	bool may_be_direct;         /* c  O_DIRECT is for content that was opened by a path, as a new memfd was not */
	struct dentry *dentry;      /* c  the name that it was opened by, our reference; NULL: none in any directory */
};

/** Status flags, numbered as the x86_64 kernel does (the canonical form). */
enum {
	FILE_RDONLY = 0,
	FILE_WRONLY = 1,
	FILE_RDWR = 2,
	FILE_ACCMODE = 3,
	FILE_CREAT = 0100,
	FILE_EXCL = 0200,
	FILE_TRUNC = 01000,
	FILE_APPEND = 02000,
	FILE_NONBLOCK = 04000,
	FILE_DSYNC = 010000,
	FILE_ASYNC = 020000,
	FILE_DIRECT = 040000,
	FILE_LARGEFILE = 0100000,
	FILE_DIRECTORY = 0200000,
	FILE_NOFOLLOW = 0400000,
	FILE_NOATIME = 01000000,
	FILE_CLOEXEC = 02000000,
	FILE_SYNC = 04000000,
	FILE_PATH = 010000000,
	FILE_TMPFILE = 020000000, /* __O_TMPFILE: FILE_DIRECTORY goes with it */
	FILE_NOCTTY = 0400,
};

/** A description with one reference; takes over the inode's reference on success only. 0 or -ENOMEM. */
int file_create(struct ctx *ctx, const struct file_ops *ops, struct inode *inode, uint32_t flags, struct file **out);
void file_get(struct file *file);
/** NULL is legal. */
void file_put(struct ctx *ctx, struct file *file);

static inline uint32_t file_flags(const struct file *file)
{
	return __atomic_load_n(&file->flags, __ATOMIC_RELAXED);
}

/* Access mode 3 of open(2) is neither. */
static inline bool file_readable(const struct file *file)
{
	return ((file_flags(file) & FILE_ACCMODE) + 1) & 1;
}

static inline bool file_writable(const struct file *file)
{
	return ((file_flags(file) & FILE_ACCMODE) + 1) & 2;
}

/* The file calls of Linux, after the descriptor has become a file and the buffer a uio. Errors as the man pages. */
ssize_t vfs_read(struct ctx *ctx, struct file *file, struct uio *uio);
ssize_t vfs_write(struct ctx *ctx, struct file *file, struct uio *uio);
ssize_t vfs_pread(struct ctx *ctx, struct file *file, struct uio *uio, int64_t offset);
ssize_t vfs_pwrite(struct ctx *ctx, struct file *file, struct uio *uio, int64_t offset);
int64_t vfs_lseek(struct ctx *ctx, struct file *file, int64_t offset, int whence);
/**
 * Take over the flags (RWF_*) of preadv2 or pwritev2. 0; -EOPNOTSUPP (unknown, or not for this file), -EINVAL.
 */
int vfs_rw_flags(const struct ctx *ctx, const struct file *file, uint32_t flags, struct uio *uio);
/**
 * Move bytes from one file at *in_pos to another at *out_pos, both of which advance, without a buffer of the caller's.
 * The files are open for it. out_pos is not looked at where `out` has no offset.
 * @return bytes moved, or an errno
 */
ssize_t vfs_sendfile(struct ctx *ctx, struct file *in, uint64_t *in_pos, struct file *out, uint64_t *out_pos, size_t n);
ssize_t vfs_copy_range(struct ctx *ctx, struct file *in, uint64_t *in_pos, struct file *out, uint64_t *out_pos,
                       size_t n);
/** Whether n bytes at pos are a range at all: 0 or -EINVAL. */
int vfs_check_range(uint64_t pos, size_t n);
/** fsync and fdatasync: 0, or -EINVAL (it cannot be synchronised). */
int vfs_sync(struct file *file);
int vfs_truncate(struct ctx *ctx, struct file *file, int64_t length);
int vfs_fallocate(struct ctx *ctx, struct file *file, int mode, int64_t offset, int64_t length);
void vfs_stat(struct ctx *ctx, struct file *file, struct kstat *out);
int vfs_add_seals(struct ctx *ctx, struct file *file, uint32_t seals);
int vfs_get_seals(struct ctx *ctx, struct file *file); /* F_SEAL_* or -EINVAL */
/**
 * F_SETFL: only FILE_APPEND, FILE_NONBLOCK, FILE_DIRECT and FILE_NOATIME change. 0; -EPERM (FILE_NOATIME of another
 * user's file), -EINVAL (FILE_DIRECT, which is not for this file).
 */
int vfs_set_flags(struct ctx *ctx, struct file *file, uint32_t flags);

/** What mm must know to map a file. Pointers are borrowed from the file. */
struct vfs_mapping {
	struct object *object;
	struct backing *backing;
	uint8_t max_prot; /* 1 read, 2 write, 4 exec */
	bool demote;      /* see struct mm_map */
	bool huge;        /* its pages are of 2 MiB, from the pool */
};

/** Whether and how the file may be mapped with prot (1, 2, 4): 0; -EACCES, -EPERM, -ENODEV. */
int vfs_map(struct ctx *ctx, struct file *file, unsigned prot, bool shared, struct vfs_mapping *out);

#define MEMFD_NAME_MAX 249
enum { MEMFD_CLOEXEC = 1, MEMFD_ALLOW_SEALING = 2, MEMFD_HUGETLB = 4, MEMFD_NOEXEC_SEAL = 8, MEMFD_EXEC = 16 };

/**
 * A new, empty memfd, open for reading and writing. flags: MEMFD_*.
 * 0; -EINVAL (flags, a name longer than MEMFD_NAME_MAX), -EACCES, -ENODEV (no huge pages of that size), -ENOMEM.
 */
int memfd_create_file(struct ctx *ctx, const char *name, unsigned flags, struct file **out);
/**
 * The flags alone, which Linux judges before it reads the name; what vm.memfd_noexec adds is or'ed in.
 * 0; -EINVAL; -EACCES (it may not be executable).
 */
int memfd_check_flags(const struct ctx *ctx, unsigned *flags);

/** Validator of a description, its inode and its pages; exact when no call is under way. */
void file_check(struct ctx *ctx, struct file *file, struct check_report *report);

#endif
