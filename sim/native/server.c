// SPDX-License-Identifier: MIT
/*
 * Who runs the kernel for a thread that has faulted: the thread itself, or, where the thread sanitizer watches,
 * another.
 *
 * A fault finds its thread anywhere, also in the middle of the sanitizer's own code: an atomic operation that faults
 * holds a lock of the sanitizer's, and whatever of the kernel took that lock again would wait for ever. Nor may
 * anything in a signal handler allocate memory, by the sanitizer's rules. So there the handler leaves a request and
 * waits for a thread that does nothing else. The sanitizer sees neither the list nor the waiting, and cannot be told of
 * them by a thread that is in the middle of it; so it is told to ignore what the server reads and writes. Its locks it
 * sees.
 *
 *	thread that faults            server
 *	push request, wake   ------>  take all requests
 *	wait for done        <------  fn(arg), done = 1, wake
 *
 * One server serves all machines, one request after the other: no fault waits for another one. A host process that was
 * forked has no server, and each of its threads runs the kernel itself.
 *
 * In a program with the thread sanitizer this file is compiled without it.
 *
 * Locking: none; a list that is pushed to by compare-exchange and taken as a whole.
 */
#include "native/server.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of the sanitizer, if it is there. */
void AnnotateIgnoreReadsBegin(const char *file, int line) __attribute__((weak));
void AnnotateIgnoreWritesBegin(const char *file, int line) __attribute__((weak));
void __tsan_init(void) __attribute__((weak)); /* NOLINT(bugprone-reserved-identifier): its name */

struct request {
	struct request *next;
	void (*fn)(void *arg);
	void *arg;
	uint32_t done; /* a */
};

static struct request *requests; /* a  newest first */
static uint32_t posted;          /* a  how many there have been: what the server sleeps on */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int prepared;
static bool forked; /* c  of this host process */

static bool watched(void)
{
	return __tsan_init != NULL && !forked;
}

static void sleep_while(uint32_t *word, uint32_t value)
{
	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void wake(uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void serve(struct request *request)
{
	request->fn(request->arg);
	/* The thread may be gone with its request as soon as it sees this; to wake nobody does no harm. */
	__atomic_store_n(&request->done, 1, __ATOMIC_SEQ_CST);
	wake(&request->done);
}

static void *server_main(void *arg)
{
	AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
	AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
	for (;;) {
		uint32_t seen = __atomic_load_n(&posted, __ATOMIC_SEQ_CST);
		struct request *request = __atomic_exchange_n(&requests, NULL, __ATOMIC_SEQ_CST);

		if (request == NULL)
			sleep_while(&posted, seen);
		while (request != NULL) {
			struct request *next = request->next;

			serve(request);
			request = next;
		}
	}
	return arg;
}

static void in_forked_child(void)
{
	forked = true;
}

static void start(void)
{
	pthread_attr_t attr;
	sigset_t all, before;
	pthread_t thread;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	prepared = -pthread_create(&thread, &attr, server_main, NULL);
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (prepared == 0)
		prepared = -pthread_atfork(NULL, NULL, in_forked_child);
}

int server_prepare(void)
{
	if (watched())
		pthread_once(&once, start);
	return prepared;
}

void server_call(void (*fn)(void *arg), void *arg)
{
	struct request request = { .fn = fn, .arg = arg };

	if (!watched()) {
		fn(arg);
		return;
	}
	request.next = __atomic_load_n(&requests, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(&requests, &request.next, &request, false, __ATOMIC_SEQ_CST,
	                                    __ATOMIC_RELAXED))
		;
	__atomic_fetch_add(&posted, 1, __ATOMIC_SEQ_CST);
	wake(&posted);
	while (!__atomic_load_n(&request.done, __ATOMIC_SEQ_CST))
		sleep_while(&request.done, 0);
}
