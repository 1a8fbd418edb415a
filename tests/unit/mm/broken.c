// SPDX-License-Identifier: MIT
/*
 * The validator of an address space, fed with spaces in which one thing is wrong: it must say which.
 */
#include "bed.h"

#include "mm/vma.h"
#include "unit/aborts.h"
#include "unit/finds.h"

/* Of an address space: three private pages at BASE, four shared ones of a file behind a hole; one of each is there. */
struct scene {
	struct mm *mm;
	struct object *object;
	struct vma *private, *shared;
	pte_t *private_entry, *shared_entry;
	struct frame *private_frame, *shared_frame;
};

#define FILE_BASE (BASE + 8 * PAGE_BYTES)

static pte_t *entry_at(struct mm *mm, ksim_addr addr)
{
	struct pt_slot slot;

	SETUP(pt_find(&mm->pt, addr, &slot));
	return slot.entry;
}

static void scene_open(struct scene *s, struct bed *b)
{
	s->mm = space(b);
	s->object = file(b, 4);
	mapped(b, s->mm, anon_at(BASE, 3));
	mapped(b, s->mm, file_at(s->object, FILE_BASE, 4, 0, true));
	SETUP(st8(b, s->mm, BASE, 1) == 0 && st8(b, s->mm, FILE_BASE, 2) == 0);
	s->private = ranges_find(&s->mm->vmas, BASE);
	s->shared = ranges_find(&s->mm->vmas, FILE_BASE);
	s->private_entry = entry_at(s->mm, BASE);
	s->shared_entry = entry_at(s->mm, FILE_BASE);
	s->private_frame = frame_of(b->env.phys, pte_pfn(*s->private_entry));
	s->shared_frame = frame_of(b->env.phys, pte_pfn(*s->shared_entry));
	EXPECT_SOUND(mm_check, &b->ctx, s->mm);
}

static void scene_close(struct scene *s, struct bed *b)
{
	EXPECT_SOUND(mm_check, &b->ctx, s->mm);
	drop(b, s->mm);
	file_drop(b, s->object);
}

static void vma_body(struct bed *b)
{
	struct ctx *ctx = &b->ctx;
	struct vma *vma;
	struct scene s;

	scene_open(&s, b);
	vma = s.private;
	EXPECT_FINDS_WHILE(vma->end, vma->start, "a VMA is a row of pages: [0x3fffd000, 0x3fffd000)", mm_check, ctx,
	                   s.mm);
	EXPECT_FINDS_WHILE(vma->end, vma->end + 1, "a VMA is a row of pages: [0x3fffd000, 0x40000001)", mm_check, ctx,
	                   s.mm);
	EXPECT_FINDS_WHILE(vma->end, vma->end - PAGE_BYTES, "a VMA's bounds are those of its range in the tree",
	                   mm_check, ctx, s.mm);
	EXPECT_FINDS_WHILE(vma->start, vma->start - PAGE_BYTES, "a VMA's bounds are those of its range in the tree",
	                   mm_check, ctx, s.mm);
	EXPECT_FINDS_WHILE(vma->start, vma->start + PAGE_BYTES, "a VMA's bounds are those of its range in the tree",
	                   mm_check, ctx, s.mm);
	EXPECT_FINDS_WHILE(vma->end, FILE_BASE + PAGE_BYTES, "VMAs are disjoint: 0x40006000, 0x40005000", mm_check, ctx,
	                   s.mm);
	EXPECT_FINDS_WHILE(vma->max_prot, PROT_R, "prot lies within max_prot: 0x3, 0x1", mm_check, ctx, s.mm);
	EXPECT_FINDS_WHILE(vma->shared, true, "a shared VMA has an object: at 0x3fffd000", mm_check, ctx, s.mm);
	scene_close(&s, b);
}

TEST(mm_check, broken_vma_is_named)
{
	on_both(vma_body);
}

