// SPDX-License-Identifier: MIT
/*
 * Where mappings go, what they replace, how they are cut and joined, and what counts as a writer.
 */
#include "bed.h"

static int map_err(struct bed *b, struct mm *mm, struct mm_map what)
{
	ksim_addr at;

	return mm_map(&b->ctx, mm, &what, &at);
}

static void placement_body(struct bed *b)
{
	struct mm *mm = space(b);
	struct mm_map what = anon_at(0, 4);
	ksim_addr first = mapped(b, mm, what), second;

	EXPECT_EQ(first, MM_TOP - 4 * PAGE_BYTES);
	what.prot = PROT_R; /* not to be joined */
	what.length = PAGE_BYTES;
	second = mapped(b, mm, what);
	EXPECT_EQ(second, first - PAGE_BYTES);
	unmapped(b, mm, first + PAGE_BYTES, 2);
	EXPECT_EQ(mapped(b, mm, what), first + 2 * PAGE_BYTES);
	drop(b, mm);
}

TEST(mm_map, mappings_go_down_from_the_top_into_the_highest_gap)
{
	on_both(placement_body);
}

static void hint_body(struct bed *b)
{
	struct mm *mm = space(b);
	struct mm_map what = anon_at(BASE, 2);

	what.fixed = false;
	EXPECT_EQ(mapped(b, mm, what), BASE);
	what.prot = PROT_R;
	EXPECT_EQ(mapped(b, mm, what), MM_TOP - 2 * PAGE_BYTES); /* taken */
	what.addr = BASE - PAGE_BYTES;
	EXPECT_EQ(mapped(b, mm, what), MM_TOP - 4 * PAGE_BYTES); /* its second page is */
	what.addr = PAGE_BYTES;
	EXPECT_EQ(mapped(b, mm, what), MM_MIN);
	what.addr = MM_MAX - 2 * PAGE_BYTES;
	EXPECT_EQ(mapped(b, mm, what), MM_MAX - 2 * PAGE_BYTES);
	what.addr = MM_MAX - PAGE_BYTES; /* its end is no user address */
	EXPECT_EQ(mapped(b, mm, what), MM_TOP - 6 * PAGE_BYTES);
	what.addr = UINT64_C(1) << 60;
	EXPECT_EQ(mapped(b, mm, what), MM_TOP - 8 * PAGE_BYTES);
	expect_sound(b, mm);
	drop(b, mm);
}

/* mmap(2): "If another mapping already exists there, the kernel picks a new address"; SEMANTICS 44. */
TEST(mm_map, a_hint_is_taken_if_it_is_free_and_else_ignored)
{
	on_both(hint_body);
}

static void above_top_body(struct bed *b)
{
	struct mm *mm = space(b);
	struct mm_map what = anon_at(0, (MM_TOP - MM_MIN) >> PAGE_SHIFT);

	what.noreserve = true;
	EXPECT_EQ(mapped(b, mm, what), MM_MIN);
	what.length = PAGE_BYTES;
	EXPECT_EQ(mapped(b, mm, what), MM_TOP);
	what.length = MM_MAX - MM_TOP;
	EXPECT_EQ(map_err(b, mm, what), -ENOMEM);
	what.length -= PAGE_BYTES;
	EXPECT_EQ(mapped(b, mm, what), MM_TOP + PAGE_BYTES);
	EXPECT_EQ(nregions(mm), 1);
	expect_region(b, mm, 0, MM_MIN, MM_MAX, RW);
	EXPECT_EQ(map_err(b, mm, anon_at(0, 1)), -ENOMEM);
	unmapped(b, mm, BASE, 1);
	EXPECT_EQ(mapped(b, mm, anon_at(0, 1)), BASE);
	expect_sound(b, mm);
	drop(b, mm);
}

TEST(mm_map, what_lies_above_the_top_is_used_last_and_a_full_space_is_ENOMEM)
{
	on_both(above_top_body);
}

