/* SPDX-License-Identifier: MIT */
/*
 * A machine of accounts and a wait registry, and processes of it that are no more than a name, for tests of lib/host.
 */
#ifndef UNIT_HOST_BED_H
#define UNIT_HOST_BED_H

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "harness.h"
#include "host/kmem.h"
#include "host/wait.h"

enum { BED_PROCESSES = 8, BED_SAID_BYTES = 2048 };

struct bed_process {
	struct ctx ctx;
	struct owner owner;
	struct waiter waiter;
	pthread_t thread;
	struct bed *bed;
	int (*body)(struct bed_process *p);
	int result;
};

struct bed {
	struct env env;
	struct ctx ctx;
	struct wait_registry waits;
	struct bed_process processes[BED_PROCESSES];
	char said[BED_SAID_BYTES]; /* w  reports, their lines ended by '\n' */
	pthread_mutex_t w;
};

static inline void bed_hear(void *arg, const char *line)
{
	struct bed *bed = arg;
	size_t len;

	pthread_mutex_lock(&bed->w);
	len = strlen(bed->said);
	snprintf(bed->said + len, sizeof(bed->said) - len, "%s\n", line);
	pthread_mutex_unlock(&bed->w);
}

static inline void bed_open(struct bed *bed)
{
	memset(bed, 0, sizeof(*bed));
	pthread_mutex_init(&bed->w, NULL);
	owners_init(&bed->env.owners);
	owner_init(&bed->env.owners, &bed->env.self, 0, "machine");
	wait_registry_init(&bed->waits);
	bed->env.waits = &bed->waits;
	bed->env.hooks.say = bed_hear;
	bed->env.hooks.say_arg = bed;
	ctx_init(&bed->ctx, &bed->env, "test");
	for (uint32_t i = 0; i < BED_PROCESSES; i++) {
		struct bed_process *p = &bed->processes[i];
		char name[16];

		snprintf(name, sizeof(name), "p%u", i + 1);
		owner_init(&bed->env.owners, &p->owner, i + 1, name);
		waiter_init(&p->waiter, &p->owner);
		ctx_init(&p->ctx, &bed->env, "read");
		p->ctx.owner = &p->owner;
		p->ctx.waiter = &p->waiter;
		p->ctx.lane = i;
		p->bed = bed;
	}
}

static inline void bed_close(struct bed *bed)
{
	EXPECT_EQ(bed->waits.asleep, 0);
	EXPECT_EQ(bed->waits.timed, 0);
	EXPECT_EQ(bed->waits.acting, 0);
	EXPECT_EQ(bed->waits.holds, 0);
	EXPECT_EQ(kmem_count(&bed->env), 0);
	for (int i = 0; i < BED_PROCESSES; i++) {
		EXPECT_EQ(bed->processes[i].ctx.held, 0);
		waiter_fini(&bed->processes[i].waiter);
		owner_fini(&bed->env.owners, &bed->processes[i].owner, NULL);
	}
	wait_registry_fini(&bed->waits);
	owner_fini(&bed->env.owners, &bed->env.self, NULL);
	owners_fini(&bed->env.owners);
	pthread_mutex_destroy(&bed->w);
}

static inline void *bed_thread(void *arg)
{
	struct bed_process *p = arg;

	p->result = p->body(p);
	wait_acting_end(&p->bed->env);
	return NULL;
}

/** Let process i act on a host thread of its own; it counts as acting before this returns. */
static inline void bed_start(struct bed *bed, int i, int (*body)(struct bed_process *p))
{
	struct bed_process *p = &bed->processes[i];

	p->body = body;
	wait_acting_begin(&bed->env);
	SETUP(pthread_create(&p->thread, NULL, bed_thread, p) == 0);
}

/** What its body returned. */
static inline int bed_join(struct bed *bed, int i)
{
	SETUP(pthread_join(bed->processes[i].thread, NULL) == 0);
	return bed->processes[i].result;
}

/** Yield until n waiters sleep. */
static inline void bed_until_asleep(struct bed *bed, unsigned n)
{
	while (__atomic_load_n(&bed->waits.asleep, __ATOMIC_ACQUIRE) != n)
		sched_yield();
}

#endif
