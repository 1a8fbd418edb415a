// SPDX-License-Identifier: MIT
/*
 * Who shares what: a snapshot of the machine, from the processes down to the frames.
 *
 *	process --> fd ------> file ----> object --> frames
 *	        '-> mapping ------------> object
 *	                    '-----------------------> frames
 *	file of a socket --> queued message --> files
 *
 * Files and objects are met again and again and must be known again: they are found by their address, in a tree, which
 * identifies them as long as a reference is held. Files in flight are met last, and their queues, if they are sockets,
 * after them: the list of files grows behind the one that is looked at. When all has been copied the references go, so
 * that the picture can be drawn in peace.
 *
 * I1  while it gathers, each file and object on a list holds one reference, and none is on it twice
 * I2  order and numbers follow from pids, descriptors and addresses alone
 *
 * Locking: none of its own; each piece is copied under the locks of the kernel's function that gives it. A machine that
 * runs meanwhile is seen piece by piece: what moves from one place to another may be seen in both, or in neither.
 */
#include "lab/sharing.h"

#include "lab/frames.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>

/* NULL: the host has no memory, which is noted. */
static void *make(struct sharing *s, size_t size)
{
	void *memory = calloc(1, size);

	if (memory == NULL)
		s->err = -ENOMEM;
	return memory;
}

/* ---- what is met again: by key, which is the first member ---- */

static int by_key(const void *a, const void *b)
{
	const void *const *x = a, *const *y = b;

	return (uintptr_t)*x < (uintptr_t)*y ? -1 : (uintptr_t)*x > (uintptr_t)*y;
}

static void *known(void *const *tree, const void *key)
{
	void *const *node = tfind(&key, tree, by_key);

	return node != NULL ? *node : NULL;
}

/* false: no memory */
static bool know(struct sharing *s, void **tree, const void *item)
{
	if (tsearch(item, tree, by_key) != NULL)
		return true;
	s->err = -ENOMEM;
	return false;
}

static void forget_nothing(void *item)
{
	(void)item;
}

/* Takes over the reference. NULL: no memory. */
static struct shared_object *see_object(struct ctx *ctx, struct sharing *s, struct object *object, const char *name)
{
	struct shared_object *seen = known(&s->object_tree, object);

	if (seen == NULL) {
		seen = make(s, sizeof(*seen));
		if (seen != NULL) {
			seen->key = object;
			seen->shares.id = ++s->nshares;
			seen->size = object_size(object);
			snprintf(seen->name, sizeof(seen->name), "%s", name);
			if (know(s, &s->object_tree, seen)) {
				STAILQ_INSERT_TAIL(&s->objects, seen, link);
				return seen;
			}
			free(seen);
			seen = NULL;
		}
	}
	object_put(ctx, object);
	return seen;
}

static void describe_file(struct ctx *ctx, struct sharing *s, struct shared_file *seen, struct file *file)
{
	struct object *object = file->inode->object;

	file->ops->describe(file, seen->name, sizeof(seen->name));
	seen->readable = file_readable(file);
	seen->writable = file_writable(file);
	if (unix_is_socket(file))
		unix_ends(file, &seen->end, &seen->peer_end);
	if (object != NULL) {
		object_get(object);
		seen->object = see_object(ctx, s, object, seen->name);
	}
}

/* Takes over the reference. NULL: no memory. */
static struct shared_file *see_file(struct ctx *ctx, struct sharing *s, struct file *file)
{
	struct shared_file *seen = known(&s->file_tree, file);

	if (seen == NULL) {
		seen = make(s, sizeof(*seen));
		if (seen != NULL) {
			seen->key = file;
			if (know(s, &s->file_tree, seen)) {
				seen->id = ++s->nfiles;
				describe_file(ctx, s, seen, file);
				STAILQ_INSERT_TAIL(&s->files, seen, link);
				return seen;
			}
			free(seen);
			seen = NULL;
		}
	}
	file_put(ctx, file);
	return seen;
}

/* ---- frames ---- */

static bool more_uses(struct sharing *s, size_t n)
{
	size_t room = (s->nuses + n) * 2;
	struct shared_use *grown;

	if (s->nuses + n <= s->room)
		return true;
	grown = realloc(s->uses, room * sizeof(*grown));
	if (grown == NULL) {
		s->err = -ENOMEM;
		return false;
	}
	s->uses = grown;
	s->room = room;
	return true;
}

