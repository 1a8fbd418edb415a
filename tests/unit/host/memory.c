// SPDX-License-Identifier: MIT
/*
 * Memory from the host, and the barrier that reaches every thread.
 */
#include "host/memory.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "base/util.h"
#include "host/barrier.h"
#include "host/kmem.h"
#include "unit/host/bed.h"

#define RESERVE_BYTES (UINT64_C(1) << 30)

static bool fails_nth(void *arg, struct ctx *ctx, enum fail_kind kind)
{
	unsigned *left = arg;

	(void)ctx;
	return kind == FAIL_KMEM && (*left)-- == 0;
}

TEST(kmem, objects_are_zeroed_and_accounted)
{
	struct bed bed;
	const uint8_t zeros[300] = { 0 };
	void *a, *b;

	bed_open(&bed);
	a = kmem_alloc(&bed.ctx, 300);
	b = kmem_alloc_aligned(&bed.ctx, 300, 64);
	SETUP(a != NULL && b != NULL);
	EXPECT_EQ((uintptr_t)b % 64, 0);
	EXPECT_MEMEQ(a, zeros, 300);
	EXPECT_MEMEQ(b, zeros, 300);
	EXPECT_EQ(kmem_count(&bed.env), 2);
	EXPECT_EQ(kmem_bytes(&bed.env), 600);
	kmem_free(&bed.env, a, 300);
	kmem_free(&bed.env, b, 300);
	kmem_free(&bed.env, NULL, 300);
	EXPECT_EQ(kmem_count(&bed.env), 0);
	EXPECT_EQ(kmem_bytes(&bed.env), 0);
	bed_close(&bed);
}

TEST(kmem, planned_failure_gives_NULL_and_accounts_nothing)
{
	struct bed bed;
	unsigned left = 1;
	void *a;

	bed_open(&bed);
	bed.env.hooks.fail = fails_nth;
	bed.env.hooks.fail_arg = &left;
	a = kmem_alloc(&bed.ctx, 8);
	EXPECT(a != NULL);
	EXPECT(kmem_alloc_aligned(&bed.ctx, 8, 64) == NULL);
	EXPECT_EQ(kmem_count(&bed.env), 1);
	left = 0;
	EXPECT(kmem_alloc(&bed.ctx, 8) == NULL);
	EXPECT_EQ(kmem_bytes(&bed.env), 8);
	kmem_free(&bed.env, a, 8);
	bed_close(&bed);
}

static size_t resident_pages(char *memory, size_t npages)
{
	unsigned char *in = malloc(npages);
	size_t n = 0;

	SETUP(in != NULL);
	SETUP(mincore(memory, npages * PAGE_BYTES, in) == 0);
	for (size_t i = 0; i < npages; i++)
		n += in[i] & 1;
	free(in);
	return n;
}

TEST(memory, reserve_touches_nothing_and_first_touch_takes_one_page)
{
	char *memory = host_reserve(RESERVE_BYTES);
	size_t npages = RESERVE_BYTES / PAGE_BYTES;

	if (memory == NULL)
		SKIP("the host refuses a reservation of 1 GiB");
	EXPECT_EQ((uintptr_t)memory % PAGE_BYTES, 0);
	EXPECT_EQ(resident_pages(memory, npages), 0);
	EXPECT_EQ(memory[0], 0);
	memory[0] = 1;
	EXPECT_EQ(resident_pages(memory, npages), 1);
	EXPECT_EQ(memory[RESERVE_BYTES - 1], 0);
	memory[RESERVE_BYTES - 1] = 1;
	host_release(memory, RESERVE_BYTES);
}

TEST(memory, release_of_NULL_is_legal)
{
	host_release(NULL, 4096);
}

/*
 * Dekker's handshake with the fence on one side only: the light side has a compiler barrier alone, so without
 * host_barrier_all both could read 0. Rounds are kept together by two more words.
 */
enum { ROUNDS = 2000 };

static struct {
	unsigned light, heavy; /* the handshake */
	unsigned light_round, heavy_round;
	unsigned light_saw, heavy_saw;
} dekker;

static int light_side(struct bed_process *p)
{
	(void)p;
	for (unsigned round = 1; round <= ROUNDS; round++) {
		while (__atomic_load_n(&dekker.heavy_round, __ATOMIC_ACQUIRE) != round)
			host_yield();
		__atomic_store_n(&dekker.light, round, __ATOMIC_RELAXED);
		__asm__ volatile("" ::: "memory");
		dekker.light_saw = __atomic_load_n(&dekker.heavy, __ATOMIC_RELAXED);
		__atomic_store_n(&dekker.light_round, round, __ATOMIC_RELEASE);
	}
	return 0;
}

TEST(barrier, barrier_of_all_threads_orders_a_thread_without_fence)
{
	struct bed bed;
	unsigned both_missed = 0;

	if (!host_barrier_available())
		SKIP("membarrier is not to be had here");
	bed_open(&bed);
	memset(&dekker, 0, sizeof(dekker));
	bed_start(&bed, 0, light_side);
	for (unsigned round = 1; round <= ROUNDS; round++) {
		__atomic_store_n(&dekker.heavy_round, round, __ATOMIC_RELEASE);
		__atomic_store_n(&dekker.heavy, round, __ATOMIC_RELAXED);
		host_barrier_all();
		dekker.heavy_saw = __atomic_load_n(&dekker.light, __ATOMIC_RELAXED);
		while (__atomic_load_n(&dekker.light_round, __ATOMIC_ACQUIRE) != round)
			host_yield();
		both_missed += dekker.heavy_saw != round && dekker.light_saw != round;
	}
	EXPECT_EQ(both_missed, 0);
	bed_join(&bed, 0);
	bed_close(&bed);
}

TEST(barrier, fence_and_clock_go_forward)
{
	uint64_t before = host_clock_ns();

	host_fence();
	EXPECT(host_clock_ns() >= before);
	EXPECT(host_barrier_available() == host_barrier_available());
}