static void bounds_body(struct bed *b)
{
	struct mm *mm = space(b);
	struct mm_map what = anon_at(MM_MIN - PAGE_BYTES, 1);
	uint64_t ram_pages = phys_total_frames(b->env.phys);

	EXPECT_EQ(map_err(b, mm, what), -EPERM);
	EXPECT_EQ(map_err(b, mm, anon_at(MM_MAX, 1)), -ENOMEM);
	EXPECT_EQ(map_err(b, mm, anon_at(MM_MIN, (MM_MAX >> PAGE_SHIFT) + 1)), -ENOMEM);
	EXPECT_EQ(map_err(b, mm, anon_at(0, UINT64_C(1) << 51)), -ENOMEM);
	what = anon_at(MM_MIN - PAGE_BYTES, 1);
	what.fixed = false;
	what.noreplace = true;
	EXPECT_EQ(map_err(b, mm, what), -EPERM);
	EXPECT_EQ(map_err(b, mm, anon_at(BASE, ram_pages + 1)), -ENOMEM);
	what = anon_at(BASE, ram_pages + 1);
	what.prot = PROT_R;
	mapped(b, mm, what);
	what.prot = RW;
	what.noreserve = true;
	mapped(b, mm, what);
	mapped(b, mm, anon_at(BASE, ram_pages));
	EXPECT_EQ(mm_unmap(&b->ctx, mm, PT_SPAN - PAGE_BYTES, 2 * PAGE_BYTES), -EINVAL);
	EXPECT_EQ(mm_unmap(&b->ctx, mm, PT_SPAN, PAGE_BYTES), -EINVAL);
	EXPECT_EQ(mm_unmap(&b->ctx, mm, UINT64_MAX & PAGE_MASK, PAGE_BYTES), -EINVAL);
	EXPECT_EQ(mm_unmap(&b->ctx, mm, 0, UINT64_MAX & PAGE_MASK), -EINVAL);
	EXPECT_EQ(mm_protect(&b->ctx, mm, PT_SPAN, PAGE_BYTES, 0), -ENOMEM);
	EXPECT_EQ(mm_unmap(&b->ctx, mm, 0, PT_SPAN), 0);
	EXPECT_EQ(nregions(mm), 0);
	drop(b, mm);
}

/* mmap(2) ENOMEM, EPERM; vm.overcommit_memory 0: one mapping larger than RAM is refused; SEMANTICS 36, 45. */
TEST(mm_map, addresses_beyond_user_space_and_more_than_ram_are_refused)
{
	on_both(bounds_body);
}

static void shared_charge_body(struct bed *b)
{
	struct mm *mm = space(b);
	uint64_t pages = phys_total_frames(b->env.phys) + 1;
	struct object *object = file(b, pages);
	struct mm_map what = file_at(object, BASE, pages, 0, true);

	EXPECT_EQ(map_err(b, mm, what), -ENOMEM); /* anonymous: nobody else has accounted for it */
	EXPECT_EQ(object->writers, 0);
	what.backing = &b->file.backing;
	mapped(b, mm, what);
	EXPECT_EQ(b->file.refs, 1);
	drop(b, mm);
	EXPECT_EQ(b->file.refs, 0);
	file_drop(b, object);
}

TEST(mm_map, shared_anonymous_memory_larger_than_ram_is_ENOMEM_and_a_sparse_file_is_not)
{
	on_both(shared_charge_body);
}

