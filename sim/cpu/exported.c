// SPDX-License-Identifier: MIT
/*
 * Loads and stores as functions, for programs compiled with KSIM_NO_INLINE and for other languages.
 */
#define KSIM_NO_INLINE
#include "ksim/mem.h"

#define ACCESS_FUNCTIONS(bits)                                      \
	uint##bits##_t ksim_load##bits(ksim_addr addr)              \
	{                                                           \
		return ksim_cpu_load##bits(ksim_cpu_self, addr);    \
	}                                                           \
                                                                    \
	void ksim_store##bits(ksim_addr addr, uint##bits##_t value) \
	{                                                           \
		ksim_cpu_store##bits(ksim_cpu_self, addr, value);   \
	}

ACCESS_FUNCTIONS(8)
ACCESS_FUNCTIONS(16)
ACCESS_FUNCTIONS(32)
ACCESS_FUNCTIONS(64)
