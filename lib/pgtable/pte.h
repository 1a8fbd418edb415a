/* SPDX-License-Identifier: MIT */
/*
 * Page-table entries as the simulated architecture encodes them.
 *
 * Common to both and relied on everywhere: bit 0 = present, bits 12 to 47 = frame number, an absent entry is
 * 0, or a guard in a leaf, or, for a moment, busy; a table is 512 entries of 8 bytes, four levels of 9 bits over 12. So
 * a walk needs no architecture but for one bit at the second level, which tells a huge entry, of 2 MiB, from a table;
 * making an entry and reading its permissions does.
 */
#ifndef PGTABLE_PTE_H
#define PGTABLE_PTE_H

#include "phys/phys.h"

typedef struct {
	uint64_t bits;
} pte_t;

#define PTE_NONE     ((pte_t){ 0 })
#define PTE_GUARD    ((pte_t){ 2 }) /* absent, and nothing may come there */
#define PTE_BUSY     ((pte_t){ 4 }) /* absent while who holds the leaf lock replaces it */
#define PTE_PRESENT  UINT64_C(1)
#define PTE_PFN_MASK UINT64_C(0x0000fffffffff000)

/** What a leaf entry says, in words of no architecture. */
enum {
	PTE_READ = 1,  /* user may load */
	PTE_WRITE = 2, /* user may store, if PTE_READ is set too */
	PTE_EXEC = 4,
	PTE_ACCESSED = 8,
	PTE_DIRTY = 16,
};

/** The encoding of one architecture. */
struct pte_format {
	const char *name;    /* "x86_64", "aarch64" */
	uint64_t table_bits; /* of an entry that points to a table, beside its pfn */
	uint64_t leaf_bits;  /* always set in a leaf */
	uint64_t huge_bits;  /* always set in a huge entry, of the second level, in the place of leaf_bits */
	/* A present entry is huge if and only if this bit of it is set (flip 0) or clear (flip the same bit). */
	uint64_t huge_bit, huge_flip;
	/* Encode flags PTE_READ..PTE_DIRTY; the pfn and leaf_bits are added by pte_make. */
	uint64_t (*encode)(unsigned flags);
	unsigned (*decode)(uint64_t bits);
	/* For pte_allows: user_bit and write_bit are set to allow, noexec_bit is set to deny. */
	uint64_t user_bit;
	uint64_t write_bit;
	uint64_t noexec_bit;
};

extern const struct pte_format pte_x86_64;
extern const struct pte_format pte_aarch64;

static inline const struct pte_format *pte_format_of(enum ksim_arch arch)
{
	return arch == KSIM_ARCH_AARCH64 ? &pte_aarch64 : &pte_x86_64;
}

static inline bool pte_present(pte_t pte)
{
	return pte.bits & PTE_PRESENT;
}

static inline bool pte_is_guard(pte_t pte)
{
	return pte.bits == PTE_GUARD.bits;
}

static inline bool pte_is_busy(pte_t pte)
{
	return pte.bits == PTE_BUSY.bits;
}

static inline pfn_t pte_pfn(pte_t pte)
{
	return (pfn_t){ (pte.bits & PTE_PFN_MASK) >> PAGE_SHIFT };
}

static inline pte_t pte_make(const struct pte_format *format, pfn_t pfn, unsigned flags)
{
	return (pte_t){ pfn.n << PAGE_SHIFT | format->leaf_bits | format->encode(flags) };
}

/** An entry of the second level that maps the 2 MiB from pfn on, which is a multiple of HUGE_FRAMES. */
static inline pte_t pte_make_huge(const struct pte_format *format, pfn_t pfn, unsigned flags)
{
	return (pte_t){ pfn.n << PAGE_SHIFT | format->huge_bits | format->encode(flags) };
}

/** Whether a present entry maps 2 MiB; neither a leaf's nor one that points to a table does. */
static inline bool pte_huge(const struct pte_format *format, pte_t pte)
{
	return (pte.bits ^ format->huge_flip) & format->huge_bit;
}

/** The same page, of the same size, with other flags. */
static inline pte_t pte_with_flags(const struct pte_format *format, pte_t was, unsigned flags)
{
	return pte_huge(format, was) ? pte_make_huge(format, pte_pfn(was), flags)
	                             : pte_make(format, pte_pfn(was), flags);
}

/** The frame to which a present entry, huge or not, leads for an address. */
static inline pfn_t pte_pfn_at(const struct pte_format *format, pte_t pte, ksim_addr addr)
{
	uint64_t within = pte_huge(format, pte) ? addr >> PAGE_SHIFT & (HUGE_FRAMES - 1) : 0;

	return (pfn_t){ pte_pfn(pte).n + within };
}

static inline unsigned pte_flags(const struct pte_format *format, pte_t pte)
{
	return format->decode(pte.bits);
}

/** Whether the entry is present and lets a user do all of `access`, some of PTE_READ, PTE_WRITE and PTE_EXEC. */
static inline bool pte_allows(const struct pte_format *format, pte_t pte, unsigned access)
{
	uint64_t must = PTE_PRESENT;
	uint64_t must_not = 0;

	if (access & (PTE_READ | PTE_WRITE))
		must |= format->user_bit;
	if (access & PTE_WRITE)
		must |= format->write_bit;
	if (access & PTE_EXEC)
		must_not |= format->noexec_bit;
	return (pte.bits & (must | must_not)) == must;
}

#endif
