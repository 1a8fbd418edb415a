// SPDX-License-Identifier: MIT
/*
 * Allocations that fail on purpose.
 *
 * The kernel asks before every allocation that can run out, and before any cache, whether the laboratory wants it to
 * fail. The hook is set exactly while somebody wants that, so otherwise a question is one branch.
 *
 *	env_fails -> fail_decide -> kind asked for? -> count -> nth | chance | the tester's callback
 *	                         '-> the descriptors of one message (policy.c)
 *
 * A chance is a function of the seed and of the number of the allocation alone: the same order of allocations fails in
 * the same places.
 *
 * I1  an allocation of a kind asked for is counted once, whoever decides about it
 * I2  no callback runs after the call that replaced it has returned
 *
 * Locking: lab->failures.lock over the plan and over the callback; it is taken under any lock of the kernel, and takes
 * none itself.
 * Linux: lib/fault-inject.c, mm/failslab.c (fail-nth and probability).
 */
#include "lab/lab.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(KSIM_FAIL_FRAME == 1 << FAIL_FRAME && KSIM_FAIL_KMEM == 1 << FAIL_KMEM && KSIM_FAIL_FD == 1 << FAIL_FD &&
                       KSIM_FAIL_MESSAGE == 1 << FAIL_MESSAGE && KSIM_FAIL_ANY == (1 << FAIL_KIND_COUNT) - 1,
               "public kinds are the kernel's, a bit each");

static const char *const kind_names[FAIL_KIND_COUNT] = {
	[FAIL_FRAME] = "frame",
	[FAIL_KMEM] = "kmem",
	[FAIL_FD] = "fd",
	[FAIL_MESSAGE] = "message",
};

/* ---- deciding ---- */

