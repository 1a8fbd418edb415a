// SPDX-License-Identifier: MIT
/*
 * Windows: a mapping is a plain pointer. That what libc does to it is done, that soft access sees the same bytes, and
 * that sharing, copy-on-write, fork and the calls that take memory away mean for pointers what they mean on Linux.
 */
#include "native.h"

#include <sched.h>
#include <setjmp.h>
#include <stdlib.h>

/* ---- a pointer as any other ---- */

TEST(native_memory, libc_reads_and_writes_a_mapping)
{
	struct ksim_machine *m = native_boot();

	ksim_as(bed_process(m, "p")) {
		char *text = native_map(3, RW, MAP_PRIVATE), *other = text + PAGE - 3;

		EXPECT_EQ(text[0], '\0');
		EXPECT_STREQ(strcpy(text, "hello"), "hello");
		EXPECT_EQ(snprintf(other, 2 * PAGE, "%s, %*d", "hello", PAGE, 5), PAGE + 7);
		EXPECT_EQ(strlen(other), PAGE + 7);
		EXPECT(memchr(other, '5', 2 * PAGE) == other + PAGE + 6);
		EXPECT(memmove(text + 1, other, PAGE) == text + 1);
		EXPECT(strncmp(text + 1, "hello, ", 5) == 0);
		memset(text, 'x', 3 * PAGE);
		EXPECT_EQ(text[3 * PAGE - 1], 'x');
		EXPECT_EQ(native_unmap(text, 3), 0);
	}
	bed_halt(m);
}

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(int));
}

TEST(native_memory, qsort_of_a_mapped_file_is_read_back_by_read)
{
	struct ksim_machine *m = native_boot();
	enum { N = 2 * PAGE / sizeof(int) };
	static int back[N];

	ksim_as(bed_process(m, "p")) {
		int fd = native_file(2);
		int *numbers = (int *)(void *)native_map_file(fd, 2, RW, MAP_SHARED);

		for (int i = 0; i < N; i++)
			numbers[i] = (i * 7919) % N;
		qsort(numbers, N, sizeof(int), compare);
		EXPECT_EQ(ksim_read(fd, back, sizeof(back)), sizeof(back));
		EXPECT_MEMEQ(numbers, back, sizeof(back));
		qsort(back, N, sizeof(int), compare);
		EXPECT_MEMEQ(numbers, back, sizeof(back));
	}
	bed_halt(m);
}

TEST(native_memory, user_address_is_the_pointer_and_back)
{
	/* <ksim/mem.h>: but in a forked child. */
	struct ksim_machine *m = native_boot();
	struct ksim_process *p = bed_process(m, "p");
	struct ksim_window window;

	ksim_window(p, &window);
	EXPECT((ksim_addr)(uintptr_t)window.start == window.user && window.bytes >= 16 << 20);
	ksim_as(p) {
		ksim_addr at = bed_map(1, RW, MAP_PRIVATE);
		char local;

		EXPECT(at >= window.user && at + PAGE <= window.user + window.bytes);
		EXPECT(ksim_ptr(at + 5) == (void *)(uintptr_t)(at + 5));
		EXPECT_EQ(ksim_addr_of(ksim_ptr(at + 5)), at + 5);
		EXPECT(ksim_ptr(window.user) == window.start);
		EXPECT(ksim_ptr(window.user + window.bytes - 1) != NULL);
		EXPECT(ksim_ptr(window.user + window.bytes) == NULL && ksim_ptr(window.user - 1) == NULL);
		EXPECT(ksim_ptr(0) == NULL);
		EXPECT_EQ(ksim_addr_of(&local), (uintptr_t)&local);
		EXPECT_EQ(ksim_addr_of(NULL), 0);
	}
	bed_halt(m);
}

