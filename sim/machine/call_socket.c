// SPDX-License-Identifier: MIT
/*
 * The libc-shaped calls on sockets, and sending and receiving descriptors without the ceremony; contracts in
 * <ksim/socket.h>.
 *
 * ksim_send_fds and ksim_recv_fds make a control buffer on their stack, of the host's struct cmsghdr, and go through
 * sendmsg and recvmsg like everybody else, so the trace shows what a program would have done.
 *
 * I1  ksim_recv_fds gives its caller all descriptors that came, or closes them
 */
#include "machine/machine.h"

#include <errno.h>
#include <string.h>

#include "ksim/socket.h"
#include "syscall/abi.h"

#define AT(type, member, like, other) (offsetof(type, member) == offsetof(like, other))
_Static_assert(sizeof(struct msghdr) == sizeof(struct abi_msghdr) &&
                       AT(struct msghdr, msg_namelen, struct abi_msghdr, namelen) &&
                       AT(struct msghdr, msg_iov, struct abi_msghdr, iov) &&
                       AT(struct msghdr, msg_iovlen, struct abi_msghdr, iovlen) &&
                       AT(struct msghdr, msg_control, struct abi_msghdr, control) &&
                       AT(struct msghdr, msg_controllen, struct abi_msghdr, controllen) &&
                       AT(struct msghdr, msg_flags, struct abi_msghdr, flags),
               "libc's struct msghdr is the kernel's");
_Static_assert(sizeof(struct cmsghdr) == sizeof(struct abi_cmsghdr) && sizeof(struct iovec) == sizeof(struct uio_seg),
               "libc's struct cmsghdr and struct iovec are the kernel's");
#undef AT

int ksim_socket(int domain, int type, int protocol)
{
	return machine_call_int(CALL_socket, call_int(domain), call_int(type), call_int(protocol), 0);
}

int ksim_socketpair(int domain, int type, int protocol, int fds[2])
{
	return machine_call_int(CALL_socketpair, call_int(domain), call_int(type), call_int(protocol), call_ptr(fds));
}

int ksim_bind(int fd, const struct sockaddr *addr, socklen_t len)
{
	return machine_call_int(CALL_bind, call_int(fd), call_ptr(addr), len, 0);
}

int ksim_listen(int fd, int backlog)
{
	return machine_call_int(CALL_listen, call_int(fd), call_int(backlog), 0, 0);
}

int ksim_accept(int fd, struct sockaddr *addr, socklen_t *len)
{
	return machine_call_int(CALL_accept, call_int(fd), call_ptr(addr), call_ptr(len), 0);
}

int ksim_accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
	return machine_call_int(CALL_accept4, call_int(fd), call_ptr(addr), call_ptr(len), call_int(flags));
}

int ksim_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
	return machine_call_int(CALL_connect, call_int(fd), call_ptr(addr), len, 0);
}

int ksim_shutdown(int fd, int how)
{
	return machine_call_int(CALL_shutdown, call_int(fd), call_int(how), 0, 0);
}

ssize_t ksim_send(int fd, const void *buf, size_t n, int flags)
{
	return ksim_sendto(fd, buf, n, flags, NULL, 0);
}

ssize_t ksim_sendto(int fd, const void *buf, size_t n, int flags, const struct sockaddr *addr, socklen_t len)
{
	return machine_result(
		machine_call(CALL_sendto, call_int(fd), call_ptr(buf), n, call_int(flags), call_ptr(addr), len));
}

ssize_t ksim_sendmsg(int fd, const struct msghdr *msg, int flags)
{
	return machine_result(machine_call(CALL_sendmsg, call_int(fd), call_ptr(msg), call_int(flags), 0, 0, 0));
}

ssize_t ksim_recv(int fd, void *buf, size_t n, int flags)
{
	return ksim_recvfrom(fd, buf, n, flags, NULL, NULL);
}

ssize_t ksim_recvfrom(int fd, void *buf, size_t n, int flags, struct sockaddr *addr, socklen_t *len)
{
	return machine_result(machine_call(CALL_recvfrom, call_int(fd), call_ptr(buf), n, call_int(flags),
	                                   call_ptr(addr), call_ptr(len)));
}

