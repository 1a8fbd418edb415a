/* SPDX-License-Identifier: MIT */
/*
 * Stories that are swept: told once with nothing failing, then once for each allocation in them, which fails.
 *
 *	static int tell(int (*act)(void *))                       // 0, or 1 from MUST, or -ENOMEM from a death
 *	{
 *		struct ksim_process *p = story_process("client"); // NULL: wrong
 *
 *		MUST(p != NULL);
 *		story_begin();                                    // the census from here ...
 *		TRY(story_act(p, act, NULL));
 *		TRY(story_act(p, undo_step, NULL));
 *		return story_settled();                           // ... must be back
 *	}
 *	TEST(sweep, of_a_step) { story_sweep(tell, step); }
 *
 * RETRY makes a call, and if it failed for want of what was made to fail, makes it again: the second time it must do
 * what it would have done the first time, and the rest of the story goes as if nothing had happened. A failure that no
 * call has reported is wrong too, unless the story says that it may be absorbed. Only the death of a process whose
 * promised memory was not there ends a story early; even then the machine must be sound, and empty at the end.
 *
 * Memory is touched by mem_load8(), mem_store8() and so on, so that a story is told of soft and of native machines.
 *
 * All of it on one host thread, so the count of allocations means the same in every run. KSIM_SWEEP=brief makes fewer
 * of the combinations, for valgrind and emulators.
 */
#ifndef SWEEP_SWEEP_H
#define SWEEP_SWEEP_H

#include <ksim/ksim.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "access.h"
#include "harness.h"

enum { PAGE = 4096, RW = PROT_READ | PROT_WRITE, STORY_PROCESSES = 8 };

/** The story that is being told. */
static struct {
	struct ksim_machine *m;
	struct ksim_process *processes[STORY_PROCESSES];
	unsigned nprocesses;
	unsigned retried; /* calls that have failed as was planned, and were made again */
	bool killed;      /* a process was, for want of memory */
	bool absorbed;    /* what failed was no call's failure, rightly */
	bool until_halt;  /* something lives on until the machine ends, rightly */
	bool sparse;      /* files have holes: KSIM_COMMIT_ON_TOUCH */
	struct ksim_census begun;
} story;

/* ---- saying what is wrong ---- */

static inline int story_wrong(const char *file, int line, const char *what)
{
	printf("# %s:%d: not so: %s (errno %d, %s)\n", file, line, what, errno, strerror(errno));
	return 1;
}

