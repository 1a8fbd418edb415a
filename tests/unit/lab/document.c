// SPDX-License-Identifier: MIT
/*
 * A reader of JSON by recursive descent, after RFC 8259, that accepts nothing else.
 */
#include "document.h"

#include <stdlib.h>

struct reader {
	const char *text, *at;
	const char *error;
	struct document *doc;
};

static bool fail(struct reader *r, const char *why)
{
	if (r->error == NULL)
		r->error = why;
	return false;
}

static void blanks(struct reader *r)
{
	r->at += strspn(r->at, " \t\r\n");
}

static bool eat(struct reader *r, char c)
{
	blanks(r);
	if (*r->at != c)
		return false;
	r->at++;
	return true;
}

static bool is_continuation(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* A character of a string that is not escaped. */
static bool character(struct reader *r)
{
	unsigned char c = (unsigned char)*r->at++;
	int more = c < 0x80 ? 0 : c < 0xc2 ? -1 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : c < 0xf5 ? 3 : -1;

	if (c < 0x20 || more < 0)
		return fail(r, "a byte that may not stand in a string");
	for (; more > 0; more--)
		if (!is_continuation(*r->at++))
			return fail(r, "no UTF-8");
	return true;
}

static bool escape(struct reader *r)
{
	char c = *++r->at;

	if (c == '\0' || strchr("\"\\/bfnrtu", c) == NULL)
		return fail(r, "an unknown escape");
	r->at++;
	if (c != 'u')
		return true;
	if (strspn(r->at, "0123456789abcdefABCDEF") < 4)
		return fail(r, "\\u without four digits");
	r->at += 4;
	return true;
}

/* The text between the quotes, as it is written. */
static bool string(struct reader *r, char *out, size_t size)
{
	const char *begin;

	if (!eat(r, '"'))
		return fail(r, "a string is missing");
	begin = r->at;
	while (*r->at != '"')
		if (!(*r->at == '\\' ? escape(r) : character(r)))
			return false;
	snprintf(out, size, "%.*s", (int)(r->at - begin), begin);
	r->at++;
	return true;
}

static bool digits(struct reader *r)
{
	size_t n = strspn(r->at, "0123456789");

	r->at += n;
	return n > 0 || fail(r, "digits are missing");
}

static bool number(struct reader *r, double *out)
{
	const char *begin = r->at;

	r->at += *r->at == '-';
	if (*r->at == '0' && r->at[1] >= '0' && r->at[1] <= '9')
		return fail(r, "a number begins with 0");
	if (!digits(r))
		return false;
	if (*r->at == '.') {
		r->at++;
		if (!digits(r))
			return false;
	}
	*out = strtod(begin, NULL);
	return true;
}

static bool value(struct reader *r);

/* Members of an object whose values do not matter. */
static bool object(struct reader *r)
{
	char key[64];

	if (!eat(r, '{'))
		return fail(r, "an object is missing");
	if (eat(r, '}'))
		return true;
	do
		if (!string(r, key, sizeof(key)) || (!eat(r, ':') && !fail(r, "a colon is missing")) || !value(r))
			return false;
	while (eat(r, ','));
	return eat(r, '}') || fail(r, "an object does not end");
}

static bool value(struct reader *r)
{
	char text[2];
	double n;

	blanks(r);
	if (*r->at == '{')
		return object(r);
	return *r->at == '"' ? string(r, text, sizeof(text)) : number(r, &n);
}

static bool event_value(struct reader *r, struct trace_event *e, const char *key)
{
	const char *begin;
	double n;

	blanks(r);
	begin = r->at;
	if (strcmp(key, "ph") == 0)
		return string(r, e->ph, sizeof(e->ph));
	if (strcmp(key, "cat") == 0)
		return string(r, e->cat, sizeof(e->cat));
	if (strcmp(key, "name") == 0)
		return string(r, e->name, sizeof(e->name));
	if (strcmp(key, "args") == 0) {
		if (!object(r))
			return false;
		snprintf(e->args, sizeof(e->args), "%.*s", (int)(r->at - begin), begin);
		return true;
	}
	if (*begin == '"')
		return value(r);
	if (!number(r, &n))
		return false;
	if (strcmp(key, "ts") == 0)
		e->ts = n;
	else if (strcmp(key, "pid") == 0)
		e->pid = (long)n;
	else if (strcmp(key, "tid") == 0)
		e->tid = (long)n;
	else if (strcmp(key, "id") == 0)
		e->id = (long)n;
	return true;
}

static bool event(struct reader *r)
{
	struct document *doc = r->doc;
	struct trace_event *e;
	char key[64];

	/* Twice the room at each power of two. */
	if ((doc->n & (doc->n - 1)) == 0)
		doc->events = realloc(doc->events, (doc->n > 0 ? 2 * doc->n : 1) * sizeof(*doc->events));
	SETUP(doc->events != NULL);
	e = &doc->events[doc->n++];
	*e = (struct trace_event){ .ts = -1, .id = -1, .pid = -1, .tid = -1 };
	if (!eat(r, '{'))
		return fail(r, "an event is missing");
	do
		if (!string(r, key, sizeof(key)) || (!eat(r, ':') && !fail(r, "a colon is missing")) ||
		    !event_value(r, e, key))
			return false;
	while (eat(r, ','));
	return eat(r, '}') || fail(r, "an event does not end");
}

static bool array(struct reader *r)
{
	if (!eat(r, '['))
		return fail(r, "no array");
	if (eat(r, ']'))
		return true;
	do
		if (!event(r))
			return false;
	while (eat(r, ','));
	return eat(r, ']') || fail(r, "the array does not end");
}

void document_read(struct document *doc, const char *text)
{
	struct reader r = { .text = text, .at = text, .doc = doc };

	*doc = (struct document){ 0 };
	if (array(&r)) {
		blanks(&r);
		if (*r.at != '\0')
			fail(&r, "something follows the array");
	}
	doc->error = r.error;
	doc->error_at = (size_t)(r.at - text);
}

void document_free(struct document *doc)
{
	free(doc->events);
}

/* ---- soundness ---- */

static void check_order(const struct document *doc)
{
	double last = 0;

	for (size_t i = 0; i < doc->n; i++) {
		const struct trace_event *e = &doc->events[i];

		if (strcmp(e->ph, "M") == 0)
			continue;
		EXPECT_MSG(e->ts >= last, "event %zu is at %f, behind one at %f", i, e->ts, last);
		last = e->ts;
	}
}

/* How deep the track of event i is after it. */
static void check_nesting(const struct document *doc)
{
	for (size_t i = 0; i < doc->n; i++) {
		const struct trace_event *e = &doc->events[i];
		long depth = 0;
		bool last = true;

		for (size_t j = 0; j < doc->n; j++) {
			const struct trace_event *other = &doc->events[j];

			if (other->pid != e->pid || other->tid != e->tid)
				continue;
			if (j <= i)
				depth += (other->ph[0] == 'B') - (other->ph[0] == 'E');
			else
				last = false;
		}
		EXPECT_MSG(depth >= 0, "event %zu ends what has not begun", i);
		EXPECT_MSG(!last || depth == 0, "%ld slices of %ld/%ld do not end", depth, e->pid, e->tid);
	}
}

static void check_arrows(const struct document *doc)
{
	for (size_t i = 0; i < doc->n; i++) {
		size_t begins = 0;

		if (doc->events[i].ph[0] != 'f')
			continue;
		for (size_t j = 0; j < i; j++)
			begins += doc->events[j].ph[0] == 's' && doc->events[j].id == doc->events[i].id;
		EXPECT_EQ(begins, 1u);
	}
}

void document_check(const struct document *doc)
{
	EXPECT_MSG(doc->error == NULL, "at byte %zu: %s", doc->error_at, doc->error);
	check_order(doc);
	check_nesting(doc);
	check_arrows(doc);
}

const struct trace_event *document_find(const struct document *doc, const char *ph, long pid, const char *name,
                                        size_t nth)
{
	for (size_t i = 0; i < doc->n; i++) {
		const struct trace_event *e = &doc->events[i];

		if ((ph == NULL || strcmp(e->ph, ph) == 0) && (pid < 0 || e->pid == pid) &&
		    (name == NULL || strcmp(e->name, name) == 0) && nth-- == 0)
			return e;
	}
	return NULL;
}
