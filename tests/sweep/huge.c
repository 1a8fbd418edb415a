// SPDX-License-Identifier: MIT
/*
 * Pages of 2 MiB, swept: made where they are advised, copied after fork, split by what concerns a part, moved, cut by
 * truncation, gathered again, and counted to the limit of a memory group.
 *
 * What Linux promises: Documentation/admin-guide/mm/transhuge.rst: where there is no memory for a large page there are
 * small ones, and nobody is told. So what fails at a touch is mostly absorbed, and what is split needs nothing.
 *
 * A file that is committed as a whole is told of in memory.c; here files are sparse.
 */
#include "held.h"

enum { PAGES = 512, LARGE = PAGES * PAGE, FEW = 4, COLLAPSE = 25 };

static void sweep(int (*tell)(int (*act)(void *)), int (*act)(void *))
{
	story_sweep_on((struct ksim_config){ .ram_bytes = 16 << 20 }, tell, act);
}

static int tell_of_one(int (*act)(void *))
{
	return held_by_one(act, 5 * LARGE);
}

/* A place for two large pages, in what is reserved for more. */
static int reserve(struct held *held, ksim_addr *at)
{
	held->map = RETRY(map_at(0, held->bytes, PROT_NONE, MAP_PRIVATE, -1));
	MUST(held->map != KSIM_MAP_FAILED);
	*at = (held->map + LARGE - 1) / LARGE * LARGE;
	return 0;
}

static int map_two(struct held *held, ksim_addr *at, int flags)
{
	TRY(reserve(held, at));
	MUST(RETRY(map_at(*at, 2 * LARGE, RW, flags | MAP_FIXED, held->fd)) == *at);
	MUST(RETRY(ksim_madvise(*at, 2 * LARGE, MADV_HUGEPAGE)) == 0);
	return 0;
}

static bool is_huge(ksim_addr addr)
{
	struct ksim_translation found;

	return ksim_translate(ksim_self(), addr, &found) == 0 && found.page_size == LARGE;
}

static bool failed(void)
{
	struct ksim_allocation first;

	return ksim_fail_first(story.m, &first);
}

/* Of a place where a large page is due: it is one, unless what failed was needed for it. */
static int touched(ksim_addr at, uint8_t first)
{
	bool before = failed();

	fill(at, FEW, first);
	MUST(is_huge(at) || (!before && failed()));
	story_absorbs("memory access");
	return 0;
}

/* ---- private memory ---- */

static int split(void *arg)
{
	struct held *held = arg;
	ksim_addr at;

	TRY(map_two(held, &at, MAP_PRIVATE));
	TRY(touched(at, 1));
	TRY(touched(at + LARGE, 11));
	MUST(RETRY(ksim_mprotect(at + PAGE, PAGE, PROT_READ)) == 0);
	MUST(!is_huge(at) && holds(at, FEW, 1));
	MUST(RETRY(ksim_mprotect(at + PAGE, PAGE, RW)) == 0);
	fill(at, FEW, 21);
	MUST(ksim_madvise(at + 2 * PAGE, PAGE, MADV_DONTNEED) == 0);
	MUST(is_zero(at + 2 * PAGE, 1) && holds(at, 2, 21) && holds(at + 3 * PAGE, 1, 24));
	MUST(RETRY(ksim_mlock(at + LARGE + PAGE, PAGE)) == 0);
	MUST(RETRY(ksim_munmap(at + LARGE / 2, LARGE)) == 0); /* halves of both */
	MUST(holds(at, 2, 21) && mem_load8(at + 400) == 0);
	return 0;
}

TEST(sweep_huge, private_ones_are_split_by_what_concerns_a_part)
{
	sweep(tell_of_one, split);
}

