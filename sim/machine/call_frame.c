// SPDX-License-Identifier: MIT
/*
 * Frames for the objects of others; contracts in <ksim/kernel/object.h>.
 *
 * A struct ksim_call is the ctx of the call under way, under another name.
 */
#include "machine/machine.h"

#include "ksim/kernel/object.h"

static struct ctx *ctx_of(struct ksim_call *call)
{
	return (struct ctx *)call;
}

int ksim_frame_alloc(struct ksim_call *call, struct ksim_pfn *out)
{
	return frame_alloc(ctx_of(call), FRAME_FILE, FRAME_ZERO, out);
}

void ksim_frame_get(struct ksim_call *call, struct ksim_pfn frame)
{
	frame_get(ctx_of(call)->env->phys, frame);
}

void ksim_frame_put(struct ksim_call *call, struct ksim_pfn frame)
{
	frame_put(ctx_of(call), frame);
}

void *ksim_frame_ptr(struct ksim_call *call, struct ksim_pfn frame)
{
	return frame_ptr(ctx_of(call)->env->phys, frame);
}
