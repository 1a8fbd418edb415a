// SPDX-License-Identifier: MIT
/*
 * The lot: what is parked comes back as it was, wherever it is wanted, and nothing else does.
 */
#include "harness.h"
#include "host/memory.h"
#include "host/window.h"
#include "native/lot.h"

#include <string.h>

enum { FRAMES = 4096, PAGES = 1024, PAGE = 4096, RW = HOST_SHOW_READ | HOST_SHOW_WRITE };

struct yard {
	struct lot *lot;
	uint64_t account;
	int fd;
	uint64_t *ram; /* the first word of frame n is ram[n * 512] */
	char *window;
};

static void yard_open(struct yard *y)
{
	y->account = 1000;
	y->ram = host_reserve_shared((size_t)FRAMES * PAGE, &y->fd);
	y->window = host_window_reserve((size_t)PAGES * PAGE, UINT64_C(1) << 47);
	SETUP(y->ram != NULL && y->window != NULL);
	for (uint64_t n = 0; n < FRAMES; n++)
		y->ram[n * 512] = n;
	y->lot = lot_create(FRAMES, &y->account);
	SETUP(y->lot != NULL);
}

/* An emulator or a checking tool may not know how to move a mapping and leave its place; then the lot does nothing. */
static bool host_moves(struct yard *y)
{
	char *to = y->window + (size_t)(PAGES - 1) * PAGE;

	SETUP(host_window_show(y->window, PAGE, y->fd, 0, RW) == 0);
	return host_window_move(y->window, PAGE, to) == 0 && host_window_hide(y->window, PAGE) == 0;
}

static void yard_close(struct yard *y)
{
	lot_destroy(y->lot);
	EXPECT_EQ(y->account, 1000);
	host_window_release(y->window, (size_t)PAGES * PAGE);
	host_release(y->ram, (size_t)FRAMES * PAGE);
	host_close(y->fd);
}

static void park(struct yard *y, size_t page, size_t n, uint64_t pfn)
{
	char *at = y->window + page * PAGE;

	SETUP(host_window_show(at, n * PAGE, y->fd, pfn * PAGE, RW) == 0);
	lot_park(y->lot, at, n, (pfn_t){ pfn });
	SETUP(host_window_hide(at, n * PAGE) == 0);
}

/* What is shown at a page is that frame, and may be written. */
static void expect_frame(struct yard *y, size_t page, uint64_t pfn)
{
	volatile uint64_t *word = (volatile uint64_t *)(void *)(y->window + page * PAGE);

	EXPECT_EQ(*word, pfn);
	*word = pfn + 1;
	EXPECT_EQ(y->ram[pfn * 512], pfn + 1);
	*word = pfn;
}

TEST(lot, run_comes_back_at_another_place)
{
	struct yard y;

	yard_open(&y);
	if (!host_moves(&y)) {
		yard_close(&y);
		SKIP("the host does not move mappings so");
	}
	park(&y, 0, 100, 200);
	EXPECT(lot_take(y.lot, y.window + 500 * PAGE, 100, (pfn_t){ 200 }));
	expect_frame(&y, 500, 200);
	expect_frame(&y, 599, 299);
	EXPECT(!lot_take(y.lot, y.window + 700 * PAGE, 100, (pfn_t){ 200 }));
	yard_close(&y);
}

TEST(lot, part_of_a_run_comes_back_and_so_does_what_was_before_it)
{
	struct yard y;

	yard_open(&y);
	if (!host_moves(&y)) {
		yard_close(&y);
		SKIP("the host does not move mappings so");
	}
	park(&y, 0, 300, 1000);
	EXPECT(lot_take(y.lot, y.window + 400 * PAGE, 100, (pfn_t){ 1100 }));
	expect_frame(&y, 400, 1100);
	expect_frame(&y, 499, 1199);
	EXPECT(lot_take(y.lot, y.window + 600 * PAGE, 100, (pfn_t){ 1000 }));
	expect_frame(&y, 600, 1000);
	EXPECT(!lot_take(y.lot, y.window + 800 * PAGE, 2, (pfn_t){ 1099 }));
	yard_close(&y);
}

