// SPDX-License-Identifier: MIT
/*
 * What an access runs into, which frame it finds, and what mprotect makes of both.
 */
#include "bed.h"

#include "phys/group.h"

static void kinds_body(struct bed *b)
{
	struct mm *mm = space(b);
	struct object *object = file(b, 2);
	struct mm_map what = anon_at(BASE + PAGE_BYTES, 1);

	expect_fault(b, mm, 0, ACCESS_READ, SIGSEGV, SEGV_MAPERR);
	expect_fault(b, mm, PT_SPAN, ACCESS_WRITE, SIGSEGV, SEGV_MAPERR);
	expect_fault(b, mm, UINT64_MAX, ACCESS_READ, SIGSEGV, SEGV_MAPERR);
	what.prot = 0;
	mapped(b, mm, what);
	expect_fault(b, mm, what.addr - 1, ACCESS_READ, SIGSEGV, SEGV_MAPERR);
	expect_fault(b, mm, what.addr, ACCESS_READ, SIGSEGV, SEGV_ACCERR);
	expect_fault(b, mm, what.addr + PAGE_BYTES - 1, ACCESS_WRITE, SIGSEGV, SEGV_ACCERR);
	expect_fault(b, mm, what.addr + PAGE_BYTES, ACCESS_WRITE, SIGSEGV, SEGV_MAPERR);
	what.addr += PAGE_BYTES;
	what.prot = PROT_R;
	mapped(b, mm, what);
	EXPECT_EQ(ld8(b, mm, what.addr + 77), 0);
	expect_fault(b, mm, what.addr + 77, ACCESS_WRITE, SIGSEGV, SEGV_ACCERR);
	what = file_at(object, BASE + 8 * PAGE_BYTES, 4, 0, true);
	mapped(b, mm, what);
	EXPECT_EQ(st8(b, mm, what.addr + 2 * PAGE_BYTES - 1, 9), 0);
	expect_fault(b, mm, what.addr + 2 * PAGE_BYTES, ACCESS_READ, SIGBUS, BUS_ADRERR);
	expect_fault(b, mm, what.addr + 3 * PAGE_BYTES + 5, ACCESS_WRITE, SIGBUS, BUS_ADRERR);
	EXPECT_EQ(mm_protect(&b->ctx, mm, what.addr, what.length, PROT_R), 0);
	expect_fault(b, mm, what.addr + 3 * PAGE_BYTES, ACCESS_WRITE, SIGSEGV, SEGV_ACCERR);
	expect_fault(b, mm, what.addr + 3 * PAGE_BYTES, ACCESS_READ, SIGBUS, BUS_ADRERR);
	expect_sound(b, mm);
	drop(b, mm);
	file_drop(b, object);
}

/* SEMANTICS 47, 49: sigaction(2) si_code and si_addr. */
TEST(mm_fault, each_kind_has_its_signal_code_and_address)
{
	on_both(kinds_body);
}

static void implied_body(struct bed *b)
{
	struct mm *mm = space(b);
	static const uint8_t prots[] = { PROT_W, PROT_X, PROT_W | PROT_X };
	struct mm_translation t;

	for (size_t i = 0; i < ARRAY_SIZE(prots); i++) {
		struct mm_map what = anon_at(BASE + 2 * i * PAGE_BYTES, 1);

		what.prot = prots[i];
		mapped(b, mm, what);
		EXPECT_EQ(ld8(b, mm, what.addr), 0);
		EXPECT_EQ(st8(b, mm, what.addr, 1), prots[i] & PROT_W ? 0 : -SIGSEGV);
		EXPECT_EQ(mm_translate(&b->ctx, mm, what.addr, &t), 0);
		EXPECT_EQ(!(t.flags & PTE_EXEC), !(prots[i] & PROT_X));
		expect_sound(b, mm);
	}
	drop(b, mm);
}

/* SEMANTICS 47: "PROT_WRITE alone is readable". */
TEST(mm_fault, write_and_execute_permission_allow_reading)
{
	on_both(implied_body);
}

