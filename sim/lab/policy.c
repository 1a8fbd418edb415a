// SPDX-License-Identifier: MIT
/*
 * What is refused to single processes: system calls, and descriptors of a message.
 *
 * A process has a policy from the first wish about it until it ends; a child that it forks gets a copy. The kernel asks
 * before each call while there is a refusal, or a message to be truncated, anywhere in the machine.
 *
 * Which argument holds a call's flags is read from its signature in the table of system calls, so a call that is added
 * there can be refused by its flags at once. Flags are compared in the kernel's canonical form, whichever
 * architecture's the caller uses.
 *
 * A message loses descriptors because the table "has no room" for one more, when recvmsg asks for a number: so it goes
 * the way that a full table would. The count is that of one message: it begins when a task asks for the first number,
 * and is over when one has been denied, or when that task makes its next call.
 *
 *	wanted, count k --first number--> taker: this task, given 1 --k + 1st number, or its next call--> not wanted
 *
 * I1  failures.refusals is the number of calls refused by policies of processes that have not ended
 * I2  failures.truncations likewise counts messages to be truncated
 *
 * Locking: lab->failures.lock over all policies and process->policy.
 * Linux: seccomp(2) with SECCOMP_RET_ERRNO, whose filters know no host flags and no counts; __scm_recv_common.
 */
#include "lab/lab.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "syscall/abi.h"

#define ERRNO_LAST 4095

/* A call that is refused: err is not 0. */
struct refusal {
	uint16_t err;
	bool counted;   /* only so many times */
	uint32_t flags; /* canonical; 0: whatever they are */
	unsigned times; /* if counted: how often yet */
};

struct policy {
	struct refusal refusals[CALL_COUNT];
	bool truncates;          /* the next message with descriptors */
	unsigned deliver;        /* ... after so many */
	unsigned given;          /* ... of which so many have their number */
	const struct ctx *taker; /* ... to this task; NULL: it has not come yet */
};

/* ---- which argument has the flags ---- */

enum { NO_FLAGS = -1 };

/* Words of signatures that stand for flags, the stronger one last. */
static int flags_word(const char *word, size_t len)
{
	static const char *const words[] = { "prot", "open",     "map",       "memfd", "fallocate",
		                             "at",   "socktype", "sockflags", "msg",   "wait" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strlen(words[i]) == len && memcmp(words[i], word, len) == 0)
			return i == 0 ? 1 : 2;
	return 0;
}

static int flags_argument(enum syscall_call call)
{
	const char *at = syscall_table[call].signature;
	int found = NO_FLAGS, best = 0;

	for (int i = 0; i < syscall_table[call].nargs; i++) {
		size_t len = strcspn(at, " :=");
		int weight = flags_word(at, len);

		if (weight > best) {
			best = weight;
			found = i;
		}
		at += strcspn(at, " =");
		at += *at == ' ';
	}
	return found;
}

static bool is_open_flags(enum syscall_call call)
{
	return call == CALL_open || call == CALL_openat || call == CALL_dup3;
}

static uint32_t canonical_flags(enum syscall_call call, enum ksim_arch abi, uint64_t flags)
{
	return is_open_flags(call) ? abi_open_flags(abi, (uint32_t)flags) : (uint32_t)flags;
}

/* ---- what the kernel asks ---- */

static void policy_hook_locked(struct ksim_machine *m)
{
	const struct failures *failures = failures_of(m);
	bool wanted = failures->refusals > 0 || failures->truncations > 0;

	__atomic_store_n(&lab_env(m)->hooks.policy, wanted ? policy_decide : NULL, __ATOMIC_RELEASE);
	fail_hook_locked(m);
}

static void forget_truncation_locked(struct ksim_machine *m, struct policy *policy)
{
	if (!policy->truncates)
		return;
	policy->truncates = false;
	policy->taker = NULL;
	failures_of(m)->truncations--;
	policy_hook_locked(m);
}

static void forget_refusal_locked(struct ksim_machine *m, struct refusal *refusal)
{
	if (refusal->err == 0)
		return;
	*refusal = (struct refusal){ 0 };
	failures_of(m)->refusals--;
	policy_hook_locked(m);
}

static bool is_refused(const struct refusal *refusal, enum syscall_call call, const uint64_t *args, enum ksim_arch abi)
{
	if (refusal->err == 0)
		return false;
	return refusal->flags == 0 ||
	       (canonical_flags(call, abi, args[flags_argument(call)]) & refusal->flags) == refusal->flags;
}

static long refuse_locked(struct ksim_machine *m, struct policy *policy, enum syscall_call call, const uint64_t *args,
                          enum ksim_arch abi)
{
	struct refusal *refusal = &policy->refusals[call];
	long err;

	if (!is_refused(refusal, call, args, abi))
		return 0;
	err = -refusal->err;
	if (refusal->counted && --refusal->times == 0)
		forget_refusal_locked(m, refusal);
	return err;
}

