// SPDX-License-Identifier: MIT
/*
 * Descriptors of the host's in the tables of simulated processes.
 *
 *	process 2: 1 --.
 *	process 3: 1 ---+--> file --> inode (a device of no kind that we have)
 *	in a message --'      '----> the host's descriptor 1
 *
 * The file is a file like any other: it is duplicated, inherited, passed and closed; only its bytes go to the host and
 * come from it, through a buffer here, since no pointer of a process may reach the host's kernel: it would find nothing
 * where a window has not been touched yet. Closing it does not close the host's descriptor, which is its owner's.
 *
 * The three of standard input, output and error are made once for each machine, at its boot, so that a process is
 * born with them without anything that could be missing but room in its table. They are on the machine's account.
 *
 * A process that waits for the host is told of its end and of signals as in every other wait: it looks now and then.
 *
 * I1  a file of the host's has no object: what asks for pages or size says what it says of a pipe
 *
 * Locking: none while the host reads or writes. Linux: the file operations of a device.
 */
#include "posix/posix.h"

#include <errno.h>
#include <stdio.h>

#include "ksim/file.h"
#include "syscall/abi.h"

enum { BOUNCE_BYTES = 16384, LOOK_MS = 50 };

static int host_fd(const struct file *file)
{
	return (int)(intptr_t)file->priv;
}

/* ---- content ---- */

/* Until the host's file is ready: 0; -EAGAIN; -EINTR, at a signal or when the caller's process ends. */
static int await(struct ctx *ctx, const struct file *file, short events)
{
	struct pollfd ready = { .fd = host_fd(file), .events = events };
	int n;

	if (file_flags(file) & FILE_NONBLOCK)
		return poll(&ready, 1, 0) == 0 ? -EAGAIN : 0;
	while ((n = poll(&ready, 1, LOOK_MS)) == 0)
		if (ctx->task != NULL && task_interrupted(ctx->task)) {
			ctx->interrupted = true;
			return -EINTR;
		}
	return n < 0 ? -errno : 0;
}

static bool is_ready(const struct file *file, short events)
{
	struct pollfd ready = { .fd = host_fd(file), .events = events };

	return poll(&ready, 1, 0) == 1 && ready.revents & events;
}

static ssize_t hostfile_read(struct ctx *ctx, struct file *file, struct uio *uio, uint64_t *pos)
{
	char bounce[BOUNCE_BYTES];
	ssize_t done = 0;

	(void)pos;
	do {
		size_t wanted = MIN(uio->resid, sizeof(bounce));
		int err = await(ctx, file, POLLIN);
		ssize_t n = err == 0 ? read(host_fd(file), bounce, wanted) : err;

		if (n < 0)
			return done > 0 ? done : err < 0 ? err : -errno;
		if (uio_copy_to(ctx, uio, bounce, (size_t)n) < (size_t)n)
			return done > 0 ? done : -EFAULT;
		done += n;
		if ((size_t)n < wanted)
			break;
	} while (uio->resid > 0 && is_ready(file, POLLIN));
	return done;
}

/* All of a buffer, unless the host says no: bytes written, or the error if there are none. */
static ssize_t write_all(struct ctx *ctx, const struct file *file, const char *from, size_t n)
{
	size_t done = 0;
	int err = 0;

	while (err == 0 && done < n) {
		err = await(ctx, file, POLLOUT);
		if (err == 0) {
			ssize_t moved = write(host_fd(file), from + done, n - done);

			if (moved >= 0)
				done += (size_t)moved;
			else
				err = -errno;
		}
	}
	return done > 0 || n == 0 ? (ssize_t)done : err;
}

static ssize_t hostfile_write(struct ctx *ctx, struct file *file, struct uio *uio, uint64_t *pos)
{
	char bounce[BOUNCE_BYTES];
	ssize_t done = 0;

	(void)pos;
	do {
		size_t wanted = MIN(uio->resid, sizeof(bounce));
		size_t got = uio_copy_from(ctx, uio, bounce, wanted);
		ssize_t n = wanted > 0 && got == 0 ? -EFAULT : write_all(ctx, file, bounce, got);

		if (n < 0)
			return done > 0 ? done : n;
		done += n;
		if ((size_t)n < wanted)
			break;
	} while (uio->resid > 0);
	return done;
}

/* ---- what it is ---- */

