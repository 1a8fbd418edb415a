// SPDX-License-Identifier: MIT
/*
 * Calls on sockets: arguments, addresses, message headers, and their order (measured on 6.18).
 */
#include "bed.h"

#include <fcntl.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

struct address {
	struct sockaddr_un un;
	socklen_t len;
};

/* A name of n bytes, the leading NUL of abstract ones included. */
static struct address named(const char *name, size_t n)
{
	struct address address = { .un.sun_family = AF_UNIX,
		                   .len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n) };

	memcpy(address.un.sun_path, name, n);
	return address;
}

static long stream(struct bed *bed)
{
	long fd = CALL(bed, socket, AF_UNIX, SOCK_STREAM, 0);

	SETUP(fd >= 0);
	return fd;
}

/* A listener at @abc. */
static long listener(struct bed *bed, struct address *at)
{
	long fd = stream(bed);

	*at = named("\0abc", 4);
	SETUP(CALL(bed, bind, fd, p(&at->un), at->len) == 0);
	SETUP(CALL(bed, listen, fd, 5) == 0);
	return fd;
}

TEST(socket, kinds_are_judged_as_Linux_does)
{
	struct bed bed;

	bed_open(&bed);
	EXPECT_EQ(CALL(&bed, socket, AF_UNIX, SOCK_STREAM | 0x100, 0), -EINVAL);
	EXPECT_EQ(CALL(&bed, socket, 46, SOCK_STREAM, 0), -EAFNOSUPPORT);
	EXPECT_EQ(CALL(&bed, socket, MINUS_ONE, SOCK_STREAM, 0), -EAFNOSUPPORT);
	EXPECT_EQ(CALL(&bed, socket, AF_UNIX, 11, 0), -EINVAL);
	EXPECT_EQ(CALL(&bed, socket, AF_UNIX, 0, 0), -ESOCKTNOSUPPORT);
	EXPECT_EQ(CALL(&bed, socket, AF_UNIX, SOCK_STREAM, 2), -EPROTONOSUPPORT);
	EXPECT_EQ(CALL(&bed, socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, PF_UNIX), 0);
	EXPECT_EQ(CALL(&bed, fcntl, 0, F_GETFD), FD_CLOEXEC);
	EXPECT_EQ(CALL(&bed, fcntl, 0, F_GETFL), O_RDWR | O_NONBLOCK);
	bed_close(&bed);
}

TEST(socketpair, numbers_are_told_before_anything_else_can_fail)
{
	int fds[2] = { -7, -7 };
	struct bed bed;

	bed_open(&bed);
	EXPECT_EQ(CALL(&bed, socketpair, AF_UNIX, SOCK_STREAM | 0x100, 0, BAD), -EINVAL);
	EXPECT_EQ(CALL(&bed, socketpair, AF_UNIX, SOCK_STREAM, 99, BAD), -EFAULT);
	EXPECT_EQ(CALL(&bed, socketpair, AF_UNIX, SOCK_STREAM, 99, p(fds)), -EPROTONOSUPPORT);
	EXPECT_EQ(fds[1], 1);
	EXPECT_EQ(CALL(&bed, socketpair, AF_UNIX, SOCK_STREAM, 0, p(fds)), 0); /* and the numbers are free again */
	EXPECT_EQ(fds[0], 0);
	EXPECT_EQ(fds[1], 1);
	bed_close(&bed);
}

