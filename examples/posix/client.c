// SPDX-License-Identifier: MIT
/*
 * Draws into a pool of shared memory and gives it to compositor.c; then cuts it and grows it again, which leaves zeros
 * in every mapping, and seals it. How to build and run: compositor.c.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define SOCKET  "turns.socket" /* in the working directory; compositor.c has the same */
#define SECONDS 30             /* to wait for a compositor */

enum { PAGE = 4096, POOL = 2 * PAGE };

static int fail(const char *what)
{
	perror(what);
	return 1;
}

/* It may be that the compositor does not listen yet. */
static int connect_to_compositor(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = SOCKET };
	int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	time_t end = time(NULL) + SECONDS;

	if (sock < 0)
		return -1;
	while (connect(sock, (struct sockaddr *)&address, sizeof(address)) < 0) {
		if ((errno != ENOENT && errno != ECONNREFUSED) || time(NULL) > end)
			return -1;
		sched_yield();
	}
	return sock;
}

/* A pool, mapped at *view. */
static int create_pool(volatile char **view)
{
	int fd = memfd_create("wl_shm", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, POOL) < 0)
		return -1;
	*view = mmap(NULL, POOL, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return *view != MAP_FAILED ? fd : -1;
}

/* The first turn brings the pool. */
static int send_pool(int sock, int fd)
{
	char turn = 't';
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .align = {
			      .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int)) } };
	struct iovec iov = { .iov_base = &turn, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};

	memcpy(CMSG_DATA(CMSG_FIRSTHDR(&msg)), &fd, sizeof(fd));
	fflush(stdout);
	return sendmsg(sock, &msg, MSG_NOSIGNAL) == 1 ? 0 : -1;
}

static int pass_turn(int sock)
{
	fflush(stdout);
	return send(sock, "t", 1, MSG_NOSIGNAL) == 1 ? 0 : -1;
}

/* 1: it is the client's turn; 0: the compositor has gone; -1 with errno. */
static ssize_t await_turn(int sock)
{
	char byte;

	return recv(sock, &byte, 1, 0);
}

int main(void)
{
	volatile char *view; /* the compositor writes it, too */
	int sock, pool;

	sock = connect_to_compositor();
	if (sock < 0)
		return fail("client: no compositor");
	pool = create_pool(&view);
	if (pool < 0)
		return fail("client: no pool");
	view[0] = 'A';
	view[PAGE] = 'B';
	printf("client: drew 'A' and 'B'\n");
	if (send_pool(sock, pool) < 0 || await_turn(sock) != 1)
		return fail("client: no turn");
	if (ftruncate(pool, PAGE) < 0 || ftruncate(pool, POOL) < 0)
		return fail("client: ftruncate");
	printf("client: cut the pool to one page and grew it again: page 1 has %d\n", view[PAGE]);
	if (pass_turn(sock) < 0 || await_turn(sock) != 1)
		return fail("client: no turn");
	printf("client: the compositor drew '%c'\n", view[PAGE]);
	if (fcntl(pool, F_ADD_SEALS, F_SEAL_WRITE) == 0 || errno != EBUSY)
		return fail("client: sealed against writing, though both can write");
	if (fcntl(pool, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return fail("client: F_ADD_SEALS");
	printf("client: cannot forbid writing while it is mapped for it; sealed the size\n");
	if (ftruncate(pool, PAGE) == 0 || errno != EPERM)
		return fail("client: cut a sealed pool");
	if (pass_turn(sock) < 0 || await_turn(sock) != 0)
		return fail("client: no end");
	printf("client: the compositor has gone\n");
	return 0;
}
