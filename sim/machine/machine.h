/* SPDX-License-Identifier: MIT */
/*
 * Inside sim: what a machine and a process are beside their kernel halves, and how a host thread acts.
 */
#ifndef MACHINE_MACHINE_H
#define MACHINE_MACHINE_H

#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <sys/queue.h>

#include "ksim/cpu.h"
#include "ksim/process.h"
#include "machine/mask.h"
#include "machine/crew.h"
#include "syscall/syscall.h"

/** What the folders above machine do for it; all must be set. */
struct machine_parts {
	struct {
		int (*process_born)(struct ctx *ctx, struct ksim_process *process);
		void (*process_gone)(struct ctx *ctx, struct ksim_process *process);
		int (*task_born)(struct ctx *ctx, struct task *task); /* sets task->cpu */
		void (*task_joined)(struct ctx *ctx, struct task *task);
		void (*task_gone)(struct ctx *ctx, struct task *task);
		void (*task_kicked)(struct ctx *ctx, struct task *task);
	} cpu;
	/* Only of a machine with native access. */
	struct {
		/** Before the first process. 0, -ENOMEM, -ENOSYS, -EAGAIN */
		int (*boot)(struct ksim_machine *m);
		/** The last process has gone. */
		void (*halt)(struct ksim_machine *m);
		/** Gives the process its window, kernel->window. 0 or -ENOMEM */
		int (*process_born)(struct ctx *ctx, struct ksim_process *process);
		void (*process_gone)(struct ctx *ctx, struct ksim_process *process);
		/** The process is ending: see that its threads notice at their next access. */
		void (*process_kicked)(struct ctx *ctx, struct ksim_process *process);
	} native;
	/* Of a machine whose processes have the host's stdio; may be NULL. */
	struct {
		/** Fill in m->stdio. 0 or -ENOMEM */
		int (*boot)(struct ksim_machine *m);
		/** The last process has gone. */
		void (*halt)(struct ksim_machine *m);
		/** Gives the process its first descriptors. 0 or -ENOMEM */
		int (*process_born)(struct ctx *ctx, struct ksim_process *process);
	} posix;
	struct {
		/** Attach what the config asks for; the kernel exists, no process does. 0, -ENOMEM, -EINVAL */
		int (*attach)(struct ksim_machine *m);
		/**
		 * A process is born, which nothing but this can fail now; parent: who made it, dead or alive, or NULL.
		 * 0 or -ENOMEM. May be NULL.
		 */
		int (*process_born)(struct ksim_process *process, struct ksim_process *parent);
		/** It has ended. May be NULL. */
		void (*process_gone)(struct ksim_process *process);
		/** Before the kernel is destroyed. @return things of the kernel still held, each printed */
		int (*detach)(struct ksim_machine *m);
	} lab;
};

struct ksim_machine {
	struct kernel *kernel;             /* c */
	struct ksim_config config;         /* c  with defaults filled in */
	const struct machine_parts *parts; /* c */
	pthread_mutex_t lock;              /* threads of processes; taken under no other lock */
	struct crew crew;                  /* the host threads that they run on */
	void *lab;                         /* of lab */
	void *native;                      /* of native; NULL: access is soft */
	unsigned guests;                   /* g  threads of the program's that act for their life: see threads.c */
	struct file *stdio[3];             /* c  of posix: 0, 1 and 2 of a new process; NULL: nothing */
};

/** What becomes of a process when a host thread that ksim started returns from its function. */
enum thread_return {
	THREAD_ENDS_PROCESS, /* as main does */
	THREAD_EXITS,        /* with exit(2) */
	THREAD_ENDS,         /* it lives on */
};

/** A host thread that ksim started. */
struct machine_thread {
	LIST_ENTRY(machine_thread) link; /* l  of its process */
	struct ksim_process *process;
	struct task *task;
	int (*fn)(void *arg);
	void *arg;
	int result; /* of fn; -1 if it was ended */
	enum thread_return at_return;
	struct crew_job job;
};

struct ksim_process {
	struct process *kernel;              /* c */
	struct ksim_machine *machine;        /* c */
	uint64_t number;                     /* c  never used twice in this host process */
	bool started;                        /* a  ksim_start has been called */
	LIST_HEAD(, machine_thread) threads; /* l  not joined yet */
	void *cpu;                           /* of cpu: its TLBs */
	void *native;                        /* of native: its window; NULL: it has none */
	bool (*adopt)(void);                 /* c  of posix: who acts as nobody becomes a thread of it; NULL: no one */
	bool mirrors;                        /* c  of posix: the host's mask is as its threads have it */
	void (*died)(struct ksim_process *); /* c  of posix: it has ended, with nowhere to unwind to; NULL: abort */
	void *policy;                        /* of lab: which of its calls are refused */
	void *trace;                         /* of lab: where its calls are written to */
};

/** Where a user address of a process is among the program's own; 0: nowhere. */
static inline uintptr_t window_address(const struct user_window *window, ksim_addr addr)
{
	return addr - window->user < window->bytes ? (uintptr_t)(addr - window->user + window->host) : 0;
}

static inline struct ksim_process *process_handle(const struct process *process)
{
	return process->sim;
}

/** Boot with the given parts; NULL and errno. config is complete. */
struct ksim_machine *machine_boot(const struct ksim_config *config, const struct machine_parts *parts);
/** Fill in defaults and check: 0 or -EINVAL, -E2BIG. */
int machine_config(const struct ksim_config *config, size_t size, struct ksim_config *out);

