/* SPDX-License-Identifier: MIT */
/*
 * Memory barriers that the atomics of the language do not give: a full fence which the thread sanitizer
 * accepts, and one that every running thread of this host process executes.
 */
#ifndef HOST_BARRIER_H
#define HOST_BARRIER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/sanitize.h"

/** Order all earlier loads and stores of this thread before all later ones. */
static inline void host_fence(void)
{
#if KSIM_TSAN
	uint32_t word = 0;

	__atomic_exchange_n(&word, 1, __ATOMIC_SEQ_CST);
#if defined(__x86_64__)
	__asm__ volatile("mfence" ::: "memory");
#elif defined(__aarch64__)
	__asm__ volatile("dmb ish" ::: "memory");
#endif
#else
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

/** Whether host_barrier_all works here; registers this process on the first call. */
bool host_barrier_available(void);
/** Make every running thread of this host process execute a full fence before this returns. */
void host_barrier_all(void);
/** Give the host CPU away for a moment. */
void host_yield(void);

#endif
