// SPDX-License-Identifier: MIT
/*
 * Copies between the kernel and callers' buffers: split anywhere, failing at any byte.
 */
#include "base/uio.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/rawcopy.h"
#include "base/util.h"
#include "unit/base/bed.h"

enum { BYTES = 24, USER_BYTES = 3 * KSIM_PAGE_SIZE };
#define USER_AT UINT64_C(0x7000)

/* Machine, caller, and user memory at USER_AT of which the first `good` bytes can be accessed. */
struct user_bed {
	struct bed bed;
	size_t good;
	unsigned calls;
	uint8_t memory[USER_BYTES];
};

static size_t user_copy(struct ctx *ctx, ksim_addr addr, void *host, size_t n, bool to_user)
{
	struct user_bed *b = container_of(ctx, struct user_bed, bed.ctx);

	b->calls++;
	if (addr < USER_AT || addr >= USER_AT + b->good)
		return 0;
	n = MIN(n, USER_AT + b->good - addr);
	if (to_user)
		memcpy(b->memory + (addr - USER_AT), host, n);
	else
		memcpy(host, b->memory + (addr - USER_AT), n);
	return n;
}

static const struct user_ops user_ops = { user_copy };

static struct user_bed *user_bed_open(void)
{
	struct user_bed *b = calloc(1, sizeof(*b));

	SETUP(b != NULL);
	bed_open(&b->bed);
	b->bed.ctx.user = &user_ops;
	b->good = USER_BYTES;
	return b;
}

static void user_bed_close(struct user_bed *b)
{
	bed_close(&b->bed);
	free(b);
}

TEST(uio, copies_reach_host_and_user_memory)
{
	struct user_bed *b = user_bed_open();
	struct ctx *ctx = &b->bed.ctx;
	uint32_t value = 0x12345678, host = 0, back = 0;

	EXPECT_EQ(copy_out(ctx, uptr_from(&host), &value, sizeof(value)), 0);
	EXPECT_EQ(host, value);
	EXPECT_EQ(copy_in(ctx, &back, uptr_from(&host), sizeof(back)), 0);
	EXPECT_EQ(back, value);
	back = 0;
	EXPECT_EQ(copy_out(ctx, uptr_user(USER_AT + 5), &value, sizeof(value)), 0);
	EXPECT_MEMEQ(b->memory + 5, &value, sizeof(value));
	EXPECT_EQ(copy_in(ctx, &back, uptr_user(USER_AT + 5), sizeof(back)), 0);
	EXPECT_EQ(back, value);
	user_bed_close(b);
}

TEST(uio, host_pointers_below_64_KiB_fail_EFAULT)
{
	struct user_bed *b = user_bed_open();
	struct ctx *ctx = &b->bed.ctx;
	const uint64_t bad[] = { 0, 1, 65535, UPTR_USER_BIT - 1 };
	char to[4];

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct uptr p = { bad[i] };

		EXPECT_EQ(copy_in(ctx, to, p, 2), -EFAULT);
		EXPECT_EQ(copy_out(ctx, p, to, 2), -EFAULT);
		EXPECT_EQ(copy_in(ctx, to, p, 0), 0);
		EXPECT_EQ(copy_out(ctx, p, to, 0), 0);
	}
	EXPECT_EQ(copy_in_string(ctx, to, (struct uptr){ 65535 }, sizeof(to)), -EFAULT);
	user_bed_close(b);
}

TEST(uio, user_ranges_beyond_47_bits_fail_EFAULT_before_a_byte_moves)
{
	struct user_bed *b = user_bed_open();
	struct ctx *ctx = &b->bed.ctx;
	const struct {
		uint64_t at, n;
	} bad[] = {
		{ UINT64_C(1) << 47, 1 },       { (UINT64_C(1) << 47) - 1, 2 }, { UINT64_C(1) << 62, 1 },
		{ (UINT64_C(1) << 63) - 1, 2 }, { USER_AT, UINT64_C(1) << 47 }, { USER_AT, UINT64_MAX },
	};
	char byte = 0;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct uio uio;

		EXPECT_EQ(copy_in(ctx, &byte, uptr_user(bad[i].at), bad[i].n), -EFAULT);
		uio_init_one(&uio, uptr_user(bad[i].at), bad[i].n);
		EXPECT_EQ(uio_copy_to(ctx, &uio, &byte, 1), 0);
		EXPECT_EQ(uio.resid, bad[i].n);
	}
	EXPECT_EQ(b->calls, 0);
	user_bed_close(b);
}