long policy_decide(void *arg, struct ctx *ctx, unsigned call, const uint64_t *args, enum ksim_arch abi)
{
	struct ksim_machine *m = arg;
	struct failures *failures = failures_of(m);
	struct policy *policy;
	long err = 0;

	pthread_mutex_lock(&failures->lock);
	policy = process_handle(ctx->task->process)->policy;
	if (policy != NULL) {
		if (policy->taker == ctx)
			forget_truncation_locked(m, policy);
		err = refuse_locked(m, policy, (enum syscall_call)call, args, abi);
	}
	pthread_mutex_unlock(&failures->lock);
	return err;
}

bool policy_truncates_locked(struct ctx *ctx)
{
	struct ksim_process *p;
	struct policy *policy;

	if (ctx->task == NULL || ctx->call != syscall_table[CALL_recvmsg].name)
		return false;
	p = process_handle(ctx->task->process);
	policy = p->policy;
	if (policy == NULL || !policy->truncates || (policy->taker != NULL && policy->taker != ctx))
		return false;
	policy->taker = ctx;
	if (policy->given++ < policy->deliver)
		return false;
	forget_truncation_locked(p->machine, policy);
	return true;
}

/* ---- what the tester says ---- */

/* The policy of a process that lives, made if there is none. 0, -ESRCH, -ENOMEM */
static int policy_of_locked(struct ksim_process *p, struct policy **out)
{
	if (process_state(p->kernel) != PROCESS_ALIVE)
		return -ESRCH;
	if (p->policy == NULL)
		p->policy = calloc(1, sizeof(struct policy));
	*out = p->policy;
	return *out != NULL ? 0 : -ENOMEM;
}

static void set_refusal_locked(struct ksim_machine *m, struct policy *policy, enum syscall_call call,
                               const struct refusal *refusal)
{
	forget_refusal_locked(m, &policy->refusals[call]);
	if (refusal->err == 0)
		return;
	policy->refusals[call] = *refusal;
	failures_of(m)->refusals++;
	policy_hook_locked(m);
}

/* Whether such a refusal can be: the end of a process cannot be refused, for nobody could go on after it. */
static bool is_possible(enum syscall_call call, int err, unsigned long flags)
{
	if (call == CALL_COUNT || call == CALL_exit || call == CALL_exit_group || err < 0 || err > ERRNO_LAST)
		return false;
	return flags == 0 || (flags_argument(call) != NO_FLAGS && flags <= UINT32_MAX);
}

int ksim_refuse(struct ksim_process *p, const char *name, int err, unsigned long flags, unsigned times)
{
	enum syscall_call call = syscall_by_name(name);
	struct failures *failures = failures_of(p->machine);
	struct refusal refusal;
	struct policy *policy;
	int result = -EINVAL;

	if (is_possible(call, err, flags)) {
		refusal = (struct refusal){
			.err = (uint16_t)err,
			.counted = times != 0,
			.flags = canonical_flags(call, machine_host_arch(), flags),
			.times = times,
		};
		pthread_mutex_lock(&failures->lock);
		result = policy_of_locked(p, &policy);
		if (result == 0)
			set_refusal_locked(p->machine, policy, call, &refusal);
		pthread_mutex_unlock(&failures->lock);
	}
	return (int)machine_result(result);
}

int ksim_truncate_fds(struct ksim_process *p, unsigned count)
{
	struct failures *failures = failures_of(p->machine);
	struct policy *policy;
	int err;

	pthread_mutex_lock(&failures->lock);
	err = policy_of_locked(p, &policy);
	if (err == 0) {
		forget_truncation_locked(p->machine, policy);
		policy->truncates = true;
		policy->deliver = count;
		policy->given = 0;
		failures->truncations++;
		policy_hook_locked(p->machine);
	}
	pthread_mutex_unlock(&failures->lock);
	return (int)machine_result(err);
}

/* ---- birth and end ---- */

static int inherit_locked(struct ksim_process *p, const struct policy *from)
{
	struct policy *policy = calloc(1, sizeof(*policy));

	if (policy == NULL)
		return -ENOMEM;
	for (int call = 0; call < CALL_COUNT; call++)
		set_refusal_locked(p->machine, policy, (enum syscall_call)call, &from->refusals[call]);
	p->policy = policy;
	return 0;
}

int policy_process_born(struct ksim_process *p, struct ksim_process *parent)
{
	struct failures *failures = failures_of(p->machine);
	int err = 0;

	if (parent == NULL)
		return 0;
	pthread_mutex_lock(&failures->lock);
	if (parent->policy != NULL)
		err = inherit_locked(p, parent->policy);
	pthread_mutex_unlock(&failures->lock);
	return err;
}

void policy_process_gone(struct ksim_process *p)
{
	struct failures *failures = failures_of(p->machine);
	struct policy *policy;

	pthread_mutex_lock(&failures->lock);
	policy = p->policy;
	if (policy != NULL) {
		forget_truncation_locked(p->machine, policy);
		for (int call = 0; call < CALL_COUNT; call++)
			forget_refusal_locked(p->machine, &policy->refusals[call]);
		p->policy = NULL;
	}
	pthread_mutex_unlock(&failures->lock);
	free(policy);
}
