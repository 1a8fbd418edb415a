// SPDX-License-Identifier: MIT
/*
 * Showing a file of RAM at further addresses: what can be accessed, what is seen, what the host counts, and what it
 * refuses.
 */
#include "host/window.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sanitize.h"
#include "base/util.h"
#include "host/memory.h"
#include "unit/aborts.h"
#include "unit/host/bed.h"

#if defined(HAVE_VALGRIND)
#include <valgrind/memcheck.h>
#else
#define RUNNING_ON_VALGRIND                   0
#define VALGRIND_MAKE_MEM_DEFINED(at, nbytes) ((void)(at), (void)(nbytes))
#endif

enum { RAM_PAGES = 16, WINDOW_PAGES = 32, READ_WRITE = HOST_SHOW_READ | HOST_SHOW_WRITE };
#define NO_LIMIT   UINT64_MAX
#define RAM_BYTES  (RAM_PAGES * PAGE_BYTES)
#define WIN_BYTES  (WINDOW_PAGES * PAGE_BYTES)
#define AT(page)   ((size_t)(page)*PAGE_BYTES)
#define SHOW_BITS  (READ_WRITE | HOST_SHOW_EXEC)
#define MANY_PAGES UINT64_C(80000)

/* RAM whose pages begin with 'a', 'b', ..., and a window. */
struct view {
	char *ram, *window;
	int fd;
};

static void view_open(struct view *v)
{
	v->ram = host_reserve_shared(RAM_BYTES, &v->fd);
	SETUP(v->ram != NULL);
	for (int page = 0; page < RAM_PAGES; page++)
		v->ram[AT(page)] = (char)('a' + page);
	v->window = host_window_reserve(WIN_BYTES, NO_LIMIT);
	SETUP(v->window != NULL);
}

static void view_close(struct view *v)
{
	host_window_release(v->window, WIN_BYTES);
	host_release(v->ram, RAM_BYTES);
	host_close(v->fd);
}

static int show(struct view *v, int page, int npages, int ram_page, unsigned how)
{
	return host_window_show(v->window + AT(page), AT(npages), v->fd, AT(ram_page), how);
}

/* "rwx" of the mapping that an address is in, as the host says; "" where there is none. */
static const char *rights_at(const char *at)
{
	static char rights[8];
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long start, end;
	char line[4096];

	SETUP(maps != NULL);
	rights[0] = '\0';
	while (fgets(line, sizeof(line), maps) != NULL)
		if (sscanf(line, "%lx-%lx %3[rwx-]", &start, &end, rights) == 3 && start <= (unsigned long)at &&
		    (unsigned long)at < end)
			break;
		else
			rights[0] = '\0';
	fclose(maps);
	return rights;
}

/* ---- faults, which the test catches itself ---- */

static sigjmp_buf faulted;

static void on_fault(int signo)
{
	(void)signo;
	siglongjmp(faulted, 1);
}

/* Whether a load, or a store, raises SIGSEGV. */
static bool faults(char *at, bool store)
{
	struct sigaction action = { .sa_handler = on_fault }, before;
	volatile bool caught = true;

	SETUP(sigaction(SIGSEGV, &action, &before) == 0);
	if (sigsetjmp(faulted, 1) == 0) {
		char byte = *(volatile char *)at;

		if (store)
			*(volatile char *)at = byte;
		caught = false;
	}
	sigaction(SIGSEGV, &before, NULL);
	return caught;
}

/* ---- places ---- */

TEST(window, reserved_addresses_fault_and_so_do_the_pages_around_them)
{
	struct view v;

	view_open(&v);
	EXPECT_EQ((uintptr_t)v.window % PAGE_BYTES, 0);
	EXPECT(faults(v.window, false));
	EXPECT(faults(v.window + WIN_BYTES - 1, false));
	/* What is accessed is for the host to judge. */
	VALGRIND_MAKE_MEM_DEFINED(v.window - PAGE_BYTES, WIN_BYTES + 2 * PAGE_BYTES);
	EXPECT(faults(v.window - 1, false));
	EXPECT(faults(v.window + WIN_BYTES, false));
	view_close(&v);
}

