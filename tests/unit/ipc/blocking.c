// SPDX-License-Identifier: MIT
/*
 * Two host threads, alice's and bob's: whoever blocks is woken by what the other does.
 *
 * A thread tells nobody that it sleeps, so a test that needs bob asleep looks at the registry.
 */
#include <pthread.h>
#include <sched.h>

#include "bed.h"

static uint8_t big[1000000];

/* A call of bob's on a thread of his. */
struct job {
	struct bed *bed;
	struct file *file;
	ssize_t (*run)(struct job *job);
	uint8_t *bytes;
	size_t n;
	int flags;
	ssize_t result;
	struct file *accepted;
	pthread_t thread;
};

static void *job_body(void *arg)
{
	struct job *job = arg;

	job->result = job->run(job);
	ctx_drain(&job->bed->bob.ctx);
	return NULL;
}

static void job_start(struct job *job)
{
	SETUP(pthread_create(&job->thread, NULL, job_body, job) == 0);
}

static ssize_t job_end(struct job *job)
{
	pthread_join(job->thread, NULL);
	return job->result;
}

static bool bob_sleeps(struct bed *bed)
{
	bool asleep;

	mutex_lock(&bed->alice.ctx, &bed->waits.lock);
	asleep = bed->bob.waiter.asleep;
	mutex_unlock(&bed->alice.ctx, &bed->waits.lock);
	return asleep;
}

static void until_bob_sleeps(struct bed *bed)
{
	while (!bob_sleeps(bed))
		sched_yield();
}

static ssize_t run_recv(struct job *job)
{
	return bed_recv(&job->bed->bob, job->file, job->bytes, job->n, job->flags);
}

static ssize_t run_send(struct job *job)
{
	return bed_send(&job->bed->bob, job->file, job->bytes, job->n, job->flags);
}

static ssize_t run_accept(struct job *job)
{
	return unix_accept(&job->bed->bob.ctx, job->file, 0, &job->accepted);
}

static ssize_t run_connect(struct job *job)
{
	struct unix_addr addr = bed_addr("l", true);

	return unix_connect(&job->bed->bob.ctx, job->file, &addr, CREDS_BOB);
}

static void pair_that_blocks(struct bed *bed, struct file *pair[2])
{
	SETUP(unix_socketpair(&bed->alice.ctx, SOCK_STREAM, 0, 0, ROOT, pair) == 0);
}

TEST(blocking, reader_is_woken_by_data_and_by_the_end)
{
	struct file *pair[2];
	uint8_t bytes[8];
	struct bed bed;
	struct job job = { .bed = &bed, .run = run_recv, .bytes = bytes, .n = 8 };

	bed_open(&bed);
	pair_that_blocks(&bed, pair);
	job.file = pair[1];
	job_start(&job);
	until_bob_sleeps(&bed);
	EXPECT_EQ(bed_send(&bed.alice, pair[0], "abc", 3, 0), 3);
	EXPECT_EQ(job_end(&job), 3);
	job_start(&job);
	until_bob_sleeps(&bed);
	bed_put(&bed.alice, pair[0]);
	EXPECT_EQ(job_end(&job), 0);
	bed_put(&bed.bob, pair[1]);
	bed_close(&bed);
}

TEST(blocking, waitall_waits_for_all_and_shutdown_ends_it)
{
	struct file *pair[2];
	uint8_t bytes[8];
	struct bed bed;
	struct job job = { .bed = &bed, .run = run_recv, .bytes = bytes, .n = 8, .flags = MSG_WAITALL };

	bed_open(&bed);
	pair_that_blocks(&bed, pair);
	job.file = pair[1];
	job_start(&job);
	for (int i = 0; i < 8; i++) {
		until_bob_sleeps(&bed);
		EXPECT_EQ(bed_send(&bed.alice, pair[0], &"abcdefgh"[i], 1, 0), 1);
	}
	EXPECT_EQ(job_end(&job), 8);
	EXPECT_MEMEQ(bytes, "abcdefgh", 8);
	job_start(&job);
	until_bob_sleeps(&bed);
	EXPECT_EQ(bed_send(&bed.alice, pair[0], "xyz", 3, 0), 3);
	until_bob_sleeps(&bed);
	EXPECT_EQ(unix_shutdown(&bed.alice.ctx, pair[0], SHUT_WR), 0);
	EXPECT_EQ(job_end(&job), 3);
	bed_put(&bed.alice, pair[0]);
	bed_put(&bed.bob, pair[1]);
	bed_close(&bed);
}