TEST(lot, runs_that_continue_each_other_come_back_as_one)
{
	struct yard y;

	yard_open(&y);
	if (!host_moves(&y)) {
		yard_close(&y);
		SKIP("the host does not move mappings so");
	}
	park(&y, 0, 100, 300);
	park(&y, 100, 100, 400);
	EXPECT(lot_take(y.lot, y.window + 500 * PAGE, 200, (pfn_t){ 300 }));
	expect_frame(&y, 500, 300);
	expect_frame(&y, 600, 400);
	expect_frame(&y, 699, 499);
	yard_close(&y);
}

TEST(lot, run_that_was_not_parked_whole_is_not_taken)
{
	struct yard y;

	yard_open(&y);
	if (!host_moves(&y)) {
		yard_close(&y);
		SKIP("the host does not move mappings so");
	}
	park(&y, 0, 100, 300);
	EXPECT(!lot_take(y.lot, y.window + 500 * PAGE, 101, (pfn_t){ 300 }));
	EXPECT(!lot_take(y.lot, y.window + 500 * PAGE, 100, (pfn_t){ 299 }));
	EXPECT(!lot_take(y.lot, y.window + 500 * PAGE, 64, (pfn_t){ 2000 }));
	EXPECT(lot_take(y.lot, y.window + 500 * PAGE, 100, (pfn_t){ 300 }));
	expect_frame(&y, 500, 300);
	yard_close(&y);
}

TEST(lot, frames_may_be_parked_again_and_again)
{
	struct yard y;

	yard_open(&y);
	if (!host_moves(&y)) {
		yard_close(&y);
		SKIP("the host does not move mappings so");
	}
	for (size_t i = 0; i < 50; i++) {
		park(&y, i, 100, 300 + i % 7);
		if (i % 3 != 0)
			continue;
		EXPECT(lot_take(y.lot, y.window + 500 * PAGE, 100, (pfn_t){ 300 + i % 7 }));
		expect_frame(&y, 500, 300 + i % 7);
		expect_frame(&y, 599, 399 + i % 7);
		SETUP(host_window_hide(y.window + 500 * PAGE, 100 * PAGE) == 0);
	}
	yard_close(&y);
}

TEST(lot, keeps_to_its_mappings_however_many_runs_are_parked)
{
	struct yard y;

	yard_open(&y);
	if (!host_moves(&y)) {
		yard_close(&y);
		SKIP("the host does not move mappings so");
	}
	for (uint64_t i = 0; i < 10 * LOT_PIECES; i++) {
		park(&y, 0, 2, 1 + i * 3 % (FRAMES - 4));
		EXPECT_MSG(y.account <= 1000 + LOT_PIECES, "%llu after %llu", (unsigned long long)y.account,
		           (unsigned long long)i);
	}
	/* The last one is still there. */
	EXPECT(lot_take(y.lot, y.window + 500 * PAGE, 2, (pfn_t){ 1 + (10 * LOT_PIECES - 1) * 3 % (FRAMES - 4) }));
	expect_frame(&y, 500, 1 + (10 * LOT_PIECES - 1) * 3 % (FRAMES - 4));
	yard_close(&y);
}

TEST(lot, content_is_the_frames_and_not_what_it_was_when_it_was_parked)
{
	struct yard y;

	yard_open(&y);
	if (!host_moves(&y)) {
		yard_close(&y);
		SKIP("the host does not move mappings so");
	}
	park(&y, 0, 100, 200);
	y.ram[250 * 512] = 77;
	EXPECT(lot_take(y.lot, y.window, 100, (pfn_t){ 200 }));
	EXPECT_EQ(*(volatile uint64_t *)(void *)(y.window + 50 * PAGE), 77);
	yard_close(&y);
}
