/* SPDX-License-Identifier: MIT */
/*
 * Things that go wrong on purpose: allocations that fail, system calls that are refused, messages that lose
 * descriptors; and the sweep, which fails every allocation of a scenario in turn.
 *
 * Whether an allocation fails is asked at the allocation, per machine, before any cache; so a scenario that runs on one
 * host thread asks the same questions in the same order each time, and one number says which of them failed.
 */
#ifndef KSIM_FAIL_H
#define KSIM_FAIL_H

#include <ksim/machine.h>
#include <stdio.h>

KSIM_BEGIN_DECLS

/** What can be made to run out; bits. */
enum ksim_fail_kind {
	KSIM_FAIL_FRAME = 1,   /**< a frame of RAM: a page, a page-table node; ENOMEM, at a touch a death */
	KSIM_FAIL_KMEM = 2,    /**< a kernel object: an inode, a mapping, a process; ENOMEM */
	KSIM_FAIL_FD = 4,      /**< a slot in a descriptor table; EMFILE, in recvmsg MSG_CTRUNC */
	KSIM_FAIL_MESSAGE = 8, /**< a message in flight; ENOBUFS */
	KSIM_FAIL_ANY = 15,
};

/** An allocation about to be made. */
struct ksim_allocation {
	enum ksim_fail_kind kind;
	uint64_t n;                         /**< how many of the kinds asked for there have been, this one included */
	const char *call;                   /**< the call that makes it: "mmap"; "memory access" for a fault */
	const struct ksim_process *process; /**< who calls; NULL: the machine itself */
};

/**
 * Make the nth allocation of the given kinds fail, counted from this call; the others succeed. Replaces what was set by
 * any of the ksim_fail functions, by ksim_config.fail or by KSIM_FAIL.
 *
 * @param kinds  KSIM_FAIL_* bits
 * @param n      from 1 on; 0: none fails, they are only counted
 * @return 0, or -1 with errno EINVAL: no kinds or unknown ones
 * Threads: any; one at a time.
 */
KSIM_EXPORT int ksim_fail_nth(struct ksim_machine *m, unsigned kinds, uint64_t n);

/**
 * Make allocations of the given kinds fail by chance, each on its own.
 *
 * @param probability  from 0 to 1
 * @param seed         the same seed gives the same failures to the same order of allocations
 * @return 0, or -1 with errno EINVAL: no kinds, unknown ones, or no probability
 * Threads: any; one at a time.
 */
KSIM_EXPORT int ksim_fail_chance(struct ksim_machine *m, unsigned kinds, double probability, uint64_t seed);

/**
 * Ask before each allocation of the given kinds whether it shall fail.
 *
 * @param decide  true: it fails. Called on the thread that allocates, with locks of the kernel held, so that it must
 *                not call ksim. NULL: no allocation fails on purpose any more, and none is counted
 * @return 0, or -1 with errno EINVAL: no kinds or unknown ones, unless decide is NULL
 * Threads: any; one at a time.
 */
KSIM_EXPORT int ksim_fail_when(struct ksim_machine *m, unsigned kinds,
                               bool (*decide)(void *arg, const struct ksim_allocation *allocation), void *arg);

/** How many allocations of the kinds asked for there have been since that was set. Any thread. */
KSIM_EXPORT uint64_t ksim_fail_count(const struct ksim_machine *m);

/**
 * The allocation that failed first on purpose since that was set.
 * @return false: none has. The strings and the process are valid until ksim_halt(). Any thread.
 */
KSIM_EXPORT bool ksim_fail_first(const struct ksim_machine *m, struct ksim_allocation *out);

/* ---- system-call policy ---- */

