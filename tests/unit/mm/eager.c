// SPDX-License-Identifier: MIT
/*
 * Address spaces for users who reach memory by addresses of the host's: confined to some addresses, and with entries
 * for what is there before anybody faults on it.
 */
#include "bed.h"
#include "mm/vma.h"

#include <pthread.h>

/* Two leaf nodes and a little: placement begins 16 pages below the end. */
#define MIN_AT UINT64_C(0x7e0000001000)
#define MAX_AT (MIN_AT + 2 * PT_LEAF_SPAN + 100 * PAGE_BYTES)
#define TOP_AT (MAX_AT - 16 * PAGE_BYTES)
/* Where files go: three pages below the end of a leaf node's span. */
#define FILE_AT ((MIN_AT & ~(PT_LEAF_SPAN - 1)) + PT_LEAF_SPAN - 3 * PAGE_BYTES)

enum { MARKS = PTE_ACCESSED | PTE_DIRTY };

static struct mm *confined(struct bed *b)
{
	struct mm *mm = space(b);

	mm_confine(mm, MIN_AT, MAX_AT);
	return mm;
}

static int map_err(struct bed *b, struct mm *mm, struct mm_map what)
{
	ksim_addr at;

	return mm_map(&b->ctx, mm, &what, &at);
}

/* What an entry allows and how it is marked; 0: it is absent. */
static unsigned entry(struct mm *mm, ksim_addr addr)
{
	pte_t pte = pt_walk(&mm->pt, addr);

	return pte_present(pte) ? pte_flags(mm->pt.format, pte) : 0;
}

/* Which of eight pages from addr on have an entry: bit i is page i. */
static unsigned entries(struct mm *mm, ksim_addr addr)
{
	unsigned bits = 0;

	for (unsigned i = 0; i < 8; i++)
		bits |= (entry(mm, addr + i * PAGE_BYTES) != 0 ? 1u : 0) << i;
	return bits;
}

/* A file of eight pages of which those are there: bit i is page i. */
static struct object *file_with(struct bed *b, unsigned pages)
{
	struct object *object = file(b, 8);

	for (unsigned i = 0; i < 8; i++)
		if (pages >> i & 1)
			file_set(b, object, i * PAGE_BYTES, (int)('a' + i));
	return object;
}

/* ---- where mappings may lie ---- */

static void placement_body(struct bed *b)
{
	struct mm *mm = confined(b);
	struct mm_map what = anon_at(0, 4);
	ksim_addr first = mapped(b, mm, what);

	EXPECT_EQ(first, TOP_AT - 4 * PAGE_BYTES);
	what.prot = PROT_R; /* not to be joined */
	EXPECT_EQ(mapped(b, mm, what), first - 4 * PAGE_BYTES);
	unmapped(b, mm, first, 4);
	EXPECT_EQ(mapped(b, mm, what), first);
	expect_sound(b, mm);
	drop(b, mm);
}

TEST(mm_confine, mappings_go_down_from_a_little_below_the_end)
{
	on_both(placement_body);
}

static void full_body(struct bed *b)
{
	struct mm *mm = confined(b);
	struct mm_map below = anon_at(0, (TOP_AT - MIN_AT) >> PAGE_SHIFT), above = anon_at(0, 16);

	below.noreserve = above.noreserve = true;
	EXPECT_EQ(mapped(b, mm, below), MIN_AT);
	EXPECT_EQ(mapped(b, mm, above), TOP_AT);
	EXPECT_EQ(map_err(b, mm, anon_at(0, 1)), -ENOMEM);
	unmapped(b, mm, MAX_AT - PAGE_BYTES, 1);
	EXPECT_EQ(mapped(b, mm, anon_at(0, 1)), MAX_AT - PAGE_BYTES);
	drop(b, mm);
}

TEST(mm_confine, what_lies_above_the_top_is_used_last_and_a_full_space_is_ENOMEM)
{
	on_both(full_body);
}

