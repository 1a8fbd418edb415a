/* SPDX-License-Identifier: MIT */
/*
 * Host threads that wait for work: when a process's thread has ended, the next one starts on the same host thread.
 */
#ifndef MACHINE_CREW_H
#define MACHINE_CREW_H

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/queue.h>

struct crew_worker;

/** One piece of work. Whoever starts it keeps it until crew_wait has returned. */
struct crew_job {
	void (*run)(struct crew_job *job); /* c */
	struct crew_worker *worker;        /* c  that runs it */
	sigset_t mask;                     /* c  signals blocked while it runs: those of who started it */
	bool done;                         /* w  the worker's lock */
};

struct crew {
	pthread_mutex_t lock;
	LIST_HEAD(, crew_worker) all;    /* l */
	LIST_HEAD(, crew_worker) parked; /* l  the latest first: its stack is warm */
};

void crew_init(struct crew *crew);
/** Every job has been waited for: end the threads. */
void crew_fini(struct crew *crew);
/**
 * Run a job on a thread of its own, which begins with the caller's signal mask.
 * @return 0; -EAGAIN, -ENOMEM: the host has no thread
 */
int crew_start(struct crew *crew, struct crew_job *job, void (*run)(struct crew_job *job));
/** Wait until a job is done: its run has returned. */
void crew_wait(struct crew_job *job);

#endif
