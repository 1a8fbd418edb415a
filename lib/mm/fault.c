// SPDX-License-Identifier: MIT
/*
 * Page faults: making the page table allow an access, or saying why not.
 *
 *   no VMA ............................ SIGSEGV SEGV_MAPERR, unless a stack above can reach down there (grow.c)
 *   the VMA forbids it ................ SIGSEGV SEGV_ACCERR
 *   a guard stands there .............. SIGSEGV SEGV_MAPERR
 *   the page lies past the file's end . SIGBUS  BUS_ADRERR
 *   no memory for a promised page ..... SIGKILL, as Linux's OOM killer would, also for the limit of a memory group
 *   no huge page left in the pool ..... SIGBUS  BUS_ADRERR
 *   entry absent, shared .............. the object's frame
 *   entry absent, private file ........ read: the object's frame, read-only; write: a copy of it
 *   entry absent, private anonymous ... read: the frame of zeros, read-only; write: a fresh frame
 *   entry busy ........................ wait for who replaces the page, and look again
 *   entry forbids a write, shared ..... allow it
 *   entry forbids a write, private .... reuse the frame if it is the mapping's alone, else copy
 *
 * Everything is decided on a snapshot of the entry without the leaf lock; frames are allocated and filled
 * meanwhile; under the lock the snapshot is compared, and any change starts the fault again. First touches of private
 * anonymous memory, which depend on nothing but the entry, do without the lock: two tasks that fill pages of one leaf
 * would hand it to and fro.
 *
 * I1  under the leaf lock, before an entry is set from an object, the object's sequence is what it was before
 *     its size was read: so no page that a truncation removed is mapped after that truncation has zapped
 * I2  a private frame is reused in place only if its one reference is this entry's, seen under the leaf lock under
 *     which the entry is changed
 * I3  a copied page is replaced by PTE_BUSY, invalidate, set, all under the leaf lock: no task of the process
 *     still reads the old frame when another writes the new one; who is told of the copy instead (notifier.h) exchanges
 *     the one for the other at a stroke, before anybody can write the new one
 * I4  an entry of anonymous memory that is PTE_NONE may be set at any time while the map lock is held shared; so it is
 *     PTE_NONE only where nothing is mapped, never for a moment between two pages
 *
 * Locking: map shared; the object's locks inside object_page only; then the leaf lock.
 * Linux: mm/memory.c (handle_mm_fault). Pages of 2 MiB: huge.c, hugetlb.c. Not modelled: NUMA, fault-around.
 */
#include "mm/vma.h"

#include "base/event.h"
#include "phys/group.h"

#include <errno.h>
#include <signal.h>

enum {
	RETRY = 1, /* fault again: the entry or the object has changed meanwhile */
	COPY,      /* the frame must not be written through this entry: replace it by a copy */
	GROW,      /* nothing is mapped there, but a stack may reach there when it has grown */
};

struct attempt {
	struct mm *mm;
	struct vma *vma;
	struct pt_slot slot;
	pte_t was; /* the entry as it was looked at */
	uint64_t pgidx;
	uint64_t seq;       /* of the object, from before its size was read */
	const char *wanted; /* what was being allocated, should it fail */
	/* What is told of it, should it succeed. */
	enum event_kind kind;
	pfn_t pfn;    /* mapped */
	pfn_t copied; /* from which it was copied */
};

static int fault_is(struct fault *fault, int signo, int code, ksim_addr addr)
{
	*fault = (struct fault){ .signo = signo, .code = code, .addr = addr };
	return -EFAULT;
}

static bool vma_allows(const struct vma *vma, enum access access)
{
	switch (access) {
	case ACCESS_WRITE:
		return vma->prot & PROT_W;
	case ACCESS_EXEC:
		return vma->prot & PROT_X;
	default:
		return vma->prot != 0;
	}
}

/* What the entry must allow. */
static unsigned flags_for(enum access access)
{
	return access == ACCESS_WRITE ? PTE_WRITE : access == ACCESS_EXEC ? PTE_EXEC : PTE_READ;
}

