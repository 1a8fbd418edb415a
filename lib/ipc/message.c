// SPDX-License-Identifier: MIT
/*
 * Messages: one allocation each, header, files and bytes.
 *
 *	struct message | file pointers | bytes
 *	               '- tail --------------'
 *
 * A small one, which is nearly every message of a protocol, is not freed when it has been received: the socket keeps
 * one for its next sender. It changes hands by an atomic exchange, so neither side takes a lock for it. A planned
 * failure is asked for either way, in the order in which it would be without the spare.
 *
 * What a sender is charged is what Linux would charge it, by sk_buff and page, so that a sender whose peer
 * does not read blocks after the same number of messages: 278 of one byte, or 6 of the longest piece. A piece is at
 * most what Linux takes at once, a page of head (3776 bytes) and 32 KiB of fragments: partial counts come out the same.
 *
 * Messages are numbered, for reports, by sender: a counter of the whole machine would be a cache line that all senders
 * write, and would give other numbers in each run of a program with threads.
 *
 * I1  sock->charge is the sum of charge over inbox and taken
 * I2  a message on a list has a byte to give: begin < end
 * I3  a spare has no files and is on nobody's account
 *
 * Locking: see each field; a message that is on no list belongs to the call that holds it.
 * Linux: sock_alloc_send_pskb in net/core/sock.c, unix_stream_sendmsg in net/unix/af_unix.c.
 */
#include "ipc/socket.h"

#include "base/sanitize.h"
#include "base/util.h"

/* Three fds and 140 bytes fit. */
#define SPARE_BYTES      256
#define SPARE_TAIL_BYTES (SPARE_BYTES - sizeof(struct message))

#define SKB_BYTES        256 /* struct sk_buff */
#define SKB_SHARED_BYTES 320 /* struct skb_shared_info, at the end of the head */
#define SKB_HEAD_MAX     (PAGE_BYTES - SKB_SHARED_BYTES)

/* Linux' truesize of a piece of nbytes: the head rounded up to a kmalloc size, the rest in pages. */
static uint32_t charge_of(uint32_t nbytes)
{
	uint32_t paged = 0, head = nbytes, room = 512;

	if (nbytes > SKB_HEAD_MAX) {
		paged = (uint32_t)MIN((uint64_t)nbytes, page_up(nbytes - SKB_HEAD_MAX));
		head = nbytes - paged;
	}
	head = (head + 63) / 64 * 64 + SKB_SHARED_BYTES;
	while (room < head)
		room *= 2;
	return SKB_BYTES + room + (uint32_t)page_up(paged);
}

/* @return false if the lab wants this allocation to fail; *out is NULL when there was no spare */
static bool take_spare(struct ctx *ctx, struct unix_sock *to, struct message **out)
{
	*out = NULL;
	if (__atomic_load_n(&to->spare, __ATOMIC_RELAXED) == NULL)
		return true;
	if (env_fails(ctx, FAIL_KMEM))
		return false;
	*out = __atomic_exchange_n(&to->spare, NULL, __ATOMIC_ACQUIRE);
	return true;
}

static bool keep_spare(struct unix_sock *to, struct message *message)
{
	struct message *none = NULL;

	/* The address sanitizer shall see every message die. */
	if (KSIM_ASAN || message->size != SPARE_BYTES || __atomic_load_n(&to->spare, __ATOMIC_RELAXED) != NULL)
		return false;
	return __atomic_compare_exchange_n(&to->spare, &none, message, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
}

struct message *message_create(struct ctx *ctx, struct unix_sock *to, uint32_t nbytes, uint32_t nfiles)
{
	size_t tail = nfiles * sizeof(struct file *) + nbytes;
	size_t size = tail <= SPARE_TAIL_BYTES ? SPARE_BYTES : sizeof(struct message) + tail;
	struct message *message = NULL;

	if (env_fails(ctx, FAIL_MESSAGE))
		return NULL;
	if (size == SPARE_BYTES && !take_spare(ctx, to, &message))
		return NULL;
	if (message == NULL)
		message = kmem_alloc(ctx, size);
	if (message == NULL)
		return NULL;
	origin_set(ctx, &message->origin, CENSUS_MESSAGE);
	message->number = __atomic_add_fetch(&ctx->owner->messages, 1, __ATOMIC_RELAXED);
	message->size = size;
	message->begin = 0;
	message->end = nbytes;
	message->charge = charge_of(nbytes);
	message->nfiles = 0;
	message->files = (struct file **)message->tail;
	message->bytes = (uint8_t *)(message->files + nfiles);
	return message;
}

void message_destroy(struct ctx *ctx, struct unix_sock *to, struct message *message)
{
	for (uint32_t i = 0; i < message->nfiles; i++)
		file_put(ctx, message->files[i]);
	message->nfiles = 0;
	origin_clear(&message->origin);
	if (!keep_spare(to, message))
		kmem_free(ctx->env, message, message->size);
}

void message_list_destroy(struct ctx *ctx, struct unix_sock *to, struct message_list *list)
{
	struct message *message;

	while ((message = STAILQ_FIRST(list)) != NULL) {
		STAILQ_REMOVE_HEAD(list, link);
		message_destroy(ctx, to, message);
	}
}

void message_list_detach(struct ctx *ctx, struct unix_sock *sock, struct message_list *list)
{
	struct message *message;
	uint32_t charge = 0;

	STAILQ_INIT(list);
	mutex_lock(ctx, &sock->read_lock);
	STAILQ_CONCAT(list, &sock->taken);
	mutex_lock(ctx, &sock->lock);
	STAILQ_CONCAT(list, &sock->inbox);
	mutex_unlock(ctx, &sock->lock);
	STAILQ_FOREACH(message, list, link)
		charge += message->charge;
	__atomic_fetch_sub(&sock->charge, charge, __ATOMIC_RELAXED);
	mutex_unlock(ctx, &sock->read_lock);
}
