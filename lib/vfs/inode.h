/* SPDX-License-Identifier: MIT */
/*
 * The thing that an open file description is open on: identity, mode, seals, and for files their pages.
 */
#ifndef VFS_INODE_H
#define VFS_INODE_H

#include "base/ref.h"
#include "object/object.h"

struct inode {
	struct ref ref;
	struct origin origin;        /* c */
	struct mutex lock;           /* RANK_INODE: size, content through calls, seals, mode, times */
	uint64_t ino;                /* c  unique in the machine */
	uint32_t mode;               /* i  S_IFREG | 0777, S_IFSOCK | 0777 */
	uint32_t nlink;              /* i */
	uint32_t uid, gid;           /* i */
	uint32_t seals;              /* i  F_SEAL_*; meaningful where there is an object */
	struct object *object;       /* c  our reference; NULL where there are no pages */
	uint64_t atime_ns;           /* a  realtime; a read takes no lock for it */
	uint64_t mtime_ns, ctime_ns; /* i  realtime */
	char name[256];              /* c  the memfd's name, for debugging; "" */
};

/**
 * A new inode with one reference and one link; object may be NULL, and its reference is taken over, on success only.
 * 0 or -ENOMEM.
 */
int inode_create(struct ctx *ctx, uint32_t mode, const char *name, struct object *object, struct inode **out);
void inode_get(struct inode *inode);
/** NULL is legal. */
void inode_put(struct ctx *ctx, struct inode *inode);

/** stat(2), of no architecture. */
struct kstat {
	uint64_t dev, ino, nlink, rdev, size, blksize, blocks; /* blocks of 512 bytes */
	uint32_t mode, uid, gid;
	uint64_t atime_ns, mtime_ns, ctime_ns;
};

void inode_stat(struct ctx *ctx, struct inode *inode, struct kstat *out);

/** Stamp an access; no lock needed. */
void inode_accessed(struct inode *inode);
/** Stamp a modification; inode lock held. */
void inode_modified_locked(struct inode *inode);

/**
 * ftruncate and O_TRUNC of an inode with pages, whatever the access mode: what the machine's commit policy says.
 * length <= OBJECT_SIZE_MAX. 0; -EPERM (seals), -ENOMEM: nothing has changed.
 */
int inode_truncate(struct ctx *ctx, struct inode *inode, uint64_t length);

#endif
