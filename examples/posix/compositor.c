// SPDX-License-Identifier: MIT
/*
 * Takes a pool of shared memory from client.c and looks at it while the client cuts, grows and seals it. The two take
 * turns, one byte each, so what both print has one order. Plain Linux:
 *
 *	cc compositor.c -o compositor && cc client.c -o client && { ./compositor & ./client; }
 *
 * and on one simulated machine, as two processes of one program, see run.c.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKET "turns.socket" /* in the working directory; client.c has the same */

enum { PAGE = 4096, POOL = 2 * PAGE };

static int fail(const char *what)
{
	perror(what);
	unlink(SOCKET);
	return 1;
}

static int accept_client(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = SOCKET };
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int sock;

	unlink(SOCKET); /* of a run that was ended */
	if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(listener, 1) < 0)
		return -1;
	sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	close(listener);
	return sock;
}

/* The first turn brings the pool: its descriptor, or -1. */
static int receive_pool(int sock)
{
	char turn;
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = &turn, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};
	struct cmsghdr *header;
	int fd;

	if (recvmsg(sock, &msg, MSG_CMSG_CLOEXEC) != 1)
		return -1;
	header = CMSG_FIRSTHDR(&msg);
	if (header == NULL || header->cmsg_type != SCM_RIGHTS || header->cmsg_len != CMSG_LEN(sizeof(fd)))
		return -1;
	memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	return fd;
}

/* Give the turn to the client, and wait until it comes back. */
static int turn(int sock)
{
	char byte = 't';

	fflush(stdout);
	return send(sock, &byte, 1, MSG_NOSIGNAL) == 1 && recv(sock, &byte, 1, 0) == 1 ? 0 : -1;
}

int main(void)
{
	volatile char *view; /* the client writes it, too */
	struct stat st;
	int sock, pool;

	sock = accept_client();
	if (sock < 0)
		return fail("compositor: no client");
	pool = receive_pool(sock);
	if (pool < 0 || fstat(pool, &st) < 0 || st.st_size != POOL)
		return fail("compositor: no pool");
	view = mmap(NULL, POOL, PROT_READ | PROT_WRITE, MAP_SHARED, pool, 0);
	if (view == MAP_FAILED)
		return fail("compositor: mmap");
	printf("compositor: %lld bytes, page 0 has '%c', page 1 has '%c'\n", (long long)st.st_size, view[0],
	       view[PAGE]);
	if (turn(sock) < 0)
		return fail("compositor: no turn");
	printf("compositor: page 0 still has '%c', page 1 has %d\n", view[0], view[PAGE]);
	view[PAGE] = 'C';
	if (turn(sock) < 0)
		return fail("compositor: no turn");
	printf("compositor: the pool is %s\n",
	       fcntl(pool, F_GET_SEALS) == (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) ? "sealed" : "not sealed");
	if (ftruncate(pool, PAGE) < 0)
		printf("compositor: cutting it is refused to all: %s\n", strerrordesc_np(errno));
	munmap((void *)view, POOL);
	close(pool);
	printf("compositor: done\n");
	fflush(stdout);
	unlink(SOCKET);
	close(sock);
	return 0;
}
