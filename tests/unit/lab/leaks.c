// SPDX-License-Identifier: MIT
/*
 * What a program still holds, and since when.
 */
#include "bed.h"

#include <pthread.h>

TEST(leaks, mark_is_never_zero_and_rises)
{
	struct bed bed;
	uint64_t first;

	bed_boot(&bed, NULL);
	first = ksim_mark(bed.m);
	EXPECT(first > 0);
	EXPECT(ksim_mark(bed.m) > first);
	bed_halt(&bed);
}

TEST(leaks, what_was_made_before_the_mark_is_no_leak)
{
	struct ksim_process *p;
	struct bed bed;
	uint64_t mark = 0;

	bed_boot(&bed, NULL);
	p = bed_process(&bed, "client");
	ksim_as(p)
		bed_map(bed_memfd("pool", 1), 1);
	mark = ksim_mark(bed.m);
	EXPECT_EQ(ksim_leaks(bed.m, p, mark), 0);
	EXPECT_EQ(ksim_leaks(bed.m, NULL, mark), 0);
	BED_REPORTED(&bed, "");
	EXPECT_EQ(ksim_leaks(bed.m, p, 0), 2);
	bed.report[0] = '\0';
	bed_halt(&bed);
}

TEST(leaks, fd_and_mapping_are_named_with_the_calls_that_made_them)
{
	struct ksim_process *p;
	char expected[512];
	struct bed bed;
	uint64_t mark = 0;
	ksim_addr map = 0;

	bed_boot(&bed, NULL);
	p = bed_process(&bed, "client");
	mark = ksim_mark(bed.m);
	ksim_as(p)
		map = bed_map(bed_memfd("pool", 2), 2);
	EXPECT_EQ(ksim_leaks(bed.m, p, mark), 2);
	snprintf(expected, sizeof(expected),
	         "leak: client (2) holds fd 0 -> /memfd:pool (deleted), made by memfd_create\n"
	         "leak: client (2) holds mapping %#llx-%#llx rw-s of /memfd:pool (deleted), made by mmap\n",
	         (unsigned long long)map, (unsigned long long)map + 8192);
	BED_REPORTED(&bed, expected);
	ksim_as(p) {
		EXPECT_EQ(ksim_close(0), 0);
		EXPECT_EQ(ksim_munmap(map, 8192), 0);
	}
	EXPECT_EQ(ksim_leaks(bed.m, p, mark), 0);
	bed_halt(&bed);
}

TEST(leaks, a_cut_mapping_keeps_the_mark_of_its_birth)
{
	struct ksim_process *p;
	struct bed bed;
	uint64_t mark = 0;
	ksim_addr map = 0;

	bed_boot(&bed, NULL);
	p = bed_process(&bed, "client");
	ksim_as(p)
		map = bed_map(bed_memfd("pool", 3), 3);
	mark = ksim_mark(bed.m);
	ksim_as(p)
		EXPECT_EQ(ksim_munmap(map + 4096, 4096), 0);
	EXPECT_EQ(ksim_leaks(bed.m, p, mark), 0);
	bed_halt(&bed);
}

TEST(leaks, a_mapping_beside_an_older_one_is_told_apart)
{
	/* Linux would merge the two. */
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS;
	struct ksim_process *p;
	struct bed bed;
	uint64_t mark = 0;

	bed_boot(&bed, NULL);
	p = bed_process(&bed, "client");
	ksim_as(p) {
		EXPECT(ksim_mmap(0x100000, 4096, PROT_READ, flags | MAP_FIXED, -1, 0) == 0x100000);
		mark = ksim_mark(bed.m);
		EXPECT(ksim_mmap(0x101000, 4096, PROT_READ, flags | MAP_FIXED, -1, 0) == 0x101000);
	}
	EXPECT_EQ(ksim_leaks(bed.m, p, mark), 1);
	BED_REPORTED(&bed, "leak: client (2) holds mapping 0x101000-0x102000 r--p of private memory, made by mmap\n");
	bed_halt(&bed);
}

