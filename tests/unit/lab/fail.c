// SPDX-License-Identifier: MIT
/*
 * Inside fault injection: plans as text, the switch while threads run, and which argument holds a call's flags.
 */
#include "bed.h"

#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

TEST(fail, kinds_are_written_as_they_are_read)
{
	for (unsigned kinds = 1; kinds <= KSIM_FAIL_ANY; kinds++) {
		char name[FAIL_KINDS_BYTES], text[64];
		struct fail_plan plan;

		snprintf(text, sizeof(text), "%s:18446744073709551615", fail_kinds_text(kinds, name));
		EXPECT_EQ(fail_parse(text, &plan), 0);
		EXPECT_EQ(plan.kinds, kinds);
		EXPECT_EQ(plan.how, FAIL_NTH);
		EXPECT(plan.nth == UINT64_MAX);
	}
}

TEST(fail, chance_is_read_with_its_seed)
{
	struct fail_plan plan;

	EXPECT_EQ(fail_parse("kmem:0.125@7", &plan), 0);
	EXPECT_EQ(plan.how, FAIL_BY_CHANCE);
	EXPECT_EQ(plan.kinds, KSIM_FAIL_KMEM);
	EXPECT_MSG(plan.probability > 0.1249999 && plan.probability < 0.1250001, "it is %f", plan.probability);
	EXPECT_EQ(plan.seed, 7);
	EXPECT_EQ(fail_parse("kmem:0.125", &plan), -EINVAL);
}

TEST(fail, hooks_are_set_only_while_they_are_wanted)
{
	const struct env_hooks *hooks;
	struct ksim_process *p, *child;
	struct bed bed;

	bed_boot(&bed, NULL);
	hooks = &lab_env(bed.m)->hooks;
	p = bed_process(&bed, "client");
	EXPECT(hooks->fail == NULL && hooks->policy == NULL);
	ksim_fail_nth(bed.m, KSIM_FAIL_ANY, 0);
	EXPECT(hooks->fail != NULL && hooks->policy == NULL);
	ksim_fail_when(bed.m, 0, NULL, NULL);
	EXPECT(hooks->fail == NULL);
	EXPECT_EQ(ksim_refuse(p, "dup", EPERM, 0, 0), 0);
	EXPECT_EQ(ksim_refuse(p, "close", EPERM, 0, 1), 0);
	EXPECT(hooks->fail == NULL && hooks->policy != NULL);
	child = ksim_process_fork(p, NULL);
	EXPECT_EQ(ksim_refuse(p, "dup", 0, 0, 0), 0);
	ksim_as(p)
		EXPECT_EQ(ksim_close(0), -1);
	EXPECT(hooks->policy != NULL);
	EXPECT_EQ(ksim_process_end(child, 0), 0);
	EXPECT(hooks->policy == NULL);
	EXPECT_EQ(ksim_truncate_fds(p, 1), 0);
	EXPECT(hooks->fail != NULL && hooks->policy != NULL);
	EXPECT_EQ(ksim_process_end(p, 0), 0);
	EXPECT(hooks->fail == NULL && hooks->policy == NULL);
	bed_halt(&bed);
}

static int nchildren_told;

static void count_child(int signo)
{
	(void)signo;
	nchildren_told++;
}

static int do_nothing(void *arg)
{
	(void)arg;
	return 0;
}

/* With the nth allocation failing: whether there was a child after all. */
static bool forks(struct bed *bed, uint64_t n, bool clone)
{
	static char stack[64];
	pid_t pid;

	nchildren_told = 0;
	ksim_fail_nth(bed->m, KSIM_FAIL_ANY, n);
	pid = clone ? ksim_clone(do_nothing, stack + sizeof(stack), SIGCHLD, NULL) : ksim_fork_into(do_nothing, NULL);
	ksim_fail_when(bed->m, 0, NULL, NULL);
	EXPECT_EQ(ksim_waitpid(-1, NULL, 0), pid);
	EXPECT_EQ(nchildren_told, pid > 0);
	return pid > 0;
}

TEST(fail, fork_that_fails_late_tells_nobody_of_a_child)
{
	struct sigaction counts = { .sa_handler = count_child };
	struct ksim_process *p;
	struct bed bed;

	bed_boot(&bed, NULL);
	p = bed_process(&bed, "parent");
	ksim_as(p) {
		EXPECT_EQ(ksim_sigaction(SIGCHLD, &counts, NULL), 0);
		for (int clone = 0; clone <= 1; clone++) {
			uint64_t n = 1;

			while (!forks(&bed, n, clone))
				n++;
			EXPECT_MSG(n > 5, "the %llu. allocation is the last", (unsigned long long)n - 1);
		}
	}
	bed_halt(&bed);
}