TEST(blocking, kicked_reader_keeps_what_it_has)
{
	struct file *pair[2];
	uint8_t bytes[8];
	struct bed bed;
	struct job job = { .bed = &bed, .run = run_recv, .bytes = bytes, .n = 8, .flags = MSG_WAITALL };

	bed_open(&bed);
	pair_that_blocks(&bed, pair);
	job.file = pair[1];
	job_start(&job);
	until_bob_sleeps(&bed);
	waiter_kick(&bed.alice.ctx, &bed.bob.waiter);
	EXPECT_EQ(job_end(&job), -EINTR);
	waiter_unkick(&bed.bob.waiter);
	EXPECT_EQ(bed_send(&bed.alice, pair[0], "abc", 3, 0), 3);
	job_start(&job);
	until_bob_sleeps(&bed);
	waiter_kick(&bed.alice.ctx, &bed.bob.waiter);
	EXPECT_EQ(job_end(&job), 3);
	waiter_unkick(&bed.bob.waiter);
	bed_put(&bed.alice, pair[0]);
	bed_put(&bed.bob, pair[1]);
	bed_close(&bed);
}

TEST(blocking, long_send_goes_through_a_short_queue)
{
	static uint8_t back[sizeof(big)];
	struct file *pair[2];
	struct bed bed;
	struct job job = { .bed = &bed, .run = run_send, .bytes = big, .n = sizeof(big) };
	size_t done = 0;

	bed_open(&bed);
	pair_that_blocks(&bed, pair);
	job.file = pair[1];
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (uint8_t)(i * 7 >> 2);
	job_start(&job);
	until_bob_sleeps(&bed);
	while (done < sizeof(back)) {
		ssize_t n = bed_recv(&bed.alice, pair[0], back + done, 5000, 0);

		REQUIRE(n > 0);
		done += (size_t)n;
	}
	EXPECT_EQ(job_end(&job), sizeof(big));
	EXPECT_MEMEQ(back, big, sizeof(big));
	bed_check(&bed);
	bed_put(&bed.alice, pair[0]);
	bed_put(&bed.bob, pair[1]);
	bed_close(&bed);
}

/* Linux: a sender that waits is woken with a reset when its peer closes: there is unread data, or it had not waited. */
TEST(blocking, sender_is_woken_by_shutdown_and_by_close)
{
	struct file *pair[2];
	struct bed bed;
	struct job job = { .bed = &bed, .run = run_send, .bytes = big, .n = 1 };

	bed_open(&bed);
	for (int how = 0; how < 3; how++) {
		pair_that_blocks(&bed, pair);
		job.file = pair[1];
		EXPECT_EQ(bed_send(&bed.bob, pair[1], big, sizeof(big), MSG_DONTWAIT), 6 * 36544);
		job_start(&job);
		until_bob_sleeps(&bed);
		if (how == 0)
			EXPECT_EQ(unix_shutdown(&bed.alice.ctx, pair[0], SHUT_RD), 0);
		else if (how == 1)
			EXPECT_EQ(unix_shutdown(&bed.alice.ctx, pair[1], SHUT_WR), 0);
		else
			bed_put(&bed.alice, pair[0]);
		EXPECT_EQ(job_end(&job), how == 2 ? -ECONNRESET : -EPIPE);
		if (how < 2)
			bed_put(&bed.alice, pair[0]);
		bed_put(&bed.bob, pair[1]);
	}
	bed_close(&bed);
}

static struct file *listener_on_l(struct bed *bed, int backlog)
{
	struct unix_addr addr = bed_addr("l", true);
	struct file *file = bed_socket(&bed->alice, 0);

	SETUP(unix_bind(&bed->alice.ctx, file, &addr) == 0);
	SETUP(unix_listen(&bed->alice.ctx, file, backlog, ROOT) == 0);
	return file;
}

