// SPDX-License-Identifier: MIT
/*
 * Several threads of one process, each with a TLB, against truncation, unmapping, protection and fork.
 *
 * A TLB here is a few translations under a mutex that is held over each access, so invalidate waits for accesses as
 * the real one does, and the thread sanitizer sees whoever touches a frame that has gone. Freed frames are poisoned,
 * and every page has values of its own: a byte found in the wrong page, or poison, is a broken promise.
 */
#include "bed.h"

#include <pthread.h>

#include "host/barrier.h"

enum {
	WAYS = 8,
	PAGES = 8,
	ROUNDS = 400,
	ENOUGH = 20,       /* times that each thread must have done its work */
	ANON_VALUE = 1,    /* page i of anonymous memory holds 0 or 1 + i */
	FILE_VALUE = 50,   /* page i of the file */
	PRIVATE_VALUE = 90 /* page i of its private mapping, once stored to; 0 or the file's before */
};

#define SHARED_BASE  (BASE + 16 * PAGE_BYTES)
#define PRIVATE_BASE (BASE + 32 * PAGE_BYTES)

struct translation {
	ksim_addr page; /* 0: none */
	pfn_t pfn;
	bool writable;
};

struct cpu {
	struct mmu_notifier notifier;
	pthread_mutex_t lock; /* of tlb; held over each access and each walk */
	struct translation tlb[WAYS];
	struct ctx ctx;
	struct mm *mm;
	uint64_t seed;
	uint64_t wrong; /* bytes that cannot be there */
	uint64_t gone;  /* translations of frames that were free when they were dropped */
};

/* What the threads of a test share. */
struct arena {
	struct bed *b;
	struct mm *mm;
	struct object *object;
	bool stop;       /* a */
	uint64_t shrunk; /* a  odd while the file is known to be empty */
	pthread_barrier_t meet;
};

struct worker {
	struct arena *a;
	struct cpu cpu;
	pthread_t thread;
	uint64_t count; /* a */
};

static void drop_translations(struct ctx *ctx, struct mmu_notifier *notifier, ksim_addr start, ksim_addr end,
                              bool nodes)
{
	struct cpu *cpu = container_of(notifier, struct cpu, notifier);

	(void)nodes; /* walks are under the lock too */
	pthread_mutex_lock(&cpu->lock);
	for (unsigned i = 0; i < WAYS; i++) {
		struct translation *t = &cpu->tlb[i];

		if (t->page == 0 || t->page < start || t->page >= end)
			continue;
		if (frame_refs(ctx->env->phys, t->pfn) == 0 || frame_of(ctx->env->phys, t->pfn)->use == FRAME_FREE)
			cpu->gone++;
		t->page = 0;
	}
	pthread_mutex_unlock(&cpu->lock);
}

static void cpu_init(struct cpu *cpu, struct bed *b, struct mm *mm, uint64_t seed)
{
	memset(cpu, 0, sizeof(*cpu));
	SETUP(pthread_mutex_init(&cpu->lock, NULL) == 0);
	bed_ctx(b, &cpu->ctx);
	cpu->mm = mm;
	cpu->seed = seed;
	cpu->notifier.invalidate = drop_translations;
	mm_notifier_add(&cpu->ctx, mm, &cpu->notifier);
}

static void cpu_fini(struct cpu *cpu)
{
	mm_notifier_remove(&cpu->ctx, cpu->mm, &cpu->notifier);
	ctx_drain(&cpu->ctx);
	EXPECT_EQ(cpu->wrong, 0);
	EXPECT_EQ(cpu->gone, 0);
	EXPECT_EQ(cpu->ctx.held, 0);
	pthread_mutex_destroy(&cpu->lock);
}

/* The translation of a page, filled by a walk if need be; NULL: fault. */
static const struct translation *lookup_locked(struct cpu *cpu, ksim_addr page, bool write)
{
	struct translation *t = &cpu->tlb[(page >> PAGE_SHIFT) % WAYS];
	pte_t pte;

	if (t->page == page && (t->writable || !write))
		return t;
	pte = pt_walk(&cpu->mm->pt, page);
	if (!pte_allows(cpu->mm->pt.format, pte, write ? PTE_WRITE : PTE_READ))
		return NULL;
	*t = (struct translation){ page, pte_pfn(pte), pte_allows(cpu->mm->pt.format, pte, PTE_WRITE) };
	return t;
}

