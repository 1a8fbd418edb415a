// SPDX-License-Identifier: MIT
/*
 * The ends of things: sockets that die with files queued, chains and cycles of sockets in flight, allocations that
 * fail on purpose, and what the reports say.
 */
#include "bed.h"

/* SEMANTICS 94 */
TEST(life, queued_files_go_with_their_socket)
{
	struct file *pair[2], *carried[2];
	struct bed bed;
	char c;

	bed_open(&bed);
	bed_pair(&bed, pair);
	bed_pair(&bed, carried);
	EXPECT_EQ(bed_send_away(&bed.alice, pair[0], carried[0]), 1);
	bed_put(&bed.alice, pair[0]);
	EXPECT_EQ(bed_recv(&bed.bob, carried[1], &c, 1, 0), -EAGAIN);
	bed_put(&bed.bob, pair[1]);
	EXPECT_EQ(bed_recv(&bed.bob, carried[1], &c, 1, 0), 0);
	bed_put(&bed.bob, carried[1]);
	bed_expect_empty(&bed);
	bed_close(&bed);
}

/* Each socket's queue holds the only reference of the next: freed by a loop, not by recursion. */
TEST(life, chain_of_ten_thousand_sockets_in_flight_is_freed)
{
	struct file *last[2], *next[2];
	struct bed bed;

	bed_open(&bed);
	bed_pair(&bed, last);
	for (int i = 0; i < 10000; i++) {
		bed_pair(&bed, next);
		/* next[1] has last[1] in its queue, and nobody else has. */
		EXPECT_EQ(bed_send_away(&bed.alice, next[0], last[1]), 1);
		bed_put(&bed.alice, last[0]);
		last[0] = next[0];
		last[1] = next[1];
	}
	EXPECT_EQ(bed_total(&bed, CENSUS_MESSAGE), 10000);
	bed_put(&bed.alice, last[0]);
	bed_put(&bed.alice, last[1]);
	bed_expect_empty(&bed);
	bed_close(&bed);
}

TEST(life, purge_frees_what_is_queued_on_itself)
{
	struct file *self[2], *a[2], *b[2];
	struct bed bed;

	bed_open(&bed);
	/* A socket in its own queue. */
	bed_pair(&bed, self);
	EXPECT_EQ(bed_send_away(&bed.alice, self[0], self[1]), 1);
	bed_put(&bed.alice, self[0]);
	/* Two in each other's. */
	bed_pair(&bed, a);
	bed_pair(&bed, b);
	EXPECT_EQ(bed_send_away(&bed.alice, a[0], b[1]), 1);
	EXPECT_EQ(bed_send_away(&bed.alice, b[0], a[1]), 1);
	bed_put(&bed.alice, a[0]);
	bed_put(&bed.alice, b[0]);
	EXPECT_EQ(bed_total(&bed, CENSUS_MESSAGE), 3);
	EXPECT_EQ(bed_total(&bed, CENSUS_FILE), 3);
	unix_purge(&bed.alice.ctx);
	bed_expect_empty(&bed);
	bed_close(&bed);
}

TEST(life, purge_frees_a_listener_inside_its_own_pending_connection)
{
	struct unix_addr addr = bed_addr("l", true);
	struct file *listener, *client;
	struct bed bed;

	bed_open(&bed);
	listener = bed_socket(&bed.alice, 0);
	client = bed_socket(&bed.alice, 0);
	SETUP(unix_bind(&bed.alice.ctx, listener, &addr) == 0);
	SETUP(unix_listen(&bed.alice.ctx, listener, 1, ROOT) == 0);
	SETUP(unix_connect(&bed.alice.ctx, client, &addr, ROOT) == 0);
	EXPECT_EQ(bed_send_away(&bed.alice, client, listener), 1);
	bed_put(&bed.alice, client);
	EXPECT_EQ(bed_total(&bed, CENSUS_SOCKET), 3);
	unix_purge(&bed.alice.ctx);
	bed_expect_empty(&bed);
	bed_close(&bed);
}

struct seen {
	unsigned n;
	struct unix_queued last;
	size_t bytes, nfiles;
};

static void see(void *arg, const struct unix_queued *queued)
{
	struct seen *seen = arg;

	seen->n++;
	seen->last = *queued;
	seen->bytes += queued->bytes;
	seen->nfiles += queued->nfiles;
}

