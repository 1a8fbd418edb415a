/* SPDX-License-Identifier: MIT */
/*
 * Signals: what a process does at them, which wait for it, and which it will not have now.
 */
#ifndef TASK_SIGNAL_H
#define TASK_SIGNAL_H

#include <sys/queue.h>

#include "host/lock.h"

#define SIGNALS 64 /* 1 to 64 */

struct process;
struct task;

/** A signal action; the handler is opaque here, sim calls it. */
struct sigact {
	uint64_t handler; /* SIGACT_DEFAULT, SIGACT_IGNORE, else what sim understands */
	uint64_t flags;   /* SA_*, as the x86_64 kernel numbers them */
	uint64_t mask;    /* bit n - 1 is signal n */
	uint64_t restorer;
};
enum { SIGACT_DEFAULT = 0, SIGACT_IGNORE = 1 };

/** Of one process, or of several that share them (CLONE_SIGHAND). */
struct sigactions {
	struct mutex lock;         /* RANK_SIGNAL_ACTIONS */
	struct sigact of[SIGNALS]; /* A */
};

/** What a signal tells. */
struct signal_info {
	int signo;
	int code;       /* SI_USER, SI_TKILL, CLD_EXITED, SEGV_MAPERR, ... */
	uint32_t pid;   /* whose signal it is */
	uint32_t uid;   /* his real user */
	int status;     /* SIGCHLD: exit code or signal */
	uint64_t addr;  /* of a fault */
	uint64_t value; /* of rt_sigqueueinfo */
};

/** One that waits. */
struct signal_queued {
	TAILQ_ENTRY(signal_queued) link; /* s */
	bool embedded;                   /* c  in something that stays, and not to be freed */
	struct signal_info info;         /* s */
};

/** Signals that wait. */
struct signal_pending {
	uint64_t set;                      /* s  bit n - 1 is signal n */
	TAILQ_HEAD(, signal_queued) infos; /* s  what they tell; a signal without one tells only its number */
};

static inline uint64_t signal_bit(int signo)
{
	return UINT64_C(1) << (signo - 1);
}

void signal_pending_init(struct signal_pending *pending);
/** Forget all. */
void signal_pending_fini(struct env *env, struct signal_pending *pending);

/** What a signal without a handler does. */
enum signal_default { SIGNAL_TERMINATES, SIGNAL_IGNORED, SIGNAL_STOPS };
enum signal_default signal_default_of(int signo);
/** "SIGBUS BUS_ADRERR" and the like. */
const char *signal_name(int signo, int si_code);

/** Read and replace an action: old or fresh may be NULL. -EINVAL */
int process_sigaction(struct ctx *ctx, struct process *process, int signo, const struct sigact *fresh,
                      struct sigact *old);

/**
 * Send a signal to a process, or to one task of it. What it does at once: it ends the process, if that is what it does
 * and nothing keeps it from that; it is dropped, if it is ignored; else it waits, and a task that can have it is told.
 * @return 0; -EAGAIN: no memory for what a signal from SIGRTMIN on tells, unless kill(2) sends it
 */
int signal_send(struct ctx *ctx, struct process *process, struct task *task, const struct signal_info *info);
/** The signals that a call has raised for its caller (ctx->raised). */
void signal_raise(struct ctx *ctx);

/** kill(2), sigqueue(3): pid as there. 0; -EINVAL, -EPERM, -ESRCH, -EAGAIN */
int signal_kill(struct ctx *ctx, int pid, const struct signal_info *info);
/** tgkill(2), tkill(2) (tgid 0). 0; -EINVAL, -EPERM, -ESRCH, -EAGAIN */
int signal_kill_task(struct ctx *ctx, uint32_t tgid, uint32_t tid, const struct signal_info *info);

/* Of the task that calls. */

enum signal_verdict { SIGNAL_NONE, SIGNAL_HANDLE };

/**
 * Take a signal that is not blocked, and look what is to be done; what needs no handler is done here. The process may
 * be ending then.
 * @return SIGNAL_HANDLE: call the handler of *action; one with SA_RESETHAND has been reset. SIGNAL_NONE: none is left
 */
enum signal_verdict signal_take(struct task *task, struct signal_info *info, struct sigact *action);
/**
 * The action for a fault, which is not to be blocked or ignored.
 * @return false: it is, or there is no handler: the process is to be ended
 */
bool signal_take_fault(struct task *task, int signo, struct sigact *action);

/** Which signals the task blocks. Its mask may have been changed by a jump that sim must look for first. */
uint64_t signal_mask(struct task *task);
/** Set it, also for whoever jumps back to here. SIGKILL and SIGSTOP are left out. */
void signal_mask_set(struct task *task, uint64_t mask);
/** The same for sim, which has found it out or will restore it. */
void signal_blocked_set(struct task *task, uint64_t mask);
/** Those that wait for the task and are blocked. */
uint64_t signal_waiting(struct task *task);

/** Sleep until a signal is to be handled, with another mask meanwhile. -EINTR, -EDEADLK */
int signal_suspend(struct task *task, uint64_t mask);
/** Take one of a set, or sleep until there is one. Its number; -EAGAIN (deadline), -EINTR, -EDEADLK */
int signal_await(struct task *task, uint64_t set, uint64_t deadline_ns, struct signal_info *info);

/** A task that was told of signals for any has left: tell all. */
void signal_retarget(struct process *process);

#endif
