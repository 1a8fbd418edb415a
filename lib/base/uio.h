/* SPDX-License-Identifier: MIT */
/*
 * Buffers that callers hand to the kernel. Each is either in user memory of the acting process, reached only
 * through ctx->user, or in the host program's own stack and heap, reached directly. Nothing above or below
 * this file ever dereferences a caller's pointer.
 *
 * A `struct uptr` is one such pointer: bit 63 set means a user address in the other bits, as ksim_user() makes
 * it; one within the caller's window (ctx->window) means the user address that appears there; else it is a host
 * pointer, and one below 64 KiB is EFAULT as it would be on Linux.
 */
#ifndef BASE_UIO_H
#define BASE_UIO_H

#include <sys/types.h>

#include "base/ctx.h"

#define UPTR_USER_BIT (UINT64_C(1) << 63)
#define UPTR_HOST_MIN UINT64_C(65536)

struct uptr {
	uint64_t bits;
};

static inline struct uptr uptr_from(const void *pointer)
{
	return (struct uptr){ (uint64_t)(uintptr_t)pointer };
}

static inline struct uptr uptr_user(ksim_addr addr)
{
	return (struct uptr){ addr | UPTR_USER_BIT };
}

static inline struct uptr uptr_add(struct uptr p, uint64_t n)
{
	return (struct uptr){ p.bits + n };
}

static inline bool uptr_null(struct uptr p)
{
	return (p.bits & ~UPTR_USER_BIT) == 0;
}

/**
 * What a pointer means to the caller: a user address if it lies in its window. Every function here sees to that itself.
 */
struct uptr uptr_meant(const struct ctx *ctx, struct uptr p);

/** Copy n bytes in or out: 0, or -EFAULT (with a prefix possibly copied, as on Linux). */
int copy_in(struct ctx *ctx, void *to, struct uptr from, size_t n);
int copy_out(struct ctx *ctx, struct uptr to, const void *from, size_t n);
/** The same of a number of at most 8 bytes, which is written wholly or not, as a store is. */
int copy_out_number(struct ctx *ctx, struct uptr to, const void *number, size_t n);

/**
 * Copy a string in, with its NUL.
 * @return its length without the NUL; -EFAULT; -ENAMETOOLONG if no NUL is within `size` bytes.
 */
ssize_t copy_in_string(struct ctx *ctx, char *to, struct uptr from, size_t size);

struct uio_seg {
	struct uptr base;
	uint64_t len; /* bytes */
};

/** A position in a row of buffers. */
struct uio {
	const struct uio_seg *segs;
	size_t nsegs;
	size_t offset;      /* bytes of segs[0] already moved */
	size_t resid;       /* bytes still to move, over all */
	struct uio_seg one; /* room for the usual single buffer */
	uint32_t how;       /* enum uio_how: what this one transfer does otherwise than its file's flags say */
};

/** As preadv2 and pwritev2 ask for. */
enum uio_how {
	UIO_NOWAIT = 1,   /* RWF_NOWAIT */
	UIO_APPEND = 2,   /* RWF_APPEND */
	UIO_NOAPPEND = 4, /* RWF_NOAPPEND */
	UIO_NOSIGNAL = 8, /* RWF_NOSIGNAL: no SIGPIPE */
};

/** Over one buffer. */
void uio_init_one(struct uio *uio, struct uptr base, size_t len);
/** Whether the buffers are one, and the program's own memory: to move bytes of it needs nothing of the kernel's. */
bool uio_is_direct(const struct ctx *ctx, const struct uio *uio);
/** Over n buffers that stay where they are; lengths have been checked (sum <= SSIZE_MAX). */
void uio_init(struct uio *uio, const struct uio_seg *segs, size_t nsegs);

/**
 * Move up to n bytes between kernel memory and the buffers and advance.
 * @return bytes moved; fewer than min(n, resid) means that the next byte cannot be accessed.
 */
size_t uio_copy_from(struct ctx *ctx, struct uio *uio, void *to, size_t n);       /* buffers -> kernel */
size_t uio_copy_to(struct ctx *ctx, struct uio *uio, const void *from, size_t n); /* kernel -> buffers */
size_t uio_zero(struct ctx *ctx, struct uio *uio, size_t n);                      /* zeros -> buffers */

#endif
