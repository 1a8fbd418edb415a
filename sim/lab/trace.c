// SPDX-License-Identifier: MIT
/*
 * The trace: each system call that has ended, as a line.
 *
 * The kernel's hook is set exactly while somebody reads: the config's callback for the machine's life, a stream from one
 * ksim_trace to the next. A call that began before the hook was cleared still comes here, and finds no stream.
 *
 * A call is told when it has ended, by its thread, before its result is seen by the program; so what one process's
 * calls made another one do may be told before them.
 *
 * I1  no byte goes to a stream after the ksim_trace that replaced it has returned
 *
 * Locking: lab->lock over writing a line and over a change of streams. Callbacks run without it.
 * Compared with: strace -f -y.
 */
#include "lab/lab.h"

#include <stdlib.h>

enum { LINE_BYTES = 1024 };

static void write_line(struct lab *lab, const struct process *process, const char *line)
{
	pthread_mutex_lock(&lab->lock);
	if (lab->stream != NULL)
		fprintf(lab->stream, "[%u] %s %s\n", process->owner.id, process->owner.name, line);
	pthread_mutex_unlock(&lab->lock);
}

void trace_call(void *arg, struct ctx *ctx, unsigned call, const uint64_t *args, long result, bool done)
{
	struct ksim_machine *m = arg;
	const struct process *process = ctx->task->process;
	char small[LINE_BYTES], *line = small;
	int len;

	if (!done)
		return;
	len = syscall_format(ctx, call, args, m->config.arch, result, small, sizeof(small));
	if (len >= LINE_BYTES) {
		char *large = malloc((size_t)len + 1);

		if (large != NULL) {
			syscall_format(ctx, call, args, m->config.arch, result, large, (size_t)len + 1);
			line = large;
		}
	}
	if (m->config.trace != NULL)
		m->config.trace(m->config.trace_arg, process_handle(process), line);
	write_line(m->lab, process, line);
	if (line != small)
		free(line);
}

void ksim_trace(struct ksim_machine *m, FILE *stream)
{
	struct lab *lab = m->lab;
	bool on = stream != NULL || m->config.trace != NULL;

	pthread_mutex_lock(&lab->lock);
	lab->stream = stream;
	__atomic_store_n(&lab_env(m)->hooks.trace, on ? trace_call : NULL, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&lab->lock);
}