static void fixed_body(struct bed *b)
{
	struct mm *mm = space(b);
	struct object *object = file(b, 8);
	struct mm_map what = anon_at(BASE + 2 * PAGE_BYTES, 2);

	mapped(b, mm, anon_at(BASE, 3));
	mapped(b, mm, file_at(object, BASE + 3 * PAGE_BYTES, 3, 0, true));
	EXPECT_EQ(st8(b, mm, BASE + 2 * PAGE_BYTES, 1), 0);
	EXPECT_EQ(st8(b, mm, BASE + 3 * PAGE_BYTES, 2), 0);
	EXPECT_EQ(st8(b, mm, BASE + 4 * PAGE_BYTES, 3), 0);
	what.noreplace = true;
	EXPECT_EQ(map_err(b, mm, what), -EEXIST);
	what.fixed = false;
	EXPECT_EQ(map_err(b, mm, what), -EEXIST);
	EXPECT_EQ(ld8(b, mm, BASE + 2 * PAGE_BYTES), 1);
	what.fixed = true;
	what.noreplace = false;
	what.prot = PROT_R;
	mapped(b, mm, what);
	EXPECT_EQ(nregions(mm), 3);
	EXPECT_EQ(ld8(b, mm, BASE + 2 * PAGE_BYTES), 0);
	EXPECT_EQ(ld8(b, mm, BASE + 3 * PAGE_BYTES), 0);
	EXPECT_EQ(ld8(b, mm, BASE + 4 * PAGE_BYTES), 3);
	expect_region(b, mm, BASE + 4 * PAGE_BYTES, BASE + 4 * PAGE_BYTES, BASE + 6 * PAGE_BYTES, RW);
	mapped(b, mm, anon_at(BASE, 6));
	EXPECT_EQ(nregions(mm), 1);
	EXPECT_EQ(object->writers, 0);
	EXPECT_EQ(ref_count(&object->ref), 1);
	expect_sound(b, mm);
	drop(b, mm);
	file_drop(b, object);
}

/* mmap(2) MAP_FIXED, MAP_FIXED_NOREPLACE; SEMANTICS 43. */
TEST(mm_map, fixed_replaces_what_is_there_and_noreplace_leaves_it)
{
	on_both(fixed_body);
}

static void split_body(struct bed *b)
{
	struct mm *mm = space(b);
	struct object *object = file(b, 8);
	struct mm_map what = file_at(object, BASE, 6, 1, true);

	what.backing = &b->file.backing;
	mapped(b, mm, what);
	for (unsigned i = 0; i < 6; i++)
		EXPECT_EQ(st8(b, mm, BASE + i * PAGE_BYTES, 10 + (int)i), 0);
	unmapped(b, mm, BASE + 2 * PAGE_BYTES, 2);
	EXPECT_EQ(nregions(mm), 2);
	expect_region(b, mm, 0, BASE, BASE + 2 * PAGE_BYTES, RW);
	expect_region(b, mm, BASE + 2 * PAGE_BYTES, BASE + 4 * PAGE_BYTES, BASE + 6 * PAGE_BYTES, RW);
	EXPECT_EQ(object->writers, 2);
	EXPECT_EQ(b->file.refs, 2);
	EXPECT_EQ(ld8(b, mm, BASE + PAGE_BYTES), 11);
	expect_fault(b, mm, BASE + 2 * PAGE_BYTES, ACCESS_READ, SIGSEGV, SEGV_MAPERR);
	expect_fault(b, mm, BASE + 4 * PAGE_BYTES - 1, ACCESS_WRITE, SIGSEGV, SEGV_MAPERR);
	EXPECT_EQ(ld8(b, mm, BASE + 4 * PAGE_BYTES), 14);
	expect_sound(b, mm);
	what.addr = BASE + 2 * PAGE_BYTES;
	what.length = 2 * PAGE_BYTES;
	what.pgidx = 3;
	mapped(b, mm, what);
	EXPECT_EQ(nregions(mm), 1);
	EXPECT_EQ(object->writers, 1);
	EXPECT_EQ(b->file.refs, 1);
	EXPECT_EQ(ld8(b, mm, BASE + 3 * PAGE_BYTES), 13);
	expect_sound(b, mm);
	drop(b, mm);
	EXPECT_EQ(object->writers, 0);
	file_drop(b, object);
}

/* munmap(2): any part; SEMANTICS 45, 48. */
TEST(mm_map, munmap_of_middle_pages_splits_a_mapping_and_mapping_them_again_joins_it)
{
	on_both(split_body);
}

