// SPDX-License-Identifier: MIT
/*
 * Bytes and files through a connected pair.
 *
 *	sender: copy, no lock       B's lock        B's lock       B's read_lock
 *	user memory --> message --> B.inbox ------> B.taken -----> user memory, scm
 *
 * A sender cuts its bytes into pieces, fills each message before it takes any lock, and appends it under the
 * receiver's. Readers of one socket take turns by its read_lock, under which they copy to user memory. When a reader
 * has used up what it took, it takes the whole inbox under the lock: so a byte costs two lock pairs here, and one
 * there.
 *
 * A message with files is a barrier: a reader takes them with its first byte, even if it asked for no bytes, and
 * stops after it. A copy that fails leaves its message where it was, so the call can be made again.
 *
 * What is queued is charged to the receiving socket, `charge`, atomic. A sender waits while it is at the limit, and is
 * woken when a reader brings it down across a quarter of that, which a reader sees from the value before and after:
 * the crossing comes after the sender looked under the lock, and the reader takes that lock before it wakes.
 *
 * I1  all of taken is older than all of inbox
 * I2  files of a message are in exactly one of: the message, a reader's scm
 *
 * Locking: read_lock, then lock. No user memory is touched under lock, no table under either.
 * Linux: unix_stream_sendmsg, unix_stream_read_generic in net/unix/af_unix.c. Not modelled: urgent data, SO_RCVLOWAT,
 * SO_PEEK_OFF, SO_SNDBUF other than the default; SIGPIPE is the caller's.
 */
#include "ipc/socket.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>

#include "base/util.h"

/* Sending. */

/* Whether a piece may be queued: 1; 0 the queue is full; an errno. */
static int may_send(struct unix_sock *sock, const struct unix_sock *peer)
{
	int err = sock_take_error(sock);

	if (err < 0)
		return err;
	if (sock_shutdown(sock) & UNIX_SHUT_SEND)
		return -EPIPE;
	return __atomic_load_n(&peer->charge, __ATOMIC_RELAXED) < SEND_BUFFER_BYTES;
}

/* 0 when a piece may be queued, or an errno. */
static int wait_for_room(struct ctx *ctx, struct unix_sock *sock, struct unix_sock *peer, bool block)
{
	struct wait_entry entry;
	int may = may_send(sock, peer);

	while (may == 0) {
		if (!block)
			return -EAGAIN;
		mutex_lock(ctx, &peer->lock);
		may = may_send(sock, peer);
		if (may == 0)
			wait_arm(ctx, &peer->room, &entry, WAIT_ALL);
		mutex_unlock(ctx, &peer->lock);
		if (may == 0) {
			int err = wait_sleep(ctx, &entry, 1, WAIT_FOREVER, "room on a unix socket");

			if (err < 0)
				return err;
			may = may_send(sock, peer);
		}
	}
	return may < 0 ? may : 0;
}

/* 0 or -EPIPE. */
static int enqueue(struct ctx *ctx, struct unix_sock *peer, struct message *message)
{
	int err = -EPIPE;

	mutex_lock(ctx, &peer->lock);
	if (!(peer->shutdown & UNIX_SHUT_RECEIVE)) {
		STAILQ_INSERT_TAIL(&peer->inbox, message, link);
		__atomic_fetch_add(&peer->charge, message->charge, __ATOMIC_RELAXED);
		err = 0;
	}
	mutex_unlock(ctx, &peer->lock);
	return err;
}

/* One piece, with all files of scm. 0 or an errno; the files are gone either way once a message was made for them. */
static int send_piece(struct ctx *ctx, struct unix_sock *sock, struct unix_sock *peer, struct uio *uio, uint32_t nbytes,
                      struct scm *scm, bool block)
{
	struct message *message;
	int err = wait_for_room(ctx, sock, peer, block);

	if (err < 0)
		return err;
	message = message_create(ctx, peer, nbytes, scm->nfiles);
	if (message == NULL)
		return -ENOBUFS;
	for (; message->nfiles < scm->nfiles; message->nfiles++)
		message->files[message->nfiles] = scm->files[message->nfiles];
	scm->nfiles = 0;
	if (uio_copy_from(ctx, uio, message->bytes, nbytes) < nbytes)
		err = -EFAULT;
	else
		err = enqueue(ctx, peer, message);
	if (err < 0)
		message_destroy(ctx, peer, message);
	else
		wait_wake_all(ctx, &peer->readable);
	return err;
}

static ssize_t stream_send(struct ctx *ctx, struct unix_sock *sock, struct uio *uio, struct scm *scm, bool block)
{
	struct unix_sock *peer = sock_peer(sock);
	size_t sent = 0;

	if (peer == NULL)
		return -ENOTCONN;
	if (sock_shutdown(sock) & UNIX_SHUT_SEND)
		return -EPIPE;
	while (uio->resid > 0) {
		uint32_t nbytes = (uint32_t)MIN(uio->resid, MESSAGE_BYTES_MAX);
		int err = send_piece(ctx, sock, peer, uio, nbytes, scm, block);

		if (err < 0)
			return sent > 0 ? (ssize_t)sent : err;
		sent += nbytes;
	}
	return (ssize_t)sent;
}

