// SPDX-License-Identifier: MIT
/*
 * What programs still hold.
 *
 * One pass over a process: its table slot by slot, its address space region by region, and what is queued on the
 * sockets that it could receive from, and its children; each thing carries the call that made it and the mark before
 * that. Names are taken while a reference is held, and printed with no lock, since the reader of a report is anybody's
 * code. Messages can only be looked at under their socket's lock, and are noted there first.
 *
 *	for each process     borrow memory and files
 *	  for each slot      file with a reference -> line; a socket: its queue -> notes -> lines
 *	  for each region    copied out -> line
 *	for each child       copied out -> line
 *
 * A socket that has several descriptors in one table has one queue: its messages are told at the lowest of them.
 *
 * By which message a descriptor came is known of the slot that recvmsg filled. A dup of it was made by dup, and a
 * forked child's copy by fork: they would be there whichever way the first one had come.
 *
 * A child is held by who could wait for it: its parent, or init when that has ended.
 *
 * I1  each thing is counted once for a holder, and also counted if there is no memory to note its line
 *
 * Locking: none of its own.
 */
#include "lab/lab.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

/* A look for leaks. */
struct look {
	struct ctx ctx;
	uint64_t since;
	size_t found;
	struct unix_queued *queued; /* of one queue, or of all */
	size_t nqueued, noted;      /* found, and of these noted */
	size_t room;
};

enum { DESCRIBED_BYTES = 320 };

/* ---- messages ---- */

static void note_queued(void *arg, const struct unix_queued *queued)
{
	struct look *look = arg;

	if (queued->epoch < look->since)
		return;
	look->nqueued++;
	if (look->noted == look->room) {
		size_t room = look->room * 2 + 16;
		struct unix_queued *grown = realloc(look->queued, room * sizeof(*grown));

		if (grown == NULL)
			return;
		look->queued = grown;
		look->room = room;
	}
	look->queued[look->noted++] = *queued;
}

static void say_queued(struct look *look, const struct owner *holder)
{
	struct env *env = look->ctx.env;

	for (size_t i = 0; i < look->noted; i++) {
		const struct unix_queued *q = &look->queued[i];

		env_say(env,
		        "leak: %s (%u) holds queued message %" PRIu64
		        " of %s (%u), of %zu byte%s with %zu fd%s, made by %s",
		        holder->name, holder->id, q->number, q->owner->name, q->owner->id, q->bytes,
		        q->bytes == 1 ? "" : "s", q->nfiles, q->nfiles == 1 ? "" : "s", q->call);
	}
	if (look->nqueued > look->noted)
		env_say(env, "leak: %s (%u) holds %zu more queued messages, and no memory to name them", holder->name,
		        holder->id, look->nqueued - look->noted);
}

/* Of a socket, or (NULL) of all. */
static size_t collect_queued(struct look *look, struct file *file)
{
	look->nqueued = look->noted = 0;
	unix_for_each_queued(&look->ctx, file, note_queued, look);
	return look->nqueued;
}

static bool is_below(struct look *look, struct fdtable *files, int fd, const struct file *file)
{
	struct file *other;
	bool below = false;
	int at;

	for (int from = 0; !below && fdtable_next(&look->ctx, files, from, &at, &other, NULL); from = at + 1) {
		below = other == file && at < fd;
		file_put(&look->ctx, other);
		if (at >= fd)
			break;
	}
	return below;
}

static void look_at_queue(struct look *look, const struct owner *holder, struct fdtable *files, int fd,
                          struct file *file)
{
	if (!unix_is_socket(file) || collect_queued(look, file) == 0 || is_below(look, files, fd, file))
		return;
	say_queued(look, holder);
	look->found += look->nqueued;
}

/* ---- descriptors and mappings ---- */

static void say_fd(struct look *look, const struct owner *holder, int fd, const struct file *file,
                   const struct fd_slot *slot)
{
	const struct origin *opened = &file->origin;
	const struct fd_carrier *by = &slot->carrier;
	char described[DESCRIBED_BYTES], elsewhere[96] = "", carried[128] = "";

	file->ops->describe(file, described, sizeof(described));
	if (opened->owner != holder)
		snprintf(elsewhere, sizeof(elsewhere), ", opened by %s of %s (%u)", opened->call, opened->owner->name,
		         opened->owner->id);
	if (by->sender != NULL)
		snprintf(carried, sizeof(carried), ", came by message %" PRIu64 " of %s (%u), sent by %s", by->number,
		         by->sender->name, by->sender->id, by->call);
	env_say(look->ctx.env, "leak: %s (%u) holds fd %d -> %s, made by %s%s%s", holder->name, holder->id, fd,
	        described, slot->call, elsewhere, carried);
}

