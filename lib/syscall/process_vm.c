// SPDX-License-Identifier: MIT
/*
 * process_vm_readv and process_vm_writev: copies between the caller's memory and another process's.
 *
 *	the other's page  <- its map lock, shared ->  bounce  <- no lock ->  the caller's buffers
 *
 * A page's worth moves at a time, by way of the kernel's stack, so that never two address spaces are held at once, and
 * nothing at all is held where the caller's buffer is touched. Pages that the other process has not touched yet are
 * made on the caller's account.
 *
 * What was moved before something went wrong is told; the error only if nothing was.
 *
 * Locking: none of its own. Linux: mm/process_vm_access.c, __ptrace_may_access in kernel/ptrace.c. Not modelled: that a
 * process which has changed its user is not to be looked at by that user (PR_SET_DUMPABLE).
 */
#include "syscall/row.h"

#include <errno.h>

/* ---- whose memory ---- */

static bool is_own_user(const struct ctx *ctx, const struct creds *other)
{
	uint32_t uid = creds_load(&ctx->creds->uid), gid = creds_load(&ctx->creds->gid);

	return uid == creds_load(&other->uid) && uid == creds_load(&other->euid) && uid == creds_load(&other->suid) &&
	       gid == creds_load(&other->gid) && gid == creds_load(&other->egid) && gid == creds_load(&other->sgid);
}

/* The memory of a process, with a reference. 0; -ESRCH, -EPERM */
static int memory_of(const struct syscall_frame *frame, struct process *other, struct mm **mm)
{
	struct ctx *ctx = frame->ctx;
	int err = process_borrow(ctx, other, mm, NULL);

	if (err < 0)
		return err;
	if (other == frame->process || creds_privileged(ctx) || is_own_user(ctx, &other->creds))
		return 0;
	mm_put(ctx, *mm);
	return -EPERM;
}

/* ---- copying ---- */

struct transfer {
	struct ctx *ctx;
	const struct process *other;
	struct mm *mm;   /* its memory */
	struct uio *uio; /* the caller's */
	bool write;      /* to the other */
};

/* A user address of the other's; a pointer that leads there in this program, or one for calls, means the same. */
static ksim_addr remote_address(const struct process *other, struct uptr p)
{
	const struct user_window *w = &other->window;

	if (w->bytes != 0 && p.bits - w->host < w->bytes)
		return p.bits - w->host + w->user;
	return p.bits & ~UPTR_USER_BIT;
}

/* Up to the end of a page. @return bytes moved; fewer than n: one side cannot be accessed */
static size_t transfer_some(const struct transfer *t, ksim_addr addr, size_t n)
{
	char bounce[PAGE_BYTES];
	size_t there;

	if (t->write) {
		size_t here = uio_copy_from(t->ctx, t->uio, bounce, n);

		there = mm_copy_remote(t->ctx, t->mm, addr, bounce, here, true);
		return there;
	}
	there = mm_copy_remote(t->ctx, t->mm, addr, bounce, n, false);
	return uio_copy_to(t->ctx, t->uio, bounce, there);
}

/* One of the other's buffers. @return bytes moved */
static size_t transfer_segment(const struct transfer *t, const struct uio_seg *seg)
{
	ksim_addr addr = remote_address(t->other, seg->base);
	size_t done = 0;

	while (done < seg->len && t->uio->resid > 0) {
		size_t chunk = PAGE_BYTES - (addr & ~PAGE_MASK), moved;

		chunk = MIN(chunk, MIN(seg->len - done, t->uio->resid));
		moved = transfer_some(t, addr, chunk);
		done += moved;
		addr += moved;
		if (moved < chunk)
			break;
	}
	return done;
}

static long transfer_all(const struct transfer *t, const struct row *remote)
{
	long done = 0;

	for (size_t i = 0; i < remote->nsegs && t->uio->resid > 0; i++) {
		const struct uio_seg *seg = &remote->segs[i];
		size_t want = MIN(seg->len, t->uio->resid), moved = transfer_segment(t, seg);

		done += (long)moved;
		if (moved < want)
			return done > 0 ? done : -EFAULT;
	}
	return done;
}

/* ---- the calls ---- */

static bool is_empty(const struct row *row)
{
	for (size_t i = 0; i < row->nsegs; i++)
		if (row->segs[i].len != 0)
			return false;
	return true;
}

static long transfer_rows(const struct syscall_frame *frame, struct row *local, const struct row *remote, bool write)
{
	struct process *other;
	struct transfer t = { .ctx = frame->ctx, .uio = &local->uio, .write = write };
	int pid = arg_int(frame, 0);
	long result;

	if (is_empty(remote))
		return 0;
	other = pid > 0 ? process_of_tid(frame->ctx, (uint32_t)pid) : NULL;
	if (other == NULL)
		return -ESRCH;
	t.other = other;
	result = memory_of(frame, other, &t.mm);
	if (result < 0)
		return result;
	result = transfer_all(&t, remote);
	mm_put(frame->ctx, t.mm);
	return result;
}

static long process_vm(const struct syscall_frame *frame, bool write)
{
	struct ctx *ctx = frame->ctx;
	uint64_t nlocal = arg_u32(frame, 2), nremote = frame->args[4];
	struct row local, remote;
	long result;

	if (frame->args[5] != 0 || nlocal > IOV_MAX_SEGS)
		return -EINVAL;
	result = row_init(ctx, &local, arg_pointer(frame, 1), nlocal);
	if (result < 0)
		return result;
	if (local.uio.resid == 0)
		goto out;
	result = nremote > IOV_MAX_SEGS ? -EINVAL : row_init_remote(ctx, &remote, arg_pointer(frame, 3), nremote);
	if (result < 0)
		goto out;
	result = transfer_rows(frame, &local, &remote, write);
	row_fini(ctx, &remote);
out:
	row_fini(ctx, &local);
	return result;
}

long sys_process_vm_readv(const struct syscall_frame *frame)
{
	return process_vm(frame, false);
}

long sys_process_vm_writev(const struct syscall_frame *frame)
{
	return process_vm(frame, true);
}