TEST(socket, calls_on_other_files_are_ENOTSOCK_in_the_order_of_Linux)
{
	struct bed bed;
	char c;
	int fd;

	bed_open(&bed);
	fd = bed_memfd(&bed);
	EXPECT_EQ(CALL(&bed, bind, 55, BAD, 200), -EBADF);
	EXPECT_EQ(CALL(&bed, bind, fd, BAD, 200), -ENOTSOCK);
	EXPECT_EQ(CALL(&bed, connect, 55, BAD, 200), -EBADF);
	EXPECT_EQ(CALL(&bed, connect, fd, BAD, 200), -EINVAL); /* here the address comes first */
	EXPECT_EQ(CALL(&bed, connect, fd, BAD, 2), -EFAULT);
	EXPECT_EQ(CALL(&bed, connect, fd, 0, 0), -ENOTSOCK);
	EXPECT_EQ(CALL(&bed, listen, fd, 1), -ENOTSOCK);
	EXPECT_EQ(CALL(&bed, accept4, fd, 0, 0, 1), -EINVAL);
	EXPECT_EQ(CALL(&bed, accept, fd, 0, 0), -ENOTSOCK);
	EXPECT_EQ(CALL(&bed, shutdown, fd, 9), -ENOTSOCK);
	EXPECT_EQ(CALL(&bed, getsockname, fd, BAD, BAD), -ENOTSOCK);
	EXPECT_EQ(CALL(&bed, getsockopt, fd, SOL_SOCKET, SO_TYPE, BAD, BAD), -ENOTSOCK);
	EXPECT_EQ(CALL(&bed, sendto, fd, p(&c), 1, 0, 0, 0), -ENOTSOCK);
	EXPECT_EQ(CALL(&bed, sendmsg, fd, BAD, 0), -ENOTSOCK);
	EXPECT_EQ(CALL(&bed, sendmsg, 55, BAD, UINT64_C(0x80000000)), -EINVAL); /* MSG_CMSG_COMPAT */
	EXPECT_EQ(CALL(&bed, recvmsg, 55, BAD, 0), -EBADF);
	bed_close(&bed);
}

TEST(bind, lengths_and_families_are_judged_as_Linux_does)
{
	struct address at = named("\0abc", 4);
	struct bed bed;
	long fd;

	bed_open(&bed);
	fd = stream(&bed);
	EXPECT_EQ(CALL(&bed, bind, fd, p(&at.un), 1), -EINVAL);
	EXPECT_EQ(CALL(&bed, bind, fd, p(&at.un), 0), -EINVAL);
	EXPECT_EQ(CALL(&bed, bind, fd, p(&at.un), 111), -EINVAL);
	EXPECT_EQ(CALL(&bed, bind, fd, p(&at.un), MINUS_ONE), -EINVAL);
	EXPECT_EQ(CALL(&bed, bind, fd, BAD, 200), -EINVAL); /* length before pointer */
	EXPECT_EQ(CALL(&bed, bind, fd, BAD, 5), -EFAULT);
	at.un.sun_family = AF_INET;
	EXPECT_EQ(CALL(&bed, bind, fd, p(&at.un), at.len), -EINVAL);
	EXPECT_EQ(CALL(&bed, bind, fd, p(&at.un), 2), -EINVAL);
	EXPECT_EQ(CALL(&bed, connect, fd, p(&at.un), 2), -EINVAL);
	bed_close(&bed);
}

TEST(getsockname, returns_names_as_they_were_bound)
{
	struct address abstract = named("\0a\0b", 4), path = named("/tmp/s", 6), got;
	struct bed bed;
	long a, b, c;

	bed_open(&bed);
	a = stream(&bed);
	b = stream(&bed);
	c = stream(&bed);
	got.len = sizeof(got.un);
	EXPECT_EQ(CALL(&bed, getsockname, a, p(&got.un), p(&got.len)), 0);
	EXPECT_EQ(got.len, 2); /* no name */
	EXPECT_EQ(CALL(&bed, bind, a, p(&abstract.un), abstract.len), 0);
	EXPECT_EQ(CALL(&bed, bind, b, p(&path.un), path.len), 0); /* without its NUL */
	EXPECT_EQ(CALL(&bed, bind, c, p(&abstract.un), 2), 0);    /* autobind */
	got.len = sizeof(got.un);
	EXPECT_EQ(CALL(&bed, getsockname, a, p(&got.un), p(&got.len)), 0);
	EXPECT_EQ(got.len, abstract.len);
	EXPECT_MEMEQ(&got.un, &abstract.un, abstract.len);
	got.len = sizeof(got.un);
	EXPECT_EQ(CALL(&bed, getsockname, b, p(&got.un), p(&got.len)), 0);
	EXPECT_EQ(got.len, path.len + 1);
	EXPECT_MEMEQ(&got.un, &path.un, path.len + 1);
	got.len = sizeof(got.un);
	EXPECT_EQ(CALL(&bed, getsockname, c, p(&got.un), p(&got.len)), 0);
	EXPECT_EQ(got.len, 8);
	EXPECT_EQ(CALL(&bed, unlink, p("/tmp/s")), 0);
	EXPECT_EQ(CALL(&bed, unlink, p("/tmp/s")), -ENOENT);
	bed_close(&bed);
}

