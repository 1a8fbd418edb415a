// SPDX-License-Identifier: MIT
/*
 * The sweep: a scenario on fresh machines, each of its allocations failing once.
 *
 *	run 0: nothing fails, the allocations are counted    run 1: the first one fails    ...    run n: the last one
 *
 * A run is judged by the scenario's own word, by the validators and by what halting the machine finds. What is meant to
 * fail is taken back before the last two, which are no part of the scenario. A process that was killed because the
 * memory that failed had been promised to it has not done anything wrong, so the scenario need not tell that from an
 * exhausted call.
 *
 * With KSIM_FAIL in the environment the machine plans for itself, and there is one run.
 *
 * I1  a machine is halted before the next is booted, unless somebody still acts in it
 *
 * Locking: none.
 * Linux: tools/testing/fault-injection/failcmd.sh, fail-nth of lib/fault-inject.c.
 */
#include "lab/lab.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>

#define RUNS_MAX 1000000u

struct sweep {
	const struct machine_parts *parts;
	const struct ksim_config *config;
	unsigned kinds;
	int (*scenario)(struct ksim_machine *m, void *arg);
	void *arg;
	const char *replay; /* KSIM_FAIL; NULL: all runs are made */
	struct ksim_sweep_report *report;
};

/* How one run went. */
struct run {
	uint64_t n;           /* which allocation was to fail */
	uint64_t allocations; /* that there were */
	bool failed;          /* one did, and this is the first */
	struct ksim_allocation first;
	char where[128]; /* it was: "a frame, in ftruncate of client (2)" */
	bool killed;     /* and cost its process's life */
	int result, broken, left;
};

static void __attribute__((format(printf, 2, 3))) say(struct ksim_sweep_report *report, const char *format, ...)
{
	size_t used = strlen(report->text);
	va_list args;

	va_start(args, format);
	vsnprintf(report->text + used, sizeof(report->text) - used, format, args);
	va_end(args);
}

static const char *kind_text(enum ksim_fail_kind kind)
{
	switch (kind) {
	case KSIM_FAIL_FRAME:
		return "a frame";
	case KSIM_FAIL_KMEM:
		return "a kernel object";
	case KSIM_FAIL_FD:
		return "a descriptor";
	default:
		return "a message";
	}
}

/* ---- a run ---- */

static void note_first(struct run *run, const struct ksim_machine *m)
{
	const struct ksim_allocation *first = &run->first;
	struct ksim_end end;

	run->failed = ksim_fail_first(m, &run->first);
	if (!run->failed)
		return;
	if (first->process == NULL) {
		snprintf(run->where, sizeof(run->where), "%s, in %s", kind_text(first->kind), first->call);
		return;
	}
	snprintf(run->where, sizeof(run->where), "%s, in %s of %s (%u)", kind_text(first->kind), first->call,
	         first->process->kernel->owner.name, first->process->kernel->owner.id);
	ksim_process_status(first->process, &end);
	run->killed = !end.alive && end.signo == SIGKILL;
}

/* 0 or -ENOMEM: no machine. */
static int run_once(const struct sweep *sweep, uint64_t n, struct run *run)
{
	struct ksim_machine *m = machine_boot(sweep->config, sweep->parts);

	*run = (struct run){ .n = n };
	if (m == NULL)
		return -errno;
	if (sweep->replay == NULL)
		ksim_fail_nth(m, sweep->kinds, n);
	run->result = sweep->scenario(m, sweep->arg);
	run->allocations = ksim_fail_count(m);
	note_first(run, m);
	ksim_fail_when(m, 0, NULL, NULL);
	run->broken = ksim_check(m);
	run->left = ksim_halt(m);
	sweep->report->runs++;
	return 0;
}

static bool is_wrong(const struct run *run)
{
	if (run->broken != 0 || run->left != 0)
		return true;
	if (run->failed)
		return run->result > 0 && !run->killed;
	return run->result != 0;
}

/* ---- words ---- */

static void say_run(const struct sweep *sweep, const struct run *run)
{
	struct ksim_sweep_report *report = sweep->report;
	char kinds[FAIL_KINDS_BYTES];

	if (sweep->replay != NULL)
		say(report, "KSIM_FAIL=%s: ", sweep->replay);
	if (!run->failed)
		say(report, "no allocation failed: ");
	else if (sweep->replay != NULL)
		say(report, "allocation %llu (%s) failed: ", (unsigned long long)run->first.n, run->where);
	else
		say(report, "allocation %llu of \"%s\" (%s) failed: ", (unsigned long long)run->first.n,
		    fail_kinds_text(sweep->kinds, kinds), run->where);
	say(report, "the scenario returned %d", run->result);
	if (run->broken != 0)
		say(report, ", %d invariant%s broken", run->broken, run->broken == 1 ? " is" : "s are");
	if (run->left > 0)
		say(report, ", %d thing%s left in the kernel", run->left, run->left == 1 ? " was" : "s were");
	if (run->left < 0)
		say(report, ", a thread still acts as a process, so that the machine cannot be halted");
}

