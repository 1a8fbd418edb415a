// SPDX-License-Identifier: MIT
/*
 * What Linux promises of AF_UNIX stream sockets that are connected, without fds in them: making, data, ends, errors.
 * SEMANTICS.md 57, 81, 85, 90, 98; unix(7), socket(2), socketpair(2), send(2), recv(2), shutdown(2). How they get names
 * and connections is in abi_named.c, fds in abi_scm_rights.c.
 */
#include "abi.h"

#include <limits.h>

static int stream_socket(void)
{
	int sock = x_socket(AF_UNIX, SOCK_STREAM, 0);

	SETUP(sock >= 0);
	return sock;
}

/* socket, socketpair. */

TEST(socket, flags_set_close_on_exec_and_nonblocking)
{
	/* socket(2): SOCK_CLOEXEC, SOCK_NONBLOCK. */
	int sock = x_socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int plain = stream_socket();

	EXPECT_EQ(x_fcntl(sock, F_GETFD), FD_CLOEXEC);
	EXPECT_EQ(x_fcntl(sock, F_GETFL), O_RDWR | O_NONBLOCK);
	EXPECT_EQ(x_fcntl(plain, F_GETFD), 0);
	EXPECT_EQ(x_fcntl(plain, F_GETFL), O_RDWR);
	EXPECT_EQ(x_close(sock), 0);
	EXPECT_EQ(x_close(plain), 0);
}

TEST(socket, of_a_bad_family_type_or_protocol_is_refused)
{
	/* socket(2), unix(7). */
	EXPECT_FAILS(x_socket(9999, SOCK_STREAM, 0), EAFNOSUPPORT);
	EXPECT_FAILS(x_socket(-1, SOCK_STREAM, 0), EAFNOSUPPORT);
	EXPECT_FAILS(x_socket(AF_UNIX, SOCK_STREAM, 77), EPROTONOSUPPORT);
	EXPECT_FAILS(x_socket(AF_UNIX, SOCK_RDM, 0), ESOCKTNOSUPPORT);
	EXPECT_FAILS(x_socket(AF_UNIX, SOCK_STREAM | 0x10000, 0), EINVAL);
}

TEST(socket, accepts_PF_UNIX_as_its_protocol)
{
	/* net/unix/af_unix.c: the protocol may be 0 or PF_UNIX. */
	int sock = x_socket(AF_UNIX, SOCK_STREAM, PF_UNIX);

	EXPECT(sock >= 0);
	EXPECT_EQ(x_close(sock), 0);
}

TEST(socket, at_the_fd_limit_fails_EMFILE)
{
	/* socket(2). */
	struct fd_hog hog;

	hog_fds(&hog, 0);
	EXPECT_FAILS(x_socket(AF_UNIX, SOCK_STREAM, 0), EMFILE);
	unhog_fds(&hog);
}

