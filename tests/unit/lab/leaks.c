// SPDX-License-Identifier: MIT
/*
 * What a program still holds, and since when.
 */
#include "bed.h"

#include <pthread.h>
#include <sched.h>

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
	                   "memfd_create of client (2), came by message 1 of client (2), sent by sendmsg\n");
	bed_halt(&bed);
}

TEST(leaks, messages_are_numbered_by_sender_and_a_received_fd_names_the_one_it_came_by)
{
	struct ksim_process *client, *compositor;
	int wl[2], fd = -1, got = -1;
	struct bed bed;
	uint64_t mark = 0;
	size_t nfds = 1;
	char bytes[8];

	bed_boot(&bed, NULL);
	client = bed_process(&bed, "client");
	compositor = bed_process(&bed, "compositor");
	SETUP(ksim_socketpair_between(client, compositor, SOCK_STREAM, wl) == 0);
	ksim_as(compositor)
		EXPECT_EQ(ksim_send(wl[1], "hello", 5, 0), 5);
	ksim_as(client) {
		EXPECT_EQ(ksim_write(wl[0], "ab", 2), 2);
		EXPECT_EQ(ksim_send(wl[0], "cd", 2, 0), 2);
		fd = bed_memfd("pool", 1);
		EXPECT_EQ(ksim_send_fds(wl[0], "e", 1, &fd, 1), 1);
		EXPECT_EQ(ksim_send_fds(wl[0], "f", 1, &fd, 1), 1);
		EXPECT_EQ(ksim_close(fd), 0);
	}
	mark = ksim_mark(bed.m);
	ksim_as(compositor)
		EXPECT_EQ(ksim_recv_fds(wl[1], bytes, 5, &got, &nfds, 0), 5);
	EXPECT_EQ(ksim_leaks(bed.m, compositor, mark), 1);
	BED_REPORTED(&bed, "leak: compositor (3) holds fd 1 -> /memfd:pool (deleted), made by recvmsg, opened by "
	                   "memfd_create of client (2), came by message 3 of client (2), sent by sendmsg\n");
	EXPECT_EQ(ksim_leaks(bed.m, NULL, 0), 5);
	EXPECT(strstr(bed.report,
	              "leak: machine (0) holds queued message 1 of compositor (3), of 5 bytes with 0 fds, made "
	              "by sendto\n") != NULL);
	EXPECT(strstr(bed.report,
	              "leak: machine (0) holds queued message 4 of client (2), of 1 byte with 1 fd, made by "
	              "sendmsg\n") != NULL);
	bed.report[0] = '\0';
	bed_halt(&bed);
}

TEST(leaks, a_peeked_fd_names_its_message_too)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { .iov_base = (char[4]){ 0 }, .iov_len = 4 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};
	struct ksim_process *p;
	struct bed bed;
	int ends[2], fd;

	bed_boot(&bed, NULL);
	p = bed_process(&bed, "client");
	ksim_as(p) {
		SETUP(ksim_socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
		fd = bed_memfd("pool", 1);
		EXPECT_EQ(ksim_send_fds(ends[0], "e", 1, &fd, 1), 1);
		EXPECT_EQ(ksim_recvmsg(ends[1], &msg, MSG_PEEK), 1);
	}
	EXPECT_EQ(ksim_leaks(bed.m, p, 0), 5);
	EXPECT(strstr(bed.report,
	              "holds fd 3 -> /memfd:pool (deleted), made by recvmsg, came by message 1 of client (2), "
	              "sent by sendmsg\n") != NULL);
	bed.report[0] = '\0';
	bed_halt(&bed);
}

