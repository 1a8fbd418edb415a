/* SPDX-License-Identifier: MIT */
/*
 * Unmodified programs: what <ksim/posix.h> gives libc's names to, and how it is found out who calls.
 */
#ifndef POSIX_POSIX_H
#define POSIX_POSIX_H

#include "machine/machine.h"

/* Each with the type of libc's function; nothing is renamed here: what these sources call is libc. */
#define KSIM_POSIX_NAME_(name) KSIM_EXPORT extern __typeof__(name) ksim_posix_##name;
#define KSIM_POSIX_ALSO_(name, function)
#define KSIM_POSIX_REFUSED_(name) KSIM_POSIX_NAME_(name)
#include "ksim/posix.h"

/**
 * This thread acts as nobody, and makes a call: become a thread of the program's own process if it has, or gets, one.
 */
bool posix_adopt(void);

/** Whether a call of this thread is a simulated process's; else it is the host's. */
static inline bool posix_acts(void)
{
	return likely(acting_task() != NULL) || posix_adopt();
}

/** Whether p is what the program itself has become. */
bool posix_is_main(const struct ksim_process *p);
/** The end of p, to which a thread of it has unwound, is the program's too, if it is that one. */
void posix_died(struct ksim_process *p);

/** fork and its kin: a sentence and abort, if a process calls. */
void posix_refuse_fork(const char *name);

/* Parts of the machine: see machine_parts. */
int posix_boot(struct ksim_machine *m);
void posix_halt(struct ksim_machine *m);
int posix_process_born(struct ctx *ctx, struct ksim_process *process);

#endif
