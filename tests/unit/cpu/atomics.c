// SPDX-License-Identifier: MIT
/*
 * Atomics by user address: every operation in every size, and what they need of the page and of the address.
 */
#include "bed.h"

#include "../aborts.h"

#define PATTERN UINT64_C(0x8877665544332211)

#define OPERATIONS(bits)                                                              \
	static void operations_##bits(ksim_addr at)                                   \
	{                                                                             \
		const uint##bits##_t all = (uint##bits##_t)PATTERN;                   \
		uint##bits##_t expected = 3;                                          \
                                                                                      \
		ksim_store##bits(at, all);                                            \
		EXPECT_EQ(ksim_atomic_load##bits(at), all);                           \
		ksim_atomic_store##bits(at, 7);                                       \
		EXPECT_EQ(ksim_load##bits(at), 7);                                    \
		EXPECT_EQ(ksim_atomic_exchange##bits(at, all), 7);                    \
		EXPECT_EQ(ksim_atomic_fetch_add##bits(at, 1), all);                   \
		EXPECT_EQ(ksim_load##bits(at), (uint##bits##_t)(all + 1));            \
		EXPECT(!ksim_atomic_compare_exchange##bits(at, &expected, 9));        \
		EXPECT_EQ(expected, (uint##bits##_t)(all + 1));                       \
		EXPECT_EQ(ksim_load##bits(at), (uint##bits##_t)(all + 1));            \
		EXPECT(ksim_atomic_compare_exchange##bits(at, &expected, 9));         \
		EXPECT_EQ(ksim_load##bits(at), 9);                                    \
		EXPECT_EQ(ksim_atomic_fetch_add##bits(at, (uint##bits##_t) - 10), 9); \
		EXPECT_EQ(ksim_load##bits(at), (uint##bits##_t) - 1);                 \
		EXPECT_EQ(bed_tlb()->cpu.hazard, 0);                                  \
	}                                                                             \
                                                                                      \
	static void load_##bits(ksim_addr at)                                         \
	{                                                                             \
		ksim_atomic_load##bits(at);                                           \
	}                                                                             \
                                                                                      \
	static void add_##bits(ksim_addr at)                                          \
	{                                                                             \
		ksim_atomic_fetch_add##bits(at, 1);                                   \
	}                                                                             \
                                                                                      \
	static void fail_##bits(ksim_addr at)                                         \
	{                                                                             \
		uint##bits##_t expected = 99;                                         \
                                                                                      \
		EXPECT(!ksim_atomic_compare_exchange##bits(at, &expected, 1));        \
	}

OPERATIONS(8)
OPERATIONS(16)
OPERATIONS(32)
OPERATIONS(64)

static const struct {
	unsigned size;
	void (*all)(ksim_addr at);
	void (*ops[3])(ksim_addr at); /* a load, an addition, a compare-exchange that fails */
} sizes[] = {
	{ 1, operations_8, { load_8, add_8, fail_8 } },
	{ 2, operations_16, { load_16, add_16, fail_16 } },
	{ 4, operations_32, { load_32, add_32, fail_32 } },
	{ 8, operations_64, { load_64, add_64, fail_64 } },
};

static void all_body(struct bed *b)
{
	ksim_addr at = bed_map(1, RW);
	char around[24];

	(void)b;
	for (unsigned i = 0; i < 4; i++) {
		for (unsigned offset = 64; offset < 80; offset += sizes[i].size) {
			ksim_fill(at, 0x55, PAGE);
			sizes[i].all(at + offset);
			memset(around, 0x55, sizeof(around));
			memset(around + 8, 0xff, sizes[i].size);
			expect_user_bytes(at + offset - 8, around, sizeof(around));
		}
		sizes[i].all(at + PAGE - sizes[i].size);
	}
}

TEST(atomics, of_every_size_do_what_they_say_and_touch_nothing_else)
{
	on_both(all_body);
}

static void alignment_body(struct bed *b)
{
	ksim_addr at = bed_map(2, RW);

	(void)b;
	bed_catch();
	for (unsigned i = 0; i < 4; i++) {
		for (unsigned op = 0; op < 3; op++) {
			for (unsigned offset = 1; offset < sizes[i].size; offset++) {
				EXPECT_FAULT(sizes[i].ops[op], at + offset, SIGBUS, BUS_ADRALN, at + offset);
				EXPECT_FAULT(sizes[i].ops[op], at + PAGE - offset, SIGBUS, BUS_ADRALN,
				             at + PAGE - offset);
				EXPECT_FAULT(sizes[i].ops[op], offset, SIGBUS, BUS_ADRALN, offset);
			}
			EXPECT_NO_FAULT(sizes[i].ops[op], at + PAGE);
		}
	}
	EXPECT_EQ(bed_tlb()->cpu.hazard, 0);
	EXPECT_EQ(ksim_load64(at), 0);
}

TEST(atomics, at_an_address_that_is_no_multiple_are_SIGBUS_BUS_ADRALN)
{
	on_both(alignment_body);
}

static void write_body(struct bed *b)
{
	ksim_addr at = bed_map(2, PROT_READ);

	(void)b;
	bed_catch();
	for (unsigned i = 0; i < 4; i++) {
		EXPECT_EQ(ksim_load8(at + 8), 0);
		for (unsigned op = 0; op < 3; op++) {
			EXPECT_FAULT(sizes[i].ops[op], at + 8, SIGSEGV, SEGV_ACCERR, at + 8);
			EXPECT_FAULT(sizes[i].ops[op], at + PAGE, SIGSEGV, SEGV_ACCERR, at + PAGE);
			EXPECT_FAULT(sizes[i].ops[op], 8, SIGSEGV, SEGV_MAPERR, 8);
		}
	}
}

/* Even those that change nothing: hardware takes the line for itself. */
TEST(atomics, need_the_page_to_be_writable)
{
	on_both(write_body);
}

static void private_body(struct bed *b)
{
	ksim_addr at = bed_map(1, RW);
	struct ksim_process *child;
	uint32_t expected = 1;

	ksim_store32(at, 5);
	child = ksim_process_fork(b->p, "child");
	SETUP(child != NULL);
	EXPECT(!ksim_atomic_compare_exchange32(at, &expected, 2)); /* copies the page */
	EXPECT_EQ(ksim_atomic_fetch_add32(at, 1), 5);
	ksim_as(child)
		EXPECT_EQ(ksim_atomic_load32(at), 5);
	EXPECT_EQ(ksim_process_end(child, 0), 0);
	EXPECT_EQ(ksim_join(child, NULL), 0);
}

TEST(atomics, on_a_page_shared_by_fork_copy_it)
{
	on_both(private_body);
}

/* ---- between threads ---- */

enum { ROUNDS = 20000 };

static int count_up(void *arg)
{
	ksim_addr at = *(ksim_addr *)arg;

	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t seen = ksim_atomic_load64(at + 8);

		ksim_atomic_fetch_add32(at, 1);
		while (!ksim_atomic_compare_exchange64(at + 8, &seen, seen + 2))
			;
	}
	return 0;
}

static void threads_body(struct bed *b)
{
	ksim_addr at = bed_map(1, RW);
	pid_t tid = ksim_task_start(b->p, count_up, &at);

	SETUP(tid > 0);
	count_up(&at);
	EXPECT_EQ(ksim_task_join(b->p, tid, NULL), 0);
	EXPECT_EQ(ksim_load32(at), 2 * ROUNDS);
	EXPECT_EQ(ksim_load64(at + 8), 4 * ROUNDS);
}

TEST(atomics, of_two_threads_lose_nothing)
{
	on_both(threads_body);
}

/* ---- nobody's ---- */

static void load_as_nobody(void *arg)
{
	(void)ksim_load32(*(ksim_addr *)arg);
}

static void add_as_nobody(void *arg)
{
	ksim_atomic_fetch_add32(*(ksim_addr *)arg, 1);
}

static void copy_as_nobody(void *arg)
{
	char byte;

	ksim_copy_from(&byte, *(ksim_addr *)arg, 1);
}

TEST(atomics, and_every_access_of_a_thread_that_acts_as_nobody_abort_with_a_sentence)
{
	ksim_addr addrs[] = { 0x10000, 0, 1, 3 };

	for (unsigned i = 0; i < 4; i++) {
		expect_abort(load_as_nobody, &addrs[i], "this thread acts as no process");
		expect_abort(add_as_nobody, &addrs[i], "this thread acts as no process");
		expect_abort(copy_as_nobody, &addrs[i], "this thread acts as no process");
	}
}
