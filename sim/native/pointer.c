// SPDX-License-Identifier: MIT
/*
 * Pointers into windows, and user addresses; contracts in <ksim/mem.h>.
 */
#include "native/native.h"

#include "ksim/mem.h"

void *ksim_ptr(ksim_addr addr)
{
	return (void *)window_address(&acting_task_for("ksim_ptr")->process->window, addr);
}

ksim_addr ksim_addr_of(const void *pointer)
{
	const struct user_window *w = &acting_task_for("ksim_addr_of")->process->window;
	uintptr_t at = (uintptr_t)pointer;

	return at - w->host < w->bytes ? at - w->host + w->user : at;
}

void ksim_window(const struct ksim_process *p, struct ksim_window *out)
{
	const struct user_window *w = &p->kernel->window;

	*out = (struct ksim_window){ .start = (void *)(uintptr_t)w->host, .bytes = w->bytes, .user = w->user };
}