static void tiny_body(struct bed *b)
{
	struct mm *mm = space(b);

	mm_confine(mm, MIN_AT, MIN_AT + 4 * PAGE_BYTES);
	EXPECT_EQ(mapped(b, mm, anon_at(0, 1)), MIN_AT + PAGE_BYTES);
	EXPECT_EQ(mapped(b, mm, anon_at(0, 2)), MIN_AT + 2 * PAGE_BYTES);
	EXPECT_EQ(map_err(b, mm, anon_at(0, 2)), -ENOMEM);
	drop(b, mm);
}

TEST(mm_confine, space_of_a_few_pages_can_be_mapped_whole)
{
	on_both(tiny_body);
}

static void hint_body(struct bed *b)
{
	struct mm *mm = confined(b);
	struct mm_map what = anon_at(FILE_AT, 2);

	what.fixed = false;
	EXPECT_EQ(mapped(b, mm, what), FILE_AT);
	what.prot = PROT_R;
	what.addr = PAGE_BYTES; /* below, where the heap is to be */
	EXPECT_EQ(mapped(b, mm, what), TOP_AT - 2 * PAGE_BYTES);
	what.addr = MAX_AT - 2 * PAGE_BYTES;
	EXPECT_EQ(mapped(b, mm, what), MAX_AT - 2 * PAGE_BYTES);
	what.addr = MAX_AT - 3 * PAGE_BYTES; /* its end is taken */
	EXPECT_EQ(mapped(b, mm, what), TOP_AT - 4 * PAGE_BYTES);
	what.addr = MAX_AT - PAGE_BYTES; /* its end is beyond */
	EXPECT_EQ(mapped(b, mm, what), TOP_AT - 6 * PAGE_BYTES);
	what.addr = MM_MAX - 2 * PAGE_BYTES;
	EXPECT_EQ(mapped(b, mm, what), TOP_AT - 8 * PAGE_BYTES);
	expect_sound(b, mm);
	drop(b, mm);
}

TEST(mm_confine, hint_is_taken_within_the_bounds_and_else_ignored)
{
	on_both(hint_body);
}

static void fixed_body(struct bed *b)
{
	const struct {
		ksim_addr at;
		uint64_t pages;
		int err;
	} rows[] = {
		{ MIN_AT, 1, 0 },
		{ MAX_AT - PAGE_BYTES, 1, 0 },
		{ MIN_AT - PAGE_BYTES, 1, -ENOMEM },
		{ MIN_AT - PAGE_BYTES, 2, -ENOMEM },
		{ MAX_AT, 1, -ENOMEM },
		{ MAX_AT - PAGE_BYTES, 2, -ENOMEM },
		{ MM_MAX - PAGE_BYTES, 1, -ENOMEM },
		{ UINT64_MAX & PAGE_MASK, 1, -ENOMEM },
		{ MM_MIN, 1, -ENOMEM },
		{ MM_MIN - PAGE_BYTES, 1, -EPERM },
	};
	struct mm *mm = confined(b);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (int noreplace = 0; noreplace < 2; noreplace++) {
			struct mm_map what = anon_at(rows[i].at, rows[i].pages);
			int err;

			what.fixed = !noreplace;
			what.noreplace = noreplace;
			err = map_err(b, mm, what);
			EXPECT_MSG(err == (noreplace && rows[i].err == 0 ? -EEXIST : rows[i].err),
			           "%#llx, %llu pages, noreplace %d: %d", (unsigned long long)rows[i].at,
			           (unsigned long long)rows[i].pages, noreplace, err);
		}
	EXPECT_EQ(nregions(mm), 2);
	drop(b, mm);
}

TEST(mm_confine, exact_address_outside_fails_ENOMEM)
{
	on_both(fixed_body);
}

