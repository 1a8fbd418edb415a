// SPDX-License-Identifier: MIT
/* Host threads that wait for work. */
#include "harness.h"

#include <stddef.h>

#include "machine/crew.h"

struct work {
	struct crew_job job;
	pthread_t ran_on;
	bool usr1_blocked;
	pthread_barrier_t *meet; /* NULL: alone */
};

static void run(struct crew_job *job)
{
	struct work *work = (struct work *)((char *)job - offsetof(struct work, job));
	sigset_t mask;

	work->ran_on = pthread_self();
	pthread_sigmask(SIG_BLOCK, NULL, &mask);
	work->usr1_blocked = sigismember(&mask, SIGUSR1) == 1;
	if (work->meet != NULL)
		pthread_barrier_wait(work->meet);
	/* A handler that was left by a jump would leave this behind. */
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &mask, NULL);
}

static unsigned workers(struct crew *crew)
{
	struct work all[8] = { 0 };
	pthread_barrier_t meet;
	unsigned n = 0;

	/* As many threads as run at once, whoever they are: they meet. */
	SETUP(pthread_barrier_init(&meet, NULL, 8) == 0);
	for (unsigned i = 0; i < 8; i++) {
		all[i].meet = &meet;
		SETUP(crew_start(crew, &all[i].job, run) == 0);
	}
	for (unsigned i = 0; i < 8; i++) {
		bool known = false;

		crew_wait(&all[i].job);
		for (unsigned k = 0; k < i; k++)
			known |= pthread_equal(all[i].ran_on, all[k].ran_on);
		n += !known;
	}
	pthread_barrier_destroy(&meet);
	return n;
}

TEST(crew, runs_each_job_on_a_thread_of_its_own)
{
	struct crew crew;

	crew_init(&crew);
	EXPECT_EQ(workers(&crew), 8);
	crew_fini(&crew);
}

TEST(crew, starts_the_next_job_on_a_thread_that_is_parked)
{
	enum { JOBS = 200 };
	struct crew crew;
	pthread_t seen[JOBS];
	unsigned nseen = 0;

	crew_init(&crew);
	for (unsigned i = 0; i < JOBS; i++) {
		struct work work = { 0 };
		bool known = false;

		REQUIRE(crew_start(&crew, &work.job, run) == 0);
		crew_wait(&work.job);
		for (unsigned k = 0; k < nseen; k++)
			known |= pthread_equal(work.ran_on, seen[k]);
		if (!known)
			seen[nseen++] = work.ran_on;
	}
	/* A worker may not have parked itself yet when the next job comes; that happens now and then. */
	EXPECT_MSG(nseen < JOBS / 2, "%u threads for %d jobs", nseen, JOBS);
	crew_fini(&crew);
}

TEST(crew, gives_a_job_the_signal_mask_of_its_starter)
{
	struct work first = { 0 }, second = { 0 };
	struct crew crew;

	crew_init(&crew);
	REQUIRE(crew_start(&crew, &first.job, run) == 0);
	crew_wait(&first.job);
	REQUIRE(crew_start(&crew, &second.job, run) == 0);
	crew_wait(&second.job);
	EXPECT(!first.usr1_blocked && !second.usr1_blocked);
	crew_fini(&crew);
}

TEST(crew, without_jobs_ends_at_once)
{
	struct crew crew;

	crew_init(&crew);
	EXPECT(LIST_EMPTY(&crew.all));
	crew_fini(&crew);
}
