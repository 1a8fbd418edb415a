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
 * Descriptors, mappings, queued messages and child processes that were made since a mark and are still held; each is
 * printed:
 *
 *	leak: compositor (3) holds fd 4 -> /memfd:wl_shm (deleted), made by recvmsg, opened by memfd_create of client (2),
 *	      came by message 7 of client (2), sent by sendmsg
 *	leak: compositor (3) holds mapping 0x7fffeffe0000-0x7fffeffe4000 r--s of /memfd:wl_shm (deleted), made by mmap
 *	leak: compositor (3) holds queued message 8 of client (2), of 4 bytes with 1 fd, made by sendmsg
 *	leak: compositor (3) holds process compositor (4), alive, made by fork
 *
 * (Each is one line.) Messages are numbered by sender, from 1 on: each piece that a send puts in a queue is one, so a
 * write of up to 36544 bytes is one, too. A descriptor made by dup of one that came by a message, and a child's copy of
 * it, were made by dup and by fork, and no message is named.
 *
 * @param owner  whose; a queued message is its who may receive it, a process is its parent's, alive or "a zombie", until
 *               it has been waited for (init's, when the parent has ended). A process that has ended holds nothing.
 *               NULL: all processes, and every queued message of the machine. Processes that the bench has made, by
 *               ksim_process_create() or ksim_process_fork(), are the bench's own and nobody's leak
 * @param since  from ksim_mark(); 0 = everything
 * @return how many. A mapping that a later call has cut counts with the mark of the call that made it
 * Threads: any; what is looked at is kept alive for the moment of the look.
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
 * Write a census as text, for the machine or for the account of one process: a line a kind, always all of them and in
 * the same order, so that two can be compared by diff.
 *
 *	census of client (2)
 *	  frames                    7
 *	    for page tables         4
 *	  objects                   1
 *
 * Then come the groups of ksim_limit_memory(), each in a line: all of the machine, or the one that the process is in.
 *
 *	  memory group 1            7 of 256 frames, peak 12, refused 3
 *
 * @return 0, or -1 with errno EIO: stream
 */
KSIM_EXPORT int ksim_dump_census(const struct ksim_machine *m, const struct ksim_process *owner, FILE *stream);

/**
 * What the CPUs and the memory have done. Counts only grow; those of a thread under way may lag behind by what it does
 * at the moment.
 */
struct ksim_counters {
	uint64_t calls;        /**< system calls */
	uint64_t faults_file;  /**< faults that mapped a page of a file or of shared memory */
	uint64_t faults_anon;  /**< that mapped a fresh private page, or replaced the frame of zeros by one */
	uint64_t faults_zero;  /**< that mapped the frame of zeros, for reading */
	uint64_t faults_copy;  /**< that made a private copy: copy-on-write */
	uint64_t faults_reuse; /**< that allowed a write in place: the frame had become this process's alone */
	uint64_t faults_other; /**< that found the page there already */
	uint64_t faults_segv;  /**< that ended in SIGSEGV, or in EFAULT where a call touched the memory */
	uint64_t faults_bus;   /**< likewise in SIGBUS */
	uint64_t faults_oom;   /**< for which there was no memory */
	uint64_t tlb_hits;     /**< only of accesses compiled with KSIM_NO_INLINE: the inline path counts nothing */
	uint64_t tlb_misses;   /**< accesses that took the slow path */
	uint64_t walks;        /**< walks of the page table by the CPU */
	uint64_t shootdowns;   /**< ranges it took from TLBs: its own, or others' by changing a file */
	uint64_t shootdown_barriers; /**< of these, those that had to make other threads execute a barrier */
	uint64_t bytes_copied;       /**< content that calls have moved from and to buffers, and ksim_copy_* */
	uint64_t blocks;             /**< times a thread slept in a call */
	uint64_t wakes;              /**< sleeps that what it did has ended */
	uint64_t frames_anon;        /**< frames in use now as private memory */
	uint64_t frames_file;        /**< as pages of files and of shared memory */
	uint64_t frames_tables;      /**< as nodes of page tables */
};

/**
 * Read the counters of a process, dead ones too, or (NULL) of the whole machine, with what it has done itself. Any
 * thread.
 * @return 0, or -1 with errno ENOSYS: this ksim was built without traces, and only the frames are told
 */
KSIM_EXPORT int ksim_count(const struct ksim_machine *m, const struct ksim_process *p, struct ksim_counters *out);

/**
 * Write the mappings of a process: each as a line of /proc/pid/maps, then, indented, which frames stand behind it, as
 * runs of page indexes and pfns.
 *
 *	7fffeffe0000-7fffeffe4000 rw-s 00000000 00:01 5                          /memfd:wl_shm (deleted)
 *	 pages 0-1 -> pfn 17-18, page 3 -> pfn 25; 3 of 4 present
 *
 * Pages are counted from the start of the file, or, in private memory, from that of the mapping. Present is what the
 * process's page table has: a page of the file that it never touched is not. Frames of private memory may have a
 * remark: (zeros) the one frame that is read where nothing was written yet; (copy-on-write) shared until somebody
 * writes; (own copy) of a page of a file. Lines of frames begin with a blank, which others do not.
 *
 * A mapping that changes meanwhile is shown as it was or as it is.
 * @return 0, or -1 with errno: ESRCH it has ended; EIO stream; ENOMEM the host has no memory
 */
KSIM_EXPORT int ksim_dump_maps(const struct ksim_process *p, FILE *stream);

/**
 * Draw processes, their mappings and descriptors, the objects behind these, and the frames, as a graph in Graphviz's
 * DOT language: what two processes share has arrows from both.
 *
 *	dot -Tsvg sharing.dot >sharing.svg
 *
 * One node stands for all frames that belong to the same mappings and objects; an arrow to it says that the page table
 * has them, or that they are pages of the object. Sockets have a dotted line to their peers, and queued messages arrows
 * to the files that they bring. The same state gives the same text. A machine that runs meanwhile is looked at piece by
 * piece, and what moves may be seen at both places or at neither.
 *
 * @return 0, or -1 with errno: EIO stream; ENOMEM the host has no memory
 */
KSIM_EXPORT int ksim_dump_dot(struct ksim_machine *m, FILE *stream);

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
 * @return 0, or -1 with errno ENOSYS: this ksim was built without traces
 */
KSIM_EXPORT int ksim_trace(struct ksim_machine *m, FILE *stream);

/** The same for one process alone, beside what ksim_trace() writes; without pid and name. */
KSIM_EXPORT int ksim_trace_process(struct ksim_process *p, FILE *stream);

/**
 * Write what happens as Chrome's trace JSON, which ui.perfetto.dev and chrome://tracing show: a track a process and a
 * thread, system calls with their lines and results as slices, waits in them too; faults, copies on write, shootdowns
 * and wake-ups as instants, and an arrow from each wake-up to the wait that it ended. Times are microseconds since this
 * call. What no process does is shown as process 0, machine.
 *
 * @param stream  the caller's; NULL: stop, writing the end of the document. Halting the machine stops too, so the stream
 *                must live until then
 * @return 0, or -1 with errno ENOSYS: this ksim was built without traces
 */
KSIM_EXPORT int ksim_trace_json(struct ksim_machine *m, FILE *stream);

KSIM_END_DECLS

#endif
