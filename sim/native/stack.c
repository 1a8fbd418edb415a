// SPDX-License-Identifier: MIT
/*
 * Off the alternate signal stack.
 *
 * The handler of a fault must be able to run on an alternate stack, since what faults may be a stack that is full, and
 * then whoever had the signal before wants to say so. But such stacks are small, 8 KiB or so, sanitizers and runtimes
 * install one for every thread unasked, and a fault of a simulated process goes through the kernel and perhaps through
 * the process's own handler, which on Linux would have the whole stack of its thread, and may fault again. So for such
 * a fault the work is done where the program was:
 *
 *	alternate stack                   the thread's stack
 *	                                  | frames of the program |
 *	| siginfo, context, frame | --->  | copy of what is used  |
 *	| on_fault                |       | fn                    |
 *	  free                              free
 *
 * The host sees a thread that is on its own stack, so the next signal begins at the top of the alternate one and
 * destroys what is there. Hence the copy: fn works on that, and it is put back before the handler goes on. After a jump
 * out of fn nobody needs it.
 *
 * A fault in code that was on the alternate stack by its own will is served there.
 *
 * Locking: none. In a program with the thread sanitizer this file is compiled without it.
 * Linux: kernel/signal.c (get_sigframe, on_sig_stack).
 */
#include "native/stack.h"

#include <stddef.h>
#include <stdint.h>
#include <ucontext.h>

#include "base/util.h"

enum {
	RED_ZONE = 128,  /* below its stack pointer, where code of x86_64 may keep something */
	OWN_FRAME = 1024 /* what stack_call_interrupted and the switch have below the former's frame, at most */
};

#if defined(__x86_64__)

static uintptr_t stack_pointer(const ucontext_t *uc)
{
	return (uintptr_t)uc->uc_mcontext.gregs[REG_RSP];
}

__asm__(".pushsection .text\n"
        ".type native_stack_switch, @function\n"
        "native_stack_switch:\n"
        ".cfi_startproc\n"
        "push %rbp\n"
        ".cfi_def_cfa_offset 16\n"
        ".cfi_offset %rbp, -16\n"
        "mov %rsp, %rbp\n"
        ".cfi_def_cfa_register %rbp\n"
        "mov %rdi, %rsp\n"
        "call *%rsi\n"
        "mov %rbp, %rsp\n"
        "pop %rbp\n"
        ".cfi_def_cfa %rsp, 8\n"
        "ret\n"
        ".cfi_endproc\n"
        ".size native_stack_switch, . - native_stack_switch\n"
        ".popsection\n");

#elif defined(__aarch64__)

static uintptr_t stack_pointer(const ucontext_t *uc)
{
	return (uintptr_t)uc->uc_mcontext.sp;
}

__asm__(".pushsection .text\n"
        ".type native_stack_switch, %function\n"
        "native_stack_switch:\n"
        ".cfi_startproc\n"
        "stp x29, x30, [sp, #-16]!\n"
        ".cfi_def_cfa_offset 16\n"
        ".cfi_offset 29, -16\n"
        ".cfi_offset 30, -8\n"
        "mov x29, sp\n"
        ".cfi_def_cfa_register 29\n"
        "mov sp, x0\n"
        "blr x1\n"
        "mov sp, x29\n"
        "ldp x29, x30, [sp], #16\n"
        ".cfi_def_cfa 31, 0\n"
        "ret\n"
        ".cfi_endproc\n"
        ".size native_stack_switch, . - native_stack_switch\n"
        ".popsection\n");

#else
#error "how stacks are switched is not known on this architecture"
#endif

/* What stands right above the new stack, at its first address. */
struct away {
	bool (*fn)(void *arg, siginfo_t *info, void *context);
	void *arg;
	siginfo_t *info;
	void *context;
	char *home; /* what is used of the alternate stack, ... */
	char *copy; /* ... and a copy of it */
	size_t used;
	bool result;
};

/* Call fn(stack) with that stack. */
void native_stack_switch(struct away *stack, void (*fn)(struct away *)) __attribute__((visibility("hidden")));

ON_ALTERNATE_STACK static void copy_bytes(volatile char *to, const volatile char *from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] = from[i];
}

ON_ALTERNATE_STACK static void work_away(struct away *away)
{
	copy_bytes(away->copy, away->home, away->used);
	away->result = away->fn(away->arg, away->info, away->context);
	copy_bytes(away->home, away->copy, away->used);
}

ON_ALTERNATE_STACK bool stack_call_interrupted(bool (*fn)(void *arg, siginfo_t *info, void *context), void *arg,
                                               siginfo_t *info, void *context)
{
	const ucontext_t *uc = context;
	uintptr_t start = (uintptr_t)uc->uc_stack.ss_sp;
	size_t size = uc->uc_stack.ss_size;
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);
	uintptr_t there = stack_pointer(uc);
	struct away *away;
	char *home;

	if (here - start >= size || there - start < size)
		return fn(arg, info, context);
	home = (char *)(MAX(here - OWN_FRAME, start) & ~(uintptr_t)15);
	size = start + size - (uintptr_t)home;
	away = (struct away *)((there - RED_ZONE - size - sizeof(*away)) & ~(uintptr_t)63);
	*away = (struct away){ .fn = fn, .arg = arg, .home = home, .copy = (char *)(away + 1), .used = size };
	away->info = (siginfo_t *)(void *)(away->copy + ((char *)info - home));
	away->context = away->copy + ((char *)context - home);
	native_stack_switch(away, work_away);
	return away->result;
}
