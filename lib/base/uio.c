// SPDX-License-Identifier: MIT
/*
 * Every copy between the kernel and a caller's buffer.
 *
 *	uio_copy_* , copy_* -> move -> USER: ctx->user->copy      host address known only to mm
 *	                            -> HOST: memcpy or raw_copy   the program's own stack and heap
 *
 * Structures that are copied in and out lie in the program's memory on one side and on the kernel's stack on the
 * other, so memcpy lets the sanitizers check both. What a uio moves is content of pages, which other processes may
 * legally change meanwhile: raw_copy.
 *
 * I1  segs[0].len > offset, or nsegs == 0 after empty buffers have been skipped
 * I2  a buffer that begins or ends outside of user addresses is refused as a whole, before a byte of it is moved
 *
 * Locking: none of its own; mm takes the map lock in ctx->user->copy, so callers hold at most an inode's or a
 * socket's read mutex.
 * Linux: lib/iov_iter.c, access_ok.
 */
#include "base/uio.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/event.h"
#include "base/rawcopy.h"
#include "base/util.h"

/* User addresses lie below; a canonical address of a simulated machine has bits 47 and up clear. */
#define USER_END (UINT64_C(1) << 47)

enum direction { INTO_KERNEL, OUT_OF_KERNEL, ZERO };

static const uint8_t zeros[256];

/*
 * A forked child has its parent's user addresses, which are the parent's pointers: they mean the child's memory here.
 */
struct uptr uptr_meant(const struct ctx *ctx, struct uptr p)
{
	const struct user_window *w = &ctx->window;

	if (likely(w->bytes == 0) || p.bits & UPTR_USER_BIT)
		return p;
	if (p.bits - w->host < w->bytes)
		return uptr_user(p.bits - w->host + w->user);
	if (p.bits - w->user < w->bytes)
		return uptr_user(p.bits);
	return p;
}

static bool is_user(struct uptr p)
{
	return p.bits & UPTR_USER_BIT;
}

/* Whether a buffer of n > 0 bytes may exist at all; user memory behind it may still be missing. */
static bool buffer_legal(struct uptr p, uint64_t n)
{
	uint64_t at = p.bits & ~UPTR_USER_BIT;

	if (is_user(p))
		return at < USER_END && n <= USER_END - at;
	return at >= UPTR_HOST_MIN && n <= UPTR_USER_BIT - at;
}

static void *host_pointer(struct uptr p)
{
	return (void *)(uintptr_t)p.bits;
}

static size_t move_user(struct ctx *ctx, ksim_addr addr, void *kernel, size_t n, enum direction direction)
{
	size_t done = 0;

	if (ctx->user == NULL)
		return 0;
	if (direction != ZERO)
		return ctx->user->copy(ctx, addr, kernel, n, direction == OUT_OF_KERNEL);
	while (done < n) {
		size_t chunk = MIN(n - done, sizeof(zeros));
		size_t moved = ctx->user->copy(ctx, addr + done, (void *)(uintptr_t)zeros, chunk, true);

		done += moved;
		if (moved < chunk)
			break;
	}
	return done;
}

/* Part of a legal buffer: how much of it could be moved. */
static size_t move_content(struct ctx *ctx, struct uptr p, void *kernel, size_t n, enum direction direction)
{
	if (is_user(p))
		return move_user(ctx, p.bits & ~UPTR_USER_BIT, kernel, n, direction);
	if (direction == INTO_KERNEL)
		raw_copy(kernel, host_pointer(p), n);
	else if (direction == OUT_OF_KERNEL)
		raw_copy(host_pointer(p), kernel, n);
	else
		raw_zero(host_pointer(p), n);
	return n;
}

int copy_in(struct ctx *ctx, void *to, struct uptr from, size_t n)
{
	if (n == 0)
		return 0;
	from = uptr_meant(ctx, from);
	if (!buffer_legal(from, n))
		return -EFAULT;
	if (is_user(from))
		return move_user(ctx, from.bits & ~UPTR_USER_BIT, to, n, INTO_KERNEL) == n ? 0 : -EFAULT;
	memcpy(to, host_pointer(from), n);
	return 0;
}

int copy_out(struct ctx *ctx, struct uptr to, const void *from, size_t n)
{
	void *kernel = (void *)(uintptr_t)from;

	if (n == 0)
		return 0;
	to = uptr_meant(ctx, to);
	if (!buffer_legal(to, n))
		return -EFAULT;
	if (is_user(to))
		return move_user(ctx, to.bits & ~UPTR_USER_BIT, kernel, n, OUT_OF_KERNEL) == n ? 0 : -EFAULT;
	memcpy(host_pointer(to), from, n);
	return 0;
}

