/* SPDX-License-Identifier: MIT */
/*
 * Does this abort, and with which sentence? The function runs in a forked child of the test, whose standard error is
 * read here. For bodies that start no threads: a child has only the one that forked.
 */
#ifndef UNIT_ABORTS_H
#define UNIT_ABORTS_H

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

#ifdef HARNESS_COVERAGE
void __gcov_dump(void);

/* abort() goes on to end the process when this has returned; without it the child's counts would be lost. */
static inline void aborts_signal(int signo)
{
	(void)signo;
	__gcov_dump();
}
#else
#define aborts_signal SIG_DFL
#endif

static inline void aborts_child(void (*body)(void *), void *arg, int out)
{
	signal(SIGABRT, aborts_signal);
	prctl(PR_SET_DUMPABLE, 0);
	dup2(out, STDERR_FILENO);
	body(arg);
#ifdef HARNESS_COVERAGE
	__gcov_dump();
#endif
	_exit(0);
}

/** What the child wrote to standard error before it ended, as a string; its wait status. */
static inline void aborts_run(void (*body)(void *), void *arg, char *text, size_t size, int *status)
{
	size_t len = 0;
	ssize_t n;
	int ends[2];
	pid_t pid;

	SETUP(pipe(ends) == 0);
	pid = fork();
	SETUP(pid >= 0);
	if (pid == 0)
		aborts_child(body, arg, ends[1]);
	close(ends[1]);
	while (len < size - 1 && (n = read(ends[0], text + len, size - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	close(ends[0]);
	SETUP(waitpid(pid, status, 0) == pid);
}

/** Expect body(arg) to abort after a sentence that contains `words`. */
static inline void expect_abort(void (*body)(void *), void *arg, const char *words)
{
	char text[4096];
	int status;

	aborts_run(body, arg, text, sizeof(text), &status);
	EXPECT_MSG(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "wait status %#x, not an abort; it said: %s",
	           status, text);
	EXPECT_MSG(strstr(text, words) != NULL, "\"%s\" is not in: %s", words, text);
}

#endif
