// SPDX-License-Identifier: MIT
/*
 * No stale translation touches a recycled frame, and none outlives the call that removed it.
 *
 * Two threads of one process load and store through their TLBs, or by plain pointers through their window, all the
 * time, while other threads take their pages away in every way there is (truncation by another process, munmap, mremap,
 * fork and its copies) and a last one takes every freed frame at once, fills it with a pattern of its own, and gives it
 * back. RAM is small, so frames come round quickly, and freed frames are poisoned: the allocator itself aborts when a
 * freed frame was written to.
 *
 * The threads are those of one process, or of two that share their memory (CLONE_VM), the first of which ends first.
 *
 * What each word may hold is known: nothing yet (0), or what this page's owner stores there. So a load that sees
 * poison, the recycler's pattern or another page's mark came through a stale translation; and so did a store that
 * the recycler finds in its own page.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "access.h"
#include "harness.h"
#include "ksim/ksim.h"

enum { PAGE = 4096, PAGES = 24, READERS = 2, RAM_PAGES = 160 };

#define MARK     UINT64_C(0x4d00000000000000) /* | page | reader */
#define RECYCLED UINT64_C(0x5245435943000000)

struct arena {
	struct ksim_machine *m;
	struct ksim_process *user, *truncator, *recycler;
	struct ksim_process *sharer; /* of user's memory; or user */
	ksim_addr shared;            /* a file, mapped by user */
	ksim_addr anonymous;         /* private memory of user, mapped and unmapped, and moved */
	ksim_addr elsewhere;         /* to there */
	int fd;                      /* the file, in truncator */
	uint64_t stride;             /* pages of the file from one that is touched to the next */
	uint32_t rounds;
	uint32_t stop;             /* a */
	uint32_t file_gone;        /* a  odd: the file is empty, and ftruncate has returned */
	uint32_t anonymous_gone;   /* a  likewise, munmap or mremap */
	uint32_t wrong;            /* a */
	uint64_t accesses, faults; /* a */
};

struct reader {
	struct arena *arena;
	unsigned number;
};

static __thread sigjmp_buf recover;

/* Of the file, all of it. */
static size_t bytes_of(const struct arena *a)
{
	return PAGES * a->stride * PAGE;
}

static ksim_addr place_of(const struct arena *a, ksim_addr base, uint64_t page)
{
	return base + page * (base == a->shared ? a->stride : 1) * PAGE;
}

static void on_fault(int signo, siginfo_t *info, void *context)
{
	(void)signo;
	(void)info;
	(void)context;
	siglongjmp(recover, 1);
}

static uint64_t next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static uint32_t rounds_wanted(void)
{
	const char *text = getenv("KSIM_STRESS_ROUNDS");

	return text != NULL ? (uint32_t)strtoul(text, NULL, 0) : 500;
}

static void wrong(struct arena *a, const char *what, ksim_addr at, uint64_t value)
{
	if (__atomic_fetch_add(&a->wrong, 1, __ATOMIC_RELAXED) < 10)
		fprintf(stderr, "# %s at %#" PRIx64 ": %#" PRIx64 "\n", what, at, value);
}

/* One access of a reader to its own word of a page. @return false if it faulted */
static bool access_word(struct arena *a, ksim_addr at, uint64_t mark, bool store)
{
	uint64_t value;

	if (sigsetjmp(recover, 1) != 0)
		return false;
	if (store) {
		mem_store64(at, mark);
		return true;
	}
	value = mem_load64(at);
	if (value != 0 && value != mark)
		wrong(a, "a load came through a stale translation", at, value);
	return true;
}

/* An access while it is known whether the page can be there. */
static void access_region(struct arena *a, ksim_addr base, const uint32_t *gone, uint64_t random, unsigned reader)
{
	uint64_t page = random % PAGES;
	ksim_addr at = place_of(a, base, page) + (random >> 8) % 128 * 32 + reader * 8;
	uint32_t before = __atomic_load_n(gone, __ATOMIC_SEQ_CST);
	bool done = access_word(a, at, MARK | page << 8 | reader, random >> 32 & 1);

	if (done && before % 2 == 1 && __atomic_load_n(gone, __ATOMIC_SEQ_CST) == before)
		wrong(a, "an access succeeded after the call that removed the page had returned", at, before);
	__atomic_fetch_add(done ? &a->accesses : &a->faults, 1, __ATOMIC_RELAXED);
}