TEST(window, page_at_either_end_stays_empty_when_the_whole_window_is_shown)
{
	struct view v;

	view_open(&v);
	EXPECT_EQ(show(&v, 0, RAM_PAGES, 0, READ_WRITE), 0);
	EXPECT_EQ(show(&v, RAM_PAGES, RAM_PAGES, 0, READ_WRITE), 0);
	EXPECT_STREQ(rights_at(v.window - 1), "---");
	EXPECT_STREQ(rights_at(v.window + WIN_BYTES), "---");
	view_close(&v);
}

TEST(window, windows_lie_below_the_limit_apart_until_there_is_no_room)
{
	const uint64_t limit = UINT64_C(1) << 34;
	char *at[8];
	int n = 0;

	/* Four places at most are tried there, which a sanitizer may have for itself. */
	while (n < 8 && (at[n] = host_window_reserve(WIN_BYTES, limit)) != NULL)
		n++;
	EXPECT_MSG(n < 8 || RUNNING_ON_VALGRIND, "%d windows", n); /* which has its own choice there */
	for (int i = 0; i < n; i++) {
		EXPECT((uintptr_t)at[i] + WIN_BYTES + PAGE_BYTES <= limit);
		for (int k = 0; k < i; k++)
			EXPECT(at[k] + WIN_BYTES < at[i] - PAGE_BYTES || at[i] + WIN_BYTES < at[k] - PAGE_BYTES);
	}
	for (int i = 0; i < n; i++)
		host_window_release(at[i], WIN_BYTES);
	if (n == 0)
		SKIP("no address below the limit is free here");
}

TEST(window, host_with_more_address_bits_is_asked_below_the_limit)
{
	const uint64_t limit = UINT64_C(1) << 46; /* below where the host's own choice is */
	char *a, *b;

	if (KSIM_TSAN)
		SKIP("the sanitizer has these addresses for itself");
	a = host_window_reserve(WIN_BYTES, limit);
	b = host_window_reserve(WIN_BYTES, limit);
	SETUP(a != NULL && b != NULL);
	EXPECT((uintptr_t)a + WIN_BYTES <= limit);
	EXPECT((uintptr_t)b + WIN_BYTES <= limit);
	EXPECT_STREQ(rights_at(a), "---");
	host_window_release(a, WIN_BYTES);
	EXPECT_STREQ(rights_at(b), "---"); /* the other's release has not touched it */
	host_window_release(b, WIN_BYTES);
}

TEST(window, reservation_that_the_host_has_no_room_for_is_NULL)
{
	EXPECT(host_window_reserve(SIZE_MAX / 4, NO_LIMIT) == NULL);
}

static void release_nothing(void *arg)
{
	host_window_release((char *)arg + PAGE_BYTES + 1, PAGE_BYTES);
}

TEST(window, release_of_what_is_no_window_aborts)
{
	char *page = host_reserve(PAGE_BYTES);

	SETUP(page != NULL);
	expect_abort(release_nothing, page, "a window is released as it was reserved");
	host_release(page, PAGE_BYTES);
}

/* From now on no mapping is made at an address that the program has chosen. false: the host does not do that for us. */
static bool refuse_chosen_addresses(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[3])),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, MAP_FIXED_NOREPLACE),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MAP_FIXED_NOREPLACE, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { ARRAY_SIZE(filter), filter };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static void reserve_refused(void *arg)
{
	char *before = host_window_reserve(WIN_BYTES, *(const uint64_t *)arg), *after = NULL;
	bool refused = refuse_chosen_addresses();

	if (refused)
		after = host_window_reserve(WIN_BYTES, *(const uint64_t *)arg);
#ifdef HARNESS_COVERAGE
	__gcov_dump();
#endif
	_exit(before == NULL || !refused ? 100 : after == NULL ? 0 : 1);
}

TEST(window, host_that_refuses_the_addresses_below_the_limit_has_none)
{
	uint64_t limit = UINT64_C(1) << 46;
	char text[1000];
	int status;

	if (RUNNING_ON_VALGRIND)
		SKIP("valgrind's own choice is below the limit");
	aborts_run(reserve_refused, &limit, text, sizeof(text), &status);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 100)
		SKIP("this host does not let us");
	EXPECT_MSG(WIFEXITED(status) && WEXITSTATUS(status) == 0, "wait status %#x; %s", status, text);
}

/* ---- showing ---- */

