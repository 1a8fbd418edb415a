// SPDX-License-Identifier: MIT
/*
 * What a bench does to processes from outside: connect them, copy descriptors, look behind their addresses.
 *
 * The caller need not act as anyone, and the process may end at any moment: so its table and its memory are borrowed,
 * with references, and given back at the end. What is made is on the account of the process that gets it, under the
 * name of the bench's call.
 *
 *	reserve in a, reserve in b, make the pair       may fail, and then all is given back
 *	install in a, install in b                      cannot fail
 *
 * I1  a call that fails has changed nothing
 *
 * Locking: process->lock to borrow; no lock is held across two processes.
 */
#include "machine/machine.h"

#include <errno.h>

#include "ksim/file.h"
#include "ksim/mem.h"
#include "ksim/socket.h"

/* Acting for a process of the machine, on its account. */
static void ctx_for(struct ctx *ctx, const struct ksim_process *p, const char *call)
{
	kernel_ctx(p->machine->kernel, ctx, call);
	ctx->owner = &p->kernel->owner;
}

/* One who takes part: its table, and the number that is reserved in it. */
struct party {
	struct ctx ctx;
	struct fdtable *files;
	int fd; /* negative: none */
};

/* 0, or why not; party_end is called in either case. */
static int party_begin(struct party *party, const struct ksim_process *p, const char *call)
{
	ctx_for(&party->ctx, p, call);
	party->files = NULL;
	party->fd = -1;
	return process_borrow(&party->ctx, p->kernel, NULL, &party->files);
}

static int party_reserve(struct party *party, bool cloexec)
{
	party->fd = fd_reserve(&party->ctx, party->files, 0, cloexec);
	return MIN(party->fd, 0);
}

static void party_install(struct party *party, struct file *file)
{
	fd_install(&party->ctx, party->files, party->fd, file);
}

static void party_end(struct party *party, bool installed)
{
	if (!installed && party->fd >= 0)
		fd_unreserve(&party->ctx, party->files, party->fd);
	fdtable_put(&party->ctx, party->files);
	ctx_drain(&party->ctx);
}

static int pair_between(struct party *a, struct party *b, int type, struct unix_creds creds)
{
	const int flags = SOCK_CLOEXEC | SOCK_NONBLOCK;
	struct file *ends[2];
	int err = party_reserve(a, type & SOCK_CLOEXEC);

	if (err == 0)
		err = party_reserve(b, type & SOCK_CLOEXEC);
	if (err == 0)
		err = unix_socketpair(&a->ctx, type & ~flags, 0, type & SOCK_NONBLOCK ? FILE_NONBLOCK : 0, creds, ends);
	if (err < 0)
		return err;
	party_install(a, ends[0]);
	party_install(b, ends[1]);
	return 0;
}

int ksim_socketpair_between(struct ksim_process *a, struct ksim_process *b, int type, int fds[2])
{
	struct party pa, pb = { .fd = -1 };
	int err;

	if (a->machine != b->machine) {
		errno = EINVAL;
		return -1;
	}
	err = party_begin(&pa, a, "socketpair_between");
	if (err == 0)
		err = party_begin(&pb, b, "socketpair_between");
	if (err == 0)
		err = pair_between(&pa, &pb, type, process_unix_creds(a->kernel));
	party_end(&pa, err == 0);
	party_end(&pb, err == 0);
	if (err < 0)
		return (int)machine_result(err);
	fds[0] = pa.fd;
	fds[1] = pb.fd;
	return 0;
}

int ksim_fd_copy(struct ksim_process *from, int fd, struct ksim_process *to)
{
	struct file *file = NULL;
	struct party source, target = { .fd = -1 };
	int err;

	if (from->machine != to->machine) {
		errno = EINVAL;
		return -1;
	}
	err = party_begin(&source, from, "fd_copy");
	if (err == 0)
		err = party_begin(&target, to, "fd_copy");
	if (err == 0) {
		file = fd_get_any(&source.ctx, source.files, fd);
		err = file != NULL ? party_reserve(&target, false) : -EBADF;
	}
	if (err == 0)
		party_install(&target, file);
	else
		file_put(&source.ctx, file);
	party_end(&source, false);
	party_end(&target, err == 0);
	return err < 0 ? (int)machine_result(err) : target.fd;
}

int ksim_translate(const struct ksim_process *p, ksim_addr addr, struct ksim_translation *out)
{
	struct mm_translation found;
	struct ctx ctx;
	struct mm *mm;
	int err;

	ctx_for(&ctx, p, "translate");
	err = process_borrow(&ctx, p->kernel, &mm, NULL);
	if (err < 0)
		return (int)machine_result(err);
	err = mm_translate(&ctx, mm, addr, &found);
	mm_put(&ctx, mm);
	ctx_drain(&ctx);
	if (err < 0)
		return (int)machine_result(err);
	*out = (struct ksim_translation){
		.pfn = found.pfn,
		.page_size = found.page_bytes,
		.prot = (found.flags & PTE_READ ? PROT_R : 0) | (found.flags & PTE_WRITE ? PROT_W : 0) |
		        (found.flags & PTE_EXEC ? PROT_X : 0),
		.references = found.refs,
		.mappers = found.mappers,
	};
	return 0;
}
