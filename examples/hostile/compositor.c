// SPDX-License-Identifier: MIT
/*
 * A compositor's dealings with one client's shared memory, twice: as they are written in a hurry, and as they must be.
 *
 *	            naive                                robust
 *	receive     takes the first descriptor           takes one; others are noticed, what is not due is closed
 *	pool        believed                             is memory, is as large as promised, is sealed if promised
 *	commit      believed                             lies within the pool
 *	read        just does it                         with a way out, for when SIGBUS comes
 *
 * Each client has a range of addresses of its own, so that what lies behind its pool is nobody's.
 *
 * I1  a descriptor lives no longer than the request that it came by
 * I2  guard.armed only during a read, on the thread that reads
 */
#define _GNU_SOURCE
#include "hostile.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define ARENA (64 * PAGE)

/* ---- receiving ---- */

/* A request; *fd is the descriptor that came with it, or -1. False: the client has gone. */
static bool receive_naively(int sock, struct request *request, int *fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))]; /* rounded up, so it is room for two */
	} control;
	struct iovec iov = { .iov_base = request, .iov_len = sizeof(*request) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};
	const struct cmsghdr *header;

	*fd = -1;
	if (recvmsg(sock, &msg, MSG_WAITALL | MSG_CMSG_CLOEXEC) != sizeof(*request))
		return false;
	header = CMSG_FIRSTHDR(&msg);
	if (header != NULL)
		memcpy(fd, CMSG_DATA(header), sizeof(*fd));
	return true;
}

/* The descriptor of a message, -1 if there is none. */
static int take_descriptor(struct msghdr *msg)
{
	const struct cmsghdr *header = CMSG_FIRSTHDR(msg);
	int fd = -1;

	if (header != NULL && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
	    header->cmsg_len == CMSG_LEN(sizeof(fd)))
		memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	return fd;
}

/* The same, and *fd is -1 unless a descriptor is due and there was no other. */
static bool receive_robustly(int sock, struct request *request, int *fd, enum protocol_error *error)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = request, .iov_len = sizeof(*request) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = CMSG_LEN(sizeof(int)), /* for one, and MSG_CTRUNC tells of more */
	};
	ssize_t n = recvmsg(sock, &msg, MSG_WAITALL | MSG_CMSG_CLOEXEC);
	bool due = n == sizeof(*request) && request->kind == CREATE_POOL;

	*fd = n > 0 ? take_descriptor(&msg) : -1;
	*error = NO_ERROR;
	if ((msg.msg_flags & MSG_CTRUNC) || (*fd >= 0 && !due))
		*error = STRAY_FDS;
	else if (*fd < 0 && due)
		*error = INVALID_FD;
	if (*error != NO_ERROR && *fd >= 0) {
		close(*fd);
		*fd = -1;
	}
	return n == sizeof(*request);
}

static bool receive(struct compositor *c, struct request *request, int *fd, enum protocol_error *error)
{
	*error = NO_ERROR;
	return c->care == NAIVE ? receive_naively(c->sock, request, fd) : receive_robustly(c->sock, request, fd, error);
}

static void reply(const struct compositor *c, enum reply_kind kind, uint32_t value)
{
	struct reply message = { .kind = kind, .value = value };

	send(c->sock, &message, sizeof(message), MSG_NOSIGNAL); /* if nobody listens, the next receive says so */
}

/* ---- the pool ---- */

static enum protocol_error check_pool(int fd, const struct request *request)
{
	struct stat st;
	int seals;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return INVALID_FD;
	if (request->bytes == 0 || request->bytes > ARENA || st.st_size < (off_t)request->bytes)
		return INVALID_SIZE;
	if (request->sealed == 0)
		return NO_ERROR;
	seals = fcntl(fd, F_GET_SEALS);
	return seals >= 0 && (seals & F_SEAL_SHRINK) ? NO_ERROR : NOT_SEALED;
}

static enum protocol_error create_pool(struct compositor *c, int fd, const struct request *request)
{
	enum protocol_error error = c->care == NAIVE ? NO_ERROR : check_pool(fd, request);
	void *map;