TEST(getsockname, cuts_to_the_room_and_tells_the_real_length)
{
	struct address at, got;
	struct bed bed;
	long fd;

	bed_open(&bed);
	fd = listener(&bed, &at);
	memset(&got, 0xee, sizeof(got));
	got.len = 4;
	EXPECT_EQ(CALL(&bed, getsockname, fd, p(&got.un), p(&got.len)), 0);
	EXPECT_EQ(got.len, at.len);
	EXPECT_MEMEQ(&got.un, &at.un, 4);
	EXPECT_EQ((unsigned char)got.un.sun_path[2], 0xee);
	got.len = 0;
	EXPECT_EQ(CALL(&bed, getsockname, fd, BAD, p(&got.len)), 0);
	EXPECT_EQ(got.len, at.len);
	EXPECT_EQ(CALL(&bed, getsockname, fd, BAD, p(&got.len)), -EFAULT);
	got.len = (socklen_t)-1;
	EXPECT_EQ(CALL(&bed, getsockname, fd, p(&got.un), p(&got.len)), -EINVAL);
	EXPECT_EQ(CALL(&bed, getsockname, fd, p(&got.un), BAD), -EFAULT);
	EXPECT_EQ(CALL(&bed, getpeername, fd, p(&got.un), p(&got.len)), -ENOTCONN);
	bed_close(&bed);
}

TEST(accept, tells_who_and_gives_the_flags_to_the_new_descriptor)
{
	struct address at, got = { .len = sizeof(got.un) };
	long fd, client, accepted;
	struct bed bed;

	bed_open(&bed);
	fd = listener(&bed, &at);
	client = stream(&bed);
	EXPECT_EQ(CALL(&bed, accept4, fd, 0, 0, 0x10), -EINVAL);
	EXPECT_EQ(CALL(&bed, connect, client, p(&at.un), at.len), 0);
	EXPECT_EQ(CALL(&bed, connect, client, p(&at.un), at.len), -EISCONN);
	accepted = CALL(&bed, accept4, fd, p(&got.un), p(&got.len), SOCK_CLOEXEC | SOCK_NONBLOCK);
	EXPECT_EQ(accepted, client + 1);
	EXPECT_EQ(got.len, 2);
	EXPECT_EQ(CALL(&bed, fcntl, accepted, F_GETFD), FD_CLOEXEC);
	EXPECT_EQ(CALL(&bed, fcntl, accepted, F_GETFL), O_RDWR | O_NONBLOCK);
	EXPECT_EQ(CALL(&bed, recvfrom, accepted, p(&got), 1, 0, 0, 0), -EAGAIN);
	EXPECT_EQ(CALL(&bed, fcntl, fd, F_SETFL, O_NONBLOCK), 0);
	EXPECT_EQ(CALL(&bed, accept, fd, 0, 0), -EAGAIN);
	bed_close(&bed);
}

TEST(accept, a_bad_address_pointer_loses_the_connection_but_no_descriptor)
{
	struct address at;
	struct bed bed;
	long fd, client;

	bed_open(&bed);
	fd = listener(&bed, &at);
	client = stream(&bed);
	EXPECT_EQ(CALL(&bed, connect, client, p(&at.un), at.len), 0);
	EXPECT_EQ(CALL(&bed, accept, fd, p(&at.un), BAD), -EFAULT);
	EXPECT_EQ(CALL(&bed, recvfrom, client, p(&at), 1, 0, 0, 0), 0); /* the other end has gone */
	EXPECT_EQ(stream(&bed), client + 1);
	bed_close(&bed);
}

