// SPDX-License-Identifier: MIT
/*
 * What people read: broken invariants, reports, accounts and births, the profile of a release.
 */
#include <stdio.h>

#include "base/util.h"
#include "unit/aborts.h"
#include "unit/base/bed.h"

static void break_invariant(void *arg)
{
	struct bed *bed = arg;
	struct owner owner;
	int size = 7;

	owner_init(&bed->env.owners, &owner, 3, "compositor");
	bed->ctx.owner = &owner;
	bed->ctx.call = "ftruncate";
	KSIM_ASSERT(&bed->ctx, size < 5, "I1 of sizes", "size %d", size);
}

TEST(check, broken_invariant_names_itself_values_caller_and_place)
{
	struct bed bed;

	bed_open(&bed);
	expect_abort(break_invariant, &bed,
	             "ksim: broken invariant: I1 of sizes: size 7 [compositor (3), in ftruncate] at "
	             "unit/base/report.c:");
	bed_close(&bed);
}

static void break_without_caller(void *arg)
{
	KSIM_ASSERT(NULL, arg != NULL, "an argument is given", "arg %p", arg);
}

TEST(check, broken_invariant_without_caller_is_reported_too)
{
	expect_abort(break_without_caller, NULL, "ksim: broken invariant: an argument is given: arg (nil) at ");
}

static void break_in_a_file_of_its_own(void *arg)
{
	struct bed *bed = arg;

	bed->ctx.call = NULL;
	check_failed(&bed->ctx, "I2", "place.c", 7, "no more");
}

TEST(check, broken_invariant_outside_any_call_says_so_and_a_short_path_stays)
{
	struct bed bed;

	bed_open(&bed);
	expect_abort(break_in_a_file_of_its_own, &bed,
	             "ksim: broken invariant: I2: no more [machine (0), in no call] at place.c:7\n");
	bed_close(&bed);
}

static void break_of_nobody(void *arg)
{
	struct bed *bed = arg;

	bed->ctx.owner = NULL;
	check_failed(&bed->ctx, "I3", "a/b/c/d.c", 8, "x");
}

TEST(check, broken_invariant_of_nobody_names_the_place_alone)
{
	struct bed bed;

	bed_open(&bed);
	expect_abort(break_of_nobody, &bed, "ksim: broken invariant: I3: x at b/c/d.c:8\n");
	bed_close(&bed);
}

static void break_unheard(void *arg)
{
	(void)arg;
	close(STDERR_FILENO);
	KSIM_ASSERT(NULL, arg != NULL, "somebody listens", "nobody");
}

TEST(check, broken_invariant_aborts_also_where_nobody_hears_it)
{
	expect_abort(break_unheard, NULL, "");
}

struct lines {
	unsigned n;
	char text[4][64];
};

static void keep_line(void *arg, const char *text)
{
	struct lines *lines = arg;

	if (lines->n < ARRAY_SIZE(lines->text))
		snprintf(lines->text[lines->n], sizeof(lines->text[0]), "%s", text);
	lines->n++;
}

TEST(check, broken_lines_are_counted_and_formatted)
{
	struct lines lines = { 0 };
	struct check_report report = { keep_line, &lines, 0 };

	CHECK_THAT(&report, 1 + 1 == 2, "arithmetic", "%d", 2);
	CHECK_THAT(&report, lines.n == 1, "I9: a line came", "%u lines", lines.n);
	EXPECT_EQ(report.broken, 1);
	EXPECT_EQ(lines.n, 1);
	EXPECT_STREQ(lines.text[0], "broken invariant: I9: a line came: 0 lines");
}

TEST(env, say_hands_on_line_by_line)
{
	struct lines lines = { 0 };
	struct bed bed;

	bed_open(&bed);
	bed.env.hooks.say = keep_line;
	bed.env.hooks.say_arg = &lines;
	env_say(&bed.env, "one %d\n\nthree\n", 1);
	env_say(&bed.env, "four");
	EXPECT_EQ(lines.n, 4);
	EXPECT_STREQ(lines.text[0], "one 1");
	EXPECT_STREQ(lines.text[1], "");
	EXPECT_STREQ(lines.text[2], "three");
	EXPECT_STREQ(lines.text[3], "four");
	bed_close(&bed);
}

static void count_bytes(void *arg, const char *text)
{
	*(size_t *)arg += strlen(text);
}

