// SPDX-License-Identifier: MIT
/*
 * Sockets: their life, their state, and what a file of one can be asked.
 *
 *	file --> unix_sock A <== peer ==> unix_sock B <-- file
 *	         inbox, taken             inbox, taken
 *
 * What A sends lies in B's queue, under B's lock; each of the two holds a reference of the other until its own file
 * goes. So a call that holds A's file may use B without asking, and finds out under B's lock whether B has closed.
 * The states only go forward: unconnected, then listening or connected. When a file goes its socket leaves the names,
 * tells its peer, and drops what is queued; files in there that lose their last reference are destroyed later, by the
 * loop that drains the caller's drop list, so a chain of sockets in flight needs no stack.
 *
 * A connection that nobody has accepted has no file; its listener's queue holds it.
 *
 * I1  connected means a peer (until release) and no pending connections
 * I2  a closed socket has nothing queued, nothing pending, no name, and both directions shut
 * I3  sock->charge is the sum over its queue (message.c I1)
 *
 * Locking: sock->lock for state and inbox, sock->read_lock around it for what readers have taken. shutdown and error
 * are atomic so that a sender need not lock itself; whoever shuts a sender's side goes through the lock of the queue
 * it may wait for (sock_wake_senders), so no wake-up is lost.
 * Linux: unix_create1, unix_release_sock, unix_shutdown, unix_getname in net/unix/af_unix.c. Not modelled: datagram
 * and packet sockets, socket options, the in-flight collector: a socket that is queued on itself lives until
 * unix_purge.
 */
#include "ipc/unix.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/util.h"
#include "ipc/socket.h"

#define TYPE_END 11 /* SOCK_MAX of Linux */

static void unix_release(struct ctx *ctx, struct file *file);

static int unix_describe(const struct file *file, char *text, size_t size)
{
	return snprintf(text, size, "socket:[%" PRIu64 "]", file->inode->ino);
}

const struct file_ops unix_file_ops = {
	.name = "socket",
	.read = stream_read,
	.write = stream_write,
	.release = unix_release,
	.describe = unix_describe,
};

/* Life. */

struct unix_sock *sock_create(struct ctx *ctx)
{
	struct unix_sock *sock = kmem_alloc(ctx, sizeof(*sock));

	if (sock == NULL)
		return NULL;
	ref_init(&sock->ref);
	origin_set(ctx, &sock->origin, CENSUS_SOCKET);
	mutex_init(&sock->lock, RANK_SOCKET);
	mutex_init(&sock->read_lock, RANK_SOCKET_READ);
	wait_queue_init(&sock->readable);
	wait_queue_init(&sock->room);
	STAILQ_INIT(&sock->inbox);
	STAILQ_INIT(&sock->taken);
	TAILQ_INIT(&sock->pending);
	sock->peer_creds = (struct unix_creds){ 0, UINT32_MAX, UINT32_MAX };
	names_add_socket(ctx, sock);
	return sock;
}

static void sock_destroy(struct ctx *ctx, struct drop *drop)
{
	struct unix_sock *sock = ref_container(drop, struct unix_sock);

	KSIM_ASSERT(ctx, STAILQ_EMPTY(&sock->inbox) && STAILQ_EMPTY(&sock->taken) && sock->npending == 0,
	            "unix I2: a closed socket has nothing queued", "charge %u, pending %u", sock->charge,
	            sock->npending);
	names_remove_socket(ctx, sock);
	if (sock->spare != NULL)
		kmem_free(ctx->env, sock->spare, sock->spare->size);
	origin_clear(&sock->origin);
	wait_queue_fini(&sock->readable);
	wait_queue_fini(&sock->room);
	mutex_fini(&sock->lock);
	mutex_fini(&sock->read_lock);
	kmem_free(ctx->env, sock, sizeof(*sock));
}

void sock_put(struct ctx *ctx, struct unix_sock *sock)
{
	ref_put(ctx, &sock->ref, sock_destroy);
}