/* What s->runs has is used by who. */
static void see_uses(struct sharing *s, const struct shares *who)
{
	if (!more_uses(s, s->runs.n))
		return;
	for (size_t i = 0; i < s->runs.n; i++) {
		const struct frame_run *run = &s->runs.run[i];
		bool zeros = run->kind == FRAME_RUN_ZEROS;

		s->uses[s->nuses++] = (struct shared_use){
			.pfn = run->pfn.n, .n = zeros ? 1 : run->npages, .who = who, .zeros = zeros
		};
	}
}

/* ---- processes ---- */

static void see_fds(struct ctx *ctx, struct sharing *s, struct shared_process *p, struct fdtable *files)
{
	struct file *file;
	int at;

	for (int from = 0; s->err == 0 && fdtable_next(ctx, files, from, &at, &file, NULL); from = at + 1) {
		struct shared_fd *seen = make(s, sizeof(*seen));

		if (seen == NULL) {
			file_put(ctx, file);
			return;
		}
		seen->fd = at;
		STAILQ_INSERT_TAIL(&p->fds, seen, link);
		seen->file = see_file(ctx, s, file);
	}
}

static void see_mapping(struct ctx *ctx, struct sharing *s, struct shared_process *p, const struct mm_region *region,
                        struct object *object)
{
	struct shared_mapping *seen = make(s, sizeof(*seen));

	if (seen == NULL) {
		object_put(ctx, object);
		return;
	}
	seen->shares = (struct shares){ .id = ++s->nshares, .process = p };
	seen->region = *region;
	STAILQ_INSERT_TAIL(&p->mappings, seen, link);
	see_uses(s, &seen->shares);
	if (object != NULL)
		seen->object = see_object(ctx, s, object, region->name);
}

static void see_mappings(struct ctx *ctx, struct sharing *s, struct shared_process *p, struct mm *mm)
{
	struct mm_region region;
	struct object *object;
	int more = 1;

	for (ksim_addr at = 0; s->err == 0 && more > 0; at = region.end) {
		more = frames_of_region(ctx, mm, at, &region, &s->runs, &object);
		if (more > 0)
			see_mapping(ctx, s, p, &region, object);
		else if (more < 0)
			s->err = more;
	}
}

static void see_process(struct ctx *ctx, struct sharing *s, const struct owner *owner, struct mm *mm,
                        struct fdtable *files)
{
	struct shared_process *p = make(s, sizeof(*p));

	if (p == NULL)
		return;
	p->owner = owner;
	STAILQ_INIT(&p->fds);
	STAILQ_INIT(&p->mappings);
	STAILQ_INSERT_TAIL(&s->processes, p, link);
	see_fds(ctx, s, p, files);
	see_mappings(ctx, s, p, mm);
}

static void see_processes(struct ctx *ctx, struct sharing *s, struct kernel *kernel)
{
	struct fdtable *files;
	struct process *p;
	struct mm *mm;

	for (uint32_t after = 0; s->err == 0 && (p = process_next(ctx, kernel, after, &mm, &files)) != NULL;
	     after = p->owner.id) {
		see_process(ctx, s, &p->owner, mm, files);
		fdtable_put(ctx, files);
		mm_put(ctx, mm);
		ctx_drain(ctx);
	}
}

/* ---- what is in flight ---- */

struct queue_look {
	struct sharing *s;
	const struct shared_file *socket;
};

/* Under the socket's lock: copy, and take references. */
static void note_message(void *arg, const struct unix_queued *queued)
{
	const struct queue_look *look = arg;
	struct sharing *s = look->s;
	size_t n = queued->nfiles;
	struct shared_message *seen = make(s, sizeof(*seen) + 2 * n * sizeof(void *));

	if (seen == NULL)
		return;
	seen->id = ++s->nmessages;
	seen->socket = look->socket;
	seen->sender = queued->owner;
	seen->number = queued->number;
	seen->bytes = queued->bytes;
	seen->nfiles = n;
	seen->held = (struct file **)(void *)(seen->file + n);
	for (size_t i = 0; i < n; i++)
		file_get(seen->held[i] = queued->files[i]);
	STAILQ_INSERT_TAIL(&s->messages, seen, link);
}

static void see_files_of(struct ctx *ctx, struct sharing *s, struct shared_message *message)
{
	for (size_t i = 0; i < message->nfiles; i++)
		message->file[i] = see_file(ctx, s, message->held[i]);
}