TEST(native_memory, soft_and_native_access_see_the_same_bytes)
{
	struct ksim_machine *m = native_boot();

	ksim_as(bed_process(m, "p")) {
		static const int kinds[] = { MAP_PRIVATE, MAP_SHARED };

		for (int i = 0; i < 2; i++) {
			uint32_t *p = (uint32_t *)(void *)native_map(2, RW, kinds[i]);
			volatile uint32_t *words = p;
			ksim_addr at = ksim_addr_of(p);

			ksim_store32(at + 4, 7);
			EXPECT_EQ(words[1], 7);
			words[1] = 8;
			EXPECT_EQ(ksim_load32(at + 4), 8);
			EXPECT_EQ(ksim_atomic_fetch_add32(at + 4, 1), 8);
			EXPECT_EQ(__atomic_add_fetch(&p[1], 1, __ATOMIC_SEQ_CST), 10);
			strcpy((char *)p + PAGE - 2, "abcd");
			EXPECT_EQ(ksim_strlen(at + PAGE - 2), 4);
			ksim_fill(at, 'f', 2 * PAGE);
			EXPECT_EQ(words[2 * PAGE / 4 - 1], 0x66666666);
		}
	}
	bed_halt(m);
}

TEST(native_memory, errno_survives_the_fault_that_brings_a_page_in)
{
	/* As on the host, a page fault is no call. */
	struct ksim_machine *m = native_boot();

	ksim_as(bed_process(m, "p")) {
		char *map = native_map(100, RW, MAP_PRIVATE);

		errno = 123;
		for (int i = 0; i < 100; i++)
			native_store(map + (size_t)i * PAGE);
		EXPECT_EQ(errno, 123);
	}
	bed_halt(m);
}

