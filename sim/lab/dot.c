// SPDX-License-Identifier: MIT
/*
 * Who shares what, in Graphviz's DOT language.
 *
 *	+- client (2) -----------------+                    +- RAM ----------------+
 *	| (fd 0) ----------------------|--> file ------.    |                      |
 *	| [7fffeffe0000- rw-s] --------|----------> object --> [pfn 17-20]         |
 *	+------------------------------+             .------>  shared by 2         |
 *	+- compositor (3) -------------+            /       |                      |
 *	| [7fffeffe0000- r--s] --------|-----------'        +----------------------+
 *	+------------------------------+
 *
 * A node in RAM is a group of frames (groups.c): its arrows come from every mapping whose page table has them, and from
 * the object that they are pages of. So what two processes share is what both have an arrow to; private memory after
 * fork is, until one of them writes. A file stands between descriptor and object, since that is what dup, fork and
 * messages share; a message in a queue points to the files that it brings.
 *
 * Names are bytes of anybody's choice: whatever is not printable ASCII is written as \ooo, and what would end a string
 * or begin an entity is escaped.
 *
 * Locking: none: it draws a copy.
 * Linux: /proc/pid/maps, /proc/pid/pagemap and /proc/pid/fd together; nothing there draws them.
 */
#include "lab/sharing.h"

#include <inttypes.h>
#include <stdarg.h>

enum { RANGES_A_LINE = 4, RANGES_MAX = 24 };

/* A name as part of a quoted string. */
static void put_text(FILE *stream, const char *text)
{
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			fprintf(stream, "\\%c", c);
		else if (c == '&')
			fputs("&amp;", stream);
		else if (c < ' ' || c > '~')
			fprintf(stream, "\\\\%03o", c);
		else
			fputc(c, stream);
	}
}

/* A label of two lines; the first is a name. The format is of the second, which holds no name. */
__attribute__((format(printf, 3, 4))) static void put_label(FILE *stream, const char *name, const char *format, ...)
{
	va_list args;

	fputs("label=\"", stream);
	put_text(stream, name);
	fputs("\\n", stream);
	va_start(args, format);
	vfprintf(stream, format, args);
	va_end(args);
	fputc('"', stream);
}

/* ---- nodes ---- */

static void put_mapping(FILE *stream, const struct shared_mapping *mapping)
{
	const struct mm_region *r = &mapping->region;

	fprintf(stream, "\t\tmapping%u [", mapping->shares.id);
	put_label(stream, r->name[0] != '\0' ? r->name : "private memory", "%" PRIx64 "-%" PRIx64 " %c%c%c%c", r->start,
	          r->end, r->prot & PROT_R ? 'r' : '-', r->prot & PROT_W ? 'w' : '-', r->prot & PROT_X ? 'x' : '-',
	          r->shared ? 's' : 'p');
	fputs("];\n", stream);
}

static void put_process(FILE *stream, const struct shared_process *p)
{
	const struct shared_mapping *mapping;
	const struct shared_fd *fd;
	uint32_t pid = p->owner->id;

	fprintf(stream, "\tsubgraph cluster_process%u {\n\t\tlabel=\"", pid);
	put_text(stream, p->owner->name);
	fprintf(stream, " (%u)\"; style=\"rounded,filled\"; fillcolor=\"#e8eef7\";\n", pid);
	/* A cluster without nodes is not drawn. */
	if (STAILQ_EMPTY(&p->fds) && STAILQ_EMPTY(&p->mappings))
		fprintf(stream, "\t\tempty%u [label=\"holds nothing\", shape=plaintext, style=\"\"];\n", pid);
	STAILQ_FOREACH(fd, &p->fds, link)
		fprintf(stream, "\t\tfd%u_%d [label=\"fd %d\", shape=ellipse];\n", pid, fd->fd, fd->fd);
	STAILQ_FOREACH(mapping, &p->mappings, link)
		put_mapping(stream, mapping);
	fputs("\t}\n", stream);
}

static void put_file(FILE *stream, const struct shared_file *file)
{
	static const char *const modes[] = { "for nothing", "for reading", "for writing", "for reading and writing" };

	fprintf(stream, "\tfile%u [", file->id);
	put_label(stream, file->name, "open %s", modes[(file->readable ? 1 : 0) | (file->writable ? 2 : 0)]);
	fputs(", shape=note];\n", stream);
}

static void put_object(FILE *stream, const struct shared_object *object)
{
	fprintf(stream, "\tobject%u [", object->shares.id);
	put_label(stream, object->name, "%" PRIu64 " bytes", object->size);
	fputs(", shape=cylinder];\n", stream);
}

static void put_message(FILE *stream, const struct shared_message *message)
{
	fprintf(stream, "\tmessage%u [label=\"message %" PRIu64 " of ", message->id, message->number);
	put_text(stream, message->sender->name);
	fprintf(stream, " (%u)\\n%zu byte%s\", shape=cds, margin=\"0.2,0.1\"];\n", message->sender->id, message->bytes,
	        message->bytes == 1 ? "" : "s");
}

/* ---- frames ---- */

static size_t group_end(const struct frame_groups *groups, size_t from)
{
	size_t end = from;

	while (end < groups->nparts && groups->part[end].group == groups->part[from].group)
		end++;
	return end;
}

/* Processes that map it. Mappings are numbered process by process. */
static unsigned processes_of(const struct frame_part *part)
{
	const struct shared_process *last = NULL;
	unsigned n = 0;

	for (size_t i = 0; i < part->nwho; i++) {
		const struct shared_process *process = part->who[i]->process;

		n += process != NULL && process != last;
		last = process != NULL ? process : last;
	}
	return n;
}

