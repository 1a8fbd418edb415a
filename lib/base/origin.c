// SPDX-License-Identifier: MIT
/*
 * Accounts, and the births of things.
 *
 * A count is an atomic word in its owner, and of frames one more in each lane; nobody reads them but reports, so the
 * two processes of a busy pipe, or two tasks that fault, write different cache lines. The list of owners exists only to
 * be summed; the buckets find the owner of a frame that somebody else frees.
 *
 * I1  an account that leaves the list has all counts zero, or an heir took them over
 *
 * Locking: owners->lock, a leaf, for the list; also over an inheritance, so that no sum misses it or sees it twice.
 */
#include "base/origin.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/env.h"

static const char *const kind_names[CENSUS_KIND_COUNT] = {
	[CENSUS_FRAME] = "frame",      [CENSUS_TABLE] = "page table", [CENSUS_OBJECT] = "object",
	[CENSUS_INODE] = "inode",      [CENSUS_FILE] = "open file",   [CENSUS_FD] = "fd",
	[CENSUS_MM] = "address space", [CENSUS_VMA] = "mapping",      [CENSUS_SOCKET] = "socket",
	[CENSUS_MESSAGE] = "message",  [CENSUS_PROCESS] = "process",  [CENSUS_TASK] = "task",
};

const char *census_kind_name(enum census_kind kind)
{
	return kind < CENSUS_KIND_COUNT ? kind_names[kind] : "unknown kind";
}

void owners_init(struct owners *owners)
{
	pthread_mutex_init(&owners->lock, NULL);
	LIST_INIT(&owners->list);
	for (size_t i = 0; i < OWNER_BUCKETS; i++)
		LIST_INIT(&owners->buckets[i]);
}

void owners_fini(struct owners *owners)
{
	KSIM_ASSERT(NULL, LIST_EMPTY(&owners->list), "accounts are closed before their machine ends", "%s (%u) is left",
	            LIST_FIRST(&owners->list)->name, LIST_FIRST(&owners->list)->id);
	pthread_mutex_destroy(&owners->lock);
}

void owner_init(struct owners *owners, struct owner *owner, uint32_t id, const char *name)
{
	memset(owner, 0, sizeof(*owner));
	owner->id = id;
	snprintf(owner->name, sizeof(owner->name), "%s", name);
	pthread_mutex_lock(&owners->lock);
	LIST_INSERT_HEAD(&owners->list, owner, link);
	LIST_INSERT_HEAD(&owners->buckets[id % OWNER_BUCKETS], owner, hash);
	pthread_mutex_unlock(&owners->lock);
}

void owner_fini(struct owners *owners, struct owner *owner, struct owner *heir)
{
	pthread_mutex_lock(&owners->lock);
	for (int kind = 0; kind < CENSUS_KIND_COUNT; kind++) {
		long n = owner_count_off(owner, (enum census_kind)kind);

		if (n == 0)
			continue;
		KSIM_ASSERT(NULL, heir != NULL, "an account without heir is closed empty", "%s (%u) has %ld of kind %s",
		            owner->name, owner->id, n, kind_names[kind]);
		census_add(heir, (enum census_kind)kind, n);
	}
	LIST_REMOVE(owner, link);
	LIST_REMOVE(owner, hash);
	pthread_mutex_unlock(&owners->lock);
}

long owner_count(const struct owner *owner, enum census_kind kind)
{
	long n = __atomic_load_n(&owner->count[kind], __ATOMIC_RELAXED);

	for (unsigned i = 0; kind < CENSUS_LANED && i < CENSUS_LANES; i++)
		n += __atomic_load_n(&owner->lanes[i].count[kind], __ATOMIC_RELAXED);
	return n;
}

long owner_count_off(struct owner *owner, enum census_kind kind)
{
	long n = __atomic_exchange_n(&owner->count[kind], 0, __ATOMIC_RELAXED);

	for (unsigned i = 0; kind < CENSUS_LANED && i < CENSUS_LANES; i++)
		n += __atomic_exchange_n(&owner->lanes[i].count[kind], 0, __ATOMIC_RELAXED);
	return n;
}

long owners_total(struct owners *owners, enum census_kind kind)
{
	struct owner *owner;
	long total = 0;

	pthread_mutex_lock(&owners->lock);
	LIST_FOREACH(owner, &owners->list, link)
		total += owner_count(owner, kind);
	pthread_mutex_unlock(&owners->lock);
	return total;
}

void census_add_to(struct owners *owners, uint32_t id, struct owner *heir, enum census_kind kind, long n)
{
	struct owner *owner;

	pthread_mutex_lock(&owners->lock);
	LIST_FOREACH(owner, &owners->buckets[id % OWNER_BUCKETS], hash)
		if (owner->id == id)
			break;
	census_add(owner != NULL ? owner : heir, kind, n);
	pthread_mutex_unlock(&owners->lock);
}

void origin_set(struct ctx *ctx, struct origin *origin, enum census_kind kind)
{
	*origin = (struct origin){
		.owner = ctx->owner,
		.call = ctx->call,
		.epoch = __atomic_load_n(&ctx->env->epoch, __ATOMIC_RELAXED),
		.kind = (uint8_t)kind,
	};
	census_add(origin->owner, kind, 1);
}

void origin_clear(struct origin *origin)
{
	census_add(origin->owner, origin->kind, -1);
	origin->owner = NULL;
}