/** Whether any part of the program was compiled with <ksim/posix.h>. */
bool machine_posix_in_use(void);
/** Tells it that. Called before main. */
KSIM_EXPORT void ksim_posix_mark_(void);
/** Whether the program has ever booted a machine. */
bool machine_booted(void);
/** Whether a thread that is not ours acts as a process of m. */
bool machine_acts(struct ksim_machine *m);

/* ---- acting ---- */

/** The task this thread acts as now; NULL: none. */
struct task *acting_task(void);
/** The same, for a call that needs one: without one, prints a sentence and aborts. */
struct task *acting_task_for(const char *call);
/**
 * Leave the dying process that this thread acts as, or the one whose thread it is no more, having exited alone: unwinds
 * to the innermost ksim_run or thread start, or, with neither, prints how the process ended and aborts. Does not
 * return.
 */
__attribute__((noreturn)) void acting_die(void);
/**
 * The marks of the masks of this thread, if it acts as task, and what the topmost entry found when it was made; else
 * NULL.
 */
struct mask_marks *acting_marks(const struct task *task, const struct mask_mark **found);
/** A thread begins as a task that was entered for it: with the mask of the thread that makes it. */
void acting_inherit(struct task *task);

/** Calls a function of the kernel's for this thread; NULL: the thread may do so itself. */
typedef void (*kernel_call)(void (*fn)(void *arg), void *arg);

enum signals_outcome { SIGNALS_NO_HANDLER, SIGNALS_RESTART, SIGNALS_INTERRUPT };

/**
 * Handle what waits for the task that this thread acts as; does not return if its process ends of it.
 * @return what was done about the first
 */
enum signals_outcome signals_deliver(struct task *task, kernel_call call);
/** Call a handler with the mask it wants, and those that then are to run before it. context: its third argument */
void signals_handle(struct task *task, const struct sigact *action, const struct signal_info *info, void *context,
                    kernel_call call);

/** How a process stands, in the public struct. */
void end_export(const struct process *process, struct ksim_end *out);

/**
 * On a thread that acts as p for its life, counted as acting already: act as p, entered as task by an actor of that
 * kind, and call fn.
 * @return true if fn returned, false if it was unwound
 */
bool acting_call(struct ksim_process *p, struct task *task, enum task_actor kind, int (*fn)(void *), void *arg,
                 int *result);
/** After acting_call, whichever way it ended: stop acting as p. */
void acting_leave(void);
/** Stop acting as whoever this thread acts as; nothing if it acts as none. */
void acting_leave_all(void);
/** Begin acting: an entered task. 0, -ESRCH, -ENOMEM, -EAGAIN */
int acting_claim(struct ksim_process *p, enum task_actor actor, struct task **out);

/** Make a host thread of an entered task; gives the task back when the host has none. 0, -ENOMEM, -EAGAIN */
int thread_start(struct ksim_process *p, struct task *task, enum thread_return at_return, int (*fn)(void *), void *arg);
/** Wait for p's threads to return and free them. None of them is the caller. */
void threads_join(struct ksim_process *p);
/**
 * A thread that the program made acts as a process of m for its life, and has stopped: m may be gone when this returns.
 */
void guest_begin(struct ksim_machine *m);
void guest_end(struct ksim_machine *m);
/** Wait, but not for ever, until there is none; true: there is none. */
bool guests_await(struct ksim_machine *m);

/* ---- clone ---- */

/** What follows clone's arguments, as far as its flags need it: who wants none of it may pass none. Else NULL. */
struct clone_rest {
	pid_t *parent_tid;
	void *tls;
	pid_t *child_tid;
};
struct clone_rest clone_rest_of(int flags, va_list rest);

/* ---- calls ---- */

/** Run a call as the acting process, in the host's ABI: the value, or -errno. Does not return if it dies. */
long machine_call(enum syscall_call call, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f);
/** -errno to -1 and errno. */
long machine_result(long result);

static inline uint64_t call_ptr(const void *pointer)
{
	return (uint64_t)(uintptr_t)pointer;
}

/** An int, as the ABI passes it. */
static inline uint64_t call_int(int value)
{
	return (uint64_t)(int64_t)value;
}

/** In a function (..., int flags, ...) that opens: mode is what follows the flags, if a file may be made; else 0. */
#define OPEN_MODE(mode, flags)                                                                            \
	do {                                                                                              \
		va_list rest_;                                                                            \
                                                                                                          \
		va_start(rest_, flags);                                                                   \
		(mode) = (flags)&O_CREAT || ((flags)&O_TMPFILE) == O_TMPFILE ? va_arg(rest_, mode_t) : 0; \
		va_end(rest_);                                                                            \
	} while (0)

/** A call of up to four arguments that returns an int: -1 and errno when it fails. */
static inline int machine_call_int(enum syscall_call call, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	return (int)machine_result(machine_call(call, a, b, c, d, 0, 0));
}

/** The architecture the library was compiled for. */
static inline enum ksim_arch machine_host_arch(void)
{
#if defined(__aarch64__)
	return KSIM_ARCH_AARCH64;
#else
	return KSIM_ARCH_X86_64;
#endif
}

/** Print a sentence about a misuse that cannot be an errno, and abort. */
__attribute__((noreturn, cold, format(printf, 1, 2))) void machine_abort(const char *format, ...);

#endif
