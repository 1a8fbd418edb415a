// SPDX-License-Identifier: MIT
/*
 * Windows where the host has little to give: mappings, of which windows together keep to half, and addresses.
 */
#include "bed.h"

#include <sys/resource.h>

#include "base/sanitize.h"
#include "host/window.h"
#include "unit/aborts.h"

/* How many mappings windows may have together. */
static unsigned long limit(void)
{
	return host_mappings_max() / 2;
}

static void skip_where_mappings_are_not_the_hosts(void)
{
	if (RUNNING_ON_VALGRIND)
		SKIP("valgrind allows 30000 mappings, and ends the program");
	if (host_mappings_max() > 100000)
		SKIP("the host allows %lu mappings", host_mappings_max());
}

/* The page of a file n times, each differing from its neighbours: the host can join none. @return the lowest */
static char *map_stripes(int fd, int n)
{
	ksim_addr at = 0;

	for (int i = 0; i < n; i++) {
		at = ksim_mmap(0, PAGE, i % 2 ? RW : PROT_READ, MAP_SHARED, fd, 0);
		SETUP(at != KSIM_MAP_FAILED);
	}
	return ksim_ptr(at);
}

/* ---- mappings ---- */

TEST(limits, window_that_shows_too_much_forgets_and_works_on)
{
	enum { STRIPES = 33500 };
	struct ksim_machine *m;
	struct ksim_process *p;
	bool has_forgotten = false;
	char *at;

	skip_where_mappings_are_not_the_hosts();
	m = bed_boot(KSIM_ARCH_X86_64, BED_RAM_BYTES, 256 * MIB);
	p = bed_process(m);
	ksim_as(p) {
		at = map_stripes(bed_file(1), STRIPES);
		EXPECT_MSG(bed_mappings(p) <= limit() + 2, "%lu mappings", bed_mappings(p));
		EXPECT(bed_window(p)->pieces <= limit());
		for (int i = 0; i < STRIPES; i += 50) {
			has_forgotten |= bed_shown(p, at + (size_t)i * PAGE) == 0;
			EXPECT_EQ(bed_load(at + (size_t)i * PAGE), 'a');
			EXPECT(bed_shown(p, at + (size_t)i * PAGE) != 0);
		}
		EXPECT(has_forgotten);
	}
	bed_check(p);
	bed_halt(m);
}

TEST(limits, when_another_has_all_a_window_still_has_its_few)
{
	enum { FEW = 16, MANY = 100 };
	struct ksim_machine *m;
	struct ksim_process *greedy, *p;
	uint64_t most = 0;

	skip_where_mappings_are_not_the_hosts();
	m = bed_boot(KSIM_ARCH_X86_64, BED_RAM_BYTES, 256 * MIB);
	greedy = bed_process(m);
	p = bed_process(m);
	ksim_as(greedy) {
		int fd = bed_file(1);

		/* Each counts for two until they are counted truly. */
		while (bed_window(greedy)->pieces + 2 <= limit())
			map_stripes(fd, 1);
	}
	ksim_as(p) {
		char *at = map_stripes(bed_file(1), MANY);

		for (int i = 0; i < 3 * MANY; i++) {
			EXPECT_EQ(bed_load(at + (size_t)(i * 37 % MANY) * PAGE), 'a');
			most = MAX(most, bed_window(p)->pieces);
		}
	}
	EXPECT_MSG(most >= FEW && most <= FEW + 2, "%llu pieces", (unsigned long long)most);
	bed_check(p);
	bed_check(greedy);
	/* Who has too much gives: it is counted, or forgets. */
	ksim_as(greedy)
		bed_load(map_stripes(bed_file(1), 1));
	ksim_as(p)
		map_stripes(bed_file(1), MANY);
	EXPECT_MSG(bed_window(p)->pieces > FEW + 2, "%llu pieces", (unsigned long long)bed_window(p)->pieces);
	bed_halt(m);
}

TEST(limits, process_whose_window_could_not_have_its_few_fails_ENOMEM)
{
	enum { MOST = 3000 };
	static struct ksim_process *who[MOST];
	struct ksim_machine *m;
	int n = 0;

	skip_where_mappings_are_not_the_hosts();
	m = bed_boot(KSIM_ARCH_X86_64, 64 * MIB, MIB);
	while (n < MOST && (who[n] = ksim_process_create(m, "p")) != NULL)
		n++;
	EXPECT_EQ(errno, ENOMEM);
	EXPECT_MSG(n < MOST && n > 1000, "%d processes", n);
	EXPECT(ksim_process_fork(who[0], NULL) == NULL && errno == ENOMEM);
	ksim_as(who[n - 1])
		bed_store(bed_map(1, RW, MAP_PRIVATE), 1);
	bed_check(who[n - 1]);
	EXPECT_EQ(ksim_process_end(who[0], 0), 0);
	EXPECT_EQ(ksim_join(who[0], NULL), 0);
	EXPECT(ksim_process_create(m, "p") != NULL);
	EXPECT(ksim_process_create(m, "p") == NULL && errno == ENOMEM);
	bed_halt(m);
}

