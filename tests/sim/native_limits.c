// SPDX-License-Identifier: MIT
/*
 * Windows and what the host has to give: sizes, address space, and the number of mappings, of which the host allows a
 * program 65530 and then refuses even malloc's. Exhaustion is ENOMEM; the program goes on, and gets everything back.
 */
#include "native.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "unit/aborts.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

static struct ksim_machine *boot(uint64_t ram_bytes, uint64_t window_bytes)
{
	const struct ksim_config config = { .ram_bytes = ram_bytes,
		                            .access = KSIM_ACCESS_NATIVE,
		                            .window_bytes = window_bytes };

	return ksim_boot(&config);
}

/* What the program itself may come to have meanwhile. */
#define MAPPINGS_NOISE (SANITIZED || RUNNING_ON_VALGRIND ? 90 : 2)

/* Mappings that the program has. */
static long host_mappings(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	long n = 0;
	int c;

	SETUP(maps != NULL);
	while ((c = getc(maps)) != EOF)
		n += c == '\n';
	fclose(maps);
	return n;
}

static void *nothing(void *arg)
{
	return arg;
}

/* The program itself still gets memory and threads, which are mappings too. */
static void expect_host_well(void)
{
	void *blocks[20];
	pthread_t thread;

	for (int i = 0; i < 20; i++) {
		blocks[i] = malloc(300000);
		EXPECT(blocks[i] != NULL);
	}
	for (int i = 0; i < 20; i++)
		free(blocks[i]);
	EXPECT_EQ(pthread_create(&thread, NULL, nothing, NULL), 0);
	pthread_join(thread, NULL);
}

/* ---- sizes ---- */

TEST(native_limits, window_bytes_out_of_range_fails_EINVAL)
{
	/* <ksim/machine.h>: a multiple of 4096, at least 1 MiB, at most 64 TiB. */
	const struct ksim_config unknown = { .access = (enum ksim_access)3 };

	EXPECT(boot(4 << 20, (1 << 20) - 4096) == NULL && errno == EINVAL);
	EXPECT(boot(4 << 20, (1 << 20) + 1) == NULL && errno == EINVAL);
	EXPECT(boot(4 << 20, 4096) == NULL && errno == EINVAL);
	EXPECT(boot(4 << 20, (UINT64_C(1) << 46) + 4096) == NULL && errno == EINVAL);
	EXPECT(boot(4 << 20, UINT64_MAX) == NULL && errno == EINVAL);
	EXPECT(ksim_boot(&unknown) == NULL && errno == EINVAL);
}

TEST(native_limits, window_is_as_large_as_asked_for)
{
	static const uint64_t sizes[] = { 1 << 20, (1 << 20) + 4096, 64 << 20 };

	for (int i = 0; i < 3; i++) {
		struct ksim_machine *m = boot(4 << 20, sizes[i]);
		struct ksim_process *p, *child;
		struct ksim_window window;

		SETUP(m != NULL);
		p = bed_process(m, "p");
		ksim_window(p, &window);
		EXPECT_EQ(window.bytes, sizes[i]);
		if ((sizes[i] & (sizes[i] - 1)) ==
		    0) /* so tables have the same shape each time, for KSIM_FAIL's numbers */
			EXPECT_EQ(window.user % sizes[i], 0);
		child = ksim_process_fork(p, NULL);
		REQUIRE(child != NULL);
		ksim_window(child, &window);
		EXPECT_EQ(window.bytes, sizes[i]);
		bed_halt(m);
	}
}

TEST(native_limits, window_that_the_host_refuses_is_halved_until_it_fits)
{
	struct ksim_machine *m;
	struct ksim_window window;

#ifdef TESTS_EMULATED
	SKIP("an emulator keeps a record of every page of a window");
#endif
	m = boot(4 << 20, UINT64_C(1) << 46);
	REQUIRE(m != NULL);
	for (int i = 0; i < 3; i++) {
		struct ksim_process *p = bed_process(m, "p");

		ksim_window(p, &window);
		EXPECT(window.bytes >= 16 << 20 && window.bytes <= UINT64_C(1) << 46);
		ksim_as(p)
			EXPECT_STREQ(strcpy(native_map(2, RW, MAP_PRIVATE) + PAGE - 2, "text"), "text");
	}
	bed_halt(m);
}

/* ---- address space ---- */

