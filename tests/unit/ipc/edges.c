// SPDX-License-Identifier: MIT
/*
 * Names and connections where it is close: equal hashes, a listener that closes under a caller, tables that cannot
 * grow, credentials that are somebody else's.
 */
#include <pthread.h>
#include <stdio.h>

#include "bed.h"
#include "ipc/socket.h"

static int bind_to(struct actor *actor, struct file *file, const char *name, bool abstract)
{
	struct unix_addr addr = bed_addr(name, abstract);

	return unix_bind(&actor->ctx, file, &addr);
}

static int connect_to(struct actor *actor, struct file *file, const char *name, bool abstract)
{
	struct unix_addr addr = bed_addr(name, abstract);

	return unix_connect(&actor->ctx, file, &addr, CREDS_BOB);
}

/* The names of each pair have one FNV-1a hash, so they are in one bucket and differ only by what is compared then. */
TEST(names, names_with_equal_hashes_are_told_apart)
{
	static const char *const pairs[][2] = {
		{ "esdhvgs", "gcacrafi" },  /* the length */
		{ "usowlbdp", "ctksieez" }, /* the bytes */
	};
	struct unix_addr got;
	struct bed bed;

	bed_open(&bed);
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		struct file *client = bed_socket(&bed.bob, 0), *sock[2];

		for (int k = 0; k < 2; k++) {
			sock[k] = bed_socket(&bed.alice, 0);
			EXPECT_EQ(bind_to(&bed.alice, sock[k], pairs[i][k], true), 0);
		}
		SETUP(unix_sock(sock[0])->name != NULL && unix_sock(sock[1])->name != NULL);
		EXPECT_EQ(unix_listen(&bed.alice.ctx, sock[0], 1, ROOT), 0);
		EXPECT_EQ(connect_to(&bed.bob, client, pairs[i][1], true), -ECONNREFUSED);
		EXPECT_EQ(connect_to(&bed.bob, client, pairs[i][0], true), 0);
		EXPECT_EQ(unix_getname(&bed.bob.ctx, client, true, &got), 0);
		EXPECT(got.abstract);
		EXPECT_EQ(got.len, strlen(pairs[i][0]));
		EXPECT_MEMEQ(got.name, pairs[i][0], got.len);
		bed_put(&bed.bob, client);
		bed_put(&bed.alice, sock[0]);
		bed_put(&bed.alice, sock[1]);
	}
	bed_close(&bed);
}

/* A table that cannot grow gets longer chains; nobody needs to know. */
TEST(names, bind_works_while_the_table_cannot_grow)
{
	enum { NAMES = 200 };
	struct file *sock[NAMES], *client;
	unsigned nfailed = 0;
	struct bed bed;
	char name[16];

	bed_open(&bed);
	for (int i = 0; i < NAMES; i++) {
		sock[i] = bed_socket(&bed.alice, 0);
		snprintf(name, sizeof(name), "n%d", i);
		bed_fail_after(&bed, FAIL_KMEM, 1); /* the name itself is made, the next allocation is the table's */
		EXPECT_EQ(bind_to(&bed.alice, sock[i], name, true), 0);
		nfailed += bed_fail_stop(&bed);
	}
	EXPECT(nfailed > 0);
	for (int i = 0; i < NAMES; i++) {
		SETUP(unix_listen(&bed.alice.ctx, sock[i], 1, ROOT) == 0);
		snprintf(name, sizeof(name), "n%d", i);
		client = bed_socket(&bed.bob, 0);
		EXPECT_EQ(connect_to(&bed.bob, client, name, true), 0);
		bed_put(&bed.bob, client);
	}
	for (int i = 0; i < NAMES; i++)
		bed_put(&bed.alice, sock[i]);
	bed_close(&bed);
}

TEST(names, addresses_that_are_too_long_fail_EINVAL)
{
	struct unix_addr addr = { .len = sizeof(addr.name) };
	struct file *sock;
	struct bed bed;

	bed_open(&bed);
	sock = bed_socket(&bed.alice, 0);
	memset(addr.name, 'x', sizeof(addr.name));
	EXPECT_EQ(unix_connect(&bed.alice.ctx, sock, &addr, ROOT), -ENOENT);
	addr.abstract = true;
	EXPECT_EQ(unix_connect(&bed.alice.ctx, sock, &addr, ROOT), -EINVAL);
	EXPECT_EQ(unix_bind(&bed.alice.ctx, sock, &addr), -EINVAL);
	addr.len++;
	addr.abstract = false;
	EXPECT_EQ(unix_connect(&bed.alice.ctx, sock, &addr, ROOT), -EINVAL);
	EXPECT_EQ(unix_bind(&bed.alice.ctx, sock, &addr), -EINVAL);
	bed_put(&bed.alice, sock);
	bed_close(&bed);
}

