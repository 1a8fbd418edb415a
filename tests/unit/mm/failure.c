// SPDX-License-Identifier: MIT
/*
 * Each call with its first, its second, ... allocation failing: nothing has changed then, and the same call works
 * when it is made again.
 */
#include "bed.h"

enum { NODE_BUFFERS = 16, ATTEMPTS_MAX = 200 };

struct scene {
	struct bed *b;
	struct mm *mm;
	struct object *object;
	struct mm *child;
};

/* anon RW [0, 6), anon R [6, 8), hole, shared file [10, 14), private file [14, 18) with copies; in pages. */
static void scene_open(struct scene *s, struct bed *b)
{
	struct mm_map what = anon_at(BASE + 6 * PAGE_BYTES, 2);

	*s = (struct scene){ .b = b, .mm = space(b), .object = file(b, 16) };
	mapped(b, s->mm, anon_at(BASE, 6));
	what.prot = PROT_R;
	mapped(b, s->mm, what);
	what = file_at(s->object, BASE + 10 * PAGE_BYTES, 4, 0, true);
	what.backing = &b->file.backing;
	mapped(b, s->mm, what);
	mapped(b, s->mm, file_at(s->object, BASE + 14 * PAGE_BYTES, 4, 8, false));
	for (unsigned i = 0; i < 3; i++) {
		SETUP(st8(b, s->mm, BASE + i * PAGE_BYTES, 1) == 0);
		SETUP(st8(b, s->mm, BASE + (10 + i) * PAGE_BYTES, 2) == 0);
		SETUP(st8(b, s->mm, BASE + (14 + i) * PAGE_BYTES, 3) == 0);
	}
}

static void scene_close(struct scene *s)
{
	drop(s->b, s->child);
	drop(s->b, s->mm);
	file_drop(s->b, s->object);
}

/* Everything that a failed call must leave alone. */
struct state {
	struct census census;
	size_t nregions;
	int64_t writers;
	uint32_t object_refs;
	int file_refs;
};

static struct state state_of(struct scene *s)
{
	return (struct state){ census_now(s->b), nregions(s->mm), s->object->writers, ref_count(&s->object->ref),
		               s->b->file.refs };
}

static void expect_unchanged(struct scene *s, const struct state *before, unsigned n)
{
	struct state now = state_of(s);

	expect_sound(s->b, s->mm);
	expect_same_census(&before->census, &now.census, NODE_BUFFERS);
	EXPECT_MSG(now.nregions == before->nregions && now.writers == before->writers &&
	                   now.object_refs == before->object_refs && now.file_refs == before->file_refs,
	           "after failure %u: %zu VMAs, %ld writers, %u references, %d of the open file", n, now.nregions,
	           (long)now.writers, now.object_refs, now.file_refs);
}

/* Make the call with failure after failure until it works. @return failures */
static unsigned until_it_works(struct scene *s, int (*call)(struct scene *s))
{
	for (unsigned n = 1; n < ATTEMPTS_MAX && !harness_failed(); n++) {
		struct state before = state_of(s);
		int err;

		bed_fail_at(s->b, n);
		err = call(s);
		bed_fail_at(s->b, NEVER);
		ctx_drain(&s->b->ctx);
		if (err == 0)
			return n - 1;
		EXPECT_EQ(err, -ENOMEM);
		expect_unchanged(s, &before, n);
	}
	return ATTEMPTS_MAX;
}

static int call_create(struct scene *s)
{
	return mm_create(&s->b->ctx, &s->child);
}

static int map_it(struct scene *s, struct mm_map what)
{
	ksim_addr at;

	return mm_map(&s->b->ctx, s->mm, &what, &at);
}

static int call_map(struct scene *s)
{
	struct mm_map what = file_at(s->object, 0, 3, 2, true);

	what.backing = &s->b->file.backing;
	return map_it(s, what);
}

static int call_map_over_middle(struct scene *s)
{
	return map_it(s, anon_at(BASE + 11 * PAGE_BYTES, 1));
}

static int call_unmap_middle(struct scene *s)
{
	return mm_unmap(&s->b->ctx, s->mm, BASE + 11 * PAGE_BYTES, PAGE_BYTES);
}