TEST(leaks, a_received_fd_says_who_opened_the_file)
{
	struct ksim_process *client, *compositor;
	int wl[2], fd = -1, got = -1;
	size_t nfds = 1;
	struct bed bed;
	uint64_t mark = 0;
	char byte;

	bed_boot(&bed, NULL);
	client = bed_process(&bed, "client");
	compositor = bed_process(&bed, "compositor");
	SETUP(ksim_socketpair_between(client, compositor, SOCK_STREAM, wl) == 0);
	mark = ksim_mark(bed.m);
	ksim_as(client) {
		fd = bed_memfd("pool", 1);
		EXPECT_EQ(ksim_send_fds(wl[0], "x", 1, &fd, 1), 1);
		EXPECT_EQ(ksim_close(fd), 0);
	}
	ksim_as(compositor)
		EXPECT_EQ(ksim_recv_fds(wl[1], &byte, 1, &got, &nfds, 0), 1);
	EXPECT_EQ(ksim_leaks(bed.m, client, mark), 0);
	EXPECT_EQ(ksim_leaks(bed.m, compositor, mark), 1);
	BED_REPORTED(&bed, "leak: compositor (3) holds fd 1 -> /memfd:pool (deleted), made by recvmsg, opened by "
	                   "memfd_create of client (2)\n");
	bed_halt(&bed);
}

TEST(leaks, a_queued_message_is_held_by_its_receiver_and_told_once)
{
	/* The receiving socket has two descriptors. */
	static const char message[] = "leak: compositor (3) holds queued message of 5 bytes with 1 fd from client (2), "
				      "made by sendmsg\n";
	struct ksim_process *client, *compositor;
	struct bed bed;
	uint64_t mark = 0;
	int wl[2], fd;

	bed_boot(&bed, NULL);
	client = bed_process(&bed, "client");
	compositor = bed_process(&bed, "compositor");
	SETUP(ksim_socketpair_between(client, compositor, SOCK_STREAM, wl) == 0);
	ksim_as(compositor)
		EXPECT(ksim_dup(wl[1]) >= 0);
	mark = ksim_mark(bed.m);
	ksim_as(client) {
		fd = bed_memfd("pool", 1);
		EXPECT_EQ(ksim_send_fds(wl[0], "hello", 5, &fd, 1), 5);
		EXPECT_EQ(ksim_close(fd), 0);
	}
	EXPECT_EQ(ksim_leaks(bed.m, client, mark), 0);
	EXPECT_EQ(ksim_leaks(bed.m, compositor, mark), 1);
	BED_REPORTED(&bed, message);
	EXPECT_EQ(ksim_leaks(bed.m, NULL, mark), 1);
	BED_REPORTED(&bed,
	             "leak: machine (0) holds queued message of 5 bytes with 1 fd from client (2), made by sendmsg\n");
	EXPECT_EQ(ksim_leaks(bed.m, compositor, ksim_mark(bed.m)), 0);
	bed_halt(&bed);
}

TEST(leaks, many_queued_messages_are_all_told)
{
	enum { N = 40 };
	struct ksim_process *a, *b;
	struct bed bed;
	size_t nlines = 0;
	int ends[2];

	bed_boot(&bed, NULL);
	a = bed_process(&bed, "a");
	b = bed_process(&bed, "b");
	SETUP(ksim_socketpair_between(a, b, SOCK_STREAM, ends) == 0);
	ksim_as(a) {
		int fd = bed_memfd("x", 1);

		for (int i = 0; i < N; i++)
			EXPECT_EQ(ksim_send_fds(ends[0], "x", 1, &fd, 1), 1);
	}
	EXPECT_EQ(ksim_leaks(bed.m, b, 0), N + 1);
	for (const char *at = bed.report; (at = strstr(at, "queued message of 1 byte with 1 fd from a (2)")) != NULL;
	     at++)
		nlines++;
	EXPECT_EQ(nlines, N);
	bed.report[0] = '\0';
	bed_halt(&bed);
}

