/* SPDX-License-Identifier: MIT */
/*
 * The words that every other header uses: user addresses, frame numbers, architectures.
 */
#ifndef KSIM_TYPES_H
#define KSIM_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define KSIM_BEGIN_DECLS extern "C" {
#define KSIM_END_DECLS   }
#else
#define KSIM_BEGIN_DECLS
#define KSIM_END_DECLS
#endif

/** Marks what the shared library exports. */
#define KSIM_EXPORT            __attribute__((visibility("default")))
#define KSIM_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

#define KSIM_VERSION_MAJOR 0
#define KSIM_VERSION_MINOR 1
#define KSIM_VERSION_PATCH 0

/** Bytes in a page and in a frame, on every simulated machine. */
#define KSIM_PAGE_SIZE 4096u

/** An address in a simulated process: an integer, never a pointer of the program. */
typedef uint64_t ksim_addr;

/** What ksim_mmap answers when it fails. */
#define KSIM_MAP_FAILED (~(ksim_addr)0)

/** "None at all", in config fields where 0 means the default. */
#define KSIM_NONE (~0u)

/** The number of a frame of simulated RAM; 0 names no frame. */
struct ksim_pfn {
	uint64_t n;
};

/** The machine whose page tables, system-call numbers and layouts are simulated. */
enum ksim_arch {
	KSIM_ARCH_HOST, /* as the program was compiled */
	KSIM_ARCH_X86_64,
	KSIM_ARCH_AARCH64,
};

#endif
