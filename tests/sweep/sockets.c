// SPDX-License-Identifier: MIT
/*
 * Unix sockets, swept: streams, descriptors and sockets in flight, names, connecting, shutting down.
 *
 * What Linux promises when such a call fails for want of something: send(2) has queued nothing (ENOBUFS, ENOMEM) or
 * says how much; recvmsg(2) that cannot install a descriptor delivers those before it, sets MSG_CTRUNC and drops the
 * rest, so that message cannot be had again.
 */
#include "sweep.h"

#include <netinet/in.h>
#include <stddef.h>
#include <sys/un.h>

enum { MANY = 40000 };

/* One process with both ends of a pair. */
struct pair {
	int ends[2];
};

static int make_pair(void *arg)
{
	struct pair *pair = arg;

	MUST(RETRY(ksim_socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair->ends)) == 0);
	MUST(pair->ends[0] == 0 && pair->ends[1] == 1);
	return 0;
}

static int undo_pair(void *arg)
{
	struct pair *pair = arg;

	MUST(ksim_close(pair->ends[0]) == 0 && ksim_close(pair->ends[1]) == 0);
	/* No number stayed reserved. */
	MUST(RETRY(ksim_memfd_create("last", 0)) == 0);
	MUST(ksim_close(0) == 0);
	return 0;
}

static int tell_of_pair(int (*act)(void *))
{
	struct ksim_process *p = story_process("client");
	struct pair pair;

	MUST(p != NULL);
	story_begin();
	TRY(story_act(p, make_pair, &pair));
	TRY(story_act(p, act, &pair));
	TRY(story_act(p, undo_pair, &pair));
	return story_settled();
}

/* ---- bytes ---- */

static int send_all(int sock, const char *bytes, size_t n)
{
	while (n > 0) {
		ssize_t done = RETRY(ksim_send(sock, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT));

		MUST(done > 0);
		story.absorbed |= (size_t)done < n; /* cut short: that was the failure */
		bytes += done;
		n -= (size_t)done;
	}
	return 0;
}

static int receive_all(int sock, char *bytes, size_t n)
{
	while (n > 0) {
		ssize_t done = RETRY(ksim_recv(sock, bytes, n, MSG_DONTWAIT));

		MUST(done > 0);
		bytes += done;
		n -= (size_t)done;
	}
	return 0;
}

