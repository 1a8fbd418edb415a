// SPDX-License-Identifier: MIT
/*
 * Which process a host thread acts as: a stack per thread, its top is the one that acts.
 *
 *   depth 2  | client      task 2   enter            <- ksim_cpu_self is this task's
 *   depth 1  | compositor  task 3   run: sigjmp_buf
 *   depth 0  | client      task 2   (same task as above: it is already this thread's)
 *
 * A process that dies on this thread unwinds to the topmost run of its own, unless another process's entry lies
 * in between: nobody above it can be abandoned for somebody else's death.
 *
 * A thread that exits alone unwinds in the same way, and its process lives on.
 *
 * To act again as a process is to take the same task, whose TLB is warm: a small cache per thread remembers which
 * one that was. An entry may be stale, its machine even gone, so it is compared with the process's own pointer
 * and number, which are never used twice.
 *
 * I1  ksim_cpu_self is the TLB of the top entry's task, or the one that always misses
 * I2  the entry that claimed a task (owns) leaves it; entries of the same process above it only borrow it
 * I3  the thread counts as acting in a machine exactly while it has an entry of one of its processes that counts
 * I4  actor->task is the top entry's, NULL if there is none
 * I5  the mark in the host's mask is, while an entry is on top, its own or the one that it found; see mask.c
 */
#include "machine/machine.h"

#include "host/barrier.h"

#include <errno.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct entry {
	struct ksim_process *process;
	struct task *task;
	struct ksim_cpu *outer; /* ksim_cpu_self below this entry */
	sigjmp_buf *run;        /* where a death unwinds to; NULL: not here */
	struct mask_mark found; /* when it was pushed */
	bool owns;
	bool counts; /* this entry is what makes the thread count as acting */
};

#define CACHE_SIZE 16

struct actor {
	struct task *task;
	struct entry *stack;
	unsigned depth, capacity;
	unsigned unwound_to; /* a death is on its way to the run below; the entries from here on are to be left */
	int exit_code;       /* of a thread that is on its way there alone */
	enum task_actor kind;
	struct mask_marks marks;
	struct {
		const struct ksim_process *process;
		uint64_t number;
		struct task *task;
	} cache[CACHE_SIZE];
};

/* A CPU that always misses. */
static struct {
	struct ksim_cpu cpu;
	struct ksim_tlb_entry entry;
} no_cpu = { .entry = { .read_tag = KSIM_TLB_INVALID_, .write_tag = KSIM_TLB_INVALID_ } };
__thread struct ksim_cpu *ksim_cpu_self = &no_cpu.cpu;
/* Of a thread that has never acted: nothing, and no room for an entry. */
static struct actor stranger;
static __thread struct actor *self __attribute__((tls_model("initial-exec"))) = &stranger;

static pthread_once_t actor_once = PTHREAD_ONCE_INIT;
static pthread_key_t actor_key;

static void actor_free(void *arg)
{
	struct actor *actor = arg;

	free(actor->stack);
	free(actor);
	self = &stranger;
}

static void make_key(void)
{
	pthread_key_create(&actor_key, actor_free);
}

/* Make this thread's actor, or more room. NULL: no memory. */
static __attribute__((noinline, cold)) struct actor *actor_grow(void)
{
	struct entry *grown;

	if (self == &stranger) {
		struct actor *actor = calloc(1, sizeof(*actor));

		if (actor == NULL)
			return NULL;
		actor->kind = TASK_ACTOR_PROGRAM;
		mask_marks_init(&actor->marks);
		pthread_once(&actor_once, make_key);
		pthread_setspecific(actor_key, actor);
		self = actor;
	}
	grown = realloc(self->stack, (self->capacity * 2 + 8) * sizeof(*grown));
	if (grown == NULL)
		return NULL;
	self->stack = grown;
	self->capacity = self->capacity * 2 + 8;
	return self;
}

/* This thread's actor with room for one more entry; NULL: no memory. */
static struct actor *actor_ready(void)
{
	return likely(self->depth < self->capacity) ? self : actor_grow();
}

static struct entry *top(void)
{
	return self->depth > 0 ? &self->stack[self->depth - 1] : NULL;
}

struct task *acting_task(void)
{
	return self->task;
}

struct task *acting_task_for(const char *call)
{
	struct task *task = self->task;

	if (unlikely(task == NULL))
		machine_abort("%s: this thread acts as no process; use ksim_as, ksim_run or ksim_start", call);
	return task;
}

struct ksim_process *ksim_self(void)
{
	struct entry *entry = top();

	return entry != NULL ? entry->process : NULL;
}

