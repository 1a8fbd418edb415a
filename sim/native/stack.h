/* SPDX-License-Identifier: MIT */
/*
 * Working in a signal handler on the stack of the code that was interrupted.
 */
#ifndef NATIVE_STACK_H
#define NATIVE_STACK_H

#include <signal.h>
#include <stdbool.h>

/**
 * Call fn, with the arguments of a signal handler, on the stack that the signal interrupted: at once, if the handler is
 * there already. It may be left by a jump. What it changes of the context counts.
 *
 * @return what fn returned
 */
bool stack_call_interrupted(bool (*fn)(void *arg, siginfo_t *info, void *context), void *arg, siginfo_t *info,
                            void *context);

#endif
