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
};

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