static void long_body(struct bed *b)
{
	struct mm *mm = confined(b);
	struct mm_map what = anon_at(0, ((MAX_AT - MIN_AT) >> PAGE_SHIFT) + 1);

	what.noreserve = true;
	EXPECT_EQ(map_err(b, mm, what), -ENOMEM);
	what.addr = FILE_AT; /* a hint */
	EXPECT_EQ(map_err(b, mm, what), -ENOMEM);
	what.fixed = true;
	what.addr = MIN_AT;
	EXPECT_EQ(map_err(b, mm, what), -ENOMEM);
	what.length -= PAGE_BYTES;
	EXPECT_EQ(map_err(b, mm, what), 0);
	drop(b, mm);
}

TEST(mm_confine, mapping_longer_than_the_space_fails_ENOMEM_and_one_as_long_fits)
{
	on_both(long_body);
}

static void forked_body(struct bed *b)
{
	struct mm *parent = confined(b), *child = forked(b, parent), *grandchild = forked(b, child);
	struct object *object = file_with(b, 1);

	EXPECT_EQ(mapped(b, grandchild, anon_at(0, 1)), TOP_AT - PAGE_BYTES);
	EXPECT_EQ(map_err(b, grandchild, anon_at(MAX_AT, 1)), -ENOMEM);
	mapped(b, grandchild, file_at(object, FILE_AT, 1, 0, true));
	EXPECT_EQ(entries(grandchild, FILE_AT), 1);
	drop(b, grandchild);
	drop(b, child);
	drop(b, parent);
	file_drop(b, object);
}

TEST(mm_confine, copy_of_a_fork_is_confined_and_eager_as_its_parent)
{
	on_both(forked_body);
}

/* ---- entries that are set when a file is mapped ---- */

static void shared_body(struct bed *b)
{
	struct mm *mm = confined(b);
	struct object *object = file_with(b, 0x5b);
	uint64_t free_frames = 0;

	mapped(b, mm, anon_at(FILE_AT - PAGE_BYTES, 1)); /* the nodes */
	EXPECT_EQ(st8(b, mm, FILE_AT - PAGE_BYTES, 1), 0);
	mapped(b, mm, file_at(object, FILE_AT + 3 * PAGE_BYTES, 1, 0, true));
	unmapped(b, mm, FILE_AT + 3 * PAGE_BYTES, 1);
	free_frames = phys_free_frames(&b->ctx);
	mapped(b, mm, file_at(object, FILE_AT, 8, 0, true));
	EXPECT_EQ(entries(mm, FILE_AT), 0x5b);
	EXPECT_EQ(entry(mm, FILE_AT), PTE_READ | PTE_WRITE | MARKS);
	EXPECT_EQ(object_pages(&b->ctx, object), 5);
	EXPECT(phys_free_frames(&b->ctx) + 1 >= free_frames); /* a leaf node at most */
	EXPECT_EQ(ld8(b, mm, FILE_AT + 6 * PAGE_BYTES), 'a' + 6);
	expect_sound(b, mm);
	drop(b, mm);
	file_drop(b, object);
}

TEST(mm_populate, shared_mapping_has_entries_for_the_pages_that_are_there_and_makes_none)
{
	on_both(shared_body);
}

static void private_body(struct bed *b)
{
	struct mm *mm = confined(b);
	struct object *object = file_with(b, 0x0f);
	struct mm_translation t;

	mapped(b, mm, file_at(object, FILE_AT, 8, 0, false));
	EXPECT_EQ(entries(mm, FILE_AT), 0x0f);
	EXPECT_EQ(entry(mm, FILE_AT), PTE_READ | PTE_ACCESSED);
	EXPECT_EQ(mm_translate(&b->ctx, mm, FILE_AT, &t), 0);
	EXPECT_EQ(t.use, FRAME_FILE);
	EXPECT_EQ(t.refs, 2);
	EXPECT_EQ(t.mappers, 1);
	EXPECT_EQ(st8(b, mm, FILE_AT, 'p'), 0);
	EXPECT_EQ(entry(mm, FILE_AT), PTE_READ | PTE_WRITE | MARKS);
	EXPECT_EQ(file_byte(b, object, 0), 'a');
	expect_sound(b, mm);
	drop(b, mm);
	file_drop(b, object);
}

