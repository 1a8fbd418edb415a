// SPDX-License-Identifier: MIT
/*
 * The sweep itself: which runs it makes, what it takes for wrong, and what it says.
 */
#include "bed.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

static const struct ksim_config small = { .ram_bytes = 4 << 20, .commit = KSIM_COMMIT_ON_TRUNCATE };

/* Says what it did into a struct. */
struct pool {
	bool careless; /* takes a failed ftruncate for done */
	bool fickle;   /* allocates less from its third run on */
	bool stays;    /* goes on acting */
	int result;    /* in the run in which nothing fails */
	unsigned runs;
	uint64_t counted;
};

static int make_pool(void *arg)
{
	const struct pool *pool = arg;
	int fd = ksim_memfd_create("pool", 0);

	if (fd < 0)
		return -errno;
	if (ksim_ftruncate(fd, 2 * PAGE) < 0)
		return pool->careless ? 1 : -errno;
	return pool->result;
}

static int pool_scenario(struct ksim_machine *m, void *arg)
{
	struct pool *pool = arg;
	struct ksim_process *p = ksim_process_create(m, "client");
	struct ksim_end end;

	pool->runs++;
	if (pool->fickle && pool->runs > 2)
		return 0;
	if (p == NULL || ksim_run(p, make_pool, pool, &end) < 0)
		return -ENOMEM;
	pool->counted = ksim_fail_count(m);
	if (pool->stays)
		ksim_enter(p);
	return end.code;
}

TEST(sweep, every_allocation_fails_once_and_nothing_is_wrong)
{
	struct ksim_sweep_report report;
	struct pool pool = { 0 };
	char text[128];

	SETUP(unsetenv("KSIM_FAIL") == 0);
	EXPECT_EQ(ksim_sweep(&small, KSIM_FAIL_FRAME, pool_scenario, &pool, &report), 0);
	EXPECT_EQ(pool.runs, 4); /* without any, one for the root of the page table, two for the pages */
	EXPECT_EQ(report.runs, 4);
	EXPECT_EQ(report.n, 0);
	EXPECT_STREQ(report.text, "allocations of \"frame\": 3, each failed in a run of its own, and all was well");
	pool.runs = 0;
	EXPECT_EQ(ksim_sweep(&small, KSIM_FAIL_ANY, pool_scenario, &pool, &report), 0);
	EXPECT_EQ(pool.runs, pool.counted + 1);
	snprintf(text, sizeof(text), "allocations of \"any\": %llu, each failed in a run of its own, and all was well",
	         (unsigned long long)pool.counted);
	EXPECT_STREQ(report.text, text);
	EXPECT_EQ(ksim_sweep(NULL, KSIM_FAIL_FD | KSIM_FAIL_MESSAGE, pool_scenario, &pool, NULL), 0);
}

TEST(sweep, wrong_scenario_is_reported_with_n_kind_call_result_and_replay)
{
	struct pool pool = { .careless = true };
	struct ksim_sweep_report report;
	char text[256];

	SETUP(unsetenv("KSIM_FAIL") == 0);
	EXPECT_FAILS(ksim_sweep(&small, KSIM_FAIL_FRAME, pool_scenario, &pool, &report), EPROTO);
	EXPECT_STREQ(report.text,
	             "allocation 2 of \"frame\" (a frame, in ftruncate of client (2)) failed: the scenario "
	             "returned 1; replay with KSIM_FAIL=frame:2");
	EXPECT_EQ(report.runs, 3);
	EXPECT_EQ(report.n, 2);
	EXPECT_EQ(report.kind, KSIM_FAIL_FRAME);
	EXPECT_STREQ(report.call, "ftruncate");
	EXPECT_EQ(report.result, 1);
	EXPECT_EQ(report.broken, 0);
	EXPECT_EQ(report.left, 0);
	EXPECT_FAILS(ksim_sweep(&small, KSIM_FAIL_ANY, pool_scenario, &pool, &report), EPROTO);
	snprintf(
		text, sizeof(text),
		"allocation %llu of \"any\" (a %s, in ftruncate of client (2)) failed: the scenario returned 1; replay "
		"with KSIM_FAIL=any:%llu",
		(unsigned long long)report.n, report.kind == KSIM_FAIL_FRAME ? "frame" : "kernel object",
		(unsigned long long)report.n);
	EXPECT_STREQ(report.text, text);
}

TEST(sweep, environment_replays_the_one_run)
{
	struct pool pool = { .careless = true };
	struct ksim_sweep_report report;

	setenv("KSIM_FAIL", "frame:2", 1);
	EXPECT_FAILS(ksim_sweep(&small, KSIM_FAIL_ANY, pool_scenario, &pool, &report), EPROTO);
	EXPECT_EQ(pool.runs, 1);
	EXPECT_STREQ(report.text, "KSIM_FAIL=frame:2: allocation 2 (a frame, in ftruncate of client (2)) failed: the "
	                          "scenario returned 1; replay with KSIM_FAIL=frame:2");
	setenv("KSIM_FAIL", "fd:1.0@1", 1);
	EXPECT_EQ(ksim_sweep(&small, KSIM_FAIL_ANY, pool_scenario, &pool, &report), 0);
	EXPECT_STREQ(report.text,
	             "KSIM_FAIL=fd:1.0@1: allocation 1 (a descriptor, in memfd_create of client (2)) failed: "
	             "the scenario returned -24, and all was well");
	setenv("KSIM_FAIL", "any:0", 1);
	EXPECT_EQ(ksim_sweep(&small, KSIM_FAIL_ANY, pool_scenario, &pool, &report), 0);
	EXPECT_STREQ(report.text, "KSIM_FAIL=any:0: no allocation failed: the scenario returned 0, and all was well");
	setenv("KSIM_FAIL", "cake:1", 1);
	EXPECT_FAILS(ksim_sweep(&small, KSIM_FAIL_ANY, pool_scenario, &pool, &report), EINVAL);
	EXPECT_STREQ(report.text, "KSIM_FAIL=cake:1 says nothing that could fail");
	EXPECT_EQ(report.runs, 0);
	unsetenv("KSIM_FAIL");
}