static int call_protect_middle(struct scene *s)
{
	return mm_protect(&s->b->ctx, s->mm, BASE + 11 * PAGE_BYTES, PAGE_BYTES, PROT_R);
}

static int call_protect_several(struct scene *s)
{
	return mm_protect(&s->b->ctx, s->mm, BASE + 11 * PAGE_BYTES, 4 * PAGE_BYTES, PROT_R);
}

static int call_remap_grow(struct scene *s)
{
	struct mm_remap what = { .addr = BASE, .old_length = PAGE_BYTES, .length = 9 * PAGE_BYTES, .may_move = true };
	ksim_addr at;
	int err = mm_remap(&s->b->ctx, s->mm, &what, &at);

	if (err < 0)
		return err;
	what = (struct mm_remap){
		.addr = at, .old_length = PAGE_BYTES, .length = PAGE_BYTES, .to = BASE, .may_move = true, .fixed = true
	};
	bed_fail_at(s->b, NEVER);
	EXPECT_EQ(mm_remap(&s->b->ctx, s->mm, &what, &what.to), 0);
	return 0;
}

/* From the middle of one mapping into the middle of another. */
static int call_remap_fixed(struct scene *s)
{
	struct mm_remap what = { .addr = BASE + 11 * PAGE_BYTES,
		                 .old_length = PAGE_BYTES,
		                 .length = PAGE_BYTES,
		                 .to = BASE + 2 * PAGE_BYTES,
		                 .may_move = true,
		                 .fixed = true };
	ksim_addr at;

	return mm_remap(&s->b->ctx, s->mm, &what, &at);
}

static int call_remap_shrink(struct scene *s)
{
	struct mm_remap what = { .addr = BASE + 10 * PAGE_BYTES, .old_length = 2 * PAGE_BYTES, .length = PAGE_BYTES };
	ksim_addr at;

	return mm_remap(&s->b->ctx, s->mm, &what, &at);
}

static int call_brk(struct scene *s)
{
	return mm_brk(&s->b->ctx, s->mm, MM_BRK + 5) == MM_BRK + 5 ? 0 : -ENOMEM;
}

static int call_fork(struct scene *s)
{
	return mm_fork(&s->b->ctx, s->mm, &s->child);
}

static void expect_failures(struct bed *b, int (*call)(struct scene *s), unsigned at_least)
{
	struct scene s;
	unsigned n;

	scene_open(&s, b);
	n = until_it_works(&s, call);
	EXPECT_MSG(n >= at_least && n < ATTEMPTS_MAX, "%u allocations, expected %u at least", n, at_least);
	expect_sound(b, s.mm);
	EXPECT_EQ(ld8(b, s.mm, BASE), 1);
	EXPECT_EQ(st8(b, s.mm, BASE, 4), 0);
	EXPECT_EQ(ld8(b, s.mm, BASE + 10 * PAGE_BYTES), 2);
	EXPECT_EQ(ld8(b, s.mm, BASE + 14 * PAGE_BYTES), 3);
	if (s.child != NULL)
		expect_sound(b, s.child);
	scene_close(&s);
}

static void calls_body(struct bed *b)
{
	expect_failures(b, call_create, 2);
	expect_failures(b, call_map, 1);
	expect_failures(b, call_map_over_middle, 2);
	expect_failures(b, call_unmap_middle, 1);
	expect_failures(b, call_protect_middle, 2);
	expect_failures(b, call_protect_several, 2);
	expect_failures(b, call_remap_grow, 4);
	expect_failures(b, call_remap_fixed, 4);
	expect_failures(b, call_remap_shrink, 1);
	expect_failures(b, call_brk, 1);
}

TEST(mm_failure, a_call_that_runs_out_of_memory_has_changed_nothing)
{
	on_both(calls_body);
}

static void fork_body(struct bed *b)
{
	expect_failures(b, call_fork, 10);
}

TEST(mm_failure, a_fork_that_runs_out_of_memory_leaves_no_child_and_the_parent_as_it_was)
{
	on_both(fork_body);
}

