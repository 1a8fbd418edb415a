/* SPDX-License-Identifier: MIT */
/*
 * Calling the kernel from a signal handler.
 */
#ifndef NATIVE_SERVER_H
#define NATIVE_SERVER_H

/** Before the first call; any number of times. 0 or -EAGAIN: the host has no thread */
int server_prepare(void);
/** Call fn(arg) for this thread, which waits until it has returned. */
void server_call(void (*fn)(void *arg), void *arg);

#endif