static int stream(void *arg)
{
	static char sent[MANY], got[MANY];
	const struct pair *pair = arg;

	for (int i = 0; i < MANY; i++)
		sent[i] = (char)(i % 251);
	for (int round = 0; round < 3; round++) {
		TRY(send_all(pair->ends[0], sent, 10));
		TRY(send_all(pair->ends[0], sent + 10, MANY - 10));
		MUST(ksim_recv(pair->ends[1], got, 4, MSG_PEEK) == 4 && memcmp(got, sent, 4) == 0);
		TRY(receive_all(pair->ends[1], got, MANY));
		MUST(memcmp(got, sent, MANY) == 0);
	}
	MUST(ksim_recv(pair->ends[1], got, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN);
	/* Both ways, and something is left for close to drop. */
	TRY(send_all(pair->ends[1], "left", 4));
	TRY(send_all(pair->ends[0], "behind", 6));
	return 0;
}

TEST(sweep_sockets, bytes_go_through_in_order)
{
	story_sweep(tell_of_pair, stream);
}

static int shut(void *arg)
{
	const struct pair *pair = arg;
	char byte;

	TRY(send_all(pair->ends[0], "ab", 2));
	MUST(ksim_shutdown(pair->ends[0], SHUT_WR) == 0);
	MUST(ksim_send(pair->ends[0], "x", 1, MSG_NOSIGNAL) == -1 && errno == EPIPE);
	TRY(receive_all(pair->ends[1], &byte, 1));
	TRY(receive_all(pair->ends[1], &byte, 1));
	MUST(ksim_recv(pair->ends[1], &byte, 1, 0) == 0);
	TRY(send_all(pair->ends[1], "c", 1));
	TRY(receive_all(pair->ends[0], &byte, 1));
	MUST(byte == 'c' && ksim_shutdown(pair->ends[1], SHUT_RDWR) == 0);
	return 0;
}

TEST(sweep_sockets, shutdown_ends_each_direction)
{
	story_sweep(tell_of_pair, shut);
}

/* ---- descriptors ---- */

static int send_fds(int sock, const int *fds, size_t n)
{
	MUST(RETRY(ksim_send_fds(sock, "fds", 3, fds, n)) == 3);
	return 0;
}

/* Receive n descriptors; a message that has lost some must be sent again. */
static int pass(const struct pair *pair, const int *fds, size_t n, int *got)
{
	size_t room = n;
	char text[3];
	ssize_t done;

	TRY(send_fds(pair->ends[0], fds, n));
	done = ksim_recv_fds(pair->ends[1], text, 3, got, &room, MSG_CMSG_CLOEXEC);
	if (done < 0 && errno == EMSGSIZE) {
		story.absorbed = true;
		TRY(send_fds(pair->ends[0], fds, n));
		done = ksim_recv_fds(pair->ends[1], text, 3, got, &room, MSG_CMSG_CLOEXEC);
	}
	MUST(done == 3 && room == n);
	return 0;
}

static int pass_files(void *arg)
{
	const struct pair *pair = arg;
	int fds[3], got[3];

	for (int i = 0; i < 3; i++) {
		fds[i] = RETRY(ksim_memfd_create("x", 0));
		MUST(fds[i] == 2 + i);
	}
	MUST(RETRY(ksim_ftruncate(fds[1], PAGE)) == 0);
	TRY(pass(pair, fds, 3, got));
	MUST(ksim_lseek(got[1], 0, SEEK_END) == PAGE && ksim_lseek(got[0], 0, SEEK_END) == 0);
	for (int i = 0; i < 3; i++)
		MUST(got[i] == 5 + i && ksim_close(got[i]) == 0);
	/* More of them than a small message has room for, and left in flight. */
	TRY(send_fds(pair->ends[0], fds, 3));
	TRY(send_fds(pair->ends[1], (int[6]){ 2, 3, 4, 2, 3, 4 }, 6));
	for (int i = 0; i < 3; i++)
		MUST(ksim_close(fds[i]) == 0);
	return 0;
}

TEST(sweep_sockets, descriptors_are_passed_and_left_in_flight)
{
	story_sweep(tell_of_pair, pass_files);
}

/*
 * More pieces than fit on the kernel's stack, and more control data, of which Linux ignores what is not SOL_SOCKET's.
 */
static int pass_in_pieces(void *arg)
{
	enum { PIECES = 20, OTHER = 1200 };
	static char control[CMSG_SPACE(sizeof(int)) + CMSG_SPACE(OTHER)];
	const struct pair *pair = arg;
	char letters[PIECES], got[PIECES] = "";
	struct iovec pieces[PIECES];
	struct msghdr msg = { .msg_iov = pieces, .msg_iovlen = PIECES };
	struct cmsghdr *header;

	for (int i = 0; i < PIECES; i++) {
		letters[i] = (char)('a' + i);
		pieces[i] = (struct iovec){ &letters[i], 1 };
	}
	memset(control, 0, sizeof(control));
	msg.msg_control = control;
	msg.msg_controllen = sizeof(control);
	header = CMSG_FIRSTHDR(&msg);
	*header = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)),
		                    .cmsg_level = SOL_SOCKET,
		                    .cmsg_type = SCM_RIGHTS };
	memcpy(CMSG_DATA(header), &pair->ends[0], sizeof(int));
	header = CMSG_NXTHDR(&msg, header);
	*header = (struct cmsghdr){ .cmsg_len = CMSG_LEN(OTHER), .cmsg_level = IPPROTO_IP };
	MUST(RETRY(ksim_sendmsg(pair->ends[0], &msg, MSG_NOSIGNAL)) == PIECES);
	for (int i = 0; i < PIECES; i++)
		pieces[i] = (struct iovec){ &got[i], 1 };
	msg.msg_control = NULL; /* the descriptor is dropped */
	msg.msg_controllen = 0;
	MUST(RETRY(ksim_recvmsg(pair->ends[1], &msg, 0)) == PIECES);
	MUST(msg.msg_flags == MSG_CTRUNC && memcmp(got, letters, PIECES) == 0);
	return 0;
}

TEST(sweep_sockets, message_in_many_pieces_with_much_control_data)
{
	story_sweep(tell_of_pair, pass_in_pieces);
}