TEST(mm_populate, private_mapping_has_the_files_pages_to_read)
{
	on_both(private_body);
}

static void offset_body(struct bed *b)
{
	struct mm *mm = confined(b);
	struct object *object = file_with(b, 0xff);

	mapped(b, mm, file_at(object, FILE_AT, 3, 4, true));
	EXPECT_EQ(entries(mm, FILE_AT), 0x07);
	EXPECT_EQ(ld8(b, mm, FILE_AT), 'a' + 4);
	EXPECT_EQ(ld8(b, mm, FILE_AT + 2 * PAGE_BYTES), 'a' + 6);
	drop(b, mm);
	file_drop(b, object);
}

TEST(mm_populate, mapping_from_an_offset_has_the_pages_from_there)
{
	on_both(offset_body);
}

static void end_body(struct bed *b)
{
	struct mm *mm = confined(b);
	struct object *object = file_with(b, 0xff);

	object_resize(&b->ctx, object, 4 * PAGE_BYTES + 1);
	mapped(b, mm, file_at(object, FILE_AT, 8, 0, true));
	EXPECT_EQ(entries(mm, FILE_AT), 0x1f);
	mapped(b, mm, file_at(object, FILE_AT + 20 * PAGE_BYTES, 4, 6, true)); /* wholly beyond */
	EXPECT_EQ(entries(mm, FILE_AT + 20 * PAGE_BYTES), 0);
	expect_fault(b, mm, FILE_AT + 5 * PAGE_BYTES, ACCESS_READ, SIGBUS, BUS_ADRERR);
	expect_sound(b, mm);
	drop(b, mm);
	file_drop(b, object);
}

TEST(mm_populate, nothing_is_entered_beyond_the_end_of_the_file)
{
	on_both(end_body);
}

static void none_body(struct bed *b)
{
	struct mm *mm = confined(b);
	struct object *object = file_with(b, 0xff);
	struct mm_map what = file_at(object, FILE_AT, 8, 0, true);

	what.prot = 0;
	mapped(b, mm, what);
	EXPECT_EQ(entries(mm, FILE_AT), 0);
	what.addr += 8 * PAGE_BYTES;
	what.prot = PROT_X;
	mapped(b, mm, what);
	EXPECT_EQ(entry(mm, what.addr), PTE_READ | PTE_EXEC | PTE_ACCESSED);
	drop(b, mm);
	file_drop(b, object);
}

TEST(mm_populate, mapping_without_access_has_no_entries)
{
	on_both(none_body);
}

static void lazy_body(struct bed *b)
{
	struct mm *mm = space(b), *eager = confined(b);
	struct object *object = file_with(b, 0xff);

	mapped(b, mm, file_at(object, BASE, 8, 0, true));
	EXPECT_EQ(entries(mm, BASE), 0);
	EXPECT_EQ(st8(b, mm, BASE, 1), 0);
	EXPECT_EQ(entry(mm, BASE) & MARKS, 0); /* which is for the CPU to set */
	mapped(b, eager, anon_at(FILE_AT, 8));
	EXPECT_EQ(entries(eager, FILE_AT), 0); /* nothing is there */
	EXPECT_EQ(ld8(b, eager, FILE_AT), 0);
	EXPECT_EQ(entry(eager, FILE_AT), PTE_READ | PTE_ACCESSED);
	drop(b, mm);
	drop(b, eager);
	file_drop(b, object);
}

TEST(mm_populate, anonymous_memory_and_spaces_that_are_not_confined_wait_for_faults)
{
	on_both(lazy_body);
}

