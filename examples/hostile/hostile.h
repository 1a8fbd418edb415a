/* SPDX-License-Identifier: MIT */
/*
 * What a compositor and its clients say to each other, a few messages after wl_shm; and what the two programs that set
 * them on each other, on the host's kernel and on ksim, have in common.
 *
 * compositor.c and client.c are plain Linux and know nothing of where they run. On ksim both are processes of one
 * program, so whatever either may change at file scope is thread-local, or it would be the other's too.
 */
#ifndef HOSTILE_H
#define HOSTILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE ((size_t)4096)

/* ---- the protocol ---- */

enum request_kind {
	CREATE_POOL = 1, /* with a descriptor: here is memory of so many bytes; answered by MAPPED */
	COMMIT,          /* show the first so many bytes of it; answered by SHOWN */
	ANIMATE,         /* show them again and again; answered by SHOWING after the first time */
	STOP,            /* and that was the last; answered by SHOWN */
};

struct request {
	uint32_t kind;
	uint32_t bytes;
	uint32_t sealed; /* CREATE_POOL: not 0 promises that it can never shrink */
};

enum reply_kind { MAPPED = 1, SHOWN, SHOWING, PROTOCOL_ERROR };

struct reply {
	uint32_t kind;
	uint32_t value; /* SHOWN: the sum of all bytes; PROTOCOL_ERROR: which */
};

/* What a client did wrong; the compositor says so and hangs up. */
enum protocol_error {
	NO_ERROR,
	INVALID_FD,   /* none where one is due, or one that cannot be memory */
	INVALID_SIZE, /* a pool of another size than promised, or more bytes than the pool has */
	NOT_SEALED,   /* against the promise */
	STRAY_FDS,    /* more descriptors than are due, or so many that some were lost */
	POOL_SHRUNK,  /* while it was shown */
};

/* ---- the compositor ---- */

/** Naive: it believes what it is told. Robust: it looks, and expects the worst. */
enum care { NAIVE, ROBUST };

struct compositor {
	enum care care;
	int sock;                           /* to its one client */
	unsigned char *arena;               /* the range of addresses where the client's pool is mapped */
	const volatile unsigned char *pool; /* NULL: not mapped */
	size_t pool_bytes;
};

/** Serve the client until it goes away or breaks the protocol. 0, or 1 if that could not even begin. */
int compositor_serve(struct compositor *compositor, int sock, enum care care);

/* ---- the clients ---- */

/** What a client has seen in the end: a protocol_error (NO_ERROR: it was served), or one of these. */
enum { HUNG_UP = 20, WRONG_PICTURE, BROKEN };

int client_honest(int sock);
int client_too_short(int sock);
int client_zero_length(int sock);
int client_pipe(int sock);
int client_socket(int sock);
int client_shrinks_before_the_read(int sock);
int client_shrinks_during_the_read(int sock);
int client_grows_past_the_promise(int sock);
int client_unsealed(int sock);
int client_two_fds(int sock);
int client_253_fds(int sock);
int client_254_fds(int sock);
int client_no_fd(int sock);
int client_fd_with_a_commit(int sock);

/* ---- the bench: host.c or ksim.c ---- */

struct outcome {
	int client;  /* its verdict */
	int signo;   /* that killed the compositor; 0: none */
	int si_code; /* of the fault that did */
	long at;     /* the fault's address, in bytes from the start of the pool, from 0 if that is NULL */
	long leaks;  /* what a compositor that lived on still held when it had served the client */
	bool sound;  /* nothing else went wrong; if it did, a line beginning with # says what */
};

/** Where it runs, for people: "the host". */
extern const char *const bench_name;
extern const bool bench_has_pipes;

void bench_run(int (*client)(int sock), enum care care, struct outcome *out);

#endif