ssize_t ksim_recvmsg(int fd, struct msghdr *msg, int flags)
{
	return machine_result(machine_call(CALL_recvmsg, call_int(fd), call_ptr(msg), call_int(flags), 0, 0, 0));
}

int ksim_getsockname(int fd, struct sockaddr *addr, socklen_t *len)
{
	return machine_call_int(CALL_getsockname, call_int(fd), call_ptr(addr), call_ptr(len), 0);
}

int ksim_getpeername(int fd, struct sockaddr *addr, socklen_t *len)
{
	return machine_call_int(CALL_getpeername, call_int(fd), call_ptr(addr), call_ptr(len), 0);
}

int ksim_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	return (int)machine_result(machine_call(CALL_getsockopt, call_int(fd), call_int(level), call_int(name),
	                                        call_ptr(value), call_ptr(len), 0));
}

/* ---- descriptors without the ceremony ---- */

/* One more than may be sent, so that the kernel sees that it is too many. */
enum { FDS_ROOM = SCM_FILES_MAX + 1 };

union control {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(FDS_ROOM * sizeof(int))];
};

/* Copies between the program's own memory and a pointer of its, which may be a user address. */
static int copy_from_caller(const char *call, void *to, const void *from, size_t n)
{
	struct task *task = acting_task_for(call);
	int err = copy_in(&task->ctx, to, uptr_from(from), n);

	ctx_drain(&task->ctx);
	return err;
}

static int copy_to_caller(const char *call, void *to, const void *from, size_t n)
{
	struct task *task = acting_task_for(call);
	int err = copy_out(&task->ctx, uptr_from(to), from, n);

	ctx_drain(&task->ctx);
	return err;
}

ssize_t ksim_send_fds(int sock, const void *data, size_t len, const int *fds, size_t nfds)
{
	size_t bytes = MIN(nfds, (size_t)FDS_ROOM) * sizeof(int);
	struct iovec iov = { .iov_base = (void *)(uintptr_t)data, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	union control control;
	int err;

	if (bytes > 0) {
		memset(&control, 0, CMSG_SPACE(bytes));
		control.header = (struct cmsghdr){
			.cmsg_len = CMSG_LEN(bytes),
			.cmsg_level = SOL_SOCKET,
			.cmsg_type = SCM_RIGHTS,
		};
		err = copy_from_caller("ksim_send_fds", CMSG_DATA(&control.header), fds, bytes);
		if (err < 0)
			return machine_result(err);
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(bytes);
	}
	return ksim_sendmsg(sock, &msg, MSG_NOSIGNAL);
}

/* The descriptors of a message that was received. */
static size_t fds_of(struct msghdr *msg, int fds[FDS_ROOM])
{
	size_t n = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		memcpy(fds + n, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
		n += (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	}
	return n;
}

ssize_t ksim_recv_fds(int sock, void *data, size_t len, int *fds, size_t *nfds, int flags)
{
	struct iovec iov = { .iov_base = data, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	union control control;
	int got[FDS_ROOM];
	size_t room, ngot;
	ssize_t n;
	long err = copy_from_caller("ksim_recv_fds", &room, nfds, sizeof(room));

	if (err < 0)
		return machine_result(err);
	if (room > 0) {
		msg.msg_control = &control;
		/* Not CMSG_SPACE: its padding is room for one more. */
		msg.msg_controllen = CMSG_LEN(MIN(room, (size_t)SCM_FILES_MAX) * sizeof(int));
	}
	n = ksim_recvmsg(sock, &msg, flags);
	if (n < 0)
		return n;
	ngot = fds_of(&msg, got);
	err = msg.msg_flags & MSG_CTRUNC ? -EMSGSIZE : 0;
	if (err == 0)
		err = copy_to_caller("ksim_recv_fds", fds, got, ngot * sizeof(int));
	if (err == 0)
		err = copy_to_caller("ksim_recv_fds", nfds, &ngot, sizeof(ngot));
	for (size_t i = 0; err < 0 && i < ngot; i++)
		machine_call(CALL_close, call_int(got[i]), 0, 0, 0, 0, 0);
	return err < 0 ? machine_result(err) : n;
}
