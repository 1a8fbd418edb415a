// SPDX-License-Identifier: MIT
/*
 * How two sockets become peers: listen, connect, accept.
 *
 *	client ---connect---> listener.pending: [ embryo, embryo ... ] ---accept---> file of the embryo
 *	   '------ peer ------------------------^
 *
 * The other end of a connection is made by connect, not by accept: the client may send, receive and see its peer's
 * name at once, and what it sends waits in the embryo. accept only takes the oldest embryo and gives it a file. A
 * listener that closes takes its embryos with it, and their clients see ECONNRESET.
 *
 * As on Linux, backlog + 1 connections may be pending; with more, connect waits for accept, or is -EAGAIN.
 *
 * I1  only a listener has pending connections; npending counts them
 * I2  a connected socket has had a peer from the moment it became connected
 *
 * Locking: connect takes the listener's and the client's lock, in the order of their addresses; nothing else takes two.
 * Linux: unix_listen, unix_stream_connect, unix_accept in net/unix/af_unix.c.
 */
#include "ipc/socket.h"

#include <errno.h>

/* net.core.somaxconn */
#define BACKLOG_MAX 4096u

int unix_listen(struct ctx *ctx, struct file *file, int backlog, struct unix_creds creds)
{
	struct unix_sock *sock = unix_sock(file);
	int err = -EINVAL;

	mutex_lock(ctx, &sock->lock);
	if (sock->bound && sock->state != UNIX_CONNECTED) {
		sock->backlog = (unsigned)backlog > BACKLOG_MAX ? BACKLOG_MAX : (unsigned)backlog;
		sock->peer_creds = creds;
		__atomic_store_n(&sock->state, UNIX_LISTENING, __ATOMIC_RELEASE);
		err = 0;
	}
	mutex_unlock(ctx, &sock->lock);
	if (err == 0)
		wait_wake_all(ctx, &sock->room);
	return err;
}

/* The way is open. Both sockets are locked, the embryo is unreachable. */
static void connect_to(struct unix_sock *listener, struct unix_sock *sock, struct unix_sock *embryo,
                       struct unix_creds creds)
{
	embryo->bound = listener->bound;
	embryo->addr = listener->addr;
	embryo->peer_creds = creds;
	sock->peer_creds = listener->peer_creds;
	sock_join(sock, embryo);
	TAILQ_INSERT_TAIL(&listener->pending, embryo, pending_link);
	listener->npending++;
}

/**
 * One try, both sockets locked. 0; an errno; -EAGAIN when the backlog is full, the entry then armed unless the caller
 * does not want to wait.
 */
static int try_connect(struct ctx *ctx, struct unix_sock *listener, struct unix_sock *sock, struct unix_sock *embryo,
                       struct unix_creds creds, struct wait_entry *entry)
{
	if (listener->state != UNIX_LISTENING || listener->shutdown & UNIX_SHUT_RECEIVE)
		return -ECONNREFUSED;
	if (listener->npending > listener->backlog) {
		if (entry != NULL)
			wait_arm(ctx, &listener->room, entry, WAIT_ALL);
		return -EAGAIN;
	}
	if (sock->state != UNIX_UNCONNECTED)
		return sock->state == UNIX_CONNECTED ? -EISCONN : -EINVAL;
	connect_to(listener, sock, embryo, creds);
	return 0;
}

/* Find the listener and connect; *again: it has closed meanwhile, or room has been waited for. */
static int connect_once(struct ctx *ctx, struct unix_sock *sock, const struct unix_addr *addr, struct unix_creds creds,
                        struct unix_sock *embryo, bool block, bool *again)
{
	struct wait_entry entry;
	struct unix_sock *listener;
	bool closed;
	int err = names_find(ctx, addr, &listener);

	*again = false;
	if (err < 0)
		return err;
	sock_lock_two(ctx, listener, sock);
	closed = listener->closed;
	if (!closed)
		err = try_connect(ctx, listener, sock, embryo, creds, block ? &entry : NULL);
	sock_unlock_two(ctx, listener, sock);
	if (closed) {
		*again = true;
	} else if (err == 0) {
		wait_wake_all(ctx, &listener->readable);
	} else if (err == -EAGAIN && block) {
		err = wait_sleep(ctx, &entry, 1, WAIT_FOREVER, "room in the backlog of a unix socket");
		*again = err == 0;
	}
	sock_put(ctx, listener);
	return err;
}

int unix_connect(struct ctx *ctx, struct file *file, const struct unix_addr *addr, struct unix_creds creds)
{
	struct unix_sock *sock = unix_sock(file);
	struct unix_sock *embryo;
	bool again;
	int err;

	if ((addr->len == 0 && !addr->abstract) || addr->len > sizeof(addr->name) - addr->abstract)
		return -EINVAL;
	embryo = sock_create(ctx);
	if (embryo == NULL)
		return -ENOMEM;
	do {
		err = connect_once(ctx, sock, addr, creds, embryo, !unix_nonblocking(file), &again);
	} while (again);
	if (err < 0)
		sock_put(ctx, embryo);
	return err;
}

/* The oldest pending connection, with its reference; or NULL, and *err, 0 after a wait. */
static struct unix_sock *next_pending(struct ctx *ctx, struct unix_sock *sock, bool block, int *err)
{
	struct unix_sock *embryo;
	struct wait_entry entry;

	*err = 0;
	mutex_lock(ctx, &sock->lock);
	embryo = TAILQ_FIRST(&sock->pending);
	if (embryo != NULL) {
		TAILQ_REMOVE(&sock->pending, embryo, pending_link);
		sock->npending--;
	} else if (!block) {
		*err = -EAGAIN;
	} else if (sock->shutdown & UNIX_SHUT_RECEIVE) {
		*err = -EINVAL;
	} else {
		wait_arm(ctx, &sock->readable, &entry, WAIT_ALL);
	}
	mutex_unlock(ctx, &sock->lock);
	if (embryo != NULL)
		wait_wake_all(ctx, &sock->room);
	else if (*err == 0)
		*err = wait_sleep(ctx, &entry, 1, WAIT_FOREVER, "a connection to a unix socket");
	return embryo;
}

int unix_accept(struct ctx *ctx, struct file *file, uint32_t flags, struct file **out)
{
	struct unix_sock *sock = unix_sock(file);
	struct unix_sock *embryo;
	struct file *accepted;
	int err;

	if (sock_state(sock) != UNIX_LISTENING)
		return -EINVAL;
	/* What can fail comes first: a connection that was taken is not put back. */
	err = sock_file_create(ctx, NULL, flags, &accepted);
	if (err < 0)
		return err;
	do {
		embryo = next_pending(ctx, sock, !unix_nonblocking(file), &err);
	} while (embryo == NULL && err == 0);
	if (embryo == NULL) {
		file_put(ctx, accepted);
		return err;
	}
	origin_clear(&embryo->origin);
	origin_set(ctx, &embryo->origin, CENSUS_SOCKET);
	accepted->priv = embryo;
	*out = accepted;
	return 0;
}
