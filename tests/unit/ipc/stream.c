// SPDX-License-Identifier: MIT
/*
 * Bytes through a pair: what Linux 6.18 does, measured, and what the queue must keep balanced.
 */
#include "bed.h"

static uint8_t big[300000];

TEST(stream, bytes_arrive_in_order_and_messages_are_glued)
{
	struct file *pair[2];
	struct bed bed;
	char text[8];

	bed_open(&bed);
	bed_pair(&bed, pair);
	EXPECT_EQ(bed_recv(&bed.bob, pair[1], text, 8, 0), -EAGAIN);
	EXPECT_EQ(bed_send(&bed.alice, pair[0], "abc", 3, 0), 3);
	EXPECT_EQ(bed_send(&bed.alice, pair[0], "def", 3, 0), 3);
	EXPECT_EQ(bed_total(&bed, CENSUS_MESSAGE), 2);
	bed_check(&bed);
	EXPECT_EQ(bed_recv(&bed.bob, pair[1], text, 2, 0), 2);
	EXPECT_MEMEQ(text, "ab", 2);
	bed_check(&bed);
	EXPECT_EQ(bed_recv(&bed.bob, pair[1], text, 8, 0), 4);
	EXPECT_MEMEQ(text, "cdef", 4);
	EXPECT_EQ(bed_total(&bed, CENSUS_MESSAGE), 0);
	bed_put(&bed.alice, pair[0]);
	EXPECT_EQ(bed_recv(&bed.bob, pair[1], text, 8, 0), 0);
	bed_put(&bed.bob, pair[1]);
	bed_close(&bed);
}

TEST(stream, read_and_write_are_recv_and_send)
{
	struct file *pair[2];
	struct bed bed;
	struct uio uio;
	char text[4] = "";

	bed_open(&bed);
	bed_pair(&bed, pair);
	uio_init_one(&uio, uptr_from("abc"), 3);
	EXPECT_EQ(vfs_write(&bed.alice.ctx, pair[0], &uio), 3);
	uio_init_one(&uio, uptr_from(text), 0);
	EXPECT_EQ(vfs_read(&bed.bob.ctx, pair[1], &uio), 0);
	uio_init_one(&uio, uptr_from(text), 4);
	EXPECT_EQ(vfs_read(&bed.bob.ctx, pair[1], &uio), 3);
	EXPECT_STREQ(text, "abc");
	uio_init_one(&uio, uptr_from(text), 4);
	EXPECT_EQ(vfs_read(&bed.bob.ctx, pair[1], &uio), -EAGAIN);
	EXPECT_EQ(vfs_lseek(&bed.alice.ctx, pair[0], 0, 0), -ESPIPE);
	bed_put(&bed.alice, pair[0]);
	bed_put(&bed.bob, pair[1]);
	bed_close(&bed);
}

/* Linux: SO_SNDBUF 212992, charged by truesize. Sends until EAGAIN of that many bytes, and the bytes of the last. */
TEST(stream, queue_is_full_after_as_many_messages_as_on_linux)
{
	static const struct {
		size_t n;
		int sends;
		ssize_t last;
	} rows[] = {
		{ 1, 278, 1 },        { 100, 278, 100 },     { 200, 167, 200 },    { 640, 167, 640 },
		{ 1000, 93, 1000 },   { 1728, 93, 1728 },    { 1729, 49, 1729 },   { 3776, 49, 3776 },
		{ 3777, 44, 3777 },   { 8192, 24, 8192 },    { 10000, 17, 10000 }, { 16384, 13, 16384 },
		{ 20000, 11, 20000 }, { 32768, 7, 32768 },   { 36544, 6, 36544 },  { 40000, 6, 36544 },
		{ 65536, 4, 36544 },  { 106432, 2, 106432 }, { 150000, 2, 73088 }, { 200000, 2, 36544 },
	};
	struct bed bed;

	bed_open(&bed);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct file *pair[2];
		ssize_t sent, last = 0;
		int sends = 0;

		bed_pair(&bed, pair);
		while ((sent = bed_send(&bed.alice, pair[0], big, rows[i].n, 0)) > 0) {
			last = sent;
			sends++;
		}
		EXPECT_EQ(sent, -EAGAIN);
		EXPECT_MSG(sends == rows[i].sends && last == rows[i].last, "%zu bytes: %d sends, the last of %zd",
		           rows[i].n, sends, last);
		bed_check(&bed);
		bed_put(&bed.alice, pair[0]);
		bed_put(&bed.bob, pair[1]);
		EXPECT_EQ(bed_total(&bed, CENSUS_MESSAGE), 0);
	}
	bed_close(&bed);
}

