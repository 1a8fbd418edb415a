// SPDX-License-Identifier: MIT
/*
 * One client that keeps its promises, and many that do not. Each connects, does its worst, and says what came of it.
 * Plain Linux; none of them needs more than a socket to the compositor.
 */
#define _GNU_SOURCE
#include "hostile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SCM_MAX = 253 }; /* descriptors that Linux lets a message have */

/* ---- what all do ---- */

/* A memfd of so many bytes, all of them 1. -1 if that cannot be. */
static int make_pool(size_t bytes)
{
	int fd = memfd_create("pool", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	void *map;

	if (fd < 0 || ftruncate(fd, (off_t)bytes) < 0)
		return -1;
	if (bytes == 0)
		return fd;
	map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return -1;
	memset(map, 1, bytes);
	return munmap(map, bytes) == 0 ? fd : -1;
}

/* Send a request with nfds times the same descriptor. -1 with errno. */
static int request(int sock, struct request request, int fd, size_t nfds)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE((SCM_MAX + 1) * sizeof(int))];
	} control = {
		.align = { .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(nfds * sizeof(int)) }
	};
	struct iovec iov = { .iov_base = &request, .iov_len = sizeof(request) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (nfds > 0) {
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		for (size_t i = 0; i < nfds; i++)
			memcpy(CMSG_DATA(&control.align) + i * sizeof(int), &fd, sizeof(int));
	}
	return sendmsg(sock, &msg, MSG_NOSIGNAL) == sizeof(request) ? 0 : -1;
}

/* Wait for an answer: NO_ERROR if it is the one wanted, with its value, else the verdict. */
static int answer(int sock, enum reply_kind wanted, uint32_t *value)
{
	struct reply reply;
	ssize_t n = recv(sock, &reply, sizeof(reply), MSG_WAITALL);

	if (n == 0 || (n < 0 && errno == ECONNRESET))
		return HUNG_UP;
	if (n == sizeof(reply) && reply.kind == PROTOCOL_ERROR && reply.value != NO_ERROR)
		return (int)reply.value;
	if (n != sizeof(reply) || reply.kind != wanted)
		return BROKEN;
	*value = reply.value;
	return NO_ERROR;
}

/* ---- the steps that they take ---- */

static int create(int sock, int fd, size_t nfds, size_t promised, bool sealed)
{
	struct request create = { .kind = CREATE_POOL, .bytes = (uint32_t)promised, .sealed = sealed };
	uint32_t value;

	if (fd < 0 || request(sock, create, fd, nfds) < 0)
		return BROKEN;
	return answer(sock, MAPPED, &value);
}

/* As the naive compositor may be dead by now, that nobody takes the request is no mistake. */
static int finish(int sock, enum request_kind kind, size_t bytes)
{
	uint32_t value;
	int verdict;

	request(sock, (struct request){ .kind = kind, .bytes = (uint32_t)bytes }, -1, 0);
	verdict = answer(sock, SHOWN, &value);
	return verdict == NO_ERROR && value != bytes ? WRONG_PICTURE : verdict;
}

/* Promise so many bytes of an fd, and have them shown. */
static int show(int sock, int fd, size_t promised)
{
	int verdict = create(sock, fd, 1, promised, false);

	return verdict == NO_ERROR ? finish(sock, COMMIT, promised) : verdict;
}

/* ---- the clients ---- */

int client_honest(int sock)
{
	int fd = make_pool(4 * PAGE), verdict;

	if (fd < 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) < 0)
		return BROKEN;
	verdict = create(sock, fd, 1, 4 * PAGE, true);
	return verdict == NO_ERROR ? finish(sock, COMMIT, 4 * PAGE) : verdict;
}

int client_too_short(int sock)
{
	return show(sock, make_pool(PAGE), 4 * PAGE);
}

int client_zero_length(int sock)
{
	return show(sock, make_pool(0), PAGE);
}

int client_pipe(int sock)
{
	int fds[2];

	return pipe(fds) == 0 ? show(sock, fds[0], PAGE) : BROKEN;
}

int client_socket(int sock)
{
	return show(sock, sock, PAGE);
}

int client_shrinks_before_the_read(int sock)
{
	int fd = make_pool(2 * PAGE), verdict = create(sock, fd, 1, 2 * PAGE, false);

	if (verdict != NO_ERROR)
		return verdict;
	return ftruncate(fd, (off_t)PAGE) == 0 ? finish(sock, COMMIT, 2 * PAGE) : BROKEN;
}

int client_shrinks_during_the_read(int sock)
{
	struct request animate = { .kind = ANIMATE, .bytes = 2 * PAGE };
	int fd = make_pool(2 * PAGE), verdict = create(sock, fd, 1, 2 * PAGE, false);
	uint32_t value;

	if (verdict != NO_ERROR)
		return verdict;
	if (request(sock, animate, -1, 0) < 0)
		return BROKEN;
	verdict = answer(sock, SHOWING, &value);
	if (verdict != NO_ERROR)
		return verdict;
	return ftruncate(fd, (off_t)PAGE) == 0 ? finish(sock, STOP, 2 * PAGE) : BROKEN;
}

int client_grows_past_the_promise(int sock)
{
	int fd = make_pool(PAGE), verdict = create(sock, fd, 1, PAGE, false);

	if (verdict != NO_ERROR)
		return verdict;
	return ftruncate(fd, (off_t)(2 * PAGE)) == 0 ? finish(sock, COMMIT, 2 * PAGE) : BROKEN;
}

int client_unsealed(int sock)
{
	int fd = make_pool(2 * PAGE), verdict = create(sock, fd, 1, 2 * PAGE, true);

	if (verdict != NO_ERROR)
		return verdict;
	return ftruncate(fd, (off_t)PAGE) == 0 ? finish(sock, COMMIT, 2 * PAGE) : BROKEN;
}

static int with_so_many(int sock, size_t nfds)
{
	int verdict = create(sock, make_pool(PAGE), nfds, PAGE, false);

	return verdict == NO_ERROR ? finish(sock, COMMIT, PAGE) : verdict;
}

int client_two_fds(int sock)
{
	return with_so_many(sock, 2);
}

int client_253_fds(int sock)
{
	return with_so_many(sock, SCM_MAX);
}

/* Linux takes no message with so many; what the client can do is send it without any. */
int client_254_fds(int sock)
{
	struct request create = { .kind = CREATE_POOL, .bytes = PAGE };

	if (request(sock, create, make_pool(PAGE), SCM_MAX + 1) == 0 || errno != EINVAL)
		return BROKEN;
	return with_so_many(sock, 0);
}

int client_no_fd(int sock)
{
	return with_so_many(sock, 0);
}

int client_fd_with_a_commit(int sock)
{
	struct request commit = { .kind = COMMIT, .bytes = PAGE };
	int fd = make_pool(PAGE), verdict = create(sock, fd, 1, PAGE, false);
	uint32_t value;

	if (verdict != NO_ERROR)
		return verdict;
	return request(sock, commit, fd, 1) == 0 ? answer(sock, SHOWN, &value) : BROKEN;
}
