// SPDX-License-Identifier: MIT
/*
 * The compositor: takes a buffer from each client, looks at it before it trusts it, and shows what is in it
 * whenever the client says so. Its screen is private memory of its own; it becomes the output file.
 */
#include "shm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

struct surface {
	int sock;
	int fd;                /* of the buffer, until it is mapped */
	struct message buffer; /* the ATTACH message */
	ksim_addr view;
};

/* Clients side by side, the first frame above the second. */
struct screen {
	int32_t width, height;
	ksim_addr pixels;
};

/* Whether the file is what the message promises: large enough, and sealed so that it stays so. */
static bool buffer_is_sound(int fd, const struct message *m)
{
	struct stat st;
	int seals = ksim_fcntl(fd, F_GET_SEALS);

	return m->kind == ATTACH && m->format == FORMAT_ARGB8888 && m->width > 0 && m->height > 0 &&
	       m->stride / 4 >= m->width && seals >= 0 && (seals & F_SEAL_SHRINK) && ksim_fstat(fd, &st) == 0 &&
	       st.st_size >= (off_t)m->stride * m->height;
}

static size_t buffer_bytes(const struct message *m)
{
	return (size_t)m->stride * (size_t)m->height;
}

/* Clients come in any order: which one is at the other end of a connection? -1: none that we know. */
static int client_number(const struct scene *scene, int sock)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (ksim_getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return -1;
	for (int n = 0; n < CLIENTS; n++)
		if (ksim_process_pid(scene->clients[n]) == peer.pid)
			return n;
	return -1;
}

static int accept_client(const struct scene *scene, struct surface *surfaces, int *number)
{
	int sock = ksim_accept4(scene->listener, NULL, NULL, SOCK_CLOEXEC);

	if (sock < 0)
		return complain("no client came");
	*number = client_number(scene, sock);
	if (*number < 0)
		return complain("a stranger came");
	surfaces[*number].sock = sock;
	return 0;
}

static int receive_buffer(struct surface *surface)
{
	size_t nfds = 1;

	if (ksim_recv_fds(surface->sock, &surface->buffer, sizeof(surface->buffer), &surface->fd, &nfds,
	                  MSG_CMSG_CLOEXEC) != sizeof(surface->buffer) ||
	    nfds != 1) {
		errno = 0;
		return complain("a client went away without a buffer");
	}
	if (buffer_is_sound(surface->fd, &surface->buffer))
		return 0;
	errno = 0;
	return complain("a client sent a buffer that is not what it promised");
}

static int map_surface(struct surface *surface)
{
	surface->view = ksim_mmap(0, buffer_bytes(&surface->buffer), PROT_READ, MAP_SHARED, surface->fd, 0);
	ksim_close(surface->fd);
	return surface->view == KSIM_MAP_FAILED ? complain("cannot map a client's buffer") : 0;
}

/* Large enough for what the first client shows, times all clients and frames. */
static int create_screen(struct screen *screen, const struct message *first)
{
	screen->width = first->width * CLIENTS;
	screen->height = first->height * FRAMES;
	screen->pixels = ksim_mmap(0, (size_t)screen->width * (size_t)screen->height * 4, PROT_READ | PROT_WRITE,
	                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return screen->pixels == KSIM_MAP_FAILED ? complain("no memory for the screen") : 0;
}

/* Show what the buffer holds now: column by client, row by frame. */
static void compose(const struct surface *surface, const struct screen *screen, int column, int row)
{
	const struct message *b = &surface->buffer;

	for (int32_t y = 0; y < b->height; y++) {
		ksim_addr from = surface->view + (ksim_addr)y * (ksim_addr)b->stride;
		ksim_addr to = screen->pixels +
		               (((ksim_addr)row * (ksim_addr)b->height + (ksim_addr)y) * (ksim_addr)screen->width +
		                (ksim_addr)column * (ksim_addr)b->width) *
		                       4;

		for (int32_t x = 0; x < b->width; x++, from += 4, to += 4)
			ksim_store32(to, ksim_load32(from));
	}
}

static int show_frame(const struct surface *surface, const struct screen *screen, int column, int row)
{
	struct message message;

	if (ksim_recv(surface->sock, &message, sizeof(message), MSG_WAITALL) != sizeof(message) ||
	    message.kind != COMMIT) {
		errno = 0;
		return complain("a client went away before its frame was complete");
	}
	compose(surface, screen, column, row);
	message.kind = RELEASE;
	if (ksim_send(surface->sock, &message, sizeof(message), MSG_NOSIGNAL) != sizeof(message))
		return complain("a client went away");
	return 0;
}

static int write_screen(const struct screen *screen, const char *path)
{
	size_t bytes = (size_t)screen->width * (size_t)screen->height * 4;
	struct picture picture = { .width = screen->width, .height = screen->height, .pixels = malloc(bytes) };
	int result;

	if (picture.pixels == NULL)
		return complain("no memory to write the picture");
	ksim_copy_from(picture.pixels, screen->pixels, bytes);
	result = picture_write(path, &picture);
	picture_free(&picture);
	return result < 0;
}

int compositor_main(void *arg)
{
	struct scene *scene = arg;
	struct surface surfaces[CLIENTS] = { 0 };
	struct screen screen = { 0 };

	for (int i = 0; i < CLIENTS; i++) {
		int n = 0;

		if (accept_client(scene, surfaces, &n) != 0 || receive_buffer(&surfaces[n]) != 0)
			return 1;
		if (i == 0 && create_screen(&screen, &surfaces[n].buffer) != 0)
			return 1;
		if (map_surface(&surfaces[n]) != 0)
			return 1;
		scene->compositor_view[n] = surfaces[n].view;
	}
	for (int frame = 0; frame < FRAMES; frame++) {
		for (int n = 0; n < CLIENTS; n++) {
			/* Until its last frame is released, a client keeps its mapping. */
			if (frame == FRAMES - 1 && n == 0 && print_proof(scene) != 0)
				return 1;
			if (show_frame(&surfaces[n], &screen, n, frame) != 0)
				return 1;
		}
	}
	return write_screen(&screen, scene->output);
}
