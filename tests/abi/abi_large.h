/* SPDX-License-Identifier: MIT */
/*
 * What tests of large pages share: a range that they fit, and marks in its pages.
 */
#ifndef ABI_LARGE_H
#define ABI_LARGE_H

#include "abi.h"

enum { RW = PROT_READ | PROT_WRITE, SPAN = 512, LARGE = SPAN * PAGE, SIZE = 3 * LARGE, NPAGES = SIZE / PAGE };

/** A place for SIZE bytes that is aligned to a large page, inside a reservation of two more. */
struct place {
	addr_t whole, at;
};

static inline struct place place(void)
{
	struct place p = { .whole = x_mmap(0, SIZE + 2 * LARGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		                           -1, 0) };

	SETUP(p.whole != NO_MAPPING);
	p.at = (p.whole + 2 * LARGE - 1) & ~(addr_t)(LARGE - 1);
	return p;
}

static inline void give_back(struct place p)
{
	EXPECT_EQ(x_munmap(p.whole, SIZE + 2 * LARGE), 0);
}

static inline uint8_t mark(unsigned page)
{
	return (uint8_t)(page * 7 + 1);
}

static inline void mark_all(addr_t at)
{
	for (unsigned i = 0; i < NPAGES; i++)
		st8(at + i * PAGE + i, mark(i));
}

/** Of pages [first, end). */
static inline void expect_marks(addr_t at, unsigned first, unsigned end)
{
	unsigned wrong = 0;

	for (unsigned i = first; i < end; i++)
		wrong += ld8(at + i * PAGE + i) != mark(i);
	EXPECT_EQ(wrong, 0);
}

#endif
