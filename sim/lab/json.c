// SPDX-License-Identifier: MIT
/*
 * The trace as a JSON document for viewers of Chrome's trace format: an array of events.
 *
 *	{"ph":"B","pid":2,"tid":2,"ts":12.345,"cat":"call","name":"recvmsg"}     a call begins
 *	{"ph":"B", ... "cat":"wait","name":"data on a unix socket"}              it sleeps
 *	{"ph":"f", ... "cat":"wake","id":7,"bp":"e"}                             the arrow from who woke it ends here
 *	{"ph":"E", ...}                                                          it sleeps no more
 *	{"ph":"E", ... "args":{"line":"recvmsg(3<...","result":4}}               it has ended
 *	{"ph":"i","s":"t", ... "cat":"fault","name":"fault: file","args":{...}}  a fault, outside of calls or in one
 *
 * A process is a process of the viewer, a task a thread. What no task does is shown as process 0, with a track for each
 * host thread that does it. Events come in places where nothing may be written, so each becomes text in memory at
 * once, and the text is written by a thread that holds no lock of the kernel.
 *
 * I1  in the document each track's slices nest: what ends has begun in it; what has not ended at its end is ended there
 * I2  times do not decrease from one event to the next, for the clock is read under the lock that orders them
 * I3  whatever a name contains, the document is JSON: of bytes that are no UTF-8 each becomes U+FFFD
 *
 * When the host has no memory left for text, events are no longer noted until the document is begun anew.
 *
 * Locking: json->lock, a leaf, over the text; lab->lock, taken before it, over writing.
 * Format: "Trace Event Format" of the Chromium project.
 */
#include "lab/json.h"

#include "base/event.h"
#include "host/wait.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void json_init(struct json *json)
{
	memset(json, 0, sizeof(*json));
	pthread_mutex_init(&json->lock, NULL);
}

void json_fini(struct json *json)
{
	pthread_mutex_destroy(&json->lock);
	free(json->text);
	free(json->tracks);
}

/* ---- text; json->lock is held ---- */

static bool make_room(struct json *json, size_t n)
{
	size_t size = json->size;
	char *grown;

	if (json->full)
		return false;
	if (json->len + n <= size)
		return true;
	size = MAX(size * 2, json->len + n + 4096);
	grown = realloc(json->text, size);
	json->full = grown == NULL;
	if (grown == NULL)
		return false;
	json->text = grown;
	json->size = size;
	return true;
}

static __attribute__((format(printf, 2, 3))) void add(struct json *json, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (n < 0 || !make_room(json, (size_t)n + 1))
		return;
	va_start(args, format);
	vsnprintf(json->text + json->len, (size_t)n + 1, format, args);
	va_end(args);
	json->len += (size_t)n;
}

static void add_bytes(struct json *json, const char *bytes, size_t n)
{
	if (!make_room(json, n))
		return;
	memcpy(json->text + json->len, bytes, n);
	json->len += n;
}

/* How many bytes the UTF-8 character at s has; 0: it is none. */
static size_t utf8_length(const char *s)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint8_t lead = (uint8_t)s[0];
	size_t n = lead < 0x80 ? 1 : lead >> 5 == 6 ? 2 : lead >> 4 == 14 ? 3 : lead >> 3 == 30 ? 4 : 0;
	uint32_t code = n > 1 ? lead & (0x7fu >> n) : lead;

	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (s[i] & 0x3f);
	}
	if (n > 1 && (code < least[n] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)))
		return 0;
	return n;
}

/* In quotes. */
static void add_string(struct json *json, const char *s)
{
	add_bytes(json, "\"", 1);
	while (*s != '\0') {
		size_t plain = strcspn(s, "\"\\");
		size_t n = 0, length = 1;

		while (n < plain && (uint8_t)s[n] >= ' ' && (uint8_t)s[n] != 0x7f && (length = utf8_length(s + n)) > 0)
			n += length;
		add_bytes(json, s, n);
		s += n;
		if (*s == '\0')
			break;
		if (length == 0)
			add(json, "\\ufffd");
		else if (*s == '"' || *s == '\\')
			add(json, "\\%c", *s);
		else
			add(json, "\\u%04x", (uint8_t)*s);
		s++;
	}
	add_bytes(json, "\"", 1);
}

