// SPDX-License-Identifier: MIT
/*
 * The counters: what each counts, on whose account, and that nothing is lost when processes end.
 */
#define KSIM_NO_INLINE
#include "bed.h"

#include <signal.h>

static struct ksim_counters counted(const struct bed *bed, const struct ksim_process *p)
{
	struct ksim_counters counters;

	EXPECT_EQ(ksim_count(bed->m, p, &counters), 0);
	return counters;
}

/* Expect a member to have grown by n since `before`, and forget that. */
#define EXPECT_GREW(bed, p, before, member, n)                           \
	do {                                                             \
		struct ksim_counters now = counted(bed, p);              \
		EXPECT_EQ(now.member - (before)->member, (uint64_t)(n)); \
		*(before) = now;                                         \
	} while (0)

static ksim_addr map_private(int npages)
{
	ksim_addr at = ksim_mmap(0, (size_t)npages * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	SETUP(at != KSIM_MAP_FAILED);
	return at;
}

TEST(counters, faults_are_told_apart_by_what_they_did)
{
	struct ksim_counters before;
	struct ksim_process *p, *child;
	struct bed bed;
	ksim_addr at, file;

	bed_boot(&bed, NULL);
	p = bed_process(&bed, "client");
	ksim_enter(p);
	at = map_private(3);
	file = bed_map(bed_memfd("pool", 2), 2);
	before = counted(&bed, p);
	ksim_load8(at);
	EXPECT_GREW(&bed, p, &before, faults_zero, 1);
	ksim_store8(at, 1); /* the frame of zeros is replaced, nothing is copied */
	EXPECT_EQ(counted(&bed, p).faults_copy, before.faults_copy);
	EXPECT_GREW(&bed, p, &before, faults_anon, 1);
	ksim_store8(at + 4096, 1);
	EXPECT_GREW(&bed, p, &before, faults_anon, 1);
	ksim_load8(file);
	EXPECT_GREW(&bed, p, &before, faults_file, 1);
	child = ksim_process_fork(p, "child");
	SETUP(child != NULL);
	ksim_store8(at, 2);
	EXPECT_GREW(&bed, p, &before, faults_copy, 1);
	ksim_as(child)
		ksim_store8(at, 3); /* it has the old frame for itself now */
	EXPECT_EQ(counted(&bed, child).faults_reuse, 1u);
	EXPECT_EQ(counted(&bed, child).faults_copy, 0u);
	ksim_leave();
	bed_halt(&bed);
}

static void step_over(int signo)
{
	(void)signo;
	SETUP(ksim_mmap(0x100000, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == 0x100000);
}

TEST(counters, faults_that_end_in_a_signal_are_told_apart)
{
	const struct sigaction action = { .sa_handler = step_over };
	struct ksim_counters before;
	struct ksim_process *p;
	struct bed bed;

	bed_boot(&bed, NULL);
	p = bed_process(&bed, "client");
	ksim_enter(p);
	before = counted(&bed, p);
	SETUP(ksim_sigaction(SIGSEGV, &action, NULL) == 0);
	ksim_load8(0x100000);
	EXPECT_GREW(&bed, p, &before, faults_segv, 1);
	EXPECT_FAILS(ksim_write(bed_memfd("pool", 0), ksim_user(0x200000), 1), EFAULT);
	EXPECT_GREW(&bed, p, &before, faults_segv, 1);
	ksim_leave();
	bed_halt(&bed);
}

TEST(counters, hits_and_misses_make_all_accesses_that_are_calls)
{
	struct ksim_counters before;
	struct ksim_process *p;
	struct bed bed;
	ksim_addr at;

	bed_boot(&bed, NULL);
	p = bed_process(&bed, "client");
	ksim_enter(p);
	at = map_private(1);
	before = counted(&bed, p);
	ksim_store32(at, 7);
	EXPECT_EQ(counted(&bed, p).walks - before.walks, 2u); /* before its fault, and after */
	EXPECT_EQ(counted(&bed, p).tlb_hits, before.tlb_hits);
	EXPECT_GREW(&bed, p, &before, tlb_misses, 1);
	for (int i = 0; i < 10; i++)
		EXPECT_EQ(ksim_load32(at), 7u);
	EXPECT_EQ(counted(&bed, p).tlb_misses, before.tlb_misses);
	EXPECT_GREW(&bed, p, &before, tlb_hits, 10);
	ksim_leave();
	bed_halt(&bed);
}

TEST(counters, calls_bytes_and_shootdowns_are_on_the_account_of_who_makes_them)
{
	struct ksim_counters a_before, b_before;
	struct ksim_process *a, *b;
	char bytes[100] = "";
	struct bed bed;
	ksim_addr at = 0;

	bed_boot(&bed, NULL);
	a = bed_process(&bed, "a");
	b = bed_process(&bed, "b");
	ksim_as(a)
		at = map_private(1);
	a_before = counted(&bed, a);
	b_before = counted(&bed, b);
	ksim_as(a) {
		int fd = bed_memfd("pool", 1);

		EXPECT_EQ(ksim_write(fd, bytes, sizeof(bytes)), 100);
		EXPECT_EQ(ksim_pwrite(fd, ksim_user(at), 50, 0), 50);
		ksim_copy_to(at, bytes, 7);
	}
	EXPECT_EQ(counted(&bed, a).calls - a_before.calls, 4u);
	EXPECT_GREW(&bed, a, &a_before, bytes_copied, 157);
	ksim_as(a)
		EXPECT_EQ(ksim_munmap(at, 4096), 0);
	EXPECT(counted(&bed, a).shootdowns > a_before.shootdowns);
	EXPECT_EQ(counted(&bed, a).shootdown_barriers, 0u);
	EXPECT_EQ(memcmp(&b_before, &(struct ksim_counters){ 0 }, offsetof(struct ksim_counters, frames_anon)), 0);
	EXPECT_GREW(&bed, b, &b_before, calls, 0);
	bed_halt(&bed);
}

static int receive(void *arg)
{
	char byte;

	return ksim_recv(*(int *)arg, &byte, 1, 0) == 1 ? 0 : 1;
}

static void wait_until_blocked(const struct bed *bed, const struct ksim_process *p)
{
	while (counted(bed, p).blocks == 0)
		;
}

TEST(counters, sleeps_are_the_sleepers_and_wake_ups_their_enders)
{
	struct ksim_process *a, *b;
	struct bed bed;
	int ends[2];

	bed_boot(&bed, NULL);
	a = bed_process(&bed, "a");
	b = bed_process(&bed, "b");
	SETUP(ksim_socketpair_between(a, b, SOCK_STREAM, ends) == 0);
	ksim_hold(bed.m);
	SETUP(ksim_start(b, receive, &ends[1]) == 0);
	wait_until_blocked(&bed, b);
	ksim_as(a)
		EXPECT_EQ(ksim_send(ends[0], "x", 1, 0), 1);
	EXPECT_EQ(ksim_join(b, NULL), 0);
	ksim_release(bed.m);
	EXPECT_EQ(counted(&bed, b).blocks, 1u);
	EXPECT_EQ(counted(&bed, b).wakes, 0u);
	EXPECT_EQ(counted(&bed, a).wakes, 1u);
	EXPECT_EQ(counted(&bed, a).blocks, 0u);
	bed_halt(&bed);
}

TEST(counters, machine_is_the_sum_of_its_processes_and_itself_and_the_dead_count)
{
	struct ksim_counters sum = { 0 }, whole;
	struct ksim_process *p[3];
	struct bed bed;

	bed_boot(&bed, NULL);
	for (int i = 0; i < 3; i++) {
		p[i] = bed_process(&bed, "client");
		ksim_as(p[i])
			ksim_store8(map_private(1), 1);
	}
	EXPECT_EQ(ksim_process_end(p[1], 0), 0);
	for (int i = 0; i < 3; i++) {
		struct ksim_counters one = counted(&bed, p[i]);

		EXPECT_EQ(one.calls, 1u);
		EXPECT_EQ(one.faults_anon, 1u);
		sum.calls += one.calls;
		sum.faults_anon += one.faults_anon;
		sum.walks += one.walks;
	}
	whole = counted(&bed, NULL);
	EXPECT_EQ(whole.calls, sum.calls);
	EXPECT_EQ(whole.faults_anon, sum.faults_anon);
	EXPECT_EQ(whole.walks, sum.walks);
	bed_halt(&bed);
}

TEST(counters, frames_are_told_apart_by_use)
{
	struct ksim_counters before, now;
	struct ksim_process *p;
	struct ksim_census census;
	struct bed bed;

	bed_boot(&bed, NULL);
	p = bed_process(&bed, "client");
	before = counted(&bed, NULL);
	ksim_as(p) {
		ksim_addr at = map_private(2);

		ksim_store8(at, 1);
		ksim_store8(at + 4096, 1);
		bed_memfd("pool", 5);
	}
	now = counted(&bed, p);
	EXPECT_EQ(now.frames_anon, 2u);
	EXPECT_EQ(now.frames_file, 5u);
	ksim_census(bed.m, p, &census);
	EXPECT_EQ(now.frames_tables, (uint64_t)census.page_tables);
	now = counted(&bed, NULL);
	EXPECT_EQ(now.frames_anon - before.frames_anon, 2u);
	ksim_census(bed.m, NULL, &census);
	EXPECT_EQ(now.frames_anon + now.frames_file + now.frames_tables, (uint64_t)census.frames);
	bed_halt(&bed);
}

static int call_often(void *arg)
{
	(void)arg;
	for (int i = 0; i < 20000; i++)
		ksim_getppid();
	return 0;
}

TEST(counters, may_be_read_while_processes_run_and_never_shrink)
{
	struct ksim_process *p[2];
	struct ksim_end end;
	struct bed bed;
	uint64_t last = 0;

	bed_boot(&bed, NULL);
	for (int i = 0; i < 2; i++) {
		p[i] = bed_process(&bed, "client");
		SETUP(ksim_start(p[i], call_often, NULL) == 0);
	}
	do {
		uint64_t calls = counted(&bed, NULL).calls;

		EXPECT(calls >= last);
		last = calls;
		ksim_process_status(p[0], &end);
	} while (end.alive);
	for (int i = 0; i < 2; i++)
		EXPECT_EQ(ksim_join(p[i], NULL), 0);
	EXPECT_EQ(counted(&bed, NULL).calls, 40000u);
	bed_halt(&bed);
}
