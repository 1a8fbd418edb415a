// SPDX-License-Identifier: MIT
/*
 * Where pages of windows wait, between being hidden and being shown again.
 *
 *	windows  | . . | 7 8 9 | . . |      | . 7 8 9 . . |
 *	                   | hidden             ^ shown
 *	                   v                    |
 *	lot      | . . . . . . . 7 8 9 . . . .            |   frame n at page n, or nothing
 *
 * To bring a page of a file into a host's page table, and to take it out, costs the host some 0.4 us; to move a
 * thousand of them to other addresses costs little more than to move one. So a long run that is hidden moves to the
 * lot, with its entries, and who shows those frames next, wherever, takes them from there. Nobody accesses the lot.
 * What is in it stays true whatever becomes of the frames, for it is part of the same file at the same offset.
 *
 * I1  at page n of the lot is frame n, readable and writable, or nothing
 * I2  runs[] are disjoint, and what they name is at its place in the lot, whether the host has entries for it or not
 *
 * Each parking makes at most two mappings of the host's more, and none where it continues another or comes back to its
 * place. When there may be LOT_PIECES they are counted, and if there are more than half as many the lot is emptied.
 *
 * Locking: a lock of its own, below all. Linux: mremap(2).
 */
#include "native/lot.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "host/window.h"
#include "mm/mm.h"

struct run {
	uint64_t pfn, n;
};

struct lot {
	pthread_mutex_t lock;
	char *host;                /* c */
	size_t bytes;              /* c */
	bool refused;              /* l  by a host that cannot move */
	uint64_t *account;         /* a  of all mappings of windows and lots; ours are in it */
	uint64_t pieces;           /* l  mappings of the host's in it, at most */
	unsigned nruns;            /* l */
	struct run runs[LOT_RUNS]; /* l  oldest first */
};

struct lot *lot_create(uint64_t nframes, uint64_t *account)
{
	struct lot *lot = calloc(1, sizeof(*lot));

	if (lot == NULL)
		return NULL;
	lot->bytes = nframes << PAGE_SHIFT;
	lot->host = host_window_reserve(lot->bytes, MM_MAX);
	lot->refused = lot->host == NULL;
	lot->account = account;
	pthread_mutex_init(&lot->lock, NULL);
	return lot;
}

static void count_pieces(struct lot *lot, uint64_t now)
{
	__atomic_fetch_add(lot->account, now - lot->pieces, __ATOMIC_RELAXED);
	lot->pieces = now;
}

void lot_destroy(struct lot *lot)
{
	count_pieces(lot, 0);
	if (lot->host != NULL)
		host_window_release(lot->host, lot->bytes);
	pthread_mutex_destroy(&lot->lock);
	free(lot);
}

/* Forget a range of frames; of a run around it only the part before it is kept. */
static void forget(struct lot *lot, uint64_t pfn, size_t n)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < lot->nruns; i++) {
		struct run run = lot->runs[i];

		if (run.pfn < pfn + n && pfn < run.pfn + run.n) {
			if (run.pfn < pfn) {
				run.n = pfn - run.pfn;
			} else {
				uint64_t end = run.pfn + run.n;

				run.pfn = MIN(pfn + n, end);
				run.n = end - run.pfn;
			}
		}
		if (run.n > 0)
			lot->runs[kept++] = run;
	}
	lot->nruns = kept;
}

static void remember(struct lot *lot, uint64_t pfn, size_t n)
{
	if (lot->nruns > 0) {
		struct run *last = &lot->runs[lot->nruns - 1];

		if (last->pfn + last->n == pfn) {
			last->n += n;
			return;
		}
	}
	if (lot->nruns == LOT_RUNS)
		forget(lot, lot->runs[0].pfn, lot->runs[0].n);
	lot->runs[lot->nruns++] = (struct run){ pfn, n };
}

/* See that two more mappings are no more than there may be. */
static void make_room(struct lot *lot)
{
	uint64_t pieces;

	if (lot->pieces + 2 <= LOT_PIECES)
		return;
	pieces = host_mappings_in(lot->host, lot->bytes);
	if (0 < pieces && pieces <= LOT_PIECES / 2) {
		count_pieces(lot, pieces);
		return;
	}
	lot->refused = host_window_hide(lot->host, lot->bytes) < 0;
	lot->nruns = 0;
	count_pieces(lot, 0);
}

void lot_park(struct lot *lot, char *at, size_t n, pfn_t pfn)
{
	int err;

	pthread_mutex_lock(&lot->lock);
	if (!lot->refused)
		make_room(lot);
	if (!lot->refused) {
		forget(lot, pfn.n, n);
		count_pieces(lot, lot->pieces + 2);
		err = host_window_move(at, n << PAGE_SHIFT, lot->host + (pfn.n << PAGE_SHIFT));
		if (err == 0)
			remember(lot, pfn.n, n);
		lot->refused = err == -EINVAL || err == -ENOSYS;
	}
	pthread_mutex_unlock(&lot->lock);
}

bool lot_take(struct lot *lot, char *at, size_t n, pfn_t pfn)
{
	bool taken = false;

	pthread_mutex_lock(&lot->lock);
	for (unsigned i = 0; i < lot->nruns && !taken; i++) {
		const struct run *run = &lot->runs[i];

		if (run->pfn <= pfn.n && pfn.n + n <= run->pfn + run->n) {
			taken = host_window_move(lot->host + (pfn.n << PAGE_SHIFT), n << PAGE_SHIFT, at) == 0;
			forget(lot, pfn.n, n);
			break;
		}
	}
	pthread_mutex_unlock(&lot->lock);
	return taken;
}