static void zero_body(struct bed *b)
{
	struct mm *mm = space(b);
	uint64_t free_before;
	struct mm_translation t;

	mapped(b, mm, anon_at(BASE, 4));
	EXPECT_EQ(ld8(b, mm, BASE), 0);
	free_before = phys_free_frames(&b->ctx);
	EXPECT_EQ(ld8(b, mm, BASE + PAGE_BYTES), 0);
	EXPECT_EQ(phys_free_frames(&b->ctx), free_before); /* the frame of zeros serves all */
	EXPECT_EQ(frame_at(b, mm, BASE).n, b->env.zero_pfn);
	EXPECT_EQ(frame_at(b, mm, BASE + PAGE_BYTES).n, b->env.zero_pfn);
	EXPECT_EQ(mm_translate(&b->ctx, mm, BASE, &t), 0);
	EXPECT_EQ(t.refs, 3);
	EXPECT_EQ(t.mappers, 2);
	EXPECT_EQ(st8(b, mm, BASE + 100, 7), 0);
	EXPECT_EQ(phys_free_frames(&b->ctx), free_before - 1);
	EXPECT_EQ(ld8(b, mm, BASE + 99), 0);
	EXPECT_EQ(ld8(b, mm, BASE + 100), 7);
	EXPECT_EQ(ld8(b, mm, BASE + PAGE_BYTES + 100), 0);
	EXPECT_EQ(st8(b, mm, BASE + 2 * PAGE_BYTES, 8), 0);
	EXPECT_EQ(phys_free_frames(&b->ctx), free_before - 2);
	expect_sound(b, mm);
	drop(b, mm);
}

TEST(mm_fault, anonymous_memory_reads_as_zeros_without_frames_of_its_own)
{
	on_both(zero_body);
}

static void shared_body(struct bed *b)
{
	struct mm *a = space(b), *z = space(b);
	struct object *object = file(b, 4);
	struct mm_translation t;

	mapped(b, a, file_at(object, BASE, 4, 0, true));
	mapped(b, z, file_at(object, BASE + 16 * PAGE_BYTES, 2, 1, true));
	EXPECT_EQ(st8(b, a, BASE + PAGE_BYTES, 'a'), 0);
	EXPECT_EQ(ld8(b, z, BASE + 16 * PAGE_BYTES), 'a');
	EXPECT_EQ(frame_at(b, a, BASE + PAGE_BYTES).n, frame_at(b, z, BASE + 16 * PAGE_BYTES).n);
	EXPECT_EQ(mm_translate(&b->ctx, a, BASE + PAGE_BYTES, &t), 0);
	EXPECT_EQ(t.mappers, 2);
	EXPECT_EQ(t.refs, 3);
	EXPECT_EQ(t.use, FRAME_FILE);
	EXPECT_EQ(file_byte(b, object, PAGE_BYTES), 'a');
	EXPECT_EQ(object_pages(&b->ctx, object), 1);
	mapped(b, a, file_at(object, BASE + 32 * PAGE_BYTES, 4, 0, true));
	EXPECT_EQ(ld8(b, a, BASE + 33 * PAGE_BYTES), 'a');
	EXPECT_EQ(mm_translate(&b->ctx, a, BASE + PAGE_BYTES, &t), 0);
	EXPECT_EQ(t.mappers, 3);
	EXPECT_EQ(st8(b, z, BASE + 17 * PAGE_BYTES, 'z'), 0);
	EXPECT_EQ(ld8(b, a, BASE + 2 * PAGE_BYTES), 'z');
	expect_sound(b, a);
	expect_sound(b, z);
	drop(b, a);
	drop(b, z);
	EXPECT_EQ(object_pages(&b->ctx, object), 2);
	file_drop(b, object);
}

TEST(mm_fault, all_shared_mappings_of_a_page_lead_to_one_frame)
{
	on_both(shared_body);
}

