/* SPDX-License-Identifier: MIT */
/*
 * The trace as a JSON document for viewers of Chrome's trace format.
 */
#ifndef LAB_JSON_H
#define LAB_JSON_H

#include <pthread.h>
#include <stdio.h>

#include "syscall/syscall.h"

/** A row of the viewer: a thread of a process. */
struct json_track {
	uint32_t pid, tid;
	unsigned depth; /* slices that have begun and not ended */
};

/** n its lock; s lab->lock, taken before n */
struct json {
	pthread_mutex_t lock;      /* a leaf: taken under any lock of the kernel */
	FILE *stream;              /* s */
	bool on;                   /* n  events are noted */
	uint64_t begun_ns;         /* n  host_clock_ns */
	char *text;                /* n  what has not been written yet */
	size_t len, size;          /* n  bytes */
	bool first;                /* n  nothing has been noted yet */
	bool full;                 /* n  the host had no memory: what followed was not noted */
	struct json_track *tracks; /* n  by pid, tid */
	size_t ntracks, tracks_size;
};

void json_init(struct json *json);
/** It has been stopped. */
void json_fini(struct json *json);

/* lab->lock is held: */

/** Begin a document in a stream. */
void json_start(struct json *json, FILE *stream);
/** Write its end, and forget the stream. Nothing if there is none. */
void json_stop(struct json *json);
/** Write what has been noted. */
void json_write(struct json *json);

/** How much may be noted before it should be written. */
#define JSON_BYTES (64 << 10)

/** A call has begun. @return bytes noted and not written */
size_t json_call_begins(struct json *json, struct ctx *ctx, const char *name);
/** It has ended; line: in strace's notation; returns: it has a result. */
size_t json_call_ends(struct json *json, struct ctx *ctx, const char *line, bool returns, long result);
/** Any other event. Any lock may be held. */
size_t json_event(struct json *json, struct ctx *ctx, const struct event *event);

#endif
