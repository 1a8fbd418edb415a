/* SPDX-License-Identifier: MIT */
/*
 * Inside syscall: rows of buffers, as struct iovec names them.
 */
#ifndef SYSCALL_ROW_H
#define SYSCALL_ROW_H

#include "syscall/handlers.h"

enum {
	ROW_FEW = 8,         /* buffers of a row that needs no allocation */
	IOV_MAX_SEGS = 1024, /* UIO_MAXIOV */
};

struct row {
	struct uio_seg few[ROW_FEW];
	struct uio_seg *segs;
	size_t nsegs;
	struct uio uio; /* over all of them */
};

/**
 * Read nsegs <= IOV_MAX_SEGS buffers' addresses and lengths, check that each is one that the caller may have, and cut
 * what is more than TRANSFER_BYTES_MAX in all. 0; -ENOMEM, -EFAULT, -EINVAL (a negative length), and there is nothing
 * to fini.
 */
int row_init(struct ctx *ctx, struct row *row, struct uptr from, size_t nsegs);
/** Likewise of buffers that are another process's: addresses are not looked at, nothing is cut, and uio is not set. */
int row_init_remote(struct ctx *ctx, struct row *row, struct uptr from, size_t nsegs);
void row_fini(struct ctx *ctx, struct row *row);

#endif
