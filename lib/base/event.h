/* SPDX-License-Identifier: MIT */
/*
 * What happens: each thing counted, and told to whoever listens.
 *
 *	event_count(ctx, kind, n)      a number grows; nothing else. event_count_of() where the task's are at hand
 *	EVENT(ctx, kind, .addr = ...)  the same by one, and env_hooks.event is called if it is set
 *	EVENT_TELL(ctx, kind, ...)     only the call, for things that are not counted, or counted elsewhere
 *
 * A number belongs to a task, which one host thread acts as at a time: so it grows by a load and a store, and others
 * read it when they like. What nobody's task does counts for the machine itself, by an atomic addition.
 *
 * Built with KSIM_NO_TRACE all of this is nothing, and so is the trace of system calls (syscall/dispatch.c).
 */
#ifndef BASE_EVENT_H
#define BASE_EVENT_H

#include "base/check.h"
#include "base/ctx.h"
#include "base/env.h"

#ifdef KSIM_NO_TRACE
#define EVENTS_COMPILED false
#else
#define EVENTS_COMPILED true
#endif

/** Something that happens; the kind says which of the members mean something. */
struct event {
	enum event_kind kind;
	uint64_t addr;    /* faults: where; shootdowns: from where */
	uint64_t end;     /* shootdowns: up to where */
	uint64_t pfn;     /* faults: the frame that is mapped now; 0: none, or it was there already */
	uint64_t copied;  /* copies: the frame that was copied */
	bool write;       /* faults: the access was a write */
	const char *what; /* blocking: for what; a string constant */
	uint32_t pid;     /* waking: whom; 0: a thread that acts as no process */
	uint32_t tid;
	uint64_t
		wake; /* waking, and the end of blocking: which wake-up it was; 0: none, but a deadline or a deadlock */
};

/** Count n for the task that the caller acts as, whose counts these are. */
static inline void event_count_of(struct event_counts *counts, enum event_kind kind, uint64_t n)
{
	uint64_t *count = &counts->n[kind];

	if (EVENTS_COMPILED)
		__atomic_store_n(count, __atomic_load_n(count, __ATOMIC_RELAXED) + n, __ATOMIC_RELAXED);
}

/** Count n. */
static inline void event_count(struct ctx *ctx, enum event_kind kind, uint64_t n)
{
	if (likely(ctx->task != NULL))
		event_count_of(ctx->counts, kind, n);
	else if (EVENTS_COMPILED)
		__atomic_fetch_add(&ctx->counts->n[kind], n, __ATOMIC_RELAXED);
}

/** Whether somebody listens. */
static inline bool event_heard(const struct ctx *ctx)
{
	return EVENTS_COMPILED && unlikely(__atomic_load_n(&ctx->env->hooks.event, __ATOMIC_RELAXED) != NULL);
}

/** Call the hook if it is still set. */
void event_tell(struct ctx *ctx, const struct event *event);

#define EVENT_TELL(ctx, k, ...)                                                           \
	do {                                                                              \
		if (event_heard(ctx))                                                     \
			event_tell((ctx), &(struct event){ .kind = (k), ##__VA_ARGS__ }); \
	} while (0)

/* Told first: who sees the count may be sure that whoever listened has heard. */
#define EVENT(ctx, k, ...)                             \
	do {                                           \
		EVENT_TELL((ctx), (k), ##__VA_ARGS__); \
		event_count((ctx), (k), 1);            \
	} while (0)

#endif
