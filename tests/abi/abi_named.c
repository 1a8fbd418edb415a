// SPDX-License-Identifier: MIT
/*
 * What Linux promises of the names of AF_UNIX stream sockets: bind, listen, connect, accept, by abstract address and
 * by path. unix(7), bind(2), listen(2), accept(2), connect(2).
 */
#include "abi.h"

static struct sockaddr *sa(struct sockaddr_un *address)
{
	return (struct sockaddr *)address;
}

static int stream_socket(void)
{
	int sock = x_socket(AF_UNIX, SOCK_STREAM, 0);

	SETUP(sock >= 0);
	return sock;
}

/* Names. */

TEST(named, abstract_address_connects)
{
	/* unix(7): the abstract namespace; bind, listen, connect, accept. */
	struct sockaddr_un address;
	socklen_t len;
	int server = listener(&address, &len, 1);
	int client = connected_to(&address, len);
	int served = x_accept(server, NULL, NULL);
	char got[4];

	EXPECT(served >= 0);
	EXPECT_EQ(x_send(client, "hey", 3, MSG_NOSIGNAL), 3);
	EXPECT_EQ(x_recv(served, got, 4, 0), 3);
	EXPECT_EQ(x_send(served, "yo", 2, MSG_NOSIGNAL), 2);
	EXPECT_EQ(x_recv(client, got, 4, 0), 2);
	EXPECT_EQ(x_close(served), 0);
	EXPECT_EQ(x_close(client), 0);
	EXPECT_EQ(x_close(server), 0);
}

TEST(named, path_address_connects)
{
	/* unix(7): a pathname socket. */
	struct sockaddr_un address;
	socklen_t len = path_address(&address);
	int server = stream_socket();
	int client, served;
	char byte;

	EXPECT_EQ(x_bind(server, sa(&address), len), 0);
	EXPECT_EQ(x_listen(server, 1), 0);
	client = connected_to(&address, len);
	served = x_accept(server, NULL, NULL);
	EXPECT(served >= 0);
	EXPECT_EQ(x_send(client, "x", 1, MSG_NOSIGNAL), 1);
	EXPECT_EQ(x_recv(served, &byte, 1, 0), 1);
	EXPECT_EQ(x_close(served), 0);
	EXPECT_EQ(x_close(client), 0);
	EXPECT_EQ(x_close(server), 0);
}

TEST(named, path_address_may_lack_its_NUL)
{
	/* unix(7): the length may end with the path, as libwayland binds. */
	struct sockaddr_un address;
	socklen_t len = path_address(&address);
	int server = stream_socket();
	int client;

	EXPECT_EQ(x_bind(server, sa(&address), len - 1), 0);
	EXPECT_EQ(x_listen(server, 1), 0);
	client = connected_to(&address, len);
	EXPECT_EQ(x_close(client), 0);
	EXPECT_EQ(x_close(server), 0);
}

TEST(named, abstract_addresses_are_equal_only_with_equal_length)
{
	/* unix(7): the name is all of the bytes, NULs have no meaning. */
	struct sockaddr_un address;
	socklen_t len;
	int server = listener(&address, &len, 1);
	int client = stream_socket();

	EXPECT_FAILS(x_connect(client, sa(&address), len + 1), ECONNREFUSED);
	EXPECT_FAILS(x_connect(client, sa(&address), len - 1), ECONNREFUSED);
	EXPECT_EQ(x_connect(client, sa(&address), len), 0);
	EXPECT_EQ(x_close(client), 0);
	EXPECT_EQ(x_close(server), 0);
}

TEST(named, connect_before_accept_may_already_send)
{
	/* unix(7): connect on a stream completes when it is queued. */
	struct sockaddr_un address;
	socklen_t len;
	int server = listener(&address, &len, 1);
	int client = connected_to(&address, len);
	int served;
	char got[8];

	EXPECT_EQ(x_send(client, "early", 5, MSG_NOSIGNAL), 5);
	EXPECT_EQ(x_close(client), 0);
	served = x_accept(server, NULL, NULL);
	EXPECT_EQ(x_recv(served, got, 8, 0), 5);
	EXPECT_EQ(x_recv(served, got, 8, 0), 0);
	EXPECT_EQ(x_close(served), 0);
	EXPECT_EQ(x_close(server), 0);
}