static int option(struct bed *bed, long fd, int name)
{
	socklen_t len = sizeof(int);
	int value = -1;
	long err = CALL(bed, getsockopt, fd, SOL_SOCKET, name, p(&value), p(&len));

	EXPECT_EQ(len, sizeof(int));
	return err < 0 ? (int)err : value;
}

TEST(getsockopt, values_of_SOL_SOCKET)
{
	struct address at;
	struct bed bed;
	long fd, other;

	bed_open(&bed);
	fd = listener(&bed, &at);
	other = stream(&bed);
	EXPECT_EQ(option(&bed, fd, SO_TYPE), SOCK_STREAM);
	EXPECT_EQ(option(&bed, fd, SO_DOMAIN), AF_UNIX);
	EXPECT_EQ(option(&bed, fd, SO_PROTOCOL), 0);
	EXPECT_EQ(option(&bed, fd, SO_ERROR), 0);
	EXPECT_EQ(option(&bed, fd, SO_ACCEPTCONN), 1);
	EXPECT_EQ(option(&bed, other, SO_ACCEPTCONN), 0);
	EXPECT_EQ(option(&bed, fd, SO_SNDBUF), 212992);
	EXPECT_EQ(option(&bed, fd, SO_RCVBUF), 212992);
	EXPECT_EQ(option(&bed, fd, 9999), -ENOPROTOOPT);
	bed_close(&bed);
}

TEST(getsockopt, error_of_a_peer_that_left_unread_data_is_told_once)
{
	struct bed bed;
	int pair[2];

	bed_open(&bed);
	bed_pair(&bed, pair);
	EXPECT_EQ(CALL(&bed, write, pair[0], p("x"), 1), 1);
	EXPECT_EQ(CALL(&bed, close, pair[1]), 0);
	EXPECT_EQ(option(&bed, pair[0], SO_ERROR), ECONNRESET);
	EXPECT_EQ(option(&bed, pair[0], SO_ERROR), 0);
	bed_close(&bed);
}

TEST(getsockopt, lengths_and_pointers_are_judged_as_Linux_does)
{
	struct unix_creds creds = { 0 };
	int value[4] = { -7, -7, -7, -7 };
	socklen_t len = 2;
	struct bed bed;
	int pair[2];

	bed_open(&bed);
	bed_pair(&bed, pair);
	EXPECT_EQ(CALL(&bed, getsockopt, pair[0], SOL_SOCKET, SO_TYPE, p(value), p(&len)), 0);
	EXPECT_EQ(len, 2);
	len = 100;
	EXPECT_EQ(CALL(&bed, getsockopt, pair[0], SOL_SOCKET, SO_TYPE, p(value), p(&len)), 0);
	EXPECT_EQ(len, 4);
	len = (socklen_t)-1;
	EXPECT_EQ(CALL(&bed, getsockopt, pair[0], SOL_SOCKET, SO_TYPE, p(value), p(&len)), -EINVAL);
	len = 4;
	EXPECT_EQ(CALL(&bed, getsockopt, pair[0], SOL_SOCKET, SO_TYPE, BAD, p(&len)), -EFAULT);
	EXPECT_EQ(CALL(&bed, getsockopt, pair[0], SOL_SOCKET, SO_TYPE, p(value), BAD), -EFAULT);
	EXPECT_EQ(CALL(&bed, getsockopt, pair[0], 6, SO_TYPE, p(value), p(&len)), -EOPNOTSUPP);
	len = sizeof(creds);
	EXPECT_EQ(CALL(&bed, getsockopt, pair[0], SOL_SOCKET, SO_PEERCRED, p(&creds), p(&len)), 0);
	EXPECT_EQ(len, 12);
	EXPECT_EQ(creds.pid, bed.process->owner.id);
	bed_close(&bed);
}