/* Whether what was found still holds. Leaf lock held. */
static bool unchanged(const struct attempt *a)
{
	return pte_read(a->slot.entry).bits == a->was.bits && vma_object_is_at(a->vma, a->seq);
}

/* Whether the entry's frame is this mapping's alone. Leaf lock held, nothing changed. */
static bool owns_frame(const struct attempt *a)
{
	const struct phys *phys = a->mm->pt.phys;
	pfn_t pfn = pte_pfn(a->was);

	return frame_of(phys, pfn)->use == FRAME_ANON && frame_refs(phys, pfn) == 1;
}

/* Set the empty entry of private anonymous memory to a frame, taking over the caller's reference; see I4. */
static int install_anon(struct ctx *ctx, struct attempt *a, pfn_t pfn, bool own_page)
{
	const struct pgtable *pt = &a->mm->pt;
	uint32_t *mappers = &frame_of(pt->phys, pfn)->mappers;

	if (own_page)
		__atomic_store_n(mappers, 1, __ATOMIC_RELAXED); /* nobody else has seen the frame */
	else
		__atomic_fetch_add(mappers, 1, __ATOMIC_RELAXED);
	if (pte_compare_exchange(a->slot.entry, PTE_NONE, pte_make(pt->format, pfn, vma_pte_flags(a->vma, own_page))))
		return 0;
	__atomic_fetch_sub(mappers, 1, __ATOMIC_RELAXED);
	frame_put(ctx, pfn);
	return RETRY;
}

/* Set the empty entry to a page of the object's or a copy of one, taking over the caller's reference. */
static int install(struct ctx *ctx, struct attempt *a, pfn_t pfn, bool own_page)
{
	struct pgtable *pt = &a->mm->pt;

	pt_lock(ctx, &a->slot);
	if (!unchanged(a)) {
		pt_unlock(ctx, &a->slot);
		frame_put(ctx, pfn);
		return RETRY;
	}
	__atomic_fetch_add(&frame_of(pt->phys, pfn)->mappers, 1, __ATOMIC_RELAXED);
	pte_exchange(a->slot.entry, pte_make(pt->format, pfn, vma_pte_flags(a->vma, own_page)));
	pt_unlock(ctx, &a->slot);
	return 0;
}

/* Replace the present entry by a frame with the same content, taking over the caller's reference. */
static int replace(struct ctx *ctx, struct attempt *a, pfn_t fresh)
{
	struct pgtable *pt = &a->mm->pt;
	ksim_addr addr = a->vma->start + ((a->pgidx - a->vma->pgidx) << PAGE_SHIFT);
	pfn_t old = pte_pfn(a->was);

	pt_lock(ctx, &a->slot);
	if (!unchanged(a)) {
		pt_unlock(ctx, &a->slot);
		frame_put(ctx, fresh);
		return RETRY;
	}
	pte_exchange(a->slot.entry, PTE_BUSY);
	mm_invalidate_for_copy(ctx, a->mm, addr, addr + PAGE_BYTES);
	if (old.n != ctx->env->zero_pfn)
		frame_copy(pt->phys, fresh, old);
	__atomic_fetch_add(&frame_of(pt->phys, fresh)->mappers, 1, __ATOMIC_RELAXED);
	pte_exchange(a->slot.entry, pte_make(pt->format, fresh, vma_pte_flags(a->vma, true)));
	mm_filled(ctx, a->mm, addr, addr + PAGE_BYTES);
	pt_unlock(ctx, &a->slot);
	__atomic_fetch_sub(&frame_of(pt->phys, old)->mappers, 1, __ATOMIC_RELAXED);
	frame_put(ctx, old);
	return 0;
}

/* Allow in the entry what the VMA allows, the frame staying. RETRY also if the accessed or dirty bit came between. */
static int upgrade(struct ctx *ctx, struct attempt *a, unsigned need)
{
	const struct pte_format *format = a->mm->pt.format;
	int err = RETRY;

	pt_lock(ctx, &a->slot);
	if (unchanged(a)) {
		unsigned flags = vma_pte_flags(a->vma, owns_frame(a));
		unsigned marks = pte_flags(format, a->was) & (PTE_ACCESSED | PTE_DIRTY);

		if (!(flags & need))
			err = COPY;
		else if (pte_compare_exchange(a->slot.entry, a->was, pte_make(format, pte_pfn(a->was), flags | marks)))
			err = 0;
		if (err == 0 && need == PTE_WRITE && a->vma->shared)
			frame_set_dirty(frame_of(a->mm->pt.phys, pte_pfn(a->was)));
	}
	pt_unlock(ctx, &a->slot);
	return err;
}