/* unix(7): an abstract address is as long as the caller says, also when that is nothing behind its NUL. */
TEST(names, empty_abstract_name_is_a_name)
{
	struct unix_addr empty = { .abstract = true };
	struct file *server, *client;
	struct bed bed;

	bed_open(&bed);
	server = bed_socket(&bed.alice, 0);
	client = bed_socket(&bed.bob, 0);
	EXPECT_EQ(unix_connect(&bed.bob.ctx, client, &empty, CREDS_BOB), -ECONNREFUSED);
	EXPECT_EQ(unix_bind(&bed.alice.ctx, server, &empty), 0);
	EXPECT_EQ(unix_listen(&bed.alice.ctx, server, 1, ROOT), 0);
	EXPECT_EQ(unix_connect(&bed.bob.ctx, client, &empty, CREDS_BOB), 0);
	bed_put(&bed.alice, server);
	bed_put(&bed.bob, client);
	bed_close(&bed);
}

TEST(names, destroy_without_a_table_is_legal)
{
	struct bed bed;
	struct names *names;

	bed_open(&bed);
	names = bed.env.names;
	bed.env.names = NULL;
	names_destroy(&bed.env);
	EXPECT_EQ(kmem_count(&bed.env), bed.kmem_count);
	bed.env.names = names;
	bed_close(&bed);
}

struct connecting {
	struct bed *bed;
	struct file *client;
	int result;
};

static void *connect_thread(void *arg)
{
	struct connecting *c = arg;

	c->result = connect_to(&c->bed->bob, c->client, "closing", true);
	return NULL;
}

/*
 * The caller has found the listener, which closes before the caller has its lock. It looks again, and finds what is
 * there by then: nobody.
 */
TEST(connect, listener_that_closes_between_finding_and_connecting_refuses)
{
	struct connecting c;
	struct file *listener;
	struct unix_sock *sock;
	struct bed bed;
	pthread_t thread;
	uint32_t refs;

	bed_open(&bed);
	listener = bed_socket(&bed.alice, 0);
	sock = unix_sock(listener);
	SETUP(bind_to(&bed.alice, listener, "closing", true) == 0);
	SETUP(unix_listen(&bed.alice.ctx, listener, 1, ROOT) == 0);
	c = (struct connecting){ &bed, bed_socket(&bed.bob, 0), 0 };
	mutex_lock(&bed.alice.ctx, &sock->lock);
	refs = ref_count(&sock->ref);
	SETUP(pthread_create(&thread, NULL, connect_thread, &c) == 0);
	while (ref_count(&sock->ref) == refs)
		sched_yield();
	sock->closed = true;
	mutex_unlock(&bed.alice.ctx, &sock->lock);
	names_forget(&bed.alice.ctx, sock);
	SETUP(pthread_join(thread, NULL) == 0);
	EXPECT_EQ(c.result, -ECONNREFUSED);
	EXPECT_EQ(sock->npending, 0);
	sock->closed = false;
	bed_put(&bed.alice, listener);
	bed_put(&bed.bob, c.client);
	bed_close(&bed);
}

/* credentials(7), unix(7): a process without privileges sends its own, and nobody else's user or group. */
TEST(scm, credentials_of_another_user_or_group_fail_EPERM)
{
	static const struct unix_creds own = { 1, 0, 0 };
	static const struct {
		struct unix_creds sent;
		int expected;
	} cases[] = {
		{ { 1, 0, 0 }, 1 },
		{ { 1, 7, 0 }, -EPERM },
		{ { 1, 0, 7 }, -EPERM },
		{ { 2, 0, 0 }, -EPERM },
	};
	struct file *pair[2];
	struct bed bed;

	bed_open(&bed);
	bed_pair(&bed, pair);
	SETUP(bed.alice.owner.id == own.pid);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct control control = { .len = 0 };

		control_add(&control, SCM_CREDENTIALS, &cases[i].sent, sizeof(cases[i].sent));
		EXPECT_EQ(bed_send_control(&bed.alice, pair[0], "x", 1, &control), cases[i].expected);
	}
	bed_put(&bed.alice, pair[0]);
	bed_put(&bed.alice, pair[1]);
	bed_close(&bed);
}

