// SPDX-License-Identifier: MIT
/*
 * Calls that make, name, connect and ask about sockets. Sending and receiving: message.c.
 *
 * Addresses come and go as bytes (struct sockaddr_un) and become struct unix_addr here: a path ends at its NUL or at
 * the address's length; an abstract name is all that follows its leading NUL.
 *
 * I1  a length is what the caller says, never what the bytes look like; at most 128 bytes are copied in
 *
 * Locking: none of its own. Linux: net/socket.c, unix_validate_addr and unix_mkname_bsd in net/unix/af_unix.c,
 * sk_getsockopt in net/core/sock.c. Not modelled: families other than AF_UNIX, setsockopt; SO_SNDBUF and SO_RCVBUF
 * are Linux's defaults.
 */
#include "syscall/message.h"

#include <errno.h>
#include <string.h>

enum {
	TYPE_BITS = 0xf,
	TYPE_END = 11,
	TYPE_CLOEXEC = FILE_CLOEXEC,
	TYPE_NONBLOCK = FILE_NONBLOCK,
	FAMILY_END = 46,       /* AF_MAX */
	SOCKADDR_MAX = 128,    /* struct sockaddr_storage */
	BUFFER_BYTES = 212992, /* net.core.wmem_default, rmem_default */
};

/* ---- addresses ---- */

/* The bytes of an address. 0; -EINVAL, -EFAULT */
static int sockaddr_in(const struct syscall_frame *frame, unsigned i, uint8_t raw[SOCKADDR_MAX], int *len)
{
	*len = arg_int(frame, i + 1);
	if (*len < 0 || *len > SOCKADDR_MAX)
		return -EINVAL;
	return copy_in(frame->ctx, raw, arg_pointer(frame, i), (size_t)*len);
}

/* What they name; nothing is no name, but for autobind. */
static int sockaddr_parse(const uint8_t *raw, int len, bool autobind, struct unix_addr *out)
{
	const char *path = (const char *)raw + ABI_SOCKADDR_PATH;
	size_t n = (size_t)len - ABI_SOCKADDR_PATH;
	uint16_t family;

	if (len < (int)ABI_SOCKADDR_PATH || len > (int)sizeof(struct abi_sockaddr_un))
		return -EINVAL;
	memcpy(&family, raw, sizeof(family));
	if (family != ABI_AF_UNIX || (n == 0 && !autobind))
		return -EINVAL;
	*out = (struct unix_addr){ 0 };
	if (n == 0)
		return 0;
	if (path[0] == '\0') {
		out->abstract = true;
		path++;
		n--;
	} else {
		n = strnlen(path, n);
	}
	out->len = (uint32_t)n;
	memcpy(out->name, path, n);
	return 0;
}

int sockaddr_out(struct ctx *ctx, const struct unix_addr *addr, struct uptr to, struct uptr to_len)
{
	struct abi_sockaddr_un raw = { .family = ABI_AF_UNIX };
	int32_t room, len = 0;

	if (addr != NULL) {
		len = ABI_SOCKADDR_PATH;
		if (addr->abstract || addr->len > 0)
			len += (int32_t)addr->len + 1;
		memcpy(raw.path + addr->abstract, addr->name, MIN(addr->len, sizeof(raw.path) - addr->abstract));
	}
	if (copy_in(ctx, &room, to_len, sizeof(room)) < 0)
		return -EFAULT;
	if (room < 0)
		return -EINVAL;
	if (copy_out_number(ctx, to_len, &len, sizeof(len)) < 0)
		return -EFAULT;
	return copy_out(ctx, to, &raw, (size_t)MIN(MIN(room, len), (int32_t)sizeof(raw)));
}

/* ---- making ---- */

static int check_family(int family, int type)
{
	if (type & ~(TYPE_BITS | TYPE_CLOEXEC | TYPE_NONBLOCK))
		return -EINVAL;
	if (family < 0 || family >= FAMILY_END)
		return -EAFNOSUPPORT;
	if ((type & TYPE_BITS) >= TYPE_END)
		return -EINVAL;
	return family == ABI_AF_UNIX ? 0 : -EAFNOSUPPORT;
}

long sys_socket(const struct syscall_frame *frame)
{
	int type = arg_int(frame, 1);
	int err = check_family(arg_int(frame, 0), type);
	struct file *file = NULL;

	if (err == 0)
		err = unix_socket(frame->ctx, type & TYPE_BITS, arg_int(frame, 2), (uint32_t)type & TYPE_NONBLOCK,
		                  &file);
	return err < 0 ? err : new_fd(frame, file, type & TYPE_CLOEXEC);
}

