/* SPDX-License-Identifier: MIT */
/*
 * A machine: one simulated computer with its RAM, its kernel and its processes. Several may live in one host
 * process; they share nothing.
 */
#ifndef KSIM_MACHINE_H
#define KSIM_MACHINE_H

#include <ksim/types.h>

KSIM_BEGIN_DECLS

struct ksim_machine;
struct ksim_object_ops;
struct ksim_process;

/** When the pages of a memfd come to be. */
enum ksim_commit {
	KSIM_COMMIT_ON_TRUNCATE, /**< growing by ftruncate allocates zeroed frames, or fails with ENOMEM */
	KSIM_COMMIT_ON_TOUCH,    /**< sparse files, as Linux */
};

/** How programs touch the memory of the machine's processes. */
enum ksim_access {
	KSIM_ACCESS_DEFAULT, /**< native in a program any part of which was compiled with <ksim/posix.h>, else soft */
	KSIM_ACCESS_SOFT,    /**< by ksim_load(), ksim_store() and the like */
	KSIM_ACCESS_NATIVE,  /**< by plain pointers too: each process has a window, see ksim_ptr() in <ksim/mem.h> */
};

/** What a machine is. All-zero is the default in every field. */
struct ksim_config {
	/** RAM, bytes, a multiple of 4096, at least 64 KiB, at most 16 TiB; 0 = 64 MiB. The host gives what is used. */
	uint64_t ram_bytes;
	enum ksim_arch arch; /**< page-table format, system-call numbers, layouts */
	enum ksim_commit commit;
	/**
	 * Which Linux answers: major * 1000 + minor, from 3017 (3.17) to 99999; 0 = 6018 (6.18). It decides where memory,
	 * memfds, seals and reads and writes answered otherwise before; calls and the flags of others are all there
	 * whatever it says.
	 */
	unsigned linux_release;
	unsigned fd_limit;    /**< descriptors a process may have; 0 = 1024; at most 1048576 */
	unsigned tlb_entries; /**< of each task's TLB: a power of two, 16 to 4096; 0 = 256 */
	unsigned poison;      /**< fill freed frames with a pattern and check it: 0 = yes, KSIM_NONE = no */
	/** Gets every line of a report (deadlock, leaks, broken invariants), without newline; NULL = standard error. */
	void (*report)(void *arg, const char *line);
	void *report_arg;
	/** Gets every system call as a line in strace's notation, see ksim_trace(); NULL = no trace. */
	void (*trace)(void *arg, const struct ksim_process *process, const char *line);
	void *trace_arg;
	/**
	 * Allocations that fail from the first one after boot on: "frame:37" the 37th of a kind, "frame+fd:3" of
	 * several, "any:12" of all; "kmem:0.01@7" each by a chance of 0.01 with seed 7. Kinds: frame, kmem, fd,
	 * message, any. NULL = none. The environment's KSIM_FAIL, if set, stands in its place for every machine. See
	 * <ksim/fail.h>.
	 */
	const char *fail;
	enum ksim_access access;
	/**
	 * Native access: address space of each process, bytes, a multiple of 4096, at least 1 MiB, at most 64 TiB; 0 =
	 * 1 GiB. It is also what a process can map in all. Where the host refuses, a window is halved until it fits,
	 * down to 16 MiB.
	 */
	uint64_t window_bytes;
	/**
	 * Descriptors 0, 1 and 2 of every process that is created: 0 = the host's, on a native machine of a program any
	 * part of which was compiled with <ksim/posix.h>, else none; KSIM_NONE = none.
	 */
	unsigned stdio;
	unsigned
		max_map_count; /**< vm.max_map_count: mappings a process may have, or one more, as on Linux; 0 = 65530 */
	/**
	 * Pages of 2 MiB in the pool for MAP_HUGETLB and MFD_HUGETLB (vm.nr_hugepages), at most as many as ram_bytes has
	 * room for. They are taken from RAM at boot; of the last ones fewer, where the kernel's own frames lie.
	 */
	unsigned huge_pages;
	/**
	 * 2 MiB mappings of memfd and anonymous memory, where alignment, size and a run of frames allow: 0 = yes,
	 * KSIM_NONE = never: MADV_HUGEPAGE does nothing then, and MADV_COLLAPSE is EINVAL.
	 */
	unsigned transparent_huge;
	unsigned memfd_noexec; /**< vm.memfd_noexec: 0, 1 or 2; without effect before Linux 6.3 */
	/**
	 * What memfds are made of, in the place of ksim's own: see <ksim/kernel/object.h>; NULL = ksim's own. It must be
	 * valid until ksim_halt().
	 */
	const struct ksim_object_ops *memfd_ops;
};

/** ksim_boot(), told the config's size as the program knows it: what is missing is 0. Not for direct use. */
KSIM_EXPORT struct ksim_machine *ksim_boot_sized(const struct ksim_config *config, size_t size);

/**
 * Boot a machine.
 *
 * @param config  what it shall be; NULL or all-zero = the defaults; only read during the call, though what it points to
 *                (report_arg, trace_arg, memfd_ops) is used until ksim_halt()
 * @return the machine, or NULL with errno:
 *   EINVAL  a field out of its range; a fail or a KSIM_FAIL that is none; memfd_ops without one of its functions
 *   E2BIG   the program was compiled against a newer ksim and uses a field that this one does not know
 *   ENOMEM  the host has no memory or no address space for it
 * Ownership: end it with ksim_halt().
 * Threads: any.
 */
static inline struct ksim_machine *ksim_boot(const struct ksim_config *config)
{
	return ksim_boot_sized(config, config != NULL ? sizeof(*config) : 0);
}

/**
 * End and reap every process, those that wait in a call too, join their threads, free the machine.
 *
 * @param m  from ksim_boot(); NULL is legal and gives 0
 * @return 0: nothing was left, as it should be;
 *   n > 0: so many things were still held by the kernel after every process had gone, each kind printed: a bug of
 *   ksim. The machine is gone in both cases.
 *   -1 with errno EBUSY: a host thread that ksim did not start still acts as one of its processes; nothing was freed.
 * Ownership: m, its processes and all that was got from them are invalid afterwards.
 * Threads: one that acts as no process of the machine; waits for the threads of started processes.
 */
KSIM_EXPORT int ksim_halt(struct ksim_machine *m);

/** A host thread that acts as no process will call in later: hold deadlock detection off. Counts. Any thread. */
KSIM_EXPORT void ksim_hold(struct ksim_machine *m);
/** Undo one ksim_hold(); may find that everybody waits, and end their waits with EDEADLK. Any thread. */
KSIM_EXPORT void ksim_release(struct ksim_machine *m);

/** Version of the library in use: KSIM_VERSION_MAJOR * 10000 + MINOR * 100 + PATCH of its headers. */
KSIM_EXPORT unsigned ksim_version(void);

/** The architecture the machine simulates; never KSIM_ARCH_HOST. */
KSIM_EXPORT enum ksim_arch ksim_arch_of(const struct ksim_machine *m);

/** This machine's number of a system call ("memfd_create"), -1 if it is not implemented or not there. */
KSIM_EXPORT long ksim_nr(const struct ksim_machine *m, const char *name);

KSIM_END_DECLS

#endif
