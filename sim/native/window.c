// SPDX-License-Identifier: MIT
/*
 * Windows: what of a process's memory appears where among the program's own addresses.
 *
 *	page table          window
 *	| pfn 7 rw |   -->  | RAM file, page 7, rw |
 *	| pfn 8 rw |        | page 8, rw           |  one mapping of the host's for a run
 *	| absent   |        | nothing              |  SIGSEGV, and the kernel decides
 *	| pfn 3 r  |        | page 3, r            |
 *
 * A window is to the page table what a TLB is: it shows nothing that the table does not allow, forgets what it is told
 * to forget, and may forget everything at any time. What it lacks is asked for by a fault, which shows the whole run of
 * pages around it; what is mapped while pages are there is shown at once.
 *
 * Every run that continues no other is one mapping of the host's, which allows 65530 for the whole program and then
 * refuses even malloc's. So windows together keep to half of them: who needs more while all windows have more than
 * that forgets first what it shows, as a full TLB would, and each window is sure of PIECES_MIN, of which one
 * instruction needs four. A window for which that cannot be promised is not made: ENOMEM to who wanted the process.
 * Pieces are counted from above, two for each change, and counted truly when that has come to much.
 *
 * A long run that is hidden is moved to a lot of the machine's, from where whoever shows its frames next takes it: see
 * lot.c.
 *
 * Processes that share their memory share its window: it goes with the last of them.
 *
 * I1  a page is shown only as its page-table entry allows, and only the frame to which the entry leads
 * I2  when invalidate returns nothing of the range is shown, in no thread
 * I3  shown[] says what is shown, and [lo, hi) holds all of it
 *
 * Locking: the notifier lock of the mm for all that a window shows, under which page tables are walked: a node that is
 * unhooked is freed only after an invalidation, which waits for that lock. The registry has a lock of its own, below
 * all.
 * Linux: a TLB; for an emulator's windows, kernel/fork.c has nothing like it.
 */
#include "native/native.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "host/kmem.h"
#include "host/memory.h"
#include "host/window.h"
#include "native/lot.h"
#include "native/server.h"

enum {
	SHOWN = 8, /* beside HOST_SHOW_* */
	SHOWN_RW = SHOWN | HOST_SHOW_READ | HOST_SHOW_WRITE,
	PIECES_MIN = 16,     /* what each window may have, however much others have */
	PIECES_RECOUNT = 512 /* below, to count costs more than to begin anew */
};

#define WINDOW_DEFAULT (UINT64_C(1) << 30)
#define WINDOW_LEAST   (UINT64_C(16) << 20) /* a host that refuses this has no room */
#define MAPPINGS_SPARE 4096                 /* of the host's limit, for the program itself */

struct native {
	pthread_mutex_t lock;
	LIST_HEAD(, place) places; /* n  that no window has */
	struct lot *lot;           /* c */
};

/* Of all machines: the limit is the host process's. */
static struct {
	pthread_mutex_t lock;
	LIST_HEAD(, window) windows;
	uint64_t nwindows;
	uint64_t pieces; /* a  of all windows and lots */
	uint64_t max;    /* c  after the first boot */
} registry = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* ---- places ---- */

static struct place *place_make(struct ctx *ctx, size_t bytes, bool exactly)
{
	struct place *place = kmem_alloc(ctx, sizeof(*place));

	if (place == NULL)
		return NULL;
	place->wanted = bytes;
	for (;;) {
		place->host = host_window_reserve(bytes, MM_MAX);
		if (place->host != NULL || exactly || bytes <= WINDOW_LEAST)
			break;
		bytes = MAX(bytes / 2 & PAGE_MASK, WINDOW_LEAST);
	}
	place->bytes = bytes;
	place->shown = place->host != NULL ? host_reserve(bytes >> PAGE_SHIFT) : NULL;
	place->frames = place->shown != NULL ? host_reserve((bytes >> PAGE_SHIFT) * sizeof(*place->frames)) : NULL;
	if (place->frames != NULL)
		return place;
	host_release(place->shown, bytes >> PAGE_SHIFT);
	if (place->host != NULL)
		host_window_release(place->host, bytes);
	kmem_free(ctx->env, place, sizeof(*place));
	return NULL;
}