static void private_file_body(struct bed *b)
{
	struct mm *mm = space(b);
	struct object *object = file(b, 3);
	pfn_t page;

	file_set(b, object, 5, 1);
	file_set(b, object, PAGE_BYTES + 5, 2);
	mapped(b, mm, file_at(object, BASE, 3, 0, false));
	EXPECT_EQ(ld8(b, mm, BASE + 5), 1);
	page = frame_at(b, mm, BASE);
	EXPECT_EQ(frame_of(b->env.phys, page)->use, FRAME_FILE);
	file_set(b, object, 5, 11);
	EXPECT_EQ(ld8(b, mm, BASE + 5), 11); /* sees later writes to the file */
	EXPECT_EQ(st8(b, mm, BASE + 6, 12), 0);
	EXPECT(frame_at(b, mm, BASE).n != page.n);
	EXPECT_EQ(ld8(b, mm, BASE + 5), 11);
	file_set(b, object, 5, 13);
	EXPECT_EQ(ld8(b, mm, BASE + 5), 11); /* never again */
	EXPECT_EQ(file_byte(b, object, 6), 0);
	EXPECT_EQ(st8(b, mm, BASE + PAGE_BYTES, 3), 0); /* stored to before it was read */
	EXPECT_EQ(ld8(b, mm, BASE + PAGE_BYTES + 5), 2);
	EXPECT_EQ(file_byte(b, object, PAGE_BYTES), 0);
	EXPECT_EQ(ld8(b, mm, BASE + 2 * PAGE_BYTES), 0);
	EXPECT_EQ(object_pages(&b->ctx, object), 3); /* the hole has a page now: SEMANTICS 61 */
	expect_sound(b, mm);
	drop(b, mm);
	file_drop(b, object);
}

/* mmap(2) MAP_PRIVATE; SEMANTICS 56. */
TEST(mm_fault, a_private_mapping_sees_the_file_until_it_stores)
{
	on_both(private_file_body);
}

static void protect_body(struct bed *b)
{
	struct mm *mm = space(b);
	uint64_t free_before;
	pfn_t page;

	mapped(b, mm, anon_at(BASE, 6));
	EXPECT_EQ(st8(b, mm, BASE + PAGE_BYTES, 4), 0);
	page = frame_at(b, mm, BASE + PAGE_BYTES);
	free_before = phys_free_frames(&b->ctx);
	EXPECT_EQ(mm_protect(&b->ctx, mm, BASE + PAGE_BYTES, PAGE_BYTES, PROT_R), 0);
	EXPECT_EQ(nregions(mm), 3);
	EXPECT_EQ(ld8(b, mm, BASE + PAGE_BYTES), 4);
	expect_fault(b, mm, BASE + PAGE_BYTES, ACCESS_WRITE, SIGSEGV, SEGV_ACCERR);
	EXPECT_EQ(mm_protect(&b->ctx, mm, BASE, 6 * PAGE_BYTES, 0), 0);
	EXPECT_EQ(nregions(mm), 1);
	expect_fault(b, mm, BASE + PAGE_BYTES, ACCESS_READ, SIGSEGV, SEGV_ACCERR);
	expect_sound(b, mm);
	EXPECT_EQ(mm_protect(&b->ctx, mm, BASE, 6 * PAGE_BYTES, RW), 0);
	EXPECT_EQ(ld8(b, mm, BASE + PAGE_BYTES), 4);
	EXPECT_EQ(st8(b, mm, BASE + PAGE_BYTES, 5), 0);
	EXPECT_EQ(frame_at(b, mm, BASE + PAGE_BYTES).n, page.n); /* reused in place */
	EXPECT_EQ(phys_free_frames(&b->ctx), free_before);
	EXPECT_EQ(ld8(b, mm, BASE), 0); /* the frame of zeros must not become writable */
	EXPECT_EQ(mm_protect(&b->ctx, mm, BASE, PAGE_BYTES, PROT_R), 0);
	EXPECT_EQ(mm_protect(&b->ctx, mm, BASE, PAGE_BYTES, RW), 0);
	EXPECT_EQ(st8(b, mm, BASE, 6), 0);
	EXPECT(frame_at(b, mm, BASE).n != b->env.zero_pfn);
	EXPECT_EQ(nregions(mm), 1);
	expect_sound(b, mm);
	drop(b, mm);
}

TEST(mm_fault, mprotect_takes_rights_from_entries_at_once_and_gives_them_back_by_faults)
{
	on_both(protect_body);
}

