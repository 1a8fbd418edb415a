// SPDX-License-Identifier: MIT
/*
 * What those who keep translations hear, and when: a notifier that looks, inside invalidate, at the entry and at the
 * frame that it led to.
 */
#include "bed.h"

enum { EVENTS = 32 };

struct event {
	ksim_addr start, end;
	bool nodes;
	/* of the watched address, at that moment: */
	bool hit;        /* it lies in the range */
	unsigned flags;  /* what its entry allows; 0 absent */
	pfn_t pfn;       /* where its entry leads */
	uint32_t refs;   /* of the frame that it led to before */
	uint64_t hooked; /* nodes in the page table */
	long allocated;  /* frames that are nodes */
};

struct recorder {
	struct mmu_notifier notifier;
	struct bed *b;
	struct mm *mm;
	ksim_addr watch;
	pfn_t frame; /* behind it at first */
	struct event event[EVENTS];
	unsigned n;
};

static void record(struct ctx *ctx, struct mmu_notifier *notifier, ksim_addr start, ksim_addr end, bool nodes)
{
	struct recorder *r = container_of(notifier, struct recorder, notifier);
	pte_t pte = pt_walk(&r->mm->pt, r->watch);

	EXPECT(lock_held(ctx, RANK_TLB_LIST));
	if (r->n == EVENTS)
		return;
	r->event[r->n++] = (struct event){
		.start = start,
		.end = end,
		.nodes = nodes,
		.hit = start <= r->watch && r->watch < end,
		.flags = pte_present(pte) ? pte_flags(r->mm->pt.format, pte) : 0,
		.pfn = pte_pfn(pte),
		.refs = r->frame.n != 0 ? frame_refs(r->b->env.phys, r->frame) : 0,
		.hooked = r->mm->pt.nodes,
		.allocated = owner_count(&r->b->process, CENSUS_TABLE),
	};
}

/* Listen, and watch the frame behind an address. */
static void listen_at(struct recorder *r, struct bed *b, struct mm *mm, ksim_addr watch)
{
	*r = (struct recorder){ .notifier = { .invalidate = record }, .b = b, .mm = mm, .watch = watch };
	r->frame = frame_at(b, mm, watch);
	mm_notifier_add(&b->ctx, mm, &r->notifier);
}

static void stop(struct recorder *r)
{
	mm_notifier_remove(&r->b->ctx, r->mm, &r->notifier);
}

/* The one event that hit the watched address, nodes apart. */
static const struct event *only_hit(const struct recorder *r)
{
	const struct event *hit = NULL;
	unsigned n = 0;

	for (unsigned i = 0; i < r->n; i++)
		if (r->event[i].hit && !r->event[i].nodes) {
			hit = &r->event[i];
			n++;
		}
	EXPECT_EQ(n, 1);
	SETUP(hit != NULL);
	return hit;
}

static bool is_free(const struct recorder *r)
{
	return frame_of(r->b->env.phys, r->frame)->use == FRAME_FREE;
}

static void unmap_body(struct bed *b)
{
	struct mm *mm = space(b);
	struct recorder r;
	const struct event *nodes;

	mapped(b, mm, anon_at(BASE, 8));
	EXPECT_EQ(st8(b, mm, BASE, 1), 0);
	EXPECT_EQ(st8(b, mm, BASE + 7 * PAGE_BYTES, 1), 0);
	listen_at(&r, b, mm, BASE + 7 * PAGE_BYTES);
	unmapped(b, mm, BASE, 8);
	EXPECT_EQ(only_hit(&r)->flags, 0); /* cleared before */
	EXPECT_EQ(only_hit(&r)->refs, 1);  /* put after */
	EXPECT(is_free(&r));
	nodes = &r.event[r.n - 1];
	EXPECT(nodes->nodes);
	EXPECT_EQ(nodes->hooked, 1);
	EXPECT(nodes->allocated > 1); /* unhooked, not yet free */
	EXPECT(nodes->start <= (BASE & ~(PT_LEAF_SPAN - 1)));
	EXPECT(nodes->end >= (BASE & ~(PT_LEAF_SPAN - 1)) + 2 * PT_LEAF_SPAN);
	EXPECT_EQ(owners_total(&b->env.owners, CENSUS_TABLE), 1);
	stop(&r);
	drop(b, mm);
}

/* DESIGN, decision 2. */
TEST(mm_notifier, munmap_clears_then_invalidates_then_puts_then_frees_nodes)
{
	on_both(unmap_body);
}