/* A new VMA each: the tree's nodes split sooner or later, at any of the allocations. */
static void grow_body(struct bed *b)
{
	struct scene s;

	scene_open(&s, b);
	for (unsigned i = 0; i < 600 && !harness_failed(); i++) {
		struct mm_map what = anon_at(BASE + (100 + 2 * i) * PAGE_BYTES, 1);
		unsigned n = 1;

		do {
			bed_fail_at(b, n);
			n++;
		} while (map_it(&s, what) == -ENOMEM && n < ATTEMPTS_MAX);
		bed_fail_at(b, NEVER);
		EXPECT_EQ(nregions(s.mm), 4 + i + 1);
	}
	expect_sound(b, s.mm);
	scene_close(&s);
}

TEST(mm_failure, mappings_can_be_made_after_failures_until_the_tree_is_high)
{
	on_both(grow_body);
}

/* Frames that are neither nodes nor pages of the file: those may stay when an access fails. */
static long private_frames(struct bed *b, const struct scene *s)
{
	return owners_total(&b->env.owners, CENSUS_FRAME) - owners_total(&b->env.owners, CENSUS_TABLE) -
	       (long)object_pages(&b->ctx, s->object);
}

/* An access with failure after failure. */
static void expect_fault_failures(struct bed *b, struct scene *s, ksim_addr addr, enum access access, unsigned at_least)
{
	unsigned n = 1;
	int err;

	for (;; n++) {
		long frames = private_frames(b, s);

		bed_fail_at(b, n);
		err = mm_fault(&b->ctx, s->mm, addr, access, &b->fault);
		bed_fail_at(b, NEVER);
		if (err == 0 || n == ATTEMPTS_MAX)
			break;
		EXPECT_EQ(err, -ENOMEM);
		EXPECT_EQ(b->fault.signo, SIGKILL);
		EXPECT_EQ(b->fault.addr, addr);
		EXPECT(b->fault.why != NULL);
		EXPECT_EQ(private_frames(b, s), frames);
		expect_sound(b, s->mm);
	}
	EXPECT_MSG(n > at_least, "%u allocations, expected %u at least", n - 1, at_least);
	expect_sound(b, s->mm);
}

static void faults_body(struct bed *b)
{
	struct scene s;

	scene_open(&s, b);
	expect_fault_failures(b, &s, BASE + 4 * PAGE_BYTES, ACCESS_WRITE, 1);
	expect_fault_failures(b, &s, BASE + 13 * PAGE_BYTES, ACCESS_WRITE, 1);
	expect_fault_failures(b, &s, BASE + 17 * PAGE_BYTES, ACCESS_WRITE, 2);
	EXPECT_EQ(ld8(b, s.mm, BASE + 5 * PAGE_BYTES), 0);
	expect_fault_failures(b, &s, BASE + 5 * PAGE_BYTES, ACCESS_WRITE, 1); /* a copy of the frame of zeros */
	SETUP(call_fork(&s) == 0);
	expect_fault_failures(b, &s, BASE, ACCESS_WRITE, 1); /* a copy of what the child has too */
	EXPECT_EQ(ld8(b, s.mm, BASE), 1);
	mapped(b, s.mm, anon_at(UINT64_C(0x700000000000), 1));
	expect_fault_failures(b, &s, UINT64_C(0x700000000000), ACCESS_READ, 2); /* nodes */
	scene_close(&s);
}

TEST(mm_failure, an_access_that_runs_out_of_memory_names_it_and_can_be_made_again)
{
	on_both(faults_body);
}

static void partial_fork_body(struct bed *b)
{
	struct scene s;
	uint64_t free_before;
	pfn_t page;

	scene_open(&s, b);
	page = frame_at(b, s.mm, BASE);
	bed_fail_at(b, 9); /* some entries are write-protected by then */
	EXPECT_EQ(call_fork(&s), -ENOMEM);
	bed_fail_at(b, NEVER);
	ctx_drain(&b->ctx);
	free_before = phys_free_frames(&b->ctx);
	EXPECT_EQ(st8(b, s.mm, BASE, 9), 0);
	EXPECT_EQ(frame_at(b, s.mm, BASE).n, page.n);
	EXPECT_EQ(phys_free_frames(&b->ctx), free_before);
	scene_close(&s);
}

TEST(mm_failure, after_a_failed_fork_pages_are_reused_in_place)
{
	on_both(partial_fork_body);
}