/* Load, or store the value if it is not negative. @return the byte there before, or -signal */
static int cpu_access(struct cpu *cpu, ksim_addr addr, int value)
{
	for (;;) {
		const struct translation *t;
		struct fault fault;
		int found = 0;

		pthread_mutex_lock(&cpu->lock);
		t = lookup_locked(cpu, page_down(addr), value >= 0);
		if (t != NULL) {
			uint8_t *byte = (uint8_t *)frame_ptr(cpu->mm->pt.phys, t->pfn) + addr % PAGE_BYTES;

			found = __atomic_load_n(byte, __ATOMIC_RELAXED);
			if (value >= 0)
				__atomic_store_n(byte, (uint8_t)value, __ATOMIC_RELAXED);
		}
		pthread_mutex_unlock(&cpu->lock);
		if (t != NULL)
			return found;
		if (mm_fault(&cpu->ctx, cpu->mm, addr, value >= 0 ? ACCESS_WRITE : ACCESS_READ, &fault) < 0)
			return -fault.signo;
	}
}

static void start(struct worker *w, struct arena *a, uint64_t seed, void *(*body)(void *))
{
	memset(w, 0, sizeof(*w));
	w->a = a;
	cpu_init(&w->cpu, a->b, a->mm, seed * UINT64_C(0x9e3779b97f4a7c15));
	SETUP(pthread_create(&w->thread, NULL, body, w) == 0);
}

static void join(struct worker *w)
{
	pthread_join(w->thread, NULL);
	cpu_fini(&w->cpu);
}

static bool has_done(struct worker *w, uint64_t n)
{
	return __atomic_load_n(&w->count, __ATOMIC_RELAXED) >= n;
}

static bool stopped(struct arena *a)
{
	return __atomic_load_n(&a->stop, __ATOMIC_ACQUIRE);
}

static unsigned pick(struct cpu *cpu, unsigned n)
{
	return (unsigned)(rnd(&cpu->seed) >> 20) % n;
}

/* One access to page i of an area; what is found is one of its values. */
static void touch(struct cpu *cpu, unsigned area, unsigned i)
{
	static const ksim_addr base[] = { BASE, SHARED_BASE, PRIVATE_BASE };
	static const int value[] = { ANON_VALUE, FILE_VALUE, PRIVATE_VALUE };
	int found = cpu_access(cpu, base[area] + i * PAGE_BYTES + 8 * pick(cpu, 4),
	                       pick(cpu, 2) ? value[area] + (int)i : -1);

	if (found > 0 && found != value[area] + (int)i && !(area == 2 && found == FILE_VALUE + (int)i))
		cpu->wrong++;
	if (found < 0 && found != -SIGSEGV && found != -SIGBUS)
		cpu->wrong++;
}