static void part_body(struct bed *b)
{
	struct mm *mm = space(b);
	struct recorder r;

	mapped(b, mm, anon_at(BASE, 8));
	EXPECT_EQ(st8(b, mm, BASE + PAGE_BYTES, 1), 0);
	EXPECT_EQ(st8(b, mm, BASE + 2 * PAGE_BYTES, 1), 0);
	listen_at(&r, b, mm, BASE + 2 * PAGE_BYTES);
	unmapped(b, mm, BASE, 1); /* nothing there */
	EXPECT_EQ(r.n, 0);
	unmapped(b, mm, BASE + PAGE_BYTES, 1);
	for (unsigned i = 0; i < r.n; i++)
		EXPECT(!r.event[i].hit && !r.event[i].nodes);
	EXPECT_EQ(ld8(b, mm, BASE + 2 * PAGE_BYTES), 1);
	stop(&r);
	drop(b, mm);
}

TEST(mm_notifier, an_unmap_invalidates_no_more_than_what_was_there)
{
	on_both(part_body);
}

static void truncate_body(struct bed *b)
{
	struct mm *mm = space(b);
	struct object *object = file(b, 2);
	struct recorder shared, own;

	mapped(b, mm, file_at(object, BASE, 2, 0, true));
	mapped(b, mm, file_at(object, BASE + 8 * PAGE_BYTES, 2, 0, false));
	EXPECT_EQ(st8(b, mm, BASE + PAGE_BYTES, 1), 0);
	EXPECT_EQ(st8(b, mm, BASE + 9 * PAGE_BYTES, 2), 0);
	listen_at(&shared, b, mm, BASE + PAGE_BYTES);
	listen_at(&own, b, mm, BASE + 9 * PAGE_BYTES);
	object_resize(&b->ctx, object, PAGE_BYTES);
	EXPECT_EQ(only_hit(&shared)->flags, 0);
	EXPECT_EQ(only_hit(&shared)->refs, 2); /* the entry's, and the object's though its slot is empty */
	EXPECT_EQ(only_hit(&own)->flags, 0);
	EXPECT_EQ(only_hit(&own)->refs, 1);
	EXPECT(is_free(&shared) && is_free(&own));
	for (unsigned i = 0; i < shared.n; i++)
		EXPECT(!shared.event[i].nodes); /* truncation frees none */
	stop(&shared);
	stop(&own);
	drop(b, mm);
	file_drop(b, object);
}

/* DESIGN, decisions 2 to 4. */
TEST(mm_notifier, truncation_invalidates_each_mapping_before_a_frame_goes)
{
	on_both(truncate_body);
}

static void cow_body(struct bed *b)
{
	struct mm *mm = space(b), *child;
	struct recorder r;

	mapped(b, mm, anon_at(BASE, 2));
	EXPECT_EQ(st8(b, mm, BASE, 1), 0);
	listen_at(&r, b, mm, BASE);
	child = forked(b, mm);
	EXPECT(!(only_hit(&r)->flags & PTE_WRITE)); /* protected before */
	EXPECT_EQ(only_hit(&r)->pfn.n, r.frame.n);
	EXPECT_EQ(only_hit(&r)->start, 0);
	EXPECT_EQ(only_hit(&r)->end, PT_SPAN);
	r.n = 0;
	EXPECT_EQ(st8(b, mm, BASE, 2), 0);
	EXPECT_EQ(only_hit(&r)->flags, 0); /* absent while nobody may read the old frame nor write the new one */
	EXPECT_EQ(only_hit(&r)->refs, 2);
	EXPECT_EQ(only_hit(&r)->start, BASE);
	EXPECT_EQ(only_hit(&r)->end, BASE + PAGE_BYTES);
	EXPECT(frame_at(b, mm, BASE).n != r.frame.n);
	r.n = 0;
	drop(b, child);
	EXPECT_EQ(st8(b, mm, BASE, 3), 0);
	EXPECT_EQ(r.n, 0); /* giving a right takes no translation away */
	EXPECT_EQ(ld8(b, mm, BASE + PAGE_BYTES), 0);
	EXPECT_EQ(st8(b, mm, BASE + PAGE_BYTES, 1), 0);
	EXPECT_EQ(r.n, 1); /* the frame of zeros was replaced */
	stop(&r);
	drop(b, mm);
}

TEST(mm_notifier, a_copied_page_is_cleared_invalidated_and_set)
{
	on_both(cow_body);
}