static void mapper_body(struct bed *b)
{
	struct ctx *ctx = &b->ctx;
	struct scene s;

	scene_open(&s, b);
	EXPECT_FINDS_WHILE(s.shared->mapper.node.first, 1,
	                   "vma I2: the interval on the object's list is the VMA's: [1, 3]", mm_check, ctx, s.mm);
	EXPECT_FINDS_WHILE(s.shared->mapper.node.last, 4,
	                   "vma I2: the interval on the object's list is the VMA's: [0, 4]", mm_check, ctx, s.mm);
	EXPECT_FINDS_WHILE(s.object->writers, 2, "vma I3: each VMA that may write is counted once: 1 on the list, 2",
	                   mm_check, ctx, s.mm);
	EXPECT_FINDS_WHILE(s.object->writers, -1, "vma I3: each VMA that may write is counted once: 1 on the list, -1",
	                   mm_check, ctx, s.mm);
	scene_close(&s, b);
}

TEST(mm_check, broken_tie_to_the_object_is_named)
{
	on_both(mapper_body);
}

static void entry_body(struct bed *b)
{
	uint64_t no_frame = phys_total_frames(b->env.phys) + 1;
	struct ctx *ctx = &b->ctx;
	struct scene s;
	pte_t *hole;

	scene_open(&s, b);
	hole = entry_at(s.mm, FILE_BASE - PAGE_BYTES);
	EXPECT_FINDS_WHILE(hole->bits, s.shared_entry->bits, "mm I1: an entry lies in a VMA", mm_check, ctx, s.mm);
	EXPECT_FINDS_WHILE(s.private_entry->bits, pte_make(s.mm->pt.format, (pfn_t){ no_frame }, PTE_READ).bits,
	                   "an entry points to a page in use", mm_check, ctx, s.mm);
	EXPECT_FINDS_WHILE(s.private->prot, PROT_R, "an entry allows no more than its VMA", mm_check, ctx, s.mm);
	EXPECT_FINDS_WHILE(s.object->size, 0, "no page past the end of its file is mapped: page 0 at 0x40005000",
	                   mm_check, ctx, s.mm);
	scene_close(&s, b);
}

TEST(mm_check, broken_entry_is_named)
{
	on_both(entry_body);
}

static void frame_body(struct bed *b)
{
	struct ctx *ctx = &b->ctx;
	struct scene s;

	scene_open(&s, b);
	EXPECT_FINDS_WHILE(s.private_frame->mappers, 0, "mm I1: an entry holds a reference and counts as a mapper",
	                   mm_check, ctx, s.mm);
	EXPECT_FINDS_WHILE(s.private_frame->mappers, 2, "mm I1: an entry holds a reference and counts as a mapper",
	                   mm_check, ctx, s.mm);
	EXPECT_FINDS_WHILE(s.private_frame->refs, 2, "writing only to a frame of its own", mm_check, ctx, s.mm);
	EXPECT_FINDS_WHILE(s.private_frame->use, FRAME_FILE, "a VMA without object maps private pages only", mm_check,
	                   ctx, s.mm);
	EXPECT_FINDS_WHILE(s.shared_frame->use, FRAME_ANON, "a shared VMA maps its object's pages only", mm_check, ctx,
	                   s.mm);
	scene_close(&s, b);
}

TEST(mm_check, broken_frame_is_named)
{
	on_both(frame_body);
}

#ifdef KSIM_CHECK_SLOW
static void change_broken(void *arg)
{
	struct bed *b = arg;
	struct mm *mm = space(b);

	mapped(b, mm, anon_at(BASE, 3));
	((struct vma *)ranges_find(&mm->vmas, BASE))->max_prot = 0;
	mapped(b, mm, anon_at(BASE + MIB, 3));
}

static void abort_body(struct bed *b)
{
	expect_abort(change_broken, b,
	             "an address space is sound after it was changed: broken invariant: prot lies within");
}

TEST(mm_check, change_of_broken_space_aborts_where_every_change_is_checked)
{
	on_both(abort_body);
}
#endif