/* A control part that needs memory of its own: two headers, the second of which is another protocol's. */
TEST(scm, control_part_without_memory_fails_ENOBUFS)
{
	struct control control = { .len = 0 };
	const uint8_t other[1100] = { 0 };
	struct file *pair[2], *carried;
	struct bed bed;
	int fd;

	bed_open(&bed);
	bed_pair(&bed, pair);
	carried = bed_socket(&bed.alice, 0);
	fd = bed_fd(&bed.alice, carried);
	control_add(&control, SCM_RIGHTS, &fd, sizeof(fd));
	control_add(&control, 1, other, sizeof(other));
	((struct cmsghdr *)(void *)(control.bytes + CMSG_SPACE(sizeof(fd))))->cmsg_level = 0;
	bed_fail_after(&bed, FAIL_KMEM, 0);
	EXPECT_EQ(bed_send_control(&bed.alice, pair[0], "x", 1, &control), -ENOBUFS);
	EXPECT(bed_fail_stop(&bed));
	EXPECT_EQ(bed_total(&bed, CENSUS_MESSAGE), 0);
	EXPECT_EQ(bed_send_control(&bed.alice, pair[0], "x", 1, &control), 1);
	EXPECT_EQ(fd_close(&bed.alice.ctx, bed.alice.table, fd), 0);
	bed_put(&bed.alice, carried);
	bed_put(&bed.alice, pair[0]);
	bed_put(&bed.alice, pair[1]);
	bed_close(&bed);
}

/* Who has no table to put descriptors into loses them, and is told. */
TEST(scm, descriptors_for_a_receiver_without_table_are_closed_and_told_as_MSG_CTRUNC)
{
	struct file *pair[2], *carried[2];
	uint8_t control[64] = { 0 };
	struct bed bed;
	struct uio uio;
	char byte;
	struct unix_msg msg = { .uio = &uio, .control = uptr_from(control), .control_len = sizeof(control) };

	bed_open(&bed);
	bed_pair(&bed, pair);
	bed_pair(&bed, carried);
	EXPECT_EQ(bed_send_away(&bed.alice, pair[0], carried[0]), 1);
	uio_init_one(&uio, uptr_from(&byte), 1);
	EXPECT_EQ(unix_recvmsg(&bed.bob.ctx, NULL, pair[1], &msg), 1);
	EXPECT_EQ(msg.flags & MSG_CTRUNC, MSG_CTRUNC);
	EXPECT_EQ(msg.control_len, 0);
	bed_drain(&bed);
	EXPECT_EQ(bed_recv(&bed.bob, carried[1], &byte, 1, 0), 0);
	bed_put(&bed.alice, pair[0]);
	bed_put(&bed.bob, pair[1]);
	bed_put(&bed.bob, carried[1]);
	bed_close(&bed);
}

/* recv(2): EFAULT; what could not be copied is still there. */
TEST(stream, peek_into_a_bad_buffer_fails_EFAULT_and_takes_nothing)
{
	struct file *pair[2];
	struct bed bed;
	struct uio uio;
	struct unix_msg msg = { .uio = &uio, .flags = MSG_PEEK };
	char bytes[4];

	bed_open(&bed);
	bed_pair(&bed, pair);
	EXPECT_EQ(bed_send(&bed.alice, pair[0], "ab", 2, 0), 2);
	uio_init_one(&uio, uptr_user(USER_BASE + USER_BYTES), 2);
	EXPECT_EQ(unix_recvmsg(&bed.bob.ctx, bed.bob.table, pair[1], &msg), -EFAULT);
	EXPECT_EQ(bed_recv(&bed.bob, pair[1], bytes, 4, 0), 2);
	EXPECT_MEMEQ(bytes, "ab", 2);
	bed_put(&bed.alice, pair[0]);
	bed_put(&bed.bob, pair[1]);
	bed_close(&bed);
}

/* listen(2), EINVAL: the socket is connected. */
TEST(connect, listen_on_a_connected_socket_fails_EINVAL)
{
	struct file *server, *client;
	struct bed bed;

	bed_open(&bed);
	server = bed_socket(&bed.alice, 0);
	client = bed_socket(&bed.bob, 0);
	SETUP(bind_to(&bed.alice, server, "s", true) == 0 && bind_to(&bed.bob, client, "c", true) == 0);
	SETUP(unix_listen(&bed.alice.ctx, server, 1, ROOT) == 0);
	SETUP(connect_to(&bed.bob, client, "s", true) == 0);
	EXPECT_EQ(unix_listen(&bed.bob.ctx, client, 1, CREDS_BOB), -EINVAL);
	EXPECT(!unix_is_listening(client));
	bed_put(&bed.alice, server);
	bed_put(&bed.bob, client);
	bed_close(&bed);
}
