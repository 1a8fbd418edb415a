// SPDX-License-Identifier: MIT
/*
 * The kernel's own access to user memory, page by page: the only way by which a system call reads or writes it.
 *
 * A page is found by a walk, its frame is referenced under the leaf lock, and the bytes move with the map lock held
 * shared, page by page. So faults go on, and a truncation does; a copy that it overtakes lands in a frame which nobody
 * else can get before the reference goes. But nobody unmaps, protects or forks in the middle of a page: what fork made
 * common to parent and child is never written through an entry that was looked at before.
 *
 * I1  a page is touched only if its entry allows the access to the user; a fault in between raises no signal
 *
 * Locking: map shared over each page; the host buffer must not need it. Linux: copy_from_user, copy_to_user.
 */
#include "mm/vma.h"

#include "base/rawcopy.h"

/* The frame behind a page, with a reference, if its entry allows the access; marks the entry as used. Map lock held. */
static bool grab(struct ctx *ctx, struct mm *mm, ksim_addr addr, enum access access, pfn_t *pfn)
{
	const struct pte_format *format = mm->pt.format;
	unsigned need = access == ACCESS_WRITE ? PTE_WRITE : PTE_READ;
	unsigned mark = access == ACCESS_WRITE ? PTE_ACCESSED | PTE_DIRTY : PTE_ACCESSED;
	struct pt_slot slot;
	bool found = false;
	pte_t was;

	if (!pt_lock_entry(ctx, &mm->pt, addr, &slot, &was))
		return false;
	for (; pte_present(was); was = pte_read(slot.entry)) {
		unsigned flags = pte_flags(format, was);

		if (!(flags & need))
			break;
		if ((flags & mark) == mark ||
		    pte_compare_exchange(slot.entry, was, pte_with_flags(format, was, flags | mark))) {
			*pfn = pte_pfn_at(format, was, addr);
			frame_get(mm->pt.phys, *pfn);
			found = true;
			break;
		}
	}
	pt_unlock(ctx, &slot);
	return found;
}

/* Copy bytes of one page. false: they cannot be accessed. */
static bool copy_in_page(struct ctx *ctx, struct mm *mm, ksim_addr addr, void *host, size_t n, bool to_user)
{
	enum access access = to_user ? ACCESS_WRITE : ACCESS_READ;
	struct fault fault;
	pfn_t pfn;
	char *user;

	for (;;) {
		map_read_lock(ctx, mm);
		if (grab(ctx, mm, addr, access, &pfn))
			break;
		map_read_unlock(ctx, mm);
		if (mm_fault(ctx, mm, addr, access, &fault) < 0)
			return false;
	}
	user = (char *)frame_ptr(mm->pt.phys, pfn) + (addr & ~PAGE_MASK);
	raw_copy(to_user ? user : host, to_user ? host : user, n);
	map_read_unlock(ctx, mm);
	frame_put(ctx, pfn);
	return true;
}

static size_t mm_copy(struct ctx *ctx, ksim_addr addr, void *host, size_t n, bool to_user)
{
	size_t done = 0;

	while (done < n && addr < PT_SPAN) {
		size_t chunk = MIN(n - done, PAGE_BYTES - (addr & ~PAGE_MASK));

		if (!copy_in_page(ctx, ctx->mm, addr, (char *)host + done, chunk, to_user))
			break;
		done += chunk;
		addr += chunk;
	}
	return done;
}

/* Whether the VMA itself allows the access, where a CPU need not ask: what may be written may be read there. */
static bool vma_permits(struct ctx *ctx, struct mm *mm, ksim_addr addr, bool to_user)
{
	const struct vma *vma;
	bool permits;

	map_read_lock(ctx, mm);
	vma = ranges_find(&mm->vmas, addr);
	permits = vma != NULL && vma->prot & (to_user ? PROT_W : PROT_R);
	map_read_unlock(ctx, mm);
	return permits;
}

size_t mm_copy_remote(struct ctx *ctx, struct mm *mm, ksim_addr addr, void *host, size_t n, bool to_user)
{
	size_t done = 0;

	while (done < n && addr < PT_SPAN) {
		size_t chunk = MIN(n - done, PAGE_BYTES - (addr & ~PAGE_MASK));

		if (!vma_permits(ctx, mm, addr, to_user) ||
		    !copy_in_page(ctx, mm, addr, (char *)host + done, chunk, to_user))
			break;
		done += chunk;
		addr += chunk;
	}
	return done;
}

const struct user_ops mm_user_ops = { .copy = mm_copy };
