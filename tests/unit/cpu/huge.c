// SPDX-License-Identifier: MIT
/*
 * Loads and stores through an entry of 2 MiB: the TLB keeps pages of 4 KiB of it.
 */
#include "bed.h"

#define AT    UINT64_C(0x40000000)
#define PAGES 512

/* A file of 2 MiB, committed as a whole, where one entry can map it. */
static int map_block(int prot)
{
	int fd = ksim_memfd_create("block", 0);

	SETUP(fd >= 0 && ksim_fallocate(fd, 0, 0, PAGES * PAGE) == 0);
	SETUP(ksim_mmap(AT, PAGES * PAGE, prot, MAP_SHARED | MAP_FIXED, fd, 0) == AT);
	return fd;
}

static size_t page_size(struct bed *b, ksim_addr addr)
{
	struct ksim_translation t;

	return ksim_translate(b->p, addr, &t) == 0 ? t.page_size : 0;
}

static void use_body(struct bed *b)
{
	uint64_t misses;

	map_block(RW);
	for (unsigned i = 0; i < PAGES; i++)
		ksim_store32(AT + i * PAGE + 4 * i, i);
	EXPECT_EQ(page_size(b, AT + 77 * PAGE), PAGES * PAGE);
	misses = bed_misses();
	for (unsigned i = 0; i < PAGES; i += 7) {
		EXPECT_EQ(ksim_load32(AT + i * PAGE + 4 * i), i);
		EXPECT(hits_read(AT + i * PAGE));
		expect_user_bytes(AT + i * PAGE + 4 * i, &i, sizeof(i));
	}
	EXPECT(bed_misses() - misses <= (PAGES + 6) / 7);
	/* Across two pages of it. */
	ksim_store64(AT + 9 * PAGE - 3, UINT64_C(0x1122334455667788));
	EXPECT_EQ(ksim_load64(AT + 9 * PAGE - 3), UINT64_C(0x1122334455667788));
}

TEST(cpu_huge, each_page_of_2_mib_is_reached)
{
	on_both(use_body);
}

static void marks_body(struct bed *b)
{
	map_block(RW);
	(void)ksim_load8(AT + 3 * PAGE);
	EXPECT_EQ(page_size(b, AT), PAGES * PAGE);
	EXPECT_EQ(bed_pte_flags(AT + 5 * PAGE) & (PTE_ACCESSED | PTE_DIRTY), PTE_ACCESSED);
	EXPECT(!hits_write(AT + 3 * PAGE));
	ksim_store8(AT + 3 * PAGE, 1);
	EXPECT_EQ(bed_pte_flags(AT + 5 * PAGE) & (PTE_ACCESSED | PTE_DIRTY), PTE_ACCESSED | PTE_DIRTY);
}

TEST(cpu_huge, first_load_and_store_mark_the_entry)
{
	on_both(marks_body);
}

static void part_body(struct bed *b)
{
	map_block(RW);
	for (unsigned i = 100; i < 110; i++)
		ksim_store8(AT + i * PAGE, (uint8_t)i);
	EXPECT_EQ(ksim_mprotect(AT + 104 * PAGE, PAGE, PROT_READ), 0);
	EXPECT_EQ(page_size(b, AT), PAGE);
	EXPECT(!hits_write(AT + 104 * PAGE) && hits_write(AT + 105 * PAGE));
	EXPECT_EQ(ksim_munmap(AT + 106 * PAGE, PAGE), 0);
	EXPECT(!hits_read(AT + 106 * PAGE) && hits_read(AT + 107 * PAGE));
	for (unsigned i = 100; i < 106; i++)
		EXPECT_EQ(ksim_load8(AT + i * PAGE), i);
	EXPECT_EQ(ksim_munmap(AT, PAGES * PAGE), 0);
	EXPECT(tlb_is_empty(bed_tlb()));
}

TEST(cpu_huge, change_of_a_part_takes_that_parts_translations)
{
	on_both(part_body);
}
