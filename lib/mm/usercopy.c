// SPDX-License-Identifier: MIT
/*
 * The kernel's own access to user memory, page by page: the only way by which a system call reads or writes it.
 *
 * A page is found by a walk under the map lock, its frame is referenced under the leaf lock, and the bytes move
 * with no lock held, so a copy never delays a fault, and an unmapping meanwhile only makes the copy land in a
 * frame that nobody else can get before the reference goes.
 *
 * I1  a page is touched only if its entry allows the access to the user; a fault in between raises no signal
 *
 * Linux: copy_from_user, copy_to_user.
 */
#include "mm/vma.h"

#include "base/rawcopy.h"

#include <errno.h>
#include <string.h>

/* The frame behind a page, with a reference, if its entry allows the access. Marks the entry as used. */
static bool grab(struct ctx *ctx, struct mm *mm, ksim_addr addr, enum access access, pfn_t *pfn)
{
	const struct pte_format *format = mm->pt.format;
	unsigned need = access == ACCESS_WRITE ? PTE_WRITE : PTE_READ;
	unsigned mark = access == ACCESS_WRITE ? PTE_ACCESSED | PTE_DIRTY : PTE_ACCESSED;
	struct pt_slot slot;
	bool found = false;

	map_read_lock(ctx, mm);
	if (pt_find(&mm->pt, addr, &slot)) {
		pt_lock(ctx, &slot);
		for (pte_t was = pte_read(slot.entry); pte_present(was); was = pte_read(slot.entry)) {
			unsigned flags = pte_flags(format, was);

			if (!(flags & need))
				break;
			if ((flags & mark) == mark ||
			    pte_compare_exchange(slot.entry, was, pte_make(format, pte_pfn(was), flags | mark))) {
				*pfn = pte_pfn(was);
				frame_get(mm->pt.phys, *pfn);
				found = true;
				break;
			}
		}
		pt_unlock(ctx, &slot);
	}
	map_read_unlock(ctx, mm);
	return found;
}

static size_t mm_copy(struct ctx *ctx, ksim_addr addr, void *host, size_t n, bool to_user)
{
	enum access access = to_user ? ACCESS_WRITE : ACCESS_READ;
	struct mm *mm = ctx->mm;
	size_t done = 0;

	while (done < n && addr < PT_SPAN) {
		size_t offset = addr & (PAGE_BYTES - 1);
		size_t chunk = MIN(n - done, PAGE_BYTES - offset);
		struct fault fault;
		pfn_t pfn;
		char *page;

		while (!grab(ctx, mm, addr, access, &pfn))
			if (mm_fault(ctx, mm, addr, access, &fault) < 0)
				return done;
		page = (char *)frame_ptr(mm->pt.phys, pfn) + offset;
		if (to_user)
			raw_copy(page, (char *)host + done, chunk);
		else
			raw_copy((char *)host + done, page, chunk);
		frame_put(ctx, pfn);
		done += chunk;
		addr += chunk;
	}
	return done;
}

const struct user_ops mm_user_ops = {.copy = mm_copy};
