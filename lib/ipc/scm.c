// SPDX-License-Identifier: MIT
/*
 * Control messages: descriptors become references of files when a message is sent, and descriptors again when it is
 * received.
 *
 *	sender's table --fd_get_any--> scm --> message --> scm --fd_install--> receiver's table
 *
 * The control buffer is copied as a whole before it is read, so no second look finds something else. All SCM_RIGHTS
 * headers of a buffer are merged into one list. On the way out as many as fit and as the table takes are installed,
 * each number written to the buffer before it is installed; the rest is put and MSG_CTRUNC says so. If then the header
 * in front of the numbers cannot be written, Linux keeps the descriptors installed and reports no control data, and so
 * do we.
 *
 * I1  every reference in a scm ends in exactly one message, one table slot, or a put
 *
 * Locking: none held on entry. Tables are locked inside, which is why neither a socket's lock nor its read lock may
 * be held.
 * Linux: net/core/scm.c. Not modelled: SO_PASSCRED; SCM_CREDENTIALS is checked and forgotten, and only the caller's
 * own are accepted; ETOOMANYREFS; SCM_PIDFD, SCM_SECURITY.
 */
#include "ipc/socket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/util.h"

/* struct cmsghdr of every 64-bit Linux. */
struct control_header {
	uint64_t len;
	int32_t level;
	int32_t type;
};

/* net.core.optmem_max; Linux asks for less than that. */
#define CONTROL_BYTES_MAX 131072u
/* As many descriptors as may be sent, in one header. */
#define CONTROL_BYTES_USUAL (sizeof(struct control_header) + SCM_FILES_MAX * sizeof(int32_t) + 4)

void scm_put(struct ctx *ctx, struct scm *scm)
{
	while (scm->nfiles > 0)
		file_put(ctx, scm->files[--scm->nfiles]);
}

static int send_rights(struct ctx *ctx, struct fdtable *table, const uint8_t *data, uint64_t len, struct scm *scm)
{
	uint64_t n = len / sizeof(int32_t);

	if (n > SCM_FILES_MAX - scm->nfiles)
		return -EINVAL;
	for (uint64_t i = 0; i < n; i++) {
		struct file *file;
		int32_t fd;

		memcpy(&fd, data + i * sizeof(fd), sizeof(fd));
		file = fd_get_any(ctx, table, fd);
		if (file == NULL)
			return -EBADF;
		scm->files[scm->nfiles++] = file;
	}
	return 0;
}

static int send_credentials(const struct unix_creds *own, const uint8_t *data, uint64_t len)
{
	struct unix_creds creds;

	if (len != sizeof(creds))
		return -EINVAL;
	memcpy(&creds, data, sizeof(creds));
	if (creds.pid != own->pid || creds.uid != own->uid || creds.gid != own->gid)
		return -EPERM;
	return 0;
}

/* The headers, in the order in which Linux checks them. */
static int send_headers(struct ctx *ctx, struct fdtable *table, const struct unix_creds *own, const uint8_t *control,
                        uint64_t size, struct scm *scm)
{
	struct control_header header;
	uint64_t at = 0;

	while (size - at >= sizeof(header)) {
		const uint8_t *data = control + at + sizeof(header);
		uint64_t len;
		int err;

		memcpy(&header, control + at, sizeof(header));
		if (header.len < sizeof(header) || header.len > size - at)
			return -EINVAL;
		len = header.len - sizeof(header);
		if (header.level != SOL_SOCKET)
			err = 0;
		else if (header.type == SCM_RIGHTS)
			err = send_rights(ctx, table, data, len, scm);
		else if (header.type == SCM_CREDENTIALS)
			err = send_credentials(own, data, len);
		else
			err = -EINVAL;
		if (err < 0)
			return err;
		at += MIN((header.len + 7) & ~UINT64_C(7), size - at);
	}
	return 0;
}

int scm_send(struct ctx *ctx, struct fdtable *table, const struct unix_msg *msg, struct scm *scm)
{
	uint8_t usual[CONTROL_BYTES_USUAL];
	uint64_t size = msg->control_len;
	uint8_t *control = usual;
	int err;

	scm->nfiles = 0;
	if (size == 0)
		return 0;
	if (size >= CONTROL_BYTES_MAX)
		return -ENOBUFS;
	if (size > sizeof(usual)) {
		control = kmem_alloc(ctx, size);
		if (control == NULL)
			return -ENOBUFS;
	}
	err = copy_in(ctx, control, msg->control, size);
	if (err == 0)
		err = send_headers(ctx, table, &msg->creds, control, size, scm);
	if (err < 0)
		scm_put(ctx, scm);
	if (control != usual)
		kmem_free(ctx->env, control, size);
	return err;
}

/* Takes over the reference on success only. */
static int receive_file(struct ctx *ctx, struct fdtable *table, const struct scm *scm, unsigned i, struct uptr number,
                        bool cloexec)
{
	int32_t fd = fd_reserve(ctx, table, 0, cloexec);

	if (fd < 0)
		return fd;
	if (copy_out(ctx, number, &fd, sizeof(fd)) < 0) {
		fd_unreserve(ctx, table, fd);
		return -EFAULT;
	}
	fd_install_received(ctx, table, fd, scm->files[i], &scm->carrier);
	return 0;
}

/* How many of scm's files, from the first on, are now in the table. */
static unsigned receive_files(struct ctx *ctx, struct fdtable *table, struct uptr control, uint64_t room,
                              const struct scm *scm, bool cloexec)
{
	uint64_t fit = 0;
	unsigned i;

	if (table != NULL && !uptr_null(control) && room > sizeof(struct control_header))
		fit = (room - sizeof(struct control_header)) / sizeof(int32_t);
	for (i = 0; i < scm->nfiles && i < fit; i++) {
		struct uptr number = uptr_add(control, sizeof(struct control_header) + i * sizeof(int32_t));

		if (receive_file(ctx, table, scm, i, number, cloexec) < 0)
			break;
	}
	return i;
}

void scm_receive(struct ctx *ctx, struct fdtable *table, struct unix_msg *msg, struct scm *scm)
{
	bool cloexec = msg->flags & MSG_CMSG_CLOEXEC;
	uint64_t room = msg->control_len;
	unsigned done;

	msg->flags = cloexec ? MSG_CMSG_CLOEXEC : 0;
	msg->control_len = 0;
	if (scm->nfiles == 0)
		return;
	done = receive_files(ctx, table, msg->control, room, scm, cloexec);
	if (done < scm->nfiles)
		msg->flags |= MSG_CTRUNC;
	if (done > 0) {
		uint64_t len = sizeof(struct control_header) + done * sizeof(int32_t);
		struct control_header header = { .len = len, .level = SOL_SOCKET, .type = SCM_RIGHTS };

		if (copy_out(ctx, msg->control, &header, sizeof(header)) == 0)
			msg->control_len = MIN((len + 7) & ~UINT64_C(7), room);
	}
	for (unsigned i = done; i < scm->nfiles; i++)
		file_put(ctx, scm->files[i]);
	scm->nfiles = 0;
}