static int move(void *arg)
{
	const int fixed = MREMAP_MAYMOVE | MREMAP_FIXED;
	struct held *held = arg;
	ksim_addr at, to;

	TRY(map_two(held, &at, MAP_PRIVATE));
	to = at + 2 * LARGE;
	TRY(touched(at, 1));
	TRY(touched(at + LARGE, 11));
	MUST(RETRY_UNCHANGED(ksim_mremap(at, LARGE, LARGE, fixed, to), holds(at, FEW, 1)) == to);
	MUST(holds(to, FEW, 1) && holds(at + LARGE, FEW, 11));
	/* The middle of a page, so that it is split where it was and lies in none where it comes to. */
	MUST(RETRY_UNCHANGED(ksim_mremap(at + LARGE + PAGE, 2 * PAGE, 2 * PAGE, fixed, at + PAGE),
	                     holds(at + LARGE, FEW, 11)) == at + PAGE);
	MUST(holds(at + PAGE, 2, 12) && holds(at + LARGE, 1, 11) && holds(at + LARGE + 3 * PAGE, 1, 14));
	/* To where it is not aligned. */
	MUST(RETRY_UNCHANGED(ksim_mremap(to, LARGE, LARGE, fixed, at + 3 * PAGE), holds(to, FEW, 1)) == at + 3 * PAGE);
	MUST(holds(at + 3 * PAGE, FEW, 1) && holds(at + PAGE, 2, 12));
	fill(at + 3 * PAGE, FEW, 31);
	return 0;
}

TEST(sweep_huge, private_ones_move_whole_and_by_parts)
{
	sweep(tell_of_one, move);
}

/* ---- fork ---- */

struct family {
	struct held held;
	ksim_addr at;
};

static int prepare(void *arg)
{
	struct family *family = arg;

	TRY(map_two(&family->held, &family->at, MAP_PRIVATE));
	TRY(touched(family->at, 1));
	return touched(family->at + LARGE, 11);
}

static int child_writes(void *arg)
{
	const struct family *family = arg;

	MUST(holds(family->at, FEW, 1) && holds(family->at + LARGE, FEW, 11));
	fill(family->at, 2, 70); /* copied, page by page */
	MUST(holds(family->at, 2, 70) && holds(family->at + 2 * PAGE, 2, 3));
	MUST(RETRY(ksim_munmap(family->at + LARGE + PAGE, PAGE)) == 0);
	return 0;
}

static int parent_writes(void *arg)
{
	const struct family *family = arg;

	MUST(holds(family->at, FEW, 1));
	fill(family->at, FEW, 40);
	MUST(holds(family->at, FEW, 40) && holds(family->at + LARGE, FEW, 11));
	return 0;
}

static int parent_is_alone(void *arg)
{
	struct family *family = arg;

	MUST(holds(family->at, FEW, 40));
	fill(family->at + LARGE, FEW, 50);
	MUST(holds(family->at + LARGE, FEW, 50));
	return held_undo(&family->held);
}

static int tell_fork(int (*act)(void *))
{
	struct family family = { .held = { .fd = -1, .bytes = 5 * LARGE } };
	struct ksim_process *parent = story_process("parent"), *child;

	(void)act;
	MUST(parent != NULL);
	story_begin();
	TRY(story_act(parent, prepare, &family));
	child = story_fork(parent, "child");
	MUST(child != NULL);
	TRY(story_act(child, child_writes, &family));
	TRY(story_act(parent, parent_writes, &family));
	TRY(story_process_ends(child));
	TRY(story_act(parent, parent_is_alone, &family));
	return story_settled();
}

TEST(sweep_huge, private_ones_are_shared_by_fork_and_copied_by_pages)
{
	sweep(tell_fork, NULL);
}

/* ---- a file ---- */

static int make_file(struct held *held, ksim_addr *at)
{
	held->fd = RETRY(ksim_memfd_create("file", MFD_CLOEXEC | MFD_ALLOW_SEALING));
	MUST(held->fd == 0);
	MUST(RETRY(ksim_ftruncate(held->fd, 2 * LARGE)) == 0);
	return map_two(held, at, MAP_SHARED);
}