/* ---- claiming a task ---- */

static size_t cache_slot(const struct ksim_process *p)
{
	return ((uintptr_t)p >> 6) % CACHE_SIZE;
}

int acting_claim(struct ksim_process *p, enum task_actor actor, struct task **out)
{
	struct ctx ctx;
	int err;

	kernel_ctx(p->machine->kernel, &ctx, "enter");
	ctx.owner = &p->kernel->owner;
	err = task_enter_any(&ctx, p->kernel, actor, out);
	ctx_drain(&ctx);
	return err;
}

static int claim(struct actor *actor, struct ksim_process *p, struct task **out)
{
	size_t slot = cache_slot(p);
	int err;

	if (likely(actor->cache[slot].process == p && actor->cache[slot].number == p->number) &&
	    task_enter(actor->cache[slot].task, actor->kind)) {
		*out = actor->cache[slot].task;
		return 0;
	}
	err = acting_claim(p, actor->kind, out);
	if (err == 0) {
		actor->cache[slot].process = p;
		actor->cache[slot].number = p->number;
		actor->cache[slot].task = *out;
	}
	return err;
}

/* The task that this thread has for p already, below; NULL: none. */
static struct task *borrowed(const struct actor *actor, const struct ksim_process *p)
{
	for (unsigned i = actor->depth; i-- > 0;)
		if (actor->stack[i].process == p)
			return actor->stack[i].task;
	return NULL;
}

/* ---- the stack ---- */

/* The entry above the top has been filled in: it becomes the top. */
static void push(struct actor *actor)
{
	struct entry *entry = &actor->stack[actor->depth++];

	entry->outer = ksim_cpu_self;
	entry->found = (struct mask_mark){ actor->marks.now, entry->task->blocked };
	ksim_cpu_self = entry->task->cpu;
	actor->task = entry->task;
#ifndef __x86_64__
	host_fence(); /* entering is a full fence, on which invalidation of idle tasks relies; x86's atomics are */
#endif
}

static int enter(struct ksim_process *p, sigjmp_buf *run)
{
	struct actor *actor = actor_ready();
	struct entry *entry;
	int err;

	if (unlikely(actor == NULL))
		return -ENOMEM;
	entry = &actor->stack[actor->depth];
	entry->process = p;
	entry->run = run;
	entry->counts = actor->depth == 0 || entry[-1].process->machine != p->machine;
	entry->task = borrowed(actor, p);
	entry->owns = entry->task == NULL;
	if (entry->owns) {
		err = claim(actor, p, &entry->task);
		if (err < 0)
			return err;
	}
	if (entry->counts)
		wait_acting_begin(&p->machine->kernel->env);
	push(actor);
	return 0;
}

/* The mark of the topmost entry goes with it; a jump may have brought another meanwhile. */
static struct entry *leave_mask(struct entry *entry)
{
	struct task *outer = self->depth > 1 ? entry[-1].task : NULL;

	if (likely(self->marks.now == entry->found.mark))
		return entry;
	mask_read(entry->task);
	if (outer != entry->task)
		mask_unwind(&self->marks, entry->found.mark, outer);
	return entry;
}

/* Leave all entries down to a depth. */
static void leave_to(unsigned depth)
{
	while (self->depth > depth) {
		const struct entry *entry = leave_mask(&self->stack[self->depth - 1]);
		/* task_leave may free the process's TLBs, but the process itself lives until its machine ends. */
		struct env *env = &entry->process->machine->kernel->env;
		bool counts = entry->counts;

		self->depth--;
		ksim_cpu_self = entry->outer;
		self->task = self->depth > 0 ? entry[-1].task : NULL;
		if (entry->owns)
			task_leave(entry->task);
		if (counts)
			wait_acting_end(env);
	}
}

struct mask_marks *acting_marks(const struct task *task, const struct mask_mark **found)
{
	if (unlikely(self->task != task || self->depth == 0))
		return NULL;
	*found = &top()->found;
	return &self->marks;
}

void acting_inherit(struct task *task)
{
	struct task *maker = self->task;

	task_renew(task,
	           maker != NULL && maker->process == task->process ? signal_mask(maker) : task->process->first_mask);
}

static void enter_or_abort(struct ksim_process *p)
{
	int err = enter(p, NULL);
	struct ksim_end end;

	if (likely(err == 0))
		return;
	end_export(p->kernel, &end);
	if (err == -ESRCH)
		machine_abort("entered a process that has ended: %s", end.text);
	machine_abort("cannot enter %s (%u): %s", p->kernel->owner.name, p->kernel->owner.id, strerrordesc_np(-err));
}

