// SPDX-License-Identifier: MIT
/*
 * Who runs the kernel for a thread that has faulted.
 */
#include "native/server.h"

#include <pthread.h>
#include <stdbool.h>

#include "base/sanitize.h"
#include "harness.h"

struct visit {
	pthread_t thread;
	unsigned calls;
};

static void visit(void *arg)
{
	struct visit *v = arg;

	__atomic_store_n(&v->thread, pthread_self(), __ATOMIC_RELAXED);
	__atomic_fetch_add(&v->calls, 1, __ATOMIC_RELAXED);
}

TEST(server, call_has_been_made_once_when_it_returns)
{
	struct visit v = { .calls = 0 };

	SETUP(server_prepare() == 0);
	for (unsigned i = 1; i <= 100; i++) {
		server_call(visit, &v);
		EXPECT_EQ(v.calls, i);
	}
}

TEST(server, call_is_made_by_the_thread_itself_where_no_sanitizer_watches)
{
	struct visit v = { .calls = 0 };

	SETUP(server_prepare() == 0);
	server_call(visit, &v);
	EXPECT_EQ(pthread_equal(v.thread, pthread_self()) != 0, !KSIM_TSAN);
}

static void *call_often(void *arg)
{
	for (int i = 0; i < 500; i++)
		server_call(visit, arg);
	return NULL;
}

TEST(server, calls_of_many_threads_are_all_made)
{
	struct visit visits[4] = { { .calls = 0 } };
	pthread_t threads[4];

	SETUP(server_prepare() == 0 && server_prepare() == 0); /* any number of times */
	for (int i = 0; i < 4; i++)
		SETUP(pthread_create(&threads[i], NULL, call_often, &visits[i]) == 0);
	for (int i = 0; i < 4; i++) {
		SETUP(pthread_join(threads[i], NULL) == 0);
		EXPECT_EQ(visits[i].calls, 500);
	}
}
