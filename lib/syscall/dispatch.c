// SPDX-License-Identifier: MIT
/*
 * The way into the kernel and out of it, for every call.
 *
 *	ctx->call = name    trace "begun"?    refused?    handler    no lock is held    drain    trace "done"?
 *
 * The trace, and the policy that may refuse a call, are asked for by one predictable branch. What the trace's hook gets
 * as args is the first member of a struct traced, which also says what is only known before the call: the number of a
 * call that is not implemented, and the file behind a descriptor that is about to be closed. The formatter finds them
 * there.
 *
 * I1  a call ends with no ranked lock held and nothing left to destroy
 * I2  what a call makes bears its name: ctx->call is set before the handler runs
 * I3  the handler of a call that is refused does not run, and the trace shows the error
 *
 * Locking: none. Linux: arch/x86/entry, arch/arm64/kernel/syscall.c.
 */
#include "syscall/handlers.h"

#include <errno.h>
#include <string.h>

#include "base/event.h"
#include "syscall/abi.h"

typedef void (*trace_fn)(void *arg, struct ctx *ctx, unsigned call, const uint64_t *args, long result, bool done);
typedef long (*policy_fn)(void *arg, struct ctx *ctx, unsigned call, const uint64_t *args, enum ksim_arch abi);

static long run(struct task *task, enum syscall_call call, const uint64_t *args, enum ksim_arch abi)
{
	struct syscall_frame frame = { &task->ctx, task->process, args, abi };
	long result = syscall_table[call].run(&frame);

	KSIM_ASSERT(frame.ctx, frame.ctx->held == 0, "dispatch I1: a call ends without locks", "ranks held %#x",
	            frame.ctx->held);
	ctx_drain(frame.ctx);
	if (unlikely(frame.ctx->raised != 0))
		signal_raise(frame.ctx);
	return result;
}

static long run_if_allowed(struct task *task, enum syscall_call call, const uint64_t *args, enum ksim_arch abi)
{
	const struct env_hooks *hooks = &task->ctx.env->hooks;
	policy_fn policy = __atomic_load_n(&hooks->policy, __ATOMIC_ACQUIRE);
	long refused = policy != NULL ? policy(hooks->policy_arg, &task->ctx, call, args, abi) : 0;

	return refused < 0 ? refused : run(task, call, args, abi);
}

static __attribute__((noinline, cold)) long run_attended(struct task *task, enum syscall_call call, long nr,
                                                         const uint64_t *args, enum ksim_arch abi)
{
	const struct env_hooks *hooks = &task->ctx.env->hooks;
	trace_fn trace = __atomic_load_n(&hooks->trace, __ATOMIC_ACQUIRE);
	unsigned word = SYSCALL_TRACED | (unsigned)abi << 16 | (unsigned)call;
	struct traced traced = { .nr = (uint64_t)nr };
	long result = -ENOSYS;

	memcpy(traced.args, args, sizeof(traced.args));
	if (trace != NULL) {
		traced_begin(task, call, &traced);
		trace(hooks->trace_arg, &task->ctx, word, traced.args, 0, false);
	}
	if (call != CALL_COUNT)
		result = run_if_allowed(task, call, args, abi);
	if (trace != NULL)
		trace(hooks->trace_arg, &task->ctx, word, traced.args, result, true);
	ctx_drain(&task->ctx);
	return result;
}

/* Whether anybody wants to see the call, or to refuse it: one branch for both. */
static bool is_attended(const struct env_hooks *hooks)
{
	uintptr_t traced = EVENTS_COMPILED ? (uintptr_t)__atomic_load_n(&hooks->trace, __ATOMIC_RELAXED) : 0;

	return unlikely((traced | (uintptr_t)__atomic_load_n(&hooks->policy, __ATOMIC_RELAXED)) != 0);
}

static long run_named(struct task *task, enum syscall_call call, long nr, const uint64_t *args, enum ksim_arch abi)
{
	const char *was = task->ctx.call;
	long result;

	task->ctx.call = call != CALL_COUNT ? syscall_table[call].name : "syscall";
	event_count_of(&task->counts, EVENT_CALL, 1);
	if (is_attended(&task->ctx.env->hooks))
		result = run_attended(task, call, nr, args, abi);
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
