/* SPDX-License-Identifier: MIT */
/*
 * Processes, their tasks, and the kernel that holds them all.
 *
 * A process owns an address space, an fd table and signal actions. A task is one thread of it: it owns a ctx, a
 * waiter and, through sim, a TLB. Host threads act as tasks; which thread acts as which is sim's business.
 */
#ifndef TASK_PROCESS_H
#define TASK_PROCESS_H

#include "base/creds.h"
#include "base/limits.h"
#include "base/uio.h"
#include "ipc/unix.h"
#include "mm/mm.h"
#include "phys/cache.h"
#include "task/signal.h"
#include "vfs/fdtable.h"
#include "vfs/fs.h"

#define NR_OPEN 1048576u /* fs.nr_open: the hard limit of RLIMIT_NOFILE */
#define PID_MAX 4194304u

/** How a process ended. */
struct end {
	int signo;      /* 0: it exited */
	int code;       /* exit status, 0 to 255 */
	int si_code;    /* of a fault */
	ksim_addr addr; /* of a fault */
	char text[160]; /* a sentence */
};

enum process_state {
	PROCESS_ALIVE,
	PROCESS_ENDING, /* its end is decided; tasks are leaving */
	PROCESS_ZOMBIE, /* nothing left but how it ended */
	PROCESS_REAPED,
};

struct process {
	struct owner owner;            /* c  its account; owner.id is the pid, owner.name the name */
	struct kernel *kernel;         /* c */
	TAILQ_ENTRY(process) link;     /* t  of kernel->processes */
	struct process *parent;        /* a t  written under t */
	struct process *maker;         /* c  whose copy it is, or who shares with it; NULL: nobody's */
	LIST_HEAD(, process) children; /* t  alive or ending */
	LIST_HEAD(, process) zombies;  /* t  ended, to be waited for */
	LIST_ENTRY(process) sibling;   /* t  of either list of its parent */
	struct wait_queue ended;       /* woken when it becomes a zombie */
	struct wait_queue child_ended; /* woken when one of its children does */
	struct mutex lock;             /* RANK_PROCESS */
	uint32_t state;                /* a  enum process_state; changed under lock */
	struct mm *mm;            /* c  until it is a zombie, then NULL; of several processes, as the next two may be */
	struct fdtable *files;    /* c  likewise */
	struct fs *fs;            /* c  likewise */
	LIST_HEAD(, task) tasks;  /* p  all since its birth; idle ones too */
	uint32_t lane;            /* p  of its next task: each has another one, see host/lock.h */
	bool born;                /* p  its birth is complete: mm and files may be borrowed */
	bool torn;                /* p  somebody makes it a zombie */
	bool leaderless;          /* a p  its first thread has exited alone: it ends with its last one */
	int last_code;            /* p  of the thread that has ended last */
	struct end end;           /* p  valid from ENDING on */
	struct mutex signal_lock; /* RANK_SIGNAL */
	struct sigactions *actions; /* c  its own, or those of another process, whose struct stays as long */
	struct sigactions own_actions;
	struct signal_pending shared; /* s  for any of its tasks */
	struct signal_queued told;    /* s of its parent: what that is told of its end */
	uint64_t first_mask;          /* c  what its tasks block to begin with */
	uint32_t group;               /* a  written under t */
	int exit_signal;              /* c  what its parent gets when it ends; 0: nothing (t when it is discarded) */
	struct creds creds;           /* a  written under signal_lock */
	struct limits limits;         /* a  written under signal_lock */
	bool held_by_bench;           /* c  reaped by the bench's join or by halt, not by its parent */
	const char *call;             /* c  that made it */
	uint64_t epoch;               /* c  and when */
	struct user_window window;    /* c  of sim, set when it is born: its memory among the program's addresses */
	void *sim;                    /* of sim: what the machine keeps for it */
};

#define TASK_DIE    1u /* leave as soon as you can: the process is ending */
#define TASK_SIGNAL 2u /* there are signals, perhaps blocked ones */
#define TASK_EXIT   4u /* likewise: this thread alone has exited */

struct task {
	struct ctx ctx; /* c  of every call it makes */
	struct event_counts counts;
	struct frame_cache frames;
	struct process *process; /* c */
	LIST_ENTRY(task) link;   /* p */
	uint32_t tid;            /* c  the first one's is the pid */
	struct waiter waiter;
	uint32_t pending;          /* a  TASK_* */
	uint32_t busy;             /* a  0 idle, else enum task_actor: what kind of host thread acts as it */
	bool ended;                /* a p  its thread has ended, and nobody has acted as it since: it has no number */
	int exit_code;             /* of its thread: what it has exited with, with TASK_EXIT */
	struct uptr clear_tid;     /* of its thread: where its number is to be cleared as it ends */
	void *cpu;                 /* of sim: its TLB */
	struct signal_pending own; /* s  signals for it alone */
	uint64_t blocked;          /* s, read without by itself */
	uint64_t really_blocked;   /* s  while it waits for some of what it blocks; else 0 */
	uint64_t held;     /* s  of what it blocks, what it does not while nothing but its end ends a wait; else 0 */
	uint64_t restored; /* of its thread: what it blocks when the call is over, if restores */
	bool restores;     /* of its thread */
	struct {
		uint64_t sp, size;
		uint32_t flags;
	} altstack; /* of its thread: what sigaltstack has set */
};