static void protect_shared_body(struct bed *b)
{
	struct mm *mm = space(b);
	struct object *object = file(b, 2);
	struct mm_map what = file_at(object, BASE, 2, 0, true);
	struct mm_translation t;

	what.prot = PROT_R;
	mapped(b, mm, what);
	EXPECT_EQ(ld8(b, mm, BASE), 0);
	EXPECT_EQ(mm_protect(&b->ctx, mm, BASE, 2 * PAGE_BYTES, RW), 0);
	EXPECT_EQ(mm_translate(&b->ctx, mm, BASE, &t), 0);
	EXPECT(t.flags & PTE_WRITE);
	EXPECT_EQ(st8(b, mm, BASE, 3), 0);
	EXPECT_EQ(file_byte(b, object, 0), 3);
	expect_sound(b, mm);
	drop(b, mm);
	file_drop(b, object);
}

TEST(mm_fault, mprotect_makes_present_shared_pages_writable_in_place)
{
	on_both(protect_shared_body);
}

static void partial_body(struct bed *b)
{
	struct mm *mm = space(b);
	struct mm_map what = anon_at(BASE + 4 * PAGE_BYTES, 2);

	mapped(b, mm, anon_at(BASE, 2));
	mapped(b, mm, what); /* a hole of two pages lies between */
	EXPECT_EQ(mm_protect(&b->ctx, mm, BASE + PAGE_BYTES, 5 * PAGE_BYTES, PROT_R), -ENOMEM);
	expect_region(b, mm, BASE, BASE, BASE + PAGE_BYTES, RW);
	expect_region(b, mm, BASE + PAGE_BYTES, BASE + PAGE_BYTES, BASE + 2 * PAGE_BYTES, PROT_R);
	expect_region(b, mm, what.addr, what.addr, what.addr + 2 * PAGE_BYTES, RW);
	EXPECT_EQ(mm_protect(&b->ctx, mm, BASE + 2 * PAGE_BYTES, 5 * PAGE_BYTES, PROT_R), -ENOMEM);
	expect_region(b, mm, what.addr, what.addr, what.addr + 2 * PAGE_BYTES, RW);
	what.addr = BASE + 2 * PAGE_BYTES;
	what.prot = what.max_prot = PROT_R;
	mapped(b, mm, what);
	EXPECT_EQ(mm_protect(&b->ctx, mm, BASE, 6 * PAGE_BYTES, RW | PROT_X), -EACCES);
	expect_region(b, mm, BASE, BASE, BASE + 2 * PAGE_BYTES, RW | PROT_X);
	expect_region(b, mm, BASE + 2 * PAGE_BYTES, BASE + 2 * PAGE_BYTES, BASE + 4 * PAGE_BYTES, PROT_R);
	expect_region(b, mm, BASE + 4 * PAGE_BYTES, BASE + 4 * PAGE_BYTES, BASE + 6 * PAGE_BYTES, RW);
	EXPECT_EQ(mm_protect(&b->ctx, mm, BASE + 2 * PAGE_BYTES, PAGE_BYTES, 0), 0);
	EXPECT_EQ(mm_protect(&b->ctx, mm, BASE + 2 * PAGE_BYTES, PAGE_BYTES, PROT_R), 0);
	EXPECT_EQ(nregions(mm), 3);
	expect_sound(b, mm);
	drop(b, mm);
}

/* mprotect(2) ENOMEM, EACCES: what lies before is changed; SEMANTICS 42, 46. */
TEST(mm_fault, mprotect_over_a_hole_or_beyond_what_is_allowed_changes_what_lies_before)
{
	on_both(partial_body);
}

static void out_of_ram_body(struct bed *b)
{
	struct mm *mm = space(b);
	struct mm_map what = anon_at(BASE, 4000);
	struct object *object;
	uint64_t i = 0;

	what.noreserve = true;
	mapped(b, mm, what);
	while (st8(b, mm, BASE + i * PAGE_BYTES, 1) == 0)
		i++;
	EXPECT_EQ(b->fault.signo, SIGKILL);
	EXPECT_EQ(b->fault.addr, BASE + i * PAGE_BYTES);
	EXPECT_STREQ(b->fault.why, "a private page");
	EXPECT_EQ(phys_free_frames(&b->ctx), 0);
	EXPECT_EQ(ld8(b, mm, BASE + i * PAGE_BYTES), 0); /* needs no frame */
	EXPECT_EQ(st8(b, mm, BASE + i * PAGE_BYTES, 1), -SIGKILL);
	EXPECT_STREQ(b->fault.why, "a private copy of a page");
	EXPECT_EQ(ld8(b, mm, BASE + 3999 * PAGE_BYTES), -SIGKILL);
	EXPECT_STREQ(b->fault.why, "a page-table node");
	expect_sound(b, mm);
	unmapped(b, mm, BASE, 1);
	EXPECT_EQ(st8(b, mm, BASE + i * PAGE_BYTES, 1), 0);
	object = file(b, 1);
	mapped(b, mm, file_at(object, BASE, 1, 0, true));
	EXPECT_EQ(ld8(b, mm, BASE), -SIGKILL);
	EXPECT_STREQ(b->fault.why, "a page of a file");
	expect_sound(b, mm);
	drop(b, mm);
	file_drop(b, object);
}