TEST(native_memory, one_address_may_fault_any_number_of_times)
{
	/* Each time the page has been replaced, so each time there is something to do. */
	const int times = RUNNING_ON_VALGRIND ? 1000 : 12000;
	struct ksim_machine *m = native_boot();
	int nwrong = 0;

	ksim_as(bed_process(m, "p")) {
		char *map = native_map(1, RW, MAP_PRIVATE);
		ksim_addr at = ksim_addr_of(map);

		for (int i = 0; i < times; i++) {
			nwrong += ksim_mmap(at, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != at;
			nwrong += native_load(map) != 0;
			native_store(map);
		}
	}
	EXPECT_EQ(nwrong, 0);
	bed_halt(m);
}

/* ---- sharing and copying ---- */

TEST(native_memory, two_processes_see_each_others_stores_to_a_file)
{
	struct ksim_machine *m = native_boot();
	struct ksim_process *who[2] = { bed_process(m, "a"), bed_process(m, "b") };
	char *map[2] = { NULL, NULL };
	int fd[2] = { -1, -1 };

	ksim_as(who[0])
		fd[0] = native_file(2);
	fd[1] = ksim_fd_copy(who[0], fd[0], who[1]);
	for (int i = 0; i < 2; i++)
		ksim_as(who[i])
			map[i] = native_map_file(fd[i], 2, RW, MAP_SHARED);
	EXPECT(map[0] != map[1]);
	ksim_as(who[0])
		strcpy(map[0] + PAGE - 3, "from a");
	ksim_as(who[1]) {
		EXPECT_STREQ(map[1] + PAGE - 3, "from a");
		strcpy(map[1] + PAGE - 3, "from b");
	}
	ksim_as(who[0]) {
		char text[7];

		EXPECT_STREQ(map[0] + PAGE - 3, "from b");
		EXPECT_EQ(ksim_pread(fd[0], text, 7, PAGE - 3), 7);
		EXPECT_STREQ(text, "from b");
		EXPECT_EQ(ksim_pwrite(fd[0], "call", 5, PAGE - 3), 5);
	}
	ksim_as(who[1])
		EXPECT_STREQ(map[1] + PAGE - 3, "call");
	bed_halt(m);
}

TEST(native_memory, private_mapping_of_a_file_is_copied_on_write)
{
	/* mmap(2), MAP_PRIVATE. That what was not written follows the file is Linux's way. */
	struct ksim_machine *m = native_boot();

	ksim_as(bed_process(m, "p")) {
		int fd = native_file(2);
		char *shared = native_map_file(fd, 2, RW, MAP_SHARED);
		char *own = native_map_file(fd, 2, RW, MAP_PRIVATE);

		strcpy(shared, "file");
		EXPECT_STREQ(own, "file");
		strcpy(shared, "more");
		EXPECT_STREQ(own, "more");
		own[0] = 'c';
		EXPECT_STREQ(own, "core");
		EXPECT_STREQ(shared, "more");
		strcpy(shared, "gone");
		EXPECT_STREQ(own, "core");
		own[PAGE] = 'x';
		EXPECT_EQ(native_load(shared + PAGE), 0);
	}
	bed_halt(m);
}

struct family {
	struct ksim_process *parent, *child;
	char *own, *shared; /* the parent's pointers */
};

static struct family family_make(struct ksim_machine *m)
{
	struct family f = { .parent = bed_process(m, "parent") };

	ksim_as(f.parent) {
		f.own = native_map(2, RW, MAP_PRIVATE);
		f.shared = native_map(1, RW, MAP_SHARED);
		strcpy(f.own, "parent's");
		strcpy(f.shared, "both's");
	}
	f.child = ksim_process_fork(f.parent, "child");
	SETUP(f.child != NULL);
	return f;
}

/* The acting process's pointer for one of the parent's. */
static char *here(const char *pointer)
{
	return ksim_ptr((ksim_addr)(uintptr_t)pointer);
}

TEST(native_memory, forked_child_has_a_window_of_its_own_with_its_parents_addresses)
{
	/* <ksim/mem.h>. */
	struct ksim_machine *m = native_boot();
	struct family f = family_make(m);
	struct ksim_window old, new;

	ksim_window(f.parent, &old);
	ksim_window(f.child, &new);
	EXPECT(new.user == old.user &&new.bytes == old.bytes &&new.start != old.start);
	ksim_as(f.child) {
		EXPECT(here(f.own) - (char *)new.start == f.own - (char *)old.start);
		EXPECT_EQ(ksim_addr_of(here(f.own)), (uintptr_t)f.own);
		EXPECT_EQ(ksim_addr_of(f.own), (uintptr_t)f.own);
		EXPECT_STREQ(here(f.own), "parent's");
		EXPECT_STREQ(here(f.shared), "both's");
		EXPECT_EQ(ksim_load8((uintptr_t)f.own), 'p');
	}
	bed_halt(m);
}

TEST(native_memory, stores_after_fork_are_seen_on_their_own_side_only)
{
	/* fork(2), both ways; shared memory stays shared. */
	struct ksim_machine *m = native_boot();
	struct family f = family_make(m);

	ksim_as(f.parent) {
		strcpy(f.own, "changed");
		strcpy(f.shared, "still");
	}
	ksim_as(f.child) {
		EXPECT_STREQ(here(f.own), "parent's");
		EXPECT_STREQ(here(f.shared), "still");
		strcpy(here(f.own) + PAGE, "child's");
		strcpy(here(f.own), "child's");
		strcpy(here(f.shared), "ours");
	}
	ksim_as(f.parent) {
		EXPECT_STREQ(f.own, "changed");
		EXPECT_EQ(native_load(f.own + PAGE), 0);
		EXPECT_STREQ(f.shared, "ours");
	}
	bed_halt(m);
}

TEST(native_memory, grandchild_has_the_addresses_of_all_its_forebears)
{
	struct ksim_machine *m = native_boot();
	struct family f = family_make(m);
	struct ksim_process *grandchild;

	ksim_as(f.child)
		strcpy(here(f.own), "child's");
	grandchild = ksim_process_fork(f.child, "grandchild");
	REQUIRE(grandchild != NULL);
	EXPECT_EQ(ksim_process_end(f.parent, 0), 0);
	EXPECT_EQ(ksim_process_end(f.child, 0), 0);
	ksim_as(grandchild) {
		EXPECT_STREQ(here(f.own), "child's");
		EXPECT_EQ(ksim_munmap((uintptr_t)f.own, PAGE), 0);
		EXPECT_EQ(native_load(here(f.own) + PAGE), 0);
		EXPECT(native_map(1, RW, MAP_PRIVATE) != NULL);
	}
	bed_halt(m);
}

/* ---- what is taken away is gone at once ---- */

enum { TAKE_MUNMAP, TAKE_MPROTECT, TAKE_FTRUNCATE, TAKE_MMAP_NONE, TAKES };

struct victim {
	char *map;
	int started; /* a */
	int signo, code;
	bool exact;
};

static __thread sigjmp_buf victim_out;
static __thread struct victim *victim_here;

static void victim_faults(int signo, siginfo_t *info, void *context)
{
	(void)context;
	victim_here->signo = signo;
	victim_here->code = info->si_code;
	victim_here->exact = info->si_addr == victim_here->map + 77;
	siglongjmp(victim_out, 1);
}

/* A thread that stores until it cannot. */
static int victim_main(void *arg)
{
	struct sigaction action = { .sa_sigaction = victim_faults, .sa_flags = SA_SIGINFO };
	struct victim *v = arg;

	victim_here = v;
	ksim_sigaction(SIGSEGV, &action, NULL);
	ksim_sigaction(SIGBUS, &action, NULL);
	if (sigsetjmp(victim_out, 1) == 0)
		for (;;) {
			native_store(v->map + 77);
			__atomic_store_n(&v->started, 1, __ATOMIC_RELEASE);
		}
	return v->signo;
}

static void take_away(int how, char *map, int fd)
{
	ksim_addr at = ksim_addr_of(map);

	switch (how) {
	case TAKE_MUNMAP:
		EXPECT_EQ(ksim_munmap(at, PAGE), 0);
		break;
	case TAKE_MPROTECT:
		EXPECT_EQ(ksim_mprotect(at, PAGE, PROT_READ), 0);
		break;
	case TAKE_FTRUNCATE:
		EXPECT_EQ(ksim_ftruncate(fd, 0), 0);
		break;
	default:
		EXPECT_EQ(ksim_mmap(at, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), at);
	}
}

TEST(native_memory, what_one_thread_takes_away_its_sibling_cannot_store_to)
{
	/* munmap(2), mprotect(2), ftruncate(2): the sibling is in a loop of stores that never calls anything. */
	static const int codes[TAKES] = { SEGV_MAPERR, SEGV_ACCERR, BUS_ADRERR, SEGV_ACCERR };
	struct ksim_machine *m = native_boot();

	for (int how = 0; how < TAKES; how++) {
		struct ksim_process *p = bed_process(m, "p");
		struct victim v = { .map = NULL };
		int result = 0;
		pid_t tid;

		ksim_as(p) {
			int fd = native_file(1);

			v.map = native_map_file(fd, 1, RW, MAP_SHARED);
			tid = ksim_task_start(p, victim_main, &v);
			REQUIRE(tid > 0);
			while (__atomic_load_n(&v.started, __ATOMIC_ACQUIRE) == 0)
				sched_yield();
			take_away(how, v.map, fd);
			EXPECT_EQ(ksim_task_join(p, tid, &result), 0);
		}
		EXPECT_EQ(result, how == TAKE_FTRUNCATE ? SIGBUS : SIGSEGV);
		EXPECT_MSG(v.code == codes[how] && v.exact, "case %d: code %d, expected %d", how, v.code, codes[how]);
	}
	bed_halt(m);
}

TEST(native_memory, file_that_one_process_shrinks_ends_under_the_pointers_of_all)
{
	/* 53: SIGBUS in every process that maps it, private copies included. What grows back is zero. */
	struct ksim_machine *m = native_boot();
	struct ksim_process *who[2] = { bed_process(m, "a"), bed_process(m, "b") };
	char *map[2] = { NULL, NULL }, *copy = NULL;
	struct ksim_end end;
	int fd[2] = { -1, -1 };

	ksim_as(who[0])
		fd[0] = native_file(2);
	fd[1] = ksim_fd_copy(who[0], fd[0], who[1]);
	for (int i = 0; i < 2; i++)
		ksim_as(who[i]) {
			map[i] = native_map_file(fd[i], 2, RW, MAP_SHARED);
			native_store(map[i] + PAGE);
			native_store(map[i] + PAGE / 2);
		}
	ksim_as(who[1]) {
		copy = native_map_file(fd[1], 2, RW, MAP_PRIVATE);
		native_store(copy + PAGE);
	}
	ksim_as(who[0]) {
		EXPECT_EQ(ksim_ftruncate(fd[0], PAGE / 2), 0);
		EXPECT_EQ(ksim_ftruncate(fd[0], 2 * PAGE), 0);
		EXPECT_EQ(native_load(map[0] + PAGE), 0);
	}
	ksim_as(who[1]) {
		EXPECT_EQ(native_load(map[1] + PAGE), 0);
		EXPECT_EQ(native_load(map[1] + PAGE / 2), 0);
		EXPECT_EQ(native_load(copy + PAGE), 0);
		native_store(map[1] + PAGE);
		EXPECT_EQ(ksim_ftruncate(fd[1], PAGE), 0);
	}
	for (int i = 0; i < 2; i++) {
		EXPECT_EQ(ksim_run(who[i], native_store, map[i] + PAGE + 1, &end), 0);
		EXPECT_MSG(end.signo == SIGBUS && end.addr == (uintptr_t)map[i] + PAGE + 1, "%s", end.text);
	}
	bed_halt(m);
}

TEST(native_memory, file_that_grows_appears_under_a_pointer_that_was_beyond_its_end)
{
	struct ksim_machine *m = native_boot();

	ksim_as(bed_process(m, "p")) {
		int fd = native_file(1);
		char *map = native_map_file(fd, 3, RW, MAP_SHARED);

		native_store(map);
		EXPECT_EQ(ksim_ftruncate(fd, 3 * PAGE), 0);
		EXPECT_EQ(native_load(map + 2 * PAGE), 0);
		native_store(map + 3 * PAGE - 1);
		EXPECT_EQ(ksim_pread(fd, map + PAGE, 1, 3 * PAGE - 1), 1);
		EXPECT_EQ(native_load(map + PAGE), 's');
	}
	bed_halt(m);
}

/* ---- several at once ---- */

enum { CROWD = 3, CROWD_PAGES = 60 };

struct crowd {
	char *map;
	unsigned ready; /* a */
};

static int crowd_main(void *arg)
{
	struct crowd *c = arg;

	__atomic_add_fetch(&c->ready, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&c->ready, __ATOMIC_SEQ_CST) < CROWD)
		sched_yield();
	for (int i = 0; i < CROWD_PAGES; i++)
		__atomic_add_fetch((unsigned *)(void *)(c->map + (size_t)i * PAGE), 1, __ATOMIC_SEQ_CST);
	return 0;
}