TEST(leaks, a_dup_and_a_forked_copy_of_a_received_fd_were_made_by_dup_and_fork)
{
	struct ksim_process *client, *compositor, *child;
	int wl[2], fd = -1, got = -1;
	size_t nfds = 1;
	struct bed bed;
	char byte;

	bed_boot(&bed, NULL);
	client = bed_process(&bed, "client");
	compositor = bed_process(&bed, "compositor");
	SETUP(ksim_socketpair_between(client, compositor, SOCK_STREAM, wl) == 0);
	ksim_as(client) {
		fd = bed_memfd("pool", 1);
		EXPECT_EQ(ksim_send_fds(wl[0], "x", 1, &fd, 1), 1);
	}
	ksim_as(compositor) {
		EXPECT_EQ(ksim_recv_fds(wl[1], &byte, 1, &got, &nfds, 0), 1);
		EXPECT_EQ(ksim_dup(got), got + 1);
		EXPECT_EQ(ksim_dup3(got, wl[1], 0), wl[1]);
		EXPECT_EQ(ksim_close(got), 0);
	}
	child = ksim_process_fork(compositor, "child");
	SETUP(child != NULL);
	EXPECT_EQ(ksim_leaks(bed.m, compositor, 0), 2);
	BED_REPORTED(
		&bed,
		"leak: compositor (3) holds fd 0 -> /memfd:pool (deleted), made by dup3, opened by memfd_create of "
		"client (2)\n"
		"leak: compositor (3) holds fd 2 -> /memfd:pool (deleted), made by dup, opened by memfd_create of "
		"client (2)\n");
	EXPECT_EQ(ksim_leaks(bed.m, child, 0), 2);
	EXPECT(strstr(bed.report,
	              "leak: child (4) holds fd 2 -> /memfd:pool (deleted), made by process_fork, opened by "
	              "memfd_create of client (2)\n") != NULL);
	bed.report[0] = '\0';
	bed_halt(&bed);
}

