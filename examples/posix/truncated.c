// SPDX-License-Identifier: MIT
/*
 * A client draws into shared memory, a compositor shows it; then the client cuts the memory short, and the compositor
 * lives on, since it expects SIGBUS. Plain Linux, both in one program:
 *
 *	cc truncated.c -o truncated
 *	cc -include ksim/posix.h truncated.c $(pkg-config --cflags --libs ksim) -o truncated-ksim
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PAGE = 4096, POOL = 4 * PAGE, PIXELS = POOL / sizeof(uint32_t) };

/* What a message carries its descriptor in. */
union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int))];
};

static sigjmp_buf survived;
static void *volatile fault_address;

static int fail(const char *what)
{
	perror(what);
	return 1;
}

/* ---- the client ---- */

static int create_pool(void)
{
	int fd = memfd_create("wl_shm", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	uint32_t *pixels;

	if (fd < 0 || ftruncate(fd, POOL) < 0)
		return -1;
	pixels = mmap(NULL, POOL, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (pixels == MAP_FAILED)
		return -1;
	for (uint32_t i = 0; i < PIXELS; i++)
		pixels[i] = 0xff000000 | i;
	printf("client: drew %d pixels at a plain pointer\n", PIXELS);
	return munmap(pixels, POOL) < 0 ? -1 : fd;
}

static int send_pool(int sock, int fd)
{
	uint32_t size = POOL;
	union control control = {
		.align = { .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int)) }
	};
	struct iovec iov = { .iov_base = &size, .iov_len = sizeof(size) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};

	memcpy(CMSG_DATA(CMSG_FIRSTHDR(&msg)), &fd, sizeof(fd));
	return sendmsg(sock, &msg, MSG_NOSIGNAL) == sizeof(size) ? 0 : -1;
}

/* ---- the compositor ---- */

static int receive_pool(int sock, uint32_t *size)
{
	union control control;
	struct iovec iov = { .iov_base = size, .iov_len = sizeof(*size) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};
	struct cmsghdr *header;
	int fd;

	if (recvmsg(sock, &msg, MSG_CMSG_CLOEXEC) != sizeof(*size))
		return -1;
	header = CMSG_FIRSTHDR(&msg);
	if (header == NULL || header->cmsg_type != SCM_RIGHTS || header->cmsg_len != CMSG_LEN(sizeof(fd)))
		return -1;
	memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	return fd;
}

static void on_sigbus(int signo, siginfo_t *info, void *context)
{
	(void)signo;
	(void)context;
	fault_address = info->si_addr;
	siglongjmp(survived, info->si_code);
}

/* Look at the last pixel, which the client may have taken away. */
static void show(const volatile uint32_t *pixels)
{
	int code = sigsetjmp(survived, 1);
	uint32_t last;
	ptrdiff_t at;

	if (code == 0) {
		last = pixels[PIXELS - 1];
		printf("compositor: the last pixel is %#x\n", (unsigned)last);
		return;
	}
	at = (const volatile char *)fault_address - (const volatile char *)pixels;
	printf("compositor: %s at byte %td, page %td of the pool: the client has cut it short\n",
	       code == BUS_ADRERR ? "SIGBUS BUS_ADRERR" : "another SIGBUS", at, at / PAGE);
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO };
	const uint32_t *view;
	uint32_t size;
	int wl[2], pool, got;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, wl) < 0)
		return fail("socketpair");
	pool = create_pool();
	if (pool < 0 || send_pool(wl[0], pool) < 0)
		return fail("the client's pool");
	got = receive_pool(wl[1], &size);
	if (got < 0 || size != POOL || sigaction(SIGBUS, &action, NULL) < 0)
		return fail("the compositor's pool");
	view = mmap(NULL, size, PROT_READ, MAP_SHARED, got, 0);
	if (view == MAP_FAILED)
		return fail("mmap");
	close(got);
	show(view);
	if (ftruncate(pool, PAGE) < 0)
		return fail("ftruncate");
	printf("client: cut the pool to one page\n");
	show(view);
	printf("compositor: what is left of it begins with %#x\n", (unsigned)view[0]);
	return 0;
}