TEST(limits, mappings_of_a_window_are_given_back_with_its_process)
{
	struct ksim_machine *m;

	skip_where_mappings_are_not_the_hosts();
	m = bed_boot(KSIM_ARCH_X86_64, BED_RAM_BYTES, 64 * MIB);
	/* If they stayed counted, the later ones would have to forget. */
	for (int i = 0; i < 10; i++) {
		struct ksim_process *p = bed_process(m);

		ksim_as(p) {
			char *at = map_stripes(bed_file(1), 6000);

			EXPECT(bed_shown(p, at) != 0);
			EXPECT(bed_shown(p, at + (size_t)5999 * PAGE) != 0);
		}
		EXPECT_EQ(ksim_process_end(p, 0), 0);
		EXPECT_EQ(ksim_join(p, NULL), 0);
	}
	bed_halt(m);
}

/* ---- addresses ---- */

static uint64_t window_bytes(const struct ksim_process *p)
{
	return p != NULL ? bed_window(p)->place->bytes : 0;
}

/* From now on the program may have so many bytes of addresses more than now. */
static void leave_room(uint64_t bytes)
{
	FILE *statm = fopen("/proc/self/statm", "r");
	unsigned long pages = 0;
	struct rlimit room;

	if (statm == NULL || fscanf(statm, "%lu", &pages) != 1 || getrlimit(RLIMIT_AS, &room) != 0)
		_exit(100);
	fclose(statm);
	room.rlim_cur = pages * PAGE + bytes;
	if (setrlimit(RLIMIT_AS, &room) != 0)
		_exit(100);
}

static void end(struct ksim_process *p)
{
	if (ksim_process_end(p, 0) != 0 || ksim_join(p, NULL) != 0)
		_exit(10);
}

/* Windows of 1 GiB are asked for where 100 MiB are left. */
static int with_little_room(void)
{
	struct ksim_machine *m = bed_boot(KSIM_ARCH_X86_64, BED_RAM_BYTES, 1024 * MIB);
	struct ksim_process *a, *b, *c;

	leave_room(100 * MIB);
	a = ksim_process_create(m, "a");
	if (window_bytes(a) > 512 * MIB)
		return 100; /* the host does not keep to it */
	b = ksim_process_create(m, "b");
	if (window_bytes(a) != 64 * MIB || window_bytes(b) != 32 * MIB)
		return 1;
	if (ksim_process_create(m, "c") != NULL || errno != ENOMEM)
		return 2; /* less than 16 MiB is no window */
	ksim_as(a)
		bed_store(bed_map(1, RW, MAP_PRIVATE), 1);
	end(a);
	/* A fork's window is exactly as large as its parent's, and the one that is free is not. */
	if (ksim_process_fork(b, NULL) != NULL || errno != ENOMEM)
		return 3;
	/* Who asks for 1 GiB gets what was got for it before. */
	a = ksim_process_create(m, "a");
	if (window_bytes(a) != 64 * MIB)
		return 4;
	leave_room(100 * MIB);
	c = ksim_process_create(m, "c");
	leave_room(10 * MIB);
	if (window_bytes(c) != 64 * MIB || ksim_process_fork(a, NULL) != NULL || errno != ENOMEM)
		return 5;
	end(c);
	if (window_bytes(ksim_process_fork(a, NULL)) != 64 * MIB)
		return 6;
	return ksim_halt(m) == 0 ? 0 : 7;
}

static void with_little_room_in_child(void *arg)
{
	(void)arg;
	_exit(with_little_room());
}

TEST(limits, window_that_the_host_refuses_is_halved_and_one_that_is_too_small_is_ENOMEM)
{
	char text[1000];
	int status;

	if (KSIM_ASAN || KSIM_TSAN || RUNNING_ON_VALGRIND)
		SKIP("a limit of the address space ends the checking tool");
	aborts_run(with_little_room_in_child, NULL, text, sizeof(text), &status);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 100)
		SKIP("this host does not let us");
	EXPECT_MSG(WIFEXITED(status) && WEXITSTATUS(status) == 0, "wait status %#x; %s", status, text);
}