/* A socket through a socket: its queue goes with it, and a chain of them dies with the last descriptor. */
static int pass_sockets(void *arg)
{
	const struct pair *pair = arg;
	struct pair inner;
	int file, got[2];
	char text[3];

	MUST(RETRY(ksim_socketpair(AF_UNIX, SOCK_STREAM, 0, inner.ends)) == 0);
	file = RETRY(ksim_memfd_create("x", 0));
	MUST(file == 4);
	TRY(send_fds(inner.ends[0], &file, 1));
	MUST(ksim_close(file) == 0);
	TRY(pass(pair, inner.ends, 2, got));
	MUST(ksim_close(inner.ends[0]) == 0 && ksim_close(inner.ends[1]) == 0);
	TRY(receive_all(got[1], text, 3)); /* a plain recv drops the memfd */
	MUST(memcmp(text, "fds", 3) == 0);
	TRY(send_fds(got[0], &got[0], 1));
	TRY(send_fds(pair->ends[0], got, 2));
	/* The end that would receive itself is taken out again: else the two would live until halt. */
	TRY(receive_all(got[1], text, 3));
	MUST(ksim_close(got[0]) == 0 && ksim_close(got[1]) == 0);
	return 0;
}

TEST(sweep_sockets, sockets_are_passed_with_what_is_queued_on_them)
{
	story_sweep(tell_of_pair, pass_sockets);
}

/* Ends that only their own queues still hold live until halt, which finds them. */
static int pass_a_cycle(void *arg)
{
	const struct pair *pair = arg;
	struct pair inner;

	MUST(RETRY(ksim_socketpair(AF_UNIX, SOCK_STREAM, 0, inner.ends)) == 0);
	TRY(send_fds(inner.ends[0], inner.ends, 2));
	TRY(send_fds(inner.ends[1], &pair->ends[0], 1));
	story.until_halt = true;
	MUST(ksim_close(inner.ends[0]) == 0 && ksim_close(inner.ends[1]) == 0);
	return 0;
}

static int tell_cycle(int (*act)(void *))
{
	struct ksim_process *p = story_process("client");
	struct pair pair;

	(void)act;
	MUST(p != NULL);
	TRY(story_act(p, make_pair, &pair));
	TRY(story_act(p, pass_a_cycle, &pair));
	return story_act(p, undo_pair, &pair);
}

TEST(sweep_sockets, sockets_that_hold_each_other_in_flight_go_with_the_machine)
{
	story_sweep(tell_cycle, NULL);
}

/* ---- between two ---- */

struct party {
	struct ksim_process *p;
	int sock;
};

static int hand_over(void *arg)
{
	const struct party *party = arg;
	int fd = RETRY(ksim_memfd_create("x", 0));

	MUST(fd >= 0);
	TRY(send_fds(party->sock, &fd, 1));
	MUST(ksim_close(fd) == 0);
	return 0;
}

static int take_over(void *arg)
{
	const struct party *party = arg;
	char text[3];
	size_t n = 1;
	int fd;
	ssize_t done = ksim_recv_fds(party->sock, text, 3, &fd, &n, 0);

	if (done < 0 && errno == EMSGSIZE)
		return 2;
	MUST(done == 3 && n == 1 && ksim_close(fd) == 0);
	return 0;
}

static int leave(void *arg)
{
	const struct party *party = arg;

	MUST(ksim_close(party->sock) == 0);
	return 0;
}

static int tell_between(int (*act)(void *))
{
	struct party a = { .p = story_process("a") }, b = { .p = a.p != NULL ? story_process("b") : NULL };
	int ends[2], taken;

	(void)act;
	MUST(b.p != NULL);
	story_begin();
	MUST(RETRY(ksim_socketpair_between(a.p, b.p, SOCK_STREAM, ends)) == 0);
	a.sock = ends[0];
	b.sock = ends[1];
	TRY(story_act(a.p, hand_over, &a));
	taken = story_act(b.p, take_over, &b);
	if (taken == 2) {
		story.absorbed = true;
		TRY(story_act(a.p, hand_over, &a));
		taken = story_act(b.p, take_over, &b);
	}
	TRY(taken);
	TRY(story_act(a.p, leave, &a));
	TRY(story_act(b.p, leave, &b));
	return story_settled();
}

TEST(sweep_sockets, bench_connects_two_processes)
{
	story_sweep(tell_between, NULL);
}

/* ---- names ---- */

struct named {
	struct sockaddr_un address;
	socklen_t len; /* 0: autobind */
	int listener, near, far;
};

static int be_found(void *arg)
{
	struct named *named = arg;

	named->listener = RETRY(ksim_socket(AF_UNIX, SOCK_STREAM, 0));
	MUST(named->listener == 0);
	if (named->len == 0) {
		const sa_family_t family = AF_UNIX;

		MUST(RETRY(ksim_bind(named->listener, (const struct sockaddr *)&family, sizeof(family))) == 0);
		named->len = sizeof(named->address);
		MUST(ksim_getsockname(named->listener, (struct sockaddr *)&named->address, &named->len) == 0);
	} else {
		MUST(RETRY(ksim_bind(named->listener, (struct sockaddr *)&named->address, named->len)) == 0);
	}
	MUST(RETRY(ksim_listen(named->listener, 2)) == 0);
	return 0;
}

