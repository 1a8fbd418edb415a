/* SPDX-License-Identifier: MIT */
/*
 * What the compositor and its clients agree on: a few messages after wl_shm, and where this program keeps the
 * handles of its processes.
 */
#ifndef SHM_H
#define SHM_H

#include <ksim/ksim.h>

#define SOCKET_PATH "/run/wayland-0"
#define CLIENTS     2
#define FRAMES      2

enum message_kind {
	ATTACH = 1, /* client: here is my buffer, as an fd beside this message */
	COMMIT,     /* client: a new frame is in it */
	RELEASE,    /* compositor: I have taken it, draw on */
};

enum { FORMAT_ARGB8888 = 0 };

/** The one message of the protocol; a stream of them both ways. */
struct message {
	uint32_t kind;
	int32_t width, height; /* pixels; ATTACH only, as the next two */
	int32_t stride;        /* bytes from row to row */
	uint32_t format;
};

/** A decoded picture in the program's own memory: 32-bit ARGB, rows without gaps. */
struct picture {
	int32_t width, height;
	uint32_t *pixels;
};

/** Decode a PNG. 0, or -1 and a sentence on standard error. The pixels are freed by picture_free(). */
int picture_read(const char *path, struct picture *out);
/** Encode one. 0, or -1 and a sentence on standard error. */
int picture_write(const char *path, const struct picture *picture);
void picture_free(struct picture *picture);
/** What client number n draws as frame f: the pixel at (x, y). Every combination is a different turn of the picture. */
uint32_t picture_drawn(const struct picture *picture, int client, int frame, int32_t x, int32_t y);

/** Everything in one place, filled in by main before any process runs. */
struct scene {
	struct ksim_machine *machine;
	struct ksim_process *compositor;
	struct ksim_process *clients[CLIENTS];
	ksim_addr client_view[CLIENTS];     /* where each client maps its buffer */
	ksim_addr compositor_view[CLIENTS]; /* where the compositor maps the same */
	struct picture picture;
	const char *output;
	int listener; /* of the compositor */
};

struct client_args {
	struct scene *scene;
	int number;
};

/** Mains of processes: 0, or 1 after a sentence on standard error. */
int client_main(void *arg);     /* a struct client_args */
int compositor_main(void *arg); /* the struct scene */

/**
 * Print the maps of all processes, and which frame stands behind the two views of each buffer; write the maps and the
 * graph of who shares what beside the output.
 */
int print_proof(const struct scene *scene);

/** A sentence on standard error, with the acting process's name before and errno's meaning after; gives 1. */
int complain(const char *what);

#endif
