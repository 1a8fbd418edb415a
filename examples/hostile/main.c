// SPDX-License-Identifier: MIT
/*
 * Every client against the naive and the robust compositor, and what must come of it; prints TAP. The table is what the
 * host's kernel does: the same main is linked with host.c, where it is proven, and with ksim.c.
 */
#include "hostile.h"

#include <signal.h>
#include <stdio.h>

struct fate {
	int client;    /* its verdict */
	int signo;     /* that kills the compositor */
	int si_code;   /* of the fault */
	long from, to; /* where: bytes of the pool, `to` exclusive; one byte if that is 0 */
	long leaks;
	const char *text;
};

struct encounter {
	const char *name;
	int (*client)(int sock);
	struct fate naive, robust;
};

#define DIES(signal, code, at, words)                  \
	{                                              \
		HUNG_UP, signal, code, at, 0, 0, words \
	}
#define LEAKS(n, words)                        \
	{                                      \
		NO_ERROR, 0, 0, 0, 0, n, words \
	}
#define REFUSES(error)                                  \
	{                                               \
		error, 0, 0, 0, 0, 0, "answers " #error \
	}

/* A descriptor that cannot be mapped, or none: mmap fails, nobody looks, and the pool is at NULL. */
#define DIES_AT_NULL DIES(SIGSEGV, SEGV_MAPERR, 0, "reads at NULL and dies of SIGSEGV")

static const struct encounter encounters[] = {
	{ "a client that keeps its promises", client_honest, LEAKS(0, "shows it"), LEAKS(0, "shows it") },
	{ "a file shorter than promised", client_too_short,
	  DIES(SIGBUS, BUS_ADRERR, PAGE, "dies of SIGBUS at the first missing page"), REFUSES(INVALID_SIZE) },
	{ "an empty file", client_zero_length, DIES(SIGBUS, BUS_ADRERR, 0, "dies of SIGBUS at the first byte"),
	  REFUSES(INVALID_SIZE) },
	{ "a pipe", client_pipe, DIES_AT_NULL, REFUSES(INVALID_FD) },
	{ "a socket", client_socket, DIES_AT_NULL, REFUSES(INVALID_FD) },
	{ "a pool that shrinks before the read", client_shrinks_before_the_read,
	  DIES(SIGBUS, BUS_ADRERR, PAGE, "dies of SIGBUS at the first missing page"), REFUSES(POOL_SHRUNK) },
	{ "a pool that shrinks during the read",
	  client_shrinks_during_the_read,
	  { HUNG_UP, SIGBUS, BUS_ADRERR, PAGE, 2 * PAGE, 0, "dies of SIGBUS in the missing page" },
	  REFUSES(POOL_SHRUNK) },
	{ "a file that grows past the promise", client_grows_past_the_promise,
	  DIES(SIGSEGV, SEGV_ACCERR, PAGE, "reads behind its mapping and dies of SIGSEGV"), REFUSES(INVALID_SIZE) },
	{ "a pool that was to be sealed, is not, and shrinks", client_unsealed,
	  DIES(SIGBUS, BUS_ADRERR, PAGE, "dies of SIGBUS at the first missing page"), REFUSES(NOT_SEALED) },
	{ "two descriptors", client_two_fds, LEAKS(1, "takes one and leaks the other"), REFUSES(STRAY_FDS) },
	{ "253 descriptors", client_253_fds, LEAKS(1, "takes one and leaks another, as there is room for it"),
	  REFUSES(STRAY_FDS) },
	{ "254 descriptors, refused with EINVAL, so none", client_254_fds, DIES_AT_NULL, REFUSES(INVALID_FD) },
	{ "no descriptor where one is due", client_no_fd, DIES_AT_NULL, REFUSES(INVALID_FD) },
	{ "a descriptor where none is due", client_fd_with_a_commit, LEAKS(1, "leaks it"), REFUSES(STRAY_FDS) },
};

enum { ENCOUNTERS = sizeof(encounters) / sizeof(encounters[0]) };

static bool is_as_told(const struct fate *fate, const struct outcome *o)
{
	if (!o->sound || o->client != fate->client || o->signo != fate->signo || o->leaks != fate->leaks)
		return false;
	if (fate->signo == 0)
		return true;
	return o->si_code == fate->si_code && o->at >= fate->from &&
	       o->at < (fate->to != 0 ? fate->to : fate->from + 1);
}

/* One point: 0, or 1 if it failed. */
static int meet(int number, const struct encounter *encounter, enum care care)
{
	const struct fate *fate = care == NAIVE ? &encounter->naive : &encounter->robust;
	const char *who = care == NAIVE ? "naive" : "robust";
	struct outcome outcome = { .client = BROKEN };
	bool good;

	if (encounter->client == client_pipe && !bench_has_pipes) {
		printf("ok %d - %s: the %s one %s # SKIP no pipes on %s\n", number, encounter->name, who, fate->text,
		       bench_name);
		return 0;
	}
	bench_run(encounter->client, care, &outcome);
	good = is_as_told(fate, &outcome);
	printf("%s %d - %s: the %s one %s\n", good ? "ok" : "not ok", number, encounter->name, who, fate->text);
	if (good)
		return 0;
	printf("# on %s: the client saw %d, not %d; signal %d, not %d; code %d, not %d; at %ld, not %ld; "
	       "%ld leaks, not %ld%s\n",
	       bench_name, outcome.client, fate->client, outcome.signo, fate->signo, outcome.si_code, fate->si_code,
	       outcome.at, fate->from, outcome.leaks, fate->leaks, outcome.sound ? "" : "; not sound");
	return 1;
}

int main(void)
{
	int failed = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("1..%d\n", 2 * ENCOUNTERS);
	for (int i = 0; i < ENCOUNTERS; i++) {
		failed |= meet(2 * i + 1, &encounters[i], NAIVE);
		failed |= meet(2 * i + 2, &encounters[i], ROBUST);
	}
	return failed;
}
