// SPDX-License-Identifier: MIT
/*
 * Telling an event to the laboratory.
 *
 * Events happen anywhere, also under locks that must be held: a page is replaced under the lock of its leaf. So a
 * listener only notes what it is told; ctx->held says whether the teller holds a lock.
 *
 * Locking: none. The hook may be cleared while this runs: it is loaded once more.
 */
#include "base/event.h"

void event_tell(struct ctx *ctx, const struct event *event)
{
	const struct env_hooks *hooks = &ctx->env->hooks;
	void (*hook)(void *, struct ctx *, const struct event *) = __atomic_load_n(&hooks->event, __ATOMIC_ACQUIRE);

	if (hook != NULL)
		hook(hooks->event_arg, ctx, event);
}