static uint64_t stamp(struct timespec time)
{
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static void hostfile_stat(struct file *file, struct kstat *out)
{
	struct stat st;

	if (fstat(host_fd(file), &st) < 0)
		return;
	*out = (struct kstat){
		.dev = st.st_dev,
		.ino = st.st_ino,
		.nlink = st.st_nlink,
		.rdev = st.st_rdev,
		.size = (uint64_t)st.st_size,
		.blksize = (uint64_t)st.st_blksize,
		.blocks = (uint64_t)st.st_blocks,
		.mode = st.st_mode,
		.uid = st.st_uid,
		.gid = st.st_gid,
		.atime_ns = stamp(st.st_atim),
		.mtime_ns = stamp(st.st_mtim),
		.ctime_ns = stamp(st.st_ctim),
	};
}

static int hostfile_describe(const struct file *file, char *text, size_t size)
{
	return snprintf(text, size, "host:%d", host_fd(file));
}

static const struct file_ops hostfile_ops = {
	.name = "host file",
	.read = hostfile_read,
	.write = hostfile_write,
	.stat = hostfile_stat,
	.describe = hostfile_describe,
};

/* ---- making one ---- */

/* 0; -EBADF, -ENOMEM */
static int hostfile_create(struct ctx *ctx, int hostfd, struct file **out)
{
	int flags = fcntl(hostfd, F_GETFL);
	struct inode *inode;
	int err;

	if (flags < 0 || flags & O_PATH)
		return -EBADF;
	err = inode_create(ctx, S_IFCHR | 0620, "", NULL, &inode);
	if (err < 0)
		return err;
	err = file_create(ctx, &hostfile_ops, inode, abi_open_flags(machine_host_arch(), (uint32_t)flags), out);
	if (err < 0) {
		inode_put(ctx, inode);
		return err;
	}
	(*out)->priv = (void *)(intptr_t)hostfd;
	return 0;
}

int ksim_fd_host(struct ksim_process *p, int hostfd)
{
	struct fdtable *files;
	struct file *file;
	struct ctx ctx;
	int fd;

	kernel_ctx(p->machine->kernel, &ctx, "fd_host");
	ctx.owner = &p->kernel->owner;
	fd = process_borrow(&ctx, p->kernel, NULL, &files);
	if (fd < 0)
		return (int)machine_result(fd);
	fd = fd_reserve(&ctx, files, 0, false);
	if (fd >= 0) {
		int err = hostfile_create(&ctx, hostfd, &file);

		if (err == 0)
			fd_install(&ctx, files, fd, file);
		else
			fd_unreserve(&ctx, files, fd);
		fd = err == 0 ? fd : err;
	}
	fdtable_put(&ctx, files);
	ctx_drain(&ctx);
	return (int)machine_result(fd);
}

/* ---- standard input, output and error ---- */

int posix_boot(struct ksim_machine *m)
{
	struct ctx ctx;
	int err = 0;

	kernel_ctx(m->kernel, &ctx, "boot");
	for (int fd = 0; err == 0 && fd < (int)ARRAY_SIZE(m->stdio); fd++) {
		err = hostfile_create(&ctx, fd, &m->stdio[fd]);
		if (err == -EBADF)
			err = 0; /* closed on the host, and so here */
	}
	ctx_drain(&ctx);
	return err;
}

void posix_halt(struct ksim_machine *m)
{
	struct ctx ctx;

	kernel_ctx(m->kernel, &ctx, "halt");
	for (size_t i = 0; i < ARRAY_SIZE(m->stdio); i++) {
		file_put(&ctx, m->stdio[i]);
		m->stdio[i] = NULL;
	}
	ctx_drain(&ctx);
}

int posix_process_born(struct ctx *ctx, struct ksim_process *process)
{
	const struct ksim_machine *m = process->machine;
	struct fdtable *files = process->kernel->files;

	/* A forked child has a table that somebody has used, and has inherited what was there. */
	if (files->size > 0)
		return 0;
	for (uint32_t fd = 0; fd < ARRAY_SIZE(m->stdio) && fd < files->limit; fd++) {
		if (m->stdio[fd] == NULL)
			continue;
		if (fd_reserve(ctx, files, fd, false) < 0)
			return -ENOMEM;
		file_get(m->stdio[fd]);
		fd_install(ctx, files, (int)fd, m->stdio[fd]);
	}
	return 0;
}