void ksim_enter(struct ksim_process *p)
{
	enter_or_abort(p);
}

void ksim_leave(void)
{
	if (self->depth == 0)
		machine_abort("ksim_leave: this thread acts as no process");
	leave_to(self->depth - 1);
}

struct ksim_as_scope ksim_as_begin_(struct ksim_process *p)
{
	enter_or_abort(p);
	return (struct ksim_as_scope){ .depth = self->depth - 1, .open = 1 };
}

void ksim_as_end_(struct ksim_as_scope *scope)
{
	leave_to(scope->depth);
}

/* ---- running and dying ---- */

/* Alone in its frame, so that no local variable lives across the second return of setjmp. */
static bool call_or_unwind(sigjmp_buf *run, int (*fn)(void *), void *arg, int *result)
{
	/* With the signal mask: who dies in a handler must not leave the handler's behind. */
	if (sigsetjmp(*run, 1) != 0) {
		/* Here and not where it died, which may be a signal handler: leaving frees memory. */
		leave_to(self->unwound_to);
		return false;
	}
	*result = fn(arg);
	return true;
}

int ksim_run(struct ksim_process *p, int (*fn)(void *), void *arg, struct ksim_end *end)
{
	sigjmp_buf run;
	int result = 0;
	int err = __atomic_load_n(&p->started, __ATOMIC_RELAXED) ? -EBUSY : enter(p, &run);
	bool returned;

	if (err < 0) {
		errno = -err;
		return -1;
	}
	returned = call_or_unwind(&run, fn, arg, &result);
	if (returned)
		leave_to(self->depth - 1);
	else
		result = self->exit_code;
	if (end != NULL) {
		end_export(p->kernel, end);
		if (end->alive)
			end->code = result;
	}
	return 0;
}

bool acting_call(struct ksim_process *p, struct task *task, enum task_actor kind, int (*fn)(void *), void *arg,
                 int *result)
{
	struct actor *actor = actor_ready();
	sigjmp_buf run;

	if (actor == NULL)
		machine_abort("a thread of %s has no memory to act", p->kernel->owner.name);
	actor->kind = kind;
	actor->stack[actor->depth] = (struct entry){
		.process = p,
		.task = task,
		.run = &run,
		.owns = true,
		.counts = true,
	};
	push(actor);
	return call_or_unwind(&run, fn, arg, result);
}

void acting_leave(void)
{
	leave_to(self->depth - 1);
}

void acting_leave_all(void)
{
	leave_to(0);
}

void acting_die(void)
{
	struct ksim_process *p = top()->process;
	bool alone = process_state(p->kernel) == PROCESS_ALIVE && task_has_exited(self->task);
	struct ksim_end end;

	self->exit_code = self->task->exit_code;
	for (unsigned i = self->depth; i-- > 0 && self->stack[i].process == p;) {
		sigjmp_buf *run = self->stack[i].run;
		bool ours = self->kind != TASK_ACTOR_PROGRAM && i == 0;

		if (run == NULL)
			continue;
		/* A thread of ours keeps its last entry until it has said how it ended. */
		self->unwound_to = ours ? 1 : i;
		siglongjmp(*run, 1);
	}
	if (p->died != NULL && alone) {
		/* A thread of the program's own. */
		acting_leave_all();
		pthread_exit(NULL);
	}
	if (p->died != NULL)
		p->died(p);
	if (alone)
		machine_abort("a thread of %s (%u) has exited, outside of ksim_run", p->kernel->owner.name,
		              p->kernel->owner.id);
	end_export(p->kernel, &end);
	machine_abort("%s", end.text);
}

void end_export(const struct process *process, struct ksim_end *out)
{
	struct process *p = (struct process *)process;
	enum process_state state;
	struct end end;
	struct ctx ctx;

	kernel_ctx(p->kernel, &ctx, "status");
	mutex_lock(&ctx, &p->lock);
	state = process_state(p);
	end = p->end;
	mutex_unlock(&ctx, &p->lock);
	memset(out, 0, sizeof(*out));
	out->alive = state == PROCESS_ALIVE;
	if (out->alive) {
		snprintf(out->text, sizeof(out->text), "%s (%u) lives", p->owner.name, p->owner.id);
		return;
	}
	out->code = end.code;
	out->signo = end.signo;
	out->si_code = end.si_code;
	out->addr = end.addr;
	memcpy(out->text, end.text, sizeof(out->text));
}

void ksim_process_status(const struct ksim_process *p, struct ksim_end *end)
{
	end_export(p->kernel, end);
}