static int reader_main(void *arg)
{
	struct reader *r = arg;
	struct arena *a = r->arena;
	uint64_t random = 88172645463325252u + r->number;

	while (!__atomic_load_n(&a->stop, __ATOMIC_RELAXED)) {
		uint64_t x = next(&random);

		if (x >> 63)
			access_region(a, a->shared, &a->file_gone, x, r->number);
		else
			access_region(a, a->anonymous, &a->anonymous_gone, x, r->number);
	}
	return 0;
}

/*
 * Keep a removed page removed until somebody has run into that: the first time for as long as it takes, later not for
 * ever, for the readers may be elsewhere.
 */
static void let_them_fault(struct arena *a, uint32_t *gone)
{
	uint64_t before = __atomic_load_n(&a->faults, __ATOMIC_RELAXED);

	__atomic_fetch_add(gone, 1, __ATOMIC_SEQ_CST);
	for (int i = 0; (i < 50 || before == 0) && __atomic_load_n(&a->faults, __ATOMIC_RELAXED) == before; i++)
		sched_yield();
	__atomic_fetch_add(gone, 1, __ATOMIC_SEQ_CST);
}

/* Leave what is mapped alone until it has been used a little, so that there are translations to take away. */
static void let_them_access(struct arena *a)
{
	uint64_t before = __atomic_load_n(&a->accesses, __ATOMIC_RELAXED);

	for (int i = 0; i < 50 && __atomic_load_n(&a->accesses, __ATOMIC_RELAXED) < before + 200; i++)
		sched_yield();
}

/* Another process shrinks the file to nothing, or to less, and lets it grow again. */
static int truncator_main(void *arg)
{
	struct arena *a = arg;

	for (uint32_t i = 0; i < a->rounds; i++) {
		if (i % 3 == 0) {
			if (ksim_ftruncate(a->fd, 0) < 0)
				return 1;
			let_them_fault(a, &a->file_gone);
		} else if (ksim_ftruncate(a->fd, (off_t)(i % PAGES * a->stride) * PAGE) < 0) {
			return 1;
		}
		if (ksim_ftruncate(a->fd, (off_t)bytes_of(a)) < 0)
			return 1;
		let_them_access(a);
	}
	__atomic_store_n(&a->stop, 1, __ATOMIC_RELAXED);
	return 0;
}

