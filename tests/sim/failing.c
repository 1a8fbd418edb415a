// SPDX-License-Identifier: MIT
/*
 * Allocations that fail on purpose: the nth, by chance, and as a callback says; set by call, by config, by environment.
 */
#include "bed.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>

static struct ksim_machine *boot(void)
{
	SETUP(unsetenv("KSIM_FAIL") == 0);
	return bed_boot();
}

/* A process that has its task already, so that acting as it allocates nothing. */
static struct ksim_process *settled(struct ksim_machine *m, const char *name)
{
	struct ksim_process *p = bed_process(m, name);

	ksim_as(p)
		ksim_getpid();
	return p;
}

TEST(failing, nth_frame_fails_and_those_around_it_do_not)
{
	struct ksim_machine *m = boot();
	struct ksim_allocation first;

	ksim_as(settled(m, "client")) {
		int fd = ksim_memfd_create("pool", 0);

		EXPECT_EQ(ksim_fail_nth(m, KSIM_FAIL_FRAME, 3), 0);
		EXPECT_EQ(ksim_ftruncate(fd, 2 * PAGE), 0);
		EXPECT(!ksim_fail_first(m, &first));
		EXPECT_FAILS(ksim_ftruncate(fd, 4 * PAGE), ENOMEM);
		EXPECT_EQ(ksim_ftruncate(fd, 4 * PAGE), 0);
	}
	EXPECT_EQ(ksim_fail_count(m), 5);
	EXPECT(ksim_fail_first(m, &first));
	EXPECT_EQ(first.n, 3);
	EXPECT_EQ(first.kind, KSIM_FAIL_FRAME);
	bed_halt(m);
}