int sock_file_create(struct ctx *ctx, struct unix_sock *sock, uint32_t flags, struct file **out)
{
	struct inode *inode;
	int err = inode_create(ctx, S_IFSOCK | 0777, "", NULL, &inode);

	if (err < 0)
		return err;
	err = file_create(ctx, &unix_file_ops, inode, FILE_RDWR | (flags & FILE_NONBLOCK), out);
	if (err < 0) {
		inode_put(ctx, inode);
		return err;
	}
	(*out)->priv = sock;
	return 0;
}

void sock_join(struct unix_sock *a, struct unix_sock *b)
{
	ref_get(&a->ref);
	ref_get(&b->ref);
	__atomic_store_n(&a->peer, b, __ATOMIC_RELEASE);
	__atomic_store_n(&b->peer, a, __ATOMIC_RELEASE);
	__atomic_store_n(&a->state, UNIX_CONNECTED, __ATOMIC_RELEASE);
	__atomic_store_n(&b->state, UNIX_CONNECTED, __ATOMIC_RELEASE);
}

void sock_lock_two(struct ctx *ctx, struct unix_sock *a, struct unix_sock *b)
{
	mutex_lock(ctx, (uintptr_t)a < (uintptr_t)b ? &a->lock : &b->lock);
	if (a != b)
		mutex_lock_as(ctx, (uintptr_t)a < (uintptr_t)b ? &b->lock : &a->lock, RANK_SOCKET_PEER);
}

void sock_unlock_two(struct ctx *ctx, struct unix_sock *a, struct unix_sock *b)
{
	if (a != b)
		mutex_unlock_as(ctx, (uintptr_t)a < (uintptr_t)b ? &b->lock : &a->lock, RANK_SOCKET_PEER);
	mutex_unlock(ctx, (uintptr_t)a < (uintptr_t)b ? &a->lock : &b->lock);
}

void sock_wake_senders(struct ctx *ctx, struct unix_sock *sock)
{
	/* Who looked before the change has armed before we hold the lock; who looks later sees it. */
	mutex_lock(ctx, &sock->lock);
	wait_wake_all(ctx, &sock->room);
	mutex_unlock(ctx, &sock->lock);
}

/* Both directions of a socket end, as its peer closes. */
static void sock_hang_up(struct ctx *ctx, struct unix_sock *sock, bool reset)
{
	mutex_lock(ctx, &sock->lock);
	__atomic_store_n(&sock->shutdown, UNIX_SHUT_BOTH, __ATOMIC_RELAXED);
	if (reset)
		__atomic_store_n(&sock->error, ECONNRESET, __ATOMIC_RELAXED);
	wait_wake_all(ctx, &sock->readable);
	wait_wake_all(ctx, &sock->room);
	mutex_unlock(ctx, &sock->lock);
}

/* The socket ends: its file has gone, or (reset) the listener that it waited in has. Puts the caller's reference. */
static void sock_close(struct ctx *ctx, struct unix_sock *sock, bool reset)
{
	struct message_list messages;
	struct unix_sock *peer, *embryo;

	names_forget(ctx, sock);
	mutex_lock(ctx, &sock->lock);
	sock->closed = true;
	__atomic_store_n(&sock->shutdown, UNIX_SHUT_BOTH, __ATOMIC_RELAXED);
	peer = sock->peer;
	__atomic_store_n(&sock->peer, NULL, __ATOMIC_RELAXED);
	mutex_unlock(ctx, &sock->lock);

	/* Nobody sends any more, connects any more, or has our file: the queues are ours. */
	message_list_detach(ctx, sock, &messages);
	if (peer != NULL)
		sock_hang_up(ctx, peer, reset || !STAILQ_EMPTY(&messages));
	sock_wake_senders(ctx, sock);
	message_list_destroy(ctx, sock, &messages);
	while ((embryo = TAILQ_FIRST(&sock->pending)) != NULL) {
		TAILQ_REMOVE(&sock->pending, embryo, pending_link);
		sock->npending--;
		sock_close(ctx, embryo, true);
	}
	if (peer != NULL)
		sock_put(ctx, peer);
	sock_put(ctx, sock);
}

static void unix_release(struct ctx *ctx, struct file *file)
{
	/* None: an accept that came to nothing. */
	if (file->priv != NULL)
		sock_close(ctx, file->priv, false);
}

/* Calls. */