/**
 * Refuse a system call to a process, as a sandbox does: the call does nothing and returns the error. Children made by
 * fork later have the parent's policy. What was refused so far for the same call is replaced.
 *
 *	ksim_refuse(client, "memfd_create", ENOSYS, 0, 0);                 // an old kernel, a strict sandbox
 *	ksim_refuse(client, "memfd_create", EINVAL, MFD_ALLOW_SEALING, 0); // without sealing
 *	ksim_refuse(client, "recvmsg", EINTR, 0, 1);                       // a signal, once
 *
 * @param call   its name, as in ksim_nr(); however the program calls it
 * @param err    1 to 4095: its errno; 0: allow the call again
 * @param flags  0: every call; else only calls whose flags argument has all of these bits, in the values of the host
 *               (mmap's are its flags, mprotect's its protection, socket's its type). ksim_syscall's flags are
 *               converted before they are compared
 * @param times  refuse so many calls, then allow it; 0: until told otherwise
 * @return 0, or -1 with errno:
 *   EINVAL  no such call, err out of range, flags for a call that has none; exit and exit_group, after which nobody
 *           could go on
 *   ESRCH   p has ended
 *   ENOMEM  the host has no memory
 * Threads: any; calls of p under way are not affected.
 */
KSIM_EXPORT int ksim_refuse(struct ksim_process *p, const char *call, int err, unsigned long flags, unsigned times);

/**
 * Let the next message with descriptors that a process receives deliver only the first `count` of them, with MSG_CTRUNC
 * set, as when its table was full: the others are closed.
 *
 * @return 0, or -1 with errno ESRCH: p has ended
 * Threads: any.
 * Linux: scm_detach_fds delivers what fits, as many as there are free descriptors.
 */
KSIM_EXPORT int ksim_truncate_fds(struct ksim_process *p, unsigned count);

/* ---- the sweep ---- */

/** How a sweep went. */
struct ksim_sweep_report {
	uint64_t runs;            /**< machines on which the scenario was run */
	uint64_t n;               /**< the failing allocation of the run that was wrong; 0: of the run without any */
	enum ksim_fail_kind kind; /**< its kind; 0: none failed */
	const char *call;         /**< the call that it failed; a string constant, NULL: none failed */
	int result;               /**< of the scenario in that run */
	int broken;               /**< of ksim_check() after it */
	int left;                 /**< of ksim_halt() after that */
	char text[512]; /**< all of it in words, and the line that replays it; how many runs if all was well */
};

KSIM_EXPORT int ksim_sweep_sized(const struct ksim_config *config, size_t size, unsigned kinds,
                                 int (*scenario)(struct ksim_machine *m, void *arg), void *arg,
                                 struct ksim_sweep_report *report);

/**
 * Run a scenario on fresh machines: once with nothing failing, then failing allocation 1, 2, ... of the given kinds,
 * each in a run of its own; check and halt the machine after each run.
 *
 *	allocation 12 of "any" (a frame, in ftruncate of client (2)) failed: the scenario returned 1; replay with
 *	KSIM_FAIL=any:12
 *
 * With KSIM_FAIL in the environment, only that run is made; "any:0" is the one in which nothing fails.
 *
 * @param config    what each machine shall be; NULL: the defaults. Its fail is ignored
 * @param kinds     KSIM_FAIL_* bits
 * @param scenario  returns 0: done; -errno: exhausted, which is fine; 1, or any other positive number: wrong, unless the
 *                  allocation that failed cost its process's life (a touch of promised memory), which is exhaustion
 *                  too. The run in which nothing fails must return 0. It runs on the calling thread and acts as no
 *                  process when it returns; it must allocate in the same order each time, so it starts no thread.
 *                  Acting as a process for the first time allocates too, and where ksim_as() must give up,
 *                  ksim_run() returns ENOMEM
 * @param report    NULL: not wanted
 * @return 0, or -1: report->text says what was wrong; with errno:
 *   EINVAL  no kinds or unknown ones, no scenario, a config or a KSIM_FAIL that is none
 *   E2BIG   as ksim_boot()
 *   ENOMEM  a machine could not be booted
 *   EPROTO  a run was wrong: the scenario's result, a broken invariant, things left in the kernel
 *   ELOOP   the scenario makes more than a million allocations, or not the same number of them each time
 * Threads: one that acts as no process.
 */
static inline int ksim_sweep(const struct ksim_config *config, unsigned kinds,
                             int (*scenario)(struct ksim_machine *m, void *arg), void *arg,
                             struct ksim_sweep_report *report)
{
	return ksim_sweep_sized(config, config != NULL ? sizeof(*config) : 0, kinds, scenario, arg, report);
}

KSIM_END_DECLS

#endif