TEST(leaks, a_number_that_is_used_again_forgets_the_message)
{
	int ends[2], fd = -1, got = -1;
	struct ksim_process *p;
	size_t nfds = 1;
	struct bed bed;
	char byte;

	bed_boot(&bed, NULL);
	p = bed_process(&bed, "client");
	ksim_as(p) {
		SETUP(ksim_socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
		fd = bed_memfd("pool", 1);
		EXPECT_EQ(ksim_send_fds(ends[0], "x", 1, &fd, 1), 1);
		EXPECT_EQ(ksim_recv_fds(ends[1], &byte, 1, &got, &nfds, 0), 1);
		EXPECT_EQ(ksim_close(got), 0);
		EXPECT_EQ(bed_memfd("other", 1), got);
	}
	EXPECT_EQ(ksim_leaks(bed.m, p, 0), 4);
	EXPECT(strstr(bed.report, "came by") == NULL);
	bed.report[0] = '\0';
	bed_halt(&bed);
}

TEST(leaks, a_queued_message_is_held_by_its_receiver_and_told_once)
{
	/* The receiving socket has two descriptors. */
	static const char message[] =
		"leak: compositor (3) holds queued message 1 of client (2), of 5 bytes with 1 fd, "
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
	             "leak: machine (0) holds queued message 1 of client (2), of 5 bytes with 1 fd, made by sendmsg\n");
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
	for (const char *at = bed.report;
	     (at = strstr(at, " of a (2), of 1 byte with 1 fd, made by sendmsg\n")) != NULL; at++)
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

/* ---- processes ---- */

static int end_at_once(void *arg)
{
	(void)arg;
	return 0;
}

static int wait_for_a_byte(void *arg)
{
	char byte;

	return (int)ksim_read(*(int *)arg, &byte, 1);
}

TEST(leaks, a_child_is_held_until_it_has_been_waited_for)
{
	struct ksim_process *p;
	uint64_t mark = 0;
	struct bed bed;
	int ends[2];

	bed_boot(&bed, NULL);
	p = bed_process(&bed, "client");
	ksim_as(p)
		SETUP(ksim_socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
	mark = ksim_mark(bed.m);
	ksim_hold(bed.m);
	ksim_as(p)
		EXPECT_EQ(ksim_fork_into(wait_for_a_byte, &ends[1]), 3);
	EXPECT_EQ(ksim_leaks(bed.m, p, mark), 1);
	BED_REPORTED(&bed, "leak: client (2) holds process client (3), alive, made by fork\n");
	EXPECT_EQ(ksim_leaks(bed.m, p, ksim_mark(bed.m)), 0);
	ksim_as(p) {
		EXPECT_EQ(ksim_write(ends[0], "x", 1), 1);
		EXPECT_EQ(ksim_waitpid(3, NULL, 0), 3);
	}
	ksim_release(bed.m);
	EXPECT_EQ(ksim_leaks(bed.m, p, mark), 0);
	EXPECT_EQ(ksim_leaks(bed.m, NULL, mark), 0);
	BED_REPORTED(&bed, "");
	bed_halt(&bed);
}

TEST(leaks, a_zombie_is_held_by_its_parent)
{
	struct ksim_process *p;
	struct bed bed;
	uint64_t mark = 0;
	size_t n;

	bed_boot(&bed, NULL);
	p = bed_process(&bed, "client");
	mark = ksim_mark(bed.m);
	ksim_as(p)
		EXPECT_EQ(ksim_fork_into(end_at_once, NULL), 3);
	do {
		bed.report[0] = '\0';
		n = ksim_leaks(bed.m, NULL, mark);
	} while (n == 1 && strstr(bed.report, "alive") != NULL);
	EXPECT_EQ(n, 1);
	BED_REPORTED(&bed, "leak: client (2) holds process client (3), a zombie, made by fork\n");
	ksim_as(p)
		EXPECT_EQ(ksim_wait(NULL), 3);
	EXPECT_EQ(ksim_leaks(bed.m, p, mark), 0);
	bed_halt(&bed);
}

TEST(leaks, an_orphan_is_held_by_init_and_told_when_all_are_asked_for)
{
	struct ksim_process *p;
	struct bed bed;
	int ends[2];

	bed_boot(&bed, NULL);
	p = bed_process(&bed, "client");
	ksim_hold(bed.m);
	ksim_as(p) {
		SETUP(ksim_socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
		EXPECT_EQ(ksim_fork_into(wait_for_a_byte, &ends[1]), 3);
	}
	EXPECT_EQ(ksim_process_end(p, 0), 0);
	EXPECT_EQ(ksim_leaks(bed.m, p, 0), 0);
	EXPECT_EQ(ksim_leaks(bed.m, NULL, 0), 3); /* and its two descriptors */
	EXPECT(strstr(bed.report, "leak: init (1) holds process client (3), alive, made by fork\n") != NULL);
	bed.report[0] = '\0';
	bed_halt(&bed);
}

TEST(leaks, processes_that_the_bench_made_are_nobodys_leak)
{
	struct ksim_process *p;
	struct bed bed;

	bed_boot(&bed, NULL);
	p = bed_process(&bed, "client");
	SETUP(ksim_process_fork(p, "child") != NULL);
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

TEST(leaks, what_processes_share_is_told_once_when_all_are_looked_at)
{
	struct ksim_process *p, *q;
	struct bed bed;
	uint64_t mark;

	bed_boot(&bed, NULL);
	p = bed_process(&bed, "client");
	mark = ksim_mark(bed.m);
	q = ksim_process_clone(p, "sharer", CLONE_VM | CLONE_FILES);
	SETUP(q != NULL);
	ksim_as(q)
		bed_map(bed_memfd("pool", 1), 1);
	EXPECT_EQ(ksim_leaks(bed.m, p, mark), 2);
	EXPECT_EQ(ksim_leaks(bed.m, q, mark), 2);
	EXPECT_EQ(ksim_leaks(bed.m, NULL, mark), 2);
	EXPECT_EQ(ksim_process_end(p, 0), 0);
	EXPECT_EQ(ksim_leaks(bed.m, NULL, mark), 2);
	bed.report[0] = '\0';
	bed_halt(&bed);
}
