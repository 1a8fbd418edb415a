/* SPDX-License-Identifier: MIT */
/*
 * The laboratory: what a program still holds, whether the kernel is sound, what it counts, and what is called.
 *
 * Every function here may be called by any thread, whether it acts as a process or not, while others run; none blocks
 * for longer than a lock. What is printed goes to ksim_config.report, or to standard error, with no lock of the
 * machine held.
 */
#ifndef KSIM_LAB_H
#define KSIM_LAB_H

#include <ksim/machine.h>
#include <stdio.h>

KSIM_BEGIN_DECLS

/**
 * A point in the order of all kernel calls: what is made from now on is made since this mark.
 * @return the mark, for ksim_leaks(); greater than every earlier one, never 0
 */
KSIM_EXPORT uint64_t ksim_mark(struct ksim_machine *m);

/**
 * Descriptors, mappings and queued messages that were made since a mark and are still held; each is printed:
 *
 *	leak: compositor (3) holds fd 4 -> /memfd:wl_shm (deleted), made by recvmsg, opened by memfd_create of client (2)
 *	leak: compositor (3) holds mapping 0x7fffeffe0000-0x7fffeffe4000 r--s of /memfd:wl_shm (deleted), made by mmap
 *	leak: compositor (3) holds queued message of 4 bytes with 1 fd from client (2), made by sendmsg
 *
 * @param owner  whose; a queued message is its who may receive it. A process that has ended holds nothing. NULL:
 *               all processes, and every queued message of the machine
 * @param since  from ksim_mark(); 0 = everything
 * @return how many. A mapping that a later call has cut counts with the mark of the call that made it
 */
KSIM_EXPORT size_t ksim_leaks(struct ksim_machine *m, const struct ksim_process *owner, uint64_t since);

/**
 * Run every validator of the kernel: a broken invariant is a bug of ksim's, or of an object swapped in. For a moment at
 * which no other thread calls or touches simulated memory (one that waits in a call is fine): else a change that is
 * half done may be taken for a broken invariant.
 * @return 0, or how many invariants are broken; each is printed by its name and its values
 */
KSIM_EXPORT int ksim_check(struct ksim_machine *m);

/** How many there are of each kind. */
struct ksim_census {
	long frames;      /**< frames of RAM in use, page tables included */
	long page_tables; /**< of these, nodes of page tables */
	long objects;     /**< collections of pages: of memfds, of shared anonymous mappings */
	long inodes;
	long files; /**< open file descriptions */
	long fds;   /**< descriptors in use */
	long mms;   /**< address spaces */
	long vmas;  /**< mappings */
	long sockets;
	long messages;  /**< queued, not yet received */
	long processes; /**< not yet waited for */
	long tasks;     /**< threads, those included that nobody acts as at the moment */
};

/**
 * Count. A thing is on the account of the process that made it, whoever holds it now.
 * @param owner  whose account; NULL: the whole machine, with what it has for itself
 * @param out    exact when no call is under way
 */
KSIM_EXPORT void ksim_census(const struct ksim_machine *m, const struct ksim_process *owner, struct ksim_census *out);

/**
 * Write the mappings of a process, as /proc/pid/maps has them. A mapping that changes meanwhile is shown as it was or
 * as it is.
 * @return 0, or -1 with errno: ESRCH it has ended; EIO stream
 */
KSIM_EXPORT int ksim_dump_maps(const struct ksim_process *p, FILE *stream);

/**
 * Write each system call, when it has ended, as a line in strace's notation (option -y) behind pid and name of its
 * process:
 *
 *	[2] client ftruncate(3</memfd:wl_shm>(deleted), 16384) = 0
 *
 * One predictable branch a call when off. Independent of ksim_config.trace, whose callback gets the same lines without
 * pid and name, on the thread that called, several threads at once.
 *
 * @param stream  the caller's; NULL: stop. When this returns, nothing is written to the stream before
 */
KSIM_EXPORT void ksim_trace(struct ksim_machine *m, FILE *stream);

KSIM_END_DECLS

#endif
