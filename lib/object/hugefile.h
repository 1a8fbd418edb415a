/* SPDX-License-Identifier: MIT */
/*
 * An object whose pages are huge ones of the pool: what a memfd of huge pages, or a mapping of them, is made of.
 */
#ifndef OBJECT_HUGEFILE_H
#define OBJECT_HUGEFILE_H

#include "object/object.h"

/** An object of huge pages, absent ones reading as zeros; size in bytes. 0 or -ENOMEM. */
int object_create_huge(struct ctx *ctx, uint64_t size, struct object **out);

/**
 * Let one at a time take pages of the pool for what maps the object, private copies included: so nobody is told that
 * there are none left while another has just taken one for the same address. Outside of the object's lock.
 */
void hugefile_making_lock(struct ctx *ctx, struct object *object);
void hugefile_making_unlock(struct ctx *ctx, struct object *object);
/**
 * Make the page that begins at `first`, if it is absent, for a mapping; the making lock is held.
 * @return 0; -ENXIO (it does not lie below the size as a whole), -ENOSPC (the pool has none left), -ENOMEM
 */
int hugefile_make_locked(struct ctx *ctx, struct object *object, uint64_t first);

#endif
