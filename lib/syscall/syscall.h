/* SPDX-License-Identifier: MIT */
/*
 * System calls: one table of what is implemented, with the number on each architecture, and one way in.
 *
 * Arguments are six 64-bit values as the architecture's ABI has them. Pointers are those of base/uio.h: a host
 * pointer, or a user address with bit 63 set. Inside lib all flags and layouts have one canonical form, the
 * x86_64 kernel's; what differs on aarch64 is converted here.
 */
#ifndef SYSCALL_SYSCALL_H
#define SYSCALL_SYSCALL_H

#include "task/process.h"

/** Everything implemented: CALL_read, CALL_mmap, ... */
enum syscall_call {
#define SYSCALL(name, x86_64, aarch64, nargs, signature) CALL_##name,
#include "syscall/table.def"
#undef SYSCALL
	CALL_COUNT,
};

/** A call under way, as its handler sees it. */
struct syscall_frame {
	struct ctx *ctx;
	struct process *process;
	const uint64_t *args;
	enum ksim_arch abi; /* whose flags and layouts the arguments use; never KSIM_ARCH_HOST */
};

struct syscall_info {
	const char *name;
	int nr[2]; /* x86_64, aarch64; -1: not there */
	uint8_t nargs;
	const char *signature; /* of arguments and result, for the trace; see table.def */
	long (*run)(const struct syscall_frame *frame);
};

extern const struct syscall_info syscall_table[CALL_COUNT];

/**
 * Run a call for a task, from outside the kernel: traces it, runs it, and drains what it dropped.
 * @param abi  whose flags and layouts args use; KSIM_ARCH_HOST: the host's, as the libc-shaped calls have them
 * @return the value, or -errno. After exit and exit_group the task is dying and the caller must leave.
 */
long syscall_run(struct task *task, enum syscall_call call, const uint64_t args[6], enum ksim_arch abi);
/** The same by number; -ENOSYS, with a trace line, for what is not implemented. */
long syscall_run_nr(struct task *task, long nr, const uint64_t args[6], enum ksim_arch abi);

/** The call of a name, CALL_COUNT if there is none. */
enum syscall_call syscall_by_name(const char *name);
/** The call of a number, CALL_COUNT if there is none. Numbers are ints, as on Linux. */
enum syscall_call syscall_by_nr(long nr, enum ksim_arch abi);

/**
 * What env_hooks.trace is given as `call`: this bit, the ABI and the call (CALL_COUNT: a number that is not
 * implemented). syscall_format understands it, and then finds behind args what the call looked like when it began.
 */
#define SYSCALL_TRACED (1u << 31)

static inline enum syscall_call syscall_traced_call(unsigned call)
{
	return (enum syscall_call)(call & 0xffff);
}

/**
 * One line in strace's notation, without newline: `ftruncate(3</memfd:x>(deleted), 16384) = 0`. Reads the caller's
 * buffers where they are, but brings no page of user memory in.
 * @param call  an enum syscall_call, or what the trace hook was given, whose args then belong to it
 * @param abi   of args; unused with what the trace hook was given
 * @return as snprintf
 */
int syscall_format(struct ctx *ctx, unsigned call, const uint64_t *args, enum ksim_arch abi, long result, char *text,
                   size_t size);

#endif
