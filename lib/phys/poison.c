// SPDX-License-Identifier: MIT
/*
 * The content of frames that nobody holds.
 *
 * A frame that was never used holds the host's zeros. A freed one is out of bounds by as many means as there are:
 *   - a pattern, when the machine asks for it: a load sees it, and a store is found when the frame is used again;
 *   - the address sanitizer is told; by weak references, so that this library, built without it, poisons in a
 *     program that is built with it;
 *   - memcheck is told, by client requests, which cost a few instructions where valgrind does not run;
 *   - the thread sanitizer sees the memset that fills or zeroes the frame, and so an access by somebody who still
 *     has a stale translation as a race with it. So these must stay ordinary memsets.
 *
 * Without the pattern a frame that is given back as zeros is handed out again as it is: a page-table node is empty when
 * it goes, and most frames that a small mapping takes and gives are nodes.
 *
 * I1  a frame below virgin with `recycled` set that is free holds the pattern (if phys->poison)
 * I2  a free frame with `recycled` clear, or with `zeros` set, holds zeros
 *
 * Locking: none. The caller is the only one who knows the frame: it has dropped the last reference but not yet given
 * the frame back, or has taken it but not yet handed it out.
 * Linux: mm/page_poison.c, mm/kasan. Not modelled: redzones.
 */
#include "phys/poison.h"

#include <string.h>
#if defined(HAVE_VALGRIND)
#include <valgrind/memcheck.h>
#else
#define VALGRIND_MAKE_MEM_NOACCESS(start, len)  ((void)0)
#define VALGRIND_MAKE_MEM_UNDEFINED(start, len) ((void)0)
#define VALGRIND_MAKE_MEM_DEFINED(start, len)   ((void)0)
#endif

__attribute__((weak)) void __asan_poison_memory_region(void const volatile *start, size_t len);
__attribute__((weak)) void __asan_unpoison_memory_region(void const volatile *start, size_t len);

static void verify(struct ctx *ctx, const struct phys *phys, pfn_t pfn)
{
	const uint64_t pattern = FRAME_POISON * UINT64_C(0x0101010101010101);
	const uint64_t *words = frame_ptr(phys, pfn);
	uint64_t wrong = 0;

	for (size_t i = 0; i < PAGE_BYTES / sizeof(*words); i++)
		wrong |= words[i] ^ pattern;
	if (likely(wrong == 0))
		return;
	for (size_t at = 0; at < PAGE_BYTES; at++) {
		uint8_t byte = ((const uint8_t *)words)[at];

		KSIM_ASSERT(ctx, byte == FRAME_POISON, "a freed frame is not written", "pfn %#llx, offset %#zx: %#x",
		            (unsigned long long)pfn.n, at, byte);
	}
}

void poison_frame(const struct phys *phys, pfn_t pfn)
{
	void *page = frame_ptr(phys, pfn);

	if (phys->poison)
		memset(page, FRAME_POISON, PAGE_BYTES);
	if (__asan_poison_memory_region != NULL)
		__asan_poison_memory_region(page, PAGE_BYTES);
	VALGRIND_MAKE_MEM_NOACCESS(page, PAGE_BYTES);
}

void poison_lift(struct ctx *ctx, const struct phys *phys, pfn_t pfn, unsigned flags)
{
	struct frame *frame = frame_of(phys, pfn);
	bool recycled = frame->recycled, zeros = frame->zeros;
	void *page = frame_ptr(phys, pfn);

	__atomic_store_n(&frame->dirty, false, __ATOMIC_RELAXED); /* in the place of zeros */
	if (recycled) {
		if (__asan_unpoison_memory_region != NULL)
			__asan_unpoison_memory_region(page, PAGE_BYTES);
		VALGRIND_MAKE_MEM_DEFINED(page, PAGE_BYTES);
		if (phys->poison)
			verify(ctx, phys, pfn);
	}
	if (flags & FRAME_ZERO) {
		if (recycled && !zeros)
			memset(page, 0, PAGE_BYTES);
		return;
	}
	if (phys->poison && !recycled)
		memset(page, FRAME_POISON, PAGE_BYTES);
	VALGRIND_MAKE_MEM_UNDEFINED(page, PAGE_BYTES);
}

void poison_forget(const struct phys *phys)
{
	if (__asan_unpoison_memory_region != NULL)
		__asan_unpoison_memory_region(phys->ram, phys->virgin << PAGE_SHIFT);
}
