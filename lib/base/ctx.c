// SPDX-License-Identifier: MIT
/*
 * Who calls, and the list of things its call must still destroy.
 *
 * A put that reaches zero pushes the thing on ctx->drops (ref.h). The outermost call drains the list just before it
 * returns:
 *
 *	call -> put -> put -> [drops: b a] -> last lock released -> drain: destroy b -> puts c -> destroy c -> destroy a
 *
 * A destroy function may put other things, and may call functions that drain; those only leave what they queued to
 * the loop that already runs, so the host stack does not grow with the length of a chain.
 *
 * I1  nothing is destroyed while its caller holds a ranked lock
 * I2  at most one drain loop runs per ctx
 *
 * Locking: none; a ctx belongs to the host thread that acts as its task.
 * Linux: fs/file_table.c (delayed fput) and net/unix/garbage.c solve the same problem by work queues.
 */
#include "base/ctx.h"

#include "base/check.h"
#include "base/env.h"

void ctx_init(struct ctx *ctx, struct env *env, const char *call)
{
	*ctx = (struct ctx){
		.env = env,
		.owner = env != NULL ? &env->self : NULL,
		.counts = env != NULL ? &env->counts : NULL,
		.call = call,
	};
}

void ctx_drain_slow(struct ctx *ctx)
{
	if (ctx->draining)
		return;
	ctx->draining = true;
	while (ctx->drops != NULL) {
		struct drop *drop = ctx->drops;

		KSIM_ASSERT(ctx, ctx->held == 0, "nothing is destroyed under a lock", "ranks held %#x", ctx->held);
		ctx->drops = drop->next;
		drop->next = NULL;
		drop->destroy(ctx, drop);
	}
	ctx->draining = false;
}
