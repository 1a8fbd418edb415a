// SPDX-License-Identifier: MIT
/*
 * The accessed and dirty bits of an entry are set without any lock, so whoever changes an entry must expect one of them
 * to come between. Here it always comes between: the address space has an entry format of its own, which sets the
 * dirty bit in the page table while a caller encodes the entry's replacement, or decodes what it has read.
 */
#include "bed.h"

/* A mark that comes once; one test runs at a time. */
static struct {
	const struct pte_format *real;
	struct pte_format format;
	pte_t *entry;
	unsigned came;
} mark;

static void come(void)
{
	pte_t *entry = mark.entry;

	mark.entry = NULL;
	if (entry != NULL) {
		unsigned was = mark.real->decode(entry->bits);

		*entry = pte_make(mark.real, pte_pfn(*entry), was | PTE_DIRTY);
		mark.came++;
	}
}

static uint64_t encode_late(unsigned flags)
{
	come();
	return mark.real->encode(flags);
}

static unsigned decode_late(uint64_t bits)
{
	unsigned flags = mark.real->decode(bits);

	come();
	return flags;
}

static pte_t *entry_at(struct mm *mm, ksim_addr addr)
{
	struct pt_slot slot;

	SETUP(pt_find(&mm->pt, addr, &slot));
	return slot.entry;
}

/* From now on: the next time an entry is made for the space, the one at addr becomes dirty meanwhile. */
static void mark_late(struct mm *mm, ksim_addr addr)
{
	mark.real = pte_format_of(mm->env->arch);
	mark.format = *mark.real;
	mark.format.encode = encode_late;
	mark.came = 0;
	mark.entry = entry_at(mm, addr);
	SETUP(!(mark.real->decode(mark.entry->bits) & PTE_DIRTY));
	mm->pt.format = &mark.format;
}

/* It did, and the entry has kept the bit. @return what else the entry says */
static unsigned flags_after(struct mm *mm, ksim_addr addr)
{
	unsigned flags;

	mm->pt.format = mark.real;
	flags = pte_flags(mark.real, *entry_at(mm, addr));
	EXPECT_EQ(mark.came, 1);
	EXPECT_MSG(flags & PTE_DIRTY, "flags %#x", flags);
	return flags & (PTE_READ | PTE_WRITE | PTE_EXEC);
}

/* A space with one private page that has been written; its entry is not marked, as a fault leaves it. */
static struct mm *space_with_page(struct bed *b)
{
	struct mm *mm = space(b);

	mapped(b, mm, anon_at(BASE, 1));
	SETUP(st8(b, mm, BASE, 42) == 0);
	return mm;
}

static void mprotect_body(struct bed *b)
{
	struct mm *mm = space_with_page(b);

	mark_late(mm, BASE);
	EXPECT_EQ(mm_protect(&b->ctx, mm, BASE, PAGE_BYTES, PROT_R), 0);
	EXPECT_EQ(flags_after(mm, BASE), PTE_READ);
	expect_sound(b, mm);
	drop(b, mm);
}

TEST(mm_marks, mprotect_keeps_a_dirty_bit_that_comes_between)
{
	on_both(mprotect_body);
}

static void fork_body(struct bed *b)
{
	struct mm *mm = space_with_page(b), *child = NULL;

	mark_late(mm, BASE);
	EXPECT_EQ(mm_fork(&b->ctx, mm, &child), 0);
	EXPECT_EQ(flags_after(mm, BASE), PTE_READ);
	EXPECT_EQ(ld8(b, child, BASE), 42);
	EXPECT_EQ(frame_at(b, child, BASE).n, frame_at(b, mm, BASE).n);
	expect_sound(b, mm);
	drop(b, child);
	drop(b, mm);
}

TEST(mm_marks, fork_keeps_a_dirty_bit_that_comes_between_and_protects_the_page)
{
	on_both(fork_body);
}

static void fault_body(struct bed *b)
{
	struct mm *mm = space_with_page(b), *child = forked(b, mm);

	drop(b, child);
	mark_late(mm, BASE);
	EXPECT_EQ(mm_fault(&b->ctx, mm, BASE, ACCESS_WRITE, &b->fault), 0);
	EXPECT_EQ(flags_after(mm, BASE), PTE_READ | PTE_WRITE);
	EXPECT_EQ(ld8(b, mm, BASE), 42);
	expect_sound(b, mm);
	drop(b, mm);
}

TEST(mm_marks, write_fault_on_a_page_of_its_own_keeps_a_dirty_bit_that_comes_between)
{
	on_both(fault_body);
}

static void early_fault_body(struct bed *b)
{
	struct mm *mm = space_with_page(b), *child = forked(b, mm);

	drop(b, child);
	mark_late(mm, BASE);
	mark.format.encode = mark.real->encode;
	mark.format.decode = decode_late;
	EXPECT_EQ(mm_fault(&b->ctx, mm, BASE, ACCESS_WRITE, &b->fault), 0);
	EXPECT_EQ(flags_after(mm, BASE), PTE_READ | PTE_WRITE);
	EXPECT_EQ(ld8(b, mm, BASE), 42);
	drop(b, mm);
}

TEST(mm_marks, write_fault_looks_again_when_the_entry_changed_since_it_was_read)
{
	on_both(early_fault_body);
}

static void usercopy_body(struct bed *b)
{
	struct mm *mm = space_with_page(b);
	uint8_t byte = 0;

	b->ctx.mm = mm;
	mark_late(mm, BASE);
	EXPECT_EQ(mm_user_ops.copy(&b->ctx, BASE, &byte, 1, false), 1);
	EXPECT_EQ(flags_after(mm, BASE), PTE_READ | PTE_WRITE);
	EXPECT_EQ(byte, 42);
	EXPECT(pte_flags(mark.real, *entry_at(mm, BASE)) & PTE_ACCESSED);
	b->ctx.mm = NULL;
	drop(b, mm);
}

TEST(mm_marks, usercopy_sets_the_accessed_bit_and_keeps_a_dirty_bit_that_comes_between)
{
	on_both(usercopy_body);
}
