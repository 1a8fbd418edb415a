/* SPDX-License-Identifier: MIT */
/*
 * Which signals a task blocks, and what a jump does to that: see mask.c.
 */
#ifndef MACHINE_MASK_H
#define MACHINE_MASK_H

#include <stdbool.h>
#include <stdint.h>

struct env;
struct task;

enum {
	MARK_BITS = 5,
	MARKS = (1 << MARK_BITS) - 1, /* 1 to MARKS */
	MARK_INITIAL = 1 << MARK_BITS /* what the thread's mask had there before any mark was set */
};

/** A moment: the mark in the host's mask, and what the task blocked then. */
struct mask_mark {
	unsigned mark;
	uint64_t mask;
};

/** Of one host thread. */
struct mask_marks {
	bool used;        /* a mark has ever been set */
	unsigned initial; /* what stood in its place */
	unsigned now;     /* the mark that stands there, if nobody has jumped */
	unsigned last;    /* that was given away */
	struct {
		uint64_t process; /* its number */
		uint32_t tid;
		uint64_t mask;
	} of[MARKS + 1]; /* by mark */
};

static inline void mask_marks_init(struct mask_marks *marks)
{
	marks->now = MARK_INITIAL;
}

/* What the kernel tells: see kernel_sim. Of the task that this thread acts as. */
void mask_read(struct task *task);
void mask_written(struct task *task);

/** Block other signals until mask_end, which takes the moment back as a return from a handler does. */
struct mask_mark mask_begin(struct task *task, uint64_t mask);
void mask_end(struct task *task, const struct mask_mark *before);
/** This thread acts as somebody again, as it did when that mark was set; outer: as whom, or NULL. */
void mask_unwind(struct mask_marks *marks, unsigned mark, const struct task *outer);

#endif