/* ---- around a fault ---- */

static void around_body(struct bed *b)
{
	struct mm *mm = confined(b);
	struct object *object = file_with(b, 0x01);
	struct mm_map anon = anon_at(FILE_AT + 8 * PAGE_BYTES, 1);
	pfn_t own;

	mapped(b, mm, file_at(object, FILE_AT, 8, 0, false));
	mapped(b, mm, anon);
	EXPECT_EQ(st8(b, mm, FILE_AT, 'p'), 0);
	own = frame_at(b, mm, FILE_AT);
	for (int i = 1; i < 8; i++)
		file_set(b, object, (uint64_t)i * PAGE_BYTES, 'f');
	mm_populate(&b->ctx, mm, FILE_AT + 2 * PAGE_BYTES, FILE_AT + 5 * PAGE_BYTES);
	EXPECT_EQ(entries(mm, FILE_AT), 0x1d); /* no page outside of the range */
	mm_populate(&b->ctx, mm, MIN_AT, MAX_AT);
	EXPECT_EQ(entries(mm, FILE_AT), 0xff);
	EXPECT_EQ(frame_at(b, mm, FILE_AT).n, own.n); /* what was present stays */
	EXPECT_EQ(ld8(b, mm, FILE_AT), 'p');
	EXPECT_EQ(entry(mm, anon.addr), 0);
	mm_populate(&b->ctx, mm, MIN_AT, MAX_AT); /* there is nothing left to do */
	EXPECT_EQ(entries(mm, FILE_AT), 0xff);
	expect_sound(b, mm);
	drop(b, mm);
	file_drop(b, object);
}

TEST(mm_populate, a_range_gets_what_is_absent_and_keeps_what_is_present)
{
	on_both(around_body);
}

/* ---- without memory ---- */

static void nodes_body(struct bed *b)
{
	struct mm *mm = confined(b);
	struct object *object = file_with(b, 0xff);
	unsigned entered = 0, n = 1;

	/* Two leaf nodes; more entries the later the allocation that fails. */
	for (unsigned now = 0; now != 0xff && n < 50; n++) {
		struct mm_map what = file_at(object, FILE_AT, 8, 0, true);
		ksim_addr at;
		int err;

		bed_fail_at(b, n);
		err = mm_map(&b->ctx, mm, &what, &at);
		bed_fail_at(b, NEVER);
		EXPECT(err == 0 || err == -ENOMEM);
		now = err == 0 ? entries(mm, FILE_AT) : 0;
		EXPECT_MSG(now == 0 || now == 0x07 || now == 0xff, "entries %#x", now);
		EXPECT(now >= entered);
		entered = now;
		if (err == 0) {
			EXPECT_EQ(ld8(b, mm, FILE_AT + 7 * PAGE_BYTES), 'a' + 7); /* a fault gets the rest */
			expect_sound(b, mm);
			unmapped(b, mm, FILE_AT, 8);
		}
	}
	EXPECT_EQ(entered, 0xff);
	EXPECT(n > 4);
	for (uint64_t i = 0; i < 8; i++) {
		pfn_t pfn;

		REQUIRE_EQ(object_page(&b->ctx, object, i, false, &pfn), 0);
		EXPECT_EQ(frame_refs(b->env.phys, pfn), 2); /* no reference is left over */
		frame_put(&b->ctx, pfn);
	}
	drop(b, mm);
	file_drop(b, object);
}

TEST(mm_populate, mapping_succeeds_with_fewer_entries_when_nodes_run_out)
{
	on_both(nodes_body);
}

/* ---- against truncation ---- */

/* Another thread's truncation, when the first node is asked for: after the pages have been found. */
struct cutter {
	struct bed *b;
	struct object *object;
	uint64_t to, then;
	unsigned cuts;
};