/* Fill in the report of a run that was wrong. @return -EPROTO */
static int complain(const struct sweep *sweep, const struct run *run)
{
	struct ksim_sweep_report *report = sweep->report;
	char kinds[FAIL_KINDS_BYTES];

	if (run->failed) {
		report->n = run->first.n;
		report->kind = run->first.kind;
		report->call = run->first.call;
	}
	report->result = run->result;
	report->broken = run->broken;
	report->left = run->left;
	say_run(sweep, run);
	if (sweep->replay != NULL)
		say(report, "; replay with KSIM_FAIL=%s", sweep->replay);
	else
		say(report, "; replay with KSIM_FAIL=%s:%llu", fail_kinds_text(sweep->kinds, kinds),
		    (unsigned long long)run->n);
	return -EPROTO;
}

static int no_machine(const struct sweep *sweep, int err)
{
	say(sweep->report, "a machine could not be booted: %s", strerrordesc_np(-err));
	return err;
}

/* ---- all runs ---- */

static int replay(const struct sweep *sweep)
{
	struct fail_plan plan;
	struct run run;
	int err = fail_parse(sweep->replay, &plan);

	if (err < 0) {
		say(sweep->report, "KSIM_FAIL=%s says nothing that could fail", sweep->replay);
		return err;
	}
	err = run_once(sweep, plan.nth, &run);
	if (err < 0)
		return no_machine(sweep, err);
	if (is_wrong(&run))
		return complain(sweep, &run);
	say_run(sweep, &run);
	say(sweep->report, ", and all was well");
	return 0;
}

static int is_fickle(const struct sweep *sweep, uint64_t allocations, const struct run *run)
{
	say(sweep->report,
	    "the scenario makes %llu allocations one time and %llu another: it must make the same ones each time",
	    (unsigned long long)allocations, (unsigned long long)run->allocations);
	return -ELOOP;
}

static int fail_each(const struct sweep *sweep, uint64_t allocations)
{
	struct run run;

	for (uint64_t n = 1; n <= allocations; n++) {
		int err = run_once(sweep, n, &run);

		if (err < 0)
			return no_machine(sweep, err);
		if (!run.failed)
			return is_fickle(sweep, allocations, &run);
		if (is_wrong(&run))
			return complain(sweep, &run);
	}
	return 0;
}

static int sweep_all(const struct sweep *sweep)
{
	char kinds[FAIL_KINDS_BYTES];
	struct run run;
	int err = run_once(sweep, 0, &run);

	if (err < 0)
		return no_machine(sweep, err);
	if (is_wrong(&run))
		return complain(sweep, &run);
	if (run.allocations > RUNS_MAX) {
		say(sweep->report, "the scenario makes %llu allocations, too many to fail each of them",
		    (unsigned long long)run.allocations);
		return -ELOOP;
	}
	err = fail_each(sweep, run.allocations);
	if (err == 0)
		say(sweep->report, "allocations of \"%s\": %llu, each failed in a run of its own, and all was well",
		    fail_kinds_text(sweep->kinds, kinds), (unsigned long long)run.allocations);
	return err;
}

/* 0, or why there can be no sweep. */
static int check_request(const struct sweep *sweep, const struct ksim_config *config, size_t size,
                         struct ksim_config *complete)
{
	int err = machine_config(config, size, complete);

	complete->fail = NULL;
	if (err < 0)
		say(sweep->report, "the config is none: %s", strerrordesc_np(-err));
	else if (sweep->scenario == NULL)
		say(sweep->report, "there is no scenario");
	else if (!fail_kinds_legal(sweep->kinds))
		say(sweep->report, "there are no such kinds: %#x", sweep->kinds);
	else
		return 0;
	return err < 0 ? err : -EINVAL;
}

int sweep_run(const struct machine_parts *parts, const struct ksim_config *config, size_t size, unsigned kinds,
              int (*scenario)(struct ksim_machine *m, void *arg), void *arg, struct ksim_sweep_report *report)
{
	struct ksim_sweep_report unwanted = { 0 };
	struct ksim_config complete;
	struct sweep sweep = {
		.parts = parts,
		.config = &complete,
		.kinds = kinds,
		.scenario = scenario,
		.arg = arg,
		.replay = fail_environment(),
		.report = report != NULL ? report : &unwanted,
	};
	int err;

	memset(sweep.report, 0, sizeof(*sweep.report));
	err = check_request(&sweep, config, size, &complete);
	if (err == 0)
		err = sweep.replay != NULL ? replay(&sweep) : sweep_all(&sweep);
	return (int)machine_result(err);
}