/* DESIGN: a touch that finds no frame ends the process, as Linux's OOM killer would, and says which allocation. */
TEST(mm_fault, a_touch_without_a_free_frame_is_SIGKILL_with_the_reason)
{
	on_both_with_ram(4 * MIB, out_of_ram_body);
}

static void limited_body(struct bed *b)
{
	struct mm *mm = space(b);
	struct object *object = file(b, 1);
	struct group_look look;
	uint32_t group;

	mapped(b, mm, anon_at(BASE, 2));
	EXPECT_EQ(st8(b, mm, BASE, 1), 0);
	mapped(b, mm, file_at(object, BASE + 2 * PAGE_BYTES, 1, 0, false));
	SETUP(group_create(&b->ctx, 1, &group) == 0);
	owner_set_group(&b->process, group);
	EXPECT_EQ(st8(b, mm, BASE + PAGE_BYTES, 1), 0);
	EXPECT_EQ(ld8(b, mm, BASE + 2 * PAGE_BYTES), -SIGKILL);
	EXPECT_STREQ(b->fault.why, "a page of a file");
	EXPECT(b->fault.limited && b->fault.limit == PAGE_BYTES);
	EXPECT(group_look(b->env.phys, group, &look) && look.used == 1 && look.refused == 1);
	unmapped(b, mm, BASE + PAGE_BYTES, 1);
	EXPECT(group_look(b->env.phys, group, &look) && look.used == 0);
	EXPECT_EQ(ld8(b, mm, BASE + 2 * PAGE_BYTES), 0);
	EXPECT_EQ(st8(b, mm, BASE + 2 * PAGE_BYTES, 1), -SIGKILL);
	EXPECT_STREQ(b->fault.why, "a private copy of a page");
	EXPECT(b->fault.limited);
	owner_set_group(&b->process, GROUP_NONE);
	bed_fail_at(b, 1);
	EXPECT_EQ(st8(b, mm, BASE + 2 * PAGE_BYTES, 1), -SIGKILL);
	EXPECT(!b->fault.limited); /* this time it was something else */
	bed_fail_at(b, NEVER);
	expect_sound(b, mm);
	drop(b, mm);
	file_drop(b, object);
}

TEST(mm_fault, touch_above_the_limit_of_a_memory_group_is_SIGKILL_and_tells_the_limit)
{
	on_both(limited_body);
}

static void nodes_body(struct bed *b)
{
	struct mm *mm = space(b);
	static const ksim_addr far[] = { MM_MIN, BASE, UINT64_C(0x10000000000), UINT64_C(0x7f0000000000) };
	uint64_t nodes = mm->pt.nodes;

	for (size_t i = 0; i < ARRAY_SIZE(far); i++) {
		mapped(b, mm, anon_at(far[i], 1024));
		EXPECT_EQ(st8(b, mm, far[i], 1), 0);
		EXPECT_EQ(st8(b, mm, far[i] + 600 * PAGE_BYTES, 1), 0);
	}
	EXPECT(mm->pt.nodes > nodes + 8);
	unmapped(b, mm, BASE + 3 * PAGE_BYTES, 512); /* exactly one leaf node's pages */
	expect_sound(b, mm);
	for (size_t i = 0; i < ARRAY_SIZE(far); i++) {
		unmapped(b, mm, far[i], 1024);
		expect_sound(b, mm);
	}
	EXPECT_EQ(mm->pt.nodes, nodes);
	EXPECT_EQ(owners_total(&b->env.owners, CENSUS_TABLE), 1);
	drop(b, mm);
}

TEST(mm_fault, nodes_go_with_the_last_mapping_below_them)
{
	on_both(nodes_body);
}

