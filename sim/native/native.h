/* SPDX-License-Identifier: MIT */
/*
 * Windows: the memory of a process as plain memory of the program.
 */
#ifndef NATIVE_NATIVE_H
#define NATIVE_NATIVE_H

#include "cpu/cpu.h"

/** Addresses that are reserved for a window, and what of RAM appears there. */
struct place {
	LIST_ENTRY(place) link; /* n of the machine, while no window has it */
	char *host;             /* c */
	size_t bytes;           /* c */
	size_t wanted;          /* c  bytes that were asked for, and perhaps refused */
	uint8_t *shown;         /* w a  a byte a page: 0, or SHOWN and HOST_SHOW_* */
	uint32_t *frames;       /* w  which frame, where one is shown */
};

/* w the notifier lock of the mm; r the registry's lock; c constant */
struct window {
	struct mmu_notifier notifier;
	LIST_ENTRY(window) link;      /* r */
	uint32_t users;               /* a  processes that have it */
	struct ksim_process *process; /* c  the first of them, dead or alive */
	struct ksim_machine *machine; /* c */
	struct mm *mm;                /* c  which each of them keeps */
	struct user_window user;      /* c */
	struct place *place;          /* c */
	size_t lo, hi;                /* w  pages that are shown lie in [lo, hi) */
	uint64_t pieces;              /* w a  mappings of the host's in it, at most */
};

/* Parts of the machine: see machine_parts. */
int native_boot(struct ksim_machine *m);
void native_halt(struct ksim_machine *m);
int native_process_born(struct ctx *ctx, struct ksim_process *process);
void native_process_gone(struct ctx *ctx, struct ksim_process *process);
void native_process_kicked(struct ctx *ctx, struct ksim_process *process);

/** The window that an address of the program's lies in; false: in none, or the registry is being changed. */
bool window_find(uintptr_t at, struct window *out);
#define WINDOW_SHOWED 1

/**
 * Make a user address of the acting process appear for an access.
 * @return 0; WINDOW_SHOWED if it did already, or does not though it may: the access is to be tried again; or as
 * mm_fault,
 *   *fault saying what the access runs into
 */
int window_resolve(struct task *task, ksim_addr addr, enum access access, struct fault *fault);

/** Catch the host's SIGSEGV, if that is not done yet. 0 or -ENOSYS */
int native_catch(void);

/** What machine is handed of this folder's: machine_parts.native. */
#define NATIVE_PARTS                                                                           \
	{                                                                                      \
		.boot = native_boot, .halt = native_halt, .process_born = native_process_born, \
		.process_gone = native_process_gone, .process_kicked = native_process_kicked,  \
	}

#endif