TEST(stream, long_send_arrives_whole)
{
	static uint8_t back[200000];
	struct file *pair[2];
	struct bed bed;

	bed_open(&bed);
	bed_pair(&bed, pair);
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (uint8_t)(i * 31 >> 3);
	EXPECT_EQ(bed_send(&bed.alice, pair[0], big, 100000, 0), 100000);
	EXPECT_EQ(bed_recv(&bed.bob, pair[1], back, 50000, MSG_WAITALL), 50000);
	EXPECT_EQ(bed_recv(&bed.bob, pair[1], back + 50000, sizeof(back) - 50000, MSG_WAITALL), 50000);
	EXPECT_MEMEQ(back, big, 100000);
	bed_put(&bed.alice, pair[0]);
	bed_put(&bed.bob, pair[1]);
	bed_close(&bed);
}

/* Linux: a copy that fails takes nothing of the piece it failed in. */
TEST(stream, failing_copy_leaves_the_message_for_a_retry)
{
	struct unix_msg msg = { .flags = 0 };
	struct file *pair[2];
	struct uio uio;
	struct bed bed;
	char text[8] = "";

	bed_open(&bed);
	bed_pair(&bed, pair);
	msg.uio = &uio;
	EXPECT_EQ(bed_send(&bed.alice, pair[0], "abc", 3, 0), 3);
	EXPECT_EQ(bed_send(&bed.alice, pair[0], "defg", 4, 0), 4);
	uio_init_one(&uio, uptr_user(USER_BASE + USER_BYTES - 2), 7);
	EXPECT_EQ(unix_recvmsg(&bed.bob.ctx, bed.bob.table, pair[1], &msg), -EFAULT);
	msg.flags = 0;
	uio_init_one(&uio, uptr_user(USER_BASE + USER_BYTES - 5), 7);
	EXPECT_EQ(unix_recvmsg(&bed.bob.ctx, bed.bob.table, pair[1], &msg), 3);
	EXPECT_MEMEQ(bed.user + USER_BYTES - 5, "abc", 3);
	EXPECT_EQ(bed_recv(&bed.bob, pair[1], text, 8, 0), 4);
	EXPECT_STREQ(text, "defg");
	EXPECT_EQ(bed_recv(&bed.bob, pair[1], (void *)8, 1, 0), -EAGAIN);
	bed_put(&bed.alice, pair[0]);
	bed_put(&bed.bob, pair[1]);
	bed_close(&bed);
}

TEST(stream, send_from_bad_memory_queues_whole_pieces_only)
{
	struct uio_seg segs[] = { { uptr_from(big), 40000 }, { uptr_from((void *)8), 10 } };
	struct unix_msg msg = { .flags = 0 };
	struct file *pair[2];
	struct uio uio;
	struct bed bed;

	bed_open(&bed);
	bed_pair(&bed, pair);
	EXPECT_EQ(bed_send(&bed.alice, pair[0], (void *)8, 1, 0), -EFAULT);
	EXPECT_EQ(bed_total(&bed, CENSUS_MESSAGE), 0);
	uio_init(&uio, segs, 2);
	msg.uio = &uio;
	EXPECT_EQ(unix_sendmsg(&bed.alice.ctx, bed.alice.table, pair[0], &msg), 36544);
	EXPECT_EQ(bed_total(&bed, CENSUS_MESSAGE), 1);
	bed_check(&bed);
	bed_put(&bed.alice, pair[0]);
	bed_put(&bed.bob, pair[1]);
	bed_close(&bed);
}

