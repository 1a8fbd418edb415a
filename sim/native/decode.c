// SPDX-License-Identifier: MIT
/*
 * Read, write or execution: what a fault was, from what the host says of it.
 *
 * x86_64 tells by the error code of the page fault. On aarch64 the syndrome tells, where the signal frame has it; an
 * emulator may leave it out, and then the instruction itself is looked at. To take a second fault at one address for a
 * write would be wrong: another thread's may have come between.
 *
 * Locking: none; runs in a signal handler. In a program with the thread sanitizer this file is compiled without it.
 * Linux: arch/x86/mm/fault.c, arch/arm64/kernel/signal.c (esr_context); the Arm Architecture Reference Manual, C4.1.
 */
#include "native/decode.h"

#include <signal.h>
#include <string.h>
#include <ucontext.h>

/*
 * Loads and stores have x1x0 in bits 28 to 25. Within them:
 *
 *	bits 29 to 27   001   exclusive, ordered, compare and swap; SIMD structures (bit 26)   L, bit 22; CAS has bits 23, 21
 *	                011   load literal; LDAPR and STLR with an offset (bit 24 clear, 29 to 24 = 011001: opc as below)
 *	                101   pairs                                                            L, bit 22
 *	                111   one register: opc in bits 23 and 22; atomics where bits 21 and 11 to 10 are 1 and 00
 */
bool decode_a64_stores(uint32_t instruction)
{
	unsigned group = instruction >> 27 & 7;
	unsigned opc = instruction >> 22 & 3;
	bool simd = instruction >> 26 & 1;

	if ((instruction & 0xfffff000) == 0xd50b7000)
		return true; /* DC ZVA and its like */
	if ((instruction >> 25 & 5) != 4)
		return false; /* no load or store */
	switch (group) {
	case 1:
		if (!simd && (instruction >> 21 & 1) && (instruction >> 23 & 1))
			return true; /* CAS */
		if (!simd && (instruction >> 21 & 1) && (instruction >> 31 & 1) == 0)
			return true; /* CASP, which shares its place with exclusive pairs of 64 bits */
		return !(instruction >> 22 & 1);
	case 3:
		return (instruction >> 24 & 0x3f) == 0x19 && opc == 0; /* STLUR */
	case 5:
		return !(instruction >> 22 & 1);
	case 7:
		if (!simd && (instruction >> 24 & 1) == 0 && (instruction >> 21 & 1) && (instruction >> 10 & 3) == 0)
			return (instruction >> 12 & 0xf) != 0xc || (instruction >> 15 & 1) == 0 ||
			       opc != 2; /* all but LDAPR */
		return opc == 0 || (simd && opc == 2);
	default:
		return false;
	}
}

#if defined(__x86_64__)

enum access decode_access(const void *context, uintptr_t address)
{
	const ucontext_t *uc = context;
	uint64_t error = (uint64_t)uc->uc_mcontext.gregs[REG_ERR];

	(void)address;
	return error & 16 ? ACCESS_EXEC : error & 2 ? ACCESS_WRITE : ACCESS_READ;
}

#elif defined(__aarch64__)

#define ESR_MAGIC_ 0x45535201u

struct record {
	uint32_t magic, size;
};

/* The syndrome from the records of the signal frame; 0: it is not there. */
static uint64_t syndrome(const ucontext_t *uc)
{
	const unsigned char *at = (const unsigned char *)uc->uc_mcontext.__reserved;
	const unsigned char *end = at + sizeof(uc->uc_mcontext.__reserved);
	struct record record;
	uint64_t esr;

	while (at + sizeof(record) + sizeof(esr) <= end) {
		memcpy(&record, at, sizeof(record));
		if (record.magic == ESR_MAGIC_) {
			memcpy(&esr, at + sizeof(record), sizeof(esr));
			return esr;
		}
		if (record.magic == 0 || record.size == 0)
			break;
		at += record.size;
	}
	return 0;
}

enum access decode_access(const void *context, uintptr_t address)
{
	const ucontext_t *uc = context;
	uint64_t esr = syndrome(uc);
	uint32_t instruction;

	if (uc->uc_mcontext.pc == address)
		return ACCESS_EXEC;
	if (esr != 0)
		return esr & 1 << 6 ? ACCESS_WRITE : ACCESS_READ;
	memcpy(&instruction, (const void *)(uintptr_t)uc->uc_mcontext.pc, sizeof(instruction));
	return decode_a64_stores(instruction) ? ACCESS_WRITE : ACCESS_READ;
}

#else
#error "what a fault was is not known on this architecture"
#endif
