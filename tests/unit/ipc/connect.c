// SPDX-License-Identifier: MIT
/*
 * Listening, connecting, accepting, without a second thread: order of checks, backlog, credentials, names, ends.
 */
#include "bed.h"

static const struct unix_creds none = { 0, UINT32_MAX, UINT32_MAX };

static struct file *listener_on(struct bed *bed, const char *path, int backlog)
{
	struct file *file = bed_socket(&bed->alice, FILE_NONBLOCK);
	struct unix_addr addr = bed_addr(path, false);

	SETUP(unix_bind(&bed->alice.ctx, file, &addr) == 0);
	SETUP(unix_listen(&bed->alice.ctx, file, backlog, ROOT) == 0);
	return file;
}

static int connect_to(struct bed *bed, struct file *file, const char *path)
{
	struct unix_addr addr = bed_addr(path, false);

	return unix_connect(&bed->bob.ctx, file, &addr, CREDS_BOB);
}

static int accept_from(struct bed *bed, struct file *listener, struct file **out)
{
	int err = unix_accept(&bed->alice.ctx, listener, FILE_NONBLOCK, out);

	ctx_drain(&bed->alice.ctx);
	return err;
}

TEST(connect, creation_checks_type_and_protocol)
{
	struct file *file = NULL, *pair[2];
	struct bed bed;

	bed_open(&bed);
	EXPECT_EQ(unix_socket(&bed.alice.ctx, 99, 7, 0, &file), -EINVAL);
	EXPECT_EQ(unix_socket(&bed.alice.ctx, -1, 0, 0, &file), -EINVAL);
	EXPECT_EQ(unix_socket(&bed.alice.ctx, 0, 0, 0, &file), -ESOCKTNOSUPPORT);
	EXPECT_EQ(unix_socket(&bed.alice.ctx, SOCK_RDM, 7, 0, &file), -EPROTONOSUPPORT);
	EXPECT_EQ(unix_socketpair(&bed.alice.ctx, SOCK_STREAM, 2, 0, ROOT, pair), -EPROTONOSUPPORT);
	EXPECT_EQ(unix_socket(&bed.alice.ctx, SOCK_STREAM, AF_UNIX, FILE_NONBLOCK, &file), 0);
	EXPECT(unix_is_socket(file));
	EXPECT_EQ(file_flags(file), FILE_RDWR | FILE_NONBLOCK);
	EXPECT_EQ(file->inode->mode, 0140777);
	bed_put(&bed.alice, file);
	bed_close(&bed);
}

TEST(connect, names_and_credentials_of_both_ends)
{
	struct file *listener, *client, *server = NULL;
	struct unix_creds creds;
	struct unix_addr addr;
	struct bed bed;

	bed_open(&bed);
	listener = listener_on(&bed, "/l", 5);
	client = bed_socket(&bed.bob, FILE_NONBLOCK);
	unix_peercred(&bed.bob.ctx, client, &creds);
	EXPECT_MEMEQ(&creds, &none, sizeof(creds));
	EXPECT_EQ(unix_getname(&bed.bob.ctx, client, true, &addr), -ENOTCONN);
	EXPECT_EQ(connect_to(&bed, client, "/l"), 0);
	EXPECT_EQ(unix_getname(&bed.bob.ctx, client, true, &addr), 0);
	EXPECT_MEMEQ(addr.name, "/l", 2);
	unix_peercred(&bed.bob.ctx, client, &creds);
	EXPECT_MEMEQ(&creds, &ROOT, sizeof(creds));
	EXPECT_EQ(accept_from(&bed, listener, &server), 0);
	EXPECT_EQ(file_flags(server), FILE_RDWR | FILE_NONBLOCK);
	unix_peercred(&bed.alice.ctx, server, &creds);
	EXPECT_MEMEQ(&creds, &CREDS_BOB, sizeof(creds));
	EXPECT_EQ(unix_getname(&bed.alice.ctx, server, false, &addr), 0);
	EXPECT_MEMEQ(addr.name, "/l", 2);
	EXPECT_EQ(unix_getname(&bed.alice.ctx, server, true, &addr), 0);
	EXPECT_EQ(addr.len, 0);
	unix_peercred(&bed.alice.ctx, listener, &creds);
	EXPECT_MEMEQ(&creds, &ROOT, sizeof(creds));
	/* The accepted socket is the acceptor's. */
	EXPECT_EQ(bed.alice.owner.count[CENSUS_SOCKET], 2);
	EXPECT_EQ(bed.bob.owner.count[CENSUS_SOCKET], 1);
	bed_put(&bed.bob, client);
	/* The name of a peer that has closed is still known. */
	EXPECT_EQ(unix_getname(&bed.alice.ctx, server, true, &addr), 0);
	bed_put(&bed.alice, server);
	bed_put(&bed.alice, listener);
	bed_close(&bed);
}