static int fault_anon(struct ctx *ctx, struct attempt *a, enum access access)
{
	pfn_t pfn = { ctx->env->zero_pfn };

	a->pfn = pfn;
	if (access != ACCESS_WRITE) {
		a->kind = EVENT_FAULT_ZERO;
		frame_get(a->mm->pt.phys, pfn);
		return install_anon(ctx, a, pfn, false);
	}
	a->kind = EVENT_FAULT_ANON;
	a->wanted = "a private page";
	vma_anon_prepare(a->vma);
	if (frame_alloc(ctx, FRAME_ANON, FRAME_ZERO, &pfn) < 0)
		return -ENOMEM;
	a->pfn = pfn;
	return install_anon(ctx, a, pfn, true);
}

static int fault_object(struct ctx *ctx, struct attempt *a, enum access access)
{
	pfn_t page, copy;
	int err;

	a->wanted = "a page of a file";
	err = object_page(ctx, a->vma->object, a->pgidx, true, &page);
	if (err == -ENXIO)
		return RETRY; /* truncated since its size was read */
	if (err < 0)
		return err;
	a->pfn = page;
	a->kind = EVENT_FAULT_FILE;
	if (a->vma->shared && (access == ACCESS_WRITE || vma_pte_flags(a->vma, false) & PTE_DIRTY))
		frame_set_dirty(frame_of(a->mm->pt.phys, page));
	if (a->vma->shared || access != ACCESS_WRITE)
		return install(ctx, a, page, false);
	a->wanted = "a private copy of a file's page";
	a->kind = EVENT_FAULT_COPY;
	a->copied = page;
	vma_anon_prepare(a->vma);
	err = frame_alloc(ctx, FRAME_ANON, 0, &copy);
	if (err == 0)
		frame_copy(a->mm->pt.phys, copy, page);
	frame_put(ctx, page);
	if (err < 0)
		return err;
	a->pfn = copy;
	return install(ctx, a, copy, true);
}

static int fault_present(struct ctx *ctx, struct attempt *a, unsigned need)
{
	int err = upgrade(ctx, a, need);
	bool zero;

	a->pfn = pte_pfn(a->was);
	a->kind = EVENT_FAULT_REUSE;
	if (err != COPY)
		return err;
	a->wanted = "a private copy of a page";
	vma_anon_prepare(a->vma);
	a->copied = pte_pfn(a->was);
	zero = a->copied.n == ctx->env->zero_pfn;
	a->kind = zero ? EVENT_FAULT_ANON : EVENT_FAULT_COPY;
	err = frame_alloc(ctx, FRAME_ANON, zero ? FRAME_ZERO : 0, &a->pfn);
	return err < 0 ? err : replace(ctx, a, a->pfn);
}

/* A page of 2 MiB. HUGE_NOT: it is to be one of 4 KiB */
static int fault_huge(struct ctx *ctx, struct attempt *a, ksim_addr addr, enum access access, struct fault *fault)
{
	struct huge_fault huge = { .kind = EVENT_FAULT_OTHER };
	int err;

	a->wanted = "a page-table node";
	if (unlikely(a->vma->flags & VMA_HUGETLB))
		err = mm_hugetlb_fault(ctx, a->vma, addr, access, a->seq, &huge);
	else
		err = mm_huge_fault(ctx, a->vma, addr, access, a->seq, &huge);
	a->kind = huge.kind;
	a->pfn = huge.pfn;
	a->copied = huge.copied;
	if (err == -EFAULT)
		return fault_is(fault, SIGBUS, BUS_ADRERR, addr);
	return err;
}

/* Until who replaces the page is done. */
static int await(struct ctx *ctx, struct attempt *a)
{
	pt_lock(ctx, &a->slot);
	pt_unlock(ctx, &a->slot);
	return RETRY;
}

