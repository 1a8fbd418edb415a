// SPDX-License-Identifier: MIT
/*
 * Loads and stores of every size, aligned and not, within a page and across two, and where they fault.
 *
 * Of an access that crosses a page, x86_64 hardware under Linux reports (measured on a host kernel): the first page is
 * looked at first; the address of a fault is the first byte of the part that faults, so it is the access's own or the
 * second page's first; and a store changes nothing unless it may change both.
 */
#include "bed.h"

#define PATTERN UINT64_C(0x8877665544332211)

static uint64_t load(ksim_addr addr, unsigned size)
{
	switch (size) {
	case 1:
		return ksim_load8(addr);
	case 2:
		return ksim_load16(addr);
	case 4:
		return ksim_load32(addr);
	default:
		return ksim_load64(addr);
	}
}

static void store(ksim_addr addr, unsigned size, uint64_t value)
{
	switch (size) {
	case 1:
		ksim_store8(addr, (uint8_t)value);
		break;
	case 2:
		ksim_store16(addr, (uint16_t)value);
		break;
	case 4:
		ksim_store32(addr, (uint32_t)value);
		break;
	default:
		ksim_store64(addr, value);
	}
}

static uint64_t low_bytes(uint64_t value, unsigned size)
{
	return size == 8 ? value : value & ((UINT64_C(1) << size * 8) - 1);
}

/* Store at an offset of two pages and look at every byte around it; load it again. */
static void try_at(ksim_addr at, unsigned offset, unsigned size)
{
	char expected[32];

	memset(expected, 0x77, sizeof(expected));
	memcpy(expected + 8, &(uint64_t){ PATTERN }, size);
	store(at + offset, size, PATTERN);
	expect_user_bytes(at + offset - 8, expected, sizeof(expected));
	EXPECT_EQ(load(at + offset, size), low_bytes(PATTERN, size));
	EXPECT_EQ(bed_tlb()->cpu.hazard, 0);
	ksim_fill(at + offset, 0x77, size);
}

static void sizes_body(struct bed *b)
{
	ksim_addr at = bed_two_pages(RW, RW);

	(void)b;
	for (unsigned size = 1; size <= 8; size *= 2) {
		for (unsigned offset = 64; offset < 80; offset++)
			try_at(at, offset, size);
		for (unsigned offset = PAGE - 10; offset < PAGE + 10; offset++)
			try_at(at, offset, size);
	}
}

TEST(access, of_every_size_at_every_alignment_moves_exactly_its_bytes)
{
	on_both(sizes_body);
}

static void cold_body(struct bed *b)
{
	(void)b;
	for (unsigned size = 2; size <= 8; size *= 2) {
		for (unsigned before = 1; before < size; before++) {
			ksim_addr at = bed_map(4, RW);

			/* Not yet there, neither page. */
			EXPECT_EQ(load(at + PAGE - before, size), 0);
			store(at + 3 * PAGE - before, size, PATTERN);
			EXPECT_EQ(load(at + 3 * PAGE - before, size), low_bytes(PATTERN, size));
			EXPECT_EQ(load(at + 3 * PAGE, 1), low_bytes(PATTERN >> before * 8, 1));
			EXPECT_EQ(ksim_munmap(at, (size_t)4 * PAGE), 0);
		}
	}
}

TEST(access, across_pages_brings_both_in)
{
	on_both(cold_body);
}

/* ---- what may be accessed ---- */

static void load_byte(ksim_addr addr)
{
	ksim_load8(addr);
}

static void store_byte(ksim_addr addr)
{
	ksim_store8(addr, 1);
}

static void protection_body(struct bed *b)
{
	(void)b;
	bed_catch();
	for (int prot = 0; prot < 8; prot++) {
		ksim_addr at = bed_map(2, prot);

		/* In both orders; what may be written or executed may be read. */
		for (unsigned i = 0; i < 2; i++) {
			if (prot == 0)
				EXPECT_FAULT(load_byte, at + i, SIGSEGV, SEGV_ACCERR, at + i);
			else
				EXPECT_NO_FAULT(load_byte, at + i);
			if (prot & PROT_WRITE)
				EXPECT_NO_FAULT(store_byte, at + i);
			else
				EXPECT_FAULT(store_byte, at + i, SIGSEGV, SEGV_ACCERR, at + i);
		}
		if (prot & PROT_WRITE)
			EXPECT_NO_FAULT(store_byte, at + PAGE);
	}
}

TEST(access, is_allowed_as_the_mapping_says)
{
	on_both(protection_body);
}

static void load_word(ksim_addr addr)
{
	ksim_load32(addr);
}

static void store_word(ksim_addr addr)
{
	ksim_store32(addr, 1);
}