/* "17-20, 25" and so on, four in a line. @return frames in all */
static uint64_t put_ranges(FILE *stream, const struct frame_part *part, size_t n)
{
	uint64_t total = 0, length;
	unsigned nranges = 0;

	for (size_t i = 0; i < n; total += length) {
		uint64_t first = part[i].pfn;

		length = 0;
		while (i < n && part[i].pfn == first + length)
			length += part[i++].n;
		if (++nranges > RANGES_MAX)
			continue;
		fputs(nranges == 1 ? "" : nranges % RANGES_A_LINE == 1 ? ",\\n" : ", ", stream);
		fprintf(stream, "%" PRIu64, first);
		if (length > 1)
			fprintf(stream, "-%" PRIu64, first + length - 1);
	}
	if (nranges > RANGES_MAX)
		fprintf(stream, ",\\nand %u more", nranges - RANGES_MAX);
	return total;
}

static void put_group(FILE *stream, const struct frame_part *part, size_t nparts)
{
	unsigned nprocesses = processes_of(part);
	uint64_t nframes;

	fprintf(stream, "\t\tframes%" PRIu64 " [label=\"pfn ", part->group);
	nframes = put_ranges(stream, part, nparts);
	fprintf(stream, "\\n%" PRIu64 " frame%s%s", nframes, nframes == 1 ? "" : "s", part->zeros ? " of zeros" : "");
	if (nprocesses == 0)
		fputs(", not mapped", stream);
	else if (nprocesses > 1)
		fprintf(stream, ", shared by %u processes", nprocesses);
	fprintf(stream, "\"%s];\n", nprocesses > 1 ? ", fillcolor=\"#ffe28a\"" : "");
}

static void put_frames(FILE *stream, const struct frame_groups *groups)
{
	if (groups->nparts == 0)
		return;
	fputs("\tsubgraph cluster_ram {\n\t\tlabel=\"RAM\"; style=\"rounded\";\n", stream);
	for (size_t i = 0, end; i < groups->nparts; i = end) {
		end = group_end(groups, i);
		put_group(stream, &groups->part[i], end - i);
	}
	fputs("\t}\n", stream);
}

/* ---- arrows ---- */

static void put_frame_arrows(FILE *stream, const struct frame_groups *groups)
{
	for (size_t i = 0; i < groups->nparts; i = group_end(groups, i)) {
		const struct frame_part *part = &groups->part[i];

		for (size_t j = 0; j < part->nwho; j++)
			fprintf(stream, "\t%s%u -> frames%" PRIu64 ";\n",
			        part->who[j]->process != NULL ? "mapping" : "object", part->who[j]->id, part->group);
	}
}

static void put_process_arrows(FILE *stream, const struct shared_process *p)
{
	const struct shared_mapping *mapping;
	const struct shared_fd *fd;

	STAILQ_FOREACH(fd, &p->fds, link)
		fprintf(stream, "\tfd%u_%d -> file%u;\n", p->owner->id, fd->fd, fd->file->id);
	STAILQ_FOREACH(mapping, &p->mappings, link)
		if (mapping->object != NULL)
			fprintf(stream, "\tmapping%u -> object%u [style=dashed];\n", mapping->shares.id,
			        mapping->object->shares.id);
}

static void put_file_arrows(FILE *stream, const struct shared_file *file)
{
	if (file->object != NULL)
		fprintf(stream, "\tfile%u -> object%u;\n", file->id, file->object->shares.id);
	if (file->peer != NULL && (file->peer->peer != file || file->id < file->peer->id))
		fprintf(stream, "\tfile%u -> file%u [dir=both, style=dotted, constraint=false];\n", file->id,
		        file->peer->id);
}

static void put_message_arrows(FILE *stream, const struct shared_message *message)
{
	fprintf(stream, "\tfile%u -> message%u [label=\"queued\"];\n", message->socket->id, message->id);
	for (size_t i = 0; i < message->nfiles; i++)
		fprintf(stream, "\tmessage%u -> file%u;\n", message->id, message->file[i]->id);
}

/* ---- all of it ---- */

static void put_graph(FILE *stream, const struct sharing *s, const struct frame_groups *groups)
{
	const struct shared_message *message;
	const struct shared_process *process;
	const struct shared_object *object;
	const struct shared_file *file;

	fputs("digraph ksim {\n\trankdir=LR;\n\tnode [shape=box, style=filled, fillcolor=white];\n", stream);
	STAILQ_FOREACH(process, &s->processes, link)
		put_process(stream, process);
	STAILQ_FOREACH(file, &s->files, link)
		put_file(stream, file);
	STAILQ_FOREACH(message, &s->messages, link)
		put_message(stream, message);
	STAILQ_FOREACH(object, &s->objects, link)
		put_object(stream, object);
	put_frames(stream, groups);
	STAILQ_FOREACH(process, &s->processes, link)
		put_process_arrows(stream, process);
	STAILQ_FOREACH(file, &s->files, link)
		put_file_arrows(stream, file);
	STAILQ_FOREACH(message, &s->messages, link)
		put_message_arrows(stream, message);
	put_frame_arrows(stream, groups);
	fputs("}\n", stream);
}

int ksim_dump_dot(struct ksim_machine *m, FILE *stream)
{
	struct frame_groups groups = { 0 };
	struct sharing sharing;
	int err = sharing_gather(m, &sharing);

	if (err == 0)
		err = groups_make(&sharing, &groups);
	if (err == 0) {
		flockfile(stream);
		put_graph(stream, &sharing, &groups);
		funlockfile(stream);
	}
	groups_fini(&groups);
	sharing_fini(&sharing);
	return dump_result(err, stream);
}