/* The memory goes there with its pages; where there is no memory for nodes, it does not. */
static bool move(ksim_addr from, ksim_addr to)
{
	const size_t bytes = (size_t)PAGES * PAGE;

	return ksim_mremap(from, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to;
}

static bool map_anew(struct arena *a)
{
	return ksim_mmap(a->anonymous, (size_t)PAGES * PAGE, PROT_READ | PROT_WRITE,
	                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == a->anonymous;
}

/* A third thread of the process maps and unmaps what its siblings use, and moves it away and back. */
static int mapper_main(void *arg)
{
	const size_t bytes = (size_t)PAGES * PAGE;
	struct arena *a = arg;

	for (unsigned i = 0; !__atomic_load_n(&a->stop, __ATOMIC_RELAXED); i++) {
		bool moved;

		let_them_access(a);
		moved = i % 2 && move(a->anonymous, a->elsewhere);
		if (!moved && ksim_munmap(a->anonymous, bytes) < 0)
			return 1;
		let_them_fault(a, &a->anonymous_gone);
		if (moved && i % 4 == 1 && move(a->elsewhere, a->anonymous))
			continue;
		if (moved && ksim_munmap(a->elsewhere, bytes) < 0)
			return 1;
		if (!map_anew(a))
			return 1;
	}
	return 0;
}

/* Take what is free, mark it, look that nobody else wrote to it, give it back. */
static int recycler_main(void *arg)
{
	struct arena *a = arg;
	const uint64_t pages = 16;

	while (!__atomic_load_n(&a->stop, __ATOMIC_RELAXED)) {
		ksim_addr mine = ksim_mmap(0, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (mine == KSIM_MAP_FAILED)
			return 1;
		for (int pass = 0; pass < 2; pass++) {
			for (ksim_addr at = mine; at < mine + pages * PAGE; at += 8) {
				if (pass == 0)
					mem_store64(at, RECYCLED | at);
				else if (mem_load64(at) != (RECYCLED | at))
					wrong(a, "a store landed in a recycled frame", at, mem_load64(at));
			}
		}
		if (ksim_munmap(mine, pages * PAGE) < 0)
			return 1;
	}
	return 0;
}

/* A forked child's memory must not change while its parent goes on writing. */
static int watch(void *arg)
{
	struct arena *a = arg;

	for (uint64_t page = 0; page < PAGES; page += 5) {
		for (unsigned reader = 0; reader < READERS; reader++) {
			ksim_addr at = a->anonymous + page * PAGE + reader * 8;
			uint64_t first, second;

			if (sigsetjmp(recover, 1) != 0)
				continue;
			first = mem_load64(at);
			second = mem_load64(at);
			if (first != second || (first != 0 && first != (MARK | page << 8 | reader)))
				wrong(a, "a child's memory changed under it", at, second);
		}
	}
	return 0;
}

static void fork_all_the_time(struct arena *a)
{
	while (!__atomic_load_n(&a->stop, __ATOMIC_RELAXED)) {
		struct ksim_process *child = ksim_process_fork(a->user, "child");
		struct ksim_end end;

		if (child == NULL) {
			/* RAM is small on purpose. */
			EXPECT_EQ(errno, ENOMEM);
			continue;
		}
		if (ksim_run(child, watch, a, &end) < 0)
			wrong(a, "a child could not run", 0, (uint64_t)errno);
		ksim_process_end(child, 0);
		ksim_join(child, NULL);
	}
}

static int map_all(void *arg)
{
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
	struct arena *a = arg;
	/* Where entries of 2 MiB can be, if there is to be room for them; in a window the hint counts for nothing. */
	ksim_addr hint = a->stride > 1 ? UINT64_C(0x600000000000) : 0;
	int fd = ksim_memfd_create("arena", 0);

	ksim_sigaction(SIGBUS, &action, NULL);
	ksim_sigaction(SIGSEGV, &action, NULL);
	if (fd < 0 || ksim_ftruncate(fd, (off_t)bytes_of(a)) < 0)
		return -1;
	a->shared = ksim_mmap(hint, bytes_of(a), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	a->anonymous = ksim_mmap(0, (size_t)PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (a->shared == KSIM_MAP_FAILED || a->anonymous == KSIM_MAP_FAILED)
		return -1;
	a->elsewhere = ksim_mmap(0, (size_t)PAGES * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return a->elsewhere == KSIM_MAP_FAILED ? -1 : fd;
}

enum with { ALONE = 0, WITH_FORK = 1, WITH_CLONE = 2 };

static struct ksim_process *make_sharer(struct arena *a, unsigned with)
{
	if (!(with & WITH_CLONE))
		return a->user;
	return ksim_process_clone(a->user, "sharer", CLONE_VM | CLONE_FILES | CLONE_FS | CLONE_SIGHAND);
}

static void run_arena(struct arena *a, enum ksim_arch arch, unsigned poison, unsigned with)
{
	struct ksim_config config = {
		.ram_bytes = a->stride > 1 ? UINT64_C(16) << 20 : (uint64_t)RAM_PAGES * PAGE,
		.arch = arch,
		.poison = poison,
		.commit = a->stride > 1 ? KSIM_COMMIT_ON_TRUNCATE : KSIM_COMMIT_ON_TOUCH,
		.access = access_wanted(),
	};
	struct ksim_process *owners[READERS + 1];
	struct reader readers[READERS];
	pid_t threads[READERS + 1];
	struct ksim_end end;
	int result;

	if (a->stride == 0)
		a->stride = 1;
	a->rounds = a->stride > 1 ? rounds_wanted() / 5 + 1 : rounds_wanted();
	a->m = ksim_boot(&config);
	SETUP(a->m != NULL);
	a->user = ksim_process_create(a->m, "user");
	a->truncator = ksim_process_create(a->m, "truncator");
	a->recycler = ksim_process_create(a->m, "recycler");
	SETUP(a->user != NULL && a->truncator != NULL && a->recycler != NULL);
	SETUP(ksim_run(a->user, map_all, a, &end) == 0 && end.alive && end.code >= 0);
	a->fd = ksim_fd_copy(a->user, end.code, a->truncator);
	SETUP(a->fd >= 0);
	a->sharer = make_sharer(a, with);
	SETUP(a->sharer != NULL);
	for (unsigned i = 0; i < READERS; i++) {
		readers[i] = (struct reader){ .arena = a, .number = i };
		owners[i] = i % 2 ? a->user : a->sharer;
		threads[i] = ksim_task_start(owners[i], reader_main, &readers[i]);
		SETUP(threads[i] > 0);
	}
	owners[READERS] = a->sharer;
	threads[READERS] = ksim_task_start(a->sharer, mapper_main, a);
	SETUP(threads[READERS] > 0);
	SETUP(ksim_start(a->recycler, recycler_main, a) == 0);
	SETUP(ksim_start(a->truncator, truncator_main, a) == 0);
	if (with & WITH_FORK)
		fork_all_the_time(a);
	EXPECT_EQ(ksim_join(a->truncator, &end), 0);
	EXPECT_MSG(end.signo == 0 && end.code == 0, "%s", end.text);
	EXPECT_EQ(ksim_join(a->recycler, &end), 0);
	EXPECT_MSG(end.signo == 0 && end.code == 0, "%s", end.text);
	for (unsigned i = 0; i <= READERS; i++) {
		EXPECT_EQ(ksim_task_join(owners[i], threads[i], &result), 0);
		EXPECT_EQ(result, 0);
	}
	if (with & WITH_CLONE) {
		EXPECT_EQ(ksim_process_end(a->user, 0), 0);
		EXPECT_EQ(ksim_join(a->user, NULL), 0);
	}
	EXPECT_EQ(a->wrong, 0);
	EXPECT_MSG(a->faults > 0, "no access ever met a page that had been taken away");
	EXPECT_EQ(ksim_check(a->m), 0);
	EXPECT_EQ(ksim_halt(a->m), 0);
	printf("# %u rounds, %" PRIu64 " accesses, %" PRIu64 " faults\n", a->rounds, a->accesses, a->faults);
}

TEST(translation, no_stale_translation_survives_truncation_and_munmap_x86_64)
{
	struct arena arena = { 0 };

	run_arena(&arena, KSIM_ARCH_X86_64, 0, ALONE);
}

TEST(translation, no_stale_translation_survives_truncation_and_munmap_aarch64)
{
	struct arena arena = { 0 };

	run_arena(&arena, KSIM_ARCH_AARCH64, 0, ALONE);
}

TEST(translation, no_stale_translation_survives_fork_and_copy_on_write)
{
	struct arena arena = { 0 };

	run_arena(&arena, KSIM_ARCH_HOST, 0, WITH_FORK);
}

/* Without poison each task keeps frames at hand, and nodes come round as they are. */
TEST(translation, no_stale_translation_survives_where_tasks_keep_frames)
{
	struct arena arena = { 0 };

	run_arena(&arena, KSIM_ARCH_HOST, KSIM_NONE, ALONE);
}

TEST(translation, no_stale_translation_survives_fork_where_tasks_keep_frames)
{
	struct arena arena = { 0 };

	run_arena(&arena, KSIM_ARCH_HOST, KSIM_NONE, WITH_FORK);
}

TEST(translation, no_stale_translation_survives_among_processes_that_share_memory)
{
	struct arena arena = { 0 };

	run_arena(&arena, KSIM_ARCH_HOST, 0, WITH_CLONE);
}

TEST(translation, no_stale_translation_survives_fork_among_processes_that_share_memory)
{
	struct arena arena = { 0 };

	run_arena(&arena, KSIM_ARCH_AARCH64, KSIM_NONE, WITH_FORK | WITH_CLONE);
}

/* The file is there in blocks of 2 MiB, and large enough for huge entries, which truncation takes or splits. */
TEST(translation, no_stale_translation_of_a_huge_entry_survives)
{
	struct arena arena = { .stride = 43 };

	run_arena(&arena, KSIM_ARCH_X86_64, 0, ALONE);
}

TEST(translation, no_stale_translation_of_a_huge_entry_survives_where_tasks_keep_frames)
{
	struct arena arena = { .stride = 43 };

	run_arena(&arena, KSIM_ARCH_AARCH64, KSIM_NONE, WITH_FORK);
}
