// SPDX-License-Identifier: MIT
/*
 * Runs of frames, as many as there are.
 *
 * The walks of the kernel run under its locks, allocate nothing, and count what they have no room for. So a walk whose
 * result did not fit is made again, with the room that it has asked for and half as much more.
 *
 * Locking: none; the walks take theirs.
 */
#include "lab/frames.h"

#include <errno.h>
#include <stdlib.h>

/* After a walk: 1 all runs are there; 0 walk again, there is more room now; -ENOMEM. */
static int fit(struct frame_runs *runs)
{
	size_t room = runs->n + runs->n / 2;
	struct frame_run *grown;

	if (runs->n <= runs->room)
		return 1;
	grown = realloc(runs->run, room * sizeof(*grown));
	if (grown == NULL)
		return -ENOMEM;
	runs->run = grown;
	runs->room = room;
	return 0;
}

int frames_of_region(struct ctx *ctx, struct mm *mm, ksim_addr at, struct mm_region *region, struct frame_runs *runs,
                     struct object **object)
{
	for (;;) {
		int fits;

		runs->n = 0;
		*object = NULL;
		if (!mm_region_runs(ctx, mm, at, region, runs, object))
			return 0;
		fits = fit(runs);
		if (fits > 0)
			return 1;
		object_put(ctx, *object);
		*object = NULL;
		ctx_drain(ctx);
		if (fits < 0)
			return fits;
	}
}

int frames_of_object(struct ctx *ctx, struct object *object, struct frame_runs *runs)
{
	int fits;

	do {
		runs->n = 0;
		object_runs(ctx, object, runs);
		fits = fit(runs);
	} while (fits == 0);
	return MIN(fits, 0);
}
