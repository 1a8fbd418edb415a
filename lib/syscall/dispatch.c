// SPDX-License-Identifier: MIT
/*
 * The way into the kernel and out of it, for every call.
 *
 *	ctx->call = name    trace "begun"?    handler    no lock is held    drain    trace "done"?
 *
 * The trace is asked for by one predictable branch. What its hook gets as args is the first member of a struct traced,
 * which also says what is only known before the call: the number of a call that is not implemented, and the file
 * behind a descriptor that is about to be closed. The formatter finds them there.
 *
 * I1  a call ends with no ranked lock held and nothing left to destroy
 * I2  what a call makes bears its name: ctx->call is set before the handler runs
 *
 * Locking: none. Linux: arch/x86/entry, arch/arm64/kernel/syscall.c.
 */
#include "syscall/handlers.h"

#include <errno.h>
#include <string.h>

#include "syscall/abi.h"

typedef void (*trace_fn)(void *arg, struct ctx *ctx, unsigned call, const uint64_t *args, long result, bool done);

static long run(struct task *task, enum syscall_call call, const uint64_t *args, enum ksim_arch abi)
{
	struct syscall_frame frame = { &task->ctx, task->process, args, abi };
	long result = syscall_table[call].run(&frame);

	KSIM_ASSERT(frame.ctx, frame.ctx->held == 0, "dispatch I1: a call ends without locks", "ranks held %#x",
	            frame.ctx->held);
	ctx_drain(frame.ctx);
	return result;
}

/* Describe the file whose descriptor the call takes away. */
static void note_lost(struct task *task, enum syscall_call call, struct traced *traced)
{
	unsigned which = call == CALL_dup2 || call == CALL_dup3;
	struct file *file;

	if (call != CALL_close && !which)
		return;
	file = fd_get(&task->ctx, task->process->files, (int)traced->args[which]);
	if (file != NULL)
		file->ops->describe(file, traced->lost, sizeof(traced->lost));
	file_put(&task->ctx, file);
	ctx_drain(&task->ctx);
}

static __attribute__((noinline, cold)) long run_traced(struct task *task, enum syscall_call call, long nr,
                                                       const uint64_t *args, enum ksim_arch abi)
{
	const struct env_hooks *hooks = &task->ctx.env->hooks;
	trace_fn trace = __atomic_load_n(&hooks->trace, __ATOMIC_ACQUIRE);
	unsigned word = SYSCALL_TRACED | (unsigned)abi << 16 | (unsigned)call;
	struct traced traced = { .nr = (uint64_t)nr };
	long result = -ENOSYS;

	memcpy(traced.args, args, sizeof(traced.args));
	note_lost(task, call, &traced);
	if (trace != NULL)
		trace(hooks->trace_arg, &task->ctx, word, traced.args, 0, false);
	if (call != CALL_COUNT)
		result = run(task, call, args, abi);
	if (trace != NULL)
		trace(hooks->trace_arg, &task->ctx, word, traced.args, result, true);
	ctx_drain(&task->ctx);
	return result;
}

static long run_named(struct task *task, enum syscall_call call, long nr, const uint64_t *args, enum ksim_arch abi)
{
	const char *was = task->ctx.call;
	long result;

	task->ctx.call = call != CALL_COUNT ? syscall_table[call].name : "syscall";
	if (unlikely(__atomic_load_n(&task->ctx.env->hooks.trace, __ATOMIC_RELAXED) != NULL))
		result = run_traced(task, call, nr, args, abi);
	else
		result = call != CALL_COUNT ? run(task, call, args, abi) : -ENOSYS;
	task->ctx.call = was;
	return result;
}

long syscall_run(struct task *task, enum syscall_call call, const uint64_t args[6], enum ksim_arch abi)
{
	return run_named(task, call, 0, args, abi_resolve(abi));
}

long syscall_run_nr(struct task *task, long nr, const uint64_t args[6], enum ksim_arch abi)
{
	abi = abi_resolve(abi);
	return run_named(task, syscall_by_nr(nr, abi), nr, args, abi);
}