static void no_join_body(struct bed *b)
{
	struct mm *mm = space(b);
	struct object *object = file(b, 8);
	struct mm_map what = file_at(object, BASE, 1, 0, true);

	mapped(b, mm, what);
	what.addr += PAGE_BYTES;
	mapped(b, mm, what); /* the same page again: page indices do not follow */
	EXPECT_EQ(nregions(mm), 2);
	what.addr += PAGE_BYTES;
	what.pgidx = 1;
	what.backing = &b->file.backing; /* another open file */
	mapped(b, mm, what);
	EXPECT_EQ(nregions(mm), 3);
	what.addr += PAGE_BYTES;
	what.pgidx = 2;
	what.max_prot = RW;
	mapped(b, mm, what);
	EXPECT_EQ(nregions(mm), 4);
	__atomic_fetch_add(&b->env.epoch, 1, __ATOMIC_RELAXED);
	what.addr += PAGE_BYTES;
	what.pgidx = 3;
	mapped(b, mm, what);
	EXPECT_EQ(nregions(mm), 5);
	what.addr += PAGE_BYTES;
	what.pgidx = 4;
	mapped(b, mm, what);
	EXPECT_EQ(nregions(mm), 5);
	EXPECT_EQ(object->writers, 5);
	expect_sound(b, mm);
	drop(b, mm);
	file_drop(b, object);
}

TEST(mm_map, mappings_that_differ_in_anything_stay_apart)
{
	on_both(no_join_body);
}

static void writers_body(struct bed *b)
{
	struct mm *mm = space(b);
	struct mm *child;
	struct object *object = file(b, 8);
	struct mm_map what = file_at(object, BASE, 4, 0, true);

	what.prot = PROT_R; /* but it may become writable */
	mapped(b, mm, what);
	mapped(b, mm, file_at(object, BASE + 8 * PAGE_BYTES, 4, 0, false));
	what.addr = BASE + 16 * PAGE_BYTES;
	what.max_prot = PROT_R | PROT_X;
	mapped(b, mm, what);
	EXPECT_EQ(object->writers, 1);
	EXPECT_EQ(object_deny_writers(object), -EBUSY);
	EXPECT_EQ(mm_protect(&b->ctx, mm, BASE, PAGE_BYTES, 0), 0);
	EXPECT_EQ(object->writers, 2);
	EXPECT_EQ(object_deny_writers(object), -EBUSY);
	child = forked(b, mm);
	EXPECT_EQ(object->writers, 4);
	expect_sound(b, child);
	unmapped(b, mm, BASE, 4);
	EXPECT_EQ(object->writers, 2);
	EXPECT_EQ(object_deny_writers(object), -EBUSY);
	drop(b, child);
	EXPECT_EQ(object->writers, 0);
	EXPECT_EQ(object_deny_writers(object), 0);
	expect_sound(b, mm);
	drop(b, mm);
	file_drop(b, object);
}

/* fcntl(2) F_SEAL_WRITE, EBUSY; SEMANTICS 20 to 23. */
TEST(mm_map, shared_mappings_that_may_write_are_counted_through_split_fork_and_unmap)
{
	on_both(writers_body);
}

static void denied_body(struct bed *b)
{
	struct mm *mm = space(b);
	struct object *object = file(b, 4);
	struct mm_map what = file_at(object, BASE, 4, 0, true);

	EXPECT_EQ(object_deny_writers(object), 0);
	EXPECT_EQ(map_err(b, mm, what), -EPERM);
	what.prot = PROT_R;
	EXPECT_EQ(map_err(b, mm, what), -EPERM);
	what.demote = true;
	what.prot = RW;
	EXPECT_EQ(map_err(b, mm, what), -EPERM);
	EXPECT_EQ(nregions(mm), 0);
	what.prot = PROT_R;
	mapped(b, mm, what);
	EXPECT_EQ(mm_protect(&b->ctx, mm, BASE, PAGE_BYTES, RW), -EACCES);
	EXPECT_EQ(ld8(b, mm, BASE), 0);
	expect_fault(b, mm, BASE, ACCESS_WRITE, SIGSEGV, SEGV_ACCERR);
	mapped(b, mm, file_at(object, BASE + 8 * PAGE_BYTES, 4, 0, false));
	EXPECT_EQ(st8(b, mm, BASE + 8 * PAGE_BYTES, 1), 0);
	EXPECT_EQ(ld8(b, mm, BASE), 0);
	EXPECT_EQ(object->writers, -1);
	expect_sound(b, mm);
	drop(b, mm);
	file_drop(b, object);
}