TEST(leaks, a_process_that_has_ended_holds_nothing)
{
	struct ksim_process *p;
	struct bed bed;

	bed_boot(&bed, NULL);
	p = bed_process(&bed, "client");
	ksim_as(p)
		bed_map(bed_memfd("pool", 1), 1);
	EXPECT_EQ(ksim_process_end(p, 0), 0);
	EXPECT_EQ(ksim_leaks(bed.m, p, 0), 0);
	EXPECT_EQ(ksim_leaks(bed.m, NULL, 0), 0);
	bed_halt(&bed);
}

TEST(leaks, a_thread_that_acts_may_ask_about_its_own_process)
{
	struct ksim_process *p;
	struct bed bed;

	bed_boot(&bed, NULL);
	p = bed_process(&bed, "client");
	ksim_as(p) {
		EXPECT_EQ(ksim_leaks(bed.m, p, 0), 0);
		EXPECT_EQ(ksim_check(bed.m), 0);
		bed_memfd("pool", 1);
		EXPECT_EQ(ksim_leaks(bed.m, ksim_self(), 0), 1);
	}
	bed.report[0] = '\0';
	bed_halt(&bed);
}

/* ---- while others run ---- */

enum { ROUNDS = 150 };

static int come_and_go(void *arg)
{
	int *ends = arg;

	for (int i = 0; i < ROUNDS; i++) {
		int fd = ksim_memfd_create("x", 0);
		ksim_addr map;

		if (fd < 0 || ksim_ftruncate(fd, 4096) < 0)
			return 1;
		map = ksim_mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (map == KSIM_MAP_FAILED || ksim_send_fds(ends[0], "x", 1, &fd, 1) != 1)
			return 2;
		ksim_store8(map, 1);
		ksim_munmap(map, 4096);
		ksim_close(fd);
	}
	return 0;
}

static int drain(void *arg)
{
	int *ends = arg;

	for (int i = 0; i < ROUNDS; i++) {
		size_t nfds = 1;
		char byte;
		int fd;

		if (ksim_recv_fds(ends[1], &byte, 1, &fd, &nfds, 0) != 1 || ksim_close(fd) < 0)
			return 1;
	}
	return 0;
}

static void *births(void *arg)
{
	struct ksim_machine *m = arg;

	for (int i = 0; i < ROUNDS / 3; i++) {
		struct ksim_process *p = ksim_process_create(m, "short");
		struct ksim_process *child = p != NULL ? ksim_process_fork(p, NULL) : NULL;

		if (child == NULL || ksim_process_end(p, 0) < 0 || ksim_process_end(child, 0) < 0)
			return m;
	}
	return NULL;
}

TEST(leaks, looking_is_safe_while_processes_come_and_go_and_run)
{
	struct ksim_process *a, *b;
	void *result = NULL;
	struct ksim_end end;
	pthread_t thread;
	struct bed bed;
	int ends[2];

	bed_boot(&bed, NULL);
	a = bed_process(&bed, "a");
	b = bed_process(&bed, "b");
	SETUP(ksim_socketpair_between(a, b, SOCK_STREAM, ends) == 0);
	ksim_hold(bed.m);
	SETUP(ksim_start(a, come_and_go, ends) == 0);
	SETUP(ksim_start(b, drain, ends) == 0);
	SETUP(pthread_create(&thread, NULL, births, bed.m) == 0);
	do {
		struct ksim_census census;

		ksim_leaks(bed.m, NULL, 0);
		ksim_leaks(bed.m, b, 0);
		ksim_census(bed.m, NULL, &census);
		ksim_process_status(a, &end);
	} while (end.alive);
	pthread_join(thread, &result);
	ksim_release(bed.m);
	EXPECT(result == NULL);
	EXPECT_EQ(ksim_join(a, &end), 0);
	EXPECT_MSG(end.code == 0 && end.signo == 0, "%s", end.text);
	EXPECT_EQ(ksim_join(b, &end), 0);
	EXPECT_MSG(end.code == 0 && end.signo == 0, "%s", end.text);
	bed.report[0] = '\0';
	bed_halt(&bed);
}