static void nowhere_body(struct bed *b)
{
	const ksim_addr tops[] = {
		PT_SPAN - PAGE, PT_SPAN - 4, PT_SPAN, PT_SPAN + 1, UINT64_C(1) << 63, UINT64_MAX - 3
	};

	(void)b;
	bed_catch();
	for (ksim_addr at = 0; at < 24; at++) {
		EXPECT_FAULT(load_word, at, SIGSEGV, SEGV_MAPERR, at);
		EXPECT_FAULT(store_word, at, SIGSEGV, SEGV_MAPERR, at);
	}
	EXPECT_FAULT(load_word, PAGE - 2, SIGSEGV, SEGV_MAPERR, PAGE - 2);
	EXPECT_FAULT(store_word, MM_MIN - 2, SIGSEGV, SEGV_MAPERR, MM_MIN - 2);
	for (unsigned i = 0; i < sizeof(tops) / sizeof(tops[0]); i++) {
		EXPECT_FAULT(load_word, tops[i], SIGSEGV, SEGV_MAPERR, tops[i]);
		EXPECT_FAULT(store_word, tops[i], SIGSEGV, SEGV_MAPERR, tops[i]);
	}
	EXPECT_FAULT(load_word, UINT64_MAX - 1, SIGSEGV, SEGV_MAPERR, UINT64_MAX - 1); /* its end is at 2 */
	bed_map_at(MM_MIN, 1, RW);
	EXPECT_NO_FAULT(store_word, MM_MIN);
	EXPECT_FAULT(load_word, 0, SIGSEGV, SEGV_MAPERR, 0);
	EXPECT_FAULT(load_word, 1, SIGSEGV, SEGV_MAPERR, 1);
	EXPECT_FAULT(load_word, MM_MIN - 1, SIGSEGV, SEGV_MAPERR, MM_MIN - 1);
	EXPECT_EQ(bed_tlb()->cpu.hazard, 0);
}

/* An entry that is empty must not look like a hit for a misaligned access near 0: a pointer of NULL plus 1. */
TEST(access, where_nothing_can_be_mapped_is_SEGV_MAPERR_at_its_address)
{
	on_both(nowhere_body);
}

static void load_at_0(ksim_addr at)
{
	ksim_load8(at);
}

static void unwalked_body(struct bed *b)
{
	const struct pgtable *pt = &b->p->kernel->mm->pt;
	struct pt_slot slot;

	/* An entry that cannot be there shows who looks. */
	bed_catch();
	bed_map_at(MM_MIN, 1, RW);
	ksim_store8(MM_MIN, 1);
	REQUIRE(pt_find(pt, 0, &slot));
	pte_exchange(slot.entry, pt_walk(pt, MM_MIN));
	EXPECT_FAULT(load_at_0, 0, SIGSEGV, SEGV_MAPERR, 0);
	EXPECT(!hits_read(0));
	pte_exchange(slot.entry, PTE_NONE);
}

/* A hazard of 0 is none: nodes could be freed under the walk. */
TEST(access, at_address_0_walks_no_page_table)
{
	on_both(unwalked_body);
}

/* ---- across two pages ---- */

static void load_8_across(ksim_addr at)
{
	ksim_load64(at + PAGE - 3);
}

static void store_8_across(ksim_addr at)
{
	ksim_store64(at + PAGE - 3, PATTERN);
}

static void store_2_across(ksim_addr at)
{
	ksim_store16(at + PAGE - 1, 0x2211);
}

static void unreadable_body(struct bed *b)
{
	ksim_addr at;

	(void)b;
	bed_catch();
	at = bed_two_pages(RW, PROT_NONE);
	EXPECT_FAULT(load_8_across, at, SIGSEGV, SEGV_ACCERR, at + PAGE);
	at = bed_two_pages(PROT_NONE, RW);
	EXPECT_FAULT(load_8_across, at, SIGSEGV, SEGV_ACCERR, at + PAGE - 3);
	at = bed_two_pages(PROT_NONE, PROT_NONE);
	EXPECT_FAULT(load_8_across, at, SIGSEGV, SEGV_ACCERR, at + PAGE - 3);
	EXPECT_EQ(ksim_munmap(at + PAGE, PAGE), 0);
	EXPECT_EQ(ksim_mprotect(at, PAGE, PROT_READ), 0);
	EXPECT_FAULT(load_8_across, at, SIGSEGV, SEGV_MAPERR, at + PAGE);
	EXPECT_EQ(ksim_load8(at + PAGE - 1), 0x77);
}

TEST(access, that_loads_across_pages_faults_at_the_first_byte_it_may_not_read)
{
	on_both(unreadable_body);
}