static void place_free(struct env *env, struct place *place)
{
	host_window_release(place->host, place->bytes);
	host_release(place->shown, place->bytes >> PAGE_SHIFT);
	host_release(place->frames, (place->bytes >> PAGE_SHIFT) * sizeof(*place->frames));
	kmem_free(env, place, sizeof(*place));
}

/* One that is as large as wanted, or, if that need not be exactly so, as the host allows. NULL: none. */
static struct place *place_take(struct ctx *ctx, struct native *native, size_t bytes, bool exactly)
{
	struct place *place;

	pthread_mutex_lock(&native->lock);
	LIST_FOREACH(place, &native->places, link)
		if ((exactly ? place->bytes : place->wanted) == bytes)
			break;
	if (place != NULL)
		LIST_REMOVE(place, link);
	pthread_mutex_unlock(&native->lock);
	return place != NULL ? place : place_make(ctx, bytes, exactly);
}

static void place_give(struct native *native, struct place *place)
{
	pthread_mutex_lock(&native->lock);
	LIST_INSERT_HEAD(&native->places, place, link);
	pthread_mutex_unlock(&native->lock);
}

/* ---- showing and hiding; the notifier lock is held ---- */

static void count_pieces(struct window *w, uint64_t now)
{
	__atomic_fetch_add(&registry.pieces, now - w->pieces, __ATOMIC_RELAXED);
	__atomic_store_n(&w->pieces, now, __ATOMIC_RELAXED);
}

static void set_shown(struct window *w, size_t page, size_t n, unsigned how)
{
	for (size_t i = page; i < page + n; i++)
		__atomic_store_n(&w->place->shown[i], (uint8_t)how, __ATOMIC_RELAXED);
}

/* Long runs are not thrown away. */
static void park_runs(struct window *w, size_t page, size_t n)
{
	const struct native *native = w->machine->native;
	const uint32_t *frames = w->place->frames;
	const uint8_t *shown = w->place->shown;
	size_t run;

	for (size_t i = page; i < page + n; i += run) {
		for (run = 1; i + run < page + n && shown[i + run] == shown[i] && frames[i + run] == frames[i] + run;
		     run++)
			;
		if (run >= LOT_RUN_MIN && shown[i] == SHOWN_RW)
			lot_park(native->lot, w->place->host + (i << PAGE_SHIFT), run, (pfn_t){ frames[i] });
	}
}

/* Forget everything, which the host does not refuse for the number of mappings: no mapping is cut. */
static void window_clear(struct window *w)
{
	int err = 0;

	if (w->lo < w->hi)
		err = host_window_hide(w->place->host + (w->lo << PAGE_SHIFT), (w->hi - w->lo) << PAGE_SHIFT);
	KSIM_ASSERT(NULL, err == 0, "a window can be emptied", "pages [%zu, %zu): %d", w->lo, w->hi, err);
	set_shown(w, w->lo, w->hi - w->lo, 0);
	w->lo = w->hi = 0;
	count_pieces(w, 0);
}

static void hide(struct window *w, size_t page, size_t n)
{
	int err;

	park_runs(w, page, n);
	err = host_window_hide(w->place->host + (page << PAGE_SHIFT), n << PAGE_SHIFT);
	if (err < 0) {
		window_clear(w);
		return;
	}
	set_shown(w, page, n, 0);
	if (page == w->lo)
		w->lo += n;
	if (page + n == w->hi)
		w->hi = page;
	if (w->lo >= w->hi) {
		w->lo = w->hi = 0;
		count_pieces(w, 0);
	} else {
		count_pieces(w, w->pieces + 2);
	}
}

/* See that two more mappings are no more than there may be. */
static void make_room(struct window *w)
{
	uint64_t limit = registry.max / 2;

	if (likely(__atomic_load_n(&registry.pieces, __ATOMIC_RELAXED) + 2 <= limit) || w->pieces + 2 <= PIECES_MIN)
		return;
	if (w->pieces >= PIECES_RECOUNT) {
		uint64_t pieces = host_mappings_in(w->place->host, w->place->bytes);

		if (pieces > 0 && pieces < w->pieces)
			count_pieces(w, pieces);
		if (__atomic_load_n(&registry.pieces, __ATOMIC_RELAXED) < limit / 4 * 3)
			return;
	}
	window_clear(w);
}

