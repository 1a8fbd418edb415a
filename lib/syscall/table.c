// SPDX-License-Identifier: MIT
/*
 * The table of system calls and its two keys, name and number.
 *
 * Everything is built from table.def, so that a call is added in one line and cannot be in one place and not in
 * another. The number lookup is a switch, which compilers turn into a table.
 *
 * Locking: none; all is constant. Linux: arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/asm-generic/unistd.h.
 */
#include "syscall/handlers.h"

#include <string.h>

const struct syscall_info syscall_table[CALL_COUNT] = {
#define SYSCALL(name, x86_64, aarch64, nargs, signature) \
	[CALL_##name] = { #name, { x86_64, aarch64 }, nargs, signature, sys_##name },
#include "syscall/table.def"
#undef SYSCALL
};

enum syscall_call syscall_by_name(const char *name)
{
	unsigned call = 0;

	while (call < CALL_COUNT && strcmp(syscall_table[call].name, name) != 0)
		call++;
	return (enum syscall_call)call;
}

/* A call that an architecture lacks gets a case of its own below 0. */
#define NR(number, call) ((number) >= 0 ? (number) : -1 - (int)(call))

static enum syscall_call by_x86_64_nr(int nr)
{
	switch (nr) {
#define SYSCALL(name, x86_64, aarch64, nargs, signature) \
	case NR(x86_64, CALL_##name):                    \
		return CALL_##name;
#include "syscall/table.def"
#undef SYSCALL
	default:
		return CALL_COUNT;
	}
}

static enum syscall_call by_aarch64_nr(int nr)
{
	switch (nr) {
#define SYSCALL(name, x86_64, aarch64, nargs, signature) \
	case NR(aarch64, CALL_##name):                   \
		return CALL_##name;
#include "syscall/table.def"
#undef SYSCALL
	default:
		return CALL_COUNT;
	}
}

enum syscall_call syscall_by_nr(long nr, enum ksim_arch abi)
{
	if ((int)nr < 0)
		return CALL_COUNT;
	return abi == KSIM_ARCH_AARCH64 ? by_aarch64_nr((int)nr) : by_x86_64_nr((int)nr);
}