/* SEMANTICS 26, 27. */
TEST(mm_map, where_writers_are_denied_a_mapping_is_refused_or_loses_the_right_to_write)
{
	on_both(denied_body);
}

static void demote_free_body(struct bed *b)
{
	struct mm *mm = space(b);
	struct object *object = file(b, 4);
	struct mm_map what = file_at(object, BASE, 4, 0, true);

	what.prot = PROT_R;
	what.demote = true;
	mapped(b, mm, what);
	EXPECT_EQ(object->writers, 1);
	EXPECT_EQ(mm_protect(&b->ctx, mm, BASE, 4 * PAGE_BYTES, RW), 0);
	drop(b, mm);
	file_drop(b, object);
}

TEST(mm_map, where_writers_are_not_denied_demote_changes_nothing)
{
	on_both(demote_free_body);
}

enum { MM_VMAS_MAX = 65530 }; /* as Linux boots */

/* One page in two, MM_VMAS_MAX of them. */
static void fill_up(struct bed *b, struct mm *mm)
{
	struct mm_map what = anon_at(BASE, 1);

	what.prot = PROT_R;
	for (unsigned i = 0; i < MM_VMAS_MAX; i++, what.addr += 2 * PAGE_BYTES)
		SETUP(map_err(b, mm, what) == 0);
}

static void vmas_max_body(struct bed *b)
{
	struct mm *mm = space(b);
	ksim_addr last = BASE + (MM_VMAS_MAX - 1) * 2 * PAGE_BYTES;
	struct mm_map what = anon_at(BASE - 4 * PAGE_BYTES, 3);

	fill_up(b, mm);
	EXPECT_EQ(map_err(b, mm, what), 0); /* one more than there may be */
	EXPECT_EQ(map_err(b, mm, anon_at(0, 1)), -ENOMEM);
	unmapped(b, mm, last, 1);
	EXPECT_EQ(nregions(mm), MM_VMAS_MAX);
	EXPECT_EQ(mm_unmap(&b->ctx, mm, what.addr + PAGE_BYTES, PAGE_BYTES), -ENOMEM);
	EXPECT_EQ(mm_protect(&b->ctx, mm, what.addr, PAGE_BYTES, PROT_R), -ENOMEM);
	EXPECT_EQ(mm_protect(&b->ctx, mm, what.addr, PAGE_BYTES, RW), 0); /* changes nothing */
	EXPECT_EQ(mm_protect(&b->ctx, mm, what.addr, 3 * PAGE_BYTES, 0), 0);
	unmapped(b, mm, what.addr, 1);
	unmapped(b, mm, BASE, 1);
	what.addr += PAGE_BYTES;
	what.length = 2 * PAGE_BYTES;
	what.prot = RW | PROT_X;
	mapped(b, mm, what);
	EXPECT_EQ(nregions(mm), MM_VMAS_MAX - 1);
	EXPECT_EQ(mm_protect(&b->ctx, mm, what.addr, PAGE_BYTES, 0), 0);
	EXPECT_EQ(nregions(mm), MM_VMAS_MAX);
	unmapped(b, mm, 0, PT_SPAN >> PAGE_SHIFT);
	EXPECT_EQ(nregions(mm), 0);
	EXPECT_MSG(mm->vmas.nspares < 8, "%u node buffers are kept", mm->vmas.nspares);
	drop(b, mm);
}