TEST(window, shown_page_is_the_files_page_at_that_offset)
{
	struct view v;

	view_open(&v);
	EXPECT_EQ(show(&v, 3, 2, 7, READ_WRITE), 0);
	EXPECT_EQ(v.window[AT(3)], 'a' + 7);
	EXPECT_EQ(v.window[AT(4)], 'a' + 8);
	v.window[AT(4) + 5] = '!';
	EXPECT_EQ(v.ram[AT(8) + 5], '!');
	v.ram[AT(7) + 5] = '?';
	EXPECT_EQ(v.window[AT(3) + 5], '?');
	EXPECT(faults(v.window + AT(3) - 1, false));
	EXPECT(faults(v.window + AT(5), false));
	view_close(&v);
}

TEST(window, page_can_be_shown_at_two_addresses_at_once)
{
	struct view v;

	view_open(&v);
	EXPECT_EQ(show(&v, 0, 1, 5, READ_WRITE), 0);
	EXPECT_EQ(show(&v, 9, 1, 5, HOST_SHOW_READ), 0);
	v.window[1] = 'x';
	EXPECT_EQ(v.window[AT(9) + 1], 'x');
	view_close(&v);
}

TEST(window, every_combination_of_rights_is_what_the_host_allows)
{
	struct view v;

	view_open(&v);
	for (unsigned how = 0; how <= SHOW_BITS; how++) {
		const char expected[] = { how & HOST_SHOW_READ ? 'r' : '-', how & HOST_SHOW_WRITE ? 'w' : '-',
			                  how & HOST_SHOW_EXEC ? 'x' : '-', '\0' };

		EXPECT_EQ(show(&v, (int)how, 1, 1, how), 0);
		EXPECT_STREQ(rights_at(v.window + AT(how)), expected);
	}
	view_close(&v);
}

TEST(window, store_to_a_page_that_is_shown_to_read_faults)
{
	struct view v;

	view_open(&v);
	EXPECT_EQ(show(&v, 0, 1, 0, HOST_SHOW_READ), 0);
	EXPECT(!faults(v.window, false));
	EXPECT(faults(v.window, true));
	EXPECT_EQ(show(&v, 0, 1, 0, READ_WRITE), 0);
	EXPECT(!faults(v.window, true));
	view_close(&v);
}

TEST(window, hidden_page_faults_and_its_neighbours_do_not)
{
	struct view v;

	view_open(&v);
	EXPECT_EQ(show(&v, 0, 3, 0, READ_WRITE), 0);
	EXPECT_EQ(host_window_hide(v.window + AT(1), PAGE_BYTES), 0);
	EXPECT(faults(v.window + AT(1), false));
	EXPECT(!faults(v.window, true));
	EXPECT(!faults(v.window + AT(2), true));
	EXPECT_EQ(v.ram[AT(1)], 'b'); /* the memory itself stays */
	EXPECT_EQ(show(&v, 1, 1, 1, READ_WRITE), 0);
	EXPECT_EQ(v.window[AT(1)], 'b');
	view_close(&v);
}

/* ---- at a stroke ---- */

struct stroke {
	struct view v;
	bool stop; /* a */
	unsigned long reads, others;
};