TEST(named, connections_are_accepted_in_order)
{
	/* accept(2): the first connection request on the queue. */
	struct sockaddr_un address;
	socklen_t len;
	int server = listener(&address, &len, 4);
	int clients[3];

	for (int i = 0; i < 3; i++) {
		clients[i] = connected_to(&address, len);
		EXPECT_EQ(x_send(clients[i], &"012"[i], 1, MSG_NOSIGNAL), 1);
	}
	for (int i = 0; i < 3; i++) {
		int served = x_accept(server, NULL, NULL);
		char byte = 0;

		EXPECT_EQ(x_recv(served, &byte, 1, 0), 1);
		EXPECT_EQ(byte, '0' + i);
		EXPECT_EQ(x_close(served), 0);
		EXPECT_EQ(x_close(clients[i]), 0);
	}
	EXPECT_EQ(x_close(server), 0);
}

static int connects_and_sends(void *arg)
{
	struct sockaddr_un *address = arg;
	int sock = x_socket(AF_UNIX, SOCK_STREAM, 0);
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(address->sun_path + 1));

	CHILD_EXPECT(x_connect(sock, sa(address), len) == 0);
	CHILD_EXPECT(x_send(sock, "c", 1, MSG_NOSIGNAL) == 1);
	return 0;
}

TEST(named, accept_waits_for_a_connection_from_another_process)
{
	/* accept(2): blocks until a connection is present. */
	struct sockaddr_un address;
	socklen_t len;
	int server = listener(&address, &len, 1);
	struct child *child = child_start(connects_and_sends, &address);
	int served = x_accept(server, NULL, NULL);
	char byte;

	EXPECT(served >= 0);
	EXPECT_EQ(x_recv(served, &byte, 1, 0), 1);
	EXPECT_EQ(byte, 'c');
	EXPECT_EQ(child_join(child), 0);
	EXPECT_EQ(x_close(served), 0);
	EXPECT_EQ(x_close(server), 0);
}

/* bind. */

TEST(bind, to_a_used_address_fails_EADDRINUSE)
{
	/* bind(2), unix(7). */
	struct sockaddr_un address;
	socklen_t len = abstract_address(&address);
	int first = stream_socket(), second = stream_socket();

	EXPECT_EQ(x_bind(first, sa(&address), len), 0);
	EXPECT_FAILS(x_bind(second, sa(&address), len), EADDRINUSE);
	EXPECT_EQ(x_close(first), 0);
	EXPECT_EQ(x_bind(second, sa(&address), len), 0); /* an abstract name goes with its socket */
	EXPECT_EQ(x_close(second), 0);
}

TEST(bind, to_a_used_path_fails_EADDRINUSE_even_after_the_socket_is_closed)
{
	/* unix(7): the file stays until it is unlinked. */
	struct sockaddr_un address;
	socklen_t len = path_address(&address);
	int first = stream_socket(), second = stream_socket();

	EXPECT_EQ(x_bind(first, sa(&address), len), 0);
	EXPECT_FAILS(x_bind(second, sa(&address), len), EADDRINUSE);
	EXPECT_EQ(x_close(first), 0);
	EXPECT_FAILS(x_bind(second, sa(&address), len), EADDRINUSE);
	EXPECT_EQ(x_close(second), 0);
}

TEST(bind, of_a_bound_socket_fails_EINVAL)
{
	/* bind(2): already bound to an address. */
	struct sockaddr_un address;
	socklen_t len = abstract_address(&address);
	int sock = stream_socket();

	EXPECT_EQ(x_bind(sock, sa(&address), len), 0);
	len = abstract_address(&address);
	EXPECT_FAILS(x_bind(sock, sa(&address), len), EINVAL);
	EXPECT_EQ(x_close(sock), 0);
}

