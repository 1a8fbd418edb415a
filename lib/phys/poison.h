/* SPDX-License-Identifier: MIT */
/*
 * The content of frames that nobody holds, within phys.
 */
#ifndef PHYS_POISON_H
#define PHYS_POISON_H

#include "phys/phys.h"

/** The frame's last reference has gone: nobody may read or write its content from here on. */
void poison_frame(const struct phys *phys, pfn_t pfn);
/** The frame is to be used (again): verify that nobody wrote it, and give it the content that `flags` ask for. */
void poison_lift(struct ctx *ctx, const struct phys *phys, pfn_t pfn, unsigned flags);
/** The RAM goes back to the host: tell the sanitizers to forget. */
void poison_forget(const struct phys *phys);

#endif
