// SPDX-License-Identifier: MIT
/*
 * read() and write() of an object: page by page between its frames and the caller's buffers.
 *
 * No lock of ours is held over a copy that may fault, only a reference on the frame, since the buffer may well be a
 * mapping of the very page that is read or written. Into the program's own memory a page is read under the object's
 * look.
 *
 * A write beyond the end puts a page into a slot that nobody else can reach yet, copies, and then grows the size over
 * the bytes that arrived. If none did the page stays, of zeros, and the size grows up to where the write began: what is
 * copied from is not looked at before there is a page to copy to. Before 6.18 it is (profile.def), and a write from a
 * bad address leaves nothing behind.
 *
 * I1  a reader never sees a page before its content
 *
 * Locking: the inode's lock is the caller's: always for writes, so that nobody else changes the size; never needed for
 * reads, which look at the size anew at every page.
 * Linux: mm/filemap.c (generic_perform_write), mm/shmem.c (shmem_file_read_iter, shmem_write_end).
 */
#include "object/object.h"

#include <errno.h>

static char *page_at(struct ctx *ctx, pfn_t pfn, uint64_t offset)
{
	return (char *)frame_ptr(ctx->env->phys, pfn) + offset % PAGE_BYTES;
}

/* How much of the page may be read, with a size as it was before the page was looked up, and as it is after. */
static uint64_t readable_of_page(const struct object *object, uint64_t offset, uint64_t before, const struct uio *uio)
{
	uint64_t size = MIN(before, object_size(object));
	uint64_t n = offset < size ? MIN(size - offset, PAGE_BYTES - offset % PAGE_BYTES) : 0;

	return MIN(n, uio->resid);
}

/* The page need not be kept by a reference where nothing can hold the copy up. false: it cannot be read so */
static bool read_looking(struct ctx *ctx, struct object *object, uint64_t offset, struct uio *uio, size_t *moved)
{
	uint64_t size = object_size(object), n;
	pfn_t pfn;

	if (object->ops->look == NULL || !uio_is_direct(ctx, uio) ||
	    !object->ops->look(ctx, object, offset >> PAGE_SHIFT, &pfn))
		return false;
	n = readable_of_page(object, offset, size, uio);
	*moved = uio_copy_to(ctx, uio, page_at(ctx, pfn, offset), n);
	object->ops->unlook(ctx, object);
	return *moved == n;
}

/* @return bytes moved, 0 at the end */
static ssize_t read_page(struct ctx *ctx, struct object *object, uint64_t offset, struct uio *uio)
{
	uint64_t size = object_size(object), n;
	size_t moved;
	pfn_t pfn;

	if (read_looking(ctx, object, offset, uio, &moved))
		return (ssize_t)moved;
	if (object->ops->page(ctx, object, offset >> PAGE_SHIFT, 0, &pfn) < 0)
		pfn = PFN_NONE;
	n = readable_of_page(object, offset, size, uio);
	moved = pfn.n != 0 ? uio_copy_to(ctx, uio, page_at(ctx, pfn, offset), n) : uio_zero(ctx, uio, n);
	if (pfn.n != 0)
		frame_put(ctx, pfn);
	return n != 0 && moved == 0 ? -EFAULT : (ssize_t)moved;
}

ssize_t object_read(struct ctx *ctx, struct object *object, uint64_t offset, struct uio *uio)
{
	uint64_t start = offset;
	ssize_t moved = 0;

	while (uio->resid > 0) {
		moved = read_page(ctx, object, offset, uio);
		if (moved <= 0)
			break;
		offset += (uint64_t)moved;
	}
	return offset != start ? (ssize_t)(offset - start) : moved;
}

/* Whether the buffer has a next byte; it stays there. */
static bool readable(struct ctx *ctx, const struct uio *uio)
{
	struct uio probe = *uio;
	char byte;

	return uio_copy_from(ctx, &probe, &byte, 1) == 1;
}

/* The page to write to, which is made if there is none. */
static int page_to_write(struct ctx *ctx, struct object *object, uint64_t pgidx, const struct uio *uio, pfn_t *pfn)
{
	if (!ctx->env->profile.write_makes_first && !readable(ctx, uio))
		return -EFAULT;
	return object->ops->page(ctx, object, pgidx, PAGE_MAKE | PAGE_TOUCH | PAGE_BEYOND, pfn);
}

/* Bytes up to `end` have arrived. @return whether the size has changed */
static bool size_reaches(struct ctx *ctx, struct object *object, uint64_t end)
{
	if (object_size(object) >= end)
		return false;
	mutex_lock(ctx, &object->lock);
	__atomic_store_n(&object->size, end, __ATOMIC_RELEASE);
	mutex_unlock(ctx, &object->lock);
	return true;
}

/* @return bytes moved; fewer than n: the next byte of the buffer cannot be accessed */
static ssize_t write_page(struct ctx *ctx, struct object *object, uint64_t offset, struct uio *uio, uint64_t n)
{
	bool grown;
	size_t moved;
	pfn_t pfn;
	int err = page_to_write(ctx, object, offset >> PAGE_SHIFT, uio, &pfn);

	if (err < 0)
		return err;
	moved = uio_copy_from(ctx, uio, page_at(ctx, pfn, offset), n);
	frame_set_dirty(frame_of(ctx->env->phys, pfn));
	grown = size_reaches(ctx, object, offset + moved);
	frame_put(ctx, pfn);
	if (moved > 0)
		return (ssize_t)moved;
	/* What was grown may be what the buffer maps. */
	return grown && readable(ctx, uio) ? write_page(ctx, object, offset, uio, n) : -EFAULT;
}

ssize_t object_write(struct ctx *ctx, struct object *object, uint64_t offset, struct uio *uio)
{
	uint64_t start = offset;
	ssize_t moved = 0;

	while (uio->resid > 0) {
		uint64_t n = MIN(uio->resid, PAGE_BYTES - offset % PAGE_BYTES);

		if (offset >= OBJECT_SIZE_MAX) {
			moved = -EFBIG;
			break;
		}
		n = MIN(n, OBJECT_SIZE_MAX - offset);
		moved = write_page(ctx, object, offset, uio, n);
		if (moved < 0)
			break;
		offset += (uint64_t)moved;
	}
	return offset != start ? (ssize_t)(offset - start) : moved;
}
