// SPDX-License-Identifier: MIT
/*
 * A compositor and two clients as processes of one simulated machine, each on a host thread of its own.
 *
 *   wayland_shm [PICTURE.png [OUTPUT.png]]
 *
 * Each client draws the picture into a memfd, passes it over a unix socket, and draws a second frame into the same
 * memory; the compositor sees both frames through its own mapping. Printed are every system call, the memory maps,
 * and which frame of RAM stands behind both views of a buffer. Written is OUTPUT.png: clients side by side, the
 * first frame above the second; and beside it, as they are while all is shared, OUTPUT.maps, the memory maps with the
 * frames behind them, and OUTPUT.dot, a graph of who shares what.
 */
#include "shm.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define DEFAULT_PICTURE "/usr/share/pixmaps/debian-logo.png"
#define DEFAULT_OUTPUT  "compositor.png"
#define PATH_BYTES      4096

int complain(const char *what)
{
	int err = errno;
	struct ksim_process *self = ksim_self();

	fprintf(stderr, "%s: %s%s%s\n", self != NULL ? ksim_process_name(self) : "wayland_shm", what,
	        err != 0 ? ": " : "", err != 0 ? strerrordesc_np(err) : "");
	return 1;
}

static int print_sharing(const struct scene *scene, int n)
{
	struct ksim_translation client, compositor;

	if (ksim_translate(scene->clients[n], scene->client_view[n], &client) < 0 ||
	    ksim_translate(scene->compositor, scene->compositor_view[n], &compositor) < 0)
		return complain("a buffer is not mapped");
	printf("%s %#" PRIx64 " -> frame %" PRIu64 " <- %#" PRIx64 " %s   (%u mappers)\n",
	       ksim_process_name(scene->clients[n]), scene->client_view[n], client.pfn.n, scene->compositor_view[n],
	       ksim_process_name(scene->compositor), compositor.mappers);
	if (client.pfn.n == compositor.pfn.n)
		return 0;
	errno = 0;
	return complain("the two views of a buffer show different frames");
}

/* OUTPUT with another ending in the place of .png: 0, or -1 and a sentence. */
static int name_beside(const char *output, const char *ending, char path[PATH_BYTES])
{
	size_t len = strlen(output);

	if (len > 4 && strcmp(output + len - 4, ".png") == 0)
		len -= 4;
	if (snprintf(path, PATH_BYTES, "%.*s%s", (int)len, output, ending) < PATH_BYTES)
		return 0;
	errno = ENAMETOOLONG;
	complain("cannot write beside the picture");
	return -1;
}

static int dump_all_maps(const struct scene *scene, FILE *stream)
{
	fprintf(stream, "memory of %s\n", ksim_process_name(scene->compositor));
	if (ksim_dump_maps(scene->compositor, stream) < 0)
		return -1;
	for (int n = 0; n < CLIENTS; n++) {
		fprintf(stream, "memory of %s\n", ksim_process_name(scene->clients[n]));
		if (ksim_dump_maps(scene->clients[n], stream) < 0)
			return -1;
	}
	return 0;
}

static int dump_graph(const struct scene *scene, FILE *stream)
{
	return ksim_dump_dot(scene->machine, stream);
}

static int write_beside(const struct scene *scene, const char *ending, int (*dump)(const struct scene *, FILE *))
{
	char path[PATH_BYTES], what[PATH_BYTES + 16];
	FILE *stream;
	int result;

	if (name_beside(scene->output, ending, path) < 0)
		return 1;
	stream = fopen(path, "w");
	result = stream != NULL ? dump(scene, stream) : -1;
	if (stream != NULL && fclose(stream) != 0)
		result = -1;
	if (result == 0)
		return 0;
	snprintf(what, sizeof(what), "cannot write %s", path);
	return complain(what);
}

