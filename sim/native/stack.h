/* SPDX-License-Identifier: MIT */
/*
 * Working in a signal handler on the stack of the code that was interrupted.
 */
#ifndef NATIVE_STACK_H
#define NATIVE_STACK_H

#include <signal.h>
#include <stdbool.h>

/**
 * Of a function that runs on an alternate stack. The address sanitizer keeps variables in frames of its own, of which
 * it gives back those below the stack pointer after a jump: to it, the thread would have left all that it is in.
 */
#define ON_ALTERNATE_STACK __attribute__((no_sanitize("address")))

/**
 * Call fn, with the arguments of a signal handler, on the stack that the signal interrupted: at once, if the handler is
 * there already. It may be left by a jump. What it changes of the context counts.
 *
 * @return what fn returned
 */
bool stack_call_interrupted(bool (*fn)(void *arg, siginfo_t *info, void *context), void *arg, siginfo_t *info,
                            void *context);

#endif