TEST(fail, every_call_with_flags_can_be_refused_by_them)
{
	static const char *const with[] = { "mmap",         "mprotect", "dup3",    "fallocate", "open",   "openat",
		                            "memfd_create", "socket",   "accept4", "unlinkat",  "sendto", "recvfrom",
		                            "sendmsg",      "recvmsg",  "wait4",   "socketpair" };
	static const char *const without[] = { "read",   "close",  "lseek",    "fcntl",
		                               "listen", "accept", "shutdown", "getpid" };
	struct ksim_process *p;
	struct bed bed;

	bed_boot(&bed, NULL);
	p = bed_process(&bed, "client");
	for (size_t i = 0; i < ARRAY_SIZE(with); i++)
		EXPECT_MSG(ksim_refuse(p, with[i], EPERM, 1, 0) == 0, "%s has no flags", with[i]);
	for (size_t i = 0; i < ARRAY_SIZE(without); i++)
		EXPECT_MSG(ksim_refuse(p, without[i], EPERM, 1, 0) == -1 && errno == EINVAL, "%s has flags",
		           without[i]);
	bed_halt(&bed);
}

/* ---- while threads run ---- */

struct worker {
	struct ksim_process *p;
	bool stop; /* a */
	unsigned strange;
};

static void *work(void *arg)
{
	struct worker *worker = arg;

	ksim_as(worker->p) {
		while (!__atomic_load_n(&worker->stop, __ATOMIC_RELAXED)) {
			int fd = ksim_memfd_create("x", 0);

			if (fd >= 0)
				ksim_close(fd);
			else if (errno != ENOMEM && errno != EMFILE && errno != EPERM)
				worker->strange++;
		}
	}
	return NULL;
}

static bool every_third(void *arg, const struct ksim_allocation *allocation)
{
	unsigned *valid = arg;

	/* Not atomic: I2 says that nobody is here when it becomes invalid. */
	return *valid != 0 && allocation->n % 3 == 0;
}

static void switch_everything(struct bed *bed, struct ksim_process *p)
{
	for (int round = 0; round < 50; round++) {
		struct ksim_allocation first;
		unsigned valid = 1;

		ksim_fail_nth(bed->m, KSIM_FAIL_ANY, (uint64_t)round);
		ksim_refuse(p, "memfd_create", EPERM, 0, round % 2 ? 0 : 1);
		ksim_fail_chance(bed->m, KSIM_FAIL_KMEM | KSIM_FAIL_FD, 0.5, (uint64_t)round);
		ksim_fail_count(bed->m);
		ksim_fail_first(bed->m, &first);
		ksim_fail_when(bed->m, KSIM_FAIL_KMEM, every_third, &valid);
		ksim_refuse(p, "memfd_create", 0, 0, 0);
		ksim_truncate_fds(p, 1);
		ksim_fail_when(bed->m, 0, NULL, NULL);
		valid = 0;
	}
}

TEST(fail, all_can_be_switched_while_threads_run)
{
	struct worker workers[2] = { 0 };
	pthread_t threads[2];
	struct bed bed;

	bed_boot(&bed, NULL);
	for (int i = 0; i < 2; i++) {
		workers[i].p = bed_process(&bed, "worker");
		ksim_as(workers[i].p)
			ksim_getpid();
	}
	for (int i = 0; i < 2; i++)
		SETUP(pthread_create(&threads[i], NULL, work, &workers[i]) == 0);
	switch_everything(&bed, workers[0].p);
	for (int i = 0; i < 2; i++)
		__atomic_store_n(&workers[i].stop, true, __ATOMIC_RELAXED);
	for (int i = 0; i < 2; i++) {
		pthread_join(threads[i], NULL);
		EXPECT_EQ(workers[i].strange, 0);
	}
	bed_halt(&bed);
}

/* Two threads of one process receive: the count is that of the first message, whoever gets the second. */
static void *receive_one(void *arg)
{
	const int *wire = arg;
	size_t nfds = 2;
	int fds[2];
	char byte;
	ssize_t n;

	n = ksim_recv_fds(wire[1], &byte, 1, fds, &nfds, 0);
	return n == 1 && nfds == 2 ? NULL : (void *)"the second message has lost descriptors";
}

static int receive_on_another_thread(void *arg)
{
	return receive_one(arg) != NULL;
}

TEST(fail, message_that_another_thread_receives_later_is_whole)
{
	struct ksim_process *a, *b;
	struct bed bed;
	int wire[2], fds[2], result = -1;
	pid_t tid;

	bed_boot(&bed, NULL);
	a = bed_process(&bed, "a");
	b = bed_process(&bed, "b");
	SETUP(ksim_socketpair_between(a, b, SOCK_STREAM, wire) == 0);
	ksim_as(a) {
		fds[0] = bed_memfd("x", 1);
		fds[1] = bed_memfd("y", 1);
		for (int i = 0; i < 2; i++)
			EXPECT_EQ(ksim_send_fds(wire[0], "x", 1, fds, 2), 1);
	}
	EXPECT_EQ(ksim_truncate_fds(b, 2), 0);
	ksim_as(b) {
		EXPECT(receive_one(wire) == NULL);
		/* This thread is still the taker of a message that was delivered whole. */
		tid = ksim_task_start(b, receive_on_another_thread, wire);
		SETUP(tid > 0);
		EXPECT_EQ(ksim_task_join(b, tid, &result), 0);
		EXPECT_EQ(result, 0);
	}
	bed_halt(&bed);
}
