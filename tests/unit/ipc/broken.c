// SPDX-License-Identifier: MIT
/*
 * The validator of sockets, fed with sockets in which one thing is wrong: it must say which.
 */
#include "bed.h"

#include "ipc/socket.h"
#include "unit/finds.h"

/* A pair with a message on its way to bob, and a listener with a pending connection. */
struct scene {
	struct bed bed;
	struct file *pair[2], *listener, *client;
	struct unix_sock *full;      /* pair[1] */
	struct unix_sock *listening; /* listener */
};

static void scene_open(struct scene *s)
{
	struct unix_addr addr = bed_addr("display", true);
	struct ctx *ctx = &s->bed.alice.ctx;

	bed_open(&s->bed);
	bed_pair(&s->bed, s->pair);
	SETUP(bed_send(&s->bed.alice, s->pair[0], "hello", 5, 0) == 5);
	SETUP(unix_socket(ctx, SOCK_STREAM, 0, 0, &s->listener) == 0);
	SETUP(unix_socket(ctx, SOCK_STREAM, 0, 0, &s->client) == 0);
	SETUP(unix_bind(ctx, s->listener, &addr) == 0 && unix_listen(ctx, s->listener, 3, ROOT) == 0);
	SETUP(unix_connect(ctx, s->client, &addr, ROOT) == 0);
	s->full = unix_sock(s->pair[1]);
	s->listening = unix_sock(s->listener);
	EXPECT_SOUND(unix_check, ctx, NULL);
}

static void scene_close(struct scene *s)
{
	EXPECT_SOUND(unix_check, &s->bed.alice.ctx, NULL);
	bed_put(&s->bed.alice, s->pair[0]);
	bed_put(&s->bed.alice, s->pair[1]);
	bed_put(&s->bed.alice, s->client);
	bed_put(&s->bed.alice, s->listener);
	bed_expect_empty(&s->bed);
	bed_close(&s->bed);
}

TEST(unix_check, broken_queue_is_named)
{
	struct message *message;
	struct scene s;
	struct ctx *ctx;

	scene_open(&s);
	ctx = &s.bed.alice.ctx;
	message = STAILQ_FIRST(&s.full->inbox);
	SETUP(message != NULL);
	EXPECT_FINDS_WHILE(message->begin, 5, "message I2: a queued message has a byte to give: begin 5, end 5",
	                   unix_check, ctx, s.pair[1]);
	EXPECT_FINDS_WHILE(s.full->charge, 1, "unix I3: the charge is the sum over the queue: 1, counted", unix_check,
	                   ctx, s.pair[1]);
	EXPECT_FINDS_WHILE(s.full->charge, 1, "unix I3: the charge is the sum over the queue", unix_check, ctx, NULL);
	scene_close(&s);
}

TEST(unix_check, broken_list_of_pending_connections_is_named)
{
	struct scene s;
	struct ctx *ctx;

	scene_open(&s);
	ctx = &s.bed.alice.ctx;
	EXPECT_FINDS_WHILE(s.listening->npending, 2,
	                   "connect I1: npending counts the pending connections: 2, counted 1", unix_check, ctx,
	                   s.listener);
	EXPECT_FINDS_WHILE(s.listening->state, UNIX_UNCONNECTED, "connect I1: only a listener has some: 1 in state 0",
	                   unix_check, ctx, s.listener);
	scene_close(&s);
}

TEST(unix_check, broken_connection_is_named)
{
	struct unix_sock *empty;
	struct scene s;
	struct ctx *ctx;

	scene_open(&s);
	ctx = &s.bed.alice.ctx;
	empty = unix_sock(s.pair[0]);
	EXPECT_FINDS_WHILE(empty->peer, NULL, "unix I1: connected means a peer: closed 0", unix_check, ctx, s.pair[0]);
	EXPECT_FINDS_WHILE(empty->closed, true, "unix I2: a closed socket has nothing: charge 0, pending 0, shutdown 0",
	                   unix_check, ctx, s.pair[0]);
	EXPECT_FINDS_WHILE(s.listening->closed, true, "unix I2: a closed socket has nothing: charge 0, pending 1",
	                   unix_check, ctx, s.listener);
	s.full->shutdown = UNIX_SHUT_BOTH;
	EXPECT_FINDS_WHILE(s.full->closed, true, "unix I2: a closed socket has nothing: charge", unix_check, ctx,
	                   s.pair[1]);
	s.full->shutdown = 0;
	scene_close(&s);
}