	if (error == NO_ERROR) {
		map = mmap(c->arena, request->bytes, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0);
		c->pool = map != MAP_FAILED ? map : NULL;
		c->pool_bytes = request->bytes;
		if (c->pool == NULL && c->care == ROBUST)
			error = INVALID_FD;
	}
	if (fd >= 0)
		close(fd);
	if (error == NO_ERROR)
		reply(c, MAPPED, 0);
	return error;
}

/* ---- reading it ---- */

/* Where a read of a pool goes when the memory is not there any more. */
static _Thread_local struct {
	sigjmp_buf escape;
	uintptr_t start;
	size_t bytes;
	volatile sig_atomic_t armed;
} guard;

static void on_sigbus(int signo, siginfo_t *info, void *context)
{
	const struct sigaction deadly = { .sa_handler = SIG_DFL };

	(void)context;
	if (guard.armed && (uintptr_t)info->si_addr - guard.start < guard.bytes)
		siglongjmp(guard.escape, 1);
	sigaction(signo, &deadly, NULL); /* not ours: it comes again, and kills */
}

static uint32_t sum(const volatile unsigned char *bytes, size_t n)
{
	uint32_t total = 0;

	for (size_t i = 0; i < n; i++)
		total += bytes[i];
	return total;
}

static bool sum_guarded(const struct compositor *c, size_t n, uint32_t *total)
{
	guard.start = (uintptr_t)c->pool;
	guard.bytes = c->pool_bytes;
	if (sigsetjmp(guard.escape, 1) != 0) {
		guard.armed = 0;
		return false;
	}
	guard.armed = 1;
	*total = sum(c->pool, n);
	guard.armed = 0;
	return true;
}

/* "Show" the first n bytes: *total is what is on the screen. */
static enum protocol_error show(const struct compositor *c, size_t n, uint32_t *total)
{
	if (c->care == NAIVE) {
		*total = sum(c->pool, n);
		return NO_ERROR;
	}
	if (c->pool == NULL || n > c->pool_bytes)
		return INVALID_SIZE;
	return sum_guarded(c, n, total) ? NO_ERROR : POOL_SHRUNK;
}

static enum protocol_error commit(const struct compositor *c, size_t n)
{
	uint32_t total = 0;
	enum protocol_error error = show(c, n, &total);

	if (error == NO_ERROR)
		reply(c, SHOWN, total);
	return error;
}

static bool has_spoken(const struct compositor *c)
{
	char byte;

	return recv(c->sock, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0;
}

/* Until the client speaks again, or goes away; once more when it says STOP. */
static enum protocol_error animate(const struct compositor *c, size_t n)
{
	uint32_t total = 0;
	enum protocol_error error = show(c, n, &total);

	if (error == NO_ERROR)
		reply(c, SHOWING, total);
	while (error == NO_ERROR && !has_spoken(c))
		error = show(c, n, &total);
	return error;
}

/* ---- the client's requests ---- */

static enum protocol_error serve_request(struct compositor *c, const struct request *request, int fd)
{
	switch (request->kind) {
	case CREATE_POOL:
		return create_pool(c, fd, request);
	case ANIMATE:
		return animate(c, request->bytes);
	default: /* COMMIT, STOP */
		return commit(c, request->bytes);
	}
}

int compositor_serve(struct compositor *c, int sock, enum care care)
{
	const struct sigaction action = { .sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO };
	enum protocol_error error = NO_ERROR;
	struct request request;
	int fd;

	*c = (struct compositor){ .care = care, .sock = sock };
	c->arena = mmap(NULL, ARENA, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (c->arena == MAP_FAILED || (care == ROBUST && sigaction(SIGBUS, &action, NULL) < 0))
		return 1;
	while (error == NO_ERROR && receive(c, &request, &fd, &error))
		if (error == NO_ERROR)
			error = serve_request(c, &request, fd);
	if (error != NO_ERROR)
		reply(c, PROTOCOL_ERROR, error);
	munmap(c->arena, ARENA);
	close(sock);
	return 0;
}