/* The signal that comes with this error, unless the call wants none. */
static ssize_t with_sigpipe(struct ctx *ctx, ssize_t result, bool wanted)
{
	if (unlikely(result == -EPIPE) && wanted)
		ctx_raise(ctx, SIGPIPE);
	return result;
}

ssize_t unix_sendmsg(struct ctx *ctx, struct fdtable *table, struct file *file, struct unix_msg *msg)
{
	struct unix_sock *sock = unix_sock(file);
	struct scm scm;
	ssize_t result = scm_send(ctx, table, msg, &scm);

	if (result < 0)
		return result;
	if (msg->flags & MSG_OOB)
		result = -EOPNOTSUPP;
	else if (msg->has_name)
		result = sock_state(sock) == UNIX_CONNECTED ? -EISCONN : -EOPNOTSUPP;
	else
		result = stream_send(ctx, sock, msg->uio, &scm, !(msg->flags & MSG_DONTWAIT || unix_nonblocking(file)));
	/* Files that no byte carried: as on Linux they vanish. */
	scm_put(ctx, &scm);
	return with_sigpipe(ctx, result, !(msg->flags & MSG_NOSIGNAL));
}

ssize_t stream_write(struct ctx *ctx, struct file *file, struct uio *uio, uint64_t *pos)
{
	bool block = !(uio->how & UIO_NOWAIT || unix_nonblocking(file));
	struct scm scm;

	(void)pos;
	scm.nfiles = 0;
	return with_sigpipe(ctx, stream_send(ctx, unix_sock(file), uio, &scm, block), !(uio->how & UIO_NOSIGNAL));
}

/* Receiving. */

struct reading {
	struct unix_sock *sock;
	struct uio *uio;
	struct scm *scm;
	size_t target; /* bytes that end the wait */
	size_t copied;
	bool block;
	bool met; /* a message, whether or not bytes came of it */
};

/*
 * What to do when nothing is queued: 0 end, with what there is; an errno; 1 sleep, the entry armed. The socket is
 * locked.
 */
static int when_empty(struct ctx *ctx, struct reading *r, struct wait_entry *entry)
{
	int err;

	if (r->copied >= r->target)
		return 0;
	err = sock_take_error(r->sock);
	if (err < 0)
		return err;
	if (r->sock->shutdown & UNIX_SHUT_RECEIVE)
		return 0;
	if (!r->block)
		return -EAGAIN;
	wait_arm(ctx, &r->sock->readable, entry, WAIT_ALL);
	return 1;
}

/* Take the inbox. @return whether something is taken now; if not, *why is what when_empty says */
static bool take_inbox(struct ctx *ctx, struct reading *r, struct wait_entry *entry, int *why)
{
	struct unix_sock *sock = r->sock;

	mutex_lock(ctx, &sock->lock);
	STAILQ_CONCAT(&sock->taken, &sock->inbox);
	if (STAILQ_EMPTY(&sock->taken))
		*why = when_empty(ctx, r, entry);
	mutex_unlock(ctx, &sock->lock);
	return !STAILQ_EMPTY(&sock->taken);
}

/* Bytes of a message to the buffers, all that fit or none. */
static int copy_bytes(struct ctx *ctx, struct reading *r, const struct message *message, size_t *chunk)
{
	struct uio before = *r->uio;
	size_t n = MIN(message->end - message->begin, r->uio->resid);

	r->met = true;
	if (uio_copy_to(ctx, r->uio, message->bytes + message->begin, n) < n) {
		*r->uio = before;
		return -EFAULT;
	}
	r->copied += n;
	*chunk = n;
	return 0;
}

/* A message has been received whole. */
static void finish(struct ctx *ctx, struct unix_sock *sock, struct message *message)
{
	uint32_t charge = message->charge, was;

	STAILQ_REMOVE_HEAD(&sock->taken, link);
	was = __atomic_fetch_sub(&sock->charge, charge, __ATOMIC_RELAXED);
	message_destroy(ctx, sock, message);
	if (was > SEND_WAKE_BYTES && was - charge <= SEND_WAKE_BYTES)
		sock_wake_senders(ctx, sock);
}

/* What a report will say of the descriptors that come by this message. */
static void note_carrier(struct scm *scm, const struct message *message)
{
	scm->carrier = (struct fd_carrier){
		.sender = message->origin.owner,
		.call = message->origin.call,
		.number = message->number,
	};
}

