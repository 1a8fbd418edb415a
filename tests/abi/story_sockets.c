// SPDX-License-Identifier: MIT
/*
 * A random story of stream sockets (story.h): a few of them are made, bound, connected, talk, pass descriptors and are
 * shut down and closed, and none of them ever waits.
 *
 *	slots       sockets, told by their place; one may be there several times, by dup
 *	addresses   abstract ones, paths in a directory of the story's own, and whatever autobind gives
 *	passed      three memfds, told apart by their size
 *
 * What is told after a call: result, errno, what was received, its sum, flags, and which files came with it.
 *
 * Left out is what ksim has not got (README): other types, MSG_OOB, setsockopt, credentials. Sockets are not passed:
 * cycles of them are collected at other times.
 */
#include "story.h"

#include <stddef.h>

enum { SLOTS = 9, ABSTRACT = 3, PATHS = 2, ADDRESSES = ABSTRACT + PATHS, FILES = 3, CONTROL = 6, LARGE = 400000 };

enum kind { LOOSE, TALKS, LISTENS };

static int slots[SLOTS]; /* descriptors, or -1 */
static enum kind kinds[SLOTS];
static int files[FILES];
static struct sockaddr_un addresses[ADDRESSES];
static socklen_t lengths[ADDRESSES];
static unsigned char large[LARGE];

static void tell(long result)
{
	tell_result(result);
	fprintf(out, "\n");
}

static int some_slot(void)
{
	return (int)below(SLOTS);
}

/* One with such a socket in it, as a rule. */
static int slot_of(enum kind kind)
{
	int slot = some_slot();

	for (int i = 0; i < SLOTS && (slots[slot] < 0 || kinds[slot] != kind) && below(30) != 0; i++)
		slot = (slot + 1) % SLOTS;
	return slot;
}

static int used_slot(void)
{
	return slot_of((enum kind)below(3));
}

static int free_slot(void)
{
	int slot = some_slot();

	for (int i = 0; i < SLOTS && slots[slot] >= 0; i++)
		slot = (slot + 1) % SLOTS;
	if (slots[slot] >= 0)
		SETUP(x_close(slots[slot]) == 0);
	slots[slot] = -1;
	return slot;
}

static void keep(int slot, int fd, enum kind kind)
{
	slots[slot] = fd;
	kinds[slot] = kind;
	tell_result(fd < 0 ? -1 : 0);
	if (fd >= 0)
		fprintf(out, " flags %o %d", (unsigned)x_fcntl(fd, F_GETFL), x_fcntl(fd, F_GETFD));
	fprintf(out, "\n");
}

/* ---- names ---- */

static void tell_name(const struct sockaddr_un *name, socklen_t len)
{
	fprintf(out, " name");
	for (int i = 0; i < ADDRESSES; i++)
		if (len == lengths[i] && memcmp(name, &addresses[i], len) == 0) {
			fprintf(out, " %d", i);
			return;
		}
	fprintf(out, " of %d bytes, %d", (int)len, len >= sizeof(sa_family_t) ? name->sun_family : -1);
}

static void do_bind(void)
{
	int slot = slot_of(LOOSE), k = (int)below(ADDRESSES + 1);
	struct sockaddr_un nameless = { .sun_family = AF_UNIX };

	SAY("bind(%d, %d)", slot, k);
	if (k < ADDRESSES)
		tell(x_bind(slots[slot], (struct sockaddr *)&addresses[k], lengths[k]));
	else
		tell(x_bind(slots[slot], (struct sockaddr *)&nameless, sizeof(sa_family_t)));
}

static void do_unlink(void)
{
	int k = ABSTRACT + (int)below(PATHS);

	SAY("unlink(%d)", k);
	tell(x_unlink(addresses[k].sun_path));
}

static void do_names(void)
{
	struct sockaddr_un name = { 0 };
	int slot = used_slot(), of_peer = (int)below(2), result;
	socklen_t given = below(4) ? sizeof(name) : below(20), len = given;

	SAY("%s(%d, %d)", of_peer ? "getpeername" : "getsockname", slot, (int)len);
	result = of_peer ? x_getpeername(slots[slot], (struct sockaddr *)&name, &len)
	                 : x_getsockname(slots[slot], (struct sockaddr *)&name, &len);
	tell_result(result);
	if (result == 0 && given == sizeof(name))
		tell_name(&name, len);
	else
		fprintf(out, " of %d bytes, %d", (int)len, name.sun_family);
	fprintf(out, "\n");
}

