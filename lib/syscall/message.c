// SPDX-License-Identifier: MIT
/*
 * Calls that send and receive on sockets.
 *
 * All four end in unix_sendmsg or unix_recvmsg; here their buffers become one uio and their message headers a
 * struct unix_msg (row.h).
 *
 * I1  msg_name, msg_flags and msg_controllen of the caller's header are written only after a message was received
 *
 * Locking: none of its own. Linux: ____sys_sendmsg, ____sys_recvmsg in net/socket.c.
 */
#include "syscall/message.h"

#include <errno.h>

#include "syscall/row.h"

enum {
	MESSAGE_DONTWAIT = 0x40,
	SOCKADDR_MAX = 128,
};
#define MESSAGE_COMPAT        0x80000000u /* MSG_CMSG_COMPAT: of 32-bit callers */
#define CONTROL_BYTES_INT_MAX UINT64_C(0x7fffffff)

/* ---- one buffer ---- */

static uint32_t message_flags(const struct file *file, uint32_t flags)
{
	return flags | (file_flags(file) & FILE_NONBLOCK ? MESSAGE_DONTWAIT : 0);
}

/*
 * The socket of argument 0 and the buffer of arguments 1 and 2. Linux cuts a length before it looks at it; where the
 * buffer is the program's own memory, a length that cannot be one is refused all the same.
 */
static int transfer_init(const struct syscall_frame *frame, struct file **file, struct uio *uio)
{
	struct uptr p = uptr_meant(frame->ctx, arg_pointer(frame, 1));
	size_t n = MIN(frame->args[2], TRANSFER_BYTES_MAX);
	int err;

	if (!range_legal(p, n))
		return -EFAULT;
	err = arg_socket(frame, 0, file);
	if (err < 0)
		return err;
	if (!(p.bits & UPTR_USER_BIT) && !range_legal(p, frame->args[2])) {
		file_put(frame->ctx, *file);
		return -EFAULT;
	}
	uio_init_one(uio, p, n);
	return 0;
}

/* Whether an address was given; streams do not look what it says. 0; -EINVAL, -EFAULT */
static int name_given(const struct syscall_frame *frame, struct uptr name, int len, bool *given)
{
	uint8_t raw[SOCKADDR_MAX];

	*given = !uptr_null(name) && len != 0;
	if (!*given)
		return 0;
	if (len < 0 || len > SOCKADDR_MAX)
		return -EINVAL;
	return copy_in(frame->ctx, raw, name, (size_t)len);
}

long sys_sendto(const struct syscall_frame *frame)
{
	struct unix_msg msg = { .creds = process_unix_creds(frame->process) };
	struct file *file;
	struct uio uio;
	long n = transfer_init(frame, &file, &uio);

	if (n < 0)
		return n;
	msg.uio = &uio;
	msg.flags = (int)message_flags(file, arg_u32(frame, 3));
	n = name_given(frame, arg_pointer(frame, 4), arg_int(frame, 5), &msg.has_name);
	if (n == 0)
		n = unix_sendmsg(frame->ctx, frame->process->files, file, &msg);
	file_put(frame->ctx, file);
	return n;
}

long sys_recvfrom(const struct syscall_frame *frame)
{
	struct uptr name = arg_pointer(frame, 4);
	struct unix_msg msg = { .has_name = !uptr_null(name) };
	struct file *file;
	struct uio uio;
	long n = transfer_init(frame, &file, &uio);

	if (n < 0)
		return n;
	msg.uio = &uio;
	msg.flags = (int)message_flags(file, arg_u32(frame, 3));
	n = unix_recvmsg(frame->ctx, frame->process->files, file, &msg);
	file_put(frame->ctx, file);
	if (n >= 0 && !uptr_null(name)) {
		int err = sockaddr_out(frame->ctx, msg.has_name ? &msg.addr : NULL, name, arg_pointer(frame, 5));

		if (err < 0)
			return err;
	}
	return n;
}

/* ---- message headers ---- */

