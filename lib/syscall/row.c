// SPDX-License-Identifier: MIT
/*
 * Rows of buffers. Up to ROW_FEW of them lie on the stack, longer rows in an allocation of their own.
 *
 * I1  buffers that a uio gets are legal ranges, and their lengths sum up to at most TRANSFER_BYTES_MAX: what lies
 *     beyond is cut off, as on Linux
 *
 * Locking: none of its own. Linux: __import_iovec and iovec_from_user in lib/iov_iter.c.
 */
#include "syscall/row.h"

#include <errno.h>

#include "host/kmem.h"

void row_fini(struct ctx *ctx, struct row *row)
{
	if (row->segs != row->few)
		kmem_free(ctx->env, row->segs, row->nsegs * sizeof(row->segs[0]));
}

static int check_lengths(struct row *row)
{
	for (size_t i = 0; i < row->nsegs; i++)
		if ((int64_t)row->segs[i].len < 0)
			return -EINVAL;
	return 0;
}

/*
 * Check lengths and ranges in Linux's order, and cut what is too much: a buffer that is alone before its range is
 * judged.
 */
static int check_and_cut(struct row *row)
{
	uint64_t left = TRANSFER_BYTES_MAX;
	int err = check_lengths(row);

	if (err == 0 && row->nsegs == 1)
		row->segs[0].len = MIN(row->segs[0].len, left);
	for (size_t i = 0; err == 0 && i < row->nsegs; i++) {
		struct uio_seg *seg = &row->segs[i];

		if (!range_legal(seg->base, seg->len))
			err = -EFAULT;
		seg->len = MIN(seg->len, left);
		left -= seg->len;
	}
	return err;
}

static int init(struct ctx *ctx, struct row *row, struct uptr from, size_t nsegs, int (*check)(struct row *row))
{
	int err;

	row->nsegs = nsegs;
	row->segs = row->few;
	if (nsegs > ROW_FEW) {
		row->segs = kmem_alloc(ctx, nsegs * sizeof(row->segs[0]));
		if (row->segs == NULL)
			return -ENOMEM;
	}
	err = copy_in(ctx, row->segs, from, nsegs * sizeof(row->segs[0]));
	if (err == 0)
		err = check(row);
	if (err < 0)
		row_fini(ctx, row);
	return err;
}

int row_init(struct ctx *ctx, struct row *row, struct uptr from, size_t nsegs)
{
	int err = init(ctx, row, from, nsegs, check_and_cut);

	if (err == 0)
		uio_init(&row->uio, row->segs, row->nsegs);
	return err;
}

int row_init_remote(struct ctx *ctx, struct row *row, struct uptr from, size_t nsegs)
{
	return init(ctx, row, from, nsegs, check_lengths);
}
