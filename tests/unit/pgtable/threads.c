// SPDX-License-Identifier: MIT
/*
 * Several faulting threads make the same nodes and set neighbouring entries, with no lock but the leaves'.
 */
#include <pthread.h>

#include "unit/pgtable/bed.h"

#define NTHREADS 4
#define NROUNDS  40
#define NADDRS   60

struct racer {
	struct pt_bed *b;
	struct ctx ctx;
	pthread_t thread;
	pthread_barrier_t *start;
	unsigned who;
	int err;
};

static ksim_addr racer_addr(unsigned i)
{
	return ((uint64_t)i * 0x1fffffff000 + (uint64_t)(i % 7) * PT_LEAF_SPAN) % PT_SPAN & PAGE_MASK &
	       ~UINT64_C(0x3fff);
}

static void *race(void *arg)
{
	struct racer *r = arg;

	for (unsigned round = 0; round < NROUNDS; round++) {
		pthread_barrier_wait(r->start);
		for (unsigned i = 0; i < NADDRS; i++) {
			ksim_addr addr = racer_addr(i) + r->who * PAGE_BYTES;
			struct pt_slot slot;
			pte_t pte = pte_make(r->b->pt.format, r->b->page, PTE_READ);

			r->err |= pt_ensure(&r->ctx, &r->b->pt, addr, &slot);
			pt_lock(&r->ctx, &slot);
			r->err |= pte_present(pte_read(slot.entry));
			pte_exchange(slot.entry, pte);
			pt_unlock(&r->ctx, &slot);
			r->err |= pt_walk(&r->b->pt, addr).bits != pte.bits;
		}
		/* NOLINTNEXTLINE(bugprone-posix-return): this -1 is no error number */
		if (pthread_barrier_wait(r->start) == PTHREAD_BARRIER_SERIAL_THREAD) {
			EXPECT_EQ(pt_bed_unmap(r->b, 0, PT_SPAN, 0, PT_SPAN), NADDRS * NTHREADS);
			EXPECT_EQ(r->b->pt.nodes, 1);
		}
	}
	return NULL;
}

TEST(pgtable, threads_that_make_the_same_nodes_agree)
{
	pthread_barrier_t start;
	struct racer r[NTHREADS];
	struct pt_bed b;

	for (size_t f = 0; f < NFORMATS; f++) {
		pt_bed_open(&b, pt_formats[f], 16 * MIB);
		SETUP(pthread_barrier_init(&start, NULL, NTHREADS) == 0);
		for (unsigned i = 0; i < NTHREADS; i++) {
			r[i] = (struct racer){ .b = &b, .ctx = b.bed.other, .start = &start, .who = i };
			SETUP(pthread_create(&r[i].thread, NULL, race, &r[i]) == 0);
		}
		for (unsigned i = 0; i < NTHREADS; i++) {
			pthread_join(r[i].thread, NULL);
			EXPECT_EQ(r[i].err, 0);
		}
		pthread_barrier_destroy(&start);
		EXPECT_EQ(owner_count(&b.bed.bob, CENSUS_TABLE), 0);
		pt_bed_close(&b);
	}
}
