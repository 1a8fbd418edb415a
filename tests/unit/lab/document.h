/* SPDX-License-Identifier: MIT */
/*
 * Reading what ksim_trace_json has written: a strict reader of JSON, for an array of trace events.
 */
#ifndef UNIT_LAB_DOCUMENT_H
#define UNIT_LAB_DOCUMENT_H

#include "bed.h"

struct trace_event {
	char ph[4];
	long pid, tid, id;
	double ts; /* -1: it has none */
	char cat[16];
	char name[64];
	char args[1024]; /* the object as it is written; "" if there is none */
};

struct document {
	struct trace_event *events;
	size_t n;
	const char *error; /* NULL: it is JSON, an array of objects */
	size_t error_at;
};

void document_read(struct document *doc, const char *text);
void document_free(struct document *doc);

/** Expect it to be sound: times never decrease, slices nest and end, each arrow that ends has begun before. */
void document_check(const struct document *doc);

/** The nth event, from 0 on, with these; NULL matches all. NULL: there is none. */
const struct trace_event *document_find(const struct document *doc, const char *ph, long pid, const char *name,
                                        size_t nth);

#endif