static void show(struct window *w, size_t page, size_t n, pfn_t pfn, unsigned how)
{
	const struct phys *phys = w->machine->kernel->env.phys;
	const struct native *native = w->machine->native;
	char *at = w->place->host + (page << PAGE_SHIFT);
	int err = 0;

	make_room(w);
	if (n < LOT_RUN_MIN || how != SHOWN_RW || !lot_take(native->lot, at, n, pfn))
		err = host_window_show(at, n << PAGE_SHIFT, phys->fd, pfn.n << PAGE_SHIFT, how & ~(unsigned)SHOWN);
	if (err < 0) {
		window_clear(w); /* what it showed of these pages before must go in any case */
		return;
	}
	for (size_t i = 0; i < n; i++)
		w->place->frames[page + i] = (uint32_t)(pfn.n + i);
	set_shown(w, page, n, how);
	count_pieces(w, w->pieces + 2);
	if (w->lo == w->hi)
		w->lo = page;
	w->lo = MIN(w->lo, page);
	w->hi = MAX(w->hi, page + n);
}

/* ---- what mm tells ---- */

static size_t page_in(const struct window *w, ksim_addr addr)
{
	return (addr - w->user.user) >> PAGE_SHIFT;
}

static void invalidate(struct ctx *ctx, struct mmu_notifier *notifier, ksim_addr start, ksim_addr end, bool nodes)
{
	struct window *w = container_of(notifier, struct window, notifier);
	const uint8_t *shown = w->place->shown;
	ksim_addr user = w->user.user;
	size_t from, to;

	(void)ctx;
	if (nodes || end <= user)
		return;
	from = MAX(start > user ? page_in(w, start) : 0, w->lo);
	to = MIN(page_in(w, end), w->hi);
	while (from < to && shown[from] == 0)
		from++;
	while (from < to && shown[to - 1] == 0)
		to--;
	if (from < to)
		hide(w, from, to - from);
}

/* How an entry's page is to be shown; 0: not at all. */
static unsigned how_of(const struct pte_format *format, pte_t pte)
{
	unsigned flags = pte_present(pte) ? pte_flags(format, pte) : 0;
	unsigned how = 0;

	if (flags & PTE_READ)
		how |= SHOWN | HOST_SHOW_READ;
	if (flags & PTE_WRITE)
		how |= SHOWN | HOST_SHOW_WRITE;
	if (flags & PTE_EXEC)
		how |= SHOWN | HOST_SHOW_EXEC;
	return how;
}

static int show_leaf(struct ctx *ctx, struct pgtable *pt, struct pt_slot first, ksim_addr addr, size_t n, void *arg)
{
	struct window *w = arg;
	size_t page = page_in(w, addr);
	size_t i = 0;

	(void)ctx;
	while (i < n) {
		pte_t pte = pte_read(&first.entry[i]);
		unsigned how = how_of(pt->format, pte);
		size_t run = 1;

		if (how != 0 && w->place->shown[page + i] != how) {
			pfn_t pfn = pte_pfn(pte);

			while (i + run < n && w->place->shown[page + i + run] != how) {
				pte = pte_read(&first.entry[i + run]);
				if (pte_pfn(pte).n != pfn.n + run || how_of(pt->format, pte) != how)
					break;
				run++;
			}
			show(w, page + i, run, pfn, how);
		}
		i += run;
	}
	return 0;
}

static int show_huge(struct ctx *ctx, struct pgtable *pt, struct pt_slot slot, ksim_addr addr, size_t n, void *arg)
{
	struct window *w = arg;
	size_t page = page_in(w, addr);
	pte_t pte = pte_read(slot.entry);
	unsigned how;

	if (!pte_present(pte) || !pte_huge(pt->format, pte))
		return pt_for_each_leaf(ctx, pt, addr, addr + n * PAGE_BYTES, show_leaf, w);
	how = how_of(pt->format, pte);
	for (size_t i = 0, run; i < n; i += run) {
		bool shown = w->place->shown[page + i] == how;

		for (run = 1; i + run < n && (w->place->shown[page + i + run] == how) == shown; run++)
			;
		if (how != 0 && !shown)
			show(w, page + i, run, pte_pfn_at(pt->format, pte, addr + i * PAGE_BYTES), how);
	}
	return 0;
}