static void *read_on(void *arg)
{
	struct stroke *s = arg;

	while (!__atomic_load_n(&s->stop, __ATOMIC_RELAXED)) {
		char byte = *(volatile char *)s->v.window;

		s->others += byte != 'a' && byte != 'b';
		__atomic_store_n(&s->reads, s->reads + 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

TEST(window, thread_sees_the_one_page_or_the_other_and_never_none)
{
	struct stroke s = { .reads = 0 };
	unsigned long replaced = 0;
	pthread_t reader;

	view_open(&s.v);
	EXPECT_EQ(show(&s.v, 0, 1, 0, READ_WRITE), 0);
	SETUP(pthread_create(&reader, NULL, read_on, &s) == 0);
	/* A fault would end the program. */
	while (replaced < 2000 || __atomic_load_n(&s.reads, __ATOMIC_RELAXED) < 1000)
		EXPECT_EQ(show(&s.v, 0, 1, replaced++ % 2 == 0, HOST_SHOW_READ), 0);
	__atomic_store_n(&s.stop, true, __ATOMIC_RELAXED);
	SETUP(pthread_join(reader, NULL) == 0);
	EXPECT_EQ(s.others, 0);
	view_close(&s.v);
}

/* ---- refusals ---- */

TEST(window, show_of_a_file_that_is_not_open_fails_EBADF_and_changes_nothing)
{
	struct view v;

	view_open(&v);
	EXPECT_EQ(show(&v, 0, 1, 2, READ_WRITE), 0);
	EXPECT_EQ(host_window_show(v.window, PAGE_BYTES, -1, 0, HOST_SHOW_READ), -EBADF);
	EXPECT_EQ(v.window[0], 'c');
	EXPECT_EQ(host_window_show(v.window + AT(1), PAGE_BYTES, -1, 0, HOST_SHOW_READ), -EBADF);
	EXPECT(faults(v.window + AT(1), false));
	view_close(&v);
}

/* Where the program has as many mappings as the host allows it. No memory is allocated in here. */
static int at_the_limit(struct view *v)
{
	char *many = host_window_reserve(MANY_PAGES * PAGE_BYTES, NO_LIMIT);
	uint64_t page = 0;
	int err = 0;

	if (many == NULL || show(v, 0, 3, 0, READ_WRITE) < 0)
		return 3;
	/* Neighbours that continue each other in nothing. */
	while (page < MANY_PAGES && err == 0)
		err = host_window_show(many + page++ * PAGE_BYTES, PAGE_BYTES, v->fd, 0, HOST_SHOW_READ);
	if (err == 0)
		return 2;
	if (err != -ENOMEM || page < host_mappings_max() / 2)
		return 10;
	munmap(many, PAGE_BYTES); /* the host itself goes one beyond its limit, and then refuses everything */
	if (host_window_hide(v->window + AT(1), PAGE_BYTES) != -ENOMEM || v->window[AT(1)] != 'b')
		return 11;
	if (show(v, 1, 1, 5, READ_WRITE) != -ENOMEM || v->window[AT(1)] != 'b')
		return 12;
	/* What leaves fewer is never refused. */
	if (host_window_hide(v->window, WIN_BYTES) != 0)
		return 13;
	if (host_window_hide(many, MANY_PAGES * PAGE_BYTES) != 0)
		return 14;
	return host_window_hide(v->window + AT(1), PAGE_BYTES) == 0 && show(v, 1, 1, 5, READ_WRITE) == 0 ? 0 : 15;
}

static void at_the_limit_in_child(void *arg)
{
	int result = at_the_limit(arg);

#ifdef HARNESS_COVERAGE
	__gcov_dump();
#endif
	_exit(result);
}

TEST(window, host_that_has_no_mapping_left_refuses_a_split_with_ENOMEM_and_never_a_whole)
{
	struct view v;
	char text[1000];
	int status;

	if (RUNNING_ON_VALGRIND || KSIM_TSAN)
		SKIP("another tool counts the mappings, or runs out of them itself");
	if (host_mappings_max() >= MANY_PAGES)
		SKIP("the host allows %lu mappings", host_mappings_max());
	view_open(&v);
	aborts_run(at_the_limit_in_child, &v, text, sizeof(text), &status);
	view_close(&v);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 2)
		SKIP("the host does not limit mappings");
	EXPECT_MSG(WIFEXITED(status) && WEXITSTATUS(status) == 0, "wait status %#x; %s", status, text);
}

/* ---- counting ---- */

TEST(window, mappings_in_a_window_are_counted_as_the_host_joins_them)
{
	struct view v;

	view_open(&v);
	EXPECT_EQ(host_mappings_in(v.window, WIN_BYTES), 1);
	EXPECT_EQ(show(&v, 4, 1, 4, READ_WRITE), 0);
	EXPECT_EQ(host_mappings_in(v.window, WIN_BYTES), 3);
	EXPECT_EQ(show(&v, 5, 1, 5, READ_WRITE), 0); /* continues it */
	EXPECT_EQ(host_mappings_in(v.window, WIN_BYTES), 3);
	EXPECT_EQ(show(&v, 6, 1, 1, READ_WRITE), 0); /* another part of the file */
	EXPECT_EQ(host_mappings_in(v.window, WIN_BYTES), 4);
	EXPECT_EQ(show(&v, 7, 1, 2, HOST_SHOW_READ), 0); /* other rights */
	EXPECT_EQ(host_mappings_in(v.window, WIN_BYTES), 5);
	EXPECT_EQ(host_window_hide(v.window, WIN_BYTES), 0);
	EXPECT_EQ(host_mappings_in(v.window, WIN_BYTES), 1);
	view_close(&v);
}

TEST(window, mappings_that_only_touch_the_range_are_not_counted)
{
	struct view v;

	view_open(&v);
	EXPECT_EQ(show(&v, 4, 1, 0, READ_WRITE), 0);
	EXPECT_EQ(show(&v, 5, 1, 0, READ_WRITE), 0);
	EXPECT_EQ(show(&v, 6, 1, 0, READ_WRITE), 0);
	EXPECT_EQ(host_mappings_in(v.window + AT(5), PAGE_BYTES), 1);
	EXPECT_EQ(host_mappings_in(v.window + AT(4), AT(3)), 3);
	EXPECT_EQ(host_mappings_in(v.window + AT(3), AT(2)), 2);
	view_close(&v);
}

/* The list is longer than what is read of it at a time. */
TEST(window, mappings_are_counted_over_a_long_list)
{
	enum { N = 300 };
	char *window = host_window_reserve(AT(N), NO_LIMIT);
	struct view v;

	view_open(&v);
	SETUP(window != NULL);
	for (int page = 0; page < N; page++)
		EXPECT_EQ(host_window_show(window + AT(page), PAGE_BYTES, v.fd, 0, HOST_SHOW_READ), 0);
	EXPECT_EQ(host_mappings_in(window, AT(N)), N);
	host_window_release(window, AT(N));
	view_close(&v);
}

TEST(window, limit_of_mappings_is_the_hosts)
{
	FILE *file = fopen("/proc/sys/vm/max_map_count", "r");
	unsigned long max = 0;

	if (file == NULL)
		SKIP("the host does not tell");
	SETUP(fscanf(file, "%lu", &max) == 1);
	fclose(file);
	EXPECT_EQ(host_mappings_max(), max);
}

/* With no descriptor to be had: what is found out through files. */
TEST(window, host_that_does_not_tell_is_taken_for_a_usual_one)
{
	struct rlimit was, none;
	unsigned long max, in;
	struct view v;
	void *ram;
	int fd = 77;

	view_open(&v);
	SETUP(getrlimit(RLIMIT_NOFILE, &was) == 0);
	none = was;
	none.rlim_cur = 0;
	SETUP(setrlimit(RLIMIT_NOFILE, &none) == 0);
	max = host_mappings_max();
	in = host_mappings_in(v.window, WIN_BYTES);
	ram = host_reserve_shared(RAM_BYTES, &fd);
	SETUP(setrlimit(RLIMIT_NOFILE, &was) == 0);
	view_close(&v);
	EXPECT_EQ(max, 65530);
	EXPECT_EQ(in, 0);
	EXPECT(ram == NULL && fd == -1); /* memory.h: -1 and NULL: refused */
	if (ram != NULL)
		host_release(ram, RAM_BYTES);
	host_close(fd);
}

/* ---- memory in a file ---- */

TEST(window, shared_reservation_is_zeroed_writable_and_in_its_file)
{
	static const char zeros[PAGE_BYTES];
	char byte = 0;
	int fd;
	char *memory = host_reserve_shared(RAM_BYTES, &fd);

	SETUP(memory != NULL);
	EXPECT(fd >= 0);
	EXPECT_MEMEQ(memory + RAM_BYTES - PAGE_BYTES, zeros, PAGE_BYTES);
	memory[RAM_BYTES - 1] = 'z';
	EXPECT_EQ(pread(fd, &byte, 1, RAM_BYTES - 1), 1);
	EXPECT_EQ(byte, 'z');
	EXPECT_EQ(lseek(fd, 0, SEEK_END), RAM_BYTES);
	host_release(memory, RAM_BYTES);
	host_close(fd);
}

TEST(window, shared_reservation_without_room_is_NULL_and_leaves_no_descriptor)
{
	int fd = 77;

	EXPECT(host_reserve_shared(SIZE_MAX / 4 & PAGE_MASK, &fd) == NULL);
	EXPECT_EQ(fd, -1);
	host_close(fd); /* legal */
}
