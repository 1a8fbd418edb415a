// SPDX-License-Identifier: MIT
/*
 * What becomes of a fault: a handler runs on the thread that faulted, or the process ends.
 *
 * The kernel returned a fault as a value; here it meets the process's signal actions. A handler runs as a plain
 * call: it may return, and the access is tried again; map memory first, so that it then succeeds; or jump away.
 *
 * Linux: kernel/signal.c (force_sig_fault), signal(7). A fault whose signal is blocked or ignored ends the process.
 */
#include "cpu/cpu.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "read of 4 at 0x7f00003ffc, page 3 of /memfd:wl_shm, size 16384" */
static void describe_access(struct task *task, const struct fault *fault, unsigned size, enum access access, char *text,
                            size_t room)
{
	static const char *const verbs[] = {
		[ACCESS_READ] = "read", [ACCESS_WRITE] = "write", [ACCESS_EXEC] = "execution"
	};
	const char *verb = verbs[access];
	struct mm_region region;
	int n;

	if (fault->signo == SIGKILL) {
		n = fault->limited
		            ? snprintf(text, room, "its group's limit of %" PRIu64 " bytes is reached: ", fault->limit)
		            : 0;
		snprintf(text + n, room - (size_t)n, "no memory for %s: %s at %#" PRIx64, fault->why, verb,
		         fault->addr);
		return;
	}
	n = size != 0 ? snprintf(text, room, "%s of %u at %#" PRIx64, verb, size, fault->addr)
	              : snprintf(text, room, "%s at %#" PRIx64, verb, fault->addr);
	if (n < 0 || (size_t)n >= room)
		return;
	if (fault->signo == SIGBUS && fault->code == BUS_ADRALN) {
		snprintf(text + n, room - (size_t)n, ", which is no multiple of %u", size);
		return;
	}
	if (!mm_region(&task->ctx, task->ctx.mm, fault->addr, &region) || region.start > fault->addr) {
		snprintf(text + n, room - (size_t)n, ", where nothing is mapped");
		return;
	}
	if (region.name[0] != '\0')
		n += snprintf(text + n, room - (size_t)n, ", page %" PRIu64 " of %s",
		              (region.offset + fault->addr - region.start) >> PAGE_SHIFT, region.name);
	if ((size_t)n < room && fault->signo == SIGBUS && region.has_object)
		snprintf(text + n, room - (size_t)n, ", size %" PRIu64, region.object_size);
	else if ((size_t)n < room && fault->signo == SIGSEGV)
		snprintf(text + n, room - (size_t)n, ", mapped %c%c%c", region.prot & PROT_R ? 'r' : '-',
		         region.prot & PROT_W ? 'w' : '-', region.prot & PROT_X ? 'x' : '-');
}

/* What becomes of a fault. */
struct delivery {
	struct task *task;
	const struct fault *fault;
	unsigned size;
	enum access access;
	bool dies;            /* out: no handler; the process's end is decided */
	struct sigact action; /* out: else, what to call */
};

static void end_of(const struct delivery *d)
{
	const struct fault *fault = d->fault;
	struct end end = { .signo = fault->signo, .si_code = fault->code, .addr = fault->addr };
	char what[sizeof(end.text)];

	describe_access(d->task, fault, d->size, d->access, what, sizeof(what));
	end_describe(&end, d->task->process, what);
	process_end(&d->task->ctx, d->task->process, &end);
}

static void decide(void *arg)
{
	struct delivery *d = arg;

	d->dies = d->fault->signo == SIGKILL || !signal_take_fault(d->task, d->fault->signo, &d->action);
	if (d->dies)
		end_of(d);
}

void fault_deliver(struct tlb *tlb, const struct fault *fault, unsigned size, enum access access, void *context,
                   kernel_call call)
{
	struct task *task = tlb->task;
	uintptr_t host = window_address(&task->process->window, fault->addr);
	struct signal_info info = { .signo = fault->signo, .code = fault->code };
	struct delivery d = { .task = task, .fault = fault, .size = size, .access = access };

	info.addr = host != 0 ? host : fault->addr;
	mask_read(task);
	if (call != NULL)
		call(decide, &d);
	else
		decide(&d);
	if (d.dies)
		acting_die();
	tlb->handled++;
	signals_handle(task, &d.action, &info, context, call);
	if (task_attends(task))
		signals_deliver(task, call);
}
