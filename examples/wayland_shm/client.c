// SPDX-License-Identifier: MIT
/*
 * A client: draws a picture into a memfd and hands the memfd to the compositor. Every call is what a Wayland
 * client does on Linux, with ksim_ before it.
 */
#include "shm.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

static int connect_to_compositor(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = SOCKET_PATH };
	int sock = ksim_socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (sock >= 0 && ksim_connect(sock, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -1;
	return sock;
}

/* A sealed memfd of so many bytes, mapped at *view. */
static int create_buffer(size_t bytes, ksim_addr *view)
{
	int fd = ksim_memfd_create("wl_shm", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ksim_ftruncate(fd, (off_t)bytes) < 0)
		return -1;
	*view = ksim_mmap(0, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (*view == KSIM_MAP_FAILED || ksim_fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) < 0)
		return -1;
	return fd;
}

static void draw(const struct picture *picture, int client, int frame, ksim_addr view)
{
	for (int32_t y = 0; y < picture->height; y++)
		for (int32_t x = 0; x < picture->width; x++, view += sizeof(uint32_t))
			ksim_store32(view, picture_drawn(picture, client, frame, x, y));
}

static int commit_and_wait(int sock)
{
	struct message message = { .kind = COMMIT };

	if (ksim_send(sock, &message, sizeof(message), MSG_NOSIGNAL) != sizeof(message))
		return -1;
	if (ksim_recv(sock, &message, sizeof(message), MSG_WAITALL) != sizeof(message) || message.kind != RELEASE)
		return -1;
	return 0;
}

int client_main(void *arg)
{
	const struct client_args *args = arg;
	const struct picture *picture = &args->scene->picture;
	struct message attach = { .kind = ATTACH,
		                  .width = picture->width,
		                  .height = picture->height,
		                  .stride = picture->width * 4,
		                  .format = FORMAT_ARGB8888 };
	size_t bytes = (size_t)attach.stride * (size_t)attach.height;
	int sock = connect_to_compositor();
	ksim_addr view;
	int fd;

	if (sock < 0)
		return complain("cannot reach the compositor");
	fd = create_buffer(bytes, &view);
	if (fd < 0)
		return complain(errno == ENOMEM ? "the machine's RAM is too small for this picture"
		                                : "cannot make a buffer");
	args->scene->client_view[args->number] = view;
	if (ksim_send_fds(sock, &attach, sizeof(attach), &fd, 1) != sizeof(attach))
		return complain("cannot send the buffer");
	ksim_close(fd); /* the mapping and the message keep the file */
	for (int frame = 0; frame < FRAMES; frame++) {
		draw(picture, args->number, frame, view);
		if (commit_and_wait(sock) < 0)
			return complain("the compositor has gone");
	}
	return 0;
}
