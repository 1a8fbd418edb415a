// SPDX-License-Identifier: MIT
/*
 * The libc-shaped calls on sockets hand every argument over and answer as libc does, and descriptors are sent and
 * received without the ceremony.
 */
#include "bed.h"

#include <sys/un.h>

#include "syscall/abi.h"

static socklen_t abstract(struct sockaddr_un *address, const char *name)
{
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	strcpy(address->sun_path + 1, name);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
}

TEST(sockets, named_connection_carries_bytes_and_tells_names)
{
	struct ksim_machine *m = bed_boot(NULL);
	struct sockaddr_un address, seen;
	socklen_t len = abstract(&address, "display"), seen_len = sizeof(seen);
	char buf[4];

	ksim_as(bed_process(m, "p")) {
		int listener = ksim_socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		int client = ksim_socket(AF_UNIX, SOCK_STREAM, 0), server;

		EXPECT_EQ(ksim_bind(listener, (struct sockaddr *)&address, len), 0);
		EXPECT_EQ(ksim_listen(listener, 1), 0);
		EXPECT_FAILS(ksim_accept(listener, NULL, NULL), EAGAIN);
		EXPECT_EQ(ksim_connect(client, (struct sockaddr *)&address, len), 0);
		server = ksim_accept4(listener, (struct sockaddr *)&seen, &seen_len, SOCK_CLOEXEC);
		EXPECT(server > client);
		EXPECT_EQ(seen_len, sizeof(sa_family_t));
		EXPECT_EQ(ksim_fcntl(server, F_GETFD), FD_CLOEXEC);
		EXPECT_EQ(ksim_send(client, "ping", 4, MSG_NOSIGNAL), 4);
		EXPECT_EQ(ksim_recv(server, buf, 4, MSG_PEEK), 4);
		EXPECT_EQ(ksim_recv(server, buf, 2, 0), 2);
		EXPECT_EQ(ksim_recvfrom(server, buf, 2, MSG_DONTWAIT, NULL, NULL), 2);
		EXPECT_MEMEQ(buf, "ng", 2);
		EXPECT_FAILS(ksim_recv(server, buf, 1, MSG_DONTWAIT), EAGAIN);
		seen_len = sizeof(seen);
		EXPECT_EQ(ksim_getpeername(client, (struct sockaddr *)&seen, &seen_len), 0);
		EXPECT_EQ(seen_len, len);
		EXPECT_MEMEQ(&seen, &address, len);
		EXPECT_EQ(ksim_getsockname(server, (struct sockaddr *)&seen, &seen_len), 0);
		EXPECT_MEMEQ(&seen, &address, len);
		EXPECT_EQ(ksim_shutdown(client, SHUT_WR), 0);
		EXPECT_EQ(ksim_recv(server, buf, 1, 0), 0);
		EXPECT_FAILS(ksim_sendto(client, "x", 1, MSG_NOSIGNAL, NULL, 0), EPIPE);
	}
	bed_halt(m);
}

TEST(sockets, path_is_taken_until_it_is_unlinked)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "/run/ksim" };
	struct ksim_machine *m = bed_boot(NULL);

	ksim_as(bed_process(m, "p")) {
		for (int i = 0; i < 2; i++) {
			int fd = ksim_socket(AF_UNIX, SOCK_STREAM, 0);
			int other = ksim_socket(AF_UNIX, SOCK_STREAM, 0);

			EXPECT_EQ(ksim_bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
			EXPECT_FAILS(ksim_bind(other, (struct sockaddr *)&address, sizeof(address)), EADDRINUSE);
			EXPECT_EQ(i == 0 ? ksim_unlink("/run/ksim") : ksim_unlinkat(AT_FDCWD, "/run/ksim", 0), 0);
			EXPECT_EQ(ksim_close(fd), 0);
			EXPECT_EQ(ksim_close(other), 0);
		}
	}
	bed_halt(m);
}