TEST(native_limits, mmap_in_a_full_window_fails_ENOMEM_and_works_again_after_munmap)
{
	struct ksim_machine *m = boot(4 << 20, 1 << 20);
	struct ksim_process *p = bed_process(m, "p");
	struct ksim_window window;

	SETUP(m != NULL);
	ksim_window(p, &window);
	ksim_as(p) {
		ksim_addr at, last = 0, after = window.user + window.bytes;
		const int fixed = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
		int n = 0;

		EXPECT(ksim_mmap(0, 2 << 20, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == KSIM_MAP_FAILED);
		EXPECT_EQ(errno, ENOMEM);
		EXPECT(ksim_mmap(after, PAGE, RW, fixed, -1, 0) == KSIM_MAP_FAILED && errno == ENOMEM);
		EXPECT(ksim_mmap(after - PAGE, 2 * PAGE, RW, fixed, -1, 0) == KSIM_MAP_FAILED && errno == ENOMEM);
		EXPECT(ksim_mmap(window.user - PAGE, PAGE, RW, fixed, -1, 0) == KSIM_MAP_FAILED && errno == ENOMEM);
		while ((at = ksim_mmap(0, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) != KSIM_MAP_FAILED) {
			EXPECT(at >= window.user && at < after);
			native_store(ksim_ptr(at));
			last = at;
			n++;
		}
		EXPECT_EQ(errno, ENOMEM);
		EXPECT_EQ(n, (1 << 20) / PAGE);
		EXPECT_EQ(ksim_munmap(last, PAGE), 0);
		EXPECT_EQ(bed_map(1, RW, MAP_PRIVATE), last);
		EXPECT_EQ(native_load(ksim_ptr(last)), 0);
		EXPECT_EQ(ksim_munmap(window.user, window.bytes), 0);
		EXPECT_EQ(ksim_mmap(window.user, window.bytes, RW, fixed, -1, 0), window.user);
		native_store((char *)window.start + window.bytes - 1);
	}
	bed_halt(m);
}

static void exhaust_address_space(void *arg)
{
	struct ksim_machine *m = boot(1 << 20, 64 << 20);
	struct rlimit limit = { .rlim_cur = 0 };
	struct ksim_process *p = NULL;
	unsigned long pages = 0;
	FILE *statm = fopen("/proc/self/statm", "r");
	int n = 0;

	(void)arg;
	if (m == NULL || statm == NULL || fscanf(statm, "%lu", &pages) != 1)
		_exit(100);
	fclose(statm);
	limit.rlim_cur = limit.rlim_max = pages * PAGE + (200 << 20);
	if (setrlimit(RLIMIT_AS, &limit) != 0)
		_exit(100);
	while (n < 100 && (p = ksim_process_create(m, "p")) != NULL)
		n++;
	if (p != NULL)
		_exit(101);
	if (errno != ENOMEM || n < 2)
		_exit(102);
	_exit(ksim_check(m) == 0 && ksim_halt(m) == 0 ? 0 : 103);
}

TEST(native_limits, process_for_which_the_host_has_no_addresses_fails_ENOMEM)
{
	char text[1000];
	int status;

	if (SANITIZED || RUNNING_ON_VALGRIND)
		SKIP("a limit of the address space ends the checking tool");
	aborts_run(exhaust_address_space, NULL, text, sizeof(text), &status);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 101)
		SKIP("this host does not keep to RLIMIT_AS");
	EXPECT_MSG(WIFEXITED(status) && WEXITSTATUS(status) == 0, "wait status %#x; %s", status, text);
}

/* ---- the host's mappings ---- */

TEST(native_limits, halt_gives_all_mappings_back)
{
	long before;

	ksim_halt(native_boot()); /* what the program itself makes once */
	before = host_mappings();
	for (int i = 0; i < 5; i++) {
		struct ksim_machine *m = native_boot();

		for (int k = 0; k < 20; k++) {
			struct ksim_process *p = bed_process(m, "p");

			ksim_as(p)
				for (int page = 0; page < 10; page++)
					native_store(native_map(1, page % 2 ? RW : PROT_WRITE, MAP_SHARED));
			if (k % 2)
				EXPECT_EQ(ksim_process_end(p, 0), 0);
		}
		EXPECT(host_mappings() > before);
		bed_halt(m);
	}
	EXPECT_MSG(host_mappings() <= before + MAPPINGS_NOISE, "%ld mappings before, %ld now", before, host_mappings());
}

TEST(native_limits, window_of_a_process_that_has_ended_is_used_again)
{
	struct ksim_machine *m = native_boot();
	struct ksim_process *p;
	struct ksim_end end;
	long before = 0;

	for (int i = 0; i < 300; i++) {
		p = bed_process(m, "p");
		ksim_as(p) {
			char *map = native_map(4, RW, MAP_PRIVATE);

			for (int page = 0; page < 4; page++) {
				EXPECT_EQ(native_load(map + (size_t)page * PAGE), 0);
				native_store(map + (size_t)page * PAGE);
			}
		}
		EXPECT_EQ(ksim_process_end(p, 0), 0);
		EXPECT_EQ(ksim_join(p, &end), 0);
		if (i == 10)
			before = host_mappings();
	}
	EXPECT_MSG(host_mappings() <= before + MAPPINGS_NOISE, "%ld mappings before, %ld now", before, host_mappings());
	bed_halt(m);
}

enum { STRIPES = 30000 };

/* A machine of a test that makes as many mappings as the host allows. */
static struct ksim_machine *boot_for_many(uint64_t ram_bytes, uint64_t window_bytes)
{
	struct ksim_machine *m;

	if (RUNNING_ON_VALGRIND)
		SKIP("valgrind allows 30000 mappings, and ends the program");
	m = boot(ram_bytes, window_bytes);
	SETUP(m != NULL);
	return m;
}

/* One page of a file, again and again: neighbours differ, so the host can join none. */
static int map_stripes(int fd, int n, char **lowest)
{
	for (int i = 0; i < n; i++) {
		ksim_addr at = ksim_mmap(0, PAGE, i % 2 ? RW : PROT_READ, MAP_SHARED, fd, 0);

		if (at == KSIM_MAP_FAILED)
			return i;
		*lowest = ksim_ptr(at);
	}
	return n;
}

TEST(native_limits, many_small_mappings_leave_the_program_its_own)
{
	/*
	 * Two processes together want more than the windows may have; what one is shown, the other loses, and gets
	 * back.
	 */
	struct ksim_machine *m = boot_for_many(4 << 20, 0);
	struct ksim_process *who[2] = { bed_process(m, "a"), bed_process(m, "b") };
	char *lowest[2] = { NULL, NULL };
	uint64_t random = 88172645463325252u;
	int nwrong = 0;

	for (int i = 0; i < 2; i++)
		ksim_as(who[i]) {
			int fd = native_file(1);

			EXPECT_EQ(ksim_pwrite(fd, i == 0 ? "a" : "b", 1, 0), 1);
			EXPECT_EQ(map_stripes(fd, STRIPES, &lowest[i]), STRIPES);
			expect_host_well();
		}
	for (int i = 0; i < 400; i++)
		ksim_as(who[i % 2]) {
			random = random * 6364136223846793005u + 1442695040888963407u;
			nwrong += native_load(lowest[i % 2] + (random >> 33) % STRIPES * PAGE) !=
			          (i % 2 == 0 ? 'a' : 'b');
		}
	EXPECT_EQ(nwrong, 0);
	expect_host_well();
	bed_halt(m);
}

TEST(native_limits, too_many_mappings_of_one_process_fail_ENOMEM)
{
	/* mmap(2): the maximum number of mappings, Linux's 65530. */
	struct ksim_machine *m = boot_for_many(4 << 20, 0);
	struct ksim_process *p = bed_process(m, "p");
	char *lowest = NULL;

	ksim_as(p) {
		int fd = native_file(1);
		int n = map_stripes(fd, 70000, &lowest);

		EXPECT_MSG(n > 65000 && n < 66000 && errno == ENOMEM, "%d mappings, errno %d", n, errno);
		expect_host_well();
		EXPECT_EQ(native_load(lowest), 0);
		EXPECT_EQ(native_load(lowest + (size_t)n / 2 * PAGE), 0);
	}
	EXPECT_EQ(ksim_process_end(p, 0), 0);
	ksim_as(bed_process(m, "q"))
		native_store(native_map(1, RW, MAP_PRIVATE));
	bed_halt(m);
}

TEST(native_limits, more_processes_than_the_host_can_show_fail_ENOMEM)
{
	/* Each is promised a few mappings of the host's. */
	enum { MOST = 4000 };
	struct ksim_machine *m = boot_for_many(64 << 20, 1 << 20);
	static struct ksim_process *who[MOST];
	int n = 0;

	while (n < MOST && (who[n] = ksim_process_create(m, "p")) != NULL)
		n++;
	EXPECT_MSG(n > 500, "%d processes", n);
	if (n < MOST) {
		EXPECT_EQ(errno, ENOMEM);
		EXPECT(ksim_process_fork(who[0], NULL) == NULL && errno == ENOMEM);
	}
	expect_host_well();
	for (int i = 0; i < n; i += 50)
		ksim_as(who[i])
			native_store(native_map(1, RW, MAP_PRIVATE));
	expect_host_well();
	EXPECT_EQ(ksim_process_end(who[0], 0), 0);
	ksim_as(bed_process(m, "q"))
		native_store(native_map(1, RW, MAP_PRIVATE));
	bed_halt(m);
}