TEST(blocking, accept_waits_for_a_connection)
{
	struct unix_addr addr = bed_addr("l", true);
	struct file *client;
	struct bed bed;
	struct job job = { .bed = &bed, .run = run_accept };

	bed_open(&bed);
	job.file = listener_on_l(&bed, 1);
	client = bed_socket(&bed.alice, 0);
	job_start(&job);
	until_bob_sleeps(&bed);
	EXPECT_EQ(unix_connect(&bed.alice.ctx, client, &addr, ROOT), 0);
	EXPECT_EQ(job_end(&job), 0);
	bed_put(&bed.bob, job.accepted);
	job_start(&job);
	until_bob_sleeps(&bed);
	EXPECT_EQ(unix_shutdown(&bed.alice.ctx, job.file, SHUT_RDWR), 0);
	EXPECT_EQ(job_end(&job), -EINVAL);
	bed_put(&bed.alice, client);
	bed_put(&bed.alice, job.file);
	bed_close(&bed);
}

TEST(blocking, connect_waits_for_room_in_the_backlog)
{
	struct unix_addr addr = bed_addr("l", true);
	struct file *listener, *first, *accepted;
	struct bed bed;
	struct job job = { .bed = &bed, .run = run_connect };

	bed_open(&bed);
	for (int closes = 0; closes < 2; closes++) {
		listener = listener_on_l(&bed, 0);
		first = bed_socket(&bed.alice, 0);
		EXPECT_EQ(unix_connect(&bed.alice.ctx, first, &addr, ROOT), 0);
		job.file = bed_socket(&bed.bob, 0);
		job_start(&job);
		until_bob_sleeps(&bed);
		if (closes == 0) {
			EXPECT_EQ(unix_accept(&bed.alice.ctx, listener, 0, &accepted), 0);
			bed_put(&bed.alice, accepted);
		} else {
			bed_put(&bed.alice, listener);
		}
		EXPECT_EQ(job_end(&job), closes ? -ECONNREFUSED : 0);
		if (closes == 0)
			bed_put(&bed.alice, listener);
		bed_put(&bed.alice, first);
		bed_put(&bed.bob, job.file);
	}
	bed_close(&bed);
}

/* Both act, bob waits for alice, alice for bob: every wait ends, with one report. */
TEST(blocking, two_who_wait_for_each_other_get_EDEADLK)
{
	struct file *pair[2];
	uint8_t bytes[8], c;
	struct bed bed;
	struct job job = { .bed = &bed, .run = run_recv, .bytes = bytes, .n = 8 };

	bed_open(&bed);
	pair_that_blocks(&bed, pair);
	job.file = pair[1];
	wait_acting_begin(&bed.env);
	wait_acting_begin(&bed.env);
	wait_release(&bed.env);
	job_start(&job);
	EXPECT_EQ(bed_recv(&bed.alice, pair[0], &c, 1, 0), -EDEADLK);
	EXPECT_EQ(job_end(&job), -EDEADLK);
	EXPECT(bed.said > 0);
	wait_hold(&bed.env);
	wait_acting_end(&bed.env);
	wait_acting_end(&bed.env);
	EXPECT_EQ(bed_send(&bed.alice, pair[0], "a", 1, 0), 1);
	EXPECT_EQ(bed_recv(&bed.bob, pair[1], &c, 1, 0), 1);
	bed_put(&bed.alice, pair[0]);
	bed_put(&bed.bob, pair[1]);
	bed_close(&bed);
}

/* Bytes and files both ways as fast as it goes; both ends see the whole of it in order. */
static ssize_t run_echo(struct job *job)
{
	struct actor *bob = &job->bed->bob;
	ssize_t n, total = 0;
	uint8_t bytes[100];

	while ((n = bed_recv(bob, job->file, bytes, sizeof(bytes), 0)) > 0) {
		total += n;
		EXPECT_EQ(bed_send(bob, job->file, bytes, (size_t)n, 0), n);
	}
	return n < 0 ? n : total;
}