TEST(sockets, options_are_told)
{
	struct ksim_machine *m = bed_boot(NULL);
	struct ucred cred;
	int value = 0, fds[2];
	socklen_t len = sizeof(value);

	ksim_as(bed_process(m, "p")) {
		EXPECT_EQ(ksim_socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
		EXPECT_EQ(ksim_getsockopt(fds[0], SOL_SOCKET, SO_TYPE, &value, &len), 0);
		EXPECT_EQ(value, SOCK_STREAM);
		len = sizeof(cred);
		EXPECT_EQ(ksim_getsockopt(fds[0], SOL_SOCKET, SO_PEERCRED, &cred, &len), 0);
		EXPECT_EQ(len, sizeof(cred));
		EXPECT_EQ(cred.pid, ksim_getpid());
		EXPECT_FAILS(ksim_getsockopt(fds[0], SOL_SOCKET, 9999, &value, &len), ENOPROTOOPT);
		EXPECT_FAILS(ksim_getsockopt(fds[0], SOL_SOCKET, SO_TYPE, NULL, &len), EFAULT);
	}
	bed_halt(m);
}

TEST(sockets, NULL_is_EFAULT_where_it_is_used)
{
	struct ksim_machine *m = bed_boot(NULL);
	struct sockaddr_un address;
	socklen_t len = abstract(&address, "x");
	int fds[2], fd = 0;
	size_t one = 1;

	ksim_as(bed_process(m, "p")) {
		EXPECT_FAILS(ksim_socketpair(AF_UNIX, SOCK_STREAM, 0, NULL), EFAULT);
		EXPECT_EQ(ksim_socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
		EXPECT_FAILS(ksim_bind(fds[0], NULL, len), EFAULT);
		EXPECT_FAILS(ksim_connect(fds[0], NULL, len), EFAULT);
		EXPECT_FAILS(ksim_getsockname(fds[0], NULL, &len), EFAULT);
		EXPECT_FAILS(ksim_getpeername(fds[0], (struct sockaddr *)&address, NULL), EFAULT);
		EXPECT_FAILS(ksim_send(fds[0], NULL, 1, 0), EFAULT);
		EXPECT_EQ(ksim_send(fds[1], "x", 1, 0), 1);
		EXPECT_FAILS(ksim_recv(fds[0], NULL, 1, 0), EFAULT);
		EXPECT_FAILS(ksim_sendmsg(fds[0], NULL, 0), EFAULT);
		EXPECT_FAILS(ksim_recvmsg(fds[0], NULL, 0), EFAULT);
		EXPECT_FAILS(ksim_send_fds(fds[0], NULL, 1, NULL, 0), EFAULT);
		EXPECT_FAILS(ksim_send_fds(fds[0], "x", 1, NULL, 1), EFAULT);
		EXPECT_FAILS(ksim_recv_fds(fds[0], &one, 1, &fd, NULL, 0), EFAULT);
	}
	bed_halt(m);
}

TEST(sockets, message_lies_in_user_memory_as_a_whole)
{
	struct ksim_machine *m = bed_boot(NULL);
	struct {
		struct abi_cmsghdr header;
		int fd;
	} control = { { CMSG_LEN(4), SOL_SOCKET, SCM_RIGHTS }, 0 };
	struct msghdr msg;
	struct iovec iov;
	int fds[2];

	ksim_as(bed_process(m, "p")) {
		ksim_addr at = bed_map(1);

		EXPECT_EQ(ksim_socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
		iov = (struct iovec){ ksim_user(at + 1024), 4 };
		msg = (struct msghdr){ .msg_iov = ksim_user(at + 512),
			               .msg_iovlen = 1,
			               .msg_control = ksim_user(at + 256),
			               .msg_controllen = CMSG_SPACE(4) };
		bed_poke(at, &msg, sizeof(msg));
		bed_poke(at + 256, &control, sizeof(control));
		bed_poke(at + 512, &iov, sizeof(iov));
		bed_poke(at + 1024, "data", 4);
		EXPECT_EQ(ksim_sendmsg(fds[0], ksim_user(at), 0), 4);
		bed_poke(at + 1024, "....", 4);
		EXPECT_EQ(ksim_recvmsg(fds[1], ksim_user(at), MSG_CMSG_CLOEXEC), 4);
		expect_user_bytes(at + 1024, "data", 4);
		control.fd = 2;
		expect_user_bytes(at + 256, &control, CMSG_LEN(4));
		EXPECT_EQ(ksim_fcntl(2, F_GETFD), FD_CLOEXEC);
	}
	bed_halt(m);
}

/* ---- descriptors without the ceremony ---- */

static void open_some(int *fds, int n)
{
	fds[0] = ksim_memfd_create("sent", 0);
	for (int i = 1; i < n; i++)
		fds[i] = ksim_dup(fds[0]);
	SETUP(fds[n - 1] >= 0);
}

TEST(sockets, descriptors_are_sent_with_bytes_and_received)
{
	struct ksim_machine *m = bed_boot(NULL);
	int pair[2], sent[3], got[4] = { -1, -1, -1, -1 };
	char buf[8];
	size_t n = 4;

	ksim_as(bed_process(m, "p")) {
		EXPECT_EQ(ksim_socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
		open_some(sent, 3);
		EXPECT_EQ(ksim_send_fds(pair[0], "three", 5, sent, 3), 5);
		EXPECT_EQ(ksim_send_fds(pair[0], "none", 4, NULL, 0), 4);
		EXPECT_EQ(ksim_recv_fds(pair[1], buf, sizeof(buf), got, &n, MSG_CMSG_CLOEXEC), 5);
		EXPECT_MEMEQ(buf, "three", 5);
		EXPECT_EQ(n, 3);
		for (int i = 0; i < 3; i++) {
			EXPECT_EQ(got[i], 5 + i);
			EXPECT_EQ(ksim_fcntl(got[i], F_GETFD), FD_CLOEXEC);
		}
		EXPECT_EQ(got[3], -1);
		n = 4;
		EXPECT_EQ(ksim_recv_fds(pair[1], buf, sizeof(buf), NULL, &n, 0), 4);
		EXPECT_EQ(n, 0);
		n = 2;
		EXPECT_FAILS(ksim_recv_fds(pair[1], buf, 1, got, &n, MSG_DONTWAIT), EAGAIN);
		EXPECT_EQ(n, 2);
		EXPECT_EQ(ksim_close(pair[0]), 0);
		EXPECT_EQ(ksim_recv_fds(pair[1], buf, 1, got, &n, 0), 0);
		EXPECT_EQ(n, 0);
	}
	bed_halt(m);
}

TEST(sockets, more_descriptors_than_there_is_room_for_are_EMSGSIZE_and_all_are_closed)
{
	struct ksim_machine *m = bed_boot(NULL);
	int pair[2], sent[4], got[4];
	char buf[2];

	ksim_as(bed_process(m, "p")) {
		EXPECT_EQ(ksim_socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
		open_some(sent, 4);
		for (size_t room = 0; room < 4; room++) {
			size_t n = room;

			EXPECT_EQ(ksim_send_fds(pair[0], "x", 1, sent, 4), 1);
			EXPECT_FAILS(ksim_recv_fds(pair[1], buf, 1, got, &n, 0), EMSGSIZE);
			EXPECT_EQ(n, room);
			EXPECT_EQ(ksim_dup(sent[0]), 6);
			EXPECT_EQ(ksim_close(6), 0);
		}
		EXPECT_FAILS(ksim_recv(pair[1], buf, 1, MSG_DONTWAIT), EAGAIN);
	}
	bed_halt(m);
}

TEST(sockets, receiver_at_its_limit_gets_EMSGSIZE_and_keeps_none)
{
	struct ksim_config config = { .ram_bytes = 4 << 20, .fd_limit = 5 };
	struct ksim_machine *m = bed_boot(&config);
	int pair[2], sent[2], got[2];
	size_t n = 2;
	char byte;

	ksim_as(bed_process(m, "p")) {
		EXPECT_EQ(ksim_socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
		open_some(sent, 2);
		EXPECT_EQ(ksim_send_fds(pair[0], "x", 1, sent, 2), 1);
		EXPECT_FAILS(ksim_recv_fds(pair[1], &byte, 1, got, &n, 0), EMSGSIZE);
		EXPECT_EQ(ksim_dup(sent[0]), 4);
	}
	bed_halt(m);
}

TEST(sockets, descriptors_that_cannot_be_told_are_closed)
{
	struct ksim_machine *m = bed_boot(NULL);
	int pair[2], sent[2];
	size_t n = 2;
	char byte;

	ksim_as(bed_process(m, "p")) {
		ksim_addr at = bed_map(1);

		EXPECT_EQ(ksim_socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
		open_some(sent, 2);
		EXPECT_EQ(ksim_send_fds(pair[0], "x", 1, sent, 2), 1);
		EXPECT_FAILS(ksim_recv_fds(pair[1], &byte, 1, ksim_user(at + PAGE), &n, 0), EFAULT);
		EXPECT_EQ(n, 2);
		bed_poke(at, sent, sizeof(sent));
		EXPECT_EQ(ksim_send_fds(pair[0], "x", 1, ksim_user(at), 2), 1);
		bed_poke(at + 64, &n, sizeof(n));
		EXPECT_EQ(ksim_recv_fds(pair[1], &byte, 1, ksim_user(at), ksim_user(at + 64), 0), 1);
		sent[0] = 4;
		sent[1] = 5;
		expect_user_bytes(at, sent, sizeof(sent));
	}
	bed_halt(m);
}

TEST(sockets, message_carries_253_descriptors_and_no_more)
{
	struct ksim_machine *m = bed_boot(NULL);
	static int sent[300], got[300];
	size_t n = 300;
	int pair[2];
	char byte;

	ksim_as(bed_process(m, "p")) {
		EXPECT_EQ(ksim_socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
		open_some(sent, 300);
		EXPECT_FAILS(ksim_send_fds(pair[0], "x", 1, sent, 254), EINVAL);
		EXPECT_FAILS(ksim_send_fds(pair[0], "x", 1, sent, 300), EINVAL);
		EXPECT_EQ(ksim_send_fds(pair[0], "x", 1, sent, 253), 1);
		EXPECT_EQ(ksim_recv_fds(pair[1], &byte, 1, got, &n, 0), 1);
		EXPECT_EQ(n, 253);
		EXPECT_EQ(got[252], 302 + 252);
		sent[5] = 9999;
		EXPECT_FAILS(ksim_send_fds(pair[0], "x", 1, sent, 10), EBADF);
		EXPECT_FAILS(ksim_send_fds(sent[0], "x", 1, sent, 1), ENOTSOCK);
	}
	bed_halt(m);
}