/** Whose host thread acts as a task: the program's, for a while; ours; the program's, for its life. */
enum task_actor { TASK_ACTOR_PROGRAM = 1, TASK_ACTOR_OURS = 2, TASK_ACTOR_THREAD = 3 };

struct kernel_config {
	uint64_t ram_bytes;
	enum ksim_arch arch; /* not HOST */
	enum commit_policy commit;
	unsigned linux_release;
	uint32_t fd_limit;
	bool poison;
	bool ram_in_file;
	struct sysctl sysctl; /* at boot */
	uint64_t huge_pages;  /* in the pool at boot, or as many as there is RAM for */
	const struct ksim_object_ops *memfd_ops;
};

struct kernel {
	struct env env;
	struct mutex lock;               /* RANK_PROCESS_TABLE: t members, pids */
	TAILQ_HEAD(, process) processes; /* t  every one since boot, reaped ones too */
	struct process **by_pid;         /* t  indexed by pid and tid; NULL: none or reaped */
	uint32_t by_pid_size;
	uint32_t next_pid;    /* t  also hands out tids */
	struct process *init; /* c  pid 1: it has no memory, no files and no code */
	struct wait_registry waits;
	/** What sim does along; each may be NULL. */
	struct kernel_sim {
		/** It has its memory and files. 0 or -ENOMEM. */
		int (*process_born)(struct ctx *ctx, struct process *process);
		/** It is about to lose them. */
		void (*process_gone)(struct ctx *ctx, struct process *process);
		/** Its struct is about to be freed. */
		void (*process_freed)(struct env *env, struct process *process);
		/** Allocate what a task needs. 0 or -ENOMEM. */
		int (*task_born)(struct ctx *ctx, struct task *task);
		/** It is on its process's list, which is alive and locked. */
		void (*task_joined)(struct ctx *ctx, struct task *task);
		/** Its process has lost its last thread, or it was never listed: free what task_born made. */
		void (*task_gone)(struct ctx *ctx, struct task *task);
		/** Make the task notice task->pending at its next access to memory. */
		void (*task_kicked)(struct ctx *ctx, struct task *task);
		/** Its thread may have changed its mask by a jump: signal_blocked_set what it is now. */
		void (*mask_read)(struct task *task);
		/** Its mask has been set by a call. */
		void (*mask_written)(struct task *task);
	} sim; /* c */
};

/** A machine's kernel. -ENOMEM; -EINVAL for a RAM size that is none. */
int kernel_create(const struct kernel_config *config, const struct env_hooks *hooks, struct kernel **out);
/**
 * Give back what the kernel itself holds: init, queued messages, the frame of zeros. Every process has ended and
 * been reaped, no call is under way. What the census still counts afterwards is a leak of ours.
 */
void kernel_stop(struct kernel *kernel);
/** Free all, after kernel_stop. */
void kernel_destroy(struct kernel *kernel);
/** End and reap a child that its maker will not have after all; its parent is sent no signal. Nobody acts as it. */
void process_discard(struct ctx *ctx, struct process *process);
/** Reap a zombie, whoever's child it is. */
void process_reap(struct ctx *ctx, struct process *process);

static inline struct kernel *kernel_of(const struct ctx *ctx)
{
	return ctx->env->kernel;
}

/** The process that calls; NULL: the machine itself. */
static inline struct process *ctx_process(const struct ctx *ctx)
{
	return ctx->task != NULL ? ctx->task->process : NULL;
}

/** A caller that is the machine itself. */
static inline void kernel_ctx(struct kernel *kernel, struct ctx *ctx, const char *call)
{
	ctx_init(ctx, &kernel->env, call);
}

/** A process with an empty address space, child of pid 1, held by the bench. -ENOMEM, -EAGAIN (pids). */
int process_create(struct ctx *ctx, const char *name, struct process **out);
/** What clone(2) says to flags before it does anything: 0; -EINVAL, -EPERM. */
int clone_check(const struct ctx *ctx, uint32_t flags);
/**
 * Whether the caller may have one process or thread more (RLIMIT_NPROC), which process_clone asks itself. 0; -EAGAIN
 */