TEST(env, say_of_long_text_loses_nothing)
{
	struct bed bed;
	size_t bytes = 0;

	bed_open(&bed);
	bed.env.hooks.say = count_bytes;
	bed.env.hooks.say_arg = &bytes;
	env_say(&bed.env, "%05000d\n%0700d", 1, 2);
	EXPECT_EQ(bytes, 5700);
	bed_close(&bed);
}

static void say_to_stderr(void *arg)
{
	struct bed *bed = arg;

	env_say(&bed->env, "first\nsecond");
}

TEST(env, say_without_hook_goes_to_standard_error)
{
	struct bed bed;
	char text[4096];
	int status;

	bed_open(&bed);
	aborts_run(say_to_stderr, &bed, text, sizeof(text), &status);
	EXPECT_MSG(strstr(text, "first\nsecond\n") != NULL, "it said: %s", text);
	bed_close(&bed);
}

static void say_lines_to_stderr(void *arg)
{
	struct bed *bed = arg;

	env_say(&bed->env, "%s", "");
	env_say(&bed->env, "whole\n");
	env_say(&bed->env, "%s", "");
}

TEST(env, say_of_nothing_writes_nothing_and_a_line_is_not_ended_twice)
{
	struct bed bed;
	char text[4096];
	int status;

	bed_open(&bed);
	aborts_run(say_lines_to_stderr, &bed, text, sizeof(text), &status);
	EXPECT_STREQ(text, "whole\n");
	bed_close(&bed);
}

TEST(origin, births_are_counted_on_callers_account_with_call_and_epoch)
{
	struct bed bed;
	struct owner owner;
	struct origin a, b;

	bed_open(&bed);
	owner_init(&bed.env.owners, &owner, 5, "a name that is longer than an account has room for");
	EXPECT_EQ(strlen(owner.name), sizeof(owner.name) - 1);
	bed.env.epoch = 9;
	origin_set(&bed.ctx, &a, CENSUS_FILE);
	bed.ctx.owner = &owner;
	bed.ctx.call = "dup";
	origin_set(&bed.ctx, &b, CENSUS_FILE);
	EXPECT_STREQ(b.call, "dup");
	EXPECT_EQ(b.epoch, 9);
	EXPECT(b.owner == &owner);
	EXPECT_EQ(owner.count[CENSUS_FILE], 1);
	EXPECT_EQ(owners_total(&bed.env.owners, CENSUS_FILE), 2);
	origin_clear(&a);
	EXPECT_EQ(owners_total(&bed.env.owners, CENSUS_FILE), 1);
	origin_clear(&b);
	EXPECT_EQ(owners_total(&bed.env.owners, CENSUS_FILE), 0);
	owner_fini(&bed.env.owners, &owner, NULL);
	bed_close(&bed);
}

TEST(origin, heir_takes_over_what_is_left)
{
	struct bed bed;
	struct owner owner;

	bed_open(&bed);
	owner_init(&bed.env.owners, &owner, 5, "client");
	census_add(&owner, CENSUS_FRAME, 3);
	owner_fini(&bed.env.owners, &owner, &bed.env.self);
	EXPECT_EQ(owner_count(&bed.env.self, CENSUS_FRAME), 3);
	EXPECT_EQ(owners_total(&bed.env.owners, CENSUS_FRAME), 3);
	census_add(&bed.env.self, CENSUS_FRAME, -3);
	bed_close(&bed);
}

TEST(origin, every_kind_has_a_name)
{
	for (int kind = 0; kind < CENSUS_KIND_COUNT; kind++)
		EXPECT_MSG(census_kind_name((enum census_kind)kind) != NULL, "kind %d", kind);
	EXPECT_STREQ(census_kind_name(CENSUS_KIND_COUNT), "unknown kind");
}

TEST(profile, ranges_of_one_name_are_a_union)
{
	static const struct {
		unsigned release;
		bool shared_ro, grow_partial;
	} expected[] = {
		{ 5010, false, false }, { 6006, false, false }, { 6007, true, false }, { 6011, true, false },
		{ 6012, false, false }, { 6013, true, false },  { 6017, true, false }, { 6018, true, true },
		{ 7000, true, true },   { 0, true, true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		unsigned release = expected[i].release;
		struct profile profile;

		profile_init(&profile, release);
		EXPECT_EQ(profile.release, release != 0 ? release : PROFILE_RELEASE_DEFAULT);
		EXPECT_MSG(profile.write_sealed_map_shared_ro == expected[i].shared_ro, "release %u", release);
		EXPECT_MSG(profile.seal_grow_partial_write == expected[i].grow_partial, "release %u", release);
	}
}
