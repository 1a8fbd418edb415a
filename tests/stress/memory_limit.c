// SPDX-License-Identifier: MIT
/*
 * A memory limit that is met all the time, by several processes and threads at once.
 *
 * Two members, with two threads each, populate and unmap memory and resize a file, calls that fail with ENOMEM at the
 * limit; an outsider resizes the same file, so that all free pages that others have made; children of the members touch
 * memory until the limit kills them; and now and then a member moves to a new group, its pages staying charged to the
 * one before. The same with pages of 2 MiB, of which there is room for some and which are unmapped by parts. Whoever
 * looks must never see more in use than the limit; in the end every charge must have a frame.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "access.h"
#include "harness.h"
#include "ksim/ksim.h"

enum { PAGE = 4096, SMALL_LIMIT = 40, FILE_PAGES = 12, SMALL_RANGE = 10, MEMBERS = 2, THREADS = 2, MOVES = 16 };
/* With pages of 2 MiB: there is room for two of them, and four threads want one each. */
enum { BLOCK_PAGES = 512, LARGE_LIMIT = 2 * BLOCK_PAGES + SMALL_LIMIT, LARGE_RANGE = 2 * BLOCK_PAGES };

struct arena {
	struct ksim_machine *m;
	struct ksim_process *members[MEMBERS], *outsider;
	int fd; /* the file, in all of them */
	int limit_pages;
	int range_pages;  /* that each maps at a time */
	uint32_t stop;    /* a */
	uint64_t done;    /* a  calls that found room */
	uint64_t refused; /* a  and that did not */
	uint64_t over;    /* a  looks that saw more than the limit in use */
	uint64_t strange; /* a  other errors */
};