/* ---- tracks ---- */

static int compare_tracks(const void *a, const void *b)
{
	const struct json_track *x = a, *y = b;

	return x->pid != y->pid ? (x->pid < y->pid ? -1 : 1) : (x->tid > y->tid) - (x->tid < y->tid);
}

static const char *separator(struct json *json)
{
	const char *text = json->first ? "[\n" : ",\n";

	json->first = false;
	return text;
}

static void name_thing(struct json *json, const char *what, uint32_t pid, uint32_t tid, const char *name)
{
	add(json, "%s{\"ph\":\"M\",\"pid\":%" PRIu32 ",\"tid\":%" PRIu32 ",\"name\":\"%s\",\"args\":{\"name\":",
	    separator(json), pid, tid, what);
	add_string(json, name);
	add(json, "}}");
}

static void name_track(struct json *json, const struct owner *owner, uint32_t tid, bool new_process)
{
	char name[64];

	if (new_process)
		name_thing(json, "process_name", owner->id, tid, owner->name);
	if (owner->id == 0)
		snprintf(name, sizeof(name), "host thread %" PRIu32, tid);
	else if (owner->id == tid)
		snprintf(name, sizeof(name), "%s", owner->name);
	else
		snprintf(name, sizeof(name), "%s thread %" PRIu32, owner->name, tid);
	name_thing(json, "thread_name", owner->id, tid, name);
}

/* Put a new track where it belongs among the others; NULL: no memory. */
static struct json_track *insert_track(struct json *json, const struct json_track *track, size_t at)
{
	if (json->ntracks == json->tracks_size) {
		size_t size = json->tracks_size * 2 + 16;
		struct json_track *grown = realloc(json->tracks, size * sizeof(*grown));

		json->full |= grown == NULL;
		if (grown == NULL)
			return NULL;
		json->tracks = grown;
		json->tracks_size = size;
	}
	memmove(&json->tracks[at + 1], &json->tracks[at], (json->ntracks - at) * sizeof(*track));
	json->ntracks++;
	json->tracks[at] = *track;
	return &json->tracks[at];
}

/* The caller's track; NULL: no memory, or nothing is noted. */
static struct json_track *track_of(struct json *json, const struct ctx *ctx)
{
	const struct owner *owner = ctx->task != NULL ? &ctx->task->process->owner : &ctx->env->self;
	struct json_track key = { .pid = owner->id, .tid = ctx->task != NULL ? ctx->task->tid : (uint32_t)gettid() };
	size_t low = 0, high = json->ntracks;
	struct json_track *track;
	bool new_process;

