// SPDX-License-Identifier: MIT
/*
 * Reports for people: formatted once, handed on line by line.
 *
 * A text that fits the stack buffer is formatted there, a longer one in host memory; when there is none, the reader
 * gets the beginning.
 *
 * Locking: none; a hook that is called from several host threads takes care of itself.
 */
#include "base/env.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_BYTES = 1024 };

static void say_lines(const struct env_hooks *hooks, char *text)
{
	while (*text != '\0') {
		char *end = strchrnul(text, '\n');
		bool last = *end == '\0';

		*end = '\0';
		hooks->say(hooks->say_arg, text);
		text = last ? end : end + 1;
	}
}

void env_say(struct env *env, const char *format, ...)
{
	char small[TEXT_BYTES], *text = small;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(small, sizeof(small), format, args);
	va_end(args);
	if (n >= TEXT_BYTES) {
		char *large = malloc((size_t)n + 1);

		if (large != NULL) {
			va_start(args, format);
			vsnprintf(large, (size_t)n + 1, format, args);
			va_end(args);
			text = large;
		}
	}
	if (env->hooks.say != NULL)
		say_lines(&env->hooks, text);
	else if (*text != '\0')
		fprintf(stderr, "%s%s", text, text[strlen(text) - 1] == '\n' ? "" : "\n");
	if (text != small)
		free(text);
}