TEST(life, queued_messages_tell_who_sent_them)
{
	struct file *pair[2], *carried[2];
	struct seen seen = { 0 };
	struct bed bed;
	char c;

	bed_open(&bed);
	bed_pair(&bed, pair);
	bed_pair(&bed, carried);
	bed.bob.ctx.call = "sendmsg";
	EXPECT_EQ(bed_send(&bed.bob, pair[1], "abc", 3, 0), 3);
	EXPECT_EQ(bed_recv(&bed.alice, pair[0], &c, 1, 0), 1);
	EXPECT_EQ(bed_send_away(&bed.bob, pair[1], carried[0]), 1);
	EXPECT_EQ(bed.bob.owner.count[CENSUS_MESSAGE], 2);
	unix_for_each_queued(&bed.alice.ctx, pair[0], see, &seen);
	EXPECT_EQ(seen.n, 2);
	EXPECT_EQ(seen.bytes, 3);
	EXPECT_EQ(seen.nfiles, 1);
	EXPECT(seen.last.owner == &bed.bob.owner);
	EXPECT_STREQ(seen.last.call, "sendmsg");
	EXPECT_EQ(seen.last.epoch, 7);
	unix_for_each_queued(&bed.alice.ctx, pair[1], see, &seen);
	EXPECT_EQ(seen.n, 2);
	unix_for_each_queued(&bed.alice.ctx, NULL, see, &seen);
	EXPECT_EQ(seen.n, 4);
	bed_put(&bed.alice, pair[0]);
	bed_put(&bed.bob, pair[1]);
	bed_put(&bed.bob, carried[1]);
	bed_close(&bed);
}

/*
 * Each operation is tried with its 1st, 2nd ... allocation failing, until it asks for no more; each failure must
 * leave every count as it was, and the same call must succeed after it.
 */
struct operation {
	const char *name;
	enum fail_kind kind;
	int (*run)(struct bed *bed, struct file **sockets); /* 0 or an errno; undone by close_all */
	int error;
};

static void close_all(struct bed *bed, struct file **sockets)
{
	for (int i = 0; i < 4; i++) {
		bed_put(&bed->alice, sockets[i]);
		sockets[i] = NULL;
	}
	for (int fd = 0; fd < 8; fd++)
		fd_close(&bed->bob.ctx, bed->bob.table, fd);
	bed_unlink(&bed->alice.ctx, "/l");
	bed_drain(bed);
}

static int run_pair(struct bed *bed, struct file **sockets)
{
	return unix_socketpair(&bed->alice.ctx, SOCK_STREAM, 0, FILE_NONBLOCK, ROOT, sockets);
}

static int run_socket(struct bed *bed, struct file **sockets)
{
	return unix_socket(&bed->alice.ctx, SOCK_STREAM, 0, FILE_NONBLOCK, &sockets[0]);
}

static int quietly(struct bed *bed, int (*run)(struct bed *, struct file **), struct file **sockets)
{
	struct env_hooks hooks = bed->env.hooks;
	int err;

	bed->env.hooks.fail = NULL;
	err = run(bed, sockets);
	bed->env.hooks.fail = hooks.fail;
	return err;
}

static int run_bind(struct bed *bed, struct file **sockets)
{
	struct unix_addr addr = bed_addr("/l", false);

	if (sockets[0] == NULL)
		SETUP(quietly(bed, run_socket, sockets) == 0);
	return unix_bind(&bed->alice.ctx, sockets[0], &addr);
}

static int run_autobind(struct bed *bed, struct file **sockets)
{
	struct unix_addr addr = { .len = 0 };

	if (sockets[0] == NULL)
		SETUP(quietly(bed, run_socket, sockets) == 0);
	return unix_bind(&bed->alice.ctx, sockets[0], &addr);
}

static int listen_and_client(struct bed *bed, struct file **sockets)
{
	SETUP(run_bind(bed, sockets) == 0);
	SETUP(unix_listen(&bed->alice.ctx, sockets[0], 0, ROOT) == 0);
	return run_socket(bed, sockets + 1);
}

static int run_connect(struct bed *bed, struct file **sockets)
{
	struct unix_addr addr = bed_addr("/l", false);

	if (sockets[0] == NULL)
		SETUP(quietly(bed, listen_and_client, sockets) == 0);
	return unix_connect(&bed->alice.ctx, sockets[1], &addr, ROOT);
}

static int run_accept(struct bed *bed, struct file **sockets)
{
	if (sockets[0] == NULL)
		SETUP(quietly(bed, run_connect, sockets) == 0);
	return unix_accept(&bed->alice.ctx, sockets[0], 0, &sockets[2]);
}

static int run_send(struct bed *bed, struct file **sockets)
{
	static const char text[5000];
	ssize_t sent;
	int fds[300];

	if (sockets[0] == NULL) {
		SETUP(quietly(bed, run_pair, sockets) == 0);
		SETUP(bed_fd(&bed->bob, sockets[0]) == 0);
	}
	for (int i = 0; i < 300; i++)
		fds[i] = 0;
	/* 250 descriptors, so that the control buffer is allocated too. */
	sent = bed_send_fds(&bed->bob, sockets[0], text, sizeof(text), fds, 250);
	return sent < 0 ? (int)sent : 0;
}

/* Leaves a spare message behind, which must not hide a failure. */
static int pair_with_spare(struct bed *bed, struct file **sockets)
{
	char c;

	SETUP(run_pair(bed, sockets) == 0);
	SETUP(bed_send(&bed->alice, sockets[0], "a", 1, 0) == 1);
	return bed_recv(&bed->alice, sockets[1], &c, 1, 0) == 1 ? 0 : -EIO;
}

