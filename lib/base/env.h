/* SPDX-License-Identifier: MIT */
/*
 * The machine as the lower folders see it: its settings, its accounts, and the places where a laboratory
 * may look in or reach in. One per machine; whoever boots the machine fills it before anything runs.
 *
 * Every hook is NULL when nothing is attached, and costs one predictable branch then.
 */
#ifndef BASE_ENV_H
#define BASE_ENV_H

#include "base/check.h"
#include "base/ctx.h"
#include "base/origin.h"
#include "base/profile.h"

/** What can run out, and so can be made to run out on purpose. */
enum fail_kind {
	FAIL_FRAME,   /* a frame of RAM */
	FAIL_KMEM,    /* a kernel object */
	FAIL_FD,      /* a slot in an fd table */
	FAIL_MESSAGE, /* a message in flight */
	FAIL_KIND_COUNT,
};

enum commit_policy {
	COMMIT_ON_TRUNCATE, /* growing a memfd allocates its frames */
	COMMIT_ON_TOUCH,    /* sparse, as Linux */
};

/** What /proc/sys tells and sets. a each */
struct sysctl {
	uint32_t max_map_count;     /* vm.max_map_count */
	uint32_t memfd_noexec;      /* vm.memfd_noexec: 0, 1, 2 */
	uint32_t transparent_huge;  /* 2 MiB mappings where they fit: 0 never, 1 always */
	uint32_t overcommit_memory; /* vm.overcommit_memory: 0, 1, 2; kept and told, no more */
};

/** As Linux boots. */
static inline void sysctl_init(struct sysctl *sysctl)
{
	*sysctl = (struct sysctl){ .max_map_count = 65530, .transparent_huge = 1 };
}

struct event;
struct ksim_object_ops;

/** What the laboratory may attach. */
struct env_hooks {
	/**
	 * Decide whether this allocation fails. Locks may be held: it takes none of ours. May be set and cleared while
	 * calls run, by atomic stores, fail_arg staying what it is.
	 */
	bool (*fail)(void *arg, struct ctx *ctx, enum fail_kind kind);
	void *fail_arg;
	/**
	 * A system call begins: 0, or the negative errno with which it is refused, and then does nothing. abi is whose
	 * flags args use. Set and cleared as fail is.
	 */
	long (*policy)(void *arg, struct ctx *ctx, unsigned call, const uint64_t *args, enum ksim_arch abi);
	void *policy_arg;
	/** A point at which a scheduler may switch; why is a string constant. */
	void (*sched_point)(void *arg, struct ctx *ctx, const char *why);
	void *sched_arg;
	/**
	 * A system call has begun (done false) or has ended with a result. May be set and cleared while calls run, by
	 * atomic stores, trace_arg staying what it is.
	 */
	void (*trace)(void *arg, struct ctx *ctx, unsigned call, const uint64_t *args, long result, bool done);
	void *trace_arg;
	/**
	 * Something has happened: see event.h. Called under any locks, so it must neither take one of the kernel's nor
	 * call the kernel; ctx->held says whether there are any. May be set and cleared as `trace` may.
	 */
	void (*event)(void *arg, struct ctx *ctx, const struct event *event);
	void *event_arg;
	/** A line of a report for people, without newline. NULL: standard error. */
	void (*say)(void *arg, const char *line);
	void *say_arg;
	/** Of sim: its machine. */
	void *machine;
};

/** Kernel objects alive; as long as two cache lines, which processors like to fetch together. */
struct kmem_account {
	size_t bytes; /* a  as asked for */
	size_t count; /* a */
	uint64_t apart[14];
};

#define KMEM_ACCOUNTS 16 /* a power of two */

struct phys;
struct wait_registry;
struct names;
struct tree;
struct kernel;

struct env {
	struct phys *phys;           /* c  RAM */
	struct wait_registry *waits; /* c  who sleeps */
	struct names *names;         /* c  what sockets are bound to; opaque below ipc */
	struct tree *tree;           /* c  names of files; opaque below vfs */
	struct kernel *kernel;       /* c  processes and names; opaque below task */
	struct profile profile;      /* c  which Linux this is */
	struct owner self;           /* the machine's own account */
	struct event_counts counts;  /* what no task has done */
	struct owners owners;        /* all accounts */
	struct env_hooks hooks;
	enum commit_policy commit;               /* c */
	enum ksim_arch arch;                     /* c  never KSIM_ARCH_HOST */
	uint32_t fd_limit;                       /* c  descriptors a process may have */
	bool poison;                             /* c  freed frames are filled with a pattern */
	struct sysctl sysctl;                    /* a */
	const struct ksim_object_ops *memfd_ops; /* c  what memfds are made of; NULL: shared memory of our own */
	bool ram_in_file;                        /* c  RAM can be shown at further addresses of the host's */
	uint64_t epoch;                          /* a  raised by every mark; things remember it from their birth */
	uint64_t zero_pfn;                       /* c  a frame of zeros that private reads share; never written */
	/* What calls of all processes write, apart from each other and from what they read. */
	uint64_t apart[16];
	struct kmem_account kmem[KMEM_ACCOUNTS]; /* see kmem.c */
	uint64_t ino_batches;                    /* a  numbers for inodes that were handed out: see vfs/inode.c */
};

/** Whether the laboratory wants this allocation to fail; asked before any cache. */
static inline bool env_fails(struct ctx *ctx, enum fail_kind kind)
{
	const struct env_hooks *hooks = &ctx->env->hooks;
	bool (*fail)(void *, struct ctx *, enum fail_kind) = __atomic_load_n(&hooks->fail, __ATOMIC_ACQUIRE);

	return unlikely(fail != NULL) && fail(hooks->fail_arg, ctx, kind);
}

/** Write a formatted report, which may have several lines, to hooks.say or standard error. */
__attribute__((format(printf, 2, 3))) void env_say(struct env *env, const char *format, ...);

#endif