/* With a byte to spare, since a length that is too long is judged after its bytes have been read. */
union roomy_address {
	struct sockaddr_un un;
	char room[sizeof(struct sockaddr_un) + 1];
};

TEST(bind, to_an_address_of_a_bad_length_or_family_fails_EINVAL)
{
	/* bind(2): addrlen is wrong, or the address is not of the socket's family. */
	union roomy_address address = { .room = { 0 } };
	socklen_t len = abstract_address(&address.un);
	int sock = stream_socket();

	EXPECT_FAILS(x_bind(sock, sa(&address.un), 1), EINVAL);
	EXPECT_FAILS(x_bind(sock, sa(&address.un), sizeof(address.un) + 1), EINVAL);
	EXPECT_FAILS(x_bind(sock, sa(&address.un), (socklen_t)-1), EINVAL);
	address.un.sun_family = AF_INET;
	EXPECT_FAILS(x_bind(sock, sa(&address.un), len), EINVAL);
	EXPECT_EQ(x_close(sock), 0);
}

TEST(bind, to_an_address_in_unmapped_memory_fails_EFAULT)
{
	/* bind(2). */
	int sock = stream_socket();

	EXPECT_FAILS(x_bind(sock, ubuf(unmapped_page()), sizeof(struct sockaddr_un)), EFAULT);
	EXPECT_EQ(x_close(sock), 0);
}

TEST(bind, of_what_is_no_socket_fails)
{
	/* bind(2): EBADF, ENOTSOCK. */
	struct sockaddr_un address;
	socklen_t len = abstract_address(&address);
	int fd = memfd(0);

	EXPECT_FAILS(x_bind(fd, sa(&address), len), ENOTSOCK);
	EXPECT_EQ(x_close(fd), 0);
	EXPECT_FAILS(x_bind(fd, sa(&address), len), EBADF);
}

TEST(bind, with_the_family_alone_picks_a_name)
{
	/* unix(7): autobind, to an abstract address; the socket is bound from then on. */
	struct sockaddr_un address;
	socklen_t len = abstract_address(&address);
	int sock = stream_socket();

	EXPECT_EQ(x_bind(sock, sa(&address), sizeof(sa_family_t)), 0);
	EXPECT_FAILS(x_bind(sock, sa(&address), len), EINVAL);
	EXPECT_EQ(x_listen(sock, 1), 0);
	EXPECT_EQ(x_close(sock), 0);
}

/* listen. */

TEST(listen, of_an_unbound_socket_fails_EINVAL)
{
	/* listen(2); net/unix/af_unix.c: no listening without an address. */
	int sock = stream_socket();

	EXPECT_FAILS(x_listen(sock, 1), EINVAL);
	EXPECT_EQ(x_close(sock), 0);
}

TEST(listen, of_a_connected_socket_fails_EINVAL)
{
	/* net/unix/af_unix.c. */
	int ends[2];

	stream_pair(ends);
	EXPECT_FAILS(x_listen(ends[0], 1), EINVAL);
	close_pair(ends);
}

TEST(listen, of_what_is_no_socket_fails)
{
	/* listen(2): EBADF, ENOTSOCK. */
	int fd = memfd(0);

	EXPECT_FAILS(x_listen(fd, 1), ENOTSOCK);
	EXPECT_EQ(x_close(fd), 0);
	EXPECT_FAILS(x_listen(fd, 1), EBADF);
}

TEST(listen, again_is_allowed)
{
	/* listen(2): it only changes the backlog. */
	struct sockaddr_un address;
	socklen_t len;
	int sock = listener(&address, &len, 1);

	EXPECT_EQ(x_listen(sock, 5), 0);
	EXPECT_EQ(x_close(sock), 0);
}

/* connect. */