static const struct pt_visitor shower = { .leaf = show_leaf, .huge = show_huge, .parts = true };

static void filled(struct ctx *ctx, struct mmu_notifier *notifier, ksim_addr start, ksim_addr end)
{
	struct window *w = container_of(notifier, struct window, notifier);
	const struct user_window *user = &w->user;

	start = MAX(start, user->user);
	end = MIN(end, user->user + user->bytes);
	if (start < end)
		pt_visit(ctx, &w->mm->pt, start, end, &shower, w);
}

/* ---- faults ---- */

static bool shows(const struct window *w, ksim_addr addr, enum access access)
{
	unsigned how = __atomic_load_n(&w->place->shown[page_in(w, addr)], __ATOMIC_RELAXED);

	switch (access) {
	case ACCESS_WRITE:
		return how & HOST_SHOW_WRITE;
	case ACCESS_EXEC:
		return how & HOST_SHOW_EXEC;
	default:
		return how & HOST_SHOW_READ;
	}
}

/*
 * Whether a leaf's run may be shown in as many pieces as it has pages. Else it would be cleared while it is shown, and
 * the page that is wanted with it, each time anew.
 */
static bool has_room_for_leaf(void)
{
	return __atomic_load_n(&registry.pieces, __ATOMIC_RELAXED) + UINT64_C(2) * PT_ENTRIES <= registry.max / 2;
}

int window_resolve(struct task *task, ksim_addr addr, enum access access, struct fault *fault)
{
	const struct window *w = process_handle(task->process)->native;
	struct ctx *ctx = &task->ctx;
	ksim_addr span = has_room_for_leaf() ? PT_LEAF_SPAN : PAGE_BYTES;
	ksim_addr start = addr & ~(span - 1);
	int err;

	if (shows(w, addr, access))
		return WINDOW_SHOWED;
	ctx->call = "memory access";
	err = mm_fault(ctx, ctx->mm, addr, access, fault);
	ctx_drain(ctx);
	if (err < 0)
		return err;
	/* What is around it as well, for the price of the one signal; a copied page is shown already. */
	if (!shows(w, addr, access))
		mm_populate(ctx, ctx->mm, start, start + span);
	return shows(w, addr, access) ? 0 : WINDOW_SHOWED;
}

bool window_find(uintptr_t at, struct window *out)
{
	const struct window *w = NULL;

	if (pthread_mutex_trylock(&registry.lock) != 0)
		return false;
	LIST_FOREACH(w, &registry.windows, link)
		if (at - (uintptr_t)w->place->host < w->place->bytes)
			break;
	if (w != NULL)
		*out = *w;
	pthread_mutex_unlock(&registry.lock);
	return w != NULL;
}

/* ---- coming and going ---- */

int native_boot(struct ksim_machine *m)
{
	struct native *native;
	int err = sysconf(_SC_PAGESIZE) == (long)PAGE_BYTES ? server_prepare() : -ENOSYS;

	if (err == 0)
		err = native_catch();
	if (err < 0)
		return err;
	native = calloc(1, sizeof(*native));
	if (native == NULL)
		return -ENOMEM;
	native->lot = lot_create(m->kernel->env.phys->nframes, &registry.pieces);
	if (native->lot == NULL) {
		free(native);
		return -ENOMEM;
	}
	pthread_mutex_init(&native->lock, NULL);
	LIST_INIT(&native->places);
	m->native = native;
	pthread_mutex_lock(&registry.lock);
	if (registry.max == 0)
		registry.max = host_mappings_max();
	pthread_mutex_unlock(&registry.lock);
	return 0;
}

void native_halt(struct ksim_machine *m)
{
	struct native *native = m->native;
	struct place *place;

	while ((place = LIST_FIRST(&native->places)) != NULL) {
		LIST_REMOVE(place, link);
		place_free(&m->kernel->env, place);
	}
	lot_destroy(native->lot);
	pthread_mutex_destroy(&native->lock);
	free(native);
	m->native = NULL;
}