static void fork_untouched_body(struct bed *b)
{
	struct mm *mm = space(b);
	struct recorder r;

	mapped(b, mm, anon_at(BASE, 2));
	EXPECT_EQ(ld8(b, mm, BASE), 0);
	listen_at(&r, b, mm, BASE);
	drop(b, forked(b, mm));
	EXPECT_EQ(r.n, 0);
	stop(&r);
	drop(b, mm);
}

TEST(mm_notifier, a_fork_that_protects_nothing_invalidates_nothing)
{
	on_both(fork_untouched_body);
}

static void failed_fork_body(struct bed *b)
{
	struct mm *mm = space(b), *child;
	struct recorder r;

	mapped(b, mm, anon_at(BASE, 8));
	EXPECT_EQ(st8(b, mm, BASE, 1), 0);
	EXPECT_EQ(st8(b, mm, BASE + 7 * PAGE_BYTES, 1), 0);
	listen_at(&r, b, mm, BASE);
	for (unsigned n = 1; r.n == 0; n++) {
		bed_fail_at(b, n);
		SETUP(mm_fork(&b->ctx, mm, &child) == -ENOMEM);
		ctx_drain(&b->ctx);
	}
	bed_fail_at(b, NEVER);
	EXPECT(!(only_hit(&r)->flags & PTE_WRITE));
	stop(&r);
	drop(b, mm);
}

TEST(mm_notifier, a_failed_fork_invalidates_what_it_protected)
{
	on_both(failed_fork_body);
}

static void protect_body(struct bed *b)
{
	struct mm *mm = space(b);
	struct recorder r;

	mapped(b, mm, anon_at(BASE, 4));
	EXPECT_EQ(st8(b, mm, BASE, 1), 0);
	listen_at(&r, b, mm, BASE);
	EXPECT_EQ(mm_protect(&b->ctx, mm, BASE, 2 * PAGE_BYTES, PROT_R), 0);
	EXPECT(!(only_hit(&r)->flags & PTE_WRITE));
	EXPECT_EQ(only_hit(&r)->end, BASE + 2 * PAGE_BYTES);
	r.n = 0;
	EXPECT_EQ(mm_protect(&b->ctx, mm, BASE, 2 * PAGE_BYTES, RW), 0);
	EXPECT_EQ(r.n, 0);
	EXPECT_EQ(mm_protect(&b->ctx, mm, BASE + 2 * PAGE_BYTES, 2 * PAGE_BYTES, 0), 0);
	EXPECT_EQ(r.n, 0); /* no entry there */
	EXPECT_EQ(mm_protect(&b->ctx, mm, BASE, 4 * PAGE_BYTES, 0), 0);
	EXPECT_EQ(only_hit(&r)->flags & (PTE_READ | PTE_WRITE), 0);
	stop(&r);
	drop(b, mm);
}

TEST(mm_notifier, mprotect_invalidates_what_lost_a_right_and_nothing_else)
{
	on_both(protect_body);
}

static void fixed_body(struct bed *b)
{
	struct mm *mm = space(b);
	struct recorder r;

	mapped(b, mm, anon_at(BASE, 4));
	EXPECT_EQ(st8(b, mm, BASE + PAGE_BYTES, 1), 0);
	listen_at(&r, b, mm, BASE + PAGE_BYTES);
	mapped(b, mm, anon_at(BASE + PAGE_BYTES, 1));
	EXPECT_EQ(only_hit(&r)->flags, 0);
	EXPECT_EQ(only_hit(&r)->refs, 1);
	EXPECT(is_free(&r));
	stop(&r);
	drop(b, mm);
}

TEST(mm_notifier, replacing_a_mapping_invalidates_it_before_its_frames_go)
{
	on_both(fixed_body);
}

/* ---- who takes entries over when they are set ---- */

#define MIN_AT UINT64_C(0x7e0000000000)
#define MAX_AT (MIN_AT + 64 * PAGE_BYTES)

enum { TAKER = 1, OTHER };

/* What two users of one space hear, in its order: one who is told of what is set, and one who is not. */
struct heard {
	struct mmu_notifier taker, other;
	struct bed *b;
	struct mm *mm;
	ksim_addr watch;
	pfn_t old; /* behind it at first */
	unsigned n;
	struct {
		int who;
		bool filled;
		ksim_addr start, end;
		unsigned flags;    /* what the watched entry allows; 0 absent */
		pfn_t pfn;         /* where it leads */
		uint32_t old_refs; /* of the frame that it led to at first */
		bool leaf_held;
	} event[EVENTS];
};