TEST(stream, peek_takes_nothing_and_does_not_wait_for_all)
{
	struct file *pair[2];
	struct bed bed;
	char text[16] = "";

	bed_open(&bed);
	bed_pair(&bed, pair);
	EXPECT_EQ(bed_recv(&bed.bob, pair[1], text, 4, MSG_PEEK), -EAGAIN);
	EXPECT_EQ(bed_send(&bed.alice, pair[0], "abcd", 4, 0), 4);
	EXPECT_EQ(bed_send(&bed.alice, pair[0], "efgh", 4, 0), 4);
	EXPECT_EQ(bed_recv(&bed.bob, pair[1], text, 3, MSG_PEEK), 3);
	EXPECT_EQ(bed_recv(&bed.bob, pair[1], text, 16, MSG_PEEK | MSG_WAITALL), 8);
	EXPECT_STREQ(text, "abcdefgh");
	EXPECT_EQ(bed_recv(&bed.bob, pair[1], text, 1, 0), 1);
	EXPECT_EQ(bed_send(&bed.alice, pair[0], "ij", 2, 0), 2);
	EXPECT_EQ(bed_recv(&bed.bob, pair[1], text, 16, MSG_PEEK), 9);
	EXPECT_EQ(bed_recv(&bed.bob, pair[1], text, 16, MSG_WAITALL), 9);
	EXPECT_MEMEQ(text, "bcdefghij", 9);
	bed_put(&bed.alice, pair[0]);
	bed_put(&bed.bob, pair[1]);
	bed_close(&bed);
}

TEST(stream, empty_transfers)
{
	struct file *pair[2];
	struct bed bed;
	char text[4];

	bed_open(&bed);
	bed_pair(&bed, pair);
	EXPECT_EQ(bed_send(&bed.alice, pair[0], "", 0, 0), 0);
	EXPECT_EQ(bed_recv(&bed.bob, pair[1], text, 0, 0), -EAGAIN);
	EXPECT_EQ(bed_send(&bed.alice, pair[0], "abc", 3, 0), 3);
	EXPECT_EQ(bed_recv(&bed.bob, pair[1], text, 0, 0), 0);
	EXPECT_EQ(bed_recv(&bed.bob, pair[1], text, 2, MSG_TRUNC), 2);
	EXPECT_EQ(bed_recv(&bed.bob, pair[1], text, 2, 0), 1);
	EXPECT_EQ(bed_recv(&bed.bob, pair[1], text, 1, MSG_OOB), -EINVAL);
	EXPECT_EQ(bed_send(&bed.alice, pair[0], "abc", 3, MSG_OOB), -EOPNOTSUPP);
	bed_put(&bed.alice, pair[0]);
	bed_put(&bed.bob, pair[1]);
	bed_close(&bed);
}

TEST(stream, unconnected_socket_neither_sends_nor_receives)
{
	struct unix_msg msg = { .has_name = true };
	struct file *file, *pair[2];
	struct uio uio;
	struct bed bed;
	char c;

	bed_open(&bed);
	file = bed_socket(&bed.alice, 0);
	EXPECT_EQ(bed_send(&bed.alice, file, "a", 1, 0), -ENOTCONN);
	EXPECT_EQ(bed_send(&bed.alice, file, "", 0, 0), -ENOTCONN);
	EXPECT_EQ(bed_recv(&bed.alice, file, &c, 1, 0), -EINVAL);
	msg.uio = &uio;
	uio_init_one(&uio, uptr_from("a"), 1);
	EXPECT_EQ(unix_sendmsg(&bed.alice.ctx, bed.alice.table, file, &msg), -EOPNOTSUPP);
	bed_pair(&bed, pair);
	EXPECT_EQ(unix_sendmsg(&bed.alice.ctx, bed.alice.table, pair[0], &msg), -EISCONN);
	bed_put(&bed.alice, file);
	bed_put(&bed.alice, pair[0]);
	bed_put(&bed.bob, pair[1]);
	bed_close(&bed);
}

