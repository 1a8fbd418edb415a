// SPDX-License-Identifier: MIT
/*
 * compositor.c and client.c as two processes of one simulated machine. Each is compiled as it is, with its main under
 * another name:
 *
 *	cc -c -include ksim/posix.h -Dmain=compositor_main compositor.c $(pkg-config --cflags ksim)
 *	cc -c -include ksim/posix.h -Dmain=client_main client.c $(pkg-config --cflags ksim)
 *	cc run.c compositor.o client.o $(pkg-config --cflags --libs ksim) -o turns
 */
#include <ksim/ksim.h>
#include <stdio.h>

int compositor_main(void);
int client_main(void);

static int run_compositor(void *arg)
{
	return (void)arg, compositor_main();
}

static int run_client(void *arg)
{
	return (void)arg, client_main();
}

/* How p ended: 0, or 1 and a sentence. */
static int join(struct ksim_process *p)
{
	struct ksim_end end;

	if (ksim_join(p, &end) == 0 && end.signo == 0 && end.code == 0)
		return 0;
	fprintf(stderr, "%s\n", end.text);
	return 1;
}

int main(void)
{
	struct ksim_machine *m = ksim_boot(NULL);
	struct ksim_process *compositor, *client;
	int result;

	if (m == NULL) {
		perror("ksim_boot");
		return 1;
	}
	compositor = ksim_process_create(m, "compositor");
	client = ksim_process_create(m, "client");
	ksim_hold(m); /* the compositor waits before there is anybody who could wake it */
	result = compositor == NULL || client == NULL || ksim_start(compositor, run_compositor, NULL) < 0 ||
	         ksim_start(client, run_client, NULL) < 0;
	if (result != 0)
		perror("a process");
	ksim_release(m);
	if (result == 0)
		result = join(client) | join(compositor);
	return ksim_halt(m) != 0 || result;
}
