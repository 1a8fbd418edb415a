// SPDX-License-Identifier: MIT
/*
 * Booting and halting whole machines.
 */
#include "bed.h"

#include <pthread.h>
#include <sched.h>
#include <sys/socket.h>

TEST(machines, boot_refuses_what_is_no_machine)
{
	struct {
		struct ksim_config config;
		unsigned char newer[8];
	} asked = { .config = { .ram_bytes = 1 << 20 } };
	struct ksim_machine *m;

	EXPECT(ksim_boot(&(struct ksim_config){ .ram_bytes = 100 }) == NULL && errno == EINVAL);
	EXPECT(ksim_boot(&(struct ksim_config){ .tlb_entries = 5 }) == NULL && errno == EINVAL);
	asked.newer[0] = 1;
	EXPECT(ksim_boot_sized(&asked.config, sizeof(asked)) == NULL && errno == E2BIG);
	asked.newer[0] = 0;
	m = ksim_boot_sized(&asked.config, sizeof(asked));
	EXPECT(m != NULL);
	EXPECT_EQ(ksim_halt(m), 0);
}

TEST(machines, default_machine_has_the_hosts_architecture_and_64_MiB)
{
	struct ksim_machine *m = ksim_boot(NULL);

	REQUIRE(m != NULL);
	EXPECT(ksim_arch_of(m) != KSIM_ARCH_HOST);
	ksim_as(bed_process(m, "p")) {
		int fd = ksim_memfd_create("large", 0);

		EXPECT_EQ(ksim_ftruncate(fd, 63 << 20), 0);
		EXPECT_EQ(ksim_ftruncate(fd, 0), 0);
		EXPECT_FAILS(ksim_ftruncate(fd, 65 << 20), ENOMEM);
	}
	bed_halt(m);
}

TEST(machines, halt_takes_back_all_that_programs_left)
{
	/* Descriptors, mappings, bytes and descriptors under way, on themselves too, children, names. */
	struct ksim_machine *m = bed_boot();
	struct ksim_process *a = bed_process(m, "a"), *b = bed_process(m, "b");
	int pair[2], fd;

	EXPECT_EQ(ksim_socketpair_between(a, b, SOCK_STREAM, pair), 0);
	ksim_as(a) {
		fd = ksim_memfd_create("left", 0);
		EXPECT_EQ(ksim_ftruncate(fd, 4 * PAGE), 0);
		ksim_store8(ksim_mmap(0, 4 * PAGE, RW, MAP_SHARED, fd, 0), 1);
		ksim_store8(bed_map(4, RW, MAP_PRIVATE), 1);
		EXPECT_EQ(ksim_send_fds(pair[0], "x", 1, &fd, 1), 1);
		EXPECT_EQ(ksim_send_fds(pair[0], "x", 1, pair, 1), 1);
	}
	ksim_as(b)
		EXPECT_EQ(ksim_send_fds(pair[1], "x", 1, &pair[1], 1), 1);
	EXPECT(ksim_process_fork(a, "child") != NULL);
	bed_halt(m);
}

static int act_until_told(void *arg)
{
	int *told = arg;

	__atomic_store_n(told, 1, __ATOMIC_RELEASE);
	while (__atomic_load_n(told, __ATOMIC_ACQUIRE) == 1)
		sched_yield();
	return 0;
}

struct visitor {
	struct ksim_process *process;
	int told;
};

static void *visit(void *arg)
{
	struct visitor *visitor = arg;

	ksim_as(visitor->process)
		act_until_told(&visitor->told);
	return NULL;
}

TEST(machines, halt_while_another_thread_of_the_program_acts_is_EBUSY)
{
	struct ksim_machine *m = bed_boot();
	struct visitor visitor = { .process = bed_process(m, "p") };
	pthread_t thread;

	SETUP(pthread_create(&thread, NULL, visit, &visitor) == 0);
	while (__atomic_load_n(&visitor.told, __ATOMIC_ACQUIRE) == 0)
		sched_yield();
	EXPECT_FAILS(ksim_halt(m), EBUSY);
	__atomic_store_n(&visitor.told, 2, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	bed_halt(m);
}

static int touch_for_ever(void *arg)
{
	ksim_addr at = bed_map(1, RW, MAP_PRIVATE);

	__atomic_store_n((int *)arg, 1, __ATOMIC_RELEASE);
	while (ksim_load8(at) == 0)
		ksim_store8(at, 0);
	return 0;
}

TEST(machines, halt_ends_a_started_process_that_only_computes)
{
	/* It makes no call; its TLB is taken away from it. */
	struct ksim_machine *m = bed_boot();
	int told = 0;

	EXPECT_EQ(ksim_start(bed_process(m, "busy"), touch_for_ever, &told), 0);
	while (__atomic_load_n(&told, __ATOMIC_ACQUIRE) == 0)
		sched_yield();
	EXPECT_EQ(ksim_halt(m), 0);
}

TEST(machines, many_threads_act_as_one_process)
{
	struct ksim_machine *m = bed_boot();
	struct visitor visitors[4];
	pthread_t threads[4];
	struct ksim_process *p = bed_process(m, "p");
	struct ksim_census census;

	for (int i = 0; i < 4; i++) {
		visitors[i] = (struct visitor){ .process = p };
		SETUP(pthread_create(&threads[i], NULL, visit, &visitors[i]) == 0);
		while (__atomic_load_n(&visitors[i].told, __ATOMIC_ACQUIRE) == 0)
			sched_yield();
	}
	ksim_census(m, p, &census);
	EXPECT_EQ(census.tasks, 4);
	for (int i = 0; i < 4; i++) {
		__atomic_store_n(&visitors[i].told, 2, __ATOMIC_RELEASE);
		pthread_join(threads[i], NULL);
	}
	bed_halt(m);
}