TEST(connect, to_an_address_that_nobody_has_is_refused)
{
	/* connect(2): ECONNREFUSED for abstract names, ENOENT for paths. */
	struct sockaddr_un address;
	socklen_t len = abstract_address(&address);
	int sock = stream_socket();

	EXPECT_FAILS(x_connect(sock, sa(&address), len), ECONNREFUSED);
	len = path_address(&address);
	EXPECT_FAILS(x_connect(sock, sa(&address), len), ENOENT);
	EXPECT_EQ(x_close(sock), 0);
}

TEST(connect, to_a_socket_that_does_not_listen_fails_ECONNREFUSED)
{
	/* connect(2). */
	struct sockaddr_un address;
	socklen_t len = abstract_address(&address);
	int bound = stream_socket(), sock = stream_socket();

	EXPECT_EQ(x_bind(bound, sa(&address), len), 0);
	EXPECT_FAILS(x_connect(sock, sa(&address), len), ECONNREFUSED);
	EXPECT_EQ(x_close(bound), 0);
	EXPECT_EQ(x_close(sock), 0);
}

TEST(connect, to_the_path_of_a_closed_socket_fails_ECONNREFUSED)
{
	/* unix(7), connect(2): the path is there, nobody listens. */
	struct sockaddr_un address;
	socklen_t len = path_address(&address);
	int server = stream_socket(), client = stream_socket();

	EXPECT_EQ(x_bind(server, sa(&address), len), 0);
	EXPECT_EQ(x_listen(server, 1), 0);
	EXPECT_EQ(x_close(server), 0);
	EXPECT_FAILS(x_connect(client, sa(&address), len), ECONNREFUSED);
	EXPECT_EQ(x_close(client), 0);
}

TEST(connect, of_a_connected_socket_fails_EISCONN)
{
	/* connect(2). */
	struct sockaddr_un address;
	socklen_t len;
	int server = listener(&address, &len, 4);
	int client = connected_to(&address, len);

	EXPECT_FAILS(x_connect(client, sa(&address), len), EISCONN);
	EXPECT_EQ(x_close(client), 0);
	EXPECT_EQ(x_close(server), 0);
}

TEST(connect, of_a_listening_socket_fails_EINVAL)
{
	/* net/unix/af_unix.c. */
	struct sockaddr_un address;
	socklen_t len;
	int server = listener(&address, &len, 1);

	EXPECT_FAILS(x_connect(server, sa(&address), len), EINVAL);
	EXPECT_EQ(x_close(server), 0);
}

TEST(connect, to_an_address_of_a_bad_length_or_family_fails_EINVAL)
{
	/* connect(2), unix(7). */
	union roomy_address address = { .room = { 0 } };
	socklen_t len = abstract_address(&address.un);
	int sock = stream_socket();

	EXPECT_FAILS(x_connect(sock, sa(&address.un), 1), EINVAL);
	EXPECT_FAILS(x_connect(sock, sa(&address.un), sizeof(sa_family_t)), EINVAL);
	EXPECT_FAILS(x_connect(sock, sa(&address.un), sizeof(address.un) + 1), EINVAL);
	address.un.sun_family = AF_INET;
	EXPECT_FAILS(x_connect(sock, sa(&address.un), len), EINVAL);
	EXPECT_EQ(x_close(sock), 0);
}

TEST(connect, to_an_address_in_unmapped_memory_fails_EFAULT)
{
	/* connect(2). */
	int sock = stream_socket();

	EXPECT_FAILS(x_connect(sock, ubuf(unmapped_page()), sizeof(struct sockaddr_un)), EFAULT);
	EXPECT_EQ(x_close(sock), 0);
}

TEST(connect, of_what_is_no_socket_fails)
{
	/* connect(2): EBADF, ENOTSOCK. */
	struct sockaddr_un address;
	socklen_t len = abstract_address(&address);
	int fd = memfd(0);

	EXPECT_FAILS(x_connect(fd, sa(&address), len), ENOTSOCK);
	EXPECT_EQ(x_close(fd), 0);
	EXPECT_FAILS(x_connect(fd, sa(&address), len), EBADF);
}