static int call_on(void *arg)
{
	struct named *named = arg;

	named->near = RETRY(ksim_socket(AF_UNIX, SOCK_STREAM, 0));
	MUST(named->near == 0);
	MUST(RETRY(ksim_connect(named->near, (struct sockaddr *)&named->address, named->len)) == 0);
	TRY(send_all(named->near, "hello", 5));
	return 0;
}

static int answer(void *arg)
{
	struct named *named = arg;
	struct ucred peer;
	socklen_t len = sizeof(peer);
	char text[5];

	named->far = RETRY(ksim_accept4(named->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK));
	MUST(named->far == 1);
	TRY(receive_all(named->far, text, 5));
	MUST(memcmp(text, "hello", 5) == 0);
	MUST(ksim_getsockopt(named->far, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0);
	TRY(send_all(named->far, "bye", 3));
	return 0;
}

static int hang_up(void *arg)
{
	struct named *named = arg;
	char text[3];

	TRY(receive_all(named->near, text, 3));
	MUST(ksim_close(named->near) == 0);
	return 0;
}

/* With a caller whom nobody has answered, and one more. */
static int be_gone(void *arg)
{
	struct named *named = arg;

	MUST(ksim_close(named->far) == 0 && ksim_close(named->listener) == 0);
	if (named->address.sun_path[0] != '\0')
		MUST(RETRY(ksim_unlink(named->address.sun_path)) == 0);
	return 0;
}

static int drop_call(void *arg)
{
	struct named *named = arg;
	char byte;

	MUST(ksim_recv(named->near, &byte, 1, 0) == -1 && errno == ECONNRESET);
	MUST(ksim_close(named->near) == 0);
	return 0;
}

static int tell_named(struct named *named)
{
	struct ksim_process *server = story_process("server"), *client;

	client = server != NULL ? story_process("client") : NULL;
	MUST(client != NULL);
	story_begin();
	TRY(story_act(server, be_found, named));
	TRY(story_act(client, call_on, named));
	TRY(story_act(server, answer, named));
	TRY(story_act(client, hang_up, named));
	TRY(story_act(client, call_on, named));
	TRY(story_act(server, be_gone, named));
	TRY(story_act(client, drop_call, named));
	return story_settled();
}

/* So many names that their table grows; where it cannot, its chains get longer and nobody is told. */
static int bind_many(void *arg)
{
	enum { NAMES = 70 };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fds[NAMES];

	(void)arg;
	for (int i = 0; i < NAMES; i++) {
		socklen_t len = offsetof(struct sockaddr_un, sun_path) + 1;

		len += (socklen_t)snprintf(address.sun_path + 1, 20, "name-%d", i);
		fds[i] = RETRY(ksim_socket(AF_UNIX, SOCK_STREAM, 0));
		MUST(fds[i] == i);
		MUST(RETRY(ksim_bind(fds[i], (const struct sockaddr *)&address, len)) == 0);
	}
	for (int i = 0; i < NAMES; i++)
		MUST(ksim_close(fds[i]) == 0);
	story.absorbed = true;
	return 0;
}

static int tell_many_names(int (*act)(void *))
{
	struct ksim_process *p = story_process("client");

	(void)act;
	MUST(p != NULL);
	story_begin();
	TRY(story_act(p, bind_many, NULL));
	return story_settled();
}

TEST(sweep_sockets, many_names)
{
	story_sweep(tell_many_names, NULL);
}

static int tell_path(int (*act)(void *))
{
	struct named named = { .address = { .sun_family = AF_UNIX, .sun_path = "/run/service" }, .len = 0 };

	(void)act;
	named.len = sizeof(named.address);
	return tell_named(&named);
}

static int tell_abstract(int (*act)(void *))
{
	struct named named = { .address = { .sun_family = AF_UNIX, .sun_path = "\0service" } };

	(void)act;
	named.len = offsetof(struct sockaddr_un, sun_path) + sizeof("service");
	return tell_named(&named);
}

static int tell_autobind(int (*act)(void *))
{
	struct named named = { .len = 0 };

	(void)act;
	return tell_named(&named);
}

TEST(sweep_sockets, server_at_a_path)
{
	story_sweep(tell_path, NULL);
}

TEST(sweep_sockets, server_at_an_abstract_name)
{
	story_sweep(tell_abstract, NULL);
}

TEST(sweep_sockets, server_that_binds_itself)
{
	story_sweep(tell_autobind, NULL);
}