static int put_pair(struct ctx *ctx, struct uptr to, const int fds[2])
{
	int err = copy_out_number(ctx, to, &fds[0], sizeof(fds[0]));

	return err < 0 ? err : copy_out_number(ctx, uptr_add(to, sizeof(fds[0])), &fds[1], sizeof(fds[1]));
}

/* Two numbers, told to the caller before there is anything behind them, as Linux does. */
static int reserve_pair(const struct syscall_frame *frame, bool cloexec, int fds[2])
{
	struct fdtable *files = frame->process->files;
	int err;

	fds[0] = fd_reserve(frame->ctx, files, 0, cloexec);
	if (fds[0] < 0)
		return fds[0];
	fds[1] = fd_reserve(frame->ctx, files, 0, cloexec);
	err = fds[1] < 0 ? fds[1] : put_pair(frame->ctx, arg_pointer(frame, 3), fds);
	if (err == 0)
		return 0;
	if (fds[1] >= 0)
		fd_unreserve(frame->ctx, files, fds[1]);
	fd_unreserve(frame->ctx, files, fds[0]);
	return err;
}

long sys_socketpair(const struct syscall_frame *frame)
{
	struct fdtable *files = frame->process->files;
	int type = arg_int(frame, 1);
	struct file *pair[2];
	int fds[2];
	int err;

	if (type & ~(TYPE_BITS | TYPE_CLOEXEC | TYPE_NONBLOCK))
		return -EINVAL;
	err = reserve_pair(frame, type & TYPE_CLOEXEC, fds);
	if (err < 0)
		return err;
	err = check_family(arg_int(frame, 0), type);
	if (err == 0)
		err = unix_socketpair(frame->ctx, type & TYPE_BITS, arg_int(frame, 2), (uint32_t)type & TYPE_NONBLOCK,
		                      process_unix_creds(frame->process), pair);
	for (int i = 0; i < 2; i++) {
		if (err == 0)
			fd_install(frame->ctx, files, fds[i], pair[i]);
		else
			fd_unreserve(frame->ctx, files, fds[i]);
	}
	return err;
}

/* ---- naming and connecting ---- */

static int bind_to(const struct syscall_frame *frame, struct file *file)
{
	uint8_t raw[SOCKADDR_MAX];
	struct unix_addr addr;
	int len;
	int err = sockaddr_in(frame, 1, raw, &len);

	if (err == 0)
		err = sockaddr_parse(raw, len, true, &addr);
	return err < 0 ? err : unix_bind(frame->ctx, file, &addr);
}

long sys_bind(const struct syscall_frame *frame)
{
	struct file *file;
	int err = arg_socket(frame, 0, &file);

	if (err < 0)
		return err;
	err = bind_to(frame, file);
	file_put(frame->ctx, file);
	return err;
}

long sys_listen(const struct syscall_frame *frame)
{
	struct file *file;
	int err = arg_socket(frame, 0, &file);

	if (err < 0)
		return err;
	err = unix_listen(frame->ctx, file, arg_int(frame, 1), process_unix_creds(frame->process));
	file_put(frame->ctx, file);
	return err;
}

/* The address is read before the file is looked at. */
static int connect_to(const struct syscall_frame *frame, struct file *file)
{
	uint8_t raw[SOCKADDR_MAX];
	struct unix_addr addr;
	int len;
	int err = sockaddr_in(frame, 1, raw, &len);

	if (err < 0)
		return err;
	if (!unix_is_socket(file))
		return -ENOTSOCK;
	err = sockaddr_parse(raw, len, false, &addr);
	return err < 0 ? err : unix_connect(frame->ctx, file, &addr, process_unix_creds(frame->process));
}

long sys_connect(const struct syscall_frame *frame)
{
	struct file *file = arg_file(frame, 0);
	int err;

	if (file == NULL)
		return -EBADF;
	err = connect_to(frame, file);
	file_put(frame->ctx, file);
	return err;
}

/* Accept, and tell who it is if that is asked for. */
static int accept_from(const struct syscall_frame *frame, struct file *file, uint32_t flags, struct file **out)
{
	struct ctx *ctx = frame->ctx;
	struct unix_addr addr;
	int err;

	if (!unix_is_socket(file))
		return -ENOTSOCK;
	err = unix_accept(ctx, file, flags & TYPE_NONBLOCK, out);
	if (err < 0 || uptr_null(arg_pointer(frame, 1)))
		return err;
	err = unix_getname(ctx, *out, true, &addr);
	if (err == 0)
		err = sockaddr_out(ctx, &addr, arg_pointer(frame, 1), arg_pointer(frame, 2));
	if (err < 0)
		file_put(ctx, *out);
	return err;
}

