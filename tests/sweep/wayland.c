// SPDX-License-Identifier: MIT
/*
 * The whole Wayland scenario, swept: a compositor and two clients over a named socket, each client's pool of pixels a
 * memfd, sealed, passed, mapped and drawn into; two frames; and a client that cuts its pool short, which costs the life
 * of the compositor's helper that looks at it.
 *
 * What examples/wayland_shm does with three threads, on one: the three act in turn, so nobody waits.
 */
#include "sweep.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/un.h>

enum { CLIENTS = 2, FRAMES = 2, WIDTH = 40, HEIGHT = 30, STRIDE = WIDTH * 4, BUFFER = STRIDE * HEIGHT };
enum { ATTACH = 1, COMMIT, RELEASE };

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW)

struct message {
	uint32_t kind, width, height, stride;
};

struct client {
	struct scene *scene;
	struct ksim_process *p;
	int number, frame;
	int sock, fd;
	ksim_addr view;
};

struct surface {
	int sock, fd;
	ksim_addr view;
};

struct scene {
	struct ksim_process *compositor;
	struct client clients[CLIENTS];
	struct surface surfaces[CLIENTS];
	int listener, number; /* of the client that it deals with now */
	ksim_addr screen;
};

static const struct sockaddr_un wayland = { .sun_family = AF_UNIX, .sun_path = "/run/wayland-0" };

static uint32_t pixel(int client, int frame, int i)
{
	return 0xff000000u | (uint32_t)client << 20 | (uint32_t)frame << 16 | (uint32_t)i;
}

static int tell_peer(int sock, uint32_t kind)
{
	struct message message = { .kind = kind };

	MUST(RETRY(ksim_send(sock, &message, sizeof(message), MSG_NOSIGNAL)) == sizeof(message));
	return 0;
}

static int hear_peer(int sock, uint32_t kind)
{
	struct message message;

	MUST(RETRY(ksim_recv(sock, &message, sizeof(message), MSG_DONTWAIT)) == sizeof(message));
	MUST(message.kind == kind);
	return 0;
}

/* ---- the clients ---- */