static bool cut(void *arg, struct ctx *ctx, enum fail_kind kind)
{
	struct cutter *c = arg;
	struct ctx other;

	(void)ctx;
	if (kind != FAIL_FRAME || c->cuts++ > 0)
		return false;
	bed_ctx(c->b, &other);
	object_resize(&other, c->object, c->to);
	object_resize(&other, c->object, c->then);
	return false;
}

static void cut_body(struct bed *b)
{
	static const uint64_t to[] = { 0, 2 * PAGE_BYTES, 8 * PAGE_BYTES - 1 };

	for (size_t i = 0; i < ARRAY_SIZE(to); i++) {
		struct mm *mm = confined(b);
		struct cutter c = { b, file_with(b, 0xff), to[i], 8 * PAGE_BYTES, 0 };
		struct mm_map what = file_at(c.object, FILE_AT, 8, 0, true);

		what.prot = 0;
		mapped(b, mm, what);
		EXPECT_EQ(mm_protect(&b->ctx, mm, FILE_AT, 8 * PAGE_BYTES, RW), 0);
		b->env.hooks.fail = cut;
		b->env.hooks.fail_arg = &c;
		mm_populate(&b->ctx, mm, FILE_AT, FILE_AT + 8 * PAGE_BYTES);
		bed_fail_at(b, NEVER);
		EXPECT(c.cuts > 1);
		/* Whatever was found before is not entered: it may have gone. */
		for (int page = 0; page < 8; page++)
			EXPECT_EQ(ld8(b, mm, FILE_AT + (uint64_t)page * PAGE_BYTES),
			          (uint64_t)page < (to[i] + PAGE_BYTES - 1) / PAGE_BYTES ? 'a' + page : 0);
		expect_sound(b, mm);
		drop(b, mm);
		file_drop(b, c.object);
	}
}

TEST(mm_populate, what_a_truncation_has_overtaken_is_not_entered)
{
	on_both(cut_body);
}

/* ---- on threads ---- */

struct race {
	struct bed *b;
	struct mm *mm;
	struct object *object;
	bool stop; /* a */
};

static void *truncate_on(void *arg)
{
	struct race *r = arg;
	struct ctx ctx;

	bed_ctx(r->b, &ctx);
	while (!__atomic_load_n(&r->stop, __ATOMIC_RELAXED)) {
		object_resize(&ctx, r->object, 3 * PAGE_BYTES);
		object_resize(&ctx, r->object, 8 * PAGE_BYTES);
		ctx_drain(&ctx);
	}
	return NULL;
}

static void race_body(struct bed *b)
{
	struct race r = { .b = b, .mm = confined(b), .object = file_with(b, 0xff) };
	pthread_t cutter;

	mapped(b, r.mm, file_at(r.object, FILE_AT, 8, 0, true));
	SETUP(pthread_create(&cutter, NULL, truncate_on, &r) == 0);
	for (int i = 0; i < 1000; i++) {
		struct fault fault;
		pfn_t pfn;

		if (mm_fault(&b->ctx, r.mm, FILE_AT + 5 * PAGE_BYTES, ACCESS_WRITE, &fault) == 0 &&
		    object_page(&b->ctx, r.object, 6, true, &pfn) == 0)
			frame_put(&b->ctx, pfn);
		mm_populate(&b->ctx, r.mm, FILE_AT, FILE_AT + 8 * PAGE_BYTES);
	}
	__atomic_store_n(&r.stop, true, __ATOMIC_RELAXED);
	SETUP(pthread_join(cutter, NULL) == 0);
	object_resize(&b->ctx, r.object, 3 * PAGE_BYTES);
	EXPECT_EQ(entries(r.mm, FILE_AT) & 0xf8, 0);
	expect_sound(b, r.mm);
	drop(b, r.mm);
	file_drop(b, r.object);
}

TEST(mm_populate, races_with_truncation_and_leaves_no_entry_beyond_the_end)
{
	on_both(race_body);
}
