/* SPDX-License-Identifier: MIT */
/*
 * What the pool of huge pages owes a private mapping: a page for each address, until it is touched.
 */
#ifndef MM_PROMISE_H
#define MM_PROMISE_H

#include "base/ctx.h"

struct promise;

/** The pool promises n pages, the first of which has this index in the object. 0 or -ENOMEM. */
int promise_create(struct ctx *ctx, uint64_t first, uint64_t n, struct promise **out);
/** NULL is legal in all of these, and owes nothing. */
void promise_get(struct promise *promise);
/** The last put takes back what is still owed. */
void promise_put(struct ctx *ctx, struct promise *promise);
/** Whether a page was owed; it is no longer, and the caller takes it from the pool as a promised one. */
bool promise_cash(struct promise *promise, uint64_t page);
/** What promise_cash gave has been put back into the pool as promised: it is owed again. */
void promise_restore(struct promise *promise, uint64_t page);
/** A page has gone back into the pool: it is owed again, if there is one to be had. */
void promise_renew(struct ctx *ctx, struct promise *promise, uint64_t page);
/** Pages [first, first + n) are not wanted any more. */
void promise_drop(struct ctx *ctx, struct promise *promise, uint64_t first, uint64_t n);

#endif
