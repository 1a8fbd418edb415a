/* SPDX-License-Identifier: MIT */
/*
 * The laboratory's part of a machine.
 */
#ifndef LAB_LAB_H
#define LAB_LAB_H

#include "ksim/lab.h"
#include "machine/machine.h"

struct lab {
	pthread_mutex_t lock; /* over every line written to stream; taken last */
	FILE *stream;         /* l  of ksim_trace; NULL: none */
};

static inline struct env *lab_env(const struct ksim_machine *m)
{
	return &m->kernel->env;
}

/** Attach what the config asks for. 0 or -ENOMEM */
int lab_attach(struct ksim_machine *m);
/** The kernel has stopped: print what the census still counts, and free. @return how many things */
int lab_detach(struct ksim_machine *m);

/** Print what is still counted, and write it off. The machine has stopped. @return how many things */
long census_settle(struct env *env);
/** env_hooks.trace; arg is the machine. */
void trace_call(void *arg, struct ctx *ctx, unsigned call, const uint64_t *args, long result, bool done);

#endif