/* One attempt with the map held shared. */
static int fault_once(struct ctx *ctx, struct attempt *a, ksim_addr addr, enum access access, struct fault *fault)
{
	unsigned need = flags_for(access);

	a->vma = ranges_find(&a->mm->vmas, addr);
	if (a->vma == NULL)
		return a->mm->stack_pages > 0 ? GROW : fault_is(fault, SIGSEGV, SEGV_MAPERR, addr);
	if (!vma_allows(a->vma, access))
		return fault_is(fault, SIGSEGV, SEGV_ACCERR, addr);
	if (unlikely(a->vma->flags & VMA_GUARD) && mm_is_guard(a->mm, addr))
		return fault_is(fault, SIGSEGV, SEGV_MAPERR, addr);
	a->pgidx = vma_pgidx(a->vma, addr);
	if (a->vma->object != NULL) {
		a->seq = object_seq(a->vma->object);
		if (vma_pages_in_file(a->vma, addr, 1) == 0 && likely(!(a->vma->flags & VMA_HUGETLB)))
			return fault_is(fault, SIGBUS, BUS_ADRERR, addr);
	}
	if (vma_huge_fits(a->vma, addr)) {
		int err = fault_huge(ctx, a, addr, access, fault);

		if (err != HUGE_NOT)
			return err == HUGE_RETRY ? RETRY : err;
	}
	a->wanted = "a page-table node";
	if (pt_ensure(ctx, &a->mm->pt, addr, &a->slot) < 0)
		return -ENOMEM;
	a->was = pte_read(a->slot.entry);
	if (unlikely(pte_is_busy(a->was)))
		return await(ctx, a);
	if (!pte_present(a->was))
		return a->vma->object != NULL ? fault_object(ctx, a, access) : fault_anon(ctx, a, access);
	if (pte_flags(a->mm->pt.format, a->was) & need) {
		a->kind = EVENT_FAULT_OTHER;
		a->pfn = PFN_NONE;
		return 0;
	}
	return fault_present(ctx, a, need);
}

static void tell_fault(struct ctx *ctx, const struct attempt *a, int err, ksim_addr addr, enum access access,
                       const struct fault *fault)
{
	enum event_kind kind = a->kind;
	bool copied = err == 0 && kind == EVENT_FAULT_COPY;

	if (unlikely(err < 0))
		kind = err == -ENOMEM ? EVENT_FAULT_OOM : fault->signo == SIGBUS ? EVENT_FAULT_BUS : EVENT_FAULT_SEGV;
	EVENT(ctx, kind, .addr = addr, .write = access == ACCESS_WRITE, .pfn = err == 0 ? a->pfn.n : 0,
	      .copied = copied ? a->copied.n : 0);
}

/* There is no memory for the page: of the machine's, or by the limit of a group. */
static void fault_is_kill(struct ctx *ctx, const struct attempt *a, ksim_addr addr, struct fault *fault)
{
	struct group_look group;

	*fault = (struct fault){ .signo = SIGKILL, .addr = addr, .why = a->wanted };
	if (group_look(ctx->env->phys, ctx->refused, &group)) {
		fault->limited = true;
		fault->limit = group.limit << PAGE_SHIFT;
	}
}

int mm_fault(struct ctx *ctx, struct mm *mm, ksim_addr addr, enum access access, struct fault *fault)
{
	struct attempt attempt = { .mm = mm };
	int err;

	ctx->refused = GROUP_NONE;
	do {
		map_read_lock(ctx, mm);
		err = addr < PT_SPAN ? fault_once(ctx, &attempt, addr, access, fault)
		                     : fault_is(fault, SIGSEGV, SEGV_MAPERR, addr);
		map_read_unlock(ctx, mm);
		if (err == GROW)
			err = mm_grow_down(ctx, mm, addr) == 0 ? RETRY : fault_is(fault, SIGSEGV, SEGV_MAPERR, addr);
	} while (err == RETRY);
	tell_fault(ctx, &attempt, err, addr, access, fault);
	if (err == -ENOMEM)
		fault_is_kill(ctx, &attempt, addr, fault);
	return err;
}