static void crowd_run(struct ksim_process *p, char *map, unsigned before)
{
	struct crowd c = { .map = map };
	pid_t tids[CROWD];
	int result;

	for (int i = 0; i < CROWD; i++) {
		tids[i] = ksim_task_start(p, crowd_main, &c);
		SETUP(tids[i] > 0);
	}
	for (int i = 0; i < CROWD; i++)
		EXPECT_EQ(ksim_task_join(p, tids[i], &result), 0);
	ksim_as(p)
		for (int i = 0; i < CROWD_PAGES; i++)
			EXPECT_EQ(*(volatile unsigned *)(void *)(map + (size_t)i * PAGE), before + CROWD);
}

TEST(native_memory, threads_that_touch_the_same_pages_at_once_get_the_same_pages)
{
	/*
	 * First touch, then copy-on-write after a fork: no store is lost to a page that another thread's fault
	 * replaced.
	 */
	struct ksim_machine *m = native_boot();
	struct ksim_process *p = bed_process(m, "p"), *child;
	char *map = NULL;

	for (int round = 0; round < 10; round++) {
		ksim_as(p)
			map = native_map(CROWD_PAGES, RW, MAP_PRIVATE);
		crowd_run(p, map, 0);
		child = ksim_process_fork(p, "child");
		REQUIRE(child != NULL);
		crowd_run(p, map, CROWD);
		ksim_as(child)
			EXPECT_EQ(*(unsigned *)(void *)here(map), CROWD);
		EXPECT_EQ(ksim_process_end(child, 0), 0);
		ksim_as(p)
			EXPECT_EQ(native_unmap(map, CROWD_PAGES), 0);
	}
	bed_halt(m);
}

