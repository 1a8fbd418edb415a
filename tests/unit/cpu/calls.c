// SPDX-License-Identifier: MIT
/*
 * With KSIM_NO_INLINE, loads and stores are calls into the library, and do the same as the inline ones.
 */
#define KSIM_NO_INLINE
#include "bed.h"

#define PATTERN UINT64_C(0x8877665544332211)

/* One size: called and inline, each read by the other, at an offset. */
#define TRY(bits, at)                                                       \
	do {                                                                \
		uint##bits##_t value = (uint##bits##_t)(PATTERN + (at));    \
                                                                            \
		ksim_store##bits((at), value);                              \
		EXPECT_EQ(ksim_cpu_load##bits(ksim_cpu_self, (at)), value); \
		expect_user_bytes((at), &value, sizeof(value));             \
		value = (uint##bits##_t) ~value;                            \
		ksim_cpu_store##bits(ksim_cpu_self, (at), value);           \
		EXPECT_EQ(ksim_load##bits((at)), value);                    \
	} while (0)

static void equal_body(struct bed *b)
{
	ksim_addr at = bed_map(2, RW);

	(void)b;
	for (unsigned offset = 0; offset < 9; offset++) {
		TRY(8, at + offset);
		TRY(16, at + offset);
		TRY(32, at + offset);
		TRY(64, at + offset);
		TRY(8, at + PAGE - offset);
		TRY(16, at + PAGE - offset);
		TRY(32, at + PAGE - offset);
		TRY(64, at + PAGE - offset);
	}
	EXPECT_EQ(bed_tlb()->cpu.hazard, 0);
}

TEST(calls, load_and_store_what_the_inline_functions_do)
{
	on_both(equal_body);
}

static void hit_body(struct bed *b)
{
	ksim_addr at = bed_map(1, RW);
	uint64_t misses;

	(void)b;
	ksim_store64(at, 1);
	misses = bed_misses();
	for (unsigned i = 0; i < 100; i++)
		ksim_store64(at + 8, ksim_load64(at) + i);
	EXPECT_EQ(bed_misses(), misses);
	EXPECT_EQ(ksim_load64(at + 8), 100);
}

TEST(calls, hit_the_same_tlb)
{
	on_both(hit_body);
}

static void load_4_across(ksim_addr at)
{
	ksim_load32(at + PAGE - 1);
}

static void store_4_across(ksim_addr at)
{
	ksim_store32(at + PAGE - 1, 1);
}

static void store_1(ksim_addr at)
{
	ksim_store8(at, 1);
}

static void fault_body(struct bed *b)
{
	ksim_addr at = bed_two_pages(PROT_READ, PROT_NONE);

	(void)b;
	bed_catch();
	EXPECT_FAULT(store_1, at + 5, SIGSEGV, SEGV_ACCERR, at + 5);
	EXPECT_FAULT(load_4_across, at, SIGSEGV, SEGV_ACCERR, at + PAGE);
	EXPECT_FAULT(store_4_across, at, SIGSEGV, SEGV_ACCERR, at + PAGE - 1);
	EXPECT_FAULT(store_1, 1, SIGSEGV, SEGV_MAPERR, 1);
}

TEST(calls, fault_as_the_inline_functions_do)
{
	on_both(fault_body);
}