static int connect_client(void *arg)
{
	struct client *client = arg;

	client->sock = RETRY(ksim_socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	MUST(client->sock == 0);
	MUST(RETRY(ksim_connect(client->sock, (const struct sockaddr *)&wayland, sizeof(wayland))) == 0);
	return 0;
}

/* The second one's pool is not sealed. */
static int create_pool(void *arg)
{
	struct client *client = arg;

	client->fd = RETRY(ksim_memfd_create("wl_shm", MFD_CLOEXEC | MFD_ALLOW_SEALING));
	MUST(client->fd == 1);
	MUST(RETRY(ksim_ftruncate(client->fd, BUFFER)) == 0);
	client->view = RETRY(ksim_mmap(0, BUFFER, RW, MAP_SHARED, client->fd, 0));
	MUST(client->view != KSIM_MAP_FAILED);
	if (client->number == 0)
		MUST(RETRY(ksim_fcntl(client->fd, F_ADD_SEALS, SEALS)) == 0);
	return 0;
}

static int send_pool(void *arg)
{
	struct message message = { .kind = ATTACH, .width = WIDTH, .height = HEIGHT, .stride = STRIDE };
	struct client *client = arg;

	MUST(RETRY(ksim_send_fds(client->sock, &message, sizeof(message), &client->fd, 1)) == sizeof(message));
	return 0;
}

static int draw(void *arg)
{
	struct client *client = arg;

	for (int i = 0; i < WIDTH * HEIGHT; i++)
		mem_store32(client->view + (ksim_addr)i * 4, pixel(client->number, client->frame, i));
	return tell_peer(client->sock, COMMIT);
}

static int await_release(void *arg)
{
	struct client *client = arg;

	return hear_peer(client->sock, RELEASE);
}

static int cut_pool(void *arg)
{
	struct client *client = arg;

	if (client->number == 0)
		MUST(ksim_ftruncate(client->fd, PAGE) == -1 && errno == EPERM);
	else
		MUST(RETRY(ksim_ftruncate(client->fd, PAGE)) == 0);
	return 0;
}

static int undo_client(void *arg)
{
	struct client *client = arg;

	MUST(ksim_munmap(client->view, BUFFER) == 0);
	MUST(ksim_close(client->fd) == 0 && ksim_close(client->sock) == 0);
	MUST(RETRY(ksim_memfd_create("last", 0)) == 0 && ksim_close(0) == 0);
	return 0;
}

/* ---- the compositor ---- */

static int listen_for_clients(void *arg)
{
	struct scene *scene = arg;

	scene->listener = RETRY(ksim_socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	MUST(scene->listener == 0);
	MUST(RETRY(ksim_bind(scene->listener, (const struct sockaddr *)&wayland, sizeof(wayland))) == 0);
	MUST(RETRY(ksim_listen(scene->listener, CLIENTS)) == 0);
	scene->screen = RETRY(ksim_mmap(0, BUFFER, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	MUST(scene->screen != KSIM_MAP_FAILED);
	return 0;
}

static int accept_client(void *arg)
{
	struct scene *scene = arg;
	struct ucred peer;
	socklen_t len = sizeof(peer);
	int sock = RETRY(ksim_accept4(scene->listener, NULL, NULL, SOCK_CLOEXEC));

	MUST(sock > 0);
	MUST(ksim_getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0);
	MUST(peer.pid == ksim_process_pid(scene->clients[scene->number].p));
	scene->surfaces[scene->number].sock = sock;
	return 0;
}

enum { LOST = 2 };

/* LOST: the message came without its descriptor, for there was none to be had. */
static int receive_pool(void *arg)
{
	struct scene *scene = arg;
	struct surface *surface = &scene->surfaces[scene->number];
	struct message message;
	size_t nfds = 1;
	ssize_t n = ksim_recv_fds(surface->sock, &message, sizeof(message), &surface->fd, &nfds, MSG_CMSG_CLOEXEC);

	if (n < 0 && errno == EMSGSIZE && !story.absorbed) {
		story.absorbed = true;
		return LOST;
	}
	MUST(n == sizeof(message) && nfds == 1 && message.kind == ATTACH && message.stride == STRIDE);
	return 0;
}

/* Looked at before it is trusted. */
static int map_pool(void *arg)
{
	struct scene *scene = arg;
	struct surface *surface = &scene->surfaces[scene->number];
	struct stat st;

	MUST(ksim_fcntl(surface->fd, F_GET_SEALS) == (scene->number == 0 ? SEALS : 0));
	MUST(ksim_fstat(surface->fd, &st) == 0 && st.st_size == BUFFER);
	surface->view = RETRY(ksim_mmap(0, BUFFER, PROT_READ, MAP_SHARED, surface->fd, 0));
	MUST(surface->view != KSIM_MAP_FAILED);
	MUST(ksim_close(surface->fd) == 0);
	return 0;
}

static int compose(void *arg)
{
	struct scene *scene = arg;
	const struct client *client = &scene->clients[scene->number];
	const struct surface *surface = &scene->surfaces[scene->number];

	TRY(hear_peer(surface->sock, COMMIT));
	for (int i = 0; i < WIDTH * HEIGHT; i++) {
		uint32_t value = mem_load32(surface->view + (ksim_addr)i * 4);

		MUST(value == pixel(client->number, client->frame, i));
		mem_store32(scene->screen + (ksim_addr)i * 4, value);
	}
	return tell_peer(surface->sock, RELEASE);
}

static int undo_compositor(void *arg)
{
	struct scene *scene = arg;

	for (int i = 0; i < CLIENTS; i++) {
		MUST(ksim_munmap(scene->surfaces[i].view, BUFFER) == 0);
		MUST(ksim_close(scene->surfaces[i].sock) == 0);
	}
	MUST(ksim_munmap(scene->screen, BUFFER) == 0);
	MUST(ksim_close(scene->listener) == 0 && RETRY(ksim_unlink(wayland.sun_path)) == 0);
	MUST(RETRY(ksim_memfd_create("last", 0)) == 0 && ksim_close(0) == 0);
	return 0;
}

/* ---- the helper, who dies of a pool that was cut ---- */

static int read_end(void *arg)
{
	const struct scene *scene = arg;

	return (int)mem_load8(scene->surfaces[scene->number].view + BUFFER - 1);
}

static int helper_looks(struct scene *scene)
{
	struct ksim_process *helper = story_fork(scene->compositor, "helper");
	struct ksim_allocation first;
	struct ksim_end end;

	MUST(helper != NULL);
	MUST(RETRY(ksim_run(helper, read_end, scene, &end)) == 0);
	if (end.signo == SIGKILL && ksim_fail_first(story.m, &first))
		story.absorbed = true; /* it died of something else first */
	else
		MUST(scene->number == 0 ? end.alive : end.signo == SIGBUS && end.si_code == BUS_ADRERR);
	return story_process_ends(helper);
}

/* ---- all of it ---- */

static int attach(struct scene *scene, struct client *client)
{
	int received;

	scene->number = client->number;
	TRY(story_act(client->p, connect_client, client));
	TRY(story_act(scene->compositor, accept_client, scene));
	TRY(story_act(client->p, create_pool, client));
	TRY(story_act(client->p, send_pool, client));
	received = story_act(scene->compositor, receive_pool, scene);
	if (received == LOST) {
		TRY(story_act(client->p, send_pool, client));
		received = story_act(scene->compositor, receive_pool, scene);
	}
	TRY(received);
	return story_act(scene->compositor, map_pool, scene);
}

static int show(struct scene *scene, struct client *client, int frame)
{
	scene->number = client->number;
	client->frame = frame;
	TRY(story_act(client->p, draw, client));
	TRY(story_act(scene->compositor, compose, scene));
	return story_act(client->p, await_release, client);
}

static int create_processes(struct scene *scene)
{
	static const char *const names[CLIENTS] = { "client-1", "client-2" };

	scene->compositor = story_process("compositor");
	MUST(scene->compositor != NULL);
	for (int i = 0; i < CLIENTS; i++) {
		scene->clients[i] = (struct client){ .scene = scene, .p = story_process(names[i]), .number = i };
		MUST(scene->clients[i].p != NULL);
	}
	return 0;
}

static int tell_all(int (*act)(void *))
{
	struct scene scene;

	(void)act;
	TRY(create_processes(&scene));
	story_begin();
	TRY(story_act(scene.compositor, listen_for_clients, &scene));
	for (int i = 0; i < CLIENTS; i++)
		TRY(attach(&scene, &scene.clients[i]));
	for (int frame = 0; frame < FRAMES; frame++)
		for (int i = 0; i < CLIENTS; i++)
			TRY(show(&scene, &scene.clients[i], frame));
	for (int i = 0; i < CLIENTS; i++) {
		scene.number = i;
		TRY(story_act(scene.clients[i].p, cut_pool, &scene.clients[i]));
		TRY(helper_looks(&scene));
	}
	for (int i = 0; i < CLIENTS; i++)
		TRY(story_act(scene.clients[i].p, undo_client, &scene.clients[i]));
	TRY(story_act(scene.compositor, undo_compositor, &scene));
	return story_settled();
}

/* A compositor that dies leaves its socket's file behind, as everywhere. */
static int tell(int (*act)(void *))
{
	int result = tell_all(act);

	story.until_halt = result < 0;
	return result;
}

TEST(sweep_wayland, compositor_and_two_clients)
{
	story_sweep(tell, NULL);
}
