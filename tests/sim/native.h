/* SPDX-License-Identifier: MIT */
/*
 * What the tests of windows start with: machines with native access, and memory as plain pointers.
 */
#ifndef SIM_NATIVE_H
#define SIM_NATIVE_H

#include "bed.h"

#include <signal.h>
#include <stdio.h>

/** The window's page in the middle: nothing is placed there by itself, so nothing is mapped there. */
static inline char *native_nowhere(const struct ksim_process *p)
{
	struct ksim_window window;

	ksim_window(p, &window);
	SETUP(window.bytes > 0);
	return (char *)window.start + window.bytes / 2;
}

/** A machine of 4 MiB with native access; broken if it does not boot. */
static inline struct ksim_machine *native_boot(void)
{
	const struct ksim_config config = { .ram_bytes = 4 << 20, .access = KSIM_ACCESS_NATIVE };
	struct ksim_machine *m = ksim_boot(&config);

	SETUP(m != NULL);
	return m;
}

/** Anonymous memory of the acting process. kind: MAP_PRIVATE or MAP_SHARED. */
static inline char *native_map(int npages, int prot, int kind)
{
	return ksim_ptr(bed_map(npages, prot, kind));
}

/** Pages of a file of the acting process. */
static inline char *native_map_file(int fd, int npages, int prot, int kind)
{
	ksim_addr at = ksim_mmap(0, (size_t)npages * PAGE, prot, kind, fd, 0);

	SETUP(at != KSIM_MAP_FAILED);
	return ksim_ptr(at);
}

/** A memfd of the acting process. */
static inline int native_file(int npages)
{
	int fd = ksim_memfd_create("file", MFD_CLOEXEC);

	SETUP(fd >= 0 && ksim_ftruncate(fd, (off_t)npages * PAGE) == 0);
	return fd;
}

static inline int native_unmap(void *at, int npages)
{
	return ksim_munmap(ksim_addr_of(at), (size_t)npages * PAGE);
}

static inline int native_protect(void *at, int npages, int prot)
{
	return ksim_mprotect(ksim_addr_of(at), (size_t)npages * PAGE, prot);
}

/* After plain stores that a handler sees: those of the compiler's view are made now. */
#define native_settle() __asm__ volatile("" : : : "memory")

/* Accesses that are made, whatever the compiler and the sanitizers think of them; usable as what a process runs. */
__attribute__((no_sanitize("undefined"))) static inline int native_load(void *at)
{
	return *(volatile unsigned char *)at;
}

__attribute__((no_sanitize("undefined"))) static inline int native_store(void *at)
{
	*(volatile char *)at = 's';
	return 0;
}

#endif