TEST(sendto, checks_come_in_the_order_of_Linux)
{
	struct address at = named("\0abc", 4);
	struct bed bed;
	int pair[2];

	bed_open(&bed);
	bed_pair(&bed, pair);
	EXPECT_EQ(CALL(&bed, sendto, 55, user(UINT64_C(1) << 50), 1, 0, 0, 0), -EFAULT); /* buffer before descriptor */
	EXPECT_EQ(CALL(&bed, sendto, pair[0], p("x"), MINUS_ONE, 0, 0, 0), -EFAULT);
	EXPECT_EQ(CALL(&bed, sendto, pair[0], p("x"), 1, 0, p(&at.un), at.len), -EISCONN);
	EXPECT_EQ(CALL(&bed, sendto, pair[0], p("x"), 1, 0, BAD, 8), -EFAULT);
	EXPECT_EQ(CALL(&bed, sendto, pair[0], p("x"), 1, 0, p(&at.un), MINUS_ONE), -EINVAL);
	EXPECT_EQ(CALL(&bed, sendto, pair[0], p("x"), 1, 0, p(&at.un), 300), -EINVAL);
	EXPECT_EQ(CALL(&bed, sendto, pair[0], 0, 5, 0, 0, 0), -EFAULT);
	EXPECT_EQ(CALL(&bed, sendto, pair[0], BAD, 0, 0, 0, 0), 0);
	EXPECT_EQ(CALL(&bed, sendto, pair[0], p("x"), 1, 0, BAD, 0), 1); /* no address after all */
	bed_close(&bed);
}

TEST(recvfrom, tells_the_name_of_a_named_peer_only)
{
	struct address at = named("\0abc", 4), got;
	struct bed bed;
	int pair[2];
	char c;

	bed_open(&bed);
	bed_pair(&bed, pair);
	EXPECT_EQ(CALL(&bed, write, pair[0], p("ab"), 2), 2);
	got.len = sizeof(got.un);
	EXPECT_EQ(CALL(&bed, recvfrom, pair[1], p(&c), 1, 0, p(&got.un), p(&got.len)), 1);
	EXPECT_EQ(got.len, 0);
	EXPECT_EQ(CALL(&bed, bind, pair[0], p(&at.un), at.len), 0);
	got.len = sizeof(got.un);
	EXPECT_EQ(CALL(&bed, recvfrom, pair[1], p(&c), 1, 0, p(&got.un), p(&got.len)), 1);
	EXPECT_EQ(got.len, at.len);
	EXPECT_MEMEQ(&got.un, &at.un, at.len);
	EXPECT_EQ(CALL(&bed, recvfrom, pair[1], p(&c), 1, MSG_DONTWAIT, p(&got.un), BAD), -EAGAIN);
	bed_close(&bed);
}

TEST(sendmsg, headers_and_rows_are_judged_as_Linux_does)
{
	struct iovec iov[3] = { { (void *)"abc", 3 }, { NULL, 0 }, { (void *)"defg", 4 } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 3 };
	struct bed bed;
	int pair[2];
	char got[8];

	bed_open(&bed);
	bed_pair(&bed, pair);
	EXPECT_EQ(CALL(&bed, sendmsg, pair[0], BAD, 0), -EFAULT);
	EXPECT_EQ(CALL(&bed, sendmsg, pair[0], p(&msg), 0), 7);
	EXPECT_EQ(CALL(&bed, read, pair[1], p(got), 8), 7);
	EXPECT_MEMEQ(got, "abcdefg", 7);
	msg.msg_iovlen = 1025;
	EXPECT_EQ(CALL(&bed, sendmsg, pair[0], p(&msg), 0), -EMSGSIZE);
	msg.msg_iovlen = 3;
	iov[1].iov_len = (size_t)-1;
	EXPECT_EQ(CALL(&bed, sendmsg, pair[0], p(&msg), 0), -EINVAL);
	iov[1].iov_len = (size_t)1 << 62;
	EXPECT_EQ(CALL(&bed, sendmsg, pair[0], p(&msg), 0), -EFAULT);
	msg.msg_iov = (struct iovec *)(uintptr_t)BAD;
	EXPECT_EQ(CALL(&bed, sendmsg, pair[0], p(&msg), 0), -EFAULT);
	msg.msg_iovlen = 0;
	EXPECT_EQ(CALL(&bed, sendmsg, pair[0], p(&msg), 0), 0);
	bed_close(&bed);
}