static void count(struct arena *a, bool done)
{
	uint64_t *counter = done ? &a->done : errno == ENOMEM ? &a->refused : &a->strange;

	__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

static void look(struct arena *a, const struct ksim_process *p)
{
	struct ksim_memory memory;

	if (ksim_memory_used(p, &memory) < 0 || memory.used > memory.limit || memory.peak > memory.limit)
		__atomic_fetch_add(&a->over, 1, __ATOMIC_RELAXED);
}

/* By calls alone: a fork makes the next store need a copy, for which there may be no room. */
static void populate(struct arena *a)
{
	size_t bytes = (size_t)a->range_pages * PAGE;
	ksim_addr map = ksim_mmap(0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (map == KSIM_MAP_FAILED) {
		count(a, false);
		return;
	}
	if (ksim_madvise(map, bytes, MADV_HUGEPAGE) < 0)
		count(a, false);
	count(a, ksim_madvise(map, bytes, MADV_POPULATE_WRITE) == 0);
	if (ksim_munmap(map + bytes / 2, PAGE) < 0 || ksim_munmap(map, bytes) < 0)
		count(a, false);
}

static int member_main(void *arg)
{
	struct arena *a = arg;

	for (unsigned i = 0; !__atomic_load_n(&a->stop, __ATOMIC_RELAXED); i++) {
		populate(a);
		count(a, ksim_ftruncate(a->fd, (off_t)(i % FILE_PAGES) * PAGE) == 0);
		look(a, ksim_self());
	}
	return 0;
}

static int outsider_main(void *arg)
{
	struct arena *a = arg;

	for (unsigned i = 0; !__atomic_load_n(&a->stop, __ATOMIC_RELAXED); i++)
		count(a, ksim_ftruncate(a->fd, (off_t)(i * 5 % FILE_PAGES) * PAGE) == 0);
	return 0;
}

static int touch_until_killed(void *arg)
{
	const struct arena *a = arg;
	size_t bytes = (size_t)a->limit_pages * PAGE;
	ksim_addr map = ksim_mmap(0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (map == KSIM_MAP_FAILED || ksim_madvise(map, bytes, MADV_HUGEPAGE) < 0)
		return errno;
	for (int i = 0; i < a->limit_pages; i++)
		mem_store8(map + (ksim_addr)i * PAGE, 1);
	return 0; /* it cannot come so far: there are page tables, too */
}

/* A child is born into its parent's group, if it has room for one. @return it was killed by the limit */
static bool sacrifice_child(struct arena *a, struct ksim_process *parent)
{
	struct ksim_process *child = ksim_process_fork(parent, "child");
	struct ksim_end end = { .alive = true, .code = ENOMEM };

	if (child == NULL || ksim_run(child, touch_until_killed, a, &end) < 0)
		count(a, false);
	if (child == NULL)
		return false;
	look(a, child);
	EXPECT_MSG(end.alive ? end.code == 0 || end.code == ENOMEM
	                     : end.signo == SIGKILL && strstr(end.text, "its group's limit of") != NULL,
	           "%d: %s", end.code, end.text);
	EXPECT(!end.alive || end.code != 0);
	ksim_process_end(child, 0);
	ksim_join(child, NULL);
	return !end.alive;
}

static void open_arena(struct arena *a, enum ksim_arch arch, unsigned poison)
{
	const struct ksim_config config = { .ram_bytes = (uint64_t)(4 << 20) + 4 * (uint64_t)a->limit_pages * PAGE,
		                            .arch = arch,
		                            .poison = poison,
		                            .access = access_wanted(),
		                            .window_bytes = 64 << 20 };

	a->m = ksim_boot(&config);
	SETUP(a->m != NULL);
	a->outsider = ksim_process_create(a->m, "outsider");
	SETUP(a->outsider != NULL);
	ksim_as(a->outsider)
		a->fd = ksim_memfd_create("pool", 0);
	for (int i = 0; i < MEMBERS; i++) {
		a->members[i] = ksim_process_create(a->m, "member");
		SETUP(a->members[i] != NULL && ksim_fd_copy(a->outsider, a->fd, a->members[i]) == a->fd);
	}
	SETUP(ksim_limit_memory(a->members, MEMBERS, (uint64_t)a->limit_pages * PAGE) == 0);
}

static void run_arena(struct arena *a, unsigned rounds)
{
	pid_t threads[MEMBERS][THREADS];
	unsigned killed = 0;
	int result;

	for (int i = 0; i < MEMBERS; i++)
		for (int t = 0; t < THREADS; t++)
			SETUP((threads[i][t] = ksim_task_start(a->members[i], member_main, a)) > 0);
	SETUP(ksim_start(a->outsider, outsider_main, a) == 0);
	/* Where the members leave no room for a child, one that is killed may be long in coming. */
	for (unsigned round = 0; round < rounds || (killed == 0 && round < 1000 * rounds); round++) {
		struct ksim_process *member = a->members[round % MEMBERS];

		killed += sacrifice_child(a, member);
		if (round % MOVES == MOVES - 1)
			EXPECT_EQ(ksim_limit_memory(&member, 1, (uint64_t)a->limit_pages * PAGE), 0);
	}
	__atomic_store_n(&a->stop, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < MEMBERS; i++)
		for (int t = 0; t < THREADS; t++)
			EXPECT(ksim_task_join(a->members[i], threads[i][t], &result) == 0 && result == 0);
	EXPECT_EQ(ksim_join(a->outsider, NULL), 0);
	printf("# %u rounds, %u killed, %llu calls done, %llu refused\n", rounds, killed, (unsigned long long)a->done,
	       (unsigned long long)a->refused);
	EXPECT(killed > 0);
}

static void close_arena(struct arena *a)
{
	struct ksim_memory memory;

	EXPECT_EQ(a->over, 0);
	EXPECT_EQ(a->strange, 0);
	EXPECT_EQ(ksim_check(a->m), 0);
	for (int i = 0; i < MEMBERS; i++)
		ksim_process_end(a->members[i], 0);
	for (int i = 0; i < MEMBERS; i++) /* the file has gone, too */
		EXPECT(ksim_memory_used(a->members[i], &memory) == 0 && memory.used == 0);
	EXPECT_EQ(ksim_check(a->m), 0);
	EXPECT_EQ(ksim_halt(a->m), 0);
}

static void stress(enum ksim_arch arch, unsigned poison, int limit_pages, int range_pages)
{
	const char *text = getenv("KSIM_STRESS_ROUNDS");
	struct arena arena = { .limit_pages = limit_pages, .range_pages = range_pages };

	open_arena(&arena, arch, poison);
	/* Fewer where a round touches more. */
	run_arena(&arena,
	          1 + (text != NULL ? (unsigned)strtoul(text, NULL, 0) : 300) / (range_pages > BLOCK_PAGES ? 8 : 1));
	close_arena(&arena);
}

TEST(memory_limit, is_never_exceeded_x86_64)
{
	stress(KSIM_ARCH_X86_64, 0, SMALL_LIMIT, SMALL_RANGE);
}

/* Without poison each task keeps frames at hand. */
TEST(memory_limit, is_never_exceeded_where_tasks_keep_frames)
{
	stress(KSIM_ARCH_AARCH64, KSIM_NONE, SMALL_LIMIT, SMALL_RANGE);
}

TEST(memory_limit, is_never_exceeded_by_pages_of_2_MiB)
{
	stress(KSIM_ARCH_X86_64, KSIM_NONE, LARGE_LIMIT, LARGE_RANGE);
}