/* Every message, and every file in one, which may be a socket that has messages. */
static void see_messages(struct ctx *ctx, struct sharing *s)
{
	struct shared_message *last = NULL, *next;
	struct shared_file *file;

	STAILQ_FOREACH(file, &s->files, link) {
		struct queue_look look = { .s = s, .socket = file };

		if (file->end == NULL || s->err != 0)
			continue;
		unix_for_each_queued(ctx, (struct file *)(uintptr_t)file->key, note_message, &look);
		while ((next = last != NULL ? STAILQ_NEXT(last, link) : STAILQ_FIRST(&s->messages)) != NULL) {
			see_files_of(ctx, s, next);
			last = next;
		}
	}
}

/* ---- all of it ---- */

static void see_objects(struct ctx *ctx, struct sharing *s)
{
	struct shared_object *object;

	STAILQ_FOREACH(object, &s->objects, link) {
		if (s->err == 0)
			s->err = frames_of_object(ctx, (struct object *)(uintptr_t)object->key, &s->runs);
		if (s->err == 0)
			see_uses(s, &object->shares);
	}
}

static int by_end(const void *a, const void *b)
{
	const struct shared_file *x = *(const struct shared_file *const *)a, *y = *(const struct shared_file *const *)b;

	return (uintptr_t)x->end < (uintptr_t)y->end ? -1 : (uintptr_t)x->end > (uintptr_t)y->end;
}

/* Which file is at the other end. */
static void see_peers(struct sharing *s)
{
	const struct shared_file **sorted = make(s, (s->nfiles + 1) * sizeof(struct shared_file *));
	struct shared_file *file;
	size_t n = 0;

	if (sorted == NULL)
		return;
	STAILQ_FOREACH(file, &s->files, link)
		if (file->end != NULL)
			sorted[n++] = file;
	qsort(sorted, n, sizeof(*sorted), by_end);
	STAILQ_FOREACH(file, &s->files, link) {
		const struct shared_file wanted = { .end = file->peer_end }, *key = &wanted;
		const struct shared_file **found = NULL;

		if (file->peer_end != NULL)
			found = bsearch(&key, sorted, n, sizeof(*sorted), by_end);
		file->peer = found != NULL ? *found : NULL;
	}
	free(sorted);
}

/* Give back what was held while it was gathered. */
static void let_go(struct ctx *ctx, struct sharing *s)
{
	struct shared_object *object;
	struct shared_file *file;

	STAILQ_FOREACH(file, &s->files, link)
		file_put(ctx, (struct file *)(uintptr_t)file->key);
	STAILQ_FOREACH(object, &s->objects, link)
		object_put(ctx, (struct object *)(uintptr_t)object->key);
	ctx_drain(ctx);
	tdestroy(s->file_tree, forget_nothing);
	tdestroy(s->object_tree, forget_nothing);
	free(s->runs.run);
}

int sharing_gather(struct ksim_machine *m, struct sharing *s)
{
	struct ctx ctx;

	*s = (struct sharing){ 0 };
	STAILQ_INIT(&s->processes);
	STAILQ_INIT(&s->files);
	STAILQ_INIT(&s->objects);
	STAILQ_INIT(&s->messages);
	kernel_ctx(m->kernel, &ctx, "dump_dot");
	see_processes(&ctx, s, m->kernel);
	see_messages(&ctx, s);
	see_objects(&ctx, s);
	see_peers(s);
	let_go(&ctx, s);
	return s->err;
}

static void process_fini(struct shared_process *p)
{
	struct shared_mapping *mapping;
	struct shared_fd *fd;

	while ((fd = STAILQ_FIRST(&p->fds)) != NULL) {
		STAILQ_REMOVE_HEAD(&p->fds, link);
		free(fd);
	}
	while ((mapping = STAILQ_FIRST(&p->mappings)) != NULL) {
		STAILQ_REMOVE_HEAD(&p->mappings, link);
		free(mapping);
	}
	free(p);
}

void sharing_fini(struct sharing *s)
{
	struct shared_message *message;
	struct shared_process *process;
	struct shared_object *object;
	struct shared_file *file;

	while ((process = STAILQ_FIRST(&s->processes)) != NULL) {
		STAILQ_REMOVE_HEAD(&s->processes, link);
		process_fini(process);
	}
	while ((message = STAILQ_FIRST(&s->messages)) != NULL) {
		STAILQ_REMOVE_HEAD(&s->messages, link);
		free(message);
	}
	while ((file = STAILQ_FIRST(&s->files)) != NULL) {
		STAILQ_REMOVE_HEAD(&s->files, link);
		free(file);
	}
	while ((object = STAILQ_FIRST(&s->objects)) != NULL) {
		STAILQ_REMOVE_HEAD(&s->objects, link);
		free(object);
	}
	free(s->uses);
}
