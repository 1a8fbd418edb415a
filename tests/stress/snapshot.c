// SPDX-License-Identifier: MIT
/*
 * fork while others write: a child's page is the parent's at one moment.
 *
 * Each writer has pages of its own and fills them, word after word from the first to the last, with the number of its
 * round; now and then it gives a page back first, so that it faults anew. So at any moment the words of a page never
 * grow from the first to the last, and differ by one at most, or are zeros behind. A child that finds otherwise has
 * seen a store that came after the moment of its copy; and one whose page changes under it shares a frame that it must
 * not.
 *
 * The writers are threads of two processes that share memory, and either is forked.
 */
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "access.h"
#include "harness.h"
#include "ksim/ksim.h"

enum { PAGE = 4096, WRITERS = 2, PAGES = 4 /* of each writer */, WORDS = PAGE / 8, STRIDE = 16, RAM_PAGES = 512 };

struct field {
	struct ksim_machine *m;
	ksim_addr base;
	uint32_t stop;            /* a */
	uint32_t wrong;           /* a */
	uint64_t rounds[WRITERS]; /* a  of each writer */
};

struct writer {
	struct field *field;
	unsigned number;
};

static int writer_main(void *arg)
{
	const struct writer *w = arg;
	struct field *f = w->field;
	uint64_t round = 0;

	while (!__atomic_load_n(&f->stop, __ATOMIC_RELAXED)) {
		ksim_addr page = f->base + (w->number * PAGES + round % PAGES) * PAGE;
		uint64_t value = 1 + round / PAGES;

		if (round % 7 == 0 && ksim_madvise(page, PAGE, MADV_DONTNEED) < 0)
			return 1;
		for (unsigned i = 0; i < WORDS; i += STRIDE)
			mem_store64(page + (ksim_addr)i * 8, value);
		__atomic_store_n(&f->rounds[w->number], ++round, __ATOMIC_RELAXED);
	}
	return 0;
}

static void wrong(struct field *f, const char *what, ksim_addr at, uint64_t value, uint64_t before)
{
	if (__atomic_fetch_add(&f->wrong, 1, __ATOMIC_RELAXED) < 10)
		fprintf(stderr, "# %s at %#" PRIx64 ": %" PRIu64 " after %" PRIu64 "\n", what, at, value, before);
}

static void look_at_page(struct field *f, ksim_addr page)
{
	uint64_t first = mem_load64(page), before = first;

	for (unsigned i = STRIDE; i < WORDS; i += STRIDE) {
		ksim_addr at = page + (ksim_addr)i * 8;
		uint64_t value = mem_load64(at);

		if (value > before || (value != 0 && first - value > 1))
			wrong(f, "a page is of two moments", at, value, before);
		before = value;
	}
	if (mem_load64(page) != first)
		wrong(f, "a page changed under its only process", page, mem_load64(page), first);
}

static int look(void *arg)
{
	struct field *f = arg;

	for (int pass = 0; pass < 2; pass++)
		for (unsigned i = 0; i < WRITERS * PAGES; i++)
			look_at_page(f, f->base + (ksim_addr)i * PAGE);
	return 0;
}

static void let_them_write(const struct field *f)
{
	for (unsigned i = 0; i < WRITERS; i++) {
		uint64_t before = __atomic_load_n(&f->rounds[i], __ATOMIC_RELAXED);

		while (__atomic_load_n(&f->rounds[i], __ATOMIC_RELAXED) == before)
			sched_yield();
	}
}

/* Fork, look, and end. */
static void take_snapshot(struct field *f, struct ksim_process *of)
{
	struct ksim_process *child;
	struct ksim_end end;

	let_them_write(f);
	child = ksim_process_fork(of, "child");
	REQUIRE(child != NULL);
	EXPECT_EQ(ksim_run(child, look, f, &end), 0);
	EXPECT_MSG(end.alive, "%s", end.text);
	ksim_process_end(child, 0);
	EXPECT_EQ(ksim_join(child, NULL), 0);
}

static void run(enum ksim_arch arch, unsigned poison)
{
	const char *rounds = getenv("KSIM_STRESS_ROUNDS");
	unsigned snapshots = rounds != NULL ? (unsigned)strtoul(rounds, NULL, 0) : 500;
	struct ksim_config config = {
		.ram_bytes = (uint64_t)RAM_PAGES * PAGE, .arch = arch, .poison = poison, .access = access_wanted()
	};
	struct field f = { .m = ksim_boot(&config) };
	struct ksim_process *of[WRITERS];
	struct writer writers[WRITERS];
	pid_t threads[WRITERS];
	int result = -1;

	SETUP(f.m != NULL);
	of[0] = ksim_process_create(f.m, "writer");
	SETUP(of[0] != NULL);
	ksim_as(of[0])
		f.base = ksim_mmap(0, (size_t)WRITERS * PAGES * PAGE, PROT_READ | PROT_WRITE,
		                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	SETUP(f.base != KSIM_MAP_FAILED);
	of[1] = ksim_process_clone(of[0], "sharer", CLONE_VM);
	SETUP(of[1] != NULL);
	for (unsigned i = 0; i < WRITERS; i++) {
		writers[i] = (struct writer){ .field = &f, .number = i };
		threads[i] = ksim_task_start(of[i], writer_main, &writers[i]);
		SETUP(threads[i] > 0);
	}
	for (unsigned i = 0; i < snapshots; i++)
		take_snapshot(&f, of[i % WRITERS]);
	__atomic_store_n(&f.stop, 1, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < WRITERS; i++) {
		EXPECT_EQ(ksim_task_join(of[i], threads[i], &result), 0);
		EXPECT_EQ(result, 0);
	}
	EXPECT_EQ(f.wrong, 0);
	EXPECT_EQ(ksim_check(f.m), 0);
	EXPECT_EQ(ksim_halt(f.m), 0);
	printf("# %u snapshots of %" PRIu64 " and %" PRIu64 " rounds\n", snapshots, f.rounds[0], f.rounds[1]);
}

TEST(snapshot, page_of_a_child_is_its_parents_at_one_moment_x86_64)
{
	run(KSIM_ARCH_X86_64, 0);
}

TEST(snapshot, page_of_a_child_is_its_parents_at_one_moment_aarch64)
{
	run(KSIM_ARCH_AARCH64, 0);
}

TEST(snapshot, page_of_a_child_is_its_parents_at_one_moment_where_tasks_keep_frames)
{
	run(KSIM_ARCH_HOST, KSIM_NONE);
}
