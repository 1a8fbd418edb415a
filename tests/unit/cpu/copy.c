// SPDX-License-Identifier: MIT
/*
 * ksim_copy_from, ksim_copy_to, ksim_fill and ksim_strlen: across pages, with faults in order and at the exact byte.
 */
#include "bed.h"

#define NOWHERE UINT64_C(0x7e0000001003)

static char host[3 * PAGE + 64];

/* A byte that differs from its neighbours and from the next page's. */
static char byte_at(size_t i)
{
	return (char)(i * 7 + i / 251 + 1);
}

static void number(char *to, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] = byte_at(i);
}

static void round_trip_body(struct bed *b)
{
	ksim_addr at = bed_map(4, RW);
	const size_t starts[] = { 0, 1, PAGE - 1, 100 };
	const size_t lengths[] = { 1, 2, 7, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE, 2 * PAGE + 2, 3 * PAGE };
	static char back[sizeof(host)];

	(void)b;
	for (unsigned i = 0; i < 4; i++) {
		for (unsigned j = 0; j < 9; j++) {
			size_t start = starts[i], n = lengths[j];

			ksim_fill(at, 0, (size_t)4 * PAGE);
			number(host, n);
			ksim_copy_to(at + start, host, n);
			EXPECT_EQ(ksim_load8(at + start), (uint8_t)byte_at(0));
			EXPECT_EQ(ksim_load8(at + start + n - 1), (uint8_t)byte_at(n - 1));
			EXPECT_EQ(ksim_load8(at + start + n), 0);
			EXPECT(start == 0 || ksim_load8(at + start - 1) == 0);
			memset(back, 0x33, sizeof(back));
			ksim_copy_from(back, at + start, n);
			EXPECT_MEMEQ(back, host, n);
			EXPECT_EQ(back[n], 0x33);
		}
	}
	EXPECT_EQ(bed_tlb()->cpu.hazard, 0);
}

TEST(copy, to_and_from_any_place_moves_every_byte)
{
	on_both(round_trip_body);
}

static void fill_body(struct bed *b)
{
	ksim_addr at = bed_map(3, RW);

	(void)b;
	ksim_fill(at, 0x11, (size_t)3 * PAGE);
	ksim_fill(at + PAGE - 3, 0x122, PAGE + 6);
	for (size_t i = 0; i < 3 * PAGE; i++) {
		uint8_t expected = i >= PAGE - 3 && i < 2 * PAGE + 3 ? 0x22 : 0x11;

		EXPECT_EQ(ksim_load8(at + i), expected);
	}
}

TEST(copy, fill_sets_every_byte_and_no_other)
{
	on_both(fill_body);
}

static void strlen_body(struct bed *b)
{
	ksim_addr at = bed_map(4, RW);
	const size_t lengths[] = { 0, 1, 63, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE + 5 };
	const size_t starts[] = { 0, 1, PAGE - 1 };

	(void)b;
	for (unsigned i = 0; i < 7; i++) {
		for (unsigned j = 0; j < 3; j++) {
			ksim_fill(at, 'x', (size_t)4 * PAGE);
			ksim_store8(at + starts[j] + lengths[i], 0);
			EXPECT_EQ(ksim_strlen(at + starts[j]), lengths[i]);
		}
	}
	/* The end is the last byte of what is mapped: the next page is not looked at. */
	EXPECT_EQ(ksim_munmap(at + 3 * PAGE, PAGE), 0);
	ksim_fill(at, 'x', (size_t)3 * PAGE);
	ksim_store8(at + 3 * PAGE - 1, 0);
	EXPECT_EQ(ksim_strlen(at + 5), 3 * PAGE - 6);
	EXPECT_EQ(bed_tlb()->cpu.hazard, 0);
}

TEST(copy, strlen_counts_across_pages_and_looks_no_further)
{
	on_both(strlen_body);
}

static void nothing_body(struct bed *b)
{
	uint64_t misses = bed_misses();
	char byte = 5;

	(void)b;
	ksim_copy_from(&byte, NOWHERE, 0);
	ksim_copy_to(NOWHERE, &byte, 0);
	ksim_fill(NOWHERE, 1, 0);
	ksim_copy_from(&byte, 0, 0);
	EXPECT_EQ(byte, 5);
	EXPECT_EQ(bed_misses(), misses);
}

