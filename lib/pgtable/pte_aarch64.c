// SPDX-License-Identifier: MIT
/*
 * Page-table entries of aarch64: VMSAv8-64, stage 1, 4 KiB granule, levels 0 to 3 for a 48-bit address.
 *
 * A level 3 page descriptor:
 *
 *   58..56  55     54   53   52    51   50..48  47..12  11  10  9..8  7      6      5   4..2      1  0
 *   0       dirty  UXN  PXN  Cont  DBM  0       frame   nG  AF  SH    AP[2]  AP[1]  NS  AttrIndx  1  valid
 *
 * A level 2 block descriptor, of 2 MiB, is the same with bit 1 clear.
 *
 * A table descriptor (levels 0 to 2) has bits 1 and 0 set, and in bit 59 PXNTable: nothing below is code for the
 * kernel, as in Linux's page tables of processes.
 *
 * AP[1] lets EL0 in; without PTE_READ it is clear: valid, and out of the user's reach. AP[2] forbids stores. DBM says
 * that hardware may clear AP[2] at the first store, so with it AP[2] set means "clean" rather than "read-only":
 *
 *   writable, clean   DBM, AP[2]             read-only, clean   AP[2]
 *   writable, dirty   DBM, dirty             read-only, dirty   AP[2], dirty
 *
 * The software bit 55 keeps "dirty" when a page becomes read-only. Memory is normal write-back (attribute index 0),
 * inner shareable, not global; PXN is always set.
 *
 * Reference: Arm ARM (DDI 0487), D8.3 "Translation table descriptor formats", D8.4 "Memory access control", D8.5
 * "Hardware updates to the translation tables". Linux: arch/arm64/include/asm/pgtable-hwdef.h, pgtable-prot.h and
 * pgtable.h (pte_mkdirty, pte_wrprotect). Not modelled: contiguous, guarded pages, 16 and 64 KiB granules, LPA2.
 */
#include "pgtable/pte.h"

#define BIT(n) (UINT64_C(1) << (n))

#define ARM_VALID          BIT(0)
#define ARM_TABLE          BIT(1) /* levels 0 to 2: points to a table */
#define ARM_PAGE           BIT(1) /* level 3: a page */
#define ARM_ATTR_NORMAL    (UINT64_C(0) << 2)
#define ARM_AP1_USER       BIT(6)
#define ARM_AP2_READ_ONLY  BIT(7)
#define ARM_SH_INNER       (UINT64_C(3) << 8)
#define ARM_AF             BIT(10)
#define ARM_NG             BIT(11)
#define ARM_DBM            BIT(51)
#define ARM_PXN            BIT(53)
#define ARM_UXN            BIT(54)
#define ARM_SOFTWARE_DIRTY BIT(55)
#define ARM_PXN_TABLE      BIT(59)

static uint64_t encode(unsigned flags)
{
	uint64_t bits = 0;

	if (flags & PTE_READ)
		bits |= ARM_AP1_USER;
	if (flags & PTE_WRITE)
		bits |= ARM_DBM;
	if (!(flags & PTE_WRITE) || !(flags & PTE_DIRTY))
		bits |= ARM_AP2_READ_ONLY;
	if (flags & PTE_DIRTY)
		bits |= ARM_SOFTWARE_DIRTY;
	if (!(flags & PTE_EXEC))
		bits |= ARM_UXN;
	if (flags & PTE_ACCESSED)
		bits |= ARM_AF;
	return bits;
}

static unsigned decode(uint64_t bits)
{
	unsigned flags = 0;

	if (bits & ARM_AP1_USER)
		flags |= PTE_READ;
	if (bits & ARM_DBM)
		flags |= PTE_WRITE;
	if (!(bits & ARM_UXN))
		flags |= PTE_EXEC;
	if (bits & ARM_AF)
		flags |= PTE_ACCESSED;
	if (bits & ARM_SOFTWARE_DIRTY || (bits & (ARM_DBM | ARM_AP2_READ_ONLY)) == ARM_DBM)
		flags |= PTE_DIRTY;
	return flags;
}

const struct pte_format pte_aarch64 = {
	.name = "aarch64",
	.table_bits = ARM_VALID | ARM_TABLE | ARM_PXN_TABLE,
	.leaf_bits = ARM_VALID | ARM_PAGE | ARM_ATTR_NORMAL | ARM_SH_INNER | ARM_NG | ARM_PXN,
	.huge_bits = ARM_VALID | ARM_ATTR_NORMAL | ARM_SH_INNER | ARM_NG | ARM_PXN,
	.huge_bit = ARM_TABLE,
	.huge_flip = ARM_TABLE,
	.encode = encode,
	.decode = decode,
	.user_bit = ARM_AP1_USER,
	.write_bit = ARM_DBM,
	.noexec_bit = ARM_UXN,
};
