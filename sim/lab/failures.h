/* SPDX-License-Identifier: MIT */
/*
 * Inside lab: things that go wrong on purpose. <ksim/fail.h> is what testers see.
 */
#ifndef LAB_FAILURES_H
#define LAB_FAILURES_H

#include "ksim/fail.h"
#include "machine/machine.h"

enum fail_how {
	FAIL_NEVER, /* and nothing is counted */
	FAIL_NTH,
	FAIL_BY_CHANCE,
	FAIL_WHEN,
};

/** Which allocations shall fail. */
struct fail_plan {
	enum fail_how how;
	unsigned kinds; /* KSIM_FAIL_* */
	uint64_t nth;   /* 0: none */
	double probability;
	uint64_t seed;
	bool (*decide)(void *arg, const struct ksim_allocation *allocation);
	void *decide_arg;
};

struct failures {
	pthread_mutex_t lock; /* taken under any lock of the kernel, takes none; over all below and all policies */
	struct fail_plan plan;
	uint64_t count;               /* allocations of the plan's kinds since it was set */
	struct ksim_allocation first; /* that failed by the plan; n is 0: none */
	unsigned refusals;            /* calls that are refused, of all processes */
	unsigned truncations;         /* messages that shall lose descriptors, of all processes */
};

/** Begin with what the environment or the config says. 0 or -EINVAL */
int fail_attach(struct ksim_machine *m);
/** The machine has stopped. */
void fail_detach(struct ksim_machine *m);
/** Set or clear env_hooks.fail, as is wanted now. */
void fail_hook_locked(struct ksim_machine *m);
/** env_hooks.fail; arg is the machine. */
bool fail_decide(void *arg, struct ctx *ctx, enum fail_kind kind);

/** A plan from text, as in ksim_config.fail. 0 or -EINVAL */
int fail_parse(const char *text, struct fail_plan *out);
#define FAIL_KINDS_BYTES 32

static inline bool fail_kinds_legal(unsigned kinds)
{
	return kinds != 0 && (kinds & ~(unsigned)KSIM_FAIL_ANY) == 0;
}

/** Kinds as that text has them. @return text */
const char *fail_kinds_text(unsigned kinds, char text[FAIL_KINDS_BYTES]);
/** KSIM_FAIL; NULL: not set, or empty. */
const char *fail_environment(void);

/** env_hooks.policy; arg is the machine. */
long policy_decide(void *arg, struct ctx *ctx, unsigned call, const uint64_t *args, enum ksim_arch abi);
/** Whether the descriptor that this recvmsg asks for now is one too many. */
bool policy_truncates_locked(struct ctx *ctx);
int policy_process_born(struct ksim_process *p, struct ksim_process *parent);
void policy_process_gone(struct ksim_process *p);

/** ksim_sweep_sized(), on machines of these parts. */
int sweep_run(const struct machine_parts *parts, const struct ksim_config *config, size_t size, unsigned kinds,
              int (*scenario)(struct ksim_machine *m, void *arg), void *arg, struct ksim_sweep_report *report);

#endif