static void hear(struct heard *h, struct ctx *ctx, int who, bool filled, ksim_addr start, ksim_addr end)
{
	pte_t pte = pt_walk(&h->mm->pt, h->watch);

	EXPECT(lock_held(ctx, RANK_TLB_LIST));
	if (h->n == EVENTS || start > h->watch || end <= h->watch)
		return;
	h->event[h->n].who = who;
	h->event[h->n].filled = filled;
	h->event[h->n].start = start;
	h->event[h->n].end = end;
	h->event[h->n].flags =
		pte_present(pte) ? pte_flags(h->mm->pt.format, pte) & (PTE_READ | PTE_WRITE | PTE_EXEC) : 0;
	h->event[h->n].pfn = pte_pfn(pte);
	h->event[h->n].old_refs = h->old.n != 0 ? frame_refs(h->b->env.phys, h->old) : 0;
	h->event[h->n].leaf_held = lock_held(ctx, RANK_PT_LEAF);
	h->n++;
}

static void taker_forgets(struct ctx *ctx, struct mmu_notifier *notifier, ksim_addr start, ksim_addr end, bool nodes)
{
	if (!nodes)
		hear(container_of(notifier, struct heard, taker), ctx, TAKER, false, start, end);
}

static void taker_takes(struct ctx *ctx, struct mmu_notifier *notifier, ksim_addr start, ksim_addr end)
{
	hear(container_of(notifier, struct heard, taker), ctx, TAKER, true, start, end);
}

static void other_forgets(struct ctx *ctx, struct mmu_notifier *notifier, ksim_addr start, ksim_addr end, bool nodes)
{
	if (!nodes)
		hear(container_of(notifier, struct heard, other), ctx, OTHER, false, start, end);
}

static void hear_at(struct heard *h, struct bed *b, struct mm *mm, ksim_addr watch)
{
	*h = (struct heard){ .taker = { .invalidate = taker_forgets, .filled = taker_takes },
		             .other = { .invalidate = other_forgets },
		             .b = b,
		             .mm = mm,
		             .watch = watch };
	h->old = frame_at(b, mm, watch);
	mm_notifier_add(&b->ctx, mm, &h->taker);
	mm_notifier_add(&b->ctx, mm, &h->other);
}

static void hear_no_more(struct heard *h)
{
	mm_notifier_remove(&h->b->ctx, h->mm, &h->taker);
	mm_notifier_remove(&h->b->ctx, h->mm, &h->other);
}

static struct mm *eager_space(struct bed *b)
{
	struct mm *mm = space(b);

	mm_confine(mm, MIN_AT, MAX_AT);
	return mm;
}

static void filled_map_body(struct bed *b)
{
	struct mm *mm = eager_space(b);
	struct object *object = file(b, 4);
	struct heard h;

	file_set(b, object, PAGE_BYTES, 'f');
	hear_at(&h, b, mm, MIN_AT + PAGE_BYTES);
	mapped(b, mm, file_at(object, MIN_AT, 4, 0, true));
	EXPECT_EQ(h.n, 1);
	EXPECT(h.event[0].who == TAKER && h.event[0].filled);
	EXPECT_EQ(h.event[0].flags, PTE_READ | PTE_WRITE); /* the entry is there already */
	h.n = 0;
	mapped(b, mm, anon_at(MIN_AT + 8 * PAGE_BYTES, 4));
	EXPECT_EQ(h.n, 0);
	hear_no_more(&h);
	drop(b, mm);
	file_drop(b, object);
}

TEST(mm_notifier, who_takes_entries_over_is_told_after_mmap_has_set_them)
{
	on_both(filled_map_body);
}

static void filled_protect_body(struct bed *b)
{
	struct mm *mm = eager_space(b);
	struct heard h;

	mapped(b, mm, anon_at(MIN_AT, 4));
	EXPECT_EQ(st8(b, mm, MIN_AT, 1), 0);
	hear_at(&h, b, mm, MIN_AT);
	EXPECT_EQ(mm_protect(&b->ctx, mm, MIN_AT, PAGE_BYTES, PROT_R), 0);
	EXPECT_EQ(h.n, 3); /* both forget, then one takes what is left */
	EXPECT(!h.event[0].filled && !h.event[1].filled && h.event[0].who != h.event[1].who);
	EXPECT(h.event[2].who == TAKER && h.event[2].filled);
	EXPECT_EQ(h.event[2].flags, PTE_READ);
	h.n = 0;
	EXPECT_EQ(mm_protect(&b->ctx, mm, MIN_AT, PAGE_BYTES, PROT_R | PROT_X), 0);
	EXPECT_EQ(h.n, 1); /* nothing is taken away */
	EXPECT(h.event[0].who == TAKER && h.event[0].filled);
	EXPECT(h.event[0].flags & PTE_READ);
	hear_no_more(&h);
	drop(b, mm);
}