static int run_send_small(struct bed *bed, struct file **sockets)
{
	ssize_t sent;

	if (sockets[0] == NULL)
		SETUP(quietly(bed, pair_with_spare, sockets) == 0);
	sent = bed_send(&bed->alice, sockets[0], "a", 1, 0);
	return sent < 0 ? (int)sent : 0;
}

struct counts {
	long sockets, messages, files, inodes, fds;
	size_t kmem_count, kmem_bytes;
};

static struct counts count(struct bed *bed)
{
	bed_drain(bed);
	return (struct counts){
		bed_total(bed, CENSUS_SOCKET), bed_total(bed, CENSUS_MESSAGE), bed_total(bed, CENSUS_FILE),
		bed_total(bed, CENSUS_INODE),  bed_total(bed, CENSUS_FD),      kmem_count(&bed->env),
		kmem_bytes(&bed->env),
	};
}

static void sweep(const struct operation *op)
{
	struct file *sockets[4] = { NULL };
	struct counts before, after;
	struct bed bed;
	int err;

	bed_open(&bed);
	/* Once without failure, then closed again: the tables have their size. */
	SETUP(op->run(&bed, sockets) == 0);
	close_all(&bed, sockets);
	for (unsigned n = 0;; n++) {
		bool failed;

		REQUIRE(n < 20);
		/* The state before the call: what run() makes on its way is made by a call that fails at once. */
		bed_fail_after(&bed, op->kind, 0);
		err = op->run(&bed, sockets);
		bed_fail_stop(&bed);
		EXPECT_MSG(err == op->error, "%s: %d", op->name, err);
		before = count(&bed);
		bed_fail_after(&bed, op->kind, n);
		err = op->run(&bed, sockets);
		failed = bed_fail_stop(&bed);
		if (!failed) {
			EXPECT_MSG(err == 0, "%s without failure: %d", op->name, err);
			EXPECT(n > 0);
			close_all(&bed, sockets);
			break;
		}
		EXPECT_MSG(err == op->error, "%s, allocation %u fails: %d", op->name, n, err);
		after = count(&bed);
		EXPECT_MEMEQ(&after, &before, sizeof(after));
		bed_check(&bed);
		EXPECT_EQ(op->run(&bed, sockets), 0);
		close_all(&bed, sockets);
	}
	bed_close(&bed);
}

TEST(life, failing_allocations_change_nothing)
{
	static const struct operation operations[] = {
		{ "socket", FAIL_KMEM, run_socket, -ENOMEM },
		{ "socketpair", FAIL_KMEM, run_pair, -ENOMEM },
		{ "bind", FAIL_KMEM, run_bind, -ENOMEM },
		{ "autobind", FAIL_KMEM, run_autobind, -ENOMEM },
		{ "connect", FAIL_KMEM, run_connect, -ENOMEM },
		{ "accept", FAIL_KMEM, run_accept, -ENOMEM },
		{ "send with fds", FAIL_KMEM, run_send, -ENOBUFS },
		{ "send with fds", FAIL_MESSAGE, run_send, -ENOBUFS },
		{ "send", FAIL_KMEM, run_send_small, -ENOBUFS },
		{ "send", FAIL_MESSAGE, run_send_small, -ENOBUFS },
	};

	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
		sweep(&operations[i]);
}

/* A long send that runs out on the way has sent what it has sent. */
TEST(life, second_piece_that_fails_gives_a_partial_count)
{
	static const uint8_t bytes[60000];
	struct file *pair[2];
	struct bed bed;

	bed_open(&bed);
	bed_pair(&bed, pair);
	bed_fail_after(&bed, FAIL_MESSAGE, 1);
	EXPECT_EQ(bed_send(&bed.alice, pair[0], bytes, sizeof(bytes), 0), 36544);
	EXPECT(bed_fail_stop(&bed));
	bed_put(&bed.alice, pair[0]);
	bed_put(&bed.alice, pair[1]);
	bed_close(&bed);
}

/* FAIL_FD is the receiver's limit: the call succeeds, the files are put. */
TEST(life, descriptor_that_fails_is_a_truncated_control_part)
{
	struct file *pair[2], *carried[2];
	struct received got;
	struct bed bed;
	char c;

	bed_open(&bed);
	bed_pair(&bed, pair);
	bed_pair(&bed, carried);
	EXPECT_EQ(bed_send_away(&bed.alice, pair[0], carried[0]), 1);
	bed_fail_after(&bed, FAIL_FD, 0);
	EXPECT_EQ(bed_recv_fds(&bed.bob, pair[1], 4, 64, 0, &got), 1);
	EXPECT(bed_fail_stop(&bed));
	EXPECT_EQ(got.flags, MSG_CTRUNC);
	EXPECT_EQ(got.nfds, 0);
	EXPECT_EQ(bed_recv(&bed.bob, carried[1], &c, 1, 0), 0);
	bed_put(&bed.alice, pair[0]);
	bed_put(&bed.bob, pair[1]);
	bed_put(&bed.bob, carried[1]);
	bed_close(&bed);
}
