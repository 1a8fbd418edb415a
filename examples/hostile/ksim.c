// SPDX-License-Identifier: MIT
/*
 * Compositor and client as two processes of a simulated machine, each time a fresh one. The death of either is a value;
 * what the compositor still holds after it has served is counted by ksim_leaks().
 *
 *	cc -c -include ksim/posix.h compositor.c client.c $(pkg-config --cflags ksim)
 *	cc main.c ksim.c compositor.o client.o $(pkg-config --cflags --libs ksim) -o hostile-ksim
 */
#define _GNU_SOURCE
#include "hostile.h"

#include <errno.h>
#include <ksim/ksim.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

const char *const bench_name = "ksim";
const bool bench_has_pipes = false;

/* One encounter. */
struct bench {
	struct ksim_machine *machine;
	struct ksim_process *compositor, *client;
	struct compositor state;
	enum care care;
	int (*client_main)(int sock);
	int wl[2];
};

static void say(void *arg, const char *line)
{
	(void)arg;
	printf("# %s\n", line);
}

static int run_compositor(void *arg)
{
	struct bench *bench = arg;

	ksim_release(bench->machine); /* from here on there is somebody who can wake the client */
	return compositor_serve(&bench->state, bench->wl[0], bench->care);
}

static int run_client(void *arg)
{
	const struct bench *bench = arg;

	return bench->client_main(bench->wl[1]);
}

static bool prepare(struct bench *bench)
{
	bench->compositor = ksim_process_create(bench->machine, "compositor");
	bench->client = ksim_process_create(bench->machine, "client");
	return bench->compositor != NULL && bench->client != NULL &&
	       ksim_socketpair_between(bench->compositor, bench->client, SOCK_STREAM, bench->wl) == 0;
}

static bool act(struct bench *bench, struct outcome *out)
{
	uint64_t connected = ksim_mark(bench->machine);
	struct ksim_end end;

	ksim_hold(bench->machine);
	if (ksim_start(bench->client, run_client, bench) < 0 ||
	    ksim_run(bench->compositor, run_compositor, bench, &end) < 0)
		return false;
	if (end.alive) {
		out->leaks = (long)ksim_leaks(bench->machine, bench->compositor, connected);
		if (end.code != 0)
			return false;
	} else {
		out->signo = end.signo;
		out->si_code = end.si_code;
		out->at = (long)(end.addr - (uintptr_t)bench->state.pool);
		say(NULL, end.text);
	}
	if (ksim_join(bench->client, &end) < 0)
		return false;
	out->client = end.code;
	if (end.signo != 0)
		say(NULL, end.text);
	return end.signo == 0;
}

void bench_run(int (*client)(int sock), enum care care, struct outcome *out)
{
	struct ksim_config config = { .access = KSIM_ACCESS_NATIVE, .report = say };
	struct bench bench = { .machine = ksim_boot(&config), .care = care, .client_main = client };

	*out = (struct outcome){ .client = BROKEN };
	if (bench.machine == NULL) {
		printf("# no machine: %s\n", strerrordesc_np(errno));
		return;
	}
	out->sound = prepare(&bench) && act(&bench, out);
	if (ksim_check(bench.machine) != 0)
		out->sound = false;
	if (ksim_halt(bench.machine) != 0)
		out->sound = false;
}
