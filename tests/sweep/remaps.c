// SPDX-License-Identifier: MIT
/*
 * mremap, brk and stacks, swept: mappings that grow, shrink, move into others and out of the middle of them, and are
 * mapped once more.
 *
 * What Linux promises when such a call fails with ENOMEM: mremap(2) and brk(2) leave the mappings as they were, unless
 * it was for a limit.
 */
#include "held.h"

enum { PAGES = 6, BYTES = PAGES * PAGE, MOVE = MREMAP_MAYMOVE, FIXED = MREMAP_MAYMOVE | MREMAP_FIXED, KEEP = 4 };

static ksim_addr at(ksim_addr map, int page)
{
	return map + (ksim_addr)page * PAGE;
}

static bool is_mapped(ksim_addr addr)
{
	struct ksim_translation found;

	return ksim_translate(ksim_self(), addr, &found) == 0;
}

static int begin(struct held *held, int prot, int flags, int fd)
{
	held->fd = fd;
	held->map = RETRY(ksim_mmap(0, BYTES, prot, flags | (fd < 0 ? MAP_ANONYMOUS : 0), fd, 0));
	MUST(held->map != KSIM_MAP_FAILED);
	held->other = RETRY(ksim_mmap(0, BYTES, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	MUST(held->other != KSIM_MAP_FAILED);
	return 0;
}

static int tell_of_one(int (*act)(void *))
{
	return held_by_one(act, BYTES);
}

/* ---- private memory ---- */

/* From the middle of one into the middle of another, and back as part of a larger one. */
static int move_middle(void *arg)
{
	struct held *held = arg;
	ksim_addr from, to;

	TRY(begin(held, RW, MAP_PRIVATE, -1));
	from = at(held->map, 2);
	to = at(held->other, 3);
	fill(held->map, PAGES, 1);
	MUST(RETRY_UNCHANGED(ksim_mremap(from, 2 * PAGE, 2 * PAGE, FIXED, to),
	                     holds(held->map, PAGES, 1) && !is_mapped(to)) == to);
	MUST(holds(to, 2, 3) && holds(held->map, 2, 1) && holds(at(held->map, 4), 2, 5) && !is_mapped(from));
	fill(to, 2, 60);
	MUST(RETRY_UNCHANGED(ksim_mremap(to, 2 * PAGE, 2 * PAGE, FIXED, from), holds(to, 2, 60)) == from);
	MUST(holds(from, 2, 60) && !is_mapped(to));
	return 0;
}

TEST(sweep_remaps, middle_of_one_mapping_moves_into_the_middle_of_another)
{
	story_sweep(tell_of_one, move_middle);
}

/* In place where that can be, elsewhere where not, and smaller again. */
static int grow(void *arg)
{
	struct held *held = arg;
	ksim_addr moved;

	TRY(begin(held, RW, MAP_PRIVATE, -1));
	fill(held->map, PAGES, 1);
	MUST(ksim_munmap(at(held->map, 4), 2 * PAGE) == 0);
	MUST(RETRY_UNCHANGED(ksim_mremap(held->map, 4 * PAGE, 6 * PAGE, 0, 0), holds(held->map, 4, 1)) == held->map);
	MUST(holds(held->map, 4, 1) && mem_load8(at(held->map, 5)) == 0);
	MUST(RETRY_UNCHANGED(ksim_mprotect(at(held->map, 2), 4 * PAGE, PROT_READ), true) == 0);
	moved = RETRY_UNCHANGED(ksim_mremap(held->map, 2 * PAGE, 6 * PAGE, MOVE, 0), holds(held->map, 2, 1));
	MUST(moved != KSIM_MAP_FAILED && moved != held->map);
	MUST(holds(moved, 2, 1) && mem_load8(at(moved, 5)) == 0 && !is_mapped(held->map));
	MUST(ksim_munmap(held->map, BYTES) == 0);
	held->map = moved;
	MUST(RETRY_UNCHANGED(ksim_mremap(at(moved, 1), 4 * PAGE, PAGE, 0, 0), holds(moved, 2, 1)) == at(moved, 1));
	MUST(holds(moved, 2, 1) && !is_mapped(at(moved, 2)));
	fill(at(moved, 5), 1, 9);
	return 0;
}

TEST(sweep_remaps, mapping_grows_in_place_and_elsewhere_and_shrinks_in_its_middle)
{
	story_sweep(tell_of_one, grow);
}

static int keep(void *arg)
{
	struct held *held = arg;
	ksim_addr moved;

	TRY(begin(held, RW, MAP_PRIVATE, -1));
	fill(held->map, PAGES, 1);
	moved = RETRY_UNCHANGED(ksim_mremap(held->map, BYTES, BYTES, MOVE | KEEP, 0), holds(held->map, PAGES, 1));
	MUST(moved != KSIM_MAP_FAILED);
	MUST(holds(moved, PAGES, 1) && mem_load8(held->map) == 0);
	fill(held->map, PAGES, 40);
	MUST(holds(moved, PAGES, 1));
	MUST(ksim_munmap(moved, BYTES) == 0);
	return 0;
}

TEST(sweep_remaps, pages_move_away_and_their_range_stays)
{
	story_sweep(tell_of_one, keep);
}

/* ---- files ---- */

static int share(struct held *held)
{
	int fd = RETRY(ksim_memfd_create("pool", MFD_CLOEXEC | MFD_ALLOW_SEALING));

	MUST(fd == 0);
	MUST(RETRY(ksim_ftruncate(fd, BYTES)) == 0);
	TRY(begin(held, RW, MAP_SHARED, fd));
	fill(held->map, PAGES, 10);
	return 0;
}

static int move_shared(void *arg)
{
	struct held *held = arg;
	ksim_addr to;

	TRY(share(held));
	to = at(held->other, 1);
	MUST(RETRY_UNCHANGED(ksim_mremap(at(held->map, 1), 3 * PAGE, 3 * PAGE, FIXED, to),
	                     holds(held->map, PAGES, 10)) == to);
	MUST(holds(to, 3, 11) && holds(at(held->map, 4), 2, 14));
	fill(to, 3, 50);
	MUST(RETRY(ksim_ftruncate(held->fd, 3 * PAGE)) == 0);
	MUST(holds(to, 2, 50) && !is_mapped(at(to, 2)));
	return 0;
}

TEST(sweep_remaps, part_of_a_shared_mapping_moves)
{
	story_sweep(tell_of_one, move_shared);
}

static int duplicate(void *arg)
{
	struct held *held = arg;
	ksim_addr again;

	TRY(share(held));
	again = RETRY_UNCHANGED(ksim_mremap(at(held->map, 1), 0, 4 * PAGE, MOVE, 0), holds(held->map, PAGES, 10));
	MUST(again != KSIM_MAP_FAILED);
	MUST(holds(again, 4, 11));
	MUST(ksim_munmap(held->map, BYTES) == 0);
	fill(again, 4, 70);
	MUST(ksim_fcntl(held->fd, F_ADD_SEALS, F_SEAL_WRITE) == -1 && errno == EBUSY);
	MUST(ksim_munmap(again, 4 * PAGE) == 0);
	return 0;
}

TEST(sweep_remaps, shared_pages_are_mapped_once_more)
{
	story_sweep(tell_of_one, duplicate);
}

/* ---- the heap and stacks ---- */

static int heap(void *arg)
{
	struct held *held = arg;
	ksim_addr end = ksim_sbrk(0);

	TRY(begin(held, RW, MAP_PRIVATE, -1));
	MUST(end != KSIM_MAP_FAILED);
	MUST(RETRY_UNCHANGED(ksim_sbrk(2 * PAGE), ksim_sbrk(0) == end) == end);
	fill(end, 2, 1);
	MUST(RETRY_UNCHANGED(ksim_brk(end + 4 * PAGE + 1), ksim_sbrk(0) == end + 2 * PAGE && holds(end, 2, 1)) == 0);
	fill(end, 5, 1);
	MUST(RETRY(ksim_mprotect(at(end, 3), PAGE, PROT_READ)) == 0);
	MUST(ksim_brk(end + PAGE) == 0);
	MUST(holds(end, 1, 1) && !is_mapped(at(end, 1)));
	MUST(ksim_brk(end) == 0);
	return 0;
}

TEST(sweep_remaps, heap_grows_and_shrinks)
{
	story_sweep(tell_of_one, heap);
}

static int stack(void *arg)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN;
	struct held *held = arg;
	ksim_addr top;

	TRY(begin(held, RW, MAP_PRIVATE, -1));
	top = RETRY(ksim_mmap(access_place(ksim_self(), 40 << 20), PAGE, RW, flags, -1, 0));
	MUST(top == access_place(ksim_self(), 40 << 20));
	fill(at(top, -3), 4, 1);
	mem_store8(at(top, -600), 1);
	MUST(holds(at(top, -3), 4, 1));
	MUST(ksim_munmap(at(top, -600), 601 * PAGE) == 0);
	return 0;
}

TEST(sweep_remaps, stack_grows_to_what_is_touched)
{
	story_sweep(tell_of_one, stack);
}
