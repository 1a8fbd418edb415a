// SPDX-License-Identifier: MIT
/*
 * What the calls of one process on one space do not meet: zaps that spare private copies, objects that others map too,
 * VMAs made on different accounts, lengths beyond all addresses.
 */
#include "bed.h"

#include "mm/vma.h"

static void spare_copies_body(struct bed *b)
{
	struct mm *mm = space(b);
	struct object *object = file(b, 3);
	struct vma *vma;

	for (uint64_t page = 0; page < 3; page++)
		file_set(b, object, page * PAGE_BYTES, 7);
	mapped(b, mm, file_at(object, BASE, 3, 0, false));
	SETUP(ld8(b, mm, BASE) == 7 && st8(b, mm, BASE + PAGE_BYTES, 8) == 0 && ld8(b, mm, BASE + 2 * PAGE_BYTES) == 7);
	vma = ranges_find(&mm->vmas, BASE);
	mutex_lock(&b->ctx, &object->lock);
	vma->mapper.ops->zap(&b->ctx, &vma->mapper, 0, 2, false);
	mutex_unlock(&b->ctx, &object->lock);
	EXPECT_EQ(frame_at(b, mm, BASE).n, 0);
	EXPECT(frame_at(b, mm, BASE + PAGE_BYTES).n != 0);
	EXPECT_EQ(frame_at(b, mm, BASE + 2 * PAGE_BYTES).n, 0);
	EXPECT_EQ(ld8(b, mm, BASE + PAGE_BYTES), 8);
	expect_sound(b, mm);
	drop(b, mm);
	file_drop(b, object);
}

/* struct mapper_ops: with private_copies the mapping's own copies go too, without they stay. */
TEST(mm_zap, without_private_copies_only_pages_of_the_file_go)
{
	on_both(spare_copies_body);
}

static void zap_nothing(struct ctx *ctx, struct mapper *mapper, uint64_t first, uint64_t last, bool private_copies)
{
	(void)ctx;
	(void)mapper;
	(void)first;
	(void)last;
	(void)private_copies;
}

static void other_mapper_body(struct bed *b)
{
	static const struct mapper_ops other_ops = { .zap = zap_nothing };
	struct mapper other = { .ops = &other_ops };
	struct mm *mm = space(b);
	struct object *object = file(b, 3);

	mapped(b, mm, file_at(object, BASE, 3, 0, true));
	object_map(&b->ctx, object, &other, 1, 1);
	EXPECT_EQ(object->writers, 1);
	expect_sound(b, mm);
	object_unmap(&b->ctx, object, &other);
	drop(b, mm);
	file_drop(b, object);
}

TEST(mm_check, mapper_that_is_no_VMA_is_no_writer)
{
	on_both(other_mapper_body);
}

static void accounts_body(struct bed *b)
{
	struct mm *mm = space(b);
	struct owner *self = b->ctx.owner;

	mapped(b, mm, anon_at(BASE, 1));
	b->ctx.owner = &b->other;
	mapped(b, mm, anon_at(BASE + PAGE_BYTES, 1));
	b->ctx.owner = self;
	EXPECT_EQ(nregions(mm), 2);
	mapped(b, mm, anon_at(BASE - PAGE_BYTES, 1));
	EXPECT_EQ(nregions(mm), 2);
	expect_sound(b, mm);
	drop(b, mm);
}

/* As with marks: who made a mapping must be told, so what two have made does not become one. */
TEST(mm_map, neighbours_made_on_two_accounts_stay_two)
{
	on_both(accounts_body);
}

static void lengths_body(struct bed *b)
{
	struct mm *mm = space(b);

	mapped(b, mm, anon_at(BASE, 1));
	EXPECT_EQ(mm_protect(&b->ctx, mm, BASE, PT_SPAN + PAGE_BYTES, PROT_R), -ENOMEM);
	EXPECT_EQ(mm_protect(&b->ctx, mm, BASE, PT_SPAN, PROT_R), -ENOMEM);
	EXPECT_EQ(mm_unmap(&b->ctx, mm, BASE, PT_SPAN + PAGE_BYTES), -EINVAL);
	EXPECT_EQ(mm_unmap(&b->ctx, mm, BASE, PT_SPAN), -EINVAL);
	expect_region(b, mm, BASE, BASE, BASE + PAGE_BYTES, RW);
	drop(b, mm);
}

/* mprotect(2): ENOMEM, addresses are invalid for the process; munmap(2): EINVAL. Nothing has changed. */
TEST(mm_map, lengths_beyond_user_space_change_nothing)
{
	on_both(lengths_body);
}