int clone_check_number(struct ctx *ctx);
/**
 * A child of parent which shares with it what clone(2)'s flags say, and has copies of the rest; the signal of its end
 * is their low byte. name NULL: the parent's. -ENOMEM, -EAGAIN, -ESRCH (parent is ending)
 */
int process_clone(struct ctx *ctx, struct process *parent, const char *name, bool held_by_bench, uint32_t flags,
                  struct process **out);
/** A child of parent with a copy of its memory and its fd table. name NULL: the parent's. */
int process_fork(struct ctx *ctx, struct process *parent, const char *name, bool held_by_bench, struct process **out);
/**
 * Have the frames that a process makes from now on, and its future children with it, count to the limit of a group
 * (group_create). What it has made stays charged where it is.
 */
void process_set_memory_group(struct ctx *ctx, struct process *process, uint32_t group);
/** What its peers are told of it. */
struct unix_creds process_unix_creds(const struct process *process);
/** Whether a living process with a lower pid has that memory, or those files (NULL: not asked). */
bool process_has_elder(struct ctx *ctx, const struct process *process, const struct mm *mm,
                       const struct fdtable *files);
/** The process of a pid, not one that is being made or has been reaped. NULL: none. */
struct process *process_by_pid(struct ctx *ctx, uint32_t pid);
/** Likewise, or the one that has a thread of that number, which has not ended. */
struct process *process_of_tid(struct ctx *ctx, uint32_t tid);

static inline enum process_state process_state(const struct process *process)
{
	return (enum process_state)__atomic_load_n(&process->state, __ATOMIC_SEQ_CST);
}

/** The parent of a moment ago, NULL for init: a process's memory stays until its machine ends. */
static inline const struct process *process_parent(const struct process *process)
{
	return __atomic_load_n(&process->parent, __ATOMIC_ACQUIRE);
}

/** Its group of processes. */
static inline uint32_t process_group(const struct process *process)
{
	return __atomic_load_n(&process->group, __ATOMIC_RELAXED);
}
/** setpgid(2) by a process: of itself or a child. 0; -ESRCH (neither), -EPERM (no such group) */
int process_set_group(struct ctx *ctx, struct process *by, uint32_t pid, uint32_t group);

/** Its memory and files with references for the caller; NULL: not wanted. 0; -ESRCH: it is ending, or not yet born. */
int process_borrow(struct ctx *ctx, struct process *process, struct mm **mm, struct fdtable **files);
/** Its working directory and umask likewise; NULL: it is ending, or not yet born. */
struct fs *process_borrow_fs(struct ctx *ctx, struct process *process);
/**
 * For walks over all processes while they run: the living one with the lowest pid > after, with references to its
 * memory and files (NULL: not wanted) for the caller. NULL: no more. init, which has neither, is passed over.
 */
struct process *process_next(struct ctx *ctx, struct kernel *kernel, uint32_t after, struct mm **mm,
                             struct fdtable **files);

/** A process that another one made, not the bench, and that has not been waited for. */
struct process_child {
	uint32_t pid;
	const struct owner *parent;
	const struct owner *child;
	const char *call; /* that made it */
	uint64_t epoch;
	bool ended; /* a zombie, or about to be one */
};

/** Of a parent, or (NULL) of any: the child with the lowest pid > after. False: no more. */
bool process_next_child(struct ctx *ctx, struct kernel *kernel, const struct process *parent, uint32_t after,
                        struct process_child *out);

/**
 * Decide the end of a process: the first decision stands. Kicks its tasks; when none is active, it becomes a
 * zombie at once, else when the last one leaves. false: it was decided before.
 */
bool process_end(struct ctx *ctx, struct process *process, const struct end *end);
/** Fill in end->text from the other members: "compositor (3) killed by SIGBUS BUS_ADRERR: ..." what: the access. */
void end_describe(struct end *end, const struct process *process, const char *what);

/** A task of an alive process; idle. -ENOMEM, -EAGAIN */
int task_create(struct ctx *ctx, struct process *process, struct task **out);
/** Begin acting as an idle task: false if another thread does, or the process is ending. */
bool task_enter(struct task *task, enum task_actor actor);
/** Stop acting. When the process is ending and this was its last, it becomes a zombie here. */
void task_leave(struct task *task);
/**
 * exit(2) of the caller: its thread ends alone, and is to leave; or the process ends with it, if nobody else acts as
 * it. When the first thread has ended so, the process ends with the last, and with that one's code.
 */