/* Linux: close with unread data is a reset for the peer, told once, and only where it receives. */
TEST(stream, peer_that_closes_with_unread_data_resets)
{
	struct file *pair[2];
	struct bed bed;
	char c;

	bed_open(&bed);
	bed_pair(&bed, pair);
	EXPECT_EQ(bed_send(&bed.bob, pair[1], "q", 1, 0), 1);
	EXPECT_EQ(bed_send(&bed.alice, pair[0], "abc", 3, 0), 3);
	bed_put(&bed.bob, pair[1]);
	EXPECT_EQ(bed_total(&bed, CENSUS_MESSAGE), 1);
	EXPECT_EQ(bed_send(&bed.alice, pair[0], "x", 1, MSG_NOSIGNAL), -EPIPE);
	EXPECT_EQ(bed_recv(&bed.alice, pair[0], &c, 1, 0), 1);
	EXPECT_EQ(bed_recv(&bed.alice, pair[0], &c, 1, 0), -ECONNRESET);
	EXPECT_EQ(bed_recv(&bed.alice, pair[0], &c, 1, 0), 0);
	bed_put(&bed.alice, pair[0]);
	/* And half-read counts as unread. */
	bed_pair(&bed, pair);
	EXPECT_EQ(bed_send(&bed.alice, pair[0], "abc", 3, 0), 3);
	EXPECT_EQ(bed_recv(&bed.bob, pair[1], &c, 1, 0), 1);
	bed_put(&bed.bob, pair[1]);
	EXPECT_EQ(bed_recv(&bed.alice, pair[0], &c, 1, MSG_PEEK), -ECONNRESET);
	EXPECT_EQ(unix_take_error(pair[0]), 0);
	bed_put(&bed.alice, pair[0]);
	bed_close(&bed);
}

TEST(stream, shutdown_ends_one_direction)
{
	struct file *pair[2];
	struct bed bed;
	char c;

	bed_open(&bed);
	bed_pair(&bed, pair);
	EXPECT_EQ(unix_shutdown(&bed.alice.ctx, pair[0], 3), -EINVAL);
	EXPECT_EQ(unix_shutdown(&bed.alice.ctx, pair[0], -1), -EINVAL);
	EXPECT_EQ(bed_send(&bed.alice, pair[0], "ab", 2, 0), 2);
	EXPECT_EQ(unix_shutdown(&bed.alice.ctx, pair[0], SHUT_WR), 0);
	EXPECT_EQ(bed_send(&bed.alice, pair[0], "x", 1, 0), -EPIPE);
	EXPECT_EQ(bed_send(&bed.alice, pair[0], "", 0, 0), -EPIPE);
	EXPECT_EQ(bed_recv(&bed.bob, pair[1], &c, 1, 0), 1);
	EXPECT_EQ(bed_recv(&bed.bob, pair[1], &c, 1, 0), 1);
	EXPECT_EQ(bed_recv(&bed.bob, pair[1], &c, 1, 0), 0);
	EXPECT_EQ(bed_send(&bed.bob, pair[1], "z", 1, 0), 1);
	EXPECT_EQ(unix_shutdown(&bed.alice.ctx, pair[0], SHUT_RD), 0);
	EXPECT_EQ(bed_send(&bed.bob, pair[1], "z", 1, 0), -EPIPE);
	EXPECT_EQ(bed_recv(&bed.alice, pair[0], &c, 1, 0), 1);
	EXPECT_EQ(bed_recv(&bed.alice, pair[0], &c, 1, 0), 0);
	bed_put(&bed.alice, pair[0]);
	bed_put(&bed.bob, pair[1]);
	bed_close(&bed);
}

/* Nothing that blocks can be woken where there is no one else: the answer is an error, not a hang. */
TEST(stream, caller_that_cannot_sleep_gets_EDEADLK)
{
	struct file *pair[2];
	struct bed bed;
	char text[4];

	bed_open(&bed);
	SETUP(unix_socketpair(&bed.alice.ctx, SOCK_STREAM, 0, 0, ROOT, pair) == 0);
	bed.alice.ctx.waiter = NULL;
	EXPECT_EQ(bed_recv(&bed.alice, pair[0], text, 4, 0), -EDEADLK);
	EXPECT_EQ(bed_recv(&bed.alice, pair[0], text, 4, MSG_DONTWAIT), -EAGAIN);
	EXPECT_EQ(bed_send(&bed.bob, pair[1], "ab", 2, 0), 2);
	EXPECT_EQ(bed_recv(&bed.alice, pair[0], text, 4, MSG_WAITALL), 2);
	EXPECT_EQ(bed_send(&bed.alice, pair[0], big, sizeof(big), 0), 6 * 36544);
	EXPECT_EQ(bed_send(&bed.alice, pair[0], "x", 1, 0), -EDEADLK);
	bed_check(&bed);
	bed_put(&bed.alice, pair[0]);
	bed_put(&bed.bob, pair[1]);
	bed_close(&bed);
}
