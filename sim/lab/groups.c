// SPDX-License-Identifier: MIT
/*
 * Frames by what they belong to: all that have the same mappings and objects are one group, so that a picture has a
 * node for each way of sharing, and not for each frame.
 *
 *	uses      a |---------|          parts   |--|------|---|     group of {a}    the first part
 *	          b    |----------|               a   a b    b                 {a b}  the second
 *                                                                          {b}    the third
 *
 * The ends of all uses cut the frames into parts; each use is tied to the parts that it covers; a part's ties, sorted,
 * are its owners; sorting the parts by these brings groups together.
 *
 * I1  every frame of a use is in exactly one part, and every part in at least one use
 *
 * Locking: none, it works on a copy.
 */
#include "lab/sharing.h"

#include <errno.h>
#include <stdlib.h>

struct shared_tie {
	uint64_t at; /* first pfn of the part */
	const struct shares *who;
	bool zeros;
};

static int by_number(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Where parts begin and end, sorted. NULL: no memory. */
static uint64_t *cuts_of(const struct sharing *s, size_t *n)
{
	uint64_t *cuts = malloc((2 * s->nuses + 1) * sizeof(*cuts));
	size_t to = 0;

	if (cuts == NULL)
		return NULL;
	for (size_t i = 0; i < s->nuses; i++) {
		cuts[2 * i] = s->uses[i].pfn;
		cuts[2 * i + 1] = s->uses[i].pfn + s->uses[i].n;
	}
	qsort(cuts, 2 * s->nuses, sizeof(*cuts), by_number);
	for (size_t i = 0; i < 2 * s->nuses; i++)
		if (to == 0 || cuts[to - 1] != cuts[i])
			cuts[to++] = cuts[i];
	*n = to;
	return cuts;
}

static const uint64_t *cut_at(const uint64_t *cuts, size_t ncuts, uint64_t pfn)
{
	return bsearch(&pfn, cuts, ncuts, sizeof(*cuts), by_number);
}

static int by_part(const void *a, const void *b)
{
	const struct shared_tie *x = a, *y = b;

	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	return x->who->id < y->who->id ? -1 : x->who->id > y->who->id;
}

/* Every use with every part of it, sorted by parts, each pair once. */
static int tie(const struct sharing *s, const uint64_t *cuts, size_t ncuts, struct shared_tie **out, size_t *n)
{
	size_t nties = 0, to = 0;
	struct shared_tie *ties;

	for (size_t i = 0; i < s->nuses; i++)
		nties += (size_t)(cut_at(cuts, ncuts, s->uses[i].pfn + s->uses[i].n) -
		                  cut_at(cuts, ncuts, s->uses[i].pfn));
	*out = ties = malloc((nties + 1) * sizeof(*ties));
	if (ties == NULL)
		return -ENOMEM;
	nties = 0;
	for (size_t i = 0; i < s->nuses; i++) {
		const struct shared_use *use = &s->uses[i];

		for (const uint64_t *cut = cut_at(cuts, ncuts, use->pfn); *cut < use->pfn + use->n; cut++)
			ties[nties++] = (struct shared_tie){ *cut, use->who, use->zeros };
	}
	qsort(ties, nties, sizeof(*ties), by_part);
	for (size_t i = 0; i < nties; i++)
		if (to == 0 || by_part(&ties[to - 1], &ties[i]) != 0)
			ties[to++] = ties[i];
	*n = to;
	return 0;
}

static int by_who(const struct frame_part *a, const struct frame_part *b)
{
	for (size_t i = 0; i < a->nwho && i < b->nwho; i++)
		if (a->who[i] != b->who[i])
			return a->who[i]->id < b->who[i]->id ? -1 : 1;
	return a->nwho < b->nwho ? -1 : a->nwho > b->nwho;
}

static int by_who_and_pfn(const void *a, const void *b)
{
	const struct frame_part *x = a, *y = b;
	int order = by_who(x, y);

	return order != 0 ? order : by_number(&x->pfn, &y->pfn);
}

static int by_group(const void *a, const void *b)
{
	const struct frame_part *x = a, *y = b;

	return x->group != y->group ? by_number(&x->group, &y->group) : by_number(&x->pfn, &y->pfn);
}

/* The parts that the ties name. */
static void divide(struct frame_groups *groups, size_t nties, const uint64_t *cuts, size_t ncuts)
{
	struct frame_part *part = NULL;

	for (size_t i = 0; i < nties; i++) {
		const struct shared_tie *tie = &groups->ties[i];

		groups->who[i] = tie->who;
		if (part == NULL || part->pfn != tie->at) {
			part = &groups->part[groups->nparts++];
			*part = (struct frame_part){
				.pfn = tie->at,
				.n = *(cut_at(cuts, ncuts, tie->at) + 1) - tie->at,
				.who = &groups->who[i],
				.zeros = tie->zeros,
			};
		}
		part->nwho++;
	}
}

static void sort(struct frame_groups *groups)
{
	struct frame_part *part = groups->part;

	qsort(part, groups->nparts, sizeof(*part), by_who_and_pfn);
	for (size_t i = 0; i < groups->nparts; i++)
		part[i].group = i > 0 && by_who(&part[i - 1], &part[i]) == 0 ? part[i - 1].group : part[i].pfn;
	qsort(part, groups->nparts, sizeof(*part), by_group);
}

int groups_make(const struct sharing *s, struct frame_groups *groups)
{
	size_t ncuts, nties;
	uint64_t *cuts = cuts_of(s, &ncuts);
	int err;

	*groups = (struct frame_groups){ 0 };
	if (cuts == NULL)
		return -ENOMEM;
	err = tie(s, cuts, ncuts, &groups->ties, &nties);
	if (err == 0) {
		groups->who = malloc((nties + 1) * sizeof(const struct shares *));
		groups->part = malloc((nties + 1) * sizeof(*groups->part));
		err = groups->who == NULL || groups->part == NULL ? -ENOMEM : 0;
	}
	if (err == 0) {
		divide(groups, nties, cuts, ncuts);
		sort(groups);
	}
	free(cuts);
	return err;
}

void groups_fini(struct frame_groups *groups)
{
	free(groups->part);
	free(groups->who);
	free(groups->ties);
}