TEST(uio, without_user_memory_every_user_access_fails_EFAULT)
{
	struct user_bed *b = user_bed_open();
	char byte = 0;
	struct uio uio;

	b->bed.ctx.user = NULL;
	EXPECT_EQ(copy_in(&b->bed.ctx, &byte, uptr_user(USER_AT), 1), -EFAULT);
	EXPECT_EQ(copy_out(&b->bed.ctx, uptr_user(USER_AT), &byte, 1), -EFAULT);
	EXPECT_EQ(copy_in_string(&b->bed.ctx, &byte, uptr_user(USER_AT), 1), -EFAULT);
	uio_init_one(&uio, uptr_user(USER_AT), 1);
	EXPECT_EQ(uio_zero(&b->bed.ctx, &uio, 1), 0);
	user_bed_close(b);
}

TEST(uio, partial_user_copy_fails_EFAULT_and_leaves_a_prefix)
{
	struct user_bed *b = user_bed_open();

	b->good = 3;
	EXPECT_EQ(copy_out(&b->bed.ctx, uptr_user(USER_AT), "abcd", 4), -EFAULT);
	EXPECT_MEMEQ(b->memory, "abc\0", 4);
	user_bed_close(b);
}

TEST(uio, string_stops_at_NUL_and_reads_no_further_page)
{
	struct user_bed *b = user_bed_open();
	struct ctx *ctx = &b->bed.ctx;
	char to[8192];

	strcpy((char *)b->memory + KSIM_PAGE_SIZE - 3, "ab");
	b->good = KSIM_PAGE_SIZE;
	EXPECT_EQ(copy_in_string(ctx, to, uptr_user(USER_AT + KSIM_PAGE_SIZE - 3), sizeof(to)), 2);
	EXPECT_STREQ(to, "ab");
	memcpy(b->memory + KSIM_PAGE_SIZE - 3, "abc", 3);
	EXPECT_EQ(copy_in_string(ctx, to, uptr_user(USER_AT + KSIM_PAGE_SIZE - 3), sizeof(to)), -EFAULT);
	b->good = USER_BYTES;
	EXPECT_EQ(copy_in_string(ctx, to, uptr_user(USER_AT + KSIM_PAGE_SIZE - 3), sizeof(to)), 3);
	EXPECT_STREQ(to, "abc");
	user_bed_close(b);
}

TEST(uio, string_without_NUL_in_size_fails_ENAMETOOLONG)
{
	struct user_bed *b = user_bed_open();
	struct ctx *ctx = &b->bed.ctx;
	char to[8];

	strcpy((char *)b->memory, "abcd");
	EXPECT_EQ(copy_in_string(ctx, to, uptr_user(USER_AT), 4), -ENAMETOOLONG);
	EXPECT_EQ(copy_in_string(ctx, to, uptr_user(USER_AT), 5), 4);
	EXPECT_EQ(copy_in_string(ctx, to, uptr_from("abcd"), 4), -ENAMETOOLONG);
	EXPECT_EQ(copy_in_string(ctx, to, uptr_from("abcd"), 5), 4);
	EXPECT_STREQ(to, "abcd");
	EXPECT_EQ(copy_in_string(ctx, to, uptr_from(""), 1), 0);
	EXPECT_EQ(copy_in_string(ctx, to, uptr_user(USER_AT), 0), -ENAMETOOLONG);
	user_bed_close(b);
}