/* Receive from the first message taken. @return false if the call ends here */
static bool take_message(struct ctx *ctx, struct reading *r, int *why)
{
	struct message *message = STAILQ_FIRST(&r->sock->taken);
	size_t chunk;

	*why = copy_bytes(ctx, r, message, &chunk);
	if (*why < 0)
		return false;
	message->begin += (uint32_t)chunk;
	if (message->nfiles > 0)
		note_carrier(r->scm, message);
	for (; r->scm->nfiles < message->nfiles; r->scm->nfiles++)
		r->scm->files[r->scm->nfiles] = message->files[r->scm->nfiles];
	message->nfiles = 0;
	if (message->begin < message->end)
		return false;
	finish(ctx, r->sock, message);
	return r->scm->nfiles == 0 && r->uio->resid > 0;
}

/*
 * Look at all that was taken. As on Linux this does not stop when the buffers are full but at the first files, which
 * are handed out even if none of their bytes fitted.
 */
static void peek_messages(struct ctx *ctx, struct reading *r, int *why)
{
	const struct message *message;
	size_t chunk;

	STAILQ_FOREACH(message, &r->sock->taken, link) {
		*why = copy_bytes(ctx, r, message, &chunk);
		if (*why < 0)
			return;
		note_carrier(r->scm, message);
		for (; r->scm->nfiles < message->nfiles; r->scm->nfiles++) {
			r->scm->files[r->scm->nfiles] = message->files[r->scm->nfiles];
			file_get(message->files[r->scm->nfiles]);
		}
		if (message->nfiles > 0)
			return;
	}
}

/*
 * As far as it goes without a wait: 0 the call ends, an errno that ends it, or 1: sleep on the entry, which is armed.
 */
static int read_messages(struct ctx *ctx, struct reading *r, bool peek, struct wait_entry *entry)
{
	struct unix_sock *sock = r->sock;
	int why = 0;

	mutex_lock(ctx, &sock->read_lock);
	if (peek) {
		if (take_inbox(ctx, r, entry, &why))
			peek_messages(ctx, r, &why);
	} else {
		do {
			if (STAILQ_EMPTY(&sock->taken) && !take_inbox(ctx, r, entry, &why))
				break;
		} while (take_message(ctx, r, &why));
	}
	mutex_unlock(ctx, &sock->read_lock);
	return why;
}

/* Bytes received, their files in scm; or an errno, and scm is empty. *met: whether there was a message at all. */
static ssize_t stream_receive(struct ctx *ctx, struct unix_sock *sock, struct uio *uio, int flags, bool block,
                              struct scm *scm, bool *met)
{
	struct reading r = {
		.sock = sock,
		.uio = uio,
		.scm = scm,
		.target = flags & MSG_WAITALL ? MAX(uio->resid, 1) : 1,
		.block = block,
	};
	struct wait_entry entry;
	int why;

	scm->nfiles = 0;
	*met = false;
	if (sock_state(sock) != UNIX_CONNECTED)
		return -EINVAL;
	while ((why = read_messages(ctx, &r, flags & MSG_PEEK, &entry)) > 0) {
		why = wait_sleep(ctx, &entry, 1, WAIT_FOREVER, "data on a unix socket");
		if (why < 0)
			break;
	}
	*met = r.met;
	return r.copied > 0 || why == 0 ? (ssize_t)r.copied : why;
}

/* The name of who sent what was received: our peer, which may have closed. */
static void receive_name(struct ctx *ctx, struct unix_sock *sock, struct unix_msg *msg)
{
	struct unix_sock *peer = sock_peer(sock);

	mutex_lock(ctx, &peer->lock);
	msg->has_name = peer->bound;
	if (peer->bound)
		msg->addr = peer->addr;
	mutex_unlock(ctx, &peer->lock);
}

ssize_t unix_recvmsg(struct ctx *ctx, struct fdtable *table, struct file *file, struct unix_msg *msg)
{
	struct unix_sock *sock = unix_sock(file);
	struct scm scm;
	ssize_t result;
	bool met;

	/* There is never urgent data. */
	if (msg->flags & MSG_OOB)
		return -EINVAL;
	result = stream_receive(ctx, sock, msg->uio, msg->flags, !(msg->flags & MSG_DONTWAIT || unix_nonblocking(file)),
	                        &scm, &met);
	if (result < 0)
		return result;
	msg->has_name &= met;
	if (msg->has_name)
		receive_name(ctx, sock, msg);
	scm_receive(ctx, table, msg, &scm);
	return result;
}

ssize_t stream_read(struct ctx *ctx, struct file *file, struct uio *uio, uint64_t *pos)
{
	struct scm scm;
	ssize_t result;
	bool met;

	(void)pos;
	if (uio->resid == 0)
		return 0;
	result = stream_receive(ctx, unix_sock(file), uio, 0, !(uio->how & UIO_NOWAIT || unix_nonblocking(file)), &scm,
	                        &met);
	scm_put(ctx, &scm);
	return result;
}
