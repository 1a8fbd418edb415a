// SPDX-License-Identifier: MIT
/*
 * Host threads that wait for work.
 *
 *	crew_start:  a parked worker, or a new one  ->  job  ->  run  ->  done  ->  parked again
 *
 * Making and joining a host thread costs several times what a small process does in its life, so threads are kept until
 * their machine is halted: as many as have run at once. Each waits at a condition of its own, so that starting a job
 * wakes exactly one.
 *
 * A job and its worker meet in worker->lock: the worker says "done" there, and does not touch the job afterwards, which
 * may be freed as soon as crew_wait has seen it. A worker parks itself after that, so a job that is started right after
 * another's end may find no one parked, and make a thread more.
 *
 * I1  a worker is on the list of parked ones exactly while it has no job
 * I2  a job runs with the signal mask of its starter, whatever the job before has left
 *
 * Locking: crew->lock, then worker->lock; no other lock is held. Linux: kernel/workqueue.c has the same idea.
 */
#include "machine/crew.h"

#include <errno.h>
#include <stdlib.h>

struct crew_worker {
	LIST_ENTRY(crew_worker) of_all;    /* l */
	LIST_ENTRY(crew_worker) of_parked; /* l */
	struct crew *crew;                 /* c */
	pthread_t thread;                  /* c */
	pthread_mutex_t lock;
	pthread_cond_t wake;  /* there is a job, or an end to it all */
	pthread_cond_t done;  /* a job is done */
	struct crew_job *job; /* w  NULL: none */
	bool leave;           /* w */
};

void crew_init(struct crew *crew)
{
	pthread_mutex_init(&crew->lock, NULL);
	LIST_INIT(&crew->all);
	LIST_INIT(&crew->parked);
}

/* The next job; NULL: leave. */
static struct crew_job *await_job(struct crew_worker *worker)
{
	struct crew_job *job;

	pthread_mutex_lock(&worker->lock);
	while (worker->job == NULL && !worker->leave)
		pthread_cond_wait(&worker->wake, &worker->lock);
	job = worker->job;
	pthread_mutex_unlock(&worker->lock);
	return job;
}

/* The job may be gone when this returns. */
static void finish_job(struct crew_worker *worker, struct crew_job *job)
{
	pthread_mutex_lock(&worker->lock);
	job->done = true;
	worker->job = NULL;
	pthread_cond_broadcast(&worker->done);
	pthread_mutex_unlock(&worker->lock);
}

static void park(struct crew_worker *worker)
{
	struct crew *crew = worker->crew;

	pthread_mutex_lock(&crew->lock);
	LIST_INSERT_HEAD(&crew->parked, worker, of_parked);
	pthread_mutex_unlock(&crew->lock);
}

static void *work(void *arg)
{
	struct crew_worker *worker = arg;
	struct crew_job *job;

	while ((job = await_job(worker)) != NULL) {
		pthread_sigmask(SIG_SETMASK, &job->mask, NULL);
		job->run(job);
		finish_job(worker, job);
		park(worker);
	}
	return NULL;
}

static void worker_free(struct crew_worker *worker)
{
	pthread_cond_destroy(&worker->done);
	pthread_cond_destroy(&worker->wake);
	pthread_mutex_destroy(&worker->lock);
	free(worker);
}

/* A worker without a job that is not parked. */
static int hire(struct crew *crew, struct crew_worker **out)
{
	struct crew_worker *worker = calloc(1, sizeof(*worker));
	int err;

	if (worker == NULL)
		return -ENOMEM;
	worker->crew = crew;
	pthread_mutex_init(&worker->lock, NULL);
	pthread_cond_init(&worker->wake, NULL);
	pthread_cond_init(&worker->done, NULL);
	pthread_mutex_lock(&crew->lock);
	err = pthread_create(&worker->thread, NULL, work, worker);
	if (err == 0)
		LIST_INSERT_HEAD(&crew->all, worker, of_all);
	pthread_mutex_unlock(&crew->lock);
	if (err != 0) {
		worker_free(worker);
		return -err;
	}
	*out = worker;
	return 0;
}

int crew_start(struct crew *crew, struct crew_job *job, void (*run)(struct crew_job *job))
{
	struct crew_worker *worker;
	int err = 0;

	pthread_mutex_lock(&crew->lock);
	worker = LIST_FIRST(&crew->parked);
	if (worker != NULL)
		LIST_REMOVE(worker, of_parked);
	pthread_mutex_unlock(&crew->lock);
	if (worker == NULL)
		err = hire(crew, &worker);
	if (err < 0)
		return err;
	job->run = run;
	job->worker = worker;
	job->done = false;
	pthread_sigmask(SIG_BLOCK, NULL, &job->mask);
	pthread_mutex_lock(&worker->lock);
	worker->job = job;
	pthread_cond_signal(&worker->wake);
	pthread_mutex_unlock(&worker->lock);
	return 0;
}

void crew_wait(struct crew_job *job)
{
	struct crew_worker *worker = job->worker;

	pthread_mutex_lock(&worker->lock);
	while (!job->done)
		pthread_cond_wait(&worker->done, &worker->lock);
	pthread_mutex_unlock(&worker->lock);
}

void crew_fini(struct crew *crew)
{
	struct crew_worker *worker;

	LIST_FOREACH(worker, &crew->all, of_all) {
		pthread_mutex_lock(&worker->lock);
		worker->leave = true;
		pthread_cond_signal(&worker->wake);
		pthread_mutex_unlock(&worker->lock);
		pthread_join(worker->thread, NULL);
	}
	/* Not before the last has ended: each writes to its neighbours when it parks itself. */
	while ((worker = LIST_FIRST(&crew->all)) != NULL) {
		LIST_REMOVE(worker, of_all);
		worker_free(worker);
	}
	pthread_mutex_destroy(&crew->lock);
}
