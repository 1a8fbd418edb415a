/* SPDX-License-Identifier: MIT */
/*
 * Random stories: what they are told with.
 *
 * A story is no test of its own. tests/abi/stories has the host's kernel and ksim tell the same one, by the same seed,
 * and compares what they say: what is called, each result and errno, and whatever the story tells of the state between
 * its calls.
 *
 *	STORY_SEED, STORY_CALLS   which story, and how long it is
 *	STORY_OUT                 where it is written to
 *
 * What is drawn may depend on results: where these differ, the rest does, too.
 */
#ifndef ABI_STORY_H
#define ABI_STORY_H

#include "abi.h"

#include <stdlib.h>

static FILE *out;
static int step; /* the number of the call that is told */

/* ---- chance ---- */

static uint64_t random_state;

static inline unsigned below(unsigned n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (unsigned)((random_state >> 20) % n);
}

#define ONE_OF(...) \
	((const int[]){ __VA_ARGS__ })[below((unsigned)(sizeof((const int[]){ __VA_ARGS__ }) / sizeof(int)))]

static inline void seed_by(const char *seed)
{
	random_state = UINT64_C(0x9e3779b97f4a7c15) * (strtoull(seed, NULL, 10) + 1);
	for (int i = 0; i < 10; i++)
		below(2);
}

/* ---- telling ---- */

static char said[4000];
static size_t nsaid;

#define SAY(...) (nsaid += (size_t)snprintf(said + nsaid, sizeof(said) - nsaid, __VA_ARGS__))

/** What was said, and the result; the line stays open. */
static inline void tell_result(long result)
{
	int error = result == -1 ? errno : 0;

	fprintf(out, "%d %s = %ld %d", step, said, result, error);
	nsaid = 0;
}

static inline unsigned sum_of(const unsigned char *buf, size_t n)
{
	unsigned sum = 0;

	for (size_t i = 0; i < n; i++)
		sum = sum * 31 + buf[i];
	return sum;
}

/** The first words of a story; how many calls it has. */
#define BEGIN_STORY(calls)                                                                    \
	do {                                                                                  \
		const char *seed_ = getenv("STORY_SEED"), *ncalls_ = getenv("STORY_CALLS"),   \
			   *path_ = getenv("STORY_OUT");                                      \
                                                                                              \
		if (seed_ == NULL || ncalls_ == NULL || path_ == NULL)                        \
			SKIP("STORY_SEED, STORY_CALLS and STORY_OUT say what is to be told"); \
		out = fopen(path_, "w");                                                      \
		SETUP(out != NULL);                                                           \
		seed_by(seed_);                                                               \
		(calls) = atoi(ncalls_);                                                      \
	} while (0)

static inline void end_story(void)
{
	EXPECT_EQ(fclose(out), 0);
}

#endif