static void *toucher(void *arg)
{
	struct worker *w = arg;

	while (!stopped(w->a)) {
		touch(&w->cpu, pick(&w->cpu, 3), pick(&w->cpu, PAGES));
		__atomic_fetch_add(&w->count, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* A child is forked, looked at and ended. */
static void *forker(void *arg)
{
	struct worker *w = arg;
	struct cpu child;

	while (!stopped(w->a)) {
		struct mm *mm;

		if (mm_fork(&w->cpu.ctx, w->cpu.mm, &mm) < 0) {
			ctx_drain(&w->cpu.ctx);
			continue;
		}
		cpu_init(&child, w->a->b, mm, rnd(&w->cpu.seed));
		for (unsigned i = 0; i < 3 * PAGES; i++)
			touch(&child, pick(&child, 3), pick(&child, PAGES));
		cpu_fini(&child);
		mm_put(&w->cpu.ctx, mm);
		ctx_drain(&w->cpu.ctx);
		__atomic_fetch_add(&w->count, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void map_areas(struct bed *b, struct arena *a)
{
	mapped(b, a->mm, anon_at(BASE, PAGES));
	mapped(b, a->mm, file_at(a->object, SHARED_BASE, PAGES, 0, true));
	mapped(b, a->mm, file_at(a->object, PRIVATE_BASE, PAGES, 0, false));
}

/* DONTNEED, REMOVE, DONTFORK, DOFORK, WIPEONFORK, POPULATE_READ, POPULATE_WRITE, GUARD_INSTALL, GUARD_REMOVE */
static const int advices[] = { 4, 9, 10, 11, 18, 22, 23, 102, 103 };

/* One change of the address space or of the file. */
static void change(struct arena *a, struct cpu *cpu)
{
	struct ctx *ctx = &a->b->ctx;
	ksim_addr base = BASE + 16 * PAGE_BYTES * pick(cpu, 3);
	unsigned first = pick(cpu, PAGES), n = 1 + pick(cpu, PAGES - first);
	ksim_addr addr = base + first * PAGE_BYTES;

	switch (pick(cpu, 9)) {
	case 0:
		EXPECT_EQ(mm_unmap(ctx, a->mm, base + first * PAGE_BYTES, n * PAGE_BYTES), 0);
		break;
	case 1:
		map_areas(a->b, a);
		break;
	case 2:
		mm_protect(ctx, a->mm, base + first * PAGE_BYTES, n * PAGE_BYTES, pick(cpu, 2) ? PROT_R : 0);
		break;
	case 3:
		mm_protect(ctx, a->mm, base, PAGES * PAGE_BYTES, RW);
		break;
	case 4:
	case 5:
		mm_advise(ctx, a->mm, addr, n * PAGE_BYTES, advices[pick(cpu, ARRAY_SIZE(advices))]);
		break;
	case 6:
		if (pick(cpu, 2))
			mm_lock(ctx, a->mm, addr, n * PAGE_BYTES, pick(cpu, 2) ? MM_LOCK_ON_FAULT : 0);
		else
			mm_unlock(ctx, a->mm, addr, n * PAGE_BYTES);
		break;
	default:
		object_resize(ctx, a->object, first * PAGE_BYTES + pick(cpu, 2) * 100);
		object_resize(ctx, a->object, PAGES * PAGE_BYTES);
		break;
	}
	ctx_drain(ctx);
}

static void arena_open(struct arena *a, struct bed *b, uint64_t file_pages)
{
	memset(a, 0, sizeof(*a));
	a->b = b;
	a->mm = space(b);
	a->object = file(b, file_pages);
	SETUP(pthread_barrier_init(&a->meet, NULL, 2) == 0);
}

static void arena_close(struct arena *a)
{
	expect_sound(a->b, a->mm);
	drop(a->b, a->mm);
	file_drop(a->b, a->object);
	pthread_barrier_destroy(&a->meet);
}

static void storm_body(struct bed *b)
{
	struct worker touchers[2], fork;
	struct cpu changer = { .seed = 77 };
	struct arena a;

	arena_open(&a, b, PAGES);
	map_areas(b, &a);
	start(&touchers[0], &a, 1, toucher);
	start(&touchers[1], &a, 2, toucher);
	start(&fork, &a, 3, forker);
	for (unsigned i = 0; i < 3 * ROUNDS || !has_done(&touchers[0], ENOUGH) || !has_done(&touchers[1], ENOUGH) ||
	                     !has_done(&fork, ENOUGH);
	     i++) {
		change(&a, &changer);
		if (i % 8 == 0)
			host_yield();
	}
	__atomic_store_n(&a.stop, true, __ATOMIC_RELEASE);
	join(&touchers[0]);
	join(&touchers[1]);
	join(&fork);
	arena_close(&a);
}

/* DESIGN, decisions 2 to 4: no load returns poison, no store lands in a freed frame. */
TEST(mm_threads, no_access_reaches_a_frame_that_was_taken_away)
{
	on_both(storm_body);
}

/* Looks at the file while it is known to be empty, and must get SIGBUS. */
static void *reader_of_empty(void *arg)
{
	struct worker *w = arg;
	uint64_t *shrunk = &w->a->shrunk;

	while (!stopped(w->a)) {
		uint64_t before = __atomic_load_n(shrunk, __ATOMIC_ACQUIRE);
		int found =
			cpu_access(&w->cpu, SHARED_BASE + pick(&w->cpu, PAGES) * PAGE_BYTES, (int)pick(&w->cpu, 2) - 1);

		host_fence();
		if (before % 2 == 1 && __atomic_load_n(shrunk, __ATOMIC_ACQUIRE) == before) {
			__atomic_fetch_add(&w->count, 1, __ATOMIC_RELAXED);
			if (found != -SIGBUS)
				w->cpu.wrong++;
		}
	}
	return NULL;
}

static void sigbus_body(struct bed *b)
{
	struct worker readers[2];
	struct arena a;

	arena_open(&a, b, PAGES);
	map_areas(b, &a);
	start(&readers[0], &a, 1, reader_of_empty);
	start(&readers[1], &a, 2, reader_of_empty);
	for (unsigned i = 0; i < 2 * ROUNDS || !has_done(&readers[0], ENOUGH) || !has_done(&readers[1], ENOUGH); i++) {
		object_resize(&b->ctx, a.object, 0);
		__atomic_fetch_add(&a.shrunk, 1, __ATOMIC_SEQ_CST);
		if (i % 4 == 0)
			host_yield();
		__atomic_fetch_add(&a.shrunk, 1, __ATOMIC_SEQ_CST);
		object_resize(&b->ctx, a.object, PAGES * PAGE_BYTES);
	}
	__atomic_store_n(&a.stop, true, __ATOMIC_RELEASE);
	join(&readers[0]);
	join(&readers[1]);
	arena_close(&a);
}

/* SEMANTICS 53: "then SIGBUS". */
TEST(mm_threads, after_ftruncate_has_returned_every_access_beyond_is_SIGBUS)
{
	on_both(sigbus_body);
}

enum { MANY = 1200, FORKS = 24 };

/* Truncates whenever the other forks. */
static void *truncater(void *arg)
{
	struct worker *w = arg;
	struct arena *a = w->a;

	for (unsigned i = 0; i < FORKS; i++) {
		pthread_barrier_wait(&a->meet);
		for (unsigned spin = pick(&w->cpu, 4000) * (i % 3); spin > 0 && !stopped(a); spin--)
			;
		object_resize(&w->cpu.ctx, a->object, 100 * PAGE_BYTES);
		pthread_barrier_wait(&a->meet);
	}
	return NULL;
}

static void fork_truncate_body(struct bed *b)
{
	struct worker w;
	struct arena a;

	arena_open(&a, b, MANY);
	mapped(b, a.mm, file_at(a.object, PRIVATE_BASE, MANY, 0, false));
	start(&w, &a, 5, truncater);
	for (unsigned i = 0; i < FORKS; i++) {
		struct mm *child;

		object_resize(&b->ctx, a.object, MANY * PAGE_BYTES);
		for (unsigned page = 0; page < MANY; page++)
			EXPECT_EQ(st8(b, a.mm, PRIVATE_BASE + page * PAGE_BYTES, 7), 0);
		pthread_barrier_wait(&a.meet);
		child = forked(b, a.mm);
		pthread_barrier_wait(&a.meet);
		expect_sound(b, child);
		expect_sound(b, a.mm);
		EXPECT_EQ(ld8(b, child, PRIVATE_BASE + 99 * PAGE_BYTES), 7);
		EXPECT_EQ(ld8(b, child, PRIVATE_BASE + (MANY - 1) * PAGE_BYTES), -SIGBUS);
		drop(b, child);
	}
	join(&w);
	arena_close(&a);
}

/* SEMANTICS 54, for a child that is just being made. */
TEST(mm_threads, a_child_forked_during_truncation_has_no_page_beyond_the_end)
{
	on_both(fork_truncate_body);
}

/* Fills a page again and again by one copy of the kernel. */
static void *copier(void *arg)
{
	struct worker *w = arg;
	char page[PAGE_BYTES];

	w->cpu.ctx.mm = w->cpu.mm;
	while (!stopped(w->a)) {
		memset(page, 1 + (int)(__atomic_fetch_add(&w->count, 1, __ATOMIC_RELAXED) % 100), sizeof(page));
		if (mm_user_ops.copy(&w->cpu.ctx, BASE, page, sizeof(page), true) != sizeof(page))
			w->cpu.wrong++;
	}
	return NULL;
}

static void copy_fork_body(struct bed *b)
{
	struct worker w;
	struct arena a;

	arena_open(&a, b, 1);
	mapped(b, a.mm, anon_at(BASE, 1));
	EXPECT_EQ(st8(b, a.mm, BASE, 0), 0);
	start(&w, &a, 1, copier);
	for (unsigned i = 0; i < ROUNDS || !has_done(&w, ENOUGH); i++) {
		struct mm *child = forked(b, a.mm);
		uint8_t page[PAGE_BYTES], later[PAGE_BYTES];

		b->ctx.mm = child;
		EXPECT_EQ(mm_user_ops.copy(&b->ctx, BASE, page, sizeof(page), false), sizeof(page));
		EXPECT_MSG(page[0] == page[PAGE_BYTES / 2] && page[0] == page[PAGE_BYTES - 1],
		           "half a copy: %u, %u, %u", page[0], page[PAGE_BYTES / 2], page[PAGE_BYTES - 1]);
		host_yield();
		EXPECT_EQ(mm_user_ops.copy(&b->ctx, BASE, later, sizeof(later), false), sizeof(later));
		EXPECT_MEMEQ(later, page, sizeof(page));
		drop(b, child);
	}
	__atomic_store_n(&a.stop, true, __ATOMIC_RELEASE);
	join(&w);
	arena_close(&a);
}

TEST(mm_threads, a_child_never_sees_what_the_kernel_copies_to_its_parent_afterwards)
{
	on_both(copy_fork_body);
}

enum { TOGETHER = 300 };

/* Stores byte 1 of every page while the other stores byte 0. */
static void *second(void *arg)
{
	struct worker *w = arg;
	struct arena *a = w->a;

	for (unsigned round = 0; round < 3; round++) {
		pthread_barrier_wait(&a->meet);
		for (unsigned i = 0; i < TOGETHER; i++)
			if (cpu_access(&w->cpu, BASE + i * PAGE_BYTES + 1, 20 + (int)round) < 0)
				w->cpu.wrong++;
		pthread_barrier_wait(&a->meet);
	}
	return NULL;
}

/* What both of them find: nothing, the frame of zeros, and frames shared with a child. */
static void together_body(struct bed *b)
{
	struct mm *child = NULL;
	struct worker w;
	struct cpu first;
	struct arena a;

	arena_open(&a, b, 1);
	mapped(b, a.mm, anon_at(BASE, TOGETHER));
	cpu_init(&first, b, a.mm, 1);
	start(&w, &a, 2, second);
	for (int round = 0; round < 3; round++) {
		if (round == 1)
			mapped(b, a.mm, anon_at(BASE, TOGETHER));
		for (unsigned i = 0; round == 1 && i < TOGETHER; i++)
			EXPECT_EQ(ld8(b, a.mm, BASE + i * PAGE_BYTES), 0);
		if (round == 2)
			child = forked(b, a.mm);
		pthread_barrier_wait(&a.meet);
		for (unsigned i = 0; i < TOGETHER; i++)
			if (cpu_access(&first, BASE + i * PAGE_BYTES, 10 + round) < 0)
				first.wrong++;
		pthread_barrier_wait(&a.meet);
		for (unsigned i = 0; i < TOGETHER; i++) {
			EXPECT_EQ(ld8(b, a.mm, BASE + i * PAGE_BYTES), 10 + round);
			EXPECT_EQ(ld8(b, a.mm, BASE + i * PAGE_BYTES + 1), 20 + round);
		}
		expect_sound(b, a.mm);
	}
	EXPECT_EQ(ld8(b, child, BASE), 11);
	join(&w);
	cpu_fini(&first);
	drop(b, child);
	arena_close(&a);
}

TEST(mm_threads, two_threads_that_store_to_a_new_page_at_once_get_the_same_frame)
{
	on_both(together_body);
}
