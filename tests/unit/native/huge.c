// SPDX-License-Identifier: MIT
/*
 * An entry of 2 MiB in a window: shown by one mapping of the host's, and in parts where parts have changed.
 */
#include "bed.h"

enum { PAGES = 512 };

/* A file of 2 MiB, committed as a whole, where one entry can map it. */
static char *map_block(const struct bed *b)
{
	const struct window *w = bed_window(b->p);
	uintptr_t large = (uintptr_t)PAGES * PAGE;
	uintptr_t at = ((uintptr_t)w->place->host + large - 1) & ~(large - 1);
	int fd = ksim_memfd_create("block", 0);

	SETUP(fd >= 0 && ksim_fallocate(fd, 0, 0, (off_t)large) == 0);
	SETUP(ksim_mmap(at, large, RW, MAP_SHARED | MAP_FIXED, fd, 0) == at);
	return (char *)at;
}

static size_t page_size(const struct bed *b, const char *at)
{
	struct ksim_translation t;

	return ksim_translate(b->p, ksim_addr_of(at), &t) == 0 ? t.page_size : 0;
}

static void shown_body(struct bed *b)
{
	char *at = map_block(b);

	EXPECT_EQ(page_size(b, at), (size_t)PAGES * PAGE);
	EXPECT(bed_mappings(b->p) <= 3); /* one, and what is reserved around it */
	for (int i = 0; i < PAGES; i++) {
		bed_store(at + (size_t)i * PAGE, (char)i);
		EXPECT_EQ(bed_shown(b->p, at + (size_t)i * PAGE), SHOWN_RW);
	}
	bed_check(b->p);
	EXPECT_EQ(ksim_mprotect(ksim_addr_of(at + 9 * PAGE), PAGE, PROT_READ), 0);
	EXPECT_EQ(page_size(b, at), PAGE);
	EXPECT_EQ(bed_shown(b->p, at + 9 * PAGE), SHOWN_R);
	EXPECT_EQ(bed_shown(b->p, at + 10 * PAGE), SHOWN_RW);
	bed_check(b->p);
	EXPECT_EQ(ksim_munmap(ksim_addr_of(at + 20 * PAGE), PAGE), 0);
	EXPECT_EQ(bed_shown(b->p, at + 20 * PAGE), 0);
	for (int i = 0; i < 20; i++)
		EXPECT_EQ(bed_load(at + (size_t)i * PAGE), i);
	bed_check(b->p);
}

TEST(window_huge, is_shown_in_one_piece_and_as_its_parts_allow)
{
	on_both(shown_body);
}

static void truncated_body(struct bed *b)
{
	char *at = map_block(b);
	int fd = 0;

	bed_store(at + 100 * PAGE, 1);
	EXPECT_EQ(ksim_ftruncate(fd, 50 * PAGE), 0);
	EXPECT_EQ(bed_shown(b->p, at + 100 * PAGE), 0);
	EXPECT_EQ(bed_load(at + 49 * PAGE), 0);
	bed_check(b->p);
	EXPECT_EQ(ksim_ftruncate(fd, PAGES * PAGE), 0);
	EXPECT_EQ(bed_load(at + 100 * PAGE), 0);
	bed_check(b->p);
}

TEST(window_huge, truncation_hides_what_lies_beyond)
{
	on_both(truncated_body);
}