TEST(native_memory, many_processes_have_windows_apart)
{
	enum { N = 40 };
	const struct ksim_config config = { .ram_bytes = 16 << 20,
		                            .access = KSIM_ACCESS_NATIVE,
		                            .window_bytes = 16 << 20 };
	struct ksim_machine *m = ksim_boot(&config);
	struct ksim_process *who[N];
	char *map[N];

	SETUP(m != NULL);
	for (int i = 0; i < N; i++) {
		who[i] = bed_process(m, "one of many");
		ksim_as(who[i]) {
			map[i] = native_map(3, RW, MAP_PRIVATE);
			sprintf(map[i] + PAGE - 2, "process %d", i);
		}
	}
	for (int i = 0; i < N; i++) {
		struct ksim_window a, b;
		char text[20];

		ksim_as(who[i]) {
			sprintf(text, "process %d", i);
			EXPECT_STREQ(map[i] + PAGE - 2, text);
		}
		ksim_window(who[i], &a);
		for (int k = 0; k < i; k++) {
			ksim_window(who[k], &b);
			EXPECT((char *)a.start + a.bytes <= (char *)b.start ||
			       (char *)b.start + b.bytes <= (char *)a.start);
		}
	}
	bed_halt(m);
}

TEST(native_memory, soft_and_native_machine_go_side_by_side)
{
	/* Machines share nothing. A soft one has no window. */
	struct ksim_machine *m[2] = { native_boot(), NULL };
	const struct ksim_config soft = { .ram_bytes = 4 << 20, .access = KSIM_ACCESS_SOFT };
	struct ksim_process *who[2];
	struct ksim_window window;
	char *map = NULL;
	ksim_addr at = 0;

	m[1] = ksim_boot(&soft);
	SETUP(m[1] != NULL);
	who[0] = bed_process(m[0], "native");
	who[1] = bed_process(m[1], "soft");
	ksim_window(who[1], &window);
	EXPECT(window.bytes == 0 && window.start == NULL);
	ksim_as(who[0]) {
		map = native_map(1, RW, MAP_PRIVATE);
		strcpy(map, "native");
		ksim_as(who[1]) {
			at = bed_map(1, RW, MAP_PRIVATE);
			EXPECT(ksim_ptr(at) == NULL);
			ksim_copy_to(at, "soft", 5);
		}
		EXPECT_STREQ(map, "native");
	}
	EXPECT_EQ(ksim_check(m[0]), 0);
	EXPECT_EQ(ksim_halt(m[0]), 0);
	ksim_as(who[1])
		EXPECT_EQ(ksim_strlen(at), 4);
	bed_halt(m[1]);
}

