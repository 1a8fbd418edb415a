// SPDX-License-Identifier: MIT
/*
 * The kernel's copies from and to user memory.
 */
#include "bed.h"

#include <stdlib.h>

#include "base/uio.h"

enum { BYTES = 5 * 4096 };

static size_t to_user(struct bed *b, struct mm *mm, ksim_addr addr, const void *from, size_t n)
{
	b->ctx.mm = mm;
	return mm_user_ops.copy(&b->ctx, addr, (void *)(uintptr_t)from, n, true);
}

static size_t from_user(struct bed *b, struct mm *mm, ksim_addr addr, void *to, size_t n)
{
	b->ctx.mm = mm;
	return mm_user_ops.copy(&b->ctx, addr, to, n, false);
}

static void fill(uint8_t *bytes, size_t n, unsigned seed)
{
	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)(i * 7 + i / 251 + seed);
}

static void pages_body(struct bed *b)
{
	struct mm *mm = space(b), *other = space(b);
	uint8_t *out = malloc(BYTES), *back = malloc(BYTES);
	struct object *object = file(b, 8);

	SETUP(out != NULL && back != NULL);
	mapped(b, mm, anon_at(BASE, 3));
	mapped(b, mm, file_at(object, BASE + 3 * PAGE_BYTES, 5, 0, true));
	mapped(b, other, file_at(object, BASE, 8, 0, true));
	for (size_t offset = 0; offset < 3 * PAGE_BYTES; offset += 1777) {
		fill(out, BYTES, (unsigned)offset);
		EXPECT_EQ(to_user(b, mm, BASE + offset, out, BYTES), BYTES);
		memset(back, 0, BYTES);
		EXPECT_EQ(from_user(b, mm, BASE + offset, back, BYTES), BYTES);
		EXPECT_MEMEQ(back, out, BYTES);
	}
	EXPECT_EQ(ld8(b, other, BASE + 5), ld8(b, mm, BASE + 3 * PAGE_BYTES + 5));
	EXPECT_EQ(from_user(b, mm, BASE, back, 0), 0);
	expect_sound(b, mm);
	drop(b, mm);
	drop(b, other);
	file_drop(b, object);
	free(out);
	free(back);
}

TEST(mm_usercopy, bytes_cross_pages_and_mappings)
{
	on_both(pages_body);
}

static void every_byte_body(struct bed *b)
{
	struct mm *mm = space(b);
	uint8_t bytes[64];

	fill(bytes, sizeof(bytes), 1);
	mapped(b, mm, anon_at(BASE, 1));
	for (size_t n = 0; n <= sizeof(bytes); n++) {
		ksim_addr at = BASE + PAGE_BYTES - n;

		EXPECT_EQ(to_user(b, mm, at, bytes, sizeof(bytes)), n);
		EXPECT_EQ(from_user(b, mm, at, bytes, sizeof(bytes)), n);
		EXPECT_EQ(to_user(b, mm, BASE - 1, bytes, sizeof(bytes)), 0);
		if (n > 0)
			EXPECT_EQ(ld8(b, mm, BASE + PAGE_BYTES - 1), bytes[n - 1]);
	}
	EXPECT_EQ(from_user(b, mm, PT_SPAN - 1, bytes, 2), 0);
	EXPECT_EQ(from_user(b, mm, PT_SPAN, bytes, 1), 0);
	EXPECT_EQ(from_user(b, mm, UINT64_MAX, bytes, 1), 0);
	drop(b, mm);
}

/* What system calls return: the count up to the byte that cannot be accessed, or EFAULT. */
TEST(mm_usercopy, a_copy_ends_at_the_very_byte_that_cannot_be_accessed)
{
	on_both(every_byte_body);
}