/* Standard input, output or error as the machine gave them: no program has opened them. */
static bool is_given(const struct look *look, int fd, const struct file *file)
{
	const struct ksim_machine *m = look->ctx.env->hooks.machine;

	for (size_t i = 0; fd <= STDERR_FILENO && i < ARRAY_SIZE(m->stdio); i++)
		if (m->stdio[i] == file)
			return true;
	return false;
}

static void look_at_files(struct look *look, const struct owner *holder, struct fdtable *files, bool queues)
{
	struct fd_slot slot;
	struct file *file;
	int fd;

	for (int from = 0; fdtable_next(&look->ctx, files, from, &fd, &file, &slot); from = fd + 1) {
		if (slot.epoch >= look->since && !is_given(look, fd, file)) {
			say_fd(look, holder, fd, file, &slot);
			look->found++;
		}
		if (queues)
			look_at_queue(look, holder, files, fd, file);
		file_put(&look->ctx, file);
		ctx_drain(&look->ctx);
	}
}

static void say_mapping(struct look *look, const struct owner *holder, const struct mm_region *r)
{
	env_say(look->ctx.env, "leak: %s (%u) holds mapping %#" PRIx64 "-%#" PRIx64 " %c%c%c%c of %s, made by %s",
	        holder->name, holder->id, r->start, r->end, r->prot & PROT_R ? 'r' : '-', r->prot & PROT_W ? 'w' : '-',
	        r->prot & PROT_X ? 'x' : '-', r->shared ? 's' : 'p', r->name[0] != '\0' ? r->name : "private memory",
	        r->call);
}

static void look_at_memory(struct look *look, const struct owner *holder, struct mm *mm)
{
	struct mm_region region;

	for (ksim_addr at = 0; mm_region(&look->ctx, mm, at, &region); at = region.end) {
		if (region.epoch < look->since)
			continue;
		say_mapping(look, holder, &region);
		look->found++;
	}
}

/* ---- children ---- */

/* Of a process, or (NULL) of all. */
static void look_at_children(struct look *look, struct kernel *kernel, const struct process *parent)
{
	struct process_child child;

	for (uint32_t after = 0; process_next_child(&look->ctx, kernel, parent, after, &child); after = child.pid) {
		if (child.epoch < look->since)
			continue;
		env_say(look->ctx.env, "leak: %s (%u) holds process %s (%u), %s, made by %s", child.parent->name,
		        child.parent->id, child.child->name, child.pid, child.ended ? "a zombie" : "alive", child.call);
		look->found++;
	}
}

/* ---- all of it ---- */

/* Takes over the references. */
static void look_at(struct look *look, const struct process *p, struct mm *mm, struct fdtable *files, bool alone)
{
	/* What several processes share is the first one's, when all are looked at. */
	if (alone || ref_count(&files->ref) <= 2 || !process_has_elder(&look->ctx, p, NULL, files))
		look_at_files(look, &p->owner, files, alone);
	if (alone || ref_count(&mm->ref) <= 2 || !process_has_elder(&look->ctx, p, mm, NULL))
		look_at_memory(look, &p->owner, mm);
	fdtable_put(&look->ctx, files);
	mm_put(&look->ctx, mm);
	ctx_drain(&look->ctx);
}

static void look_everywhere(struct look *look, struct kernel *kernel)
{
	struct fdtable *files;
	struct process *p;
	struct mm *mm;

	for (uint32_t after = 0; (p = process_next(&look->ctx, kernel, after, &mm, &files)) != NULL;
	     after = p->owner.id)
		look_at(look, p, mm, files, false);
	look_at_children(look, kernel, NULL);
	look->found += collect_queued(look, NULL);
	say_queued(look, &kernel->env.self);
}

size_t ksim_leaks(struct ksim_machine *m, const struct ksim_process *owner, uint64_t since)
{
	struct look look = { .since = since };
	struct fdtable *files;
	struct mm *mm;

	kernel_ctx(m->kernel, &look.ctx, "leaks");
	if (owner == NULL) {
		look_everywhere(&look, m->kernel);
	} else if (process_borrow(&look.ctx, owner->kernel, &mm, &files) == 0) {
		look_at(&look, owner->kernel, mm, files, true);
		look_at_children(&look, m->kernel, owner->kernel);
	}
	/* The last socket looked at may have lost all others who held it. */
	ctx_drain(&look.ctx);
	free(look.queued);
	return look.found;
}
