// SPDX-License-Identifier: MIT
/*
 * Huge pages by name, swept: mappings that are promised their pages, files, copies, moves, the pool itself.
 *
 * What Linux promises when such a call fails: mmap(2) is ENOMEM and nothing is promised; fallocate(2) of a file of huge
 * pages is ENOSPC; a promised page is there when it is touched.
 */
#include "sweep.h"

#include <fcntl.h>

#ifndef MFD_HUGETLB
#define MFD_HUGETLB 4U
#endif

enum { HUGE = 2 << 20, POOL = 5, PUNCH_KEEP = 3, POPULATE_WRITE = 23 };

static int pool_is(long long nfree, long long reserved)
{
	char text[4096], *line;
	int fd = RETRY(ksim_open("/proc/meminfo", O_RDONLY));
	ssize_t n;

	MUST(fd >= 0);
	n = RETRY(ksim_read(fd, text, sizeof(text) - 1));
	MUST(n > 0 && ksim_close(fd) == 0);
	text[n] = '\0';
	line = strstr(text, "HugePages_Free:");
	MUST(line != NULL && atoll(line + 15) == nfree);
	line = strstr(text, "HugePages_Rsvd:");
	MUST(line != NULL && atoll(line + 15) == reserved);
	return 0;
}

static int map_and_move(void *arg)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB;
	ksim_addr at = RETRY(ksim_mmap(0, 2 * HUGE, RW, flags, -1, 0)), to;

	(void)arg;
	MUST(at != KSIM_MAP_FAILED);
	TRY(pool_is(POOL, 2));
	mem_store8(at, 1);
	MUST(RETRY(ksim_madvise(at, 2 * HUGE, POPULATE_WRITE)) == 0);
	mem_store8(at + HUGE, 2);
	to = RETRY(ksim_mmap(0, 3 * HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
	MUST(to != KSIM_MAP_FAILED);
	to = (to + HUGE - 1) & ~(ksim_addr)(HUGE - 1);
	MUST(RETRY(ksim_mremap(at, 2 * HUGE, 2 * HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, to)) == to);
	MUST(mem_load8(to) == 1 && mem_load8(to + HUGE) == 2);
	MUST(RETRY(ksim_mprotect(to, HUGE, PROT_READ)) == 0);
	MUST(RETRY(ksim_munmap(to + HUGE, HUGE)) == 0);
	TRY(pool_is(POOL - 1, 0));
	MUST(mem_load8(to) == 1);
	MUST(ksim_munmap(to - HUGE, 4 * HUGE) == 0);
	return pool_is(POOL, 0);
}

static int use_a_file(void *arg)
{
	int fd = RETRY(ksim_memfd_create("huge", MFD_HUGETLB));
	ksim_addr at, own;

	(void)arg;
	MUST(fd >= 0 && RETRY(ksim_ftruncate(fd, 3 * HUGE)) == 0);
	MUST(RETRY(ksim_fallocate(fd, 0, 0, 2 * HUGE)) == 0);
	at = RETRY(ksim_mmap(0, 3 * HUGE, RW, MAP_SHARED, fd, 0));
	MUST(at != KSIM_MAP_FAILED);
	TRY(pool_is(POOL - 2, 1));
	own = RETRY(ksim_mmap(0, HUGE, RW, MAP_PRIVATE, fd, HUGE));
	MUST(own != KSIM_MAP_FAILED);
	mem_store8(at + HUGE, 1);
	mem_store8(own + 4096, 2);
	mem_store8(at + 2 * HUGE, 3);
	MUST(mem_load8(own) == 1 && mem_load8(at + HUGE + 4096) == 0);
	MUST(RETRY(ksim_fallocate(fd, PUNCH_KEEP, 2 * HUGE, HUGE)) == 0);
	MUST(RETRY(ksim_madvise(at + 2 * HUGE, HUGE, POPULATE_WRITE)) == 0); /* it is promised no longer */
	MUST(mem_load8(at + 2 * HUGE) == 0);
	MUST(ksim_munmap(at, 3 * HUGE) == 0 && ksim_munmap(own, HUGE) == 0);
	MUST(ksim_close(fd) == 0);
	return pool_is(POOL, 0);
}

static int write_number(const char *path, const char *text)
{
	int fd = RETRY(ksim_open(path, O_WRONLY));

	MUST(fd >= 0);
	MUST(RETRY(ksim_write(fd, text, strlen(text))) == (ssize_t)strlen(text));
	MUST(ksim_close(fd) == 0);
	return 0;
}

static int resize_the_pool(void *arg)
{
	ksim_addr at;

	(void)arg;
	story.absorbed = true; /* the pool takes what it gets */
	TRY(write_number("/proc/sys/vm/nr_hugepages", "2"));
	TRY(write_number("/proc/sys/vm/nr_overcommit_hugepages", "2"));
	at = RETRY(ksim_mmap(0, 3 * HUGE, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0));
	MUST(at != KSIM_MAP_FAILED);
	TRY(pool_is(3, 3));
	MUST(RETRY(ksim_madvise(at + 2 * HUGE, HUGE, POPULATE_WRITE)) == 0);
	mem_store8(at + 2 * HUGE, 1);
	MUST(ksim_munmap(at, 3 * HUGE) == 0);
	TRY(pool_is(2, 0));
	TRY(write_number("/proc/sys/vm/nr_hugepages", "4"));
	TRY(write_number("/proc/sys/vm/nr_hugepages", "5"));
	TRY(write_number("/proc/sys/vm/nr_hugepages", "5")); /* what could not be had is had now */
	return pool_is(POOL, 0);
}

static int write_to_copies(void *arg)
{
	const ksim_addr at = *(const ksim_addr *)arg;

	MUST(mem_load8(at) == 7);
	MUST(RETRY(ksim_madvise(at, HUGE, POPULATE_WRITE)) == 0);
	mem_store8(at, 8);
	return 0;
}

static int map_for_child(void *arg)
{
	ksim_addr *at = arg;

	*at = RETRY(ksim_mmap(0, HUGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0));
	MUST(*at != KSIM_MAP_FAILED);
	mem_store8(*at, 7);
	return 0;
}

static int look_and_unmap(void *arg)
{
	const ksim_addr at = *(const ksim_addr *)arg;

	MUST(mem_load8(at) == 7);
	MUST(ksim_munmap(at, HUGE) == 0);
	return pool_is(POOL, 0);
}

static int tell_of_one(int (*act)(void *))
{
	struct ksim_process *p = story_process("client");

	MUST(p != NULL);
	story_begin();
	TRY(story_act(p, act, NULL));
	return story_settled();
}

static int tell_of_a_child(int (*act)(void *))
{
	struct ksim_process *p = story_process("parent"), *child;
	ksim_addr at;

	MUST(p != NULL);
	story_begin();
	TRY(story_act(p, map_for_child, &at));
	child = story_fork(p, "child");
	MUST(child != NULL);
	TRY(story_act(child, act, &at));
	TRY(story_process_ends(child));
	TRY(story_act(p, look_and_unmap, &at));
	return story_settled();
}

static void sweep(int (*tell)(int (*act)(void *)), int (*act)(void *))
{
	story_sweep_on((struct ksim_config){ .ram_bytes = 24 << 20, .huge_pages = POOL, .window_bytes = 256 << 20 },
	               tell, act);
}

TEST(sweep_hugetlb, of_a_mapping_that_moves)
{
	sweep(tell_of_one, map_and_move);
}

TEST(sweep_hugetlb, of_a_file)
{
	sweep(tell_of_one, use_a_file);
}

TEST(sweep_hugetlb, of_the_pool)
{
	sweep(tell_of_one, resize_the_pool);
}

TEST(sweep_hugetlb, of_a_child)
{
	sweep(tell_of_a_child, write_to_copies);
}