/* 0; -EFAULT, -EINVAL, -EMSGSIZE */
static int header_in(struct ctx *ctx, struct uptr from, struct abi_msghdr *header)
{
	int err = copy_in(ctx, header, from, sizeof(*header));

	if (err < 0)
		return err;
	if (header->name == 0)
		header->namelen = 0;
	if (header->namelen < 0)
		return -EINVAL;
	header->namelen = MIN(header->namelen, SOCKADDR_MAX);
	return 0;
}

static int check_iovlen(const struct abi_msghdr *header)
{
	return header->iovlen > IOV_MAX_SEGS ? -EMSGSIZE : 0;
}

static long send_message(const struct syscall_frame *frame, struct file *file)
{
	struct unix_msg msg = { .creds = process_unix_creds(frame->process) };
	struct abi_msghdr header;
	struct row row;
	long n = header_in(frame->ctx, arg_pointer(frame, 1), &header);

	if (n == 0)
		n = name_given(frame, (struct uptr){ header.name }, header.namelen, &msg.has_name);
	if (n == 0)
		n = check_iovlen(&header);
	if (n == 0)
		n = row_init(frame->ctx, &row, (struct uptr){ header.iov }, header.iovlen);
	if (n != 0)
		return n;
	msg.uio = &row.uio;
	msg.control = (struct uptr){ header.control };
	msg.control_len = header.controllen;
	msg.flags = (int)message_flags(file, arg_u32(frame, 2));
	if (header.controllen > CONTROL_BYTES_INT_MAX)
		n = -ENOBUFS;
	else
		n = unix_sendmsg(frame->ctx, frame->process->files, file, &msg);
	row_fini(frame->ctx, &row);
	return n;
}

/* Both calls alike: the flags, then the socket, then the message. */
static long on_socket(const struct syscall_frame *frame, long (*run)(const struct syscall_frame *, struct file *))
{
	struct file *file;
	long n;

	if (arg_u32(frame, 2) & MESSAGE_COMPAT)
		return -EINVAL;
	n = arg_socket(frame, 0, &file);
	if (n < 0)
		return n;
	n = run(frame, file);
	file_put(frame->ctx, file);
	return n;
}

long sys_sendmsg(const struct syscall_frame *frame)
{
	return on_socket(frame, send_message);
}

/* Tell the caller what came beside the data. */
static int header_out(struct ctx *ctx, struct uptr to, const struct abi_msghdr *header, const struct unix_msg *msg)
{
	uint64_t controllen = msg->control_len;
	int32_t flags = msg->flags;
	int err = 0;

	if (header->name != 0)
		err = sockaddr_out(ctx, msg->has_name ? &msg->addr : NULL, (struct uptr){ header->name },
		                   uptr_add(to, offsetof(struct abi_msghdr, namelen)));
	if (err == 0)
		err = copy_out_number(ctx, uptr_add(to, offsetof(struct abi_msghdr, flags)), &flags, sizeof(flags));
	if (err == 0)
		err = copy_out_number(ctx, uptr_add(to, offsetof(struct abi_msghdr, controllen)), &controllen,
		                      sizeof(controllen));
	return err;
}

static long receive_message(const struct syscall_frame *frame, struct file *file)
{
	struct unix_msg msg = { 0 };
	struct abi_msghdr header;
	struct row row;
	long n = header_in(frame->ctx, arg_pointer(frame, 1), &header);
	int err;

	if (n == 0)
		n = check_iovlen(&header);
	if (n == 0)
		n = row_init(frame->ctx, &row, (struct uptr){ header.iov }, header.iovlen);
	if (n < 0)
		return n;
	msg.uio = &row.uio;
	msg.has_name = header.name != 0;
	msg.control = (struct uptr){ header.control };
	msg.control_len = header.controllen;
	msg.flags = (int)message_flags(file, arg_u32(frame, 2));
	n = unix_recvmsg(frame->ctx, frame->process->files, file, &msg);
	row_fini(frame->ctx, &row);
	if (n < 0)
		return n;
	err = header_out(frame->ctx, arg_pointer(frame, 1), &header, &msg);
	return err < 0 ? err : n;
}

long sys_recvmsg(const struct syscall_frame *frame)
{
	return on_socket(frame, receive_message);
}
