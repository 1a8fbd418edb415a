// SPDX-License-Identifier: MIT
/*
 * What happens when an invariant is found broken: one sentence on standard error, and abort.
 *
 * The sentence is built in a buffer on the stack and leaves in one write, so that nothing of the host's that may be
 * broken by now (stdio's locks, the heap) is needed, and two threads' sentences do not mix.
 *
 * Locking: none.
 * Linux: BUG_ON.
 */
#include "base/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/env.h"
#include "base/util.h"

enum { SENTENCE_BYTES = 1024, LINE_BYTES = 512 };

/* The path of a source file from lib/ or sim/ or tests/ on, however the compiler was called. */
static const char *short_path(const char *path)
{
	const char *slash = path;
	int slashes = 0;

	for (const char *p = path; *p != '\0'; p++)
		slash = *p == '/' ? p : slash;
	for (; slash > path; slash--)
		if (*slash == '/' && ++slashes == 3)
			return slash + 1;
	return path;
}

void check_failed(const struct ctx *ctx, const char *invariant, const char *file, int line, const char *format, ...)
{
	char values[LINE_BYTES], sentence[SENTENCE_BYTES];
	va_list args;
	int n;

	va_start(args, format);
	vsnprintf(values, sizeof(values), format, args);
	va_end(args);
	if (ctx != NULL && ctx->owner != NULL)
		n = snprintf(sentence, sizeof(sentence), "ksim: broken invariant: %s: %s [%s (%u), in %s] at %s:%d\n",
		             invariant, values, ctx->owner->name, ctx->owner->id,
		             ctx->call != NULL ? ctx->call : "no call", short_path(file), line);
	else
		n = snprintf(sentence, sizeof(sentence), "ksim: broken invariant: %s: %s at %s:%d\n", invariant, values,
		             short_path(file), line);
	n = MIN(n, SENTENCE_BYTES - 1);
	if (write(STDERR_FILENO, sentence, (size_t)n) != n)
		abort();
	abort();
}

void check_broken(struct check_report *report, const char *invariant, const char *format, ...)
{
	char values[LINE_BYTES], text[SENTENCE_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(values, sizeof(values), format, args);
	va_end(args);
	report->broken++;
	if (report->line == NULL)
		return;
	snprintf(text, sizeof(text), "broken invariant: %s: %s", invariant, values);
	report->line(report->arg, text);
}