/* The last bytes of the first page and the first ones of the second are as bed_two_pages left them. */
static void expect_unchanged(ksim_addr at)
{
	char expected[16];

	memset(expected, 0x77, sizeof(expected));
	EXPECT_EQ(ksim_mprotect(at, (size_t)2 * PAGE, RW), 0);
	expect_user_bytes(at + PAGE - 8, expected, sizeof(expected));
}

static void unwritable_body(struct bed *b)
{
	const struct {
		int first, second;
		bool at_second;
	} cases[] = {
		{ RW, PROT_READ, true },         { RW, PROT_NONE, true },         { PROT_READ, RW, false },
		{ PROT_NONE, RW, false },        { PROT_READ, PROT_READ, false }, { PROT_NONE, PROT_NONE, false },
		{ PROT_READ, PROT_NONE, false },
	};

	(void)b;
	bed_catch();
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (unsigned warm = 0; warm < 2; warm++) {
			ksim_addr at = bed_two_pages(cases[i].first, cases[i].second);

			/* With the first page in the TLB already, too. */
			if (warm && cases[i].first != PROT_NONE)
				ksim_load8(at);
			EXPECT_FAULT(store_8_across, at, SIGSEGV, SEGV_ACCERR,
			             cases[i].at_second ? at + PAGE : at + PAGE - 3);
			EXPECT_FAULT(store_2_across, at, SIGSEGV, SEGV_ACCERR,
			             cases[i].at_second ? at + PAGE : at + PAGE - 1);
			expect_unchanged(at);
			EXPECT_EQ(ksim_munmap(at, (size_t)2 * PAGE), 0);
		}
	}
}

TEST(access, that_stores_across_pages_may_write_both_or_changes_nothing)
{
	on_both(unwritable_body);
}

static void half_mapped_body(struct bed *b)
{
	ksim_addr at = bed_two_pages(RW, RW);
	char expected[8];
	int fd;

	(void)b;
	bed_catch();
	EXPECT_EQ(ksim_munmap(at + PAGE, PAGE), 0);
	EXPECT_FAULT(store_8_across, at, SIGSEGV, SEGV_MAPERR, at + PAGE);
	memset(expected, 0x77, sizeof(expected));
	expect_user_bytes(at + PAGE - 8, expected, sizeof(expected));
	/* Past the end of a file it is another signal. */
	at = bed_map_file(2, RW, &fd);
	EXPECT_EQ(ksim_ftruncate(fd, PAGE), 0);
	EXPECT_FAULT(store_8_across, at, SIGBUS, BUS_ADRERR, at + PAGE);
	EXPECT_FAULT(load_8_across, at, SIGBUS, BUS_ADRERR, at + PAGE);
	memset(expected, 0, sizeof(expected));
	expect_user_bytes(at + PAGE - 8, expected, sizeof(expected));
}

TEST(access, across_the_end_of_what_is_mapped_faults_at_the_page_that_is_not)
{
	on_both(half_mapped_body);
}

static void same_entry_body(struct bed *b)
{
	/* Mapped so that both pages of an access share a TLB entry with others: 16 entries, 40 pages. */
	ksim_addr at = bed_map(40, RW);

	(void)b;
	for (unsigned i = 1; i < 40; i++)
		ksim_store64(at + i * PAGE - 4, UINT64_C(0x0101010101010101) * i);
	for (unsigned i = 1; i < 40; i++)
		EXPECT_EQ(ksim_load64(at + i * PAGE - 4), UINT64_C(0x0101010101010101) * i);
	for (unsigned i = 1; i < 40; i++)
		EXPECT_EQ(ksim_load32(at + i * PAGE), 0x01010101u * i);
}

TEST(access, across_pages_works_with_few_tlb_entries)
{
	on_both_sized(16, same_entry_body);
}

/* ---- whose memory ---- */

static void shared_body(struct bed *b)
{
	struct ksim_process *q = ksim_process_create(b->m, "q");
	ksim_addr mine, theirs = 0;
	int fd, copy;

	SETUP(q != NULL);
	mine = bed_map_file(2, RW, &fd);
	copy = ksim_fd_copy(b->p, fd, q);
	SETUP(copy >= 0);
	ksim_store64(mine + PAGE - 4, PATTERN);
	ksim_as(q) {
		theirs = ksim_mmap(0, (size_t)2 * PAGE, RW, MAP_SHARED, copy, 0);
		SETUP(theirs != KSIM_MAP_FAILED);
		EXPECT_EQ(ksim_load64(theirs + PAGE - 4), PATTERN);
		ksim_store8(theirs, 5);
		ksim_as(b->p)
			EXPECT_EQ(ksim_load8(mine), 5);
	}
}

TEST(access, to_shared_pages_of_two_processes_meets_in_one_frame)
{
	on_both(shared_body);
}