/*
 * BYTES bytes in three buffers, host user host with an empty one between, cut at i and j, moved in chunks.
 * User memory ends after `good` bytes, so the move must stop there.
 */
static void move_split(struct user_bed *b, size_t i, size_t j, size_t good, size_t chunk, bool out)
{
	uint8_t head[BYTES] = { 0 }, tail[BYTES] = { 0 }, kernel[BYTES] = { 0 }, pattern[BYTES];
	const struct uio_seg segs[] = { { uptr_from(head), i },
		                        { uptr_from(NULL), 0 },
		                        { uptr_user(USER_AT), j - i },
		                        { uptr_from(tail), BYTES - j } };
	size_t expected = good < j - i ? i + good : BYTES, done = 0, moved;
	struct uio uio;

	for (size_t k = 0; k < BYTES; k++)
		pattern[k] = (uint8_t)(k + 1);
	memcpy(kernel, pattern, out ? BYTES : 0);
	memset(b->memory, 0, BYTES);
	if (!out) {
		memcpy(head, pattern, i);
		memcpy(b->memory, pattern + i, j - i);
		memcpy(tail, pattern + j, BYTES - j);
	}
	b->good = good;
	uio_init(&uio, segs, ARRAY_SIZE(segs));
	do {
		moved = out ? uio_copy_to(&b->bed.ctx, &uio, kernel + done, MIN(chunk, BYTES - done))
		            : uio_copy_from(&b->bed.ctx, &uio, kernel + done, chunk);
		done += moved;
	} while (moved == chunk && done < BYTES);
	REQUIRE_MSG(done == expected && uio.resid == BYTES - done, "cut %zu %zu good %zu chunk %zu: moved %zu, not %zu",
	            i, j, good, chunk, done, expected);
	if (out) {
		memset(kernel, 0, sizeof(kernel));
		memcpy(kernel, head, i);
		memcpy(kernel + i, b->memory, j - i);
		memcpy(kernel + j, tail, BYTES - j);
	}
	REQUIRE_MSG(memcmp(kernel, pattern, done) == 0, "cut %zu %zu good %zu chunk %zu: other bytes", i, j, good,
	            chunk);
}

TEST(uio, moves_over_split_buffers_stop_exactly_at_the_fault)
{
	struct user_bed *b = user_bed_open();

	for (size_t i = 0; i <= BYTES; i++)
		for (size_t j = i; j <= BYTES; j++)
			for (size_t good = 0; good <= j - i; good++)
				for (size_t chunk = 1; chunk <= BYTES; chunk += 5) {
					move_split(b, i, j, good, chunk, true);
					move_split(b, i, j, good, chunk, false);
				}
	user_bed_close(b);
}

TEST(uio, zeros_reach_both_kinds_and_report_the_fault)
{
	struct user_bed *b = user_bed_open();
	uint8_t host[700];
	const struct uio_seg segs[] = { { uptr_from(host), sizeof(host) }, { uptr_user(USER_AT), 2000 } };
	struct uio uio;

	memset(host, 0xff, sizeof(host));
	memset(b->memory, 0xff, sizeof(b->memory));
	b->good = 1500;
	uio_init(&uio, segs, ARRAY_SIZE(segs));
	EXPECT_EQ(uio_zero(&b->bed.ctx, &uio, 5000), 700 + 1500);
	EXPECT_EQ(uio.resid, 500);
	for (size_t i = 0; i < sizeof(host); i++)
		REQUIRE(host[i] == 0);
	for (size_t i = 0; i < 1501; i++)
		REQUIRE_MSG(b->memory[i] == (i < 1500 ? 0 : 0xff), "byte %zu is %#x", i, b->memory[i]);
	user_bed_close(b);
}

TEST(uio, never_moves_more_than_resid)
{
	struct user_bed *b = user_bed_open();
	char from[8] = "abcdefg", to[4] = { 0 };
	struct uio uio;

	uio_init_one(&uio, uptr_from(to), 3);
	EXPECT_EQ(uio_copy_to(&b->bed.ctx, &uio, from, 8), 3);
	EXPECT_EQ(uio_copy_to(&b->bed.ctx, &uio, from, 8), 0);
	EXPECT_STREQ(to, "abc");
	user_bed_close(b);
}