static int cut_file(void *arg)
{
	struct held *held = arg;
	ksim_addr at, own;
	char byte;

	if (!story.sparse)
		return 0;
	TRY(make_file(held, &at));
	TRY(touched(at, 1));
	TRY(touched(at + LARGE, 11));
	own = at + 2 * LARGE;
	MUST(RETRY(map_at(own, LARGE, RW, MAP_PRIVATE | MAP_FIXED, held->fd)) == own);
	MUST(holds(own, FEW, 1));
	fill(own, 1, 90); /* a copy of one page */
	story_absorbs("memory access");
	MUST(holds(own + PAGE, FEW - 1, 2) && holds(at, FEW, 1));
	MUST(RETRY(ksim_madvise(at + 2 * PAGE, PAGE, MADV_REMOVE)) == 0);
	MUST(is_zero(at + 2 * PAGE, 1) && is_zero(own + 2 * PAGE, 1) && holds(at, 2, 1));
	MUST(ksim_ftruncate(held->fd, LARGE + 2 * PAGE) == 0);
	MUST(holds(at + LARGE, 2, 11));
	MUST(RETRY(ksim_ftruncate(held->fd, 2 * LARGE)) == 0);
	MUST(is_zero(at + LARGE + 2 * PAGE, 2));
	MUST(RETRY(ksim_pread(held->fd, &byte, 1, LARGE + PAGE)) == 1 && byte == 12);
	return 0;
}

TEST(sweep_huge, of_a_file_are_cut_by_holes_and_truncation)
{
	sweep(tell_of_one, cut_file);
}

static int gather(void *arg)
{
	struct held *held = arg;
	ksim_addr at;

	if (!story.sparse)
		return 0;
	TRY(make_file(held, &at));
	TRY(touched(at, 1));
	MUST(RETRY(ksim_mprotect(at + PAGE, PAGE, PROT_READ)) == 0);
	MUST(!is_huge(at));
	MUST(RETRY(ksim_mprotect(at + PAGE, PAGE, RW)) == 0);
	MUST(holds(at, FEW, 1));
	if (!failed()) {
		MUST(RETRY(ksim_madvise(at, 2 * LARGE, COLLAPSE)) == 0 || errno == EINVAL);
		story_absorbs("madvise");
	}
	MUST(holds(at, FEW, 1));
	fill(at, FEW, 2);
	story_absorbs("memory access");
	return 0;
}

TEST(sweep_huge, of_a_file_are_split_and_gathered)
{
	sweep(tell_of_one, gather);
}

/* Few pages of each large one, wherever their frames are: there is no other way than to copy them. */
static int write_apart(const struct held *held, ksim_addr at)
{
	for (unsigned i = 0; i < FEW; i++) {
		uint8_t byte[2] = { (uint8_t)(1 + i), (uint8_t)(11 + i) };

		MUST(RETRY(ksim_pwrite(held->fd, &byte[0], 1, i * PAGE)) == 1);
		MUST(RETRY(ksim_pwrite(held->fd, &byte[1], 1, LARGE + i * PAGE)) == 1);
	}
	MUST(holds(at, FEW, 1) && holds(at + LARGE, FEW, 11));
	return 0;
}

static bool has_both(ksim_addr at)
{
	return holds(at, FEW, 1) && is_zero(at + FEW * PAGE, FEW) && holds(at + LARGE, FEW, 11);
}