TEST(copy, of_nothing_touches_nothing)
{
	on_both(nothing_body);
}

/* ---- faults ---- */

/* Each from 10 bytes before the end of a page, so much that the next page but one is reached. */
static void copy_from_op(ksim_addr at)
{
	ksim_copy_from(host, at + PAGE - 10, PAGE + 20);
}

static void copy_to_op(ksim_addr at)
{
	number(host, PAGE + 20);
	ksim_copy_to(at + PAGE - 10, host, PAGE + 20);
}

static void fill_op(ksim_addr at)
{
	ksim_fill(at + PAGE - 10, byte_at(0), PAGE + 20);
}

static void strlen_op(ksim_addr at)
{
	ksim_strlen(at + PAGE - 10);
}

static void fault_body(struct bed *b)
{
	ksim_addr at;

	(void)b;
	bed_catch();
	at = bed_map(3, RW);
	ksim_fill(at, 0x77, (size_t)3 * PAGE);
	EXPECT_EQ(ksim_munmap(at + 2 * PAGE, PAGE), 0);
	EXPECT_FAULT(copy_from_op, at, SIGSEGV, SEGV_MAPERR, at + 2 * PAGE);
	EXPECT_EQ(host[PAGE + 9], 0x77); /* what could be read, has been */
	EXPECT_FAULT(strlen_op, at, SIGSEGV, SEGV_MAPERR, at + 2 * PAGE);
	EXPECT_FAULT(copy_to_op, at, SIGSEGV, SEGV_MAPERR, at + 2 * PAGE);
	EXPECT_EQ(ksim_load8(at + PAGE - 11), 0x77);
	EXPECT_EQ(ksim_load8(at + 2 * PAGE - 1), (uint8_t)byte_at(PAGE + 9));
	EXPECT_FAULT(fill_op, at, SIGSEGV, SEGV_MAPERR, at + 2 * PAGE);
	EXPECT_EQ(ksim_load8(at + 2 * PAGE - 1), (uint8_t)byte_at(0));
	EXPECT_EQ(ksim_mprotect(at + PAGE, PAGE, PROT_READ), 0);
	EXPECT_FAULT(fill_op, at, SIGSEGV, SEGV_ACCERR, at + PAGE);
	EXPECT_FAULT(copy_to_op, at, SIGSEGV, SEGV_ACCERR, at + PAGE);
	EXPECT_FAULT(copy_from_op, at, SIGSEGV, SEGV_MAPERR, at + 2 * PAGE);
	EXPECT_EQ(ksim_mprotect(at, PAGE, PROT_NONE), 0);
	EXPECT_FAULT(copy_from_op, at, SIGSEGV, SEGV_ACCERR, at + PAGE - 10);
	EXPECT_FAULT(strlen_op, at, SIGSEGV, SEGV_ACCERR, at + PAGE - 10);
	EXPECT_EQ(bed_tlb()->cpu.hazard, 0);
}

TEST(copy, faults_at_the_first_byte_it_cannot_access_and_has_done_what_lies_before)
{
	on_both(fault_body);
}

static void bus_body(struct bed *b)
{
	ksim_addr at;
	int fd;

	(void)b;
	bed_catch();
	at = bed_map_file(3, RW, &fd);
	ksim_fill(at, 0x77, (size_t)3 * PAGE);
	EXPECT_EQ(ksim_ftruncate(fd, 2 * PAGE - 100), 0);
	/* The rest of the last page is zeros, and may be written; the next one is gone. */
	EXPECT_EQ(ksim_strlen(at), 2 * PAGE - 100);
	EXPECT_FAULT(copy_from_op, at, SIGBUS, BUS_ADRERR, at + 2 * PAGE);
	EXPECT_FAULT(fill_op, at, SIGBUS, BUS_ADRERR, at + 2 * PAGE);
}

TEST(copy, past_the_end_of_a_file_is_SIGBUS_at_its_first_page_beyond)
{
	on_both(bus_body);
}