TEST(rawcopy, copies_and_zeros_at_every_alignment_and_length)
{
	uint8_t from[64], to[64], expected[64];

	for (size_t k = 0; k < sizeof(from); k++)
		from[k] = (uint8_t)(k + 1);
	for (size_t a = 0; a < 9; a++) {
		for (size_t b = 0; b < 9; b++) {
			for (size_t n = 0; n < 40; n++) {
				memset(to, 0xee, sizeof(to));
				memset(expected, 0xee, sizeof(expected));
				memcpy(expected + a, from + b, n);
				raw_copy(to + a, from + b, n);
				REQUIRE_MSG(memcmp(to, expected, sizeof(to)) == 0, "copy of %zu to %zu from %zu", n, a,
				            b);
				memset(expected + a, 0, n);
				raw_zero(to + a, n);
				REQUIRE_MSG(memcmp(to, expected, sizeof(to)) == 0, "zero of %zu at %zu", n, a);
			}
		}
	}
}

TEST(uio, string_that_runs_off_the_end_of_user_space_fails_EFAULT)
{
	struct user_bed *b = user_bed_open();
	char to[8];

	EXPECT_EQ(copy_in_string(&b->bed.ctx, to, uptr_user(UINT64_C(1) << 47), sizeof(to)), -EFAULT);
	EXPECT_EQ(b->calls, 0);
	user_bed_close(b);
}

/* ---- windows ---- */

/* The first byte of user memory appears at b->memory. */
static struct user_bed *window_bed_open(ksim_addr user)
{
	struct user_bed *b = user_bed_open();

	b->bed.ctx.window = (struct user_window){ (uintptr_t)b->memory, USER_BYTES, user };
	return b;
}

static struct uptr meant(struct user_bed *b, uint64_t bits)
{
	return uptr_meant(&b->bed.ctx, (struct uptr){ bits });
}

TEST(uptr, within_the_window_means_the_user_address_that_appears_there)
{
	struct user_bed *b = window_bed_open(USER_AT);
	uintptr_t host = (uintptr_t)b->memory;

	EXPECT_EQ(meant(b, host).bits, uptr_user(USER_AT).bits);
	EXPECT_EQ(meant(b, host + 77).bits, uptr_user(USER_AT + 77).bits);
	EXPECT_EQ(meant(b, host + USER_BYTES - 1).bits, uptr_user(USER_AT + USER_BYTES - 1).bits);
	user_bed_close(b);
}

TEST(uptr, outside_of_the_window_is_the_programs_own)
{
	struct user_bed *b = window_bed_open(USER_AT);
	uintptr_t host = (uintptr_t)b->memory;

	EXPECT_EQ(meant(b, host - 1).bits, host - 1);
	EXPECT_EQ(meant(b, host + USER_BYTES).bits, host + USER_BYTES);
	EXPECT_EQ(meant(b, 0).bits, 0);
	EXPECT_EQ(meant(b, UPTR_USER_BIT - 1).bits, UPTR_USER_BIT - 1);
	user_bed_close(b);
}

TEST(uptr, in_a_forked_child_the_parents_pointers_and_its_own_mean_its_memory)
{
	/* The parent's window, whose addresses the child has. */
	const ksim_addr parent = UINT64_C(0x7e0000000000);
	struct user_bed *b = window_bed_open(parent);
	uintptr_t host = (uintptr_t)b->memory;

	EXPECT_EQ(meant(b, parent).bits, uptr_user(parent).bits);
	EXPECT_EQ(meant(b, parent + USER_BYTES - 1).bits, uptr_user(parent + USER_BYTES - 1).bits);
	EXPECT_EQ(meant(b, host).bits, uptr_user(parent).bits);
	EXPECT_EQ(meant(b, host + 5).bits, uptr_user(parent + 5).bits);
	EXPECT_EQ(meant(b, parent - 1).bits, parent - 1);
	EXPECT_EQ(meant(b, parent + USER_BYTES).bits, parent + USER_BYTES);
	user_bed_close(b);
}