static bool window_get_unless_zero(struct window *w)
{
	uint32_t was = __atomic_load_n(&w->users, __ATOMIC_RELAXED);

	while (was != 0)
		if (__atomic_compare_exchange_n(&w->users, &was, was + 1, true, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			return true;
	return false;
}

/* Whether each window, with one more, can have its least number of mappings. */
static bool registry_join(struct window *w)
{
	bool room;

	pthread_mutex_lock(&registry.lock);
	room = registry.max / 2 + (registry.nwindows + 1) * (PIECES_MIN + 4) + MAPPINGS_SPARE < registry.max;
	if (room) {
		registry.nwindows++;
		LIST_INSERT_HEAD(&registry.windows, w, link);
	}
	pthread_mutex_unlock(&registry.lock);
	return room;
}

static void registry_leave(struct window *w)
{
	pthread_mutex_lock(&registry.lock);
	LIST_REMOVE(w, link);
	registry.nwindows--;
	pthread_mutex_unlock(&registry.lock);
}

/* The window that an address space has already, with a reference; NULL: none. */
static struct window *window_of(struct ctx *ctx, struct mm *mm)
{
	struct mmu_notifier *notifier;
	struct window *found = NULL;

	mm_notifiers_lock(ctx, mm);
	LIST_FOREACH(notifier, &mm->notifiers, link) {
		if (notifier->invalidate != invalidate)
			continue;
		found = container_of(notifier, struct window, notifier);
		break;
	}
	/* One whose last process is ending is no more. */
	if (found != NULL && !window_get_unless_zero(found))
		found = NULL;
	mm_notifiers_unlock(ctx, mm);
	return found;
}

static int window_make(struct ctx *ctx, struct ksim_process *process, struct window **out)
{
	struct mm *mm = process->kernel->mm;
	struct native *native = process->machine->native;
	/* Of a child, or of one who shares memory with nobody any more: its addresses are given. */
	bool forked = mm->eager;
	size_t bytes = forked ? mm->bounds.max - mm->bounds.min : process->machine->config.window_bytes;
	struct window *w = kmem_alloc(ctx, sizeof(*w));

	if (w == NULL)
		return -ENOMEM;
	w->notifier.invalidate = invalidate;
	w->notifier.filled = filled;
	w->users = 1;
	w->process = process;
	w->machine = process->machine;
	w->mm = mm;
	w->place = place_take(ctx, native, bytes != 0 ? bytes : WINDOW_DEFAULT, forked);
	if (w->place == NULL)
		goto undo_window;
	if (!registry_join(w))
		goto undo_place;
	if (!forked)
		mm_confine(mm, (uintptr_t)w->place->host, (uintptr_t)w->place->host + w->place->bytes);
	w->user = (struct user_window){
		.host = (uintptr_t)w->place->host,
		.bytes = w->place->bytes,
		.user = mm->bounds.min,
	};
	mm_notifier_add(ctx, mm, &w->notifier);
	*out = w;
	return 0;

undo_place:
	place_give(native, w->place);
undo_window:
	kmem_free(ctx->env, w, sizeof(*w));
	return -ENOMEM;
}

int native_process_born(struct ctx *ctx, struct ksim_process *process)
{
	struct process *p = process->kernel;
	struct window *w = p->mm->eager ? window_of(ctx, p->mm) : NULL;
	int err = w == NULL ? window_make(ctx, process, &w) : 0;

	if (err < 0)
		return err;
	p->window = w->user;
	process->native = w;
	return 0;
}

void native_process_kicked(struct ctx *ctx, struct ksim_process *process)
{
	struct window *w = process->native;

	mm_notifiers_lock(ctx, w->mm);
	window_clear(w);
	mm_notifiers_unlock(ctx, w->mm);
}

void native_process_gone(struct ctx *ctx, struct ksim_process *process)
{
	struct window *w = process->native;

	process->native = NULL;
	if (__atomic_sub_fetch(&w->users, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	mm_notifier_remove(ctx, w->mm, &w->notifier);
	window_clear(w);
	registry_leave(w);
	place_give(w->machine->native, w->place);
	kmem_free(ctx->env, w, sizeof(*w));
}
