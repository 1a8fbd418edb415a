/* SPDX-License-Identifier: MIT */
/*
 * A stream in memory.
 */
#ifndef UNIT_LAB_SINK_H
#define UNIT_LAB_SINK_H

#include <stdio.h>
#include <stdlib.h>

#include "harness.h"

struct sink {
	FILE *stream;
	char *text;
	size_t size;
};

static inline void sink_open(struct sink *sink)
{
	sink->text = NULL;
	sink->stream = open_memstream(&sink->text, &sink->size);
	SETUP(sink->stream != NULL);
}

static inline const char *sink_text(struct sink *sink)
{
	fflush(sink->stream);
	return sink->text;
}

static inline void sink_close(struct sink *sink)
{
	fclose(sink->stream);
	free(sink->text);
}

#endif
