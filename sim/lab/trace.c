// SPDX-License-Identifier: MIT
/*
 * The trace: each system call that has ended, as a line; and all that happens, as JSON.
 *
 *	hooks.trace  -> trace_call   -> line -> the config's callback, the machine's stream, the process's stream
 *	                                     -> json.c
 *	hooks.event  -> trace_event  ---------> json.c
 *
 * The kernel's hooks are set exactly while somebody reads: the config's callback for the machine's life, a stream from
 * one call of ksim_trace, ksim_trace_process or ksim_trace_json to the next. What began before a hook was cleared still
 * comes here, and finds nobody.
 *
 * A call is told when it has ended, by its thread, before its result is seen by the program; so what one process's
 * calls made another one do may be told before them.
 *
 * I1  no byte goes to a stream after the call that replaced it has returned
 * I2  nothing is written to a stream while its thread holds a lock of the kernel
 *
 * Locking: lab->lock over writing and over a change of streams. Callbacks run without it.
 * Compared with: strace -f -y.
 */
#include "lab/lab.h"

#include "base/event.h"

#include <stdlib.h>

enum { LINE_BYTES = 1024 };

/* ---- one call ---- */

/* A line, in small if it fits there, else to be freed; cut when there is no memory. */
static char *format_line(struct ctx *ctx, unsigned call, const uint64_t *args, long result, char small[LINE_BYTES])
{
	int len = syscall_format(ctx, call, args, ctx->env->arch, result, small, LINE_BYTES);
	char *large = len >= LINE_BYTES ? malloc((size_t)len + 1) : NULL;

	if (large == NULL)
		return small;
	syscall_format(ctx, call, args, ctx->env->arch, result, large, (size_t)len + 1);
	return large;
}

static void write_line(struct lab *lab, const struct process *process, const char *line)
{
	FILE *own;

	pthread_mutex_lock(&lab->lock);
	own = process_handle(process)->trace;
	if (lab->stream != NULL)
		fprintf(lab->stream, "[%u] %s %s\n", process->owner.id, process->owner.name, line);
	if (own != NULL)
		fprintf(own, "%s\n", line);
	pthread_mutex_unlock(&lab->lock);
}

/* Whether anybody reads the lines of a process. */
static bool is_read(const struct ksim_machine *m, const struct process *process)
{
	struct lab *lab = m->lab;
	bool read;

	pthread_mutex_lock(&lab->lock);
	read = m->config.trace != NULL || lab->stream != NULL || lab->json.stream != NULL ||
	       process_handle(process)->trace != NULL;
	pthread_mutex_unlock(&lab->lock);
	return read;
}

/* Write what json.c has noted, if it is much and may be written here. */
static void write_noted(struct lab *lab, const struct ctx *ctx, size_t noted)
{
	if (noted < JSON_BYTES || ctx->held != 0)
		return;
	pthread_mutex_lock(&lab->lock);
	json_write(&lab->json);
	pthread_mutex_unlock(&lab->lock);
}

static void call_begins(struct lab *lab, struct ctx *ctx)
{
	write_noted(lab, ctx, json_call_begins(&lab->json, ctx, ctx->call));
}

static void call_ends(struct ksim_machine *m, struct ctx *ctx, unsigned call, const uint64_t *args, long result)
{
	enum syscall_call which = syscall_traced_call(call);
	bool returns = which != CALL_exit && which != CALL_exit_group;
	const struct process *process = ctx->task->process;
	struct lab *lab = m->lab;
	char small[LINE_BYTES];
	char *line = format_line(ctx, call, args, result, small);

	if (m->config.trace != NULL)
		m->config.trace(m->config.trace_arg, process_handle(process), line);
	write_line(lab, process, line);
	write_noted(lab, ctx, json_call_ends(&lab->json, ctx, line, returns, result));
	if (line != small)
		free(line);
}

static void trace_call(void *arg, struct ctx *ctx, unsigned call, const uint64_t *args, long result, bool done)
{
	struct ksim_machine *m = arg;

	if (!done)
		call_begins(m->lab, ctx);
	else if (is_read(m, ctx->task->process))
		call_ends(m, ctx, call, args, result);
}

static void trace_event(void *arg, struct ctx *ctx, const struct event *event)
{
	struct ksim_machine *m = arg;
	struct lab *lab = m->lab;

	write_noted(lab, ctx, json_event(&lab->json, ctx, event));
}

/* ---- who reads ---- */

/* lab->lock is held. */
static void set_hooks(struct ksim_machine *m)
{
	struct lab *lab = m->lab;
	struct env_hooks *hooks = &lab_env(m)->hooks;
	bool json = lab->json.stream != NULL;
	bool calls = json || lab->stream != NULL || lab->traced > 0 || m->config.trace != NULL;

	__atomic_store_n(&hooks->trace, calls ? trace_call : NULL, __ATOMIC_RELEASE);
	__atomic_store_n(&hooks->event, json ? trace_event : NULL, __ATOMIC_RELEASE);
}

int trace_attach(struct ksim_machine *m)
{
	struct lab *lab = m->lab;
	struct env_hooks *hooks = &lab_env(m)->hooks;

	if (!EVENTS_COMPILED && m->config.trace != NULL)
		return -ENOSYS;
	pthread_mutex_init(&lab->lock, NULL);
	json_init(&lab->json);
	hooks->trace_arg = hooks->event_arg = m;
	set_hooks(m);
	return 0;
}

void trace_detach(struct ksim_machine *m)
{
	struct lab *lab = m->lab;

	json_stop(&lab->json);
	json_fini(&lab->json);
	pthread_mutex_destroy(&lab->lock);
}

int ksim_trace(struct ksim_machine *m, FILE *stream)
{
	struct lab *lab = m->lab;

	if (!EVENTS_COMPILED && stream != NULL)
		return (int)machine_result(-ENOSYS);
	pthread_mutex_lock(&lab->lock);
	lab->stream = stream;
	set_hooks(m);
	pthread_mutex_unlock(&lab->lock);
	return 0;
}

int ksim_trace_process(struct ksim_process *p, FILE *stream)
{
	struct lab *lab = p->machine->lab;

	if (!EVENTS_COMPILED && stream != NULL)
		return (int)machine_result(-ENOSYS);
	pthread_mutex_lock(&lab->lock);
	lab->traced += stream != NULL;
	lab->traced -= p->trace != NULL;
	p->trace = stream;
	set_hooks(p->machine);
	pthread_mutex_unlock(&lab->lock);
	return 0;
}

int ksim_trace_json(struct ksim_machine *m, FILE *stream)
{
	struct lab *lab = m->lab;

	if (!EVENTS_COMPILED && stream != NULL)
		return (int)machine_result(-ENOSYS);
	pthread_mutex_lock(&lab->lock);
	json_stop(&lab->json);
	if (stream != NULL)
		json_start(&lab->json, stream);
	set_hooks(m);
	pthread_mutex_unlock(&lab->lock);
	return 0;
}
