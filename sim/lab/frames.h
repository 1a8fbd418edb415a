/* SPDX-License-Identifier: MIT */
/*
 * Which frames stand behind what, copied out for the pictures.
 */
#ifndef LAB_FRAMES_H
#define LAB_FRAMES_H

#include "lab/lab.h"

/**
 * The first region of an address space with end > at, and all runs of frames behind it.
 *
 * @param runs    all zero at first, and used again for the next region; its memory is the caller's to free()
 * @param object  out: the object, with a reference for the caller; NULL: there is none
 * @return 1; 0 there is no such region; -ENOMEM the host has no memory: *object is NULL in both cases
 */
int frames_of_region(struct ctx *ctx, struct mm *mm, ksim_addr at, struct mm_region *region, struct frame_runs *runs,
                     struct object **object);
/** The pages of an object that are present. 0 or -ENOMEM; runs as above. */
int frames_of_object(struct ctx *ctx, struct object *object, struct frame_runs *runs);

#endif