/* ---- execution, of users who reach memory by addresses of the host's ---- */

static void exec_kinds_body(struct bed *b)
{
	struct mm *mm = space(b);
	struct object *object = file(b, 2);
	struct mm_map what = anon_at(BASE, 1);

	expect_fault(b, mm, BASE, ACCESS_EXEC, SIGSEGV, SEGV_MAPERR);
	mapped(b, mm, what);
	expect_fault(b, mm, BASE, ACCESS_EXEC, SIGSEGV, SEGV_ACCERR);
	EXPECT_EQ(st8(b, mm, BASE, 1), 0);
	expect_fault(b, mm, BASE + 1, ACCESS_EXEC, SIGSEGV, SEGV_ACCERR); /* though it is present */
	what = file_at(object, BASE + 8 * PAGE_BYTES, 4, 0, true);
	what.prot = PROT_R | PROT_X;
	mapped(b, mm, what);
	expect_fault(b, mm, what.addr + 2 * PAGE_BYTES, ACCESS_EXEC, SIGBUS, BUS_ADRERR);
	expect_fault(b, mm, PT_SPAN, ACCESS_EXEC, SIGSEGV, SEGV_MAPERR);
	expect_sound(b, mm);
	drop(b, mm);
	file_drop(b, object);
}

TEST(mm_fault, execution_of_what_is_not_mapped_so_has_its_signal_code_and_address)
{
	on_both(exec_kinds_body);
}

static void exec_body(struct bed *b)
{
	struct mm *mm = space(b);
	struct object *object = file(b, 1);
	struct mm_map what = anon_at(BASE, 1);
	struct mm_translation t;

	what.prot = PROT_R | PROT_W | PROT_X;
	mapped(b, mm, what);
	EXPECT_EQ(mm_fault(&b->ctx, mm, BASE, ACCESS_EXEC, &b->fault), 0);
	EXPECT_EQ(mm_translate(&b->ctx, mm, BASE, &t), 0);
	EXPECT_EQ(t.pfn.n, b->env.zero_pfn); /* no frame of its own */
	EXPECT_EQ(t.flags & (PTE_WRITE | PTE_EXEC), PTE_EXEC);
	file_set(b, object, 0, 'f');
	what = file_at(object, BASE + 8 * PAGE_BYTES, 1, 0, false);
	what.prot = PROT_R | PROT_W | PROT_X;
	mapped(b, mm, what);
	EXPECT_EQ(mm_fault(&b->ctx, mm, what.addr, ACCESS_EXEC, &b->fault), 0);
	EXPECT_EQ(mm_translate(&b->ctx, mm, what.addr, &t), 0);
	EXPECT_EQ(t.use, FRAME_FILE); /* no copy */
	EXPECT_EQ(t.flags & (PTE_WRITE | PTE_EXEC), PTE_EXEC);
	expect_sound(b, mm);
	drop(b, mm);
	file_drop(b, object);
}

TEST(mm_fault, execution_needs_no_page_of_its_own)
{
	on_both(exec_body);
}

static void exec_later_body(struct bed *b)
{
	struct mm *mm = space(b);
	pfn_t pfn;

	mapped(b, mm, anon_at(BASE, 1));
	EXPECT_EQ(st8(b, mm, BASE, 1), 0);
	pfn = frame_at(b, mm, BASE);
	EXPECT_EQ(mm_protect(&b->ctx, mm, BASE, PAGE_BYTES, PROT_R | PROT_X), 0);
	EXPECT_EQ(mm_fault(&b->ctx, mm, BASE, ACCESS_EXEC, &b->fault), 0);
	EXPECT(pte_allows(mm->pt.format, pt_walk(&mm->pt, BASE), PTE_EXEC));
	EXPECT_EQ(frame_at(b, mm, BASE).n, pfn.n);
	EXPECT_EQ(mm_protect(&b->ctx, mm, BASE, PAGE_BYTES, RW), 0);
	expect_fault(b, mm, BASE, ACCESS_EXEC, SIGSEGV, SEGV_ACCERR);
	expect_sound(b, mm);
	drop(b, mm);
}

TEST(mm_fault, page_that_mprotect_makes_executable_stays_the_same_page)
{
	on_both(exec_later_body);
}