TEST(connect, to_a_full_backlog_without_waiting_fails_EAGAIN)
{
	/* connect(2): for nonblocking UNIX domain sockets, the connection cannot be completed immediately. */
	struct sockaddr_un address;
	socklen_t len;
	int server = listener(&address, &len, 0);
	int first = connected_to(&address, len);
	int second = x_socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	int served;

	SETUP(second >= 0);
	EXPECT_FAILS(x_connect(second, sa(&address), len), EAGAIN);
	served = x_accept(server, NULL, NULL);
	EXPECT(served >= 0);
	EXPECT_EQ(x_connect(second, sa(&address), len), 0);
	EXPECT_EQ(x_close(served), 0);
	EXPECT_EQ(x_close(second), 0);
	EXPECT_EQ(x_close(first), 0);
	EXPECT_EQ(x_close(server), 0);
}

TEST(connect, waits_for_room_in_the_backlog)
{
	/* connect(2): a blocking one waits until the server accepts. */
	struct sockaddr_un address;
	socklen_t len;
	int server = listener(&address, &len, 0);
	int first = connected_to(&address, len);
	struct child *child = child_start(connects_and_sends, &address);
	int served[2];
	char byte;

	for (int i = 0; i < 2; i++) {
		served[i] = x_accept(server, NULL, NULL);
		EXPECT(served[i] >= 0);
	}
	EXPECT_EQ(x_recv(served[1], &byte, 1, 0), 1);
	EXPECT_EQ(child_join(child), 0);
	close_pair(served);
	EXPECT_EQ(x_close(first), 0);
	EXPECT_EQ(x_close(server), 0);
}

TEST(connect, peer_of_a_server_that_closes_unaccepted_is_reset)
{
	/* unix(7): a queued connection ends with the listening socket. */
	struct sockaddr_un address;
	socklen_t len;
	int server = listener(&address, &len, 1);
	int client = connected_to(&address, len);
	char byte;

	EXPECT_EQ(x_close(server), 0);
	EXPECT_FAILS(x_send(client, "x", 1, MSG_NOSIGNAL), EPIPE);
	EXPECT_FAILS(x_recv(client, &byte, 1, 0), ECONNRESET);
	EXPECT_EQ(x_recv(client, &byte, 1, 0), 0);
	EXPECT_EQ(x_close(client), 0);
}

/* accept. */

TEST(accept, without_waiting_fails_EAGAIN)
{
	/* accept(2): the socket is marked nonblocking and no connections are present. */
	struct sockaddr_un address;
	socklen_t len;
	int server = listener(&address, &len, 1);

	EXPECT_EQ(x_fcntl(server, F_SETFL, O_NONBLOCK), 0);
	EXPECT_FAILS(x_accept(server, NULL, NULL), EAGAIN);
	EXPECT_EQ(x_close(server), 0);
}

TEST(accept, of_a_socket_that_does_not_listen_fails_EINVAL)
{
	/* accept(2). */
	int ends[2], sock = stream_socket();

	stream_pair(ends);
	EXPECT_FAILS(x_accept(sock, NULL, NULL), EINVAL);
	EXPECT_FAILS(x_accept(ends[0], NULL, NULL), EINVAL);
	close_pair(ends);
	EXPECT_EQ(x_close(sock), 0);
}

TEST(accept, of_what_is_no_socket_fails)
{
	/* accept(2): EBADF, ENOTSOCK. */
	int fd = memfd(0);

	EXPECT_FAILS(x_accept(fd, NULL, NULL), ENOTSOCK);
	EXPECT_EQ(x_close(fd), 0);
	EXPECT_FAILS(x_accept(fd, NULL, NULL), EBADF);
}

