/* SPDX-License-Identifier: MIT */
/*
 * The laboratory's part of a machine.
 */
#ifndef LAB_LAB_H
#define LAB_LAB_H

#include <errno.h>

#include "ksim/lab.h"
#include "lab/failures.h"
#include "lab/json.h"
#include "machine/machine.h"

struct lab {
	pthread_mutex_t lock; /* over every line written to stream; taken last */
	FILE *stream;         /* l  of ksim_trace; NULL: none */
	unsigned traced;      /* l  processes that have a stream of their own */
	struct json json;
	struct failures failures;
};

static inline struct failures *failures_of(const struct ksim_machine *m)
{
	struct lab *lab = m->lab;

	return &lab->failures;
}

static inline struct env *lab_env(const struct ksim_machine *m)
{
	return &m->kernel->env;
}

/** Attach what the config asks for. 0, -ENOMEM, -EINVAL */
int lab_attach(struct ksim_machine *m);
/** The kernel has stopped: print what the census still counts, and free. @return how many things */
int lab_detach(struct ksim_machine *m);

/** Print what is still counted, and write it off. The machine has stopped. @return how many things */
long census_settle(struct env *env);
/** Begin with the config's callback. 0; -ENOSYS: there is one, and ksim was built without traces */
int trace_attach(struct ksim_machine *m);
/** The machine has stopped. */
void trace_detach(struct ksim_machine *m);

/** The end of a dump: flush it. 0, or -1 with errno: what err, negative, says; EIO */
static inline int dump_result(int err, FILE *stream)
{
	if (err == 0 && (fflush(stream) != 0 || ferror(stream)))
		err = -EIO;
	return (int)machine_result(err);
}

/** What machine is handed of this folder's: machine_parts.lab. */
#define LAB_PARTS                                                                                \
	{                                                                                        \
		.attach = lab_attach, .detach = lab_detach, .process_born = policy_process_born, \
		.process_gone = policy_process_gone,                                             \
	}

#endif