/* Uniform in [0, 1): splitmix64, with the number of the allocation for its state. */
static double draw(uint64_t seed, uint64_t n)
{
	uint64_t z = seed + n * UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

/* Who allocates: the process of the task that acts, or the one for which the bench does something. */
static const struct ksim_process *caller_of(const struct ctx *ctx)
{
	const struct process *process;

	if (ctx->task != NULL)
		return process_handle(ctx->task->process);
	if (ctx->owner == &ctx->env->self)
		return NULL;
	/* Before its birth is complete nobody knows it but its maker, and it may yet be taken back. */
	process = container_of(ctx->owner, struct process, owner);
	return process->born ? process_handle(process) : NULL;
}

static bool decide_locked(const struct fail_plan *plan, const struct ksim_allocation *allocation)
{
	switch (plan->how) {
	case FAIL_NTH:
		return allocation->n == plan->nth;
	case FAIL_BY_CHANCE:
		return draw(plan->seed, allocation->n) < plan->probability;
	case FAIL_WHEN:
		return plan->decide(plan->decide_arg, allocation);
	default:
		return false;
	}
}

static bool is_planned_locked(struct failures *failures, const struct ctx *ctx, enum fail_kind kind)
{
	const struct fail_plan *plan = &failures->plan;
	struct ksim_allocation allocation = {
		.kind = (enum ksim_fail_kind)(1u << kind),
		.call = ctx->call[0] != '\0' ? ctx->call : "memory access",
		.process = caller_of(ctx),
	};

	if (plan->how == FAIL_NEVER || !(plan->kinds & 1u << kind))
		return false;
	allocation.n = ++failures->count;
	if (!decide_locked(plan, &allocation))
		return false;
	if (failures->first.n == 0)
		failures->first = allocation;
	return true;
}

bool fail_decide(void *arg, struct ctx *ctx, enum fail_kind kind)
{
	struct ksim_machine *m = arg;
	struct failures *failures = failures_of(m);
	bool fails;

	pthread_mutex_lock(&failures->lock);
	fails = is_planned_locked(failures, ctx, kind);
	if (!fails && kind == FAIL_FD && failures->truncations > 0)
		fails = policy_truncates_locked(ctx);
	pthread_mutex_unlock(&failures->lock);
	return fails;
}

/* ---- planning ---- */

void fail_hook_locked(struct ksim_machine *m)
{
	const struct failures *failures = failures_of(m);
	bool wanted = failures->plan.how != FAIL_NEVER || failures->truncations > 0;

	__atomic_store_n(&lab_env(m)->hooks.fail, wanted ? fail_decide : NULL, __ATOMIC_RELEASE);
}

static int set_plan(struct ksim_machine *m, const struct fail_plan *plan)
{
	struct failures *failures = failures_of(m);

	if (plan->how != FAIL_NEVER && !fail_kinds_legal(plan->kinds)) {
		errno = EINVAL;
		return -1;
	}
	pthread_mutex_lock(&failures->lock);
	failures->plan = *plan;
	failures->count = 0;
	failures->first = (struct ksim_allocation){ 0 };
	fail_hook_locked(m);
	pthread_mutex_unlock(&failures->lock);
	return 0;
}

int ksim_fail_nth(struct ksim_machine *m, unsigned kinds, uint64_t n)
{
	return set_plan(m, &(struct fail_plan){ .how = FAIL_NTH, .kinds = kinds, .nth = n });
}

int ksim_fail_chance(struct ksim_machine *m, unsigned kinds, double probability, uint64_t seed)
{
	if (!(probability >= 0 && probability <= 1)) {
		errno = EINVAL;
		return -1;
	}
	return set_plan(m, &(struct fail_plan){
				   .how = FAIL_BY_CHANCE, .kinds = kinds, .probability = probability, .seed = seed });
}

int ksim_fail_when(struct ksim_machine *m, unsigned kinds,
                   bool (*decide)(void *arg, const struct ksim_allocation *allocation), void *arg)
{
	return set_plan(m, &(struct fail_plan){ .how = decide != NULL ? FAIL_WHEN : FAIL_NEVER,
	                                        .kinds = kinds,
	                                        .decide = decide,
	                                        .decide_arg = arg });
}

uint64_t ksim_fail_count(const struct ksim_machine *m)
{
	struct failures *failures = failures_of(m);
	uint64_t count;

	pthread_mutex_lock(&failures->lock);
	count = failures->count;
	pthread_mutex_unlock(&failures->lock);
	return count;
}

bool ksim_fail_first(const struct ksim_machine *m, struct ksim_allocation *out)
{
	struct failures *failures = failures_of(m);
	bool failed;

	pthread_mutex_lock(&failures->lock);
	failed = failures->first.n != 0;
	if (failed)
		*out = failures->first;
	pthread_mutex_unlock(&failures->lock);
	return failed;
}

/* ---- plans as text: "frame+fd:3", "kmem:0.01@7" ---- */

const char *fail_kinds_text(unsigned kinds, char text[FAIL_KINDS_BYTES])
{
	text[0] = '\0';
	if (kinds == KSIM_FAIL_ANY)
		return strcpy(text, "any");
	for (unsigned kind = 0; kind < FAIL_KIND_COUNT; kind++) {
		if (!(kinds & 1u << kind))
			continue;
		if (text[0] != '\0')
			strcat(text, "+");
		strcat(text, kind_names[kind]);
	}
	return text;
}

/* A word of *at, up to one of + and :, as bits; 0: none. */
static unsigned parse_kind(const char **at)
{
	size_t len = strcspn(*at, "+:");
	const char *word = *at;

	*at += len;
	if (len == 3 && memcmp(word, "any", 3) == 0)
		return KSIM_FAIL_ANY;
	for (unsigned kind = 0; kind < FAIL_KIND_COUNT; kind++)
		if (strlen(kind_names[kind]) == len && memcmp(word, kind_names[kind], len) == 0)
			return 1u << kind;
	return 0;
}

static bool parse_kinds(const char **at, unsigned *kinds)
{
	for (;;) {
		unsigned more = parse_kind(at);

		if (more == 0)
			return false;
		*kinds |= more;
		if (**at != '+')
			return true;
		(*at)++;
	}
}

static bool parse_number(const char **at, uint64_t *out)
{
	const char *begin = *at;

	for (*out = 0; **at >= '0' && **at <= '9'; (*at)++)
		if (__builtin_mul_overflow(*out, UINT64_C(10), out) ||
		    __builtin_add_overflow(*out, (uint64_t)(**at - '0'), out))
			return false;
	return *at > begin;
}

/* The digits after a point, in any locale. */
static double parse_fraction(const char **at)
{
	double value = 0, weight = 0.1;

	for (; **at >= '0' && **at <= '9'; (*at)++) {
		value += (**at - '0') * weight;
		weight /= 10;
	}
	return value;
}

int fail_parse(const char *text, struct fail_plan *out)
{
	struct fail_plan plan = { .how = FAIL_NTH };
	const char *at = text;

	if (!parse_kinds(&at, &plan.kinds) || *at++ != ':' || !parse_number(&at, &plan.nth))
		return -EINVAL;
	if (*at == '.' || *at == '@') {
		plan.how = FAIL_BY_CHANCE;
		plan.probability = (double)plan.nth;
		plan.nth = 0;
		if (*at == '.') {
			at++;
			plan.probability += parse_fraction(&at);
		}
		if (plan.probability > 1 || *at++ != '@' || !parse_number(&at, &plan.seed))
			return -EINVAL;
	}
	if (*at != '\0')
		return -EINVAL;
	*out = plan;
	return 0;
}

const char *fail_environment(void)
{
	const char *text = getenv("KSIM_FAIL");

	return text != NULL && text[0] != '\0' ? text : NULL;
}

int fail_attach(struct ksim_machine *m)
{
	const char *text = fail_environment();
	struct fail_plan plan;
	int err;

	pthread_mutex_init(&failures_of(m)->lock, NULL);
	lab_env(m)->hooks.fail_arg = m;
	lab_env(m)->hooks.policy_arg = m;
	if (text == NULL)
		text = m->config.fail;
	m->config.fail = NULL; /* the caller's, who may free it when this returns */
	if (text == NULL)
		return 0;
	err = fail_parse(text, &plan);
	if (err == 0)
		set_plan(m, &plan);
	else
		pthread_mutex_destroy(&failures_of(m)->lock);
	return err;
}

void fail_detach(struct ksim_machine *m)
{
	lab_env(m)->hooks.fail = NULL;
	lab_env(m)->hooks.policy = NULL;
	pthread_mutex_destroy(&failures_of(m)->lock);
}