TEST(connect, receive_tells_the_name_of_a_bound_sender)
{
	struct file *listener, *client, *server = NULL;
	struct unix_addr addr = bed_addr("client", true);
	struct unix_msg msg = { .has_name = true };
	struct bed bed;
	struct uio uio;
	char c;

	bed_open(&bed);
	listener = listener_on(&bed, "/l", 5);
	client = bed_socket(&bed.bob, FILE_NONBLOCK);
	EXPECT_EQ(connect_to(&bed, client, "/l"), 0);
	EXPECT_EQ(accept_from(&bed, listener, &server), 0);
	msg.uio = &uio;
	EXPECT_EQ(bed_send(&bed.bob, client, "ab", 2, 0), 2);
	uio_init_one(&uio, uptr_from(&c), 1);
	EXPECT_EQ(unix_recvmsg(&bed.alice.ctx, bed.alice.table, server, &msg), 1);
	EXPECT(!msg.has_name);
	EXPECT_EQ(unix_bind(&bed.bob.ctx, client, &addr), 0);
	bed_put(&bed.bob, client);
	msg = (struct unix_msg){ .uio = &uio, .has_name = true };
	uio_init_one(&uio, uptr_from(&c), 1);
	EXPECT_EQ(unix_recvmsg(&bed.alice.ctx, bed.alice.table, server, &msg), 1);
	EXPECT(msg.has_name && msg.addr.abstract && msg.addr.len == 6);
	bed_put(&bed.alice, server);
	bed_put(&bed.alice, listener);
	bed_close(&bed);
}

TEST(connect, backlog_holds_one_more_than_it_says)
{
	struct file *listener, *clients[3], *server = NULL;
	struct bed bed;

	bed_open(&bed);
	listener = listener_on(&bed, "/l", 1);
	for (int i = 0; i < 3; i++)
		clients[i] = bed_socket(&bed.bob, FILE_NONBLOCK);
	EXPECT_EQ(accept_from(&bed, listener, &server), -EAGAIN);
	EXPECT_EQ(connect_to(&bed, clients[0], "/l"), 0);
	EXPECT_EQ(connect_to(&bed, clients[1], "/l"), 0);
	EXPECT_EQ(connect_to(&bed, clients[2], "/l"), -EAGAIN);
	EXPECT_EQ(connect_to(&bed, clients[0], "/l"), -EAGAIN);
	bed_check(&bed);
	EXPECT_EQ(accept_from(&bed, listener, &server), 0);
	bed_put(&bed.alice, server);
	EXPECT_EQ(connect_to(&bed, clients[0], "/l"), -EISCONN);
	EXPECT_EQ(connect_to(&bed, clients[2], "/l"), 0);
	/* Negative means the maximum. */
	EXPECT_EQ(unix_listen(&bed.alice.ctx, listener, -1, ROOT), 0);
	for (int i = 0; i < 3; i++)
		bed_put(&bed.bob, clients[i]);
	clients[0] = bed_socket(&bed.bob, FILE_NONBLOCK);
	EXPECT_EQ(connect_to(&bed, clients[0], "/l"), 0);
	bed_put(&bed.bob, clients[0]);
	bed_check(&bed);
	bed_put(&bed.alice, listener);
	bed_close(&bed);
}