TEST(mm_notifier, who_takes_entries_over_is_told_after_mprotect_and_after_it_had_to_forget)
{
	on_both(filled_protect_body);
}

static void filled_copy_body(struct bed *b)
{
	struct mm *mm = eager_space(b), *child;
	struct heard h;

	mapped(b, mm, anon_at(MIN_AT, 2));
	EXPECT_EQ(st8(b, mm, MIN_AT, 1), 0);
	child = forked(b, mm);
	hear_at(&h, b, mm, MIN_AT);
	EXPECT_EQ(st8(b, mm, MIN_AT, 2), 0);
	EXPECT_EQ(h.n, 2);
	EXPECT(h.event[0].who == OTHER && !h.event[0].filled);
	EXPECT_EQ(h.event[0].flags, 0);
	EXPECT(h.event[1].who == TAKER && h.event[1].filled);
	EXPECT_EQ(h.event[1].flags, PTE_READ | PTE_WRITE);
	EXPECT_EQ(h.event[1].pfn.n, frame_at(b, mm, MIN_AT).n);
	EXPECT(h.event[1].pfn.n != h.old.n);
	EXPECT_EQ(h.event[1].old_refs, 2); /* what it still shows has not been put yet */
	EXPECT_EQ(h.event[1].start, MIN_AT);
	EXPECT_EQ(h.event[1].end, MIN_AT + PAGE_BYTES);
	EXPECT(h.event[0].leaf_held && h.event[1].leaf_held); /* nobody changes the entry between */
	hear_no_more(&h);
	drop(b, child);
	drop(b, mm);
}

TEST(mm_notifier, who_takes_entries_over_is_told_of_a_copy_and_not_to_forget_the_page)
{
	on_both(filled_copy_body);
}

static void filled_zero_body(struct bed *b)
{
	struct mm *mm = eager_space(b);
	struct heard h;

	mapped(b, mm, anon_at(MIN_AT, 1));
	EXPECT_EQ(ld8(b, mm, MIN_AT), 0);
	hear_at(&h, b, mm, MIN_AT);
	EXPECT_EQ(h.old.n, b->env.zero_pfn);
	EXPECT_EQ(st8(b, mm, MIN_AT, 2), 0);
	EXPECT_EQ(h.n, 2);
	EXPECT(h.event[0].who == OTHER && h.event[1].who == TAKER && h.event[1].filled);
	h.n = 0;
	unmapped(b, mm, MIN_AT, 1);
	EXPECT_EQ(h.n, 2);
	EXPECT(!h.event[0].filled && !h.event[1].filled); /* that one both must forget */
	hear_no_more(&h);
	drop(b, mm);
}

TEST(mm_notifier, first_store_after_a_load_is_a_copy_of_the_frame_of_zeros)
{
	on_both(filled_zero_body);
}

static void filled_populate_body(struct bed *b)
{
	struct mm *mm = eager_space(b);
	struct object *object = file(b, 4);
	struct heard h;

	mapped(b, mm, file_at(object, MIN_AT, 4, 0, true));
	EXPECT_EQ(st8(b, mm, MIN_AT + PAGE_BYTES, 1), 0);
	hear_at(&h, b, mm, MIN_AT + PAGE_BYTES);
	mm_populate(&b->ctx, mm, MIN_AT, MIN_AT + PAGE_BYTES);
	EXPECT_EQ(h.n, 0);
	mm_populate(&b->ctx, mm, MIN_AT, MAX_AT); /* what a fault has set is told as well */
	EXPECT_EQ(h.n, 1);
	EXPECT(h.event[0].who == TAKER && h.event[0].filled);
	EXPECT_EQ(h.event[0].flags, PTE_READ | PTE_WRITE);
	hear_no_more(&h);
	drop(b, mm);
	file_drop(b, object);
}

TEST(mm_notifier, who_takes_entries_over_is_told_of_the_range_that_is_populated)
{
	on_both(filled_populate_body);
}
