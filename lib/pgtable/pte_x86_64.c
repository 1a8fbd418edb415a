// SPDX-License-Identifier: MIT
/*
 * Page-table entries of x86_64, 4-level paging with pages of 4 KiB and 2 MiB.
 *
 *   63   62..48   47..12   11..9   8   7    6  5  4    3    2   1   0
 *   XD   0        frame    0       G   PAT  D  A  PCD  PWT  US  RW  P      4 KiB
 *   XD   0        frame    0       G   PS   D  A  PCD  PWT  US  RW  P      2 MiB: PS is set; bit 12 is PAT there
 *
 * A store needs RW, any user access needs US, on every level; so entries that point to tables allow everything and
 * the leaf decides. Without PTE_READ the leaf has US clear: present, and out of the user's reach, which is how we
 * spell PROT_NONE on a page that keeps its frame. There is no execute-only: PTE_EXEC without PTE_READ reaches nothing.
 *
 * Reference: Intel SDM, volume 3A, 4.5 "4-Level Paging and 5-Level Paging", tables 4-15 to 4-20, and 4.6 "Access
 * Rights". Linux: arch/x86/include/asm/pgtable_types.h (_PAGE_TABLE). Not modelled: PROT_NONE as Linux has it (P
 * clear, G set), protection keys, PAT, global pages.
 */
#include "pgtable/pte.h"

enum {
	X86_P = 1 << 0,
	X86_RW = 1 << 1,
	X86_US = 1 << 2,
	X86_A = 1 << 5,
	X86_D = 1 << 6,
	X86_PS = 1 << 7,
};
#define X86_XD (UINT64_C(1) << 63)

static uint64_t encode(unsigned flags)
{
	uint64_t bits = 0;

	if (flags & PTE_READ)
		bits |= X86_US;
	if (flags & PTE_WRITE)
		bits |= X86_RW;
	if (!(flags & PTE_EXEC))
		bits |= X86_XD;
	if (flags & PTE_ACCESSED)
		bits |= X86_A;
	if (flags & PTE_DIRTY)
		bits |= X86_D;
	return bits;
}

static unsigned decode(uint64_t bits)
{
	unsigned flags = 0;

	if (bits & X86_US)
		flags |= PTE_READ;
	if (bits & X86_RW)
		flags |= PTE_WRITE;
	if (!(bits & X86_XD))
		flags |= PTE_EXEC;
	if (bits & X86_A)
		flags |= PTE_ACCESSED;
	if (bits & X86_D)
		flags |= PTE_DIRTY;
	return flags;
}

const struct pte_format pte_x86_64 = {
	.name = "x86_64",
	.table_bits = X86_P | X86_RW | X86_US | X86_A,
	.leaf_bits = X86_P,
	.huge_bits = X86_P | X86_PS,
	.huge_bit = X86_PS,
	.encode = encode,
	.decode = decode,
	.user_bit = X86_US,
	.write_bit = X86_RW,
	.noexec_bit = X86_XD,
};
