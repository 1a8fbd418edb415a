/* SPDX-License-Identifier: MIT */
/*
 * A machine with a CPU, windows and no laboratory, one process in it, and a validator: what the host shows in a window
 * is what the page table says.
 */
#ifndef UNIT_NATIVE_BED_H
#define UNIT_NATIVE_BED_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "harness.h"
#include "ksim/file.h"
#include "ksim/mem.h"
#include "native/native.h"

#if defined(HAVE_VALGRIND)
#include <valgrind/memcheck.h>
#else
#define RUNNING_ON_VALGRIND                   0
#define VALGRIND_MAKE_MEM_DEFINED(at, nbytes) ((void)(at), (void)(nbytes))
#endif

enum { PAGE = 4096, RW = PROT_READ | PROT_WRITE, R_ = PROT_READ };
#define MIB              (UINT64_C(1) << 20)
#define BED_RAM_BYTES    (4 * MIB)
#define BED_WINDOW_BYTES (8 * MIB)

/* How a page is shown, as struct place says it. */
enum { SHOWN_R = 8 | 1, SHOWN_RW = 8 | 1 | 2, SHOWN_RX = 8 | 1 | 4 };

struct bed {
	struct ksim_machine *m;
	struct ksim_process *p;
};

typedef void bed_body(struct bed *b);

/** Boot with so many bytes of RAM and windows of so many; broken if it does not. The machine has no process yet. */
struct ksim_machine *bed_boot(enum ksim_arch arch, uint64_t ram_bytes, uint64_t window_bytes);
/** Validate, and halt: nothing may be left. */
void bed_halt(struct ksim_machine *m);
struct ksim_process *bed_process(struct ksim_machine *m);

/** Run the body acting as a process "p" of a fresh machine with 4 MiB, once for each architecture. */
void on_both(bed_body *body);
/** Likewise, acting as none. */
void on_both_outside(bed_body *body);

/** Memory of the acting process: anonymous; pages of a file. */
char *bed_map(int npages, int prot, int kind);
char *bed_map_file(int fd, int npages, int prot, int kind);
/** A file of so many pages, all there, in frames that follow each other; page i begins with 'a' + i. */
int bed_file(int npages);

/*
 * ---- accesses that are made, whatever the compiler thinks of them; inline: valgrind gets a call before a fault wrong
 * ----
 */

static inline int bed_load(const char *at)
{
	int value;

	/* A handler may look, and change things. */
	__asm__ volatile("" : : : "memory");
	value = *(const volatile unsigned char *)(const void *)at;
	__asm__ volatile("" : : : "memory");
	return value;
}

static inline void bed_store(char *at, char value)
{
	__asm__ volatile("" : : : "memory");
	*(volatile char *)at = value;
	__asm__ volatile("" : : : "memory");
}

/* ---- looking ---- */

struct window *bed_window(const struct ksim_process *p);
/** How the page of a pointer into p's window is shown; 0: not. */
unsigned bed_shown(const struct ksim_process *p, const char *at);
/** Each page of the window is shown as its entry allows, and only the frame to which it leads; the host agrees. */
void bed_check(const struct ksim_process *p);
/** Mappings of the host's in the window. */
unsigned long bed_mappings(const struct ksim_process *p);

/** The nth allocation of this kind from now on fails; 0: none does. */
void bed_fail_at(struct ksim_machine *m, enum fail_kind kind, unsigned n);
bool bed_failed(void);

#endif