void task_exit(struct task *task, int code);
/** The caller's thread is over, with that code, and its process lives on without it. */
void task_end(struct task *task, int code);
/** Begin anew as a further thread, with that mask: what was left of the one before is forgotten. */
void task_renew(struct task *task, uint64_t mask);
/** Tasks that a host thread acts as now. process->lock held. */
unsigned process_active_locked(const struct process *process);
/** Some idle task of the process, entered; a new one if all are busy. -ESRCH (ending), -ENOMEM, -EAGAIN */
int task_enter_any(struct ctx *ctx, struct process *process, enum task_actor actor, struct task **out);

/** Whether the task has something to look at: its end, or signals. */
static inline bool task_attends(const struct task *task)
{
	return unlikely(__atomic_load_n(&task->pending, __ATOMIC_ACQUIRE) != 0);
}

/** Whether a wait of the task's is to be ended, by its end or by a signal. */
static inline bool task_interrupted(const struct task *task)
{
	return __atomic_load_n(&task->waiter.kicked, __ATOMIC_RELAXED);
}

/** Whether it is to leave: its process is ending, or its thread has exited. */
static inline bool task_dying(const struct task *task)
{
	return __atomic_load_n(&task->pending, __ATOMIC_ACQUIRE) & (TASK_DIE | TASK_EXIT);
}

/** Whether its thread, which is to leave, has exited alone. */
static inline bool task_has_exited(const struct task *task)
{
	return __atomic_load_n(&task->pending, __ATOMIC_ACQUIRE) & TASK_EXIT;
}

/** Which children to wait for. */
struct child_query {
	enum { CHILD_ANY, CHILD_PID, CHILD_GROUP } kind;
	uint32_t id;     /* pid, or group */
	bool ended;      /* WEXITED: those that have ended */
	bool no_hang;    /* WNOHANG */
	bool stays;      /* WNOWAIT: it can be waited for again */
	bool clones;     /* __WCLONE: those whose end is told by another signal than SIGCHLD, or by none */
	bool every_kind; /* __WALL: both */
};

struct child_end {
	uint32_t pid, uid;
	struct end end;
};

/** waitid(2) for a process's children: 1 with *out; 0 with no_hang; -ECHILD, -EINTR, -EDEADLK. */
int process_wait_for(struct ctx *ctx, struct process *parent, const struct child_query *query, struct child_end *out);
/** wait4(2) of that pid, or (-1) any. options: WNOHANG (1). Its pid; 0; -ECHILD, -EINTR, -EDEADLK */
int process_wait(struct ctx *ctx, struct process *parent, int pid, int options, struct end *end);
/**
 * Wait for the end of any process and reap it; it may be reaped already. 0, -EDEADLK, -EINTR. ctx->waiter must be set.
 */
int process_join(struct ctx *ctx, struct process *process, struct end *end);
/**
 * vfork(2)'s wait: until a process has ended, whatever signals come meanwhile. 0; -EDEADLK; -EINTR: the caller is
 * ending.
 */
int process_vfork_wait(struct ctx *ctx, struct process *child);
/** The status word of wait(2). */
int end_status(const struct end *end);

/* ---- credentials and limits ---- */

enum creds_kind { CREDS_USER, CREDS_GROUP };
#define CREDS_KEEP UINT32_MAX /* no id: it stays as it is */

/** setuid(2), setgid(2): 0; -EINVAL, -EPERM. */
int process_set_id(struct ctx *ctx, struct process *process, enum creds_kind kind, uint32_t id);
/** setreuid(2), setregid(2): 0 or -EPERM. */
int process_set_reid(struct ctx *ctx, struct process *process, enum creds_kind kind, uint32_t real, uint32_t effective);
/** setresuid(2), setresgid(2): 0 or -EPERM. */
int process_set_resid(struct ctx *ctx, struct process *process, enum creds_kind kind, uint32_t real, uint32_t effective,
                      uint32_t saved);
/** setfsuid(2), setfsgid(2): what it was, whether it has been changed or not. */
uint32_t process_set_fsid(struct ctx *ctx, struct process *process, enum creds_kind kind, uint32_t id);
/** setgroups(2) of at most CREDS_GROUPS_MAX: 0; -EINVAL (no id), -EPERM. */
int process_set_groups(struct ctx *ctx, struct process *process, const uint32_t *groups, uint32_t n);
/** All of them, of one moment. */
void process_creds(struct ctx *ctx, struct process *process, struct creds *out);

/**
 * prlimit(2): read and replace a limit; fresh or old may be NULL.
 * @return 0; -EINVAL (no such kind, soft above hard), -EPERM (another's, or a hard limit raised)
 */
int process_limit(struct ctx *ctx, struct process *process, uint32_t kind, const struct limit *fresh,
                  struct limit *old);

/** Every validator of the machine. Exact when no call is under way. */
void kernel_check(struct kernel *kernel, struct check_report *report);

#endif