static int check_type(int type, int protocol)
{
	if (type < 0 || type >= TYPE_END)
		return -EINVAL;
	if (protocol != 0 && protocol != AF_UNIX)
		return -EPROTONOSUPPORT;
	return type == SOCK_STREAM ? 0 : -ESOCKTNOSUPPORT;
}

static int create_with_file(struct ctx *ctx, uint32_t flags, struct file **out)
{
	struct unix_sock *sock = sock_create(ctx);
	int err;

	if (sock == NULL)
		return -ENOMEM;
	err = sock_file_create(ctx, sock, flags, out);
	if (err < 0)
		sock_put(ctx, sock);
	return err;
}

int unix_socket(struct ctx *ctx, int type, int protocol, uint32_t flags, struct file **out)
{
	int err = check_type(type, protocol);

	return err < 0 ? err : create_with_file(ctx, flags, out);
}

int unix_socketpair(struct ctx *ctx, int type, int protocol, uint32_t flags, struct unix_creds creds,
                    struct file *out[2])
{
	int err = check_type(type, protocol);

	if (err < 0)
		return err;
	err = create_with_file(ctx, flags, &out[0]);
	if (err < 0)
		return err;
	err = create_with_file(ctx, flags, &out[1]);
	if (err < 0) {
		file_put(ctx, out[0]);
		return err;
	}
	unix_sock(out[0])->peer_creds = creds;
	unix_sock(out[1])->peer_creds = creds;
	sock_lock_two(ctx, unix_sock(out[0]), unix_sock(out[1]));
	sock_join(unix_sock(out[0]), unix_sock(out[1]));
	sock_unlock_two(ctx, unix_sock(out[0]), unix_sock(out[1]));
	return 0;
}

bool unix_is_socket(const struct file *file)
{
	return file->ops == &unix_file_ops;
}

bool unix_is_listening(const struct file *file)
{
	return sock_state(unix_sock(file)) == UNIX_LISTENING;
}

int unix_take_error(const struct file *file)
{
	return sock_take_error(unix_sock(file));
}

static void shut(struct ctx *ctx, struct unix_sock *sock, uint8_t what)
{
	mutex_lock(ctx, &sock->lock);
	__atomic_store_n(&sock->shutdown, sock->shutdown | what, __ATOMIC_RELAXED);
	wait_wake_all(ctx, &sock->readable);
	mutex_unlock(ctx, &sock->lock);
}

int unix_shutdown(struct ctx *ctx, struct file *file, int how)
{
	struct unix_sock *sock = unix_sock(file);
	struct unix_sock *peer;
	uint8_t what;

	if (how < SHUT_RD || how > SHUT_RDWR)
		return -EINVAL;
	what = (uint8_t)(how + 1);
	shut(ctx, sock, what);
	peer = sock_peer(sock);
	if (peer != NULL) {
		shut(ctx, peer,
		     (what & UNIX_SHUT_RECEIVE ? UNIX_SHUT_SEND : 0) | (what & UNIX_SHUT_SEND ? UNIX_SHUT_RECEIVE : 0));
		sock_wake_senders(ctx, peer);
	}
	sock_wake_senders(ctx, sock);
	return 0;
}

int unix_getname(struct ctx *ctx, struct file *file, bool peer, struct unix_addr *out)
{
	struct unix_sock *sock = peer ? sock_peer(unix_sock(file)) : unix_sock(file);

	if (sock == NULL)
		return -ENOTCONN;
	mutex_lock(ctx, &sock->lock);
	*out = sock->bound ? sock->addr : (struct unix_addr){ 0 };
	mutex_unlock(ctx, &sock->lock);
	return 0;
}

int unix_peercred(struct ctx *ctx, struct file *file, struct unix_creds *out)
{
	struct unix_sock *sock = unix_sock(file);

	mutex_lock(ctx, &sock->lock);
	*out = sock->peer_creds;
	mutex_unlock(ctx, &sock->lock);
	return 0;
}

/* Reports, checks, the end. */