TEST(socketpair, takes_the_two_lowest_free_fds)
{
	/* socketpair(2): the two are in sv[0] and sv[1]. */
	int ends[2], low = lowest_free_fd();

	EXPECT_EQ(x_socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	EXPECT_EQ(ends[0], low);
	EXPECT(ends[1] > low);
	EXPECT_EQ(x_fcntl(ends[0], F_GETFD), FD_CLOEXEC);
	EXPECT_EQ(x_fcntl(ends[1], F_GETFD), FD_CLOEXEC);
	close_pair(ends);
}

TEST(socketpair, with_room_for_one_fd_fails_EMFILE_and_takes_none)
{
	/* socketpair(2): on error sv is unchanged. */
	int ends[2] = { -7, -8 };
	struct fd_hog hog;
	int fd;

	hog_fds(&hog, 1);
	EXPECT_FAILS(x_socketpair(AF_UNIX, SOCK_STREAM, 0, ends), EMFILE);
	EXPECT(ends[0] == -7 && ends[1] == -8);
	fd = x_dup(hog.fds[0]);
	EXPECT(fd >= 0);
	EXPECT_EQ(x_close(fd), 0);
	unhog_fds(&hog);
}

TEST(socketpair, into_unmapped_memory_fails_EFAULT_and_takes_no_fd)
{
	/* socketpair(2). */
	int low = lowest_free_fd();

	EXPECT_FAILS(x_socketpair(AF_UNIX, SOCK_STREAM, 0, ubuf(unmapped_page())), EFAULT);
	EXPECT_EQ(lowest_free_fd(), low);
}

TEST(socketpair, of_a_bad_family_type_or_protocol_is_refused)
{
	/* socketpair(2). */
	int ends[2];

	EXPECT_FAILS(x_socketpair(9999, SOCK_STREAM, 0, ends), EAFNOSUPPORT);
	EXPECT_FAILS(x_socketpair(AF_UNIX, SOCK_STREAM, 77, ends), EPROTONOSUPPORT);
	EXPECT_FAILS(x_socketpair(AF_UNIX, SOCK_RDM, 0, ends), ESOCKTNOSUPPORT);
	EXPECT_FAILS(x_socketpair(AF_UNIX, SOCK_STREAM | 0x10000, 0, ends), EINVAL);
}

/* Data. */

TEST(stream, carries_bytes_both_ways)
{
	/* socketpair(2): the two sockets are indistinguishable. */
	int ends[2];
	char got[8];

	stream_pair(ends);
	EXPECT_EQ(x_send(ends[0], "ping", 4, MSG_NOSIGNAL), 4);
	EXPECT_EQ(x_send(ends[1], "pong!", 5, MSG_NOSIGNAL), 5);
	EXPECT_EQ(x_recv(ends[1], got, sizeof(got), 0), 4);
	EXPECT_MEMEQ(got, "ping", 4);
	EXPECT_EQ(x_recv(ends[0], got, sizeof(got), 0), 5);
	EXPECT_MEMEQ(got, "pong!", 5);
	close_pair(ends);
}

TEST(stream, read_and_write_work_like_recv_and_send)
{
	/* socket(7): read and write on sockets. */
	int ends[2];
	char got[8];

	stream_pair(ends);
	EXPECT_EQ(x_write(ends[0], "data", 4), 4);
	EXPECT_EQ(x_read(ends[1], got, sizeof(got)), 4);
	EXPECT_MEMEQ(got, "data", 4);
	close_pair(ends);
}

TEST(stream, has_no_message_boundaries)
{
	/* unix(7), SOCK_STREAM: one recv takes several sends, or part of one. */
	int ends[2];
	char got[8];

	stream_pair(ends);
	EXPECT_EQ(x_send(ends[0], "abc", 3, MSG_NOSIGNAL), 3);
	EXPECT_EQ(x_send(ends[0], "def", 3, MSG_NOSIGNAL), 3);
	EXPECT_EQ(x_recv(ends[1], got, 4, 0), 4);
	EXPECT_MEMEQ(got, "abcd", 4);
	EXPECT_EQ(x_recv(ends[1], got, 8, 0), 2);
	EXPECT_MEMEQ(got, "ef", 2);
	close_pair(ends);
}

TEST(stream, gathers_and_scatters)
{
	/* sendmsg(2), recvmsg(2): iovecs, empty ones too. */
	int ends[2];
	char a[2], b[4];
	char abc[] = "abc", def[] = "def";
	struct iovec out[3] = { { abc, 3 }, { NULL, 0 }, { def, 3 } };
	struct iovec in[2] = { { a, 2 }, { b, 4 } };
	struct msghdr send = { .msg_iov = out, .msg_iovlen = 3 };
	struct msghdr receive_into = { .msg_iov = in, .msg_iovlen = 2 };

	stream_pair(ends);
	EXPECT_EQ(x_sendmsg(ends[0], &send, MSG_NOSIGNAL), 6);
	EXPECT_EQ(x_recvmsg(ends[1], &receive_into, 0), 6);
	EXPECT_MEMEQ(a, "ab", 2);
	EXPECT_MEMEQ(b, "cdef", 4);
	close_pair(ends);
}

TEST(stream, carries_bytes_from_and_into_mapped_memory)
{
	/* send(2), recv(2): any mapped memory is a buffer, also across pages. */
	int ends[2];
	addr_t map = map_anonymous(4, PROT_READ | PROT_WRITE, MAP_PRIVATE);

	stream_pair(ends);
	st64(map + PAGE - 4, 0x1122334455667788);
	EXPECT_EQ(x_send(ends[0], ubuf(map + PAGE - 4), 8, MSG_NOSIGNAL), 8);
	EXPECT_EQ(x_recv(ends[1], ubuf(map + 3 * PAGE - 3), 8, 0), 8);
	EXPECT_EQ(ld64(map + 3 * PAGE - 3), 0x1122334455667788);
	close_pair(ends);
	unmap(map, 4);
}

TEST(stream, carries_more_than_a_buffer_while_both_sides_work)
{
	/* send(2): blocks until there is room, unless nonblocking; nothing is lost or reordered. */
	enum { TOTAL = 1 << 20, CHUNK = 1 << 14 };
	static unsigned char out[CHUNK], in[CHUNK];
	int ends[2];
	size_t sent = 0, received = 0, nwrong = 0;

	stream_pair(ends);
	while (received < TOTAL) {
		ssize_t n;

		fill_pattern(out, CHUNK, (unsigned)sent);
		n = sent < TOTAL ? x_send(ends[0], out, CHUNK, MSG_NOSIGNAL | MSG_DONTWAIT) : -1;
		sent += n > 0 ? (size_t)n : 0;
		n = x_recv(ends[1], in, CHUNK / 3, MSG_DONTWAIT);
		REQUIRE(n > 0);
		for (ssize_t i = 0; i < n; i++)
			nwrong += in[i] != (unsigned char)(received + (size_t)i);
		received += (size_t)n;
	}
	EXPECT_EQ(nwrong, 0);
	close_pair(ends);
}

TEST(stream, of_nothing_sends_nothing)
{
	/* 81: 0 bytes on a stream are no message. */
	int ends[2];
	char byte;

	stream_pair(ends);
	EXPECT_EQ(x_send(ends[0], "x", 0, MSG_NOSIGNAL), 0);
	EXPECT_FAILS(x_recv(ends[1], &byte, 1, MSG_DONTWAIT), EAGAIN);
	close_pair(ends);
}

TEST(stream, MSG_PEEK_leaves_the_bytes)
{
	/* recv(2). */
	int ends[2];
	char got[4];

	stream_pair(ends);
	EXPECT_EQ(x_send(ends[0], "abcd", 4, MSG_NOSIGNAL), 4);
	EXPECT_EQ(x_recv(ends[1], got, 2, MSG_PEEK), 2);
	EXPECT_MEMEQ(got, "ab", 2);
	EXPECT_EQ(x_recv(ends[1], got, 4, MSG_PEEK), 4);
	EXPECT_EQ(x_recv(ends[1], got, 4, 0), 4);
	EXPECT_MEMEQ(got, "abcd", 4);
	close_pair(ends);
}

static int sends_in_two_parts(void *arg)
{
	int sock = *(int *)arg;

	CHILD_EXPECT(x_send(sock, "abc", 3, MSG_NOSIGNAL) == 3);
	CHILD_EXPECT(x_send(sock, "defg", 4, MSG_NOSIGNAL) == 4);
	return 0;
}

TEST(stream, MSG_WAITALL_waits_for_the_full_length)
{
	/* recv(2). */
	struct child *child;
	int ends[2];
	char got[7];

	stream_pair(ends);
	child = child_start(sends_in_two_parts, &ends[0]);
	EXPECT_EQ(x_recv(ends[1], got, 7, MSG_WAITALL), 7);
	EXPECT_MEMEQ(got, "abcdefg", 7);
	EXPECT_EQ(child_join(child), 0);
	close_pair(ends);
}

TEST(stream, MSG_WAITALL_stops_at_the_end)
{
	/* recv(2): a disconnect returns less. */
	int ends[2];
	char got[8];

	stream_pair(ends);
	EXPECT_EQ(x_send(ends[0], "abc", 3, MSG_NOSIGNAL), 3);
	EXPECT_EQ(x_close(ends[0]), 0);
	EXPECT_EQ(x_recv(ends[1], got, 8, MSG_WAITALL), 3);
	EXPECT_EQ(x_close(ends[1]), 0);
}

TEST(stream, recv_waits_for_a_sender)
{
	/* recv(2): if no messages are available, the call waits. */
	struct child *child;
	int ends[2];
	char got[3];

	stream_pair(ends);
	child = child_start(sends_in_two_parts, &ends[0]);
	EXPECT_EQ(x_recv(ends[1], got, 3, 0), 3);
	EXPECT_MEMEQ(got, "abc", 3);
	EXPECT_EQ(child_join(child), 0);
	close_pair(ends);
}

TEST(stream, recv_without_waiting_fails_EAGAIN)
{
	/* recv(2): MSG_DONTWAIT, or O_NONBLOCK. */
	int ends[2];
	char byte;

	stream_pair(ends);
	EXPECT_FAILS(x_recv(ends[0], &byte, 1, MSG_DONTWAIT), EAGAIN);
	EXPECT_EQ(x_fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
	EXPECT_FAILS(x_recv(ends[0], &byte, 1, 0), EAGAIN);
	EXPECT_FAILS(x_read(ends[0], &byte, 1), EAGAIN);
	close_pair(ends);
}

TEST(stream, send_to_a_full_socket_without_waiting_fails_EAGAIN)
{
	/* send(2); room comes back as the peer reads. */
	static char chunk[4096];
	int ends[2];
	ssize_t n, total = 0;

	stream_pair(ends);
	while ((n = x_send(ends[0], chunk, sizeof(chunk), MSG_DONTWAIT | MSG_NOSIGNAL)) > 0)
		total += n;
	EXPECT_EQ(n, -1);
	EXPECT_EQ(errno, EAGAIN);
	EXPECT(total >= (ssize_t)sizeof(chunk));
	while (total > 0 && (n = x_recv(ends[1], chunk, sizeof(chunk), MSG_DONTWAIT)) > 0)
		total -= n;
	EXPECT_EQ(total, 0);
	EXPECT_EQ(x_send(ends[0], chunk, 1, MSG_DONTWAIT | MSG_NOSIGNAL), 1);
	close_pair(ends);
}

static int drains_to_the_end(void *arg)
{
	static char chunk[4096];
	int *ends = arg;
	ssize_t n;
	size_t total = 0;

	CHILD_EXPECT(x_close(ends[0]) == 0);
	while ((n = x_recv(ends[1], chunk, sizeof(chunk), 0)) > 0)
		total += (size_t)n;
	CHILD_EXPECT(n == 0);
	CHILD_EXPECT(total == 1 << 20);
	return 0;
}

TEST(stream, send_waits_for_room)
{
	/* send(2): when it does not fit into the send buffer, send blocks, and sends all of it. */
	enum { LARGE = 1 << 20 };
	static char large[LARGE];
	struct child *child;
	int ends[2];

	stream_pair(ends);
	child = child_start(drains_to_the_end, ends);
	EXPECT_EQ(x_close(ends[1]), 0);
	EXPECT_EQ(x_send(ends[0], large, LARGE, MSG_NOSIGNAL), LARGE);
	EXPECT_EQ(x_close(ends[0]), 0);
	EXPECT_EQ(child_join(child), 0);
}

/* Bad memory. */

TEST(stream, send_from_unmapped_memory_fails_EFAULT_and_sends_nothing)
{
	/* send(2). */
	int ends[2];
	char byte;

	stream_pair(ends);
	EXPECT_FAILS(x_send(ends[0], ubuf(unmapped_page()), 5, MSG_NOSIGNAL), EFAULT);
	EXPECT_FAILS(x_recv(ends[1], &byte, 1, MSG_DONTWAIT), EAGAIN);
	close_pair(ends);
}

TEST(stream, recv_into_unmapped_memory_fails_EFAULT_and_keeps_the_bytes)
{
	/* 85. */
	int ends[2];
	char got[4];

	stream_pair(ends);
	EXPECT_EQ(x_send(ends[0], "abc", 3, MSG_NOSIGNAL), 3);
	EXPECT_FAILS(x_recv(ends[1], ubuf(unmapped_page()), 3, 0), EFAULT);
	EXPECT_EQ(x_recv(ends[1], got, 4, 0), 3);
	EXPECT_MEMEQ(got, "abc", 3);
	close_pair(ends);
}

TEST(stream, message_header_in_unmapped_memory_fails_EFAULT)
{
	/* sendmsg(2), recvmsg(2). */
	int ends[2];

	stream_pair(ends);
	EXPECT_FAILS(x_sendmsg(ends[0], ubuf(unmapped_page()), MSG_NOSIGNAL), EFAULT);
	EXPECT_FAILS(x_recvmsg(ends[0], ubuf(unmapped_page()), MSG_DONTWAIT), EFAULT);
	close_pair(ends);
}

TEST(stream, iovec_in_unmapped_memory_fails_EFAULT)
{
	/* sendmsg(2), recvmsg(2). */
	struct msghdr msg = { .msg_iov = ubuf(unmapped_page()), .msg_iovlen = 1 };
	int ends[2];

	stream_pair(ends);
	EXPECT_FAILS(x_sendmsg(ends[0], &msg, MSG_NOSIGNAL), EFAULT);
	EXPECT_FAILS(x_recvmsg(ends[0], &msg, MSG_DONTWAIT), EFAULT);
	close_pair(ends);
}

TEST(stream, more_iovecs_than_IOV_MAX_fail_EMSGSIZE)
{
	/* sendmsg(2), recvmsg(2). */
	static struct iovec many[IOV_MAX + 1];
	struct msghdr msg = { .msg_iov = many, .msg_iovlen = IOV_MAX + 1 };
	int ends[2];

	stream_pair(ends);
	EXPECT_FAILS(x_sendmsg(ends[0], &msg, MSG_NOSIGNAL), EMSGSIZE);
	EXPECT_FAILS(x_recvmsg(ends[0], &msg, MSG_DONTWAIT), EMSGSIZE);
	close_pair(ends);
}

/* Ends: 98. */

TEST(stream, recv_after_the_peer_closed_gives_the_rest_and_then_0)
{
	/* recv(2): an orderly shutdown returns 0, again and again. */
	int ends[2];
	char got[8];

	stream_pair(ends);
	EXPECT_EQ(x_send(ends[0], "abc", 3, MSG_NOSIGNAL), 3);
	EXPECT_EQ(x_close(ends[0]), 0);
	EXPECT_EQ(x_recv(ends[1], got, 2, 0), 2);
	EXPECT_EQ(x_recv(ends[1], got, 8, 0), 1);
	EXPECT_EQ(x_recv(ends[1], got, 8, 0), 0);
	EXPECT_EQ(x_recv(ends[1], got, 8, MSG_DONTWAIT), 0);
	EXPECT_EQ(x_close(ends[1]), 0);
}

TEST(stream, send_after_the_peer_closed_fails_EPIPE)
{
	/* send(2). */
	int ends[2];

	stream_pair(ends);
	EXPECT_EQ(x_close(ends[0]), 0);
	EXPECT_FAILS(x_send(ends[1], "x", 1, MSG_NOSIGNAL), EPIPE);
	EXPECT_EQ(x_close(ends[1]), 0);
}

TEST(stream, peer_that_closes_with_unread_data_resets)
{
	/* 98: send EPIPE, recv ECONNRESET, once. */
	int ends[2];
	char byte;

	stream_pair(ends);
	EXPECT_EQ(x_send(ends[1], "unread", 6, MSG_NOSIGNAL), 6);
	EXPECT_EQ(x_close(ends[0]), 0);
	EXPECT_FAILS(x_send(ends[1], "x", 1, MSG_NOSIGNAL), EPIPE);
	EXPECT_FAILS(x_recv(ends[1], &byte, 1, 0), ECONNRESET);
	EXPECT_EQ(x_recv(ends[1], &byte, 1, 0), 0);
	EXPECT_EQ(x_close(ends[1]), 0);
}

static int sends_into_a_closed_pipe(void *arg)
{
	CHILD_EXPECT(x_send(*(int *)arg, "x", 1, 0) == -1);
	return 0;
}

TEST(stream, send_to_a_closed_peer_raises_SIGPIPE_unless_told_not_to)
{
	/* send(2): EPIPE comes with SIGPIPE, whose default is to terminate. */
	int ends[2];

	stream_pair(ends);
	EXPECT_EQ(x_close(ends[0]), 0);
	EXPECT_EQ(in_child(sends_into_a_closed_pipe, &ends[1]), -SIGPIPE);
	EXPECT_EQ(x_close(ends[1]), 0);
}

TEST(stream, end_stays_open_while_a_copy_of_the_fd_does)
{
	/* close(2): the connection ends with the last fd of the description. */
	int ends[2], copy;
	char byte;

	stream_pair(ends);
	copy = x_dup(ends[0]);
	EXPECT_EQ(x_close(ends[0]), 0);
	EXPECT_FAILS(x_recv(ends[1], &byte, 1, MSG_DONTWAIT), EAGAIN);
	EXPECT_EQ(x_send(copy, "c", 1, MSG_NOSIGNAL), 1);
	EXPECT_EQ(x_recv(ends[1], &byte, 1, 0), 1);
	EXPECT_EQ(x_close(copy), 0);
	EXPECT_EQ(x_recv(ends[1], &byte, 1, 0), 0);
	EXPECT_EQ(x_close(ends[1]), 0);
}

static int waits_for_the_end(void *arg)
{
	int *ends = arg;
	char byte;

	CHILD_EXPECT(x_close(ends[0]) == 0);
	CHILD_EXPECT(x_recv(ends[1], &byte, 1, 0) == 1);
	CHILD_EXPECT(x_recv(ends[1], &byte, 1, 0) == 0);
	return 0;
}

TEST(stream, close_wakes_a_receiver)
{
	/* recv(2). */
	struct child *child;
	int ends[2];

	stream_pair(ends);
	child = child_start(waits_for_the_end, ends);
	EXPECT_EQ(x_send(ends[0], "x", 1, MSG_NOSIGNAL), 1);
	close_pair(ends);
	EXPECT_EQ(child_join(child), 0);
}

/* shutdown. */

TEST(shutdown, of_writing_ends_the_peers_reading)
{
	/* shutdown(2): SHUT_WR. The other direction goes on. */
	int ends[2];
	char got[4];

	stream_pair(ends);
	EXPECT_EQ(x_send(ends[0], "ab", 2, MSG_NOSIGNAL), 2);
	EXPECT_EQ(x_shutdown(ends[0], SHUT_WR), 0);
	EXPECT_FAILS(x_send(ends[0], "c", 1, MSG_NOSIGNAL), EPIPE);
	EXPECT_EQ(x_recv(ends[1], got, 4, 0), 2);
	EXPECT_EQ(x_recv(ends[1], got, 4, 0), 0);
	EXPECT_EQ(x_send(ends[1], "d", 1, MSG_NOSIGNAL), 1);
	EXPECT_EQ(x_recv(ends[0], got, 4, 0), 1);
	close_pair(ends);
}

TEST(shutdown, of_reading_ends_the_peers_writing)
{
	/* shutdown(2): SHUT_RD; on AF_UNIX the peer's send then fails EPIPE. */
	int ends[2];
	char byte;

	stream_pair(ends);
	EXPECT_EQ(x_shutdown(ends[0], SHUT_RD), 0);
	EXPECT_EQ(x_recv(ends[0], &byte, 1, 0), 0);
	EXPECT_FAILS(x_send(ends[1], "x", 1, MSG_NOSIGNAL), EPIPE);
	EXPECT_EQ(x_send(ends[0], "y", 1, MSG_NOSIGNAL), 1);
	close_pair(ends);
}

TEST(shutdown, of_both_is_the_end_of_both)
{
	/* shutdown(2): SHUT_RDWR. */
	int ends[2];
	char byte;

	stream_pair(ends);
	EXPECT_EQ(x_shutdown(ends[0], SHUT_RDWR), 0);
	EXPECT_FAILS(x_send(ends[0], "x", 1, MSG_NOSIGNAL), EPIPE);
	EXPECT_FAILS(x_send(ends[1], "x", 1, MSG_NOSIGNAL), EPIPE);
	EXPECT_EQ(x_recv(ends[0], &byte, 1, 0), 0);
	EXPECT_EQ(x_recv(ends[1], &byte, 1, 0), 0);
	close_pair(ends);
}

TEST(shutdown, leaves_what_was_already_received)
{
	/* shutdown(2): bytes that had arrived can still be read after SHUT_RD. */
	int ends[2];
	char got[4];

	stream_pair(ends);
	EXPECT_EQ(x_send(ends[1], "ab", 2, MSG_NOSIGNAL), 2);
	EXPECT_EQ(x_shutdown(ends[0], SHUT_RD), 0);
	EXPECT_EQ(x_recv(ends[0], got, 4, 0), 2);
	EXPECT_EQ(x_recv(ends[0], got, 4, 0), 0);
	close_pair(ends);
}

TEST(shutdown, of_a_bad_how_fails_EINVAL)
{
	/* shutdown(2). */
	int ends[2];

	stream_pair(ends);
	EXPECT_FAILS(x_shutdown(ends[0], 3), EINVAL);
	EXPECT_FAILS(x_shutdown(ends[0], -1), EINVAL);
	close_pair(ends);
}

TEST(shutdown, of_an_unconnected_socket)
{
	/* shutdown(2) has ENOTCONN; AF_UNIX accepts it, and a send still says that there is no peer. */
	int sock = stream_socket();

	EXPECT_EQ(x_shutdown(sock, SHUT_WR), 0);
	EXPECT_FAILS(x_send(sock, "x", 1, MSG_NOSIGNAL), ENOTCONN);
	EXPECT_EQ(x_close(sock), 0);
}

/* send and recv in the wrong place. */

TEST(stream, send_and_recv_unconnected_fail)
{
	/* send(2): ENOTCONN; recv on AF_UNIX: EINVAL (net/unix/af_unix.c). */
	int sock = stream_socket();
	char byte = 0;

	EXPECT_FAILS(x_send(sock, &byte, 1, MSG_NOSIGNAL), ENOTCONN);
	EXPECT_FAILS(x_recv(sock, &byte, 1, 0), EINVAL);
	EXPECT_EQ(x_close(sock), 0);
}

TEST(stream, send_and_recv_on_a_listening_socket_fail)
{
	/* The same: it is not connected. */
	struct sockaddr_un address;
	socklen_t len;
	int server = listener(&address, &len, 1);
	char byte = 0;

	EXPECT_FAILS(x_send(server, &byte, 1, MSG_NOSIGNAL), ENOTCONN);
	EXPECT_FAILS(x_recv(server, &byte, 1, 0), EINVAL);
	EXPECT_EQ(x_close(server), 0);
}

TEST(stream, send_and_recv_of_what_is_no_socket_fail)
{
	/* send(2), recv(2): EBADF, ENOTSOCK. */
	struct msghdr msg = { 0 };
	int fd = memfd(0);
	char byte = 0;

	EXPECT_FAILS(x_send(fd, &byte, 1, MSG_NOSIGNAL), ENOTSOCK);
	EXPECT_FAILS(x_recv(fd, &byte, 1, 0), ENOTSOCK);
	EXPECT_FAILS(x_sendmsg(fd, &msg, MSG_NOSIGNAL), ENOTSOCK);
	EXPECT_FAILS(x_recvmsg(fd, &msg, 0), ENOTSOCK);
	EXPECT_FAILS(x_shutdown(fd, SHUT_WR), ENOTSOCK);
	EXPECT_EQ(x_close(fd), 0);
	EXPECT_FAILS(x_send(fd, &byte, 1, MSG_NOSIGNAL), EBADF);
	EXPECT_FAILS(x_recv(fd, &byte, 1, 0), EBADF);
	EXPECT_FAILS(x_sendmsg(fd, &msg, MSG_NOSIGNAL), EBADF);
	EXPECT_FAILS(x_recvmsg(fd, &msg, 0), EBADF);
	EXPECT_FAILS(x_shutdown(fd, SHUT_WR), EBADF);
}

TEST(stream, send_to_an_address_fails)
{
	/* send(2): EISCONN on a connected stream, EOPNOTSUPP on an unconnected AF_UNIX one. */
	struct sockaddr_un address;
	char byte = 'x';
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_name = &address };
	int ends[2], sock = stream_socket();

	msg.msg_namelen = abstract_address(&address);
	stream_pair(ends);
	EXPECT_FAILS(x_sendmsg(ends[0], &msg, MSG_NOSIGNAL), EISCONN);
	EXPECT_FAILS(x_sendmsg(sock, &msg, MSG_NOSIGNAL), EOPNOTSUPP);
	close_pair(ends);
	EXPECT_EQ(x_close(sock), 0);
}

TEST(stream, recv_of_nothing_returns_0_when_there_is_data)
{
	/* 90: a zero-length receive leaves the data. */
	int ends[2];
	char got[4];

	stream_pair(ends);
	EXPECT_EQ(x_send(ends[0], "abc", 3, MSG_NOSIGNAL), 3);
	EXPECT_EQ(x_recv(ends[1], got, 0, 0), 0);
	EXPECT_EQ(x_recv(ends[1], got, 4, 0), 3);
	close_pair(ends);
}