	if (!json->on || json->full)
		return NULL;
	while (low < high) {
		size_t middle = (low + high) / 2;

		if (compare_tracks(&json->tracks[middle], &key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < json->ntracks && compare_tracks(&json->tracks[low], &key) == 0)
		return &json->tracks[low];
	new_process = (low == 0 || json->tracks[low - 1].pid != key.pid) &&
	              (low == json->ntracks || json->tracks[low].pid != key.pid);
	track = insert_track(json, &key, low);
	if (track != NULL)
		name_track(json, owner, key.tid, new_process);
	return track;
}

/* ---- events ---- */

/* One entry into the text: all of it, or nothing when there is no memory. */
struct entry {
	struct json_track *track; /* NULL: nothing is noted */
	size_t len;
	unsigned depth;
	bool first;
};

static struct entry open_entry(struct json *json, const struct ctx *ctx)
{
	struct entry entry = { .len = json->len, .first = json->first };

	entry.track = track_of(json, ctx);
	if (entry.track != NULL)
		entry.depth = entry.track->depth;
	return entry;
}

/* @return bytes noted and not written */
static size_t close_entry(struct json *json, const struct entry *entry)
{
	if (json->full) {
		json->len = entry->len;
		json->first = entry->first;
		if (entry->track != NULL)
			entry->track->depth = entry->depth;
	}
	return json->len;
}

/* What every event has; its closing brace is still to come. */
static void begin_event(struct json *json, const struct json_track *track, const char *ph)
{
	uint64_t ns = host_clock_ns() - json->begun_ns;

	add(json, "%s{\"ph\":\"%s\",\"pid\":%" PRIu32 ",\"tid\":%" PRIu32 ",\"ts\":%" PRIu64 ".%03u", separator(json),
	    ph, track->pid, track->tid, ns / 1000, (unsigned)(ns % 1000));
}

static void begin_slice(struct json *json, struct json_track *track, const char *category, const char *name)
{
	begin_event(json, track, "B");
	add(json, ",\"cat\":\"%s\",\"name\":", category);
	add_string(json, name);
	add(json, "}");
	track->depth++;
}

static void instant(struct json *json, const struct json_track *track, const char *category, const char *name)
{
	begin_event(json, track, "i");
	add(json, ",\"s\":\"t\",\"cat\":\"%s\",\"name\":", category);
	add_string(json, name);
	add(json, ",\"args\":{");
}

static void note_fault(struct json *json, const struct json_track *track, const struct event *event)
{
	static const char *const names[] = {
		[EVENT_FAULT_FILE] = "fault: file",     [EVENT_FAULT_ANON] = "fault: anonymous",
		[EVENT_FAULT_ZERO] = "fault: zeros",    [EVENT_FAULT_COPY] = "fault: copy on write",
		[EVENT_FAULT_REUSE] = "fault: reuse",   [EVENT_FAULT_OTHER] = "fault: there already",
		[EVENT_FAULT_SEGV] = "fault: SIGSEGV",  [EVENT_FAULT_BUS] = "fault: SIGBUS",
		[EVENT_FAULT_OOM] = "fault: no memory",
	};

	instant(json, track, "fault", names[event->kind]);
	add(json, "\"address\":\"%#" PRIx64 "\",\"access\":\"%s\"", event->addr, event->write ? "write" : "read");
	if (event->copied != 0)
		add(json, ",\"copied pfn\":%" PRIu64, event->copied);
	if (event->pfn != 0)
		add(json, ",\"pfn\":%" PRIu64, event->pfn);
	add(json, "}}");
}

static void note_wake(struct json *json, const struct json_track *track, const struct event *event)
{
	instant(json, track, "wake", "wake");
	add(json, "\"pid\":%" PRIu32 ",\"tid\":%" PRIu32 "}}", event->pid, event->tid);
	begin_event(json, track, "s");
	add(json, ",\"cat\":\"wake\",\"name\":\"wake\",\"id\":%" PRIu64 "}", event->wake);
}

static void note_unblock(struct json *json, struct json_track *track, const struct event *event)
{
	if (track->depth == 0)
		return;
	if (event->wake != 0) {
		begin_event(json, track, "f");
		add(json, ",\"cat\":\"wake\",\"name\":\"wake\",\"id\":%" PRIu64 ",\"bp\":\"e\"}", event->wake);
	}
	begin_event(json, track, "E");
	add(json, "}");
	track->depth--;
}

static void note(struct json *json, struct json_track *track, const struct event *event)
{
	switch (event->kind) {
	case EVENT_SHOOTDOWN:
	case EVENT_BARRIER:
		instant(json, track, "tlb", event->kind == EVENT_SHOOTDOWN ? "shootdown" : "shootdown: barrier");
		add(json, "\"from\":\"%#" PRIx64 "\",\"to\":\"%#" PRIx64 "\"}}", event->addr, event->end);
		break;
	case EVENT_BLOCK:
		begin_slice(json, track, "wait", event->what);
		break;
	case EVENT_UNBLOCK:
		note_unblock(json, track, event);
		break;
	case EVENT_WAKE:
		note_wake(json, track, event);
		break;
	default:
		note_fault(json, track, event);
	}
}

size_t json_event(struct json *json, struct ctx *ctx, const struct event *event)
{
	struct entry entry;
	size_t len;

	pthread_mutex_lock(&json->lock);
	entry = open_entry(json, ctx);
	if (entry.track != NULL)
		note(json, entry.track, event);
	len = close_entry(json, &entry);
	pthread_mutex_unlock(&json->lock);
	return len;
}

size_t json_call_begins(struct json *json, struct ctx *ctx, const char *name)
{
	struct entry entry;
	size_t len;

	pthread_mutex_lock(&json->lock);
	entry = open_entry(json, ctx);
	if (entry.track != NULL)
		begin_slice(json, entry.track, "call", name);
	len = close_entry(json, &entry);
	pthread_mutex_unlock(&json->lock);
	return len;
}

static void note_call_end(struct json *json, struct json_track *track, const char *line, bool returns, long result)
{
	if (track->depth > 0) {
		begin_event(json, track, "E");
		add(json, ",\"args\":{");
		track->depth--;
	} else {
		instant(json, track, "call", "end of a call"); /* which began before the document did */
	}
	add(json, "\"line\":");
	add_string(json, line);
	if (returns)
		add(json, ",\"result\":%ld", result);
	add(json, "}}");
}

size_t json_call_ends(struct json *json, struct ctx *ctx, const char *line, bool returns, long result)
{
	struct entry entry;
	size_t len;

	pthread_mutex_lock(&json->lock);
	entry = open_entry(json, ctx);
	if (entry.track != NULL)
		note_call_end(json, entry.track, line, returns, result);
	len = close_entry(json, &entry);
	pthread_mutex_unlock(&json->lock);
	return len;
}

/* ---- documents; lab->lock is held ---- */

void json_write(struct json *json)
{
	char *text;
	size_t len;

	pthread_mutex_lock(&json->lock);
	text = json->text;
	len = json->len;
	json->text = NULL;
	json->len = json->size = 0;
	pthread_mutex_unlock(&json->lock);
	if (json->stream != NULL && len > 0)
		fwrite(text, 1, len, json->stream);
	free(text);
}

void json_start(struct json *json, FILE *stream)
{
	pthread_mutex_lock(&json->lock);
	json->stream = stream;
	json->len = 0;
	json->ntracks = 0;
	json->first = true;
	json->full = false;
	json->begun_ns = host_clock_ns();
	json->on = true;
	pthread_mutex_unlock(&json->lock);
}

/* End a slice that has not ended. */
static void end_slice(struct json *json, const struct json_track *track)
{
	uint64_t ns = host_clock_ns() - json->begun_ns;

	fprintf(json->stream, ",\n{\"ph\":\"E\",\"pid\":%" PRIu32 ",\"tid\":%" PRIu32 ",\"ts\":%" PRIu64 ".%03u}",
	        track->pid, track->tid, ns / 1000, (unsigned)(ns % 1000));
}

void json_stop(struct json *json)
{
	if (json->stream == NULL)
		return;
	pthread_mutex_lock(&json->lock);
	json->on = false;
	pthread_mutex_unlock(&json->lock);
	/* Nobody else looks at the tracks any more. */
	json_write(json);
	for (size_t i = 0; i < json->ntracks; i++)
		for (struct json_track *track = &json->tracks[i]; track->depth > 0; track->depth--)
			end_slice(json, track);
	fputs(json->first ? "[\n]\n" : "\n]\n", json->stream);
	fflush(json->stream);
	json->stream = NULL;
}