int copy_out_number(struct ctx *ctx, struct uptr to, const void *number, size_t n)
{
	size_t here;
	uint64_t was;

	to = uptr_meant(ctx, to);
	here = PAGE_BYTES - to.bits % PAGE_BYTES;
	if (n <= here || !is_user(to))
		return copy_out(ctx, to, number, n);
	/* What lies on the second page first: if it cannot be, nothing has changed. */
	if (copy_in(ctx, &was, uptr_add(to, here), n - here) < 0 ||
	    copy_out(ctx, uptr_add(to, here), (const char *)number + here, n - here) < 0)
		return -EFAULT;
	if (copy_out(ctx, to, number, here) == 0)
		return 0;
	copy_out(ctx, uptr_add(to, here), &was, n - here);
	return -EFAULT;
}

/* Page by page, since the page after the one with the NUL need not be there. */
static ssize_t string_from_user(struct ctx *ctx, char *to, ksim_addr addr, size_t size)
{
	size_t done = 0;

	while (done < size) {
		uint64_t at = addr + done;
		size_t chunk = MIN(size - done, PAGE_BYTES - (at & ~PAGE_MASK));
		size_t moved;
		const char *nul;

		if (!buffer_legal(uptr_user(at), chunk))
			return -EFAULT;
		moved = move_user(ctx, at, to + done, chunk, INTO_KERNEL);
		nul = memchr(to + done, '\0', moved);
		if (nul != NULL)
			return nul - to;
		if (moved < chunk)
			return -EFAULT;
		done += chunk;
	}
	return -ENAMETOOLONG;
}

ssize_t copy_in_string(struct ctx *ctx, char *to, struct uptr from, size_t size)
{
	size_t len;

	from = uptr_meant(ctx, from);
	if (is_user(from))
		return string_from_user(ctx, to, from.bits & ~UPTR_USER_BIT, size);
	if (!buffer_legal(from, 1))
		return -EFAULT;
	len = strnlen(host_pointer(from), size);
	if (len == size)
		return -ENAMETOOLONG;
	memcpy(to, host_pointer(from), len + 1);
	return (ssize_t)len;
}

void uio_init_one(struct uio *uio, struct uptr base, size_t len)
{
	uio->one = (struct uio_seg){ base, len };
	uio->segs = &uio->one;
	uio->nsegs = 1;
	uio->offset = 0;
	uio->resid = len;
	uio->how = 0;
}

void uio_init(struct uio *uio, const struct uio_seg *segs, size_t nsegs)
{
	uio->segs = segs;
	uio->nsegs = nsegs;
	uio->offset = 0;
	uio->resid = 0;
	uio->how = 0;
	for (size_t i = 0; i < nsegs; i++)
		uio->resid += segs[i].len;
}

bool uio_is_direct(const struct ctx *ctx, const struct uio *uio)
{
	return uio->nsegs == 1 && !is_user(uptr_meant(ctx, uio->segs->base));
}

/* Past buffers that are used up or empty. */
static void skip_used(struct uio *uio)
{
	while (uio->nsegs > 0 && uio->offset == uio->segs->len) {
		uio->segs++;
		uio->nsegs--;
		uio->offset = 0;
	}
}

static size_t uio_move(struct ctx *ctx, struct uio *uio, uint8_t *kernel, size_t n, enum direction direction)
{
	size_t done = 0;

	n = MIN(n, uio->resid);
	while (done < n) {
		size_t chunk, moved;
		struct uptr base;

		skip_used(uio);
		chunk = MIN(n - done, uio->segs->len - uio->offset);
		base = uptr_meant(ctx, uio->segs->base);
		if (!buffer_legal(base, uio->segs->len))
			break;
		moved = move_content(ctx, uptr_add(base, uio->offset), kernel != NULL ? kernel + done : NULL, chunk,
		                     direction);
		KSIM_ASSERT(ctx, moved <= chunk, "a copy moves no more than it was asked to", "%zu of %zu", moved,
		            chunk);
		uio->offset += moved;
		uio->resid -= moved;
		done += moved;
		if (moved < chunk)
			break;
	}
	event_count(ctx, EVENT_COPIED, done);
	return done;
}

size_t uio_copy_from(struct ctx *ctx, struct uio *uio, void *to, size_t n)
{
	return uio_move(ctx, uio, to, n, INTO_KERNEL);
}

size_t uio_copy_to(struct ctx *ctx, struct uio *uio, const void *from, size_t n)
{
	return uio_move(ctx, uio, (void *)(uintptr_t)from, n, OUT_OF_KERNEL);
}

size_t uio_zero(struct ctx *ctx, struct uio *uio, size_t n)
{
	return uio_move(ctx, uio, NULL, n, ZERO);
}
