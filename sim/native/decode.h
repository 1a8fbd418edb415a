/* SPDX-License-Identifier: MIT */
/*
 * What the instruction that faulted was doing.
 */
#ifndef NATIVE_DECODE_H
#define NATIVE_DECODE_H

#include <stdbool.h>
#include <stdint.h>

#include "mm/mm.h"

/** From the third argument of a SIGSEGV handler, and the address that was accessed. */
enum access decode_access(const void *context, uintptr_t address);

/** Whether an instruction of aarch64, which accesses memory, may store. */
bool decode_a64_stores(uint32_t instruction);

#endif
