// SPDX-License-Identifier: MIT
/*
 * Entries: every combination of flags in both formats, and the bits that the manuals name.
 */
#include "unit/pgtable/bed.h"

#define ALL_FLAGS (PTE_READ | PTE_WRITE | PTE_EXEC | PTE_ACCESSED | PTE_DIRTY)
#define BIT(n)    (UINT64_C(1) << (n))

TEST(pte, flags_and_frame_survive_encoding)
{
	const uint64_t pfns[] = { 1, 2, 0x12345, 0xffffffff, UINT64_C(0xfffffffff) };

	for (size_t f = 0; f < NFORMATS; f++) {
		for (size_t i = 0; i < ARRAY_SIZE(pfns); i++) {
			for (unsigned flags = 0; flags <= ALL_FLAGS; flags++) {
				pte_t pte = pte_make(pt_formats[f], (pfn_t){ pfns[i] }, flags);

				EXPECT(pte_present(pte));
				EXPECT_EQ(pte_pfn(pte).n, pfns[i]);
				EXPECT_EQ(pte_flags(pt_formats[f], pte), flags);
			}
		}
	}
}

TEST(pte, allows_what_its_flags_say)
{
	for (size_t f = 0; f < NFORMATS; f++) {
		for (unsigned flags = 0; flags <= ALL_FLAGS; flags++) {
			pte_t pte = pte_make(pt_formats[f], (pfn_t){ 7 }, flags);
			bool read = flags & PTE_READ;

			EXPECT_EQ(pte_allows(pt_formats[f], pte, PTE_READ), read);
			EXPECT_EQ(pte_allows(pt_formats[f], pte, PTE_WRITE), read && flags & PTE_WRITE);
			EXPECT_EQ(pte_allows(pt_formats[f], pte, PTE_EXEC), !!(flags & PTE_EXEC));
		}
		EXPECT(!pte_allows(pt_formats[f], PTE_NONE, PTE_READ));
		EXPECT(!pte_allows(pt_formats[f], PTE_NONE, PTE_WRITE));
		EXPECT(!pte_allows(pt_formats[f], PTE_NONE, PTE_EXEC));
	}
}

TEST(pte, format_is_picked_by_architecture)
{
	EXPECT_STREQ(pte_format_of(KSIM_ARCH_X86_64)->name, "x86_64");
	EXPECT_STREQ(pte_format_of(KSIM_ARCH_AARCH64)->name, "aarch64");
	EXPECT_EQ(pte_x86_64.table_bits & PTE_PRESENT, PTE_PRESENT);
	EXPECT_EQ(pte_aarch64.table_bits & PTE_PRESENT, PTE_PRESENT);
}

/* Intel SDM volume 3A, table 4-20: P 0, R/W 1, U/S 2, A 5, D 6, XD 63. */
TEST(pte, x86_64_bits_are_those_of_the_manual)
{
	const pfn_t pfn = { 0x12345 };
	const uint64_t frame = UINT64_C(0x12345000);

	EXPECT_EQ(pte_make(&pte_x86_64, pfn, PTE_READ).bits, frame | BIT(0) | BIT(2) | BIT(63));
	EXPECT_EQ(pte_make(&pte_x86_64, pfn, PTE_READ | PTE_WRITE | PTE_EXEC).bits, frame | BIT(0) | BIT(1) | BIT(2));
	EXPECT_EQ(pte_make(&pte_x86_64, pfn, PTE_READ | PTE_EXEC | PTE_ACCESSED | PTE_DIRTY).bits,
	          frame | BIT(0) | BIT(2) | BIT(5) | BIT(6));
	EXPECT_EQ(pte_make(&pte_x86_64, pfn, 0).bits, frame | BIT(0) | BIT(63));
	EXPECT_EQ(pte_x86_64.table_bits, BIT(0) | BIT(1) | BIT(2) | BIT(5));
}

/* Arm ARM D8.3: page 0b11, AttrIndx 4:2, AP[1] 6, AP[2] 7, SH 9:8, AF 10, nG 11, DBM 51, PXN 53, UXN 54; Linux: 55. */
TEST(pte, aarch64_bits_are_those_of_the_manual)
{
	const pfn_t pfn = { 0x12345 };
	const uint64_t base = UINT64_C(0x12345000) | 3 | BIT(8) | BIT(9) | BIT(11) | BIT(53);

	EXPECT_EQ(pte_make(&pte_aarch64, pfn, PTE_READ).bits, base | BIT(6) | BIT(7) | BIT(54));
	EXPECT_EQ(pte_make(&pte_aarch64, pfn, PTE_READ | PTE_EXEC | PTE_ACCESSED).bits,
	          base | BIT(6) | BIT(7) | BIT(10));
	EXPECT_EQ(pte_make(&pte_aarch64, pfn, PTE_READ | PTE_WRITE).bits, base | BIT(6) | BIT(7) | BIT(51) | BIT(54));
	EXPECT_EQ(pte_make(&pte_aarch64, pfn, PTE_READ | PTE_WRITE | PTE_DIRTY).bits,
	          base | BIT(6) | BIT(51) | BIT(54) | BIT(55));
	EXPECT_EQ(pte_make(&pte_aarch64, pfn, PTE_READ | PTE_DIRTY).bits, base | BIT(6) | BIT(7) | BIT(54) | BIT(55));
	EXPECT_EQ(pte_make(&pte_aarch64, pfn, 0).bits, base | BIT(7) | BIT(54));
	EXPECT_EQ(pte_aarch64.table_bits, 3 | BIT(59));
}

/*
 * Arm ARM D8.5: hardware clears AP[2] of an entry with DBM at the first store; that is dirty without the software bit.
 */
TEST(pte, aarch64_entry_made_dirty_by_hardware_reads_as_dirty)
{
	pte_t pte = pte_make(&pte_aarch64, (pfn_t){ 7 }, PTE_READ | PTE_WRITE);

	pte.bits &= ~BIT(7);
	EXPECT_EQ(pte_flags(&pte_aarch64, pte), PTE_READ | PTE_WRITE | PTE_DIRTY);
}