TEST(accept, at_the_fd_limit_fails_EMFILE_and_keeps_the_connection)
{
	/* accept(2): the connection is still there for the next call. */
	struct sockaddr_un address;
	socklen_t len;
	int server = listener(&address, &len, 1);
	int client = connected_to(&address, len);
	struct fd_hog hog;
	int served;

	hog_fds(&hog, 0);
	EXPECT_FAILS(x_accept(server, NULL, NULL), EMFILE);
	unhog_fds(&hog);
	EXPECT_EQ(x_fcntl(server, F_SETFL, O_NONBLOCK), 0);
	served = x_accept(server, NULL, NULL);
	EXPECT(served >= 0);
	EXPECT_EQ(x_close(served), 0);
	EXPECT_EQ(x_close(client), 0);
	EXPECT_EQ(x_close(server), 0);
}

TEST(accept, does_not_inherit_flags_from_the_listener)
{
	/* accept(2): on Linux the new socket does not inherit file status flags. */
	struct sockaddr_un address;
	socklen_t len;
	int server = listener(&address, &len, 1);
	int client = connected_to(&address, len);
	int served;

	EXPECT_EQ(x_fcntl(server, F_SETFL, O_NONBLOCK), 0);
	EXPECT_EQ(x_fcntl(server, F_SETFD, FD_CLOEXEC), 0);
	served = x_accept(server, NULL, NULL);
	EXPECT_EQ(x_fcntl(served, F_GETFL), O_RDWR);
	EXPECT_EQ(x_fcntl(served, F_GETFD), 0);
	EXPECT_EQ(x_close(served), 0);
	EXPECT_EQ(x_close(client), 0);
	EXPECT_EQ(x_close(server), 0);
}

TEST(accept4, sets_the_flags_asked_for)
{
	/* accept4(2). */
	struct sockaddr_un address;
	socklen_t len;
	int server = listener(&address, &len, 1);
	int client = connected_to(&address, len);
	int served = x_accept4(server, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	EXPECT_EQ(x_fcntl(served, F_GETFL), O_RDWR | O_NONBLOCK);
	EXPECT_EQ(x_fcntl(served, F_GETFD), FD_CLOEXEC);
	EXPECT_EQ(x_close(served), 0);
	EXPECT_EQ(x_close(client), 0);
	EXPECT_EQ(x_close(server), 0);
}

TEST(accept4, with_an_unknown_flag_fails_EINVAL)
{
	/* accept4(2). */
	struct sockaddr_un address;
	socklen_t len;
	int server = listener(&address, &len, 1);

	EXPECT_FAILS(x_accept4(server, NULL, NULL, 1), EINVAL);
	EXPECT_EQ(x_close(server), 0);
}

TEST(accept, tells_the_address_of_a_bound_client)
{
	/* accept(2): addr is the peer's address, addrlen its full size even when it is cut. */
	struct sockaddr_un address, mine, got = { 0 };
	socklen_t len, mine_len = abstract_address(&mine), got_len = sizeof(got);
	int server = listener(&address, &len, 1);
	int client = stream_socket();
	int served;

	EXPECT_EQ(x_bind(client, sa(&mine), mine_len), 0);
	EXPECT_EQ(x_connect(client, sa(&address), len), 0);
	served = x_accept(server, sa(&got), &got_len);
	EXPECT_EQ(got_len, mine_len);
	EXPECT_MEMEQ(&got, &mine, mine_len);
	EXPECT_EQ(x_close(served), 0);
	EXPECT_EQ(x_close(client), 0);
	EXPECT_EQ(x_close(server), 0);
}

TEST(accept, tells_the_family_alone_of_an_unnamed_client)
{
	/* unix(7): an unnamed socket's length is sizeof(sa_family_t). */
	struct sockaddr_un address, got = { 0 };
	socklen_t len, got_len = sizeof(got);
	int server = listener(&address, &len, 1);
	int client = connected_to(&address, len);
	int served = x_accept(server, sa(&got), &got_len);

	EXPECT_EQ(got_len, sizeof(sa_family_t));
	EXPECT_EQ(got.sun_family, AF_UNIX);
	EXPECT_EQ(x_close(served), 0);
	EXPECT_EQ(x_close(client), 0);
	EXPECT_EQ(x_close(server), 0);
}