static int gather_apart(void *arg)
{
	struct held *held = arg;
	ksim_addr at, own;

	if (!story.sparse)
		return 0;
	held->fd = RETRY(ksim_memfd_create("large", MFD_CLOEXEC | MFD_ALLOW_SEALING));
	MUST(held->fd >= 0 && RETRY(ksim_ftruncate(held->fd, 2 * LARGE)) == 0);
	TRY(reserve(held, &at));
	own = at + 2 * LARGE;
	MUST(RETRY(map_at(at, 2 * LARGE, RW, MAP_SHARED | MAP_FIXED, held->fd)) == at);
	MUST(RETRY(map_at(own, LARGE, RW, MAP_PRIVATE | MAP_FIXED, held->fd)) == own);
	TRY(write_apart(held, at));
	fill(own, 1, 90);
	MUST(RETRY_UNCHANGED(ksim_madvise(at, 2 * LARGE, COLLAPSE), has_both(at)) == 0);
	MUST(is_huge(at) && is_huge(at + LARGE) && has_both(at));
	MUST(holds(own, 1, 90) && holds(own + PAGE, FEW - 1, 2));
	MUST(RETRY(ksim_madvise(at + PAGE, PAGE, MADV_REMOVE)) == 0);
	MUST(is_zero(at + PAGE, 1) && RETRY(ksim_madvise(at, LARGE, COLLAPSE)) == 0);
	MUST(is_huge(at) && is_zero(at + PAGE, 1) && holds(at, 1, 1) && holds(own, 1, 90));
	story_absorbs("memory access"); /* what is shown around a fault */
	return 0;
}

TEST(sweep_huge, of_a_file_are_gathered_from_pages_that_lie_apart)
{
	sweep(tell_of_one, gather_apart);
}

static int gather_private(void *arg)
{
	struct held *held = arg;
	ksim_addr at;

	TRY(reserve(held, &at));
	MUST(RETRY(map_at(at, 2 * LARGE, RW, MAP_PRIVATE | MAP_FIXED, -1)) == at);
	fill(at, FEW, 1);
	fill(at + LARGE, FEW, 11);
	MUST(!is_huge(at));
	MUST(RETRY_UNCHANGED(ksim_madvise(at, 2 * LARGE, COLLAPSE), has_both(at)) == 0);
	MUST(is_huge(at) && is_huge(at + LARGE) && has_both(at));
	return 0;
}

TEST(sweep_huge, of_private_memory_are_gathered_from_pages_that_lie_apart)
{
	sweep(tell_of_one, gather_private);
}

/* ---- a memory group ---- */

enum { SPARE_PAGES = 40, LIMIT = LARGE + SPARE_PAGES * PAGE };

static uint64_t used(void)
{
	struct ksim_memory memory;

	return ksim_memory_used(ksim_self(), &memory) == 0 && memory.used <= memory.limit ? memory.used : UINT64_MAX;
}

/* There is room for one; what does not fit another is small, and if the first one is, the other is large. */
static int fill_group(void *arg)
{
	struct held *held = arg;
	ksim_addr at;

	TRY(map_two(held, &at, MAP_PRIVATE));
	fill(at, FEW, 1);
	fill(at + LARGE, FEW, 11);
	story_absorbs("memory access");
	MUST(is_huge(at) != is_huge(at + LARGE) || failed());
	MUST(used() != UINT64_MAX);
	MUST(RETRY(ksim_madvise(at, LARGE, MADV_POPULATE_WRITE)) == 0 || is_huge(at + LARGE));
	MUST(holds(at, FEW, 1) && holds(at + LARGE, FEW, 11));
	MUST(RETRY(ksim_munmap(at + LARGE / 2, LARGE)) == 0);
	MUST(used() < LIMIT - LARGE / 4);
	fill(at, FEW, 31);
	MUST(holds(at, FEW, 31));
	return 0;
}

static int tell_group(int (*act)(void *))
{
	struct held held = { .fd = -1, .bytes = 5 * LARGE };
	struct ksim_process *p = story_process("client");
	struct ksim_memory memory;

	(void)act;
	MUST(p != NULL);
	MUST(RETRY(ksim_limit_memory(&p, 1, LIMIT)) == 0);
	story_begin();
	TRY(story_act(p, fill_group, &held));
	TRY(story_act(p, held_undo, &held));
	MUST(ksim_memory_used(p, &memory) == 0 && memory.used == 0);
	return story_settled();
}

TEST(sweep_huge, count_whole_to_the_limit_of_a_memory_group)
{
	sweep(tell_group, NULL);
}
