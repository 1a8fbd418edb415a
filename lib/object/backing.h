/* SPDX-License-Identifier: MIT */
/*
 * What a mapping keeps alive beside the pages: the open file it was made from. mm knows it only so far.
 */
#ifndef OBJECT_BACKING_H
#define OBJECT_BACKING_H

#include "base/ctx.h"

struct backing;

struct backing_ops {
	void (*get)(struct backing *backing);
	void (*put)(struct ctx *ctx, struct backing *backing);
	/** Write what /proc/pid/maps shows ("/memfd:NAME (deleted)") and its inode number; @return as snprintf. */
	int (*describe)(const struct backing *backing, char *text, size_t size, uint64_t *inode);
	/** The device that the inode is on, as stat tells it; NULL: the one of memfds, 00:01. */
	uint64_t (*dev)(const struct backing *backing);
	/**
	 * Make a hole of these bytes, as fallocate(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE) on the open file does.
	 * No lock is held. 0, or fallocate's errno: -EPERM (sealed). NULL: it is no such file.
	 */
	int (*punch)(struct ctx *ctx, struct backing *backing, uint64_t offset, uint64_t length);
	/**
	 * A mapping of huge pages that may be written to reaches up to `end`, bytes, and the file with it: it grows if
	 * it is shorter, whatever its seals and anybody's limits say, as on Linux. No lock is held. NULL: it has no
	 * such pages.
	 */
	void (*reach)(struct ctx *ctx, struct backing *backing, uint64_t end);
};

/** Devices of objects that are in no directory: of small pages, and of huge ones. */
enum { OBJECT_DEV_SMALL = 1, OBJECT_DEV_HUGE = 17 };

struct backing {
	const struct backing_ops *ops;
};

static inline void backing_get(struct backing *backing)
{
	if (backing != NULL)
		backing->ops->get(backing);
}

static inline void backing_put(struct ctx *ctx, struct backing *backing)
{
	if (backing != NULL)
		backing->ops->put(ctx, backing);
}

#endif