TEST(sendmsg, addresses_and_control_lengths_are_judged_as_Linux_does)
{
	struct iovec iov = { (void *)"abc", 3 };
	struct address at = named("\0abc", 4);
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_name = &at.un, .msg_namelen = at.len };
	struct bed bed;
	int pair[2];

	bed_open(&bed);
	bed_pair(&bed, pair);
	EXPECT_EQ(CALL(&bed, sendmsg, pair[0], p(&msg), 0), -EISCONN);
	msg.msg_namelen = (socklen_t)-1;
	EXPECT_EQ(CALL(&bed, sendmsg, pair[0], p(&msg), 0), -EINVAL);
	msg.msg_namelen = 0;
	EXPECT_EQ(CALL(&bed, sendmsg, pair[0], p(&msg), 0), 3);
	msg.msg_name = NULL;
	msg.msg_namelen = (socklen_t)-1;
	EXPECT_EQ(CALL(&bed, sendmsg, pair[0], p(&msg), 0), 3);
	msg.msg_control = &at;
	msg.msg_controllen = (size_t)1 << 33;
	EXPECT_EQ(CALL(&bed, sendmsg, pair[0], p(&msg), 0), -ENOBUFS);
	msg.msg_control = NULL;
	msg.msg_controllen = 24;
	EXPECT_EQ(CALL(&bed, sendmsg, pair[0], p(&msg), 0), -EFAULT);
	bed_close(&bed);
}

TEST(sendmsg, a_row_of_1024_buffers_goes_through)
{
	static struct iovec iov[1024];
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 1024 };
	char digits[] = "0123456789";
	struct bed bed;
	char got[1024];
	int pair[2];

	bed_open(&bed);
	bed_pair(&bed, pair);
	for (int i = 0; i < 1024; i++)
		iov[i] = (struct iovec){ digits + i % 10, 1 };
	EXPECT_EQ(CALL(&bed, sendmsg, pair[0], p(&msg), 0), 1024);
	EXPECT_EQ(CALL(&bed, read, pair[1], p(got), sizeof(got)), 1024);
	EXPECT_MEMEQ(got, "0123456789012", 13);
	bed_close(&bed);
}

TEST(recvmsg, header_tells_what_came_and_is_untouched_by_failure)
{
	union {
		struct cmsghdr header;
		char bytes[64];
	} control = { .header = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	char data[4];
	struct iovec iov = { data, 4 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = 24 };
	struct bed bed;
	int pair[2], fd;

	bed_open(&bed);
	bed_pair(&bed, pair);
	memcpy(CMSG_DATA(&control.header), &pair[0], sizeof(int));
	EXPECT_EQ(CALL(&bed, sendmsg, pair[0], p(&msg), 0), 4);
	msg.msg_controllen = sizeof(control);
	msg.msg_flags = 0x55;
	EXPECT_EQ(CALL(&bed, recvmsg, pair[1], p(&msg), MSG_CMSG_CLOEXEC), 4);
	EXPECT_EQ(msg.msg_controllen, 24);
	EXPECT_EQ(msg.msg_flags, MSG_CMSG_CLOEXEC);
	EXPECT_EQ(control.header.cmsg_len, CMSG_LEN(sizeof(int)));
	memcpy(&fd, CMSG_DATA(&control.header), sizeof(int));
	EXPECT_EQ(CALL(&bed, fcntl, fd, F_GETFD), FD_CLOEXEC);
	msg.msg_flags = 0x55;
	EXPECT_EQ(CALL(&bed, recvmsg, pair[1], p(&msg), MSG_DONTWAIT), -EAGAIN);
	EXPECT_EQ(msg.msg_flags, 0x55);
	EXPECT_EQ(CALL(&bed, recvmsg, pair[1], BAD, MSG_DONTWAIT), -EFAULT);
	bed_close(&bed);
}