TEST(native_memory, soft_is_the_default_of_a_program_without_posix_h)
{
	struct ksim_machine *m = ksim_boot(NULL);
	struct ksim_window window;

	SETUP(m != NULL);
	ksim_window(bed_process(m, "p"), &window);
	EXPECT_EQ(window.bytes, 0);
	bed_halt(m);
}

/* ---- code ---- */

#if defined(__x86_64__)
static const unsigned char code[] = { 0xb8, 42, 0, 0, 0, 0xc3 }; /* mov $42, %eax; ret */
#elif defined(__aarch64__)
static const unsigned char code[] = { 0x40, 0x05, 0x80, 0x52, 0xc0, 0x03, 0x5f, 0xd6 }; /* mov w0, #42; ret */
#endif

static int call(void *at)
{
	int (*fn)(void);

	memcpy(&fn, &at, sizeof(fn));
	return fn();
}

TEST(native_memory, code_in_a_mapping_runs_where_it_may_be_executed)
{
	/* mprotect(2), PROT_EXEC; without it SIGSEGV with SEGV_ACCERR at the instruction. */
	struct ksim_machine *m = native_boot();
	struct ksim_process *p = bed_process(m, "p");
	struct ksim_end end;
	char *map = NULL;

	if (RUNNING_ON_VALGRIND)
		SKIP("valgrind translates code before it asks whether it may run");
	ksim_as(p) {
		map = native_map(1, RW, MAP_PRIVATE);
		memcpy(map, code, sizeof(code));
		__builtin___clear_cache(map, map + PAGE);
		EXPECT_EQ(native_protect(map, 1, PROT_READ | PROT_EXEC), 0);
	}
	EXPECT_EQ(ksim_run(p, call, map, &end), 0);
	EXPECT_MSG(end.alive && end.code == 42, "%s", end.text);
	EXPECT_EQ(ksim_run(p, native_store, map, NULL), 0);
	p = bed_process(m, "q");
	ksim_as(p) {
		map = native_map(1, RW, MAP_PRIVATE);
		memcpy(map, code, sizeof(code));
	}
	EXPECT_EQ(ksim_run(p, call, map, &end), 0);
	EXPECT_MSG(end.signo == SIGSEGV && end.si_code == SEGV_ACCERR && end.addr == (uintptr_t)map, "%s", end.text);
	EXPECT_MSG(strstr(end.text, ": execution at ") != NULL, "%s", end.text);
	bed_halt(m);
}