TEST(uptr, with_the_user_bit_or_without_a_window_means_what_it_says)
{
	struct user_bed *b = window_bed_open(USER_AT);
	uintptr_t host = (uintptr_t)b->memory;

	EXPECT_EQ(meant(b, uptr_user(USER_AT).bits).bits, uptr_user(USER_AT).bits);
	EXPECT_EQ(meant(b, uptr_user(host).bits).bits, uptr_user(host).bits);
	EXPECT_EQ(meant(b, uptr_user(0).bits).bits, uptr_user(0).bits);
	b->bed.ctx.window = (struct user_window){ 0 };
	EXPECT_EQ(meant(b, host).bits, host);
	EXPECT_EQ(meant(b, USER_AT).bits, USER_AT);
	EXPECT_EQ(meant(b, 0).bits, 0);
	user_bed_close(b);
}

/* Each of them goes by user_ops: past what is mapped it fails, and the bytes there stay. */
TEST(uio, copies_by_pointers_into_the_window_end_where_the_mapping_does)
{
	struct user_bed *b = window_bed_open(USER_AT);
	struct ctx *ctx = &b->bed.ctx;
	struct uptr start = uptr_from(b->memory);
	char to[8] = "";

	b->good = 4;
	memcpy(b->memory, "abcdefg", 8);
	EXPECT_EQ(copy_in(ctx, to, start, 4), 0);
	EXPECT_STREQ(to, "abcd");
	EXPECT_EQ(copy_in(ctx, to, start, 5), -EFAULT);
	EXPECT_EQ(copy_out(ctx, start, "ABCDEFG", 8), -EFAULT);
	EXPECT_STREQ((char *)b->memory, "ABCDefg");
	EXPECT_EQ(copy_in_string(ctx, to, start, sizeof(to)), -EFAULT);
	b->memory[3] = '\0';
	EXPECT_EQ(copy_in_string(ctx, to, start, sizeof(to)), 3);
	EXPECT_STREQ(to, "ABC");
	EXPECT(b->calls >= 5);
	user_bed_close(b);
}

TEST(uio, moves_by_pointers_into_the_window_end_where_the_mapping_does)
{
	struct user_bed *b = window_bed_open(USER_AT);
	struct ctx *ctx = &b->bed.ctx;
	char own[4] = "";
	const struct uio_seg segs[] = { { uptr_from(own), sizeof(own) }, { uptr_from(b->memory + 8), 8 } };
	struct uio uio;

	b->good = 12;
	uio_init(&uio, segs, ARRAY_SIZE(segs));
	EXPECT_EQ(uio_copy_to(ctx, &uio, "0123456789ab", 12), 8);
	EXPECT_MEMEQ(own, "0123", 4);
	EXPECT_MEMEQ(b->memory + 8, "4567\0\0\0", 8);
	user_bed_close(b);
}

TEST(uio, copies_of_a_forked_child_by_its_parents_pointers_reach_its_own_memory)
{
	/* The parent's memory is really there; the child's appears elsewhere. */
	static uint8_t parent[16] = "parent";
	struct user_bed *b = user_bed_open();
	struct ctx *ctx = &b->bed.ctx;
	char to[8] = "";

	b->bed.ctx.window = (struct user_window){ USER_AT, USER_BYTES, (uintptr_t)parent };
	EXPECT_EQ(copy_out(ctx, uptr_from(parent), "x", 1), -EFAULT); /* no user memory at that address */
	EXPECT_STREQ((char *)parent, "parent");
	EXPECT_EQ(copy_in(ctx, to, uptr_from(parent), 2), -EFAULT);
	EXPECT_EQ(b->calls, 2);
	user_bed_close(b);
}