/* ---- coming together ---- */

static void do_socket(void)
{
	int slot = free_slot(), flags = below(3) ? 0 : SOCK_CLOEXEC;

	SAY("%d = socket(%d)", slot, flags != 0);
	keep(slot, x_socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | flags, 0), LOOSE);
}

static void do_socketpair(void)
{
	int a = free_slot(), b = (a + 1) % SLOTS, ends[2], result;

	if (slots[b] >= 0)
		SETUP(x_close(slots[b]) == 0);
	slots[b] = -1;
	SAY("%d, %d = socketpair()", a, b);
	result = x_socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends);
	if (result == 0) {
		slots[a] = ends[0];
		slots[b] = ends[1];
		kinds[a] = kinds[b] = TALKS;
	}
	tell(result);
}

static void do_listen(void)
{
	int result, slot = slot_of(below(3) ? LOOSE : LISTENS), backlog = ONE_OF(0, 1, 2, 5, -1);

	SAY("listen(%d, %d)", slot, backlog);
	result = x_listen(slots[slot], backlog);
	if (result == 0)
		kinds[slot] = LISTENS;
	tell(result);
}

static void do_connect(void)
{
	int result, slot = slot_of(LOOSE), k = (int)below(ADDRESSES);

	SAY("connect(%d, %d)", slot, k);
	result = x_connect(slots[slot], (struct sockaddr *)&addresses[k], lengths[k]);
	if (result == 0)
		kinds[slot] = TALKS;
	tell(result);
}

static void do_accept(void)
{
	struct sockaddr_un name = { 0 };
	int from = slot_of(LISTENS), slot = free_slot(), flags = below(2) ? SOCK_CLOEXEC : 0, fd;
	socklen_t len = sizeof(name);

	SAY("%d = accept(%d, %d)", slot, from, flags != 0);
	fd = x_accept4(slots[from], (struct sockaddr *)&name, &len, SOCK_NONBLOCK | flags);
	if (fd >= 0)
		tell_name(&name, len);
	keep(slot, fd, TALKS);
}

/* ---- talking ---- */

static size_t some_length(void)
{
	switch (below(8)) {
	case 0:
		return 0;
	case 1:
		return 1 + below(LARGE - 1);
	case 2:
		return 1 + below(40000);
	default:
		return 1 + below(300);
	}
}

static void do_send(void)
{
	int slot = slot_of(TALKS);
	size_t n = some_length();

	memset(large, step & 0xff, n);
	large[0] = (unsigned char)(step >> 8);
	if (below(3)) {
		SAY("send(%d, %zu)", slot, n);
		tell(x_send(slots[slot], large, n, MSG_NOSIGNAL | MSG_DONTWAIT));
	} else {
		struct iovec row[2] = { { large, n / 2 }, { large + n / 2, n - n / 2 } };

		SAY("writev(%d, %zu)", slot, n);
		tell(x_writev(slots[slot], row, 2));
	}
}

static void do_send_files(void)
{
	int slot = slot_of(TALKS), n = 1 + (int)below(3), fds[3];
	size_t len = below(5) ? 1 + below(50) : some_length();

	memset(large, step & 0xff, len);
	SAY("sendmsg(%d, %zu", slot, len);
	for (int i = 0; i < n; i++) {
		int file = (int)below(FILES);

		fds[i] = below(40) ? files[file] : -1;
		SAY(", %d", fds[i] < 0 ? -1 : file);
	}
	SAY(")");
	tell(send_with_fds(slots[slot], large, len, fds, n, MSG_NOSIGNAL));
}

static void do_receive(void)
{
	int slot = slot_of(TALKS), flags = ONE_OF(0, 0, 0, MSG_PEEK, MSG_WAITALL, MSG_TRUNC, MSG_PEEK | MSG_WAITALL);
	size_t n = below(3) ? some_length() : LARGE;
	ssize_t got;

	memset(large, 0, sizeof(large));
	if (below(4)) {
		SAY("recv(%d, %zu, %#x)", slot, n, (unsigned)flags);
		got = x_recv(slots[slot], large, n, flags | MSG_DONTWAIT);
	} else {
		SAY("read(%d, %zu)", slot, n);
		got = x_read(slots[slot], large, n);
	}
	tell_result(got);
	fprintf(out, " sum %u\n", sum_of(large, got > 0 ? (size_t)got : 0));
}