/* mmap(2), munmap(2), mprotect(2) ENOMEM: "the process's maximum number of mappings would have been exceeded". */
TEST(mm_map, a_process_has_at_most_so_many_mappings)
{
	on_both(vmas_max_body);
}

static void fixed_at_max_body(struct bed *b)
{
	struct mm *mm = space(b);
	struct mm_map what = anon_at(BASE - 8 * PAGE_BYTES, 5);

	fill_up(b, mm);
	unmapped(b, mm, BASE, 1);
	mapped(b, mm, what);
	what.addr += 2 * PAGE_BYTES;
	what.length = PAGE_BYTES;
	what.prot = PROT_R;
	EXPECT_EQ(map_err(b, mm, what), -ENOMEM); /* one mapping would become three */
	expect_region(b, mm, what.addr, what.addr - 2 * PAGE_BYTES, what.addr + 3 * PAGE_BYTES, RW);
	unmapped(b, mm, BASE + 4 * PAGE_BYTES, 1);
	mapped(b, mm, what);
	EXPECT_EQ(nregions(mm), MM_VMAS_MAX + 1);
	drop(b, mm);
}

TEST(mm_map, replacing_the_middle_of_a_mapping_counts_both_new_ones)
{
	on_both(fixed_at_max_body);
}

static void region_body(struct bed *b)
{
	struct mm *mm = space(b);
	struct object *object = file(b, 8);
	struct mm_map what = file_at(object, BASE, 2, 3, true);
	struct mm_region region;

	EXPECT(!mm_region(&b->ctx, mm, 0, &region));
	what.backing = &b->file.backing;
	what.max_prot = RW;
	b->ctx.call = "mmap";
	mapped(b, mm, what);
	b->ctx.call = "other";
	unmapped(b, mm, BASE, 1);
	EXPECT(mm_region(&b->ctx, mm, 0, &region));
	EXPECT_EQ(region.start, BASE + PAGE_BYTES);
	EXPECT_EQ(region.offset, 4 * PAGE_BYTES);
	EXPECT_EQ(region.max_prot, RW);
	EXPECT_EQ(region.inode, 7);
	EXPECT(region.shared);
	EXPECT(region.owner == &b->process);
	EXPECT_STREQ(region.name, "/memfd:fake (deleted)");
	EXPECT_STREQ(region.call, "mmap");
	EXPECT(!mm_region(&b->ctx, mm, BASE + 2 * PAGE_BYTES, &region));
	what.addr += 8 * PAGE_BYTES;
	what.backing = NULL;
	mapped(b, mm, what);
	EXPECT(mm_region(&b->ctx, mm, what.addr, &region));
	EXPECT_STREQ(region.name, "/dev/zero (deleted)");
	mapped(b, mm, anon_at(BASE, 1));
	EXPECT(mm_region(&b->ctx, mm, BASE, &region));
	EXPECT_STREQ(region.name, "");
	EXPECT_EQ(region.offset, 0);
	drop(b, mm);
	file_drop(b, object);
}

/* proc(5) /proc/pid/maps; SEMANTICS 10. */
TEST(mm_map, a_region_tells_what_maps_shows)
{
	on_both(region_body);
}

static void keeps_alive_body(struct bed *b)
{
	struct mm *mm = space(b);
	struct object *object = file(b, 1);

	mapped(b, mm, file_at(object, BASE, 1, 0, true));
	EXPECT_EQ(st8(b, mm, BASE, 5), 0);
	file_drop(b, object);
	EXPECT_EQ(ld8(b, mm, BASE), 5);
	unmapped(b, mm, BASE, 1);
	EXPECT_EQ(owners_total(&b->env.owners, CENSUS_OBJECT), 0);
	drop(b, mm);
}

/* SEMANTICS 48. */
TEST(mm_map, a_mapping_alone_keeps_its_file)
{
	on_both(keeps_alive_body);
}
