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
		.allocated = r->b->process.count[CENSUS_TABLE],
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