/* Linux: the listener is looked for, and looked at, before the socket that connects. */
TEST(connect, wrong_states)
{
	struct unix_addr unnamed = { .len = 0 };
	struct file *listener, *file, *pair[2], *server = NULL;
	struct bed bed;

	bed_open(&bed);
	listener = listener_on(&bed, "/l", 5);
	bed_pair(&bed, pair);
	file = bed_socket(&bed.bob, FILE_NONBLOCK);
	EXPECT_EQ(unix_connect(&bed.bob.ctx, file, &unnamed, ROOT), -EINVAL);
	EXPECT_EQ(unix_listen(&bed.bob.ctx, file, 1, ROOT), -EINVAL);
	EXPECT_EQ(accept_from(&bed, file, &server), -EINVAL);
	EXPECT_EQ(connect_to(&bed, listener, "/l"), -EINVAL);
	EXPECT_EQ(connect_to(&bed, pair[0], "/nothing"), -ENOENT);
	EXPECT_EQ(connect_to(&bed, pair[0], "/l"), -EISCONN);
	EXPECT_EQ(unix_listen(&bed.alice.ctx, pair[0], 1, ROOT), -EINVAL);
	EXPECT_EQ(accept_from(&bed, pair[0], &server), -EINVAL);
	EXPECT_EQ(bed_send(&bed.alice, listener, "a", 1, 0), -ENOTCONN);
	EXPECT_EQ(unix_shutdown(&bed.alice.ctx, listener, SHUT_RD), 0);
	EXPECT_EQ(connect_to(&bed, file, "/l"), -ECONNREFUSED);
	EXPECT_EQ(accept_from(&bed, listener, &server), -EAGAIN);
	EXPECT_EQ(vfs_set_flags(&bed.alice.ctx, listener, 0), 0);
	EXPECT_EQ(accept_from(&bed, listener, &server), -EINVAL);
	bed_put(&bed.alice, pair[0]);
	bed_put(&bed.bob, pair[1]);
	bed_put(&bed.bob, file);
	bed_put(&bed.alice, listener);
	bed_close(&bed);
}

TEST(connect, data_and_end_reach_who_accepts_later)
{
	struct file *listener, *client, *server = NULL;
	struct bed bed;
	char text[4] = "";

	bed_open(&bed);
	listener = listener_on(&bed, "/l", 5);
	client = bed_socket(&bed.bob, FILE_NONBLOCK);
	EXPECT_EQ(connect_to(&bed, client, "/l"), 0);
	EXPECT_EQ(bed_send(&bed.bob, client, "hey", 3, 0), 3);
	bed_put(&bed.bob, client);
	EXPECT_EQ(accept_from(&bed, listener, &server), 0);
	EXPECT_EQ(bed_recv(&bed.alice, server, text, 4, 0), 3);
	EXPECT_STREQ(text, "hey");
	EXPECT_EQ(bed_recv(&bed.alice, server, text, 4, 0), 0);
	EXPECT_EQ(bed_send(&bed.alice, server, "x", 1, 0), -EPIPE);
	bed_put(&bed.alice, server);
	bed_put(&bed.alice, listener);
	bed_close(&bed);
}

TEST(connect, listener_that_closes_resets_who_waits)
{
	struct file *listener, *client;
	struct bed bed;
	char c;

	bed_open(&bed);
	listener = listener_on(&bed, "/l", 5);
	client = bed_socket(&bed.bob, FILE_NONBLOCK);
	EXPECT_EQ(connect_to(&bed, client, "/l"), 0);
	bed_put(&bed.alice, listener);
	EXPECT_EQ(bed_send(&bed.bob, client, "x", 1, 0), -EPIPE);
	EXPECT_EQ(bed_recv(&bed.bob, client, &c, 1, 0), -ECONNRESET);
	EXPECT_EQ(bed_recv(&bed.bob, client, &c, 1, 0), 0);
	bed_put(&bed.bob, client);
	bed_close(&bed);
}

TEST(connect, socket_shut_before_it_connects_stays_shut)
{
	struct file *listener, *client, *server = NULL;
	struct bed bed;
	char c;

	bed_open(&bed);
	listener = listener_on(&bed, "/l", 5);
	client = bed_socket(&bed.bob, FILE_NONBLOCK);
	EXPECT_EQ(unix_shutdown(&bed.bob.ctx, client, SHUT_RDWR), 0);
	EXPECT_EQ(connect_to(&bed, client, "/l"), 0);
	EXPECT_EQ(bed_send(&bed.bob, client, "x", 1, 0), -EPIPE);
	EXPECT_EQ(bed_recv(&bed.bob, client, &c, 1, 0), 0);
	EXPECT_EQ(accept_from(&bed, listener, &server), 0);
	EXPECT_EQ(bed_send(&bed.alice, server, "x", 1, 0), -EPIPE);
	bed_put(&bed.alice, server);
	bed_put(&bed.bob, client);
	bed_put(&bed.alice, listener);
	bed_close(&bed);
}