static void report_list(const struct message_list *list, void (*fn)(void *, const struct unix_queued *), void *arg)
{
	const struct message *message;

	STAILQ_FOREACH(message, list, link) {
		struct unix_queued queued = {
			.owner = message->origin.owner,
			.call = message->origin.call,
			.epoch = message->origin.epoch,
			.number = message->number,
			.bytes = message->end - message->begin,
			.nfiles = message->nfiles,
			.files = message->files,
		};

		fn(arg, &queued);
	}
}

static void report_queued(struct ctx *ctx, struct unix_sock *sock, void (*fn)(void *, const struct unix_queued *),
                          void *arg)
{
	mutex_lock(ctx, &sock->read_lock);
	mutex_lock(ctx, &sock->lock);
	report_list(&sock->taken, fn, arg);
	report_list(&sock->inbox, fn, arg);
	mutex_unlock(ctx, &sock->lock);
	mutex_unlock(ctx, &sock->read_lock);
}

void unix_for_each_queued(struct ctx *ctx, struct file *file, void (*fn)(void *arg, const struct unix_queued *),
                          void *arg)
{
	struct unix_sock *sock = NULL;

	if (file != NULL)
		report_queued(ctx, unix_sock(file), fn, arg);
	else
		while ((sock = names_next_socket(ctx, sock)) != NULL)
			report_queued(ctx, sock, fn, arg);
}

void unix_ends(const struct file *file, const void **end, const void **peer)
{
	*end = unix_sock(file);
	*peer = sock_peer(unix_sock(file));
}

static uint32_t check_list(const struct message_list *list, struct check_report *report)
{
	const struct message *message;
	uint32_t charge = 0;

	STAILQ_FOREACH(message, list, link) {
		CHECK_THAT(report, message->begin < message->end, "message I2: a queued message has a byte to give",
		           "begin %u, end %u", message->begin, message->end);
		charge += message->charge;
	}
	return charge;
}

static void check_pending(struct unix_sock *sock, struct check_report *report)
{
	struct unix_sock *embryo;
	uint32_t n = 0;

	TAILQ_FOREACH(embryo, &sock->pending, pending_link)
		n++;
	CHECK_THAT(report, n == sock->npending, "connect I1: npending counts the pending connections", "%u, counted %u",
	           sock->npending, n);
	CHECK_THAT(report, n == 0 || sock_state(sock) == UNIX_LISTENING, "connect I1: only a listener has some",
	           "%u in state %u", n, sock_state(sock));
}

static void check_sock(struct ctx *ctx, struct unix_sock *sock, struct check_report *report)
{
	uint32_t charge;

	mutex_lock(ctx, &sock->read_lock);
	mutex_lock(ctx, &sock->lock);
	charge = check_list(&sock->taken, report) + check_list(&sock->inbox, report);
	CHECK_THAT(report, charge == __atomic_load_n(&sock->charge, __ATOMIC_RELAXED),
	           "unix I3: the charge is the sum over the queue", "%u, counted %u", sock->charge, charge);
	check_pending(sock, report);
	CHECK_THAT(report, sock->closed || sock_state(sock) != UNIX_CONNECTED || sock_peer(sock) != NULL,
	           "unix I1: connected means a peer", "closed %d", sock->closed);
	CHECK_THAT(report, !sock->closed || (charge == 0 && sock->npending == 0 && sock->shutdown == UNIX_SHUT_BOTH),
	           "unix I2: a closed socket has nothing", "charge %u, pending %u, shutdown %u", charge, sock->npending,
	           sock->shutdown);
	mutex_unlock(ctx, &sock->lock);
	mutex_unlock(ctx, &sock->read_lock);
}

void unix_check(struct ctx *ctx, struct file *file, struct check_report *report)
{
	struct unix_sock *sock = NULL;

	if (file != NULL)
		check_sock(ctx, unix_sock(file), report);
	else
		while ((sock = names_next_socket(ctx, sock)) != NULL)
			check_sock(ctx, sock, report);
}

void unix_purge(struct ctx *ctx)
{
	struct message_list messages;
	struct unix_sock *sock = NULL;

	while ((sock = names_next_socket(ctx, sock)) != NULL) {
		message_list_detach(ctx, sock, &messages);
		message_list_destroy(ctx, sock, &messages);
		ctx_drain(ctx);
	}
	ctx_drain(ctx);
}