/** In a function that returns 0, 1 or -ENOMEM: this must be so, or the story is wrong. */
#define MUST(cond)                                                     \
	do {                                                           \
		if (!(cond))                                           \
			return story_wrong(__FILE__, __LINE__, #cond); \
	} while (0)

/** In such a function: this must return 0, or its result is ours. */
#define TRY(call)                      \
	do {                           \
		int tried_ = (call);   \
		if (tried_ != 0)       \
			return tried_; \
	} while (0)

/* ---- retrying ---- */

/** Whether the call that just failed did so because of what was made to fail; noted, so once only. */
static inline bool story_exhausted(void)
{
	struct ksim_allocation first;
	int err = errno;

	if (story.retried > 0 || !ksim_fail_first(story.m, &first))
		return false;
	if (err != ENOMEM && err != EAGAIN && err != EMFILE && err != ENOBUFS && err != EFAULT && err != ENOSPC)
		return false;
	story.retried++;
	return true;
}

/** The call's result, of its second attempt if the first was made to fail. */
#define RETRY(call)                                                          \
	({                                                                   \
		__typeof__(call) result_ = (call);                           \
		if (result_ == (__typeof__(result_))-1 && story_exhausted()) \
			result_ = (call);                                    \
		result_;                                                     \
	})
/** The same of a call that returns NULL when it fails. */
#define RETRY_NEW(call)                                \
	({                                             \
		__typeof__(call) new_ = (call);        \
		if (new_ == NULL && story_exhausted()) \
			new_ = (call);                 \
		new_;                                  \
	})

/** The same of a call that after its failure must have left something as it was: `unchanged` is looked at then. */
#define RETRY_UNCHANGED(call, unchanged)                                                                      \
	({                                                                                                    \
		__typeof__(call) result_ = (call);                                                            \
		if (result_ == (__typeof__(result_))-1 && story_exhausted()) {                                \
			if (!(unchanged))                                                                     \
				return story_wrong(__FILE__, __LINE__, #unchanged " after " #call " failed"); \
			result_ = (call);                                                                     \
		}                                                                                             \
		result_;                                                                                      \
	})

/* ---- processes ---- */

static inline int story_nothing(void *arg)
{
	(void)arg;
	return 0;
}

/** Do something as a process: what fn returns; -ENOMEM: it was killed for want of memory. */
static inline int story_act(struct ksim_process *p, int (*fn)(void *), void *arg)
{
	struct ksim_allocation first;
	struct ksim_end end;

	MUST(RETRY(ksim_run(p, fn, arg, &end)) == 0);
	if (end.alive)
		return end.code;
	if (end.signo == SIGKILL && ksim_fail_first(story.m, &first)) {
		story.killed = true;
		return -ENOMEM;
	}
	return story_wrong(ksim_process_name(p), 0, end.text);
}

/** Keep a process for the end. */
static inline struct ksim_process *story_keep(struct ksim_process *p)
{
	if (p == NULL || story_act(p, story_nothing, NULL) != 0)
		return NULL;
	story.processes[story.nprocesses++] = p;
	return p;
}

/** A process that can be acted as without an allocation; NULL: wrong. */
static inline struct ksim_process *story_process(const char *name)
{
	return story_keep(RETRY_NEW(ksim_process_create(story.m, name)));
}

static inline struct ksim_process *story_fork(struct ksim_process *parent, const char *name)
{
	return story_keep(RETRY_NEW(ksim_process_fork(parent, name)));
}

/** End and reap a process before the story's end. 0 or 1 */
static inline int story_process_ends(struct ksim_process *p)
{
	struct ksim_end end;

	ksim_process_end(p, 0);
	MUST(ksim_join(p, &end) == 0);
	for (unsigned i = 0; i < story.nprocesses; i++)
		if (story.processes[i] == p)
			story.processes[i] = story.processes[--story.nprocesses];
	return 0;
}

/* ---- what is absorbed ---- */

/** What has failed so far, if it was in this call ("memory access": a touch), was not needed: the call did without. */
static inline void story_absorbs(const char *call)
{
	struct ksim_allocation first;

	if (ksim_fail_first(story.m, &first) && strcmp(first.call, call) == 0)
		story.absorbed = true;
}

/* ---- the census ---- */

static inline void story_begin(void)
{
	ksim_census(story.m, NULL, &story.begun);
}

static inline int story_compare(const struct ksim_census *before)
{
	struct ksim_census now;

	ksim_census(story.m, NULL, &now);
	if (memcmp(&now, before, sizeof(now)) == 0)
		return 0;
	printf("# frames %ld %ld, tables %ld %ld, objects %ld %ld, inodes %ld %ld, files %ld %ld, fds %ld %ld, mappings "
	       "%ld %ld, sockets %ld %ld, messages %ld %ld, processes %ld %ld, tasks %ld %ld\n",
	       before->frames, now.frames, before->page_tables, now.page_tables, before->objects, now.objects,
	       before->inodes, now.inodes, before->files, now.files, before->fds, now.fds, before->vmas, now.vmas,
	       before->sockets, now.sockets, before->messages, now.messages, before->processes, now.processes,
	       before->tasks, now.tasks);
	return story_wrong(__FILE__, __LINE__, "the census is as it was");
}

/** All that was made since story_begin() has been undone: the census says so too. */
static inline int story_settled(void)
{
	return story_compare(&story.begun);
}

/* ---- stories of one process ---- */

/** A process does `act`, then `undo` (NULL: nothing), both with arg; after that the census is what it was. */
static inline int story_of_one(int (*act)(void *), int (*undo)(void *), void *arg)
{
	struct ksim_process *p = story_process("client");

	MUST(p != NULL);
	story_begin();
	TRY(story_act(p, act, arg));
	if (undo != NULL)
		TRY(story_act(p, undo, arg));
	return story_settled();
}

/** The same of what needs no arg and undoes itself; to be swept as it stands. */
static inline int story_of_itself(int (*act)(void *))
{
	return story_of_one(act, NULL, NULL);
}

/* ---- sweeping ---- */

struct telling {
	struct ksim_config config;
	int (*tell)(int (*act)(void *));
	int (*act)(void *);
};

/* A window shows what is there already when it is mapped and around a fault, if there is memory for page tables. */
static inline bool story_shows(const struct ksim_allocation *failed)
{
	return access_is_native() && failed->kind == KSIM_FAIL_FRAME &&
	       (strcmp(failed->call, "mmap") == 0 || strcmp(failed->call, "mremap") == 0 ||
	        strcmp(failed->call, "memory access") == 0);
}

static inline int story_scenario(struct ksim_machine *m, void *arg)
{
	const struct telling *telling = arg;
	struct ksim_allocation first;
	struct ksim_census before;
	int result;

	memset(&story, 0, sizeof(story));
	story.m = m;
	story.sparse = telling->config.commit == KSIM_COMMIT_ON_TOUCH;
	ksim_census(m, NULL, &before);
	result = telling->tell(telling->act);
	while (story.nprocesses > 0)
		if (story_process_ends(story.processes[0]) != 0)
			return 1;
	if (result <= 0 && !story.until_halt && story_compare(&before) != 0)
		return 1;
	if (result == 0 && ksim_fail_first(m, &first) && story.retried == 0 && !story.absorbed && !story_shows(&first))
		return story_wrong(first.call, 0, "the call reports what failed");
	if (result < 0 && !story.killed)
		return story_wrong(__FILE__, __LINE__, "only a death ends a story early");
	return result;
}

static inline void story_sweep_kind(struct telling *telling, unsigned kind)
{
	const struct ksim_config *config = &telling->config;
	const char *arch = config->arch == KSIM_ARCH_AARCH64 ? "aarch64" : "x86_64";
	const char *commit = config->commit == KSIM_COMMIT_ON_TOUCH ? "touch" : "truncate";
	struct ksim_sweep_report report;
	int swept = ksim_sweep(config, kind, story_scenario, telling, &report);

	EXPECT_MSG(swept == 0, "%s, commit on %s: %s", arch, commit, report.text);
	if (swept == 0)
		printf("# %s, commit on %s: %s\n", arch, commit, report.text);
}

/**
 * story_sweep() on machines as configured, but for what differs from sweep to sweep; window_bytes 0: enough for most.
 */
static inline void story_sweep_on(struct ksim_config config, int (*tell)(int (*act)(void *)), int (*act)(void *))
{
	static const enum ksim_arch arches[] = { KSIM_ARCH_X86_64, KSIM_ARCH_AARCH64 };
	static const enum ksim_commit commits[] = { KSIM_COMMIT_ON_TRUNCATE, KSIM_COMMIT_ON_TOUCH };
	const char *how = getenv("KSIM_SWEEP");
	bool brief = how != NULL && strcmp(how, "brief") == 0;

	config.access = access_wanted();
	if (config.window_bytes == 0)
		config.window_bytes = 64 << 20;
	for (int a = 0; a < 2; a++) {
		for (int c = 0; c < 2; c++) {
			struct telling telling = { .config = config, .tell = tell, .act = act };

			telling.config.arch = arches[a];
			telling.config.commit = commits[c];
			if (brief && a != c)
				continue;
			story_sweep_kind(&telling, KSIM_FAIL_ANY);
			for (unsigned kind = 1; kind < KSIM_FAIL_ANY && !brief; kind *= 2)
				story_sweep_kind(&telling, kind);
		}
	}
}

/**
 * Sweep a story, which is given `act` (NULL: it needs none): on both architectures, under both policies, each kind
 * alone and all together.
 */
static inline void story_sweep(int (*tell)(int (*act)(void *)), int (*act)(void *))
{
	story_sweep_on((struct ksim_config){ .ram_bytes = 4 << 20 }, tell, act);
}

#endif