TEST(sweep, scenario_must_be_done_when_nothing_fails)
{
	struct pool pool = { .result = -EAGAIN };
	struct ksim_sweep_report report;

	SETUP(unsetenv("KSIM_FAIL") == 0);
	EXPECT_FAILS(ksim_sweep(&small, KSIM_FAIL_ANY, pool_scenario, &pool, &report), EPROTO);
	EXPECT_STREQ(report.text, "no allocation failed: the scenario returned -11; replay with KSIM_FAIL=any:0");
	EXPECT_EQ(report.n, 0);
	EXPECT_EQ(report.kind, 0);
	EXPECT(report.call == NULL);
	EXPECT_EQ(report.result, -EAGAIN);
}

TEST(sweep, scenario_that_allocates_differently_is_ELOOP)
{
	struct pool pool = { .fickle = true };
	struct ksim_sweep_report report;

	SETUP(unsetenv("KSIM_FAIL") == 0);
	EXPECT_FAILS(ksim_sweep(&small, KSIM_FAIL_FRAME, pool_scenario, &pool, &report), ELOOP);
	EXPECT_STREQ(report.text, "the scenario makes 3 allocations one time and 1 another: it must make the same ones "
	                          "each time");
}

TEST(sweep, scenario_that_still_acts_is_wrong)
{
	struct pool pool = { .stays = true };
	struct ksim_sweep_report report;
	struct ksim_machine *m;

	SETUP(unsetenv("KSIM_FAIL") == 0);
	EXPECT_FAILS(ksim_sweep(&small, KSIM_FAIL_ANY, pool_scenario, &pool, &report), EPROTO);
	EXPECT(strstr(report.text, "a thread still acts as a process, so that the machine cannot be halted") != NULL);
	EXPECT_EQ(report.left, -1);
	m = ksim_process_machine(ksim_self());
	ksim_leave();
	EXPECT_EQ(ksim_halt(m), 0);
}

/* A touch of promised memory. */
static int map_and_touch(void *arg)
{
	ksim_addr at = ksim_mmap(0, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)arg;
	if (at == KSIM_MAP_FAILED)
		return -errno;
	ksim_store8(at, 1);
	return 0;
}

static int touch_scenario(struct ksim_machine *m, void *arg)
{
	struct ksim_process *p = ksim_process_create(m, "client");
	struct ksim_end end;

	(void)arg;
	if (p == NULL || ksim_run(p, map_and_touch, NULL, &end) < 0)
		return -ENOMEM;
	return end.alive ? end.code : 1;
}

TEST(sweep, death_for_want_of_memory_is_exhaustion)
{
	struct ksim_sweep_report report;

	SETUP(unsetenv("KSIM_FAIL") == 0);
	EXPECT_MSG(ksim_sweep(&small, KSIM_FAIL_ANY, touch_scenario, NULL, &report) == 0, "%s", report.text);
}

/* The same death is wrong if something else was the scenario's misfortune. */
static int die_scenario(struct ksim_machine *m, void *arg)
{
	struct ksim_process *p = ksim_process_create(m, "client");

	(void)arg;
	if (p == NULL)
		return -ENOMEM;
	return ksim_socketpair_between(p, p, SOCK_STREAM, (int[2]){ 0 }) < 0;
}

TEST(sweep, failure_without_a_death_is_wrong)
{
	struct ksim_sweep_report report;

	SETUP(unsetenv("KSIM_FAIL") == 0);
	EXPECT_FAILS(ksim_sweep(&small, KSIM_FAIL_FD, die_scenario, NULL, &report), EPROTO);
	EXPECT_STREQ(report.text,
	             "allocation 1 of \"fd\" (a descriptor, in socketpair_between of client (2)) failed: the "
	             "scenario returned 1; replay with KSIM_FAIL=fd:1");
}

TEST(sweep, without_kinds_scenario_or_config_there_is_none)
{
	const struct ksim_config bad = { .ram_bytes = 1 };
	struct ksim_sweep_report report;
	struct pool pool = { 0 };

	EXPECT_FAILS(ksim_sweep(&small, 0, pool_scenario, &pool, &report), EINVAL);
	EXPECT_STREQ(report.text, "there are no such kinds: 0");
	EXPECT_FAILS(ksim_sweep(&small, 32, pool_scenario, &pool, NULL), EINVAL);
	EXPECT_FAILS(ksim_sweep(&small, KSIM_FAIL_ANY, NULL, NULL, &report), EINVAL);
	EXPECT_STREQ(report.text, "there is no scenario");
	EXPECT_FAILS(ksim_sweep(&bad, KSIM_FAIL_ANY, pool_scenario, &pool, &report), EINVAL);
	EXPECT_STREQ(report.text, "the config is none: Invalid argument");
	EXPECT_EQ(pool.runs, 0);
}