static void rights_body(struct bed *b)
{
	struct mm *mm = space(b);
	struct object *object = file(b, 1);
	struct mm_map what = anon_at(BASE + PAGE_BYTES, 1);
	uint8_t bytes[2 * 4096] = { 0 };

	mapped(b, mm, anon_at(BASE, 1));
	what.prot = PROT_R;
	mapped(b, mm, what);
	EXPECT_EQ(from_user(b, mm, BASE, bytes, sizeof(bytes)), sizeof(bytes));
	EXPECT_EQ(to_user(b, mm, BASE, bytes, sizeof(bytes)), PAGE_BYTES);
	EXPECT_EQ(mm_protect(&b->ctx, mm, BASE, PAGE_BYTES, 0), 0);
	EXPECT_EQ(from_user(b, mm, BASE, bytes, 1), 0);
	mapped(b, mm, file_at(object, BASE, 3, 0, true));
	EXPECT_EQ(to_user(b, mm, BASE + 10, bytes, sizeof(bytes)), PAGE_BYTES - 10); /* SEMANTICS 57 */
	EXPECT_EQ(from_user(b, mm, BASE + PAGE_BYTES, bytes, 1), 0);
	object_resize(&b->ctx, object, 0);
	EXPECT_EQ(from_user(b, mm, BASE, bytes, 1), 0);
	expect_sound(b, mm);
	drop(b, mm);
	file_drop(b, object);
}

TEST(mm_usercopy, protection_and_the_end_of_a_file_hold_for_the_kernel_too)
{
	on_both(rights_body);
}

static void cow_body(struct bed *b)
{
	struct mm *mm = space(b), *child;
	struct object *object = file(b, 1);
	struct mm_translation t;

	mapped(b, mm, anon_at(BASE, 2));
	mapped(b, mm, file_at(object, BASE + 2 * PAGE_BYTES, 1, 0, false));
	EXPECT_EQ(to_user(b, mm, BASE + PAGE_BYTES - 2, "abcd", 4), 4);
	EXPECT_EQ(mm_translate(&b->ctx, mm, BASE, &t), 0);
	EXPECT_EQ(t.flags & (PTE_ACCESSED | PTE_DIRTY), PTE_ACCESSED | PTE_DIRTY);
	child = forked(b, mm);
	EXPECT_EQ(to_user(b, child, BASE + PAGE_BYTES - 2, "wxyz", 4), 4);
	EXPECT_EQ(ld8(b, mm, BASE + PAGE_BYTES - 1), 'b');
	EXPECT_EQ(ld8(b, mm, BASE + PAGE_BYTES), 'c');
	EXPECT_EQ(ld8(b, child, BASE + PAGE_BYTES), 'y');
	EXPECT_EQ(to_user(b, mm, BASE + 2 * PAGE_BYTES, "q", 1), 1);
	EXPECT_EQ(file_byte(b, object, 0), 0);
	EXPECT_EQ(ld8(b, child, BASE + 2 * PAGE_BYTES), 0);
	expect_sound(b, mm);
	expect_sound(b, child);
	drop(b, child);
	drop(b, mm);
	file_drop(b, object);
}

TEST(mm_usercopy, a_copy_to_a_page_that_others_have_too_copies_it_first)
{
	on_both(cow_body);
}

static void itself_body(struct bed *b)
{
	struct mm *mm = space(b);
	struct object *object = file(b, 2);
	struct uio uio;
	char back[4];

	mapped(b, mm, file_at(object, BASE, 2, 0, true));
	b->ctx.mm = mm;
	b->ctx.user = &mm_user_ops;
	EXPECT_EQ(to_user(b, mm, BASE, "once", 4), 4);
	uio_init_one(&uio, uptr_user(BASE), 4);
	EXPECT_EQ(object_write(&b->ctx, object, PAGE_BYTES + 9, &uio), 4);
	EXPECT_EQ(from_user(b, mm, BASE + PAGE_BYTES + 9, back, 4), 4);
	EXPECT_MEMEQ(back, "once", 4);
	uio_init_one(&uio, uptr_user(BASE + 2), PAGE_BYTES);
	EXPECT_EQ(object_read(&b->ctx, object, 0, &uio), PAGE_BYTES); /* a page into itself */
	uio_init_one(&uio, uptr_user(BASE + 2 * PAGE_BYTES), 4);
	EXPECT_EQ(object_write(&b->ctx, object, 0, &uio), -EFAULT);
	expect_sound(b, mm);
	drop(b, mm);
	file_drop(b, object);
}

TEST(mm_usercopy, a_file_can_be_read_into_a_mapping_of_itself)
{
	on_both(itself_body);
}