TEST(failing, each_kind_has_its_errno)
{
	struct ksim_machine *m = boot();
	struct ksim_process *p = settled(m, "client");
	int ends[2] = { -1, -1 };

	ksim_as(p) {
		EXPECT_EQ(ksim_socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
		EXPECT_EQ(ksim_fail_nth(m, KSIM_FAIL_KMEM, 1), 0);
		EXPECT_FAILS(ksim_memfd_create("x", 0), ENOMEM);
		EXPECT_EQ(ksim_fail_nth(m, KSIM_FAIL_FD, 1), 0);
		EXPECT_FAILS(ksim_memfd_create("x", 0), EMFILE);
		EXPECT_EQ(ksim_fail_nth(m, KSIM_FAIL_MESSAGE, 1), 0);
		EXPECT_FAILS(ksim_send(ends[0], "x", 1, 0), ENOBUFS);
		EXPECT_EQ(ksim_send(ends[0], "x", 1, 0), 1);
	}
	bed_halt(m);
}

TEST(failing, kinds_that_were_not_asked_for_are_not_counted)
{
	struct ksim_machine *m = boot();

	ksim_as(settled(m, "client")) {
		int fd = -1;

		EXPECT_EQ(ksim_fail_nth(m, KSIM_FAIL_FD | KSIM_FAIL_MESSAGE, 0), 0);
		fd = ksim_memfd_create("x", 0);
		EXPECT_EQ(ksim_ftruncate(fd, PAGE), 0);
		EXPECT_EQ(ksim_dup(fd), 1);
	}
	EXPECT_EQ(ksim_fail_count(m), 2);
	bed_halt(m);
}

TEST(failing, setting_it_anew_begins_to_count_anew)
{
	struct ksim_machine *m = boot();
	struct ksim_allocation first;

	ksim_as(settled(m, "client")) {
		EXPECT_EQ(ksim_fail_nth(m, KSIM_FAIL_FD, 1), 0);
		EXPECT_FAILS(ksim_memfd_create("x", 0), EMFILE);
		EXPECT_EQ(ksim_fail_nth(m, KSIM_FAIL_FD, 2), 0);
		EXPECT_EQ(ksim_fail_count(m), 0);
		EXPECT(!ksim_fail_first(m, &first));
		EXPECT_EQ(ksim_memfd_create("x", 0), 0);
		EXPECT_FAILS(ksim_memfd_create("x", 0), EMFILE);
	}
	bed_halt(m);
}

static int touch(void *map)
{
	ksim_store8(*(ksim_addr *)map, 1);
	return 0;
}

TEST(failing, touch_without_a_frame_kills_and_names_the_access)
{
	struct ksim_machine *m = boot();
	struct ksim_process *p = settled(m, "client");
	struct ksim_allocation first;
	struct ksim_end end;
	ksim_addr map = 0;

	ksim_as(p)
		map = bed_map(1, RW, MAP_PRIVATE);
	EXPECT_EQ(ksim_fail_nth(m, KSIM_FAIL_FRAME, 1), 0);
	EXPECT_EQ(ksim_run(p, touch, &map, &end), 0);
	EXPECT_EQ(end.signo, SIGKILL);
	EXPECT(ksim_fail_first(m, &first));
	EXPECT_STREQ(first.call, "memory access");
	EXPECT(first.process == p);
	bed_halt(m);
}

TEST(failing, who_allocates_for_the_machine_is_nobody)
{
	struct ksim_machine *m = boot();
	struct ksim_allocation first;

	for (uint64_t n = 1; n <= 2; n++) {
		EXPECT_EQ(ksim_fail_nth(m, KSIM_FAIL_KMEM, n), 0);
		EXPECT(ksim_process_create(m, "client") == NULL && errno == ENOMEM);
		EXPECT(ksim_fail_first(m, &first));
		EXPECT_STREQ(first.call, "process_create");
		EXPECT(first.process == NULL);
	}
	bed_halt(m);
}

/* ---- by chance ---- */

/* Which of 64 duplications fail, a bit each. */
static uint64_t pattern(double probability, uint64_t seed)
{
	struct ksim_machine *m = boot();
	uint64_t bits = 0;

	ksim_as(settled(m, "client")) {
		int fd = ksim_memfd_create("x", 0);

		EXPECT_EQ(ksim_fail_chance(m, KSIM_FAIL_FD, probability, seed), 0);
		for (int i = 0; i < 64; i++)
			bits |= (uint64_t)(ksim_dup(fd) < 0) << i;
		EXPECT_EQ(ksim_fail_count(m), 64);
	}
	bed_halt(m);
	return bits;
}

TEST(failing, chance_is_the_same_with_the_same_seed)
{
	uint64_t seven = pattern(0.5, 7);

	EXPECT_EQ(pattern(0.5, 7), seven);
	EXPECT(pattern(0.5, 8) != seven);
	EXPECT(__builtin_popcountll(seven) >= 16 && __builtin_popcountll(seven) <= 48);
	EXPECT_EQ(pattern(0, 7), 0);
	EXPECT_EQ(pattern(1, 7), UINT64_MAX);
}

TEST(failing, smaller_chance_fails_where_a_greater_one_does)
{
	uint64_t rare = pattern(0.1, 7), often = pattern(0.6, 7);

	EXPECT(rare != 0);
	EXPECT_EQ(rare & ~often, 0);
}

/* ---- by callback ---- */

struct witness {
	struct ksim_process *victim;
	unsigned asked, strange;
};

/* Message objects of one process's sends. */
static bool refuse_sends(void *arg, const struct ksim_allocation *allocation)
{
	struct witness *witness = arg;

	witness->asked++;
	if (allocation->n != witness->asked || allocation->kind != KSIM_FAIL_MESSAGE)
		witness->strange++;
	return allocation->process == witness->victim && strcmp(allocation->call, "sendto") == 0;
}

TEST(failing, callback_sees_call_process_and_kind)
{
	struct ksim_machine *m = boot();
	struct ksim_process *a = settled(m, "a"), *b = settled(m, "b");
	struct witness witness = { .victim = a };
	struct ksim_allocation first;
	int ends[2];

	SETUP(ksim_socketpair_between(a, b, SOCK_STREAM, ends) == 0);
	EXPECT_EQ(ksim_fail_when(m, KSIM_FAIL_MESSAGE, refuse_sends, &witness), 0);
	ksim_as(b)
		EXPECT_EQ(ksim_send(ends[1], "x", 1, 0), 1);
	ksim_as(a) {
		EXPECT_EQ(ksim_write(ends[0], "x", 1), 1);
		EXPECT_FAILS(ksim_send(ends[0], "x", 1, 0), ENOBUFS);
	}
	EXPECT_EQ(witness.asked, 3);
	EXPECT_EQ(witness.strange, 0);
	EXPECT(ksim_fail_first(m, &first) && first.n == 3 && first.process == a);
	EXPECT_EQ(ksim_fail_when(m, 0, NULL, NULL), 0);
	ksim_as(a)
		EXPECT_EQ(ksim_send(ends[0], "x", 1, 0), 1);
	EXPECT_EQ(witness.asked, 3);
	EXPECT_EQ(ksim_fail_count(m), 0);
	bed_halt(m);
}

static bool count_only(void *arg, const struct ksim_allocation *allocation)
{
	(void)allocation;
	++*(unsigned *)arg;
	return false;
}

TEST(failing, check_and_halt_allocate_nothing)
{
	struct ksim_machine *m = boot();
	struct ksim_process *p = settled(m, "client");
	unsigned asked = 0;

	ksim_as(p) {
		int ends[2], fd = ksim_memfd_create("x", 0);

		SETUP(ksim_ftruncate(fd, PAGE) == 0 && ksim_socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
		ksim_store8(ksim_mmap(0, PAGE, RW, MAP_SHARED, fd, 0), 1);
		EXPECT_EQ(ksim_send_fds(ends[0], "x", 1, &fd, 1), 1);
		EXPECT_EQ(ksim_send_fds(ends[0], "x", 1, ends, 2), 1);
	}
	EXPECT_EQ(ksim_fail_when(m, KSIM_FAIL_ANY, count_only, &asked), 0);
	bed_halt(m);
	EXPECT_EQ(asked, 0);
}

TEST(failing, kinds_and_chances_that_are_none_are_EINVAL)
{
	struct ksim_machine *m = boot();
	unsigned asked = 0;

	EXPECT_FAILS(ksim_fail_nth(m, 0, 1), EINVAL);
	EXPECT_FAILS(ksim_fail_nth(m, 16, 1), EINVAL);
	EXPECT_FAILS(ksim_fail_chance(m, 0, 0.5, 1), EINVAL);
	EXPECT_FAILS(ksim_fail_chance(m, KSIM_FAIL_ANY, -0.1, 1), EINVAL);
	EXPECT_FAILS(ksim_fail_chance(m, KSIM_FAIL_ANY, 1.1, 1), EINVAL);
	EXPECT_FAILS(ksim_fail_chance(m, KSIM_FAIL_ANY, __builtin_nan(""), 1), EINVAL);
	EXPECT_FAILS(ksim_fail_when(m, 0, count_only, &asked), EINVAL);
	bed_halt(m);
}

/* ---- config and environment ---- */

static struct ksim_machine *boot_with(const char *fail)
{
	const struct ksim_config config = { .ram_bytes = 4 << 20, .fail = fail };

	return ksim_boot(&config);
}

TEST(failing, config_and_environment_that_say_nothing_are_EINVAL_at_boot)
{
	static const char *const wrong[] = {
		"",       "frame",       ":1",      "frame:",   "frame:x",     "frame:1x",   "cake:1",
		"any:-1", "any:+1",      "frame+",  "frame+:1", "frame:1@",    "frame:0.5",  "frame:0.5@x",
		"any:1.", "any:1.5@1",   "any:2@1", "any:.5@1", "Frame:1",     "frame,fd:1", " any:1",
		"any:1 ", "frame:1@1@1", "any:1:1", "frames:1", "any:0.0.1@1", "any:0x1",    "any:99999999999999999999",
	};

	SETUP(unsetenv("KSIM_FAIL") == 0);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		errno = 0;
		EXPECT_MSG(boot_with(wrong[i]) == NULL && errno == EINVAL, "\"%s\" was taken, errno %d", wrong[i],
		           errno);
		if (wrong[i][0] == '\0')
			continue; /* as if not set */
		setenv("KSIM_FAIL", wrong[i], 1);
		errno = 0;
		EXPECT_MSG(ksim_boot(NULL) == NULL && errno == EINVAL, "KSIM_FAIL=\"%s\" was taken", wrong[i]);
		unsetenv("KSIM_FAIL");
	}
}

/* Which call of a program of three fails: 1 process_create, 2 memfd_create, 3 ftruncate; 0: none. */
static int first_that_fails(const char *fail)
{
	struct ksim_machine *m = boot_with(fail);
	struct ksim_process *p;
	int failed = 0, fd = -1;

	SETUP(m != NULL);
	p = ksim_process_create(m, "client");
	if (p == NULL) {
		bed_halt(m);
		return 1;
	}
	ksim_as(p) {
		fd = ksim_memfd_create("x", 0);
		failed = fd < 0 ? 2 : ksim_ftruncate(fd, PAGE) < 0 ? 3 : 0;
	}
	bed_halt(m);
	return failed;
}

TEST(failing, config_plans_the_first_machine_and_the_environment_stands_in_its_place)
{
	SETUP(unsetenv("KSIM_FAIL") == 0);
	EXPECT_EQ(first_that_fails(NULL), 0);
	EXPECT_EQ(first_that_fails("frame:0"), 0);
	EXPECT_EQ(first_that_fails("any:1"), 1);
	EXPECT_EQ(first_that_fails("fd:1"), 2);
	EXPECT_EQ(first_that_fails("message+fd:1"), 2);
	EXPECT_EQ(first_that_fails("fd:2"), 0);
	EXPECT_EQ(first_that_fails("fd:1.0@3"), 2);
	EXPECT_EQ(first_that_fails("fd:1@3"), 2);
	EXPECT_EQ(first_that_fails("fd:0@3"), 0);
	EXPECT_EQ(first_that_fails("any:0.000@3"), 0);
	setenv("KSIM_FAIL", "fd:1", 1);
	EXPECT_EQ(first_that_fails(NULL), 2);
	EXPECT_EQ(first_that_fails("any:1"), 2);
	setenv("KSIM_FAIL", "", 1);
	EXPECT_EQ(first_that_fails("any:1"), 1);
	unsetenv("KSIM_FAIL");
}

TEST(failing, text_and_call_plan_the_same_chance)
{
	uint64_t expected = pattern(0.25, 9), bits = 0;
	struct ksim_machine *m;

	SETUP(unsetenv("KSIM_FAIL") == 0);
	m = boot_with("message:0.25@9");
	SETUP(m != NULL);
	ksim_as(settled(m, "client")) {
		int ends[2];

		SETUP(ksim_socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
		for (int i = 0; i < 64; i++)
			bits |= (uint64_t)(ksim_send(ends[0], "x", 1, 0) < 0) << i;
	}
	EXPECT_EQ(bits, expected);
	bed_halt(m);
}