static long accept_with(const struct syscall_frame *frame, uint32_t flags)
{
	struct fdtable *files = frame->process->files;
	struct file *accepted = NULL;
	struct file *file = arg_file(frame, 0);
	int err, fd;

	if (file == NULL)
		return -EBADF;
	fd = flags & ~(uint32_t)(TYPE_CLOEXEC | TYPE_NONBLOCK) ? -EINVAL
	                                                       : fd_reserve(frame->ctx, files, 0, flags & TYPE_CLOEXEC);
	if (fd < 0) {
		file_put(frame->ctx, file);
		return fd;
	}
	err = accept_from(frame, file, flags, &accepted);
	file_put(frame->ctx, file);
	if (err < 0) {
		fd_unreserve(frame->ctx, files, fd);
		return err;
	}
	fd_install(frame->ctx, files, fd, accepted);
	return fd;
}

long sys_accept(const struct syscall_frame *frame)
{
	return accept_with(frame, 0);
}

long sys_accept4(const struct syscall_frame *frame)
{
	return accept_with(frame, arg_u32(frame, 3));
}

long sys_shutdown(const struct syscall_frame *frame)
{
	struct file *file;
	int err = arg_socket(frame, 0, &file);

	if (err < 0)
		return err;
	err = unix_shutdown(frame->ctx, file, arg_int(frame, 1));
	file_put(frame->ctx, file);
	return err;
}

/* ---- asking ---- */

static long get_name(const struct syscall_frame *frame, bool peer)
{
	struct unix_addr addr;
	struct file *file;
	int err = arg_socket(frame, 0, &file);

	if (err < 0)
		return err;
	err = unix_getname(frame->ctx, file, peer, &addr);
	file_put(frame->ctx, file);
	return err < 0 ? err : sockaddr_out(frame->ctx, &addr, arg_pointer(frame, 1), arg_pointer(frame, 2));
}

long sys_getsockname(const struct syscall_frame *frame)
{
	return get_name(frame, false);
}

long sys_getpeername(const struct syscall_frame *frame)
{
	return get_name(frame, true);
}

/* The value of an option of SOL_SOCKET: its length in bytes, or -ENOPROTOOPT. */
static int get_option(struct ctx *ctx, struct file *file, int option, uint32_t value[3])
{
	struct unix_creds creds;

	switch (option) {
	case OPTION_TYPE:
		value[0] = 1; /* SOCK_STREAM */
		break;
	case OPTION_ERROR:
		value[0] = (uint32_t)-unix_take_error(file);
		break;
	case OPTION_SNDBUF:
	case OPTION_RCVBUF:
		value[0] = BUFFER_BYTES;
		break;
	case OPTION_ACCEPTCONN:
		value[0] = unix_is_listening(file);
		break;
	case OPTION_PROTOCOL:
		value[0] = 0;
		break;
	case OPTION_DOMAIN:
		value[0] = ABI_AF_UNIX;
		break;
	case OPTION_PEERCRED:
		unix_peercred(ctx, file, &creds);
		memcpy(value, &creds, sizeof(creds));
		return sizeof(creds);
	default:
		return -ENOPROTOOPT;
	}
	return sizeof(value[0]);
}

static int option_out(const struct syscall_frame *frame, struct file *file)
{
	struct ctx *ctx = frame->ctx;
	uint32_t value[3];
	int32_t room;
	int len;

	if (arg_int(frame, 1) != LEVEL_SOCKET)
		return -EOPNOTSUPP;
	if (copy_in(ctx, &room, arg_pointer(frame, 4), sizeof(room)) < 0)
		return -EFAULT;
	if (room < 0)
		return -EINVAL;
	len = get_option(ctx, file, arg_int(frame, 2), value);
	if (len < 0)
		return len;
	len = MIN(len, room);
	if (copy_out(ctx, arg_pointer(frame, 3), value, (size_t)len) < 0)
		return -EFAULT;
	return copy_out(ctx, arg_pointer(frame, 4), &len, sizeof(len));
}

long sys_getsockopt(const struct syscall_frame *frame)
{
	struct file *file;
	int err = arg_socket(frame, 0, &file);

	if (err < 0)
		return err;
	err = option_out(frame, file);
	file_put(frame->ctx, file);
	return err;
}