int print_proof(const struct scene *scene)
{
	int result = 0;

	flockfile(stdout); /* the clients' calls are traced meanwhile */
	printf("\n");
	dump_all_maps(scene, stdout);
	printf("\none frame of RAM behind two user addresses\n");
	for (int n = 0; n < CLIENTS; n++)
		result |= print_sharing(scene, n);
	printf("\n");
	funlockfile(stdout);
	if (result == 0)
		result = write_beside(scene, ".maps", dump_all_maps) | write_beside(scene, ".dot", dump_graph);
	return result;
}

static int listen_for_clients(struct scene *scene)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = SOCKET_PATH };
	int result = 0;

	ksim_as(scene->compositor) {
		scene->listener = ksim_socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (scene->listener < 0 ||
		    ksim_bind(scene->listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		    ksim_listen(scene->listener, CLIENTS) < 0)
			result = complain("cannot listen");
	}
	return result;
}

static int create_processes(struct scene *scene)
{
	static const char *const names[CLIENTS] = { "client-1", "client-2" };

	scene->compositor = ksim_process_create(scene->machine, "compositor");
	if (scene->compositor == NULL)
		return complain("cannot create a process");
	for (int n = 0; n < CLIENTS; n++) {
		scene->clients[n] = ksim_process_create(scene->machine, names[n]);
		if (scene->clients[n] == NULL)
			return complain("cannot create a process");
	}
	return listen_for_clients(scene);
}

static int join(struct ksim_process *p)
{
	struct ksim_end end;

	if (ksim_join(p, &end) < 0)
		return complain("cannot wait for a process");
	printf("%s\n", end.text);
	return end.signo != 0 || end.code != 0;
}

/* Start all, wait for all: 0 if every process ended well. */
static int run(struct scene *scene)
{
	struct client_args args[CLIENTS];
	int result = 0;

	ksim_hold(scene->machine); /* the compositor waits before there is anybody who could wake it */
	if (ksim_start(scene->compositor, compositor_main, scene) < 0)
		result = complain("cannot start the compositor");
	for (int n = 0; n < CLIENTS; n++) {
		args[n] = (struct client_args){ .scene = scene, .number = n };
		if (result == 0 && ksim_start(scene->clients[n], client_main, &args[n]) < 0)
			result = complain("cannot start a client");
	}
	ksim_release(scene->machine);
	if (result != 0)
		return result;
	for (int n = 0; n < CLIENTS; n++)
		result |= join(scene->clients[n]);
	return join(scene->compositor) | result;
}

static void print_written(const char *output)
{
	char path[PATH_BYTES];

	printf("%s: %d clients side by side, the first frame above the second\n", output, CLIENTS);
	if (name_beside(output, ".maps", path) == 0)
		printf("%s: the memory maps, with the frames behind them\n", path);
	if (name_beside(output, ".dot", path) == 0)
		printf("%s: who shares which frames, to be drawn by: dot -Tsvg -O %s\n", path, path);
}

int main(int argc, char **argv)
{
	struct scene scene = { .output = argc > 2 ? argv[2] : DEFAULT_OUTPUT };
	const char *input = argc > 1 ? argv[1] : DEFAULT_PICTURE;
	int result;

	if (argc > 3 || (argc > 1 && argv[1][0] == '-')) {
		fprintf(stderr, "usage: %s [PICTURE.png [OUTPUT.png]]\n", argv[0]);
		return 1;
	}
	if (picture_read(input, &scene.picture) < 0)
		return 1;
	scene.machine = ksim_boot(NULL);
	if (scene.machine == NULL) {
		picture_free(&scene.picture);
		return complain("cannot boot a machine");
	}
	ksim_trace(scene.machine, stdout);
	result = create_processes(&scene);
	if (result == 0)
		result = run(&scene);
	if (ksim_halt(scene.machine) != 0)
		result = 1;
	picture_free(&scene.picture);
	if (result == 0)
		print_written(scene.output);
	return result;
}