static void do_receive_files(void)
{
	int slot = slot_of(TALKS), room = (int)below(CONTROL), flags = ONE_OF(0, 0, 0, MSG_PEEK, MSG_CMSG_CLOEXEC);
	size_t n = below(4) ? 1 + below(200) : some_length();
	struct arrival arrival;

	memset(large, 0, sizeof(large));
	SAY("recvmsg(%d, %zu, %d, %#x)", slot, n, room, (unsigned)flags);
	arrival = receive(slots[slot], large, n, room, flags | MSG_DONTWAIT);
	errno = arrival.err;
	tell_result(arrival.n);
	if (arrival.n >= 0) {
		fprintf(out, " sum %u flags %#x:", sum_of(large, (size_t)arrival.n), (unsigned)arrival.flags);
		for (int i = 0; i < arrival.nfds; i++)
			fprintf(out, " %ld/%d", (long)size_of(arrival.fds[i]), x_fcntl(arrival.fds[i], F_GETFD));
		close_arrival(&arrival);
	}
	fprintf(out, "\n");
}

/* ---- the rest ---- */

static void do_shutdown(void)
{
	int slot = slot_of(TALKS), how = (int)below(4);

	if (below(4) != 0)
		return; /* or all are soon silent */
	SAY("shutdown(%d, %d)", slot, how);
	tell(x_shutdown(slots[slot], how));
}

static void do_close(void)
{
	int slot = used_slot();

	SAY("close(%d)", slot);
	tell(x_close(slots[slot]));
	slots[slot] = -1;
}

static void do_dup(void)
{
	int from = used_slot(), to = free_slot();

	SAY("%d = dup(%d)", to, from);
	keep(to, x_dup(slots[from]), kinds[from]);
}

static void do_option(void)
{
	int slot = used_slot(), value = -1, result;
	int option = ONE_OF(SO_ERROR, SO_TYPE, SO_ACCEPTCONN, SO_DOMAIN, SO_PROTOCOL, SO_SNDBUF, SO_RCVBUF);
	socklen_t len = sizeof(value);

	SAY("getsockopt(%d, %d)", slot, option);
	result = x_getsockopt(slots[slot], SOL_SOCKET, option, &value, &len);
	tell_result(result);
	fprintf(out, " %d/%d\n", value, (int)len);
}

static void do_something(void)
{
	static void (*const calls[])(void) = {
		do_socket,        do_socket,     do_socketpair, do_bind,          do_bind,     do_listen,  do_listen,
		do_connect,       do_connect,    do_accept,     do_accept,        do_send,     do_send,    do_send,
		do_send,          do_send_files, do_receive,    do_receive,       do_receive,  do_receive, do_receive,
		do_receive_files, do_names,      do_option,     do_receive_files, do_shutdown, do_close,   do_close,
		do_dup,           do_unlink,     do_send_files,
	};

	calls[below(sizeof(calls) / sizeof(calls[0]))]();
}

/* As long on both kernels. */
static void make_addresses(void)
{
	const size_t before = offsetof(struct sockaddr_un, sun_path);
	char dir[100];
	int n;

	fresh_path(dir, sizeof(dir));
	SETUP(x_mkdir(dir, 0755) == 0 && x_chdir(dir) == 0);
	for (int i = 0; i < ADDRESSES; i++) {
		addresses[i] = (struct sockaddr_un){ .sun_family = AF_UNIX };
		if (i < ABSTRACT)
			n = snprintf(addresses[i].sun_path + 1, 90, "ksim-story-%08d-%d", (int)getpid(), i);
		else
			n = snprintf(addresses[i].sun_path, 90, "socket%d", i);
		lengths[i] = (socklen_t)(before + (size_t)n + 1);
	}
}

TEST(story, of_sockets)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN }, old;
	int calls;

	BEGIN_STORY(calls);
	SETUP(x_sigaction(SIGPIPE, &ignore, &old) == 0);
	make_addresses();
	for (int i = 0; i < FILES; i++)
		files[i] = memfd(i + 1);
	for (int i = 0; i < SLOTS; i++)
		slots[i] = -1;
	for (step = 0; step < calls; step++)
		do_something();
	for (int i = 0; i < SLOTS; i++)
		if (slots[i] >= 0)
			EXPECT_EQ(x_close(slots[i]), 0);
	for (int i = 0; i < FILES; i++)
		EXPECT_EQ(x_close(files[i]), 0);
	SETUP(x_sigaction(SIGPIPE, &old, NULL) == 0 && x_chdir("/") == 0);
	end_story();
}