TEST(blocking, echo_of_many_small_messages)
{
	enum { ROUNDS = 3000 };
	struct file *pair[2];
	struct bed bed;
	struct job job = { .bed = &bed, .run = run_echo };
	size_t received = 0;
	uint8_t next = 0, bytes[100];

	bed_open(&bed);
	pair_that_blocks(&bed, pair);
	job.file = pair[1];
	job_start(&job);
	for (int i = 0; i < ROUNDS; i++) {
		uint8_t c = (uint8_t)i;
		ssize_t n;

		EXPECT_EQ(bed_send(&bed.alice, pair[0], &c, 1, 0), 1);
		if (i % 100 != 99)
			continue;
		while (received < (size_t)i + 1) {
			n = bed_recv(&bed.alice, pair[0], bytes, sizeof(bytes), 0);
			REQUIRE(n > 0);
			for (ssize_t j = 0; j < n; j++)
				if (bytes[j] != next++)
					EXPECT_MSG(false, "byte %zu is %u", received + (size_t)j, bytes[j]);
			received += (size_t)n;
		}
	}
	EXPECT_EQ(unix_shutdown(&bed.alice.ctx, pair[0], SHUT_WR), 0);
	EXPECT_EQ(job_end(&job), ROUNDS);
	bed_put(&bed.alice, pair[0]);
	bed_put(&bed.bob, pair[1]);
	bed_close(&bed);
}

/* Bob sends bytes and files, blocking, until alice, who receives a few at random, has closed. */
static ssize_t run_send_until_closed(struct job *job)
{
	struct actor *bob = &job->bed->bob;
	int fds[5] = { 0, 0, 0, 0, 0 };
	ssize_t n;

	for (size_t i = 0; (n = bed_send_fds(bob, job->file, big, 1 + i * 7 % 3000, fds, i % 5)) > 0; i++)
		;
	return n;
}

TEST(blocking, sender_races_with_a_receiver_that_closes)
{
	struct file *pair[2];
	struct bed bed;
	struct job job = { .bed = &bed, .run = run_send_until_closed };
	struct file *carried;

	bed_open(&bed);
	carried = bed_socket(&bed.alice, 0);
	EXPECT_EQ(bed_fd(&bed.bob, carried), 0);
	bed_put(&bed.alice, carried);
	for (int round = 0; round < 100; round++) {
		struct received got;

		pair_that_blocks(&bed, pair);
		job.file = pair[1];
		job_start(&job);
		for (int i = 0; i < round * 3; i++) {
			REQUIRE(bed_recv_fds(&bed.alice, pair[0], sizeof(got.bytes), 32, 0, &got) > 0);
			for (size_t j = 0; j < got.nfds; j++)
				fd_close(&bed.alice.ctx, bed.alice.table, got.fds[j]);
		}
		bed_put(&bed.alice, pair[0]);
		EXPECT(job_end(&job) == -EPIPE || job.result == -ECONNRESET);
		bed_put(&bed.bob, pair[1]);
	}
	bed_close(&bed);
}

static ssize_t run_connect_often(struct job *job)
{
	struct actor *bob = &job->bed->bob;
	ssize_t connected = 0;

	while (connected < 300) {
		struct unix_addr addr = bed_addr("l", true);
		struct file *file = bed_socket(bob, 0);
		int err = unix_connect(&bob->ctx, file, &addr, CREDS_BOB);

		EXPECT(err == 0 || err == -ECONNREFUSED);
		if (err == 0 && ++connected % 3 > 0)
			bed_send(bob, file, "hello", 5, 0);
		bed_put(bob, file);
		if (err < 0)
			sched_yield();
	}
	__atomic_store_n(&job->n, 1, __ATOMIC_RELEASE);
	return connected;
}

TEST(blocking, connect_races_with_accept_and_with_a_closing_listener)
{
	struct file *listener, *server;
	struct bed bed;
	struct job job = { .bed = &bed, .run = run_connect_often };
	unsigned accepted = 0;

	bed_open(&bed);
	listener = listener_on_l(&bed, 0);
	vfs_set_flags(&bed.alice.ctx, listener, FILE_NONBLOCK);
	job_start(&job);
	while (__atomic_load_n(&job.n, __ATOMIC_ACQUIRE) == 0) {
		if (unix_accept(&bed.alice.ctx, listener, FILE_NONBLOCK, &server) < 0) {
			ctx_drain(&bed.alice.ctx);
			sched_yield();
			continue;
		}
		bed_check(&bed);
		bed_put(&bed.alice, server);
		if (++accepted % 10 == 0) {
			bed_put(&bed.alice, listener);
			listener = listener_on_l(&bed, 0);
			vfs_set_flags(&bed.alice.ctx, listener, FILE_NONBLOCK);
		}
	}
	EXPECT_EQ(job_end(&job), 300);
	bed_put(&bed.alice, listener);
	bed_close(&bed);
}
